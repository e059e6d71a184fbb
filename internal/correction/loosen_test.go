package correction

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

func bound[T any](v T) *T { return &v }

func TestLooser_Table(t *testing.T) {
	t.Parallel()
	agent := func(l Limit) Settings {
		s := DefaultSettings()
		s.Limits.Roles = map[Role]Limit{Agent: l}
		return s
	}
	person := func(id string, l Limit) Settings {
		s := DefaultSettings()
		s.Limits.People = map[string]Limit{id: l}
		return s
	}
	super := func(l Limit) Settings {
		s := DefaultSettings()
		s.Limits.Roles = map[Role]Limit{Supervisor: l}
		return s
	}
	tiers := func(list ...Tier) Settings {
		s := DefaultSettings()
		s.Tiers = list
		return s
	}
	flags := func(change func(*FlagRules)) Settings {
		s := DefaultSettings()
		change(&s.Flags)
		return s
	}
	hours := func(on bool, h Hours) Settings {
		s := DefaultSettings()
		s.Flags.OutsideHours, s.Hours = on, h
		return s
	}
	named := func(s Settings, name string) Settings {
		s.Reasons = append([]Reason{{Code: name, ZH: name, EN: name}}, s.Reasons...)
		return s
	}
	none := DefaultSettings()
	long, short := DefaultHours, DefaultHours
	long[0].Until, short[0] = 1440, Span{}
	people := []Person{{ID: 1, Role: Agent}, {ID: 2, Role: Supervisor}, {ID: 3, Role: Auditor}}
	for _, c := range []struct {
		name          string
		before, after Settings
		looser, back  bool // and the other way round
	}{
		{"nothing", none, none, false, false},
		{"a first limit", none, agent(Limit{Per: bound(Fen(100))}), false, true},
		{"per", agent(Limit{Per: bound(Fen(100))}), agent(Limit{Per: bound(Fen(101))}), true, false},
		{"share", agent(Limit{PerPermille: bound(100)}), agent(Limit{PerPermille: bound(101)}), true, false},
		{"a share of 100 % is none", agent(Limit{PerPermille: bound(1000)}), none, false, false},
		{"sum of a day", agent(Limit{Day: bound(Fen(100))}), agent(Limit{Day: bound(Fen(101))}), true, false},
		{"number of a day", agent(Limit{DayCount: bound(1)}), agent(Limit{DayCount: bound(2)}), true, false},
		{"mixed", agent(Limit{Per: bound(Fen(100)), DayCount: bound(5)}), agent(Limit{Per: bound(Fen(50)), DayCount: bound(6)}), true, true},
		{"nothing alone, whatever the other bounds", agent(Limit{Per: bound(Fen(1)), DayCount: bound(5)}), agent(Limit{DayCount: bound(0)}), false, true},
		{"own limit above the role's", agent(Limit{Per: bound(Fen(100))}), Settings{Limits: Limits{Roles: map[Role]Limit{Agent: {Per: bound(Fen(100))}},
			People: map[string]Limit{"1": {Per: bound(Fen(200))}}}, Tiers: none.Tiers, Flags: none.Flags, Hours: none.Hours}, true, false},
		{"own limit instead of none", none, person("1", Limit{Per: bound(Fen(1))}), false, true},
		{"own limit of somebody who corrects no more", none, person("3", Limit{Per: bound(Fen(1))}), false, true},
		{"supervisor's limit", super(Limit{Per: bound(Fen(100))}), super(Limit{Per: bound(Fen(200))}), true, false},
		{"what a supervisor may approve, though they may do nothing alone", super(Limit{Per: bound(Fen(100)), DayCount: bound(0)}), super(Limit{DayCount: bound(0)}), true, false},

		{"a top tier", tiers(Tier{}), tiers(Tier{}, Tier{From: 100}), false, true},
		{"a higher top tier shows what was hidden", tiers(Tier{}, Tier{From: 100}), tiers(Tier{}, Tier{From: 100}, Tier{From: 200}), true, false},
		{"the top begins later", tiers(Tier{}, Tier{From: 100}), tiers(Tier{}, Tier{From: 101}), true, false},
		{"only some may decide", tiers(Tier{}), tiers(Tier{Approvers: []int64{2}}), false, true},
		{"one more may decide", tiers(Tier{Approvers: []int64{2}}), tiers(Tier{Approvers: []int64{2, 4}}), true, false},
		{"somebody else may decide", tiers(Tier{Approvers: []int64{2}}), tiers(Tier{Approvers: []int64{4}}), true, true},
		{"a tier of the same people says nothing", tiers(Tier{Approvers: []int64{2}}, Tier{From: 50, Approvers: []int64{2}}, Tier{From: 100}),
			tiers(Tier{Approvers: []int64{2}}, Tier{From: 100}), false, false},

		{"zero", none, flags(func(r *FlagRules) { r.Zero = false }), true, false},
		{"share of a flag", none, flags(func(r *FlagRules) { r.SharePermille++ }), true, false},
		{"share off", none, flags(func(r *FlagRules) { r.SharePermille = 0 }), true, false},
		{"near", none, flags(func(r *FlagRules) { r.NearPermille-- }), true, false},
		{"again", none, flags(func(r *FlagRules) { r.AgainDays-- }), true, false},
		{"fast", none, flags(func(r *FlagRules) { r.FastSeconds-- }), true, false},
		{"other", none, flags(func(r *FlagRules) { r.OtherRunning++ }), true, false},
		{"other off", none, flags(func(r *FlagRules) { r.OtherRunning = 0 }), true, false},
		{"pair", none, flags(func(r *FlagRules) { r.PairCount++ }), true, false},
		{"pair off", none, flags(func(r *FlagRules) { r.PairCount, r.PairDays = 0, 0 }), true, false},
		{"pair days", none, flags(func(r *FlagRules) { r.PairDays-- }), true, false},
		{"sample", none, flags(func(r *FlagRules) { r.SamplePermille-- }), true, false},
		{"hours off", none, flags(func(r *FlagRules) { r.OutsideHours = false }), true, false},
		{"longer hours", none, hours(true, long), true, false},
		{"longer hours that no flag rests on", hours(false, DefaultHours), hours(false, long), false, false},
		{"a free day", none, hours(true, short), false, true},
		{"reasons", none, named(none, "other2"), false, false},
	} {
		if got := Looser(c.before, c.after, people); got != c.looser {
			t.Errorf("%s: %v", c.name, got)
		}
		if got := Looser(c.after, c.before, people); got != c.back {
			t.Errorf("%s, taken back: %v", c.name, got)
		}
	}
}

