package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/keyring"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/storetest"
)

func TestSealedStore(t *testing.T) {
	keys := newRing(t, "k1")
	storetest.Run(t, func(t *testing.T) store.Store { return openSealed(t, t.TempDir(), keys) })
}

func TestSealedReopen(t *testing.T) {
	keys := newRing(t, "k1")
	storetest.RunReopen(t, func(t *testing.T, dir string) store.Store { return openSealed(t, dir, keys) })
}

// newRing makes a ring of keys whose bytes follow from their ids, the newest first.
func newRing(t testing.TB, ids ...string) *keyring.Ring {
	t.Helper()
	keys := make([]keyring.Key, len(ids))
	for i, id := range ids {
		keys[i] = sealingKey(t, id, id)
	}
	r, err := keyring.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealingKey(t testing.TB, id, bytesOf string) keyring.Key {
	t.Helper()
	k, err := keyring.NewKey(id, []byte((bytesOf + strings.Repeat("-", keyring.KeySize))[:keyring.KeySize]))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func openSealed(t testing.TB, dir string, keys *keyring.Ring) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir, Sealer: with(keys)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func with(keys *keyring.Ring) func(bool) (Sealer, error) {
	return func(bool) (Sealer, error) { return keys, nil }
}

// mark stands in every secret text of these tests.
const mark = "hunter2-this-is-secret"

// secretEndpoints registers n endpoints that have a secret at every place, and puts a setting.
func secretEndpoints(t testing.TB, s *Store, n int) []*postrider.Endpoint {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	tenant := postrider.Tenant{ID: postrider.NewTenantID(now), CreatedAt: now}
	tenant.Name = "tenant-" + strings.ToLower(tenant.ID.String())
	if err := s.CreateTenant(t.Context(), &tenant); err != nil {
		t.Fatal(err)
	}
	all := make([]*postrider.Endpoint, n)
	for i := range all {
		secret := func(of string) postrider.Secret { return postrider.NewSecret(fmt.Sprint(mark, " ", i, of)) }
		all[i] = &postrider.Endpoint{
			ID: postrider.NewEndpointID(now), Tenant: tenant.ID, Environment: postrider.Production, URL: "https://example.org", Topics: []postrider.Topic{"*"},
			Contract: "generic", State: postrider.EndpointEnabled, CreatedAt: now, UpdatedAt: now,
			Secrets:  []postrider.Secret{secret("new"), secret("old")},
			Rotation: &postrider.SecretRotation{Next: secret("next"), StartedAt: now, Until: now.Add(time.Hour)},
			Auth: postrider.EndpointAuth{
				OAuth:       &postrider.OAuthClient{TokenURL: "https://id.example", ClientID: "id", ClientSecret: secret("oauth")},
				Basic:       &postrider.BasicAuth{Username: "u", Password: secret("basic")},
				Headers:     []postrider.SecretHeader{{Name: "X", Value: secret("header")}},
				Certificate: &postrider.ClientCertificate{Chain: "chain", Key: secret("certificate")},
			},
		}
		if err := s.CreateEndpoint(t.Context(), all[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutSetting(t.Context(), "token keys", []byte(mark+" setting"), false); err != nil {
		t.Fatal(err)
	}
	return all
}

// wantAll demands that everything that secretEndpoints made can be read.
func wantAll(t testing.TB, s *Store, all []*postrider.Endpoint) {
	t.Helper()
	for _, want := range all {
		got, err := s.FindEndpoint(t.Context(), want.Tenant, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	if value, err := s.Setting(t.Context(), "token keys"); err != nil || string(value) != mark+" setting" {
		t.Errorf("the setting is %q, %v", value, err)
	}
}

// visible counts in how many places the files of a folder show a text.
func visible(t testing.TB, dir, text string) (places int, files []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte(text)); n > 0 {
			places += n
			files = append(files, e.Name())
		}
	}
	return places, files
}

func TestNoSecretIsReadableInTheFiles(t *testing.T) {
	plainDir, dir := t.TempDir(), t.TempDir()
	plain := open(t, plainDir)
	secretEndpoints(t, plain, 20)
	if n, _ := visible(t, plainDir, mark); n < 20*7 {
		t.Fatalf("a store that does not seal shows %d secrets: this test would see nothing", n)
	}

	s := openSealed(t, dir, newRing(t, "k1"))
	all := secretEndpoints(t, s, 20)
	for _, e := range all { // written again, and deleted
		e.Secrets = append(e.Secrets, postrider.NewSecret(mark+" third"))
		got, err := s.UpdateEndpoint(t.Context(), e.Tenant, e.ID, store.EndpointPatch{Secrets: &e.Secrets}, e.UpdatedAt)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Error(diff)
		}
	}
	wantAll(t, s, all)
	if n, files := visible(t, dir, mark); n != 0 {
		t.Errorf("%d secrets can be read in %v", n, files)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n, files := visible(t, dir, mark); n != 0 {
		t.Errorf("%d secrets can be read in %v after closing", n, files)
	}
	wantAll(t, openSealed(t, dir, newRing(t, "k1")), all)
}

// oldStore makes a store as the version before sealing left it: with schema 1.
func oldStore(t *testing.T, dir string, endpoints int) []*postrider.Endpoint {
	t.Helper()
	s := open(t, dir)
	all := secretEndpoints(t, s, endpoints)
	for _, e := range all {
		e.Rotation, e.Auth = nil, postrider.EndpointAuth{}
	}
	err := s.writer.change(t.Context(), func(c *connection) error {
		if _, err := c.rows("PRAGMA secure_delete = ON"); err != nil { // an old store has no remains of this
			return err
		}
		for _, text := range []string{
			"CREATE TABLE old (endpoint INTEGER NOT NULL REFERENCES endpoint (num), place INTEGER NOT NULL, secret BLOB NOT NULL, PRIMARY KEY (endpoint, place)) WITHOUT ROWID",
			"INSERT INTO old SELECT endpoint, place, secret FROM endpoint_secret WHERE place >= 0",
			"DROP TABLE endpoint_secret", "ALTER TABLE old RENAME TO endpoint_secret",
			"DROP TABLE refresh_token", "DROP TABLE user", "DROP TABLE setting", "DROP TABLE audit",
			"ALTER TABLE endpoint DROP COLUMN rotation_started_at", "ALTER TABLE endpoint DROP COLUMN rotation_until",
			"ALTER TABLE api_key DROP COLUMN last_used_at",
			"DELETE FROM goose_db_version WHERE version_id > 1",
		} {
			if _, err := c.run(text); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAStoreFromBeforeSealingIsSealedAtItsFirstStart(t *testing.T) {
	dir := t.TempDir()
	all := oldStore(t, dir, 2*sealStep/3)
	if n, _ := visible(t, dir, mark); n < len(all) {
		t.Fatalf("%d secrets in the old store", n)
	}
	asked := 0
	s, err := Open(t.Context(), Options{Dir: dir, Sealer: func(sealed bool) (Sealer, error) {
		if asked++; sealed {
			t.Error("a store that was never sealed says that it is")
		}
		return newRing(t, "k1"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if n, files := visible(t, dir, mark); n != 0 {
		t.Errorf("%d secrets can still be read in %v", n, files)
	}
	if err := s.PutSetting(t.Context(), "token keys", []byte(mark+" setting"), false); err != nil {
		t.Fatal(err)
	}
	wantAll(t, s, all)
	if n, err := s.Outdated(t.Context()); n != 0 || err != nil || asked != 1 {
		t.Errorf("%d values are not sealed, %v; asked for keys %d times", n, err, asked)
	}
}

func TestSealingGoesOnWhereItWasBrokenOff(t *testing.T) {
	dir := t.TempDir()
	all := oldStore(t, dir, sealStep)
	// The key breaks after a step and a half.
	_, err := Open(t.Context(), Options{Dir: dir, Sealer: func(bool) (Sealer, error) {
		return &breaking{Sealer: newRing(t, "k1"), left: sealStep * 3 / 2}, nil
	}})
	wantError(t, err, postrider.CodeUnavailable, "broken off")
	s := open(t, dir) // without keys, to count
	counts := make(map[bool]int)
	if err := s.writer.change(t.Context(), func(c *connection) error {
		rows, err := c.rows("SELECT sealed_by FROM endpoint_secret")
		for _, row := range rows {
			counts[row[0] == "k1"]++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[bool]int{true: sealStep, false: sealStep}, counts); diff != "" {
		t.Errorf("sealed or not: %s", diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), Options{Dir: dir, Sealer: func(sealed bool) (Sealer, error) {
		if !sealed {
			t.Error("the store does not say that it is sealed")
		}
		return newRing(t, "k1"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.PutSetting(t.Context(), "token keys", []byte(mark+" setting"), false); err != nil {
		t.Fatal(err)
	}
	wantAll(t, s, all)
	if n, files := visible(t, dir, mark); n != 0 {
		t.Errorf("%d secrets can still be read in %v", n, files)
	}
}

// breaking is a Sealer that fails after so many values.
type breaking struct {
	Sealer
	left int
}

func (b *breaking) Seal(purpose string, tenant postrider.TenantID, row string, plain []byte) (string, []byte, error) {
	if b.left--; b.left < 0 {
		return "", nil, postrider.Errorf(postrider.CodeUnavailable, "broken off by the test")
	}
	return b.Sealer.Seal(purpose, tenant, row, plain)
}

func TestAValueMovedElsewhereDoesNotOpen(t *testing.T) {
	const put = "UPDATE endpoint_secret SET secret = (SELECT f.secret FROM endpoint_secret f JOIN endpoint e ON e.num = f.endpoint WHERE e.id = ?1 AND f.place = ?2) " +
		"WHERE endpoint = (SELECT num FROM endpoint WHERE id = ?3) AND place = 0"
	for name, move := range map[string]func(c *connection, a, b, other *postrider.Endpoint) error{
		"to another endpoint": func(c *connection, a, b, _ *postrider.Endpoint) error {
			_, err := c.run(put, b.ID.ID[:], int64(0), a.ID.ID[:])
			return err
		},
		"to another place": func(c *connection, a, _, _ *postrider.Endpoint) error {
			_, err := c.run(put, a.ID.ID[:], int64(1), a.ID.ID[:])
			return err
		},
		"with its endpoint to another tenant": func(c *connection, a, _, other *postrider.Endpoint) error {
			_, err := c.run("UPDATE endpoint SET tenant = (SELECT tenant FROM endpoint WHERE id = ?) WHERE id = ?", other.ID.ID[:], a.ID.ID[:])
			a.Tenant = other.Tenant
			return err
		},
		"a byte changed": func(c *connection, a, _, _ *postrider.Endpoint) error {
			_, err := c.run("UPDATE endpoint_secret SET secret = substr(secret, 1, length(secret) - 1) || x'00' WHERE endpoint = (SELECT num FROM endpoint WHERE id = ?)", a.ID.ID[:])
			return err
		},
		"replaced by a plain one": func(c *connection, a, _, _ *postrider.Endpoint) error {
			_, err := c.run("UPDATE endpoint_secret SET secret = x'41', sealed_by = '' WHERE endpoint = (SELECT num FROM endpoint WHERE id = ?)", a.ID.ID[:])
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSealed(t, t.TempDir(), newRing(t, "k1"))
			mine, others := secretEndpoints(t, s, 2), secretEndpoints(t, s, 1)
			if err := s.writer.change(t.Context(), func(c *connection) error { return move(c, mine[0], mine[1], others[0]) }); err != nil {
				t.Fatal(err)
			}
			e, err := s.FindEndpoint(t.Context(), mine[0].Tenant, mine[0].ID)
			wantError(t, err, postrider.CodeInternal, mine[0].ID.String())
			if e != nil || strings.Contains(err.Error(), mark) {
				t.Errorf("%v, %v", e, err)
			}
			if _, err := s.FindEndpoint(t.Context(), mine[1].Tenant, mine[1].ID); err != nil {
				t.Errorf("the endpoint beside: %v", err)
			}
		})
	}
}

func TestWrongKeysAreToldAndChangeNothing(t *testing.T) {
	dir := t.TempDir()
	s := openSealed(t, dir, newRing(t, "k1"))
	all := secretEndpoints(t, s, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	impostor, err := keyring.New(sealingKey(t, "k1", "another"))
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	for name, sealer := range map[string]func(bool) (Sealer, error){
		"another key":              with(newRing(t, "k2")),
		"another of the same name": with(impostor),
	} {
		_, err := Open(t.Context(), Options{Dir: dir, Sealer: sealer})
		wantError(t, err, postrider.CodeConflict, `"k1"`, "cannot be opened")
		if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
			t.Errorf("%s changed the folder: %s", name, diff)
		}
	}
	_, err = Open(t.Context(), Options{Dir: dir, Sealer: func(sealed bool) (Sealer, error) {
		return nil, postrider.Errorf(postrider.CodeNotFound, "no keys, sealed %v", sealed)
	}})
	wantError(t, err, postrider.CodeNotFound, "no keys, sealed true")
	without := open(t, dir)
	_, err = without.FindEndpoint(t.Context(), all[0].Tenant, all[0].ID)
	wantError(t, err, postrider.CodeInternal, "k1", "no keys were given")
	if err := without.Close(); err != nil {
		t.Fatal(err)
	}
	wantAll(t, openSealed(t, dir, newRing(t, "k2", "k1")), all)
}

func TestANewKeyTakesOverInSteps(t *testing.T) {
	dir := t.TempDir()
	s := openSealed(t, dir, newRing(t, "k1"))
	all := secretEndpoints(t, s, 25) // 4 values each, and a setting
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSealed(t, dir, newRing(t, "k3", "k1"))
	all = append(all, secretEndpoints(t, s, 1)...)
	const values = 25 * 4 // the setting was put again
	reseal := func(limit, want, left int) {
		t.Helper()
		n, err := s.Reseal(t.Context(), limit)
		if err != nil || n != want {
			t.Errorf("%d sealed again, %v; want %d", n, err, want)
		}
		if n, err := s.Outdated(t.Context()); err != nil || n != left {
			t.Errorf("%d are outdated, %v; want %d", n, err, left)
		}
		wantAll(t, s, all)
	}
	reseal(0, 0, values)
	reseal(30, 30, values-30)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Broken off here, and a third key comes: values of two old keys.
	s = openSealed(t, dir, newRing(t, "k2", "k3", "k1"))
	const third = values + 5
	reseal(third-10, third-10, 10)
	reseal(1000, 10, 0)
	reseal(1000, 0, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantAll(t, openSealed(t, dir, newRing(t, "k2")), all) // the old keys are not needed any more
}

func TestEndpointsCanBeChangedWhileSecretsAreSealedAgain(t *testing.T) {
	dir := t.TempDir()
	keys := newRing(t, "k1")
	s := openSealed(t, dir, keys)
	all := secretEndpoints(t, s, 200)
	if err := keys.Add(sealingKey(t, "k2", "k2")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for _, e := range all {
			secrets := []postrider.Secret{postrider.NewSecret(mark + " changed " + e.ID.String())}
			if _, err := s.UpdateEndpoint(context.Background(), e.Tenant, e.ID, store.EndpointPatch{Secrets: &secrets}, e.UpdatedAt); err != nil {
				done <- err
				return
			}
			e.Secrets = secrets
		}
		done <- nil
	}()
	for n, err := 7, error(nil); n == 7; {
		if n, err = s.Reseal(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantAll(t, s, all)
	if n, err := s.Outdated(t.Context()); n != 0 || err != nil {
		t.Errorf("%d are outdated, %v", n, err)
	}
}

func TestAuditEntriesCannotBeChangedInTheDatabase(t *testing.T) {
	s := open(t, t.TempDir())
	now := time.Now()
	if err := s.AppendAudit(t.Context(), &postrider.AuditEntry{ID: postrider.NewID(now), At: now}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"} {
		err := s.writer.change(t.Context(), func(c *connection) error { _, err := c.run(text); return err })
		if err == nil {
			t.Errorf("%s is carried out", text)
		}
	}
}

// BenchmarkReseal brings 4,000 secrets under a new key, 25 a transaction.
func BenchmarkReseal(b *testing.B) {
	keys := newRing(b, "k0")
	s := openSealed(b, b.TempDir(), keys)
	secretEndpoints(b, s, 1000)
	for i := 1; b.Loop(); i++ {
		id := fmt.Sprint("k", i)
		if err := keys.Add(sealingKey(b, id, id)); err != nil {
			b.Fatal(err)
		}
		for n, err := 25, error(nil); n == 25; {
			if n, err = s.Reseal(b.Context(), 25); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/4001, "us/secret")
}
