package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"correction-console/internal/ledger"
)

// originCursor reads corrections in the order of their ids, and keeps what is needed of
// the newest: a correction's events lie close together, as a rule.
type originCursor struct {
	tx   *sql.Tx
	rows *sql.Rows
	id   int64 // where it stands; 0: at its end
	next nowRow
	raw  []any
	o    ledger.Origin
	kept map[int64]*knownCorrection
}

const nowColumns = `s.salt, w.n, w.state, w.at_ms, w.request_id, w.settled, w.due, w.review, w.approver, w.flagged,
	CASE WHEN w.flagged THEN COALESCE((SELECT group_concat(code, ' ' ORDER BY code) FROM flag WHERE correction_id = w.correction_id), '-') ELSE '' END,
	p.author, p.at_ms, p.reduction, c.author, c.base_total - c.target_total`

// nowRow takes up nowColumns. What is missing is left at zero, which no event leads to.
type nowRow struct {
	salt                                     []byte
	n, at, due, approver, flagged            sql.NullInt64
	state, requestID, settled, review, flags sql.NullString
	spender, spentAt, spent                  sql.NullInt64
	author, reduction                        sql.NullInt64
}

func (r *nowRow) columns() []any {
	return []any{&r.salt, &r.n, &r.state, &r.at, &r.requestID, &r.settled, &r.due, &r.review, &r.approver, &r.flagged, &r.flags, &r.spender, &r.spentAt, &r.spent, &r.author, &r.reduction}
}

func (r *nowRow) known() *knownCorrection {
	return &knownCorrection{salt: r.salt, author: r.author.Int64, reduction: r.reduction.Int64, now: standing{
		int(r.n.Int64), r.state.String, r.at.Int64, r.requestID.String, r.settled.String, r.due.Int64 != 0, r.review.String, r.approver.Int64, r.flagged.Int64 != 0,
	}, has: derived{r.flags.String, r.spender.Int64, r.spentAt.Int64, r.spent.Int64}}
}

