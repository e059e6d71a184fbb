package correction

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Store keeps everything. Its operations decide by constraints, not by reading
// first; a nil error means durably recorded.
type Store interface {
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

	SaveSnapshot(ctx context.Context, hash [32]byte, blob []byte, at time.Time) error
	Snapshot(ctx context.Context, hash [32]byte) ([]byte, error) // ErrNoRow

	// SaveDraft gives up the oldest of the person's drafts beyond MaxDrafts and
	// MaxDraftBytes.
	SaveDraft(ctx context.Context, d SavedDraft) error
	Draft(ctx context.Context, userID int64, ref Ref) (SavedDraft, error) // ErrNoRow
	DeleteDraft(ctx context.Context, userID int64, ref Ref) error

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
	// Pending lists what waits to be confirmed or approved and is not over time, with what
	// it is judged by. Void voids one that is no longer permitted, with *Unpermitted.
	Pending(ctx context.Context, now time.Time) ([]Facts, error)
	Void(ctx context.Context, id int64, now time.Time) error
	// Firsts are what an order amounted to before the first corrections of it that took
	// effect or may have, the one with the id apart.
	Firsts(ctx context.Context, ref Ref, id, author, approver int64) (Firsts, error)
	// PersonByID is somebody as they are now; ErrNoRow.
	PersonByID(ctx context.Context, id int64) (Person, error)
	Awaiting(ctx context.Context, scope Scope, limit int) ([]Summary, error)
	// AwaitingCount counts what came to wait for approval after a time.
	AwaitingCount(ctx context.Context, scope Scope, after time.Time) (int, error)
	// AuthorRecord counts a person's corrections since a time that were confirmed, and how
	// many of them a review found wrong.
	AuthorRecord(ctx context.Context, author int64, since time.Time) (confirmed, wrong int, err error)
	Voided(ctx context.Context, scope Scope, since time.Time, limit int) ([]Summary, error)
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
	// Spent is what a person gave up on their own authority since a time.
	Spent(ctx context.Context, author int64, since time.Time) (Spent, error)
	NoteLook(ctx context.Context, userID int64, ref Ref, at time.Time) error
	// FlagFacts reads what the flags of a correction rest on.
	FlagFacts(ctx context.Context, c Correction, q FlagQuestion) (FlagFacts, error)
	LookedAt(ctx context.Context, userID int64, ref Ref) (time.Time, error) // ErrNoRow
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
	// Checked lists the corrections in scope that were prepared since a time, have been
	// confirmed, and needed a second person or have flags: the newest first.
	Checked(ctx context.Context, scope Scope, since time.Time, limit int) ([]int64, error)
	// MarkSending records the one intent to send. After any error nothing may be sent;
	// ErrCommitUnknown when the record may exist all the same. Judged as in Claim.
	MarkSending(ctx context.Context, id int64, s Signing, e Event, t *Trial) error
	// Append adds an event if the correction is still in state from, whose newest
	// event has number n; ErrMoved otherwise. It releases the order when the new state
	// does not hold it. For states after sending it also checks that the correction
	// still holds the order.
	Append(ctx context.Context, id int64, from State, n int, e Event) error

	Correction(ctx context.Context, id int64) (Correction, error) // with events; ErrNoRow
	Holder(ctx context.Context, ref Ref) (*Holder, error)         // nil when nobody holds it
	Preparing(ctx context.Context, ref Ref, now time.Time) ([]Holder, error)
	OfOrder(ctx context.Context, ref Ref, limit int) ([]Summary, error)
	LastDevice(ctx context.Context, ref Ref) (Device, error) // zero when never sent
	LastRefusal(ctx context.Context, ref Ref) (*Refusal, error)
	MerchantsOfOrder(ctx context.Context, outOrderNo string, scope Scope) ([]Ref, error)
	// OfAuthor lists the newest corrections in scope of an author, the newest first.
	OfAuthor(ctx context.Context, scope Scope, author int64, limit int) ([]Summary, error)
	// Attention lists what needs somebody, of one author (0: of everybody). viewer is who
	// asks; what waits for approval or came back from it is shown to its author only.
	Attention(ctx context.Context, scope Scope, author, viewer int64, now time.Time, limit int) ([]Summary, error)
	InState(ctx context.Context, states ...State) ([]int64, error)
	// Watched lists everything that is still looked after.
	Watched(ctx context.Context) ([]Watched, error)
	// Successor is the state of the newest other correction of the same order that was
	// sent after this one came to its state, or was prepared if it is undone: another one
	// may have been confirmed in between. Empty when there is none. One that is known to
	// have changed nothing does not count.
	Successor(ctx context.Context, id int64) (State, error)
	// RetryTail follows the corrections that tried this one again to the newest.
	RetryTail(ctx context.Context, id int64) (int64, error)
	// Due lists what a supervisor has to see to after it came to its end, oldest first.
	Due(ctx context.Context, scope Scope, limit int) ([]Summary, error)
	// Concerns counts what alarms are made of. An uncertain correction of AlarmAfter and
	// SetBack after that time, or later, counts as well.
	Concerns(ctx context.Context, uncertainBefore time.Time) (Concerns, error)
	Expired(ctx context.Context, now time.Time, limit int) ([]int64, error)
	// ReviewList is one page of a part of the review page; more tells whether there are
	// older ones. ReviewCount counts it up to its limit.
	ReviewList(ctx context.Context, q ReviewQuery) (rows []ReviewRow, more bool, err error)
	ReviewCount(ctx context.Context, q ReviewQuery) (int, error)
	// Questions lists the questions that wait for a person, oldest first.
	Questions(ctx context.Context, author int64, limit int) ([]Question, error)
	AppendAudit(ctx context.Context, a AuditEntry) error
}

