package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/postrider/postrider"
)

const (
	tokenAnswerLimit = 64 << 10         // bytes of a token server's answer
	maxToken         = 16 << 10         // bytes of a token
	tokenMargin      = 30 * time.Second // before its end a token is renewed, or a quarter of a short life before
	tokenLife        = time.Hour        // of a token that does not say when it ends
)

// tokens gets bearer tokens by the client credentials grant (RFC 6749, section 4.4) and keeps the last
// one until shortly before its end. Callers that need a new one at the same time share one request.
type tokens struct {
	config clientcredentials.Config
	host   string

	mu     sync.Mutex
	token  string
	until  time.Time // when it is renewed
	flight *flight   // the request for a new one that is under way
}

// flight is a request for a token that several callers wait for.
type flight struct {
	done    chan struct{}
	failure *tokenFailure // set before done is closed
}

// tokenFailure says why there is no token. It is an error so that it can pass through net/http.
type tokenFailure struct {
	code   postrider.OutcomeCode // OutcomeToken, or OutcomeInterrupted
	detail string
	own    bool // the time limit or the end of the caller that asked: says nothing to the others
}

func (f *tokenFailure) Error() string { return f.detail }

func newTokens(client *postrider.OAuthClient) *tokens {
	t := &tokens{config: clientcredentials.Config{
		ClientID: client.ClientID, ClientSecret: client.ClientSecret.Reveal(), TokenURL: client.TokenURL,
		Scopes: strings.Fields(client.Scope), AuthStyle: oauth2.AuthStyleInHeader, // which every server must take (RFC 6749, section 2.3.1)
	}}
	if client.SecretInBody {
		t.config.AuthStyle = oauth2.AuthStyleInParams
	}
	if client.Audience != "" {
		t.config.EndpointParams = url.Values{"audience": {client.Audience}}
	}
	if u, err := url.Parse(client.TokenURL); err == nil {
		t.host = printable(u.Hostname())
	}
	return t
}

// take gives a token that is good for now and is not the refused one. All of it happens before the
// deadline of the attempt that asks.
func (t *tokens) take(ctx context.Context, c *Client, timeout time.Duration, deadline time.Time, refused string) (string, *tokenFailure) {
	for {
		t.mu.Lock()
		if t.token == refused {
			t.token = "" // nobody needs to try it again
		}
		if t.token != "" && time.Now().Before(t.until) {
			token := t.token
			t.mu.Unlock()
			return token, nil
		}
		under := t.flight
		if under == nil {
			under = &flight{done: make(chan struct{})}
			t.flight = under
			t.mu.Unlock()
			return t.lead(ctx, c, timeout, deadline, under)
		}
		t.mu.Unlock()
		if failure := under.wait(ctx, t.host, timeout, deadline); failure != nil {
			return "", failure
		}
	}
}

// lead makes the request for all who wait for it.
func (t *tokens) lead(ctx context.Context, c *Client, timeout time.Duration, deadline time.Time, under *flight) (string, *tokenFailure) {
	token, until, failure := t.fetch(ctx, c, timeout, deadline)
	t.mu.Lock()
	t.token, t.until, t.flight = token, until, nil
	t.mu.Unlock()
	under.failure = failure
	close(under.done)
	return token, failure
}

// wait waits for somebody else's request. A failure of that caller's own, such as too little time left,
// is none: the one who waited asks himself.
func (f *flight) wait(ctx context.Context, host string, timeout time.Duration, deadline time.Time) *tokenFailure {
	limit := time.NewTimer(time.Until(deadline))
	defer limit.Stop()
	select {
	case <-f.done:
		if f.failure != nil && !f.failure.own {
			return f.failure
		}
		return nil
	case <-limit.C:
		return &tokenFailure{code: postrider.OutcomeToken, own: true,
			detail: "no token from " + host + ": no answer within " + timeout.String() + " (waited for another request's token)"}
	case <-ctx.Done():
		return interruptedToken()
	}
}

func interruptedToken() *tokenFailure {
	return &tokenFailure{code: postrider.OutcomeInterrupted, own: true, detail: "the gateway gave the request up before a token came"}
}

