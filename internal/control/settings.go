package control

import (
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// SettingsContract is the contract of the webhook that holds an application's API settings (seed 003).
const SettingsContract = "shiip"

// settingsTestTopic is what a test request of the API settings tells of when none is named (003.1).
const settingsTestTopic postrider.Topic = "shipment.status_updated"

// APISettings is where one environment of a tenant gets all of its events: one URL and one secret
// (003.2). Underneath it is a webhook of SettingsContract that takes every topic.
type APISettings struct {
	Environment postrider.Environment
	Webhook     *postrider.Endpoint // nil while no URL is configured: then nothing is sent (003.3)
	Every       time.Duration       // the dispatch rhythm (003.7)
	NextAt      time.Time           // when the next round goes
	Timeout     time.Duration       // of one request (003.5)
}

// SettingsChange is what API settings are to be.
type SettingsChange struct {
	URL     string           // "" removes the settings, and cancels what still waits
	Secret  postrider.Secret // zero: the one in force stays, or the first time one is generated
	Rotate  bool             // the new secret, generated when none is given, takes over as by RotateSecret
	Overlap *time.Duration   // of the rotation
}

// FindAPISettings gives the API settings of an environment; "" is the principal's.
func (c *Control) FindAPISettings(ctx context.Context, p auth.Principal, tenantName string, environment postrider.Environment) (*APISettings, error) {
	tenant, environment, terms, err := c.settingsOf(ctx, p, auth.ReadSettings, tenantName, environment)
	if err != nil {
		return nil, err
	}
	webhook, err := c.settingsWebhook(ctx, tenant, environment)
	if err != nil {
		return nil, err
	}
	return c.apiSettings(terms, environment, webhook), nil
}

// PutAPISettings makes, changes or removes the API settings of an environment. generated is the secret
// when it was made here, to be shown this once. Events that wait for their round go to the
// URL as it is then (A003-9).
func (c *Control) PutAPISettings(ctx context.Context, p auth.Principal, tenantName string, environment postrider.Environment, in SettingsChange) (now *APISettings, generated postrider.Secret, err error) {
	tenant, environment, terms, err := c.settingsOf(ctx, p, auth.UpdateSettings, tenantName, environment)
	if err != nil {
		return nil, generated, err
	}
	c.settings.Lock()
	defer c.settings.Unlock()
	webhook, err := c.settingsWebhook(ctx, tenant, environment)
	if err != nil {
		return nil, generated, err
	}
	name := tenant.String()
	switch {
	case in.URL == "" && webhook == nil:
	case in.URL == "":
		_, err = c.DeleteWebhook(ctx, p, name, webhook.ID)
		webhook = nil
	case webhook == nil:
		webhook, generated, err = c.RegisterWebhook(ctx, p, Registration{Tenant: name, Environment: environment, URL: in.URL,
			Topics: []postrider.Topic{"*"}, Contract: SettingsContract, Secret: in.Secret, Description: "API settings"})
	default:
		webhook, generated, err = c.changeSettings(ctx, p, webhook.ID, name, in)
	}
	if err != nil {
		return nil, postrider.Secret{}, err
	}
	return c.apiSettings(terms, environment, webhook), generated, nil
}

// changeSettings changes the webhook in one step, and lets it go again when it was paused or disabled.
func (c *Control) changeSettings(ctx context.Context, p auth.Principal, id postrider.EndpointID, tenantName string, in SettingsChange) (webhook *postrider.Endpoint, generated postrider.Secret, err error) {
	webhook, err = c.update(ctx, p, tenantName, id, func(now *postrider.Endpoint) (Change, error) {
		var change Change
		if in.Rotate {
			var err error
			if change, generated, err = c.rotation(now, Rotation{Secret: in.Secret, Overlap: in.Overlap}); err != nil {
				return change, err
			}
		} else if !in.Secret.IsZero() && !slices.Contains(inForce(now, c.now()), in.Secret) {
			change.Secret = &in.Secret
		}
		enabled := postrider.EndpointEnabled
		change.URL, change.State = &in.URL, &enabled
		return change, nil
	})
	return webhook, generated, err
}

// TestAPISettings sends the configured URL one test event at once and says what came back (003.6, A003-7). It
// waits for no round and is no event. CodeConflict when no URL is configured.
func (c *Control) TestAPISettings(ctx context.Context, p auth.Principal, tenantName string, environment postrider.Environment, topic postrider.Topic) (*Trial, error) {
	tenant, environment, _, err := c.settingsOf(ctx, p, auth.TestWebhook, tenantName, environment)
	if err != nil {
		return nil, err
	}
	webhook, err := c.settingsWebhook(ctx, tenant, environment)
	if err != nil {
		return nil, err
	}
	if webhook == nil {
		return nil, postrider.Errorf(postrider.CodeConflict, "no URL is configured for %s; PUT /v1/settings/api sets one", environment)
	}
	if topic == "" {
		topic = settingsTestTopic
	}
	return c.TestWebhook(ctx, p, tenant.String(), webhook.ID, topic)
}

// settingsOf authorizes the action and chooses tenant, environment and contract.
func (c *Control) settingsOf(ctx context.Context, p auth.Principal, action auth.Action, tenantName string, named postrider.Environment) (postrider.TenantID, postrider.Environment, *contract.Contract, error) {
	none := postrider.TenantID{}
	if err := p.Authorize(action); err != nil {
		return none, "", nil, err
	}
	tenant, err := c.Tenant(ctx, p, tenantName)
	if err != nil {
		return none, "", nil, err
	}
	environment, err := p.In(named)
	if err != nil {
		return none, "", nil, err
	}
	terms, found := c.parts.Contracts.Find(SettingsContract)
	if !found {
		return none, "", nil, c.noContract(SettingsContract)
	}
	return tenant, environment, terms, nil
}

// settingsWebhook finds the webhook of the settings: the oldest of its contract that takes every topic. It
// is nil when there is none.
func (c *Control) settingsWebhook(ctx context.Context, tenant postrider.TenantID, environment postrider.Environment) (*postrider.Endpoint, error) {
	filter := store.EndpointFilter{Environment: environment, Contract: SettingsContract, Limit: MaxPage}
	for {
		some, err := c.parts.Store.Endpoints(ctx, tenant, filter)
		if err != nil {
			return nil, err
		}
		for _, webhook := range some {
			if slices.Equal(webhook.Topics, []postrider.Topic{"*"}) {
				return webhook, nil
			}
		}
		if len(some) < MaxPage {
			return nil, nil
		}
		filter.After = some[len(some)-1].ID
	}
}

func (c *Control) apiSettings(terms *contract.Contract, environment postrider.Environment, webhook *postrider.Endpoint) *APISettings {
	rhythm := terms.Document().Dispatch
	every := rhythm.Production
	if environment == postrider.Sandbox {
		every = rhythm.Sandbox
	}
	return &APISettings{
		Environment: environment, Webhook: webhook, Every: every,
		NextAt: terms.FirstDue(environment, c.now().Add(time.Millisecond)), Timeout: terms.Timeout(),
	}
}
