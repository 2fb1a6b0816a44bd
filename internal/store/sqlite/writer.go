package sqlite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
	"modernc.org/sqlite"
)

// What one transaction takes at most. One request may be larger by itself.
const (
	maxGroupWork  = 2048    // events, deliveries and settlements
	maxGroupBytes = 4 << 20 // of event data
)

const (
	patience   = 4 * time.Millisecond // how long outcomes wait for accepted events to ride along with
	enoughWork = 512                  // outcomes that do not wait
)

// carefulGroups is how many groups go the careful way after one in which something was met again:
// publishers repeat in bursts.
const carefulGroups = 16

// errMetAgain says that a fast statement met a key or an attempt that was there already. The
// group is rolled back and written again, looking before each step.
var errMetAgain = errors.New("something was met again")

// request is one write that a caller waits for. Exactly one of accept, settle and change is set.
type request struct {
	accept  []*store.Acceptance
	answers []store.Accepted
	settle  []store.Settlement

	// change is any other write. When it returns a *postrider.Error it has written nothing, and
	// the rest of its group stands.
	change func(c *connection) error

	work, bytes int
	patient     time.Time    // set when nobody is in a hurry: when the request came
	state       atomic.Int32 // waiting, taken or withdrawn
	err         error        // the answer, together with answers; read after done
	done        chan struct{}
}

const (
	waiting = iota
	taken
	withdrawn
)

// writer is the one place that writes. Its goroutine takes all requests that wait, runs them in one
// transaction, commits once, and answers all their callers. There is no timer: a request that
// comes alone is committed at once, and while a commit is on its way to the disk the next group
// gathers by itself.
type writer struct {
	store      *Store
	c          *connection
	checkpoint *checkpointer

	mu     sync.Mutex
	queue  []*request
	closed bool
	wake   chan struct{} // holds one token when queue is not empty or closed is set
	ended  chan struct{}

	// The goroutine's own.
	group   []*request
	careful int
	last    int64 // highest event.seq in use
	numbers numbers
	inbox   inbox
	settler settler
}

func newWriter(s *Store, c *connection, k *checkpointer) (*writer, error) {
	w := &writer{
		store: s, c: c, checkpoint: k,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
		numbers: newNumbers(c), inbox: newInbox(c), settler: newSettler(c),
	}
	if err := w.findLast(); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// submit hands a request to the goroutine and waits for its answer. A context that ends before the
// goroutine took the request withdraws it; after that the answer is waited for, so that nobody is
// told "not written" about something that was.
func (w *writer) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return w.store.fault(err)
	}
	r.done = make(chan struct{})
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return unavailable()
	}
	w.queue = append(w.queue, r)
	w.mu.Unlock()
	w.poke()
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, withdrawn) {
			return w.store.fault(ctx.Err())
		}
		<-r.done
	}
	return r.err
}

// change submits a management write.
func (w *writer) change(ctx context.Context, change func(c *connection) error) error {
	return w.submit(ctx, &request{change: change, work: 1})
}

// close lets the goroutine finish what waits, and waits for its end.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.poke()
	<-w.ended
}

func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) run() {
	defer close(w.ended)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		found, wait := w.take()
		switch {
		case found:
			w.commit(w.group)
			w.checkpoint.committed(w.c)
		case wait < 0:
			return
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-w.wake:
			case <-timer.C:
			}
		default:
			<-w.wake
		}
	}
}

// take fills group from the front of the queue and reports whether there was anything to do now.
// If not, wait says how long patient requests may still wait for company: 0 when there are none, less than
// 0 when the writer is closed.
func (w *writer) take() (found bool, wait time.Duration) {
	clear(w.group)
	w.group = w.group[:0]
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		if w.closed {
			return false, -1
		}
		return false, 0
	}
	if wait := w.patience(); wait > 0 {
		return false, wait
	}
	work, bytes, n := 0, 0, 0
	for _, r := range w.queue {
		if len(w.group) > 0 && (work+r.work > maxGroupWork || bytes+r.bytes > maxGroupBytes) {
			break
		}
		n++
		if r.state.CompareAndSwap(waiting, taken) {
			w.group = append(w.group, r)
			work += r.work
			bytes += r.bytes
		}
	}
	left := copy(w.queue, w.queue[n:])
	clear(w.queue[left:])
	w.queue = w.queue[:left]
	return true, 0
}

