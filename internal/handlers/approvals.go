package handlers

import (
	"context"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var approvalsTitle = i18n.Text{ZH: "审批", EN: "Approvals"}

func (s *server) approvals(c echo.Context) error {
	id, _ := strconv.ParseInt(c.QueryParam("id"), 10, 64)
	return s.approvalsPage(c, http.StatusOK, id, func(*pages.ApprovalsProps) {})
}

// approvalsPage is the queue with one case open: the one asked for, or the oldest.
func (s *server) approvalsPage(c echo.Context, status int, id int64, change func(*pages.ApprovalsProps)) error {
	ctx, a := c.Request().Context(), actor(c)
	p := pages.ApprovalsProps{Page: s.page(c, approvalsTitle)}
	p.Page.Nav = layout.NavApprovals
	if c.Request().Method != http.MethodGet {
		p.Page.Path = pages.ApprovalURL(id)
	}
	p.Page.Scripts = []string{"once.js"}
	s.takeFlash(c, &p.Page)
	queue, err := s.Corrections.ApprovalsFor(ctx, a)
	if err != nil {
		return err
	}
	if id <= 0 && len(queue.Waiting) > 0 {
		id = queue.Waiting[0].ID
	}
	if id > 0 {
		if err := s.openCase(ctx, a, id, &p); err != nil {
			return err
		}
		p.CanCheck, p.CheckFailed = a.Can(correction.Correct), c.QueryParam("checked")
	}
	set, err := s.Corrections.Settings(ctx)
	if err != nil {
		return err
	}
	p.Queue, p.Tiers = queue, set.Tiers
	change(&p)
	return s.render(c, status, pages.Approvals(p))
}

// openCase fills the page with one correction.
func (s *server) openCase(ctx context.Context, a correction.Actor, id int64, p *pages.ApprovalsProps) error {
	found, err := s.Corrections.CaseOf(ctx, a, id)
	if err != nil {
		return err
	}
	cor := found.Correction
	req, err := cor.Request()
	if err != nil {
		return err
	}
	p.Case, p.Request = &found, req
	if !cor.Veiled() {
		p.Hash = hex.EncodeToString(cor.BodySHA256[:])
	}
	p.LineDiff, p.DiscountDiff = correction.Diff(cor.Base.Lines, req.Lines), correction.Diff(cor.Base.Discounts, req.Discounts)
	p.NoAmounts = !correction.AnyAmount(cor.Base.Lines) && !correction.AnyAmount(req.Lines)
	p.Lowered = correction.Permille(cor.Reduction(), cor.Base.Total)
	return nil
}

// decision reads what an approver posts.
func decision(c echo.Context) (id int64, form pages.DecisionForm, hash string, err error) {
	if id, err = correctionID(c); err != nil {
		return id, form, "", err
	}
	v, err := postForm(c, fields("hash", "typed_total", "text"))
	if err != nil {
		return id, form, "", err
	}
	form = pages.DecisionForm{Text: strings.ReplaceAll(v.Get("text"), "\r\n", "\n"), TypedTotal: v.Get("typed_total")}
	return id, form, v.Get("hash"), nil
}

func (s *server) approve(c echo.Context) error {
	id, form, hash, err := decision(c)
	if err != nil {
		return err
	}
	err = s.Corrections.Approve(c.Request().Context(), actor(c), id, hash, form.TypedTotal)
	if correction.CodeOf(err) == correction.CodeTokenUsed { // the correction's page tells how it went
		err = nil
	}
	if err == nil {
		return seeOther(c, pages.CorrectionURL(id))
	}
	return s.undecided(c, id, form, err)
}

func (s *server) returnForEdit(c echo.Context) error {
	return s.refusal(c, "returned", s.Corrections.ReturnForEdit)
}

func (s *server) decline(c echo.Context) error {
	return s.refusal(c, "declined", s.Corrections.Decline)
}

func (s *server) refusal(c echo.Context, flash string, refuse func(context.Context, correction.Actor, int64, string) error) error {
	id, form, _, err := decision(c)
	if err != nil {
		return err
	}
	if err := refuse(c.Request().Context(), actor(c), id, form.Text); err != nil {
		return s.undecided(c, id, form, err)
	}
	return s.flashTo(c, flash, pages.ApprovalsURL)
}

// undecided answers a decision that was not taken with the case as it is now; what was
// typed is kept.
func (s *server) undecided(c echo.Context, id int64, form pages.DecisionForm, err error) error {
	status := http.StatusConflict
	switch correction.CodeOf(err) {
	case correction.CodeNeedsText:
		status, form.Problem = http.StatusUnprocessableEntity, textProblem(form.Text, false)
	case correction.CodeTypedTotal:
		status, form.BadTotal = http.StatusUnprocessableEntity, true
	case correction.CodeDecided:
		form.Decided = holderOf(err)
		form.Moved = true
	case correction.CodeOrderMoved:
		form.Moved = true
	case correction.CodeTriesUsed, correction.CodeOverOwnLimit:
		status, form.Refused = http.StatusForbidden, correction.CodeOf(err)
	default:
		return err
	}
	return s.approvalsPage(c, status, id, func(p *pages.ApprovalsProps) {
		p.Form = form
		if status == http.StatusUnprocessableEntity {
			p.Page.Problems = 1
		}
	})
}
