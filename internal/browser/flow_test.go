package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

const (
	bankMch   = "1900021408"
	bankNo    = "PB_20261123_0099"
	bankPath  = "/orders/" + bankMch + "/" + bankNo
	retailMch = "1900021777"
	retailNo  = "QH-20261123-0844170093"
)

func signIn(tab *browser.Tab, a *apptest.App, login string) {
	tab.Goto(a.URL + "/login")
	tab.Fill("#username", login)
	tab.Fill("#password", apptest.Password)
	tab.PressAndFollow("Enter")
}

func view(v browser.View, change func(*browser.View)) browser.View {
	change(&v)
	return v
}

// The whole job in a real browser: look-up, form, confirmation, record, read by the
// supervisor; with and without script, in both languages, on the desk and on the
// phone. Each page is checked by axe and must not scroll sideways.
func TestFlow_CorrectOneOrder(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]browser.View{
		"zh":                view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"en":                view(browser.Desktop, func(v *browser.View) { v.Language = "en" }),
		"zh without script": view(browser.Desktop, func(v *browser.View) { v.Language, v.NoScript = "zh-CN", true }),
		"en without script": view(browser.Desktop, func(v *browser.View) { v.Language, v.NoScript = "en", true }),
		"phone":             view(browser.Phone, func(v *browser.View) { v.Language = "zh-CN" }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{})
			tab := browser.Start(t).Open(v)
			fits := func() {
				t.Helper()
				tab.NoViolations()
				if tab.ScrollsSideways() {
					t.Errorf("%s scrolls sideways", tab.URL())
				}
			}
			signIn(tab, a, "lin")
			fits()
			tab.Fill("main input[name=out_order_no]", bankNo)
			tab.PressAndFollow("Enter")
			if !strings.HasSuffix(tab.URL(), bankPath) {
				t.Fatalf("the look-up led to %s", tab.URL())
			}
			fits()
			tab.Follow(`a[href="` + bankPath + `/correction"]`)
			fits()
			tab.Select("[name=reason_code]", "device_fault")
			tab.Fill(`[name="device.start_device_id"]`, "XQ-0718-02")
			tab.Fill(`[name="device.end_device_id"]`, "XQ-0718-09")
			tab.Fill("[name=total_amount]", "10")
			if v.NoScript {
				tab.Follow("button[name=do][value=recompute]:not([hidden])")
				if got := tab.Field("[name=total_amount]"); got != "10.00" {
					t.Errorf("the total is shown back as %q", got)
				}
			}
			tab.WaitText("[data-part=summary]", "¥10.00")
			tab.WaitText("[data-part=summary]", "89.9%")
			fits()
			tab.Follow("form[data-editor] button.button--primary")
			if !regexp.MustCompile(`/corrections/\d+$`).MatchString(tab.URL()) {
				t.Fatalf("submitting led to %s\n%s", tab.URL(), tab.Text("main"))
			}
			fits()
			record := strings.TrimPrefix(tab.URL(), a.URL)
			// Enter does not confirm money.
			tab.Fill("[name=typed_total]", "10")
			tab.Press("Enter")
			if n := a.Sim.Posts(bankNo); n != 0 {
				t.Fatalf("Enter sent %d corrections", n)
			}
			tab.Screenshot("flow-confirm." + name)
			shown := tab.Text("main")
			tab.Follow("form.confirm__form button.button--primary")
			if n := a.Sim.Posts(bankNo); n != 1 {
				t.Fatalf("%d POSTs\n%s", n, tab.Text("main"))
			}
			sent, err := correction.ParseBody(a.Sim.LastBody(bankNo))
			if err != nil || !strings.Contains(shown, sent.Total.String()) || !strings.Contains(shown, sent.Reason) {
				t.Errorf("what was confirmed is not what was sent: %+v %v", sent, err)
			}
			fits()
			if !tab.Has(".state--applied") {
				t.Errorf("not applied:\n%s", tab.Text("main"))
			}
			// Back and confirming again sends nothing.
			tab.Back()
			if tab.Has("form.confirm__form button.button--primary:not([disabled])") {
				tab.Fill("[name=typed_total]", "10")
				tab.Follow("form.confirm__form button.button--primary")
			}
			if n := a.Sim.Posts(bankNo); n != 1 {
				t.Fatalf("%d POSTs after going back", n)
			}

			boss := browser.Start(t).Open(v)
			signIn(boss, a, "zhou")
			boss.Goto(a.URL + "/corrections")
			boss.NoViolations()
			boss.Follow(`a[href="` + record + `"]`)
			boss.NoViolations()
			for _, want := range []string{"¥99.00", "¥10.00", "林晓雯"} {
				if !strings.Contains(boss.Text("main"), want) {
					t.Errorf("the record lacks %s", want)
				}
			}
		})
	}
}

