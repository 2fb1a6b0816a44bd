package egress

import (
	"context"
	"errors"
	"io"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Whoever still holds a body when the exchange is finished gets nothing of the caller's bytes.
func TestFinishedExchangeGivesNoBytesAway(t *testing.T) {
	bodies := sync.Pool{New: func() any { return new(smallBody) }}
	for _, size := range []int{1, len(smallBody{}), len(smallBody{}) + 1, 100 << 10} {
		body := make([]byte, size)
		e := newExchange(context.Background(), &Request{URL: &url.URL{Scheme: "http", Host: "a.example"}, Body: body}, time.Now().Add(time.Minute), false)
		request := e.request(&Request{URL: &url.URL{Scheme: "http", Host: "a.example"}, Body: body}, nil, &bodies)
		again, err := request.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := again.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("%d bytes: before the end: %d, %v", size, n, err)
		}
		e.finish(&bodies)
		for i := range body {
			body[i] = 'x'
		}
		if n, err := again.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errReleased) {
			t.Errorf("%d bytes: the second reader gave %d, %v", size, n, err)
		}
		if _, err := request.GetBody(); !errors.Is(err, errReleased) {
			t.Errorf("%d bytes: another reader was given: %v", size, err)
		}
		text, err := io.ReadAll(request.Body)
		if size <= len(smallBody{}) {
			if len(text) != size || text[0] == 'x' {
				t.Errorf("%d bytes: the copy is not one", size)
			}
		} else if len(text) != 0 || !errors.Is(err, errReleased) {
			t.Errorf("%d bytes: the reader gave %d, %v", size, len(text), err)
		}
	}
}
