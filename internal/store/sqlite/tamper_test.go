package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// lives puts corrections in all states on record, with texts, retries, and the events
// of their looking after. The steps of different corrections are mixed.
func lives(t testing.TB, s *Store, random *rand.Rand, corrections int) {
	t.Helper()
	ctx := context.Background()
	people := []int64{}
	for i := range 3 {
		name := fmt.Sprintf("agent-%d-%d", random.Uint32(), i)
		people = append(people, person(t, s, name, correction.Agent).ID)
	}
	ruling := map[correction.State]int64{} // two people for each conflict
	for i, state := range []correction.State{correction.NeedsPerson, correction.Resolved} {
		ruling[state] = person(t, s, fmt.Sprintf("supervisor-%d-%d", random.Uint32(), i), correction.Supervisor).ID
	}
	reviewer := person(t, s, fmt.Sprintf("reviewer-%d", random.Uint32()), correction.Supervisor).ID
	type walk struct {
		id   int64
		r    correction.Ref
		left []correction.State
		from correction.State
		n    int
	}
	var open []walk
	at := t0.Add(time.Duration(random.IntN(1000)) * time.Second)
	var undone []int64
	for made := 0; made < corrections || len(open) > 0; {
		at = at.Add(time.Duration(random.IntN(5000)-500) * time.Millisecond) // clocks are set back
		if made < corrections && (len(open) == 0 || random.IntN(3) == 0) {
			c := sample(people[random.IntN(len(people))], ref(fmt.Sprintf("H%d-%d", made, random.Uint32())), at)
			c.Note, c.Ticket = strings.Repeat("备注", random.IntN(200)), fmt.Sprintf("T-%d", made)
			if random.IntN(3) == 0 {
				c.Warnings = nil
			}
			if len(undone) > 0 && random.IntN(4) == 0 {
				c.RetryOf, undone = undone[0], undone[1:]
			}
			id := prepare(t, s, c)
			to := correction.States[random.IntN(len(correction.States))]
			left := slices.Clone(pathTo[to])
			for range random.IntN(3) {
				if to.Follows(to) { // it is looked after
					left = append(left, to)
				}
			}
			open = append(open, walk{id, c.Ref, left, correction.Prepared, 1})
			made++
			continue
		}
		i := random.IntN(len(open))
		w := &open[i]
		if len(w.left) == 0 {
			if w.from.NoEffect() {
				undone = append(undone, w.id)
			}
			open = slices.Delete(open, i, i+1)
			continue
		}
		e := correction.Event{State: w.left[0], At: at, ActorID: ruling[w.left[0]]}
		e.Detail = correction.Detail{Message: strings.Repeat("m", random.IntN(1500)), SignMS: at.UnixMilli()}
		if random.IntN(2) == 0 {
			e.Detail.RequestID = fmt.Sprintf("08F78BB5-%d", random.Uint32())
		}
		if e.State == correction.Claimed && random.IntN(2) == 0 {
			e.Detail.Flags = []correction.Flag{{Code: correction.FlagZero}, {Code: correction.FlagFast, Found: 3, Limit: 10}}[:1+random.IntN(2)]
		}
		if e.State == w.from && e.State.Final() && random.IntN(2) == 0 {
			e.Detail.Review = []correction.ReviewMark{correction.ReviewFine, correction.ReviewQueried, correction.ReviewWrong}[random.IntN(3)]
			e.ActorID = reviewer
		}
		if e.State == w.from {
			e.Detail.Settled = []correction.Settlement{"", correction.Rechecked, correction.StillOpen}[random.IntN(3)]
			e.Detail.Due, e.Detail.Handled = random.IntN(3) == 0, random.IntN(4) == 0
		}
		must(t, step(ctx, s, w.id, w.r, w.from, w.n, e))
		w.from, w.n, w.left = e.State, w.n+1, w.left[1:]
	}
}

// signed gives a store a key of its own.
func signed(t testing.TB, s *Store) *ledger.Signer {
	t.Helper()
	signer, err := ledger.LoadOrCreateKey(filepath.Join(t.TempDir(), "checkpoint.key"))
	must(t, err)
	s.SetSigner(signer)
	return signer
}

