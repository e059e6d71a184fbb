package correction

import (
	"context"
	"time"
)

// Headroom is a person's limit with what they spent of it today, and on an order.
type Headroom struct {
	Limit Limit
	Today Spent
	Since time.Time // start of the day
	First Fen       // what the order amounted to before their first correction of it, 0 when there was none
}

// Lowered is by how much an order that amounts to now was lowered since the person's
// first correction of it.
func (s Headroom) Lowered(now Fen) Fen { return max(0, s.First-now) }

// Left is what may still be given up today; nil when that has no bound.
func (s Headroom) Left() *Fen {
	if s.Limit.Day == nil {
		return nil
	}
	left := max(0, *s.Limit.Day-s.Today.Sum)
	return &left
}

// LeftCount is how many more corrections may be made today; nil when that has no bound.
func (s Headroom) LeftCount() *int {
	if s.Limit.DayCount == nil {
		return nil
	}
	left := max(0, *s.Limit.DayCount-s.Today.Count)
	return &left
}

// Check returns every bound that a change from base to target is above.
func (s Headroom) Check(base, target Fen) []Over {
	return s.Limit.CheckOf(s.First, base, target, s.Today)
}

// DayStart is the start of the day of t in the zone in which times are shown.
func (s *Service) DayStart(t time.Time) time.Time {
	return AddDays(s.DayTime(t), 0)
}

// Headroom returns the actor's own limit and what they spent of it today, and on the
// order, the correction with the id apart.
func (s *Service) Headroom(ctx context.Context, a Actor, ref Ref, id int64) (Headroom, error) {
	set, err := s.Settings(ctx)
	if err != nil {
		return Headroom{}, err
	}
	st := Headroom{Limit: set.Limits.Of(a.UserID, a.Role), Since: s.DayStart(s.Now())}
	if st.Limit.Unlimited() {
		return st, nil
	}
	if st.Today, err = s.Store.Spent(ctx, a.UserID, st.Since); err != nil {
		return st, err
	}
	f, err := s.Store.Firsts(ctx, ref, id, a.UserID, 0)
	st.First = f.Author
	return st, err
}
