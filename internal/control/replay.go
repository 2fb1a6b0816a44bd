package control

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// The bounds of one call that replays a webhook's events.
const (
	MaxReplay = 10_000 // new deliveries

	replayStep  = 250  // events of one transaction, so that accepting events waits a few milliseconds for one at most
	replaySteps = 4000 // steps of one call: how far it looks for events that match
)

// ReplayRequest chooses events of a webhook's environment that are to be owed to it again.
type ReplayRequest struct {
	From, To time.Time         // accepted at or after From, before To; zero: no bound
	Topic    postrider.Topic   // a pattern that narrows the webhook's own topics; "": those alone
	State    store.ReplayState // how the event stands with the webhook; "": in any way
	After    ReplayCursor      // where the call before ended
	DryRun   bool              // count only
}

// ReplayCursor is where a call that replays ended. The zero cursor begins.
type ReplayCursor struct {
	After   int64 // sequence of the last event that was looked at
	Through int64 // of the last event there was when the first call began
}

// Replayed says what a call that replays did.
type Replayed struct {
	Matched int           // events that match and are not still owed
	Pending int           // events that match and are still owed: they go anyway
	Made    int           // new deliveries; with DryRun none
	Next    *ReplayCursor // nil when all events were looked at
}

// ReplayWebhook makes new deliveries to a webhook, the oldest event first: of the events of its environment
// that match its topics and the request, those included that it never had a delivery of. An event that it is
// still owed is passed over, so that a call that is repeated does not double what it did. At
// most MaxReplay deliveries are made; Next says where to go on. What was made when a
// call breaks off is durable and goes. CodeConflict when the webhook is disabled.
func (c *Control) ReplayWebhook(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID, in ReplayRequest) (*Replayed, error) {
	webhook, err := c.webhook(ctx, p, auth.ReplayDelivery, tenantName, id)
	if err != nil {
		return nil, err
	}
	if err := in.check(webhook); err != nil {
		return nil, err
	}
	terms, found := c.parts.Contracts.Find(webhook.Contract)
	if !found {
		return nil, c.noContract(webhook.Contract)
	}
	if in.After.Through == 0 {
		if in.After.Through, err = c.lastEvent(ctx, webhook); err != nil {
			return nil, err
		}
	}
	filter := store.ReplayFilter{
		Environment: webhook.Environment, Topics: [][]postrider.Topic{webhook.Topics}, From: in.From, To: in.To,
		State: in.State, After: in.After.After, Through: in.After.Through, Limit: replayStep,
	}
	if in.Topic != "" {
		filter.Topics = append(filter.Topics, []postrider.Topic{in.Topic})
	}
	done, err := c.replay(ctx, webhook, terms, filter, in.DryRun)
	if done.Made > 0 {
		// What was made stands, also when a later step failed.
		err = errors.Join(err, c.record(ctx, p, webhook.Tenant, auth.ReplayDelivery, id.String(), plural(done.Made, "event")))
	}
	if err != nil {
		return nil, missing(err, p, "webhook", id.String())
	}
	return done, nil
}

// replay goes step by step through the events that the filter chooses. What it says is true when it fails, too.
func (c *Control) replay(ctx context.Context, webhook *postrider.Endpoint, terms *contract.Contract, filter store.ReplayFilter, dryRun bool) (*Replayed, error) {
	done := &Replayed{}
	for range replaySteps {
		if filter.After >= filter.Through || !dryRun && done.Made > MaxReplay-replayStep {
			break
		}
		matches, err := c.parts.Store.ReplayMatches(ctx, webhook.Tenant, webhook.ID, filter)
		if err != nil {
			return done, err
		}
		done.Matched += len(matches.Events)
		done.Pending += matches.Pending
		if !dryRun && len(matches.Events) > 0 {
			now := c.now()
			made, err := c.parts.Store.Replay(ctx, webhook.Tenant, webhook.ID, matches.Events, terms.FirstDue(webhook.Environment, now), now)
			if err != nil {
				return done, err
			}
			done.Made += made
			c.parts.Lanes.Wake(webhook.ID)
		}
		if filter.After = matches.Next; filter.After == 0 {
			filter.After = filter.Through
		}
	}
	if filter.After < filter.Through {
		done.Next = &ReplayCursor{After: filter.After, Through: filter.Through}
	}
	return done, nil
}

// check judges a request; webhook is the one it is about.
func (in *ReplayRequest) check(webhook *postrider.Endpoint) error {
	var faults postrider.Faults
	if in.Topic != "" {
		faults.AddError("type", in.Topic.ValidatePattern())
	}
	switch in.State {
	case "", store.ReplayNone, store.ReplayState(postrider.DeliverySucceeded), store.ReplayState(postrider.DeliveryFailed), store.ReplayState(postrider.DeliveryCancelled):
	case store.ReplayState(postrider.DeliveryPending):
		faults.Add("state", "pending deliveries go anyway; use \"succeeded\", \"failed\", \"cancelled\" or \"none\"")
	default:
		faults.Add("state", "%s is not a state; use \"succeeded\", \"failed\", \"cancelled\" or \"none\"", quote(string(in.State)))
	}
	if !in.From.IsZero() && !in.To.IsZero() && !in.From.Before(in.To) {
		faults.Add("to", "must be after \"from\"")
	}
	if err := faults.Err(); err != nil {
		return err
	}
	if webhook.State == postrider.EndpointDisabled && !in.DryRun {
		return disabled(webhook.ID)
	}
	return nil
}