// Author is a person who has corrected something, for filters.
type Author struct {
	ID    int64
	Login string
	Name  string
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

// Signing is the time and the nonce that a request is signed with. They are chosen
// and recorded before it is sent.
type Signing struct {
	At    time.Time // whole seconds
	Nonce string
}

// NewSigning picks the time and a nonce of 32 characters for a request.
func NewSigning(now time.Time) Signing {
	b := make([]byte, 16)
	rand.Read(b)
	return Signing{At: now.Truncate(time.Second), Nonce: hex.EncodeToString(b)}
}

// Reading is a verified answer to a query.
type Reading struct {
	Order     Order
	At        time.Time
	RequestID string
	// Skew is how far WeChat's signed time was ahead of this machine's (negative:
	// behind), beyond what the length of the call and whole seconds explain.
	Skew time.Duration
	Host string // that answered; empty for the main one
}

// Answer is WeChat's answer to a modify call, sorted into a class.
type Answer struct {
	Class    Class
	Cause    string
	Alarm    string
	Obstacle Obstacle // Charging or Deposit when the words say so
	Remote   Remote
	Took     time.Duration
	Host     string // that was asked; empty for the main one
}

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

// Service is the use cases of correcting. Safe for concurrent use.
type Service struct {
	Store   Store
	Gateway Gateway
	Journal Journal
	Policy  Policy
	Key     []byte // derives confirmation tokens and draws the sample; 32 bytes
	Now     func() time.Time
	Log     *slog.Logger
	Machine func() Machine // nil: nothing is known of it
	Zone    *time.Location // in which days begin; nil: UTC
	// Submitted is told of each correction that came to wait for approval; it must not
	// block. nil: nobody is told.
	Submitted func(Correction)

	Lookups Lookups // its limit is set before the service is used

	inFlight  sync.Map // ids of corrections whose confirmation runs in this process
	pending   sync.Map // id → pendingEvent: outcomes that the store did not take
	pendingMu sync.Mutex
	appending [256]sync.Mutex // by id: held from the record of an event to its line in the journal
	watch     watch
	alarms    alarms
	counts    counts
	editing   sync.Mutex // held while a setting is judged and stored
	settings  aged[Settings]
	waiting   aged[waitingEdits]
}

// Timeouts of the steps of a confirmation: three waits for the store, two queries and
// the call itself. The server's limit of an answer is above their sum.
const (
	readAgainWithin = 12 * time.Second
	storeWithin     = 10 * time.Second
)

// pageOfOrder bounds the list of earlier corrections on an order's page.
const pageOfOrder = 20

// OrderView is all that the page of an order shows.
type OrderView struct {
	Order     Order
	ReadAt    time.Time
	RequestID string
	Merchant  Merchant
	Offering  Offering
	Obstacle  Obstacle
	Refusal   *Refusal
	Holder    *Holder  // who holds the order, if anybody
	Preparing []Holder // corrections waiting to be confirmed
	Earlier   []Summary
	CanEdit   bool
}

// ReadOrder reads the live order for the actor. Orders of merchants out of scope
// are not found: merchantFor decides that for one order, correctionFor for one
// correction, Actor.Reach for lists.
func (s *Service) ReadOrder(ctx context.Context, a Actor, ref Ref) (OrderView, error) {
	m, err := s.merchantFor(ctx, a, ref)
	if err != nil {
		return OrderView{}, err
	}
	r, err := s.Gateway.Query(ctx, ref)
	if err != nil {
		return OrderView{}, err
	}
	return s.View(ctx, a, m, r)
}

// View completes a reading of an order with what the console knows about it.
func (s *Service) View(ctx context.Context, a Actor, m Merchant, r Reading) (OrderView, error) {
	o := r.Order
	ref := Ref{SubMchID: o.SubMchID, ServiceID: o.ServiceID, OutOrderNo: o.OutOrderNo}
	v := OrderView{Order: o, ReadAt: r.At, RequestID: r.RequestID, Merchant: m}
	var err error
	if v.Offering, err = s.offering(ctx, o.ServiceID); err != nil {
		return v, err
	}
	if v.Earlier, err = s.Store.OfOrder(ctx, ref, pageOfOrder); err != nil {
		return v, err
	}
	if err := s.VeilRows(ctx, a, v.Earlier); err != nil {
		return v, err
	}
	v.Earlier = s.asOfNow(v.Earlier)
	if len(v.Earlier) > 0 { // everything below only exists where a correction does
		if v.Holder, err = s.Store.Holder(ctx, ref); err != nil {
			return v, err
		}
		if v.Preparing, err = s.Store.Preparing(ctx, ref, s.Now()); err != nil {
			return v, err
		}
		if v.Refusal, err = s.Store.LastRefusal(ctx, ref); err != nil {
			return v, err
		}
	}
	v.Obstacle = o.WhyNot(v.Refusal, s.Now())
	v.CanEdit = v.Obstacle == NoObstacle && v.Holder == nil && a.Can(Correct)
	return v, nil
}

func (s *Service) merchantFor(ctx context.Context, a Actor, ref Ref) (Merchant, error) {
	if !a.Can(ReadOrders) {
		return Merchant{}, fail(Forbidden, CodeForbidden, nil)
	}
	if !a.Scope.Allows(ref.SubMchID) || !ValidOrderNo(ref.OutOrderNo) {
		return Merchant{}, fail(NotFound, CodeNotFound, nil)
	}
	m, err := s.Store.Merchant(ctx, ref.SubMchID)
	if errors.Is(err, ErrNoRow) {
		return Merchant{}, fail(NotFound, CodeNotFound, err)
	}
	return m, err
}

func (s *Service) offering(ctx context.Context, serviceID string) (Offering, error) {
	o, err := s.Store.Offering(ctx, serviceID)
	if errors.Is(err, ErrNoRow) {
		return Offering{ServiceID: serviceID}, nil
	}
	return o, err
}

// maxLookups is how many merchants a look-up without a merchant may ask.
const maxLookups = 8

// findWithin bounds all the queries of one look-up.
const findWithin = 25 * time.Second

// Found is the result of a look-up without a merchant.
type Found struct {
	Refs  []Ref // where the order was found
	Asked int   // merchants that were asked; 0 when there are too many
}

// FindOrder looks for an order number among the console's own records, then, if
// there are few, among the merchants in scope, one after the other.
func (s *Service) FindOrder(ctx context.Context, a Actor, serviceID, outOrderNo string) (Found, error) {
	if !a.Can(ReadOrders) {
		return Found{}, fail(Forbidden, CodeForbidden, nil)
	}
	refs, err := s.Store.MerchantsOfOrder(ctx, outOrderNo, a.Scope)
	if err != nil || len(refs) > 0 {
		return Found{Refs: refs}, err
	}
	merchants, err := s.MerchantsFor(ctx, a)
	if err != nil || len(merchants) > maxLookups {
		return Found{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	defer cancel()
	share, done, ok := s.Lookups.guess(ctx, a.UserID)
	if !ok {
		return Found{}, tooFast(CodeSearching, guessesAside)
	}
	defer done()
	var f Found
	for _, m := range merchants {
		if share(ctx) != nil {
			return f, tooFast(CodeSearching, guessesAside)
		}
		r, err := s.Gateway.Query(ctx, Ref{SubMchID: m.SubMchID, ServiceID: serviceID, OutOrderNo: outOrderNo})
		f.Asked++
		switch {
		case err == nil:
			f.Refs = append(f.Refs, Ref{SubMchID: m.SubMchID, ServiceID: r.Order.ServiceID, OutOrderNo: outOrderNo})
		case KindOf(err) != NotFound:
			return f, err
		}
	}
	return f, nil
}

// MerchantsFor lists the merchants in the actor's scope.
func (s *Service) MerchantsFor(ctx context.Context, a Actor) ([]Merchant, error) {
	all, err := s.Store.Merchants(ctx)
	if err != nil {
		return nil, err
	}
	var out []Merchant
	for _, m := range all {
		if a.Scope.Allows(m.SubMchID) {
			out = append(out, m)
		}
	}
	return out, nil
}

// Opened is a live order with what a new form of it starts from.
type Opened struct {
	OrderView
	Base   [32]byte // hash of the order, which the form carries
	Device Device   // of our own last correction of it (product.md §4.7)
}

// OpenForm reads the live order for a new form and remembers it as its base.
func (s *Service) OpenForm(ctx context.Context, a Actor, ref Ref) (Opened, error) {
	if !a.Can(Correct) {
		return Opened{}, fail(Forbidden, CodeForbidden, nil)
	}
	v, err := s.ReadOrder(ctx, a, ref)
	if err != nil {
		return Opened{}, err
	}
	if err := s.writable(); err != nil {
		return Opened{}, err
	}
	o := Opened{OrderView: v}
	blob, hash := v.Order.Snapshot()
	o.Base = hash
	if err := s.Store.SaveSnapshot(ctx, hash, blob, s.Now()); err != nil {
		return o, fail(Unavailable, CodeNoRecord, err)
	}
	if err := s.Store.NoteLook(ctx, a.UserID, ref, s.Now()); err != nil {
		return o, fail(Unavailable, CodeNoRecord, err)
	}
	o.Device, err = s.Store.LastDevice(ctx, ref)
	return o, err
}

// Preview checks a form against the order it was opened on, without asking WeChat.
// The order is known by the hash that the form carries as its base.
func (s *Service) Preview(ctx context.Context, a Actor, f Form) (Order, Offering, Checked, error) {
	if !a.Can(Correct) {
		return Order{}, Offering{}, Checked{}, fail(Forbidden, CodeForbidden, nil)
	}
	base, err := s.base(ctx, f.Base)
	if err != nil {
		return base, Offering{}, Checked{}, err
	}
	if _, err := s.merchantFor(ctx, a, Ref{SubMchID: base.SubMchID, OutOrderNo: base.OutOrderNo}); err != nil {
		return Order{}, Offering{}, Checked{}, err
	}
	svc, err := s.offering(ctx, base.ServiceID)
	if err != nil {
		return base, svc, Checked{}, err
	}
	policy, err := s.PolicyNow(ctx)
	if err != nil {
		return base, svc, Checked{}, err
	}
	return base, svc, policy.Check(f, base, svc), nil
}

// base finds the order that a form was opened on by its hash. One that this
// console never showed is refused.
func (s *Service) base(ctx context.Context, hash string) (Order, error) {
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) != sha256.Size {
		return Order{}, fail(Conflict, CodeBaseUnknown, err)
	}
	blob, err := s.Store.Snapshot(ctx, [32]byte(raw))
	if errors.Is(err, ErrNoRow) {
		return Order{}, fail(Conflict, CodeBaseUnknown, err)
	}
	if err != nil {
		return Order{}, err
	}
	return ParseSnapshot(blob)
}

// Shown returns the order of ref as this console showed it under a hash; ErrNoRow when it
// never did.
func (s *Service) Shown(ctx context.Context, ref Ref, hash string) (Order, error) {
	o, err := s.base(ctx, hash)
	if CodeOf(err) == CodeBaseUnknown || err == nil && (o.SubMchID != ref.SubMchID || o.OutOrderNo != ref.OutOrderNo) {
		return Order{}, ErrNoRow
	}
	return o, err
}

// KeepShown keeps an order for Shown and returns its hash.
func (s *Service) KeepShown(ctx context.Context, o Order) (string, error) {
	blob, hash := o.Snapshot()
	if err := s.Store.SaveSnapshot(ctx, hash, blob, s.Now()); err != nil {
		return "", fail(Unavailable, CodeNoRecord, err)
	}
	return hex.EncodeToString(hash[:]), nil
}

// PrepareResult is the new correction's id, or what stands in its way. Now is set with an error of code CodeOrderMoved or CodeNotCorrecting.
type PrepareResult struct {
	ID       int64
	Base     Order
	Offering Offering
	Checked  Checked
	Now      *OrderView
}

// Prepare turns a form into a correction that waits to be confirmed. The order is
// read again: if it is not what the form was opened on, nothing is prepared. from is
// the correction that this one tries again, 0 for none. An error of kind Invalid
// comes with Checked.Problems.
func (s *Service) Prepare(ctx context.Context, a Actor, ref Ref, f Form, from int64) (PrepareResult, error) {
	var r PrepareResult
	var err error
	r.Base, r.Offering, r.Checked, err = s.Preview(ctx, a, f)
	if err != nil {
		return r, err
	}
	if r.Base.SubMchID != ref.SubMchID || r.Base.OutOrderNo != ref.OutOrderNo {
		return r, fail(Conflict, CodeBaseUnknown, nil)
	}
	if !r.Checked.OK() {
		return r, fail(Invalid, "invalid", nil)
	}
	if err := s.writable(); err != nil {
		return r, err
	}
	if err := s.counting(a, actSubmit); err != nil {
		return r, err
	}
	now, err := s.ReadOrder(ctx, a, Ref{SubMchID: ref.SubMchID, ServiceID: r.Base.ServiceID, OutOrderNo: ref.OutOrderNo})
	if err != nil {
		return r, err
	}
	r.Now = &now
	switch {
	case now.Holder != nil:
		return r, &Error{Kind: Conflict, Code: CodeBusy, Holder: now.Holder}
	case now.Obstacle != NoObstacle:
		return r, fail(Conflict, CodeNotCorrecting, nil)
	case !now.Order.SameMoney(r.Base):
		return r, fail(Conflict, CodeOrderMoved, nil)
	}
	c := s.compose(a, now, r.Checked)
	if c.RetryOf, err = s.retryOf(ctx, a, from, c.Ref); err != nil {
		return r, err
	}
	own, err := s.Standing(ctx, a, c.Ref, 0)
	if err != nil {
		return r, err
	}
	c.Events[0].Detail.Over = own.Check(c.Base.Total, c.Target)
	if _, err := s.Store.Offering(ctx, c.Ref.ServiceID); err == nil {
		c.Events[0].Detail.Listed = true
	} else if !errors.Is(err, ErrNoRow) {
		return r, err
	}
	if c.Events[0].Detail.Blind, err = s.inTopTier(ctx, c); err != nil {
		return r, err
	}
	r.ID, err = s.Store.Prepare(context.WithoutCancel(ctx), c)
	if errors.Is(err, ErrBarred) {
		return r, fail(Forbidden, CodeForbidden, err)
	}
	if errors.Is(err, ErrMoved) { // somebody else tried it again at the same moment
		return r, fail(Conflict, CodeRetried, err)
	}
	if err != nil {
		return r, fail(Unavailable, CodeNoRecord, err)
	}
	step("prepared") // the draft stays until it is confirmed or withdrawn: Back leads to the form again
	return r, nil
}

// retryOf is the correction that a new one tries again: from, or the newest that
// tried it before and came to nothing. 0 when it is none of this order, or when
// nothing is to be tried again.
func (s *Service) retryOf(ctx context.Context, a Actor, from int64, ref Ref) (int64, error) {
	if from == 0 {
		return 0, nil
	}
	old, err := s.Correction(ctx, a, from)
	if KindOf(err) == NotFound || err == nil && (old.Ref.SubMchID != ref.SubMchID || old.Ref.OutOrderNo != ref.OutOrderNo) {
		return 0, nil // a form says what it likes
	}
	if err != nil {
		return 0, err
	}
	id, err := s.Store.RetryTail(ctx, old.ID)
	if err != nil {
		return 0, err
	}
	tail, err := s.Store.Correction(ctx, id)
	if err != nil {
		return 0, err
	}
	if !tail.State.Undone() && tail.State != Stale && tail.State != Expiry && tail.State != Withdrawn && tail.State != Void && tail.State != Returned && tail.State != Declined {
		return 0, nil // it stands for itself
	}
	return id, nil
}

func (s *Service) compose(a Actor, v OrderView, ch Checked) Correction {
	o := v.Order
	req := Request{
		ServiceID: o.ServiceID, SubMchID: o.SubMchID,
		Lines: ch.Lines, Discounts: ch.Discounts, Total: ch.Total, Reason: ch.Outgoing, Device: ch.Device,
		ClearDiscounts: len(o.Discounts) > 0 && len(ch.Discounts) == 0,
	}
	reason := ch.Reason
	reason.Outgoing = ch.Outgoing
	now := s.Now()
	c := Correction{
		Ref:  Ref{SubMchID: o.SubMchID, ServiceID: o.ServiceID, OutOrderNo: o.OutOrderNo},
		Base: o, Target: ch.Total, Body: req.Body(),
		Reason: reason, Ticket: ch.Ticket, Note: ch.Note, Warnings: ch.Warnings,
		AsksTotal: s.Policy.AsksTotal(o.Total, ch.Total),
		AuthorID:  a.UserID, AuthorName: a.Name, SessionID: a.SessionID,
		PreparedAt: now, ConfirmUntil: now.Add(s.Policy.ConfirmWithin),
		ConfirmNonce: make([]byte, 16),
	}
	_, c.BaseSHA256 = o.Snapshot()
	c.BodySHA256 = sha256.Sum256(c.Body)
	rand.Read(c.ConfirmNonce)
	c.ConfirmHash = sha256.Sum256([]byte(s.Token(c)))
	c.Events = []Event{{N: 1, State: Prepared, At: now, ActorID: a.UserID, SessionID: a.SessionID}}
	return c
}

// Token is the single-use confirmation token of a prepared correction. It is
// derived, so that a reloaded page shows the same one; the store holds its hash
// only. The correction's state makes it single-use.
func (s *Service) Token(c Correction) string {
	mac := hmac.New(sha256.New, s.Key)
	io.WriteString(mac, "confirm\x00")
	mac.Write(c.ConfirmNonce)
	mac.Write(c.BodySHA256[:])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Correction reads a correction for the actor, as it stands now: one whose time to
// confirm or to approve is over counts as expired, whether that is on record already or
// not. What the actor may not see yet is left out (veil.go).
func (s *Service) Correction(ctx context.Context, a Actor, id int64) (Correction, error) {
	c, err := s.current(ctx, a, id)
	if err != nil {
		return c, err
	}
	return s.VeilOf(ctx, a, c)
}

// current is Correction with nothing left out, to act upon.
func (s *Service) current(ctx context.Context, a Actor, id int64) (Correction, error) {
	c, err := s.correctionFor(ctx, a, id)
	if err == nil && s.overdue(c) {
		until := c.ConfirmUntil
		if c.State == Awaiting {
			until = c.ApproveUntil()
		}
		c.State = Expiry
		c.Events = append(c.Events, Event{N: c.Last().N + 1, State: Expiry, At: until})
	}
	return c, err
}

func (s *Service) overdue(c Correction) bool {
	return Overdue(c.State, c.ConfirmUntil, c.Entered().At, s.Now())
}

// correctionFor is the one place where a correction is read for a person: what is
// out of scope, or somebody else's for an agent, is not found.
func (s *Service) correctionFor(ctx context.Context, a Actor, id int64) (Correction, error) {
	if !a.Can(ReadCorrections) {
		return Correction{}, fail(Forbidden, CodeForbidden, nil)
	}
	c, err := s.Store.Correction(ctx, id)
	if errors.Is(err, ErrNoRow) {
		return c, fail(NotFound, CodeNotFound, err)
	}
	if err != nil {
		return c, err
	}
	if !a.Scope.Allows(c.Ref.SubMchID) || (c.AuthorID != a.UserID && !a.Can(ReadAllOf)) {
		return Correction{}, fail(NotFound, CodeNotFound, nil)
	}
	return c, nil
}

// ExpireOverdue expires every correction whose time to confirm or to approve is over.
func (s *Service) ExpireOverdue(ctx context.Context) error {
	ids, err := s.Store.Expired(ctx, s.Now(), 500)
	if err != nil {
		return err
	}
	var errs []error // one damaged record does not keep the others
	for _, id := range ids {
		c, err := s.Store.Correction(ctx, id)
		if err == nil && s.overdue(c) {
			err = s.append(ctx, c, c.State, c.Last().N, Event{State: Expiry, At: s.Now()})
		}
		if err != nil && !errors.Is(err, ErrMoved) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Withdraw takes back a correction that was not confirmed, or not approved yet.
func (s *Service) Withdraw(ctx context.Context, a Actor, id int64) error {
	c, err := s.Correction(ctx, a, id)
	if err != nil {
		return err
	}
	if c.AuthorID != a.UserID || !a.Can(Correct) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	if c.State != Prepared && c.State != Awaiting {
		return fail(Conflict, CodeTokenUsed, nil)
	}
	err = s.append(context.WithoutCancel(ctx), c, c.State, c.Last().N,
		Event{State: Withdrawn, At: s.Now(), ActorID: a.UserID, SessionID: a.SessionID})
	if errors.Is(err, ErrMoved) {
		return fail(Conflict, CodeTokenUsed, err)
	}
	if err != nil {
		return fail(Unavailable, CodeNoRecord, err)
	}
	return nil
}

// Confirm carries out a prepared correction: trust.md §1.4, step by step. The POST
// is made at most once for a correction, ever. When it returns nil, or an error of
// code CodeTokenUsed or CodeExpired, the correction's page tells what happened.
func (s *Service) Confirm(ctx context.Context, a Actor, id int64, token, typedTotal string) error {
	c, err := s.Correction(ctx, a, id)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // a closed browser tab must not reach the database or the POST
	if c.AuthorID != a.UserID || !a.Can(Correct) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], c.ConfirmHash[:]) != 1 {
		return fail(Conflict, CodeTokenWrong, nil)
	}
	switch c.State {
	case Prepared:
	case Expiry:
		if err := s.ExpireOverdue(ctx); err != nil {
			s.Log.Error("expire corrections", "err", err)
		}
		return fail(Conflict, CodeExpired, nil)
	default:
		return fail(Conflict, CodeTokenUsed, nil)
	}
	if err := s.writable(); err != nil {
		return err
	}
	if c.AsksTotal {
		if t, err := ParseYuan(typedTotal); err != nil || t != c.Target {
			return fail(Invalid, CodeTypedTotal, err)
		}
	} else {
		typedTotal = ""
	}

	if _, running := s.inFlight.LoadOrStore(id, true); running {
		return fail(Conflict, CodeTokenUsed, nil)
	}
	defer s.inFlight.Delete(id)

	own, err := s.Standing(ctx, a, c.Ref, c.ID)
	if err != nil {
		return err
	}
	// What was shown as needing a second person needs one, whatever the limits are now.
	over := own.Check(c.Base.Total, c.Target)
	if len(over) == 0 {
		over = c.Over()
	}
	if len(over) > 0 {
		return s.submit(ctx, a, c, over, own.Today, typedTotal)
	}
	flags, err := s.flagsOf(ctx, c, own)
	if err != nil {
		return err
	}
	claim := Event{State: Claimed, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Detail: Detail{Typed: typedTotal, Flags: flags}}
	trial := Trial{Alone: true, Since: own.Since}
	var much *TooMuch
	var end *Unpermitted
	switch err := s.storing(ctx, func(ctx context.Context) error { return s.Store.Claim(ctx, id, c.Ref, claim, &trial) }); {
	case errors.As(err, &much): // spent by another one, or a limit was edited, at the same moment
		s.ForgetSettings()
		return s.submit(ctx, a, c, much.Over, much.Today, typedTotal)
	case errors.As(err, &end): // its page tells why
		s.stopped(ctx, c, end)
		return nil
	case errors.Is(err, ErrTaken):
		return s.taken(ctx, c)
	case errors.Is(err, ErrMoved):
		return fail(Conflict, CodeTokenUsed, err)
	case err != nil:
		s.abandon(ctx, id, Claimed) // the claim may be on record all the same
		return fail(Unavailable, CodeNoRecord, err)
	}
	c.State, claim.N = Claimed, c.Last().N+1
	c.Events = append(c.Events, claim)
	step("claimed")
	err = s.send(ctx, c, trial)
	step("page")
	return err
}

// send carries out a claimed correction, which is judged by t once more with the intent.
func (s *Service) send(ctx context.Context, c Correction, t Trial) error {
	n := c.Last().N
	now, err := s.read(ctx, c.Ref)
	if err != nil {
		return s.conclude(ctx, c, Claimed, n, NotSent, s.failure(err, CauseQueryFailed))
	}
	reading := func(d Detail) Detail {
		d.Reading, d.ReadMS = &now.Order, now.At.UnixMilli()
		return d
	}
	if !now.Order.SameMoney(c.Base) || !now.Order.Completed() {
		return s.conclude(ctx, c, Claimed, n, Stale, reading(Detail{}))
	}
	if now.Skew.Abs() >= RefuseSkew { // WeChat would refuse the signature soon (trust.md §1.9)
		return s.conclude(ctx, c, Claimed, n, NotSent, Detail{Class: NothingSent, Cause: CauseClock, SkewMS: now.Skew.Milliseconds()})
	}
	step("reread")

	sign := NewSigning(s.Now())
	intent := Event{N: n + 1, State: Sending, At: s.Now(), Detail: Detail{SignMS: sign.At.UnixMilli(), SkewMS: now.Skew.Milliseconds()}}
	err = s.storing(ctx, func(ctx context.Context) error { return s.Store.MarkSending(ctx, c.ID, sign, intent, &t) })
	var end *Unpermitted
	if errors.As(err, &end) { // its page tells why
		s.stopped(ctx, c, end)
		return nil
	}
	if errors.Is(err, ErrMoved) { // its page tells how it stands; nothing is sent
		return fail(Conflict, CodeTokenUsed, err)
	}
	if err != nil {
		s.Log.Error("the intent is not on record; nothing is sent", "correction", c.ID, "err", err)
		s.abandon(ctx, c.ID, Claimed, Sending)
		return fail(Unavailable, CodeNoRecord, err)
	}
	n++
	c.State, c.Events = Sending, append(c.Events, intent)
	step("intent")
	if err := s.storing(ctx, func(ctx context.Context) error { return s.Journal.Sending(ctx, c, sign) }); err != nil {
		s.alarms.journal.Store(true)
		s.Log.Error("alarm", "kind", JournalFailed, "correction", c.ID, "state", Sending, "err", err)
		if err := s.conclude(ctx, c, Sending, n, NotSent, Detail{Class: NothingSent, Cause: CauseNoRecord}); err != nil {
			return err
		}
		return fail(Unavailable, CodeNoRecord, err)
	}
	step("journal")

	step("post")
	answer := s.Gateway.Modify(ctx, c.Ref, c.Body, sign)
	step("answer")
	s.counts.sent.Add(1)
	d := Detail{
		Class: answer.Class, Cause: answer.Cause, Alarm: answer.Alarm, Obstacle: answer.Obstacle,
		Status: answer.Remote.Status, Code: answer.Remote.Code, Message: answer.Remote.Message,
		RequestID: answer.Remote.RequestID, TookMS: answer.Took.Milliseconds(), SignMS: sign.At.UnixMilli(), SkewMS: now.Skew.Milliseconds(),
		Host: answer.Host,
	}
	if d.Alarm != "" {
		s.Log.Error("alarm", "kind", d.Alarm, "correction", c.ID, "status", d.Status, "request_id", d.RequestID)
	}
	state := Unknown
	switch answer.Class {
	case NothingSent:
		state = NotSent
	case Accepted, Refused:
		state, d = s.readBack(ctx, c, answer.Class, d)
	default:
		d.Class = Uncertain
	}
	step("readback")
	return s.conclude(ctx, c, Sending, n, state, d)
}

// readBack confirms a certain answer by reading the order again. WeChat documents
// neither that error bodies are authentic (they are not signed) nor how soon a
// query shows a change: what cannot be confirmed stays unknown.
func (s *Service) readBack(ctx context.Context, c Correction, class Class, d Detail) (State, Detail) {
	asked := s.Now()
	now, err := s.read(ctx, c.Ref)
	if err != nil {
		d.Cause = CauseUnread
		if class == Accepted {
			// The signature of an empty answer does not say which request it is for: an old one,
			// played again, would pass. The order tells, within seconds as a rule.
			d.Cause = CauseUnconfirmed
		}
		return Unknown, d
	}
	v := s.evidence(c, now, asked, d).Decide(s.Policy.Quiet)
	d.Finding, d.Reading, d.ReadMS = v.Finding, &now.Order, now.At.UnixMilli()
	if v.Wait {
		d.Cause = CauseUnread
		if class == Accepted {
			d.Cause = CauseNotVisible
		}
		return Unknown, d
	}
	return v.State, d
}

// evidence puts together what a reading proves. asked is when the query was made,
// not when it was answered: a reading begun before the quiet time was over does not
// count as one after it. Both times are put by WeChat's clock, which is signed: this
// machine's may have been set in between (trust.md §1.9).
func (s *Service) evidence(c Correction, now Reading, asked time.Time, d Detail) Evidence {
	req, err := ParseBody(c.Body)
	if err != nil { // our own bytes, protected by their hash
		panic(err)
	}
	return Evidence{
		Base: c.Base, Lines: req.Lines, Discounts: req.Discounts, Target: c.Target, Now: now.Order,
		Age: asked.Add(now.Skew).Sub(signedAt(d)), Accepted: d.Class == Accepted, Rejected: d.Class == Refused,
	}
}

// signedAt is from when the quiet time counts, by WeChat's clock: when the POST was
// signed or, if that is later, what its signature says, because WeChat accepts it for 5
// minutes after that.
func signedAt(d Detail) time.Time { return time.UnixMilli(d.SignMS + max(0, d.SkewMS)) }

// read queries the order within the time that a confirmation leaves for it.
func (s *Service) read(ctx context.Context, ref Ref) (Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, readAgainWithin)
	defer cancel()
	return s.Gateway.Query(ctx, ref)
}

func (s *Service) storing(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	return f(ctx)
}

func (s *Service) failure(err error, cause string) Detail {
	d := Detail{Cause: cause}
	var e *Error
	if errors.As(err, &e) {
		d.Code = e.Code
		if e.Remote != nil {
			d.Status, d.Code, d.Message, d.RequestID = e.Remote.Status, e.Remote.Code, e.Remote.Message, e.Remote.RequestID
		}
	}
	return d
}

// concludeTries is how often an outcome is offered to the store before it is left
// to the next start; concludePause lies between two tries.
const (
	concludeTries = 4
	concludePause = 250 * time.Millisecond
)

// conclude records where a correction went. What is known now is lost if the record
// fails, so it is tried again for a moment; trying twice cannot record it twice. If
// it fails for good, the correction stays as it is, and the looking after takes it up.
func (s *Service) conclude(ctx context.Context, c Correction, from State, n int, to State, d Detail) error {
	e := Event{State: to, At: s.Now(), Detail: d}
	var err error
	sctx, cancel := context.WithTimeout(ctx, storeWithin) // for all tries together
	defer cancel()
	for try := range concludeTries {
		if try > 0 {
			time.Sleep(concludePause)
		}
		if err = s.append(sctx, c, from, n, e); err == nil || errors.Is(err, ErrMoved) {
			break
		}
	}
	if errors.Is(err, ErrMoved) {
		// A try that seemed to fail was recorded, or somebody else was faster: the record
		// tells.
		return fail(Conflict, CodeTokenUsed, err)
	}
	if err != nil {
		s.Log.Error("outcome is not on record yet", "correction", c.ID, "from", from, "to", to, "class", d.Class, "cause", d.Cause,
			"status", d.Status, "code", d.Code, "request_id", d.RequestID, "err", err)
		if from == Sending && d.Cause != CauseCrash {
			s.pending.LoadOrStore(c.ID, pendingEvent{c, from, n, e})
		}
		s.watch.open(c, from)
		if from == Sending && d.Class != NothingSent && d.Cause != CauseCrash {
			return fail(Unavailable, CodeOutcomePending, err)
		}
		return fail(Unavailable, CodeNoRecord, err)
	}
	s.Log.Info("correction", "correction", c.ID, "state", to, "class", d.Class, "cause", d.Cause, "request_id", d.RequestID)
	return nil
}

// append records an event, and what follows from it: a line in the journal if the
// correction may have been sent, and a new time to look.
func (s *Service) append(ctx context.Context, c Correction, from State, n int, e Event) error {
	// The lines of one correction stand in the journal in the order of its events, also
	// when somebody checks it while the reconciler does: without the one before it, a line
	// cannot be replayed.
	order := &s.appending[uint64(c.ID)%uint64(len(s.appending))]
	order.Lock()
	defer order.Unlock()
	if err := s.Store.Append(ctx, c.ID, from, n, e); err != nil {
		return err
	}
	step("outcome")
	s.noted(ctx, c, n+1, from, e)
	return nil
}

// noted does what follows from an event that is on record.
func (s *Service) noted(ctx context.Context, c Correction, n int, from State, e Event) {
	e.N = n
	if _, sent := c.Find(Sending); sent || from == Sending {
		if err := s.Journal.Event(ctx, c, e); err != nil { // the store has it
			s.alarms.journal.Store(true)
			s.Log.Error("alarm", "kind", JournalFailed, "correction", c.ID, "state", e.State, "err", err)
		} else {
			s.alarms.journal.Store(false)
		}
	}
	if e.State != from {
		s.counts.count(e.State)
	}
	s.alarms.forget()
	s.watch.note(Watched{ID: c.ID, Ref: c.Ref, State: e.State, Entered: e.At}, from, e)
}

// pendingEvent is an outcome that could not be recorded yet.
type pendingEvent struct {
	c    Correction
	from State
	n    int
	e    Event
}

// recordPending records the outcome of a correction that could not be recorded when
// it was known, if there is one.
func (s *Service) recordPending(ctx context.Context, id int64) error {
	s.pendingMu.Lock() // a check and the housekeeping may come together
	defer s.pendingMu.Unlock()
	v, ok := s.pending.Load(id)
	if !ok {
		return nil
	}
	p := v.(pendingEvent)
	err := s.storing(context.WithoutCancel(ctx), func(ctx context.Context) error { return s.append(ctx, p.c, p.from, p.n, p.e) })
	switch {
	case errors.Is(err, ErrMoved):
		s.Log.Warn("outcome not recorded: the record has moved on", "correction", id, "state", p.e.State, "class", p.e.Detail.Class, "request_id", p.e.Detail.RequestID)
	case err != nil:
		return fail(Unavailable, CodeOutcomePending, err)
	default:
		s.Log.Info("outcome recorded late", "correction", id, "state", p.e.State, "request_id", p.e.Detail.RequestID)
	}
	s.pending.Delete(id)
	return nil
}

// RecordPending records every outcome that could not be recorded when it was known.
func (s *Service) RecordPending(ctx context.Context) error {
	var errs []error
	s.pending.Range(func(id, _ any) bool {
		errs = append(errs, s.recordPending(ctx, id.(int64)))
		return true
	})
	return errors.Join(errs...)
}

// abandon settles a correction whose last step may or may not be on record, in one
// of the states that it may have come to. This process has not sent it and will not:
// that is certain here, and is said. After a crash it would not be.
func (s *Service) abandon(ctx context.Context, id int64, states ...State) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	c, err := s.Store.Correction(ctx, id)
	if err == nil && slices.Contains(states, c.State) {
		err = s.conclude(ctx, c, c.State, c.Last().N, NotSent, Detail{Class: NothingSent, Cause: CauseNoRecord})
	}
	if err != nil {
		s.watch.open(Correction{ID: id, Ref: c.Ref}, Claimed)
		s.Log.Error("a correction stays open for now", "correction", id, "err", err)
	}
}

// Recover settles what a stop or crash left behind: a claimed correction was
// certainly never sent; a sending one may have been.
func (s *Service) Recover(ctx context.Context) error {
	ids, err := s.Store.InState(ctx, Claimed, Sending)
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, err := s.Store.Correction(ctx, id)
		if err == nil {
			err = s.resume(ctx, c)
		}
		if err != nil && CodeOf(err) != CodeTokenUsed {
			// It keeps its order; a damaged record must not keep the others from work.
			s.Log.Error("a correction stays open", "correction", id, "err", err)
		}
	}
	return nil
}

