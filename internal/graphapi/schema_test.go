package graphapi

import (
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

func TestEveryFieldOfTheSchemaHasAResolverAndNoOther(t *testing.T) {
	h := New(Options{}, Parts{})
	fields := 0
	for name, def := range h.schema.Types {
		if def.Kind != ast.Object {
			continue
		}
		for _, field := range def.Fields {
			fields++
			if h.resolvers[name][field.Name] == nil {
				t.Errorf("%s.%s has no resolver", name, field.Name)
			}
		}
	}
	for name, table := range h.resolvers {
		for field := range table {
			fields--
			if def := h.schema.Types[name]; def == nil || def.Fields.ForName(field) == nil {
				t.Errorf("the resolver %s.%s has no field", name, field)
			}
		}
	}
	if fields != 0 {
		t.Errorf("the schema has %d fields more than there are resolvers", fields)
	}
}
