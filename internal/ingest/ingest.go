package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// Publication is what a publisher asks for. The surface that decoded it has made sure that Data and
// Previous each hold one JSON value, valid UTF-8, within the limits of size and depth.
type Publication struct {
	Tenant         postrider.TenantID
	Environment    postrider.Environment
	Topic          postrider.Topic
	GivenID        string    // the publisher's own id of the event; "" for none
	IdempotencyKey string    // "" for none
	OccurredAt     time.Time // zero: when it is accepted
	Data           []byte
	Previous       []byte // nil for none
}

// Receipt is the answer to an accepted publication. The event is durable.
type Receipt struct {
	ID         string // as publisher and receivers see it
	EventID    postrider.EventID
	Topic      postrider.Topic
	Deliveries int
	Duplicate  bool // it was accepted before; this is the first's answer
}

// Result is the answer to one publication of a batch: a receipt or an error.
type Result struct {
	Receipt Receipt
	Err     error
}

// Options are what an Ingester needs. Zero limits take the defaults.
type Options struct {
	Inbox store.Inbox
	Index *Index
	// Offer hands durable deliveries to the engine. It must not block.
	Offer func([]store.Job)
	// OnCommit, when set, is told of every commit that succeeded.
	OnCommit func(Commit)

	MaxWaiting      int   // submissions that may wait for a commit; default 4,096
	MaxWaitingBytes int64 // data that may wait for a commit, in bytes; default 64 MiB
	MaxGroup        int   // events of one commit; default 1,024
	MaxGroupBytes   int   // data of one commit, in bytes; default 8 MiB
}

// Commit describes one group commit.
type Commit struct {
	Events     int // written
	Duplicates int
	Deliveries int
	Took       time.Duration
}

// MaxIdempotencyKeyLength bounds an idempotency key, in bytes.
const MaxIdempotencyKeyLength = 256

// Ingester accepts publications. It is safe for concurrent use.
type Ingester struct {
	options Options

	waitingBytes atomic.Int64
	mu           sync.RWMutex // held for reading while submitting, so that Close can end submissions
	closed       bool
	queue        chan *submission
	stopped      chan struct{}
}

// New makes an ingester and starts its committer, which runs until Close.
func New(o Options) *Ingester {
	if o.MaxWaiting == 0 {
		o.MaxWaiting = 4096
	}
	if o.MaxWaitingBytes == 0 {
		o.MaxWaitingBytes = 64 << 20
	}
	if o.MaxGroup == 0 {
		o.MaxGroup = 1024
	}
	if o.MaxGroupBytes == 0 {
		o.MaxGroupBytes = 8 << 20
	}
	in := &Ingester{options: o, queue: make(chan *submission, o.MaxWaiting), stopped: make(chan struct{})}
	go in.commitGroups()
	return in
}

// Close takes no more publications, commits those that wait, and returns when the last is answered.
func (in *Ingester) Close() {
	in.mu.Lock()
	if !in.closed {
		in.closed = true
		close(in.queue)
	}
	in.mu.Unlock()
	<-in.stopped
}

// Publish accepts one event. It returns when the event is durable. Errors: CodeInvalid with the
// fields at fault, CodeConflict when the key or id was used for something else, CodeUnavailable and
// CodeStorageFull when nothing was written and the publisher should try again.
func (in *Ingester) Publish(ctx context.Context, p *Publication) (Receipt, error) {
	if err := p.validate(); err != nil {
		return Receipt{}, err
	}
	s := &submission{done: make(chan struct{})}
	s.one[0] = in.entry(p)
	s.entries = s.one[:]
	if err := in.submit(ctx, s); err != nil {
		return Receipt{}, err
	}
	result := s.entries[0].result()
	return result.Receipt, result.Err
}

// PublishBatch accepts many events in one commit and answers each, in order. One that is refused
// does not hinder the others.
func (in *Ingester) PublishBatch(ctx context.Context, batch []*Publication) []Result {
	results := make([]Result, len(batch))
	s := &submission{done: make(chan struct{}), entries: make([]*entry, 0, len(batch))}
	places := make([]int, 0, len(batch))
	for i, p := range batch {
		if err := p.validate(); err != nil {
			results[i].Err = err
			continue
		}
		s.entries = append(s.entries, in.entry(p))
		places = append(places, i)
	}
	if len(s.entries) == 0 {
		return results
	}
	err := in.submit(ctx, s)
	for k, place := range places {
		if err != nil {
			results[place].Err = err
		} else {
			results[place] = s.entries[k].result()
		}
	}
	return results
}

func (p *Publication) validate() error {
	var faults postrider.Faults
	faults.AddError("type", p.Topic.Validate())
	faults.AddError("environment", p.Environment.Validate())
	if p.GivenID != "" {
		faults.AddError("id", postrider.ValidateGivenID(p.GivenID))
	}
	if len(p.IdempotencyKey) > MaxIdempotencyKeyLength {
		faults.Add("Idempotency-Key", "at most %d bytes; this one has %d", MaxIdempotencyKeyLength, len(p.IdempotencyKey))
	}
	if len(p.Data) == 0 {
		faults.Add("data", "is required: the JSON that receivers get")
	}
	if year := p.OccurredAt.Year(); !p.OccurredAt.IsZero() && (year < 1970 || year > 9999) {
		faults.Add("occurred_at", "a time between the years 1970 and 9999 is wanted")
	}
	return faults.Err()
}

// fingerprint tells two publications apart that carry the same key. It covers all that the publisher said.
func (p *Publication) fingerprint() [sha256.Size]byte {
	hash := sha256.New()
	var size [8]byte
	for _, part := range [][]byte{[]byte(p.Topic), []byte(p.GivenID), p.Data, p.Previous} {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		hash.Write(size[:])
		hash.Write(part)
	}
	if !p.OccurredAt.IsZero() {
		binary.BigEndian.PutUint64(size[:], uint64(p.OccurredAt.UnixMilli()))
		hash.Write(size[:])
	}
	var sum [sha256.Size]byte
	hash.Sum(sum[:0])
	return sum
}
