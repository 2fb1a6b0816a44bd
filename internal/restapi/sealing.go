package restapi

import (
	"context"
	"net/http"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
)

func sealingRoutes() []route {
	return []route{
		{http.MethodPost, "/v1/secrets/rotate", "rotateSealing", tagGateway, auth.SealSecrets, 200, "Seal all stored secrets with a new key",
			"Makes the key in the server's key file; the secrets are sealed again in the background. While that is under way no other key is made. " +
				"Keys that are configured are the operator's to make: then it is a conflict.", managed((*Handler).rotateSealing)},
		{http.MethodGet, "/v1/secrets", "getSealing", tagGateway, auth.SealSecrets, 200, "By what stored secrets are sealed", "", managed((*Handler).getSealing)},
	}
}

func (h *Handler) rotateSealing(ctx context.Context, c *call, _ *struct{}) (*answer[api.Sealing], error) {
	return sealing(h.parts.Control.RotateSealing(ctx, c.principal))
}

func (h *Handler) getSealing(ctx context.Context, c *call, _ *struct{}) (*answer[api.Sealing], error) {
	return sealing(h.parts.Control.SealingState(ctx, c.principal))
}

func sealing(state control.SealingState, err error) (*answer[api.Sealing], error) {
	if err != nil {
		return nil, err
	}
	return &answer[api.Sealing]{Body: api.Sealing{Key: state.Key, Outdated: state.Outdated}}, nil
}
