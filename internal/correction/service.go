package correction

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Author is a person who has corrected something, for filters.
type Author struct {
	ID    int64
	Login string
	Name  string
}

// Service is the use cases of correcting. Safe for concurrent use.
type Service struct {
	Store   Store
	Gateway Gateway
	Journal Journal
	Policy  Policy
	Key     []byte // derives confirmation tokens and draws the sample; 32 bytes
	Now     func() time.Time
	Log     *slog.Logger
	Health  func() Health  // nil: nothing is known of it
	Zone    *time.Location // in which days begin; nil: UTC
	// Submitted is told of each correction that came to wait for approval; it must not
	// block. nil: nobody is told.
	Submitted func(Correction)

	// Trace is told of each step of a correction as it is passed, under names that
	// trust.md §1.4 has; nil: nobody is. Crash tests stop the program in it.
	Trace func(step string)

	Lookups Lookups // its limit is set before the service is used

	inFlight  sync.Map // ids of corrections whose confirmation runs in this process
	pending   sync.Map // id → pendingEvent: outcomes that the store did not take
	pendingMu sync.Mutex
	appending [256]sync.Mutex // by id: held from the record of an event to its line in the journal
	watch     watch
	alarms    alarms
	counts    counts
	editing   sync.Mutex // held while a setting is judged and stored
	settings  aged[Settings]
	waiting   aged[waitingEdits]
}

// Correction reads a correction for the actor, as it stands now: one whose time to
// confirm or to approve is over counts as expired, whether that is on record already or
// not. What the actor may not see yet is left out (veil.go).
func (s *Service) Correction(ctx context.Context, a Actor, id int64) (Correction, error) {
	c, err := s.current(ctx, a, id)
	if err != nil {
		return c, err
	}
	return s.VeilOf(ctx, a, c)
}

// current is Correction with nothing left out, to act upon.
func (s *Service) current(ctx context.Context, a Actor, id int64) (Correction, error) {
	c, err := s.correctionFor(ctx, a, id)
	if err == nil && s.overdue(c) {
		until := c.ConfirmUntil
		if c.State == Awaiting {
			until = c.ApproveUntil()
		}
		c.State = Expiry
		c.Events = append(c.Events, Event{N: c.Last().N + 1, State: Expiry, At: until})
	}
	return c, err
}

func (s *Service) overdue(c Correction) bool {
	return Overdue(c.State, c.ConfirmUntil, c.Entered().At, s.Now())
}

// correctionFor is the one place where a correction is read for a person: what is
// out of scope, or somebody else's for an agent, is not found.
func (s *Service) correctionFor(ctx context.Context, a Actor, id int64) (Correction, error) {
	if !a.Can(ReadCorrections) {
		return Correction{}, fail(Forbidden, CodeForbidden, nil)
	}
	c, err := s.Store.Correction(ctx, id)
	if errors.Is(err, ErrNoRow) {
		return c, fail(NotFound, CodeNotFound, err)
	}
	if err != nil {
		return c, err
	}
	if !a.Scope.Allows(c.Ref.SubMchID) || (c.AuthorID != a.UserID && !a.Can(ReadAllOf)) {
		return Correction{}, fail(NotFound, CodeNotFound, nil)
	}
	return c, nil
}

// ExpireOverdue expires every correction whose time to confirm or to approve is over.
func (s *Service) ExpireOverdue(ctx context.Context) error {
	ids, err := s.Store.Expired(ctx, s.Now(), 500)
	if err != nil {
		return err
	}
	var errs []error // one damaged record does not keep the others
	for _, id := range ids {
		c, err := s.Store.Correction(ctx, id)
		if err == nil && s.overdue(c) {
			err = s.append(ctx, c, c.State, c.Last().N, Event{State: Expiry, At: s.Now()})
		}
		if err != nil && !errors.Is(err, ErrMoved) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Refuses tells why corrections are refused at present; empty when they are not.
func (s *Service) Refuses() Concern {
	if s.Health == nil {
		return ""
	}
	return s.Health().Refuses()
}

// writable refuses while no record can be made: no record, no action.
func (s *Service) writable() error {
	if why := s.Refuses(); why != "" {
		return &Error{Kind: Unavailable, Code: CodeReadOnly, Concern: why}
	}
	return nil
}

// asOfNow is AsOfNow at this moment.
func (s *Service) asOfNow(rows []Summary) []Summary { return AsOfNow(rows, s.Now()) }

// AsOfNow shows as expired what is at that moment, whether that is on record already or
// not. It changes the rows in place.
func AsOfNow(rows []Summary, now time.Time) []Summary {
	for i, r := range rows {
		if until := r.ChangedAt.Add(ApproveWithin); r.State == Awaiting && !now.Before(until) {
			rows[i].State, rows[i].ChangedAt = Expiry, until
		}
		if r.State == Prepared && !now.Before(r.ConfirmUntil) {
			rows[i].State, rows[i].ChangedAt = Expiry, r.ConfirmUntil
		}
	}
	return rows
}

// Attention lists the actor's own corrections that need something from them, and
// for those who see all, everybody's uncertain ones.
func (s *Service) Attention(ctx context.Context, a Actor) ([]Summary, error) {
	scope, author, err := a.Reach()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Attention(ctx, scope, author, a.UserID, s.Now(), 50)
	if err == nil {
		err = s.VeilRows(ctx, a, list)
	}
	if err != nil {
		return nil, err
	}
	return s.asOfNow(list), nil
}

// trace tells of a step that was passed.
func (s *Service) trace(step string) {
	if s.Trace != nil {
		s.Trace(step)
	}
}
