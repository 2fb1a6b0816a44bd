package demo

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/contract"
)

func TestTheDemoVerifiesEveryDeliveryAndEndsByItself(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Out: &out, Once: true}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	text := out.String()
	for _, name := range []string{"generic", "standard", "xemelgo", "ewarehousing", "shiip", "stumbling"} {
		found := false
		for line := range strings.Lines(text) {
			found = found || strings.Contains(line, "  "+name+" ") && strings.Contains(line, "verified, ") && strings.Contains(line, "after it was published")
		}
		if !found {
			t.Errorf("no delivery to %s was verified", name)
		}
	}
	if !strings.Contains(text, "answered 503 to be sent again") || strings.Contains(text, "NOT VERIFIED") {
		t.Errorf("the story is not as told:\n%s", text)
	}
}

func TestTheDemoRunsOnUntilItIsStoppedAndSaysWhatToTry(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{word: "Ctrl-C ends the demo", seen: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, Options{Out: out, Program: "./bin/postrider"}) }()
	select {
	case <-out.seen:
	case err := <-ended:
		t.Fatalf("it ended too early: %v\n%s", err, out)
	case <-time.After(patience):
		t.Fatalf("it did not come to what to try next:\n%s", out)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stopping it failed: %v", err)
	}
	if !strings.Contains(out.String(), "./bin/postrider send --type order.created") {
		t.Errorf("the lines to copy do not call the program as it was called:\n%s", out)
	}
}

func TestEveryBuiltInContractHasAReceiver(t *testing.T) {
	played := make(map[string]bool)
	for _, sub := range subscriptions() {
		played[sub.contract] = true
	}
	for _, c := range contract.Builtin() {
		if _, found := verifierOf(c.Name()); !found || !played[c.Name()] {
			t.Errorf("contract %s has no receiver in the demo", c.Name())
		}
	}
}

// The signatures were computed with openssl:
//
//	printf '%s' "$body" | openssl dgst -sha256 -hmac "$secret" -hex    (or -binary | base64)
func TestReceiversTakeWhatTheSeedsCodeTakesAndNothingElse(t *testing.T) {
	const secret, body = "a-secret-of-more-than-24-characters", `{"id":"e1","eventTimestamp":1765572297000,"topic":"a.b","data":{}}`
	const hexSum, base64Sum = "a8d9a7b661c8899c0cefd477ea57f1f6067a76469bfca6aa8ca21f65724fc937", "qNmntmHIiZwM79R36lfx9gZ6dkab/KaqjKIfZXJPyTc="
	for _, c := range []struct {
		contract, header, value string
		good                    bool
	}{
		{"xemelgo", "xemelgo-signature", "sha256=" + hexSum, true},
		{"xemelgo", "xemelgo-signature", "SHA256=" + hexSum, false},
		{"xemelgo", "xemelgo-signature", hexSum, false},
		{"xemelgo", "xemelgo-signature", "", false},
		{"ewarehousing", "X-Hmac-SHA256", base64Sum, true},
		{"ewarehousing", "X-Hmac-SHA256", hexSum, false},
		{"ewarehousing", "X-Hmac-SHA256", strings.TrimRight(base64Sum, "="), false},
		{"shiip", "X-Signature", hexSum, true},
		{"shiip", "X-Signature", strings.ToUpper(hexSum), false},
		{"shiip", "X-Signature", "sha256=" + hexSum, false},
		{"generic", "X-Webhook-Signature", hexSum, false}, // signed, but not seed 004's envelope
		{"standard", "webhook-signature", "v1," + base64Sum, false},
	} {
		verify, _ := verifierOf(c.contract)
		header := http.Header{"Content-Type": {"application/json"}}
		header.Set(c.header, c.value)
		_, _, err := verify(secret, header, []byte(body))
		if (err == nil) != c.good {
			t.Errorf("%s with %s: %s gave %v", c.contract, c.header, c.value, err)
		}
		if _, _, err := verify(secret, header, []byte(strings.Replace(body, "e1", "e2", 1))); err == nil {
			t.Errorf("%s took a body that was changed on the way", c.contract)
		}
	}
}

// watched is a buffer for two goroutines that tells when a word was written.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	word string
	seen chan struct{}
	told bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if !w.told && strings.Contains(w.text.String(), w.word) {
		w.told = true
		close(w.seen)
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
