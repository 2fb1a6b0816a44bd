package restapi

import (
	"context"
	"net/http"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
)

func settingsRoutes() []route {
	return []route{
		{http.MethodGet, "/v1/settings/api", "getAPISettings", tagSettings, auth.ReadSettings, 200, "Get the API settings of an environment",
			"Where all of its events go, and when the next round is.", managed((*Handler).getAPISettings)},
		{http.MethodPut, "/v1/settings/api", "putAPISettings", tagSettings, auth.UpdateSettings, 200, "Set, change or remove the API settings",
			"One URL gets every event of the environment, one POST each, in order, in rounds: every 30 minutes in production, every 5 in the sandbox. " +
				"Events that wait go to the URL as it is then. The answer holds the secret when it was generated, this once.", managed((*Handler).putAPISettings)},
		{http.MethodPost, "/v1/settings/api/test", "testAPISettings", tagSettings, auth.TestWebhook, 200, "Send a test request",
			"Sends at once one signed test event to the configured URL, and answers what the endpoint said. Nothing is kept.", managed((*Handler).testAPISettings)},
	}
}

func (h *Handler) getAPISettings(ctx context.Context, c *call, in *struct {
	TenantQuery
	EnvironmentQuery
}) (*answer[api.APISettings], error) {
	found, err := h.parts.Control.FindAPISettings(ctx, c.principal, in.Tenant, postrider.Environment(in.Environment))
	if err != nil {
		return nil, err
	}
	return &answer[api.APISettings]{Body: h.wireSettings(found)}, nil
}

func (h *Handler) putAPISettings(ctx context.Context, c *call, in *struct {
	TenantQuery
	EnvironmentQuery
	Body Body[api.APISettingsUpdate]
}) (*answer[api.APISettings], error) {
	asked, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	if asked.URL == nil && !in.Body.isNull("url") || asked.URL != nil && *asked.URL == "" {
		return nil, postrider.FieldError("url", "is required: such as \"https://example.com/webhook\", or null to send nothing")
	}
	overlap, err := span("overlap", asked.Overlap)
	if err != nil {
		return nil, err
	}
	if overlap != nil && !asked.RotateSecret {
		return nil, postrider.FieldError("overlap", "belongs to \"rotate_secret\": true")
	}
	now, generated, err := h.parts.Control.PutAPISettings(ctx, c.principal, in.Tenant, postrider.Environment(in.Environment), control.SettingsChange{
		URL: orZero(asked.URL), Secret: postrider.NewSecret(asked.Secret), Rotate: asked.RotateSecret, Overlap: overlap,
	})
	if err != nil {
		return nil, err
	}
	out := &answer[api.APISettings]{Body: h.wireSettings(now)}
	out.Body.Secret = shown(generated) // shown this once (A003-6)
	return out, nil
}

func (h *Handler) testAPISettings(ctx context.Context, c *call, in *struct {
	TenantQuery
	EnvironmentQuery
	Body *Body[api.APISettingsTest]
}) (*answer[api.TestResult], error) {
	asked, err := in.Body.takeOrNothing()
	if err != nil {
		return nil, err
	}
	trial, err := h.parts.Control.TestAPISettings(ctx, c.principal, in.Tenant, postrider.Environment(in.Environment), postrider.Topic(asked.EventType))
	if err != nil {
		return nil, err
	}
	return &answer[api.TestResult]{Body: wireTrial(trial)}, nil
}

func (h *Handler) wireSettings(s *control.APISettings) api.APISettings {
	out := api.APISettings{
		Environment: string(s.Environment), Status: "none", TimeoutMS: s.Timeout.Milliseconds(),
		Dispatch: api.Dispatch{EverySeconds: s.Every.Seconds(), NextAt: s.NextAt},
	}
	if w := s.Webhook; w != nil {
		id := w.ID.String()
		out.URL, out.WebhookID, out.Status, out.UpdatedAt = &w.URL, &id, string(w.State), wireTime(w.UpdatedAt)
		out.SecretRotation = h.wireRotation(w)
	}
	return out
}
