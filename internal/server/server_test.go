package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/server"
)

// leaks fails the test when it leaves a goroutine behind.
func leaks(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t)
	})
}

const key = "the-operator-of-these-tests"

func configuration(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.Listen, c.Data, c.Dev = "127.0.0.1:0", filepath.Join(t.TempDir(), "data"), true
	c.OperatorKey, c.ShutdownGrace = postrider.NewSecret(key), 5*time.Second
	return c
}

func start(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	s := server.New(o)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return s
}

func speak(t *testing.T, s *server.Server, key string) *client.Client {
	t.Helper()
	connections := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	t.Cleanup(connections.CloseIdleConnections)
	c, err := client.New(s.URL(), key, client.WithHTTPClient(connections), client.WithRetries(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnEventIsDeliveredAndSurvivesARestart(t *testing.T) {
	leaks(t)
	var arrived atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived.Add(1)
	}))
	defer receiver.Close()
	c := configuration(t)

	first := server.New(server.Options{Config: c})
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	api1 := speak(t, first, key)
	webhook, err := api1.RegisterWebhook(t.Context(), api.WebhookCreate{URL: receiver.URL, Events: []string{"order.*"}})
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := api1.Publish(t.Context(), api.EventCreate{Type: "order.created", Data: json.RawMessage(`{"n":1}`)})
	if err != nil || accepted.Deliveries != 1 {
		t.Fatalf("got %+v, %v", accepted, err)
	}
	await(t, "the delivery", func() bool { return arrived.Load() == 1 })
	if _, err := api1.PauseWebhook(t.Context(), webhook.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := api1.Publish(t.Context(), api.EventCreate{Type: "order.paid", Data: json.RawMessage(`2`)}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second Stop is the first's answer
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	second := start(t, server.Options{Config: c})
	api2 := speak(t, second, key)
	event, err := api2.Event(t.Context(), accepted.ID, "")
	if err != nil || len(event.Deliveries) != 1 || event.Deliveries[0].State != "succeeded" {
		t.Fatalf("after the restart the event is %+v, %v", event, err)
	}
	if _, err := api2.ResumeWebhook(t.Context(), webhook.ID); err != nil {
		t.Fatal(err)
	}
	await(t, "the delivery that waited", func() bool { return arrived.Load() == 2 })
	metrics := fetch(t, second.URL()+"/metrics")
	if !strings.Contains(metrics, "postrider_deliveries_total{state=\"succeeded\"} 1") {
		t.Errorf("the metrics do not count the delivery:\n%s", metrics)
	}
}

func TestStartingAndStoppingAgainAndAgainLeavesNothingBehind(t *testing.T) {
	leaks(t)
	c := configuration(t)
	for range 5 {
		s := server.New(server.Options{Config: c})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fetch(t, s.URL()+"/healthz"); got == "" {
			t.Error("/healthz says nothing")
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(c.Data)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder has mode %v (%v), want 0700", info.Mode(), err)
	}
}

func TestTheOperatorsKeyIsShownAtTheFirstStartOnly(t *testing.T) {
	leaks(t)
	c := configuration(t)
	c.OperatorKey = postrider.Secret{}
	var shown []postrider.Secret
	o := server.Options{Config: c, ShowOperatorKey: func(k postrider.Secret) { shown = append(shown, k) }}
	for range 2 {
		s := server.New(o)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := speak(t, s, shown[0].Reveal()).Tenants(t.Context(), client.Page{}); err != nil {
			t.Errorf("the key that was shown is not taken: %v", err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(shown) != 1 {
		t.Errorf("a key was shown %d times, want once", len(shown))
	}
	if leaked := search(t, c.Data, shown[0].Reveal()); leaked != "" {
		t.Errorf("the key's text stands in %s", leaked)
	}

	o.ShowOperatorKey, o.Config.Data = nil, filepath.Join(t.TempDir(), "other")
	if err := server.New(o).Start(t.Context()); postrider.ErrorCode(err) != postrider.CodeInvalid {
		t.Errorf("with nobody to show a key to, starting gave %v", err)
	}
}

func TestAConfiguredOperatorsKeyTakesThePlaceOfTheOneBefore(t *testing.T) {
	leaks(t)
	c := configuration(t)
	for _, text := range []string{"operator-key-number-1", "operator-key-number-2", "operator-key-number-2"} {
		c.OperatorKey = postrider.NewSecret(text)
		s := server.New(server.Options{Config: c})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, candidate := range []string{"operator-key-number-1", "operator-key-number-2"} {
			_, err := speak(t, s, candidate).Tenants(t.Context(), client.Page{})
			if (err == nil) != (candidate == text) {
				t.Errorf("with %s set, %s gave %v", text, candidate, err)
			}
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASecondServerOnTheSameFolderIsRefused(t *testing.T) {
	leaks(t)
	c := configuration(t)
	start(t, server.Options{Config: c})
	err := server.New(server.Options{Config: c}).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is in use by process") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("got %v", err)
	}
}

func TestAStartThatFailsLeavesNothingRunning(t *testing.T) {
	leaks(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, spoil := range map[string]func(*config.Config){
		"address in use":     func(c *config.Config) { c.Listen = taken.Addr().String() },
		"bootstrap missing":  func(c *config.Config) { c.BootstrapFile = "/nonexistent.yaml" },
		"contracts missing":  func(c *config.Config) { c.Contracts = "/nonexistent" },
		"proxy is no proxy":  func(c *config.Config) { c.ProxyURL = "gopher://x" },
		"profiles in use":    func(c *config.Config) { c.Pprof = taken.Addr().String() },
		"data is a file":     func(c *config.Config) { c.Data = document(t, "data", "not a folder") },
		"contract is faulty": func(c *config.Config) { c.Contracts = filepath.Dir(document(t, "mine.yaml", "name: [")) },
		"bootstrap is faulty": func(c *config.Config) {
			c.BootstrapFile = document(t, "b.yaml", "endpoints: [{url: 'http://169.254.169.254/', events: ['*']}]")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := configuration(t)
			good := c
			spoil(&c)
			err := server.New(server.Options{Config: c}).Start(t.Context())
			if err == nil {
				t.Fatal("it started")
			}
			if text := err.Error(); len(text) < 20 || strings.Contains(text, "%!") {
				t.Errorf("the error is not fit for a user: %s", text)
			}
			s := server.New(server.Options{Config: good}) // the folder is free again
			if err := s.Start(t.Context()); err != nil {
				t.Error(err)
			} else if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhileItStopsNewEventsAreRefusedAndRequestsUnderWayEnd(t *testing.T) {
	leaks(t)
	held, release := make(chan struct{}), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(held)
		<-release
	}))
	defer receiver.Close()
	c := configuration(t)
	s := server.New(server.Options{Config: c})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	gateway := speak(t, s, key)
	if _, err := gateway.RegisterWebhook(t.Context(), api.WebhookCreate{URL: receiver.URL, Events: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	accepted, err := gateway.Publish(t.Context(), api.EventCreate{Type: "a.b", Data: json.RawMessage(`1`)})
	if err != nil {
		t.Fatal(err)
	}
	<-held
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }()
	await(t, "the refusal", func() bool {
		_, err := gateway.Publish(t.Context(), api.EventCreate{Type: "a.b", Data: json.RawMessage(`2`)})
		return err != nil
	})
	close(release)
	if err := <-stopped; err != nil {
		t.Fatalf("stopping: %v", err)
	}
	again := start(t, server.Options{Config: c})
	event, err := speak(t, again, key).Event(t.Context(), accepted.ID, "")
	if err != nil || event.Deliveries[0].State != "succeeded" || event.Deliveries[0].Attempts != 1 {
		t.Errorf("the delivery that was under way is %+v, %v", event, err)
	}
}

func TestAnEndpointThatHangsDoesNotHoldUpStopping(t *testing.T) {
	leaks(t)
	held, release := make(chan struct{}), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(held)
		<-release
	}))
	defer receiver.Close()
	defer close(release)
	c := configuration(t)
	c.ShutdownGrace = 300 * time.Millisecond
	s := server.New(server.Options{Config: c})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	gateway := speak(t, s, key)
	if _, err := gateway.RegisterWebhook(t.Context(), api.WebhookCreate{URL: receiver.URL, Events: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Publish(t.Context(), api.EventCreate{Type: "a.b", Data: json.RawMessage(`1`)}); err != nil {
		t.Fatal(err)
	}
	<-held
	began := time.Now()
	if err := s.Stop(t.Context()); err == nil {
		t.Error("a request was cut off, and Stop did not say so")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %s with a grace of 300 ms", took)
	}
}

func TestABootstrapFileIsAppliedOnce(t *testing.T) {
	leaks(t)
	c := configuration(t)
	c.BootstrapFile = document(t, "bootstrap.yaml", `
tenants: [{name: acme}]
keys:
  - {tenant: acme, role: publisher, name: shop, key: the-key-of-the-shop}
  - {tenant: acme, role: admin, name: back office, key: the-key-of-the-office, environment: sandbox}
  - {role: viewer, key: the-key-of-a-viewer}
endpoints:
  - {tenant: acme, url: "http://127.0.0.1:9/a", events: ["order.*"], secret: the-secret-of-a}
  - {tenant: other, url: "http://127.0.0.1:9/b", events: ["*"], contract: xemelgo, secret: a-secret-of-more-than-24-characters}
`)
	for range 2 {
		s := server.New(server.Options{Config: c})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		operator := speak(t, s, key)
		tenants, err := operator.Tenants(t.Context(), client.Page{})
		if err != nil || len(tenants.Data) != 3 {
			t.Errorf("there are %+v tenants (%v), want default, acme and other", tenants, err)
		}
		accepted, err := speak(t, s, "the-key-of-the-shop").Publish(t.Context(), api.EventCreate{Type: "order.created", Data: json.RawMessage(`1`)})
		if err != nil || accepted.Deliveries != 1 {
			t.Errorf("publishing with the shop's key gave %+v, %v", accepted, err)
		}
		if _, err := speak(t, s, "the-key-of-a-viewer").Webhooks(t.Context(), client.WebhookFilter{}); err != nil {
			t.Errorf("the viewer's key: %v", err)
		}
		if _, err := speak(t, s, "the-key-of-a-viewer").Publish(t.Context(), api.EventCreate{Type: "a.b", Data: json.RawMessage(`1`)}); err == nil {
			t.Error("a viewer published")
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAContractOfTheOperatorsOwnIsUsed(t *testing.T) {
	leaks(t)
	got := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Header.Get("X-Mine") + " " + string(body)
	}))
	defer receiver.Close()
	c := configuration(t)
	c.Contracts = filepath.Dir(document(t, "mine.yaml", `
name: mine
secret: {min_length: 5, supplied_by: tenant}
body: {form: verbatim, fields: [{what: event.topic}, {value: event.data}]}
headers: [{Content-Type: application/json}]
signatures: [{header: X-Mine, algorithm: hmac-sha1, key: utf8, over: body, encoding: hex, format: "v0={signature}"}]
limits: {timeout: 5s}
success: 2xx
retry: {delays: [1m]}
`))
	gateway := speak(t, start(t, server.Options{Config: c}), key)
	if _, err := gateway.RegisterWebhook(t.Context(), api.WebhookCreate{URL: receiver.URL, Events: []string{"*"}, Contract: "mine", Secret: "hello"}); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Publish(t.Context(), api.EventCreate{Type: "a.b", Data: json.RawMessage(`[1]`)}); err != nil {
		t.Fatal(err)
	}
	// printf '%s' '{"what":"a.b","value":[1]}' | openssl dgst -sha1 -hmac hello
	const want = `v0=330b79efdb0361b859cebe4915a77882b4906724 {"what":"a.b","value":[1]}`
	select {
	case request := <-got:
		if request != want {
			t.Errorf("got  %s\nwant %s", request, want)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing came")
	}
}

func TestAnEndpointThatAnswers410GetsNoMoreEvents(t *testing.T) {
	leaks(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer receiver.Close()
	gateway := speak(t, start(t, server.Options{Config: configuration(t)}), key)
	webhook, err := gateway.RegisterWebhook(t.Context(), api.WebhookCreate{URL: receiver.URL, Events: []string{"*"}, Contract: "standard"})
	if err != nil {
		t.Fatal(err)
	}
	publish := func() *api.EventAccepted {
		accepted, err := gateway.Publish(t.Context(), api.EventCreate{Type: "a.b", Data: json.RawMessage(`1`)})
		if err != nil {
			t.Fatal(err)
		}
		return accepted
	}
	publish()
	var last *api.EventAccepted
	await(t, "an event without delivery", func() bool { last = publish(); return last.Deliveries == 0 })
	event, err := gateway.Event(t.Context(), last.ID, "")
	if err != nil || len(event.Reasons) != 1 || event.Reasons[0] != (api.Reason{WebhookID: webhook.ID, Code: "endpoint_disabled"}) {
		t.Errorf("the reasons are %+v, %v", event, err)
	}
}

func TestTheHTTPServerIsBounded(t *testing.T) {
	leaks(t)
	s := start(t, server.Options{Config: configuration(t)})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", strings.Repeat("x", 100<<10))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("100 KiB of headers were answered with %s", answer.Status)
	}
}

func TestAListenerCanBeHandedIn(t *testing.T) {
	leaks(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, server.Options{Config: configuration(t), Listener: listener})
	if s.URL() != "http://"+listener.Addr().String() {
		t.Errorf("it answers at %s", s.URL())
	}
	broken := configuration(t)
	broken.BootstrapFile = "/nonexistent.yaml"
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if server.New(server.Options{Config: broken, Listener: other}).Start(t.Context()) == nil {
		t.Error("it started")
	}
	if _, err := other.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener of a failed start gives %v, want closed", err)
	}
}

// await waits until what is named has come about.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s did not come in time", what)
		case <-tick.C:
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s answered %s %s (%v)", url, answer.Status, text, err)
	}
	return string(text)
}

// document writes a file and gives its path.
func document(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// search gives the file below folder that holds the text, "" when none does.
func search(t *testing.T, folder, text string) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), text) {
			found = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
