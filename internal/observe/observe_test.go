package observe_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/observe"
)

func TestMetricsShowWhatWasCounted(t *testing.T) {
	m := observe.NewMetrics()
	m.EventsAccepted(3)
	m.EventsDuplicate(1)
	m.Committed(3, 2*time.Millisecond)
	m.AttemptEnded(postrider.OutcomeDelivered, 4*time.Millisecond)
	m.AttemptEnded(postrider.OutcomeTimeout, 5*time.Second)
	m.DeliverySettled(postrider.DeliverySucceeded, 20*time.Millisecond)
	m.DeliverySettled(postrider.DeliveryPending, time.Hour)
	m.Settled(1, 3*time.Millisecond)
	m.Gauge("postrider_lanes", "Lanes in memory.", func() float64 { return 7 })

	text := scrape(t, m)
	for _, line := range []string{
		"postrider_events_accepted_total 3",
		"postrider_events_duplicate_total 1",
		"postrider_commit_batch_events_sum 3",
		`postrider_attempts_total{outcome="delivered"} 1`,
		`postrider_attempts_total{outcome="timeout"} 1`,
		`postrider_attempts_total{outcome="tls"} 0`,
		`postrider_attempt_seconds_bucket{le="0.005"} 1`,
		"postrider_attempt_seconds_count 2",
		`postrider_deliveries_total{state="succeeded"} 1`,
		`postrider_deliveries_total{state="failed"} 0`,
		"postrider_delivery_seconds_count 1",
		"postrider_lanes 7",
		"postrider_outcomes_unsettled 1",
		"postrider_settle_batch_outcomes_count 1",
		`postrider_settle_seconds_bucket{le="0.0025"} 0`,
		`postrider_commit_seconds_bucket{le="0.0025"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q in the metrics", line)
		}
	}
}

func TestAWordOutsideTheClosedListsMakesNoSeries(t *testing.T) {
	m := observe.NewMetrics()
	m.AttemptEnded("made_up", time.Second)
	m.DeliverySettled("made_up", time.Second)
	if text := scrape(t, m); strings.Contains(text, "made_up") {
		t.Error("a label outside the closed lists became a series")
	}
}

func TestEveryOutcomeCodeOfTheVocabularyHasASeries(t *testing.T) {
	source, err := os.ReadFile("../../delivery.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\tOutcome\w+\s+OutcomeCode = "([a-z_]+)"`).FindAllSubmatch(source, -1)
	if len(codes) < 10 {
		t.Fatalf("found only %d codes in delivery.go", len(codes))
	}
	text := scrape(t, observe.NewMetrics())
	for _, code := range codes {
		if !strings.Contains(text, `outcome="`+string(code[1])+`"`) {
			t.Errorf("outcome code %s has no series", code[1])
		}
	}
}

func TestTwoRegistriesShareNothing(t *testing.T) {
	a, b := observe.NewMetrics(), observe.NewMetrics()
	a.EventsAccepted(5)
	if !strings.Contains(scrape(t, b), "postrider_events_accepted_total 0\n") {
		t.Error("one registry counted what another was told")
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	m := observe.NewMetrics()
	if n := testing.AllocsPerRun(100, func() {
		m.EventsAccepted(1)
		m.Committed(10, time.Millisecond)
		m.Settled(1, time.Millisecond)
		m.AttemptEnded(postrider.OutcomeDelivered, time.Millisecond)
		m.DeliverySettled(postrider.DeliverySucceeded, time.Millisecond)
	}); n != 0 {
		t.Errorf("counting one event allocated %v times", n)
	}
}

func TestLogLinesAreUTCAndHideSecrets(t *testing.T) {
	for _, format := range []observe.LogFormat{observe.LogText, observe.LogJSON} {
		var out bytes.Buffer
		log := observe.NewLogger(&out, format, observe.LogLevel{})
		log.Debug("too fine")
		log.Info("hello", "secret", postrider.NewSecret("hunter2"))
		line := out.String()
		if strings.Count(line, "\n") != 1 || !strings.Contains(line, "hello") {
			t.Errorf("%s: wrote %q, want one line", format, line)
		}
		if strings.Contains(line, "hunter2") {
			t.Errorf("%s: the secret was logged: %s", format, line)
		}
		if !strings.Contains(line, "Z") {
			t.Errorf("%s: the time is not UTC: %s", format, line)
		}
		if format == observe.LogJSON && !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestLogWordsAreAClosedList(t *testing.T) {
	var level observe.LogLevel
	var format observe.LogFormat
	for _, word := range []string{"debug", "info", "warn", "error"} {
		if err := level.UnmarshalText([]byte(word)); err != nil {
			t.Errorf("level %s: %v", word, err)
		}
		if text, _ := level.MarshalText(); string(text) != word {
			t.Errorf("level %s reads back as %s", word, text)
		}
	}
	for _, word := range []string{"", "INFO+1", "loud"} {
		if err := level.UnmarshalText([]byte(word)); postrider.ErrorCode(err) != postrider.CodeInvalid {
			t.Errorf("level %q: got %v, want a fault", word, err)
		}
		if err := format.UnmarshalText([]byte(word)); postrider.ErrorCode(err) != postrider.CodeInvalid {
			t.Errorf("format %q: got %v, want a fault", word, err)
		}
	}
}

func scrape(t *testing.T, m *observe.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	return answer.Body.String()
}
