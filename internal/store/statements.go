package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
)

// SQLite's result codes that mean something to us.
const (
	codeCorrupt          = 11
	codeNotADB           = 26
	codeConstraintKey    = 1555 // PRIMARY KEY
	codeConstraintUnique = 2067
	codeConstraintByRule = 1811 // RAISE in a trigger
)

func hasCode(err error, codes ...int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (slices.Contains(codes, e.Code()) || slices.Contains(codes, e.Code()&0xff))
}

// refused reports whether a key or a trigger of the schema said no.
func refused(err error) bool {
	return hasCode(err, codeConstraintKey, codeConstraintUnique, codeConstraintByRule)
}

// pool is a database handle with statements that stay prepared. Only constant
// texts go through it, and so many that depend on a filter.
type pool struct {
	db       *sql.DB
	prepared sync.Map    // text → *sql.Stmt
	note     func(error) // is told each error of the database
	shapes   atomic.Int64
}

func (p *pool) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.prepared.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		p.note(err)
		return nil, err
	}
	if other, taken := p.prepared.LoadOrStore(query, s); taken {
		s.Close()
		return other.(*sql.Stmt), nil
	}
	return s, nil
}

func (p *pool) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args...) // reads the first row
	if err != nil {
		p.note(err)
	}
	return rows, err
}

// row is the one row of a query; Scan returns the error.
func (p *pool) row(ctx context.Context, query string, args ...any) scanner {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return failed{err}
	}
	row := s.QueryRowContext(ctx, args...)
	if err := row.Err(); err != nil {
		p.note(err)
	}
	return row
}

type scanner interface{ Scan(dest ...any) error }

type failed struct{ error }

func (f failed) Scan(...any) error { return f.error }

func (p *pool) close() error {
	p.prepared.Range(func(_, s any) bool {
		s.(*sql.Stmt).Close()
		return true
	})
	return p.db.Close()
}

// writeTx is a transaction of the one writer.
type writeTx struct {
	pool  *pool
	tx    *sql.Tx
	store *Store
	tree  *growth  // of the proof, once something was added
	fresh []string // texts to prepare when the connection is free

	regrouping regrouping
	newFacets  bool // there are values that were never filtered by before
}

func (w *writeTx) stmt(ctx context.Context, query string) *sql.Stmt {
	if s, ok := w.pool.prepared.Load(query); ok {
		return w.tx.StmtContext(ctx, s.(*sql.Stmt))
	}
	w.fresh = append(w.fresh, query)
	return nil
}

func (w *writeTx) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := w.stmt(ctx, query); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return w.tx.ExecContext(ctx, query, args...)
}

// changed executes and returns how many rows that changed.
func (w *writeTx) changed(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := w.exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (w *writeTx) row(ctx context.Context, query string, args ...any) scanner {
	if s := w.stmt(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return w.tx.QueryRowContext(ctx, query, args...)
}

// collect scans all rows and closes them.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// at turns stored milliseconds into a time; 0 is the zero time.
func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// millis is the stored form of a time; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// orNull stores the id 0 as NULL.
func orNull(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }
