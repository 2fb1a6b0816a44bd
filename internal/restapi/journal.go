package restapi

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/store"
)

// TimeQuery narrows a list to a span of time.
type TimeQuery struct {
	From time.Time `query:"from" doc:"Accepted at or after this time, RFC 3339."`
	To   time.Time `query:"to" doc:"Accepted before this time, RFC 3339."`
}

func (h *Handler) listEvents(ctx context.Context, c *call, in *struct {
	TenantQuery
	EnvironmentQuery
	TimeQuery
	PageQuery
	Type string `query:"type" maxLength:"128" doc:"Of this type only."`
}) (*answer[api.List[api.EventSummary]], error) {
	before, err := cursor(in.Cursor, parseSequence)
	if err != nil {
		return nil, err
	}
	events, more, err := h.parts.Control.Events(ctx, c.principal, in.Tenant, store.EventFilter{
		Environment: postrider.Environment(in.Environment), Topic: postrider.Topic(in.Type),
		From: in.From, To: in.To, Before: before, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	return listOf(events, more, wireSummary, func(e *postrider.Event) string { return strconv.FormatInt(e.Sequence, 10) }), nil
}

func (h *Handler) getEvent(ctx context.Context, c *call, in *struct {
	ByID
	EnvironmentQuery
}) (*answer[api.Event], error) {
	story, err := h.parts.Control.FindEvent(ctx, c.principal, in.Tenant, postrider.Environment(in.Environment), in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[api.Event]{Body: wireEvent(story)}, nil
}

func (h *Handler) listDeliveries(ctx context.Context, c *call, in *struct {
	TenantQuery
	EnvironmentQuery
	TimeQuery
	PageQuery
	EventID   string `query:"event_id" maxLength:"128" doc:"Of this event only."`
	WebhookID string `query:"webhook_id" maxLength:"64" doc:"Owed to this webhook only."`
	State     string `query:"state" enum:"pending,succeeded,failed,cancelled" doc:"In this state only."`
	Type      string `query:"type" maxLength:"128" doc:"Of events of this type only."`
}) (*answer[api.List[api.Delivery]], error) {
	before, err := cursor(in.Cursor, parsePlace)
	if err != nil {
		return nil, err
	}
	filter := store.DeliveryFilter{
		Environment: postrider.Environment(in.Environment), State: postrider.DeliveryState(in.State), Topic: postrider.Topic(in.Type),
		From: in.From, To: in.To, Before: before.sequence, BeforeNumber: before.number, Limit: in.Limit,
	}
	if in.WebhookID != "" {
		if filter.Endpoint, err = postrider.ParseEndpointID(in.WebhookID); err != nil {
			return nil, postrider.FieldError("webhook_id", "%s", err.Error())
		}
	}
	var found []postrider.Delivery
	var more bool
	if in.EventID != "" {
		found, more, err = h.parts.Control.DeliveriesOf(ctx, c.principal, in.Tenant, in.EventID, filter)
	} else {
		found, more, err = h.parts.Control.Deliveries(ctx, c.principal, in.Tenant, filter)
	}
	if err != nil {
		return nil, err
	}
	return listOf(found, more, func(d postrider.Delivery) api.Delivery { return wireDelivery(&d) }, func(d postrider.Delivery) string {
		return strconv.FormatInt(d.Sequence, 10) + "." + strconv.Itoa(d.ID.Number)
	}), nil
}

func (h *Handler) getDelivery(ctx context.Context, c *call, in *ByID) (*answer[api.DeliveryDetail], error) {
	id, err := postrider.ParseDeliveryID(in.ID)
	if err != nil {
		return nil, noSuch("delivery", in.ID)
	}
	delivery, attempts, err := h.parts.Control.FindDelivery(ctx, c.principal, in.Tenant, id)
	if err != nil {
		return nil, err
	}
	out := &answer[api.DeliveryDetail]{Body: api.DeliveryDetail{Delivery: wireDelivery(delivery), Attempts: make([]api.Attempt, len(attempts))}}
	for i := range attempts {
		out.Body.Attempts[i] = wireAttempt(&attempts[i])
	}
	return out, nil
}

func (h *Handler) retryDelivery(ctx context.Context, c *call, in *ByID) (*answer[api.Delivery], error) {
	id, err := postrider.ParseDeliveryID(in.ID)
	if err != nil {
		return nil, noSuch("delivery", in.ID)
	}
	delivery, err := h.parts.Control.RetryDelivery(ctx, c.principal, in.Tenant, id)
	if err != nil {
		return nil, err
	}
	return &answer[api.Delivery]{Body: wireDelivery(delivery)}, nil
}

// place is where a page of deliveries ended.
type place struct {
	sequence int64
	number   int
}

var errCursor = errors.New("not a cursor")

func parseSequence(text string) (int64, error) {
	sequence, err := strconv.ParseInt(text, 10, 64)
	if err != nil || sequence < 1 {
		return 0, errCursor
	}
	return sequence, nil
}

func parsePlace(text string) (place, error) {
	first, second, _ := strings.Cut(text, ".")
	sequence, err := parseSequence(first)
	number, numberErr := strconv.Atoi(second)
	if err != nil || numberErr != nil || number < 1 {
		return place{}, errCursor
	}
	return place{sequence, number}, nil
}
