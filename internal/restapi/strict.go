package restapi

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/jsonscan"
)

// Body is the body of a management call, read strictly: one JSON object whose members are known, in
// the very spelling of the document, each of its type and none twice. huma documents it as a T; what
// is wrong with it comes out of take, with everything else that is wrong.
type Body[T any] struct {
	decoded *decoded[T]
}

type decoded[T any] struct {
	value T
	nulls map[string]bool // the members that were there: true for those that were null
	err   error
}

// Schema is the schema of T.
func (Body[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// take gives what was read, or what is wrong with it.
func (b Body[T]) take() (T, error) {
	if b.decoded == nil {
		var none T
		return none, postrider.Errorf(postrider.CodeInvalid, "the call needs a body: a JSON object")
	}
	return b.decoded.value, b.decoded.err
}

// takeOrNothing is take for calls whose body may be left out: their input has a *Body.
func (b *Body[T]) takeOrNothing() (T, error) {
	if b == nil || b.decoded == nil {
		var nothing T
		return nothing, nil
	}
	return b.take()
}

// names reports whether the body had the member.
func (b Body[T]) names(member string) bool {
	if b.decoded == nil {
		return false
	}
	_, found := b.decoded.nulls[member]
	return found
}

// isNull reports whether the body had the member, and null for its value.
func (b Body[T]) isNull(member string) bool { return b.decoded != nil && b.decoded.nulls[member] }

// UnmarshalJSON reads the body. It never fails, so that huma asks the handler, which asks take.
func (b *Body[T]) UnmarshalJSON(text []byte) error {
	b.decoded = &decoded[T]{}
	b.decoded.nulls, b.decoded.err = decodeObject(text, reflect.ValueOf(&b.decoded.value).Elem())
	return nil
}

// bodyReader is any Body.
type bodyReader interface{ UnmarshalJSON(text []byte) error }

// jsonFormat is how huma reads and writes bodies: as its own, but strict.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: huma.DefaultJSONFormat.Marshal,
		Unmarshal: func(text []byte, into any) error {
			if body, ok := into.(bodyReader); ok {
				return body.UnmarshalJSON(text)
			}
			if target := reflect.ValueOf(into).Elem(); target.Kind() == reflect.Pointer { // a body that may be left out
				fresh := reflect.New(target.Type().Elem())
				if body, ok := fresh.Interface().(bodyReader); ok {
					target.Set(fresh)
					return body.UnmarshalJSON(text)
				}
			}
			return json.Unmarshal(text, into)
		},
	}
}

const (
	maxBodyDepth  = 32 // management bodies nest two levels; more is a mistake
	maxBodyFaults = 20 // faults told at once
)

var errEnough = errors.New("enough faults")

// decodeObject reads the members of a JSON object into the struct, and tells all faults at once. seen are
// the members that were there, true for those that were null.
func decodeObject(text []byte, object reflect.Value) (seen map[string]bool, err error) {
	var (
		faults postrider.Faults
		count  int
		fields = fieldsOf(object.Type())
	)
	seen = make(map[string]bool, len(fields))
	err = jsonscan.Members(text, maxBodyDepth, func(key, value []byte) error {
		name := bounded(string(key))
		fault := ""
		if index, known := fields[string(key)]; !known {
			fault = "unknown field"
		} else if _, twice := seen[name]; twice {
			fault = "stands twice"
		} else {
			seen[name] = string(value) == "null"
			fault = decodeField(value, object.Field(index))
		}
		if fault != "" {
			faults.Add(name, "%s", fault)
			if count++; count == maxBodyFaults {
				return errEnough
			}
		}
		return nil
	})
	if syntax, ok := errors.AsType[*jsonscan.SyntaxError](err); ok {
		return seen, postrider.Errorf(postrider.CodeInvalid, "the body is not the JSON object that this call takes: %s", syntax.Error())
	}
	return seen, faults.Err()
}

// fieldsOf maps the JSON names of a struct's fields to their index.
func fieldsOf(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[name] = i
	}
	return fields
}

// decodeField reads one value and says what is wrong with it, "" when nothing is. null counts as absent.
func decodeField(value []byte, field reflect.Value) string {
	if string(value) == "null" {
		return ""
	}
	kind := field.Type()
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if value[0] == '"' && kind.Kind() == reflect.String {
		// Not json.Unmarshal, which would put U+FFFD in the place of half a surrogate pair: a secret
		// would not be what was sent.
		text, err := jsonscan.Unquote(value)
		if err != nil {
			return "is not good text: " + err.Error()
		}
		target := field
		if field.Kind() == reflect.Pointer {
			field.Set(reflect.New(kind))
			target = field.Elem()
		}
		target.SetString(text)
		return ""
	}
	if fault, handled := decodeNested(value, field); handled {
		return fault
	}
	if err := json.Unmarshal(value, field.Addr().Interface()); err != nil {
		return "must be " + wanted(kind)
	}
	return ""
}

// wanted names a type for a person.
func wanted(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "a time such as \"2026-02-18T10:30:00Z\""
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "a list of strings"
		}
		return "a list"
	}
	return "an object"
}
