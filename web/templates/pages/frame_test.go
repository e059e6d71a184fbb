package pages_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var frameNow = time.Date(2026, 11, 23, 6, 30, 31, 0, time.UTC)

func framePage(l i18n.Lang, title i18n.Text, nav string) layout.Page {
	return layout.Page{
		Lang: l, Title: title.In(l), Nav: nav, Path: "/corrections?state=unknown&agent=a", Now: frameNow,
		Zone: time.FixedZone("Asia/Shanghai", 8*3600), Version: "1.0", DemoURL: "http://127.0.0.1:9000/",
		User: &layout.User{Name: l.T("林晓雯", "Lin Xiaowen"), Role: correction.Supervisor, CanLog: true, CanFind: true},
	}
}

var frameMerchants = []correction.Merchant{
	{SubMchID: "1900000101", Name: "溪桥充电宝"}, {SubMchID: "1900000102", Name: "北栅充电桩"}, {SubMchID: "1900000103", Name: "青禾无人柜"},
}

// frameRows has n corrections, all states in turn.
func frameRows(n int) []correction.Summary {
	numbers := []string{"XQ20261123%09d", "BZ_20261123_%07d", "QH-20261123-%010d"}
	names := []string{"林晓雯", "陈嘉禾", "吴思源", "郑可心", "马一鸣", "杨雪"}
	var out []correction.Summary
	for i := range n {
		m := frameMerchants[i%3]
		at := frameNow.Add(-time.Duration(i*11) * time.Minute)
		base := correction.Fen(9900 + i*37)
		out = append(out, correction.Summary{
			ID: int64(10489 - i), Ref: correction.Ref{SubMchID: m.SubMchID, ServiceID: "500001", OutOrderNo: fmt.Sprintf(numbers[i%3], (i+1)*7_654_321%9_999_999)},
			MerchantName: m.Name, AuthorID: int64(i % 6), AuthorLogin: "u", AuthorName: names[i%6],
			Reason: correction.DefaultReasons[i%5], BaseTotal: base, Target: base/3 + correction.Fen(i*i),
			State: correction.States[i%len(correction.States)], PreparedAt: at, ChangedAt: at, ConfirmUntil: at.Add(10 * time.Minute),
		})
	}
	return out
}

func frameLog(l i18n.Lang, rows int) pages.LogProps {
	return pages.LogProps{
		Page:      framePage(l, i18n.Text{ZH: "改价记录", EN: "Change log"}, layout.NavLog),
		Filter:    pages.LogForm{Values: map[string]string{"from": "2026-11-22", "to": "2026-11-23", "state": "unknown"}, Rows: 50, Columns: pages.LogDefaultColumns},
		Merchants: frameMerchants,
		Authors:   []correction.Author{{ID: 1, Login: "lin", Name: "林晓雯"}, {ID: 2, Login: "chen", Name: "陈嘉禾"}},
		Rows:      frameRows(rows), OlderURL: "/corrections?before=10440", CanExport: true, CanShare: true,
		Query: "from=2026-11-22&to=2026-11-23&state=unknown", Total: 10000, MoreThanTotal: true, ByTimeURL: "/corrections", ByReductionURL: "/corrections?sort=reduction",
		Reasons: correction.DefaultReasons, Offerings: []correction.Offering{{ServiceID: "500001", Name: "充电宝"}}, Approvers: []correction.Author{{ID: 4, Login: "zhou", Name: "周启明"}},
		Views:        []pages.LogView{{ID: 1, Name: "昨天大额", URL: "/corrections?reduction_min=100", Own: true, Shared: true}},
		AppliedCount: 12, AppliedSum: 107860,
		Chips:    []pages.Chip{{Label: "11-22 至 11-23", URL: "/corrections"}, {Label: i18n.StateWord(correction.Unknown).In(l), URL: "/corrections?from=2026-11-22"}},
		ClearURL: "/corrections",
	}
}

