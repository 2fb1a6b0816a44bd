package restapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/ingest"
)

// Publisher accepts events; ingest.Ingester fulfils it.
type Publisher interface {
	Publish(ctx context.Context, p *ingest.Publication) (ingest.Receipt, error)
	PublishBatch(ctx context.Context, batch []*ingest.Publication) []ingest.Result
}

// Authenticator finds out who asks; auth.Authenticator fulfils it.
type Authenticator interface {
	Authenticate(ctx context.Context, header string) (auth.Principal, error)
}

// Parts are the things a Handler works with. All are needed.
type Parts struct {
	Control       *control.Control
	Publisher     Publisher
	Authenticator Authenticator
	// Ready reports whether the gateway can take events: the store can be written to.
	Ready func(ctx context.Context) error
}

// Options shape a Handler. Zero fields have the defaults named here.
type Options struct {
	Version        string           // of the program, for the OpenAPI document: "dev"
	MaxEventBytes  int              // body of a published event: 1 MiB
	MaxBatchBytes  int              // body of a batch: 8 MiB
	MaxBatchEvents int              // events of a batch: 1,000
	PublishLimit   int              // publishing requests of one key a minute: 3,000,000; below 0: no limit
	ManageLimit    int              // other requests of one key a minute: 60,000; below 0: no limit
	Now            func() time.Time // the clock of the limits: time.Now
	Logger         *slog.Logger
}

// Handler is the REST interface. It is safe for concurrent use.
type Handler struct {
	parts    Parts
	options  Options
	mux      *http.ServeMux
	api      huma.API
	document []byte // the OpenAPI document
	ids      requestIDs
	parsers  *parsers
	limits   *limits

	json, yes []string // header values that every answer shares
}

// New makes the handler of all routes.
func New(o Options, parts Parts) (*Handler, error) {
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.MaxEventBytes <= 0 {
		o.MaxEventBytes = 1 << 20
	}
	if o.MaxBatchBytes <= 0 {
		o.MaxBatchBytes = 8 << 20
	}
	if o.MaxBatchEvents <= 0 {
		o.MaxBatchEvents = 1000
	}
	if o.PublishLimit == 0 {
		o.PublishLimit = 3_000_000
	}
	if o.ManageLimit == 0 {
		o.ManageLimit = 60_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{parts: parts, options: o, mux: http.NewServeMux(), ids: newRequestIDs(), parsers: newParsers(),
		limits: newLimits(o.PublishLimit, o.ManageLimit, o.Now),
		json:   []string{"application/json"}, yes: []string{"true"}}
	h.api = huma.NewAPI(describe(o.Version), adapter{h})
	for _, route := range slices.Concat(routes(), replayRoutes(), rotationRoutes(), topicRoutes(), settingsRoutes(), sealingRoutes()) {
		route.mount(h, route)
	}
	h.mux.HandleFunc("/", h.nowhere)
	document, err := h.api.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInternal, "the OpenAPI document: %w", err)
	}
	h.document = document
	return h, nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: h.ids.of(r), method: r.Method, path: r.URL.Path}
	w.Header()["X-Request-Id"] = []string{c.id}
	if r.Method == http.MethodPost && r.URL.Path == publishPath {
		defer h.rescue(w, r, c, nil)
		h.admit(w, r, c, auth.PublishEvent, (*Handler).publish) // every event comes this way: past the mux
		return
	}
	tracked := &trackedWriter{ResponseWriter: w}
	defer h.rescue(tracked, r, c, tracked)
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	if strings.Contains(r.URL.Path, "//") || strings.Contains(r.URL.Path, "/.") {
		h.refuse(tracked, r, c, noRoute(r)) // the mux would redirect to the path that it takes for the right one
		return
	}
	h.mux.ServeHTTP(tracked, r)
}

// call is what the handlers of a request know about it beside the request.
type call struct {
	id           string
	method, path string
	principal    auth.Principal
}

// callKey is the one key under which this package keeps something in a context: huma's handlers get
// nothing but a context.
type callKey struct{}

