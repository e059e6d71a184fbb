package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
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

// pool is the writer's database handle with statements that stay prepared. Only constant
// texts go through it.
type pool struct {
	db       *sql.DB
	prepared sync.Map    // text → *sql.Stmt
	note     func(error) // is told each error of the database
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

// exec executes a constant text. Like everything else in the transaction it goes on when
// ctx ends: SQLite would roll back the whole of it, and with it the work of others.
func (w *writeTx) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx = context.WithoutCancel(ctx)
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
	ctx = context.WithoutCancel(ctx)
	if s := w.stmt(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return w.tx.QueryRowContext(ctx, query, args...)
}

// collect scans all rows and closes them.
func collect[T any](rows rowSet, err error, scan func(scanner) (T, error)) ([]T, error) {
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
