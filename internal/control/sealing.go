package control

import (
	"context"
	"fmt"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// Sealing is what the verbs ask of the keys that seal stored secrets; the server's own fulfils it.
type Sealing interface {
	// State tells how far the newest key has come.
	State(ctx context.Context) (SealingState, error)
	// Rotate makes a new key and lets everything be sealed by it in the background. While that is under
	// way it makes no other. CodeConflict when the keys are not the server's to make.
	Rotate(ctx context.Context) (SealingState, error)
}

// SealingState tells by what stored secrets are sealed.
type SealingState struct {
	Key      string // id of the newest key
	Outdated int    // secrets that an older key sealed; 0 when the newest sealed all
}

// SealingState tells how far the newest key has come. It is for operators.
func (c *Control) SealingState(ctx context.Context, p auth.Principal) (SealingState, error) {
	if err := p.Authorize(auth.SealSecrets); err != nil {
		return SealingState{}, err
	}
	return c.parts.Sealing.State(ctx)
}

// RotateSealing asks for a new key that seals all stored secrets. It is for operators.
func (c *Control) RotateSealing(ctx context.Context, p auth.Principal) (SealingState, error) {
	if err := p.Authorize(auth.SealSecrets); err != nil {
		return SealingState{}, err
	}
	state, err := c.parts.Sealing.Rotate(ctx)
	if err != nil {
		return SealingState{}, err
	}
	return state, c.record(ctx, p, postrider.TenantID{}, auth.SealSecrets, state.Key, fmt.Sprintf("%d secrets to seal again", state.Outdated))
}
