package config

import (
	"fmt"
	"sort"
	"strings"

	"github.com/postrider/postrider"
)

// faults collects what is wrong, so that a user learns all of it at once.
type faults struct {
	subject string
	lines   []string
}

func (f *faults) add(where, format string, args ...any) {
	f.lines = append(f.lines, where+": "+fmt.Sprintf(format, args...))
}

// err is nil without faults, else one Error of CodeInvalid, a line for each fault.
func (f *faults) err() error {
	switch len(f.lines) {
	case 0:
		return nil
	case 1:
		return postrider.Errorf(postrider.CodeInvalid, "%s", f.lines[0])
	}
	sort.SliceStable(f.lines, func(i, j int) bool { return group(f.lines[i]) < group(f.lines[j]) })
	return postrider.Errorf(postrider.CodeInvalid, "%s has %d faults:\n  %s", f.subject, len(f.lines), strings.Join(f.lines, "\n  "))
}

// group keeps the faults of a file in the order of its lines, before variables and flags.
func group(line string) int {
	switch {
	case strings.HasPrefix(line, "--"):
		return 2
	case strings.HasPrefix(line, Prefix):
		return 1
	}
	return 0
}
