package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"correction-console/internal/correction"
)

func TestOrder_HolderAndThosePreparing(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	if h, err := s.Holder(t.Context(), ref("A")); err != nil || h != nil {
		t.Errorf("nobody: %v, %v", h, err)
	}
	first := prepare(t, s, sample(u.ID, ref("A"), t0))
	second := prepare(t, s, sample(u.ID, ref("A"), t0.Add(time.Minute)))
	prepare(t, s, sample(u.ID, ref("B"), t0))
	prepare(t, s, sample(u.ID, correction.Ref{SubMchID: "77", OutOrderNo: "A"}, t0))
	for at, want := range map[time.Duration][]int64{
		0: {second, first}, 10*time.Minute - time.Millisecond: {second, first}, 10 * time.Minute: {second}, 11 * time.Minute: nil,
	} {
		list, err := s.Preparing(t.Context(), ref("A"), t0.Add(at))
		must(t, err)
		var got []int64
		for _, h := range list {
			got = append(got, h.CorrectionID)
			equal(t, "name", h.Name, u.Name)
			equal(t, "state", h.State, correction.Prepared)
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %s: got %v, want %v", at, got, want)
		}
	}
	walk(t, s, first, ref("A"), t0, correction.Claimed, correction.Sending, correction.Unknown)
	h, err := s.Holder(t.Context(), ref("A"))
	must(t, err)
	equal(t, "holder", *h, correction.Holder{CorrectionID: first, UserID: u.ID, Name: u.Name, State: correction.Unknown, Since: t0.Add(time.Second)})
}

func TestOrder_LastDeviceIsOfTheLastApplied(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	device := func() correction.Device {
		d, err := s.LastDevice(t.Context(), ref("A"))
		must(t, err)
		return d
	}
	add := func(r correction.Ref, at time.Time, states ...correction.State) correction.Device {
		c := sample(u.ID, r, at)
		walk(t, s, prepare(t, s, c), r, at, states...)
		req, err := correction.ParseBody(c.Body)
		must(t, err)
		return req.Device
	}
	equal(t, "never", device(), correction.Device{})
	add(ref("A"), t0, pathTo[correction.Rejected]...)
	equal(t, "rejected", device(), correction.Device{})
	d := add(ref("A"), t0.Add(time.Minute), pathTo[correction.Applied]...)
	equal(t, "applied", device(), d)
	add(ref("B"), t0.Add(2*time.Minute), pathTo[correction.Applied]...)
	add(ref("A"), t0.Add(3*time.Minute), pathTo[correction.NotApplied]...)
	equal(t, "applied before", device(), d)
	d = add(ref("A"), t0.Add(4*time.Minute), pathTo[correction.Applied]...)
	equal(t, "applied again", device(), d)
}

