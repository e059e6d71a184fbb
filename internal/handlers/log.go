package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var logTitle = i18n.Text{ZH: "改价记录", EN: "Change log"}

func (s *server) log(c echo.Context) error {
	return s.logPage(c, http.StatusOK, c.QueryParams(), func(*pages.LogProps) {})
}

// known reads what the person may choose from.
func (s *server) known(ctx context.Context, a correction.Actor) (logChoices, error) {
	var k logChoices
	var err error
	if k.merchants, err = s.Corrections.MerchantsFor(ctx, a); err != nil {
		return k, err
	}
	if k.authors, err = s.ChangeLog.AuthorsFor(ctx, a); err != nil {
		return k, err
	}
	if k.FilterOptions, err = s.ChangeLog.FilterOptionsFor(ctx, a); err != nil {
		return k, err
	}
	set, err := s.Corrections.Settings(ctx)
	k.reasons = set.Reasons
	return k, err
}

// logPage shows the change log for the parameters; change adds what the last request
// came to.
func (s *server) logPage(c echo.Context, status int, v url.Values, change func(*pages.LogProps)) error {
	ctx, a := c.Request().Context(), actor(c)
	known, err := s.known(ctx, a)
	if err != nil {
		return err
	}
	p := pages.LogProps{
		Page: s.page(c, logTitle), Merchants: known.merchants, Authors: known.authors, Offerings: known.Offerings, Approvers: known.Approvers, Reasons: known.reasons,
	}
	p.Page.Nav = layout.NavLog
	s.takeFlash(c, &p.Page)
	form, filter := s.logFilter(v, known)
	p.Filter = form
	p.Page.Problems = len(form.Problems) + len(form.Strange)
	at := place(v, form)
	var rows []correction.Summary
	more := false
	if p.Refused = form.Refused(); !p.Refused { // what was asked is not known, and it never means everything
		if rows, more, err = s.ChangeLog.List(ctx, a, filter, at); err != nil {
			return err
		}
	}
	p.Rows = rows
	if slices.ContainsFunc(form.Columns, func(name string) bool { return slices.Contains(pages.LogDeepColumns, name) }) {
		if err := s.ChangeLog.Complete(ctx, a, rows); err != nil {
			return err
		}
	}
	if !p.Refused {
		if p.Total, p.MoreThanTotal, err = s.total(ctx, a, filter, at, rows, more); err != nil {
			return err
		}
		s.turn(&p, at, more)
	}
	for _, r := range rows {
		if r.State.Effective() {
			p.AppliedCount++
			p.AppliedSum += r.Reduction()
		}
	}
	p.CanExport, p.CanShare = a.Can(correction.Export) && p.Page.Problems == 0, a.Can(correction.ReadAllOf)
	if p.CanExport {
		p.Page.Scripts = []string{"export.js"}
	}
	p.Query = strings.TrimPrefix(query(form, "", ""), "?")
	if p.Views, err = s.views(ctx, a, p.Query); err != nil {
		return err
	}
	p.More, p.View.Open = v.Get("more") != "", v.Get("save") != ""
	s.chips(&p, known)
	change(&p)
	if p.Page.Problems > 0 && status == http.StatusOK {
		status = http.StatusUnprocessableEntity
	}
	return s.render(c, status, pages.Log(p))
}

