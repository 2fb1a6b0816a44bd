package graphapi

import (
	"context"
	"math"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/jsonscan"
)

// maxAnswer bounds the data of an answer, in bytes.
const maxAnswer = 8 << 20

// resolver gives the value of a field: nil, a bool, a string, an integer, a []any of them, or what
// the resolvers of the field's type take as their source. Only resolvers of root fields fail.
type resolver func(r *run, source any, args arguments) (any, error)

// resolvers is the table of all fields that the schema has, by type and name.
type resolvers map[string]map[string]resolver

// run is the execution of one operation.
type run struct {
	ctx       context.Context
	handler   *Handler
	principal auth.Principal
	variables map[string]any
	faults    []fault
	webhooks  []*postrider.Endpoint // once they were listed
	listed    bool
}

// group is a field of an answer: the selections that have the same key, merged.
type group struct {
	key   string
	field *ast.Field // the first of them
	sets  []ast.SelectionSet
	inner []*group // of the field's own object, once collected
}

// execute runs an operation and gives its data, nil when that is too large. One root field comes
// after another, in queries too: the store is asked no more than once at a time for one client.
func (r *run) execute(operation *ast.OperationDefinition) []byte {
	root := r.handler.schema.Query
	if operation.Operation == ast.Mutation {
		root = r.handler.schema.Mutation
	}
	groups := r.collect(root, []ast.SelectionSet{operation.SelectionSet})
	if len(groups) > maxRootFields {
		r.faults = overLimit("The operation has more than %d fields at its root.", maxRootFields)
		return nil
	}
	data := r.object(nil, root, nil, groups)
	if len(data) > maxAnswer {
		r.faults = overLimit("The answer is larger than %d bytes; ask for less.", maxAnswer)
		return nil
	}
	return data
}

// collect merges the selections of an object by their keys, in the order in which they first appear
// (GraphQL, section 6.3.2).
func (r *run) collect(object *ast.Definition, sets []ast.SelectionSet) []*group {
	var groups []*group
	byKey, spread := map[string]*group{}, map[string]bool{}
	var add func(set ast.SelectionSet)
	add = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				if !r.included(s.Directives) {
					continue
				}
				g := byKey[s.Alias]
				if g == nil {
					g = &group{key: s.Alias, field: s}
					byKey[s.Alias] = g
					groups = append(groups, g)
				}
				g.sets = append(g.sets, s.SelectionSet)
			case *ast.InlineFragment:
				if r.included(s.Directives) && (s.TypeCondition == "" || s.TypeCondition == object.Name) {
					add(s.SelectionSet)
				}
			case *ast.FragmentSpread:
				if r.included(s.Directives) && !spread[s.Name] && s.Definition.TypeCondition == object.Name {
					spread[s.Name] = true
					add(s.Definition.SelectionSet)
				}
			}
		}
	}
	for _, set := range sets {
		add(set)
	}
	return groups
}

// included judges @skip and @include.
func (r *run) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		if d.Name != "skip" && d.Name != "include" {
			continue
		}
		condition := false
		if argument := d.Arguments.ForName("if"); argument != nil {
			value, _ := r.value(argument.Value)
			condition, _ = value.(bool)
		}
		if condition == (d.Name == "skip") {
			return false
		}
	}
	return true
}

// object writes an object's fields.
func (r *run) object(dst []byte, object *ast.Definition, source any, groups []*group) []byte {
	dst = append(dst, '{')
	for i, g := range groups {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonscan.AppendQuoted(dst, g.key), ':')
		if len(dst) > maxAnswer {
			return dst
		}
		if g.field.Name == "__typename" {
			dst = jsonscan.AppendQuoted(dst, object.Name)
			continue
		}
		value, err := r.handler.resolvers[object.Name][g.field.Name](r, source, r.arguments(g.field))
		if err != nil {
			r.fail(object, g, err)
			value = nil
		}
		dst = r.complete(dst, g.field.Definition.Type, value, g)
	}
	return append(dst, '}')
}

