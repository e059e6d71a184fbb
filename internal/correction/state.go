package correction

import "slices"

// State is where a correction stands: the state of its last event
// (trust.md §1.3).
type State string

// States.
const (
	Prepared    State = "prepared"
	Expiry      State = "expired"           // not confirmed in time
	Withdrawn   State = "cancelled"         // by its author, before it was confirmed
	Awaiting    State = "awaiting_approval" // above the author's allowance; holds the order
	Approved    State = "approved"          // by a second person; claimed in the same moment
	Declined    State = "declined"
	Returned    State = "returned" // for editing: the author makes a new one
	Claimed     State = "claimed"  // confirmed; holds the order; nothing sent yet
	Stale       State = "stale"    // the order moved before anything was sent
	Sending     State = "sending"  // the intent is on record; the one POST may be under way
	Applied     State = "applied"
	Rejected    State = "rejected"
	NotSent     State = "not_sent"
	Unknown     State = "unknown"
	NotApplied  State = "not_applied"
	NeedsPerson State = "conflict"
	Void        State = "void"         // before sending, a rule or a person no longer permits it
	Resolved    State = "resolved"     // a conflict that two people settled
	AppliedLate State = "applied_late" // held for not applied, but it took effect
)

// States lists all states in the order in which people meet them.
var States = []State{
	Prepared, Awaiting, Approved, Returned, Declined, Claimed, Sending, Unknown, NeedsPerson, AppliedLate, Applied, Rejected, NotSent, NotApplied, Stale, Expiry, Withdrawn, Void, Resolved,
}

// transitions is the one table of legal steps. The store's migrations carry the
// same table; a test compares them.
var transitions = map[State][]State{
	"":       {Prepared},
	Prepared: {Awaiting, Claimed, Withdrawn, Expiry, Void},
	Awaiting: {Approved, Declined, Returned, Withdrawn, Expiry, Stale, Void},
	Approved: {Claimed},
	Claimed:  {Sending, Stale, NotSent},
	Sending:  {Applied, Rejected, NotSent, Unknown, NeedsPerson},
	Unknown:  {Unknown, Applied, Rejected, NotApplied, NeedsPerson}, // rejected: refused, but confirmed by a later reading only

	// Looked after (trust.md §1.6): a state that follows itself is one more reading, or
	// what a person said of it.
	Applied:     {Applied},
	AppliedLate: {AppliedLate},
	Rejected:    {Rejected, AppliedLate},
	NotSent:     {NotSent, AppliedLate},
	NotApplied:  {NotApplied, AppliedLate},
	NeedsPerson: {NeedsPerson, Resolved},

	// Reviewed.
	Stale: {Stale}, Declined: {Declined}, Returned: {Returned}, Expiry: {Expiry}, Withdrawn: {Withdrawn}, Void: {Void}, Resolved: {Resolved},
}

// Follows reports whether a correction may go from one state to another. The
// empty state is that of a correction that does not exist yet.
func (s State) Follows(from State) bool { return slices.Contains(transitions[from], s) }

// Transitions returns every legal (from, to) pair.
func Transitions() [][2]State {
	var out [][2]State
	for from, tos := range transitions {
		for _, to := range tos {
			out = append(out, [2]State{from, to})
		}
	}
	return out
}

// Final reports whether the correction has come to an end. Should the order say
// otherwise later on, that is an alarm.
func (s State) Final() bool {
	return !slices.ContainsFunc(transitions[s], func(to State) bool { return to != s && to != AppliedLate })
}

// Effective reports whether a correction in this state changed the order's amount.
func (s State) Effective() bool { return s == Applied || s == AppliedLate }

// NoEffect reports whether a correction in this state is held for one that changed
// nothing, after it may have been on its way.
func (s State) NoEffect() bool { return s == Rejected || s == NotSent || s == NotApplied }

// Holds reports whether a correction in this state holds its order, so that no
// other correction of that order can be confirmed.
func (s State) Holds() bool {
	return s == Awaiting || s == Approved || s == Claimed || s == Sending || s == Unknown
}
