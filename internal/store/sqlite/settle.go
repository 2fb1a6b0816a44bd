package sqlite

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// settler holds the bulk statements of settling. It belongs to the writer's goroutine.
type settler struct {
	deliveries, attempts *bulk
	records              []byte // of the attempts that wait in attempts, one after the other
}

const (
	attemptInto  = " INTO attempt (seq, number, attempt, cause, started_at, kind, code, status, record) VALUES "
	attemptTuple = "(?,?,?,?,?,?,?,?,?)"

	findStateText = "SELECT state, attempts FROM delivery WHERE seq = ? AND number = ?"

	cancelText = `UPDATE delivery SET state = ?, reason = ?, due = 0, ended_at = ?
		WHERE (seq, number) IN (SELECT seq, number FROM delivery INDEXED BY delivery_lane
			WHERE state = 0 AND endpoint = (SELECT num FROM endpoint WHERE id = ?) LIMIT ?)`
)

func newSettler(c *connection) settler {
	return settler{
		deliveries: newBulk(c, "WITH v (seq, number, attempt, state, reason, due, ended) AS (VALUES ", "(?,?,?,?,?,?,?)",
			`) UPDATE OR FAIL delivery SET state = v.state, reason = v.reason, attempts = v.attempt, due = v.due, ended_at = v.ended
			FROM v WHERE delivery.seq = v.seq AND delivery.number = v.number AND delivery.state = 0 AND delivery.attempts < v.attempt`),
		attempts: newBulk(c, "INSERT OR FAIL"+attemptInto, attemptTuple, ""),
	}
}

func (s *settler) drop() {
	s.deliveries.drop()
	s.attempts.drop()
	s.records = s.records[:0]
}

// Settle fulfils store.Queue.
func (s *Store) Settle(ctx context.Context, batch []store.Settlement) error {
	if len(batch) == 0 {
		return nil
	}
	return s.writer.submit(ctx, &request{settle: batch, work: len(batch), patient: time.Now()})
}

// settle writes the settlements of all requests of a group. The fast way takes it that every
// attempt is new and its delivery pending; the count of changed rows tells whether that was so.
func (w *writer) settle(group []*request, careful bool) error {
	w.settler.deliveries.changed = 0
	fast := 0
	for _, r := range group {
		for i := range r.settle {
			st := &r.settle[i]
			if careful || st.Attempt == nil {
				if err := w.settleCarefully(st); err != nil {
					return err
				}
				continue
			}
			fast++
			if err := w.settleFast(st); err != nil {
				return err
			}
		}
	}
	if fast == 0 {
		return nil
	}
	if err := w.settler.deliveries.flush(); err != nil {
		return err
	}
	if w.settler.deliveries.changed != fast {
		return errMetAgain
	}
	if err := metAgain(w.settler.attempts.flush()); err != nil {
		return err
	}
	w.settler.records = w.settler.records[:0]
	for _, r := range group {
		for i := range r.settle {
			if st := &r.settle[i]; st.Disable != "" && st.Attempt != nil {
				if err := w.disable(st); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *writer) settleFast(st *store.Settlement) error {
	state, reason, due, ended := settled(st)
	seq, num, attempt := driver.Value(st.Sequence), driver.Value(int64(st.Delivery.Number)), driver.Value(int64(st.Attempt.Number))
	if err := w.settler.deliveries.add(seq, num, attempt, state, reason, due, ended); err != nil {
		return err
	}
	return metAgain(w.settler.attempts.add(w.attemptRow(st, seq, num, attempt)...))
}

// metAgain turns the fault of inserting an attempt that is there already into errMetAgain.
func metAgain(err error) error {
	if err != nil && isConstraint(err) {
		return errMetAgain
	}
	return err
}

// settled gives the columns of a delivery after a settlement.
func settled(st *store.Settlement) (state, reason, due, ended driver.Value) {
	state, reason = number(deliveryStateWords[:], st.State), number(reasonWords[:], st.Reason)
	if st.State.Final() {
		return state, reason, int64(0), millis(st.EndedAt)
	}
	return state, reason, st.DueAt.UnixMilli(), nil
}

func (w *writer) attemptRow(st *store.Settlement, seq, num, attempt driver.Value) []driver.Value {
	a := st.Attempt
	start := len(w.settler.records)
	w.settler.records = appendRecord(w.settler.records, a)
	record := w.settler.records[start:len(w.settler.records):len(w.settler.records)]
	return []driver.Value{seq, num, attempt, number(triggerWords[:], a.Trigger), a.StartedAt.UnixMilli(),
		number(outcomeKindWords[:], a.Outcome.Kind), number(outcomeCodeWords[:], a.Outcome.Code), int64(a.Response.Status), record}
}

// settleCarefully looks at the delivery first. An attempt that is there already changes nothing
// more; a delivery that is no longer pending gets the attempt and keeps its state.
func (w *writer) settleCarefully(st *store.Settlement) error {
	seq, num := driver.Value(st.Sequence), driver.Value(int64(st.Delivery.Number))
	row, err := w.c.row(findStateText, seq, num)
	if row == nil || err != nil {
		return err // cleaned away meanwhile: there is nothing left to explain
	}
	attempts, pending := row[1].(int64), row[0].(int64) == statePending
	if st.Attempt != nil {
		attempt := int64(st.Attempt.Number)
		fresh, err := w.c.run("INSERT OR IGNORE"+attemptInto+attemptTuple, w.attemptRow(st, seq, num, attempt)...)
		w.settler.records = w.settler.records[:0]
		if fresh == 0 || err != nil {
			return err
		}
		attempts = max(attempts, attempt)
		if !pending {
			if _, err := w.c.run("UPDATE delivery SET attempts = ? WHERE seq = ? AND number = ?", attempts, seq, num); err != nil {
				return err
			}
		}
	}
	if pending {
		state, reason, due, ended := settled(st)
		_, err := w.c.run("UPDATE delivery SET state = ?, reason = ?, attempts = ?, due = ?, ended_at = ? WHERE seq = ? AND number = ?",
			state, reason, attempts, due, ended, seq, num)
		if err != nil {
			return err
		}
	}
	if st.Disable == "" || (!pending && st.Attempt == nil) {
		return nil
	}
	return w.disable(st)
}

// disable disables a settlement's endpoint, unless it is disabled or deleted already.
func (w *writer) disable(st *store.Settlement) error {
	at := st.EndedAt
	if at.IsZero() && st.Attempt != nil {
		at = st.Attempt.StartedAt.Add(st.Attempt.Duration)
	}
	num, err := w.numbers.endpoint(st.Endpoint)
	if err != nil || num == 0 {
		return err
	}
	_, err = w.c.run(`UPDATE endpoint SET state = ?1, disabled_reason = ?2, disabled_at = ?3, updated_at = ?3
		WHERE num = ?4 AND state <> ?1 AND deleted_at IS NULL`,
		int64(endpointDisabled), string(st.Disable), at.UnixMilli(), num)
	return err
}

// CancelPending fulfils store.Queue.
func (s *Store) CancelPending(ctx context.Context, endpoint postrider.EndpointID, reason postrider.ReasonCode, now time.Time, limit int) (int, error) {
	cancelled := 0
	err := s.writer.change(ctx, func(c *connection) (err error) {
		cancelled, err = c.run(cancelText, int64(stateCancelled), number(reasonWords[:], reason), now.UnixMilli(), endpoint.ID[:], int64(limit))
		return err
	})
	return cancelled, err
}
