package restapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

// TestSeed004ToTheLetter makes the calls of seed 004's document, in its order.
func TestSeed004ToTheLetter(t *testing.T) {
	g := newGateway(t)
	registered := g.call(g.admin, "POST", "/v1/webhooks",
		`{"url":"https://your-domain.com/webhooks","events":["resource.created","resource.updated"],"secret":"your_webhook_secret"}`)
	if registered.status != 201 {
		t.Fatalf("registering gave %d %s", registered.status, registered.body)
	}
	var webhook map[string]any
	if err := json.Unmarshal([]byte(registered.body), &webhook); err != nil {
		t.Fatal(err)
	}
	id, _ := webhook["id"].(string)
	if !strings.HasPrefix(id, "wh_") {
		t.Errorf("a webhook's id is %q; it begins with wh_", id)
	}
	if _, shown := webhook["secret"]; shown || strings.Contains(registered.body, "your_webhook_secret") {
		t.Errorf("the answer shows the secret that was given: %s", registered.body)
	}
	if got := registered.header.Get("Location"); got != "/v1/webhooks/"+id {
		t.Errorf("Location is %q", got)
	}

	list := g.call(g.admin, "GET", "/v1/webhooks", "")
	if list.status != 200 || !strings.Contains(list.body, `"next":null`) || !strings.Contains(list.body, id) || strings.Contains(list.body, "secret") {
		t.Errorf("listing gave %d %s", list.status, list.body)
	}

	g.engine.attempt = postrider.Attempt{Number: 1, Trigger: postrider.TriggerTest, StartedAt: time.Now(), Duration: 12345 * time.Microsecond,
		Outcome:  postrider.Outcome{Kind: postrider.OutcomeSuccess, Code: postrider.OutcomeDelivered},
		Response: postrider.Response{Status: 200, Body: []byte(`{"status":"received"}`)}}
	tested := g.call(g.admin, "POST", "/v1/webhooks/test", `{"webhook_id":"`+id+`","event_type":"resource.created"}`)
	var result api.TestResult
	if err := json.Unmarshal([]byte(tested.body), &result); err != nil || tested.status != 200 {
		t.Fatalf("testing gave %d %s (%v)", tested.status, tested.body, err)
	}
	if !strings.Contains(tested.body, `"delivered":true,"status":200,`) || !strings.Contains(tested.body, `"outcome":"success"`) {
		t.Errorf("testing gave %s", tested.body)
	}
	if !result.Delivered || result.Attempt.Response.Status != 200 || result.Attempt.Response.Body != `{"status":"received"}` || result.Attempt.DurationMS != 12.345 {
		t.Errorf("the result is %+v", result)
	}
	if event := g.engine.tested[0]; event.Topic != "resource.created" || !strings.Contains(string(event.Data), `{"object":{"id":`) || event.Previous != nil {
		t.Errorf("the test event is %+v", event)
	}

	updated := g.call(g.admin, "PATCH", "/v1/webhooks/"+id, `{"events":["resource.created","user.created"]}`)
	if updated.status != 200 || !strings.Contains(updated.body, `"events":["resource.created","user.created"]`) {
		t.Errorf("updating gave %d %s", updated.status, updated.body)
	}
	deleted := g.call(g.admin, "DELETE", "/v1/webhooks/"+id, "")
	if deleted.status != 204 || deleted.body != "" {
		t.Errorf("deleting gave %d %q", deleted.status, deleted.body)
	}
	if again := g.call(g.admin, "DELETE", "/v1/webhooks/"+id, ""); again.status != 404 {
		t.Errorf("deleting again gave %d", again.status)
	}
	if gone := g.engine.lastChanged(); !gone.Deleted() {
		t.Error("the engine was not told of the deletion")
	}
}

