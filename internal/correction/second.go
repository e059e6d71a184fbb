package correction

import (
	"context"
	"slices"
)

// Part is what part somebody may take in a correction after it was decided. Who approved
// it does not check their own approval: they neither review it nor are the second person
// of its ruling (product.md §4.16).
type Part struct {
	May      bool
	Approved bool // not they: they approved it, and somebody else could
	Alone    bool // they approved it, and may all the same: nobody else has role and scope
}

// ApprovedBy reports whether the person approved the correction.
func (c Correction) ApprovedBy(userID int64) bool {
	return slices.ContainsFunc(c.Events, func(e Event) bool { return e.State == Approved && e.ActorID == userID })
}

// ApprovedBy reports whether the person approved the correction.
func (s Summary) ApprovedBy(userID int64) bool {
	return s.ApproverID == userID && s.State != Declined && s.State != Returned
}

// ReviewPart is what the actor may say of a correction in a review.
func (s *Service) ReviewPart(ctx context.Context, a Actor, c Correction) (Part, error) {
	if !c.MayReview(a) || !c.ApprovedBy(a.UserID) {
		return Part{May: c.MayReview(a)}, nil
	}
	return s.part(ctx, c.Ref.SubMchID, a.UserID, c.AuthorID)
}

// AgreePart is whether the actor may be the second person of the ruling on a conflict.
func (s *Service) AgreePart(ctx context.Context, a Actor, c Correction) (Part, error) {
	if !c.MayAgree(a) || !c.ApprovedBy(a.UserID) {
		return Part{May: c.MayAgree(a)}, nil
	}
	proposal, _ := c.Proposal()
	return s.part(ctx, c.Ref.SubMchID, a.UserID, c.AuthorID, proposal.ActorID)
}

// part is that of the approver, who stands back for anybody but those who had another
// part in it. The schema judges the same when it counts.
func (s *Service) part(ctx context.Context, subMchID string, approver int64, others ...int64) (Part, error) {
	people, err := s.Store.People(ctx)
	if err != nil {
		return Part{}, err
	}
	if anotherCould(people, subMchID, append(others, approver)...) {
		return Part{Approved: true}, nil
	}
	return Part{May: true, Alone: true}, nil
}

// anotherCould reports whether there is an active supervisor with the merchant in scope
// who is none of these.
func anotherCould(people []Person, subMchID string, but ...int64) bool {
	return slices.ContainsFunc(people, func(p Person) bool {
		return !p.Disabled && Actor{Role: p.Role}.Can(Review) && p.Scope.Allows(subMchID) && !slices.Contains(but, p.ID)
	})
}

// reviewParts fills in what the actor may say of rows of the review page.
func (s *Service) reviewParts(ctx context.Context, a Actor, rows []ReviewRow) error {
	if !a.Can(Review) || !slices.ContainsFunc(rows, func(r ReviewRow) bool { return r.ApprovedBy(a.UserID) }) {
		return nil
	}
	people, err := s.Store.People(ctx)
	if err != nil {
		return err
	}
	for i, r := range rows {
		if r.AuthorID != a.UserID && r.ApprovedBy(a.UserID) {
			could := anotherCould(people, r.Ref.SubMchID, r.AuthorID, a.UserID)
			rows[i].Part = Part{May: !could, Approved: could, Alone: !could}
		}
	}
	return nil
}
