package sqlite

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// Disabling somebody voids what they have prepared or waiting in the same transaction:
// all of it or nothing, with its leaves, and nobody else's.
func TestSetDisabled_VoidsWhatWaits(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent).ID, person(t, s, "wu", correction.Agent).ID
	must(t, s.PutMerchant(t.Context(), correction.Merchant{SubMchID: ref("").SubMchID, Name: "M"}))
	now := s.now()
	prepared := prepare(t, s, sample(lin, ref("P"), now))
	waits := prepare(t, s, sample(lin, ref("W"), now))
	walk(t, s, waits, ref("W"), now, correction.Awaiting)
	late := prepare(t, s, sample(lin, ref("L"), now.Add(-time.Hour)))
	sent := prepare(t, s, sample(lin, ref("S"), now))
	walk(t, s, sent, ref("S"), now, correction.Claimed, correction.Sending)
	theirs := prepare(t, s, sample(wu, ref("O"), now))
	states := func() string {
		var out []string
		for _, id := range []int64{prepared, waits, late, sent, theirs} {
			c, err := s.Correction(t.Context(), id)
			must(t, err)
			out = append(out, string(c.State))
		}
		return strings.Join(out, " ")
	}
	db, err := sql.Open("sqlite", migrationDSN(s.path))
	must(t, err)
	defer db.Close()
	exec := func(query string) {
		t.Helper()
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	before := states()
	// One of them cannot be recorded: then nobody is disabled, and nothing is void.
	exec(fmt.Sprintf(`CREATE TRIGGER in_the_way BEFORE INSERT ON event WHEN NEW.state = 'void' AND NEW.correction_id = %d BEGIN SELECT RAISE(ABORT, 'no'); END`, waits))
	if err := s.SetDisabled(t.Context(), "lin", true); err == nil || states() != before {
		t.Fatalf("half of it: %v, %s", err, states())
	}
	if u, err := s.UserByID(t.Context(), lin); err != nil || u.Disabled {
		t.Fatalf("disabled all the same: %+v, %v", u, err)
	}
	exec(`DROP TRIGGER in_the_way`)
	must(t, s.SetDisabled(t.Context(), "lin", true))
	if got := states(); got != "void void prepared sending prepared" {
		t.Errorf("%s", got)
	}
	c, err := s.Correction(t.Context(), waits)
	must(t, err)
	if d := c.Last().Detail; d.Cause != correction.AuthorDisabled || c.Last().ActorID != 0 || len(d.Breaches) != 1 {
		t.Errorf("%+v", c.Last())
	}
	if h, err := s.Holder(t.Context(), ref("W")); h != nil || err != nil {
		t.Errorf("the order is held by %+v, %v", h, err)
	}
	for _, x := range []struct {
		viewer int64
		want   int
	}{{lin, 1}, {wu, 0}} {
		list, err := s.Attention(t.Context(), correction.Scope{All: true}, 0, x.viewer, s.now(), 50)
		must(t, err)
		n := 0
		for _, r := range list {
			if r.State == correction.Void && r.ID == waits {
				n++
			}
		}
		if n != x.want {
			t.Errorf("user %d sees the void one %d times", x.viewer, n)
		}
	}
	if rows, _, err := s.Log(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}, State: correction.Void}, changelog.Page{Limit: 10}); err != nil || len(rows) != 2 {
		t.Errorf("the log of void ones: %d, %v", len(rows), err)
	}
	if _, err := Verify(t.Context(), s.path, nil); err != nil {
		t.Errorf("verify: %v", err)
	}
	// A void one stays what it is, but may be reviewed.
	if err := s.SetDisabled(t.Context(), "lin", false); err != nil || states() != "void void prepared sending prepared" {
		t.Errorf("enabled again: %v, %s", err, states())
	}
}

// Only corrections that took effect, or may have, count for what an order amounted to
// before the first of them; an id, a person and an order apart from all others.
func TestFirsts_CountWhatTookEffectOrMayHave(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent).ID, person(t, s, "wu", correction.Agent).ID
	for _, state := range correction.States {
		r := ref("F-" + string(state))
		id := prepare(t, s, sample(lin, r, t0))
		walk(t, s, id, r, t0, pathTo[state]...)
		want := correction.Firsts{}
		switch state {
		case correction.Sending, correction.Unknown, correction.Applied, correction.AppliedLate, correction.NeedsPerson, correction.Resolved:
			want = correction.Firsts{Author: 9900, Anyone: 9900}
		}
		got, err := s.Firsts(t.Context(), r, 0, lin, 0)
		if err != nil || got != want {
			t.Errorf("%s: %+v, want %+v, %v", state, got, want, err)
		}
		want.Author = 0
		if got, err = s.Firsts(t.Context(), r, 0, wu, 0); err != nil || got != want {
			t.Errorf("%s for somebody else: %+v, want %+v, %v", state, got, want, err)
		}
		if got, err = s.Firsts(t.Context(), r, id, lin, lin); err != nil || got != (correction.Firsts{}) {
			t.Errorf("%s apart from itself: %+v, %v", state, got, err)
		}
	}
	for ruling, counts := range map[correction.Ruling]bool{correction.RuledApplied: true, correction.RuledUnclear: true, correction.RuledNotApplied: false} {
		r := ref("R-" + string(ruling))
		id := prepare(t, s, sample(lin, r, t0))
		walk(t, s, id, r, t0, correction.Claimed, correction.Sending, correction.NeedsPerson)
		must(t, step(t.Context(), s, id, r, correction.NeedsPerson, 4, correction.Event{State: correction.Resolved, At: t0.Add(time.Hour), Detail: correction.Detail{Ruling: ruling}}))
		got, err := s.Firsts(t.Context(), r, 0, lin, 0)
		if err != nil || (got.Anyone == 9900) != counts {
			t.Errorf("ruled %s: %+v, %v", ruling, got, err)
		}
	}
}
