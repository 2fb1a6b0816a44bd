package egress

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider"
)

// Request is one webhook to send. Post reads Body and Header only until it returns; URL must never
// change, because the transport may look at it later.
type Request struct {
	URL           *url.URL                // as CheckURL gave it
	Header        []postrider.HeaderField // complete but for Host, Content-Length and User-Agent
	Body          []byte
	Timeout       time.Duration // from the start of dialling to the end of the response's head; 0: 30 seconds
	ResponseLimit int           // bytes of the response's body to keep; 0: 64 KiB; at most 1 MiB
	Credentials   *Credentials  // what the endpoint asks for beside the contract's headers; nil: nothing
}

// Result is what came of a Request. With a status, Failure is "" whatever the status says and
// whatever became of the body; judging is the contract's.
type Result struct {
	Response   postrider.Response
	Phases     postrider.Phases
	Failure    postrider.OutcomeCode // why no status came
	Detail     string                // the same in words; holds neither the URL's path nor its query
	RetryAfter string                // the response's header, as received
}

// Post sends r and waits for the answer: at most r.Timeout for the head, then one second for the
// body, which is read up to r.ResponseLimit. When ctx ends first the failure is OutcomeInterrupted,
// unless a status had come already.
//
// A connection that was kept from an earlier request may have been closed by the server the moment
// before. When it breaks within a second and before any byte of a response, the request is sent once
// more on a new connection, within the same time limit: a server's idle time is no failed attempt.
//
// With Credentials, getting a token counts within the same time limit, and what was sent in confidence is
// hidden in what comes back. Without a token nothing is sent, and the failure is OutcomeToken.
func (c *Client) Post(ctx context.Context, r *Request) Result {
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	if failure, detail := c.refuse(r); failure != "" {
		return Result{Failure: failure, Detail: detail}
	}
	deadline := time.Now().Add(timeout)
	if r.Credentials != nil {
		return c.postWith(ctx, r, timeout, deadline)
	}
	header, fault := c.header(r.Header)
	if fault != "" {
		return Result{Failure: postrider.OutcomeContract, Detail: fault}
	}
	return c.send(ctx, c.plain, r, header, timeout, deadline)
}

// postWith sends r with what the endpoint asks for. An answer of 401 to a token is asked about once
// more with a new one, within the same time limit (A000-9).
func (c *Client) postWith(ctx context.Context, r *Request, timeout time.Duration, deadline time.Time) Result {
	over, asked := c.plain, r.Credentials
	if asked.certificate != nil {
		over = c.certified.take(asked.certificate, time.Now(), c.open)
		defer func() { c.certified.give(asked.certificate, over, time.Now()) }()
	}
	token := ""
	if asked.tokens != nil {
		var failure *tokenFailure
		if token, failure = asked.tokens.take(ctx, c, timeout, deadline, ""); failure != nil {
			return Result{Failure: failure.code, Detail: failure.detail}
		}
	}
	result := c.sendAs(ctx, over, r, token, timeout, deadline)
	if asked.tokens == nil || result.Response.Status != http.StatusUnauthorized || !time.Now().Before(deadline) {
		asked.scrub(&result, token)
		return result
	}
	renewed, failure := asked.tokens.take(ctx, c, timeout, deadline, token)
	if failure != nil {
		return Result{Failure: failure.code, Detail: "the token was answered with 401 Unauthorized, and " + failure.detail}
	}
	result = c.sendAs(ctx, over, r, renewed, timeout, deadline)
	asked.scrub(&result, token, renewed)
	return result
}

func (c *Client) sendAs(ctx context.Context, over *transports, r *Request, token string, timeout time.Duration, deadline time.Time) Result {
	header, fault := c.header(r.Credentials.headerWith(r.Header, token))
	if fault != "" {
		return Result{Failure: postrider.OutcomeContract, Detail: fault}
	}
	return c.send(ctx, over, r, header, timeout, deadline)
}

func (c *Client) send(ctx context.Context, over *transports, r *Request, header http.Header, timeout time.Duration, deadline time.Time) Result {
	result, stale := c.attempt(ctx, over.pooled, r, header, timeout, deadline)
	if stale {
		result, _ = c.attempt(ctx, over.fresh, r, header, timeout, deadline)
	}
	return result
}

// refuse finds what can be known without sending: a URL that registration should not have let in,
// and, with a proxy, a literal address that the guard will not see.
func (c *Client) refuse(r *Request) (postrider.OutcomeCode, string) {
	if r.URL == nil || r.URL.Host == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return postrider.OutcomeContract, "the endpoint's URL is not an http or https URL"
	}
	if r.URL.User != nil {
		return postrider.OutcomeContract, "the endpoint's URL holds a user name or password"
	}
	if c.proxy != nil {
		if addr, err := netip.ParseAddr(r.URL.Hostname()); err == nil {
			if blocked := c.guard.check(addr); blocked != nil {
				return postrider.OutcomeBlockedAddress, "the URL leads to " + blocked.Error()
			}
		}
	}
	return "", ""
}

// header makes the map net/http wants. Names keep their spelling: receivers' documents write
// "xemelgo-signature", and a name costs no work that way.
func (c *Client) header(fields []postrider.HeaderField) (http.Header, string) {
	header := make(http.Header, len(fields)+1)
	values := make([]string, len(fields)+1)
	agent := false
	for i, f := range fields {
		name := f.Name
		switch kindOf(name) {
		case headerManaged:
			return nil, "the contract sets the header " + printable(name) + ", which belongs to the connection"
		case headerAgent:
			name, agent = "User-Agent", true
		case headerIdempotency:
			// In this spelling net/http would repeat the request on its own account.
			name = strings.ToLower(name)
		}
		if earlier, found := header[name]; found {
			header[name] = append(earlier, f.Value)
			continue
		}
		values[i] = f.Value
		header[name] = values[i : i+1 : i+1]
	}
	if !agent {
		values[len(fields)] = c.userAgent
		header["User-Agent"] = values[len(fields):]
	}
	return header, ""
}

