package control

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// maxDetail bounds the words of an audit entry, in bytes.
const maxDetail = 2000

// recordTime bounds how long writing an audit entry may take.
const recordTime = 10 * time.Second

// actorStart is who makes things when nobody asks: the bootstrap file, as the server starts.
const actorStart = "start"

// record writes down what p has done. Every verb that changes something calls it as its last step,
// with the principal, the tenant whose thing it was (zero for the operator's own), and in words what
// changed; nothing secret may stand there. A caller who goes away does not keep the entry from being
// written. When it cannot be written the verb fails with this error, although the change stands: a
// log with silent gaps is worth nothing.
func (c *Control) record(ctx context.Context, p auth.Principal, tenant postrider.TenantID, action auth.Action, subject string, detail ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	if p.From.IsValid() {
		detail = append(detail, "from "+p.From.String())
	}
	now := c.now()
	err := c.parts.Store.AppendAudit(ctx, &postrider.AuditEntry{
		ID: postrider.NewID(now), At: now, Tenant: tenant,
		Actor: actor(p), Action: action.String(), Subject: subject, Detail: cut(strings.Join(detail, "; "), maxDetail),
	})
	if err == nil {
		return nil
	}
	return &postrider.Error{Code: postrider.ErrorCode(err), Err: err,
		Message: action.String() + " was done to " + subject + ", but could not be written into the audit log"}
}

// AuditEntries lists what was done in a tenant, the newest first: those before the given entry, or
// without one from the newest. With operators an operator sees what was done to no tenant's things.
func (c *Control) AuditEntries(ctx context.Context, p auth.Principal, tenantName string, operators bool, before postrider.ID, limit int) (entries []postrider.AuditEntry, more bool, err error) {
	if err := p.Authorize(auth.ReadAudit); err != nil {
		return nil, false, err
	}
	if !p.Reaches(postrider.Production) {
		return nil, false, postrider.Errorf(postrider.CodeForbidden, "a sandbox key does not see what is done in production; use a production key")
	}
	tenant, err := c.ownTenant(ctx, p, tenantName, operators)
	if err != nil {
		return nil, false, err
	}
	limit = pageLimit(limit)
	entries, err = c.parts.Store.AuditEntries(ctx, tenant, before, limit+1)
	entries, more = page(entries, limit)
	return entries, more, err
}

// ownTenant chooses the tenant of users and entries: none for the operators' own.
func (c *Control) ownTenant(ctx context.Context, p auth.Principal, named string, operators bool) (postrider.TenantID, error) {
	if !operators {
		return c.Tenant(ctx, p, named)
	}
	if !p.Operator() {
		return postrider.TenantID{}, postrider.Errorf(postrider.CodeForbidden, "only an operator handles what is the operators' own")
	}
	if named != "" {
		return postrider.TenantID{}, postrider.FieldError("tenant", "what is the operators' own belongs to no tenant; leave it out")
	}
	return postrider.TenantID{}, nil
}

func actor(p auth.Principal) string {
	switch {
	case !p.UserID.IsZero():
		return p.UserID.String()
	case !p.KeyID.IsZero():
		return p.KeyID.String()
	}
	return actorStart
}

// changed words a change of one value, "" when there is none.
func changed[T comparable](what string, before, after T, show func(T) string) string {
	if before == after {
		return ""
	}
	return what + " " + show(before) + " → " + show(after)
}

// words drops the empty ones.
func words(all ...string) []string {
	var some []string
	for _, one := range all {
		if one != "" {
			some = append(some, one)
		}
	}
	return some
}

// cut shortens a text to at most so many bytes, between two characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}
