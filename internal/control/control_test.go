package control_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

// house is a Control over a real store, with recorders where the rest of the process would be.
type house struct {
	*control.Control
	store  store.Store
	tenant postrider.TenantID
	admin  auth.Principal

	mu       sync.Mutex
	put      []*postrider.Endpoint
	removed  []*postrider.Endpoint
	changed  []*postrider.Endpoint
	woken    []postrider.EndpointID
	forgot   int
	putFault error
}

func (h *house) Put(e *postrider.Endpoint) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put = append(h.put, e)
	return h.putFault
}

func (h *house) Remove(e *postrider.Endpoint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removed = append(h.removed, e)
}

func (h *house) EndpointChanged(e *postrider.Endpoint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed = append(h.changed, e)
}

func (h *house) Wake(id postrider.EndpointID) { h.woken = append(h.woken, id) }
func (h *house) Forget()                      { h.forgot++ }
func (h *house) Test(context.Context, *postrider.Endpoint, *postrider.Event) postrider.Attempt {
	return postrider.Attempt{}
}

func newHouse(t *testing.T, o control.Options) *house {
	t.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	contracts, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{store: db}
	h.Control = control.New(o, control.Parts{Store: db, Contracts: contracts, Subscriptions: h, Lanes: h, Tester: h, KeyMemory: h,
		CheckURL: func(raw string, requireHTTPS bool) error {
			if !strings.HasPrefix(raw, "https://") && (requireHTTPS || !strings.HasPrefix(raw, "http://")) {
				return errors.New("use https")
			}
			return nil
		}})
	tenant := &postrider.Tenant{ID: postrider.NewTenantID(time.Now()), Name: "acme", CreatedAt: time.UnixMilli(1).UTC()}
	if err := db.CreateTenant(ctx, tenant); err != nil {
		t.Fatal(err)
	}
	h.tenant = tenant.ID
	h.admin = auth.Principal{Role: postrider.RoleAdmin, Tenant: tenant.ID, Environment: postrider.Production}
	return h
}

