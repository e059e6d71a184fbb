package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
)

// spentSince is what a person gave up on their own authority since a time. What is
// known to have changed nothing does not count.
const spentSince = `
	SELECT COALESCE(sum(p.reduction), 0), count(*) FROM spent p INDEXED BY spent_author
	JOIN correction_now w ON w.correction_id = p.correction_id
	WHERE p.author = ? AND p.at_ms >= ? AND w.state NOT IN ('stale', 'not_sent', 'rejected', 'not_applied')`

// Spent is what a person gave up on their own authority since a time.
func (s *Store) Spent(ctx context.Context, author int64, since time.Time) (correction.Spent, error) {
	var out correction.Spent
	if err := s.reader.row(ctx, spentSince, author, millis(since)).Scan(&out.Sum, &out.Count); err != nil {
		return out, fmt.Errorf("read what was given up: %w", err)
	}
	return out, nil
}

// Submit takes the order for the correction and appends the event awaiting approval,
// in one transaction. One that is no longer permitted is void instead.
func (s *Store) Submit(ctx context.Context, id int64, ref correction.Ref, e correction.Event, t *correction.Trial) error {
	err := s.judging(ctx, func(w *writeTx) (*correction.Event, error) {
		if t != nil {
			f, err := w.facts(ctx, id, *t)
			if err != nil {
				return nil, err
			}
			if f.State != correction.Prepared {
				return nil, correction.ErrMoved
			}
			if breaches := f.Breaches(); len(breaches) > 0 {
				end, err := w.endUnpermitted(ctx, f, correction.Prepared, correction.Void, breaches, e.At)
				return &end, err
			}
		}
		return nil, w.claim(ctx, id, ref, e)
	})
	if err != nil {
		return fmt.Errorf("submit correction %d for approval: %w", id, err)
	}
	return nil
}

// Approve appends the events approved and claimed to a correction that waits for
// approval with the event n as its newest, in one transaction, and not_sent when it is no
// longer permitted. ErrMoved when it does not wait any more, and when the guards of the
// schema do not let that person approve it; an error of kind Forbidden, and nothing on
// record, when they may not by now.
func (s *Store) Approve(ctx context.Context, id int64, n int, approved, claimed correction.Event, t *correction.Trial) error {
	if n < 1 {
		return fmt.Errorf("approve correction %d: %w", id, correction.ErrMoved)
	}
	err := s.judging(ctx, func(w *writeTx) (*correction.Event, error) {
		var f judged
		if t != nil {
			var err error
			if f, err = w.facts(ctx, id, *t); err != nil {
				return nil, err
			}
			if f.State != correction.Awaiting || f.overdue(claimed.At) {
				return nil, correction.ErrMoved
			}
			if err := f.MayApprove(); err != nil {
				return nil, err
			}
		}
		if err := w.follow(ctx, id, correction.Awaiting, n, approved, nil); err != nil {
			return nil, err
		}
		if err := w.follow(ctx, id, correction.Approved, n+1, claimed, nil); err != nil || t == nil {
			return nil, err
		}
		breaches := f.Breaches()
		if len(breaches) == 0 {
			return nil, nil
		}
		f.N = n + 2
		end, err := w.endUnpermitted(ctx, f, correction.Claimed, correction.NotSent, breaches, claimed.At)
		return &end, err
	})
	if refused(err) {
		err = errors.Join(correction.ErrMoved, err)
	}
	if err != nil {
		return fmt.Errorf("approve correction %d: %w", id, err)
	}
	return nil
}

// Awaiting lists what waits for approval in the scope, oldest first.
func (s *Store) Awaiting(ctx context.Context, scope correction.Scope, limit int) ([]correction.Summary, error) {
	return s.inQueue(ctx, scope, `me.state = 'awaiting_approval'`, `page.at_ms, page.id`, limit, 0)
}

// Voided lists what waited for approval and lapsed since a time, newest first.
func (s *Store) Voided(ctx context.Context, scope correction.Scope, since time.Time, limit int) ([]correction.Summary, error) {
	return s.inQueue(ctx, scope, `me.state IN ('stale', 'expired', 'void') AND me.at_ms >= ?4
		AND EXISTS (SELECT 1 FROM event e WHERE e.correction_id = me.correction_id AND e.n = 2 AND e.state = 'awaiting_approval')`,
		`page.at_ms DESC, page.id DESC`, limit, millis(since))
}

