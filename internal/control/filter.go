package control

import (
	"context"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// WebhookFilter chooses webhooks. Zero fields do not restrict.
type WebhookFilter struct {
	store.EndpointFilter
	State postrider.EndpointState
	Topic postrider.Topic // those that get events of this topic
}

// ChooseWebhooks lists a tenant's webhooks as Webhooks does, the oldest first.
func (c *Control) ChooseWebhooks(ctx context.Context, p auth.Principal, tenantName string, filter WebhookFilter) (found []*postrider.Endpoint, more bool, err error) {
	if filter.State == "" && filter.Topic == "" {
		return c.Webhooks(ctx, p, tenantName, filter.EndpointFilter)
	}
	limit, all := pageLimit(filter.Limit), filter.EndpointFilter
	all.Limit = MaxPage
	for further := true; further && len(found) <= limit; {
		var some []*postrider.Endpoint
		if some, further, err = c.Webhooks(ctx, p, tenantName, all); err != nil {
			return nil, false, err
		}
		for _, webhook := range some {
			all.After = webhook.ID
			if (filter.State == "" || webhook.State == filter.State) && (filter.Topic == "" || webhook.Subscribes(filter.Topic)) {
				found = append(found, webhook)
			}
		}
	}
	found, more = page(found, limit)
	return found, more, nil
}

// DeliveriesOf lists the deliveries of one event that the filter chooses, the latest first.
func (c *Control) DeliveriesOf(ctx context.Context, p auth.Principal, tenantName, publicID string, f store.DeliveryFilter) (found []postrider.Delivery, more bool, err error) {
	if err := p.Authorize(auth.ReadDeliveries); err != nil {
		return nil, false, err
	}
	story, err := c.FindEvent(ctx, p, tenantName, f.Environment, publicID)
	if err != nil {
		return nil, false, err
	}
	at := story.Event.AcceptedAt
	if !f.From.IsZero() && at.Before(f.From) || !f.To.IsZero() && !at.Before(f.To) || f.Topic != "" && f.Topic != story.Event.Topic {
		return nil, false, nil
	}
	limit := pageLimit(f.Limit)
	for i := len(story.Deliveries) - 1; i >= 0 && len(found) <= limit; i-- {
		d := story.Deliveries[i]
		if (f.Endpoint.IsZero() || d.Endpoint == f.Endpoint) && (f.State == "" || d.State == f.State) &&
			(f.Before == 0 || d.Sequence == f.Before && d.ID.Number < f.BeforeNumber) {
			found = append(found, d)
		}
	}
	found, more = page(found, limit)
	return found, more, nil
}
