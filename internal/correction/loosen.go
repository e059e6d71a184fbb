package correction

import (
	"math"
	"slices"
	"strconv"
)

// What loosens takes two people (product.md rule 15). Looser means: some correction would
// need fewer people, or could be decided about by somebody who may not now, or with the
// amount in sight that is hidden now, or would raise fewer flags. A correction that comes
// to need a second person may lose a flag by it: that is no loosening, since an approval
// is more than a flag. These functions are pure, and on the safe side: where it depends
// on what nobody can know, such as who will have a role, they say looser.

// Looser reports whether after is looser than before in any respect. people tell which
// role the limits of single people stand in for.
func Looser(before, after Settings, people []Person) bool {
	return looserLimits(before.Limits, after.Limits, people) || looserTiers(before.Tiers, after.Tiers) ||
		looserFlags(before.Flags, after.Flags, before.Hours, after.Hours)
}

// LooserThan reports whether a service allows more as o than as before: a zero that was
// refused, or a total that was above the cap. A service that nobody has described is the
// zero Offering.
func (o Offering) LooserThan(before Offering) bool {
	return o.AllowZero && !before.AllowZero || orEndless(&o.Cap, o.Cap > 0) > orEndless(&before.Cap, before.Cap > 0)
}

// orEndless is a bound as a number; one that is not there is above all others.
func orEndless[T ~int | ~int64](bound *T, there bool) int64 {
	if bound == nil || !there {
		return math.MaxInt64
	}
	return int64(*bound)
}

func endless[T ~int | ~int64](bound *T) int64 { return orEndless(bound, true) }

// share is the bound by share; 100 % bounds nothing.
func (l Limit) share() int64 {
	return orEndless(l.PerPermille, l.PerPermille != nil && *l.PerPermille < 1000)
}

// shut reports whether nothing is within the limit.
func (l Limit) shut() bool { return min(endless(l.Per), endless(l.Day), endless(l.DayCount)) <= 0 }

// looserAlone reports whether something can be given up alone with l that needs a second
// person with before, or that is no longer just under the limit. Each bound is compared
// by itself.
func (l Limit) looserAlone(before Limit) bool {
	if l.shut() {
		return false
	}
	return l.looserApproving(before) || endless(l.Day) > endless(before.Day) || endless(l.DayCount) > endless(before.DayCount)
}

// looserApproving reports whether something can be approved with l that cannot be with
// before: only the bounds of one correction count there.
func (l Limit) looserApproving(before Limit) bool {
	return endless(l.Per) > endless(before.Per) || l.share() > before.share()
}

func looserLimits(before, after Limits, people []Person) bool {
	looser := func(role Role, was, is Limit) bool {
		return is.looserAlone(was) || role == Supervisor && is.looserApproving(was)
	}
	for _, r := range []Role{Agent, Supervisor} { // also for who gets the role later
		if looser(r, before.Roles[r], after.Roles[r]) {
			return true
		}
	}
	ids := map[string]bool{}
	for _, l := range []Limits{before, after} {
		for id := range l.People {
			ids[id] = true
		}
	}
	for id := range ids {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return true
		}
		now := Role("") // of somebody who corrects no more, in case they do again
		if i := slices.IndexFunc(people, func(p Person) bool { return p.ID == n }); i >= 0 && (Actor{Role: people[i].Role}).Can(Correct) {
			now = people[i].Role
		}
		for _, r := range []Role{Agent, Supervisor} {
			// A limit of their own goes with them into another role. Without one they would
			// have what everybody has there, which is no favour to them.
			favour := now == "" || r == now || looser(r, after.Roles[r], after.Of(n, r))
			if favour && looser(r, before.Of(n, r), after.Of(n, r)) {
				return true
			}
		}
	}
	return false
}

// looserTiers compares what holds for each reduction: it changes only where a tier of
// one of the two begins.
func looserTiers(before, after []Tier) bool {
	for _, t := range slices.Concat(before, after) {
		r := max(1, t.From)
		was, blind := TierOf(before, r)
		is, hidden := TierOf(after, r)
		if blind && !hidden || is.admitsMore(was) {
			return true
		}
	}
	return false
}

// admitsMore reports whether somebody may decide in t who may not in was. Every
// supervisor is more than any list: it admits those who come later.
func (t Tier) admitsMore(was Tier) bool {
	if len(was.Approvers) == 0 {
		return false
	}
	return len(t.Approvers) == 0 || slices.ContainsFunc(t.Approvers, func(id int64) bool { return !was.Admits(id) })
}

func looserFlags(before, after FlagRules, hoursBefore, hoursAfter Hours) bool {
	// A rule that is off is one that nothing meets.
	above := func(bound int) int64 { return orEndless(&bound, bound > 0) }                 // met from a number on
	share := func(bound int) int64 { return orEndless(&bound, bound > 0 && bound < 1000) } // nothing is above the whole
	switch {
	case before.Zero && !after.Zero,
		share(after.SharePermille) > share(before.SharePermille),
		after.NearPermille < before.NearPermille,
		after.AgainDays < before.AgainDays,
		after.FastSeconds < before.FastSeconds,
		above(after.OtherRunning) > above(before.OtherRunning),
		above(after.PairCount) > above(before.PairCount),
		before.PairCount > 0 && after.PairDays < before.PairDays && before.PairCount > 1,
		after.SamplePermille < before.SamplePermille:
		return true
	}
	return before.OutsideHours && (!after.OutsideHours || hoursAfter.beyond(hoursBefore))
}

// beyond reports whether some minute of the week is within h and not within was.
func (h Hours) beyond(was Hours) bool {
	for day, s := range h {
		if s.Until > s.From && (s.From < was[day].From || s.Until > was[day].Until || was[day].Until <= was[day].From) {
			return true
		}
	}
	return false
}
