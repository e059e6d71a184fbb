package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

const logSeed = 20261120

// history fills a store with n corrections and returns them newest first, built
// without asking the store.
func history(t testing.TB, s *Store, n int, rng *rand.Rand) (rows []correction.Summary, people []auth.User, merchants []string) {
	t.Helper()
	for _, login := range []string{"lin", "wu", "wang", "zhou"} {
		people = append(people, person(t, s, login, correction.Agent))
	}
	names := map[string]string{}
	for i := range 22 {
		id := fmt.Sprint(1900000100 + i)
		merchants = append(merchants, id)
		if i%2 == 0 { // names of the others are not known
			names[id] = fmt.Sprintf("Merchant %d", i)
			must(t, s.PutMerchant(t.Context(), correction.Merchant{SubMchID: id, Name: names[id]}))
		}
	}
	must(t, s.PutOffering(t.Context(), correction.Offering{ServiceID: serviceID, Name: "Service"}))
	for i := range n {
		author := people[rng.IntN(len(people))]
		r := correction.Ref{SubMchID: merchants[rng.IntN(len(merchants))], ServiceID: serviceID, OutOrderNo: fmt.Sprintf("R%d", i)}
		state := correction.States[rng.IntN(len(correction.States))]
		if i%7 == 0 && !state.Holds() { // some orders have more than one correction
			r.OutOrderNo = fmt.Sprintf("S%d", rng.IntN(6))
		}
		// The clock is not always right.
		at := t0.Add(time.Duration(i)*time.Minute + time.Duration(rng.IntN(60)-30)*time.Minute)
		c := sample(author.ID, r, at)
		if c.Target = correction.Fen(rng.IntN(9900)); state == correction.Applied {
			c.Ticket = ""
		}
		id := prepare(t, s, c)
		walk(t, s, id, r, at, pathTo[state]...)
		approver, name := int64(0), ""
		switch state {
		case correction.Approved, correction.Declined, correction.Returned:
			approver, name = 9998, "Supervisor"
		}
		rows = append(rows, correction.Summary{
			ApproverID: approver, ApproverName: name,
			ID: id, Ref: r, MerchantName: names[r.SubMchID], ServiceName: "Service",
			AuthorID: author.ID, AuthorLogin: author.Username, AuthorName: author.Name,
			Reason: c.Reason, Outgoing: c.Reason.Outgoing, Ticket: c.Ticket, Note: c.Note, BaseTotal: c.Base.Total, Target: c.Target,
			State: state, PreparedAt: at, ChangedAt: at.Add(time.Duration(len(pathTo[state])) * time.Second), ConfirmUntil: c.ConfirmUntil,
		})
	}
	s.directories.forget() // people were added past the store
	slices.Reverse(rows)
	return rows, people, merchants
}

// selects is the filter in Go.
func selects(f changelog.LogFilter, r correction.Summary) bool {
	return f.Scope.Allows(r.Ref.SubMchID) &&
		(f.OutOrderNo == "" || f.OutOrderNo == r.Ref.OutOrderNo) &&
		(f.SubMchID == "" || f.SubMchID == r.Ref.SubMchID) &&
		(f.AuthorID == 0 || f.AuthorID == r.AuthorID) &&
		(f.Agent == "" || f.Agent == r.AuthorLogin) &&
		(f.State == "" || f.State == r.State) &&
		(f.From.IsZero() || !r.PreparedAt.Before(f.From)) &&
		(f.To.IsZero() || r.PreparedAt.Before(f.To))
}

