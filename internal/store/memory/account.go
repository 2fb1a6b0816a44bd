package memory

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// refreshToken is a token with what the store knows of it; a used one is kept to be known again.
type refreshToken struct {
	postrider.RefreshToken
	used bool
}

// CreateUser fulfils store.Users.
func (s *Store) CreateUser(ctx context.Context, user *postrider.User) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	if _, found := s.tenants[user.Tenant]; !found && !user.Tenant.IsZero() {
		return notFound("tenant", user.Tenant)
	}
	for id := range s.users {
		if id == user.ID || s.users[id].Login == user.Login {
			return postrider.Errorf(postrider.CodeConflict, "there is a user with this login already")
		}
	}
	s.users[user.ID] = *user
	return nil
}

// FindUser fulfils store.Users.
func (s *Store) FindUser(ctx context.Context, id postrider.UserID) (*postrider.User, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if user, found := s.users[id]; found {
		return &user, nil
	}
	return nil, notFound("user", id)
}

// FindUserByLogin fulfils store.Users.
func (s *Store) FindUserByLogin(ctx context.Context, login string) (*postrider.User, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, user := range s.users {
		if user.Login == login {
			return &user, nil
		}
	}
	return nil, postrider.Errorf(postrider.CodeNotFound, "there is no such user")
}

// Users fulfils store.Users.
func (s *Store) Users(ctx context.Context, tenant postrider.TenantID, after postrider.UserID, limit int) ([]postrider.User, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []postrider.User
	for _, user := range s.users {
		if user.Tenant == tenant && bytes.Compare(user.ID.ID[:], after.ID[:]) > 0 {
			found = append(found, user)
		}
	}
	slices.SortFunc(found, func(a, b postrider.User) int { return bytes.Compare(a.ID.ID[:], b.ID.ID[:]) })
	return found[:min(len(found), limit)], nil
}

// UpdateUser fulfils store.Users.
func (s *Store) UpdateUser(ctx context.Context, tenant postrider.TenantID, id postrider.UserID, p store.UserPatch, now time.Time) (*postrider.User, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	user, found := s.users[id]
	if !found || user.Tenant != tenant {
		return nil, notFound("user", id)
	}
	if p.PasswordHash != nil || p.Role != nil && *p.Role != user.Role || p.Disabled != nil && *p.Disabled {
		s.endTokens(func(t *refreshToken) bool { return t.User == id })
	}
	set(&user.PasswordHash, p.PasswordHash)
	set(&user.Role, p.Role)
	set(&user.Disabled, p.Disabled)
	user.UpdatedAt = milli(now)
	s.users[id] = user
	return &user, nil
}

// DeleteUser fulfils store.Users.
func (s *Store) DeleteUser(ctx context.Context, tenant postrider.TenantID, id postrider.UserID) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	if user, found := s.users[id]; !found || user.Tenant != tenant {
		return notFound("user", id)
	}
	s.endTokens(func(t *refreshToken) bool { return t.User == id })
	delete(s.users, id)
	return nil
}

// CreateToken fulfils store.Tokens.
func (s *Store) CreateToken(ctx context.Context, token *postrider.RefreshToken) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	if user, found := s.users[token.User]; !found || user.Disabled {
		return notFound("user", token.User)
	}
	return s.addToken(token)
}

func (s *Store) addToken(token *postrider.RefreshToken) error {
	if _, found := s.tokens[token.Hash]; found {
		return postrider.Errorf(postrider.CodeConflict, "this refresh token is there already")
	}
	s.tokens[token.Hash] = refreshToken{RefreshToken: *token}
	return nil
}

// RotateToken fulfils store.Tokens.
func (s *Store) RotateToken(ctx context.Context, hash [32]byte, next *postrider.RefreshToken, now time.Time) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	token, found := s.tokens[hash]
	if !found || !now.Before(token.ExpiresAt) {
		return postrider.Errorf(postrider.CodeNotFound, "there is no such refresh token")
	}
	next.User, next.Family = token.User, token.Family
	if token.used {
		s.endTokens(func(t *refreshToken) bool { return t.User == token.User && t.Family == token.Family })
		return postrider.Errorf(postrider.CodeConflict, "this refresh token was used before, so that all that came of its login are ended; log in again")
	}
	if err := s.addToken(next); err != nil {
		return err
	}
	token.used = true
	s.tokens[hash] = token
	return nil
}

// EndTokens fulfils store.Tokens.
func (s *Store) EndTokens(ctx context.Context, user postrider.UserID) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	s.endTokens(func(t *refreshToken) bool { return t.User == user })
	return nil
}

// PruneTokens fulfils store.Tokens.
func (s *Store) PruneTokens(ctx context.Context, now time.Time, limit int) (int, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return 0, err
	}
	defer unlock()
	before := len(s.tokens)
	s.endTokens(func(t *refreshToken) bool { return before-len(s.tokens) < limit && !t.ExpiresAt.After(now) })
	return before - len(s.tokens), nil
}

func (s *Store) endTokens(which func(*refreshToken) bool) {
	for hash, token := range s.tokens {
		if which(&token) {
			delete(s.tokens, hash)
		}
	}
}

// Setting fulfils store.Settings.
func (s *Store) Setting(ctx context.Context, name string) ([]byte, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	value, found := s.settings[name]
	if !found {
		return nil, postrider.Errorf(postrider.CodeNotFound, "there is no setting %q", name)
	}
	return bytes.Clone(value), nil
}

// PutSetting fulfils store.Settings.
func (s *Store) PutSetting(ctx context.Context, name string, value []byte, create bool) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	if _, found := s.settings[name]; found && create {
		return postrider.Errorf(postrider.CodeConflict, "the setting %q is there already", name)
	}
	s.settings[name] = bytes.Clone(value)
	return nil
}

// AppendAudit fulfils store.Audit.
func (s *Store) AppendAudit(ctx context.Context, entry *postrider.AuditEntry) error {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	defer unlock()
	if _, found := s.tenants[entry.Tenant]; !found && !entry.Tenant.IsZero() {
		return notFound("tenant", entry.Tenant)
	}
	entries := s.audit[entry.Tenant]
	if entries == nil {
		entries = make(map[postrider.ID]postrider.AuditEntry)
		s.audit[entry.Tenant] = entries
	}
	if _, found := entries[entry.ID]; found {
		return postrider.Errorf(postrider.CodeConflict, "this audit entry is there already")
	}
	entries[entry.ID] = *entry
	return nil
}

// AuditEntries fulfils store.Audit.
func (s *Store) AuditEntries(ctx context.Context, tenant postrider.TenantID, before postrider.ID, limit int) ([]postrider.AuditEntry, error) {
	unlock, err := s.lock(ctx, "")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []postrider.AuditEntry
	for id, entry := range s.audit[tenant] {
		if before.IsZero() || bytes.Compare(id[:], before[:]) < 0 {
			found = append(found, entry)
		}
	}
	slices.SortFunc(found, func(a, b postrider.AuditEntry) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return found[:min(len(found), limit)], nil
}

// Outdated fulfils store.Vault: nothing is sealed.
func (s *Store) Outdated(ctx context.Context) (int, error) {
	unlock, err := s.lock(ctx, "")
	if err == nil {
		unlock()
	}
	return 0, err
}

// Reseal fulfils store.Vault: nothing is sealed.
func (s *Store) Reseal(ctx context.Context, _ int) (int, error) { return s.Outdated(ctx) }
