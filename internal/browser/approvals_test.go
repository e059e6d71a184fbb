package browser_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
)

// waiting puts corrections into the queue: two that everybody decides about, one of the
// top tier, one that lapsed and one of the supervisor's own.
func waiting(t *testing.T, a *apptest.App) map[string]correction.Correction {
	t.Helper()
	limit, day := correction.Fen(20000), correction.Fen(100000)
	own := day - 1 // so that the whole top tier is above it: of one that is hidden nothing else is told
	a.Setting(correction.SettingLimits, correction.Limits{Roles: map[correction.Role]correction.Limit{
		correction.Agent: {Per: &limit, Day: &day}, correction.Supervisor: {Per: &own},
	}, People: map[string]correction.Limit{fmt.Sprint(a.Who("qian").UserID): {}}})
	a.Setting(correction.SettingTiers, []correction.Tier{{From: 0}, {From: 100000}})
	lin, wu, zhou := a.Who("lin"), a.Who("wu"), a.Who("zhou")
	out := map[string]correction.Correction{}
	add := func(name string, by correction.Actor, total, target correction.Fen) {
		t.Helper()
		c := a.Propose(by, a.Order("YS-ZC-20261123-"+name, total), target)
		if err := a.Confirm(by, c); err != nil {
			t.Fatal(err)
		}
		out[name] = a.Record(c.ID)
		a.Clock.Advance(7 * time.Minute)
	}
	add("done", lin, 30000, 25000)
	add("first", lin, 31800, 400)
	add("second", wu, 51260, 26610)
	add("top", wu, 268000, 60000)
	add("lapsed", lin, 42000, 18000)
	add("own", zhou, 300000, 100000)
	a.Order("YS-ZC-20261123-lapsed", 30000)
	for _, c := range out { // as the reconciler does
		if c.State != correction.Awaiting {
			continue
		}
		if _, err := a.Service.Requery(context.Background(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// The queue by keyboard alone: down the list, open, to the reason, return it; then
// approve one by its button. Letters press nothing.
func TestApprovals_ByKeyboard(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	all := waiting(t, a)
	tab := browser.Start(t).Open(view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }))
	signIn(tab, a, "zhou")
	tab.Goto(a.URL + "/corrections") // on the first page the cursor is in the find box
	tab.Press("g")
	tab.PressAndFollow("a")
	if !strings.HasSuffix(tab.URL(), "/approvals") {
		t.Fatalf("g a led to %s", tab.URL())
	}
	tab.Press("j")
	tab.Press("j")
	tab.PressAndFollow("o")
	if want := fmt.Sprintf("/approvals?id=%d", all["second"].ID); !strings.HasSuffix(tab.URL(), want) {
		t.Fatalf("j j o led to %s, want %s", tab.URL(), want)
	}
	tab.Press("d")
	if got := browser.Value[string](tab, "document.activeElement.id"); got != "text" {
		t.Fatalf("d went to %q", got)
	}
	tab.Type("请附上行驶记录")
	tab.Follow(`button[formaction$="/return"]`)
	if got := a.Record(all["second"].ID).State; got != correction.Returned {
		t.Fatalf("it is %s", got)
	}
	if !strings.Contains(tab.Text("main"), "已退回") {
		t.Error("the page does not say so")
	}
	tab.Press("a")
	if got := a.Record(all["first"].ID).State; got != correction.Awaiting {
		t.Fatalf("a letter decided: %s", got)
	}
	tab.PressAndFollow("Enter") // on the button that a went to
	if got := a.Record(all["first"].ID); got.State != correction.Applied || a.Sim.Posts(got.Ref.OutOrderNo) != 1 {
		t.Fatalf("it is %s", got.State)
	}
	tab.Goto(a.URL + fmt.Sprintf("/approvals?id=%d", all["top"].ID))
	if text := tab.Text("main"); !strings.Contains(text, "超出你自己的上限") || strings.Contains(text, "批准并发给微信") {
		t.Error("zhou may approve above their limit")
	}
}

// Every page of approving in each view: axe finds nothing, nothing scrolls sideways.
func TestScreenshots_Approvals(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	all := waiting(t, a)
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
			tab.Screenshot(page + "." + name)
		}
		signIn(tab, a, "qian")
		tab.Goto(a.URL + "/approvals")
		look("approvals")
		for _, which := range []string{"top", "own", "lapsed"} {
			tab.Goto(a.URL + fmt.Sprintf("/approvals?id=%d", all[which].ID))
			look("approvals-" + which)
		}
		// One of its own in each view: three wrong totals and somebody else decides.
		wu := a.Who("wu")
		blind := a.Propose(wu, a.Order("YS-BLIND-"+name, 268000), 60000)
		if err := a.Confirm(wu, blind); err != nil {
			t.Fatal(err)
		}
		tab.Goto(a.URL + fmt.Sprintf("/approvals?id=%d", blind.ID))
		tab.Fill("#typed_total", "1.00")
		tab.Follow(`button[formaction$="/approval"]`)
		look("approvals-blind-error")
		tab.Goto(a.URL + fmt.Sprintf("/approvals?id=%d", all["second"].ID))
		tab.Follow(`button[formaction$="/decline"]`)
		look("approvals-error")
		signOut(tab)
		signIn(tab, a, "zhou")
		tab.Goto(a.URL + fmt.Sprintf("/approvals?id=%d", all["own"].ID))
		look("approvals-mine")
		signOut(tab)
		signIn(tab, a, "lin")
		tab.Goto(a.URL + "/")
		look("waiting-home")
		tab.Goto(a.URL + fmt.Sprintf("/corrections/%d", all["first"].ID))
		look("waiting-correction")
		tab.Goto(a.URL + "/orders/1900022254/YS-ZC-20261120-008/correction")
		tab.Fill(`[name="post_payments.0.amount"]`, "100")
		tab.Press("Tab")
		tab.Wait(`!document.querySelector("[data-stale]") && document.querySelector("[data-part=next]").textContent.match(/审批|approval/)`)
		look("allowance-form")
		c := a.Propose(a.Who("lin"), a.Order("YS-OPEN-"+name, 90000), 50000)
		tab.Goto(a.URL + fmt.Sprintf("/corrections/%d", c.ID))
		look("allowance-confirm")
		signOut(tab)
	}
}
