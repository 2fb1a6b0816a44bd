package ewhsapi_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/server"
)

// These tests run a whole server and know of it what the documents say: its URL, a user's name and
// password, and the publisher's key.

const publisherKey = "the-publisher-of-these-tests"

// installation is a running server with one shop, and the shop's receiver over https.
type installation struct {
	t        testing.TB
	url      string
	receiver *receiver
	http     *http.Client
}

func install(t *testing.T, change func(*config.Config)) *installation {
	t.Helper()
	dir := t.TempDir()
	in := &installation{t: t, receiver: newReceiver(t), http: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	certificate := filepath.Join(dir, "receiver.pem")
	err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: in.receiver.server.Certificate().Raw}), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	bootstrap := filepath.Join(dir, "bootstrap.yaml")
	err = os.WriteFile(bootstrap, []byte("users:\n  - {tenant: shop, email: "+userName+", password: "+password+"}\nkeys:\n  - {tenant: shop, role: publisher, name: p, key: "+publisherKey+"}\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Listen, c.Data, c.BootstrapFile, c.ExtraCAFile = "127.0.0.1:0", filepath.Join(dir, "data"), bootstrap, certificate
	c.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c.OperatorKey, c.ShutdownGrace = postrider.NewSecret("the-operator-of-these-tests"), 100*time.Millisecond
	if change != nil {
		change(&c)
	}
	s := server.New(server.Options{Config: c})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	in.url = s.URL()
	t.Cleanup(func() {
		in.http.CloseIdleConnections()
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return in
}

// send makes a request with a JSON body and gives the answer's.
func (in *installation) send(method, path, body string, header map[string]string) (int, []byte) {
	in.t.Helper()
	r, err := http.NewRequest(method, in.url+path, strings.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := in.http.Do(r)
	if err != nil {
		in.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		in.t.Fatal(err)
	}
	return answer.StatusCode, text
}

// publish publishes through REST and gives how many webhooks get the event.
func (in *installation) publish(topic, data string) int {
	in.t.Helper()
	status, body := in.send("POST", "/v1/events", `{"type":"`+topic+`","data":`+data+`}`, map[string]string{"Authorization": "Bearer " + publisherKey})
	var told struct{ Deliveries int }
	if err := json.Unmarshal(body, &told); err != nil || status != 202 {
		in.t.Fatalf("%d %s", status, body)
	}
	return told.Deliveries
}

// arrival is one request that came to the receiver.
type arrival struct {
	path, signature, id string
	body                []byte
	at, until           time.Time // until: when the sender gave up, for a request that was not answered
}

// receiver is the shop's: it answers 200, but for /moved, which redirects, and /slow, which never answers.
type receiver struct {
	server  *httptest.Server
	mu      sync.Mutex
	arrived []arrival
	changed chan struct{}
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{changed: make(chan struct{})}
	closing := make(chan struct{})
	r.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, incoming *http.Request) {
		a := arrival{path: incoming.URL.Path, at: time.Now(), signature: incoming.Header.Get("X-Hmac-SHA256"), id: incoming.Header.Get("X-Webhook-Id")}
		a.body, _ = io.ReadAll(incoming.Body)
		switch incoming.URL.Path {
		case "/moved":
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		case "/slow":
			select {
			case <-incoming.Context().Done():
			case <-closing:
			}
			a.until = time.Now()
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.arrived = append(r.arrived, a)
		close(r.changed)
		r.changed = make(chan struct{})
	}))
	t.Cleanup(func() { close(closing); r.server.Close() })
	return r
}

// at gives what came to a path.
func (r *receiver) at(path string) (arrived []arrival, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.arrived {
		if a.path == path {
			arrived = append(arrived, a)
		}
	}
	return arrived, r.changed
}

// await waits until so many requests came to a path.
func (r *receiver) await(t testing.TB, path string, n int) []arrival {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		arrived, changed := r.at(path)
		if len(arrived) >= n {
			return arrived
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d of %d requests came to %s", len(arrived), n, path)
		}
	}
}

// verifies is the seed's verify_webhook.
func (a arrival) verifies(secret string) bool {
	digest := hmac.New(sha256.New, []byte(secret))
	digest.Write(a.body)
	return hmac.Equal([]byte(base64.StdEncoding.EncodeToString(digest.Sum(nil))), []byte(a.signature))
}

// seedClient copies the seed and knows nothing else.
type seedClient struct {
	*installation
	token string
}

func (in *installation) seedClient() *seedClient {
	in.t.Helper()
	status, body := in.send("POST", "/wms/auth/login/", credentials, nil)
	var told struct{ Token string }
	if err := json.Unmarshal(body, &told); err != nil || status != 200 || told.Token == "" {
		in.t.Fatalf("%d %s", status, body)
	}
	return &seedClient{in, told.Token}
}

// register sends the seed's body, with our receiver's address in the place of ngrok's.
func (c *seedClient) register(path string) (id, secret string) {
	c.t.Helper()
	body := strings.Replace(seedBody, "https://12345.ngrok.io/", c.receiver.server.URL+path, 1)
	status, text := c.send("POST", "/webhooks/", body, map[string]string{"Authorization": "Bearer " + c.token})
	var told struct {
		ID         string
		HashSecret string `json:"hash_secret"`
	}
	if err := json.Unmarshal(text, &told); err != nil || status != 201 || told.HashSecret == "" {
		c.t.Fatalf("%d %s", status, text)
	}
	return told.ID, told.HashSecret
}

func (c *seedClient) remove(id string) {
	c.t.Helper()
	if status, body := c.send("DELETE", "/webhooks/"+id+"/", "", map[string]string{"Authorization": "Bearer " + c.token}); status != 204 {
		c.t.Fatalf("%d %s", status, body)
	}
}

func TestAClientWrittenFromTheSeedAlone(t *testing.T) {
	t.Parallel()
	in := install(t, nil)
	c := in.seedClient()
	if status, body := in.send("POST", "/webhooks/", strings.Replace(seedBody, "https://12345.ngrok.io/", strings.Replace(in.receiver.server.URL, "https", "http", 1), 1),
		map[string]string{"Authorization": "Bearer " + c.token}); status != 400 {
		t.Fatalf("an http address got %d %s", status, body)
	}
	id, secret := c.register("/")
	// Spaces, order and escapes: the original bytes are what is signed and sent (002.7, 002.8).
	const data = `{ "b":1.0, "a" : "\u00e9\/", "a":2 }`
	for i, topic := range []string{"order.create", "order.created"} {
		if n := in.publish(topic, data); n != 1 {
			t.Fatalf("%s goes to %d webhooks", topic, n)
		}
		got := in.receiver.await(t, "/", i+1)[i]
		if string(got.body) != data || !got.verifies(secret) || len(got.signature) != 44 || got.id == "" {
			t.Errorf("%s came as %q with %q (id %q)", topic, got.body, got.signature, got.id)
		}
		if got.verifies("another secret") || (arrival{body: append(got.body, ' '), signature: got.signature}).verifies(secret) {
			t.Error("the signature verifies what it must not")
		}
	}
	if n := in.publish("order.shipped", data); n != 0 {
		t.Errorf("order.shipped goes to %d webhooks", n)
	}
	c.remove(id)
	if n := in.publish("order.create", data) + in.publish("order.created", data); n != 0 {
		t.Errorf("after the deletion %d webhooks get the events", n)
	}
	_, secret = c.register("/again") // what comes here came after all that could have come there
	in.publish("order.created", data)
	if got := in.receiver.await(t, "/again", 1)[0]; !got.verifies(secret) {
		t.Error("the second webhook's request does not verify")
	}
	if all, _ := in.receiver.at("/"); len(all) != 2 {
		t.Errorf("%d requests came to a webhook that was deleted after two", len(all))
	}
}

// An hour is a second here: the development switch shortens schedules and leaves time limits alone.
func TestTheSeedsTimeLimitRedirectsAndRetries(t *testing.T) {
	t.Parallel()
	in := install(t, func(c *config.Config) { c.Dev, c.DevTimeScale = true, 3600 })
	c := in.seedClient()
	plain := strings.Replace(seedBody, "https:", "http:", 1) // only this switch takes it
	if status, body := in.send("POST", "/webhooks/", strings.Replace(plain, "order", "plain", 1), map[string]string{"Authorization": "Bearer " + c.token}); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	c.register("/slow")
	moved, secret := c.register("/moved")
	in.publish("order.created", `{"n":1}`)

	// A redirect is a failure that is tried again in an hour, with the same bytes; its Location is not asked.
	came := in.receiver.await(t, "/moved", 3)
	for i, a := range came[:3] {
		if !a.verifies(secret) || a.id != came[0].id || !bytes.Equal(a.body, came[0].body) || a.signature != came[0].signature {
			t.Errorf("attempt %d differs: %+v", i+1, a)
		}
		if i > 0 && came[i].at.Sub(came[i-1].at) < 950*time.Millisecond {
			t.Errorf("attempt %d came %s after the one before, and an hour is 1 s here", i+1, came[i].at.Sub(came[i-1].at))
		}
	}
	// Deleting it ends its retries.
	c.remove(moved)
	before, _ := in.receiver.at("/moved")

	// The sender waits ten seconds for an answer.
	slow := in.receiver.await(t, "/slow", 1)[0]
	if waited := slow.until.Sub(slow.at); waited < 9*time.Second || waited > 12*time.Second {
		t.Errorf("it waited %s for an answer", waited)
	}
	if after, _ := in.receiver.at("/moved"); len(after) > len(before)+1 { // one may have been under way
		t.Errorf("%d attempts came after the deletion", len(after)-len(before))
	}
	if elsewhere, _ := in.receiver.at("/elsewhere"); len(elsewhere) != 0 {
		t.Error("a redirect was followed")
	}
}

// publicClient makes requests as the published clients do: codes with everything, paths with a slash at
// the end, a flat body; the Go client sends an empty bearer token at login, the PHP one lists without
// the slash, and the Python one asks with the token of a refresh.
type publicClient struct {
	*installation
	header map[string]string
}

func (c *publicClient) call(method, path, body string, into any) int {
	c.t.Helper()
	status, text := c.send(method, path, body, c.header)
	if into != nil && len(text) > 0 {
		if err := json.Unmarshal(text, into); err != nil {
			c.t.Fatalf("%s %s: %d %s: %v", method, path, status, text, err)
		}
	}
	return status
}

// The types are those that the Go client decodes into.
type (
	authToken struct {
		Token        string `json:"token,omitempty"`
		Iat          int    `json:"iat,omitempty"`
		Exp          int    `json:"exp,omitempty"`
		RefreshToken string `json:"refresh_token,omitempty"`
	}
	publicWebhook struct {
		ID         string `json:"id,omitempty"`
		URL        string `json:"url,omitempty"`
		Group      string `json:"group,omitempty"`
		Action     string `json:"action,omitempty"`
		HashSecret string `json:"hash_secret,omitempty"`
	}
	publicWebhooks struct {
		Count    int             `json:"count,omitempty"`
		Next     any             `json:"next,omitempty"`
		Previous any             `json:"previous,omitempty"`
		Results  []publicWebhook `json:"results,omitempty"`
	}
)

func TestThePublishedClientsWorkUnchanged(t *testing.T) {
	t.Parallel()
	for name, strict := range map[string]bool{"no code set": false, "code set": true} {
		t.Run(name, func(t *testing.T) {
			codes := map[string]string{"X-Wms-Code": "EWHS", "X-Customer-Code": "12345"}
			in := install(t, func(c *config.Config) {
				if strict {
					c.WMSCode, codes["X-Customer-Code"] = "EWHS", "shop"
				}
			})
			c := &publicClient{in, codes}

			var failed struct {
				Code    int
				Message string
			}
			if status := c.call("POST", "/wms/auth/login/", `{"username":"`+userName+`","password":"x"}`, &failed); status != 401 || failed.Code != 401 || failed.Message != "Invalid credentials." {
				t.Fatalf("%d %+v", status, failed)
			}
			var token authToken
			c.header["Authorization"] = "Bearer" // the Go client's, before it has one
			if status := c.call("POST", "/wms/auth/login/", credentials, &token); status != 200 || token.Exp-token.Iat != 3600 {
				t.Fatalf("%d %+v", status, token)
			}
			delete(c.header, "Authorization")
			var next authToken
			if status := c.call("POST", "/wms/auth/refresh/", `{"refresh_token":"`+token.RefreshToken+`"}`, &next); status != 200 || next.RefreshToken == token.RefreshToken {
				t.Fatalf("%d", status)
			}
			c.header["Authorization"] = "Bearer " + next.Token

			body := `{"url":"` + in.receiver.server.URL + `/hooks","group":"stock","action":"updated","hash_secret":"secret_key_registered_at_webhook"}` + "\n"
			var made, shown, changed publicWebhook
			if status := c.call("POST", "/webhooks/", body, &made); status != 201 || made.HashSecret != "secret_key_registered_at_webhook" {
				t.Fatalf("%d %+v", status, made)
			}
			if status := c.call("GET", "/webhooks/"+made.ID+"/", "", &shown); status != 200 || shown.ID != made.ID || shown.HashSecret != "" {
				t.Fatalf("%d %+v", status, shown)
			}
			var list publicWebhooks
			if status := c.call("GET", "/webhooks?limit=50&page=1&sort=created_at&direction=asc", "", &list); status != 200 || list.Count != 1 || list.Next != nil || len(list.Results) != 1 || list.Results[0].ID != made.ID {
				t.Fatalf("%d %+v", status, list)
			}
			if in.publish("stock.updated", `{"entity":"variant"}`) != 1 {
				t.Fatal("the webhook does not get the event")
			}
			if got := in.receiver.await(t, "/hooks", 1)[0]; !got.verifies("secret_key_registered_at_webhook") || string(got.body) != `{"entity":"variant"}` {
				t.Errorf("%+v", got)
			}
			if status := c.call("PATCH", "/webhooks/"+made.ID+"/", `{"group":"order","action":"shipped"}`, &changed); status != 200 || changed.Group != "order" || changed.URL != made.URL {
				t.Fatalf("%d %+v", status, changed)
			}
			if in.publish("stock.updated", `{}`) != 0 || in.publish("order.shipped", `{}`) != 1 {
				t.Error("the change did not reach the events")
			}
			if status := c.call("DELETE", "/webhooks/"+made.ID+"/", "", nil); status != 204 {
				t.Fatal(status)
			}
			if status := c.call("GET", "/webhooks/", "", &list); status != 200 {
				t.Fatal(status)
			}
		})
	}
}

func TestTheServerSharesItsPathsOut(t *testing.T) {
	t.Parallel()
	in := install(t, nil)
	for path, want := range map[string]int{"/webhooks/": 401, "/webhooks": 401, "/v1/webhooks": 401, "/healthz": 200, "/wms/x": 404, "/openapi.json": 200} {
		if status, body := in.send("GET", path, "", nil); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
