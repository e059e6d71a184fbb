package handlers

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/pages"
)

// logParameters are the conditions of the change log, in the order in which they are
// shown.
var logParameters = []string{
	"from", "to", "sub_mchid", "agent", "state", "reduction_min", "reduction_max", "q",
	"out_order_no", "service_id", "approver", "reason_code", "share_min", "share_max", "device", "flag", "review",
}

// shownParameters say how what is found is shown; the others of the page say where in
// the list it is, or how it is exported.
var (
	shownParameters = []string{"sort", "rows", "columns"}
	placeParameters = []string{"before", "after", "edge", "more", "save", "bom", "token"}
)

// Bounds of what is typed into the filter.
const (
	maxFilterText   = 100 // characters
	maxFilterDevice = 50
)

// logFilter reads the conditions. One that makes no sense is told, and the form is refused
// (LogForm.Refused); the others are kept as they were typed.
func (s *server) logFilter(v url.Values, known logChoices) (pages.LogForm, changelog.LogFilter) {
	r := logReader{s: s, v: v, form: pages.LogForm{Values: map[string]string{}, Problems: map[string]pages.LogProblem{}}}
	for _, name := range sortedKeys(v) {
		switch {
		case slices.Contains(logParameters, name), slices.Contains(shownParameters, name), slices.Contains(placeParameters, name):
			if len(v[name]) > 1 && name != "columns" {
				r.form.Problems[name], r.form.Twice = pages.LogTwice, true
			}
		default:
			r.form.Strange = append(r.form.Strange, name)
		}
	}
	f := r.conditions(known)
	r.shown()
	return r.form, f
}

