package demo

import (
	"encoding/json"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
)

// timeScale divides the schedules of the demo's contracts: shiip's tick of 5 minutes in the sandbox
// comes every 3 seconds, and an hour between two attempts is 36 seconds.
const timeScale = 100

// subscription is an endpoint of the demo with its receiver.
type subscription struct {
	name        string
	contract    string
	environment postrider.Environment
	topics      []postrider.Topic
	secret      string // "": the gateway makes one
	checks      string // what the receiver verifies, for the eye
	refuse      int64  // requests that it answers 503 to before it takes one
}

func subscriptions() []subscription {
	return []subscription{
		{
			name: "generic", contract: "generic", environment: postrider.Production, topics: []postrider.Topic{"order.*", "user.updated"},
			checks: "X-Webhook-Signature, and the three Standard Webhooks headers",
		},
		{
			name: "standard", contract: "standard", environment: postrider.Production, topics: []postrider.Topic{"order.created"},
			checks: "webhook-id, webhook-timestamp, webhook-signature",
		},
		{
			name: "xemelgo", contract: "xemelgo", environment: postrider.Production, topics: []postrider.Topic{"inventory.cycle_count"},
			secret: "a-secret-of-more-than-24-characters", checks: "xemelgo-signature over the re-serialized body",
		},
		{
			name: "ewarehousing", contract: "ewarehousing", environment: postrider.Production, topics: []postrider.Topic{"order.created"},
			secret: "secret_key_registered_at_webhook", checks: "X-Hmac-SHA256 over the original body",
		},
		{
			name: "shiip", contract: "shiip", environment: postrider.Sandbox, topics: []postrider.Topic{"shipment.updated"},
			checks: "X-Signature over the raw body",
		},
		{
			name: "stumbling", contract: "generic", environment: postrider.Production, topics: []postrider.Topic{"user.updated"},
			refuse: 1, checks: "as generic, but answers 503 to the first request",
		},
	}
}

// publication is an event of the demo.
type publication struct {
	topic          postrider.Topic
	environment    postrider.Environment
	data, previous string
}

func publications() []publication {
	return []publication{
		{
			topic: "order.created", environment: postrider.Production,
			data: `{"object":{"id":"ord_17","status":"new","total":"12.50"}}`,
		},
		{
			topic: "inventory.cycle_count", environment: postrider.Production,
			data: `{"locationId":"dock-4","counts":[3,5,8],"note":"Größe < 10 & ok"}`,
		},
		{
			topic: "user.updated", environment: postrider.Production,
			data: `{"object":{"id":"usr_5","name":"New name"}}`, previous: `{"name":"Old name"}`,
		},
		{
			topic: "shipment.updated", environment: postrider.Sandbox,
			data: `{"shipment":{"reference":"SH-1","status":"Picked Up"}}`,
		},
		{
			topic: "shipment.updated", environment: postrider.Sandbox,
			data: `{"shipment":{"reference":"SH-1","status":"Delivered"}}`,
		},
	}
}

// gets reports whether the subscription gets the event.
func (s *subscription) gets(p publication) bool {
	endpoint := postrider.Endpoint{Topics: s.topics}
	return s.environment == p.environment && endpoint.Subscribes(p.topic)
}

func (s *subscription) registration(url string) api.WebhookCreate {
	events := make([]string, len(s.topics))
	for i, topic := range s.topics {
		events[i] = string(topic)
	}
	return api.WebhookCreate{
		URL: url, Events: events, Contract: s.contract, Environment: string(s.environment), Secret: s.secret,
		Description: "the demo's receiver " + s.name,
	}
}

// event makes the publication's event. Its id is a UUID of the demo's own, because every contract
// passes such a one on unchanged: so each request can be told to its event.
func (p publication) event(now time.Time) api.EventCreate {
	event := api.EventCreate{
		Type: string(p.topic), Environment: string(p.environment), ID: postrider.NewEventID(now).UUID(),
		Data: json.RawMessage(p.data),
	}
	if p.previous != "" {
		event.PreviousData = json.RawMessage(p.previous)
	}
	return event
}
