package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

func concurrencyTests() []test {
	return []test{
		{"everything accepted and settled at the same time is accounted for", testCrowd},
		{"one key used by many at the same time makes one event", testKeyRace},
		{"a failing call does not hurt those beside it", testBadNeighbours},
		{"a call given up has happened or has not, and says which", testGivenUp},
		{"closing waits for calls under way", testCloseUnderWay},
	}
}

// testCrowd lets publishers accept and settle in batches of many sizes while readers look on.
func testCrowd(b *bench) {
	const publishers, rounds = 8, 12
	endpoints := []*postrider.Endpoint{b.endpoint(b.acme), b.endpoint(b.acme), b.endpoint(b.acme)}
	var wrong sync.Map
	fail := func(format string, args ...any) { wrong.Store(fmt.Sprintf(format, args...), true) }
	var accepted atomic.Int64
	stop, readers := make(chan struct{}), sync.WaitGroup{}
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := b.Lanes(b.ctx); err != nil {
				fail("lanes: %v", err)
			}
			before := accepted.Load()
			refill, err := b.Due(b.ctx, endpoints[0].ID, start, 100)
			if err != nil {
				fail("due: %v", err)
			}
			for _, job := range refill.Jobs {
				if job.Event == nil || job.Delivery.State != postrider.DeliveryPending {
					fail("job %+v", job)
				}
			}
			if events, err := b.Events(b.ctx, b.acme, store.EventFilter{Limit: 1000}); err != nil || int64(len(events)) < min(before, 1000) {
				fail("%d events are listed after %d were accepted (%v)", len(events), before, err)
			}
		}
	})
	var writers sync.WaitGroup
	for p := range publishers {
		writers.Go(func() {
			for round := range rounds {
				var batch []*store.Acceptance
				for i := range 1 + (p*rounds+round)*7%90 {
					e := &postrider.Event{ID: postrider.NewEventID(start), Tenant: b.acme, Environment: postrider.Production,
						Topic: "order.created", OccurredAt: start, AcceptedAt: start, Data: []byte("{}")}
					a := &store.Acceptance{Event: e}
					for j := range i % 3 {
						a.Deliveries = append(a.Deliveries, store.Owed{Endpoint: endpoints[j].ID, DueAt: start})
					}
					batch = append(batch, a)
				}
				if _, err := b.Accept(b.ctx, batch); err != nil {
					fail("accept: %v", err)
					return
				}
				accepted.Add(int64(len(batch)))
				var settlements []store.Settlement
				for _, a := range batch {
					if a.Event.Sequence == 0 {
						fail("no sequence")
					}
					for j := range a.Deliveries {
						settlements = append(settlements, settlement(a.Event, j+1, 1, endpoints[j].ID))
					}
				}
				for range 1 + round%2 { // every second round repeats it
					if err := b.Settle(b.ctx, settlements); err != nil {
						fail("settle: %v", err)
					}
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	wrong.Range(func(message, _ any) bool { b.Error(message); return true })

	events, sequences := 0, make(map[int64]bool)
	for before := int64(0); ; {
		page := b.events(b.acme, store.EventFilter{Before: before})
		for _, e := range page {
			events++
			sequences[e.Sequence] = true
			before = e.Sequence
		}
		if len(page) < 1000 {
			break
		}
	}
	if events != int(accepted.Load()) || len(sequences) != events {
		b.Errorf("%d events with %d sequences, %d were accepted", events, len(sequences), accepted.Load())
	}
	b.equal("lanes", b.lanes(), []store.Lane(nil))
	for _, d := range b.deliveries(b.acme, store.DeliveryFilter{}) {
		if d.State != postrider.DeliverySucceeded || d.Attempts != 1 {
			b.Errorf("delivery %+v", d)
		}
	}
}

func testKeyRace(b *bench) {
	for round := range 5 {
		const publishers = 16
		var fresh, duplicates atomic.Int64
		var group sync.WaitGroup
		answers := make([]store.Accepted, publishers)
		for p := range publishers {
			a := b.keyed(b.acme, fmt.Sprint("round-", round), "", 1)
			group.Go(func() {
				got, err := b.Accept(b.ctx, []*store.Acceptance{a})
				switch {
				case err != nil:
					b.Error(err)
				case got[0].Duplicate:
					duplicates.Add(1)
				case !got[0].Conflict:
					fresh.Add(1)
				}
				if err == nil {
					answers[p] = got[0]
				}
			})
		}
		group.Wait()
		if fresh.Load() != 1 || duplicates.Load() != publishers-1 {
			b.Errorf("%d new and %d duplicates, want 1 and %d", fresh.Load(), duplicates.Load(), publishers-1)
		}
		for _, a := range answers {
			if a.EventID != answers[0].EventID {
				b.Errorf("answers name %s and %s", a.EventID, answers[0].EventID)
			}
		}
	}
}

func testBadNeighbours(b *bench) {
	endpoint := b.endpoint(b.acme)
	var group sync.WaitGroup
	var good atomic.Int64
	for i := range 60 {
		var a *store.Acceptance
		switch i % 3 {
		case 0:
			a = &store.Acceptance{Event: b.event(b.acme), Deliveries: []store.Owed{{Endpoint: endpoint.ID, DueAt: start}}}
		case 1:
			a = &store.Acceptance{Event: b.event(postrider.NewTenantID(start))}
		}
		group.Go(func() {
			switch i % 3 {
			case 0:
				if _, err := b.Accept(b.ctx, []*store.Acceptance{a}); err != nil {
					b.Errorf("a good batch: %v", err)
					return
				}
				good.Add(1)
			case 1:
				if _, err := b.Accept(b.ctx, []*store.Acceptance{a}); postrider.ErrorCode(err) != postrider.CodeNotFound {
					b.Errorf("a batch for nobody: %v", err)
				}
			case 2:
				err := b.CreateTenant(b.ctx, &postrider.Tenant{ID: postrider.NewTenantID(start), Name: "acme"})
				if postrider.ErrorCode(err) != postrider.CodeConflict {
					b.Errorf("a name that is taken: %v", err)
				}
			}
		})
	}
	group.Wait()
	if n := len(b.events(b.acme, store.EventFilter{})); n != int(good.Load()) || n != 20 {
		b.Errorf("%d events are there, %d were accepted, want 20", n, good.Load())
	}
}

func testGivenUp(b *bench) {
	var group sync.WaitGroup
	var mu sync.Mutex
	accepted := make(map[postrider.EventID]bool)
	for i := range 100 {
		e := b.event(b.acme)
		ctx, cancel := context.WithTimeout(b.ctx, time.Duration(i)*50*time.Microsecond)
		group.Go(func() {
			defer cancel()
			_, err := b.Accept(ctx, []*store.Acceptance{{Event: e}})
			if code := postrider.ErrorCode(err); err != nil && code != postrider.CodeUnavailable {
				b.Errorf("code %q: %v", code, err)
			}
			mu.Lock()
			defer mu.Unlock()
			accepted[e.ID] = err == nil
		})
	}
	group.Wait()
	stored := make(map[postrider.EventID]bool)
	for _, e := range b.events(b.acme, store.EventFilter{}) {
		stored[e.ID] = true
	}
	for id, said := range accepted {
		if stored[id] != said {
			b.Errorf("%s: stored %v, answered %v", id, stored[id], said)
		}
	}
}

func testCloseUnderWay(b *bench) {
	endpoint := b.endpoint(b.acme)
	var group sync.WaitGroup
	begun := make(chan struct{}, 64)
	for range 8 {
		group.Go(func() {
			for {
				e := &postrider.Event{ID: postrider.NewEventID(start), Tenant: b.acme, Environment: postrider.Production, Topic: "t", AcceptedAt: start, Data: []byte("{}")}
				_, err := b.Accept(b.ctx, []*store.Acceptance{{Event: e, Deliveries: []store.Owed{{Endpoint: endpoint.ID, DueAt: start}}}})
				select {
				case begun <- struct{}{}:
				default:
				}
				if err == nil {
					_, err = b.Due(b.ctx, endpoint.ID, start, 10)
				}
				if err != nil {
					if postrider.ErrorCode(err) != postrider.CodeUnavailable {
						b.Errorf("a call while closing: %v", err)
					}
					return
				}
			}
		})
	}
	for range 20 {
		<-begun
	}
	b.must(b.Close())
	group.Wait()
}
