package handlers_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// seeded is a source of randomness; TEST_SEED repeats a run.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if os.Getenv("CI") == "true" {
		seed = 1
	}
	if s, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 2))
}

// formulas are texts that a spreadsheet would run.
var formulas = []string{"=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "＋1", "－1", "＠x", `=HYPERLINK("http://x","y")`}

// manyCorrections puts n corrections of three agents into the record, prepared over some
// days, and returns when the first was prepared.
func manyCorrections(t *testing.T, a *apptest.App, n int) time.Time {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var bases []correction.Order
	for _, o := range simulator.Samples(time.Now()) {
		r, err := a.Service.Gateway.Query(ctx, correction.Ref{SubMchID: o.SubMchID, OutOrderNo: o.OutOrderNo})
		if err == nil && r.Order.Completed() && r.Order.Total > 2000 {
			bases = append(bases, r.Order)
		}
	}
	rng := rand.New(rand.NewPCG(7, 7))
	first := time.Date(2026, 11, 20, 15, 30, 0, 0, time.UTC) // half past eleven at night in Shanghai
	for i := range n {
		o := bases[i%len(bases)]
		o.OutOrderNo = fmt.Sprintf("LOG-%05d", i)
		at := first.Add(time.Duration(i) * 37 * time.Minute)
		reason := correction.DefaultReasons[i%len(correction.DefaultReasons)]
		req := correction.Request{SubMchID: o.SubMchID, ServiceID: o.ServiceID, Lines: o.Lines, Total: o.Total - correction.Fen(1+rng.IntN(int(o.Total))), Reason: "经核实设备计费异常"}
		if i%3 == 0 {
			req.Device.Start = fmt.Sprintf("XQ-%02d", i%7)
		}
		body := req.Body()
		_, hash := o.Snapshot()
		c := correction.Correction{
			Ref: correction.Ref{SubMchID: o.SubMchID, ServiceID: o.ServiceID, OutOrderNo: o.OutOrderNo}, Base: o, BaseSHA256: hash, Target: req.Total,
			Body: body, BodySHA256: sha256.Sum256(body), Reason: reason, Ticket: fmt.Sprintf("GD-%d", i), Note: formulas[i%len(formulas)] + " 备注,\"引\"\n第二行", AuthorID: int64(1 + i%3),
			PreparedAt: at, ConfirmUntil: at.Add(10 * time.Minute), ConfirmNonce: []byte(fmt.Sprintf("%016d", i)), SessionID: 1,
		}
		c.Reason.Outgoing = req.Reason
		c.ConfirmHash = sha256.Sum256([]byte(a.Service.Token(c)))
		c.Events = []correction.Event{{N: 1, State: correction.Prepared, At: at, ActorID: c.AuthorID, SessionID: 1}}
		id, err := a.Store.Prepare(ctx, c)
		must(err)
		if i%10 == 0 {
			continue
		}
		claimed := correction.Event{State: correction.Claimed, At: at.Add(time.Minute), ActorID: c.AuthorID}
		if i%4 == 1 {
			claimed.Detail.Flags = []correction.Flag{{Code: correction.FlagCodes[i%len(correction.FlagCodes)], Found: 600, Limit: 500}}
		}
		must(a.Store.Claim(ctx, id, c.Ref, claimed, nil))
		must(a.Store.MarkSending(ctx, id, correction.NewSigning(at), correction.Event{State: correction.Sending, At: at.Add(time.Minute)}, nil))
		final := []correction.State{correction.Applied, correction.Applied, correction.Rejected}[i%3]
		must(a.Store.Append(ctx, id, correction.Sending, 3, correction.Event{State: final, At: at.Add(2 * time.Minute), Detail: correction.Detail{RequestID: "08F7-" + strconv.Itoa(i)}}))
	}
	return first
}

var rowLink = regexp.MustCompile(`<td><a href="/corrections/(\d+)">`)
var olderLink = regexp.MustCompile(`href="([^"]*)" rel="next"`)

// idsOf pages through the log.
func idsOf(t *testing.T, c *apptest.Client, query string) []string {
	t.Helper()
	var ids []string
	for path := "/corrections?" + query; path != ""; {
		page := c.Get(path)
		if page.Status != http.StatusOK {
			t.Fatalf("%s: %d", path, page.Status)
		}
		for _, m := range rowLink.FindAllStringSubmatch(page.Body, -1) {
			ids = append(ids, m[1])
		}
		path = ""
		if m := olderLink.FindStringSubmatch(page.Body); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	return ids
}

// randomFilter makes up a query of conditions that make sense.
func randomFilter(rng *rand.Rand, first time.Time) url.Values {
	v := url.Values{}
	some := func(name string, values ...string) {
		if rng.IntN(6) == 0 {
			v.Set(name, values[rng.IntN(len(values))])
		}
	}
	day := func(n int) string {
		t := first.In(time.FixedZone("", 8*3600)).AddDate(0, 0, rng.IntN(n))
		return t.Format([]string{"2006-01-02", "2006-01-02T15:04", "2006-01-02 15:04"}[rng.IntN(3)])
	}
	if rng.IntN(4) == 0 {
		v.Set("from", day(2))
	}
	if rng.IntN(4) == 0 {
		v.Set("to", day(2)[:10])
	}
	if from := v.Get("from"); from != "" && v.Get("to") != "" && v.Get("to") < from[:10] {
		v.Del("to")
	}
	some("sub_mchid", bankMerchant, "1900022254", "1900000109")
	some("agent", "lin", "wu", "wang", "zhou")
	some("approver", "zhou", "qian")
	some("state", "applied", "in_force", "rejected", "expired", "unknown")
	some("reason_code", "timing", "other", "complaint")
	some("reduction_min", "1", "¥12.50", "０.5")
	some("reduction_max", "30", "99.99")
	some("share_min", "5", "12.5", "50%")
	some("share_max", "99", "80.5")
	some("device", "XQ-00", "XQ-03", "nothing")
	some("flag", correction.FlagCodes...)
	some("review", "none", "fine", "wrong")
	some("q", "备注", "GD-1", "设备", "没有这样的字", "林晓雯 备")
	some("out_order_no", "LOG-00007", "LOG-00012")
	some("sort", "reduction", "time")
	v.Set("rows", "25")
	return v
}

func TestExports_AreThePage(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	first := manyCorrections(t, a, 90)
	zhou := a.As("zhou")
	rng := seeded(t)
	found := 0
	for range 200 {
		query := randomFilter(rng, first).Encode()
		want := idsOf(t, zhou, query)
		found += len(want)
		file := zhou.Get("/corrections.jsonl?" + query)
		var got []string
		dec := json.NewDecoder(strings.NewReader(file.Body))
		last := map[string]any{}
		for {
			line := map[string]any{}
			if err := dec.Decode(&line); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			if line["kind"] == "correction" {
				got = append(got, strconv.Itoa(int(line["id"].(float64))))
			}
			last = line
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: exported %v, the page shows %v", query, got, want)
		}
		if last["kind"] != "end" || last["rows"] != float64(len(want)) {
			t.Errorf("%s: the end is %v, want %d rows", query, last, len(want))
		}
		records, err := csv.NewReader(strings.NewReader(zhou.Get("/corrections.csv?" + query).Body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range want {
			if records[i+1][0] != id {
				t.Errorf("%s: CSV row %d is %s, want %s", query, i, records[i+1][0], id)
			}
		}
	}
	if found < 500 {
		t.Errorf("only %d rows were compared", found)
	}
}

func TestExports_HoldNoFormula(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 24)
	zhou := a.As("zhou")
	res := zhou.Get("/corrections.xlsx")
	book, err := excelize.OpenReader(strings.NewReader(res.Body))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if got := book.GetSheetList(); !slices.Equal(got, []string{"改价记录", "说明"}) {
		t.Fatalf("sheets %q", got)
	}
	rows, err := book.GetRows("改价记录", excelize.Options{RawCellValue: true})
	if err != nil || len(rows) != 25 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	note, amount, when := slices.Index(rows[0], "内部备注"), slices.Index(rows[0], "原金额（元）"), slices.Index(rows[0], "时间")
	for i := range rows[1:] {
		for col := range rows[0] {
			cell, err := excelize.CoordinatesToCellName(col+1, i+2)
			if err != nil {
				t.Fatal(err)
			}
			if f, err := book.GetCellFormula("改价记录", cell); err != nil || f != "" {
				t.Errorf("%s is a formula: %q %v", cell, f, err)
			}
			kind, err := book.GetCellType("改价记录", cell)
			if err != nil {
				t.Fatal(err)
			}
			switch col {
			case note, when:
				if kind != excelize.CellTypeInlineString {
					t.Errorf("%s is of type %v", cell, kind)
				}
			case amount:
				if kind != excelize.CellTypeUnset && kind != excelize.CellTypeNumber {
					t.Errorf("%s is of type %v", cell, kind)
				}
			}
		}
		want := formulas[(23-i)%len(formulas)]
		if got := rows[i+1][note]; !strings.HasPrefix(got, strings.TrimSpace(want)) && !strings.HasPrefix(strings.TrimSpace(got), strings.TrimSpace(want)) {
			t.Errorf("row %d: the note is %q, want %q", i, got, want)
		}
		if !strings.HasSuffix(rows[i+1][when], "+08:00") {
			t.Errorf("the time is %q", rows[i+1][when])
		}
	}
	about, err := book.GetRows("说明")
	if err != nil || len(about) < 7 || about[1][1] != "全部记录" || about[3][1] != "Asia/Shanghai (+08:00)" || about[6][1] != "共 24 条" {
		t.Errorf("about: %q %v", about, err)
	}
	for _, bom := range []string{"", "?bom=1"} {
		body := zhou.Get("/corrections.csv" + bom).Body
		if got := strings.HasPrefix(body, "\ufeff"); got != (bom != "") {
			t.Errorf("%q: byte order mark %v", bom, got)
		}
		records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, record := range records[1:25] {
			for j, field := range record {
				if field != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(field)[0]) {
					t.Errorf("row %d, field %d is a formula: %q", i, j, field)
				}
			}
			if amount := record[amount]; strings.Trim(amount, "0123456789.") != "" || !strings.Contains(amount, ".") {
				t.Errorf("the amount is %q", amount)
			}
		}
	}
}

// A day is that of the configured zone: half past eleven at night is still the day.
func TestLog_DaysOfTheZone(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 3) // 23:30, 0:07 and 0:44 in Shanghai
	zhou := a.As("zhou")
	for query, want := range map[string]string{
		"from=2026-11-20&to=2026-11-20":             "1",
		"from=2026-11-21":                           "3 2",
		"to=2026-11-20":                             "1",
		"from=2026-11-20T23:30&to=2026-11-20T23:30": "1",
		"from=2026-11-20T23:31&to=2026-11-21T00:06": "",
		"from=2026-11-20T23:31&to=2026-11-21T00:07": "2",
		"from=2026-11-21T00:07:01":                  "3",
	} {
		if got := strings.Join(idsOf(t, zhou, query), " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if body := zhou.Get("/corrections.csv").Body; !strings.Contains(body, "2026-11-20 23:30:00+08:00") {
		t.Error("the offset is missing")
	}
}

func TestLog_KeepsWhatIsRightBesideWhatIsNot(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 12)
	zhou := a.As("zhou")
	good := "agent=lin&state=applied&reduction_min=0.5&q=" + url.QueryEscape("备注")
	want := idsOf(t, zhou, good)
	for bad, field := range map[string]string{
		"from=yesterday": "from", "from=2026-02-30": "from", "from=2026-11-23&to=2026-11-22": "to", "to=2026-11-23T25:00": "to",
		"sub_mchid=x": "sub_mchid", "service_id=x!": "service_id", "approver=nobody": "approver", "reason_code=x": "reason_code",
		"reduction_max=1,000": "reduction_max", "reduction_max=0.1": "reduction_max", "share_min=101": "share_min", "share_max=1.25": "share_max",
		"share_min=50&share_max=20": "share_max", "flag=x": "flag", "review=x": "review", "sort=x": "sort", "rows=51": "rows", "columns=x": "columns",
		"device=" + strings.Repeat("x", 51): "device", "out_order_no=%3Cx%3E": "out_order_no", "from=2026-11-23T14:30+08:00": "from",
	} {
		res := zhou.Get("/corrections?" + good + "&" + bad)
		if res.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", bad, res.Status)
			continue
		}
		for _, part := range []string{`href="#` + field + `"`, `id="` + field + `-problem"`, `<option value="lin" selected`, `<option value="applied" selected`, `value="0.5"`, `value="备注"`} {
			if field == "columns" && strings.HasPrefix(part, "id=") {
				part = `id="columns-problem"`
			}
			if !strings.Contains(res.Body, part) {
				t.Errorf("%s: no %s", bad, part)
			}
		}
		var got, lists []string
		for _, m := range rowLink.FindAllStringSubmatch(res.Body, -1) {
			got = append(got, m[1])
		}
		if field == "sort" || field == "rows" || field == "columns" { // no condition
			lists = want
		}
		if !slices.Equal(got, lists) {
			t.Errorf("%s: lists %v, want %v", bad, got, lists)
		}
		if strings.Contains(res.Body, "/corrections.csv") {
			t.Errorf("%s: offers an export of something else than what was asked", bad)
		}
		if export := zhou.Get("/corrections.csv?" + good + "&" + bad); export.Status != http.StatusSeeOther || zhou.Get(export.Location).Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: exports: %d %s", bad, export.Status, export.Location)
		}
	}
	for bad, says := range map[string]string{"stat=applied": "没有“stat”这个条件", "device=a&device=b": "同一个条件只能给一个值"} {
		res := zhou.Get("/corrections?" + good + "&" + bad)
		if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, says) || !strings.Contains(res.Body, `<option value="lin" selected`) {
			t.Errorf("%s: %d", bad, res.Status)
		}
		if rows := rowLink.FindAllString(res.Body, -1); len(rows) > 0 {
			t.Errorf("%s: lists %v", bad, rows)
		}
	}
}

