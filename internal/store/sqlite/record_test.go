package sqlite

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

func TestPrepare_ReadsBackEveryField(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	must(t, s.PutMerchant(t.Context(), correction.Merchant{SubMchID: ref("").SubMchID, Name: "商户"}))
	must(t, s.PutOffering(t.Context(), correction.Offering{ServiceID: serviceID, Name: "充电宝"}))
	first := prepare(t, s, sample(u.ID, ref("A1"), t0))
	want := sample(u.ID, ref("A2"), t0)
	want.RetryOf = first
	want.Events[0].Detail = correction.Detail{
		Class: correction.Uncertain, Finding: correction.FoundBase, Obstacle: correction.Charging, Cause: "c", Alarm: "a", Status: 500,
		Code: "SYSTEM_ERROR", Message: "系统错误", RequestID: "R-1", TookMS: 3, Reading: &want.Base, ReadMS: 4, Typed: "10.00", SignMS: 5,
	}
	id := prepare(t, s, want)
	if id <= first {
		t.Errorf("ids do not grow: %d after %d", id, first)
	}
	want.ID, want.State, want.AuthorName, want.MerchantName, want.ServiceName = id, correction.Prepared, u.Name, "商户", "充电宝"
	want.Events[0].ActorName = u.Name
	got, err := s.Correction(t.Context(), id)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for i := range reflect.TypeFor[correction.Correction]().NumField() {
		if !reflect.TypeFor[correction.Correction]().Field(i).IsExported() { // not on record
			continue
		}
		if reflect.ValueOf(got).Field(i).IsZero() {
			t.Errorf("field %s is empty: the comparison proves nothing", reflect.TypeFor[correction.Correction]().Field(i).Name)
		}
	}
	if _, err := s.Correction(t.Context(), 99); !errors.Is(err, correction.ErrNoRow) {
		t.Errorf("a correction that does not exist: %v", err)
	}
	retry := sample(u.ID, ref("A2"), t0)
	retry.RetryOf = first
	if _, err := s.Prepare(t.Context(), retry); !errors.Is(err, correction.ErrMoved) {
		t.Errorf("a second retry: %v", err)
	}
}

func TestPrepare_RefusesWhatDoesNotHold(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	for name, spoil := range map[string]func(*correction.Correction){
		"body hash":       func(c *correction.Correction) { c.Body = append(c.Body, ' ') },
		"base hash":       func(c *correction.Correction) { c.Base.Total++ },
		"target = base":   func(c *correction.Correction) { c.Target = c.Base.Total },
		"target negative": func(c *correction.Correction) { c.Target = -1 },
		"no event":        func(c *correction.Correction) { c.Events = nil },
		"no author":       func(c *correction.Correction) { c.AuthorID = 99 },
		"unknown retry":   func(c *correction.Correction) { c.RetryOf = 99 },
		"no time":         func(c *correction.Correction) { c.ConfirmUntil = c.PreparedAt },
	} {
		c := sample(u.ID, ref("A1"), t0)
		spoil(&c)
		if _, err := s.Prepare(t.Context(), c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, total := range []correction.Fen{0, 9899} {
		c := sample(u.ID, ref("A1"), t0)
		c.Target = total
		prepare(t, s, c)
	}
	rows, _, err := s.Log(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}}, changelog.Page{Limit: 50})
	must(t, err)
	equal(t, "corrections on record", len(rows), 2)
}

func TestClaim_OneOf200Wins(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	const tries = 200
	ids := make([]int64, tries)
	for i := range ids {
		ids[i] = prepare(t, s, sample(u.ID, ref("A1"), t0))
	}
	errs := make([]error, tries)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			errs[i] = s.Claim(t.Context(), id, ref("A1"), correction.Event{State: correction.Claimed, At: t0}, nil)
		})
	}
	wg.Wait()
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			h, err := s.Holder(t.Context(), ref("A1"))
			must(t, err)
			equal(t, "holder", *h, correction.Holder{CorrectionID: ids[i], UserID: u.ID, Name: u.Name, State: correction.Claimed, Since: t0})
		case !errors.Is(err, correction.ErrTaken):
			t.Errorf("%d: %v", i, err)
		}
	}
	equal(t, "winners", won, 1)
	claimed, err := s.InState(t.Context(), correction.Claimed)
	must(t, err)
	equal(t, "claimed", len(claimed), 1)
	prepared, err := s.InState(t.Context(), correction.Prepared)
	must(t, err)
	equal(t, "left as they were", len(prepared), tries-1)
}

