package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/postrider/postrider"
)

// Options say what to measure. The zero value is not useful; see defaultOptions.
type Options struct {
	Suite       bool // all scenarios of docs/benchmarks.md; only Rounds, History, Dead and Events count then
	Events      int  // measured events a round; 0: 30,000, or ten seconds' worth of Rate
	Connections int
	Fanout      int
	Size        int // bytes of an event's data
	Batch       int
	Rate        float64 // events a second; 0: as fast as answers come
	Rounds      int
	History     int // finished events in the store of one more product side
	Dead        int // undelivered events beside the live ones, on one more product side
	DeadKind    deadKind
	Sides       []string // "relay", "product"
	Verify      bool     // the sink verifies signatures
	Temp        string   // where data folders are made; "": the system's folder, if that is on a disk
	TimeLimit   time.Duration
	Stall       time.Duration // how long to wait for a delivery that does not come

	ProfileFolder string
}

func defaultOptions() Options {
	return Options{
		Connections: 64, Fanout: 1, Size: 1024, Batch: 1, Rounds: 3, DeadKind: deadSilent,
		Sides: []string{sideRelay, sideProduct}, TimeLimit: 30 * time.Minute, Stall: drainStall,
	}
}

// defaultEvents is a few seconds' worth.
const defaultEvents = 30_000

// Names of the sides.
const (
	sideRelay   = "relay"
	sideProduct = "product"
)

// What the suite preloads when it is not told otherwise.
const (
	suiteHistory = 1_000_000
	suiteDead    = 200_000
)

// check reports every option that is out of bounds.
func (o *Options) check() error {
	var faults postrider.Faults
	bound := func(name string, value, low, high int) {
		if value < low || value > high {
			faults.Add(name, "%d is out of bounds; use %d to %d", value, low, high)
		}
	}
	bound("events", o.Events, 0, 10_000_000)
	bound("connections", o.Connections, 1, 4096)
	bound("fanout", o.Fanout, 1, 64)
	bound("size", o.Size, minData, maxData)
	bound("batch", o.Batch, 1, 1000)
	bound("rounds", o.Rounds, 1, 100)
	bound("history", o.History, 0, 10_000_000)
	bound("dead", o.Dead, 0, 10_000_000)
	if o.Rate < 0 || o.Rate > 1e6 {
		faults.Add("rate", "%v is out of bounds; use 0 to 1000000", o.Rate)
	}
	if o.Batch*o.Size > maxPublish/2 {
		faults.Add("batch", "%d events of %d bytes are too much for one request", o.Batch, o.Size)
	}
	for _, side := range o.Sides {
		if side != sideRelay && side != sideProduct {
			faults.Add("sides", "%q: use %q and %q", side, sideRelay, sideProduct)
		}
	}
	if len(o.Sides) == 0 || o.Suite && len(o.Sides) != 2 {
		faults.Add("sides", "name relay, product or both; the suite needs both")
	}
	return faults.Err()
}

// prepare makes the folders that the options name.
func (o *Options) prepare(say func(format string, args ...any)) error {
	if o.Temp == "" {
		o.Temp = os.TempDir()
		if cache, err := os.UserCacheDir(); err == nil && inMemory(o.Temp) {
			o.Temp = cache
		}
	}
	for _, folder := range []string{o.Temp, o.ProfileFolder} {
		if folder == "" {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return postrider.Errorf(postrider.CodeInvalid, "a folder of the benchmark cannot be made: %w", err)
		}
	}
	if inMemory(o.Temp) {
		say("note: %s lies in memory, where keeping an event costs nothing; name a folder on a disk with --temp", o.Temp)
	}
	return nil
}

// scenario is one load, and the contenders that are measured under it in turns.
type scenario struct {
	Name        string  `json:"name"`
	Events      int     `json:"events"`
	Warmup      int     `json:"warmup"`
	Connections int     `json:"connections"`
	Fanout      int     `json:"fanout"`
	Size        int     `json:"size"`
	Batch       int     `json:"batch"`
	Rate        float64 `json:"rate,omitempty"`

	contenders []contender
	promises   []promise
}

// promise is a figure that is looked at: of one side, or its ratio to another side in the same round.
type promise struct {
	subject string
	base    string // "" for the figure itself
	figure  figure
	atLeast float64 // 0: no bound
	atMost  float64
}

// figure is something measured, with its unit.
type figure struct {
	name string
	unit string
	of   func(*measurement) float64
}

var (
	figureRate   = figure{"delivered", "/s", func(m *measurement) float64 { return m.Rate }}
	figureIngest = figure{"ingested", "/s", func(m *measurement) float64 { return m.IngestRate }}
	figureCPU    = figure{"CPU per event", "µs", func(m *measurement) float64 { return m.CPU }}
	figureP99    = figure{"end-to-end p99", "ms", func(m *measurement) float64 { return milliseconds(m.EndToEnd.P99) }}
	figureRSS    = figure{"peak memory", "MiB", func(m *measurement) float64 { return float64(m.PeakRSS) / (1 << 20) }}
)

// scenario is the one scenario that the options describe.
func (o *Options) scenario(name string) scenario {
	s := scenario{
		Name: name, Events: o.Events, Connections: o.Connections, Fanout: o.Fanout, Size: o.Size, Batch: o.Batch, Rate: o.Rate,
	}
	if s.Events == 0 {
		s.Events = defaultEvents
		if s.Rate > 0 {
			s.Events = max(1000, int(10*s.Rate))
		}
	}
	s.Warmup = s.Events / 10
	for _, side := range o.Sides {
		s.contenders = append(s.contenders, contender{label: side, product: side == sideProduct})
	}
	if len(o.Sides) == 2 {
		s.promises = ratios(sideProduct, sideRelay)
	}
	if o.History > 0 {
		s.add(sideProduct, contender{label: fmt.Sprintf("product, %d of history", o.History), product: true, history: o.History})
	}
	if o.Dead > 0 {
		s.add(sideProduct, contender{label: fmt.Sprintf("product, %d for a dead endpoint", o.Dead), product: true, dead: o.Dead})
	}
	return s
}