func TestOrder_LastRefusalEndsWithAnApplied(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	end := func(at time.Time, to correction.State, d correction.Detail) {
		id := prepare(t, s, sample(u.ID, ref("A"), at))
		walk(t, s, id, ref("A"), at, correction.Claimed, correction.Sending)
		must(t, s.Append(t.Context(), id, correction.Sending, 3, correction.Event{State: to, At: at.Add(time.Minute), Detail: d}))
	}
	want := func(what string, want *correction.Refusal) {
		t.Helper()
		got, err := s.LastRefusal(t.Context(), ref("A"))
		must(t, err)
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	want("never", nil)
	end(t0, correction.Rejected, correction.Detail{Obstacle: correction.Deposit})
	want("refused", &correction.Refusal{Obstacle: correction.Deposit, At: t0.Add(time.Minute)})
	end(t0.Add(time.Hour), correction.Rejected, correction.Detail{Obstacle: correction.Charging})
	want("refused again", &correction.Refusal{Obstacle: correction.Charging, At: t0.Add(time.Hour + time.Minute)})
	end(t0.Add(2*time.Hour), correction.NotSent, correction.Detail{})
	want("not sent since", &correction.Refusal{Obstacle: correction.Charging, At: t0.Add(time.Hour + time.Minute)})
	end(t0.Add(3*time.Hour), correction.Applied, correction.Detail{})
	want("applied since", nil)
	end(t0.Add(4*time.Hour), correction.Rejected, correction.Detail{})
	want("refused without a known reason", &correction.Refusal{At: t0.Add(4*time.Hour + time.Minute)})
}

func TestOrder_MerchantsInScope(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	a, b := ref("A"), correction.Ref{SubMchID: "77", ServiceID: "9", OutOrderNo: "A"}
	for _, r := range []correction.Ref{a, b, a, ref("B")} {
		prepare(t, s, sample(u.ID, r, t0))
	}
	for _, tc := range []struct {
		scope correction.Scope
		want  []correction.Ref
	}{
		{correction.Scope{All: true}, []correction.Ref{a, b}},
		{correction.Scope{Merchants: []string{"77"}}, []correction.Ref{b}},
		{correction.Scope{}, nil},
	} {
		got, err := s.MerchantsOfOrder(t.Context(), "A", tc.scope)
		must(t, err)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%+v: got %v, want %v", tc.scope, got, tc.want)
		}
	}
	list, err := s.OfOrder(t.Context(), a, 1)
	must(t, err)
	if len(list) != 1 || list[0].ID != 3 {
		t.Errorf("newest of the order: %+v", list)
	}
}

func TestExpired_ListsTheOverdueOnly(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	first := prepare(t, s, sample(u.ID, ref("A"), t0))
	second := prepare(t, s, sample(u.ID, ref("B"), t0.Add(time.Minute)))
	walk(t, s, prepare(t, s, sample(u.ID, ref("C"), t0)), ref("C"), t0, correction.Withdrawn)
	for _, tc := range []struct {
		at    time.Duration
		limit int
		want  []int64
	}{
		{10*time.Minute - time.Millisecond, 9, nil}, {10 * time.Minute, 9, []int64{first}},
		{11 * time.Minute, 9, []int64{first, second}}, {11 * time.Minute, 1, []int64{first}},
	} {
		got, err := s.Expired(t.Context(), t0.Add(tc.at), tc.limit)
		must(t, err)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%+v: got %v", tc, got)
		}
	}
	ids, err := s.InState(t.Context(), correction.Prepared, correction.Withdrawn)
	must(t, err)
	equal(t, "in two states", len(ids), 3)
}

func TestDrafts_OneForEachPersonAndOrder(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
	d := correction.SavedDraft{UserID: lin.ID, Ref: ref("A"), Form: "a=1", SavedAt: t0}
	must(t, s.SaveDraft(t.Context(), d))
	d.Form, d.SavedAt = "a=2", t0.Add(time.Minute)
	must(t, s.SaveDraft(t.Context(), d))
	got, err := s.Draft(t.Context(), lin.ID, ref("A"))
	must(t, err)
	equal(t, "draft", got, d)
	for _, other := range []struct {
		user int64
		ref  correction.Ref
	}{{wu.ID, ref("A")}, {lin.ID, ref("B")}} {
		if _, err := s.Draft(t.Context(), other.user, other.ref); !errors.Is(err, correction.ErrNoRow) {
			t.Errorf("%+v: %v", other, err)
		}
		must(t, s.DeleteDraft(t.Context(), other.user, other.ref))
	}
	must(t, s.DeleteDraft(t.Context(), lin.ID, ref("A")))
	if _, err := s.Draft(t.Context(), lin.ID, ref("A")); !errors.Is(err, correction.ErrNoRow) {
		t.Errorf("deleted: %v", err)
	}
}

