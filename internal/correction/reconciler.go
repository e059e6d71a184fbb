package correction

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"
)

// Limits of the looking after. What is not urgent is read at most routineRate times a
// second in all; no order is read more than once a second.
const (
	routineRate = 2
	mostLooks   = 8 // at the same time
	orderPause  = time.Second
	idleWait    = time.Minute // the longest sleep: a clock that is set back must not stop the looking
)

// Outlook is when a correction is looked at next and how the newest look went.
type Outlook struct {
	Next   time.Time // zero while it is looked at, and when nothing is planned
	Asked  time.Time // of the newest look; zero when there was none since the start
	Failed string    // code of its error, empty when it worked
}

// Outlook tells what the console does about a correction by itself.
func (s *Service) Outlook(id int64) Outlook {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.known[id]
	if d == nil {
		return Outlook{}
	}
	o := Outlook{Asked: d.asked, Failed: d.last}
	if d.index >= 0 {
		o.Next = d.at
	}
	return o
}

// StartReconciling makes the schedule from the record. Reconcile and RunDue need it.
func (s *Service) StartReconciling(ctx context.Context) error {
	list, err := s.Store.Unfinished(ctx)
	if err != nil {
		return err
	}
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	w.policy, w.now, w.started = s.Policy, s.Now, true
	w.known, w.wake = make(map[int64]*due, len(list)), make(chan struct{}, 1)
	w.urgent, w.routine = nil, nil
	now := s.Now()
	for _, c := range list {
		d := &due{Unfinished: c, at: c.first(now)}
		w.known[c.ID] = d
		q := w.queueOf(d.State)
		d.index = len(*q)
		*q = append(*q, d)
	}
	heap.Init(&w.urgent)
	heap.Init(&w.routine)
	return nil
}