func disabled(id postrider.EndpointID) error {
	return postrider.Errorf(postrider.CodeConflict, "webhook %s is disabled and gets no events; enable it first", id)
}

// lastEvent gives the sequence of the newest event in the webhook's environment, 0 when there is none.
func (c *Control) lastEvent(ctx context.Context, webhook *postrider.Endpoint) (int64, error) {
	newest, err := c.parts.Store.Events(ctx, webhook.Tenant, store.EventFilter{Environment: webhook.Environment, Limit: 1})
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].Sequence, nil
}

// ReplayEvent owes an event again: to the named webhook, whatever its topics, or without a name to every webhook
// that now takes the topic and is not disabled. A webhook that is still owed the event is passed over, and a
// CodeConflict when it is the named one.
func (c *Control) ReplayEvent(ctx context.Context, p auth.Principal, tenantName string, environment postrider.Environment, publicID string, only postrider.EndpointID) ([]postrider.Delivery, error) {
	if err := p.Authorize(auth.ReplayDelivery); err != nil {
		return nil, err
	}
	story, err := c.FindEvent(ctx, p, tenantName, environment, publicID)
	if err != nil {
		return nil, err
	}
	if !only.IsZero() {
		return c.owe(ctx, p, story, only)
	}
	webhooks, err := c.subscribers(ctx, story)
	if err != nil || len(webhooks) == 0 {
		return nil, err
	}
	return c.oweAll(ctx, p, story.Event, webhooks)
}

// ReplayDelivery owes a delivery's event again to the same webhook. CodeConflict when that is deleted or
// disabled, or still owed the event: then RetryDelivery makes it go at once.
func (c *Control) ReplayDelivery(ctx context.Context, p auth.Principal, tenantName string, id postrider.DeliveryID) (*postrider.Delivery, error) {
	delivery, err := c.delivery(ctx, p, auth.ReplayDelivery, tenantName, id)
	if err != nil {
		return nil, err
	}
	story, err := c.FindEvent(ctx, p, delivery.Tenant.String(), delivery.Environment, id.Event.String())
	if err != nil {
		return nil, err
	}
	made, err := c.owe(ctx, p, story, delivery.Endpoint)
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return nil, postrider.Errorf(postrider.CodeConflict, "the webhook of delivery %s is deleted", id)
	}
	if err != nil {
		return nil, err
	}
	return &made[0], nil
}

// owe owes an event again to one webhook.
func (c *Control) owe(ctx context.Context, p auth.Principal, story *EventStory, id postrider.EndpointID) ([]postrider.Delivery, error) {
	event := story.Event
	webhook, err := c.parts.Store.FindEndpoint(ctx, event.Tenant, id)
	if err != nil {
		return nil, missing(err, p, "webhook", id.String())
	}
	if !p.Reaches(webhook.Environment) {
		return nil, notFound(p, "webhook", id.String())
	}
	if webhook.Environment != event.Environment {
		return nil, postrider.Errorf(postrider.CodeConflict, "the event is of %s and webhook %s of %s", event.Environment, id, webhook.Environment)
	}
	if webhook.State == postrider.EndpointDisabled {
		return nil, disabled(id)
	}
	if waiting := story.owed(id); waiting != nil {
		return nil, postrider.Errorf(postrider.CodeConflict, "webhook %s is still owed the event: delivery %s is pending; retry that to make it go at once", id, waiting.ID)
	}
	return c.oweAll(ctx, p, event, []*postrider.Endpoint{webhook})
}

// owed gives a delivery of the event to the webhook that is pending, nil when there is none.
func (s *EventStory) owed(webhook postrider.EndpointID) *postrider.Delivery {
	for i := range s.Deliveries {
		if d := &s.Deliveries[i]; d.Endpoint == webhook && d.State == postrider.DeliveryPending {
			return d
		}
	}
	return nil
}

// subscribers lists the webhooks that would get the event now and are not still owed it.
func (c *Control) subscribers(ctx context.Context, story *EventStory) ([]*postrider.Endpoint, error) {
	var all []*postrider.Endpoint
	filter := store.EndpointFilter{Environment: story.Event.Environment, Limit: MaxPage}
	for {
		some, err := c.parts.Store.Endpoints(ctx, story.Event.Tenant, filter)
		if err != nil {
			return nil, err
		}
		for _, webhook := range some {
			if webhook.State != postrider.EndpointDisabled && webhook.Subscribes(story.Event.Topic) && story.owed(webhook.ID) == nil {
				all = append(all, webhook)
			}
		}
		if len(some) < MaxPage {
			return all, nil
		}
		filter.After = some[len(some)-1].ID
	}
}

// oweAll makes the deliveries in one transaction and wakes the lanes.
func (c *Control) oweAll(ctx context.Context, p auth.Principal, event *postrider.Event, webhooks []*postrider.Endpoint) ([]postrider.Delivery, error) {
	now := c.now()
	owed := make([]store.Owed, len(webhooks))
	for i, webhook := range webhooks {
		terms, found := c.parts.Contracts.Find(webhook.Contract)
		if !found {
			return nil, c.noContract(webhook.Contract)
		}
		owed[i] = store.Owed{Endpoint: webhook.ID, DueAt: terms.FirstDue(webhook.Environment, now)}
	}
	made, err := c.parts.Store.ReplayEvent(ctx, event.Tenant, event.ID, owed, now)
	if err != nil {
		return nil, err
	}
	for i := range made {
		c.parts.Lanes.Wake(made[i].Endpoint)
	}
	return made, c.record(ctx, p, event.Tenant, auth.ReplayDelivery, event.PublicID(), "to "+plural(len(made), "webhook"))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
