package restapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/deliver"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/receivertest"
	"github.com/postrider/postrider/internal/restapi"
)

func must[T any](value T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestAReplayMakesNewDeliveriesOfWhatMatchesCountingFirst(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	before := must(c.Publish(ctx, api.EventCreate{Type: "order.created", Data: []byte(`1`)}))(t)
	webhook := must(c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"order.*"}}))(t)
	failed := must(c.Publish(ctx, api.EventCreate{Type: "order.paid", Data: []byte(`2`)}))(t)
	waiting := must(c.Publish(ctx, api.EventCreate{Type: "order.created", Data: []byte(`3`)}))(t)
	must(c.Publish(ctx, api.EventCreate{Type: "user.created", Data: []byte(`4`)}))(t)
	g.settle(must(c.Event(ctx, failed.ID, ""))(t).Deliveries[0].ID)

	for _, test := range []struct {
		in   api.ReplayRequest
		want api.ReplayResult
	}{
		{api.ReplayRequest{DryRun: true}, api.ReplayResult{Matched: 2, Pending: 1, DryRun: true}},
		{api.ReplayRequest{DryRun: true, State: "none"}, api.ReplayResult{Matched: 1, DryRun: true}},
		{api.ReplayRequest{DryRun: true, State: "failed", Type: "order.paid"}, api.ReplayResult{Matched: 1, DryRun: true}},
		{api.ReplayRequest{DryRun: true, Type: "user.*"}, api.ReplayResult{DryRun: true}}, // the webhook does not get these
		{api.ReplayRequest{DryRun: true, To: pointer(time.Now().Add(-time.Hour))}, api.ReplayResult{DryRun: true}},
		{api.ReplayRequest{From: pointer(time.Now().Add(-time.Hour))}, api.ReplayResult{Matched: 2, Pending: 1, Made: 2}},
		{api.ReplayRequest{}, api.ReplayResult{Pending: 3}}, // repeated, it doubles nothing
	} {
		got := must(c.ReplayWebhook(ctx, webhook.ID, test.in))(t)
		if diff := cmp.Diff(&test.want, got); diff != "" {
			t.Errorf("%+v: %s", test.in, diff)
		}
	}
	if !slices.ContainsFunc(g.engine.woken, func(id postrider.EndpointID) bool { return id.String() == webhook.ID }) {
		t.Error("the engine was not woken")
	}
	event := must(c.Event(ctx, failed.ID, ""))(t)
	if len(event.Deliveries) != 2 || event.Deliveries[0].State != "failed" || event.Deliveries[1].State != "pending" || !strings.HasSuffix(event.Deliveries[1].ID, "_2") {
		t.Errorf("the failed event's deliveries are %+v", event.Deliveries)
	}
	if event := must(c.Event(ctx, before.ID, ""))(t); len(event.Deliveries) != 1 || event.Deliveries[0].State != "pending" {
		t.Errorf("the event from before the webhook has the deliveries %+v", event.Deliveries)
	}
	if event := must(c.Event(ctx, waiting.ID, ""))(t); len(event.Deliveries) != 1 {
		t.Errorf("the event that waits has the deliveries %+v", event.Deliveries)
	}
	for body, want := range map[string]string{
		`{"state":"pending"}`:   `state: pending deliveries go anyway; use "succeeded", "failed", "cancelled" or "none"`,
		`{"state":"lost"}`:      `state: "lost" is not a state; use "succeeded", "failed", "cancelled" or "none"`,
		`{"type":"a..b"}`:       `type: topic "a..b" has an empty segment`,
		`{"cursor":"bm9uc2Vu"}`: `cursor: is not one that this list gave; begin again without it`,
		`{"form":"x"}`:          `form: unknown field`,
		`{"from":"2026-02-18T00:00:00Z","to":"2026-02-18T00:00:00Z"}`: `to: must be after "from"`,
	} {
		r := g.call(g.admin, "POST", "/v1/webhooks/"+webhook.ID+"/replay", body)
		if _, message, _ := r.told(t); r.status != 400 || message != want {
			t.Errorf("%s gave %d %s", body, r.status, message)
		}
	}
	must(c.UpdateWebhook(ctx, webhook.ID, api.WebhookUpdate{Status: pointer("disabled")}))(t)
	if r := g.call(g.admin, "POST", "/v1/webhooks/"+webhook.ID+"/replay", ""); r.status != 409 {
		t.Errorf("replaying to a disabled webhook gave %d %s", r.status, r.body)
	}
}

