package api

import "time"

// Delivery is one event owed to one webhook.
type Delivery struct {
	ID            string     `json:"id" doc:"The delivery's id." example:"dlv_01h455vb4pex5vsknk084sn02q_1"`
	EventID       string     `json:"event_id" doc:"Id of the event, in the gateway's own form." example:"evt_01h455vb4pex5vsknk084sn02q"`
	WebhookID     string     `json:"webhook_id" doc:"Id of the webhook." example:"wh_01h455vb4pex5vsknk084sn02q"`
	Type          string     `json:"type" doc:"The event's type." example:"resource.updated"`
	Environment   string     `json:"environment" enum:"production,sandbox" example:"production"`
	State         string     `json:"state" enum:"pending,succeeded,failed,cancelled" doc:"Pending is the only one that is not final." example:"succeeded"`
	Reason        string     `json:"reason,omitempty" doc:"Why it was cancelled, or what the last attempt of a failed one came to." example:"endpoint_deleted"`
	Attempts      int        `json:"attempts" doc:"How many attempts have ended." example:"1"`
	NextAttemptAt *time.Time `json:"next_attempt_at" nullable:"true" doc:"When the next attempt may go, while it is pending."`
	CreatedAt     time.Time  `json:"created_at" doc:"When the event was accepted."`
	EndedAt       *time.Time `json:"ended_at" nullable:"true" doc:"When it reached its final state."`
}

// DeliveryDetail is a delivery with all its attempts: in place of their number stands their list.
type DeliveryDetail struct {
	Delivery
	Attempts []Attempt `json:"attempts" nullable:"false" doc:"Every attempt that has ended, by number."`
}

// Attempt is one HTTP request of a delivery.
type Attempt struct {
	Number     int       `json:"number" doc:"From 1." example:"1"`
	Trigger    string    `json:"trigger" enum:"schedule,manual,test" doc:"What made it go." example:"schedule"`
	StartedAt  time.Time `json:"started_at" doc:"When it began."`
	DurationMS float64   `json:"duration_ms" doc:"How long it took, in milliseconds." example:"12.5"`
	Phases     Phases    `json:"phases" doc:"Where the time went."`
	Outcome    string    `json:"outcome" enum:"success,retryable,permanent,gone" doc:"What it means for the delivery." example:"success"`
	Code       string    `json:"code" doc:"What happened, from a closed list." example:"delivered"`
	Detail     string    `json:"detail,omitempty" doc:"What happened, in words."`
	Request    Request   `json:"request" doc:"What was sent, less the body, which is the same in every attempt."`
	Response   *Response `json:"response,omitempty" doc:"What came back; absent when nothing did."`
}

// Phases says where an attempt's time went, in milliseconds. A phase that did not happen is 0.
type Phases struct {
	DNS       float64 `json:"dns_ms" doc:"Name to addresses." example:"1.2"`
	Connect   float64 `json:"connect_ms" doc:"TCP." example:"3.4"`
	TLS       float64 `json:"tls_ms" doc:"Handshake." example:"5.6"`
	FirstByte float64 `json:"first_byte_ms" doc:"From the request written to the answer's first byte." example:"7.8"`
}

// Request is what was sent, less the body.
type Request struct {
	URL     string   `json:"url" doc:"Where to." example:"https://example.com/webhooks"`
	Headers []Header `json:"headers" nullable:"false" doc:"The header lines."`
}

// Response is what came back, bounded in size.
type Response struct {
	Status     int      `json:"status" doc:"The HTTP status." example:"200"`
	Headers    []Header `json:"headers" nullable:"false" doc:"The header lines."`
	Body       string   `json:"body" doc:"The first bytes of the body; bytes that are not UTF-8 are replaced by U+FFFD." example:"{\"status\":\"received\"}"`
	Truncated  bool     `json:"truncated,omitempty" doc:"The body went on."`
	RemoteAddr string   `json:"remote_addr,omitempty" doc:"The address that was connected to." example:"203.0.113.7:443"`
}

// Header is one header line.
type Header struct {
	Name  string `json:"name" example:"Content-Type"`
	Value string `json:"value" example:"application/json"`
}
