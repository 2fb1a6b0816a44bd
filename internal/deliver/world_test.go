package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/deliver"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/memory"
)

// world is a gateway without surfaces inside a synctest bubble: ingest, engine and store are the
// real ones or pass the stores' conformance suite; receivers are functions, and time is virtual.
type world struct {
	t         *testing.T
	store     *memory.Store
	contracts *contract.Set
	index     *ingest.Index
	receivers *receivers
	tenant    postrider.TenantID

	options  deliver.Options // copied for every engine that is started
	engine   *deliver.Engine
	ingester *ingest.Ingester
}

// inWorld runs test in a bubble of its own that starts at midnight UTC, 2000-01-01.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		contracts, err := contract.NewSet(contract.Builtin()...)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{
			t: t, store: memory.New(), contracts: contracts, index: ingest.NewIndex(contracts),
			receivers: newReceivers(), tenant: postrider.NewTenantID(time.Now()),
		}
		if err := w.store.CreateTenant(t.Context(), &postrider.Tenant{ID: w.tenant, Name: "acme", CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		test(t, w)
		w.stop(time.Minute)
	})
}

// start begins an engine and an ingester on what the store holds.
func (w *world) start() {
	w.t.Helper()
	o := w.options
	o.Queue, o.Poster, o.Contracts = w.store, w.receivers, w.contracts
	o.Disabled = func(ctx context.Context, id postrider.EndpointID) error {
		endpoint, err := w.store.LaneEndpoint(ctx, id)
		if err != nil {
			return err
		}
		return w.index.Put(endpoint)
	}
	w.engine = deliver.New(o)
	if err := w.engine.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.ingester = ingest.New(ingest.Options{Inbox: w.store, Index: w.index, Offer: w.engine.Offer})
}

// stop ends them as SIGTERM would.
func (w *world) stop(grace time.Duration) error {
	if w.engine == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	w.ingester.Close()
	err := w.engine.Stop(ctx)
	w.engine = nil
	return err
}

// crash ends them as kill -9 would: no call reaches the store any more.
func (w *world) crash() {
	before := w.store.FailWith(func(string) error { return errors.New("the process is dead") })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.ingester.Close()
	_ = w.engine.Stop(ctx) // it cannot settle: that is the point
	w.engine = nil
	w.store.FailWith(before)
}

