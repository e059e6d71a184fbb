package correction

import "context"

// Choices are what the change log can be filtered by, besides merchants and authors.
type Choices struct {
	Offerings []Offering // by service id
	People    []Author   // everybody, by login name
	Approvers []Author   // people who decide about approvals, or did; by login name
}

// ChoicesFor lists what the actor may choose from.
func (s *Service) ChoicesFor(ctx context.Context, a Actor) (Choices, error) {
	if !a.Can(ReadCorrections) {
		return Choices{}, fail(Forbidden, CodeForbidden, nil)
	}
	return s.Store.Choices(ctx)
}

// Complete fills rows of the log with what only some columns show: flags, devices and
// the time of the confirmation.
func (s *Service) Complete(ctx context.Context, a Actor, rows []Summary) error {
	if err := s.Store.Complete(ctx, rows); err != nil || a.Can(ReadReviews) {
		return err
	}
	for i := range rows { // they would tell what was drawn
		rows[i].Flags = ""
	}
	return nil
}

// SessionsOf are the sessions in which people acted on a correction, by their row; for
// those who read all corrections.
func (s *Service) SessionsOf(ctx context.Context, a Actor, c Correction) (map[int64]Origin, error) {
	if !a.Can(ReadAllOf) || !a.Scope.Allows(c.Ref.SubMchID) {
		return nil, fail(Forbidden, CodeForbidden, nil)
	}
	rows := []int64{c.SessionID}
	for _, e := range c.Events {
		rows = append(rows, e.SessionID)
	}
	return s.Store.Origins(ctx, rows)
}

// Origin is where somebody acted from.
type Origin struct {
	IP        string
	UserAgent string
}
