package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// Replayed is what a line of the journal meant for the record.
type Replayed struct {
	ID    int64 // of the correction, which may have got another one; 0: not on record
	Added int   // events that were missing
}

// ErrDiffers is returned when the record says something else than the journal. A
// person has to look at both.
var ErrDiffers = errors.New("the record and the journal differ")

// Find returns the id of a correction by its confirm hash, which is the same in every
// copy of the database. ErrNoRow when there is none.
func (s *Store) Find(ctx context.Context, confirmHash [32]byte) (int64, error) {
	var id int64
	err := s.reader.row(ctx, `SELECT id FROM correction WHERE confirm_hash = ?`, confirmHash[:]).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = correction.ErrNoRow
	}
	if err != nil {
		return 0, fmt.Errorf("find correction: %w", err)
	}
	return id, nil
}

// Holds reports whether event n of a correction is on record.
func (s *Store) Holds(ctx context.Context, id int64, n int) (bool, error) {
	var there bool
	err := s.reader.row(ctx, `SELECT EXISTS (SELECT 1 FROM event WHERE correction_id = ? AND n = ?)`, id, n).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("look for event %d of correction %d: %w", n, id, err)
	}
	return there, nil
}

// Mark puts on record that the journal was replayed, with what that came to and the key
// that the journal's mark has.
func (s *Store) Mark(ctx context.Context, key [32]byte, lines, added, faults int) error {
	detail, err := compactJSON(map[string]any{"mark": hex.EncodeToString(key[:]), "lines": lines, "added": added, "faults": faults})
	if err != nil {
		return fmt.Errorf("record recover: %w", err)
	}
	return s.AppendAudit(ctx, correction.AuditEntry{At: s.now(), Action: "recover", Detail: detail})
}

// Marked reports whether the newest mark on record has that key.
func (s *Store) Marked(ctx context.Context, key [32]byte) (bool, error) {
	var mark string
	err := s.reader.row(ctx, `SELECT detail ->> '$.mark' FROM audit WHERE action = 'recover' ORDER BY id DESC LIMIT 1`).Scan(&mark)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for a mark: %w", err)
	}
	return mark == hex.EncodeToString(key[:]), nil
}

// Replay puts a correction that was sent back on record, with its events up to the
// intent, as far as they are missing. ErrDiffers when what is there is not its
// beginning.
func (s *Store) Replay(ctx context.Context, c correction.Correction, sign correction.Signing) (Replayed, error) {
	done := make(chan Replayed, 1)
	err := s.write(ctx, func(w *writeTx) error {
		r, err := w.replay(ctx, c, sign)
		if err == nil {
			done <- r
		}
		return err
	})
	if err != nil {
		return Replayed{}, fmt.Errorf("replay correction %d: %w", c.ID, err)
	}
	return <-done, nil
}

func (w *writeTx) replay(ctx context.Context, c correction.Correction, sign correction.Signing) (r Replayed, err error) {
	err = w.row(ctx, `SELECT id FROM correction WHERE confirm_hash = ?`, c.ConfirmHash[:]).Scan(&r.ID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if r.ID, err = w.restore(ctx, c); err != nil {
			return r, err
		}
		r.Added++
	case err != nil:
		return r, err
	}
	err = w.replaying(ctx, func() error {
		for _, e := range c.Events[1:] {
			added, err := w.replayEvent(ctx, r.ID, c.Ref, e, &sign)
			if err != nil {
				return err
			}
			if added {
				r.Added++
			}
		}
		return nil
	})
	return r, err
}

// replaying runs work under the guards for events that come back: what was decided or
// said then is not judged by the people and the limits of now.
func (w *writeTx) replaying(ctx context.Context, work func() error) error {
	if _, err := w.exec(ctx, `INSERT INTO replaying (one) VALUES (1)`); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	_, err := w.exec(ctx, `DELETE FROM replaying`)
	return err
}

// restore inserts a correction that is not on record, under its old id if that is
// free.
func (w *writeTx) restore(ctx context.Context, c correction.Correction) (int64, error) {
	base, hash := c.Base.Snapshot()
	if hash != c.BaseSHA256 || len(c.Events) == 0 || c.Events[0].N != 1 {
		return 0, errors.New("the line is not whole")
	}
	was := c.AuthorID
	var err error
	if c.AuthorID, err = w.person(ctx, c.AuthorID, c.AuthorName, c.PreparedAt); err != nil {
		return 0, fmt.Errorf("restore its author: %w", err)
	}
	warnings := []byte("[]")
	if len(c.Warnings) > 0 {
		if warnings, err = json.Marshal(c.Warnings); err != nil {
			return 0, err
		}
	}
	var taken, retried bool
	err = w.row(ctx, `
		SELECT EXISTS (SELECT 1 FROM correction WHERE id = ?1), ?2 <> 0 AND (
			NOT EXISTS (SELECT 1 FROM correction WHERE id = ?2 AND out_order_no = ?3 AND sub_mchid = ?4)
			OR EXISTS (SELECT 1 FROM correction WHERE retry_of = ?2))`, c.ID, c.RetryOf, c.Ref.OutOrderNo, c.Ref.SubMchID).Scan(&taken, &retried)
	if err != nil {
		return 0, err
	}
	if taken {
		c.ID = 0
	}
	if retried { // that id means something else here
		c.RetryOf = 0
	}
	prepared := c.Events[0]
	if prepared.ActorID == was {
		prepared.ActorID = c.AuthorID
	}
	first, err := ledgerEntry(0, 1, prepared)
	if err != nil {
		return 0, err
	}
	first.Origin = originFrom(c, base, warnings)
	return w.insert(ctx, c.ID, first)
}