// Everything by keyboard: from the sign-in to the record no mouse is needed.
func TestFlow_ByKeyboardAlone(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }))
	ready := func(selector string) { // the page has put the focus there
		t.Helper()
		tab.Wait(fmt.Sprintf("document.hasFocus() && document.activeElement.matches(%q)", selector))
	}
	tab.Goto(a.URL + "/")
	ready("#username")
	tab.Type("lin")
	tab.Press("Tab")
	tab.Type(apptest.Password)
	tab.PressAndFollow("Enter")
	ready("main input[name=out_order_no]")
	tab.Type(bankNo)
	tab.PressAndFollow("Enter")
	tab.PressAndFollow("e") // correct the amount
	reach := func(selector string) {
		t.Helper()
		for range 80 {
			if browser.Value[bool](tab, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
				return
			}
			tab.Press("Tab")
		}
		t.Fatalf("Tab does not reach %s", selector)
	}
	reach("[name=total_amount]")
	tab.Type("10.00")
	reach("[name=reason_code]")
	tab.Press("ArrowDown")
	reach(`[name="device.start_device_id"]`)
	tab.Type("XQ-1")
	tab.Press("Tab")
	tab.Type("XQ-2")
	tab.PressAndFollow("Ctrl+Enter")
	if !strings.Contains(tab.URL(), "/corrections/") {
		t.Fatalf("not on the confirmation: %s\n%s", tab.URL(), tab.Text("main"))
	}
	reach("[name=typed_total]")
	tab.Type("10.00")
	reach("form.confirm__form button.button--primary")
	tab.PressAndFollow("Enter") // on the button itself
	if !tab.Has(".state--applied") || a.Sim.Posts(bankNo) != 1 {
		t.Fatalf("%d POSTs\n%s", a.Sim.Posts(bankNo), tab.Text("main"))
	}
	tab.Press("g")
	tab.PressAndFollow("l")
	if !strings.HasSuffix(tab.URL(), "/corrections") {
		t.Errorf("g l led to %s", tab.URL())
	}
}

// The editor with script: rows are added, removed and restored in place, and the
// summary follows; the server does all the arithmetic.
func TestFlow_EditorInPlace(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }))
	signIn(tab, a, "lin")
	tab.Goto(a.URL + "/orders/" + retailMch + "/" + retailNo + "/correction")
	tab.Eval("window.sameDocument = true")
	tab.Click(`button[value="remove-post_payments-2"]`)
	tab.WaitText("[data-part=summary]", "¥44.20")
	tab.Fill(`[name="post_payments.3.amount"]`, "9")
	tab.WaitText("[data-part=summary]", "¥39.70")
	tab.WaitText("[data-part=summary]", "76.9%")
	tab.NoViolations()
	tab.Click(`button[value="add-line"]`)
	tab.Wait(`document.querySelector('[name="post_payments.4.name"]') !== null`)
	tab.Wait(`document.activeElement.name === "post_payments.4.name"`)
	tab.Click(`button[value="restore-post_payments-2"]`)
	tab.WaitText("[data-part=summary]", "¥167.70")
	if !browser.Value[bool](tab, "window.sameDocument === true") {
		t.Error("the page was loaded again")
	}
	// The draft survives a reload.
	tab.Reload()
	if got := tab.Field(`[name="post_payments.3.amount"]`); got != "9" && got != "9.00" {
		t.Errorf("after a reload the amount is %q", got)
	}
}

