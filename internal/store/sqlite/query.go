package sqlite

import (
	"fmt"
	"strings"
	"time"

	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"github.com/postrider/postrider"
)

// queries are the prepared statements of the readers. Lists whose filters make the text stand with
// their code.
type queries struct {
	tenantByID, tenantByName, tenants       *sql.Stmt
	keyByHash, keysOfTenant, keysOfOperator *sql.Stmt

	userByID, userByLogin, usersOfTenant, usersOfOperator *sql.Stmt
	setting, audit, auditOfOperator                       *sql.Stmt

	endpointOfTenant, endpointAnywhere, endpointsAfter, secrets *sql.Stmt

	lanes, due, nextDue                     *sql.Stmt
	eventByID, eventByKey                   *sql.Stmt
	eventDeliveries, findDelivery, attempts *sql.Stmt
}

func (q *queries) prepare(ctx context.Context, db *sql.DB) error {
	for _, one := range [...]struct {
		stmt **sql.Stmt
		text string
	}{
		{&q.tenantByID, "SELECT " + tenantColumns + " FROM tenant WHERE id = ?"},
		{&q.tenantByName, "SELECT " + tenantColumns + " FROM tenant WHERE name = ?"},
		{&q.tenants, "SELECT " + tenantColumns + " FROM tenant WHERE id > ? ORDER BY id LIMIT ?"},

		{&q.keyByHash, "SELECT " + keyColumns + " FROM api_key k LEFT JOIN tenant t ON t.num = k.tenant WHERE k.hash = ?"},
		{&q.keysOfTenant, "SELECT " + keyColumns + " FROM tenant t JOIN api_key k ON k.tenant = t.num WHERE t.id = ? ORDER BY k.id"},
		{&q.keysOfOperator, "SELECT " + keyColumns + " FROM api_key k LEFT JOIN tenant t ON t.num = k.tenant WHERE k.tenant IS NULL ORDER BY k.id"},

		{&q.userByID, userByIDText},
		{&q.userByLogin, userByLoginText},
		{&q.usersOfTenant, usersOfTenantText},
		{&q.usersOfOperator, usersOfOperatorText},
		{&q.setting, settingText},
		{&q.audit, auditText},
		{&q.auditOfOperator, auditOperatorText},

		{&q.endpointOfTenant, endpointOfTenantText},
		{&q.endpointAnywhere, endpointAnywhereText},
		{&q.endpointsAfter, endpointsAfterText},
		{&q.secrets, secretsText},

		{&q.lanes, lanesText},
		{&q.due, dueText},
		{&q.nextDue, nextDueText},

		{&q.eventByID, eventByIDText},
		{&q.eventByKey, eventByKeyText},
		{&q.eventDeliveries, eventDeliveriesText},
		{&q.findDelivery, findDeliveryText},
		{&q.attempts, attemptsText},
	} {
		stmt, err := db.PrepareContext(ctx, one.text)
		if err != nil {
			return err
		}
		*one.stmt = stmt
	}
	return nil
}

// each runs a prepared query and calls visit with every row.
func each(ctx context.Context, query *sql.Stmt, visit func(scanner) error, args ...any) error {
	rows, err := query.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return visitAll(rows, visit)
}

func visitAll(rows *sql.Rows, visit func(scanner) error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func values(args []any) []driver.Value {
	all := make([]driver.Value, len(args))
	for i := range args {
		all[i] = args[i]
	}
	return all
}

// listQuery gathers the text and the arguments of a list whose filter says which conditions it has.
type listQuery struct {
	text strings.Builder
	args []any
}

func (q *listQuery) write(text string, args ...any) {
	q.text.WriteString(text)
	q.args = append(q.args, args...)
}

// eventFilter adds the conditions on an event's columns.
func (q *listQuery) eventFilter(prefix string, environment postrider.Environment, topic postrider.Topic, from, to time.Time) {
	if environment != "" {
		q.write(" AND "+prefix+"environment = ?", number(environmentWords[:], environment))
	}
	if topic != "" {
		q.write(" AND "+prefix+"topic = ?", string(topic))
	}
	if !from.IsZero() {
		q.write(" AND "+prefix+"accepted_at >= ?", ceilMillis(from))
	}
	if !to.IsZero() {
		q.write(" AND "+prefix+"accepted_at < ?", ceilMillis(to))
	}
}

// maxPage bounds a list, whatever its caller asks for.
const maxPage = 1000

func pageLimit(limit int) int { return min(max(limit, 1), maxPage) }

// ceilMillis is the first whole millisecond not before t: stored times compare with it as they would with t.
func ceilMillis(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// valueRow is a row of the driver's values, read as database/sql reads one. It knows the types
// that the rows of this package have.
type valueRow []driver.Value

// Scan fulfils scanner.
func (r valueRow) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("a row of %d columns is read as %d", len(r), len(dest))
	}
	for i := range dest {
		ok := true
		switch d := dest[i].(type) {
		case sql.Scanner:
			if err := d.Scan(r[i]); err != nil {
				return err
			}
		case *any:
			*d = r[i]
		case *int64:
			*d, ok = r[i].(int64)
		case *int:
			var n int64
			n, ok = r[i].(int64)
			*d = int(n)
		case *float64:
			*d, ok = r[i].(float64)
		case *string:
			*d, ok = r[i].(string)
		case *[]byte:
			*d, ok = r[i].([]byte)
		default:
			ok = false
		}
		if !ok {
			return fmt.Errorf("column %d holds a %T and is read into a %T", i, r[i], dest[i])
		}
	}
	return nil
}
