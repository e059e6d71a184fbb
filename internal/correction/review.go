package correction

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ReviewNote is a note of the thread: words that are no mark.
const ReviewNote = "note"

// ReviewSaid is what a person says of a correction that came to its end. N is the
// number of the newest event that they saw, 0 when it is not known. Mark is one of
// ReviewMarks or ReviewNote.
type ReviewSaid struct {
	N    int
	Mark string
	Text string
}

// Review is the newest mark on the correction since it came to its state; ok is false
// when it was not reviewed.
func (c Correction) Review() (e Event, ok bool) {
	for i := len(c.Events) - 1; i >= 0 && c.Events[i].State == c.State; i-- {
		if c.Events[i].Detail.Review != "" {
			return c.Events[i], true
		}
	}
	return Event{}, false
}

// IsNote reports whether an event of a correction's record is a note: words that say
// nothing else. before is the event before it.
func IsNote(before, e Event) bool {
	d := e.Detail
	return before.State == e.State && e.ActorID != 0 && d.Text != "" && d.Review == "" && d.Ruling == "" && !d.Handled && d.Reading == nil
}

// Words are the events with which people talked about the correction, oldest first:
// reviews and notes.
func (c Correction) Words() []Event {
	var out []Event
	for i, e := range c.Events {
		if e.Detail.Review != "" || i > 0 && IsNote(c.Events[i-1], e) {
			out = append(out, e)
		}
	}
	return out
}

// Flags are why the correction is to be looked at, as they were when it was confirmed.
func (c Correction) Flags() []Flag {
	e, _ := c.Find(Claimed)
	return e.Detail.Flags
}

// MayReview reports whether the actor may mark the correction. Nobody reviews their own.
func (c Correction) MayReview(a Actor) bool {
	return c.State.Final() && a.Can(Review) && a.UserID != c.AuthorID
}

// MayAnswer reports whether a question waits for the actor.
func (c Correction) MayAnswer(a Actor) bool {
	e, _ := c.Review()
	return c.State.Final() && a.UserID == c.AuthorID && e.Detail.Review == ReviewQueried
}

// MayNote reports whether the actor may add a note. Where the outcome is still looked
// for, the record takes readings and rulings alone.
func (c Correction) MayNote(a Actor) bool {
	return c.State.Final() && (a.UserID == c.AuthorID || a.Can(Review))
}

// news reports whether something came to the record after event n that who saw only
// that must see first: a person's words, another state, or what needs a supervisor.
func (c Correction) news(n int) (Event, bool) {
	for _, e := range c.Events {
		if e.N > n && (e.ActorID != 0 || e.State != c.State || e.Detail.Due || e.Detail.Alarm != "") {
			return e, true
		}
	}
	return Event{}, false
}

// reviewTries bounds how often a review follows readings that come to the record at the
// same moment.
const reviewTries = 5

// Review records what a person says of a correction that came to its end, as an event
// of the same state. Errors of code CodeNeedsText, CodeSecondPerson, CodeOwnApproval, CodeNotFinal, and
// CodeReviewed with who was faster.
func (s *Service) Review(ctx context.Context, a Actor, id int64, r ReviewSaid) error {
	note := r.Mark == ReviewNote
	mark := ReviewMark(r.Mark)
	if !note && !slices.Contains(ReviewMarks, mark) {
		return fail(Invalid, CodeNoMark, nil)
	}
	text, bad := CleanNote(r.Text, MaxText)
	if bad.Code != "" || text == "" && mark != ReviewFine {
		// Who may not say anything is told that first.
		if _, err := s.Correction(ctx, a, id); err != nil {
			return err
		}
		return fail(Invalid, CodeNeedsText, nil)
	}
	d := Detail{Text: text}
	if !note {
		d.Review = mark
	}
	for range reviewTries {
		c, err := s.ended(ctx, a, id)
		if err != nil {
			return err
		}
		if err := c.mayBeReviewed(a, mark, note); err != nil {
			return err
		}
		if e, ok := c.news(r.N); r.N != 0 && ok {
			return reviewed(c, e)
		}
		if e, ok := c.Review(); r.N == 0 && !note && mark != ReviewAnswered && ok && e.Detail.Review != ReviewAnswered {
			return reviewed(c, e)
		}
		if !note && mark != ReviewAnswered {
			part, err := s.ReviewPart(ctx, a, c)
			if err != nil {
				return err
			}
			if !part.May {
				return fail(Forbidden, CodeOwnApproval, nil)
			}
			d.Alone = part.Alone
		}
		e := Event{State: c.State, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Detail: d}
		err = s.storing(context.WithoutCancel(ctx), func(ctx context.Context) error { return s.append(ctx, c, c.State, c.Last().N, e) })
		switch {
		case errors.Is(err, ErrMoved):
			continue // the record tells by what
		case err != nil:
			return fail(Unavailable, CodeNoRecord, err)
		}
		s.Log.Info("review", "correction", id, "mark", r.Mark, "user", a.UserID)
		return nil
	}
	return fail(Conflict, CodeReviewed, nil)
}

