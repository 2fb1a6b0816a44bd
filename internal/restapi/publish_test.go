package restapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/restapi"
)

func TestAnEventIsKeptByteForByte(t *testing.T) {
	g := newGateway(t)
	ctx := context.Background()
	if _, err := g.as(g.admin).RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"order.*"}}); err != nil {
		t.Fatal(err)
	}
	data := `{ "b":1.0,"a":1e400, "b" : "\u003c<\ud83d\ude00" ,"n":-0 }`
	previous := "[ 1 ,\n2 ]"
	r := g.call(g.publisher, "POST", "/v1/events",
		`{"type":"order.paid","data":`+data+` , "previous_data" : `+previous+`,"id":"my-id:1","occurred_at":"2026-02-18T10:30:00.123456+02:00"}`)
	if r.status != 202 || r.body != `{"id":"my-id:1","type":"order.paid","deliveries":1}`+"\n" || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("publishing gave %d %s", r.status, r.body)
	}
	event, err := g.as(g.publisher).Event(ctx, "my-id:1", "")
	if err != nil {
		t.Fatal(err)
	}
	job := g.engine.lastJob()
	if string(job.Event.Data) != data || string(job.Event.Previous) != previous {
		t.Errorf("the engine was offered data %s and previous %s", job.Event.Data, job.Event.Previous)
	}
	stored, err := g.store.FindEvent(ctx, g.acme, "", "my-id:1")
	if err != nil || string(stored.Data) != data || string(stored.Previous) != previous {
		t.Errorf("kept were data %s and previous %s (%v)", stored.Data, stored.Previous, err)
	}
	if want := time.Date(2026, 2, 18, 8, 30, 0, 123e6, time.UTC); !event.OccurredAt.Equal(want) {
		t.Errorf("occurred_at is %v, want %v", event.OccurredAt, want)
	}
	if len(event.Deliveries) != 1 || event.Deliveries[0].State != "pending" || event.Deliveries[0].NextAttemptAt == nil {
		t.Errorf("the deliveries are %+v", event.Deliveries)
	}
}

func TestAnEventWithoutDeliveriesHasAReason(t *testing.T) {
	g := newGateway(t)
	accepted, err := g.as(g.publisher).Publish(context.Background(), api.EventCreate{Type: "nobody.wants.it", Data: []byte("null")})
	if err != nil || accepted.Deliveries != 0 || !strings.HasPrefix(accepted.ID, "evt_") {
		t.Fatal(accepted, err)
	}
	if r := g.call(g.viewer, "GET", "/v1/events/"+accepted.ID, ""); !strings.Contains(r.body, `"data":null,"previous_data":null,"deliveries":[],"reasons":[{"code":"no_subscriber"}]`) {
		t.Errorf("the event is %s", r.body)
	}
	event, err := g.as(g.viewer).Event(context.Background(), accepted.ID, "")
	if err != nil || len(event.Deliveries) != 0 || string(event.Data) != "null" {
		t.Fatal(event, err)
	}
	if diff := cmp.Diff([]api.Reason{{Code: "no_subscriber"}}, event.Reasons); diff != "" {
		t.Error(diff)
	}
}

