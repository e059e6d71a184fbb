package correction

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
)

// ApproveWithin is how long a correction waits for approval before it expires.
const ApproveWithin = 24 * time.Hour

// AwaitingEvery is how often the order of a correction that waits for approval is read
// again: one that moved voids it.
const AwaitingEvery = 5 * time.Minute

// awaitingFirst is when that is done first after it was submitted.
const awaitingFirst = 2 * time.Second

// Over are the bounds that the correction was above when it was prepared or, later,
// submitted for approval.
func (c Correction) Over() []Over {
	for i := len(c.Events) - 1; i >= 0; i-- {
		if len(c.Events[i].Detail.Over) > 0 {
			return c.Events[i].Detail.Over
		}
	}
	return nil
}

// ApproveUntil is when a correction that waits for approval expires.
func (c Correction) ApproveUntil() time.Time { return c.Entered().At.Add(ApproveWithin) }

// Decision is the event with which a second person decided about the correction.
func (c Correction) Decision() (Event, bool) {
	for _, e := range c.Events {
		if e.State == Approved || e.State == Declined || e.State == Returned {
			return e, true
		}
	}
	return Event{}, false
}

// submit hands a correction that is above its author's allowance to a second person.
// Nothing is sent.
func (s *Service) submit(ctx context.Context, a Actor, c Correction, over []Over, today Spent, typed string) error {
	e := Event{State: Awaiting, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID,
		Detail: Detail{Typed: typed, Over: over, Before: &today}}
	top, err := s.inTopTier(ctx, c)
	if err != nil {
		return err
	}
	e.Detail.Blind = top || c.Blind()
	err = s.storing(ctx, func(ctx context.Context) error { return s.Store.Submit(ctx, c.ID, c.Ref, e, &Trial{}) })
	var end *Unpermitted
	switch {
	case errors.As(err, &end): // its page tells why
		s.stopped(ctx, c, end)
		return nil
	case errors.Is(err, ErrTaken):
		return s.taken(ctx, c)
	case errors.Is(err, ErrMoved):
		return fail(Conflict, CodeTokenUsed, err)
	case err != nil:
		s.watch.open(c, Awaiting) // it may be on record all the same
		return fail(Unavailable, CodeNoRecord, err)
	}
	s.trace("submitted")
	s.noted(ctx, c, c.Last().N+1, Prepared, e)
	s.Log.Info("correction", "correction", c.ID, "state", Awaiting)
	if s.Submitted != nil {
		c.Events = append(c.Events, e)
		s.Submitted(c)
	}
	return nil
}

// taken is the error of a correction whose order another one holds.
func (s *Service) taken(ctx context.Context, c Correction) error {
	h, err := s.Store.Holder(ctx, c.Ref)
	if err == nil && h == nil { // free again by now: the page lets try again
		return fail(Conflict, CodeTokenUsed, nil)
	}
	return &Error{Kind: Conflict, Code: CodeBusy, Holder: h, Err: err}
}

// Judgement is what stands between a person and the decision about a correction.
type Judgement struct {
	May     bool   // decide at all: decline and return
	Approve bool   // and approve
	Why     string // a Code of errors: why not
	Blind   bool   // the approver enters the new total; nobody who may decide is shown it
	Wrong   int    // totals that the person typed about it, which were not the one asked for
	Tier    Tier
	Limit   Limit    // the person's own
	Firsts  Firsts   // what limits and tiers are measured from
	Breach  []Breach // what no longer permits it, whoever decides; known while it waits
}

