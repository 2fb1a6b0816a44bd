package ingest

import (
	"context"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// submission is what one caller waits for: one event, or a batch.
type submission struct {
	entries []*entry
	one     [1]*entry // backs entries of a single event
	bytes   int64
	err     error         // of the whole submission; read after done
	done    chan struct{} // closed when it is committed or has failed
}

// entry is one event on its way into the store, in one allocation.
type entry struct {
	event      postrider.Event
	acceptance store.Acceptance
	owed       [1]store.Owed // backs acceptance.Deliveries of an event with one delivery
	match      *Match
	given      bool // the publisher gave OccurredAt
	answer     store.Accepted
}

func (in *Ingester) entry(p *Publication) *entry {
	e := &entry{
		event: postrider.Event{
			GivenID: p.GivenID, Tenant: p.Tenant, Environment: p.Environment, Topic: p.Topic,
			OccurredAt: p.OccurredAt.UTC().Truncate(time.Millisecond), Data: p.Data, Previous: p.Previous,
		},
		match: in.options.Index.Match(p.Tenant, p.Environment, p.Topic),
		given: !p.OccurredAt.IsZero(),
	}
	e.event.Reasons = e.match.Reasons
	e.acceptance.Event = &e.event
	if p.GivenID != "" || p.IdempotencyKey != "" {
		e.acceptance.IdempotencyKey = p.IdempotencyKey
		e.acceptance.Fingerprint = p.fingerprint()
	}
	return e
}

// accept stamps the entry with the moment of its commit.
func (e *entry) accept(now time.Time) {
	e.event.ID = postrider.NewEventID(now)
	e.event.AcceptedAt = now
	if !e.given {
		e.event.OccurredAt = now
	}
	e.acceptance.Deliveries = e.owed[:0]
	for _, s := range e.match.Subscribers {
		due := s.Contract.FirstDue(e.event.Environment, now)
		e.acceptance.Deliveries = append(e.acceptance.Deliveries, store.Owed{Endpoint: s.Endpoint.ID, DueAt: due})
	}
}

func (e *entry) result() Result {
	if e.answer.Conflict {
		return Result{Err: postrider.Errorf(postrider.CodeConflict,
			"this id or Idempotency-Key was used before for a different event; send the same body again, or use a new key")}
	}
	receipt := Receipt{
		ID: e.answer.GivenID, EventID: e.answer.EventID, Topic: e.answer.Topic,
		Deliveries: e.answer.Deliveries, Duplicate: e.answer.Duplicate,
	}
	if receipt.ID == "" {
		receipt.ID = receipt.EventID.String()
	}
	return Result{Receipt: receipt}
}

// submit queues s and waits for its commit. When ctx ends first, the commit goes on all the same.
func (in *Ingester) submit(ctx context.Context, s *submission) error {
	for _, e := range s.entries {
		s.bytes += int64(len(e.event.Data) + len(e.event.Previous))
	}
	if err := in.enqueue(s); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return postrider.Errorf(postrider.CodeUnavailable, "the caller left before the event was durable: %w", ctx.Err())
	}
}

// enqueue refuses rather than waits, so that memory stays bounded when the store cannot keep up.
func (in *Ingester) enqueue(s *submission) error {
	in.mu.RLock()
	defer in.mu.RUnlock()
	if in.closed {
		return postrider.Errorf(postrider.CodeUnavailable, "the server is stopping; try again in a moment")
	}
	if waiting := in.waitingBytes.Add(s.bytes); waiting > in.options.MaxWaitingBytes && waiting != s.bytes {
		in.waitingBytes.Add(-s.bytes)
		return errCannotKeepUp()
	}
	select {
	case in.queue <- s:
		return nil
	default:
		in.waitingBytes.Add(-s.bytes)
		return errCannotKeepUp()
	}
}

func errCannotKeepUp() error {
	return postrider.Errorf(postrider.CodeUnavailable, "the store cannot keep up with what is published; try again in a moment")
}

// commitGroups is the committer: it ends when the queue is closed and empty.
func (in *Ingester) commitGroups() {
	defer close(in.stopped)
	var group []*submission
	for first := range in.queue {
		group = in.gather(append(group[:0], first))
		in.commit(group)
		clear(group)
	}
}

// gather adds to group whatever waits, as far as one commit may hold it.
func (in *Ingester) gather(group []*submission) []*submission {
	events, bytes := len(group[0].entries), group[0].bytes
	for events < in.options.MaxGroup && bytes < int64(in.options.MaxGroupBytes) {
		select {
		case s, open := <-in.queue:
			if !open {
				return group
			}
			group = append(group, s)
			events += len(s.entries)
			bytes += s.bytes
		default:
			return group
		}
	}
	return group
}

// commit writes a group, offers its deliveries to the engine and answers its callers.
func (in *Ingester) commit(group []*submission) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	batch := make([]*store.Acceptance, 0, len(group))
	for _, s := range group {
		for _, e := range s.entries {
			e.accept(now)
			batch = append(batch, &e.acceptance)
		}
		in.waitingBytes.Add(-s.bytes)
	}
	// The commit outlives its callers: an event that was handed in is written or refused, never half.
	answers, err := in.options.Inbox.Accept(context.Background(), batch)
	if err == nil {
		in.settle(group, answers, now)
	}
	for _, s := range group {
		s.err = err
		close(s.done)
	}
}

// settle hands each entry its answer and the engine its work.
func (in *Ingester) settle(group []*submission, answers []store.Accepted, now time.Time) {
	commit := Commit{}
	jobs := make([]store.Job, 0, len(answers))
	i := 0
	for _, s := range group {
		for _, e := range s.entries {
			e.answer = answers[i]
			i++
			if e.answer.Conflict || e.answer.Duplicate {
				commit.Duplicates++
				continue
			}
			commit.Events++
			jobs = e.appendJobs(jobs)
		}
	}
	commit.Deliveries = len(jobs)
	if len(jobs) > 0 {
		in.options.Offer(jobs)
	}
	if in.options.OnCommit != nil {
		commit.Took = time.Since(now)
		in.options.OnCommit(commit)
	}
}

func (e *entry) appendJobs(jobs []store.Job) []store.Job {
	for k, owed := range e.acceptance.Deliveries {
		jobs = append(jobs, store.Job{Event: &e.event, Delivery: postrider.Delivery{
			ID:       postrider.DeliveryID{Event: e.event.ID, Number: k + 1},
			Sequence: e.event.Sequence, Tenant: e.event.Tenant, Environment: e.event.Environment,
			Endpoint: owed.Endpoint, Topic: e.event.Topic, State: postrider.DeliveryPending,
			DueAt: owed.DueAt, CreatedAt: e.event.AcceptedAt,
		}})
	}
	return jobs
}