func (s *Service) resume(ctx context.Context, c Correction) error {
	d := Detail{Cause: CauseCrash, SignMS: c.Last().Detail.SignMS, SkewMS: c.Last().Detail.SkewMS}
	to := Unknown
	if c.State == Claimed {
		to, d.SignMS, d.SkewMS = NotSent, 0, 0
	} else {
		d.Class = Uncertain
	}
	return s.conclude(ctx, c, c.State, c.Last().N, to, d)
}

// Check reads the order of an uncertain correction now and decides by the verdict
// table. A reading that does not decide is recorded too. The order of one that waits for
// approval is read as the reconciler does: one that moved voids it.
func (s *Service) Check(ctx context.Context, a Actor, id int64) error {
	if !a.Can(Correct) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	c, err := s.Correction(ctx, a, id)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if c, err = s.resumeOpen(ctx, c); err != nil || c.State != Unknown && c.State != Awaiting {
		return err // decided in the meantime, or still under way: the page tells
	}
	if err := s.counting(a, actCheck); err != nil {
		return err
	}
	if c.State == Awaiting {
		return s.awaited(ctx, c)
	}
	return s.decide(ctx, c, a)
}

// resumeOpen takes up a correction whose confirmation has ended without an outcome
// on record, and returns it as it stands then.
func (s *Service) resumeOpen(ctx context.Context, c Correction) (Correction, error) {
	// Asked after the record was read: a confirmation that shows in the record and has
	// not ended is seen here, and one that ended in between has moved the record on.
	open := func() bool {
		_, running := s.inFlight.Load(c.ID)
		return (c.State == Sending || c.State == Claimed) && !running
	}
	if !open() {
		return c, nil
	}
	// What the confirmation could not record comes before any guess.
	err := s.recordPending(ctx, c.ID)
	if err == nil {
		c, err = s.Store.Correction(ctx, c.ID)
	}
	if err != nil || !open() {
		return c, err
	}
	if err := s.resume(ctx, c); err != nil && CodeOf(err) != CodeTokenUsed {
		return c, err
	}
	return s.Store.Correction(ctx, c.ID)
}

