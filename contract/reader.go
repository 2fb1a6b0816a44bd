package contract

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// MaxSource bounds a document's text, in bytes. The YAML parser's time grows faster than the text
// it reads, so the nesting is bounded before it is called.
const (
	MaxSource  = 16 << 10
	maxNesting = 16
)

// reader walks a document's YAML tree and notes every fault with its line and path. Its methods
// never stop at a fault: they note it and give a zero value.
type reader struct {
	faults  Faults
	lines   map[string]int  // path to line of all that was read, for the rules that look at several keys
	headers map[string]bool // names set so far, in lower case
}

// entry is one key that a mapping may have.
type entry struct {
	key      string
	required bool
	read     func(node ast.Node, path string)
}

// parseYAML gives the document's one node, or notes why there is none.
func (r *reader) parseYAML(source []byte) (root ast.Node) {
	if len(source) > MaxSource {
		r.faults.add(0, "", "the document has %d bytes; the limit is %d", len(source), MaxSource)
		return nil
	}
	if line := nestedTooDeep(source); line > 0 {
		r.faults.add(line, "", "too many levels of nesting; no contract needs more than %d", maxNesting)
		return nil
	}
	// The parser is not ours and its input is not trusted: a panic in it is a fault of the document.
	defer func() {
		if recovered := recover(); recovered != nil {
			r.faults.add(0, "", "not readable as YAML")
			root = nil
		}
	}()
	file, err := parser.ParseBytes(source, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.addSyntax(err)
		return nil
	}
	var bodies []ast.Node
	for _, document := range file.Docs {
		if document != nil && document.Body != nil {
			bodies = append(bodies, document.Body)
		}
	}
	switch len(bodies) {
	case 0:
		r.faults.add(0, "", "the document is empty")
		return nil
	case 1:
		return bodies[0]
	}
	r.faults.add(line(bodies[1]), "", "a second document begins here; a file holds one contract")
	return nil
}

func (r *reader) addSyntax(err error) {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.GetToken() != nil && syntax.GetToken().Position != nil {
		r.faults.add(syntax.GetToken().Position.Line, "", "not YAML: %s", syntax.GetMessage())
		return
	}
	r.faults.add(0, "", "not YAML: %s", err.Error())
}

// nestedTooDeep gives the line where brackets or "- - - " nest too deep, 0 when they do not.
func nestedTooDeep(source []byte) int {
	depth, number := 0, 0
	for text := range strings.SplitSeq(string(source), "\n") {
		number++
		if strings.Count(text, "- ") > maxNesting || strings.Count(text, "? ") > maxNesting {
			return number
		}
		for i := range len(text) {
			switch text[i] {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
			if depth > maxNesting {
				return number
			}
		}
	}
	return 0
}

func line(node ast.Node) int {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// add notes a fault at a path that was read before, or at the nearest one above it.
func (r *reader) add(path, format string, args ...any) {
	at, found := r.lines[path]
	for above := path; !found && above != ""; at, found = r.lines[above] {
		above = above[:max(0, strings.LastIndexAny(above, ".["))]
		if above == "" {
			break
		}
	}
	r.faults.add(at, path, format, args...)
}

// mapping reads a mapping whose keys are known. Every unknown, repeated and missing key is a fault.
func (r *reader) mapping(node ast.Node, path string, entries ...entry) {
	pairs, ok := r.pairs(node, path)
	if !ok {
		return
	}
	seen := make(map[string]bool, len(pairs))
	for _, pair := range pairs {
		at := slices.IndexFunc(entries, func(e entry) bool { return e.key == pair.key })
		below := join(path, pair.key)
		switch {
		case at < 0:
			r.faults.add(pair.line, below, "unknown key; known here are %s", listOf(entries))
		case seen[pair.key]:
			r.faults.add(pair.line, below, "stands here twice")
		default:
			seen[pair.key] = true
			r.lines[below] = pair.line
			entries[at].read(pair.value, below)
		}
	}
	for _, e := range entries {
		if e.required && !seen[e.key] {
			r.faults.add(r.lines[path], join(path, e.key), "is missing")
		}
	}
}

func listOf(entries []entry) string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.key
	}
	return strings.Join(names, ", ")
}

type pair struct {
	key   string
	line  int
	value ast.Node
}

// pairs gives a mapping's keys and values, repeated keys included.
func (r *reader) pairs(node ast.Node, path string) ([]pair, bool) {
	var values []*ast.MappingValueNode
	switch node := node.(type) {
	case *ast.MappingNode:
		values = node.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{node}
	default:
		r.wrongType(node, path, "a mapping (key: value)")
		return nil, false
	}
	found := make([]pair, 0, len(values))
	for _, value := range values {
		key, ok := value.Key.(*ast.StringNode)
		if !ok {
			r.faults.add(line(value.Key), path, "a key must be plain text")
			continue
		}
		found = append(found, pair{key.Value, line(value.Key), value.Value})
	}
	return found, true
}

// list reads a sequence of at most most elements.
func (r *reader) list(node ast.Node, path string, most int, read func(node ast.Node, path string)) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		r.wrongType(node, path, "a list")
		return
	}
	if len(sequence.Values) > most {
		r.faults.add(line(node), path, "has %d elements; the limit is %d", len(sequence.Values), most)
		return
	}
	for i, value := range sequence.Values {
		below := path + "[" + strconv.Itoa(i) + "]"
		r.lines[below] = line(value)
		read(value, below)
	}
}

