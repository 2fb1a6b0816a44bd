package contract_test

import (
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

var (
	occurred = time.Date(2025, 12, 12, 20, 44, 57, 123_000_000, time.UTC)
	eventID  = mustEventID("evt_01h455vb4pex5vsknk084sn02q")
)

const (
	whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	plain = "a signing secret of the tests"
)

func mustEventID(text string) postrider.EventID {
	id, err := postrider.ParseEventID(text)
	if err != nil {
		panic(err)
	}
	return id
}

func anEvent() *postrider.Event {
	return &postrider.Event{
		ID: eventID, Topic: "order.created", Environment: postrider.Production, OccurredAt: occurred,
		Data: []byte(`{"object":{"id":7,"name":"Zoë"}}`),
	}
}

func anEndpoint(secrets ...string) *postrider.Endpoint {
	e := &postrider.Endpoint{URL: "https://example.com/webhooks"}
	for _, secret := range secrets {
		e.Secrets = append(e.Secrets, postrider.NewSecret(secret))
	}
	return e
}

// builtin gives one built-in contract.
func builtin(t testing.TB, name string) *contract.Contract {
	t.Helper()
	set, err := contract.NewSet(contract.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	c, found := set.Find(name)
	if !found {
		t.Fatalf("no built-in contract %q", name)
	}
	return c
}

func render(t testing.TB, c *contract.Contract, event *postrider.Event, now time.Time, secrets ...string) contract.Request {
	t.Helper()
	return renderFor(t, c, anEndpoint(secrets...), event, now)
}

func renderFor(t testing.TB, c *contract.Contract, endpoint *postrider.Endpoint, event *postrider.Event, now time.Time) contract.Request {
	t.Helper()
	r, err := c.NewRenderer(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var request contract.Request
	if err := r.Render(&request, event, now); err != nil {
		t.Fatal(err)
	}
	return request
}

// The numbers that the seeds and the specification give, apart from the documents that repeat them.
func TestBuiltinNumbers(t *testing.T) {
	tests := []struct {
		name                string
		attempts            int
		timeout             time.Duration
		disables, supplied  bool
		inFlight            int
		production, sandbox bool // https
	}{
		{"generic", 6, 5 * time.Second, true, false, 0, true, false},
		{"standard", 10, 20 * time.Second, false, false, 0, true, false},
		{"xemelgo", 5, 5 * time.Second, false, true, 0, true, false},
		{"ewarehousing", 11, 10 * time.Second, false, false, 0, true, true},
		{"shiip", 11, 30 * time.Second, false, false, 1, true, false},
	}
	for i, c := range contract.Builtin() {
		test := tests[i]
		if c.Name() != test.name {
			t.Fatalf("contract %d is %q, want %q", i, c.Name(), test.name)
		}
		if c.MaxAttempts() != test.attempts || c.Timeout() != test.timeout || c.DisablesOnExhaustion() != test.disables ||
			c.SecretSuppliedByTenant() != test.supplied || c.MaxInFlight() != test.inFlight ||
			c.RequiresHTTPS(postrider.Production) != test.production || c.RequiresHTTPS(postrider.Sandbox) != test.sandbox ||
			c.ResponseLimit() != 64<<10 {
			t.Errorf("%s: %d attempts, %s, disables %v, supplied %v, in flight %d, https %v and %v, response %d", c.Name(), c.MaxAttempts(),
				c.Timeout(), c.DisablesOnExhaustion(), c.SecretSuppliedByTenant(), c.MaxInFlight(),
				c.RequiresHTTPS(postrider.Production), c.RequiresHTTPS(postrider.Sandbox), c.ResponseLimit())
		}
		again, err := contract.Parse(c.Source())
		if err != nil || again.Name() != c.Name() || len(c.Document().Summary) == 0 {
			t.Errorf("%s: the source does not parse again: %v", c.Name(), err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	data := []byte(`{"object":"`)
	for len(data) < 1022 {
		data = append(data, 'x')
	}
	data = append(data, '"', '}')
	for _, c := range contract.Builtin() {
		b.Run(c.Name(), func(b *testing.B) {
			r, err := c.NewRenderer(anEndpoint(whsec))
			if err != nil {
				b.Fatal(err)
			}
			event := anEvent()
			event.Data = data
			var request contract.Request
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Render(&request, event, occurred); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
