package correction

import "time"

// QuietTime is how long after its signature time a request may still take effect:
// WeChat accepts a signature for 5 minutes; 30 s client timeout, 60 s clock skew and
// a margin come on top (trust.md §1.6).
const QuietTime = 7 * time.Minute

// ReadGap is how far apart the two readings must lie that together say "not
// applied". It shrinks with the quiet time, so that tests can be quick: 60 s in
// production.
func ReadGap(quiet time.Duration) time.Duration { return quiet / 7 }

// Evidence is all that a verdict rests on. Now must come from a fresh,
// signature-verified query.
type Evidence struct {
	Base      Order  // as it was read under the claim, just before sending
	Lines     []Line // as sent
	Discounts []Line
	Target    Fen
	Now       Order
	Age       time.Duration // since the signature time of the POST
	Accepted  bool          // a verified 204 said that it was applied
	Rejected  bool          // WeChat answered with an error of its own (unsigned)
	// QuietRead is how long ago the first reading after the quiet time was made
	// that showed the order as before; 0 when there was none.
	QuietRead time.Duration
}

// Finding says what the order shows, for the record and the page.
type Finding string

// Findings.
const (
	FoundTarget      Finding = "target"       // total and lines as sent
	FoundTargetLines Finding = "target_lines" // total as sent, lines not
	FoundBase        Finding = "base"         // unchanged
	FoundBetween     Finding = "between"      // lowered by somebody else, above ours
	FoundBelow       Finding = "below"        // below ours
	FoundAbove       Finding = "above"        // above the base: not possible by WeChat's rules
	FoundPaidTarget  Finding = "paid_target"
	FoundPaidBase    Finding = "paid_base"
	FoundPaidOther   Finding = "paid_other"
	FoundCancelled   Finding = "cancelled"
	FoundOtherState  Finding = "other_state"
)

// Verdict is the decision: the state that the correction goes to, or Wait.
type Verdict struct {
	Finding Finding
	State   State // meaningless while Wait
	Wait    bool  // too early to say
}

// Find tells what an order shows, compared with what a correction started from
// and asked for.
func (e Evidence) Find() Finding {
	o := e.Now
	switch {
	case o.State == OrderRevoked || o.State == OrderExpired:
		return FoundCancelled
	case o.Paid():
		paid := o.Collection.Paid
		switch {
		case paid == e.Target && (o.HasTotal && o.Total == e.Target || !o.HasTotal && paid > 0): // an absent amount reads as 0
			return FoundPaidTarget
		case paid == e.Base.Total && (!o.HasTotal || o.Total == e.Base.Total):
			return FoundPaidBase
		}
		return FoundPaidOther
	case o.State != OrderDoing || o.StateDescription != MchComplete || !o.HasTotal:
		return FoundOtherState
	case o.Total == e.Target && o.Collection.Total == e.Target: // at a target of 0 there may be no collection
		if SameLines(o.Lines, e.Lines) && SameLines(o.Discounts, e.Discounts) {
			return FoundTarget
		}
		return FoundTargetLines
	case o.Collection.State != UserPaying || o.Collection.Total != o.Total:
		return FoundOtherState
	case o.Total == e.Base.Total:
		return FoundBase
	case o.Total > e.Base.Total:
		return FoundAbove
	case o.Total > e.Target:
		return FoundBetween
	}
	return FoundBelow
}

// Decide applies the verdict table of trust.md §1.6 to a fresh reading of the
// order. It never says "not applied" while the request may still take effect, nor
// of an unchanged order on one reading alone, nor against a verified acceptance.
func (e Evidence) Decide(quiet time.Duration) Verdict {
	f := e.Find()
	v := Verdict{Finding: f}
	if e.Rejected && e.denies(f) {
		v.State = Rejected // WeChat refused, and the order bears it out (trust.md §1.5)
		return v
	}
	switch f {
	case FoundTarget, FoundPaidTarget:
		v.State = Applied
		if e.othersMade() && !e.Accepted {
			v.State = NeedsPerson
		}
	case FoundTargetLines, FoundBelow, FoundPaidOther, FoundAbove:
		v.State = NeedsPerson
	case FoundPaidBase:
		// Paid means that nothing can lower it any more, whatever is still under way.
		v.State = e.unless(NotApplied)
	case FoundBase, FoundBetween, FoundCancelled:
		switch {
		case f == FoundCancelled && e.Now.HasTotal && (e.Now.Total < e.Target || e.Now.Total == e.Target && SameLines(e.Now.Lines, e.Lines)):
			v.State = NeedsPerson // it may have taken effect before the cancellation
		case e.Age < quiet:
			v.Wait = true
		case f == FoundBase && (e.QuietRead <= 0 || e.QuietRead < ReadGap(quiet)):
			v.Wait = true
		default:
			v.State = e.unless(NotApplied)
		}
	case FoundOtherState:
		v.Wait = e.Age < quiet
		v.State = NeedsPerson
	}
	return v
}

// denies reports whether the order shows nothing of what was asked for. A refusal
// is not signed: only together with such a reading is it certain.
func (e Evidence) denies(f Finding) bool {
	o := e.Now
	switch f {
	case FoundTarget, FoundTargetLines, FoundPaidTarget:
		return false
	case FoundCancelled:
		return !o.HasTotal || o.Total != e.Target || !SameLines(o.Lines, e.Lines)
	case FoundPaidOther:
		return o.Collection.Paid != e.Target && (!o.HasTotal || o.Total != e.Target)
	case FoundOtherState:
		return o.HasTotal && o.Total != e.Target && (o.Collection.State == "" || o.Collection.Total != e.Target)
	}
	return true
}

// othersMade reports that the order shows the total that was asked for with other
// lines: somebody else came to the same one. A paid order may show no lines.
func (e Evidence) othersMade() bool {
	return len(e.Now.Lines) > 0 && !SameLines(e.Now.Lines, e.Lines)
}

// unless returns s, or NeedsPerson when a verified acceptance contradicts it.
func (e Evidence) unless(s State) State {
	if e.Accepted {
		return NeedsPerson
	}
	return s
}
