package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

func queueTests() []test {
	return []test{
		{"lanes give each endpoint with pending deliveries and its earliest due time", testLanes},
		{"due gives what is due by due, sequence, number, and when the next is due", testDue},
		{"due gives the event with its data", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			e := b.accept(b.event(b.acme, givenID("x"), func(e *postrider.Event) { e.Previous = []byte(`{"old":true}`) }), endpoint, endpoint)
			refill := b.due(endpoint, start, 10)
			if len(refill.Jobs) != 2 {
				b.Fatalf("%d jobs, want 2", len(refill.Jobs))
			}
			for i, job := range refill.Jobs {
				b.equal("event", job.Event, e)
				b.equal("delivery", job.Delivery, b.delivery(e, i+1))
			}
		}},
		{"due at an unknown endpoint is empty", func(b *bench) {
			b.accept(b.event(b.acme), b.endpoint(b.acme))
			b.equal("refill", b.due(&postrider.Endpoint{ID: postrider.NewEndpointID(start)}, start, 10), store.Refill{})
		}},
		{"settling writes the attempt and the delivery's end", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			e := b.accept(b.event(b.acme), endpoint)
			s := settlement(e, 1, 1, endpoint.ID)
			s.Attempt = fullAttempt(e)
			b.settle(s)
			b.equal("attempts", b.attempts(e, 1), []postrider.Attempt{*s.Attempt})
			b.equal("delivery", b.delivery(e, 1), postrider.Delivery{ID: deliveryID(e, 1), Sequence: e.Sequence, Tenant: b.acme,
				Environment: e.Environment, Endpoint: endpoint.ID, Topic: e.Topic, State: postrider.DeliverySucceeded, Attempts: 1,
				CreatedAt: e.AcceptedAt, EndedAt: s.EndedAt})
			b.equal("due", b.due(endpoint, start.Add(time.Hour), 10), store.Refill{})
			b.equal("lanes", b.lanes(), []store.Lane(nil))
		}},
		{"a retry moves the delivery to its next due time", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			e := b.accept(b.event(b.acme), endpoint)
			at := start.Add(time.Minute + 999_999*time.Nanosecond)
			b.settle(retrying(settlement(e, 1, 1, endpoint.ID), at))
			b.equal("due", b.due(endpoint, start, 10), store.Refill{Next: start.Add(time.Minute)})
			b.equal("lanes", b.lanes(), []store.Lane{{Endpoint: endpoint.ID, Earliest: start.Add(time.Minute)}})
			jobs := b.due(endpoint, at, 10).Jobs
			if len(jobs) != 1 || jobs[0].Delivery.Attempts != 1 {
				b.Fatalf("jobs %+v, want one after one attempt", jobs)
			}
			b.settle(failing(settlement(e, 1, 2, endpoint.ID)))
			d := b.delivery(e, 1)
			if d.State != postrider.DeliveryFailed || d.Attempts != 2 || d.Reason != "http_status" || !d.DueAt.IsZero() {
				b.Errorf("delivery %+v", d)
			}
		}},
		{"settling twice writes once, also when later attempts came between", testSettleTwice},
		{"one batch may hold several attempts of a delivery, in order", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			e := b.accept(b.event(b.acme), endpoint)
			b.settle(retrying(settlement(e, 1, 1, endpoint.ID), start.Add(time.Second)), settlement(e, 1, 2, endpoint.ID))
			if d := b.delivery(e, 1); d.State != postrider.DeliverySucceeded || d.Attempts != 2 || len(b.attempts(e, 1)) != 2 {
				b.Errorf("delivery %+v", d)
			}
		}},
		{"a delivery that is no longer pending keeps its state and gets the attempt", testSettleFinal},
		{"a settlement without an attempt ends the delivery", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			e := b.accept(b.event(b.acme), endpoint)
			s := settlement(e, 1, 1, endpoint.ID)
			s.Attempt, s.State, s.Reason = nil, postrider.DeliveryCancelled, postrider.ReasonEndpointDeleted
			b.settle(s, s)
			d := b.delivery(e, 1)
			if d.State != postrider.DeliveryCancelled || d.Reason != postrider.ReasonEndpointDeleted || d.Attempts != 0 || !d.EndedAt.Equal(s.EndedAt) {
				b.Errorf("delivery %+v", d)
			}
			if n := len(b.attempts(e, 1)); n != 0 {
				b.Errorf("%d attempts", n)
			}
		}},
		{"settling what is not there changes nothing and fails nothing", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			e := b.accept(b.event(b.acme), endpoint)
			gone := *e
			gone.ID, gone.Sequence = postrider.NewEventID(start), e.Sequence+1000
			b.settle(settlement(&gone, 1, 1, endpoint.ID), settlement(e, 2, 1, endpoint.ID), settlement(e, 1, 1, endpoint.ID))
			if d := b.delivery(e, 1); d.State != postrider.DeliverySucceeded {
				b.Errorf("the delivery beside it: %+v", d)
			}
		}},
		{"a large batch settles each delivery", testSettleMany},
		{"disabling happens once, with its reason and time", testDisable},
		{"cancelling goes on in steps until none is left", testCancel},
		{"a lane's endpoint is found in any tenant, and when it is deleted", func(b *bench) {
			for _, e := range []*postrider.Endpoint{b.endpoint(b.acme), b.endpoint(b.other)} {
				got, err := b.LaneEndpoint(b.ctx, e.ID)
				b.must(err)
				b.equal("endpoint", got, e)
				deleted, err := b.DeleteEndpoint(b.ctx, e.Tenant, e.ID, start.Add(time.Hour))
				b.must(err)
				got, err = b.LaneEndpoint(b.ctx, e.ID)
				b.must(err)
				b.equal("deleted endpoint", got, deleted)
			}
			_, err := b.LaneEndpoint(b.ctx, postrider.NewEndpointID(start))
			b.wantCode(err, postrider.CodeNotFound)
		}},
	}
}

