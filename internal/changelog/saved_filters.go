package changelog

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"correction-console/internal/correction"
)

// SavedFilter is a filter of the change log under a name. Owner and name identify it.
type SavedFilter struct {
	ID        int64
	OwnerID   int64
	OwnerName string
	Name      string // 1 to MaxFilterName characters
	Query     string // the parameters of the page, encoded
	Shared    bool   // everybody who sees the log sees it
	CreatedAt time.Time
}

// Bounds of saved filters.
const (
	MaxSavedFilters = 50 // of one person
	MaxFilterName   = 40
	MaxFilterQuery  = 2000 // bytes
)

// SaveFilter keeps a filter of the change log under a name of its own. To share it needs
// the right to read all corrections.
func (s *Service) SaveFilter(ctx context.Context, a correction.Actor, name, query string, shared bool, ip string) (int64, error) {
	if !a.Can(correction.ReadCorrections) || shared && !a.Can(correction.ReadAllOf) {
		return 0, &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	name, bad := correction.CleanNote(name, MaxFilterName)
	if name == "" || bad.Code != "" || strings.ContainsFunc(name, unicode.IsControl) {
		return 0, &correction.Error{Kind: correction.Invalid, Code: correction.CodeFilterName}
	}
	if len(query) > MaxFilterQuery {
		return 0, &correction.Error{Kind: correction.Invalid, Code: correction.CodeNeedsText}
	}
	id, err := s.store.SaveFilter(ctx, SavedFilter{OwnerID: a.UserID, Name: name, Query: query, Shared: shared, CreatedAt: s.now()}, ip)
	switch {
	case errors.Is(err, correction.ErrTaken):
		return 0, &correction.Error{Kind: correction.Conflict, Code: correction.CodeFilterTaken, Err: err}
	case errors.Is(err, correction.ErrFull):
		return 0, &correction.Error{Kind: correction.Conflict, Code: correction.CodeFiltersFull, Err: err}
	case err != nil:
		return 0, &correction.Error{Kind: correction.Unavailable, Code: correction.CodeNoRecord, Err: err}
	}
	return id, nil
}

// SavedFilters lists the actor's own filters and those that others share, by name. What one
// shows is narrowed to the actor like any other filter.
func (s *Service) SavedFilters(ctx context.Context, a correction.Actor) ([]SavedFilter, error) {
	if !a.Can(correction.ReadCorrections) {
		return nil, &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	return s.store.SavedFilters(ctx, a.UserID)
}

// DeleteFilter removes one of the actor's own filters.
func (s *Service) DeleteFilter(ctx context.Context, a correction.Actor, id int64, ip string) error {
	if !a.Can(correction.ReadCorrections) {
		return &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	err := s.store.DeleteFilter(ctx, a.UserID, id, ip, s.now())
	switch {
	case errors.Is(err, correction.ErrNoRow):
		return &correction.Error{Kind: correction.NotFound, Code: correction.CodeNotFound, Err: err}
	case err != nil:
		return &correction.Error{Kind: correction.Unavailable, Code: correction.CodeNoRecord, Err: err}
	}
	return nil
}
