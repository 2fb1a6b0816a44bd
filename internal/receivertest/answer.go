package receivertest

import (
	"net"
	"net/http"
	"time"
)

// Answer is what a receiver does with a request.
type Answer struct {
	Status int // 0: 200
	Header map[string]string
	Body   string
	Delay  time.Duration // before anything is answered
	Manner Manner
}

// Manner is how an answer is given.
type Manner int

// The manners.
const (
	Proper  Manner = iota // status, header and body
	Silent                // no answer until the sender gives up or the receiver closes
	Hangup                // the connection is closed without an answer
	Reset                 // the connection is reset (RST) without an answer
	Endless               // status and header, and a body that never ends
)

// Status answers with a status and no body.
func Status(code int) Answer { return Answer{Status: code} }

// Delayed answers with a status after a while.
func Delayed(code int, after time.Duration) Answer { return Answer{Status: code, Delay: after} }

// Redirect answers 307, which asks for the same POST at another URL.
func Redirect(to string) Answer {
	return Answer{Status: http.StatusTemporaryRedirect, Header: map[string]string{"Location": to}}
}

// RetryAfter answers with a status and the header Retry-After.
func RetryAfter(code int, value string) Answer {
	return Answer{Status: code, Header: map[string]string{"Retry-After": value}}
}

// Hang never answers.
func Hang() Answer { return Answer{Manner: Silent} }

// Drop closes the connection without an answer.
func Drop() Answer { return Answer{Manner: Hangup} }

// Repeat is an answer n times.
func Repeat(n int, a Answer) []Answer {
	answers := make([]Answer, n)
	for i := range answers {
		answers[i] = a
	}
	return answers
}

func (a Answer) withStatus(otherwise int) Answer {
	if a.Status == 0 {
		a.Status = otherwise
	}
	return a
}

// give answers. closing ends whatever would go on for ever.
func (a Answer) give(w http.ResponseWriter, r *http.Request, closing <-chan struct{}) {
	if a.Delay > 0 {
		timer := time.NewTimer(a.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-closing:
		case <-r.Context().Done():
		}
	}
	switch a.Manner {
	case Silent:
		select {
		case <-closing:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case Hangup:
		panic(http.ErrAbortHandler)
	case Reset:
		reset(w)
		return
	}
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.Status)
	if _, err := w.Write([]byte(a.Body)); err != nil || a.Manner != Endless {
		return
	}
	chunk := make([]byte, 32<<10)
	for r.Context().Err() == nil {
		select {
		case <-closing:
			panic(http.ErrAbortHandler)
		default:
		}
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // Close then sends RST
	}
	_ = conn.Close()
}
