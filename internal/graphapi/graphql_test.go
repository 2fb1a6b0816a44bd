package graphapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
)

// The documents of seed 001 and of its Postman collection, as they stand there.
const (
	registerDocument = "mutation {\n registerWebhook(\n input: {\n topics: [\"inventory.cycle_count\"]\n secret: \"your-secret-key-must-be-longer-than-24-characters\"\n endpoint: \"https://ab1d316d1bbe.ngrok-free.app\"\n }\n ) {\n webhook {\n id\n topics\n endpoint\n creationDate\n }\n }\n}"
	listDocument     = "query {\n webhooks {\n webhooks {\n id\n endpoint\n topics\n creationDate\n }\n }\n}"
	namedDocument    = "mutation MyMutation {\nregisterWebhook(\ninput: {\ntopics: [\"inventory.cycle_count\"]\nsecret: \"your-secret-key-must-be-longer-than-24-characters\"\nendpoint: \"https://ab1d316d1bbe.ngrok-free.app\"\n}\n) {\nwebhook {\nid\ntopics\nendpoint\ncreationDate\n}\n}\n}"
)

var anyID = regexp.MustCompile(`webhook-[0-9a-z]{26}`)

// seedIDs puts the seed's ids in the places of real ones, in the order in which they were made.
func seedIDs(text string, ids ...string) string {
	for i, id := range ids {
		text = strings.ReplaceAll(text, id, []string{"webhook-12345", "webhook-67890"}[i])
	}
	return text
}

func TestTheSeedsExamplesAreAnsweredToTheByte(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	registered := g.query(token, registerDocument, nil)
	first := anyID.FindString(registered)
	equal(t, "register", seedIDs(registered, first),
		`{"data":{"registerWebhook":{"webhook":{"id":"webhook-12345","topics":["inventory.cycle_count"],"endpoint":"https://ab1d316d1bbe.ngrok-free.app","creationDate":1704067200000}}}}`)

	g.clock.advance(24 * time.Hour)
	token = g.login("ann@example.com", password)["IdToken"].(string)
	second := anyID.FindString(g.query(token, strings.Replace(registerDocument, "https://ab1d316d1bbe.ngrok-free.app", "https://example.com/webhooks", 1), nil))
	equal(t, "list", seedIDs(g.query(token, listDocument, nil), first, second),
		`{"data":{"webhooks":{"webhooks":[{"id":"webhook-12345","endpoint":"https://ab1d316d1bbe.ngrok-free.app","topics":["inventory.cycle_count"],"creationDate":1704067200000},`+
			`{"id":"webhook-67890","endpoint":"https://example.com/webhooks","topics":["inventory.cycle_count"],"creationDate":1704153600000}]}}}`)

	unregister := strings.Replace("mutation {\nunregisterWebhook(input: { id: \"webhook-12345\" }) {\nwebhook {\nid\ntopics\nendpoint\ncreationDate\n}\n}\n}", "webhook-12345", first, 1)
	equal(t, "unregister", seedIDs(g.query(token, unregister, nil), first),
		`{"data":{"unregisterWebhook":{"webhook":{"id":"webhook-12345","topics":["inventory.cycle_count"],"endpoint":"https://ab1d316d1bbe.ngrok-free.app","creationDate":1704067200000}}}}`)
	equal(t, "unregister again", seedIDs(g.query(token, unregister, nil), first),
		`{"data":{"unregisterWebhook":null},"errors":[{"path":["unregisterWebhook"],"data":null,"errorType":"ResourceNotFoundError","errorInfo":null,"locations":[{"line":2,"column":1,"sourceName":null}],"message":"Webhook \"webhook-12345\" does not exist."}]}`)
	if e := g.engine.endpoint("https://ab1d316d1bbe.ngrok-free.app"); e == nil || !e.Deleted() || e.Contract != "xemelgo" || e.Environment != postrider.Production {
		t.Errorf("the engine heard of %+v", e)
	}
	equal(t, "named, and the same endpoint twice", anyID.ReplaceAllString(g.query(token, namedDocument, nil), "webhook-12345"),
		`{"data":{"registerWebhook":{"webhook":{"id":"webhook-12345","topics":["inventory.cycle_count"],"endpoint":"https://ab1d316d1bbe.ngrok-free.app","creationDate":1704153600000}}}}`)
}

