package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// met makes a correction of the power-bank order to ¥10 that meets a fault.
func met(t *testing.T, a *apptest.App, kind simulator.Kind) (path string) {
	t.Helper()
	if err := a.Service.StartReconciling(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Sim.Script(simulator.Fault{Kind: kind, Call: simulator.CallModify, Order: bankNo, Times: 1}); err != nil {
		t.Fatal(err)
	}
	return submit(t, a, a.As("lin"), bankPath, url.Values{
		"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时，封顶99元"},
		"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
		"device.start_device_id": {"XQ-0718-02"}, "device.end_device_id": {"XQ-0718-09"}, "total_amount": {"10"}, "reason_code": {"device_fault"},
	}, "10", true)
}

func recordOf(t *testing.T, a *apptest.App, path string) correction.Correction {
	t.Helper()
	var id int64
	fmt.Sscanf(path, "/corrections/%d", &id)
	c, err := a.Store.Correction(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// look runs what is due after some time.
func look(a *apptest.App, after time.Duration) {
	a.Clock.Advance(after)
	a.Service.RunDue(context.Background())
}

func TestLive_TheResultComesByItselfAndIsAnnounced(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Timeout: 500 * time.Millisecond})
	path := met(t, a, simulator.TimeoutAfter)
	for _, v := range []browser.View{
		view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		view(browser.Phone, func(v *browser.View) { v.Language, v.Dark = "zh-CN", true }),
	} {
		tab := browser.Start(t).Open(v)
		signIn(tab, a, "lin")
		tab.Goto(a.URL + path)
		tab.NoViolations()
		if tab.ScrollsSideways() {
			t.Error("scrolls sideways")
		}
		if tab.Has("[data-nolive]") && browser.Value[bool](tab, `document.querySelector("[data-nolive]").getClientRects().length > 0`) {
			t.Error("the link for browsers without script is shown")
		}
	}
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }))
	signIn(tab, a, "lin")
	tab.Goto(a.URL + path)
	tab.Eval("window.sameDocument = true")
	tab.Focus(`form[action$="/check"] button`)
	tab.Eval(`document.querySelectorAll("[role=status]").forEach((e) => { if (e.textContent) throw new Error("announced without news"); })`)
	look(a, 2*time.Second)
	tab.WaitText("[data-part=title]", "已生效")
	tab.WaitText("[data-live-say]", "改价已生效")
	tab.WaitText("[data-part=aside]", "总额和明细与提交的一致") // the history too
	if !browser.Value[bool](tab, "window.sameDocument === true") {
		t.Error("the page was loaded again")
	}
	if tab.Has(`form[action$="/check"]`) || !strings.Contains(tab.Text("main"), "客户还没有付款") {
		t.Errorf("the page is half new: %s", tab.Text("main"))
	}
	if got := browser.Value[bool](tab, `document.activeElement !== document.body && document.querySelector("main").contains(document.activeElement)`); !got {
		t.Error("the focus is lost with the button that had it")
	}
	if mode := browser.Value[string](tab, `document.querySelector("[data-live]").dataset.live`); mode != "done" {
		t.Errorf("it goes on asking: %s", mode)
	}
	tab.NoViolations()
}

func TestLive_WithoutScriptALinkLeadsToTheNewestResult(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Timeout: 500 * time.Millisecond})
	path := met(t, a, simulator.TimeoutAfter)
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language, v.NoScript = "zh-CN", true }))
	signIn(tab, a, "lin")
	tab.Goto(a.URL + path)
	if !strings.Contains(tab.Text("main"), "下次自动核对") && !strings.Contains(tab.Text("main"), "马上就核对") {
		t.Errorf("no outlook: %s", tab.Text("main"))
	}
	if strings.Contains(tab.Text("main"), "还有") || strings.Contains(tab.Text("main"), "打印") {
		t.Error("it shows what needs a script")
	}
	tab.NoViolations()
	look(a, 2*time.Second)
	tab.Follow("[data-nolive]")
	if !strings.Contains(tab.Text("main"), "改价已生效") {
		t.Errorf("the link leads to %s: %s", tab.URL(), tab.Text("main"))
	}
}

