package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/postrider/postrider/api"
)

// ReplayWebhook delivers events again to a webhook. At most 10,000 deliveries are made a call: while the answer has a
// Next, call again with it as the Cursor.
func (c *Client) ReplayWebhook(ctx context.Context, id string, in api.ReplayRequest) (*api.ReplayResult, error) {
	return send[api.ReplayResult](ctx, c, http.MethodPost, "/v1/webhooks/"+segment(id)+"/replay", c.scope(), in, in.DryRun)
}

// ReplayEvent delivers an event again: to one webhook, or with webhookID "" to all that now take its type. The answer
// lists the new deliveries.
func (c *Client) ReplayEvent(ctx context.Context, id, webhookID string) (*api.List[api.Delivery], error) {
	return send[api.List[api.Delivery]](ctx, c, http.MethodPost, "/v1/events/"+segment(id)+"/replay", c.values(Page{}, "webhook_id", webhookID), nil, false)
}

// ReplayDelivery makes a new delivery of the same event to the same webhook.
func (c *Client) ReplayDelivery(ctx context.Context, id string) (*api.Delivery, error) {
	return send[api.Delivery](ctx, c, http.MethodPost, "/v1/deliveries/"+segment(id)+"/replay", c.scope(), nil, false)
}

// RotateSecret gives a webhook a new signing secret. When the gateway generated it, the answer holds it, this once.
func (c *Client) RotateSecret(ctx context.Context, id string, in api.RotateSecret) (*api.Webhook, error) {
	return send[api.Webhook](ctx, c, http.MethodPost, "/v1/webhooks/"+segment(id)+"/rotate-secret", c.scope(), in, false)
}

// ActivateSecret ends the rotation that is under way: from now on only the new secret signs.
func (c *Client) ActivateSecret(ctx context.Context, id string) (*api.Webhook, error) {
	return send[api.Webhook](ctx, c, http.MethodPost, "/v1/webhooks/"+segment(id)+"/activate-secret", c.scope(), nil, false)
}

// APISettings gives where all events of an environment go; "" is the key's environment.
func (c *Client) APISettings(ctx context.Context, environment string) (*api.APISettings, error) {
	return get[api.APISettings](ctx, c, "/v1/settings/api", c.settings(environment))
}

// PutAPISettings sets where all events of an environment go; in.URL nil: nowhere. When the gateway generated the secret,
// the answer holds it, this once.
func (c *Client) PutAPISettings(ctx context.Context, environment string, in api.APISettingsUpdate) (*api.APISettings, error) {
	return send[api.APISettings](ctx, c, http.MethodPut, "/v1/settings/api", c.settings(environment), in, false)
}

// TestAPISettings sends the configured URL a test event at once and says what came back. eventType may be "".
func (c *Client) TestAPISettings(ctx context.Context, environment, eventType string) (*api.TestResult, error) {
	return send[api.TestResult](ctx, c, http.MethodPost, "/v1/settings/api/test", c.settings(environment), api.APISettingsTest{EventType: eventType}, false)
}

func (c *Client) settings(environment string) url.Values {
	return c.values(Page{}, "environment", environment)
}
