package graphapi_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/postrider/postrider"
)

// TestTenThousandAlmostGoodRequestsBreakNothing sends requests made of good pieces in wrong places, with
// a fixed seed: every answer is JSON, none is a 5xx, none shows a secret, and the log stays silent.
func TestTenThousandAlmostGoodRequestsBreakNothing(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	id := g.register(token, "https://example.com/a")
	s := &storm{Rand: rand.New(rand.NewPCG(1, 2)), id: id}
	count := map[int]int{}
	executed := 0
	for i := range 10_000 {
		body, path := s.body(), "/graphql"
		if s.IntN(12) == 0 {
			path = "/login"
		} else if s.IntN(40) == 0 {
			path = "/login/refresh"
		}
		authorization := token
		if s.IntN(50) == 0 {
			authorization = s.mangle(token)
		}
		answer := g.send("POST", path, body, "Authorization", strings.ToValidUTF8(authorization, "?"))
		count[answer.status]++
		if answer.status >= 500 {
			t.Fatalf("request %d, %s %q: %d %s", i, path, body, answer.status, answer.body)
		}
		if !json.Valid([]byte(answer.body)) {
			t.Fatalf("request %d, %q: no JSON: %s", i, body, answer.body)
		}
		if strings.HasPrefix(answer.body, `{"data":{`) {
			executed++
		}
	}
	t.Logf("answers by status: %v; %d operations were executed", count, executed)
	if executed < 1000 || count[http.StatusOK] < 4000 || count[http.StatusBadRequest] < 500 {
		t.Errorf("the storm is too weak: %v, %d executed", count, executed)
	}
	if text := g.log.String(); text != "" {
		t.Errorf("the log is not silent: %.2000s", text)
	}
}

type storm struct {
	*rand.Rand
	id   string
	tame bool // take the first choice, which is a good one, most of the time
}

func (s *storm) of(choices ...string) string {
	if s.tame && s.IntN(20) > 0 {
		return choices[0]
	}
	return choices[s.IntN(len(choices))]
}

// body makes a JSON body around a document, and breaks it now and then.
func (s *storm) body() string {
	s.tame = s.IntN(2) == 0
	document := s.document()
	if s.IntN(8) == 0 && !s.tame {
		document = s.mangle(document)
	}
	query, _ := json.Marshal(strings.ToValidUTF8(document, "?"))
	body := `{"query":` + string(query)
	if s.IntN(2) == 0 {
		body += `,"variables":` + s.of("{}", "null", `""`, "[]", `{"i":`+s.value(0, true)+`,"id":`+s.value(2, true)+`,"b":`+s.of("true", "null", "1")+`}`, `"{\"i\":1}"`)
	}
	if s.IntN(10) == 0 {
		body += `,"operationName":` + s.of(`"A"`, `"B"`, "null", "1", `""`)
	}
	body += "}"
	switch s.IntN(30) {
	case 0:
		return s.mangle(body)
	case 1:
		return `{"email":"` + s.of("YQ==", "YQ", "!", "") + `","password":` + s.of(`"cGFzc3dvcmQgMQ=="`, "1", "null", `"\ud800"`) + `,"RefreshToken":"` + canary[:10] + `"}`
	}
	return body
}

func (s *storm) document() string {
	head := s.of("", "query ", "query A ", "mutation ", "mutation ", "mutation B ", "query A($i: RegisterWebhookInput!) ", "query($id: ID!) ", "mutation($i: RegisterWebhookInput!, $id: ID = \"x\", $b: Boolean! = true) ", "subscription ")
	if s.tame {
		head = []string{"", "query Q ", "mutation ", "mutation M "}[s.IntN(4)]
	}
	fields := ""
	for i := range 1 + s.IntN(4) {
		if s.tame {
			fields += fmt.Sprintf("f%d: ", i)
		}
		fields += s.root(strings.HasPrefix(head, "mutation")) + " "
	}
	return head + "{ " + fields + "}" + s.of("", "", "", " fragment F on WebhookSubscription { id ...F }", " fragment F on WebhookSubscription { topics }", " fragment W on WebhooksPayload { webhooks { id } }", " query C { __typename }")
}

