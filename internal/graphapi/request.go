package graphapi

import (
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"

	"github.com/postrider/postrider/internal/jsonscan"
)

// Bounds of a GraphQL request.
const (
	maxBody         = 256 << 10 // bytes of an HTTP body
	maxQuery        = 64 << 10  // bytes of a document
	maxVariablesLen = 64 << 10  // bytes of variables in a URL
	maxJSONDepth    = 16        // levels of a body; the schema's inputs have three inside two
)

// request is what a GraphQL request asks.
type request struct {
	query     string
	operation string // name of the operation to run; "" when there is only one
	variables map[string]any
}

// malformed is a request that cannot be read, in AppSync's words.
type malformed struct {
	status        int
	kind, message string
}

func (m *malformed) Error() string { return m.message }

func unparsable() error {
	return &malformed{http.StatusBadRequest, "MalformedHttpRequestException", "Unable to parse GraphQL query."}
}

// readRequest reads a request by POST, with JSON or a bare document, or by GET. The error is *malformed.
func readRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	if r.Method == http.MethodGet {
		return readURL(r)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &malformed{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The request body is larger than 256 KiB."}
	}
	if err != nil {
		return nil, &malformed{http.StatusBadRequest, "MalformedHttpRequestException", "The request body did not arrive whole."}
	}
	if len(body) == 0 {
		return nil, &malformed{http.StatusBadRequest, "MalformedHttpRequestException", "Request body is empty."}
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/graphql" {
		return &request{query: string(body)}, nil
	}
	return decodeRequest(body)
}

func readURL(r *http.Request) (*request, error) {
	values := r.URL.Query()
	asked := &request{query: values.Get("query"), operation: values.Get("operationName")}
	if asked.query == "" {
		return nil, unparsable()
	}
	text := values.Get("variables")
	if text == "" {
		return asked, nil
	}
	if len(text) > maxVariablesLen {
		return nil, unparsable()
	}
	variables, err := decodeVariables([]byte(text))
	asked.variables = variables
	return asked, err
}

// decodeRequest reads a JSON body. Members beside the three that GraphQL over HTTP names are left alone.
func decodeRequest(body []byte) (*request, error) {
	asked := &request{}
	err := jsonscan.Members(body, maxJSONDepth, func(key, value []byte) (err error) {
		switch string(key) {
		case "query":
			asked.query, err = decodeText(value)
		case "operationName":
			asked.operation, err = decodeText(value)
		case "variables":
			asked.variables, err = decodeVariables(value)
		}
		return err
	})
	if err != nil || asked.query == "" {
		return nil, unparsable()
	}
	return asked, nil
}

func decodeText(value []byte) (string, error) {
	if string(value) == "null" {
		return "", nil
	}
	return jsonscan.Unquote(value)
}

// decodeVariables reads an object, null, or either of them as the text of a string: Postman sends ""
// where no variables were filled in (001.18).
func decodeVariables(value []byte) (map[string]any, error) {
	if value[0] == '"' {
		text, err := jsonscan.Unquote(value)
		if err != nil {
			return nil, unparsable()
		}
		if text == "" {
			return nil, nil
		}
		value = []byte(text)
	}
	if string(value) == "null" {
		return nil, nil
	}
	if err := jsonscan.Valid(value, maxJSONDepth); err != nil {
		return nil, unparsable()
	}
	decoded, err := decodeValue(value)
	object, isObject := decoded.(map[string]any)
	if err != nil || !isObject {
		return nil, unparsable()
	}
	return object, nil
}

// decodeValue reads a valid JSON value. Not with encoding/json, which would put U+FFFD in the place of
// half a surrogate pair: a secret would not be what was sent.
func decodeValue(value []byte) (any, error) {
	switch value[0] {
	case '{':
		object := map[string]any{}
		err := jsonscan.Members(value, maxJSONDepth, func(key, value []byte) (err error) {
			object[string(key)], err = decodeValue(value)
			return err
		})
		return object, err
	case '[':
		list := []any{}
		err := jsonscan.Elements(value, maxJSONDepth, func(_ int, value []byte) error {
			element, err := decodeValue(value)
			list = append(list, element)
			return err
		})
		return list, err
	case '"':
		return jsonscan.Unquote(value)
	case 't':
		return true, nil
	case 'f':
		return false, nil
	case 'n':
		return nil, nil
	}
	return decodeNumber(string(value))
}

// decodeNumber gives an int64 where the number is one, else a float64.
func decodeNumber(text string) (any, error) {
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whole, nil
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(number, 0) {
		return nil, unparsable()
	}
	return number, nil
}