func (b *bench) lanes() []store.Lane {
	b.Helper()
	lanes, err := b.Lanes(b.ctx)
	b.must(err)
	slices.SortFunc(lanes, func(x, y store.Lane) int { return strings.Compare(x.Endpoint.String(), y.Endpoint.String()) })
	return lanes
}

func testLanes(b *bench) {
	b.equal("lanes of an empty store", b.lanes(), []store.Lane(nil))
	var want []store.Lane
	for i := range 30 {
		tenant := []postrider.TenantID{b.acme, b.other}[i%2]
		endpoint := b.endpoint(tenant)
		for j := range i % 3 {
			b.acceptDue(b.event(tenant), start.Add(time.Duration(100-j)*time.Second), endpoint)
		}
		if n := i % 3; n > 0 {
			want = append(want, store.Lane{Endpoint: endpoint.ID, Earliest: start.Add(time.Duration(101-n) * time.Second)})
		}
		if i == 4 {
			_, err := b.DeleteEndpoint(b.ctx, tenant, endpoint.ID, start)
			b.must(err)
		}
	}
	b.equal("lanes", b.lanes(), want)
}

func testDue(b *bench) {
	endpoint, beside := b.endpoint(b.acme), b.endpoint(b.acme)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	e := []*postrider.Event{b.event(b.acme), b.event(b.acme), b.event(b.acme), b.event(b.acme)}
	b.acceptDue(e[0], at(5), beside, endpoint, endpoint)
	b.acceptDue(e[1], at(1), endpoint)
	b.acceptDue(e[2], at(5), endpoint)
	b.acceptDue(e[3], at(9), endpoint)
	order := []postrider.DeliveryID{deliveryID(e[1], 1), deliveryID(e[0], 2), deliveryID(e[0], 3), deliveryID(e[2], 1), deliveryID(e[3], 1)}
	for _, c := range []struct {
		now   int
		limit int
		jobs  int
		next  time.Time
	}{
		{0, 10, 0, at(1)}, {1, 10, 1, at(5)}, {4, 10, 1, at(5)}, {5, 10, 4, at(9)}, {100, 10, 5, time.Time{}},
		{100, 5, 5, time.Time{}}, {100, 4, 4, at(9)}, {100, 2, 2, at(5)}, {100, 1, 1, at(5)}, {5, 3, 3, at(5)},
	} {
		refill := b.due(endpoint, at(c.now), c.limit)
		name := fmt.Sprintf("at %d, %d at most: ", c.now, c.limit)
		b.equal(name+"jobs", jobIDs(refill), order[:c.jobs])
		b.equal(name+"next", refill.Next, c.next)
	}
	b.equal("just before", b.due(endpoint, at(1).Add(-time.Nanosecond), 10), store.Refill{Next: at(1)})
}

