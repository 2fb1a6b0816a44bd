package observe

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postrider/postrider"
)

// Metrics counts what one process does. Its methods are safe for concurrent use, take no lock of
// their own and allocate nothing, since they are called on the way of every event.
type Metrics struct {
	registry *prometheus.Registry

	accepted   prometheus.Counter
	duplicates prometheus.Counter
	batch      prometheus.Histogram
	commit     prometheus.Histogram

	attempts   map[postrider.OutcomeCode]prometheus.Counter // never written after NewMetrics
	attempt    prometheus.Histogram
	deliveries map[postrider.DeliveryState]prometheus.Counter // never written after NewMetrics
	endToEnd   prometheus.Histogram
	settled    prometheus.Histogram
	settle     prometheus.Histogram
	unsettled  atomic.Int64 // attempts that have ended and are not in the store yet
}

// latencyBuckets are in seconds, from a receiver on the same machine to the longest time limit of a
// contract (30 s, 003.5).
var latencyBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// endToEndBuckets go on to a day, since a delivery may wait for its retry schedule or dispatch tick.
var endToEndBuckets = append(append([]float64(nil), latencyBuckets...), 60, 300, 1800, 7200, 43200, 86400)

// NewMetrics makes a registry with every metric at zero, the Go runtime's and the process's among them.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		attempts:   make(map[postrider.OutcomeCode]prometheus.Counter),
		deliveries: make(map[postrider.DeliveryState]prometheus.Counter),
	}
	m.accepted = m.counter("postrider_events_accepted_total", "Events accepted and stored.")
	m.duplicates = m.counter("postrider_events_duplicate_total", "Events that were answered again because their id or idempotency key was known.")
	m.batch = m.histogram("postrider_commit_batch_events", "Events written by one commit.", prometheus.ExponentialBuckets(1, 2, 11))
	m.commit = m.histogram("postrider_commit_seconds", "Duration of commits of events, the disk's part included.", latencyBuckets)
	m.attempt = m.histogram("postrider_attempt_seconds", "Duration of delivery attempts, from the start of the request to its outcome.", latencyBuckets)
	m.endToEnd = m.histogram("postrider_delivery_seconds", "Time from accepting an event to the final state of a delivery.", endToEndBuckets)
	m.settled = m.histogram("postrider_settle_batch_outcomes", "Outcomes of attempts written by one commit.", prometheus.ExponentialBuckets(1, 2, 11))
	m.settle = m.histogram("postrider_settle_seconds", "Duration of commits of outcomes, the disk's part included.", latencyBuckets)
	m.Gauge("postrider_outcomes_unsettled", "Attempts that have ended and whose outcome is not in the store yet.", func() float64 {
		return float64(max(m.unsettled.Load(), 0))
	})

	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postrider_attempts_total", Help: "Delivery attempts by outcome code."}, []string{"outcome"})
	m.registry.MustRegister(attempts)
	for _, code := range outcomeCodes() {
		m.attempts[code] = attempts.WithLabelValues(string(code))
	}
	deliveries := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postrider_deliveries_total", Help: "Deliveries that reached a final state, by state."}, []string{"state"})
	m.registry.MustRegister(deliveries)
	for _, state := range []postrider.DeliveryState{postrider.DeliverySucceeded, postrider.DeliveryFailed, postrider.DeliveryCancelled} {
		m.deliveries[state] = deliveries.WithLabelValues(string(state))
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// outcomeCodes is the closed list of root delivery.go.
func outcomeCodes() []postrider.OutcomeCode {
	return []postrider.OutcomeCode{
		postrider.OutcomeDelivered, postrider.OutcomeHTTPStatus, postrider.OutcomeDNS, postrider.OutcomeRefused,
		postrider.OutcomeUnreachable, postrider.OutcomeTLS, postrider.OutcomeTimeout, postrider.OutcomeReset,
		postrider.OutcomeTooLarge, postrider.OutcomeBlockedAddress, postrider.OutcomeProtocol,
		postrider.OutcomeContract, postrider.OutcomeInterrupted, postrider.OutcomeToken,
	}
}

// Handler serves the metrics in Prometheus's text form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// EventsAccepted counts n events that were stored.
func (m *Metrics) EventsAccepted(n int) { m.accepted.Add(float64(n)) }

// EventsDuplicate counts n events that were known already.
func (m *Metrics) EventsDuplicate(n int) { m.duplicates.Add(float64(n)) }

// Committed notes that one commit wrote n events, and how long it took.
func (m *Metrics) Committed(n int, took time.Duration) {
	m.batch.Observe(float64(n))
	m.commit.Observe(took.Seconds())
}

// Settled notes that one commit wrote the outcomes of n attempts, and how long it took.
func (m *Metrics) Settled(n int, took time.Duration) {
	m.unsettled.Add(-int64(n))
	m.settled.Observe(float64(n))
	m.settle.Observe(took.Seconds())
}

// AttemptEnded counts an attempt by its outcome and notes how long it took.
func (m *Metrics) AttemptEnded(code postrider.OutcomeCode, took time.Duration) {
	if counter, found := m.attempts[code]; found {
		counter.Inc()
	}
	m.attempt.Observe(took.Seconds())
	m.unsettled.Add(1)
}

// DeliverySettled counts a delivery that reached a final state and notes how long it took since its
// event was accepted. A pending one is not counted.
func (m *Metrics) DeliverySettled(state postrider.DeliveryState, sinceAccepted time.Duration) {
	if counter, found := m.deliveries[state]; found {
		counter.Inc()
		m.endToEnd.Observe(sinceAccepted.Seconds())
	}
}

// Gauge adds a value that is read whenever the metrics are served. The name and help are constants
// of the caller's; a name that is taken panics, since only the composition root calls this.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}
