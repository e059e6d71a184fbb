package insights

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"correction-console/internal/correction"
)

// figuresBySorting works out the same figures from the facts themselves.
func figuresBySorting(facts []Fact) Figures {
	var f Figures
	var reductions []correction.Fen
	var shares []int
	var minutes []int32
	for _, x := range facts {
		switch x.Outcome {
		case WasDeclined:
			f.Declined++
		case IsUnknown:
			f.Unknown++
		case IsConflict:
			f.Conflicts++
		case WasRejected:
			f.Rejected++
		case WasNotApplied:
			f.NotApplied++
		case WasNotSent:
			f.NotSent++
		}
		if x.Outcome != Effective {
			continue
		}
		f.Count++
		f.Sum, f.Base = f.Sum+x.Reduction, f.Base+x.Base
		reductions, shares = append(reductions, x.Reduction), append(shares, correction.Permille(x.Reduction, x.Base))
		if x.Reduction*2 >= x.Base {
			f.Half++
		}
		if x.Reduction == x.Base {
			f.Zeroed++
		}
		if x.Wrong {
			f.Wrong++
		}
		if x.PaidOld {
			f.PaidOld++
			f.PaidOldSum += x.Reduction
		}
		if x.SettledMinutes >= 0 {
			f.Settled++
			minutes = append(minutes, x.SettledMinutes)
		}
	}
	slices.Sort(reductions)
	slices.Sort(shares)
	slices.Sort(minutes)
	if n := len(reductions); n > 0 {
		f.Median, f.MedianShare = reductions[(n-1)/2], shares[(n-1)/2]
	}
	if n := len(minutes); n > 0 {
		f.SettledIn = time.Duration(minutes[(n-1)/2]) * time.Minute
	}
	return f
}

func randomBlock(chance *rand.Rand, n int, from, to time.Time) *FactBlock {
	b := &FactBlock{Merchants: []string{"m0", "m1", "m2"}, Services: []string{"s0", "s1"}, Agents: []int64{3, 4, 5}}
	for _, code := range []string{"r0", "r1"} {
		b.Reasons = append(b.Reasons, correction.Reason{Code: code, ZH: code, EN: code})
	}
	for i := range 50 {
		b.Devices = append(b.Devices, "d"+strconv.Itoa(i))
	}
	for i := range n {
		f := Fact{
			PreparedMS: from.UnixMilli() + chance.Int64N(to.UnixMilli()-from.UnixMilli()), Base: 1 + correction.Fen(chance.IntN(5000)),
			SettledMinutes: int32(chance.IntN(5000)) - 1, Outcome: Outcome(1 + chance.IntN(int(WasNotSent))),
			Merchant: uint16(chance.IntN(3)), Service: uint16(chance.IntN(2)), Reason: uint16(chance.IntN(2)), Agent: uint16(chance.IntN(3)),
			Wrong: chance.IntN(9) == 0, PaidOld: chance.IntN(9) == 0,
		}
		if chance.IntN(50) == 0 {
			f.Base = 1_000_000_000 + correction.Fen(chance.IntN(5)) // above what is counted page by page
		}
		f.Reduction = 1 + correction.Fen(chance.Int64N(int64(f.Base)))
		if chance.IntN(9) == 0 {
			f.Reduction = f.Base
		}
		b.Facts = append(b.Facts, f)
		for range chance.IntN(3) {
			b.Uses = append(b.Uses, DeviceUse{Fact: uint16(i), Device: uint16(chance.IntN(50))})
		}
	}
	return b
}

