package control

import (
	"context"
	"strconv"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// UserRequest asks for a user.
type UserRequest struct {
	Tenant   string // name or id; "" as for Control.Tenant; not for an operator
	Login    string // opaque, 1 to 320 characters, unique over all tenants
	Password postrider.Secret
	Role     postrider.Role
}

// UserChange changes a user. Nil fields stay.
type UserChange struct {
	Password *postrider.Secret
	Role     *postrider.Role
	Disabled *bool
}

// CreateUser makes a user. An admin makes users of its own tenant; only an operator makes an
// operator. CodeConflict when the login is taken, in any tenant.
func (c *Control) CreateUser(ctx context.Context, p auth.Principal, in UserRequest) (*postrider.User, error) {
	if err := authorizeUsers(p, auth.CreateUser); err != nil {
		return nil, err
	}
	if err := checkUser(in); err != nil {
		return nil, err
	}
	operators := in.Role == postrider.RoleOperator
	tenant, err := c.ownTenant(ctx, p, in.Tenant, operators)
	if err != nil {
		return nil, err
	}
	if err := c.roomForUser(ctx, tenant); err != nil {
		return nil, err
	}
	hash, err := c.parts.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return nil, err
	}
	now := c.now()
	user := &postrider.User{
		ID: postrider.NewUserID(now), Tenant: tenant, Login: in.Login, PasswordHash: hash, Role: in.Role,
		CreatedAt: now, UpdatedAt: now,
	}
	err = c.parts.Store.CreateUser(ctx, user)
	if postrider.ErrorCode(err) == postrider.CodeConflict {
		return nil, &postrider.Error{Code: postrider.CodeConflict, Err: err,
			Message: "there is a user " + quote(in.Login) + " already", Fields: map[string]string{"email": "is taken"}}
	}
	if err != nil {
		return nil, err
	}
	return user, c.record(ctx, p, tenant, auth.CreateUser, user.ID.String(), "login "+quote(user.Login), "role "+string(user.Role))
}

// Users lists a tenant's users by id, those after the given one; with operators, an operator lists
// the operators.
func (c *Control) Users(ctx context.Context, p auth.Principal, tenantName string, operators bool, after postrider.UserID, limit int) (users []postrider.User, more bool, err error) {
	if err := authorizeUsers(p, auth.ReadUsers); err != nil {
		return nil, false, err
	}
	tenant, err := c.ownTenant(ctx, p, tenantName, operators)
	if err != nil {
		return nil, false, err
	}
	limit = pageLimit(limit)
	users, err = c.parts.Store.Users(ctx, tenant, after, limit+1)
	users, more = page(users, limit)
	return users, more, err
}

// FindUser gives a user. An operator need not name the tenant.
func (c *Control) FindUser(ctx context.Context, p auth.Principal, tenantName string, id postrider.UserID) (*postrider.User, error) {
	return c.user(ctx, p, auth.ReadUsers, tenantName, id)
}

// UpdateUser changes a user. A new password, another role and being disabled end the user's refresh
// tokens; the ID tokens of a disabled user are refused at once. Nobody disables themselves or gives
// themselves another role, so that the last admin cannot lock the door from outside.
func (c *Control) UpdateUser(ctx context.Context, p auth.Principal, tenantName string, id postrider.UserID, change UserChange) (*postrider.User, error) {
	before, err := c.user(ctx, p, auth.UpdateUser, tenantName, id)
	if err != nil {
		return nil, err
	}
	if err := checkUserChange(before, change); err != nil {
		return nil, err
	}
	if id == p.UserID && (change.Role != nil && *change.Role != before.Role || change.Disabled != nil && *change.Disabled) {
		return nil, postrider.Errorf(postrider.CodeConflict, "this is you; another admin or an operator can change your role or disable you")
	}
	patch := store.UserPatch{}
	if change.Role != nil && *change.Role != before.Role {
		patch.Role = change.Role
	}
	if change.Disabled != nil && *change.Disabled != before.Disabled {
		patch.Disabled = change.Disabled
	}
	if change.Password != nil {
		hash, err := c.parts.Passwords.Hash(ctx, *change.Password)
		if err != nil {
			return nil, err
		}
		patch.PasswordHash = &hash
	}
	if patch == (store.UserPatch{}) {
		return before, nil
	}
	c.userChanges.Lock()
	defer c.userChanges.Unlock()
	after, err := c.parts.Store.UpdateUser(ctx, before.Tenant, id, patch, c.now())
	c.parts.Tokens.Forget()
	if err != nil {
		return nil, missing(err, p, "user", id.String())
	}
	return after, c.record(ctx, p, after.Tenant, auth.UpdateUser, id.String(), userDetail(before, after, patch)...)
}

