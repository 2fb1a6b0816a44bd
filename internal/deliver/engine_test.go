package deliver_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/store"
)

func TestAnEventIsDeliveredAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(200))
		w.start()
		began := time.Now()
		id := w.publish(1)
		synctest.Wait()
		if got := w.receivers.offsets(e, began); len(got) != 1 || got[0] != 0 {
			t.Errorf("requests after %v, want one after 0s", got)
		}
		d := w.delivery(id)
		if d.State != postrider.DeliverySucceeded || d.Attempts != 1 {
			t.Errorf("the delivery is %s after %d attempts, want succeeded after 1", d.State, d.Attempts)
		}
	})
}

func TestAFailingEndpointIsTriedByItsContractsSchedule(t *testing.T) {
	const minute, hour = time.Minute, time.Hour
	tests := []struct {
		contract string
		want     []time.Duration // since the event
		disables bool
		source   string
	}{
		{"generic", []time.Duration{0, 0, minute, 6 * minute, 36 * minute, 156 * minute}, true, "004.14, A004-1, A004-2"},
		{"ewarehousing", []time.Duration{0, hour, 2 * hour, 3 * hour, 4 * hour, 5 * hour, 6 * hour, 7 * hour, 8 * hour, 9 * hour, 10 * hour}, false, "002.14, A002-6"},
	}
	for _, test := range tests {
		t.Run(test.contract, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				e := w.endpoint(test.contract, status(500))
				w.start()
				began := time.Now()
				id := w.publish(1)
				w.after(30 * 24 * time.Hour)
				if diff := cmp.Diff(test.want, w.receivers.offsets(e, began)); diff != "" {
					t.Errorf("%s: times of the attempts (-want +got):\n%s", test.source, diff)
				}
				if d := w.delivery(id); d.State != postrider.DeliveryFailed || d.Attempts != len(test.want) {
					t.Errorf("the delivery is %s after %d attempts", d.State, d.Attempts)
				}
				after, err := w.store.FindEndpoint(context.Background(), w.tenant, e.ID)
				if err != nil {
					t.Fatal(err)
				}
				if disabled := after.State == postrider.EndpointDisabled; disabled != test.disables {
					t.Errorf("the endpoint is %s, want disabled: %v", after.State, test.disables)
				}
			})
		})
	}
}

func TestAScheduleGoesOnAfterARestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("ewarehousing", status(500))
		w.start()
		began := time.Now()
		w.publish(1)
		w.after(90 * time.Minute)
		if err := w.stop(time.Minute); err != nil {
			t.Fatal(err)
		}
		w.after(10 * time.Minute)
		w.start()
		w.after(100 * time.Hour)
		var want []time.Duration
		for i := range 11 {
			want = append(want, time.Duration(i)*time.Hour)
		}
		if diff := cmp.Diff(want, w.receivers.offsets(e, began)); diff != "" {
			t.Errorf("times of the attempts (-want +got):\n%s", diff)
		}
	})
}

func TestADispatchRhythmWaitsForTheTickAndKeepsTheOrder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("shiip", slow(time.Second, 200))
		w.start()
		midnight := time.Now()
		w.after(7 * time.Minute)
		for n := range 5 {
			w.publish(n)
			w.after(time.Second)
		}
		w.after(time.Hour)
		want := []time.Duration{1800e9, 1801e9, 1802e9, 1803e9, 1804e9}
		if diff := cmp.Diff(want, w.receivers.offsets(e, midnight)); diff != "" {
			t.Errorf("003.7, A003-2: times of the requests (-want +got):\n%s", diff)
		}
		for i, a := range w.receivers.arrived(e) {
			if a.n != i {
				t.Errorf("request %d carried event %d", i, a.n)
			}
		}
	})
}

func TestAHangingEndpointDelaysNobodyElse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.options.MaxSenders = 64
		for range 3 {
			w.endpoint("generic", slow(time.Hour, 200))
		}
		healthy := w.endpoint("generic", slow(10*time.Millisecond, 200))
		w.start()
		for n := range 200 {
			w.publish(n)
			w.after(20 * time.Millisecond)
		}
		began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		for i, at := range w.receivers.offsets(healthy, began) {
			if want := time.Duration(i) * 20 * time.Millisecond; at != want {
				t.Fatalf("event %d arrived after %v, want %v", i, at, want)
			}
		}
		if got := len(w.receivers.arrived(healthy)); got != 200 {
			t.Errorf("%d of 200 arrived", got)
		}
	})
}

