package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/store"
)

const endpointColumns = `e.num, e.id, t.id, e.environment, e.url, e.topics, e.contract, e.description, e.state,
	e.disabled_reason, e.disabled_at, e.max_in_flight, e.rate_limit, e.rate_burst, e.created_at, e.updated_at, e.deleted_at,
	e.rotation_started_at, e.rotation_until`

const (
	endpointAnywhereText = "SELECT " + endpointColumns + " FROM endpoint e JOIN tenant t ON t.num = e.tenant WHERE e.id = ?"
	endpointOfTenantText = endpointAnywhereText + " AND t.id = ? AND e.deleted_at IS NULL"
	endpointsAfterText   = "SELECT " + endpointColumns + " FROM endpoint e JOIN tenant t ON t.num = e.tenant WHERE e.num > ? AND e.deleted_at IS NULL ORDER BY e.num LIMIT ?"
	endpointsText        = "SELECT " + endpointColumns + ` FROM tenant t JOIN endpoint e ON e.tenant = t.num
		WHERE t.id = ?1 AND e.id > ?2 AND e.deleted_at IS NULL
		AND (?3 = 0 OR e.environment = ?3) AND (?4 = '' OR e.contract = ?4) ORDER BY e.id LIMIT ?5`
)

// visitPage is how many endpoints EachEndpoint reads at once.
const visitPage = 500

