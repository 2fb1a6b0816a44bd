package bench

import (
	"sync/atomic"
	"time"
)

// maxDeliveries bounds the deliveries of one run, which the tally keeps a bit each for.
const maxDeliveries = 200_000_000

// tally counts the deliveries of one run: which events arrived at which endpoint, how often, how
// late. It is safe for concurrent use.
type tally struct {
	run       int
	events    int
	endpoints int
	seen      []atomic.Uint64 // a bit for each event of each endpoint

	deliveries atomic.Int64
	distinct   atomic.Int64
	stray      atomic.Int64
	unverified atomic.Int64
	first      atomic.Int64 // Unix nanoseconds
	last       atomic.Int64
	latency    histogram
}

// tallyState is a tally at one moment.
type tallyState struct {
	Run        int       `json:"run"`
	Deliveries int64     `json:"deliveries"` // requests of this run, repeated ones too
	Distinct   int64     `json:"distinct"`   // different (event, endpoint) pairs among them
	Duplicates int64     `json:"duplicates"`
	Stray      int64     `json:"stray"`      // requests that belong to no event of this run
	Unverified int64     `json:"unverified"` // requests whose signature is wrong
	First      int64     `json:"first_ns"`   // when the first delivery came, Unix nanoseconds; 0 before
	Last       int64     `json:"last_ns"`    // when the last distinct delivery came
	Latency    latencies `json:"latency"`    // from the event's send timestamp, distinct deliveries only
}

func newTally(run, events, endpoints int) *tally {
	return &tally{run: run, events: events, endpoints: endpoints, seen: make([]atomic.Uint64, (events*endpoints+63)/64)}
}

// add counts a delivery of m to the endpoint that arrived at now.
func (t *tally) add(endpoint int, m marker, now time.Time) {
	if m.run != t.run || m.number < 0 || m.number >= t.events || endpoint < 0 || endpoint >= t.endpoints {
		t.stray.Add(1)
		return
	}
	t.deliveries.Add(1)
	position := endpoint*t.events + m.number
	bit := uint64(1) << (position % 64)
	if t.seen[position/64].Or(bit)&bit != 0 {
		return
	}
	t.distinct.Add(1)
	at := now.UnixNano()
	t.first.CompareAndSwap(0, at)
	raise(&t.last, at)
	t.latency.add(now.Sub(m.sent))
}

func (t *tally) state() tallyState {
	s := tallyState{
		Run: t.run, Deliveries: t.deliveries.Load(), Distinct: t.distinct.Load(), Stray: t.stray.Load(),
		Unverified: t.unverified.Load(), First: t.first.Load(), Last: t.last.Load(), Latency: t.latency.summary(),
	}
	s.Duplicates = s.Deliveries - s.Distinct
	return s
}

func raise(to *atomic.Int64, v int64) {
	for seen := to.Load(); v > seen; seen = to.Load() {
		if to.CompareAndSwap(seen, v) {
			return
		}
	}
}