var choice = regexp.MustCompile(`<select[^>]* name="([a-z_]+)"`)

// A condition with a fixed choice that is given another value lists nothing, in no page of
// the list, and is exported as nothing; so does each other condition that makes no sense.
func TestLog_NoFilterThatIsNotUnderstoodMeansEverything(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 12)
	bad := url.Values{}
	for _, m := range choice.FindAllStringSubmatch(a.As("zhou").Get("/corrections?more=1").Body, -1) {
		if m[1] != "sort" && m[1] != "rows" {
			bad[m[1]] = []string{"nonsense!", "APPLIED", "0", "全部", "none "}
		}
	}
	bad["review"] = slices.DeleteFunc(bad["review"], func(text string) bool { return text == "none " })
	bad["sub_mchid"], bad["service_id"] = []string{"nonsense!", "全部"}, []string{"nonsense!", "全部"} // others are numbers that find nothing
	for _, name := range []string{"agent", "approver", "state", "reason_code", "flag", "review", "sub_mchid", "service_id"} {
		if len(bad[name]) == 0 {
			t.Errorf("%s is no choice of the page", name)
		}
	}
	for name, values := range map[string][]string{
		"from": {"yesterday", "2026-13-01"}, "to": {"0"}, "reduction_min": {"a lot", "-1"}, "reduction_max": {"1,000"}, "share_min": {"half"}, "share_max": {"101"},
		"out_order_no": {"<x>"}, "device": {strings.Repeat("x", 51)}, "q": {strings.Repeat("x", 101)},
	} {
		bad[name] = values
	}
	for _, login := range []string{"zhou", "lin"} {
		c := a.As(login)
		for name, values := range bad {
			if login == "lin" && (name == "flag" || name == "agent") {
				continue // not on an agent's page
			}
			for _, text := range values {
				for _, place := range []string{"", "&before=9&rows=25", "&after=1&sort=reduction"} {
					query := url.Values{name: {text}}.Encode() + place
					res := c.Get("/corrections?" + query)
					if res.Status != http.StatusUnprocessableEntity || rowLink.MatchString(res.Body) || strings.Contains(res.Body, `class="pager"`) {
						t.Errorf("%s, %s: %d, lists %v", login, query, res.Status, rowLink.FindAllString(res.Body, -1))
					}
					if !strings.Contains(res.Body, "没有列出记录") || !strings.Contains(res.Body, `id="`+name+`-problem"`) {
						t.Errorf("%s, %s: the page does not say so", login, query)
					}
				}
				query := url.Values{name: {text}}.Encode()
				if res := c.Get("/corrections.csv?" + query); res.Status == http.StatusOK {
					t.Errorf("%s, %s: is exported", login, query)
				}
			}
		}
	}
}

