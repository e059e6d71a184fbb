package browser_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
)

// A whole day of a supervisor in a real browser: a limit is set, an approval is given, a
// correction is found in the log, one is queried and answered, all are signed, the figures
// lead back to the log, and the day is closed and reopened. With and without script.
func TestDay_OfASupervisor(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]browser.View{
		"with script":    view(browser.Desktop, func(v *browser.View) { v.Language = "zh-CN" }),
		"without script": view(browser.Desktop, func(v *browser.View) { v.Language, v.NoScript = "zh-CN", true }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{})
			// Noon, so that neither midnight nor the working hours come in between.
			now := a.Clock.Now()
			a.Clock.Advance(a.Service.DayStart(now).AddDate(0, 0, 1).Add(12 * time.Hour).Sub(now))
			day := a.Service.DayTime(a.Clock.Now()).Format(time.DateOnly)
			a.Setting(correction.SettingFlags, correction.FlagRules{SharePermille: 500}) // no sample: the test knows what is to be reviewed
			tab := browser.Start(t).Open(v)
			fits := func() {
				t.Helper()
				tab.NoViolations()
				if tab.ScrollsSideways() {
					t.Errorf("%s scrolls sideways", tab.URL())
				}
			}
			says := func(want ...string) {
				t.Helper()
				text := tab.Text("main")
				for _, w := range want {
					if !strings.Contains(text, w) {
						t.Errorf("%s lacks %q:\n%s", tab.URL(), w, text)
					}
				}
			}

			// In the morning: agents get a limit.
			signIn(tab, a, "zhou")
			tab.Goto(a.URL + "/settings/limits")
			fits()
			tab.Fill(`[name="agent.per"]`, "300")
			tab.Follow(`button[name=do][value=save]`)
			set, err := a.Service.Settings(t.Context())
			if err != nil || set.Limits.Roles[correction.Agent].Per == nil || *set.Limits.Roles[correction.Agent].Per != 30000 {
				t.Fatalf("the limit was not set: %+v %v\n%s", set.Limits, err, tab.Text("main"))
			}

			// Agents are at work: one correction of no interest, one of more than half, one above
			// the limit.
			lin := a.Who("lin")
			small := a.Propose(lin, a.Order("YS-DAY-1", 50000), 45000)
			large := a.Propose(lin, a.Order("YS-DAY-2", 50000), 21000)
			above := a.Propose(lin, a.Order("YS-DAY-3", 90000), 50000)
			for _, c := range []correction.Correction{small, large, above} {
				if err := a.Confirm(lin, c); err != nil {
					t.Fatal(err)
				}
			}

			// The approval.
			tab.Goto(a.URL + "/")
			tab.Follow(`.topbar__nav a[href="/approvals"]`)
			fits()
			says("1 笔待审批", "¥900.00", "¥500.00", "超出每单上限 ¥300.00")
			tab.Follow(`button[formaction$="/approval"]`)
			says("已生效", "批准", "周启明")
			if got := a.Record(above.ID); got.State != correction.Applied || a.Sim.Posts("YS-DAY-3") != 1 {
				t.Fatalf("approved: %s", got.State)
			}
			fits()

			// In the log, by what was written in its note.
			tab.Goto(a.URL + "/corrections")
			tab.Fill("#q", "早一天还车")
			tab.Select("#state", string(correction.Applied))
			tab.Follow(".filters button.button--primary")
			fits()
			tab.Goto(a.URL + "/corrections?q=" + "%E8%BF%98%E8%BD%A6" + "&share_min=50")
			says("YS-DAY-2")
			if strings.Contains(tab.Text("main table"), "YS-DAY-1") {
				t.Error("the share does not filter")
			}

			// The review: a question for the agent.
			tab.Goto(a.URL + "/review")
			fits()
			says(fmt.Sprintf("#%d", large.ID), "降幅")
			tab.Goto(a.URL + fmt.Sprintf("/corrections/%d", large.ID))
			fits()
			tab.Click(`input[name=mark][value=queried]`)
			tab.Fill("#review-text", "客户说少用了几天？")
			tab.Follow(`form[action$="/review"] button:not([hidden])`)
			if got := a.Record(large.ID).Last(); got.Detail.Review != correction.ReviewQueried {
				t.Fatalf("it is not queried: %+v", got)
			}
			signOut(tab)
			signIn(tab, a, "lin")
			says("主管有问题问你", "客户说少用了几天？")
			tab.Goto(a.URL + fmt.Sprintf("/corrections/%d", large.ID))
			tab.Fill("#review-text", "少用两天，门店有还车记录。")
			tab.Follow(`form[action$="/review"] button:not([hidden])`)
			signOut(tab)

			// Answered: everything that is flagged is signed, then what is not, in one go.
			signIn(tab, a, "zhou")
			tab.Goto(a.URL + "/review")
			says("少用两天")
			for range 5 {
				if !tab.Has("input[name=id]") {
					break
				}
				tab.Click("input[name=id]")
				tab.Click(`.sign input[name=mark][value=fine]`)
				tab.Follow(".sign button.button--primary")
			}
			if got := a.Record(large.ID); got.Last().Detail.Review != correction.ReviewFine {
				t.Fatalf("the answered one: %+v", got.Last())
			}
			tab.Goto(a.URL + "/review?tab=plain")
			fits()
			tab.Click("input[name=id]")
			tab.Fill("#sign-text", "普通改价，已抽看")
			tab.Follow(".sign button.button--primary")

			// The figures lead to the log.
			tab.Goto(a.URL + "/insights?from=" + day + "&to=" + day)
			fits()
			says("¥740.00") // 50 + 290 + 400

			// The day is closed, and reopened for a reason.
			tab.Goto(a.URL + "/review/days/" + day)
			fits()
			tab.Follow(`form[action^="/review/days/"] button.button--primary`)
			says("周启明", "重开")
			fits()
			records, err := a.Store.DayRecords(t.Context(), day)
			if err != nil || len(records) != 1 {
				t.Fatalf("the day's records: %+v %v\n%s", records, err, tab.Text("main"))
			}
			tab.Fill("#day-text", "商户补了一笔说明")
			tab.Follow(`form[action^="/review/days/"] button:not([hidden])`)
			if records, err = a.Store.DayRecords(t.Context(), day); err != nil || len(records) != 2 {
				t.Fatalf("reopened: %+v %v\n%s", records, err, tab.Text("main"))
			}
		})
	}
}

