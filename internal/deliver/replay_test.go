package deliver_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/ingest"
	"github.com/postrider/postrider/internal/receivertest"
	"github.com/postrider/postrider/internal/store"
)

// publishIn accepts an event whose data carries n in an environment.
func (w *world) publishIn(environment postrider.Environment, n int) {
	w.t.Helper()
	_, err := w.ingester.Publish(context.Background(), &ingest.Publication{
		Tenant: w.tenant, Environment: environment, Topic: "shipment.status_updated", Data: fmt.Appendf(nil, `{"n":%d}`, n),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// verifyAsSeed003 holds every request that an endpoint got against the receiver of seed 003.
func (w *world) verifyAsSeed003(e *postrider.Endpoint, secret string) {
	w.t.Helper()
	for _, a := range w.receivers.arrived(e) {
		header := http.Header{}
		for _, field := range a.header {
			header.Add(field.Name, field.Value)
		}
		// The body is the published bytes alone.
		if err := receivertest.Shiip(secret).Verify(header, fmt.Appendf(nil, `{"n":%d}`, a.n)); err != nil || header.Get("Content-Type") != "application/json" {
			w.t.Errorf("event %d: %v, header %v", a.n, err, header)
		}
	}
}

// TestAnApplicationsEventsGoInRoundsInOrderToTheURLOfThatTime is seed 003: every 30 minutes in production and
// every 5 in the sandbox (003.7), one POST an event in order (A003-2), and an URL that is changed while
// events wait gets them (A003-9).
func TestAnApplicationsEventsGoInRoundsInOrderToTheURLOfThatTime(t *testing.T) {
	for environment, every := range map[postrider.Environment]time.Duration{postrider.Production: 30 * time.Minute, postrider.Sandbox: 5 * time.Minute} {
		t.Run(string(environment), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.start()
				begin := time.Now() // midnight: a tick
				const secret = "an application's secret"
				setting := func(e *postrider.Endpoint) {
					e.Environment, e.Topics = environment, []postrider.Topic{"*"}
					e.Secrets = []postrider.Secret{postrider.NewSecret(secret)}
				}
				e := w.endpoint("shiip", status(200), setting)
				w.after(time.Second)
				for n := range 40 {
					w.publishIn(environment, n)
					w.after(time.Second)
				}
				if got := w.receivers.offsets(e, begin); len(got) != 0 {
					t.Fatalf("before the tick %d requests came in", len(got))
				}
				// The URL changes while they wait: a receiver stands there that counts on its own.
				moved := *e
				moved.ID = postrider.NewEndpointID(time.Now())
				w.receivers.answer(&moved, status(200))
				url := "https://" + host(&moved) + "/webhook"
				w.update(e, store.EndpointPatch{URL: &url})
				w.after(every - time.Since(begin) + time.Second)
				if old := w.receivers.offsets(e, begin); len(old) != 0 {
					t.Errorf("%d requests went to the old URL", len(old))
				}
				var order []int
				for _, a := range w.receivers.arrived(&moved) {
					order = append(order, a.n)
					if at := a.at.Sub(begin); at < every || at > every+time.Second {
						t.Errorf("event %d went after %s, want %s", a.n, at, every)
					}
				}
				if len(order) != 40 || !slices.IsSorted(order) {
					t.Errorf("the order was %v", order)
				}
				if most := w.receivers.mostAtOnce(&moved); most != 1 {
					t.Errorf("%d requests were under way at the same time", most)
				}
				w.verifyAsSeed003(&moved, secret)

				// A restart neither loses nor hastens the next round (A003-1).
				w.publishIn(environment, 40)
				w.crash()
				w.start()
				w.after(every / 2)
				if n := len(w.receivers.arrived(&moved)); n != 40 {
					t.Errorf("a restart made %d requests go early", n-40)
				}
				w.after(every / 2)
				if n := len(w.receivers.arrived(&moved)); n != 41 {
					t.Errorf("after the next round there were %d requests, want 41", n)
				}
			})
		})
	}
}

func TestAReplayGoesAgainWithTheSameIDAndSurvivesADeadProcess(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start()
		e := w.endpoint("generic", status(200))
		var sequences []int64
		for n := range 30 {
			w.publish(n)
		}
		w.after(time.Second)
		matches, err := w.store.ReplayMatches(t.Context(), w.tenant, e.ID, store.ReplayFilter{Topics: [][]postrider.Topic{{"order.*"}}, Limit: 1000})
		if err != nil || len(matches.Events) != 30 || matches.Pending != 0 {
			t.Fatalf("%+v %v", matches, err)
		}
		sequences = matches.Events
		now := time.Now()
		made, err := w.store.Replay(t.Context(), w.tenant, e.ID, sequences[:20], now, now)
		if err != nil || made != 20 {
			t.Fatal(made, err)
		}
		w.crash() // before anybody woke the engine
		w.start()
		w.after(time.Second)
		again := w.receivers.numbers(e)
		for n := range 30 {
			want := 1
			if n < 20 {
				want = 2
			}
			if again[n] != want {
				t.Errorf("event %d came in %d times, want %d", n, again[n], want)
			}
		}
		ids := map[int]map[string]bool{}
		for _, a := range w.receivers.arrived(e) {
			for _, field := range a.header {
				if field.Name == "webhook-id" {
					if ids[a.n] == nil {
						ids[a.n] = map[string]bool{}
					}
					ids[a.n][field.Value] = true
				}
			}
		}
		for n := range 30 {
			if len(ids[n]) != 1 {
				t.Errorf("event %d came in under the ids %v", n, ids[n])
			}
		}
		// Woken, the rest goes at once.
		if _, err := w.store.Replay(t.Context(), w.tenant, e.ID, sequences[20:], time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		w.engine.Wake(e.ID)
		w.after(time.Millisecond * 100)
		if counts := w.states(); counts[postrider.DeliverySucceeded] != 60 || len(counts) != 1 {
			t.Errorf("the deliveries are %v", counts)
		}
	})
}

func TestAReplayUnderADispatchRhythmWaitsForItsRound(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.start()
		begin := time.Now()
		e := w.endpoint("shiip", status(200))
		w.after(time.Second)
		event := w.publish(1)
		w.after(40 * time.Minute) // it went at 30
		terms, _ := w.contracts.Find("shiip")
		now := time.Now()
		due := terms.FirstDue(postrider.Production, now)
		if _, err := w.store.ReplayEvent(t.Context(), w.tenant, event, []store.Owed{{Endpoint: e.ID, DueAt: due}}, now); err != nil {
			t.Fatal(err)
		}
		w.engine.Wake(e.ID)
		w.after(time.Hour)
		got := w.receivers.offsets(e, begin)
		if len(got) != 2 || got[0].Round(time.Second) != 30*time.Minute || got[1].Round(time.Second) != time.Hour {
			t.Errorf("requests went after %v, want 30m and 1h", got)
		}
	})
}
