package storetest

import (
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

func replayTests() []test {
	return []test{
		{"an event is owed again under the next numbers, and keeps its id and data", testReplayEvent},
		{"replaying one event writes all of its deliveries or none", testReplayEventFaults},
		{"a replay chooses by topic, time, environment and state, none included", testReplayMatches},
		{"a replay is found step by step, each event once, in the order of acceptance", testReplaySteps},
		{"replaying the same events again passes over those that are still owed", testReplayTwice},
		{"events and endpoints of another tenant are not replayed", testReplayTenants},
		{"nothing is owed to a disabled or deleted endpoint", testReplayGone},
	}
}

func (b *bench) matches(endpoint *postrider.Endpoint, f store.ReplayFilter) store.ReplayMatches {
	b.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	matches, err := b.ReplayMatches(b.ctx, endpoint.Tenant, endpoint.ID, f)
	b.must(err)
	return matches
}

func (b *bench) replay(endpoint *postrider.Endpoint, due time.Time, events ...int64) int {
	b.Helper()
	made, err := b.Replay(b.ctx, endpoint.Tenant, endpoint.ID, events, due, start.Add(time.Hour))
	b.must(err)
	return made
}

func testReplayEvent(b *bench) {
	first, second := b.endpoint(b.acme), b.endpoint(b.acme)
	e := b.accept(b.event(b.acme, givenID("order:1")), first)
	b.settle(settlement(e, 1, 1, first.ID))
	now, due := start.Add(time.Hour), start.Add(2*time.Hour)
	made, err := b.ReplayEvent(b.ctx, b.acme, e.ID, []store.Owed{{Endpoint: first.ID, DueAt: now}, {Endpoint: second.ID, DueAt: due}}, now)
	b.must(err)
	want := []postrider.Delivery{
		{ID: deliveryID(e, 2), Sequence: e.Sequence, Tenant: b.acme, Environment: postrider.Production, Endpoint: first.ID, Topic: e.Topic,
			State: postrider.DeliveryPending, DueAt: now, CreatedAt: now},
		{ID: deliveryID(e, 3), Sequence: e.Sequence, Tenant: b.acme, Environment: postrider.Production, Endpoint: second.ID, Topic: e.Topic,
			State: postrider.DeliveryPending, DueAt: due, CreatedAt: now},
	}
	b.equal("what was made", made, want)
	all, err := b.EventDeliveries(b.ctx, b.acme, e.ID)
	b.must(err)
	b.equal("the event's deliveries", ids(all), []postrider.DeliveryID{deliveryID(e, 1), deliveryID(e, 2), deliveryID(e, 3)})
	if all[0].State != postrider.DeliverySucceeded {
		b.Errorf("the first delivery is %s after the replay", all[0].State)
	}
	refill := b.due(first, now, 10)
	if len(refill.Jobs) != 1 || refill.Jobs[0].Delivery.ID != deliveryID(e, 2) || refill.Jobs[0].Event.GivenID != "order:1" || string(refill.Jobs[0].Event.Data) != string(e.Data) {
		b.Errorf("due is %+v", refill.Jobs)
	}
	b.settle(settlement(e, 2, 1, first.ID))
	if d := b.delivery(e, 2); d.State != postrider.DeliverySucceeded || d.Attempts != 1 {
		b.Errorf("the replayed delivery is %+v", d)
	}
	if len(b.attempts(e, 1)) != 1 || len(b.attempts(e, 2)) != 1 {
		b.Error("attempts of one delivery went to another")
	}
	none, err := b.ReplayEvent(b.ctx, b.acme, e.ID, nil, now)
	b.must(err)
	if len(none) != 0 {
		b.Errorf("replaying to nobody made %v", none)
	}
}

func testReplayEventFaults(b *bench) {
	good, off, gone := b.endpoint(b.acme), b.endpoint(b.acme), b.endpoint(b.acme)
	e := b.accept(b.event(b.acme), good)
	disabled := postrider.EndpointDisabled
	_, err := b.UpdateEndpoint(b.ctx, b.acme, off.ID, store.EndpointPatch{State: &disabled}, start)
	b.must(err)
	_, err = b.DeleteEndpoint(b.ctx, b.acme, gone.ID, start)
	b.must(err)
	for endpoint, code := range map[postrider.EndpointID]postrider.Code{
		off.ID: postrider.CodeConflict, gone.ID: postrider.CodeNotFound, postrider.NewEndpointID(start): postrider.CodeNotFound,
	} {
		_, err = b.ReplayEvent(b.ctx, b.acme, e.ID, []store.Owed{{Endpoint: good.ID, DueAt: start}, {Endpoint: endpoint, DueAt: start}}, start)
		b.wantCode(err, code)
	}
	_, err = b.ReplayEvent(b.ctx, b.acme, postrider.NewEventID(start), []store.Owed{{Endpoint: good.ID, DueAt: start}}, start)
	b.wantCode(err, postrider.CodeNotFound)
	all, err := b.EventDeliveries(b.ctx, b.acme, e.ID)
	b.must(err)
	if len(all) != 1 {
		b.Errorf("after refused replays the event has %d deliveries", len(all))
	}
}

func testReplayMatches(b *bench) {
	endpoint, other := b.endpoint(b.acme), b.endpoint(b.acme)
	topic := func(name postrider.Topic) func(*postrider.Event) {
		return func(e *postrider.Event) { e.Topic = name }
	}
	at := func(minutes int) func(*postrider.Event) {
		return func(e *postrider.Event) { e.AcceptedAt = start.Add(time.Duration(minutes) * time.Minute) }
	}
	succeeded := b.accept(b.event(b.acme, topic("order.created"), at(0)), other, endpoint)
	failed := b.accept(b.event(b.acme, topic("order.paid"), at(1)), endpoint)
	none := b.accept(b.event(b.acme, topic("order.paid.late"), at(2)), other)
	nobody := b.accept(b.event(b.acme, topic("user.created"), at(3)))
	pending := b.accept(b.event(b.acme, topic("order.created"), at(4)), endpoint)
	trial := b.accept(b.event(b.acme, topic("order.created"), at(5), sandbox))
	b.settle(settlement(succeeded, 2, 1, endpoint.ID), failing(settlement(failed, 1, 1, endpoint.ID)))
	all := []*postrider.Event{succeeded, failed, none, nobody, pending, trial}
	for _, test := range []struct {
		name    string
		filter  store.ReplayFilter
		want    []*postrider.Event
		pending int
	}{
		{"all", store.ReplayFilter{}, []*postrider.Event{succeeded, failed, none, nobody, trial}, 1},
		{"production", store.ReplayFilter{Environment: postrider.Production}, []*postrider.Event{succeeded, failed, none, nobody}, 1},
		{"one topic", store.ReplayFilter{Topics: [][]postrider.Topic{{"order.paid"}}}, []*postrider.Event{failed}, 0},
		{"two topics", store.ReplayFilter{Topics: [][]postrider.Topic{{"order.paid", "user.created"}}}, []*postrider.Event{failed, nobody}, 0},
		{"a pattern", store.ReplayFilter{Topics: [][]postrider.Topic{{"order.*"}}}, []*postrider.Event{succeeded, failed, trial}, 1},
		{"both of two lists", store.ReplayFilter{Topics: [][]postrider.Topic{{"*"}, {"order.*"}, {"order.paid", "user.created"}}}, []*postrider.Event{failed}, 0},
		{"a list of nothing", store.ReplayFilter{Topics: [][]postrider.Topic{{}}}, nil, 0},
		{"from", store.ReplayFilter{From: start.Add(2 * time.Minute)}, []*postrider.Event{none, nobody, trial}, 1},
		{"to", store.ReplayFilter{To: start.Add(2 * time.Minute)}, []*postrider.Event{succeeded, failed}, 0},
		{"succeeded", store.ReplayFilter{State: "succeeded"}, []*postrider.Event{succeeded}, 0},
		{"failed", store.ReplayFilter{State: "failed"}, []*postrider.Event{failed}, 0},
		{"no delivery", store.ReplayFilter{State: store.ReplayNone}, []*postrider.Event{none, nobody, trial}, 0},
		{"cancelled", store.ReplayFilter{State: "cancelled"}, nil, 0},
		{"pending", store.ReplayFilter{State: "pending"}, nil, 1},
		{"after", store.ReplayFilter{After: failed.Sequence}, []*postrider.Event{none, nobody, trial}, 1},
		{"through", store.ReplayFilter{Through: failed.Sequence}, []*postrider.Event{succeeded, failed}, 0},
	} {
		matches := b.matches(endpoint, test.filter)
		var got, want []int
		for _, sequence := range matches.Events {
			got = append(got, slices.IndexFunc(all, func(e *postrider.Event) bool { return e.Sequence == sequence }))
		}
		for _, e := range test.want {
			want = append(want, slices.Index(all, e))
		}
		b.equal(test.name, got, want)
		if matches.Pending != test.pending || matches.Next != 0 {
			b.Errorf("%s: %d pending, next %d; want %d and 0", test.name, matches.Pending, matches.Next, test.pending)
		}
	}
	// A person retried an old delivery after a newer one had succeeded: the event is owed.
	b.replay(endpoint, start, failed.Sequence)
	b.settle(settlement(failed, 2, 1, endpoint.ID))
	b.equal("after the newer one succeeded", b.matches(endpoint, store.ReplayFilter{State: "succeeded"}).Events, []int64{succeeded.Sequence, failed.Sequence})
	_, err := b.RetryDelivery(b.ctx, b.acme, deliveryID(failed, 1), start)
	b.must(err)
	if m := b.matches(endpoint, store.ReplayFilter{State: "pending"}); m.Pending != 2 {
		b.Errorf("%d events are owed, want 2", m.Pending)
	}
}

func testReplaySteps(b *bench) {
	endpoint := b.endpoint(b.acme)
	var want []int64
	for i := range 25 {
		e := b.event(b.acme)
		if i%3 == 0 {
			e.Topic = "user.created"
		}
		b.accept(e)
		b.accept(b.event(b.other))
		if i%3 != 0 {
			want = append(want, e.Sequence)
		}
	}
	for _, patterns := range [][]postrider.Topic{{"order.created"}, {"order.*"}} {
		var got []int64
		filter := store.ReplayFilter{Topics: [][]postrider.Topic{patterns}, Limit: 4}
		for steps := 1; ; steps++ {
			matches := b.matches(endpoint, filter)
			if len(matches.Events) > filter.Limit {
				b.Fatalf("a step of %d events", len(matches.Events))
			}
			got = append(got, matches.Events...)
			if matches.Next == 0 {
				break
			}
			if filter.After = matches.Next; steps > 30 {
				b.Fatal("the steps do not end")
			}
		}
		b.equal(string(patterns[0]), got, want)
	}
	_, err := b.Replay(b.ctx, b.acme, endpoint.ID, make([]int64, 1001), start, start)
	b.wantCode(err, postrider.CodeInvalid)
}

func testReplayTwice(b *bench) {
	endpoint, other := b.endpoint(b.acme), b.endpoint(b.acme)
	one, two := b.accept(b.event(b.acme), other), b.accept(b.event(b.acme), endpoint)
	b.settle(settlement(two, 1, 1, endpoint.ID))
	due := start.Add(30 * time.Minute)
	if made := b.replay(endpoint, due, two.Sequence, one.Sequence); made != 2 {
		b.Errorf("%d deliveries were made of 2 events", made)
	}
	if made := b.replay(endpoint, due, two.Sequence, one.Sequence, one.Sequence, 1<<40, 0, -1); made != 0 {
		b.Errorf("%d deliveries were made again", made)
	}
	refill := b.due(endpoint, due, 10)
	b.equal("what is due, in order", jobIDs(refill), []postrider.DeliveryID{deliveryID(one, 2), deliveryID(two, 2)})
	lanes, err := b.Lanes(b.ctx)
	b.must(err)
	if i := slices.IndexFunc(lanes, func(l store.Lane) bool { return l.Endpoint == endpoint.ID }); i < 0 || !lanes[i].Earliest.Equal(due) {
		b.Errorf("the lanes are %+v", lanes)
	}
	if d := b.delivery(one, 2); !d.CreatedAt.Equal(start.Add(time.Hour)) || d.Attempts != 0 {
		b.Errorf("the delivery is %+v", d)
	}
}

func testReplayTenants(b *bench) {
	mine, theirs := b.endpoint(b.acme), b.endpoint(b.other)
	e := b.accept(b.event(b.acme), mine)
	foreign := b.accept(b.event(b.other), theirs)
	b.settle(settlement(e, 1, 1, mine.ID))
	if made := b.replay(mine, start, foreign.Sequence); made != 0 {
		b.Error("another tenant's event was replayed")
	}
	_, err := b.Replay(b.ctx, b.acme, theirs.ID, []int64{e.Sequence}, start, start)
	b.wantCode(err, postrider.CodeNotFound)
	_, err = b.ReplayEvent(b.ctx, b.acme, foreign.ID, []store.Owed{{Endpoint: mine.ID, DueAt: start}}, start)
	b.wantCode(err, postrider.CodeNotFound)
	_, err = b.ReplayEvent(b.ctx, b.acme, e.ID, []store.Owed{{Endpoint: theirs.ID, DueAt: start}}, start)
	b.wantCode(err, postrider.CodeNotFound)
	b.equal("the tenant's matches", b.matches(mine, store.ReplayFilter{}).Events, []int64{e.Sequence})
}

func testReplayGone(b *bench) {
	off, gone := b.endpoint(b.acme), b.endpoint(b.acme)
	e := b.accept(b.event(b.acme))
	disabled, enabled := postrider.EndpointDisabled, postrider.EndpointEnabled
	_, err := b.UpdateEndpoint(b.ctx, b.acme, off.ID, store.EndpointPatch{State: &disabled}, start)
	b.must(err)
	_, err = b.Replay(b.ctx, b.acme, off.ID, []int64{e.Sequence}, start, start)
	b.wantCode(err, postrider.CodeConflict)
	_, err = b.UpdateEndpoint(b.ctx, b.acme, off.ID, store.EndpointPatch{State: &enabled}, start)
	b.must(err)
	if made := b.replay(off, start, e.Sequence); made != 1 {
		b.Errorf("%d deliveries were made after it was enabled", made)
	}
	_, err = b.DeleteEndpoint(b.ctx, b.acme, gone.ID, start)
	b.must(err)
	_, err = b.Replay(b.ctx, b.acme, gone.ID, []int64{e.Sequence}, start, start)
	b.wantCode(err, postrider.CodeNotFound)
}
