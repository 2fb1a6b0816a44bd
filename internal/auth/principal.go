package auth

import (
	"net/netip"

	"github.com/postrider/postrider"
)

// Principal is who asks. The zero Principal may do nothing.
type Principal struct {
	Role        postrider.Role
	Tenant      postrider.TenantID    // zero for an operator, who names a tenant in each call
	Environment postrider.Environment // what a call means that names none
	KeyID       postrider.KeyID       // of the key that was sent, else zero
	UserID      postrider.UserID      // of the user whose token was sent, else zero
	From        netip.Addr            // where the call came from, for the audit; zero when it is not known
}

// Operator reports whether the principal stands above the tenants.
func (p Principal) Operator() bool { return p.Role == postrider.RoleOperator }

// Authorize reports nil when the principal may ask for the action. The error is of CodeForbidden, or
// of CodeUnauthenticated when nobody asks.
func (p Principal) Authorize(action Action) error {
	if p.Role == "" {
		return errMissing()
	}
	if !Allowed(p.Role, action) {
		return postrider.Errorf(postrider.CodeForbidden, "a key of role %q may not do %s; use one of role %s",
			p.Role, action, anyOf(action.Roles()))
	}
	return nil
}

// Reaches reports whether the principal may see and change things of the environment: a sandbox key
// of a tenant reaches the sandbox only, so that a key on a test machine cannot touch live traffic.
func (p Principal) Reaches(environment postrider.Environment) bool {
	return p.Operator() || p.Environment != postrider.Sandbox || environment == postrider.Sandbox
}

// In chooses the environment of a call: the named one, or without a name the principal's. The error
// is of CodeInvalid for an unknown name and of CodeForbidden for one that the principal does not reach.
func (p Principal) In(named postrider.Environment) (postrider.Environment, error) {
	if named == "" {
		if p.Environment == "" {
			return postrider.Production, nil
		}
		return p.Environment, nil
	}
	if err := named.Validate(); err != nil {
		return "", &postrider.Error{Code: postrider.CodeInvalid, Message: err.Error(),
			Fields: map[string]string{"environment": "use \"production\" or \"sandbox\""}}
	}
	if !p.Reaches(named) {
		return "", postrider.Errorf(postrider.CodeForbidden, "a sandbox key does not reach %q; use a production key", named)
	}
	return named, nil
}

func anyOf(roles []postrider.Role) string {
	text := ""
	for i, role := range roles {
		switch {
		case i > 0 && i == len(roles)-1:
			text += " or "
		case i > 0:
			text += ", "
		}
		text += "\"" + string(role) + "\""
	}
	return text
}
