package restapi

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
)

// FuzzBody holds the reading of management bodies against encoding/json: what it takes, it takes for
// the same; what it refuses is told in bounded words.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"url":"https://example.com","events":["a","b"],"rate_limit":1.5,"max_in_flight":3}`,
		`{"url":null,"status":"paused","secret":"\ud83d\ude00"}`, `{"secret":"\ud800"}`, `{"URL":"x"}`, `{"url":"a","url":"b"}`,
		`{"max_in_flight":1e3}`, `{"max_in_flight":99999999999999999999}`, `{"events":null}`, `{"events":[null]}`, `[]`, `{`, ``, ` {} `, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var body Body[api.WebhookUpdate]
		if err := body.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		got, err := body.take()
		if err != nil {
			if postrider.ErrorCode(err) != postrider.CodeInvalid || err.Error() == "" || len(err.Error()) > 20_000 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		var want api.WebhookUpdate
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("took what encoding/json refuses: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
