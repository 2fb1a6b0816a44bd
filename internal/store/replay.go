package store

import (
	"context"
	"time"

	"github.com/postrider/postrider"
)

// Replays makes new deliveries of events that were accepted before, because a person asks for it.
// They are numbered after those that the event has, and are deliveries like any other from then on.
//
// A large replay goes in steps: ReplayMatches finds the events of one step, and Replay owes them
// anew. A step is a transaction of bounded size, so that accepting events is not held up by it.
type Replays interface {
	// ReplayEvent owes one event again to each of the endpoints, all of them or none. CodeNotFound
	// when the event or an endpoint is not there, CodeConflict when an endpoint is disabled.
	ReplayEvent(ctx context.Context, tenant postrider.TenantID, event postrider.EventID, owed []Owed, now time.Time) ([]postrider.Delivery, error)

	// ReplayMatches looks through the tenant's events, in the order of their acceptance, for those that the
	// filter chooses. It looks at no more than Limit events that have the environment, the topics
	// without a wildcard and the times wanted.
	ReplayMatches(ctx context.Context, tenant postrider.TenantID, endpoint postrider.EndpointID, filter ReplayFilter) (ReplayMatches, error)

	// Replay owes these events, given by sequence, again to the endpoint, and reports to how many of
	// them that was done: one that the endpoint is still owed is passed over, because it goes
	// anyway. At most 1,000 events. CodeNotFound when the endpoint is not there, CodeConflict
	// when it is disabled.
	Replay(ctx context.Context, tenant postrider.TenantID, endpoint postrider.EndpointID, events []int64, due, now time.Time) (int, error)
}

// ReplayFilter chooses events. Zero fields do not restrict.
type ReplayFilter struct {
	Environment postrider.Environment
	Topics      [][]postrider.Topic // patterns; an event must match one of each list
	From, To    time.Time           // accepted at or after From, before To
	State       ReplayState
	After       int64 // only events of a higher sequence: the cursor
	Through     int64 // and of this one at most, so that a replay does not run after what is published meanwhile
	Limit       int   // 1 to 1,000
}

// ReplayState is how an event stands with an endpoint: pending when any of its deliveries to it is, else the
// state of the latest one, or ReplayNone.
type ReplayState string

// ReplayNone says that the event has no delivery to the endpoint.
const ReplayNone ReplayState = "none"

// ReplayMatches is what one step of a search found.
type ReplayMatches struct {
	Events  []int64 // sequences of the events that the filter chooses and that are not still owed
	Pending int     // how many more it chooses that are
	Next    int64   // cursor to go on from; 0 when all events were looked at
}

// Chooses reports whether the filter takes an event of this topic that so stands with the endpoint.
func (f *ReplayFilter) Chooses(topic postrider.Topic, state ReplayState) bool {
	if f.State != "" && f.State != state {
		return false
	}
	for _, patterns := range f.Topics {
		if !anyMatches(patterns, topic) {
			return false
		}
	}
	return true
}

func anyMatches(patterns []postrider.Topic, topic postrider.Topic) bool {
	for _, pattern := range patterns {
		if pattern.Matches(topic) {
			return true
		}
	}
	return false
}
