package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"modernc.org/sqlite"

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

// openCopy opens a file for reading only. One without a write-ahead log may lie in a
// folder that cannot be written.
func openCopy(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the database: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("find the database: %w", err)
	}
	dsn := fileURI(path) + "?mode=ro&_query_only=1&_dqs=0&_error_rc=1&_busy_timeout=5000&_pragma=trusted_schema(0)&_pragma=cache_size(-8192)"
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		dsn += "&immutable=1"
	}
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return sql.OpenDB(c), nil
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

// maxDamage bounds how many findings of SQLite's own checks are told.
const maxDamage = 20

// checkFile lets SQLite check the file itself: pages, indexes, constraints, and which row
// refers to which. Tables that are damaged are named.
func checkFile(ctx context.Context, tx *sql.Tx) error {
	found, err := integrity(ctx, tx, strconv.Itoa(maxDamage))
	if err == nil && len(found) == 0 {
		return checkReferences(ctx, tx)
	}
	// A page that cannot be read ends the check of the whole file. Table by table it tells.
	if err != nil && !hasCode(err, codeCorrupt) {
		return fmt.Errorf("check the file: %w", err)
	}
	if err != nil {
		found = append(found, err.Error())
	}
	rows, err := tx.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name`)
	tables, err := collect(rows, err, func(r scanner) (s string, err error) { return s, r.Scan(&s) })
	if err != nil {
		return fmt.Errorf("check the file: read the schema: %w", err)
	}
	damaged := slices.DeleteFunc(tables, func(name string) bool {
		found, err := integrity(ctx, tx, sqlText(name))
		return err == nil && len(found) == 0
	})
	where := "the file, in none of its tables"
	if len(damaged) > 0 {
		where = strings.Join(damaged, ", ")
	}
	return &Fault{What: "SQLite's own check finds damage in " + where + ": " + strings.Join(found, "; ")}
}

// integrity is what SQLite finds wrong, up to a number, or in one table.
func integrity(ctx context.Context, tx *sql.Tx, what string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `PRAGMA integrity_check(`+what+`)`)
	found, err := collect(rows, err, func(r scanner) (s string, err error) { return s, r.Scan(&s) })
	if len(found) == 1 && found[0] == "ok" {
		found = nil
	}
	return found, err
}

// sqlText is a name as SQL's text. Pragmas take no parameters.
func sqlText(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }

func checkReferences(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT "table", parent FROM pragma_foreign_key_check LIMIT ?`, maxDamage)
	found, err := collect(rows, err, func(r scanner) (string, error) {
		var child, parent string
		err := r.Scan(&child, &parent)
		return fmt.Sprintf("%s names rows of %s that are not there", child, parent), err
	})
	if err != nil {
		return fmt.Errorf("check which row refers to which: %w", err)
	}
	if len(found) > 0 {
		return &Fault{What: "rows are missing: " + strings.Join(found, "; ")}
	}
	return nil
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
		var i, id int64
		var n int
		var hashes, detail, state, requestID, settled, review, nonce, boot sql.RawBytes
		var at, actor, session, due, leaf, sign, mono sql.NullInt64
		err := rows.Scan(&i, &id, &n, &hashes, &state, &at, &actor, &session, &detail, &requestID, &settled, &due, &review, &leaf, &sign, &nonce, &boot, &mono)
		if err != nil {
			return fmt.Errorf("read the proof: %w", err)
		}
		fault := func(what string) error { return &Fault{id, n, what} }
		switch {
		case i != next:
			return missing(ctx, tx, next)
		case !at.Valid:
			return fault("the event is missing")
		case leaf.Int64 != i:
			return fault("the event has another place in the proof")
		}
		e := ledger.Entry{
			CorrectionID: id, N: n, State: string(state), AtMS: at.Int64, Actor: actor.Int64, Session: session.Int64, Detail: detail,
			RequestID: string(requestID), Settled: string(settled), Due: due.Int64, Review: string(review),
		}
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
		if sign.Valid {
			v.Intents++
			e.Intent = &ledger.Intent{SignMS: sign.Int64, Nonce: string(nonce), BootID: string(boot), MonoMS: mono.Int64}
		}
		if err := audit.Add(e, hashes); err != nil {
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

// newSchema is the schema of a new database.
var newSchema = sync.OnceValues(func() (map[string]string, error) {
	folder, err := os.MkdirTemp("", "console-verify-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "console.db")
	if err := migrate(context.Background(), path); err != nil {
		return nil, err
	}
	db, err := openCopy(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return schemaOf(context.Background(), db)
})

// verifySchema compares the tables and the guards with those of a new database.
func verifySchema(ctx context.Context, tx *sql.Tx) error {
	want, err := newSchema()
	if err != nil {
		return fmt.Errorf("make a database to compare with: %w", err)
	}
	have, err := schemaOf(ctx, tx)
	if err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	for name, text := range want {
		if have[name] != text {
			return &Fault{What: fmt.Sprintf("the schema was altered: %s is missing or another", name)}
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			return &Fault{What: fmt.Sprintf("the schema was altered: %s does not belong there", name)}
		}
	}
	return nil
}

// verifyTransitions compares the table of legal steps, which guards look into, with
// the program's own.
func verifyTransitions(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT from_state, to_state FROM transition`)
	have, err := collect(rows, err, func(r scanner) (pair [2]correction.State, err error) {
		return pair, r.Scan(&pair[0], &pair[1])
	})
	if err != nil {
		return fmt.Errorf("read the legal steps: %w", err)
	}
	for _, pair := range have {
		if !pair[1].Follows(pair[0]) {
			return &Fault{What: fmt.Sprintf("the schema was altered: %s after %s is no legal step", pair[1], pair[0])}
		}
	}
	if len(have) != len(correction.Transitions()) {
		return &Fault{What: "the schema was altered: a legal step is missing"}
	}
	return nil
}

func schemaOf(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) (map[string]string, error) {
	all := map[string]string{}
	rows, err := db.QueryContext(ctx, `SELECT type || ' ' || name, COALESCE(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	_, err = collect(rows, err, func(r scanner) (struct{}, error) {
		var name, text string
		err := r.Scan(&name, &text)
		all[name] = text
		return struct{}{}, err
	})
	return all, err
}
