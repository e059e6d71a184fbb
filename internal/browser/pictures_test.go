package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/browser"
	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// aftermath makes corrections in every state that comes after sending, each of an order
// of its own, and returns the addresses of their pages.
func aftermath(t *testing.T, a *apptest.App) map[string]string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(a.Service.StartReconciling(t.Context()))
	sample, ok := a.Sim.Order(bankMch, bankNo)
	if !ok {
		t.Fatal("no sample order")
	}
	n := 0
	paths, orders := map[string]string{}, map[string]string{}
	lin := a.As("lin")
	make := func(name string, kind simulator.Kind, from string) {
		t.Helper()
		no := orders[from]
		if no == "" {
			n++
			no = fmt.Sprintf("PB_20261123_1%03d", n)
			o := sample
			o.OutOrderNo = no
			a.Sim.Put(o)
		}
		orders[name] = no
		form := url.Values{
			"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时，封顶99元"},
			"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
			"device.start_device_id": {"XQ-0718-02"}, "device.end_device_id": {"XQ-0718-09"}, "total_amount": {"10"}, "reason_code": {"device_fault"},
			"ticket": {"GD-20261123-0197"}, "note": {"用户 5 小时后已归还，柜机没有识别。"},
		}
		if from != "" {
			form.Set("from", paths[from][len("/corrections/"):])
		}
		if kind != "" {
			must(a.Sim.Script(simulator.Fault{Kind: kind, Call: simulator.CallModify, Order: no, Times: 1}))
		}
		paths[name] = submit(t, a, lin, "/orders/"+bankMch+"/"+no, form, "10", true)
	}
	pass := func(d time.Duration) {
		for ; d > 0; d -= 10 * time.Minute {
			look(a, min(d, 10*time.Minute))
		}
		lin = a.As("lin")
	}
	say := func(login, name string, v url.Values) {
		t.Helper()
		if res := a.As(login).Post(paths[name]+"/resolution", v); res.Status != 303 {
			t.Fatalf("%s: %d\n%s", name, res.Status, res.Body)
		}
	}
	for _, name := range []string{"settled", "refund", "refunded", "lost"} {
		make(name, "", "")
	}
	for _, name := range []string{"late", "rechecked", "conflict", "proposal", "resolved"} {
		make(name, simulator.ErrorBefore, "")
	}
	must(a.Sim.Pay(bankMch, orders["settled"]))
	for _, name := range []string{"refund", "refunded"} {
		must(a.Sim.Reset(bankMch, orders[name]))
		must(a.Sim.Pay(bankMch, orders[name]))
	}
	must(a.Sim.Reset(bankMch, orders["lost"]))
	for _, name := range []string{"conflict", "proposal", "resolved"} {
		must(a.Sim.LowerElsewhere(bankMch, orders[name], 500))
	}
	pass(20 * time.Minute)
	c := recordOf(t, a, paths["late"])
	if answer := a.Service.Gateway.Modify(context.Background(), c.Ref, c.Body, correction.NewSigning(a.Clock.Now())); answer.Class != correction.Accepted {
		t.Fatalf("%+v", answer)
	}
	pass(27 * time.Hour)
	for _, name := range []string{"proposal", "resolved"} {
		say("zhou", name, url.Values{"ruling": {"not_applied"}, "text": {"商户后台查到 14:21 由收银台直接改到 ¥5.00，操作人是店长。"}})
	}
	say("qian", "resolved", url.Values{"agrees": {fmt.Sprint(recordOf(t, a, paths["resolved"]).Last().N)}, "text": {"我另外看了收银台日志，时间和金额都对得上。"}})
	say("zhou", "refunded", url.Values{"text": {"已在商户系统退 ¥89.00，并电话告诉了客户。"}})
	make("overdue", simulator.TimeoutBefore, "")
	must(a.Sim.Script(simulator.Fault{Kind: simulator.ErrorBefore, Call: simulator.CallQuery, Order: orders["overdue"], Times: 10_000}))
	pass(8 * time.Minute)
	make("busy-ready", simulator.Busy, "")
	make("busy-first", simulator.Busy, "")
	pass(4 * time.Minute)
	make("busy-retry", "", "busy-first")
	make("following", "", "")
	make("not-applied", simulator.ErrorBefore, "")
	pass(time.Second)
	pass(2 * time.Second)
	pass(2 * time.Second)
	make("unknown", simulator.TimeoutBefore, "")
	make("busy", simulator.Busy, "")
	for name, want := range map[string]correction.State{
		"settled": correction.Applied, "refund": correction.Applied, "lost": correction.Applied, "late": correction.AppliedLate, "rechecked": correction.NotApplied,
		"conflict": correction.NeedsPerson, "resolved": correction.Resolved, "overdue": correction.Unknown, "unknown": correction.Unknown, "busy": correction.Rejected,
		"not-applied": correction.NotApplied, "following": correction.Applied, "busy-retry": correction.Applied,
	} {
		if c := recordOf(t, a, paths[name]); c.State != want {
			t.Errorf("%s is %s, want %s", name, c.State, want)
		}
	}
	return paths
}

// Every page of what comes after sending, in both themes: axe finds nothing, and
// nothing scrolls sideways. With SCREENSHOTS set, pictures of all of them are kept.
func TestScreenshots_PagesOfTheAftermath(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Timeout: 500 * time.Millisecond, Quiet: time.Second})
	paths := aftermath(t, a)
	now := a.Clock.Now()
	machine := correction.Health{
		Started: now.Add(-51 * time.Hour), Host: "https://api2.mch.weixin.qq.com", OnBackup: true, Switched: now.Add(-20 * time.Minute), Skew: 75 * time.Second, SkewAt: now,
		LastAnswer: now, Free: 3 << 29, MinFree: 512 << 20, Database: 182 << 20, JournalFolder: "/var/lib/console/journal", JournalSame: true,
		CheckpointTo: "/mnt/points, ledger.example.com", PublishedAt: now.Add(-26 * time.Hour), PublishFault: "write checkpoint: no space left on device",
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
			tab.Screenshot(page + "." + name)
		}
		a.Health = correction.Health{}
		signIn(tab, a, "lin")
		for page, path := range paths {
			tab.Goto(a.URL + path)
			look("after-" + page)
		}
		tab.Goto(a.URL + "/")
		look("after-home")
		signOut(tab)
		signIn(tab, a, "qian")
		tab.Goto(a.URL + "/")
		look("boss-due")
		for _, page := range []string{"conflict", "proposal", "refund", "lost", "late"} {
			tab.Goto(a.URL + paths[page])
			look("boss-" + page)
		}
		tab.Goto(a.URL + paths["conflict"])
		tab.Follow(`form[action$="/resolution"] button.button--primary`)
		look("boss-conflict-errors")
		signOut(tab)
		a.Health = machine
		signIn(tab, a, "he")
		tab.Goto(a.URL + "/operations")
		look("operations")
		signOut(tab)
		a.Health.Free = 1 << 20
		signIn(tab, a, "lin")
		tab.Goto(a.URL + bankPath)
		look("paused-order")
		tab.Goto(a.URL + bankPath + "/correction")
		look("paused-form")
		signOut(tab)
	}
}
