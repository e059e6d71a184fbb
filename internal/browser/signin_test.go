package browser_test

import (
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
)

// A session ends while a form is open: what was typed comes back to the person who typed
// it, and neither the sign-in page nor the next person at the desk is told any of it. With
// scripts the row buttons lead there, too.
func TestSession_EndsOverAForm(t *testing.T) {
	const note = "客户说三小时就还了"
	for _, v := range []browser.View{
		view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		view(browser.Phone, func(v *browser.View) { v.NoScript, v.Dark, v.Language = true, true, "en" }),
	} {
		a := apptest.Start(t, apptest.Options{})
		b := browser.Start(t)
		tab := b.Open(v)
		form := a.URL + "/orders/" + bankMch + "/" + bankNo + "/correction"
		name := map[bool]string{true: "en-dark-phone", false: "zh-desktop"}[v.NoScript]
		for _, next := range []string{"wu", "lin"} {
			signIn(tab, a, "lin")
			tab.Goto(form)
			tab.Fill("#total_amount", "10")
			tab.Fill("#note", note)
			a.Clock.Advance(16 * time.Minute)
			tab.Follow(`button[value="add-line"]`)
			tab.Problems() // the answer of the page that has no session
			if page := browser.Value[string](tab, "document.documentElement.outerHTML"); !tab.Has("#username") || strings.Contains(page, note) || strings.Contains(page, "林晓雯") {
				t.Fatalf("%s: the sign-in page is not there, or tells what was typed:\n%s", name, page)
			}
			if tab.ScrollsSideways() {
				t.Errorf("%s: the sign-in page scrolls sideways", name)
			}
			tab.Screenshot("session-ended-" + name)
			tab.Fill("#username", next)
			tab.Fill("#password", apptest.Password)
			tab.PressAndFollow("Enter")
			page := browser.Value[string](tab, "document.body.innerText")
			if next == "lin" {
				if tab.URL() != form || tab.Field("#note") != note || tab.Field("#total_amount") != "10" {
					t.Errorf("%s: what was typed did not come back: %s\n%s", name, tab.URL(), page)
				}
			} else if tab.URL() != a.URL+"/" || !strings.Contains(page, "另一个人填的") && !strings.Contains(page, "typed by somebody else") {
				t.Errorf("%s: the other person is not told that it was dropped: %s\n%s", name, tab.URL(), page)
			}
			tab.Screenshot("session-ended-" + name + "-" + next)
			if next == "wu" {
				tab.Goto(form)
				if page := browser.Value[string](tab, "document.documentElement.outerHTML"); strings.Contains(page, note) {
					t.Errorf("%s: the other person sees it", name)
				}
				a.Clock.Advance(16 * time.Minute) // and goes
			}
		}
	}
}
