package restapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postrider/postrider/internal/auth"
)

// route is one row of the table: where, what it needs, what the document says, and how it is served.
type route struct {
	method, path string
	id           string // OpenAPI operation id
	tag          string
	action       auth.Action
	status       int // of success
	summary      string
	description  string
	mount        func(*Handler, route)
}

// The tags, which group the routes in the document.
const (
	tagWebhooks   = "Webhooks"
	tagEvents     = "Events"
	tagTopics     = "Event types"
	tagSettings   = "API settings"
	tagDeliveries = "Deliveries"
	tagAdmin      = "Tenants, users and keys"
	tagContracts  = "Contracts"
	tagGateway    = "Gateway"
)

// routes is the table of all routes.
func routes() []route {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	return []route{
		{post, "/v1/webhooks", "registerWebhook", tagWebhooks, auth.RegisterWebhook, 201, "Register a webhook",
			"The answer holds the signing secret when it was generated, this once.", managed((*Handler).registerWebhook)},
		{get, "/v1/webhooks", "listWebhooks", tagWebhooks, auth.ReadWebhooks, 200, "List webhooks", "The oldest first.", managed((*Handler).listWebhooks)},
		{post, "/v1/webhooks/test", "testWebhook", tagWebhooks, auth.TestWebhook, 200, "Send a test event",
			"Sends at once one signed event that is shaped as a real one, and answers what the endpoint said. Nothing is kept.", managed((*Handler).testWebhook)},
		{get, "/v1/webhooks/{id}", "getWebhook", tagWebhooks, auth.ReadWebhooks, 200, "Get a webhook", "", managed((*Handler).getWebhook)},
		{patch, "/v1/webhooks/{id}", "updateWebhook", tagWebhooks, auth.UpdateWebhook, 200, "Change a webhook",
			"Absent fields stay; events replaces the whole list; status \"enabled\" lets a disabled webhook go again.", managed((*Handler).updateWebhook)},
		{del, "/v1/webhooks/{id}", "deleteWebhook", tagWebhooks, auth.DeleteWebhook, 204, "Delete a webhook",
			"Deliveries that it was still owed are cancelled.", managed((*Handler).deleteWebhook)},
		{post, "/v1/webhooks/{id}/pause", "pauseWebhook", tagWebhooks, auth.UpdateWebhook, 200, "Pause a webhook", "Its deliveries are made and wait.", managed((*Handler).pauseWebhook)},
		{post, "/v1/webhooks/{id}/resume", "resumeWebhook", tagWebhooks, auth.UpdateWebhook, 200, "Resume a webhook",
			"A paused or disabled webhook goes again, with the deliveries that waited.", managed((*Handler).resumeWebhook)},

		{post, publishPath, "publishEvent", tagEvents, auth.PublishEvent, 202, "Publish an event",
			"The event is durable when 202 is answered. The same Idempotency-Key, or the same id, with the same content answers the first event again, with header Idempotent-Replayed.", byHand((*Handler).publish, documentPublish)},
		{post, "/v1/events/batch", "publishBatch", tagEvents, auth.PublishEvent, 202, "Publish many events",
			"A JSON array or NDJSON. Every event has an answer of its own, in order; one that is refused does not hinder the others.", byHand((*Handler).publishBatch, documentBatch)},
		{get, "/v1/events", "listEvents", tagEvents, auth.ReadEvents, 200, "List events", "The newest first, without their data.", managed((*Handler).listEvents)},
		{get, "/v1/events/{id}", "getEvent", tagEvents, auth.ReadEvents, 200, "Get an event", "With its deliveries, or the reasons why there are none.", managed((*Handler).getEvent)},

		{get, "/v1/deliveries", "listDeliveries", tagDeliveries, auth.ReadDeliveries, 200, "List deliveries", "The newest event's first.", managed((*Handler).listDeliveries)},
		{get, "/v1/deliveries/{id}", "getDelivery", tagDeliveries, auth.ReadDeliveries, 200, "Get a delivery", "With every attempt.", managed((*Handler).getDelivery)},
		{post, "/v1/deliveries/{id}/retry", "retryDelivery", tagDeliveries, auth.RetryDelivery, 200, "Retry a delivery",
			"Makes a delivery that has not succeeded due at once.", managed((*Handler).retryDelivery)},

		{post, "/v1/tenants", "createTenant", tagAdmin, auth.CreateTenant, 201, "Create a tenant", "", managed((*Handler).createTenant)},
		{get, "/v1/tenants", "listTenants", tagAdmin, auth.ReadTenants, 200, "List tenants", "Other keys than an operator's see their own only.", managed((*Handler).listTenants)},
		{post, "/v1/keys", "createKey", tagAdmin, auth.CreateKey, 201, "Create a key", "The answer holds the key itself, this once.", managed((*Handler).createKey)},
		{get, "/v1/keys", "listKeys", tagAdmin, auth.ReadKeys, 200, "List keys", "Never with their text.", managed((*Handler).listKeys)},
		{del, "/v1/keys/{id}", "revokeKey", tagAdmin, auth.RevokeKey, 204, "Revoke a key", "It is refused from then on.", managed((*Handler).revokeKey)},
		{post, "/v1/users", "createUser", tagAdmin, auth.CreateUser, 201, "Create a user", "Somebody who logs in by name and password.", managed((*Handler).createUser)},
		{get, "/v1/users", "listUsers", tagAdmin, auth.ReadUsers, 200, "List users", "", managed((*Handler).listUsers)},
		{get, "/v1/users/{id}", "getUser", tagAdmin, auth.ReadUsers, 200, "Get a user", "", managed((*Handler).getUser)},
		{patch, "/v1/users/{id}", "updateUser", tagAdmin, auth.UpdateUser, 200, "Change a user",
			"A new password, another role and being disabled end the user's sessions.", managed((*Handler).updateUser)},
		{del, "/v1/users/{id}", "deleteUser", tagAdmin, auth.DeleteUser, 204, "Delete a user", "Its tokens are refused from then on.", managed((*Handler).deleteUser)},
		{get, "/v1/audit", "listAudit", tagAdmin, auth.ReadAudit, 200, "List what was done", "By whom and to what, the newest first.", managed((*Handler).listAudit)},

		{get, "/v1/contracts", "listContracts", tagContracts, auth.ReadContracts, 200, "List contracts", "", managed((*Handler).listContracts)},
		{get, "/v1/contracts/{name}", "getContract", tagContracts, auth.ReadContracts, 200, "Get a contract", "With its document.", managed((*Handler).getContract)},

		{get, "/healthz", "health", tagGateway, auth.ActionNone, 200, "Whether the process is alive", "", byHand((*Handler).health, documentState)},
		{get, "/readyz", "ready", tagGateway, auth.ActionNone, 200, "Whether events can be taken", "", byHand((*Handler).ready, documentState)},
		{get, "/openapi.json", "openapi", tagGateway, auth.ActionNone, 200, "This document", "", byHand((*Handler).serveDocument, documentDocument)},
	}
}

