package correction

import (
	"slices"
	"strconv"
)

// Limit bounds what a person may give up without a second one: reductions, not new
// totals. A nil field is no bound. One correction adds up over an order: it is all that
// the order was lowered by since the person's first correction of it (product.md §4.14).
type Limit struct {
	Per         *Fen `json:"per,omitempty"`          // of one correction, in fen
	PerPermille *int `json:"per_permille,omitempty"` // of one correction, in thousandths of the order's total
	Day         *Fen `json:"day,omitempty"`          // of a day in all, in fen
	DayCount    *int `json:"day_count,omitempty"`    // corrections a day
}

// Unlimited reports whether the limit bounds nothing.
func (l Limit) Unlimited() bool { return l == Limit{} }

// Limits are the limits of roles and, instead of those, of single people by user id. A
// role that is not listed has none.
type Limits struct {
	Roles  map[Role]Limit   `json:"roles,omitempty"`
	People map[string]Limit `json:"people,omitempty"` // by user id
}

// Of returns the limit of a person: their own, else that of the role.
func (l Limits) Of(userID int64, role Role) Limit {
	if own, ok := l.People[strconv.FormatInt(userID, 10)]; ok {
		return own
	}
	return l.Roles[role]
}

// Spent is what a person gave up on their own authority since the start of a day.
type Spent struct {
	Sum   Fen `json:"sum"`
	Count int `json:"count"`
}

// Over is one bound that a correction is above.
type Over struct {
	Code  string `json:"code"`
	Limit int64  `json:"limit"`          // fen, thousandths or corrections
	Used  int64  `json:"used,omitempty"` // of the day, or of the order (fen), before this correction
}

// Codes of Over.
const (
	OverPer      = "per"
	OverShare    = "per_permille"
	OverDay      = "day"
	OverDayCount = "day_count"
)

// OneOf returns the bounds on one correction that a change from base to target is above,
// for an order that amounted to first before the person's first correction of it; 0 when
// this is the first.
func (l Limit) OneOf(first, base, target Fen) []Over {
	var out []Over
	first = max(first, base)
	r, used := first-target, int64(first-base)
	if l.Per != nil && r > *l.Per {
		out = append(out, Over{Code: OverPer, Limit: int64(*l.Per), Used: used})
	}
	if l.PerPermille != nil && int64(r)*1000 > int64(*l.PerPermille)*int64(first) {
		out = append(out, Over{Code: OverShare, Limit: int64(*l.PerPermille), Used: used})
	}
	return out
}

// CheckOf returns every bound that a change from base to target is above, with what was
// spent today already, for an order that amounted to first before the person's first
// correction of it; 0 when this is the first. Equal to a bound is within it.
func (l Limit) CheckOf(first, base, target Fen, today Spent) []Over {
	out := l.OneOf(first, base, target)
	if l.Day != nil && today.Sum+(base-target) > *l.Day {
		out = append(out, Over{Code: OverDay, Limit: int64(*l.Day), Used: int64(today.Sum)})
	}
	if l.DayCount != nil && today.Count+1 > *l.DayCount {
		out = append(out, Over{Code: OverDayCount, Limit: int64(*l.DayCount), Used: int64(today.Count)})
	}
	return out
}

// Tier says who decides about reductions from an amount on, up to the next tier.
type Tier struct {
	From      Fen     `json:"from"`
	Approvers []int64 `json:"approvers,omitempty"` // user ids; none: every supervisor
}

// TierOf returns the tier of a reduction and whether it is the top one, in which the
// approver enters the new total without seeing it. The tier at 0 alone is no top tier.
func TierOf(tiers []Tier, reduction Fen) (t Tier, top bool) {
	for i, x := range tiers {
		if reduction >= x.From {
			t, top = x, i == len(tiers)-1 && x.From > 0
		}
	}
	return t, top
}

// Admits reports whether the person may decide in the tier.
func (t Tier) Admits(userID int64) bool {
	return len(t.Approvers) == 0 || slices.Contains(t.Approvers, userID)
}

// Approver is a person who may decide, for checks of the tiers.
type Approver struct {
	UserID int64
	Scope  Scope
}

// Gap is an amount and a merchant for which nobody may decide.
type Gap struct {
	From     Fen // of the tier
	SubMchID string
}

// Gaps returns where a correction could not be approved by anybody: for each tier and
// merchant there must be one approver in scope whose own limit reaches to the end of
// the tier, and for the top one has no end.
func Gaps(tiers []Tier, limits Limits, approvers []Approver, merchants []Merchant) []Gap {
	var out []Gap
	for i, t := range tiers {
		for _, m := range merchants {
			covered := slices.ContainsFunc(approvers, func(a Approver) bool {
				if !t.Admits(a.UserID) || !a.Scope.Allows(m.SubMchID) {
					return false
				}
				l := limits.Of(a.UserID, Supervisor)
				if l.PerPermille != nil && *l.PerPermille < 1000 {
					return false
				}
				return l.Per == nil || i+1 < len(tiers) && *l.Per >= tiers[i+1].From-1
			})
			if !covered {
				out = append(out, Gap{t.From, m.SubMchID})
			}
		}
	}
	return out
}