// uncertain makes a correction whose answer never came.
func uncertain(t *testing.T, a *apptest.App, c *apptest.Client) string {
	t.Helper()
	if err := a.Sim.Script(simulator.Fault{Kind: simulator.TimeoutBefore, Call: simulator.CallModify, Order: "QH-20261123-0911050021", Times: 1}); err != nil {
		t.Fatal(err)
	}
	return submit(t, a, c, "/orders/"+retailMch+"/QH-20261123-0911050021", url.Values{
		"post_payments.0.name": {"商品信息"}, "post_payments.0.description": {"可乐"}, "post_payments.0.amount": {"3.00"}, "post_payments.0.count": {"1"},
		"post_payments.1.name": {"商品信息"}, "post_payments.1.description": {"雪碧"}, "post_payments.1.amount": {"3.00"}, "post_payments.1.count": {"1"},
		"device.start_device_id": {"QH-1"}, "device.end_device_id": {"QH-1"}, "reason_code": {"not_taken"}, "note": {"柜机录像显示只取走一瓶可乐。"},
	}, "6.00", true)
}

var hidden = regexp.MustCompile(`name="(base|token)" value="([^"]*)"`)

func hiddenValue(t *testing.T, page, name string) string {
	t.Helper()
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	t.Fatalf("no %s in the page", name)
	return ""
}

