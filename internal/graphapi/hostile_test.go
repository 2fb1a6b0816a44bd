package graphapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
)

// hostile are documents that are small to send and would be large to answer.
func hostile() map[string]string {
	chain := "{ ...F0 }"
	for i := range 60 {
		chain += fmt.Sprintf(" fragment F%d on Query { ...F%d ...F%d }", i, i+1, i+1)
	}
	chain += " fragment F60 on Query { __typename }"
	aliases := "{"
	for i := range 1200 {
		aliases += fmt.Sprintf(" a%d: __typename", i)
	}
	roots := "{"
	for i := range 21 {
		roots += fmt.Sprintf(" a%d: webhooks { __typename }", i)
	}
	overlap := "{ webhooks { webhooks {"
	for i := range 480 {
		overlap += fmt.Sprintf(" a: id b%d: id", i)
	}
	return map[string]string{
		"aliases":        aliases + " }",
		"roots":          roots + " }",
		"fragments":      chain,
		"cycle":          "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
		"deep":           strings.Repeat("{ webhooks ", 500) + strings.Repeat("}", 500),
		"deeper":         strings.Repeat("{a", 20000),
		"deep values":    `{ webhook(id: ` + strings.Repeat("[", 1500) + `) { id } }`,
		"lists of types": "query($x: " + strings.Repeat("[", 1500) + "Int" + strings.Repeat("]", 1500) + ") { __typename }",
		"long":           "{ __typename #" + strings.Repeat("x", 65<<10) + "\n}",
		"tokens":         "{ __typename " + strings.Repeat("@a", 3000) + " }",
		"directives":     "{ __typename " + strings.Repeat("@skip(if:false)", 500) + " }",
		"overlap":        overlap + " } } }",
		"introspection":  `{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }`,
		"introspection by aliases": "{ __schema {" + func() string {
			text := ""
			for i := range 120 {
				text += fmt.Sprintf(" t%d: types { fields { args { name description } description type { name ofType { name } } } }", i)
			}
			return text
		}() + " } }",
		"inline fragments": "{" + strings.Repeat("...{", 900) + "__typename" + strings.Repeat("}", 900) + "}",
		"many operations":  strings.Repeat("query A { __typename } ", 600),
		"many variables": "query(" + func() string {
			text := ""
			for i := range 600 {
				text += fmt.Sprintf("$v%d: Int ", i)
			}
			return text
		}() + ") { __typename }",
	}
}

// TestHostileDocumentsGetSmallAnswersSoon holds every one of them to a time that a slow machine keeps,
// a small answer, and memory in proportion.
func TestHostileDocumentsGetSmallAnswersSoon(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	for name, document := range hostile() {
		t.Run(name, func(t *testing.T) {
			asked, _ := json.Marshal(map[string]string{"query": document})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			answer := g.send("POST", "/graphql", string(asked), "Authorization", token)
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			memory := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d bytes in: %d, %d bytes out, %v, %d KiB", len(document), answer.status, len(answer.body), took, memory>>10)
			if name == "overlap" || name == "inline fragments" {
				if answer.status != 200 { // within bounds: it only has to be cheap
					t.Errorf("answered %d %.300s", answer.status, answer.body)
				}
			} else if answer.status != 200 || !strings.Contains(answer.body, `"errors":[`) || !strings.HasPrefix(answer.body, `{"data":null,`) {
				t.Errorf("answered %d %.300s", answer.status, answer.body)
			}
			if took > 2*time.Second || memory > 64<<20 || len(answer.body) > 16<<10 {
				t.Errorf("it cost %v, %d KiB and %d bytes of answer", took, memory>>10, len(answer.body))
			}
		})
	}
	for document, message := range map[string]string{
		hostile()["fragments"]: "The query selects more than 1000 fields.",
		hostile()["roots"]:     "The operation has more than 20 fields at its root.",
		hostile()["long"]:      "The query is longer than 65536 bytes.",
		hostile()["deep"]:      "The query is nested deeper than 20 levels.",
		hostile()["tokens"]:    "The query is larger than 4000 tokens or nested too deep.",
	} {
		equal(t, "the answer", g.query(token, document, nil),
			`{"data":null,"errors":[{"path":null,"data":null,"errorType":"QueryLimitExceeded","errorInfo":null,"locations":null,"message":"`+message+`"}]}`)
	}
}

