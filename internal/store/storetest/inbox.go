package storetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

func inboxTests() []test {
	return []test{
		{"an accepted event comes back byte for byte", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			e := b.event(b.acme, givenID("order:1"), func(e *postrider.Event) {
				e.Data, e.Previous = []byte("{ \"a\" : 1.0e2,\n\"ü\":\"\\u0000\" }"), []byte(`null`)
				e.Reasons = []postrider.Reason{{Endpoint: endpoint.ID, Code: postrider.ReasonEndpointDisabled}, {Code: "a_word_from_the_future"}}
			})
			b.accept(e, endpoint)
			got, err := b.FindEvent(b.ctx, b.acme, "", e.ID.String())
			b.must(err)
			b.equal("event", got, e)
		}},
		{"an event without previous data has none", func(b *bench) {
			e := b.accept(b.event(b.acme))
			got, err := b.FindEvent(b.ctx, b.acme, "", e.ID.String())
			b.must(err)
			if got.Previous != nil || got.Reasons != nil || got.GivenID != "" {
				b.Errorf("previous %q, reasons %v, given id %q; want none", got.Previous, got.Reasons, got.GivenID)
			}
		}},
		{"a megabyte of data comes back", func(b *bench) {
			data := []byte(`"` + strings.Repeat("0123456789abcdef", 1<<16) + `"`)
			e := b.accept(b.event(b.acme, func(e *postrider.Event) { e.Data, e.Previous = data, data }), b.endpoint(b.acme))
			got, err := b.FindEvent(b.ctx, b.acme, "", e.ID.String())
			b.must(err)
			if !bytes.Equal(got.Data, data) || !bytes.Equal(got.Previous, data) {
				b.Error("the data differ")
			}
		}},
		{"the sequence grows in the order of acceptance and is set on the events", testSequence},
		{"answers stand in the order of the batch", func(b *bench) {
			endpoint := b.endpoint(b.acme)
			var batch []*store.Acceptance
			for i := range 200 {
				a := &store.Acceptance{Event: b.event(b.acme, func(e *postrider.Event) { e.Topic = postrider.Topic(fmt.Sprintf("t.%d", i)) })}
				for range i % 4 {
					a.Deliveries = append(a.Deliveries, store.Owed{Endpoint: endpoint.ID, DueAt: start})
				}
				batch = append(batch, a)
			}
			answers, err := b.Accept(b.ctx, batch)
			b.must(err)
			for i, a := range batch {
				want := store.Accepted{EventID: a.Event.ID, Topic: a.Event.Topic, Deliveries: i % 4}
				b.equal("answer", answers[i], want)
				found, err := b.EventDeliveries(b.ctx, b.acme, a.Event.ID)
				b.must(err)
				if len(found) != i%4 {
					b.Errorf("event %d has %d deliveries, want %d", i, len(found), i%4)
				}
			}
		}},
		{"deliveries are numbered from 1 in the order given and start pending", func(b *bench) {
			one, two := b.endpoint(b.acme), b.endpoint(b.acme)
			e := b.event(b.acme, sandbox)
			b.acceptOne(&store.Acceptance{Event: e, Deliveries: []store.Owed{
				{Endpoint: two.ID, DueAt: start.Add(time.Hour)}, {Endpoint: one.ID, DueAt: start}}})
			got, err := b.EventDeliveries(b.ctx, b.acme, e.ID)
			b.must(err)
			want := postrider.Delivery{ID: deliveryID(e, 1), Sequence: e.Sequence, Tenant: b.acme, Environment: postrider.Sandbox, Endpoint: two.ID,
				Topic: e.Topic, State: postrider.DeliveryPending, DueAt: start.Add(time.Hour), CreatedAt: e.AcceptedAt}
			second := want
			second.ID.Number, second.Endpoint, second.DueAt = 2, one.ID, start
			b.equal("deliveries", got, []postrider.Delivery{want, second})
		}},
		{"an empty batch is nothing", func(b *bench) {
			answers, err := b.Accept(b.ctx, nil)
			if len(answers) != 0 || err != nil {
				b.Errorf("got %v, %v", answers, err)
			}
		}},
		{"the same key and fingerprint answer the first", testSameKey},
		{"the same key with another fingerprint is a conflict", testConflict},
		{"a key met again within a batch counts", testWithinBatch},
		{"given ids and idempotency keys are namespaces of their own", testKeyKinds},
		{"keys are per environment and per tenant", testKeyScopes},
		{"an event with both keys is found again by either", testBothKeys},
		{"an unknown tenant or endpoint fails the batch and writes nothing", testUnknown},
		{"a context that has ended accepts nothing", func(b *bench) {
			ctx, cancel := context.WithCancel(b.ctx)
			cancel()
			_, err := b.Accept(ctx, []*store.Acceptance{{Event: b.event(b.acme)}})
			b.wantCode(err, postrider.CodeUnavailable)
			if n := len(b.events(b.acme, store.EventFilter{})); n != 0 {
				b.Errorf("%d events were written", n)
			}
		}},
		{"times are kept to the millisecond in UTC", func(b *bench) {
			zone := time.FixedZone("east", 3*3600)
			at := time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, zone)
			e := b.event(b.acme, func(e *postrider.Event) { e.OccurredAt, e.AcceptedAt = time.Date(1931, 1, 1, 0, 0, 0, 1, zone), at })
			b.acceptDue(e, at, b.endpoint(b.acme))
			got, err := b.FindEvent(b.ctx, b.acme, "", e.ID.String())
			b.must(err)
			want := time.Date(2026, 1, 2, 0, 4, 5, 678_000_000, time.UTC)
			b.equal("accepted at", got.AcceptedAt, want)
			b.equal("occurred at", got.OccurredAt, time.Date(1930, 12, 31, 21, 0, 0, 0, time.UTC))
			b.equal("due at", b.delivery(e, 1).DueAt, want)
		}},
	}
}

