package archtest

import (
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// room is a package's place in the house. It may import what stands on lower floors.
type room struct {
	floor  int
	only   []string          // when not nil: of lower floors only these
	not    map[string]string // of lower floors not these, and why
	beside map[string]string // of the same floor these, and why
}

const handlersReason = "a handler is decode, one verb of control or ingest, encode"

// rooms is the table of the design, as it stands in docs/architecture.md.
func rooms() map[string]room {
	rules := "a store keeps and finds; the rules stand above it"
	return map[string]room{
		".":                 {floor: 0, only: []string{}},
		"internal/jsonscan": {floor: 0, only: []string{}},

		"signature": {floor: 1, only: []string{".", "internal/jsonscan"}},
		"contract": {
			floor:  1,
			beside: map[string]string{"signature": "a contract's signatures are schemes of that package"},
		},
		"api":                   {floor: 1, only: []string{}},
		"internal/keyring":      {floor: 1, only: []string{"."}}, // it seals bytes; whose they are and where they are kept is its caller's affair
		"internal/receivertest": {floor: 1, only: []string{}},    // a mistake made in signature must not hide in what checks it

		"internal/store":   {floor: 2, only: []string{"."}},
		"internal/observe": {floor: 2, only: []string{".", "internal/jsonscan"}},
		"client":           {floor: 2, only: []string{"api"}},

		"internal/store/sqlite": {floor: 3, not: map[string]string{"contract": rules, "signature": rules, "api": rules, "client": rules}},
		"internal/auth": {floor: 3, not: map[string]string{
			"contract": "who may do what does not hang on how a request is shaped",
			"client":   "the server does not call itself",
		}},
		"internal/egress": {floor: 3, not: map[string]string{
			"contract":       "egress sends bytes; what they mean is the engine's affair",
			"internal/store": "egress keeps nothing",
			"client":         "egress speaks to receivers, not to Postrider",
		}},

		"internal/control": {floor: 4},
		"internal/ingest":  {floor: 4},
		"internal/deliver": {floor: 4},

		"internal/restapi": {floor: 5, not: map[string]string{
			"internal/deliver": handlersReason, "internal/store/sqlite": handlersReason, "internal/egress": handlersReason,
			"client": "the server does not call itself",
		}},

		"internal/ewhsapi": {floor: 5, not: map[string]string{
			"internal/deliver": handlersReason, "internal/store/sqlite": handlersReason, "internal/egress": handlersReason, "internal/ingest": handlersReason,
			"client": "the server does not call itself", "api": "it speaks another system's words, not those of REST",
		}},

		"internal/graphapi": {floor: 5, not: map[string]string{
			"internal/deliver": handlersReason, "internal/store/sqlite": handlersReason, "internal/egress": handlersReason, "internal/ingest": handlersReason,
			"client": "the server does not call itself", "api": "it speaks another system's words, not those of REST",
		}},

		"internal/config": {floor: 6, not: map[string]string{
			"internal/store/sqlite": "config fills options; server opens what they describe",
			"client":                "config reads files, variables and flags, and nothing over the network",
		}},

		"internal/server": {floor: 7, not: map[string]string{"client": "the server does not call itself"}},
		"internal/bench": {floor: 7, not: map[string]string{
			"internal/deliver": "the yardstick measures the program from outside", "internal/ingest": "the yardstick measures the program from outside",
		}},
		"internal/demo": {floor: 7, beside: map[string]string{
			"internal/server": "the demo is a real server, with receivers beside it",
		}},
		"internal/cli": {
			floor: 7,
			beside: map[string]string{
				"internal/server": "postrider serve", "internal/bench": "postrider bench", "internal/demo": "postrider demo",
			},
			not: map[string]string{
				"internal/store": commandsReason, "internal/store/sqlite": commandsReason, "internal/deliver": commandsReason,
				"internal/control": commandsReason, "internal/ingest": commandsReason, "internal/restapi": commandsReason,
			},
		},

		"cmd/postrider": {floor: 8, only: []string{"internal/cli"}},
	}
}

const commandsReason = "a command that manages something speaks through client, as any other program would"

// besideTheFloors are the packages that only tests import.
func besideTheFloors() map[string]string {
	return map[string]string{
		"internal/archtest":        "the laws",
		"internal/store/memory":    "a store for tests of what stands above it",
		"internal/store/storetest": "the suite that every store passes",
	}
}

func TestEveryPackageHasAPlaceInTheHouse(t *testing.T) {
	l := newLaw(t, "a package without a floor may import anything, and soon does", nil)
	table, beside := rooms(), besideTheFloors()
	for _, p := range l.house.sorted() {
		_, onFloor := table[p.path]
		_, besides := beside[p.path]
		if !onFloor && !besides && len(p.code()) > 0 {
			l.breach(p.path, "stands in neither rooms nor besideTheFloors")
		}
	}
	l.exists(slices.Sorted(maps.Keys(table))...)
	l.exists(slices.Sorted(maps.Keys(beside))...)
	for name, r := range table {
		for _, other := range slices.Concat(r.only, slices.Sorted(maps.Keys(r.not)), slices.Sorted(maps.Keys(r.beside))) {
			if _, found := table[other]; !found {
				t.Errorf("the room of %s names %q, which has no room", name, other)
			}
		}
		for other, why := range r.beside {
			if table[other].floor != r.floor || why == "" {
				t.Errorf("the room of %s names %s as beside it, which is on floor %d, for the reason %q", name, other, table[other].floor, why)
			}
		}
		for other, why := range r.not {
			if table[other].floor >= r.floor || why == "" {
				t.Errorf("the room of %s forbids %s, which its floor forbids already, or gives no reason", name, other)
			}
		}
	}
}

func TestImportsGoDownOnly(t *testing.T) {
	l := newLaw(t, "a package imports only from lower floors, so that each can be read, tested and replaced with what is below it alone", nil)
	table, beside := rooms(), besideTheFloors()
	for _, p := range l.house.sorted() {
		from, found := table[p.path]
		if !found {
			continue
		}
		for _, f := range p.code() {
			for imported, node := range f.imports() {
				name, ours := inHouse(imported)
				if !ours {
					continue
				}
				to, found := table[name]
				switch {
				case !found && beside[name] != "":
					l.breach(l.at(node), "%s is for tests alone (%s)", name, beside[name])
				case !found:
					l.breach(l.at(node), "%s has no floor", name)
				case from.beside[name] != "":
				case to.floor >= from.floor:
					l.breach(l.at(node), "%s (floor %d) imports %s (floor %d)", p.path, from.floor, name, to.floor)
				case from.only != nil && !slices.Contains(from.only, name):
					l.breach(l.at(node), "%s may import only %s, and imports %s", p.path, strings.Join(from.only, ", "), name)
				case from.not[name] != "":
					l.breach(l.at(node), "%s may not import %s: %s", p.path, name, from.not[name])
				}
			}
		}
	}
}

func TestTheDocumentedFloorsAreTheRealOnes(t *testing.T) {
	const document = "docs/architecture.md"
	l := newLaw(t, "the table in "+document+" is where people learn the floors", nil)
	documented := make(map[string]int)
	for _, text := range l.house.texts {
		if text.path != document {
			continue
		}
		for _, row := range regexp.MustCompile("(?m)^\\| (\\d) \\| `([^`]+)` \\|").FindAllStringSubmatch(text.content, -1) {
			documented[row[2]] = int(row[1][0] - '0')
		}
	}
	for name, r := range rooms() {
		if floor, found := documented[name]; !found || floor != r.floor {
			l.breach(document, "%s stands on floor %d, and the table says %d (listed: %v)", name, r.floor, floor, found)
		}
	}
	for name := range documented {
		if _, found := rooms()[name]; !found {
			l.breach(document, "lists %s, which has no room", name)
		}
	}
}

// pure are the packages whose every answer follows from their arguments.
func pure() []string {
	return []string{".", "internal/jsonscan", "signature", "contract", "api", "internal/store"}
}

// standard is a rule about one package of the standard library.
type standard struct {
	imported string
	only     []string // the packages that may import it; nil: all but those of not
	not      []string
	reason   string
}

func standards() []standard {
	onTheWay := []string{"internal/jsonscan", "signature", "contract", "internal/ingest", "internal/deliver", "internal/store/sqlite", "internal/egress"}
	rules := []string{"internal/control", "internal/ingest", "internal/deliver", "internal/auth"}
	return []standard{
		{imported: "database/sql", only: []string{"internal/store/sqlite"}, reason: "SQL is spoken in the dialect packages and nowhere else"},
		{imported: "net/http", not: append(rules, "internal/store/sqlite"), reason: "a rule of the house is the same on every surface and knows none of them; requests go through egress"},
		{imported: "net", not: append(pure(), rules...), reason: "the network is reached through egress and served by server"},
		{imported: "os", not: append(pure(), "internal/control", "internal/ingest", "internal/deliver", "internal/restapi"),
			reason: "what comes from the machine comes in as an option or an argument; auth alone tells it something: that hashing gives way"},
		{imported: "os/exec", only: []string{"internal/bench", "internal/auth"}, reason: "only the yardstick starts processes, the two that it compares, and hashing passwords, which must give way to events"},
		{imported: "reflect", not: onTheWay, reason: "there is no reflection on an event's way"},
		{imported: "encoding/gob", only: []string{}, reason: "nothing of ours is readable by Go alone"},
		{imported: "unsafe", only: []string{}, reason: "no speed is worth a corrupted event"},
		{imported: "log", only: []string{}, reason: "there is one logger, of log/slog, and it is handed down"},
		{imported: "math/rand", only: []string{}, reason: "math/rand/v2 replaced it; what must not be guessed comes from crypto/rand"},
		{imported: "testing", only: []string{"internal/store/storetest"}, reason: "a program carries no test framework"},
	}
}

func TestTheStandardLibraryIsUsedWhereItBelongs(t *testing.T) {
	for _, rule := range standards() {
		t.Run(rule.imported, func(t *testing.T) {
			l := newLaw(t, rule.reason, nil)
			l.exists(rule.only...)
			l.exists(rule.not...)
			for _, p := range l.house.sorted() {
				if rule.not != nil && !slices.Contains(rule.not, p.path) || slices.Contains(rule.only, p.path) {
					continue
				}
				for _, f := range p.code() {
					if node, found := f.imports()[rule.imported]; found {
						l.breach(l.at(node), "%s imports %s", p.path, rule.imported)
					}
				}
			}
		})
	}
}

// Package signature takes an http.Header, because that is what a receiver has in its hand, and package
// contract speaks of statuses and dates. Those are words; the rest of net/http is the network.
func TestThePurePackagesKnowNoClockAndNoNetwork(t *testing.T) {
	l := newLaw(t, "the answer of a pure package follows from its arguments, so that a test, a receiver and the engine get the same one", nil)
	for _, name := range pure() {
		l.exists(name)
		p := l.house.packages[name]
		if p == nil {
			continue
		}
		for _, f := range p.code() {
			f.each(func(f *file, node ast.Node) {
				for _, clock := range []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"} {
					if f.uses(node, "time", clock) {
						l.breach(l.at(node), "%s reads the clock with time.%s; take now as an argument", name, clock)
					}
				}
				selector, ok := node.(*ast.SelectorExpr)
				if !ok || f.named("net/http") == "" || !f.uses(node, "net/http", selector.Sel.Name) {
					return
				}
				if !wordOfHTTP(selector.Sel.Name) {
					l.breach(l.at(node), "%s uses http.%s", name, selector.Sel.Name)
				}
			})
		}
	}
}

