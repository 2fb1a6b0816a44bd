package ewhsapi

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/store"
)

// Webhooks are the verbs on webhooks; control.Control fulfils it.
type Webhooks interface {
	Tenant(ctx context.Context, p auth.Principal, named string) (postrider.TenantID, error)
	RegisterWebhook(ctx context.Context, p auth.Principal, in control.Registration) (*postrider.Endpoint, postrider.Secret, error)
	Webhooks(ctx context.Context, p auth.Principal, tenant string, filter store.EndpointFilter) ([]*postrider.Endpoint, bool, error)
	FindWebhook(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID) (*postrider.Endpoint, error)
	ReviseWebhook(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID, decide func(now *postrider.Endpoint) (control.Change, error)) (*postrider.Endpoint, error)
	DeleteWebhook(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID) (*postrider.Endpoint, error)
}

// Logins are the verbs that give tokens; control.Control fulfils it.
type Logins interface {
	Login(ctx context.Context, login, password string, from netip.Addr) (*auth.Session, error)
	RefreshLogin(ctx context.Context, refreshToken string) (*auth.Session, error)
}

// Tokens knows the tokens that logins give; auth.Tokens fulfils it.
type Tokens interface {
	Check(ctx context.Context, idToken string, now time.Time) (auth.Principal, error)
	// Lasting gives the session with tokens that live so long.
	Lasting(ctx context.Context, session *auth.Session, life time.Duration) (*auth.Session, error)
}

// Keys finds whose a REST key is; auth.Authenticator fulfils it.
type Keys interface {
	Key(ctx context.Context, text string) (auth.Principal, error)
}

// Parts are the things a Handler works with. All are needed.
type Parts struct {
	Webhooks Webhooks
	Logins   Logins
	Tokens   Tokens
	Keys     Keys
}

// Options shape a Handler. Zero fields have the defaults named here.
type Options struct {
	// WMSCode is what X-Wms-Code must say, and makes X-Customer-Code name the caller's own tenant. "":
	// neither header is asked for, and a caller that belongs to a tenant may send anything there.
	WMSCode string
	// TokenLife is how long the tokens of this API live: an hour, as in the reference. One of the
	// published clients counts on 45 minutes and does not look at "exp".
	TokenLife time.Duration
	Logger    *slog.Logger     // discards
	Now       func() time.Time // the clock: time.Now
}

// Handler is the eWarehousing API. It is safe for concurrent use.
type Handler struct {
	parts   Parts
	options Options
}

// New makes the handler of all routes.
func New(o Options, parts Parts) *Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.TokenLife <= 0 {
		o.TokenLife = time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Handler{parts: parts, options: o}
}

// Owns reports whether a path is one of this API's, so that a server can share its paths out.
func Owns(path string) bool {
	return path == "/webhooks" || strings.HasPrefix(path, "/webhooks/") || strings.HasPrefix(path, "/wms/")
}

// The contract of every webhook of this API. Webhooks of other contracts are not seen here.
const contractName = "ewarehousing"

// The headers by which the published clients say whom they mean.
const (
	wmsHeader      = "X-Wms-Code"
	customerHeader = "X-Customer-Code"
)

// call is what the handlers of a request know beside the request.
type call struct {
	id           string // of the request
	method, path string
	plain        bool // errors about the input have the shape {"code", "message"} too
	principal    auth.Principal
	tenant       string // in text form
	webhook      string // the id in the path, as it came
}

// handling answers a request or says what is wrong with it.
type handling func(h *Handler, w http.ResponseWriter, r *http.Request, c *call) error

// method is one row of the table of routes.
type method struct {
	name   string
	open   bool // no token is asked for
	handle handling
}

