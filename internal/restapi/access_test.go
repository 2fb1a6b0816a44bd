package restapi_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/internal/auth"
)

// access is one row of the outside's view of the table: a route, a good body for it, the action it
// needs, and the status for who may.
type access struct {
	route, body string
	action      auth.Action
	status      int
}

// asks reports whether the row asks for a thing that is there already.
func (a access) asks() bool {
	all := a.route + a.body
	return strings.Contains(all, "{webhook}") || strings.Contains(all, "{event}") || strings.Contains(all, "{delivery}") || strings.Contains(all, "{key}") || strings.Contains(all, "{user}")
}

// accesses lists every route but the open ones. {webhook}, {delivery}, {event}, {key} and {user} stand for ids of tenant acme.
func accesses() []access {
	return []access{
		{"POST /v1/webhooks", `{"url":"https://example.com","events":["x"],"secret":"` + canary + `"}`, auth.RegisterWebhook, 201},
		{"GET /v1/webhooks", "", auth.ReadWebhooks, 200},
		{"POST /v1/webhooks/test", `{"webhook_id":"{webhook}","event_type":"x"}`, auth.TestWebhook, 200},
		{"GET /v1/webhooks/{webhook}", "", auth.ReadWebhooks, 200},
		{"PATCH /v1/webhooks/{webhook}", `{"description":"d"}`, auth.UpdateWebhook, 200},
		{"POST /v1/webhooks/{webhook}/pause", "", auth.UpdateWebhook, 200},
		{"POST /v1/webhooks/{webhook}/resume", "", auth.UpdateWebhook, 200},
		{"POST /v1/webhooks/{webhook}/replay", `{"state":"failed"}`, auth.ReplayDelivery, 200},
		{"POST /v1/webhooks/{webhook}/rotate-secret", `{"overlap":"0s"}`, auth.UpdateWebhook, 200},
		{"POST /v1/webhooks/{webhook}/activate-secret", "", auth.UpdateWebhook, 200},
		{"GET /v1/topics", "", auth.ReadTopics, 200},
		{"POST /v1/topics", `{"name":"made.{n}"}`, auth.WriteTopics, 201},
		{"GET /v1/topics/policy", "", auth.ReadTopics, 200},
		{"PUT /v1/topics/policy", `{"closed":false,"builtin":true}`, auth.WriteTopics, 200},
		{"GET /v1/topics/resource.created", "", auth.ReadTopics, 200},
		{"PATCH /v1/topics/resource.created", `{"description":"d"}`, auth.WriteTopics, 200},
		{"DELETE /v1/topics/{topic}", "", auth.WriteTopics, 204},
		{"GET /v1/settings/api", "", auth.ReadSettings, 200},
		{"PUT /v1/settings/api", `{"url":"https://example.com/all"}`, auth.UpdateSettings, 200},
		{"POST /v1/settings/api/test", "", auth.TestWebhook, 200},
		{"POST /v1/events", `{"type":"x","data":1}`, auth.PublishEvent, 202},
		{"POST /v1/events/batch", `[{"type":"x","data":1}]`, auth.PublishEvent, 202},
		{"GET /v1/events", "", auth.ReadEvents, 200},
		{"GET /v1/events/{event}", "", auth.ReadEvents, 200},
		{"POST /v1/events/{event}/replay", "", auth.ReplayDelivery, 200},
		{"POST /v1/events/{event}/replay?webhook_id={webhook}", "", auth.ReplayDelivery, 200},
		{"GET /v1/deliveries", "", auth.ReadDeliveries, 200},
		{"GET /v1/deliveries/{delivery}", "", auth.ReadDeliveries, 200},
		{"POST /v1/deliveries/{delivery}/retry", "", auth.RetryDelivery, 200},
		{"POST /v1/deliveries/{delivery}/replay", "", auth.ReplayDelivery, 200},
		{"POST /v1/tenants", `{"name":"t-{n}"}`, auth.CreateTenant, 201},
		{"GET /v1/tenants", "", auth.ReadTenants, 200},
		{"POST /v1/keys", `{"role":"viewer"}`, auth.CreateKey, 201},
		{"GET /v1/keys", "", auth.ReadKeys, 200},
		{"DELETE /v1/keys/{key}", "", auth.RevokeKey, 204},
		{"POST /v1/users", `{"email":"u-{n}","password":"` + canaryPassword + `","role":"viewer"}`, auth.CreateUser, 201},
		{"GET /v1/users", "", auth.ReadUsers, 200},
		{"GET /v1/users/{user}", "", auth.ReadUsers, 200},
		{"PATCH /v1/users/{user}", `{"password":"` + canaryPassword + `"}`, auth.UpdateUser, 200},
		{"DELETE /v1/users/{user}", "", auth.DeleteUser, 204},
		{"GET /v1/audit", "", auth.ReadAudit, 200},
		{"GET /v1/secrets", "", auth.SealSecrets, 200},
		{"POST /v1/secrets/rotate", "", auth.SealSecrets, 200},
		{"GET /v1/contracts", "", auth.ReadContracts, 200},
		{"GET /v1/contracts/generic", "", auth.ReadContracts, 200},
		{"DELETE /v1/webhooks/{webhook}", "", auth.DeleteWebhook, 204},
	}
}

