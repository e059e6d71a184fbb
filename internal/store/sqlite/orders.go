package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
)

const holderColumns = `c.id, c.author, COALESCE(u.name, ''), w.state`

// Holder tells which correction holds the order, nil when none does.
func (s *Store) Holder(ctx context.Context, ref correction.Ref) (*correction.Holder, error) {
	var h correction.Holder
	var since int64
	err := s.reader.row(ctx, `
		SELECT `+holderColumns+`, (SELECT e.at_ms FROM event e WHERE e.correction_id = c.id AND e.state IN ('awaiting_approval', 'claimed') ORDER BY e.n LIMIT 1)
		FROM claim l
		JOIN correction c ON c.id = l.correction_id
		JOIN correction_now w ON w.correction_id = c.id
		LEFT JOIN user u ON u.id = c.author
		WHERE l.sub_mchid = ? AND l.out_order_no = ?`, ref.SubMchID, ref.OutOrderNo).
		Scan(&h.CorrectionID, &h.UserID, &h.Name, &h.State, &since)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read holder of order: %w", err)
	}
	h.Since = at(since)
	return &h, nil
}

// Preparing lists the corrections of the order that can still be confirmed, newest
// first. Since is when each was prepared.
func (s *Store) Preparing(ctx context.Context, ref correction.Ref, now time.Time) ([]correction.Holder, error) {
	rows, err := s.reader.query(ctx, `
		SELECT `+holderColumns+`, c.prepared_ms
		FROM correction c INDEXED BY correction_order
		JOIN correction_now w ON w.correction_id = c.id
		LEFT JOIN user u ON u.id = c.author
		WHERE c.out_order_no = ? AND c.sub_mchid = ? AND w.state = 'prepared' AND c.confirm_until_ms > ?
		ORDER BY c.id DESC`, ref.OutOrderNo, ref.SubMchID, millis(now))
	list, err := collect(rows, err, func(r scanner) (correction.Holder, error) {
		var h correction.Holder
		var since int64
		err := r.Scan(&h.CorrectionID, &h.UserID, &h.Name, &h.State, &since)
		h.Since = at(since)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("read prepared corrections of order: %w", err)
	}
	return list, nil
}

// OfOrder lists the newest corrections of the order, newest first.
func (s *Store) OfOrder(ctx context.Context, ref correction.Ref, limit int) ([]correction.Summary, error) {
	rows, err := s.reader.query(ctx, `
		SELECT `+summaryColumns+` FROM correction c INDEXED BY correction_order`+summaryJoins+`
		WHERE c.out_order_no = ? AND c.sub_mchid = ? ORDER BY c.id DESC LIMIT ?`,
		ref.OutOrderNo, ref.SubMchID, limit)
	list, err := collect(rows, err, scanSummary)
	if err != nil {
		return nil, fmt.Errorf("read corrections of order: %w", err)
	}
	return list, nil
}

// LastDevice is the device of the order's newest correction that was applied.
func (s *Store) LastDevice(ctx context.Context, ref correction.Ref) (correction.Device, error) {
	var body []byte
	err := s.reader.row(ctx, `
		SELECT c.body FROM correction c INDEXED BY correction_order
		JOIN correction_now w ON w.correction_id = c.id
		WHERE c.out_order_no = ? AND c.sub_mchid = ? AND w.state IN ('applied', 'applied_late')
		ORDER BY w.at_ms DESC, c.id DESC LIMIT 1`, ref.OutOrderNo, ref.SubMchID).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return correction.Device{}, nil
	}
	if err != nil {
		return correction.Device{}, fmt.Errorf("read last device of order: %w", err)
	}
	r, err := correction.ParseBody(body)
	if err != nil {
		return correction.Device{}, fmt.Errorf("read last device of order: %w", err)
	}
	return r.Device, nil
}

