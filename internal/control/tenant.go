package control

import (
	"context"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// MaxTenantName bounds a tenant's name, in bytes.
const MaxTenantName = 64

// CreateTenant adds a tenant. CodeConflict when the name is taken.
func (c *Control) CreateTenant(ctx context.Context, p auth.Principal, name string) (*postrider.Tenant, error) {
	if err := p.Authorize(auth.CreateTenant); err != nil {
		return nil, err
	}
	if err := CheckTenantName(name); err != nil {
		return nil, err
	}
	now := c.now()
	tenant := &postrider.Tenant{ID: postrider.NewTenantID(now), Name: name, CreatedAt: now}
	err := c.parts.Store.CreateTenant(ctx, tenant)
	if postrider.ErrorCode(err) == postrider.CodeConflict {
		return nil, &postrider.Error{Code: postrider.CodeConflict, Err: err,
			Message: "there is a tenant " + quote(name) + " already",
			Fields:  map[string]string{"name": "is taken"}}
	}
	if err != nil {
		return nil, err
	}
	return tenant, c.record(ctx, p, tenant.ID, auth.CreateTenant, tenant.ID.String(), "name "+quote(name))
}

// Tenants lists tenants by id, those after the given one: an operator sees all, others their own.
func (c *Control) Tenants(ctx context.Context, p auth.Principal, after postrider.TenantID, limit int) (tenants []postrider.Tenant, more bool, err error) {
	if err := p.Authorize(auth.ReadTenants); err != nil {
		return nil, false, err
	}
	if !p.Operator() {
		own, err := c.parts.Store.FindTenant(ctx, p.Tenant)
		if err != nil {
			return nil, false, missing(err, p, "tenant", p.Tenant.String())
		}
		return []postrider.Tenant{*own}, false, nil
	}
	limit = pageLimit(limit)
	tenants, err = c.parts.Store.Tenants(ctx, after, limit+1)
	tenants, more = page(tenants, limit)
	return tenants, more, err
}

// CheckTenantName reports whether a tenant can have the name: 1 to 64 letters, digits, "_", "-" and
// ".", and not what looks like an id. The error is of CodeInvalid.
func CheckTenantName(name string) error {
	switch {
	case name == "":
		return postrider.FieldError("name", "is required")
	case len(name) > MaxTenantName:
		return postrider.FieldError("name", "has at most %d characters; this one has %d bytes", MaxTenantName, len(name))
	}
	for _, r := range name {
		if !nameRune(r) {
			return postrider.FieldError("name", "is made of letters, digits, \"_\", \"-\" and \".\"; %q is none of them", r)
		}
	}
	if _, err := postrider.ParseTenantID(name); err == nil {
		return postrider.FieldError("name", "looks like a tenant's id; choose another")
	}
	return nil
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.'
}
