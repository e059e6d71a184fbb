package correction

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"time"
)

// Timeouts of the steps of a confirmation: three waits for the store, two queries and
// the call itself. The server's limit of an answer is above their sum.
const (
	readAgainWithin = 12 * time.Second
	storeWithin     = 10 * time.Second
)

// Token is the single-use confirmation token of a prepared correction. It is
// derived, so that a reloaded page shows the same one; the store holds its hash
// only. The correction's state makes it single-use.
func (s *Service) Token(c Correction) string {
	mac := hmac.New(sha256.New, s.Key)
	io.WriteString(mac, "confirm\x00")
	mac.Write(c.ConfirmNonce)
	mac.Write(c.BodySHA256[:])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Confirm carries out a prepared correction: trust.md §1.4, step by step. The POST
// is made at most once for a correction, ever. When it returns nil, or an error of
// code CodeTokenUsed or CodeExpired, the correction's page tells what happened.
func (s *Service) Confirm(ctx context.Context, a Actor, id int64, token, typedTotal string) error {
	c, err := s.Correction(ctx, a, id)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // a closed browser tab must not reach the database or the POST
	if c.AuthorID != a.UserID || !a.Can(Correct) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	if err := s.confirmable(ctx, c, token); err != nil {
		return err
	}
	if c.AsksTotal {
		if t, err := ParseYuan(typedTotal); err != nil || t != c.Target {
			return fail(Invalid, CodeTypedTotal, err)
		}
	} else {
		typedTotal = ""
	}

	if _, running := s.inFlight.LoadOrStore(id, true); running {
		return fail(Conflict, CodeTokenUsed, nil)
	}
	defer s.inFlight.Delete(id)

	own, err := s.Headroom(ctx, a, c.Ref, c.ID)
	if err != nil {
		return err
	}
	// What was shown as needing a second person needs one, whatever the limits are now.
	over := own.Check(c.Base.Total, c.Target)
	if len(over) == 0 {
		over = c.Over()
	}
	if len(over) > 0 {
		return s.submit(ctx, a, c, over, own.Today, typedTotal)
	}
	flags, err := s.flagsOf(ctx, c, own)
	if err != nil {
		return err
	}
	claim := Event{State: Claimed, At: s.Now(), ActorID: a.UserID, ActorName: a.Name, SessionID: a.SessionID, Detail: Detail{Typed: typedTotal, Flags: flags}}
	trial := Trial{Alone: true, Since: own.Since}
	var much *TooMuch
	var end *Unpermitted
	switch err := s.storing(ctx, func(ctx context.Context) error { return s.Store.Claim(ctx, id, c.Ref, claim, &trial) }); {
	case errors.As(err, &much): // spent by another one, or a limit was edited, at the same moment
		s.ForgetSettings()
		return s.submit(ctx, a, c, much.Over, much.Today, typedTotal)
	case errors.As(err, &end): // its page tells why
		s.stopped(ctx, c, end)
		return nil
	case errors.Is(err, ErrTaken):
		return s.taken(ctx, c)
	case errors.Is(err, ErrMoved):
		return fail(Conflict, CodeTokenUsed, err)
	case err != nil:
		s.abandon(ctx, id, Claimed) // the claim may be on record all the same
		return fail(Unavailable, CodeNoRecord, err)
	}
	c.State, claim.N = Claimed, c.Last().N+1
	c.Events = append(c.Events, claim)
	s.trace("claimed")
	err = s.send(ctx, c, trial)
	s.trace("page")
	return err
}

// confirmable refuses a token that is not that of the correction, and a correction that
// is not to be confirmed any more.
func (s *Service) confirmable(ctx context.Context, c Correction, token string) error {
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], c.ConfirmHash[:]) != 1 {
		return fail(Conflict, CodeTokenWrong, nil)
	}
	switch c.State {
	case Prepared:
	case Expiry:
		if err := s.ExpireOverdue(ctx); err != nil {
			s.Log.Error("expire corrections", "err", err)
		}
		return fail(Conflict, CodeExpired, nil)
	default:
		return fail(Conflict, CodeTokenUsed, nil)
	}
	return s.writable()
}

