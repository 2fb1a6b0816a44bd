package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/postrider/postrider"
)

const (
	settingText       = "SELECT sealed_by, value FROM setting WHERE name = ?"
	auditText         = "SELECT a.id, t.id, a.at, a.actor, a.action, a.subject, a.detail FROM tenant t JOIN audit a ON a.tenant = t.num WHERE t.id = ? AND a.id < ? ORDER BY a.id DESC LIMIT ?"
	auditOperatorText = "SELECT id, NULL, at, actor, action, subject, detail FROM audit WHERE tenant = 0 AND id < ? ORDER BY id DESC LIMIT ?"
)

// Setting fulfils store.Settings.
func (s *Store) Setting(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	err := s.read(func() error {
		var key string
		var stored []byte
		err := s.queries.setting.QueryRowContext(ctx, name).Scan(&key, &stored)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("setting")
		}
		if err != nil {
			return err
		}
		value, err = s.vault.open(settingPlace(name), key, stored)
		return err
	})
	return value, err
}

// PutSetting fulfils store.Settings.
func (s *Store) PutSetting(ctx context.Context, name string, value []byte, create bool) error {
	return s.writer.change(ctx, func(c *connection) error {
		key, sealed, err := s.vault.seal(settingPlace(name), value)
		if err != nil {
			return err
		}
		text := "INSERT INTO setting (name, sealed_by, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sealed_by = excluded.sealed_by, value = excluded.value"
		if create {
			text = "INSERT INTO setting (name, sealed_by, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
		}
		n, err := c.run(text, name, key, sealed)
		if err == nil && n == 0 {
			return postrider.Errorf(postrider.CodeConflict, "the setting %q is there already", name)
		}
		return err
	})
}

// AppendAudit fulfils store.Audit.
func (s *Store) AppendAudit(ctx context.Context, e *postrider.AuditEntry) error {
	return s.writer.change(ctx, func(c *connection) error {
		tenant, err := owner(c, e.Tenant)
		if err != nil {
			return err
		}
		if tenant == nil {
			tenant = int64(0)
		}
		n, err := c.run(`INSERT INTO audit (tenant, id, at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, tenant, e.ID[:], e.At.UnixMilli(), e.Actor, e.Action, e.Subject, e.Detail)
		if err == nil && n == 0 {
			return postrider.Errorf(postrider.CodeConflict, "this audit entry is there already")
		}
		return err
	})
}

// AuditEntries fulfils store.Audit.
func (s *Store) AuditEntries(ctx context.Context, tenant postrider.TenantID, before postrider.ID, limit int) ([]postrider.AuditEntry, error) {
	if before.IsZero() {
		before = newestID()
	}
	query, args := s.queries.auditOfOperator, []any{before[:], pageLimit(limit)}
	if !tenant.IsZero() {
		query, args = s.queries.audit, []any{tenant.ID[:], before[:], pageLimit(limit)}
	}
	var entries []postrider.AuditEntry
	err := s.read(func() error {
		return each(ctx, query, func(row scanner) error {
			var e postrider.AuditEntry
			err := row.Scan((*blobID)(&e.ID), (*blobID)(&e.Tenant.ID), (*blobTime)(&e.At), &e.Actor, &e.Action, &e.Subject, &e.Detail)
			entries = append(entries, e)
			return err
		}, args...)
	})
	return entries, err
}

// newestID sorts after every id that there will be.
func newestID() (id postrider.ID) {
	for i := range id {
		id[i] = 0xff
	}
	return id
}
