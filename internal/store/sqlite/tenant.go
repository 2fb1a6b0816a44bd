package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// CreateTenant fulfils store.Tenants.
func (s *Store) CreateTenant(ctx context.Context, tenant *postrider.Tenant) error {
	return s.writer.change(ctx, func(c *connection) error {
		_, err := c.run("INSERT INTO tenant (id, name, created_at) VALUES (?, ?, ?)",
			tenant.ID.ID[:], tenant.Name, tenant.CreatedAt.UnixMilli())
		if err != nil && isConstraint(err) {
			return postrider.Errorf(postrider.CodeConflict, "there is a tenant named %q already", tenant.Name)
		}
		return err
	})
}

// FindTenant fulfils store.Tenants.
func (s *Store) FindTenant(ctx context.Context, id postrider.TenantID) (*postrider.Tenant, error) {
	return s.findTenant(ctx, s.queries.tenantByID, id.ID[:])
}

// FindTenantByName fulfils store.Tenants.
func (s *Store) FindTenantByName(ctx context.Context, name string) (*postrider.Tenant, error) {
	return s.findTenant(ctx, s.queries.tenantByName, name)
}

func (s *Store) findTenant(ctx context.Context, query *sql.Stmt, arg any) (*postrider.Tenant, error) {
	tenant := new(postrider.Tenant)
	err := s.read(func() error {
		return scanTenant(query.QueryRowContext(ctx, arg), tenant)
	})
	if err != nil {
		return nil, err
	}
	return tenant, nil
}

// Tenants fulfils store.Tenants.
func (s *Store) Tenants(ctx context.Context, after postrider.TenantID, limit int) ([]postrider.Tenant, error) {
	var tenants []postrider.Tenant
	err := s.read(func() error {
		return each(ctx, s.queries.tenants, func(row scanner) error {
			var tenant postrider.Tenant
			err := scanTenant(row, &tenant)
			tenants = append(tenants, tenant)
			return err
		}, after.ID[:], limit)
	})
	return tenants, err
}

const tenantColumns = "id, name, created_at"

func scanTenant(row scanner, tenant *postrider.Tenant) error {
	err := row.Scan((*blobID)(&tenant.ID.ID), &tenant.Name, (*blobTime)(&tenant.CreatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return notFound("tenant")
	}
	return err
}

// CreateKey fulfils store.Keys.
func (s *Store) CreateKey(ctx context.Context, key *postrider.Key) error {
	return s.writer.change(ctx, func(c *connection) error {
		tenant, err := owner(c, key.Tenant)
		if err != nil {
			return err
		}
		_, err = c.run(`INSERT INTO api_key (id, tenant, environment, role, name, hash, created_at, expires_at, last_used_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, key.ID.ID[:], tenant, number(environmentWords[:], key.Environment),
			string(key.Role), key.Name, key.Hash[:], key.CreatedAt.UnixMilli(), millis(key.ExpiresAt), millis(key.LastUsedAt))
		if err != nil && isConstraint(err) {
			return postrider.Errorf(postrider.CodeConflict, "this key is there already")
		}
		return err
	})
}

// FindKey fulfils store.Keys.
func (s *Store) FindKey(ctx context.Context, hash [32]byte) (*postrider.Key, error) {
	key := new(postrider.Key)
	err := s.read(func() error {
		err := scanKey(s.queries.keyByHash.QueryRowContext(ctx, hash[:]), key)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("key")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Keys fulfils store.Keys.
func (s *Store) Keys(ctx context.Context, tenant postrider.TenantID) ([]postrider.Key, error) {
	query, args := s.queries.keysOfOperator, []any{}
	if !tenant.IsZero() {
		query, args = s.queries.keysOfTenant, []any{tenant.ID[:]}
	}
	var keys []postrider.Key
	err := s.read(func() error {
		return each(ctx, query, func(row scanner) error {
			var key postrider.Key
			err := scanKey(row, &key)
			keys = append(keys, key)
			return err
		}, args...)
	})
	return keys, err
}

// DeleteKey fulfils store.Keys.
func (s *Store) DeleteKey(ctx context.Context, tenant postrider.TenantID, id postrider.KeyID) error {
	return s.writer.change(ctx, func(c *connection) error {
		query, args := "DELETE FROM api_key WHERE id = ? AND tenant IS NULL", []any{id.ID[:]}
		if !tenant.IsZero() {
			query = "DELETE FROM api_key WHERE id = ? AND tenant = (SELECT num FROM tenant WHERE id = ?)"
			args = append(args, tenant.ID[:])
		}
		n, err := c.run(query, values(args)...)
		if err == nil && n == 0 {
			return notFound("key")
		}
		return err
	})
}

const touchKeyText = "UPDATE api_key SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, ?) <= ?"

// TouchKeys fulfils store.Keys.
func (s *Store) TouchKeys(ctx context.Context, uses []store.KeyUse) error {
	return s.writer.change(ctx, func(c *connection) error {
		for i := range uses {
			at := uses[i].At.UnixMilli()
			if _, err := c.run(touchKeyText, at, uses[i].Key.ID[:], at, at); err != nil {
				return err
			}
		}
		return nil
	})
}

const keyColumns = "k.id, t.id, k.environment, k.role, k.name, k.hash, k.created_at, k.expires_at, k.last_used_at"

func scanKey(row scanner, key *postrider.Key) error {
	var environment any
	var hash []byte
	err := row.Scan((*blobID)(&key.ID.ID), (*blobID)(&key.Tenant.ID), &environment, &key.Role, &key.Name, &hash,
		(*blobTime)(&key.CreatedAt), (*blobTime)(&key.ExpiresAt), (*blobTime)(&key.LastUsedAt))
	copy(key.Hash[:], hash)
	key.Environment = word(environmentWords[:], environment)
	return err
}

// scanner is a row of a result.
type scanner interface{ Scan(dest ...any) error }

// blobID reads an id; NULL is the zero id.
type blobID postrider.ID

// Scan fulfils sql.Scanner.
func (id *blobID) Scan(stored any) error {
	switch v := stored.(type) {
	case nil:
		*id = blobID{}
		return nil
	case []byte:
		if len(v) == len(id) {
			copy(id[:], v)
			return nil
		}
	}
	return errors.New("a stored id has not 16 bytes")
}

// blobTime reads a time; NULL is the zero time.
type blobTime time.Time

// Scan fulfils sql.Scanner.
func (t *blobTime) Scan(stored any) error {
	switch v := stored.(type) {
	case nil:
		*t = blobTime{}
		return nil
	case int64:
		*t = blobTime(time.UnixMilli(v).UTC())
		return nil
	}
	return errors.New("a stored time is not a number")
}
