package browser_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
)

// toReview makes corrections that are to be reviewed and some that were, and returns
// the addresses of their pages.
func toReview(t *testing.T, a *apptest.App) map[string]string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	u, err := a.Store.UserByName(t.Context(), "zhou")
	must(err)
	must(a.Store.PutSetting(t.Context(), correction.SettingFlags, 1, []byte(`{"share_permille":500,"near_permille":50,"again_days":7,"fast_seconds":10,"sample_permille":500}`), u.ID, "", a.Clock.Now()))
	must(a.Store.PutSetting(t.Context(), correction.SettingLimits, 1, []byte(`{"roles":{"agent":{"per":9000}}}`), u.ID, "", a.Clock.Now()))
	sample, ok := a.Sim.Order(bankMch, bankNo)
	if !ok {
		t.Fatal("no sample order")
	}
	paths := map[string]string{}
	for i, total := range []string{"10", "90", "85", "9.20", "95", "70"} {
		o := sample
		o.OutOrderNo = fmt.Sprintf("PB_20261123_2%03d", i)
		a.Sim.Put(o)
		who := "lin"
		if i == 5 {
			who = "zhou"
		}
		device := fmt.Sprintf("XQ-0718-%02d", i)
		if i == 3 {
			device = "XQ-0718-00"
		}
		paths[total] = submit(t, a, a.As(who), "/orders/"+bankMch+"/"+o.OutOrderNo, url.Values{
			"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时，封顶99元"}, "post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
			"device.start_device_id": {device}, "device.end_device_id": {device}, "total_amount": {total}, "reason_code": {"device_fault"},
			"note": {"用户 5 小时后已归还，柜机没有识别。"},
		}, total, true)
	}
	for _, s := range []struct{ who, path, mark, text string }{
		{"zhou", paths["10"], "queried", "为什么改到 10 元？柜机日志里看不到归还。"},
		{"zhou", paths["85"], "queried", "客户怎么说的？"},
		{"lin", paths["85"], "answered", "客户发了归还时的照片，工单里有。"},
		{"qian", paths["90"], "wrong", "按规则只能减到 92 元。"},
	} {
		if res := a.As(s.who).Post(s.path+"/review", url.Values{"mark": {s.mark}, "text": {s.text}}); res.Status != 303 {
			t.Fatalf("%s: %d\n%s", s.path, res.Status, res.Body)
		}
	}
	return paths
}

// The pages of reviews and days, in both themes: axe finds nothing, and nothing scrolls
// sideways. With SCREENSHOTS set, pictures of all of them are kept.
func TestScreenshots_Review(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	paths := toReview(t, a)
	day := "/review/days/" + a.Service.DayName(a.Clock.Now())
	before := "/review/days/" + a.Service.DayName(a.Clock.Now().Add(-24*time.Hour))
	if res := a.As("qian").Post(before, url.Values{"n": {"0"}, "action": {"closed"}, "text": {"没有改价。"}}); res.Status != 303 {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	for name, v := range map[string]browser.View{
		"zh":            view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"en":            view(browser.Desktop, func(v *browser.View) { v.Language = "en" }),
		"zh-dark":       view(browser.Desktop, func(v *browser.View) { v.Language, v.Dark = "zh-CN", true }),
		"zh-phone":      view(browser.Phone, func(v *browser.View) { v.Language = "zh-CN" }),
		"en-phone-dark": view(browser.Phone, func(v *browser.View) { v.Language, v.Dark = "en", true }),
	} {
		tab := browser.Start(t).Open(v)
		look := func(page, path string) {
			t.Helper()
			if path != "" {
				tab.Goto(a.URL + path)
			}
			tab.NoViolations()
			if tab.ScrollsSideways() {
				t.Errorf("%s: %s scrolls sideways", name, page)
			}
			tab.Screenshot(page + "." + name)
		}
		signIn(tab, a, "lin")
		look("review-mine", "/")
		look("review-question", paths["10"])
		signOut(tab)
		signIn(tab, a, "zhou")
		look("review-open", "/review")
		look("review-wrong", "/review?tab=wrong")
		look("review-plain", "/review?tab=plain")
		look("review-skipped", "/review?signed=2&skipped="+strings.TrimPrefix(paths["90"], "/corrections/"))
		look("review-thread", paths["85"])
		look("review-day", day)
		look("review-closed", before)
		tab.Goto(a.URL + "/review")
		tab.Follow(`button[data-pick-count]`)
		look("review-errors", "")
		tab.Goto(a.URL + paths["90"])
		tab.Follow(`form[action$="/review"] button:not([hidden])`)
		look("review-thread-errors", "")
		signOut(tab)
	}
}
