package postrider

import "time"

// Tenant owns endpoints, keys and events: an "account" in the seeds. Every query is inside one tenant.
type Tenant struct {
	ID        TenantID
	Name      string // unique, 1 to 64 of letters, digits, "_", "-" and "."
	CreatedAt time.Time
}

// DefaultTenant is the name of the tenant that is made at the first start, and that an operator's
// key publishes to when it names none.
const DefaultTenant = "default"

// Environment separates a tenant's live traffic from its trials. Contracts may differ by it (https, dispatch rhythm).
type Environment string

// The two environments.
const (
	Production Environment = "production"
	Sandbox    Environment = "sandbox" // "Sandbox/Staging" in seed 003
)

// Validate reports whether e is one of the two environments. The error is of CodeInvalid.
func (e Environment) Validate() error {
	if e == Production || e == Sandbox {
		return nil
	}
	return Errorf(CodeInvalid, "environment %q: use \"production\" or \"sandbox\"", string(e))
}

// Role says what a key may do; the table of who may do what stands in internal/auth.
type Role string

// The roles, from most to least power.
const (
	RoleOperator  Role = "operator"  // everything, in every tenant
	RoleAdmin     Role = "admin"     // everything inside one tenant
	RolePublisher Role = "publisher" // publish events, read what became of them
	RoleViewer    Role = "viewer"    // read
)

// Validate reports whether r is one of the roles. The error is of CodeInvalid.
func (r Role) Validate() error {
	switch r {
	case RoleOperator, RoleAdmin, RolePublisher, RoleViewer:
		return nil
	}
	return Errorf(CodeInvalid, "role %q: use \"operator\", \"admin\", \"publisher\" or \"viewer\"", string(r))
}

// Key is a bearer credential. Only its hash is stored; the text is shown once, when it is made.
type Key struct {
	ID          KeyID
	Tenant      TenantID // zero for an operator's key, which belongs to no tenant
	Environment Environment
	Role        Role
	Name        string
	Hash        [32]byte // SHA-256 of the key's text, which has 256 random bits
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero: never
	LastUsedAt  time.Time // to the minute; zero: not yet
}
