package sqlite

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/ledger"
)

// ended1 is a correction in a state, prepared at a time, flagged if codes are given.
func ended1(t testing.TB, s *Store, author int64, r correction.Ref, at time.Time, to correction.State, codes ...string) int64 {
	t.Helper()
	id := prepare(t, s, sample(author, r, at))
	var flags []correction.Flag
	for _, c := range codes {
		flags = append(flags, correction.Flag{Code: c, Found: 1, Limit: 2})
	}
	from, n := correction.Prepared, 1
	for _, next := range pathTo[to] {
		e := correction.Event{State: next, At: at.Add(time.Duration(n) * time.Second)}
		if next == correction.Claimed {
			e.Detail.Flags = flags
		}
		must(t, step(t.Context(), s, id, r, from, n, e))
		from, n = next, n+1
	}
	return id
}

func mark(t testing.TB, s *Store, id, by int64, m correction.ReviewMark, text string) error {
	t.Helper()
	c, err := s.Correction(t.Context(), id)
	must(t, err)
	return s.Append(t.Context(), id, c.State, c.Last().N, correction.Event{State: c.State, At: t0, ActorID: by, Detail: correction.Detail{Review: m, Text: text}})
}

func TestReview_TheSchemaRefusesWhatThePersonMayNotSay(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, zhou := person(t, s, "lin", correction.Agent), person(t, s, "zhou", correction.Supervisor)
	id := ended1(t, s, lin.ID, ref("A1"), t0, correction.Applied)
	for _, m := range []correction.ReviewMark{correction.ReviewFine, correction.ReviewQueried, correction.ReviewWrong} {
		if err := mark(t, s, id, lin.ID, m, "x"); !refused(err) {
			t.Errorf("own, %s: %v", m, err)
		}
		if err := mark(t, s, id, 0, m, "x"); !refused(err) {
			t.Errorf("the console, %s: %v", m, err)
		}
	}
	if err := mark(t, s, id, zhou.ID, correction.ReviewAnswered, "x"); !refused(err) {
		t.Errorf("answered by another: %v", err)
	}
	must(t, mark(t, s, id, zhou.ID, correction.ReviewQueried, "why"))
	must(t, mark(t, s, id, lin.ID, correction.ReviewAnswered, "so"))
	c, err := s.Correction(t.Context(), id)
	must(t, err)
	// A review is no step, and no step is a review.
	err = s.Append(t.Context(), id, correction.Applied, c.Last().N, correction.Event{State: correction.NotApplied, At: t0, ActorID: zhou.ID, Detail: correction.Detail{Review: correction.ReviewFine}})
	if !refused(err) {
		t.Errorf("a review that moves: %v", err)
	}
	rows, err := s.Questions(t.Context(), lin.ID, 10)
	must(t, err)
	equal(t, "questions", len(rows), 0)
	must(t, mark(t, s, id, zhou.ID, correction.ReviewQueried, "why then"))
	rows, err = s.Questions(t.Context(), lin.ID, 10)
	must(t, err)
	if len(rows) != 1 || rows[0].ID != id || rows[0].Asked.Detail.Text != "why then" || rows[0].Asked.ActorName != "Name of zhou" || rows[0].Ref != ref("A1") {
		t.Errorf("questions: %+v", rows)
	}
	rows, err = s.Questions(t.Context(), zhou.ID, 10)
	must(t, err)
	equal(t, "somebody else's questions", len(rows), 0)
}

