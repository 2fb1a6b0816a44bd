package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/postrider/postrider"
)

// sealedTables are the tables whose rows hold sealed values, each with the texts that stand below.
var sealedTables = [...]sealedTable{
	{
		nextKey: "SELECT min(sealed_by) FROM endpoint_secret WHERE sealed_by >= ?",
		count:   "SELECT count(*) FROM endpoint_secret WHERE sealed_by = ?",
		rows: `SELECT s.secret, s.endpoint, s.place, e.id, t.id FROM endpoint_secret s JOIN endpoint e ON e.num = s.endpoint
			JOIN tenant t ON t.num = e.tenant WHERE s.sealed_by = ? LIMIT ?`,
		update: "UPDATE endpoint_secret SET sealed_by = ?, secret = ? WHERE endpoint = ? AND place = ?",
		anew: [...]string{
			"CREATE TEMP TABLE sealed_secret AS SELECT * FROM endpoint_secret", "DELETE FROM endpoint_secret",
			"INSERT INTO endpoint_secret SELECT * FROM sealed_secret", "DROP TABLE sealed_secret",
		},
		keys: 2,
		place: func(row valueRow) (place, error) {
			var num, number int64
			var endpoint postrider.EndpointID
			var tenant postrider.TenantID
			err := row.Scan(&num, &number, (*blobID)(&endpoint.ID), (*blobID)(&tenant.ID))
			return endpointPlace(tenant, endpoint, number), err
		},
	},
	{
		nextKey: "SELECT min(sealed_by) FROM setting WHERE sealed_by >= ?",
		count:   "SELECT count(*) FROM setting WHERE sealed_by = ?",
		rows:    "SELECT value, name FROM setting WHERE sealed_by = ? LIMIT ?",
		update:  "UPDATE setting SET sealed_by = ?, value = ? WHERE name = ?",
		anew: [...]string{
			"CREATE TEMP TABLE sealed_setting AS SELECT * FROM setting", "DELETE FROM setting",
			"INSERT INTO setting SELECT * FROM sealed_setting", "DROP TABLE sealed_setting",
		},
		keys: 1,
		place: func(row valueRow) (place, error) {
			var name string
			err := row.Scan(&name)
			return settingPlace(name), err
		},
	},
}

type sealedTable struct {
	nextKey, count, rows, update string
	anew                         [4]string // writes the whole table again; with secure_delete the old pages are wiped

	// A row of rows is the value, then what place reads; the first of that, keys of them, are what
	// update finds the row by.
	keys  int
	place func(valueRow) (place, error)
}

// sealStep is how many values that were never sealed are sealed in one transaction.
const sealStep = 500

