package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

// TestMain lets the test's own executable be the benchmark's programs, as the product's is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		command := Command(os.Executable)
		command.SetArgs(os.Args[2:])
		if err := command.ExecuteContext(ctx); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runBench runs the command with arguments and gives its report.
func runBench(t *testing.T, args ...string) (*report, error) {
	t.Helper()
	var out, progress bytes.Buffer
	command := Command(os.Executable)
	command.SetArgs(append(args, "--json", "--temp", t.TempDir(), "--time-limit", "2m"))
	command.SetOut(&out)
	command.SetErr(&progress)
	command.SilenceUsage, command.SilenceErrors = true, true
	err := command.ExecuteContext(t.Context())
	t.Log(progress.String())
	var r report
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
	}
	return &r, err
}

func TestEveryEventReachesTheSinkOnceThroughTheRelay(t *testing.T) {
	for name, c := range map[string]struct {
		args       []string
		events     int
		deliveries int64
	}{
		"closed loop":    {[]string{"--events", "1503", "--connections", "16"}, 1503, 1503},
		"batches":        {[]string{"--events", "1503", "--connections", "4", "--batch", "100"}, 1503, 1503},
		"fan-out":        {[]string{"--events", "301", "--connections", "8", "--fanout", "3"}, 301, 903},
		"fixed rate":     {[]string{"--events", "300", "--rate", "1000", "--connections", "4"}, 300, 300},
		"verified":       {[]string{"--events", "301", "--verify"}, 301, 301},
		"large and few":  {[]string{"--events", "40", "--size", "200000", "--connections", "2"}, 40, 40},
		"small and idle": {[]string{"--events", "3", "--size", "128", "--connections", "64"}, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := runBench(t, append(c.args, "--sides", "relay", "--rounds", "2")...)
			if err != nil {
				t.Fatal(err)
			}
			side := r.Scenarios[0].Sides[0]
			if len(side.Rounds) != 2 {
				t.Fatalf("%d rounds, want 2", len(side.Rounds))
			}
			for _, m := range side.Rounds {
				if m.Accepted != c.events || m.Deliveries != c.deliveries || m.Lost != 0 || m.Duplicates != 0 || m.Unverified != 0 {
					t.Errorf("accepted %d, delivered %d, lost %d, twice %d, unverified %d; want %d, %d, none", m.Accepted,
						m.Deliveries, m.Lost, m.Duplicates, m.Unverified, c.events, c.deliveries)
				}
				if m.EndToEnd.Count != uint64(c.deliveries) || m.EndToEnd.P50 <= 0 || m.EndToEnd.P99 > m.EndToEnd.Max || m.EndToEnd.Max > time.Minute {
					t.Errorf("latencies %+v", m.EndToEnd)
				}
				if m.Rate <= 0 || m.IngestRate <= 0 || m.PeakRSS < 1<<20 {
					t.Errorf("rate %v, ingest %v, memory %d", m.Rate, m.IngestRate, m.PeakRSS)
				}
			}
		})
	}
}

func TestAFixedRateIsKept(t *testing.T) {
	r, err := runBench(t, "--events", "500", "--rate", "500", "--sides", "relay", "--rounds", "1")
	if err != nil {
		t.Fatal(err)
	}
	if rate := r.Scenarios[0].Sides[0].Median.IngestRate; rate > 510 || rate < 250 {
		t.Errorf("%.0f events a second were sent, 500 were asked for", rate)
	}
}

// faultyRelay forwards each event's body to its hook, except that it does with some what fault says.
type faultyRelay struct {
	hook  string
	fault func(n int64) (copies int, refuse bool)
	count atomic.Int64
	posts sync.WaitGroup
}

