package correction

import (
	"context"
	"time"
)

// CorrectionView is what the page of a correction shows, with its decisions made for the
// person who looks at it.
type CorrectionView struct {
	C                      Correction
	Request                Request // read from the stored bytes
	LineDiff, DiscountDiff []Change
	NoAmounts              bool
	Lowered                int // reduction in thousandths of the base

	IsAuthor      bool
	CanReadOrder  bool
	SeesInternals bool // supervisors and auditors: raw body, answers, times in full

	// To confirm
	CanConfirm       bool
	CanWithdraw      bool
	Token            string
	Over             []Over   // why it needs an approval; empty when it does not
	Own              Headroom // of its author who looks at it, while it waits to be confirmed
	ThresholdPercent int      // above it the total has to be typed

	// Being checked
	CanCheck   bool
	QuietUntil time.Time
	Quiet      time.Duration
	Outlook    Outlook
	FollowFor  time.Duration // how long an unpaid order is followed

	// About an approval
	MayDecide bool    // the queue has it
	Decides   bool    // and it is for the person to decide, by tier and tries
	Tries     []Tries // totals that were typed to approve it and were not right

	// Afterwards
	CanRedo    bool // offer a new correction of the order
	MayRedo    bool // the person corrects orders at all, and corrections are not paused
	TryAgainAt time.Time
	Reading    *Order    // of the order that it came to its state by, if it is stale and not veiled
	ReadAt     time.Time // of Reading
	Obstacle   Obstacle  // why the order of Reading may not be corrected
	RetryOf    *Related  // what this one tries again
	RetriedBy  *Related  // the newest that tries this one again

	// Of supervisors
	MayRule, MayAgree, MayHandle bool
	Flags                        []Flag // why it is to be looked at, for those who read reviews
	MayReview                    bool
	Part, Agree                  Part // of the person in its review and in the ruling on it
	MayAnswer                    bool // a question waits for the person
	MayNote                      bool
}

// Related is another correction of the same order.
type Related struct {
	ID       int64
	State    State
	Readable bool // the person may open it
}

// openOrder reports whether a later try makes one more pointless for now.
func (r *Related) openOrder() bool {
	if r == nil {
		return false
	}
	switch r.State {
	case Stale, Expiry, Withdrawn, Void, Returned, Declined:
		return false
	}
	return !r.State.NoEffect()
}

// CorrectionView returns what the page of a correction shows to the actor; NotFound when
// it is not theirs to read.
func (s *Service) CorrectionView(ctx context.Context, a Actor, id int64) (CorrectionView, error) {
	c, err := s.Correction(ctx, a, id)
	if err != nil {
		return CorrectionView{}, err
	}
	r, err := c.Request()
	if err != nil {
		return CorrectionView{}, err
	}
	v := CorrectionView{
		C: c, Request: r, LineDiff: Diff(c.Base.Lines, r.Lines), DiscountDiff: Diff(c.Base.Discounts, r.Discounts),
		NoAmounts: !AnyAmount(c.Base.Lines) && !AnyAmount(r.Lines), Lowered: Permille(c.Reduction(), c.Base.Total),
		IsAuthor: c.AuthorID == a.UserID, CanReadOrder: a.Can(ReadOrders), SeesInternals: a.Can(ReadAllOf),
		ThresholdPercent: s.Policy.TypeAbovePermille / 10, Quiet: s.Policy.Quiet, FollowFor: s.Policy.FollowFor, Outlook: s.Outlook(id),
		MayRedo: a.Can(Correct) && s.Refuses() == "",
		MayRule: c.MayRule(a), MayHandle: c.MayHandle(a), MayAnswer: c.MayAnswer(a), MayNote: c.MayNote(a),
	}
	if a.Can(ReadReviews) {
		v.Flags = c.Flags()
	}
	if v.Part, err = s.ReviewPart(ctx, a, c); err != nil {
		return v, err
	}
	if v.Agree, err = s.AgreePart(ctx, a, c); err != nil {
		return v, err
	}
	v.MayReview, v.MayAgree = v.Part.May, v.Agree.May
	if v.Tries, err = s.TriesOf(ctx, a, c); err != nil {
		return v, err
	}
	if err := s.viewRetries(ctx, a, &v); err != nil {
		return v, err
	}
	if err := s.viewState(ctx, a, &v); err != nil {
		return v, err
	}
	s.viewReading(&v)
	return v, nil
}