var frameErrors = []pages.ErrorProblem{
	pages.ErrorNotFound, pages.ErrorForbidden, pages.ErrorWholeScope, pages.ErrorMethod, pages.ErrorBadRequest, pages.ErrorTooLarge, pages.ErrorHost, pages.ErrorCrowded, pages.ErrorSlow, pages.ErrorCrossSite,
	pages.ErrorUnreachable, pages.ErrorRefused, pages.ErrorUnverified, pages.ErrorUnreadable, pages.ErrorBeyondBound, pages.ErrorSettings, pages.ErrorNoRecord, pages.ErrorPending,
	pages.ErrorBaseUnknown, pages.ErrorBusy, pages.ErrorTokenWrong, pages.ErrorNotCorrectable, pages.ErrorReadOnly, pages.ErrorRetried, pages.ErrorSecondPerson,
	pages.ErrorOwnApproval, pages.ErrorVeiled, pages.ErrorMoved, pages.ErrorReadsCrowded, pages.ErrorSlowRead, pages.ErrorExporting, pages.ErrorInternal,
}

// frameSamples are the pages in all their cases, by a name for each.
func frameSamples(l i18n.Lang) map[string]templ.Component {
	out := map[string]templ.Component{}
	door := framePage(l, i18n.Text{ZH: "登录", EN: "Sign in"}, "")
	door.User = nil
	out["signin"] = pages.SignIn(pages.SignInProps{Page: door, Next: "/orders?out_order_no=A1"})
	for _, problem := range []pages.SignInProblem{pages.SignInWrong, pages.SignInLocked, pages.SignInBusy, pages.SignInEmpty} {
		out["signin-"+string(problem)] = pages.SignIn(pages.SignInProps{Page: door, Username: "lin", Problem: problem, Wait: 61 * time.Second})
	}
	out["signin-expired"] = pages.SignIn(pages.SignInProps{Page: door, Expired: true})
	out["signin-kept"] = pages.SignIn(pages.SignInProps{Page: door, Username: "lin", Expired: true, Kept: "c2VhbGVk"})
	out["signin-dropped"] = pages.SignIn(pages.SignInProps{Page: door, Username: "lin", Expired: true, Dropped: true, Next: "/orders/1/2/correction"})

	home := pages.HomeProps{Page: framePage(l, i18n.Text{ZH: "我的", EN: "Mine"}, layout.NavMine), CanFind: true, Merchants: frameMerchants,
		Attention: frameRows(5), Recent: frameRows(12)}
	out["home"] = pages.Home(home)
	all := home
	all.All = true
	out["home-all"] = pages.Home(all)
	empty := home
	empty.Attention, empty.Recent = nil, nil
	out["home-empty"] = pages.Home(empty)
	finds := map[string]pages.FindProps{
		"empty":       {Problem: pages.FindEmpty},
		"syntax":      {Problem: pages.FindSyntax, OutOrderNo: "订单号 XQ2026"},
		"long":        {Problem: pages.FindSyntax, OutOrderNo: strings.Repeat("1", 40)},
		"nowhere":     {Problem: pages.FindNowhere, OutOrderNo: "XQ20261123104455201", Asked: 3},
		"wrong":       {Problem: pages.FindNowhere, OutOrderNo: "XQ20261123104455201", SubMchID: "1900000101", Asked: 1},
		"payment":     {Problem: pages.FindNowhere, OutOrderNo: "4200002026112312345678901234", Asked: 3},
		"no_merchant": {Problem: pages.FindNoMerchant, OutOrderNo: "A1", SubMchID: "1900009999", ServiceID: "500001"},
		"mixed":       {Problem: pages.FindNowhere, OutOrderNo: "4200002026112312345678901234", SubMchID: "1900000101", Asked: 1},
		"many":        {Problem: pages.FindTooMany, OutOrderNo: "A1"},
		"bad":         {Problem: pages.FindBadMerchant, OutOrderNo: "A1", SubMchID: "abc"},
		"several": {Problem: pages.FindSeveral, OutOrderNo: "A|b*1", Choices: []pages.FindChoice{
			{Ref: correction.Ref{SubMchID: "1900000101", ServiceID: "500001", OutOrderNo: "A|b*1"}, MerchantName: "溪桥充电宝"},
			{Ref: correction.Ref{SubMchID: "1900000102", OutOrderNo: "A|b*1"}}}},
	}
	for name, find := range finds {
		h := home
		h.Page.Problems, h.Find = 1, find
		out["find-"+name] = pages.Home(h)
	}

	out["log"] = pages.Log(frameLog(l, 50))
	bad := frameLog(l, 1)
	bad.Page.Problems, bad.Authors = 3, nil
	bad.Filter = pages.LogForm{Values: map[string]string{"from": "x", "out_order_no": "?", "sub_mchid": "9", "state": "x", "reduction_max": "1,000", "share_min": "200", "q": "a"},
		Rows: 50, Columns: pages.LogDefaultColumns, Strange: []string{"stat"}, Problems: map[string]pages.LogProblem{
			"from": pages.LogBadDate, "to": pages.LogDates, "out_order_no": pages.LogBadOrder, "sub_mchid": pages.LogUnknown, "state": pages.LogUnknown,
			"reduction_max": pages.LogBadAmount, "share_min": pages.LogBadShare, "share_max": pages.LogRange, "q": pages.LogLong, "device": pages.LogTwice, "columns": pages.LogUnknown}}
	out["log-bad"] = pages.Log(bad)
	wide := frameLog(l, 20)
	wide.Filter.Columns, wide.Filter.Sort = pages.LogColumns, changelog.ByReduction
	wide.More = true
	wide.View = pages.ViewForm{Open: true, Name: "昨天大额", Problem: pages.ViewTaken}
	out["log-wide"] = pages.Log(wide)
	out["log-none"] = pages.Log(frameLog(l, 0))
	never := frameLog(l, 0)
	never.Chips, never.AppliedCount = nil, 0
	out["log-never"] = pages.Log(never)

	account := pages.AccountProps{Page: framePage(l, i18n.Text{ZH: "我的账号", EN: "My account"}, layout.NavAccount), Username: "lin", MinPassword: 12,
		Sessions: []pages.SessionRow{
			{Row: 1, Current: true, Created: frameNow.Add(-time.Hour), Seen: frameNow, IP: "10.0.0.7", Agent: "Chrome 130, Windows"},
			{Row: 2, Created: frameNow.Add(-9 * time.Hour), Seen: frameNow.Add(-time.Hour), IP: "10.0.0.9", Agent: "Firefox 133, macOS"}, {Row: 3, Created: frameNow, Seen: frameNow, IP: "::1"}}}
	account.Page.Flash = l.T("已保存。", "Saved.")
	account.Page.Theme = "light"
	out["account"] = pages.Account(account)
	for _, problem := range []pages.PasswordProblem{pages.PasswordWrong, pages.PasswordShort, pages.PasswordLong, pages.PasswordCommon,
		pages.PasswordRepeat, pages.PasswordText, pages.PasswordSlow} {
		a := account
		a.PasswordProblem = problem
		out["account-"+string(problem)] = pages.Account(a)
	}

	for _, problem := range frameErrors {
		e := pages.ErrorProps{Page: framePage(l, i18n.Text{ZH: "出错", EN: "Error"}, ""), Problem: problem, ID: "E-7K2Q-0319", NothingSent: true, RetryURL: "/orders?out_order_no=A1"}
		switch problem {
		case pages.ErrorBusy:
			e.Holder = &correction.Holder{CorrectionID: 10479, Name: "周启明", State: correction.Unknown, Since: frameNow.Add(-9 * time.Minute)}
		case pages.ErrorRefused:
			e.Remote = &correction.Remote{Status: 400, Code: "INVALID_REQUEST", Message: "单据正在扣款中，请稍后再试", RequestID: "08F7C2A9D1-268435"}
		case pages.ErrorUnreachable, pages.ErrorNotFound:
			e.Order, e.BackURL = "QH-20261123-0844170093", "/orders"
		case pages.ErrorInternal, pages.ErrorPending:
			e.NothingSent = false
		}
		out["error-"+string(problem)] = pages.Error(e)
	}
	out["error-signed-out"] = pages.Error(pages.ErrorProps{Page: door, Problem: pages.ErrorNotFound})
	return out
}