func TestReviewList_PartsByScopeDayAndKey(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, zhou := person(t, s, "lin", correction.Agent), person(t, s, "zhou", correction.Supervisor)
	other := ref("B")
	other.SubMchID = "1900000200"
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	var open []int64
	for i := range 5 {
		open = append(open, ended1(t, s, lin.ID, ref(fmt.Sprintf("A%d", i)), day.Add(time.Duration(i)*time.Hour), correction.Applied, correction.FlagShare, correction.FlagFast))
	}
	elsewhere := ended1(t, s, lin.ID, other, day, correction.Applied, correction.FlagSampled)
	plain := ended1(t, s, lin.ID, ref("P1"), day, correction.Applied)
	declined := ended1(t, s, lin.ID, ref("P2"), day.AddDate(0, 0, 1), correction.Declined)
	ended1(t, s, lin.ID, ref("P3"), day, correction.Expiry)
	ended1(t, s, lin.ID, ref("U1"), day, correction.Unknown, correction.FlagZero) // flagged, and not at its end
	answered := ended1(t, s, lin.ID, ref("Q1"), day, correction.Applied)
	must(t, mark(t, s, answered, zhou.ID, correction.ReviewQueried, "why"))
	must(t, mark(t, s, answered, lin.ID, correction.ReviewAnswered, "so"))
	queried := ended1(t, s, lin.ID, ref("Q2"), day, correction.Applied, correction.FlagShare)
	must(t, mark(t, s, queried, zhou.ID, correction.ReviewQueried, "why"))
	fine := ended1(t, s, lin.ID, ref("F1"), day, correction.Applied, correction.FlagShare)
	must(t, mark(t, s, fine, zhou.ID, correction.ReviewFine, ""))
	wrong := ended1(t, s, lin.ID, ref("W1"), day, correction.NotApplied)
	must(t, mark(t, s, wrong, zhou.ID, correction.ReviewWrong, "no"))

	all := correction.Scope{All: true}
	ids := func(q correction.ReviewQuery) []int64 {
		t.Helper()
		var out []int64
		q.Limit = 2
		for {
			rows, more, err := s.ReviewList(t.Context(), q)
			must(t, err)
			for _, r := range rows {
				out = append(out, r.ID)
			}
			if !more {
				break
			}
			q.Before = rows[len(rows)-1].ID
		}
		q.Limit = 100
		q.Before = 0
		n, err := s.ReviewCount(t.Context(), q)
		must(t, err)
		equal(t, "count of "+string(q.Tab), n, len(out))
		return out
	}
	for _, c := range []struct {
		name string
		q    correction.ReviewQuery
		want []int64
	}{
		{"open", correction.ReviewQuery{Scope: all, Tab: correction.TabOpen}, []int64{answered, elsewhere, open[4], open[3], open[2], open[1], open[0]}},
		{"open of one merchant", correction.ReviewQuery{Scope: correction.Scope{Merchants: []string{"1900000200"}}, Tab: correction.TabOpen}, []int64{elsewhere}},
		{"open of none", correction.ReviewQuery{Tab: correction.TabOpen}, nil},
		{"open of some hours", correction.ReviewQuery{Scope: all, Tab: correction.TabOpen, From: day.Add(time.Hour), To: day.Add(3 * time.Hour)}, []int64{open[2], open[1]}},
		{"queried", correction.ReviewQuery{Scope: all, Tab: correction.TabQueried}, []int64{queried}},
		{"fine", correction.ReviewQuery{Scope: all, Tab: correction.TabFine}, []int64{fine}},
		{"wrong", correction.ReviewQuery{Scope: all, Tab: correction.TabWrong}, []int64{wrong}},
		{"plain", correction.ReviewQuery{Scope: all, Tab: correction.TabPlain}, []int64{declined, plain}},
		{"plain of the next day", correction.ReviewQuery{Scope: all, Tab: correction.TabPlain, From: day.AddDate(0, 0, 1), To: day.AddDate(0, 0, 2)}, []int64{declined}},
	} {
		equal(t, c.name, ids(c.q), c.want)
	}
	rows, _, err := s.ReviewList(t.Context(), correction.ReviewQuery{Scope: all, Tab: correction.TabOpen, Limit: 10})
	must(t, err)
	if r := rows[0]; r.Said.Detail.Review != correction.ReviewAnswered || r.Said.Detail.Text != "so" || r.Said.ActorName != "Name of lin" || !r.Said.At.Equal(t0) || len(r.Flags) != 0 {
		t.Errorf("answered: %+v", r)
	}
	c, err := s.Correction(t.Context(), open[4])
	must(t, err)
	if r := rows[2]; r.N != c.Last().N || len(r.Flags) != 2 || r.Flags[0] != (correction.Flag{Code: correction.FlagShare, Found: 1, Limit: 2}) || len(r.Devices) != 2 || r.AuthorName != "Name of lin" || r.Said.N != 0 {
		t.Errorf("flagged: %+v", r)
	}
	if _, _, err := s.ReviewList(t.Context(), correction.ReviewQuery{Tab: "x", Limit: 1}); err == nil {
		t.Error("there is such a part")
	}
}

func TestReviewList_UsesItsIndexes(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	for tab, index := range map[correction.ReviewTab]string{
		correction.TabOpen: "correction_now_unreviewed", correction.TabQueried: "correction_now_review", correction.TabFine: "correction_now_review",
		correction.TabPlain: "w USING INTEGER PRIMARY KEY (rowid<?)",
	} {
		text, _ := reviewIDs(tab)
		args, err := reviewArgs(correction.ReviewQuery{Scope: correction.Scope{All: true}, Tab: tab}, 10)
		must(t, err)
		rows, err := s.reader.db.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+text, args...)
		must(t, err)
		plan := ""
		for rows.Next() {
			var a, b, c int
			var line string
			must(t, rows.Scan(&a, &b, &c, &line))
			plan += line + "\n"
		}
		must(t, rows.Err())
		rows.Close()
		if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "SCAN c") {
			t.Errorf("%s:\n%s", tab, plan)
		}
	}
}