// patience is how long everything in the queue may still wait for company; the caller holds mu.
func (w *writer) patience() time.Duration {
	work := 0
	for _, r := range w.queue {
		work += r.work
		if r.patient.IsZero() || w.closed || work >= enoughWork {
			return 0
		}
	}
	return patience - time.Since(w.queue[0].patient)
}

// commit writes a group and answers it. What fails together is tried one by one, so that a
// request that cannot be written does not hurt the others.
func (w *writer) commit(group []*request) {
	err := w.transact(group, w.careful > 0)
	if w.careful > 0 {
		w.careful--
	}
	if err == errMetAgain {
		w.careful = carefulGroups
		err = w.transact(group, true)
	}
	for _, r := range group {
		if err != nil {
			if len(group) > 1 {
				r.err = w.store.fault(w.transact([]*request{r}, true))
			} else {
				r.err = w.store.fault(err)
			}
		}
		close(r.done)
	}
}

// transact runs a group in one transaction. On error nothing of it was written. A request's own err
// (not found, conflict) is no error of the group's.
func (w *writer) transact(group []*request, careful bool) error {
	for _, r := range group {
		r.err = nil
	}
	last := w.last
	err := w.begin()
	if err == nil {
		err = w.write(group, careful)
	}
	if err == nil {
		_, err = w.c.run("COMMIT")
	}
	if err != nil {
		w.last = last
		for _, r := range group {
			for _, a := range r.accept {
				a.Event.Sequence = 0
			}
		}
		w.inbox.drop()
		w.settler.drop()
		// After a full disk SQLite may have rolled back by itself, and then this one fails.
		_, _ = w.c.run("ROLLBACK")
	}
	return err
}

func (w *writer) begin() error {
	_, err := w.c.run("BEGIN IMMEDIATE")
	return err
}

func (w *writer) write(group []*request, careful bool) error {
	if err := w.accept(group, careful); err != nil {
		return err
	}
	if err := w.settle(group, careful); err != nil {
		return err
	}
	for _, r := range group {
		if r.change == nil {
			continue
		}
		err := r.change(w.c)
		if _, own := errors.AsType[*postrider.Error](err); !own && err != nil {
			return err
		}
		r.err = err
	}
	return nil
}

// checkpointer copies what was committed from the write-ahead log into the database file. Its
// goroutine does the bulk on a connection of its own, beside the writer; the writer then does the
// little that was added meanwhile, between two transactions, when nobody else can add more. Only then can the log
// start again at its beginning: without the second step it would grow as long as there is traffic.
type checkpointer struct {
	c     *connection
	start chan struct{}
	ended chan struct{}

	pages  int         // written by the writer since the log last started again
	bulk   bool        // the writer's: a round is under way or its end was not seen yet
	copied atomic.Bool // set by the goroutine at the end of a round
}

// checkpointPages is how large the log may grow before it is copied: 32 MiB.
const checkpointPages = 32 << 20 / pageSize

func newCheckpointer(c *connection) *checkpointer {
	k := &checkpointer{c: c, start: make(chan struct{}, 1), ended: make(chan struct{})}
	go k.run()
	return k
}

func (k *checkpointer) run() {
	defer close(k.ended)
	for range k.start {
		// One that fails (a full disk) leaves the log as it is: nothing is lost, and it is tried
		// again when as much again was written.
		_ = checkpoint(k.c)
		k.copied.Store(true)
	}
}

// committed is called by the writer after each group.
func (k *checkpointer) committed(c *connection) {
	written, _, err := c.Conn.(sqlite.DBStatus).Status(sqlite.DBStatusCacheWrite, true)
	if err != nil {
		return
	}
	k.pages += written
	switch {
	case k.bulk && k.copied.Load():
		k.bulk, k.pages = false, 0
		k.copied.Store(false)
		_ = checkpoint(c)
	case !k.bulk && k.pages >= checkpointPages:
		k.bulk = true
		k.start <- struct{}{}
	}
}

func (k *checkpointer) close() error {
	close(k.start)
	<-k.ended
	return k.c.Close()
}

func checkpoint(c *connection) error {
	_, err := c.rows("PRAGMA wal_checkpoint(PASSIVE)")
	return err
}
