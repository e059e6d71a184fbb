package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/insights"
)

// factOf is a fact with its names instead of places, to be compared.
type factOf struct {
	prepared                  int64
	base, reduction           correction.Fen
	merchant, service, reason string
	agent                     int64
	outcome                   insights.Outcome
	wrong, old                bool
	minutes                   int32
	devices                   string
}

// factsOf lists the facts of a period as Facts tells them.
func factsOf(t testing.TB, s *Store, from, to time.Time) []factOf {
	t.Helper()
	var out []factOf
	must(t, s.Facts(t.Context(), from, to, true, func(b *insights.FactBlock) {
		devices := make([]string, len(b.Facts))
		for _, u := range b.Uses {
			devices[u.Fact] += b.Devices[u.Device] + " "
		}
		for i, f := range b.Facts {
			if f.PreparedMS < from.UnixMilli() || f.PreparedMS >= to.UnixMilli() {
				continue
			}
			r := b.Reasons[f.Reason]
			out = append(out, factOf{f.PreparedMS, f.Base, f.Reduction, b.Merchants[f.Merchant], b.Services[f.Service], r.Code + "|" + r.ZH + "|" + r.EN,
				b.Agents[f.Agent], f.Outcome, f.Wrong, f.PaidOld, f.SettledMinutes, devices[i]})
		}
	}))
	return out
}

// factsOfRecord works out the same from whole corrections, one by one.
func factsOfRecord(t testing.TB, s *Store, ids []int64, from, to time.Time) []factOf {
	t.Helper()
	var out []factOf
	for _, id := range ids {
		c, err := s.Correction(t.Context(), id)
		must(t, err)
		outcome, counts := insights.OutcomeOf(c.State)
		if !counts || c.PreparedAt.Before(from) || !c.PreparedAt.Before(to) {
			continue
		}
		f := factOf{prepared: c.PreparedAt.UnixMilli(), base: c.Base.Total, reduction: c.Reduction(), merchant: c.Ref.SubMchID, service: c.Ref.ServiceID,
			reason: c.Reason.Code + "|" + c.Reason.ZH + "|" + c.Reason.EN, agent: c.AuthorID, outcome: outcome, old: c.Settled() == correction.PaidOld, minutes: -1}
		for i, e := range c.Events {
			if e.Detail.Review != "" || i > 0 && e.State != c.Events[i-1].State { // a review is of the state that it was made in
				f.wrong = e.Detail.Review == correction.ReviewWrong
			}
			if e.Detail.Settled == correction.PaidNew && c.Settled() == correction.PaidNew && f.minutes < 0 {
				f.minutes = int32(e.At.Sub(c.PreparedAt) / time.Minute)
			}
		}
		req, err := s.bodyDevices(t.Context(), id)
		must(t, err)
		slices.Sort(req)
		for _, d := range slices.Compact(req) {
			if d != "" {
				f.devices += d + " "
			}
		}
		out = append(out, f)
	}
	return out
}

// bodyDevices are the device ids in the bytes of a correction.
func (s *Store) bodyDevices(ctx context.Context, id int64) ([]string, error) {
	var start, end string
	err := s.reader.row(ctx, `SELECT COALESCE(CAST(body AS TEXT) ->> '$.device.start_device_id', ''), COALESCE(CAST(body AS TEXT) ->> '$.device.end_device_id', '')
		FROM correction WHERE id = ?`, id).Scan(&start, &end)
	return []string{start, end}, err
}

// skipIDs puts a correction on record under an id of its own, so that a few fill
// several blocks.
func skipIDs(t testing.TB, s *Store, r correction.Ref, c correction.Correction, id int64) int64 {
	t.Helper()
	base, _ := c.Base.Snapshot()
	first, err := ledgerEntry(0, 1, c.Events[0])
	must(t, err)
	first.Origin = originFrom(c, base, []byte("[]"))
	must(t, s.write(t.Context(), func(w *writeTx) error {
		_, err := w.insert(t.Context(), id, first)
		return err
	}))
	return id
}

