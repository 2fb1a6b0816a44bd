package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/internal/server"
)

var update = flag.Bool("update", false, "write the exchanges of the documentation anew")

// page is the document whose exchanges are made, with receivers and a token server on this machine in the
// place of those that it names.
const page = "../../docs/endpoint-auth.md"

func TestTheDocumentedExchangesAreReal(t *testing.T) {
	leaks(t)
	a := ask(t)
	c := configuration(t)
	c.ExtraCAFile = a.authority
	s := &script{t: t, asking: a, server: start(t, server.Options{Config: c})}
	s.play()

	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```http\n(.*?)```\n").FindAllSubmatchIndex(text, -1)
	if len(blocks) != len(s.blocks) {
		t.Fatalf("the page has %d exchanges, %d were made", len(blocks), len(s.blocks))
	}
	var written bytes.Buffer
	last := 0
	for i, block := range blocks {
		documented := string(text[block[2]:block[3]])
		if diff := cmp.Diff(documented, s.blocks[i]); diff != "" && !*update {
			t.Errorf("block %d (-documented +real):\n%s", i+1, diff)
		}
		written.Write(text[last:block[2]])
		written.WriteString(s.blocks[i])
		last = block[3]
	}
	written.Write(text[last:])
	if *update {
		if err := os.WriteFile(page, written.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// script makes the page's exchanges in order and writes each down as the page shows it.
type script struct {
	t      *testing.T
	asking *asking
	server *server.Server
	blocks []string
}

func (s *script) play() {
	webhook := s.call("POST", "/v1/webhooks", `{"url": "https://receiver.example/oauth", "events": ["resource.created"], "auth": {"oauth2": {
  "token_url": "https://auth.example/token", "client_id": "postrider", "client_secret": "kept-to-itself", "scope": "webhooks.write"}}}`)
	s.quietly("POST", "/v1/webhooks/test", `{"webhook_id":"`+webhook+`"}`)
	s.received("/token", "Content-Type", "Authorization")
	s.received("/oauth", "Content-Type", "Webhook-Id", "X-Webhook-Signature", "Authorization")
	webhook = s.call("POST", "/v1/webhooks", `{"url": "https://receiver.example/oauth-wrong", "events": ["resource.created"], "auth": {"oauth2": {
  "token_url": "https://auth.example/token", "client_id": "postrider", "client_secret": "mistyped"}}}`)
	s.call("POST", "/v1/webhooks/test", `{"webhook_id": "`+webhook+`"}`)
	webhook = s.call("POST", "/v1/webhooks", `{"url": "https://receiver.example/basic", "events": ["resource.created"], "auth": {
  "basic": {"username": "postrider", "password": "open sesame"}, "headers": {"X-Api-Key": "2b9c6a17"}}}`)
	test := `{"webhook_id": "` + webhook + `"}`
	s.quietly("POST", "/v1/webhooks/test", test)
	s.received("/basic", "Content-Type", "Webhook-Id", "X-Webhook-Signature", "Authorization", "X-Api-Key")
	s.call("POST", "/v1/webhooks/test", test)
	s.call("PATCH", "/v1/webhooks/"+webhook, `{"auth": {"headers": {"Webhook-Signature": "v1,none", "Connection": "close", "X-Tenant": "7"}}}`)
	s.call("PATCH", "/v1/webhooks/"+webhook, `{"url": "https://secure.example/certified", "auth": {"client_certificate": {
  "chain": "-----BEGIN CERTIFICATE-----\nMIIB…", "key": "-----BEGIN PRIVATE KEY-----\nMIGH…"}}}`)
	s.call("PATCH", "/v1/webhooks/"+webhook, `{"auth": null}`)
}

// real puts what is on this machine in the place of what the page shows.
func (s *script) real(text string) string {
	quoted := func(text string) string {
		out, _ := json.Marshal(text)
		return string(out)
	}
	return strings.NewReplacer(
		"kept-to-itself", canaryClient,
		"https://receiver.example", s.asking.url, "https://auth.example", s.asking.url, "https://secure.example", s.asking.tlsURL,
		`"-----BEGIN CERTIFICATE-----\nMIIB…"`, quoted(s.asking.chain), `"-----BEGIN PRIVATE KEY-----\nMIGH…"`, quoted(s.asking.key),
	).Replace(text)
}

// shown puts the page's values in the place of those that differ in each run.
func (s *script) shown(text string) string {
	text = strings.NewReplacer(s.asking.url+"/token", "https://auth.example/token", s.asking.tlsURL, "https://secure.example", s.asking.url, "https://receiver.example",
		"no token from 127.0.0.1", "no token from auth.example", inBase64("postrider:"+canaryClient), inBase64("postrider:kept-to-itself")).Replace(text)
	for _, mask := range [][2]string{
		{`(wh|evt|ten|dlv)_[0-9a-hjkmnp-tv-z]{26}`, "${1}_01h455vb4pex5vsknk084sn02q"},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "2026-02-18T10:30:00Z"},
		{`[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`, "Wed, 18 Feb 2026 10:30:00 GMT"},
		{`\b[0-9a-f]{64}\b`, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		{`v1,[A-Za-z0-9+/]{43}=`, "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="},
		{`\b\d{10}\b`, "1771410600"},
		{`127\.0\.0\.1:\d+`, "203.0.113.7:443"},
		{`("(duration|dns|connect|tls|first_byte)_ms": )[0-9.e-]+`, "${1}1.5"},
		{`whsec_[A-Za-z0-9+/]{43}=`, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="},
		{canaryToken + `-\d+`, "2YotnFZFEjr1zCsicMWpAA"},
	} {
		text = regexp.MustCompile(mask[0]).ReplaceAllString(text, mask[1])
	}
	return text
}

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// call makes a request of the gateway, writes it and its answer down, and gives the id in the answer.
func (s *script) call(method, path, body string) string {
	s.t.Helper()
	status, answer, id := s.quietly(method, path, body)
	s.blocks = append(s.blocks, s.shown(fmt.Sprintf("%s %s\nAuthorization: Bearer pr_live_…\nContent-Type: application/json\n\n%s\n", method, path, body)),
		s.shown(fmt.Sprintf("%s\nContent-Type: application/json\n\n%s\n", status, answer)))
	return id
}

func (s *script) quietly(method, path, body string) (status, answer, id string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL()+path, strings.NewReader(s.real(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var made struct{ ID string }
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(text), "", "  "); err != nil || json.Unmarshal(text, &made) != nil {
		s.t.Fatalf("%s %s: %s %v", method, path, text, err)
	}
	return got.Status, indented.String(), made.ID
}

// received writes down what came in last at a path, with some of its headers.
func (s *script) received(path string, names ...string) {
	s.t.Helper()
	s.asking.mu.Lock()
	header, body := s.asking.arrived[path], s.asking.bodies[path]
	s.asking.mu.Unlock()
	if header == nil {
		s.t.Fatalf("nothing came in at %s", path)
	}
	host := "receiver.example"
	if path == "/token" {
		host = "auth.example"
	}
	text := fmt.Sprintf("POST %s\nHost: %s\n", path, host)
	for _, name := range names {
		for spelled, values := range header {
			if strings.EqualFold(spelled, name) {
				text += name + ": " + strings.Join(slices.Clone(values), ", ") + "\n"
			}
		}
	}
	s.blocks = append(s.blocks, s.shown(text+"\n"+body+"\n"))
}
