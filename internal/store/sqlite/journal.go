package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

const (
	eventColumns = `e.seq, e.id, t.id, e.environment, e.topic, e.given_id, e.occurred_at, e.accepted_at, e.reasons, e.data, e.previous`
	// headColumns are eventColumns without what is costly to read.
	headColumns = `e.seq, e.id, t.id, e.environment, e.topic, e.given_id, e.occurred_at, e.accepted_at, e.reasons, NULL, NULL`

	deliveryColumns = `e.seq, e.id, d.number, t.id, e.environment, p.id, e.topic, d.state, d.reason, d.attempts, d.due, d.created_at, d.ended_at`
)

const (
	eventByIDText  = "SELECT " + eventColumns + " FROM event e JOIN tenant t ON t.num = e.tenant WHERE e.id = ? AND t.id = ?"
	eventByKeyText = "SELECT " + eventColumns + ` FROM tenant t CROSS JOIN event_key k ON k.space = t.num * 4 + ?
		CROSS JOIN event e ON e.seq = k.seq WHERE t.id = ? AND k.key = ?`

	findDeliveryText = "SELECT " + deliveryColumns + ` FROM event e CROSS JOIN tenant t ON t.num = e.tenant
		CROSS JOIN delivery d ON d.seq = e.seq AND d.number = ? CROSS JOIN endpoint p ON p.num = d.endpoint WHERE e.id = ? AND t.id = ?`
	eventDeliveriesText = "SELECT " + deliveryColumns + ` FROM event e CROSS JOIN tenant t ON t.num = e.tenant
		CROSS JOIN delivery d ON d.seq = e.seq CROSS JOIN endpoint p ON p.num = d.endpoint WHERE e.id = ? AND t.id = ? ORDER BY d.number`
	retryText = `SELECT d.seq, d.state, p.state, p.deleted_at FROM event e CROSS JOIN tenant t ON t.num = e.tenant
		CROSS JOIN delivery d ON d.seq = e.seq AND d.number = ? CROSS JOIN endpoint p ON p.num = d.endpoint
		WHERE e.id = ? AND t.id = ?`
	attemptsText = `SELECT attempt, cause, started_at, kind, code, status, record FROM attempt WHERE seq = ? AND number = ? ORDER BY attempt`
)

// FindEvent fulfils store.Journal. Its own text form goes before a GivenID that looks like one.
func (s *Store) FindEvent(ctx context.Context, tenant postrider.TenantID, environment postrider.Environment, publicID string) (*postrider.Event, error) {
	var event *postrider.Event
	err := s.read(func() (err error) {
		if id, parseErr := postrider.ParseEventID(publicID); parseErr == nil {
			event, err = readEvent(s.queries.eventByID.QueryRowContext(ctx, id.ID[:], tenant.ID[:]))
			if event != nil || err != nil {
				return err
			}
		}
		environments := []postrider.Environment{environment}
		if environment == "" {
			environments = []postrider.Environment{postrider.Production, postrider.Sandbox}
		}
		for _, environment := range environments {
			event, err = readEvent(s.queries.eventByKey.QueryRowContext(ctx, keySpace(0, environment, givenKind), tenant.ID[:], publicID))
			if event != nil || err != nil {
				return err
			}
		}
		return notFound("event")
	})
	if err != nil {
		return nil, err
	}
	return event, nil
}

// readEvent reads one event, nil when there is none.
func readEvent(row *sql.Row) (*postrider.Event, error) {
	var read eventRow
	if err := row.Scan(read.dest()...); errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return read.event()
}

