package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

func TestASecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	child := startChild(t, "hold", dir)
	child.waitFor("holding")
	_, err := Open(t.Context(), Options{Dir: dir})
	wantError(t, err, postrider.CodeUnavailable, "in use", fmt.Sprintf("process %d", child.cmd.Process.Pid), "--data")
	child.kill()
	open(t, dir) // the lock ends with its process, however it ends
}

func TestASecondOpenInOneProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir})
	wantError(t, err, postrider.CodeUnavailable, "in use", fmt.Sprint(os.Getpid()))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestDamageIsToldAndLeftAlone(t *testing.T) {
	for name, damage := range map[string]func(db []byte) []byte{
		"not a database":      func(db []byte) []byte { return []byte("-----BEGIN something else-----") },
		"header overwritten":  func(db []byte) []byte { return append(bytes.Repeat([]byte{0xff}, 100), db[100:]...) },
		"schema overwritten":  func(db []byte) []byte { return overwrite(db, 100, pageSize) },
		"cut off":             func(db []byte) []byte { return db[:len(db)/2] },
		"cut within a page":   func(db []byte) []byte { return db[:len(db)-1] },
		"all but the schema":  func(db []byte) []byte { return overwrite(db, pageSize, len(db)) },
		"cut to a few bytes":  func(db []byte) []byte { return db[:50] },
		"zeroes from the top": func(db []byte) []byte { return make([]byte, len(db)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			fill(t, s, 50)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, databaseFile)
			db, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(bytes.Clone(db)), 0o600); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			_, err = Open(t.Context(), Options{Dir: dir})
			wantError(t, err, postrider.CodeInternal, path, "damaged", "backup")
			if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
				t.Errorf("the data folder was changed:\n%s", diff)
			}
		})
	}
}

func overwrite(db []byte, from, to int) []byte {
	for i := from; i < to; i++ {
		db[i] = 0xa5
	}
	return db
}

// contents gives a fingerprint of each file of the data folder but the lock and SQLite's shared memory.
func contents(t *testing.T, dir string) map[string]string {
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == lockFile || strings.HasSuffix(d.Name(), "-shm") {
			return err
		}
		b, err := os.ReadFile(path)
		if len(b) > 0 {
			all[d.Name()] = fmt.Sprintf("%d bytes, %x", len(b), hash(b))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDamageFoundLaterIsTold(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	l := fill(t, s, 3000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, databaseFile)
	db, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Everything but the first pages, which hold the schema and the roots of the tables.
	if err := os.WriteFile(path, overwrite(db, 40*pageSize, len(db)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), Options{Dir: dir})
	if err == nil {
		t.Cleanup(func() { s.Close() })
		_, err = s.Events(t.Context(), l.tenant, store.EventFilter{Limit: 1000, WithData: true})
	}
	wantError(t, err, postrider.CodeInternal, "damaged", "backup")
}

func TestANewerSchemaIsRefusedUnchanged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.writer.change(t.Context(), func(c *connection) error {
		_, err := c.run("INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)", int64(newestSchema+1))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir})
	wantError(t, err, postrider.CodeConflict, "newer", fmt.Sprintf("schema %d", newestSchema+1), "backup")
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("the data folder was changed:\n%s", diff)
	}
}

func TestAnotherProgramsDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	c, err := connect("file:"+filepath.Join(dir, databaseFile), "user_version = 3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.run("CREATE TABLE theirs (x)"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	_, err = Open(t.Context(), Options{Dir: dir})
	wantError(t, err, postrider.CodeConflict, "another program", "--data")
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("the data folder was changed:\n%s", diff)
	}
}

func TestAFolderThatCannotBeUsedIsTold(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "data"), "/proc/postrider"} {
		_, err := Open(t.Context(), Options{Dir: path})
		wantError(t, err, postrider.CodeUnavailable, path, "--data")
	}
	_, err := Open(t.Context(), Options{})
	wantError(t, err, postrider.CodeInvalid, "--data")
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken", databaseFile), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Options{Dir: filepath.Join(dir, "taken")})
	wantError(t, err, postrider.CodeUnavailable, "taken")
}

func TestOnlyThisUserCanReadTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "ü data?x=1%20#")
	s := open(t, dir)
	fill(t, s, 5)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	modes := make(map[string]fs.FileMode)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		modes[e.Name()] = info.Mode()
	}
	want := map[string]fs.FileMode{lockFile: 0o600, databaseFile: 0o600, databaseFile + "-wal": 0o600, databaseFile + "-shm": 0o600}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Error(diff)
	}
}

func TestPragmasHold(t *testing.T) {
	s := open(t, t.TempDir())
	got := make(map[string]any)
	err := s.writer.change(t.Context(), func(c *connection) error {
		for _, name := range []string{"journal_mode", "synchronous", "page_size", "wal_autocheckpoint", "foreign_keys", "application_id"} {
			row, err := c.row("PRAGMA " + name)
			if err != nil {
				return err
			}
			got[name] = row[0]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"journal_mode": "wal", "synchronous": int64(2), "page_size": int64(pageSize), "wal_autocheckpoint": int64(0),
		"foreign_keys": int64(1), "application_id": int64(applicationID)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := s.reader.Exec("DELETE FROM heartbeat"); err == nil {
		t.Error("a reader's connection can write")
	}
}

// TestTheLogStaysBounded writes several times the log's limit without a pause.
func TestTheLogStaysBounded(t *testing.T) {
	dir := t.TempDir()
	l := openBench(t, dir)
	data := bytes.Repeat([]byte("x"), 1<<20)
	for range 200 {
		a := l.acceptance(time.Now())
		a.Event.Data = data
		if _, err := l.store.Accept(t.Context(), []*store.Acceptance{a}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, databaseFile+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	if limit := int64(3 * checkpointPages * pageSize); info.Size() > limit {
		t.Errorf("the log has %d bytes after 200 MiB, want at most %d", info.Size(), limit)
	}
}

// TestLibcIsTheVersionThatSQLiteNames: modernc.org/sqlite is translated for one version of
// modernc.org/libc and breaks in strange ways with another.
func TestLibcIsTheVersionThatSQLiteNames(t *testing.T) {
	list := func(format, module string) string {
		t.Helper()
		out, err := exec.Command("go", "list", "-m", "-f", format, module).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	named, err := os.ReadFile(list("{{.GoMod}}", "modernc.org/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if used := list("{{.Path}} {{.Version}}", "modernc.org/libc"); !strings.Contains(string(named), used+"\n") {
		t.Errorf("%s is used, and the go.mod of modernc.org/sqlite names another version: use that one", used)
	}
}

func wantError(t *testing.T, err error, code postrider.Code, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one of code %q", code)
	}
	if got := postrider.ErrorCode(err); got != code {
		t.Errorf("code %q (%v), want %q", got, err, code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the message does not say %q: %v", word, err)
		}
	}
}

// fill accepts n events with a delivery each.
func fill(t *testing.T, s *Store, n int) *life {
	t.Helper()
	l := newLife(t, s)
	for n > 0 {
		size := min(n, benchBatch)
		if _, err := s.Accept(context.Background(), l.acceptances(size, 1, noKeys)); err != nil {
			t.Fatal(err)
		}
		n -= size
	}
	return l
}

func TestEverythingIsInOneSchema(t *testing.T) {
	files, err := fs.ReadDir(migrationFiles, "migration")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != newestSchema {
		t.Errorf("%d migrations and newestSchema is %d", len(files), newestSchema)
	}
}