func (h *house) register(t *testing.T) *postrider.Endpoint {
	t.Helper()
	webhook, _, err := h.RegisterWebhook(context.Background(), h.admin, control.Registration{URL: "https://example.com", Topics: []postrider.Topic{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	return webhook
}

func TestATenantHasABoundedNumberOfWebhooksEvenWhenManyRegisterAtOnce(t *testing.T) {
	h := newHouse(t, control.Options{MaxWebhooks: 10})
	var wait sync.WaitGroup
	var mu sync.Mutex
	codes := map[postrider.Code]int{}
	for range 25 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			_, _, err := h.RegisterWebhook(context.Background(), h.admin, control.Registration{URL: "https://example.com", Topics: []postrider.Topic{"a"}})
			mu.Lock()
			defer mu.Unlock()
			codes[postrider.ErrorCode(err)]++
		}()
	}
	wait.Wait()
	if codes[""] != 10 || codes[postrider.CodeConflict] != 15 {
		t.Errorf("registered: %v", codes)
	}
	first := h.put[0]
	if _, err := h.DeleteWebhook(context.Background(), h.admin, "", first.ID); err != nil {
		t.Fatal(err)
	}
	h.register(t)
}

func TestChangesAreToldInTheOrderInWhichTheyWereWritten(t *testing.T) {
	h := newHouse(t, control.Options{})
	webhook := h.register(t)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			limit := i + 1
			if _, err := h.UpdateWebhook(context.Background(), h.admin, "", webhook.ID, control.Change{MaxInFlight: &limit}); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
	stored, err := h.store.FindEndpoint(context.Background(), h.tenant, webhook.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, told := range map[string][]*postrider.Endpoint{"subscriptions": h.put, "lanes": h.changed} {
		if last := told[len(told)-1]; len(told) != 21 || last.MaxInFlight != stored.MaxInFlight {
			t.Errorf("%s heard %d times, at last of limit %d; written is %d", name, len(told), last.MaxInFlight, stored.MaxInFlight)
		}
	}
}

func TestADeletedWebhookIsToldOnceAndNotFoundAfterwards(t *testing.T) {
	h := newHouse(t, control.Options{})
	ctx, webhook := context.Background(), h.register(t)
	gone, err := h.DeleteWebhook(ctx, h.admin, "", webhook.ID)
	if err != nil || !gone.Deleted() || len(h.removed) != 1 || !h.changed[len(h.changed)-1].Deleted() {
		t.Fatalf("%+v %v", gone, err)
	}
	verbs := map[string]func() error{
		"find":   func() error { _, err := h.FindWebhook(ctx, h.admin, "", webhook.ID); return err },
		"update": func() error { _, err := h.UpdateWebhook(ctx, h.admin, "", webhook.ID, control.Change{}); return err },
		"pause":  func() error { _, err := h.PauseWebhook(ctx, h.admin, "", webhook.ID); return err },
		"resume": func() error { _, err := h.ResumeWebhook(ctx, h.admin, "", webhook.ID); return err },
		"delete": func() error { _, err := h.DeleteWebhook(ctx, h.admin, "", webhook.ID); return err },
		"test":   func() error { _, err := h.TestWebhook(ctx, h.admin, "", webhook.ID, "a"); return err },
	}
	for name, verb := range verbs {
		if err := verb(); postrider.ErrorCode(err) != postrider.CodeNotFound {
			t.Errorf("%s gave %v", name, err)
		}
	}
	if err := h.RefreshWebhook(ctx, h.tenant, webhook.ID); err != nil || len(h.changed) != 2 {
		t.Errorf("refreshing a deleted webhook gave %v and told %d times", err, len(h.changed))
	}
}

func TestRulesAreJudgedOnWhatWouldStandAfterwards(t *testing.T) {
	h := newHouse(t, control.Options{})
	ctx, webhook := context.Background(), h.register(t) // with a generated secret of the generic contract
	change := func(c control.Change) error {
		_, err := h.UpdateWebhook(ctx, h.admin, "", webhook.ID, c)
		return err
	}
	for name, test := range map[string]struct {
		change control.Change
		field  string
	}{
		"a URL without https":                 {control.Change{URL: pointer("http://example.com")}, "url"},
		"a secret too short for the contract": {control.Change{Contract: pointer("xemelgo"), Secret: pointer(postrider.NewSecret("short"))}, "secret"},
		"a contract that is not there":        {control.Change{Contract: pointer("none")}, "contract"},
		"a state that is none":                {control.Change{State: pointer(postrider.EndpointState("on"))}, "status"},
		"too long a description":              {control.Change{Description: pointer(strings.Repeat("é", 501))}, "description"},
		"a rate that is no number":            {control.Change{RateLimit: pointer(nan())}, "rate_limit"},
	} {
		told, ok := errors.AsType[*postrider.Error](change(test.change))
		if !ok || told.Code != postrider.CodeInvalid || told.Fields[test.field] == "" {
			t.Errorf("%s gave %v", name, told)
		}
	}
	if err := change(control.Change{Contract: pointer("xemelgo"), Secret: pointer(postrider.NewSecret(strings.Repeat("s", 25)))}); err != nil {
		t.Errorf("a contract with a secret that suits it gave %v", err)
	}
	stored, err := h.store.FindEndpoint(ctx, h.tenant, webhook.ID)
	if err != nil || stored.Contract != "xemelgo" || len(stored.Secrets) != 1 || stored.Secrets[0].Reveal() != strings.Repeat("s", 25) {
		t.Errorf("written is %+v (%v)", stored, err)
	}
}

func TestAWebhookRegisteredUnderOtherRulesCanStillBePaused(t *testing.T) {
	h := newHouse(t, control.Options{})
	ctx, now := context.Background(), time.Now().UTC().Truncate(time.Millisecond)
	old := &postrider.Endpoint{ID: postrider.NewEndpointID(now), Tenant: h.tenant, Environment: postrider.Production, URL: "http://example.com",
		Topics: []postrider.Topic{"a"}, Contract: "generic", State: postrider.EndpointEnabled,
		Secrets: []postrider.Secret{postrider.NewSecret("x")}, CreatedAt: now, UpdatedAt: now}
	if err := h.store.CreateEndpoint(ctx, old); err != nil {
		t.Fatal(err)
	}
	if paused, err := h.PauseWebhook(ctx, h.admin, "", old.ID); err != nil || paused.State != postrider.EndpointPaused {
		t.Errorf("pausing gave %+v %v", paused, err)
	}
}

func TestForbiddenComesBeforeEverythingElse(t *testing.T) {
	h := newHouse(t, control.Options{})
	ctx := context.Background()
	viewer := auth.Principal{Role: postrider.RoleViewer, Tenant: h.tenant, Environment: postrider.Production}
	none := postrider.NewEndpointID(time.Now())
	for name, err := range map[string]error{
		"register": second(h.RegisterWebhook(ctx, viewer, control.Registration{Tenant: "nobody"})),
		"update":   first(h.UpdateWebhook(ctx, viewer, "nobody", none, control.Change{})),
		"delete":   first(h.DeleteWebhook(ctx, viewer, "nobody", none)),
		"tenant":   first(h.CreateTenant(ctx, viewer, "")),
		"key":      second(h.CreateKey(ctx, viewer, control.KeyRequest{})),
		"revoke":   h.RevokeKey(ctx, viewer, "nobody", postrider.KeyID{}),
	} {
		if postrider.ErrorCode(err) != postrider.CodeForbidden {
			t.Errorf("%s gave %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"webhooks": first(h.FindWebhook(ctx, auth.Principal{}, "", none)),
		"events":   first(h.FindEvent(ctx, auth.Principal{}, "", "", "x")),
		"nobody":   first(h.FindContract(ctx, auth.Principal{}, "generic")),
	} {
		if postrider.ErrorCode(err) != postrider.CodeUnauthenticated {
			t.Errorf("%s by nobody gave %v", name, err)
		}
	}
}

func TestKeysOfATenantAreBounded(t *testing.T) {
	h := newHouse(t, control.Options{MaxKeys: 3})
	ctx := context.Background()
	var last *postrider.Key
	for range 3 {
		key, _, err := h.CreateKey(ctx, h.admin, control.KeyRequest{Role: postrider.RoleViewer})
		if err != nil {
			t.Fatal(err)
		}
		last = key
	}
	if err := second(h.CreateKey(ctx, h.admin, control.KeyRequest{Role: postrider.RoleViewer})); postrider.ErrorCode(err) != postrider.CodeConflict {
		t.Errorf("a fourth key gave %v", err)
	}
	if err := h.RevokeKey(ctx, h.admin, "", last.ID); err != nil || h.forgot != 1 {
		t.Errorf("revoking gave %v; the memory of keys was emptied %d times", err, h.forgot)
	}
	if err := h.RevokeKey(ctx, h.admin, "", last.ID); postrider.ErrorCode(err) != postrider.CodeNotFound {
		t.Errorf("revoking again gave %v", err)
	}
}

func TestListsSayWhetherThereIsMore(t *testing.T) {
	h := newHouse(t, control.Options{})
	var all []postrider.EndpointID
	for range 5 {
		all = append(all, h.register(t).ID)
	}
	var walked []postrider.EndpointID
	filter := store.EndpointFilter{Limit: 2}
	for range 3 {
		some, more, err := h.Webhooks(context.Background(), h.admin, "", filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, webhook := range some {
			walked = append(walked, webhook.ID)
		}
		if more != (len(walked) < 5) {
			t.Errorf("after %d of 5, more is %v", len(walked), more)
		}
		filter.After = walked[len(walked)-1]
	}
	if !slices.Equal(all, walked) {
		t.Errorf("walked over %v, want %v", walked, all)
	}
}

func pointer[T any](value T) *T { return &value }

func first[T any](_ T, err error) error { return err }

func second[T, U any](_ T, _ U, err error) error { return err }

func nan() float64 {
	zero := 0.0
	return zero / zero
}
