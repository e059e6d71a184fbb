package handlers

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/internal/insights"
	"correction-console/web/templates/components"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var insightsTitle = i18n.Text{ZH: "统计", EN: "Insights"}

func (s *server) insights(c echo.Context) error {
	p := pages.InsightsProps{Page: s.page(c, insightsTitle)}
	p.Page.Nav = layout.NavInsights
	from, to := s.insightsPeriod(c, &p)
	p.Presets = s.presets(p.Page, from, to)
	if p.Page.Problems = len(p.Problems); p.Page.Problems > 0 {
		return s.render(c, http.StatusUnprocessableEntity, pages.Insights(p))
	}
	in, err := s.Insights.Insights(c.Request().Context(), actor(c), from, to)
	if err != nil {
		return err
	}
	p.Insights, p.CSV = &in, insightsCSVPath+"?"+pages.Period(from, to).Encode()
	return s.render(c, http.StatusOK, pages.Insights(p))
}

// weekOfInsights is the period that nobody has to ask for, in days.
const weekOfInsights = 7

// insightsPeriod reads the period: days of the configured zone, both included. It ends
// today and has seven days unless asked otherwise; what makes no sense is told.
func (s *server) insightsPeriod(c echo.Context, p *pages.InsightsProps) (from, to time.Time) {
	p.From, p.To, p.Problems = correction.HalfWidth(c.QueryParam("from")), correction.HalfWidth(c.QueryParam("to")), map[string]pages.PeriodProblem{}
	today := s.Corrections.DayStart(s.Now())
	day := func(name, text string) time.Time {
		t, ok := correction.ParseDay(text, today.Location())
		switch {
		case !ok:
			p.Problems[name] = pages.PeriodBadDate
		case t.After(today):
			p.Problems[name] = pages.PeriodAhead
		}
		return t
	}
	last := today
	if p.To != "" {
		last = day("to", p.To)
	}
	from = correction.AddDays(last, 1-weekOfInsights)
	if p.From != "" {
		from = day("from", p.From)
	}
	to = correction.AddDays(last, 1)
	if len(p.Problems) > 0 {
		return from, to
	}
	switch days := correction.DaysBetween(from, to); {
	case days < 1:
		p.Problems["to"] = pages.PeriodBackwards
	case days > insights.MostInsightDays:
		p.Problems["from"] = pages.PeriodLong
	}
	if len(p.Problems) == 0 {
		p.From, p.To = from.Format(time.DateOnly), last.Format(time.DateOnly)
	}
	return from, to
}

// presets are the periods that people ask for most.
func (s *server) presets(l layout.Page, from, to time.Time) []pages.Preset {
	today := s.Corrections.DayStart(s.Now())
	end := correction.AddDays(today, 1)
	month := correction.StartOfDay(today.Year(), today.Month(), 1, today.Location())
	before := correction.StartOfDay(today.Year(), today.Month()-1, 1, today.Location())
	var out []pages.Preset
	for _, x := range []struct {
		text     string
		from, to time.Time
	}{
		{l.T("今天", "Today"), today, end},
		{l.T("最近 7 天", "7 days"), correction.AddDays(end, -7), end},
		{l.T("最近 30 天", "30 days"), correction.AddDays(end, -30), end},
		{l.T("本月", "This month"), month, end},
		{l.T("上月", "Last month"), before, month},
	} {
		out = append(out, pages.Preset{
			Text: x.text, URL: pages.InsightsURL + "?" + pages.Period(x.from, x.to).Encode(), On: from.Equal(x.from) && to.Equal(x.to),
		})
	}
	return out
}

