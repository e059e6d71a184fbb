package correction

import (
	"context"
	"errors"
	"strings"
	"time"
)

// DayAction is what a record of a day says.
type DayAction string

// Actions on days.
const (
	DayClosed   DayAction = "closed"
	DayReopened DayAction = "reopened"
)

// DayCounts are the figures of a day: of the corrections that were prepared on it, as
// they stand. Sums are in fen.
type DayCounts struct {
	All       int           `json:"all"`
	States    map[State]int `json:"states"`
	InForce   int           `json:"in_force"`
	Reduction Fen           `json:"reduction"` // of those in force
	Zeroed    int           `json:"zeroed"`    // of those in force
	ZeroedSum Fen           `json:"zeroed_sum"`
	Refunds   int           `json:"refunds"` // paid above the new amount, seen to or not
	RefundSum Fen           `json:"refund_sum"`
	Flagged   int           `json:"flagged"`

	Reviews    map[ReviewMark]int `json:"reviews"`
	Unreviewed int                `json:"unreviewed"` // came to their end

	// Same names who approved corrections and then checked them, too.
	Same []SamePerson `json:"same,omitempty"`

	Open map[DayOpen]int     `json:"open,omitempty"`
	IDs  map[DayOpen][]int64 `json:"-"` // the first few of each
}

// DayOpen is something that keeps a day from being closed.
type DayOpen string

// What keeps a day open.
const (
	OpenConfirm  DayOpen = "confirm"  // waits for its author
	OpenApproval DayOpen = "approval" // waits for a second person
	OpenSending  DayOpen = "sending"
	OpenUnknown  DayOpen = "unknown"
	OpenConflict DayOpen = "conflict"
	OpenDue      DayOpen = "due"     // a supervisor has to see to it
	OpenFlagged  DayOpen = "flagged" // flagged or drawn, and not reviewed
	OpenQueried  DayOpen = "queried" // a question or an answer waits
)

// DayOpens lists all of them in the order in which they are shown.
var DayOpens = []DayOpen{OpenConfirm, OpenApproval, OpenSending, OpenUnknown, OpenConflict, OpenDue, OpenFlagged, OpenQueried}

// OpenIDs is how many corrections are named for each thing that is open.
const OpenIDs = 5

// Add counts one correction of a day as it stands now. refund is what was paid above
// the new amount.
func (d *DayCounts) Add(r Summary, refund Fen) {
	if d.States == nil {
		d.States, d.Reviews, d.Open, d.IDs = map[State]int{}, map[ReviewMark]int{}, map[DayOpen]int{}, map[DayOpen][]int64{}
	}
	d.All++
	d.States[r.State]++
	if r.State.InForce() {
		d.InForce++
		d.Reduction += r.Reduction()
		if r.Target == 0 {
			d.Zeroed++
			d.ZeroedSum += r.Reduction()
		}
		if refund > 0 {
			d.Refunds++
			d.RefundSum += refund
		}
	}
	if r.Flagged {
		d.Flagged++
	}
	if r.Review != "" {
		d.Reviews[r.Review]++
	} else if r.State.Final() {
		d.Unreviewed++
	}
	for _, o := range openOf(r) {
		d.Open[o]++
		if len(d.IDs[o]) < OpenIDs {
			d.IDs[o] = append(d.IDs[o], r.ID)
		}
	}
}

// openOf is what is open about a correction.
func openOf(r Summary) []DayOpen {
	var out []DayOpen
	switch r.State {
	case Prepared:
		out = append(out, OpenConfirm)
	case Awaiting:
		out = append(out, OpenApproval)
	case Approved, Claimed, Sending:
		out = append(out, OpenSending)
	case Unknown:
		out = append(out, OpenUnknown)
	case NeedsPerson:
		out = append(out, OpenConflict)
	}
	if r.Due {
		out = append(out, OpenDue)
	}
	switch {
	case r.Review == ReviewQueried || r.Review == ReviewAnswered:
		out = append(out, OpenQueried)
	case r.Flagged && r.Review == "" && r.State.Final():
		out = append(out, OpenFlagged)
	}
	return out
}

// NotApplied counts what came to its end without changing an order, refusals by a
// second person apart.
func (d DayCounts) NotApplied() int {
	n := 0
	for s, c := range d.States {
		if s.Final() && !s.InForce() && s != Declined && s != Resolved {
			n += c
		}
	}
	return n
}

// IsOpen reports whether anything is open.
func (d DayCounts) IsOpen() bool { return len(d.Open) > 0 }

// DayRecord is one closing or reopening of a day, named 2026-11-23. N counts from 1.
type DayRecord struct {
	Day        string
	N          int
	At         time.Time
	ActorID    int64
	ActorName  string
	SessionID  int64
	Action     DayAction
	Counts     DayCounts
	Checkpoint Checkpoint // of the record, taken just before
	Text       string
}

// Errors of PutDay.
var (
	ErrDayOpen  = errors.New("something of the day is open")
	ErrDayMoved = errors.New("something of the day came to the record after the checkpoint")
)

// Root is the hash of the record in a checkpoint: the third line of its text.
func (c Checkpoint) Root() string {
	if lines := strings.SplitN(c.Note, "\n", 4); len(lines) == 4 {
		return lines[2]
	}
	return ""
}