func TestAGeneratedSecretIsShownOnceAndOnlyOnce(t *testing.T) {
	g := newGateway(t)
	ctx := context.Background()
	c := g.as(g.admin)
	made, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com/", Events: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Secret) < 24 {
		t.Fatalf("the generated secret is %q", made.Secret)
	}
	stored, err := g.store.FindEndpoint(ctx, g.acme, mustEndpointID(t, made.ID))
	if err != nil || stored.Secrets[0].Reveal() != made.Secret {
		t.Fatalf("the stored secret is not the one that was shown (%v)", err)
	}
	for _, path := range []string{"/v1/webhooks", "/v1/webhooks/" + made.ID} {
		if r := g.call(g.admin, "GET", path, ""); strings.Contains(r.body, made.Secret) || strings.Contains(r.body, `"secret"`) {
			t.Errorf("GET %s shows the secret: %s", path, r.body)
		}
	}
	if r := g.call(g.admin, "PATCH", "/v1/webhooks/"+made.ID, `{"secret":"another-secret-of-24-letters-and-more"}`); r.status != 200 || strings.Contains(r.body, "another") {
		t.Errorf("changing the secret gave %d %s", r.status, r.body)
	}
	if strings.Contains(g.log.String(), made.Secret) {
		t.Error("the log shows the secret")
	}
}

func mustEndpointID(t testing.TB, s string) postrider.EndpointID {
	t.Helper()
	id, err := postrider.ParseEndpointID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestBadRegistrationsAreToldWholeAndExactly(t *testing.T) {
	g := newGateway(t)
	tests := []struct {
		name, body string
		status     int
		message    string
	}{
		{"nothing", `{}`, 400, `url: is required, such as https://example.com/webhooks; events: at least one event type is needed, such as "order.created"; "*" takes all`},
		{"no body", ``, 400, `request body is required`},
		{"not JSON", `{"url":`, 400, `the body is not the JSON object that this call takes: at byte 7: the text ends before all that was opened is closed`},
		{"a list", `[1]`, 400, `the body is not the JSON object that this call takes: at byte 0: expected an object, which begins with {`},
		{"unknown fields", `{"url":"https://example.com","events":["a"],"evnts":1,"URL":"x"}`, 400, `evnts: unknown field; URL: unknown field`},
		{"twice", `{"url":"https://example.com","events":["a"],"url":"https://example.org"}`, 400, `url: stands twice`},
		{"wrong types", `{"url":1,"events":"a","rate_limit":"x","max_in_flight":1.5}`, 400,
			`url: must be a string; events: must be a list of strings; rate_limit: must be a number; max_in_flight: must be a whole number`},
		{"events of numbers", `{"url":"https://example.com","events":[1]}`, 400, `events: must be a list of strings`},
		{"bad events", `{"url":"https://example.com","events":["a","b c",""]}`, 400,
			`events[1]: topic "b c": use letters, digits, "_" and "-" in segments separated by dots; events[2]: a topic cannot be empty`},
		{"ftp", `{"url":"ftp://example.com","events":["a"]}`, 400, `url: a URL begins with https://`},
		{"http", `{"url":"http://example.com","events":["a"]}`, 400, `url: the URL must begin with https://`},
		{"unknown contract", `{"url":"https://example.com","events":["a"],"contract":"nope"}`, 400,
			`contract: there is no contract "nope"; there are "generic", "standard", "xemelgo", "ewarehousing", "shiip"`},
		{"bad limits", `{"url":"https://example.com","events":["a"],"max_in_flight":1001,"rate_limit":-1,"rate_burst":-5}`, 400,
			`max_in_flight: is between 1 and 1000, or 0 for the default; this one is 1001; rate_limit: is between 0 (no limit) and 100000 requests a second; rate_burst: is between 0 (one second's worth) and 100000`},
		{"bad environment", `{"url":"https://example.com","events":["a"],"environment":"staging"}`, 400, `environment: use "production" or "sandbox"`},
		{"half a surrogate pair", `{"url":"https://example.com","events":["a"],"secret":"\ud800xxxxxxxxxxxxxxxxxxxxxxxxxxx"}`, 400,
			`secret: is not good text: at byte 1: half of a surrogate pair stands alone; it is no character`},
		{"a tenant that is not there", `{"url":"https://example.com","events":["a"],"tenant":"nobody"}`, 404, `there is no tenant "nobody"`},
		{"somebody else's tenant", `{"url":"https://example.com","events":["a"],"tenant":"rival"}`, 404, `there is no tenant "rival"`},
		{"xemelgo without secret", `{"url":"https://example.com","events":["a"],"contract":"xemelgo"}`, 400, `secret: is required by the contract "xemelgo"`},
		{"101 events", `{"url":"https://example.com","events":["a` + strings.Join(numbers(101), `","a`) + `"]}`, 400, `events: has at most 100 event types; this one has 101`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := g.call(g.admin, "POST", "/v1/webhooks", test.body)
			_, message, _ := r.told(t)
			if r.status != test.status || message != test.message {
				t.Errorf("gave %d\n got %s\nwant %s", r.status, message, test.message)
			}
		})
	}
	if list, err := g.as(g.admin).Webhooks(context.Background(), client.WebhookFilter{}); err != nil || len(list.Data) != 0 {
		t.Errorf("a refused registration left a webhook behind: %v %v", list, err)
	}
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = string(rune('a'+i/26)) + string(rune('a'+i%26))
	}
	return out
}

