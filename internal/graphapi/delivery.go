package graphapi

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// Bounds of a page of deliveries.
const (
	maxDeliveries     = 100
	defaultDeliveries = 20
)

// deliveryPage is one page of a webhook's deliveries.
type deliveryPage struct {
	deliveries []postrider.Delivery
	more       bool
}

func deliveryFields() resolvers {
	return resolvers{
		"WebhookDeliveriesPayload": {
			"deliveries": of(func(p *deliveryPage) any {
				list := make([]any, len(p.deliveries))
				for i := range p.deliveries {
					list[i] = &p.deliveries[i]
				}
				return list
			}),
			"nextToken": of(func(p *deliveryPage) any {
				if !p.more {
					return nil
				}
				return tokenAfter(&p.deliveries[len(p.deliveries)-1])
			}),
		},
		"WebhookDelivery": {
			"id":           of(func(d *postrider.Delivery) any { return d.ID.String() }),
			"webhookId":    of(func(d *postrider.Delivery) any { return webhookID(d.Endpoint) }),
			"topic":        of(func(d *postrider.Delivery) any { return string(d.Topic) }),
			"state":        of(func(d *postrider.Delivery) any { return strings.ToUpper(string(d.State)) }),
			"reason":       of(func(d *postrider.Delivery) any { return orNull(string(d.Reason)) }),
			"attempts":     of(func(d *postrider.Delivery) any { return int64(d.Attempts) }),
			"creationDate": of(func(d *postrider.Delivery) any { return d.CreatedAt.UnixMilli() }),
			"dueDate": of(func(d *postrider.Delivery) any {
				if d.State.Final() {
					return nil
				}
				return moment(d.DueAt)
			}),
			"endDate": of(func(d *postrider.Delivery) any { return moment(d.EndedAt) }),
		},
	}
}

func listDeliveries(r *run, _ any, args arguments) (any, error) {
	limit, err := args.whole("limit", 1, maxDeliveries, defaultDeliveries)
	if err != nil {
		return nil, err
	}
	webhook, err := r.find(args, "webhookId")
	if err != nil {
		return nil, err
	}
	filter := store.DeliveryFilter{Environment: webhook.Environment, Endpoint: webhook.ID, Limit: limit}
	if token, given := args.text("nextToken"); given && token != "" {
		if filter.Before, filter.BeforeNumber, err = readToken(token); err != nil {
			return nil, err
		}
	}
	deliveries, more, err := r.handler.parts.Webhooks.Deliveries(r.ctx, r.principal, "", filter)
	if err != nil {
		return nil, err
	}
	return &deliveryPage{deliveries, more}, nil
}

func tokenAfter(last *postrider.Delivery) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d", last.Sequence, last.ID.Number))
}

func readToken(token string) (sequence int64, number int, err error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(text) < 40 {
		_, err = fmt.Sscanf(string(text), "%d.%d", &sequence, &number)
	}
	if err != nil || sequence < 1 || number < 1 {
		return 0, 0, postrider.FieldError("nextToken", "is not one that webhookDeliveries gave")
	}
	return sequence, number, nil
}

func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}
