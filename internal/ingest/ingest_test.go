package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/memory"
)

// desk is an ingester with what it works on.
type desk struct {
	*ingest.Ingester
	store   *memory.Store
	index   *ingest.Index
	tenant  postrider.TenantID
	mu      sync.Mutex
	offered []store.Job
	commits []ingest.Commit
}

func newDesk(t *testing.T, edit ...func(*ingest.Options)) *desk {
	t.Helper()
	contracts, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{store: memory.New(), index: ingest.NewIndex(contracts), tenant: postrider.NewTenantID(time.Now())}
	d.addTenant(t, d.tenant, "acme")
	o := ingest.Options{
		Inbox: d.store, Index: d.index,
		Offer: func(jobs []store.Job) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.offered = append(d.offered, jobs...)
		},
		OnCommit: func(c ingest.Commit) { d.commits = append(d.commits, c) },
	}
	for _, f := range edit {
		f(&o)
	}
	d.Ingester = ingest.New(o)
	t.Cleanup(d.Close)
	return d
}

func (d *desk) addTenant(t *testing.T, id postrider.TenantID, name string) {
	t.Helper()
	if err := d.store.CreateTenant(t.Context(), &postrider.Tenant{ID: id, Name: name, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) subscribe(t *testing.T, edit func(*postrider.Endpoint)) *postrider.Endpoint {
	t.Helper()
	e := &postrider.Endpoint{
		ID: postrider.NewEndpointID(time.Now()), Tenant: d.tenant, Environment: postrider.Production,
		Contract: "generic", URL: "https://a.example/", State: postrider.EndpointEnabled, Topics: []postrider.Topic{"order.created"},
	}
	edit(e)
	if err := d.index.Put(e); err != nil {
		t.Fatal(err)
	}
	if e.Tenant == d.tenant {
		if err := d.store.CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (d *desk) publication(edit ...func(*ingest.Publication)) *ingest.Publication {
	p := &ingest.Publication{Tenant: d.tenant, Environment: postrider.Production, Topic: "order.created", Data: []byte(`{"n":1}`)}
	for _, f := range edit {
		f(p)
	}
	return p
}

func TestAnAcceptedEventHasDeliveriesOrAStoredReason(t *testing.T) {
	d := newDesk(t)
	wants := d.subscribe(t, func(*postrider.Endpoint) {})
	disabled := d.subscribe(t, func(e *postrider.Endpoint) { e.State = postrider.EndpointDisabled })
	d.subscribe(t, func(e *postrider.Endpoint) { e.Environment = postrider.Sandbox })
	d.subscribe(t, func(e *postrider.Endpoint) { e.Tenant = postrider.NewTenantID(time.Now()) })
	d.subscribe(t, func(e *postrider.Endpoint) { e.Topics = []postrider.Topic{"order.deleted"} })

	tests := map[string]struct {
		topic      postrider.Topic
		deliveries int
		reasons    []postrider.Reason
	}{
		"one takes it, one is disabled": {"order.created", 1, []postrider.Reason{{Endpoint: disabled.ID, Code: postrider.ReasonEndpointDisabled}}},
		"nobody wants it":               {"user.created", 0, []postrider.Reason{{Code: postrider.ReasonNoSubscriber}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			receipt, err := d.Publish(t.Context(), d.publication(func(p *ingest.Publication) { p.Topic = test.topic }))
			if err != nil {
				t.Fatal(err)
			}
			if receipt.Deliveries != test.deliveries {
				t.Errorf("%d deliveries, want %d", receipt.Deliveries, test.deliveries)
			}
			event, err := d.store.FindEvent(t.Context(), d.tenant, "", receipt.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.reasons, event.Reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
	if len(d.offered) != 1 || d.offered[0].Delivery.Endpoint != wants.ID {
		t.Errorf("offered to the engine: %v, want the one delivery", d.offered)
	}
}

func TestTheSameKeyGivesTheSameAnswerAndAnotherBodyIsAConflict(t *testing.T) {
	d := newDesk(t)
	d.subscribe(t, func(*postrider.Endpoint) {})
	first, err := d.Publish(t.Context(), d.publication(func(p *ingest.Publication) { p.IdempotencyKey, p.GivenID = "key-1", "order-17" }))
	if err != nil {
		t.Fatal(err)
	}
	if first.ID != "order-17" {
		t.Errorf("the answer's id is %q, want the one that was given", first.ID)
	}
	other := postrider.NewTenantID(time.Now())
	d.addTenant(t, other, "other")
	tests := map[string]struct {
		edit func(*ingest.Publication)
		code postrider.Code
		same bool
	}{
		"all the same":            {func(p *ingest.Publication) { p.IdempotencyKey, p.GivenID = "key-1", "order-17" }, "", true},
		"another body, same key":  {func(p *ingest.Publication) { p.IdempotencyKey, p.Data = "key-1", []byte(`{"n":2}`) }, postrider.CodeConflict, false},
		"another body, same id":   {func(p *ingest.Publication) { p.GivenID, p.Data = "order-17", []byte(`{"n":2}`) }, postrider.CodeConflict, false},
		"another topic, same key": {func(p *ingest.Publication) { p.IdempotencyKey, p.GivenID, p.Topic = "key-1", "order-17", "a.b" }, postrider.CodeConflict, false},
		"other previous data": {func(p *ingest.Publication) {
			p.IdempotencyKey, p.GivenID, p.Previous = "key-1", "order-17", []byte(`{}`)
		}, postrider.CodeConflict, false},
		"another environment": {func(p *ingest.Publication) { p.IdempotencyKey, p.Environment = "key-1", postrider.Sandbox }, "", false},
		"another tenant":      {func(p *ingest.Publication) { p.IdempotencyKey, p.Tenant = "key-1", other }, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			again, err := d.Publish(t.Context(), d.publication(test.edit))
			if code := postrider.ErrorCode(err); code != test.code {
				t.Fatalf("error %v, want code %q", err, test.code)
			}
			if got := err == nil && again.Duplicate && again.EventID == first.EventID && again.Deliveries == first.Deliveries; got != test.same {
				t.Errorf("answered as the first: %v, want %v", got, test.same)
			}
		})
	}
}

func TestABatchAnswersEveryElementInOrder(t *testing.T) {
	d := newDesk(t)
	d.subscribe(t, func(*postrider.Endpoint) {})
	batch := []*ingest.Publication{
		d.publication(func(p *ingest.Publication) { p.GivenID = "a" }),
		d.publication(func(p *ingest.Publication) { p.Topic = "" }),
		d.publication(func(p *ingest.Publication) { p.GivenID = "a" }),
		d.publication(func(p *ingest.Publication) { p.GivenID, p.Data = "a", []byte(`2`) }),
		d.publication(func(p *ingest.Publication) { p.GivenID = "not.allowed" }),
		d.publication(func(p *ingest.Publication) { p.GivenID = "b" }),
	}
	var got []string
	for _, r := range d.PublishBatch(t.Context(), batch) {
		got = append(got, fmt.Sprintf("%s %v %s", r.Receipt.ID, r.Receipt.Duplicate, postrider.ErrorCode(r.Err)))
	}
	want := []string{"a false ", " false invalid", "a true ", " false conflict", " false invalid", "b false "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if len(d.commits) != 1 || d.commits[0].Events != 2 || d.commits[0].Duplicates != 2 {
		t.Errorf("commits %+v, want one of two events", d.commits)
	}
}

func TestBadPublicationsAreRefusedWithEveryFault(t *testing.T) {
	d := newDesk(t)
	_, err := d.Publish(t.Context(), &ingest.Publication{
		Tenant: d.tenant, Environment: "staging", Topic: "a..b", GivenID: "x y", IdempotencyKey: string(make([]byte, 300)),
		OccurredAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	var fault *postrider.Error
	if !errors.As(err, &fault) || fault.Code != postrider.CodeInvalid {
		t.Fatalf("error %v, want code invalid", err)
	}
	for _, field := range []string{"type", "environment", "id", "Idempotency-Key", "data", "occurred_at"} {
		if fault.Fields[field] == "" {
			t.Errorf("no fault is reported for %s", field)
		}
	}
}

func TestWaitingPublicationsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := newDesk(t)
		d.store.FailWith(func(call string) error {
			if call == "Accept" {
				<-release
			}
			return nil
		})
		var callers sync.WaitGroup
		publish := func() {
			if _, err := d.Publish(context.Background(), d.publication()); err != nil {
				t.Error(err)
			}
		}
		callers.Go(publish)
		synctest.Wait() // the first is in its commit
		for range 100 {
			callers.Go(publish)
		}
		synctest.Wait() // the others wait
		close(release)
		callers.Wait()
		if len(d.commits) != 2 || d.commits[1].Events != 100 {
			t.Errorf("commits %+v, want one of 1 and one of 100", d.commits)
		}
		d.Close()
	})
}

func TestAStoreThatCannotKeepUpIsSaidBeforeMemoryGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := newDesk(t, func(o *ingest.Options) { o.MaxWaitingBytes, o.MaxWaiting = 1000, 50 })
		d.store.FailWith(func(call string) error {
			if call == "Accept" {
				<-release
			}
			return nil
		})
		var callers sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for range 200 {
			callers.Go(func() {
				if _, err := d.Publish(context.Background(), d.publication()); postrider.ErrorCode(err) == postrider.CodeUnavailable {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			})
		}
		synctest.Wait()
		if refused < 140 {
			t.Errorf("%d of 200 were refused, want all that do not fit", refused)
		}
		close(release)
		callers.Wait()
		if _, err := d.Publish(context.Background(), d.publication()); err != nil {
			t.Errorf("it did not recover: %v", err)
		}
		d.Close()
	})
}

func TestACommitThatFailsIsToldToEveryCallerAndOffersNothing(t *testing.T) {
	d := newDesk(t)
	d.subscribe(t, func(*postrider.Endpoint) {})
	full := postrider.Errorf(postrider.CodeStorageFull, "the disk is full")
	d.store.FailWith(func(string) error { return full })
	_, err := d.Publish(t.Context(), d.publication())
	if postrider.ErrorCode(err) != postrider.CodeStorageFull {
		t.Errorf("error %v, want the store's", err)
	}
	if len(d.offered) != 0 {
		t.Errorf("%d deliveries were offered though nothing was written", len(d.offered))
	}
}

func TestCloseAnswersAllAndRefusesMore(t *testing.T) {
	d := newDesk(t)
	if _, err := d.Publish(t.Context(), d.publication()); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d.Close() // twice is harmless
	if _, err := d.Publish(t.Context(), d.publication()); postrider.ErrorCode(err) != postrider.CodeUnavailable {
		t.Errorf("after Close: %v, want unavailable", err)
	}
}

func TestTheIndexFollowsEveryChangeOfAnEndpoint(t *testing.T) {
	d := newDesk(t)
	count := func(topic postrider.Topic) int {
		return len(d.index.Match(d.tenant, postrider.Production, topic).Subscribers)
	}
	e := d.subscribe(t, func(e *postrider.Endpoint) { e.Topics = []postrider.Topic{"order.*", "order.created", "user.created"} })
	all := d.subscribe(t, func(e *postrider.Endpoint) { e.Topics = []postrider.Topic{"*"} })
	if got := []int{count("order.created"), count("order.x"), count("order.x.y"), count("user.created")}; !cmp.Equal(got, []int{2, 2, 1, 2}) {
		t.Errorf("matches %v, want [2 2 1 2]: each endpoint once", got)
	}
	changed := *e
	changed.Topics = []postrider.Topic{"user.deleted"}
	if err := d.index.Put(&changed); err != nil {
		t.Fatal(err)
	}
	if got := []int{count("order.created"), count("user.deleted")}; !cmp.Equal(got, []int{1, 2}) {
		t.Errorf("matches %v after the change, want [1 2]", got)
	}
	d.index.Remove(all)
	d.index.Remove(&changed)
	if got := count("user.deleted"); got != 0 {
		t.Errorf("%d matches after both were removed", got)
	}
	if err := d.index.Put(&postrider.Endpoint{Contract: "nonsense"}); postrider.ErrorCode(err) != postrider.CodeInvalid {
		t.Errorf("an unknown contract: %v, want invalid", err)
	}
}