func TestLog_SortsShowsColumnsAndTotals(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 60)
	zhou := a.As("zhou")
	page := zhou.Get("/corrections?rows=25&sort=reduction&columns=less,flags,device,confirmed,approver,ticket")
	for _, part := range []string{`aria-sort="descending"><a class="table__sort" href="/corrections?sort=reduction`, "共 60 条", "GD-", `<td class="code">XQ-0`, "rel=\"next\""} {
		if !strings.Contains(page.Body, part) {
			t.Errorf("no %s", part)
		}
	}
	if strings.Contains(page.Body, ">商户</th>") {
		t.Error("a column that was not chosen is shown")
	}
	// Back and forth between pages comes to the same rows.
	next := strings.ReplaceAll(olderLink.FindStringSubmatch(page.Body)[1], "&amp;", "&")
	second := zhou.Get(next)
	back := regexp.MustCompile(`href="([^"]*)" rel="prev"`).FindStringSubmatch(second.Body)
	if back == nil {
		t.Fatal("no way back")
	}
	again := zhou.Get(strings.ReplaceAll(back[1], "&amp;", "&"))
	if fmt.Sprint(rowLink.FindAllString(page.Body, -1)) != fmt.Sprint(rowLink.FindAllString(again.Body, -1)) {
		t.Error("back is another page")
	}
	// An agent sees their own only, whatever is asked.
	lin := a.As("lin")
	if got := idsOf(t, lin, "rows=100"); len(got) != 20 {
		t.Errorf("lin sees %d rows, want 20", len(got))
	}
	if got := idsOf(t, lin, "agent=wu"); len(got) != 0 {
		t.Errorf("lin sees %v of wu", got)
	}
	for _, path := range []string{"/corrections.csv", "/corrections.xlsx", "/corrections.jsonl", "/corrections/exports/0123456789abcdef"} {
		if res := lin.Get(path); res.Status != http.StatusForbidden {
			t.Errorf("an agent gets %s: %d", path, res.Status)
		}
	}
	if strings.Contains(lin.Get("/corrections").Body, "/corrections.xlsx") {
		t.Error("an agent is offered an export")
	}
}