// fetch asks the token server. until is when the token is to be renewed.
func (t *tokens) fetch(ctx context.Context, c *Client, timeout time.Duration, deadline time.Time) (token string, until time.Time, failure *tokenFailure) {
	errand := &http.Client{
		Transport:     &tokenErrand{client: c, timeout: timeout, deadline: deadline},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	asked := time.Now()
	got, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, errand))
	if err != nil {
		return "", time.Time{}, t.explain(ctx, err)
	}
	if problem := checkToken(got); problem != "" {
		return "", time.Time{}, t.fault(problem)
	}
	life := tokenLife
	if !got.Expiry.IsZero() {
		life = got.Expiry.Sub(asked)
	}
	return got.AccessToken, asked.Add(life - min(tokenMargin, life/4)), nil
}

func (t *tokens) fault(problem string) *tokenFailure {
	return &tokenFailure{code: postrider.OutcomeToken, detail: "no token from " + t.host + ": " + problem}
}

// explain says why there is no token. It never shows an error's own text: the library's holds the
// answer's body, and that may hold anything.
func (t *tokens) explain(ctx context.Context, err error) *tokenFailure {
	if failure, ok := errors.AsType[*tokenFailure](err); ok {
		if failure.code == postrider.OutcomeInterrupted {
			return interruptedToken()
		}
		told := t.fault(failure.detail)
		told.own = failure.own
		return told
	}
	if ctx.Err() != nil {
		return interruptedToken()
	}
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return t.fault("what it answered is not a token (RFC 6749, section 5.1)")
	}
	status := refused.Response.StatusCode
	told := "it answered " + strings.TrimSuffix(strconv.Itoa(status)+" "+http.StatusText(status), " ")
	if slices.Contains(grantErrors(), refused.ErrorCode) {
		told += ", " + refused.ErrorCode
	}
	if status >= 300 && status <= 399 {
		told += ": redirects are not followed; register the URL it points to"
	}
	return t.fault(told)
}

// grantErrors are the error codes of RFC 6749, section 5.2. Others are not repeated.
func grantErrors() []string {
	return []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
}

func checkToken(got *oauth2.Token) string {
	switch {
	case got.TokenType != "" && !strings.EqualFold(got.TokenType, "bearer"):
		return "the token is not a bearer token"
	case len(got.AccessToken) > maxToken:
		return "the token has more than " + strconv.Itoa(maxToken) + " bytes"
	case strings.ContainsFunc(got.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "the token holds characters that no header can carry"
	}
	return ""
}

// tokenErrand is the http.RoundTripper of a token request: through the same guard and the same bounds
// as a webhook, within the time limit of the attempt that needs the token.
type tokenErrand struct {
	client   *Client
	timeout  time.Duration
	deadline time.Time
}

// RoundTrip sends the request that the OAuth library made.
func (e *tokenErrand) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	_ = request.Body.Close() // it is in memory
	r := &Request{URL: request.URL, Body: body, ResponseLimit: tokenAnswerLimit}
	if failure, detail := e.client.refuse(r); failure != "" {
		return nil, &tokenFailure{code: postrider.OutcomeToken, detail: detail}
	}
	header := request.Header.Clone()
	header["User-Agent"] = []string{e.client.userAgent}
	header["Accept"] = []string{"application/json"}
	result := e.client.send(request.Context(), e.client.plain, r, header, e.timeout, e.deadline)
	switch {
	case result.Failure == postrider.OutcomeInterrupted:
		return nil, interruptedToken()
	case result.Failure != "":
		return nil, &tokenFailure{code: postrider.OutcomeToken, detail: result.Detail, own: result.Failure == postrider.OutcomeTimeout}
	case result.Response.Truncated:
		return nil, &tokenFailure{code: postrider.OutcomeToken, detail: "its answer has more than " + strconv.Itoa(tokenAnswerLimit>>10) + " KiB or broke off"}
	}
	response := &http.Response{
		StatusCode: result.Response.Status, Status: strconv.Itoa(result.Response.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: io.NopCloser(bytes.NewReader(result.Response.Body)), ContentLength: int64(len(result.Response.Body)),
		Request: request,
	}
	for _, field := range result.Response.Header {
		response.Header.Add(field.Name, field.Value)
	}
	return response, nil
}
