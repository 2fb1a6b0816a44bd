package control

import (
	"context"
	"crypto/rand"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// Registration asks for a webhook.
type Registration struct {
	Tenant      string // name or id; "" as for Control.Tenant
	Environment postrider.Environment
	URL         string
	Topics      []postrider.Topic
	Contract    string // "": DefaultContract
	Secret      postrider.Secret
	Description string
	MaxInFlight int
	RateLimit   float64
	RateBurst   int
	Auth        postrider.EndpointAuth // what the endpoint asks for beside the signature
}

// DefaultContract is the contract of a webhook that names none.
const DefaultContract = "generic"

// RegisterWebhook adds a webhook. generated is the signing secret when it was made here, to be shown
// this once; else it is zero.
func (c *Control) RegisterWebhook(ctx context.Context, p auth.Principal, in Registration) (webhook *postrider.Endpoint, generated postrider.Secret, err error) {
	if err := p.Authorize(auth.RegisterWebhook); err != nil {
		return nil, generated, err
	}
	tenant, err := c.Tenant(ctx, p, in.Tenant)
	if err != nil {
		return nil, generated, err
	}
	if _, err := c.catalogue(ctx); err != nil {
		return nil, generated, err
	}
	environment, faultyEnvironment := p.In(in.Environment)
	if postrider.ErrorCode(faultyEnvironment) == postrider.CodeForbidden {
		return nil, generated, faultyEnvironment
	}
	if in.Contract == "" {
		in.Contract = DefaultContract
	}
	now := c.now()
	webhook = &postrider.Endpoint{
		ID: postrider.NewEndpointID(now), Tenant: tenant, Environment: environment,
		URL: in.URL, Topics: distinct(in.Topics), Contract: in.Contract, Description: in.Description,
		State:       postrider.EndpointEnabled,
		MaxInFlight: in.MaxInFlight, RateLimit: in.RateLimit, RateBurst: in.RateBurst, Auth: in.Auth,
		CreatedAt: now, UpdatedAt: now,
	}
	if !in.Secret.IsZero() {
		webhook.Secrets = []postrider.Secret{in.Secret}
	}
	var faults postrider.Faults
	if faultyEnvironment != nil {
		faults.Add("environment", "use \"production\" or \"sandbox\"")
	}
	terms := c.checkWebhook(&faults, webhook, aspects{url: true, topics: true, secrets: true, auth: true, newAuth: true})
	if err := faults.Err(); err != nil {
		return nil, generated, err
	}
	if in.Secret.IsZero() {
		if generated, err = terms.GenerateSecret(rand.Reader); err != nil {
			return nil, postrider.Secret{}, err
		}
		webhook.Secrets = []postrider.Secret{generated}
	}
	if err := c.addWebhook(ctx, webhook); err != nil {
		return nil, postrider.Secret{}, err
	}
	if err := c.record(ctx, p, tenant, auth.RegisterWebhook, webhook.ID.String(), webhookDetail(webhook)...); err != nil {
		return nil, postrider.Secret{}, err
	}
	return webhook, generated, nil
}

// addWebhook writes a new webhook, inside the bound of its tenant.
func (c *Control) addWebhook(ctx context.Context, webhook *postrider.Endpoint) error {
	c.changes.Lock()
	defer c.changes.Unlock()
	count, err := c.countWebhooks(ctx, webhook.Tenant)
	if err != nil {
		return err
	}
	if count >= c.options.MaxWebhooks {
		return postrider.Errorf(postrider.CodeConflict, "the tenant has %d webhooks already, as many as it may have; delete one first", count)
	}
	if err := c.parts.Store.CreateEndpoint(ctx, webhook); err != nil {
		return err
	}
	c.webhooks[webhook.Tenant] = count + 1
	return c.announce(webhook)
}

// countWebhooks counts a tenant's webhooks, the first time by listing them. The caller holds changes.
func (c *Control) countWebhooks(ctx context.Context, tenant postrider.TenantID) (int, error) {
	if count, counted := c.webhooks[tenant]; counted {
		return count, nil
	}
	count, filter := 0, store.EndpointFilter{Limit: MaxPage}
	for {
		some, err := c.parts.Store.Endpoints(ctx, tenant, filter)
		if err != nil {
			return 0, err
		}
		count += len(some)
		if len(some) < MaxPage {
			c.webhooks[tenant] = count
			return count, nil
		}
		filter.After = some[len(some)-1].ID
	}
}

// announce tells subscriptions and lanes of a webhook as it now is. The caller holds changes.
func (c *Control) announce(webhook *postrider.Endpoint) error {
	if webhook.Deleted() {
		c.parts.Subscriptions.Remove(webhook)
	} else if err := c.parts.Subscriptions.Put(webhook); err != nil {
		return err
	}
	c.parts.Lanes.EndpointChanged(webhook)
	return nil
}

// FindWebhook gives a webhook.
func (c *Control) FindWebhook(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID) (*postrider.Endpoint, error) {
	return c.webhook(ctx, p, auth.ReadWebhooks, tenantName, id)
}

// Webhooks lists webhooks, the oldest first. more says that there are newer ones.
func (c *Control) Webhooks(ctx context.Context, p auth.Principal, tenantName string, filter store.EndpointFilter) (webhooks []*postrider.Endpoint, more bool, err error) {
	if err := p.Authorize(auth.ReadWebhooks); err != nil {
		return nil, false, err
	}
	if filter.Environment, err = environments(p, filter.Environment); err != nil {
		return nil, false, err
	}
	tenant, err := c.Tenant(ctx, p, tenantName)
	if err != nil {
		return nil, false, err
	}
	limit := pageLimit(filter.Limit)
	filter.Limit = limit + 1
	webhooks, err = c.parts.Store.Endpoints(ctx, tenant, filter)
	webhooks, more = page(webhooks, limit)
	return webhooks, more, err
}

// DeleteWebhook unregisters a webhook and gives it as it was. Nothing is sent to it any more: the
// engine cancels what it was still owed (001.11).
func (c *Control) DeleteWebhook(ctx context.Context, p auth.Principal, tenantName string, id postrider.EndpointID) (*postrider.Endpoint, error) {
	found, err := c.webhook(ctx, p, auth.DeleteWebhook, tenantName, id)
	if err != nil {
		return nil, err
	}
	c.changes.Lock()
	defer c.changes.Unlock()
	deleted, err := c.parts.Store.DeleteEndpoint(ctx, found.Tenant, id, c.now())
	if err != nil {
		return nil, missing(err, p, "webhook", id.String())
	}
	if count, counted := c.webhooks[deleted.Tenant]; counted {
		c.webhooks[deleted.Tenant] = count - 1
	}
	if err := c.announce(deleted); err != nil {
		return nil, err
	}
	return deleted, c.record(ctx, p, deleted.Tenant, auth.DeleteWebhook, id.String(), webhookDetail(deleted)...)
}

// webhook authorizes the action and finds the webhook.
func (c *Control) webhook(ctx context.Context, p auth.Principal, action auth.Action, tenantName string, id postrider.EndpointID) (*postrider.Endpoint, error) {
	if err := p.Authorize(action); err != nil {
		return nil, err
	}
	tenant, err := c.Tenant(ctx, p, tenantName)
	if err != nil {
		return nil, err
	}
	webhook, err := c.parts.Store.FindEndpoint(ctx, tenant, id)
	if err != nil {
		return nil, missing(err, p, "webhook", id.String())
	}
	if !p.Reaches(webhook.Environment) {
		return nil, notFound(p, "webhook", id.String())
	}
	return webhook, nil
}

// noContract says that a contract is not known, and which are.
func (c *Control) noContract(name string) error {
	return &postrider.Error{
		Code:    postrider.CodeNotFound,
		Message: "there is no contract " + quote(name) + "; there are " + list(c.parts.Contracts.Names()),
	}
}

// terms finds the contract of a webhook, or notes that it is not known.
func (c *Control) terms(faults *postrider.Faults, name string) (*contract.Contract, bool) {
	terms, found := c.parts.Contracts.Find(name)
	if !found {
		faults.Add("contract", "there is no contract %s; there are %s", quote(name), list(c.parts.Contracts.Names()))
	}
	return terms, found
}
