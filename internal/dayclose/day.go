package dayclose

import (
	"errors"
	"slices"
	"time"

	"correction-console/internal/correction"
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
	All       int                      `json:"all"`
	States    map[correction.State]int `json:"states"`
	Effective int                      `json:"in_force"`
	Reduction correction.Fen           `json:"reduction"` // of those in force
	Zeroed    int                      `json:"zeroed"`    // of those in force
	ZeroedSum correction.Fen           `json:"zeroed_sum"`
	Refunds   int                      `json:"refunds"` // paid above the new amount, seen to or not
	RefundSum correction.Fen           `json:"refund_sum"`
	Flagged   int                      `json:"flagged"`

	Reviews    map[correction.ReviewMark]int `json:"reviews"`
	Unreviewed int                           `json:"unreviewed"` // came to their end

	// Same names who approved corrections and then checked them, too.
	Same []SamePerson `json:"same,omitempty"`

	Open map[DayOpen]int     `json:"open,omitempty"`
	IDs  map[DayOpen][]int64 `json:"-"` // the first few of each
}

// SamePerson names who approved corrections of a day and then reviewed them, or was the
// second person of their ruling, since nobody else could.
type SamePerson struct {
	Name string  `json:"name"`
	N    int     `json:"n"`
	IDs  []int64 `json:"ids"` // the first few
}

// sameShown is how many corrections are named for each person.
const sameShown = 20

// AddSame counts a correction of the day under the name of such a person.
func (d *DayCounts) AddSame(id int64, name string) {
	i := slices.IndexFunc(d.Same, func(p SamePerson) bool { return p.Name == name })
	if i < 0 {
		i = len(d.Same)
		d.Same = append(d.Same, SamePerson{Name: name})
	}
	if d.Same[i].N++; len(d.Same[i].IDs) < sameShown {
		d.Same[i].IDs = append(d.Same[i].IDs, id)
	}
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
func (d *DayCounts) Add(r correction.Summary, refund correction.Fen) {
	if d.States == nil {
		d.States, d.Reviews, d.Open, d.IDs = map[correction.State]int{}, map[correction.ReviewMark]int{}, map[DayOpen]int{}, map[DayOpen][]int64{}
	}
	d.All++
	d.States[r.State]++
	if r.State.Effective() {
		d.Effective++
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
func openOf(r correction.Summary) []DayOpen {
	var out []DayOpen
	switch r.State {
	case correction.Prepared:
		out = append(out, OpenConfirm)
	case correction.Awaiting:
		out = append(out, OpenApproval)
	case correction.Approved, correction.Claimed, correction.Sending:
		out = append(out, OpenSending)
	case correction.Unknown:
		out = append(out, OpenUnknown)
	case correction.NeedsPerson:
		out = append(out, OpenConflict)
	}
	if r.Due {
		out = append(out, OpenDue)
	}
	switch {
	case r.Review == correction.ReviewQueried || r.Review == correction.ReviewAnswered:
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
		if s.Final() && !s.Effective() && s != correction.Declined && s != correction.Resolved {
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
	Checkpoint correction.Checkpoint // of the record, taken just before
	Text       string
}

// Errors of PutDay.
var (
	ErrDayOpen  = errors.New("something of the day is open")
	ErrDayMoved = errors.New("something of the day came to the record after the checkpoint")
)

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
