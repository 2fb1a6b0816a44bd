package archtest

import (
	"go/ast"
	"slices"
	"testing"
)

func TestGoroutinesAreStartedByTheirOwnersOnly(t *testing.T) {
	owners := map[string]string{
		"internal/ingest":       "the group committer; Ingester.Close waits for it",
		"internal/deliver":      "scheduler, senders, settler, loaders; Engine.Stop waits for them",
		"internal/receivertest": "serving on loopback; Close waits for it",
		"internal/auth":         "the time limit of a process that hashes; derive and end stop it",
		"internal/egress":       "reading a response with a limit of time beside it",
		"internal/store/sqlite": "the writer and the pool's upkeep; Close waits for them",
		"internal/server":       "serving and stopping; Stop waits for them",
		"internal/bench":        "publishers, senders and receivers of the yardstick; each run waits for its own",
		"internal/demo":         "the receivers; Run waits for them",
		"internal/cli":          "progress beside long work; the command waits for it",
	}
	l := newLaw(t, "every goroutine has an owner that waits for it, and a package that starts none has nothing to wait for", owners)
	l.house.each(func(f *file, node ast.Node) {
		if !startsGoroutine(node) || besideTheFloors()[f.pkg] != "" || l.excepted(f.pkg) {
			return
		}
		l.breach(l.at(node), "%s starts a goroutine and is not in the list of owners", f.pkg)
	})
}

// startsGoroutine reports whether node is a go statement or a call such as group.Go(f).
func startsGoroutine(node ast.Node) bool {
	if _, ok := node.(*ast.GoStmt); ok {
		return true
	}
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (selector.Sel.Name == "Go" || selector.Sel.Name == "AfterFunc")
}

func TestNothingSleeps(t *testing.T) {
	l := newLaw(t, "a sleep is a guess: it is too short on a busy machine and too long on all others, and nothing can interrupt it; wait for what you are waiting for, or use testing/synctest", map[string]string{
		"internal/bench": "the pacer of a steady rate sleeps the last part of a millisecond, for which timers are too coarse",
	})
	sleeps := func(f *file, node ast.Node) {
		if f.uses(node, "time", "Sleep") && !l.excepted(f.pkg) {
			l.breach(l.at(node), "time.Sleep")
		}
	}
	l.house.each(sleeps)
	l.house.eachTest(sleeps)
}

func TestNoTestIsSkipped(t *testing.T) {
	l := newLaw(t, "a skipped test is a promise that nobody keeps; install or start what the test needs", nil)
	l.house.eachTest(func(f *file, node ast.Node) {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return
		}
		if selector, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name) {
			l.breach(l.at(node), "%s", selector.Sel.Name)
		}
		if f.uses(call.Fun, "testing", "Short") {
			l.breach(l.at(node), "testing.Short")
		}
	})
}

func TestAContextComesFirst(t *testing.T) {
	l := newLaw(t, "a context belongs to one call, and as the first parameter everybody sees that the call can be ended", nil)
	l.house.each(func(f *file, node ast.Node) {
		function, ok := node.(*ast.FuncDecl)
		if !ok {
			return
		}
		place := 0
		for _, field := range function.Type.Params.List {
			if f.uses(field.Type, "context", "Context") && place > 0 {
				l.breach(l.at(field), "the context is parameter %d", place+1)
			}
			place += max(1, len(field.Names))
		}
	})
}
