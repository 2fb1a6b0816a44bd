package contract_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

// update rewrites the expected half of the golden files: go test ./contract -update. Read the
// difference before committing it.
var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// exchange is one file of testdata/exchange. Above the first "== " line it says what is given, one
// "name: value" a line; below it stand the request and the outcome that must follow.
type exchange struct {
	given   string
	values  map[string]string
	secrets []string
	request string
	outcome string
}

func readExchange(t *testing.T, file string) exchange {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	given, rest, _ := strings.Cut(string(content), "== request\n")
	request, outcome, _ := strings.Cut(rest, "\n== outcome\n")
	x := exchange{given: given, values: map[string]string{}, request: request, outcome: outcome}
	for line := range strings.Lines(given) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, ": ")
		if !found {
			t.Fatalf("%s: %q is not of the form name: value", file, line)
		}
		if name == "secret" {
			x.secrets = append(x.secrets, value)
			continue
		}
		x.values[name] = value
	}
	return x
}

func (x exchange) time(t *testing.T, name string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, x.values[name])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return at
}

func (x exchange) event(t *testing.T) *postrider.Event {
	t.Helper()
	event := &postrider.Event{
		ID: mustEventID(x.values["event.id"]), GivenID: x.values["event.given_id"], Topic: postrider.Topic(x.values["event.topic"]),
		Environment: postrider.Environment(x.values["environment"]), OccurredAt: x.time(t, "event.occurred_at"),
		Data: []byte(x.values["event.data"]),
	}
	if previous, given := x.values["event.previous_data"]; given {
		event.Previous = []byte(previous)
	}
	return event
}

// endpoint holds the secrets; next_secret and rotation_until, when they stand there, are a rotation.
func (x exchange) endpoint(t *testing.T) *postrider.Endpoint {
	t.Helper()
	e := anEndpoint(x.secrets...)
	if next, given := x.values["next_secret"]; given {
		e.Rotation = &postrider.SecretRotation{Next: postrider.NewSecret(next), Until: x.time(t, "rotation_until")}
	}
	return e
}

// inForce says by the words of the rule which secrets sign: where a list is carried the new and the old
// until the rotation's end, elsewhere the old; afterwards the new alone.
func (x exchange) inForce(t *testing.T) (list []string, single string) {
	t.Helper()
	next, rotating := x.values["next_secret"]
	switch {
	case !rotating:
		return x.secrets, x.secrets[0]
	case x.time(t, "clock").Before(x.time(t, "rotation_until")):
		return append([]string{next}, x.secrets...), x.secrets[0]
	}
	return []string{next}, next
}

// play makes the request and judges the answer, and gives both as the file should hold them.
func (x exchange) play(t *testing.T) (request, outcome string) {
	t.Helper()
	c := builtin(t, x.values["contract"])
	sent := renderFor(t, c, x.endpoint(t), x.event(t), x.time(t, "clock"))
	var text strings.Builder
	for _, field := range sent.Header {
		fmt.Fprintf(&text, "%s: %s\n", field.Name, field.Value)
	}
	fmt.Fprintf(&text, "\n%s\n", sent.Body)

	status, _ := strconv.Atoi(x.values["answer.status"])
	ended := x.time(t, "ended")
	o := c.Judge(contract.Answer{
		Status: status, RetryAfter: x.values["answer.retry_after"], Failure: postrider.OutcomeCode(x.values["answer.failure"]),
	}, ended)
	attempt, err := strconv.Atoi(x.values["attempt"])
	if err != nil {
		t.Fatal(err)
	}
	jitter, _ := strconv.ParseFloat(x.values["jitter"], 64)
	env := postrider.Environment(x.values["environment"])
	next := "none"
	if at, more := c.Next(attempt, o, env, ended, jitter); more {
		next = at.Format("2006-01-02T15:04:05.000Z07:00")
	}
	return text.String(), fmt.Sprintf("kind: %s\ncode: %s\ndetail: %s\nretry_after: %s\nfirst_due: %s\nnext: %s\n", o.Kind, o.Code, o.Detail, o.RetryAfter,
		c.FirstDue(env, x.event(t).OccurredAt).Format("2006-01-02T15:04:05.000Z07:00"), next)
}

func eachExchange(t *testing.T, check func(t *testing.T, file string, x exchange)) {
	t.Helper()
	files, err := filepath.Glob("testdata/exchange/*.txt")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d exchanges, want 40 or more (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { check(t, file, readExchange(t, file)) })
	}
}