func renderPage(t *testing.T, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// TestPages_KeepTheMarkupRules renders every page in every case and both languages
// and holds it to the rules that a browser does not check.
func TestPages_KeepTheMarkupRules(t *testing.T) {
	t.Parallel()
	for _, l := range []i18n.Lang{i18n.ZH, i18n.EN} {
		samples := frameSamples(l)
		for _, name := range slices.Sorted(maps.Keys(samples)) {
			t.Run(string(l)+"/"+name, func(t *testing.T) {
				t.Parallel()
				checkMarkup(t, renderPage(t, samples[name]))
			})
		}
	}
}

func checkMarkup(t *testing.T, page string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	headings, titles := 0, 0
	ids, labelled, mentioned := map[string]bool{}, map[string]bool{}, map[string]string{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "h1":
			headings++
		case "title":
			titles++
		case "label":
			if f, ok := attribute(n, "for"); ok {
				labelled[f] = true
			}
		case "style", "iframe", "dialog":
			t.Errorf("<%s> in a page", n.Data)
		case "form":
			if m, _ := attribute(n, "method"); m != "post" && m != "get" {
				t.Errorf("form with method %q", m)
			}
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("id %q twice", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "aria-describedby" || a.Key == "aria-labelledby":
				for id := range strings.FieldsSeq(a.Val) {
					mentioned[id] = n.Data
				}
			case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
				mentioned[a.Val[1:]] = n.Data
			case a.Key == "href" && strings.Contains(a.Val, "about:invalid"):
				t.Errorf("an address was refused: %v", n.Attr)
			}
		}
	}
	if headings != 1 || titles != 1 {
		t.Errorf("%d h1 and %d title, want one each", headings, titles)
	}
	for id, by := range mentioned {
		if !ids[id] {
			t.Errorf("<%s> refers to #%s, which is not there", by, id)
		}
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "input" || n.Data == "select" || n.Data == "textarea") {
			checkLabel(t, n, labelled)
		}
	}
}

