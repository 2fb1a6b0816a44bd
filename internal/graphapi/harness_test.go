package graphapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
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
	"github.com/postrider/postrider/internal/graphapi"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

// gateway is the login and the GraphQL API over the real control and store; in the engine's place
// stands a recorder. Its clock stands still until a test moves it.
type gateway struct {
	t       testing.TB
	store   store.Store
	control *control.Control
	tokens  *auth.Tokens
	handler *graphapi.Handler
	events  *ingest.Ingester
	engine  *recorder
	log     *lockedBuffer
	clock   *clock
	tenants map[string]postrider.TenantID
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// began is when the seed's first webhook was made: 1704067200000 (001.10).
var began = time.UnixMilli(1704067200000).UTC()

// The password of every user here, and the secret of the webhooks. No answer and no log may show them.
const (
	password = "correct horse 4 battery"
	canary   = "canary-secret-that-nobody-may-show"
)

func newGateway(t testing.TB) *gateway {
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
	g := &gateway{t: t, store: db, engine: &recorder{}, log: &lockedBuffer{}, clock: &clock{now: began}, tenants: map[string]postrider.TenantID{}}
	if g.tokens, err = auth.NewTokens(ctx, auth.TokenOptions{Now: g.clock.Now}, db); err != nil {
		t.Fatal(err)
	}
	index := ingest.NewIndex(contracts)
	g.events = ingest.New(ingest.Options{Inbox: db, Index: index, Offer: g.engine.offer})
	g.control = control.New(control.Options{MaxWebhooks: 200, Now: g.clock.Now}, control.Parts{
		Store: db, Contracts: contracts, Subscriptions: index, Lanes: g.engine, Tester: g.engine,
		KeyMemory: auth.New(auth.Options{}, db), Tokens: g.tokens,
		Passwords: auth.NewPasswords(auth.PasswordOptions{MemoryKiB: 64, Passes: 1}),
		CheckURL: func(raw string, requireHTTPS bool) error {
			_, err := egress.CheckURL(raw, requireHTTPS, false)
			return err
		},
	})
	g.handler = graphapi.New(
		graphapi.Options{Logger: slog.New(slog.NewTextHandler(g.log, nil)), Now: g.clock.Now},
		graphapi.Parts{Webhooks: g.control, Logins: g.control, Tokens: g.tokens})
	t.Cleanup(func() {
		g.events.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		g.mustHide("the log", g.log.String())
	})
	for _, name := range []string{postrider.DefaultTenant, "acme", "rival"} {
		tenant := &postrider.Tenant{ID: postrider.NewTenantID(began), Name: name, CreatedAt: began}
		if err := db.CreateTenant(ctx, tenant); err != nil {
			t.Fatal(err)
		}
		g.tenants[name] = tenant.ID
	}
	return g
}

// operator is who makes the users of tests.
var operator = auth.Principal{Role: postrider.RoleOperator, Environment: postrider.Production}

// user makes a user and logs in; the ID token comes back.
func (g *gateway) user(tenant, login string, role postrider.Role) string {
	g.t.Helper()
	request := control.UserRequest{Tenant: tenant, Login: login, Password: postrider.NewSecret(password), Role: role}
	if _, err := g.control.CreateUser(context.Background(), operator, request); err != nil {
		g.t.Fatal(err)
	}
	return g.login(login, password)["IdToken"].(string)
}

// login logs in as seed 001 says.
func (g *gateway) login(name, password string) map[string]any {
	g.t.Helper()
	answer := g.send("POST", "/login", loginBody(name, password))
	if answer.status != http.StatusOK {
		g.t.Fatalf("login: %d %s", answer.status, answer.body)
	}
	var session map[string]any
	if err := json.Unmarshal([]byte(answer.body), &session); err != nil {
		g.t.Fatal(err)
	}
	return session
}

func loginBody(name, password string) string {
	encode := base64.StdEncoding.EncodeToString
	return `{"email":"` + encode([]byte(name)) + `","password":"` + encode([]byte(password)) + `"}`
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// send makes a request. Pairs of header name and value may follow.
func (g *gateway) send(method, path, body string, headers ...string) reply {
	g.t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	g.handler.ServeHTTP(recorder, request)
	g.mustHide("the answer to "+method+" "+path, recorder.Body.String())
	return reply{recorder.Code, recorder.Header(), recorder.Body.String()}
}

// query sends a document, with variables when they are not nil, and gives the body of the answer.
func (g *gateway) query(token, document string, variables any) string {
	g.t.Helper()
	asked := map[string]any{"query": document}
	if variables != nil {
		asked["variables"] = variables
	}
	body, err := json.Marshal(asked)
	if err != nil {
		g.t.Fatal(err)
	}
	answer := g.send("POST", "/graphql", string(body), "Authorization", token)
	if answer.status != http.StatusOK {
		g.t.Fatalf("%s: status %d: %s", document, answer.status, answer.body)
	}
	return answer.body
}

// register registers a webhook and gives its id.
func (g *gateway) register(token, endpoint string) string {
	g.t.Helper()
	body := g.query(token, `mutation($i: RegisterWebhookInput!) { registerWebhook(input: $i) { webhook { id } } }`,
		map[string]any{"i": map[string]any{"topics": []string{"inventory.cycle_count"}, "secret": canary, "endpoint": endpoint}})
	var answer struct {
		Data struct {
			RegisterWebhook *struct{ Webhook struct{ ID string } }
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Data.RegisterWebhook == nil {
		g.t.Fatalf("register: %s (%v)", body, err)
	}
	return answer.Data.RegisterWebhook.Webhook.ID
}

// publish publishes an event.
func (g *gateway) publish(tenant string, topic postrider.Topic) {
	g.t.Helper()
	_, err := g.events.Publish(context.Background(), &ingest.Publication{
		Tenant: g.tenants[tenant], Environment: postrider.Production, Topic: topic, Data: []byte(`{"n":1}`),
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// mustHide fails the test when a text shows a password or a signing secret.
func (g *gateway) mustHide(where, text string) {
	g.t.Helper()
	for _, secret := range []string{password, canary} {
		if strings.Contains(text, secret) {
			g.t.Errorf("%s shows the secret %s: %s", where, secret, text)
		}
	}
}

// equal compares an answer with what it has to be, to the byte.
func equal(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s\n got %s\nwant %s", what, got, want)
	}
}

// recorder stands in the engine's place.
type recorder struct {
	mu      sync.Mutex
	jobs    []store.Job
	changed []*postrider.Endpoint
	tested  []*postrider.Event
}

func (r *recorder) offer(jobs []store.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, jobs...)
}

func (r *recorder) EndpointChanged(endpoint *postrider.Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = append(r.changed, endpoint)
}

func (r *recorder) Wake(postrider.EndpointID) {}

func (r *recorder) Test(_ context.Context, _ *postrider.Endpoint, event *postrider.Event) postrider.Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tested = append(r.tested, event)
	return postrider.Attempt{
		Duration: 42 * time.Millisecond,
		Outcome:  postrider.Outcome{Kind: postrider.OutcomeSuccess, Code: postrider.OutcomeDelivered, Detail: "the endpoint answered 200"},
		Response: postrider.Response{Status: http.StatusOK},
	}
}

// endpoint gives what the engine last heard of the one with this URL.
func (r *recorder) endpoint(url string) *postrider.Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last *postrider.Endpoint
	for _, e := range r.changed {
		if e.URL == url {
			last = e
		}
	}
	return last
}

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
