package deliver

import (
	"container/heap"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// scheduler owns all lanes. Its methods run in one goroutine.
type scheduler struct {
	engine *Engine
	lanes  map[postrider.EndpointID]*lane

	ring     ring     // lanes that may have something to send, in turn
	sleeping laneHeap // lanes with a time to look again
	hungry   []*lane  // lanes that wait for their turn to load, oldest first
	loading  int      // loads under way

	senders   int   // goroutines there are
	busy      int   // requests under way
	unsettled int   // outcomes that wait for the store
	memory    int64 // size of all jobs in memory
	stopping  bool

	spare messages
	done  []*job // finished in this round, on their way to the settler
}

const (
	loadRetry    = time.Second // between a failed load and the next
	tombstone    = time.Minute // how long a deleted endpoint's lane waits for late offers
	idleLanes    = 10_000      // lanes without work that are kept for their limits' sake
	failingDepth = 8           // deliveries that a failing lane keeps in memory
	leastDepth   = 2           // deliveries that a lane may have in memory whatever the others hold
)

func newScheduler(e *Engine) *scheduler {
	return &scheduler{engine: e, lanes: make(map[postrider.EndpointID]*lane)}
}

// run goes round until the engine stops: take what was said, wake who is due, send, load, sleep.
func (s *scheduler) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		m := s.engine.inbox.take(&s.spare)
		now := time.Now()
		s.hear(&m, now)
		s.forget(&m)
		s.wake(now)
		s.dispatch(now)
		s.load()
		if s.stopping && s.busy == 0 && s.unsettled == 0 && s.loading == 0 {
			break
		}
		if len(s.sleeping) > 0 && !s.stopping {
			timer.Reset(time.Until(s.sleeping[0].wakeAt))
		} else {
			timer.Stop()
		}
		select {
		case <-s.engine.inbox.wake:
		case <-timer.C:
		}
	}
	close(s.engine.work)
	close(s.engine.loads)
	close(s.engine.settler.closed)
	close(s.engine.drained)
}

// hear acts on everything that was said to the scheduler since it last listened.
func (s *scheduler) hear(m *messages, now time.Time) {
	s.stopping = s.stopping || m.stop
	for _, endpoint := range m.changed {
		s.changed(endpoint, now)
	}
	for i := range m.loaded {
		s.loaded(&m.loaded[i], now)
	}
	for _, j := range m.finished {
		s.finished(j, now)
	}
	if len(s.done) > 0 {
		s.engine.settler.add(s.done)
		clear(s.done)
		s.done = s.done[:0]
	}
	for _, jobs := range m.settled {
		for _, j := range jobs {
			s.settled(j, now)
		}
	}
	for _, jobs := range m.offers {
		for i := range jobs {
			l := s.lane(jobs[i].Delivery.Endpoint)
			s.admit(l, &jobs[i], now)
			s.plan(l, now)
		}
	}
	for _, id := range m.woken {
		l := s.lane(id)
		l.waitUntil(now)
		s.plan(l, now)
	}
}

// forget keeps the room of the messages for the next round, but not what they point at.
func (s *scheduler) forget(m *messages) {
	clear(m.offers)
	clear(m.finished)
	clear(m.settled)
	clear(m.loaded)
	clear(m.changed)
	s.spare = *m
}

// lane gives the lane of an endpoint, a new one when it has none.
func (s *scheduler) lane(id postrider.EndpointID) *lane {
	l := s.lanes[id]
	if l == nil {
		l = &lane{id: id, known: make(map[jobKey]struct{}), wakeIndex: -1, breaker: breaker{scale: s.engine.options.TimeScale}}
		s.lanes[id] = l
	}
	return l
}

// admit takes a delivery that was just committed into memory, or leaves it in the store.
func (s *scheduler) admit(l *lane, offered *store.Job, now time.Time) {
	due := offered.Delivery.DueAt
	switch {
	case due.After(now):
		l.waitUntil(due)
	case l.target != nil && !l.runs():
		l.waitUntil(due)
	case l.overflowed || !s.room(l):
		l.waitUntil(due)
		l.overflowed = true
	default:
		s.hold(l, offered)
	}
}

// room reports whether the lane may have one more delivery in memory.
func (s *scheduler) room(l *lane) bool {
	depth := s.engine.options.LaneDepth
	if l.breaker.failing() {
		depth = failingDepth
	}
	return len(l.ready) < depth && (s.memory < s.engine.options.MaxMemory || len(l.ready) < leastDepth)
}

