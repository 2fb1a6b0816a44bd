package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/server"
)

const tenantSecret = "hunter2-hunter2-hunter2-hunter2"

// serveOnce starts a server, lets use speak to it, stops it, and gives its log.
func serveOnce(t *testing.T, c config.Config, use func(*server.Server)) (string, error) {
	t.Helper()
	var log lockedBuffer
	s := server.New(server.Options{Config: c, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err := s.Start(t.Context()); err != nil {
		return log.String(), err
	}
	use(s)
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stopping: %v", err)
	}
	return log.String(), nil
}

// mustServe is serveOnce for a server that must start.
func mustServe(t *testing.T, c config.Config, use func(*server.Server)) string {
	t.Helper()
	log, err := serveOnce(t, c, use)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// register makes a webhook with the secret that these tests look for.
func register(t *testing.T, url string) func(*server.Server) {
	return func(s *server.Server) {
		t.Helper()
		_, err := speak(t, s, key).RegisterWebhook(t.Context(), api.WebhookCreate{URL: url, Events: []string{"order.*"}, Secret: tenantSecret})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// deliver publishes an event and waits for it to arrive, signed with the secret.
func deliver(t *testing.T, arrived <-chan string) func(*server.Server) {
	return func(s *server.Server) {
		t.Helper()
		if _, err := speak(t, s, key).Publish(t.Context(), api.EventCreate{Type: "order.created", Data: json.RawMessage(`1`)}); err != nil {
			t.Fatal(err)
		}
		select {
		case signature := <-arrived:
			if signature == "" {
				t.Error("the event is not signed")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the event did not arrive")
		}
	}
}

func receiver(t *testing.T) (url string, arrived <-chan string) {
	signatures := make(chan string, 10)
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		signatures <- r.Header.Get("X-Webhook-Signature")
	}))
	t.Cleanup(r.Close)
	return r.URL, signatures
}

func TestTheFirstStartMakesAKeyFileAndSecretsAreSealed(t *testing.T) {
	leaks(t)
	c := configuration(t)
	url, arrived := receiver(t)
	log := mustServe(t, c, register(t, url))
	info, err := os.Stat(c.Data + ".key")
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if !strings.Contains(log, c.Data+".key") {
		t.Errorf("the log does not name the key file: %s", log)
	}
	keys, err := os.ReadFile(c.Data + ".key")
	if err != nil {
		t.Fatal(err)
	}
	_, encoded, _ := strings.Cut(lastLine(string(keys)), ":")
	if raw, err := base64.StdEncoding.DecodeString(encoded); err != nil || len(raw) != 32 || strings.Contains(log, encoded) {
		t.Errorf("the key has %d bytes (%v), and stands in the log: %v", len(raw), err, strings.Contains(log, encoded))
	}
	err = filepath.WalkDir(c.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(tenantSecret)) {
			t.Errorf("%s shows the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if log := mustServe(t, c, deliver(t, arrived)); strings.Contains(log, "made a key") {
		t.Errorf("the second start makes a key: %s", log)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestWithoutItsKeysAStoreIsNotServed(t *testing.T) {
	leaks(t)
	c := configuration(t)
	url, arrived := receiver(t)
	mustServe(t, c, register(t, url))
	path := c.Data + ".key"
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(code postrider.Code, words ...string) {
		t.Helper()
		log, err := serveOnce(t, c, func(*server.Server) {})
		if postrider.ErrorCode(err) != code {
			t.Fatalf("%v, want code %s", err, code)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error does not say %q: %v", word, err)
			}
		}
		if strings.Contains(err.Error()+log, tenantSecret) {
			t.Error("the secret is shown")
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refused(postrider.CodeConflict, path, "not there", "POSTRIDER_ENCRYPTION_KEYS")
	if _, err := os.Stat(path); err == nil {
		t.Error("a new key file was made")
	}
	if err := os.WriteFile(path, kept, 0o644); err != nil {
		t.Fatal(err)
	}
	refused(postrider.CodeInvalid, "chmod 600 "+path)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	c.EncryptionKeys = postrider.NewSecret("other:" + strings.Repeat("A", 43) + "=")
	refused(postrider.CodeConflict, "cannot be opened")
	id, _, _ := strings.Cut(lastLine(string(kept)), ":")
	c.EncryptionKeys = postrider.NewSecret(id + ":" + strings.Repeat("A", 43) + "=")
	refused(postrider.CodeConflict, "cannot be opened", id)

	// The key from the file, behind a newer one: the server seals everything again by itself.
	c.EncryptionKeys = postrider.NewSecret("new:" + strings.Repeat("A", 43) + "=," + lastLine(string(kept)))
	log := mustServe(t, c, func(s *server.Server) {
		deliver(t, arrived)(s)
		waitForKey(t, c.Data, "\x01\x03new")
	})
	if !strings.Contains(log, "sealing secrets again") {
		t.Errorf("the log does not tell of it: %s", log)
	}
	c.EncryptionKeys = postrider.NewSecret("new:" + strings.Repeat("A", 43) + "=")
	mustServe(t, c, deliver(t, arrived))
}

// waitForKey waits until the files show the head of a value that a key sealed.
func waitForKey(t *testing.T, data, head string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		for _, name := range []string{"postrider.db", "postrider.db-wal"} {
			if content, _ := os.ReadFile(filepath.Join(data, name)); bytes.Contains(content, []byte(head)) {
				return
			}
		}
	}
	t.Fatal("nothing is sealed by the new key")
}

func TestAKeyFileThatCannotBeMadeIsTold(t *testing.T) {
	leaks(t)
	c := configuration(t)
	c.EncryptionKeyFile = filepath.Join(t.TempDir(), "none", "keys")
	_, err := serveOnce(t, c, func(*server.Server) {})
	if postrider.ErrorCode(err) != postrider.CodeUnavailable || !strings.Contains(err.Error(), c.EncryptionKeyFile) || !strings.Contains(err.Error(), "--encryption-key-file") {
		t.Errorf("%v", err)
	}
}

func TestRotatingSealsEverythingWithANewKey(t *testing.T) {
	leaks(t)
	c := configuration(t)
	url, arrived := receiver(t)
	if _, err := server.RotateSecrets(t.Context(), c, func(int, int) {}); postrider.ErrorCode(err) != postrider.CodeNotFound {
		t.Errorf("a folder that is not there: %v", err)
	}
	mustServe(t, c, func(s *server.Server) {
		register(t, url)(s)
		_, err := server.RotateSecrets(t.Context(), c, func(int, int) {})
		if postrider.ErrorCode(err) != postrider.CodeUnavailable || !strings.Contains(err.Error(), "in use") {
			t.Errorf("beside a running server: %v", err)
		}
	})
	var unused []string
	for i := range 3 {
		steps := 0
		r, err := server.RotateSecrets(t.Context(), c, func(done, total int) {
			if steps++; done > total || total == 0 {
				t.Errorf("%d of %d", done, total)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Made || r.File != c.Data+".key" || r.Sealed < 1 || steps < 2 || len(r.Unused) != i+1 {
			t.Errorf("rotation %d: %+v in %d steps", i, r, steps)
		}
		unused = r.Unused
	}
	// The old keys are in the file, behind the new one, and nothing needs them.
	content, err := os.ReadFile(c.Data + ".key")
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(content)) {
		id, _, _ := strings.Cut(line, ":")
		if !strings.HasPrefix(line, "#") && id != "" {
			kept = append(kept, id)
		}
	}
	if len(kept) != 4 || strings.Join(kept[1:], " ") != strings.Join(unused, " ") {
		t.Errorf("the file has %v, unused are %v", kept, unused)
	}
	lines := strings.SplitAfter(string(content), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, kept[0]+":") {
			lines = append(lines[:i+1], "")
			break
		}
	}
	if err := os.WriteFile(c.Data+".key", []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	mustServe(t, c, deliver(t, arrived))
}

func TestConfiguredKeysAreTheOperatorsToMake(t *testing.T) {
	leaks(t)
	c := configuration(t)
	first, second := "one:"+strings.Repeat("A", 43)+"=", "two:"+strings.Repeat("B", 42)+"A="
	c.EncryptionKeys = postrider.NewSecret(first)
	url, _ := receiver(t)
	mustServe(t, c, register(t, url))
	if _, err := os.Stat(c.Data + ".key"); err == nil {
		t.Error("a key file was made though keys are configured")
	}
	r, err := server.RotateSecrets(t.Context(), c, func(int, int) {})
	if err != nil || r.Made || r.Sealed != 0 || r.Key != "one" || r.File != "" {
		t.Errorf("%+v, %v", r, err)
	}
	c.EncryptionKeys = postrider.NewSecret(second + "," + first)
	r, err = server.RotateSecrets(t.Context(), c, func(int, int) {})
	if err != nil || r.Made || r.Sealed == 0 || r.Key != "two" || len(r.Unused) != 1 || r.Unused[0] != "one" {
		t.Errorf("%+v, %v", r, err)
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestARunningServerSealsEverythingAnewWhenItIsAsked(t *testing.T) {
	leaks(t)
	c := configuration(t)
	url, arrived := receiver(t)
	var before, after *api.Sealing
	mustServe(t, c, func(s *server.Server) {
		register(t, url)(s)
		operator := speak(t, s, key)
		var err error
		if before, err = operator.Sealing(t.Context()); err != nil || before.Outdated != 0 {
			t.Fatalf("%+v, %v", before, err)
		}
		after, err = operator.RotateSealing(t.Context())
		for deadline := time.Now().Add(10 * time.Second); err == nil && after.Outdated > 0 && time.Now().Before(deadline); {
			after, err = operator.Sealing(t.Context())
		}
		if err != nil || after.Outdated != 0 || after.Key == before.Key {
			t.Fatalf("%+v, then %+v, %v", before, after, err)
		}
		deliver(t, arrived)(s)
		log, err := operator.Audit(t.Context(), true, client.Page{Limit: 1})
		if err != nil || len(log.Data) != 1 || log.Data[0].Action != "secrets.seal" || log.Data[0].Subject != after.Key {
			t.Errorf("the audit log has %+v, %v", log, err)
		}
	})
	content, err := os.ReadFile(c.Data + ".key")
	if err != nil {
		t.Fatal(err)
	}
	if first, second := bytes.Index(content, []byte("\n"+after.Key+":")), bytes.Index(content, []byte("\n"+before.Key+":")); first < 0 || second < first {
		t.Errorf("the new key is at %d of the file, the old one at %d", first, second)
	}
	mustServe(t, c, deliver(t, arrived))

	// Configured keys are not the server's to make.
	c.EncryptionKeys = postrider.NewSecret(keysOf(string(content)))
	mustServe(t, c, func(s *server.Server) {
		_, err := speak(t, s, key).RotateSealing(t.Context())
		if err == nil || !strings.Contains(err.Error(), "POSTRIDER_ENCRYPTION_KEYS") {
			t.Errorf("%v", err)
		}
		deliver(t, arrived)(s)
	})
}

// keysOf writes what a key file holds as the variable has it.
func keysOf(file string) string {
	var keys []string
	for line := range strings.Lines(file) {
		if !strings.HasPrefix(line, "#") {
			keys = append(keys, strings.TrimSpace(line))
		}
	}
	return strings.Join(keys, ",")
}
