package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider"
)

// benchmark is a run of `postrider bench`: its sink, its settings, and what its rounds share.
type benchmark struct {
	options     Options
	executable  string
	progress    io.Writer
	credentials credentials
	client      http.Client

	sink    *child
	sinkURL string
	deadURL string
	runs    int // of the load generator so far; each event carries its number

	// startOther, when set, starts contenders in place of start: tests measure a relay that is broken.
	startOther func(ctx context.Context, c contender, hooks []string) (*server, error)
}

// measurement is what one round of one contender showed.
type measurement struct {
	Accepted   int     `json:"accepted"`           // events answered 202
	Rejected   int     `json:"rejected,omitempty"` // events answered otherwise
	Problem    string  `json:"problem,omitempty"`  // what the first rejection said
	Deliveries int64   `json:"deliveries"`         // distinct ones
	Lost       int64   `json:"lost"`               // deliveries owed for accepted events that never came
	Duplicates int64   `json:"duplicates"`
	Unverified int64   `json:"unverified,omitempty"` // deliveries with a wrong signature, when the sink verifies
	IngestRate float64 `json:"ingested_per_second"`  // events, from the first sent to the last answered
	Rate       float64 `json:"delivered_per_second"` // deliveries, from the first event sent to the last delivery
	CPU        float64 `json:"cpu_us_per_event"`     // of the server process alone, until all is delivered
	PeakRSS    int64   `json:"peak_rss_bytes"`       // of the server process since it started

	EndToEnd latencies `json:"end_to_end"` // from sending the event to its arrival at the sink
	Ack      latencies `json:"ack"`        // from sending the event to its answer
}

// Bounds of a round.
const (
	drainPoll  = 25 * time.Millisecond
	drainStall = 10 * time.Second       // without a new delivery, the rest is lost
	settleTime = 200 * time.Millisecond // after the last delivery, so that its bookkeeping is on the bill
	deadBatch  = 100                    // events in a request that fills the dead endpoint's backlog
)

// open starts the sink.
func (b *benchmark) open(ctx context.Context) error {
	args := []string{"bench", "sink", "--dead-kind", string(b.options.DeadKind)}
	env := []string{}
	if b.options.Verify {
		args = append(args, "--verify")
		env = append(env, secretVariable+"="+b.credentials.signing.Reveal())
	}
	process, err := startChild(childSpec{name: "sink", path: b.executable, args: args, env: env})
	if err != nil {
		return err
	}
	b.sink = process
	var address sinkAddress
	if err := process.ready(ctx, &address); err != nil {
		process.stop()
		return err
	}
	b.sinkURL, b.deadURL = address.URL, address.Dead
	return nil
}

func (b *benchmark) close() {
	b.client.CloseIdleConnections()
	b.sink.stop()
}

// say reports progress.
func (b *benchmark) say(format string, args ...any) {
	fmt.Fprintf(b.progress, format+"\n", args...)
}

// measure runs one round of a contender: start it, fill the dead backlog, warm up, measure, stop it.
func (b *benchmark) measure(ctx context.Context, s *scenario, c contender, data string, round int) (m measurement, err error) {
	if c.product && data == "" {
		if data, err = b.layData(ctx, c, s.Fanout); err != nil {
			return m, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(data))) }()
	}
	server, err := b.start(ctx, c, s.Fanout, data)
	if err != nil {
		return m, err
	}
	defer server.stop()
	if c.dead > 0 {
		if err := b.fillDead(ctx, server, c.dead, s.Size); err != nil {
			return m, err
		}
	}
	l := load{
		URL: server.url, Key: server.key, Topic: liveTopic, Connections: s.Connections,
		Batch: max(1, c.batch), Size: s.Size, Rate: s.Rate, Events: s.Warmup,
	}
	if c.batch == 0 {
		l.Batch = s.Batch
	}
	if s.Warmup > 0 {
		if _, _, err := b.publish(ctx, l, s.Fanout); err != nil {
			return m, err
		}
	}
	l.Events = s.Events
	stopProfile := b.profile(ctx, server, s.Name+"-"+c.label+"-"+strconv.Itoa(round))
	defer stopProfile()
	before, err := processUsage(server.pid)
	if err != nil {
		return m, err
	}
	result, state, err := b.publish(ctx, l, s.Fanout)
	if err != nil {
		return m, err
	}
	if err := pause(ctx, settleTime); err != nil {
		return m, err
	}
	after, err := processUsage(server.pid)
	if err != nil {
		return m, err
	}
	return newMeasurement(result, state, s.Fanout, before, after), nil
}

