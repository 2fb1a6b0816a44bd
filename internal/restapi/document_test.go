package restapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

// document loads and validates what /openapi.json serves.
func document(t *testing.T, g *gateway) (*openapi3.T, routers.Router) {
	t.Helper()
	r := g.call("", "GET", "/openapi.json", "")
	if r.status != 200 {
		t.Fatalf("GET /openapi.json gave %d", r.status)
	}
	loaded, err := openapi3.NewLoader().LoadFromData([]byte(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(loaded)
	if err != nil {
		t.Fatal(err)
	}
	return loaded, router
}

func TestTheDocumentIsOpenAPI31AndDescribesEveryRoute(t *testing.T) {
	g := newGateway(t)
	doc, _ := document(t, g)
	if doc.OpenAPI != "3.1.0" || doc.Info.Version != "1.2.3" {
		t.Errorf("the document is OpenAPI %s of version %s", doc.OpenAPI, doc.Info.Version)
	}
	var found []string
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			found = append(found, method+" "+path)
			if op.Summary == "" || op.OperationID == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s is not described", method, path)
			}
			open := slices.Contains([]string{"/healthz", "/readyz", "/openapi.json"}, path)
			if secured := op.Security != nil && len(*op.Security) > 0; secured == open {
				t.Errorf("%s %s: secured is %v", method, path, secured)
			}
			if !open && (op.Responses.Value("401") == nil || op.Responses.Value("403") == nil || !strings.Contains(op.Description, "Roles: operator")) {
				t.Errorf("%s %s does not say who may call it", method, path)
			}
		}
	}
	slices.Sort(found)
	want := strings.Split(everyRoute, "\n")
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("the document has\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
	for name, schema := range doc.Components.Schemas {
		if strings.HasPrefix(name, "Body") || strings.Contains(name, "ErrorModel") {
			t.Errorf("the document has a schema %s, which is no type of the interface", name)
		}
		for field, property := range schema.Value.Properties {
			if property.Ref == "" && property.Value.Description == "" && !slices.Contains([]string{"environment", "error", "name", "value"}, field) {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
	}
}

const everyRoute = `POST /v1/webhooks
GET /v1/webhooks
POST /v1/webhooks/test
GET /v1/webhooks/{id}
PATCH /v1/webhooks/{id}
DELETE /v1/webhooks/{id}
POST /v1/webhooks/{id}/pause
POST /v1/webhooks/{id}/resume
POST /v1/webhooks/{id}/replay
POST /v1/webhooks/{id}/rotate-secret
POST /v1/webhooks/{id}/activate-secret
GET /v1/topics
POST /v1/topics
GET /v1/topics/policy
PUT /v1/topics/policy
GET /v1/topics/{name}
PATCH /v1/topics/{name}
DELETE /v1/topics/{name}
GET /v1/settings/api
PUT /v1/settings/api
POST /v1/settings/api/test
POST /v1/events
POST /v1/events/batch
GET /v1/events
GET /v1/events/{id}
POST /v1/events/{id}/replay
GET /v1/deliveries
GET /v1/deliveries/{id}
POST /v1/deliveries/{id}/retry
POST /v1/deliveries/{id}/replay
POST /v1/tenants
GET /v1/tenants
POST /v1/keys
GET /v1/keys
DELETE /v1/keys/{id}
POST /v1/users
GET /v1/users
GET /v1/users/{id}
PATCH /v1/users/{id}
DELETE /v1/users/{id}
GET /v1/audit
GET /v1/secrets
POST /v1/secrets/rotate
GET /v1/contracts
GET /v1/contracts/{name}
GET /healthz
GET /readyz
GET /openapi.json`

// checked sends a request through http and holds request and answer against the document.
type checked struct {
	t      *testing.T
	router routers.Router
	seen   map[string]bool
}

func (c *checked) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	route, parameters, err := c.router.FindRoute(r)
	if err != nil {
		c.t.Errorf("%s %s is not in the document: %v", r.Method, r.URL.Path, err)
		return http.DefaultTransport.RoundTrip(r)
	}
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true}}
	if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
		c.t.Errorf("%s %s: the request is not as documented: %v", r.Method, r.URL.Path, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(text))
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{RequestValidationInput: input,
		Status: answer.StatusCode, Header: answer.Header, Body: io.NopCloser(bytes.NewReader(text)), Options: input.Options})
	if err != nil {
		c.t.Errorf("%s %s: the answer %d %s is not as documented: %v", r.Method, r.URL.Path, answer.StatusCode, text, err)
	}
	c.seen[r.Method+" "+route.Path] = true
	return answer, nil
}

