package bench

import (
	"bytes"
	"context"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/keyring"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

// preloaded is what the preload prints when it is done.
type preloaded struct {
	Events int           `json:"events"`
	Took   time.Duration `json:"took_ns"`
}

// preloadBatch is the number of events of a transaction.
const preloadBatch = 1000

// preloadSpan is the time over which the history is spread, up to now: less than any retention.
const preloadSpan = 24 * time.Hour

// preload adds finished events, each delivered at the first attempt to the default tenant's first
// endpoint, to the store in a data folder that a server has laid out and left.
func preload(ctx context.Context, folder string, events, size int) error {
	s, err := sqlite.Open(ctx, sqlite.Options{Dir: folder, Sealer: func(sealed bool) (sqlite.Sealer, error) {
		if !sealed {
			return nil, nil // the server will seal what is there
		}
		keys, err := keyring.ReadFile(config.Config{Data: folder}.KeyFile())
		if err != nil {
			return nil, err
		}
		return keyring.New(keys...)
	}})
	if err != nil {
		return err
	}
	err = layHistory(ctx, s, events, size)
	return firstError(err, s.Close())
}

func layHistory(ctx context.Context, s store.Store, events, size int) error {
	tenant, err := s.FindTenantByName(ctx, postrider.DefaultTenant)
	if err != nil {
		return err
	}
	endpoints, err := s.Endpoints(ctx, tenant.ID, store.EndpointFilter{Limit: 1})
	if err != nil {
		return err
	}
	if len(endpoints) == 0 {
		return postrider.Errorf(postrider.CodeNotFound, "the store has no endpoint that a history could belong to")
	}
	h := history{
		store: s, endpoint: endpoints[0], data: newData(size),
		next: time.Now().Add(-preloadSpan).UTC().Truncate(time.Millisecond), events: events,
	}
	for laid := 0; laid < events; laid += preloadBatch {
		if err := h.lay(ctx, laid, min(preloadBatch, events-laid)); err != nil {
			return err
		}
	}
	return nil
}

// history writes events of the past.
type history struct {
	store    store.Store
	endpoint *postrider.Endpoint
	data     []byte
	next     time.Time // when the next event is said to have been accepted
	events   int
}

// lay accepts and settles n events, the first having the number from.
func (h *history) lay(ctx context.Context, from, n int) error {
	batch := make([]*store.Acceptance, n)
	step := preloadSpan / time.Duration(h.events)
	for i := range batch {
		at := h.next.Add(time.Duration(from+i) * step).Truncate(time.Millisecond)
		data := bytes.Clone(h.data)
		patchMarker(data, marker{number: from + i, sent: at})
		batch[i] = &store.Acceptance{
			Event: &postrider.Event{
				ID: postrider.NewEventID(at), Tenant: h.endpoint.Tenant, Environment: h.endpoint.Environment,
				Topic: liveTopic, OccurredAt: at, AcceptedAt: at, Data: data,
			},
			Deliveries: []store.Owed{{Endpoint: h.endpoint.ID, DueAt: at}},
		}
	}
	if _, err := h.store.Accept(ctx, batch); err != nil {
		return err
	}
	settlements := make([]store.Settlement, n)
	for i, a := range batch {
		settlements[i] = h.settlement(a.Event)
	}
	return h.store.Settle(ctx, settlements)
}

func (h *history) settlement(event *postrider.Event) store.Settlement {
	id := postrider.DeliveryID{Event: event.ID, Number: 1}
	const took = 2 * time.Millisecond
	return store.Settlement{
		Delivery: id, Sequence: event.Sequence, Tenant: event.Tenant, Endpoint: h.endpoint.ID,
		State: postrider.DeliverySucceeded, EndedAt: event.AcceptedAt.Add(took),
		Attempt: &postrider.Attempt{
			Delivery: id, Number: 1, Trigger: postrider.TriggerSchedule, StartedAt: event.AcceptedAt, Duration: took,
			Phases:  postrider.Phases{FirstByte: took / 2},
			Outcome: postrider.Outcome{Kind: postrider.OutcomeSuccess, Code: postrider.OutcomeDelivered},
			Request: postrider.RequestHead{URL: h.endpoint.URL, Header: []postrider.HeaderField{
				{Name: "Content-Type", Value: "application/json"}, {Name: "webhook-id", Value: event.PublicID()},
			}},
			Response: postrider.Response{Status: 200, RemoteAddr: "127.0.0.1:1", Header: []postrider.HeaderField{
				{Name: "Content-Length", Value: "0"},
			}},
		},
	}
}