func TestFlagFacts_CountOtherConfirmedOnesOfTheTime(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
	day := 24 * time.Hour
	make := func(author int64, order string, at time.Time, start, end, reason string, to correction.State) correction.Correction {
		t.Helper()
		c := sample(author, ref(order), at)
		req, err := correction.ParseBody(c.Body)
		must(t, err)
		req.Device = correction.Device{Start: start, End: end}
		c.Body = req.Body()
		c.BodySHA256 = sha256.Sum256(c.Body)
		c.Reason.Code = reason
		c.ID = prepare(t, s, c)
		walk(t, s, c.ID, c.Ref, at, pathTo[to]...)
		return c
	}
	make(lin.ID, "O1", t0.Add(-40*day), "X", "Y", "other", correction.Applied) // too long ago for all
	make(lin.ID, "O2", t0.Add(-20*day), "X", "", "other", correction.Applied)  // of the pair only
	make(lin.ID, "O3", t0.Add(-3*day), "Z", "Y", "timing", correction.Applied)
	make(wu.ID, "O4", t0.Add(-2*day), "Y", "Y", "other", correction.Unknown)
	make(wu.ID, "O", t0.Add(-7*day), "", "", "other", correction.Applied) // at the very limit
	make(wu.ID, "O", t0.Add(-7*day-time.Millisecond), "", "", "other", correction.Applied)
	make(lin.ID, "O5", t0.Add(-day), "X", "Y", "timing", correction.Expiry) // never confirmed
	make(lin.ID, "O6", t0.Add(-day), "X", "Y", "timing", correction.NotApplied)
	make(lin.ID, "O7", t0.Add(-day), "Q", "", "other", correction.Applied)
	make(lin.ID, "O8", t0.Add(-time.Hour), "Q", "", "other", correction.Applied)
	c := make(lin.ID, "O", t0, "X", "Y", "other", correction.Prepared)
	q := correction.FlagQuestion{Again: t0.Add(-7 * day), Pair: t0.Add(-30 * day), Other: 5}
	got, err := s.FlagFacts(t.Context(), c, q)
	must(t, err)
	equal(t, "facts", got, correction.FlagFacts{SameDevice: 2, SameOrder: 1, Pair: 2, Others: 2})
	q.Other = 1
	got, err = s.FlagFacts(t.Context(), c, q)
	must(t, err)
	equal(t, "others of one", got.Others, 1)
	got, err = s.FlagFacts(t.Context(), make(lin.ID, "N", t0, "", "", "other", correction.Prepared), correction.FlagQuestion{Again: t0.Add(-900 * day), Pair: t0.Add(-900 * day)})
	must(t, err)
	equal(t, "no device", got, correction.FlagFacts{})
}

func TestNoteLook_ComingBackIsNoNewLook(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin := person(t, s, "lin", correction.Agent)
	r := ref("A1")
	looked := func(want time.Time) {
		t.Helper()
		at, err := s.LookedAt(t.Context(), lin.ID, r)
		must(t, err)
		equal(t, "looked at", at, want)
	}
	note := func(at time.Time) { t.Helper(); must(t, s.NoteLook(t.Context(), lin.ID, r, at)) }
	note(t0)
	note(t0.Add(29 * time.Minute))
	looked(t0)
	note(t0.Add(30 * time.Minute))
	looked(t0.Add(30 * time.Minute))
	prepare(t, s, sample(lin.ID, r, t0.Add(31*time.Minute)))
	note(t0.Add(32 * time.Minute)) // back to the form
	looked(t0.Add(30 * time.Minute))
	id := prepare(t, s, sample(lin.ID, r, t0.Add(33*time.Minute)))
	walk(t, s, id, r, t0.Add(33*time.Minute), correction.Claimed, correction.Sending, correction.Applied)
	note(t0.Add(35 * time.Minute)) // the next correction begins
	looked(t0.Add(35 * time.Minute))
	note(t0.Add(-time.Hour)) // the clock was set back
	looked(t0.Add(-time.Hour))
	if _, err := s.LookedAt(t.Context(), lin.ID, ref("A2")); !errors.Is(err, correction.ErrNoRow) {
		t.Error(err)
	}
}

