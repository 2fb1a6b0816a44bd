package restapi

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
)

func replayRoutes() []route {
	return []route{
		{http.MethodPost, "/v1/webhooks/{id}/replay", "replayWebhook", tagWebhooks, auth.ReplayDelivery, 200, "Deliver old events again",
			"Makes new deliveries, the oldest event first, of the events that match, those included that the webhook never had. " +
				"An event keeps its id; one that the webhook is still owed is passed over. At most 10,000 a call: next says where to go on.", managed((*Handler).replayWebhook)},
		{http.MethodPost, "/v1/events/{id}/replay", "replayEvent", tagEvents, auth.ReplayDelivery, 200, "Deliver an event again",
			"To the webhook that is named, or to every webhook that now takes the type. The answer lists the new deliveries.", managed((*Handler).replayEvent)},
		{http.MethodPost, "/v1/deliveries/{id}/replay", "replayDelivery", tagDeliveries, auth.ReplayDelivery, 200, "Deliver again",
			"Makes a new delivery of the same event to the same webhook, also when this one has succeeded.", managed((*Handler).replayDelivery)},
	}
}

func (h *Handler) replayWebhook(ctx context.Context, c *call, in *struct {
	ByID
	Body *Body[api.ReplayRequest]
}) (*answer[api.ReplayResult], error) {
	asked, err := in.Body.takeOrNothing()
	if err != nil {
		return nil, err
	}
	id, err := postrider.ParseEndpointID(in.ID)
	if err != nil {
		return nil, noSuch("webhook", in.ID)
	}
	after, err := cursor(asked.Cursor, parseReplayCursor)
	if err != nil {
		return nil, err
	}
	done, err := h.parts.Control.ReplayWebhook(ctx, c.principal, in.Tenant, id, control.ReplayRequest{
		From: orZero(asked.From), To: orZero(asked.To), Topic: postrider.Topic(asked.Type), State: store.ReplayState(asked.State),
		After: after, DryRun: asked.DryRun,
	})
	if err != nil {
		return nil, err
	}
	out := &answer[api.ReplayResult]{Body: api.ReplayResult{Matched: done.Matched, Pending: done.Pending, Made: done.Made, DryRun: asked.DryRun}}
	if done.Next != nil {
		next := base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(done.Next.After, 10) + "." + strconv.FormatInt(done.Next.Through, 10)))
		out.Body.Next = &next
	}
	return out, nil
}

func orZero[T any](value *T) T {
	if value == nil {
		var zero T
		return zero
	}
	return *value
}

func parseReplayCursor(text string) (control.ReplayCursor, error) {
	at, err := parsePlace(text) // two numbers with a dot between them, like a place in a list
	if err != nil || int64(at.number) < at.sequence {
		return control.ReplayCursor{}, errCursor
	}
	return control.ReplayCursor{After: at.sequence, Through: int64(at.number)}, nil
}

func (h *Handler) replayEvent(ctx context.Context, c *call, in *struct {
	ByID
	EnvironmentQuery
	WebhookID string `query:"webhook_id" maxLength:"64" doc:"To this webhook only, whatever types it gets."`
}) (*answer[api.List[api.Delivery]], error) {
	var only postrider.EndpointID
	if in.WebhookID != "" {
		var err error
		if only, err = postrider.ParseEndpointID(in.WebhookID); err != nil {
			return nil, noSuch("webhook", in.WebhookID)
		}
	}
	made, err := h.parts.Control.ReplayEvent(ctx, c.principal, in.Tenant, postrider.Environment(in.Environment), in.ID, only)
	if err != nil {
		return nil, err
	}
	return listOf(made, false, func(d postrider.Delivery) api.Delivery { return wireDelivery(&d) }, nil), nil
}

func (h *Handler) replayDelivery(ctx context.Context, c *call, in *ByID) (*answer[api.Delivery], error) {
	id, err := postrider.ParseDeliveryID(in.ID)
	if err != nil {
		return nil, noSuch("delivery", in.ID)
	}
	made, err := h.parts.Control.ReplayDelivery(ctx, c.principal, in.Tenant, id)
	if err != nil {
		return nil, err
	}
	return &answer[api.Delivery]{Body: wireDelivery(made)}, nil
}

// span reads a duration that a caller wrote, nil when it wrote none.
func span(field, text string) (*time.Duration, error) {
	if text == "" {
		return nil, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, postrider.FieldError(field, "is not a duration such as \"24h\" or \"90m\"")
	}
	return &d, nil
}