// submit prepares a correction over HTTP and confirms it if asked to.
func submit(t *testing.T, a *apptest.App, c *apptest.Client, order string, form url.Values, typed string, confirm bool) string {
	t.Helper()
	form.Set("base", hiddenValue(t, c.Get(order+"/correction").Body, "base"))
	res := c.Post(order+"/correction", form)
	if res.Location == "" {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	if confirm {
		token := hiddenValue(t, c.Get(res.Location).Body, "token")
		c.Post(res.Location+"/confirmation", url.Values{"token": {token}, "typed_total": {typed}})
	}
	return res.Location
}

// pagesOf lists addresses of every page, with corrections in many states.
func pagesOf(t *testing.T, a *apptest.App) (mine map[string]string, boss map[string]string) {
	t.Helper()
	lin := a.As("lin")
	bank := func(total string) url.Values {
		return url.Values{
			"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时，封顶99元"},
			"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
			"device.start_device_id": {"XQ-0718-02"}, "device.end_device_id": {"XQ-0718-09"}, "total_amount": {total}, "reason_code": {"device_fault"},
			"ticket": {"GD-20261123-0197"}, "note": {"用户 5 小时后已归还，柜机没有识别。"},
		}
	}
	applied := submit(t, a, lin, bankPath, bank("10"), "10", true)
	unknown := uncertain(t, a, lin)
	if err := a.Sim.Script(simulator.Fault{Kind: simulator.Busy, Call: simulator.CallModify, Order: bankNo, Times: 1}); err != nil {
		t.Fatal(err)
	}
	again := bank("8")
	again.Set("post_payments.1.description", "4小时")
	busy := submit(t, a, lin, bankPath, again, "8", true)
	meal := func(amount string) url.Values {
		return url.Values{"post_payments.0.name": {"就餐费用"}, "post_payments.0.description": {"就餐人均100元"}, "post_payments.0.amount": {amount}, "post_payments.0.count": {"4"},
			"post_discounts.0.name": {"满20减1元"}, "post_discounts.0.description": {"不与其他优惠叠加"}, "post_discounts.0.amount": {"1"}, "post_discounts.0.count": {"2"},
			"reason_code": {"complaint"}}
	}
	const mealPath = "/orders/1900000109/1234323JKHDFE1243252"
	stale := submit(t, a, lin, mealPath, meal("390"), "", false)
	token := hiddenValue(t, lin.Get(stale).Body, "token")
	a.Sim.LowerElsewhere("1900000109", "1234323JKHDFE1243252", 45000)
	lin.Post(stale+"/confirmation", url.Values{"token": {token}})
	// Corrections that came to nothing, each in its own way.
	pile := func(no string) (string, url.Values) {
		return "/orders/1900020900/" + url.PathEscape(no), url.Values{
			"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"1元/1小时"},
			"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"2小时5分"},
			"device.start_device_id": {"BZ-12"}, "device.end_device_id": {"BZ-12"}, "total_amount": {"2.00"}, "reason_code": {"timing"},
		}
	}
	const ebike = "BZ-E20261123*0041"
	order, form := pile(ebike)
	withdrawn := submit(t, a, lin, order, form, "", false)
	lin.Post(withdrawn+"/withdrawal", url.Values{})
	order, form = pile(ebike)
	notSent := submit(t, a, lin, order, form, "", false)
	token = hiddenValue(t, lin.Get(notSent).Body, "token")
	if err := a.Sim.Script(simulator.Fault{Kind: simulator.ErrorBefore, Call: simulator.CallQuery, Order: ebike, Times: 1}); err != nil {
		t.Fatal(err)
	}
	lin.Post(notSent+"/confirmation", url.Values{"token": {token}, "typed_total": {"2"}})
	order, form = pile(ebike)
	notApplied := submit(t, a, lin, order, form, "", false)
	token = hiddenValue(t, lin.Get(notApplied).Body, "token")
	if err := a.Sim.Script(simulator.Fault{Kind: simulator.ErrorBefore, Call: simulator.CallModify, Order: ebike, Times: 1}); err != nil {
		t.Fatal(err)
	}
	lin.Post(notApplied+"/confirmation", url.Values{"token": {token}, "typed_total": {"2"}})
	order, form = pile(ebike)
	form.Set("total_amount", "1.50")
	conflict := ""
	a.Clock.Advance(8 * time.Minute)
	lin.Post(notApplied+"/check", url.Values{})
	a.Clock.Advance(2 * time.Minute)
	lin.Post(notApplied+"/check", url.Values{})
	conflict = submit(t, a, lin, order, form, "", false)
	token = hiddenValue(t, lin.Get(conflict).Body, "token")
	if err := a.Sim.Script(simulator.Fault{Kind: simulator.ErrorBefore, Call: simulator.CallModify, Order: ebike, Times: 1}); err != nil {
		t.Fatal(err)
	}
	lin.Post(conflict+"/confirmation", url.Values{"token": {token}, "typed_total": {"1.5"}})
	if err := a.Sim.LowerElsewhere("1900020900", ebike, 100); err != nil {
		t.Fatal(err)
	}
	lin.Post(conflict+"/check", url.Values{})
	for path, want := range map[string]correction.State{
		withdrawn: correction.Withdrawn, notSent: correction.NotSent, notApplied: correction.NotApplied, conflict: correction.NeedsPerson,
		applied: correction.Applied, unknown: correction.Unknown, busy: correction.Rejected, stale: correction.Stale,
	} {
		var id int64
		fmt.Sscanf(path, "/corrections/%d", &id)
		if c, err := a.Store.Correction(context.Background(), id); err != nil || c.State != want {
			t.Fatalf("%s is %s, want %s (%v)", path, c.State, want, err)
		}
	}
	expired := submit(t, a, lin, "/orders/1900000109/1234323JKHDFE1243252", meal("400"), "", false)
	a.Clock.Advance(11 * time.Minute)
	lin = a.As("lin")
	confirmPath := submit(t, a, lin, "/orders/1900000109/1234323JKHDFE1243252", meal("380"), "", false)
	mine = map[string]string{
		"expired":   expired,
		"withdrawn": withdrawn, "not-sent": notSent, "not-applied": notApplied, "conflict": conflict,
		"home": "/", "order": "/orders/" + retailMch + "/" + retailNo, "form": "/orders/" + retailMch + "/" + retailNo + "/correction",
		"form-total": "/orders/1900020900/BZ-E20261123%2A0041/correction", "applied": applied, "unknown": unknown, "busy": busy, "confirm": confirmPath, "stale": stale,
		"log": "/corrections", "account": "/account", "not-found": "/orders?out_order_no=NO-SUCH-ORDER", "error-404": "/nowhere", "denied": "/corrections.csv",
		"order-charging": bankPath,
	}
	for _, o := range simulator.Samples(time.Now()) {
		switch o.OutOrderNo {
		case "PB_20261122_0077":
			mine["order-paid"] = "/orders/" + o.SubMchID + "/" + o.OutOrderNo
		case "PB_20261123_0188":
			mine["order-running"] = "/orders/" + o.SubMchID + "/" + o.OutOrderNo
		case "LN20261022|KY0007":
			mine["order-expired"] = "/orders/" + o.SubMchID + "/" + url.PathEscape(o.OutOrderNo)
		case "YS-ZC-20261119-003":
			mine["order-cancelled"] = "/orders/" + o.SubMchID + "/" + o.OutOrderNo
		case "QH-20261123-1015270050":
			mine["order-zero"] = "/orders/" + o.SubMchID + "/" + o.OutOrderNo
		}
	}
	boss = map[string]string{"boss-home": "/", "boss-log": "/corrections", "boss-log-filtered": "/corrections?state=applied&from=2026-01-01", "boss-record": applied, "boss-unknown": unknown, "boss-log-bad": "/corrections?from=yesterday"}
	return mine, boss
}

