package control

import (
	"context"
	"net/netip"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// Session is what a login gives.
type Session = auth.Session

// ErrLogin is the answer to a login that is not good: of CodeUnauthenticated, and the same whether the
// name is not known, the password is wrong or the user is disabled.
var ErrLogin = postrider.Errorf(postrider.CodeUnauthenticated, "the name or the password is wrong")

// Login checks a user's name and password and begins a session. from is where the call came from, for
// the throttle; the zero address is not judged. The errors are ErrLogin, CodeRateLimited after too many
// failures of the name or the address, CodeUnavailable when too many logins are under way (both with
// RetryAfter), and those of the store. An unknown name costs the same hash as a wrong password.
func (c *Control) Login(ctx context.Context, login, password string, from netip.Addr) (*Session, error) {
	if err := c.throttle.Check(login, from, c.now()); err != nil {
		return nil, err
	}
	user, err := c.userOfLogin(ctx, login)
	if err != nil {
		return nil, err
	}
	secret := postrider.NewSecret(password)
	// Asked again after the wait, and counted, so that many at once cannot try more than one after another.
	admit := func() error { return c.throttle.Admit(login, from, c.now()) }
	good, stale, err := c.parts.Passwords.Verify(ctx, user.PasswordHash, secret, admit)
	if err != nil {
		return nil, err
	}
	if !good || user.Disabled {
		return nil, ErrLogin
	}
	c.throttle.Succeeded(login, from, c.now())
	if stale {
		if err := c.rehash(ctx, user, secret); err != nil {
			return nil, err
		}
	}
	return c.parts.Tokens.Open(ctx, user)
}

// RefreshLogin uses a refresh token up and gives the session that follows. The errors are
// auth.ErrTokenInvalid (not known, or expired), auth.ErrTokenReused (its family has ended),
// auth.ErrTokenRevoked, and those of the store.
func (c *Control) RefreshLogin(ctx context.Context, refreshToken string) (*Session, error) {
	return c.parts.Tokens.Refresh(ctx, refreshToken)
}

// userOfLogin finds a user; one that is not there has no hash, so that no password is good.
func (c *Control) userOfLogin(ctx context.Context, login string) (*postrider.User, error) {
	if login == "" || utf8.RuneCountInString(login) > postrider.MaxLoginLength || !utf8.ValidString(login) {
		return &postrider.User{}, nil
	}
	user, err := c.parts.Store.FindUserByLogin(ctx, login)
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return &postrider.User{}, nil
	}
	return user, err
}

// rehash stores the password at the cost that new ones have. It ends the user's other refresh tokens,
// as every new hash does; that is once in the life of a set of parameters.
func (c *Control) rehash(ctx context.Context, user *postrider.User, password postrider.Secret) error {
	hash, err := c.parts.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	c.userChanges.Lock()
	defer c.userChanges.Unlock()
	now, err := c.parts.Store.FindUser(ctx, user.ID)
	if err != nil || now.PasswordHash != user.PasswordHash {
		return err // changed meanwhile: the password that was checked is not to come back
	}
	_, err = c.parts.Store.UpdateUser(ctx, user.Tenant, user.ID, store.UserPatch{PasswordHash: &hash}, c.now())
	return err
}
