package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/postrider/postrider/api"
)

// CreateUser makes a user.
func (c *Client) CreateUser(ctx context.Context, in api.UserCreate) (*api.User, error) {
	if in.Tenant == "" && in.Role != operatorRole {
		in.Tenant = c.tenant
	}
	return send[api.User](ctx, c, http.MethodPost, "/v1/users", nil, in, false)
}

// User gives a user.
func (c *Client) User(ctx context.Context, id string) (*api.User, error) {
	return get[api.User](ctx, c, "/v1/users/"+segment(id), c.scope())
}

// Users gives a page of users. With operators it lists the operators, which only an operator sees.
func (c *Client) Users(ctx context.Context, operators bool, page Page) (*api.List[api.User], error) {
	query := c.values(page)
	if operators {
		query.Del("tenant")
		query.Set("role", operatorRole)
	}
	return get[api.List[api.User]](ctx, c, "/v1/users", query)
}

// AllUsers walks over all pages.
func (c *Client) AllUsers(ctx context.Context, operators bool) iter.Seq2[api.User, error] {
	return all(ctx, Page{}, func(ctx context.Context, page Page) (*api.List[api.User], error) {
		return c.Users(ctx, operators, page)
	})
}

// UpdateUser changes what in names.
func (c *Client) UpdateUser(ctx context.Context, id string, in api.UserUpdate) (*api.User, error) {
	return send[api.User](ctx, c, http.MethodPatch, "/v1/users/"+segment(id), c.scope(), in, true)
}

// DeleteUser removes a user; its tokens are refused at once.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	return c.remove(ctx, "/v1/users/"+segment(id))
}

// Audit gives a page of what was done in a tenant, the newest first. With operators it lists what was
// done to no tenant's things, which only an operator sees.
func (c *Client) Audit(ctx context.Context, operators bool, page Page) (*api.List[api.AuditEntry], error) {
	query := c.values(page)
	if operators {
		query.Del("tenant")
		query.Set("operators", "true")
	}
	return get[api.List[api.AuditEntry]](ctx, c, "/v1/audit", query)
}

const operatorRole = "operator"
