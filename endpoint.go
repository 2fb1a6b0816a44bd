package postrider

import "time"

// Endpoint is where a tenant's events go and how: a "webhook" or "subscription" on the wire.
type Endpoint struct {
	ID          EndpointID
	Tenant      TenantID
	Environment Environment
	URL         string
	Topics      []Topic // patterns, see Topic.Matches
	Contract    string  // name of the contract that shapes and signs its requests
	Description string

	State          EndpointState
	DisabledReason DisabledReason // set when State is disabled
	DisabledAt     time.Time

	// Secrets are the signing secrets in force, the newest first. More than one while a rotation overlaps.
	Secrets  []Secret
	Rotation *SecretRotation // nil while no rotation is under way
	Auth     EndpointAuth

	MaxInFlight int     // requests at the same time; 0: the engine's default
	RateLimit   float64 // requests a second; 0: none
	RateBurst   int     // requests that may go at once under RateLimit; 0: one second's worth

	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt time.Time // zero while it is registered
}

// EndpointState says whether an endpoint gets events.
type EndpointState string

// The states. A paused endpoint's deliveries are made and wait; a disabled one gets none, and those
// it still had wait until it is enabled again.
const (
	EndpointEnabled  EndpointState = "enabled"
	EndpointPaused   EndpointState = "paused"
	EndpointDisabled EndpointState = "disabled"
)

// DisabledReason is a closed list of words for why an endpoint was disabled.
type DisabledReason string

// The reasons.
const (
	DisabledByUser      DisabledReason = "by_user"           // somebody asked for it
	DisabledByExhausted DisabledReason = "retries_exhausted" // a delivery used up its schedule (004.15)
	DisabledByGone      DisabledReason = "gone"              // the receiver answered 410
)

// Deleted reports whether the endpoint was unregistered.
func (e *Endpoint) Deleted() bool { return !e.DeletedAt.IsZero() }

// Subscribes reports whether the endpoint wants events of this topic.
func (e *Endpoint) Subscribes(topic Topic) bool {
	for _, pattern := range e.Topics {
		if pattern.Matches(topic) {
			return true
		}
	}
	return false
}