func (s *storm) root(mutation bool) string {
	alias := s.of("", "", "a: ", "b: ", "__typename: ")
	directive := s.of("", "", "", " @skip(if: false)", " @include(if: $b)", " @skip", " @nope", " @defer")
	if s.IntN(15) == 0 && !s.tame {
		mutation = !mutation
	}
	if mutation {
		name := s.of("registerWebhook", "unregisterWebhook", "updateWebhook", "rotateWebhookSecret", "activateWebhookSecret", "triggerWebhookTestEvent")
		if s.tame {
			name = []string{"registerWebhook", "unregisterWebhook", "updateWebhook", "rotateWebhookSecret", "triggerWebhookTestEvent"}[s.IntN(5)]
		}
		input := s.of(s.input(name), s.input(name), s.input(name), "$i", s.value(0, false), s.value(0, false))
		return alias + name + "(input: " + input + ")" + directive + " { " + s.of("webhook "+s.selection(), "__typename", "webhook", "topic webhook "+s.selection()) + " }"
	}
	if s.tame {
		return []string{
			"webhooks { webhooks " + s.selection() + " }", `webhook(id: "` + s.id + `") ` + s.selection(), "__typename",
			`webhookDeliveries(webhookId: "` + s.id + `", limit: 3) { deliveries { id state dueDate } nextToken }`,
		}[s.IntN(4)]
	}
	return alias + s.of(
		"webhooks"+directive+" { webhooks "+s.selection()+" }",
		"webhook(id: "+s.value(2, false)+")"+directive+" "+s.selection(),
		"webhookDeliveries(webhookId: "+s.of(`"`+s.id+`"`, s.value(2, false))+", limit: "+s.of("1", "100", "0", "-1", "99999999999999999999", "null", "$i", "1.5")+", nextToken: "+s.of("null", `"x"`, `"MS4x"`, `""`)+") { deliveries { id state dueDate } nextToken }",
		"__schema { types { name "+s.of("fields { name args { name defaultValue } type { ofType { name } } }", "kind", "inputFields { type { name } }")+" } directives { locations } }",
		"__type(name: "+s.value(1, false)+") { name fields { name } enumValues { name } }",
		"...W", "...{ __typename }", "__typename",
	)
}

func (s *storm) input(name string) string {
	switch name {
	case "registerWebhook":
		return fmt.Sprintf(`{topics: %s, secret: %s, endpoint: %s}`, s.of(`["inventory.moved"]`, `"*"`, `[]`, `["a","a"]`, `[null]`), s.of(`"`+canary+`"`, `"short"`, `"""`+canary+`"""`), s.of(`"https://example.com/x"`, `"http://example.com"`, `"https://10.0.0.1"`, `"::"`))
	case "unregisterWebhook":
		return `{id: ` + s.of(`"webhook-12345"`, "12345", s.value(2, false)) + `}`
	case "updateWebhook":
		return `{id: "` + s.id + `", ` + s.of("status: PAUSED", "status: ENABLED", "status: GONE", `topics: ["b.*"]`, `endpoint: "https://example.com/y"`, `topics: []`) + `}`
	case "rotateWebhookSecret":
		return `{id: "` + s.id + `", secret: ` + s.of(fmt.Sprintf(`"%s%d"`, canary, s.IntN(1000)), `""`) + s.of("", `, overlap: 5`, `, overlap: -5`) + `}`
	case "activateWebhookSecret":
		return `{id: "` + s.id + `"}`
	}
	return `{id: "` + s.id + `"` + s.of("", `, topic: "a b"`, `, topic: "inventory.moved"`) + `}`
}

func (s *storm) selection() string {
	return s.of("{ id }", "{ id topics endpoint creationDate status }", "{ ...F }", "{ ... on WebhookSubscription { id } x: id }", "{ x: id x: endpoint }", "{ nope }", "{ id { id } }", "")
}

// value makes a value that is nested at most three deep: a literal, or JSON.
func (s *storm) value(depth int, asJSON bool) string {
	if depth < 3 && s.IntN(3) == 0 {
		quote := ""
		if asJSON {
			quote = `"`
		}
		member := func(name string) string { return quote + name + quote + ":" + s.value(depth+1, asJSON) }
		return s.of("["+s.value(depth+1, asJSON)+"]", "{"+member("id")+"}", "{"+member("topics")+","+member("secret")+","+member("endpoint")+"}", "{"+member(s.of("x", "secret", "__typename"))+"}", "{}", "[]")
	}
	if !asJSON && s.IntN(4) == 0 {
		return s.of("$i", "$id", "$b", "ENABLED", `"""block"""`, `"\u{1F600}"`, `"\ud800"`, "-0", "1e400")
	}
	return s.of("null", "true", "1", "-1.5e3", "9007199254740993", `""`, `"`+canary+`"`, `"`+s.id+`"`, `"https://example.com/z"`, `"WebhookSubscription"`)
}

// mangle cuts, doubles, swaps or overwrites a piece.
func (s *storm) mangle(text string) string {
	if text == "" {
		return "{"
	}
	at := s.IntN(len(text))
	switch s.IntN(4) {
	case 0:
		return text[:at]
	case 1:
		return text[:at] + text[at/2:]
	case 2:
		return text[:at] + s.of("{", "}", "\"", "(", ")", "\x00", "\xff", "😀", "...", "$", "@", "\\u") + text[at:]
	}
	return text[:at] + string(rune(s.IntN(0x3000))) + text[at+1:]
}
