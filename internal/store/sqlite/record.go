package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// Prepare stores a correction with its first event, in one transaction. It refuses
// one whose hashes are not those of its bytes. ErrMoved when RetryOf has been
// retried already, ErrBarred when its author is disabled by now.
func (s *Store) Prepare(ctx context.Context, c correction.Correction) (id int64, err error) {
	base, hash := c.Base.Snapshot()
	if hash != c.BaseSHA256 || sha256.Sum256(c.Body) != c.BodySHA256 {
		return 0, errors.New("prepare correction: a hash is not that of its bytes")
	}
	if len(c.Events) != 1 || c.Events[0].N != 1 || c.Events[0].State != correction.Prepared {
		return 0, errors.New("prepare correction: it must come with its first event")
	}
	warnings := []byte("[]")
	if len(c.Warnings) > 0 {
		if warnings, err = json.Marshal(c.Warnings); err != nil {
			return 0, fmt.Errorf("prepare correction: write warnings: %w", err)
		}
	}
	first, err := ledgerEntry(0, 1, c.Events[0])
	if err != nil {
		return 0, fmt.Errorf("prepare correction: %w", err)
	}
	first.Origin = originFrom(c, base, warnings)
	made := make(chan int64, 1) // the work may outlast an answer that is not known
	err = s.write(ctx, func(w *writeTx) error {
		author, err := readPerson(ctx, w.row, c.AuthorID)
		if err == nil {
			err = author.MayPrepare()
		}
		if err != nil {
			return err
		}
		id, err := w.insert(ctx, 0, first)
		if err == nil {
			made <- id
		}
		return err
	})
	switch {
	case err != nil && c.RetryOf != 0 && refused(err):
		return 0, fmt.Errorf("prepare correction: %d has been retried: %w", c.RetryOf, correction.ErrMoved)
	case err != nil:
		return 0, fmt.Errorf("prepare correction: %w", err)
	}
	s.directories.noteAuthor(c.AuthorID)
	return <-made, nil
}

// originFrom is a correction as the proof has it. base and warnings are its JSON.
func originFrom(c correction.Correction, base, warnings []byte) *ledger.Origin {
	return &ledger.Origin{
		SubMchID: c.Ref.SubMchID, ServiceID: c.Ref.ServiceID, OutOrderNo: c.Ref.OutOrderNo, BaseTotal: int64(c.Base.Total), TargetTotal: int64(c.Target),
		Author: c.AuthorID, SessionRow: c.SessionID, PreparedMS: millis(c.PreparedAt), ConfirmUntilMS: millis(c.ConfirmUntil), RetryOf: c.RetryOf,
		AsksTotal: c.AsksTotal, ReasonCode: c.Reason.Code, ReasonZH: c.Reason.ZH, ReasonEN: c.Reason.EN, ReasonNeedsNote: c.Reason.NeedsNote,
		Outgoing: c.Reason.Outgoing, Ticket: c.Ticket, Note: c.Note, ConfirmHash: c.ConfirmHash[:], ConfirmNonce: c.ConfirmNonce,
		BaseSHA256: c.BaseSHA256[:], BodySHA256: c.BodySHA256[:], Warnings: string(warnings), Body: c.Body, BaseJSON: base,
	}
}