// send carries out a claimed correction, which is judged by t once more with the intent.
func (s *Service) send(ctx context.Context, c Correction, t Trial) error {
	n := c.Last().N
	now, err := s.read(ctx, c.Ref)
	if err != nil {
		return s.conclude(ctx, c, Claimed, n, NotSent, s.failure(err, CauseQueryFailed))
	}
	reading := func(d Detail) Detail {
		d.Reading, d.ReadMS = &now.Order, now.At.UnixMilli()
		return d
	}
	if !now.Order.SameMoney(c.Base) || !now.Order.Completed() {
		return s.conclude(ctx, c, Claimed, n, Stale, reading(Detail{}))
	}
	if now.Skew.Abs() >= RefuseSkew { // WeChat would refuse the signature soon (trust.md §1.9)
		return s.conclude(ctx, c, Claimed, n, NotSent, Detail{Class: NothingSent, Cause: CauseClock, SkewMS: now.Skew.Milliseconds()})
	}
	s.trace("reread")

	sign := NewSigning(s.Now())
	intent := Event{N: n + 1, State: Sending, At: s.Now(), Detail: Detail{SignMS: sign.At.UnixMilli(), SkewMS: now.Skew.Milliseconds()}}
	err = s.storing(ctx, func(ctx context.Context) error { return s.Store.MarkSending(ctx, c.ID, sign, intent, &t) })
	var end *Unpermitted
	if errors.As(err, &end) { // its page tells why
		s.stopped(ctx, c, end)
		return nil
	}
	if errors.Is(err, ErrMoved) { // its page tells how it stands; nothing is sent
		return fail(Conflict, CodeTokenUsed, err)
	}
	if err != nil {
		s.Log.Error("the intent is not on record; nothing is sent", "correction", c.ID, "err", err)
		s.abandon(ctx, c.ID, Claimed, Sending)
		return fail(Unavailable, CodeNoRecord, err)
	}
	n++
	c.State, c.Events = Sending, append(c.Events, intent)
	s.trace("intent")
	if err := s.storing(ctx, func(ctx context.Context) error { return s.Journal.Sending(ctx, c, sign) }); err != nil {
		s.alarms.journal.Store(true)
		s.Log.Error("alarm", "kind", JournalFailed, "correction", c.ID, "state", Sending, "err", err)
		if err := s.conclude(ctx, c, Sending, n, NotSent, Detail{Class: NothingSent, Cause: CauseNoRecord}); err != nil {
			return err
		}
		return fail(Unavailable, CodeNoRecord, err)
	}
	s.trace("journal")

	s.trace("post")
	answer := s.Gateway.Modify(ctx, c.Ref, c.Body, sign)
	s.trace("answer")
	s.counts.sent.Add(1)
	d := Detail{
		Class: answer.Class, Cause: answer.Cause, Alarm: answer.Alarm, Obstacle: answer.Obstacle,
		Status: answer.Remote.Status, Code: answer.Remote.Code, Message: answer.Remote.Message,
		RequestID: answer.Remote.RequestID, TookMS: answer.Took.Milliseconds(), SignMS: sign.At.UnixMilli(), SkewMS: now.Skew.Milliseconds(),
		Host: answer.Host,
	}
	if d.Alarm != "" {
		s.Log.Error("alarm", "kind", d.Alarm, "correction", c.ID, "status", d.Status, "request_id", d.RequestID)
	}
	state := Unknown
	switch answer.Class {
	case NothingSent:
		state = NotSent
	case Accepted, Refused:
		state, d = s.readBack(ctx, c, answer.Class, d)
	default:
		d.Class = Uncertain
	}
	s.trace("readback")
	return s.conclude(ctx, c, Sending, n, state, d)
}

// readBack confirms a certain answer by reading the order again. WeChat documents
// neither that error bodies are authentic (they are not signed) nor how soon a
// query shows a change: what cannot be confirmed stays unknown.
func (s *Service) readBack(ctx context.Context, c Correction, class Class, d Detail) (State, Detail) {
	asked := s.Now()
	now, err := s.read(ctx, c.Ref)
	if err != nil {
		d.Cause = CauseUnread
		if class == Accepted {
			// The signature of an empty answer does not say which request it is for: an old one,
			// played again, would pass. The order tells, within seconds as a rule.
			d.Cause = CauseUnconfirmed
		}
		return Unknown, d
	}
	v := s.evidence(c, now, asked, d).Decide(s.Policy.Quiet)
	d.Finding, d.Reading, d.ReadMS = v.Finding, &now.Order, now.At.UnixMilli()
	if v.Wait {
		d.Cause = CauseUnread
		if class == Accepted {
			d.Cause = CauseNotVisible
		}
		return Unknown, d
	}
	return v.State, d
}

// evidence puts together what a reading proves. asked is when the query was made,
// not when it was answered: a reading begun before the quiet time was over does not
// count as one after it. Both times are put by WeChat's clock, which is signed: this
// machine's may have been set in between (trust.md §1.9).
func (s *Service) evidence(c Correction, now Reading, asked time.Time, d Detail) Evidence {
	req, err := ParseBody(c.Body)
	if err != nil { // our own bytes, protected by their hash
		panic(err)
	}
	return Evidence{
		Base: c.Base, Lines: req.Lines, Discounts: req.Discounts, Target: c.Target, Now: now.Order,
		Age: asked.Add(now.Skew).Sub(signedAt(d)), Accepted: d.Class == Accepted, Rejected: d.Class == Refused,
	}
}

// signedAt is from when the quiet time counts, by WeChat's clock: when the POST was
// signed or, if that is later, what its signature says, because WeChat accepts it for 5
// minutes after that.
func signedAt(d Detail) time.Time { return time.UnixMilli(d.SignMS + max(0, d.SkewMS)) }

// read queries the order within the time that a confirmation leaves for it.
func (s *Service) read(ctx context.Context, ref Ref) (Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, readAgainWithin)
	defer cancel()
	return s.Gateway.Query(ctx, ref)
}

func (s *Service) storing(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	return f(ctx)
}

func (s *Service) failure(err error, cause string) Detail {
	d := Detail{Cause: cause}
	var e *Error
	if errors.As(err, &e) {
		d.Code = e.Code
		if e.Remote != nil {
			d.Status, d.Code, d.Message, d.RequestID = e.Remote.Status, e.Remote.Code, e.Remote.Message, e.Remote.RequestID
		}
	}
	return d
}
