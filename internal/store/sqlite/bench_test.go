package sqlite

import (
	"context"
	"fmt"
	"os"
	"strconv"
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
	for _, keyed := range []bool{false, true} {
		for _, endpoints := range []int{1, 100} {
			b.Run(fmt.Sprintf("keyed=%v/endpoints=%d", keyed, endpoints), func(b *testing.B) {
				benchmarkLife(b, openBench(b, b.TempDir()), endpoints, keyed)
			})
		}
	}
}

// BenchmarkLifeWithHistory is BenchmarkLife on an empty store and after as many events of history
// as POSTRIDER_BENCH_HISTORY says (1,000,000 for the promise of DESIGN.md section 5; 20,000 when it is unset).
func BenchmarkLifeWithHistory(b *testing.B) {
	history := 20_000
	if text := os.Getenv("POSTRIDER_BENCH_HISTORY"); text != "" {
		var err error
		if history, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for _, n := range []int{0, history} {
		b.Run(fmt.Sprintf("history=%d", n), func(b *testing.B) {
			l := openBench(b, b.TempDir())
			l.run(b, n, 4, 10, false)
			benchmarkLife(b, l, 10, false)
		})
	}
}

const benchBatch = 256

type life struct {
	store     *Store
	tenant    postrider.TenantID
	endpoints []postrider.EndpointID
}

func openBench(b testing.TB, dir string) *life {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	now := time.Now()
	l := &life{store: s, tenant: postrider.NewTenantID(now)}
	if err := s.CreateTenant(ctx, &postrider.Tenant{ID: l.tenant, Name: "bench", CreatedAt: now}); err != nil {
		b.Fatal(err)
	}
	for range 100 {
		e := &postrider.Endpoint{ID: postrider.NewEndpointID(now), Tenant: l.tenant, Environment: postrider.Production,
			URL: "https://example.org/", Topics: []postrider.Topic{"*"}, Contract: "generic", State: postrider.EndpointEnabled, CreatedAt: now, UpdatedAt: now}
		if err := s.CreateEndpoint(ctx, e); err != nil {
			b.Fatal(err)
		}
		l.endpoints = append(l.endpoints, e.ID)
	}
	return l
}

func benchmarkLife(b *testing.B, l *life, endpoints int, keyed bool) {
	b.ReportAllocs()
	before := cpuTime()
	b.ResetTimer()
	l.run(b, b.N, 4, endpoints, keyed)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/event")
}

// run leads n events through their life with as many publishers at a time.
func (l *life) run(b testing.TB, n, publishers, endpoints int, keyed bool) {
	var group sync.WaitGroup
	batches := make(chan int)
	for range publishers {
		group.Go(func() {
			for size := range batches {
				if err := l.batch(size, endpoints, keyed); err != nil {
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

func (l *life) batch(size, endpoints int, keyed bool) error {
	ctx, now := context.Background(), time.Now()
	data := make([]byte, 1024)
	for i := range data {
		data[i] = 'x'
	}
	batch := make([]*store.Acceptance, size)
	for i := range batch {
		e := &postrider.Event{ID: postrider.NewEventID(now), Tenant: l.tenant, Environment: postrider.Production,
			Topic: "order.created", OccurredAt: now, AcceptedAt: now, Data: data}
		if keyed {
			e.GivenID = e.ID.UUID()
		}
		batch[i] = &store.Acceptance{Event: e, Deliveries: []store.Owed{{Endpoint: l.endpoints[i%endpoints], DueAt: now}}}
	}
	if _, err := l.store.Accept(ctx, batch); err != nil {
		return err
	}
	settles := make([]store.Settlement, size)
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
	return l.store.Settle(ctx, settles)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
