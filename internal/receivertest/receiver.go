package receivertest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options says how a Receiver judges requests. The zero value takes everything with 200.
type Options struct {
	// Name is the contract whose receiver this is; it is the path of the URL and the name in messages.
	Name string

	// Verify is nil for a request that is what it says it is. Nil: everything is.
	Verify func(header http.Header, body []byte) error

	// Accepted and Refused are the answers to good and bad requests when the script is used up.
	// A zero Status means 200 and 401.
	Accepted, Refused Answer

	// OnRequest is called after each request was recorded, in the order of the records, if it is not nil.
	OnRequest func(Request)

	// Forget keeps counts only: no Requests. For long runs.
	Forget bool

	// TLS serves https with this configuration, which holds the certificate.
	TLS *tls.Config
}

// Request is one request that came, as it came.
type Request struct {
	Number  int // from 1, over the life of the receiver
	At      time.Time
	Method  string
	URI     string // path and query
	Header  http.Header
	Body    []byte
	EventID string // what the receiver would know a repeat by; "" when there is nothing
	Fault   error  // what was wrong with it; nil when it was verified
}

// maxBody bounds a request's body, in bytes.
const maxBody = 16 << 20

// Receiver is a running server. It is safe for concurrent use.
type Receiver struct {
	options  Options
	server   *http.Server
	address  string
	closing  chan struct{}
	handlers sync.WaitGroup
	serving  sync.WaitGroup

	mu       sync.Mutex
	requests []Request
	total    int
	verified int
	counts   map[string]int // verified requests by event id
	script   []Answer
	changed  chan struct{} // closed and replaced when a request was recorded
}

// Start listens on a free port of 127.0.0.1. The caller closes the receiver.
func Start(o Options) (*Receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("no receiver on loopback: %w", err)
	}
	r := &Receiver{
		options: o,
		address: listener.Addr().String(),
		closing: make(chan struct{}),
		counts:  make(map[string]int),
		changed: make(chan struct{}),
	}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute, TLSConfig: o.TLS}
	r.serving.Go(func() {
		// Serve ends with ErrServerClosed, and only because Close was called.
		if o.TLS != nil {
			_ = r.server.ServeTLS(listener, "", "")
		} else {
			_ = r.server.Serve(listener)
		}
	})
	return r, nil
}

// Close stops the receiver, ends what hangs, and waits for all of it.
func (r *Receiver) Close() {
	r.mu.Lock()
	close(r.closing)
	r.mu.Unlock()
	_ = r.server.Close() // the listener's error helps nobody
	r.serving.Wait()
	r.handlers.Wait()
}

// URL is where the receiver listens: "http://127.0.0.1:40001/xemelgo".
func (r *Receiver) URL() string {
	scheme := "http://"
	if r.options.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.address + "/" + r.options.Name
}

// Name is the name it was started with.
func (r *Receiver) Name() string { return r.options.Name }

// Script sets the answers to the next requests, in order, whatever they hold. When it is used up the
// options' answers apply.
func (r *Receiver) Script(answers ...Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = append([]Answer(nil), answers...)
}

// Requests lists what came so far, in order. With Forget there is nothing.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.requests...)
}

// Len is the number of requests that came.
func (r *Receiver) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// Verified is the number of requests that were verified.
func (r *Receiver) Verified() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.verified
}

// Count is how often an event came and was verified.
func (r *Receiver) Count(eventID string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[eventID]
}

// Counts is Count for all events that came.
func (r *Receiver) Counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make(map[string]int, len(r.counts))
	for id, n := range r.counts {
		counts[id] = n
	}
	return counts
}

// WaitFor waits until n requests have come since the start. The error says how many did.
func (r *Receiver) WaitFor(ctx context.Context, n int) error {
	return r.wait(ctx, n, "requests", func() int { return r.total })
}

// WaitForEvents waits until n different events have come and were verified.
func (r *Receiver) WaitForEvents(ctx context.Context, n int) error {
	return r.wait(ctx, n, "verified events", func() int { return len(r.counts) })
}

func (r *Receiver) wait(ctx context.Context, n int, what string, count func() int) error {
	for {
		r.mu.Lock()
		have, changed := count(), r.changed
		r.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("receiver %q got %d of %d %s: %w", r.options.Name, have, n, what, context.Cause(ctx))
		}
	}
}

// ServeHTTP records, judges and answers one request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, incoming *http.Request) {
	if !r.enter() {
		panic(http.ErrAbortHandler)
	}
	defer r.handlers.Done()
	body, err := io.ReadAll(io.LimitReader(incoming.Body, maxBody+1))
	if err != nil {
		return // a request that did not arrive whole was not received
	}
	if len(body) > maxBody {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	request := Request{
		At: time.Now(), Method: incoming.Method, URI: incoming.RequestURI,
		Header: incoming.Header, Body: body, EventID: eventID(incoming.Header, body),
	}
	if incoming.Method != http.MethodPost {
		request.Fault = fmt.Errorf("method %s: a webhook is a POST", incoming.Method)
	} else if r.options.Verify != nil {
		request.Fault = r.options.Verify(incoming.Header, body)
	}
	r.record(request).give(w, incoming, r.closing)
}

// enter counts a handler, unless the receiver is closing and no longer waits for new ones.
func (r *Receiver) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closing:
		return false
	default:
		r.handlers.Add(1)
		return true
	}
}

// record keeps the request and chooses its answer.
func (r *Receiver) record(request Request) Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	request.Number = r.total
	if !r.options.Forget {
		r.requests = append(r.requests, request)
	}
	answer := r.options.Refused.withStatus(http.StatusUnauthorized)
	if request.Fault == nil {
		r.verified++
		if request.EventID != "" {
			r.counts[request.EventID]++
		}
		answer = r.options.Accepted.withStatus(http.StatusOK)
	}
	if len(r.script) > 0 {
		answer, r.script = r.script[0].withStatus(http.StatusOK), r.script[1:]
	}
	if r.options.OnRequest != nil {
		r.options.OnRequest(request)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return answer
}