func fullAttempt(e *postrider.Event) *postrider.Attempt {
	return &postrider.Attempt{
		Delivery: deliveryID(e, 1), Number: 1, Trigger: postrider.TriggerManual, StartedAt: start.Add(time.Second), Duration: 5*time.Second + 1,
		Phases: postrider.Phases{DNS: 1, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond, FirstByte: 4 * time.Second},
		Outcome: postrider.Outcome{Kind: postrider.OutcomeGone, Code: "a_code_from_the_future", Detail: "it \"said\" <no>\nand: ü",
			RetryAfter: 90 * time.Second},
		Request: postrider.RequestHead{URL: "https://example.org/hooks?a=b", Header: []postrider.HeaderField{
			{Name: "Content-Type", Value: "application/json"}, {Name: "X-Twice", Value: "1"}, {Name: "X-Twice", Value: ""}}},
		Response: postrider.Response{Status: 410, Header: []postrider.HeaderField{{Name: "Server", Value: "x\xff"}},
			Body: bytesOfEveryValue(64 << 10), Truncated: true, RemoteAddr: "[2001:db8::1]:443"},
	}
}

func bytesOfEveryValue(n int) []byte {
	body := make([]byte, n)
	for i := range body {
		body[i] = byte(i)
	}
	return body
}

func testSettleTwice(b *bench) {
	endpoint := b.endpoint(b.acme)
	e, beside := b.accept(b.event(b.acme), endpoint), b.accept(b.event(b.acme), endpoint)
	first := retrying(settlement(e, 1, 1, endpoint.ID), start.Add(time.Minute))
	b.settle(first)
	after := b.delivery(e, 1)
	b.settle(first, settlement(beside, 1, 1, endpoint.ID))
	b.equal("delivery after the repeat", b.delivery(e, 1), after)
	if d := b.delivery(beside, 1); d.State != postrider.DeliverySucceeded {
		b.Errorf("the delivery beside the repeated one: %+v", d)
	}

	b.settle(retrying(settlement(e, 1, 2, endpoint.ID), start.Add(time.Hour)))
	after = b.delivery(e, 1)
	b.settle(first)
	b.equal("delivery after a late repeat", b.delivery(e, 1), after)

	end := failing(settlement(e, 1, 3, endpoint.ID))
	b.settle(end)
	_, err := b.RetryDelivery(b.ctx, b.acme, deliveryID(e, 1), start.Add(2*time.Hour))
	b.must(err)
	after = b.delivery(e, 1)
	b.settle(end)
	b.equal("delivery after a repeat that a retry overtook", b.delivery(e, 1), after)
	var numbers []int
	for _, a := range b.attempts(e, 1) {
		numbers = append(numbers, a.Number)
	}
	b.equal("attempts", numbers, []int{1, 2, 3})
}

func testSettleFinal(b *bench) {
	endpoint := b.endpoint(b.acme)
	e := b.accept(b.event(b.acme), endpoint)
	n, err := b.CancelPending(b.ctx, endpoint.ID, postrider.ReasonEndpointDeleted, start, 10)
	b.must(err)
	if n != 1 {
		b.Fatalf("%d cancelled, want 1", n)
	}
	b.settle(settlement(e, 1, 1, endpoint.ID))
	d := b.delivery(e, 1)
	if d.State != postrider.DeliveryCancelled || d.Reason != postrider.ReasonEndpointDeleted || !d.EndedAt.Equal(start) {
		b.Errorf("delivery %+v, want it cancelled as before", d)
	}
	if n := len(b.attempts(e, 1)); n != 1 || d.Attempts != 1 {
		b.Errorf("%d attempts, counted %d; want 1", n, d.Attempts)
	}
}

