package changelog

import (
	"time"

	"correction-console/internal/correction"
)

// LogFilter selects corrections for the change log. Zero fields do not filter.
// Scope always does.
type LogFilter struct {
	Scope      correction.Scope
	Veil       correction.Veil // what it keeps matches no amount, and comes last in the order of amounts
	OutOrderNo string
	SubMchID   string
	ServiceID  string
	AuthorID   int64
	Agent      string           // login name of the author
	Approver   string           // login name of who approved, declined or returned it
	State      correction.State // or AnyEffective
	ReasonCode string
	From, To   time.Time // prepared at or after From and before To

	MinReduction, MaxReduction *correction.Fen // both inclusive
	MinPermille, MaxPermille   *int            // of the order given up, both inclusive, not rounded

	Device string // one of the device ids
	Flag   string // code of a flag
	Review string // a correction.ReviewMark, or correction.ReviewNone
	// Text is searched for in the outgoing reason, the note, the ticket, and the names
	// and numbers of order, merchant, service, agent and device. All its words must occur.
	Text string
}

// AnyEffective stands in a LogFilter for every state in which the order's amount was changed,
// late or not.
const AnyEffective correction.State = "in_force"

// LogSort is an order of the change log.
type LogSort string

// Orders. Rows of the same reduction are listed newest first.
const (
	ByTime      LogSort = ""          // newest first
	ByReduction LogSort = "reduction" // the largest reduction first
)

// Page asks for one page of a list by the key of a row at its edge. At most one of
// Before and After is set.
type Page struct {
	Sort   LogSort
	Before int64          // the rows that follow this id in the order
	After  int64          // the page just in front of this id
	Edge   correction.Fen // with ByReduction: the reduction of the correction named by Before or After; 0 of a veiled one
	Limit  int
}

// MaxTotal is up to where the rows of the change log are counted.
const MaxTotal = 10_000
