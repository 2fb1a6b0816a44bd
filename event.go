package postrider

import "time"

// Event is what was published, once. It never changes.
type Event struct {
	ID          EventID
	Sequence    int64  // the store's position of the event: grows in the order of acceptance
	GivenID     string // the id the publisher gave, "" when it gave none
	Tenant      TenantID
	Environment Environment
	Topic       Topic
	OccurredAt  time.Time // UTC, to the millisecond; when the publisher says it happened
	AcceptedAt  time.Time // UTC, to the millisecond
	Data        []byte    // JSON, byte for byte as it was published
	Previous    []byte    // JSON of the values before an update, as published; nil when none were given

	// Reasons says why endpoints that could have had the event did not get it. An event without
	// deliveries has at least one.
	Reasons []Reason
}

// PublicID is the id that receivers and publishers see: the one the publisher gave, else ID's text.
func (e *Event) PublicID() string {
	if e.GivenID != "" {
		return e.GivenID
	}
	return e.ID.String()
}

// MaxGivenIDLength bounds an event id given by a publisher, in bytes.
const MaxGivenIDLength = 128

// ValidateGivenID reports whether a publisher's own event id can be taken: 1 to 128 letters,
// digits, "_", "-" and ":". A full stop is refused because Standard Webhooks signs
// "id.timestamp.body". The error is of CodeInvalid.
func ValidateGivenID(id string) error {
	if id == "" || len(id) > MaxGivenIDLength {
		return Errorf(CodeInvalid, "an event id has 1 to %d characters", MaxGivenIDLength)
	}
	for i := range len(id) {
		if c := id[i]; !isTopicByte(c) && c != ':' {
			return Errorf(CodeInvalid, "an event id is made of letters, digits, \"_\", \"-\" and \":\"; character %d is %q", i+1, c)
		}
	}
	return nil
}

// Reason says why an endpoint did not get an event, or, with a zero Endpoint, why none did.
type Reason struct {
	Endpoint EndpointID
	Code     ReasonCode
}

// ReasonCode is a closed list of words for why something was not delivered.
type ReasonCode string

// Why an accepted event has no delivery.
const (
	ReasonNoSubscriber     ReasonCode = "no_subscriber"     // no endpoint of the tenant's environment takes this topic
	ReasonEndpointDisabled ReasonCode = "endpoint_disabled" // the endpoint takes the topic but is disabled
)

// Why a delivery was cancelled.
const (
	ReasonEndpointDeleted ReasonCode = "endpoint_deleted" // unregistered while the delivery waited (001.11)
)