func TestShortSecretsAreRefusedByTheContractsOwnRule(t *testing.T) {
	g := newGateway(t)
	register := func(secret string) error {
		_, err := g.as(g.admin).RegisterWebhook(context.Background(),
			api.WebhookCreate{URL: "https://example.com", Events: []string{"a"}, Contract: "xemelgo", Secret: secret})
		return err
	}
	err := register(strings.Repeat("é", 24)) // 24 characters in 48 bytes: 000.6
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || refused.Status != 400 || refused.Fields["secret"] == "" {
		t.Errorf("24 characters gave %v", err)
	}
	if err := register(strings.Repeat("é", 25)); err != nil {
		t.Errorf("25 characters gave %v", err)
	}
	if err := register(strings.Repeat("x", 1025)); err == nil {
		t.Error("a secret of 1,025 bytes was taken")
	}
}

func TestWebhooksChangeFieldByField(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	made, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com/a", Events: []string{"a", "b", "a"}, Description: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, made.Events); diff != "" {
		t.Errorf("an event type named twice: %s", diff)
	}
	made.Secret = ""
	want := *made
	steps := []struct {
		name   string
		update api.WebhookUpdate
		then   func(*api.Webhook)
	}{
		{"nothing", api.WebhookUpdate{}, func(*api.Webhook) {}},
		{"url", api.WebhookUpdate{URL: pointer("https://example.com/b")}, func(w *api.Webhook) { w.URL = "https://example.com/b" }},
		{"events replace the whole list", api.WebhookUpdate{Events: &[]string{"c"}}, func(w *api.Webhook) { w.Events = []string{"c"} }},
		{"description", api.WebhookUpdate{Description: pointer("")}, func(w *api.Webhook) { w.Description = "" }},
		{"limits", api.WebhookUpdate{MaxInFlight: pointer(3), RateLimit: pointer(2.5), RateBurst: pointer(7)},
			func(w *api.Webhook) { w.MaxInFlight, w.RateLimit, w.RateBurst = 3, 2.5, 7 }},
		{"limits back", api.WebhookUpdate{MaxInFlight: pointer(0), RateLimit: pointer(0.0), RateBurst: pointer(0)},
			func(w *api.Webhook) { w.MaxInFlight, w.RateLimit, w.RateBurst = 0, 0, 0 }},
		{"pause", api.WebhookUpdate{Status: pointer("paused")}, func(w *api.Webhook) { w.Status = "paused" }},
		{"disable", api.WebhookUpdate{Status: pointer("disabled")}, func(w *api.Webhook) { w.Status, w.DisabledReason = "disabled", "by_user" }},
		{"enable", api.WebhookUpdate{Status: pointer("enabled")}, func(w *api.Webhook) { w.Status, w.DisabledReason = "enabled", "" }},
		{"contract", api.WebhookUpdate{Contract: pointer("xemelgo"), Secret: pointer("a-secret-of-more-than-24-characters")},
			func(w *api.Webhook) { w.Contract = "xemelgo" }},
	}
	for _, step := range steps {
		step.then(&want)
		got, err := c.UpdateWebhook(ctx, made.ID, step.update)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if (want.Status == "disabled") != (got.DisabledAt != nil) {
			t.Errorf("%s: disabled_at is %v", step.name, got.DisabledAt)
		}
		got.DisabledAt, want.UpdatedAt = nil, got.UpdatedAt
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
		read, err := c.Webhook(ctx, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		read.DisabledAt = nil
		if diff := cmp.Diff(*got, *read); diff != "" {
			t.Errorf("%s: read back: %s", step.name, diff)
		}
		if step.name != "nothing" && string(g.engine.lastChanged().State) != want.Status {
			t.Errorf("%s: the engine heard of state %q", step.name, g.engine.lastChanged().State)
		}
	}
	if len(g.engine.woken) != 1 {
		t.Errorf("enabling woke the lane %d times", len(g.engine.woken))
	}
	for body, message := range map[string]string{
		`{"status":"off"}`: `status: "off" is not a status; use "enabled", "paused" or "disabled"`,
		`{"events":[]}`:    `events: at least one event type is needed, such as "order.created"; "*" takes all`,
		`{"url":""}`:       `url: is required, such as https://example.com/webhooks`,
		`{"secret":"` + canary + `","contract":"standard","rate_limit":-1}`: `secret: the secret is not of the form "whsec_" and base64 (standard alphabet), which this scheme needs; rate_limit: is between 0 (no limit) and 100000 requests a second`,
		`{"secret":"","url":"x"}`:    `secret: cannot be empty; leave it out to keep the one in force; url: a URL begins with https://`,
		`{"id":"wh_1"}`:              `id: unknown field`,
		`{"tenant":"rival"}`:         `tenant: unknown field`,
		`{"environment":"sandbox"}`:  `environment: unknown field`,
		`{"disabled_reason":"gone"}`: `disabled_reason: unknown field`,
	} {
		r := g.call(g.admin, "PATCH", "/v1/webhooks/"+made.ID, body)
		if _, got, _ := r.told(t); r.status != 400 || got != message {
			t.Errorf("%s gave %d %s\nwant %s", body, r.status, got, message)
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	made, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"paused", "paused"} {
		if got, err := c.PauseWebhook(ctx, made.ID); err != nil || got.Status != want {
			t.Fatalf("pausing gave %+v %v", got, err)
		}
	}
	if got, err := c.ResumeWebhook(ctx, made.ID); err != nil || got.Status != "enabled" {
		t.Fatalf("resuming gave %+v %v", got, err)
	}
	if _, err := c.UpdateWebhook(ctx, made.ID, api.WebhookUpdate{Status: pointer("disabled")}); err != nil {
		t.Fatal(err)
	}
	_, err = c.PauseWebhook(ctx, made.ID)
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != 409 {
		t.Errorf("pausing a disabled webhook gave %v", err)
	}
	if got, err := c.ResumeWebhook(ctx, made.ID); err != nil || got.Status != "enabled" || got.DisabledReason != "" {
		t.Errorf("resuming a disabled webhook gave %+v %v", got, err)
	}
}

func TestListsOfWebhooksGoOldestFirstPageByPage(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	var want []string
	for i := range 7 {
		environment := "production"
		if i%2 == 1 {
			environment = "sandbox"
		}
		made, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"a"}, Environment: environment})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, made.ID)
	}
	walk := func(c *client.Client, filter client.WebhookFilter) (ids []string) {
		for webhook, err := range c.AllWebhooks(ctx, filter) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, webhook.ID)
		}
		return ids
	}
	if diff := cmp.Diff(want, walk(c, client.WebhookFilter{Page: client.Page{Limit: 3}})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, walk(c, client.WebhookFilter{Page: client.Page{Limit: 7}})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{want[1], want[3], want[5]}, walk(c, client.WebhookFilter{Environment: "sandbox"})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{want[1], want[3], want[5]}, walk(g.as(g.sandboxAdmin), client.WebhookFilter{})); diff != "" {
		t.Errorf("a sandbox key sees: %s", diff)
	}
	if got := walk(g.as(g.foreign), client.WebhookFilter{}); len(got) != 0 {
		t.Errorf("another tenant sees %v", got)
	}
	if got := walk(g.as(g.operator), client.WebhookFilter{}); len(got) != 0 {
		t.Errorf("an operator who names no tenant sees %v, which are not of the default tenant", got)
	}
	if diff := cmp.Diff(want, walk(g.as(g.operator, client.WithTenant("acme")), client.WebhookFilter{})); diff != "" {
		t.Errorf("an operator sees: %s", diff)
	}
	for _, path := range []string{"/v1/webhooks?limit=0", "/v1/webhooks?limit=501", "/v1/webhooks?limit=x", "/v1/webhooks?cursor=%21", "/v1/webhooks?cursor=AAAA",
		"/v1/webhooks?environment=staging", "/v1/webhooks?nonsense=1"} {
		r := g.call(g.admin, "GET", path, "")
		if code, _, fields := r.told(t); r.status != 400 || code != "invalid" || len(fields) != 1 {
			t.Errorf("%s gave %d %s", path, r.status, r.body)
		}
	}
}

