package client

import (
	"context"
	"net/http"

	"github.com/postrider/postrider/api"
)

// Sealing tells by what the server's stored secrets are sealed. It needs an operator's key.
func (c *Client) Sealing(ctx context.Context) (*api.Sealing, error) {
	return get[api.Sealing](ctx, c, "/v1/secrets", nil)
}

// RotateSealing lets the server make a new key and seal all stored secrets with it, in the background;
// Sealing tells how far it is. It needs an operator's key.
func (c *Client) RotateSealing(ctx context.Context) (*api.Sealing, error) {
	return send[api.Sealing](ctx, c, http.MethodPost, "/v1/secrets/rotate", nil, nil, false)
}
