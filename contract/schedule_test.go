package contract_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

var failed = postrider.Outcome{Kind: postrider.OutcomeRetryable, Code: postrider.OutcomeHTTPStatus}

// play fails every attempt, each taking a second, and gives the starts of all attempts since the event.
func play(c *contract.Contract, env postrider.Environment, accepted time.Time, jitter float64) []time.Duration {
	var starts []time.Duration
	at, more := c.FirstDue(env, accepted), true
	for attempt := 1; more; attempt++ {
		starts = append(starts, at.Sub(accepted))
		at, more = c.Next(attempt, failed, env, at.Add(time.Second), jitter)
	}
	return starts
}

func TestSchedulesAreTheSeedsOwn(t *testing.T) {
	accepted := time.Date(2025, 12, 12, 20, 44, 0, 0, time.UTC)
	hours := func(n int) []time.Duration {
		var out []time.Duration
		for i := range n {
			out = append(out, time.Duration(i)*(time.Hour+time.Second))
		}
		return out
	}
	ticks := func(first, period time.Duration, n int) []time.Duration {
		var out []time.Duration
		for i := range n {
			out = append(out, first+time.Duration(i)*period)
		}
		return out
	}
	sums := func(gaps ...time.Duration) []time.Duration {
		out := []time.Duration{0}
		for i, gap := range gaps {
			out = append(out, out[i]+time.Second+gap)
		}
		return out
	}
	const m, h = time.Minute, time.Hour
	tests := []struct {
		name string
		env  postrider.Environment
		want []time.Duration
	}{
		{"generic", postrider.Production, sums(0, m, 5*m, 30*m, 2*h)},
		{"generic", postrider.Sandbox, sums(0, m, 5*m, 30*m, 2*h)},
		{"standard", postrider.Production, sums(5*time.Second, 5*m, 30*m, 2*h, 5*h, 10*h, 14*h, 20*h, 24*h)},
		{"xemelgo", postrider.Production, sums(10*time.Second, m, 10*m, h)},
		{"ewarehousing", postrider.Production, hours(11)},
		{"shiip", postrider.Production, ticks(16*m, 30*m, 11)},
		{"shiip", postrider.Sandbox, ticks(m, 5*m, 11)},
	}
	for _, test := range tests {
		c := builtin(t, test.name)
		got := play(c, test.env, accepted, 0)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s in %s (-want +got):\n%s", test.name, test.env, diff)
		}
		if len(got) != c.MaxAttempts() {
			t.Errorf("%s: %d attempts, MaxAttempts says %d", test.name, len(got), c.MaxAttempts())
		}
	}
}

// 004.11: receivers remember ids for 24 hours, so no automatic attempt may come later, whatever a
// receiver asks for.
func TestGenericNeverRetriesAfterADay(t *testing.T) {
	c := builtin(t, "generic")
	at, more, start := occurred, true, occurred
	for attempt := 1; more; attempt++ {
		start = at
		ended := at.Add(c.Timeout())
		at, more = c.Next(attempt, c.Judge(contract.Answer{Status: 503, RetryAfter: "99999999"}, ended), postrider.Production, ended, 0.999)
	}
	if took := start.Sub(occurred); took > 24*time.Hour || took < 20*time.Hour {
		t.Errorf("the last attempt comes %s after the first", took)
	}
}

func TestFinalOutcomesHaveNoNextAttempt(t *testing.T) {
	for _, c := range contract.Builtin() {
		for _, kind := range []postrider.OutcomeKind{postrider.OutcomeSuccess, postrider.OutcomePermanent, postrider.OutcomeGone} {
			if at, more := c.Next(1, postrider.Outcome{Kind: kind}, postrider.Production, occurred, 0); more || !at.IsZero() {
				t.Errorf("%s: %s is followed by an attempt at %s", c.Name(), kind, at)
			}
		}
		for _, attempt := range []int{-1, 0, c.MaxAttempts(), c.MaxAttempts() + 1, 1 << 40} {
			if _, more := c.Next(attempt, failed, postrider.Production, occurred, 0); more {
				t.Errorf("%s: attempt %d is followed by another", c.Name(), attempt)
			}
		}
	}
}

func TestAnInterruptedAttemptIsRepeatedAtOnce(t *testing.T) {
	for _, c := range contract.Builtin() {
		o := c.Judge(contract.Answer{Failure: postrider.OutcomeInterrupted}, occurred)
		for _, attempt := range []int{1, c.MaxAttempts(), c.MaxAttempts() + 3} {
			if at, more := c.Next(attempt, o, postrider.Production, occurred, 0.5); !more || !at.Equal(occurred) {
				t.Errorf("%s: after interrupted attempt %d: %s, %v", c.Name(), attempt, at, more)
			}
		}
	}
}

func TestJitterOnlyLengthensWithinItsShare(t *testing.T) {
	c := builtin(t, "standard")
	for attempt, delay := range c.Document().Retry.Delays {
		for _, jitter := range []float64{-1, 0, 0.25, 0.5, 0.999999, 1, 7} {
			at, more := c.Next(attempt+1, failed, postrider.Production, occurred, jitter)
			if got := at.Sub(occurred); !more || got < delay || got > delay+delay/10+time.Millisecond {
				t.Errorf("attempt %d, jitter %g: %s, want %s to a tenth more", attempt+1, jitter, got, delay)
			}
		}
	}
	early, _ := c.Next(4, failed, postrider.Production, occurred, 0)
	late, _ := c.Next(4, failed, postrider.Production, occurred, 0.9)
	if late.Sub(early) < 10*time.Minute {
		t.Errorf("jitter moves a delay of 2h by %s only", late.Sub(early))
	}
	for _, name := range []string{"generic", "ewarehousing", "shiip"} {
		c := builtin(t, name)
		a, _ := c.Next(2, failed, postrider.Production, occurred, 0)
		b, _ := c.Next(2, failed, postrider.Production, occurred, 0.9)
		if !a.Equal(b) {
			t.Errorf("%s promises exact times and jitters", name)
		}
	}
}

