package restapi

import (
	"encoding/json"
	"errors"
	"reflect"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/jsonscan"
)

// decodeNested reads an object inside a body as strictly as the body itself: into a struct, or into a map
// of texts. handled is false for fields of other types.
func decodeNested(value []byte, field reflect.Value) (fault string, handled bool) {
	kind := field.Type()
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	_, own := reflect.New(kind).Interface().(json.Unmarshaler) // as time.Time
	switch {
	case kind == reflect.TypeFor[map[string]string]():
	case kind.Kind() != reflect.Struct || kind == reflect.TypeFor[time.Time]() || own:
		return "", false
	}
	if value[0] != '{' {
		return "must be an object", true
	}
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(kind))
		field = field.Elem()
	}
	var err error
	if kind.Kind() == reflect.Map {
		err = decodeTexts(value, field)
	} else {
		_, err = decodeObject(value, field)
	}
	if err != nil {
		return err.Error(), true
	}
	return "", true
}

// decodeTexts reads an object whose values are texts, none of which stands twice.
func decodeTexts(value []byte, field reflect.Value) error {
	var (
		faults postrider.Faults
		count  int
		texts  = make(map[string]string)
	)
	err := jsonscan.Members(value, maxBodyDepth, func(key, value []byte) error {
		name, fault := bounded(string(key)), ""
		if _, twice := texts[string(key)]; twice {
			fault = "stands twice"
		} else if value[0] != '"' {
			fault = "must be a string"
		} else if text, err := jsonscan.Unquote(value); err != nil {
			fault = "is not good text: " + err.Error()
		} else {
			texts[string(key)] = text
		}
		if fault != "" {
			faults.Add(name, "%s", fault)
			if count++; count == maxBodyFaults {
				return errEnough
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	field.Set(reflect.ValueOf(texts))
	return faults.Err()
}
