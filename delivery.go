package postrider

import "time"

// Delivery is one event owed to one endpoint.
type Delivery struct {
	ID          DeliveryID
	Sequence    int64 // the event's
	Tenant      TenantID
	Environment Environment
	Endpoint    EndpointID
	Topic       Topic
	State       DeliveryState
	Reason      ReasonCode // why it was cancelled, or the outcome's code of the last attempt when it failed
	Attempts    int        // finished so far
	DueAt       time.Time  // when the next attempt may go, while pending; UTC, to the millisecond
	CreatedAt   time.Time
	EndedAt     time.Time // when it reached a final state; zero while pending
}

// DeliveryState is a delivery's place in its life.
type DeliveryState string

// The states. Pending is the only one that is not final.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliverySucceeded DeliveryState = "succeeded"
	DeliveryFailed    DeliveryState = "failed"    // the schedule is used up, or the receiver said never again
	DeliveryCancelled DeliveryState = "cancelled" // with a reason
)

// Final reports whether nothing more will happen to the delivery by itself.
func (s DeliveryState) Final() bool { return s != DeliveryPending }

// CanMove reports whether a delivery may go from s to next: pending to any final state, and a failed or
// cancelled one back to pending when a person asks for a retry.
func (s DeliveryState) CanMove(next DeliveryState) bool {
	switch s {
	case DeliveryPending:
		return next == DeliverySucceeded || next == DeliveryFailed || next == DeliveryCancelled
	case DeliveryFailed, DeliveryCancelled:
		return next == DeliveryPending
	}
	return false
}

// Trigger says what made an attempt go.
type Trigger string

// The triggers.
const (
	TriggerSchedule Trigger = "schedule" // the event itself, or the contract's retry schedule
	TriggerManual   Trigger = "manual"   // a person asked for this delivery to be tried again
	TriggerTest     Trigger = "test"     // a test request, which belongs to no event of the tenant's
)

// Attempt is one HTTP request of a delivery. Attempts are only ever added.
type Attempt struct {
	Delivery  DeliveryID
	Number    int // from 1
	Trigger   Trigger
	StartedAt time.Time // UTC, to the millisecond
	Duration  time.Duration
	Phases    Phases
	Outcome   Outcome
	Request   RequestHead
	Response  Response
}

// Phases says where an attempt's time went. A phase that did not happen (a reused connection has no
// dns, connect or tls) is zero.
type Phases struct {
	DNS       time.Duration // name to addresses
	Connect   time.Duration // TCP
	TLS       time.Duration // handshake
	FirstByte time.Duration // from the request written to the response's first byte
}

// RequestHead is what was sent, less the body, which is the same in every attempt.
type RequestHead struct {
	URL    string
	Header []HeaderField
}

// Response is what came back, bounded in size.
type Response struct {
	Status     int // 0 when no response came
	Header     []HeaderField
	Body       []byte // the first bytes of it
	Truncated  bool   // the body went on
	RemoteAddr string // the address that was connected to, "" when none was
}

// HeaderField is one header line.
type HeaderField struct{ Name, Value string }

// Outcome is the judged result of an attempt.
type Outcome struct {
	Kind       OutcomeKind
	Code       OutcomeCode
	Detail     string        // what happened in words a support person can paste; holds no secret
	RetryAfter time.Duration // what the receiver asked for, bounded; 0 when it did not
}

// OutcomeKind says what the outcome means for the delivery.
type OutcomeKind string

// The kinds.
const (
	OutcomeSuccess   OutcomeKind = "success"
	OutcomeRetryable OutcomeKind = "retryable"
	OutcomePermanent OutcomeKind = "permanent" // another attempt cannot succeed
	OutcomeGone      OutcomeKind = "gone"      // the receiver wants nothing any more (410)
)

// OutcomeCode is a closed list of words for what happened; metrics and filters use it.
type OutcomeCode string

// The codes.
const (
	OutcomeDelivered      OutcomeCode = "delivered"       // the receiver took it
	OutcomeHTTPStatus     OutcomeCode = "http_status"     // an answer that is not success
	OutcomeDNS            OutcomeCode = "dns"             // the name has no address
	OutcomeRefused        OutcomeCode = "refused"         // nothing listens there
	OutcomeUnreachable    OutcomeCode = "unreachable"     // no route
	OutcomeTLS            OutcomeCode = "tls"             // the handshake or the certificate failed
	OutcomeTimeout        OutcomeCode = "timeout"         // no status in the contract's time limit
	OutcomeReset          OutcomeCode = "reset"           // the connection broke before a status came
	OutcomeTooLarge       OutcomeCode = "too_large"       // the response head is over the limit
	OutcomeBlockedAddress OutcomeCode = "blocked_address" // the address guard refused every address
	OutcomeProtocol       OutcomeCode = "protocol"        // what came back is not HTTP
	OutcomeContract       OutcomeCode = "contract"        // the request could not be made: contract, secret or URL is at fault
	OutcomeInterrupted    OutcomeCode = "interrupted"     // the gateway stopped before an answer came
	OutcomeToken          OutcomeCode = "token"           // no OAuth token could be had, so nothing was sent
)
