package ewhsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/postrider/postrider"
)

// codeMethodNotAllowed is the one code that only HTTP knows.
const codeMethodNotAllowed postrider.Code = "method_not_allowed"

// status is the table from a code to an HTTP status.
func status(code postrider.Code) int {
	switch code {
	case postrider.CodeInvalid:
		return http.StatusBadRequest
	case postrider.CodeUnauthenticated:
		return http.StatusUnauthorized
	case postrider.CodeForbidden:
		return http.StatusForbidden
	case postrider.CodeNotFound:
		return http.StatusNotFound
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case postrider.CodeConflict:
		return http.StatusConflict
	case postrider.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case postrider.CodeUnsupportedType:
		return http.StatusUnsupportedMediaType
	case postrider.CodeRateLimited:
		return http.StatusTooManyRequests
	case postrider.CodeUnavailable:
		return http.StatusServiceUnavailable
	case postrider.CodeStorageFull:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// refusal is the shape of an error that is not about a field of the input.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// faulty is the shape of an error about the input: what is wrong with each field, and under "0" with
// the whole.
type faulty struct {
	Errors map[string]any `json:"errors"`
}

// refuse answers a request with an error, and logs the cause of an internal one: this is where such an
// error ends.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, c *call, err error) {
	told := h.tell(r.Context(), c, err)
	switch told.Code {
	case postrider.CodeUnauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="postrider"`)
	case postrider.CodeUnavailable, postrider.CodeRateLimited:
		w.Header().Set("Retry-After", strconv.Itoa(int(max(1, math.Ceil(told.RetryAfter.Seconds())))))
	case postrider.CodeStorageFull:
		w.Header().Set("Retry-After", "60")
	}
	number := status(told.Code)
	if told.Code == postrider.CodeInvalid && !c.plain {
		write(w, number, faulty{fieldFaults(told)})
		return
	}
	write(w, number, refusal{number, told.Message})
}

// tell finds what the caller may read of an error.
func (h *Handler) tell(ctx context.Context, c *call, err error) *postrider.Error {
	told, known := errors.AsType[*postrider.Error](err)
	switch {
	case known && told.Code != postrider.CodeInternal:
		return told
	case !known && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return postrider.Errorf(postrider.CodeUnavailable, "The request ended before it was done; try again.")
	}
	h.options.Logger.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("request_id", c.id),
		slog.String("method", c.method), slog.String("path", c.path), slog.Any("error", err))
	return internal(c)
}

func internal(c *call) *postrider.Error {
	return &postrider.Error{Code: postrider.CodeInternal,
		Message: "Something went wrong inside the gateway; its log has more under request id " + c.id + "."}
}

// fieldFaults renames what control found to this API's fields. Each has a list of sentences, as in the
// reference.
func fieldFaults(err *postrider.Error) map[string]any {
	out := make(map[string]any, len(err.Fields))
	for name, message := range err.Fields {
		switch {
		case name == "secret":
			name = "hash_secret"
		case strings.HasPrefix(name, "events"):
			name = "group"
		}
		out[name] = []string{message}
	}
	if len(out) == 0 {
		out["0"] = err.Message
	}
	return out
}

// write answers with JSON, < and > as they are.
func write(w http.ResponseWriter, status int, body any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil { // strings, numbers and lists of them: it cannot fail
		status = http.StatusInternalServerError
		text.Reset()
		text.WriteString(`{"code":500,"message":"The answer could not be written."}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // the client may have gone
}
