package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxDocument bounds a configuration or bootstrap file, in bytes.
const maxDocument = 1 << 20

// readFile fills config from a YAML file and notes in origins the line that each value stands on.
func readFile(path string, config *Config, origins map[string]string, f *faults) {
	d := document{path: path, faults: f}
	d.read(config)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if line, found := d.lines[field.Tag.Get("yaml")]; found {
			origins[field.Tag.Get("env")] = fmt.Sprintf("%s:%d: %s", path, line, field.Tag.Get("yaml"))
		}
	}
}

// document reads one YAML file strictly into a struct: every key must be a `yaml` tag, once; every
// fault is reported with line and path. Decoding by walking the tree, rather than with the library's
// decoder, is what lets all faults be told at once.
type document struct {
	path   string
	faults *faults
	lines  map[string]int // by path in the document, such as "keys[0].role": where it stands
}

func (d *document) read(into any) {
	d.lines = make(map[string]int)
	source, err := readBounded(d.path)
	if err != nil {
		d.faults.add(d.path, "%v", err)
		return
	}
	file, err := parser.ParseBytes(source, 0, parser.AllowDuplicateMapKey()) // fillStruct tells them
	if err != nil {
		if at, ok := errors.AsType[yaml.Error](err); ok && at.GetToken() != nil {
			d.faults.add(fmt.Sprintf("%s:%d", d.path, at.GetToken().Position.Line), "not YAML: %s", at.GetMessage())
			return
		}
		d.faults.add(d.path, "not YAML: %v", err)
		return
	}
	if len(file.Docs) > 1 && file.Docs[1].Body != nil {
		d.faults.add(d.path, "holds several documents; use one")
		return
	}
	if len(file.Docs) > 0 && file.Docs[0].Body != nil && file.Docs[0].Body.Type() != ast.CommentType {
		d.fill(file.Docs[0].Body, "", reflect.ValueOf(into).Elem())
	}
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", errors.Unwrap(err))
	}
	defer file.Close()
	source, err := io.ReadAll(io.LimitReader(file, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(source) > maxDocument {
		return nil, fmt.Errorf("is over 1 MiB, too large for a configuration")
	}
	return source, nil
}

// fill sets value, a struct, a slice or a leaf, from node. path is "" at the top.
func (d *document) fill(node ast.Node, path string, value reflect.Value) {
	d.lines[path] = node.GetToken().Position.Line
	if node.Type() == ast.NullType {
		return // "listen:" with nothing behind it says nothing
	}
	if isLeaf(value) {
		d.fillLeaf(node, path, value)
		return
	}
	if value.Kind() == reflect.Slice {
		d.fillSlice(node, path, value)
		return
	}
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		d.fault(node, path, "must be a mapping, key: value")
		return
	}
	d.fillStruct(mapping, path, value)
}

func (d *document) fillStruct(mapping *ast.MappingNode, path string, value reflect.Value) {
	seen := make(map[string]bool)
	for _, entry := range mapping.Values {
		key := entry.Key.GetToken().Value
		at := strings.TrimPrefix(path+"."+key, ".")
		field, found := fieldByTag(value, key)
		switch {
		case !found:
			d.fault(entry.Key, at, "unknown key; there are "+strings.Join(keys(value), ", "))
		case seen[key]:
			d.fault(entry.Key, at, "stands here for the second time")
		default:
			d.fill(entry.Value, at, field)
			d.lines[at] = entry.Key.GetToken().Position.Line
		}
		seen[key] = true
	}
}

func (d *document) fillSlice(node ast.Node, path string, value reflect.Value) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(node, path, "must be a list")
		return
	}
	value.Set(reflect.MakeSlice(value.Type(), len(sequence.Values), len(sequence.Values)))
	for i, element := range sequence.Values {
		d.fill(element, fmt.Sprintf("%s[%d]", path, i), value.Index(i))
	}
}

func (d *document) fillLeaf(node ast.Node, path string, value reflect.Value) {
	var text string
	switch scalar := node.(type) {
	case *ast.StringNode:
		text = scalar.Value
	case *ast.LiteralNode:
		text = scalar.Value.Value
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		text = node.GetToken().Value
	default:
		d.fault(node, path, "must be a single value")
		return
	}
	if err := setText(value, text); err != nil {
		d.fault(node, path, err.Error())
	}
}

func (d *document) fault(node ast.Node, path, what string) {
	where := fmt.Sprintf("%s:%d", d.path, node.GetToken().Position.Line)
	if path != "" {
		where += ": " + path
	}
	d.faults.add(where, "%s", what)
}

// at is where path stands, for a fault found after reading. What does not stand in the document is
// told by the line of the thing that it is missing from.
func (d *document) at(path string) string {
	for outer := path; ; {
		if line, found := d.lines[outer]; found {
			return fmt.Sprintf("%s:%d: %s", d.path, line, path)
		}
		cut := strings.LastIndexAny(outer, ".[")
		if cut < 0 {
			return d.path + ": " + path
		}
		outer = outer[:cut]
	}
}

// isLeaf reports whether value is set from one text. A struct is one when it reads text itself.
func isLeaf(value reflect.Value) bool {
	_, readsText := value.Addr().Interface().(interface{ UnmarshalText([]byte) error })
	return readsText || value.Kind() != reflect.Struct && value.Kind() != reflect.Slice
}

func fieldByTag(value reflect.Value, tag string) (reflect.Value, bool) {
	for i := range value.NumField() {
		if value.Type().Field(i).Tag.Get("yaml") == tag {
			return value.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func keys(value reflect.Value) []string {
	var names []string
	for i := range value.NumField() {
		names = append(names, value.Type().Field(i).Tag.Get("yaml"))
	}
	return names
}
