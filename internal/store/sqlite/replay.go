package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

const (
	replayEventText = `SELECT e.seq, (SELECT coalesce(max(d.number), 0) FROM delivery d WHERE d.seq = e.seq)
		FROM event e CROSS JOIN tenant t ON t.num = e.tenant WHERE e.id = ? AND t.id = ?`
	replayEndpointText = `SELECT p.num, p.tenant, p.state, p.deleted_at FROM endpoint p CROSS JOIN tenant t ON t.num = p.tenant WHERE p.id = ? AND t.id = ?`

	// replaySequenceText gives, of an event of the tenant, the highest number of its deliveries and how many of
	// those to the endpoint wait.
	replaySequenceText = `SELECT (SELECT coalesce(max(d.number), 0) FROM delivery d WHERE d.seq = e.seq),
		(SELECT count(*) FROM delivery d INDEXED BY delivery_by_endpoint WHERE d.endpoint = ? AND d.seq = e.seq AND d.state = 0)
		FROM event e WHERE e.seq = ? AND e.tenant = ?`

	addDeliveryText = `INSERT INTO delivery (seq, number, endpoint, tenant, due, created_at, state, reason, attempts) VALUES (?,?,?,?,?,?,0,0,0)`
)

// maxReplay bounds the events of one step.
const maxReplay = 1000

// ReplayEvent fulfils store.Replays.
func (s *Store) ReplayEvent(ctx context.Context, tenant postrider.TenantID, event postrider.EventID, owed []store.Owed, now time.Time) ([]postrider.Delivery, error) {
	var first int
	err := s.writer.change(ctx, func(c *connection) error {
		row, err := c.row(replayEventText, event.ID[:], tenant.ID[:])
		if err != nil {
			return err
		}
		if row == nil {
			return notFound("event")
		}
		endpoints := make([]replayEndpoint, len(owed))
		for i := range owed {
			if endpoints[i], err = findReplayEndpoint(c, tenant, owed[i].Endpoint); err != nil {
				return err
			}
		}
		first = int(row[1].(int64)) + 1
		for i := range owed {
			_, err := c.run(addDeliveryText, row[0], int64(first+i), endpoints[i].num, endpoints[i].tenant, owed[i].DueAt.UnixMilli(), now.UnixMilli())
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(owed) == 0 {
		return nil, err
	}
	deliveries, err := s.EventDeliveries(ctx, tenant, event)
	if err != nil {
		return nil, err
	}
	return slices.Clone(deliveries[first-1 : first-1+len(owed)]), nil
}

// replayEndpoint is what a new delivery's row says of its endpoint.
type replayEndpoint struct{ num, tenant driver.Value }

// findReplayEndpoint finds an endpoint of the tenant's that events can be owed to.
func findReplayEndpoint(c *connection, tenant postrider.TenantID, id postrider.EndpointID) (replayEndpoint, error) {
	row, err := c.row(replayEndpointText, id.ID[:], tenant.ID[:])
	switch {
	case err != nil:
		return replayEndpoint{}, err
	case row == nil, row[3] != nil:
		return replayEndpoint{}, notFound("webhook")
	case row[2] == int64(endpointDisabled):
		return replayEndpoint{}, postrider.Errorf(postrider.CodeConflict, "webhook %s is disabled; enable it first", id)
	}
	return replayEndpoint{row[0], row[1]}, nil
}

// Replay fulfils store.Replays.
func (s *Store) Replay(ctx context.Context, tenant postrider.TenantID, endpoint postrider.EndpointID, events []int64, due, now time.Time) (int, error) {
	if len(events) > maxReplay {
		return 0, postrider.Errorf(postrider.CodeInvalid, "a step of a replay has at most %d events", maxReplay)
	}
	made := 0
	err := s.writer.submit(ctx, &request{work: 1 + len(events), change: func(c *connection) error {
		made = 0 // a group that fails together runs again
		found, err := findReplayEndpoint(c, tenant, endpoint)
		if err != nil {
			return err
		}
		for _, seq := range events {
			row, err := c.row(replaySequenceText, found.num, seq, found.tenant)
			if err != nil {
				return err
			}
			if row == nil || row[1].(int64) > 0 {
				continue
			}
			_, err = c.run(addDeliveryText, seq, row[0].(int64)+1, found.num, found.tenant, due.UnixMilli(), now.UnixMilli())
			if err != nil {
				return err
			}
			made++
		}
		return nil
	}})
	return made, err
}

// ReplayMatches fulfils store.Replays.
func (s *Store) ReplayMatches(ctx context.Context, tenant postrider.TenantID, endpoint postrider.EndpointID, f store.ReplayFilter) (store.ReplayMatches, error) {
	f.Limit = min(max(f.Limit, 1), maxReplay)
	q := replayQuery(tenant, endpoint, f)
	var matches store.ReplayMatches
	seen, last := 0, int64(0)
	err := s.read(func() error {
		rows, err := s.reader.QueryContext(ctx, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		return visitAll(rows, func(row scanner) error {
			var topic string
			var state any
			if err := row.Scan(&last, &topic, &state); err != nil {
				return err
			}
			seen++
			stands := store.ReplayNone
			if state != nil {
				stands = store.ReplayState(word(deliveryStateWords[:], state))
			}
			switch {
			case !f.Chooses(postrider.Topic(topic), stands):
			case stands == store.ReplayState(postrider.DeliveryPending):
				matches.Pending++
			default:
				matches.Events = append(matches.Events, last)
			}
			return nil
		})
	})
	if seen == f.Limit {
		matches.Next = last
	}
	return matches, err
}

// replayQuery reads the index of the tenant's events, oldest first, and looks for the delivery
// that says how those that fit stand.
func replayQuery(tenant postrider.TenantID, endpoint postrider.EndpointID, f store.ReplayFilter) *listQuery {
	q := new(listQuery)
	q.write(`SELECT e.seq, e.topic, (SELECT d.state FROM delivery d INDEXED BY delivery_by_endpoint
			WHERE d.endpoint = (SELECT num FROM endpoint WHERE id = ?) AND d.seq = e.seq ORDER BY d.state = 0 DESC, d.number DESC LIMIT 1)
		FROM event e INDEXED BY event_by_tenant WHERE e.tenant = (SELECT num FROM tenant WHERE id = ?) AND e.seq > ?`,
		endpoint.ID[:], tenant.ID[:], f.After)
	if f.Through != 0 {
		q.write(" AND e.seq <= ?", f.Through)
	}
	q.eventFilter("e.", f.Environment, "", f.From, f.To)
	for _, topics := range f.Topics {
		if len(topics) == 0 || slices.ContainsFunc(topics, postrider.Topic.IsPattern) {
			continue // Chooses judges them
		}
		args := make([]any, len(topics))
		for i, topic := range topics {
			args[i] = string(topic)
		}
		q.write(" AND e.topic IN (?"+strings.Repeat(",?", len(topics)-1)+")", args...)
	}
	q.write(" ORDER BY e.seq LIMIT ?", f.Limit)
	return q
}