// TestEverySpellingOfGraphQLIsUnderstood sends what clients send in place of the seed's plain
// documents (A001-12).
func TestEverySpellingOfGraphQLIsUnderstood(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	id := g.register(token, "https://example.com/a")
	webhook := `{"id":"` + id + `"}`
	for _, test := range []struct{ what, body, want string }{
		{"variables absent", `{"query":"{webhooks{webhooks{id}}}"}`, `{"data":{"webhooks":{"webhooks":[` + webhook + `]}}}`},
		{"variables null", `{"query":"{webhooks{webhooks{id}}}","variables":null}`, `{"data":{"webhooks":{"webhooks":[` + webhook + `]}}}`},
		{"variables {}", `{"query":"{webhooks{webhooks{id}}}","variables":{}}`, `{"data":{"webhooks":{"webhooks":[` + webhook + `]}}}`},
		{"variables empty text", `{"query":"{webhooks{webhooks{id}}}","variables":""}`, `{"data":{"webhooks":{"webhooks":[` + webhook + `]}}}`},
		{"operationName null", `{"query":"query A{webhooks{__typename}}","operationName":null}`, `{"data":{"webhooks":{"__typename":"WebhooksPayload"}}}`},
		{"operationName", `{"query":"query A{webhooks{__typename}} query B{__typename}","operationName":"B"}`, `{"data":{"__typename":"Query"}}`},
		{"a variable", `{"query":"query($id: ID!){webhook(id:$id){id}}","variables":{"id":"` + id + `"}}`, `{"data":{"webhook":` + webhook + `}}`},
		{"variables as text", `{"query":"query($id: ID!){webhook(id:$id){id}}","variables":"{\"id\":\"` + id + `\"}"}`, `{"data":{"webhook":` + webhook + `}}`},
		{"a default", `{"query":"query($id: ID = \"` + id + `\" $s: Boolean = true){webhook(id:$id){id @include(if:$s)}}"}`, ``},
		{"a default for a non-null", `{"query":"query($id: ID! = \"` + id + `\"){webhook(id:$id){id}}"}`, `{"data":{"webhook":` + webhook + `}}`},
		{"aliases and several roots in order", `{"query":"{b:webhook(id:\"` + id + `\"){x:id} a:__typename b:webhook(id:\"` + id + `\"){y:id}}"}`, `{"data":{"b":{"x":"` + id + `","y":"` + id + `"},"a":"Query"}}`},
		{"fragments", `{"query":"query{webhooks{...P ... on WebhooksPayload{webhooks{__typename}} ...{webhooks{id}}}} fragment P on WebhooksPayload{webhooks{...S}} fragment S on WebhookSubscription{topics}"}`,
			`{"data":{"webhooks":{"webhooks":[{"topics":["inventory.cycle_count"],"__typename":"WebhookSubscription","id":"` + id + `"}]}}}`},
		{"directives", `{"query":"query($t:Boolean!){webhooks{webhooks{id @skip(if:$t) topics @include(if:$t) status @skip(if:false) endpoint @include(if:false)}}}","variables":{"t":true}}`,
			`{"data":{"webhooks":{"webhooks":[{"topics":["inventory.cycle_count"],"status":"ENABLED"}]}}}`},
		{"comments, commas and a byte order mark", "{\"query\":\"\uFEFF# a comment\\n{ , webhooks , { webhooks { id , # here\\n } , } , }\"}", `{"data":{"webhooks":{"webhooks":[` + webhook + `]}}}`},
		{"extensions are left alone", `{"query":"{__typename}","extensions":{"persistedQuery":{"version":1}}}`, `{"data":{"__typename":"Query"}}`},
		{"an id as a number", `{"query":"{webhook(id:12345){id}}"}`, `{"data":{"webhook":null},"errors":[{"path":["webhook"],"data":null,"errorType":"ResourceNotFoundError","errorInfo":null,"locations":[{"line":1,"column":2,"sourceName":null}],"message":"There is no such webhook."}]}`},
		{"a null for a nullable", `{"query":"{webhookDeliveries(webhookId:\"` + id + `\",limit:null,nextToken:null){deliveries{id} nextToken}}"}`, `{"data":{"webhookDeliveries":{"deliveries":[],"nextToken":null}}}`},
	} {
		answer := g.send("POST", "/graphql", test.body, "Authorization", token)
		if test.want == "" { // a nullable variable with a default may stand where a non-null is wanted
			test.want = `{"data":{"webhook":` + webhook + `}}`
		}
		equal(t, test.what, answer.body, test.want)
	}
	answer := g.send("GET", "/graphql?query="+url.QueryEscape(`query($id: ID!){webhook(id:$id){id}}`)+"&variables="+url.QueryEscape(`{"id":"`+id+`"}`), "", "Authorization", token)
	equal(t, "GET", answer.body, `{"data":{"webhook":`+webhook+`}}`)
	answer = g.send("GET", "/graphql?query="+url.QueryEscape(`mutation{unregisterWebhook(input:{id:"`+id+`"}){webhook{id}}}`), "", "Authorization", token)
	if answer.status != http.StatusMethodNotAllowed {
		t.Errorf("a mutation by GET: %d %s", answer.status, answer.body)
	}
	answer = g.send("POST", "/graphql", `{webhooks{webhooks{id}}}`, "Authorization", token, "Content-Type", "application/graphql")
	equal(t, "application/graphql", answer.body, `{"data":{"webhooks":{"webhooks":[`+webhook+`]}}}`)
}

