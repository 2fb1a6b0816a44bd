package control_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/control"
)

// TestEveryVerbThatChangesSomethingWritesItDown reads the sources of this package: whatever calls a
// method of the store that writes must call record, or be called only by what does.
func TestEveryVerbThatChangesSomethingWritesItDown(t *testing.T) {
	writing := writingMethods()
	for _, name := range []string{"CreateTenant", "DeleteKey", "UpdateEndpoint", "RetryDelivery", "UpdateUser"} {
		if !writing[name] {
			t.Errorf("%s does not count as writing", name)
		}
	}
	excepted := map[string]string{
		"rehash": "the password stays as it is, and nobody asked",
		"record": "it writes the log itself",
	}
	functions := functionsHere(t)
	callers := map[string][]string{}
	for name, f := range functions {
		for _, callee := range f.calls {
			callers[callee] = append(callers[callee], name)
		}
	}
	var told func(name string, seen []string) bool
	told = func(name string, seen []string) bool {
		f := functions[name]
		if slices.Contains(f.calls, "record") || excepted[name] != "" {
			return true
		}
		if ast.IsExported(name) || len(callers[name]) == 0 || slices.Contains(seen, name) {
			return false
		}
		return !slices.ContainsFunc(callers[name], func(caller string) bool { return !told(caller, append(seen, name)) })
	}
	found := 0
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		for _, method := range functions[name].stores {
			if writing[method] {
				found++
				if !told(name, nil) {
					t.Errorf("%s changes the store by %s, and nothing writes down who did it: call record", name, method)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d writing calls were found: this test looks in the wrong place", found)
	}
}

// writingMethods are the methods of the store that do not only read, by their names.
func writingMethods() map[string]bool {
	reads := regexp.MustCompile(`^(Find\w+|Setting|EachEndpoint|ReplayMatches|Tenants|Endpoints|Keys|Users|Events|EventDeliveries|Deliveries|Attempts|AuditEntries|Topics?|Contracts?|Settings)$`)
	writing := map[string]bool{}
	all := reflect.TypeFor[control.Store]()
	for i := range all.NumMethod() {
		if name := all.Method(i).Name; !reads.MatchString(name) {
			writing[name] = true
		}
	}
	return writing
}

// function is what a function of this package calls: others of it, and methods of the store.
type function struct{ calls, stores []string }

func functionsHere(t *testing.T) map[string]function {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]function{}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range tree.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Body != nil {
				functions[f.Name.Name] = callsOf(f)
			}
		}
	}
	return functions
}

func callsOf(f *ast.FuncDecl) function {
	var out function
	ast.Inspect(f.Body, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch callee := call.Fun.(type) {
		case *ast.Ident:
			out.calls = append(out.calls, callee.Name)
		case *ast.SelectorExpr:
			if on, ok := callee.X.(*ast.SelectorExpr); ok && on.Sel.Name == "Store" {
				out.stores = append(out.stores, callee.Sel.Name)
				return true
			}
			out.calls = append(out.calls, callee.Sel.Name)
		}
		return true
	})
	return out
}