// place is where in the list the page is.
func place(v url.Values, form pages.LogForm) changelog.Page {
	at := changelog.Page{Sort: form.Sort, Limit: form.Rows}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(v.Get(name), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	if at.Before = number("before"); at.Before == 0 {
		at.After = number("after")
	}
	at.Edge = correction.Fen(number("edge"))
	return at
}

// total counts what the filter finds, unless the page has all of it.
func (s *server) total(ctx context.Context, a correction.Actor, f changelog.LogFilter, at changelog.Page, rows []correction.Summary, more bool) (int, bool, error) {
	if at.Before == 0 && at.After == 0 && !more {
		return len(rows), false, nil
	}
	return s.ChangeLog.CountLog(ctx, a, f)
}

// turn gives the page the addresses of its neighbours.
func (s *server) turn(p *pages.LogProps, at changelog.Page, more bool) {
	link := func(name string, r correction.Summary) string {
		address := logURL(p.Filter, name, strconv.FormatInt(r.ID, 10))
		if at.Sort == changelog.ByReduction {
			edge := r.Reduction()
			if edge.IsHidden() {
				edge = 0
			}
			address += "&edge=" + strconv.FormatInt(int64(edge), 10)
		}
		return address
	}
	switch n := len(p.Rows); {
	case n > 0:
		if at.After > 0 || more {
			p.OlderURL = link("before", p.Rows[n-1])
		}
		if at.Before > 0 || at.After > 0 && more {
			p.NewerURL = link("after", p.Rows[0])
		}
	case at.After > 0 || at.Before > 0:
		p.NewerURL = logURL(p.Filter, "", "")
	}
	p.ByTimeURL, p.ByReductionURL = logURL(p.Filter, "sort", ""), logURL(p.Filter, "sort", string(changelog.ByReduction))
}

// chips shows the conditions in force, each with the address that removes it.
func (s *server) chips(p *pages.LogProps, known logChoices) {
	for _, name := range logParameters {
		value := p.Filter.Values[name]
		if value == "" || p.Filter.Problems[name] != "" {
			continue
		}
		p.Chips = append(p.Chips, pages.Chip{Label: conditionLabel(p.Page.Lang, known, name, value), URL: logURL(p.Filter, name, "")})
	}
	if len(p.Chips) > 0 {
		p.ClearURL = logURL(pages.LogForm{Sort: p.Filter.Sort, Rows: p.Filter.Rows, Columns: p.Filter.Columns}, "", "")
	}
}

// views lists the named filters, with the one that the page shows marked.
func (s *server) views(ctx context.Context, a correction.Actor, current string) ([]pages.LogView, error) {
	list, err := s.ChangeLog.SavedFilters(ctx, a)
	if err != nil {
		return nil, err
	}
	var out []pages.LogView
	for _, v := range list {
		view := pages.LogView{ID: v.ID, Name: v.Name, URL: pages.LogURL, Own: v.OwnerID == a.UserID, Shared: v.Shared, OwnerName: v.OwnerName, Current: v.Query == current}
		if v.Query != "" {
			view.URL += "?" + v.Query
		}
		out = append(out, view)
	}
	return out, nil
}

// saveFilter keeps the filter that the page shows under a name.
func (s *server) saveFilter(c echo.Context) error {
	v, err := postForm(c, fields("name", "query", "shared"))
	if err != nil {
		return err
	}
	ctx, a := c.Request().Context(), actor(c)
	asked, err := url.ParseQuery(v.Get("query"))
	if err != nil {
		return errBadForm
	}
	known, err := s.known(ctx, a)
	if err != nil {
		return err
	}
	form, _ := s.logFilter(asked, known)
	if len(form.Problems)+len(form.Strange) > 0 { // the page says which, and lists nothing of what is not known
		return s.logPage(c, http.StatusUnprocessableEntity, asked, func(*pages.LogProps) {})
	}
	_, err = s.ChangeLog.SaveFilter(ctx, a, v.Get("name"), strings.TrimPrefix(query(form, "", ""), "?"), v.Get("shared") != "", c.RealIP())
	problem, known422 := map[string]pages.ViewProblem{
		correction.CodeFilterName: pages.ViewBadName, correction.CodeFilterTaken: pages.ViewTaken, correction.CodeFiltersFull: pages.ViewFull,
	}[correction.CodeOf(err)]
	if known422 {
		status := http.StatusUnprocessableEntity
		if correction.KindOf(err) == correction.Conflict {
			status = http.StatusConflict
		}
		return s.logPage(c, status, asked, func(p *pages.LogProps) {
			p.View = pages.ViewForm{Open: true, Name: v.Get("name"), Shared: v.Get("shared") != "", Problem: problem}
			p.Page.Problems++
		})
	}
	if err != nil {
		return err
	}
	return s.flashTo(c, "view", logURL(form, "", ""))
}

// deleteFilter removes one of the person's own views.
func (s *server) deleteFilter(c echo.Context) error {
	id, err := correctionID(c)
	if err != nil {
		return err
	}
	v, err := postForm(c, fields("query"))
	if err != nil {
		return err
	}
	asked, err := url.ParseQuery(v.Get("query"))
	if err != nil {
		return errBadForm
	}
	ctx, a := c.Request().Context(), actor(c)
	known, err := s.known(ctx, a)
	if err != nil {
		return err
	}
	form, _ := s.logFilter(asked, known)
	if form.Unread() { // the page to return to is not known
		return errBadForm
	}
	if err := s.ChangeLog.DeleteFilter(ctx, a, id, c.RealIP()); err != nil {
		return err
	}
	return s.flashTo(c, "view-gone", logURL(form, "", ""))
}