// TestALargeReplayGoesOnFromItsCursor replays 25,000 events, of which each call does 10,000 at most, while others
// are published.
func TestALargeReplayGoesOnFromItsCursor(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	const total = 25_000
	batch := make([]api.EventCreate, 1000)
	for i := range batch {
		batch[i] = api.EventCreate{Type: "order.created", Data: []byte(`1`)}
	}
	for range total / len(batch) {
		must(c.PublishBatch(ctx, batch, ""))(t)
	}
	webhook := must(c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"*"}}))(t)
	count := must(c.ReplayWebhook(ctx, webhook.ID, api.ReplayRequest{DryRun: true}))(t)
	if count.Matched != total || count.Made != 0 || count.Next != nil {
		t.Errorf("counting gave %+v", count)
	}
	made, calls, in := 0, 0, api.ReplayRequest{State: "none"}
	for {
		done := must(c.ReplayWebhook(ctx, webhook.ID, in))(t)
		if done.Made > 10_000 {
			t.Errorf("a call made %d deliveries", done.Made)
		}
		made += done.Made
		must(c.Publish(ctx, batch[0]))(t) // owed to the webhook as a matter of course
		if calls++; done.Next == nil {
			break
		}
		in.Cursor = *done.Next
	}
	if made != total || calls != 3 {
		t.Errorf("%d deliveries were made in %d calls", made, calls)
	}
}

func TestAnEventIsReplayedToAllWhoTakeItOrToOne(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	register := func(events ...string) *api.Webhook {
		return must(c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: events}))(t)
	}
	first := register("order.created")
	event := must(c.Publish(ctx, api.EventCreate{Type: "order.created", Data: []byte(`1`), ID: "order:1"}))(t)
	second, disabled, other := register("*"), register("order.*"), register("user.*")
	must(c.UpdateWebhook(ctx, disabled.ID, api.WebhookUpdate{Status: pointer("disabled")}))(t)

	made := must(c.ReplayEvent(ctx, event.ID, ""))(t)
	if len(made.Data) != 1 || made.Data[0].WebhookID != second.ID {
		t.Errorf("while the first is owed the event, a replay made %+v", made.Data)
	}
	for _, d := range must(c.Event(ctx, event.ID, ""))(t).Deliveries {
		g.settle(d.ID)
	}
	if made := must(c.ReplayEvent(ctx, event.ID, ""))(t); len(made.Data) != 2 || made.Data[0].WebhookID != first.ID || made.Data[1].ID[len(made.Data[1].ID)-2:] != "_4" {
		t.Errorf("a replay made %+v", made.Data)
	}
	if made := must(c.ReplayEvent(ctx, event.ID, other.ID))(t); len(made.Data) != 1 || made.Data[0].WebhookID != other.ID {
		t.Errorf("a replay to a webhook that is named made %+v", made.Data)
	}
	for path, status := range map[string]int{
		"/v1/events/order:1/replay?webhook_id=" + other.ID:                              409, // still owed now
		"/v1/events/order:1/replay?webhook_id=" + disabled.ID:                           409,
		"/v1/events/order:1/replay?webhook_id=wh_01h455vb4pex5vsknk084sn02q":            404,
		"/v1/events/order:2/replay":                                                     404,
		"/v1/events/order:1/replay?environment=sandbox":                                 404,
		"/v1/deliveries/" + made.Data[0].ID + "/replay":                                 409, // the webhook is owed it by a later one
		"/v1/deliveries/dlv_01h455vb4pex5vsknk084sn02q_1/replay":                        404,
		"/v1/deliveries/" + strings.Replace(made.Data[0].ID, "_2", "_9", 1) + "/replay": 404,
	} {
		if r := g.call(g.admin, "POST", path, ""); r.status != status {
			t.Errorf("%s gave %d %s, want %d", path, r.status, r.body, status)
		}
	}
	for _, d := range must(c.Event(ctx, event.ID, ""))(t).Deliveries {
		if d.State == "pending" {
			g.settle(d.ID)
		}
	}
	again := must(c.ReplayDelivery(ctx, made.Data[0].ID))(t)
	if again.WebhookID != second.ID || again.State != "pending" || again.EventID != made.Data[0].EventID {
		t.Errorf("replaying a delivery made %+v", again)
	}
	if err := c.DeleteWebhook(ctx, first.ID); err != nil {
		t.Fatal(err)
	}
	if r := g.call(g.admin, "POST", "/v1/deliveries/"+strings.Replace(again.ID, again.ID[len(again.ID)-2:], "_1", 1)+"/replay", ""); r.status != 409 || !strings.Contains(r.body, "deleted") {
		t.Errorf("replaying to a deleted webhook gave %d %s", r.status, r.body)
	}
	entries := g.call(g.admin, "GET", "/v1/audit", "").body
	if !strings.Contains(entries, `"action":"delivery.replay","subject":"order:1","detail":"to 2 webhooks; from`) {
		t.Errorf("the audit log is %s", entries)
	}
}