func TestLive_TheRetryAppearsWhenItsTimeHasCome(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	path := met(t, a, simulator.Busy)
	at := recordOf(t, a, path).Entered().At.Add(correction.ChargingWait)
	a.Clock.Advance(at.Sub(a.Clock.Now()) - 4*time.Second) // four seconds are left
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "en" }))
	signIn(tab, a, "lin")
	a.Clock.Advance(at.Sub(a.Clock.Now()) - 4*time.Second)
	tab.Goto(a.URL + path)
	retry := `a[href^="` + bankPath + `/correction?from="]`
	if tab.Has(retry) {
		t.Error("the retry is offered too early")
	}
	tab.Wait(`/\(in 0:0[1-4]\)/.test(document.querySelector("[data-part=now]").textContent)`)
	early := browser.Value[bool](tab, `new Promise((done) => {
		const root = document.querySelector("[data-live]"), start = performance.now() - Number(root.dataset.now);
		new MutationObserver((_, o) => { if (document.querySelector('`+retry+`')) { o.disconnect(); done(performance.now() - start < `+fmt.Sprint(at.UnixMilli())+` - 400); } })
			.observe(root, {subtree: true, childList: true});
	})`)
	if early {
		t.Error("the retry appeared too early")
	}
	tab.WaitText("[data-live-say]", "can be corrected again now")
	tab.NoViolations()
	tab.Follow(retry)
	if got := tab.Field("[name=total_amount]"); got != "10.00" {
		t.Errorf("the retry asks for %q", got)
	}
	tab.Follow("form[data-editor] button.button--primary")
	if !strings.Contains(tab.URL(), "/corrections/") {
		t.Fatalf("%s: %s", tab.URL(), tab.Text("main"))
	}
	if c := recordOf(t, a, strings.TrimPrefix(tab.URL(), a.URL)); c.RetryOf == 0 {
		t.Error("it is not known as a retry")
	}
}

func TestLive_SaysWhenItCannotBeReachedAndWhenSignedOut(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Timeout: 500 * time.Millisecond})
	path := met(t, a, simulator.TimeoutAfter)
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }))
	signIn(tab, a, "lin")
	tab.Goto(a.URL + path)
	shown := func(name string) string {
		return fmt.Sprintf(`!document.querySelector('[data-live-lost="%s"]').hidden`, name)
	}
	tab.Offline(true)
	tab.Wait(shown("away"))
	tab.WaitText("[data-live-say]", "连不上改价台")
	tab.NoViolations()
	tab.Offline(false)
	tab.Wait("!(" + shown("away") + ")")
	a.Clock.Advance(16 * time.Minute) // the session ends
	tab.Wait(shown("out"))
	tab.WaitText("[data-live-say]", "登录可能已经过期")
	tab.Follow(`[data-live-lost="out"] a`)
	if !tab.Has("#password") {
		t.Errorf("it leads to %s", tab.URL())
	}
	tab.Problems() // what was asked for while offline
}

// A hidden page asks nothing, and asks at once when it is seen again.
func TestLive_AsksNothingWhileNobodyLooks(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Timeout: 500 * time.Millisecond})
	path := met(t, a, simulator.TimeoutAfter)
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }))
	signIn(tab, a, "lin")
	tab.Goto(a.URL + path)
	tab.Eval(`(() => {
		window.asked = 0;
		const send = XMLHttpRequest.prototype.send;
		XMLHttpRequest.prototype.send = function (...args) { window.asked++; return send.apply(this, args); };
		window.see = (state) => {
			Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
			document.dispatchEvent(new Event("visibilitychange"));
		};
	})()`)
	tab.Wait("window.asked > 0")
	tab.Eval(`window.see("hidden"); window.asked = 0`)
	seen := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }))
	signIn(seen, a, "lin")
	seen.Goto(a.URL + path)
	seen.Eval(`window.first = document.querySelector("[data-part=asof]").textContent`)
	seen.Wait(`Number(document.querySelector("[data-live]").dataset.now) > 0 && document.querySelector("[data-part=asof]").textContent !== window.first`)
	if n := browser.Value[int](tab, "window.asked"); n != 0 {
		t.Errorf("a hidden page asked %d times while another one was brought up to date", n)
	}
	look(a, 2*time.Second)
	tab.Eval(`window.see("visible")`)
	if n := browser.Value[int](tab, "window.asked"); n != 1 {
		t.Errorf("seen again it asked %d times at once", n)
	}
	tab.WaitText("[data-part=title]", "已生效")
}

