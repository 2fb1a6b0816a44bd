package control

import (
	"context"

	"github.com/postrider/postrider"
)

// RefreshWebhook reads a webhook that something other than a verb changed, as the engine does when it
// disables one, and tells subscriptions and lanes of it. One that is not there any more is left alone:
// its deletion told them already.
func (c *Control) RefreshWebhook(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID) error {
	c.changes.Lock()
	defer c.changes.Unlock()
	webhook, err := c.parts.Store.FindEndpoint(ctx, tenant, id)
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return c.announce(webhook)
}