func TestARotationKeepsBothSecretsUntilTheNewOneIsActivated(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	for contractName, side := range map[string]string{"standard": "both", "generic": "old", "shiip": "old"} {
		webhook := must(c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"x"}, Contract: contractName}))(t)
		started := time.Now().Add(-time.Second)
		rotated := must(c.RotateSecret(ctx, webhook.ID, api.RotateSecret{}))(t)
		r := rotated.SecretRotation
		if rotated.Secret == "" || rotated.Secret == webhook.Secret || r == nil || r.SignsWith != side || r.StartedAt.Before(started) || r.Until.Sub(r.StartedAt) != 24*time.Hour {
			t.Errorf("%s: rotating gave %+v %+v", contractName, rotated, r)
		}
		e := g.engine.lastChanged()
		if len(e.Secrets) != 1 || e.Secrets[0].Reveal() != webhook.Secret || e.Rotation.Next.Reveal() != rotated.Secret {
			t.Errorf("%s: the engine knows %d secrets", contractName, len(e.Secrets))
		}
		if found := must(c.Webhook(ctx, webhook.ID))(t); found.Secret != "" || found.SecretRotation == nil {
			t.Errorf("%s: afterwards it is %+v", contractName, found)
		}
		if r := g.call(g.admin, "POST", "/v1/webhooks/"+webhook.ID+"/rotate-secret", ""); r.status != 409 {
			t.Errorf("%s: another rotation gave %d %s", contractName, r.status, r.body)
		}
		activated := must(c.ActivateSecret(ctx, webhook.ID))(t)
		e = g.engine.lastChanged()
		if activated.SecretRotation != nil || e.Rotation != nil || e.Secrets[0].Reveal() != rotated.Secret || len(e.Secrets) != 1 {
			t.Errorf("%s: activating gave %+v", contractName, activated)
		}
		if r := g.call(g.admin, "POST", "/v1/webhooks/"+webhook.ID+"/activate-secret", ""); r.status != 409 {
			t.Errorf("%s: activating again gave %d %s", contractName, r.status, r.body)
		}
	}
	webhook := must(c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"x"}, Secret: canary, Contract: "xemelgo"}))(t)
	path := "/v1/webhooks/" + webhook.ID + "/rotate-secret"
	for body, want := range map[string]string{
		`{"overlap":"a day"}`:         `overlap: is not a duration such as "24h" or "90m"`,
		`{"overlap":"-1s"}`:           `overlap: is between 0 and 30 days; secret: is required by the contract "xemelgo"`,
		`{"overlap":"721h"}`:          `overlap: is between 0 and 30 days; secret: is required by the contract "xemelgo"`,
		`{}`:                          `secret: is required by the contract "xemelgo"`,
		`{"secret":"` + canary + `"}`: `secret: is one that the webhook has already`,
	} {
		r := g.call(g.admin, "POST", path, body)
		if _, message, _ := r.told(t); r.status != 400 || message != want {
			t.Errorf("%s gave %d %s", body, r.status, message)
		}
	}
	if r := g.call(g.admin, "POST", path, `{"secret":"too short"}`); r.status != 400 {
		t.Errorf("a short secret gave %d %s", r.status, r.body)
	}
	given := must(c.RotateSecret(ctx, webhook.ID, api.RotateSecret{Secret: canary + "2", Overlap: "720h"}))(t)
	if given.Secret != "" || given.SecretRotation == nil {
		t.Errorf("a given secret was shown, or is not on its way: %+v", given)
	}
	at := must(c.RotateSecret(ctx, webhook.ID, api.RotateSecret{Secret: canary + "3", Overlap: "0s"}))(t)
	if e := g.engine.lastChanged(); at.SecretRotation != nil || e.Rotation != nil || e.Secrets[0].Reveal() != canary+"3" {
		t.Errorf("an overlap of nothing gave %+v", at)
	}
	must(c.RotateSecret(ctx, webhook.ID, api.RotateSecret{Secret: canary + "4"}))(t)
	patched := must(c.UpdateWebhook(ctx, webhook.ID, api.WebhookUpdate{Secret: pointer(canary + "5")}))(t)
	if e := g.engine.lastChanged(); patched.SecretRotation != nil || e.Rotation != nil || e.Secrets[0].Reveal() != canary+"5" {
		t.Errorf("a secret that is replaced leaves %+v", patched)
	}
}

