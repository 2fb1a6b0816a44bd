package contract

import (
	"time"

	"github.com/postrider/postrider/signature"
)

// Document is a contract as it was written, checked and with every default filled in. It is what a
// page or a command shows; the engine asks the Contract. docs/contracts.md is the manual.
type Document struct {
	Name    string // 1 to 64 of a-z, 0-9, "-" and "_"
	Summary string // one line for lists

	Secret     SecretRule
	Body       Body
	Headers    []Header
	Signatures []signature.Scheme
	Limits     Limits
	Status     StatusRules
	Retry      Retry
	Dispatch   Dispatch
	HTTPS      HTTPS
}

// SecretRule says what a signing secret must be and where it comes from. It is all zero in a
// contract without signatures.
type SecretRule struct {
	SuppliedByTenant bool // the tenant must give it; else one is generated when it gives none
	MinLength        int  // code points
	MaxLength        int  // code points
	MinKeyBytes      int  // of the decoded key, for key form whsec; 0: not checked
	MaxKeyBytes      int  // 0: not checked
	Generated        Generated
}

// Generated says how a secret is made: Bytes random bytes in Encoding, after Prefix.
type Generated struct {
	Bytes    int
	Prefix   string
	Encoding signature.Encoding
}

// Form says what happens to the published JSON on its way into the body.
type Form string

// The forms.
const (
	FormVerbatim   Form = "verbatim"   // byte for byte as published
	FormECMAScript Form = "ecmascript" // the fixed point of JSON.stringify(JSON.parse(x)), see AppendECMAScript
)

// Body is the shape of what is sent: a JSON object of Fields, in their order, or with no Fields
// the published data alone.
type Body struct {
	Form   Form
	Fields []Field
}

// Field is one member of the envelope.
type Field struct {
	Name  string
	Value Source
}

// Header is one header line: its value is Literal, or what Source names when that is set.
type Header struct {
	Name    string
	Literal string
	Source  Source
}

// Source names a value that is known when a request is made.
type Source string

// The sources. Those of the event are the same in every attempt; the attempt's timestamp is not.
const (
	SourceID              Source = "event.id"                     // the publisher's id, else "evt_…"
	SourceUUID            Source = "event.id.uuid"                // the publisher's id if it is a UUID, else the event's own UUIDv7
	SourceTopic           Source = "event.topic"                  // "order.created"
	SourceEnvironment     Source = "event.environment"            // "production" or "sandbox"
	SourceOccurredMS      Source = "event.occurred_at.ms"         // milliseconds since 1970; a number in a body
	SourceOccurredSeconds Source = "event.occurred_at.seconds"    // whole seconds since 1970; a number in a body
	SourceOccurred        Source = "event.occurred_at.rfc3339"    // "2025-02-18T10:30:00Z": UTC, whole seconds, rounded down
	SourceOccurredMilli   Source = "event.occurred_at.rfc3339_ms" // "2025-02-18T10:30:00.123Z"
	SourceData            Source = "event.data"                   // body only
	SourcePrevious        Source = "event.previous_data"          // body only; null when there is none
	SourceTimestamp       Source = "attempt.timestamp"            // header only: whole seconds since 1970 when the attempt began
)

// bodySources and headerSources are the closed vocabularies of the two places.
func bodySources() []Source {
	return []Source{
		SourceID, SourceUUID, SourceTopic, SourceEnvironment, SourceOccurredMS, SourceOccurredSeconds,
		SourceOccurred, SourceOccurredMilli, SourceData, SourcePrevious,
	}
}

func headerSources() []Source {
	return []Source{
		SourceID, SourceUUID, SourceTopic, SourceEnvironment, SourceOccurredMS, SourceOccurredSeconds,
		SourceOccurred, SourceOccurredMilli, SourceTimestamp,
	}
}

// Limits bound one request.
type Limits struct {
	Timeout  time.Duration // from the start of the attempt (connect, TLS, write) to the response's status and headers
	Response int           // bytes of the response's body that are kept
	InFlight int           // requests of one endpoint at the same time; 0: the engine's default
}

// StatusRules sort the statuses that receivers answer. What no list names is retryable; a single
// status beats a class ("410" beats "4xx").
type StatusRules struct {
	Success   []StatusRange
	Gone      []StatusRange
	Permanent []StatusRange
	Retryable []StatusRange
}

// StatusRange is the statuses First to Last.
type StatusRange struct{ First, Last int }

// Retry is the schedule after a failed attempt.
type Retry struct {
	Delays           []time.Duration // one for each retry, from the end of the attempt before
	Jitter           float64         // 0 to 1: each delay is made longer by up to this share of itself
	HonourRetryAfter bool            // a receiver's Retry-After may put the next attempt off, never bring it forward
	RetryAfterLimit  time.Duration   // the longest Retry-After that is honoured; a longer one counts as this
	DisableExhausted bool            // an endpoint is disabled when a delivery to it has used up its schedule
}

// Dispatch is the rhythm of sending in each environment: 0 sends at once, else requests go only at
// the wall clock's multiples of the period (UTC).
type Dispatch struct{ Production, Sandbox time.Duration }

// HTTPS says where an endpoint's URL must be https.
type HTTPS struct{ Production, Sandbox bool }