// hold takes a delivery into the lane's memory, once.
func (s *scheduler) hold(l *lane, from *store.Job) {
	j := &job{lane: l, delivery: from.Delivery, event: from.Event}
	if _, known := l.known[j.key()]; known {
		return
	}
	l.known[j.key()] = struct{}{}
	s.memory += j.size()
	l.ready.push(j)
}

// release lets a delivery go from memory.
func (s *scheduler) release(j *job) {
	delete(j.lane.known, j.key())
	s.memory -= j.size()
}

// shed lets go of the lane's waiting deliveries but for the first few; the store has them.
func (s *scheduler) shed(l *lane, keep int) {
	if keep == 0 && l.probe != nil {
		s.release(l.probe)
		l.waitUntil(l.probe.delivery.DueAt)
		l.probe = nil
	}
	if len(l.ready) <= keep {
		return
	}
	kept := make(jobHeap, 0, keep)
	for range keep {
		kept = append(kept, l.ready.pop()) // in order, which is a heap
	}
	for _, j := range l.ready {
		s.release(j)
		l.waitUntil(j.delivery.DueAt)
	}
	l.ready, l.overflowed = kept, true
}

// finished takes note of a request that ended. Its slot is free at once; its outcome waits for the store.
func (s *scheduler) finished(j *job, now time.Time) {
	l := j.lane
	s.busy--
	l.inFlight--
	if j.interrupted {
		s.release(j)
		l.waitUntil(j.delivery.DueAt)
		s.plan(l, now)
		return
	}
	l.window.record(&j.attempt.Outcome, j.attempt.Response.Status)
	l.breaker.record(&j.attempt.Outcome, now)
	if l.breaker.failing() {
		s.shed(l, failingDepth)
	}
	if j.settlement.Disable != "" && l.target == j.target {
		disabled := *l.target.endpoint
		disabled.State, disabled.DisabledReason, disabled.DisabledAt = postrider.EndpointDisabled, j.settlement.Disable, j.settlement.EndedAt
		s.configure(l, &disabled)
	}
	s.unsettled++
	s.done = append(s.done, j)
	s.plan(l, now)
}

// settled takes note that an outcome is durable.
func (s *scheduler) settled(j *job, now time.Time) {
	l := j.lane
	s.unsettled--
	if l.loading {
		l.settled[j.key()] = struct{}{}
	}
	if j.settlement.Disable != "" && s.engine.options.Disabled != nil {
		s.engine.running.Go(func() { s.engine.tellDisabled(l.id) })
	}
	switch {
	case j.settlement.State.Final():
		s.release(j)
	case l.breaker.failing() && l.probe == nil && l.runs():
		again := &job{lane: l, delivery: j.delivery, event: j.event}
		again.delivery.Attempts, again.delivery.DueAt = j.attempt.Number, j.settlement.DueAt
		l.probe = again
	default:
		s.release(j)
		l.waitUntil(j.settlement.DueAt)
	}
	if l.idle() && len(s.lanes) > idleLanes {
		s.remove(l)
		return
	}
	s.plan(l, now)
}

// changed takes note of an endpoint as it is now.
func (s *scheduler) changed(endpoint *postrider.Endpoint, now time.Time) {
	l := s.lanes[endpoint.ID]
	if l == nil {
		if !endpoint.Deleted() {
			return // the lane reads it when it comes to be
		}
		l = s.lane(endpoint.ID)
	}
	s.configure(l, endpoint)
	if endpoint.Deleted() {
		l.doomed = now.Add(tombstone)
		l.waitUntil(now) // to cancel what is pending
	}
	s.plan(l, now)
}

// configure makes the lane serve the endpoint as it is given.
func (s *scheduler) configure(l *lane, endpoint *postrider.Endpoint) {
	before := l.target
	l.target = newTarget(endpoint, s.engine.options.Contracts, s.engine.options.LaneInFlight, before)
	if before == nil || before.endpoint.RateLimit != endpoint.RateLimit || before.endpoint.RateBurst != endpoint.RateBurst {
		l.limiter = l.target.limiter()
	}
	if before != nil && before.endpoint.URL != endpoint.URL {
		l.breaker = breaker{scale: s.engine.options.TimeScale} // another receiver: give it a fresh start
		l.window = window{}
	}
	if !l.runs() {
		s.shed(l, 0)
	}
}