func TestAClosedCatalogueRefusesWhatItDoesNotHold(t *testing.T) {
	g := newGateway(t)
	ctx, c, operator := context.Background(), g.as(g.admin), g.as(g.operator)
	names := map[string]bool{}
	for topic, err := range c.AllTopics(ctx, client.TopicFilter{Source: "builtin", Page: client.Page{Limit: 7}}) {
		if err != nil || topic.Description == "" || len(topic.Example) == 0 || names[topic.Name] {
			t.Errorf("%+v %v", topic, err)
		}
		names[topic.Name] = true
	}
	for _, name := range []string{"resource.created", "payment.failed", "inventory.cycle_count", "package.moved", "order.planned", "modification.disapproved", "stock.updated"} {
		if !names[name] {
			t.Errorf("%s is not built in", name)
		}
	}
	if len(names) != 7+14+22+1 {
		t.Errorf("%d topics are built in", len(names))
	}
	must(operator.CreateTopic(ctx, api.TopicCreate{Name: "parcel.lost", Description: "A parcel was lost", Example: []byte(`{"parcel": 7}`)}))(t)
	must(operator.PutTopicPolicy(ctx, api.TopicPolicy{Closed: true, BuiltIn: true}))(t)
	publish := func(topic string) reply {
		return g.call(g.publisher, "POST", "/v1/events", `{"type":"`+topic+`","data":1}`)
	}
	register := func(pattern string) reply {
		return g.call(g.admin, "POST", "/v1/webhooks", `{"url":"https://example.com","events":["`+pattern+`"]}`)
	}
	for _, good := range []string{"parcel.lost", "resource.created"} {
		if r := publish(good); r.status != 202 {
			t.Errorf("publishing %s gave %d %s", good, r.status, r.body)
		}
	}
	for _, good := range []string{"parcel.lost", "parcel.*", "*", "*.created"} {
		if r := register(good); r.status != 201 {
			t.Errorf("registering for %s gave %d %s", good, r.status, r.body)
		}
	}
	if r := publish("parcel.found"); r.status != 400 || !strings.Contains(r.body, `type: \"parcel.found\" is not in the catalogue of topics, which is closed; GET /v1/topics lists it`) {
		t.Errorf("publishing what is not in it gave %d %s", r.status, r.body)
	}
	if r := g.call(g.publisher, "POST", "/v1/events/batch", `[{"type":"parcel.found","data":1},{"type":"parcel.lost","data":1}]`); r.status != 202 || strings.Count(r.body, `"error"`) != 1 {
		t.Errorf("a batch gave %d %s", r.status, r.body)
	}
	for _, bad := range []string{"parcel.found", "letter.*"} {
		if r := register(bad); r.status != 400 || !strings.Contains(r.body, `events[0]`) {
			t.Errorf("registering for %s gave %d %s", bad, r.status, r.body)
		}
	}
	must(operator.PutTopicPolicy(ctx, api.TopicPolicy{Closed: true}))(t)
	if r := publish("resource.created"); r.status != 400 {
		t.Errorf("without the built-in topics, publishing one gave %d", r.status)
	}
	if r := publish("parcel.lost"); r.status != 202 {
		t.Errorf("and publishing the operator's %d %s", r.status, r.body)
	}
	must(operator.PutTopicPolicy(ctx, api.TopicPolicy{BuiltIn: true}))(t)
	if r := publish("parcel.found"); r.status != 202 {
		t.Errorf("when it is open again, publishing gave %d %s", r.status, r.body)
	}
	webhook := must(c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"*"}}))(t)
	must(c.TestWebhook(ctx, webhook.ID, "parcel.lost"))(t)
	must(c.TestWebhook(ctx, webhook.ID, "resource.updated"))(t)
	must(c.TestWebhook(ctx, webhook.ID, "unheard.updated"))(t)
	var tested []string
	for _, e := range g.engine.tested {
		tested = append(tested, string(e.Data)+string(e.Previous))
	}
	want := []string{`{"parcel":7}`, `{"object":{"id":"res_xyz789","name":"Updated Resource","status":"active"}}{"name":"Old Resource Name"}`,
		`{"object":{"id":"test_123","name":"Test Name","status":"active"}}{"name":"Old Test Name"}`}
	if diff := cmp.Diff(want, tested); diff != "" {
		t.Error(diff)
	}
}

