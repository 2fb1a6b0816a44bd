package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

// scripted answers the i-th request with the i-th step, and the last one from then on.
func scripted(t *testing.T, steps ...http.HandlerFunc) (*client.Client, *atomic.Int64) {
	t.Helper()
	var count atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(count.Add(1))
		steps[min(n, len(steps))-1](w, r)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL+"/", "the-key", client.WithRetries(3, time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return c, &count
}

func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const (
	busy     = `{"error":{"code":"unavailable","message":"try again"}}`
	accepted = `{"id":"evt_1","type":"a","deliveries":2}`
)

func TestOnlyCallsThatCanBeRepeatedAreTriedAgain(t *testing.T) {
	ctx := context.Background()
	event := api.EventCreate{Type: "a", Data: []byte(`1`)}
	named := event
	named.ID = "own"
	for name, test := range map[string]struct {
		call  func(*client.Client) error
		tries int64
	}{
		"publish":            {func(c *client.Client) error { _, err := c.Publish(ctx, event); return err }, 1},
		"publish with an id": {func(c *client.Client) error { _, err := c.Publish(ctx, named); return err }, 3},
		"publish with a key": {func(c *client.Client) error { _, err := c.PublishWithKey(ctx, event, "k"); return err }, 3},
		"batch": {func(c *client.Client) error {
			_, err := c.PublishBatch(ctx, []api.EventCreate{named, event}, "")
			return err
		}, 1},
		"batch with ids": {func(c *client.Client) error {
			_, err := c.PublishLines(ctx, []api.EventCreate{named, named}, "")
			return err
		}, 3},
		"batch with a key":         {func(c *client.Client) error { _, err := c.PublishBatch(ctx, []api.EventCreate{event}, "k"); return err }, 3},
		"read":                     {func(c *client.Client) error { _, err := c.Contracts(ctx); return err }, 3},
		"change to a state":        {func(c *client.Client) error { _, err := c.UpdateWebhook(ctx, "w", api.WebhookUpdate{}); return err }, 3},
		"delete":                   {func(c *client.Client) error { return c.DeleteWebhook(ctx, "w") }, 3},
		"register":                 {func(c *client.Client) error { _, err := c.RegisterWebhook(ctx, api.WebhookCreate{}); return err }, 1},
		"create a key":             {func(c *client.Client) error { _, err := c.CreateKey(ctx, api.KeyCreate{}); return err }, 1},
		"test a webhook":           {func(c *client.Client) error { _, err := c.TestWebhook(ctx, "w", ""); return err }, 1},
		"whether it is ready":      {func(c *client.Client) error { return c.Ready(ctx) }, 1},
		"a tenant of the operator": {func(c *client.Client) error { _, err := c.CreateTenant(ctx, "x"); return err }, 1},
	} {
		for _, status := range []int{503, 429} {
			c, count := scripted(t, says(status, busy, "Retry-After", "0"))
			err := test.call(c)
			refused, ok := errors.AsType[*client.Error](err)
			if !ok || refused.Status != status || refused.Code != "unavailable" || refused.Message != "try again" {
				t.Errorf("%s: %d gave %v", name, status, err)
			}
			if count.Load() != test.tries {
				t.Errorf("%s: %d was tried %d times, want %d", name, status, count.Load(), test.tries)
			}
		}
	}
}

func TestOtherRefusalsAreNotTriedAgain(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 413, 500, 507} {
		c, count := scripted(t, says(status, `{"error":{"code":"x","message":"m","fields":{"f":"why"}}}`, "X-Request-Id", "r-1"))
		_, err := c.Contracts(context.Background())
		refused, ok := errors.AsType[*client.Error](err)
		if !ok || refused.Status != status || refused.Fields["f"] != "why" || refused.RequestID != "r-1" || count.Load() != 1 {
			t.Errorf("%d gave %+v after %d tries", status, err, count.Load())
		}
	}
}

func TestATryThatSucceedsEndsTheTrying(t *testing.T) {
	c, count := scripted(t, says(503, busy), says(503, busy, "Retry-After", "1"), says(202, accepted, "Idempotent-Replayed", "true"))
	got, err := c.PublishWithKey(context.Background(), api.EventCreate{Type: "a", Data: []byte(`1`)}, "k")
	if err != nil || got.ID != "evt_1" || got.Deliveries != 2 || !got.Replayed || count.Load() != 3 {
		t.Errorf("gave %+v %v after %d tries", got, err, count.Load())
	}
}

