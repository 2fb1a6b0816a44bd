package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/server"
)

// The secrets that nothing may show: what is given to the gateway, and what it is given by others.
const (
	canaryClient   = "canary-client-secret-7"
	canaryPassword = `canary-pass"word<7>`
	canaryHeader   = "canary-header-value-7"
	canaryToken    = "canary-token"
	canaryRefused  = "canary-refused-7"
)

// asking are the receivers and the token server of a test: every receiver echoes what it is asked with.
type asking struct {
	url, tlsURL  string
	authority    string // file of the TLS receiver's authority
	chain, key   string // a client certificate that it takes
	mu           sync.Mutex
	arrived      map[string]http.Header // the last request by path
	bodies       map[string]string
	tokens, uses int
}

func ask(t *testing.T) *asking {
	t.Helper()
	a := &asking{arrived: make(map[string]http.Header), bodies: make(map[string]string)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", a.token)
	mux.HandleFunc("POST /token/broken", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "<h1>%s %s</h1>", r.Header.Get("Authorization"), body)
	})
	mux.HandleFunc("POST /token/page", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "<h1>%s</h1>", canaryToken) })
	mux.HandleFunc("POST /", a.receive)
	plain := httptest.NewServer(mux)
	t.Cleanup(plain.Close)

	ca, caKey := certify(t, "authority", nil, nil)
	a.authority = document(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})))
	leaf, leafKey := certify(t, "receiver", ca, caKey)
	own, ownKey := certify(t, "postrider", ca, caKey)
	der, err := x509.MarshalPKCS8PrivateKey(ownKey)
	if err != nil {
		t.Fatal(err)
	}
	a.chain = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Raw}))
	a.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	secure := httptest.NewUnstartedServer(mux)
	secure.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	a.url, a.tlsURL = plain.URL, secure.URL
	return a
}