// TestSecretsAndTextsArriveAsTheyWereSent registers secrets in every way that GraphQL and JSON can
// spell them, and looks at what the engine got (trap 19).
func TestSecretsAndTextsArriveAsTheyWereSent(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	long := strings.Repeat("s", 25)
	for i, test := range []struct{ literal, want string }{
		{`"` + long + `"`, long},
		{`"  untrimmed ` + long + `  "`, "  untrimmed " + long + "  "},
		{`"\" \\ \/ \b \f \n \r \t ` + long + `"`, "\" \\ / \b \f \n \r \t " + long},
		{`"\u0041 \uD83D\uDE00 \u{1F600} 😀 ` + long + `"`, "A 😀 😀 😀 " + long},
		{`"e\u0301 é ` + long + `"`, "e\u0301 é " + long},
		{`"""` + long + ` "quoted" \n \u0041 \""" end"""`, long + ` "quoted" \n \u0041 """ end`},
		{"\"\"\"\n    " + long + "\n      second\n    \"\"\"", long + "\n  second"},
	} {
		endpoint := "https://example.com/" + string(rune('a'+i))
		answer := g.query(token, `mutation { registerWebhook(input: {topics: ["a"], endpoint: "`+endpoint+`", secret: `+test.literal+`}) { webhook { endpoint } } }`, nil)
		if strings.Contains(answer, "errors") {
			t.Errorf("%s: %s", test.literal, answer)
			continue
		}
		equal(t, test.literal, g.engine.endpoint(endpoint).Secrets[0].Reveal(), test.want)
		byVariable := endpoint + "/variable"
		g.query(token, `mutation($s: String!, $e: String!) { registerWebhook(input: {topics: "a", endpoint: $e, secret: $s}) { webhook { id } } }`,
			map[string]any{"s": test.want, "e": byVariable})
		equal(t, "by variable", g.engine.endpoint(byVariable).Secrets[0].Reveal(), test.want)
	}
	for _, body := range []string{
		`{"query":"mutation($s: String!) { registerWebhook(input: {topics: [\"a\"], endpoint: \"https://example.com\", secret: $s}) { webhook { id } } }","variables":{"s":"\ud800` + long + `"}}`,
	} {
		if answer := g.send("POST", "/graphql", body, "Authorization", token); answer.status != http.StatusBadRequest {
			t.Errorf("half a surrogate pair in a secret: %d %s", answer.status, answer.body)
		}
	}
}

