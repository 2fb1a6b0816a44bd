package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

func journalTests() []test {
	return []test{
		{"an event is found by its own id and by its given id", testFindEvent},
		{"events are listed newest first, page by page", testEventPages},
		{"event filters", testEventFilters},
		{"deliveries are listed newest event first, page by page", testDeliveryPages},
		{"delivery filters", testDeliveryFilters},
		{"another tenant's events, deliveries and attempts are not found", testJournalTenants},
		{"what is not there is not found", func(b *bench) {
			e := b.accept(b.event(b.acme), b.endpoint(b.acme))
			_, err := b.EventDeliveries(b.ctx, b.acme, postrider.NewEventID(start))
			b.wantCode(err, postrider.CodeNotFound)
			for _, id := range []postrider.DeliveryID{deliveryID(e, 2), {Event: postrider.NewEventID(start), Number: 1}} {
				_, err = b.FindDelivery(b.ctx, b.acme, id)
				b.wantCode(err, postrider.CodeNotFound)
				_, err = b.Attempts(b.ctx, b.acme, id)
				b.wantCode(err, postrider.CodeNotFound)
				_, err = b.RetryDelivery(b.ctx, b.acme, id, start)
				b.wantCode(err, postrider.CodeNotFound)
			}
		}},
		{"an event without deliveries has an empty list", func(b *bench) {
			e := b.accept(b.event(b.acme))
			deliveries, err := b.EventDeliveries(b.ctx, b.acme, e.ID)
			b.must(err)
			if len(deliveries) != 0 {
				b.Errorf("deliveries %v", deliveries)
			}
		}},
		{"a retry makes a pending, failed or cancelled delivery due now", testRetry},
		{"a retry of what has succeeded, or whose endpoint is gone, is a conflict", testRetryConflict},
	}
}

func testFindEvent(b *bench) {
	plain := b.accept(b.event(b.acme))
	given := b.accept(b.event(b.acme, givenID("order:1")))
	inSandbox := b.accept(b.event(b.acme, givenID("order:1"), sandbox))
	onlySandbox := b.accept(b.event(b.acme, givenID("order:2"), sandbox))
	lookalike := b.accept(b.event(b.acme, givenID(postrider.NewEventID(start).String())))
	shadow := b.accept(b.event(b.acme, givenID(plain.ID.String())))
	find := func(environment postrider.Environment, id string, want *postrider.Event) {
		b.Helper()
		got, err := b.FindEvent(b.ctx, b.acme, environment, id)
		b.must(err)
		if got.ID != want.ID {
			b.Errorf("%q in %q: found %s, want %s", id, environment, got.PublicID(), want.PublicID())
		}
	}
	find("", plain.ID.String(), plain)
	find("", given.ID.String(), given)
	find(postrider.Production, "order:1", given)
	find(postrider.Sandbox, "order:1", inSandbox)
	find("", "order:1", given)
	find("", "order:2", onlySandbox)
	find("", lookalike.GivenID, lookalike)
	find("", shadow.ID.String(), shadow)
	for _, miss := range []struct {
		tenant      postrider.TenantID
		environment postrider.Environment
		id          string
	}{
		{b.acme, postrider.Production, "order:2"}, {b.acme, "", "order:3"}, {b.acme, "", ""},
		{b.acme, "", postrider.NewEventID(start).String()}, {b.other, "", "order:1"}, {b.other, "", plain.ID.String()},
		{postrider.NewTenantID(start), "", plain.ID.String()},
	} {
		_, err := b.FindEvent(b.ctx, miss.tenant, miss.environment, miss.id)
		b.wantCode(err, postrider.CodeNotFound)
	}
}

