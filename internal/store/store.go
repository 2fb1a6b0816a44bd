// Package store says what Postrider asks of a database, as roles of a few methods each. A method is
// one transaction with a business meaning; nothing of SQL or of a driver shows here.
//
// Two packages below this one fulfil it: sqlite (embedded, the default) and, later, postgres.
// storetest is the conformance suite that each of them passes, and the specification of every
// sentence below. To begin reading: Inbox is what accepting an event needs, Queue is what
// delivering it needs, Journal is what explaining it needs.
//
// All times are UTC and hold whole milliseconds. Every method returns errors of
// postrider.Error: CodeNotFound, CodeConflict, CodeUnavailable (closed, or cannot be reached),
// CodeStorageFull (the disk is full; nothing was written) and CodeInternal for the rest.
package store

import (
	"context"
	"time"

	"github.com/postrider/postrider"
)

// Store is everything a database does for Postrider.
type Store interface {
	Inbox
	Queue
	Journal
	Replays
	Tenants
	Endpoints
	Keys
	Users
	Tokens
	Settings
	Audit
	Vault

	// Ping reports whether the store can be written to.
	Ping(ctx context.Context) error
	// Close ends all work and releases the database. Calls under way finish first.
	Close() error
}

// Inbox accepts events.
type Inbox interface {
	// Accept writes a batch of events with their deliveries in one transaction and returns after
	// the commit is durable. answers[i] is for batch[i]. It sets Sequence of every event that it
	// wrote. On error nothing of the batch was written.
	//
	// An event with a GivenID or an IdempotencyKey that its tenant and environment already used is
	// not written again: the answer is that of the first (Duplicate) when the Fingerprint is the
	// same, and a Conflict when it is not. This holds within a batch too.
	Accept(ctx context.Context, batch []*Acceptance) (answers []Accepted, err error)
}

// Acceptance is an event to be written with what is owed for it.
type Acceptance struct {
	Event          *postrider.Event
	Deliveries     []Owed
	IdempotencyKey string   // "" for none; a GivenID is a key of its own kind beside it
	Fingerprint    [32]byte // of all the publisher said; compared when a key is met again
}

// Owed is a delivery to be made: its number in the event is its place in Acceptance.Deliveries, from 1.
type Owed struct {
	Endpoint postrider.EndpointID
	DueAt    time.Time
}

// Accepted answers one Acceptance.
type Accepted struct {
	EventID    postrider.EventID // of the first event, when Duplicate or Conflict
	GivenID    string
	Topic      postrider.Topic
	Deliveries int  // how many the event had when it was accepted
	Duplicate  bool // the same was accepted before; nothing was written
	Conflict   bool // the key was used before for something else; nothing was written
}

// Queue delivers events. Its methods are not bound to one tenant: the engine serves them all.
type Queue interface {
	// Lanes gives every endpoint that has pending deliveries, deleted endpoints included, with the
	// earliest due time. Its cost grows with the endpoints, not with the deliveries.
	Lanes(ctx context.Context) ([]Lane, error)

	// Due gives the endpoint's pending deliveries that are due at now, by (due, sequence, number), at
	// most limit of them, with their events; and when the first pending one that it does not give is due.
	Due(ctx context.Context, endpoint postrider.EndpointID, now time.Time, limit int) (Refill, error)

	// Settle writes what became of attempts, in one transaction. Settling the same attempt twice
	// writes it once, so that a caller unsure of a commit can repeat the call. A delivery that is
	// no longer pending keeps its state; the attempt is added all the same. The call may wait a few
	// milliseconds for other writes to share their transaction.
	Settle(ctx context.Context, batch []Settlement) error

	// CancelPending cancels up to limit pending deliveries of an endpoint with the reason and
	// reports how many there were; fewer than limit means that none is left.
	CancelPending(ctx context.Context, endpoint postrider.EndpointID, reason postrider.ReasonCode, now time.Time, limit int) (int, error)

	// LaneEndpoint gives an endpoint of any tenant, a deleted one too.
	LaneEndpoint(ctx context.Context, id postrider.EndpointID) (*postrider.Endpoint, error)
}

// Lane summarizes the pending deliveries of one endpoint.
type Lane struct {
	Endpoint postrider.EndpointID
	Earliest time.Time // when the first is due
}

// Refill is what Due found.
type Refill struct {
	Jobs []Job
	Next time.Time // due time of the first pending delivery not among Jobs; zero when there is none
}

// Job is a delivery with its event. Deliveries of one event may share it.
type Job struct {
	Delivery postrider.Delivery
	Event    *postrider.Event
}

// Settlement is what became of one attempt.
type Settlement struct {
	Delivery postrider.DeliveryID
	Sequence int64 // of the event
	Tenant   postrider.TenantID
	Endpoint postrider.EndpointID

	Attempt *postrider.Attempt // nil when the delivery ends without one
	State   postrider.DeliveryState
	Reason  postrider.ReasonCode
	DueAt   time.Time // of the next attempt, when State is pending
	EndedAt time.Time // when State is final

	// Disable, when not empty, disables the endpoint for this reason in the same transaction,
	// unless it is disabled already.
	Disable postrider.DisabledReason
}

