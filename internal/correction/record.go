package correction

import (
	"slices"
	"time"
)

// Ref names an order. ServiceID may be empty in a look-up; it is always sent when
// known (domain.md §1.1).
type Ref struct {
	SubMchID   string
	ServiceID  string
	OutOrderNo string
}

// Correction is the record of one proposed change of one order. Everything but
// State and Events is written once, when it is prepared, and never changes.
type Correction struct {
	ID         int64
	Ref        Ref
	Base       Order
	BaseSHA256 [32]byte
	Target     Fen
	Body       []byte // the exact bytes to send
	BodySHA256 [32]byte
	Reason     Reason // frozen by value; Outgoing is the text that is sent
	Ticket     string
	Note       string
	Warnings   []Notice // shown when it was prepared
	AsksTotal  bool     // the new total must be typed to confirm
	AuthorID   int64
	AuthorName string
	SessionID  int64
	RetryOf    int64 // 0 = none

	PreparedAt   time.Time
	ConfirmUntil time.Time
	ConfirmNonce []byte   // the confirmation token is derived from it
	ConfirmHash  [32]byte // SHA-256 of the token

	MerchantName string
	ServiceName  string

	State  State
	Events []Event

	left *Request // of what is sent, what a veil leaves; nil: nothing is kept
}

// Reduction is what the correction gives up.
func (c Correction) Reduction() Fen { return reduction(c.Base.Total, c.Target) }

func reduction(base, target Fen) Fen {
	if target.IsHidden() {
		return HiddenAmount
	}
	return base - target
}

// Last returns the newest event.
func (c Correction) Last() Event {
	if len(c.Events) == 0 {
		return Event{}
	}
	return c.Events[len(c.Events)-1]
}

// Find returns the newest event in the state.
func (c Correction) Find(s State) (Event, bool) {
	for i := len(c.Events) - 1; i >= 0; i-- {
		if c.Events[i].State == s {
			return c.Events[i], true
		}
	}
	return Event{}, false
}

// Entered returns the event with which the correction came to its state. Events
// after it, of the same state, are later readings and what people said of it.
func (c Correction) Entered() Event {
	i := len(c.Events) - 1
	for ; i > 0 && c.Events[i-1].State == c.Events[i].State; i-- {
	}
	if i < 0 {
		return Event{}
	}
	return c.Events[i]
}

// Settled is how the looking after the correction ended, empty while it goes on.
func (c Correction) Settled() Settlement {
	for _, e := range slices.Backward(c.Events) {
		if e.Detail.Settled != "" {
			return e.Detail.Settled
		}
	}
	return ""
}

// Due reports whether the correction left something that a supervisor has to see to
// and nobody has yet.
func (c Correction) Due() bool {
	for _, e := range slices.Backward(c.Events) {
		if e.Detail.Due || e.Detail.Handled {
			return e.Detail.Due
		}
	}
	return false
}

// RequestID is what WeChat called the exchange: that of its answer to the call, before
// there is one that of the newest reading; empty when there is none.
func (c Correction) RequestID() string {
	id := ""
	for _, e := range c.Events {
		if e.Detail.RequestID != "" && (e.Detail.Class != "" || id == "") {
			id = e.Detail.RequestID
		}
	}
	return id
}

// LastReading is the newest reading of the order on record, and when it was made;
// nil when there is none.
func (c Correction) LastReading() (*Order, time.Time) {
	for _, e := range slices.Backward(c.Events) {
		if e.Detail.Reading != nil {
			return e.Detail.Reading, time.UnixMilli(e.Detail.ReadMS)
		}
	}
	return nil, time.Time{}
}

// Event is one entry of a correction's record. N counts from 1 and is the
// compare-and-set key.
type Event struct {
	N         int
	State     State
	At        time.Time
	ActorID   int64 // 0 = the console itself
	ActorName string
	SessionID int64
	Detail    Detail
}

