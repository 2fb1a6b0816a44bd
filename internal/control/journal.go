package control

import (
	"context"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// EventStory is an event with what is owed for it.
type EventStory struct {
	Event      *postrider.Event
	Deliveries []postrider.Delivery
}

// FindEvent gives an event by the id that its publisher knows, with its deliveries. environment
// chooses between two events that were given the same id; "" looks in production first.
func (c *Control) FindEvent(ctx context.Context, p auth.Principal, tenantName string, environment postrider.Environment, publicID string) (*EventStory, error) {
	tenant, environment, err := c.journal(ctx, p, auth.ReadEvents, tenantName, environment)
	if err != nil {
		return nil, err
	}
	event, err := c.parts.Store.FindEvent(ctx, tenant, environment, publicID)
	if err != nil {
		return nil, missing(err, p, "event", publicID)
	}
	if environment != "" && event.Environment != environment {
		return nil, notFound(p, "event", publicID)
	}
	deliveries, err := c.parts.Store.EventDeliveries(ctx, tenant, event.ID)
	if err != nil {
		return nil, err
	}
	return &EventStory{Event: event, Deliveries: deliveries}, nil
}

// Events lists events, the newest first, without their data. more says that there are older ones.
func (c *Control) Events(ctx context.Context, p auth.Principal, tenantName string, filter store.EventFilter) (events []*postrider.Event, more bool, err error) {
	tenant, environment, err := c.journal(ctx, p, auth.ReadEvents, tenantName, filter.Environment)
	if err != nil {
		return nil, false, err
	}
	limit := pageLimit(filter.Limit)
	filter.Environment, filter.Limit, filter.WithData = environment, limit+1, false
	events, err = c.parts.Store.Events(ctx, tenant, filter)
	events, more = page(events, limit)
	return events, more, err
}

// Deliveries lists deliveries, the newest event's first. more says that there are older ones.
func (c *Control) Deliveries(ctx context.Context, p auth.Principal, tenantName string, filter store.DeliveryFilter) (deliveries []postrider.Delivery, more bool, err error) {
	tenant, environment, err := c.journal(ctx, p, auth.ReadDeliveries, tenantName, filter.Environment)
	if err != nil {
		return nil, false, err
	}
	limit := pageLimit(filter.Limit)
	filter.Environment, filter.Limit = environment, limit+1
	deliveries, err = c.parts.Store.Deliveries(ctx, tenant, filter)
	deliveries, more = page(deliveries, limit)
	return deliveries, more, err
}

// FindDelivery gives a delivery with all its attempts.
func (c *Control) FindDelivery(ctx context.Context, p auth.Principal, tenantName string, id postrider.DeliveryID) (*postrider.Delivery, []postrider.Attempt, error) {
	delivery, err := c.delivery(ctx, p, auth.ReadDeliveries, tenantName, id)
	if err != nil {
		return nil, nil, err
	}
	attempts, err := c.parts.Store.Attempts(ctx, delivery.Tenant, id)
	if err != nil {
		return nil, nil, err
	}
	return delivery, attempts, nil
}

// RetryDelivery makes a delivery that has not succeeded due at once. CodeConflict when it has, or
// when its webhook is disabled or deleted.
func (c *Control) RetryDelivery(ctx context.Context, p auth.Principal, tenantName string, id postrider.DeliveryID) (*postrider.Delivery, error) {
	delivery, err := c.delivery(ctx, p, auth.RetryDelivery, tenantName, id)
	if err != nil {
		return nil, err
	}
	retried, err := c.parts.Store.RetryDelivery(ctx, delivery.Tenant, id, c.now())
	if err != nil {
		return nil, missing(err, p, "delivery", id.String())
	}
	c.parts.Lanes.Wake(retried.Endpoint)
	return retried, c.record(ctx, p, delivery.Tenant, auth.RetryDelivery, id.String())
}

// delivery authorizes the action and finds the delivery.
func (c *Control) delivery(ctx context.Context, p auth.Principal, action auth.Action, tenantName string, id postrider.DeliveryID) (*postrider.Delivery, error) {
	tenant, _, err := c.journal(ctx, p, action, tenantName, "")
	if err != nil {
		return nil, err
	}
	delivery, err := c.parts.Store.FindDelivery(ctx, tenant, id)
	if err != nil {
		return nil, missing(err, p, "delivery", id.String())
	}
	if !p.Reaches(delivery.Environment) {
		return nil, notFound(p, "delivery", id.String())
	}
	return delivery, nil
}

// journal authorizes the action and chooses tenant and environment of what is read.
func (c *Control) journal(ctx context.Context, p auth.Principal, action auth.Action, tenantName string, named postrider.Environment) (postrider.TenantID, postrider.Environment, error) {
	if err := p.Authorize(action); err != nil {
		return postrider.TenantID{}, "", err
	}
	environment, err := environments(p, named)
	if err != nil {
		return postrider.TenantID{}, "", err
	}
	tenant, err := c.Tenant(ctx, p, tenantName)
	return tenant, environment, err
}