func checkLabel(t *testing.T, n *html.Node, labelled map[string]bool) {
	t.Helper()
	if kind, _ := attribute(n, "type"); kind == "hidden" {
		return
	}
	if v, ok := attribute(n, "aria-label"); ok && v != "" {
		return
	}
	if id, ok := attribute(n, "id"); ok && labelled[id] {
		return
	}
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == "label" {
			return
		}
	}
	t.Errorf("<%s %v> has no label", n.Data, n.Attr)
}

// The field to change is the one that is marked and has the focus.
func TestHome_MarksTheFieldToChange(t *testing.T) {
	t.Parallel()
	samples := frameSamples(i18n.ZH)
	for name, want := range map[string]string{
		"home": "", "find-several": "", "find-empty": "find-no", "find-syntax": "find-no", "find-nowhere": "find-no", "find-payment": "find-no",
		"find-mixed": "find-no", "find-wrong": "find-merchant", "find-no_merchant": "find-merchant", "find-many": "find-merchant", "find-bad": "find-merchant",
	} {
		doc, err := html.Parse(strings.NewReader(renderPage(t, samples[name])))
		if err != nil {
			t.Fatal(err)
		}
		marked := ""
		for n := range doc.Descendants() {
			if _, ok := attribute(n, "aria-invalid"); ok {
				marked, _ = attribute(n, "id")
				if _, focus := attribute(n, "autofocus"); !focus {
					t.Errorf("%s: %s is marked without the focus", name, marked)
				}
			}
		}
		if marked != want {
			t.Errorf("%s: %q is marked, want %q", name, marked, want)
		}
	}
}