// LastRefusal is WeChat's newest refusal of a correction of the order, nil when
// there is none or one was applied after it.
func (s *Store) LastRefusal(ctx context.Context, ref correction.Ref) (*correction.Refusal, error) {
	var state correction.State
	var ms int64
	var text string
	err := s.reader.row(ctx, `
		SELECT w.state, w.at_ms, e.detail FROM correction c INDEXED BY correction_order
		JOIN correction_now w ON w.correction_id = c.id
		JOIN event e ON e.correction_id = c.id AND e.n = (SELECT min(n) FROM event WHERE correction_id = c.id AND state = w.state)
		WHERE c.out_order_no = ? AND c.sub_mchid = ? AND w.state IN ('rejected', 'applied', 'applied_late')
		ORDER BY w.at_ms DESC, c.id DESC LIMIT 1`, ref.OutOrderNo, ref.SubMchID).Scan(&state, &ms, &text)
	if errors.Is(err, sql.ErrNoRows) || err == nil && state.Effective() {
		return nil, nil
	}
	var d correction.Detail
	if err == nil {
		err = json.Unmarshal([]byte(text), &d)
	}
	if err != nil {
		return nil, fmt.Errorf("read last refusal of order: %w", err)
	}
	return &correction.Refusal{Obstacle: d.Obstacle, At: at(ms)}, nil
}

// MerchantsOfOrder lists the orders of that number that somebody corrected, the
// newest first, of the merchants in scope.
func (s *Store) MerchantsOfOrder(ctx context.Context, outOrderNo string, scope correction.Scope) ([]correction.Ref, error) {
	rows, err := s.reader.query(ctx, `
		SELECT sub_mchid, service_id FROM correction INDEXED BY correction_order
		WHERE out_order_no = ? GROUP BY sub_mchid, service_id ORDER BY max(id) DESC`, outOrderNo)
	all, err := collect(rows, err, func(r scanner) (correction.Ref, error) {
		ref := correction.Ref{OutOrderNo: outOrderNo}
		err := r.Scan(&ref.SubMchID, &ref.ServiceID)
		return ref, err
	})
	if err != nil {
		return nil, fmt.Errorf("read merchants of order: %w", err)
	}
	var in []correction.Ref
	for _, ref := range all {
		if scope.Allows(ref.SubMchID) {
			in = append(in, ref)
		}
	}
	return in, nil
}

// InState lists the corrections in any of the states, oldest first.
func (s *Store) InState(ctx context.Context, states ...correction.State) ([]int64, error) {
	list, err := json.Marshal(states)
	if err != nil {
		return nil, fmt.Errorf("list corrections by state: %w", err)
	}
	rows, err := s.reader.query(ctx, `
		SELECT correction_id FROM correction_now INDEXED BY correction_now_state
		WHERE state IN (SELECT value FROM json_each(?)) ORDER BY correction_id`, string(list))
	ids, err := collect(rows, err, scanID)
	if err != nil {
		return nil, fmt.Errorf("list corrections by state: %w", err)
	}
	return ids, nil
}

// Expired lists corrections whose time to confirm, or to approve, is over, oldest first.
func (s *Store) Expired(ctx context.Context, now time.Time, limit int) ([]int64, error) {
	rows, err := s.reader.query(ctx, `
		SELECT w.correction_id FROM correction_now w INDEXED BY correction_now_state
		CROSS JOIN correction c ON c.id = w.correction_id
		WHERE w.state = 'prepared' AND c.confirm_until_ms <= ?1 OR w.state = 'awaiting_approval' AND w.at_ms <= ?2
		ORDER BY w.correction_id LIMIT ?3`, millis(now), millis(now.Add(-correction.ApproveWithin)), limit)
	ids, err := collect(rows, err, scanID)
	if err != nil {
		return nil, fmt.Errorf("list overdue corrections: %w", err)
	}
	return ids, nil
}

func scanID(r scanner) (int64, error) {
	var id int64
	err := r.Scan(&id)
	return id, err
}
