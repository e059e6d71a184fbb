package pages

import (
	"slices"
	"strconv"
	"strings"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
)

// Addresses of the change log.
const (
	LogURL       = "/corrections"
	ViewsURL     = LogURL + "/views"
	ExportsURL   = LogURL + "/exports"
	exportPrefix = LogURL + "."
)

// ExportURL is an export of a filter, that is encoded, in a format.
func ExportURL(format, query string) string {
	if query == "" {
		return exportPrefix + format
	}
	sep := "?"
	if strings.Contains(format, "?") {
		sep = "&"
	}
	return exportPrefix + format + sep + query
}

func deleteViewURL(id int64) string { return ViewsURL + "/" + strconv.FormatInt(id, 10) + "/deletion" }

// LogRows are the lengths of a page that can be chosen; the second is the default.
var LogRows = []int{25, 50, 100}

// Columns of the change log, in their order. The first is always shown.
var (
	LogColumns = []string{
		"id", "time", "order", "merchant", "agent", "reason", "was", "now", "less", "share", "state", "review",
		"approver", "flags", "ticket", "device", "service", "confirmed", "changed", "outgoing", "note",
	}
	LogDefaultColumns = LogColumns[:12]
	// LogDeepColumns need rows that were completed.
	LogDeepColumns = []string{"flags", "device", "confirmed"}
)

var columnHeads = map[string]i18n.Text{
	"id":        {ZH: "改价号", EN: "No."},
	"time":      {ZH: "时间", EN: "Time"},
	"order":     {ZH: "订单号", EN: "Order"},
	"merchant":  {ZH: "商户", EN: "Merchant"},
	"agent":     {ZH: "客服", EN: "Agent"},
	"reason":    {ZH: "原因", EN: "Reason"},
	"was":       {ZH: "原金额", EN: "Was"},
	"now":       {ZH: "改后", EN: "Now"},
	"less":      {ZH: "少收", EN: "Less"},
	"share":     {ZH: "降幅", EN: "Share"},
	"state":     {ZH: "状态", EN: "State"},
	"review":    {ZH: "复核", EN: "Review"},
	"approver":  {ZH: "审批人", EN: "Decided by"},
	"flags":     {ZH: "标记", EN: "Flags"},
	"ticket":    {ZH: "工单号", EN: "Ticket"},
	"device":    {ZH: "设备", EN: "Device"},
	"service":   {ZH: "服务", EN: "Service"},
	"confirmed": {ZH: "确认时间", EN: "Confirmed"},
	"changed":   {ZH: "状态时间", EN: "State since"},
	"outgoing":  {ZH: "给微信的说明", EN: "Text for WeChat"},
	"note":      {ZH: "内部备注", EN: "Internal note"},
}

// Effective names the states in which a correction is effective.
var Effective = i18n.Text{ZH: "已生效（含迟到）", EN: "Applied, late or not"}

// conditionNames are the labels of the conditions.
var conditionNames = map[string]i18n.Text{
	"from":          {ZH: "从", EN: "From"},
	"to":            {ZH: "到", EN: "To"},
	"sub_mchid":     {ZH: "商户", EN: "Merchant"},
	"agent":         {ZH: "客服", EN: "Agent"},
	"state":         {ZH: "状态", EN: "State"},
	"reduction_min": {ZH: "少收不低于（元）", EN: "Reduced by at least (¥)"},
	"reduction_max": {ZH: "少收不高于（元）", EN: "Reduced by at most (¥)"},
	"share_min":     {ZH: "降幅不低于（%）", EN: "Share at least (%)"},
	"share_max":     {ZH: "降幅不高于（%）", EN: "Share at most (%)"},
	"q":             {ZH: "关键字", EN: "Words"},
	"out_order_no":  {ZH: "订单号", EN: "Order number"},
	"service_id":    {ZH: "服务", EN: "Service"},
	"approver":      {ZH: "审批人", EN: "Decided by"},
	"reason_code":   {ZH: "原因", EN: "Reason"},
	"device":        {ZH: "设备编号", EN: "Device id"},
	"flag":          {ZH: "标记", EN: "Flag"},
	"review":        {ZH: "复核", EN: "Review"},
	"sort":          {ZH: "排序", EN: "Sort"},
	"rows":          {ZH: "每页", EN: "Rows"},
	"columns":       {ZH: "显示的列", EN: "Columns"},
}

func (p LogProps) label(field string) string { return conditionNames[field].In(p.Page.Lang) }