// What is kept always equals the record: random corrections, then random events of any
// of them, and the facts compared with those of whole corrections each time, whether
// they were kept, dropped or never worked out.
func TestFacts_EqualTheRecord(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	seed := chance()
	chance := rand.New(rand.NewPCG(seed, seed))
	defer func() {
		if t.Failed() {
			t.Logf("TEST_SEED=%d", seed)
		}
	}()
	people := []int64{person(t, s, "lin", correction.Agent).ID, person(t, s, "wu", correction.Agent).ID}
	boss := person(t, s, "zhou", correction.Supervisor).ID
	paths := make([]correction.State, 0, len(pathTo))
	for _, st := range correction.States {
		if _, ok := pathTo[st]; ok && st != correction.Approved {
			paths = append(paths, st)
		}
	}
	var ids []int64
	next := int64(1)
	from, to := t0.AddDate(0, 0, -4), t0.AddDate(0, 0, 4)
	kept := 0
	for round := range 200 {
		for range 1 + chance.IntN(2) {
			r := ref("R" + strconv.FormatInt(next, 10))
			r.SubMchID = fmt.Sprint(1900000100 + chance.IntN(3))
			r.ServiceID = fmt.Sprint(500000 + chance.IntN(3))
			c := sample(people[chance.IntN(2)], r, t0.Add(time.Duration(chance.IntN(10*24*60)-5*24*60)*time.Minute))
			c.Reason.Code = []string{"timing", "other"}[chance.IntN(2)]
			c.Reason.EN = []string{"One", "Two"}[chance.IntN(2)]
			next += 1 + int64(chance.IntN(400))
			id := skipIDs(t, s, r, c, next)
			ids = append(ids, id)
			walk(t, s, id, r, c.PreparedAt, pathTo[paths[chance.IntN(len(paths))]]...)
		}
		for range chance.IntN(3) { // later events of any of them
			c, err := s.Correction(t.Context(), ids[chance.IntN(len(ids))])
			must(t, err)
			e := correction.Event{State: c.State, At: c.Last().At.Add(time.Duration(chance.IntN(600)) * time.Minute)}
			switch {
			case c.State.NoEffect() && chance.IntN(2) == 0:
				e.State = correction.AppliedLate
			case c.State.Effective() && c.Settled() == "":
				e.Detail.Settled = []correction.Settlement{correction.PaidNew, correction.PaidOld, correction.StillOpen}[chance.IntN(3)]
			case c.State.Follows(c.State) && c.State != correction.Unknown && c.State != correction.NeedsPerson:
				e.ActorID, e.Detail.Review = boss, []correction.ReviewMark{correction.ReviewFine, correction.ReviewWrong}[chance.IntN(2)]
				e.Detail.Text = "seen"
			default:
				continue
			}
			must(t, s.Append(t.Context(), c.ID, c.State, c.Last().N, e))
		}
		if chance.IntN(3) == 0 {
			_, err := s.RollUp(t.Context(), 1+chance.IntN(20))
			must(t, err)
		}
		a := from.Add(time.Duration(chance.IntN(2000)) * time.Minute)
		b := to.Add(-time.Duration(chance.IntN(2000)) * time.Minute)
		if got, want := factsOf(t, s, a, b), factsOfRecord(t, s, ids, a, b); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: %d facts, want %d\n got %v\nwant %v", round, len(got), len(want), got, want)
		}
		var n int
		must(t, s.reader.row(t.Context(), `SELECT count(*) FROM rollup`).Scan(&n))
		kept = max(kept, n)
	}
	if kept < 5 {
		t.Errorf("at most %d blocks were kept: nothing was tried", kept)
	}
}

// What is worked out before an event and kept after it would be wrong: it is not kept.
func TestFacts_WhatWasReadBeforeAnEventIsNotKept(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin := person(t, s, "lin", correction.Agent).ID
	r := ref("A-1")
	id := prepare(t, s, sample(lin, r, t0))
	walk(t, s, id, r, t0, pathTo[correction.Applied]...)
	old, err := s.workOut(t.Context(), []int64{id / stretchSpan})
	must(t, err)
	must(t, s.Append(t.Context(), id, correction.Applied, 4, correction.Event{State: correction.Applied, At: t0.Add(time.Hour), Detail: correction.Detail{Settled: correction.PaidOld}}))
	must(t, s.keepBlocks(t.Context(), old))
	var n int
	must(t, s.reader.row(t.Context(), `SELECT count(*) FROM rollup`).Scan(&n))
	equal(t, "blocks kept", n, 0)
	facts := factsOf(t, s, t0, t0.Add(time.Hour))
	equal(t, "facts", len(facts), 1)
	equal(t, "paid the old amount", facts[0].old, true)
	must(t, s.reader.row(t.Context(), `SELECT count(*) FROM rollup`).Scan(&n))
	equal(t, "blocks kept once they were read", n, 1)
}

// While many write, what is read is never something that was not so at one moment.
func TestFacts_BesideWriters(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin := person(t, s, "lin", correction.Agent).ID
	const each, writers = 25, 4
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			var err error
			for i := range each {
				r := ref(fmt.Sprintf("W%d-%d", w, i))
				var id int64
				if id, err = s.Prepare(t.Context(), sample(lin, r, t0.Add(time.Duration(i)*time.Second))); err != nil {
					break
				}
				from, n := correction.Prepared, 1
				for _, to := range pathTo[correction.Applied] {
					if err = step(t.Context(), s, id, r, from, n, correction.Event{State: to, At: t0.Add(time.Hour)}); err != nil {
						break
					}
					from, n = to, n+1
				}
			}
			done <- err
		}()
	}
	seen := 0
	for left := writers; left > 0; {
		select {
		case err := <-done:
			must(t, err)
			left--
		default:
		}
		n := len(factsOf(t, s, t0, t0.Add(time.Hour)))
		if n < seen {
			t.Fatalf("%d facts after %d", n, seen)
		}
		seen = n
	}
	equal(t, "facts at the end", len(factsOf(t, s, t0, t0.Add(time.Hour))), each*writers)
}

func TestFacts_DamagedBlockIsWorkedOutAgain(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin := person(t, s, "lin", correction.Agent).ID
	r := ref("A-1")
	walk(t, s, prepare(t, s, sample(lin, r, t0)), r, t0, pathTo[correction.Applied]...)
	want := factsOf(t, s, t0, t0.Add(time.Hour))
	var facts, devices []byte
	must(t, s.reader.row(t.Context(), `SELECT facts, devices FROM rollup`).Scan(&facts, &devices))
	chance := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		cut := slices.Clone(facts)[:chance.IntN(len(facts))]
		_, ok := decodeBlock(cut, devices)
		if ok {
			t.Fatalf("a block of %d of %d bytes was read", len(cut), len(facts))
		}
		wild := slices.Clone(facts)
		wild[chance.IntN(len(wild))] ^= byte(1 << chance.IntN(8))
		decodeBlock(wild, devices) // does not fall over
	}
	must(t, s.write(t.Context(), func(w *writeTx) error {
		_, err := w.exec(t.Context(), `UPDATE rollup SET facts = x'02'`)
		return err
	}))
	equal(t, "facts", factsOf(t, s, t0, t0.Add(time.Hour)), want)
}