func testEventPages(b *bench) {
	var want []postrider.EventID
	for i := range 25 {
		e := b.accept(b.event(b.acme))
		want = append(want, e.ID)
		if i%3 == 0 {
			b.accept(b.event(b.other))
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 7, 25, 1000} {
		var got []postrider.EventID
		for before := int64(0); ; {
			page := b.events(b.acme, store.EventFilter{Before: before, Limit: limit})
			if len(page) > limit {
				b.Fatalf("a page of %d, want at most %d", len(page), limit)
			}
			got = append(got, eventIDs(page)...)
			if len(page) < limit {
				break
			}
			before = page[len(page)-1].Sequence
		}
		b.equal(fmt.Sprintf("pages of %d", limit), got, want)
	}
}

func testEventFilters(b *bench) {
	at := func(seconds int) func(*postrider.Event) {
		return func(e *postrider.Event) { e.AcceptedAt = start.Add(time.Duration(seconds) * time.Second) }
	}
	created := b.accept(b.event(b.acme, at(1)))
	inSandbox := b.accept(b.event(b.acme, at(2), sandbox))
	shipped := b.accept(b.event(b.acme, at(3), func(e *postrider.Event) { e.Topic = "order.shipped" }))
	late := b.accept(b.event(b.acme, at(0), givenID("late"))) // a clock may step back
	second := start.Add(time.Second)
	for _, c := range []struct {
		name   string
		filter store.EventFilter
		want   []*postrider.Event
	}{
		{"no filter", store.EventFilter{}, []*postrider.Event{late, shipped, inSandbox, created}},
		{"environment", store.EventFilter{Environment: postrider.Sandbox}, []*postrider.Event{inSandbox}},
		{"topic", store.EventFilter{Topic: "order.shipped"}, []*postrider.Event{shipped}},
		{"topic is exact", store.EventFilter{Topic: "order.*"}, nil},
		{"from is inclusive", store.EventFilter{From: start.Add(2 * time.Second)}, []*postrider.Event{shipped, inSandbox}},
		{"to is exclusive", store.EventFilter{To: start.Add(2 * time.Second)}, []*postrider.Event{late, created}},
		{"from within a millisecond", store.EventFilter{From: second.Add(1)}, []*postrider.Event{shipped, inSandbox}},
		{"to within a millisecond", store.EventFilter{To: second.Add(1)}, []*postrider.Event{late, created}},
		{"all together", store.EventFilter{Environment: postrider.Production, Topic: "order.created", From: second, To: second.Add(time.Hour), Before: shipped.Sequence}, []*postrider.Event{created}},
		{"before the first", store.EventFilter{Before: created.Sequence}, nil},
	} {
		b.equal(c.name, eventIDs(b.events(b.acme, c.filter)), eventIDs(c.want))
	}
	b.equal("another tenant", eventIDs(b.events(b.other, store.EventFilter{})), []postrider.EventID{})
	head := *late
	head.Data, head.Previous = nil, nil
	b.equal("without data", b.events(b.acme, store.EventFilter{Limit: 1}), []*postrider.Event{&head})
	b.equal("with data", b.events(b.acme, store.EventFilter{Limit: 1, WithData: true}), []*postrider.Event{late})
}

func testDeliveryPages(b *bench) {
	one, two, foreign := b.endpoint(b.acme), b.endpoint(b.acme), b.endpoint(b.other)
	var all, ofOne []postrider.DeliveryID
	for i := range 12 {
		e := b.event(b.acme)
		switch i % 3 {
		case 0:
			b.accept(e, one, two, one)
			all = append(all, deliveryID(e, 1), deliveryID(e, 2), deliveryID(e, 3))
			ofOne = append(ofOne, deliveryID(e, 1), deliveryID(e, 3))
		case 1:
			b.accept(e, two)
			all = append(all, deliveryID(e, 1))
		case 2:
			b.accept(e)
			b.accept(b.event(b.other), foreign)
		}
	}
	slices.Reverse(all)
	slices.Reverse(ofOne)
	pages := func(f store.DeliveryFilter) []postrider.DeliveryID {
		var got []postrider.DeliveryID
		for {
			page := b.deliveries(b.acme, f)
			if len(page) > f.Limit {
				b.Fatalf("a page of %d, want at most %d", len(page), f.Limit)
			}
			got = append(got, ids(page)...)
			if len(page) < f.Limit {
				return got
			}
			f.Before, f.BeforeNumber = page[len(page)-1].Sequence, page[len(page)-1].ID.Number
		}
	}
	for _, limit := range []int{1, 2, 5, 1000} {
		for _, state := range []postrider.DeliveryState{"", postrider.DeliveryPending} {
			b.equal(fmt.Sprintf("pages of %d, state %q", limit, state), pages(store.DeliveryFilter{Limit: limit, State: state}), all)
			b.equal(fmt.Sprintf("pages of %d of one endpoint, state %q", limit, state),
				pages(store.DeliveryFilter{Limit: limit, State: state, Endpoint: one.ID}), ofOne)
		}
	}
	for _, endpoint := range []*postrider.Endpoint{one, two} {
		for {
			n, err := b.CancelPending(b.ctx, endpoint.ID, postrider.ReasonEndpointDeleted, start, 100)
			b.must(err)
			if n < 100 {
				break
			}
		}
	}
	b.equal("pages of cancelled", pages(store.DeliveryFilter{Limit: 3, State: postrider.DeliveryCancelled}), all)
	b.equal("pages of cancelled of one endpoint", pages(store.DeliveryFilter{Limit: 3, State: postrider.DeliveryCancelled, Endpoint: one.ID}), ofOne)
}

func testDeliveryFilters(b *bench) {
	one := b.endpoint(b.acme)
	box := b.endpoint(b.acme, func(e *postrider.Endpoint) { e.Environment = postrider.Sandbox })
	foreign := b.endpoint(b.other)
	at := func(seconds int, topic postrider.Topic) func(*postrider.Event) {
		return func(e *postrider.Event) {
			e.AcceptedAt, e.Topic = start.Add(time.Duration(seconds)*time.Second), topic
		}
	}
	a := b.accept(b.event(b.acme, at(1, "order.created")), one)
	c := b.accept(b.event(b.acme, at(2, "order.shipped"), sandbox), box)
	d := b.accept(b.event(b.acme, at(3, "order.created")), one, one)
	f := b.accept(b.event(b.acme, at(4, "order.created")), one)
	b.accept(b.event(b.other, at(1, "order.created")), foreign)
	b.settle(settlement(a, 1, 1, one.ID), failing(settlement(d, 1, 1, one.ID)))
	_, err := b.CancelPending(b.ctx, box.ID, postrider.ReasonEndpointDeleted, start, 10)
	b.must(err)
	id := deliveryID
	for _, t := range []struct {
		name   string
		filter store.DeliveryFilter
		want   []postrider.DeliveryID
	}{
		{"no filter", store.DeliveryFilter{}, []postrider.DeliveryID{id(f, 1), id(d, 2), id(d, 1), id(c, 1), id(a, 1)}},
		{"environment", store.DeliveryFilter{Environment: postrider.Sandbox}, []postrider.DeliveryID{id(c, 1)}},
		{"endpoint", store.DeliveryFilter{Endpoint: one.ID}, []postrider.DeliveryID{id(f, 1), id(d, 2), id(d, 1), id(a, 1)}},
		{"pending", store.DeliveryFilter{State: postrider.DeliveryPending}, []postrider.DeliveryID{id(f, 1), id(d, 2)}},
		{"succeeded", store.DeliveryFilter{State: postrider.DeliverySucceeded}, []postrider.DeliveryID{id(a, 1)}},
		{"failed", store.DeliveryFilter{State: postrider.DeliveryFailed}, []postrider.DeliveryID{id(d, 1)}},
		{"cancelled", store.DeliveryFilter{State: postrider.DeliveryCancelled}, []postrider.DeliveryID{id(c, 1)}},
		{"succeeded of an endpoint", store.DeliveryFilter{State: postrider.DeliverySucceeded, Endpoint: one.ID}, []postrider.DeliveryID{id(a, 1)}},
		{"cancelled of another endpoint", store.DeliveryFilter{State: postrider.DeliveryCancelled, Endpoint: one.ID}, nil},
		{"topic", store.DeliveryFilter{Topic: "order.shipped"}, []postrider.DeliveryID{id(c, 1)}},
		{"from", store.DeliveryFilter{From: start.Add(3 * time.Second)}, []postrider.DeliveryID{id(f, 1), id(d, 2), id(d, 1)}},
		{"to", store.DeliveryFilter{To: start.Add(3 * time.Second)}, []postrider.DeliveryID{id(c, 1), id(a, 1)}},
		{"cursor within an event", store.DeliveryFilter{Before: d.Sequence, BeforeNumber: 2}, []postrider.DeliveryID{id(d, 1), id(c, 1), id(a, 1)}},
		{"cursor at an event", store.DeliveryFilter{Before: d.Sequence}, []postrider.DeliveryID{id(c, 1), id(a, 1)}},
		{"another tenant's endpoint", store.DeliveryFilter{Endpoint: foreign.ID}, nil},
		{"all together", store.DeliveryFilter{Environment: postrider.Production, Endpoint: one.ID, State: postrider.DeliveryPending,
			Topic: "order.created", From: start.Add(3 * time.Second), To: start.Add(4 * time.Second), Before: f.Sequence, BeforeNumber: 1},
			[]postrider.DeliveryID{id(d, 2)}},
	} {
		got := b.deliveries(b.acme, t.filter)
		b.equal(t.name, ids(got), append([]postrider.DeliveryID{}, t.want...))
		for i := range got {
			found, err := b.FindDelivery(b.ctx, b.acme, got[i].ID)
			b.must(err)
			b.equal(t.name+": as found by id", got[i], *found)
		}
	}
}

func testJournalTenants(b *bench) {
	endpoint := b.endpoint(b.acme)
	e := b.accept(b.event(b.acme, givenID("order:1")), endpoint)
	b.settle(failing(settlement(e, 1, 1, endpoint.ID)))
	id := deliveryID(e, 1)
	for _, tenant := range []postrider.TenantID{b.other, {}, postrider.NewTenantID(start)} {
		_, err := b.FindEvent(b.ctx, tenant, postrider.Production, "order:1")
		b.wantCode(err, postrider.CodeNotFound)
		_, err = b.EventDeliveries(b.ctx, tenant, e.ID)
		b.wantCode(err, postrider.CodeNotFound)
		_, err = b.FindDelivery(b.ctx, tenant, id)
		b.wantCode(err, postrider.CodeNotFound)
		_, err = b.Attempts(b.ctx, tenant, id)
		b.wantCode(err, postrider.CodeNotFound)
		_, err = b.RetryDelivery(b.ctx, tenant, id, start)
		b.wantCode(err, postrider.CodeNotFound)
		if n := len(b.events(tenant, store.EventFilter{})); n != 0 {
			b.Errorf("%d events in another tenant", n)
		}
		for _, f := range []store.DeliveryFilter{{}, {Endpoint: endpoint.ID}, {State: postrider.DeliveryFailed}} {
			if n := len(b.deliveries(tenant, f)); n != 0 {
				b.Errorf("%d deliveries in another tenant with %+v", n, f)
			}
		}
	}
	if d := b.delivery(e, 1); d.State != postrider.DeliveryFailed {
		b.Errorf("delivery %+v", d)
	}
}

func testRetry(b *bench) {
	endpoint := b.endpoint(b.acme)
	pending := b.acceptDue(b.event(b.acme), start.Add(time.Hour), endpoint)
	failed, cancelled := b.event(b.acme), b.event(b.acme)
	b.accept(cancelled, endpoint)
	_, err := b.CancelPending(b.ctx, endpoint.ID, postrider.ReasonEndpointDeleted, start, 1) // the one due first
	b.must(err)
	b.accept(failed, endpoint)
	b.settle(failing(settlement(failed, 1, 1, endpoint.ID)))
	now := start.Add(time.Minute)
	for _, e := range []*postrider.Event{pending, failed, cancelled} {
		was := b.delivery(e, 1)
		got, err := b.RetryDelivery(b.ctx, b.acme, deliveryID(e, 1), now.Add(999))
		b.must(err)
		want := was
		want.State, want.Reason, want.DueAt, want.EndedAt = postrider.DeliveryPending, "", now, time.Time{}
		b.equal("retried delivery", *got, want)
		b.equal("stored delivery", b.delivery(e, 1), want)
	}
	b.equal("due", jobIDs(b.due(endpoint, now, 10)), []postrider.DeliveryID{deliveryID(pending, 1), deliveryID(cancelled, 1), deliveryID(failed, 1)})
	b.settle(settlement(failed, 1, 2, endpoint.ID))
	if d := b.delivery(failed, 1); d.State != postrider.DeliverySucceeded || d.Attempts != 2 || len(b.attempts(failed, 1)) != 2 {
		b.Errorf("delivery %+v", d)
	}
}

func testRetryConflict(b *bench) {
	succeeded, disabled, deleted, paused := b.endpoint(b.acme), b.endpoint(b.acme), b.endpoint(b.acme), b.endpoint(b.acme)
	e := b.accept(b.event(b.acme), succeeded, disabled, deleted, paused)
	b.settle(settlement(e, 1, 1, succeeded.ID))
	for endpoint, state := range map[*postrider.Endpoint]postrider.EndpointState{disabled: postrider.EndpointDisabled, paused: postrider.EndpointPaused} {
		_, err := b.UpdateEndpoint(b.ctx, b.acme, endpoint.ID, store.EndpointPatch{State: &state}, start)
		b.must(err)
	}
	_, err := b.DeleteEndpoint(b.ctx, b.acme, deleted.ID, start)
	b.must(err)
	for number := 1; number <= 3; number++ {
		was := b.delivery(e, number)
		_, err := b.RetryDelivery(b.ctx, b.acme, deliveryID(e, number), start.Add(time.Hour))
		b.wantCode(err, postrider.CodeConflict)
		b.equal("delivery", b.delivery(e, number), was)
	}
	_, err = b.RetryDelivery(b.ctx, b.acme, deliveryID(e, 4), start)
	b.must(err)
}
