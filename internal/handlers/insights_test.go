package handlers_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"html"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/insights"
)

// noon is noon of the day that lies n days from today.
func noon(a *apptest.App, n int) time.Time {
	return correction.AddDays(a.Service.DayStart(a.Clock.Now()), n).Add(12 * time.Hour)
}

// pastDay is that day as a parameter.
func pastDay(a *apptest.App, n int) string { return noon(a, n).Format(time.DateOnly) }

const otherMerchant, otherService = "1900021999", "500009"

// handMade puts a period of a few corrections on record, the days −10 to −8, with one
// correction of the period before and one after it.
func handMade(t *testing.T, a *apptest.App) {
	t.Helper()
	put := func(i int, day int, login string, base, target correction.Fen, way []correction.State, change func(*apptest.Past)) {
		p := apptest.Past{Login: login, Merchant: bankMerchant, Service: "500001", Order: fmt.Sprintf("IN_%04d", i), Base: base, Target: target, Reason: "timing", At: noon(a, day), States: way}
		if change != nil {
			change(&p)
		}
		a.Put(p)
	}
	settled := func(s correction.Settlement, after time.Duration) func(*apptest.Past) {
		return func(p *apptest.Past) { p.Settled, p.SettledAfter = s, after }
	}
	put(1, -10, "lin", 10000, 9000, apptest.WayApplied, settled(correction.PaidNew, 30*time.Minute)) // −10.00, 10 %
	put(2, -10, "lin", 10000, 5000, apptest.WayApplied, func(p *apptest.Past) {                      // −50.00, 50 %
		settled(correction.PaidNew, 2*time.Hour+59*time.Second)(p)
		p.Device = correction.Device{Start: "DEV-1", End: "DEV-2"}
	})
	put(3, -9, "wu", 2000, 0, apptest.WayApplied, func(p *apptest.Past) { // −20.00, to zero
		p.Review, p.Reason, p.Device = correction.ReviewWrong, "other", correction.Device{Start: "DEV-1", End: "DEV-1"}
	})
	put(4, -8, "wu", 8000, 4400, apptest.WayLate, func(p *apptest.Past) { // −36.00, 45 %
		settled(correction.PaidOld, time.Hour)(p)
		p.Merchant, p.Service = otherMerchant, otherService
	})
	put(5, -10, "lin", 9000, 100, apptest.WayDeclined, nil)
	put(6, -10, "lin", 9000, 100, apptest.WayDeclined, nil)
	put(7, -9, "lin", 9000, 100, apptest.WayUnknown, nil)
	put(8, -9, "wu", 9000, 100, apptest.WayConflict, nil)
	put(9, -9, "wu", 9000, 100, apptest.WayRejected, nil)
	put(10, -9, "wu", 9000, 100, apptest.WayNotApplied, nil)
	put(11, -8, "wu", 9000, 100, apptest.WayNotApplied, nil)
	put(12, -8, "wu", 9000, 100, apptest.WayNotSent, nil)
	put(13, -8, "wu", 9000, 100, nil, nil)                   // never confirmed
	put(14, -13, "wu", 1000, 500, apptest.WayApplied, nil)   // the first day of the period before
	put(15, -14, "wu", 7000, 500, apptest.WayApplied, nil)   // before that
	put(16, -7, "lin", 10000, 100, apptest.WayApplied, nil)  // after
	put(17, -11, "lin", 5000, 100, apptest.WayDeclined, nil) // the last day of the period before
}

// period is the page's query of the hand-made days.
func handMadePeriod(a *apptest.App) string {
	return "from=" + pastDay(a, -10) + "&to=" + pastDay(a, -8)
}

var (
	tilePattern = regexp.MustCompile(`(?s)<div class="tiles__item"><dt class="tiles__label">(.*?)</dt>(.*?)</div>`)
	tagPattern  = regexp.MustCompile(`<[^>]*>`)
	linkPattern = regexp.MustCompile(`<a href="(/corrections\?[^"]*)">([^<]*)</a>`)
)

