package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

func modelTests() []test {
	var tests []test
	for seed := range uint64(6) {
		tests = append(tests, test{fmt.Sprintf("random calls, seed %d", seed), func(b *bench) { runModel(b, seed, 120) }})
	}
	return tests
}

// model is a store of maps and slices, and the calls made so far.
type model struct {
	*bench
	rand      *rand.Rand
	now       time.Time
	endpoints []*postrider.Endpoint
	events    []*modelEvent
	keys      map[string]*modelEvent
	settled   []store.Settlement // to be repeated
}

type modelEvent struct {
	event       *postrider.Event
	fingerprint [32]byte
	deliveries  []*postrider.Delivery
	attempts    map[int][]postrider.Attempt
}

func runModel(b *bench, seed uint64, steps int) {
	m := &model{bench: b, rand: rand.New(rand.NewPCG(seed, 1)), now: start, keys: make(map[string]*modelEvent)}
	for i := range 6 {
		m.endpoints = append(m.endpoints, b.endpoint([]postrider.TenantID{b.acme, b.other}[i%2]))
	}
	for step := range steps {
		m.now = m.now.Add(time.Duration(m.rand.IntN(3000)) * time.Millisecond)
		switch m.rand.IntN(10) {
		case 0, 1, 2, 3:
			m.accept()
		case 4, 5, 6:
			m.settle()
		case 7:
			m.cancel()
		case 8:
			m.retry()
		case 9:
			m.deleteOrDisable()
		}
		if m.compare(step%20 == 19 || step == steps-1); b.Failed() {
			b.Fatalf("the store differs from its model at step %d of seed %d", step, seed)
		}
	}
}

func pick[T any](m *model, all []T) T { return all[m.rand.IntN(len(all))] }

func (m *model) accept() {
	batch := make([]*store.Acceptance, 1+m.rand.IntN(8))
	for i := range batch {
		tenant := pick(m, []postrider.TenantID{m.acme, m.other})
		e := m.event(tenant, func(e *postrider.Event) {
			e.AcceptedAt, e.Topic = m.now, pick(m, []postrider.Topic{"a", "b", "c.d"})
			e.Environment = pick(m, []postrider.Environment{postrider.Production, postrider.Sandbox})
		})
		a := &store.Acceptance{Event: e, Fingerprint: [32]byte{byte(m.rand.IntN(2))}}
		if m.rand.IntN(2) == 0 {
			e.GivenID = fmt.Sprint("id-", m.rand.IntN(30))
		}
		if m.rand.IntN(3) == 0 {
			a.IdempotencyKey = fmt.Sprint("id-", m.rand.IntN(30))
		}
		for _, endpoint := range m.endpoints {
			if endpoint.Tenant == tenant && m.rand.IntN(2) == 0 {
				a.Deliveries = append(a.Deliveries, store.Owed{Endpoint: endpoint.ID, DueAt: m.now.Add(time.Duration(m.rand.IntN(5)) * time.Second)})
			}
		}
		batch[i] = a
	}
	answers, err := m.Accept(m.ctx, batch)
	m.must(err)
	for i, a := range batch {
		m.equal("answer", answers[i], m.accepted(a))
	}
}

// accepted is what accepting a answers, and does it.
func (m *model) accepted(a *store.Acceptance) store.Accepted {
	e := a.Event
	var keys []string
	if e.GivenID != "" {
		keys = append(keys, fmt.Sprint("given", e.Tenant, e.Environment, e.GivenID))
	}
	if a.IdempotencyKey != "" {
		keys = append(keys, fmt.Sprint("key", e.Tenant, e.Environment, a.IdempotencyKey))
	}
	for _, key := range keys {
		if first := m.keys[key]; first != nil {
			same := first.fingerprint == a.Fingerprint
			return store.Accepted{EventID: first.event.ID, GivenID: first.event.GivenID, Topic: first.event.Topic,
				Deliveries: len(first.deliveries), Duplicate: same, Conflict: !same}
		}
	}
	made := &modelEvent{event: e, fingerprint: a.Fingerprint, attempts: make(map[int][]postrider.Attempt)}
	for i, owed := range a.Deliveries {
		made.deliveries = append(made.deliveries, &postrider.Delivery{ID: deliveryID(e, i+1), Sequence: e.Sequence, Tenant: e.Tenant,
			Environment: e.Environment, Endpoint: owed.Endpoint, Topic: e.Topic, State: postrider.DeliveryPending, DueAt: owed.DueAt, CreatedAt: e.AcceptedAt})
	}
	for _, key := range keys {
		m.keys[key] = made
	}
	m.events = append(m.events, made)
	return store.Accepted{EventID: e.ID, GivenID: e.GivenID, Topic: e.Topic, Deliveries: len(a.Deliveries)}
}

