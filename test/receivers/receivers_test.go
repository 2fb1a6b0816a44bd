package receivers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/egress"
)

// secret is long enough for every contract, and no ASCII, not trimmed, not a power of anything.
const secret = " schlüssel—mit mehr als 24 Zeichen 🔑 und Rand "

// seed is one receiver of a seed, and what its document says of it.
type seed struct {
	name     string
	contract string
	command  func(t *testing.T) []string
	path     string
	accepted string // its body when it accepts
	refused  int    // its status for a wrong signature
	depth    int    // levels of nesting that its language reads in data
	limit    int    // bytes of a body that it takes; 0: no limit known
	tooLarge int    // its status beyond
}

// express is the limit of body-parser and express (000.26, 003.11, 004.9).
const express = 100 << 10

func seeds() []seed {
	command := func(with func(*testing.T, string) []string, file string) func(*testing.T) []string {
		return func(t *testing.T) []string { return with(t, file) }
	}
	return []seed{
		{"000 Node", "xemelgo", command(node, "000-node/receiver.js"), "/webhooks", `{"received":true}`, 401, 1000, express, 413},
		{"002 Flask", "ewarehousing", command(flask, "002-flask/receiver.py"), "/webhooks", "", 401, 1000, 0, 0},
		{"003 Node", "shiip", command(node, "003-node/receiver.js"), "/webhook", "Valid signature", 403, 1000, express, 413},
		{"003 Flask", "shiip", command(flask, "003-flask/receiver.py"), "/webhook", "Valid signature", 403, 1000, 0, 0},
		{"003 Sinatra", "shiip", command(sinatra, "003-sinatra/receiver.rb"), "/webhook", "Valid signature", 403, 1000, 0, 0},
		{"003 Go", "shiip", command(golang, "003-go"), "/webhook", "Valid signature", 403, 1000, 0, 0},
		{"003 PHP", "shiip", command(php, "003-php/receiver.php"), "/webhook", "", 403, 1000, 0, 0},
		// Python's json gives up near its limit of recursion, 1,000 with the frames of Flask in it.
		{"004 Flask", "generic", command(flask, "004-flask/receiver.py"), "/webhooks", "{\"status\":\"received\"}\n", 401, 900, 0, 0},
		{"004 Node", "generic", command(node, "004-node/receiver.js"), "/webhooks", `{"status":"received"}`, 401, 1000, express, 413},
	}
}

func TestSeedsReceiversTakeWhatIsSentAndRefuseWhatWasChanged(t *testing.T) {
	client, err := egress.New(egress.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close) // after the last of the receivers, which run beside each other
	contracts, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range seeds() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c, found := contracts.Find(s.contract)
			if !found {
				t.Fatalf("there is no contract %q", s.contract)
			}
			if err := c.CheckSecret(postrider.NewSecret(secret)); err != nil {
				t.Fatal(err)
			}
			r := start(t, s.command(t), s.path, secret)
			d := &delivering{client: client, seed: s, contract: c, receiver: r}
			d.renderer, err = c.NewRenderer(&postrider.Endpoint{Secrets: []postrider.Secret{postrider.NewSecret(secret)}})
			if err != nil {
				t.Fatal(err)
			}
			for _, data := range bodies(s.depth) {
				d.accepts(t, event("inventory.cycle_count", data, ""))
			}
			d.accepts(t, event("resource.created", `{"object":{"id":"res_1","name":"New","status":"active"}}`, ""))
			d.accepts(t, event("resource.updated", `{"object":{"id":"res_1","name":"Neu","status":"active"}}`, `{"name":"Alt"}`))
			d.refusesEveryChange(t)
			d.keepsItsLimit(t)
		})
	}
}

