package handlers_test

import (
	"archive/zip"
	"context"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// The amounts of these tests in all their spellings, and nothing else that looks alike.
const (
	veilBase   correction.Fen = 200_000_000
	veilTarget correction.Fen = 123_456_789
)

var veilSpellings = []string{"1234567.89", "1,234,567.89", "123456789", "765432.11", "765,432.11", "76543211", "百二十三万", "38.3%", "61.7%", ",38.3,", "permille\":383", ">38.3<"}

// blindTier is a top tier from ¥500, agents who may give up nothing alone, and services
// without a cap.
func blindTier(t *testing.T, a *apptest.App) {
	t.Helper()
	services, err := a.Store.Offerings(context.Background())
	must(t, err)
	for _, s := range services {
		s.Cap = 0
		must(t, a.Store.PutOffering(context.Background(), s))
	}
	zero := correction.Fen(0)
	a.AgentLimit(correction.Limit{Per: &zero})
	a.Setting(correction.SettingTiers, []correction.Tier{{From: 0}, {From: 50000}})
}

// proposeLoudly prepares a correction whose texts quote the amount wherever they can.
func proposeLoudly(t *testing.T, a *apptest.App, by correction.Actor, ref correction.Ref) correction.Correction {
	t.Helper()
	ctx := context.Background()
	opened, err := a.Service.OpenForm(ctx, by, ref)
	must(t, err)
	f := correction.FormOf(opened.Order, opened.Device)
	f.Lines[0].Amount, f.Lines[0].Description = "1234567.89", "三天，共1234567.89元"
	f.ReasonCode, f.Reason, f.Base = "timing", "已改为１２３４５６７.89元，少收￥765,432.11。", hex.EncodeToString(opened.Base[:])
	f.Note = "客户同意付 ¥1,234,567.89（123456789 分），即一百二十三万元左右，降 38.3%，原来 3 天。"
	f.Ticket = "T-123456789"
	r, err := a.Service.Prepare(ctx, by, ref, f, 0)
	if err != nil {
		t.Fatalf("prepare: %v %+v", err, r.Checked.Problems)
	}
	return a.Record(r.ID)
}

var hrefs = regexp.MustCompile(`(?:href|action|formaction|data-url)="(/[^"]*)"`)

// crawl opens every page of the console that the person can come to, and these, and gives
// each answer to look.
func crawl(c *apptest.Client, first []string, look func(path string, a apptest.Answer)) int {
	queue, seen := slices.Clone(first), map[string]bool{}
	for len(queue) > 0 && len(seen) < 260 {
		path := html.UnescapeString(queue[0])
		queue = queue[1:]
		path, _, _ = strings.Cut(path, "#")
		if path == "" || seen[path] || strings.HasPrefix(path, "/static") || strings.HasSuffix(path, "/logout") {
			continue
		}
		seen[path] = true
		a := c.Get(path)
		look(path, a)
		if a.Location != "" {
			queue = append(queue, a.Location)
		}
		if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			for _, m := range hrefs.FindAllStringSubmatch(a.Body, -1) {
				queue = append(queue, m[1])
			}
		}
	}
	return len(seen)
}

// readable is an answer as text: the parts of a spreadsheet unpacked.
func readable(t *testing.T, a apptest.Answer) string {
	if !strings.Contains(a.Header.Get("Content-Type"), "spreadsheet") {
		return html.UnescapeString(a.Body)
	}
	z, err := zip.NewReader(strings.NewReader(a.Body), int64(len(a.Body)))
	must(t, err)
	var b strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		io.Copy(&b, r)
		r.Close()
	}
	return b.String()
}