// recordAgain is for how long a reading that people asked for, and that shows the same,
// is not recorded once more: whoever presses the button again and again does not fill the
// record.
const recordAgain = 5 * time.Second

// decide reads the order of an uncertain correction and decides by the verdict table.
// A reading that does not decide is recorded when a person asked for it, when it
// shows something new, and when it is the first after the quiet time.
func (s *Service) decide(ctx context.Context, c Correction, a Actor) error {
	asked := s.Now()
	now, err := s.read(ctx, c.Ref)
	if err != nil {
		return err
	}
	step("resolving")
	first, _ := firstUnknown(c)
	e := s.evidence(c, now, asked, first.Detail)
	e.QuietRead = s.quietRead(c, first.Detail, asked.Add(now.Skew))
	v := e.Decide(s.Policy.Quiet)
	d := Detail{
		Finding: v.Finding, Reading: &now.Order, ReadMS: asked.UnixMilli(), RequestID: now.RequestID, SignMS: first.Detail.SignMS, SkewMS: now.Skew.Milliseconds(),
		Host: now.Host,
	}
	to := v.State
	if v.Wait {
		to = Unknown
		news := c.Last().Detail.Finding != v.Finding || v.Finding == FoundBase && e.Age >= s.Policy.Quiet && e.QuietRead == 0
		last := c.Last()
		repeats := last.Detail.Finding == v.Finding && last.ActorID != 0 && asked.Sub(last.At).Abs() < recordAgain
		if !news && (a.UserID == 0 || repeats) {
			return nil
		}
	}
	err = s.storing(ctx, func(ctx context.Context) error {
		return s.append(ctx, c, Unknown, c.Last().N, Event{State: to, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Detail: d})
	})
	switch {
	case errors.Is(err, ErrMoved):
		return nil // somebody else decided at the same moment
	case err != nil:
		return fail(Unavailable, CodeNoRecord, err)
	}
	if to != Unknown {
		s.Log.Info("correction", "correction", c.ID, "state", to, "finding", v.Finding, "request_id", now.RequestID)
	}
	return nil
}

