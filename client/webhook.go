package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/postrider/postrider/api"
)

// RegisterWebhook adds a webhook. When the gateway generated its secret, the answer holds it, this once.
func (c *Client) RegisterWebhook(ctx context.Context, in api.WebhookCreate) (*api.Webhook, error) {
	if in.Tenant == "" {
		in.Tenant = c.tenant
	}
	return send[api.Webhook](ctx, c, http.MethodPost, "/v1/webhooks", nil, in, false)
}

// Webhook gives a webhook.
func (c *Client) Webhook(ctx context.Context, id string) (*api.Webhook, error) {
	return get[api.Webhook](ctx, c, "/v1/webhooks/"+segment(id), c.scope())
}

// Webhooks gives a page of webhooks, the oldest first.
func (c *Client) Webhooks(ctx context.Context, filter WebhookFilter) (*api.List[api.Webhook], error) {
	return get[api.List[api.Webhook]](ctx, c, "/v1/webhooks",
		c.values(filter.Page, "environment", filter.Environment, "contract", filter.Contract, "status", filter.Status, "type", filter.Type))
}

// AllWebhooks walks over all pages.
func (c *Client) AllWebhooks(ctx context.Context, filter WebhookFilter) iter.Seq2[api.Webhook, error] {
	return all(ctx, filter.Page, func(ctx context.Context, page Page) (*api.List[api.Webhook], error) {
		filter.Page = page
		return c.Webhooks(ctx, filter)
	})
}

// UpdateWebhook changes what in names.
func (c *Client) UpdateWebhook(ctx context.Context, id string, in api.WebhookUpdate) (*api.Webhook, error) {
	return send[api.Webhook](ctx, c, http.MethodPatch, "/v1/webhooks/"+segment(id), c.scope(), in, true)
}

// PauseWebhook lets a webhook's deliveries be made and wait.
func (c *Client) PauseWebhook(ctx context.Context, id string) (*api.Webhook, error) {
	return send[api.Webhook](ctx, c, http.MethodPost, "/v1/webhooks/"+segment(id)+"/pause", c.scope(), nil, true)
}

// ResumeWebhook lets a paused or disabled webhook go again.
func (c *Client) ResumeWebhook(ctx context.Context, id string) (*api.Webhook, error) {
	return send[api.Webhook](ctx, c, http.MethodPost, "/v1/webhooks/"+segment(id)+"/resume", c.scope(), nil, true)
}

// DeleteWebhook unregisters a webhook. One that is not there any more is a *Error with code
// "not_found", also when a try before succeeded and its answer was lost.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	return c.remove(ctx, "/v1/webhooks/"+segment(id))
}

// TestWebhook sends a webhook a test event at once and says what came back. eventType may be "".
func (c *Client) TestWebhook(ctx context.Context, id, eventType string) (*api.TestResult, error) {
	return send[api.TestResult](ctx, c, http.MethodPost, "/v1/webhooks/test", c.scope(), api.TestRequest{WebhookID: id, EventType: eventType}, false)
}