func TestExchangesAreAsWritten(t *testing.T) {
	eachExchange(t, func(t *testing.T, file string, x exchange) {
		request, outcome := x.play(t)
		if *update {
			if err := os.WriteFile(file, []byte(x.given+"== request\n"+request+"\n== outcome\n"+outcome), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		if diff := cmp.Diff(x.request, request); diff != "" {
			t.Errorf("request (-written +made):\n%s", diff)
		}
		if diff := cmp.Diff(x.outcome, outcome); diff != "" {
			t.Errorf("outcome (-written +made):\n%s", diff)
		}
	})
}

// Every signature in the files is computed here again with crypto/hmac alone, so that -update cannot
// write a wrong one unseen.
func TestSignaturesInExchangesAreRight(t *testing.T) {
	eachExchange(t, func(t *testing.T, _ string, x exchange) {
		head, body, found := strings.Cut(x.request, "\n\n")
		body = strings.TrimSuffix(body, "\n")
		if !found {
			t.Fatal("the request has no body")
		}
		header := map[string]string{}
		for line := range strings.Lines(head) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			header[name] = value
		}
		sum := func(key []byte, message string) []byte {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(message))
			return mac.Sum(nil)
		}
		list, single := x.inForce(t)
		standard := func() string {
			var signatures []string
			for _, secret := range list {
				key := []byte(secret)
				if encoded, is := strings.CutPrefix(secret, "whsec_"); is {
					decoded, err := base64.StdEncoding.DecodeString(encoded)
					if err != nil {
						t.Fatal(err)
					}
					key = decoded
				}
				signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(
					sum(key, header["webhook-id"]+"."+header["webhook-timestamp"]+"."+body)))
			}
			return strings.Join(signatures, " ")
		}
		bare := hex.EncodeToString(sum([]byte(single), body))
		want := map[string]string{}
		switch x.values["contract"] {
		case "generic":
			want = map[string]string{"X-Webhook-Signature": bare, "webhook-signature": standard()}
		case "standard":
			want = map[string]string{"webhook-signature": standard()}
		case "xemelgo":
			want = map[string]string{"xemelgo-signature": "sha256=" + bare}
		case "ewarehousing":
			want = map[string]string{"X-Hmac-SHA256": base64.StdEncoding.EncodeToString(sum([]byte(single), body))}
		case "shiip":
			want = map[string]string{"X-Signature": bare}
		}
		if len(want) == 0 {
			t.Fatalf("contract %q is unknown here", x.values["contract"])
		}
		for name, value := range want {
			if header[name] != value {
				t.Errorf("%s\nwritten %s\n  right %s", name, header[name], value)
			}
		}
	})
}

// What receivers of each contract read out of a body, apart from how it is spelled.
func TestBodiesInExchangesHoldTheEvent(t *testing.T) {
	eachExchange(t, func(t *testing.T, _ string, x exchange) {
		_, body, _ := strings.Cut(x.request, "\n\n")
		body = strings.TrimSuffix(body, "\n")
		event := x.event(t)
		if name := x.values["contract"]; name == "ewarehousing" || name == "shiip" {
			if body != x.values["event.data"] {
				t.Errorf("body %s, want the published bytes alone", body)
			}
			return
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("the body is not JSON: %v", err)
		}
		text := func(value any) string {
			var out bytes.Buffer
			encoder := json.NewEncoder(&out)
			encoder.SetEscapeHTML(false)
			if err := encoder.Encode(value); err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(out.String())
		}
		id := event.PublicID()
		var want map[string]string
		switch x.values["contract"] {
		case "generic":
			want = map[string]string{
				"id": text(id), "type": text(event.Topic), "data": string(event.Data), "previous_data": "null",
				"created_at": text(event.OccurredAt.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05Z")),
			}
			if event.Previous != nil {
				want["previous_data"] = string(event.Previous)
			}
		case "standard":
			want = map[string]string{
				"type": text(event.Topic), "data": string(event.Data),
				"timestamp": text(event.OccurredAt.UTC().Format("2006-01-02T15:04:05.000Z")),
			}
		case "xemelgo":
			if id = event.ID.UUID(); len(event.GivenID) == 36 {
				id = event.GivenID
			}
			want = map[string]string{"id": text(id), "topic": text(event.Topic), "eventTimestamp": strconv.FormatInt(event.OccurredAt.UnixMilli(), 10)}
			want["data"] = string(got["data"]) // its spelling is AppendECMAScript's own matter
			var published, sent any
			if json.Unmarshal(event.Data, &published) != nil || json.Unmarshal(got["data"], &sent) != nil || !cmp.Equal(published, sent) {
				t.Errorf("data %s is not what was published", got["data"])
			}
		}
		have := map[string]string{}
		for name, value := range got {
			have[name] = string(value)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
	})
}
