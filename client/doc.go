// Package client speaks to a Postrider gateway over its REST interface. It imports the standard
// library and package api, which holds the types that go over the wire.
//
//	c, err := client.New("http://127.0.0.1:8080", os.Getenv("POSTRIDER_KEY"))
//	accepted, err := c.Publish(ctx, api.EventCreate{Type: "order.created", Data: json.RawMessage(`{"object":{"id":"17"}}`)})
//
// Every method takes a context first and gives a *Error when the gateway refused. Answers that say
// "try again" (503 and 429) are tried again when repeating the call cannot do harm: reading, deleting,
// changing to a given state, and publishing with an idempotency key or with ids of the publisher's own.
package client
