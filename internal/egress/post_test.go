package egress_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/egress"
)

// newClient is a client that may send to this machine, and that has left nothing behind when the
// test ends.
func newClient(t *testing.T, change func(*egress.Options)) *egress.Client {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	o := egress.Options{AllowPrivate: true}
	if change != nil {
		change(&o)
	}
	client, err := egress.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func post(t *testing.T, client *egress.Client, to string, change func(*egress.Request)) egress.Result {
	t.Helper()
	r := &egress.Request{
		URL:     parse(t, to),
		Header:  []postrider.HeaderField{{Name: "Content-Type", Value: "application/json"}},
		Body:    []byte(`{"id":"evt_1"}`),
		Timeout: 5 * time.Second,
	}
	if change != nil {
		change(r)
	}
	return client.Post(context.Background(), r)
}

func TestPostSendsWhatItWasGivenAndNothingElse(t *testing.T) {
	type seen struct {
		Method, URI, Host, Body string
		Header                  http.Header
	}
	got := make(chan seen, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Method, r.RequestURI, r.Host, string(body), r.Header}
		w.Header().Set("X-B", "2")
		w.Header().Set("X-A", "1")
		w.Header().Set("Date", "now")
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "taken")
	}))
	defer server.Close()
	client := newClient(t, nil)
	result := post(t, client, server.URL+"/hooks/a%2Fb?token=s", func(r *egress.Request) {
		r.Header = append(r.Header, postrider.HeaderField{Name: "xemelgo-signature", Value: "sha256=00"},
			postrider.HeaderField{Name: "Idempotency-Key", Value: "k"})
	})
	want := seen{
		Method: "POST", URI: "/hooks/a%2Fb?token=s", Host: strings.TrimPrefix(server.URL, "http://"), Body: `{"id":"evt_1"}`,
		Header: http.Header{
			"Content-Type": {"application/json"}, "Content-Length": {"14"}, "User-Agent": {"Postrider"},
			"Xemelgo-Signature": {"sha256=00"}, "Idempotency-Key": {"k"},
		},
	}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Error(diff)
	}
	if result.Failure != "" || result.Response.Status != 202 || string(result.Response.Body) != "taken" || result.Response.Truncated {
		t.Errorf("result %+v", result)
	}
	if diff := cmp.Diff([]postrider.HeaderField{
		{Name: "Content-Length", Value: "5"}, {Name: "Content-Type", Value: "text/plain"}, {Name: "Date", Value: "now"},
		{Name: "X-A", Value: "1"}, {Name: "X-B", Value: "2"},
	}, result.Response.Header); diff != "" {
		t.Error(diff)
	}
	if result.Response.RemoteAddr != want.Host {
		t.Errorf("remote address %q, want %q", result.Response.RemoteAddr, want.Host)
	}
	if result.Phases.Connect <= 0 || result.Phases.FirstByte <= 0 || result.Phases.DNS != 0 {
		t.Errorf("phases %+v", result.Phases)
	}
}

func TestPrivateAddressIsRefusedBeforeAnyByteIsSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request came") }))
	defer server.Close()
	client := newClient(t, func(o *egress.Options) { o.AllowPrivate = false })
	for _, host := range []string{"", "localhost"} {
		u := parse(t, server.URL)
		if host != "" {
			u.Host = host + ":" + u.Port()
		}
		result := post(t, client, u.String(), nil)
		if result.Failure != postrider.OutcomeBlockedAddress || !strings.Contains(result.Detail, "which is a loopback address") {
			t.Errorf("%s: %+v", u, result)
		}
	}
	allowed := newClient(t, func(o *egress.Options) {
		o.AllowPrivate, o.Allow = false, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	if result := post(t, allowed, server.URL, nil); result.Failure != postrider.OutcomeBlockedAddress {
		t.Errorf("another prefix allowed: %+v", result)
	}
}