func TestPruneDrafts_DeletesThoseSavedBefore(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin := person(t, s, "lin", correction.Agent)
	const month = 30 * 24 * time.Hour
	for order, saved := range map[string]time.Time{"old": t0.Add(-time.Millisecond), "edge": t0, "new": t0.Add(month), "renewed": t0.Add(-month)} {
		must(t, s.SaveDraft(t.Context(), correction.SavedDraft{UserID: lin.ID, Ref: ref(order), Form: "a=1", SavedAt: saved}))
	}
	must(t, s.SaveDraft(t.Context(), correction.SavedDraft{UserID: lin.ID, Ref: ref("renewed"), Form: "a=2", SavedAt: t0}))
	for _, want := range []int64{1, 0} {
		pruned, err := s.PruneDrafts(t.Context(), t0)
		must(t, err)
		equal(t, "pruned", pruned, want)
	}
	for order, kept := range map[string]bool{"old": false, "edge": true, "new": true, "renewed": true} {
		_, err := s.Draft(t.Context(), lin.ID, ref(order))
		if kept != (err == nil) || !kept && !errors.Is(err, correction.ErrNoRow) {
			t.Errorf("%s: %v", order, err)
		}
	}
}

func TestSnapshot_IsKeptOnce(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	order := correction.Order{SubMchID: "1", OutOrderNo: "A"}
	blob, hash := order.Snapshot()
	if _, err := s.Snapshot(t.Context(), hash); !errors.Is(err, correction.ErrNoRow) {
		t.Errorf("before: %v", err)
	}
	for range 2 {
		must(t, s.SaveSnapshot(t.Context(), hash, blob, t0))
	}
	got, err := s.Snapshot(t.Context(), hash)
	must(t, err)
	equal(t, "blob", string(got), string(blob))
}

// However much a person types, their drafts take so much and no more; what was saved last
// is always there, and other people's are not touched.
func TestDrafts_HaveBoundsAPerson(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
	must(t, s.SaveDraft(t.Context(), correction.SavedDraft{UserID: wu.ID, Ref: ref("WU"), Form: "a=1", SavedAt: t0.Add(-time.Hour)}))
	size := func() (int, int64) {
		t.Helper()
		var n int
		var bytes int64
		must(t, s.reader.row(t.Context(), `SELECT count(*), COALESCE(sum(octet_length(form)), 0) FROM draft`).Scan(&n, &bytes))
		return n - 1, bytes - 3
	}
	save := func(i int, form string, at time.Time) {
		t.Helper()
		order := ref(fmt.Sprintf("D-%d", i))
		must(t, s.SaveDraft(t.Context(), correction.SavedDraft{UserID: lin.ID, Ref: order, Form: form, SavedAt: at}))
		if _, err := s.Draft(t.Context(), lin.ID, order); err != nil {
			t.Fatalf("the draft in hand is gone: %v", err)
		}
	}
	for i := range correction.MaxDrafts + 20 {
		save(i, "note=x", t0.Add(time.Duration(i)*time.Second))
	}
	if n, _ := size(); n != correction.MaxDrafts {
		t.Errorf("%d drafts", n)
	}
	if _, err := s.Draft(t.Context(), lin.ID, ref("D-19")); !errors.Is(err, correction.ErrNoRow) {
		t.Errorf("the oldest: %v", err)
	}
	if _, err := s.Draft(t.Context(), lin.ID, ref("D-20")); err != nil {
		t.Errorf("the oldest that there may be: %v", err)
	}
	large := "note=" + strings.Repeat("长", (correction.MaxDraft-5)/3)
	for i := range 30 {
		save(i, large, t0.Add(time.Hour+time.Duration(i)*time.Second))
	}
	if n, bytes := size(); bytes > correction.MaxDraftBytes || n < correction.MaxDraftBytes/correction.MaxDraft {
		t.Errorf("%d drafts of %d bytes", n, bytes)
	}
	save(500, large, t0.Add(-time.Hour)) // the clock was set back
	if _, bytes := size(); bytes > correction.MaxDraftBytes {
		t.Errorf("%d bytes after the clock was set back", bytes)
	}
	if _, err := s.Draft(t.Context(), wu.ID, ref("WU")); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
}