func TestTheCatalogueIsKeptAndChangedByOperatorsOnly(t *testing.T) {
	g := newGateway(t)
	ctx, operator := context.Background(), g.as(g.operator)
	must(operator.UpdateTopic(ctx, "resource.created", api.TopicUpdate{Description: pointer("Ours")}))(t)
	if found := must(g.as(g.viewer).Topic(ctx, "resource.created"))(t); found.Source != "operator" || found.Description != "Ours" || len(found.Example) == 0 || found.CreatedAt == nil {
		t.Errorf("a changed built-in topic is %+v", found)
	}
	if r := g.call(g.operator, "PATCH", "/v1/topics/resource.created", `{"example":null}`); r.status != 200 || strings.Contains(r.body, "example") {
		t.Errorf("taking the example away gave %d %s", r.status, r.body)
	}
	for call, want := range map[string]string{
		`POST /v1/topics {"name":"resource.created"}`:                                   `there is a topic "resource.created" in the catalogue already`,
		`POST /v1/topics {"name":"a.*"}`:                                                `name: topic "a.*": use letters, digits, "_" and "-" in segments separated by dots`,
		`POST /v1/topics {"name":"policy"}`:                                             `name: is a word of the interface; choose another`,
		`POST /v1/topics {"name":"a","description":"` + strings.Repeat("d", 501) + `"}`: `description: has at most 500 characters; this one has 501`,
		`POST /v1/topics {"name":"a","example":"` + strings.Repeat("d", 17000) + `"}`:   `example: has at most 16384 bytes; this one has 17002`,
		`DELETE /v1/topics/user.created {}`:                                             `topic "user.created" is built in; the policy's "builtin": false leaves all of these out`,
		`DELETE /v1/topics/nothing {}`:                                                  `there is no topic "nothing" in the catalogue`,
		`PATCH /v1/topics/nothing {}`:                                                   `there is no topic "nothing" in the catalogue`,
		`PUT /v1/topics/policy {"closed":true}`:                                         `builtin: is required: true or false`,
	} {
		method, rest, _ := strings.Cut(call, " ")
		path, body, _ := strings.Cut(rest, " ")
		if method == "DELETE" {
			body = ""
		}
		r := g.call(g.operator, method, path, body)
		if _, message, _ := r.told(t); message != want {
			t.Errorf("%.60s gave %d %s", call, r.status, message)
		}
	}
	if err := operator.DeleteTopic(ctx, "resource.created"); err != nil {
		t.Fatal(err)
	}
	if found := must(operator.Topic(ctx, "resource.created"))(t); found.Source != "builtin" || found.Description != "New resource created" {
		t.Errorf("a built-in topic shows again as %+v", found)
	}
	if page := must(g.as(g.publisher).Topics(ctx, client.TopicFilter{}))(t); len(page.Data) < 40 {
		t.Errorf("a publisher sees %d topics", len(page.Data))
	}
}

func TestListsAreChosenByStatusTypeAndEvent(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	var ids []string
	for i, events := range [][]string{{"a"}, {"a.b"}, {"a"}, {"*"}, {"a"}} {
		w := must(c.RegisterWebhook(ctx, api.WebhookCreate{URL: fmt.Sprintf("https://example.com/%d", i), Events: events}))(t)
		ids = append(ids, w.ID)
	}
	must(c.PauseWebhook(ctx, ids[2]))(t)
	for _, test := range []struct {
		filter client.WebhookFilter
		want   []int
	}{
		{client.WebhookFilter{Type: "a"}, []int{0, 2, 3, 4}},
		{client.WebhookFilter{Type: "a.b"}, []int{1, 3}},
		{client.WebhookFilter{Status: "paused"}, []int{2}},
		{client.WebhookFilter{Status: "enabled", Type: "a"}, []int{0, 3, 4}},
		{client.WebhookFilter{Status: "disabled"}, nil},
	} {
		test.filter.Limit = 2
		var got []int
		for w, err := range c.AllWebhooks(ctx, test.filter) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, slices.Index(ids, w.ID))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v: %s", test.filter, diff)
		}
	}
	event := must(c.Publish(ctx, api.EventCreate{Type: "a", Data: []byte(`1`), ID: "mine"}))(t)
	must(c.Publish(ctx, api.EventCreate{Type: "a", Data: []byte(`2`)}))(t)
	var found []string
	for d, err := range c.AllDeliveries(ctx, client.DeliveryFilter{EventID: event.ID, Page: client.Page{Limit: 3}}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, d.ID[len(d.ID)-2:])
	}
	if diff := cmp.Diff([]string{"_4", "_3", "_2", "_1"}, found); diff != "" {
		t.Error(diff)
	}
	for filter, want := range map[client.DeliveryFilter]int{
		{EventID: "mine", WebhookID: ids[0]}:                1,
		{EventID: "mine", State: "succeeded"}:               0,
		{EventID: "mine", State: "pending"}:                 4,
		{EventID: "mine", Type: "b"}:                        0,
		{EventID: "mine", To: time.Now().Add(-time.Hour)}:   0,
		{EventID: "mine", From: time.Now().Add(-time.Hour)}: 4,
	} {
		if list := must(c.Deliveries(ctx, filter))(t); len(list.Data) != want {
			t.Errorf("%+v: %d deliveries, want %d", filter, len(list.Data), want)
		}
	}
}

