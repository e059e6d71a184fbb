package correction

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Breach is a rule that does not permit a correction, or a person who may not carry it
// out (product.md §4.13). It is kept by value with the event that it caused.
type Breach struct {
	Code   string `json:"code"`
	Amount Fen    `json:"amount,omitempty"` // of the service's cap
}

// Codes of breaches. Those of the service's rules are the codes of problems of a form,
// BadZero and BadOverCap, and have the same words.
const (
	ServiceGone      = "service_gone" // was registered when the correction was prepared
	MerchantGone     = "merchant_gone"
	AuthorDisabled   = "author_disabled"
	AuthorRole       = "author_role"  // may not correct any more
	AuthorScope      = "author_scope" // may not touch the merchant any more
	ApproverDisabled = "approver_disabled"
	ApproverRole     = "approver_role"
	ApproverScope    = "approver_scope"
	ApproverTier     = "approver_tier"
	ApproverLimit    = "approver_limit"
	OverLimit        = "over_limit" // of the author's, by now: it needs a second person
)

// Breaches lists all codes of breaches.
var Breaches = []string{
	BadZero, BadOverCap, ServiceGone, MerchantGone, AuthorDisabled, AuthorRole, AuthorScope,
	ApproverDisabled, ApproverRole, ApproverScope, ApproverTier, ApproverLimit, OverLimit,
}

// Judge tells which rule of the service a new total breaks; ok when none.
func (o Offering) Judge(total Fen) (b Breach, ok bool) {
	switch {
	case total == 0 && !o.AllowZero:
		return Breach{Code: BadZero}, false
	case o.Cap > 0 && total > o.Cap:
		return Breach{Code: BadOverCap, Amount: o.Cap}, false
	}
	return Breach{}, true
}

// Notice is the breach as a problem at a field of the form.
func (b Breach) Notice(field string) Notice {
	return Notice{Field: field, Code: b.Code, Amount: b.Amount}
}

// Firsts are what an order amounted to before the first correction of it that took
// effect or may have: of one by the author, of one that the approver wrote or approved,
// and of anybody's. 0 when there was none. A limit adds up over an order from there, and
// a tier (product.md §4.14).
type Firsts struct {
	Author, Approver, Anyone Fen
}

// GivenUp is by how much an order is lowered in all with a change from base to target,
// counted from first on.
func GivenUp(first, base, target Fen) Fen { return reduction(max(first, base), target) }

// Trial says as what a correction is judged in the transaction that carries it on. The
// zero Trial asks for the rules that every correction must keep.
type Trial struct {
	Alone    bool      // on the author's own allowance
	Since    time.Time // start of the day for that allowance
	Approver int64     // who approves it; 0: nobody
}

// Facts are what a correction is judged by, as they are on record at one moment.
type Facts struct {
	ID           int64
	N            int
	State        State
	Ref          Ref
	Base, Target Fen
	Listed       bool // its service was registered when it was prepared
	Merchant     bool // is registered
	Offering     *Offering
	Author       Person

	// Known when a Trial asks for it.
	Approver *Person
	Settings Settings // limits and tiers
	Today    Spent    // of the author, this correction apart
	Firsts   Firsts   // this correction apart
}

// Breaches are the rules that the correction breaks whoever decides about it: those of
// its service, of its merchant and of its author.
func (f Facts) Breaches() []Breach {
	var out []Breach
	var o Offering // a service that nobody has described
	switch {
	case f.Offering != nil:
		o = *f.Offering
	case f.Listed:
		out = append(out, Breach{Code: ServiceGone})
	}
	if f.Offering != nil || !f.Listed {
		if b, ok := o.Judge(f.Target); !ok {
			out = append(out, b)
		}
	}
	if !f.Merchant {
		out = append(out, Breach{Code: MerchantGone})
	}
	if code := f.Author.barred(Correct, f.Ref.SubMchID, AuthorDisabled, AuthorRole, AuthorScope); code != "" {
		out = append(out, Breach{Code: code})
	}
	return out
}

// barred tells why a person may not do something with a merchant's orders; empty when
// they may.
func (p Person) barred(do Action, subMchID, disabled, role, scope string) string {
	switch {
	case p.Disabled:
		return disabled
	case !(Actor{Role: p.Role}).Can(do):
		return role
	case !p.Scope.Allows(subMchID):
		return scope
	}
	return ""
}

// MayPrepare is ErrBarred when the person was disabled meanwhile. Role and scope are
// judged with the claim, with everything else.
func (p Person) MayPrepare() error {
	if p.Disabled {
		return fmt.Errorf("%s: %w", AuthorDisabled, ErrBarred)
	}
	return nil
}

// Over are the bounds of the author's allowance that the correction is above.
func (f Facts) Over() []Over {
	st := Headroom{Limit: f.Settings.Limits.Of(f.Author.ID, f.Author.Role), Today: f.Today, First: f.Firsts.Author}
	return st.Check(f.Base, f.Target)
}

