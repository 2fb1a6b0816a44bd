package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

// lanesText leaps from endpoint to endpoint in the lane index (a loose index scan), two seeks each.
const lanesText = `WITH RECURSIVE lane (endpoint) AS (
		SELECT min(endpoint) FROM delivery INDEXED BY delivery_lane WHERE state = 0
		UNION ALL
		SELECT (SELECT min(d.endpoint) FROM delivery d INDEXED BY delivery_lane WHERE d.state = 0 AND d.endpoint > lane.endpoint)
		FROM lane WHERE lane.endpoint IS NOT NULL
	)
	SELECT e.id, (SELECT min(d.due) FROM delivery d INDEXED BY delivery_lane WHERE d.state = 0 AND d.endpoint = lane.endpoint)
	FROM lane CROSS JOIN endpoint e ON e.num = lane.endpoint`

// dueText reads the lane index in its order and joins the rest row by row.
const dueText = `SELECT d.seq, d.number, d.reason, d.attempts, d.due, d.created_at, ` + eventColumns + `
	FROM delivery d INDEXED BY delivery_lane CROSS JOIN event e ON e.seq = d.seq CROSS JOIN tenant t ON t.num = e.tenant
	WHERE d.state = 0 AND d.endpoint = (SELECT num FROM endpoint WHERE id = ?) AND d.due <= ?
	ORDER BY d.due, d.seq, d.number LIMIT ?`

// nextDueText finds the first pending delivery after (due, seq, number).
const nextDueText = `SELECT due FROM delivery INDEXED BY delivery_lane
	WHERE state = 0 AND endpoint = (SELECT num FROM endpoint WHERE id = ?) AND (due, seq, number) > (?, ?, ?)
	ORDER BY due, seq, number LIMIT 1`

// Lanes fulfils store.Queue.
func (s *Store) Lanes(ctx context.Context) ([]store.Lane, error) {
	var lanes []store.Lane
	err := s.read(func() error {
		return each(ctx, s.queries.lanes, func(row scanner) error {
			var lane store.Lane
			err := row.Scan((*blobID)(&lane.Endpoint.ID), (*blobTime)(&lane.Earliest))
			lanes = append(lanes, lane)
			return err
		})
	})
	return lanes, err
}

// Due fulfils store.Queue. Both of its queries see the same state of the database.
func (s *Store) Due(ctx context.Context, endpoint postrider.EndpointID, now time.Time, limit int) (store.Refill, error) {
	var refill store.Refill
	err := s.read(func() (err error) {
		tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, tx.Rollback()) }()
		refill, err = s.due(ctx, tx, endpoint, now, limit)
		return err
	})
	if err != nil {
		return store.Refill{}, err
	}
	return refill, nil
}

func (s *Store) due(ctx context.Context, tx *sql.Tx, endpoint postrider.EndpointID, now time.Time, limit int) (store.Refill, error) {
	var refill store.Refill
	var last int64 // sequence of the last event, which the next delivery may share
	var event *postrider.Event
	err := each(ctx, tx.StmtContext(ctx, s.queries.due), func(row scanner) error {
		var job store.Job
		d := &job.Delivery
		var reason any
		var read eventRow
		err := row.Scan(append([]any{&d.Sequence, &d.ID.Number, &reason, &d.Attempts, (*blobTime)(&d.DueAt), (*blobTime)(&d.CreatedAt)}, read.dest()...)...)
		if err != nil {
			return err
		}
		if event == nil || d.Sequence != last {
			if event, err = read.event(); err != nil {
				return err
			}
			last = d.Sequence
		}
		d.ID.Event, d.Tenant, d.Environment, d.Endpoint, d.Topic = event.ID, event.Tenant, event.Environment, endpoint, event.Topic
		d.State, d.Reason = postrider.DeliveryPending, word(reasonWords[:], reason)
		job.Event = event
		refill.Jobs = append(refill.Jobs, job)
		return nil
	}, endpoint.ID[:], now.UnixMilli(), limit)
	if err != nil {
		return store.Refill{}, err
	}
	after := postrider.Delivery{DueAt: time.UnixMilli(-1 << 62)} // before every delivery
	if n := len(refill.Jobs); n > 0 {
		after = refill.Jobs[n-1].Delivery
	}
	err = tx.StmtContext(ctx, s.queries.nextDue).QueryRowContext(ctx, endpoint.ID[:], after.DueAt.UnixMilli(), after.Sequence, after.ID.Number).
		Scan((*blobTime)(&refill.Next))
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return refill, err
}