// plain is the text of a piece of a page, blanks as one.
func plain(s string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tagPattern.ReplaceAllString(s, " "))), " ")
}

func tilesOf(body string) map[string]string {
	out := map[string]string{}
	for _, m := range tilePattern.FindAllStringSubmatch(body, -1) {
		out[plain(m[1])] = plain(m[2])
	}
	return out
}

func TestInsights_TilesOfHandMadeDays(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	handMade(t, a)
	res := a.As("zhou").Get("/insights?" + handMadePeriod(a))
	if res.Status != http.StatusOK {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	want := map[string]string{
		"改价笔数":       "4 前 3 天 1",
		"少收合计":       "−¥116.00 前 3 天 −¥5.00",
		"每笔中位数":      "−¥20.00 前 3 天 −¥5.00",
		"总降幅":        "−38.7% 前 3 天 −50.0% 每笔中位数 −45.0%",
		"降幅 50% 及以上": "2 前 3 天 1 占 50.0%",
		"改到 ¥0":      "1 前 3 天 0 占 25.0%",
		"审批未通过":      "2 前 3 天 1",
		"结果确认中":      "1 前 3 天 0 另有需人工核对 1",
		"没有改成":       "4 前 3 天 0 微信拒绝 1 ，未生效 2 ，未发出 1",
		"付清用时":       "30 分钟 前 3 天 — 2 笔已按新金额付清",
		"复核有误":       "1 前 3 天 0 占 25.0%",
		"客户仍付了旧金额":   "1 前 3 天 0 要退差价 ¥36.00",
	}
	if got := tilesOf(res.Body); !reflect.DeepEqual(got, want) {
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: got %q, want %q", k, got[k], v)
			}
		}
		t.Errorf("%d tiles, want %d", len(got), len(want))
	}
	for _, words := range []string{"DEV-1", "按天", "按客服", "按设备", `role="img"`, "<title>"} {
		if !strings.Contains(res.Body, words) {
			t.Errorf("the page has no %q", words)
		}
	}
}

