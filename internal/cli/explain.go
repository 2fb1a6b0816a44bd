package cli

import (
	"errors"
	"net"
	"net/url"
	"sort"
	"strings"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/client"
)

// explain finds the words for the user in an error: what was wrong, and what to do.
func explain(err error) (what, todo string) {
	what = words(err)
	if refused, ok := errors.AsType[*client.Error](err); ok {
		plain, todo := explainRefusal(refused)
		return plainer(what, refused, plain), todo
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		target, _ := url.Parse(failed.URL) // which was dialled, so it is a URL
		server := target.Scheme + "://" + target.Host
		if _, dialled := errors.AsType[*net.OpError](err); dialled {
			return plainer(what, failed, "cannot reach "+server+": "+innermost(err).Error()),
				"start a server with 'postrider serve', or name another with --url"
		}
		return plainer(what, failed, "no answer from "+server+": "+innermost(err).Error()), "try again, or look at the server's log"
	}
	return strings.TrimPrefix(what, "client: "), ""
}

// plainer puts plain words in the place of a cause, and keeps what stands around it.
func plainer(what string, cause error, plain string) string {
	return strings.ReplaceAll(strings.Replace(what, cause.Error(), plain, 1), "client: ", "")
}

func explainRefusal(e *client.Error) (what, todo string) {
	what = e.Message
	var missing []string // fields that the message does not tell already
	for field, fault := range e.Fields {
		if !strings.Contains(what, fault) {
			missing = append(missing, field+": "+fault)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		what += " (" + strings.Join(missing, "; ") + ")"
	}
	switch e.Code {
	case "unauthenticated":
		return what, "give a good key with --key or POSTRIDER_KEY"
	case "unavailable":
		return what, ""
	case "internal":
		return what, "look for request " + e.RequestID + " in the server's log"
	}
	return what, ""
}

// words gives an error's text with the causes left out that an Error keeps for the log: its message has
// said all that a user can use. Only a fault of Postrider's own is told with its cause.
func words(err error) string {
	if e, ok := err.(*postrider.Error); ok && e.Code != postrider.CodeInternal && e.Message != "" {
		return e.Message
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		parts := make([]string, 0, 2)
		for _, inner := range e.Unwrap() {
			parts = append(parts, words(inner))
		}
		if err.Error() == errors.Join(e.Unwrap()...).Error() {
			return strings.Join(parts, "; ")
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return strings.Replace(err.Error(), inner.Error(), words(inner), 1)
		}
	}
	return err.Error()
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