func testSequence(b *bench) {
	last := int64(0)
	for range 5 {
		batch := []*store.Acceptance{{Event: b.event(b.acme)}, {Event: b.event(b.other)}, {Event: b.event(b.acme)}}
		_, err := b.Accept(b.ctx, batch)
		b.must(err)
		for _, a := range batch {
			if a.Event.Sequence <= last {
				b.Fatalf("sequence %d after %d", a.Event.Sequence, last)
			}
			last = a.Event.Sequence
			got, err := b.FindEvent(b.ctx, a.Event.Tenant, "", a.Event.ID.String())
			b.must(err)
			if got.Sequence != last {
				b.Errorf("stored with sequence %d, answered %d", got.Sequence, last)
			}
		}
	}
}

// keyed makes an acceptance with both kinds of keys, "" for none.
func (b *bench) keyed(tenant postrider.TenantID, given, key string, fingerprint byte) *store.Acceptance {
	return &store.Acceptance{Event: b.event(tenant, givenID(given)), IdempotencyKey: key, Fingerprint: [32]byte{fingerprint}}
}

func testSameKey(b *bench) {
	endpoint := b.endpoint(b.acme)
	for _, a := range []*store.Acceptance{b.keyed(b.acme, "given", "", 1), b.keyed(b.acme, "", "key", 1)} {
		a.Deliveries = []store.Owed{{Endpoint: endpoint.ID, DueAt: start}, {Endpoint: endpoint.ID, DueAt: start}}
		a.Event.Topic = "first.topic"
		first := b.acceptOne(a)
		if first.Duplicate || first.Conflict {
			b.Fatalf("first answer %+v", first)
		}
		for range 3 { // again and again
			again := b.keyed(b.acme, a.Event.GivenID, a.IdempotencyKey, 1)
			want := first
			want.Duplicate = true
			b.equal("second answer", b.acceptOne(again), want)
			if again.Event.Sequence != 0 {
				b.Errorf("an event that was not written has sequence %d", again.Event.Sequence)
			}
			_, err := b.FindEvent(b.ctx, b.acme, "", again.Event.ID.String())
			b.wantCode(err, postrider.CodeNotFound)
		}
	}
	if n := len(b.events(b.acme, store.EventFilter{})); n != 2 {
		b.Errorf("%d events, want 2", n)
	}
	if n := len(b.due(endpoint, start, 100).Jobs); n != 4 {
		b.Errorf("%d deliveries, want 4", n)
	}
}

func testConflict(b *bench) {
	for _, a := range []*store.Acceptance{b.keyed(b.acme, "given", "", 1), b.keyed(b.acme, "", "key", 1)} {
		first := b.acceptOne(a)
		want := first
		want.Conflict = true
		b.equal("answer", b.acceptOne(b.keyed(b.acme, a.Event.GivenID, a.IdempotencyKey, 2)), want)
		want.Conflict, want.Duplicate = false, true
		b.equal("answer to the first again", b.acceptOne(b.keyed(b.acme, a.Event.GivenID, a.IdempotencyKey, 1)), want)
	}
	if n := len(b.events(b.acme, store.EventFilter{})); n != 2 {
		b.Errorf("%d events, want 2", n)
	}
}

