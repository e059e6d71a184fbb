package browser_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
)

// The pages of what is void, and of an order that was lowered before, in each view: axe
// finds nothing, nothing scrolls sideways.
func TestScreenshots_Void(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	lin := a.Who("lin")
	limit := func(f correction.Fen) *correction.Fen { return &f }
	void := a.Propose(lin, a.Order("YS-VOID", 90000), 0)
	sliced := a.Order("YS-SLICED", 90000)
	a.AgentLimit(correction.Limit{Per: limit(50000), Day: limit(100000)})
	must(a.Confirm(lin, a.Propose(lin, sliced, 60000)))
	over := a.Propose(lin, sliced, 30000)
	must(a.Confirm(lin, over))
	offering, err := a.Store.Offering(t.Context(), sliced.ServiceID)
	must(err)
	offering.AllowZero = false
	must(a.Store.PutOffering(t.Context(), offering))
	gone := a.Propose(lin, a.Order("YS-GONE", 90000), 30000)
	must(a.Confirm(lin, gone))
	db, err := sql.Open("sqlite", "file:"+filepath.Join(a.Data, "console.db")+"?_pragma=busy_timeout(20000)")
	must(err)
	defer db.Close()
	for name, v := range map[string]browser.View{
		"zh":            view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"en":            view(browser.Desktop, func(v *browser.View) { v.Language = "en" }),
		"zh-dark":       view(browser.Desktop, func(v *browser.View) { v.Language, v.Dark = "zh-CN", true }),
		"en-phone-dark": view(browser.Phone, func(v *browser.View) { v.Language, v.Dark = "en", true }),
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
		signIn(tab, a, "lin")
		tab.Goto(a.URL + "/")
		look("void-home")
		tab.Goto(a.URL + fmt.Sprintf("/corrections/%d", void.ID))
		look("void-correction")
		tab.Goto(a.URL + fmt.Sprintf("/corrections/%d", over.ID))
		look("void-over")
		signOut(tab)
		signIn(tab, a, "qian")
		tab.Goto(a.URL + fmt.Sprintf("/approvals?id=%d", over.ID))
		look("void-case")
		_, err := db.ExecContext(t.Context(), `UPDATE user SET role = 'auditor' WHERE username = 'lin'`) // behind the console's back
		must(err)
		tab.Goto(a.URL + fmt.Sprintf("/approvals?id=%d", gone.ID))
		look("void-author")
		_, err = db.ExecContext(t.Context(), `UPDATE user SET role = 'agent' WHERE username = 'lin'`)
		must(err)
		signOut(tab)
	}
}
