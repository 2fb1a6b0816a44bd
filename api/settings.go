package api

import "time"

// APISettings is where one environment of a tenant gets all of its events: one URL and one secret.
type APISettings struct {
	Environment    string          `json:"environment" enum:"production,sandbox" doc:"Whose events are sent." example:"production"`
	URL            *string         `json:"url" nullable:"true" doc:"Where events are sent, by POST; null: nowhere." example:"https://example.com/webhook"`
	Status         string          `json:"status" enum:"none,enabled,paused,disabled" doc:"\"none\" while no URL is configured." example:"enabled"`
	WebhookID      *string         `json:"webhook_id" nullable:"true" doc:"The webhook underneath, whose deliveries GET /v1/deliveries?webhook_id= lists."`
	SecretRotation *SecretRotation `json:"secret_rotation,omitempty" doc:"The rotation of the secret that is under way; absent when none is."`
	Dispatch       Dispatch        `json:"dispatch" doc:"When events go."`
	TimeoutMS      int64           `json:"timeout_ms" doc:"Time limit of a request, in milliseconds." example:"30000"`
	UpdatedAt      *time.Time      `json:"updated_at" nullable:"true" doc:"When they were last changed; null while there are none."`
	// Secret is only in the answer that made it, and only when the gateway generated it.
	Secret string `json:"secret,omitempty" doc:"The key of X-Signature. Only in the answer to the call that made it, and only when it was generated: it is not shown again."`
}

// Dispatch is a rhythm of sending, aligned to the wall clock in UTC.
type Dispatch struct {
	EverySeconds float64   `json:"every_seconds" doc:"Seconds between two rounds; 0: events go at once." example:"1800"`
	NextAt       time.Time `json:"next_at" doc:"When the next round goes."`
}

// APISettingsUpdate says what API settings are to be.
type APISettingsUpdate struct {
	URL          *string `json:"url" nullable:"true" doc:"Where events are to be sent; null: nowhere, and what still waits is cancelled." example:"https://example.com/webhook"`
	Secret       string  `json:"secret,omitempty" doc:"The key of X-Signature. Without it the one in force stays; the first time, one is generated."`
	RotateSecret bool    `json:"rotate_secret,omitempty" doc:"Give the URL a new secret, generated when none is given; the old one signs until the new one is activated or the overlap ends."`
	Overlap      string  `json:"overlap,omitempty" doc:"Of the rotation, such as \"24h\" (the default), at most \"720h\"; \"0s\" puts the new secret in force at once." example:"24h"`
}

// APISettingsTest asks for a test request.
type APISettingsTest struct {
	EventType string `json:"event_type,omitempty" maxLength:"128" doc:"Type of the test event; without one, \"shipment.status_updated\"." example:"shipment.status_updated"`
}