func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// admit authenticates the caller, counts the request, asks whether it may do the action, and only then
// goes on, so that nobody's body is read before it is known who sends it.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, c *call, action auth.Action,
	next func(*Handler, http.ResponseWriter, *http.Request, *call)) {
	if action != auth.ActionNone {
		principal, err := h.authenticate(r)
		if err == nil {
			if wait := h.limits.take(principal, action, w.Header()); wait > 0 {
				err = overLimit(action, wait)
			}
		}
		if err == nil {
			err = principal.Authorize(action)
		}
		if err != nil {
			h.refuse(w, r, c, err)
			return
		}
		c.principal = principal
	}
	next(h, w, r, c)
}

func (h *Handler) authenticate(r *http.Request) (auth.Principal, error) {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return auth.Principal{}, postrider.Errorf(postrider.CodeUnauthenticated, "there are %d Authorization headers; send one", len(values))
	}
	value := ""
	if len(values) == 1 {
		value = values[0]
	}
	return h.parts.Authenticator.Authenticate(r.Context(), value)
}

// checkJSON reports whether the body may be JSON: application/json in UTF-8, or no media type at all.
func checkJSON(header http.Header) error {
	if header.Get("Content-Encoding") != "" {
		return postrider.Errorf(postrider.CodeUnsupportedType, "a body with Content-Encoding is not taken; send it plain")
	}
	value := header.Get("Content-Type")
	if value == "" || value == "application/json" {
		return nil
	}
	kind, parameters, err := mime.ParseMediaType(value)
	charset, named := parameters["charset"]
	if err != nil || kind != "application/json" || named && !strings.EqualFold(charset, "utf-8") {
		return postrider.Errorf(postrider.CodeUnsupportedType, "the Content-Type %q is not taken; send application/json in UTF-8", bounded(value))
	}
	return nil
}

// nowhere answers what no route takes: 405 with the methods that the path does take, else 404.
func (h *Handler) nowhere(w http.ResponseWriter, r *http.Request) {
	c := callOf(r.Context())
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := h.mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		methods := strings.Join(allowed, ", ")
		w.Header().Set("Allow", methods)
		h.refuse(w, r, c, postrider.Errorf(codeMethodNotAllowed, "%s takes %s, not %s", bounded(r.URL.Path), methods, bounded(r.Method)))
		return
	}
	h.refuse(w, r, c, noRoute(r))
}

func noRoute(r *http.Request) error {
	return postrider.Errorf(postrider.CodeNotFound, "there is no route %s; GET /openapi.json describes all", bounded(r.URL.Path))
}

// rescue turns a panic into one line of the log and an answer, when nothing was answered yet.
func (h *Handler) rescue(w http.ResponseWriter, r *http.Request, c *call, tracked *trackedWriter) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause) // net/http's own way to give up a connection
	}
	h.options.Logger.LogAttrs(r.Context(), slog.LevelError, "request panicked", slog.String("request_id", c.id),
		slog.String("method", c.method), slog.String("path", c.path), slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
	if tracked != nil && tracked.begun {
		panic(http.ErrAbortHandler) // half an answer is out: the client must not take it for a whole one
	}
	body := api500(c.id)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write(body) // the client may have gone
}

// trackedWriter knows whether an answer has begun.
type trackedWriter struct {
	http.ResponseWriter
	begun bool
}

func (t *trackedWriter) WriteHeader(status int) {
	t.begun = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *trackedWriter) Write(p []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (t *trackedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// adapter lets huma register its routes on the handler's mux.
type adapter struct{ h *Handler }

func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.h.ServeHTTP(w, r) }

// requestIDs makes ids of requests: a random beginning for the process, and a number.
type requestIDs struct {
	prefix string
	last   *atomic.Uint64
}

func newRequestIDs() requestIDs {
	var random [6]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never fails
	return requestIDs{prefix: "req_" + hex.EncodeToString(random[:]) + "_", last: new(atomic.Uint64)}
}

// maxRequestID bounds an id that a client gives, in bytes.
const maxRequestID = 128

// of gives the request's own X-Request-Id when that is short and printable, else a new one.
func (ids requestIDs) of(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && plain(given[0], maxRequestID) {
		return given[0]
	}
	var buffer [40]byte
	return string(strconv.AppendUint(append(buffer[:0], ids.prefix...), ids.last.Add(1), 10))
}

// plain reports whether s is 1 to most visible ASCII characters.
func plain(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// bounded cuts what a client sent before it goes into a message.
func bounded(s string) string {
	const most = 100
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// readyLimit bounds how long /readyz waits for the store.
const readyLimit = 2 * time.Second