func (f *faultyRelay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	copies, refuse := f.fault(f.count.Add(1))
	if refuse {
		http.Error(w, `{"error":{"code":"unavailable"}}`, http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	for range copies {
		f.posts.Go(func() {
			if response, err := http.Post(f.hook, "application/json", bytes.NewReader(body)); err == nil {
				_ = response.Body.Close()
			}
		})
	}
}

// measureFaulty measures one round of a relay with a fault, without a warm-up.
func measureFaulty(t *testing.T, fault func(n int64) (copies int, refuse bool)) (*report, measurement) {
	t.Helper()
	options := defaultOptions()
	options.Events, options.Connections, options.Rounds, options.Stall = 200, 4, 1, 300*time.Millisecond
	options.Sides = []string{sideRelay}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &benchmark{options: options, executable: path, progress: t.Output(), credentials: newCredentials()}
	if err := b.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	b.startOther = func(_ context.Context, _ contender, hooks []string) (*server, error) {
		relay := &faultyRelay{hook: hooks[0], fault: fault}
		front := httptest.NewServer(relay)
		return &server{url: front.URL, pid: os.Getpid(), stop: func() { front.Close(); relay.posts.Wait() }}, nil
	}
	s := options.scenario("faulty")
	s.Warmup = 0
	sides, err := b.compare(t.Context(), &s)
	if err != nil {
		t.Fatal(err)
	}
	r := newReport(options)
	r.add(&s, sides)
	return r, sides[0][0]
}

func TestARelayThatDropsIsReported(t *testing.T) {
	r, m := measureFaulty(t, func(n int64) (int, bool) {
		if n%10 == 0 {
			return 0, false
		}
		return 1, false
	})
	if m.Accepted != 200 || m.Lost != 20 || m.Deliveries != 180 {
		t.Errorf("accepted %d, lost %d, delivered %d; want 200, 20, 180", m.Accepted, m.Lost, m.Deliveries)
	}
	if err := r.judge(false); err == nil || !strings.Contains(err.Error(), "20 ") {
		t.Errorf("the run's verdict is %v; it must fail and say 20", err)
	}
}

func TestARelayThatRepeatsIsReported(t *testing.T) {
	r, m := measureFaulty(t, func(n int64) (int, bool) { return 1 + int(n%2), false })
	if m.Lost != 0 || m.Deliveries != 200 || m.Duplicates == 0 {
		t.Errorf("lost %d, delivered %d, twice %d; want 0, 200, some", m.Lost, m.Deliveries, m.Duplicates)
	}
	if err := r.judge(false); err != nil {
		t.Errorf("at least once is no failure: %v", err)
	}
}

func TestARelayThatRefusesIsReported(t *testing.T) {
	r, m := measureFaulty(t, func(n int64) (int, bool) { return 1, n%50 == 0 })
	if m.Accepted != 196 || m.Rejected != 4 || m.Lost != 0 || !strings.Contains(m.Problem, "503") {
		t.Errorf("accepted %d, refused %d, lost %d, %q; want 196, 4, 0, a 503", m.Accepted, m.Rejected, m.Lost, m.Problem)
	}
	if err := r.judge(false); err == nil {
		t.Error("refused events must fail the run")
	}
}

func TestAWrongSignatureIsReported(t *testing.T) {
	right, wrong := postrider.NewSecret(strings.Repeat("k", 40)), postrider.NewSecret(strings.Repeat("w", 40))
	s, err := newSink(right)
	if err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewServer(s)
	defer receiver.Close()
	s.tally.Store(newTally(1, 10, 1))
	for number, secret := range []postrider.Secret{right, wrong} {
		relay, err := newRelay([]string{receiver.URL + "/hook/0"}, secret)
		if err != nil {
			t.Fatal(err)
		}
		data := newData(minData)
		patchMarker(data, marker{run: 1, number: number, sent: time.Now()})
		event, err := parsePublication(fmt.Appendf(nil, `{"type":"a.b","data":%s}`, data), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := relay.deliver(t.Context(), &relay.targets[0], new(contract.Request), event); err != nil {
			t.Fatal(err)
		}
		relay.transport.CloseIdleConnections()
	}
	if got := s.tally.Load().state(); got.Distinct != 1 || got.Unverified != 1 {
		t.Errorf("%d delivered, %d with a wrong signature; want one of each", got.Distinct, got.Unverified)
	}
}

func TestTheRelayRefusesWhatTheProductRefuses(t *testing.T) {
	relay, err := newRelay([]string{"http://127.0.0.1:1/"}, postrider.NewSecret(strings.Repeat("s", 40)))
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]int{
		`{"type":"a.b","data":{"x":1}}`:              http.StatusAccepted,
		` {"data":[],"type":"a","previous_data":{}}`: http.StatusAccepted,
		`{"type":"a.b"}`:                             http.StatusBadRequest,
		`{"data":{}}`:                                http.StatusBadRequest,
		`{"type":"a..b","data":{}}`:                  http.StatusBadRequest,
		`{"type":"a.b","data":{},"other":1}`:         http.StatusBadRequest,
		`{"type":"a.b","data":{}`:                    http.StatusBadRequest,
		`not json`:                                   http.StatusBadRequest,
		``:                                           http.StatusBadRequest,
	} {
		w := httptest.NewRecorder()
		relay.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/events", strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d: %s", body, w.Code, want, w.Body)
		}
	}
}

