package control

import (
	"context"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// Trial is what became of a test event.
type Trial struct {
	Webhook *postrider.Endpoint
	Event   *postrider.Event
	Attempt postrider.Attempt
}

// TestWebhook sends a webhook one test event at once, signed and shaped as a real one, and says what
// came back (004.13). The topic need not be one that the webhook gets (A004-9), and a paused or
// disabled webhook is tested all the same. Nothing is kept. CodeRateLimited when too many tests are
// under way.
func (c *Control) TestWebhook(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID, topic postrider.Topic) (*Trial, error) {
	webhook, err := c.webhook(ctx, p, auth.TestWebhook, tenantName, id)
	if err != nil {
		return nil, err
	}
	if topic == "" {
		topic = firstTopic(webhook)
	}
	if err := topic.Validate(); err != nil {
		return nil, postrider.FieldError("event_type", "%s", err.Error())
	}
	select {
	case c.tests <- struct{}{}:
		defer func() { <-c.tests }()
	default:
		return nil, postrider.Errorf(postrider.CodeRateLimited, "%d test requests are under way, as many as there may be; try again in a moment", cap(c.tests))
	}
	event, err := c.testEvent(ctx, webhook, topic)
	if err != nil {
		return nil, err
	}
	return &Trial{Webhook: webhook, Event: event, Attempt: c.parts.Tester.Test(ctx, webhook, event)}, nil
}

// testEvent makes an event that looks real, of the topic's example.
func (c *Control) testEvent(ctx context.Context, webhook *postrider.Endpoint, topic postrider.Topic) (*postrider.Event, error) {
	data, previous, err := c.exampleOf(ctx, topic)
	if err != nil {
		return nil, err
	}
	now := c.now()
	return &postrider.Event{
		ID: postrider.NewEventID(now), Tenant: webhook.Tenant, Environment: webhook.Environment,
		Topic: topic, OccurredAt: now, AcceptedAt: now, Data: data, Previous: previous,
	}, nil
}

// firstTopic gives the first topic that the webhook gets by its full name.
func firstTopic(webhook *postrider.Endpoint) postrider.Topic {
	for _, topic := range webhook.Topics {
		if !topic.IsPattern() {
			return topic
		}
	}
	return "resource.created"
}
