package deliver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/signature"
)

const (
	oldSecret = "whsec_b2xkIHNlY3JldCwgb2xkIHNlY3JldCwgb2xkISE="
	newSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// signers names the secrets whose signatures a request carries, by header.
func (w *world) signers(contractName string, a arrival) map[string]string {
	w.t.Helper()
	header := make(http.Header)
	for _, field := range a.header {
		header.Add(field.Name, field.Value)
	}
	events, err := w.store.Events(context.Background(), w.tenant, store.EventFilter{Limit: 1000, WithData: true})
	if err != nil {
		w.t.Fatal(err)
	}
	var event *postrider.Event
	for _, e := range events {
		if e.PublicID() == header.Get("webhook-id") {
			event = e
		}
	}
	c, _ := w.contracts.Find(contractName)
	found := make(map[string]string)
	for _, scheme := range c.Schemes() {
		var by []string
		for name, secret := range map[string]string{"new": newSecret, "old": oldSecret} {
			one := &postrider.Endpoint{Secrets: []postrider.Secret{postrider.NewSecret(secret)}}
			verifier, err := signature.NewVerifier(scheme, one.Secrets)
			if err != nil {
				w.t.Fatal(err)
			}
			if verifier.Verify(header, w.bodyOf(contractName, one, event, a.at), a.at) == nil {
				by = append(by, name)
			}
		}
		if len(by) == 2 {
			by = []string{"new and old"}
		}
		found[scheme.Header] = strings.Join(by, " ")
	}
	return found
}

// bodyOf makes the body of an event again, which no secret changes.
func (w *world) bodyOf(contractName string, e *postrider.Endpoint, event *postrider.Event, at time.Time) []byte {
	w.t.Helper()
	c, _ := w.contracts.Find(contractName)
	renderer, err := c.NewRenderer(e)
	if err != nil {
		w.t.Fatal(err)
	}
	var request contract.Request
	if err := renderer.Render(&request, event, at); err != nil {
		w.t.Fatal(err)
	}
	return request.Body
}

func TestARotationSignsWithBothWhereItCanAndWithTheNewSecretAfterItsEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		began := time.Now()
		e := w.endpoint("generic", status(200), func(e *postrider.Endpoint) { e.Secrets = []postrider.Secret{postrider.NewSecret(oldSecret)} })
		w.start()
		var got []map[string]string
		send := func(n int) {
			w.publish(n)
			w.after(time.Second)
			arrivals := w.receivers.arrived(e)
			got = append(got, w.signers("generic", arrivals[len(arrivals)-1]))
		}
		send(1)
		rotation := &postrider.SecretRotation{Next: postrider.NewSecret(newSecret), StartedAt: time.Now(), Until: began.Add(24 * time.Hour)}
		w.update(e, store.EndpointPatch{Rotation: &rotation})
		send(2)
		w.after(24*time.Hour - 4*time.Second)
		send(3) // two seconds before the end
		calls := 0
		before := w.store.FailWith(func(string) error { calls++; return nil })
		<-time.After(time.Until(began.Add(24 * time.Hour)))
		synctest.Wait()
		w.store.FailWith(before)
		send(4) // at the very end
		w.after(time.Hour)
		send(5)

		only := func(who string) map[string]string {
			return map[string]string{"X-Webhook-Signature": who, "webhook-signature": who}
		}
		both := map[string]string{"X-Webhook-Signature": "old", "webhook-signature": "new and old"}
		if diff := cmp.Diff([]map[string]string{only("old"), both, both, only("new"), only("new")}, got); diff != "" {
			t.Errorf("who signed (-want +got):\n%s", diff)
		}
		if calls != 0 {
			t.Errorf("the end of a rotation cost %d calls of the store, want none", calls)
		}
	})
}

