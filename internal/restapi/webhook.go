package restapi

import (
	"context"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
)

func (h *Handler) registerWebhook(ctx context.Context, c *call, in *struct {
	TenantQuery
	Body Body[api.WebhookCreate]
}) (*created[api.Webhook], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	tenant, err := in.with(asked.Tenant)
	if err != nil {
		return nil, err
	}
	asksFor, err := endpointAuth(asked.Auth)
	if err != nil {
		return nil, err
	}
	endpoint, generated, err := h.parts.Control.RegisterWebhook(ctx, c.principal, control.Registration{
		Tenant: tenant, Environment: postrider.Environment(asked.Environment),
		URL: asked.URL, Topics: topics(asked.Events), Contract: asked.Contract,
		Secret: postrider.NewSecret(asked.Secret), Description: asked.Description,
		MaxInFlight: asked.MaxInFlight, RateLimit: asked.RateLimit, RateBurst: asked.RateBurst,
		Auth: asksFor,
	})
	if err != nil {
		return nil, err
	}
	out := &created[api.Webhook]{Location: "/v1/webhooks/" + endpoint.ID.String(), Body: h.wireWebhook(endpoint)}
	out.Body.Secret = shown(generated) // shown this once (A004-7)
	return out, nil
}

// shown is the text of a secret in the one answer that shows it; "" when none was generated.
func shown(generated postrider.Secret) string { return generated.Reveal() }

func (h *Handler) listWebhooks(ctx context.Context, c *call, in *struct {
	TenantQuery
	EnvironmentQuery
	PageQuery
	Contract string `query:"contract" maxLength:"64" doc:"With this contract only."`
	Status   string `query:"status" enum:"enabled,paused,disabled" doc:"In this status only."`
	Type     string `query:"type" maxLength:"128" doc:"That get events of this type only."`
}) (*answer[api.List[api.Webhook]], error) {
	after, err := cursor(in.Cursor, postrider.ParseEndpointID)
	if err != nil {
		return nil, err
	}
	found, more, err := h.parts.Control.ChooseWebhooks(ctx, c.principal, in.Tenant, control.WebhookFilter{
		EndpointFilter: store.EndpointFilter{Environment: postrider.Environment(in.Environment), Contract: in.Contract, After: after, Limit: in.Limit},
		State:          postrider.EndpointState(in.Status), Topic: postrider.Topic(in.Type),
	})
	if err != nil {
		return nil, err
	}
	return listOf(found, more, h.wireWebhook, func(e *postrider.Endpoint) string { return e.ID.String() }), nil
}

func (h *Handler) getWebhook(ctx context.Context, c *call, in *ByID) (*answer[api.Webhook], error) {
	return h.onWebhook(ctx, c, in, h.parts.Control.FindWebhook)
}

func (h *Handler) pauseWebhook(ctx context.Context, c *call, in *ByID) (*answer[api.Webhook], error) {
	return h.onWebhook(ctx, c, in, h.parts.Control.PauseWebhook)
}

func (h *Handler) resumeWebhook(ctx context.Context, c *call, in *ByID) (*answer[api.Webhook], error) {
	return h.onWebhook(ctx, c, in, h.parts.Control.ResumeWebhook)
}

func (h *Handler) updateWebhook(ctx context.Context, c *call, in *struct {
	ByID
	Body Body[api.WebhookUpdate]
}) (*answer[api.Webhook], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	change := control.Change{
		URL: asked.URL, Contract: asked.Contract, Description: asked.Description, State: (*postrider.EndpointState)(asked.Status),
		MaxInFlight: asked.MaxInFlight, RateLimit: asked.RateLimit, RateBurst: asked.RateBurst,
	}
	if asked.Events != nil {
		list := topics(*asked.Events)
		change.Topics = &list
	}
	if asked.Secret != nil {
		secret := postrider.NewSecret(*asked.Secret)
		change.Secret = &secret
	}
	if asked.Auth != nil || in.Body.isNull("auth") {
		auth, err := endpointAuth(asked.Auth)
		if err != nil {
			return nil, err
		}
		change.Auth = &auth
	}
	return h.onWebhook(ctx, c, &in.ByID, func(ctx context.Context, p principal, tenant string, id postrider.EndpointID) (*postrider.Endpoint, error) {
		return h.parts.Control.UpdateWebhook(ctx, p, tenant, id, change)
	})
}

func (h *Handler) deleteWebhook(ctx context.Context, c *call, in *ByID) (*done, error) {
	_, err := h.onWebhook(ctx, c, in, h.parts.Control.DeleteWebhook)
	return &done{}, err
}

func (h *Handler) testWebhook(ctx context.Context, c *call, in *struct {
	TenantQuery
	Body Body[api.TestRequest]
}) (*answer[api.TestResult], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	if asked.WebhookID == "" {
		return nil, postrider.FieldError("webhook_id", "is required: which webhook to test")
	}
	id, err := postrider.ParseEndpointID(asked.WebhookID)
	if err != nil {
		return nil, noSuch("webhook", asked.WebhookID)
	}
	trial, err := h.parts.Control.TestWebhook(ctx, c.principal, in.Tenant, id, postrider.Topic(asked.EventType))
	if err != nil {
		return nil, err
	}
	return &answer[api.TestResult]{Body: wireTrial(trial)}, nil
}

func wireTrial(trial *control.Trial) api.TestResult {
	return api.TestResult{
		WebhookID: trial.Webhook.ID.String(), EventID: trial.Event.PublicID(), EventType: string(trial.Event.Topic),
		Delivered: trial.Attempt.Outcome.Kind == postrider.OutcomeSuccess,
		Status:    trial.Attempt.Response.Status, Attempt: wireAttempt(&trial.Attempt),
	}
}

// onWebhook asks a verb about the webhook that the path names.
func (h *Handler) onWebhook(ctx context.Context, c *call, in *ByID,
	verb func(context.Context, principal, string, postrider.EndpointID) (*postrider.Endpoint, error)) (*answer[api.Webhook], error) {
	id, err := postrider.ParseEndpointID(in.ID)
	if err != nil {
		return nil, noSuch("webhook", in.ID)
	}
	endpoint, err := verb(ctx, c.principal, in.Tenant, id)
	if err != nil {
		return nil, err
	}
	return &answer[api.Webhook]{Body: h.wireWebhook(endpoint)}, nil
}

func topics(names []string) []postrider.Topic {
	out := make([]postrider.Topic, len(names))
	for i, name := range names {
		out[i] = postrider.Topic(name)
	}
	return out
}