// mayBeReviewed is what stands in the way of somebody's words about the correction.
func (c Correction) mayBeReviewed(a Actor, mark ReviewMark, note bool) error {
	newest, _ := c.Review()
	switch {
	case note && a.UserID != c.AuthorID && !a.Can(Review), mark == ReviewAnswered && a.UserID != c.AuthorID:
		return fail(Forbidden, CodeForbidden, nil)
	case !note && mark != ReviewAnswered && !a.Can(Review):
		return fail(Forbidden, CodeForbidden, nil)
	case !note && mark != ReviewAnswered && a.UserID == c.AuthorID:
		return fail(Forbidden, CodeSecondPerson, nil)
	case !c.State.Final():
		return fail(Conflict, CodeNotFinal, nil)
	case mark == ReviewAnswered && newest.Detail.Review != ReviewQueried:
		return reviewed(c, newest)
	}
	return nil
}

// ended reads a correction, and puts on record that its time is over if it is.
func (s *Service) ended(ctx context.Context, a Actor, id int64) (Correction, error) {
	c, err := s.correctionFor(ctx, a, id)
	if err != nil || !s.overdue(c) {
		return c, err
	}
	if err := s.afterwards(context.WithoutCancel(ctx), c, Event{State: Expiry}); err != nil {
		return c, err
	}
	return s.correctionFor(ctx, a, id)
}

// reviewed is the error of a review for which somebody was faster: who and when.
func reviewed(c Correction, e Event) error {
	out := &Error{Kind: Conflict, Code: CodeReviewed}
	if e.N != 0 {
		out.Holder = &Holder{CorrectionID: c.ID, UserID: e.ActorID, Name: e.ActorName, State: e.State, Since: e.At}
	}
	return out
}

// ReviewTab is a part of the review page.
type ReviewTab string

// The parts of the review page.
const (
	TabOpen    ReviewTab = "open"    // flagged or drawn and not reviewed, and answered ones
	TabQueried ReviewTab = "queried" // a question waits for the author
	TabWrong   ReviewTab = "wrong"
	TabFine    ReviewTab = "fine"
	TabPlain   ReviewTab = "plain" // no flag and not reviewed: signed off many at once
)

// ReviewTabs lists the parts in their order.
var ReviewTabs = []ReviewTab{TabOpen, TabQueried, TabWrong, TabFine, TabPlain}

// ReviewQuery asks for a part of the review page, newest first. From and To are zero
// for all days; Before is the key of the page.
type ReviewQuery struct {
	Scope    Scope
	Tab      ReviewTab
	From, To time.Time // prepared at or after From and before To
	Before   int64     // ids below; 0: from the newest
	Limit    int
}

// ReviewRow is one correction of the review page.
type ReviewRow struct {
	Summary
	N       int // number of its newest event
	Flags   []Flag
	Devices []string // that it names
	Said    Event    // the newest mark; zero when it was not reviewed
	Part    Part     // of who asks, if they approved it
}

// maxReviewCount is the highest number that is counted exactly.
const maxReviewCount = 100

// reviewDays is how far back the parts reach that do not empty by themselves.
const reviewDays = 31

