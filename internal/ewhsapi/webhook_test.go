package ewhsapi_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/ewhsapi"
)

// The seed's own body, to the letter (002.1).
const seedBody = `{"webhook": {"group": "order","action": "create","ulr": "https://12345.ngrok.io/" }}`

func TestTheSeedsBodyRegistersAWebhookWithASecretShownOnce(t *testing.T) {
	g := newGateway(t)
	made := g.call(g.admin, "POST", "/webhooks/", seedBody).must(201)
	webhook := made.said()
	if webhook.URL != "https://12345.ngrok.io/" || webhook.Group != "order" || webhook.Action != "create" || webhook.Topic != "order.create" {
		t.Errorf("got %+v", webhook)
	}
	if webhook.Customer != g.acme.UUID() {
		t.Errorf("customer %s, not the tenant %s", webhook.Customer, g.acme.UUID())
	}
	if len(webhook.HashSecret) < 32 {
		t.Errorf("the generated secret is %q", webhook.HashSecret)
	}
	if made.header.Get("Location") != "/webhooks/"+webhook.ID+"/" || made.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", made.header)
	}
	for _, path := range []string{"/webhooks/", "/webhooks", "/webhooks/" + webhook.ID + "/", "/webhooks/" + webhook.ID} {
		if again := g.call(g.admin, "GET", path, "").must(200); strings.Contains(again.body, webhook.HashSecret) || strings.Contains(again.body, "hash_secret") {
			t.Errorf("GET %s shows the secret again: %s", path, again.body)
		}
	}
}

func TestEveryFormOfABodyMeansTheSame(t *testing.T) {
	g := newGateway(t)
	for _, body := range []string{
		`{"webhook":{"group":"stock","action":"updated","url":"https://a.example/x","hash_secret":"s"}}`,
		`{"group":"stock","action":"updated","url":"https://a.example/x","hash_secret":"s"}`,
		`{"group":"stock","action":"updated","ulr":"https://a.example/x","hash_secret":"s"}`,
		`{"group":"stock","action":"updated","ulr":"https://a.example/x","url":"https://a.example/x","secret":"s","hash_secret":"s"}`,
		`{"group":"stock","action":"updated","url":"https://a.example/x","secret":"s","hash_secret":null,"id":null,"customer":7,"topic":{},"created_at":[],"modified_at":"x"}`,
	} {
		got := g.call(g.admin, "POST", "/webhooks/", body).must(201).said()
		if got.URL != "https://a.example/x" || got.Group != "stock" || got.Action != "updated" || got.HashSecret != "s" {
			t.Errorf("%s gave %+v", body, got)
		}
	}
}

func TestWhatIsWrongWithABodyIsToldByField(t *testing.T) {
	g := newGateway(t)
	for _, c := range []struct {
		body   string
		fields []string
	}{
		{`{}`, []string{"action", "group", "url"}},
		{`{"webhook":{}}`, []string{"action", "group", "url"}},
		{`{"webhook":[]}`, []string{"webhook"}},
		{`{"webhook":{"group":"order","action":"create","ulr":"https://a.example/"},"group":"order"}`, []string{"webhook"}},
		{`{"group":"order","action":"create","url":"https://a.example/","ulr":"https://b.example/"}`, []string{"url"}},
		{`{"group":"order","action":"create","url":"https://a.example/","secret":"a","hash_secret":"b"}`, []string{"hash_secret"}},
		{`{"group":"order","action":"create","url":"https://a.example/","hash_secret":""}`, []string{"hash_secret"}},
		{`{"group":"order","action":"create","url":"https://a.example/","hash_secret":"` + strings.Repeat("x", 1025) + `"}`, []string{"hash_secret"}},
		{`{"group":"order","action":"create","url":"http://a.example/"}`, []string{"url"}}, // 002.5
		{`{"group":"order","action":"create","url":"https://127.0.0.1/"}`, []string{"url"}},
		{`{"group":"order","action":"create","url":"https://u:p@a.example/"}`, []string{"url"}},
		{`{"group":"order","action":"create","url":7}`, []string{"url"}},
		{`{"group":"order","group":"order","action":"create","url":"https://a.example/"}`, []string{"group"}},
		{`{"group":"or der","action":"a.b","url":"https://a.example/"}`, []string{"action", "group"}},
		{`{"group":"*","action":"*","url":"https://a.example/"}`, []string{"action", "group"}},
		{`{"group":"` + strings.Repeat("g", 121) + `","action":"create","url":"https://a.example/"}`, []string{"group"}},
		{`{"group":"order","action":"create","url":"https://a.example/","enabled":"yes"}`, []string{"enabled"}},
		{`{"group":"order","action":"create","url":"https://a.example/\ud800"}`, []string{"url"}},
		{``, []string{"0"}}, {`[]`, []string{"0"}}, {`{"group":`, []string{"0"}}, {`null`, []string{"0"}},
		{strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), []string{"0"}},
	} {
		got := g.call(g.admin, "POST", "/webhooks/", c.body, "Content-Type", "application/json").must(400).said()
		var fields []string
		for name, messages := range got.Errors {
			fields = append(fields, name)
			list, isList := messages.([]any)
			if name != "0" && (!isList || len(list) != 1) || name == "0" && messages == "" {
				t.Errorf("%s: %s is told as %v", c.body, name, messages)
			}
		}
		slices.Sort(fields)
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%s gave %v", c.body, got.Errors)
		}
	}
	if n := g.call(g.admin, "GET", "/webhooks/", "").said().Count; n != 0 {
		t.Errorf("%d webhooks were made", n)
	}
}

