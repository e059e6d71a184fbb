package handlers

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

func (s *server) form(c echo.Context) error {
	sub, no, err := orderParams(c)
	if err != nil {
		return err
	}
	ctx, a := c.Request().Context(), actor(c)
	ref := correction.Ref{SubMchID: sub, OutOrderNo: no}
	if err := s.opens(c, no); err != nil {
		return err
	}
	v, err := s.Corrections.OpenForm(ctx, a, ref)
	if err != nil {
		return s.unread(c, ref, err)
	}
	if !v.CanEdit {
		return seeOther(c, pages.OrderURL(ref)) // that page says why not
	}
	e := editor{view: correction.FormView{Base: v.Order}, form: correction.FormOf(v.Order, v.Device)}
	e.form.Base = hex.EncodeToString(v.Base[:])
	since := time.Time{} // a draft of before is no news
	if from, _ := strconv.ParseInt(c.QueryParam("from"), 10, 64); from > 0 {
		if since, err = s.fillFrom(ctx, a, from, &e); err != nil {
			return err
		}
	}
	if err := s.fillDraft(ctx, a, ref, since, &e); err != nil {
		return err
	}
	if e.view, err = s.Corrections.FormView(ctx, a, &e.form, nil); err != nil {
		return err
	}
	return s.renderForm(c, http.StatusOK, e)
}

// editor is the state of one form between reading and rendering it.
type editor struct {
	view     correction.FormView
	form     correction.Form
	show     bool // problems at their fields
	focus    string
	draft    time.Time
	restored bool
	moved    bool
	from     int64
}

// fillFrom fills the form from an earlier correction of the same order, carried over to
// the order as it is now, and returns when that was prepared.
func (s *server) fillFrom(ctx context.Context, a correction.Actor, id int64, e *editor) (prepared time.Time, err error) {
	old, err := s.Corrections.Correction(ctx, a, id)
	if err != nil {
		return prepared, err
	}
	if old.Ref.SubMchID != e.view.Base.SubMchID || old.Ref.OutOrderNo != e.view.Base.OutOrderNo {
		return prepared, nil
	}
	if old.Veiled() { // what is kept from them does not fill their form
		return prepared, nil
	}
	req, err := old.Request()
	if err != nil {
		return prepared, err
	}
	f := correction.FormOf(correction.Order{Lines: req.Lines, Discounts: req.Discounts}, req.Device)
	f.Lines = renumber(f.Lines, old.Base.Lines, req.Lines)
	f.Discounts = renumber(f.Discounts, old.Base.Discounts, req.Discounts)
	f = correction.Merge(old.Base, e.view.Base, f)
	f.Base, f.ReasonCode, f.Reason, f.Ticket, f.Note = e.form.Base, old.Reason.Code, old.Reason.Outgoing, old.Ticket, old.Note
	if !correction.AnyAmount(req.Lines) {
		f.Total = req.Total.Yuan()
	}
	e.form, e.from = f, id
	if !old.Base.SameMoney(e.view.Base) {
		e.moved = true
		if e.form.First, err = s.Corrections.KeepShown(ctx, old.Base); err != nil {
			return prepared, err
		}
	}
	if old.AuthorID != a.UserID { // a draft of one's own is of something else
		return prepared, nil
	}
	return old.PreparedAt, nil
}

// renumber gives rows the numbers of the order's lines that they stand for, so
// that the editor pairs them by identity and not by position.
func renumber(rows []correction.FormLine, was, lines []correction.Line) []correction.FormLine {
	for i := range rows {
		rows[i].Index = len(was) + i
	}
	for i, j := range correction.Pair(was, lines) {
		if j >= 0 {
			rows[j].Index = i
		}
	}
	slices.SortFunc(rows, func(a, b correction.FormLine) int { return a.Index - b.Index })
	return rows
}