func TestLog_PagesEqualAFilterInGo(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", logSeed)
	rng := rand.New(rand.NewPCG(logSeed, 1))
	s := openTest(t)
	all, people, merchants := history(t, s, 500, rng)
	all = named(t, s, all)
	sometimes := func(f func()) {
		if rng.IntN(4) == 0 {
			f()
		}
	}
	filters, pages, nonEmpty := 120, 0, 0
	for i := range filters {
		f := changelog.LogFilter{Scope: correction.Scope{All: true}}
		switch rng.IntN(6) {
		case 0:
			f.Scope = correction.Scope{}
		case 1:
			f.Scope = correction.Scope{Merchants: merchants[:1]}
		case 2:
			f.Scope = correction.Scope{Merchants: []string{merchants[3], merchants[5], merchants[3], merchants[8]}}
		case 3:
			f.Scope = correction.Scope{Merchants: merchants[:17+rng.IntN(5)]}
		}
		sometimes(func() { f.OutOrderNo = fmt.Sprintf("S%d", rng.IntN(8)) })
		sometimes(func() { f.SubMchID = merchants[rng.IntN(len(merchants))] })
		sometimes(func() { f.AuthorID = people[rng.IntN(len(people))].ID })
		sometimes(func() { f.Agent = []string{"lin", "wu", "wang", "zhou", "nobody"}[rng.IntN(5)] })
		sometimes(func() { f.State = correction.States[rng.IntN(len(correction.States))] })
		sometimes(func() { f.From = all[rng.IntN(len(all))].PreparedAt })
		sometimes(func() { f.To = all[rng.IntN(len(all))].PreparedAt })
		var want []correction.Summary
		for _, r := range all {
			if selects(f, r) {
				want = append(want, r)
			}
		}
		if len(want) > 0 {
			nonEmpty++
		}
		limit := 1 + rng.IntN(60)
		page := func(p changelog.Page, want []correction.Summary, wantMore bool) {
			t.Helper()
			p.Limit = limit
			got, more, err := s.Log(t.Context(), f, p)
			must(t, err)
			pages++
			if !slices.Equal(got, want) || more != wantMore {
				t.Fatalf("filter %d %+v page %+v:\ngot  %v %v\nwant %v %v", i, f, p, got, more, want, wantMore)
			}
		}
		for from := 0; ; from += limit {
			p := changelog.Page{}
			if from > 0 {
				p.Before = want[from-1].ID
			}
			to := min(from+limit, len(want))
			page(p, want[from:to], to < len(want))
			if to == len(want) {
				break
			}
		}
		for to := len(want) - 1; to >= 0; to -= limit {
			from := max(0, to-limit)
			page(changelog.Page{After: want[to].ID}, want[from:to], from > 0)
		}
		var exported []correction.Summary
		must(t, s.Export(t.Context(), f, changelog.ByTime, eachRow(func(r correction.Summary) error {
			exported = append(exported, asListed(t, s, r))
			return nil
		})))
		if !slices.Equal(exported, want) {
			t.Fatalf("export of filter %d %+v:\ngot  %v\nwant %v", i, f, exported, want)
		}
	}
	t.Logf("%d filters (%d with rows), %d pages", filters, nonEmpty, pages)
	if nonEmpty < filters/4 {
		t.Error("too few filters select anything")
	}
}

func TestExport_StopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	history(t, s, 5, rand.New(rand.NewPCG(logSeed, 2)))
	stop := errors.New("stop")
	n := 0
	err := s.Export(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}}, changelog.ByTime, eachRow(func(correction.Summary) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	}))
	if !errors.Is(err, stop) || n != 2 {
		t.Errorf("%v after %d", err, n)
	}
}

func TestAttention_ListsWhatNeedsSomebody(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
	now := t0.Add(48 * time.Hour)
	add := func(author int64, r correction.Ref, at time.Time, states ...correction.State) int64 {
		id := prepare(t, s, sample(author, r, at))
		walk(t, s, id, r, at, states...)
		return id
	}
	recent, old := now.Add(-23*time.Hour), now.Add(-25*time.Hour)
	unknown := add(lin.ID, ref("A"), old, pathTo[correction.Unknown]...)
	add(lin.ID, ref("B"), old, pathTo[correction.Rejected]...)
	add(lin.ID, ref("C"), recent, pathTo[correction.Stale]...) // superseded below
	rejected := add(lin.ID, ref("D"), recent, pathTo[correction.Rejected]...)
	add(lin.ID, ref("C"), recent, pathTo[correction.Applied]...)
	conflict := add(lin.ID, ref("E"), recent, pathTo[correction.NeedsPerson]...)
	waiting := add(lin.ID, ref("F"), now.Add(-time.Minute))
	add(lin.ID, ref("F"), now.Add(-10*time.Minute)) // its time is over
	sending := add(lin.ID, ref("G"), recent, pathTo[correction.Sending]...)
	claimed := add(lin.ID, ref("H"), recent, pathTo[correction.Claimed]...)
	stale := add(lin.ID, ref("I"), recent, pathTo[correction.Stale]...)
	notSent := add(lin.ID, ref("J"), recent, pathTo[correction.NotSent]...)
	notApplied := add(lin.ID, ref("K"), recent, pathTo[correction.NotApplied]...)
	add(lin.ID, ref("L"), recent, pathTo[correction.Withdrawn]...)
	add(lin.ID, ref("M"), recent, pathTo[correction.Expiry]...)
	wus := add(wu.ID, ref("N"), recent, pathTo[correction.Unknown]...)
	other := correction.Ref{SubMchID: "77", OutOrderNo: "N"}
	elsewhere := add(lin.ID, other, recent, pathTo[correction.Rejected]...)

	ids := func(f changelog.LogFilter, limit int) []int64 {
		rows, err := s.Attention(t.Context(), f.Scope, f.AuthorID, 0, now, limit)
		must(t, err)
		var out []int64
		for _, r := range rows {
			out = append(out, r.ID)
		}
		return out
	}
	every := correction.Scope{All: true}
	linAll := []int64{conflict, unknown, elsewhere, notApplied, notSent, stale, claimed, sending, waiting, rejected}
	for _, tc := range []struct {
		f     changelog.LogFilter
		limit int
		want  []int64
	}{
		{changelog.LogFilter{Scope: every}, 50, append([]int64{wus}, linAll...)},
		{changelog.LogFilter{Scope: every, AuthorID: lin.ID}, 50, linAll},
		{changelog.LogFilter{Scope: every}, 2, []int64{wus, conflict}},
		{changelog.LogFilter{Scope: correction.Scope{Merchants: []string{"77"}}}, 50, []int64{elsewhere}},
		{changelog.LogFilter{}, 50, nil},
	} {
		if got := ids(tc.f, tc.limit); !slices.Equal(got, tc.want) {
			t.Errorf("%+v: got %v, want %v", tc.f, got, tc.want)
		}
	}
}

