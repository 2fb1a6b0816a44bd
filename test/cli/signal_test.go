package cli_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

func TestTheSecondSignalEndsAServerThatWaitsForADelivery(t *testing.T) {
	held, release := make(chan struct{}), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(held)
		<-release
	}))
	defer receiver.Close()
	defer close(release)
	environ := []string{"POSTRIDER_OPERATOR_KEY=" + operatorKey}
	p := start(t, build(t), []string{"serve", "--dev", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--shutdown-grace", "1h"}, environ)
	url := p.await(regexp.MustCompile(`listens on (http://\S+)`))
	call(t, url+"/v1/webhooks", `{"url":"`+receiver.URL+`","events":["*"],"contract":"standard"}`, http.StatusCreated) // it waits 20 s, the longest
	call(t, url+"/v1/events", `{"type":"a.b","data":1}`, http.StatusAccepted)
	<-held

	if err := p.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		answer, err := http.Get(url + "/readyz")
		if err != nil {
			break // it does not listen any more, and waits for the delivery
		}
		_ = answer.Body.Close()
		if time.Since(begun) > patience {
			t.Fatal("it goes on listening")
		}
	}
	select {
	case <-p.ended:
		t.Fatalf("it ended with a delivery under way and an hour of grace\n%s", p.log.String())
	default:
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("the second signal did not end it")
	}
	status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want by the signal", p.command.ProcessState)
	}
}

func TestTheFirstStartPrintsTheOperatorsKeyAndTheSecondDoesNot(t *testing.T) {
	program, data := build(t), filepath.Join(t.TempDir(), "data")
	shown := regexp.MustCompile(`(?m)^    (pr_live_\w{52})$`)
	var key string
	for i := range 2 {
		p := start(t, program, []string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--log-level", "debug"}, nil)
		url := p.await(regexp.MustCompile(`listens on (http://\S+)`))
		match := shown.FindStringSubmatch(p.out.String())
		if (match != nil) != (i == 0) {
			t.Fatalf("start %d printed\n%s", i+1, p.out.String())
		}
		if match != nil {
			key = match[1]
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/tenants", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("the key that was printed is answered with %s", answer.Status)
		}
		if code := p.stop(); code != 0 {
			t.Errorf("it ended with %d", code)
		}
		if bytes.Contains([]byte(p.log.String()), []byte(key)) {
			t.Error("the key stands in the log")
		}
	}
}

// call posts JSON with the operator's key.
func call(t *testing.T, url, body string, want int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+operatorKey)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != want {
		t.Fatalf("%s answered %s", url, answer.Status)
	}
}