// managed serves a route through huma: I is its parameters and body, O its answer.
func managed[I, O any](verb func(*Handler, context.Context, *call, *I) (*O, error)) func(*Handler, route) {
	return func(h *Handler, rt route) {
		op := operation(h.api, rt)
		op.MaxBodyBytes = maxManagedBody
		op.SkipValidateBody = true // Body reads it, and tells all faults at once
		op.RejectUnknownQueryParameters = true
		huma.Register(h.api, op, func(ctx context.Context, in *I) (*O, error) {
			c := callOf(ctx)
			out, err := verb(h, ctx, c, in)
			if err != nil {
				return nil, h.fault(ctx, c, err)
			}
			return out, nil
		})
	}
}

// maxManagedBody bounds the body of a management call, in bytes.
const maxManagedBody = 64 << 10

// Handle serves a route that huma registered: it lets huma read the request only after the caller
// was admitted.
func (a adapter) Handle(op *huma.Operation, handle func(huma.Context)) {
	action, _ := op.Metadata[metadataAction].(auth.Action)
	a.h.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		a.h.admit(w, r, callOf(r.Context()), action, func(h *Handler, w http.ResponseWriter, r *http.Request, c *call) {
			c.principal.From = remote(r)
			if op.RequestBody != nil {
				if err := checkJSON(r.Header); err != nil {
					h.refuse(w, r, c, err)
					return
				}
			}
			handle(plainStatus{humago.NewContext(op, r, w)})
		})
	})
}

// plainStatus makes 400 of huma's 422: bad input has one status here.
type plainStatus struct{ humaContext }

type humaContext = huma.Context // an embedded huma.Context would hide its own method Context

func (p plainStatus) SetStatus(status int) {
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	p.humaContext.SetStatus(status)
}

// byHand serves a route without huma, and puts it into the document by hand.
func byHand(serve func(*Handler, http.ResponseWriter, *http.Request, *call), document func(huma.API, *huma.Operation)) func(*Handler, route) {
	return func(h *Handler, rt route) {
		h.mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
			h.admit(w, r, callOf(r.Context()), rt.action, serve)
		})
		op := operation(h.api, rt)
		document(h.api, &op)
		h.api.OpenAPI().AddOperation(&op)
	}
}

func (h *Handler) health(w http.ResponseWriter, _ *http.Request, _ *call) {
	w.Header()["Content-Type"] = h.json
	_, _ = w.Write([]byte("{\"status\":\"ok\"}\n")) // the client may have gone
}

func (h *Handler) ready(w http.ResponseWriter, r *http.Request, c *call) {
	ctx, cancel := context.WithTimeout(r.Context(), readyLimit)
	defer cancel()
	if err := h.parts.Ready(ctx); err != nil {
		h.refuse(w, r, c, unavailable(err))
		return
	}
	w.Header()["Content-Type"] = h.json
	_, _ = w.Write([]byte("{\"status\":\"ready\"}\n")) // the client may have gone
}

func (h *Handler) serveDocument(w http.ResponseWriter, _ *http.Request, _ *call) {
	w.Header()["Content-Type"] = h.json
	_, _ = w.Write(h.document) // the client may have gone
}
