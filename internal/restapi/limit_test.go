package restapi

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// clock is a clock that a test sets.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time        { return time.Unix(0, c.ns.Load()) }
func (c *clock) pass(by time.Duration) { c.ns.Add(int64(by)) }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 2, 18, 10, 30, 0, 0, time.UTC).UnixNano())
	return c
}

func someKey() auth.Principal {
	return auth.Principal{Role: postrider.RolePublisher, KeyID: postrider.NewKeyID(time.Now())}
}

func TestALimitLetsItsNumberGoAtOnceAndThenAtItsRate(t *testing.T) {
	clock := newClock()
	l := newLimits(-1, 60, clock.now) // one a second
	p := someKey()
	header := http.Header{}
	for i := range 60 {
		if wait := l.take(p, auth.ReadEvents, header); wait != 0 {
			t.Fatalf("request %d of 60 was refused for %s", i+1, wait)
		}
		if got, want := header.Get("X-RateLimit-Remaining"), strconv.Itoa(59-i); got != want {
			t.Fatalf("after request %d there remain %s, want %s", i+1, got, want)
		}
	}
	if wait := l.take(p, auth.ReadEvents, header); wait != time.Second {
		t.Errorf("the 61st request is to wait %s, want 1 s", wait)
	}
	full := strconv.FormatInt(clock.now().Add(time.Minute).Unix(), 10)
	if header.Get("X-RateLimit-Limit") != "60" || header.Get("X-RateLimit-Remaining") != "0" || header.Get("X-RateLimit-Reset") != full {
		t.Errorf("the headers are %v, want a reset at %s", header, full)
	}
	clock.pass(999 * time.Millisecond)
	if wait := l.take(p, auth.ReadEvents, header); wait != time.Millisecond {
		t.Errorf("1 ms before its time a request is to wait %s", wait)
	}
	clock.pass(time.Millisecond)
	if wait := l.take(p, auth.ReadEvents, header); wait != 0 {
		t.Errorf("a second later a request is to wait %s", wait)
	}
	if wait := l.take(p, auth.ReadEvents, header); wait != time.Second {
		t.Errorf("and the next one %s", wait)
	}
	clock.pass(time.Hour)
	if l.take(p, auth.ReadEvents, header); header.Get("X-RateLimit-Remaining") != "59" {
		t.Errorf("an hour later there remain %s", header.Get("X-RateLimit-Remaining"))
	}
}

func TestKeysAndUsersAndPublishingAreCountedApart(t *testing.T) {
	clock := newClock()
	l := newLimits(1, 1, clock.now)
	one, other, user := someKey(), someKey(), auth.Principal{Role: postrider.RoleAdmin, UserID: postrider.NewUserID(time.Now())}
	for _, p := range []auth.Principal{one, other, user} {
		for _, action := range []auth.Action{auth.PublishEvent, auth.ReadEvents} {
			if l.take(p, action, http.Header{}) != 0 || l.take(p, action, http.Header{}) == 0 {
				t.Errorf("%s of %s and %s: not one request went, or two did", action, p.KeyID, p.UserID)
			}
		}
	}
}

func TestNoMoreThanTheLimitGoesWhenManyAskAtOnce(t *testing.T) {
	clock := newClock()
	l := newLimits(1000, -1, clock.now)
	p := someKey()
	var went atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 500 {
				if l.take(p, auth.PublishEvent, http.Header{}) == 0 {
					went.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if went.Load() != 1000 {
		t.Errorf("%d requests of 4,000 went, with a limit of 1,000", went.Load())
	}
}

func TestALimitOfNothingTellsNothing(t *testing.T) {
	l := newLimits(-1, -1, time.Now)
	header := http.Header{}
	for range 1000 {
		if l.take(someKey(), auth.PublishEvent, header) != 0 {
			t.Fatal("a request was refused")
		}
	}
	if len(header) != 0 || len(l.known) != 0 {
		t.Errorf("headers %v, %d keys", header, len(l.known))
	}
}

func TestWhatRemainsIsRoundedDownToAThousandthOfTheLimit(t *testing.T) {
	l := newLimits(3_000_000, -1, newClock().now)
	p, header := someKey(), http.Header{}
	texts := map[string]bool{}
	for range 6001 {
		l.take(p, auth.PublishEvent, header)
		texts[header.Get("X-RateLimit-Remaining")] = true
	}
	if len(texts) != 3 || !texts["2997000"] || !texts["2994000"] || !texts["2991000"] {
		t.Errorf("told were %v", texts)
	}
}

func TestCountingCostsNoAllocation(t *testing.T) {
	l := newLimits(1_000_000_000, -1, time.Now)
	p, header := someKey(), http.Header{}
	if n := testing.AllocsPerRun(5000, func() { l.take(p, auth.PublishEvent, header) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkLimit(b *testing.B) {
	l := newLimits(1_000_000_000, -1, time.Now)
	p := someKey()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		header := http.Header{}
		for pb.Next() {
			l.take(p, auth.PublishEvent, header)
		}
	})
}