func testWithinBatch(b *bench) {
	b.acceptOne(b.keyed(b.acme, "old", "", 1))
	batch := []*store.Acceptance{
		b.keyed(b.acme, "a", "", 1), b.keyed(b.acme, "", "", 0), b.keyed(b.acme, "a", "", 1), b.keyed(b.acme, "a", "", 2),
		b.keyed(b.acme, "old", "", 1), b.keyed(b.acme, "b", "k", 1), b.keyed(b.acme, "", "k", 1), b.keyed(b.acme, "c", "", 1),
	}
	answers, err := b.Accept(b.ctx, batch)
	b.must(err)
	var got []string
	for _, a := range answers {
		got = append(got, fmt.Sprintf("%v %v", a.Duplicate, a.Conflict))
	}
	const fresh, duplicate, conflict = "false false", "true false", "false true"
	b.equal("answers", got, []string{fresh, fresh, duplicate, conflict, duplicate, fresh, duplicate, fresh})
	if answers[2].EventID != answers[0].EventID || answers[6].EventID != answers[5].EventID || answers[6].GivenID != "b" {
		b.Error("a duplicate does not name the first")
	}
	if n := len(b.events(b.acme, store.EventFilter{})); n != 5 {
		b.Errorf("%d events, want 5", n)
	}
}

func testKeyKinds(b *bench) {
	for _, a := range []*store.Acceptance{b.keyed(b.acme, "same", "", 1), b.keyed(b.acme, "", "same", 2)} {
		if got := b.acceptOne(a); got.Duplicate || got.Conflict {
			b.Errorf("answer %+v, want a new event", got)
		}
	}
	// A key is no id to find an event by.
	b.acceptOne(b.keyed(b.acme, "", "only a key", 3))
	_, err := b.FindEvent(b.ctx, b.acme, "", "only a key")
	b.wantCode(err, postrider.CodeNotFound)
}

func testKeyScopes(b *bench) {
	inSandbox := b.keyed(b.acme, "id", "key", 2)
	inSandbox.Event.Environment = postrider.Sandbox
	for i, a := range []*store.Acceptance{b.keyed(b.acme, "id", "key", 1), inSandbox, b.keyed(b.other, "id", "key", 3)} {
		if got := b.acceptOne(a); got.Duplicate || got.Conflict {
			b.Errorf("answer %d: %+v, want a new event", i, got)
		}
	}
}

func testBothKeys(b *bench) {
	first := b.acceptOne(b.keyed(b.acme, "id", "key", 1))
	want := first
	want.Duplicate = true
	b.equal("by id", b.acceptOne(b.keyed(b.acme, "id", "", 1)), want)
	b.equal("by key", b.acceptOne(b.keyed(b.acme, "", "key", 1)), want)
	b.equal("by id, with a new key", b.acceptOne(b.keyed(b.acme, "id", "new key", 1)), want)
	b.equal("by key, with a new id", b.acceptOne(b.keyed(b.acme, "new id", "key", 1)), want)
	// What was not written took no key.
	for _, a := range []*store.Acceptance{b.keyed(b.acme, "new id", "", 7), b.keyed(b.acme, "", "new key", 8)} {
		if got := b.acceptOne(a); got.Duplicate || got.Conflict {
			b.Errorf("answer %+v, want a new event", got)
		}
	}
}

func testUnknown(b *bench) {
	endpoint := b.endpoint(b.acme)
	good := func() *store.Acceptance {
		return &store.Acceptance{Event: b.event(b.acme), Deliveries: []store.Owed{{Endpoint: endpoint.ID, DueAt: start}}}
	}
	nobody := &store.Acceptance{Event: b.event(postrider.NewTenantID(start))}
	nowhere := &store.Acceptance{Event: b.event(b.acme), Deliveries: []store.Owed{{Endpoint: postrider.NewEndpointID(start), DueAt: start}}}
	for _, bad := range []*store.Acceptance{nobody, nowhere} {
		_, err := b.Accept(b.ctx, []*store.Acceptance{good(), bad, good()})
		b.wantCode(err, postrider.CodeNotFound)
	}
	if n := len(b.events(b.acme, store.EventFilter{})); n != 0 {
		b.Errorf("%d events were written", n)
	}
	b.acceptOne(good())
}
