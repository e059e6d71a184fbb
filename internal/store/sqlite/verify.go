package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// Verification is what a check of a whole record came to.
type Verification struct {
	Events, Corrections int64
	Intents             int64 // to send
	Root                [32]byte
	Checkpoints         int // of the database itself, all signed and met
	flags, spent        int64
}

// Fault is the first thing in a record that is not as it was written.
type Fault struct {
	CorrectionID int64 // 0: not of one correction
	N            int   // of the event, 0: not of one event
	What         string
}

func (f *Fault) Error() string {
	switch {
	case f.CorrectionID == 0:
		return f.What
	case f.N == 0:
		return fmt.Sprintf("correction %d: %s", f.CorrectionID, f.What)
	}
	return fmt.Sprintf("correction %d, event %d: %s", f.CorrectionID, f.N, f.What)
}

// OtherKey is returned for a record that agrees with everything, but has checkpoints that
// none of the given keys has signed: they prove nothing, and nothing is known to be
// altered.
type OtherKey struct{ Names []string }

func (o *OtherKey) Error() string {
	return "the key is another one: checkpoints are signed by " + strings.Join(o.Names, ", ")
}

// Verify computes the proof of the database file at path again from its records and
// compares it with what is stored, with its own checkpoints and with those from
// elsewhere, which must be opened already. vkeys are what its own are signed with. The
// file may be a copy on another machine, or the one of a running console; nothing is
// written. The error is a *Fault or a *ledger.Fault for a record that was altered, an
// *OtherKey when all that is wrong is whose checkpoints it has.
func Verify(ctx context.Context, path string, vkeys []string, elsewhere ...ledger.Checkpoint) (Verification, error) {
	processSettings()
	db, err := openCopy(path)
	if err != nil {
		return Verification{}, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, nil) // one state of the file
	if err != nil {
		return Verification{}, openError(path, err)
	}
	defer tx.Rollback()
	var v Verification
	if err = checkFile(ctx, tx); err == nil {
		v, err = verify(ctx, tx, vkeys, elsewhere)
	}
	if hasCode(err, codeCorrupt, codeNotADB) {
		return v, &Fault{What: "the file is damaged: " + err.Error()}
	}
	return v, err
}

func verify(ctx context.Context, tx *sql.Tx, vkeys []string, elsewhere []ledger.Checkpoint) (Verification, error) {
	var v Verification
	if err := verifySchema(ctx, tx); err != nil {
		return v, err
	}
	if err := verifyTransitions(ctx, tx); err != nil {
		return v, err
	}
	audit := ledger.NewAudit()
	own, others, err := ownCheckpoints(ctx, tx, vkeys)
	if err != nil {
		return v, err
	}
	v.Checkpoints = len(own)
	audit.ExpectAt(own...)
	audit.ExpectAt(elsewhere...)
	if err := verifyEvents(ctx, tx, audit, &v); err != nil {
		return v, err
	}
	if err := audit.Finish(); err != nil {
		return v, err
	}
	v.Events, v.Root = audit.Size(), audit.Root()
	if err := verifyRest(ctx, tx, v); err != nil {
		return v, err
	}
	if len(others) > 0 {
		return v, &OtherKey{others}
	}
	return v, nil
}