func (s *Store) inQueue(ctx context.Context, scope correction.Scope, which, order string, limit int, since int64) ([]correction.Summary, error) {
	list, err := json.Marshal(append([]string{}, scope.Merchants...))
	if err != nil {
		return nil, fmt.Errorf("list approvals: %w", err)
	}
	rows, err := s.reader.query(ctx, `
		SELECT `+summaryColumns+`, page.first FROM (
			SELECT me.correction_id AS id, me.at_ms, COALESCE((
				SELECT max(c.base_total) FROM correction c INDEXED BY correction_order JOIN correction_now w ON w.correction_id = c.id
				WHERE c.out_order_no = mine.out_order_no AND c.sub_mchid = mine.sub_mchid AND c.id <> mine.id AND `+tookEffect+`), 0) AS first
			FROM correction_now me INDEXED BY correction_now_state
			JOIN correction mine ON mine.id = me.correction_id
			WHERE `+which+` AND (?1 OR mine.sub_mchid IN (SELECT value FROM json_each(?2))) AND ?4 >= 0
		) page CROSS JOIN correction c ON c.id = page.id`+summaryJoins+`
		ORDER BY `+order+` LIMIT ?3`, scope.All, string(list), limit, since)
	out, err := collect(rows, err, func(r scanner) (correction.Summary, error) {
		var first correction.Fen
		row, err := scanSummary(more(r, &first))
		row.First = first
		return row, err
	})
	if err != nil {
		return nil, fmt.Errorf("list approvals: %w", err)
	}
	return out, nil
}

// lookAgain is after how long opening the form of an order again counts as a new look.
// Before that, who comes back to the form has known the order since the first time.
const lookAgain = 30 * time.Minute

// NoteLook keeps when a person opened the form of an order, until they confirmed a
// correction of it.
func (s *Store) NoteLook(ctx context.Context, userID int64, ref correction.Ref, at time.Time) error {
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `
			INSERT INTO look (user_id, sub_mchid, out_order_no, at_ms) VALUES (?, ?, ?, ?)
			ON CONFLICT (user_id, sub_mchid, out_order_no) DO UPDATE SET at_ms = excluded.at_ms
			WHERE look.at_ms > excluded.at_ms OR look.at_ms <= excluded.at_ms - ? OR EXISTS (
				SELECT 1 FROM correction c INDEXED BY correction_order JOIN correction_now w ON w.correction_id = c.id
				WHERE c.out_order_no = look.out_order_no AND c.sub_mchid = look.sub_mchid AND c.author = look.user_id
					AND c.prepared_ms >= look.at_ms AND w.state NOT IN ('prepared', 'cancelled', 'expired', 'void'))`,
			userID, ref.SubMchID, ref.OutOrderNo, millis(at), lookAgain.Milliseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("keep when a form was opened: %w", err)
	}
	return nil
}

// LookedAt is when a person opened the form of an order last; ErrNoRow when never.
func (s *Store) LookedAt(ctx context.Context, userID int64, ref correction.Ref) (time.Time, error) {
	var ms int64
	err := noRow(s.reader.row(ctx, `SELECT at_ms FROM look WHERE user_id = ? AND sub_mchid = ? AND out_order_no = ?`, userID, ref.SubMchID, ref.OutOrderNo).Scan(&ms))
	if err != nil {
		return time.Time{}, fmt.Errorf("read when a form was opened: %w", err)
	}
	return at(ms), nil
}

// PruneLooks forgets when forms were opened before a time.
func (s *Store) PruneLooks(ctx context.Context, before time.Time) error {
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `DELETE FROM look WHERE at_ms < ?`, millis(before))
		return err
	})
	if err != nil {
		return fmt.Errorf("forget when forms were opened: %w", err)
	}
	return nil
}

// AwaitingCount counts what came to wait for approval after a time.
func (s *Store) AwaitingCount(ctx context.Context, scope correction.Scope, after time.Time) (int, error) {
	list, err := json.Marshal(append([]string{}, scope.Merchants...))
	if err != nil {
		return 0, fmt.Errorf("count approvals: %w", err)
	}
	var n int
	err = s.reader.row(ctx, `
		SELECT count(*) FROM correction_now w INDEXED BY correction_now_state
		WHERE w.state = 'awaiting_approval' AND w.at_ms > ?3 AND (?1 OR (SELECT sub_mchid FROM correction WHERE id = w.correction_id) IN (SELECT value FROM json_each(?2)))`,
		scope.All, string(list), millis(after)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count approvals: %w", err)
	}
	return n, nil
}

// AuthorRecord counts a person's corrections since a time that were confirmed, and how
// many of them a review found wrong; of their newest 10,000.
func (s *Store) AuthorRecord(ctx context.Context, author int64, since time.Time) (confirmed, wrong int, err error) {
	err = s.reader.row(ctx, `
		SELECT count(*), count(*) FILTER (WHERE w.review = 'wrong') FROM (
			SELECT id, prepared_ms FROM correction INDEXED BY correction_author WHERE author = ?1 ORDER BY id DESC LIMIT 10000) c
		JOIN correction_now w ON w.correction_id = c.id
		WHERE c.prepared_ms >= ?2 AND w.state NOT IN ('prepared', 'expired', 'cancelled', 'awaiting_approval', 'declined', 'returned', 'stale', 'void')`,
		author, millis(since)).Scan(&confirmed, &wrong)
	if err != nil {
		err = fmt.Errorf("read the record of an author: %w", err)
	}
	return confirmed, wrong, err
}
