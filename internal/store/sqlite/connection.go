package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"

	"modernc.org/sqlite"
)

// connection is one connection without database/sql around it, which costs a third of the time of
// a small write. It belongs to one goroutine at a time.
type connection struct {
	driver.Conn
	statements map[string]*statement // by their text; all texts are constants of this package
}

// connect opens dsn and runs the pragmas in their order (which a DSN would not keep).
func connect(dsn string, pragmas ...string) (*connection, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, statements: make(map[string]*statement)}
	for _, pragma := range pragmas {
		if _, err := c.rows("PRAGMA " + pragma); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Close ends the connection.
func (c *connection) Close() error {
	for _, s := range c.statements {
		s.Close()
	}
	return c.Conn.Close()
}

// prepare gives the prepared statement of a text, made at first use.
func (c *connection) prepare(text string) (*statement, error) {
	if s, found := c.statements[text]; found {
		return s, nil
	}
	stmt, err := c.Prepare(text)
	if err != nil {
		return nil, err
	}
	s := &statement{Stmt: stmt, exec: stmt.(driver.StmtExecContext), query: stmt.(driver.StmtQueryContext)}
	c.statements[text] = s
	return s, nil
}

// run executes a statement and gives the number of rows that it changed.
func (c *connection) run(text string, args ...driver.Value) (int, error) {
	s, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	return s.run(s.bind(args))
}

// row gives the first row of a query, nil when there is none.
func (c *connection) row(text string, args ...driver.Value) ([]driver.Value, error) {
	all, err := c.limited(text, 1, args)
	if len(all) == 0 {
		return nil, err
	}
	return all[0], err
}

// rows gives all rows of a query.
func (c *connection) rows(text string, args ...driver.Value) ([][]driver.Value, error) {
	return c.limited(text, -1, args)
}

func (c *connection) limited(text string, limit int, args []driver.Value) (all [][]driver.Value, err error) {
	s, err := c.prepare(text)
	if err != nil {
		return nil, err
	}
	rows, err := s.query.QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	width := len(rows.Columns())
	for limit < 0 || len(all) < limit {
		row := make([]driver.Value, width)
		if err := rows.Next(row); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// statement is a prepared statement with room for its arguments.
type statement struct {
	driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	args  []driver.NamedValue
}

func (s *statement) bind(args []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, v := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s.args
}

func (s *statement) run(args []driver.NamedValue) (int, error) {
	result, err := s.exec.ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// bulk runs one statement for many rows: rows are collected and go out 64 at a time, what is left
// over by 16, 4 and 1. A statement for many rows costs less than half of as many statements. Bulk
// statements say OR FAIL: without it SQLite keeps a copy of every page they touch, to undo a statement
// that breaks a constraint halfway. Here the whole transaction is rolled back then.
type bulk struct {
	c       *connection
	text    [len(bulkSizes)]string
	width   int                 // parameters a row
	args    []driver.NamedValue // of the rows that wait
	changed int                 // rows changed since reset
}

var bulkSizes = [...]int{64, 16, 4, 1}

// newBulk makes a bulk statement of before, a tuple for each row, and after.
func newBulk(c *connection, before, tuple, after string) *bulk {
	b := &bulk{c: c, width: strings.Count(tuple, "?")}
	for i, size := range bulkSizes {
		b.text[i] = before + strings.Repeat(tuple+",", size-1) + tuple + after
	}
	b.args = make([]driver.NamedValue, 0, bulkSizes[0]*b.width)
	return b
}

// add takes a row.
func (b *bulk) add(row ...driver.Value) error {
	for _, v := range row {
		b.args = append(b.args, driver.NamedValue{Ordinal: len(b.args) + 1, Value: v})
	}
	if len(b.args) == cap(b.args) {
		return b.flush()
	}
	return nil
}

// flush writes the rows that wait.
func (b *bulk) flush() error {
	rest := b.args
	defer b.drop()
	for i, size := range bulkSizes {
		for n := size * b.width; len(rest) >= n; rest = rest[n:] {
			chunk := rest[:n]
			for j := range chunk {
				chunk[j].Ordinal = j + 1
			}
			s, err := b.c.prepare(b.text[i])
			if err != nil {
				return err
			}
			changed, err := s.run(chunk)
			if err != nil {
				return err
			}
			b.changed += changed
		}
		if len(rest) == 0 {
			return nil
		}
	}
	return nil
}

// drop forgets the rows that wait, and lets go of what they point to.
func (b *bulk) drop() {
	clear(b.args)
	b.args = b.args[:0]
}
