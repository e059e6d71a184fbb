package dayclose

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"correction-console/internal/correction"
)

// Store keeps the closings and reopenings of days and counts what is of a day.
type Store interface {
	// DayCounts counts the corrections of a day in scope that were prepared at or after
	// from and before to, as they stand at now.
	DayCounts(ctx context.Context, scope correction.Scope, from, to, now time.Time) (DayCounts, error)
	// DayRecords lists the closings and reopenings of a day, oldest first.
	DayRecords(ctx context.Context, day string) ([]DayRecord, error)
	// PutDay makes r the record of its number of a day, with the counts of that moment.
	// correction.ErrMoved when there is one, ErrDayOpen when it closes and something is
	// open, ErrDayMoved when something of the day came to the record after r.Checkpoint.
	PutDay(ctx context.Context, r DayRecord, from, to time.Time) error
	// Checkpoint signs the record as it stands.
	Checkpoint(ctx context.Context) (correction.Checkpoint, error)
}

// Corrections is what days need of correction.Service.
type Corrections interface {
	// DayOf is when a day begins and ends; ok is false for what is no day.
	DayOf(name string) (from, to time.Time, ok bool)
	// DayTime is t in the zone in which days begin.
	DayTime(t time.Time) time.Time
	// ExpireOverdue expires what is over time, so that it keeps no day open.
	ExpireOverdue(ctx context.Context) error
}

// Service reads, closes and reopens days. Safe for concurrent use.
type Service struct {
	store       Store
	corrections Corrections
	now         func() time.Time
	log         *slog.Logger
}

// New returns a service for the days of a store's record.
func New(store Store, corrections Corrections, now func() time.Time, log *slog.Logger) *Service {
	return &Service{store: store, corrections: corrections, now: now, log: log}
}

// Day reads a day for the actor. CodeNotFound for what is no day.
func (s *Service) Day(ctx context.Context, a correction.Actor, name string) (Day, error) {
	if !a.Can(correction.ReadReviews) {
		return Day{}, &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	from, to, ok := s.corrections.DayOf(name)
	if !ok {
		return Day{}, &correction.Error{Kind: correction.NotFound, Code: correction.CodeNotFound}
	}
	now := s.now()
	d := Day{Name: name, From: from, To: to, Today: !now.Before(from) && now.Before(to), Whole: a.Scope.All, MayClose: a.Can(correction.Review) && a.Scope.All && !now.Before(from)}
	var err error
	if d.Counts, err = s.store.DayCounts(ctx, a.Scope, from, to, now); err != nil {
		return d, err
	}
	d.Records, err = s.store.DayRecords(ctx, name)
	if !d.Whole { // the figures of a closing are of all merchants
		for i := range d.Records {
			d.Records[i].Counts = DayCounts{}
		}
	}
	return d, err
}

// Days reads so many days, the day before until first.
func (s *Service) Days(ctx context.Context, a correction.Actor, until time.Time, n int) ([]Day, error) {
	var out []Day
	for i := 1; i <= n; i++ {
		d, err := s.Day(ctx, a, correction.NameOfDay(correction.AddDays(s.corrections.DayTime(until), -i)))
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// closeTries bounds how often a checkpoint is made anew because the day went on.
const closeTries = 5

// CloseDay closes a day of which nothing is open, or reopens it, which takes words. n
// is the number of the newest record that the actor saw. Errors of code CodeDayOpen,
// CodeDayAhead, CodeWholeScope, CodeNeedsText, and CodeDayClosed with who was faster.
func (s *Service) CloseDay(ctx context.Context, a correction.Actor, name string, n int, action DayAction, text string) error {
	if !a.Can(correction.Review) {
		return &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	d, err := s.Day(ctx, a, name)
	if err != nil {
		return err
	}
	text, bad := correction.CleanNote(text, correction.MaxText)
	now := s.now()
	switch {
	case !a.Scope.All:
		return &correction.Error{Kind: correction.Forbidden, Code: correction.CodeWholeScope}
	case action != DayClosed && action != DayReopened:
		return &correction.Error{Kind: correction.Invalid, Code: correction.CodeNoMark}
	case now.Before(d.From):
		return &correction.Error{Kind: correction.Conflict, Code: correction.CodeDayAhead}
	case bad.Code != "" || action == DayReopened && text == "":
		return &correction.Error{Kind: correction.Invalid, Code: correction.CodeNeedsText}
	case d.Last().N != n || (action == DayClosed) == d.Closed():
		return dayMoved(d)
	case action == DayClosed && d.Counts.IsOpen():
		return &correction.Error{Kind: correction.Conflict, Code: correction.CodeDayOpen}
	}
	if err := s.corrections.ExpireOverdue(ctx); err != nil {
		return &correction.Error{Kind: correction.Unavailable, Code: correction.CodeNoRecord, Err: err}
	}
	ctx = context.WithoutCancel(ctx)
	r := DayRecord{Day: name, N: n + 1, At: now, ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Action: action, Text: text}
	for range closeTries {
		err = s.put(ctx, r, d)
		if !errors.Is(err, ErrDayMoved) {
			break
		}
	}
	switch {
	case errors.Is(err, ErrDayOpen):
		return &correction.Error{Kind: correction.Conflict, Code: correction.CodeDayOpen, Err: err}
	case errors.Is(err, correction.ErrMoved):
		if d, rerr := s.Day(ctx, a, name); rerr == nil {
			return dayMoved(d)
		}
		return &correction.Error{Kind: correction.Conflict, Code: correction.CodeDayClosed, Err: err}
	case err != nil:
		return &correction.Error{Kind: correction.Unavailable, Code: correction.CodeNoRecord, Err: err}
	}
	s.log.Info("day", "day", name, "action", action, "user", a.UserID)
	return nil
}

// storeWithin bounds one attempt to record a closing.
const storeWithin = 10 * time.Second

// put records r with a checkpoint of this moment.
func (s *Service) put(ctx context.Context, r DayRecord, d Day) (err error) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	if r.Checkpoint, err = s.store.Checkpoint(ctx); err != nil {
		return err
	}
	return s.store.PutDay(ctx, r, d.From, d.To)
}

// dayMoved is the error of a closing or reopening for which somebody was faster.
func dayMoved(d Day) error {
	e := &correction.Error{Kind: correction.Conflict, Code: correction.CodeDayClosed}
	if last := d.Last(); last.N > 0 {
		e.Holder = &correction.Holder{UserID: last.ActorID, Name: last.ActorName, Since: last.At}
	}
	return e
}