func newOriginCursor(ctx context.Context, tx *sql.Tx) (*originCursor, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT c.id, `+nowColumns+`, `+originColumns+` FROM correction c
		LEFT JOIN salt s ON s.correction_id = c.id LEFT JOIN correction_now w ON w.correction_id = c.id
		LEFT JOIN spent p ON p.correction_id = c.id ORDER BY c.id`)
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	c := &originCursor{tx: tx, rows: rows, kept: make(map[int64]*knownCorrection, keptSalts)}
	c.raw = append(append([]any{&c.id}, c.next.columns()...), originOf(&c.o)...)
	return c, c.advance()
}

func (c *originCursor) advance() error {
	c.o, c.id, c.next.salt = ledger.Origin{}, 0, nil
	if !c.rows.Next() {
		return c.rows.Err()
	}
	return c.rows.Scan(c.raw...)
}

func (c *originCursor) keep(id int64, known *knownCorrection) {
	if len(c.kept) >= keptSalts {
		clear(c.kept)
	}
	c.kept[id] = known
}

// of returns a correction; sql.ErrNoRows when there is none.
func (c *originCursor) of(ctx context.Context, id int64) (*ledger.Origin, error) {
	if c.id != id {
		return origin(c.tx.QueryRowContext(ctx, originQuery, id))
	}
	if c.next.salt != nil {
		c.keep(id, c.next.known())
	}
	o := c.o
	return &o, c.advance()
}

// known returns what is needed of a correction before its event n; sql.ErrNoRows when
// there is none.
func (c *originCursor) known(ctx context.Context, id int64, n int) (*knownCorrection, error) {
	if known, ok := c.kept[id]; ok {
		return known, nil
	}
	var now nowRow
	err := c.tx.QueryRowContext(ctx, `SELECT `+nowColumns+` FROM salt s LEFT JOIN correction_now w ON w.correction_id = s.correction_id
		LEFT JOIN spent p ON p.correction_id = s.correction_id LEFT JOIN correction c ON c.id = s.correction_id WHERE s.correction_id = ?`, id).
		Scan(now.columns()...)
	if err != nil {
		return nil, err
	}
	known := now.known()
	rows, err := c.tx.QueryContext(ctx, `SELECT n, state, at_ms, COALESCE(actor, 0), request_id, settled, due, review, detail FROM event WHERE correction_id = ? AND n < ? ORDER BY n`, id, n)
	_, err = collect(rows, err, func(r scanner) (struct{}, error) {
		var e ledger.Entry
		err := r.Scan(&e.N, &e.State, &e.AtMS, &e.Actor, &e.RequestID, &e.Settled, &e.Due, &e.Review, &e.Detail)
		known.follow(e)
		return struct{}{}, err
	})
	c.keep(id, known)
	return known, err
}

func (c *originCursor) close() { c.rows.Close() }

// verifyRest looks for records that the proof does not know, and at what is derived
// from the events. Each row of the proof stands for an event of its own, so that counts
// tell whether there are others.
func verifyRest(ctx context.Context, tx *sql.Tx, v Verification) error {
	for _, check := range []struct {
		count       string
		want        int64
		query, what string
	}{
		{`SELECT count(*) FROM event`, v.Events, `
			SELECT e.correction_id, e.n FROM event e LEFT JOIN leaf l ON l.i = e.leaf
			WHERE l.correction_id IS NOT e.correction_id OR l.n IS NOT e.n ORDER BY 1, 2 LIMIT 1`, "the event is not in the proof"},
		{`SELECT count(*) FROM correction`, v.Corrections, `
			SELECT c.id, 0 FROM correction c WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.correction_id = c.id AND e.n = 1) LIMIT 1`,
			"the correction is not in the proof"},
		{`SELECT count(*) FROM salt`, v.Corrections, `
			SELECT s.correction_id, 0 FROM salt s WHERE NOT EXISTS (SELECT 1 FROM correction c WHERE c.id = s.correction_id) LIMIT 1`,
			"the salt belongs to nothing"},
		{`SELECT count(*) FROM send`, v.Intents, `
			SELECT s.correction_id, 0 FROM send s
			WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.correction_id = s.correction_id AND e.state = 'sending') LIMIT 1`,
			"the intent to send is not in the proof"},
		{`SELECT count(*) FROM correction_now`, v.Corrections, `
			SELECT w.correction_id, 0 FROM correction_now w WHERE NOT EXISTS (SELECT 1 FROM correction c WHERE c.id = w.correction_id) LIMIT 1`,
			"its state is missing, or belongs to nothing"},
		{`SELECT count(*) FROM flag`, v.flags, `
			SELECT f.correction_id, 0 FROM flag f JOIN correction_now w ON w.correction_id = f.correction_id WHERE w.flagged = 0 LIMIT 1`,
			"a flag is missing, or there is one that no event gives"},
		{`SELECT count(*) FROM spent`, v.spent, `
			SELECT p.correction_id, 0 FROM spent p LEFT JOIN event e ON e.correction_id = p.correction_id AND e.n = 2 AND e.state = 'claimed' WHERE e.n IS NULL LIMIT 1`,
			"what its author gave up alone is missing, or belongs to nothing"},
		{``, 0, `
			SELECT l.correction_id, 0 FROM claim l
			LEFT JOIN correction_now w ON w.correction_id = l.correction_id LEFT JOIN correction c ON c.id = l.correction_id
			WHERE COALESCE(w.state, '') NOT IN ('awaiting_approval', 'approved', 'claimed', 'sending', 'unknown')
				OR c.sub_mchid IS NOT l.sub_mchid OR c.out_order_no IS NOT l.out_order_no ORDER BY 1 LIMIT 1`,
			"it holds an order without being open, or another one than its own"},
		{``, 0, `
			SELECT w.correction_id, 0 FROM correction_now w INDEXED BY correction_now_state
			WHERE w.state IN ('awaiting_approval', 'approved', 'claimed', 'sending', 'unknown') AND NOT EXISTS (SELECT 1 FROM claim l WHERE l.correction_id = w.correction_id) LIMIT 1`,
			"it is open without holding its order"},
	} {
		if check.count != "" {
			var n int64
			if err := tx.QueryRowContext(ctx, check.count).Scan(&n); err != nil {
				return fmt.Errorf("count records: %w", err)
			}
			if n == check.want {
				continue
			}
		}
		f := &Fault{What: check.what}
		err := tx.QueryRowContext(ctx, check.query).Scan(&f.CorrectionID, &f.N)
		if err == nil || errors.Is(err, sql.ErrNoRows) && check.count != "" {
			return f
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for records outside the proof: %w", err)
		}
	}
	return nil
}
