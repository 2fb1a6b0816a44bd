package graphapi_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/control"
)

var update = flag.Bool("update", false, "write the answers of docs/graphql.md anew")

const document = "../../docs/graphql.md"

var (
	exchange = regexp.MustCompile("(?s)```http\n((?:GET|POST) .*?)```\n\n```http\n(.*?)```\n")
	realJWT  = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	refresh  = regexp.MustCompile(`pr_refresh_[\w-]+`)
)

// TestTheDocumentedExchangesAreReal makes every request of the document, in order, and compares what is
// answered with what the document says. Tokens and ids, which are random, have names there.
func TestTheDocumentedExchangesAreReal(t *testing.T) {
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t)
	if _, err := g.control.CreateUser(context.Background(), operator,
		control.UserRequest{Tenant: "acme", Login: "ann@example.com", Password: postrider.NewSecret("password 1"), Role: postrider.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
	w := &walk{g: g, names: map[string]string{}}
	made := 0
	written := exchange.ReplaceAllStringFunc(string(content), func(text string) string {
		parts := exchange.FindStringSubmatch(text)
		made++
		if strings.Contains(parts[1], "webhook-67890") && w.names["webhook-67890"] == "" {
			w.second()
		}
		answer := w.make(parts[1])
		if !*update && answer != parts[2] {
			t.Errorf("exchange %d:\n%s\nis answered with\n%s\nand documented with\n%s", made, parts[1], answer, parts[2])
		}
		return "```http\n" + parts[1] + "```\n\n```http\n" + answer + "```\n"
	})
	if made < 15 || made*2 != strings.Count(string(content), "```http\n") {
		t.Errorf("%d exchanges were found, of %d blocks", made, strings.Count(string(content), "```http\n"))
	}
	if *update {
		if err := os.WriteFile(document, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// walk makes the document's requests, with real values in the places of its names.
type walk struct {
	g     *gateway
	names map[string]string // "webhook-12345" is really this one
}

// second registers the webhook that the second half of the document is about, and publishes an event.
func (w *walk) second() {
	w.names["webhook-67890"] = w.g.register(w.names["$idToken"], "https://example.com/webhooks")
	w.g.publish("acme", "inventory.cycle_count")
}

func (w *walk) make(request string) string {
	head, body, _ := strings.Cut(strings.TrimSuffix(request, "\n"), "\n\n")
	lines := strings.Split(head, "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	var headers []string
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, name, w.real(value))
	}
	answer := w.g.send(method, path, w.real(body), headers...)
	text := fmt.Sprintf("%d %s\n", answer.status, http.StatusText(answer.status))
	for _, name := range []string{"Content-Type", "x-amzn-errortype"} {
		if value := answer.header.Get(name); value != "" {
			text += name + ": " + value + "\n"
		}
	}
	return text + "\n" + w.named(answer.body) + "\n"
}

// real puts real values in the places of names.
func (w *walk) real(text string) string {
	for name, value := range w.names {
		text = strings.ReplaceAll(text, name, value)
	}
	return text
}

// named is the other way, and remembers the values that are new.
func (w *walk) named(text string) string {
	if tokens := realJWT.FindAllString(text, 2); len(tokens) == 2 {
		w.names["$idToken"] = tokens[1]
		w.names["$refreshToken"] = refresh.FindString(text)
		text = strings.NewReplacer(tokens[0], "$accessToken", tokens[1], "$idToken", w.names["$refreshToken"], "$refreshToken").Replace(text)
	}
	if id := anyID.FindString(text); id != "" && w.names["webhook-12345"] == "" {
		w.names["webhook-12345"] = id
	}
	for _, name := range []string{"webhook-12345", "webhook-67890"} {
		if w.names[name] != "" {
			text = strings.ReplaceAll(text, w.names[name], name)
		}
	}
	return text
}
