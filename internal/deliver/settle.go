package deliver

import (
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// settler writes outcomes to the store, many at once: those that gathered while the write before was
// under way, and those that come within a few milliseconds of the first. Nobody waits for an outcome to be
// durable, so lingering costs nothing but a few more repeats after a crash, and saves a transaction
// and a disk flush for nearly every event under light load.
type settler struct {
	engine *Engine

	mu      sync.Mutex
	waiting []*job
	wake    chan struct{}
	closed  chan struct{} // closed by the scheduler when nothing more will come
}

const (
	maxSettle    = 1024                 // outcomes of one transaction
	enoughSettle = 256                  // outcomes that are not lingered for
	settleLinger = 4 * time.Millisecond // for more outcomes
)

// add hands over jobs whose requests have ended.
func (s *settler) add(jobs []*job) {
	s.mu.Lock()
	s.waiting = append(s.waiting, jobs...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *settler) run() {
	timer := time.NewTimer(settleLinger)
	defer timer.Stop()
	for {
		select {
		case <-s.wake:
		case <-s.closed:
			return
		}
		s.linger(timer)
		for jobs := s.take(); len(jobs) > 0; jobs = s.take() {
			s.write(jobs)
		}
	}
}

// linger lets more outcomes gather, unless there are enough or the engine stops.
func (s *settler) linger(timer *time.Timer) {
	timer.Reset(settleLinger)
	for {
		s.mu.Lock()
		enough := len(s.waiting) >= enoughSettle
		s.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-s.wake:
		case <-timer.C:
			return
		case <-s.engine.sendCtx.Done():
			return
		}
	}
}

func (s *settler) take() []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := s.waiting
	if len(jobs) <= maxSettle {
		s.waiting = nil
		return jobs
	}
	s.waiting = append([]*job(nil), jobs[maxSettle:]...)
	return jobs[:maxSettle:maxSettle]
}

// write settles jobs, again and again until the store takes them: an outcome is never dropped.
func (s *settler) write(jobs []*job) {
	batch := make([]store.Settlement, len(jobs))
	for i, j := range jobs {
		batch[i] = j.settlement
	}
	o := &s.engine.options
	for wait := firstSettleWait; ; wait = min(2*wait, lastSettleWait) {
		began := time.Now()
		err := o.Queue.Settle(s.engine.workCtx, batch)
		if err == nil {
			if o.OnSettle != nil {
				o.OnSettle(len(batch), time.Since(began))
			}
			break
		}
		if s.engine.workCtx.Err() != nil {
			o.Logger.Warn("outcomes were not settled before the stop; these deliveries go again after the next start", "outcomes", len(batch), "error", err)
			break
		}
		o.Logger.Error("settling failed and is tried again", "outcomes", len(batch), "wait", wait, "error", err)
		select {
		case <-time.After(wait):
		case <-s.engine.workCtx.Done():
		}
	}
	s.engine.inbox.post(func(m *messages) { m.settled = append(m.settled, jobs) })
}

// tellDisabled lets the rest of the house know that an endpoint was disabled.
func (e *Engine) tellDisabled(id postrider.EndpointID) {
	for wait := firstSettleWait; ; wait = min(2*wait, lastSettleWait) {
		err := e.options.Disabled(e.workCtx, id)
		if err == nil || e.workCtx.Err() != nil {
			return
		}
		e.options.Logger.Error("a disabled endpoint could not be made known and is tried again", "endpoint", id.String(), "wait", wait, "error", err)
		select {
		case <-time.After(wait):
		case <-e.workCtx.Done():
			return
		}
	}
}

const (
	firstSettleWait = 50 * time.Millisecond
	lastSettleWait  = 5 * time.Second
)
