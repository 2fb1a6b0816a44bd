package deliver

import (
	"time"

	"github.com/postrider/postrider"
)

// window is how many requests a lane may have under way: additive increase while the receiver takes
// them, halved when it shows that it cannot (429, 503, time-out). It starts small and doubles until the
// first setback, so that an unknown endpoint that hangs does not take many senders with it.
type window struct {
	limit   float64
	setback bool // there was one: grow slowly from now on
}

const firstWindow = 4

// size is the limit in force, 1 to max.
func (w *window) size(max int) int {
	if w.limit == 0 {
		w.limit = firstWindow
	}
	if w.limit > float64(max) {
		w.limit = float64(max)
	}
	return int(w.limit)
}

func (w *window) record(o *postrider.Outcome, status int) {
	switch {
	case o.Kind == postrider.OutcomeSuccess && !w.setback:
		w.limit++
	case o.Kind == postrider.OutcomeSuccess:
		w.limit += 1 / w.limit
	case o.Code == postrider.OutcomeTimeout || status == 429 || status == 503:
		w.limit = max(1, w.limit/2)
		w.setback = true
	}
}

// breaker spares an endpoint that fails again and again, and spares the engine its failures. After
// breakerThreshold failures in a row the lane sends one request at a time and pauses in between, a
// little longer after each failure. The first success closes it. The pause is short against any
// retry schedule, so that the contract's spacing holds.
type breaker struct {
	failures int
	reopen   time.Time
	scale    float64
}

const (
	breakerThreshold  = 10
	breakerFirstPause = 50 * time.Millisecond
	breakerLastPause  = 2 * time.Second
)

func (b *breaker) failing() bool { return b.failures >= breakerThreshold }

// until is when the next request may go.
func (b *breaker) until() time.Time { return b.reopen }

func (b *breaker) record(o *postrider.Outcome, now time.Time) {
	if o.Kind == postrider.OutcomeSuccess {
		b.failures, b.reopen = 0, time.Time{}
		return
	}
	if b.failures++; b.failing() {
		doublings := min(b.failures-breakerThreshold, 8)
		pause := min(breakerFirstPause<<doublings, breakerLastPause)
		b.reopen = now.Add(time.Duration(float64(pause) / b.scale))
	}
}
