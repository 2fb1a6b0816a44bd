package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// Store keeps everything in maps. It is safe for concurrent use.
type Store struct {
	faults atomic.Pointer[func(call string) error]

	mu         sync.Mutex
	closed     bool
	sequence   int64
	events     []*postrider.Event // by sequence
	byID       map[postrider.EventID]*postrider.Event
	keys       map[eventKey]*accepted
	deliveries map[postrider.EventID][]*postrider.Delivery    // by number
	owed       map[postrider.EndpointID][]*postrider.Delivery // those that may be pending; tidied by pending
	attempts   map[postrider.DeliveryID][]postrider.Attempt
	endpoints  map[postrider.EndpointID]*postrider.Endpoint
	tenants    map[postrider.TenantID]postrider.Tenant
	apiKeys    map[[32]byte]postrider.Key
	users      map[postrider.UserID]postrider.User
	tokens     map[[32]byte]refreshToken
	settings   map[string][]byte
	audit      map[postrider.TenantID]map[postrider.ID]postrider.AuditEntry
}

// eventKey is an idempotency key or a given id, inside its tenant and environment.
type eventKey struct {
	tenant      postrider.TenantID
	environment postrider.Environment
	given       bool
	text        string
}

type accepted struct {
	answer      store.Accepted
	fingerprint [32]byte
}

// New makes an empty store.
func New() *Store {
	return &Store{
		byID:       make(map[postrider.EventID]*postrider.Event),
		keys:       make(map[eventKey]*accepted),
		deliveries: make(map[postrider.EventID][]*postrider.Delivery),
		owed:       make(map[postrider.EndpointID][]*postrider.Delivery),
		attempts:   make(map[postrider.DeliveryID][]postrider.Attempt),
		endpoints:  make(map[postrider.EndpointID]*postrider.Endpoint),
		tenants:    make(map[postrider.TenantID]postrider.Tenant),
		apiKeys:    make(map[[32]byte]postrider.Key),
		users:      make(map[postrider.UserID]postrider.User),
		tokens:     make(map[[32]byte]refreshToken),
		settings:   make(map[string][]byte),
		audit:      make(map[postrider.TenantID]map[postrider.ID]postrider.AuditEntry),
	}
}

var _ store.Store = (*Store)(nil)

// Ping fails after Close.
func (s *Store) Ping(ctx context.Context) error {
	unlock, err := s.lock(ctx, "")
	if err == nil {
		unlock()
	}
	return err
}

// Close makes every later call fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// lock begins a call: it fails when the store is closed or the test wants it to.
func (s *Store) lock(ctx context.Context, call string) (unlock func(), err error) {
	if err := s.fail(call); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, postrider.Errorf(postrider.CodeUnavailable, "the call was given up: %w", err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, postrider.Errorf(postrider.CodeUnavailable, "the store is closed")
	}
	return s.mu.Unlock, nil
}

func (s *Store) fail(call string) error {
	if fail := s.faults.Load(); fail != nil && call != "" {
		return (*fail)(call)
	}
	return nil
}

// FailWith lets fail decide, from now on, which calls fail. It is asked at the start of every call that
// engine and ingest make ("Accept", "Settle", "Due", "Lanes", "CancelPending", "LaneEndpoint") and
// at the end of those that write ("Accept done", …), when the call has taken effect. It may be
// called from several goroutines at once; nil ends it. It gives what decided before.
func (s *Store) FailWith(fail func(call string) error) (before func(call string) error) {
	set := &fail
	if fail == nil {
		set = nil
	}
	if old := s.faults.Swap(set); old != nil {
		return *old
	}
	return nil
}

// Accept fulfils store.Inbox.
func (s *Store) Accept(ctx context.Context, batch []*store.Acceptance) ([]store.Accepted, error) {
	unlock, err := s.lock(ctx, "Accept")
	if err != nil {
		return nil, err
	}
	if err := s.known(batch); err != nil {
		unlock()
		return nil, err
	}
	answers := make([]store.Accepted, len(batch))
	for i, a := range batch {
		answers[i] = s.accept(a)
	}
	unlock()
	if err := s.fail("Accept done"); err != nil {
		return nil, err
	}
	return answers, nil
}

