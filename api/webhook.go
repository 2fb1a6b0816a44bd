package api

import "time"

// The states of a webhook.
const (
	WebhookEnabled  = "enabled"
	WebhookPaused   = "paused"
	WebhookDisabled = "disabled"
)

// Webhook is where a tenant's events go and how.
type Webhook struct {
	ID             string     `json:"id" doc:"The webhook's id." example:"wh_01h455vb4pex5vsknk084sn02q"`
	URL            string     `json:"url" doc:"Where events are sent, by POST." example:"https://example.com/webhooks"`
	Events         []string   `json:"events" nullable:"false" doc:"The event types it gets. \"*\" stands for one segment, as in \"order.*\"; alone, for every type." example:"[\"resource.created\",\"user.*\"]"`
	Contract       string     `json:"contract" doc:"The contract that shapes, signs, times and retries its requests." example:"generic"`
	Tenant         string     `json:"tenant" doc:"Id of the tenant that owns it." example:"ten_01h455vb4pex5vsknk084sn02q"`
	Environment    string     `json:"environment" enum:"production,sandbox" doc:"Whose events it gets." example:"production"`
	Description    string     `json:"description" doc:"A note for people." example:"Orders to the warehouse"`
	Status         string     `json:"status" enum:"enabled,paused,disabled" doc:"Paused: deliveries are made and wait. Disabled: none are made, and those it had wait." example:"enabled"`
	DisabledReason string     `json:"disabled_reason,omitempty" enum:"by_user,retries_exhausted,gone" doc:"Why it is disabled."`
	DisabledAt     *time.Time `json:"disabled_at,omitempty" doc:"When it was disabled."`
	MaxInFlight    int        `json:"max_in_flight" doc:"Requests at the same time; 0: the contract's or the gateway's default." example:"0"`
	RateLimit      float64    `json:"rate_limit" doc:"Requests a second; 0: no limit." example:"0"`
	RateBurst      int        `json:"rate_burst" doc:"Requests that may go at once under rate_limit; 0: one second's worth." example:"0"`
	CreatedAt      time.Time  `json:"created_at" doc:"When it was registered."`
	UpdatedAt      time.Time  `json:"updated_at" doc:"When it was last changed."`
	// SecretRotation is nil while no rotation is under way.
	SecretRotation *SecretRotation `json:"secret_rotation,omitempty" doc:"The rotation of the signing secret that is under way; absent when none is."`
	// Auth is nil when the endpoint asks for nothing beside the signature.
	Auth *WebhookAuthShown `json:"auth,omitempty" doc:"What the endpoint asks for beside the signature, without its secrets; absent when that is nothing."`
	// Secret is only in the answer that made it, and only when the gateway generated it.
	Secret string `json:"secret,omitempty" doc:"The signing secret. Only in the answer to the registration or the rotation that made it, and only when it was generated: it is not shown again."`
}

// WebhookCreate registers a webhook.
type WebhookCreate struct {
	URL         string       `json:"url" doc:"Where events are sent, by POST." example:"https://example.com/webhooks"`
	Events      []string     `json:"events" nullable:"false" minItems:"1" maxItems:"100" doc:"The event types it gets; see Webhook." example:"[\"resource.created\"]"`
	Secret      string       `json:"secret,omitempty" doc:"The signing secret, kept as it is. Without one, contracts that allow it generate one." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	Contract    string       `json:"contract,omitempty" doc:"Name of the contract; \"generic\" without one." example:"generic"`
	Tenant      string       `json:"tenant,omitempty" doc:"Name or id of the tenant, for an operator's key; \"default\" without one." example:"default"`
	Environment string       `json:"environment,omitempty" enum:"production,sandbox" doc:"The key's environment without one." example:"production"`
	Description string       `json:"description,omitempty" maxLength:"500" doc:"A note for people."`
	MaxInFlight int          `json:"max_in_flight,omitempty" minimum:"0" maximum:"1000" doc:"Requests at the same time; 0: the default."`
	RateLimit   float64      `json:"rate_limit,omitempty" minimum:"0" maximum:"100000" doc:"Requests a second; 0: no limit."`
	RateBurst   int          `json:"rate_burst,omitempty" minimum:"0" maximum:"100000" doc:"Requests that may go at once under rate_limit; 0: one second's worth."`
	Auth        *WebhookAuth `json:"auth,omitempty" doc:"What the endpoint asks for beside the signature."`
}

// WebhookUpdate changes what it names; absent fields stay. Events replaces the whole list.
type WebhookUpdate struct {
	URL         *string      `json:"url,omitempty" doc:"Where events are sent, by POST." example:"https://example.com/webhooks"`
	Events      *[]string    `json:"events,omitempty" doc:"Replaces the whole list of event types." example:"[\"user.created\"]"`
	Secret      *string      `json:"secret,omitempty" doc:"Replaces the signing secret at once, and ends a rotation."`
	Contract    *string      `json:"contract,omitempty" doc:"Name of the contract; the secret in force must suit it."`
	Description *string      `json:"description,omitempty" maxLength:"500" doc:"A note for people."`
	Status      *string      `json:"status,omitempty" enum:"enabled,paused,disabled" doc:"\"enabled\" lets a paused or disabled webhook go again, with the deliveries that waited." example:"enabled"`
	MaxInFlight *int         `json:"max_in_flight,omitempty" minimum:"0" maximum:"1000" doc:"Requests at the same time; 0: the default."`
	RateLimit   *float64     `json:"rate_limit,omitempty" minimum:"0" maximum:"100000" doc:"Requests a second; 0: no limit."`
	RateBurst   *int         `json:"rate_burst,omitempty" minimum:"0" maximum:"100000" doc:"Requests that may go at once under rate_limit; 0: one second's worth."`
	Auth        *WebhookAuth `json:"auth,omitempty" doc:"Replaces all of what the endpoint asks for beside the signature; null or {} asks for nothing."`
}

// TestRequest asks for a test event to be sent to a webhook at once.
type TestRequest struct {
	WebhookID string `json:"webhook_id" doc:"Which webhook." example:"wh_01h455vb4pex5vsknk084sn02q"`
	EventType string `json:"event_type,omitempty" doc:"Type of the test event, whether the webhook gets it or not; without one, the first type that the webhook gets." example:"resource.created"`
}

// TestResult says what became of a test event. Nothing of it is kept, and it is not tried again.
type TestResult struct {
	WebhookID string `json:"webhook_id" doc:"Which webhook." example:"wh_01h455vb4pex5vsknk084sn02q"`
	EventID   string `json:"event_id" doc:"Id of the test event, as the endpoint saw it." example:"evt_01h455vb4pex5vsknk084sn02q"`
	EventType string `json:"event_type" doc:"Type of the test event." example:"resource.created"`
	Delivered bool   `json:"delivered" doc:"Whether the endpoint took it."`
	Status    int    `json:"status" doc:"The HTTP status that came back; 0 when none did." example:"200"`
	Attempt          // the request and what came back
}