func TestOffering_LooserThan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before, after Offering
		looser        bool
	}{
		{Offering{}, Offering{Cap: 1}, false},
		{Offering{Cap: 1}, Offering{}, true},
		{Offering{Cap: 1}, Offering{Cap: 2}, true},
		{Offering{Cap: 2}, Offering{Cap: 1}, false},
		{Offering{}, Offering{AllowZero: true}, true},
		{Offering{AllowZero: true}, Offering{}, false},
		{Offering{AllowZero: true, Cap: 1}, Offering{Cap: 2}, true},
		{Offering{}, Offering{Name: "x", Industry: "hotel"}, false},
	} {
		if got := c.after.LooserThan(c.before); got != c.looser {
			t.Errorf("%+v → %+v: %v", c.before, c.after, got)
		}
	}
}

// Whatever the settings and whatever is corrected: where one correction needs fewer
// people, may be decided about by more, shows what was hidden or raises fewer flags, the
// edit is looser.
func TestLooser_AgainstCorrections(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 9))
	people := []Person{{ID: 1, Role: Agent}, {ID: 2, Role: Supervisor}, {ID: 3, Role: Supervisor}, {ID: 4, Role: Agent}}
	maybe := func() bool { return r.IntN(2) == 0 }
	limit := func() Limit {
		var l Limit
		if maybe() {
			l.Per = bound(Fen(r.IntN(6)))
		}
		if maybe() {
			l.PerPermille = bound([]int{1, 100, 500, 999, 1000}[r.IntN(5)])
		}
		if maybe() {
			l.Day = bound(Fen(r.IntN(8)))
		}
		if maybe() {
			l.DayCount = bound(r.IntN(4))
		}
		return l
	}
	pick := func(list ...int) int { return list[r.IntN(len(list))] }
	settings := func() Settings {
		s := Settings{Limits: Limits{Roles: map[Role]Limit{}, People: map[string]Limit{}}, Tiers: []Tier{{}}}
		for _, role := range []Role{Agent, Supervisor} {
			if maybe() {
				s.Limits.Roles[role] = limit()
			}
		}
		for _, p := range people {
			if maybe() {
				s.Limits.People[strconv.FormatInt(p.ID, 10)] = limit()
			}
		}
		for from := Fen(1); from < 6; from++ {
			if r.IntN(3) == 0 {
				s.Tiers = append(s.Tiers, Tier{From: from})
			}
		}
		for i := range s.Tiers {
			for _, id := range []int64{2, 3} {
				if maybe() {
					s.Tiers[i].Approvers = append(s.Tiers[i].Approvers, id)
				}
			}
		}
		s.Flags = FlagRules{Zero: maybe(), SharePermille: pick(0, 200, 500, 1000), NearPermille: pick(0, 100, 500, 1000), AgainDays: pick(0, 1, 2, 3), OutsideHours: maybe(),
			FastSeconds: pick(0, 1, 2, 3), OtherRunning: pick(0, 1, 2, 3), PairCount: pick(0, 2, 3), PairDays: pick(1, 2, 3), SamplePermille: pick(0, 100, 500, 1000)}
		for day := range s.Hours {
			if maybe() {
				s.Hours[day] = Span{From: r.IntN(700), Until: 700 + r.IntN(740)}
			}
		}
		return s
	}
	// Most edits change little: of two that have nothing in common one is always looser.
	edit := func(s Settings) Settings {
		other := settings()
		switch r.IntN(5) {
		case 0:
			s.Tiers = other.Tiers
		case 1:
			s.Flags = other.Flags
		case 2:
			s.Hours = other.Hours
		case 3:
			s.Limits.Roles = map[Role]Limit{Agent: other.Limits.Roles[Agent], Supervisor: s.Limits.Roles[Supervisor]}
		default:
			s.Limits.People = other.Limits.People
		}
		return s
	}
	base := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	key := []byte("0123456789abcdef0123456789abcdef")
	looser, shown := 0, 0
	const edits, tries = 4000, 60
	for range edits {
		before := settings()
		after := edit(before)
		said := Looser(before, after, people)
		if said {
			looser++
		}
		found := ""
		for range tries {
			p := people[r.IntN(len(people))]
			c := Correction{AuthorID: p.ID, Base: Order{Total: Fen(1 + r.IntN(8))}, Reason: Reason{Code: []string{"x", otherReason}[r.IntN(2)]}}
			c.Target = Fen(r.IntN(int(c.Base.Total)))
			today := Spent{Sum: Fen(r.IntN(6)), Count: r.IntN(4)}
			apart := [3]int{r.IntN(4), r.IntN(4), r.IntN(4)} // days since others of the device, the order, the pair
			others, id := r.IntN(4), r.Int64N(1000)
			now := base.Add(time.Duration(r.IntN(7*24*60)) * time.Minute)
			looked := now.Add(-time.Duration(r.IntN(4)) * time.Second)
			approver := people[1+r.IntN(2)]
			first := Fen(r.IntN(2)) * (c.Base.Total + Fen(r.IntN(5000))) // before earlier corrections of the order, 0: there were none
			outcome := func(s Settings) (people int, who, hidden bool, flags int) {
				own := Headroom{Limit: s.Limits.Of(p.ID, p.Role), Today: today, First: first}
				people = 1
				if len(own.Check(c.Base.Total, c.Target)) > 0 {
					people, own = 2, Headroom{}
				}
				tier, blind := TierOf(s.Tiers, GivenUp(first, c.Base.Total, c.Target))
				who = tier.Admits(approver.ID) && len(s.Limits.Of(approver.ID, approver.Role).OneOf(first, c.Base.Total, c.Target)) == 0
				within := func(days, most int) int {
					if days <= most {
						return 1
					}
					return 0
				}
				facts := FlagFacts{SameDevice: within(apart[0], s.Flags.AgainDays), SameOrder: within(apart[1], s.Flags.AgainDays), Pair: 2 * within(apart[2], s.Flags.PairDays),
					Others: min(others, max(0, s.Flags.OtherRunning-1))}
				return people, who, blind, len(s.Flags.Flags(c, facts, s.Hours, own, looked, now, Drawn(key, id, s.Flags.SamplePermille)))
			}
			n1, who1, hidden1, flags1 := outcome(before)
			n2, who2, hidden2, flags2 := outcome(after)
			if n2 < n1 || !who1 && who2 || hidden1 && !hidden2 || n1 == n2 && flags2 < flags1 {
				found = fmt.Sprintf("%+v %d→%d people, %v→%v may decide, hidden %v→%v, %d→%d flags", c.Base.Total-c.Target, n1, n2, who1, who2, hidden1, hidden2, flags1, flags2)
			}
		}
		if found != "" {
			shown++
			if !said {
				t.Fatalf("seed %d: not looser, but %s\n%+v\n%+v", seed, found, before, after)
			}
		}
	}
	if looser == edits || shown < edits/4 {
		t.Errorf("seed %d: %d of %d are looser, %d shown to be: the test tells nothing", seed, looser, edits, shown)
	}
	t.Logf("seed %d: %d of %d edits are looser, %d shown by a correction", seed, looser, edits, shown)
}