func TestAuthors_AreThoseInScope(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
	person(t, s, "zhou", correction.Supervisor)
	prepare(t, s, sample(wu.ID, ref("A"), t0))
	prepare(t, s, sample(lin.ID, correction.Ref{SubMchID: "77", OutOrderNo: "B"}, t0))
	for _, tc := range []struct {
		scope correction.Scope
		want  string
	}{
		{correction.Scope{All: true}, "[lin wu]"}, {correction.Scope{Merchants: []string{"77", "78"}}, "[lin]"}, {correction.Scope{}, "[]"},
	} {
		list, err := s.Authors(t.Context(), tc.scope)
		must(t, err)
		logins := []string{}
		for _, a := range list {
			logins = append(logins, a.Login)
			if a.ID == 0 || a.Name != "Name of "+a.Login {
				t.Errorf("%+v", a)
			}
		}
		equal(t, fmt.Sprint(tc.scope), fmt.Sprint(logins), tc.want)
	}
}

func BenchmarkLog(b *testing.B) {
	s := openTest(b)
	rng := rand.New(rand.NewPCG(logSeed, 3))
	_, _, merchants := history(b, s, 3000, rng)
	for name, f := range map[string]changelog.LogFilter{
		"newest":   {Scope: correction.Scope{All: true}},
		"scope":    {Scope: correction.Scope{Merchants: merchants[:3]}},
		"unknown":  {Scope: correction.Scope{All: true}, State: correction.Unknown},
		"dates":    {Scope: correction.Scope{All: true}, From: t0, To: t0.Add(24 * time.Hour)},
		"merchant": {Scope: correction.Scope{All: true}, SubMchID: merchants[0]},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _, err := s.Log(b.Context(), f, changelog.Page{Limit: 50})
				must(b, err)
			}
		})
	}
}

// Exports that are taken in slowly hold up no page and no other export.
func TestExport_HoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	history(t, s, 40, rand.New(rand.NewPCG(1, 2)))
	every := changelog.LogFilter{Scope: correction.Scope{All: true}}
	release := make(chan struct{})
	var started, done sync.WaitGroup
	for range 2 * exportReads.links {
		started.Add(1)
		first := sync.OnceFunc(started.Done)
		done.Go(func() {
			must(t, s.Export(t.Context(), every, changelog.ByTime, func([]correction.Summary) error {
				first()
				<-release
				return nil
			}))
		})
	}
	started.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range readers + 1 {
		if rows, _, err := s.Log(ctx, every, changelog.Page{Limit: 5}); err != nil || len(rows) == 0 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
	}
	rows := 0
	must(t, s.Export(ctx, every, changelog.ByTime, func(portion []correction.Summary) error {
		rows += len(portion)
		return nil
	}))
	equal(t, "rows of another export", rows, 40)
	close(release)
	done.Wait()
}

// What is kept of corrections may be dropped at any moment; a page is whole all the
// same.
func TestLog_PageIsWholeWhenTheCacheOverflows(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	history(t, s, 60, rand.New(rand.NewPCG(3, 4)))
	every := changelog.LogFilter{Scope: correction.Scope{All: true}}
	want, _, err := s.Log(t.Context(), every, changelog.Page{Limit: 50})
	must(t, err)
	s.facts.mu.Lock()
	for i, r := range want {
		if i%2 == 0 {
			delete(s.facts.byID, r.ID)
		}
	}
	for i := range knownFacts - len(s.facts.byID) {
		s.facts.byID[int64(1_000_000+i)] = correction.Summary{}
	}
	s.facts.mu.Unlock()
	got, _, err := s.Log(t.Context(), every, changelog.Page{Limit: 50})
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("the page changed:\n%v\n%v", got, want)
	}
}
