package store

import (
	"context"
	"time"

	"github.com/postrider/postrider"
)

// Users keeps people and their refresh tokens.
type Users interface {
	// CreateUser adds a user. CodeConflict when the login is taken, in any tenant. Logins are the same
	// when their bytes are.
	CreateUser(ctx context.Context, user *postrider.User) error
	FindUser(ctx context.Context, id postrider.UserID) (*postrider.User, error)
	FindUserByLogin(ctx context.Context, login string) (*postrider.User, error)
	// Users lists a tenant's users, or with the zero tenant the operator's, by id, those after the
	// given one, at most limit.
	Users(ctx context.Context, tenant postrider.TenantID, after postrider.UserID, limit int) ([]postrider.User, error)
	// UpdateUser changes what the patch names and gives the user as it is then. A password, another
	// role and being disabled end the user's refresh tokens in the same transaction.
	UpdateUser(ctx context.Context, tenant postrider.TenantID, id postrider.UserID, patch UserPatch, now time.Time) (*postrider.User, error)
	// DeleteUser removes a user with its refresh tokens.
	DeleteUser(ctx context.Context, tenant postrider.TenantID, id postrider.UserID) error
}

// UserPatch changes a user. Nil fields stay.
type UserPatch struct {
	PasswordHash *string
	Role         *postrider.Role
	Disabled     *bool
}

// Tokens keeps refresh tokens by their hash.
type Tokens interface {
	// CreateToken adds a token. CodeNotFound when its user is not there or disabled, CodeConflict when
	// the hash is there already.
	CreateToken(ctx context.Context, token *postrider.RefreshToken) error
	// RotateToken uses up the token of this hash and stores next in its place, with its User and
	// Family filled in; next's ExpiresAt is the caller's. CodeNotFound when there is no such token or
	// it has expired, at or before now. A token that was used up before is a theft: its whole family ends, CodeConflict.
	RotateToken(ctx context.Context, hash [32]byte, next *postrider.RefreshToken, now time.Time) error
	// EndTokens ends a user's refresh tokens.
	EndTokens(ctx context.Context, user postrider.UserID) error
	// PruneTokens removes tokens that expired at or before now, at most limit, and reports how many.
	PruneTokens(ctx context.Context, now time.Time, limit int) (int, error)
}

// Settings keeps small values of the whole installation, such as the keys that sign tokens. Values
// are sealed like secrets.
type Settings interface {
	// Setting gives a value; CodeNotFound when there is none.
	Setting(ctx context.Context, name string) ([]byte, error)
	// PutSetting sets a value. With create, an existing one stays and CodeConflict is given.
	PutSetting(ctx context.Context, name string, value []byte, create bool) error
}

// Audit keeps what was done, for ever appended to.
type Audit interface {
	// AppendAudit adds an entry. CodeConflict when its id is there already in its tenant.
	AppendAudit(ctx context.Context, entry *postrider.AuditEntry) error
	// AuditEntries lists a tenant's entries, or with the zero tenant the operator's, the newest
	// first, those before the given one (the zero ID: from the newest), at most limit.
	AuditEntries(ctx context.Context, tenant postrider.TenantID, before postrider.ID, limit int) ([]postrider.AuditEntry, error)
}

// Vault keeps secrets (of endpoints, settings) sealed, where the store seals at all: one that keeps nothing
// on a disk does not.
type Vault interface {
	// Outdated counts the values that are sealed by another key than the newest.
	Outdated(ctx context.Context) (int, error)
	// Reseal seals up to limit of them again, with the newest key, in one transaction, and reports how
	// many; fewer than limit means that none is left. What the values say does not change.
	Reseal(ctx context.Context, limit int) (int, error)
}