// routes gives what a path takes, nothing for a path that is none. A slash at its end does not matter.
func routes(path string) (methods []method, webhook string) {
	path = strings.TrimSuffix(path, "/")
	switch path {
	case "/wms/auth/login":
		return []method{{http.MethodPost, true, (*Handler).login}}, ""
	case "/wms/auth/refresh":
		return []method{{http.MethodPost, true, (*Handler).refresh}}, ""
	case "/webhooks":
		return []method{{http.MethodGet, false, (*Handler).list}, {http.MethodPost, false, (*Handler).register}}, ""
	}
	id, found := strings.CutPrefix(path, "/webhooks/")
	if !found || id == "" || strings.Contains(id, "/") {
		return nil, ""
	}
	return []method{
		{http.MethodGet, false, (*Handler).show}, {http.MethodPatch, false, (*Handler).patch},
		{http.MethodPut, false, (*Handler).put}, {http.MethodDelete, false, (*Handler).remove},
	}, id
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: requestID(r), method: r.Method, path: r.URL.Path}
	w.Header().Set("X-Request-Id", c.id)
	w.Header().Set("Cache-Control", "no-store") // tokens and secrets (RFC 6749, section 5.1)
	defer h.rescue(w, r, c)
	if err := h.serve(w, r, c); err != nil {
		h.refuse(w, r, c, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c *call) error {
	methods, webhook := routes(r.URL.Path)
	if len(methods) == 0 {
		return postrider.Errorf(postrider.CodeNotFound, "There is no route %s.", bounded(c.path))
	}
	c.webhook = webhook
	asked := r.Method
	if asked == http.MethodHead {
		asked = http.MethodGet // the server leaves the body out
	}
	var names []string
	for _, m := range methods {
		if m.name != asked {
			names = append(names, m.name)
			continue
		}
		if err := h.admit(r, c, m.open); err != nil {
			return err
		}
		return m.handle(h, w, r, c)
	}
	w.Header().Set("Allow", strings.Join(names, ", "))
	return postrider.Errorf(codeMethodNotAllowed, "%s takes %s, not %s.", bounded(c.path), strings.Join(names, ", "), bounded(r.Method))
}

// admit finds out who asks and for whom, before the body is read.
func (h *Handler) admit(r *http.Request, c *call, open bool) (err error) {
	c.plain = open // the published clients read an error's message at login, whatever it is about
	if err := h.checkWMS(r.Header); err != nil {
		c.plain = true
		return err
	}
	if open {
		return nil
	}
	if c.principal, err = h.authenticate(r); err != nil {
		return err
	}
	customer := r.Header.Get(customerHeader)
	if !c.principal.Operator() && h.options.WMSCode == "" {
		customer = "" // it belongs to one tenant; docs/decisions/0005
	}
	if id, isUUID := postrider.ParseUUID(customer); isUUID {
		customer = postrider.TenantID{ID: id}.String() // as the answers show it
	}
	tenant, err := h.parts.Webhooks.Tenant(r.Context(), c.principal, customer)
	if postrider.ErrorCode(err) == postrider.CodeNotFound {
		return postrider.Errorf(postrider.CodeNotFound, "There is no customer %q.", bounded(r.Header.Get(customerHeader)))
	}
	c.tenant = tenant.String()
	return err
}

// checkWMS judges X-Wms-Code where the operator set a code; the two sentences are the reference's.
func (h *Handler) checkWMS(header http.Header) error {
	if h.options.WMSCode == "" {
		return nil
	}
	said := header.Get(wmsHeader)
	if said == "" {
		return postrider.Errorf(postrider.CodeInvalid, "Missing 'X-Wms-Code' header.")
	}
	if subtle.ConstantTimeCompare([]byte(said), []byte(h.options.WMSCode)) != 1 {
		return postrider.Errorf(postrider.CodeInvalid, "Invalid WMS.")
	}
	return nil
}

// authenticate finds the principal of "Authorization: Bearer", a token that a login gave or a REST key.
// The three sentences are those of the reference's framework.
func (h *Handler) authenticate(r *http.Request) (auth.Principal, error) {
	scheme, text, _ := strings.Cut(strings.Join(r.Header["Authorization"], ", "), " ")
	text = strings.TrimLeft(text, " ")
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return auth.Principal{}, postrider.Errorf(postrider.CodeUnauthenticated, "JWT Token not found")
	}
	principal, err := auth.Principal{}, error(auth.ErrTokenInvalid)
	if strings.Count(text, ".") == 2 {
		principal, err = h.parts.Tokens.Check(r.Context(), text, h.options.Now())
	}
	if errors.Is(err, auth.ErrTokenInvalid) { // a key may look like a token
		principal, err = h.parts.Keys.Key(r.Context(), text)
	}
	switch {
	case errors.Is(err, auth.ErrTokenExpired):
		return principal, postrider.Errorf(postrider.CodeUnauthenticated, "Expired JWT Token")
	case postrider.ErrorCode(err) == postrider.CodeUnauthenticated:
		return principal, postrider.Errorf(postrider.CodeUnauthenticated, "Invalid JWT Token")
	}
	principal.From = address(r)
	return principal, err
}

// rescue turns a panic into one line of the log and an answer. Answers are written in one piece at the
// end, so none has begun.
func (h *Handler) rescue(w http.ResponseWriter, r *http.Request, c *call) {
	cause := recover()
	if cause == nil {
		return
	}
	h.options.Logger.LogAttrs(r.Context(), slog.LevelError, "request panicked", slog.String("request_id", c.id),
		slog.String("method", c.method), slog.String("path", c.path), slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
	told := internal(c)
	write(w, http.StatusInternalServerError, refusal{http.StatusInternalServerError, told.Message})
}

// maxRequestID bounds an id that a client gives, in bytes.
const maxRequestID = 128

// requestID gives the request's own X-Request-Id when that is short and printable, else a new one.
func requestID(r *http.Request) string {
	given := r.Header.Get("X-Request-Id")
	unfit := strings.ContainsFunc(given, func(c rune) bool { return c <= ' ' || c > '~' })
	if given != "" && len(given) <= maxRequestID && !unfit {
		return given
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never fails
	return "req_" + hex.EncodeToString(random[:])
}
