package restapi

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/auth"
)

const (
	schemaPrefix   = "#/components/schemas/"
	securityName   = "key"
	metadataAction = "action"
)

// describe begins the OpenAPI document; routes add to it as they are mounted.
func describe(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Postrider",
				Version: version,
				Description: "Postrider is a webhook gateway: publish an event once, and it is signed and delivered to every webhook that subscribed, " +
					"and retried until each delivery has an end that can be explained.\n\n" +
					"Send `Authorization: Bearer <key>`. An operator's key names a tenant in each call, or means `default`. " +
					"Lists are `{\"data\": […], \"next\": cursor}`; errors are `{\"error\": {\"code\", \"message\", \"fields\"}}`. " +
					"Every answer has an X-Request-Id; send your own to find it in the gateway's log.\n\n" +
					"Each key has a limit of publishing requests a minute, and one of all others: X-RateLimit-Limit, X-RateLimit-Remaining " +
					"(rounded down to a thousandth of the limit) and X-RateLimit-Reset (seconds since 1970) tell how it stands; " +
					"over the limit the answer is 429 with Retry-After.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Tags: []*huma.Tag{
				{Name: tagWebhooks, Description: "Where events go, and how."},
				{Name: tagEvents, Description: "What happened."},
				{Name: tagTopics, Description: "Which kinds of things happen."},
				{Name: tagSettings, Description: "One URL for everything that happens in an environment."},
				{Name: tagDeliveries, Description: "What is owed, and every attempt at it."},
				{Name: tagAdmin, Description: "Who owns what, and who may ask."},
				{Name: tagContracts, Description: "How requests to webhooks are shaped, signed, timed and retried."},
				{Name: tagGateway, Description: "The gateway itself."},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityName: {Type: "http", Scheme: "bearer", Description: "A key, from POST /v1/keys or the operator, or the ID token of a login."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{rewrite},
	}
}

// operation is what the document says of a route, less parameters, body and the answer of success,
// which huma reads off the handler's types.
func operation(in huma.API, rt route) huma.Operation {
	op := huma.Operation{
		OperationID: rt.id, Method: rt.method, Path: rt.path, Tags: []string{rt.tag},
		Summary: rt.summary, Description: rt.description, DefaultStatus: rt.status,
		Metadata:  map[string]any{metadataAction: rt.action},
		Responses: map[string]*huma.Response{},
	}
	for _, code := range failures(rt) {
		op.Responses[strconv.Itoa(status(code))] = failure(in, code)
	}
	if rt.action == auth.ActionNone {
		op.Security = []map[string][]string{}
		return op
	}
	op.Security = []map[string][]string{{securityName: {}}}
	roles := rt.action.Roles()
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	op.Description = strings.TrimSpace(op.Description + "\n\nRoles: " + strings.Join(names, ", ") + ".")
	return op
}

// failures lists how a route can fail.
func failures(rt route) []postrider.Code {
	if rt.action == auth.ActionNone {
		return []postrider.Code{postrider.CodeUnavailable, postrider.CodeInternal}
	}
	codes := []postrider.Code{postrider.CodeInvalid, postrider.CodeUnauthenticated, postrider.CodeForbidden,
		postrider.CodeNotFound, postrider.CodeRateLimited, postrider.CodeUnavailable, postrider.CodeInternal}
	if rt.method != http.MethodGet {
		codes = append(codes, postrider.CodeConflict, postrider.CodeStorageFull)
	}
	if rt.method == http.MethodPost || rt.method == http.MethodPut || rt.method == http.MethodPatch {
		codes = append(codes, postrider.CodeTooLarge, postrider.CodeUnsupportedType)
	}
	return codes
}

// failure is the document's answer for a code.
func failure(in huma.API, code postrider.Code) *huma.Response {
	r := &huma.Response{
		Description: http.StatusText(status(code)),
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[api.ErrorBody](in)}},
	}
	if retryAfter(code) != "" {
		r.Headers = map[string]*huma.Param{"Retry-After": textHeader("Seconds to wait.")}
	}
	if code == postrider.CodeRateLimited {
		r.Headers["X-RateLimit-Limit"] = textHeader("Requests of this key a minute.")
		r.Headers["X-RateLimit-Remaining"] = textHeader("How many more it may make at once.")
		r.Headers["X-RateLimit-Reset"] = textHeader("When the whole limit is there again, in seconds since 1970.")
	}
	return r
}

func textHeader(description string) *huma.Param {
	return &huma.Param{Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

func schemaOf[T any](in huma.API) *huma.Schema {
	t := reflect.TypeFor[T]()
	return in.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

// documentPublish describes POST /v1/events, which huma does not serve.
func documentPublish(in huma.API, op *huma.Operation) {
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemaOf[api.EventCreate](in)},
	}}
	op.Parameters = []*huma.Param{idempotencyParam(), tenantParam()}
	op.Responses["202"] = &huma.Response{
		Description: "Accepted: the event and what is owed for it are durable.",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[api.EventAccepted](in)}},
		Headers: map[string]*huma.Param{"Idempotent-Replayed": {
			Description: "true when the same was accepted before and this is the first answer again.",
			Schema:      &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}},
		}},
	}
}

// documentBatch describes POST /v1/events/batch, which huma does not serve.
func documentBatch(in huma.API, op *huma.Operation) {
	most := 1000
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Type: huma.TypeArray, Items: schemaOf[api.EventCreate](in), MaxItems: &most}},
		ndjson:             {Schema: &huma.Schema{Type: huma.TypeString, Description: "One event a line."}},
	}}
	op.Parameters = []*huma.Param{idempotencyParam(), tenantParam()}
	op.Responses["202"] = &huma.Response{
		Description: "Each event was accepted, or its answer says why not.",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[api.BatchResult](in)}},
	}
}

func idempotencyParam() *huma.Param {
	most := 248
	return &huma.Param{Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most},
		Description: "Makes publishing repeatable: the same key with the same content answers the first event again, with other content 409."}
}

func tenantParam() *huma.Param {
	return &huma.Param{Name: "tenant", In: "query", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "Name or id of the tenant, for an operator's key, of events that name none."}
}

// documentState describes /healthz and /readyz.
func documentState(_ huma.API, op *huma.Operation) {
	op.Responses["200"] = &huma.Response{
		Description: "Yes.",
		Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"status"},
			Properties: map[string]*huma.Schema{"status": {Type: huma.TypeString, Enum: []any{"ok", "ready"}}},
		}}},
	}
}

// documentDocument describes /openapi.json.
func documentDocument(_ huma.API, op *huma.Operation) {
	op.Responses["200"] = &huma.Response{
		Description: "OpenAPI 3.1.",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}},
	}
}
