package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// Unfinished lists the corrections that are looked after, oldest first.
func (s *Store) Unfinished(ctx context.Context) ([]correction.Unfinished, error) {
	rows, err := s.reader.query(ctx, `
		SELECT w.correction_id, w.state, w.at_ms, c.sub_mchid, c.service_id, c.out_order_no,
			CASE WHEN w.state IN ('rejected', 'not_sent', 'not_applied')
				THEN (SELECT count(*) FROM event e WHERE e.correction_id = w.correction_id AND e.state = w.state
					AND e.n > (SELECT min(n) FROM event WHERE correction_id = w.correction_id AND state = w.state)
					AND (e.settled <> '' OR e.detail ->> '$.finding' IS NOT NULL)) ELSE 0 END
		FROM correction_now w INDEXED BY correction_now_watched
		CROSS JOIN correction c ON c.id = w.correction_id
		WHERE w.settled = '' AND w.state IN ('awaiting_approval', 'claimed', 'sending', 'unknown', 'applied', 'applied_late', 'rejected', 'not_sent', 'not_applied')
		ORDER BY w.correction_id`)
	list, err := collect(rows, err, func(r scanner) (correction.Unfinished, error) {
		var w correction.Unfinished
		var entered int64
		err := r.Scan(&w.ID, &w.State, &entered, &w.Ref.SubMchID, &w.Ref.ServiceID, &w.Ref.OutOrderNo, &w.Looks)
		w.Entered = at(entered)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("list corrections to look after: %w", err)
	}
	return list, nil
}

// Successor is the state of the newest other correction of the order that was sent
// after this one came to its state, or was prepared if it changed nothing, and may have
// changed the order. The proof tells what came after what: clocks are set back.
func (s *Store) Successor(ctx context.Context, id int64) (correction.State, error) {
	var state correction.State
	err := s.reader.row(ctx, `
		SELECT COALESCE((
			SELECT w.state FROM correction me
			JOIN correction c INDEXED BY correction_order ON c.out_order_no = me.out_order_no AND c.sub_mchid = me.sub_mchid AND c.id <> me.id
			JOIN correction_now w ON w.correction_id = c.id
			JOIN event sent ON sent.correction_id = c.id AND sent.state = 'sending'
			WHERE me.id = ?1 AND w.state IN ('sending', 'unknown', 'applied', 'applied_late', 'conflict', 'resolved')
				AND sent.leaf > (
					SELECT min(e.leaf) FROM event e JOIN correction_now now ON now.correction_id = e.correction_id
					WHERE e.correction_id = ?1 AND (e.state = now.state OR now.state IN ('rejected', 'not_sent', 'not_applied')))
			ORDER BY sent.leaf DESC LIMIT 1), '')`, id).Scan(&state)
	if err != nil {
		return "", fmt.Errorf("look for a later correction than %d: %w", id, err)
	}
	return state, nil
}

// RetryTail follows the corrections that tried this one again to the newest; itself
// when there is none.
func (s *Store) RetryTail(ctx context.Context, id int64) (int64, error) {
	var tail int64
	err := s.reader.row(ctx, `
		WITH RECURSIVE chain (id) AS (SELECT ? UNION SELECT c.id FROM correction c JOIN chain ON c.retry_of = chain.id)
		SELECT max(id) FROM chain`, id).Scan(&tail)
	if err != nil {
		return 0, fmt.Errorf("follow what tried correction %d again: %w", id, err)
	}
	return tail, nil
}

// Due lists what a supervisor has to see to in scope, oldest first.
func (s *Store) Due(ctx context.Context, scope correction.Scope, limit int) ([]correction.Summary, error) {
	n := narrow(changelog.LogFilter{Scope: scope})
	if n.none() {
		return nil, nil
	}
	list, err := json.Marshal(n.merchants)
	if err != nil {
		return nil, fmt.Errorf("list what is to be seen to: %w", err)
	}
	rows, err := s.reader.query(ctx, `
		SELECT `+summaryColumns+` FROM correction_now page INDEXED BY correction_now_due CROSS JOIN correction c ON c.id = page.correction_id`+summaryJoins+`
		WHERE page.due = 1 AND (?1 OR c.sub_mchid IN (SELECT value FROM json_each(?2)))
		ORDER BY page.correction_id LIMIT ?3`, n.all, string(list), limit)
	out, err := collect(rows, err, scanSummary)
	if err != nil {
		return nil, fmt.Errorf("list what is to be seen to: %w", err)
	}
	return out, nil
}

// Concerns counts what alarms are made of: corrections that are uncertain since
// before that time, or since one that has not come; that took effect late; and whose
// effect is gone.
func (s *Store) Concerns(ctx context.Context, uncertainBefore time.Time) (correction.Concerns, error) {
	var c correction.Concerns
	var since [3]int64
	err := s.reader.row(ctx, `
		SELECT count(*) FILTER (WHERE kind = 1), COALESCE(min(id) FILTER (WHERE kind = 1), 0), COALESCE(min(at_ms) FILTER (WHERE kind = 1), 0),
			count(*) FILTER (WHERE kind = 2), COALESCE(min(id) FILTER (WHERE kind = 2), 0), COALESCE(min(at_ms) FILTER (WHERE kind = 2), 0),
			count(*) FILTER (WHERE kind = 3), COALESCE(min(id) FILTER (WHERE kind = 3), 0), COALESCE(min(at_ms) FILTER (WHERE kind = 3), 0),
			count(*) FILTER (WHERE kind IN (0, 1)), count(*) FILTER (WHERE kind = 4),
			(SELECT count(*) FROM correction_now INDEXED BY correction_now_due WHERE due = 1)
		FROM (
			SELECT CASE WHEN state = 'conflict' THEN 4 WHEN at_ms <= ? OR at_ms > ? THEN 1 ELSE 0 END AS kind, correction_id AS id, at_ms
			FROM correction_now INDEXED BY correction_now_state WHERE state IN ('unknown', 'sending', 'conflict')
			UNION ALL
			SELECT CASE WHEN state = 'applied_late' THEN 2 ELSE 3 END, correction_id, at_ms
			FROM correction_now INDEXED BY correction_now_due WHERE due = 1 AND (state = 'applied_late' OR settled = ''))`,
		millis(uncertainBefore), millis(uncertainBefore.Add(correction.AlarmAfter+correction.SetBack))).Scan(
		&c.Uncertain.Count, &c.Uncertain.ID, &since[0], &c.Late.Count, &c.Late.ID, &since[1], &c.Lost.Count, &c.Lost.ID, &since[2],
		&c.Open, &c.Conflicts, &c.Due)
	if err != nil {
		return c, fmt.Errorf("count what alarms: %w", err)
	}
	c.Uncertain.Concern, c.Late.Concern, c.Lost.Concern = correction.Unresolved, correction.AppliedAfter, correction.LostEffect
	c.Uncertain.Since, c.Late.Since, c.Lost.Since = at(since[0]), at(since[1]), at(since[2])
	return c, nil
}
