package deliver

import (
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// settler writes outcomes to the store, as many at once as have gathered while the write before was
// under way. The store may let them wait a few milliseconds for company: nobody waits for an outcome.
type settler struct {
	engine *Engine

	mu      sync.Mutex
	waiting []*job
	wake    chan struct{}
	closed  chan struct{} // closed by the scheduler when nothing more will come
}

// maxSettle bounds the outcomes of one transaction.
const maxSettle = 1024

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
	for {
		select {
		case <-s.wake:
		case <-s.closed:
			return
		}
		for jobs := s.take(); len(jobs) > 0; jobs = s.take() {
			s.write(jobs)
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
