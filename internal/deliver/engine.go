package deliver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/egress"
	"github.com/postrider/postrider/internal/store"
)

// Poster sends one request and reports what came back; egress.Client is one. It must not keep the
// request after it returned.
type Poster interface {
	Post(ctx context.Context, r *egress.Request) egress.Result
}

// Options are what an Engine needs. Zero limits take the defaults.
type Options struct {
	Queue     store.Queue
	Poster    Poster
	Contracts *contract.Set
	Logger    *slog.Logger

	// Disabled, when set, is told after an endpoint was disabled by what its receiver answered, again
	// and again until it succeeds. It runs in a goroutine of the engine's.
	Disabled func(ctx context.Context, id postrider.EndpointID) error
	// OnAttempt, when set, is told of every attempt, from the senders' goroutines.
	OnAttempt func(Report)
	// OnSettle, when set, is told of every settled group: how many, and how long the store took.
	OnSettle func(outcomes int, took time.Duration)

	LaneInFlight int     // requests of one lane at the same time, unless endpoint or contract say otherwise; default 16
	LaneDepth    int     // deliveries of one lane in memory, as far as MaxMemory lets it; default 2,048
	MaxSenders   int     // requests at the same time over all lanes; default 1,024
	MaxMemory    int64   // data of deliveries in memory, in bytes; default 48 MiB
	MaxUnsettled int     // outcomes that wait for the store before sending pauses; default 4,096
	TimeScale    float64 // divides the breaker's pauses, as it does the contracts' schedules; default 1
}

// Report describes an attempt to whoever observes the engine.
type Report struct {
	Endpoint *postrider.Endpoint
	Event    *postrider.Event
	Attempt  *postrider.Attempt
	State    postrider.DeliveryState // of the delivery after it
}

// Engine delivers. Start it once, stop it once; the other methods are safe for concurrent use.
type Engine struct {
	options Options
	inbox   mailbox

	sendCtx    context.Context // ends when in-flight requests must end
	cancelSend context.CancelFunc
	workCtx    context.Context // ends when store calls must end
	cancelWork context.CancelFunc

	work    chan *job     // scheduler → senders
	loads   chan loadTask // scheduler → loaders
	settler settler
	running sync.WaitGroup // every goroutine of the engine
	drained chan struct{}  // closed by the scheduler when it has stopped
}

// New makes an engine that does nothing until Start.
func New(o Options) *Engine {
	setDefault(&o.LaneInFlight, 16)
	setDefault(&o.LaneDepth, 2048)
	setDefault(&o.MaxSenders, 1024)
	setDefault(&o.MaxMemory, 48<<20)
	setDefault(&o.MaxUnsettled, 4096)
	setDefault(&o.TimeScale, 1)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		options: o,
		work:    make(chan *job, o.MaxSenders),
		loads:   make(chan loadTask, loaderCount),
		drained: make(chan struct{}),
	}
	e.inbox.wake = make(chan struct{}, 1)
	e.settler = settler{engine: e, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	e.sendCtx, e.cancelSend = context.WithCancel(context.Background())
	e.workCtx, e.cancelWork = context.WithCancel(context.Background())
	return e
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Start reads which lanes have work and begins. An error is the store's; the engine is not started then.
func (e *Engine) Start(ctx context.Context) error {
	lanes, err := e.options.Queue.Lanes(ctx)
	if err != nil {
		return err
	}
	s := newScheduler(e)
	now := time.Now()
	for _, summary := range lanes {
		s.lane(summary.Endpoint).waitUntil(summary.Earliest)
	}
	for _, l := range s.lanes {
		s.plan(l, now)
	}
	e.running.Go(s.run)
	e.running.Go(e.settler.run)
	for range loaderCount {
		e.running.Go(e.loader)
	}
	return nil
}

// Stop begins no more attempts, lets those under way end until ctx does, settles them, and returns
// when every goroutine of the engine has ended. The error says what could not be finished; it stays
// pending in the store and is delivered after the next start.
func (e *Engine) Stop(ctx context.Context) error {
	e.inbox.post(func(m *messages) { m.stop = true })
	var err error
	select {
	case <-e.drained:
	case <-ctx.Done():
		err = errors.New("some requests had not ended when the grace was over; they are delivered again after the next start")
		e.cancelSend()
		select {
		case <-e.drained:
		case <-time.After(settleGrace):
			e.cancelWork()
			<-e.drained
		}
	}
	e.cancelSend()
	e.cancelWork()
	e.running.Wait()
	return err
}

// settleGrace is how long Stop waits for the store after in-flight requests were cut off.
const settleGrace = 3 * time.Second

// Offer hands over deliveries that were just committed, with their events. It never blocks: what
// does not fit in memory is read from the store later. The jobs must not be changed afterwards.
func (e *Engine) Offer(jobs []store.Job) {
	e.inbox.post(func(m *messages) { m.offers = append(m.offers, jobs) })
}

// EndpointChanged tells the engine of an endpoint as it is now: edited, paused, resumed, disabled or deleted.
// The endpoint must not be changed afterwards.
func (e *Engine) EndpointChanged(endpoint *postrider.Endpoint) {
	e.inbox.post(func(m *messages) { m.changed = append(m.changed, endpoint) })
}

// Wake tells the engine that the store holds work for an endpoint that it may not know of.
func (e *Engine) Wake(endpoint postrider.EndpointID) {
	e.inbox.post(func(m *messages) { m.woken = append(m.woken, endpoint) })
}

// messages is all that can be said to the scheduler. Each field is a queue of its own.
type messages struct {
	offers   [][]store.Job
	finished []*job   // senders: the request ended
	settled  [][]*job // settler: the outcomes are durable
	loaded   []loadResult
	changed  []*postrider.Endpoint
	woken    []postrider.EndpointID
	stop     bool
}

// mailbox collects messages from any goroutine for the scheduler, which takes them all at once.
type mailbox struct {
	mu   sync.Mutex
	m    messages
	wake chan struct{} // holds a token while there may be messages
}

func (b *mailbox) post(add func(*messages)) {
	b.mu.Lock()
	add(&b.m)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// finish is post for the hot path: a job whose request ended.
func (b *mailbox) finish(j *job) {
	b.mu.Lock()
	b.m.finished = append(b.m.finished, j)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take swaps the collected messages for the emptied spare.
func (b *mailbox) take(spare *messages) messages {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.m
	b.m = messages{offers: spare.offers[:0], finished: spare.finished[:0], settled: spare.settled[:0], loaded: spare.loaded[:0],
		changed: spare.changed[:0], woken: spare.woken[:0]}
	return taken
}
