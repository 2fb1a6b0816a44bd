package api

import (
	"encoding/json"
	"time"
)

// EventCreate publishes an event. The server reads it by hand, in internal/restapi, and keeps Data
// and PreviousData byte for byte.
type EventCreate struct {
	Type         string          `json:"type" maxLength:"128" doc:"What happened: segments of letters, digits, \"_\" and \"-\", separated by dots." example:"resource.updated"`
	Data         json.RawMessage `json:"data" doc:"Any JSON value. It is delivered byte for byte, or as the contract's form says." example:"{\"object\":{\"id\":\"res_123\",\"name\":\"New name\"}}"`
	PreviousData json.RawMessage `json:"previous_data,omitempty" doc:"For updates: the values before it. Any JSON value." example:"{\"name\":\"Old name\"}"`
	ID           string          `json:"id,omitempty" maxLength:"128" doc:"Your own id for the event: letters, digits, \"_\", \"-\" and \":\". Receivers see it, and it makes publishing repeatable: the same id again answers the first event." example:"order-17"`
	OccurredAt   *time.Time      `json:"occurred_at,omitempty" doc:"When it happened, RFC 3339, kept to the millisecond; now without it." example:"2026-02-18T10:30:00Z"`
	Tenant       string          `json:"tenant,omitempty" doc:"Name or id of the tenant, for an operator's key; \"default\" without one." example:"default"`
	Environment  string          `json:"environment,omitempty" enum:"production,sandbox" doc:"The key's environment without one." example:"production"`
}

// EventAccepted answers a published event: it is kept, and so is what is owed for it.
type EventAccepted struct {
	ID         string `json:"id" doc:"The event's id: yours when you gave one." example:"evt_01h455vb4pex5vsknk084sn02q"`
	Type       string `json:"type" doc:"The event's type." example:"resource.updated"`
	Deliveries int    `json:"deliveries" doc:"How many webhooks get it. With none, GET /v1/events/{id} gives the reasons." example:"1"`
	// Replayed reports that the same was accepted before: header Idempotent-Replayed of a single
	// event, field "replayed" in a batch.
	Replayed bool `json:"replayed,omitempty" doc:"In a batch: the same was accepted before, and this is the first answer again."`
}

// BatchElement answers one event of a batch: it was accepted, or Error says why not.
type BatchElement struct {
	ID         string `json:"id,omitempty" doc:"The event's id: yours when you gave one." example:"evt_01h455vb4pex5vsknk084sn02q"`
	Type       string `json:"type,omitempty" doc:"The event's type." example:"resource.updated"`
	Deliveries *int   `json:"deliveries,omitempty" doc:"How many webhooks get it." example:"1"`
	Replayed   bool   `json:"replayed,omitempty" doc:"The same was accepted before, and this is the first answer again."`
	Error      *Error `json:"error,omitempty" doc:"Why this event was not accepted. The others of the batch do not depend on it."`
}

// BatchResult answers a batch: Data[i] is for its i-th event.
type BatchResult struct {
	Data []BatchElement `json:"data" nullable:"false" doc:"One answer for each event, in order."`
}

// Event is what was published, once, with what became of it.
type Event struct {
	ID           string          `json:"id" doc:"The id that you and receivers see." example:"evt_01h455vb4pex5vsknk084sn02q"`
	Type         string          `json:"type" doc:"What happened." example:"resource.updated"`
	Tenant       string          `json:"tenant" doc:"Id of the tenant." example:"ten_01h455vb4pex5vsknk084sn02q"`
	Environment  string          `json:"environment" enum:"production,sandbox" example:"production"`
	OccurredAt   time.Time       `json:"occurred_at" doc:"When it happened, by the publisher's word."`
	AcceptedAt   time.Time       `json:"accepted_at" doc:"When it was accepted."`
	Data         json.RawMessage `json:"data" doc:"As published, but for whitespace."`
	PreviousData json.RawMessage `json:"previous_data" doc:"As published, but for whitespace; null when none were."`
	Deliveries   []Delivery      `json:"deliveries" nullable:"false" doc:"What is owed for it, one for each webhook."`
	Reasons      []Reason        `json:"reasons" nullable:"false" doc:"Why webhooks that could have had it did not get it."`
}

// EventSummary is an event in a list: without its data and deliveries.
type EventSummary struct {
	ID          string    `json:"id" doc:"The id that you and receivers see." example:"evt_01h455vb4pex5vsknk084sn02q"`
	Type        string    `json:"type" doc:"What happened." example:"resource.updated"`
	Tenant      string    `json:"tenant" doc:"Id of the tenant." example:"ten_01h455vb4pex5vsknk084sn02q"`
	Environment string    `json:"environment" enum:"production,sandbox" example:"production"`
	OccurredAt  time.Time `json:"occurred_at" doc:"When it happened, by the publisher's word."`
	AcceptedAt  time.Time `json:"accepted_at" doc:"When it was accepted."`
	Reasons     []Reason  `json:"reasons" nullable:"false" doc:"Why webhooks that could have had it did not get it."`
}

// Reason says why a webhook, or with no WebhookID why none, got an event.
type Reason struct {
	WebhookID string `json:"webhook_id,omitempty" doc:"Which webhook; absent when it is about all." example:"wh_01h455vb4pex5vsknk084sn02q"`
	Code      string `json:"code" doc:"Why." example:"no_subscriber"`
}