func TestALaneNeverExceedsItsInFlightLimit(t *testing.T) {
	tests := map[string]struct {
		contract string
		limit    int
		want     int
	}{
		"the engine's default":  {"generic", 0, 16},
		"the endpoint's own":    {"generic", 3, 3},
		"the contract's, 003":   {"shiip", 0, 1},
		"more than the default": {"generic", 40, 40},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				e := w.endpoint(test.contract, slow(time.Second, 200), func(e *postrider.Endpoint) { e.MaxInFlight = test.limit })
				w.start()
				for n := range 400 {
					w.publish(n)
				}
				w.after(2 * time.Hour)
				if got := w.receivers.mostAtOnce(e); got != test.want {
					t.Errorf("%d requests at the same time, want %d", got, test.want)
				}
				if got := len(w.receivers.arrived(e)); got != 400 {
					t.Errorf("%d of 400 arrived", got)
				}
			})
		})
	}
}

func TestARateLimitIsNeverExceeded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(200), func(e *postrider.Endpoint) { e.RateLimit, e.RateBurst = 10, 5 })
		w.start()
		for n := range 300 {
			w.publish(n)
		}
		w.after(time.Minute)
		arrivals := w.receivers.arrived(e)
		if len(arrivals) != 300 {
			t.Fatalf("%d of 300 arrived", len(arrivals))
		}
		for i := range arrivals {
			if i >= 15 && arrivals[i].at.Sub(arrivals[i-15].at) < time.Second-time.Millisecond {
				t.Fatalf("more than burst and rate allow: requests %d to %d within %v", i-15, i, arrivals[i].at.Sub(arrivals[i-15].at))
			}
		}
		if took := arrivals[299].at.Sub(arrivals[0].at); took > 30*time.Second {
			t.Errorf("300 requests at 10 a second took %v", took)
		}
	})
}

func TestABacklogIsKeptInTheStoreAndDrained(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.options.LaneDepth = 32
		e := w.endpoint("generic", slow(5*time.Millisecond, 200))
		w.start()
		for n := range 3000 {
			w.publish(n)
		}
		w.after(time.Minute)
		numbers := w.receivers.numbers(e)
		if len(numbers) != 3000 {
			t.Errorf("%d of 3000 arrived", len(numbers))
		}
		for n, times := range numbers {
			if times != 1 {
				t.Errorf("event %d arrived %d times", n, times)
			}
		}
	})
}

func TestAPausedEndpointKeepsItsEventsAndResumeSendsThem(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(200))
		w.start()
		paused, enabled := postrider.EndpointPaused, postrider.EndpointEnabled
		w.update(e, store.EndpointPatch{State: &paused})
		for n := range 500 {
			w.publish(n)
		}
		w.after(time.Hour)
		if got := len(w.receivers.arrived(e)); got != 0 {
			t.Fatalf("%d requests while it was paused", got)
		}
		w.update(e, store.EndpointPatch{State: &enabled})
		w.after(time.Second)
		if got := sortedKeys(w.receivers.numbers(e)); len(got) != 500 {
			t.Errorf("%d of 500 arrived", len(got))
		}
	})
}

func TestADeletedEndpointGetsNothingMoreAndItsDeliveriesAreCancelled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(500))
		w.start()
		for n := range 1200 {
			w.publish(n)
		}
		w.after(30 * time.Second)
		w.remove(e)
		before := len(w.receivers.arrived(e))
		w.after(48 * time.Hour)
		if got := len(w.receivers.arrived(e)); got != before {
			t.Errorf("001.11: %d requests after it was unregistered", got-before)
		}
		if got := w.states(); got[postrider.DeliveryCancelled] != 1200 {
			t.Errorf("states %v, want 1200 cancelled", got)
		}
	})
}

func TestADisabledEndpointKeepsItsPendingDeliveriesUntilItIsEnabled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(500))
		w.start()
		w.publish(0)
		w.after(155 * time.Minute)
		w.publish(1)
		w.after(48 * time.Hour)
		before := len(w.receivers.arrived(e))
		if got := w.states(); got[postrider.DeliveryFailed] != 1 || got[postrider.DeliveryPending] != 1 {
			t.Fatalf("A004-4: states %v, want one failed and one pending", got)
		}
		id := w.publish(2)
		event, err := w.store.FindEvent(context.Background(), w.tenant, "", id.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]postrider.Reason{{Endpoint: e.ID, Code: postrider.ReasonEndpointDisabled}}, event.Reasons); diff != "" {
			t.Errorf("reasons of an event accepted meanwhile (-want +got):\n%s", diff)
		}
		w.receivers.answer(e, status(200))
		enabled := postrider.EndpointEnabled
		w.update(e, store.EndpointPatch{State: &enabled})
		w.after(time.Minute)
		if got := w.states(); got[postrider.DeliverySucceeded] != 1 {
			t.Errorf("states %v after it was enabled, want the pending one succeeded", got)
		}
		if got := len(w.receivers.arrived(e)) - before; got != 1 {
			t.Errorf("%d requests after it was enabled, want 1", got)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", func(_ context.Context, nth int) egress.Result {
			if nth == 1 {
				result := answered(503)
				result.RetryAfter = "90"
				return result
			}
			return answered(200)
		})
		w.start()
		began := time.Now()
		w.publish(1)
		w.after(time.Hour)
		if diff := cmp.Diff([]time.Duration{0, 90 * time.Second}, w.receivers.offsets(e, began)); diff != "" {
			t.Errorf("times of the attempts (-want +got):\n%s", diff)
		}
	})
}

