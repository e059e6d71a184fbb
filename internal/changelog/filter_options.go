package changelog

import (
	"context"

	"correction-console/internal/correction"
)

// FilterOptions are what the change log can be filtered by, besides merchants and authors.
type FilterOptions struct {
	Offerings []correction.Offering // by service id
	People    []correction.Author   // everybody, by login name
	Approvers []correction.Author   // people who decide about approvals, or did; by login name
}

// FilterOptionsFor lists what the actor may choose from.
func (s *Service) FilterOptionsFor(ctx context.Context, a correction.Actor) (FilterOptions, error) {
	if !a.Can(correction.ReadCorrections) {
		return FilterOptions{}, &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	return s.store.FilterOptions(ctx)
}

// AuthorsFor lists the people whose corrections the actor may see, for a filter;
// empty when they see only their own.
func (s *Service) AuthorsFor(ctx context.Context, a correction.Actor) ([]correction.Author, error) {
	if !a.Can(correction.ReadAllOf) {
		return nil, nil
	}
	return s.store.Authors(ctx, a.Scope)
}

// Complete fills rows of the log with what only some columns show: flags, devices and
// the time of the confirmation.
func (s *Service) Complete(ctx context.Context, a correction.Actor, rows []correction.Summary) error {
	if err := s.store.Complete(ctx, rows); err != nil || a.Can(correction.ReadReviews) {
		return err
	}
	for i := range rows { // they would tell what was drawn
		rows[i].Flags = ""
	}
	return nil
}

// SessionsOf are the sessions in which people acted on a correction, by their row; for
// those who read all corrections.
func (s *Service) SessionsOf(ctx context.Context, a correction.Actor, c correction.Correction) (map[int64]Origin, error) {
	if !a.Can(correction.ReadAllOf) || !a.Scope.Allows(c.Ref.SubMchID) {
		return nil, &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	rows := []int64{c.SessionID}
	for _, e := range c.Events {
		rows = append(rows, e.SessionID)
	}
	return s.store.Origins(ctx, rows)
}

// Origin is where somebody acted from.
type Origin struct {
	IP        string
	UserAgent string
}