func TestBothSpellingsOfAnActionReachAWebhook(t *testing.T) {
	g := newGateway(t)
	for i, pair := range [][2]string{{"create", "created"}, {"update", "updated"}, {"delete", "deleted"}} {
		for j, action := range pair {
			group := postrider.Topic(fmt.Sprintf("g%d%d", i, j))
			id := g.register(g.admin, "https://a.example/", string(group), action).ID
			for _, published := range pair {
				if n := g.receivers(g.acme, group+"."+postrider.Topic(published)); n != 1 {
					t.Errorf("registered as %s, %d webhooks get %s", action, n, published)
				}
			}
			got := g.call(g.admin, "PATCH", "/webhooks/"+id+"/", `{"action":"shipped"}`).must(200).said()
			if got.Action != "shipped" || g.receivers(g.acme, group+".shipped") != 1 || g.receivers(g.acme, group+"."+postrider.Topic(pair[0])) != 0 || g.receivers(g.acme, group+"."+postrider.Topic(pair[1])) != 0 {
				t.Errorf("after the change: %+v", got)
			}
		}
	}
	g.register(g.admin, "https://a.example/", "order", "planned")
	for topic, want := range map[postrider.Topic]int{"order.planned": 1, "order.plan": 0, "order.planne": 0, "order.plannedd": 0} {
		if n := g.receivers(g.acme, topic); n != want {
			t.Errorf("%d webhooks get %s", n, topic)
		}
	}
}

func TestPatchChangesSomeAndPutReplacesAll(t *testing.T) {
	g := newGateway(t)
	made := g.register(g.admin, "https://a.example/1", "order", "created")
	path := "/webhooks/" + made.ID + "/"

	got := g.call(g.admin, "PATCH", path, `{"url":"https://a.example/2"}`).must(200).said()
	if got.URL != "https://a.example/2" || got.Group != "order" || got.Action != "created" {
		t.Errorf("got %+v", got)
	}
	got = g.call(g.admin, "PATCH", path, `{"webhook":{"group":"stock"}}`).must(200).said()
	if got.Group != "stock" || got.Action != "created" || g.receivers(g.acme, "stock.create") != 1 || g.receivers(g.acme, "order.created") != 0 {
		t.Errorf("got %+v", got)
	}
	got = g.call(g.admin, "PATCH", path, `{}`).must(200).said()
	if got.Group != "stock" || got.URL != "https://a.example/2" {
		t.Errorf("an empty change changed: %+v", got)
	}
	g.call(g.admin, "PATCH", path, `{"url":"http://a.example/2"}`).must(400)
	g.call(g.admin, "PATCH", path, `{"action":"a.b"}`).must(400)

	for _, body := range []string{`{"url":"https://a.example/3"}`, `{"group":"order","action":"updated"}`, `{}`} {
		g.call(g.admin, "PUT", path, body).must(400)
	}
	shown := g.call(g.admin, "GET", path, "").must(200).body // what GET gives can be put back, changed
	put := strings.Replace(shown, `"action":"created"`, `"action":"updated"`, 1)
	got = g.call(g.admin, "PUT", path, put).must(200).said()
	if got.Action != "updated" || got.URL != "https://a.example/2" || got.Topic != "stock.updated" {
		t.Errorf("got %+v", got)
	}
	if secret := g.secret(made.ID); secret != canary {
		t.Errorf("a PUT without a secret left %q in force", secret)
	}
	g.call(g.admin, "PATCH", path, `{"hash_secret":"another-`+canary+`"}`).must(200)
	if secret := g.secret(made.ID); secret != "another-"+canary {
		t.Errorf("after the change the secret is %q", secret)
	}
}

