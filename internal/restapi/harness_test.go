package restapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/restapi"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

// gateway is the whole of Postrider behind the REST interface, with the real store and ingester; in
// the engine's place stands a recorder.
type gateway struct {
	t       testing.TB
	store   store.Store
	control *control.Control
	handler *restapi.Handler
	url     string
	log     *lockedBuffer
	engine  *recorder
	keys    *auth.Authenticator
	tokens  *auth.Tokens
	users   int // made by things

	allowPrivate bool             // URLs of private addresses are taken
	now          func() time.Time // the clock of what is managed; nil: time.Now

	operator, admin, publisher, viewer string // keys; the last three of tenant "acme", production
	sandboxAdmin                       string // of tenant "acme", sandbox
	foreign                            string // admin key of tenant "rival"
	acme, rival                        postrider.TenantID
}

// sealed stands in for the keys that seal stored secrets.
type sealed struct{}

func (sealed) State(context.Context) (control.SealingState, error) {
	return control.SealingState{Key: "20260314-01020304", Outdated: 7}, nil
}

func (s sealed) Rotate(ctx context.Context) (control.SealingState, error) { return s.State(ctx) }

func newGateway(t testing.TB, options ...func(*restapi.Options, *restapi.Parts)) *gateway {
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
	g := &gateway{t: t, store: db, log: &lockedBuffer{}, engine: &recorder{}}
	index := ingest.NewIndex(contracts)
	ingester := ingest.New(ingest.Options{Inbox: db, Index: index, Offer: g.engine.offer})
	if g.tokens, err = auth.NewTokens(ctx, auth.TokenOptions{}, db); err != nil {
		t.Fatal(err)
	}
	g.keys = auth.New(auth.Options{Tokens: g.tokens}, db)
	g.control = control.New(control.Options{MaxWebhooks: 200, Now: g.clock}, control.Parts{
		Store: db, Contracts: contracts, Subscriptions: index, Lanes: g.engine, Tester: g.engine, KeyMemory: g.keys,
		Passwords: auth.NewPasswords(auth.PasswordOptions{MemoryKiB: 64, Passes: 1}), Tokens: g.tokens, Sealing: sealed{},
		CheckURL: func(raw string, requireHTTPS bool) error {
			_, err := egress.CheckURL(raw, requireHTTPS, g.allowPrivate)
			return err
		},
	})
	parts := restapi.Parts{Control: g.control, Publisher: ingester, Authenticator: g.keys, Ready: db.Ping}
	o := restapi.Options{Version: "1.2.3", Logger: slog.New(slog.NewTextHandler(g.log, nil))}
	for _, option := range options {
		option(&o, &parts)
	}
	if g.handler, err = restapi.New(o, parts); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g.handler)
	g.url = server.URL
	t.Cleanup(func() {
		server.Close()
		ingester.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	g.tenant(postrider.DefaultTenant)
	g.acme, g.rival = g.tenant("acme"), g.tenant("rival")
	g.operator = g.key(postrider.TenantID{}, postrider.RoleOperator, postrider.Production)
	g.admin = g.key(g.acme, postrider.RoleAdmin, postrider.Production)
	g.publisher = g.key(g.acme, postrider.RolePublisher, postrider.Production)
	g.viewer = g.key(g.acme, postrider.RoleViewer, postrider.Production)
	g.sandboxAdmin = g.key(g.acme, postrider.RoleAdmin, postrider.Sandbox)
	g.foreign = g.key(g.rival, postrider.RoleAdmin, postrider.Production)
	t.Cleanup(func() { g.mustHide("the log", g.log.String()) })
	return g
}

func (g *gateway) clock() time.Time {
	if g.now != nil {
		return g.now()
	}
	return time.Now()
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

func (g *gateway) as(key string, options ...client.Option) *client.Client {
	g.t.Helper()
	c, err := client.New(g.url, key, options...)
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

// canary is a signing secret that tests register webhooks with.
const canary = "canary-secret-that-nobody-may-show"

// canaryPassword is the password that tests give users.
const canaryPassword = "canary-password-7-nobody-may-show"

// mustHide fails the test when a text shows a key or a secret that was given to the gateway.
func (g *gateway) mustHide(where, text string) {
	g.t.Helper()
	for _, secret := range []string{canary, canaryPassword, g.operator, g.admin, g.publisher, g.viewer, g.sandboxAdmin, g.foreign} {
		if secret != "" && strings.Contains(text, secret) {
			g.t.Errorf("%s shows the secret %s: %s", where, secret, text)
		}
	}
}

// reply is a raw answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// call makes a raw request, as no client of ours would. Pairs of header name and value may follow.
func (g *gateway) call(key, method, path, body string, headers ...string) reply {
	g.t.Helper()
	request, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			request.Header.Del(headers[i])
		}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mustHide("the answer to "+method+" "+path, string(text))
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// told reads the error of a reply.
func (r reply) told(t testing.TB) (code, message string, fields map[string]string) {
	t.Helper()
	var body struct {
		Error *struct {
			Code, Message string
			Fields        map[string]string
		}
	}
	decoder := json.NewDecoder(strings.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil || body.Error == nil || body.Error.Code == "" || body.Error.Message == "" {
		t.Fatalf("status %d: not an error in our shape: %q (%v)", r.status, r.body, err)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("an error has Content-Type %q", got)
	}
	return body.Error.Code, body.Error.Message, body.Error.Fields
}

// recorder stands in the engine's place.
type recorder struct {
	mu      sync.Mutex
	jobs    []store.Job
	changed []*postrider.Endpoint
	woken   []postrider.EndpointID
	tested  []*postrider.Event
	attempt postrider.Attempt
	block   chan struct{}  // when not nil, Test waits for it
	real    control.Tester // when not nil, it sends tests
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

func (r *recorder) Wake(id postrider.EndpointID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.woken = append(r.woken, id)
}

func (r *recorder) Test(ctx context.Context, endpoint *postrider.Endpoint, event *postrider.Event) postrider.Attempt {
	if r.real != nil {
		return r.real.Test(ctx, endpoint, event)
	}
	r.mu.Lock()
	block := r.block
	r.tested = append(r.tested, event)
	attempt := r.attempt
	r.mu.Unlock()
	if block != nil {
		<-block
	}
	return attempt
}

func (r *recorder) lastChanged() *postrider.Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.changed) == 0 {
		return nil
	}
	return r.changed[len(r.changed)-1]
}

func (r *recorder) lastJob() *store.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.jobs) == 0 {
		return nil
	}
	return &r.jobs[len(r.jobs)-1]
}

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

func pointer[T any](value T) *T { return &value }

// over sends a client's requests through a transport.
func over(transport http.RoundTripper) client.Option {
	return client.WithHTTPClient(&http.Client{Transport: transport})
}

func ofTenant(name string) client.Option { return client.WithTenant(name) }

func webhookPage(limit int) client.WebhookFilter {
	return client.WebhookFilter{Page: client.Page{Limit: limit}}
}

func eventPage(limit int) client.EventFilter {
	return client.EventFilter{Page: client.Page{Limit: limit}}
}

func deliveryPage(limit int) client.DeliveryFilter {
	return client.DeliveryFilter{Page: client.Page{Limit: limit}}
}

// attemptOf is an attempt that ended so.
func attemptOf(kind postrider.OutcomeKind) postrider.Attempt {
	return postrider.Attempt{
		Number: 1, Trigger: postrider.TriggerSchedule, StartedAt: time.Now().UTC().Truncate(time.Millisecond), Duration: 3 * time.Millisecond,
		Outcome:  postrider.Outcome{Kind: kind, Code: postrider.OutcomeHTTPStatus, Detail: "503 Service Unavailable"},
		Request:  postrider.RequestHead{URL: "https://example.com", Header: []postrider.HeaderField{{Name: "Content-Type", Value: "application/json"}}},
		Response: postrider.Response{Status: 503, Body: []byte("no \xff")},
	}
}

// settle writes a failed attempt of a delivery, which ends it.
func (g *gateway) settle(id string) {
	g.t.Helper()
	delivery, err := postrider.ParseDeliveryID(id)
	if err != nil {
		g.t.Fatal(err)
	}
	found, err := g.store.FindDelivery(context.Background(), g.acme, delivery)
	if err != nil {
		g.t.Fatal(err)
	}
	attempt := attemptOf(postrider.OutcomeRetryable)
	attempt.Delivery = delivery
	err = g.store.Settle(context.Background(), []store.Settlement{{
		Delivery: delivery, Sequence: found.Sequence, Tenant: found.Tenant, Endpoint: found.Endpoint, Attempt: &attempt,
		State: postrider.DeliveryFailed, Reason: postrider.ReasonCode(postrider.OutcomeHTTPStatus), EndedAt: time.Now().UTC().Truncate(time.Millisecond),
	}})
	if err != nil {
		g.t.Fatal(err)
	}
}
