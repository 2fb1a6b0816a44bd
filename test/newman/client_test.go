package newman_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// partner is a client as somebody would write it with nothing but the two documents at hand.
type partner struct {
	t       *testing.T
	url     string
	client  *http.Client
	idToken string
}

func (p *partner) post(path string, header map[string]string, body any) map[string]any {
	p.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := p.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	var decoded map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&decoded); err != nil || answer.StatusCode > 299 {
		p.t.Fatalf("%s: %d %v %v", path, answer.StatusCode, decoded, err)
	}
	return decoded
}

func (p *partner) login(email, password string) {
	encode := base64.StdEncoding.EncodeToString
	answer := p.post("/login", nil, map[string]string{"email": encode([]byte(email)), "password": encode([]byte(password))})
	if answer["ExpiresIn"] != 480.0 || answer["TokenType"] != "Bearer" {
		p.t.Errorf("the login answers %v", answer)
	}
	p.idToken = answer["IdToken"].(string)
}

// graphql sends a document and gives what stands under the path in its answer.
func (p *partner) graphql(query string, path ...string) any {
	p.t.Helper()
	answer := p.post("/graphql", map[string]string{"Authorization": p.idToken}, map[string]string{"query": query})
	if answer["errors"] != nil {
		p.t.Fatalf("%s: %v", query, answer)
	}
	value := answer["data"]
	for _, name := range path {
		value = value.(map[string]any)[name]
	}
	return value
}

// arrived is a request that reached the partner's endpoint.
type arrived struct {
	header http.Header
	body   []byte
}

const signingSecret = "your-secret-key-must-be-longer-than-24-characters"

// verify is the seed's verifyXemelgoSignature, in Go: HMAC-SHA256 in hex behind "sha256=".
func verify(t *testing.T, got arrived) {
	t.Helper()
	provided, found := strings.CutPrefix(got.header.Get("xemelgo-signature"), "sha256=")
	if !found {
		t.Fatalf("Invalid signature format: %v", got.header)
	}
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write(got.body)
	if decoded, err := hex.DecodeString(provided); err != nil || !hmac.Equal(decoded, mac.Sum(nil)) {
		t.Errorf("Signature verification failed")
	}
}

// TestAPartnerOfTheSeedsIsAtHome logs in, registers, lists, gets an event and verifies it, unregisters,
// and gets nothing more.
func TestAPartnerOfTheSeedsIsAtHome(t *testing.T) {
	requests := make(chan arrived, 100)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- arrived{r.Header, body}
		_, _ = io.WriteString(w, `{"received":true}`)
	}))
	t.Cleanup(endpoint.Close)
	p := &partner{t: t, url: serve(t, true, "ann@example.com", "password 1"), client: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}}
	t.Cleanup(p.client.CloseIdleConnections)
	p.login("ann@example.com", "password 1")

	webhook := p.graphql(`mutation MyMutation {
registerWebhook(
input: {
topics: ["inventory.cycle_count"]
secret: "`+signingSecret+`"
endpoint: "`+endpoint.URL+`"
}
) {
webhook {
id
topics
endpoint
creationDate
}
}
}`, "registerWebhook", "webhook").(map[string]any)
	id := webhook["id"].(string)
	if !strings.HasPrefix(id, "webhook-") || webhook["endpoint"] != endpoint.URL || time.Since(time.UnixMilli(int64(webhook["creationDate"].(float64)))).Abs() > time.Minute {
		t.Errorf("registered %v", webhook)
	}
	list := p.graphql("query {\nwebhooks {\nwebhooks {\nid\nendpoint\ntopics\ncreationDate\n}\n}\n}", "webhooks", "webhooks").([]any)
	if len(list) != 1 || list[0].(map[string]any)["id"] != id {
		t.Errorf("listed %v", list)
	}

	publish := func(topic string) {
		t.Helper()
		p.post("/v1/events", map[string]string{"Authorization": "Bearer " + operatorKey},
			map[string]any{"type": topic, "data": map[string]any{"count": 3, "b": 1.50, "10": "ten", "text": "ü <&> \u2028"}})
	}
	publish("inventory.moved") // nobody asked for it
	publish("inventory.cycle_count")
	got := next(t, requests)
	verify(t, got)
	if got.header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
	var event struct {
		ID             string
		EventTimestamp int64
		Topic          string
		Data           map[string]any
	}
	if err := json.Unmarshal(got.body, &event); err != nil || event.Topic != "inventory.cycle_count" || len(event.ID) != 36 || event.Data["count"] != 3.0 {
		t.Errorf("got %s (%v)", got.body, err)
	}

	test := p.graphql(`mutation { triggerWebhookTestEvent(input: {id: "`+id+`"}) { delivered statusCode } }`, "triggerWebhookTestEvent").(map[string]any)
	if test["delivered"] != true || test["statusCode"] != 200.0 {
		t.Errorf("the test event: %v", test)
	}
	verify(t, next(t, requests))
	deliveries := p.graphql(`{ webhookDeliveries(webhookId: "`+id+`") { deliveries { topic } } }`, "webhookDeliveries", "deliveries").([]any)
	if len(deliveries) != 1 || deliveries[0].(map[string]any)["topic"] != "inventory.cycle_count" {
		t.Errorf("deliveries: %v", deliveries)
	}

	gone := p.graphql(`mutation { unregisterWebhook(input: { id: "`+id+`" }) { webhook { id topics endpoint creationDate } } }`, "unregisterWebhook", "webhook").(map[string]any)
	if gone["id"] != id {
		t.Errorf("unregistered %v", gone)
	}
	if list := p.graphql("{webhooks{webhooks{id}}}", "webhooks", "webhooks").([]any); len(list) != 0 {
		t.Errorf("after that the list is %v", list)
	}
	// Nothing more arrives: the endpoint is registered again under another topic, and what arrives next
	// is that topic's event, not the one that was published before it.
	publish("inventory.cycle_count")
	p.graphql(`mutation { registerWebhook(input: {topics: ["last.word"], secret: "` + signingSecret + `", endpoint: "` + endpoint.URL + `"}) { webhook { id } } }`)
	publish("last.word")
	if got := next(t, requests); !bytes.Contains(got.body, []byte(`"topic":"last.word"`)) {
		t.Errorf("after unregistering there came %s", got.body)
	}
	if len(requests) != 0 {
		t.Errorf("%d more requests came", len(requests))
	}
}

func next(t *testing.T, requests <-chan arrived) arrived {
	t.Helper()
	select {
	case got := <-requests:
		return got
	case <-time.After(10 * time.Second):
		t.Fatal("nothing arrived")
		return arrived{}
	}
}
