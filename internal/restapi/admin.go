package restapi

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
)

type principal = auth.Principal

func (h *Handler) createTenant(ctx context.Context, c *call, in *struct{ Body Body[api.TenantCreate] }) (*answer[api.Tenant], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	tenant, err := h.parts.Control.CreateTenant(ctx, c.principal, asked.Name)
	if err != nil {
		return nil, err
	}
	return &answer[api.Tenant]{Body: wireTenant(tenant)}, nil
}

func (h *Handler) listTenants(ctx context.Context, c *call, in *struct{ PageQuery }) (*answer[api.List[api.Tenant]], error) {
	after, err := cursor(in.Cursor, postrider.ParseTenantID)
	if err != nil {
		return nil, err
	}
	tenants, more, err := h.parts.Control.Tenants(ctx, c.principal, after, in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(tenants, more, func(t postrider.Tenant) api.Tenant { return wireTenant(&t) },
		func(t postrider.Tenant) string { return t.ID.String() }), nil
}

func (h *Handler) createKey(ctx context.Context, c *call, in *struct {
	TenantQuery
	Body Body[api.KeyCreate]
}) (*answer[api.Key], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	tenant, err := in.with(asked.Tenant)
	if err != nil {
		return nil, err
	}
	request := control.KeyRequest{
		Tenant: tenant, Environment: postrider.Environment(asked.Environment),
		Role: postrider.Role(asked.Role), Name: asked.Name,
	}
	if asked.ExpiresAt != nil {
		request.ExpiresAt = asked.ExpiresAt.UTC().Truncate(time.Millisecond)
	}
	key, text, err := h.parts.Control.CreateKey(ctx, c.principal, request)
	if err != nil {
		return nil, err
	}
	out := &answer[api.Key]{Body: wireKey(key)}
	out.Body.Key = text.Reveal() // shown this once
	return out, nil
}

func (h *Handler) listKeys(ctx context.Context, c *call, in *struct {
	TenantQuery
	PageQuery
	Role string `query:"role" enum:"operator,admin,publisher,viewer" doc:"Of this role only; \"operator\" lists the operator's own keys."`
}) (*answer[api.List[api.Key]], error) {
	after, err := cursor(in.Cursor, postrider.ParseKeyID)
	if err != nil {
		return nil, err
	}
	keys, err := h.parts.Control.Keys(ctx, c.principal, in.Tenant, postrider.Role(in.Role))
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(k postrider.Key) bool { return bytes.Compare(k.ID.ID[:], after.ID[:]) <= 0 })
	more := len(keys) > in.Limit
	return listOf(keys[:min(in.Limit, len(keys))], more, func(k postrider.Key) api.Key { return wireKey(&k) },
		func(k postrider.Key) string { return k.ID.String() }), nil
}

func (h *Handler) revokeKey(ctx context.Context, c *call, in *ByID) (*done, error) {
	id, err := postrider.ParseKeyID(in.ID)
	if err != nil {
		return nil, noSuch("key", in.ID)
	}
	return &done{}, h.parts.Control.RevokeKey(ctx, c.principal, in.Tenant, id)
}

func (h *Handler) listContracts(ctx context.Context, c *call, _ *struct{}) (*answer[api.List[api.Contract]], error) {
	contracts, err := h.parts.Control.Contracts(ctx, c.principal)
	if err != nil {
		return nil, err
	}
	return listOf(contracts, false, wireContract, nil), nil
}

func (h *Handler) getContract(ctx context.Context, c *call, in *struct {
	Name string `path:"name" doc:"The contract's name." example:"generic"`
}) (*answer[api.ContractDetail], error) {
	found, err := h.parts.Control.FindContract(ctx, c.principal, in.Name)
	if err != nil {
		return nil, err
	}
	return &answer[api.ContractDetail]{Body: detail(found)}, nil
}

func detail(c *contract.Contract) api.ContractDetail {
	return api.ContractDetail{Contract: wireContract(c), Source: string(c.Source())}
}