// CreateEndpoint fulfils store.Endpoints.
func (s *Store) CreateEndpoint(ctx context.Context, e *postrider.Endpoint) error {
	return s.writer.change(ctx, func(c *connection) error {
		tenant, err := c.row("SELECT num FROM tenant WHERE id = ?", e.Tenant.ID[:])
		if err != nil {
			return err
		}
		if tenant == nil {
			return notFound("tenant")
		}
		found, err := c.row("SELECT 1 FROM endpoint WHERE id = ?", e.ID.ID[:])
		if err != nil {
			return err
		}
		if found != nil {
			return postrider.Errorf(postrider.CodeConflict, "there is a webhook %s already", e.ID)
		}
		started, until := rotationTimes(e)
		_, err = c.run(`INSERT INTO endpoint (id, tenant, environment, url, topics, contract, description, state,
			disabled_reason, disabled_at, max_in_flight, rate_limit, rate_burst, created_at, updated_at, deleted_at,
			rotation_started_at, rotation_until) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
			e.ID.ID[:], tenant[0], number(environmentWords[:], e.Environment), e.URL, joinTopics(e.Topics), e.Contract, e.Description,
			number(endpointStateWords[:], e.State), string(e.DisabledReason), millis(e.DisabledAt), int64(e.MaxInFlight),
			e.RateLimit, int64(e.RateBurst), e.CreatedAt.UnixMilli(), e.UpdatedAt.UnixMilli(), millis(e.DeletedAt), started, until)
		if err != nil {
			return err
		}
		row, err := c.row("SELECT last_insert_rowid()")
		if err != nil {
			return err
		}
		return s.vault.writeSecrets(c, row[0].(int64), e)
	})
}

// FindEndpoint fulfils store.Endpoints.
func (s *Store) FindEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID) (*postrider.Endpoint, error) {
	return s.findEndpoint(ctx, s.queries.endpointOfTenant, id.ID[:], tenant.ID[:])
}

// LaneEndpoint fulfils store.Queue.
func (s *Store) LaneEndpoint(ctx context.Context, id postrider.EndpointID) (*postrider.Endpoint, error) {
	return s.findEndpoint(ctx, s.queries.endpointAnywhere, id.ID[:])
}

func (s *Store) findEndpoint(ctx context.Context, query *sql.Stmt, args ...any) (*postrider.Endpoint, error) {
	var endpoint *postrider.Endpoint
	err := s.read(func() error {
		num, e, err := scanEndpoint(query.QueryRowContext(ctx, args...))
		if err != nil {
			return err
		}
		endpoint = e
		return s.readSecrets(ctx, num, e)
	})
	if err != nil {
		return nil, err
	}
	return endpoint, nil
}

// Endpoints fulfils store.Endpoints.
func (s *Store) Endpoints(ctx context.Context, tenant postrider.TenantID, f store.EndpointFilter) ([]*postrider.Endpoint, error) {
	var all []*postrider.Endpoint
	err := s.read(func() error {
		rows, err := s.reader.QueryContext(ctx, endpointsText, tenant.ID[:], f.After.ID[:],
			number(environmentWords[:], f.Environment), f.Contract, pageLimit(f.Limit))
		if err != nil {
			return err
		}
		_, all, err = s.collectEndpoints(ctx, rows)
		return err
	})
	return all, err
}

// EachEndpoint fulfils store.Endpoints. It reads page by page, so that visit may call the store
// and nothing is held while it runs.
func (s *Store) EachEndpoint(ctx context.Context, visit func(*postrider.Endpoint) error) error {
	for last := int64(0); ; {
		var page []*postrider.Endpoint
		err := s.read(func() error {
			rows, err := s.queries.endpointsAfter.QueryContext(ctx, last, visitPage)
			if err != nil {
				return err
			}
			last, page, err = s.collectEndpoints(ctx, rows)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := visit(e); err != nil {
				return err
			}
		}
		if len(page) < visitPage {
			return nil
		}
	}
}

// collectEndpoints reads all rows, then their secrets; last is the num of the last row.
func (s *Store) collectEndpoints(ctx context.Context, rows *sql.Rows) (last int64, all []*postrider.Endpoint, err error) {
	var nums []int64
	err = visitAll(rows, func(row scanner) error {
		num, e, err := scanEndpoint(row)
		nums, all = append(nums, num), append(all, e)
		return err
	})
	if err != nil || len(all) == 0 {
		return 0, nil, err
	}
	for i, e := range all {
		if err := s.readSecrets(ctx, nums[i], e); err != nil {
			return 0, nil, err
		}
	}
	return nums[len(nums)-1], all, nil
}

// UpdateEndpoint fulfils store.Endpoints.
func (s *Store) UpdateEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID, patch store.EndpointPatch, now time.Time) (*postrider.Endpoint, error) {
	return s.changeEndpoint(ctx, tenant, id, func(c *connection, num int64, e *postrider.Endpoint) error {
		applyPatch(e, &patch, now)
		if patch.Secrets != nil || patch.Rotation != nil || patch.Auth != nil {
			return s.vault.writeSecrets(c, num, e)
		}
		return nil
	})
}

// DeleteEndpoint fulfils store.Endpoints.
func (s *Store) DeleteEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID, now time.Time) (*postrider.Endpoint, error) {
	return s.changeEndpoint(ctx, tenant, id, func(_ *connection, _ int64, e *postrider.Endpoint) error {
		e.DeletedAt = wholeMillis(now)
		return nil
	})
}

// changeEndpoint reads an endpoint, lets change alter it, and writes it back, in one transaction.
func (s *Store) changeEndpoint(ctx context.Context, tenant postrider.TenantID, id postrider.EndpointID,
	change func(c *connection, num int64, e *postrider.Endpoint) error) (*postrider.Endpoint, error) {
	var endpoint *postrider.Endpoint
	err := s.writer.change(ctx, func(c *connection) error {
		row, err := c.row(endpointOfTenantText, id.ID[:], tenant.ID[:])
		if err != nil {
			return err
		}
		if row == nil {
			return notFound("webhook")
		}
		num, e, err := scanEndpoint(valueRow(row))
		if err != nil {
			return err
		}
		secrets, err := c.rows(secretsText, num)
		if err != nil {
			return err
		}
		for _, row := range secrets {
			if err := s.vault.readSecret(e, valueRow(row)); err != nil {
				return err
			}
		}
		if err := change(c, num, e); err != nil {
			return err
		}
		endpoint = e
		started, until := rotationTimes(e)
		_, err = c.run(`UPDATE endpoint SET url = ?, topics = ?, contract = ?, description = ?, state = ?, disabled_reason = ?,
			disabled_at = ?, max_in_flight = ?, rate_limit = ?, rate_burst = ?, updated_at = ?, deleted_at = ?,
			rotation_started_at = ?, rotation_until = ? WHERE num = ?`,
			e.URL, joinTopics(e.Topics), e.Contract, e.Description, number(endpointStateWords[:], e.State), string(e.DisabledReason),
			millis(e.DisabledAt), int64(e.MaxInFlight), e.RateLimit, int64(e.RateBurst), e.UpdatedAt.UnixMilli(), millis(e.DeletedAt), started, until, num)
		return err
	})
	if err != nil {
		return nil, err
	}
	return endpoint, nil
}

func applyPatch(e *postrider.Endpoint, p *store.EndpointPatch, now time.Time) {
	set(&e.URL, p.URL)
	set(&e.Topics, p.Topics)
	set(&e.Contract, p.Contract)
	set(&e.Description, p.Description)
	set(&e.Secrets, p.Secrets)
	set(&e.MaxInFlight, p.MaxInFlight)
	set(&e.RateLimit, p.RateLimit)
	set(&e.RateBurst, p.RateBurst)
	set(&e.Rotation, p.Rotation)
	set(&e.Auth, p.Auth)
	e.UpdatedAt = wholeMillis(now)
	if p.State == nil {
		return
	}
	was := e.State
	e.State = *p.State
	if e.State != postrider.EndpointDisabled {
		e.DisabledReason, e.DisabledAt = "", time.Time{}
		return
	}
	if was != postrider.EndpointDisabled {
		e.DisabledAt = e.UpdatedAt
	}
	set(&e.DisabledReason, p.DisabledReason)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// scanEndpoint reads endpointColumns; secrets come after.
func scanEndpoint(row scanner) (num int64, e *postrider.Endpoint, err error) {
	e = new(postrider.Endpoint)
	var environment, state any
	var topics string
	var started, until sql.NullInt64
	err = row.Scan(&num, (*blobID)(&e.ID.ID), (*blobID)(&e.Tenant.ID), &environment, &e.URL, &topics, &e.Contract, &e.Description,
		&state, (*string)(&e.DisabledReason), (*blobTime)(&e.DisabledAt), &e.MaxInFlight, &e.RateLimit, &e.RateBurst,
		(*blobTime)(&e.CreatedAt), (*blobTime)(&e.UpdatedAt), (*blobTime)(&e.DeletedAt),
		&started, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, notFound("webhook")
	}
	e.Environment = word(environmentWords[:], environment)
	e.State = word(endpointStateWords[:], state)
	e.Topics = splitTopics(topics)
	if until.Valid {
		e.Rotation = &postrider.SecretRotation{StartedAt: time.UnixMilli(started.Int64).UTC(), Until: time.UnixMilli(until.Int64).UTC()} // Next comes with the secrets
	}
	return num, e, err
}

// rotationTimes are the columns of a rotation.
func rotationTimes(e *postrider.Endpoint) (started, until any) {
	if e.Rotation == nil {
		return nil, nil
	}
	return e.Rotation.StartedAt.UnixMilli(), e.Rotation.Until.UnixMilli()
}

func (s *Store) readSecrets(ctx context.Context, num int64, e *postrider.Endpoint) error {
	return each(ctx, s.queries.secrets, func(row scanner) error { return s.vault.readSecret(e, row) }, num)
}

// A topic pattern holds no line break, so topics are stored one a line.

func joinTopics(topics []postrider.Topic) string {
	var b strings.Builder
	for i, topic := range topics {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(string(topic))
	}
	return b.String()
}

func splitTopics(text string) []postrider.Topic {
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	topics := make([]postrider.Topic, len(lines))
	for i, line := range lines {
		topics[i] = postrider.Topic(line)
	}
	return topics
}

// wholeMillis is a time as it comes back from the database.
func wholeMillis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}