// logFilterOf reads the filter of the change log as its parameters are agreed on.
func logFilterOf(t *testing.T, a *apptest.App, v url.Values) changelog.LogFilter {
	t.Helper()
	var f changelog.LogFilter
	for name, values := range v {
		value := values[0]
		day := func() time.Time {
			d, err := time.ParseInLocation(time.DateOnly, value, a.Service.Zone)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		switch name {
		case "from":
			f.From = day()
		case "to":
			f.To = correction.AddDays(day(), 1)
		case "agent":
			f.Agent = value
		case "reason_code":
			f.ReasonCode = value
		case "sub_mchid":
			f.SubMchID = value
		case "service_id":
			f.ServiceID = value
		case "device":
			f.Device = value
		case "state":
			f.State = correction.State(value)
		case "review":
			f.Review = value
		case "share_min":
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			n *= 10
			f.MinPermille = &n
		case "sort":
		default:
			t.Fatalf("the change log has no parameter %q", name)
		}
	}
	return f
}

// followLinks counts the corrections behind every number of the page that is a link.
func followLinks(t *testing.T, a *apptest.App, login, query string) (followed int) {
	t.Helper()
	browser := a.As(login)
	res := browser.Get("/insights?" + query)
	if res.Status != http.StatusOK {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	u, err := a.Store.UserByName(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	scope := u.Scope
	seen := map[string]int{}
	for _, m := range linkPattern.FindAllStringSubmatch(res.Body, -1) {
		n, err := strconv.Atoi(strings.ReplaceAll(m[2], ",", ""))
		if err != nil || len(m[2]) > 5 {
			continue // a sum, a share or a name
		}
		address := html.UnescapeString(m[1])
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		rows, known := seen[address]
		if !known {
			f := logFilterOf(t, a, u.Query())
			f.Scope = scope
			err := a.Store.Export(t.Context(), f, changelog.ByTime, func(portion []correction.Summary) error { rows += len(portion); return nil })
			if err != nil {
				t.Fatal(err)
			}
			seen[address] = rows
		}
		if !known {
			file := browser.Get(strings.Replace(address, "/corrections?", "/corrections.csv?", 1))
			if file.Status != http.StatusOK || !strings.Contains(file.Body, fmt.Sprintf("共 %d 条", n)) {
				t.Errorf("%s says %d, and the export over HTTP is %d: %.3000s", address, n, file.Status, file.Body)
			}
		}
		if rows != n {
			t.Errorf("%s says %d and leads to %d corrections", address, n, rows)
		}
		followed++
	}
	return followed
}

func TestInsights_LinksLeadToWhatTheNumbersCount(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	handMade(t, a)
	seed := uint64(11)
	chance := rand.New(rand.NewPCG(seed, seed))
	ways := [][]correction.State{apptest.WayApplied, apptest.WayApplied, apptest.WayApplied, apptest.WayLate, apptest.WayDeclined, apptest.WayUnknown, apptest.WayConflict, apptest.WayRejected, apptest.WayNotApplied, apptest.WayNotSent, nil}
	for i := range 150 {
		p := apptest.Past{
			Login: []string{"lin", "wu", "zhou"}[chance.IntN(3)], Merchant: []string{bankMerchant, otherMerchant}[chance.IntN(2)], Service: []string{"500001", otherService}[chance.IntN(2)],
			Order: fmt.Sprintf("RND_%04d", i), Base: correction.Fen(2 * (1 + chance.IntN(40))), Reason: []string{"timing", "other", "complaint"}[chance.IntN(3)],
			At: noon(a, -20+chance.IntN(18)).Add(time.Duration(chance.IntN(24*60)-12*60) * time.Minute), States: ways[chance.IntN(len(ways))],
		}
		p.Target = correction.Fen(chance.IntN(int(p.Base)))
		if chance.IntN(5) == 0 {
			p.Target = 0
		}
		if chance.IntN(3) == 0 {
			p.Target = p.Base / 2 // the share is exactly a half
		}
		if chance.IntN(2) == 0 {
			p.Device = correction.Device{Start: fmt.Sprint("D-", chance.IntN(30)), End: fmt.Sprint("D-", chance.IntN(30))}
		}
		if n := len(p.States); n > 0 && p.States[n-1].Effective() && chance.IntN(4) == 0 {
			p.Review = []correction.ReviewMark{correction.ReviewWrong, correction.ReviewFine}[chance.IntN(2)]
		}
		a.Put(p)
	}
	for _, query := range []string{
		handMadePeriod(a), "", "from=" + pastDay(a, -18) + "&to=" + pastDay(a, -3), "from=" + pastDay(a, -70) + "&to=" + pastDay(a, 0), "from=" + pastDay(a, -365) + "&to=" + pastDay(a, -10),
	} {
		for _, login := range []string{"zhou", "shen"} {
			if n := followLinks(t, a, login, query); n < 10 {
				t.Errorf("%q as %s: only %d numbers are links", query, login, n)
			}
		}
	}
}

func TestInsights_CountOnlyMerchantsInScope(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	handMade(t, a)
	a.AddPerson("sun", "孙一鸣", correction.Supervisor, otherMerchant)
	res := a.As("sun").Get("/insights?" + handMadePeriod(a))
	if got := tilesOf(res.Body); got["改价笔数"] != "1 前 3 天 0" || got["少收合计"] != "−¥36.00 前 3 天 ¥0.00" || got["审批未通过"] != "0 前 3 天 0" {
		t.Errorf("tiles of one merchant: %v", got)
	}
	if strings.Contains(res.Body, "林晓雯") || strings.Contains(res.Body, "DEV-1") || !strings.Contains(res.Body, "只含你负责的商户") {
		t.Error("the page of one merchant tells of others, or does not say so")
	}
	if n := followLinks(t, a, "sun", handMadePeriod(a)); n < 5 {
		t.Errorf("only %d numbers are links", n)
	}
	file := a.As("sun").Get("/insights.csv?" + handMadePeriod(a))
	if strings.Contains(file.Body, "DEV-1") || strings.Contains(file.Body, "116.00") {
		t.Errorf("the file of one merchant tells of others:\n%s", file.Body)
	}
}

func TestInsights_PeriodsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou := a.As("zhou")
	for _, c := range []struct{ query, field, words, kept string }{
		{"from=yesterday&to=" + pastDay(a, -1), "from", "填成 2026-11-23 这样的日期", pastDay(a, -1)},
		{"from=2026-02-31&to=2026-03-05", "from", "填成 2026-11-23 这样的日期", "2026-03-05"},
		{"from=" + pastDay(a, -3) + "&to=23.11.2026", "to", "填成 2026-11-23 这样的日期", pastDay(a, -3)},
		{"from=" + pastDay(a, -3) + "&to=" + pastDay(a, 1), "to", "这一天还没到", pastDay(a, -3)},
		{"from=" + pastDay(a, 2), "from", "这一天还没到", pastDay(a, 2)},
		{"from=" + pastDay(a, -3) + "&to=" + pastDay(a, -4), "to", "结束日期不能早于开始日期", pastDay(a, -3)},
		{"from=" + pastDay(a, -366) + "&to=" + pastDay(a, 0), "from", "一次最多看 366 天", pastDay(a, -366)},
		{"from=0001-01-01", "from", "填成 2026-11-23 这样的日期", "0001-01-01"},
		{"from=%3Cscript%3E", "from", "填成 2026-11-23 这样的日期", "&lt;script&gt;"},
	} {
		res := zhou.Get("/insights?" + c.query)
		if res.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d, want 422", c.query, res.Status)
		}
		for _, want := range []string{c.words, `aria-describedby="` + c.field + `-problem"`, `href="#` + c.field + `"`, `value="` + c.kept + `"`, "1 个问题"} {
			if !strings.Contains(res.Body, want) {
				t.Errorf("%s: the page has no %q", c.query, want)
			}
		}
		if strings.Contains(res.Body, "tiles__item") {
			t.Errorf("%s: figures of a period that nobody asked for", c.query)
		}
		if file := zhou.Get("/insights.csv?" + c.query); file.Status != http.StatusSeeOther || !strings.HasPrefix(file.Location, "/insights?") {
			t.Errorf("%s: the file answers %d → %s", c.query, file.Status, file.Location)
		}
	}
	for query, days := range map[string]string{
		"": "7 天", "from=" + pastDay(a, -365): "366 天", "to=" + pastDay(a, -20): "7 天", "from=" + pastDay(a, 0) + "&to=" + pastDay(a, 0): "1 天",
	} {
		res := zhou.Get("/insights?" + query)
		if res.Status != http.StatusOK || !strings.Contains(res.Body, days) || !strings.Contains(res.Body, "这段时间没有改价") {
			t.Errorf("%q: %d, no %q or not empty", query, res.Status, days)
		}
	}
}

// A day begins at midnight of the configured zone.
func TestInsights_DaysBeginAtMidnightOfTheZone(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	day := a.Service.DayStart(noon(a, -5))
	for i, at := range []time.Time{day.Add(-time.Millisecond), day, day.Add(24*time.Hour - time.Millisecond), day.Add(24 * time.Hour)} {
		a.Put(apptest.Past{Login: "lin", Merchant: bankMerchant, Service: "500001", Order: fmt.Sprint("MID_", i), Base: 1000, Target: 900, Reason: "timing", At: at, States: apptest.WayApplied})
	}
	for n, want := range map[int]string{-6: "1 前一天 0", -5: "2 前一天 1", -4: "1 前一天 2"} {
		query := "from=" + pastDay(a, n) + "&to=" + pastDay(a, n)
		if got := tilesOf(a.As("zhou").Get("/insights?" + query).Body)["改价笔数"]; got != want {
			t.Errorf("day %d: %q, want %q", n, got, want)
		}
		followLinks(t, a, "zhou", query)
	}
}

// The file has the figures of the page, says for which days, and no cell is a formula.
func TestInsights_FileEqualsThePage(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	handMade(t, a)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a.AddPerson("evil", `=HYPERLINK("http://x")`, correction.Agent)
	a.Put(apptest.Past{Login: "evil", Merchant: otherMerchant, Service: otherService, Order: "EVIL_1", Base: 3000, Target: 1000, Reason: "timing", Device: correction.Device{Start: "+1+1", End: "@x"}, At: noon(a, -9), States: apptest.WayApplied})
	u, err := a.Store.UserByName(t.Context(), "zhou")
	must(err)
	day := a.Service.DayStart(noon(a, -10))
	in, err := a.Web.Insights.Insights(context.Background(), correction.Actor{UserID: u.ID, Role: u.Role, Scope: u.Scope}, day, correction.AddDays(day, 3))
	must(err)
	res := a.As("zhou").Get("/insights.csv?" + handMadePeriod(a))
	if res.Status != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/csv") || !strings.Contains(res.Header.Get("Content-Disposition"), "insights-"+pastDay(a, -10)) {
		t.Fatalf("%d %v", res.Status, res.Header)
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(res.Body, "\ufeff")))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	must(err)
	if head := strings.Join(rows[0], " "); !strings.Contains(head, pastDay(a, -10)+" 至 "+pastDay(a, -8)) || !strings.Contains(head, "Asia/Shanghai") {
		t.Errorf("the head is %q", head)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("the cell %q is a formula", cell)
			}
		}
	}
	column := map[string]int{}
	for i, name := range rows[1] {
		column[name] = i
	}
	same := func(what string, row []string, f insights.Figures) {
		t.Helper()
		for name, want := range map[string]string{
			"改价笔数": strconv.Itoa(f.Count), "少收合计（元）": f.Sum.Yuan(), "原金额合计（元）": f.Base.Yuan(), "改到 0 元": strconv.Itoa(f.Zeroed), "复核有误": strconv.Itoa(f.Wrong),
			"审批未通过": strconv.Itoa(f.Declined), "结果确认中": strconv.Itoa(f.Unknown), "需人工核对": strconv.Itoa(f.Conflicts), "微信拒绝": strconv.Itoa(f.Rejected),
			"未生效": strconv.Itoa(f.NotApplied), "未发出": strconv.Itoa(f.NotSent), "仍付了旧金额": strconv.Itoa(f.PaidOld), "要退差价（元）": f.PaidOldSum.Yuan(), "已按新金额付清": strconv.Itoa(f.Settled),
		} {
			if got := row[column[name]]; got != want {
				t.Errorf("%s, %s: %q, want %q", what, name, got, want)
			}
		}
		if f.Count > 0 && row[column["每笔中位数（元）"]] != f.Median.Yuan() {
			t.Errorf("%s: the median is %q", what, row[column["每笔中位数（元）"]])
		}
	}
	same("total", rows[2], in.Total)
	same("before", rows[3], in.Prior)
	next := 4
	for _, s := range in.Stretches {
		same("day", rows[next], s.Figures)
		next++
	}
	for _, groups := range [][]insights.Group{in.Agents, in.Reasons, in.Merchants, in.Services, in.Devices} {
		for _, g := range groups {
			same(g.Key, rows[next], g.Figures)
			next++
		}
	}
	end := rows[next]
	if next != len(rows)-1 || end[0] != "校验点" || end[1] != fmt.Sprintf("共 %d 条", next-2) || end[2] == "" {
		t.Errorf("%d rows, the last one %q", len(rows), end)
	}
	page := tilesOf(a.As("zhou").Get("/insights?" + handMadePeriod(a)).Body)
	if want := strconv.Itoa(in.Total.Count) + " 前 3 天"; !strings.HasPrefix(page["改价笔数"], want) {
		t.Errorf("the page says %q, the file %d", page["改价笔数"], in.Total.Count)
	}
}
