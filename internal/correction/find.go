package correction

import (
	"context"
	"errors"
	"time"
)

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
