package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"testing"
)

func TestThereIsNoInit(t *testing.T) {
	l := newLaw(t, "what happens on import cannot be seen, ordered, tested or left out; construct it where it is needed", nil)
	l.house.each(func(_ *file, node ast.Node) {
		if function, ok := node.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
			l.breach(l.at(node), "an init function")
		}
	})
	for _, p := range l.house.sorted() {
		for _, f := range p.code() {
			for _, spec := range f.tree.Imports {
				if imported := spec.Path.Value; spec.Name != nil && spec.Name.Name == "_" && imported != `"embed"` && imported != `"modernc.org/sqlite"` {
					l.breach(l.at(spec), "a blank import of %s", imported)
				}
			}
		}
	}
}

func TestNothingEndsTheProgramButMain(t *testing.T) {
	l := newLaw(t, "only main knows what ending the program would lose; everybody else returns an error", map[string]string{
		"contract Builtin":        "the built-in documents are part of the program, and a test reads them all",
		"internal/restapi rescue": "a panic with http.ErrAbortHandler that it caught and that is not its own goes on",
	})
	l.house.each(func(f *file, node ast.Node) {
		if path.Dir(f.pkg) == "cmd" {
			return
		}
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return
		}
		name := "panic"
		ident, isIdent := call.Fun.(*ast.Ident)
		// http.ErrAbortHandler is how a handler of net/http breaks off its answer: its server catches it.
		ends := isIdent && ident.Name == name && !f.uses(call.Args[0], "net/http", "ErrAbortHandler")
		for _, exit := range [][2]string{{"os", "Exit"}, {"log", "Fatal"}, {"log", "Fatalf"}, {"log", "Panic"}, {"log", "Panicf"}, {"runtime", "Goexit"}, {"syscall", "Exit"}} {
			if f.uses(call.Fun, exit[0], exit[1]) {
				name, ends = exit[0]+"."+exit[1], true
			}
		}
		if !ends || l.excepted(f.pkg+" "+enclosing(f, call.Pos())) {
			return
		}
		l.breach(l.at(node), "%s in %s", name, enclosing(f, call.Pos()))
	})
}

// enclosing is the name of the function that a place is in.
func enclosing(f *file, position token.Pos) string {
	for _, declaration := range f.tree.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Pos() <= position && position < function.End() {
			return function.Name.Name
		}
	}
	return ""
}

// A package's variables are tables, errors and patterns: made once, never changed.
func TestPackagesHaveNoStateOfTheirOwn(t *testing.T) {
	l := newLaw(t, "state of a package is shared by everything in the process, tests too, and nobody owns it; give it to a value that somebody makes", map[string]string{
		". sequencer": "ids are unique in the process, not in one of its parts",
	})
	for _, p := range l.house.sorted() {
		if len(p.code()) == 0 {
			continue
		}
		uses := resolve(l.house, p)
		variables := make(map[types.Object]bool)
		for _, f := range p.code() {
			for _, declaration := range f.tree.Decls {
				group, ok := declaration.(*ast.GenDecl)
				if !ok || group.Tok != token.VAR {
					continue
				}
				for _, spec := range group.Specs {
					value := spec.(*ast.ValueSpec)
					for i, name := range value.Names {
						if name.Name == "_" || l.excepted(p.path+" "+name.Name) {
							continue
						}
						if object := uses.Defs[name]; object != nil {
							variables[object] = true
						}
						embedded := group.Doc != nil && hasEmbed(group.Doc) || value.Doc != nil && hasEmbed(value.Doc)
						if !embedded && (i >= len(value.Values) || !constant(value.Values[i])) {
							l.breach(l.at(name), "the variable %s of %s is not a table, an error or a pattern", name.Name, p.path)
						}
					}
				}
			}
		}
		for _, f := range p.code() {
			f.each(func(_ *file, node ast.Node) {
				for _, changed := range changes(node) {
					if object := uses.Uses[changed]; object != nil && variables[object] {
						l.breach(l.at(node), "%s changes the variable %s of its package", p.path, changed.Name)
					}
				}
			})
		}
	}
}