// Judge tells whether the actor may decide about a correction that waits for approval,
// and how.
func (s *Service) Judge(ctx context.Context, a Actor, c Correction) (Judgement, error) {
	set, err := s.Settings(ctx)
	if err != nil {
		return Judgement{}, err
	}
	j := Judgement{Limit: set.Limits.Of(a.UserID, a.Role)}
	if j.Firsts, err = s.Store.Firsts(ctx, c.Ref, c.ID, c.AuthorID, a.UserID); err != nil {
		return j, err
	}
	j.Tier, j.Blind = TierOf(set.Tiers, GivenUp(j.Firsts.Anyone, c.Base.Total, c.Target))
	j.Blind = j.Blind || c.Blind()
	if j.Blind && c.State == Awaiting && a.Can(Approve) {
		if j.Wrong, err = s.tried(ctx, a, c.ID); err != nil {
			return j, err
		}
	}
	if c.State == Awaiting {
		f, err := s.facts(ctx, c)
		if err != nil {
			return j, err
		}
		j.Breach = f.Breaches()
		if j.Blind { // what a rule about the amount says would tell it
			j.Breach = slices.DeleteFunc(j.Breach, func(b Breach) bool { return b.Code == BadZero || b.Code == BadOverCap })
		}
	}
	switch {
	case !a.Can(Approve) || !a.Scope.Allows(c.Ref.SubMchID):
		j.Why = CodeForbidden
	case c.AuthorID == a.UserID:
		j.Why = CodeSecondPerson
	case c.State != Awaiting:
		j.Why = CodeDecided
	case !j.Tier.Admits(a.UserID):
		j.Why = CodeOtherTier
	case j.Wrong >= MaxTries:
		j.Why = CodeTriesUsed
	case len(j.Limit.OneOf(j.Firsts.Approver, c.Base.Total, c.Target)) > 0 && (!j.Blind || j.surelyOver(c.Base.Total)):
		j.May, j.Why = true, CodeOverOwnLimit
	default:
		j.May, j.Approve = true, true
	}
	return j, nil
}

// Approve approves the stored bytes of a correction and carries it out: the one POST is
// made at once, for the author, under the same rules as a confirmation. bodySHA256 is
// the hash of what was shown, in hex; empty means the bytes on record, which never
// change. In the top tier typedTotal must be the new total.
func (s *Service) Approve(ctx context.Context, a Actor, id int64, bodySHA256, typedTotal string) error {
	c, err := s.judged(ctx, a, id, true)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	hash := hex.EncodeToString(c.BodySHA256[:])
	if err := s.writable(); err != nil {
		return err
	}
	j, err := s.Judge(ctx, a, c)
	if err != nil {
		return err
	}
	if j.Blind {
		if err := s.tryTotal(ctx, a, c, typedTotal); err != nil {
			return err
		}
		if len(j.Limit.OneOf(j.Firsts.Approver, c.Base.Total, c.Target)) > 0 { // they know the amount now
			return fail(Forbidden, CodeOverOwnLimit, nil)
		}
	} else {
		typedTotal = ""
	}
	// Only now: whether a hash is the right one tells the total, too.
	if bodySHA256 != "" && bodySHA256 != hash {
		return fail(Conflict, CodeOrderMoved, nil)
	}
	if _, running := s.inFlight.LoadOrStore(id, true); running {
		return s.decided(ctx, a, id)
	}
	defer s.inFlight.Delete(id)

	flags, err := s.flagsOf(ctx, c, Headroom{})
	if err != nil {
		return err
	}
	approved := Event{State: Approved, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID,
		Detail: Detail{BodySHA256: hash, Typed: typedTotal}}
	claim := Event{State: Claimed, At: approved.At, ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Detail: Detail{Flags: flags}}
	n := c.Last().N
	trial := Trial{Approver: a.UserID}
	err = s.storing(ctx, func(ctx context.Context) error { return s.Store.Approve(ctx, id, n, approved, claim, &trial) })
	var end *Unpermitted
	switch {
	case errors.As(err, &end): // its page tells why
		s.stopped(ctx, c, end)
		return nil
	case KindOf(err) == Forbidden: // since the page was shown
		s.ForgetSettings()
		return err
	case errors.Is(err, ErrMoved):
		return s.decided(ctx, a, id)
	case err != nil:
		s.abandon(ctx, id, Claimed) // it may be on record all the same
		return fail(Unavailable, CodeNoRecord, err)
	}
	approved.N, claim.N = n+1, n+2
	c.State, c.Events = Claimed, append(c.Events, approved, claim)
	s.watch.note(Unfinished{ID: c.ID, Ref: c.Ref, State: Claimed, Entered: claim.At}, Awaiting, claim)
	s.Log.Info("correction", "correction", id, "state", Approved, "user", a.UserID)
	s.trace("claimed")
	return s.send(ctx, c, trial)
}

// Decline ends a correction that waits for approval; ReturnForEdit ends it so that its
// author makes another one. Both need words.
func (s *Service) Decline(ctx context.Context, a Actor, id int64, text string) error {
	return s.refuse(ctx, a, id, Declined, text)
}

