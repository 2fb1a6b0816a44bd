package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/postrider/postrider/api"
)

// CreateTenant makes a tenant. It needs an operator's key.
func (c *Client) CreateTenant(ctx context.Context, name string) (*api.Tenant, error) {
	return send[api.Tenant](ctx, c, http.MethodPost, "/v1/tenants", nil, api.TenantCreate{Name: name}, false)
}

// Tenants gives a page of tenants: all of them with an operator's key, else the key's own.
func (c *Client) Tenants(ctx context.Context, page Page) (*api.List[api.Tenant], error) {
	query := c.values(page)
	query.Del("tenant")
	return get[api.List[api.Tenant]](ctx, c, "/v1/tenants", query)
}

// AllTenants walks over all pages.
func (c *Client) AllTenants(ctx context.Context) iter.Seq2[api.Tenant, error] {
	return all(ctx, Page{}, c.Tenants)
}

// CreateKey makes a key. The answer holds its text, this once.
func (c *Client) CreateKey(ctx context.Context, in api.KeyCreate) (*api.Key, error) {
	if in.Tenant == "" && in.Role != "operator" {
		in.Tenant = c.tenant
	}
	return send[api.Key](ctx, c, http.MethodPost, "/v1/keys", nil, in, false)
}

// Keys lists all keys, without their texts. role narrows the list; "operator" lists the operator's own.
func (c *Client) Keys(ctx context.Context, role string) (*api.List[api.Key], error) {
	found := &api.List[api.Key]{Data: []api.Key{}}
	fetch := func(ctx context.Context, page Page) (*api.List[api.Key], error) {
		query := c.values(page, "role", role)
		if role == "operator" {
			query.Del("tenant")
		}
		return get[api.List[api.Key]](ctx, c, "/v1/keys", query)
	}
	for key, err := range all(ctx, Page{Limit: 500}, fetch) {
		if err != nil {
			return nil, err
		}
		found.Data = append(found.Data, key)
	}
	return found, nil
}

// RevokeKey ends a key at once.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	return c.remove(ctx, "/v1/keys/"+segment(id))
}
