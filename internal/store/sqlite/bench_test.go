package sqlite

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// BenchmarkLife is the whole life of an event with one delivery: accepted, settled as delivered
// with its attempt; 256 a batch, 1 KB of data, with accepts and settles sharing commits.
func BenchmarkLife(b *testing.B) {
	for _, keys := range []keys{noKeys, growingKeys, randomKeys} {
		for _, endpoints := range []int{1, 100} {
			b.Run(fmt.Sprintf("keys=%s/endpoints=%d", keys, endpoints), func(b *testing.B) {
				benchmarkLife(b, openBench(b, b.TempDir()), endpoints, keys)
			})
		}
	}
}

// BenchmarkLifeWithHistory is BenchmarkLife on an empty store and after as many events of history
// as POSTRIDER_BENCH_HISTORY says (1,000,000 for the promise of DESIGN.md section 5; 20,000 when it is unset).
func BenchmarkLifeWithHistory(b *testing.B) {
	history := benchSize(b, "POSTRIDER_BENCH_HISTORY")
	for _, n := range []int{0, history} {
		b.Run(fmt.Sprintf("history=%d", n), func(b *testing.B) {
			l := openBench(b, b.TempDir())
			l.run(b, n, 4, 10, noKeys)
			benchmarkLife(b, l, 10, noKeys)
		})
	}
}

const benchBatch = 256

// keys says what ids the publisher gives.
type keys string

const (
	noKeys      keys = "none"
	growingKeys keys = "growing" // UUIDv7
	randomKeys  keys = "random"  // UUIDv4
)

type life struct {
	store     *Store
	tenant    postrider.TenantID
	endpoints []postrider.EndpointID
}

func openBench(t testing.TB, dir string) *life {
	s, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return newLife(t, s)
}