// The two sheets that are printed, the slip of a correction and the close of a day, hold
// no controls and fit an A4 page.
func TestScreenshots_Print(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.Who("lin")
	c := a.Propose(lin, a.Order("YS-PRINT-1", 50000), 21000)
	if err := a.Confirm(lin, c); err != nil {
		t.Fatal(err)
	}
	day := a.Service.DayTime(a.Clock.Now()).Format(time.DateOnly)
	for name, language := range map[string]string{"zh": "zh-CN", "en": "en"} {
		b := browser.Start(t)
		signIn(b.Open(browser.Desktop), a, "zhou")
		tab := b.Open(browser.View{Width: 794, Height: 1123, Language: language, Print: true})
		for page, path := range map[string]string{"print-slip": fmt.Sprintf("/corrections/%d", c.ID), "print-day": "/review/days/" + day} {
			tab.Goto(a.URL + path)
			if n := browser.Value[int](tab, `[...document.querySelectorAll("button, input:not([type=hidden]), textarea, nav, .topbar")].filter((e) => e.getClientRects().length > 0).length`); n > 0 {
				t.Errorf("%s: %s prints %d controls", name, page, n)
			}
			if tab.ScrollsSideways() {
				t.Errorf("%s: %s is wider than the sheet", name, page)
			}
			tab.Screenshot(page + "." + name)
		}
	}
}
