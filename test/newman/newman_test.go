package newman_test

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/server"
)

const operatorKey = "the-operator-of-these-tests"

// serve starts a server with one user, made by a bootstrap file, and gives its URL.
func serve(t *testing.T, dev bool, email, password string) string {
	t.Helper()
	dir := t.TempDir()
	bootstrap := filepath.Join(dir, "bootstrap.yaml")
	text := "users:\n  - {email: \"" + email + "\", password: \"" + password + "\", role: admin}\n"
	if err := os.WriteFile(bootstrap, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Listen, c.Data, c.Dev, c.BootstrapFile = "127.0.0.1:0", filepath.Join(dir, "data"), dev, bootstrap
	c.OperatorKey, c.ShutdownGrace = postrider.NewSecret(operatorKey), 5*time.Second
	s := server.New(server.Options{Config: c})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return s.URL()
}

// moved gives the collection with the server's address in the place of the document's hosts.
func moved(t *testing.T, to string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/collection.json")
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, change := range [][2]string{ // what, and what comes in its place
		{"https://rest.api.xemelgo.com/", to + "/"},
		{"https://api.xemelgo.com/", to + "/"},
		{`"protocol": "https"`, `"protocol": "http"`},
		{`"host": ["rest", "api", "xemelgo", "com"]`, `"port": "` + address.Port() + `", "host": ["127", "0", "0", "1"]`},
		{`"host": ["api", "xemelgo", "com"]`, `"port": "` + address.Port() + `", "host": ["127", "0", "0", "1"]`},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("the collection does not hold %s", change[0])
		}
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	file := filepath.Join(t.TempDir(), "collection.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// report is what newman's json reporter writes.
type report struct {
	Run struct {
		Stats    struct{ Requests, TestScripts, PrerequestScripts struct{ Total, Failed int } }
		Failures []struct {
			Error struct{ Name, Message string }
		}
		// Executions are the requests, in order.
		Executions []struct {
			Item     struct{ Name string }
			Response struct {
				Code   int
				Stream struct{ Data []byteNumber }
			}
		}
	}
}

// byteNumber is a byte as JavaScript writes it: a number.
type byteNumber int

func TestTheSeedsPostmanCollectionRunsFourOfFour(t *testing.T) {
	const newman = "node_modules/newman/bin/newman.js"
	if _, err := os.Stat(newman); err != nil {
		t.Fatalf("newman is not here: run \"bash test/newman/install.sh\" or \"make test\" (%v)", err)
	}
	address := serve(t, false, "base 64 encoded email", "base 64 encoded password")
	result := filepath.Join(t.TempDir(), "report.json")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	output, err := exec.CommandContext(ctx, "node", newman, "run", moved(t, address), "--reporters", "json", "--reporter-json-export", result).CombinedOutput()
	if err != nil {
		t.Fatalf("newman: %v\n%s", err, output)
	}
	content, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	var told report
	if err := json.Unmarshal(content, &told); err != nil {
		t.Fatal(err)
	}
	stats := told.Run.Stats
	if stats.Requests.Total != 4 || stats.Requests.Failed != 0 || stats.TestScripts.Failed != 0 || stats.PrerequestScripts.Failed != 0 || len(told.Run.Failures) != 0 {
		t.Errorf("newman reports %+v and the failures %+v", stats, told.Run.Failures)
	}
	wants := []struct{ name, begins string }{
		{"Login", `{"AccessToken":"`},
		{"Register Webhook", `{"data":{"registerWebhook":{"webhook":{"id":"webhook-`},
		{"List Webhooks", `{"data":{"webhooks":{"webhooks":[{"id":"webhook-`},
		{"Unregister Webhook", `{"data":{"unregisterWebhook":null},"errors":[{"path":["unregisterWebhook"],"data":null,"errorType":"ResourceNotFoundError",`},
	}
	if len(told.Run.Executions) != len(wants) {
		t.Fatalf("%d requests were made", len(told.Run.Executions))
	}
	for i, want := range wants {
		made := told.Run.Executions[i]
		body := make([]byte, len(made.Response.Stream.Data))
		for at, number := range made.Response.Stream.Data {
			body[at] = byte(number)
		}
		if made.Item.Name != want.name || made.Response.Code != 200 || !strings.HasPrefix(string(body), want.begins) {
			t.Errorf("request %d, %s: %d %s", i+1, made.Item.Name, made.Response.Code, body)
		}
	}
}
