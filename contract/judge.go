package contract

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider"
)

// Answer is what came back of an attempt: a status, or the reason why there is none.
type Answer struct {
	Status     int                   // 0 when no status came
	RetryAfter string                // the header as received, "" when there was none
	Failure    postrider.OutcomeCode // why no status came; "" when one did
	Detail     string                // more about the failure in plain words
}

// statusKind is an index into outcomes, small enough for a table of all statuses.
type statusKind uint8

const (
	statusRetryable statusKind = iota // the zero value: what no list names
	statusSuccess
	statusGone
	statusPermanent
)

func (k statusKind) outcome() postrider.OutcomeKind {
	switch k {
	case statusSuccess:
		return postrider.OutcomeSuccess
	case statusGone:
		return postrider.OutcomeGone
	case statusPermanent:
		return postrider.OutcomePermanent
	}
	return postrider.OutcomeRetryable
}

// statusTable spreads the rules over all statuses: classes first, so that single ones beat them.
func statusTable(rules StatusRules) *[600]statusKind {
	var table [600]statusKind
	for _, single := range []bool{false, true} {
		for kind, ranges := range [][]StatusRange{
			statusRetryable: rules.Retryable, statusSuccess: rules.Success, statusGone: rules.Gone, statusPermanent: rules.Permanent,
		} {
			for _, one := range ranges {
				if (one.First == one.Last) != single {
					continue
				}
				for status := one.First; status <= one.Last; status++ {
					table[status] = statusKind(kind)
				}
			}
		}
	}
	return &table
}

// Judge says what an answer means for the delivery. Redirects were not followed, in any contract, so
// a 3xx is an answer as any other. Without a status only a request that could not be made is beyond
// retrying. now is the moment of the answer; a Retry-After date is measured from it.
func (c *Contract) Judge(a Answer, now time.Time) postrider.Outcome {
	if a.Failure != "" || a.Status == 0 {
		return c.judgeFailure(a)
	}
	kind := statusRetryable
	if a.Status > 0 && a.Status < len(c.status) {
		kind = c.status[a.Status]
	}
	if kind == statusSuccess {
		return postrider.Outcome{Kind: postrider.OutcomeSuccess, Code: postrider.OutcomeDelivered, Detail: answered(a.Status)}
	}
	o := postrider.Outcome{Kind: kind.outcome(), Code: postrider.OutcomeHTTPStatus, Detail: explain(a.Status)}
	if kind == statusRetryable && c.document.Retry.HonourRetryAfter {
		o.RetryAfter = min(retryAfter(a.RetryAfter, now), c.document.Retry.RetryAfterLimit)
	}
	return o
}

func (c *Contract) judgeFailure(a Answer) postrider.Outcome {
	o := postrider.Outcome{Kind: postrider.OutcomeRetryable, Code: a.Failure, Detail: a.Detail}
	if o.Code == "" {
		o.Code = postrider.OutcomeProtocol
	}
	if o.Code == postrider.OutcomeContract {
		o.Kind = postrider.OutcomePermanent
	}
	if o.Detail == "" {
		o.Detail = c.describe(o.Code)
	}
	return o
}

func (c *Contract) describe(code postrider.OutcomeCode) string {
	switch code {
	case postrider.OutcomeTimeout:
		return "no status came within " + short(c.document.Limits.Timeout)
	case postrider.OutcomeDNS:
		return "the host's name has no address"
	case postrider.OutcomeRefused:
		return "the connection was refused: nothing listens there"
	case postrider.OutcomeUnreachable:
		return "there is no route to the host"
	case postrider.OutcomeTLS:
		return "the TLS handshake failed or the certificate is not good"
	case postrider.OutcomeReset:
		return "the connection broke before a status came"
	case postrider.OutcomeTooLarge:
		return "the response's head is over the limit"
	case postrider.OutcomeBlockedAddress:
		return "the host's address is not one that may be called"
	case postrider.OutcomeContract:
		return "the request could not be made"
	case postrider.OutcomeInterrupted:
		return "the gateway stopped before an answer came"
	case postrider.OutcomeToken:
		return "no OAuth token could be had, so nothing was sent"
	}
	return "what came back is not HTTP"
}

// answered is a constant for the usual statuses, so that a success costs no allocation.
func answered(status int) string {
	switch status {
	case http.StatusOK:
		return "answered 200 OK"
	case http.StatusCreated:
		return "answered 201 Created"
	case http.StatusAccepted:
		return "answered 202 Accepted"
	case http.StatusNoContent:
		return "answered 204 No Content"
	}
	return strings.TrimSuffix("answered "+strconv.Itoa(status)+" "+http.StatusText(status), " ")
}

// explain adds what a support person would say of a failing status.
func explain(status int) string {
	text := answered(status)
	switch {
	case status >= 300 && status <= 399:
		return text + ": redirects are not followed; register the URL it points to"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return text + ": the receiver refuses the request, often because its secret is another one or it changes the body before it verifies the signature"
	case status == http.StatusRequestEntityTooLarge:
		return text + ": the body is too large for the receiver; Express and others stop at 100 kB by default"
	case status == http.StatusUnsupportedMediaType:
		return text + ": the receiver does not take this Content-Type"
	case status == http.StatusGone:
		return text + ": the receiver is no longer there"
	}
	return text
}

// maxRetryAfterText bounds what is looked at of the header.
const maxRetryAfterText = 64

// retryAfter reads a Retry-After header (RFC 9110, section 10.2.3): whole seconds or an HTTP date.
// What cannot be read, or lies in the past, asks for nothing.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxRetryAfterText {
		return 0
	}
	if text[0] >= '0' && text[0] <= '9' {
		seconds, err := strconv.ParseUint(text, 10, 64)
		if err == nil || seconds > 0 { // beyond 64 bits it is still a number, and the largest
			return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
		}
		return 0
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
