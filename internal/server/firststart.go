package server

import (
	"context"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// operatorKeyName marks the one key that starting a server is responsible for, beside operators' keys
// made through the API.
const operatorKeyName = "operator (set at start)"

// ensureTenant makes the tenant if there is none of that name.
func ensureTenant(ctx context.Context, tenants store.Tenants, name string) (*postrider.Tenant, error) {
	tenant, err := tenants.FindTenantByName(ctx, name)
	if postrider.ErrorCode(err) != postrider.CodeNotFound {
		return tenant, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	tenant = &postrider.Tenant{ID: postrider.NewTenantID(now), Name: name, CreatedAt: now}
	return tenant, tenants.CreateTenant(ctx, tenant)
}

// ensureOperatorKey makes the configured key the operator's, in place of the one before. Without a
// configured key it makes one when there is none at all, and hands it to show, after it is stored.
func ensureOperatorKey(ctx context.Context, keys store.Keys, configured postrider.Secret, show func(postrider.Secret)) error {
	known, err := keys.Keys(ctx, postrider.TenantID{})
	if err != nil {
		return err
	}
	if configured.IsZero() {
		if len(known) > 0 {
			return nil
		}
		if show == nil {
			return postrider.Errorf(postrider.CodeInvalid, "no operator's key is set, and there is nobody to show a new one to; set POSTRIDER_OPERATOR_KEY")
		}
		text, hash := auth.GenerateKey(postrider.Production)
		if err := createOperatorKey(ctx, keys, hash); err != nil {
			return err
		}
		show(text)
		return nil
	}
	return replaceOperatorKey(ctx, keys, known, auth.HashKey(configured.Reveal()))
}

func replaceOperatorKey(ctx context.Context, keys store.Keys, known []postrider.Key, hash [32]byte) error {
	present := false
	for _, key := range known {
		present = present || key.Hash == hash
	}
	if !present {
		if err := createOperatorKey(ctx, keys, hash); err != nil {
			return err
		}
	}
	for _, key := range known {
		if key.Name == operatorKeyName && key.Hash != hash {
			if err := keys.DeleteKey(ctx, postrider.TenantID{}, key.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func createOperatorKey(ctx context.Context, keys store.Keys, hash [32]byte) error {
	now := time.Now().UTC().Truncate(time.Millisecond)
	err := keys.CreateKey(ctx, &postrider.Key{
		ID: postrider.NewKeyID(now), Environment: postrider.Production, Role: postrider.RoleOperator,
		Name: operatorKeyName, Hash: hash, CreatedAt: now,
	})
	if postrider.ErrorCode(err) == postrider.CodeConflict {
		return postrider.Errorf(postrider.CodeInvalid, "POSTRIDER_OPERATOR_KEY is the key of a tenant already; choose another")
	}
	return err
}
