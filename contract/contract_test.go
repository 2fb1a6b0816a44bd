package contract_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/signature"
)

// minimal is the smallest contract that signs.
const minimal = `name: sixth
secret: {generated: {bytes: 32}}
body: {form: verbatim}
headers: [{Content-Type: application/json}]
signatures:
  - {header: X-Signature, algorithm: hmac-sha256, key: utf8, over: body, encoding: hex, format: "{signature}"}
limits: {timeout: 5s}
retry: {delays: [1m]}
`

func parse(t testing.TB, source string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse([]byte(source))
	if err != nil {
		t.Fatalf("Parse:\n%v", err)
	}
	return c
}

func TestDefaultsAreFilledIn(t *testing.T) {
	got := parse(t, minimal).Document()
	want := &contract.Document{
		Name:    "sixth",
		Secret:  contract.SecretRule{MinLength: 1, MaxLength: 1024, Generated: contract.Generated{Bytes: 32, Encoding: signature.Base64}},
		Body:    contract.Body{Form: contract.FormVerbatim},
		Headers: []contract.Header{{Name: "Content-Type", Literal: "application/json"}},
		Signatures: []signature.Scheme{{
			Header: "X-Signature", Algorithm: signature.HMACSHA256, Key: signature.KeyUTF8,
			Over: []signature.Part{signature.PartBody}, Encoding: signature.Hex, Format: "{signature}",
		}},
		Limits: contract.Limits{Timeout: 5 * time.Second, Response: 64 << 10},
		Status: contract.StatusRules{Success: []contract.StatusRange{{First: 200, Last: 299}}},
		Retry:  contract.Retry{Delays: []time.Duration{time.Minute}, RetryAfterLimit: 24 * time.Hour},
		HTTPS:  contract.HTTPS{Production: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSecretRules(t *testing.T) {
	accented := strings.Repeat("é", 24) // 24 characters, 48 bytes
	composed := strings.Repeat("e\u0301", 12)
	tests := []struct {
		name   string
		secret string
		says   string // "" when it is taken
	}{
		{"xemelgo", strings.Repeat("x", 24), "has 24 characters; it must have more than 24"}, // 000.6, trap 10
		{"xemelgo", strings.Repeat("x", 25), ""},
		{"xemelgo", accented, "has 24 characters"}, // A001-13: code points, not bytes
		{"xemelgo", accented + "é", ""},
		{"xemelgo", composed, "has 24 characters"}, // code points, not what a person would count
		{"xemelgo", composed + " ", ""},            // untrimmed (trap 19)
		{"xemelgo", "", "has 0 characters"},
		{"xemelgo", strings.Repeat("x", 25) + "\xff", "UTF-8"},
		{"xemelgo", strings.Repeat("x", 1025), "at most 1024"},
		{"ewarehousing", "s", ""},
		{"ewarehousing", "", "more than 0"},
		{"shiip", "s", ""},
		{"generic", "your_webhook_secret", ""},
		{"generic", "whsec_not base64", ""},
		{"generic", whsec, ""},
		{"generic", "", "more than 0"},
		{"standard", whsec, ""},
		{"standard", strings.TrimPrefix(whsec, "whsec_"), ""},
		{"standard", "whsec_AAAA", "key of 3 bytes; it must have 24 to 64"},
		{"standard", "whsec_" + strings.Repeat("AAAA", 22), "key of 66 bytes"},
		{"standard", "your_webhook_secret", "whsec_"},
	}
	for _, test := range tests {
		err := builtin(t, test.name).CheckSecret(postrider.NewSecret(test.secret))
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s refuses a secret of %d bytes: %v", test.name, len(test.secret), err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || postrider.ErrorCode(err) != postrider.CodeInvalid):
			t.Errorf("%s says %v, want %q", test.name, err, test.says)
		case err != nil && len(test.secret) > 3 && strings.Contains(err.Error(), test.secret):
			t.Errorf("%s shows the secret: %v", test.name, err)
		}
	}
}

func TestGeneratedSecretsPassTheirOwnRules(t *testing.T) {
	for _, c := range contract.Builtin() {
		secret, err := c.GenerateSecret(rand.Reader)
		if c.SecretSuppliedByTenant() {
			if postrider.ErrorCode(err) != postrider.CodeInvalid {
				t.Errorf("%s generates a secret: %v", c.Name(), err)
			}
			continue
		}
		if err != nil || c.CheckSecret(secret) != nil {
			t.Errorf("%s: %v, %v", c.Name(), err, c.CheckSecret(secret))
			continue
		}
		again, _ := c.GenerateSecret(rand.Reader)
		if again == secret {
			t.Errorf("%s generates the same secret twice", c.Name())
		}
		if wants := c.Name() == "generic" || c.Name() == "standard"; strings.HasPrefix(secret.Reveal(), "whsec_") != wants {
			t.Errorf("%s: a secret with whsec_ is not as wanted", c.Name())
		}
		if len(secret.Reveal()) < 44 {
			t.Errorf("%s: a secret of %d characters", c.Name(), len(secret.Reveal()))
		}
	}
	if _, err := builtin(t, "generic").GenerateSecret(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("too few random bytes make a secret")
	}
}

func TestReceiversVerifyWhatIsRendered(t *testing.T) {
	const old = "whsec_b2xkIHNlY3JldCwgb2xkIHNlY3JldCwgb2xkISE="
	for _, c := range contract.Builtin() {
		event := anEvent()
		request := render(t, c, event, occurred, whsec, old)
		header := http.Header{}
		for _, field := range request.Header {
			header.Add(field.Name, field.Value)
		}
		for _, scheme := range c.Schemes() {
			for _, known := range []string{whsec, old} {
				verifier, err := signature.NewVerifier(scheme, anEndpoint(known).Secrets)
				if err != nil {
					t.Fatal(err)
				}
				err = verifier.Verify(header, request.Body, occurred.Add(time.Minute))
				if several := scheme.Separator != ""; (err == nil) != (known == whsec || several) {
					t.Errorf("%s, %s: %v", c.Name(), scheme.Header, err)
				}
				if err := verifier.Verify(header, append(bytes.Clone(request.Body), ' '), occurred); err == nil {
					t.Errorf("%s, %s: a changed body is taken", c.Name(), scheme.Header)
				}
			}
		}
	}
}

func TestAttemptsDifferInTheirTimestampOnly(t *testing.T) {
	for _, c := range contract.Builtin() {
		first := render(t, c, anEvent(), occurred, whsec)
		later := render(t, c, anEvent(), occurred.Add(3*time.Hour), whsec)
		if !bytes.Equal(first.Body, later.Body) {
			t.Errorf("%s: the body changes", c.Name())
		}
		for i, field := range first.Header {
			changes := field.Value != later.Header[i].Value
			if attempt := field.Name == "webhook-timestamp" || field.Name == "webhook-signature"; changes != attempt {
				t.Errorf("%s: %s: changes %v", c.Name(), field.Name, changes)
			}
		}
	}
}

func TestRenderReusesTheRequest(t *testing.T) {
	for _, c := range contract.Builtin() {
		r, err := c.NewRenderer(anEndpoint(whsec))
		if err != nil {
			t.Fatal(err)
		}
		var request contract.Request
		big := anEvent()
		big.Data = []byte(`{"object":"` + strings.Repeat("x", 4000) + `"}`)
		big.GivenID = strings.Repeat("i", 128)
		for _, event := range []*postrider.Event{big, anEvent(), big, anEvent()} {
			if err := r.Render(&request, event, occurred); err != nil {
				t.Fatal(err)
			}
			fresh := render(t, c, event, occurred, whsec)
			if !bytes.Equal(request.Body, fresh.Body) || !cmp.Equal(request.Header, fresh.Header) {
				t.Errorf("%s: a used request differs from a fresh one", c.Name())
			}
		}
	}
}

func TestOneRendererServesManyGoroutines(t *testing.T) {
	for _, c := range contract.Builtin() {
		r, err := c.NewRenderer(anEndpoint(whsec))
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for worker := range 4 {
			event := anEvent()
			event.Data = []byte(fmt.Sprintf(`{"worker":%d}`, worker))
			want := render(t, c, event, occurred, whsec)
			group.Go(func() {
				var request contract.Request
				for range 100 {
					if err := r.Render(&request, event, occurred); err != nil || !cmp.Equal(want.Header, request.Header) || !bytes.Equal(want.Body, request.Body) {
						t.Errorf("%s: another request than alone (%v)", c.Name(), err)
						return
					}
				}
			})
		}
		group.Wait()
	}
}

func TestABodyIsNeverEmpty(t *testing.T) {
	event := anEvent()
	event.Data = nil
	for _, c := range contract.Builtin() {
		body := string(render(t, c, event, occurred, whsec).Body)
		if body != "{}" && !strings.Contains(body, `"data":{}`) {
			t.Errorf("%s: %s", c.Name(), body)
		}
	}
}

func TestEventsThatCannotBeRenderedAreErrors(t *testing.T) {
	for _, test := range []struct {
		contract string
		event    postrider.Event
	}{
		{"generic", postrider.Event{GivenID: "a\r\nX-Injected: b", Topic: "a", Data: []byte("{}")}},
		{"standard", postrider.Event{GivenID: "a b", Topic: "a", Data: []byte("{}")}},
		{"xemelgo", postrider.Event{Topic: "a", Data: []byte(`{"a":`)}},
	} {
		r, err := builtin(t, test.contract).NewRenderer(anEndpoint(whsec))
		if err != nil {
			t.Fatal(err)
		}
		var request contract.Request
		if err := r.Render(&request, &test.event, occurred); postrider.ErrorCode(err) != postrider.CodeInvalid {
			t.Errorf("%s: error %v, want one of code invalid", test.contract, err)
		}
		if err := r.Render(&request, anEvent(), occurred); err != nil {
			t.Errorf("%s: the request cannot be used again: %v", test.contract, err)
		}
	}
}

func TestARendererNeedsSecretsOfTheRightForm(t *testing.T) {
	if _, err := builtin(t, "generic").NewRenderer(anEndpoint()); postrider.ErrorCode(err) != postrider.CodeInvalid {
		t.Errorf("no secret: %v", err)
	}
	_, err := builtin(t, "standard").NewRenderer(anEndpoint("not base64 at all"))
	if postrider.ErrorCode(err) != postrider.CodeInvalid || strings.Contains(err.Error(), "not base64 at all") {
		t.Errorf("wrong form: %v", err)
	}
}

func TestUnsignedContractsUseNoSecret(t *testing.T) {
	c := parse(t, "name: open\nbody: {form: verbatim}\nheaders: [{Content-Type: text/plain}]\nlimits: {timeout: 1s}\nretry: {delays: []}\n")
	if err := c.CheckSecret(postrider.Secret{}); err != nil {
		t.Error(err)
	}
	if got := render(t, c, anEvent(), occurred); len(got.Header) != 1 || c.MaxAttempts() != 1 {
		t.Errorf("header %v, %d attempts", got.Header, c.MaxAttempts())
	}
}

func TestSetsFindByNameAndRefuseTwoOfAName(t *testing.T) {
	set, err := contract.NewSet(append(contract.Builtin(), parse(t, minimal))...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(contract.BuiltinNames(), "sixth"), set.Names()); diff != "" {
		t.Error(diff)
	}
	if _, found := set.Find("seventh"); found {
		t.Error("a contract that is not there was found")
	}
	var e *postrider.Error
	if _, err := contract.NewSet(parse(t, minimal), parse(t, minimal)); !errors.As(err, &e) || e.Code != postrider.CodeConflict {
		t.Errorf("two of a name: %v", err)
	}
}

// All sources at once, in a contract that no seed asks for.
func TestEverySourceCanStandInBodyAndHeaders(t *testing.T) {
	c := parse(t, `name: all
secret: {supplied_by: tenant}
body:
  form: ecmascript
  fields:
    - a: event.id
    - b: event.id.uuid
    - c: event.topic
    - d: event.environment
    - e: event.occurred_at.ms
    - f: event.occurred_at.seconds
    - g: event.occurred_at.rfc3339
    - h: event.occurred_at.rfc3339_ms
    - i: event.data
    - j: event.previous_data
headers:
  - Content-Type: application/json
  - X-Literal: "1 two three"
  - X-A: event.id
  - X-B: event.id.uuid
  - X-C: event.topic
  - X-D: event.environment
  - X-E: event.occurred_at.ms
  - X-F: event.occurred_at.seconds
  - X-G: event.occurred_at.rfc3339
  - X-H: event.occurred_at.rfc3339_ms
  - X-I: attempt.timestamp
signatures:
  - {header: X-Sign, algorithm: hmac-sha512, key: utf8, over: timestamp.body, encoding: hex, format: "t={timestamp},v1={signature}", separator: ",", tolerance: 1m}
limits: {timeout: 1500ms, response: 1MiB, in_flight: 3}
retry: {every: 90s, times: 3, jitter: 1}
dispatch: {sandbox: every 1h}
endpoint: {https: {production: optional, sandbox: required}}
`)
	event := anEvent()
	event.Data, event.Previous = []byte(`{"z":1.0,"1":2}`), []byte(`[1.50]`)
	event.OccurredAt = occurred.In(time.FixedZone("Kathmandu", 5*3600+45*60)) // written in UTC all the same
	request := render(t, c, event, occurred.Add(time.Hour), plain)
	const body = `{"a":"evt_01h455vb4pex5vsknk084sn02q","b":"01890a5d-ac96-774b-bcce-b302099a8057","c":"order.created","d":"production",` +
		`"e":1765572297123,"f":1765572297,"g":"2025-12-12T20:44:57Z","h":"2025-12-12T20:44:57.123Z","i":{"1":2,"z":1},"j":[1.5]}`
	if string(request.Body) != body {
		t.Errorf("body\n got %s\nwant %s", request.Body, body)
	}
	var header strings.Builder
	for _, field := range request.Header[:len(request.Header)-1] {
		header.WriteString(field.Name + ": " + field.Value + "\n")
	}
	const want = `Content-Type: application/json
X-Literal: 1 two three
X-A: evt_01h455vb4pex5vsknk084sn02q
X-B: 01890a5d-ac96-774b-bcce-b302099a8057
X-C: order.created
X-D: production
X-E: 1765572297123
X-F: 1765572297
X-G: 2025-12-12T20:44:57Z
X-H: 2025-12-12T20:44:57.123Z
X-I: 1765575897
`
	if diff := cmp.Diff(want, header.String()); diff != "" {
		t.Error(diff)
	}
	if c.Timeout() != 1500*time.Millisecond || c.ResponseLimit() != 1<<20 || c.MaxInFlight() != 3 || c.MaxAttempts() != 4 ||
		c.RequiresHTTPS(postrider.Production) || !c.RequiresHTTPS(postrider.Sandbox) {
		t.Errorf("limits or https are not as written: %+v", c.Document())
	}
}

func TestSchemesOfTheIDThatIsSent(t *testing.T) {
	c := parse(t, `name: uuid
secret: {supplied_by: tenant}
body: {form: verbatim}
headers: [{Content-Type: application/json}, {x-id: event.id.uuid}]
signatures:
  - {header: X-Sign, algorithm: hmac-sha256, key: utf8, over: id.body, encoding: hex, format: "{signature}", id_header: X-ID}
limits: {timeout: 1s}
retry: {delays: []}
`)
	request := render(t, c, anEvent(), occurred, plain)
	header := http.Header{}
	for _, field := range request.Header {
		header.Set(field.Name, field.Value)
	}
	verifier, err := signature.NewVerifier(c.Schemes()[0], anEndpoint(plain).Secrets)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(header, request.Body, occurred); err != nil {
		t.Error(err)
	}
}
