package memory

import (
	"context"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// maxReplay bounds the events of one step.
const maxReplay = 1000

// ReplayEvent fulfils store.Replays.
func (s *Store) ReplayEvent(ctx context.Context, tenant postrider.TenantID, event postrider.EventID, owed []store.Owed, now time.Time) ([]postrider.Delivery, error) {
	unlock, err := s.lock(ctx, "ReplayEvent")
	if err != nil {
		return nil, err
	}
	defer unlock()
	e := s.byID[event]
	if e == nil || e.Tenant != tenant {
		return nil, notFound("event", event)
	}
	for _, o := range owed {
		if err := s.canOwe(tenant, o.Endpoint); err != nil {
			return nil, err
		}
	}
	var made []postrider.Delivery
	for _, o := range owed {
		made = append(made, *s.oweAgain(e, o.Endpoint, o.DueAt, now))
	}
	return made, s.fail("ReplayEvent done")
}

// canOwe reports whether events can be owed to an endpoint of the tenant's.
func (s *Store) canOwe(tenant postrider.TenantID, id postrider.EndpointID) error {
	e := s.registered(tenant, id)
	if e == nil {
		return notFound("webhook", id)
	}
	if e.State == postrider.EndpointDisabled {
		return postrider.Errorf(postrider.CodeConflict, "webhook %s is disabled; enable it first", id)
	}
	return nil
}

func (s *Store) oweAgain(e *postrider.Event, endpoint postrider.EndpointID, due, now time.Time) *postrider.Delivery {
	d := &postrider.Delivery{
		ID: postrider.DeliveryID{Event: e.ID, Number: len(s.deliveries[e.ID]) + 1}, Sequence: e.Sequence, Tenant: e.Tenant, Environment: e.Environment,
		Endpoint: endpoint, Topic: e.Topic, State: postrider.DeliveryPending, DueAt: milli(due), CreatedAt: milli(now),
	}
	s.deliveries[e.ID] = append(s.deliveries[e.ID], d)
	s.owed[endpoint] = append(s.owed[endpoint], d)
	return d
}

// ReplayMatches fulfils store.Replays.
func (s *Store) ReplayMatches(ctx context.Context, tenant postrider.TenantID, endpoint postrider.EndpointID, f store.ReplayFilter) (store.ReplayMatches, error) {
	unlock, err := s.lock(ctx, "ReplayMatches")
	if err != nil {
		return store.ReplayMatches{}, err
	}
	defer unlock()
	var matches store.ReplayMatches
	seen := 0
	for _, e := range s.events {
		if e.Tenant != tenant || e.Sequence <= f.After || f.Through != 0 && e.Sequence > f.Through ||
			f.Environment != "" && e.Environment != f.Environment || !within(e.AcceptedAt, f.From, f.To) {
			continue
		}
		stands, pending := s.stands(e.ID, endpoint)
		switch {
		case !f.Chooses(e.Topic, stands):
		case pending:
			matches.Pending++
		default:
			matches.Events = append(matches.Events, e.Sequence)
		}
		if seen++; seen == min(max(f.Limit, 1), maxReplay) {
			matches.Next = e.Sequence
			break
		}
	}
	return matches, nil
}

// stands says how an event stands with the endpoint.
func (s *Store) stands(event postrider.EventID, endpoint postrider.EndpointID) (state store.ReplayState, pending bool) {
	if s.owes(event, endpoint) {
		return store.ReplayState(postrider.DeliveryPending), true
	}
	state = store.ReplayNone
	for _, d := range s.deliveries[event] {
		if d.Endpoint == endpoint {
			state = store.ReplayState(d.State)
		}
	}
	return state, false
}

// Replay fulfils store.Replays.
func (s *Store) Replay(ctx context.Context, tenant postrider.TenantID, endpoint postrider.EndpointID, events []int64, due, now time.Time) (int, error) {
	if len(events) > maxReplay {
		return 0, postrider.Errorf(postrider.CodeInvalid, "a step of a replay has at most %d events", maxReplay)
	}
	unlock, err := s.lock(ctx, "Replay")
	if err != nil {
		return 0, err
	}
	defer unlock()
	if err := s.canOwe(tenant, endpoint); err != nil {
		return 0, err
	}
	made := 0
	for _, sequence := range events {
		if sequence < 1 || sequence > int64(len(s.events)) || s.events[sequence-1].Tenant != tenant {
			continue
		}
		e := s.events[sequence-1]
		if s.owes(e.ID, endpoint) {
			continue
		}
		s.oweAgain(e, endpoint, due, now)
		made++
	}
	return made, s.fail("Replay done")
}

func (s *Store) owes(event postrider.EventID, endpoint postrider.EndpointID) bool {
	for _, d := range s.deliveries[event] {
		if d.Endpoint == endpoint && d.State == postrider.DeliveryPending {
			return true
		}
	}
	return false
}