// Two supervisors settle a conflict by keyboard; what one of them types stays while the
// other one's words arrive.
func TestResolution_ByTwoPeopleByKeyboard(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	path := met(t, a, simulator.ErrorBefore)
	if err := a.Sim.LowerElsewhere(bankMch, bankNo, 500); err != nil {
		t.Fatal(err)
	}
	look(a, 2*time.Second)
	if s := recordOf(t, a, path).State; s != correction.NeedsPerson {
		t.Fatalf("state %s", s)
	}
	open := func(login string, v browser.View) *browser.Tab {
		tab := browser.Start(t).Open(v)
		signIn(tab, a, login)
		tab.Goto(a.URL + path)
		tab.NoViolations()
		if tab.ScrollsSideways() {
			t.Errorf("%s: scrolls sideways", login)
		}
		return tab
	}
	desk := view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" })
	lin := open("lin", view(browser.Phone, func(v *browser.View) { v.Language, v.Dark = "zh-CN", true }))
	zhou, qian := open("zhou", desk), open("qian", view(desk, func(v *browser.View) { v.Dark = true }))
	reach := func(tab *browser.Tab, selector string) {
		t.Helper()
		for range 80 {
			if browser.Value[bool](tab, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
				return
			}
			tab.Press("Tab")
		}
		t.Fatalf("Tab does not reach %s", selector)
	}
	qian.Fill("#ruling-text", "正在写")
	before := len(recordOf(t, a, path).Events)
	reach(zhou, "#ruling-0")
	zhou.Press("ArrowDown")      // not applied
	zhou.PressAndFollow("Enter") // says nothing yet
	zhou.Wait(`document.querySelector("[data-part=asof]").textContent !== "" && performance.now() > 2500 && document.querySelector("[data-live-lost]:not([hidden])") === null`)
	if len(recordOf(t, a, path).Events) != before || !browser.Value[bool](zhou, `document.querySelector("#ruling-1").checked`) {
		t.Fatalf("Enter on a choice: %s", zhou.Text("main"))
	}
	reach(zhou, "#ruling-text")
	zhou.Type("收银台 14:21 改的")
	zhou.Press("Enter") // a new line
	if len(recordOf(t, a, path).Events) != before {
		t.Fatal("Enter submitted a finding")
	}
	reach(zhou, `form[action$="/resolution"] button.button--primary`)
	zhou.PressAndFollow("Enter")
	if !strings.Contains(zhou.Text("main"), "等另一位主管核对") {
		t.Fatalf("%s", zhou.Text("main"))
	}
	zhou.NoViolations()
	lin.WaitText("[data-live-say]", "没有生效")
	qian.WaitText("[data-live-say]", "没有生效")
	if got := qian.Field("#ruling-text"); got != "正在写" {
		t.Errorf("what was typed is now %q", got)
	}
	qian.Reload()
	qian.NoViolations()
	reach(qian, "#agree-text")
	qian.Type("我也查过，是收银台")
	qian.Press("Enter")
	reach(qian, `form[action$="/resolution"] button.button--primary`)
	qian.PressAndFollow("Enter")
	if c := recordOf(t, a, path); c.State != correction.Resolved {
		t.Fatalf("state %s: %s", c.State, qian.Text("main"))
	}
	qian.NoViolations()
	lin.WaitText("[data-part=title]", "已人工处理")
	lin.NoViolations()
}
