package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var (
	correctionTitle = i18n.Text{ZH: "改价", EN: "Correction"}
	confirmTitle    = i18n.Text{ZH: "核对并提交", EN: "Review and submit"}
)

func correctionID(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != c.Param("id") {
		return 0, echo.ErrNotFound
	}
	return id, nil
}

func (s *server) correction(c echo.Context) error {
	id, err := correctionID(c)
	if err != nil {
		return err
	}
	return s.correctionPage(c, http.StatusOK, id, func(*pages.CorrectionProps) {})
}

// correctionPage renders a correction from its stored bytes; change adds what the
// last request came to.
func (s *server) correctionPage(c echo.Context, status int, id int64, change func(*pages.CorrectionProps)) error {
	ctx, a := c.Request().Context(), actor(c)
	cor, err := s.Corrections.Correction(ctx, a, id)
	if err != nil {
		return err
	}
	req, err := cor.Request()
	if err != nil {
		return err
	}
	policy := s.Corrections.Policy
	title := correctionTitle
	if cor.State == correction.Prepared {
		title = confirmTitle
	}
	p := pages.CorrectionProps{
		Page: s.page(c, title), C: cor, Request: req,
		LineDiff: correction.Diff(cor.Base.Lines, req.Lines), DiscountDiff: correction.Diff(cor.Base.Discounts, req.Discounts),
		NoAmounts: !correction.AnyAmount(cor.Base.Lines) && !correction.AnyAmount(req.Lines),
		Lowered:   correction.Permille(cor.Reduction(), cor.Base.Total), ThresholdPercent: policy.TypeAbovePermille / 10,
		Quiet: policy.Quiet, FollowFor: policy.FollowFor, IsAuthor: cor.AuthorID == a.UserID, CanReadOrder: a.Can(correction.ReadOrders),
		SeesInternals: a.Can(correction.ReadAllOf), BodyText: string(cor.Body), CheckFailed: c.QueryParam("checked"),
		Outlook: s.Corrections.Outlook(id), MayRule: cor.MayRule(a), MayHandle: cor.MayHandle(a),
		MayAnswer: cor.MayAnswer(a), MayNote: cor.MayNote(a),
	}
	if a.Can(correction.ReadReviews) {
		p.Flags = cor.Flags()
	}
	if p.Part, err = s.Corrections.ReviewPart(ctx, a, cor); err != nil {
		return err
	}
	if p.Agree, err = s.Corrections.AgreePart(ctx, a, cor); err != nil {
		return err
	}
	p.MayReview, p.MayAgree = p.Part.May, p.Agree.May
	if p.Tries, err = s.Corrections.TriesOf(ctx, a, cor); err != nil {
		return err
	}
	p.Page.Title += " #" + strconv.FormatInt(id, 10)
	p.Page.Nav = layout.NavLog
	if cor.State == correction.Prepared && p.IsAuthor {
		p.Page.Nav = layout.NavMine // still at work on it
	}
	p.Page.Scripts = []string{"once.js", "print.js", "live.js"}
	s.takeFlash(c, &p.Page)
	for _, e := range cor.Events {
		if e.Detail.RequestID != "" && (e.Detail.Class != "" || p.RequestID == "") {
			p.RequestID = e.Detail.RequestID
		}
	}
	if p.RetryOf, p.RetriedBy, err = s.retries(ctx, a, cor); err != nil {
		return err
	}
	if p.SeesInternals && cor.State != correction.Prepared {
		if p.Origins, err = s.ChangeLog.SessionsOf(ctx, a, cor); err != nil {
			return err
		}
		for row, o := range p.Origins {
			o.UserAgent = browserName(o.UserAgent)
			p.Origins[row] = o
		}
	}
	p.MayRedo = a.Can(correction.Correct) && p.Page.ReadOnly == ""
	mayAct := p.IsAuthor && a.Can(correction.Correct)
	again := pages.FormURL(cor.Ref) + "?from=" + strconv.FormatInt(id, 10)
	switch cor.State {
	case correction.Prepared:
		p.CanConfirm, p.CanWithdraw, p.RedoURL = mayAct && p.Page.ReadOnly == "", mayAct, again
		if p.CanConfirm {
			p.Token = s.Corrections.Token(cor)
		}
		p.Over = cor.Over()
		if p.IsAuthor {
			if p.Own, err = s.Corrections.Standing(ctx, a, cor.Ref, id); err != nil {
				return err
			}
			if len(p.Over) == 0 {
				p.Over = p.Own.Check(cor.Base.Total, cor.Target)
			}
		}
	case correction.Awaiting:
		p.CanWithdraw, p.MayDecide = mayAct, a.Can(correction.Approve) && !p.IsAuthor
		if p.MayDecide {
			found, err := s.Corrections.CaseOf(ctx, a, id)
			if err != nil {
				return err
			}
			p.Decides = found.Judgement.May
		}
	case correction.Unknown, correction.Sending, correction.Claimed:
		p.CanCheck = a.Can(correction.Correct)
		p.QuietUntil = s.Corrections.QuietUntil(cor)
	case correction.Stale, correction.Expiry, correction.Withdrawn, correction.Void, correction.Returned, correction.Declined, correction.NotSent, correction.NotApplied, correction.Rejected:
		p.CanRedo, p.RedoURL = p.MayRedo && !taken(p.RetriedBy), again
	}
	entered := cor.Entered()
	reading, _ := cor.LastReading()
	if reading != nil && reading.WhyNot(nil, s.Now()) != correction.NoObstacle {
		p.CanRedo = false
	}
	switch {
	case cor.State == correction.Stale && reading != nil && !cor.Veiled():
		moved := s.movedProps(c, cor.Base, *reading, time.UnixMilli(entered.Detail.ReadMS), req.Lines, req.Discounts, cor.Target)
		moved.Merchant = correction.Merchant{SubMchID: cor.Ref.SubMchID, Name: cor.MerchantName}
		moved.Obstacle = reading.WhyNot(nil, s.Now())
		moved.CanRedo, moved.RedoURL = p.CanRedo, again
		p.Moved = &moved
	case cor.State == correction.Rejected && entered.Detail.Obstacle == correction.Charging && (p.CanRedo || !p.MayRedo):
		p.TryAgainAt = entered.At.Add(correction.ChargingWait)
		p.CanRedo = p.CanRedo && !p.Page.Now.Before(p.TryAgainAt)
	case cor.State.InForce():
		p.Checkpoint = s.printed(ctx, cor)
	}
	change(&p)
	return s.render(c, status, pages.Correction(p))
}