// Reconcile looks after corrections until ctx ends: it re-queries uncertain ones until
// they are decided, undone ones twice, and those in force until the order is settled.
// It never sends anything.
func (s *Service) Reconcile(ctx context.Context) {
	slots := make(chan struct{}, mostLooks)
	var all sync.WaitGroup
	defer all.Wait()
	for ctx.Err() == nil {
		select { // a free slot first: what is taken from the queue is looked at
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		d, wait := s.watch.next(s.Now())
		if d != nil {
			all.Go(func() {
				defer func() { <-slots }()
				s.look(ctx, d)
			})
			continue
		}
		<-slots
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.watch.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// RunDue looks once, one after the other, at everything that is due now and returns
// how many that was. It is Reconcile for a clock that is set by hand.
func (s *Service) RunDue(ctx context.Context) int {
	var all []*due
	now := s.Now()
	for {
		s.watch.mu.Lock()
		s.watch.slot = time.Time{}
		s.watch.mu.Unlock()
		d, _ := s.watch.next(now)
		if d == nil {
			break
		}
		all = append(all, d)
	}
	for _, d := range all {
		s.look(ctx, d)
	}
	return len(all)
}

// look looks at a correction once and plans the next time. A stop of the console in
// the middle of it leaves the record as it was, or decided.
func (s *Service) look(ctx context.Context, d *due) {
	ctx = context.WithoutCancel(ctx)
	asked := s.Now()
	c, err := s.Store.Correction(ctx, d.ID)
	if err == nil && c.State == d.State { // else it is planned anew, below
		c, err = s.requery(ctx, c)
	}
	if err != nil && CodeOf(err) != CodeTokenUsed {
		s.counts.lookFailures.Add(1)
		s.Log.Warn("a correction could not be looked at", "correction", d.ID, "state", d.State, "code", CodeOf(err), "err", errors.Unwrap(err))
	}
	s.counts.looks.Add(1)
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known[d.ID] != d { // an event has planned anew, or ended it
		return
	}
	d.asked, d.last = asked, ""
	now := s.Now()
	if err != nil {
		if d.last = CodeOf(err); d.last == "" {
			d.last = CodeNoRecord
		}
		pause, limit := w.policy.Recheck, maxRetry
		if !d.uncertain() {
			pause, limit = time.Minute, time.Hour
		}
		d.at = now.Add(backoff(pause, d.tries, limit))
		if alarm := d.Entered.Add(AlarmAfter); d.uncertain() && alarm.After(now) && alarm.Before(d.at) {
			d.at = alarm
		}
		d.tries++
		w.put(d)
		return
	}
	if c.State != d.State || c.Settled() != "" { // moved on by somebody else
		w.drop(d)
		if fresh := (Unfinished{ID: c.ID, Ref: c.Ref, State: c.State, Entered: c.Entered().At}); c.Settled() == "" && fresh.unfinished() {
			w.add(fresh, fresh.first(now))
		}
		return
	}
	d.tries++
	switch {
	case c.State.NoEffect():
		d.Looks, d.tries = c.looks(), 0
		at, ok := d.nextRecheck()
		if !ok {
			w.drop(d)
			return
		}
		d.at = at
	case c.State.Effective():
		d.tries = 0
		d.at = d.nextFollow(now)
	case c.State == Awaiting:
		d.at = now.Add(spread(d.ID, AwaitingEvery))
		if until := c.ApproveUntil(); until.After(now) && until.Before(d.at) {
			d.at = until
		}
	default:
		d.at = s.nextLook(c, now, d.tries)
	}
	if d.at.Sub(asked) < orderPause && w.policy.Recheck >= orderPause {
		d.at = asked.Add(orderPause)
	}
	w.put(d)
}

func (d *due) uncertain() bool {
	return !d.State.NoEffect() && !d.State.Effective() && d.State != Awaiting
}

// unfinished reports whether a correction in this state is looked after.
func (w Unfinished) unfinished() bool {
	return w.State.Holds() || w.State.NoEffect() || w.State.Effective()
}

// looks counts the readings since an undone correction came to its state.
func (c Correction) looks() int {
	n := 0
	for i := len(c.Events) - 1; i > 0 && c.Events[i].State == c.Events[i-1].State; i-- {
		if c.Events[i].Detail.Finding != "" || c.Events[i].Detail.Settled != "" {
			n++
		}
	}
	return n
}

// nextLook is when an uncertain correction is read next: with growing pauses, but at
// the two moments at which a verdict becomes possible, and when it begins to alarm.
func (s *Service) nextLook(c Correction, now time.Time, tries int) time.Time {
	at := now.Add(backoff(s.Policy.Recheck, tries, max(s.Policy.Recheck, min(maxBackoff, s.Policy.Quiet/7))))
	if c.State != Unknown {
		return at
	}
	for _, moment := range []time.Time{s.QuietUntil(c), s.quietSince(c).Add(ReadGap(s.Policy.Quiet)), c.Entered().At.Add(AlarmAfter)} {
		if moment = moment.Add(time.Millisecond); moment.After(now) && moment.Before(at) {
			at = moment
		}
	}
	return at
}

// quietSince is when the order was first read unchanged after the quiet time; the
// zero time when it was not.
func (s *Service) quietSince(c Correction) time.Time {
	first, ok := firstUnknown(c)
	if !ok {
		return time.Time{}
	}
	now := s.Now()
	if d := s.quietRead(c, first.Detail, now); d > 0 {
		return now.Add(-d)
	}
	return time.Time{}
}

// requery reads the order of a correction as its state asks for and records what that
// shows. It returns the correction as it stands then.
func (s *Service) requery(ctx context.Context, c Correction) (Correction, error) {
	c, err := s.resumeOpen(ctx, c)
	if err != nil {
		return c, err
	}
	switch {
	case c.State == Unknown:
		if since := s.Now().Sub(c.Entered().At); since >= AlarmAfter || since < -SetBack {
			s.alarms.unresolved(s.Log, c.ID, since)
		}
		err = s.decide(ctx, c, Actor{})
	case c.State == Awaiting:
		err = s.awaited(ctx, c)
	case c.Settled() != "":
		return c, nil
	case c.State.NoEffect():
		err = s.recheck(ctx, c)
	case c.State.Effective():
		err = s.follow(ctx, c)
	default:
		return c, nil
	}
	if err != nil {
		return c, err
	}
	return s.Store.Correction(ctx, c.ID)
}

// recheck reads the order of a correction that is held for one that changed nothing.
// Should it have taken effect all the same, that is recorded and alarms (trust.md
// §1.6).
func (s *Service) recheck(ctx context.Context, c Correction) error {
	next, err := s.Store.Successor(ctx, c.ID)
	if err != nil {
		return err
	}
	if next != "" { // what the order says now may be the doing of that one
		return s.afterwards(ctx, c, Event{State: c.State, Detail: Detail{Settled: Superseded}})
	}
	asked := s.Now()
	now, err := s.read(ctx, c.Ref)
	last := c.looks()+1 >= len(recheckAfter)
	if err != nil {
		if last && asked.Sub(c.Entered().At) > 2*recheckAfter[len(recheckAfter)-1] { // it cannot be read any more
			return s.afterwards(ctx, c, Event{State: c.State, Detail: Detail{Settled: Rechecked, Cause: CauseUnread}})
		}
		return err
	}
	d := observed(now, asked)
	shown := s.evidence(c, now, asked, Detail{})
	d.Finding = shown.Find()
	e := Event{State: c.State, Detail: d}
	switch {
	case (d.Finding == FoundTarget || d.Finding == FoundPaidTarget) && !shown.othersMade():
		e.State, e.Detail.Due, e.Detail.Alarm = AppliedLate, true, AlarmLate
		s.Log.Error("alarm", "kind", AlarmLate, "correction", c.ID, "was", c.State, "request_id", now.RequestID)
	default:
		if last {
			e.Detail.Settled = Rechecked
		}
	}
	return s.afterwards(ctx, c, e)
}

// follow reads the order of a correction in force and records how it was settled. A
// reading that shows nothing new is not recorded.
func (s *Service) follow(ctx context.Context, c Correction) error {
	next, err := s.Store.Successor(ctx, c.ID)
	if err != nil {
		return err
	}
	switch {
	case next.Effective():
		return s.afterwards(ctx, c, Event{State: c.State, Detail: Detail{Settled: Superseded}})
	case next != "" && next != Resolved:
		return nil // that one is decided first
	}
	asked := s.Now()
	over := asked.Sub(c.Entered().At) >= s.Policy.FollowFor
	now, err := s.read(ctx, c.Ref)
	if err != nil {
		if over {
			return s.afterwards(ctx, c, Event{State: c.State, Detail: Detail{Settled: StillOpen, Due: true, Cause: CauseUnread}})
		}
		return err
	}
	d := observed(now, asked)
	var lost bool
	d.Finding, d.Settled, lost = s.evidence(c, now, asked, Detail{}).Follow()
	known := c.lastFinding() == d.Finding
	switch {
	case lost && !known:
		d.Due, d.Alarm = true, AlarmLost
		s.Log.Error("alarm", "kind", AlarmLost, "correction", c.ID, "finding", d.Finding, "request_id", now.RequestID)
	case d.Settled != "":
		d.Due = RefundDue(c.Target, now.Order) > 0
	case over:
		d.Settled, d.Due = StillOpen, true
	case known || d.Finding == FoundTarget:
		return nil
	}
	return s.afterwards(ctx, c, Event{State: c.State, Detail: d})
}

// lastFinding is what the newest reading on record found since the correction came to
// its state.
func (c Correction) lastFinding() Finding {
	for i := len(c.Events) - 1; i >= 0 && c.Events[i].State == c.State; i-- {
		if f := c.Events[i].Detail.Finding; f != "" {
			return f
		}
	}
	return ""
}

// observed is what an event tells of a verified reading.
func observed(r Reading, asked time.Time) Detail {
	return Detail{Reading: &r.Order, ReadMS: asked.UnixMilli(), SkewMS: r.Skew.Milliseconds(), RequestID: r.RequestID, Host: r.Host}
}

// afterwards records an event of the looking after. What people said meanwhile does not
// stand in its way.
func (s *Service) afterwards(ctx context.Context, c Correction, e Event) error {
	e.At = s.Now()
	var err error
	for range reviewTries {
		err = s.storing(ctx, func(ctx context.Context) error { return s.append(ctx, c, c.State, c.Last().N, e) })
		if !errors.Is(err, ErrMoved) {
			break
		}
		fresh, ferr := s.Store.Correction(ctx, c.ID)
		if ferr != nil || fresh.State != c.State || !fresh.onlyWords(len(c.Events)) {
			break
		}
		c = fresh
	}
	if err != nil && !errors.Is(err, ErrMoved) {
		return fail(Unavailable, CodeNoRecord, err)
	}
	return nil
}

// onlyWords reports whether all events from the one at i on are reviews and notes, and
// there is one.
func (c Correction) onlyWords(i int) bool {
	if i < 1 || i >= len(c.Events) {
		return false
	}
	for ; i < len(c.Events); i++ {
		if c.Events[i].Detail.Review == "" && !IsNote(c.Events[i-1], c.Events[i]) {
			return false
		}
	}
	return true
}

// Requery reads the order of a correction now, whatever is planned, and records what
// that shows. It returns the correction as it stands then.
func (s *Service) Requery(ctx context.Context, id int64) (Correction, error) {
	c, err := s.Store.Correction(ctx, id)
	if err != nil {
		return c, err
	}
	return s.requery(context.WithoutCancel(ctx), c)
}
