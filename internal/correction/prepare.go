package correction

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// PrepareResult is the new correction's id, or what stands in its way. Now is set with an error of code CodeOrderMoved or CodeNotCorrecting.
type PrepareResult struct {
	ID      int64
	Base    Order
	Checked Checked
	Now     *OrderView
}

// Prepare turns a form into a correction that waits to be confirmed. The order is
// read again: if it is not what the form was opened on, nothing is prepared. from is
// the correction that this one tries again, 0 for none. An error of kind Invalid
// comes with Checked.Problems.
func (s *Service) Prepare(ctx context.Context, a Actor, ref Ref, f Form, from int64) (PrepareResult, error) {
	o, err := s.opened(ctx, a, f)
	if err != nil {
		return PrepareResult{}, err
	}
	r := PrepareResult{Base: o.base, Checked: o.policy.Check(f, o.base, o.offering)}
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
	own, err := s.Headroom(ctx, a, c.Ref, 0)
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
	s.trace("prepared") // the draft stays until it is confirmed or withdrawn: Back leads to the form again
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
	if !tail.State.NoEffect() && tail.State != Stale && tail.State != Expiry && tail.State != Withdrawn && tail.State != Void && tail.State != Returned && tail.State != Declined {
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
