package pages

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/internal/insights"
	"correction-console/web/templates/components"
	"correction-console/web/templates/layout"
)

// InsightsURL is the page of figures.
const InsightsURL = "/insights"

// PeriodProblem is what is wrong with a period.
type PeriodProblem string

// Problems of periods.
const (
	PeriodBadDate   PeriodProblem = "bad_date"
	PeriodAhead     PeriodProblem = "ahead"
	PeriodBackwards PeriodProblem = "backwards"
	PeriodLong      PeriodProblem = "long"
)

// Preset is a period to choose by its name.
type Preset struct {
	Text, URL string
	On        bool
}

// InsightsProps is the page of figures. Insights is nil when the period makes no sense.
type InsightsProps struct {
	Page     layout.Page
	From, To string // as typed, or the days of the period
	Problems map[string]PeriodProblem
	Presets  []Preset
	Insights *insights.Insights
	CSV      string
}

// Period is the parameters from and to of the days from until before to.
func Period(from, to time.Time) url.Values {
	return url.Values{"from": {from.Format(time.DateOnly)}, "to": {correction.AddDays(to, -1).Format(time.DateOnly)}}
}

func (p InsightsProps) problem(field string) string {
	t := p.Page.T
	switch p.Problems[field] {
	case PeriodBadDate:
		return t("填成 2026-11-23 这样的日期", "Use a date like 2026-11-23")
	case PeriodAhead:
		return t("这一天还没到", "That day has not come yet")
	case PeriodBackwards:
		return t("结束日期不能早于开始日期", "The last day must not be before the first")
	case PeriodLong:
		return p.Page.F("一次最多看 %d 天", "At most %d days at once", insights.MostInsightDays)
	}
	return ""
}

func (p InsightsProps) problems() []components.SummaryItem {
	var out []components.SummaryItem
	for _, f := range []struct{ name, word string }{{"from", p.Page.T("从", "From")}, {"to", p.Page.T("到", "To")}} {
		if text := p.problem(f.name); text != "" {
			out = append(out, components.SummaryItem{Href: "#" + f.name, Text: f.word + colon(p.Page) + text})
		}
	}
	return out
}

// filter is one value of the change log's filter.
type filter struct{ name, value string }

var (
	inForce  = filter{"state", string(changelog.AnyEffective)}
	largest  = filter{"sort", "reduction"}
	byState  = func(s correction.State) filter { return filter{"state", string(s)} }
	zeroed   = filter{"share_min", "100"}
	half     = filter{"share_min", "50"}
	foundBad = filter{"review", string(correction.ReviewWrong)}
)

// logLink is the change log of some days with a filter.
func logLink(from, to time.Time, filters ...filter) string {
	v := Period(from, to)
	for _, f := range filters {
		v.Set(f.name, f.value)
	}
	return "/corrections?" + v.Encode()
}

// figure is a number with the address of what it counts; empty when the change log
// cannot select that.
type figure struct{ text, href string }

// insightTile is one number on top of the page, with lines below it that are put together of
// words and figures.
type insightTile struct {
	label string
	figure
	notes [][]figure
}

func (t insightTile) long() bool { return len([]rune(t.text)) > 12 }

func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func minus(f correction.Fen) string {
	if f == 0 {
		return f.String()
	}
	return f.Minus()
}

// dash stands for a figure that rests on nothing.
func dash(n int, text string) string {
	if n == 0 {
		return "—"
	}
	return text
}

// took prints a time in its two largest units.
func took(p layout.Page, d time.Duration) string {
	h, m := int(d/time.Hour), int(d/time.Minute)%60
	switch {
	case h >= 24:
		return p.F("%d 天 %d 小时", "%d d %d h", h/24, h%24)
	case h > 0:
		return p.F("%d 小时 %d 分", "%d h %d min", h, m)
	}
	return p.F("%d 分钟", "%d min", m)
}

// prior is the words before a figure of the period before.
func (p InsightsProps) prior() string {
	if p.Insights.Days == 1 {
		return p.Page.T("前一天 ", "previous day ")
	}
	return p.Page.F("前 %d 天 ", "previous %d days ", p.Insights.Days)
}