// secret reads the signing secret in force from the store.
func (g *gateway) secret(id string) string {
	g.t.Helper()
	uuid, _ := postrider.ParseUUID(id)
	endpoint, err := g.store.FindEndpoint(g.t.Context(), g.acme, postrider.EndpointID{ID: uuid})
	if err != nil || len(endpoint.Secrets) != 1 {
		g.t.Fatal(endpoint, err)
	}
	return endpoint.Secrets[0].Reveal()
}

func TestADeletedWebhookIsGone(t *testing.T) {
	g := newGateway(t)
	made := g.register(g.admin, "https://a.example/1", "order", "created")
	path := "/webhooks/" + made.ID + "/"
	if gone := g.call(g.admin, "DELETE", path, "").must(204); gone.body != "" {
		t.Errorf("204 has a body: %q", gone.body)
	}
	for _, method := range []string{"GET", "PATCH", "PUT", "DELETE"} {
		body := ""
		if method[0] == 'P' {
			body = `{"url":"https://a.example/","group":"g","action":"a"}`
		}
		if got := g.call(g.admin, method, path, body).must(404).said(); got.Code != 404 || !strings.Contains(got.Message, made.ID) {
			t.Errorf("%s: %+v", method, got)
		}
	}
	if g.receivers(g.acme, "order.created") != 0 {
		t.Error("it gets events still")
	}
}

// A webhook of another tenant, of another contract or that never was: all are the same 404.
func TestWhatIsNotTheCallersIsNotFound(t *testing.T) {
	g := newGateway(t)
	theirs := g.register(g.foreign, "https://rival.example/", "order", "created").ID
	other, _, err := g.control.RegisterWebhook(t.Context(), auth.Principal{Role: postrider.RoleAdmin, Tenant: g.acme}, control.Registration{
		URL: "https://a.example/", Topics: []postrider.Topic{"order.created"}, Contract: "generic",
	})
	if err != nil {
		t.Fatal(err)
	}
	live := g.register(g.admin, "https://a.example/", "order", "created").ID
	for _, c := range []struct{ key, id string }{
		{g.admin, theirs}, {g.viewer, theirs}, {g.admin, other.ID.UUID()}, {g.admin, "6caeff6d-cd72-4fde-9d02-0704514ad917"}, {g.admin, "test"},
		{g.admin, other.ID.String()}, {g.admin, "%00"}, {g.operator, theirs}, {g.sandboxAdmin, live},
	} {
		for _, method := range []string{"GET", "PATCH", "PUT", "DELETE"} {
			if c.key == g.viewer && method != "GET" {
				continue
			}
			body := ""
			if method[0] == 'P' {
				body = `{"url":"https://a.example/","group":"g","action":"a"}`
			}
			got := g.call(c.key, method, "/webhooks/"+c.id+"/", body).must(404).said()
			if got.Code != 404 || got.Message == "" || strings.Contains(got.Message, "wh_") && !strings.HasPrefix(c.id, "wh_") {
				t.Errorf("%s %s: %+v", method, c.id, got)
			}
		}
	}
	for key, want := range map[string]int{g.admin: 1, g.foreign: 1, g.sandboxAdmin: 0, g.operator: 0} {
		if got := g.call(key, "GET", "/webhooks/", "").must(200).said().Count; got != want {
			t.Errorf("a list has %d, not %d", got, want)
		}
	}
	g.call(g.foreign, "GET", "/webhooks/"+theirs, "").must(200)
}

func TestARoleMayDoWhatTheTableSays(t *testing.T) {
	g := newGateway(t)
	id := g.register(g.admin, "https://a.example/", "order", "created").ID
	body := `{"url":"https://a.example/","group":"g","action":"a"}`
	for _, c := range []struct {
		method, path, body string
		viewer             int
	}{
		{"GET", "/webhooks/", "", 200}, {"GET", "/webhooks/" + id, "", 200}, {"POST", "/webhooks/", body, 403},
		{"PATCH", "/webhooks/" + id, body, 403}, {"PUT", "/webhooks/" + id, body, 403}, {"DELETE", "/webhooks/" + id, "", 403},
	} {
		g.call(g.viewer, c.method, c.path, c.body).must(c.viewer)
		if got := g.call(g.publisher, c.method, c.path, c.body).must(403).said(); got.Code != 403 || got.Message == "" {
			t.Errorf("%s: %+v", c.method, got)
		}
		for header, said := range map[string]string{"": "", "Bearer nonsense": "", "Basic eDp5": "", "Bearer": "", "Bearer a.b.c": ""} {
			got := g.call("", c.method, c.path, c.body, "Authorization", header).must(401)
			if shape := got.said(); shape.Code != 401 || shape.Message == said || got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %q: %+v", c.method, header, shape)
			}
		}
	}
}