// ids are the things of tenant acme that a test asks for.
type ids struct{ webhook, event, delivery, key, user, topic string }

func (g *gateway) things() ids {
	g.t.Helper()
	ctx, c := context.Background(), g.as(g.admin)
	all := "https://example.com/all"
	if _, err := c.PutAPISettings(ctx, "", api.APISettingsUpdate{URL: &all, Secret: canary}); err != nil {
		g.t.Fatal(err)
	}
	webhook, err := c.RegisterWebhook(ctx, api.WebhookCreate{URL: "https://example.com", Events: []string{"thing.made"}, Secret: canary})
	if err != nil {
		g.t.Fatal(err)
	}
	accepted, err := c.Publish(ctx, api.EventCreate{Type: "thing.made", Data: []byte(`{}`)})
	if err != nil || accepted.Deliveries < 1 {
		g.t.Fatal(accepted, err)
	}
	event, err := c.Event(ctx, accepted.ID, "")
	if err != nil {
		g.t.Fatal(err)
	}
	key, err := c.CreateKey(ctx, api.KeyCreate{Role: "viewer"})
	if err != nil {
		g.t.Fatal(err)
	}
	g.users++
	user, err := c.CreateUser(ctx, api.UserCreate{Email: "thing-" + strconv.Itoa(g.users), Password: canaryPassword, Role: "viewer"})
	if err != nil {
		g.t.Fatal(err)
	}
	topic := "thing.t" + strconv.Itoa(g.users)
	if _, err := g.as(g.operator).CreateTopic(ctx, api.TopicCreate{Name: topic}); err != nil {
		g.t.Fatal(err)
	}
	if _, err := c.RotateSecret(ctx, webhook.ID, api.RotateSecret{}); err != nil {
		g.t.Fatal(err)
	}
	delivery := event.Deliveries[len(event.Deliveries)-1].ID
	g.settle(delivery)
	return ids{webhook.ID, accepted.ID, delivery, key.ID, user.ID, topic}
}

func (i ids) in(s, n string) string {
	return strings.NewReplacer("{webhook}", i.webhook, "{event}", i.event, "{delivery}", i.delivery, "{key}", i.key, "{user}", i.user, "{topic}", i.topic, "{n}", n).Replace(s)
}