func TestBadEventsAreToldWholeAndExactly(t *testing.T) {
	g := newGateway(t, func(o *restapi.Options, _ *restapi.Parts) { o.MaxEventBytes, o.MaxBatchBytes = 4000, 8000 })
	for _, test := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"nothing", ``, 400, `the event is not a JSON object: at byte 0: the text is empty where a JSON value should be`},
		{"an empty object", `{}`, 400, `type: is required: what happened, such as "order.created"; data: is required: any JSON value`},
		{"a list", `[]`, 400, `the event is not a JSON object: at byte 0: expected an object, which begins with {`},
		{"not JSON", `{"type":"a",}`, 400, `the event is not a JSON object: at byte 12: expected a key in double quotes`},
		{"more than one", `{"type":"a","data":1}{}`, 400, `the event is not a JSON object: at byte 21: expected the end of the text after the value`},
		{"not UTF-8", "{\"type\":\"a\",\"data\":\"\xff\"}", 400, `the event is not a JSON object: at byte 20: not valid UTF-8`},
		{"unknown fields", `{"type":"a","data":1,"payload":{},"Type":"b"}`, 400, `payload: unknown field; Type: unknown field`},
		{"twice", `{"type":"a","data":1,"data":2,"\u0074ype":"b"}`, 400, `data: stands twice; type: stands twice`},
		{"wrong types", `{"type":1,"data":1,"id":2,"occurred_at":3,"tenant":[],"environment":{}}`, 400,
			`type: must be a string; id: must be a string; occurred_at: must be a string; tenant: must be a string; environment: must be a string`},
		{"not a time", `{"type":"a","data":1,"occurred_at":"yesterday"}`, 400, `occurred_at: must be a time such as "2026-02-18T10:30:00Z"`},
		{"an old time", `{"type":"a","data":1,"occurred_at":"0001-01-02T00:00:00Z"}`, 400, `occurred_at: a time between the years 1970 and 9999 is wanted`},
		{"a pattern", `{"type":"a.*","data":1}`, 400, `type: topic "a.*": use letters, digits, "_" and "-" in segments separated by dots`},
		{"an empty type", `{"type":"","data":1}`, 400, `type: a topic cannot be empty`},
		{"an empty id", `{"type":"a","data":1,"id":""}`, 400, `id: cannot be empty; leave it out to get one`},
		{"a dotted id", `{"type":"a","data":1,"id":"a.b"}`, 400, `id: an event id is made of letters, digits, "_", "-" and ":"; character 2 is '.'`},
		{"an environment that is none", `{"type":"a","data":1,"environment":"prod"}`, 400, `environment "prod": use "production" or "sandbox"`},
		{"a tenant that is not there", `{"type":"a","data":1,"tenant":"nobody"}`, 404, `there is no tenant "nobody"`},
		{"too deep", `{"type":"a","data":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`, 400, `the event is not a JSON object: at byte 1019: nested deeper than 1001 levels`},
		{"too large", `{"type":"a","data":"` + strings.Repeat("x", 4000) + `"}`, 413, `the body has more than 4000 bytes, the most that this call takes`},
		{"a hundred unknown fields", `{` + strings.Repeat(`"x":1,`, 100) + `"type":1}`, 400, `x: unknown field`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := g.call(g.publisher, "POST", "/v1/events", test.body)
			if _, message, _ := r.told(t); r.status != test.status || message != test.message {
				t.Errorf("gave %d\n got %s\nwant %s", r.status, message, test.message)
			}
		})
	}
	deepest := `{"type":"a","data":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`
	if r := g.call(g.publisher, "POST", "/v1/events", deepest); r.status != 202 {
		t.Errorf("data of 1,000 levels gave %d %s", r.status, r.body)
	}
	if r := g.call(g.publisher, "POST", "/v1/events/batch", "["+deepest+"]"); r.status != 202 || !strings.Contains(r.body, `"id":"evt_`) {
		t.Errorf("data of 1,000 levels in a batch gave %d %s", r.status, r.body)
	}
	deeper := `{"type":"a","data":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`
	if r := g.call(g.publisher, "POST", "/v1/events/batch", "["+deeper+"]"); r.status != 400 || !strings.Contains(r.body, "nested deeper than 1002 levels") {
		t.Errorf("data of 1,001 levels in a batch gave %d %s", r.status, r.body)
	}
	if r := g.call(g.publisher, "POST", "/v1/events?tenent=acme", `{"type":"a","data":1}`); r.status != 400 || !strings.Contains(r.body, "tenent: unknown query parameter") {
		t.Errorf("an unknown query gave %d %s", r.status, r.body)
	}
	if r := g.call(g.operator, "POST", "/v1/events?tenant=acme", `{"type":"a","data":1,"tenant":"rival"}`); r.status != 400 {
		t.Errorf("two tenants gave %d %s", r.status, r.body)
	}
	if list, err := g.as(g.admin).Events(context.Background(), client.EventFilter{}); err != nil || len(list.Data) != 2 {
		t.Errorf("of all these, %d events were kept (%v)", len(list.Data), err)
	}
}