// firstUnknown is the event that made the correction uncertain: it carries the
// answer and the signature time.
func firstUnknown(c Correction) (Event, bool) {
	for _, e := range c.Events {
		if e.State == Unknown {
			return e, true
		}
	}
	return Event{}, false
}

// quietRead is how long before now the order was first read unchanged after the
// quiet time, with no other finding since. All times are by WeChat's clock.
func (s *Service) quietRead(c Correction, sent Detail, now time.Time) time.Duration {
	var oldest time.Duration
	quietAt := signedAt(sent).Add(s.Policy.Quiet)
	for _, e := range slices.Backward(c.Events) {
		d := e.Detail
		if e.State != Unknown || d.Reading == nil || d.Finding != FoundBase {
			break
		}
		at := time.UnixMilli(d.ReadMS + d.SkewMS)
		if at.Before(quietAt) {
			break
		}
		oldest = now.Sub(at)
	}
	return oldest
}

// QuietUntil tells from when "not applied" may be said of an uncertain correction;
// zero when it is not uncertain.
func (s *Service) QuietUntil(c Correction) time.Time {
	e, ok := firstUnknown(c)
	if !ok {
		return time.Time{}
	}
	return signedAt(e.Detail).Add(s.Policy.Quiet - time.Duration(e.Detail.SkewMS)*time.Millisecond) // by this machine's clock
}

