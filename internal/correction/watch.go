package correction

import (
	"time"
)

// Settlement is how the looking after a correction ended; empty while it goes on.
type Settlement string

// Settlements. Those of a correction in force say what became of the order.
const (
	PaidNew    Settlement = "paid_new"    // the customer paid the new amount
	PaidOld    Settlement = "paid_old"    // the customer paid the former amount: a refund is due
	PaidOther  Settlement = "paid_other"  // the customer paid another amount
	NothingDue Settlement = "nothing_due" // cancelled, or lowered to zero: the customer owes nothing
	StillOpen  Settlement = "still_open"  // not paid after all the days of Policy.FollowFor
	Superseded Settlement = "superseded"  // a later correction of the order took its place
	Rechecked  Settlement = "rechecked"   // changed nothing, and two later readings bore it out
)

// Settlements lists all settlements.
var Settlements = []Settlement{PaidNew, PaidOld, PaidOther, NothingDue, StillOpen, Superseded, Rechecked}

// Unfinished is a correction that the console looks after: an open one, an undone one
// that is read again, or one in force whose order is not settled.
type Unfinished struct {
	ID      int64
	Ref     Ref
	State   State
	Entered time.Time // when it came to its state
	Looks   int       // events of the same state since
}

// Times of the looking after (trust.md §1.6).
const (
	AlarmAfter = 10 * time.Minute // an uncertain correction alarms
	SetBack    = time.Minute      // one from so far in the future alarms, too: the clock was set back and does not tell its age
	maxBackoff = time.Minute      // between two looks while the quiet time runs
	maxRetry   = 5 * time.Minute  // between two looks while the order cannot be read
	WarnSkew   = 60 * time.Second // of the clock: people are told (trust.md §1.9)
	RefuseSkew = 240 * time.Second
)

// recheckAfter are the times after which an undone correction is read again.
var recheckAfter = []time.Duration{time.Hour, 24 * time.Hour}

// followAfter are the times after which the order of a correction in force is read
// again; the last one repeats.
var followAfter = []time.Duration{10 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// spread delays what is due for many at the same time, by up to a tenth: always the
// same for a correction, and different from its neighbours.
func spread(id int64, d time.Duration) time.Duration {
	x := uint64(id) * 0x9e3779b97f4a7c15 // the golden ratio scatters neighbours
	return d + d/10*time.Duration(x>>54)/1024
}

// nextRecheck is when an undone correction is read again; looks counts the readings
// so far. ok is false when there are no more.
func (w Unfinished) nextRecheck() (at time.Time, ok bool) {
	if w.Looks >= len(recheckAfter) {
		return time.Time{}, false
	}
	return w.Entered.Add(spread(w.ID, recheckAfter[w.Looks])), true
}

// nextFollow is the first time after last at which the order of a correction in
// force is read.
func (w Unfinished) nextFollow(last time.Time) time.Time {
	for _, d := range followAfter {
		if t := w.Entered.Add(spread(w.ID, d)); t.After(last) {
			return t
		}
	}
	day := followAfter[len(followAfter)-1]
	first := w.Entered.Add(spread(w.ID, day))
	return first.Add((last.Sub(first)/day + 1) * day)
}

// first is when a correction is first looked at after a start of the console, which
// knows only what is on record.
func (w Unfinished) first(now time.Time) time.Time {
	switch {
	case w.State.NoEffect():
		at, _ := w.nextRecheck()
		return at
	case w.State == Awaiting:
		return now.Add(spread(w.ID, time.Minute))
	case w.State.Effective():
		last := w.Entered
		if back := now.Add(-followAfter[0]); back.After(last) {
			last = back // what was missed while the console stood still is not made up for
		}
		return w.nextFollow(last)
	}
	return now
}

// backoff is the pause after so many looks in a row: first, doubled each time, at
// most the limit.
func backoff(first time.Duration, looks int, limit time.Duration) time.Duration {
	d := first
	for range looks {
		if d *= 2; d >= limit {
			return limit
		}
	}
	return min(d, limit)
}

// Follow judges a reading of the order of a correction in force. lost tells that the
// order no longer says what the correction brought about, which WeChat's rules
// exclude: an amount only goes down.
func (e Evidence) Follow() (f Finding, s Settlement, lost bool) {
	f = e.Find()
	switch f {
	case FoundPaidTarget:
		s = PaidNew
	case FoundPaidBase:
		s = PaidOld
	case FoundPaidOther:
		s = PaidOther
	case FoundCancelled:
		s = NothingDue
	case FoundTarget:
		if e.Target == 0 {
			s = NothingDue
		}
	case FoundBase, FoundBetween, FoundAbove:
		lost = true
	}
	return f, s, lost
}

// RefundDue is what the customer has paid above the new total of a correction in
// force; 0 when that is nothing, or not known.
func RefundDue(target Fen, o Order) Fen {
	if !o.Paid() {
		return 0
	}
	return max(0, o.Collection.Paid-target)
}