func newMeasurement(result loadResult, state tallyState, fanout int, before, after usage) measurement {
	m := measurement{
		Accepted: result.Accepted, Rejected: result.Rejected, Problem: result.Problem, Deliveries: state.Distinct,
		Lost: max(0, int64(result.Accepted*fanout)-state.Distinct), Duplicates: state.Duplicates, Unverified: state.Unverified,
		PeakRSS: after.peakRSS, EndToEnd: state.Latency, Ack: result.Ack,
	}
	if took := time.Duration(result.Last - result.First); took > 0 {
		m.IngestRate = float64(result.Accepted) / took.Seconds()
	}
	if took := time.Duration(state.Last - result.First); took > 0 {
		m.Rate = float64(state.Distinct) / took.Seconds()
	}
	if result.Accepted > 0 {
		m.CPU = float64((after.cpu - before.cpu).Microseconds()) / float64(result.Accepted)
	}
	return m
}

// publish runs the load generator and waits until all that it published has arrived, or no more comes.
func (b *benchmark) publish(ctx context.Context, l load, fanout int) (loadResult, tallyState, error) {
	b.runs++
	l.Run = b.runs
	reset := fmt.Sprintf("%s/control/reset?run=%d&events=%d&endpoints=%d", b.sinkURL, l.Run, l.Events, fanout)
	if err := b.call(ctx, http.MethodPost, reset, nil); err != nil {
		return loadResult{}, tallyState{}, err
	}
	result, err := b.generate(ctx, l)
	if err != nil {
		return result, tallyState{}, err
	}
	state, err := b.drain(ctx, int64(result.Accepted*fanout))
	return result, state, err
}

// generate runs the load generator in a process of its own.
func (b *benchmark) generate(ctx context.Context, l load) (result loadResult, err error) {
	process, err := startChild(childSpec{name: "load generator", path: b.executable, args: l.args(),
		env: []string{keyVariable + "=" + l.Key.Reveal()}})
	if err != nil {
		return result, err
	}
	defer process.stop()
	if err := process.result(ctx, &result); err != nil {
		return result, err
	}
	if result.Accepted == 0 {
		return result, postrider.Errorf(postrider.CodeUnavailable, "none of %d events was accepted: %s", l.Events, result.Problem)
	}
	return result, nil
}

// drain waits for the deliveries that are owed.
func (b *benchmark) drain(ctx context.Context, owed int64) (state tallyState, err error) {
	had, since := int64(-1), time.Now()
	for {
		if err := b.call(ctx, http.MethodGet, b.sinkURL+"/control/state", &state); err != nil {
			return state, err
		}
		if state.Distinct >= owed {
			return state, nil
		}
		if state.Distinct > had {
			had, since = state.Distinct, time.Now()
		} else if time.Since(since) > b.options.Stall {
			return state, nil
		}
		if err := pause(ctx, drainPoll); err != nil {
			return state, err
		}
	}
}

// fillDead publishes the backlog of the dead endpoint.
func (b *benchmark) fillDead(ctx context.Context, s *server, events, size int) error {
	result, err := b.generate(ctx, load{
		URL: s.url, Key: s.deadKey, Topic: deadTopic, Events: events, Connections: 4, Batch: deadBatch, Size: size,
	})
	if err == nil && result.Rejected > 0 {
		err = postrider.Errorf(postrider.CodeUnavailable, "%d of %d events for the dead endpoint were refused: %s", result.Rejected, events, result.Problem)
	}
	return err
}

// profileSeconds is how long a CPU profile of the product runs.
const profileSeconds = 8

// profile takes a CPU profile of the product while it is measured. The returned function waits for it.
func (b *benchmark) profile(ctx context.Context, s *server, name string) (wait func()) {
	if s.pprof == "" {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		path := filepath.Join(b.options.ProfileFolder, strings.NewReplacer(" ", "-", ",", "").Replace(name)+".pprof")
		if err := b.download(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.pprof, profileSeconds), path); err != nil {
			b.say("no profile: %v", err)
		}
	}()
	return func() { <-done }
}

func (b *benchmark) download(ctx context.Context, url, path string) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = io.Copy(file, response.Body)
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