// complete writes a value as its type wants it.
func (r *run) complete(dst []byte, kind *ast.Type, value any, g *group) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, "null"...)
	case []any:
		dst = append(dst, '[')
		for i, element := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst = r.complete(dst, kind.Elem, element, g); len(dst) > maxAnswer {
				return dst
			}
		}
		return append(dst, ']')
	case string:
		return jsonscan.AppendQuoted(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	}
	object := r.handler.schema.Types[kind.Name()]
	if g.inner == nil {
		g.inner = r.collect(object, g.sets)
	}
	return r.object(dst, object, value, g.inner)
}

func (r *run) fail(parent *ast.Definition, g *group, err error) {
	kind, message := r.handler.explain(r.ctx, parent.Name, g.field.Name, err)
	r.faults = append(r.faults, fault{
		field: g.key, kind: kind, message: message,
		locations: []gqlerror.Location{{Line: g.field.Position.Line, Column: g.field.Position.Column}},
	})
}

// arguments are the values that were given to a field; what was not given is not there.
type arguments map[string]any

func (r *run) arguments(field *ast.Field) arguments {
	if len(field.Definition.Arguments) == 0 {
		return nil
	}
	args := arguments{}
	for _, defined := range field.Definition.Arguments {
		if given := field.Arguments.ForName(defined.Name); given != nil {
			if value, present := r.value(given.Value); present {
				args[defined.Name] = value
				continue
			}
		}
		if defined.DefaultValue != nil {
			args[defined.Name], _ = r.value(defined.DefaultValue)
		}
	}
	return args
}

// value reads a literal, or a variable's value; present is false for a variable that was not given.
func (r *run) value(v *ast.Value) (value any, present bool) {
	switch v.Kind {
	case ast.Variable:
		value, present = r.variables[v.Raw]
		return value, present
	case ast.IntValue:
		if whole, err := strconv.ParseInt(v.Raw, 10, 64); err == nil {
			return whole, true
		}
		return v.Raw, true // too long for any integer, but not for an id
	case ast.FloatValue:
		number, _ := strconv.ParseFloat(v.Raw, 64) // the lexer let only numbers pass; beyond a double it is infinite
		return number, true
	case ast.BooleanValue:
		return v.Raw == "true", true
	case ast.NullValue:
		return nil, true
	case ast.ListValue:
		list := []any{}
		for _, child := range v.Children {
			element, _ := r.value(child.Value)
			list = append(list, element)
		}
		return list, true
	case ast.ObjectValue:
		object := map[string]any{}
		for _, child := range v.Children {
			if member, present := r.value(child.Value); present {
				object[child.Name] = member
			}
		}
		return object, true
	}
	return v.Raw, true // a string, a block string or an enum's word
}

// object gives an input object.
func (a arguments) object(name string) arguments {
	object, _ := a[name].(map[string]any)
	return object
}

// text gives a String or an ID, which may be written as a number. given is false when it was left
// out or is null.
func (a arguments) text(name string) (text string, given bool) {
	switch v := a[name].(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

// texts gives a list of strings, of which a single one counts as a list too.
func (a arguments) texts(name string) (texts []string, given bool, err error) {
	switch v := a[name].(type) {
	case string:
		return []string{v}, true, nil
	case []string:
		return v, true, nil
	case []any:
		for i, element := range v {
			text, isText := element.(string)
			if !isText {
				return nil, true, postrider.FieldError(name+"["+strconv.Itoa(i)+"]", "cannot be null")
			}
			texts = append(texts, text)
		}
		return texts, true, nil
	}
	return nil, false, nil
}

// whole gives an Int between least and most, or the default when it was left out.
func (a arguments) whole(name string, least, most, otherwise int) (int, error) {
	number := math.NaN()
	switch v := a[name].(type) {
	case nil:
		return otherwise, nil
	case int64:
		number = float64(v)
	case float64:
		number = v
	}
	if !(number >= float64(least) && number <= float64(most)) {
		return 0, postrider.FieldError(name, "is between %d and %d", least, most)
	}
	return int(number), nil
}
