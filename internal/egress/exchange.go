package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/postrider/postrider"
)

// exchange is one request on its way over one transport: its time limit, and what is known of where
// it has got to. The transport calls the hooks below from its own goroutines, some of them after
// Post has returned, so an exchange is never used twice.
type exchange struct {
	start    time.Time
	deadline time.Time // for the response's head
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	trace    httptrace.ClientTrace
	small    *smallBody // of the client's pool, when the body fits in
	reader   bytes.Reader
	body     payload // when it does not

	mu        sync.Mutex
	source    []byte     // the caller's body, nil when the exchange is finished
	bodies    []*payload // further readers of it, for the transport's own repeats
	waiting   phase
	began     time.Time // of the phase that is waited for
	wrote     time.Time
	phases    postrider.Phases
	remote    string // the address that is connected to, or was tried last
	got       bool   // a connection was handed to the request
	conn      *connection
	reused    bool
	http2     bool
	answered  bool // a byte of the response came
	abandon   func() bool
	connectIn time.Duration // from the start to the connection
}

// phase says what an exchange is waiting for.
type phase int

const (
	phaseLookup phase = iota
	phaseConnect
	phaseTLS
	phaseSend
	phaseHead
)

type exchangeKey struct{}

var (
	errTimeLimit = errors.New("the time limit passed")
	errFinished  = errors.New("the exchange is finished")
)

func newExchange(parent context.Context, r *Request, deadline time.Time, secure bool) *exchange {
	now := time.Now()
	e := &exchange{start: now, began: now, deadline: deadline, source: r.Body}
	e.ctx, e.cancel = context.WithCancelCause(parent)
	e.trace = httptrace.ClientTrace{GotConn: e.gotConn, WroteRequest: e.wroteRequest, GotFirstResponseByte: e.gotFirstByte}
	if secure {
		e.trace.TLSHandshakeStart = e.tlsStart
		e.trace.TLSHandshakeDone = e.tlsDone
	}
	e.timer = time.AfterFunc(deadline.Sub(now), e.expire)
	return e
}

func (e *exchange) expire() { e.cancel(errTimeLimit) }

// finish releases what the exchange holds, the caller's bytes above all.
func (e *exchange) finish(bodies *sync.Pool) {
	e.timer.Stop()
	e.cancel(errFinished)
	e.body.release()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.source = nil
	if e.small != nil && !e.wrote.IsZero() {
		bodies.Put(e.small) // written, so nobody reads it any more; else it is left to whoever may
	}
	for _, again := range e.bodies {
		again.release()
	}
}

func (e *exchange) request(r *Request, header http.Header, bodies *sync.Pool) *http.Request {
	request := &http.Request{
		Method: http.MethodPost, URL: r.URL, Host: r.URL.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, ContentLength: int64(len(r.Body)),
	}
	switch n := len(r.Body); {
	case n > len(smallBody{}):
		e.body.reader.Reset(r.Body)
		request.Body, request.GetBody = &e.body, e.bodyAgain
	case n > 0:
		e.small = bodies.Get().(*smallBody)
		e.reader.Reset(e.small[:copy(e.small[:], r.Body)])
		request.Body, request.GetBody = io.NopCloser(&e.reader), e.bodyAgain
	}
	ctx := context.WithValue(e.ctx, exchangeKey{}, e)
	return request.WithContext(httptrace.WithClientTrace(ctx, &e.trace))
}

// bodyAgain serves net/http where it repeats a request that it knows was not handled: nothing of it
// was written, or an HTTP/2 server said so (GOAWAY, REFUSED_STREAM).
func (e *exchange) bodyAgain() (io.ReadCloser, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.source == nil {
		return nil, errReleased
	}
	again := &payload{}
	again.reader.Reset(e.source)
	e.bodies = append(e.bodies, again)
	return again, nil
}

// whenGivenUp runs stop when the exchange ends without having finished. The result undoes that.
func (e *exchange) whenGivenUp(stop func()) func() bool {
	return context.AfterFunc(e.ctx, func() {
		if !errors.Is(context.Cause(e.ctx), errFinished) {
			stop()
		}
	})
}

// traceLookup adds the hooks that only a new connection needs.
func (e *exchange) traceLookup(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.got {
				return
			}
			e.phases.DNS = time.Since(e.began)
			if info.Err == nil {
				e.began = time.Now()
				e.waiting = phaseConnect
			}
		},
	})
}

// connecting notes the address that is tried next.
func (e *exchange) connecting(address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.got {
		e.remote = address
		e.waiting = phaseConnect
	}
}

// connected notes a new connection. Until the request has it, giving up closes it: a TLS handshake or
// a proxy's answer would otherwise be waited for in the background.
func (e *exchange) connected(conn *connection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.got {
		return // another connection came free first; this one goes to the pool
	}
	now := time.Now()
	e.phases.Connect = now.Sub(e.began)
	e.began = now
	e.connectIn = now.Sub(e.start)
	e.remote = conn.remote
	e.waiting = phaseSend
	e.abandon = e.whenGivenUp(func() { _ = conn.Close() })
}

func (e *exchange) tlsStart() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.got {
		e.waiting = phaseTLS
		e.began = time.Now()
	}
}

func (e *exchange) tlsDone(_ tls.ConnectionState, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.got && err == nil {
		e.phases.TLS = time.Since(e.began)
		e.waiting = phaseSend
	}
}

func (e *exchange) gotConn(info httptrace.GotConnInfo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.abandon != nil {
		e.abandon()
		e.abandon = nil
	}
	e.got = true
	e.reused = info.Reused
	if e.conn = underneath(info.Conn); e.conn != nil {
		e.remote = e.conn.remote
	}
	e.waiting = phaseSend
	if secure, ok := info.Conn.(*tls.Conn); ok {
		e.http2 = secure.ConnectionState().NegotiatedProtocol == "h2"
	}
	if info.Reused {
		e.phases = postrider.Phases{} // of a connection that was begun for this request and not needed
	}
}

func (e *exchange) wroteRequest(httptrace.WroteRequestInfo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wrote = time.Now()
	if !e.answered {
		e.waiting = phaseHead
	}
}

func (e *exchange) gotFirstByte() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answered = true
	e.waiting = phaseHead
	if !e.wrote.IsZero() {
		e.phases.FirstByte = time.Since(e.wrote)
	}
}
