package ewhsapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/jsonscan"
)

const (
	maxBody      = 64 << 10
	maxBodyDepth = 8 // a body nests two levels; more is a mistake
	maxFaults    = 20
)

// readBody reads a request's body whole: JSON, at most maxBody bytes.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := checkJSON(r.Header); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		return text, nil
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, postrider.Errorf(postrider.CodeTooLarge, "The body is too large; it has at most 64 KiB.")
	}
	return nil, &postrider.Error{Code: postrider.CodeInvalid, Message: "The body could not be read whole.", Err: err}
}

func checkJSON(header http.Header) error {
	if header.Get("Content-Encoding") != "" {
		return postrider.Errorf(postrider.CodeUnsupportedType, "A body with Content-Encoding is not taken; send it plain.")
	}
	value := header.Get("Content-Type")
	if value == "" || value == "application/json" {
		return nil
	}
	kind, parameters, err := mime.ParseMediaType(value)
	charset, named := parameters["charset"]
	if err != nil || kind != "application/json" || named && !strings.EqualFold(charset, "utf-8") {
		return postrider.Errorf(postrider.CodeUnsupportedType, "The Content-Type %q is not taken; send application/json in UTF-8.", bounded(value))
	}
	return nil
}

// fields are the members of a body by name. All that this API takes are strings.
type fields map[string]string

// given gives a member's text, nil when the body does not have it.
func (f fields) given(name string) *string {
	if text, found := f[name]; found {
		return &text
	}
	return nil
}

// decode reads one JSON object of strings and notes what is wrong with each of its members. Members of
// ignored may have any value: they are what an answer shows beside what can be set, so that it can be
// sent back as it came. null counts as absent. The error is about the object as a whole.
func decode(faults *postrider.Faults, text []byte, known, ignored []string) (fields, error) {
	var (
		found = make(fields, len(known))
		seen  = make(map[string]bool, len(known))
		count int
	)
	err := jsonscan.Members(text, maxBodyDepth, func(key, value []byte) error {
		name := string(key)
		if count >= maxFaults || slices.Contains(ignored, name) {
			return nil
		}
		fault := ""
		switch {
		case !slices.Contains(known, name):
			fault = "is not a field of this call"
		case seen[name]:
			fault = "stands twice"
		case string(value) == "null":
		case value[0] != '"':
			fault = "must be a string"
		default:
			said, err := jsonscan.Unquote(value)
			if err != nil {
				fault = "is not good text: " + err.Error()
			}
			found[name] = said
		}
		seen[name] = true
		if fault != "" {
			faults.Add(bounded(name), "%s", fault)
			count++
		}
		return nil
	})
	if err != nil {
		return nil, notAnObject(err)
	}
	return found, nil
}

// unwrap gives the object inside {"webhook": {…}}, the seed's form (002.1), or the text itself, the
// reference's flat form (A002-2).
func unwrap(text []byte) ([]byte, error) {
	var (
		inner   []byte
		members int
	)
	err := jsonscan.Members(text, maxBodyDepth, func(key, value []byte) error {
		members++
		if string(key) == "webhook" {
			inner = value
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, notAnObject(err)
	case inner == nil:
		return text, nil
	case members > 1:
		return nil, postrider.FieldError("webhook", "stands beside other fields; put all of them into it, or leave it out")
	case inner[0] != '{':
		return nil, postrider.FieldError("webhook", "must be an object")
	}
	return inner, nil
}

func notAnObject(err error) error {
	return &postrider.Error{Code: postrider.CodeInvalid, Message: "The body is not a JSON object: " + err.Error(), Err: err}
}

// merge gives what one field says that has two names. Saying two things is a fault.
func merge(faults *postrider.Faults, all fields, name, alias string) *string {
	value, other := all.given(name), all.given(alias)
	switch {
	case value == nil:
		return other
	case other != nil && *other != *value:
		faults.Add(name, "and %q say different things; send one of them", alias)
	}
	return value
}

// bounded cuts what a client sent before it goes into a message.
func bounded(s string) string {
	const most = 100
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
