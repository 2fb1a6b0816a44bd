package restapi_test

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestNoAuthBreaksTheInterface registers and changes webhooks with thousands of almost good auths: each is
// taken or refused as the caller's fault, and none is shown.
func TestNoAuthBreaksTheInterface(t *testing.T) {
	g := newGateway(t)
	webhook := g.things().webhook
	random := rand.New(rand.NewPCG(3, 4))
	good := []string{
		`{"oauth2":{"token_url":"https://auth.example.com/token","client_id":"c","client_secret":"` + canary + `","scope":"a b","audience":"x"}}`,
		`{"basic":{"username":"u","password":"` + canary + `"},"headers":{"X-A":"` + canary + `","X-B":"2"}}`,
		`{"client_certificate":{"chain":"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----","key":"` + canary + `"}}`,
		`{"headers":{"Authorization":"` + canary + `"}}`, `{}`, `null`,
	}
	odd := []string{"", "null", "0", "-1e999", `"`, `""`, `"\u0000"`, `"\ud800"`, "[]", "{}", "[[[[", `{"a":`, ",", ":", "\xff", "🙂", `\r\n`, " ", `"Host":"x",`, strings.Repeat("x", 5000), strings.Repeat(`{"headers":`, 40)}
	statuses := make(map[int]int)
	for range 4000 {
		auth := good[random.IntN(len(good))]
		for range random.IntN(3) {
			from := random.IntN(len(auth) + 1)
			to := min(len(auth), from+random.IntN(8))
			auth = auth[:from] + odd[random.IntN(len(odd))] + auth[to:]
		}
		r := g.call(g.admin, "PATCH", "/v1/webhooks/"+webhook, `{"auth":`+auth+`}`)
		statuses[r.status]++
		if r.status != 200 && r.status != 400 {
			t.Fatalf("%d %s to %q", r.status, r.body, auth)
		}
		if r.status == 400 {
			r.told(t)
		}
	}
	if statuses[200] < 500 || statuses[400] < 500 {
		t.Errorf("statuses %v: the test is one-sided", statuses)
	}
	t.Logf("statuses %v", statuses)
}