// fillDraft takes up what the person typed before and has not confirmed or withdrawn,
// carried over to the order as it is now. A form that is filled already takes up only
// what was typed after since.
func (s *server) fillDraft(ctx context.Context, a correction.Actor, ref correction.Ref, since time.Time, e *editor) error {
	d, err := s.Corrections.Draft(ctx, a, ref)
	if errors.Is(err, correction.ErrNoRow) || err == nil && e.from > 0 && (since.IsZero() || !d.SavedAt.After(since)) {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := url.ParseQuery(d.Form)
	if err != nil {
		return err
	}
	live := e.form.Base
	e.form = decodeForm(v)
	if e.moved = false; e.form.Base != live {
		then, err := s.Corrections.Shown(ctx, ref, e.form.Base)
		switch {
		case errors.Is(err, correction.ErrNoRow): // as it was typed
			e.moved = true
		case err != nil:
			return err
		default:
			first := e.form.Base
			e.form = correction.Merge(then, e.view.Base, e.form)
			if e.moved = !then.SameMoney(e.view.Base); e.moved && e.form.First == "" {
				e.form.First = first
			}
		}
	}
	e.moved = e.moved || e.form.First != ""
	e.form.Base, e.draft, e.restored = live, d.SavedAt, true
	return nil
}

func (s *server) renderForm(c echo.Context, status int, e editor) error {
	return s.render(c, status, pages.Form(s.formProps(c, e)))
}

func (s *server) formProps(c echo.Context, e editor) pages.FormProps {
	v := e.view
	industry, _ := correction.FindIndustry(v.Offering.Industry)
	p := pages.FormProps{
		Page: s.page(c, formTitle), Base: v.Base, Merchant: v.Merchant, Offering: v.Offering, Form: e.form,
		Lines: editorRows(e.form.Lines, v.Checked.Form.Lines, v.Base.Lines), Discounts: editorRows(e.form.Discounts, v.Checked.Form.Discounts, v.Base.Discounts),
		NoAmounts: noAmounts(e), Reasons: v.Reasons, ShowProblems: e.show,
		Draft: e.draft, Restored: e.restored, MovedSince: e.moved || e.form.First != "", From: e.from, Clashes: v.Clashes, TypedBy: s.Sessions.Typist(actor(c).UserID),
		MoreLines: correction.MaxLines - len(e.form.Lines), MoreDiscounts: correction.MaxDiscounts - len(e.form.Discounts),
		DeviceExpected: industry.Unattended, FocusField: e.focus,
	}
	for _, n := range industry.Names {
		if !slices.Contains(p.NameChoices, n.Name) {
			p.NameChoices = append(p.NameChoices, n.Name)
		}
	}
	p.Page.Nav = layout.NavMine
	p.Page.Path = pages.FormURL(correction.Ref{SubMchID: v.Base.SubMchID, OutOrderNo: v.Base.OutOrderNo})
	p.Page.Scripts = []string{"form.js"}
	s.takeFlash(c, &p.Page)
	if e.show {
		p.Page.Problems = len(v.Checked.Problems)
		keepUnderstood(&p.Form, v.Checked.Form)
	}
	p.Summary = pages.SummaryProps{
		Current: v.Base.Total, Checked: v.Checked, At: s.Now(), ThresholdPercent: v.ThresholdPercent, AsksTotal: v.AsksTotal, KeptPermille: v.KeptPermille,
		Touched: e.show || touched(e), Own: v.Own, Over: v.Over,
	}
	return p
}

// keepUnderstood shows texts as they were understood; what is wrong stays as typed.
func keepUnderstood(f *correction.Form, understood correction.Form) {
	f.Total, f.Reason, f.Ticket, f.Note, f.Device = understood.Total, understood.Reason, understood.Ticket, understood.Note, understood.Device
}

// noAmounts reports whether the editor leaves out the amounts: the order's lines
// have none, and nobody typed one.
func noAmounts(e editor) bool {
	return len(e.view.Base.Lines) > 0 && !correction.AnyAmount(e.view.Base.Lines) &&
		!slices.ContainsFunc(e.form.Lines, func(r correction.FormLine) bool { return correction.TrimBlank(r.Amount) != "" })
}

func touched(e editor) bool {
	c := e.view.Checked
	return e.form.Total != "" || !correction.SameLines(c.Lines, e.view.Base.Lines) || !correction.SameLines(c.Discounts, e.view.Base.Discounts)
}

// editorRows pairs the form's rows with the order's lines by their numbers; lines
// without a row are shown as removed, in their place.
func editorRows(rows, understood []correction.FormLine, was []correction.Line) []pages.Row {
	byIndex := map[int]correction.FormLine{}
	for _, r := range rows {
		byIndex[r.Index] = r
	}
	for _, r := range understood {
		byIndex[r.Index] = r
	}
	var out []pages.Row
	for i, w := range was {
		r, ok := byIndex[i]
		if !ok {
			out = append(out, pages.Row{Form: correction.FormLine{Index: i}, Kind: correction.Removed, Was: w, Delta: -w.Amount, HasDelta: w.HasAmount})
			continue
		}
		out = append(out, compareRow(r, w))
	}
	for _, r := range rows {
		if r.Index >= len(was) {
			r = byIndex[r.Index]
			row := pages.Row{Form: r, Kind: correction.Added}
			if a, err := correction.ParseYuan(r.Amount); err == nil {
				row.Delta, row.HasDelta = a, true
			}
			out = append(out, row)
		}
	}
	return out
}

func compareRow(r correction.FormLine, was correction.Line) pages.Row {
	row := pages.Row{Form: r, Kind: correction.Changed, Was: was}
	now := correction.Line{Name: r.Name, Description: r.Description}
	amount, err := correction.ParseYuan(r.Amount)
	now.Amount, now.HasAmount = amount, err == nil
	if now.HasAmount || was.HasAmount && errors.Is(err, correction.ErrYuanEmpty) {
		row.Delta, row.HasDelta = amount-was.Amount, true
	}
	now.Count, _ = strconv.Atoi(correction.HalfWidth(r.Count))
	readable := (err == nil || errors.Is(err, correction.ErrYuanEmpty)) && (now.Count != 0 || correction.TrimBlank(r.Count) == "")
	if readable && now.Same(was) {
		row.Kind = correction.Unchanged
	}
	return row
}

// keepDraft keeps what was typed. That it could not be is logged when it is the
// console's fault: the page does not say that it is kept.
func (s *server) keepDraft(c echo.Context, ref correction.Ref, f correction.Form) error {
	err := s.Corrections.SaveDraft(c.Request().Context(), actor(c), ref, f.Base, encodeForm(f).Encode())
	if correction.KindOf(err) == correction.Internal && err != nil {
		s.Log.Error("save draft", "id", requestID(c), "err", err)
	}
	return err
}
