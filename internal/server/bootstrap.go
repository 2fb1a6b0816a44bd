package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
)

// bootstrap makes what a bootstrap file names and the store does not have.
type bootstrap struct {
	store    store.Store
	webhooks *control.Control
	log      *slog.Logger
}

func (b *bootstrap) apply(ctx context.Context, path string, dev bool) error {
	document, err := config.ReadBootstrap(path, dev)
	if err != nil {
		return err
	}
	for i, tenant := range document.Tenants {
		if err := b.tenant(ctx, tenant.Name); err != nil {
			return fmt.Errorf("%s: tenants[%d]: %w", path, i, err)
		}
	}
	for i, user := range document.Users {
		if err := b.user(ctx, user); err != nil {
			return fmt.Errorf("%s: users[%d]: %w", path, i, err)
		}
	}
	for i, key := range document.Keys {
		if err := b.key(ctx, key); err != nil {
			return fmt.Errorf("%s: keys[%d]: %w", path, i, err)
		}
	}
	for i, endpoint := range document.Endpoints {
		if err := b.endpoint(ctx, endpoint); err != nil {
			return fmt.Errorf("%s: endpoints[%d]: %w", path, i, err)
		}
	}
	return nil
}

func (b *bootstrap) tenant(ctx context.Context, name string) error {
	if err := control.CheckTenantName(name); err != nil {
		return err
	}
	_, err := ensureTenant(ctx, b.store, name)
	return err
}

func (b *bootstrap) key(ctx context.Context, in config.BootstrapKey) error {
	if err := b.tenant(ctx, in.Tenant); err != nil {
		return err
	}
	tenant, err := b.store.FindTenantByName(ctx, in.Tenant)
	if err != nil {
		return err
	}
	hash := auth.HashKey(in.Key.Reveal())
	found, err := b.store.FindKey(ctx, hash)
	if err == nil {
		if found.Tenant != tenant.ID || found.Role != in.Role || found.Environment != in.Environment {
			b.log.Warn("a key of the bootstrap file exists with another tenant, role or environment, and stays as it is", "key", found.ID)
		}
		return nil
	}
	if postrider.ErrorCode(err) != postrider.CodeNotFound {
		return err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	return b.store.CreateKey(ctx, &postrider.Key{
		ID: postrider.NewKeyID(now), Tenant: tenant.ID, Environment: in.Environment, Role: in.Role,
		Name: in.Name, Hash: hash, CreatedAt: now,
	})
}

// user makes a user. One of that login stays as it is, with the password that it has.
func (b *bootstrap) user(ctx context.Context, in config.BootstrapUser) error {
	request := control.UserRequest{Login: in.Email, Password: in.Password, Role: in.Role}
	var tenant postrider.TenantID
	if in.Role != postrider.RoleOperator {
		if err := b.tenant(ctx, in.Tenant); err != nil {
			return err
		}
		found, err := b.store.FindTenantByName(ctx, in.Tenant)
		if err != nil {
			return err
		}
		request.Tenant, tenant = in.Tenant, found.ID
	}
	known, err := b.store.FindUserByLogin(ctx, in.Email)
	if err == nil {
		if known.Tenant != tenant || known.Role != in.Role {
			b.log.Warn("a user of the bootstrap file exists with another tenant or role, and stays as it is", "user", known.ID)
		}
		return nil
	}
	if postrider.ErrorCode(err) != postrider.CodeNotFound {
		return err
	}
	operator := auth.Principal{Role: postrider.RoleOperator, Environment: postrider.Production}
	_, err = b.webhooks.CreateUser(ctx, operator, request)
	return err
}

func (b *bootstrap) endpoint(ctx context.Context, in config.BootstrapEndpoint) error {
	if err := b.tenant(ctx, in.Tenant); err != nil {
		return err
	}
	operator := auth.Principal{Role: postrider.RoleOperator, Environment: postrider.Production}
	filter := store.EndpointFilter{Environment: in.Environment, Contract: in.Contract, Limit: control.MaxPage}
	for {
		known, more, err := b.webhooks.Webhooks(ctx, operator, in.Tenant, filter)
		if err != nil {
			return err
		}
		for _, webhook := range known {
			if webhook.URL == in.URL {
				return nil
			}
		}
		if !more {
			break
		}
		filter.After = known[len(known)-1].ID
	}
	webhook, generated, err := b.webhooks.RegisterWebhook(ctx, operator, control.Registration{
		Tenant: in.Tenant, Environment: in.Environment, URL: in.URL, Topics: in.Events,
		Contract: in.Contract, Secret: in.Secret, Description: in.Description,
	})
	if err == nil && !generated.IsZero() {
		b.log.Warn("a webhook of the bootstrap file has no secret; one was made that nobody has seen: set it with 'postrider endpoint update'", "webhook", webhook.ID)
	}
	return err
}
