package ewhsapi_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestNoRequestBreaksTheInterface sends 10,000 requests that are almost good, by everybody: whatever is
// wrong with them, the answer is the caller's fault, in one of the two shapes, and shows no secret.
func TestNoRequestBreaksTheInterface(t *testing.T) {
	g := newGateway(t)
	webhook := g.register(g.admin, "https://a.example/", "order", "created").ID
	theirs := g.register(g.foreign, "https://rival.example/", "order", "created").ID
	session := g.call("", "POST", "/wms/auth/login/", credentials).must(200).said()

	random := rand.New(rand.NewPCG(2, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	odd := func() string {
		return pick("", "null", "0", "-1", "1e999", "9223372036854775808", `"`, `""`, `"\u0000"`, `"\ud800"`, `[]`, `{}`, `[[[[`, `{"a":`, "\xff\xfe", "wh_", "🙂",
			"../../x", "%00", "%zz", "' OR 1=1 --", strings.Repeat("x", random.IntN(3000)), strings.Repeat("[", random.IntN(1200)), "*", "a..b", webhook, theirs,
			`"https://b.example/`+strings.Repeat("p", random.IntN(3000))+`"`, `"http://b.example"`, `"create"`, `{"webhook":{}}`)
	}
	names := func() string {
		return pick("webhook", "url", "ulr", "group", "action", "hash_secret", "secret", "id", "customer", "topic", "username", "password", "refresh_token", odd())
	}
	const login, refresh = `{"username":"x","password":"y"}`, `{"refresh_token":"x"}`
	const flat, secret = `{"url":"https://a.example/2","group":"stock","action":"updated"}`, `{"url":"https://a.example/3","group":"stock","action":"updated","hash_secret":"s"}`
	one, their := "/webhooks/"+webhook+"/", "/webhooks/"+theirs+"/"
	rows := [][3]string{
		{"GET", "/webhooks/"}, {"GET", one}, {"GET", their}, {"DELETE", their}, {"PATCH", their, flat}, {"POST", "/wms/auth/login/", login}, {"POST", "/wms/auth/refresh/", refresh},
		{"POST", "/webhooks/", seedBody}, {"POST", "/webhooks", flat}, {"POST", "/webhooks/", secret}, {"PATCH", one, flat}, {"PATCH", one, `{"action":"deleted"}`},
		{"PATCH", one, `{}`}, {"PUT", one, flat}, {"PUT", one, seedBody},
	}
	keys := []string{g.operator, g.admin, g.admin, g.admin, session.Token, session.Token, session.Token, session.Token, session.Token, session.Token, g.publisher, g.viewer, g.sandboxAdmin, g.foreign, session.Token, session.Token + "x", session.RefreshToken, "a.b.c", "nonsense", ""}
	const json = "application/json"
	statuses := map[int]int{}
	for i := 0; i < 10_000; {
		row := rows[random.IntN(len(rows))]
		method, path, body := row[0], row[1], row[2]
		switch random.IntN(7) {
		case 0:
			path += "/" + url.PathEscape(odd())
		case 1:
			path = "/webhooks/" + url.PathEscape(odd())
		case 2:
			path += "?" + pick("limit", "page", "sort", "direction", "from", "to", "x") + "=" + url.QueryEscape(odd()) + "&" + pick("limit", "page", "sort") + "=" + url.QueryEscape(odd())
		case 3:
			body = `{"` + names() + `":` + odd() + `,"` + names() + `":` + odd() + `}`
		case 4:
			cut := random.IntN(len(body) + 1)
			body = body[:cut] + odd() + body[cut:]
		case 5:
			method = pick("GET", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", odd())
		}
		if method == "DELETE" && (strings.Contains(path, webhook) || strings.Contains(path, theirs) && random.IntN(100) > 0) {
			continue // it is still needed, and so is theirs
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		target, err := url.Parse(path)
		if err != nil {
			continue
		}
		r.Method, r.URL = method, target
		if key := pick(keys...); key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		r.Header.Set("Content-Type", pick(json, json, json, json, json, json, json, "text/plain", odd()))
		if random.IntN(10) == 0 {
			r.Header.Set(pick("X-Wms-Code", "X-Customer-Code", "X-Request-Id", "Expand", "Content-Encoding", "Authorization"), odd())
		}
		i++
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		statuses[w.Code]++
		g.mustHide(method+" "+path, w.Body.String())
		if w.Code >= 500 {
			t.Fatalf("request %d: %s %s %q gave %d %s\n%s", i, method, path, body, w.Code, w.Body, g.log)
		}
		if told := (reply{t, w.Code, w.Header(), w.Body.String()}); w.Code >= 400 {
			if shape := told.said(); (shape.Code != w.Code || shape.Message == "") == (len(shape.Errors) == 0) {
				t.Fatalf("request %d: %s %s %q gave %d %s", i, method, path, body, w.Code, w.Body)
			}
		}
	}
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusConflict, http.StatusUnsupportedMediaType, http.StatusTooManyRequests} {
		if statuses[status] == 0 {
			t.Errorf("no request was answered %d: the storm is too tame (%v)", status, statuses)
		}
	}
	t.Logf("answers by status: %v", statuses)
	if log := g.log.String(); log != "" {
		t.Errorf("the log has %s", log)
	}
}

func FuzzABodyIsRegisteredOrRefused(f *testing.F) {
	g := newGateway(f)
	f.Add([]byte(seedBody))
	f.Add([]byte(`{"url":"https://a.example/2","group":"stock","action":"updated","hash_secret":"s","id":[{}]}`))
	f.Add([]byte(`{"webhook":{"url":null,"ulr":"\ud800"},"x":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/webhooks/", strings.NewReader(string(body)))
		r.Header.Set("Authorization", "Bearer "+g.admin)
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		got := reply{t, w.Code, w.Header(), w.Body.String()}
		switch w.Code {
		case http.StatusCreated:
			made := got.said()
			if made.Group == "" || made.Action == "" || !strings.HasPrefix(made.URL, "https://") || made.HashSecret == "" || made.Topic != made.Group+"."+made.Action {
				t.Errorf("%q gave %+v", body, made)
			}
			r := httptest.NewRequest("DELETE", "/webhooks/"+made.ID, nil)
			r.Header.Set("Authorization", "Bearer "+g.admin)
			g.handler.ServeHTTP(httptest.NewRecorder(), r)
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			got.said()
		default:
			t.Errorf("%q gave %d %s", body, w.Code, w.Body)
		}
	})
}