func (p LogProps) problem(field string) string {
	t := p.Page.T
	switch p.Filter.Problems[field] {
	case LogBadDate:
		return t("填成 2026-11-23 或 2026-11-23 14:30 这样", "Use 2026-11-23 or 2026-11-23 14:30")
	case LogDates:
		return t("结束时间要在开始时间之后", "The end must come after the start")
	case LogBadOrder:
		return t("只有字母、数字和 _ - | *，最多 32 位", "Letters, digits and _ - | * only, at most 32")
	case LogUnknown:
		return t("请从列表里选一项", "Choose one from the list")
	case LogBadAmount:
		return t("填成 12 或 12.50 这样，单位元", "Use yuan, like 12 or 12.50")
	case LogBadShare:
		return t("填 0 到 100，最多一位小数，如 12.5", "0 to 100 with at most one decimal, like 12.5")
	case LogRange:
		return t("不能小于前面的下限", "Must not be below the minimum")
	case LogLong:
		return t("太长了，最多 100 个字，设备编号最多 50 个", "Too long: at most 100 characters, 50 for a device id")
	case LogTwice:
		return t("同一个条件只能给一个值", "Give this condition once only")
	}
	return ""
}

// problems lists everything that was not used, for the summary on top.
func (p LogProps) problems() []components.SummaryItem {
	var out []components.SummaryItem
	fields := make([]string, 0, len(p.Filter.Problems))
	for name := range p.Filter.Problems {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	for _, name := range fields {
		label := name
		if _, ok := conditionNames[name]; ok {
			label = p.label(name)
		}
		out = append(out, components.SummaryItem{Href: "#" + name, Text: p.Page.F("%s：%s", "%s: %s", label, p.problem(name))})
	}
	for _, name := range p.Filter.Strange {
		out = append(out, components.SummaryItem{Text: p.Page.F("没有“%s”这个条件", "There is no filter “%s”", shortened(name))})
	}
	if text := p.viewProblem(); text != "" {
		out = append(out, components.SummaryItem{Href: "#view-name", Text: text})
	}
	return out
}

func shortened(s string) string {
	const most = 30
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func (p LogProps) viewProblem() string {
	switch p.View.Problem {
	case ViewBadName:
		return p.Page.F("给筛选起个名字，1 到 %d 个字", "Give the filter a name of 1 to %d characters", changelog.MaxFilterName)
	case ViewTaken:
		return p.Page.T("你已经有同名的筛选，换一个名字，或先删除原来的", "You have a filter of that name. Choose another, or delete it first")
	case ViewFull:
		return p.Page.F("最多保存 %d 个筛选，先删除不用的", "At most %d filters can be kept. Delete one first", changelog.MaxSavedFilters)
	}
	return ""
}

// deep reports whether one of the conditions that are folded away is in use, or wrong.
func (p LogProps) deep() bool {
	for _, name := range deepConditions {
		if p.Filter.Values[name] != "" || p.Filter.Problems[name] != "" {
			return true
		}
	}
	return false
}

// unfolded reports whether the whole filter is on the page. It is folded away as a rule,
// because it is half of the page's size.
func (p LogProps) unfolded() bool { return p.More || p.deep() || p.shows() }

func (p LogProps) moreURL() string { return p.with("more=1") }
func (p LogProps) saveURL() string { return p.with("save=1") }

// with is the page with one more parameter.
func (p LogProps) with(parameter string) string {
	if p.Query == "" {
		return LogURL + "?" + parameter
	}
	return LogURL + "?" + p.Query + "&" + parameter
}

func (p LogProps) columnsQuery() string {
	if slices.Equal(p.Filter.Columns, LogDefaultColumns) {
		return ""
	}
	return strings.Join(p.Filter.Columns, ",")
}

// shows reports whether the way of showing is wrong, so that it is unfolded.
func (p LogProps) shows() bool {
	return p.Filter.Problems["sort"] != "" || p.Filter.Problems["rows"] != "" || p.Filter.Problems["columns"] != ""
}

var deepConditions = []string{"reduction_max", "share_min", "share_max", "out_order_no", "service_id", "approver", "reason_code", "device", "flag", "review"}

// deepInUse counts them.
func (p LogProps) deepInUse() int {
	n := 0
	for _, name := range deepConditions {
		if p.Filter.Values[name] != "" {
			n++
		}
	}
	return n
}

// timed reports whether the span is given with times of day.
func (p LogProps) timed() bool {
	return strings.ContainsAny(p.Filter.Values["from"]+p.Filter.Values["to"], "T ")
}

// momentType is the kind of field that shows a value; one that is wrong is shown as it
// was typed.
func (p LogProps) momentType(field string) string {
	switch {
	case p.Filter.Problems[field] == LogBadDate || p.Filter.Problems[field] == LogTwice:
		return "text"
	case p.timed():
		return "datetime-local"
	}
	return "date"
}

const dayLength = len("2026-11-23")

// momentValue is a value as such a field takes it.
func (p LogProps) momentValue(field string) string {
	value := p.Filter.Values[field]
	if p.momentType(field) == "datetime-local" && value != "" {
		return withTime(value, field)
	}
	return value
}

func withTime(value, field string) string {
	if len(value) == dayLength {
		value += map[string]string{"from": "T00:00", "to": "T23:59"}[field]
	}
	return strings.Replace(value, " ", "T", 1)
}

// otherTimesURL leads to the same filter with times of day, or without.
func (p LogProps) otherTimesURL() string {
	today := p.Page.Now.In(p.Page.Zone).Format("2006-01-02")
	span := map[string]string{}
	for _, name := range []string{"from", "to"} {
		value := p.Filter.Values[name]
		switch {
		case p.timed() && len(value) > dayLength:
			value = value[:dayLength]
		case !p.timed() && (value == "" || p.Filter.Problems[name] != ""):
			value = withTime(today, name)
		case !p.timed():
			value = withTime(value, name)
		}
		span[name] = value
	}
	var parts []string
	for _, name := range []string{"from", "to"} {
		if span[name] != "" {
			parts = append(parts, name+"="+span[name])
		}
	}
	for part := range strings.SplitSeq(p.Query, "&") {
		if part != "" && !strings.HasPrefix(part, "from=") && !strings.HasPrefix(part, "to=") {
			parts = append(parts, part)
		}
	}
	return LogURL + "?" + strings.Join(parts, "&")
}

// total says how many corrections the filter finds.
func (p LogProps) total() string {
	n := components.Grouped(p.Total)
	if p.MoreThanTotal {
		return p.Page.F("%s 条以上", "%s+ corrections", n)
	}
	if p.Total == 1 {
		return p.Page.T("1 条", "1 correction")
	}
	return p.Page.F("%s 条", "%s corrections", n)
}

// tally is the total, and what the page has of corrections in force.
func (p LogProps) tally() string {
	if p.Refused { // nothing was counted
		return ""
	}
	if p.AppliedCount == 0 {
		return p.total()
	}
	return p.total() + p.Page.F("，本页生效 %d 笔，少收", ", %d applied on this page, reduced by", p.AppliedCount)
}

// where names the span of numbers on the page.
func (p LogProps) where() string {
	first, last := p.Rows[0].ID, p.Rows[len(p.Rows)-1].ID
	if p.Filter.Sort == changelog.ByReduction || first == last {
		return p.Page.F("本页 %d 条，共 %s", "%d on this page, of %s", len(p.Rows), p.total())
	}
	return p.Page.F("%s 至 %s，共 %s", "%s to %s of %s", components.Number(first), components.Number(last), p.total())
}

func (p LogProps) caption() string {
	if p.Filter.Sort == changelog.ByReduction {
		return p.Page.T("改价记录，少收多的在前", "Corrections, the largest reduction first")
	}
	return p.Page.T("改价记录，新的在前", "Corrections, newest first")
}

// sortLink is where a column head leads: the address that sorts by it, and whether the
// list is sorted so. Empty when the list cannot be sorted by it.
func (p LogProps) sortLink(column string) (href string, on bool) {
	byTime := "time"
	if !slices.Contains(p.Filter.Columns, byTime) {
		byTime = "id" // grows with time
	}
	switch column {
	case byTime:
		return p.ByTimeURL, p.Filter.Sort == changelog.ByTime
	case "less":
		return p.ByReductionURL, p.Filter.Sort == changelog.ByReduction
	}
	return "", false
}

// rowFate is the class of a row, for the amounts that say what came of it: strong when in
// force, quiet when not.
func rowFate(s correction.State) string {
	if fateOf(s) == fateDone {
		return "table__done"
	}
	return "table__quiet"
}

func numeric(column string) bool {
	return column == "was" || column == "now" || column == "less" || column == "share"
}

// reviewWord is how a row stands in the review, and the class of its tag; without a
// class it is plain text.
func (p LogProps) reviewWord(s correction.Summary) (text, class string) {
	word := func(mark string) string { return i18n.ReviewWord(mark).In(p.Page.Lang) }
	switch s.Review {
	case correction.ReviewFine:
		return word(string(s.Review)), ""
	case correction.ReviewQueried, correction.ReviewWrong:
		return word(string(s.Review)), "tag tag--flag"
	case correction.ReviewAnswered:
		return word(string(s.Review)), "tag"
	}
	switch {
	case !s.State.Final():
		return "—", ""
	case s.Flagged:
		return p.Page.T("有标记", "Flagged"), "tag tag--flag"
	}
	return word(correction.ReviewNone), "tag"
}

func (p LogProps) flagNames(s correction.Summary) string {
	var names []string
	for code := range strings.FieldsSeq(s.Flags) {
		names = append(names, i18n.FlagName(code).In(p.Page.Lang))
	}
	return orDash(strings.Join(names, i18n.Mark(p.Page.Lang, "、", ", ")))
}

func serviceLabel(s correction.Summary) string {
	if s.ServiceName != "" {
		return s.ServiceName
	}
	return orDash(s.Ref.ServiceID)
}

func offeringLabel(o correction.Offering) string {
	if o.Name != "" {
		return o.Name
	}
	return o.ServiceID
}