func TestClaim_SameCorrection200TimesWinsOnce(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	errs := make([]error, 200)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.Claim(t.Context(), id, ref("A1"), correction.Event{State: correction.Claimed, At: t0}, nil)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, correction.ErrMoved) {
			t.Error(err)
		}
	}
	equal(t, "winners", won, 1)
}

func TestClaim_OfAnotherOrderIsRefused(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	if err := s.Claim(t.Context(), id, ref("A2"), correction.Event{State: correction.Claimed, At: t0}, nil); err == nil {
		t.Error("accepted")
	}
	c, err := s.Correction(t.Context(), id)
	must(t, err)
	equal(t, "state", c.State, correction.Prepared)
}

func TestMarkSending_OnlyOnceAndOnlyFromClaimed(t *testing.T) {
	t.Parallel()
	for _, state := range correction.States {
		s := openTest(t)
		u := person(t, s, "lin", correction.Agent)
		id := prepare(t, s, sample(u.ID, ref("A1"), t0))
		walk(t, s, id, ref("A1"), t0, pathTo[state]...)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.MarkSending(t.Context(), id, correction.Signing{At: t0, Nonce: "n"}, correction.Event{State: correction.Sending, At: t0}, nil)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, correction.ErrMoved) {
				t.Errorf("from %s: %v", state, err)
			}
		}
		want := 0
		if state == correction.Claimed {
			want = 1
		}
		equal(t, "sent from "+string(state), won, want)
	}
}

// Even a claim that nobody recorded does not let an intent in.
func TestMarkSending_NeedsTheEventClaimed(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	_, err := s.writer.db.ExecContext(t.Context(), `INSERT INTO claim VALUES (?, 'A1', ?)`, ref("").SubMchID, id)
	must(t, err)
	if _, err := s.writer.db.ExecContext(t.Context(), `INSERT INTO send VALUES (?, 0, 'n', 'b', 0)`, id); !hasCode(err, codeConstraintByRule) {
		t.Error(err)
	}
}

func TestMarkSending_RecordsTheSignature(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	walk(t, s, id, ref("A1"), t0, correction.Claimed)
	must(t, s.MarkSending(t.Context(), id, correction.Signing{At: t0, Nonce: "abc"}, correction.Event{State: correction.Sending, At: t0}, nil))
	var ms, mono int64
	var nonce, boot string
	must(t, s.reader.row(t.Context(), `SELECT sign_ms, nonce, boot_id, mono_ms FROM send WHERE correction_id = ?`, id).Scan(&ms, &nonce, &boot, &mono))
	equal(t, "sign_ms", ms, t0.UnixMilli())
	equal(t, "nonce", nonce, "abc")
	equal(t, "boot_id", boot, s.boot)
	equal(t, "length of boot_id", len(boot), 32)
	if mono < 0 || mono > time.Since(s.started).Milliseconds() {
		t.Errorf("mono_ms %d", mono)
	}
}

