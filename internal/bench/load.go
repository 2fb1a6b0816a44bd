package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider"
)

// load says what the load generator publishes and how.
type load struct {
	URL         string           // of the server
	Key         postrider.Secret // sent as a bearer key when set
	Topic       string
	Run         int // carried by every event
	Events      int
	Connections int
	Batch       int     // events in a request: 1 goes to /v1/events, more to /v1/events/batch
	Size        int     // bytes of an event's data
	Rate        float64 // events a second, whatever the answers do; 0: each connection waits for its answer
}

// loadResult is what became of a load.
type loadResult struct {
	Accepted int       `json:"accepted"` // events answered 202
	Rejected int       `json:"rejected"` // events answered anything else, or not at all
	Problem  string    `json:"problem,omitempty"`
	First    int64     `json:"first_ns"` // when the first event was sent, Unix nanoseconds
	Last     int64     `json:"last_ns"`  // when the last answer came
	Ack      latencies `json:"ack"`      // from an event's time to its answer, one a request
}

// maxProblems ends a load that fails again and again.
const maxProblems = 100

// loader is a load under way.
type loader struct {
	load
	target   *url.URL
	next     atomic.Int64   // the first number not given out yet, in the closed loop
	turns    chan time.Time // in the open loop: the moments at which requests are to be sent
	accepted atomic.Int64
	rejected atomic.Int64
	problems atomic.Int64
	problem  atomic.Pointer[string] // the first
	last     atomic.Int64
	ack      histogram
}

// run publishes the whole load, or as much as it can until ctx ends.
//
// In the open loop (Rate) an event's time is the moment at which it was to be sent, also when no connection
// was free then: a server that stalls is charged for everything that should have come meanwhile.
func (l load) run(ctx context.Context) (loadResult, error) {
	target, err := url.Parse(l.URL)
	if err != nil {
		return loadResult{}, err
	}
	g := &loader{load: l, target: target}
	conns := make([]*publisherConn, 0, l.Connections)
	for range l.Connections {
		conn, err := dialPublisher(ctx, target)
		if err != nil {
			for _, open := range conns {
				_ = open.Close()
			}
			return loadResult{}, err
		}
		conns = append(conns, conn)
	}
	started := time.Now()
	pacing, stopPacing := context.WithCancel(ctx)
	defer stopPacing()
	var pacer, publishers sync.WaitGroup
	if l.Rate > 0 {
		g.turns = make(chan time.Time, 1<<14)
		pacer.Go(func() { g.pace(pacing, started) })
	}
	for _, conn := range conns {
		publishers.Go(func() { g.publish(ctx, conn) })
	}
	publishers.Wait()
	stopPacing()
	pacer.Wait()
	result := loadResult{
		Accepted: int(g.accepted.Load()), Rejected: int(g.rejected.Load()),
		First: started.UnixNano(), Last: g.last.Load(), Ack: g.ack.summary(),
	}
	if problem := g.problem.Load(); problem != nil {
		result.Problem = *problem
	}
	return result, ctx.Err()
}

// pace gives out turns, one a request, evenly in time.
func (g *loader) pace(ctx context.Context, started time.Time) {
	defer close(g.turns)
	requests := (g.Events + g.Batch - 1) / g.Batch
	between := float64(g.Batch) / g.Rate * float64(time.Second)
	release := preciseSleep()
	defer release()
	for i := range requests {
		turn := started.Add(time.Duration(float64(i) * between))
		if ctx.Err() != nil {
			return
		}
		sleepUntil(turn)
		select {
		case g.turns <- turn:
		case <-ctx.Done():
			return
		}
	}
}

// publish sends requests on one connection until there are no more. A broken connection is made anew.
func (g *loader) publish(ctx context.Context, conn *publisherConn) {
	closer := func(c *publisherConn) func() bool { return context.AfterFunc(ctx, func() { _ = c.Close() }) }
	stop := closer(conn)
	defer func() { stop(); _ = conn.Close() }()
	request := newPublishRequest(g.target, g.Key, g.Topic, g.Batch, g.Size, min(g.Batch, g.Events))
	for {
		sent, more := g.turn()
		if !more || g.problems.Load() >= maxProblems || ctx.Err() != nil {
			return
		}
		first := int(g.next.Add(int64(g.Batch))) - g.Batch
		if first >= g.Events {
			return
		}
		n := min(g.Batch, g.Events-first)
		if n < len(request.at) {
			request = newPublishRequest(g.target, g.Key, g.Topic, g.Batch, g.Size, n)
		}
		request.patch(marker{run: g.Run, number: first, sent: sent})
		status, err := conn.exchange(request.bytes)
		g.count(n, sent, status, conn.body, err)
		if err == nil {
			continue
		}
		stop()
		_ = conn.Close()
		fresh, err := dialPublisher(ctx, g.target)
		if err != nil {
			g.note(err.Error())
			return
		}
		conn = fresh
		stop = closer(conn)
	}
}

// turn waits for the moment of the next request.
func (g *loader) turn() (time.Time, bool) {
	if g.turns == nil {
		return time.Now(), true
	}
	turn, more := <-g.turns
	return turn, more
}

func (g *loader) count(n int, sent time.Time, status int, body []byte, err error) {
	if err != nil {
		g.rejected.Add(int64(n))
		g.note(err.Error())
		return
	}
	now := time.Now()
	taken := 0
	if status/100 == 2 {
		taken = n - min(n, bytes.Count(body, []byte(`"error":`)))
	}
	if taken < n {
		g.note(fmt.Sprintf("%d of %d events were refused, status %d: %.300s", n-taken, n, status, body))
	}
	g.accepted.Add(int64(taken))
	g.rejected.Add(int64(n - taken))
	g.ack.add(now.Sub(sent))
	raise(&g.last, now.UnixNano())
}

func (g *loader) note(problem string) {
	g.problems.Add(1)
	g.problem.CompareAndSwap(nil, &problem)
}