// known makes sure that the batch names tenants and endpoints that are there.
func (s *Store) known(batch []*store.Acceptance) error {
	for _, a := range batch {
		if _, found := s.tenants[a.Event.Tenant]; !found {
			return notFound("tenant", a.Event.Tenant)
		}
		for _, owed := range a.Deliveries {
			if s.endpoints[owed.Endpoint] == nil {
				return notFound("webhook", owed.Endpoint)
			}
		}
	}
	return nil
}

func (s *Store) accept(a *store.Acceptance) store.Accepted {
	e := a.Event
	answer := store.Accepted{EventID: e.ID, GivenID: e.GivenID, Topic: e.Topic, Deliveries: len(a.Deliveries)}
	var keys []eventKey
	if e.GivenID != "" {
		keys = append(keys, eventKey{e.Tenant, e.Environment, true, e.GivenID})
	}
	if a.IdempotencyKey != "" {
		keys = append(keys, eventKey{e.Tenant, e.Environment, false, a.IdempotencyKey})
	}
	for _, key := range keys {
		if first := s.keys[key]; first != nil {
			answer = first.answer
			answer.Duplicate = first.fingerprint == a.Fingerprint
			answer.Conflict = !answer.Duplicate
			return answer
		}
	}
	for _, key := range keys {
		s.keys[key] = &accepted{answer, a.Fingerprint}
	}
	s.sequence++
	e.Sequence = s.sequence
	kept := *e
	kept.OccurredAt, kept.AcceptedAt = milli(e.OccurredAt), milli(e.AcceptedAt)
	s.events = append(s.events, &kept)
	s.byID[e.ID] = &kept
	for i, owed := range a.Deliveries {
		d := &postrider.Delivery{
			ID: postrider.DeliveryID{Event: e.ID, Number: i + 1}, Sequence: e.Sequence, Tenant: e.Tenant, Environment: e.Environment,
			Endpoint: owed.Endpoint, Topic: e.Topic, State: postrider.DeliveryPending, DueAt: milli(owed.DueAt), CreatedAt: kept.AcceptedAt,
		}
		s.deliveries[e.ID] = append(s.deliveries[e.ID], d)
		s.owed[d.Endpoint] = append(s.owed[d.Endpoint], d)
	}
	return answer
}

// pending gives the pending deliveries of an endpoint by (due, sequence, number).
func (s *Store) pending(endpoint postrider.EndpointID) []*postrider.Delivery {
	final := func(d *postrider.Delivery) bool { return d.State != postrider.DeliveryPending }
	found := slices.DeleteFunc(s.owed[endpoint], final)
	slices.SortFunc(found, func(a, b *postrider.Delivery) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.ID.Number, b.ID.Number))
	})
	s.owed[endpoint] = found
	return found
}

// Lanes fulfils store.Queue.
func (s *Store) Lanes(ctx context.Context) ([]store.Lane, error) {
	unlock, err := s.lock(ctx, "Lanes")
	if err != nil {
		return nil, err
	}
	defer unlock()
	earliest := make(map[postrider.EndpointID]time.Time)
	for _, deliveries := range s.deliveries {
		for _, d := range deliveries {
			if at, found := earliest[d.Endpoint]; d.State == postrider.DeliveryPending && (!found || d.DueAt.Before(at)) {
				earliest[d.Endpoint] = d.DueAt
			}
		}
	}
	var lanes []store.Lane
	for endpoint, at := range earliest {
		lanes = append(lanes, store.Lane{Endpoint: endpoint, Earliest: at})
	}
	return lanes, nil
}

// Due fulfils store.Queue.
func (s *Store) Due(ctx context.Context, endpoint postrider.EndpointID, now time.Time, limit int) (store.Refill, error) {
	unlock, err := s.lock(ctx, "Due")
	if err != nil {
		return store.Refill{}, err
	}
	defer unlock()
	var refill store.Refill
	for _, d := range s.pending(endpoint) {
		if d.DueAt.After(now) || len(refill.Jobs) == limit {
			refill.Next = d.DueAt
			break
		}
		event := *s.events[d.Sequence-1]
		refill.Jobs = append(refill.Jobs, store.Job{Delivery: *d, Event: &event})
	}
	return refill, s.fail("Due done")
}

// Settle fulfils store.Queue.
func (s *Store) Settle(ctx context.Context, batch []store.Settlement) error {
	unlock, err := s.lock(ctx, "Settle")
	if err != nil {
		return err
	}
	for i := range batch {
		s.settle(&batch[i])
	}
	unlock()
	return s.fail("Settle done")
}