func TestTheOperatorNamesTheCustomer(t *testing.T) {
	g := newGateway(t)
	id := g.register(g.admin, "https://a.example/", "order", "created").ID
	for _, customer := range []string{"acme", g.acme.String(), g.acme.UUID(), strings.ToUpper(g.acme.UUID())} {
		if got := g.call(g.operator, "GET", "/webhooks/"+id+"/", "", "X-Customer-Code", customer).must(200).said(); got.Customer != g.acme.UUID() {
			t.Errorf("%q: %+v", customer, got)
		}
	}
	g.call(g.operator, "GET", "/webhooks/"+id+"/", "", "X-Customer-Code", "rival").must(404)
	if got := g.call(g.operator, "GET", "/webhooks/", "", "X-Customer-Code", "nobody").must(404).said(); !strings.Contains(got.Message, "customer") {
		t.Errorf("%+v", got)
	}
}

func TestCodesAreAskedForOnlyWhereTheOperatorSetOne(t *testing.T) {
	open := newGateway(t)
	for _, codes := range [][]string{nil, {"X-Wms-Code", "WMS1", "X-Customer-Code", "C1"}, {"X-Wms-Code", "\x7f", "X-Customer-Code", "rival"}} {
		got := open.call(open.admin, "POST", "/webhooks/", seedBody, codes...).must(201).said()
		if got.Customer != open.acme.UUID() {
			t.Errorf("with %v the webhook is of %s", codes, got.Customer)
		}
	}
	strict := newGateway(t, func(o *ewhsapi.Options) { o.WMSCode = "WMS1" })
	for _, c := range []struct {
		wms, customer string
		status        int
		message       string
	}{
		{"", "acme", 400, "Missing 'X-Wms-Code' header."}, {"WMS2", "acme", 400, "Invalid WMS."},
		{"WMS1", "acme", 200, ""}, {"WMS1", "", 200, ""}, {"WMS1", strict.acme.UUID(), 200, ""},
		{"WMS1", "rival", 404, `There is no customer "rival".`}, {"WMS1", "nobody", 404, `There is no customer "nobody".`},
	} {
		got := strict.call(strict.admin, "GET", "/webhooks/", "", "X-Wms-Code", c.wms, "X-Customer-Code", c.customer).must(c.status).said()
		if got.Message != c.message || c.status >= 400 && got.Code != c.status {
			t.Errorf("%q %q: %+v", c.wms, c.customer, got)
		}
	}
	if got := strict.call("", "POST", "/wms/auth/login/", `{}`).must(400).said(); got.Message != "Missing 'X-Wms-Code' header." {
		t.Errorf("%+v", got)
	}
}

