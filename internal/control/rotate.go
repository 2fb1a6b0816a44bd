package control

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/signature"
)

// How long a receiver may know both secrets.
const (
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 30 * 24 * time.Hour
)

// Rotation asks for a new signing secret.
type Rotation struct {
	Secret  postrider.Secret // zero: one is generated
	Overlap *time.Duration   // nil: DefaultOverlap; 0: the new one is in force at once
}

// SigningSide says which secret a webhook's requests are signed with.
type SigningSide string

// The sides.
const (
	SignsWithOld  SigningSide = "old"
	SignsWithNew  SigningSide = "new"
	SignsWithBoth SigningSide = "both" // every signature header carries a list
)

// RotateSecret gives a webhook a new signing secret. generated is it when it was made here, to be shown this
// once. Until the overlap ends, headers that carry a list of signatures have one by each
// secret, and the others are signed with the old one until ActivateSecret. CodeConflict while
// another rotation is under way, unless the overlap is 0, which ends it.
func (c *Control) RotateSecret(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID, in Rotation) (webhook *postrider.Endpoint, generated postrider.Secret, err error) {
	webhook, err = c.update(ctx, p, tenantName, id, func(now *postrider.Endpoint) (Change, error) {
		var change Change
		change, generated, err = c.rotation(now, in)
		return change, err
	})
	if err != nil {
		return nil, postrider.Secret{}, err
	}
	return webhook, generated, nil
}

// rotation works out the change that rotates a webhook's secret.
func (c *Control) rotation(webhook *postrider.Endpoint, in Rotation) (change Change, generated postrider.Secret, err error) {
	overlap := DefaultOverlap
	if in.Overlap != nil {
		overlap = *in.Overlap
	}
	var faults postrider.Faults
	if overlap < 0 || overlap > MaxOverlap {
		faults.Add("overlap", "is between 0 and 30 days")
	}
	terms, found := c.terms(&faults, webhook.Contract)
	if found {
		var given []postrider.Secret
		if !in.Secret.IsZero() {
			given = append(given, in.Secret)
		}
		checkSecrets(&faults, given, terms)
	}
	now := c.now()
	running := c.RotationOf(webhook) != nil
	if slices.Contains(inForce(webhook, now), in.Secret) || running && in.Secret == webhook.Rotation.Next {
		faults.Add("secret", "is one that the webhook has already")
	}
	if err := faults.Err(); err != nil {
		return Change{}, generated, err
	}
	if running && overlap > 0 {
		return Change{}, generated, postrider.Errorf(postrider.CodeConflict,
			"a rotation of webhook %s's secret is under way until %s; activate the new secret first, or rotate with an overlap of 0", webhook.ID, webhook.Rotation.Until.Format(time.RFC3339))
	}
	secret := in.Secret
	if secret.IsZero() {
		if generated, err = terms.GenerateSecret(rand.Reader); err != nil {
			return Change{}, postrider.Secret{}, err
		}
		secret = generated
	}
	if overlap == 0 {
		return Change{secrets: []postrider.Secret{secret}}, generated, nil
	}
	return Change{secrets: inForce(webhook, now), rotation: &postrider.SecretRotation{Next: secret, StartedAt: now, Until: now.Add(overlap)}}, generated, nil
}

// ActivateSecret ends a rotation: from now on only the new secret signs. CodeConflict when none is under way.
func (c *Control) ActivateSecret(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID) (*postrider.Endpoint, error) {
	return c.update(ctx, p, tenantName, id, func(webhook *postrider.Endpoint) (Change, error) {
		if c.RotationOf(webhook) == nil {
			return Change{}, postrider.Errorf(postrider.CodeConflict, "no rotation of webhook %s's secret is under way", id)
		}
		return Change{secrets: []postrider.Secret{webhook.Rotation.Next}}, nil
	})
}

// RotationOf gives the rotation that is under way, nil when there is none.
func (c *Control) RotationOf(webhook *postrider.Endpoint) *postrider.SecretRotation {
	if r := webhook.Rotation; r != nil && c.now().Before(r.Until) {
		return r
	}
	return nil
}

// SignsWith says which secret a webhook's requests are signed with now. A contract with several signature
// headers of which one carries no list counts as signed with the old one, which its receiver still needs.
func (c *Control) SignsWith(webhook *postrider.Endpoint) SigningSide {
	terms, found := c.parts.Contracts.Find(webhook.Contract)
	switch {
	case c.RotationOf(webhook) == nil:
		return SignsWithNew
	case found && carriesLists(terms):
		return SignsWithBoth
	}
	return SignsWithOld
}

func carriesLists(terms *contract.Contract) bool {
	single := func(s signature.Scheme) bool { return s.Separator == "" }
	return !slices.ContainsFunc(terms.Schemes(), single)
}

// inForce gives the secrets that sign where a header carries one signature.
func inForce(webhook *postrider.Endpoint, now time.Time) []postrider.Secret {
	return webhook.SigningSecrets(now, false)
}