// Refuses tells why corrections are refused at present; empty when they are not.
func (s *Service) Refuses() Concern {
	if s.Machine == nil {
		return ""
	}
	return s.Machine().Refuses()
}

// writable refuses while no record can be made: no record, no action.
func (s *Service) writable() error {
	if why := s.Refuses(); why != "" {
		return &Error{Kind: Unavailable, Code: CodeReadOnly, Concern: why}
	}
	return nil
}

// Bounds of the drafts of one person. A form that can be submitted is never larger than
// one draft may be. Of more than there may be, those that were saved longest ago are given
// up: the one in hand is never lost, and nobody has so many orders under way.
const (
	MaxDraft      = 128 << 10 // bytes
	MaxDrafts     = 200
	MaxDraftBytes = 2 << 20 // of all together
)

// SaveDraft keeps a form that was typed and not submitted, one for each person and
// order. base is the hash of the order that the form was opened on: without a form that
// this console showed to this person, of this very order, there is nothing to keep, and
// the error has code CodeBaseUnknown. CodeDraftLarge: it is larger than any form.
func (s *Service) SaveDraft(ctx context.Context, a Actor, ref Ref, base, form string) error {
	if !a.Can(Correct) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	if _, err := s.merchantFor(ctx, a, ref); err != nil {
		return err
	}
	if len(form) > MaxDraft {
		return fail(Invalid, CodeDraftLarge, nil)
	}
	shown, err := s.base(ctx, base)
	if err != nil {
		return err
	}
	if shown.SubMchID != ref.SubMchID || shown.OutOrderNo != ref.OutOrderNo {
		return fail(Conflict, CodeBaseUnknown, nil)
	}
	// A look is forgotten earlier than a draft.
	if _, err := s.Store.LookedAt(ctx, a.UserID, ref); errors.Is(err, ErrNoRow) {
		if _, err := s.Store.Draft(ctx, a.UserID, ref); err != nil {
			return fail(Conflict, CodeBaseUnknown, err)
		}
	} else if err != nil {
		return err
	}
	return s.Store.SaveDraft(context.WithoutCancel(ctx), SavedDraft{UserID: a.UserID, Ref: ref, Form: form, SavedAt: s.Now()})
}