func TestViews_OwnAndShared(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou, qian, lin := a.As("zhou"), a.As("qian"), a.As("lin")
	save := func(c *apptest.Client, name, query string, shared bool) apptest.Answer {
		v := url.Values{"name": {name}, "query": {query}}
		if shared {
			v.Set("shared", "1")
		}
		return c.Post("/corrections/views", v)
	}
	if res := save(zhou, "大额", "reduction_min=100&page=", false); res.Status != http.StatusUnprocessableEntity {
		t.Errorf("a filter that makes no sense was kept: %d", res.Status)
	}
	if res := save(zhou, "大额", "reduction_min=100&before=7", false); res.Status != http.StatusSeeOther || res.Location != "/corrections?reduction_min=100" {
		t.Errorf("%d %s", res.Status, res.Location)
	}
	if res := save(zhou, "大额", "reduction_min=1", false); res.Status != http.StatusConflict || !strings.Contains(res.Body, "同名") || !strings.Contains(res.Body, `value="大额"`) {
		t.Errorf("the same name twice: %d", res.Status)
	}
	if res := save(zhou, " ", "reduction_min=1", false); res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "view-name-problem") {
		t.Errorf("no name: %d", res.Status)
	}
	if res := save(qian, "已结清", "state=applied", true); res.Status != http.StatusSeeOther {
		t.Errorf("share: %d", res.Status)
	}
	if res := save(lin, "我的", "state=unknown", true); res.Status != http.StatusForbidden {
		t.Errorf("an agent shares: %d", res.Status)
	}
	list := zhou.Get("/corrections").Body
	if !strings.Contains(list, ">大额") || !strings.Contains(list, ">已结清") || !strings.Contains(list, "钱敏 共享") {
		t.Error("zhou does not see both views")
	}
	if other := qian.Get("/corrections").Body; strings.Contains(other, ">大额") {
		t.Error("a private view is shown to somebody else")
	}
	deletions := regexp.MustCompile(`/corrections/views/\d+/deletion`).FindAllString(list, -1)
	if len(deletions) != 1 {
		t.Fatalf("zhou may delete %v", deletions)
	}
	if res := qian.Post(deletions[0], url.Values{}); res.Status != http.StatusNotFound {
		t.Errorf("somebody else deletes it: %d", res.Status)
	}
	if res := zhou.Post(deletions[0], url.Values{"query": {"state=applied"}}); res.Status != http.StatusSeeOther || res.Location != "/corrections?state=applied" {
		t.Errorf("delete: %d %s", res.Status, res.Location)
	}
	if strings.Contains(zhou.Get("/corrections").Body, ">大额") {
		t.Error("a deleted view is still there")
	}
}