// endpoint registers a receiver that answers as given.
func (w *world) endpoint(contractName string, respond answer, edit ...func(*postrider.Endpoint)) *postrider.Endpoint {
	w.t.Helper()
	now := time.Now()
	e := &postrider.Endpoint{
		ID: postrider.NewEndpointID(now), Tenant: w.tenant, Environment: postrider.Production, Contract: contractName,
		Topics: []postrider.Topic{"order.created"}, State: postrider.EndpointEnabled, CreatedAt: now, UpdatedAt: now,
		Secrets: []postrider.Secret{postrider.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
	}
	e.URL = "https://" + e.ID.UUID() + ".example/"
	for _, f := range edit {
		f(e)
	}
	w.receivers.answer(e, respond)
	if err := w.store.CreateEndpoint(context.Background(), e); err != nil {
		w.t.Fatal(err)
	}
	if err := w.index.Put(e); err != nil {
		w.t.Fatal(err)
	}
	return e
}

// update changes an endpoint everywhere, as control does.
func (w *world) update(e *postrider.Endpoint, patch store.EndpointPatch) {
	w.t.Helper()
	changed, err := w.store.UpdateEndpoint(context.Background(), e.Tenant, e.ID, patch, time.Now())
	if err == nil {
		err = w.index.Put(changed)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine.EndpointChanged(changed)
}

// remove unregisters an endpoint, as control does.
func (w *world) remove(e *postrider.Endpoint) {
	w.t.Helper()
	deleted, err := w.store.DeleteEndpoint(context.Background(), e.Tenant, e.ID, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.index.Remove(deleted)
	w.engine.EndpointChanged(deleted)
}

// publish accepts one event whose data carries n, and returns its id.
func (w *world) publish(n int) postrider.EventID {
	w.t.Helper()
	receipt, err := w.ingester.Publish(context.Background(), w.publication(n))
	if err != nil {
		w.t.Fatal(err)
	}
	return receipt.EventID
}

func (w *world) publication(n int) *ingest.Publication {
	return &ingest.Publication{
		Tenant: w.tenant, Environment: postrider.Production, Topic: "order.created", Data: fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

// after lets virtual time pass.
func (w *world) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// delivery gives the only delivery of an event.
func (w *world) delivery(event postrider.EventID) postrider.Delivery {
	w.t.Helper()
	found, err := w.store.EventDeliveries(context.Background(), w.tenant, event)
	if err != nil || len(found) != 1 {
		w.t.Fatalf("deliveries of %s: %v, %v; want one", event, found, err)
	}
	return found[0]
}

// states counts the world's deliveries by state.
func (w *world) states() map[postrider.DeliveryState]int {
	w.t.Helper()
	counts := make(map[postrider.DeliveryState]int)
	filter := store.DeliveryFilter{Limit: 1000}
	for {
		page, err := w.store.Deliveries(context.Background(), w.tenant, filter)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range page {
			counts[d.State]++
			filter.Before, filter.BeforeNumber = d.Sequence, d.ID.Number
		}
		if len(page) < filter.Limit {
			return counts
		}
	}
}

// answer is how a receiver answers the request that it gets as its nth, from 1.
type answer func(ctx context.Context, nth int) egress.Result

func status(code int) answer {
	return func(context.Context, int) egress.Result { return answered(code) }
}

func answered(code int) egress.Result {
	return egress.Result{Response: postrider.Response{Status: code}}
}

// slow answers with a status after d, or reports a time-out when the request's limit is shorter.
func slow(d time.Duration, code int) answer {
	return func(ctx context.Context, _ int) egress.Result {
		select {
		case <-time.After(d):
			return answered(code)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return egress.Result{Failure: postrider.OutcomeTimeout, Detail: "no answer in time"}
			}
			return egress.Result{Failure: postrider.OutcomeInterrupted, Detail: "cut off"}
		}
	}
}

// receivers are the other side of all endpoints: a deliver.Poster without a network.
type receivers struct {
	mu       sync.Mutex
	answers  map[string]answer    // by host
	arrivals map[string][]arrival // by host, in order
	underWay map[string]int
	most     map[string]int // requests at the same time, by host
}

// arrival is one request that came in.
type arrival struct {
	at     time.Time
	n      int // of the event's data
	header []postrider.HeaderField
	asked  *egress.Credentials
}

func newReceivers() *receivers {
	return &receivers{
		answers: make(map[string]answer), arrivals: make(map[string][]arrival),
		underWay: make(map[string]int), most: make(map[string]int),
	}
}

func (r *receivers) answer(e *postrider.Endpoint, respond answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[host(e)] = respond
}

func host(e *postrider.Endpoint) string { return e.ID.UUID() + ".example" }

// Post is deliver.Poster.
func (r *receivers) Post(ctx context.Context, request *egress.Request) egress.Result {
	ctx, cancel := context.WithTimeout(ctx, request.Timeout)
	defer cancel()
	host := request.URL.Host
	r.mu.Lock()
	_, number, _ := bytes.Cut(request.Body, []byte(`"n":`))
	number, _, _ = bytes.Cut(number, []byte(`}`))
	n, err := strconv.Atoi(string(number))
	if err != nil {
		panic(fmt.Sprintf("the body %q is not what was published", request.Body))
	}
	r.arrivals[host] = append(r.arrivals[host], arrival{time.Now(), n, slices.Clone(request.Header), request.Credentials})
	nth := len(r.arrivals[host])
	r.underWay[host]++
	r.most[host] = max(r.most[host], r.underWay[host])
	respond := r.answers[host]
	r.mu.Unlock()
	result := respond(ctx, nth)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.underWay[host]--
	return result
}

// arrived gives the requests that an endpoint got so far, in order.
func (r *receivers) arrived(e *postrider.Endpoint) []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.arrivals[host(e)])
}

// mostAtOnce gives how many requests an endpoint got at the same time at the most.
func (r *receivers) mostAtOnce(e *postrider.Endpoint) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most[host(e)]
}

// offsets gives when requests for an endpoint came in, since a moment.
func (r *receivers) offsets(e *postrider.Endpoint, since time.Time) []time.Duration {
	var found []time.Duration
	for _, a := range r.arrived(e) {
		found = append(found, a.at.Sub(since))
	}
	return found
}

// numbers gives how often each event number came in at an endpoint.
func (r *receivers) numbers(e *postrider.Endpoint) map[int]int {
	counts := make(map[int]int)
	for _, a := range r.arrived(e) {
		counts[a.n]++
	}
	return counts
}

func sortedKeys(m map[int]int) []int { return slices.Sorted(maps.Keys(m)) }
