//go:build linux

package reliability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

const (
	loginUser     = "ada@example.com"
	loginPassword = "correct horse 7"

	logins       = 200 // at the same time
	memoryBudget = 600 << 20
)

// TestTwoHundredLoginsAtOnceStayInMemory lets 200 people log in at the same moment. All get in, and the
// process never holds more than its budget.
func TestTwoHundredLoginsAtOnceStayInMemory(t *testing.T) {
	g := newGateway(t)
	g.start()
	g.user()
	transport := &http.Transport{MaxConnsPerHost: logins, MaxIdleConnsPerHost: logins}
	defer transport.CloseIdleConnections()
	var wait sync.WaitGroup
	for range logins {
		wait.Go(func() {
			if err := g.login(t.Context(), &http.Client{Transport: transport}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	peak := g.peakMemory()
	t.Logf("%d logins at once; the process took %d MiB at most", logins, peak>>20)
	if peak > memoryBudget {
		t.Errorf("it took %d MiB, of %d", peak>>20, memoryBudget>>20)
	}
}

// BenchmarkPublishingBesideLogins publishes 200 events a second, first alone and then beside 200
// people who log in again and again, and reports the p99 of both and their ratio. It is run by hand:
// go test -run=NONE -bench=BesideLogins -benchtime=1x ./test/reliability
func BenchmarkPublishingBesideLogins(b *testing.B) {
	g := newGateway(b)
	g.start()
	g.user()
	const span = 10 * time.Second
	g.publish(b, 2*time.Second) // warm
	var idle, busy time.Duration
	var done int64
	for b.Loop() {
		idle = g.publish(b, span)
		ctx, stop := context.WithCancel(b.Context())
		transport := &http.Transport{MaxConnsPerHost: logins, MaxIdleConnsPerHost: logins}
		var wait sync.WaitGroup
		var count atomic.Int64
		for range logins {
			wait.Go(func() {
				for ctx.Err() == nil {
					if err := g.login(ctx, &http.Client{Transport: transport}); err == nil {
						count.Add(1)
					} else if ctx.Err() == nil {
						b.Error(err)
						return
					}
				}
			})
		}
		busy = g.publish(b, span)
		stop()
		wait.Wait()
		transport.CloseIdleConnections()
		done = count.Load()
	}
	b.ReportMetric(float64(idle.Microseconds())/1000, "ms/idle-p99")
	b.ReportMetric(float64(busy.Microseconds())/1000, "ms/busy-p99")
	b.ReportMetric(float64(busy)/float64(idle), "busy/idle")
	b.ReportMetric(float64(done)/span.Seconds(), "logins/s")
	b.ReportMetric(float64(g.peakMemory()>>20), "MiB-peak")
	b.ReportMetric(0, "ns/op")
}

func (g *gateway) user() {
	g.t.Helper()
	if _, err := g.client().CreateUser(g.t.Context(), api.UserCreate{Email: loginUser, Password: loginPassword, Role: "admin"}); err != nil {
		g.t.Fatal(err)
	}
}

// login logs in as the eWarehousing API's clients do.
func (g *gateway) login(ctx context.Context, through *http.Client) error {
	body, err := json.Marshal(map[string]string{"username": loginUser, "password": loginPassword})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+g.address+"/wms/auth/login/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := through.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var said struct{ Token string }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || answer.StatusCode != http.StatusOK || said.Token == "" {
		return fmt.Errorf("logging in gave %d: %v", answer.StatusCode, err)
	}
	return nil
}

// publish publishes an event every 5 ms for a while, whatever became of those before, and gives the
// 99th percentile of how long their answers took.
func (g *gateway) publish(t testing.TB, span time.Duration) time.Duration {
	t.Helper()
	c, err := client.New("http://"+g.address, operatorKey, client.WithRetries(1, time.Second),
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var took []time.Duration
	var wait sync.WaitGroup
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(span); time.Now().Before(until); <-tick.C {
		began := time.Now()
		wait.Go(func() {
			if _, err := c.Publish(t.Context(), api.EventCreate{Type: "a.b", Data: []byte(`{"n":1}`)}); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
		})
	}
	wait.Wait()
	slices.Sort(took)
	return took[len(took)*99/100]
}

// peakMemory is the most resident memory that the process has had, in bytes (proc_pid_status(5)).
func (g *gateway) peakMemory() int64 {
	g.t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(g.command.Process.Pid) + "/status")
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				g.t.Fatal(err)
			}
			return kib << 10
		}
	}
	g.t.Fatal("the process tells no VmHWM")
	return 0
}