// A limit of somebody's own goes with them into another role: what it gives there beyond
// what everybody has there is judged, too.
func TestLooser_AnotherRoleLater(t *testing.T) {
	t.Parallel()
	people := []Person{{ID: 1, Role: Agent}, {ID: 2, Role: Supervisor}}
	limits := func(own map[string]Limit) Settings {
		s := DefaultSettings()
		s.Limits = Limits{Roles: map[Role]Limit{Agent: {Per: bound(Fen(200))}, Supervisor: {Per: bound(Fen(50))}}, People: own}
		return s
	}
	none, agents, own := limits(nil), limits(map[string]Limit{"1": {Per: bound(Fen(100))}}), limits(map[string]Limit{"2": {Per: bound(Fen(40))}})
	if !Looser(none, agents, people) {
		t.Error("a tighter limit for an agent, who may do more with it as a supervisor")
	}
	if !Looser(agents, none, people) {
		t.Error("an agent gets the limit of all agents back")
	}
	if Looser(none, own, people) || !Looser(own, none, people) {
		t.Error("a tighter limit for a supervisor")
	}
	if tight := limits(map[string]Limit{"1": {Per: bound(Fen(30))}}); Looser(none, tight, people) {
		t.Error("tighter in both roles")
	}
}

// Of a correction whose amount is hidden, what an approver's own limit says is the same
// for every amount of the tier.
func TestJudgement_TheLimitTellsNoAmount(t *testing.T) {
	t.Parallel()
	const base = Fen(10)
	n := 0
	for _, first := range []Fen{0, base, base + 3} {
		for from := Fen(1); from <= base; from++ {
			for per := Fen(0); per <= first+base; per++ {
				for _, l := range []Limit{{Per: bound(per)}, {PerPermille: bound(int(per) * 50)}} {
					j := Judgement{Tier: Tier{From: from}, Limit: l, Firsts: Firsts{Approver: first, Anyone: first}}
					told := map[bool]bool{}
					for target := Fen(0); target < base; target++ {
						if GivenUp(first, base, target) >= from {
							told[len(l.OneOf(first, base, target)) > 0 && j.surelyOver(base)] = true
						}
					}
					if n++; len(told) != 1 {
						t.Errorf("first %d, from %d, %+v: %v", first, from, l, told)
					}
				}
			}
		}
	}
	t.Logf("%d limits tried", n)
}