func TestTheLoadGeneratorReadsEveryFormOfAnswer(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch n.Add(1) % 4 {
		case 0: // with a length
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"evt_1"}`)
		case 1: // in chunks
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, strings.Repeat(" ", 5000))
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, `{"id":"evt_1"}`)
		case 2: // without a body
			w.WriteHeader(http.StatusNoContent)
		case 3: // and the end of the connection, which costs the event and no more
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	result, err := load{URL: server.URL, Topic: liveTopic, Events: 40, Connections: 1, Batch: 1, Size: 200}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Accepted != 30 || result.Rejected != 10 || result.Problem == "" || result.Ack.Count != 30 {
		t.Errorf("%+v; want 30 accepted, 10 not", result)
	}
}

func TestAStalledServerIsChargedForWhatShouldHaveComeMeanwhile(t *testing.T) {
	const stall = 400 * time.Millisecond
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n.Add(1) == 10 {
			timer := time.NewTimer(stall)
			<-timer.C
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	result, err := load{URL: server.URL, Topic: liveTopic, Events: 200, Connections: 1, Batch: 1, Size: 200, Rate: 1000}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// All events after the tenth were due during the stall: their median wait is about half of it, where a
	// closed loop would have seen one slow answer and 199 quick ones.
	if result.Ack.P50 < stall/2 {
		t.Errorf("the median answer took %s during a stall of %s", result.Ack.P50, stall)
	}
}

func TestADeadServerEndsTheLoad(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	for _, rate := range []float64{0, 1e6} {
		result, err := load{URL: server.URL, Topic: liveTopic, Events: 100_000, Connections: 4, Batch: 1, Size: 200, Rate: rate}.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if result.Accepted != 0 || result.Rejected > maxProblems+4 {
			t.Errorf("rate %v: %+v; want an end after %d problems", rate, result, maxProblems)
		}
	}
}

func TestMediansAndRatiosAreTakenRoundByRound(t *testing.T) {
	rounds := func(rates ...float64) (list []measurement) {
		for _, rate := range rates {
			list = append(list, measurement{Accepted: 10, Rate: rate, EndToEnd: latencies{P99: time.Duration(rate)}})
		}
		return list
	}
	relay, product := rounds(1000, 100, 2000), rounds(500, 80, 400)
	p := promise{subject: sideProduct, base: sideRelay, figure: figureRate, atLeast: 0.6}
	want := result{What: "delivered, product / relay", Value: 0.5, AtLeast: 0.6, Kept: false}
	if diff := cmp.Diff(want, p.result(product, relay)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	got := medianMeasurement(product)
	if got.Rate != 400 || got.EndToEnd.P99 != 400 || got.Accepted != 30 {
		t.Errorf("rate %v, p99 %v, accepted %d; want 400, 400, 30", got.Rate, got.EndToEnd.P99, got.Accepted)
	}
	if got := (promise{subject: sideProduct, base: sideRelay, figure: figureCPU}).result(product, relay); got.Kept || got.Value != 0 {
		t.Errorf("zero by zero: %+v; want a figure that is not kept and fits into JSON", got)
	}
}

func TestOptionsOutOfBoundsAreAllNamed(t *testing.T) {
	_, err := runBench(t, "--connections", "0", "--size", "5", "--rounds", "0", "--sides", "other", "--rate", "-1")
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"connections", "size", "rounds", "sides", "rate"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}
