package postrider

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code says what kind of failure an Error is. Each surface maps codes to its own tongue (an HTTP
// status, a GraphQL errorType, an exit code) in one table.
type Code string

// The closed list of codes.
const (
	CodeInvalid         Code = "invalid"          // the input breaks a rule; Fields says which
	CodeUnauthenticated Code = "unauthenticated"  // no credential, or one that is not good
	CodeForbidden       Code = "forbidden"        // a good credential that may not do this
	CodeNotFound        Code = "not_found"        // no such thing inside the caller's tenant
	CodeConflict        Code = "conflict"         // the state of the thing forbids it, or a key was used for another body
	CodeTooLarge        Code = "too_large"        // over a size limit
	CodeUnsupportedType Code = "unsupported_type" // a media type this call does not take
	CodeRateLimited     Code = "rate_limited"     // over a rate limit; try again later
	CodeUnavailable     Code = "unavailable"      // the store cannot keep up or is stopping; try again
	CodeStorageFull     Code = "storage_full"     // the disk is full; nothing was written
	CodeInternal        Code = "internal"         // a fault of Postrider; the cause is in the log only
)

// Error is the one error type that crosses packages. Message is fit for the user: it says what was
// wrong, where, and what to do. Err, the cause, is what the log shows beside it; a surface shows
// Message only, and of CodeInternal not even that.
type Error struct {
	Code    Code
	Message string
	Fields  map[string]string // what is wrong with each named input, when the input is at fault
	Err     error
	// RetryAfter is when trying again may help, for CodeRateLimited and CodeUnavailable; zero when it
	// is not known.
	RetryAfter time.Duration
}

// Errorf makes an Error whose message is fit for the user. A cause given with %w becomes a part of
// the message; one whose text is not fit for the user goes into Err alone.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	cause := errors.Unwrap(err)
	if _, several := err.(interface{ Unwrap() []error }); several {
		cause = err // it holds them all
	}
	return &Error{Code: code, Message: err.Error(), Err: cause}
}

// FieldError makes an Error of CodeInvalid about one input.
func FieldError(field, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Code: CodeInvalid, Message: field + ": " + message, Fields: map[string]string{field: message}}
}

// Error gives the message, and the cause when the message does not already hold it.
func (e *Error) Error() string {
	message := e.Message
	if message == "" {
		message = string(e.Code)
	}
	if e.Err == nil {
		return message
	}
	if cause := e.Err.Error(); !strings.Contains(message, cause) {
		return message + ": " + cause
	}
	return message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorCode gives the code of the first Error in err's chain, CodeInternal for any other error and
// "" for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Faults collects what is wrong with several inputs, so that a user learns all of it at once.
// The zero value is ready for use.
type Faults struct {
	fields map[string]string
	order  []string
}

// Add notes a fault of one input. The first fault of an input stands.
func (f *Faults) Add(field, format string, args ...any) {
	if f.fields == nil {
		f.fields = make(map[string]string)
	}
	if _, found := f.fields[field]; !found {
		f.fields[field] = fmt.Sprintf(format, args...)
		f.order = append(f.order, field)
	}
}

// AddError notes err, when it is not nil, as a fault of one input.
func (f *Faults) AddError(field string, err error) {
	if err != nil {
		f.Add(field, "%s", err.Error())
	}
}

// Err is nil without faults, else one Error of CodeInvalid that names them all.
func (f *Faults) Err() error {
	if len(f.order) == 0 {
		return nil
	}
	message := ""
	for i, field := range f.order {
		if i > 0 {
			message += "; "
		}
		message += field + ": " + f.fields[field]
	}
	return &Error{Code: CodeInvalid, Message: message, Fields: f.fields}
}