func TestKeysAreListedPageByPage(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	for range 5 {
		must(c.CreateKey(ctx, api.KeyCreate{Role: "viewer"}))(t)
	}
	want := must(c.Keys(ctx, "viewer"))(t).Data
	var got []string
	for path := "/v1/keys?role=viewer&limit=2"; path != ""; {
		var page struct {
			Data []struct{ ID string }
			Next *string
		}
		if err := json.Unmarshal([]byte(g.call(g.admin, "GET", path, "").body), &page); err != nil || len(page.Data) > 2 {
			t.Fatal(err, page)
		}
		for _, key := range page.Data {
			got = append(got, key.ID)
		}
		if path = ""; page.Next != nil {
			path = "/v1/keys?role=viewer&limit=2&cursor=" + *page.Next
		}
	}
	if len(want) != 6 || len(got) != 6 || !slices.IsSorted(got) {
		t.Errorf("listed were %v of %d keys", got, len(want))
	}
	if r := g.call(g.admin, "GET", "/v1/keys?cursor=x", ""); r.status != 400 {
		t.Errorf("a cursor that is none gave %d", r.status)
	}
}

func TestARotationEndsByItself(t *testing.T) {
	g := newGateway(t)
	at := time.Now()
	g.now = func() time.Time { return at }
	ctx, c := context.Background(), g.as(g.admin)
	webhook := must(c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"x"}}))(t)
	first := must(c.RotateSecret(ctx, webhook.ID, api.RotateSecret{Overlap: "1h"}))(t)
	at = at.Add(time.Hour)
	if found := must(c.Webhook(ctx, webhook.ID))(t); found.SecretRotation != nil {
		t.Errorf("after its overlap the rotation is %+v", found.SecretRotation)
	}
	if r := g.call(g.admin, "POST", "/v1/webhooks/"+webhook.ID+"/activate-secret", ""); r.status != 409 {
		t.Errorf("activating after the overlap gave %d %s", r.status, r.body)
	}
	second := must(c.RotateSecret(ctx, webhook.ID, api.RotateSecret{Overlap: "1h"}))(t)
	if e := g.engine.lastChanged(); e.Secrets[0].Reveal() != first.Secret || e.Rotation.Next.Reveal() != second.Secret {
		t.Error("the next rotation does not begin from the secret that came into force")
	}
}

func TestEveryKeyHasItsLimitAndIsToldOfIt(t *testing.T) {
	g := newGateway(t, func(o *restapi.Options, _ *restapi.Parts) { o.PublishLimit, o.ManageLimit = 3, 2 })
	for i, want := range []struct{ status, remaining string }{{"202", "2"}, {"202", "1"}, {"202", "0"}, {"429", "0"}} {
		r := g.call(g.publisher, "POST", "/v1/events", `{"type":"x","data":1}`)
		if fmt.Sprint(r.status) != want.status || r.header.Get("X-RateLimit-Limit") != "3" || r.header.Get("X-RateLimit-Remaining") != want.remaining || r.header.Get("X-RateLimit-Reset") == "" {
			t.Errorf("request %d gave %d %v", i+1, r.status, r.header)
		}
		if r.status == 429 {
			if code, message, _ := r.told(t); code != "rate_limited" || message != "this key has made too many publishing requests; POST /v1/events/batch takes many events in one" || r.header.Get("Retry-After") != "20" {
				t.Errorf("the refusal is %s, %s, %v", code, message, r.header)
			}
		}
	}
	g.call(g.publisher, "GET", "/v1/events", "")
	if r := g.call(g.publisher, "GET", "/v1/webhooks", ""); r.status != 403 || r.header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("a refused request is not counted: %d %v", r.status, r.header)
	}
	if r := g.call(g.publisher, "GET", "/v1/events", ""); r.status != 429 || r.header.Get("Retry-After") != "30" {
		t.Errorf("the third management request gave %d %v", r.status, r.header)
	}
	if r := g.call(g.admin, "POST", "/v1/events", `{"type":"x","data":1}`); r.status != 202 {
		t.Errorf("another key's request gave %d", r.status)
	}
	if r := g.call("", "GET", "/healthz", ""); r.status != 200 || r.header.Get("X-RateLimit-Limit") != "" {
		t.Errorf("a route that is open to all gave %d %v", r.status, r.header)
	}
}

