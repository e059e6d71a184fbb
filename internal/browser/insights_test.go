package browser_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// busyWeeks puts corrections of the last weeks on record, several a day.
func busyWeeks(t *testing.T, a *apptest.App) {
	t.Helper()
	chance := rand.New(rand.NewPCG(7, 7))
	merchants, services := simulator.DemoMerchants(), simulator.DemoOfferings()
	people := []string{"lin", "lin", "lin", "wu", "wu", "wang", "zhou"}
	reasons := []string{"timing", "timing", "timing", "device_fault", "device_fault", "not_taken", "complaint", "other"}
	ways := [][]correction.State{apptest.WayDeclined, apptest.WayUnknown, apptest.WayConflict, apptest.WayRejected, apptest.WayNotApplied, apptest.WayNotSent, apptest.WayLate}
	start := a.Service.DayStart(a.Clock.Now())
	for i := range 420 {
		day := chance.IntN(40)
		p := apptest.Past{
			Login: people[chance.IntN(len(people))], Merchant: merchants[chance.IntN(len(merchants))].SubMchID, Service: services[chance.IntN(len(services))].ServiceID,
			Order: fmt.Sprintf("IN_%06d", i), Base: correction.Fen(900 + 100*chance.IntN(90)), Reason: reasons[chance.IntN(len(reasons))],
			At: correction.AddDays(start, -day).Add(time.Duration(chance.IntN(24*60)) * time.Minute), States: apptest.WayApplied,
		}
		if p.At.After(a.Clock.Now()) {
			p.At = a.Clock.Now().Add(-time.Hour)
		}
		p.Target = p.Base * correction.Fen(chance.IntN(9)) / 10
		if chance.IntN(3) > 0 {
			p.Device = correction.Device{Start: fmt.Sprintf("XQ-%04d-%02d", chance.IntN(12), chance.IntN(3)), End: fmt.Sprintf("XQ-%04d-09", chance.IntN(12))}
		}
		switch k := chance.IntN(40); {
		case k < len(ways):
			p.States = ways[k]
		case k < 30:
			p.Settled, p.SettledAfter = correction.PaidNew, time.Duration(2+chance.IntN(900))*time.Minute
		case k == 30:
			p.Settled, p.SettledAfter = correction.PaidOld, 3*time.Hour
		}
		if last := p.States[len(p.States)-1]; last.Effective() && chance.IntN(25) == 0 {
			p.Review = correction.ReviewWrong
		}
		a.Put(p)
	}
}

// The page of figures in both themes and languages, on a desk and on a phone: axe finds
// nothing, and nothing scrolls sideways. With SCREENSHOTS set, pictures are kept.
func TestScreenshots_Insights(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	busyWeeks(t, a)
	today := a.Service.DayStart(a.Clock.Now())
	day := func(n int) string { return correction.AddDays(today, n).Format(time.DateOnly) }
	for name, v := range map[string]browser.View{
		"zh":            view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"en":            view(browser.Desktop, func(v *browser.View) { v.Language = "en" }),
		"zh-dark":       view(browser.Desktop, func(v *browser.View) { v.Language, v.Dark = "zh-CN", true }),
		"zh-phone":      view(browser.Phone, func(v *browser.View) { v.Language = "zh-CN" }),
		"en-phone-dark": view(browser.Phone, func(v *browser.View) { v.Language, v.Dark = "en", true }),
	} {
		tab := browser.Start(t).Open(v)
		signIn(tab, a, "qian")
		for page, query := range map[string]string{
			"insights": "", "insights-month": "?from=" + day(-30) + "&to=" + day(0), "insights-year": "?from=" + day(-365) + "&to=" + day(0),
			"insights-error": "?from=2026-02-31&to=" + day(9), "insights-empty": "?from=2020-01-01&to=2020-01-07",
		} {
			tab.Goto(a.URL + "/insights" + query)
			if page == "insights-month" { // with everything open
				tab.Eval(`document.querySelectorAll("main details").forEach(d => { d.open = true })`)
			}
			tab.NoViolations()
			if tab.ScrollsSideways() {
				t.Errorf("%s: %s scrolls sideways", name, page)
			}
			tab.Screenshot(page + "." + name)
		}
		signOut(tab)
	}
}
