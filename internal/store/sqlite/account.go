package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

const userColumns = "u.id, t.id, u.login, u.password_hash, u.role, u.created_at, u.updated_at, u.disabled"

const (
	userByIDText        = "SELECT " + userColumns + " FROM user u LEFT JOIN tenant t ON t.num = u.tenant WHERE u.id = ?"
	userByLoginText     = "SELECT " + userColumns + " FROM user u LEFT JOIN tenant t ON t.num = u.tenant WHERE u.login = ?"
	usersOfTenantText   = "SELECT " + userColumns + " FROM tenant t JOIN user u ON u.tenant = t.num WHERE t.id = ? AND u.id > ? ORDER BY u.id LIMIT ?"
	usersOfOperatorText = "SELECT " + userColumns + " FROM user u LEFT JOIN tenant t ON t.num = u.tenant WHERE u.tenant IS NULL AND u.id > ? ORDER BY u.id LIMIT ?"
	tokenText           = "SELECT user, family, expires_at, used FROM refresh_token WHERE hash = ?"
	pruneTokensText     = "DELETE FROM refresh_token WHERE hash IN (SELECT hash FROM refresh_token WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"
	endTokensText       = "DELETE FROM refresh_token WHERE user = ?"
	endFamilyText       = "DELETE FROM refresh_token WHERE user = ? AND family = ?"
)