// TestAPISettingsAreOneURLAndOneSecretAnEnvironment walks through seed 003's settings, and tests the URL through a
// real engine against a receiver that verifies as the seed does.
func TestAPISettingsAreOneURLAndOneSecretAnEnvironment(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	none := must(c.APISettings(ctx, ""))(t)
	if none.URL != nil || none.Status != "none" || none.WebhookID != nil || none.Dispatch.EverySeconds != 1800 || none.TimeoutMS != 30_000 {
		t.Errorf("without settings they are %+v", none)
	}
	if next := none.Dispatch.NextAt; !next.After(time.Now().Add(-time.Second)) || next.Sub(next.Truncate(30*time.Minute)) != 0 || next.After(time.Now().Add(30*time.Minute)) {
		t.Errorf("the next round is at %s", next)
	}
	if accepted := must(c.Publish(ctx, api.EventCreate{Type: "shipment.updated", Data: []byte(`1`)}))(t); accepted.Deliveries != 0 {
		t.Error("without a URL something is owed (003.3)")
	}
	if r := g.call(g.admin, "POST", "/v1/settings/api/test", ""); r.status != 409 {
		t.Errorf("testing without a URL gave %d %s", r.status, r.body)
	}

	// The sandbox, which takes http (A003-8), with a real receiver.
	set := must(c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{URL: pointer("http://example.com/webhook")}))(t)
	if set.Secret == "" || set.Status != "enabled" || *set.URL != "http://example.com/webhook" || set.Dispatch.EverySeconds != 300 || set.Environment != "sandbox" {
		t.Errorf("setting a URL gave %+v", set)
	}
	if again := must(c.APISettings(ctx, "sandbox"))(t); again.Secret != "" || *again.WebhookID != *set.WebhookID {
		t.Errorf("afterwards they are %+v", again)
	}
	if other := must(c.APISettings(ctx, "production"))(t); other.URL != nil {
		t.Errorf("the other environment's are %+v", other)
	}
	accepted := must(c.Publish(ctx, api.EventCreate{Type: "anything.at.all", Environment: "sandbox", Data: []byte(`1`)}))(t)
	deliveries := must(c.Deliveries(ctx, client.DeliveryFilter{WebhookID: *set.WebhookID}))(t).Data
	if accepted.Deliveries != 1 || len(deliveries) != 1 {
		t.Fatalf("owed are %+v", deliveries)
	}
	if due := deliveries[0].NextAttemptAt; due.Sub(due.Truncate(5*time.Minute)) != 0 || due.Before(time.Now().Add(-time.Second)) {
		t.Errorf("the event goes at %s", due)
	}
	changed := must(c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{URL: pointer("http://example.com/other")}))(t)
	if changed.Secret != "" || *changed.WebhookID != *set.WebhookID || *changed.URL != "http://example.com/other" {
		t.Errorf("changing the URL gave %+v", changed)
	}
	if secret := g.engine.lastChanged().Secrets[0]; secret.Reveal() != set.Secret {
		t.Error("changing the URL changed the secret")
	}
	rotated := must(c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{URL: pointer("http://example.com/other"), RotateSecret: true, Overlap: "2h"}))(t)
	if rotated.Secret == "" || rotated.Secret == set.Secret || rotated.SecretRotation == nil || rotated.SecretRotation.SignsWith != "old" {
		t.Errorf("rotating gave %+v", rotated)
	}
	given := must(c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{URL: pointer("http://example.com/other"), Secret: canary}))(t)
	if given.Secret != "" || given.SecretRotation != nil || g.engine.lastChanged().Secrets[0].Reveal() != canary {
		t.Errorf("giving a secret gave %+v", given)
	}
	for body, want := range map[string]string{
		`{}`:         `url: is required: such as "https://example.com/webhook", or null to send nothing`,
		`{"url":""}`: `url: is required: such as "https://example.com/webhook", or null to send nothing`,
		`{"url":"https://example.com","overlap":"1h"}`: `overlap: belongs to "rotate_secret": true`,
	} {
		r := g.call(g.admin, "PUT", "/v1/settings/api", body)
		if _, message, _ := r.told(t); r.status != 400 || message != want {
			t.Errorf("%s gave %d %s", body, r.status, message)
		}
	}
	if r := g.call(g.admin, "PUT", "/v1/settings/api", `{"url":"http://example.com"}`); r.status != 400 || !strings.Contains(r.body, "url") {
		t.Errorf("http in production gave %d %s", r.status, r.body)
	}
	must(c.UpdateWebhook(ctx, *set.WebhookID, api.WebhookUpdate{Status: pointer("disabled")}))(t)
	if on := must(c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{URL: changed.URL}))(t); on.Status != "enabled" {
		t.Errorf("setting the URL left it %s", on.Status)
	}
	removed := must(c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{}))(t)
	if removed.URL != nil || removed.Status != "none" || !g.engine.lastChanged().Deleted() {
		t.Errorf("removing gave %+v", removed)
	}
	if removed = must(c.PutAPISettings(ctx, "sandbox", api.APISettingsUpdate{}))(t); removed.URL != nil {
		t.Errorf("removing again gave %+v", removed)
	}
}