// Whoever may decide about a correction of the top tier sees its amount on no page, in no
// export, no address and no header until somebody has decided; everybody else does.
func TestVeil_TheAmountIsNowhere(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	blindTier(t, a)
	ctx := context.Background()
	lin := a.Who("lin")
	ref := a.Order("VEIL-1", veilBase)
	first := proposeLoudly(t, a, lin, ref) // taken back, and asked for again
	must(t, a.Service.Withdraw(ctx, lin, first.ID))
	c := proposeLoudly(t, a, lin, ref)
	zhou := a.As("zhou")

	id, sub := fmt.Sprint(c.ID), "1900022254"
	order := "/orders/" + sub + "/VEIL-1"
	day := a.Service.DayName(a.Clock.Now())
	columns := "&columns=" + strings.Join([]string{"id", "time", "was", "now", "less", "share", "state", "ticket", "device", "flags", "review"}, ",")
	pages := []string{"/", "/corrections/" + id, fmt.Sprintf("/corrections/%d", first.ID), "/corrections/" + id + "/proof", order, order + "/correction", order + "/correction?from=" + id, fmt.Sprintf("%s/correction?from=%d", order, first.ID),
		"/approvals", "/approvals?id=" + id, "/review?tab=plain", "/review", "/review/days/" + day, "/insights", "/insights.csv?from=" + day + "&to=" + day,
		"/corrections?sort=reduction&more=1" + columns, "/corrections?sort=reduction&before=999&edge=76543212", "/corrections?q=VEIL",
		"/corrections?reduction_min=1", "/corrections?reduction_max=99999999", "/corrections?share_min=1", "/corrections?out_order_no=VEIL-1&sort=reduction",
		"/corrections.csv", "/corrections.csv?bom=1&sort=reduction", "/corrections.jsonl", "/corrections.xlsx?sort=reduction"}
	secret := append(slices.Clone(veilSpellings), hex.EncodeToString(c.BodySHA256[:6]), hex.EncodeToString(first.BodySHA256[:6]))
	check := func(stage string) {
		t.Helper()
		hidden := 0
		n := crawl(zhou, pages, func(path string, res apptest.Answer) {
			text := readable(t, res)
			for _, s := range secret {
				if at := strings.Index(text, s); at >= 0 && !strings.Contains(path, "=76543212") {
					t.Errorf("%s: %s shows %q: …%s…", stage, path, s, text[max(0, at-80):min(len(text), at+40)])
				}
			}
			for name, values := range res.Header {
				for _, s := range veilSpellings[:6] {
					if strings.Contains(strings.Join(values, " "), s) {
						t.Errorf("%s: %s: header %s: %v", stage, path, name, values)
					}
				}
			}
			if strings.Contains(text, "金额不显示") {
				hidden++
			}
			if res.Status >= 500 {
				t.Errorf("%s: %s: %d", stage, path, res.Status)
			}
		})
		if n < 60 || hidden < 8 {
			t.Errorf("%s: %d pages, %d of them say that the amount is hidden", stage, n, hidden)
		}
		for _, name := range []string{id, fmt.Sprint(first.ID)} {
			if res := zhou.Get("/corrections/" + name + "/proof"); res.Status != http.StatusForbidden {
				t.Errorf("%s: the proof of %s: %d", stage, name, res.Status)
			}
		}
		for _, who := range []string{"lin", "shen"} {
			if page := a.As(who).Get("/corrections/" + id); !strings.Contains(page.Body, "¥1,234,567.89") {
				t.Errorf("%s: %s does not see the amount", stage, who)
			}
		}
		if export := a.As("shen").Get("/corrections.csv"); !strings.Contains(export.Body, "1234567.89") {
			t.Errorf("%s: the auditor's export lacks the amount", stage)
		}
	}
	check("to confirm")
	must(t, a.Confirm(lin, c))
	check("awaiting approval")

	// Tiers that are edited now do not lift the veil.
	a.Setting(correction.SettingTiers, []correction.Tier{{From: 0}})
	if page := zhou.Get("/corrections/" + id); strings.Contains(page.Body, "1,234,567.89") {
		t.Error("an edit of the tiers lifted the veil")
	}
	if err := a.Service.Approve(ctx, a.Who("zhou"), c.ID, "", ""); correction.CodeOf(err) != correction.CodeTypedTotal {
		t.Errorf("approved without the total, since the tiers were edited: %v", err)
	}

	must(t, a.Service.Approve(ctx, a.Who("qian"), c.ID, "", "1234567.89"))
	page := zhou.Get("/corrections/" + id)
	if !strings.Contains(page.Body, "¥1,234,567.89") || !strings.Contains(page.Body, "审批页没有显示这个金额") || strings.Contains(page.Body, "没有看申请的金额") {
		t.Errorf("after the decision:\n%s", page.Body)
	}
	if res := zhou.Get("/corrections/" + id + "/proof"); res.Status != http.StatusOK {
		t.Errorf("the proof after the decision: %d", res.Status)
	}
	if export := zhou.Get("/corrections.csv"); !strings.Contains(export.Body, "1234567.89") {
		t.Error("the export after the decision lacks the amount")
	}
}

