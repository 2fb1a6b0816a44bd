package ewhsapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/ewhsapi"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

// gateway is the API with all that stands below it, but for the engine.
type gateway struct {
	t       testing.TB
	store   *sqlite.Store
	control *control.Control
	index   *ingest.Index
	tokens  *auth.Tokens
	keys    *auth.Authenticator
	handler *ewhsapi.Handler
	log     *lockedBuffer
	now     func() time.Time

	operator, admin, publisher, viewer string // keys; the last three of tenant "acme"
	sandboxAdmin                       string // of tenant "acme", sandbox
	foreign                            string // admin of tenant "rival"
	acme, rival                        postrider.TenantID
}

// The user of tenant "acme".
const (
	userName = "ferry@acme.example"
	password = "correct horse 1"
)

// canary is a signing secret that tests register webhooks with.
const canary = "canary-secret-that-nobody-may-show"

// newGateway makes a gateway where a tenant has at most 260 webhooks.
func newGateway(t testing.TB, options ...func(*ewhsapi.Options)) *gateway {
	t.Helper()
	return newGatewayOf(t, 260, options...)
}

func newGatewayOf(t testing.TB, maxWebhooks int, options ...func(*ewhsapi.Options)) *gateway {
	t.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	contracts, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, store: db, log: &lockedBuffer{}, index: ingest.NewIndex(contracts), now: time.Now}
	keys := auth.New(auth.Options{}, db)
	g.keys = keys
	clock := func() time.Time { return g.now() }
	if g.tokens, err = auth.NewTokens(ctx, auth.TokenOptions{Now: clock}, db); err != nil {
		t.Fatal(err)
	}
	g.control = control.New(control.Options{MaxWebhooks: maxWebhooks, Now: clock}, control.Parts{
		Store: db, Contracts: contracts, Subscriptions: g.index, Lanes: idle{}, Tester: idle{}, KeyMemory: keys,
		Tokens: g.tokens, Passwords: auth.NewPasswords(auth.PasswordOptions{MemoryKiB: 64, Passes: 1}),
		CheckURL: func(raw string, requireHTTPS bool) error {
			_, err := egress.CheckURL(raw, requireHTTPS, false)
			return err
		},
	})
	o := ewhsapi.Options{Logger: slog.New(slog.NewTextHandler(g.log, nil)), Now: clock}
	for _, option := range options {
		option(&o)
	}
	g.handler = ewhsapi.New(o, ewhsapi.Parts{Webhooks: g.control, Logins: g.control, Tokens: g.tokens, Keys: keys})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		g.mustHide("the log", g.log.String())
	})
	g.tenant(postrider.DefaultTenant)
	g.acme, g.rival = g.tenant("acme"), g.tenant("rival")
	g.operator = g.key(postrider.TenantID{}, postrider.RoleOperator, postrider.Production)
	g.admin = g.key(g.acme, postrider.RoleAdmin, postrider.Production)
	g.publisher = g.key(g.acme, postrider.RolePublisher, postrider.Production)
	g.viewer = g.key(g.acme, postrider.RoleViewer, postrider.Production)
	g.sandboxAdmin = g.key(g.acme, postrider.RoleAdmin, postrider.Sandbox)
	g.foreign = g.key(g.rival, postrider.RoleAdmin, postrider.Production)
	g.user()
	return g
}

// user makes the user of tenant "acme".
func (g *gateway) user() {
	g.t.Helper()
	_, err := g.control.CreateUser(context.Background(), auth.Principal{Role: postrider.RoleOperator}, control.UserRequest{
		Tenant: "acme", Login: userName, Password: postrider.NewSecret(password), Role: postrider.RoleAdmin,
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) tenant(name string) postrider.TenantID {
	g.t.Helper()
	tenant := &postrider.Tenant{ID: postrider.NewTenantID(time.Now()), Name: name, CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	if err := g.store.CreateTenant(context.Background(), tenant); err != nil {
		g.t.Fatal(err)
	}
	return tenant.ID
}

func (g *gateway) key(tenant postrider.TenantID, role postrider.Role, environment postrider.Environment) string {
	g.t.Helper()
	text, hash := auth.GenerateKey(environment)
	err := g.store.CreateKey(context.Background(), &postrider.Key{
		ID: postrider.NewKeyID(time.Now()), Tenant: tenant, Environment: environment, Role: role, Hash: hash,
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return text.Reveal()
}

// mustHide fails the test when a text shows a key, a password or a secret that was given to the gateway.
func (g *gateway) mustHide(where, text string) {
	g.t.Helper()
	for _, secret := range []string{canary, password, g.operator, g.admin, g.publisher, g.viewer, g.sandboxAdmin, g.foreign} {
		if secret != "" && strings.Contains(text, secret) {
			g.t.Errorf("%s shows the secret %s: %s", where, secret, text)
		}
	}
}

// reply is a raw answer.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// call makes a raw request. Pairs of header name and value may follow; the value "" removes one.
func (g *gateway) call(key, method, path, body string, headers ...string) reply {
	g.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return reply{g.t, w.Code, w.Header(), w.Body.String()}
}

// must fails the test when the status is another one.
func (r reply) must(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, not %d: %s", r.status, status, r.body)
	}
	if got := r.header.Get("Content-Type"); r.body != "" && got != "application/json" {
		r.t.Errorf("Content-Type %q", got)
	}
	return r
}

// said is what an answer can say: a webhook, an error of either shape, a session.
type said struct {
	ID, URL, Group, Action, Customer, Topic string
	HashSecret                              string `json:"hash_secret"`
	CreatedAt                               string `json:"created_at"`
	ModifiedAt                              string `json:"modified_at"`

	Code    int
	Message string
	Errors  map[string]any

	Token        string
	RefreshToken string `json:"refresh_token"`
	Iat, Exp     int64

	Count          int
	Next, Previous *string
	Results        []said
}

func (r reply) said() said {
	r.t.Helper()
	var out said
	decoder := json.NewDecoder(strings.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&out); err != nil {
		r.t.Fatalf("status %d: %q: %v", r.status, r.body, err)
	}
	return out
}

// register makes a webhook of tenant "acme" with the canary as its secret.
func (g *gateway) register(key, url, group, action string) said {
	g.t.Helper()
	return g.call(key, "POST", "/webhooks/", `{"url":"`+url+`","group":"`+group+`","action":"`+action+`","hash_secret":"`+canary+`"}`).must(201).said()
}

// receivers gives how many webhooks of the tenant get an event of the topic.
func (g *gateway) receivers(tenant postrider.TenantID, topic postrider.Topic) int {
	return len(g.index.Match(tenant, postrider.Production, topic).Subscribers)
}

// idle stands in the engine's place.
type idle struct{}

func (idle) EndpointChanged(*postrider.Endpoint) {}
func (idle) Wake(postrider.EndpointID)           {}
func (idle) Test(context.Context, *postrider.Endpoint, *postrider.Event) postrider.Attempt {
	return postrider.Attempt{}
}

var _ store.Store = (*sqlite.Store)(nil)

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