// introspectionQuery is the one that the tools of today send.
const introspectionQuery = `query IntrospectionQuery { __schema { description queryType { name } mutationType { name } subscriptionType { name }
types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }`

func TestIntrospectionDescribesTheWholeSchema(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleViewer)
	body := g.query(token, introspectionQuery, nil)
	var answer struct {
		Errors []any
		Data   struct {
			Schema struct {
				QueryType, MutationType struct{ Name string }
				Types                   []struct {
					Kind, Name  string
					Fields      []struct{ Name string }
					InputFields []struct {
						Name string
						Type struct {
							Kind   string
							OfType *struct {
								Kind   string
								Name   *string
								OfType *struct{ Name string }
							}
						}
					}
				}
			} `json:"__schema"`
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Errors) > 0 {
		t.Fatalf("%v: %.400s", err, body)
	}
	told := map[string]string{}
	for _, kind := range answer.Data.Schema.Types {
		told[kind.Name] = kind.Kind
		for _, field := range kind.InputFields {
			if kind.Name == "RegisterWebhookInput" && field.Type.Kind != "NON_NULL" {
				t.Errorf("%s.%s may be null", kind.Name, field.Name)
			}
		}
	}
	for name, kind := range map[string]string{
		"RegisterWebhookInput": "INPUT_OBJECT", "RegisterWebhookPayload": "OBJECT", "UnregisterWebhookInput": "INPUT_OBJECT",
		"UnregisterWebhookPayload": "OBJECT", "WebhooksPayload": "OBJECT", "WebhookSubscription": "OBJECT", "AWSTimestamp": "SCALAR",
		"Query": "OBJECT", "Mutation": "OBJECT", "__Type": "OBJECT", "String": "SCALAR",
	} {
		equal(t, "the kind of "+name, told[name], kind)
	}
	if !bytes.Contains([]byte(body), []byte(`"name":"creationDate"`)) {
		t.Error("fields are missing")
	}
	equal(t, "__type", g.query(token, `{ __type(name: "WebhookSubscription") { name fields { name type { name kind ofType { name } } } } none: __type(name: "X") { name } }`, nil),
		`{"data":{"__type":{"name":"WebhookSubscription","fields":[{"name":"id","type":{"name":"String","kind":"SCALAR","ofType":null}},{"name":"endpoint","type":{"name":"String","kind":"SCALAR","ofType":null}},`+
			`{"name":"topics","type":{"name":null,"kind":"LIST","ofType":{"name":"String"}}},{"name":"creationDate","type":{"name":"AWSTimestamp","kind":"SCALAR","ofType":null}},{"name":"status","type":{"name":"WebhookStatus","kind":"ENUM","ofType":null}},`+
			`{"name":"secretInUse","type":{"name":"WebhookSecretInUse","kind":"ENUM","ofType":null}},{"name":"secretOverlapEndDate","type":{"name":"AWSTimestamp","kind":"SCALAR","ofType":null}}]},"none":null}}`)
}

func TestAnAnswerIsBounded(t *testing.T) {
	g := newGateway(t)
	token := g.user("acme", "ann@example.com", postrider.RoleAdmin)
	for i := range 100 {
		g.register(token, fmt.Sprintf("https://example.com/%d/%s", i, strings.Repeat("x", 1900)))
	}
	list := func(times int) string {
		text := "{ webhooks {"
		for i := range times {
			text += fmt.Sprintf(" a%d: webhooks { endpoint }", i)
		}
		return text + " } }"
	}
	if body := g.query(token, list(40), nil); strings.Contains(body, "errors") || len(body) < 7<<20 {
		t.Errorf("%d bytes: %.200s", len(body), body)
	}
	equal(t, "an answer of 20 MB", g.query(token, list(100), nil),
		`{"data":null,"errors":[{"path":null,"data":null,"errorType":"QueryLimitExceeded","errorInfo":null,"locations":null,"message":"The answer is larger than 8388608 bytes; ask for less."}]}`)
}
