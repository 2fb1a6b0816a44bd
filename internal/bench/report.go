package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// report is what a run showed.
type report struct {
	Started   time.Time        `json:"started"`
	Machine   machine          `json:"machine"`
	Rounds    int              `json:"rounds"`
	Scenarios []scenarioReport `json:"scenarios"`
}

type scenarioReport struct {
	scenario
	Sides   []side   `json:"sides"`
	Results []result `json:"results"`
}

// side is one contender's rounds, and their median: of each figure by itself.
type side struct {
	Label  string        `json:"label"`
	Median measurement   `json:"median"`
	Rounds []measurement `json:"rounds"`
}

// result is what became of a promise: the median over the rounds of the figure, or of the two sides' ratio in a round.
type result struct {
	What    string  `json:"what"`
	Unit    string  `json:"unit,omitempty"`
	Value   float64 `json:"value"`
	AtLeast float64 `json:"at_least,omitempty"`
	AtMost  float64 `json:"at_most,omitempty"`
	Kept    bool    `json:"kept"`
}

func newReport(o Options) *report {
	return &report{Started: time.Now().UTC().Truncate(time.Second), Machine: newMachine(o.Temp), Rounds: o.Rounds}
}

// add works out a scenario's medians and ratios.
func (r *report) add(s *scenario, sides [][]measurement) {
	sr := scenarioReport{scenario: *s}
	rounds := make(map[string][]measurement)
	for i, c := range s.contenders {
		sr.Sides = append(sr.Sides, side{Label: c.label, Median: medianMeasurement(sides[i]), Rounds: sides[i]})
		rounds[c.label] = sides[i]
	}
	for _, p := range s.promises {
		subject, base := rounds[p.subject], rounds[p.base]
		if len(subject) == 0 || p.base != "" && len(base) == 0 {
			continue // a side that did not take part
		}
		sr.Results = append(sr.Results, p.result(subject, base))
	}
	r.Scenarios = append(r.Scenarios, sr)
}

func (p promise) result(subject, base []measurement) result {
	values := make([]float64, len(subject))
	for i := range subject {
		values[i] = p.figure.of(&subject[i])
		if p.base != "" {
			values[i] /= p.figure.of(&base[i])
		}
	}
	r := result{
		What: p.figure.name + ", " + p.subject, Unit: p.figure.unit, Value: median(values), AtLeast: p.atLeast, AtMost: p.atMost,
	}
	if p.base != "" {
		r.What, r.Unit = r.What+" / "+p.base, ""
	}
	r.Kept = !math.IsNaN(r.Value) && r.Value >= r.AtLeast && (r.AtMost == 0 || r.Value <= r.AtMost)
	if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		r.Value = 0 // nothing to compare with; JSON knows neither
	}
	return r
}

// medianMeasurement takes the median of each figure. Counts that should be zero or whole are added up instead, so that
// one bad round is not hidden by good ones.
func medianMeasurement(rounds []measurement) measurement {
	var m measurement
	for i := range rounds {
		m.Accepted += rounds[i].Accepted
		m.Rejected += rounds[i].Rejected
		m.Deliveries += rounds[i].Deliveries
		m.Lost += rounds[i].Lost
		m.Duplicates += rounds[i].Duplicates
		m.Unverified += rounds[i].Unverified
		if m.Problem == "" {
			m.Problem = rounds[i].Problem
		}
	}
	of := func(value func(*measurement) float64) float64 {
		values := make([]float64, len(rounds))
		for i := range rounds {
			values[i] = value(&rounds[i])
		}
		return median(values)
	}
	m.IngestRate = of(func(m *measurement) float64 { return m.IngestRate })
	m.Rate = of(func(m *measurement) float64 { return m.Rate })
	m.CPU = of(func(m *measurement) float64 { return m.CPU })
	m.PeakRSS = int64(of(func(m *measurement) float64 { return float64(m.PeakRSS) }))
	m.EndToEnd = medianLatencies(of, func(m *measurement) *latencies { return &m.EndToEnd })
	m.Ack = medianLatencies(of, func(m *measurement) *latencies { return &m.Ack })
	return m
}

func medianLatencies(of func(func(*measurement) float64) float64, part func(*measurement) *latencies) latencies {
	one := func(value func(*latencies) time.Duration) time.Duration {
		return time.Duration(of(func(m *measurement) float64 { return float64(value(part(m))) }))
	}
	return latencies{
		Count: uint64(of(func(m *measurement) float64 { return float64(part(m).Count) })),
		P50:   one(func(l *latencies) time.Duration { return l.P50 }),
		P95:   one(func(l *latencies) time.Duration { return l.P95 }),
		P99:   one(func(l *latencies) time.Duration { return l.P99 }),
		Max:   one(func(l *latencies) time.Duration { return l.Max }),
	}
}

