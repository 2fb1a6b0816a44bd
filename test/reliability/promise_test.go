package reliability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/internal/receivertest"
)

// scale is POSTRIDER_DEV_TIME_SCALE: an hour of a schedule is 1.8 s.
const scale = 2000

// promiseSecret suits every built-in contract.
const promiseSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// promise is what a seed says of an endpoint that keeps failing.
type promise struct {
	contract    string
	environment string
	answer      receivertest.Answer
	gaps        []time.Duration // between attempts, unscaled
	tick        time.Duration   // attempts go at multiples of it, unscaled; 0: at once
	status      string          // of the webhook afterwards
}

const (
	minute = time.Minute
	hour   = time.Hour
)

func repeated(gap time.Duration, times int) []time.Duration {
	gaps := make([]time.Duration, times)
	for i := range gaps {
		gaps[i] = gap
	}
	return gaps
}

// TestTheSeedsSchedulesHoldInTheRealProgram lets endpoints of every contract fail and holds numbers and
// times of the requests against the seeds, in scaled time.
func TestTheSeedsSchedulesHoldInTheRealProgram(t *testing.T) {
	t.Parallel()
	elsewhere := startReceiver(t, receivertest.Options{})
	g := newGateway(t)
	g.env = []string{"POSTRIDER_DEV_TIME_SCALE=2000"}
	g.start()
	promises := map[string]promise{
		"004.14, 004.15: six requests, then disabled":  {"generic", "production", receivertest.Status(500), []time.Duration{0, minute, 5 * minute, 30 * minute, 2 * hour}, 0, "disabled"},
		"trap 12: a 4xx is retried too":                {"generic", "sandbox", receivertest.Status(401), []time.Duration{0, minute, 5 * minute, 30 * minute, 2 * hour}, 0, "disabled"},
		"A000-1: five requests":                        {"xemelgo", "production", receivertest.Status(500), []time.Duration{10 * time.Second, minute, 10 * minute, hour}, 0, "enabled"},
		"002.14: eleven requests, an hour apart":       {"ewarehousing", "production", receivertest.Status(500), repeated(hour, 10), 0, "enabled"},
		"002.12: a redirect fails and is not followed": {"ewarehousing", "sandbox", receivertest.Redirect(elsewhere.URL()), repeated(hour, 10), 0, "enabled"},
		"003.7: production goes every 30 minutes":      {"shiip", "production", receivertest.Status(500), repeated(30*minute, 10), 30 * minute, "enabled"},
		"003.7: sandbox goes every 5 minutes":          {"shiip", "sandbox", receivertest.Status(500), repeated(5*minute, 10), 5 * minute, "enabled"},
	}
	for name, p := range promises {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.check(t, g.client())
		})
	}
	t.Cleanup(func() {
		if n := elsewhere.Len(); n != 0 {
			t.Errorf("a redirect was followed %d times", n)
		}
	})
}

func (p promise) check(t *testing.T, c *client.Client) {
	t.Helper()
	r := startReceiver(t, receivertest.Options{Name: p.contract, Accepted: p.answer})
	topic := "promise." + p.contract
	hook, err := c.RegisterWebhook(t.Context(), api.WebhookCreate{
		URL: r.URL(), Events: []string{topic}, Contract: p.contract, Environment: p.environment, Secret: promiseSecret,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Publish(t.Context(), api.EventCreate{Type: topic, Environment: p.environment, Data: json.RawMessage(`{"object":{"id":"1"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	want := len(p.gaps) + 1
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.WaitFor(ctx, want); err != nil {
		t.Fatal(err)
	}
	quiet, cancel := context.WithTimeout(t.Context(), 3*time.Second) // more than an hour and a half, scaled
	defer cancel()
	if r.WaitFor(quiet, want+1) == nil {
		t.Errorf("a request more than the %d that were promised", want)
	}
	p.checkTimes(t, r.Requests())
	after, err := c.Webhook(t.Context(), hook.ID)
	if err != nil {
		t.Fatal(err)
	}
	if after.Status != p.status {
		t.Errorf("the webhook is %s, want %s", after.Status, p.status)
	}
}

// late is how much later than promised a request may come on a busy machine.
const late = 1500 * time.Millisecond

func (p promise) checkTimes(t *testing.T, requests []receivertest.Request) {
	t.Helper()
	for i, request := range requests {
		if !bytes.Equal(request.Body, requests[0].Body) || request.EventID != requests[0].EventID {
			t.Errorf("request %d differs from the first in body or id (trap 11)", i+1)
		}
		if tick := p.tick / scale; tick > 0 {
			if past := request.At.Sub(request.At.Truncate(tick)); past > tick/2 && tick > time.Second/2 {
				t.Errorf("request %d came %v after a tick", i+1, past)
			}
			continue // a late one takes the tick after
		}
		if i == 0 {
			continue
		}
		gap, promised := request.At.Sub(requests[i-1].At), p.gaps[i-1]/scale
		if gap < promised-5*time.Millisecond || gap > promised*11/10+late {
			t.Errorf("request %d came %v after the one before, want %v", i+1, gap, promised)
		}
	}
}

// TestTheSeedsTimeLimitsHoldInTheRealProgram measures how long each contract waits for an answer that
// never comes. Time limits are not scaled.
func TestTheSeedsTimeLimitsHoldInTheRealProgram(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.start()
	for contract, limit := range map[string]time.Duration{
		"generic":      5 * time.Second,  // 004.1
		"xemelgo":      5 * time.Second,  // 000.13
		"ewarehousing": 10 * time.Second, // 002.13
		"shiip":        30 * time.Second, // 003.5
	} {
		t.Run(contract, func(t *testing.T) {
			t.Parallel()
			r := startReceiver(t, receivertest.Options{Name: contract, Accepted: receivertest.Hang()})
			c := g.client()
			hook, err := c.RegisterWebhook(t.Context(), api.WebhookCreate{URL: r.URL(), Events: []string{"*"}, Contract: contract, Secret: promiseSecret})
			if err != nil {
				t.Fatal(err)
			}
			result, err := c.TestWebhook(t.Context(), hook.ID, "order.created")
			if err != nil {
				t.Fatal(err)
			}
			took := time.Duration(result.DurationMS * float64(time.Millisecond))
			if result.Delivered || result.Code != "timeout" || took < limit || took > limit+2*time.Second {
				t.Errorf("outcome %s after %v, want timeout after %v", result.Code, took, limit)
			}
		})
	}
}

func startReceiver(t *testing.T, o receivertest.Options) *receivertest.Receiver {
	t.Helper()
	r, err := receivertest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
