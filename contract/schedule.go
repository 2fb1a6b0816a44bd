package contract

import (
	"time"

	"github.com/postrider/postrider"
)

// FirstDue says when the first attempt of an event that was accepted at now may go: at once, or at
// the next tick of the contract's dispatch rhythm (003.7). Ticks are the multiples of the period
// since 1970 in UTC, so that every node and every start has the same ones.
func (c *Contract) FirstDue(env postrider.Environment, now time.Time) time.Time {
	return tickAt(c.period(env), now)
}

// Next says when the next attempt may go after attempt number attempt (1 is the first) ended with
// outcome o, or that there is none: the outcome is final, or the schedule is used up. jitter is
// chosen by the caller, in [0, 1); it makes the delay longer by up to the contract's share of it.
//
// The time is whole milliseconds, rounded up. Under a dispatch rhythm it is a tick after the end. An attempt that the
// gateway's own stop interrupted says nothing about the receiver: it is repeated at once and never
// uses up the schedule.
func (c *Contract) Next(attempt int, o postrider.Outcome, env postrider.Environment, ended time.Time, jitter float64) (at time.Time, more bool) {
	if o.Kind != postrider.OutcomeRetryable {
		return time.Time{}, false
	}
	if o.Code == postrider.OutcomeInterrupted {
		return ceilMilli(ended), true
	}
	retry := &c.document.Retry
	if attempt < 1 || attempt > len(retry.Delays) {
		return time.Time{}, false
	}
	delay := retry.Delays[attempt-1]
	if jitter > 0 && jitter < 1 {
		delay += time.Duration(float64(delay) * retry.Jitter * jitter)
	}
	delay = max(delay, o.RetryAfter)
	period := c.period(env)
	if period > 0 {
		delay = max(delay, 1) // the tick that the attempt itself went at is over
	}
	return tickAt(period, ceilMilli(ended.Add(delay))), true
}

func (c *Contract) period(env postrider.Environment) time.Duration {
	if env == postrider.Sandbox {
		return c.document.Dispatch.Sandbox
	}
	return c.document.Dispatch.Production
}

// tickAt gives the first multiple of period that is not before t.
func tickAt(period time.Duration, t time.Time) time.Time {
	if period <= 0 {
		return t
	}
	// Whole milliseconds, not nanoseconds: those end in the year 2262.
	step := max(1, period.Milliseconds())
	at := ceilMilli(t).UnixMilli()
	if over := ((at % step) + step) % step; over > 0 {
		at += step - over
	}
	return time.UnixMilli(at).UTC()
}

func ceilMilli(t time.Time) time.Time {
	cut := t.Truncate(time.Millisecond)
	if cut.Before(t) {
		cut = cut.Add(time.Millisecond)
	}
	return cut.UTC()
}