// Journal tells what became of events.
type Journal interface {
	// FindEvent gives an event by the id its publisher knows it by: its own text form or the GivenID.
	// environment is only needed for a GivenID; "" looks in production first, then in sandbox.
	FindEvent(ctx context.Context, tenant postrider.TenantID, environment postrider.Environment, publicID string) (*postrider.Event, error)
	// Events lists events, the newest first.
	Events(ctx context.Context, tenant postrider.TenantID, filter EventFilter) ([]*postrider.Event, error)
	// EventDeliveries lists all deliveries of an event, by number.
	EventDeliveries(ctx context.Context, tenant postrider.TenantID, event postrider.EventID) ([]postrider.Delivery, error)
	// FindDelivery gives a delivery.
	FindDelivery(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID) (*postrider.Delivery, error)
	// Deliveries lists deliveries, the newest event's first.
	Deliveries(ctx context.Context, tenant postrider.TenantID, filter DeliveryFilter) ([]postrider.Delivery, error)
	// Attempts lists the attempts of a delivery, by number.
	Attempts(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID) ([]postrider.Attempt, error)
	// RetryDelivery makes a pending, failed or cancelled delivery due at now. CodeConflict when it
	// has succeeded, or when its endpoint is deleted or disabled.
	RetryDelivery(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID, now time.Time) (*postrider.Delivery, error)
}

// EventFilter chooses events. Zero fields do not restrict.
type EventFilter struct {
	Environment postrider.Environment
	Topic       postrider.Topic // exact
	From, To    time.Time       // accepted at or after From, before To
	Before      int64           // only events of a lower sequence: the cursor
	Limit       int             // 1 to 1,000
	WithData    bool            // fill Data and Previous, which are costly to read
}

// DeliveryFilter chooses deliveries. Zero fields do not restrict.
type DeliveryFilter struct {
	Environment  postrider.Environment
	Endpoint     postrider.EndpointID
	State        postrider.DeliveryState
	Topic        postrider.Topic
	From, To     time.Time // of an event accepted at or after From, before To
	Before       int64     // only deliveries of (sequence, number) below (Before, BeforeNumber): the cursor
	BeforeNumber int
	Limit        int // 1 to 1,000
}

// Tenants keeps tenants.
type Tenants interface {
	// CreateTenant adds a tenant. CodeConflict when the name is taken.
	CreateTenant(ctx context.Context, tenant *postrider.Tenant) error
	FindTenant(ctx context.Context, id postrider.TenantID) (*postrider.Tenant, error)
	FindTenantByName(ctx context.Context, name string) (*postrider.Tenant, error)
	// Tenants lists tenants by id, those after the given one, at most limit.
	Tenants(ctx context.Context, after postrider.TenantID, limit int) ([]postrider.Tenant, error)
}

// Endpoints keeps endpoints. A deleted endpoint is not found by any method here; its row stays, so that
// its deliveries can be explained.
type Endpoints interface {
	CreateEndpoint(ctx context.Context, endpoint *postrider.Endpoint) error
	FindEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID) (*postrider.Endpoint, error)
	// Endpoints lists a tenant's endpoints, the oldest first (001.14).
	Endpoints(ctx context.Context, tenant postrider.TenantID, filter EndpointFilter) ([]*postrider.Endpoint, error)
	// EachEndpoint calls visit with every endpoint of every tenant, until visit fails.
	EachEndpoint(ctx context.Context, visit func(*postrider.Endpoint) error) error
	// UpdateEndpoint changes what the patch names and gives the endpoint as it is then.
	UpdateEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID, patch EndpointPatch, now time.Time) (*postrider.Endpoint, error)
	// DeleteEndpoint unregisters an endpoint and gives it as it was, with DeletedAt set. Its pending
	// deliveries are cancelled by Queue.CancelPending afterwards.
	DeleteEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID, now time.Time) (*postrider.Endpoint, error)
}

// EndpointFilter chooses endpoints. Zero fields do not restrict.
type EndpointFilter struct {
	Environment postrider.Environment
	Contract    string
	After       postrider.EndpointID // the cursor
	Limit       int                  // 1 to 1,000
}

// EndpointPatch changes an endpoint. Nil fields stay.
type EndpointPatch struct {
	URL            *string
	Topics         *[]postrider.Topic
	Contract       *string
	Description    *string
	State          *postrider.EndpointState
	DisabledReason *postrider.DisabledReason // used when State is disabled
	Secrets        *[]postrider.Secret
	MaxInFlight    *int
	RateLimit      *float64
	RateBurst      *int
	Rotation       **postrider.SecretRotation // pointing to nil ends the rotation that is under way
	Auth           *postrider.EndpointAuth    // replaces all of it; the zero value asks for nothing
}

// Keys keeps bearer keys, by the hash of their text.
type Keys interface {
	// CreateKey adds a key. CodeConflict when the hash is there already.
	CreateKey(ctx context.Context, key *postrider.Key) error
	// FindKey gives the key with this hash.
	FindKey(ctx context.Context, hash [32]byte) (*postrider.Key, error)
	// Keys lists a tenant's keys, or with the zero tenant the operator's, by id.
	Keys(ctx context.Context, tenant postrider.TenantID) ([]postrider.Key, error)
	// DeleteKey revokes a key.
	DeleteKey(ctx context.Context, tenant postrider.TenantID, id postrider.KeyID) error
	// TouchKeys notes when keys were last used, many in one transaction. A time before the one that is
	// known changes nothing, and a key that is gone is passed over.
	TouchKeys(ctx context.Context, uses []KeyUse) error
}

// KeyUse says that a key was used.
type KeyUse struct {
	Key postrider.KeyID
	At  time.Time
}