type headerKind int

const (
	headerOrdinary headerKind = iota
	headerManaged
	headerAgent
	headerIdempotency
)

func kindOf(name string) headerKind {
	is := func(s string) bool { return strings.EqualFold(name, s) }
	switch len(name) {
	case 2:
		if is("te") {
			return headerManaged
		}
	case 4:
		if is("host") {
			return headerManaged
		}
	case 6:
		if is("expect") {
			return headerManaged
		}
	case 7:
		if is("trailer") || is("upgrade") {
			return headerManaged
		}
	case 10:
		if is("connection") || is("keep-alive") {
			return headerManaged
		}
		if is("user-agent") {
			return headerAgent
		}
	case 14:
		if is("content-length") {
			return headerManaged
		}
	case 15:
		if is("idempotency-key") {
			return headerIdempotency
		}
	case 16:
		if is("proxy-connection") {
			return headerManaged
		}
	case 17:
		if is("transfer-encoding") {
			return headerManaged
		}
		if is("x-idempotency-key") {
			return headerIdempotency
		}
	case 19:
		if is("proxy-authorization") {
			return headerManaged
		}
	}
	return headerOrdinary
}

// attempt sends r over one transport. stale tells that a kept connection turned out to be closed.
func (c *Client) attempt(parent context.Context, over *http.Transport, r *Request, header http.Header, timeout time.Duration, deadline time.Time) (result Result, stale bool) {
	e := newExchange(parent, r, deadline, r.URL.Scheme == "https" || c.proxy != nil)
	defer e.finish(&c.bodies)
	response, err := over.RoundTrip(e.request(r, header, &c.bodies))
	if err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		failure, detail := e.explain(parent, err, r.URL.Hostname(), timeout)
		result = Result{Failure: failure, Detail: detail, Phases: e.phases}
		result.Response.RemoteAddr = e.remote
		return result, e.stale(err)
	}
	result.RetryAfter = response.Header.Get("Retry-After")
	result.Response.Status = response.StatusCode
	result.Response.Header = fieldsOf(response.Header)
	result.Response.Body, result.Response.Truncated = e.readBody(response, r.ResponseLimit)
	e.mu.Lock()
	result.Phases = e.phases
	result.Response.RemoteAddr = e.remote
	e.mu.Unlock()
	return result, false
}

// stale reports whether the attempt failed because the server had closed the kept connection before
// it read the request. The caller holds e.mu.
func (e *exchange) stale(err error) bool {
	if !e.reused || e.answered || e.ctx.Err() != nil {
		return false
	}
	if _, refused := errors.AsType[streamError](err); refused {
		return false // HTTP/2: the server answered, and said no
	}
	since := e.wrote
	if since.IsZero() {
		since = e.start
	}
	return time.Since(since) < staleWindow
}

// fieldsOf lists a response's header in the order of its names.
func fieldsOf(header http.Header) []postrider.HeaderField {
	fields := make([]postrider.HeaderField, 0, len(header))
	for name, values := range header {
		for _, value := range values {
			fields = append(fields, postrider.HeaderField{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(fields, func(a, b postrider.HeaderField) int { return cmp.Compare(a.Name, b.Name) })
	return fields
}

// readBody reads what is kept of a body. A body that ended in time leaves its connection fit for
// reuse; any other is closed with its connection.
func (e *exchange) readBody(response *http.Response, limit int) (body []byte, truncated bool) {
	defer func() { _ = response.Body.Close() }() // nothing hangs on it any more
	if response.Body == http.NoBody {
		return nil, false
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil, true // not a body, and nobody asked for another protocol
	}
	e.timer.Reset(bodyTime)
	limit = min(positive(limit, defaultResponseLimit), maxResponseLimit)
	whole := limit
	if response.ContentLength >= 0 {
		whole = int(min(response.ContentLength, int64(limit)))
	}
	body = make([]byte, 0, min(whole, 512))
	for {
		if len(body) == whole {
			return body, !atEnd(response.Body)
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, min(max(len(body), 512), whole-len(body)))
		}
		n, err := response.Body.Read(body[len(body):min(cap(body), whole)])
		body = body[:len(body)+n]
		if err != nil {
			return body, !errors.Is(err, io.EOF)
		}
	}
}

// atEnd reports whether nothing follows. Reading on is also what hands the connection back.
func atEnd(body io.Reader) bool {
	var next [1]byte
	for {
		n, err := body.Read(next[:])
		if n > 0 || err != nil {
			return n == 0 && errors.Is(err, io.EOF)
		}
	}
}

// smallBody holds a body that goes into one write with the request's head, as net/http does with
// readers that it knows. It is a copy, because the transport may still be writing it when an answer has
// come and Post has returned.
type smallBody [4 << 10]byte

// payload is a larger body, which is not copied. The transport may still be writing it when an answer has come and
// Post has returned; release takes the bytes away from it first, so that they may be used again.
type payload struct {
	mu       sync.Mutex
	reader   bytes.Reader
	released bool
}

var errReleased = errors.New("the request is over")

func (p *payload) Read(dst []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released {
		return 0, errReleased
	}
	return p.reader.Read(dst)
}

func (p *payload) Close() error { return nil }

func (p *payload) release() {
	p.mu.Lock()
	p.reader.Reset(nil)
	p.released = true
	p.mu.Unlock()
}