// Every pair of states, by the operations and by SQL on the runtime connection.
func TestEvents_OnlyLegalStepsForAllPairs(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	tried := 0
	for _, from := range correction.States {
		for _, to := range append([]correction.State{"", "nonsense"}, correction.States...) {
			r := ref(fmt.Sprintf("P%d", tried))
			id := prepare(t, s, sample(u.ID, r, t0))
			walk(t, s, id, r, t0, pathTo[from]...)
			n := 1 + len(pathTo[from])
			tried++
			legal := to.Follows(from)
			_, raw := s.writer.db.ExecContext(t.Context(),
				`INSERT INTO event (correction_id, n, state, at_ms, session_row, detail) VALUES (?, ?, ?, 0, 0, '{}')`, id, n+1, to)
			if !legal && raw == nil {
				t.Errorf("%s → %s by SQL: accepted", from, to)
			}
			guarded := to == correction.Sending || from != to && (to == correction.Resolved || to == correction.Approved || to == correction.Declined || to == correction.Returned)
			if legal && !guarded {
				must(t, raw) // it has gone this step, and the operation finds it moved
				if err := step(t.Context(), s, id, r, from, n, correction.Event{State: to, At: t0}); !errors.Is(err, correction.ErrMoved) {
					t.Errorf("%s → %s after another was faster: %v", from, to, err)
				}
				continue
			}
			if guarded && raw == nil {
				t.Errorf("%s → %s by SQL without what it needs: accepted", from, to)
			}
			if err := step(t.Context(), s, id, r, from, n, correction.Event{State: to, At: t0}); legal != (err == nil) {
				t.Errorf("%s → %s: %v", from, to, err)
			}
		}
	}
	t.Logf("%d pairs tried", tried)
}

func TestAppend_FollowsEveryLegalStepAndReleasesTheOrder(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u, second := person(t, s, "lin", correction.Agent), person(t, s, "zhou", correction.Supervisor)
	for i, p := range correction.Transitions() {
		from, to := p[0], p[1]
		if from == "" {
			continue
		}
		r := ref(fmt.Sprintf("L%d", i))
		id := prepare(t, s, sample(u.ID, r, t0))
		walk(t, s, id, r, t0, pathTo[from]...)
		n := 1 + len(pathTo[from])
		who := u
		switch to {
		case correction.Resolved, correction.Approved, correction.Declined, correction.Returned:
			who = second
		}
		e := correction.Event{State: to, At: t0.Add(time.Minute), ActorID: who.ID, SessionID: 3, Detail: correction.Detail{RequestID: "R"}}
		must(t, step(t.Context(), s, id, r, from, n, e))
		c, err := s.Correction(t.Context(), id)
		must(t, err)
		e.N, e.ActorName = n+1, who.Name
		if to == correction.Approved {
			e.Detail.BodySHA256 = hex.EncodeToString(c.BodySHA256[:])
		}
		equal(t, fmt.Sprintf("event %s → %s", from, to), c.Last(), e)
		h, err := s.Holder(t.Context(), r)
		must(t, err)
		if to.Holds() != (h != nil) {
			t.Errorf("%s → %s: holder %v", from, to, h)
		}
		rows, err := s.OfOrder(t.Context(), r, 5)
		must(t, err)
		equal(t, "state in the list", rows[0].State, to)
		since := e.At
		if to == from { // looked after: since when it is in its state
			since = c.Entered().At
		}
		equal(t, "changed at", rows[0].ChangedAt, since)
		equal(t, "request id", rows[0].RequestID, "R")
	}
}

func TestAppend_StaleIsMoved(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	walk(t, s, id, ref("A1"), t0, correction.Claimed, correction.Sending, correction.Unknown)
	for _, tc := range []struct {
		from correction.State
		n    int
		to   correction.State
	}{
		{correction.Unknown, 3, correction.Applied},
		{correction.Unknown, 5, correction.Applied},
		{correction.Unknown, 0, correction.Applied},
		{correction.Sending, 3, correction.Applied},
		{correction.Sending, 4, correction.Applied},
		{correction.Prepared, 1, correction.Withdrawn},
	} {
		if err := s.Append(t.Context(), id, tc.from, tc.n, correction.Event{State: tc.to, At: t0}); !errors.Is(err, correction.ErrMoved) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
	if err := s.Append(t.Context(), 99, correction.Unknown, 4, correction.Event{State: correction.Applied}); !errors.Is(err, correction.ErrMoved) {
		t.Errorf("no such correction: %v", err)
	}
	// Two at once: one is recorded.
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.Append(t.Context(), id, correction.Unknown, 4, correction.Event{State: correction.Unknown, At: t0})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, correction.ErrMoved) {
			t.Error(err)
		}
	}
	equal(t, "recorded", won, 1)
}

