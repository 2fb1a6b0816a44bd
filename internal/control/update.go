package control

import (
	"context"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// Change changes a webhook. Nil fields stay; Topics replaces the whole list (004.16).
type Change struct {
	URL         *string
	Topics      *[]postrider.Topic
	Contract    *string
	Secret      *postrider.Secret // replaces all secrets at once
	Description *string
	State       *postrider.EndpointState
	MaxInFlight *int
	RateLimit   *float64
	RateBurst   *int
	Auth        *postrider.EndpointAuth // replaces all of it; the zero value asks for nothing

	// What rotating and activating change: the secrets in force, and what is to follow them.
	secrets  []postrider.Secret
	rotation *postrider.SecretRotation
}

// UpdateWebhook changes a webhook and gives it as it then is. The rules are judged on what would
// stand afterwards: a new contract must suit the URL and the secret in force.
func (c *Control) UpdateWebhook(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID, change Change) (*postrider.Endpoint, error) {
	return c.update(ctx, p, tenantName, id, func(*postrider.Endpoint) (Change, error) { return change, nil })
}

// PauseWebhook lets a webhook's deliveries be made and wait. A paused one stays so; a disabled one
// is a CodeConflict.
func (c *Control) PauseWebhook(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID) (*postrider.Endpoint, error) {
	return c.update(ctx, p, tenantName, id, func(now *postrider.Endpoint) (Change, error) {
		if now.State == postrider.EndpointDisabled {
			return Change{}, postrider.Errorf(postrider.CodeConflict, "webhook %s is disabled and gets no events; enable it instead", id)
		}
		return to(postrider.EndpointPaused), nil
	})
}

// ResumeWebhook lets a paused or disabled webhook go again, with the deliveries that waited.
func (c *Control) ResumeWebhook(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID) (*postrider.Endpoint, error) {
	return c.update(ctx, p, tenantName, id, func(*postrider.Endpoint) (Change, error) { return to(postrider.EndpointEnabled), nil })
}

func to(state postrider.EndpointState) Change { return Change{State: &state} }

// update authorizes, and then changes what decide says for the webhook as it now is.
func (c *Control) update(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID,
	decide func(now *postrider.Endpoint) (Change, error)) (*postrider.Endpoint, error) {
	if err := p.Authorize(auth.UpdateWebhook); err != nil {
		return nil, err
	}
	if _, err := c.catalogue(ctx); err != nil {
		return nil, err
	}
	c.changes.Lock()
	defer c.changes.Unlock()
	now, err := c.webhook(ctx, p, auth.UpdateWebhook, tenantName, id)
	if err != nil {
		return nil, err
	}
	change, err := decide(now)
	if err != nil {
		return nil, err
	}
	patch, err := c.judge(now, change)
	if err != nil || patch == (store.EndpointPatch{}) {
		return now, err
	}
	changed, err := c.parts.Store.UpdateEndpoint(ctx, now.Tenant, id, patch, c.now())
	if err != nil {
		return nil, missing(err, p, "webhook", id.String())
	}
	if err := c.announce(changed); err != nil {
		return nil, err
	}
	if changed.State == postrider.EndpointEnabled && now.State != postrider.EndpointEnabled {
		c.parts.Lanes.Wake(id)
	}
	if err := c.record(ctx, p, changed.Tenant, auth.UpdateWebhook, id.String(), changeDetail(now, changed, patch)...); err != nil {
		return nil, err
	}
	return changed, nil
}

// judge checks the webhook as the change would leave it, and gives the patch that makes it so: empty
// when nothing would change.
func (c *Control) judge(now *postrider.Endpoint, change Change) (store.EndpointPatch, error) {
	var (
		patch  store.EndpointPatch
		faults postrider.Faults
		then   = *now
	)
	replace(&then.URL, change.URL, &patch.URL)
	replace(&then.Contract, change.Contract, &patch.Contract)
	replace(&then.Description, change.Description, &patch.Description)
	replace(&then.MaxInFlight, change.MaxInFlight, &patch.MaxInFlight)
	replace(&then.RateLimit, change.RateLimit, &patch.RateLimit)
	replace(&then.RateBurst, change.RateBurst, &patch.RateBurst)
	if change.Topics != nil {
		then.Topics = distinct(*change.Topics)
		patch.Topics = &then.Topics
	}
	if change.Secret != nil {
		change.secrets, change.rotation = []postrider.Secret{*change.Secret}, nil
		if change.Secret.IsZero() {
			faults.Add("secret", "cannot be empty; leave it out to keep the one in force")
		}
	}
	if change.secrets != nil {
		then.Secrets, then.Rotation = change.secrets, change.rotation
		patch.Secrets = &then.Secrets
		if then.Rotation != now.Rotation {
			patch.Rotation = &then.Rotation
		}
	} else if then.Rotation != nil && c.RotationOf(now) == nil {
		then.Secrets, then.Rotation = inForce(now, c.now()), nil // it has ended: the new one is what a new contract must suit
	}
	if change.State != nil && *change.State != now.State {
		patch.State = change.State
		switch *change.State {
		case postrider.EndpointDisabled:
			reason := postrider.DisabledByUser
			patch.DisabledReason = &reason
		case postrider.EndpointEnabled, postrider.EndpointPaused:
		default:
			faults.Add("status", "%s is not a status; use \"enabled\", \"paused\" or \"disabled\"", quote(string(*change.State)))
		}
	}
	if change.Auth != nil && !change.Auth.Equal(&now.Auth) {
		then.Auth, patch.Auth = *change.Auth, change.Auth
	}
	c.checkWebhook(&faults, &then, aspects{
		url:     patch.URL != nil || patch.Contract != nil,
		topics:  patch.Topics != nil,
		secrets: patch.Secrets != nil || patch.Contract != nil,
		auth:    patch.Auth != nil || patch.URL != nil || patch.Contract != nil,
		newAuth: patch.Auth != nil,
	})
	return patch, faults.Err()
}

// replace puts a new value, when there is one, into the webhook and into the patch.
func replace[T comparable](value *T, change *T, patch **T) {
	if change != nil && *change != *value {
		*value = *change
		*patch = change
	}
}
