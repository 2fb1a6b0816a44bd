//go:build linux

package reliability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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

// BenchmarkPublishingBesideLogins publishes 200 events a second, by turns alone and beside 200 people
// who log in again and again, and reports the p99 of both and their ratio. Turns, because whatever else
// the machine does then falls on both. It is run by hand:
// go test -run=NONE -bench=BesideLogins -benchtime=4x ./test/reliability
func BenchmarkPublishingBesideLogins(b *testing.B) {
	g := newGateway(b)
	g.start()
	g.user()
	const turn = 4 * time.Second
	g.publish(b, turn/2) // warm
	var alone, beside []time.Duration
	var done atomic.Int64
	for b.Loop() {
		g.publish(b, time.Second) // until what was before has passed
		alone = append(alone, g.publish(b, turn)...)
		stop := g.keepLoggingIn(b, &done)
		g.publish(b, time.Second)
		before := done.Load()
		beside = append(beside, g.publish(b, turn)...)
		b.ReportMetric(float64(done.Load()-before)/turn.Seconds(), "logins/s")
		stop()
	}
	idle, busy := percentile(alone, 99), percentile(beside, 99)
	b.ReportMetric(float64(percentile(alone, 50).Microseconds())/1000, "ms/idle-p50")
	b.ReportMetric(float64(percentile(beside, 50).Microseconds())/1000, "ms/busy-p50")
	b.ReportMetric(float64(idle.Microseconds())/1000, "ms/idle-p99")
	b.ReportMetric(float64(busy.Microseconds())/1000, "ms/busy-p99")
	b.ReportMetric(float64(busy)/float64(idle), "busy/idle")
	b.ReportMetric(float64(g.peakMemory()>>20), "MiB-peak")
	b.ReportMetric(0, "ns/op")
}

// keepLoggingIn lets 200 people log in again and again, and returns when the first few are in.
func (g *gateway) keepLoggingIn(b *testing.B, done *atomic.Int64) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	transport := &http.Transport{MaxConnsPerHost: logins, MaxIdleConnsPerHost: logins}
	var wait sync.WaitGroup
	under := make(chan struct{}, logins*1000)
	for range logins {
		wait.Go(func() {
			for ctx.Err() == nil {
				err := g.login(ctx, &http.Client{Transport: transport})
				if ctx.Err() == nil && err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
				under <- struct{}{}
			}
		})
	}
	for range 10 {
		<-under
	}
	return func() {
		cancel()
		wait.Wait()
		transport.CloseIdleConnections()
	}
}

// percentile is the p-th hundredth of what was measured.
func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
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

// publish publishes an event every 5 ms for a while, whatever became of those before, and gives how
// long their answers took.
func (g *gateway) publish(t testing.TB, span time.Duration) []time.Duration {
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
	return took
}

// peakMemory is the most resident memory that the program has had, in bytes: that of its process and
// of those that hash for it, together.
func (g *gateway) peakMemory() int64 {
	g.t.Helper()
	process := strconv.Itoa(g.command.Process.Pid)
	children, err := filepath.Glob("/proc/" + process + "/task/*/children")
	if err != nil {
		g.t.Fatal(err)
	}
	sum := g.peakOf(process)
	for _, name := range children {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		for _, child := range strings.Fields(string(text)) {
			sum += g.peakOf(child)
		}
	}
	return sum
}

// peakOf is one process's part of it (proc_pid_status(5)).
func (g *gateway) peakOf(process string) int64 {
	g.t.Helper()
	text, err := os.ReadFile("/proc/" + process + "/status")
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