// TestRealAnswersAreAsDocumented makes every call through the client, with success and with
// refusals, and holds each exchange against the document.
func TestRealAnswersAreAsDocumented(t *testing.T) {
	g := newGateway(t)
	_, router := document(t, g)
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
	transport := &checked{t: t, router: router, seen: map[string]bool{}}
	ctx, c, operator := context.Background(), g.as(g.admin, over(transport)), g.as(g.operator, over(transport))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	g.engine.attempt = attemptOf(postrider.OutcomeRetryable)

	webhook, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"a.*"}, RateLimit: 5})
	must(err)
	_, err = c.Webhooks(ctx, webhookPage(1))
	must(err)
	topics, err := c.Topics(ctx, client.TopicFilter{Source: "webhook"})
	must(err)
	if len(topics.Data) != 1 || topics.Data[0].Name != "a.*" || topics.Data[0].Webhooks != 1 {
		t.Errorf("the topics are %+v", topics.Data)
	}
	_, err = c.Topics(ctx, client.TopicFilter{})
	must(err)
	_, err = operator.CreateTopic(ctx, api.TopicCreate{Name: "a.b", Description: "d", Example: []byte(`{"object":{}}`), PreviousExample: []byte(`[1]`)})
	must(err)
	_, err = operator.UpdateTopic(ctx, "a.b", api.TopicUpdate{Description: pointer("e"), Example: []byte(`null`)})
	must(err)
	_, err = c.Topic(ctx, "a.b")
	must(err)
	must(operator.DeleteTopic(ctx, "a.b"))
	policy, err := c.TopicPolicy(ctx)
	must(err)
	_, err = operator.PutTopicPolicy(ctx, *policy)
	must(err)
	_, err = c.APISettings(ctx, "")
	must(err)
	settings, err := c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{URL: pointer("https://example.com/all")})
	must(err)
	if settings.Secret == "" || settings.Dispatch.EverySeconds != 300 {
		t.Errorf("the settings are %+v", settings)
	}
	_, err = c.TestAPISettings(ctx, "sandbox", "")
	must(err)
	_, err = c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{})
	must(err)
	_, err = c.Webhook(ctx, webhook.ID)
	must(err)
	_, err = c.TestWebhook(ctx, webhook.ID, "a.b")
	must(err)
	_, err = c.RotateSecret(ctx, webhook.ID, api.RotateSecret{Overlap: "1h"})
	must(err)
	_, err = c.ActivateSecret(ctx, webhook.ID)
	must(err)
	_, err = c.UpdateWebhook(ctx, webhook.ID, api.WebhookUpdate{Status: pointer("disabled")})
	must(err)
	_, err = c.ResumeWebhook(ctx, webhook.ID)
	must(err)
	_, err = c.PauseWebhook(ctx, webhook.ID)
	must(err)

	accepted, err := c.PublishWithKey(ctx, api.EventCreate{Type: "a.b", Data: []byte(`{"object":{}}`), PreviousData: []byte(`[1]`)}, "k")
	must(err)
	_, err = c.PublishBatch(ctx, []api.EventCreate{{Type: "a.b", Data: []byte(`1`)}, {Type: "!", Data: []byte(`"x"`)}, {Type: "none", Data: []byte(`[]`)}}, "")
	must(err)
	_, err = c.PublishLines(ctx, []api.EventCreate{{Type: "a.b", Data: []byte(`1`)}}, "")
	must(err)
	_, err = c.Event(ctx, accepted.ID, "")
	must(err)
	events, err := c.Events(ctx, eventPage(2))
	must(err)
	if len(events.Data) != 2 || events.Next == nil {
		t.Errorf("a page of two of four events is %+v", events)
	}
	deliveries, err := c.Deliveries(ctx, deliveryPage(10))
	must(err)
	delivery := deliveries.Data[len(deliveries.Data)-1].ID
	g.settle(delivery)
	detail, err := c.Delivery(ctx, delivery)
	must(err)
	if len(detail.Attempts) != 1 || detail.Attempts[0].Response.Status != 503 {
		t.Errorf("the delivery's attempts are %+v", detail.Attempts)
	}
	_, err = c.ReplayDelivery(ctx, delivery)
	must(err)
	_, err = c.RetryDelivery(ctx, delivery)
	must(err)
	_, err = c.ReplayEvent(ctx, accepted.ID, "")
	must(err)
	_, err = c.ReplayWebhook(ctx, webhook.ID, api.ReplayRequest{DryRun: true, State: "none", Type: "a.*"})
	must(err)

	_, err = operator.CreateTenant(ctx, "newcomer")
	must(err)
	for _, err := range operator.AllTenants(ctx) {
		must(err)
	}
	key, err := operator.CreateKey(ctx, api.KeyCreate{Tenant: "newcomer", Role: "viewer", Name: "eyes", Environment: "sandbox"})
	must(err)
	_, err = operator.Keys(ctx, "operator")
	must(err)
	user, err := c.CreateUser(ctx, api.UserCreate{Email: "ada@example.com", Password: canaryPassword, Role: "viewer"})
	must(err)
	_, err = c.User(ctx, user.ID)
	must(err)
	_, err = c.UpdateUser(ctx, user.ID, api.UserUpdate{Role: pointer("publisher")})
	must(err)
	_, err = c.Users(ctx, false, client.Page{})
	must(err)
	must(c.DeleteUser(ctx, user.ID))
	_, err = c.Audit(ctx, false, client.Page{Limit: 2})
	must(err)
	_, err = operator.Audit(ctx, true, client.Page{})
	must(err)
	_, err = operator.Sealing(ctx)
	must(err)
	_, err = operator.RotateSealing(ctx)
	must(err)
	_, err = c.Contracts(ctx)
	must(err)
	_, err = c.Contract(ctx, "shiip")
	must(err)
	must(g.as(g.operator, over(transport), ofTenant("newcomer")).RevokeKey(ctx, key.ID))
	must(c.DeleteWebhook(ctx, webhook.ID))
	must(c.Health(ctx))
	must(c.Ready(ctx))
	_, err = c.OpenAPI(ctx)
	must(err)
	for _, route := range strings.Split(everyRoute, "\n") {
		if !transport.seen[route] {
			t.Errorf("no exchange of %s was held against the document", route)
		}
	}

	// Refusals, too, are as documented.
	if _, err := c.Webhook(ctx, "wh_none"); err == nil {
		t.Error("an id that cannot be was found")
	}
	if _, err := c.Publish(ctx, api.EventCreate{Type: "a.b", Data: []byte(`1`), ID: "a.b"}); err == nil {
		t.Error("a given id with a dot was taken")
	}
	if _, err := g.as("nonsense", over(transport)).Contracts(ctx); err == nil {
		t.Error("a key that is not known was taken")
	}
	if _, err := g.as(g.viewer, over(transport)).CreateTenant(ctx, "x"); err == nil {
		t.Error("a viewer made a tenant")
	}
}