func testSettleMany(b *bench) {
	endpoint := b.endpoint(b.acme)
	const n = 300
	var batch []*store.Acceptance
	for range n {
		batch = append(batch, &store.Acceptance{Event: b.event(b.acme), Deliveries: []store.Owed{{Endpoint: endpoint.ID, DueAt: start}}})
	}
	_, err := b.Accept(b.ctx, batch)
	b.must(err)
	var settlements []store.Settlement
	for i, a := range batch {
		s := settlement(a.Event, 1, 1, endpoint.ID)
		switch i % 3 {
		case 1:
			s = retrying(s, start.Add(time.Duration(i)*time.Second))
		case 2:
			s = failing(s)
		}
		settlements = append(settlements, s)
	}
	b.settle(settlements...)
	for i, a := range batch {
		d, want := b.delivery(a.Event, 1), settlements[i]
		if d.State != want.State || d.Reason != want.Reason || d.Attempts != 1 || !d.EndedAt.Equal(want.EndedAt) ||
			want.State == postrider.DeliveryPending && !d.DueAt.Equal(want.DueAt) {
			b.Fatalf("delivery %d: %+v, settled as %+v", i, d, want)
		}
		got := b.attempts(a.Event, 1)
		b.equal("attempts", got, []postrider.Attempt{*want.Attempt})
	}
	if got := len(b.due(endpoint, start.Add(time.Hour), 1000).Jobs); got != n/3 {
		b.Errorf("%d pending, want %d", got, n/3)
	}
}

func testDisable(b *bench) {
	endpoint, beside := b.endpoint(b.acme), b.endpoint(b.acme)
	e := b.accept(b.event(b.acme), endpoint, endpoint)
	s := failing(settlement(e, 1, 1, endpoint.ID))
	s.Disable = postrider.DisabledByExhausted
	b.settle(s)
	disabled, err := b.FindEndpoint(b.ctx, b.acme, endpoint.ID)
	b.must(err)
	if disabled.State != postrider.EndpointDisabled || disabled.DisabledReason != postrider.DisabledByExhausted || !disabled.DisabledAt.Equal(s.EndedAt) {
		b.Errorf("endpoint %+v", disabled)
	}

	second := failing(settlement(e, 2, 2, endpoint.ID))
	second.Disable = postrider.DisabledByGone
	b.settle(second)
	again, err := b.FindEndpoint(b.ctx, b.acme, endpoint.ID)
	b.must(err)
	b.equal("endpoint disabled twice", again, disabled)

	// Somebody enables it; the repeat of a settlement must not disable it again.
	enabled := postrider.EndpointEnabled
	_, err = b.UpdateEndpoint(b.ctx, b.acme, endpoint.ID, store.EndpointPatch{State: &enabled}, start.Add(time.Hour))
	b.must(err)
	b.settle(s)
	got, err := b.FindEndpoint(b.ctx, b.acme, endpoint.ID)
	b.must(err)
	if got.State != postrider.EndpointEnabled {
		b.Errorf("a repeated settlement disabled the endpoint again: %+v", got)
	}
	other, err := b.FindEndpoint(b.ctx, b.acme, beside.ID)
	b.must(err)
	b.equal("endpoint beside", other, beside)
}

func testCancel(b *bench) {
	endpoint, beside := b.endpoint(b.acme), b.endpoint(b.acme)
	var last *postrider.Event
	for range 5 {
		last = b.accept(b.event(b.acme), endpoint, beside)
	}
	b.settle(settlement(last, 1, 1, endpoint.ID))
	var counts []int
	for range 4 {
		n, err := b.CancelPending(b.ctx, endpoint.ID, postrider.ReasonEndpointDeleted, start.Add(time.Second), 2)
		b.must(err)
		counts = append(counts, n)
	}
	b.equal("cancelled", counts, []int{2, 2, 0, 0})
	if d := b.delivery(last, 1); d.State != postrider.DeliverySucceeded {
		b.Errorf("a delivery that had succeeded: %+v", d)
	}
	cancelled := b.deliveries(b.acme, store.DeliveryFilter{State: postrider.DeliveryCancelled})
	if len(cancelled) != 4 {
		b.Fatalf("%d cancelled, want 4", len(cancelled))
	}
	for _, d := range cancelled {
		if d.Endpoint != endpoint.ID || d.Reason != postrider.ReasonEndpointDeleted || !d.EndedAt.Equal(start.Add(time.Second)) {
			b.Errorf("cancelled delivery %+v", d)
		}
	}
	b.equal("lanes", b.lanes(), []store.Lane{{Endpoint: beside.ID, Earliest: start}})
}
