package restapi

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// limits bounds how many requests each key, or each user, makes: publishing requests and all others
// are counted apart. What it costs on the way of an event is one look-up and one atomic exchange.
type limits struct {
	publish, manage rule
	now             func() time.Time

	mu    sync.RWMutex // guards known, and is never held over anything else
	known map[postrider.ID]*meters
}

// meters are the counts of one key.
type meters struct{ publish, manage meter }

// maxMetered bounds how many keys are counted at the same time. More of them begin anew.
const maxMetered = 100_000

// window is the time for which a limit is told.
const window = time.Minute

func newLimits(publish, manage int, now func() time.Time) *limits {
	return &limits{publish: newRule(publish), manage: newRule(manage), now: now, known: make(map[postrider.ID]*meters)}
}

// rule is a limit, made ready for counting. The zero rule limits nothing.
type rule struct {
	limit int64
	cost  int64    // of one request, in ns
	step  int64    // what is told of the rest is rounded down to a multiple of it
	text  []string // the limit as a header value
}

func newRule(limit int) rule {
	if limit <= 0 {
		return rule{}
	}
	return rule{limit: int64(limit), cost: max(1, int64(window)/int64(limit)), step: max(1, int64(limit)/1000), text: []string{strconv.Itoa(limit)}}
}

// meter counts by the generic cell rate algorithm (ITU-T I.371): full is when the whole limit is there
// again, and each request puts it off by its cost. A request that would put it off by more than the
// window is refused.
type meter struct {
	full atomic.Int64 // ns since 1970
	told atomic.Pointer[rest]
}

// rest is what headers last told. It is kept because it seldom changes from one request to the next:
// a thousandth of the limit and a whole second are its steps.
type rest struct {
	remaining, reset         int64
	remainingText, resetText []string
}

// take counts one request, and tells in the header how many more there may be. wait is 0, or how
// long to wait when the request is one too many.
func (l *limits) take(p auth.Principal, action auth.Action, header http.Header) (wait time.Duration) {
	r := &l.manage
	if action == auth.PublishEvent {
		r = &l.publish
	}
	if r.limit == 0 {
		return 0
	}
	found := l.meters(p)
	m := &found.manage
	if action == auth.PublishEvent {
		m = &found.publish
	}
	now := l.now().UnixNano()
	full, wait := m.count(r, now)
	m.tell(r, full, now, header)
	return wait
}

func (l *limits) meters(p auth.Principal) *meters {
	id := p.KeyID.ID
	if !p.UserID.IsZero() {
		id = p.UserID.ID
	}
	l.mu.RLock()
	found := l.known[id]
	l.mu.RUnlock()
	if found != nil {
		return found
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if found = l.known[id]; found == nil {
		if len(l.known) >= maxMetered {
			clear(l.known)
		}
		found = &meters{}
		l.known[id] = found
	}
	return found
}

func (m *meter) count(r *rule, now int64) (full int64, wait time.Duration) {
	for {
		before := m.full.Load()
		full := max(before, now) + r.cost
		if over := full - now - r.cost*r.limit; over > 0 {
			return before, time.Duration(over)
		}
		if m.full.CompareAndSwap(before, full) {
			return full, 0
		}
	}
}

func (m *meter) tell(r *rule, full, now int64, header http.Header) {
	remaining := r.limit - (max(full-now, 0)+r.cost-1)/r.cost
	remaining = max(remaining-remaining%r.step, 0)
	reset := (max(full, now) + int64(time.Second) - 1) / int64(time.Second)
	told := m.told.Load()
	if told == nil || told.remaining != remaining || told.reset != reset {
		told = &rest{remaining, reset, []string{strconv.FormatInt(remaining, 10)}, []string{strconv.FormatInt(reset, 10)}}
		m.told.Store(told)
	}
	header["X-Ratelimit-Limit"] = r.text
	header["X-Ratelimit-Remaining"] = told.remainingText
	header["X-Ratelimit-Reset"] = told.resetText
}

// overLimit words a request that was one too many.
func overLimit(action auth.Action, wait time.Duration) error {
	what := "requests"
	if action == auth.PublishEvent {
		what = "publishing requests; POST /v1/events/batch takes many events in one"
	}
	return &postrider.Error{Code: postrider.CodeRateLimited, RetryAfter: wait, Message: "this key has made too many " + what}
}
