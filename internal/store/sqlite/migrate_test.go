package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// firstVersion makes a database as the first version of the program did, and returns it
// open, without guards on the connection.
func firstVersion(t *testing.T) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "console.db")
	db, err := sql.Open("sqlite", migrationDSN(path))
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	names, err := migrations.ReadDir("migrations")
	must(t, err)
	text, err := migrations.ReadFile("migrations/" + names[0].Name())
	must(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, fstest.MapFS{names[0].Name(): {Data: text}}, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	must(t, err)
	_, err = p.Up(t.Context())
	must(t, err)
	return path, db
}

// oldStates are those of the first version.
var oldStates = []correction.State{
	correction.Prepared, correction.Expiry, correction.Withdrawn, correction.Claimed, correction.Stale, correction.Sending, correction.Applied,
	correction.Rejected, correction.NotSent, correction.Unknown, correction.NotApplied, correction.NeedsPerson,
}

type oldCorrection struct {
	id      int64
	c       correction.Correction
	path    []correction.State
	details []correction.Detail
	entered time.Time
}

// fillOld puts corrections on record as the first version did, through its schema alone;
// their events are mixed, and a clock is set back in between.
func fillOld(t *testing.T, db *sql.DB) []*oldCorrection {
	t.Helper()
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec(`INSERT INTO user (id, username, name, role, all_merchants, password, created_ms) VALUES (1, 'lin', '林晓雯', 'agent', 1, 'phc', 0)`)
	var all []*oldCorrection
	for i, state := range slices.Concat(oldStates, oldStates) {
		c := sample(1, ref(fmt.Sprintf("O%d", i)), t0)
		path := append([]correction.State{correction.Prepared}, pathTo[state]...)
		if state == correction.Unknown || state == correction.NotApplied { // it was read again
			path = slices.Insert(path, 4, correction.Unknown, correction.Unknown)
		}
		if i == len(oldStates)+1 {
			c.RetryOf = 2
		}
		base, _ := c.Base.Snapshot()
		o := originFrom(c, base, []byte("[]"))
		r, err := db.Exec(`
			INSERT INTO correction (sub_mchid, service_id, out_order_no, base_total, target_total, author, session_row,
				prepared_ms, confirm_until_ms, retry_of, asks_total, reason_code, reason_zh, reason_en, reason_needs_note,
				outgoing, ticket, note, confirm_hash, confirm_nonce, base_sha256, body_sha256, warnings, body, base_json)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			o.SubMchID, o.ServiceID, o.OutOrderNo, o.BaseTotal, o.TargetTotal, o.Author, o.SessionRow, o.PreparedMS, o.ConfirmUntilMS, orNull(o.RetryOf), o.AsksTotal,
			o.ReasonCode, o.ReasonZH, o.ReasonEN, o.ReasonNeedsNote, o.Outgoing, o.Ticket, o.Note, o.ConfirmHash, o.ConfirmNonce, o.BaseSHA256, o.BodySHA256, o.Warnings, o.Body, o.BaseJSON)
		must(t, err)
		id, err := r.LastInsertId()
		must(t, err)
		all = append(all, &oldCorrection{id: id, c: c, path: path})
	}
	for n, left := 1, true; left; n++ {
		left = false
		for _, x := range all {
			if n > len(x.path) {
				continue
			}
			left = true
			state := x.path[n-1]
			at := t0.Add(time.Duration(n)*time.Minute - time.Duration(x.id)*time.Second)
			if x.id%5 == 0 && n == 3 {
				at = at.Add(-time.Hour) // the clock was set back
			}
			d := correction.Detail{SignMS: at.UnixMilli(), Cause: fmt.Sprintf("c%d-%d", x.id, n)}
			if n%2 == 1 {
				d.RequestID = fmt.Sprintf("R%d-%d", x.id, n)
			}
			x.details = append(x.details, d)
			if n == 1 || x.path[n-2] != state {
				x.entered = at
			}
			detail, err := json.Marshal(d)
			must(t, err)
			switch state {
			case correction.Claimed:
				exec(`INSERT INTO event (correction_id, n, state, at_ms, actor, session_row, detail) VALUES (?, ?, ?, ?, 1, 7, ?)`, x.id, n, state, millis(at), string(detail))
				exec(`INSERT INTO claim (sub_mchid, out_order_no, correction_id) SELECT sub_mchid, out_order_no, id FROM correction WHERE id = ?`, x.id)
				continue
			case correction.Sending:
				exec(`INSERT INTO send (correction_id, sign_ms, nonce, boot_id, mono_ms) VALUES (?, ?, 'nonce', 'boot', 5)`, x.id, millis(at))
			}
			exec(`INSERT INTO event (correction_id, n, state, at_ms, actor, session_row, detail) VALUES (?, ?, ?, ?, NULL, 0, ?)`, x.id, n, state, millis(at), string(detail))
		}
	}
	return all
}

// A database of the first version gets its proof, keeps all that it says, and its
// corrections go on.
func TestOpen_BringsTheFirstVersionUpToDate(t *testing.T) {
	t.Parallel()
	path, db := firstVersion(t)
	old := fillOld(t, db)
	must(t, db.Close())
	s := openAt(t, path)
	signer := signed(t, s)
	kept := elsewhere(t, s, signer)
	events := int64(0)
	for _, x := range old {
		events += int64(len(x.path))
		c, err := s.Correction(t.Context(), x.id)
		must(t, err)
		if c.ConfirmHash != x.c.ConfirmHash || string(c.Body) != string(x.c.Body) || len(c.Events) != len(x.path) {
			t.Errorf("correction %d came out as %+v", x.id, c)
			continue
		}
		for i, e := range c.Events {
			if e.State != x.path[i] || !reflect.DeepEqual(e.Detail, x.details[i]) {
				t.Errorf("correction %d, event %d: %+v, was %s %+v", x.id, e.N, e, x.path[i], x.details[i])
			}
		}
		equal(t, fmt.Sprintf("when correction %d came to its state", x.id), c.Entered().At, x.entered)
	}
	equal(t, "events in the proof", kept.Size, events)
	rows, _, err := s.Log(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}}, changelog.Page{Limit: 100})
	must(t, err)
	for _, r := range rows {
		x := old[r.ID-1]
		if r.State != x.path[len(x.path)-1] || !r.ChangedAt.Equal(x.entered) {
			t.Errorf("correction %d is listed as %s since %s, came to it at %s", r.ID, r.State, r.ChangedAt, x.entered)
		}
	}
	equal(t, "listed", len(rows), len(old))
	verified := func(what string) {
		t.Helper()
		v, err := Verify(t.Context(), path, []string{signer.VerifierKey()}, kept)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		equal(t, what+": corrections", v.Corrections, int64(len(old)))
	}
	must(t, s.Close())
	verified("after the migration")
	before, err := os.ReadFile(path)
	must(t, err)
	must(t, openAt(t, path).Close())
	after, err := os.ReadFile(path)
	must(t, err)
	if string(before) != string(after) {
		t.Error("opening it again changed it")
	}

	// They go on.
	s = openAt(t, path)
	ctx := t.Context()
	for _, x := range old {
		from, n := x.path[len(x.path)-1], len(x.path)
		next := map[correction.State][]correction.State{
			correction.Prepared: {correction.Claimed, correction.Sending, correction.Applied}, correction.Claimed: {correction.Sending, correction.Unknown, correction.Applied},
			correction.Sending: {correction.Unknown, correction.NotApplied}, correction.Applied: {correction.Applied}, correction.Rejected: {correction.AppliedLate},
			correction.NotSent: {correction.NotSent}, correction.Unknown: {correction.Unknown, correction.Applied}, correction.NotApplied: {correction.NotApplied},
			correction.NeedsPerson: {correction.NeedsPerson, correction.Resolved},
		}[from]
		for _, state := range next {
			e := correction.Event{State: state, At: t0.Add(24 * time.Hour)}
			if state == from {
				e.Detail.Settled = correction.Rechecked
			}
			if err := step(ctx, s, x.id, x.c.Ref, from, n, e); err != nil {
				t.Errorf("correction %d: %s after %s: %v", x.id, state, from, err)
			}
			from, n = state, n+1
		}
		if !from.Holds() && from != correction.Prepared { // its order is free, and it can be tried again
			c := sample(1, x.c.Ref, t0.Add(25*time.Hour))
			if from.NoEffect() || from == correction.Stale {
				c.RetryOf = x.id
				if x.id == 2 {
					c.RetryOf = 0
				}
			}
			walk(t, s, prepare(t, s, c), c.Ref, c.PreparedAt, correction.Claimed, correction.Sending, correction.Applied)
		}
	}
	must(t, s.Close())
	if _, err := Verify(t.Context(), path, []string{signer.VerifierKey()}, kept); err != nil {
		t.Errorf("after more corrections: %v", err)
	}
}