// The figures of every group equal those made by sorting the facts of the group.
func TestTallies_EqualWhatSortingGives(t *testing.T) {
	t.Parallel()
	seed := uint64(20261127)
	chance := rand.New(rand.NewPCG(seed, seed))
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 0, 20)
	for round := range 60 {
		scope := correction.Scope{All: round%2 == 0, Merchants: []string{"m1"}}
		starts, _ := StretchesOf(from, to)
		got := newTallies(scope, starts)
		var inside []Fact
		blocks := []*FactBlock{randomBlock(chance, chance.IntN(700), from.AddDate(0, 0, -2), to.AddDate(0, 0, 2)), randomBlock(chance, chance.IntN(30), from, to)}
		byDevice := map[string][]Fact{}
		for _, b := range blocks {
			got.add(b)
			keep := func(f Fact) bool {
				at := time.UnixMilli(f.PreparedMS)
				return !at.Before(from) && at.Before(to) && scope.Allows(b.Merchants[f.Merchant])
			}
			for _, f := range b.Facts {
				if keep(f) {
					inside = append(inside, f)
				}
			}
			for _, u := range b.Uses {
				if f := b.Facts[u.Fact]; keep(f) {
					byDevice[b.Devices[u.Device]] = append(byDevice[b.Devices[u.Device]], f)
				}
			}
		}
		check := func(what string, got Figures, keep func(Fact) bool) {
			t.Helper()
			var facts []Fact
			for _, f := range inside {
				if keep(f) {
					facts = append(facts, f)
				}
			}
			if want := figuresBySorting(facts); got != want {
				t.Fatalf("round %d, %s:\n got %+v\nwant %+v", round, what, got, want)
			}
		}
		check("total", got.total.figures(), func(Fact) bool { return true })
		for i := range got.stretches {
			check("day", got.stretches[i].figures(), func(f Fact) bool {
				return f.PreparedMS >= starts[i].UnixMilli() && f.PreparedMS < starts[i+1].UnixMilli()
			})
		}
		for i, id := range blocks[0].Agents {
			check("agent", got.agents[id].figures(), func(f Fact) bool { return int(f.Agent) == i })
		}
		for i, id := range blocks[0].Merchants {
			check("merchant", got.merchants[id].figures(), func(f Fact) bool { return int(f.Merchant) == i })
		}
		for i, id := range blocks[0].Services {
			check("service", got.services[id].figures(), func(f Fact) bool { return int(f.Service) == i })
		}
		for i, r := range blocks[0].Reasons {
			check("reason", got.reasons[r.Code].figures(), func(f Fact) bool { return int(f.Reason) == i })
		}
		top := got.topDevices()
		counted := map[string]bool{}
		for _, g := range top {
			if g.Others == 0 {
				counted[g.Key] = true
				if want := figuresBySorting(byDevice[g.Key]); g.Figures != want {
					t.Fatalf("round %d, device %s:\n got %+v\nwant %+v", round, g.Key, g.Figures, want)
				}
			}
		}
		var rest []Fact
		for d, facts := range byDevice {
			if !counted[d] {
				rest = append(rest, facts...)
			}
		}
		if len(byDevice) > topDevices {
			last := top[len(top)-1]
			if want := figuresBySorting(rest); last.Figures != want || last.Others != len(byDevice)-topDevices {
				t.Fatalf("round %d, other devices:\n got %+v\nwant %+v", round, last, want)
			}
		}
	}
}