func sortedKeys(v url.Values) []string {
	var out []string
	for name := range v {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// logChoices is what a person may choose from.
type logChoices struct {
	merchants []correction.Merchant
	authors   []correction.Author // empty: the person sees only their own
	changelog.FilterOptions
	reasons []correction.Reason
}

type logReader struct {
	s    *server
	v    url.Values
	form pages.LogForm
}

// text takes a condition as it was typed, without blanks around it; ok when there is one
// to be used.
func (r *logReader) text(name string, clean func(string) string) (string, bool) {
	text := clean(r.v.Get(name))
	if text == "" {
		return "", false
	}
	r.form.Values[name] = text
	return text, r.form.Problems[name] == ""
}

// one takes a condition that good accepts.
func (r *logReader) one(name string, clean func(string) string, problem pages.LogProblem, good func(string) bool) string {
	text, ok := r.text(name, clean)
	if ok && !good(text) {
		r.form.Problems[name], ok = problem, false
	}
	if !ok {
		return ""
	}
	return text
}

func (r *logReader) conditions(known logChoices) changelog.LogFilter {
	var f changelog.LogFilter
	login := func(list []correction.Author) func(string) bool {
		return func(text string) bool {
			return slices.ContainsFunc(list, func(a correction.Author) bool { return a.Login == text })
		}
	}
	f.OutOrderNo = r.one("out_order_no", correction.CleanNumber, pages.LogBadOrder, correction.ValidOrderNo)
	f.SubMchID = r.one("sub_mchid", correction.CleanNumber, pages.LogUnknown, correction.ValidMchID)
	f.ServiceID = r.one("service_id", correction.CleanNumber, pages.LogUnknown, correction.ValidServiceID)
	f.Agent = r.one("agent", userName, pages.LogUnknown, login(known.People))
	f.Approver = r.one("approver", userName, pages.LogUnknown, login(known.People))
	f.State = correction.State(r.one("state", correction.CleanNumber, pages.LogUnknown, func(text string) bool {
		return text == string(changelog.AnyEffective) || slices.Contains(correction.States, correction.State(text))
	}))
	f.ReasonCode = r.one("reason_code", correction.CleanNumber, pages.LogUnknown, func(text string) bool {
		_, ok := correction.FindReason(known.reasons, text)
		return ok
	})
	f.Flag = r.one("flag", correction.CleanNumber, pages.LogUnknown, func(text string) bool { return slices.Contains(correction.FlagCodes, text) })
	f.Review = r.one("review", correction.CleanNumber, pages.LogUnknown, func(text string) bool {
		return text == correction.ReviewNone || slices.Contains(correction.ReviewMarks, correction.ReviewMark(text))
	})
	short := func(most int) func(string) bool {
		return func(text string) bool { return utf8.ValidString(text) && utf8.RuneCountInString(text) <= most }
	}
	f.Device = r.one("device", correction.SearchText, pages.LogLong, short(maxFilterDevice))
	f.Text = r.one("q", correction.SearchText, pages.LogLong, short(maxFilterText))
	f.MinReduction, f.MaxReduction = r.yuan("reduction_min"), r.yuan("reduction_max")
	f.MinPermille, f.MaxPermille = r.share("share_min"), r.share("share_max")
	if f.MinReduction != nil && f.MaxReduction != nil && *f.MinReduction > *f.MaxReduction {
		r.form.Problems["reduction_max"], f.MaxReduction = pages.LogRange, nil
	}
	if f.MinPermille != nil && f.MaxPermille != nil && *f.MinPermille > *f.MaxPermille {
		r.form.Problems["share_max"], f.MaxPermille = pages.LogRange, nil
	}
	f.From, f.To = r.moment("from", false), r.moment("to", true)
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		r.form.Problems["to"], f.To = pages.LogDates, time.Time{}
	}
	return f
}

// userName is a user name in its one form, or as it was typed when it is none.
func userName(typed string) string {
	typed = correction.SearchText(typed)
	if name, err := auth.NormalUsername(typed); err == nil {
		return name
	}
	return typed
}

func (r *logReader) yuan(name string) *correction.Fen {
	text, ok := r.text(name, correction.NormaliseYuan)
	if !ok {
		return nil
	}
	amount, err := correction.ParseYuan(text)
	if err != nil {
		r.form.Problems[name] = pages.LogBadAmount
		return nil
	}
	return &amount
}

// share reads a percentage with at most one decimal, as thousandths.
func (r *logReader) share(name string) *int {
	text, ok := r.text(name, func(text string) string {
		return strings.TrimSpace(strings.TrimSuffix(correction.HalfWidth(text), "%"))
	})
	if !ok {
		return nil
	}
	whole, tenth, point := strings.Cut(text, ".")
	if !point {
		tenth = "0"
	}
	n, err := strconv.ParseUint(whole, 10, 16)
	d, derr := strconv.ParseUint(tenth, 10, 8)
	permille := int(n)*10 + int(d)
	if err != nil || derr != nil || len(whole) > 3 || len(tenth) != 1 || permille > 1000 {
		r.form.Problems[name] = pages.LogBadShare
		return nil
	}
	return &permille
}

// moments are the ways to write a date with a time of day.
var moments = []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"}

// moment reads a date or a date and time in the configured zone. As the end of a span, a
// date and a minute count in full.
func (r *logReader) moment(name string, end bool) time.Time {
	text, ok := r.text(name, correction.HalfWidth)
	if !ok {
		return time.Time{}
	}
	if t, ok := correction.ParseDay(text, r.s.Zone); ok {
		if end {
			t = correction.AddDays(t, 1)
		}
		return t
	}
	t, err := time.Time{}, errors.New("no day")
	for i := 0; err != nil && i < len(moments); i++ {
		t, err = time.ParseInLocation(moments[i], text, r.s.Zone)
		if err == nil && end {
			t = t.Add(map[bool]time.Duration{true: time.Second, false: time.Minute}[strings.HasSuffix(moments[i], ":05")])
		}
	}
	if err != nil || t.Year() < 2000 || t.Year() > 9000 {
		r.form.Problems[name] = pages.LogBadDate
		return time.Time{}
	}
	return t
}

// shown reads how the list is shown.
func (r *logReader) shown() {
	r.form.Sort, r.form.Rows, r.form.Columns = changelog.ByTime, pages.LogRows[1], nil
	switch text := r.v.Get("sort"); text {
	case "", "time":
	case string(changelog.ByReduction):
		r.form.Sort = changelog.ByReduction
	default:
		r.form.Problems["sort"] = pages.LogUnknown
	}
	if text := r.v.Get("rows"); text != "" {
		if n, err := strconv.Atoi(text); err == nil && slices.Contains(pages.LogRows, n) {
			r.form.Rows = n
		} else {
			r.form.Problems["rows"] = pages.LogUnknown
		}
	}
	asked := map[string]bool{}
	for _, list := range r.v["columns"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if !slices.Contains(pages.LogColumns, name) {
				r.form.Problems["columns"] = pages.LogUnknown
			}
			asked[name] = true
		}
	}
	for _, name := range pages.LogColumns { // in their own order
		if asked[name] || name == pages.LogColumns[0] {
			r.form.Columns = append(r.form.Columns, name)
		}
	}
	if len(asked) == 0 || r.form.Problems["columns"] != "" {
		r.form.Columns = slices.Clone(pages.LogDefaultColumns)
	}
}

