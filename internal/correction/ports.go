package correction

import (
	"context"
	"errors"
	"time"
)

// Store keeps everything. Its operations decide by constraints, not by reading
// first; a nil error means durably recorded.
type Store interface {
	Record
	OrderHistory
	Drafts
	Queues
	Reviews
	Allowances
	SettingVersions
	Catalog
	Audit
}

// Record is the record of corrections as acts append to it.
type Record interface {
	// Prepare stores the correction with its first event and returns its id.
	// ErrMoved when RetryOf has been tried again already, ErrBarred when its author is
	// disabled by now.
	Prepare(ctx context.Context, c Correction) (int64, error)
	// Claim takes the order for the correction and appends the event claimed, in one
	// transaction. ErrTaken when another correction holds the order, ErrMoved when the
	// correction is no longer prepared, *TooMuch when its author's allowance does not
	// suffice. It is judged in that transaction, by t (nil: it is not): one that is no
	// longer permitted is not sent, which is on record with the error *Unpermitted.
	Claim(ctx context.Context, id int64, ref Ref, e Event, t *Trial) error
	// Submit is Claim with the event awaiting approval; what is no longer permitted is void.
	Submit(ctx context.Context, id int64, ref Ref, e Event, t *Trial) error
	// Approve appends approved and claimed in one transaction, if the correction waits
	// for approval with the newest event n; ErrMoved otherwise. Judged as in Claim; a
	// person who may not approve it any more gets an error of kind Forbidden, and it goes
	// on waiting.
	Approve(ctx context.Context, id int64, n int, approved, claimed Event, t *Trial) error
	// MarkSending records the one intent to send. After any error nothing may be sent;
	// ErrCommitUnknown when the record may exist all the same. Judged as in Claim.
	MarkSending(ctx context.Context, id int64, s Signing, e Event, t *Trial) error
	// Append adds an event if the correction is still in state from, whose newest
	// event has number n; ErrMoved otherwise. It releases the order when the new state
	// does not hold it. For states after sending it also checks that the correction
	// still holds the order.
	Append(ctx context.Context, id int64, from State, n int, e Event) error
	Correction(ctx context.Context, id int64) (Correction, error) // with events; ErrNoRow
	// Pending lists what waits to be confirmed or approved and is not over time, with what
	// it is judged by. Void voids one that is no longer permitted, with *Unpermitted.
	Pending(ctx context.Context, now time.Time) ([]Facts, error)
	Void(ctx context.Context, id int64, now time.Time) error
	Expired(ctx context.Context, now time.Time, limit int) ([]int64, error)
	InState(ctx context.Context, states ...State) ([]int64, error)
	// Unfinished lists everything that is still looked after.
	Unfinished(ctx context.Context) ([]Unfinished, error)
}

// OrderHistory is what the record knows about one order.
type OrderHistory interface {
	Holder(ctx context.Context, ref Ref) (*Holder, error) // nil when nobody holds it
	Preparing(ctx context.Context, ref Ref, now time.Time) ([]Holder, error)
	OfOrder(ctx context.Context, ref Ref, limit int) ([]Summary, error)
	LastDevice(ctx context.Context, ref Ref) (Device, error) // zero when never sent
	LastRefusal(ctx context.Context, ref Ref) (*Refusal, error)
	MerchantsOfOrder(ctx context.Context, outOrderNo string, scope Scope) ([]Ref, error)
	// Firsts are what an order amounted to before the first corrections of it that took
	// effect or may have, the one with the id apart.
	Firsts(ctx context.Context, ref Ref, id, author, approver int64) (Firsts, error)
	// Successor is the state of the newest other correction of the same order that was
	// sent after this one came to its state, or was prepared if it is undone: another one
	// may have been confirmed in between. Empty when there is none. One that is known to
	// have changed nothing does not count.
	Successor(ctx context.Context, id int64) (State, error)
	// RetryTail follows the corrections that tried this one again to the newest.
	RetryTail(ctx context.Context, id int64) (int64, error)
}