func (m *model) settle() {
	var batch []store.Settlement
	for range 1 + m.rand.IntN(8) {
		if len(m.settled) > 0 && m.rand.IntN(5) == 0 {
			batch = append(batch, pick(m, m.settled))
			continue
		}
		e, d := m.anyDelivery()
		if d == nil {
			continue
		}
		s := settlement(e.event, d.ID.Number, d.Attempts+1, d.Endpoint)
		for _, earlier := range batch {
			if earlier.Delivery == d.ID && earlier.Attempt.Number >= s.Attempt.Number {
				s.Attempt.Number = earlier.Attempt.Number + 1
			}
		}
		switch m.rand.IntN(4) {
		case 0, 1:
			s = retrying(s, m.now.Add(time.Duration(m.rand.IntN(9))*time.Second))
		case 2:
			s = failing(s)
		}
		batch = append(batch, s)
	}
	m.Helper()
	m.must(m.Settle(m.ctx, batch))
	for _, s := range batch {
		m.applySettlement(s)
	}
	m.settled = append(m.settled, batch...)
}

func (m *model) applySettlement(s store.Settlement) {
	for _, e := range m.events {
		if e.event.ID != s.Delivery.Event {
			continue
		}
		number := s.Delivery.Number
		d := e.deliveries[number-1]
		if slices.ContainsFunc(e.attempts[number], func(a postrider.Attempt) bool { return a.Number == s.Attempt.Number }) {
			return
		}
		e.attempts[number] = append(e.attempts[number], *s.Attempt)
		d.Attempts = max(d.Attempts, s.Attempt.Number)
		if d.State == postrider.DeliveryPending {
			d.State, d.Reason, d.DueAt, d.EndedAt = s.State, s.Reason, s.DueAt, s.EndedAt
		}
	}
}

func (m *model) anyDelivery() (*modelEvent, *postrider.Delivery) {
	if len(m.events) == 0 {
		return nil, nil
	}
	e := pick(m, m.events)
	if len(e.deliveries) == 0 {
		return nil, nil
	}
	return e, pick(m, e.deliveries)
}

// pending gives the endpoint's pending deliveries in the order in which they go.
func (m *model) pending(endpoint postrider.EndpointID) []*postrider.Delivery {
	var all []*postrider.Delivery
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if d.Endpoint == endpoint && d.State == postrider.DeliveryPending {
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(x, y *postrider.Delivery) int {
		return cmp.Or(x.DueAt.Compare(y.DueAt), cmp.Compare(x.Sequence, y.Sequence), cmp.Compare(x.ID.Number, y.ID.Number))
	})
	return all
}

func (m *model) cancel() {
	endpoint := pick(m, m.endpoints).ID
	n, err := m.CancelPending(m.ctx, endpoint, postrider.ReasonEndpointDeleted, m.now, 1000)
	m.must(err)
	pending := m.pending(endpoint)
	m.equal("cancelled", n, len(pending))
	for _, d := range pending {
		d.State, d.Reason, d.DueAt, d.EndedAt = postrider.DeliveryCancelled, postrider.ReasonEndpointDeleted, time.Time{}, m.now
	}
}

func (m *model) retry() {
	e, d := m.anyDelivery()
	if d == nil {
		return
	}
	_, err := m.RetryDelivery(m.ctx, e.event.Tenant, d.ID, m.now)
	i := slices.IndexFunc(m.endpoints, func(endpoint *postrider.Endpoint) bool { return endpoint.ID == d.Endpoint })
	if d.State == postrider.DeliverySucceeded || i < 0 || m.endpoints[i].State == postrider.EndpointDisabled {
		m.wantCode(err, postrider.CodeConflict)
		return
	}
	m.must(err)
	d.State, d.Reason, d.DueAt, d.EndedAt = postrider.DeliveryPending, "", m.now, time.Time{}
}

func (m *model) deleteOrDisable() {
	i := m.rand.IntN(len(m.endpoints))
	endpoint := m.endpoints[i]
	if m.rand.IntN(4) == 0 && len(m.endpoints) > 3 {
		_, err := m.DeleteEndpoint(m.ctx, endpoint.Tenant, endpoint.ID, m.now)
		m.must(err)
		m.endpoints = slices.Delete(m.endpoints, i, i+1)
		return
	}
	state := pick(m, []postrider.EndpointState{postrider.EndpointEnabled, postrider.EndpointDisabled, postrider.EndpointPaused})
	got, err := m.UpdateEndpoint(m.ctx, endpoint.Tenant, endpoint.ID, store.EndpointPatch{State: &state}, m.now)
	m.must(err)
	m.endpoints[i] = got
}

