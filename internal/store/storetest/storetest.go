// Package storetest is the conformance suite of internal/store: every sentence there, as a test. A
// store passes when Run and RunReopen pass; the sqlite package calls them, and so does every fake
// that stands in for a store.
//
// To begin reading: bench (in this file) makes the tenants and endpoints that most tests need;
// inbox.go, queue.go, journal.go, manage.go and account.go test a role or a few each; concurrent.go tests what happens at the
// same time; model.go compares a store with a plain model of it under random calls.
package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// Run tests a store. open makes an empty one and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, role := range []struct {
		name  string
		tests []test
	}{
		{"Inbox", inboxTests()},
		{"Queue", queueTests()},
		{"Journal", journalTests()},
		{"Replays", replayTests()},
		{"Tenants", tenantTests()},
		{"Keys", keyTests()},
		{"Endpoints", endpointTests()},
		{"Credentials", credentialTests()},
		{"Users", userTests()},
		{"Tokens", tokenTests()},
		{"Settings", settingTests()},
		{"Audit", auditTests()},
		{"Vault", vaultTests()},
		{"Store", storeTests()},
		{"Concurrency", concurrencyTests()},
		{"Model", modelTests()},
	} {
		t.Run(role.name, func(t *testing.T) {
			for _, one := range role.tests {
				t.Run(one.name, func(t *testing.T) { one.run(newBench(t, open(t))) })
			}
		})
	}
}

type test struct {
	name string // the promise
	run  func(b *bench)
}

// start is the time at which tests begin. It holds whole milliseconds.
var start = time.Date(2026, 3, 14, 15, 9, 26, 535_000_000, time.UTC)

// bench is a store with two tenants, and helpers that fail the test when a call fails.
type bench struct {
	*testing.T
	store.Store
	ctx         context.Context
	acme, other postrider.TenantID
	made        int // endpoints and events, for names
}

func newBench(t *testing.T, s store.Store) *bench {
	b := &bench{T: t, Store: s, ctx: t.Context()}
	b.acme, b.other = b.tenant("acme"), b.tenant("other")
	return b
}

func (b *bench) tenant(name string) postrider.TenantID {
	b.Helper()
	id := postrider.NewTenantID(start)
	b.must(b.CreateTenant(b.ctx, &postrider.Tenant{ID: id, Name: name, CreatedAt: start}))
	return id
}

// endpoint registers an enabled production endpoint, altered by change.
func (b *bench) endpoint(tenant postrider.TenantID, change ...func(*postrider.Endpoint)) *postrider.Endpoint {
	b.Helper()
	b.made++
	e := &postrider.Endpoint{
		ID: postrider.NewEndpointID(start), Tenant: tenant, Environment: postrider.Production,
		URL: fmt.Sprintf("https://example.org/hooks/%d", b.made), Topics: []postrider.Topic{"order.*"}, Contract: "generic",
		State: postrider.EndpointEnabled, CreatedAt: start, UpdatedAt: start,
	}
	for _, f := range change {
		f(e)
	}
	b.must(b.CreateEndpoint(b.ctx, e))
	return e
}

// event makes an event that is not accepted yet.
func (b *bench) event(tenant postrider.TenantID, change ...func(*postrider.Event)) *postrider.Event {
	b.made++
	e := &postrider.Event{
		ID: postrider.NewEventID(start), Tenant: tenant, Environment: postrider.Production, Topic: "order.created",
		OccurredAt: start.Add(-time.Second), AcceptedAt: start, Data: fmt.Appendf(nil, `{"n":%d}`, b.made),
	}
	for _, f := range change {
		f(e)
	}
	return e
}

func givenID(id string) func(*postrider.Event) {
	return func(e *postrider.Event) { e.GivenID = id }
}

func sandbox(e *postrider.Event) { e.Environment = postrider.Sandbox }

// accept accepts one event with a delivery due at start for each endpoint.
func (b *bench) accept(e *postrider.Event, endpoints ...*postrider.Endpoint) *postrider.Event {
	b.Helper()
	return b.acceptDue(e, start, endpoints...)
}

func (b *bench) acceptDue(e *postrider.Event, due time.Time, endpoints ...*postrider.Endpoint) *postrider.Event {
	b.Helper()
	a := &store.Acceptance{Event: e}
	for _, endpoint := range endpoints {
		a.Deliveries = append(a.Deliveries, store.Owed{Endpoint: endpoint.ID, DueAt: due})
	}
	b.acceptOne(a)
	return e
}

func (b *bench) acceptOne(a *store.Acceptance) store.Accepted {
	b.Helper()
	answers, err := b.Accept(b.ctx, []*store.Acceptance{a})
	b.must(err)
	if len(answers) != 1 {
		b.Fatalf("%d answers for one event", len(answers))
	}
	return answers[0]
}

