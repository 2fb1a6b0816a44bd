package restapi

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/control"
)

func (h *Handler) createUser(ctx context.Context, c *call, in *struct {
	TenantQuery
	Body Body[api.UserCreate]
}) (*created[api.User], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	tenant, err := in.with(asked.Tenant)
	if err != nil {
		return nil, err
	}
	user, err := h.parts.Control.CreateUser(ctx, c.principal, control.UserRequest{
		Tenant: tenant, Login: asked.Email, Password: postrider.NewSecret(asked.Password), Role: postrider.Role(asked.Role),
	})
	if err != nil {
		return nil, err
	}
	return &created[api.User]{Location: "/v1/users/" + user.ID.String(), Body: wireUser(user)}, nil
}

func (h *Handler) listUsers(ctx context.Context, c *call, in *struct {
	TenantQuery
	PageQuery
	Role string `query:"role" enum:"operator" doc:"\"operator\" lists the operators, who belong to no tenant."`
}) (*answer[api.List[api.User]], error) {
	after, err := cursor(in.Cursor, postrider.ParseUserID)
	if err != nil {
		return nil, err
	}
	users, more, err := h.parts.Control.Users(ctx, c.principal, in.Tenant, in.Role != "", after, in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(users, more, func(u postrider.User) api.User { return wireUser(&u) },
		func(u postrider.User) string { return u.ID.String() }), nil
}

func (h *Handler) getUser(ctx context.Context, c *call, in *ByID) (*answer[api.User], error) {
	id, err := postrider.ParseUserID(in.ID)
	if err != nil {
		return nil, noSuch("user", in.ID)
	}
	user, err := h.parts.Control.FindUser(ctx, c.principal, in.Tenant, id)
	if err != nil {
		return nil, err
	}
	return &answer[api.User]{Body: wireUser(user)}, nil
}

func (h *Handler) updateUser(ctx context.Context, c *call, in *struct {
	ByID
	Body Body[api.UserUpdate]
}) (*answer[api.User], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	id, err := postrider.ParseUserID(in.ID)
	if err != nil {
		return nil, noSuch("user", in.ID)
	}
	change := control.UserChange{Disabled: asked.Disabled, Role: (*postrider.Role)(asked.Role)}
	if asked.Password != nil {
		password := postrider.NewSecret(*asked.Password)
		change.Password = &password
	}
	user, err := h.parts.Control.UpdateUser(ctx, c.principal, in.Tenant, id, change)
	if err != nil {
		return nil, err
	}
	return &answer[api.User]{Body: wireUser(user)}, nil
}

func (h *Handler) deleteUser(ctx context.Context, c *call, in *ByID) (*done, error) {
	id, err := postrider.ParseUserID(in.ID)
	if err != nil {
		return nil, noSuch("user", in.ID)
	}
	return &done{}, h.parts.Control.DeleteUser(ctx, c.principal, in.Tenant, id)
}

func (h *Handler) listAudit(ctx context.Context, c *call, in *struct {
	TenantQuery
	PageQuery
	Operators bool `query:"operators" doc:"What was done to no tenant's things; for operators."`
}) (*answer[api.List[api.AuditEntry]], error) {
	before, err := cursor(in.Cursor, func(text string) (postrider.ID, error) {
		id, good := postrider.ParseUUID(text)
		if !good {
			return id, noSuch("entry", text)
		}
		return id, nil
	})
	if err != nil {
		return nil, err
	}
	entries, more, err := h.parts.Control.AuditEntries(ctx, c.principal, in.Tenant, in.Operators, before, in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(entries, more, wireAudit, func(e postrider.AuditEntry) string { return e.ID.UUID() }), nil
}

func wireUser(u *postrider.User) api.User {
	out := api.User{
		ID: u.ID.String(), Email: u.Login, Role: string(u.Role), Disabled: u.Disabled, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
	if !u.Tenant.IsZero() {
		out.Tenant = u.Tenant.String()
	}
	return out
}

func wireAudit(e postrider.AuditEntry) api.AuditEntry {
	out := api.AuditEntry{ID: e.ID.UUID(), At: e.At, Actor: e.Actor, Action: e.Action, Subject: e.Subject, Detail: e.Detail}
	if !e.Tenant.IsZero() {
		out.Tenant = e.Tenant.String()
	}
	return out
}

// remote is where a request came from: the connection's other end. Headers that tell of somebody
// behind a proxy are not believed, because anybody can send them.
func remote(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap()
}
