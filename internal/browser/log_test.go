package browser_test

import (
	"fmt"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
)

// The change log with its filters, columns, views and errors, in both themes and on a
// phone, and a correction's page for a supervisor: axe finds nothing, and nothing
// scrolls sideways. With SCREENSHOTS set, pictures of all of them are kept.
func TestScreenshots_Log(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	people := []correction.Actor{a.Who("lin"), a.Who("wu")}
	last := ""
	for i := range 60 {
		by := people[i%len(people)]
		ref := a.Order(fmt.Sprintf("YS-ZC-20261120-1%02d", i), correction.Fen(30000+1777*i))
		c := a.Propose(by, ref, correction.Fen(9000+911*i))
		if i%9 == 4 {
			continue
		}
		if err := a.Confirm(by, c); err != nil {
			t.Fatal(err)
		}
		last = fmt.Sprintf("/corrections/%d", c.ID)
	}
	for name, v := range map[string]browser.View{
		"zh":       view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"en":       view(browser.Desktop, func(v *browser.View) { v.Language = "en" }),
		"zh-dark":  view(browser.Desktop, func(v *browser.View) { v.Language, v.Dark = "zh-CN", true }),
		"zh-phone": view(browser.Phone, func(v *browser.View) { v.Language = "zh-CN" }),
	} {
		tab := browser.Start(t).Open(v)
		look := func(page string) {
			t.Helper()
			tab.NoViolations()
			if tab.ScrollsSideways() {
				t.Errorf("%s: %s scrolls sideways", name, page)
			}
			tab.Screenshot(page + "." + name)
		}
		signIn(tab, a, "zhou")
		tab.Goto(a.URL + "/corrections?state=applied&reduction_min=50")
		look("log")
		tab.Goto(a.URL + "/corrections?sort=reduction&rows=25&more=1&flag=share&share_min=40")
		look("log-more")
		tab.Goto(a.URL + "/corrections?from=2026-11-23T14:00&to=2026-11-22&share_min=400&reduction_max=1,000&agent=lin&rows=25")
		look("log-errors")
		if v.Language == "zh-CN" && !v.Dark {
			tab.Goto(a.URL + "/corrections?rows=25&state=applied&save=1")
			look("log-save")
			tab.Goto(a.URL + "/corrections?rows=25")
			tab.Eval(`document.querySelectorAll(".page__actions .menu")[1].setAttribute("open", "")`)
			if tab.ScrollsSideways() { // the open menu lies over the table
				t.Errorf("%s: the open menu scrolls sideways", name)
			}
			tab.Screenshot("log-export." + name)
			tab.Eval(`document.querySelector('.exports a[href^="/corrections.csv"]').click()`)
			tab.WaitText("[data-export-progress]", "导出") // a browser without a screen may keep no files: then it says that it was cut off
		}
		tab.Goto(a.URL + last)
		look("log-correction")
		signOut(tab)
	}
}
