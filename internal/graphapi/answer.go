package graphapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/jsonscan"
)

// fault is one entry of "errors", in AppSync's shape.
type fault struct {
	field     string // response key of the root field; "" when the whole document is at fault
	kind      string // errorType
	message   string
	locations []gqlerror.Location
}

// append writes the fault with all of its members in AppSync's order.
func (f *fault) append(dst []byte) []byte {
	dst = append(dst, `{"path":`...)
	if f.field == "" {
		dst = append(dst, "null"...)
	} else {
		dst = append(jsonscan.AppendQuoted(append(dst, '['), f.field), ']')
	}
	dst = append(dst, `,"data":null,"errorType":`...)
	dst = jsonscan.AppendQuoted(dst, f.kind)
	dst = append(dst, `,"errorInfo":null,"locations":`...)
	if len(f.locations) == 0 {
		dst = append(dst, "null"...)
	} else {
		for i, at := range f.locations {
			dst = append(dst, ",["[1-min(i, 1)])
			dst = append(dst, `{"line":`...)
			dst = strconv.AppendInt(dst, int64(at.Line), 10)
			dst = append(dst, `,"column":`...)
			dst = strconv.AppendInt(dst, int64(at.Column), 10)
			dst = append(dst, `,"sourceName":null}`...)
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"message":`...)
	return append(jsonscan.AppendQuoted(dst, f.message), '}')
}

// appendAnswer writes a whole answer: data ("" for null), and the faults when there are some.
func appendAnswer(dst []byte, data []byte, faults []fault) []byte {
	dst = append(dst, `{"data":`...)
	if len(data) == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, data...)
	}
	for i := range faults {
		if i == 0 {
			dst = append(dst, `,"errors":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = faults[i].append(dst)
	}
	if len(faults) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// refuse answers a request that was not executed: {"errors":[{"errorType","message"}]}, no data
// (001.15).
func refuse(w http.ResponseWriter, status int, kind, message string) {
	body := jsonscan.AppendQuoted([]byte(`{"errors":[{"errorType":`), kind)
	body = jsonscan.AppendQuoted(append(body, `,"message":`...), message)
	write(w, status, append(body, `}]}`...))
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The error of a write to a client that has gone is nobody's concern.
	_, _ = w.Write(body)
}

// errorType is the table from a code to an AppSync error type. PayloadValidationError and
// ResourceNotFoundError are the names of Xemelgo's errors page (FACTS 6.1), Unauthorized is AppSync's.
func errorType(code postrider.Code) string {
	switch code {
	case postrider.CodeInvalid, postrider.CodeTooLarge, postrider.CodeUnsupportedType:
		return "PayloadValidationError"
	case postrider.CodeNotFound:
		return "ResourceNotFoundError"
	case postrider.CodeConflict:
		return "ConflictError"
	case postrider.CodeForbidden, postrider.CodeUnauthenticated:
		return "Unauthorized"
	case postrider.CodeRateLimited:
		return "TooManyRequestsError"
	case postrider.CodeUnavailable, postrider.CodeStorageFull:
		return "ServiceUnavailableError"
	}
	return "InternalFailure"
}

// explain turns what a verb of control said into a fault's type and message. What it does not know
// goes to the log: this is where such an error ends.
func (h *Handler) explain(ctx context.Context, parent, field string, err error) (kind, message string) {
	told, known := errors.AsType[*postrider.Error](err)
	switch {
	case known:
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		told = postrider.Errorf(postrider.CodeUnavailable, "the request ended before it was done; try again")
	default:
		told = &postrider.Error{Code: postrider.CodeInternal}
	}
	kind, message = errorType(told.Code), told.Message
	switch kind {
	case "Unauthorized":
		message = "Not Authorized to access " + field + " on type " + parent
	case "InternalFailure":
		message = "An internal failure occurred; the log of the gateway has more."
		h.log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("field", field), slog.Any("error", err))
	case "PayloadValidationError":
		message = inOurWords(told)
	}
	return kind, message
}

// inOurWords tells the faults of inputs by the names that they have in the schema.
func inOurWords(told *postrider.Error) string {
	if len(told.Fields) == 0 {
		return told.Message
	}
	parts := make([]string, 0, len(told.Fields))
	for field, fault := range told.Fields {
		name := field
		for _, change := range [][2]string{{"url", "endpoint"}, {"events", "topics"}, {"event_type", "topic"}} {
			if rest, found := strings.CutPrefix(field, change[0]); found && (rest == "" || rest[0] == '[') {
				name = change[1] + rest
			}
		}
		parts = append(parts, name+": "+strings.ReplaceAll(fault, "event type", "topic"))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}