// Draft returns the actor's draft for the order, or ErrNoRow.
func (s *Service) Draft(ctx context.Context, a Actor, ref Ref) (SavedDraft, error) {
	return s.Store.Draft(ctx, a.UserID, ref)
}

// DropDraft deletes the actor's draft for the order, if there is one.
func (s *Service) DropDraft(ctx context.Context, a Actor, ref Ref) error {
	return s.Store.DeleteDraft(ctx, a.UserID, ref)
}

// DropDraftOf deletes the draft that a correction was prepared from, once that is confirmed
// or withdrawn. What its author typed after that stays; so does the draft of one that
// expired or became void, to be done again.
func (s *Service) DropDraftOf(ctx context.Context, a Actor, id int64) error {
	c, err := s.Store.Correction(ctx, id)
	if err != nil || c.AuthorID != a.UserID || c.State == Prepared || c.State == Expiry || c.State == Void {
		return err
	}
	d, err := s.Store.Draft(ctx, a.UserID, c.Ref)
	if errors.Is(err, ErrNoRow) || err == nil && d.SavedAt.After(c.PreparedAt) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Store.DeleteDraft(ctx, a.UserID, c.Ref)
}

// asOfNow is AsOfNow at this moment.
func (s *Service) asOfNow(rows []Summary) []Summary { return AsOfNow(rows, s.Now()) }

// AsOfNow shows as expired what is at that moment, whether that is on record already or
// not. It changes the rows in place.
func AsOfNow(rows []Summary, now time.Time) []Summary {
	for i, r := range rows {
		if until := r.ChangedAt.Add(ApproveWithin); r.State == Awaiting && !now.Before(until) {
			rows[i].State, rows[i].ChangedAt = Expiry, until
		}
		if r.State == Prepared && !now.Before(r.ConfirmUntil) {
			rows[i].State, rows[i].ChangedAt = Expiry, r.ConfirmUntil
		}
	}
	return rows
}

// Attention lists the actor's own corrections that need something from them, and
// for those who see all, everybody's uncertain ones.
func (s *Service) Attention(ctx context.Context, a Actor) ([]Summary, error) {
	scope, author, err := a.Reach()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Attention(ctx, scope, author, a.UserID, s.Now(), 50)
	if err == nil {
		err = s.VeilRows(ctx, a, list)
	}
	if err != nil {
		return nil, err
	}
	return s.asOfNow(list), nil
}