// bodies are data of every kind, and all that JSON.stringify(JSON.parse(x)) changes (FACTS 1.2).
func bodies(depth int) []string {
	list := []string{
		`null`, `true`, `false`, `0`, `-1`, `1.5`, `""`, `"text"`, `[]`, `{}`, `[null]`, `{"a":null}`,
		` { "a" : [ 1 , 2 ] } `, "{\n\t\"a\": 1\r\n}",
		`{"10":1,"9":2,"b":3,"a":4,"01":5,"-0":6,"-1":7,"1.0":8,"1e3":9,"4294967294":10,"4294967295":11,"9007199254740991":12,"0":13}`,
		`{"x":{"2":0,"1":{"b":0,"3":0,"a":0}}}`,
		`{"a":1,"b":2,"a":3}`, `{"a":1,"\u0061":2}`, `{"1":0,"a":1,"1":2}`,
		`{"__proto__":1,"constructor":2,"toJSON":3,"toString":4,"":5,"hasOwnProperty":6}`, `{"__proto__":{"x":1}}`,
		`[1.0,1e2,-0,0.0,-0.0,1e20,1e21,123456789012345680000,0.000001,0.0000001,9007199254740993,123456789012345678901234567890,5e-324,2e-324]`,
		`[1e400,-1e400,1.7976931348623157e308,1.7976931348623159e308,2.2250738585072014e-308,0.1,0.30000000000000004,1E5,1e+5,1e-5,100e-2]`,
		`[` + strings.Repeat("9", 400) + `,0.` + strings.Repeat("3", 400) + `]`,
		`"\"\\\/\b\f\n\r\t\u0000\u001f\u007f\u0080\u2028\u2029\ufeff\uffff"`, "\"\u007f\u0080\u2028\u2029\ufeff\uffff/<>&'\"",
		`"<script>&amp;'</script>"`, `"\ud83d\ude00"`, `"\uD83D\uDE00 é e\u0301 \u00E9"`, `"\ud800"`, `"\udc00\ud800"`, `{"\ud800":"\udfff"}`,
		`"Grüße aus München — 東京 🚚 العربية עברית"`, `{"Größe":"größer","🔑":"🚪"}`,
		nested(depth, "[", "]"), nested(depth, `{"a":`, "}"), nested(depth, `{"2":0,"1":`, "}"),
		`"` + strings.Repeat("ä", 20_000) + `"`, `[` + strings.TrimSuffix(strings.Repeat("1,", 20_000), ",") + `]`,
	}
	for c := rune(0); c < 0x20; c++ {
		list = append(list, fmt.Sprintf(`"\u%04X"`, c))
	}
	return list
}

// nested is data of so many levels.
func nested(depth int, open, end string) string {
	return strings.Repeat(open, depth) + map[bool]string{true: "", false: "0"}[open == "["] + strings.Repeat(end, depth)
}

func event(topic postrider.Topic, data, previous string) *postrider.Event {
	now := time.Now()
	e := &postrider.Event{
		ID: postrider.NewEventID(now), Environment: postrider.Production, Topic: topic,
		OccurredAt: now.UTC().Truncate(time.Millisecond), AcceptedAt: now.UTC(), Data: []byte(data),
	}
	if previous != "" {
		e.Previous = []byte(previous)
	}
	return e
}

// delivering sends to one receiver.
type delivering struct {
	client   *egress.Client
	seed     seed
	contract *contract.Contract
	renderer *contract.Renderer
	receiver *receiver
}

func (d *delivering) render(t *testing.T, e *postrider.Event) *contract.Request {
	t.Helper()
	var request contract.Request
	if err := d.renderer.Render(&request, e, time.Now()); err != nil {
		t.Fatalf("%.200s: %v", e.Data, err)
	}
	return &request
}

func (d *delivering) post(t *testing.T, request *contract.Request) egress.Result {
	t.Helper()
	target, err := egress.CheckURL(d.receiver.url, false, true)
	if err != nil {
		t.Fatal(err)
	}
	result := d.client.Post(context.Background(), &egress.Request{
		URL: target, Header: request.Header, Body: request.Body, Timeout: 30 * time.Second, ResponseLimit: d.contract.ResponseLimit(),
	})
	if result.Failure != "" {
		t.Fatalf("no answer to %.200s: %s\n%s", request.Body, result.Detail, d.receiver.output)
	}
	return result
}

