package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// modulePath is the module that the laws are about. Packages are named by what follows it, the root
// package by ".".
const modulePath = "github.com/postrider/postrider"

// house is all that the laws look at.
type house struct {
	root     string // the folder of go.mod
	fileset  *token.FileSet
	packages map[string]*pkg
	texts    []text // every file that a person wrote, Go or not
}

// pkg is one folder with Go files.
type pkg struct {
	path  string
	files []*file // by name, those of tests too
}

// file is one Go file.
type file struct {
	pkg   string
	path  string // from the root, with slashes
	test  bool
	lines int
	tree  *ast.File
}

// text is one file as it is.
type text struct {
	path    string
	content string
}

// readHouse reads the house once for all tests.
var readHouse = sync.OnceValues(func() (*house, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	h := &house{root: root, fileset: token.NewFileSet(), packages: make(map[string]*pkg)}
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case ".git", "bin", "node_modules", "testdata":
				return filepath.SkipDir
			}
			return nil
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return h.add(filepath.ToSlash(relative))
	})
	return h, err
})

func theHouse(t *testing.T) *house {
	t.Helper()
	h, err := readHouse()
	if err != nil {
		t.Fatalf("cannot read the sources: %v", err)
	}
	if len(h.packages) < 5 {
		t.Fatalf("only %d packages found under %s", len(h.packages), h.root)
	}
	return h
}

func (h *house) add(name string) error {
	switch path.Ext(name) {
	case ".go", ".md", ".sh", ".yaml", ".yml", ".js", ".mjs", ".py", ".php", ".rb", ".sql", ".json", ".txt", ".mod", "":
	default:
		return nil
	}
	content, err := os.ReadFile(filepath.Join(h.root, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	if slices.Contains(content[:min(len(content), 512)], 0) {
		return nil // a program
	}
	h.texts = append(h.texts, text{name, string(content)})
	// The receivers are other people's code, as their documents give it: our laws are not theirs.
	if path.Ext(name) != ".go" || strings.HasPrefix(name, "test/receivers/") {
		return nil
	}
	tree, err := parser.ParseFile(h.fileset, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	p := h.packages[dir]
	if p == nil {
		p = &pkg{path: dir}
		h.packages[dir] = p
	}
	p.files = append(p.files, &file{
		pkg: dir, path: name, test: strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(content), "\n"), tree: tree,
	})
	return nil
}

// sorted gives the packages by path.
func (h *house) sorted() []*pkg {
	packages := make([]*pkg, 0, len(h.packages))
	for _, p := range h.packages {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b *pkg) int { return cmp.Compare(a.path, b.path) })
	return packages
}

// code gives the files that are not tests.
func (p *pkg) code() []*file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool { return f.test })
}

// each calls visit with every node of every file that is not a test.
func (h *house) each(visit func(f *file, node ast.Node)) {
	for _, p := range h.sorted() {
		for _, f := range p.code() {
			f.each(visit)
		}
	}
}

// eachTest calls visit with every node of every test file.
func (h *house) eachTest(visit func(f *file, node ast.Node)) {
	for _, p := range h.sorted() {
		for _, f := range p.files {
			if f.test {
				f.each(visit)
			}
		}
	}
}

func (f *file) each(visit func(f *file, node ast.Node)) {
	ast.Inspect(f.tree, func(node ast.Node) bool {
		if node != nil {
			visit(f, node)
		}
		return true
	})
}

// imports gives the paths a file imports, each with its node.
func (f *file) imports() map[string]ast.Node {
	paths := make(map[string]ast.Node)
	for _, spec := range f.tree.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths[name] = spec
		}
	}
	return paths
}

// named reports the name under which a file knows an imported package, "" when it does not import it.
func (f *file) named(imported string) string {
	for _, spec := range f.tree.Imports {
		if name, _ := strconv.Unquote(spec.Path.Value); name == imported {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(imported)
		}
	}
	return ""
}

// uses reports whether node is the selector imported.name, such as time.Now.
func (f *file) uses(node ast.Node, imported, name string) bool {
	selector, ok := node.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	ident, ok := selector.X.(*ast.Ident)
	return ok && ident.Name == f.named(imported)
}

// inHouse gives the package of ours that an import path names.
func inHouse(imported string) (string, bool) {
	if imported == modulePath {
		return ".", true
	}
	return strings.CutPrefix(imported, modulePath+"/")
}

// fromOutside reports whether an import path is of another module, and not of the standard library.
func fromOutside(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	_, ours := inHouse(imported)
	return strings.Contains(first, ".") && !ours
}

// law collects the breaches of one law and prints its reason with each.
type law struct {
	t      *testing.T
	house  *house
	reason string
	except map[string]string // where the law does not hold, and why
	needed map[string]bool
}

func newLaw(t *testing.T, reason string, except map[string]string) *law {
	t.Helper()
	l := &law{t: t, house: theHouse(t), reason: reason, except: except, needed: make(map[string]bool)}
	t.Cleanup(func() {
		for place, why := range except {
			if why == "" {
				t.Errorf("the exception %q has no reason", place)
			}
			if !l.needed[place] {
				t.Errorf("the exception %q is not needed any more: take it off the list", place)
			}
		}
	})
	return l
}

// excepted reports whether the law does not hold at a place.
func (l *law) excepted(place string) bool {
	_, found := l.except[place]
	if found {
		l.needed[place] = true
	}
	return found
}

func (l *law) breach(where, format string, args ...any) {
	l.t.Helper()
	l.t.Errorf("%s: %s\n\tthe law: %s", where, fmt.Sprintf(format, args...), l.reason)
}

// at is a node's place, for a breach.
func (l *law) at(node ast.Node) string {
	position := l.house.fileset.Position(node.Pos())
	return fmt.Sprintf("%s:%d", position.Filename, position.Line)
}

// exists breaches when a rule names a package that is not there.
func (l *law) exists(packages ...string) {
	l.t.Helper()
	for _, name := range packages {
		if l.house.packages[name] == nil {
			l.t.Errorf("a rule names the package %q, which is not there: mend the rule in the commit that moved the package", name)
		}
	}
}