// wordOfHTTP reports whether a name of net/http is vocabulary: a header map, a status, a date.
func wordOfHTTP(name string) bool {
	return slices.Contains([]string{"Header", "CanonicalHeaderKey", "ParseTime", "TimeFormat"}, name) ||
		strings.HasPrefix(name, "Status") || strings.HasPrefix(name, "Method")
}

// library is a module from outside and the packages of ours that may import it.
type library struct {
	module string // or a path inside one
	in     []string
	reason string
}

func libraries() []library {
	return []library{
		{"modernc.org/sqlite", []string{"internal/store/sqlite"}, "the driver of one dialect"},
		{"github.com/pressly/goose/v3", []string{"internal/store/sqlite"}, "migrations, which are SQL"},
		{"code.dny.dev/ssrf", []string{"internal/egress"}, "lists of addresses for the address guard"},
		{"github.com/danielgtaylor/huma/v2", []string{"internal/restapi"}, "the OpenAPI document comes from the routes"},
		{"github.com/prometheus/client_golang", []string{"internal/observe"}, "metrics have one home; other packages are handed what they count with"},
		{"github.com/goccy/go-yaml", []string{"contract", "internal/config"}, "contracts and settings are YAML; nothing else is"},
		{"golang.org/x/crypto", []string{"internal/auth"}, "argon2id, for passwords"},
		{"github.com/golang-jwt/jwt/v5", []string{"internal/auth"}, "tokens are made and checked in one place"},
		{"github.com/caarlos0/env/v11", []string{"internal/config"}, "environment variables are read in one place"},
		{"github.com/spf13/cobra", []string{"internal/cli", "internal/bench"}, "commands; the yardstick brings its own, with the programs that it starts as processes"},
		{"github.com/vektah/gqlparser/v2", []string{"internal/graphapi"}, "GraphQL documents are parsed and validated there, and walked by hand"},
		{"golang.org/x/oauth2", []string{"internal/egress"}, "tokens that endpoints ask for are got through the address guard"},
		{"golang.org/x/term", []string{"internal/cli"}, "whether a person is looking"},
		{"golang.org/x/time", []string{"internal/deliver"}, "rate limits of lanes"},
	}
}