// tiles are the numbers on top, each with that of the period before.
func (p InsightsProps) tiles() []insightTile {
	in, t := p.Insights, p.Page.T
	now, was := in.Total, in.Prior
	link := func(filters ...filter) string { return logLink(in.From, in.To, filters...) }
	words := func(text string) figure { return figure{text: text} }
	before := func(text string, filters ...filter) []figure {
		f := words(text)
		if len(filters) > 0 && text != "—" {
			f.href = logLink(in.PriorFrom, in.From, filters...)
		}
		return []figure{words(p.prior()), f}
	}
	counted := func(label string, n, then int, filters ...filter) insightTile {
		x := insightTile{label, words(count(n)), [][]figure{before(count(then), filters...)}}
		if len(filters) > 0 {
			x.href = link(filters...)
		}
		return x
	}
	shared := func(x insightTile, n int) insightTile {
		x.notes = append(x.notes, []figure{words(p.Page.F("占 %s", "%s of all", dash(now.Count, components.Percent(part(n, now.Count)))))})
		return x
	}
	also := func(x insightTile, line ...figure) insightTile {
		x.notes = append(x.notes, line)
		return x
	}
	of := func(n int, s correction.State) figure { return figure{count(n), link(byState(s))} }
	return []insightTile{
		counted(t("改价笔数", "Corrections"), now.Count, was.Count, inForce),
		{t("少收合计", "Reduced by"), figure{minus(now.Sum), link(inForce, largest)}, [][]figure{before(minus(was.Sum), inForce, largest)}},
		{t("每笔中位数", "Median reduction"), figure{dash(now.Count, minus(now.Median)), link(inForce, largest)}, [][]figure{before(dash(was.Count, minus(was.Median)), inForce, largest)}},
		also(insightTile{t("总降幅", "Share of the orders"), figure{dash(now.Count, components.MinusPercent(now.Share())), link(inForce)}, [][]figure{
			before(dash(was.Count, components.MinusPercent(was.Share())), inForce)}},
			words(t("每笔中位数 ", "median ")+dash(now.Count, components.MinusPercent(now.MedianShare)))),
		shared(counted(t("降幅 50% 及以上", "Half or more given up"), now.Half, was.Half, inForce, half), now.Half),
		shared(counted(t("改到 ¥0", "To zero"), now.Zeroed, was.Zeroed, inForce, zeroed), now.Zeroed),
		counted(t("审批未通过", "Declined in approval"), now.Declined, was.Declined, byState(correction.Declined)),
		also(counted(t("结果确认中", "Checking the result"), now.Unknown, was.Unknown, byState(correction.Unknown)),
			words(t("另有需人工核对 ", "also needing a person ")), of(now.Conflicts, correction.NeedsPerson)),
		also(counted(t("没有改成", "Without effect"), now.NoEffect(), was.NoEffect()),
			words(t("微信拒绝 ", "refused ")), of(now.Rejected, correction.Rejected),
			words(t("，未生效 ", ", not applied ")), of(now.NotApplied, correction.NotApplied),
			words(t("，未发出 ", ", not sent ")), of(now.NotSent, correction.NotSent)),
		also(insightTile{t("付清用时", "Time to payment"), words(dash(now.Settled, took(p.Page, now.SettledIn))), [][]figure{before(dash(was.Settled, took(p.Page, was.SettledIn)))}},
			words(p.Page.F("%s 笔已按新金额付清", "%s paid the new amount", count(now.Settled)))),
		shared(counted(t("复核有误", "Found wrong in review"), now.Wrong, was.Wrong, inForce, foundBad), now.Wrong),
		also(counted(t("客户仍付了旧金额", "Paid the old amount"), now.PaidOld, was.PaidOld),
			words(t("要退差价 ", "to refund ")+now.PaidOldSum.String())),
	}
}

// part is n of all in thousandths.
func part(n, all int) int { return correction.Permille(correction.Fen(n), correction.Fen(all)) }

// By is the figures by one thing.
type By struct {
	ID     string
	Title  string
	Column string
	Groups []insights.Group
	param  string // of the change log
	sums   bool   // they add up to the total
}

// GroupsOf are the tables of groups, in the order of the page.
func GroupsOf(p layout.Page, in *insights.Insights) []By {
	return []By{
		{"agents", p.T("按客服", "By agent"), p.T("客服", "Agent"), in.Agents, "agent", true},
		{"reasons", p.T("按原因", "By reason"), p.T("原因", "Reason"), in.Reasons, "reason_code", true},
		{"merchants", p.T("按商户", "By merchant"), p.T("商户", "Merchant"), in.Merchants, "sub_mchid", true},
		{"services", p.T("按服务", "By service"), p.T("服务", "Service"), in.Services, "service_id", true},
		{"devices", p.T("按设备", "By device"), p.T("设备号", "Device"), in.Devices, "device", false},
	}
}

// GroupName is what people call a group.
func GroupName(p layout.Page, g insights.Group) string {
	switch {
	case g.Others > 0:
		return p.F("其余 %d 个设备", "%d other devices", g.Others)
	case g.Reason.Code != "":
		return reasonText(p, g.Reason)
	case g.Name != "":
		return g.Name
	}
	return g.Key
}

