package graphapi

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
)

// FuzzAnyBodyIsReadAndJudgedOrRefused reads bodies and judges their documents: whatever they hold, nothing
// panics, what is refused is told in valid UTF-8 of bounded length, and what is taken is within bounds.
func FuzzAnyBodyIsReadAndJudgedOrRefused(f *testing.F) {
	for _, query := range []string{
		`{webhooks{webhooks{id}}}`, `query($id: ID!, $n: Int = 3){webhookDeliveries(webhookId:$id,limit:$n){deliveries{id}}}`,
		`mutation($i: RegisterWebhookInput!){registerWebhook(input:$i){webhook{...F}}} fragment F on WebhookSubscription{id}`,
		`mutation{updateWebhook(input:{id:1,status:PAUSED,topics:["a",null]}){webhook{status}}}`,
		`{__schema{types{name fields{name}}}} query B{__typename @skip(if:true)}`, `{a "`, "{\n x(a: \"\"\"b\"\"\", c: -1.5e9, d: [$x {y: null}]) }",
	} {
		for _, variables := range []string{``, `,"variables":{"id":"webhook-1","n":2.0,"i":{"topics":"a","secret":"s","endpoint":"e"}}`, `,"variables":""`, `,"variables":{"i":[[1e9,{"a":null}]]},"operationName":"B"`} {
			text, err := json.Marshal(query)
			if err != nil {
				f.Fatal(err)
			}
			f.Add([]byte(`{"query":` + string(text) + variables + `}`))
		}
	}
	h := New(Options{}, Parts{})
	f.Fuzz(func(t *testing.T, body []byte) {
		asked, err := decodeRequest(body)
		if err != nil {
			return
		}
		operation, variables, faults := prepare(h.schema, asked)
		if (operation == nil) == (faults == nil) {
			t.Fatalf("%q: neither refused nor taken, or both", asked.query)
		}
		if answer := appendAnswer(nil, nil, faults); !json.Valid(answer) || !utf8.Valid(answer) || len(answer) > 64<<10 {
			t.Errorf("%q is answered with %q", asked.query, answer)
		}
		if operation == nil {
			return
		}
		root := h.schema.Query
		if operation.Operation == ast.Mutation {
			root = h.schema.Mutation
		}
		r := &run{handler: h, variables: variables}
		for _, g := range r.collect(root, []ast.SelectionSet{operation.SelectionSet}) {
			if g.field.Name == "__typename" {
				continue
			}
			args := r.arguments(g.field)
			_, _ = args.text("webhookId")
			_, _, _ = args.object("input").texts("topics")
			_, _ = args.whole("limit", 1, 100, 20)
		}
	})
}
