package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"correction-console/internal/changelog"
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
	v, err := s.Corrections.CorrectionView(ctx, a, id)
	if err != nil {
		return err
	}
	title, nav := correctionTitle, layout.NavLog
	if v.C.State == correction.Prepared {
		title = confirmTitle
		if v.IsAuthor {
			nav = layout.NavMine // still at work on it
		}
	}
	p := pages.CorrectionProps{
		CorrectionView: v, Page: s.page(c, title), CheckFailed: c.QueryParam("checked"),
		BodyText: string(v.C.Body), RequestID: v.C.RequestID(), RedoURL: pages.FormURL(v.C.Ref) + "?from=" + strconv.FormatInt(id, 10),
	}
	p.Page.Title += " #" + strconv.FormatInt(id, 10)
	p.Page.Nav, p.Page.Scripts = nav, []string{"once.js", "print.js", "live.js"}
	s.takeFlash(c, &p.Page)
	if p.Origins, err = s.origins(ctx, a, v); err != nil {
		return err
	}
	if v.Reading != nil {
		p.Moved = s.movedSince(c, p)
	}
	if v.C.State.Effective() {
		p.Checkpoint = s.printed(ctx, v.C)
	}
	change(&p)
	return s.render(c, status, pages.Correction(p))
}

// origins are where the people acted from who took part, for those who see internals.
func (s *server) origins(ctx context.Context, a correction.Actor, v correction.CorrectionView) (map[int64]changelog.Origin, error) {
	if !v.SeesInternals || v.C.State == correction.Prepared {
		return nil, nil
	}
	origins, err := s.ChangeLog.SessionsOf(ctx, a, v.C)
	for row, o := range origins {
		o.UserAgent = browserName(o.UserAgent)
		origins[row] = o
	}
	return origins, err
}

// movedSince is what became of an order that changed before its correction was sent.
func (s *server) movedSince(c echo.Context, p pages.CorrectionProps) *pages.MovedProps {
	m := s.movedProps(c, p.C.Base, *p.Reading, p.ReadAt, p.Request.Lines, p.Request.Discounts, p.C.Target)
	m.Merchant = correction.Merchant{SubMchID: p.C.Ref.SubMchID, Name: p.C.MerchantName}
	m.Obstacle, m.CanRedo, m.RedoURL = p.Obstacle, p.CanRedo, p.RedoURL
	return &m
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
