package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var (
	orderTitle = i18n.Text{ZH: "订单", EN: "Order"}
	formTitle  = i18n.Text{ZH: "修改金额", EN: "Correct amount"}
	movedTitle = i18n.Text{ZH: "订单已变化", EN: "Order changed"}
)

func (s *server) order(c echo.Context) error {
	sub, no, err := orderParams(c)
	if err != nil {
		return err
	}
	if err := s.opens(c, no); err != nil {
		return err
	}
	ref := correction.Ref{SubMchID: sub, OutOrderNo: no}
	v, err := s.Corrections.ReadOrder(c.Request().Context(), actor(c), ref)
	if err != nil {
		return s.unread(c, ref, err)
	}
	return s.render(c, http.StatusOK, pages.Order(s.orderProps(c, v)))
}

func (s *server) orderProps(c echo.Context, v correction.OrderView) pages.OrderProps {
	a := actor(c)
	p := pages.OrderProps{
		Page: s.page(c, orderTitle), View: v, NoAmounts: !correction.AnyAmount(v.Order.Lines),
		CanCorrect: v.CanEdit, CanRole: a.Can(correction.Correct), ReadableIDs: map[int64]bool{},
	}
	p.Page.Title += " " + v.Order.OutOrderNo
	p.Page.Nav = layout.NavMine
	s.takeFlash(c, &p.Page)
	if industry, ok := correction.FindIndustry(v.Offering.Industry); ok {
		p.Industry = i18n.Text{ZH: industry.ZH, EN: industry.EN}
	}
	p.LineSum, p.DiscountSum = sum(v.Order.Lines), sum(v.Order.Discounts)
	if v.Obstacle == correction.Charging {
		p.TryAgainAt = v.Refusal.At.Add(correction.ChargingWait)
	}
	for _, e := range v.Earlier {
		p.ReadableIDs[e.ID] = e.AuthorID == a.UserID || a.Can(correction.ReadAllOf)
	}
	return p
}

// sum adds line amounts for display; an order whose amounts overflow shows 0.
func sum(lines []correction.Line) correction.Fen {
	var amounts []correction.Fen
	for _, l := range lines {
		if l.HasAmount {
			amounts = append(amounts, l.Amount)
		}
	}
	total, err := correction.Sum(amounts...)
	if err != nil {
		return 0
	}
	return total
}

// submitForm takes the form: one of the editor's buttons, or the proposal itself.
func (s *server) submitForm(c echo.Context) error {
	sub, no, err := orderParams(c)
	if err != nil {
		return err
	}
	v, err := postForm(c, correctionField)
	if err != nil {
		return err
	}
	ctx, a := c.Request().Context(), actor(c)
	ref := correction.Ref{SubMchID: sub, OutOrderNo: no}
	if s.typedByOther(v, a) {
		return s.flashTo(c, "other_person", pages.FormURL(ref))
	}
	e := editor{form: decodeForm(v)}
	e.from, _ = strconv.ParseInt(v.Get("from"), 10, 64)
	if act := v.Get("do"); act != "" {
		return s.editForm(c, ref, e, act)
	}
	// Whatever comes of it, nothing that was typed is lost, on the way Back neither. It is
	// kept before the correction is prepared: what is newer than that was typed later.
	derr := s.keepDraft(c, ref, e.form)
	if derr == nil {
		e.draft = s.Now()
	}
	r, err := s.Corrections.Prepare(ctx, a, ref, e.form, e.from)
	switch {
	case err == nil:
		return seeOther(c, pages.CorrectionURL(r.ID))
	case correction.KindOf(err) == correction.Invalid:
		if e.view, err = s.Corrections.FormView(ctx, a, &e.form, nil); err != nil {
			return err
		}
		e.show = true
		return s.renderForm(c, http.StatusUnprocessableEntity, e)
	}
	c.Set(draftKept, derr == nil)
	if code := correction.CodeOf(err); code == correction.CodeOrderMoved || code == correction.CodeNotCorrecting {
		moved := s.movedProps(c, r.Base, r.Now.Order, r.Now.ReadAt, r.Checked.Lines, r.Checked.Discounts, r.Checked.Total)
		moved.Merchant, moved.Obstacle = r.Now.Merchant, r.Now.Obstacle
		moved.CanRedo = r.Now.CanEdit
		moved.RedoURL = pages.FormURL(ref) // the draft fills it
		return s.render(c, http.StatusConflict, pages.Moved(moved))
	}
	return err
}

// typedByOther reports a form whose page was made for somebody else: its tab stayed open
// while the person signed in.
func (s *server) typedByOther(v url.Values, a correction.Actor) bool {
	return v.Has(typedBy) && s.Sessions.TypistOf(v.Get(typedBy)) != a.UserID
}

// editForm answers one of the editor's buttons with the form as it is then.
func (s *server) editForm(c echo.Context, ref correction.Ref, e editor, act string) error {
	ctx, a := c.Request().Context(), actor(c)
	if act == actDiscard {
		if err := s.Corrections.DropDraft(ctx, a, ref); err != nil {
			return err
		}
		return s.flashTo(c, "discarded", pages.OrderURL(ref))
	}
	if err := s.check(c, &e, func(base correction.Order, f *correction.Form) (err error) {
		e.focus, err = edit(f, base, act)
		return err
	}); err != nil {
		return err
	}
	if e.view.Base.SubMchID != ref.SubMchID || e.view.Base.OutOrderNo != ref.OutOrderNo {
		return &correction.Error{Kind: correction.Conflict, Code: correction.CodeBaseUnknown}
	}
	e.show = act == actRecompute
	return s.renderForm(c, http.StatusOK, e)
}

// preview answers the summary for the form's current values. The fragment's parts
// replace those of the page.
func (s *server) preview(c echo.Context) error {
	v, err := postForm(c, correctionField)
	if err != nil {
		return err
	}
	if s.typedByOther(v, actor(c)) { // it would be kept as a draft
		return c.NoContent(http.StatusConflict)
	}
	e := editor{form: decodeForm(v)}
	if err := s.check(c, &e, nil); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, pages.Parts(s.formProps(c, e)))
}

// check works out what the form means, after change was applied to it, and keeps
// it as the person's draft.
func (s *server) check(c echo.Context, e *editor, change func(base correction.Order, f *correction.Form) error) (err error) {
	if e.view, err = s.Corrections.FormView(c.Request().Context(), actor(c), &e.form, change); err != nil {
		return err
	}
	ref := correction.Ref{SubMchID: e.view.Base.SubMchID, OutOrderNo: e.view.Base.OutOrderNo}
	if s.keepDraft(c, ref, e.form) == nil {
		e.draft = s.Now()
	}
	return nil
}

func (s *server) movedProps(c echo.Context, then, now correction.Order, at time.Time, lines, discounts []correction.Line, target correction.Fen) pages.MovedProps {
	p := pages.MovedProps{
		Page: s.page(c, movedTitle), Then: then, Now: now, ReadAt: at, Lines: lines, Discounts: discounts, Target: target,
	}
	p.Page.Nav = layout.NavMine
	return p
}