func TestWhatAnEndpointAsksForIsSentAndIsNotInTheRecord(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(500), func(e *postrider.Endpoint) {
			e.Auth = postrider.EndpointAuth{
				OAuth:   &postrider.OAuthClient{TokenURL: "https://auth.example/token", ClientID: "id", ClientSecret: postrider.NewSecret("canary-client")},
				Headers: []postrider.SecretHeader{{Name: "X-Api-Key", Value: postrider.NewSecret("canary-key")}},
			}
		})
		w.start()
		id := w.publish(1)
		w.after(10 * time.Minute)
		description := "changed, but not in what it asks for"
		w.update(e, store.EndpointPatch{Description: &description})
		w.after(10 * time.Hour)
		arrivals := w.receivers.arrived(e)
		for i, a := range arrivals {
			if a.asked == nil || a.asked != arrivals[0].asked {
				t.Errorf("request %d does not use the first one's credentials, and so not its token", i)
			}
		}
		w.update(e, store.EndpointPatch{Auth: &postrider.EndpointAuth{}})
		w.receivers.answer(e, status(200))
		enabled := postrider.EndpointEnabled
		w.update(e, store.EndpointPatch{State: &enabled})
		w.publish(2)
		w.after(time.Second)
		arrivals = w.receivers.arrived(e)
		if last := arrivals[len(arrivals)-1]; last.asked != nil {
			t.Error("an endpoint that asks for nothing any more still gets credentials")
		}
		attempts, err := w.store.Attempts(context.Background(), w.tenant, w.delivery(id).ID)
		if err != nil || len(attempts) != 6 {
			t.Fatalf("%d attempts, %v", len(attempts), err)
		}
		for _, attempt := range attempts {
			shown := make(map[string]string)
			for _, field := range attempt.Request.Header {
				shown[field.Name] = field.Value
			}
			if shown["Authorization"] != "[secret]" || shown["X-Api-Key"] != "[secret]" || shown["X-Webhook-Signature"] == "" {
				t.Errorf("the record of attempt %d shows %v", attempt.Number, shown)
			}
		}
	})
}

func TestATokenThatCannotBeHadIsAFailedAttempt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("xemelgo", func(_ context.Context, nth int) egress.Result {
			if nth <= 2 {
				return egress.Result{Failure: postrider.OutcomeToken, Detail: "no token from auth.example: it answered 500 Internal Server Error"}
			}
			return answered(200)
		})
		w.start()
		id := w.publish(1)
		w.after(100 * time.Hour)
		d := w.delivery(id)
		attempts, err := w.store.Attempts(context.Background(), w.tenant, d.ID)
		if err != nil || d.State != postrider.DeliverySucceeded || len(attempts) != 3 {
			t.Fatalf("%s after %d attempts (%v) at %s", d.State, len(attempts), err, host(e))
		}
		want := postrider.Outcome{Kind: postrider.OutcomeRetryable, Code: postrider.OutcomeToken, Detail: "no token from auth.example: it answered 500 Internal Server Error"}
		if diff := cmp.Diff(want, attempts[0].Outcome); diff != "" {
			t.Errorf("A000-9 (-want +got):\n%s", diff)
		}
	})
}

func TestACertificateThatCannotBeReadIsToldInEveryAttempt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		e := w.endpoint("generic", status(200), func(e *postrider.Endpoint) {
			e.Auth.Certificate = &postrider.ClientCertificate{Chain: "none", Key: postrider.NewSecret("canary")}
		})
		w.start()
		id := w.publish(1)
		w.after(time.Second)
		attempts, err := w.store.Attempts(context.Background(), w.tenant, w.delivery(id).ID)
		if err != nil || len(attempts) == 0 {
			t.Fatal(err)
		}
		if o := attempts[0].Outcome; o.Code != postrider.OutcomeContract || !strings.Contains(o.Detail, "auth.client_certificate: the certificate cannot be used") {
			t.Errorf("outcome %+v", o)
		}
		if got := len(w.receivers.arrived(e)); got != 0 {
			t.Errorf("%d requests were sent without it", got)
		}
	})
}