func TestWhatCannotBeReadIsMalformed(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleViewer)
	for body, message := range map[string]string{
		``: "Request body is empty.", `meow`: "Unable to parse GraphQL query.", `{}`: "Unable to parse GraphQL query.", `[]`: "Unable to parse GraphQL query.",
		`{"query":""}`: "Unable to parse GraphQL query.", `{"query":7}`: "Unable to parse GraphQL query.", `{"query":null}`: "Unable to parse GraphQL query.",
		`{"query":"{__typename}","variables":[]}`:          "Unable to parse GraphQL query.",
		`{"query":"{__typename}","variables":{"a":1e999}}`: "Unable to parse GraphQL query.",
		`{"query":"{__typename}","variables":"[1]"}`:       "Unable to parse GraphQL query.",
		`{"query":"{__typename}","operationName":{}}`:      "Unable to parse GraphQL query.",
		`{"query":"{__typename}"`:                          "Unable to parse GraphQL query.",
		"{\"query\":\"\xff\"}":                             "Unable to parse GraphQL query.",
	} {
		answer := g.send("POST", "/graphql", body, "Authorization", token)
		equal(t, body, answer.body, `{"errors":[{"errorType":"MalformedHttpRequestException","message":"`+message+`"}]}`)
		if answer.status != http.StatusBadRequest {
			t.Errorf("%s: status %d", body, answer.status)
		}
	}
	answer := g.send("POST", "/graphql", `{"query":"`+strings.Repeat(" ", 256<<10)+`"}`, "Authorization", token)
	if answer.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body: %d %s", answer.status, answer.body)
	}
	if answer := g.send("PUT", "/graphql", `{}`, "Authorization", token); answer.status != http.StatusMethodNotAllowed || answer.header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: %d %v", answer.status, answer.header)
	}
}

