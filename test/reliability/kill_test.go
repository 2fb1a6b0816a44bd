package reliability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/internal/receivertest"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

const (
	kills      = 10
	publishers = 16
)

// TestKilledTenTimesUnderLoadItLosesNothingThatItAccepted kills the program at random moments while
// events are published and delivered. Every event that was answered 202 must arrive; one whose
// outcome was settled before a kill must not arrive again after it.
func TestKilledTenTimesUnderLoadItLosesNothingThatItAccepted(t *testing.T) {
	const secret = "a secret for the receiver of this test"
	options := receivertest.Generic(secret)
	options.Forget = true
	receiver, err := receivertest.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	g := newGateway(t)
	g.start()
	if _, err := g.client().RegisterWebhook(t.Context(), api.WebhookCreate{URL: receiver.URL(), Events: []string{"*"}, Secret: secret}); err != nil {
		t.Fatal(err)
	}
	load := &load{accepted: make(map[string]bool)}
	for round := range kills {
		if round > 0 {
			g.start()
		}
		settledBefore := load.settled
		again := countsOf(receiver, settledBefore)
		wait := 100*time.Millisecond + time.Duration(rand.Int64N(int64(900*time.Millisecond)))
		load.runUntil(t, g.client(), func() { <-time.After(wait); g.kill() })
		for id, before := range again {
			if now := receiver.Count(id); now != before {
				t.Errorf("round %d: event %s was settled before the kill and was sent again", round, id)
			}
		}
		load.settled = settledEvents(t, g.data)
		t.Logf("round %d: killed after %v; accepted %d so far, settled %d, requests %d", round, wait.Round(time.Millisecond), len(load.accepted), len(load.settled), receiver.Len())
	}
	g.start()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	missing := missing(ctx, receiver, load.accepted)
	for id := range missing {
		t.Errorf("event %s was accepted and never arrived", id)
	}
	waitUntilNothingIsPending(ctx, t, g.client())
	counts, repeats := receiver.Counts(), 0
	for _, n := range counts {
		repeats += n - 1
	}
	t.Logf("accepted %d, arrived %d, missing %d, arrived again %d", len(load.accepted), len(counts), len(missing), repeats)
	if len(load.accepted) < 200 {
		t.Errorf("only %d events were accepted: this was no load", len(load.accepted))
	}
}

// load publishes events with ids of their own and remembers which were answered 202.
type load struct {
	next     atomic.Int64
	mu       sync.Mutex
	accepted map[string]bool
	settled  []string // ids whose success was durable at the last kill
}

// runUntil publishes from many goroutines until stop has returned and every one of them saw the end.
func (l *load) runUntil(t *testing.T, c *client.Client, stop func()) {
	t.Helper()
	var running sync.WaitGroup
	var stopped atomic.Bool
	for range publishers {
		running.Go(func() {
			for !stopped.Load() {
				id := fmt.Sprintf("n-%d", l.next.Add(1))
				data, err := json.Marshal(map[string]any{"object": map[string]string{"id": id}})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err = c.Publish(t.Context(), api.EventCreate{Type: "load.event", ID: id, Data: data}); err != nil {
					continue // not accepted, as far as the publisher knows
				}
				l.mu.Lock()
				l.accepted[id] = true
				l.mu.Unlock()
			}
		})
	}
	stop()
	stopped.Store(true)
	running.Wait()
}

func countsOf(r *receivertest.Receiver, ids []string) map[string]int {
	counts := make(map[string]int, len(ids))
	all := r.Counts()
	for _, id := range ids {
		counts[id] = all[id]
	}
	return counts
}

// settledEvents reads, from the store that the killed program left behind, whose deliveries had succeeded.
func settledEvents(t *testing.T, data string) []string {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: data})
	if err != nil {
		t.Fatalf("the store does not open after the kill: %v", err)
	}
	defer db.Close()
	tenant, err := db.FindTenantByName(ctx, postrider.DefaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	succeeded := make(map[postrider.EventID]bool)
	filter := store.DeliveryFilter{State: postrider.DeliverySucceeded, Limit: 1000}
	for page := []postrider.Delivery{{}}; len(page) > 0; {
		if page, err = db.Deliveries(ctx, tenant.ID, filter); err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			succeeded[d.ID.Event] = true
			filter.Before, filter.BeforeNumber = d.Sequence, d.ID.Number
		}
	}
	var ids []string
	events := store.EventFilter{Limit: 1000}
	for page := []*postrider.Event{{}}; len(page) > 0; {
		if page, err = db.Events(ctx, tenant.ID, events); err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if succeeded[e.ID] {
				ids = append(ids, e.PublicID())
			}
			events.Before = e.Sequence
		}
	}
	return ids
}

// missing waits until every accepted event has arrived or ctx ends, and gives those that have not.
func missing(ctx context.Context, r *receivertest.Receiver, accepted map[string]bool) map[string]bool {
	for {
		seen, counts := r.Len(), r.Counts()
		missing := make(map[string]bool)
		for id := range accepted {
			if counts[id] == 0 {
				missing[id] = true
			}
		}
		if len(missing) == 0 || r.WaitFor(ctx, seen+1) != nil {
			return missing
		}
	}
}

func waitUntilNothingIsPending(ctx context.Context, t *testing.T, c *client.Client) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		pending, err := c.Deliveries(ctx, client.DeliveryFilter{State: "pending", Page: client.Page{Limit: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if len(pending.Data) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("delivery %s is still pending", pending.Data[0].ID)
		}
	}
}