// retries is what a correction tries again, and the newest that tries it again.
func (s *server) retries(ctx context.Context, a correction.Actor, c correction.Correction) (of, by *pages.Related, err error) {
	if c.RetryOf != 0 {
		if of, err = s.related(ctx, a, c.RetryOf); err != nil {
			return nil, nil, err
		}
	}
	tail, err := s.Corrections.Store.RetryTail(ctx, c.ID)
	if err == nil && tail != c.ID {
		by, err = s.related(ctx, a, tail)
	}
	return of, by, err
}

// related tells how another correction of the same order stands; its page may be
// somebody else's.
func (s *server) related(ctx context.Context, a correction.Actor, id int64) (*pages.Related, error) {
	c, err := s.Corrections.Correction(ctx, a, id)
	if correction.KindOf(err) == correction.NotFound {
		c, err = s.Corrections.Store.Correction(ctx, id)
		return &pages.Related{ID: id, State: c.State}, err
	}
	return &pages.Related{ID: id, State: c.State, Readable: true}, err
}

// taken reports whether a later try makes one more pointless for now.
func taken(r *pages.Related) bool {
	if r == nil {
		return false
	}
	switch r.State {
	case correction.Stale, correction.Expiry, correction.Withdrawn, correction.Void, correction.Returned, correction.Declined:
		return false
	}
	return !r.State.Undone()
}

// confirm carries out the one act that moves money. Whatever happened, the answer
// is the correction's own page: a second confirmation finds the same one.
func (s *server) confirm(c echo.Context) error {
	id, err := correctionID(c)
	if err != nil {
		return err
	}
	v, err := postForm(c, fields("token", "typed_total"))
	if err != nil {
		return err
	}
	err = s.Corrections.Confirm(c.Request().Context(), actor(c), id, v.Get("token"), v.Get("typed_total"))
	s.dropDraftOf(c, id)
	switch correction.CodeOf(err) {
	case correction.CodeTokenUsed, correction.CodeExpired:
		err = nil
	case correction.CodeTypedTotal:
		return s.correctionPage(c, http.StatusUnprocessableEntity, id, func(p *pages.CorrectionProps) {
			p.TypedTotal, p.TypedProblem, p.Page.Problems = v.Get("typed_total"), true, 1
		})
	case correction.CodeBusy:
		holder := holderOf(err)
		return s.correctionPage(c, http.StatusConflict, id, func(p *pages.CorrectionProps) { p.Busy = holder })
	}
	if err != nil {
		return err
	}
	return seeOther(c, pages.CorrectionURL(id))
}

// dropDraftOf deletes what a correction was typed as once that is settled. A draft that
// stays is shown as one, and does no harm.
func (s *server) dropDraftOf(c echo.Context, id int64) {
	ctx := context.WithoutCancel(c.Request().Context())
	if err := s.Corrections.DropDraftOf(ctx, actor(c), id); err != nil && !errors.Is(err, correction.ErrNoRow) {
		s.Log.Warn("drop draft", "id", requestID(c), "correction", id, "err", err)
	}
}

func (s *server) withdraw(c echo.Context) error {
	id, err := correctionID(c)
	if err != nil {
		return err
	}
	if _, err := postForm(c, fields()); err != nil {
		return err
	}
	err = s.Corrections.Withdraw(c.Request().Context(), actor(c), id)
	s.dropDraftOf(c, id)
	switch correction.CodeOf(err) {
	case correction.CodeTokenUsed: // its page says how it stands
	default:
		if err != nil {
			return err
		}
		return s.flashTo(c, "withdrawn", pages.CorrectionURL(id))
	}
	return seeOther(c, pages.CorrectionURL(id))
}

// checkNow reads the order of an uncertain correction, or of one that waits for approval.
// A look that did not work changes nothing; the page says so. back tells which page the
// button is on.
func (s *server) checkNow(c echo.Context) error {
	id, err := correctionID(c)
	if err != nil {
		return err
	}
	v, err := postForm(c, fields("back"))
	if err != nil {
		return err
	}
	page, mark := pages.CorrectionURL(id), "?"
	switch v.Get("back") {
	case "":
	case pages.BackToApprovals:
		if page, mark = pages.ApprovalURL(id), "&"; !actor(c).Can(correction.ReadReviews) {
			return errBadForm
		}
	default:
		return errBadForm
	}
	err = s.Corrections.Check(c.Request().Context(), actor(c), id)
	switch correction.KindOf(err) {
	case correction.Upstream, correction.Unavailable:
		return seeOther(c, page+mark+"checked="+correction.CodeOf(err))
	}
	if err != nil {
		return err
	}
	return seeOther(c, page)
}

func holderOf(err error) *correction.Holder {
	var e *correction.Error
	if errors.As(err, &e) {
		return e.Holder
	}
	return nil
}