func TestADocumentAtFaultIsAnsweredInAppSyncsWords(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	at := func(kind, place, message string) string {
		if place != "null" {
			line, column, _ := strings.Cut(place, ":")
			place = `[{"line":` + line + `,"column":` + column + `,"sourceName":null}]`
		}
		quoted, _ := json.Marshal(message)
		text := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(quoted))
		return `{"data":null,"errors":[{"path":null,"data":null,"errorType":"` + kind + `","errorInfo":null,"locations":` + place + `,"message":` + text + `}]}`
	}
	for _, test := range []struct{ document, want string }{
		{`{ x }`, at("ValidationError", "1:3", "Validation error of type FieldUndefined: Field 'x' in type 'Query' is undefined @ 'x'")},
		{"{\n webhooks {\n  webhooks { id secret }\n }\n}", at("ValidationError", "3:17", "Validation error of type FieldUndefined: Field 'secret' in type 'WebhookSubscription' is undefined @ 'webhooks/webhooks/secret'")},
		{`{ webhooks }`, at("ValidationError", "1:3", "Validation error of type SubSelectionRequired: Sub selection required for type WebhooksPayload of field webhooks @ 'webhooks'")},
		{`{ webhooks { webhooks { id { __typename } } } }`, at("ValidationError", "1:25", "Validation error of type SubSelectionNotAllowed: Sub selection not allowed on leaf type String of field id @ 'webhooks/webhooks/id'")},
		{`{ webhook { id } }`, at("ValidationError", "1:3", "Validation error of type MissingFieldArgument: Missing field argument id @ 'webhook'")},
		{`{ webhooks(x: 1) { __typename } }`, at("ValidationError", "1:3", "Validation error of type UnknownArgument: Unknown field argument x @ 'webhooks'")},
		{`mutation { registerWebhook(input: {topics: ["a"], endpoint: "https://e.com"}) { __typename } }`, at("ValidationError", "1:35", "Validation error of type WrongType: argument is missing required fields '[secret]' @ 'registerWebhook'")},
		{`mutation { unregisterWebhook(input: {id: "x", secret: "` + canary + `"}) { __typename } }`, at("ValidationError", "1:47", "Validation error of type WrongType: argument contains a field not in 'UnregisterWebhookInput': 'secret' @ 'unregisterWebhook'")},
		{`mutation { unregisterWebhook(input: "` + canary + `") { __typename } }`, at("ValidationError", "1:38", "Validation error of type WrongType: argument value is not of the expected type @ 'unregisterWebhook'")},
		{`{ ...F }`, at("ValidationError", "1:6", "Validation error of type UndefinedFragment: Undefined fragment F")},
		{`{ __typename } fragment F on Query { __typename }`, at("ValidationError", "1:16", "Validation error of type UnusedFragment: Unused fragment F @ '__typename'")},
		{`query($x: Int) { __typename }`, at("ValidationError", "1:7", "Validation error of type UnusedVariable: Unused variable x")},
		{`{ webhook(id: $x) { id } }`, at("ValidationError", "1:15", "Validation error of type UndefinedVariable: Undefined variable x @ 'webhook'")},
		{`{ __typename @nope }`, at("ValidationError", "1:15", "Validation error of type UnknownDirective: Unknown directive nope @ '__typename'")},
		{`subscription { x }`, ""},
		{`{ webhooks {`, at("InvalidSyntax", "1:13", "Invalid syntax at line 1 column 13.")},
		{`{ a "` + canary + `" }`, at("InvalidSyntax", "1:6", "Invalid syntax at line 1 column 6.")},
		{`fragment F on Query { __typename }`, ""},
		{`query A { __typename } query B { __typename }`, at("ValidationError", "null", "Must provide operation name if query contains multiple operations.")},
		{`query($id: ID!) { webhook(id: $id) { id } }`, at("ValidationError", "1:7", "Variable 'id' has coerced Null value for NonNull type 'ID!'")},
	} {
		body := g.query(token, test.document, nil)
		if test.want == "" {
			if !strings.HasPrefix(body, `{"data":null,"errors":[{"path":null,"data":null,"errorType":"ValidationError",`) {
				t.Errorf("%s: %s", test.document, body)
			}
			continue
		}
		equal(t, test.document, body, test.want)
	}
	for _, variables := range []map[string]any{
		{"i": map[string]any{"topics": []any{"a"}, "endpoint": "https://e.com", "secret": []any{canary}}},
		{"i": map[string]any{"topics": []any{"a"}, "endpoint": "https://e.com"}},
		{"i": map[string]any{"topics": []any{"a"}, "endpoint": "https://e.com", "secret": canary, "x" + canary: 1}},
		{"i": canary}, {"i": nil}, {"i": []any{}}, {}, {"i": map[string]any{"topics": map[string]any{}, "endpoint": 1, "secret": true}},
	} {
		body := g.query(token, `mutation($i: RegisterWebhookInput!) { registerWebhook(input: $i) { webhook { id } } }`, variables)
		if !strings.HasPrefix(body, `{"data":null,"errors":[{"path":null,"data":null,"errorType":"ValidationError","errorInfo":null,"locations":[{"line":1,"column":10,"sourceName":null}],"message":"Variable 'i`) {
			t.Errorf("%v: %s", variables, body)
		}
	}
}