// ownCheckpoints opens the checkpoints that the database holds. Those that only other
// keys have signed are returned as what they say, with the names of the keys: they prove
// nothing, but nothing was altered for that.
func ownCheckpoints(ctx context.Context, tx *sql.Tx, vkeys []string) (list []ledger.Checkpoint, others []string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT size, at_ms, note FROM checkpoint ORDER BY size`)
	list, err = collect(rows, err, func(r scanner) (ledger.Checkpoint, error) {
		var size, at int64
		var text []byte
		if err := r.Scan(&size, &at, &text); err != nil {
			return ledger.Checkpoint{}, err
		}
		c, err := ledger.Open(text, vkeys...)
		if errors.Is(err, ledger.ErrOtherKey) {
			var name string
			if c, name, err = ledger.Claimed(text); err == nil && !slices.Contains(others, name) {
				others = append(others, name)
			}
		}
		if err != nil {
			return c, &Fault{What: fmt.Sprintf("the checkpoint of %d events: %v", size, err)}
		}
		if c.Size != size || c.AtMS != at {
			return c, &Fault{What: fmt.Sprintf("the checkpoint of %d events is of %d, or of another time", size, c.Size)}
		}
		return c, nil
	})
	return list, others, err
}

// leafRow is a leaf of the proof with its event and its intent to send, as far as they
// are there. It is good until the next row.
type leafRow struct {
	i, id                                                          int64
	n                                                              int
	hashes, detail, state, requestID, settled, review, nonce, boot sql.RawBytes
	at, actor, session, due, leaf, sign, mono                      sql.NullInt64
}

func (l *leafRow) scan(rows *sql.Rows) error {
	return rows.Scan(&l.i, &l.id, &l.n, &l.hashes, &l.state, &l.at, &l.actor, &l.session, &l.detail, &l.requestID, &l.settled, &l.due, &l.review, &l.leaf,
		&l.sign, &l.nonce, &l.boot, &l.mono)
}

func (l *leafRow) entry() ledger.Entry {
	return ledger.Entry{
		CorrectionID: l.id, N: l.n, State: string(l.state), AtMS: l.at.Int64, Actor: l.actor.Int64, Session: l.session.Int64, Detail: l.detail,
		RequestID: string(l.requestID), Settled: string(l.settled), Due: l.due.Int64, Review: string(l.review),
	}
}

func (l *leafRow) intent() *ledger.Intent {
	return &ledger.Intent{SignMS: l.sign.Int64, Nonce: string(l.nonce), BootID: string(l.boot), MonoMS: l.mono.Int64}
}

// verifyEvents goes through the events in the order of the proof.
func verifyEvents(ctx context.Context, tx *sql.Tx, audit *ledger.Audit, v *Verification) error {
	// First events come in the order of ids, but for those that were replayed from the
	// journal: a second cursor goes along.
	origins, err := newOriginCursor(ctx, tx)
	if err != nil {
		return err
	}
	defer origins.close()
	rows, err := tx.QueryContext(ctx, `
		SELECT l.i, l.correction_id, l.n, l.hashes, e.state, e.at_ms, COALESCE(e.actor, 0), e.session_row, e.detail, e.request_id, e.settled, e.due, e.review, e.leaf,
			i.sign_ms, i.nonce, i.boot_id, i.mono_ms
		FROM leaf l
		LEFT JOIN event e ON e.correction_id = l.correction_id AND e.n = l.n
		LEFT JOIN send i ON e.state = 'sending' AND i.correction_id = l.correction_id
		ORDER BY l.i`)
	if err != nil {
		return fmt.Errorf("read the proof: %w", err)
	}
	defer rows.Close()
	standing := int64(0) // corrections that stand as their events say
	for next := int64(0); rows.Next(); next++ {
		var l leafRow
		if err := l.scan(rows); err != nil {
			return fmt.Errorf("read the proof: %w", err)
		}
		id, n := l.id, l.n
		fault := func(what string) error { return &Fault{id, n, what} }
		switch {
		case l.i != next:
			return missing(ctx, tx, next)
		case !l.at.Valid:
			return fault("the event is missing")
		case l.leaf.Int64 != l.i:
			return fault("the event has another place in the proof")
		}
		e := l.entry()
		var err error
		if n == 1 {
			v.Corrections++
			e.Origin, err = origins.of(ctx, id)
		}
		var known *knownCorrection
		if err == nil {
			known, err = origins.known(ctx, id, n)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return fault("the correction is missing, or its salt")
		} else if err != nil {
			return fmt.Errorf("read correction %d: %w", id, err)
		}
		e.Salt = known.salt
		if l.sign.Valid {
			v.Intents++
			e.Intent = l.intent()
		}
		if err := audit.Add(e, l.hashes); err != nil {
			return err
		}
		known.follow(e)
		switch {
		case n > known.now.n:
			return fault("it is not on record that the correction stands there")
		case n == known.now.n && (known.then != known.now || known.got != known.has):
			return fault("the correction does not stand as its events say")
		case n == known.now.n:
			standing++
			if known.got.author != 0 {
				v.spent++
			}
			if known.got.flags != "" {
				v.flags += int64(1 + strings.Count(known.got.flags, " "))
			}
		}
	}
	if err := rows.Err(); err != nil || standing == v.Corrections {
		return err
	}
	return misplaced(ctx, tx)
}

// missing tells which event a row of the proof that is not there stood for.
func missing(ctx context.Context, tx *sql.Tx, i int64) error {
	f := &Fault{What: fmt.Sprintf("row %d of the proof is missing", i)}
	err := tx.QueryRowContext(ctx, `SELECT correction_id, n FROM event WHERE leaf = ?`, i).Scan(&f.CorrectionID, &f.N)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("look for the event of a row that is missing: %w", err)
	}
	return f
}

// misplaced finds a correction that stands beyond its last event.
func misplaced(ctx context.Context, tx *sql.Tx) error {
	f := &Fault{What: "the correction does not stand where its events end"}
	err := tx.QueryRowContext(ctx, `
		SELECT c.id FROM correction c LEFT JOIN correction_now w ON w.correction_id = c.id
		WHERE w.n IS NOT (
			SELECT max(e.n) FROM event e JOIN leaf l ON l.i = e.leaf AND l.correction_id = e.correction_id AND l.n = e.n WHERE e.correction_id = c.id)
		ORDER BY c.id LIMIT 1`).Scan(&f.CorrectionID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("look for a state that is missing: %w", err)
	}
	return f
}

// standing is a row of correction_now.
type standing struct {
	n         int
	state     string
	at        int64
	requestID string
	settled   string
	due       bool
	review    string
	approver  int64
	flagged   bool
}

// derived is what else the triggers on event write of a correction.
type derived struct {
	flags             string // codes of its flags, sorted
	author, at, spent int64  // its row of spent; zero when there is none
}

// follow does what the triggers on event do.
func (s *standing) follow(e ledger.Entry) {
	same := s.state == e.State
	if e.State == string(correction.Claimed) && flagsIn(e.Detail) != "" {
		s.flagged = true
	}
	s.n, s.state = e.N, e.State
	if !same {
		s.at = e.AtMS
	}
	if e.RequestID != "" {
		s.requestID = e.RequestID
	}
	if e.N > 1 && (!same || e.Settled != "") {
		s.settled = e.Settled
	}
	if e.N > 1 && e.Due != 0 {
		s.due = e.Due > 0
	}
	if e.N > 1 && (!same || e.Review != "") {
		s.review = e.Review
	}
	switch correction.State(e.State) {
	case correction.Approved, correction.Declined, correction.Returned:
		if !same {
			s.approver = e.Actor
		}
	}
}

// flagsIn are the codes of the flags in the detail of an event, sorted.
func flagsIn(detail []byte) string {
	if !bytes.Contains(detail, []byte(`"flags":[`)) {
		return ""
	}
	var d correction.Detail
	if json.Unmarshal(detail, &d) != nil {
		return ""
	}
	var codes []string
	for _, f := range d.Flags {
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	return strings.Join(slices.Compact(codes), " ")
}

// knownCorrection is what the way through the events needs of a correction.
type knownCorrection struct {
	salt              []byte
	author, reduction int64
	now               standing // as it is on record
	then              standing // as the events so far have it
	has               derived
	got               derived
}

func (k *knownCorrection) follow(e ledger.Entry) {
	if e.State == string(correction.Claimed) {
		k.got.flags = flagsIn(e.Detail)
		if k.then.state == string(correction.Prepared) {
			k.got.author, k.got.at, k.got.spent = k.author, e.AtMS, k.reduction
		}
	}
	k.then.follow(e)
}
