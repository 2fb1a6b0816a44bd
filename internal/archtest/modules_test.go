package archtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestLibcIsTheOneThatSQLiteNames(t *testing.T) {
	l := newLaw(t, "modernc.org/sqlite is C translated against one exact modernc.org/libc; with another, databases break at run time (usememos/memos#4745)", nil)
	list := exec.Command("go", "list", "-m", "-json", "modernc.org/sqlite")
	list.Dir = l.house.root
	answer, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var module struct{ GoMod, Version string }
	if err := json.Unmarshal(answer, &module); err != nil {
		t.Fatal(err)
	}
	wanted := required(t, module.GoMod, "modernc.org/libc")
	if got := required(t, filepath.Join(l.house.root, "go.mod"), "modernc.org/libc"); got != wanted {
		l.breach("go.mod", "libc %s, and sqlite %s wants %s", got, module.Version, wanted)
	}
}

func TestTheToolsAreForTheSameGo(t *testing.T) {
	l := newLaw(t, "a contributor needs one Go, and the checks understand the language that the code is written in", nil)
	ours, tools := goVersion(t, filepath.Join(l.house.root, "go.mod")), goVersion(t, filepath.Join(l.house.root, "tools", "go.mod"))
	if ours != tools {
		l.breach("tools/go.mod", "go %s, and the product's go.mod says %s", tools, ours)
	}
}

func TestGoModNamesWhatIsImportedAndNothingElse(t *testing.T) {
	l := newLaw(t, "a module that nobody imports is still downloaded, reviewed and updated; one that is imported is not an indirect one", nil)
	content, err := os.ReadFile(filepath.Join(l.house.root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	direct := make(map[string]bool) // and whether it is imported
	for _, line := range regexp.MustCompile(`(?m)^\t(\S+) v\S+(.*)$`).FindAllStringSubmatch(string(content), -1) {
		if !strings.Contains(line[2], "// indirect") {
			direct[line[1]] = false
		}
	}
	for _, p := range l.house.sorted() {
		for _, f := range p.files {
			for imported, node := range f.imports() {
				if !fromOutside(imported) {
					continue
				}
				found := false
				for module := range direct {
					if imported == module || strings.HasPrefix(imported, module+"/") {
						direct[module], found = true, true
					}
				}
				if !found {
					l.breach(l.at(node), "imports %s, which go.mod does not require directly", imported)
				}
			}
		}
	}
	for module, imported := range direct {
		if !imported {
			l.breach("go.mod", "requires %s, which nobody imports", module)
		}
	}
}

// required is the version that a go.mod names for a module.
func required(t *testing.T, goMod, module string) string {
	t.Helper()
	return match(t, goMod, regexp.MustCompile(`(?m)^\s*(?:require )?`+regexp.QuoteMeta(module)+` (v\S+)`))
}

func goVersion(t *testing.T, goMod string) string {
	t.Helper()
	return match(t, goMod, regexp.MustCompile(`(?m)^go (\S+)$`))
}

func match(t *testing.T, name string, pattern *regexp.Regexp) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	found := pattern.FindStringSubmatch(string(content))
	if found == nil {
		t.Fatalf("%s holds nothing like %s", name, pattern)
	}
	return strings.TrimSpace(found[1])
}
