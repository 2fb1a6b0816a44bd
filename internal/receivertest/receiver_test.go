package receivertest_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/receivertest"
)

func start(t *testing.T, o receivertest.Options) (*receivertest.Receiver, *http.Client) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	r, err := receivertest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(r.Close)
	return r, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func send(client *http.Client, url string, header map[string]string, body []byte) (int, string, error) {
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, string(text), err
}

func mac(key, message string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(h, message)
	return h.Sum(nil)
}

func TestEachContractsReceiverTakesItsSignatureAndRefusesAChangedBody(t *testing.T) {
	const secret = "a secret that has more than 24 characters"
	key := []byte("0123456789abcdef0123456789abcdef")
	now := strconv.FormatInt(time.Now().Unix(), 10)
	for _, test := range []struct {
		contract, secret, body string
		header                 func(body string) map[string]string
		good, bad              int
		answer                 string
	}{
		{"xemelgo", secret, `{"id":"1","eventTimestamp":1,"topic":"a.b","data":{}}`, func(body string) map[string]string {
			return map[string]string{"Xemelgo-Signature": "sha256=" + hex.EncodeToString(mac(secret, body))}
		}, 200, 401, `{"received":true}`},
		{"ewarehousing", secret, `{"group":"order"}`, func(body string) map[string]string {
			return map[string]string{"X-Hmac-Sha256": base64.StdEncoding.EncodeToString(mac(secret, body)), "X-Webhook-Id": "1"}
		}, 200, 401, ""},
		{"shiip", secret, `{"id":"1"}`, func(body string) map[string]string {
			return map[string]string{"X-Signature": hex.EncodeToString(mac(secret, body))}
		}, 200, 403, "Valid signature"},
		{"generic", secret, `{"id":"1","type":"a","created_at":"","data":{"object":{}},"previous_data":null}`, func(body string) map[string]string {
			return map[string]string{"X-Webhook-Signature": hex.EncodeToString(mac(secret, body))}
		}, 200, 401, `{"status":"received"}`},
		{"standard", "whsec_" + base64.StdEncoding.EncodeToString(key), `{"type":"a"}`, func(body string) map[string]string {
			signature := base64.StdEncoding.EncodeToString(mac(string(key), "1."+now+"."+body))
			return map[string]string{"Webhook-Id": "1", "Webhook-Timestamp": now, "Webhook-Signature": "v1,AAAA v1," + signature}
		}, 204, 401, ""},
	} {
		t.Run(test.contract, func(t *testing.T) {
			o, err := receivertest.For(test.contract, test.secret)
			if err != nil {
				t.Fatal(err)
			}
			r, client := start(t, o)
			status, text, err := send(client, r.URL(), test.header(test.body), []byte(test.body))
			if err != nil || status != test.good || text != test.answer {
				t.Errorf("a good request: %d %q %v", status, text, err)
			}
			changed := []byte(test.body)
			changed[len(changed)-2] ^= 1
			if status, _, err := send(client, r.URL(), test.header(test.body), changed); err != nil || status != test.bad {
				t.Errorf("a changed body: %d %v", status, err)
			}
			if status, _, err := send(client, r.URL(), nil, []byte(test.body)); err != nil || status != test.bad {
				t.Errorf("no signature: %d %v", status, err)
			}
			got := r.Requests()
			if len(got) != 3 || got[0].Fault != nil || got[1].Fault == nil || got[2].Fault == nil || !bytes.Equal(got[1].Body, changed) {
				t.Errorf("recorded %+v", got)
			}
			if r.Count("1") != 1 || r.Verified() != 1 || r.Len() != 3 {
				t.Errorf("count %d, verified %d, len %d", r.Count("1"), r.Verified(), r.Len())
			}
		})
	}
	if _, err := receivertest.For("nobody", ""); err == nil {
		t.Error("a receiver of an unknown contract")
	}
}

func TestScriptIsAnsweredInOrderAndThenTheOptionsApply(t *testing.T) {
	r, client := start(t, receivertest.Options{Name: "any"})
	r.Script(receivertest.Status(503), receivertest.RetryAfter(429, "7"), receivertest.Redirect("http://x.invalid/"),
		receivertest.Drop(), receivertest.Answer{Manner: receivertest.Reset}, receivertest.Delayed(202, time.Millisecond))
	var got []string
	for range 7 {
		status, _, err := send(client, r.URL(), nil, []byte(`{}`))
		if err != nil {
			got = append(got, "broken")
			continue
		}
		got = append(got, strconv.Itoa(status))
	}
	if want := "[503 429 307 broken broken 202 200]"; fmt.Sprint(got) != want {
		t.Errorf("answers %v, want %s", got, want)
	}
	if r.Len() != 7 {
		t.Errorf("%d requests were recorded", r.Len())
	}
}

func TestWaitForEndsWithTheRequestOrTheContext(t *testing.T) {
	r, client := start(t, receivertest.Options{})
	sent := make(chan error, 1)
	go func() {
		_, _, err := send(client, r.URL(), map[string]string{"X-Webhook-Id": "e"}, []byte(`{}`))
		sent <- err
	}()
	if err := r.WaitForEvents(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if err := r.WaitFor(ctx, 2); !errors.Is(err, enough) {
		t.Errorf("waited: %v", err)
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	r, err := receivertest.Start(receivertest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.Script(receivertest.Hang(), receivertest.Answer{Manner: receivertest.Endless})
	broken := make(chan error, 2)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 2 {
		go func() {
			response, err := client.Post(r.URL(), "application/json", http.NoBody)
			if err == nil {
				_, err = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
			broken <- err
		}()
	}
	if err := r.WaitFor(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r.Close()
	for range 2 {
		if err := <-broken; err == nil {
			t.Error("a request that hung ended well")
		}
	}
}