// median of an even number of values is the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// lost is how many deliveries and events went missing, came with a wrong signature or were refused, over all rounds.
func (r *report) lost() (n int64) {
	for _, s := range r.Scenarios {
		for _, side := range s.Sides {
			n += side.Median.Lost + side.Median.Unverified + int64(side.Median.Rejected)
		}
	}
	return n
}

// broken lists the promises that were not kept.
func (r *report) broken() (list []string) {
	for _, s := range r.Scenarios {
		for _, result := range s.Results {
			if !result.Kept {
				list = append(list, s.Name+": "+result.line())
			}
		}
	}
	return list
}

func (r *report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// writeTable prints the report for people.
func (r *report) writeTable(w io.Writer) error {
	m := &r.Machine
	fmt.Fprintf(w, "%s, %d CPUs, %s, %s, %s; the disk keeps a small write in %.2f ms; medians of %d rounds, sides in turns\n",
		m.Processor, m.CPUs, m.System, m.Go, r.Started.Format("2006-01-02 15:04 UTC"), milliseconds(m.Sync), r.Rounds)
	if m.isBusy() {
		fmt.Fprintf(w, "Other programs kept the machine busy (load %.1f): do not keep these figures.\n", m.Busy)
	}
	for i := range r.Scenarios {
		if err := r.Scenarios[i].writeTable(w); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenarioReport) writeTable(w io.Writer) error {
	fmt.Fprintf(w, "\n%s: %s\n\n", s.Name, s.describe())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "side\tingested/s\tdelivered/s\tp50 ms\tp95 ms\tp99 ms\tmax ms\tack p99 ms\tCPU µs/event\tpeak MiB\tlost\ttwice\t")
	for _, side := range s.Sides {
		m := &side.Median
		fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.1f\t%.2f\t%.1f\t%.1f\t%d\t%d\t\n", side.Label, m.IngestRate, m.Rate,
			milliseconds(m.EndToEnd.P50), milliseconds(m.EndToEnd.P95), milliseconds(m.EndToEnd.P99), milliseconds(m.EndToEnd.Max),
			milliseconds(m.Ack.P99), m.CPU, float64(m.PeakRSS)/(1<<20), m.Lost, m.Duplicates)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, result := range s.Results {
		fmt.Fprintf(w, "  %s\n", result.line())
	}
	for _, side := range s.Sides {
		if side.Median.Rejected > 0 {
			fmt.Fprintf(w, "  %s refused %d events: %s\n", side.Label, side.Median.Rejected, side.Median.Problem)
		}
		if side.Median.Unverified > 0 {
			fmt.Fprintf(w, "  %s sent %d deliveries with a wrong signature\n", side.Label, side.Median.Unverified)
		}
	}
	return nil
}

func (s *scenario) describe() string {
	text := fmt.Sprintf("%d events of %d bytes over %d connections", s.Events, s.Size, s.Connections)
	if s.Batch > 1 {
		text += fmt.Sprintf(", %d in a request", s.Batch)
	}
	if s.Fanout > 1 {
		text += fmt.Sprintf(", to %d endpoints each", s.Fanout)
	}
	if s.Rate > 0 {
		text += fmt.Sprintf(", %.0f a second", s.Rate)
	}
	return text
}

// line is "ok    delivered, product / relay  0.71  (at least 0.50)".
func (r result) line() string {
	mark, bound := "     ", ""
	if r.AtLeast > 0 {
		bound = fmt.Sprintf("  (at least %.4g%s)", r.AtLeast, unit(r.Unit))
	}
	if r.AtMost > 0 {
		bound = fmt.Sprintf("  (at most %.4g%s)", r.AtMost, unit(r.Unit))
	}
	switch {
	case !r.Kept:
		mark = "MISS "
	case bound != "":
		mark = "ok   "
	}
	return fmt.Sprintf("%s%s: %.2f%s%s", mark, r.What, r.Value, unit(r.Unit), bound)
}

func unit(u string) string {
	if u == "" {
		return ""
	}
	return " " + u
}

// line is a measurement in short, for progress.
func (m *measurement) line() string {
	text := fmt.Sprintf("%.0f/s, p99 %.2f ms, %.0f µs CPU, %.0f MiB", m.Rate, milliseconds(m.EndToEnd.P99), m.CPU, float64(m.PeakRSS)/(1<<20))
	if m.Lost > 0 {
		text += fmt.Sprintf(", LOST %d", m.Lost)
	}
	if m.Rejected > 0 {
		text += fmt.Sprintf(", REFUSED %d", m.Rejected)
	}
	return text
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