func TestMediaTypesAndBodies(t *testing.T) {
	g := newGateway(t)
	good := `{"type":"a","data":1}`
	for contentType, status := range map[string]int{
		"":                                   202,
		"application/json":                   202,
		"application/json; charset=utf-8":    202,
		"Application/JSON;charset=\"UTF-8\"": 202,
		"application/json; charset=latin1":   415,
		"application/vnd.api+json":           415,
		"application/x-www-form-urlencoded":  415,
		"text/plain":                         415,
		"application/x-ndjson":               415,
		";;":                                 415,
	} {
		if r := g.call(g.publisher, "POST", "/v1/events", good, "Content-Type", contentType); r.status != status {
			t.Errorf("Content-Type %q gave %d %s", contentType, r.status, r.body)
		}
	}
	if r := g.call(g.publisher, "POST", "/v1/events", good, "Content-Encoding", "gzip"); r.status != 415 {
		t.Errorf("Content-Encoding gave %d", r.status)
	}
	if r := g.call(g.admin, "POST", "/v1/webhooks", `{"url":"https://example.com","events":["a"]}`, "Content-Type", "text/plain"); r.status != 415 {
		t.Errorf("a webhook as text gave %d %s", r.status, r.body)
	}
	if r := g.call(g.admin, "POST", "/v1/webhooks", `{"description":"`+strings.Repeat("x", 70_000)+`"}`); r.status != 413 {
		t.Errorf("a webhook of 70 kB gave %d %s", r.status, r.body)
	}
	request, err := http.NewRequest("POST", g.url+"/v1/events", io.MultiReader(strings.NewReader(good))) // no length: chunked
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "bearer   "+g.publisher)
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != 202 {
		t.Errorf("a chunked body gave %v %v", answer, err)
	}
	answer.Body.Close()
	request, _ = http.NewRequest("POST", g.url+"/v1/events", io.MultiReader(strings.NewReader(good+strings.Repeat(" ", 1<<20))))
	request.Header.Set("Authorization", "Bearer "+g.publisher)
	answer, err = http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != 413 {
		t.Errorf("a chunked body over 1 MiB gave %v %v", answer, err)
	}
	answer.Body.Close()
}

func TestTheSameKeyAnswersTheFirstEventAgain(t *testing.T) {
	g := newGateway(t)
	for name, vary := range map[string]func(body string) reply{
		"by header": func(data string) reply {
			return g.call(g.publisher, "POST", "/v1/events", `{"type":"a","data":`+data+`}`, "Idempotency-Key", "key-1")
		},
		"by id": func(data string) reply {
			return g.call(g.publisher, "POST", "/v1/events", `{"type":"a","id":"own","data":`+data+`}`)
		},
	} {
		first, again, other := vary(`{"n":1}`), vary(`{"n":1}`), vary(`{"n":2}`)
		if first.status != 202 || first.header.Get("Idempotent-Replayed") != "" {
			t.Fatalf("%s: first %d %s", name, first.status, first.body)
		}
		if again.status != 202 || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: again %d %s %v", name, again.status, again.body, again.header)
		}
		if code, _, _ := other.told(t); other.status != 409 || code != "conflict" {
			t.Errorf("%s: other %d %s", name, other.status, other.body)
		}
	}
	for _, key := range []string{strings.Repeat("k", 249), "a b"} {
		r := g.call(g.publisher, "POST", "/v1/events", `{"type":"a","data":1}`, "Idempotency-Key", key)
		if _, message, _ := r.told(t); r.status != 400 || message != "Idempotency-Key: send one, of 1 to 248 visible ASCII characters" {
			t.Errorf("key %q gave %d %s", key, r.status, r.body)
		}
	}
}

