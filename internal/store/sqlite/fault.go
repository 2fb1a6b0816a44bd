package sqlite

import (
	"context"
	"errors"

	"github.com/postrider/postrider"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fault turns what the driver said into an error fit for the user. An error of postrider's own
// passes through.
func (s *Store) fault(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*postrider.Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &postrider.Error{Code: postrider.CodeUnavailable, Message: "the call was given up before the database answered", Err: err}
	}
	code := 0
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		code = e.Code()
	}
	switch {
	case code&0xff == sqlite3.SQLITE_FULL, writeFailed(code):
		return &postrider.Error{Code: postrider.CodeStorageFull, Err: err,
			Message: "the disk of the data folder " + s.dir + " is full or cannot be written; nothing was stored. Free some space: Postrider goes on by itself"}
	case code&0xff == sqlite3.SQLITE_CORRUPT, code&0xff == sqlite3.SQLITE_NOTADB:
		return damaged(s.path, err)
	case code&0xff == sqlite3.SQLITE_BUSY:
		return &postrider.Error{Code: postrider.CodeUnavailable, Err: err,
			Message: "another program holds the database " + s.path + "; close it"}
	case code&0xff == sqlite3.SQLITE_READONLY, code&0xff == sqlite3.SQLITE_CANTOPEN, code&0xff == sqlite3.SQLITE_PERM:
		return &postrider.Error{Code: postrider.CodeUnavailable, Err: err,
			Message: "the database " + s.path + " cannot be opened for writing; give this user read and write access to the folder and all files in it"}
	}
	return &postrider.Error{Code: postrider.CodeInternal, Message: "the database failed: " + err.Error(), Err: err}
}

// writeFailed reports the I/O errors that a full disk, a quota or a file size limit brings. SQLite
// itself says SQLITE_FULL for ENOSPC only.
func writeFailed(code int) bool {
	switch code {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC,
		sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE:
		return true
	}
	return false
}

func isConstraint(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

func damaged(path string, err error) error {
	return &postrider.Error{Code: postrider.CodeInternal, Err: err,
		Message: "the database file " + path + " is damaged; nothing was changed in it. Stop Postrider, keep a copy of the whole folder, then put back a backup, or start with an empty folder given with --data"}
}

func unavailable() error {
	return postrider.Errorf(postrider.CodeUnavailable, "the store is closed; try again when the server runs")
}

func notFound(kind string) error {
	return postrider.Errorf(postrider.CodeNotFound, "there is no such %s", kind)
}