// TestTheTestOfAPISettingsIsSignedAsTheSeedVerifies sends the test request for real.
func TestTheTestOfAPISettingsIsSignedAsTheSeedVerifies(t *testing.T) {
	receiver := must(receivertest.Start(receivertest.Shiip(canary)))(t)
	defer receiver.Close()
	contracts, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	poster, err := egress.New(egress.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer poster.Close()
	engine := deliver.New(deliver.Options{Contracts: contracts, Poster: poster})
	g := newGateway(t)
	g.engine.real, g.allowPrivate = engine, true
	ctx, c := context.Background(), g.as(g.sandboxAdmin)
	must(c.PutAPISettings(ctx, "", api.APISettingsUpdate{URL: pointer(receiver.URL()), Secret: canary}))(t)
	result := must(c.TestAPISettings(ctx, "", ""))(t)
	if !result.Delivered || result.Status != 200 || result.Attempt.Response.Body != "Valid signature" || result.EventType != "shipment.status_updated" || result.Attempt.Trigger != "test" {
		t.Errorf("the test gave %+v, %+v", result, result.Attempt.Response)
	}
	rotated := must(c.PutAPISettings(ctx, "", api.APISettingsUpdate{URL: pointer(receiver.URL()), RotateSecret: true}))(t)
	if result = must(c.TestAPISettings(ctx, "", ""))(t); !result.Delivered {
		t.Errorf("while the old secret is in force the test gave %+v", result)
	}
	must(c.ActivateSecret(ctx, *rotated.WebhookID))(t)
	if result = must(c.TestAPISettings(ctx, "", ""))(t); result.Delivered || result.Status != 403 {
		t.Errorf("when the new secret is activated, a receiver of the old one gave %+v", result)
	}
	must(c.PutAPISettings(ctx, "", api.APISettingsUpdate{URL: pointer(receiver.URL()), Secret: canary + " of another"}))(t)
	result = must(c.TestAPISettings(ctx, "", "shipment.updated"))(t)
	if result.Delivered || result.Status != 403 || result.Attempt.Response.Body != "Invalid signature" {
		t.Errorf("with another secret the test gave %+v", result)
	}
	if list := must(c.Events(ctx, client.EventFilter{}))(t); len(list.Data) != 0 {
		t.Errorf("tests were kept as %d events (A003-7)", len(list.Data))
	}
}

func TestSettingsThatAreSetAtTheSameTimeAreStillOne(t *testing.T) {
	g := newGateway(t)
	ctx, c := context.Background(), g.as(g.admin)
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			if _, err := c.PutAPISettings(ctx, "", api.APISettingsUpdate{URL: pointer(fmt.Sprintf("https://example.com/%d", i))}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if list := must(c.Webhooks(ctx, client.WebhookFilter{Contract: "shiip"}))(t); len(list.Data) != 1 {
		t.Errorf("there are %d webhooks of the settings", len(list.Data))
	}
}