// A file that was cut off has no end, and the browser is told that it is not whole.
func TestExport_CutOffHasNoEnd(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 30)
	zhou := a.As("zhou")
	for _, format := range []string{"csv", "xlsx", "jsonl"} {
		a.Store.SetSigner(nil) // no checkpoint can be made: the export fails after its rows
		token := strings.Repeat("ab", 8) + fmt.Sprintf("%02x", len(format))
		req, err := http.NewRequest(http.MethodGet, a.URL+"/corrections."+format+"?token="+token, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := zhou.HTTP.Do(req)
		if err != nil {
			if format == "jsonl" { // its head has a checkpoint
				continue
			}
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil {
			t.Errorf("%s: the browser takes a cut file for whole", format)
		}
		if bytes.Contains(body, []byte("校验点")) || bytes.Contains(body, []byte(`"end"`)) || bytes.Contains(body, []byte("[Content_Types]")) {
			t.Errorf("%s: a cut file has an end", format)
		}
		status := zhou.Get("/corrections/exports/" + token)
		if status.Status != http.StatusOK || !strings.Contains(status.Body, `"state":"cut"`) {
			t.Errorf("%s: progress %d %s", format, status.Status, status.Body)
		}
		if other := a.As("qian").Get("/corrections/exports/" + token); other.Status != http.StatusNotFound {
			t.Errorf("somebody else's export: %d", other.Status)
		}
	}
}

// How far an export is can be asked with the token of its page, and its end is on record.
func TestExport_TellsHowFarItIs(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 30)
	zhou := a.As("zhou")
	const token = "0123456789abcdef"
	if res := zhou.Get("/corrections/exports/" + token); res.Status != http.StatusNotFound {
		t.Errorf("an export that there is not: %d", res.Status)
	}
	if res := zhou.Get("/corrections.csv?state=applied&token=" + token); res.Status != http.StatusOK {
		t.Fatal(res.Status)
	}
	var got struct {
		State, Text string
		Rows        int
	}
	if err := json.Unmarshal([]byte(zhou.Get("/corrections/exports/"+token).Body), &got); err != nil {
		t.Fatal(err)
	}
	if want := len(idsOf(t, zhou, "state=applied")); got.State != "done" || got.Rows != want || got.Text != fmt.Sprintf("导出完成，共 %d 条", want) {
		t.Errorf("%+v, want %d rows", got, want)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(a.Data, "console.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var begun, ended string
	if err := db.QueryRow(`SELECT (SELECT detail FROM audit WHERE action = 'export'), (SELECT detail FROM audit WHERE action = 'export.end')`).Scan(&begun, &ended); err != nil {
		t.Fatal(err)
	}
	if begun != "csv?state=applied" || ended != fmt.Sprintf("%d rows: csv?state=applied", got.Rows) {
		t.Errorf("on record: %q, %q", begun, ended)
	}
}