// DeleteUser removes a user with all sessions: its tokens are refused at once. Nobody deletes
// themselves.
func (c *Control) DeleteUser(ctx context.Context, p auth.Principal, tenantName string, id postrider.UserID) error {
	found, err := c.user(ctx, p, auth.DeleteUser, tenantName, id)
	if err != nil {
		return err
	}
	if id == p.UserID {
		return postrider.Errorf(postrider.CodeConflict, "this is you; another admin or an operator can delete you")
	}
	err = c.parts.Store.DeleteUser(ctx, found.Tenant, id)
	c.parts.Tokens.Forget()
	if err != nil {
		return missing(err, p, "user", id.String())
	}
	return c.record(ctx, p, found.Tenant, auth.DeleteUser, id.String(), "login "+quote(found.Login))
}

// user authorizes the action and finds the user, inside the tenant that p sees. An operator who names
// no tenant finds every user.
func (c *Control) user(ctx context.Context, p auth.Principal, action auth.Action, tenantName string, id postrider.UserID) (*postrider.User, error) {
	if err := p.Authorize(action); err != nil {
		return nil, err
	}
	if !p.Reaches(postrider.Production) {
		return nil, notFound(p, "user", id.String())
	}
	everywhere := p.Operator() && tenantName == ""
	tenant, err := c.Tenant(ctx, p, tenantName)
	if err != nil && !everywhere {
		return nil, err
	}
	user, err := c.parts.Store.FindUser(ctx, id)
	if err != nil {
		return nil, missing(err, p, "user", id.String())
	}
	if user.Tenant != tenant && !everywhere {
		return nil, notFound(p, "user", id.String())
	}
	return user, nil
}

// authorizeUsers authorizes an action on users. They belong to no environment and log in to all of
// them, so that a sandbox key, which may lie on a test machine, does not manage them.
func authorizeUsers(p auth.Principal, action auth.Action) error {
	if err := p.Authorize(action); err != nil {
		return err
	}
	if !p.Reaches(postrider.Production) {
		return postrider.Errorf(postrider.CodeForbidden, "a sandbox key does not manage users, who log in to production too; use a production key")
	}
	return nil
}

// roomForUser reports whether the tenant may have one user more.
func (c *Control) roomForUser(ctx context.Context, tenant postrider.TenantID) error {
	others, err := c.parts.Store.Users(ctx, tenant, postrider.UserID{}, c.options.MaxUsers)
	if err == nil && len(others) >= c.options.MaxUsers {
		return postrider.Errorf(postrider.CodeConflict, "there are %d users already, as many as there may be; delete one first", len(others))
	}
	return err
}

func checkUser(in UserRequest) error {
	var faults postrider.Faults
	switch n := utf8.RuneCountInString(in.Login); {
	case in.Login == "":
		faults.Add("email", "is required: the name to log in by")
	case !utf8.ValidString(in.Login):
		faults.Add("email", "is not good UTF-8")
	case n > postrider.MaxLoginLength:
		faults.Add("email", "has at most %d characters; this one has %d", postrider.MaxLoginLength, n)
	}
	if in.Password.IsZero() {
		faults.Add("password", "is required: at least %d characters, with a digit", auth.MinPasswordLength)
	} else {
		faults.AddError("password", auth.CheckPassword(in.Password))
	}
	if in.Role == "" {
		faults.Add("role", "is required: \"operator\", \"admin\", \"publisher\" or \"viewer\"")
	} else {
		faults.AddError("role", in.Role.Validate())
	}
	return faults.Err()
}

// checkUserChange checks a change. Operators belong to no tenant and everybody else to one, so that
// nobody becomes or ceases to be an operator.
func checkUserChange(user *postrider.User, change UserChange) error {
	var faults postrider.Faults
	if change.Password != nil {
		faults.AddError("password", auth.CheckPassword(*change.Password))
	}
	if change.Role != nil {
		faults.AddError("role", change.Role.Validate())
		if (*change.Role == postrider.RoleOperator) != (user.Role == postrider.RoleOperator) {
			faults.Add("role", "nobody becomes an operator or ceases to be one; make another user")
		}
	}
	return faults.Err()
}

func userDetail(before, after *postrider.User, patch store.UserPatch) []string {
	password := ""
	if patch.PasswordHash != nil {
		password = "another password"
	}
	return words("login "+quote(after.Login), password,
		changed("role", before.Role, after.Role, func(r postrider.Role) string { return string(r) }),
		changed("disabled", before.Disabled, after.Disabled, strconv.FormatBool))
}
