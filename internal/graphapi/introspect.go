package graphapi

import (
	"maps"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// typeRef is what the fields of __Type are asked of: a named type, or a list or non-null around one.
type typeRef struct {
	kind string // LIST, NON_NULL, or a definition's
	def  *ast.Definition
	of   *ast.Type
}

func refTo(schema *ast.Schema, t *ast.Type) *typeRef {
	if t.NonNull {
		inner := *t
		inner.NonNull = false
		return &typeRef{kind: "NON_NULL", of: &inner}
	}
	if t.Elem != nil {
		return &typeRef{kind: "LIST", of: t.Elem}
	}
	return refOf(schema.Types[t.NamedType])
}

func refOf(def *ast.Definition) *typeRef { return &typeRef{kind: string(def.Kind), def: def} }

// inputValue is an argument or a field of an input object.
type inputValue struct {
	name, description string
	kind              *ast.Type
	value             *ast.Value
}

// introspection answers questions about the schema (GraphQL, section 4).
func introspection() resolvers {
	constant := func(value any) resolver { return func(*run, any, arguments) (any, error) { return value, nil } }
	return resolvers{
		"__Schema": {
			"description": constant(nil),
			"types": func(r *run, _ any, _ arguments) (any, error) {
				types := []any{}
				for _, name := range slices.Sorted(maps.Keys(r.handler.schema.Types)) {
					types = append(types, refOf(r.handler.schema.Types[name]))
				}
				return types, nil
			},
			"queryType":        func(r *run, _ any, _ arguments) (any, error) { return refOf(r.handler.schema.Query), nil },
			"mutationType":     func(r *run, _ any, _ arguments) (any, error) { return refOf(r.handler.schema.Mutation), nil },
			"subscriptionType": constant(nil),
			"directives": func(r *run, _ any, _ arguments) (any, error) {
				directives := []any{}
				for _, name := range []string{"deprecated", "include", "oneOf", "skip", "specifiedBy"} {
					directives = append(directives, r.handler.schema.Directives[name])
				}
				return directives, nil
			},
		},
		"__Type": typeFields(constant),
		"__Field": {
			"name":        of(func(f *ast.FieldDefinition) any { return f.Name }),
			"description": of(func(f *ast.FieldDefinition) any { return orNull(f.Description) }),
			"args":        of(func(f *ast.FieldDefinition) any { return argumentsOf(f.Arguments) }),
			"type": func(r *run, source any, _ arguments) (any, error) {
				return refTo(r.handler.schema, source.(*ast.FieldDefinition).Type), nil
			},
			"isDeprecated":      constant(false),
			"deprecationReason": constant(nil),
		},
		"__InputValue": {
			"name":        of(func(v *inputValue) any { return v.name }),
			"description": of(func(v *inputValue) any { return orNull(v.description) }),
			"type": func(r *run, source any, _ arguments) (any, error) {
				return refTo(r.handler.schema, source.(*inputValue).kind), nil
			},
			"defaultValue": of(func(v *inputValue) any {
				if v.value == nil {
					return nil
				}
				return v.value.String()
			}),
			"isDeprecated":      constant(false),
			"deprecationReason": constant(nil),
		},
		"__EnumValue": {
			"name":              of(func(v *ast.EnumValueDefinition) any { return v.Name }),
			"description":       of(func(v *ast.EnumValueDefinition) any { return orNull(v.Description) }),
			"isDeprecated":      constant(false),
			"deprecationReason": constant(nil),
		},
		"__Directive": {
			"name":         of(func(d *ast.DirectiveDefinition) any { return d.Name }),
			"description":  of(func(d *ast.DirectiveDefinition) any { return orNull(d.Description) }),
			"isRepeatable": of(func(d *ast.DirectiveDefinition) any { return d.IsRepeatable }),
			"args":         of(func(d *ast.DirectiveDefinition) any { return argumentsOf(d.Arguments) }),
			"locations": of(func(d *ast.DirectiveDefinition) any {
				locations := []any{}
				for _, location := range d.Locations {
					locations = append(locations, string(location))
				}
				return locations
			}),
		},
	}
}

func typeFields(constant func(any) resolver) map[string]resolver {
	return map[string]resolver{
		"kind": of(func(t *typeRef) any { return t.kind }),
		"name": of(func(t *typeRef) any {
			if t.def == nil {
				return nil
			}
			return t.def.Name
		}),
		"description": of(func(t *typeRef) any {
			if t.def == nil {
				return nil
			}
			return orNull(t.def.Description)
		}),
		"specifiedByURL": constant(nil),
		"fields": of(func(t *typeRef) any {
			if t.kind != string(ast.Object) {
				return nil
			}
			fields := []any{}
			for _, field := range t.def.Fields {
				if len(field.Name) < 2 || field.Name[:2] != "__" {
					fields = append(fields, field)
				}
			}
			return fields
		}),
		"interfaces": of(func(t *typeRef) any {
			if t.kind != string(ast.Object) {
				return nil
			}
			return []any{}
		}),
		"possibleTypes": constant(nil), // the schema has neither interfaces nor unions
		"enumValues": of(func(t *typeRef) any {
			if t.kind != string(ast.Enum) {
				return nil
			}
			values := []any{}
			for _, value := range t.def.EnumValues {
				values = append(values, value)
			}
			return values
		}),
		"inputFields": of(func(t *typeRef) any {
			if t.kind != string(ast.InputObject) {
				return nil
			}
			fields := []any{}
			for _, f := range t.def.Fields {
				fields = append(fields, &inputValue{f.Name, f.Description, f.Type, f.DefaultValue})
			}
			return fields
		}),
		"ofType": func(r *run, source any, _ arguments) (any, error) {
			if t := source.(*typeRef); t.of != nil {
				return refTo(r.handler.schema, t.of), nil
			}
			return nil, nil
		},
		"isOneOf": of(func(t *typeRef) any {
			if t.kind != string(ast.InputObject) {
				return nil
			}
			return false
		}),
	}
}

// schemaField and typeField are the two that every schema has at its root.
func schemaField(r *run, _ any, _ arguments) (any, error) { return r.handler.schema, nil }

func typeField(r *run, _ any, args arguments) (any, error) {
	name, _ := args.text("name")
	if def, found := r.handler.schema.Types[name]; found {
		return refOf(def), nil
	}
	return nil, nil
}

// of makes a resolver from a function of the source.
func of[T any](get func(T) any) resolver {
	return func(_ *run, source any, _ arguments) (any, error) { return get(source.(T)), nil }
}

func argumentsOf(list ast.ArgumentDefinitionList) any {
	values := []any{}
	for _, a := range list {
		values = append(values, &inputValue{a.Name, a.Description, a.Type, a.DefaultValue})
	}
	return values
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
