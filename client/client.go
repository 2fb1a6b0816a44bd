package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/api"
)

// Client speaks to one gateway with one key. It is safe for concurrent use.
type Client struct {
	base    string
	key     string
	http    *http.Client
	tenant  string
	tries   int
	maxWait time.Duration
}

// Option changes a Client.
type Option func(*Client)

// WithHTTPClient takes another HTTP client than one of its own with a time limit of 60 s a call.
func WithHTTPClient(c *http.Client) Option { return func(client *Client) { client.http = c } }

// WithTenant names the tenant of every call, by name or id. Only an operator's key needs it.
func WithTenant(tenant string) Option { return func(client *Client) { client.tenant = tenant } }

// WithRetries bounds how often a call is tried in all (1: never again) and how long is waited between
// two tries. Without it: 4 tries, at most 10 s apart.
func WithRetries(tries int, maxWait time.Duration) Option {
	return func(client *Client) { client.tries, client.maxWait = max(tries, 1), maxWait }
}

// New makes a client of the gateway at base, such as "http://127.0.0.1:8080".
func New(base, key string, options ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("client: %q is not the URL of a gateway; one looks like http://127.0.0.1:8080", base)
	}
	if strings.ContainsAny(key, "\r\n") {
		return nil, errors.New("client: the key has a line break in it")
	}
	c := &Client{base: strings.TrimRight(base, "/"), key: key, tries: 4, maxWait: 10 * time.Second,
		http: &http.Client{Timeout: 60 * time.Second}}
	for _, option := range options {
		option(c)
	}
	return c, nil
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// request is one call.
type request struct {
	method, path string
	query        url.Values
	body         []byte
	contentType  string
	key          string // Idempotency-Key
	repeatable   bool
	header       *http.Header // when not nil, filled with the answer's
}

// do makes a call and reads its answer into out, which may be nil.
func (c *Client) do(ctx context.Context, r request, out any) error {
	for try := 1; ; try++ {
		wait, err := c.once(ctx, r, out)
		if err == nil || wait < 0 || !r.repeatable || try >= c.tries {
			return err
		}
		if wait == 0 { // the gateway did not say: 0.2 s, 0.4 s, …, each made up to a half longer
			wait = 200 * time.Millisecond << (try - 1)
			wait += rand.N(wait / 2)
		}
		timer := time.NewTimer(min(wait, c.maxWait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
	}
}

// once makes a call once. wait is negative when trying again is no use, else how long the gateway
// asks to wait, 0 when it does not say.
func (c *Client) once(ctx context.Context, r request, out any) (wait time.Duration, err error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return -1, fmt.Errorf("client: %w", err)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return -1, fmt.Errorf("client: %w", err)
		}
		return 0, fmt.Errorf("client: %w", err)
	}
	defer answer.Body.Close()
	if r.header != nil {
		*r.header = answer.Header
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return 0, fmt.Errorf("client: reading the answer: %w", err)
	}
	if len(text) > maxAnswer {
		return -1, fmt.Errorf("client: the answer is over %d bytes", maxAnswer)
	}
	if answer.StatusCode/100 != 2 {
		return waitFor(answer), newError(answer, text)
	}
	if out == nil || len(text) == 0 {
		return -1, nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return -1, fmt.Errorf("client: the answer is not what was expected: %w", err)
	}
	return -1, nil
}

// waitFor reads how long to wait before the next try, negative when there should be none.
func waitFor(answer *http.Response) time.Duration {
	if answer.StatusCode != http.StatusServiceUnavailable && answer.StatusCode != http.StatusTooManyRequests {
		return -1
	}
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// Error is what the gateway refused a call with.
type Error struct {
	Status    int               // HTTP status
	Code      string            // see api.Error
	Message   string            // fit for a person
	Fields    map[string]string // what is wrong with each input
	RequestID string            // to be found in the gateway's log
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

func newError(answer *http.Response, text []byte) *Error {
	e := &Error{Status: answer.StatusCode, RequestID: answer.Header.Get("X-Request-Id")}
	var body api.ErrorBody
	if err := json.Unmarshal(text, &body); err != nil || body.Error.Code == "" {
		e.Code = "unknown"
		e.Message = fmt.Sprintf("the answer was %s, and not one of a gateway's", answer.Status)
		return e
	}
	e.Code, e.Message, e.Fields = body.Error.Code, body.Error.Message, body.Error.Fields
	return e
}

// get reads a thing.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (*T, error) {
	var out T
	if err := c.do(ctx, request{method: http.MethodGet, path: path, query: query, repeatable: true}, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// send makes a call with a JSON body, which may be nil.
func send[T any](ctx context.Context, c *Client, method, path string, query url.Values, in any, repeatable bool) (*T, error) {
	r := request{method: method, path: path, query: query, repeatable: repeatable}
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		r.body, r.contentType = text, "application/json"
	}
	var out T
	if err := c.do(ctx, r, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// remove deletes a thing.
func (c *Client) remove(ctx context.Context, path string) error {
	return c.do(ctx, request{method: http.MethodDelete, path: path, query: c.scope(), repeatable: true}, nil)
}

// scope is the query that names the client's tenant.
func (c *Client) scope() url.Values {
	if c.tenant == "" {
		return nil
	}
	return url.Values{"tenant": {c.tenant}}
}

func segment(id string) string { return url.PathEscape(id) }
