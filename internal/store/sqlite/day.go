package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
)

// dayRows are the corrections of a day with what its figures need. What is over time
// counts as expired, whether that is on record already or not.
const dayRows = `
	SELECT c.id, c.base_total, c.target_total,
		CASE WHEN w.state = 'prepared' AND c.confirm_until_ms <= ?5 OR w.state = 'awaiting_approval' AND w.at_ms <= ?6 THEN 'expired' ELSE w.state END,
		w.review, w.flagged, w.due,
		CASE WHEN w.settled IN ('paid_old', 'paid_other') THEN COALESCE((
			SELECT max(0, (e.detail ->> '$.reading.collection.paid') - c.target_total)
			FROM event e WHERE e.correction_id = c.id AND e.settled = w.settled ORDER BY e.n DESC LIMIT 1), 0) ELSE 0 END,
		CASE WHEN w.approver <> 0 AND (w.review <> '' OR w.state = 'resolved') THEN COALESCE((
			SELECT su.name FROM event e JOIN user su ON su.id = e.actor
			WHERE e.correction_id = c.id AND e.detail ->> '$.alone' IS 1 ORDER BY e.n DESC LIMIT 1), '') ELSE '' END
	FROM correction c INDEXED BY correction_prepared CROSS JOIN correction_now w ON w.correction_id = c.id
	WHERE c.prepared_ms >= ?3 AND c.prepared_ms < ?4 AND (?1 OR c.sub_mchid IN (SELECT value FROM json_each(?2)))
	ORDER BY c.id`

func dayArgs(scope correction.Scope, from, to, now time.Time) ([]any, error) {
	list, err := json.Marshal(append([]string{}, scope.Merchants...))
	return []any{scope.All, string(list), millis(from), millis(to), millis(now), millis(now.Add(-correction.ApproveWithin))}, err
}

func countDay(rows rowSet) (dayclose.DayCounts, error) {
	var d dayclose.DayCounts
	defer rows.Close()
	for rows.Next() {
		var r correction.Summary
		var refund correction.Fen
		var same string
		if err := rows.Scan(&r.ID, &r.BaseTotal, &r.Target, &r.State, &r.Review, &r.Flagged, &r.Due, &refund, &same); err != nil {
			return d, err
		}
		d.Add(r, refund)
		if same != "" {
			d.AddSame(r.ID, same)
		}
	}
	return d, rows.Err()
}

func (s *Store) countDay(ctx context.Context, args []any) (dayclose.DayCounts, error) {
	rows, err := s.heavy.query(ctx, dayRows, args...)
	if err != nil {
		return dayclose.DayCounts{}, err
	}
	return countDay(rows)
}

// DayCounts counts the corrections in scope that were prepared at or after from and
// before to, as they stand at now.
func (s *Store) DayCounts(ctx context.Context, scope correction.Scope, from, to, now time.Time) (dayclose.DayCounts, error) {
	args, err := dayArgs(scope, from, to, now)
	if err != nil {
		return dayclose.DayCounts{}, fmt.Errorf("count a day: %w", err)
	}
	d, err := s.countDay(ctx, args)
	if err != nil {
		return d, fmt.Errorf("count a day: %w", err)
	}
	return d, nil
}

// DayRecords lists the closings and reopenings of a day, oldest first.
func (s *Store) DayRecords(ctx context.Context, day string) ([]dayclose.DayRecord, error) {
	rows, err := s.reader.query(ctx, `
		SELECT d.day, d.n, d.at_ms, d.actor, COALESCE(u.name, ''), d.session_row, d.action, d.counts, d.size, d.note, d.text
		FROM day_close d LEFT JOIN user u ON u.id = d.actor WHERE d.day = ? ORDER BY d.n`, day)
	list, err := collect(rows, err, func(r scanner) (dayclose.DayRecord, error) {
		var d dayclose.DayRecord
		var ms int64
		var counts string
		err := r.Scan(&d.Day, &d.N, &ms, &d.ActorID, &d.ActorName, &d.SessionID, &d.Action, &counts, &d.Checkpoint.Size, &d.Checkpoint.Note, &d.Text)
		d.At = at(ms)
		if err == nil {
			err = json.Unmarshal([]byte(counts), &d.Counts)
		}
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("read closings of %s: %w", day, err)
	}
	return list, nil
}

// PutDay makes r the record of its number of a day, with the counts of that moment.
// ErrMoved when somebody closed or reopened the day meanwhile, ErrDayOpen when it closes
// and something is open, ErrDayMoved when something of the day came to the record after
// the checkpoint.
func (s *Store) PutDay(ctx context.Context, r dayclose.DayRecord, from, to time.Time) error {
	// The writer does not go through a day. What is counted before it is right if nothing
	// of the day came to the record after the checkpoint, which is from before.
	args, err := dayArgs(correction.Scope{All: true}, from, to, r.At)
	var counts dayclose.DayCounts
	if err == nil {
		counts, err = s.countDay(ctx, args)
	}
	if err != nil {
		return fmt.Errorf("close day %s: %w", r.Day, err)
	}
	err = s.write(ctx, func(w *writeTx) error {
		var later bool
		err := w.row(ctx, `
			SELECT EXISTS (SELECT 1 FROM leaf l CROSS JOIN correction c ON c.id = l.correction_id
				WHERE l.i >= ? AND c.prepared_ms >= ? AND c.prepared_ms < ?)`, r.Checkpoint.Size, millis(from), millis(to)).Scan(&later)
		if err != nil {
			return err
		}
		if later {
			return dayclose.ErrDayMoved
		}
		if r.Action == dayclose.DayClosed && counts.IsOpen() {
			return dayclose.ErrDayOpen
		}
		text, err := json.Marshal(counts)
		if err != nil {
			return err
		}
		_, err = w.exec(ctx, `
			INSERT INTO day_close (day, n, at_ms, actor, session_row, action, counts, size, root, note, text)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Day, r.N, millis(r.At), r.ActorID, r.SessionID, r.Action, string(text), r.Checkpoint.Size, r.Checkpoint.Root(), r.Checkpoint.Note, r.Text)
		if refused(err) {
			return correction.ErrMoved
		}
		if err != nil {
			return err
		}
		detail, err := compactJSON(map[string]any{"day": r.Day, "n": r.N, "size": r.Checkpoint.Size, "root": r.Checkpoint.Root(), "text": r.Text})
		if err != nil {
			return err
		}
		return w.audit(ctx, correction.AuditEntry{At: r.At, UserID: r.ActorID, Action: "day." + string(r.Action), Detail: detail})
	})
	if err != nil {
		return fmt.Errorf("close day %s: %w", r.Day, err)
	}
	return nil
}