// Neither filters by amount, nor their counts, nor words, nor the order, nor addresses of
// pages tell a veiled amount; pages, counts and exports agree on what is selected.
func TestVeil_ProbingTellsNothing(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	blindTier(t, a)
	ctx := context.Background()
	lin, zhou := a.Who("lin"), a.Who("zhou")
	for i := range 5 {
		c := a.Propose(lin, a.Order(fmt.Sprintf("PLAIN-%d", i), 100000), correction.Fen(100000-1000*(i+1)))
		must(t, a.Confirm(lin, c))
	}
	var veiled []int64
	for i := range 3 {
		c := proposeLoudly(t, a, lin, a.Order(fmt.Sprintf("VEIL-%d", i), veilBase))
		if i > 0 {
			must(t, a.Confirm(lin, c))
		}
		veiled = append(veiled, c.ID)
	}
	export := func(f changelog.LogFilter, sort changelog.LogSort) (ids []int64) {
		must(t, a.Web.ChangeLog.ExportLog(ctx, zhou, f, sort, changelog.Sink{Begin: func() error { return nil }, End: func(int) error { return nil }, Close: func(int, error) {},
			Row: func(r correction.Summary) error {
				ids = append(ids, r.ID)
				if slices.Contains(veiled, r.ID) != r.Veiled() {
					t.Errorf("row %d is veiled: %v", r.ID, r.Veiled())
				}
				return nil
			}}))
		return ids
	}
	pages := func(f changelog.LogFilter, sort changelog.LogSort) (ids []int64) {
		p := changelog.Page{Sort: sort, Limit: 2}
		for {
			rows, more, err := a.Web.ChangeLog.List(ctx, zhou, f, p)
			must(t, err)
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
			if !more {
				break
			}
			last := rows[len(rows)-1]
			p.Before, p.Edge = last.ID, max(0, last.Reduction())
		}
		// And back again.
		var back []int64
		if len(ids) > 0 {
			rows, _, err := a.Web.ChangeLog.List(ctx, zhou, f, changelog.Page{Sort: sort, Limit: 100})
			must(t, err)
			last := rows[len(rows)-1]
			p = changelog.Page{Sort: sort, Limit: 2, After: last.ID, Edge: max(0, last.Reduction())}
			back = []int64{last.ID}
			for {
				rows, more, err := a.Web.ChangeLog.List(ctx, zhou, f, p)
				must(t, err)
				for _, r := range slices.Backward(rows) {
					back = append([]int64{r.ID}, back...)
				}
				if !more || len(rows) == 0 {
					break
				}
				p.After, p.Edge = rows[0].ID, max(0, rows[0].Reduction())
			}
			if !slices.Equal(ids, back) {
				t.Errorf("%+v: forth %v, back %v", f, ids, back)
			}
		}
		return ids
	}
	has := func(ids []int64) bool {
		return slices.ContainsFunc(ids, func(id int64) bool { return slices.Contains(veiled, id) })
	}
	permille := func(n int) *int { return &n }
	filters := map[string]changelog.LogFilter{"none": {}, "order": {OutOrderNo: "VEIL-1"}, "state": {State: correction.Awaiting}, "author": {AuthorID: lin.UserID},
		"word": {Text: "VEIL"}, "author's name": {Text: "林晓雯"}, "word and state": {Text: "VEIL", State: correction.Awaiting}}
	amounts := map[string]changelog.LogFilter{"share": {MinPermille: permille(380), MaxPermille: permille(390)}, "all shares": {MinPermille: permille(0)}}
	for _, d := range []correction.Fen{-1, 0, 1} {
		amounts[fmt.Sprintf("least %d", d)] = changelog.LogFilter{MinReduction: fen(veilBase - veilTarget + d)}
		amounts[fmt.Sprintf("most %d", d)] = changelog.LogFilter{MaxReduction: fen(veilBase - veilTarget + d)}
		amounts[fmt.Sprintf("just %d", d)] = changelog.LogFilter{MinReduction: fen(veilBase - veilTarget + d), MaxReduction: fen(veilBase - veilTarget + d)}
		amounts[fmt.Sprintf("order, least %d", d)] = changelog.LogFilter{OutOrderNo: "VEIL-1", MinReduction: fen(veilBase - veilTarget + d)}
		amounts[fmt.Sprintf("word, most %d", d)] = changelog.LogFilter{Text: "VEIL", MaxReduction: fen(veilBase - veilTarget + d)}
	}
	for _, word := range []string{"1234567.89", "1,234,567.89", "123456789", "1234", "765,432.11", "38.3", "3456", "百二十三万"} {
		amounts["word "+word] = changelog.LogFilter{Text: word}
	}
	for _, list := range []map[string]changelog.LogFilter{filters, amounts} {
		for name, f := range list {
			for _, sort := range []changelog.LogSort{changelog.ByTime, changelog.ByReduction} {
				all, paged := export(f, sort), pages(f, sort)
				n, _, err := a.Web.ChangeLog.CountLog(ctx, zhou, f)
				must(t, err)
				if !slices.Equal(all, paged) || n != len(all) {
					t.Errorf("%s by %q: exported %v, paged %v, counted %d", name, sort, all, paged, n)
				}
				if _, plain := filters[name]; plain != has(all) {
					t.Errorf("%s by %q: veiled rows among %v: %v", name, sort, all, has(all))
				}
				if sort == changelog.ByReduction && has(all) {
					first := slices.IndexFunc(all, func(id int64) bool { return slices.Contains(veiled, id) })
					if has(all[:first]) || slices.ContainsFunc(all[first:], func(id int64) bool { return !slices.Contains(veiled, id) }) {
						t.Errorf("%s: veiled rows do not come last: %v", name, all)
					}
				}
			}
		}
	}
	// The auditor finds them by amount.
	if n, _, err := a.Web.ChangeLog.CountLog(ctx, a.Who("shen"), amounts["just 0"]); err != nil || n != len(veiled) {
		t.Errorf("the auditor finds %d, %v", n, err)
	}
	// Nobody is told by their own limit, which they could edit again and again.
	c := a.Record(veiled[1])
	var told []string
	for _, per := range []correction.Fen{veilBase - veilTarget - 1, veilBase - veilTarget, veilBase} {
		zero := correction.Fen(0)
		a.Setting(correction.SettingLimits, correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {Per: &zero}}, People: map[string]correction.Limit{fmt.Sprint(zhou.UserID): {Per: fen(per)}}})
		j, err := a.Service.Judge(ctx, zhou, c)
		must(t, err)
		told = append(told, fmt.Sprint(j.May, j.Approve, j.Why))
		if per == veilBase-veilTarget-1 {
			if err := a.Service.Approve(ctx, zhou, c.ID, "", "1234567.89"); correction.CodeOf(err) != correction.CodeOverOwnLimit {
				t.Errorf("approved above the own limit: %v", err)
			}
		}
	}
	if told[0] != told[1] || told[1] != told[2] {
		t.Errorf("the limit tells: %v", told)
	}
}