func TestMedian_LowerOfTwo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []int64
		want   int64
	}{
		{nil, 0}, {[]int64{7}, 7}, {[]int64{9, 1}, 1}, {[]int64{3, 1, 2}, 2}, {[]int64{4, 1, 3, 2}, 2}, {[]int64{5, 5, 1, 9}, 5},
	} {
		var o occurrences
		for _, v := range c.values {
			o.add(v)
		}
		if got := o.median(); got != c.want {
			t.Errorf("median of %v is %d, want %d", c.values, got, c.want)
		}
	}
}

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// A day has 23 or 25 hours where clocks are changed, and begins when it does.
func TestDays_WhereClocksAreChanged(t *testing.T) {
	t.Parallel()
	berlin := zoneOf(t, "Europe/Berlin")
	for _, c := range []struct {
		day   string
		hours int
	}{{"2026-03-28", 24}, {"2026-03-29", 23}, {"2026-03-30", 24}, {"2026-10-25", 25}, {"2026-10-26", 24}} {
		d, err := time.ParseInLocation(time.DateOnly, c.day, berlin)
		if err != nil {
			t.Fatal(err)
		}
		next := correction.AddDays(d, 1)
		if got := int(next.Sub(d) / time.Hour); got != c.hours || next.Hour() != 0 {
			t.Errorf("%s has %d hours, want %d", c.day, got, c.hours)
		}
	}
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, berlin)
	to := correction.AddDays(from, 31)
	if got := correction.DaysBetween(from, to); got != 31 || to.Format(time.DateOnly) != "2026-04-01" {
		t.Errorf("%d days until %s", got, to)
	}
	starts, step := StretchesOf(from, to)
	if len(starts) != 32 || step != ByDay {
		t.Fatalf("%d starts by %v", len(starts), step)
	}
	for i, s := range starts {
		if s.Hour() != 0 || s.Minute() != 0 || correction.DaysBetween(from, s) != i {
			t.Errorf("day %d begins at %s", i, s)
		}
	}
}

func TestStretches_WeeksAndMonths(t *testing.T) {
	t.Parallel()
	shanghai := zoneOf(t, "Asia/Shanghai")
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, shanghai) }
	text := func(ts []time.Time) (out []string) {
		for _, x := range ts {
			out = append(out, x.Format(time.DateOnly))
		}
		return out
	}
	for _, c := range []struct {
		from  time.Time
		days  int
		step  Step
		bars  int
		first []string
	}{
		{day(2026, 11, 21), 1, ByDay, 1, []string{"2026-11-21", "2026-11-22"}},
		{day(2026, 11, 21), 7, ByDay, 7, []string{"2026-11-21", "2026-11-22"}},
		{day(2026, 9, 1), 62, ByDay, 62, []string{"2026-09-01", "2026-09-02"}},
		{day(2026, 9, 3), 63, ByWeek, 10, []string{"2026-09-03", "2026-09-07", "2026-09-14"}}, // from a Thursday to a Wednesday
		{day(2026, 1, 5), 189, ByWeek, 27, []string{"2026-01-05", "2026-01-12"}},
		{day(2026, 1, 20), 190, ByMonth, 7, []string{"2026-01-20", "2026-02-01", "2026-03-01"}},
		{day(2025, 11, 27), 366, ByMonth, 13, []string{"2025-11-27", "2025-12-01"}},
	} {
		to := correction.AddDays(c.from, c.days)
		starts, step := StretchesOf(c.from, to)
		if step != c.step || len(starts) != c.bars+1 || !starts[len(starts)-1].Equal(to) {
			t.Errorf("%d days from %s: %d bars by %v until %s", c.days, c.from, len(starts)-1, step, starts[len(starts)-1])
		}
		if got := text(starts[:len(c.first)]); !reflect.DeepEqual(got, c.first) {
			t.Errorf("%d days from %s begin %v, want %v", c.days, c.from, got, c.first)
		}
	}
}

func TestOutcomes_CoverWhatCameOfASending(t *testing.T) {
	t.Parallel()
	for _, s := range correction.States {
		o, counts := OutcomeOf(s)
		if s.Effective() != (o == Effective) {
			t.Errorf("%s is %d", s, o)
		}
		if s.NoEffect() && (o != WasRejected && o != WasNotApplied && o != WasNotSent) {
			t.Errorf("%s is %d", s, o)
		}
		if counts == (s == correction.Prepared || s == correction.Expiry || s == correction.Withdrawn || s == correction.Void || s == correction.Awaiting || s == correction.Approved || s == correction.Returned || s == correction.Claimed || s == correction.Stale || s == correction.Sending || s == correction.Resolved) {
			t.Errorf("%s counts: %v", s, counts)
		}
	}
}
