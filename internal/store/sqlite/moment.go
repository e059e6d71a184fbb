package sqlite

import (
	"context"
	"database/sql"
)

// moment is one state of the database, read through one connection.
type moment struct{ *hold }

// moment begins to read one state. Everything of it is read with its ctx.
func (p *readPool) moment(ctx context.Context) (moment, error) {
	h, err := p.hold(ctx)
	if err != nil {
		return moment{}, err
	}
	if _, err := h.conn.ExecContext(h.ctx, `BEGIN`); err != nil {
		err = h.fault(err)
		h.close()
		return moment{}, err
	}
	h.begun = true
	return moment{h}, nil
}

// mostShapes bounds how many texts that depend on the filter a connection keeps prepared.
const mostShapes = 300

// shaped reads with a text that depends on what kind of filter it is of.
func (r moment) shaped(ctx context.Context, q *query) (*answer, error) {
	text := q.text.String()
	if _, ok := r.prepared[text]; ok {
		return r.query(ctx, text, q.args...)
	}
	if r.shapes < mostShapes {
		r.shapes++
		return r.query(ctx, text, q.args...)
	}
	return r.ask(ctx, text, q.args...)
}

// ids collects the ids of a query with a constant text.
func (r moment) ids(ctx context.Context, text string, args ...any) ([]int64, error) {
	rows, err := r.query(ctx, text, args...)
	return collect(rows, err, scanID)
}

func (r moment) number(ctx context.Context, text string, args ...any) (n sql.NullInt64, err error) {
	rows, err := r.query(ctx, text, args...)
	if err != nil {
		return n, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&n)
	}
	if err == nil {
		err = rows.Err()
	}
	return n, err
}
