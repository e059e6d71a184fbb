package correction

import (
	"context"
	"errors"
	"strings"
	"unicode"
)

// SaveView keeps a filter of the change log under a name of its own. To share it needs
// the right to read all corrections.
func (s *Service) SaveView(ctx context.Context, a Actor, name, query string, shared bool, ip string) (int64, error) {
	if !a.Can(ReadCorrections) || shared && !a.Can(ReadAllOf) {
		return 0, fail(Forbidden, CodeForbidden, nil)
	}
	name, bad := CleanNote(name, MaxViewName)
	if name == "" || bad.Code != "" || strings.ContainsFunc(name, unicode.IsControl) {
		return 0, fail(Invalid, CodeViewName, nil)
	}
	if len(query) > MaxViewQuery {
		return 0, fail(Invalid, CodeNeedsText, nil)
	}
	id, err := s.Store.SaveView(ctx, View{OwnerID: a.UserID, Name: name, Query: query, Shared: shared, CreatedAt: s.Now()}, ip)
	switch {
	case errors.Is(err, ErrTaken):
		return 0, fail(Conflict, CodeViewTaken, err)
	case errors.Is(err, ErrFull):
		return 0, fail(Conflict, CodeViewsFull, err)
	case err != nil:
		return 0, fail(Unavailable, CodeNoRecord, err)
	}
	return id, nil
}

// Views lists the actor's own views and those that others share, by name. What a view
// shows is narrowed to the actor like any other filter.
func (s *Service) Views(ctx context.Context, a Actor) ([]View, error) {
	if !a.Can(ReadCorrections) {
		return nil, fail(Forbidden, CodeForbidden, nil)
	}
	return s.Store.Views(ctx, a.UserID)
}

// DeleteView removes one of the actor's own views.
func (s *Service) DeleteView(ctx context.Context, a Actor, id int64, ip string) error {
	if !a.Can(ReadCorrections) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	err := s.Store.DeleteView(ctx, a.UserID, id, ip, s.Now())
	switch {
	case errors.Is(err, ErrNoRow):
		return fail(NotFound, CodeNotFound, err)
	case err != nil:
		return fail(Unavailable, CodeNoRecord, err)
	}
	return nil
}