// StepWord says by what the time is divided.
func StepWord(p layout.Page, s insights.Step) string {
	switch s {
	case insights.ByWeek:
		return p.T("按周", "By week")
	case insights.ByMonth:
		return p.T("按月", "By month")
	}
	return p.T("按天", "By day")
}

// line is a row of a table of figures.
type line struct {
	name   string
	others bool // many taken together: not to be compared with the rest
	insights.Figures
	link func(...filter) string // empty where the change log cannot select it
}

func (p InsightsProps) lines(by By) []line {
	var out []line
	for _, g := range by.Groups {
		l := line{GroupName(p.Page, g), g.Others > 0, g.Figures, func(filters ...filter) string {
			if g.Key == "" {
				return ""
			}
			return logLink(p.Insights.From, p.Insights.To, append([]filter{{by.param, g.Key}}, filters...)...)
		}}
		out = append(out, l)
	}
	return out
}

func (p InsightsProps) stretchLines() []line {
	var out []line
	for _, s := range p.Insights.Stretches {
		out = append(out, line{p.stretchName(s), false, s.Figures, func(filters ...filter) string { return logLink(s.From, s.To, filters...) }})
	}
	return out
}

func (p InsightsProps) totalLine() line {
	return line{p.Page.T("合计", "Total"), true, p.Insights.Total, func(filters ...filter) string { return logLink(p.Insights.From, p.Insights.To, filters...) }}
}

// most is the largest sum of the lines.
func most(lines []line) correction.Fen {
	var m correction.Fen
	for _, l := range lines {
		if !l.others {
			m = max(m, l.Sum)
		}
	}
	return m
}

// cells are the figures of a row beside the main ones.
func (p InsightsProps) cells(l line) []figure {
	at := func(n int, filters ...filter) figure {
		if len(filters) == 0 {
			return figure{text: count(n)}
		}
		return figure{count(n), l.link(filters...)}
	}
	return []figure{
		{dash(l.Count, components.MinusPercent(l.Share())), l.link(inForce)},
		at(l.Zeroed, inForce, zeroed),
		at(l.Declined, byState(correction.Declined)),
		at(l.Unknown, byState(correction.Unknown)),
		at(l.NoEffect()),
		{text: dash(l.Settled, took(p.Page, l.SettledIn))},
		at(l.PaidOld),
		at(l.Wrong, inForce, foundBad),
	}
}

func (p InsightsProps) cellHeads() []string {
	t := p.Page.T
	return []string{
		t("总降幅", "Share"), t("改到 ¥0", "To zero"), t("审批未通过", "Declined"), t("确认中", "Checking"), t("没有改成", "No effect"),
		t("付清用时", "To payment"), t("付旧金额", "Paid old"), t("有误", "Wrong"),
	}
}

var weekdays = [...]i18n.Text{
	{ZH: "日", EN: "Sun"}, {ZH: "一", EN: "Mon"}, {ZH: "二", EN: "Tue"}, {ZH: "三", EN: "Wed"}, {ZH: "四", EN: "Thu"}, {ZH: "五", EN: "Fri"}, {ZH: "六", EN: "Sat"},
}

func (p InsightsProps) today(s insights.Stretch) bool {
	return !p.Page.Now.Before(s.From) && p.Page.Now.Before(s.To)
}

// stretchName is the days of a stretch in words.
func (p InsightsProps) stretchName(s insights.Stretch) string {
	last := correction.AddDays(s.To, -1)
	switch p.Insights.Step {
	case insights.ByDay:
		if p.today(s) {
			return p.Page.F("%s 今天", "%s, today", s.From.Format("01-02"))
		}
		return s.From.Format("01-02") + " " + weekdays[s.From.Weekday()].In(p.Page.Lang)
	case insights.ByMonth:
		if s.From.Day() == 1 && s.To.Day() == 1 {
			return s.From.Format("2006-01")
		}
	}
	if s.From.Equal(last) {
		return s.From.Format(time.DateOnly)
	}
	return p.Page.F("%s 至 %s", "%s to %s", s.From.Format(time.DateOnly), last.Format("01-02"))
}

// plotNote says what the bars are, and that today is not over.
func (p InsightsProps) plotNote() string {
	text := p.Page.T("少收金额", "Reduced by")
	if last := p.Insights.Stretches[len(p.Insights.Stretches)-1]; p.today(last) {
		text += p.Page.F("，今天到 %s", ", today until %s", p.Page.Clock(p.Page.Now)[:5])
	}
	return text
}