// add adds a contender that is compared with base, if that takes part.
func (s *scenario) add(base string, c contender) {
	for _, other := range s.contenders {
		if other.label == base {
			s.promises = append(s.promises, ratios(c.label, base)...)
		}
	}
	s.contenders = append(s.contenders, c)
}

func ratios(subject, base string) []promise {
	return []promise{
		{subject: subject, base: base, figure: figureIngest}, {subject: subject, base: base, figure: figureRate},
		{subject: subject, base: base, figure: figureCPU}, {subject: subject, base: base, figure: figureP99},
		{subject: subject, base: base, figure: figureRSS},
	}
}

// suite is every scenario whose figures docs/benchmarks.md holds, with what is promised of them.
func (o *Options) suite() []scenario {
	history, dead := o.History, o.Dead
	if history == 0 {
		history = suiteHistory
	}
	if dead == 0 {
		dead = suiteDead
	}
	events := o.Events
	if events == 0 {
		events = defaultEvents
	}
	make := func(name string, change func(*Options)) scenario {
		options := defaultOptions()
		options.Events = events
		change(&options)
		return options.scenario(name)
	}
	closed := make("closed loop", func(*Options) {})
	closed.promises = []promise{
		{subject: sideProduct, base: sideRelay, figure: figureRate, atLeast: 0.5},
		{subject: sideProduct, base: sideRelay, figure: figureCPU, atMost: 2.0},
	}
	steady := make("500 a second", func(o *Options) { o.Rate, o.Events = 500, 0 })
	steady.promises = []promise{
		{subject: sideProduct, figure: figureP99, atMost: 15},
		{subject: sideProduct, base: sideRelay, figure: figureP99},
	}
	const single, batched = "relay, single", "relay, batched"
	batch := make("batches of 100", func(o *Options) { o.Batch, o.Events = 100, 2*events })
	batch.contenders = []contender{
		{label: single, batch: 1}, {label: batched, batch: 100}, {label: sideProduct, product: true, batch: 100},
	}
	batch.promises = []promise{
		{subject: sideProduct, base: single, figure: figureRate, atLeast: 1},
		{subject: sideProduct, base: batched, figure: figureRate},
	}
	old := make("history", func(o *Options) { o.Sides = []string{sideProduct} })
	laden := contender{label: fmt.Sprintf("product, %d of history", history), product: true, history: history}
	old.contenders = append(old.contenders, laden)
	old.promises = []promise{
		{subject: laden.label, base: sideProduct, figure: figureRate, atLeast: 0.9},
		{subject: laden.label, base: sideProduct, figure: figureCPU},
	}
	beside := make("dead endpoint", func(o *Options) { o.Rate, o.Events, o.Sides = 500, 0, []string{sideProduct} })
	backlog := contender{label: fmt.Sprintf("product, %d for a dead endpoint", dead), product: true, dead: dead}
	beside.contenders = append(beside.contenders, backlog)
	beside.promises = []promise{
		{subject: backlog.label, base: sideProduct, figure: figureP99, atMost: 1.5},
		{subject: backlog.label, figure: figureRSS, atMost: 150},
	}
	return []scenario{
		closed, steady, batch, old, beside,
		make("fan-out 8", func(o *Options) { o.Fanout, o.Events = 8, events/4 }),
		make("16 KiB", func(o *Options) { o.Size, o.Events = 16<<10, events/2 }),
	}
}

// run measures the scenarios of the options.
func (b *benchmark) run(ctx context.Context) (*report, error) {
	// The kernel ends the children with the thread that started them (see endWithParent), so all of
	// them are started by this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeoutCause(ctx, b.options.TimeLimit,
		postrider.Errorf(postrider.CodeUnavailable, "the benchmark took longer than --time-limit %s", b.options.TimeLimit))
	defer cancel()
	if err := b.options.prepare(b.say); err != nil {
		return nil, err
	}
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	defer b.close()
	scenarios := []scenario{b.options.scenario("load")}
	if b.options.Suite {
		scenarios = b.options.suite()
	}
	r := newReport(b.options)
	for i := range scenarios {
		sides, err := b.compare(ctx, &scenarios[i])
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return r, fmt.Errorf("scenario %q: %w", scenarios[i].Name, err)
		}
		r.add(&scenarios[i], sides)
	}
	return r, nil
}

// compare measures the contenders of a scenario in turns: sides[i][round] is contender i's.
func (b *benchmark) compare(ctx context.Context, s *scenario) (sides [][]measurement, err error) {
	sides = make([][]measurement, len(s.contenders))
	data := make([]string, len(s.contenders))
	defer func() {
		for _, folder := range data {
			if folder != "" {
				err = errors.Join(err, os.RemoveAll(filepath.Dir(folder)))
			}
		}
	}()
	for i, c := range s.contenders {
		if c.history > 0 { // laid once, used in all rounds
			if data[i], err = b.layData(ctx, c, s.Fanout); err != nil {
				return nil, err
			}
		}
	}
	for round := range b.options.Rounds {
		for i, c := range s.contenders {
			m, err := b.measure(ctx, s, c, data[i], round+1)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", c.label, round+1, err)
			}
			b.say("%-14s round %d/%d  %-34s %s", s.Name, round+1, b.options.Rounds, c.label, m.line())
			sides[i] = append(sides[i], m)
		}
	}
	return sides, nil
}