// ReviewList is one page of a part of the review page.
func (s *Service) ReviewList(ctx context.Context, a Actor, q ReviewQuery) ([]ReviewRow, bool, error) {
	if !a.Can(ReadReviews) {
		return nil, false, fail(Forbidden, CodeForbidden, nil)
	}
	q.Scope = a.Scope
	rows, more, err := s.Store.ReviewList(ctx, s.since(q))
	if err != nil {
		return nil, false, err
	}
	if err := s.veilReviews(ctx, a, rows); err != nil {
		return nil, false, err
	}
	return rows, more, s.reviewParts(ctx, a, rows)
}

func (s *Service) veilReviews(ctx context.Context, a Actor, rows []ReviewRow) error {
	list := make([]Summary, len(rows))
	for i := range rows {
		list[i] = rows[i].Summary
	}
	err := s.VeilRows(ctx, a, list)
	for i := range rows {
		rows[i].Summary = list[i]
	}
	return err
}

// since bounds a part that does not empty by itself.
func (s *Service) since(q ReviewQuery) ReviewQuery {
	if q.From.IsZero() && q.Tab != TabOpen && q.Tab != TabQueried {
		q.From = AddDays(s.DayTime(s.Now()), -reviewDays)
	}
	return q
}

// ReviewCounts counts every part of the review page, each up to 100.
func (s *Service) ReviewCounts(ctx context.Context, a Actor, from, to time.Time) (map[ReviewTab]int, error) {
	if !a.Can(ReadReviews) {
		return nil, fail(Forbidden, CodeForbidden, nil)
	}
	out := map[ReviewTab]int{}
	for _, tab := range ReviewTabs {
		n, err := s.Store.ReviewCount(ctx, s.since(ReviewQuery{Scope: a.Scope, Tab: tab, From: from, To: to, Limit: maxReviewCount}))
		if err != nil {
			return nil, err
		}
		out[tab] = n
	}
	return out, nil
}

// ReviewCount counts what waits for a review in the actor's scope, up to 100.
func (s *Service) ReviewCount(ctx context.Context, a Actor) (int, error) {
	if !a.Can(ReadReviews) {
		return 0, nil
	}
	return s.Store.ReviewCount(ctx, ReviewQuery{Scope: a.Scope, Tab: TabOpen, Limit: maxReviewCount})
}

// Question is a question that waits for the author of a correction.
type Question struct {
	Summary
	Asked Event
}

// maxQuestions bounds the list on a person's first page.
const maxQuestions = 50

// Questions lists the questions that wait for the actor, oldest first.
func (s *Service) Questions(ctx context.Context, a Actor) ([]Question, error) {
	return s.Store.Questions(ctx, a.UserID, maxQuestions)
}

// SignOff is what came of signing several corrections.
type SignOff struct {
	Signed  int
	Skipped []int64 // reviewed by somebody else meanwhile, their own, or not at its end
}

// MaxSignOff bounds how many corrections are signed at once.
const MaxSignOff = 200

// SignOff says the same of several corrections, each an event of its own. What somebody
// else reviewed meanwhile is skipped. An error of another kind ends it: what was signed
// stays signed.
func (s *Service) SignOff(ctx context.Context, a Actor, picked []Picked, mark ReviewMark, text string) (SignOff, error) {
	var out SignOff
	if !a.Can(Review) {
		return out, fail(Forbidden, CodeForbidden, nil)
	}
	switch {
	case mark != ReviewFine && mark != ReviewQueried && mark != ReviewWrong:
		return out, fail(Invalid, CodeNoMark, nil)
	case len(picked) == 0 || len(picked) > MaxSignOff:
		return out, fail(Invalid, CodeNonePicked, nil)
	}
	for _, p := range picked {
		err := s.Review(ctx, a, p.ID, ReviewSaid{N: p.N, Mark: string(mark), Text: text})
		switch CodeOf(err) {
		case CodeReviewed, CodeSecondPerson, CodeOwnApproval, CodeNotFinal, CodeNotFound:
			out.Skipped = append(out.Skipped, p.ID)
			continue
		}
		if err != nil {
			return out, err
		}
		out.Signed++
	}
	return out, nil
}

// Picked is a correction that was chosen from a list, with the number of its newest
// event then; 0: not known.
type Picked struct {
	ID int64
	N  int
}