func TestDay_CountsEndAtMidnight(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin := person(t, s, "lin", correction.Agent)
	zone := time.FixedZone("CST", 8*3600)
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, zone)
	to := from.AddDate(0, 0, 1)
	now := to.AddDate(0, 0, 2)
	ended1(t, s, lin.ID, ref("A1"), from.Add(-time.Millisecond), correction.Applied)
	ended1(t, s, lin.ID, ref("A2"), from, correction.Applied)
	ended1(t, s, lin.ID, ref("A3"), to.Add(-time.Millisecond), correction.Applied, correction.FlagZero)
	ended1(t, s, lin.ID, ref("A4"), to, correction.Applied)
	ended1(t, s, lin.ID, ref("A5"), from.Add(time.Hour), correction.Prepared)
	ended1(t, s, lin.ID, ref("A6"), from.Add(time.Hour), correction.Awaiting)
	d, err := s.DayCounts(t.Context(), correction.Scope{All: true}, from, to, now)
	must(t, err)
	if d.All != 4 || d.Effective != 2 || d.Reduction != 17800 || d.Flagged != 1 || d.Unreviewed != 4 || d.States[correction.Expiry] != 2 || d.Open[dayclose.OpenFlagged] != 1 || len(d.Open) != 1 {
		t.Errorf("%+v", d)
	}
	d, err = s.DayCounts(t.Context(), correction.Scope{All: true}, from, to, from.Add(time.Hour+5*time.Minute))
	must(t, err)
	if d.Open[dayclose.OpenConfirm] != 1 || d.Open[dayclose.OpenApproval] != 1 {
		t.Errorf("while they wait: %+v", d.Open)
	}
	d, err = s.DayCounts(t.Context(), correction.Scope{Merchants: []string{"1"}}, from, to, now)
	must(t, err)
	equal(t, "of another merchant", d.All, 0)
}

func TestPutDay_OneWinsAndTheRecordIsNotRewritten(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	signer, err := ledger.LoadOrCreateKey(t.TempDir() + "/key")
	must(t, err)
	s.SetSigner(signer)
	lin, zhou := person(t, s, "lin", correction.Agent), person(t, s, "zhou", correction.Supervisor)
	from := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 0, 1)
	id := ended1(t, s, lin.ID, ref("A1"), t0, correction.Applied, correction.FlagZero)
	put := func(n int, action dayclose.DayAction, text string) error {
		cp, err := s.Checkpoint(t.Context())
		if err != nil {
			return err
		}
		return s.PutDay(t.Context(), dayclose.DayRecord{Day: "2026-11-20", N: n, At: t0.Add(time.Hour), ActorID: zhou.ID, SessionID: 3, Action: action, Checkpoint: cp, Text: text}, from, to)
	}
	if err := put(1, dayclose.DayClosed, ""); !errors.Is(err, dayclose.ErrDayOpen) {
		t.Fatalf("closed while something is open: %v", err)
	}
	old, err := s.Checkpoint(t.Context())
	must(t, err)
	must(t, mark(t, s, id, zhou.ID, correction.ReviewFine, ""))
	err = s.PutDay(t.Context(), dayclose.DayRecord{Day: "2026-11-20", N: 1, At: t0, ActorID: zhou.ID, Action: dayclose.DayClosed, Checkpoint: old}, from, to)
	if !errors.Is(err, dayclose.ErrDayMoved) {
		t.Fatalf("a checkpoint of before: %v", err)
	}
	if err := put(1, dayclose.DayReopened, "x"); !errors.Is(err, correction.ErrMoved) {
		t.Fatalf("reopened before it was closed: %v", err)
	}
	const rivals = 20
	errs := make(chan error, rivals)
	var all sync.WaitGroup
	for range rivals {
		all.Go(func() { errs <- put(1, dayclose.DayClosed, "") })
	}
	all.Wait()
	close(errs)
	won := 0
	for err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, correction.ErrMoved):
			t.Error(err)
		}
	}
	equal(t, "closings", won, 1)
	if err := put(2, dayclose.DayClosed, ""); !errors.Is(err, correction.ErrMoved) {
		t.Errorf("closed twice: %v", err)
	}
	if err := put(2, dayclose.DayReopened, ""); err == nil {
		t.Error("reopened without words")
	}
	must(t, put(2, dayclose.DayReopened, "why"))
	must(t, put(3, dayclose.DayClosed, ""))
	list, err := s.DayRecords(t.Context(), "2026-11-20")
	must(t, err)
	if len(list) != 3 || list[0].Counts.Reduction != 8900 || list[0].ActorName != "Name of zhou" || list[0].SessionID != 3 || list[0].Checkpoint.Root() == "" || list[1].Text != "why" || !list[2].At.Equal(t0.Add(time.Hour)) {
		t.Errorf("%+v", list)
	}
	for _, text := range []string{
		`UPDATE day_close SET text = 'x'`, `DELETE FROM day_close`, `INSERT OR REPLACE INTO day_close SELECT * FROM day_close WHERE n = 1`,
	} {
		if _, err := s.writer.db.ExecContext(t.Context(), text); err == nil {
			t.Errorf("%s is done", text)
		}
	}
	var audits int
	must(t, s.reader.row(t.Context(), `SELECT count(*) FROM audit WHERE action IN ('day.closed', 'day.reopened')`).Scan(&audits))
	equal(t, "audits", audits, 3)
}