// period is the days in words.
func (p InsightsProps) period() string {
	days := p.Page.F("%d 天", "%d days", p.Insights.Days)
	if p.Insights.Days == 1 {
		return p.From + i18n.Mark(p.Page.Lang, "，", ", ") + p.Page.T("1 天", "1 day")
	}
	return p.Page.F("%s 至 %s", "%s to %s", p.From, p.To) + i18n.Mark(p.Page.Lang, "，", ", ") + days
}

// Measures of the plot, in its own units.
const (
	plotWide, plotHigh = 618, 190
	plotLeft, plotTop  = 64, 24
	plotFloor          = 160
	mostValues         = 8  // bars with their value above
	mostLabels         = 12 // bars with their day below
)

// plotBar is one bar; x and y in tenths, so that bars are evenly spaced.
type plotBar struct {
	x, y, width, height string
	middle              string
	value, label, title string
	valueY              string
	today               bool
}

// gridLine is a level of the plot.
type gridLine struct{ y, textY, text string }

// tenths prints a number of tenths.
func tenths(n int64) string {
	if n%10 == 0 {
		return strconv.FormatInt(n/10, 10)
	}
	return strconv.FormatInt(n/10, 10) + "." + strconv.FormatInt(n%10, 10)
}

// scale is the distance of the plot's levels: 1, 2 or 5 with zeros, at most four of them.
func scale(m correction.Fen) correction.Fen {
	for unit := correction.Fen(100); ; unit *= 10 {
		for _, k := range []correction.Fen{1, 2, 5} {
			if m <= 4*k*unit {
				return k * unit
			}
		}
	}
}

// plot works out the bars and the levels.
func (p InsightsProps) plot() (bars []plotBar, levels []gridLine) {
	lines := p.stretchLines()
	top := most(lines)
	unit := scale(max(top, 100))
	ceiling := max((top+unit-1)/unit, 1) * unit
	high := func(f correction.Fen) int64 { return int64(f) * 10 * (plotFloor - plotTop) / int64(ceiling) }
	for f := correction.Fen(0); f <= ceiling; f += unit {
		y := plotFloor*10 - high(f)
		levels = append(levels, gridLine{tenths(y), tenths(y + 40), strings.TrimSuffix(f.String(), ".00")})
	}
	step := int64(plotWide-plotLeft) * 10 / int64(len(lines))
	width := min(step*55/100, 440)
	if len(lines) > mostLabels {
		width = step * 75 / 100
	}
	every := (len(lines) + mostLabels - 1) / mostLabels
	wide := p.Insights.Step != insights.ByDay
	for i, l := range lines {
		s := p.Insights.Stretches[i]
		h := high(l.Sum)
		x := plotLeft*10 + step*int64(i) + (step-width)/2
		b := plotBar{
			x: tenths(x), y: tenths(plotFloor*10 - h), width: tenths(width), height: tenths(h), middle: tenths(x + width/2),
			valueY: tenths(plotFloor*10 - h - 60), title: l.name + colon(p.Page) + l.Sum.String(), today: p.today(s),
		}
		if len(lines) <= mostValues {
			b.value = l.Sum.String()
		}
		if i%every == 0 {
			switch {
			case wide && p.Insights.Step == insights.ByMonth:
				b.label = s.From.Format("06-01")
			case wide || len(lines) > mostValues:
				b.label = s.From.Format("01-02")
			case b.today:
				b.label = p.Page.T("今天", "Today")
			default:
				b.label = l.name
			}
		}
		bars = append(bars, b)
	}
	return bars, levels
}

// plotText is the plot in words: every value when they are few, else what stands out.
func (p InsightsProps) plotText() string {
	lines := p.stretchLines()
	t := p.Page
	if len(lines) <= 14 {
		var out []string
		for _, l := range lines {
			out = append(out, l.name+" "+l.Sum.String())
		}
		return StepWord(t, p.Insights.Step) + t.T("，少收：", ", reduced by: ") + strings.Join(out, i18n.Mark(t.Lang, "，", ", "))
	}
	best := lines[0]
	for _, l := range lines {
		if l.Sum > best.Sum {
			best = l
		}
	}
	return t.F("%s，少收，共 %d 段，最多的是 %s %s；每个数字在下面的表里", "%s, reduced by, %d bars, the highest %s %s; every value is in the table below",
		StepWord(t, p.Insights.Step), len(lines), best.name, best.Sum.String())
}

// part is the line's part of the largest sum, as a share for an attribute; empty where
// there is nothing to compare.
func (l line) part(most correction.Fen) string {
	if l.others {
		return ""
	}
	return components.Percent(correction.Permille(l.Sum, most))
}

// openDays is up to how many rows the table below the plot stands open.
const openDays = 8