// TestEveryRouteAsksForItsActionOnly walks every route with every role, with no key and with one
// that is not known.
func TestEveryRouteAsksForItsActionOnly(t *testing.T) {
	g := newGateway(t)
	roles := map[string]string{"operator": g.operator, "admin": g.admin, "publisher": g.publisher, "viewer": g.viewer}
	covered := map[string]bool{}
	for number, row := range accesses() {
		method, path, _ := strings.Cut(row.route, " ")
		bare, _, _ := strings.Cut(path, "?")
		covered[method+" "+bare] = true
		for role, key := range roles {
			allowed := false
			for _, r := range row.action.Roles() {
				allowed = allowed || string(r) == role
			}
			things := g.things()
			query := ""
			if role == "operator" && (row.asks() || strings.Contains(path, "/settings/")) {
				query = "?tenant=acme"
				if strings.Contains(path, "?") {
					query = "&tenant=acme"
				}
			}
			r := g.call(key, method, things.in(path, "")+query, things.in(row.body, role+"-"+strconv.Itoa(number)))
			if allowed && r.status != row.status {
				t.Errorf("%s as %s gave %d %s, want %d", row.route, role, r.status, r.body, row.status)
			}
			if !allowed {
				if code, message, _ := r.told(t); r.status != 403 || code != "forbidden" || !strings.Contains(message, role) {
					t.Errorf("%s as %s gave %d %s, want 403", row.route, role, r.status, r.body)
				}
			}
		}
		for name, header := range map[string]string{"no key": "", "an unknown key": "Bearer pr_live_nonsense", "another scheme": "Basic YTpi", "no text": "Bearer ", "only a word": "Bearer",
			"a huge key": "Bearer " + strings.Repeat("x", 4000)} {
			r := g.call("", method, path, row.body, "Authorization", header)
			if code, _, _ := r.told(t); r.status != 401 || code != "unauthenticated" || r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %s gave %d %s", row.route, name, r.status, r.body)
			}
		}
	}
	if len(covered) != strings.Count(everyRoute, "\n")+1-3 {
		t.Errorf("%d routes were walked, of %d that are not open to all", len(covered), strings.Count(everyRoute, "\n")+1-3)
	}
}

// TestAnotherTenantsThingsAreNotThere asks for tenant acme's things with rival's admin key, and with
// one that names acme: nothing tells whether they are there.
func TestAnotherTenantsThingsAreNotThere(t *testing.T) {
	g := newGateway(t)
	things := g.things()
	never := ids{"wh_01h455vb4pex5vsknk084sn02q", "evt_01h455vb4pex5vsknk084sn02q", "dlv_01h455vb4pex5vsknk084sn02q_1", "key_01h455vb4pex5vsknk084sn02q", "usr_01h455vb4pex5vsknk084sn02q", ""}
	mask := func(s string, i ids) string {
		return strings.NewReplacer(i.webhook, "ID", i.event, "ID", i.delivery, "ID", i.key, "ID", i.user, "ID").Replace(s)
	}
	for _, row := range accesses() {
		method, path, _ := strings.Cut(row.route, " ")
		if !row.asks() {
			continue
		}
		real := g.call(g.foreign, method, things.in(path, ""), things.in(row.body, ""))
		none := g.call(g.foreign, method, never.in(path, ""), never.in(row.body, ""))
		if real.status != 404 || mask(real.body, things) != mask(none.body, never) {
			t.Errorf("%s of another tenant gave %d %s, and of nobody %d %s", row.route, real.status, real.body, none.status, none.body)
		}
		if real.header.Get("Content-Length") == "" {
			t.Errorf("%s: the answer has no length", row.route)
		}
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		named := g.call(g.foreign, method, things.in(path, "")+join+"tenant=acme", things.in(row.body, ""))
		if named.status != 404 {
			t.Errorf("%s with ?tenant=acme gave %d %s", row.route, named.status, named.body)
		}
	}
	for _, tenant := range []string{"acme", g.acme.String()} {
		if r := g.call(g.foreign, "POST", "/v1/events", `{"type":"x","data":1,"tenant":"`+tenant+`"}`); r.status != 404 {
			t.Errorf("publishing into another tenant gave %d %s", r.status, r.body)
		}
		if r := g.call(g.foreign, "POST", "/v1/keys", `{"role":"admin","tenant":"`+tenant+`"}`); r.status != 404 {
			t.Errorf("making a key of another tenant gave %d %s", r.status, r.body)
		}
	}
	for _, path := range []string{"/v1/webhooks", "/v1/events", "/v1/deliveries", "/v1/keys", "/v1/tenants", "/v1/topics", "/v1/users", "/v1/audit"} {
		if r := g.call(g.foreign, "GET", path, ""); r.status != 200 || strings.Contains(r.body, "acme") || strings.Contains(r.body, "thing.made") || strings.Contains(r.body, g.acme.String()) {
			t.Errorf("GET %s shows things of another tenant: %s", path, r.body)
		}
	}
}

