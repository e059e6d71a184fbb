package browser_test

import (
	"net/url"
	"strings"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
)

// Names of 40 wide letters without a place to break: of a merchant, a service, a person, a
// reason and a view. No page scrolls sideways at 320 px, which is also a page at 400 %.
func TestNarrow_LongNamesDoNotScrollSideways(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("W", 40)
	const merchant = "1900021408"
	must(a.Store.PutMerchant(t.Context(), correction.Merchant{SubMchID: merchant, Name: long}))
	must(a.Store.PutOffering(t.Context(), correction.Offering{ServiceID: "2002100000000498310275514862033", Name: long}))
	a.AddPerson("wide", long, correction.Supervisor)
	a.AddPerson(strings.Repeat("w", 30), long, correction.Agent)
	per := correction.Fen(100)
	a.AgentLimit(correction.Limit{Per: &per})
	agent, boss := a.As(strings.Repeat("w", 30)), a.As("wide")
	order := "/orders/" + merchant + "/" + bankNo
	form := func(total string) url.Values {
		return url.Values{
			"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {strings.Repeat("W", 30)},
			"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
			"device.start_device_id": {strings.Repeat("W", 50)}, "device.end_device_id": {strings.Repeat("M", 50)}, "total_amount": {total}, "reason_code": {"device_fault"},
			"ticket": {strings.Repeat("W", 60)}, "note": {strings.Repeat("W", 300)}, "reason": {strings.Repeat("W", 50)},
		}
	}
	waits := submit(t, a, agent, order, form("10"), "10", true)
	mine := map[string]string{
		"home": "/", "order": order, "correction": waits, "log": "/corrections", "account": "/account", "lookup": "/orders?out_order_no=NONE_1", "not found": "/nowhere",
	}
	boss.Post("/corrections/views", url.Values{"name": {strings.Repeat("W", 30)}})
	day := a.Service.DayName(a.Clock.Now())
	theirs := map[string]string{
		"home": "/", "approvals": "/approvals", "approval": waits, "log": "/corrections", "filtered": "/corrections?sub_mchid=" + merchant, "review": "/review", "day": "/review/days/" + day, "insights": "/insights",
		"settings": "/settings", "limits": "/settings/limits", "tiers": "/settings/tiers", "reasons": "/settings/reasons", "merchants": "/settings/merchants", "services": "/settings/services", "operations": "/operations", "account": "/account",
		"history": "/settings/merchants/history", "form": order + "/correction",
	}
	tried := 0
	for _, who := range []struct {
		login string
		pages map[string]string
	}{{strings.Repeat("w", 30), mine}, {"wide", theirs}} {
		for _, width := range []int{320, 390} {
			tab := browser.Start(t).Open(view(browser.Phone, func(v *browser.View) { v.Width = width }))
			signIn(tab, a, who.login)
			for name, path := range who.pages {
				tab.Goto(a.URL + path)
				tried++
				if tab.ScrollsSideways() {
					widest := browser.Value[string](tab, `(() => { let out = []; const w = document.documentElement.clientWidth; for (const e of document.querySelectorAll("body *")) { const r = e.getBoundingClientRect(); if (r.right > w + 1 && r.width > 0 && !e.closest(".table-wrap, pre")) out.push(e.tagName + "." + e.className + " " + Math.round(r.right)); } return out.slice(0, 6).join("; "); })()`)
					t.Errorf("%s of %s scrolls sideways at %d px: %s", name, who.login[:4], width, widest)
				}
				if html := browser.Value[string](tab, `document.documentElement.getAttribute("translate") || ""`); html != "no" {
					t.Errorf("%s may be translated", name)
				}
			}
		}
	}
	t.Logf("%d pages tried", tried)
}