// ApproverBreach tells why the approver may not approve the correction; empty when they
// may.
func (f Facts) ApproverBreach() string {
	if f.Approver == nil {
		return ApproverDisabled
	}
	p := *f.Approver
	if code := p.barred(Approve, f.Ref.SubMchID, ApproverDisabled, ApproverRole, ApproverScope); code != "" {
		return code
	}
	if t, _ := TierOf(f.Settings.Tiers, GivenUp(f.Firsts.Anyone, f.Base, f.Target)); !t.Admits(p.ID) {
		return ApproverTier
	}
	if len(f.Settings.Limits.Of(p.ID, p.Role).OneOf(f.Firsts.Approver, f.Base, f.Target)) > 0 {
		return ApproverLimit
	}
	return ""
}

// Judge judges a correction whose order is held, at the last moment before it is sent.
// None: it may be sent.
func (f Facts) Judge(t Trial) []Breach {
	out := f.Breaches()
	if t.Approver != 0 {
		if code := f.ApproverBreach(); code != "" {
			out = append(out, Breach{Code: code})
		}
	}
	if t.Alone && len(f.Over()) > 0 {
		out = append(out, Breach{Code: OverLimit})
	}
	return out
}

// Overdue reports whether a correction that waits, prepared or for approval, has waited
// too long by then: it counts as expired, whether that is on record or not.
func Overdue(s State, confirmUntil, entered, now time.Time) bool {
	switch s {
	case Prepared:
		return !now.Before(confirmUntil)
	case Awaiting:
		return !now.Before(entered.Add(ApproveWithin))
	}
	return false
}

// EndedBy is the event with which breaches end a correction: before its order was
// claimed, or while it waits for approval, it is void; afterwards it was not sent.
func EndedBy(to State, breaches []Breach, at time.Time) Event {
	e := Event{State: to, At: at, Detail: Detail{Cause: breaches[0].Code, Breaches: breaches}}
	if to == NotSent {
		e.Detail.Class = NothingSent
	}
	return e
}

// Unpermitted is returned when a rule or a person no longer permits a correction. It
// has ended with this event, which is on record; nothing was sent.
type Unpermitted struct {
	Event Event
}

func (u *Unpermitted) Error() string {
	return fmt.Sprintf("no longer permitted: %s, so it is %s", u.Event.Detail.Cause, u.Event.State)
}

// TooMuch is returned when a correction is above the author's allowance by now. Nothing
// was recorded.
type TooMuch struct {
	Over  []Over
	Today Spent
}

func (t *TooMuch) Error() string { return "the allowance does not suffice" }

// refusals are the errors of an approval that the person may not give. The correction
// goes on waiting for somebody who may.
var refusals = map[string]string{
	ApproverDisabled: CodeForbidden, ApproverRole: CodeForbidden, ApproverScope: CodeForbidden,
	ApproverTier: CodeOtherTier, ApproverLimit: CodeOverOwnLimit,
}

// MayApprove is nil when the approver may approve the correction.
func (f Facts) MayApprove() error {
	if code := f.ApproverBreach(); code != "" {
		return fail(Forbidden, refusals[code], errors.New(code))
	}
	return nil
}

// facts reads what a correction is judged by, for people to see. What counts is what the
// store reads in the transaction that carries it on.
func (s *Service) facts(ctx context.Context, c Correction) (Facts, error) {
	f := Facts{ID: c.ID, N: c.Last().N, State: c.State, Ref: c.Ref, Base: c.Base.Total, Target: c.Target, Listed: c.Events[0].Detail.Listed}
	var err error
	if f.Author, err = s.Store.PersonByID(ctx, c.AuthorID); err != nil {
		return f, err
	}
	o, err := s.Store.Offering(ctx, c.Ref.ServiceID)
	if err == nil {
		f.Offering = &o
	} else if !errors.Is(err, ErrNoRow) {
		return f, err
	}
	_, err = s.Store.Merchant(ctx, c.Ref.SubMchID)
	f.Merchant = err == nil
	if errors.Is(err, ErrNoRow) {
		err = nil
	}
	return f, err
}

// stopped does what follows from an event with which the store ended a correction in the
// transaction that was to carry it on.
func (s *Service) stopped(ctx context.Context, c Correction, u *Unpermitted) {
	e := u.Event
	s.Log.Info("correction", "correction", c.ID, "state", e.State, "cause", e.Detail.Cause)
	s.noted(ctx, c, e.N, c.State, e)
}

// VoidUnpermitted voids what is prepared or waits for approval and is no longer
// permitted: by a rule that was edited, or by what its author may do now. Edits do so
// themselves, in their own transaction; this finds what came to the record past them.
func (s *Service) VoidUnpermitted(ctx context.Context) error {
	list, err := s.Store.Pending(ctx, s.Now())
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range list {
		if len(f.Breaches()) == 0 {
			continue
		}
		err := s.storing(ctx, func(ctx context.Context) error { return s.Store.Void(ctx, f.ID, s.Now()) })
		var u *Unpermitted
		switch {
		case errors.As(err, &u):
			s.stopped(ctx, Correction{ID: f.ID, Ref: f.Ref, State: f.State}, u)
		case err != nil && !errors.Is(err, ErrMoved):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
