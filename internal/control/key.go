package control

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// MaxKeyName bounds the name of a key, in characters.
const MaxKeyName = 100

// KeyRequest asks for a key.
type KeyRequest struct {
	Tenant      string // name or id; "" as for Control.Tenant; not for an operator's key
	Environment postrider.Environment
	Role        postrider.Role
	Name        string
	ExpiresAt   time.Time // zero: never
}

// CreateKey makes a key. The text is given here and never again. An admin makes keys of its own
// tenant; only an operator makes an operator's key.
func (c *Control) CreateKey(ctx context.Context, p auth.Principal, in KeyRequest) (*postrider.Key, postrider.Secret, error) {
	none := postrider.Secret{}
	if err := p.Authorize(auth.CreateKey); err != nil {
		return nil, none, err
	}
	if err := c.checkKey(in); err != nil {
		return nil, none, err
	}
	environment, err := p.In(in.Environment)
	if err != nil {
		return nil, none, err
	}
	tenant, err := c.keyTenant(ctx, p, in.Tenant, in.Role)
	if err != nil {
		return nil, none, err
	}
	others, err := c.parts.Store.Keys(ctx, tenant)
	if err != nil {
		return nil, none, err
	}
	if len(others) >= c.options.MaxKeys {
		return nil, none, postrider.Errorf(postrider.CodeConflict, "there are %d keys already, as many as there may be; revoke one first", len(others))
	}
	now := c.now()
	text, hash := auth.GenerateKey(environment)
	key := &postrider.Key{
		ID: postrider.NewKeyID(now), Tenant: tenant, Environment: environment, Role: in.Role,
		Name: in.Name, Hash: hash, CreatedAt: now, ExpiresAt: in.ExpiresAt.UTC().Truncate(time.Millisecond),
	}
	if in.ExpiresAt.IsZero() {
		key.ExpiresAt = time.Time{}
	}
	if err := c.parts.Store.CreateKey(ctx, key); err != nil {
		return nil, none, err
	}
	if err := c.record(ctx, p, tenant, auth.CreateKey, key.ID.String(), keyDetail(key)...); err != nil {
		return nil, none, err
	}
	return key, text, nil
}

func keyDetail(key *postrider.Key) []string {
	expires, name := "", ""
	if !key.ExpiresAt.IsZero() {
		expires = "expires " + key.ExpiresAt.Format(time.RFC3339)
	}
	if key.Name != "" {
		name = "name " + quote(key.Name)
	}
	return words("role "+string(key.Role), string(key.Environment), name, expires)
}

// Keys lists the keys of a tenant, or with role operator the operator's own. A role narrows the list.
func (c *Control) Keys(ctx context.Context, p auth.Principal, tenantName string, role postrider.Role) ([]postrider.Key, error) {
	if err := p.Authorize(auth.ReadKeys); err != nil {
		return nil, err
	}
	if role != "" {
		if err := role.Validate(); err != nil {
			return nil, postrider.FieldError("role", "%s", err.Error())
		}
	}
	tenant, err := c.keyTenant(ctx, p, tenantName, role)
	if err != nil {
		return nil, err
	}
	all, err := c.parts.Store.Keys(ctx, tenant)
	if err != nil {
		return nil, err
	}
	keys := make([]postrider.Key, 0, len(all))
	for _, key := range all {
		if (role == "" || key.Role == role) && p.Reaches(key.Environment) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// RevokeKey ends a key: the next request with it is refused. The key in use cannot revoke itself.
func (c *Control) RevokeKey(ctx context.Context, p auth.Principal, tenantName string, id postrider.KeyID) error {
	if err := p.Authorize(auth.RevokeKey); err != nil {
		return err
	}
	if id == p.KeyID {
		return postrider.Errorf(postrider.CodeConflict, "this is the key you are using; revoke it with another one")
	}
	tenant, err := c.Tenant(ctx, p, tenantName)
	if err != nil {
		return err
	}
	owner, err := c.keyOwner(ctx, p, tenant, tenantName == "", id)
	if err != nil {
		return err
	}
	if err := c.parts.Store.DeleteKey(ctx, owner, id); err != nil {
		return missing(err, p, "key", id.String())
	}
	c.parts.KeyMemory.Forget()
	return c.record(ctx, p, owner, auth.RevokeKey, id.String())
}

// keyOwner finds whose key it is: the tenant's, or for an operator who named no tenant the operator's.
func (c *Control) keyOwner(ctx context.Context, p auth.Principal, tenant postrider.TenantID, andOperator bool, id postrider.KeyID) (postrider.TenantID, error) {
	owners := []postrider.TenantID{tenant}
	if p.Operator() && andOperator {
		owners = append(owners, postrider.TenantID{})
	}
	for _, owner := range owners {
		keys, err := c.parts.Store.Keys(ctx, owner)
		if err != nil {
			return postrider.TenantID{}, err
		}
		for _, key := range keys {
			if key.ID == id && p.Reaches(key.Environment) {
				return owner, nil
			}
		}
	}
	return postrider.TenantID{}, notFound(p, "key", id.String())
}

// keyTenant chooses the tenant that keys of the role belong to: none for an operator's.
func (c *Control) keyTenant(ctx context.Context, p auth.Principal, named string, role postrider.Role) (postrider.TenantID, error) {
	if role != postrider.RoleOperator {
		return c.Tenant(ctx, p, named)
	}
	if !p.Operator() {
		return postrider.TenantID{}, postrider.Errorf(postrider.CodeForbidden, "only an operator handles keys of role \"operator\"")
	}
	if named != "" {
		return postrider.TenantID{}, postrider.FieldError("tenant", "an operator's key belongs to no tenant; leave it out")
	}
	return postrider.TenantID{}, nil
}

func (c *Control) checkKey(in KeyRequest) error {
	var faults postrider.Faults
	if in.Role == "" {
		faults.Add("role", "is required: \"operator\", \"admin\", \"publisher\" or \"viewer\"")
	} else {
		faults.AddError("role", in.Role.Validate())
	}
	if in.Environment != "" {
		faults.AddError("environment", in.Environment.Validate())
	}
	if n := utf8.RuneCountInString(in.Name); n > MaxKeyName {
		faults.Add("name", "has at most %d characters; this one has %d", MaxKeyName, n)
	}
	if !in.ExpiresAt.IsZero() && !in.ExpiresAt.After(c.now()) {
		faults.Add("expires_at", "has passed already")
	}
	return faults.Err()
}