func TestLibrariesAreUsedWhereTheyWereTakenInFor(t *testing.T) {
	l := newLaw(t, "a library that is used in one room can be replaced there; the root package has none, so that a receiver that imports it gets nothing else", nil)
	used := make(map[string]bool)
	for _, p := range l.house.sorted() {
		for _, f := range p.code() {
			for imported, node := range f.imports() {
				if !fromOutside(imported) || besideTheFloors()[p.path] != "" {
					continue
				}
				at := slices.IndexFunc(libraries(), func(lib library) bool {
					return imported == lib.module || strings.HasPrefix(imported, lib.module+"/")
				})
				if at < 0 {
					l.breach(l.at(node), "%s imports %s, which is not in the list of libraries", p.path, imported)
					continue
				}
				lib := libraries()[at]
				used[lib.module+" "+p.path] = true
				if !slices.Contains(lib.in, p.path) {
					l.breach(l.at(node), "%s imports %s, which is for %s: %s", p.path, imported, strings.Join(lib.in, ", "), lib.reason)
				}
			}
		}
	}
	for _, lib := range libraries() {
		for _, name := range lib.in {
			l.exists(name)
			if !used[lib.module+" "+name] {
				t.Errorf("the list of libraries lets %s import %s, which it does not", name, lib.module)
			}
		}
	}
}

func TestPackagesForTestsAreImportedByTestsOnly(t *testing.T) {
	l := newLaw(t, "what serves the tests is not part of the program", nil)
	for _, p := range l.house.sorted() {
		for _, f := range p.code() {
			for imported, node := range f.imports() {
				name, _ := inHouse(imported)
				if why := besideTheFloors()[name]; why != "" {
					l.breach(l.at(node), "%s imports %s (%s)", p.path, name, why)
				}
				for _, library := range []string{"github.com/google/go-cmp", "pgregory.net/rapid", "go.uber.org/goleak"} {
					if strings.HasPrefix(imported, library) && besideTheFloors()[p.path] == "" {
						l.breach(l.at(node), "%s imports %s, which is for tests", p.path, imported)
					}
				}
			}
		}
	}
}
