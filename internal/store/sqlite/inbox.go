package sqlite

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// inbox holds the bulk statements of accepting. It belongs to the writer's goroutine.
type inbox struct {
	events, keys, deliveries *bulk
	met                      map[eventKey]*store.Acceptance // keys met in this group
}

func newInbox(c *connection) inbox {
	return inbox{
		events: newBulk(c, `INSERT OR FAIL INTO event (seq, id, tenant, environment, topic, occurred_at, accepted_at, deliveries,
			given_id, idempotency, fingerprint, reasons, previous, data) VALUES `, "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)", ""),
		keys: newBulk(c, "INSERT OR IGNORE INTO event_key (space, key, seq) VALUES ", "(?,?,?)", ""),
		deliveries: newBulk(c, `INSERT OR FAIL INTO delivery (seq, number, endpoint, tenant, due, created_at, state, reason, attempts) VALUES `,
			"(?,?,?,?,?,?,0,0,0)", ""),
		met: make(map[eventKey]*store.Acceptance),
	}
}

func (in *inbox) drop() {
	in.events.drop()
	in.keys.drop()
	in.deliveries.drop()
}

// Accept fulfils store.Inbox.
func (s *Store) Accept(ctx context.Context, batch []*store.Acceptance) ([]store.Accepted, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	r := &request{accept: batch, answers: make([]store.Accepted, len(batch))}
	for _, a := range batch {
		r.work += 1 + len(a.Deliveries)
		r.bytes += len(a.Event.Data) + len(a.Event.Previous)
	}
	if err := s.writer.submit(ctx, r); err != nil {
		return nil, err
	}
	return r.answers, nil
}

// eventKey is the primary key of event_key.
type eventKey struct {
	space int64
	text  string
}

const findKeyText = `SELECT e.id, e.given_id, e.topic, e.deliveries, e.fingerprint
	FROM event_key k CROSS JOIN event e ON e.seq = k.seq WHERE k.space = ? AND k.key = ?`

// The kinds of keys, each a namespace of its own.
const (
	givenKind       = 0
	idempotencyKind = 1
)

// keySpace gives event_key.space.
func keySpace(tenant int64, environment postrider.Environment, kind int64) int64 {
	space := tenant*4 + kind
	if environment == postrider.Sandbox {
		space += 2
	}
	return space
}

// accept writes the events of all requests of a group, as if they were one batch.
func (w *writer) accept(group []*request, careful bool) error {
	in := &w.inbox
	in.keys.changed = 0
	clear(in.met)
	keys := 0
	for _, r := range group {
		if r.accept == nil {
			continue
		}
		if r.err = w.checkNumbers(r.accept); r.err != nil {
			if postrider.ErrorCode(r.err) != postrider.CodeNotFound {
				return r.err
			}
			continue
		}
		for i, a := range r.accept {
			n, err := w.acceptOne(a, &r.answers[i], careful)
			if err != nil {
				return err
			}
			keys += n
		}
	}
	if err := in.keys.flush(); err != nil {
		return err
	}
	if in.keys.changed != keys {
		return errMetAgain
	}
	if err := in.events.flush(); err != nil {
		return err
	}
	return in.deliveries.flush()
}

// checkNumbers makes sure, before anything is written, that the tenants and endpoints of a batch are there.
func (w *writer) checkNumbers(batch []*store.Acceptance) error {
	for _, a := range batch {
		switch num, err := w.numbers.tenant(a.Event.Tenant); {
		case err != nil:
			return err
		case num == 0:
			return notFound("tenant")
		}
		for i := range a.Deliveries {
			switch num, err := w.numbers.endpoint(a.Deliveries[i].Endpoint); {
			case err != nil:
				return err
			case num == 0:
				return notFound("webhook")
			}
		}
	}
	return nil
}