// After three wrong totals, however many are tried at the same moment, that person decides
// nothing about this correction; another one does, and the record says who tried.
func TestVeil_ThreeWrongTotals(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	blindTier(t, a)
	ctx := context.Background()
	lin, zhou := a.Who("lin"), a.Who("zhou")
	c := proposeLoudly(t, a, lin, a.Order("VEIL-1", veilBase))
	must(t, a.Confirm(lin, c))
	hash := hex.EncodeToString(c.BodySHA256[:])
	for _, typed := range []string{"", "abc", "1.234"} { // tell nothing, and count for nothing
		for _, h := range []string{hash, strings.Repeat("0", 64)} {
			if err := a.Service.Approve(ctx, zhou, c.ID, h, typed); correction.CodeOf(err) != correction.CodeTypedTotal {
				t.Errorf("typed %q with hash %s…: %v", typed, h[:4], err)
			}
		}
	}
	if list, err := a.Store.Tries(ctx, c.ID); err != nil || len(list) != 0 {
		t.Errorf("what is no amount counts: %+v, %v", list, err)
	}
	page := a.As("zhou")
	path := fmt.Sprintf("/corrections/%d", c.ID)
	res := page.Post(path+"/approval", url.Values{"typed_total": {"1.00"}})
	if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, "还能输入 2 次") {
		t.Errorf("the first wrong total: %d\n%s", res.Status, res.Body)
	}
	var wrong, used sync.Map
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			switch err := a.Service.Approve(ctx, zhou, c.ID, "", correction.Fen(200+i).Yuan()); correction.CodeOf(err) {
			case correction.CodeTypedTotal:
				wrong.Store(i, true)
			case correction.CodeTriesUsed:
				used.Store(i, true)
			default:
				t.Errorf("try %d: %v", i, err)
			}
		})
	}
	all.Wait()
	count := func(m *sync.Map) (n int) {
		m.Range(func(any, any) bool { n++; return true })
		return n
	}
	if count(&wrong) != 2 || count(&used) != 10 {
		t.Errorf("%d totals were compared, %d refused", count(&wrong), count(&used))
	}
	if list, err := a.Store.Tries(ctx, c.ID); err != nil || len(list) != 1 || list[0].Wrong != correction.MaxTries || list[0].Name != "周启明" {
		t.Errorf("on record: %+v, %v", list, err)
	}
	// Not even the right total, nor a refusal; the schema says so, too.
	for name, form := range map[string]url.Values{"approval": {"typed_total": {"1234567.89"}}, "decline": {"text": {"不同意"}}, "return": {"text": {"改一下"}}} {
		if res := page.Post(path+"/"+name, form); res.Status != http.StatusForbidden {
			t.Errorf("%s after three wrong totals: %d", name, res.Status)
		}
	}
	now := a.Record(c.ID)
	for _, s := range []correction.State{correction.Declined, correction.Returned} {
		if err := a.Store.Append(ctx, c.ID, correction.Awaiting, now.Last().N, correction.Event{State: s, At: a.Clock.Now(), ActorID: zhou.UserID, Detail: correction.Detail{Text: "x"}}); err == nil {
			t.Errorf("the store takes %s", s)
		}
	}
	if queue := page.Get(fmt.Sprintf("/approvals?id=%d", c.ID)); !strings.Contains(queue.Body, "你输入过 3 次不一致的总额") || strings.Contains(queue.Body, `name="typed_total"`) || strings.Contains(queue.Body, "1,234,567.89") {
		t.Errorf("the page of who may not decide:\n%s", queue.Body)
	}
	if a.Sim.Posts("VEIL-1") != 0 {
		t.Fatal("it was sent")
	}
	must(t, a.Service.Approve(ctx, a.Who("qian"), c.ID, hash, "1234567.89"))
	if _, approved := a.Record(c.ID).Find(correction.Approved); !approved || a.Sim.Posts("VEIL-1") != 1 {
		t.Errorf("not approved by another supervisor: %s", a.Record(c.ID).State)
	}
	if page := a.As("shen").Get(path); !strings.Contains(page.Body, "周启明 输入过 3 次不一致的总额，不能再决定这一笔") {
		t.Error("the record does not say who tried")
	}
}
