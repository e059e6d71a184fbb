package browser_test

import (
	"net/url"
	"strings"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
)

// Every page of the settings in each view: axe finds nothing, nothing scrolls sideways.
func TestScreenshots_Settings(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	per, day := correction.Fen(20000), correction.Fen(500000)
	a.Setting(correction.SettingTiers, []correction.Tier{{From: 0}, {From: 100000, Approvers: []int64{a.Who("qian").UserID}}})
	qian := a.As("qian")
	if res := qian.Post("/settings/limits", url.Values{"n": {"0"}, "do": {"save"}, "agent.per": {per.Yuan()}, "agent.day": {day.Yuan()}, "agent.count": {"200"}}); res.Status != 303 {
		t.Fatal(res.Status, res.Body)
	}
	if res := qian.Post("/settings/hours", url.Values{"n": {"0"}, "do": {"save"}, "day.1.open": {"1"}, "day.1.from": {"8:30"}, "day.1.until": {"18:00"}}); res.Status != 303 {
		t.Fatal(res.Status)
	}
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
			tab.NoViolations()
			if tab.ScrollsSideways() {
				t.Errorf("%s: %s scrolls sideways", name, page)
			}
			tab.Screenshot("settings-" + page + "." + name)
		}
		signIn(tab, a, "zhou")
		tab.Goto(a.URL + "/settings")
		look("all")
		for _, page := range []string{"reasons", "limits", "tiers", "flags", "hours"} {
			tab.Goto(a.URL + "/settings/" + page)
			look(page)
		}
		tab.Goto(a.URL + "/settings/limits/history")
		look("history")
		tab.Goto(a.URL + "/settings/limits")
		tab.Fill(`[name="agent.per"]`, "1,000.00")
		tab.Fill(`[name="agent.percent"]`, "120")
		tab.Follow(`button[value="save"]`)
		if !strings.Contains(tab.Text("main"), "1,000.00") && browser.Value[string](tab, `document.querySelector('[name="agent.per"]').value`) != "1,000.00" {
			t.Error("what was typed is lost")
		}
		look("errors")
		other := browser.Start(t).Open(v)
		signIn(other, a, "he")
		for _, page := range []string{"merchants", "services?edit=2002100000000580316627419953082", "merchants/history", "tiers"} {
			other.Goto(a.URL + "/settings/" + page)
			other.NoViolations()
			if other.ScrollsSideways() {
				t.Errorf("%s: %s scrolls sideways", name, page)
			}
			other.Screenshot("settings-he-" + strings.NewReplacer("?edit=2002100000000580316627419953082", "", "/", "-").Replace(page) + "." + name)
		}
	}
}