func (s *Store) settle(b *store.Settlement) {
	d := s.find(b.Tenant, b.Delivery)
	if d == nil {
		return
	}
	if b.Attempt != nil {
		known := s.attempts[d.ID]
		if slices.ContainsFunc(known, func(a postrider.Attempt) bool { return a.Number == b.Attempt.Number }) {
			return
		}
		s.attempts[d.ID] = append(known, *b.Attempt)
		d.Attempts = max(d.Attempts, b.Attempt.Number)
	}
	if d.State == postrider.DeliveryPending {
		d.State, d.Reason = b.State, b.Reason
		if b.State == postrider.DeliveryPending {
			d.DueAt = milli(b.DueAt)
		} else {
			d.DueAt, d.EndedAt = time.Time{}, milli(b.EndedAt)
		}
	}
	if e := s.endpoints[b.Endpoint]; b.Disable != "" && e != nil && e.State != postrider.EndpointDisabled {
		changed := *e
		changed.State, changed.DisabledReason, changed.DisabledAt = postrider.EndpointDisabled, b.Disable, milli(b.EndedAt)
		s.endpoints[b.Endpoint] = &changed
	}
}

// CancelPending fulfils store.Queue.
func (s *Store) CancelPending(ctx context.Context, endpoint postrider.EndpointID, reason postrider.ReasonCode, now time.Time, limit int) (int, error) {
	unlock, err := s.lock(ctx, "CancelPending")
	if err != nil {
		return 0, err
	}
	pending := s.pending(endpoint)
	pending = pending[:min(limit, len(pending))]
	for _, d := range pending {
		d.State, d.Reason, d.DueAt, d.EndedAt = postrider.DeliveryCancelled, reason, time.Time{}, milli(now)
	}
	unlock()
	return len(pending), s.fail("CancelPending done")
}

// LaneEndpoint fulfils store.Queue.
func (s *Store) LaneEndpoint(ctx context.Context, id postrider.EndpointID) (*postrider.Endpoint, error) {
	unlock, err := s.lock(ctx, "LaneEndpoint")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if e := s.endpoints[id]; e != nil {
		return clone(e), nil
	}
	return nil, notFound("webhook", id)
}

// FindEvent fulfils store.Journal.
func (s *Store) FindEvent(ctx context.Context, tenant postrider.TenantID, environment postrider.Environment, publicID string) (*postrider.Event, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if id, err := postrider.ParseEventID(publicID); err == nil {
		if e := s.byID[id]; e != nil && e.Tenant == tenant {
			found := *e
			return &found, nil
		}
	}
	for _, wanted := range []postrider.Environment{postrider.Production, postrider.Sandbox} {
		for _, e := range s.events {
			byGiven := publicID != "" && e.GivenID == publicID && e.Environment == wanted && (environment == "" || environment == wanted)
			if e.Tenant == tenant && byGiven {
				found := *e
				return &found, nil
			}
		}
	}
	return nil, notFound("event", publicID)
}

// Events fulfils store.Journal.
func (s *Store) Events(ctx context.Context, tenant postrider.TenantID, f store.EventFilter) ([]*postrider.Event, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []*postrider.Event
	for _, e := range slices.Backward(s.events) {
		if len(found) == f.Limit {
			break
		}
		if e.Tenant != tenant || f.Environment != "" && e.Environment != f.Environment || f.Topic != "" && e.Topic != f.Topic ||
			!within(e.AcceptedAt, f.From, f.To) || f.Before != 0 && e.Sequence >= f.Before {
			continue
		}
		listed := *e
		if !f.WithData {
			listed.Data, listed.Previous = nil, nil
		}
		found = append(found, &listed)
	}
	return found, nil
}

// EventDeliveries fulfils store.Journal.
func (s *Store) EventDeliveries(ctx context.Context, tenant postrider.TenantID, event postrider.EventID) ([]postrider.Delivery, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if e := s.byID[event]; e == nil || e.Tenant != tenant {
		return nil, notFound("event", event)
	}
	var found []postrider.Delivery
	for _, d := range s.deliveries[event] {
		found = append(found, *d)
	}
	return found, nil
}

// FindDelivery fulfils store.Journal.
func (s *Store) FindDelivery(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID) (*postrider.Delivery, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if d := s.find(tenant, id); d != nil {
		found := *d
		return &found, nil
	}
	return nil, notFound("delivery", id)
}

