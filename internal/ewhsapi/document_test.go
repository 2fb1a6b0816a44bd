package ewhsapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the answers in the documentation anew")

// document is the page whose exchanges are made.
const document = "../../docs/ewarehousing.md"

// TestTheDocumentedExchangesAreReal makes the page's requests in order and compares what comes back. What
// differs in each run, ids, tokens and a generated secret, is taken for what the page shows in its
// place, from then on everywhere.
func TestTheDocumentedExchangesAreReal(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t)
	at := time.Date(2026, 2, 11, 17, 45, 1, 0, time.UTC)
	g.now = func() time.Time { return at }
	scene := &scene{real: make(map[string]string)}
	blocks := regexp.MustCompile("(?s)```http\n(.*?)```\n").FindAllStringSubmatchIndex(string(page), -1)
	if len(blocks) < 20 || len(blocks)%2 != 0 {
		t.Fatalf("%d blocks", len(blocks))
	}
	var rewritten bytes.Buffer
	last := 0
	for i := 0; i < len(blocks); i += 2 {
		asked, answered := string(page[blocks[i][2]:blocks[i][3]]), string(page[blocks[i+1][2]:blocks[i+1][3]])
		at = at.Add(time.Minute)
		got := scene.make(t, g, asked)
		if *update {
			rewritten.Write(page[last:blocks[i+1][2]])
			rewritten.WriteString(scene.show(t, got))
			last = blocks[i+1][3]
			continue
		}
		if diff := cmp.Diff(answered, scene.learn(t, answered, got)); diff != "" {
			t.Errorf("%s\nis answered otherwise (-documented +real):\n%s", asked, diff)
		}
	}
	if *update {
		rewritten.Write(page[last:])
		if err := os.WriteFile(document, rewritten.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scene knows the real value of what the page shows, and made-up values for the page.
type scene struct {
	real    map[string]string // by what the page shows
	ids     int
	tokens  int
	refresh int
}

// make sends a request as the page shows it.
func (s *scene) make(t *testing.T, g *gateway, asked string) reply {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(s.played(strings.Replace(asked, "\n", " HTTP/1.1\r\nHost: x\n", 1)) + "\n")))
	if err != nil {
		t.Fatalf("%s: %v", asked, err)
	}
	_, body, _ := strings.Cut(s.played(asked), "\n\n")
	var headers []string
	for name := range r.Header {
		headers = append(headers, name, r.Header.Get(name))
	}
	return g.call("", r.Method, r.RequestURI, strings.TrimSpace(body), headers...)
}

// played puts real values in the place of shown ones.
func (s *scene) played(text string) string {
	for shown, real := range s.real {
		text = strings.ReplaceAll(text, shown, real)
	}
	return text
}

// told puts shown values in the place of real ones.
func (s *scene) told(text string) string {
	for shown, real := range s.real {
		text = strings.ReplaceAll(text, real, shown)
	}
	return text
}

// learn takes what the documented answer shows for what came, and gives the real answer in its terms.
func (s *scene) learn(t *testing.T, documented string, got reply) string {
	t.Helper()
	for _, name := range varying() {
		value := regexp.MustCompile(`"` + name + `": ?"([^"]*)"`)
		shown, real := value.FindStringSubmatch(documented), value.FindStringSubmatch(got.body)
		if shown == nil || real == nil {
			continue // the comparison will tell
		}
		if name == "hash_secret" && shown[1] == "secret_key_registered_at_webhook" {
			continue // it was given
		}
		if known, found := s.real[shown[1]]; !found {
			s.real[shown[1]] = real[1]
		} else if known != real[1] {
			t.Errorf("%s %q is %q here and was %q before", name, shown[1], real[1], known)
		}
	}
	return s.told(render(t, got))
}

// show makes up values for what varies, and gives the answer with them.
func (s *scene) show(t *testing.T, got reply) string {
	t.Helper()
	for _, name := range varying() {
		real := regexp.MustCompile(`"` + name + `": ?"([^"]*)"`).FindStringSubmatch(got.body)
		if real == nil || slices.Contains(values(s.real), real[1]) || real[1] == "secret_key_registered_at_webhook" {
			continue
		}
		shown := real[1]
		switch name {
		case "customer":
			shown = "018f0000-0000-7000-8000-0000000000c5"
		case "id":
			s.ids++
			shown = fmt.Sprintf("01900000-0000-7000-8000-%012d", s.ids)
		case "token":
			s.tokens++
			shown = fmt.Sprintf("eyJ%d…", s.tokens)
		case "refresh_token":
			s.refresh++
			shown = fmt.Sprintf("pr_refresh_%d…", s.refresh)
		}
		s.real[shown] = real[1]
	}
	return s.told(render(t, got))
}

// varying names what differs in each run.
func varying() []string { return []string{"token", "refresh_token", "id", "customer", "hash_secret"} }

func values(m map[string]string) (out []string) {
	for _, value := range m {
		out = append(out, value)
	}
	return out
}

// render writes an answer as the page does.
func render(t *testing.T, got reply) string {
	t.Helper()
	text := fmt.Sprintf("%d %s\n", got.status, http.StatusText(got.status))
	for _, name := range []string{"Content-Type", "Location", "Www-Authenticate"} {
		if value := got.header.Get(name); value != "" {
			text += name + ": " + value + "\n"
		}
	}
	if got.body == "" {
		return text
	}
	var body bytes.Buffer
	if err := json.Indent(&body, []byte(got.body), "", "  "); err != nil {
		t.Fatal(err)
	}
	return text + "\n" + strings.TrimSpace(body.String()) + "\n"
}