func TestASandboxKeyReachesTheSandboxOnly(t *testing.T) {
	g := newGateway(t)
	things := g.things() // of production
	for _, row := range accesses() {
		method, path, _ := strings.Cut(row.route, " ")
		if !row.asks() {
			continue
		}
		if r := g.call(g.sandboxAdmin, method, things.in(path, ""), things.in(row.body, "")); r.status != 404 {
			t.Errorf("%s of production gave %d %s", row.route, r.status, r.body)
		}
	}
	for _, path := range []string{"/v1/webhooks", "/v1/events", "/v1/deliveries"} {
		if r := g.call(g.sandboxAdmin, "GET", path, ""); r.status != 200 || !strings.HasPrefix(r.body, `{"data":[]`) {
			t.Errorf("GET %s gave %d %s", path, r.status, r.body)
		}
		if r := g.call(g.sandboxAdmin, "GET", path+"?environment=production", ""); r.status != 403 {
			t.Errorf("GET %s of production gave %d %s", path, r.status, r.body)
		}
	}
	for path, body := range map[string]string{
		"/v1/events":   `{"type":"x","data":1,"environment":"production"}`,
		"/v1/webhooks": `{"url":"https://example.com","events":["x"],"environment":"production"}`,
		"/v1/keys":     `{"role":"admin","environment":"production"}`,
	} {
		if r := g.call(g.sandboxAdmin, "POST", path, body); r.status != 403 {
			t.Errorf("POST %s into production gave %d %s", path, r.status, r.body)
		}
	}
	made, err := g.as(g.sandboxAdmin).RegisterWebhook(context.Background(), api.WebhookCreate{URL: "http://example.com", Events: []string{"x"}})
	if err != nil || made.Environment != "sandbox" {
		t.Errorf("registering in the sandbox gave %+v %v", made, err)
	}
}

