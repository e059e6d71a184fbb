package correction

import (
	"slices"
	"testing"
)

func TestStates_GoOnlyWhereTheyMay(t *testing.T) {
	t.Parallel()
	legal := map[State][]State{
		"":       {Prepared},
		Prepared: {Awaiting, Claimed, Withdrawn, Expiry, Void},
		Awaiting: {Approved, Declined, Returned, Withdrawn, Expiry, Stale, Void},
		Approved: {Claimed},
		Claimed:  {Sending, Stale, NotSent},
		Sending:  {Applied, Rejected, NotSent, Unknown, NeedsPerson},
		Unknown:  {Unknown, Applied, Rejected, NotApplied, NeedsPerson},

		Applied: {Applied}, AppliedLate: {AppliedLate},
		Rejected: {Rejected, AppliedLate}, NotSent: {NotSent, AppliedLate}, NotApplied: {NotApplied, AppliedLate},
		NeedsPerson: {NeedsPerson, Resolved},

		// Reviewed.
		Stale: {Stale}, Declined: {Declined}, Returned: {Returned}, Expiry: {Expiry}, Withdrawn: {Withdrawn}, Void: {Void}, Resolved: {Resolved},
	}
	pairs := 0
	for _, from := range append([]State{""}, States...) {
		for _, to := range append([]State{""}, States...) {
			want := slices.Contains(legal[from], to)
			if to.Follows(from) != want {
				t.Errorf("%q → %q: Follows is not %v", from, to, want)
			}
			if want {
				pairs++
			}
			if listed := slices.Contains(Transitions(), [2]State{from, to}); listed != want {
				t.Errorf("%q → %q: listed %v", from, to, listed)
			}
		}
	}
	if n := len(Transitions()); n != pairs {
		t.Errorf("%d transitions, want %d", n, pairs)
	}
}

func TestStates_FinalAndHolding(t *testing.T) {
	t.Parallel()
	final := []State{Declined, Returned, Expiry, Withdrawn, Void, Stale, Applied, AppliedLate, Rejected, NotSent, NotApplied, Resolved}
	holding := []State{Awaiting, Approved, Claimed, Sending, Unknown}
	for _, s := range States {
		if s.Final() != slices.Contains(final, s) {
			t.Errorf("%s.Final() = %v", s, s.Final())
		}
		if s.Holds() != slices.Contains(holding, s) {
			t.Errorf("%s.Holds() = %v", s, s.Holds())
		}
	}
	if len(States) != len(final)+len(holding)+2 { // prepared and conflict wait for a person
		t.Errorf("%d states", len(States))
	}
}

// Nothing that was sent may be sent again: no state after sending leads back to
// one before it.
func TestStates_NeverSendTwice(t *testing.T) {
	t.Parallel()
	reach := map[State]bool{}
	var walk func(State)
	walk = func(from State) {
		for _, p := range Transitions() {
			if p[0] == from && !reach[p[1]] {
				reach[p[1]] = true
				walk(p[1])
			}
		}
	}
	walk(Sending)
	for _, s := range []State{"", Prepared, Claimed, Sending} {
		if reach[s] {
			t.Errorf("sending leads back to %q", s)
		}
	}
}
