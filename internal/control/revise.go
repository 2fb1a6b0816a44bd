package control

import (
	"context"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// ReviseWebhook is UpdateWebhook with a change that follows from the webhook as it is: decide is told
// that, and no other change comes in between. It must be quick, and calls no verb.
func (c *Control) ReviseWebhook(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID,
	decide func(now *postrider.Endpoint) (Change, error)) (*postrider.Endpoint, error) {
	return c.update(ctx, p, tenantName, id, decide)
}