func TestARevokedKeyIsRefusedAtOnce(t *testing.T) {
	g := newGateway(t)
	ctx, admin := context.Background(), g.as(g.admin)
	key, err := admin.CreateKey(ctx, api.KeyCreate{Role: "publisher", Name: "p"})
	if err != nil || !strings.HasPrefix(key.Key, "pr_live_") {
		t.Fatal(key, err)
	}
	if r := g.call(key.Key, "POST", "/v1/events", `{"type":"x","data":1}`); r.status != 202 {
		t.Fatalf("publishing gave %d %s", r.status, r.body)
	}
	if list, err := admin.Keys(ctx, ""); err != nil || len(list.Data) != 5 || list.Data[4].Key != "" {
		t.Errorf("the list of keys is %+v %v", list, err)
	}
	if err := admin.RevokeKey(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	if r := g.call(key.Key, "POST", "/v1/events", `{"type":"x","data":1}`); r.status != 401 {
		t.Errorf("publishing with a revoked key gave %d", r.status)
	}
}

func TestKeysAreMadeByWhoMayAndWithinTheirBounds(t *testing.T) {
	g := newGateway(t)
	for _, test := range []struct {
		key, body string
		status    int
		message   string
	}{
		{g.admin, `{}`, 400, `role: is required: "operator", "admin", "publisher" or "viewer"`},
		{g.admin, `{"role":"king"}`, 400, `role: role "king": use "operator", "admin", "publisher" or "viewer"`},
		{g.admin, `{"role":"operator"}`, 403, `only an operator handles keys of role "operator"`},
		{g.operator, `{"role":"operator","tenant":"acme"}`, 400, `tenant: an operator's key belongs to no tenant; leave it out`},
		{g.admin, `{"role":"viewer","expires_at":"2001-01-01T00:00:00Z"}`, 400, `expires_at: has passed already`},
		{g.admin, `{"role":"viewer","expires_at":"tomorrow"}`, 400, `expires_at: must be a time such as "2026-02-18T10:30:00Z"`},
		{g.admin, `{"role":"viewer","name":"` + strings.Repeat("n", 101) + `"}`, 400, `name: has at most 100 characters; this one has 101`},
	} {
		r := g.call(test.key, "POST", "/v1/keys", test.body)
		if _, message, _ := r.told(t); r.status != test.status || message != test.message {
			t.Errorf("%s gave %d %s", test.body, r.status, message)
		}
	}
	ctx, operator := context.Background(), g.as(g.operator)
	made, err := operator.CreateKey(ctx, api.KeyCreate{Role: "operator"})
	if err != nil || made.Tenant != "" {
		t.Fatal(made, err)
	}
	if r := g.call(made.Key, "DELETE", "/v1/keys/"+made.ID, ""); r.status != 409 {
		t.Errorf("a key revoked itself: %d %s", r.status, r.body)
	}
	if err := operator.RevokeKey(ctx, made.ID); err != nil {
		t.Error(err)
	}
}

func TestTenantsAreNamedOnce(t *testing.T) {
	g := newGateway(t)
	for body, want := range map[string]string{
		`{"name":"acme"}`: `there is a tenant "acme" already`,
		`{"name":""}`:     `name: is required`,
		`{"name":"a b"}`:  `name: is made of letters, digits, "_", "-" and "."; ' ' is none of them`,
		`{"name":"ten_01h455vb4pex5vsknk084sn02q"}`:  `name: looks like a tenant's id; choose another`,
		`{"name":"` + strings.Repeat("x", 65) + `"}`: `name: has at most 64 characters; this one has 65 bytes`,
		`{"nmae":"x"}`: `nmae: unknown field`,
	} {
		r := g.call(g.operator, "POST", "/v1/tenants", body)
		if _, message, _ := r.told(t); message != want || r.status != http.StatusBadRequest && r.status != http.StatusConflict {
			t.Errorf("%s gave %d %s", body, r.status, message)
		}
	}
	if r := g.call(g.operator, "POST", "/v1/tenants", `{"name":"fresh"}`); r.status != 201 {
		t.Fatal(r.body)
	}
	if r := g.call(g.operator, "POST", "/v1/events", `{"type":"x","data":1,"tenant":"fresh"}`); r.status != 202 {
		t.Errorf("publishing for the new tenant gave %d %s", r.status, r.body)
	}
}

func TestWhatNoRouteTakesIsToldInOurShape(t *testing.T) {
	g := newGateway(t)
	for route, want := range map[string]struct {
		status int
		allow  string
	}{
		"GET /":                              {404, ""},
		"GET /v1":                            {404, ""},
		"GET /v1/nothing":                    {404, ""},
		"GET /v1/webhooks/":                  {404, ""},
		"POST //v1/events":                   {404, ""},
		"GET /v1/../v1/webhooks":             {404, ""},
		"GET /v1/webhooks/wh_1/nothing":      {404, ""},
		"PUT /v1/webhooks":                   {405, "GET, POST"},
		"DELETE /v1/webhooks":                {405, "GET, POST"},
		"POST /v1/webhooks/wh_1":             {405, "GET, PATCH, DELETE"},
		"GET /v1/webhooks/wh_1/pause":        {405, "POST"},
		"PATCH /v1/events":                   {405, "GET, POST"},
		"POST /healthz":                      {405, "GET"},
		"OPTIONS /v1/events":                 {405, "GET, POST"},
		"GET /v1/deliveries/dlv_1/retry":     {405, "POST"},
		"POST /v1/deliveries/dlv_1/whatever": {404, ""},
	} {
		method, path, _ := strings.Cut(route, " ")
		r := g.call(g.admin, method, path, "")
		code, _, _ := r.told(t)
		if r.status != want.status || r.header.Get("Allow") != want.allow || (r.status == 405) != (code == "method_not_allowed") {
			t.Errorf("%s gave %d, Allow %q: %s", route, r.status, r.header.Get("Allow"), r.body)
		}
	}
	for _, route := range []string{"GET /v1/webhooks/test", "PATCH /v1/webhooks/test", "DELETE /v1/webhooks/test"} {
		method, path, _ := strings.Cut(route, " ")
		body := ""
		if method == "PATCH" {
			body = "{}"
		}
		if r := g.call(g.admin, method, path, body); r.status != 404 || !strings.Contains(r.body, `there is no webhook \"test\"`) {
			t.Errorf("%s gave %d %s", route, r.status, r.body)
		}
	}
}