func (s *Store) find(tenant postrider.TenantID, id postrider.DeliveryID) *postrider.Delivery {
	deliveries := s.deliveries[id.Event]
	if id.Number < 1 || id.Number > len(deliveries) || deliveries[id.Number-1].Tenant != tenant {
		return nil
	}
	return deliveries[id.Number-1]
}

// Deliveries fulfils store.Journal.
func (s *Store) Deliveries(ctx context.Context, tenant postrider.TenantID, f store.DeliveryFilter) ([]postrider.Delivery, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []postrider.Delivery
	for _, e := range slices.Backward(s.events) {
		for _, d := range slices.Backward(s.deliveries[e.ID]) {
			if len(found) == f.Limit {
				return found, nil
			}
			before := f.Before == 0 || d.Sequence < f.Before || d.Sequence == f.Before && d.ID.Number < f.BeforeNumber
			if d.Tenant == tenant && before && (f.Environment == "" || d.Environment == f.Environment) &&
				(f.Endpoint.IsZero() || d.Endpoint == f.Endpoint) && (f.State == "" || d.State == f.State) &&
				(f.Topic == "" || d.Topic == f.Topic) && within(e.AcceptedAt, f.From, f.To) {
				found = append(found, *d)
			}
		}
	}
	return found, nil
}

// Attempts fulfils store.Journal.
func (s *Store) Attempts(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID) ([]postrider.Attempt, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s.find(tenant, id) == nil {
		return nil, notFound("delivery", id)
	}
	attempts := slices.Clone(s.attempts[id])
	slices.SortFunc(attempts, func(a, b postrider.Attempt) int { return cmp.Compare(a.Number, b.Number) })
	return attempts, nil
}

// RetryDelivery fulfils store.Journal.
func (s *Store) RetryDelivery(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID, now time.Time) (*postrider.Delivery, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	d := s.find(tenant, id)
	if d == nil {
		return nil, notFound("delivery", id)
	}
	endpoint := s.endpoints[d.Endpoint]
	if d.State == postrider.DeliverySucceeded || endpoint == nil || endpoint.Deleted() || endpoint.State == postrider.EndpointDisabled {
		return nil, postrider.Errorf(postrider.CodeConflict, "delivery %s cannot be tried again", id)
	}
	if d.State != postrider.DeliveryPending && !slices.Contains(s.owed[d.Endpoint], d) {
		s.owed[d.Endpoint] = append(s.owed[d.Endpoint], d)
	}
	d.State, d.Reason, d.DueAt, d.EndedAt = postrider.DeliveryPending, "", milli(now), time.Time{}
	found := *d
	return &found, nil
}

// CreateTenant fulfils store.Tenants.
func (s *Store) CreateTenant(ctx context.Context, tenant *postrider.Tenant) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	for _, t := range s.tenants {
		if t.Name == tenant.Name || t.ID == tenant.ID {
			return postrider.Errorf(postrider.CodeConflict, "a tenant named %q is there already", tenant.Name)
		}
	}
	s.tenants[tenant.ID] = *tenant
	return nil
}

// FindTenant fulfils store.Tenants.
func (s *Store) FindTenant(ctx context.Context, id postrider.TenantID) (*postrider.Tenant, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if t, found := s.tenants[id]; found {
		return &t, nil
	}
	return nil, notFound("tenant", id)
}

// FindTenantByName fulfils store.Tenants.
func (s *Store) FindTenantByName(ctx context.Context, name string) (*postrider.Tenant, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, t := range s.tenants {
		if t.Name == name {
			return &t, nil
		}
	}
	return nil, notFound("tenant", name)
}

// Tenants fulfils store.Tenants.
func (s *Store) Tenants(ctx context.Context, after postrider.TenantID, limit int) ([]postrider.Tenant, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []postrider.Tenant
	for _, t := range s.tenants {
		if bytes.Compare(t.ID.ID[:], after.ID[:]) > 0 {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b postrider.Tenant) int { return bytes.Compare(a.ID.ID[:], b.ID.ID[:]) })
	return found[:min(limit, len(found))], nil
}

func within(at, from, to time.Time) bool {
	return (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to))
}

// milli is how a time is kept: in UTC, whole milliseconds.
func milli(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

func notFound(what string, id any) error {
	return postrider.Errorf(postrider.CodeNotFound, "there is no %s %v", what, id)
}