func TestAnEndedContextEndsTheWaiting(t *testing.T) {
	server := httptest.NewServer(says(503, busy, "Retry-After", "3600"))
	defer server.Close()
	c, err := client.New(server.URL, "", client.WithRetries(5, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err = c.Contracts(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("gave %v", err)
	}
}

func TestAnEventGoesOutByteForByte(t *testing.T) {
	var body, key, authorization, contentType string
	keep := func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body, key, authorization, contentType = string(text), r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), r.Header.Get("Content-Type")
		says(202, `{"data":[]}`)(w, r)
	}
	c, _ := scripted(t, keep)
	ctx := context.Background()
	at := time.Date(2026, 2, 18, 10, 30, 0, 5e6, time.UTC)
	event := api.EventCreate{Type: `a",\"data\":0`, Data: []byte("{ \"a\" : 1.0,\n\"b\":\"<&>\u2028\" }"), PreviousData: []byte(`[ ]`), ID: "i", OccurredAt: &at, Tenant: "t", Environment: "sandbox"}
	tail := `"id":"i","occurred_at":"2026-02-18T10:30:00.005Z","tenant":"t","environment":"sandbox"}`
	head := `{"type":"a\",\\\"data\\\":0","data":`
	if _, err := c.PublishWithKey(ctx, event, "k"); err != nil {
		t.Fatal(err)
	}
	if want := head + string(event.Data) + `,"previous_data":[ ],` + tail; body != want || key != "k" || authorization != "Bearer the-key" || contentType != "application/json" {
		t.Errorf("sent %s\nwant %s\nwith %q %q %q", body, want, key, authorization, contentType)
	}
	if _, err := c.PublishBatch(ctx, []api.EventCreate{event, event}, ""); err != nil {
		t.Fatal(err)
	}
	one := head + string(event.Data) + `,"previous_data":[ ],` + tail
	if body != "["+one+","+one+"]" {
		t.Errorf("sent %s", body)
	}
	if _, err := c.PublishLines(ctx, []api.EventCreate{event, event}, ""); err != nil {
		t.Fatal(err)
	}
	line := head + "{\"a\":1.0,\"b\":\"<&>\u2028\"}" + `,"previous_data":[],` + tail
	if body != line+"\n"+line || contentType != "application/x-ndjson" {
		t.Errorf("sent %s\nwant %s", body, line)
	}
	for _, data := range []string{"", "{", "1 2"} {
		if _, err := c.Publish(ctx, api.EventCreate{Type: "a", Data: []byte(data)}); err == nil || !strings.Contains(err.Error(), "data is not JSON") {
			t.Errorf("data %q gave %v", data, err)
		}
	}
}

func TestIteratorsWalkOverPagesAndStopAtErrors(t *testing.T) {
	ctx := context.Background()
	pages := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			says(200, `{"data":[{"id":"1"},{"id":"2"}],"next":"c/1+"}`)(w, r)
		case "c/1+":
			says(200, `{"data":[{"id":"3"}],"next":"c2"}`)(w, r)
		default:
			says(404, `{"error":{"code":"not_found","message":"gone"}}`)(w, r)
		}
	}
	c, count := scripted(t, pages)
	var ids []string
	var last error
	for event, err := range c.AllEvents(ctx, client.EventFilter{Type: "x"}) {
		if last = err; err == nil {
			ids = append(ids, event.ID)
		}
	}
	if strings.Join(ids, "") != "123" || last == nil || count.Load() != 3 {
		t.Errorf("walked over %v, ended with %v after %d calls", ids, last, count.Load())
	}
	for range c.AllEvents(ctx, client.EventFilter{}) {
		break
	}
	if count.Load() != 4 {
		t.Errorf("a walk that was left after one element made %d calls", count.Load()-3)
	}
}

func TestOddAnswersAreErrorsAndBounded(t *testing.T) {
	ctx := context.Background()
	c, _ := scripted(t, says(502, "<html>Bad Gateway</html>"))
	_, err := c.Contracts(ctx)
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Code != "unknown" || !strings.Contains(refused.Message, "502") {
		t.Errorf("a proxy's page gave %v", err)
	}
	c, _ = scripted(t, says(200, "not JSON"))
	if _, err := c.Contracts(ctx); err == nil {
		t.Error("an answer that is not JSON was taken")
	}
	c, _ = scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		w.Header().Set("Content-Length", strconv.Itoa(1<<30))
		for range 1 << 10 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	if _, err := c.Contracts(ctx); err == nil || !strings.Contains(err.Error(), "over") {
		t.Errorf("an endless answer gave %v", err)
	}
	for _, base := range []string{"", "localhost:8080", "ftp://x", "http://"} {
		if _, err := client.New(base, ""); err == nil {
			t.Errorf("%q was taken for a gateway", base)
		}
	}
	if _, err := client.New("http://x", "a\nb"); err == nil {
		t.Error("a key with a line break was taken")
	}
}