// newLife makes a tenant "bench" with 100 endpoints.
func newLife(t testing.TB, s *Store) *life {
	ctx, now := context.Background(), time.Now()
	l := &life{store: s, tenant: postrider.NewTenantID(now)}
	if err := s.CreateTenant(ctx, &postrider.Tenant{ID: l.tenant, Name: "bench", CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 100 {
		e := &postrider.Endpoint{ID: postrider.NewEndpointID(now), Tenant: l.tenant, Environment: postrider.Production,
			URL: "https://example.org/", Topics: []postrider.Topic{"*"}, Contract: "generic", State: postrider.EndpointEnabled, CreatedAt: now, UpdatedAt: now}
		group.Go(func() {
			if err := s.CreateEndpoint(ctx, e); err != nil {
				t.Error(err)
			}
		})
		l.endpoints = append(l.endpoints, e.ID)
	}
	group.Wait()
	return l
}

func benchmarkLife(b *testing.B, l *life, endpoints int, keys keys) {
	b.ReportAllocs()
	before := cpuTime()
	b.ResetTimer()
	l.run(b, b.N, 4, endpoints, keys)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/event")
}

// benchSize reads a size from the environment; 20,000 when it is unset, so that a run is short.
func benchSize(b *testing.B, variable string) int {
	text := os.Getenv(variable)
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// run leads n events through their life with as many publishers at a time.
func (l *life) run(b testing.TB, n, publishers, endpoints int, keys keys) {
	var group sync.WaitGroup
	batches := make(chan int)
	for range publishers {
		group.Go(func() {
			for size := range batches {
				if err := l.batch(size, endpoints, keys); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for ; n > 0; n -= benchBatch {
		batches <- min(n, benchBatch)
	}
	close(batches)
	group.Wait()
}

func (l *life) batch(size, endpoints int, keys keys) error {
	batch := l.acceptances(size, endpoints, keys)
	if _, err := l.store.Accept(context.Background(), batch); err != nil {
		return err
	}
	return l.store.Settle(context.Background(), l.settlements(batch))
}

func (l *life) acceptances(size, endpoints int, keys keys) []*store.Acceptance {
	now := time.Now()
	batch := make([]*store.Acceptance, size)
	for i := range batch {
		batch[i] = l.acceptance(now)
		batch[i].Deliveries[0].Endpoint = l.endpoints[i%endpoints]
		switch keys {
		case growingKeys:
			batch[i].Event.GivenID = batch[i].Event.ID.UUID()
		case randomKeys:
			batch[i].Event.GivenID = rand.Text()
		}
	}
	return batch
}

func (l *life) acceptance(now time.Time) *store.Acceptance {
	return &store.Acceptance{
		Event: &postrider.Event{ID: postrider.NewEventID(now), Tenant: l.tenant, Environment: postrider.Production,
			Topic: "order.created", OccurredAt: now, AcceptedAt: now, Data: kilobyte},
		Deliveries: []store.Owed{{Endpoint: l.endpoints[0], DueAt: now}},
	}
}

var kilobyte = []byte(`"` + strings.Repeat("x", 1022) + `"`)

// settlements settles each event's one delivery as delivered.
func (l *life) settlements(batch []*store.Acceptance) []store.Settlement {
	now := time.Now()
	settles := make([]store.Settlement, len(batch))
	for i, a := range batch {
		id := postrider.DeliveryID{Event: a.Event.ID, Number: 1}
		settles[i] = store.Settlement{Delivery: id, Sequence: a.Event.Sequence, Tenant: l.tenant, Endpoint: a.Deliveries[0].Endpoint,
			State: postrider.DeliverySucceeded, EndedAt: now, Attempt: &postrider.Attempt{Delivery: id, Number: 1, Trigger: postrider.TriggerSchedule,
				StartedAt: now, Duration: 3 * time.Millisecond, Phases: postrider.Phases{FirstByte: 2 * time.Millisecond},
				Outcome: postrider.Outcome{Kind: postrider.OutcomeSuccess, Code: postrider.OutcomeDelivered},
				Request: postrider.RequestHead{URL: "https://example.org/hooks", Header: []postrider.HeaderField{
					{Name: "Content-Type", Value: "application/json"}, {Name: "Webhook-Id", Value: "evt_01h455vb4pex5vsknk084sn02q"},
					{Name: "Webhook-Timestamp", Value: "1700000000"}, {Name: "Webhook-Signature", Value: "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="}}},
				Response: postrider.Response{Status: 200, Header: []postrider.HeaderField{{Name: "Content-Length", Value: "2"},
					{Name: "Date", Value: "Sat, 21 Nov 2026 18:00:00 GMT"}}, Body: []byte("ok"), RemoteAddr: "192.0.2.1:443"}}}
	}
	return settles
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLanes reads the lanes of 1,000,000 pending deliveries over 100,000 endpoints when
// POSTRIDER_BENCH_PENDING is 1000000; of 20,000 over 2,000 when it is unset.
func BenchmarkLanes(b *testing.B) {
	pending := benchSize(b, "POSTRIDER_BENCH_PENDING")
	l := openBench(b, b.TempDir())
	l.grow(b, pending/10)
	for n := 0; n < pending; n += 1000 {
		batch := l.acceptances(1000, 1, noKeys)
		for i := range batch {
			batch[i].Deliveries[0].Endpoint = l.endpoints[(n+i)%len(l.endpoints)]
			batch[i].Event.Data = []byte("{}")
		}
		if _, err := l.store.Accept(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		lanes, err := l.store.Lanes(b.Context())
		if err != nil || len(lanes) != pending/10 {
			b.Fatalf("%d lanes, %v", len(lanes), err)
		}
	}
}

// grow registers endpoints until there are n, many in one commit.
func (l *life) grow(b *testing.B, n int) {
	var group sync.WaitGroup
	now := time.Now()
	for len(l.endpoints) < n {
		e := &postrider.Endpoint{ID: postrider.NewEndpointID(now), Tenant: l.tenant, Environment: postrider.Production,
			URL: "https://example.org/", Topics: []postrider.Topic{"*"}, Contract: "generic", State: postrider.EndpointEnabled, CreatedAt: now, UpdatedAt: now}
		l.endpoints = append(l.endpoints, e.ID)
		group.Go(func() {
			if err := l.store.CreateEndpoint(context.Background(), e); err != nil {
				b.Error(err)
			}
		})
	}
	l.endpoints = l.endpoints[:n]
	group.Wait()
}

// BenchmarkSmallTenant lists the events of a tenant that has 3 among as many of another tenant as
// POSTRIDER_BENCH_HISTORY says (20,000 when it is unset), and the deliveries of its endpoint by every filter.
func BenchmarkSmallTenant(b *testing.B) {
	history := benchSize(b, "POSTRIDER_BENCH_HISTORY")
	l := openBench(b, b.TempDir())
	now := time.Now()
	small := &life{store: l.store, tenant: postrider.NewTenantID(now)}
	if err := l.store.CreateTenant(b.Context(), &postrider.Tenant{ID: small.tenant, Name: "small", CreatedAt: now}); err != nil {
		b.Fatal(err)
	}
	small.grow(b, 1)
	if _, err := l.store.Accept(b.Context(), small.acceptances(3, 1, noKeys)); err != nil {
		b.Fatal(err)
	}
	l.run(b, history, 4, 10, noKeys)
	b.Run("Events", func(b *testing.B) {
		for b.Loop() {
			events, err := l.store.Events(b.Context(), small.tenant, store.EventFilter{Topic: "order.created", Limit: 100})
			if err != nil || len(events) != 3 {
				b.Fatalf("%d events, %v", len(events), err)
			}
		}
	})
	for _, state := range []postrider.DeliveryState{"", postrider.DeliveryPending, postrider.DeliveryFailed} {
		b.Run("Deliveries/"+string(state), func(b *testing.B) {
			for b.Loop() {
				if _, err := l.store.Deliveries(b.Context(), small.tenant, store.DeliveryFilter{State: state, Limit: 100}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("BigTenant/RareTopic", func(b *testing.B) {
		for b.Loop() {
			events, err := l.store.Events(b.Context(), l.tenant, store.EventFilter{Topic: "order.never", Limit: 100})
			if err != nil || len(events) != 0 {
				b.Fatalf("%d events, %v", len(events), err)
			}
		}
	})
}
