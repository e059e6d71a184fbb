package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var logTitle = i18n.Text{ZH: "改价记录", EN: "Change log"}

// logRows is the length of a page of the change log.
const logRows = 50

// logParameters are the filters of the change log, in the order in which they are
// shown.
var logParameters = []string{"out_order_no", "sub_mchid", "agent", "state", "from", "to"}

func (s *server) log(c echo.Context) error {
	ctx, a := c.Request().Context(), actor(c)
	p := pages.LogProps{Page: s.page(c, logTitle)}
	p.Page.Nav = layout.NavLog
	var err error
	if p.Merchants, err = s.Corrections.MerchantsFor(ctx, a); err != nil {
		return err
	}
	if p.Authors, err = s.Corrections.AuthorsFor(ctx, a); err != nil {
		return err
	}
	form, filter := s.logFilter(c.QueryParams())
	p.Filter = form
	p.Page.Problems = len(form.Problems)
	at := correction.Page{Limit: logRows}
	at.Before, _ = strconv.ParseInt(c.QueryParam("before"), 10, 64)
	if at.Before <= 0 {
		at.Before = 0
		at.After, _ = strconv.ParseInt(c.QueryParam("after"), 10, 64)
	}
	rows, more, err := s.Corrections.List(ctx, a, filter, at)
	if err != nil {
		return err
	}
	p.Rows = rows
	if n := len(rows); n > 0 {
		if at.After > 0 || more {
			p.OlderURL = logURL(form, "before", strconv.FormatInt(rows[n-1].ID, 10))
		}
		if at.Before > 0 || at.After > 0 && more {
			p.NewerURL = logURL(form, "after", strconv.FormatInt(rows[0].ID, 10))
		}
	} else if at.After > 0 || at.Before > 0 {
		p.NewerURL = logURL(form, "", "")
	}
	for _, r := range rows {
		if r.State.InForce() {
			p.AppliedCount++
			p.AppliedSum += r.Reduction()
		}
	}
	if a.Can(correction.Export) {
		p.ExportURL = exportPath + query(form, "", "")
	}
	s.chips(&p)
	status := http.StatusOK
	if len(form.Problems) > 0 {
		status = http.StatusUnprocessableEntity
	}
	return s.render(c, status, pages.Log(p))
}

// logFilter reads the filters; one that makes no sense is told and not used, the
// others are kept.
func (s *server) logFilter(v url.Values) (pages.LogForm, correction.LogFilter) {
	form := pages.LogForm{
		OutOrderNo: cleanNumber(v.Get("out_order_no")), SubMchID: cleanNumber(v.Get("sub_mchid")), Agent: v.Get("agent"),
		State: v.Get("state"), From: v.Get("from"), To: v.Get("to"), Problems: map[string]pages.LogProblem{},
	}
	f := correction.LogFilter{Agent: form.Agent}
	if form.OutOrderNo != "" {
		if correction.ValidOrderNo(form.OutOrderNo) {
			f.OutOrderNo = form.OutOrderNo
		} else {
			form.Problems["out_order_no"] = pages.LogBadOrder
		}
	}
	if form.SubMchID != "" {
		if correction.ValidMchID(form.SubMchID) {
			f.SubMchID = form.SubMchID
		} else {
			form.Problems["sub_mchid"] = pages.LogUnknown
		}
	}
	if form.State != "" {
		if slices.Contains(correction.States, correction.State(form.State)) {
			f.State = correction.State(form.State)
		} else {
			form.Problems["state"] = pages.LogUnknown
		}
	}
	day := func(name, text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		t, err := time.ParseInLocation(time.DateOnly, text, s.Zone)
		if err != nil || t.Year() < 2000 || t.Year() > 9000 {
			form.Problems[name] = pages.LogBadDate
			return time.Time{}
		}
		return t
	}
	f.From = day("from", form.From)
	if to := day("to", form.To); !to.IsZero() {
		f.To = to.AddDate(0, 0, 1)
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		form.Problems["to"] = pages.LogDates
		f.To = time.Time{}
	}
	return form, f
}

func logValue(f pages.LogForm, name string) string {
	return map[string]string{
		"out_order_no": f.OutOrderNo, "sub_mchid": f.SubMchID, "agent": f.Agent, "state": f.State, "from": f.From, "to": f.To,
	}[name]
}

// query is the filter as a query string, with one more parameter or, when its value
// is empty, without that one.
func query(f pages.LogForm, name, value string) string {
	v := url.Values{}
	for _, n := range logParameters {
		if x := logValue(f, n); x != "" && n != name {
			v.Set(n, x)
		}
	}
	if value != "" {
		v.Set(name, value)
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

func logURL(f pages.LogForm, name, value string) string {
	return "/corrections" + query(f, name, value)
}

// chips shows the conditions in force, each with the address that removes it.
func (s *server) chips(p *pages.LogProps) {
	l := p.Page.Lang
	for _, name := range logParameters {
		value := logValue(p.Filter, name)
		if value == "" || p.Filter.Problems[name] != "" {
			continue
		}
		label := value
		switch name {
		case "sub_mchid":
			for _, m := range p.Merchants {
				if m.SubMchID == value {
					label = m.Name
				}
			}
		case "agent":
			for _, a := range p.Authors {
				if a.Login == value {
					label = a.Name
				}
			}
		case "state":
			label = i18n.StateWord(correction.State(value)).In(l)
		case "from":
			label = l.F("%s 起", "from %s", value)
		case "to":
			label = l.F("到 %s", "until %s", value)
		}
		p.Chips = append(p.Chips, pages.Chip{Label: label, URL: logURL(p.Filter, name, "")})
	}
	if len(p.Chips) > 0 {
		p.ClearURL = "/corrections"
	}
}