func TestWhatBreaksARuleIsTold(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	register := func(topics []any, secret, endpoint string) string {
		t.Helper()
		return g.query(token, `mutation($i: RegisterWebhookInput!) { registerWebhook(input: $i) { webhook { topics } } }`,
			map[string]any{"i": map[string]any{"topics": topics, "secret": secret, "endpoint": endpoint}})
	}
	good, url := strings.Repeat("é", 25), "https://example.com"
	for what, test := range map[string]struct {
		body  string
		fault string // begins the message; "" for none
	}{
		"24 characters":              {register([]any{"a"}, strings.Repeat("x", 24), url), "secret: "},
		"24 characters of two bytes": {register([]any{"a"}, strings.Repeat("é", 24), url), "secret: "},
		"24 characters of two units": {register([]any{"a"}, strings.Repeat("😀", 24), url), "secret: "},
		"25 characters":              {register([]any{"a"}, strings.Repeat("x", 25), url), ""},
		"no secret":                  {register([]any{"a"}, "", url), "secret: "},
		"no topics":                  {register([]any{}, good, url), "topics: at least one topic is needed"},
		"an empty topic":             {register([]any{"a", ""}, good, url), "topics[1]: "},
		"no topic at all":            {register([]any{"a", nil}, good, url), "topics[1]: cannot be null"},
		"http":                       {register([]any{"a"}, good, "http://example.com"), "endpoint: "},
		"ftp":                        {register([]any{"a"}, good, "ftp://example.com"), "endpoint: "},
		"user-info":                  {register([]any{"a"}, good, "https://u:p@example.com"), "endpoint: "},
		"a fragment":                 {register([]any{"a"}, good, "https://example.com/#x"), "endpoint: "},
		"no host":                    {register([]any{"a"}, good, "https:///x"), "endpoint: "},
		"no endpoint":                {register([]any{"a"}, good, ""), "endpoint: is required"},
		"a private address":          {register([]any{"a"}, good, "https://127.0.0.1/"), "endpoint: "},
		"everything":                 {register([]any{}, "short", "nonsense"), "endpoint: "},
		"doubled topics":             {register([]any{"b", "a", "b"}, good, url), ""},
	} {
		if test.fault == "" {
			if strings.Contains(test.body, "errors") || what == "doubled topics" && test.body != `{"data":{"registerWebhook":{"webhook":{"topics":["b","a"]}}}}` {
				t.Errorf("%s: %s", what, test.body)
			}
			continue
		}
		begin := `{"data":{"registerWebhook":null},"errors":[{"path":["registerWebhook"],"data":null,"errorType":"PayloadValidationError","errorInfo":null,"locations":[{"line":1,"column":39,"sourceName":null}],"message":"` + test.fault
		if !strings.HasPrefix(test.body, begin) {
			t.Errorf("%s: %s", what, test.body)
		}
	}
	for _, word := range []string{"secret", "topics", "endpoint"} {
		if body := register([]any{}, "short", "nonsense"); !strings.Contains(body, word+": ") {
			t.Errorf("the fault of %s is not told: %s", word, body)
		}
	}
}

func TestOneErrorLeavesTheOtherFieldsAlone(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	id := g.register(token, "https://example.com/a")
	equal(t, "the answer", g.query(token, "{\n  good: webhook(id: \""+id+"\") { status }\n  bad: webhook(id: \"webhook-12345\") { status }\n}", nil),
		`{"data":{"good":{"status":"ENABLED"},"bad":null},"errors":[{"path":["bad"],"data":null,"errorType":"ResourceNotFoundError","errorInfo":null,"locations":[{"line":3,"column":3,"sourceName":null}],"message":"Webhook \"webhook-12345\" does not exist."}]}`)
}

