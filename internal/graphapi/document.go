package graphapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// Bounds of a GraphQL document. They are judged before anything that costs more than reading it.
const (
	maxTokens     = 4000
	maxDepth      = 20   // levels of fields; the introspection query of today's tools has 13
	maxSelections = 1000 // fields, counted wherever a fragment puts them
	maxRootFields = 20   // of the operation that is run
	maxErrors     = 20   // told about one document
)

// prepare parses and validates a document and chooses the operation to run, with its variables
// coerced. The faults, when there are some, are all that is answered.
func prepare(schema *ast.Schema, asked *request) (*ast.OperationDefinition, map[string]any, []fault) {
	if len(asked.query) > maxQuery {
		return nil, nil, overLimit("The query is longer than %d bytes.", maxQuery)
	}
	document, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: asked.query}, maxTokens)
	if err != nil {
		return nil, nil, []fault{syntaxFault(err)}
	}
	if faults := measure(document); faults != nil {
		return nil, nil, faults
	}
	if found := validator.ValidateWithRules(schema, document, rules.NewDefaultRules()); len(found) > 0 {
		return nil, nil, validationFaults(document, found)
	}
	operation, faults := choose(document, asked.operation)
	if faults != nil {
		return nil, nil, faults
	}
	variables, err := validator.VariableValues(schema, operation, asked.variables)
	if err != nil {
		return nil, nil, []fault{variableFault(operation, err)}
	}
	return operation, variables, nil
}

// choose finds the operation that a request names, or the only one.
func choose(document *ast.QueryDocument, name string) (*ast.OperationDefinition, []fault) {
	switch {
	case len(document.Operations) == 0:
		return nil, invalid("The document holds no operation.")
	case name == "" && len(document.Operations) > 1:
		return nil, invalid("Must provide operation name if query contains multiple operations.")
	case name == "":
		return document.Operations[0], nil
	}
	operation := document.Operations.ForName(name)
	if operation == nil {
		return nil, invalid("Unknown operation named '" + shorten(name) + "'.")
	}
	return operation, nil
}

// extent is how much a selection set comes to, fragments laid out.
type extent struct{ fields, depth int }

// measure reports a document that asks for too much. A chain of fragments that each spread the next
// one twice is counted, not laid out.
func measure(document *ast.QueryDocument) []fault {
	m := meter{fragments: map[string]*ast.FragmentDefinition{}, known: map[string]extent{}, open: map[string]bool{}}
	for _, fragment := range document.Fragments {
		m.fragments[fragment.Name] = fragment
		m.of(fragment.SelectionSet) // one that nobody spreads is validated all the same
	}
	total := extent{}
	for _, operation := range document.Operations {
		e := m.of(operation.SelectionSet)
		total.fields, total.depth = min(total.fields+e.fields, maxSelections+1), max(total.depth, e.depth)
	}
	switch {
	case max(total.depth, m.deepest) > maxDepth:
		return overLimit("The query is nested deeper than %d levels.", maxDepth)
	case max(total.fields, m.widest) > maxSelections:
		return overLimit("The query selects more than %d fields.", maxSelections)
	}
	return nil
}

type meter struct {
	fragments       map[string]*ast.FragmentDefinition
	known           map[string]extent
	open            map[string]bool // fragments being measured: a cycle, which validation refuses
	widest, deepest int             // of everything measured
}

func (m *meter) of(set ast.SelectionSet) extent {
	sum := extent{}
	for _, selection := range set {
		part := extent{}
		switch s := selection.(type) {
		case *ast.Field:
			inner := m.of(s.SelectionSet)
			part = extent{inner.fields + 1, inner.depth + 1}
		case *ast.InlineFragment:
			part = m.of(s.SelectionSet)
			part.fields++ // an empty one costs too
		case *ast.FragmentSpread:
			part = m.fragment(s.Name)
			part.fields++
		}
		sum.fields, sum.depth = min(sum.fields+part.fields, maxSelections+1), max(sum.depth, part.depth)
	}
	m.widest, m.deepest = max(m.widest, sum.fields), max(m.deepest, sum.depth)
	return sum
}

func (m *meter) fragment(name string) extent {
	if e, known := m.known[name]; known {
		return e
	}
	fragment, found := m.fragments[name]
	if !found || m.open[name] {
		return extent{}
	}
	m.open[name] = true
	e := m.of(fragment.SelectionSet)
	delete(m.open, name)
	m.known[name] = e
	return e
}

// overLimit makes the answer to a document that is too large: the same for every such document.
func overLimit(format string, args ...any) []fault {
	return []fault{{kind: "QueryLimitExceeded", message: fmt.Sprintf(format, args...)}}
}

func invalid(message string) []fault {
	return []fault{{kind: "ValidationError", message: message}}
}

// syntaxFault words a document that cannot be parsed. It tells the place and not what stands there,
// which may be a secret.
func syntaxFault(err error) fault {
	told, known := err.(*gqlerror.Error)
	if !known {
		return fault{kind: "InvalidSyntax", message: "Invalid syntax."}
	}
	if strings.HasPrefix(told.Message, "exceeded") {
		return overLimit("The query is larger than %d tokens or nested too deep.", maxTokens)[0]
	}
	f := fault{kind: "InvalidSyntax", message: "Invalid syntax.", locations: told.Locations}
	if len(told.Locations) > 0 {
		f.message = fmt.Sprintf("Invalid syntax at line %d column %d.", told.Locations[0].Line, told.Locations[0].Column)
	}
	return f
}

// variableFault words variables that do not fit, without their values.
func variableFault(operation *ast.OperationDefinition, err error) fault {
	f := fault{kind: "ValidationError", message: "Variables have an invalid value."}
	told, known := err.(*gqlerror.Error)
	if !known || len(told.Path) < 2 {
		return f
	}
	path := told.Path[1:].String() // behind "variable"
	name, _, _ := strings.Cut(path, ".")
	name, _, _ = strings.Cut(name, "[")
	var wanted string
	if at := slices.IndexFunc(operation.VariableDefinitions, func(d *ast.VariableDefinition) bool { return d.Variable == name }); at >= 0 {
		wanted = operation.VariableDefinitions[at].Type.String()
		if p := operation.VariableDefinitions[at].Position; p != nil {
			f.locations = []gqlerror.Location{{Line: p.Line, Column: p.Column}}
		}
	}
	switch told.Message {
	case "must be defined", "cannot be null":
		f.message = fmt.Sprintf("Variable '%s' has coerced Null value for NonNull type", shorten(path))
		if path == name {
			f.message += " '" + wanted + "'"
		}
	case "unknown field":
		f.message = fmt.Sprintf("Variable '%s' has a field that its type '%s' does not have", name, wanted) // its name is the client's
	default:
		f.message = fmt.Sprintf("Variable '%s' has an invalid value for its type '%s'", shorten(path), wanted)
	}
	return f
}

// shorten cuts what a client sent before it goes into a message.
func shorten(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