func TestEveryElementOfABatchHasItsOwnAnswerInOrder(t *testing.T) {
	g := newGateway(t)
	elements := []string{
		`{"type":"a","data":1,"id":"one"}`,
		`{"type":"a"}`,
		`{"type":"a","data":1,"id":"one"}`,
		`"text"`,
		`{"type":"a","data":2,"id":"one"}`,
		`{"type":"b","data":{"x": [1, 2]},"previous_data":{"x":[1]}}`,
		`{"type":"a","data":1,"tenant":"rival"}`,
	}
	want := regexp.MustCompile(`^\{"data":\[` + strings.Join([]string{
		`\{"id":"one","type":"a","deliveries":0\}`,
		`\{"error":\{"code":"invalid","message":"data: is required: any JSON value","fields":\{"data":"is required: any JSON value"\}\}\}`,
		`\{"id":"one","type":"a","deliveries":0,"replayed":true\}`,
		`\{"error":\{"code":"invalid","message":"the event is not a JSON object: at byte 0: expected an object, which begins with \{"\}\}`,
		`\{"error":\{"code":"conflict","message":"[^"]+("[^"]+)*"(,"fields":\{[^}]*\})?\}\}`,
		`\{"id":"evt_[0-9a-z]{26}","type":"b","deliveries":0\}`,
		`\{"error":\{"code":"not_found","message":"there is no tenant \\"rival\\"","fields":\{"tenant":"there is no tenant \\"rival\\""\}\}\}`,
	}, ",") + `\]\}` + "\n$")
	array := g.call(g.publisher, "POST", "/v1/events/batch", "[\n"+strings.Join(elements, " ,\n")+"\n]")
	if array.status != 202 || !want.MatchString(array.body) {
		t.Errorf("an array gave %d\n%s", array.status, array.body)
	}
	g.publisher = g.key(g.tenant("second"), postrider.RolePublisher, postrider.Production) // where "one" is not taken yet
	lines := g.call(g.publisher, "POST", "/v1/events/batch", "\n"+strings.Join(elements, "\r\n\n")+"\n", "Content-Type", "application/x-ndjson; charset=utf-8")
	if lines.status != 202 || !want.MatchString(lines.body) {
		t.Errorf("lines gave %d\n%s", lines.status, lines.body)
	}
	for body, message := range map[string]string{
		`{"type":"a","data":1}`:                 `the batch is not a JSON array: at byte 0: expected an array, which begins with [; nothing of it was taken`,
		`[{"type":"a","data":1},]`:              `the batch is not a JSON array: at byte 23: expected a value; nothing of it was taken`,
		`[` + strings.Repeat("1,", 1000) + `1]`: `a batch has at most 1000 events; nothing of this one was taken`,
	} {
		if _, got, _ := g.call(g.publisher, "POST", "/v1/events/batch", body).told(t); got != message {
			t.Errorf("%.30s gave %s", body, got)
		}
	}
	for body, contentType := range map[string]string{"[]": "application/json", "\n \n": "application/x-ndjson"} {
		if r := g.call(g.publisher, "POST", "/v1/events/batch", body, "Content-Type", contentType); r.status != 202 || r.body != `{"data":[]}`+"\n" {
			t.Errorf("an empty batch gave %d %s", r.status, r.body)
		}
	}
}

