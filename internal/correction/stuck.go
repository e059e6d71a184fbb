package correction

import "slices"

// Stuck is somebody whose correction of an amount and a merchant would need a second
// person while nobody else could decide about it.
type Stuck struct {
	AuthorID int64
	Gap
}

// Stuck lists what would wait for nobody: for each person who corrects, each merchant
// they are for, and each tier that their limit leaves to a second person, there must be
// an approver other than them, as Gaps means it.
func (b Basis) Stuck(tiers []Tier, limits Limits) []Stuck {
	supervisors := b.Supervisors()
	var out []Stuck
	for _, author := range b.Correctors() {
		own := limits.Of(author.ID, author.Role)
		if author.Disabled || own.Unlimited() {
			continue
		}
		var others []Approver
		for _, p := range supervisors {
			if p.ID != author.ID {
				others = append(others, Approver{UserID: p.ID, Scope: p.Scope})
			}
		}
		var theirs []Merchant
		for _, m := range b.Merchants {
			if author.Scope.Allows(m.SubMchID) {
				theirs = append(theirs, m)
			}
		}
		for _, g := range Gaps(tiers, limits, others, theirs) {
			if own.passesOn(tiers, g.From) {
				out = append(out, Stuck{author.ID, g})
			}
		}
	}
	return out
}

// passesOn reports whether some reduction of the tier that begins at from is above the
// limit.
func (l Limit) passesOn(tiers []Tier, from Fen) bool {
	if l.Day != nil || l.DayCount != nil || l.PerPermille != nil && *l.PerPermille < 1000 {
		return true
	}
	i := slices.IndexFunc(tiers, func(t Tier) bool { return t.From == from })
	return l.Per != nil && (i+1 >= len(tiers) || *l.Per < tiers[i+1].From-1)
}

// freshlyStuck reports the people whose own corrections an edit would leave to nobody,
// and are not left to nobody now. What nobody at all can decide about is a gap, and those
// are reported, or were known before.
func (e *settingEdit) freshlyStuck(b Basis, tiers []Tier, limits Limits, field string) {
	known := b.Stuck(b.Settings.Tiers, b.Settings.Limits)
	gaps := append(b.Gaps(b.Settings.Tiers, b.Settings.Limits), b.Gaps(tiers, limits)...)
	var names []string
	for _, s := range b.Stuck(tiers, limits) {
		name := personName(b.People, s.AuthorID)
		if !slices.Contains(known, s) && !slices.Contains(gaps, s.Gap) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		e.bad(Notice{Field: field, Code: BadGapOwn, Names: names})
	}
}