// ReturnForEdit gives a correction that waits for approval back to its author.
func (s *Service) ReturnForEdit(ctx context.Context, a Actor, id int64, text string) error {
	return s.refuse(ctx, a, id, Returned, text)
}

func (s *Service) refuse(ctx context.Context, a Actor, id int64, to State, text string) error {
	c, err := s.judged(ctx, a, id, false)
	if err != nil {
		return err
	}
	text, bad := CleanNote(text, MaxText)
	if bad.Code != "" || strings.TrimSpace(text) == "" {
		return fail(Invalid, CodeNeedsText, nil)
	}
	e := Event{State: to, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Detail: Detail{Text: text}}
	ctx = context.WithoutCancel(ctx)
	err = s.storing(ctx, func(ctx context.Context) error { return s.append(ctx, c, Awaiting, c.Last().N, e) })
	switch {
	case errors.Is(err, ErrMoved):
		return s.decided(ctx, a, id)
	case err != nil:
		return fail(Unavailable, CodeNoRecord, err)
	}
	s.Log.Info("correction", "correction", id, "state", to, "user", a.UserID)
	return nil
}

// judged reads a correction for somebody who decides about it.
func (s *Service) judged(ctx context.Context, a Actor, id int64, approve bool) (Correction, error) {
	if !a.Can(Approve) {
		return Correction{}, fail(Forbidden, CodeForbidden, nil)
	}
	c, err := s.current(ctx, a, id)
	if err != nil {
		return c, err
	}
	j, err := s.Judge(ctx, a, c)
	switch {
	case err != nil:
		return c, err
	case j.Why == CodeDecided:
		return c, s.decidedOf(c)
	case !j.May || approve && !j.Approve:
		return c, fail(Forbidden, j.Why, nil)
	}
	return c, nil
}

// decided is the error of a decision for which somebody was faster: who and when.
func (s *Service) decided(ctx context.Context, a Actor, id int64) error {
	c, err := s.Correction(ctx, a, id)
	if err != nil {
		return err
	}
	return s.decidedOf(c)
}

func (s *Service) decidedOf(c Correction) error {
	e := &Error{Kind: Conflict, Code: CodeDecided}
	if d, ok := c.Decision(); ok {
		e.Holder = &Holder{CorrectionID: c.ID, UserID: d.ActorID, Name: d.ActorName, State: d.State, Since: d.At}
	}
	return e
}

// awaited reads the order of a correction that waits for approval: one that moved
// voids it, and one that waited too long expires.
func (s *Service) awaited(ctx context.Context, c Correction) error {
	if s.overdue(c) {
		return s.afterwards(ctx, c, Event{State: Expiry})
	}
	asked := s.Now()
	now, err := s.read(ctx, c.Ref)
	if err != nil {
		return err
	}
	if now.Order.SameMoney(c.Base) && now.Order.Completed() {
		s.watch.saw(c.ID, now)
		return nil
	}
	return s.afterwards(ctx, c, Event{State: Stale, Detail: observed(now, asked)})
}

// Since is what changed about a correction since it was submitted for approval.
type Since struct {
	Now        *Order    // as the reconciler, or somebody who asked for it, read it last; nil when nobody has yet
	ReadAt     time.Time // of Now
	Then       Spent     // what the author had given up that day
	Today      Spent
	Unreadable string    // code of the error of the newest reading, empty when it worked
	AskedAt    time.Time // with Unreadable
}

// sinceSubmitted tells what changed about a correction that waits for approval. It reads nothing
// but the record and what the reconciler has seen: who looks at a case changes nothing.
func (s *Service) sinceSubmitted(ctx context.Context, c Correction) (Since, error) {
	var out Since
	if e, ok := c.Find(Awaiting); ok && e.Detail.Before != nil {
		out.Then = *e.Detail.Before
	}
	var err error
	if out.Today, err = s.Store.Spent(ctx, c.AuthorID, s.DayStart(s.Now())); err != nil || c.State != Awaiting {
		return out, err
	}
	out.Now, out.ReadAt = s.watch.lastSeen(c.ID)
	if o := s.Outlook(c.ID); o.Failed != "" && o.Asked.After(out.ReadAt) {
		out.Unreadable, out.AskedAt = o.Failed, o.Asked
	}
	return out, nil
}

// Approvals are what waits for a second person, oldest first, and what lapsed today.
type Approvals struct {
	Waiting []Summary
	Lapsed  []Summary
}