// insert puts a correction on record with its first event and returns its id: the one
// wished for, or a new one for 0.
func (w *writeTx) insert(ctx context.Context, wish int64, first ledger.Entry) (id int64, err error) {
	o := first.Origin
	r, err := w.exec(ctx, `
		INSERT INTO correction (id, sub_mchid, service_id, out_order_no, base_total, target_total, author, session_row,
			prepared_ms, confirm_until_ms, retry_of, asks_total, reason_code, reason_zh, reason_en, reason_needs_note,
			outgoing, ticket, note, confirm_hash, confirm_nonce, base_sha256, body_sha256, warnings, body, base_json)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		orNull(wish), o.SubMchID, o.ServiceID, o.OutOrderNo, o.BaseTotal, o.TargetTotal, o.Author, o.SessionRow,
		o.PreparedMS, o.ConfirmUntilMS, orNull(o.RetryOf), o.AsksTotal, o.ReasonCode, o.ReasonZH, o.ReasonEN, o.ReasonNeedsNote,
		o.Outgoing, o.Ticket, o.Note, o.ConfirmHash, o.ConfirmNonce, o.BaseSHA256, o.BodySHA256, o.Warnings, o.Body, o.BaseJSON)
	if err != nil {
		return 0, err
	}
	if id, err = r.LastInsertId(); err != nil {
		return 0, err
	}
	first.CorrectionID = id
	if err := w.record(ctx, first); err != nil {
		return 0, err
	}
	return id, w.index(ctx, id, o)
}

// follow appends an event to a correction that is in state from, with the event n
// as its newest (n = 0: whichever it is), and holds its order if that state does.
// ErrMoved when it is not so. intent comes with the event sending.
func (w *writeTx) follow(ctx context.Context, id int64, from correction.State, n int, e correction.Event, intent *ledger.Intent) error {
	var now int
	err := w.row(ctx, `
		SELECT n FROM correction_now
		WHERE correction_id = ?1 AND state = ?2 AND (n = ?3 OR ?3 = 0)
			AND (NOT ?4 OR EXISTS (SELECT 1 FROM claim WHERE claim.correction_id = ?1))`, id, from, n, from.Holds()).Scan(&now)
	if errors.Is(err, sql.ErrNoRows) {
		return correction.ErrMoved
	}
	if err != nil {
		return fmt.Errorf("%s after %s: %w", e.State, from, err)
	}
	entry, err := ledgerEntry(id, now+1, e)
	if err != nil {
		return err
	}
	entry.Intent = intent
	if err := w.record(ctx, entry); err != nil {
		return fmt.Errorf("%s after %s: %w", e.State, from, err)
	}
	return nil
}

// Claim takes the order for the correction and appends the event claimed, in one
// transaction, and not_sent when it is no longer permitted. *correction.TooMuch, and
// nothing on record, when its author's allowance does not suffice by now.
func (s *Store) Claim(ctx context.Context, id int64, ref correction.Ref, e correction.Event, t *correction.Trial) error {
	err := s.judging(ctx, func(w *writeTx) (*correction.Event, error) {
		if t == nil {
			return nil, w.claim(ctx, id, ref, e)
		}
		f, err := w.facts(ctx, id, *t)
		if err != nil {
			return nil, err
		}
		if f.State != correction.Prepared || f.overdue(e.At) {
			return nil, correction.ErrMoved
		}
		breaches := f.Breaches()
		if over := f.Over(); t.Alone && len(over) > 0 && len(breaches) == 0 {
			return nil, &correction.TooMuch{Over: over, Today: f.Today}
		}
		if err := w.claim(ctx, id, ref, e); err != nil || len(breaches) == 0 {
			return nil, err
		}
		f.N++
		end, err := w.endUnpermitted(ctx, f, correction.Claimed, correction.NotSent, breaches, e.At)
		return &end, err
	})
	if err != nil {
		return fmt.Errorf("claim order for correction %d: %w", id, err)
	}
	return nil
}

func (w *writeTx) claim(ctx context.Context, id int64, ref correction.Ref, e correction.Event) error {
	// First the event: a correction that was claimed before has moved, and does not
	// stand in its own way.
	if err := w.follow(ctx, id, correction.Prepared, 0, e, nil); err != nil {
		return err
	}
	return w.hold(ctx, id, ref)
}

// hold takes the order for a correction; ErrTaken when another one holds it.
func (w *writeTx) hold(ctx context.Context, id int64, ref correction.Ref) error {
	rows, err := w.changed(ctx, `
		INSERT INTO claim (sub_mchid, out_order_no, correction_id)
		SELECT sub_mchid, out_order_no, id FROM correction WHERE id = ? AND sub_mchid = ? AND out_order_no = ?`,
		id, ref.SubMchID, ref.OutOrderNo)
	switch {
	case refused(err):
		return correction.ErrTaken
	case err == nil && rows == 0:
		return errors.New("it is a correction of another order")
	}
	return err
}

// MarkSending records the one intent to send with the event sending, in one
// transaction; not_sent instead when the correction is no longer permitted. ErrMoved when
// it is not claimed, and when its intent is on record already.
func (s *Store) MarkSending(ctx context.Context, id int64, sign correction.Signing, e correction.Event, t *correction.Trial) error {
	err := s.judging(ctx, func(w *writeTx) (*correction.Event, error) {
		if t != nil {
			f, err := w.facts(ctx, id, *t)
			if err != nil {
				return nil, err
			}
			if f.State != correction.Claimed {
				return nil, correction.ErrMoved
			}
			if breaches := f.Judge(*t); len(breaches) > 0 {
				end, err := w.endUnpermitted(ctx, f, correction.Claimed, correction.NotSent, breaches, e.At)
				return &end, err
			}
		}
		return nil, w.markSending(ctx, id, sign, e)
	})
	if err != nil {
		return fmt.Errorf("record the intent to send correction %d: %w", id, err)
	}
	return nil
}

func (w *writeTx) markSending(ctx context.Context, id int64, sign correction.Signing, e correction.Event) error {
	i := ledger.Intent{SignMS: millis(sign.At), Nonce: sign.Nonce, BootID: w.store.boot, MonoMS: time.Since(w.store.started).Milliseconds()}
	if err := w.intend(ctx, id, i); err != nil {
		return err
	}
	return w.follow(ctx, id, correction.Claimed, 0, e, &i)
}

// intend puts the one intent to send a correction on record. ErrMoved when there is
// one, and when the correction is not claimed.
func (w *writeTx) intend(ctx context.Context, id int64, i ledger.Intent) error {
	_, err := w.exec(ctx, `INSERT INTO send (correction_id, sign_ms, nonce, boot_id, mono_ms) VALUES (?, ?, ?, ?, ?)`,
		id, i.SignMS, i.Nonce, i.BootID, i.MonoMS)
	if refused(err) {
		return correction.ErrMoved
	}
	return err
}

// Append adds an event to a correction that is still in state from with the event
// n as its newest. That the order is released with a state that does not hold it,
// is the schema's doing. Claimed and sending need more than an event: Claim and
// MarkSending.
func (s *Store) Append(ctx context.Context, id int64, from correction.State, n int, e correction.Event) error {
	switch e.State {
	case correction.Claimed, correction.Sending, correction.Awaiting, correction.Approved:
		return fmt.Errorf("append to correction %d: %s is not an event alone", id, e.State)
	}
	if n < 1 {
		return fmt.Errorf("append to correction %d: %w", id, correction.ErrMoved)
	}
	err := s.write(ctx, func(w *writeTx) error { return w.follow(ctx, id, from, n, e, nil) })
	if d := e.Detail; refused(err) && (d.Review != "" || d.Agrees != 0 || e.State == correction.Declined || e.State == correction.Returned) {
		err = errors.Join(correction.ErrMoved, err) // who may do that has changed at the same moment
	}
	if err != nil {
		return fmt.Errorf("append to correction %d: %w", id, err)
	}
	return nil
}

// Correction reads a correction with its events, oldest first.
func (s *Store) Correction(ctx context.Context, id int64) (correction.Correction, error) {
	c, err := s.readCorrection(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		err = correction.ErrNoRow
	}
	if err != nil {
		return correction.Correction{}, fmt.Errorf("read correction %d: %w", id, err)
	}
	return c, nil
}

func (s *Store) readCorrection(ctx context.Context, id int64) (correction.Correction, error) {
	c := correction.Correction{ID: id}
	var prepared, until int64
	var hash, baseHash, bodyHash, base []byte
	var warnings string
	err := s.reader.row(ctx, `
		SELECT c.sub_mchid, c.service_id, c.out_order_no, c.target_total, c.author, COALESCE(u.name, ''), c.session_row,
			c.prepared_ms, c.confirm_until_ms, COALESCE(c.retry_of, 0), c.asks_total, c.reason_code, c.reason_zh, c.reason_en, c.reason_needs_note,
			c.outgoing, c.ticket, c.note, c.confirm_hash, c.confirm_nonce, c.base_sha256, c.body_sha256, c.warnings, c.body, c.base_json,
			COALESCE(m.name, ''), COALESCE(o.name, '')
		FROM correction c
		LEFT JOIN user u ON u.id = c.author
		LEFT JOIN merchant m ON m.sub_mchid = c.sub_mchid
		LEFT JOIN offering o ON o.service_id = c.service_id
		WHERE c.id = ?`, id).Scan(
		&c.Ref.SubMchID, &c.Ref.ServiceID, &c.Ref.OutOrderNo, &c.Target, &c.AuthorID, &c.AuthorName, &c.SessionID,
		&prepared, &until, &c.RetryOf, &c.AsksTotal, &c.Reason.Code, &c.Reason.ZH, &c.Reason.EN, &c.Reason.NeedsNote,
		&c.Reason.Outgoing, &c.Ticket, &c.Note, &hash, &c.ConfirmNonce, &baseHash, &bodyHash, &warnings, &c.Body, &base,
		&c.MerchantName, &c.ServiceName)
	if err != nil {
		return c, err
	}
	c.PreparedAt, c.ConfirmUntil = at(prepared), at(until)
	copy(c.ConfirmHash[:], hash)
	copy(c.BaseSHA256[:], baseHash)
	copy(c.BodySHA256[:], bodyHash)
	if sha256.Sum256(c.Body) != c.BodySHA256 || sha256.Sum256(base) != c.BaseSHA256 {
		return c, errors.New("its bytes were altered: a hash does not match")
	}
	if c.Base, err = correction.ParseSnapshot(base); err != nil {
		return c, err
	}
	if warnings != "[]" {
		if err := json.Unmarshal([]byte(warnings), &c.Warnings); err != nil {
			return c, fmt.Errorf("read warnings: %w", err)
		}
	}
	rows, err := s.reader.query(ctx, `
		SELECT e.n, e.state, e.at_ms, COALESCE(e.actor, 0), COALESCE(u.name, ''), e.session_row, e.detail
		FROM event e LEFT JOIN user u ON u.id = e.actor
		WHERE e.correction_id = ? ORDER BY e.n`, id)
	c.Events, err = collect(rows, err, func(r scanner) (correction.Event, error) {
		var e correction.Event
		var ms int64
		var detail sql.RawBytes
		if err := r.Scan(&e.N, &e.State, &ms, &e.ActorID, &e.ActorName, &e.SessionID, &detail); err != nil {
			return e, err
		}
		e.At = at(ms)
		if string(detail) == "{}" {
			return e, nil
		}
		if err := json.Unmarshal(detail, &e.Detail); err != nil {
			return e, fmt.Errorf("read event %d: %w", e.N, err)
		}
		return e, nil
	})
	if err != nil {
		return c, err
	}
	c.State = c.Last().State
	return c, nil
}
