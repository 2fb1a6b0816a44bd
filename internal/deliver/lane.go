package deliver

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// lane is the queue of one endpoint. Only the scheduler touches it, but for the target, which is
// immutable and shared with the senders.
type lane struct {
	id     postrider.EndpointID
	target *target // nil until the endpoint was loaded

	ready    jobHeap             // in memory, by (due, sequence, number)
	known    map[jobKey]struct{} // all in memory: ready, under way, unsettled
	inFlight int                 // requests under way
	probe    *job                // the failing lane's oldest delivery, kept in memory to be tried first

	// What the store holds and memory does not.
	moreAt     time.Time           // the earliest due time of such a delivery; zero: there is none
	overflowed bool                // deliveries were left in the store for want of room: new ones queue behind them there
	loading    bool                // a load is under way
	queued     bool                // it waits for its turn to load
	settled    map[jobKey]struct{} // settled while loading: what the load brings of these is stale
	loadAfter  time.Time           // a load failed; the next one waits until then

	window  window
	breaker breaker
	limiter *rate.Limiter // nil: no rate limit

	turn      bool // it stands in the ring of runnable lanes
	wakeAt    time.Time
	wakeIndex int       // in the scheduler's heap of sleeping lanes; -1: not there
	doomed    time.Time // when the tombstone of a deleted endpoint may go; zero: not deleted
}

// jobKey tells deliveries apart inside a lane, smaller than a DeliveryID.
type jobKey struct {
	sequence int64
	number   int
}

// job is a delivery in memory, and what became of its attempt.
type job struct {
	lane     *lane
	delivery postrider.Delivery
	event    *postrider.Event

	// Filled by the sender.
	target      *target
	attempt     postrider.Attempt
	settlement  store.Settlement
	interrupted bool // the engine cut the request off; there is no outcome
}

func (j *job) key() jobKey { return jobKey{j.delivery.Sequence, j.delivery.ID.Number} }

// size is what the job costs in memory, in bytes, counted as if it shared its event with nobody.
func (j *job) size() int64 { return int64(len(j.event.Data)+len(j.event.Previous)) + jobOverhead }

// jobOverhead is the size of a job, its event and their bookkeeping, in bytes, roughly.
const jobOverhead = 1500

// waitUntil notes that the store holds a delivery that is due at the given time.
func (l *lane) waitUntil(due time.Time) {
	if !due.IsZero() && (l.moreAt.IsZero() || due.Before(l.moreAt)) {
		l.moreAt = due
	}
}

// runs reports whether the endpoint's state lets deliveries go.
func (l *lane) runs() bool {
	return l.target != nil && l.target.endpoint.State == postrider.EndpointEnabled && !l.target.endpoint.Deleted()
}

// next gives the delivery to send now, or when to look again: zero when only a message can change that.
func (l *lane) next(now time.Time) (*job, time.Time) {
	if !l.runs() || l.inFlight >= l.window.size(l.target.maxInFlight) {
		return nil, time.Time{}
	}
	if l.breaker.failing() && l.inFlight > 0 {
		return nil, time.Time{} // one probe at a time; its end wakes the lane
	}
	first := l.first(now)
	if first == nil {
		return nil, l.earliest()
	}
	if wait := l.breaker.until(); now.Before(wait) {
		return nil, wait
	}
	if l.limiter != nil {
		if turn := l.limiter.ReserveN(now, 1); turn.DelayFrom(now) > 0 {
			wait := now.Add(turn.DelayFrom(now))
			turn.CancelAt(now)
			return nil, wait
		}
	}
	l.remove(first)
	return first, time.Time{}
}

// first is the delivery whose turn it is, if it is due: on a failing lane the probe before all others.
func (l *lane) first(now time.Time) *job {
	if l.probe != nil && !now.Before(l.probe.delivery.DueAt) {
		return l.probe
	}
	if len(l.ready) > 0 && !now.Before(l.ready[0].delivery.DueAt) {
		return l.ready[0]
	}
	return nil
}

// earliest is when the first delivery in memory is due; zero when there is none.
func (l *lane) earliest() time.Time {
	var at time.Time
	if len(l.ready) > 0 {
		at = l.ready[0].delivery.DueAt
	}
	if l.probe != nil && (at.IsZero() || l.probe.delivery.DueAt.Before(at)) {
		at = l.probe.delivery.DueAt
	}
	return at
}

func (l *lane) remove(j *job) {
	if j == l.probe {
		l.probe = nil
	} else {
		l.ready.pop()
	}
}

// idle reports whether nothing at all is owed to the endpoint, as far as is known.
func (l *lane) idle() bool {
	return len(l.known) == 0 && l.moreAt.IsZero() && !l.loading && !l.queued && l.doomed.IsZero()
}

// jobHeap is a binary heap by (due, sequence, number). Jobs that arrive in order cost one comparison.
type jobHeap []*job

func (h jobHeap) before(i, k int) bool {
	a, b := &h[i].delivery, &h[k].delivery
	if c := a.DueAt.Compare(b.DueAt); c != 0 {
		return c < 0
	}
	if a.Sequence != b.Sequence {
		return a.Sequence < b.Sequence
	}
	return a.ID.Number < b.ID.Number
}

func (h *jobHeap) push(j *job) {
	*h = append(*h, j)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.before(i, parent) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *jobHeap) pop() *job {
	s := *h
	top, last := s[0], len(s)-1
	s[0], s[last] = s[last], nil
	s = s[:last]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return top
		}
		if right := child + 1; right < last && s.before(right, child) {
			child = right
		}
		if !s.before(child, i) {
			return top
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