func TestSignIn_DoesNotTellWhichWasWrong(t *testing.T) {
	t.Parallel()
	page := renderPage(t, frameSamples(i18n.EN)["signin-wrong"])
	if !strings.Contains(page, "The user name or the password is not right.") {
		t.Error("the message is missing")
	}
}

// What was typed before the session ended survives only if the form carries it.
func TestSignIn_CarriesWhatWasTyped(t *testing.T) {
	t.Parallel()
	page := renderPage(t, frameSamples(i18n.ZH)["signin-kept"])
	for _, want := range []string{`name="kept" value="c2VhbGVk"`, "你本人登录"} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(page, "?lang=") {
		t.Error("a language link would lose what was typed")
	}
}

// An uncertain or refused correction must not look like one that is in force.
func TestLog_ShowsANewAmountOnlyWhenApplied(t *testing.T) {
	t.Parallel()
	for _, s := range correction.States {
		p := frameLog(i18n.ZH, 1)
		p.Rows[0].State, p.Rows[0].BaseTotal, p.Rows[0].Target = s, 10000, 2310
		page := renderPage(t, pages.Log(p))
		asked, unchanged := strings.Contains(page, "拟 ¥23.10"), strings.Contains(page, "未改")
		plain := strings.Contains(page, "¥23.10") && !asked
		switch s {
		case correction.Applied, correction.AppliedLate:
			if !plain || unchanged || !strings.Contains(page, "−¥76.90") || !strings.Contains(page, "−76.9%") {
				t.Errorf("%s: not shown as in force", s)
			}
		case correction.Prepared, correction.Awaiting, correction.Approved, correction.Claimed, correction.Sending, correction.Unknown, correction.NeedsPerson, correction.Resolved:
			if !asked || unchanged {
				t.Errorf("%s: not shown as asked for", s)
			}
		default:
			if plain || asked || !unchanged || strings.Contains(page, "−¥76.90") {
				t.Errorf("%s: not shown as unchanged", s)
			}
		}
	}
}

// Only the handler knows that nothing was sent; a page must not say so by itself.
func TestError_SaysNothingSentOnlyWhenTold(t *testing.T) {
	t.Parallel()
	for _, problem := range frameErrors {
		for _, nothing := range []bool{false, true} {
			page := renderPage(t, pages.Error(pages.ErrorProps{Page: framePage(i18n.EN, i18n.Text{EN: "Error"}, ""), Problem: problem, NothingSent: nothing}))
			if got := strings.Contains(page, "No correction was sent"); got != nothing {
				t.Errorf("%s: says that nothing was sent: %v, want %v", problem, got, nothing)
			}
			if strings.Contains(page, "!</") {
				t.Errorf("%s: an exclamation mark", problem)
			}
		}
	}
}

func TestError_HasWordsForEachProblem(t *testing.T) {
	t.Parallel()
	seen := map[string]pages.ErrorProblem{}
	for _, problem := range frameErrors {
		page := renderPage(t, pages.Error(pages.ErrorProps{Page: framePage(i18n.ZH, i18n.Text{ZH: "出错"}, ""), Problem: problem}))
		_, rest, _ := strings.Cut(page, `<h1 class="notice__title">`)
		title, _, _ := strings.Cut(rest, "</h1>")
		if title == "" || seen[title] != "" {
			t.Errorf("%s has the title %q of %q", problem, title, seen[title])
		}
		seen[title] = problem
	}
}

func TestShell_CountsProblemsInTheTitle(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "<title>改价记录 · 改价台</title>", 2: "<title>2 个问题 · 改价记录 · 改价台</title>"} {
		p := frameLog(i18n.ZH, 1)
		p.Page.Problems = n
		if page := renderPage(t, pages.Log(p)); !strings.Contains(page, want) {
			t.Errorf("%d problems: no %s", n, want)
		}
	}
}
