package postrider

import "time"

// User is a person of a tenant who logs in by name and password.
type User struct {
	ID           UserID
	Tenant       TenantID // zero for an operator's user
	Login        string   // opaque, 1 to 320 characters, unique over all tenants: seed 001 logs in by it alone
	PasswordHash string   // PHC string of argon2id
	Role         Role
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Disabled     bool // may not log in; tokens given before are refused
}

// MaxLoginLength bounds a user's login, in characters (RFC 3696 erratum 1690 for email addresses).
const MaxLoginLength = 320

// RefreshToken lets a user get new tokens without a password, once: using it gives another one.
type RefreshToken struct {
	Hash      [32]byte // SHA-256 of its text, which has 256 random bits
	User      UserID
	Family    ID // of the login that it goes back to; using a token twice ends its whole family
	CreatedAt time.Time
	ExpiresAt time.Time
}

// AuditEntry is one management action that was carried out. Entries are only ever added.
type AuditEntry struct {
	ID      ID
	At      time.Time
	Tenant  TenantID // whose things were touched; zero for the operator's own
	Actor   string   // "key_…" or "usr_…"
	Action  string   // such as "webhook.register"
	Subject string   // id of what it was done to
	Detail  string   // what changed, in words; holds no secret
}