// Day is a day as it stands.
type Day struct {
	Name     string // 2026-11-23
	From, To time.Time
	Today    bool
	Counts   DayCounts   // of the merchants in scope
	Records  []DayRecord // oldest first
	Whole    bool        // the scope is every merchant
	MayClose bool        // by right and scope; whether something is open is another matter
}

// Last is the newest closing or reopening of the day; zero when there is none.
func (d Day) Last() DayRecord {
	if len(d.Records) == 0 {
		return DayRecord{}
	}
	return d.Records[len(d.Records)-1]
}

// Closed reports whether the day is closed.
func (d Day) Closed() bool { return d.Last().Action == DayClosed }

// Since is how many corrections of the day were prepared after it was closed.
func (d Day) Since() int {
	if !d.Closed() || !d.Whole {
		return 0
	}
	return max(0, d.Counts.All-d.Last().Counts.All)
}

// DayOf is when a day begins and ends; ok is false for what is no day.
func (s *Service) DayOf(name string) (from, to time.Time, ok bool) {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	if from, ok = ParseDay(name, zone); !ok {
		return time.Time{}, time.Time{}, false
	}
	return from, AddDays(from, 1), true
}

// DayName names the day of t: 2026-11-23.
func (s *Service) DayName(t time.Time) string { return NameOfDay(s.DayTime(t)) }

// Day reads a day for the actor. CodeNotFound for what is no day.
func (s *Service) Day(ctx context.Context, a Actor, name string) (Day, error) {
	if !a.Can(ReadReviews) {
		return Day{}, fail(Forbidden, CodeForbidden, nil)
	}
	from, to, ok := s.DayOf(name)
	if !ok {
		return Day{}, fail(NotFound, CodeNotFound, nil)
	}
	now := s.Now()
	d := Day{Name: name, From: from, To: to, Today: !now.Before(from) && now.Before(to), Whole: a.Scope.All, MayClose: a.Can(Review) && a.Scope.All && !now.Before(from)}
	var err error
	if d.Counts, err = s.Store.DayCounts(ctx, a.Scope, from, to, now); err != nil {
		return d, err
	}
	d.Records, err = s.Store.DayRecords(ctx, name)
	if !d.Whole { // the figures of a closing are of all merchants
		for i := range d.Records {
			d.Records[i].Counts = DayCounts{}
		}
	}
	return d, err
}

// Days reads so many days, the day before until first.
func (s *Service) Days(ctx context.Context, a Actor, until time.Time, n int) ([]Day, error) {
	var out []Day
	for i := 1; i <= n; i++ {
		d, err := s.Day(ctx, a, NameOfDay(AddDays(s.DayTime(until), -i)))
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// closeTries bounds how often a checkpoint is made anew because the day went on.
const closeTries = 5

// CloseDay closes a day of which nothing is open, or reopens it, which takes words. n
// is the number of the newest record that the actor saw. Errors of code CodeDayOpen,
// CodeDayAhead, CodeWholeScope, CodeNeedsText, and CodeDayClosed with who was faster.
func (s *Service) CloseDay(ctx context.Context, a Actor, name string, n int, action DayAction, text string) error {
	if !a.Can(Review) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	d, err := s.Day(ctx, a, name)
	if err != nil {
		return err
	}
	text, bad := CleanNote(text, MaxText)
	now := s.Now()
	switch {
	case !a.Scope.All:
		return fail(Forbidden, CodeWholeScope, nil)
	case action != DayClosed && action != DayReopened:
		return fail(Invalid, CodeNoMark, nil)
	case now.Before(d.From):
		return fail(Conflict, CodeDayAhead, nil)
	case bad.Code != "" || action == DayReopened && text == "":
		return fail(Invalid, CodeNeedsText, nil)
	case d.Last().N != n || (action == DayClosed) == d.Closed():
		return dayMoved(d)
	case action == DayClosed && d.Counts.IsOpen():
		return fail(Conflict, CodeDayOpen, nil)
	}
	if err := s.ExpireOverdue(ctx); err != nil {
		return fail(Unavailable, CodeNoRecord, err)
	}
	ctx = context.WithoutCancel(ctx)
	r := DayRecord{Day: name, N: n + 1, At: now, ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Action: action, Text: text}
	for range closeTries {
		err = s.storing(ctx, func(ctx context.Context) error {
			if r.Checkpoint, err = s.Store.Checkpoint(ctx); err != nil {
				return err
			}
			return s.Store.PutDay(ctx, r, d.From, d.To)
		})
		if !errors.Is(err, ErrDayMoved) {
			break
		}
	}
	switch {
	case errors.Is(err, ErrDayOpen):
		return fail(Conflict, CodeDayOpen, err)
	case errors.Is(err, ErrMoved):
		if d, rerr := s.Day(ctx, a, name); rerr == nil {
			return dayMoved(d)
		}
		return fail(Conflict, CodeDayClosed, err)
	case err != nil:
		return fail(Unavailable, CodeNoRecord, err)
	}
	s.Log.Info("day", "day", name, "action", action, "user", a.UserID)
	return nil
}

// dayMoved is the error of a closing or reopening for which somebody was faster.
func dayMoved(d Day) error {
	e := &Error{Kind: Conflict, Code: CodeDayClosed}
	if last := d.Last(); last.N > 0 {
		e.Holder = &Holder{UserID: last.ActorID, Name: last.ActorName, Since: last.At}
	}
	return e
}