func TestUpdateRotateAndTest(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	id := g.register(token, "https://example.com/a")
	equal(t, "update", g.query(token, `mutation($i: UpdateWebhookInput!) { updateWebhook(input: $i) { webhook { endpoint topics status } } }`,
		map[string]any{"i": map[string]any{"id": id, "topics": []string{"a", "b.*"}, "endpoint": "https://example.com/b", "status": "PAUSED"}}),
		`{"data":{"updateWebhook":{"webhook":{"endpoint":"https://example.com/b","topics":["a","b.*"],"status":"PAUSED"}}}}`)
	equal(t, "update nothing", g.query(token, `mutation { updateWebhook(input: {id: "`+id+`", status: ENABLED, topics: null}) { webhook { topics status } } }`, nil),
		`{"data":{"updateWebhook":{"webhook":{"topics":["a","b.*"],"status":"ENABLED"}}}}`)
	next := strings.Repeat("n", 25)
	equal(t, "rotate", g.query(token, `mutation { rotateWebhookSecret(input: {id: "`+id+`", secret: "`+next+`"}) { webhook { status } } }`, nil),
		`{"data":{"rotateWebhookSecret":{"webhook":{"status":"ENABLED"}}}}`)
	if got := g.engine.endpoint("https://example.com/b").Secrets; len(got) != 1 || got[0].Reveal() != next {
		t.Errorf("the engine has %d secrets", len(got))
	}
	if body := g.query(token, `mutation { rotateWebhookSecret(input: {id: "`+id+`", secret: "short"}) { webhook { status } } }`, nil); !strings.Contains(body, `"errorType":"PayloadValidationError"`) {
		t.Errorf("a short secret: %s", body)
	}
	equal(t, "rotate with an overlap", g.query(token, `mutation { rotateWebhookSecret(input: {id: "`+id+`", secret: "`+canary+`", overlap: 60}) { webhook { secretInUse secretOverlapEndDate } } }`, nil),
		`{"data":{"rotateWebhookSecret":{"webhook":{"secretInUse":"OLD","secretOverlapEndDate":1704070800000}}}}`)
	equal(t, "activate", g.query(token, `mutation { activateWebhookSecret(input: {id: "`+id+`"}) { webhook { secretInUse secretOverlapEndDate } } }`, nil),
		`{"data":{"activateWebhookSecret":{"webhook":{"secretInUse":"NEW","secretOverlapEndDate":null}}}}`)
	if got := g.engine.endpoint("https://example.com/b").Secrets; len(got) != 1 || got[0].Reveal() != canary {
		t.Errorf("after activating the engine has %d secrets", len(got))
	}
	if body := g.query(token, `mutation { activateWebhookSecret(input: {id: "`+id+`"}) { webhook { id } } }`, nil); !strings.Contains(body, `"errorType":"ConflictError"`) {
		t.Errorf("activating twice: %s", body)
	}
	body := g.query(token, `mutation { triggerWebhookTestEvent(input: {id: "`+id+`", topic: "inventory.moved"}) { webhook { status } eventId topic delivered statusCode outcome detail duration } }`, nil)
	equal(t, "test", strings.Replace(body, g.engine.tested[0].ID.UUID(), "c1314cc5-60f7-ddba-7be3-900030a8ee05", 1),
		`{"data":{"triggerWebhookTestEvent":{"webhook":{"status":"ENABLED"},"eventId":"c1314cc5-60f7-ddba-7be3-900030a8ee05","topic":"inventory.moved","delivered":true,"statusCode":200,"outcome":"delivered","detail":"the endpoint answered 200","duration":42}}}`)
}

