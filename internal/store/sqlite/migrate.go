package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/postrider/postrider"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

//go:embed migration/*.sql
var migrationFiles embed.FS

// newestSchema is the number of the last file in migration/.
const newestSchema = 2

// schemaVersion reads the schema's version, 0 for a new file, over a connection that cannot write.
func (s *Store) schemaVersion() (version int64, err error) {
	c, err := connect(s.dsn()+"?mode=ro", "busy_timeout = 5000")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	row, err := c.row("SELECT count(*) FROM sqlite_schema")
	if err != nil || row[0] == int64(0) {
		return 0, err
	}
	row, err = c.row("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	if row[0] != int64(applicationID) {
		return 0, postrider.Errorf(postrider.CodeConflict,
			"the database %s belongs to another program; choose another folder with --data", s.path)
	}
	row, err = c.row("SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied")
	if err != nil {
		return 0, err
	}
	version = row[0].(int64)
	if version > newestSchema {
		return 0, postrider.Errorf(postrider.CodeConflict,
			"the database %s has schema %d, made by a newer Postrider; this one knows schemas up to %d. Run the newer program, or put back a backup from before the update",
			s.path, version, newestSchema)
	}
	return version, nil
}

// migrate brings the schema up to date.
func (s *Store) migrate(ctx context.Context, version int64) (err error) {
	if version == newestSchema {
		return nil
	}
	c, err := connect(s.dsn(), append(writerPragmas(), fmt.Sprintf("application_id = %d", applicationID))...)
	if err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	connector, err := sqlite.NewConnector(s.dsn() + "?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)")
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(migrationFiles, "migration")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