// maxWaiting bounds the queue that is shown.
const maxWaiting = 200

// ApprovalsFor lists what waits for approval in the actor's scope.
func (s *Service) ApprovalsFor(ctx context.Context, a Actor) (Approvals, error) {
	var out Approvals
	if !a.Can(ReadReviews) {
		return out, fail(Forbidden, CodeForbidden, nil)
	}
	waiting, err := s.Store.Awaiting(ctx, a.Scope, maxWaiting)
	if err != nil {
		return out, err
	}
	for _, w := range s.asOfNow(waiting) {
		if w.State == Awaiting {
			out.Waiting = append(out.Waiting, w)
		}
	}
	if out.Lapsed, err = s.Store.Voided(ctx, a.Scope, s.DayStart(s.Now()), 20); err != nil {
		return out, err
	}
	if err := s.VeilRows(ctx, a, out.Waiting); err != nil {
		return out, err
	}
	return out, s.VeilRows(ctx, a, out.Lapsed)
}

// ApprovalCount counts what waits for approval in the actor's scope.
func (s *Service) ApprovalCount(ctx context.Context, a Actor) (int, error) {
	if !a.Can(ReadReviews) {
		return 0, nil
	}
	return s.Store.AwaitingCount(ctx, a.Scope, s.Now().Add(-ApproveWithin))
}

// Case is all that somebody who decides about a correction is shown of it.
type Case struct {
	Correction Correction
	Judgement  Judgement
	Since      Since
	Author     Person    // as they are now
	Recent     []Summary // the author's newest other corrections
	Confirmed  int       // of the author in the last 30 days
	Wrong      int       // of these, found wrong by a review
	Again      FlagFacts // other corrections of the same device and order within AgainDays
	AgainDays  int
	Tries      []Tries // totals that were typed to approve it and were not right
}

// caseDays is how far back an author's record is counted.
const caseDays = 30

// recentShown is how many of an author's corrections a case shows.
const recentShown = 5

// CaseOf reads a correction that waits for approval, with its order as it was read last.
func (s *Service) CaseOf(ctx context.Context, a Actor, id int64) (Case, error) {
	if !a.Can(ReadReviews) {
		return Case{}, fail(Forbidden, CodeForbidden, nil)
	}
	c, err := s.current(ctx, a, id)
	if err != nil {
		return Case{}, err
	}
	out := Case{Correction: c}
	if out.Since, err = s.sinceSubmitted(ctx, c); err != nil {
		return out, err
	}
	if out.Judgement, err = s.Judge(ctx, a, out.Correction); err != nil {
		return out, err
	}
	if out.Author, err = s.Store.PersonByID(ctx, c.AuthorID); err != nil {
		return out, err
	}
	list, err := s.newestOf(ctx, a, c.AuthorID, recentShown+1)
	if err != nil {
		return out, err
	}
	for _, r := range list {
		if r.ID != id && len(out.Recent) < recentShown {
			out.Recent = append(out.Recent, r)
		}
	}
	now := s.Now()
	if out.Confirmed, out.Wrong, err = s.Store.AuthorRecord(ctx, c.AuthorID, now.AddDate(0, 0, -caseDays)); err != nil {
		return out, err
	}
	set, err := s.Settings(ctx)
	if err != nil {
		return out, err
	}
	if out.AgainDays = set.Flags.AgainDays; out.AgainDays > 0 {
		out.Again, err = s.Store.FlagFacts(ctx, c, FlagQuestion{Again: now.AddDate(0, 0, -out.AgainDays), Pair: now})
	}
	if err != nil {
		return out, err
	}
	if out.Tries, err = s.TriesOf(ctx, a, out.Correction); err != nil {
		return out, err
	}
	out.Correction, err = s.VeilOf(ctx, a, out.Correction)
	return out, err
}

// newestOf lists the newest corrections of an author as the actor, who reads reviews, may
// see them.
func (s *Service) newestOf(ctx context.Context, a Actor, author int64, limit int) ([]Summary, error) {
	scope, only, err := a.Reach()
	if err != nil {
		return nil, err
	}
	if only != 0 {
		author = only
	}
	rows, err := s.Store.OfAuthor(ctx, scope, author, limit)
	if err == nil {
		err = s.VeilRows(ctx, a, rows)
	}
	if err != nil {
		return nil, err
	}
	return s.asOfNow(rows), nil
}