// person is the id of somebody whom the journal names. Who was added after the copy was
// made is not there any more, and somebody else may have got the number since: then it
// is that of an account which nobody can use. An empty name is not known.
func (w *writeTx) person(ctx context.Context, was int64, name string, at time.Time) (id int64, err error) {
	err = w.row(ctx, `
		SELECT id FROM user WHERE (id = ?1 OR username = 'recovered-' || ?1) AND (name = ?2 OR ?2 = '') ORDER BY id <> ?1 LIMIT 1`,
		was, name).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	if name == "" {
		name = fmt.Sprintf("user %d", was)
	}
	r, err := w.exec(ctx, `
		INSERT INTO user (id, username, name, role, all_merchants, password, disabled, created_ms)
		VALUES ((SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM user WHERE id = ?1)), 'recovered-' || ?1, ?2, 'agent', 0, '-', 1, ?3)`,
		was, name, millis(at))
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// replayEvent adds an event of a correction that is on record, unless it is there.
func (w *writeTx) replayEvent(ctx context.Context, id int64, ref correction.Ref, e correction.Event, sign *correction.Signing) (bool, error) {
	var n int
	var now, there correction.State
	err := w.row(ctx, `
		SELECT n, state, COALESCE((SELECT state FROM event WHERE correction_id = ?1 AND n = ?2), '') FROM correction_now WHERE correction_id = ?1`, id, e.N).
		Scan(&n, &now, &there)
	switch {
	case err != nil:
		return false, err
	case there == e.State:
		return false, nil
	case there != "" || e.N != n+1:
		return false, fmt.Errorf("correction %d, event %d: the journal says %s, the record is %s with %d events: %w", id, e.N, e.State, now, n, ErrDiffers)
	}
	if e.ActorID != 0 {
		if e.ActorID, err = w.person(ctx, e.ActorID, e.ActorName, e.At); err != nil {
			return false, fmt.Errorf("restore who did it: %w", err)
		}
	}
	var intent *ledger.Intent
	if e.State == correction.Sending {
		intent = &ledger.Intent{SignMS: millis(sign.At), Nonce: sign.Nonce, BootID: "journal"}
		if err := w.intend(ctx, id, *intent); err != nil {
			return false, err
		}
	}
	err = w.follow(ctx, id, now, n, e, intent)
	if refused(err) { // the record took another way before
		err = fmt.Errorf("correction %d, event %d: the journal says %s after %s: %w", id, e.N, e.State, now, ErrDiffers)
	}
	if err != nil {
		return false, err
	}
	if e.State.Holds() && !now.Holds() {
		return true, w.holdAnew(ctx, id, ref, e.At)
	}
	return true, nil
}

// holdAnew takes an order for a correction that was sent. One that waits for approval in
// the copy had left it by then: its order has moved.
func (w *writeTx) holdAnew(ctx context.Context, id int64, ref correction.Ref, at time.Time) error {
	var waits int64
	err := w.row(ctx, `
		SELECT l.correction_id FROM claim l JOIN correction_now w ON w.correction_id = l.correction_id
		WHERE l.sub_mchid = ? AND l.out_order_no = ? AND w.state = 'awaiting_approval'`, ref.SubMchID, ref.OutOrderNo).Scan(&waits)
	switch {
	case err == nil:
		if err := w.follow(ctx, waits, correction.Awaiting, 0, correction.Event{State: correction.Stale, At: at}, nil); err != nil {
			return err
		}
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	return w.hold(ctx, id, ref)
}

// ReplayEvent adds what became of a correction that was sent, unless it is on record.
// ErrNoRow when the correction is not; ErrDiffers when the record says something else.
func (s *Store) ReplayEvent(ctx context.Context, confirmHash [32]byte, e correction.Event) (Replayed, error) {
	id, err := s.Find(ctx, confirmHash)
	if err != nil {
		return Replayed{}, err
	}
	done := make(chan bool, 1)
	err = s.write(ctx, func(w *writeTx) error {
		var added bool
		err := w.replaying(ctx, func() (err error) {
			added, err = w.replayEvent(ctx, id, correction.Ref{}, e, nil)
			return err
		})
		if err == nil {
			done <- added
		}
		return err
	})
	if err != nil {
		return Replayed{ID: id}, fmt.Errorf("replay event %d of correction %d: %w", e.N, id, err)
	}
	r := Replayed{ID: id}
	if <-done {
		r.Added = 1
	}
	return r, nil
}