// Drafts is what people have typed and not prepared, and the orders that their forms were opened on.
type Drafts interface {
	SaveSnapshot(ctx context.Context, hash [32]byte, blob []byte, at time.Time) error
	Snapshot(ctx context.Context, hash [32]byte) ([]byte, error) // ErrNoRow
	// SaveDraft gives up the oldest of the person's drafts beyond MaxDrafts and
	// MaxDraftBytes.
	SaveDraft(ctx context.Context, d SavedDraft) error
	Draft(ctx context.Context, userID int64, ref Ref) (SavedDraft, error) // ErrNoRow
	DeleteDraft(ctx context.Context, userID int64, ref Ref) error
	NoteLook(ctx context.Context, userID int64, ref Ref, at time.Time) error
	LookedAt(ctx context.Context, userID int64, ref Ref) (time.Time, error) // ErrNoRow
}

// Queues is what waits for somebody, and what alarms count.
type Queues interface {
	Awaiting(ctx context.Context, scope Scope, limit int) ([]Summary, error)
	// AwaitingCount counts what came to wait for approval after a time.
	AwaitingCount(ctx context.Context, scope Scope, after time.Time) (int, error)
	Voided(ctx context.Context, scope Scope, since time.Time, limit int) ([]Summary, error)
	// Checked lists the corrections in scope that were prepared since a time, have been
	// confirmed, and needed a second person or have flags: the newest first.
	Checked(ctx context.Context, scope Scope, since time.Time, limit int) ([]int64, error)
	// OfAuthor lists the newest corrections in scope of an author, the newest first.
	OfAuthor(ctx context.Context, scope Scope, author int64, limit int) ([]Summary, error)
	// Attention lists what needs somebody, of one author (0: of everybody). viewer is who
	// asks; what waits for approval or came back from it is shown to its author only.
	Attention(ctx context.Context, scope Scope, author, viewer int64, now time.Time, limit int) ([]Summary, error)
	// Due lists what a supervisor has to see to after it came to its end, oldest first.
	Due(ctx context.Context, scope Scope, limit int) ([]Summary, error)
	// Concerns counts what alarms are made of. An uncertain correction of AlarmAfter and
	// SetBack after that time, or later, counts as well.
	Concerns(ctx context.Context, uncertainBefore time.Time) (Concerns, error)
}

// Reviews is what supervisors review.
type Reviews interface {
	// ReviewList is one page of a part of the review page; more tells whether there are
	// older ones. ReviewCount counts it up to its limit.
	ReviewList(ctx context.Context, q ReviewQuery) (rows []ReviewRow, more bool, err error)
	ReviewCount(ctx context.Context, q ReviewQuery) (int, error)
	// Questions lists the questions that wait for a person, oldest first.
	Questions(ctx context.Context, author int64, limit int) ([]Question, error)
	// AuthorRecord counts a person's corrections since a time that were confirmed, and how
	// many of them a review found wrong.
	AuthorRecord(ctx context.Context, author int64, since time.Time) (confirmed, wrong int, err error)
	// FlagFacts reads what the flags of a correction rest on.
	FlagFacts(ctx context.Context, c Correction, q FlagQuestion) (FlagFacts, error)
}

// Allowances is what people gave up, and what they tried in order to decide.
type Allowances interface {
	// Spent is what a person gave up on their own authority since a time.
	Spent(ctx context.Context, author int64, since time.Time) (Spent, error)
	// Undecided lists the corrections that wait to be confirmed or approved and give up top
	// or more (0: none do), or did so when they were prepared or submitted, and what lapsed
	// before of the same orders.
	Undecided(ctx context.Context, top Fen) ([]Undecided, error)
	// TryTotal counts a total that a person types to approve a correction, before it is
	// compared: n is the number of the try. ErrFull when MaxTries were not right.
	TryTotal(ctx context.Context, id, userID int64, at time.Time) (n int, err error)
	// TotalRight notes that the try n was right: it does not count any more.
	TotalRight(ctx context.Context, id, userID int64, n int) error
	// Tries are the tries that were not right, by person.
	Tries(ctx context.Context, id int64) ([]Tries, error)
}