func (d *delivering) accepts(t *testing.T, e *postrider.Event) {
	t.Helper()
	request := d.render(t, e)
	result := d.post(t, request)
	if result.Response.Status != http.StatusOK || string(result.Response.Body) != d.seed.accepted {
		t.Errorf("%.200s was answered %d %.200q; it was sent as %.300s\n%s",
			e.Data, result.Response.Status, result.Response.Body, request.Body, d.receiver.output)
	}
	answer := contract.Answer{Status: result.Response.Status, RetryAfter: result.RetryAfter}
	if outcome := d.contract.Judge(answer, time.Now()); outcome.Kind != postrider.OutcomeSuccess {
		t.Errorf("%.200s was judged %+v", e.Data, outcome)
	}
}

// refusesEveryChange flips each bit of a short body in turn, and a digit of the signature.
func (d *delivering) refusesEveryChange(t *testing.T) {
	t.Helper()
	request := d.render(t, event("resource.created", `{"object":"0123"}`, ""))
	good := bytes.Clone(request.Body)
	at := bytes.Index(good, []byte("0123"))
	for bit := range 4 * 8 {
		copy(request.Body, good)
		request.Body[at+bit/8] ^= 1 << (bit % 8)
		want := d.seed.refused
		if d.seed.contract == "xemelgo" && !readable(request.Body) {
			want = http.StatusBadRequest // express.json refuses what is not JSON before the signature is looked at
		}
		if d.seed.contract == "xemelgo" && readsTheSame(request.Body, good) {
			continue
		}
		if result := d.post(t, request); result.Response.Status != want {
			t.Errorf("a body with bit %d of %q flipped was answered %d %.100q, want %d", bit, request.Body[at:at+4], result.Response.Status, result.Response.Body, want)
		}
	}
	copy(request.Body, good)
	for i := range request.Header {
		field := &request.Header[i]
		if !strings.Contains(strings.ToLower(field.Name), "signature") && !strings.Contains(field.Name, "Hmac") && !strings.Contains(field.Name, "HMAC") {
			continue
		}
		kept := field.Value
		last := len(kept) - 2 // before the padding of base64
		field.Value = kept[:last] + map[bool]string{true: "1", false: "0"}[kept[last] == '0'] + kept[last+1:]
		if field.Name == "webhook-signature" { // of Standard Webhooks, which these receivers do not look at
			field.Value = kept
			continue
		}
		if result := d.post(t, request); result.Response.Status != d.seed.refused {
			t.Errorf("%s with another digit was answered %d", field.Name, result.Response.Status)
		}
		field.Value = kept
	}
	if result := d.post(t, request); result.Response.Status != http.StatusOK {
		t.Errorf("the unchanged body was answered %d", result.Response.Status)
	}
}

// readable reports whether a JavaScript receiver can read body: bytes that are not UTF-8 become
// replacement characters there, and control characters in a string are refused.
func readable(body []byte) bool { return json.Valid(bytes.ToValidUTF8(body, []byte("\ufffd"))) }

// readsTheSame reports whether the change is one that JSON.parse does not see.
func readsTheSame(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

// keepsItsLimit finds the largest body that the receiver takes, to the byte.
func (d *delivering) keepsItsLimit(t *testing.T) {
	t.Helper()
	size := d.seed.limit
	if size == 0 {
		size = 1 << 20 // the gateway's own limit of an event
	}
	of := func(total int) *postrider.Event {
		e := event("payment.succeeded", `""`, "")
		around := len(d.render(t, e).Body)
		e.Data = []byte(`"` + strings.Repeat("x", total-around) + `"`)
		return e
	}
	e := of(size)
	if request := d.render(t, e); len(request.Body) != size {
		t.Fatalf("the body has %d bytes, not %d", len(request.Body), size)
	}
	d.accepts(t, e)
	if d.seed.limit == 0 {
		return
	}
	if result := d.post(t, d.render(t, of(size+1))); result.Response.Status != d.seed.tooLarge {
		t.Errorf("a body of %d bytes was answered %d, want %d", size+1, result.Response.Status, d.seed.tooLarge)
	}
}
