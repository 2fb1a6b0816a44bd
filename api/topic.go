package api

import (
	"encoding/json"
	"time"
)

// Topic is an event type of the catalogue, or one that webhooks of the tenant name.
type Topic struct {
	Name            string          `json:"name" doc:"The event type; of source \"webhook\" it may be a pattern." example:"resource.created"`
	Description     string          `json:"description" doc:"What happened, for people." example:"New resource created"`
	Example         json.RawMessage `json:"example,omitempty" doc:"Data of a test event."`
	PreviousExample json.RawMessage `json:"previous_example,omitempty" doc:"Previous data of a test event."`
	Source          string          `json:"source" enum:"builtin,operator,webhook" doc:"Where it comes from: it is built in, the operator put it into the catalogue, or only webhooks name it." example:"builtin"`
	Webhooks        int             `json:"webhooks" doc:"How many webhooks of the tenant name it, in any state; 0 for a publisher, who does not see webhooks." example:"2"`
	CreatedAt       *time.Time      `json:"created_at,omitempty" doc:"When the operator put it into the catalogue."`
	UpdatedAt       *time.Time      `json:"updated_at,omitempty" doc:"When the operator last changed it."`
}

// TopicCreate puts an event type into the catalogue.
type TopicCreate struct {
	Name            string          `json:"name" maxLength:"128" doc:"The event type." example:"order.created"`
	Description     string          `json:"description,omitempty" maxLength:"500" doc:"What happened, for people." example:"An order was placed"`
	Example         json.RawMessage `json:"example,omitempty" doc:"Data of a test event: any JSON value, at most 16 KiB." example:"{\"object\":{\"id\":17}}"`
	PreviousExample json.RawMessage `json:"previous_example,omitempty" doc:"Previous data of a test event: any JSON value, at most 16 KiB."`
}

// TopicUpdate changes an event type of the catalogue. Absent fields stay; null takes an example away.
type TopicUpdate struct {
	Description     *string         `json:"description,omitempty" maxLength:"500" doc:"What happened, for people."`
	Example         json.RawMessage `json:"example,omitempty" doc:"Data of a test event; null takes it away."`
	PreviousExample json.RawMessage `json:"previous_example,omitempty" doc:"Previous data of a test event; null takes it away."`
}

// TopicPolicy says what the catalogue means.
type TopicPolicy struct {
	Closed  bool `json:"closed" doc:"Event types that are not in the catalogue are refused when events are published and webhooks registered."`
	BuiltIn bool `json:"builtin" doc:"The built-in event types are part of the catalogue."`
}