// settlement is what became of a delivery's attempt: delivered.
func settlement(e *postrider.Event, number, attempt int, endpoint postrider.EndpointID) store.Settlement {
	id := postrider.DeliveryID{Event: e.ID, Number: number}
	return store.Settlement{
		Delivery: id, Sequence: e.Sequence, Tenant: e.Tenant, Endpoint: endpoint,
		State: postrider.DeliverySucceeded, EndedAt: start.Add(time.Duration(attempt) * time.Second),
		Attempt: &postrider.Attempt{
			Delivery: id, Number: attempt, Trigger: postrider.TriggerSchedule, StartedAt: start.Add(time.Duration(attempt) * time.Second),
			Duration: 12_345_678 * time.Nanosecond, Outcome: postrider.Outcome{Kind: postrider.OutcomeSuccess, Code: postrider.OutcomeDelivered},
			Response: postrider.Response{Status: 200},
		},
	}
}

// retrying alters a settlement: the attempt failed and the next is due at due.
func retrying(s store.Settlement, due time.Time) store.Settlement {
	s.State, s.Reason, s.DueAt, s.EndedAt = postrider.DeliveryPending, "", due, time.Time{}
	s.Attempt.Outcome = postrider.Outcome{Kind: postrider.OutcomeRetryable, Code: postrider.OutcomeHTTPStatus, Detail: "the receiver answered 503"}
	s.Attempt.Response.Status = 503
	return s
}

// failing alters a settlement: the attempt failed and it was the last.
func failing(s store.Settlement) store.Settlement {
	ended := s.EndedAt
	s = retrying(s, time.Time{})
	s.State, s.Reason, s.EndedAt = postrider.DeliveryFailed, postrider.ReasonCode(postrider.OutcomeHTTPStatus), ended
	return s
}

func (b *bench) settle(batch ...store.Settlement) {
	b.Helper()
	b.must(b.Settle(b.ctx, batch))
}

func (b *bench) delivery(e *postrider.Event, number int) postrider.Delivery {
	b.Helper()
	d, err := b.FindDelivery(b.ctx, e.Tenant, postrider.DeliveryID{Event: e.ID, Number: number})
	b.must(err)
	return *d
}

func (b *bench) attempts(e *postrider.Event, number int) []postrider.Attempt {
	b.Helper()
	attempts, err := b.Attempts(b.ctx, e.Tenant, postrider.DeliveryID{Event: e.ID, Number: number})
	b.must(err)
	return attempts
}

func (b *bench) due(endpoint *postrider.Endpoint, now time.Time, limit int) store.Refill {
	b.Helper()
	refill, err := b.Due(b.ctx, endpoint.ID, now, limit)
	b.must(err)
	return refill
}

func (b *bench) events(tenant postrider.TenantID, f store.EventFilter) []*postrider.Event {
	b.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	events, err := b.Events(b.ctx, tenant, f)
	b.must(err)
	return events
}

func (b *bench) deliveries(tenant postrider.TenantID, f store.DeliveryFilter) []postrider.Delivery {
	b.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	deliveries, err := b.Deliveries(b.ctx, tenant, f)
	b.must(err)
	return deliveries
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// wantCode demands an error of postrider.Error with a code and a message.
func (b *bench) wantCode(err error, code postrider.Code) {
	b.Helper()
	if err == nil {
		b.Fatalf("no error; want one of code %q", code)
	}
	if got := postrider.ErrorCode(err); got != code {
		b.Errorf("code %q (%v), want %q", got, err, code)
	}
	if err.Error() == "" {
		b.Error("the error has no message")
	}
}

func (b *bench) equal(what string, got, want any) {
	b.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(sameSecret), cmp.Comparer(sameTime)); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func sameSecret(a, b postrider.Secret) bool { return a.Reveal() == b.Reveal() }

// sameTime also compares the location: all times are UTC.
func sameTime(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }

// ids shortens a list of deliveries to "event's place among events, number".
func ids(deliveries []postrider.Delivery) []postrider.DeliveryID {
	all := make([]postrider.DeliveryID, len(deliveries))
	for i := range deliveries {
		all[i] = deliveries[i].ID
	}
	return all
}

func jobIDs(r store.Refill) []postrider.DeliveryID {
	all := make([]postrider.DeliveryID, len(r.Jobs))
	for i := range r.Jobs {
		all[i] = r.Jobs[i].Delivery.ID
	}
	return all
}

func eventIDs(events []*postrider.Event) []postrider.EventID {
	all := make([]postrider.EventID, len(events))
	for i := range events {
		all[i] = events[i].ID
	}
	return all
}

func deliveryID(e *postrider.Event, number int) postrider.DeliveryID {
	return postrider.DeliveryID{Event: e.ID, Number: number}
}
