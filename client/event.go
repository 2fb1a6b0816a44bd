package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"github.com/postrider/postrider/api"
)

// Publish publishes an event. It is tried again only when it has an ID of the publisher's own; see
// PublishWithKey.
func (c *Client) Publish(ctx context.Context, event api.EventCreate) (*api.EventAccepted, error) {
	return c.PublishWithKey(ctx, event, "")
}

// PublishWithKey publishes an event under an idempotency key: the same key with the same event
// answers the first one again, with Replayed set.
func (c *Client) PublishWithKey(ctx context.Context, event api.EventCreate, key string) (*api.EventAccepted, error) {
	text, err := c.marshal(event)
	if err != nil {
		return nil, err
	}
	var header http.Header
	var out api.EventAccepted
	err = c.do(ctx, request{method: http.MethodPost, path: "/v1/events", body: text, contentType: "application/json",
		key: key, repeatable: key != "" || event.ID != "", header: &header}, &out)
	if err != nil {
		return nil, err
	}
	out.Replayed = header.Get("Idempotent-Replayed") == "true"
	return &out, nil
}

// PublishBatch publishes many events in one call, as a JSON array. Data[i] of the answer is for
// events[i]. With a key, or with an ID in every event, it is tried again where that helps.
func (c *Client) PublishBatch(ctx context.Context, events []api.EventCreate, key string) (*api.BatchResult, error) {
	return c.publishBatch(ctx, events, key, "application/json", '[', ',', ']')
}

// PublishLines is PublishBatch with NDJSON in place of a JSON array.
func (c *Client) PublishLines(ctx context.Context, events []api.EventCreate, key string) (*api.BatchResult, error) {
	return c.publishBatch(ctx, events, key, "application/x-ndjson", 0, '\n', 0)
}

func (c *Client) publishBatch(ctx context.Context, events []api.EventCreate, key, contentType string, open, between, end byte) (*api.BatchResult, error) {
	var body bytes.Buffer
	if open != 0 {
		body.WriteByte(open)
	}
	named := true
	for i, event := range events {
		text, err := c.marshal(event)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		if i > 0 {
			body.WriteByte(between)
		}
		if open == 0 { // a line is one line
			if err := json.Compact(&body, text); err != nil {
				return nil, fmt.Errorf("event %d: %w", i, err)
			}
		} else {
			body.Write(text)
		}
		named = named && event.ID != ""
	}
	if end != 0 {
		body.WriteByte(end)
	}
	var out api.BatchResult
	err := c.do(ctx, request{method: http.MethodPost, path: "/v1/events/batch", body: body.Bytes(), contentType: contentType,
		key: key, repeatable: key != "" || named}, &out)
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// marshal writes an event with its data byte for byte, which encoding/json would not do. Data that is
// not JSON is told here.
func (c *Client) marshal(event api.EventCreate) ([]byte, error) {
	if event.Tenant == "" {
		event.Tenant = c.tenant
	}
	data, previous := event.Data, event.PreviousData
	if !json.Valid(data) {
		return nil, errors.New("client: the event's data is not JSON")
	}
	if previous != nil && !json.Valid(previous) {
		return nil, errors.New("client: the event's previous data is not JSON")
	}
	event.Data, event.PreviousData = json.RawMessage("0"), nil
	text, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	rest, _ := bytes.CutPrefix(text, []byte(`{"type":`))
	kind, rest, _ := bytes.Cut(rest, []byte(`,"data":0`)) // a quoted type cannot hold this: its quotes are escaped
	body := make([]byte, 0, len(text)+len(data)+len(previous)+24)
	body = append(append(append(body, `{"type":`...), kind...), `,"data":`...)
	body = append(body, data...)
	if previous != nil {
		body = append(append(body, `,"previous_data":`...), previous...)
	}
	return append(body, rest...), nil
}

// Event gives an event by its id, with data and deliveries. environment chooses between two events
// that were given the same id; "" looks in production first.
func (c *Client) Event(ctx context.Context, id, environment string) (*api.Event, error) {
	event, err := get[api.Event](ctx, c, "/v1/events/"+segment(id), c.values(Page{}, "environment", environment))
	if err == nil && string(event.PreviousData) == "null" {
		event.PreviousData = nil
	}
	return event, err
}

// Events gives a page of events, the newest first, without data.
func (c *Client) Events(ctx context.Context, filter EventFilter) (*api.List[api.EventSummary], error) {
	return get[api.List[api.EventSummary]](ctx, c, "/v1/events", c.values(filter.Page,
		"environment", filter.Environment, "type", filter.Type, "from", stamp(filter.From), "to", stamp(filter.To)))
}

// AllEvents walks over all pages.
func (c *Client) AllEvents(ctx context.Context, filter EventFilter) iter.Seq2[api.EventSummary, error] {
	return all(ctx, filter.Page, func(ctx context.Context, page Page) (*api.List[api.EventSummary], error) {
		filter.Page = page
		return c.Events(ctx, filter)
	})
}

// Delivery gives a delivery with all its attempts.
func (c *Client) Delivery(ctx context.Context, id string) (*api.DeliveryDetail, error) {
	return get[api.DeliveryDetail](ctx, c, "/v1/deliveries/"+segment(id), c.scope())
}

// Deliveries gives a page of deliveries, the newest event's first.
func (c *Client) Deliveries(ctx context.Context, filter DeliveryFilter) (*api.List[api.Delivery], error) {
	return get[api.List[api.Delivery]](ctx, c, "/v1/deliveries", c.values(filter.Page,
		"environment", filter.Environment, "event_id", filter.EventID, "webhook_id", filter.WebhookID, "state", filter.State, "type", filter.Type,
		"from", stamp(filter.From), "to", stamp(filter.To)))
}

// AllDeliveries walks over all pages.
func (c *Client) AllDeliveries(ctx context.Context, filter DeliveryFilter) iter.Seq2[api.Delivery, error] {
	return all(ctx, filter.Page, func(ctx context.Context, page Page) (*api.List[api.Delivery], error) {
		filter.Page = page
		return c.Deliveries(ctx, filter)
	})
}

// RetryDelivery makes a delivery that has not succeeded due at once.
func (c *Client) RetryDelivery(ctx context.Context, id string) (*api.Delivery, error) {
	return send[api.Delivery](ctx, c, http.MethodPost, "/v1/deliveries/"+segment(id)+"/retry", c.scope(), nil, true)
}

// Contracts lists the contracts that a webhook can have.
func (c *Client) Contracts(ctx context.Context) (*api.List[api.Contract], error) {
	return get[api.List[api.Contract]](ctx, c, "/v1/contracts", nil)
}

// Contract gives a contract with its document.
func (c *Client) Contract(ctx context.Context, name string) (*api.ContractDetail, error) {
	return get[api.ContractDetail](ctx, c, "/v1/contracts/"+segment(name), nil)
}

// OpenAPI gives the gateway's OpenAPI document.
func (c *Client) OpenAPI(ctx context.Context) (json.RawMessage, error) {
	document, err := get[json.RawMessage](ctx, c, "/openapi.json", url.Values(nil))
	if err != nil {
		return nil, err
	}
	return *document, nil
}

// Ready reports nil when the gateway can take events.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, request{method: http.MethodGet, path: "/readyz"}, nil)
}

// Health reports nil when the gateway's process answers.
func (c *Client) Health(ctx context.Context) error {
	return c.do(ctx, request{method: http.MethodGet, path: "/healthz"}, nil)
}