// plan puts the lane where it belongs now: among those that want to load, in the ring, or asleep.
func (s *scheduler) plan(l *lane, now time.Time) {
	if s.wantsLoad(l, now) {
		l.queued = true
		s.hungry = append(s.hungry, l)
	}
	if l.turn {
		return
	}
	if l.runs() && (len(l.ready) > 0 || l.probe != nil) {
		l.turn = true
		s.ring.push(l)
		return
	}
	s.rest(l, time.Time{}, now)
}

// wantsLoad reports whether the store should be asked for the lane's work now.
func (s *scheduler) wantsLoad(l *lane, now time.Time) bool {
	if l.loading || l.queued || s.stopping || now.Before(l.loadAfter) {
		return false
	}
	more := !l.moreAt.IsZero() && !now.Before(l.moreAt)
	switch {
	case l.target == nil:
		return more || len(l.ready) > 0
	case l.target.endpoint.Deleted():
		return more
	}
	depth := max(1, s.engine.options.LaneDepth/4) // late enough that a load brings little that is in memory already
	if l.breaker.failing() {
		depth = 1
	}
	return l.runs() && more && len(l.ready) < depth
}

// rest lets the lane sleep until at, or until the store has something due for it; a zero at is for
// ever. What is due already is waited for by somebody else: a load under way, or a request whose end
// makes room.
func (s *scheduler) rest(l *lane, at, now time.Time) {
	earlier := func(t time.Time) {
		if t.After(now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if l.target == nil || l.runs() || l.target.endpoint.Deleted() {
		if now.Before(l.loadAfter) && l.moreAt.Before(l.loadAfter) {
			earlier(l.loadAfter)
		} else {
			earlier(l.moreAt)
		}
	}
	earlier(l.doomed)
	s.sleep(l, at)
}

// sleep sets when the lane is looked at again; a zero time is never.
func (s *scheduler) sleep(l *lane, at time.Time) {
	l.wakeAt = at
	switch {
	case at.IsZero() && l.wakeIndex >= 0:
		heap.Remove(&s.sleeping, l.wakeIndex)
	case at.IsZero():
	case l.wakeIndex >= 0:
		heap.Fix(&s.sleeping, l.wakeIndex)
	default:
		heap.Push(&s.sleeping, l)
	}
}

// wake plans every lane whose time has come.
func (s *scheduler) wake(now time.Time) {
	for len(s.sleeping) > 0 && !now.Before(s.sleeping[0].wakeAt) {
		l := s.sleeping[0]
		s.sleep(l, time.Time{})
		if !l.doomed.IsZero() && !now.Before(l.doomed) {
			l.doomed = time.Time{}
			if l.idle() && l.inFlight == 0 {
				s.remove(l)
				continue
			}
		}
		s.plan(l, now)
	}
}

// remove forgets a lane that has nothing to do.
func (s *scheduler) remove(l *lane) {
	s.sleep(l, time.Time{})
	delete(s.lanes, l.id)
}

// dispatch gives lanes their turns while there are senders and the store keeps up.
func (s *scheduler) dispatch(now time.Time) {
	o := &s.engine.options
	for !s.stopping && s.busy < o.MaxSenders && s.unsettled+s.busy < o.MaxUnsettled {
		l := s.ring.pop()
		if l == nil {
			return
		}
		l.turn = false
		j, wakeAt := l.next(now)
		if j == nil {
			s.rest(l, wakeAt, now)
			continue
		}
		s.send(l, j)
		s.plan(l, now)
	}
}

func (s *scheduler) send(l *lane, j *job) {
	if s.busy == s.senders {
		s.senders++
		s.engine.running.Go(s.engine.sender)
	}
	s.busy++
	l.inFlight++
	j.target = l.target
	s.engine.work <- j // never blocks: the channel holds as many as there may be senders
}

// load asks the loaders for the work of hungry lanes, as far as memory allows.
func (s *scheduler) load() {
	for s.loading < loaderCount && !s.stopping {
		l := s.hungriest()
		if l == nil {
			return
		}
		l.queued, l.loading = false, true
		l.settled = make(map[jobKey]struct{})
		l.moreAt, l.overflowed = time.Time{}, false
		s.loading++
		s.engine.loads <- loadTask{
			endpoint: l.id, describe: l.target == nil,
			cancel: l.target != nil && l.target.endpoint.Deleted(), limit: s.loadLimit(l),
		}
	}
}

// hungriest takes the lane out of hungry that is to load next: the one that has waited longest, and
// while memory is full the first that has next to nothing in it. Nil: none may load now.
func (s *scheduler) hungriest() *lane {
	full := s.memory >= s.engine.options.MaxMemory
	for i, l := range s.hungry {
		if !full || len(l.ready) <= leastDepth {
			copy(s.hungry[1:i+1], s.hungry[:i]) // those before it keep their order; mostly there are none
			s.hungry[0] = nil
			s.hungry = s.hungry[1:]
			return l
		}
	}
	return nil
}

// loadLimit is how many deliveries to ask for: the store does not know which of them the lane has
// in memory already, so it is asked for those on top.
func (s *scheduler) loadLimit(l *lane) int {
	want := s.engine.options.LaneDepth
	switch {
	case l.breaker.failing():
		want = failingDepth
	case s.memory >= s.engine.options.MaxMemory:
		want = leastDepth
	case len(s.hungry) > 64:
		want = min(want, 32) // many lanes want to begin
	}
	return want + len(l.known)
}

// loaded takes what a loader brought into the lane.
func (s *scheduler) loaded(r *loadResult, now time.Time) {
	s.loading--
	l := s.lanes[r.task.endpoint]
	l.loading = false
	stale := l.settled
	l.settled = nil
	if r.err != nil {
		l.waitUntil(now)
		l.loadAfter = now.Add(loadRetry)
		if !s.stopping {
			s.engine.options.Logger.Error("reading a lane failed and is tried again", "endpoint", l.id.String(), "wait", loadRetry, "error", r.err)
		}
		s.plan(l, now)
		return
	}
	if r.endpoint != nil && l.target == nil {
		s.configure(l, r.endpoint)
		if r.endpoint.Deleted() {
			l.doomed = now.Add(tombstone)
		}
	}
	l.waitUntil(r.refill.Next)
	for i := range r.refill.Jobs {
		s.take(l, &r.refill.Jobs[i], stale)
	}
	if !r.refill.Next.IsZero() && !r.refill.Next.After(r.asked) {
		l.overflowed = true
	}
	s.plan(l, now)
}

// take holds a loaded delivery unless memory knows better.
func (s *scheduler) take(l *lane, loaded *store.Job, stale map[jobKey]struct{}) {
	key := jobKey{loaded.Delivery.Sequence, loaded.Delivery.ID.Number}
	if _, settled := stale[key]; settled {
		return
	}
	if l.probe != nil && l.probe.key() == key {
		l.probe.delivery.DueAt = loaded.Delivery.DueAt // somebody may have asked for it sooner
		return
	}
	if !l.runs() {
		l.waitUntil(loaded.Delivery.DueAt)
		return
	}
	s.hold(l, loaded)
}

// ring is a queue of lanes that grows as needed and keeps its room.
type ring struct {
	lanes       []*lane
	head, count int
}

func (r *ring) push(l *lane) {
	if r.count == len(r.lanes) {
		grown := make([]*lane, max(16, 2*len(r.lanes)))
		for i := range r.count {
			grown[i] = r.lanes[(r.head+i)%len(r.lanes)]
		}
		r.lanes, r.head = grown, 0
	}
	r.lanes[(r.head+r.count)%len(r.lanes)] = l
	r.count++
}

func (r *ring) pop() *lane {
	if r.count == 0 {
		return nil
	}
	l := r.lanes[r.head]
	r.lanes[r.head] = nil
	r.head = (r.head + 1) % len(r.lanes)
	r.count--
	return l
}

// laneHeap orders sleeping lanes by when they wake; it is a container/heap.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, k int) bool { return h[i].wakeAt.Before(h[k].wakeAt) }
func (h laneHeap) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].wakeIndex, h[k].wakeIndex = i, k
}

// Push is for container/heap.
func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.wakeIndex = len(*h)
	*h = append(*h, l)
}

// Pop is for container/heap.
func (h *laneHeap) Pop() any {
	s := *h
	l := s[len(s)-1]
	s[len(s)-1] = nil
	*h = s[:len(s)-1]
	l.wakeIndex = -1
	return l
}
