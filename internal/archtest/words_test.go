package archtest

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

func TestNothingIsLeftUndone(t *testing.T) {
	l := newLaw(t, "a note to do something later is read by nobody; do it, or say in the documentation what is not there", nil)
	note := regexp.MustCompile(`\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b`)
	for _, text := range l.house.texts {
		for i, line := range strings.Split(text.content, "\n") {
			if found := note.FindString(line); found != "" && !strings.HasPrefix(text.path, "internal/archtest/") && !l.excepted(text.path) {
				l.breach(text.path, "line %d: %s", i+1, found)
			}
		}
	}
}

func TestNoLinterIsSilencedWithoutAReason(t *testing.T) {
	l := newLaw(t, "a silenced warning says why it is wrong", nil)
	for _, p := range l.house.sorted() {
		for _, f := range p.files {
			for _, group := range f.tree.Comments {
				for _, comment := range group.List {
					if strings.HasPrefix(comment.Text, "//nolint") {
						l.breach(l.at(comment), "there is no linter here that reads this")
					}
					if rest, found := strings.CutPrefix(comment.Text, "//lint:ignore "); found && len(strings.Fields(rest)) < 4 {
						l.breach(l.at(comment), "lint:ignore without a reason")
					}
				}
			}
		}
	}
}

func TestNoPathOfOneMachineIsLeft(t *testing.T) {
	l := newLaw(t, "what is written for one machine is wrong on the next; use the folder that the system or the test gives", nil)
	machine := regexp.MustCompile(`(^|[^A-Za-z0-9_.}-])/(w[o]rk|t[m]p|h[o]me|r[o]ot|U[s]ers)/[a-zA-Z]`)
	for _, text := range l.house.texts {
		for i, line := range strings.Split(text.content, "\n") {
			if found := machine.FindString(line); found != "" && !l.excepted(text.path) {
				l.breach(text.path, "line %d: %s…", i+1, strings.TrimSpace(found))
			}
		}
	}
}

func TestThingsHaveOneNameOnly(t *testing.T) {
	l := newLaw(t, "one word a thing, in types as in the tables and the logs; only the wire says webhook, where its seed does", nil)
	words := map[string]string{
		"Subscription": "Endpoint", "Webhook": "Endpoint", "Account": "Tenant", "Organization": "Tenant", "Workspace": "Tenant",
		"Message": "Event", "Notification": "Event", "Task": "Delivery",
	}
	onTheWire := map[string]bool{"api": true, "client": true, "internal/restapi": true}
	l.house.each(func(f *file, node ast.Node) {
		if spec, ok := node.(*ast.TypeSpec); ok && words[spec.Name.Name] != "" && !onTheWire[f.pkg] {
			l.breach(l.at(spec), "a type named %s: say %s", spec.Name.Name, words[spec.Name.Name])
		}
	})
}