func TestABatchIsBoundedAndRepeatable(t *testing.T) {
	g := newGateway(t)
	event := `{"type":"a","data":1}`
	full := "[" + strings.Repeat(event+",", 999) + event + "]"
	first := g.call(g.publisher, "POST", "/v1/events/batch", full, "Idempotency-Key", "b1")
	again := g.call(g.publisher, "POST", "/v1/events/batch", full, "Idempotency-Key", "b1")
	if first.status != 202 || strings.Count(first.body, `"id"`) != 1000 || strings.ReplaceAll(again.body, `,"replayed":true`, "") != first.body {
		t.Errorf("the same batch twice gave %d %.200s and %d %.200s", first.status, first.body, again.status, again.body)
	}
	large := `[` + event + `,{"type":"a","data":"` + strings.Repeat("x", 1<<20) + `"}]`
	r := g.call(g.publisher, "POST", "/v1/events/batch", large)
	if r.status != 202 || !strings.Contains(r.body, `{"error":{"code":"too_large","message":"the event has 1048598 bytes; the most is 1048576"}}`) {
		t.Errorf("an event over 1 MiB in a batch gave %d %s", r.status, r.body)
	}
	if r := g.call(g.publisher, "POST", "/v1/events/batch", `["`+strings.Repeat("x", 8<<20)+`"]`); r.status != 413 {
		t.Errorf("a batch over 8 MiB gave %d", r.status)
	}
}

// failing publishes nothing.
type failing struct{ err error }

func (f failing) Publish(context.Context, *ingest.Publication) (ingest.Receipt, error) {
	if f.err == nil {
		panic("a fault of the ingester's")
	}
	return ingest.Receipt{}, f.err
}

func (f failing) PublishBatch(_ context.Context, batch []*ingest.Publication) []ingest.Result {
	results := make([]ingest.Result, len(batch))
	for i := range results {
		_, results[i].Err = f.Publish(context.Background(), batch[i])
	}
	return results
}

func TestAStoreThatCannotTakeEventsIsToldWithWhenToComeAgain(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		after  string
		code   string
		logged bool
	}{
		{postrider.Errorf(postrider.CodeUnavailable, "busy"), 503, "1", "unavailable", false},
		{postrider.Errorf(postrider.CodeStorageFull, "full"), 507, "60", "storage_full", false},
		{postrider.Errorf(postrider.CodeInternal, "table event is odd: %w", errors.New("secret detail")), 500, "", "internal", true},
		{errors.New("secret detail"), 500, "", "internal", true},
		{context.DeadlineExceeded, 503, "1", "unavailable", false},
		{nil, 500, "", "internal", true}, // a panic
	} {
		g := newGateway(t, func(_ *restapi.Options, p *restapi.Parts) { p.Publisher = failing{test.err} })
		for path, body := range map[string]string{"/v1/events": `{"type":"a","data":1}`, "/v1/events/batch": `[{"type":"a","data":1},{"type":"b","data":1}]`} {
			r := g.call(g.publisher, "POST", path, body, "X-Request-Id", "mine-"+test.code)
			code, message, _ := r.told(t)
			if r.status != test.status || code != test.code || r.header.Get("Retry-After") != test.after || r.header.Get("X-Request-Id") != "mine-"+test.code {
				t.Errorf("%v: %s gave %d %s %v", test.err, path, r.status, r.body, r.header)
			}
			if strings.Contains(message, "detail") || strings.Contains(message, "odd") {
				t.Errorf("the cause is shown: %s", message)
			}
		}
		if got := strings.Count(g.log.String(), "request_id=mine-internal"); (got == 2) != test.logged || (got == 0) == test.logged {
			t.Errorf("%v: %d lines of the log for two calls:\n%s", test.err, got, g.log)
		}
	}
}

func TestReadinessFollowsTheStore(t *testing.T) {
	fault := errors.New("no disk")
	g := newGateway(t, func(_ *restapi.Options, p *restapi.Parts) { p.Ready = func(context.Context) error { return fault } })
	r := g.call("", "GET", "/readyz", "")
	if code, message, _ := r.told(t); r.status != 503 || code != "unavailable" || strings.Contains(message, "disk") {
		t.Errorf("/readyz gave %d %s", r.status, r.body)
	}
	if r := g.call("", "GET", "/healthz", ""); r.status != 200 || r.body != "{\"status\":\"ok\"}\n" {
		t.Errorf("/healthz gave %d %s", r.status, r.body)
	}
	fault = nil
	if r := g.call("", "GET", "/readyz", ""); r.status != 200 {
		t.Errorf("/readyz gave %d", r.status)
	}
}