func certify(t *testing.T, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// token gives tokens that are good for two uses, to a client that knows the secret.
func (a *asking) token(w http.ResponseWriter, r *http.Request) {
	a.note(r)
	w.Header().Set("Content-Type", "application/json")
	if _, secret, _ := r.BasicAuth(); secret != canaryClient {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"invalid_client","error_description":"not %s"}`, secret)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens++
	a.uses = 2
	fmt.Fprintf(w, `{"access_token":"%s-%d","token_type":"Bearer","expires_in":3600}`, canaryToken, a.tokens)
}

func (a *asking) receive(w http.ResponseWriter, r *http.Request) {
	a.note(r)
	a.mu.Lock()
	refused := false
	if r.URL.Path == "/oauth" {
		refused = a.uses == 0 || r.Header.Get("Authorization") != fmt.Sprintf("Bearer %s-%d", canaryToken, a.tokens)
		a.uses = max(0, a.uses-1)
	}
	a.mu.Unlock()
	for name, values := range r.Header {
		w.Header()["Echo-"+name] = values
	}
	if refused {
		w.WriteHeader(http.StatusUnauthorized)
	}
	_, password, _ := r.BasicAuth()
	_ = json.NewEncoder(w).Encode(map[string]any{"header": r.Header, "password": password})
}

func (a *asking) note(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arrived[r.URL.Path], a.bodies[r.URL.Path] = r.Header, string(body)
}

func (a *asking) header(path string) http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.arrived[path]
}

// TestNoSecretOfAnEndpointIsEverShown sends secrets down every path there is, good and bad, against
// receivers and token servers that repeat all they hear, and then looks for them wherever something could
// be read: answers, the log, metrics, and the bytes of the data folder.
func TestNoSecretOfAnEndpointIsEverShown(t *testing.T) {
	leaks(t)
	a := ask(t)
	c := configuration(t)
	c.ExtraCAFile = a.authority
	var out lockedBuffer
	var shown bytes.Buffer // all that was answered
	s := server.New(server.Options{Config: c, Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) }) // for tests that fail; a second time it is nothing
	call := func(method, path string, body any) (int, []byte) {
		t.Helper()
		text, err := json.Marshal(body)
		if raw, ok := body.(string); ok {
			text, err = []byte(raw), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		if method != http.MethodGet {
			request.Header.Set("Content-Type", "application/json")
		} else {
			request.Body, request.ContentLength = http.NoBody, 0
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&shown, "%s %s\n%v\n%s\n", method, path, answer.Header, got)
		return answer.StatusCode, got
	}
	oauth := func(path, secret string) *api.WebhookAuth {
		return &api.WebhookAuth{OAuth2: &api.OAuth2{TokenURL: a.url + path, ClientID: "postrider", ClientSecret: secret, Scope: "hooks"}}
	}
	basic := &api.WebhookAuth{
		Basic: &api.BasicAuth{Username: "postrider", Password: canaryPassword}, Headers: map[string]string{"X-Api-Key": canaryHeader, "x-tenant": "canary-tenant-7"},
	}
	certified := &api.WebhookAuth{ClientCertificate: &api.ClientCertificate{Chain: a.chain, Key: a.key}, Headers: map[string]string{"Authorization": "ApiKey " + canaryHeader}}
	good := map[string]api.WebhookCreate{
		"/oauth-in-body":   {Auth: &api.WebhookAuth{OAuth2: &api.OAuth2{TokenURL: a.url + "/token/broken", ClientID: "postrider", ClientSecret: canaryClient, ClientAuth: "body"}}},
		"/oauth":           {Auth: oauth("/token", canaryClient)},
		"/oauth-wrong":     {Auth: oauth("/token", canaryRefused)},
		"/oauth-broken":    {Auth: oauth("/token/broken", canaryClient)},
		"/oauth-page":      {Auth: oauth("/token/page", canaryClient)},
		"/basic":           {Auth: basic},
		"/certified":       {URL: a.tlsURL, Auth: certified},
		"/not-certified":   {URL: a.tlsURL, Auth: basic},
		"/changed-to-none": {Auth: basic},
	}
	ids := make(map[string]string)
	for path, webhook := range good {
		webhook.URL = orElse(webhook.URL, a.url) + path
		webhook.Events = []string{"order.created"}
		status, answer := call("POST", "/v1/webhooks", webhook)
		var made api.Webhook
		if err := json.Unmarshal(answer, &made); err != nil || status != 201 || made.Auth == nil {
			t.Fatalf("%s: %d %s %v", path, status, answer, err)
		}
		ids[path] = made.ID
	}
	if status, answer := call("PATCH", "/v1/webhooks/"+ids["/changed-to-none"], `{"auth":null}`); status != 200 || bytes.Contains(answer, []byte(`"auth"`)) {
		t.Errorf("removing auth: %d %s", status, answer)
	}
	a.refuse(t, call, ids["/basic"])

	status, answer := call("POST", "/v1/events", `{"type":"order.created","data":{}}`)
	var event struct{ ID string }
	if err := json.Unmarshal(answer, &event); err != nil || status != 202 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	var attempts map[string]api.Attempt
	await(t, "an attempt at each", func() bool {
		attempts = a.attempts(t, s, event.ID, ids)
		return len(attempts) == len(good)
	})
	for _, id := range ids {
		call("POST", "/v1/webhooks/test", map[string]string{"webhook_id": id})
	}
	for range 5 { // each use up tokens
		call("POST", "/v1/webhooks/test", map[string]string{"webhook_id": ids["/oauth"]})
	}
	want := map[string]string{
		"/oauth": "delivered", "/oauth-wrong": "token", "/oauth-broken": "token", "/oauth-page": "token", "/oauth-in-body": "token",
		"/basic": "delivered", "/certified": "delivered", "/changed-to-none": "delivered",
	}
	for path, code := range want {
		if got := attempts[path]; got.Code != code {
			t.Errorf("%s ended with %s %q, want %s", path, got.Code, got.Detail, code)
		}
	}
	if got := attempts["/not-certified"].Code; got != "tls" && got != "reset" {
		t.Errorf("without its certificate the receiver was spoken to: %s", got)
	}
	authorizations := map[string]string{
		"/basic":     "Basic " + base64.StdEncoding.EncodeToString([]byte("postrider:"+canaryPassword)),
		"/certified": "ApiKey " + canaryHeader, "/changed-to-none": "",
	}
	for path, authorization := range authorizations {
		if got := a.header(path).Get("Authorization"); got != authorization {
			t.Errorf("%s got Authorization %q, want %q", path, got, authorization)
		}
	}
	for _, path := range []string{"/v1/webhooks", "/v1/webhooks/" + ids["/basic"], "/v1/webhooks/" + ids["/certified"], "/v1/events/" + event.ID, "/v1/deliveries", "/v1/audit", "/metrics", "/openapi.json"} {
		if status, answer := call("GET", path, nil); status != 200 {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	for path := range ids {
		text, err := json.Marshal(attempts[path])
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	if text := shown.String(); !strings.Contains(text, `"code":"token"`) || !strings.Contains(text, `outcome="token"}`) || strings.Contains(text, `outcome="token"} 0`) {
		t.Error("an attempt or the metrics do not tell of the token failures")
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.lookFor(t, map[string]string{"the answers": shown.String(), "the log": out.String()}, c.Data)
}

// refuse makes calls that are refused, with secrets in all places.
func (a *asking) refuse(t *testing.T, call func(string, string, any) (int, []byte), webhook string) {
	t.Helper()
	quoted := func(text string) string {
		out, _ := json.Marshal(text)
		return string(out)
	}
	secret := quoted(canaryRefused)
	tests := map[string]struct{ auth, field string }{
		"unknown field":          {`{"basic":{"user":"u","password":` + secret + `}}`, "auth"},
		"wrong type":             {`{"basic":{"username":{},"password":` + secret + `}}`, "auth"},
		"a text":                 {secret, "auth"},
		"twice":                  {`{"headers":{"X":` + secret + `,"X":` + secret + `}}`, "auth"},
		"half a surrogate":       {`{"headers":{"X":"` + canaryRefused + `\ud800"}}`, "auth"},
		"both":                   {`{"basic":{"username":"u","password":` + secret + `},"oauth2":{"token_url":"https://a.example","client_id":"c","client_secret":` + secret + `}}`, "auth"},
		"no token URL":           {`{"oauth2":{"client_id":"c","client_secret":` + secret + `}}`, "auth.oauth2.token_url"},
		"a password in the URL":  {`{"oauth2":{"token_url":"https://u:` + canaryRefused + `@a.example","client_id":"c","client_secret":` + secret + `}}`, "auth.oauth2.token_url"},
		"a metadata address":     {`{"oauth2":{"token_url":"http://169.254.169.254/","client_id":"c","client_secret":` + secret + `}}`, "auth.oauth2.token_url"},
		"no such way to show it": {`{"oauth2":{"token_url":"https://a.example","client_id":"c","client_secret":` + secret + `,"client_auth":"` + canaryRefused + `"}}`, "auth.oauth2.client_auth"},
		"no client":              {`{"oauth2":{"token_url":"https://a.example","client_secret":` + secret + `}}`, "auth.oauth2.client_id"},
		"no secret":              {`{"oauth2":{"token_url":"https://a.example","client_id":"c"}}`, "auth.oauth2.client_secret"},
		"a line break":           {`{"basic":{"username":"u","password":"` + canaryRefused + `\r\nX: 1"}}`, "auth.basic.password"},
		"a colon":                {`{"basic":{"username":"u:v","password":` + secret + `}}`, "auth.basic.username"},
		"the contract's header":  {`{"headers":{"Webhook-Signature":` + secret + `}}`, "auth.headers.Webhook-Signature"},
		"the content type":       {`{"headers":{"content-type":` + secret + `}}`, "auth.headers.content-type"},
		"the connection's":       {`{"headers":{"Host":` + secret + `}}`, "auth.headers.Host"},
		"the length":             {`{"headers":{"content-length":"1"}}`, "auth.headers.content-length"},
		"hop by hop":             {`{"headers":{"Transfer-Encoding":` + secret + `}}`, "auth.headers.Transfer-Encoding"},
		"authorization twice":    {`{"headers":{"authorization":` + secret + `},"basic":{"username":"u","password":` + secret + `}}`, "auth.headers.authorization"},
		"two spellings":          {`{"headers":{"X-a":` + secret + `,"x-A":` + secret + `}}`, "auth.headers.x-A"},
		"not a name":             {`{"headers":{"X a":` + secret + `}}`, "auth.headers.X a"},
		"a header's line break":  {`{"headers":{"X":"` + canaryRefused + `\n"}}`, "auth.headers.X"},
		"21 headers":             {`{"headers":{` + strings.TrimSuffix(fmt.Sprintf(strings.Repeat(`"X-%d":"v",`, 21), numbers(21)...), ",") + `}}`, "auth.headers"},
		"headers of over 4 KiB":  {`{"headers":{"X":"` + strings.Repeat("canary-refused-7", 257) + `"}}`, "auth.headers"},
		"a key of another":       {`{"client_certificate":{"chain":` + quoted(a.chain) + `,"key":` + secret + `}}`, "auth.client_certificate"},
		"a certificate, no key":  {`{"client_certificate":{"chain":` + quoted(a.chain) + `}}`, "auth.client_certificate"},
		"a certificate in plain": {`{"client_certificate":{"chain":` + quoted(a.chain) + `,"key":` + quoted(a.key) + `}}`, "auth.client_certificate"},
	}
	for name, test := range tests {
		for _, made := range []struct{ method, path, body string }{
			{"POST", "/v1/webhooks", `{"url":"http://127.0.0.1:9/x","environment":"sandbox","events":["a"],"auth":` + test.auth + `}`},
			{"PATCH", "/v1/webhooks/" + webhook, `{"auth":` + test.auth + `}`},
		} {
			status, answer := call(made.method, made.path, made.body)
			var told api.ErrorBody
			if err := json.Unmarshal(answer, &told); err != nil || status != 400 || told.Error.Fields[test.field] == "" {
				t.Errorf("%s: %s gave %d %s, want a fault of %s", name, made.method, status, answer, test.field)
			}
		}
	}
	// A change of contract or URL is judged with what is asked for already.
	if status, answer := call("PATCH", "/v1/webhooks/"+webhook, `{"auth":{"headers":{"X-Signature":`+secret+`}}}`); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := call("PATCH", "/v1/webhooks/"+webhook, `{"contract":"shiip"}`); status != 400 || !bytes.Contains(answer, []byte("auth.headers.X-Signature")) {
		t.Errorf("a contract that sets a header of the endpoint's own: %d %s", status, answer)
	}
	if status, answer := call("PATCH", "/v1/webhooks/"+webhook, map[string]any{"auth": &api.WebhookAuth{
		Basic: &api.BasicAuth{Username: "postrider", Password: canaryPassword}, Headers: map[string]string{"X-Api-Key": canaryHeader},
	}}); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
}

func numbers(n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// attempts gives the last attempt of the event at each path, for those that have one.
func (a *asking) attempts(t *testing.T, s *server.Server, event string, ids map[string]string) map[string]api.Attempt {
	t.Helper()
	c := speak(t, s, key)
	told, err := c.Event(t.Context(), event, "")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]api.Attempt)
	for _, d := range told.Deliveries {
		delivery, err := c.Delivery(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		for path, id := range ids {
			if id == d.WebhookID && len(delivery.Attempts) > 0 {
				found[path] = delivery.Attempts[len(delivery.Attempts)-1]
			}
		}
	}
	return found
}

// lookFor fails the test where a secret can be read.
func (a *asking) lookFor(t *testing.T, texts map[string]string, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		texts[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	quotedPassword, _ := json.Marshal(canaryPassword)
	secrets := []string{
		canaryClient, canaryPassword, string(quotedPassword[1 : len(quotedPassword)-1]), canaryHeader, canaryToken, canaryRefused, "canary-tenant-7",
		base64.StdEncoding.EncodeToString([]byte("postrider:" + canaryPassword)), base64.StdEncoding.EncodeToString([]byte("postrider:" + canaryClient)),
		strings.Split(a.key, "\n")[1],
	}
	for where, text := range texts {
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s shows %q: …%q…", where, secret, text[max(0, at-150):min(len(text), at+150)])
			}
		}
	}
}

func TestASecretThatIsRotatedSignsBesideTheOldOne(t *testing.T) {
	leaks(t)
	a := ask(t)
	s := start(t, server.Options{Config: configuration(t)})
	c := speak(t, s, key)
	webhook, err := c.RegisterWebhook(t.Context(), api.WebhookCreate{URL: a.url + "/rotated", Events: []string{"order.created"}, Secret: tenantSecret})
	if err != nil {
		t.Fatal(err)
	}
	signatures := func() (single string, list int) {
		t.Helper()
		published, err := c.Publish(t.Context(), api.EventCreate{Type: "order.created", Data: json.RawMessage(`1`)})
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the delivery", func() bool { return a.header("/rotated").Get("Webhook-Id") == published.ID })
		header := a.header("/rotated")
		a.mu.Lock()
		body := a.bodies["/rotated"]
		a.mu.Unlock()
		sum := hmac.New(sha256.New, []byte(tenantSecret))
		sum.Write([]byte(body))
		single = "another"
		if header.Get("X-Webhook-Signature") == hex.EncodeToString(sum.Sum(nil)) {
			single = "old"
		}
		return single, len(strings.Fields(header.Get("Webhook-Signature")))
	}
	check := func(when, single string, list int) {
		t.Helper()
		if gotSingle, gotList := signatures(); gotSingle != single || gotList != list {
			t.Errorf("%s X-Webhook-Signature is by the %s secret and webhook-signature has %d, want %s and %d", when, gotSingle, gotList, single, list)
		}
	}
	check("before", "old", 1)
	if _, err := c.RotateSecret(t.Context(), webhook.ID, api.RotateSecret{}); err != nil {
		t.Fatal(err)
	}
	check("during the overlap", "old", 2)
	if _, err := c.ActivateSecret(t.Context(), webhook.ID); err != nil {
		t.Fatal(err)
	}
	check("after activation", "another", 1)
}
