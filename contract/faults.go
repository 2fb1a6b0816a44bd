package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/postrider/postrider"
)

// Faults is the error of Parse: everything that is wrong with a document.
type Faults struct {
	List []Fault // by line; at most maxFaults
}

// Fault is one thing that is wrong with a document.
type Fault struct {
	Line    int    // from 1; 0 when the whole document is meant
	Path    string // such as "retry.delays[2]"; "" when the whole document is meant
	Message string
}

const maxFaults = 50

// Error gives one line for each fault.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// String gives "line 12: retry.delays[2]: the message".
func (f Fault) String() string {
	text := f.Message
	if f.Path != "" {
		text = f.Path + ": " + text
	}
	if f.Line > 0 {
		text = fmt.Sprintf("line %d: %s", f.Line, text)
	}
	return text
}

// Unwrap gives an Error of CodeInvalid, so that a surface can map it as it maps any bad input.
func (f *Faults) Unwrap() error {
	return &postrider.Error{Code: postrider.CodeInvalid, Message: "the contract has faults:\n" + f.Error()}
}

func (f *Faults) add(line int, path, format string, args ...any) {
	if len(f.List) < maxFaults {
		f.List = append(f.List, Fault{line, path, fmt.Sprintf(format, args...)})
	}
}

// err is nil without faults.
func (f *Faults) err() error {
	if len(f.List) == 0 {
		return nil
	}
	slices.SortStableFunc(f.List, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
	return f
}
