package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	fileBudget      = 600 // lines
	functionBudget  = 100 // lines, from func to its closing brace
	interfaceBudget = 8   // methods of its own
	mainBudget      = 40  // lines of a main.go
)

func TestFilesCanBeReadInOneSitting(t *testing.T) {
	l := newLaw(t, "a file tells one story; one that is over "+strconv.Itoa(fileBudget)+" lines tells two", nil)
	for _, p := range l.house.sorted() {
		for _, f := range p.code() {
			if f.lines > fileBudget && !l.excepted(f.path) {
				l.breach(f.path, "%d lines", f.lines)
			}
			if path.Dir(p.path) == "cmd" && f.lines > mainBudget {
				l.breach(f.path, "%d lines, and main is for ending the program, with %d at most", f.lines, mainBudget)
			}
		}
	}
}

func TestFunctionsCanBeSeenWhole(t *testing.T) {
	l := newLaw(t, "a function over "+strconv.Itoa(functionBudget)+" lines does several things; name them", nil)
	l.house.each(func(f *file, node ast.Node) {
		function, ok := node.(*ast.FuncDecl)
		if !ok {
			return
		}
		lines := l.house.fileset.Position(function.End()).Line - l.house.fileset.Position(function.Pos()).Line + 1
		if lines > functionBudget && besideTheFloors()[f.pkg] == "" && !l.excepted(f.pkg+" "+function.Name.Name) {
			l.breach(l.at(function), "%s has %d lines", function.Name.Name, lines)
		}
	})
}

func TestInterfacesAskForLittle(t *testing.T) {
	l := newLaw(t, "who must implement "+strconv.Itoa(interfaceBudget)+" methods can write a fake; roles are put together by embedding, as store.Store is", nil)
	l.house.each(func(f *file, node ast.Node) {
		spec, ok := node.(*ast.TypeSpec)
		if !ok {
			return
		}
		asked, ok := spec.Type.(*ast.InterfaceType)
		if !ok {
			return
		}
		methods := 0
		for _, field := range asked.Methods.List {
			methods += len(field.Names)
		}
		if methods > interfaceBudget && !l.excepted(f.pkg+" "+spec.Name.Name) {
			l.breach(l.at(spec), "%s has %d methods", spec.Name.Name, methods)
		}
	})
}

func TestEveryPackageBeginsWithItsStory(t *testing.T) {
	l := newLaw(t, "a newcomer begins at the package comment: there is one, in one place, and it is more than the package's name", nil)
	for _, p := range l.house.sorted() {
		var comments []*file
		for _, f := range p.files {
			if f.tree.Doc == nil {
				continue
			}
			if f.test && len(p.code()) > 0 {
				l.breach(f.path, "a package comment in a test")
				continue
			}
			comments = append(comments, f)
		}
		if len(comments) != 1 {
			l.breach(p.path, "%d package comments", len(comments))
			continue
		}
		comment := comments[0].tree.Doc.Text()
		begins := "Package " + comments[0].tree.Name.Name + " "
		if comments[0].tree.Name.Name == "main" {
			begins = "Command " + path.Base(p.path) + " "
		}
		if !strings.HasPrefix(comment, begins) || len(comment) < 100 {
			l.breach(comments[0].path, "the package comment begins with %.40q and has %d bytes; begin with %q and tell what a newcomer needs", comment, len(comment), begins)
		}
	}
}

func TestWhatOthersImportIsDocumented(t *testing.T) {
	l := newLaw(t, "the public packages are read by people who have nothing but their documentation", nil)
	obvious := []string{"String", "Error", "Unwrap", "Is", "MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON", "Len", "Less", "Swap"}
	for _, p := range l.house.sorted() {
		if strings.HasPrefix(p.path, "internal/") || strings.HasPrefix(p.path, "cmd/") || strings.HasPrefix(p.path, "test") {
			continue
		}
		for _, f := range p.code() {
			for _, declaration := range f.tree.Decls {
				switch declaration := declaration.(type) {
				case *ast.FuncDecl:
					method := declaration.Recv != nil
					if declaration.Name.IsExported() && declaration.Doc == nil && !(method && slices.Contains(obvious, declaration.Name.Name)) && !hiddenReceiver(declaration) {
						l.breach(l.at(declaration), "%s has no comment", declaration.Name.Name)
					}
				case *ast.GenDecl:
					for _, spec := range declaration.Specs {
						if spec, ok := spec.(*ast.TypeSpec); ok && spec.Name.IsExported() && spec.Doc == nil && declaration.Doc == nil {
							l.breach(l.at(spec), "%s has no comment", spec.Name.Name)
						}
					}
				}
			}
		}
	}
}

func hiddenReceiver(function *ast.FuncDecl) bool {
	if function.Recv == nil {
		return false
	}
	receiver := function.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && !name.IsExported()
}

func TestPackagesAreNamedForWhatTheyAre(t *testing.T) {
	l := newLaw(t, "a name that fits everything gathers everything: name the package for the thing that it knows", nil)
	forbidden := []string{
		"util", "utils", "common", "helper", "helpers", "manager", "managers", "model", "models", "types", "pkg",
		"service", "services", "mock", "mocks", "misc", "shared", "base", "core", "lib", "constants", "interfaces",
	}
	for _, p := range l.house.sorted() {
		for _, segment := range strings.Split(p.path, "/") {
			if slices.Contains(forbidden, segment) {
				l.breach(p.path, "a package named %s", segment)
			}
		}
		for _, f := range p.files {
			name := strings.TrimSuffix(f.tree.Name.Name, "_test")
			if last := path.Base(p.path); p.path != "." && path.Dir(p.path) != "cmd" && name != last {
				l.breach(f.path, "package %s in the folder %s", name, last)
			}
			if base := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test"); slices.Contains(forbidden[:5], base) {
				l.breach(f.path, "a file named %s", base)
			}
		}
		depth := strings.Count(p.path, "/")
		if strings.HasPrefix(p.path, "internal/") && depth > 1 && !strings.HasPrefix(p.path, "internal/store/") {
			l.breach(p.path, "a package %d folders deep: there is one level under internal, but for the stores", depth)
		}
	}
	l.house.each(func(_ *file, node ast.Node) {
		spec, ok := node.(*ast.TypeSpec)
		if !ok {
			return
		}
		for _, suffix := range []string{"Manager", "Helper", "Util", "Utils", "Impl"} {
			if strings.HasSuffix(spec.Name.Name, suffix) {
				l.breach(l.at(spec), "a type named %s", spec.Name.Name)
			}
		}
	})
}

// A cause that is printed with %v can no longer be found by errors.Is.
func TestCausesAreWrapped(t *testing.T) {
	l := newLaw(t, "a cause is given with %w, so that whoever gets the error can ask what it was", nil)
	l.house.each(func(f *file, node ast.Node) {
		call, ok := node.(*ast.CallExpr)
		if !ok || !f.uses(call.Fun, "fmt", "Errorf") && !f.uses(call.Fun, modulePath, "Errorf") {
			return
		}
		wraps := false
		for _, argument := range call.Args {
			if literal, ok := argument.(*ast.BasicLit); ok && literal.Kind == token.STRING && strings.Contains(literal.Value, "%w") {
				wraps = true
			}
		}
		for _, argument := range call.Args {
			if name, ok := argument.(*ast.Ident); ok && name.Name == "err" && !wraps {
				l.breach(l.at(call), "an error made of another without %%w")
			}
		}
	})
}