func TestAListIsCountedSortedCutAndPaged(t *testing.T) {
	g := newGateway(t)
	start := time.Date(2026, 2, 10, 23, 0, 0, 0, time.UTC)
	for i := range 7 { // an hour apart, over midnight
		g.now = func() time.Time { return start.Add(time.Duration(i) * time.Hour) }
		g.register(g.admin, fmt.Sprintf("https://a.example/%d", 9-i), fmt.Sprintf("g%d", i%3), "created")
	}
	urls := func(query string) (out []string, all said) {
		all = g.call(g.viewer, "GET", "/webhooks/"+query, "").must(200).said()
		for _, one := range all.Results {
			out = append(out, strings.TrimPrefix(one.URL, "https://a.example/"))
		}
		return out, all
	}
	for query, want := range map[string]string{
		"":                                "9876543",
		"?limit=3":                        "987",
		"?limit=3&page=3":                 "3",
		"?limit=3&page=4":                 "",
		"?direction=desc&limit=2":         "34",
		"?sort=url&direction=ASC&limit=4": "3456",
		"?sort=group":                     "9638574", // of one group the oldest first
		"?from=2026-02-11":                "876543",
		"?to=2026-02-10":                  "9",
		"?from=2026-02-11T01:00:00Z&to=2026-02-11T02:00:00%2B0000": "76",
		"?from=2026-02-11T01:00:00+0000&limit=1":                   "7",
		"?unknown=1&limit=1":                                       "9",
	} {
		if got, _ := urls(query); strings.Join(got, "") != want {
			t.Errorf("%s gave %v, not %s", query, got, want)
		}
	}
	// The references lead through all pages, forth and back.
	var walked []string
	next := "?limit=2&sort=url&direction=desc"
	for next != "" {
		got, all := urls(next)
		walked = append(walked, got...)
		if all.Count != 7 {
			t.Errorf("count %d", all.Count)
		}
		if next = ""; all.Next != nil {
			u, err := url.Parse(*all.Next)
			if err != nil || u.Path != "/webhooks/" {
				t.Fatal(*all.Next, err)
			}
			next = "?" + u.RawQuery
		} else if all.Previous == nil || !strings.Contains(*all.Previous, "page=3") {
			t.Errorf("previous %v", all.Previous)
		}
	}
	if strings.Join(walked, "") != "9876543" {
		t.Errorf("walked %v", walked)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "page=0", "page=-1", "page=99999999999999999999", "sort=secret", "direction=up", "from=yesterday", "to=2026-13-01"} {
		name, _, _ := strings.Cut(query, "=")
		if got := g.call(g.viewer, "GET", "/webhooks/?"+query, "").must(400).said(); len(got.Errors) != 1 || got.Errors[name] == nil {
			t.Errorf("%s: %+v", query, got)
		}
	}
}

func TestMoreWebhooksThanAPageOfTheStoreAreAllListed(t *testing.T) {
	const many = control.MaxPage + 1
	g := newGatewayOf(t, many)
	for i := range many {
		g.register(g.admin, fmt.Sprintf("https://a.example/%d", i), "order", "created")
	}
	got := g.call(g.admin, "GET", "/webhooks/?limit=1000", "").must(200).said()
	if got.Count != many || len(got.Results) != many || got.Next != nil || got.Previous != nil {
		t.Errorf("count %d, %d results", got.Count, len(got.Results))
	}
	if got := g.call(g.admin, "GET", "/webhooks/", "").must(200).said(); len(got.Results) != 50 || got.Next == nil {
		t.Errorf("without a limit there are %d", len(got.Results))
	}
	g.call(g.admin, "POST", "/webhooks/", seedBody).must(409)
}

func TestRoutesThatAreNone(t *testing.T) {
	g := newGateway(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/wms/auth/login/", 405, "POST"}, {"DELETE", "/webhooks/", 405, "GET, POST"}, {"POST", "/webhooks/x/", 405, "GET, PATCH, PUT, DELETE"},
		{"OPTIONS", "/webhooks", 405, "GET, POST"}, {"GET", "/wms/", 404, ""}, {"GET", "/wms/auth", 404, ""}, {"GET", "/webhooks/a/b", 404, ""},
		{"GET", "/webhooks//", 404, ""}, {"GET", "/wms/auth/login//", 404, ""},
	} {
		got := g.call(g.admin, c.method, c.path, "").must(c.status)
		if got.header.Get("Allow") != c.allow || got.said().Code != c.status {
			t.Errorf("%s %s: %v %s", c.method, c.path, got.header, got.body)
		}
	}
	for path, ours := range map[string]bool{"/webhooks": true, "/webhooks/": true, "/webhooks/1": true, "/wms/auth/login": true, "/v1/webhooks": false, "/webhooksx": false, "/": false, "/wmsx": false} {
		if ewhsapi.Owns(path) != ours {
			t.Errorf("Owns(%s) is %v", path, !ours)
		}
	}
	g.call(g.admin, "POST", "/webhooks/", "group=order", "Content-Type", "application/x-www-form-urlencoded").must(415)
	g.call(g.admin, "POST", "/webhooks/", "{}", "Content-Encoding", "gzip").must(415)
	g.call(g.admin, "POST", "/webhooks/", `{"url":"`+strings.Repeat("x", 70_000)+`"}`).must(413)
	if got := g.call(g.admin, "GET", "/webhooks/", "", "X-Request-Id", "mine-1"); got.header.Get("X-Request-Id") != "mine-1" {
		t.Errorf("headers %v", got.header)
	}
}

// catalogued stands before control as a closed catalogue of topics does.
type catalogued struct {
	*control.Control
	known []postrider.Topic
}

