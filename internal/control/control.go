package control

import (
	"context"
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// Store is what the verbs ask of a database.
type Store interface {
	store.Tenants
	store.Endpoints
	store.Keys
	store.Journal
	store.Replays
	store.Settings
	store.Users
	store.Audit
}

// Lanes is what the verbs ask of the delivery engine; deliver.Engine fulfils it.
type Lanes interface {
	// EndpointChanged tells of an endpoint as it now is: new, changed, or with DeletedAt set.
	EndpointChanged(*postrider.Endpoint)
	// Wake tells that an endpoint has a delivery due that the engine may not know of.
	Wake(postrider.EndpointID)
}

// Subscriptions is the index by which events find their endpoints; ingest.Index fulfils it.
type Subscriptions interface {
	// Put adds an endpoint or replaces what is known of it, in any state.
	Put(*postrider.Endpoint) error
	// Remove takes an endpoint out.
	Remove(*postrider.Endpoint)
}

// Tester sends one signed event to an endpoint at once and keeps nothing; deliver.Engine fulfils it.
type Tester interface {
	Test(ctx context.Context, endpoint *postrider.Endpoint, event *postrider.Event) postrider.Attempt
}

// KeyMemory forgets remembered keys; auth.Authenticator fulfils it.
type KeyMemory interface{ Forget() }

// Parts are the things a Control works with. All are needed.
type Parts struct {
	Store         Store
	Contracts     *contract.Set
	Subscriptions Subscriptions
	Lanes         Lanes
	Tester        Tester
	KeyMemory     KeyMemory
	Passwords     *auth.Passwords
	Tokens        *auth.Tokens
	Sealing       Sealing
	// CheckURL judges the URL of an endpoint at registration: scheme, host, and what the address
	// guard would refuse. Its error is fit for the user.
	CheckURL func(raw string, requireHTTPS bool) error
}

// Options shape a Control. Zero fields have the defaults named here.
type Options struct {
	MaxWebhooks int              // webhooks of one tenant: 10,000
	MaxKeys     int              // keys of one tenant: 1,000
	MaxUsers    int              // users of one tenant: 1,000
	MaxTests    int              // test requests at the same time, over all tenants: 16
	Now         func() time.Time // the clock: time.Now
}

// Control answers every management verb. It is safe for concurrent use.
type Control struct {
	parts   Parts
	options Options
	tests   chan struct{} // a place for each test request under way

	// changes makes changes of webhooks one at a time, so that subscriptions and lanes hear of them
	// in the order in which they were written. It is held over a write, but nothing on the way of an
	// event waits for it.
	changes  sync.Mutex
	webhooks map[postrider.TenantID]int // how many a tenant has, once counted

	names  tenantNames
	topics *topics

	settings sync.Mutex // held while an application's settings are looked at and changed

	throttle    *auth.Throttle
	userChanges sync.Mutex // makes changes of users' passwords one at a time
}

// New makes a Control.
func New(o Options, parts Parts) *Control {
	if o.MaxWebhooks <= 0 {
		o.MaxWebhooks = 10_000
	}
	if o.MaxKeys <= 0 {
		o.MaxKeys = 1000
	}
	if o.MaxUsers <= 0 {
		o.MaxUsers = 1000
	}
	if o.MaxTests <= 0 {
		o.MaxTests = 16
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Control{
		parts:    parts,
		options:  o,
		tests:    make(chan struct{}, o.MaxTests),
		webhooks: make(map[postrider.TenantID]int),
		names:    tenantNames{known: make(map[string]postrider.TenantID)},
		topics:   newTopics(),
		throttle: auth.NewThrottle(o.Now()),
	}
}

// now is the clock's time as everything is stored: UTC, whole milliseconds.
func (c *Control) now() time.Time { return c.options.Now().UTC().Truncate(time.Millisecond) }

// Tenant chooses the tenant of a call. named is a tenant's name or id, or "": then it is the
// principal's own tenant, and for an operator the default one. A tenant that is not there and a
// tenant of somebody else are the same CodeNotFound. It costs no query for a tenant met before.
func (c *Control) Tenant(ctx context.Context, p auth.Principal, named string) (postrider.TenantID, error) {
	if named == "" {
		if !p.Operator() {
			return p.Tenant, nil
		}
		named = postrider.DefaultTenant
	}
	id, err := c.lookUpTenant(ctx, named)
	if postrider.ErrorCode(err) == postrider.CodeNotFound || err == nil && !p.Operator() && id != p.Tenant {
		return postrider.TenantID{}, &postrider.Error{
			Code:    postrider.CodeNotFound,
			Message: "there is no tenant " + quote(named),
			Fields:  map[string]string{"tenant": "there is no tenant " + quote(named)},
		}
	}
	return id, err
}

// lookUpTenant finds a tenant by name or id. Tenants are neither renamed nor deleted, so what was
// found once stays true.
func (c *Control) lookUpTenant(ctx context.Context, named string) (postrider.TenantID, error) {
	if id, found := c.names.find(named); found {
		return id, nil
	}
	var tenant *postrider.Tenant
	id, err := postrider.ParseTenantID(named)
	if err == nil {
		tenant, err = c.parts.Store.FindTenant(ctx, id)
	} else {
		tenant, err = c.parts.Store.FindTenantByName(ctx, named)
	}
	if err != nil {
		return postrider.TenantID{}, err
	}
	c.names.add(named, tenant.ID)
	return tenant.ID, nil
}

// environments chooses what a list shows: the named environment, or without a name all that the
// principal reaches ("" when that is all there are).
func environments(p auth.Principal, named postrider.Environment) (postrider.Environment, error) {
	if named == "" && p.Reaches(postrider.Production) {
		return "", nil
	}
	return p.In(named)
}

// maxTenantNames bounds how many names of tenants are remembered.
const maxTenantNames = 10_000

// tenantNames remembers which tenant a name or an id in text form means.
type tenantNames struct {
	mu    sync.RWMutex
	known map[string]postrider.TenantID
}

func (n *tenantNames) find(name string) (postrider.TenantID, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	id, found := n.known[name]
	return id, found
}

func (n *tenantNames) add(name string, id postrider.TenantID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= maxTenantNames {
		clear(n.known)
	}
	n.known[name] = id
}

// page cuts the one element more that a list was asked for, and reports whether it was there.
func page[T any](items []T, limit int) ([]T, bool) {
	if len(items) > limit {
		return items[:limit], true
	}
	return items, false
}

// MaxPage bounds the elements of a page; a list asks the store for one more.
const MaxPage = 500

func pageLimit(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}

// notFound makes the answer for a thing that is not inside what the principal sees.
func notFound(p auth.Principal, kind, id string) error {
	if p.Operator() {
		return postrider.Errorf(postrider.CodeNotFound, "there is no %s %s in this tenant; an operator names another one with \"tenant\"", kind, quote(id))
	}
	return postrider.Errorf(postrider.CodeNotFound, "there is no %s %s", kind, quote(id))
}

// missing turns the store's "not found" into one that tells the user what was not found, and leaves
// other errors as they are.
func missing(err error, p auth.Principal, kind, id string) error {
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return notFound(p, kind, id)
	}
	return err
}

// quote shows what a caller sent, bounded.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	return "\"" + s + "\""
}
