package correction

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"
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

// FormView is what the form of a correction shows besides what was typed.
type FormView struct {
	Base     Order // that the form was opened on
	Merchant Merchant
	Offering Offering
	Checked  Checked
	Reasons  []Reason

	Own              Headroom // what the person may give up alone, and has today
	Over             []Over   // the bounds that the new total is above: it needs an approval
	AsksTotal        bool     // the next step asks to type the new total
	ThresholdPercent int      // above it
	KeptPermille     int      // share kept, with a lower total
	Clashes          []Clash  // what was typed for the order as it was before, and is another now
}

// FormView works out what a form means, without asking WeChat, after change was applied to
// it (nil: nothing). The order is known by the hash that the form carries as its base.
func (s *Service) FormView(ctx context.Context, a Actor, f *Form, change func(base Order, f *Form) error) (FormView, error) {
	o, err := s.opened(ctx, a, *f)
	if err != nil {
		return FormView{}, err
	}
	if change != nil {
		if err := change(o.base, f); err != nil {
			return FormView{}, err
		}
	}
	v := FormView{
		Base: o.base, Merchant: o.merchant, Offering: o.offering, Checked: o.policy.Check(*f, o.base, o.offering), Reasons: o.policy.Reasons,
		ThresholdPercent: o.policy.TypeAbovePermille / 10,
	}
	if v.Own, err = s.Headroom(ctx, a, o.ref(), 0); err != nil {
		return v, err
	}
	if v.Checked.TotalKnown && v.Checked.Total >= 0 && v.Checked.Total < v.Base.Total {
		v.AsksTotal = o.policy.AsksTotal(v.Base.Total, v.Checked.Total)
		v.KeptPermille = Permille(v.Checked.Total, v.Base.Total)
		v.Over = v.Own.Check(v.Base.Total, v.Checked.Total)
	}
	if f.First == "" {
		return v, nil
	}
	first, err := s.Shown(ctx, o.ref(), f.First)
	if errors.Is(err, ErrNoRow) {
		return v, nil
	}
	if err == nil {
		v.Clashes = Clashes(first, o.base, *f)
	}
	return v, err
}

// openedOn is what a form is judged by.
type openedOn struct {
	base     Order
	merchant Merchant
	offering Offering
	policy   Policy
}

func (o openedOn) ref() Ref {
	return Ref{SubMchID: o.base.SubMchID, ServiceID: o.base.ServiceID, OutOrderNo: o.base.OutOrderNo}
}

// opened reads what a form is judged by.
func (s *Service) opened(ctx context.Context, a Actor, f Form) (o openedOn, err error) {
	if !a.Can(Correct) {
		return o, fail(Forbidden, CodeForbidden, nil)
	}
	base, err := s.base(ctx, f.Base)
	if err != nil {
		return o, err
	}
	if o.merchant, err = s.merchantFor(ctx, a, Ref{SubMchID: base.SubMchID, OutOrderNo: base.OutOrderNo}); err != nil {
		return o, err
	}
	o.base = base
	if o.offering, err = s.offering(ctx, base.ServiceID); err != nil {
		return o, err
	}
	o.policy, err = s.PolicyNow(ctx)
	return o, err
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
