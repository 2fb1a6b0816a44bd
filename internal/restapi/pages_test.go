package restapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/deliver"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/restapi"
)

var update = flag.Bool("update", false, "write the answers in the documentation anew")

// TestTheDocumentedExchangesAreReal makes the pages' requests in order and compares what comes back. What differs in
// each run, ids, keys and generated secrets, stands for what the page shows in its place.
func TestTheDocumentedExchangesAreReal(t *testing.T) {
	for page, least := range map[string]int{"../../docs/rest.md": 25, "../../docs/settings.md": 8} {
		t.Run(page, func(t *testing.T) { playPage(t, page, least) })
	}
}

func playPage(t *testing.T, path string, least int) {
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 2, 18, 10, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	g := newGateway(t, func(o *restapi.Options, _ *restapi.Parts) { o.Now = now })
	g.now = now
	contracts := must(contract.NewSet(contract.Builtin()...))(t)
	g.engine.real = deliver.New(deliver.Options{Contracts: contracts, Poster: taker{}}) // the real request, to an endpoint that takes all
	s := &scene{g: g, real: map[string]string{"ADMIN_KEY": g.admin, "OPERATOR_KEY": g.operator, "PUBLISHER_KEY": g.publisher}}
	blocks := regexp.MustCompile("(?s)```http\n(.*?)```\n").FindAllStringSubmatchIndex(string(page), -1)
	if len(blocks) < 2*least || len(blocks)%2 != 0 {
		t.Fatalf("%d blocks", len(blocks))
	}
	var rewritten bytes.Buffer
	last := 0
	for i := 0; i < len(blocks); i += 2 {
		asked, answered := string(page[blocks[i][2]:blocks[i][3]]), string(page[blocks[i+1][2]:blocks[i+1][3]])
		at = at.Add(time.Minute)
		got := s.answer(t, asked)
		if !*update {
			if diff := cmp.Diff(answered, got); diff != "" {
				t.Errorf("%s\nis answered otherwise (-documented +real):\n%s", asked, diff)
			}
			continue
		}
		rewritten.Write(page[last:blocks[i+1][2]])
		rewritten.WriteString(got)
		last = blocks[i+1][3]
	}
	if *update {
		rewritten.Write(page[last:])
		if err := os.WriteFile(path, rewritten.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// taker is the other side of every webhook.
type taker struct{}

func (taker) Post(context.Context, *egress.Request) egress.Result {
	return egress.Result{Response: postrider.Response{Status: 200, Body: []byte("OK"), RemoteAddr: "203.0.113.7:443"}}
}

// scene knows the real value of what a page shows.
type scene struct {
	g       *gateway
	real    map[string]string // by what the page shows
	ids     map[string]int    // how many of a kind were met
	secrets int
}

var (
	anyID     = regexp.MustCompile(`\b(wh|evt|ten|usr|key)_[0-9a-z]{26}\b`)
	anyDlv    = regexp.MustCompile(`\bdlv_([0-9a-z]{26})_`)
	anySecret = regexp.MustCompile(`"secret": "([^"]+)"`)
	anySpan   = regexp.MustCompile(`"duration_ms": [0-9.]+`)
	anyHeader = regexp.MustCompile(`("name": "(?i:x-signature|x-webhook-signature|webhook-signature|webhook-id|webhook-timestamp|x-webhook-id)",\s+"value": )"[^"]*"`)
	anyTime   = regexp.MustCompile(`"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"`)
)

// answer makes a request as the page shows it, and gives the answer as the page does.
func (s *scene) answer(t *testing.T, asked string) string {
	t.Helper()
	played := asked
	for shown, real := range s.real {
		played = strings.ReplaceAll(played, shown, real)
	}
	head, body, _ := strings.Cut(played, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	var headers []string
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, name, value)
	}
	if body == "" {
		headers = append(headers, "Content-Type", "")
	}
	names := []string{"Location", "Idempotent-Replayed"}
	if strings.Contains(head, "X-Request-Id") { // the exchange that shows what every answer has
		names = append(names, "X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
	}
	return s.shown(t, s.g.call("", method, path, strings.TrimSpace(body), headers...), names)
}

func (s *scene) shown(t *testing.T, got reply, names []string) string {
	t.Helper()
	text := fmt.Sprintf("%d %s\n", got.status, http.StatusText(got.status))
	for _, name := range names {
		if value := got.header.Get(name); value != "" {
			text += name + ": " + value + "\n"
		}
	}
	if got.body != "" {
		var body bytes.Buffer
		if err := json.Indent(&body, []byte(got.body), "", "  "); err != nil {
			t.Fatal(err)
		}
		text += "\n" + strings.TrimSpace(body.String()) + "\n"
	}
	text = anyDlv.ReplaceAllStringFunc(text, func(id string) string { // it has its event's id in it
		return "dlv_" + strings.TrimPrefix(s.id("evt_"+id[4:30]), "evt_") + "_"
	})
	text = anyID.ReplaceAllStringFunc(text, s.id)
	text = anySecret.ReplaceAllStringFunc(text, func(member string) string {
		real := anySecret.FindStringSubmatch(member)[1]
		s.secrets++
		shown := fmt.Sprintf("whsec_%d…", s.secrets)
		if !strings.HasPrefix(real, "whsec_") {
			shown = fmt.Sprintf("secret_%d…", s.secrets)
		}
		s.real[shown] = real
		return `"secret": "` + shown + `"`
	})
	text = anySpan.ReplaceAllString(text, `"duration_ms": 12.5`)
	text = anyHeader.ReplaceAllString(text, `$1"…"`)
	return anyTime.ReplaceAllStringFunc(text, func(quoted string) string {
		found, err := time.Parse(time.RFC3339Nano, quoted[1:len(quoted)-1])
		if err == nil && time.Until(found).Abs() < 12*time.Hour { // of what has another clock than the scene's: when it began
			return `"2026-02-18T10:00:00Z"`
		}
		return quoted
	})
}

// id gives what the page shows for an id.
func (s *scene) id(real string) string {
	for shown, known := range s.real {
		if known == real {
			return shown
		}
	}
	if s.ids == nil {
		s.ids = make(map[string]int)
	}
	kind, _, _ := strings.Cut(real, "_")
	s.ids[kind]++
	shown := fmt.Sprintf("%s_01khr%021d", kind, s.ids[kind])
	s.real[shown] = real
	if kind == "evt" {
		s.real["dlv_"+shown[4:]] = "dlv_" + real[4:]
	}
	return shown
}
