package restapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
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

// retryAfter is what the header Retry-After says, in seconds; "" for codes where trying again is no help.
func retryAfter(code postrider.Code) string {
	switch code {
	case postrider.CodeUnavailable, postrider.CodeRateLimited:
		return "1"
	case postrider.CodeStorageFull:
		return "60"
	}
	return ""
}

// fault is an error as it goes over the wire. huma takes it for its own kind of error.
type fault struct {
	code   postrider.Code
	body   api.ErrorBody
	header http.Header
}

func (f *fault) Error() string { return f.body.Error.Message }

// GetStatus tells huma the status.
func (f *fault) GetStatus() int { return status(f.code) }

// GetHeaders tells huma the headers.
func (f *fault) GetHeaders() http.Header { return f.header }

// fault makes the wire's form of err, and logs the cause of an internal one: this is where such an
// error ends.
func (h *Handler) fault(ctx context.Context, c *call, err error) *fault {
	told, known := errors.AsType[*postrider.Error](err)
	switch {
	case known:
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		told = postrider.Errorf(postrider.CodeUnavailable, "the request ended before it was done; try again")
	default:
		told = &postrider.Error{Code: postrider.CodeInternal}
	}
	f := &fault{code: told.Code, header: http.Header{}}
	f.body.Error = api.Error{Code: string(told.Code), Message: told.Message, Fields: told.Fields}
	switch told.Code {
	case postrider.CodeInternal:
		f.body.Error = api.Error{Code: string(told.Code), Message: "something went wrong inside the gateway; its log has more under request id " + c.id}
		h.options.Logger.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("request_id", c.id),
			slog.String("method", c.method), slog.String("path", c.path), slog.Any("error", err))
	case postrider.CodeUnauthenticated:
		f.header.Set("WWW-Authenticate", `Bearer realm="postrider"`)
	}
	after := retryAfter(told.Code)
	if told.RetryAfter > 0 {
		after = strconv.FormatInt(int64((told.RetryAfter+time.Second-1)/time.Second), 10)
	}
	if after != "" {
		f.header.Set("Retry-After", after)
	}
	return f
}

// refuse answers a request with an error.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, c *call, err error) {
	f := h.fault(r.Context(), c, err)
	header := w.Header()
	for name, values := range f.header {
		header[name] = values
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(f.GetStatus())
	// The error of a write to a client that has gone is nobody's concern.
	_, _ = w.Write(append(marshal(f.body), '\n'))
}

// marshal writes an error's body, < and > as they are.
func marshal(body api.ErrorBody) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil { // strings and a map of strings: it cannot fail
		return []byte(`{"error":{"code":"internal","message":"the error could not be written"}}`)
	}
	return bytes.TrimRight(text.Bytes(), "\n")
}

// rewrite is huma's transformer: it puts huma's own errors, and ours, into api.ErrorBody.
func rewrite(ctx huma.Context, _ string, value any) (any, error) {
	switch e := value.(type) {
	case *fault:
		return e.body, nil
	case *huma.ErrorModel:
		ctx.SetHeader("Content-Type", "application/json")
		return translate(e), nil
	}
	return value, nil
}

// translate words an error that huma made before a handler was called: a parameter or the body
// could not be read.
func translate(e *huma.ErrorModel) api.ErrorBody {
	told := api.Error{Code: string(codeOf(e.Status)), Message: e.Detail}
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		told.Message = "the body is too large for this call; it takes at most 64 KiB"
	case http.StatusRequestTimeout:
		told.Message = "the body did not arrive in time"
	}
	var messages []string
	for _, detail := range e.Errors {
		if detail == nil {
			continue
		}
		_, field, inside := strings.Cut(detail.Location, ".")
		if !inside {
			field = detail.Location
		}
		if field == "" {
			messages = append(messages, detail.Message)
			continue
		}
		if told.Fields == nil {
			told.Fields = map[string]string{}
		}
		told.Fields[field] = detail.Message
		messages = append(messages, field+": "+detail.Message)
	}
	if len(messages) > 0 {
		told.Message = strings.Join(messages, "; ")
	}
	return api.ErrorBody{Error: told}
}

func codeOf(status int) postrider.Code {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return postrider.CodeTooLarge
	case http.StatusUnsupportedMediaType:
		return postrider.CodeUnsupportedType
	case http.StatusInternalServerError:
		return postrider.CodeInternal
	}
	return postrider.CodeInvalid
}