// insightColumns are the figures of a row of the file, in order.
var insightColumns = []struct {
	title i18n.Text
	value func(insights.Figures) string
}{
	{i18n.Text{ZH: "改价笔数", EN: "Corrections"}, func(f insights.Figures) string { return strconv.Itoa(f.Count) }},
	{i18n.Text{ZH: "少收合计（元）", EN: "Reduced by (yuan)"}, func(f insights.Figures) string { return f.Sum.Yuan() }},
	{i18n.Text{ZH: "原金额合计（元）", EN: "Original amounts (yuan)"}, func(f insights.Figures) string { return f.Base.Yuan() }},
	{i18n.Text{ZH: "每笔中位数（元）", EN: "Median (yuan)"}, some(func(f insights.Figures) string { return f.Median.Yuan() })},
	{i18n.Text{ZH: "总降幅", EN: "Share of all orders"}, some(func(f insights.Figures) string { return components.Percent(f.Share()) })},
	{i18n.Text{ZH: "降幅中位数", EN: "Median share"}, some(func(f insights.Figures) string { return components.Percent(f.MedianShare) })},
	{i18n.Text{ZH: "降幅 50% 及以上", EN: "Half or more"}, func(f insights.Figures) string { return strconv.Itoa(f.Half) }},
	{i18n.Text{ZH: "改到 0 元", EN: "To zero"}, func(f insights.Figures) string { return strconv.Itoa(f.Zeroed) }},
	{i18n.Text{ZH: "已按新金额付清", EN: "Paid the new amount"}, func(f insights.Figures) string { return strconv.Itoa(f.Settled) }},
	{i18n.Text{ZH: "付清用时中位数（分钟）", EN: "Median time to payment (minutes)"}, func(f insights.Figures) string {
		if f.Settled == 0 {
			return ""
		}
		return strconv.FormatInt(int64(f.SettledIn/time.Minute), 10)
	}},
	{i18n.Text{ZH: "仍付了旧金额", EN: "Paid the old amount"}, func(f insights.Figures) string { return strconv.Itoa(f.PaidOld) }},
	{i18n.Text{ZH: "要退差价（元）", EN: "To refund (yuan)"}, func(f insights.Figures) string { return f.PaidOldSum.Yuan() }},
	{i18n.Text{ZH: "复核有误", EN: "Found wrong"}, func(f insights.Figures) string { return strconv.Itoa(f.Wrong) }},
	{i18n.Text{ZH: "审批未通过", EN: "Declined"}, func(f insights.Figures) string { return strconv.Itoa(f.Declined) }},
	{i18n.Text{ZH: "结果确认中", EN: "Checking the result"}, func(f insights.Figures) string { return strconv.Itoa(f.Unknown) }},
	{i18n.Text{ZH: "需人工核对", EN: "Needs a person"}, func(f insights.Figures) string { return strconv.Itoa(f.Conflicts) }},
	{i18n.Text{ZH: "微信拒绝", EN: "Refused by WeChat"}, func(f insights.Figures) string { return strconv.Itoa(f.Rejected) }},
	{i18n.Text{ZH: "未生效", EN: "Not applied"}, func(f insights.Figures) string { return strconv.Itoa(f.NotApplied) }},
	{i18n.Text{ZH: "未发出", EN: "Not sent"}, func(f insights.Figures) string { return strconv.Itoa(f.NotSent) }},
}

// some leaves a figure empty that rests on nothing.
func some(value func(insights.Figures) string) func(insights.Figures) string {
	return func(f insights.Figures) string {
		if f.Count == 0 {
			return ""
		}
		return value(f)
	}
}

// insightsCSV is what the page shows as a file. It is made whole before it is sent, and
// its last record tells how many there are.
func (s *server) insightsCSV(c echo.Context) error {
	p := pages.InsightsProps{Page: layout.Page{Lang: s.lang(c), Now: s.Now(), Zone: s.Zone}}
	from, to := s.insightsPeriod(c, &p)
	if len(p.Problems) > 0 {
		return seeOther(c, pages.InsightsURL+"?"+c.QueryString())
	}
	ctx, a := c.Request().Context(), actor(c)
	if c.Request().Method != http.MethodHead {
		entry := correction.AuditEntry{At: s.Now(), UserID: a.UserID, Action: "export", Detail: "insights?" + pages.Period(from, to).Encode(), IP: c.RealIP()}
		if err := s.Audit(ctx, entry); err != nil {
			return err
		}
	}
	in, err := s.Insights.Insights(ctx, a, from, to)
	if err != nil {
		return err
	}
	cp, err := s.Checkpoint(ctx)
	if err != nil {
		return err
	}
	l := p.Page
	var file bytes.Buffer
	w := bufio.NewWriter(&file)
	w.WriteString("\ufeff")
	writeCSV(w, textCell(insightsTitle.In(l.Lang)), textCell(l.F("%s 至 %s", "%s to %s", p.From, p.To)), textCell(l.F("时区 %s", "zone %s", s.Zone)), valueCell(s.stamp(s.Now())))
	head := []cell{textCell(l.T("分组", "Group")), textCell(l.T("名称", "Name")), textCell(l.T("编号", "Key")), textCell(l.T("从", "From")), textCell(l.T("到", "To"))}
	for _, col := range insightColumns {
		head = append(head, textCell(col.title.In(l.Lang)))
	}
	writeCSV(w, head...)
	rows := 0
	row := func(group, name, key string, from, to time.Time, f insights.Figures) {
		r := []cell{textCell(group), textCell(name), textCell(key), valueCell(from.Format(time.DateOnly)), valueCell(correction.AddDays(to, -1).Format(time.DateOnly))}
		for _, col := range insightColumns {
			r = append(r, valueCell(col.value(f)))
		}
		writeCSV(w, r...)
		rows++
	}
	row(l.T("合计", "Total"), "", "", in.From, in.To, in.Total)
	row(l.T("前一期", "Period before"), "", "", in.PriorFrom, in.From, in.Prior)
	for _, x := range in.Stretches {
		row(pages.StepWord(l, in.Step), "", "", x.From, x.To, x.Figures)
	}
	for _, by := range pages.GroupsOf(l, &in) {
		for _, g := range by.Groups {
			row(by.Title, pages.GroupName(l, g), g.Key, in.From, in.To, g.Figures)
		}
	}
	end := make([]cell, len(head))
	end[0].text, end[1].text, end[2].text = exportEnd.In(l.Lang), l.F("共 %d 条", "%d records", rows), cp.Note
	writeCSV(w, end...)
	if err := w.Flush(); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="insights-%s-%s.csv"`, p.From, p.To))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", file.Bytes())
}
