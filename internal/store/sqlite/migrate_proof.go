package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// proveOldEvents puts the events of a database that knew no proof into it, in the
// order in which they came, as far as their times tell. From then on they are as safe
// as new ones; what happened to them before cannot be known.
func proveOldEvents(ctx context.Context, tx *sql.Tx) error {
	var old int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM event`).Scan(&old); err != nil || old == 0 {
		return err
	}
	// An event is not rewritten; that it gets its place in the proof is no rewriting.
	var guard string
	if err := tx.QueryRowContext(ctx, `SELECT sql FROM sqlite_schema WHERE name = 'event_update'`).Scan(&guard); err != nil {
		return fmt.Errorf("read the guard of event: %w", err)
	}
	for _, statement := range []string{
		`DROP TRIGGER event_update`,
		`UPDATE event SET request_id = detail ->> '$.request_id' WHERE detail ->> '$.request_id' IS NOT NULL`,
		// It came to its state with the first of the events of that state.
		`UPDATE correction_now AS w SET at_ms = (
			SELECT e.at_ms FROM event e WHERE e.correction_id = w.correction_id AND e.n > COALESCE((
				SELECT max(p.n) FROM event p WHERE p.correction_id = w.correction_id AND p.state <> w.state), 0)
			ORDER BY e.n LIMIT 1)`,
		`INSERT INTO salt (correction_id, salt) SELECT id, randomblob(32) FROM correction`,
		// Clocks are set back; a correction's own events keep their order all the same.
		`CREATE TEMP TABLE old_event AS
			SELECT correction_id, n FROM (
				SELECT correction_id, n, max(at_ms) OVER (PARTITION BY correction_id ORDER BY n) AS at FROM event)
			ORDER BY at, correction_id, n`,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("prepare the proof of old events: %w", err)
		}
	}
	var t ledger.Tree
	for done := int64(0); ; {
		batch, err := oldEntries(ctx, tx, done)
		if err != nil {
			return fmt.Errorf("read old events: %w", err)
		}
		if len(batch) == 0 {
			break
		}
		for _, e := range batch {
			i, hashes := t.Append(e.Leaf(nil))
			if _, err := tx.ExecContext(ctx, `INSERT INTO leaf (i, correction_id, n, hashes) VALUES (?, ?, ?, ?)`, i, e.CorrectionID, e.N, hashes); err != nil {
				return fmt.Errorf("prove an old event: %w", err)
			}
			if _, err := tx.ExecContext(ctx, `UPDATE event SET leaf = ? WHERE correction_id = ? AND n = ?`, i, e.CorrectionID, e.N); err != nil {
				return fmt.Errorf("prove an old event: %w", err)
			}
		}
		done += int64(len(batch))
	}
	for _, statement := range []string{`DROP TABLE old_event`, guard} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("finish the proof of old events: %w", err)
		}
	}
	return nil
}

// oldEntries reads some events after the first so many, with all that the proof holds
// of them.
func oldEntries(ctx context.Context, tx *sql.Tx, after int64) ([]ledger.Entry, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT e.correction_id, s.salt, e.n, e.state, e.at_ms, COALESCE(e.actor, 0), e.session_row, e.detail, e.request_id, e.settled, e.due FROM old_event o
		JOIN event e ON e.correction_id = o.correction_id AND e.n = o.n
		JOIN salt s ON s.correction_id = o.correction_id
		WHERE o.rowid > ? ORDER BY o.rowid LIMIT 500`, after)
	list, err := collect(rows, err, func(r scanner) (ledger.Entry, error) {
		var e ledger.Entry
		err := r.Scan(&e.CorrectionID, &e.Salt, &e.N, &e.State, &e.AtMS, &e.Actor, &e.Session, &e.Detail, &e.RequestID, &e.Settled, &e.Due)
		return e, err
	})
	if err != nil {
		return nil, err
	}
	for i := range list {
		switch e := &list[i]; {
		case e.N == 1:
			e.Origin, err = origin(tx.QueryRowContext(ctx, originQuery, e.CorrectionID))
		case e.State == string(correction.Sending):
			e.Intent, err = intent(tx.QueryRowContext(ctx, intentQuery, e.CorrectionID))
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
