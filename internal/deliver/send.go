package deliver

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/store"
)

// sender makes attempts until there is no more work. The scheduler starts senders as it needs them.
func (e *Engine) sender() {
	var request contract.Request // its slices are used again for every request: a Poster does not keep them
	for j := range e.work {
		if cap(request.Body) > keptBuffer {
			request.Body = nil // one large event must not fatten a sender for ever
		}
		e.attempt(j, &request)
		e.inbox.finish(j)
	}
}

// keptBuffer is the largest body whose room a sender keeps, in bytes.
const keptBuffer = 32 << 10

// attempt makes one request and works out what follows from it.
func (e *Engine) attempt(j *job, request *contract.Request) {
	started := time.Now()
	j.attempt = e.post(e.sendCtx, j.target, j.event, request, started)
	if j.attempt.Outcome.Code == postrider.OutcomeInterrupted {
		j.interrupted = true
		return
	}
	j.attempt.Delivery = j.delivery.ID
	j.attempt.Number = j.delivery.Attempts + 1
	j.attempt.Trigger = postrider.TriggerSchedule
	if c := j.target.contract; c != nil && j.attempt.Number > c.MaxAttempts() {
		j.attempt.Trigger = postrider.TriggerManual // beyond the schedule only a person asks
	}
	ended := started.Add(j.attempt.Duration).UTC().Truncate(time.Millisecond)
	j.settlement = settle(j, ended)
	if e.options.OnAttempt != nil {
		e.options.OnAttempt(Report{Endpoint: j.target.endpoint, Event: j.event, Attempt: &j.attempt, State: j.settlement.State})
	}
}

// post renders, signs and sends one request and judges what came back.
func (e *Engine) post(ctx context.Context, t *target, event *postrider.Event, request *contract.Request, started time.Time) postrider.Attempt {
	attempt := postrider.Attempt{
		StartedAt: started.UTC().Truncate(time.Millisecond),
		Request:   postrider.RequestHead{URL: t.endpoint.URL},
	}
	if t.fault == "" {
		if err := t.renderer.Render(request, event, started); err != nil {
			t = &target{endpoint: t.endpoint, contract: t.contract, fault: "the request cannot be made: " + err.Error()}
		}
	}
	if t.fault != "" {
		attempt.Outcome = postrider.Outcome{Kind: postrider.OutcomeRetryable, Code: postrider.OutcomeContract, Detail: t.fault}
		return attempt
	}
	result := e.options.Poster.Post(ctx, &egress.Request{
		URL: t.url, Header: request.Header, Body: request.Body,
		Timeout: t.contract.Timeout(), ResponseLimit: t.contract.ResponseLimit(),
		Credentials: t.credentials,
	})
	attempt.Duration = time.Since(started)
	attempt.Request.Header = slices.Concat(request.Header, t.credentials.Shown())
	attempt.Response, attempt.Phases = result.Response, result.Phases
	attempt.Response.Body, attempt.Response.Truncated = bound(result.Response.Body, result.Response.Truncated, result.Response.Status)
	attempt.Outcome = t.contract.Judge(contract.Answer{
		Status: result.Response.Status, RetryAfter: result.RetryAfter, Failure: result.Failure, Detail: result.Detail,
	}, started.Add(attempt.Duration))
	return attempt
}

// What is kept of a response's body, in bytes: little of a success, enough of a failure to see why.
const (
	keptOfSuccess = 1 << 10
	keptOfFailure = 16 << 10
)

func bound(body []byte, truncated bool, status int) ([]byte, bool) {
	limit := keptOfFailure
	if status >= 200 && status < 300 {
		limit = keptOfSuccess
	}
	if len(body) > limit {
		return slices.Clone(body[:limit]), true // a clone, so that the rest can be freed
	}
	return body, truncated
}

// settle says what the attempt means for the delivery: its end, or when it goes again.
func settle(j *job, ended time.Time) store.Settlement {
	outcome := &j.attempt.Outcome
	s := store.Settlement{
		Delivery: j.delivery.ID, Sequence: j.delivery.Sequence, Tenant: j.delivery.Tenant, Endpoint: j.delivery.Endpoint,
		Attempt: &j.attempt, Reason: postrider.ReasonCode(outcome.Code), EndedAt: ended,
	}
	switch outcome.Kind {
	case postrider.OutcomeSuccess:
		s.State, s.Reason = postrider.DeliverySucceeded, ""
		return s
	case postrider.OutcomeGone:
		s.State, s.Disable = postrider.DeliveryFailed, postrider.DisabledByGone
		return s
	case postrider.OutcomePermanent:
		s.State = postrider.DeliveryFailed
		return s
	}
	at, more := ended.Add(faultRetry), true
	if c := j.target.contract; c != nil {
		at, more = c.Next(j.attempt.Number, *outcome, j.delivery.Environment, ended, rand.Float64())
		if !more && c.DisablesOnExhaustion() && j.attempt.Number == c.MaxAttempts() {
			s.Disable = postrider.DisabledByExhausted
		}
	}
	if !more {
		s.State = postrider.DeliveryFailed
		return s
	}
	s.State, s.DueAt, s.EndedAt = postrider.DeliveryPending, at.UTC().Truncate(time.Millisecond), time.Time{}
	return s
}

// Test sends one signed request at once, past the lane and its limits, and reports the attempt.
// Nothing is stored. ctx bounds it beside the contract's time limit.
func (e *Engine) Test(ctx context.Context, endpoint *postrider.Endpoint, event *postrider.Event) postrider.Attempt {
	started := time.Now()
	attempt := e.post(ctx, newTarget(endpoint, e.options.Contracts, e.options.LaneInFlight, nil), event, new(contract.Request), started)
	attempt.Number, attempt.Trigger = 1, postrider.TriggerTest
	return attempt
}