func hasEmbed(doc *ast.CommentGroup) bool {
	return slices.ContainsFunc(doc.List, func(comment *ast.Comment) bool {
		return len(comment.Text) > 10 && comment.Text[:10] == "//go:embed"
	})
}

// resolve finds what each name of a package stands for. Imported packages are left empty, so that
// what is said with them remains unknown, and the errors of that are of no interest here.
func resolve(h *house, p *pkg) *types.Info {
	info := &types.Info{Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object)}
	config := types.Config{Error: func(error) {}, Importer: nothing{}, FakeImportC: true}
	var trees []*ast.File
	for _, f := range p.code() {
		trees = append(trees, f.tree)
	}
	_, _ = config.Check(p.path, h.fileset, trees, info)
	return info
}

type nothing struct{}

func (nothing) Import(name string) (*types.Package, error) {
	empty := types.NewPackage(name, path.Base(name))
	empty.MarkComplete()
	return empty, nil
}

// constant reports whether a variable that begins with this value has no reason to change: a literal,
// a table, or one of the calls that make an error or a pattern.
func constant(value ast.Expr) bool {
	switch value := value.(type) {
	case *ast.CompositeLit:
		selector, ok := value.Type.(*ast.SelectorExpr)
		return !ok || !slices.Contains([]string{"sync", "atomic"}, fmt.Sprint(selector.X))
	case *ast.BasicLit, *ast.Ident, *ast.SelectorExpr, *ast.FuncLit:
		return true
	case *ast.UnaryExpr:
		_, literal := value.X.(*ast.CompositeLit)
		return literal || constant(value.X) && value.Op != token.AND
	case *ast.BinaryExpr:
		return constant(value.X) && constant(value.Y)
	case *ast.CallExpr:
		switch function := value.Fun.(type) {
		case *ast.FuncLit, *ast.ArrayType:
			return true // computed once, or []byte("…")
		case *ast.Ident:
			return function.Name == "append" || function.Name == "len"
		case *ast.SelectorExpr:
			from, ok := function.X.(*ast.Ident)
			return ok && slices.Contains([]string{
				"errors.New", "fmt.Errorf", "postrider.Errorf", "regexp.MustCompile", "netip.MustParsePrefix",
				"netip.MustParseAddr", "strings.NewReplacer", "template.Must", "big.NewInt", "slices.Concat", "math.Pow10", "json.RawMessage", "time.Date",
			}, from.Name+"."+function.Sel.Name)
		}
	}
	return false
}

// changes gives the names of the variables that a statement or expression changes, or lets others
// change by taking their address.
func changes(node ast.Node) []*ast.Ident {
	var changed []ast.Expr
	switch node := node.(type) {
	case *ast.AssignStmt:
		if node.Tok != token.DEFINE {
			changed = node.Lhs
		}
	case *ast.IncDecStmt:
		changed = []ast.Expr{node.X}
	case *ast.RangeStmt:
		if node.Tok == token.ASSIGN {
			changed = []ast.Expr{node.Key, node.Value}
		}
	case *ast.UnaryExpr:
		if node.Op == token.AND {
			changed = []ast.Expr{node.X}
		}
	case *ast.CallExpr:
		if function, ok := node.Fun.(*ast.Ident); ok && len(node.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy", "close"}, function.Name) {
			changed = node.Args[:1]
		}
	}
	var names []*ast.Ident
	for _, expression := range changed {
		if name := owner(expression); name != nil {
			names = append(names, name)
		}
	}
	return names
}

// owner is the variable that an expression is a part of: table in table[i].field.
func owner(expression ast.Expr) *ast.Ident {
	for {
		switch inner := expression.(type) {
		case *ast.Ident:
			return inner
		case *ast.SelectorExpr:
			expression = inner.X
		case *ast.IndexExpr:
			expression = inner.X
		case *ast.SliceExpr:
			expression = inner.X
		case *ast.StarExpr:
			expression = inner.X
		case *ast.ParenExpr:
			expression = inner.X
		default:
			return nil
		}
	}
}