// Events fulfils store.Journal.
func (s *Store) Events(ctx context.Context, tenant postrider.TenantID, f store.EventFilter) ([]*postrider.Event, error) {
	q := eventsQuery(tenant, f)
	var events []*postrider.Event
	err := s.read(func() error {
		rows, err := s.reader.QueryContext(ctx, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		return visitAll(rows, func(row scanner) error {
			var read eventRow
			if err := row.Scan(read.dest()...); err != nil {
				return err
			}
			event, err := read.event()
			events = append(events, event)
			return err
		})
	})
	return events, err
}

func eventsQuery(tenant postrider.TenantID, f store.EventFilter) *listQuery {
	q := new(listQuery)
	if f.WithData {
		q.write("SELECT " + eventColumns)
	} else {
		q.write("SELECT " + headColumns)
	}
	// The inner query reads the index alone; only the rows that fit are fetched.
	q.write(` FROM (SELECT seq FROM event INDEXED BY event_by_tenant WHERE tenant = (SELECT num FROM tenant WHERE id = ?)`, tenant.ID[:])
	if f.Before != 0 {
		q.write(" AND seq < ?", f.Before)
	}
	q.eventFilter("", f.Environment, f.Topic, f.From, f.To)
	q.write(" ORDER BY seq DESC LIMIT ?) f CROSS JOIN event e ON e.seq = f.seq CROSS JOIN tenant t ON t.num = e.tenant ORDER BY f.seq DESC", pageLimit(f.Limit))
	return q
}

// EventDeliveries fulfils store.Journal.
func (s *Store) EventDeliveries(ctx context.Context, tenant postrider.TenantID, event postrider.EventID) ([]postrider.Delivery, error) {
	var deliveries []postrider.Delivery
	err := s.read(func() error {
		err := each(ctx, s.queries.eventDeliveries, func(row scanner) error {
			return appendDelivery(&deliveries, row)
		}, event.ID[:], tenant.ID[:])
		if err != nil || len(deliveries) > 0 {
			return err
		}
		found, err := readEvent(s.queries.eventByID.QueryRowContext(ctx, event.ID[:], tenant.ID[:]))
		if found == nil && err == nil {
			return notFound("event")
		}
		return err
	})
	return deliveries, err
}

// FindDelivery fulfils store.Journal.
func (s *Store) FindDelivery(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID) (*postrider.Delivery, error) {
	var found []postrider.Delivery
	err := s.read(func() error {
		return each(ctx, s.queries.findDelivery, func(row scanner) error {
			return appendDelivery(&found, row)
		}, id.Number, id.Event.ID[:], tenant.ID[:])
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, notFound("delivery")
	}
	return &found[0], nil
}

// Deliveries fulfils store.Journal. Each filter has an index that brings the rows in their order:
// an endpoint its history, failed and cancelled deliveries the index of trouble, and all others the tenant's
// events. Pending deliveries come from the lanes and are sorted: there are as many as the backlog.
func (s *Store) Deliveries(ctx context.Context, tenant postrider.TenantID, f store.DeliveryFilter) ([]postrider.Delivery, error) {
	q := deliveriesQuery(tenant, f)
	var deliveries []postrider.Delivery
	err := s.read(func() error {
		rows, err := s.reader.QueryContext(ctx, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		return visitAll(rows, func(row scanner) error { return appendDelivery(&deliveries, row) })
	})
	return deliveries, err
}

func deliveriesQuery(tenant postrider.TenantID, f store.DeliveryFilter) *listQuery {
	q := new(listQuery)
	seq := "d.seq" // of whichever table leads the order
	switch {
	case f.State == postrider.DeliveryPending:
		return pendingQuery(tenant, f)
	case f.State == postrider.DeliveryFailed, f.State == postrider.DeliveryCancelled:
		q.write("SELECT " + deliveryColumns + ` FROM tenant t CROSS JOIN delivery d INDEXED BY delivery_trouble ON d.tenant = t.num AND d.state >= 2
			CROSS JOIN event e ON e.seq = d.seq CROSS JOIN endpoint p ON p.num = d.endpoint`)
	case !f.Endpoint.IsZero():
		q.write("SELECT " + deliveryColumns + ` FROM endpoint p CROSS JOIN tenant t ON t.num = p.tenant
			CROSS JOIN delivery d INDEXED BY delivery_by_endpoint ON d.endpoint = p.num CROSS JOIN event e ON e.seq = d.seq`)
	default:
		seq = "e.seq"
		q.write("SELECT " + deliveryColumns + ` FROM tenant t CROSS JOIN event e INDEXED BY event_by_tenant ON e.tenant = t.num
			CROSS JOIN delivery d ON d.seq = e.seq CROSS JOIN endpoint p ON p.num = d.endpoint`)
	}
	q.deliveryFilter(tenant, f, seq)
	return q
}

// pendingQuery finds the keys in the lanes first, so that only the rows of the page are read.
func pendingQuery(tenant postrider.TenantID, f store.DeliveryFilter) *listQuery {
	q := new(listQuery)
	q.write("SELECT " + deliveryColumns + ` FROM (SELECT d.seq, d.number FROM tenant t CROSS JOIN endpoint p INDEXED BY endpoint_by_tenant ON p.tenant = t.num
		CROSS JOIN delivery d INDEXED BY delivery_lane ON d.endpoint = p.num AND d.state = 0`)
	if f.Environment != "" || f.Topic != "" || !f.From.IsZero() || !f.To.IsZero() {
		q.write(" CROSS JOIN event e ON e.seq = d.seq")
	}
	q.deliveryFilter(tenant, f, "d.seq")
	q.write(`) f CROSS JOIN delivery d ON d.seq = f.seq AND d.number = f.number CROSS JOIN event e ON e.seq = d.seq
		CROSS JOIN tenant t ON t.num = e.tenant CROSS JOIN endpoint p ON p.num = d.endpoint ORDER BY f.seq DESC, f.number DESC`)
	return q
}

// deliveryFilter adds the conditions, the order and the limit of a list of deliveries.
func (q *listQuery) deliveryFilter(tenant postrider.TenantID, f store.DeliveryFilter, seq string) {
	q.write(" WHERE t.id = ?", tenant.ID[:])
	if f.Before != 0 {
		q.write(" AND "+seq+" <= ? AND ("+seq+", d.number) < (?, ?)", f.Before, f.Before, f.BeforeNumber)
	}
	if !f.Endpoint.IsZero() {
		q.write(" AND p.id = ?", f.Endpoint.ID[:])
	}
	if f.State != "" {
		q.write(" AND d.state = ?", number(deliveryStateWords[:], f.State))
	}
	q.eventFilter("e.", f.Environment, f.Topic, f.From, f.To)
	q.write(" ORDER BY "+seq+" DESC, d.number DESC LIMIT ?", pageLimit(f.Limit))
}

// Attempts fulfils store.Journal.
func (s *Store) Attempts(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID) ([]postrider.Attempt, error) {
	delivery, err := s.FindDelivery(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	var attempts []postrider.Attempt
	err = s.read(func() error {
		return each(ctx, s.queries.attempts, func(row scanner) error {
			a := postrider.Attempt{Delivery: id}
			var cause, kind, code any
			var record []byte
			if err := row.Scan(&a.Number, &cause, (*blobTime)(&a.StartedAt), &kind, &code, &a.Response.Status, &record); err != nil {
				return err
			}
			a.Trigger = word(triggerWords[:], cause)
			a.Outcome.Kind, a.Outcome.Code = word(outcomeKindWords[:], kind), word(outcomeCodeWords[:], code)
			if err := readRecord(record, &a); err != nil {
				return err
			}
			attempts = append(attempts, a)
			return nil
		}, delivery.Sequence, id.Number)
	})
	return attempts, err
}

// RetryDelivery fulfils store.Journal.
func (s *Store) RetryDelivery(ctx context.Context, tenant postrider.TenantID, id postrider.DeliveryID, now time.Time) (*postrider.Delivery, error) {
	err := s.writer.change(ctx, func(c *connection) error {
		row, err := c.row(retryText, int64(id.Number), id.Event.ID[:], tenant.ID[:])
		switch {
		case err != nil:
			return err
		case row == nil:
			return notFound("delivery")
		case row[1] == int64(stateSucceeded):
			return postrider.Errorf(postrider.CodeConflict, "delivery %s has succeeded; there is nothing to retry", id)
		case row[3] != nil:
			return postrider.Errorf(postrider.CodeConflict, "the webhook of delivery %s is deleted", id)
		case row[2] == int64(endpointDisabled):
			return postrider.Errorf(postrider.CodeConflict, "the webhook of delivery %s is disabled; enable it first", id)
		}
		_, err = c.run("UPDATE delivery SET state = 0, reason = 0, due = ?, ended_at = NULL WHERE seq = ? AND number = ?",
			now.UnixMilli(), row[0], int64(id.Number))
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.FindDelivery(ctx, tenant, id)
}

func appendDelivery(all *[]postrider.Delivery, row scanner) error {
	var d postrider.Delivery
	var environment, state, reason any
	err := row.Scan(&d.Sequence, (*blobID)(&d.ID.Event.ID), &d.ID.Number, (*blobID)(&d.Tenant.ID), &environment, (*blobID)(&d.Endpoint.ID),
		(*string)(&d.Topic), &state, &reason, &d.Attempts, (*blobTime)(&d.DueAt), (*blobTime)(&d.CreatedAt), (*blobTime)(&d.EndedAt))
	if err != nil {
		return err
	}
	d.Environment = word(environmentWords[:], environment)
	d.State = word(deliveryStateWords[:], state)
	d.Reason = word(reasonWords[:], reason)
	if d.State.Final() {
		d.DueAt = time.Time{}
	}
	*all = append(*all, d)
	return nil
}

// eventRow is a row of eventColumns or headColumns.
type eventRow struct {
	e           postrider.Event
	environment any
	given       sql.NullString
	reasons     []byte
}

func (r *eventRow) dest() []any {
	return []any{&r.e.Sequence, (*blobID)(&r.e.ID.ID), (*blobID)(&r.e.Tenant.ID), &r.environment, (*string)(&r.e.Topic), &r.given,
		(*blobTime)(&r.e.OccurredAt), (*blobTime)(&r.e.AcceptedAt), &r.reasons, &r.e.Data, &r.e.Previous}
}

func (r *eventRow) event() (*postrider.Event, error) {
	r.e.Environment = word(environmentWords[:], r.environment)
	r.e.GivenID = r.given.String
	var err error
	r.e.Reasons, err = decodeReasons(r.reasons)
	return &r.e, err
}
