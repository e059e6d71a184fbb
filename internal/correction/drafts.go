package correction

import (
	"context"
	"errors"
)

// Bounds of the drafts of one person. A form that can be submitted is never larger than
// one draft may be. Of more than there may be, those that were saved longest ago are given
// up: the one in hand is never lost, and nobody has so many orders under way.
const (
	MaxDraft      = 128 << 10 // bytes
	MaxDrafts     = 200
	MaxDraftBytes = 2 << 20 // of all together
)

// SaveDraft keeps a form that was typed and not submitted, one for each person and
// order. base is the hash of the order that the form was opened on: without a form that
// this console showed to this person, of this very order, there is nothing to keep, and
// the error has code CodeBaseUnknown. CodeDraftLarge: it is larger than any form.
func (s *Service) SaveDraft(ctx context.Context, a Actor, ref Ref, base, form string) error {
	if !a.Can(Correct) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	if _, err := s.merchantFor(ctx, a, ref); err != nil {
		return err
	}
	if len(form) > MaxDraft {
		return fail(Invalid, CodeDraftLarge, nil)
	}
	shown, err := s.base(ctx, base)
	if err != nil {
		return err
	}
	if shown.SubMchID != ref.SubMchID || shown.OutOrderNo != ref.OutOrderNo {
		return fail(Conflict, CodeBaseUnknown, nil)
	}
	// A look is forgotten earlier than a draft.
	if _, err := s.Store.LookedAt(ctx, a.UserID, ref); errors.Is(err, ErrNoRow) {
		if _, err := s.Store.Draft(ctx, a.UserID, ref); err != nil {
			return fail(Conflict, CodeBaseUnknown, err)
		}
	} else if err != nil {
		return err
	}
	return s.Store.SaveDraft(context.WithoutCancel(ctx), SavedDraft{UserID: a.UserID, Ref: ref, Form: form, SavedAt: s.Now()})
}

// Draft returns the actor's draft for the order, or ErrNoRow.
func (s *Service) Draft(ctx context.Context, a Actor, ref Ref) (SavedDraft, error) {
	return s.Store.Draft(ctx, a.UserID, ref)
}

// DropDraft deletes the actor's draft for the order, if there is one.
func (s *Service) DropDraft(ctx context.Context, a Actor, ref Ref) error {
	return s.Store.DeleteDraft(ctx, a.UserID, ref)
}

// DropDraftOf deletes the draft that a correction was prepared from, once that is confirmed
// or withdrawn. What its author typed after that stays; so does the draft of one that
// expired or became void, to be done again.
func (s *Service) DropDraftOf(ctx context.Context, a Actor, id int64) error {
	c, err := s.Store.Correction(ctx, id)
	if err != nil || c.AuthorID != a.UserID || c.State == Prepared || c.State == Expiry || c.State == Void {
		return err
	}
	d, err := s.Store.Draft(ctx, a.UserID, c.Ref)
	if errors.Is(err, ErrNoRow) || err == nil && d.SavedAt.After(c.PreparedAt) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Store.DeleteDraft(ctx, a.UserID, c.Ref)
}
