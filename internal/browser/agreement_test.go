package browser_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
)

// What waits for a second supervisor, as everybody sees it, in each view; then it is
// agreed to by keyboard, with and without scripts.
func TestScreenshots_Agreement(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	per, more := correction.Fen(5000), correction.Fen(30000)
	a.AgentLimit(correction.Limit{Per: &per})
	lin := a.Who("lin")
	for _, no := range []string{"YS-AG-1", "YS-AG-2", "YS-AG-3"} {
		c := a.Propose(lin, a.Order(no, 20000), 9000)
		if err := a.Confirm(lin, c); err != nil {
			t.Fatal(err)
		}
		if err := a.Service.Decline(t.Context(), a.Who("qian"), c.ID, "金额没有依据。"); err != nil {
			t.Fatal(err)
		}
	}
	loosen := func() {
		t.Helper()
		typed := correction.Typed{"agent.per": more.Yuan(), "agent.count": "200"}
		if problems, saved, err := a.Service.EditSetting(t.Context(), a.Who("zhou"), correction.SettingLimits, inForce(t, a), typed, ""); err != nil || saved != correction.SavedWaits {
			t.Fatal(problems, saved, err)
		}
	}
	loosen()
	he := a.As("he")
	service := url.Values{"do": {"save"}, "was": {""}, "service_id": {"2002100000000599000000000000001"}, "name": {"共享雨伞"}, "industry": {"power_bank"}, "cap": {"30"}, "allow_zero": {"1"}}
	if res := he.Post("/settings/services", service); res.Status != 303 {
		t.Fatal(res.Status, res.Body)
	}
	a.AddPerson("mei", "梅", correction.Supervisor, bankMch)
	for name, v := range map[string]browser.View{
		"zh":            view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"en":            view(browser.Desktop, func(v *browser.View) { v.Language = "en" }),
		"zh-dark":       view(browser.Desktop, func(v *browser.View) { v.Language, v.Dark = "zh-CN", true }),
		"zh-phone":      view(browser.Phone, func(v *browser.View) { v.Language, v.NoScript = "zh-CN", true }),
		"en-phone-dark": view(browser.Phone, func(v *browser.View) { v.Language, v.Dark = "en", true }),
	} {
		tab := browser.Start(t).Open(v)
		look := func(page string) {
			t.Helper()
			if !v.NoScript {
				tab.NoViolations()
				if tab.ScrollsSideways() {
					t.Errorf("%s: %s scrolls sideways", name, page)
				}
			}
			tab.Screenshot("agreement-" + page + "." + name)
		}
		for _, x := range []struct{ who, page string }{{"qian", "limits"}, {"qian", "services"}, {"zhou", "limits"}, {"mei", "limits"}} {
			signIn(tab, a, x.who)
			tab.Goto(a.URL + "/settings/" + x.page)
			look(x.who + "-" + x.page)
			if x.who == "qian" && x.page == "services" {
				tab.Goto(a.URL + "/settings")
				look("all")
			}
			tab.Goto(a.URL + "/account")
			tab.Eval(`document.querySelector('form[action="/logout"]').requestSubmit()`)
			tab.Wait(`location.pathname === "/login"`)
		}
	}
	for _, off := range []bool{false, true} {
		v := view(browser.Desktop, func(v *browser.View) { v.Language, v.NoScript = "zh-CN", off })
		tab := browser.Start(t).Open(v)
		signIn(tab, a, "qian")
		tab.Goto(a.URL + "/settings/limits")
		tab.Focus(`form[action="/settings/limits/agreement"] button[value="agree"]`)
		tab.PressAndFollow("Enter")
		if text := tab.Text("main"); !strings.Contains(text, "已同意，现在生效") {
			t.Fatalf("not agreed to:\n%s", text)
		}
		set, err := a.Service.Settings(t.Context())
		if err != nil || *set.Limits.Roles[correction.Agent].Per != more {
			t.Fatalf("%+v %v", set.Limits, err)
		}
		if more += 100; v.NoScript {
			break
		}
		loosen()
	}
	// One supervisor: the banner on every page.
	if err := a.Store.SetDisabled(t.Context(), "qian", true); err != nil {
		t.Fatal(err)
	}
	loosen()
	a.Clock.Advance(time.Minute)
	tab := browser.Start(t).Open(view(browser.Phone, func(v *browser.View) { v.Language = "zh-CN" }))
	signIn(tab, a, "zhou")
	tab.NoViolations()
	tab.Screenshot("agreement-banner.zh-phone")
	tab.Goto(a.URL + "/settings/limits/history")
	tab.NoViolations()
	tab.Screenshot("agreement-history.zh-phone")
}

func inForce(t *testing.T, a *apptest.App) int {
	t.Helper()
	a.Service.ForgetSettings()
	set, err := a.Service.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return set.N[correction.SettingLimits]
}