// Every page in both themes: axe finds nothing, and nothing scrolls sideways on the
// desk and on the phone. With SCREENSHOTS set, pictures of all of them are kept.
func TestScreenshots_EveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Timeout: 500 * time.Millisecond})
	mine, boss := pagesOf(t, a)
	tried := 0
	for name, v := range map[string]browser.View{
		"zh":            view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"en":            view(browser.Desktop, func(v *browser.View) { v.Language = "en" }),
		"zh-dark":       view(browser.Desktop, func(v *browser.View) { v.Language, v.Dark = "zh-CN", true }),
		"zh-phone":      view(browser.Phone, func(v *browser.View) { v.Language = "zh-CN" }),
		"en-phone-dark": view(browser.Phone, func(v *browser.View) { v.Language, v.Dark = "en", true }),
	} {
		tab := browser.Start(t).Open(v)
		look := func(page string) {
			t.Helper()
			tried++
			tab.NoViolations()
			if tab.ScrollsSideways() {
				t.Errorf("%s: %s scrolls sideways", name, page)
			}
			tab.Screenshot(page + "." + name)
		}
		tab.Goto(a.URL + "/login")
		look("sign-in")
		tab.Fill("#username", "lin")
		tab.Fill("#password", "wrong")
		tab.PressAndFollow("Enter")
		look("sign-in-wrong")
		signIn(tab, a, "lin")
		for page, path := range mine {
			tab.Goto(a.URL + path)
			look(page)
		}
		tab.Goto(a.URL + "/orders/" + retailMch + "/" + retailNo + "/correction")
		tab.Fill(`[name="post_payments.0.amount"]`, "1,9.800")
		tab.Fill(`[name="post_payments.3.description"]`, strings.Repeat("长", 31))
		tab.Fill(`[name="note"]`, "草稿")
		tab.Follow("form[data-editor] button.button--primary")
		look("form-errors")
		tab.Follow(`button[value=discard]`)
		signOut(tab)
		signIn(tab, a, "zhou")
		for page, path := range boss {
			tab.Goto(a.URL + path)
			look(page)
		}
		signOut(tab)
		// WeChat cannot be reached.
		if err := a.Sim.Script(simulator.Fault{Kind: simulator.ResetBefore, Call: simulator.CallQuery, Order: bankNo, Times: 2}); err != nil {
			t.Fatal(err)
		}
		signIn(tab, a, "wu")
		tab.Goto(a.URL + bankPath)
		look("error-unreachable")
		a.Sim.Disarm()
	}
	t.Logf("%d pages tried, %s", tried, map[bool]string{true: "some violations", false: "0 violations"}[t.Failed()])
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		t.Logf("pictures in %s", dir)
	}
}

func signOut(tab *browser.Tab) {
	tab.Eval(`document.querySelector('form[action="/logout"]').closest("details").open = true`)
	tab.Follow(`form[action="/logout"] button`)
}
