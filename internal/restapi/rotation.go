package restapi

import (
	"context"
	"net/http"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
)

func rotationRoutes() []route {
	return []route{
		{http.MethodPost, "/v1/webhooks/{id}/rotate-secret", "rotateSecret", tagWebhooks, auth.UpdateWebhook, 200, "Give a webhook a new signing secret",
			"Until the overlap ends, headers that carry a list of signatures have one by each secret; the others are signed with the old one until the new one is activated. " +
				"The answer holds the new secret when it was generated, this once.", managed((*Handler).rotateSecret)},
		{http.MethodPost, "/v1/webhooks/{id}/activate-secret", "activateSecret", tagWebhooks, auth.UpdateWebhook, 200, "Put the new signing secret in force",
			"Ends the rotation that is under way: from now on only the new secret signs.", managed((*Handler).activateSecret)},
	}
}

func (h *Handler) rotateSecret(ctx context.Context, c *call, in *struct {
	ByID
	Body *Body[api.RotateSecret]
}) (*answer[api.Webhook], error) {
	asked, err := in.Body.takeOrNothing()
	if err != nil {
		return nil, err
	}
	overlap, err := span("overlap", asked.Overlap)
	if err != nil {
		return nil, err
	}
	var generated postrider.Secret
	out, err := h.onWebhook(ctx, c, &in.ByID, func(ctx context.Context, p principal, tenant string, id postrider.EndpointID) (webhook *postrider.Endpoint, err error) {
		webhook, generated, err = h.parts.Control.RotateSecret(ctx, p, tenant, id, control.Rotation{Secret: postrider.NewSecret(asked.Secret), Overlap: overlap})
		return webhook, err
	})
	if err != nil {
		return nil, err
	}
	out.Body.Secret = shown(generated) // shown this once
	return out, nil
}

func (h *Handler) activateSecret(ctx context.Context, c *call, in *ByID) (*answer[api.Webhook], error) {
	return h.onWebhook(ctx, c, in, h.parts.Control.ActivateSecret)
}

// wireRotation is nil while no rotation is under way.
func (h *Handler) wireRotation(webhook *postrider.Endpoint) *api.SecretRotation {
	r := h.parts.Control.RotationOf(webhook)
	if r == nil {
		return nil
	}
	return &api.SecretRotation{StartedAt: r.StartedAt, Until: r.Until, SignsWith: string(h.parts.Control.SignsWith(webhook))}
}
