package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
	"modernc.org/sqlite"
)

// databaseFile is the database's name in the data folder.
const databaseFile = "postrider.db"

// Laid down when a database is made.
const (
	pageSize      = 8192
	applicationID = 0x50535452 // "PSTR", in the file's header
)

// Bounds on memory: page caches of the writer, of the checkpointer and of each reader.
const (
	writerCacheKiB = 32 << 10
	readerCacheKiB = 2 << 10
	readers        = 4
)

// Options says where the store is.
type Options struct {
	// Dir is the data folder. It is made when it is not there. Only one process may use it.
	Dir string

	// Sealer gives what seals the secrets. It is asked once, when the folder is this process's own; sealed
	// says that the store holds sealed values, which must open. Without it, or with nil from it,
	// secrets are kept as they are, and sealed ones cannot be read: for tests, and tools that need none.
	Sealer func(sealed bool) (Sealer, error)
}

// Store is a store.Store in one SQLite file.
type Store struct {
	dir, path string
	lock      *folderLock
	writer    *writer
	reader    *sql.DB
	queries   queries
	vault     vault

	use    sync.RWMutex // held for reading by each call that reads, for writing by Close
	closed bool
}

var _ store.Store = (*Store)(nil)

// Open opens the data folder, makes the database or brings its schema up to date, and starts the
// writer. Errors are of postrider.Error and say what to do: the folder is in use or cannot be
// used, the database is damaged, belongs to another program, was made by a newer Postrider, or is
// sealed by keys that were not given. In none of these cases is anything changed in the database,
// but that its schema may be brought up to date before the keys are looked at.
func Open(ctx context.Context, o Options) (*Store, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil || o.Dir == "" {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the data folder %q is not a path; give one with --data", o.Dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, folderFault(dir, err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, path: filepath.Join(dir, databaseFile), lock: lock}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(s.fault(err), lock.release())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) error {
	if err := s.examine(); err != nil {
		return err
	}
	version, err := s.schemaVersion()
	if err != nil {
		return err
	}
	if err := s.migrate(ctx, version); err != nil {
		return err
	}
	if err := s.unlock(o); err != nil {
		return err
	}
	c, err := connect(s.dsn(), append(writerPragmas(), fmt.Sprintf("cache_size = -%d", writerCacheKiB))...)
	if err != nil {
		return err
	}
	kc, err := connect(s.dsn(), append(writerPragmas(), fmt.Sprintf("cache_size = -%d", readerCacheKiB))...)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	if err := s.openReader(ctx); err != nil {
		return errors.Join(err, kc.Close(), c.Close())
	}
	k := newCheckpointer(kc)
	s.writer, err = newWriter(s, c, k)
	if err != nil {
		return errors.Join(err, k.close(), c.Close(), s.reader.Close())
	}
	return nil
}

// writerPragmas are those of every connection that writes.
func writerPragmas() []string {
	return []string{
		"busy_timeout = 5000",
		fmt.Sprintf("page_size = %d", pageSize), // takes effect in a new file only
		"journal_mode = WAL",
		"synchronous = FULL", // a commit returns after the log is on the disk
		"wal_autocheckpoint = 0",
		"journal_size_limit = 67108864", // a log that grew beyond 64 MiB is cut when it starts again
		"temp_store = MEMORY",
		"foreign_keys = ON",
	}
}

func (s *Store) dsn() string {
	return (&url.URL{Scheme: "file", Path: s.path}).String()
}

// examine looks at the file before SQLite opens it, and makes an empty one where there is none, so
// that only this user can read it (the files beside it follow its mode).
func (s *Store) examine() error {
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return folderFault(s.dir, err)
	}
	defer file.Close()
	var header [100]byte
	n, err := io.ReadFull(file, header[:])
	if err == io.EOF {
		return nil
	}
	if err != nil && err != io.ErrUnexpectedEOF {
		return folderFault(s.dir, err)
	}
	if n < len(header) || !bytes.HasPrefix(header[:], []byte("SQLite format 3\x00")) {
		return damaged(s.path, errors.New("the file does not begin as an SQLite database"))
	}
	return s.examineLength(file, header[:])
}

// examineLength compares the file's length with what its header says (SQLite file format, 1.3). While there is a log,
// the header may be ahead of the file.
func (s *Store) examineLength(file *os.File, header []byte) error {
	if log, err := os.Stat(s.path + "-wal"); err == nil && log.Size() > 0 {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return folderFault(s.dir, err)
	}
	page, pages := int64(binary.BigEndian.Uint16(header[16:])), int64(binary.BigEndian.Uint32(header[28:]))
	if page == 1 {
		page = 65536
	}
	counted := bytes.Equal(header[24:28], header[92:96]) // else an old version of SQLite wrote it last
	if counted && info.Size() < page*pages {
		return damaged(s.path, fmt.Errorf("the file has %d bytes and should have %d", info.Size(), page*pages))
	}
	return nil
}

// openReader makes the pool of connections that read.
func (s *Store) openReader(ctx context.Context) error {
	connector, err := sqlite.NewConnector(s.dsn() + fmt.Sprintf(
		"?_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=cache_size(-%d)&_pragma=temp_store(MEMORY)", readerCacheKiB))
	if err != nil {
		return err
	}
	s.reader = sql.OpenDB(connector)
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	if err := s.queries.prepare(ctx, s.reader); err != nil {
		return errors.Join(err, s.reader.Close())
	}
	return nil
}

// Ping fulfils store.Store: it commits a small write.
func (s *Store) Ping(ctx context.Context) error {
	return s.writer.change(ctx, func(c *connection) error {
		_, err := c.run("UPDATE heartbeat SET beats = beats + 1")
		return err
	})
}

// Close fulfils store.Store. A second Close does nothing.
func (s *Store) Close() error {
	s.use.Lock()
	if s.closed {
		s.use.Unlock()
		return nil
	}
	s.closed = true
	s.use.Unlock()
	s.writer.close()
	err := errors.Join(s.reader.Close(), s.writer.checkpoint.close(), s.writer.c.Close())
	return errors.Join(s.fault(err), s.lock.release())
}

// read runs a reading call, unless the store is closed.
func (s *Store) read(query func() error) error {
	s.use.RLock()
	defer s.use.RUnlock()
	if s.closed {
		return unavailable()
	}
	return s.fault(query())
}
