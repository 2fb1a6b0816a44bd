package contract_test

import (
	"fmt"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

// One attempt, from the request to the time of the next.
func Example() {
	c := contract.Builtin()[0]
	endpoint := &postrider.Endpoint{Secrets: []postrider.Secret{postrider.NewSecret("your_webhook_secret")}}
	renderer, err := c.NewRenderer(endpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2025, 2, 18, 10, 30, 0, 0, time.UTC)
	event := &postrider.Event{GivenID: "evt_abc123", Topic: "resource.deleted", OccurredAt: now, Data: []byte(`{"object":{"id":"res_1"}}`)}

	var request contract.Request
	if err := renderer.Render(&request, event, now); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(request.Body))

	outcome := c.Judge(contract.Answer{Status: 503}, now)
	next, more := c.Next(2, outcome, postrider.Production, now, 0)
	fmt.Println(outcome.Kind, next.Sub(now), more)
	// Output:
	// {"id":"evt_abc123","type":"resource.deleted","created_at":"2025-02-18T10:30:00Z","data":{"object":{"id":"res_1"}},"previous_data":null}
	// retryable 1m0s true
}

func ExampleParse() {
	_, err := contract.Parse([]byte("name: sixth\nbody: {form: json}\nheaders: []\nlimits: {timeout: 5}\nretry: {delays: [soon]}\n"))
	fmt.Println(err)
	// Output:
	// line 2: body.form: "json" is unknown; use verbatim, ecmascript
	// line 3: headers: Content-Type is missing; receivers need it
	// line 4: limits.timeout: 5 has no unit; write it as 5s, 30m or 2h
	// line 5: retry.delays[0]: "soon" is not a duration; write it as 5s, 30m or 2h
}
