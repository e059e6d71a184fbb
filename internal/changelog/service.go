package changelog

import (
	"context"
	"time"

	"correction-console/internal/correction"
)

// Store is the change log as it is kept.
type Store interface {
	Log(ctx context.Context, f LogFilter, p Page) (rows []correction.Summary, more bool, err error)
	// Export calls each for portions of the corrections that Log would page through, in that
	// order. Which they are is fixed at the start; a row is as it stands when its portion is
	// read, after the one before was taken, and is left out if it is not selected any more.
	// Nothing is held while each runs, which may take its time. Rows are good until then.
	Export(ctx context.Context, f LogFilter, sort LogSort, each func([]correction.Summary) error) error
	// Count is how many corrections Log would page through, up to most; more tells that
	// there are more than that.
	Count(ctx context.Context, f LogFilter, most int) (n int, more bool, err error)
	// Complete fills rows of the log with flags, devices and the time of confirmation.
	Complete(ctx context.Context, rows []correction.Summary) error
	// Origins are where the sessions of these rows came from, ended ones too.
	Origins(ctx context.Context, rows []int64) (map[int64]Origin, error)

	Authors(ctx context.Context, scope correction.Scope) ([]correction.Author, error)
	FilterOptions(ctx context.Context) (FilterOptions, error)
	// SaveFilter stores a new filter and returns its id. correction.ErrTaken when its owner
	// has one of that name, correction.ErrFull when they have MaxSavedFilters.
	SaveFilter(ctx context.Context, v SavedFilter, ip string) (int64, error)
	// SavedFilters lists a person's own filters and those that others share, by name.
	SavedFilters(ctx context.Context, userID int64) ([]SavedFilter, error)
	// DeleteFilter removes a filter of the owner; correction.ErrNoRow when there is none.
	DeleteFilter(ctx context.Context, ownerID, id int64, ip string, at time.Time) error

	AppendAudit(ctx context.Context, a correction.AuditEntry) error
}

// Veils say what is kept from whom: correction.Service.
type Veils interface {
	// VeilFor is the veil of the actor.
	VeilFor(ctx context.Context, a correction.Actor) (correction.Veil, error)
	// VeilRows keeps from the actor what they may not see of rows, in place.
	VeilRows(ctx context.Context, a correction.Actor, rows []correction.Summary) error
}

// Service reads the change log for people. Safe for concurrent use.
type Service struct {
	store Store
	veils Veils
	now   func() time.Time
}

// New returns a service that reads the change log of a store behind the veils.
func New(store Store, veils Veils, now func() time.Time) *Service {
	return &Service{store: store, veils: veils, now: now}
}

// List returns one page of the change log as the actor may see it.
func (s *Service) List(ctx context.Context, a correction.Actor, f LogFilter, p Page) ([]correction.Summary, bool, error) {
	f, err := s.narrow(ctx, a, f)
	if err != nil {
		return nil, false, err
	}
	rows, more, err := s.store.Log(ctx, f, p)
	if err == nil {
		err = s.veils.VeilRows(ctx, a, rows)
	}
	if err != nil {
		return nil, false, err
	}
	if !a.Can(correction.ReadReviews) {
		for i := range rows {
			rows[i].Flagged = false
		}
	}
	return correction.AsOfNow(rows, s.now()), more, nil
}

// CountLog is how many corrections List would page through, up to MaxTotal; more tells
// that there are more than that.
func (s *Service) CountLog(ctx context.Context, a correction.Actor, f LogFilter) (n int, more bool, err error) {
	f, err = s.narrow(ctx, a, f)
	if err != nil {
		return 0, false, err
	}
	return s.store.Count(ctx, f, MaxTotal)
}

// narrow restricts a filter to what the actor may see.
func (s *Service) narrow(ctx context.Context, a correction.Actor, f LogFilter) (LogFilter, error) {
	scope, author, err := a.Reach()
	if err != nil {
		return f, err
	}
	f.Scope = scope
	if author != 0 {
		f.AuthorID = author
	}
	if !a.Can(correction.ReadReviews) && f.Flag != "" { // it would tell what was drawn
		return f, &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	f.Veil, err = s.veils.VeilFor(ctx, a)
	return f, err
}
