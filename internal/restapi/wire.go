package restapi

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/control"
)

// wireWebhook writes an endpoint without its secrets.
func (h *Handler) wireWebhook(e *postrider.Endpoint) api.Webhook {
	events := make([]string, len(e.Topics))
	for i, topic := range e.Topics {
		events[i] = string(topic)
	}
	w := api.Webhook{
		ID: e.ID.String(), URL: e.URL, Events: events, Contract: e.Contract, Tenant: e.Tenant.String(),
		Environment: string(e.Environment), Description: e.Description, Status: string(e.State),
		MaxInFlight: e.MaxInFlight, RateLimit: e.RateLimit, RateBurst: e.RateBurst,
		CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt, SecretRotation: h.wireRotation(e),
		Auth: wireAuth(&e.Auth),
	}
	if e.State == postrider.EndpointDisabled {
		w.DisabledReason, w.DisabledAt = string(e.DisabledReason), wireTime(e.DisabledAt)
	}
	return w
}

func wireEvent(story *control.EventStory) api.Event {
	e := story.Event
	return api.Event{
		ID: e.PublicID(), Type: string(e.Topic), Tenant: e.Tenant.String(), Environment: string(e.Environment),
		OccurredAt: e.OccurredAt, AcceptedAt: e.AcceptedAt,
		Data: json.RawMessage(e.Data), PreviousData: json.RawMessage(e.Previous),
		Deliveries: wireDeliveries(story.Deliveries), Reasons: wireReasons(e.Reasons),
	}
}

func wireSummary(e *postrider.Event) api.EventSummary {
	return api.EventSummary{
		ID: e.PublicID(), Type: string(e.Topic), Tenant: e.Tenant.String(), Environment: string(e.Environment),
		OccurredAt: e.OccurredAt, AcceptedAt: e.AcceptedAt, Reasons: wireReasons(e.Reasons),
	}
}

func wireReasons(reasons []postrider.Reason) []api.Reason {
	out := make([]api.Reason, 0, len(reasons))
	for _, reason := range reasons {
		r := api.Reason{Code: string(reason.Code)}
		if !reason.Endpoint.IsZero() {
			r.WebhookID = reason.Endpoint.String()
		}
		out = append(out, r)
	}
	return out
}

func wireDelivery(d *postrider.Delivery) api.Delivery {
	out := api.Delivery{
		ID: d.ID.String(), EventID: d.ID.Event.String(), WebhookID: d.Endpoint.String(), Type: string(d.Topic),
		Environment: string(d.Environment), State: string(d.State), Reason: string(d.Reason), Attempts: d.Attempts,
		CreatedAt: d.CreatedAt, EndedAt: wireTime(d.EndedAt),
	}
	if d.State == postrider.DeliveryPending {
		out.NextAttemptAt = wireTime(d.DueAt)
	}
	return out
}

func wireDeliveries(deliveries []postrider.Delivery) []api.Delivery {
	out := make([]api.Delivery, len(deliveries))
	for i := range deliveries {
		out[i] = wireDelivery(&deliveries[i])
	}
	return out
}

func wireAttempt(a *postrider.Attempt) api.Attempt {
	out := api.Attempt{
		Number: a.Number, Trigger: string(a.Trigger), StartedAt: a.StartedAt, DurationMS: milliseconds(a.Duration),
		Phases: api.Phases{
			DNS: milliseconds(a.Phases.DNS), Connect: milliseconds(a.Phases.Connect),
			TLS: milliseconds(a.Phases.TLS), FirstByte: milliseconds(a.Phases.FirstByte),
		},
		Outcome: string(a.Outcome.Kind), Code: string(a.Outcome.Code), Detail: a.Outcome.Detail,
		Request: api.Request{URL: a.Request.URL, Headers: wireHeaders(a.Request.Header)},
	}
	if r := a.Response; r.Status != 0 {
		out.Response = &api.Response{
			Status: r.Status, Headers: wireHeaders(r.Header), Body: strings.ToValidUTF8(string(r.Body), "\uFFFD"),
			Truncated: r.Truncated, RemoteAddr: r.RemoteAddr,
		}
	}
	return out
}

func wireHeaders(fields []postrider.HeaderField) []api.Header {
	out := make([]api.Header, len(fields))
	for i, field := range fields {
		out[i] = api.Header{Name: field.Name, Value: strings.ToValidUTF8(field.Value, "\uFFFD")}
	}
	return out
}

func wireTenant(t *postrider.Tenant) api.Tenant {
	return api.Tenant{ID: t.ID.String(), Name: t.Name, CreatedAt: t.CreatedAt}
}

func wireKey(k *postrider.Key) api.Key {
	out := api.Key{
		ID: k.ID.String(), Environment: string(k.Environment), Role: string(k.Role), Name: k.Name,
		CreatedAt: k.CreatedAt, ExpiresAt: wireTime(k.ExpiresAt), LastUsedAt: wireTime(k.LastUsedAt),
	}
	if !k.Tenant.IsZero() {
		out.Tenant = k.Tenant.String()
	}
	return out
}

func wireContract(c *contract.Contract) api.Contract {
	source := "generated"
	if c.SecretSuppliedByTenant() {
		source = "tenant"
	}
	return api.Contract{Name: c.Name(), TimeoutMS: c.Timeout().Milliseconds(), MaxAttempts: c.MaxAttempts(), SecretSource: source}
}

// wireTime is nil for the zero time.
func wireTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// milliseconds keeps three decimals.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
