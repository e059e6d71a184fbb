package correction

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Recover settles what a stop or crash left behind: a claimed correction was
// certainly never sent; a sending one may have been.
func (s *Service) Recover(ctx context.Context) error {
	ids, err := s.Store.InState(ctx, Claimed, Sending)
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, err := s.Store.Correction(ctx, id)
		if err == nil {
			err = s.resume(ctx, c)
		}
		if err != nil && CodeOf(err) != CodeTokenUsed {
			// It keeps its order; a damaged record must not keep the others from work.
			s.Log.Error("a correction stays open", "correction", id, "err", err)
		}
	}
	return nil
}

func (s *Service) resume(ctx context.Context, c Correction) error {
	d := Detail{Cause: CauseCrash, SignMS: c.Last().Detail.SignMS, SkewMS: c.Last().Detail.SkewMS}
	to := Unknown
	if c.State == Claimed {
		to, d.SignMS, d.SkewMS = NotSent, 0, 0
	} else {
		d.Class = Uncertain
	}
	return s.conclude(ctx, c, c.State, c.Last().N, to, d)
}

// Check reads the order of an uncertain correction now and decides by the verdict
// table. A reading that does not decide is recorded too. The order of one that waits for
// approval is read as the reconciler does: one that moved voids it.
func (s *Service) Check(ctx context.Context, a Actor, id int64) error {
	if !a.Can(Correct) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	c, err := s.Correction(ctx, a, id)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if c, err = s.resumeOpen(ctx, c); err != nil || c.State != Unknown && c.State != Awaiting {
		return err // decided in the meantime, or still under way: the page tells
	}
	if err := s.counting(a, actCheck); err != nil {
		return err
	}
	if c.State == Awaiting {
		return s.awaited(ctx, c)
	}
	return s.decide(ctx, c, a)
}

// resumeOpen takes up a correction whose confirmation has ended without an outcome
// on record, and returns it as it stands then.
func (s *Service) resumeOpen(ctx context.Context, c Correction) (Correction, error) {
	// Asked after the record was read: a confirmation that shows in the record and has
	// not ended is seen here, and one that ended in between has moved the record on.
	open := func() bool {
		_, running := s.inFlight.Load(c.ID)
		return (c.State == Sending || c.State == Claimed) && !running
	}
	if !open() {
		return c, nil
	}
	// What the confirmation could not record comes before any guess.
	err := s.recordPending(ctx, c.ID)
	if err == nil {
		c, err = s.Store.Correction(ctx, c.ID)
	}
	if err != nil || !open() {
		return c, err
	}
	if err := s.resume(ctx, c); err != nil && CodeOf(err) != CodeTokenUsed {
		return c, err
	}
	return s.Store.Correction(ctx, c.ID)
}

// decide reads the order of an uncertain correction and decides by the verdict table.
// A reading that does not decide is recorded when a person asked for it, when it
// shows something new, and when it is the first after the quiet time.
func (s *Service) decide(ctx context.Context, c Correction, a Actor) error {
	asked := s.Now()
	now, err := s.read(ctx, c.Ref)
	if err != nil {
		return err
	}
	s.trace("resolving")
	first, _ := firstUnknown(c)
	e := s.evidence(c, now, asked, first.Detail)
	e.QuietRead = s.quietRead(c, first.Detail, asked.Add(now.Skew))
	v := e.Decide(s.Policy.Quiet)
	d := Detail{
		Finding: v.Finding, Reading: &now.Order, ReadMS: asked.UnixMilli(), RequestID: now.RequestID, SignMS: first.Detail.SignMS, SkewMS: now.Skew.Milliseconds(),
		Host: now.Host,
	}
	to := v.State
	if v.Wait {
		to = Unknown
		news := c.Last().Detail.Finding != v.Finding || v.Finding == FoundBase && e.Age >= s.Policy.Quiet && e.QuietRead == 0
		last := c.Last()
		repeats := last.Detail.Finding == v.Finding && last.ActorID != 0 && asked.Sub(last.At).Abs() < recordAgain
		if !news && (a.UserID == 0 || repeats) {
			return nil
		}
	}
	err = s.storing(ctx, func(ctx context.Context) error {
		return s.append(ctx, c, Unknown, c.Last().N, Event{State: to, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Detail: d})
	})
	switch {
	case errors.Is(err, ErrMoved):
		return nil // somebody else decided at the same moment
	case err != nil:
		return fail(Unavailable, CodeNoRecord, err)
	}
	if to != Unknown {
		s.Log.Info("correction", "correction", c.ID, "state", to, "finding", v.Finding, "request_id", now.RequestID)
	}
	return nil
}

// firstUnknown is the event that made the correction uncertain: it carries the
// answer and the signature time.
func firstUnknown(c Correction) (Event, bool) {
	for _, e := range c.Events {
		if e.State == Unknown {
			return e, true
		}
	}
	return Event{}, false
}

// quietRead is how long before now the order was first read unchanged after the
// quiet time, with no other finding since. All times are by WeChat's clock.
func (s *Service) quietRead(c Correction, sent Detail, now time.Time) time.Duration {
	var oldest time.Duration
	quietAt := signedAt(sent).Add(s.Policy.Quiet)
	for _, e := range slices.Backward(c.Events) {
		d := e.Detail
		if e.State != Unknown || d.Reading == nil || d.Finding != FoundBase {
			break
		}
		at := time.UnixMilli(d.ReadMS + d.SkewMS)
		if at.Before(quietAt) {
			break
		}
		oldest = now.Sub(at)
	}
	return oldest
}

// QuietUntil tells from when "not applied" may be said of an uncertain correction;
// zero when it is not uncertain.
func (s *Service) QuietUntil(c Correction) time.Time {
	e, ok := firstUnknown(c)
	if !ok {
		return time.Time{}
	}
	return signedAt(e.Detail).Add(s.Policy.Quiet - time.Duration(e.Detail.SkewMS)*time.Millisecond) // by this machine's clock
}