func (c *catalogued) check(topics []postrider.Topic) error {
	var faults postrider.Faults
	for i, topic := range topics {
		if !slices.Contains(c.known, topic) {
			faults.Add(fmt.Sprintf("events[%d]", i), "%q is not in the catalogue", topic)
		}
	}
	return faults.Err()
}

func (c *catalogued) RegisterWebhook(ctx context.Context, p auth.Principal, in control.Registration) (*postrider.Endpoint, postrider.Secret, error) {
	if err := c.check(in.Topics); err != nil {
		return nil, postrider.Secret{}, err
	}
	return c.Control.RegisterWebhook(ctx, p, in)
}

func (c *catalogued) ReviseWebhook(ctx context.Context, p auth.Principal, tenant string, id postrider.EndpointID, decide func(*postrider.Endpoint) (control.Change, error)) (*postrider.Endpoint, error) {
	return c.Control.ReviseWebhook(ctx, p, tenant, id, func(now *postrider.Endpoint) (control.Change, error) {
		change, err := decide(now)
		if err == nil && change.Topics != nil {
			err = c.check(*change.Topics)
		}
		return change, err
	})
}

func TestAClosedCatalogueNeedsOneSpellingOnly(t *testing.T) {
	g := newGateway(t)
	g.handler = ewhsapi.New(ewhsapi.Options{}, ewhsapi.Parts{Webhooks: &catalogued{g.control, []postrider.Topic{"order.created", "stock.update", "order.shipped"}},
		Logins: g.control, Tokens: g.tokens, Keys: g.keys})
	made := g.call(g.admin, "POST", "/webhooks/", seedBody).must(201).said()
	if made.Topic != "order.created" || made.Action != "created" || g.receivers(g.acme, "order.created") != 1 {
		t.Errorf("%+v", made)
	}
	path := "/webhooks/" + made.ID + "/"
	for body, topic := range map[string]string{`{"group":"stock","action":"updated"}`: "stock.update", `{"group":"order","action":"create"}`: "order.created", `{"action":"shipped"}`: "order.shipped"} {
		if got := g.call(g.admin, "PATCH", path, body).must(200).said(); got.Topic != topic {
			t.Errorf("%s: %+v", body, got)
		}
	}
	for _, body := range []string{`{"group":"stock","action":"shipped"}`, `{"group":"article","action":"create"}`} {
		if got := g.call(g.admin, "PATCH", path, body).must(400).said(); got.Errors["group"] == nil {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

// Two changes at once, one of the group and one of the action: both stand, because neither is
// computed from what the other had not changed yet.
func TestChangesOfGroupAndActionDoNotLoseEachOther(t *testing.T) {
	g := newGateway(t)
	id := g.register(g.admin, "https://a.example/", "order", "created").ID
	for i := range 20 {
		var both sync.WaitGroup
		for _, body := range []string{fmt.Sprintf(`{"group":"g%d"}`, i), fmt.Sprintf(`{"action":"a%d"}`, i)} {
			both.Go(func() { g.call(g.admin, "PATCH", "/webhooks/"+id+"/", body) })
		}
		both.Wait()
		want := fmt.Sprintf("g%d.a%d", i, i)
		if got := g.call(g.admin, "GET", "/webhooks/"+id+"/", "").must(200).said(); got.Topic != want {
			t.Fatalf("%s, not %s", got.Topic, want)
		}
	}
}

func TestWhoDidItFromWhereIsWrittenDown(t *testing.T) {
	g := newGateway(t)
	session := g.call("", "POST", "/wms/auth/login/", credentials).must(200).said()
	made := g.call(session.Token, "POST", "/webhooks/", seedBody).must(201).said()
	g.call(session.Token, "PATCH", "/webhooks/"+made.ID, `{"hash_secret":"`+canary+`"}`).must(200)
	g.call(session.Token, "DELETE", "/webhooks/"+made.ID, "").must(204)
	entries, _, err := g.control.AuditEntries(t.Context(), auth.Principal{Role: postrider.RoleAdmin, Tenant: g.acme}, "", false, postrider.ID{}, 3)
	if err != nil || len(entries) != 3 {
		t.Fatal(entries, err)
	}
	for i, action := range []string{"webhook.delete", "webhook.update", "webhook.register"} {
		e := entries[i]
		if e.Action != action || !strings.HasPrefix(e.Actor, "usr_") || !strings.Contains(e.Detail, "from 192.0.2.1") || strings.Contains(e.Detail, canary) {
			t.Errorf("%+v", e)
		}
	}
}
