package correction

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// lowering is a correction from base to target with a reason.
func lowering(base, target Fen, reason string) Correction {
	return Correction{ID: 7, Base: Order{Total: base, HasTotal: true}, Target: target, Reason: Reason{Code: reason}}
}

func TestFlags_EachAtItsBoundaries(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("CST", 8*3600)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, zone) // a Monday
	at := func(hour, minute, second, ms int) time.Time {
		return time.Date(2026, 11, 23, hour, minute, second, ms*1_000_000, zone)
	}
	per := func(f Fen) Limit { return Limit{Per: &f} }
	always := Hours{{0, 1440}, {0, 1440}, {0, 1440}, {0, 1440}, {0, 1440}, {0, 1440}, {0, 1440}}
	day := always
	day[time.Monday] = Span{480, 1320}
	free := always
	free[time.Monday] = Span{}
	plain := lowering(10000, 9000, "timing")
	for _, c := range []struct {
		name   string
		rules  FlagRules
		c      Correction
		facts  FlagFacts
		hours  Hours
		own    Limit
		looked time.Time
		now    time.Time
		drawn  bool
		want   []Flag
	}{
		{name: "to zero", rules: FlagRules{Zero: true}, c: lowering(10000, 0, "x"), want: []Flag{{Code: FlagZero}}},
		{name: "to one fen", rules: FlagRules{Zero: true}, c: lowering(10000, 1, "x")},
		{name: "zero is off", c: lowering(10000, 0, "x")},

		{name: "exactly half", rules: FlagRules{SharePermille: 500}, c: lowering(10000, 5000, "x")},
		{name: "a fen more than half", rules: FlagRules{SharePermille: 500}, c: lowering(10000, 4999, "x"), want: []Flag{{FlagShare, 500, 500}}},
		{name: "share of a large order", rules: FlagRules{SharePermille: 1}, c: lowering(99999999999, 99900000000-1, "x"), want: []Flag{{FlagShare, 1, 1}}},
		{name: "share is off", c: lowering(10000, 1, "x")},

		{name: "5 % under the limit", rules: FlagRules{NearPermille: 50}, c: lowering(30000, 30000-19000, "x"), own: per(20000), want: []Flag{{FlagNear, 1000, 20000}}},
		{name: "a fen more under it", rules: FlagRules{NearPermille: 50}, c: lowering(30000, 30000-18999, "x"), own: per(20000)},
		{name: "at the limit", rules: FlagRules{NearPermille: 50}, c: lowering(30000, 10000, "x"), own: per(20000), want: []Flag{{FlagNear, 0, 20000}}},
		{name: "above the limit", rules: FlagRules{NearPermille: 50}, c: lowering(30000, 9999, "x"), own: per(20000)},
		{name: "no limit", rules: FlagRules{NearPermille: 50}, c: lowering(30000, 10000, "x")},
		{name: "a limit of nothing", rules: FlagRules{NearPermille: 50}, c: lowering(30000, 10000, "x"), own: per(0)},

		{name: "same device", rules: FlagRules{AgainDays: 7}, c: plain, facts: FlagFacts{SameDevice: 2}, want: []Flag{{FlagDevice, 3, 7}}},
		{name: "same order", rules: FlagRules{AgainDays: 7}, c: plain, facts: FlagFacts{SameOrder: 1}, want: []Flag{{FlagOrder, 2, 7}}},
		{name: "nothing again", rules: FlagRules{AgainDays: 7}, c: plain},
		{name: "again is off", c: plain, facts: FlagFacts{SameDevice: 2, SameOrder: 2}},

		{name: "a minute before opening", rules: FlagRules{OutsideHours: true}, c: plain, hours: day, now: at(7, 59, 59, 999), want: []Flag{{FlagHours, 479, 0}}},
		{name: "opening", rules: FlagRules{OutsideHours: true}, c: plain, hours: day, now: at(8, 0, 0, 0)},
		{name: "before closing", rules: FlagRules{OutsideHours: true}, c: plain, hours: day, now: at(21, 59, 59, 999)},
		{name: "closing", rules: FlagRules{OutsideHours: true}, c: plain, hours: day, now: at(22, 0, 0, 0), want: []Flag{{FlagHours, 1320, 0}}},
		{name: "a free day", rules: FlagRules{OutsideHours: true}, c: plain, hours: free, now: at(0, 0, 0, 0), want: []Flag{{FlagHours, 0, 0}}},
		{name: "the last moment of a free day", rules: FlagRules{OutsideHours: true}, c: plain, hours: free, now: at(23, 59, 59, 999), want: []Flag{{FlagHours, 1439, 0}}},
		{name: "midnight after a free day", rules: FlagRules{OutsideHours: true}, c: plain, hours: free, now: at(24, 0, 0, 0)},
		{name: "hours are off", c: plain, hours: free, now: at(23, 0, 0, 0)},

		{name: "9.999 s", rules: FlagRules{FastSeconds: 10}, c: plain, looked: noon.Add(-9999 * time.Millisecond), want: []Flag{{FlagFast, 9, 10}}},
		{name: "10 s", rules: FlagRules{FastSeconds: 10}, c: plain, looked: noon.Add(-10 * time.Second)},
		{name: "never looked", rules: FlagRules{FastSeconds: 10}, c: plain},
		{name: "looked again later", rules: FlagRules{FastSeconds: 10}, c: plain, looked: noon.Add(time.Second)},

		{name: "third other", rules: FlagRules{OtherRunning: 3}, c: lowering(100, 90, "other"), facts: FlagFacts{Others: 2}, want: []Flag{{FlagOther, 3, 3}}},
		{name: "second other", rules: FlagRules{OtherRunning: 3}, c: lowering(100, 90, "other"), facts: FlagFacts{Others: 1}},
		{name: "another reason", rules: FlagRules{OtherRunning: 3}, c: plain, facts: FlagFacts{Others: 9}},
		{name: "each other", rules: FlagRules{OtherRunning: 1}, c: lowering(100, 90, "other"), want: []Flag{{FlagOther, 1, 1}}},

		{name: "third of the pair", rules: FlagRules{PairCount: 3, PairDays: 30}, c: plain, facts: FlagFacts{Pair: 2}, want: []Flag{{FlagPair, 3, 30}}},
		{name: "second of the pair", rules: FlagRules{PairCount: 3, PairDays: 30}, c: plain, facts: FlagFacts{Pair: 1}},

		{name: "drawn", rules: FlagRules{SamplePermille: 100}, c: plain, drawn: true, want: []Flag{{FlagSampled, 0, 100}}},
		{name: "flagged, so not drawn", rules: FlagRules{Zero: true, SamplePermille: 100}, c: lowering(100, 0, "x"), drawn: true, want: []Flag{{Code: FlagZero}}},
		{
			name: "several", rules: DefaultFlagRules, c: lowering(10000, 0, "other"), facts: FlagFacts{SameDevice: 1, SameOrder: 1, Pair: 2, Others: 2}, hours: free, own: per(10000),
			looked: noon.Add(-8 * time.Second), drawn: true,
			want: []Flag{{Code: FlagZero}, {FlagShare, 1000, 500}, {FlagNear, 0, 10000}, {FlagDevice, 2, 7}, {FlagOrder, 2, 7}, {FlagHours, 720, 0}, {FlagFast, 8, 10}, {FlagOther, 3, 3}, {FlagPair, 3, 30}},
		},
	} {
		now := c.now
		if now.IsZero() {
			now = noon
		}
		if got := c.rules.Flags(c.c, c.facts, c.hours, Headroom{Limit: c.own}, c.looked, now, c.drawn); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestFlags_StayAsTheyWereThen(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(Detail{Flags: []Flag{{Code: FlagZero}, {FlagShare, 769, 500}}})
	if err != nil || string(raw) != `{"flags":[{"code":"zero"},{"code":"share","found":769,"limit":500}]}` {
		t.Fatalf("%s, %v", raw, err)
	}
}

func TestDrawn_IsTheSameAgainAndCloseToItsShare(t *testing.T) {
	t.Parallel()
	key := []byte(strings.Repeat("k", 32))
	day := DayKey(key, "2026-11-23")
	if !slices.Equal(day, DayKey(key, "2026-11-23")) || slices.Equal(day, DayKey(key, "2026-11-24")) || slices.Equal(day, DayKey([]byte(strings.Repeat("l", 32)), "2026-11-23")) {
		t.Fatal("the key of a day is that of the key and the day")
	}
	drawn := map[int64]bool{}
	for id := range int64(20000) {
		drawn[id] = Drawn(day, id, 100)
		if Drawn(day, id, 0) || Drawn(day, id, -1) || !Drawn(day, id, 1000) {
			t.Fatal("none in a thousand draws one, or all leaves one out")
		}
		if drawn[id] && !Drawn(day, id, 101) {
			t.Fatal("a larger sample leaves out what a smaller one draws")
		}
	}
	n, other := 0, 0
	for id, on := range drawn {
		if on != Drawn(day, id, 100) {
			t.Fatalf("%d is drawn once and not again", id)
		}
		if on {
			n++
			if Drawn(DayKey(key, "2026-11-24"), id, 100) {
				other++
			}
		}
	}
	if n < 1850 || n > 2150 { // 2000 ± 3.5 standard deviations
		t.Errorf("%d of 20000 are drawn at 100 in a thousand", n)
	}
	if other > n/5 {
		t.Errorf("%d of %d are drawn on another day, too", other, n)
	}
	// Anybody who holds the key can draw again: these are fixed for good.
	var ids []int64
	for id := int64(1); len(ids) < 5; id++ {
		if Drawn(day, id, 100) {
			ids = append(ids, id)
		}
	}
	if want := []int64{9, 12, 15, 25, 29}; !slices.Equal(ids, want) {
		t.Errorf("drawn: %v, want %v", ids, want)
	}
}

func TestHours_AreThoseOfTheZoneShown(t *testing.T) {
	t.Parallel()
	shanghai := time.FixedZone("CST", 8*3600)
	s := &Service{Zone: shanghai}
	for _, c := range []struct {
		at       time.Time
		day      string
		from, to string
	}{
		{time.Date(2026, 11, 23, 15, 59, 59, 999_000_000, time.UTC), "2026-11-23", "2026-11-22T16:00:00Z", "2026-11-23T16:00:00Z"},
		{time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC), "2026-11-24", "2026-11-23T16:00:00Z", "2026-11-24T16:00:00Z"},
	} {
		if got := s.DayName(c.at); got != c.day {
			t.Errorf("%v is of %s, want %s", c.at, got, c.day)
		}
		from, to, ok := s.DayOf(c.day)
		if !ok || from.UTC().Format(time.RFC3339) != c.from || to.UTC().Format(time.RFC3339) != c.to || !s.DayStart(c.at).Equal(from) {
			t.Errorf("%s is %v to %v", c.day, from.UTC(), to.UTC())
		}
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	s.Zone = berlin
	for day, hours := range map[string]time.Duration{"2026-03-29": 23, "2026-10-25": 25, "2026-11-23": 24} {
		if from, to, ok := s.DayOf(day); !ok || to.Sub(from) != hours*time.Hour {
			t.Errorf("%s has %v", day, to.Sub(from))
		}
	}
	for _, bad := range []string{"", "2026-2-3", "2026-02-30", "1999-12-31", "9999-01-01", "2026-11-23 "} {
		if _, _, ok := s.DayOf(bad); ok {
			t.Errorf("%q is a day", bad)
		}
	}
}