// unlock makes the vault: it gets the sealer, proves that it opens what is stored, and seals what is not
// sealed yet, in steps that a later start goes on from.
func (s *Store) unlock(o Options) (err error) {
	if o.Sealer == nil {
		return nil
	}
	// Plain values must not stay behind in free parts of the file: secure_delete overwrites them.
	c, err := connect(s.dsn(), append(writerPragmas(), "secure_delete = ON")...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	keys, err := sealingKeys(c)
	if err != nil {
		return err
	}
	plain := len(keys) > 0 && keys[0] == ""
	if plain {
		keys = keys[1:]
	}
	sealer, err := o.Sealer(len(keys) > 0)
	if err != nil || sealer == nil {
		return err
	}
	s.vault = vault{sealer}
	for _, key := range keys {
		if err := s.vault.prove(c, key); err != nil {
			return err
		}
	}
	if !plain {
		return nil
	}
	for sealed := sealStep; sealed == sealStep; {
		if sealed, err = s.vault.sealPlain(c, sealStep); err != nil {
			return err
		}
	}
	_, err = c.rows("PRAGMA wal_checkpoint(TRUNCATE)") // the log holds plain values too
	return err
}

// sealingKeys lists the ids of the keys in use, "" for none, in their order. Its cost grows with the keys.
func sealingKeys(c *connection) ([]string, error) {
	var keys []string
	for i := range sealedTables {
		for from := ""; ; {
			row, err := c.row(sealedTables[i].nextKey, from)
			if err != nil {
				return nil, err
			}
			if row[0] == nil {
				break
			}
			key := row[0].(string)
			keys = append(keys, key)
			from = key + "!" // which sorts before all that a longer id could go on with
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// prove opens one value of a key.
func (v vault) prove(c *connection, key string) error {
	for i := range sealedTables {
		rows, err := c.rows(sealedTables[i].rows, key, int64(1))
		if err != nil {
			return err
		}
		for _, row := range rows {
			at, err := sealedTables[i].place(row[1:])
			if err != nil {
				return err
			}
			if _, err := v.open(at, key, row[0].([]byte)); err != nil {
				return &postrider.Error{Code: postrider.CodeConflict, Err: err,
					Message: fmt.Sprintf("the secrets in the database cannot be opened: it holds some that are sealed by the encryption key %q, and that key is not given, or is another one than it was", key)}
			}
		}
	}
	return nil
}

// sealPlain seals up to limit values that are not sealed yet, in one transaction, and reports how many.
// When it finds the last of them it writes the tables anew, since pages that were split on the way keep
// plain values in parts that are free.
func (v vault) sealPlain(c *connection, limit int) (n int, err error) {
	if _, err := c.run("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	n, err = v.reseal(c, "", limit)
	for i := range sealedTables {
		if err != nil || n == limit {
			break
		}
		for _, text := range sealedTables[i].anew {
			if err == nil {
				_, err = c.run(text)
			}
		}
	}
	if err == nil {
		_, err = c.run("COMMIT")
	}
	if err != nil {
		_, undo := c.run("ROLLBACK")
		return 0, errors.Join(err, undo)
	}
	return n, nil
}

// reseal seals up to limit values of a key with the newest one and reports how many.
func (v vault) reseal(c *connection, key string, limit int) (n int, err error) {
	for i := range sealedTables {
		table := sealedTables[i]
		rows, err := c.rows(table.rows, key, int64(max(limit-n, 0)))
		if err != nil {
			return 0, err
		}
		for _, row := range rows {
			at, err := table.place(row[1:])
			if err != nil {
				return 0, err
			}
			plain := row[0].([]byte)
			if key != "" {
				if plain, err = v.open(at, key, plain); err != nil {
					return 0, err
				}
			}
			newest, sealed, err := v.seal(at, plain)
			if err != nil {
				return 0, err
			}
			if _, err := c.run(table.update, append([]driver.Value{newest, sealed}, row[1:1+table.keys]...)...); err != nil {
				return 0, err
			}
		}
		n += len(rows)
	}
	return n, nil
}

// Outdated fulfils store.Vault.
func (s *Store) Outdated(ctx context.Context) (int, error) {
	outdated := 0
	err := s.writer.change(ctx, func(c *connection) error {
		outdated = 0
		keys, err := s.vault.outdated(c)
		for _, key := range keys {
			for i := range sealedTables {
				row, err := c.row(sealedTables[i].count, key)
				if err != nil {
					return err
				}
				outdated += int(row[0].(int64))
			}
		}
		return err
	})
	return outdated, err
}

// Reseal fulfils store.Vault.
func (s *Store) Reseal(ctx context.Context, limit int) (int, error) {
	done := 0
	err := s.writer.change(ctx, func(c *connection) (err error) {
		done = 0
		keys, err := s.vault.outdated(c)
		if err != nil {
			return err
		}
		for _, key := range keys {
			n, err := s.vault.reseal(c, key, limit-done)
			if err != nil {
				return err
			}
			done += n
		}
		return nil
	})
	return done, err
}

// outdated lists the keys in use but the newest.
func (v vault) outdated(c *connection) ([]string, error) {
	if v.sealer == nil {
		return nil, nil
	}
	newest := v.sealer.Newest()
	keys, err := sealingKeys(c)
	return slices.DeleteFunc(keys, func(key string) bool { return key == newest }), err
}
