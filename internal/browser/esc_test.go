package browser_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// Esc stops the browser, not the console: the page says so, follows the result and goes
// there. Nothing is sent a second time, neither to the console nor to WeChat.
func TestEsc_WhileSendingTheResultIsFollowed(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"zh-CN", "en"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{})
			if err := a.Sim.Script(simulator.Fault{Kind: simulator.Slow, Call: simulator.CallModify, Order: bankNo, Times: 1, Delay: 6 * time.Second}); err != nil {
				t.Fatal(err)
			}
			path := submit(t, a, a.As("lin"), bankPath, url.Values{
				"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时，封顶99元"},
				"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
				"device.start_device_id": {"XQ-0718-02"}, "device.end_device_id": {"XQ-0718-09"}, "total_amount": {"10"}, "reason_code": {"device_fault"},
			}, "10", false)
			tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = lang }))
			signIn(tab, a, "lin")
			tab.Goto(a.URL + path)
			tab.Fill("#typed_total", "10")
			// Esc comes when the console has begun to send: its own page says so.
			tab.Eval(`{
				const keep = (name, value) => sessionStorage.setItem(name, value); // the page of the result may come at any moment
				let submissions = 0;
				addEventListener("submit", (event) => { if (!event.defaultPrevented) keep("submissions", ++submissions); });
				new MutationObserver(() => {
					const box = document.querySelector("[data-stopped]");
					if (!box || sessionStorage.getItem("said")) return;
					keep("said", box.textContent);
					keep("link", box.querySelector("a").getAttribute("href"));
					// One more press sends nothing.
					const button = document.querySelector(".confirm__form [data-busy]");
					button.click();
					button.form.requestSubmit(button);
				}).observe(document.body, {subtree: true, childList: true});
				const form = document.querySelector(".confirm__form");
				form.requestSubmit(form.querySelector("[data-busy]"));
				const look = async () => {
					const page = await (await fetch(location.href)).text();
					if (page.includes('data-state="sending"')) window.stop();
					else setTimeout(look, 50);
				};
				look();
			}`)
			tab.Wait(`sessionStorage.getItem("link")`)
			kept := func(name string) string {
				return browser.Value[string](tab, `sessionStorage.getItem("`+name+`") ?? ""`)
			}
			if got := kept("said"); !strings.Contains(got, map[string]string{"zh-CN": "不要重复提交", "en": "Do not submit again"}[lang]) {
				t.Errorf("it says %q", got)
			}
			if got := kept("link"); got != path {
				t.Errorf("the link leads to %q", got)
			}
			tab.Wait(`document.querySelector("[data-live]")`)
			tab.WaitText("[data-part=title]", map[string]string{"zh-CN": "已生效", "en": "Applied"}[lang])
			if n := kept("submissions"); n != "1" {
				t.Errorf("%s submissions", n)
			}
			if n := a.Sim.Posts(bankNo); n != 1 {
				t.Errorf("%d calls to WeChat", n)
			}
			c := recordOf(t, a, path)
			claims := 0
			for _, e := range c.Events {
				if e.State == correction.Claimed {
					claims++
				}
			}
			if c.State != correction.Applied || claims != 1 {
				t.Errorf("%s, claimed %d times", c.State, claims)
			}
			tab.Problems()
		})
	}
}

// Back from the review leads to the form as it was typed: amounts, lines that came and
// went, texts; also after the page was loaded again. It ends with the withdrawal.
func TestBack_FromTheReviewLosesNothing(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }))
	signIn(tab, a, "lin")
	form := a.URL + "/orders/" + retailMch + "/" + retailNo + "/correction"
	tab.Goto(form)
	tab.Fill(`[name="post_payments.0.amount"]`, "9.90")
	tab.Click(`button[value="remove-post_payments-3"]`)
	tab.Wait(`!document.querySelector('[name="post_payments.3.amount"]')`)
	tab.Click(`button[value="add-line"]`)
	tab.Wait(`document.querySelector('[name="post_payments.4.name"]')`)
	tab.Fill(`[name="post_payments.4.description"]`, "试吃装")
	tab.Fill(`[name="post_payments.4.amount"]`, "0.50")
	tab.Eval(`{ const e = document.querySelector('[name="post_payments.4.name"]'); e.value = "商品信息"; e.dispatchEvent(new Event("change", {bubbles: true})); }`)
	tab.Select(`[name="reason_code"]`, "device_fault")
	tab.Fill(`[name="note"]`, "客户在店里等")
	if box := `[name="no_device"]`; tab.Has(box) {
		tab.Click(box)
	}
	tab.Eval(`document.querySelector(".button--primary[data-part=next]").click()`)
	tab.Wait(`document.querySelector(".confirm__form")`)
	review := tab.URL()
	check := func(when string) {
		t.Helper()
		for name, want := range map[string]string{
			"post_payments.0.amount": "9.90", "post_payments.4.amount": "0.50", "post_payments.4.description": "试吃装", "note": "客户在店里等", "reason_code": "device_fault",
		} {
			if got := browser.Value[string](tab, `document.querySelector('[name="`+name+`"]')?.value ?? "none"`); got != want {
				t.Errorf("%s: %s is %q, want %q", when, name, got, want)
			}
		}
		if tab.Has(`[name="post_payments.3.amount"]`) {
			t.Errorf("%s: the line that was removed is back", when)
		}
	}
	tab.Back()
	check("Back")
	tab.Reload()
	check("loaded again")
	tab.Goto(form)
	check("opened again")
	tab.Goto(review)
	tab.Follow(`form[action$="/withdrawal"] button`)
	tab.Goto(form)
	if got := tab.Field(`[name="post_payments.0.amount"]`); got != "19.80" {
		t.Errorf("after the withdrawal the first line is %q", got)
	}
}