// acceptOne answers one acceptance and puts its rows in line; it gives the number of keys among them.
func (w *writer) acceptOne(a *store.Acceptance, answer *store.Accepted, careful bool) (keys int, err error) {
	e := a.Event
	tenant, err := w.numbers.tenant(e.Tenant)
	if err != nil {
		return 0, err
	}
	given := eventKey{keySpace(tenant, e.Environment, givenKind), e.GivenID}
	idempotency := eventKey{keySpace(tenant, e.Environment, idempotencyKind), a.IdempotencyKey}
	for _, key := range [...]eventKey{given, idempotency} {
		if known, err := w.meet(key, a, answer, careful); known || err != nil {
			return 0, err
		}
	}
	w.last++
	e.Sequence = w.last
	for _, key := range [...]eventKey{given, idempotency} {
		if key.text == "" {
			continue
		}
		w.inbox.met[key] = a
		if err := w.inbox.keys.add(key.space, key.text, w.last); err != nil {
			return 0, err
		}
		keys++
	}
	*answer = store.Accepted{EventID: e.ID, GivenID: e.GivenID, Topic: e.Topic, Deliveries: len(a.Deliveries)}
	return keys, w.addEvent(a, tenant)
}

func (w *writer) addEvent(a *store.Acceptance, tenant int64) error {
	e := a.Event
	seq, num, accepted := driver.Value(e.Sequence), driver.Value(tenant), driver.Value(e.AcceptedAt.UnixMilli())
	var given, idempotency, fingerprint, reasons driver.Value
	if e.GivenID != "" {
		given, fingerprint = e.GivenID, a.Fingerprint[:]
	}
	if a.IdempotencyKey != "" {
		idempotency, fingerprint = a.IdempotencyKey, a.Fingerprint[:]
	}
	if len(e.Reasons) > 0 {
		reasons = encodeReasons(e.Reasons)
	}
	err := w.inbox.events.add(seq, e.ID.ID[:], num, number(environmentWords[:], e.Environment), string(e.Topic),
		e.OccurredAt.UnixMilli(), accepted, int64(len(a.Deliveries)), given, idempotency, fingerprint, reasons, e.Previous, e.Data)
	if err != nil {
		return err
	}
	for i := range a.Deliveries {
		endpoint, err := w.numbers.endpoint(a.Deliveries[i].Endpoint)
		if err != nil {
			return err
		}
		err = w.inbox.deliveries.add(seq, int64(i+1), endpoint, num, a.Deliveries[i].DueAt.UnixMilli(), accepted)
		if err != nil {
			return err
		}
	}
	return nil
}

// meet looks whether a key was used before: in this group, and when careful in the database. (When
// not, the insertion of the keys finds out.) If so it answers the acceptance.
func (w *writer) meet(key eventKey, a *store.Acceptance, answer *store.Accepted, careful bool) (known bool, err error) {
	if key.text == "" {
		return false, nil
	}
	if first, found := w.inbox.met[key]; found {
		e := first.Event
		*answer = store.Accepted{EventID: e.ID, GivenID: e.GivenID, Topic: e.Topic, Deliveries: len(first.Deliveries)}
		answer.Duplicate = first.Fingerprint == a.Fingerprint
		answer.Conflict = !answer.Duplicate
		return true, nil
	}
	if !careful {
		return false, nil
	}
	row, err := w.c.row(findKeyText, key.space, key.text)
	if row == nil || err != nil {
		return false, err
	}
	copy(answer.EventID.ID[:], row[0].([]byte))
	answer.GivenID, _ = row[1].(string)
	answer.Topic = postrider.Topic(row[2].(string))
	answer.Deliveries = int(row[3].(int64))
	answer.Duplicate = string(row[4].([]byte)) == string(a.Fingerprint[:])
	answer.Conflict = !answer.Duplicate
	return true, nil
}

// findLast reads the highest sequence in use.
func (w *writer) findLast() error {
	row, err := w.c.row("SELECT coalesce(max(seq), 0) FROM event")
	if err != nil {
		return err
	}
	w.last = row[0].(int64)
	return nil
}

// millis is the stored form of a time: NULL for the zero time.
func millis(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}
