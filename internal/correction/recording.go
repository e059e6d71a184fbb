package correction

import (
	"context"
	"errors"
	"slices"
	"time"
)

// concludeTries is how often an outcome is offered to the store before it is left
// to the next start; concludePause lies between two tries.
const (
	concludeTries = 4
	concludePause = 250 * time.Millisecond
)

// conclude records where a correction went. What is known now is lost if the record
// fails, so it is tried again for a moment; trying twice cannot record it twice. If
// it fails for good, the correction stays as it is, and the looking after takes it up.
func (s *Service) conclude(ctx context.Context, c Correction, from State, n int, to State, d Detail) error {
	e := Event{State: to, At: s.Now(), Detail: d}
	var err error
	sctx, cancel := context.WithTimeout(ctx, storeWithin) // for all tries together
	defer cancel()
	for try := range concludeTries {
		if try > 0 {
			time.Sleep(concludePause)
		}
		if err = s.append(sctx, c, from, n, e); err == nil || errors.Is(err, ErrMoved) {
			break
		}
	}
	if errors.Is(err, ErrMoved) {
		// A try that seemed to fail was recorded, or somebody else was faster: the record
		// tells.
		return fail(Conflict, CodeTokenUsed, err)
	}
	if err != nil {
		s.Log.Error("outcome is not on record yet", "correction", c.ID, "from", from, "to", to, "class", d.Class, "cause", d.Cause,
			"status", d.Status, "code", d.Code, "request_id", d.RequestID, "err", err)
		if from == Sending && d.Cause != CauseCrash {
			s.pending.LoadOrStore(c.ID, pendingEvent{c, from, n, e})
		}
		s.watch.open(c, from)
		if from == Sending && d.Class != NothingSent && d.Cause != CauseCrash {
			return fail(Unavailable, CodeOutcomePending, err)
		}
		return fail(Unavailable, CodeNoRecord, err)
	}
	s.Log.Info("correction", "correction", c.ID, "state", to, "class", d.Class, "cause", d.Cause, "request_id", d.RequestID)
	return nil
}

// append records an event, and what follows from it: a line in the journal if the
// correction may have been sent, and a new time to look.
func (s *Service) append(ctx context.Context, c Correction, from State, n int, e Event) error {
	// The lines of one correction stand in the journal in the order of its events, also
	// when somebody checks it while the reconciler does: without the one before it, a line
	// cannot be replayed.
	order := &s.appending[uint64(c.ID)%uint64(len(s.appending))]
	order.Lock()
	defer order.Unlock()
	if err := s.Store.Append(ctx, c.ID, from, n, e); err != nil {
		return err
	}
	s.trace("outcome")
	s.noted(ctx, c, n+1, from, e)
	return nil
}

// noted does what follows from an event that is on record.
func (s *Service) noted(ctx context.Context, c Correction, n int, from State, e Event) {
	e.N = n
	if _, sent := c.Find(Sending); sent || from == Sending {
		if err := s.Journal.Event(ctx, c, e); err != nil { // the store has it
			s.alarms.journal.Store(true)
			s.Log.Error("alarm", "kind", JournalFailed, "correction", c.ID, "state", e.State, "err", err)
		} else {
			s.alarms.journal.Store(false)
		}
	}
	if e.State != from {
		s.counts.count(e.State)
	}
	s.alarms.forget()
	s.watch.note(Unfinished{ID: c.ID, Ref: c.Ref, State: e.State, Entered: e.At}, from, e)
}

// pendingEvent is an outcome that could not be recorded yet.
type pendingEvent struct {
	c    Correction
	from State
	n    int
	e    Event
}

// recordPending records the outcome of a correction that could not be recorded when
// it was known, if there is one.
func (s *Service) recordPending(ctx context.Context, id int64) error {
	s.pendingMu.Lock() // a check and the housekeeping may come together
	defer s.pendingMu.Unlock()
	v, ok := s.pending.Load(id)
	if !ok {
		return nil
	}
	p := v.(pendingEvent)
	err := s.storing(context.WithoutCancel(ctx), func(ctx context.Context) error { return s.append(ctx, p.c, p.from, p.n, p.e) })
	switch {
	case errors.Is(err, ErrMoved):
		s.Log.Warn("outcome not recorded: the record has moved on", "correction", id, "state", p.e.State, "class", p.e.Detail.Class, "request_id", p.e.Detail.RequestID)
	case err != nil:
		return fail(Unavailable, CodeOutcomePending, err)
	default:
		s.Log.Info("outcome recorded late", "correction", id, "state", p.e.State, "request_id", p.e.Detail.RequestID)
	}
	s.pending.Delete(id)
	return nil
}

// RecordPending records every outcome that could not be recorded when it was known.
func (s *Service) RecordPending(ctx context.Context) error {
	var errs []error
	s.pending.Range(func(id, _ any) bool {
		errs = append(errs, s.recordPending(ctx, id.(int64)))
		return true
	})
	return errors.Join(errs...)
}

// abandon settles a correction whose last step may or may not be on record, in one
// of the states that it may have come to. This process has not sent it and will not:
// that is certain here, and is said. After a crash it would not be.
func (s *Service) abandon(ctx context.Context, id int64, states ...State) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	c, err := s.Store.Correction(ctx, id)
	if err == nil && slices.Contains(states, c.State) {
		err = s.conclude(ctx, c, c.State, c.Last().N, NotSent, Detail{Class: NothingSent, Cause: CauseNoRecord})
	}
	if err != nil {
		s.watch.open(Correction{ID: id, Ref: c.Ref}, Claimed)
		s.Log.Error("a correction stays open for now", "correction", id, "err", err)
	}
}

// recordAgain is for how long a reading that people asked for, and that shows the same,
// is not recorded once more: whoever presses the button again and again does not fill the
// record.
const recordAgain = 5 * time.Second
