package deliver

import (
	"context"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// loaderCount is how many lanes are read from the store at the same time.
const loaderCount = 2

// loadTask asks a loader for a lane's work.
type loadTask struct {
	endpoint postrider.EndpointID
	describe bool // the endpoint itself is wanted too
	cancel   bool // the endpoint is deleted: cancel what is pending instead of loading it
	limit    int  // how many deliveries at most
}

// loadResult is a loader's answer.
type loadResult struct {
	task     loadTask
	asked    time.Time // what was due then was asked for
	endpoint *postrider.Endpoint
	refill   store.Refill
	err      error
}

// cancelStep bounds the deliveries that one transaction cancels.
const cancelStep = 500

func (e *Engine) loader() {
	for task := range e.loads {
		result := e.load(e.workCtx, task)
		e.inbox.post(func(m *messages) { m.loaded = append(m.loaded, result) })
	}
}

func (e *Engine) load(ctx context.Context, task loadTask) (result loadResult) {
	result = loadResult{task: task, asked: time.Now()}
	if task.describe {
		if result.endpoint, result.err = e.options.Queue.LaneEndpoint(ctx, task.endpoint); result.err != nil {
			return result
		}
	}
	if task.cancel || result.endpoint != nil && result.endpoint.Deleted() {
		for n := cancelStep; n == cancelStep && result.err == nil; {
			n, result.err = e.options.Queue.CancelPending(ctx, task.endpoint, postrider.ReasonEndpointDeleted,
				result.asked.UTC().Truncate(time.Millisecond), cancelStep)
		}
		return result
	}
	result.refill, result.err = e.options.Queue.Due(ctx, task.endpoint, result.asked, task.limit)
	return result
}