// TestWebhooksOfOtherTonguesAreNotSeen has webhooks of the same tenant that other surfaces made.
func TestWebhooksOfOthersAreNotSeen(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	rival := g.user("rival", "eve@example.com", postrider.RoleAdmin)
	ids := map[string]string{"another account": g.register(rival, "https://example.com/rival")}
	for what, in := range map[string]struct {
		contract string
		where    postrider.Environment
	}{"another contract": {"generic", postrider.Production}, "the sandbox": {"xemelgo", postrider.Sandbox}} {
		ids[what] = g.registerElsewhere(in.contract, in.where)
	}
	ids["no webhook"], ids["no id"], ids["a REST id"] = "webhook-01m0f4y2k7wqv9q1h7e0j5b3c8", "12345", "wh_"+strings.TrimPrefix(ids["another account"], "webhook-")
	equal(t, "list", g.query(token, listDocument, nil), `{"data":{"webhooks":{"webhooks":[]}}}`)
	for what, id := range ids {
		for _, document := range []string{
			`{ f: webhook(id: "` + id + `") { id } }`,
			`{ f: webhookDeliveries(webhookId: "` + id + `") { nextToken } }`,
			`mutation { f: unregisterWebhook(input: {id: "` + id + `"}) { webhook { id } } }`,
			`mutation { f: updateWebhook(input: {id: "` + id + `", status: PAUSED}) { webhook { id } } }`,
			`mutation { f: rotateWebhookSecret(input: {id: "` + id + `", secret: "` + canary + `"}) { webhook { id } } }`,
			`mutation { f: activateWebhookSecret(input: {id: "` + id + `"}) { webhook { id } } }`,
			`mutation { f: triggerWebhookTestEvent(input: {id: "` + id + `"}) { webhook { id } } }`,
		} {
			body := g.query(token, document, nil)
			column, message := strings.Index(document, "f:")+1, `Webhook \"`+id+`\" does not exist.`
			if !strings.HasPrefix(id, "webhook-") {
				message = "There is no such webhook."
			}
			want := `{"data":{"f":null},"errors":[{"path":["f"],"data":null,"errorType":"ResourceNotFoundError","errorInfo":null,"locations":[{"line":1,"column":` +
				strconv.Itoa(column) + `,"sourceName":null}],"message":"` + message + `"}]}`
			equal(t, what, body, want)
		}
	}
}

func TestDeliveriesAreListedInPagesTheNewestFirst(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	id := g.register(token, "https://example.com/a")
	for range 5 {
		g.publish("acme", "inventory.cycle_count")
	}
	var events []string
	for document, pages := `{ webhookDeliveries(webhookId: "`+id+`", limit: 2) { deliveries { id webhookId topic state reason attempts endDate } nextToken } }`, 0; ; pages++ {
		body := g.query(token, document, nil)
		var answer struct {
			Data struct {
				WebhookDeliveries struct {
					Deliveries []map[string]any
					NextToken  *string
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || strings.Contains(body, "errors") {
			t.Fatalf("%s %v", body, err)
		}
		for _, d := range answer.Data.WebhookDeliveries.Deliveries {
			events = append(events, d["id"].(string))
			if d["webhookId"] != id || d["topic"] != "inventory.cycle_count" || d["state"] != "PENDING" || d["reason"] != nil || d["attempts"] != 0.0 || d["endDate"] != nil {
				t.Errorf("a delivery is %v", d)
			}
		}
		if answer.Data.WebhookDeliveries.NextToken == nil {
			if pages != 2 {
				t.Errorf("there were %d pages", pages+1)
			}
			break
		}
		document = `{ webhookDeliveries(webhookId: "` + id + `", limit: 2, nextToken: "` + *answer.Data.WebhookDeliveries.NextToken + `") { deliveries { id webhookId topic state reason attempts endDate } nextToken } }`
	}
	if !slices.IsSortedFunc(events, func(a, b string) int { return strings.Compare(b, a) }) || len(slices.Compact(events)) != 5 {
		t.Errorf("listed %v", events)
	}
	for _, arguments := range []string{`limit: 0`, `limit: 101`, `limit: -1`, `nextToken: "x"`, `nextToken: "LTEuMQ"`, `nextToken: "` + strings.Repeat("MS4x", 100) + `"`} {
		if body := g.query(token, `{ webhookDeliveries(webhookId: "`+id+`", `+arguments+`) { nextToken } }`, nil); !strings.Contains(body, `"errorType":"PayloadValidationError"`) {
			t.Errorf("%s: %s", arguments, body)
		}
	}
}