func TestRequestIDsAreTheClientsOrNew(t *testing.T) {
	g := newGateway(t)
	seen := map[string]bool{}
	for _, given := range []string{"", "abc-123", strings.Repeat("x", 129), "with space"} {
		got := g.call(g.viewer, "GET", "/v1/contracts", "", "X-Request-Id", given).header.Get("X-Request-Id")
		if (given == "abc-123") != (got == given) || got == "" || seen[got] {
			t.Errorf("X-Request-Id %q gave %q", given, got)
		}
		seen[got] = true
	}
}

func TestDeliveriesAndEventsAreFoundByFilter(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	webhook, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	var published []string
	for _, topic := range []string{"a", "b", "a", "c", "a"} {
		accepted, err := c.Publish(ctx, api.EventCreate{Type: topic, Data: json.RawMessage(`1`)})
		if err != nil {
			t.Fatal(err)
		}
		published = append([]string{accepted.ID}, published...) // the newest first
	}
	events := func(filter client.EventFilter) (ids []string) {
		for event, err := range c.AllEvents(ctx, filter) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, event.ID)
		}
		return ids
	}
	if diff := cmp.Diff(published, events(client.EventFilter{Page: client.Page{Limit: 2}})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{published[0], published[2], published[4]}, events(client.EventFilter{Type: "a", Page: client.Page{Limit: 1}})); diff != "" {
		t.Error(diff)
	}
	if got := events(client.EventFilter{From: time.Now().Add(time.Hour)}); len(got) != 0 {
		t.Errorf("events from the future: %v", got)
	}
	if got := events(client.EventFilter{To: time.Now().Add(time.Hour), Environment: "sandbox"}); len(got) != 0 {
		t.Errorf("events of the sandbox: %v", got)
	}
	var deliveries []string
	for delivery, err := range c.AllDeliveries(ctx, client.DeliveryFilter{WebhookID: webhook.ID, State: "pending", Page: client.Page{Limit: 3}}) {
		if err != nil {
			t.Fatal(err)
		}
		deliveries = append(deliveries, delivery.EventID)
	}
	if diff := cmp.Diff([]string{published[0], published[2], published[3], published[4]}, deliveries); diff != "" {
		t.Error(diff)
	}
	if r := g.call(g.admin, "GET", "/v1/deliveries?state=lost", ""); r.status != 400 {
		t.Errorf("an unknown state gave %d", r.status)
	}
	if r := g.call(g.admin, "GET", "/v1/deliveries?webhook_id=x", ""); r.status != 400 {
		t.Errorf("a webhook id that is none gave %d", r.status)
	}
}

func TestRetryingADelivery(t *testing.T) {
	g := newGateway(t)
	things := g.things()
	ctx, c := context.Background(), g.as(g.admin)
	g.settle(things.delivery)
	retried, err := c.RetryDelivery(ctx, things.delivery)
	if err != nil || retried.State != "pending" || retried.NextAttemptAt == nil {
		t.Fatal(retried, err)
	}
	if len(g.engine.woken) != 1 || g.engine.woken[0].String() != things.webhook {
		t.Errorf("woken were %v", g.engine.woken)
	}
	if _, err := c.UpdateWebhook(ctx, things.webhook, api.WebhookUpdate{Status: pointer("disabled")}); err != nil {
		t.Fatal(err)
	}
	_, err = c.RetryDelivery(ctx, things.delivery)
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != 409 {
		t.Errorf("retrying for a disabled webhook gave %v", err)
	}
}
