package graphapi

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
)

// Webhooks are the verbs on webhooks; control.Control fulfils it.
type Webhooks interface {
	Registrations
	Secrets
	TestWebhook(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID, topic postrider.Topic) (*control.Trial, error)
	Deliveries(ctx context.Context, p auth.Principal, tenant string, filter store.DeliveryFilter) ([]postrider.Delivery, bool, error)
}

// Registrations are the verbs on webhooks that the seed has, and changing one.
type Registrations interface {
	RegisterWebhook(ctx context.Context, p auth.Principal, in control.Registration) (*postrider.Endpoint, postrider.Secret, error)
	Webhooks(ctx context.Context, p auth.Principal, tenant string, filter store.EndpointFilter) ([]*postrider.Endpoint, bool, error)
	FindWebhook(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID) (*postrider.Endpoint, error)
	UpdateWebhook(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID, change control.Change) (*postrider.Endpoint, error)
	DeleteWebhook(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID) (*postrider.Endpoint, error)
}

// Secrets are the verbs that exchange a webhook's secret, and tell which one signs.
type Secrets interface {
	RotateSecret(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID, in control.Rotation) (*postrider.Endpoint, postrider.Secret, error)
	ActivateSecret(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID) (*postrider.Endpoint, error)
	SignsWith(webhook *postrider.Endpoint) control.SigningSide
	RotationOf(webhook *postrider.Endpoint) *postrider.SecretRotation
}

// Logins are the verbs that give tokens; control.Control fulfils it.
type Logins interface {
	Login(ctx context.Context, login, password string, from netip.Addr) (*auth.Session, error)
	RefreshLogin(ctx context.Context, refreshToken string) (*auth.Session, error)
}

// Tokens finds whose a token is, and tells how anybody can check one; auth.Tokens fulfils it.
type Tokens interface {
	Check(ctx context.Context, idToken string, now time.Time) (auth.Principal, error)
	JWKS() []byte
}

// Parts are the things a Handler works with. All are needed.
type Parts struct {
	Webhooks Webhooks
	Logins   Logins
	Tokens   Tokens
}

// Options shape a Handler. Zero fields have the defaults named here.
type Options struct {
	Logger *slog.Logger     // discards
	Now    func() time.Time // the clock: time.Now
}

// Handler is the login and the GraphQL API. It is safe for concurrent use.
type Handler struct {
	parts     Parts
	log       *slog.Logger
	now       func() time.Time
	schema    *ast.Schema
	resolvers resolvers
}

//go:embed schema.graphql
var schemaText string

// New makes the handler of all routes.
func New(o Options, parts Parts) *Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	// The schema is a part of the program, as a regular expression would be.
	schema := gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: schemaText})
	h := &Handler{parts: parts, log: o.Logger, now: o.Now, schema: schema, resolvers: resolvers{}}
	for _, table := range []resolvers{webhookFields(), deliveryFields(), introspection()} {
		for name, fields := range table {
			h.resolvers[name] = fields
		}
	}
	return h
}

// The paths.
const (
	loginPath   = "/login"
	refreshPath = "/login/refresh"
	graphqlPath = "/graphql"
	keysPath    = "/.well-known/jwks.json"
)

// Owns reports whether a path is one of this API's, so that a server can share its paths out.
func Owns(path string) bool {
	switch path {
	case loginPath, refreshPath, graphqlPath, keysPath:
		return true
	}
	return false
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.rescue(w, r)
	switch r.URL.Path {
	case loginPath:
		h.login(w, r)
	case refreshPath:
		h.refresh(w, r)
	case graphqlPath:
		h.graphql(w, r)
	case keysPath:
		h.keys(w, r)
	default:
		refuse(w, http.StatusNotFound, "NotFoundException", "There is nothing at this path.")
	}
}

// keys gives the public keys of the tokens (RFC 7517), for those who check a token themselves.
func (h *Handler) keys(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowedException", "This path takes GET.")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(h.parts.Tokens.JWKS())
}

// graphql judges who asks before anything else (A001-10), then reads, checks and runs what is asked.
func (h *Handler) graphql(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, POST")
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowedException", "This path takes POST and GET.")
		return
	}
	principal, refusal := h.authorize(r)
	if refusal != nil {
		refuse(w, refusal.status, refusal.kind, refusal.message)
		return
	}
	asked, err := readRequest(w, r)
	if err != nil {
		h.refuseMalformed(w, err)
		return
	}
	operation, variables, faults := prepare(h.schema, asked)
	if faults != nil {
		write(w, http.StatusOK, appendAnswer(nil, nil, faults))
		return
	}
	if r.Method == http.MethodGet && operation.Operation == ast.Mutation {
		w.Header().Set("Allow", "POST")
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowedException", "A mutation is sent by POST.")
		return
	}
	run := &run{ctx: r.Context(), handler: h, principal: principal, variables: variables}
	data := run.execute(operation)
	write(w, http.StatusOK, appendAnswer(make([]byte, 0, len(data)+64), data, run.faults))
}

func (h *Handler) refuseMalformed(w http.ResponseWriter, err error) {
	if told, known := err.(*malformed); known {
		refuse(w, told.status, told.kind, told.message)
		return
	}
	refuse(w, http.StatusBadRequest, "MalformedHttpRequestException", "Unable to parse GraphQL query.")
}

// rescue turns a panic into one line of the log and an answer.
func (h *Handler) rescue(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	h.log.LogAttrs(r.Context(), slog.LevelError, "request panicked", slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
	refuse(w, http.StatusInternalServerError, "InternalFailure", "An internal failure occurred; the log of the gateway has more.")
}

// caller is the address that a request came from; the zero address when it cannot be told.
func caller(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap()
}