func TestDueTimesAreWholeMilliseconds(t *testing.T) {
	odd := occurred.Add(123456 * time.Nanosecond)
	for _, c := range contract.Builtin() {
		for _, factor := range []float64{1, 7, 1000, 1e6} {
			at, _ := c.Scaled(factor).Next(2, failed, postrider.Sandbox, odd, 0.3)
			if !at.Equal(at.Truncate(time.Millisecond)) || at.Before(odd) || at.Location() != time.UTC {
				t.Errorf("%s scaled by %g: %s", c.Name(), factor, at)
			}
		}
	}
}

func TestTicksAreAlignedToTheWallClock(t *testing.T) {
	c := builtin(t, "shiip")
	day := time.Date(2025, 12, 12, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		env       postrider.Environment
		now, want time.Duration
	}{
		{postrider.Production, 0, 0},
		{postrider.Production, time.Nanosecond, 30 * time.Minute},
		{postrider.Production, 30 * time.Minute, 30 * time.Minute},
		{postrider.Production, 30*time.Minute + time.Millisecond, time.Hour},
		{postrider.Production, 24*time.Hour - time.Millisecond, 24 * time.Hour},
		{postrider.Sandbox, 0, 0},
		{postrider.Sandbox, time.Minute, 5 * time.Minute},
		{postrider.Sandbox, 4*time.Minute + 59*time.Second + 999*time.Millisecond, 5 * time.Minute},
	}
	for _, test := range tests {
		if got := c.FirstDue(test.env, day.Add(test.now)).Sub(day); got != test.want {
			t.Errorf("%s: %s after midnight waits until %s, want %s", test.env, test.now, got, test.want)
		}
	}
	zone := time.FixedZone("Kathmandu", 5*3600+45*60)
	if got := c.FirstDue(postrider.Production, day.Add(time.Minute).In(zone)); !got.Equal(day.Add(30 * time.Minute)) {
		t.Errorf("in a zone of 5:45 the tick is %s", got)
	}
	before1970 := time.Date(1969, 12, 31, 23, 50, 0, 0, time.UTC)
	if got := c.FirstDue(postrider.Production, before1970); !got.Equal(time.Unix(0, 0)) {
		t.Errorf("before 1970 the tick is %s", got)
	}
	if got := builtin(t, "generic").FirstDue(postrider.Production, occurred); !got.Equal(occurred) {
		t.Errorf("generic waits until %s", got)
	}
}

func TestScaledDividesSchedulesAndTicks(t *testing.T) {
	day := time.Date(2025, 12, 12, 0, 0, 0, 0, time.UTC)
	e := builtin(t, "ewarehousing").Scaled(1000)
	if at, _ := e.Next(1, failed, postrider.Production, occurred, 0); at.Sub(occurred) != 3600*time.Millisecond {
		t.Errorf("an hour scaled by 1000 is %s", at.Sub(occurred))
	}
	if e.Timeout() != 10*time.Second || e.MaxAttempts() != 11 || e.Name() != "ewarehousing" {
		t.Errorf("scaling changed the time limit (%s), the attempts (%d) or the name", e.Timeout(), e.MaxAttempts())
	}
	s := builtin(t, "shiip").Scaled(1000)
	if at := s.FirstDue(postrider.Production, day.Add(time.Millisecond)); at.Sub(day) != 1800*time.Millisecond {
		t.Errorf("30 minutes scaled by 1000 tick at %s", at.Sub(day))
	}
	for n := range 50 { // a failed one goes at one of the scaled ticks, and at the next
		ended := day.Add(time.Duration(n) * 77 * time.Millisecond)
		at, more := s.Next(3, failed, postrider.Sandbox, ended, 0.5)
		if wait := at.Sub(ended); !more || at.UnixMilli()%300 != 0 || wait <= 0 || wait > 300*time.Millisecond {
			t.Errorf("ended %s, next %s", ended, at)
		}
	}
	tiny := builtin(t, "shiip").Scaled(1e12)
	if at, _ := tiny.Next(1, failed, postrider.Production, day, 0); at.Sub(day) != time.Millisecond {
		t.Errorf("the smallest tick is %s", at.Sub(day))
	}
	original := builtin(t, "generic")
	_ = original.Scaled(1000)
	if at, _ := original.Next(2, failed, postrider.Production, occurred, 0); at.Sub(occurred) != time.Minute {
		t.Errorf("scaling changed the contract itself: %s", at.Sub(occurred))
	}
	if got := builtin(t, "generic").Scaled(1000).Judge(contract.Answer{Status: 503, RetryAfter: "86400"}, occurred).RetryAfter; got != 14400*time.Millisecond {
		t.Errorf("the limit on Retry-After scaled by 1000 is %s", got)
	}
	for _, factor := range []float64{0, -1, 1, nan(), inf()} {
		if at, _ := builtin(t, "generic").Scaled(factor).Next(2, failed, postrider.Production, occurred, 0); at.Sub(occurred) != time.Minute {
			t.Errorf("factor %g makes a minute %s", factor, at.Sub(occurred))
		}
	}
	if at, more := builtin(t, "standard").Scaled(1e-300).Next(9, failed, postrider.Production, occurred, 0.9); !more || at.Before(occurred) {
		t.Errorf("a factor next to nothing overflows: %s", at)
	}
}

func nan() float64 { return inf() - inf() }

func inf() float64 {
	huge := 1e308
	return huge * 10
}