// query is the filter as a query string, with one parameter changed; an empty value
// leaves it out. How the list is shown comes with it, where in the list it is does not.
func query(f pages.LogForm, name, value string) string {
	var b strings.Builder
	put := func(name, value string) {
		if value == "" {
			return
		}
		b.WriteByte("?&"[min(b.Len(), 1)])
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
	}
	placed := false
	with := func(n, was string) {
		if n == name {
			was, placed = value, true
		}
		put(n, was)
	}
	for _, n := range logParameters {
		with(n, f.Values[n])
	}
	with("sort", string(f.Sort))
	rows := ""
	if f.Rows != 0 && f.Rows != pages.LogRows[1] {
		rows = strconv.Itoa(f.Rows)
	}
	with("rows", rows)
	columns := ""
	if !slices.Equal(f.Columns, pages.LogDefaultColumns) {
		columns = strings.Join(f.Columns, ",")
	}
	with("columns", columns)
	if !placed {
		put(name, value)
	}
	return b.String()
}

func logURL(f pages.LogForm, name, value string) string {
	return pages.LogURL + query(f, name, value)
}

// conditionLabel says a condition in words.
func conditionLabel(l i18n.Lang, known logChoices, name, value string) string {
	person := func(list []correction.Author) string {
		for _, a := range list {
			if a.Login == value {
				return a.Name
			}
		}
		return value
	}
	moment := strings.Replace(value, "T", " ", 1)
	switch name {
	case "from":
		return l.F("%s 起", "from %s", moment)
	case "to":
		return l.F("到 %s", "until %s", moment)
	case "sub_mchid":
		for _, m := range known.merchants {
			if m.SubMchID == value {
				return m.Name
			}
		}
		return l.F("商户号 %s", "merchant %s", value)
	case "service_id":
		for _, o := range known.Offerings {
			if o.ServiceID == value && o.Name != "" {
				return o.Name
			}
		}
		return l.F("服务 %s", "service %s", value)
	case "agent":
		return l.F("客服 %s", "agent %s", person(known.People))
	case "approver":
		return l.F("审批人 %s", "decided by %s", person(known.People))
	case "state":
		if value == string(changelog.AnyEffective) {
			return pages.Effective.In(l)
		}
		return i18n.StateWord(correction.State(value)).In(l)
	case "reduction_min":
		return l.F("少收 ≥ ¥%s", "reduction ≥ ¥%s", value)
	case "reduction_max":
		return l.F("少收 ≤ ¥%s", "reduction ≤ ¥%s", value)
	case "share_min":
		return l.F("降幅 ≥ %s%%", "share ≥ %s%%", value)
	case "share_max":
		return l.F("降幅 ≤ %s%%", "share ≤ %s%%", value)
	case "reason_code":
		if r, ok := correction.FindReason(known.reasons, value); ok {
			return l.F("原因 %s", "reason %s", l.T(r.ZH, r.EN))
		}
	case "out_order_no":
		return l.F("订单号 %s", "order %s", value)
	case "device":
		return l.F("设备 %s", "device %s", value)
	case "flag":
		return l.F("标记 %s", "flag %s", i18n.FlagName(value).In(l))
	case "review":
		return l.F("复核 %s", "review %s", i18n.ReviewWord(value).In(l))
	case "q":
		return l.F("“%s”", "“%s”", value)
	}
	return value
}

// conditionsInWords says the whole filter in one sentence, for the head of an export.
func conditionsInWords(l i18n.Lang, f pages.LogForm, known logChoices) string {
	var parts []string
	for _, name := range logParameters {
		if value := f.Values[name]; value != "" && f.Problems[name] == "" {
			parts = append(parts, conditionLabel(l, known, name, value))
		}
	}
	if len(parts) == 0 {
		return l.T("全部记录", "all corrections")
	}
	return strings.Join(parts, i18n.Mark(l, "；", "; "))
}