// elsewhere signs a checkpoint now and opens it, as its keeper does.
func elsewhere(t testing.TB, s *Store, signer *ledger.Signer) ledger.Checkpoint {
	t.Helper()
	c, err := s.Checkpoint(context.Background())
	must(t, err)
	opened, err := ledger.Open([]byte(c.Note), signer.VerifierKey())
	must(t, err)
	return opened
}

// tampering is a connection of somebody who has the file and a shell: without the
// authorizer, without foreign keys, and with the guards away for a moment.
type tampering struct {
	db       *sql.DB
	triggers []string
	random   *rand.Rand
	covered  int64 // events that the checkpoint elsewhere stands for
	bad      []int64
}

func tamper(t testing.TB, path string, random *rand.Rand, covered int64) *tampering {
	t.Helper()
	db, err := sql.Open("sqlite", fileURI(path)+"?_foreign_keys=0&_pragma=journal_mode(MEMORY)&_pragma=synchronous(OFF)&_pragma=recursive_triggers(0)")
	must(t, err)
	db.SetMaxOpenConns(1)
	x := &tampering{db: db, random: random, covered: covered}
	rows, err := db.Query(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`)
	names, err := collect(rows, err, func(r scanner) (name string, err error) {
		var text string
		err = r.Scan(&name, &text)
		x.triggers = append(x.triggers, text)
		return name, err
	})
	must(t, err)
	x.must(t, `BEGIN; DROP TRIGGER `+strings.Join(names, `; DROP TRIGGER `)+`; COMMIT`)
	return x
}

func (x *tampering) must(t testing.TB, query string, args ...any) int64 {
	t.Helper()
	r, err := x.db.Exec(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	n, err := r.RowsAffected()
	must(t, err)
	return n
}

func (x *tampering) int(t testing.TB, query string, args ...any) (n int64) {
	t.Helper()
	if err := x.db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// close puts the guards back, so that the schema is as it was.
func (x *tampering) close(t testing.TB) {
	t.Helper()
	x.must(t, `BEGIN; `+strings.Join(x.triggers, `; `)+`; COMMIT`)
	must(t, x.db.Close())
}

// column is one that an edit is made in, by its table.
type column struct{ table, name, kind string }

var keyOf = map[string]string{
	"correction": "id", "event": "correction_id", "send": "correction_id", "salt": "correction_id", "leaf": "correction_id",
	"checkpoint": "0", "correction_now": "correction_id", "claim": "correction_id", "spent": "correction_id", "flag": "correction_id",
}

func (x *tampering) columns(t testing.TB) (all []column) {
	t.Helper()
	for table := range keyOf {
		rows, err := x.db.Query(`SELECT name, type FROM pragma_table_info(?)`, table)
		list, err := collect(rows, err, func(r scanner) (column, error) {
			c := column{table: table}
			return c, r.Scan(&c.name, &c.kind)
		})
		must(t, err)
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b column) int { return strings.Compare(a.table+a.name, b.table+b.name) })
	return all
}

// pick is the condition of a random row, and the correction that it belongs to.
func (x *tampering) pick(t testing.TB, table string) (where string, id int64) {
	t.Helper()
	n := x.int(t, `SELECT count(*) FROM `+table)
	if n == 0 {
		return "", 0
	}
	key := map[string]string{"event": "correction_id, n", "leaf": "i", "checkpoint": "size", "claim": "sub_mchid, out_order_no", "correction": "id"}[table]
	if key == "" {
		key = "correction_id"
	}
	where = fmt.Sprintf(`(%s) = (SELECT %s FROM %s ORDER BY 1, %s LIMIT 1 OFFSET %d)`, key, key, table, key, x.random.Int64N(n))
	return where, x.int(t, `SELECT `+keyOf[table]+` FROM `+table+` WHERE `+where)
}

// edit changes one value of a column to another one of its kind. It reports whether
// something was changed: a constraint of the table may refuse.
func (x *tampering) edit(t testing.TB, c column) bool {
	t.Helper()
	where, id := x.pick(t, c.table)
	if where == "" {
		return false
	}
	var old any
	must(t, x.db.QueryRow(`SELECT `+c.name+` FROM `+c.table+` WHERE `+where).Scan(&old))
	var value any
	switch v := old.(type) {
	case nil:
		value = 1 + x.random.Int64N(5)
	case int64:
		value = v + []int64{-1, 1, 10, -v, 1 << 40}[x.random.IntN(5)]
		if c.name == "due" || c.name == "asks_total" || c.name == "reason_needs_note" {
			value = 1 - v
		}
	case string:
		value = flip(x.random, v)
	case []byte:
		b := bytes.Clone(v)
		b[x.random.IntN(len(b))] ^= 1 << x.random.IntN(8)
		value = b
	}
	if reflect.DeepEqual(value, old) || value == int64(0) && (c.name == "retry_of" || c.name == "actor") { // 0 and NULL say the same
		return false
	}
	r, err := x.db.Exec(`UPDATE `+c.table+` SET `+c.name+` = ? WHERE `+where, value)
	if err != nil {
		return false
	}
	n, err := r.RowsAffected()
	must(t, err)
	x.bad = append(x.bad, id)
	if keyOf[c.table] == c.name { // the row is now another correction's
		x.bad = append(x.bad, value.(int64))
	}
	return n == 1
}

// flip changes one character of a text, or adds one, and keeps JSON valid where it can.
func flip(random *rand.Rand, s string) string {
	letters := []rune(s)
	var digits []int
	for i, l := range letters {
		if l >= '0' && l <= '9' || l >= 'a' && l <= 'y' {
			digits = append(digits, i)
		}
	}
	if len(digits) == 0 || random.IntN(4) == 0 {
		return s + " "
	}
	i := digits[random.IntN(len(digits))]
	if letters[i] == '9' {
		letters[i] = '0'
	} else {
		letters[i]++
	}
	return string(letters)
}

// remove deletes a random row.
func (x *tampering) remove(t testing.TB, table string) bool {
	where, id := x.pick(t, table)
	if where == "" {
		return false
	}
	x.bad = append(x.bad, id)
	return x.must(t, `DELETE FROM `+table+` WHERE `+where) == 1
}

// swap exchanges the values of a column of two rows.
func (x *tampering) swap(t testing.TB, c column) bool {
	a, idA := x.pick(t, c.table)
	b, idB := x.pick(t, c.table)
	if a == "" || a == b || x.int(t, `SELECT (SELECT `+c.name+` FROM `+c.table+` WHERE `+a+`) IS (SELECT `+c.name+` FROM `+c.table+` WHERE `+b+`)`) == 1 {
		return false
	}
	var va, vb any
	must(t, x.db.QueryRow(`SELECT (SELECT `+c.name+` FROM `+c.table+` WHERE `+a+`), (SELECT `+c.name+` FROM `+c.table+` WHERE `+b+`)`).Scan(&va, &vb))
	tx, err := x.db.Begin()
	must(t, err)
	defer tx.Rollback()
	for _, change := range []struct {
		where string
		value any
	}{{a, vb}, {b, va}} {
		if _, err := tx.Exec(`UPDATE `+c.table+` SET `+c.name+` = ? WHERE `+change.where, change.value); err != nil {
			return false
		}
	}
	// Where the column is part of the key, the second change can undo the first.
	var same bool
	must(t, tx.QueryRow(`SELECT (SELECT `+c.name+` FROM `+c.table+` WHERE `+a+`) IS ? AND (SELECT `+c.name+` FROM `+c.table+` WHERE `+b+`) IS ?`, va, vb).Scan(&same))
	if same {
		return false
	}
	must(t, tx.Commit())
	x.bad = append(x.bad, idA, idB)
	return true
}

// insert adds a copy of a row under another key.
func (x *tampering) insert(t testing.TB, table string) bool {
	where, id := x.pick(t, table)
	if where == "" {
		return false
	}
	keys := map[string]string{
		"correction": "id", "event": "n", "send": "correction_id", "salt": "correction_id", "leaf": "i", "checkpoint": "size", "correction_now": "correction_id", "claim": "correction_id", "spent": "correction_id", "flag": "code",
	}
	values := map[string]any{}
	var names []string
	for _, c := range x.columns(t) {
		if c.table != table {
			continue
		}
		var v any
		must(t, x.db.QueryRow(`SELECT `+c.name+` FROM `+table+` WHERE `+where).Scan(&v))
		switch c.name {
		case keys[table]:
			if text, ok := v.(string); ok {
				v = text + "x"
				break
			}
			v = v.(int64) + 1 + x.random.Int64N(1000)
			if table != "event" && table != "leaf" {
				id = v.(int64)
			}
		case "confirm_hash":
			v = flipped(v.([]byte))
		case "retry_of":
			v = nil
		case "out_order_no":
			v = v.(string) + "x"
		}
		values[c.name] = v
		names = append(names, c.name)
	}
	args := make([]any, len(names))
	for i, name := range names {
		args[i] = values[name]
	}
	_, err := x.db.Exec(`INSERT INTO `+table+` (`+strings.Join(names, ", ")+`) VALUES (?`+strings.Repeat(", ?", len(names)-1)+`)`, args...)
	if table == "checkpoint" {
		id = 0
	}
	x.bad = append(x.bad, id)
	return err == nil
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[0] ^= 1
	return b
}

// forget removes a correction with everything that is known of it, and closes the gap.
func (x *tampering) forget(t testing.TB) bool {
	id := x.int(t, `SELECT correction_id FROM leaf WHERE n = 1 AND i < ? ORDER BY random() LIMIT 1`, x.covered)
	for _, table := range []string{"leaf", "event", "send", "salt", "correction_now", "claim", "spent", "flag"} {
		x.must(t, `DELETE FROM `+table+` WHERE correction_id = ?`, id)
	}
	x.must(t, `DELETE FROM correction WHERE id = ?`, id)
	x.renumber(t)
	return true
}

// invent adds a correction with everything that belongs to it, in the middle.
func (x *tampering) invent(t testing.TB) bool {
	id := x.int(t, `SELECT correction_id FROM leaf WHERE i < ? ORDER BY random() LIMIT 1`, x.covered-1)
	made := x.int(t, `SELECT max(id) + 1 FROM correction`)
	for _, c := range []struct{ table, key, change string }{
		{"correction", "id", "confirm_hash = randomblob(32), retry_of = NULL, out_order_no = out_order_no || 'x'"},
		{"event", "correction_id", ""}, {"send", "correction_id", ""}, {"salt", "correction_id", ""}, {"correction_now", "correction_id", ""}, {"spent", "correction_id", ""}, {"flag", "correction_id", ""},
		{"claim", "correction_id", "out_order_no = out_order_no || 'x'"},
	} {
		x.must(t, `CREATE TEMP TABLE copied AS SELECT * FROM `+c.table+` WHERE `+c.key+` = ?`, id)
		x.must(t, `UPDATE copied SET `+c.key+` = ?`, made)
		if c.change != "" {
			x.must(t, `UPDATE copied SET `+c.change)
		}
		x.must(t, `INSERT INTO `+c.table+` SELECT * FROM copied`)
		x.must(t, `DROP TABLE copied`)
	}
	// Its leaves stand right behind those of the one that it was made from.
	x.must(t, `CREATE TEMP TABLE moved AS SELECT i * 2 AS i, correction_id, n, hashes FROM leaf UNION ALL SELECT i * 2 + 1, ?, n, hashes FROM leaf WHERE correction_id = ?`, made, id)
	x.must(t, `DELETE FROM leaf`)
	x.must(t, `INSERT INTO leaf SELECT * FROM moved ORDER BY i`)
	x.must(t, `DROP TABLE moved`)
	x.renumber(t)
	return true
}

// cut takes away the tail of the record, to before the checkpoint, with everything as if
// it had never been.
func (x *tampering) cut(t testing.TB) bool {
	size := x.random.Int64N(x.covered)
	x.must(t, `DELETE FROM leaf WHERE i >= ?`, size)
	x.must(t, `DELETE FROM event WHERE leaf >= ?`, size)
	for table, key := range map[string]string{"correction": "id", "salt": "correction_id", "correction_now": "correction_id", "claim": "correction_id"} {
		x.must(t, `DELETE FROM `+table+` WHERE `+key+` NOT IN (SELECT correction_id FROM event)`)
	}
	x.must(t, `DELETE FROM send WHERE correction_id NOT IN (SELECT correction_id FROM event WHERE state = 'sending')`)
	x.must(t, `DELETE FROM spent WHERE correction_id NOT IN (SELECT correction_id FROM event WHERE state = 'claimed')`)
	x.must(t, `DELETE FROM flag WHERE correction_id NOT IN (SELECT correction_id FROM event WHERE state = 'claimed')`)
	x.derive(t)
	x.must(t, `DELETE FROM checkpoint WHERE size > ?`, size)
	return true
}

// derive makes correction_now and claim what the events say.
func (x *tampering) derive(t testing.TB) {
	rows, err := x.db.Query(`SELECT correction_id, n, state, at_ms, COALESCE(actor, 0), request_id, settled, due, review, detail FROM event ORDER BY correction_id, n`)
	stands := map[int64]*knownCorrection{}
	_, err = collect(rows, err, func(r scanner) (struct{}, error) {
		var e ledger.Entry
		err := r.Scan(&e.CorrectionID, &e.N, &e.State, &e.AtMS, &e.Actor, &e.RequestID, &e.Settled, &e.Due, &e.Review, &e.Detail)
		if stands[e.CorrectionID] == nil {
			stands[e.CorrectionID] = &knownCorrection{}
		}
		stands[e.CorrectionID].follow(e)
		return struct{}{}, err
	})
	must(t, err)
	x.must(t, `DELETE FROM claim`)
	for id, known := range stands {
		s := known.then
		x.must(t, `UPDATE correction_now SET n = ?, state = ?, at_ms = ?, request_id = ?, settled = ?, due = ?, review = ?, approver = ?, flagged = ? WHERE correction_id = ?`,
			s.n, s.state, s.at, s.requestID, s.settled, s.due, s.review, s.approver, s.flagged, id)
		if correction.State(s.state).Holds() {
			x.must(t, `INSERT INTO claim SELECT sub_mchid, out_order_no, id FROM correction WHERE id = ?`, id)
		}
	}
}

// renumber closes the gaps between leaves and computes all their hashes anew.
func (x *tampering) renumber(t testing.TB) {
	x.must(t, `CREATE TEMP TABLE numbered AS SELECT row_number() OVER (ORDER BY i) - 1 AS i, correction_id, n, hashes FROM leaf`)
	x.must(t, `DELETE FROM leaf`)
	x.must(t, `INSERT INTO leaf SELECT * FROM numbered ORDER BY i`)
	x.must(t, `DROP TABLE numbered`)
	x.must(t, `UPDATE event SET leaf = (SELECT i FROM leaf l WHERE l.correction_id = event.correction_id AND l.n = event.n)`)
	x.rehash(t)
}

// rehash computes the tree of what is on record now, with those of its own checkpoints
// that do not fit left out: what is left to somebody without the key.
func (x *tampering) rehash(t testing.TB) {
	ctx := context.Background()
	tx, err := x.db.Begin()
	must(t, err)
	defer tx.Rollback()
	rows, err := tx.Query(`SELECT correction_id, n FROM leaf ORDER BY i`)
	order, err := collect(rows, err, func(r scanner) (e [2]int64, err error) { return e, r.Scan(&e[0], &e[1]) })
	must(t, err)
	var tree ledger.Tree
	for i, at := range order {
		e := ledger.Entry{CorrectionID: at[0]}
		must(t, tx.QueryRow(`SELECT s.salt, `+eventColumns+` FROM event e JOIN salt s USING (correction_id) WHERE e.correction_id = ? AND e.n = ?`, at[0], at[1]).
			Scan(&e.Salt, &e.N, &e.State, &e.AtMS, &e.Actor, &e.Session, &e.Detail, &e.RequestID, &e.Settled, &e.Due, &e.Review))
		if e.N == 1 {
			e.Origin, err = origin(tx.QueryRowContext(ctx, originQuery, at[0]))
		} else if e.State == string(correction.Sending) {
			e.Intent, err = intent(tx.QueryRowContext(ctx, intentQuery, at[0]))
		}
		must(t, err)
		_, hashes := tree.Append(e.Leaf(nil))
		_, err := tx.Exec(`UPDATE leaf SET hashes = ? WHERE i = ?`, hashes, i)
		must(t, err)
	}
	_, err = tx.Exec(`DELETE FROM checkpoint`)
	must(t, err)
	must(t, tx.Commit())
}

// rewrite changes a value and computes everything anew.
func (x *tampering) rewrite(t testing.TB) bool {
	x.must(t, `UPDATE correction SET target_total = target_total + 1 WHERE id = (SELECT correction_id FROM leaf WHERE n = 1 AND i < ? ORDER BY random() LIMIT 1)`, x.covered)
	x.rehash(t)
	return true
}

// reorder exchanges two events that stand side by side and computes everything anew.
func (x *tampering) reorder(t testing.TB) bool {
	i := x.random.Int64N(x.covered - 1)
	if x.int(t, `SELECT count(DISTINCT correction_id) FROM leaf WHERE i IN (?, ?)`, i, i+1) == 1 {
		return false
	}
	x.must(t, `UPDATE leaf SET i = 1 << 40 WHERE i = ?`, i)
	x.must(t, `UPDATE leaf SET i = ? WHERE i = ?`, i, i+1)
	x.must(t, `UPDATE leaf SET i = ? WHERE i = 1 << 40`, i+1)
	x.renumber(t)
	return true
}

// TestVerify_FindsEveryTampering edits copies of an honest record, one edit a copy, and
// has each found with a checkpoint from before.
func TestVerify_FindsEveryTampering(t *testing.T) {
	t.Parallel()
	seed := chance()
	random := rand.New(rand.NewPCG(seed, 1))
	s := openTest(t)
	signer := signed(t, s)
	lives(t, s, random, 120)
	_ = elsewhere(t, s, signer) // one of its own, from long before
	lives(t, s, random, 120)
	kept := elsewhere(t, s, signer)
	lives(t, s, random, 10) // and what came after it
	vkeys := []string{signer.VerifierKey()}
	_, err := Verify(t.Context(), s.path, vkeys, kept)
	must(t, err)
	must(t, s.Close())
	honest, err := os.ReadFile(s.path)
	must(t, err)
	tries := 1000
	if testing.Short() {
		tries = 100
	}
	found, made, folder := 0, 0, t.TempDir()
	for tried := 0; made < tries; tried++ {
		path := filepath.Join(folder, "copy.db")
		must(t, os.WriteFile(path, honest, 0o600))
		x := tamper(t, path, random, kept.Size)
		columns := x.columns(t)
		c := columns[random.IntN(len(columns))]
		what, did := "", false
		consistent := false
		switch kind := random.IntN(100); {
		case tried < 3*len(columns): // each column
			c = columns[tried%len(columns)]
			what, did = "edit "+c.table+"."+c.name, x.edit(t, c)
		case kind < 40:
			what, did = "edit "+c.table+"."+c.name, x.edit(t, c)
		case kind < 55:
			what, did = "remove from "+c.table, c.table != "checkpoint" && x.remove(t, c.table) // its own checkpoints are no record
		case kind < 70:
			what, did = "swap "+c.table+"."+c.name, x.swap(t, c)
		case kind < 90:
			what, did = "insert into "+c.table, x.insert(t, c.table)
		default:
			consistent = true
			forgeries := []struct {
				name string
				make func(testing.TB) bool
			}{{"forget", x.forget}, {"invent", x.invent}, {"cut", x.cut}, {"rewrite", x.rewrite}, {"reorder", x.reorder}}
			f := forgeries[random.IntN(len(forgeries))]
			what, did = f.name, f.make(t)
		}
		x.close(t)
		if !did { // a constraint of the table refused, or there was nothing to change
			continue
		}
		made++
		_, err = Verify(t.Context(), path, vkeys, kept)
		var mine *Fault
		var theirs *ledger.Fault
		var other *OtherKey // the name of a signer was edited
		var id int64
		switch {
		case errors.As(err, &other):
		case errors.As(err, &mine):
			id = mine.CorrectionID
		case errors.As(err, &theirs):
			id = theirs.CorrectionID
		default:
			t.Errorf("%s of %v: %v (seed %d)", what, x.bad, err, seed)
			continue
		}
		if id != 0 && !consistent && !slices.Contains(x.bad, id) {
			t.Errorf("%s of %v: named %d: %v (seed %d)", what, x.bad, id, err, seed)
			continue
		}
		found++
	}
	t.Logf("tamper: %d edits tried, %d found, seed %d", made, found, seed)
}

// TestVerify_FindsNothingInHonestRecords checks records of random histories: beside a
// running writer, and copies of several kinds.
func TestVerify_FindsNothingInHonestRecords(t *testing.T) {
	t.Parallel()
	seed := chance()
	tries, alarms := 200, 0
	if testing.Short() {
		tries = 20
	}
	check := func(i int, what, path string, vkey string, kept ...ledger.Checkpoint) {
		if _, err := Verify(t.Context(), path, []string{vkey}, kept...); err != nil {
			alarms++
			t.Errorf("%d, %s: %v (seed %d)", i, what, err, seed)
		}
	}
	readOnly := mountReadOnly(t)
	for i := range tries {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		s := openAt(t, newFile(t))
		signer := signed(t, s)
		kept := []ledger.Checkpoint{elsewhere(t, s, signer)}
		lives(t, s, random, 1+random.IntN(12))
		kept = append(kept, elsewhere(t, s, signer))
		var writer sync.WaitGroup
		if i%4 == 0 {
			writer.Go(func() { lives(t, s, random, 20) })
			check(i, "beside a writer", s.path, signer.VerifierKey(), kept...)
			check(i, "beside a writer", s.path, signer.VerifierKey(), kept...)
			writer.Wait()
		}
		folder := t.TempDir()
		into := filepath.Join(folder, "into.db")
		vacuum(t, s.path, into)
		check(i, "VACUUM INTO", into, signer.VerifierKey(), kept...)
		must(t, s.Close())
		check(i, "stopped", s.path, signer.VerifierKey(), kept...)
		data, err := os.ReadFile(s.path)
		must(t, err)
		cold := filepath.Join(folder, "cold.db")
		must(t, os.WriteFile(cold, data, 0o400))
		check(i, "cold copy", cold, signer.VerifierKey(), kept...)
		if readOnly != nil && i%10 == 0 {
			readOnly(folder, func(folder string) {
				check(i, "read-only folder", filepath.Join(folder, "cold.db"), signer.VerifierKey(), kept...)
			})
		}
	}
	t.Logf("honest logs: %d tried, %d false alarms, seed %d", tries, alarms, seed)
}

var newDatabase = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "console-new-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "console.db")
	s, err := Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// newFile is a new database, made faster than by Open.
func newFile(t testing.TB) string {
	t.Helper()
	data, err := newDatabase()
	must(t, err)
	path := filepath.Join(t.TempDir(), "console.db")
	must(t, os.WriteFile(path, data, 0o600))
	return path
}

// vacuum makes a copy as a backup does.
func vacuum(t testing.TB, from, to string) {
	t.Helper()
	db, err := sql.Open("sqlite", fileURI(from)+"?mode=ro")
	must(t, err)
	defer db.Close()
	_, err = db.Exec(`VACUUM INTO ?`, to)
	must(t, err)
}

// mountReadOnly returns what shows a folder where nothing can be written, nil where that
// takes rights that are not there.
func mountReadOnly(t *testing.T) func(folder string, use func(folder string)) {
	if os.Geteuid() != 0 {
		return nil
	}
	return func(folder string, use func(string)) {
		at := t.TempDir()
		if out, err := exec.Command("mount", "--bind", folder, at).CombinedOutput(); err != nil {
			t.Logf("no read-only folder: %s", out)
			return
		}
		defer exec.Command("umount", at).Run()
		if out, err := exec.Command("mount", "-o", "remount,bind,ro", at).CombinedOutput(); err != nil {
			t.Logf("no read-only folder: %s", out)
			return
		}
		use(at)
	}
}

// chance is what random choices depend on: TEST_SEED, or a new one for each run.
func chance() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		return n
	}
	return uint64(time.Now().UnixNano())
}
