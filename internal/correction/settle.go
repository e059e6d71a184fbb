package correction

import (
	"context"
	"errors"
)

// Ruling is what a person found about a correction that the console cannot decide.
type Ruling string

// Rulings.
const (
	RuledApplied    Ruling = "applied"
	RuledNotApplied Ruling = "not_applied"
	RuledUnclear    Ruling = "unclear" // it cannot be told any more
)

// Rulings lists all rulings.
var Rulings = []Ruling{RuledApplied, RuledNotApplied, RuledUnclear}

func (r Ruling) valid() bool { return r == RuledApplied || r == RuledNotApplied || r == RuledUnclear }

// MaxText is the length of a person's words about a correction, in characters.
const MaxText = 500

// Resolution is what a supervisor says of a correction. Agrees is the number of the
// event that holds the proposal which they agree with, 0 for a proposal of their own.
type Resolution struct {
	Text   string
	Ruling Ruling
	Agrees int
}

// Proposal is the newest ruling on a conflict that waits for a second person; ok is
// false when there is none.
func (c Correction) Proposal() (e Event, ok bool) {
	if c.State != NeedsPerson {
		return Event{}, false
	}
	last := c.Last()
	return last, last.Detail.Ruling != ""
}

// MayAgree reports whether the actor may be the second person to settle the conflict:
// neither its author nor the one who proposed the ruling.
func (c Correction) MayAgree(a Actor) bool {
	e, ok := c.Proposal()
	return ok && a.Can(Settle) && a.UserID != c.AuthorID && a.UserID != e.ActorID
}

// MayRule reports whether the actor may say what became of the conflict. Nobody
// settles their own correction.
func (c Correction) MayRule(a Actor) bool {
	return c.State == NeedsPerson && a.Can(Settle) && a.UserID != c.AuthorID
}

// MayHandle reports whether the actor may take the correction off the list of what a
// supervisor has to see to.
func (c Correction) MayHandle(a Actor) bool { return c.Due() && a.Can(Settle) }

// Resolve records what a supervisor says: a ruling on a conflict, which a second
// person must agree with before it settles anything, or that what a correction left
// to do is done. Errors of code CodeNeedsText and CodeSecondPerson; CodeTokenUsed when
// the correction has moved on.
func (s *Service) Resolve(ctx context.Context, a Actor, id int64, r Resolution) error {
	if !a.Can(Settle) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	c, err := s.Correction(ctx, a, id)
	if err != nil {
		return err
	}
	text, bad := CleanNote(r.Text, MaxText)
	if bad.Code != "" || text == "" {
		return fail(Invalid, CodeNeedsText, nil)
	}
	e := Event{State: c.State, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Detail: Detail{Text: text}}
	switch proposal, proposed := c.Proposal(); {
	case c.State != NeedsPerson && !c.Due():
		return fail(Conflict, CodeTokenUsed, nil)
	case c.State != NeedsPerson:
		e.Detail.Handled = true
	case !c.MayRule(a):
		return fail(Forbidden, CodeSecondPerson, nil)
	case r.Agrees == 0:
		if !r.Ruling.valid() {
			return fail(Invalid, CodeNeedsText, nil)
		}
		e.Detail.Ruling = r.Ruling
	case !proposed || proposal.N != r.Agrees:
		return fail(Conflict, CodeTokenUsed, nil)
	case !c.MayAgree(a):
		return fail(Forbidden, CodeSecondPerson, nil)
	default:
		part, err := s.AgreePart(ctx, a, c)
		if err != nil {
			return err
		}
		if !part.May {
			return fail(Forbidden, CodeOwnApproval, nil)
		}
		e.Detail.Alone = part.Alone
		e.State, e.Detail.Ruling, e.Detail.Agrees = Resolved, proposal.Detail.Ruling, proposal.N
	}
	err = s.storing(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return s.append(ctx, c, c.State, c.Last().N, e)
	})
	switch {
	case errors.Is(err, ErrMoved):
		return fail(Conflict, CodeTokenUsed, err)
	case err != nil:
		return fail(Unavailable, CodeNoRecord, err)
	}
	s.Log.Info("correction", "correction", id, "state", e.State, "ruling", e.Detail.Ruling, "user", a.UserID)
	return nil
}

// DueFor lists what the actor has to see to after corrections came to their end.
func (s *Service) DueFor(ctx context.Context, a Actor) ([]Summary, error) {
	if !a.Can(Settle) {
		return nil, nil
	}
	scope, _, err := a.Reach()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Due(ctx, scope, 100)
	if err != nil {
		return nil, err
	}
	return list, s.VeilRows(ctx, a, list)
}
