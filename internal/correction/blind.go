package correction

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MaxTries is how many totals that are not the one asked for a person may type about a
// correction; after that they decide nothing about it.
const MaxTries = 3

// Tries are the totals that a person typed to approve a correction and that were not the
// one asked for.
type Tries struct {
	UserID int64
	Name   string
	Wrong  int
	Last   time.Time
}

// inTopTier reports whether a correction is one to decide about blind, as the tiers are.
func (s *Service) inTopTier(ctx context.Context, c Correction) (bool, error) {
	set, err := s.Settings(ctx)
	if err != nil {
		return false, err
	}
	f, err := s.Store.Firsts(ctx, c.Ref, c.ID, c.AuthorID, 0)
	_, top := TierOf(set.Tiers, GivenUp(f.Anyone, c.Base.Total, c.Target))
	return top, err
}

// tried counts what the actor typed wrong about a correction.
func (s *Service) tried(ctx context.Context, a Actor, id int64) (int, error) {
	list, err := s.Store.Tries(ctx, id)
	for _, t := range list {
		if t.UserID == a.UserID {
			return t.Wrong, err
		}
	}
	return 0, err
}

// tryTotal compares a typed total with the one asked for. The try is counted before it is
// compared, so that tries at the same moment are no way to more of them, and what is no
// amount is none: it tells nothing.
func (s *Service) tryTotal(ctx context.Context, a Actor, c Correction, typed string) error {
	t, err := ParseYuan(typed)
	if err != nil {
		return fail(Invalid, CodeTypedTotal, err)
	}
	n := 0
	err = s.storing(ctx, func(ctx context.Context) (err error) {
		n, err = s.Store.TryTotal(ctx, c.ID, a.UserID, s.Now())
		return err
	})
	switch {
	case errors.Is(err, ErrFull):
		return fail(Forbidden, CodeTriesUsed, err)
	case err != nil:
		return fail(Unavailable, CodeNoRecord, err)
	}
	if t == c.Target {
		err := s.storing(ctx, func(ctx context.Context) error { return s.Store.TotalRight(ctx, c.ID, a.UserID, n) })
		if err != nil {
			return fail(Unavailable, CodeNoRecord, err)
		}
		return nil
	}
	// The number is on record in the audit trail, too; the total that was typed is not.
	wrong, err := s.tried(ctx, a, c.ID)
	if err == nil {
		detail := fmt.Sprintf("correction %d, %d of %d", c.ID, wrong, MaxTries)
		err = s.Store.AppendAudit(ctx, AuditEntry{At: s.Now(), UserID: a.UserID, Action: "approval.mismatch", Detail: detail})
	}
	if err != nil {
		return fail(Unavailable, CodeNoRecord, err)
	}
	s.Log.Warn("another total was typed to approve", "correction", c.ID, "user", a.UserID, "tries", wrong)
	return fail(Invalid, CodeTypedTotal, nil)
}

// TriesOf are the totals that were typed to approve a correction and were not right, for
// those who read reviews. They stay when the correction is decided.
func (s *Service) TriesOf(ctx context.Context, a Actor, c Correction) ([]Tries, error) {
	if !a.Can(ReadReviews) {
		return nil, nil
	}
	if _, waited := c.Find(Awaiting); !waited {
		return nil, nil
	}
	return s.Store.Tries(ctx, c.ID)
}

// surelyOver reports whether every correction of its tier, the least one included, is
// above the limit of who would approve it. Of a correction whose amount is kept from them nothing
// else may be told by their limit: people edit limits, and could ask again and again.
func (j Judgement) surelyOver(base Fen) bool {
	from := j.Tier.From
	if from <= 0 {
		return false
	}
	// The least that a correction in the tier gives up is counted from before anybody's
	// first correction of the order; the person's limit, from before their own.
	target := min(max(j.Firsts.Anyone, base)-from, base-1)
	return len(j.Limit.OneOf(j.Firsts.Approver, base, max(0, target))) > 0
}