// compare compares the lanes and one endpoint's due deliveries, or everything.
func (m *model) compare(everything bool) {
	m.compareDue()
	tenant := pick(m, []postrider.TenantID{m.acme, m.other})
	m.compareLists(tenant)
	if !everything {
		return
	}
	for _, e := range m.events {
		got, err := m.EventDeliveries(m.ctx, e.event.Tenant, e.event.ID)
		m.must(err)
		var want []postrider.Delivery
		for _, d := range e.deliveries {
			want = append(want, *d)
			attempts := slices.SortedFunc(slices.Values(e.attempts[d.ID.Number]), func(x, y postrider.Attempt) int { return cmp.Compare(x.Number, y.Number) })
			m.equal("attempts", m.attempts(e.event, d.ID.Number), attempts)
		}
		m.equal("deliveries", got, want)
		found, err := m.FindEvent(m.ctx, e.event.Tenant, e.event.Environment, e.event.PublicID())
		m.must(err)
		m.equal("event", found, e.event)
	}
}

func (m *model) compareDue() {
	lanes := make(map[postrider.EndpointID]time.Time)
	for _, lane := range m.lanes() {
		lanes[lane.Endpoint] = lane.Earliest
	}
	want := make(map[postrider.EndpointID]time.Time)
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if earliest, found := want[d.Endpoint]; d.State == postrider.DeliveryPending && (!found || d.DueAt.Before(earliest)) {
				want[d.Endpoint] = d.DueAt
			}
		}
	}
	m.equal("lanes", lanes, want)

	endpoint := pick(m, m.endpoints)
	limit := 1 + m.rand.IntN(10)
	refill := m.due(endpoint, m.now, limit)
	pending := m.pending(endpoint.ID)
	n := 0
	for n < len(pending) && n < limit && !pending[n].DueAt.After(m.now) {
		n++
	}
	var next time.Time
	if n < len(pending) {
		next = pending[n].DueAt
	}
	m.equal("next", refill.Next, next)
	if len(refill.Jobs) != n {
		m.Errorf("%d jobs, want %d", len(refill.Jobs), n)
		return
	}
	for i, job := range refill.Jobs {
		m.equal("job's delivery", job.Delivery, *pending[i])
		if job.Event.ID != pending[i].ID.Event || job.Event.Sequence != pending[i].Sequence {
			m.Errorf("job's event %s, want %s", job.Event.ID, pending[i].ID.Event)
		}
	}
}

// compareLists compares a page of events and one of deliveries under random filters.
func (m *model) compareLists(tenant postrider.TenantID) {
	f := store.DeliveryFilter{Limit: 1 + m.rand.IntN(20)}
	maybe := func(set func()) {
		if m.rand.IntN(3) == 0 {
			set()
		}
	}
	maybe(func() { f.Environment = pick(m, []postrider.Environment{postrider.Production, postrider.Sandbox}) })
	maybe(func() { f.Topic = pick(m, []postrider.Topic{"a", "b", "c.d"}) })
	maybe(func() { f.From = start.Add(m.now.Sub(start) / 3) })
	maybe(func() { f.To = start.Add(m.now.Sub(start) / 2) })
	maybe(func() { f.Before = 1 + m.rand.Int64N(200) })
	maybe(func() { f.Endpoint = pick(m, m.endpoints).ID })
	maybe(func() {
		f.State = pick(m, []postrider.DeliveryState{postrider.DeliveryPending, postrider.DeliverySucceeded, postrider.DeliveryFailed, postrider.DeliveryCancelled})
	})
	if f.Before != 0 {
		f.BeforeNumber = m.rand.IntN(4)
	}
	var events []postrider.EventID
	var deliveries []postrider.Delivery
	for _, made := range slices.Backward(m.events) {
		e := made.event
		if e.Tenant != tenant || f.Environment != "" && f.Environment != e.Environment || f.Topic != "" && f.Topic != e.Topic ||
			!f.From.IsZero() && e.AcceptedAt.Before(f.From) || !f.To.IsZero() && !e.AcceptedAt.Before(f.To) {
			continue
		}
		if len(events) < f.Limit && (f.Before == 0 || e.Sequence < f.Before) {
			events = append(events, e.ID)
		}
		for _, d := range slices.Backward(made.deliveries) {
			if (!f.Endpoint.IsZero() && d.Endpoint != f.Endpoint) || (f.State != "" && d.State != f.State) || len(deliveries) == f.Limit ||
				f.Before != 0 && (d.Sequence > f.Before || d.Sequence == f.Before && d.ID.Number >= f.BeforeNumber) {
				continue
			}
			deliveries = append(deliveries, *d)
		}
	}
	name := fmt.Sprintf("filter %+v", f)
	got := m.bench.events(tenant, store.EventFilter{Environment: f.Environment, Topic: f.Topic, From: f.From, To: f.To, Before: f.Before, Limit: f.Limit})
	m.equal("events, "+name, eventIDs(got), append([]postrider.EventID{}, events...))
	m.equal("deliveries, "+name, m.deliveries(tenant, f), deliveries)
}