// viewState adds what can be done in the state that the correction is in.
func (s *Service) viewState(ctx context.Context, a Actor, v *CorrectionView) (err error) {
	mayAct := v.IsAuthor && a.Can(Correct)
	switch v.C.State {
	case Prepared:
		v.CanConfirm, v.CanWithdraw = mayAct && v.MayRedo, mayAct
		if v.CanConfirm {
			v.Token = s.Token(v.C)
		}
		v.Over = v.C.Over()
		if v.IsAuthor {
			if v.Own, err = s.Headroom(ctx, a, v.C.Ref, v.C.ID); err != nil {
				return err
			}
			if len(v.Over) == 0 {
				v.Over = v.Own.Check(v.C.Base.Total, v.C.Target)
			}
		}
	case Awaiting:
		v.CanWithdraw, v.MayDecide = mayAct, a.Can(Approve) && !v.IsAuthor
		if v.MayDecide {
			found, err := s.CaseOf(ctx, a, v.C.ID)
			if err != nil {
				return err
			}
			v.Decides = found.Judgement.May
		}
	case Unknown, Sending, Claimed:
		v.CanCheck = a.Can(Correct)
		v.QuietUntil = s.QuietUntil(v.C)
	case Stale, Expiry, Withdrawn, Void, Returned, Declined, NotSent, NotApplied, Rejected:
		v.CanRedo = v.MayRedo && !v.RetriedBy.openOrder()
	}
	return nil
}

// viewReading adds what the newest reading of the order means for another try.
func (s *Service) viewReading(v *CorrectionView) {
	now, entered := s.Now(), v.C.Entered()
	reading, _ := v.C.LastReading()
	if reading != nil && reading.WhyNot(nil, now) != NoObstacle {
		v.CanRedo = false
	}
	switch {
	case v.C.State == Stale && reading != nil && !v.C.Veiled():
		v.Reading, v.ReadAt, v.Obstacle = reading, time.UnixMilli(entered.Detail.ReadMS), reading.WhyNot(nil, now)
	case v.C.State == Rejected && entered.Detail.Obstacle == Charging && (v.CanRedo || !v.MayRedo):
		v.TryAgainAt = entered.At.Add(ChargingWait)
		v.CanRedo = v.CanRedo && !now.Before(v.TryAgainAt)
	}
}

// viewRetries adds the corrections that this one tries again, and that try it again. Its
// own scope was checked: they are of the same order, so no other merchant's.
func (s *Service) viewRetries(ctx context.Context, a Actor, v *CorrectionView) (err error) {
	if v.C.RetryOf != 0 {
		if v.RetryOf, err = s.related(ctx, a, v.C.RetryOf); err != nil {
			return err
		}
	}
	tail, err := s.Store.RetryTail(ctx, v.C.ID)
	if err == nil && tail != v.C.ID {
		v.RetriedBy, err = s.related(ctx, a, tail)
	}
	return err
}

// related tells how another correction of the same order stands; its page may be
// somebody else's.
func (s *Service) related(ctx context.Context, a Actor, id int64) (*Related, error) {
	c, err := s.Correction(ctx, a, id)
	if KindOf(err) != NotFound {
		return &Related{ID: id, State: c.State, Readable: true}, err
	}
	if c, err = s.Store.Correction(ctx, id); err == nil && !a.Scope.Allows(c.Ref.SubMchID) {
		return nil, nil
	}
	return &Related{ID: id, State: c.State}, err
}
