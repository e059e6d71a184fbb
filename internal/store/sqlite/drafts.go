package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
)

// SaveSnapshot keeps an order as it was shown. One that is kept already is not
// written again: the hash is its content.
func (s *Store) SaveSnapshot(ctx context.Context, hash [32]byte, blob []byte, at time.Time) error {
	var n int
	err := s.reader.row(ctx, `SELECT 1 FROM snapshot WHERE hash = ?`, hash[:]).Scan(&n)
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = s.write(ctx, func(w *writeTx) error {
			_, err := w.exec(ctx, `INSERT INTO snapshot (hash, at_ms, blob) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM snapshot WHERE hash = ?1)`,
				hash[:], millis(at), blob)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("keep snapshot: %w", err)
	}
	return nil
}

// Snapshot returns what SaveSnapshot kept.
func (s *Store) Snapshot(ctx context.Context, hash [32]byte) ([]byte, error) {
	var blob []byte
	if err := noRow(s.reader.row(ctx, `SELECT blob FROM snapshot WHERE hash = ?`, hash[:]).Scan(&blob)); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return blob, nil
}

// SaveDraft keeps a form, one for each person and order, and gives up the person's oldest
// beyond MaxDrafts and MaxDraftBytes.
func (s *Store) SaveDraft(ctx context.Context, d correction.SavedDraft) error {
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `
			INSERT INTO draft (user_id, sub_mchid, out_order_no, service_id, form, saved_ms) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (user_id, sub_mchid, out_order_no) DO UPDATE SET service_id = excluded.service_id, form = excluded.form, saved_ms = excluded.saved_ms`,
			d.UserID, d.Ref.SubMchID, d.Ref.OutOrderNo, d.Ref.ServiceID, d.Form, millis(d.SavedAt))
		if err != nil {
			return err
		}
		// The one that was just saved comes first, whatever the clock says.
		_, err = w.exec(ctx, `
			DELETE FROM draft WHERE user_id = ?1 AND (sub_mchid, out_order_no) IN (
				SELECT sub_mchid, out_order_no FROM (
					SELECT sub_mchid, out_order_no, row_number() OVER newest AS place, sum(octet_length(form)) OVER newest AS bytes
					FROM draft WHERE user_id = ?1
					WINDOW newest AS (ORDER BY sub_mchid = ?4 AND out_order_no = ?5 DESC, saved_ms DESC, sub_mchid, out_order_no))
				WHERE place > 1 AND (place > ?2 OR bytes > ?3))`,
			d.UserID, correction.MaxDrafts, correction.MaxDraftBytes, d.Ref.SubMchID, d.Ref.OutOrderNo)
		return err
	})
	if err != nil {
		return fmt.Errorf("save draft: %w", err)
	}
	return nil
}

// Draft returns the person's draft for the order.
func (s *Store) Draft(ctx context.Context, userID int64, ref correction.Ref) (correction.SavedDraft, error) {
	d := correction.SavedDraft{UserID: userID, Ref: ref}
	var ms int64
	err := s.reader.row(ctx, `SELECT service_id, form, saved_ms FROM draft WHERE user_id = ? AND sub_mchid = ? AND out_order_no = ?`,
		userID, ref.SubMchID, ref.OutOrderNo).Scan(&d.Ref.ServiceID, &d.Form, &ms)
	if err = noRow(err); err != nil {
		return correction.SavedDraft{}, fmt.Errorf("read draft: %w", err)
	}
	d.SavedAt = at(ms)
	return d, nil
}

// PruneDrafts deletes the drafts that were last saved before the time, and returns
// how many those were. It costs no write when there is none.
func (s *Store) PruneDrafts(ctx context.Context, before time.Time) (int64, error) {
	var pruned int64
	err := s.write(ctx, func(w *writeTx) (err error) {
		pruned, err = w.changed(ctx, `DELETE FROM draft WHERE saved_ms < ?`, millis(before))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("prune drafts: %w", err)
	}
	return pruned, nil
}

// DeleteDraft deletes the person's draft for the order, if there is one. Without
// one nothing is written.
func (s *Store) DeleteDraft(ctx context.Context, userID int64, ref correction.Ref) error {
	if _, err := s.Draft(ctx, userID, ref); errors.Is(err, correction.ErrNoRow) {
		return nil
	}
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `DELETE FROM draft WHERE user_id = ? AND sub_mchid = ? AND out_order_no = ?`, userID, ref.SubMchID, ref.OutOrderNo)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete draft: %w", err)
	}
	return nil
}