// A late outcome must not overwrite what was decided after the order was released.
func TestAppend_NeedsTheClaim(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	for i, from := range []correction.State{correction.Claimed, correction.Sending, correction.Unknown} {
		r := ref(fmt.Sprintf("A%d", i))
		id := prepare(t, s, sample(u.ID, r, t0))
		walk(t, s, id, r, t0, pathTo[from]...)
		withMigrationConn(t, s, `DROP TRIGGER IF EXISTS claim_delete`, fmt.Sprintf(`DELETE FROM claim WHERE correction_id = %d`, id))
		if _, err := s.writer.db.ExecContext(t.Context(), `INSERT INTO send VALUES (?, 0, 'n', 'b', 0)`, id); !hasCode(err, codeConstraintByRule) {
			t.Errorf("an intent without the claim, from %s: %v", from, err)
		}
		to := map[correction.State]correction.State{correction.Claimed: correction.NotSent}[from]
		if to == "" {
			to = correction.Applied
		}
		if err := s.Append(t.Context(), id, from, 1+len(pathTo[from]), correction.Event{State: to, At: t0}); !errors.Is(err, correction.ErrMoved) {
			t.Errorf("from %s: %v", from, err)
		}
	}
}

func TestTransitions_AreTheDomainsAndTheReadersKeepTheNewestRequestID(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	rows, err := s.reader.query(t.Context(), `SELECT from_state, to_state FROM transition`)
	got, err := collect(rows, err, func(r scanner) (string, error) {
		var a, b string
		err := r.Scan(&a, &b)
		return a + "→" + b, err
	})
	must(t, err)
	var want []string
	for _, p := range correction.Transitions() {
		want = append(want, string(p[0]+"→"+p[1]))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	walk(t, s, id, ref("A1"), t0, correction.Claimed, correction.Sending)
	must(t, s.Append(t.Context(), id, correction.Sending, 3, correction.Event{State: correction.Unknown, At: t0, Detail: correction.Detail{RequestID: "R-1"}}))
	must(t, s.Append(t.Context(), id, correction.Unknown, 4, correction.Event{State: correction.Applied, At: t0}))
	list, err := s.OfOrder(t.Context(), ref("A1"), 1)
	must(t, err)
	equal(t, "request id", list[0].RequestID, "R-1")
}

func TestRecord_SurvivesARestart(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	walk(t, s, id, ref("A1"), t0, correction.Claimed, correction.Sending)
	want, err := s.Correction(t.Context(), id)
	must(t, err)
	must(t, s.Close())
	again := openAt(t, s.path)
	got, err := again.Correction(t.Context(), id)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if h, err := again.Holder(t.Context(), ref("A1")); err != nil || h == nil || h.CorrectionID != id {
		t.Errorf("holder %v, %v", h, err)
	}
	if again.boot == s.boot {
		t.Error("both processes have one boot id")
	}
}

func BenchmarkClaimSendAppend(b *testing.B) {
	s := openTest(b)
	must(b, s.AddUser(b.Context(), UserSpec{Username: "lin", Name: "Lin", Role: correction.Agent, All: true}))
	var ids []int64
	for b.Loop() {
		b.StopTimer()
		r := ref(fmt.Sprintf("B%d", len(ids)))
		id := prepare(b, s, sample(1, r, t0))
		ids = append(ids, id)
		b.StartTimer()
		must(b, s.Claim(b.Context(), id, r, correction.Event{State: correction.Claimed, At: t0}, nil))
		must(b, s.MarkSending(b.Context(), id, correction.Signing{At: t0, Nonce: "n"}, correction.Event{State: correction.Sending, At: t0}, nil))
		must(b, s.Append(b.Context(), id, correction.Sending, 3, correction.Event{State: correction.Applied, At: t0}))
	}
}