// single reads a mapping with exactly one key, the form of a field and of a header.
func (r *reader) single(node ast.Node, path string, read func(key string, node ast.Node, path string)) {
	pairs, ok := r.pairs(node, path)
	if !ok {
		return
	}
	if len(pairs) != 1 {
		r.faults.add(line(node), path, "must be one name and its value")
		return
	}
	below := join(path, pairs[0].key)
	r.lines[below] = pairs[0].line
	read(pairs[0].key, pairs[0].value, below)
}

// text reads plain or quoted text of at most most bytes.
func (r *reader) text(node ast.Node, path string, most int) string {
	var value string
	switch node := node.(type) {
	case *ast.StringNode:
		value = node.Value
	case *ast.LiteralNode:
		value = node.Value.Value
	default:
		r.wrongType(node, path, "text")
		return ""
	}
	if len(value) > most {
		r.faults.add(line(node), path, "has %d bytes; the limit is %d", len(value), most)
		return ""
	}
	return value
}

// oneOf reads one of a few words and gives its place among them, -1 for another.
func (r *reader) oneOf(node ast.Node, path string, words ...string) int {
	node2, ok := node.(*ast.StringNode)
	if !ok {
		r.wrongType(node, path, "one of "+strings.Join(words, ", "))
		return -1
	}
	at := slices.Index(words, node2.Value)
	if at < 0 {
		r.faults.add(line(node), path, "%q is unknown; use %s", clip(node2.Value), strings.Join(words, ", "))
	}
	return at
}

// integer reads a whole number between least and most.
func (r *reader) integer(node ast.Node, path string, least, most int) int {
	number, ok := node.(*ast.IntegerNode)
	if !ok {
		r.wrongType(node, path, "a whole number")
		return least
	}
	value, ok := number.Value.(uint64)
	if signed, is := number.Value.(int64); is {
		value, ok = uint64(signed), signed >= 0
	}
	if !ok || value > uint64(most) || value < uint64(least) {
		r.faults.add(line(node), path, "%s is out of range; use %d to %d", clip(number.Token.Value), least, most)
		return least
	}
	return int(value)
}

// fraction reads a number between 0 and 1.
func (r *reader) fraction(node ast.Node, path string) float64 {
	var value float64
	switch node := node.(type) {
	case *ast.FloatNode:
		value = node.Value
	case *ast.IntegerNode:
		value = float64(r.integer(node, path, 0, 1))
	default:
		r.wrongType(node, path, "a number")
	}
	if !(value >= 0 && value <= 1) {
		r.faults.add(line(node), path, "is out of range; use 0 to 1")
		return 0
	}
	return value
}

// truth reads true or false.
func (r *reader) truth(node ast.Node, path string) bool {
	value, ok := node.(*ast.BoolNode)
	if !ok {
		r.wrongType(node, path, "true or false")
		return false
	}
	return value.Value
}

// duration reads "5s", "30m", "1h30m" or 0, between least and most.
func (r *reader) duration(node ast.Node, path string, least, most time.Duration) time.Duration {
	var value time.Duration
	switch node := node.(type) {
	case *ast.StringNode:
		parsed, err := time.ParseDuration(node.Value)
		if err != nil {
			r.faults.add(line(node), path, "%q is not a duration; write it as 5s, 30m or 2h", clip(node.Value))
			return least
		}
		value = parsed
	case *ast.IntegerNode:
		if node.Token.Value != "0" {
			r.faults.add(line(node), path, "%s has no unit; write it as 5s, 30m or 2h", clip(node.Token.Value))
			return least
		}
	default:
		r.wrongType(node, path, "a duration such as 5s")
		return least
	}
	if value < least || value > most {
		r.faults.add(line(node), path, "%s is out of range; use %s to %s", value, short(least), short(most))
		return least
	}
	return value
}

// bytes reads 64KiB, 1MiB or a whole number of bytes.
func (r *reader) bytes(node ast.Node, path string, most int) int {
	text, ok := node.(*ast.StringNode)
	if !ok {
		return r.integer(node, path, 0, most)
	}
	for _, unit := range []struct {
		suffix string
		size   int
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}} {
		if digits, found := strings.CutSuffix(text.Value, unit.suffix); found {
			if n, err := strconv.ParseUint(digits, 10, 20); err == nil && int(n)*unit.size <= most {
				return int(n) * unit.size
			}
		}
	}
	r.faults.add(line(node), path, "%q is not a size up to %dKiB; write it as 64KiB or 65536", clip(text.Value), most>>10)
	return 0
}

func (r *reader) wrongType(node ast.Node, path, want string) {
	found := "something else"
	switch node.(type) {
	case nil, *ast.NullNode:
		found = "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		found = "a mapping"
	case *ast.SequenceNode:
		found = "a list"
	case *ast.StringNode, *ast.LiteralNode:
		found = "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		found = "a number"
		if want == "text" {
			found = "a number; put it in quotes"
		}
	case *ast.BoolNode:
		found = "true or false"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		found = "an anchor, alias or tag, which contracts do not use"
	}
	at := line(node)
	if at == 0 {
		at = r.lines[path]
	}
	r.faults.add(at, path, "must be %s; here is %s", want, found)
}

func join(path, key string) string {
	key = clip(key)
	if path == "" {
		return key
	}
	return path + "." + key
}

// clip keeps what a user wrote short enough for a message.
func clip(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// short prints a duration without its zero parts: 24h0m0s is 24h.
func short(d time.Duration) string {
	text := d.String()
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