// Detail is what an event knows, stored as JSON. Never holds a secret.
type Detail struct {
	Class     Class    `json:"class,omitempty"`   // of WeChat's answer
	Finding   Finding  `json:"finding,omitempty"` // of the reading that decided
	Obstacle  Obstacle `json:"obstacle,omitempty"`
	Cause     string   `json:"cause,omitempty"` // a Cause* code, or that of a Breach: why nothing was sent, or why the answer is uncertain
	Alarm     string   `json:"alarm,omitempty"` // an Alarm* code
	Status    int      `json:"status,omitempty"`
	Code      string   `json:"code,omitempty"`
	Message   string   `json:"message,omitempty"` // WeChat's words
	RequestID string   `json:"request_id,omitempty"`
	TookMS    int64    `json:"took_ms,omitempty"`
	// Reading is the order as a verified query showed it, and when.
	Reading *Order `json:"reading,omitempty"`
	ReadMS  int64  `json:"read_ms,omitempty"`
	// Typed is the total that the author typed to confirm.
	Typed string `json:"typed,omitempty"`
	// SignMS is the signature time of the POST; the quiet time counts from it.
	SignMS int64  `json:"sign_ms,omitempty"`
	SkewMS int64  `json:"skew_ms,omitempty"` // of this machine's clock, with CauseClock
	Host   string `json:"host,omitempty"`    // that was asked, if not the main one

	// Settled ends the looking after a correction. Due puts it on the list of what a
	// supervisor has to see to, Handled takes it off.
	Settled Settlement `json:"settled,omitempty"`
	Due     bool       `json:"due,omitempty"`
	Handled bool       `json:"handled,omitempty"`
	// Text is a person's words, Ruling what that person found, Agrees the number of
	// the event whose ruling a second person agrees with.
	Text   string `json:"text,omitempty"`
	Ruling Ruling `json:"ruling,omitempty"`
	Agrees int    `json:"agrees,omitempty"`

	// Over are the bounds of the author's allowance that the correction is above, known
	// when it was prepared or submitted for approval. Then it needs a second person.
	Over []Over `json:"over,omitempty"`
	// Listed is set when the service was registered as the correction was prepared.
	Listed bool `json:"listed,omitempty"`
	// Breaches are the rules that ended it before anything was sent; Cause is the code of
	// the first.
	Breaches []Breach `json:"breaches,omitempty"`
	// Blind: it was in the top tier when it was prepared or submitted, so that whoever may
	// decide does not see the amount.
	Blind bool `json:"blind,omitempty"`
	// Alone: who approved it reviewed it too, or was the second person of its ruling, since
	// nobody else could.
	Alone bool `json:"alone,omitempty"`
	// Before is what the author had given up that day when it was submitted.
	Before *Spent `json:"before,omitempty"`
	// BodySHA256 is the hash of the bytes that are approved, in hex.
	BodySHA256 string `json:"body_sha256,omitempty"`
	// Flags are why it is to be looked at, known when it was confirmed.
	Flags []Flag `json:"flags,omitempty"`
	// Review is what a review says; with Text, the question, the answer or the reason.
	Review ReviewMark `json:"review,omitempty"`
}

// Causes: why nothing was sent, or why an answer says nothing certain.
const (
	CauseQueryFailed = "query_failed" // the order could not be read again before sending
	CauseNoRecord    = "no_record"    // the intent could not be put on record
	CauseCrash       = "crash"        // the console stopped in between
	CauseUnreachable = "unreachable"  // no connection; nothing was written
	CauseTimeout     = "timeout"
	CauseReset       = "reset"
	CauseServer      = "server_error" // 5xx
	CauseRate        = "rate_limited"
	CauseSignature   = "signature" // an answer that is not provably WeChat's
	CauseGarbage     = "garbage"   // an answer that is not WeChat's API
	CauseRedirect    = "redirect"
	CauseAccepted    = "accepted_202"
	CauseNotVisible  = "not_visible" // accepted, but the order does not show it yet
	CauseUnread      = "unread"      // refused, but the order could not be read to be sure
	CauseUnconfirmed = "unconfirmed" // accepted, but the order could not be read to be sure
	CauseClock       = "clock"       // this machine's clock is too far off to sign
)

// Alarms: what an operator must look at.
const (
	AlarmSignature = "signature"
	AlarmRedirect  = "redirect"
	AlarmAuth      = "auth" // WeChat does not accept our signature or number
	AlarmLate      = "late" // what was held for not applied took effect
	AlarmLost      = "lost" // an applied correction is no longer what the order says
)

// Class sorts WeChat's answers to a modify call (trust.md §1.5).
type Class string

// Classes of answers.
const (
	Accepted    Class = "accepted"     // 2xx with a valid signature
	Refused     Class = "refused"      // 4xx with a WeChat code: to be confirmed by a query
	NothingSent Class = "nothing_sent" // certainly never left
	Uncertain   Class = "uncertain"    // everything else
)

// Holder says who holds an order.
type Holder struct {
	CorrectionID int64
	UserID       int64
	Name         string
	State        State
	Since        time.Time
}

// Remote is what WeChat answered, for the record and for its support.
type Remote struct {
	Status    int
	Code      string
	Message   string
	RequestID string
}

// Summary is one row of a list of corrections.
type Summary struct {
	ID           int64
	Ref          Ref
	MerchantName string
	ServiceName  string
	AuthorID     int64
	AuthorLogin  string
	AuthorName   string
	Reason       Reason
	Outgoing     string
	Ticket       string
	Note         string
	BaseTotal    Fen
	Target       Fen
	State        State
	PreparedAt   time.Time
	ChangedAt    time.Time // when it came to its state
	ConfirmUntil time.Time
	RequestID    string // of the newest answer of WeChat
	Settled      Settlement
	Due          bool // a supervisor has to see to it
	Review       ReviewMark
	ApproverID   int64 // who approved, declined or returned it; 0 = nobody
	Flagged      bool  // some flag is set, perhaps only FlagSampled
	ApproverName string
	First        Fen // what the order amounted to before anybody's first correction of it; known in the queue only

	// Known in exports and after Complete only.
	Flags       string    // codes, separated by blanks
	Devices     string    // ids, separated by blanks
	ConfirmedAt time.Time // by the author; zero = not confirmed; not known in exports
}

// Reduction is what the correction gives up, or would.
func (s Summary) Reduction() Fen { return reduction(s.BaseTotal, s.Target) }

// GivenUp is what the order is lowered by in all with the correction, where First is
// known: that decides about its tier.
func (s Summary) GivenUp() Fen { return GivenUp(s.First, s.BaseTotal, s.Target) }

// SavedDraft is a form that was typed and not submitted yet.
type SavedDraft struct {
	UserID  int64
	Ref     Ref
	Form    string // as the browser would post it
	SavedAt time.Time
}