func TestAnOutcomeIsSettledHoweverOftenTheStoreFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(200))
		fails := 0
		w.store.FailWith(func(call string) error {
			if (call == "Settle" || call == "Settle done") && fails < 20 {
				fails++
				return errors.New("the disk is slow today")
			}
			return nil
		})
		w.start()
		for n := range 50 {
			w.publish(n)
		}
		w.after(10 * time.Minute)
		if got := w.states(); got[postrider.DeliverySucceeded] != 50 {
			t.Errorf("states %v, want 50 succeeded", got)
		}
		for n, times := range w.receivers.numbers(e) {
			if times != 1 {
				t.Errorf("event %d was sent %d times", n, times)
			}
		}
	})
}

func TestAFailedDeliveryCanBeTriedAgainByHandWithoutDisablingAnew(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("ewarehousing", status(500))
		w.start()
		id := w.publish(1)
		w.after(11 * time.Hour)
		d := w.delivery(id)
		if d.State != postrider.DeliveryFailed {
			t.Fatalf("the delivery is %s, want failed", d.State)
		}
		w.receivers.answer(e, status(204))
		if _, err := w.store.RetryDelivery(context.Background(), w.tenant, d.ID, time.Now()); err != nil {
			t.Fatal(err)
		}
		w.engine.Wake(e.ID)
		w.after(time.Second)
		if d = w.delivery(id); d.State != postrider.DeliverySucceeded || d.Attempts != 12 {
			t.Errorf("the delivery is %s after %d attempts, want succeeded after 12", d.State, d.Attempts)
		}
		attempts, err := w.store.Attempts(context.Background(), w.tenant, d.ID)
		if err != nil || attempts[11].Trigger != postrider.TriggerManual {
			t.Errorf("the last attempt's trigger is %q, want manual (%v)", attempts[len(attempts)-1].Trigger, err)
		}
	})
}

func TestTheStoreIsLeftAloneWhileNothingIsDue(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.endpoint("ewarehousing", status(500))
		w.start()
		w.publish(1)
		w.after(time.Minute)
		calls := 0
		w.store.FailWith(func(string) error { calls++; return nil })
		w.after(58 * time.Minute)
		if calls != 0 {
			t.Errorf("%d calls of the store in an hour without work", calls)
		}
		w.store.FailWith(nil)
	})
}

func TestStopLetsRequestsEndAndCutsThemOffAfterItsGrace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.endpoint("shiip", slow(20*time.Second, 200))
		w.start()
		id := w.publish(1)
		w.after(30*time.Minute + time.Second)
		if err := w.stop(25 * time.Second); err != nil {
			t.Errorf("a request of 20 s did not end within 25 s: %v", err)
		}
		if d := w.delivery(id); d.State != postrider.DeliverySucceeded {
			t.Errorf("the delivery is %s, want succeeded", d.State)
		}
		w.start()
		id = w.publish(2)
		w.after(30 * time.Minute)
		if err := w.stop(time.Second); err == nil {
			t.Error("a request was cut off and Stop did not say so")
		}
		if d := w.delivery(id); d.State != postrider.DeliveryPending || d.Attempts != 0 {
			t.Errorf("a cut-off delivery is %s after %d attempts, want pending after none", d.State, d.Attempts)
		}
		w.start()
		w.after(time.Minute)
		if d := w.delivery(id); d.State != postrider.DeliverySucceeded {
			t.Errorf("after a restart the delivery is %s, want succeeded", d.State)
		}
	})
}

func TestADeadEndpointIsProbedGentlyAndItsFirstEventRunsOutInTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(500))
		w.start()
		for n := range 2000 {
			w.publish(n)
		}
		w.after(160 * time.Minute)
		after, err := w.store.FindEndpoint(context.Background(), w.tenant, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if after.State != postrider.EndpointDisabled || after.DisabledReason != postrider.DisabledByExhausted {
			t.Errorf("004.15: after 160 minutes the endpoint is %s (%s), want disabled", after.State, after.DisabledReason)
		}
		if got := len(w.receivers.arrived(e)); got > 160*60 {
			t.Errorf("%d requests to a dead endpoint in 160 minutes", got)
		}
	})
}