// CreateUser fulfils store.Users.
func (s *Store) CreateUser(ctx context.Context, u *postrider.User) error {
	return s.writer.change(ctx, func(c *connection) error {
		tenant, err := owner(c, u.Tenant)
		if err != nil {
			return err
		}
		_, err = c.run(`INSERT INTO user (id, tenant, login, password_hash, role, created_at, updated_at, disabled)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, u.ID.ID[:], tenant, u.Login, u.PasswordHash, string(u.Role),
			u.CreatedAt.UnixMilli(), u.UpdatedAt.UnixMilli(), u.Disabled)
		if err != nil && isConstraint(err) {
			return postrider.Errorf(postrider.CodeConflict, "there is a user with this login already")
		}
		return err
	})
}

// owner gives the number of a key's or user's tenant, nil for the operator.
func owner(c *connection, tenant postrider.TenantID) (any, error) {
	if tenant.IsZero() {
		return nil, nil
	}
	row, err := c.row("SELECT num FROM tenant WHERE id = ?", tenant.ID[:])
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, notFound("tenant")
	}
	return row[0], nil
}

// FindUser fulfils store.Users.
func (s *Store) FindUser(ctx context.Context, id postrider.UserID) (*postrider.User, error) {
	return s.findUser(ctx, s.queries.userByID, id.ID[:])
}

// FindUserByLogin fulfils store.Users.
func (s *Store) FindUserByLogin(ctx context.Context, login string) (*postrider.User, error) {
	return s.findUser(ctx, s.queries.userByLogin, login)
}

func (s *Store) findUser(ctx context.Context, query *sql.Stmt, arg any) (*postrider.User, error) {
	user := new(postrider.User)
	err := s.read(func() error { return scanUser(query.QueryRowContext(ctx, arg), user) })
	if err != nil {
		return nil, err
	}
	return user, nil
}

// Users fulfils store.Users.
func (s *Store) Users(ctx context.Context, tenant postrider.TenantID, after postrider.UserID, limit int) ([]postrider.User, error) {
	query, args := s.queries.usersOfOperator, []any{after.ID[:], pageLimit(limit)}
	if !tenant.IsZero() {
		query, args = s.queries.usersOfTenant, []any{tenant.ID[:], after.ID[:], pageLimit(limit)}
	}
	var users []postrider.User
	err := s.read(func() error {
		return each(ctx, query, func(row scanner) error {
			var user postrider.User
			err := scanUser(row, &user)
			users = append(users, user)
			return err
		}, args...)
	})
	return users, err
}

// UpdateUser fulfils store.Users.
func (s *Store) UpdateUser(ctx context.Context, tenant postrider.TenantID, id postrider.UserID, patch store.UserPatch, now time.Time) (*postrider.User, error) {
	var user *postrider.User
	err := s.writer.change(ctx, func(c *connection) error {
		u, err := userOfTenant(c, tenant, id)
		if err != nil {
			return err
		}
		ends := patch.PasswordHash != nil || patch.Role != nil && *patch.Role != u.Role || patch.Disabled != nil && *patch.Disabled
		set(&u.PasswordHash, patch.PasswordHash)
		set(&u.Role, patch.Role)
		set(&u.Disabled, patch.Disabled)
		u.UpdatedAt = wholeMillis(now)
		user = u
		if _, err := c.run("UPDATE user SET password_hash = ?, role = ?, disabled = ?, updated_at = ? WHERE id = ?",
			u.PasswordHash, string(u.Role), u.Disabled, u.UpdatedAt.UnixMilli(), id.ID[:]); err != nil || !ends {
			return err
		}
		_, err = c.run(endTokensText, id.ID[:])
		return err
	})
	if err != nil {
		return nil, err
	}
	return user, nil
}

// DeleteUser fulfils store.Users.
func (s *Store) DeleteUser(ctx context.Context, tenant postrider.TenantID, id postrider.UserID) error {
	return s.writer.change(ctx, func(c *connection) error {
		if _, err := userOfTenant(c, tenant, id); err != nil {
			return err
		}
		if _, err := c.run(endTokensText, id.ID[:]); err != nil {
			return err
		}
		_, err := c.run("DELETE FROM user WHERE id = ?", id.ID[:])
		return err
	})
}

func userOfTenant(c *connection, tenant postrider.TenantID, id postrider.UserID) (*postrider.User, error) {
	row, err := c.row(userByIDText, id.ID[:])
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, notFound("user")
	}
	user := new(postrider.User)
	if err := scanUser(valueRow(row), user); err != nil {
		return nil, err
	}
	if user.Tenant != tenant {
		return nil, notFound("user")
	}
	return user, nil
}

func scanUser(row scanner, u *postrider.User) error {
	var disabled int64
	err := row.Scan((*blobID)(&u.ID.ID), (*blobID)(&u.Tenant.ID), &u.Login, &u.PasswordHash, (*string)(&u.Role),
		(*blobTime)(&u.CreatedAt), (*blobTime)(&u.UpdatedAt), &disabled)
	if errors.Is(err, sql.ErrNoRows) {
		return notFound("user")
	}
	u.Disabled = disabled != 0
	return err
}

// CreateToken fulfils store.Tokens.
func (s *Store) CreateToken(ctx context.Context, token *postrider.RefreshToken) error {
	return s.writer.change(ctx, func(c *connection) error {
		user, err := c.row("SELECT 1 FROM user WHERE id = ? AND NOT disabled", token.User.ID[:])
		if err != nil {
			return err
		}
		if user == nil {
			return notFound("user")
		}
		return insertToken(c, token)
	})
}

func insertToken(c *connection, t *postrider.RefreshToken) error {
	n, err := c.run(`INSERT INTO refresh_token (hash, user, family, created_at, expires_at, used)
		VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`,
		t.Hash[:], t.User.ID[:], t.Family[:], t.CreatedAt.UnixMilli(), t.ExpiresAt.UnixMilli())
	if err == nil && n == 0 {
		return postrider.Errorf(postrider.CodeConflict, "this refresh token is there already")
	}
	return err
}

// RotateToken fulfils store.Tokens.
func (s *Store) RotateToken(ctx context.Context, hash [32]byte, next *postrider.RefreshToken, now time.Time) error {
	stolen := false
	err := s.writer.change(ctx, func(c *connection) error {
		row, err := c.row(tokenText, hash[:])
		if err != nil {
			return err
		}
		if row == nil {
			return notFound("refresh token")
		}
		var expires time.Time
		var used int64
		if err := valueRow(row).Scan((*blobID)(&next.User.ID), (*blobID)(&next.Family), (*blobTime)(&expires), &used); err != nil {
			return err
		}
		if !now.Before(expires) {
			return notFound("refresh token")
		}
		if stolen = used != 0; stolen {
			_, err := c.run(endFamilyText, next.User.ID[:], next.Family[:])
			return err // nil, so that the end of the family is committed
		}
		if err := insertToken(c, next); err != nil {
			return err
		}
		_, err = c.run("UPDATE refresh_token SET used = 1 WHERE hash = ?", hash[:])
		return err
	})
	if err == nil && stolen {
		return postrider.Errorf(postrider.CodeConflict, "this refresh token was used before, so that all that came of its login are ended; log in again")
	}
	return err
}

// EndTokens fulfils store.Tokens.
func (s *Store) EndTokens(ctx context.Context, user postrider.UserID) error {
	return s.writer.change(ctx, func(c *connection) error {
		_, err := c.run(endTokensText, user.ID[:])
		return err
	})
}

// PruneTokens fulfils store.Tokens.
func (s *Store) PruneTokens(ctx context.Context, now time.Time, limit int) (int, error) {
	pruned := 0
	err := s.writer.change(ctx, func(c *connection) (err error) {
		pruned, err = c.run(pruneTokensText, now.UnixMilli(), int64(max(limit, 0)))
		return err
	})
	return pruned, err
}
