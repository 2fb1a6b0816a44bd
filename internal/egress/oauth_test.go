package egress_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
)

const (
	clientID     = "warehouse client/7"
	clientSecret = "canary-client-secret+/=%"
)

// tokenServer is an OAuth 2.0 authorization server whose tokens are good for a number of uses, and a
// resource that asks for them.
type tokenServer struct {
	*httptest.Server
	uses      int32                             // of one token
	expiresIn any                               // of the answer
	answer    func(http.ResponseWriter, string) // in place of the ordinary answer; gets the token

	mu     sync.Mutex
	left   map[string]int32 // uses left, by token
	asked  []url.Values     // token requests
	seen   []string         // Authorization at the resource
	status []int            // its answers
	gate   chan struct{}    // when not nil, token requests wait for it
}

func newTokenServer(t *testing.T, uses int32) *tokenServer {
	t.Helper()
	s := &tokenServer{uses: uses, expiresIn: 3600, left: make(map[string]int32)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /hook", s.resource)
	s.Server = httptest.NewUnstartedServer(mux)
	s.Server.Config.ErrorLog = quiet()
	s.Server.Start()
	t.Cleanup(s.Server.Close)
	return s
}

func (s *tokenServer) token(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // first: only then the server notices when the client goes
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-r.Context().Done():
			return
		}
	}
	form, err := url.ParseQuery(string(body))
	id, secret, ok := r.BasicAuth()
	if !ok && form.Has("client_secret") { // nothing is escaped twice there
		id, secret, ok = url.QueryEscape(form.Get("client_id")), url.QueryEscape(form.Get("client_secret")), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, form)
	if err != nil || !ok || id != url.QueryEscape(clientID) || secret != url.QueryEscape(clientSecret) ||
		form.Get("grant_type") != "client_credentials" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"invalid_client","error_description":"what you sent was %s"}`, secret)
		return
	}
	token := fmt.Sprintf("canary-token-%d", len(s.asked))
	s.left[token] = s.uses
	if s.answer != nil {
		s.answer(w, token)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"access_token": token, "token_type": "Bearer"}
	if s.expiresIn != nil {
		answer["expires_in"] = s.expiresIn
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// resource answers 204 to a token that is good, else 401, and echoes what it got.
func (s *tokenServer) resource(w http.ResponseWriter, r *http.Request) {
	authorization := r.Header.Get("Authorization")
	token, _ := strings.CutPrefix(authorization, "Bearer ")
	s.mu.Lock()
	status := http.StatusUnauthorized
	if s.left[token] > 0 {
		s.left[token]--
		status = http.StatusOK
	}
	s.seen = append(s.seen, authorization)
	s.status = append(s.status, status)
	s.mu.Unlock()
	w.Header().Set("X-Echo", authorization)
	w.WriteHeader(status)
	fmt.Fprintf(w, "you sent %q", authorization)
}

func (s *tokenServer) counts() (tokens, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked), len(s.seen)
}

func (s *tokenServer) credentials(t *testing.T) *egress.Credentials {
	t.Helper()
	return credentials(t, postrider.EndpointAuth{OAuth: &postrider.OAuthClient{
		TokenURL: s.URL + "/token", ClientID: clientID, ClientSecret: postrider.NewSecret(clientSecret), Scope: "hooks.write  hooks.read", Audience: "https://api.example",
	}})
}

func credentials(t *testing.T, auth postrider.EndpointAuth) *egress.Credentials {
	t.Helper()
	c, err := egress.NewCredentials(&auth)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func with(c *egress.Credentials) func(*egress.Request) {
	return func(r *egress.Request) { r.Credentials = c }
}

func TestATokenIsFetchedOnceAndUsedUntilItEnds(t *testing.T) {
	client, server := newClient(t, nil), newTokenServer(t, 1000)
	c := server.credentials(t)
	for range 20 {
		if result := post(t, client, server.URL+"/hook", with(c)); result.Response.Status != 200 {
			t.Fatalf("answered %d %s", result.Response.Status, result.Detail)
		}
	}
	tokens, requests := server.counts()
	if tokens != 1 || requests != 20 {
		t.Errorf("%d token requests for %d requests, want 1 for 20", tokens, requests)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "scope": {"hooks.write hooks.read"}, "audience": {"https://api.example"}}
	if diff := cmp.Diff(want, server.asked[0]); diff != "" {
		t.Errorf("what the token request said (-want +got):\n%s", diff)
	}
}

func TestAClientMayShowItselfInTheBody(t *testing.T) {
	client, server := newClient(t, nil), newTokenServer(t, 1000)
	c := credentials(t, postrider.EndpointAuth{OAuth: &postrider.OAuthClient{
		TokenURL: server.URL + "/token", ClientID: clientID, ClientSecret: postrider.NewSecret(clientSecret), SecretInBody: true,
	}})
	if result := post(t, client, server.URL+"/hook", with(c)); result.Response.Status != 200 {
		t.Fatalf("answered %d %s", result.Response.Status, result.Detail)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {clientSecret}}
	if diff := cmp.Diff(want, server.asked[0]); diff != "" {
		t.Errorf("what the token request said (-want +got):\n%s", diff)
	}
}

func TestATokenThatIsRefusedIsRenewedOnceWithinTheAttempt(t *testing.T) {
	client, server := newClient(t, nil), newTokenServer(t, 2)
	c := server.credentials(t)
	for i := range 10 {
		if result := post(t, client, server.URL+"/hook", with(c)); result.Response.Status != 200 {
			t.Fatalf("A000-9: attempt %d was answered %d %s", i, result.Response.Status, result.Detail)
		}
	}
	if tokens, requests := server.counts(); tokens != 5 || requests != 14 {
		t.Errorf("%d token requests and %d requests for 10 attempts with tokens of two uses, want 5 and 14", tokens, requests)
	}
	server.uses = 0
	result := post(t, client, server.URL+"/hook", with(server.credentials(t)))
	if result.Response.Status != 401 {
		t.Errorf("a token that is never good ends with %d %s, want 401", result.Response.Status, result.Detail)
	}
	if tokens, requests := server.counts(); tokens != 7 || requests != 16 {
		t.Errorf("after it %d token requests and %d requests, want 7 and 16: two each", tokens, requests)
	}
}

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	for _, test := range []struct {
		expiresIn any
		want      int // token requests for three requests
	}{{3600, 1}, {nil, 1}, {"3600", 1}, {31, 1}, {0, 1}, {-5, 3}, {1e300, 3}} {
		t.Run(fmt.Sprint(test.expiresIn), func(t *testing.T) {
			client, server := newClient(t, nil), newTokenServer(t, 1000)
			server.expiresIn = test.expiresIn
			c := server.credentials(t)
			for range 3 {
				post(t, client, server.URL+"/hook", with(c))
			}
			if tokens, _ := server.counts(); tokens != test.want {
				t.Errorf("%d token requests, want %d", tokens, test.want)
			}
		})
	}
}

func TestManyRequestsShareOneTokenRequest(t *testing.T) {
	client, server := newClient(t, nil), newTokenServer(t, 1000)
	server.gate = make(chan struct{})
	c := server.credentials(t)
	var group sync.WaitGroup
	var good atomic.Int32
	for range 50 {
		group.Go(func() {
			if result := post(t, client, server.URL+"/hook", with(c)); result.Response.Status == 200 {
				good.Add(1)
			}
		})
	}
	time.AfterFunc(50*time.Millisecond, func() { close(server.gate) })
	group.Wait()
	if tokens, _ := server.counts(); tokens != 1 || good.Load() != 50 {
		t.Errorf("%d token requests and %d good answers, want 1 and 50", tokens, good.Load())
	}
}

func TestWithoutATokenNothingIsSentAndTheReasonIsPlain(t *testing.T) {
	write := func(status int, mediaType, body string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, token string) {
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Location", "/token2")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "TOKEN", token))
		}
	}
	tests := map[string]struct {
		answer func(http.ResponseWriter, string)
		want   string
	}{
		"500":             {write(500, "text/html", "<h1>"+clientSecret+"</h1>"), "it answered 500 Internal Server Error"},
		"an OAuth error":  {write(400, "application/json", `{"error":"invalid_scope","error_description":"`+clientSecret+`"}`), "it answered 400 Bad Request, invalid_scope"},
		"an odd error":    {write(400, "application/json", `{"error":"`+clientSecret+`"}`), "it answered 400 Bad Request"},
		"an error in 200": {write(200, "application/json", `{"error":"invalid_client"}`), "it answered 200 OK, invalid_client"},
		"a redirect":      {write(307, "text/plain", ""), "it answered 307 Temporary Redirect: redirects are not followed; register the URL it points to"},
		"HTML":            {write(200, "text/html", "<html>TOKEN</html>"), "what it answered is not a token (RFC 6749, section 5.1)"},
		"nothing":         {write(200, "application/json", ""), "what it answered is not a token (RFC 6749, section 5.1)"},
		"no token":        {write(200, "application/json", `{"token":"TOKEN"}`), "what it answered is not a token (RFC 6749, section 5.1)"},
		"another type":    {write(200, "application/json", `{"access_token":"TOKEN","token_type":"mac"}`), "the token is not a bearer token"},
		"a line break":    {write(200, "application/json", `{"access_token":"TOKEN\r\nX-Evil: 1"}`), "the token holds characters that no header can carry"},
		"a huge token":    {write(200, "application/json", `{"access_token":"`+strings.Repeat("t", 20<<10)+`"}`), "the token has more than 16384 bytes"},
		"a huge answer":   {write(200, "application/json", `{"access_token":"TOKEN","x":"`+strings.Repeat("x", 1<<20)+`"}`), "its answer has more than 64 KiB or broke off"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client, server := newClient(t, nil), newTokenServer(t, 1000)
			server.answer = test.answer
			result := post(t, client, server.URL+"/hook", with(server.credentials(t)))
			if want := "no token from 127.0.0.1: " + test.want; result.Failure != postrider.OutcomeToken || result.Detail != want {
				t.Errorf("failure %q, detail %q; want %q", result.Failure, result.Detail, want)
			}
			if tokens, requests := server.counts(); tokens != 1 || requests != 0 {
				t.Errorf("%d token requests and %d requests, want 1 and 0", tokens, requests)
			}
		})
	}
}

func TestASlowTokenServerCostsTheAttemptsTimeLimitAndNoMore(t *testing.T) {
	client, server := newClient(t, nil), newTokenServer(t, 1000)
	server.gate = make(chan struct{})
	began := time.Now()
	result := post(t, client, server.URL+"/hook", func(r *egress.Request) {
		r.Credentials, r.Timeout = server.credentials(t), 200*time.Millisecond
	})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if result.Failure != postrider.OutcomeToken || !strings.HasPrefix(result.Detail, "no token from 127.0.0.1: no answer within 200ms (connected to ") {
		t.Errorf("failure %q, detail %q", result.Failure, result.Detail)
	}
}

func TestARenewalThatFailsIsToldWithTheAnswerBeforeIt(t *testing.T) {
	tests := map[string]struct {
		then func(*tokenServer)
		want string
	}{
		"slow":    {func(s *tokenServer) { s.gate = make(chan struct{}) }, "the token was answered with 401 Unauthorized, and no token from 127.0.0.1: no answer within 300ms"},
		"refused": {func(s *tokenServer) { s.answer = func(w http.ResponseWriter, _ string) { w.WriteHeader(503) } }, "the token was answered with 401 Unauthorized, and no token from 127.0.0.1: it answered 503 Service Unavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client, server := newClient(t, nil), newTokenServer(t, 1)
			c := server.credentials(t)
			send := func() egress.Result {
				return post(t, client, server.URL+"/hook", func(r *egress.Request) { r.Credentials, r.Timeout = c, 300*time.Millisecond })
			}
			if first := send(); first.Response.Status != 200 {
				t.Fatalf("%d %s", first.Response.Status, first.Detail)
			}
			test.then(server)
			began := time.Now()
			result := send()
			if result.Failure != postrider.OutcomeToken || !strings.HasPrefix(result.Detail, test.want) {
				t.Errorf("failure %q, detail %q", result.Failure, result.Detail)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestSomebodyElsesShortTimeDoesNotFailWhoWaits(t *testing.T) {
	client, server := newClient(t, nil), newTokenServer(t, 1000)
	server.gate = make(chan struct{})
	c := server.credentials(t)
	var group sync.WaitGroup
	group.Go(func() {
		post(t, client, server.URL+"/hook", func(r *egress.Request) { r.Credentials, r.Timeout = c, 150*time.Millisecond })
		close(server.gate)
	})
	group.Go(func() {
		if result := post(t, client, server.URL+"/hook", with(c)); result.Response.Status != 200 {
			t.Errorf("the patient one got %q %q", result.Failure, result.Detail)
		}
	})
	group.Wait()
}

func TestAnInterruptedTokenRequestIsNobodysFault(t *testing.T) {
	client, server := newClient(t, nil), newTokenServer(t, 1000)
	server.gate = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	result := client.Post(ctx, &egress.Request{URL: parse(t, server.URL+"/hook"), Timeout: 5 * time.Second, Credentials: server.credentials(t)})
	if result.Failure != postrider.OutcomeInterrupted {
		t.Errorf("failure %q %q, want interrupted", result.Failure, result.Detail)
	}
}

func TestATokenServerAtAPrivateAddressIsNotDialled(t *testing.T) {
	client, server := newClient(t, func(o *egress.Options) { o.AllowPrivate = false }), newTokenServer(t, 1000)
	result := post(t, client, "https://receiver.example/hook", with(server.credentials(t)))
	if result.Failure != postrider.OutcomeToken || !strings.Contains(result.Detail, "127.0.0.1, which is a loopback address: this gateway does not send there") {
		t.Errorf("failure %q, detail %q", result.Failure, result.Detail)
	}
	if tokens, _ := server.counts(); tokens != 0 {
		t.Errorf("%d token requests reached it", tokens)
	}
}

func TestNothingSentInConfidenceComesBack(t *testing.T) {
	client, server := newClient(t, nil), newTokenServer(t, 2)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			w.Header().Set("Echo-"+name, values[0])
		}
		_, password, _ := r.BasicAuth()
		answer, _ := json.Marshal(map[string]any{"password": password, "header": r.Header})
		_, _ = w.Write(answer)
	}))
	t.Cleanup(echo.Close)
	basic := postrider.EndpointAuth{
		Basic:   &postrider.BasicAuth{Username: "user", Password: postrider.NewSecret(`canary-"password"<é>`)},
		Headers: []postrider.SecretHeader{{Name: "X-Api-Key", Value: postrider.NewSecret("canary-header-value")}},
	}
	for name, result := range map[string]egress.Result{
		"basic":                   post(t, client, echo.URL, with(credentials(t, basic))),
		"a token":                 post(t, client, echo.URL, with(server.credentials(t))),
		"a refused token":         post(t, client, server.URL+"/hook", with(server.credentials(t))),
		"a body cut in a secret":  post(t, client, echo.URL, func(r *egress.Request) { r.Credentials, r.ResponseLimit = credentials(t, basic), 60 }),
		"a token request refused": post(t, client, server.URL+"/hook", with(credentials(t, postrider.EndpointAuth{OAuth: &postrider.OAuthClient{TokenURL: server.URL + "/token?x=1", ClientID: "other", ClientSecret: postrider.NewSecret("canary-other")}}))),
	} {
		shown := fmt.Sprintf("%+v %s", result, result.Response.Body)
		if strings.Contains(shown, "canary") || strings.Contains(shown, "dXNlcjpjYW5hcnkt") {
			t.Errorf("%s: %s", name, shown)
		}
		if !strings.Contains(shown, "[secret]") && result.Failure == "" {
			t.Errorf("%s: nothing was hidden in %s", name, shown)
		}
	}
}