func TestATestIsBounded(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin, client.WithRetries(1, 0))
	made, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"user.*", "user.updated"}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.TestWebhook(ctx, made.ID, "")
	if err != nil || result.EventType != "user.updated" || result.Delivered || result.Attempt.Response != nil {
		t.Fatalf("a test without a type gave %+v %v", result, err)
	}
	if event := g.engine.tested[0]; string(event.Previous) != `{"name":"Ada Lovelace"}` {
		t.Errorf("a test of an update has previous data %s", event.Previous)
	}
	if _, err := c.TestWebhook(ctx, made.ID, "no such*"); err == nil {
		t.Error("a topic that cannot be was taken")
	}

	g.engine.block = make(chan struct{})
	answers := make(chan error, 17)
	for range 17 {
		go func() {
			_, err := c.TestWebhook(ctx, made.ID, "a")
			answers <- err
		}()
	}
	refused, ok := errors.AsType[*client.Error](<-answers) // sixteen wait; the one that is over is answered
	if !ok || refused.Status != 429 {
		t.Errorf("the seventeenth test gave %v", refused)
	}
	close(g.engine.block)
	for range 16 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

func TestTopicsAreListedByNamePageByPage(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	for _, events := range [][]string{{"b", "a.*"}, {"c", "b"}, {"*"}} {
		if _, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	want := []api.Topic{{Name: "*", Source: "webhook", Webhooks: 1}, {Name: "a.*", Source: "webhook", Webhooks: 1},
		{Name: "b", Source: "webhook", Webhooks: 2}, {Name: "c", Source: "webhook", Webhooks: 1}}
	var walked []api.Topic
	for filter := (client.TopicFilter{Source: "webhook", Page: client.Page{Limit: 3}}); ; {
		list, err := c.Topics(ctx, filter)
		if err != nil {
			t.Fatal(err)
		}
		walked = append(walked, list.Data...)
		if list.Next == nil {
			break
		}
		filter.Cursor = *list.Next
	}
	if diff := cmp.Diff(want, walked); diff != "" {
		t.Error(diff)
	}
	for topic, err := range c.AllTopics(ctx, client.TopicFilter{Source: "webhook", Environment: "sandbox"}) {
		t.Errorf("the sandbox has %v %v", topic, err)
	}
}