// SettingVersions is the settings with their history, and the edits that wait for agreement.
type SettingVersions interface {
	// Settings lists the newest version of each setting that was ever edited.
	Settings(ctx context.Context) ([]SettingVersion, error)
	SettingHistory(ctx context.Context, name SettingName, limit int) ([]SettingVersion, error)
	// EditSetting makes a value the next version of a setting and returns its number.
	// ErrMoved when the version in force is another one, ErrNoRight when the person is no
	// active supervisor for all merchants.
	EditSetting(ctx context.Context, e SettingEdit) (int, error)
	// Propose keeps an edit that loosens until somebody decides, and returns its number;
	// one of the same author that waits is withdrawn. ErrMoved when it does not start from
	// what is in force, ErrTaken when somebody else's waits, ErrNoRight.
	Propose(ctx context.Context, p Proposal, ip string) (int, error)
	// Proposals lists what waits; Decided what does not any more, newest first.
	Proposals(ctx context.Context) ([]Proposal, error)
	Decided(ctx context.Context, name string, limit int) ([]Proposal, error)
	// Decide ends a proposal and, if that is how, puts it into force, in one transaction.
	// ErrNoRow and ErrMoved when it does not wait, or something is not as it was judged;
	// ErrNoRight, ErrAuthorGone.
	Decide(ctx context.Context, a Agreement) error
}

// Catalog is merchants, services and people.
type Catalog interface {
	Merchant(ctx context.Context, subMchID string) (Merchant, error) // ErrNoRow
	Merchants(ctx context.Context) ([]Merchant, error)
	Offering(ctx context.Context, serviceID string) (Offering, error) // ErrNoRow
	Offerings(ctx context.Context) ([]Offering, error)
	// EditMerchant and EditOffering add (before is nil) or change what is still as
	// before, on the record; ErrMoved otherwise, ErrNoRight when the person may not. A
	// service that becomes looser is not changed: ErrLoosens, see Propose.
	EditMerchant(ctx context.Context, before *Merchant, m Merchant, actor int64, ip string, at time.Time) error
	EditOffering(ctx context.Context, before *Offering, o Offering, actor int64, ip string, at time.Time) error
	CatalogHistory(ctx context.Context, name string, limit int) ([]CatalogEdit, error)
	// People lists everybody, disabled or not, by login.
	People(ctx context.Context) ([]Person, error)
	// PersonByID is somebody as they are now; ErrNoRow.
	PersonByID(ctx context.Context, id int64) (Person, error)
}

// Audit is the record of acts that are no corrections.
type Audit interface {
	AppendAudit(ctx context.Context, a AuditEntry) error
}

// AuditEntry records an act that is no correction: signing in, an export, a
// setting.
type AuditEntry struct {
	At     time.Time
	UserID int64 // 0 = nobody signed in, or the command line
	Action string
	Detail string
	IP     string
}

// Errors of a Store.
var (
	ErrNoRow         = errors.New("no such record")
	ErrTaken         = errors.New("the order is held by another correction")
	ErrMoved         = errors.New("the correction is no longer in that state")
	ErrBarred        = errors.New("the person may not do that any more")
	ErrFull          = errors.New("there are as many as there may be")
	ErrCommitUnknown = errors.New("it is not known whether the record was written")
)

// Gateway talks to WeChat Pay.
type Gateway interface {
	// Query reads an order. Errors are *Error of kind NotFound, Upstream or
	// Unavailable; a Reading is always signature-verified.
	Query(ctx context.Context, ref Ref) (Reading, error)
	// Modify makes the call once, with exactly these bytes, and never repeats it.
	Modify(ctx context.Context, ref Ref, body []byte, s Signing) Answer
}

// Journal is the second record, on another disk if possible: what was sent and what
// became of it. It is read when the first one is lost.
type Journal interface {
	// Sending records a correction, with its events up to the intent, just before it is
	// sent. After an error nothing may be sent.
	Sending(ctx context.Context, c Correction, s Signing) error
	// Event records what became of a correction that may have been sent.
	Event(ctx context.Context, c Correction, e Event) error
}
