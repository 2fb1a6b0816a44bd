package restapi_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestNoRequestBreaksTheInterface sends thousands of requests that are almost good, with every role:
// whatever is wrong with them, the answer is the caller's fault, in our shape, and shows no secret.
func TestNoRequestBreaksTheInterface(t *testing.T) {
	g := newGateway(t)
	things := g.things()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	odd := func() string {
		return pick("", "null", "0", "-1", "1e999", "9223372036854775808", `"`, `""`, `"\u0000"`, `"\ud800"`, `[]`, `{}`, `[[[[`, `{"a":`, "\xff\xfe", "wh_", "🙂",
			"../../x", "%00", "%zz", "' OR 1=1 --", strings.Repeat("x", random.IntN(3000)), strings.Repeat("[", random.IntN(1200)), "evt_01h455vb4pex5vsknk084sn02q", "*", "a..b")
	}
	fields := []string{"url", "events", "secret", "contract", "tenant", "environment", "description", "status", "max_in_flight", "rate_limit", "rate_burst",
		"webhook_id", "event_type", "type", "data", "previous_data", "id", "occurred_at", "name", "role", "expires_at",
		"from", "to", "state", "dry_run", "cursor", "overlap", "rotate_secret", "example", "previous_example", "closed", "builtin", odd()}
	keys := []string{g.operator, g.admin, g.publisher, g.viewer, g.sandboxAdmin, g.foreign, "nonsense", ""}
	rows := accesses()
	statuses := map[int]int{}
	for i := range 10_000 {
		row := rows[random.IntN(len(rows))]
		method, path, _ := strings.Cut(row.route, " ")
		path, body := things.in(path, "x"), things.in(row.body, "x")
		switch random.IntN(6) {
		case 0:
			path += "/" + url.PathEscape(odd())
		case 1:
			parts := strings.Split(path, "/")
			parts[len(parts)-1] = url.PathEscape(odd())
			path = strings.Join(parts, "/")
		case 2:
			path += "?" + pick("tenant", "environment", "cursor", "limit", "state", "type", "from", "to", "role", "webhook_id", "event_id", "source", "status", "x") + "=" + url.QueryEscape(odd())
		case 3:
			body = `{"` + fields[random.IntN(len(fields))] + `":` + odd() + `,"` + fields[random.IntN(len(fields))] + `":` + odd() + `}`
		case 4:
			if cut := random.IntN(len(body) + 1); cut < len(body) {
				body = body[:cut] + odd() + body[cut:]
			}
		case 5:
			method = pick("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS")
		}
		if method == "DELETE" && row.status == 204 && strings.HasSuffix(path, things.webhook) {
			continue // the webhook is still needed
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		target, err := url.Parse(path)
		if err != nil {
			continue
		}
		r.Method, r.URL = method, target
		if key := keys[random.IntN(len(keys))]; key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		r.Header.Set("Content-Type", pick("application/json", "application/json", "application/json", "application/x-ndjson", "text/plain", odd()))
		if random.IntN(10) == 0 {
			r.Header.Set(pick("Idempotency-Key", "X-Request-Id", "Accept", "Content-Encoding"), odd())
		}
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		statuses[w.Code]++
		g.mustHide(method+" "+path, w.Body.String())
		if w.Code >= 500 {
			t.Errorf("request %d: %s %s %q gave %d %s\n%s", i, method, path, body, w.Code, w.Body, g.log)
		}
		if w.Code >= 400 && method != "HEAD" {
			reply{w.Code, w.Header(), w.Body.String()}.told(t)
		}
	}
	for _, status := range []int{http.StatusOK, http.StatusAccepted, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType} {
		if statuses[status] == 0 {
			t.Errorf("no request was answered %d: the storm is too tame (%v)", status, statuses)
		}
	}
	if log := g.log.String(); log != "" {
		t.Errorf("the log has %s", log)
	}
}
