package handlers_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// The power-bank order of domain.md §8: billed ¥99, real use ¥10.
const (
	bankMerchant = "1900021408"
	bankOrder    = "PB_20261123_0099"
	bankPath     = "/orders/" + bankMerchant + "/" + bankOrder
)

var valuePattern = regexp.MustCompile(`name="([^"]+)"[^>]*? value="([^"]*)"`)

// field finds the value of a named input in a page.
func field(t *testing.T, body, name string) string {
	t.Helper()
	for _, m := range valuePattern.FindAllStringSubmatch(body, -1) {
		if m[1] == name {
			return html.UnescapeString(m[2])
		}
	}
	t.Fatalf("no input %q in the page:\n%s", name, body)
	return ""
}

// bankForm is the correction of the power-bank order to the amount.
func bankForm(base, total string) url.Values {
	return url.Values{
		"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"3元/1小时，24小时封顶99元"},
		"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"3小时20分"},
		"device.start_device_id": {"XQ-0718-02"}, "device.end_device_id": {"XQ-0718-09"},
		"total_amount": {total}, "reason_code": {"device_fault"}, "base": {base},
	}
}

// prepare opens the form, posts the correction and returns its path.
func prepare(t *testing.T, c *apptest.Client, total string) string {
	t.Helper()
	page := c.Get(bankPath + "/correction")
	if page.Status != http.StatusOK {
		t.Fatalf("form: %d → %s\n%s", page.Status, page.Location, page.Body)
	}
	res := c.Post(bankPath+"/correction", bankForm(field(t, page.Body, "base"), total))
	if res.Status != http.StatusSeeOther {
		t.Fatalf("submit: %d\n%s", res.Status, res.Body)
	}
	return res.Location
}

func confirm(t *testing.T, c *apptest.Client, path, typed string) apptest.Answer {
	t.Helper()
	page := c.Get(path)
	return c.Post(path+"/confirmation", url.Values{"token": {field(t, page.Body, "token")}, "typed_total": {typed}})
}

func state(t *testing.T, a *apptest.App, path string) correction.State {
	t.Helper()
	return record(t, a, path).State
}

func record(t *testing.T, a *apptest.App, path string) correction.Correction {
	t.Helper()
	var id int64
	if _, err := fmt.Sscanf(path, "/corrections/%d", &id); err != nil {
		t.Fatalf("%q: %v", path, err)
	}
	c, err := a.Store.Correction(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMainJob_PowerBankLoweredAndReadBySupervisor(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")

	found := lin.Get("/orders?out_order_no=" + url.QueryEscape("　ＰＢ_20261123_0099 "))
	if found.Status != http.StatusSeeOther || found.Location != bankPath {
		t.Fatalf("look-up: %d → %q", found.Status, found.Location)
	}
	order := lin.Get(bankPath)
	if !strings.Contains(order.Body, "¥99.00") || !strings.Contains(order.Body, bankPath+"/correction") {
		t.Fatalf("order page:\n%s", order.Body)
	}
	path := prepare(t, lin, "10")
	page := lin.Get(path)
	for _, want := range []string{"¥99.00", "¥10.00", "¥89.00", "89.9%", "3小时20分"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("confirmation lacks %s", want)
		}
	}
	if n := a.Sim.Posts(bankOrder); n != 0 {
		t.Fatalf("%d POSTs before the confirmation", n)
	}

	if res := confirm(t, lin, path, ""); res.Status != http.StatusUnprocessableEntity {
		t.Fatalf("confirmed without the typed total: %d", res.Status)
	}
	if res := confirm(t, lin, path, "10.01"); res.Status != http.StatusUnprocessableEntity {
		t.Fatalf("confirmed with another total: %d", res.Status)
	}
	if res := confirm(t, lin, path, "１０"); res.Status != http.StatusSeeOther || res.Location != path {
		t.Fatalf("confirmation: %d → %q\n%s", res.Status, res.Location, res.Body)
	}
	if got := state(t, a, path); got != correction.Applied {
		t.Fatalf("state %s", got)
	}
	if n := a.Sim.Posts(bankOrder); n != 1 {
		t.Fatalf("%d POSTs", n)
	}
	if now, _ := a.Sim.Order(bankMerchant, bankOrder); now.Total != 1000 {
		t.Fatalf("WeChat has %s", now.Total)
	}

	zhou := a.As("zhou")
	log := zhou.Get("/corrections?out_order_no=" + bankOrder)
	if !strings.Contains(log.Body, `href="`+path+`"`) || !strings.Contains(log.Body, "林晓雯") {
		t.Fatalf("log:\n%s", log.Body)
	}
	rec := zhou.Get(path)
	for _, want := range []string{"已生效", "林晓雯", "¥99.00", "¥10.00", "设备故障"} {
		if !strings.Contains(rec.Body, want) {
			t.Errorf("the supervisor's record lacks %s", want)
		}
	}
	c := record(t, a, path)
	if c.Last().Detail.RequestID == "" || !strings.Contains(rec.Body, c.Last().Detail.RequestID) {
		t.Errorf("no Request-ID: %q", c.Last().Detail.RequestID)
	}
}

func TestConfirm_200AtOnceSendOnce(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	path := prepare(t, lin, "10.00")
	form := url.Values{"token": {field(t, lin.Get(path).Body, "token")}, "typed_total": {"10.00"}}
	const n = 200
	status := make([]int, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { status[i] = lin.Post(path+"/confirmation", form).Status })
	}
	wg.Wait()
	for i, s := range status {
		if s != http.StatusSeeOther {
			t.Errorf("confirmation %d answered %d", i, s)
		}
	}
	if got := a.Sim.Posts(bankOrder); got != 1 {
		t.Fatalf("%d tried, %d POSTs", n, got)
	}
	if s := state(t, a, path); s != correction.Applied {
		t.Fatalf("state %s", s)
	}
	t.Logf("%d confirmations tried, 0 sent twice", n)
}

func TestConfirm_TwoAgentsOnOneOrderSendOnce(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin, wu := a.As("lin"), a.As("wu")
	p1, p2 := prepare(t, lin, "10"), prepare(t, wu, "12")
	if page := wu.Get(bankPath); !strings.Contains(page.Body, "林晓雯") {
		t.Errorf("the second agent does not see who is at it")
	}
	f1 := url.Values{"token": {field(t, lin.Get(p1).Body, "token")}, "typed_total": {"10"}}
	f2 := url.Values{"token": {field(t, wu.Get(p2).Body, "token")}, "typed_total": {"12"}}
	var wg sync.WaitGroup
	wg.Go(func() { lin.Post(p1+"/confirmation", f1) })
	wg.Go(func() { wu.Post(p2+"/confirmation", f2) })
	wg.Wait()
	// The one that found the order held is still to be confirmed; doing so now finds
	// that the order moved.
	for _, again := range []struct {
		c    *apptest.Client
		path string
		form url.Values
	}{{lin, p1, f1}, {wu, p2, f2}} {
		if state(t, a, again.path) == correction.Prepared {
			again.c.Post(again.path+"/confirmation", again.form)
		}
	}
	states := map[correction.State]int{}
	states[state(t, a, p1)]++
	states[state(t, a, p2)]++
	if states[correction.Applied] != 1 || states[correction.Stale] != 1 || a.Sim.Posts(bankOrder) != 1 {
		t.Fatalf("states %v, %d POSTs", states, a.Sim.Posts(bankOrder))
	}
	stale, who := p1, lin
	if state(t, a, p2) == correction.Stale {
		stale, who = p2, wu
	}
	page := who.Get(stale)
	now, _ := a.Sim.Order(bankMerchant, bankOrder)
	for _, want := range []string{"¥99.00", now.Total.String(), "订单已变化"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("then / now / yours lacks %s", want)
		}
	}
}

func TestConfirm_OtherPeopleAndTokensAreRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin, wu, zhou := a.As("lin"), a.As("wu"), a.As("zhou")
	path := prepare(t, lin, "10")
	token := field(t, lin.Get(path).Body, "token")
	form := url.Values{"token": {token}, "typed_total": {"10"}}
	if res := wu.Post(path+"/confirmation", form); res.Status != http.StatusNotFound {
		t.Errorf("another agent: %d", res.Status)
	}
	if res := zhou.Post(path+"/confirmation", form); res.Status != http.StatusForbidden {
		t.Errorf("a supervisor: %d", res.Status)
	}
	if page := zhou.Get(path); strings.Contains(page.Body, token) {
		t.Error("the token is shown to somebody else")
	}
	for _, bad := range []string{"", "x", token + "x", strings.Repeat("A", len(token))} {
		if res := lin.Post(path+"/confirmation", url.Values{"token": {bad}, "typed_total": {"10"}}); res.Status != http.StatusConflict {
			t.Errorf("token %q: %d", bad, res.Status)
		}
	}
	a.Clock.Advance(10 * time.Minute)
	lin2 := a.As("lin")
	if res := lin2.Post(path+"/confirmation", form); res.Status != http.StatusSeeOther {
		t.Errorf("after ten minutes: %d", res.Status)
	}
	if s := state(t, a, path); s != correction.Expiry {
		t.Errorf("state %s", s)
	}
	if n := a.Sim.Posts(bankOrder); n != 0 {
		t.Errorf("%d POSTs", n)
	}
}

func TestConfirm_EveryFaultEndsInAnHonestState(t *testing.T) {
	t.Parallel()
	for _, kind := range simulator.Kinds() {
		for _, call := range []string{simulator.CallQuery, simulator.CallModify} {
			t.Run(string(kind.Kind)+"/"+call, func(t *testing.T) {
				t.Parallel()
				a := apptest.Start(t, apptest.Options{Timeout: 700 * time.Millisecond})
				lin := a.As("lin")
				path := prepare(t, lin, "10")
				form := url.Values{"token": {field(t, lin.Get(path).Body, "token")}, "typed_total": {"10"}}
				if err := a.Sim.Script(simulator.Fault{Kind: kind.Kind, Call: call, Order: bankOrder, Times: 1}); err != nil {
					t.Skip(err) // a kind that exists for the other call only
				}
				if res := lin.Post(path+"/confirmation", form); res.Status != http.StatusSeeOther {
					t.Fatalf("%d\n%s", res.Status, res.Body)
				}
				c := record(t, a, path)
				truth, _ := a.Sim.Order(bankMerchant, bankOrder)
				applied := a.Sim.Applied(bankOrder) == 1
				if n := a.Sim.Posts(bankOrder); n > 1 {
					t.Fatalf("%d POSTs", n)
				}
				switch c.State {
				case correction.Applied:
					if !applied {
						t.Errorf("said applied; WeChat has %s", truth.Total)
					}
				case correction.Rejected, correction.NotSent, correction.Stale, correction.NotApplied:
					if applied {
						t.Errorf("said %s; it took effect", c.State)
					}
				case correction.Unknown:
				default:
					t.Errorf("state %s", c.State)
				}
				page := lin.Get(path)
				if c.State == correction.Unknown {
					for _, lie := range []string{"失败", "再试"} {
						if strings.Contains(page.Body, lie) {
							t.Errorf("an unknown result says %s", lie)
						}
					}
					settleUnknown(t, a, lin, path, applied)
				}
				t.Logf("%s on %s → %s (%s)", kind.Kind, call, c.State, c.Last().Detail.Cause)
			})
		}
	}
}

// settleUnknown checks an uncertain correction until it is decided, and that the
// verdict is the truth.
func settleUnknown(t *testing.T, a *apptest.App, c *apptest.Client, path string, applied bool) {
	t.Helper()
	c.Post(path+"/check", url.Values{})
	if !applied {
		if s := state(t, a, path); s == correction.NotApplied {
			t.Fatal("said not applied before the quiet time was over")
		}
		a.Clock.Advance(correction.QuietTime + time.Second)
		c = a.As("lin")
		c.Post(path+"/check", url.Values{})
		if s := state(t, a, path); s == correction.NotApplied {
			t.Fatal("said not applied on one reading")
		}
		a.Clock.Advance(correction.ReadGap(correction.QuietTime) + time.Second)
		c = a.As("lin")
		c.Post(path+"/check", url.Values{})
	}
	want := correction.Applied
	if !applied {
		want = correction.NotApplied
	}
	// A signed acceptance that the order never bears out cannot be explained: the
	// signature of an empty answer does not say which request it is for.
	if e, _ := record(t, a, path).Find(correction.Sending); !applied && e.N > 0 && record(t, a, path).Events[e.N].Detail.Class == correction.Accepted {
		want = correction.NeedsPerson
	}
	s := state(t, a, path)
	if s == correction.Applied && a.Sim.Applied(record(t, a, path).Ref.OutOrderNo) == 1 { // a delayed one took effect while the test went on
		want = correction.Applied
	}
	if s != want && s != correction.Rejected {
		t.Fatalf("decided %s, the truth is %s", s, want)
	}
}

func TestSourceDocumentSample(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	const path = "/orders/1900000109/1234323JKHDFE1243252"
	page := lin.Get(path + "/correction")
	form := url.Values{
		"post_payments.0.name": {"就餐费用"}, "post_payments.0.description": {"就餐人均100元"},
		"post_payments.0.amount": {"400.00"}, "post_payments.0.count": {"4"},
		"post_discounts.0.name": {"满20减1元"}, "post_discounts.0.description": {"不与其他优惠叠加"},
		"post_discounts.0.amount": {"1.00"}, "post_discounts.0.count": {"2"},
		"reason_code": {"complaint"}, "reason": {"用户投诉"}, "base": {field(t, page.Body, "base")},
		"device.start_device_id": {"HG123456"}, "device.end_device_id": {"HG123456"},
	}
	// The sample's own total, 500.00, does not follow from its lines: it is not read.
	// The lines themselves say 399.00.
	form.Set("total_amount", "500.00")
	res := lin.Post(path+"/correction", form)
	if res.Status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", res.Status, res.Body)
	}
	c := record(t, a, res.Location)
	if c.Target != 39900 || !strings.Contains(string(c.Body), `"total_amount":39900`) || strings.Contains(string(c.Body), "50000") {
		t.Fatalf("target %s, body %s", c.Target, c.Body)
	}
	if res := confirm(t, lin, res.Location, "399.00"); res.Status != http.StatusSeeOther {
		t.Fatalf("%d", res.Status)
	}
	if s := state(t, a, res.Location); s != correction.Applied {
		t.Fatalf("state %s", s)
	}
	if o, _ := a.Sim.Order("1900000109", "1234323JKHDFE1243252"); o.Total != 39900 {
		t.Fatalf("WeChat has %s", o.Total)
	}
}

func TestForm_KeepsEverythingAndTellsAllErrorsAtOnce(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	page := lin.Get(bankPath + "/correction")
	form := bankForm(field(t, page.Body, "base"), "1,0.005")
	form.Set("post_payments.0.name", strings.Repeat("长", 21))
	form.Set("note", "备注😀还在")
	form.Set("reason_code", "")
	form.Set("device.materiel_no", "<script>alert(1)</script>")
	res := lin.Post(bankPath+"/correction", form)
	if res.Status != http.StatusUnprocessableEntity {
		t.Fatalf("%d", res.Status)
	}
	for _, want := range []string{"1,0.005", strings.Repeat("长", 21), "备注😀还在", "&lt;script&gt;alert(1)&lt;/script&gt;",
		`href="#post_payments.0.name"`, `href="#total_amount"`, `href="#reason_code"`} {
		if !strings.Contains(res.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(res.Body, "<script>alert") {
		t.Error("unescaped")
	}
}

func TestForm_SessionEndsWhileItIsOpen(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	page := lin.Get(bankPath + "/correction")
	form := bankForm(field(t, page.Body, "base"), "10")
	form.Set("note", "客户说 3 小时就还了")
	a.Clock.Advance(16 * time.Minute)
	res := lin.Post(bankPath+"/correction", form)
	if res.Status != http.StatusUnauthorized {
		t.Fatalf("%d", res.Status)
	}
	res = lin.Post("/login", url.Values{
		"username": {"lin"}, "password": {apptest.Password},
		"kept": {field(t, res.Body, "kept")},
	})
	if res.Status != http.StatusSeeOther || res.Location != bankPath+"/correction" {
		t.Fatalf("%d → %s", res.Status, res.Location)
	}
	page = lin.Get(res.Location)
	if !strings.Contains(page.Body, "客户说 3 小时就还了") || field(t, page.Body, "total_amount") != "10" {
		t.Fatalf("what was typed is gone:\n%s", page.Body)
	}
}

// What was typed goes to who typed it and to nobody else, and nobody can read it at the
// sign-in page; not even when the tab is older than the session that ended, or that
// session was signed out of.
func TestForm_WhatSomebodyElseTypedIsNotTakenUp(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	const note = "林的备注"
	for name, tc := range map[string]struct {
		between func(browser *apptest.Client) // what happens after lin has opened the form in it
		typist  string                        // who gets it back; empty: nobody
		bare    bool                          // a form without the mark of the person, as posted by a program
	}{
		"the session ends":                  {func(*apptest.Client) { a.Clock.Advance(16 * time.Minute) }, "lin", false},
		"the session ends, without mark":    {func(*apptest.Client) { a.Clock.Advance(16 * time.Minute) }, "lin", true},
		"signed out":                        {func(b *apptest.Client) { b.Post("/logout", url.Values{}) }, "lin", false},
		"signed out, without mark":          {func(b *apptest.Client) { b.Post("/logout", url.Values{}) }, "", true},
		"another's session ends afterwards": {func(b *apptest.Client) { signIn(t, b, "wang"); a.Clock.Advance(16 * time.Minute) }, "lin", false},
	} {
		for _, next := range []string{"wu", "lin"} {
			lin := a.As("lin")
			page := lin.Get(bankPath + "/correction")
			form := bankForm(field(t, page.Body, "base"), "10")
			form.Set("note", note)
			if !tc.bare {
				form.Set("typed_by", field(t, page.Body, "typed_by"))
			}
			tc.between(lin)
			res := lin.Post(bankPath+"/correction", form)
			if res.Status != http.StatusUnauthorized {
				t.Fatalf("%s: %d", name, res.Status)
			}
			for _, secret := range []string{note, url.QueryEscape(note), "林晓雯", bankOrder} {
				if strings.Contains(res.Body, secret) && (secret != bankOrder || tc.typist != "") { // the order that was posted to
					t.Errorf("%s: the sign-in page tells %q", name, secret)
				}
			}
			if kept := strings.Contains(res.Body, `name="kept"`); kept != (tc.typist != "") {
				t.Fatalf("%s: kept %v", name, kept)
			}
			if tc.typist == "" {
				continue
			}
			kept := url.Values{"username": {next}, "password": {"wrong"}, "kept": {field(t, res.Body, "kept")}}
			if res = lin.Post("/login", kept); res.Status != http.StatusUnprocessableEntity {
				t.Fatalf("%s: a wrong password: %d", name, res.Status)
			}
			kept.Set("password", apptest.Password)
			kept.Set("kept", field(t, res.Body, "kept"))
			res = lin.Post("/login", kept)
			want, words := "/", "另一个人填的"
			if next == tc.typist {
				want, words = bankPath+"/correction", "已恢复"
			}
			if res.Status != http.StatusSeeOther || res.Location != want {
				t.Fatalf("%s, %s: %d → %s", name, next, res.Status, res.Location)
			}
			if page := lin.Get(want); !strings.Contains(page.Body, words) {
				t.Errorf("%s, %s: the page does not say %q", name, next, words)
			}
			if page := lin.Get(bankPath + "/correction"); strings.Contains(page.Body, note) != (next == tc.typist) {
				t.Errorf("%s: %s sees what lin typed: %v", name, next, next != tc.typist)
			}
			lin.Post(bankPath+"/correction", url.Values{"do": {"discard"}})
		}
	}
}

func TestForm_WhatIsNotSealedHereIsNotTakenUp(t *testing.T) {
	t.Parallel()
	a, other := apptest.Start(t, apptest.Options{}), apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	form := bankForm(field(t, lin.Get(bankPath+"/correction").Body, "base"), "10")
	a.Clock.Advance(16 * time.Minute)
	sealed := field(t, lin.Post(bankPath+"/correction", form).Body, "kept")
	for _, kept := range []string{"x", sealed[:len(sealed)-4], "A" + sealed, form.Encode()} {
		c := a.Client()
		if res := c.Post("/login", url.Values{"username": {"lin"}, "password": {apptest.Password}, "kept": {kept}}); res.Location != "/" {
			t.Errorf("%.20q is taken up: %s", kept, res.Location)
		}
		if page := c.Get("/"); !strings.Contains(page.Body, "没能恢复") {
			t.Errorf("%.20q: the page does not say that it is lost", kept)
		}
	}
	if res := other.Client().Post("/login", url.Values{"username": {"lin"}, "password": {apptest.Password}, "kept": {sealed}}); res.Location != "/" {
		t.Errorf("what another console sealed is taken up: %s", res.Location)
	}
	// Nor does the mark of a person pass for a form, or a form for a mark.
	mark := field(t, a.As("lin").Get(bankPath+"/correction").Body, "typed_by")
	if res := a.Client().Post("/login", url.Values{"username": {"lin"}, "password": {apptest.Password}, "kept": {mark}}); res.Location != "/" {
		t.Errorf("a mark is taken up: %s", res.Location)
	}
	form.Set("typed_by", sealed)
	if res := a.Client().Post(bankPath+"/correction", form); strings.Contains(res.Body, `name="kept"`) {
		t.Error("a sealed form is a mark")
	}
}

// A tab of one person that is left open while another signs in is not theirs to submit:
// nothing is prepared, and what stands in it does not become their draft.
func TestForm_ATabOfAnotherPersonIsNotSubmitted(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	b := a.As("lin")
	page := b.Get(bankPath + "/correction")
	form := bankForm(field(t, page.Body, "base"), "10")
	form.Set("note", "林的备注")
	form.Set("typed_by", field(t, page.Body, "typed_by"))
	signIn(t, b, "wu")
	for _, act := range []string{"", "recompute", "add-line"} {
		form.Del("do")
		if act != "" {
			form.Set("do", act)
		}
		res := b.Post(bankPath+"/correction", form)
		if res.Status != http.StatusSeeOther || res.Location != bankPath+"/correction" {
			t.Errorf("%q: %d → %s", act, res.Status, res.Location)
		}
		if page := b.Get(bankPath + "/correction"); strings.Contains(page.Body, "林的备注") || !strings.Contains(page.Body, "没有提交") {
			t.Errorf("%q: the other's form is shown, or nothing is said", act)
		}
	}
	// She has looked at the order by now: what her colleague's tab asks about while it is
	// typed in is no draft of hers either.
	form.Del("do")
	if res := b.Post("/corrections/preview", form); res.Status != http.StatusConflict {
		t.Errorf("preview: %d", res.Status)
	}
	if page := b.Get(bankPath + "/correction"); strings.Contains(page.Body, "林的备注") {
		t.Error("what was typed for a preview became the other's draft")
	}
	signIn(t, b, "lin")
	form.Del("do")
	if res := b.Post(bankPath+"/correction", form); res.Status != http.StatusSeeOther || !strings.HasPrefix(res.Location, "/corrections/") {
		t.Errorf("her own form: %d → %s", res.Status, res.Location)
	}
}

// signIn signs a person in, in whatever browser.
func signIn(t *testing.T, b *apptest.Client, login string) {
	t.Helper()
	if res := b.Post("/login", url.Values{"username": {login}, "password": {apptest.Password}}); res.Status != http.StatusSeeOther {
		t.Fatalf("sign in %s: %d\n%s", login, res.Status, res.Body)
	}
}

func TestForm_OrderMovedShowsThenNowYours(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	page := lin.Get(bankPath + "/correction")
	a.Sim.LowerElsewhere(bankMerchant, bankOrder, 5000)
	res := lin.Post(bankPath+"/correction", bankForm(field(t, page.Body, "base"), "10"))
	if res.Status != http.StatusConflict {
		t.Fatalf("%d", res.Status)
	}
	for _, want := range []string{"¥99.00", "¥50.00", "¥10.00"} {
		if !strings.Contains(res.Body, want) {
			t.Errorf("lacks %s", want)
		}
	}
	page = lin.Get(bankPath + "/correction")
	if field(t, page.Body, "total_amount") != "10" {
		t.Error("what was typed is gone")
	}
}

func TestForm_UnknownRepeatedAndQueryFieldsAreRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	base := field(t, lin.Get(bankPath+"/correction").Body, "base")
	good := bankForm(base, "10")
	tried := 0
	refuse := func(what string, status int, res apptest.Answer) {
		t.Helper()
		tried++
		if res.Status != status {
			t.Errorf("%s: %d", what, res.Status)
		}
	}
	for _, name := range []string{"total", "target_total", "post_payments", "post_payments.x.name", "post_payments.-1.name", "post_payments.00.name",
		"post_payments.0.Name", "post_payments.0.name.x", "post_payments.99999.name", "device.x", "", "__proto__", "token", "author"} {
		f := url.Values{name: {"1"}}
		for k, v := range good {
			f[k] = v
		}
		refuse("field "+name, http.StatusBadRequest, lin.Post(bankPath+"/correction", f))
	}
	for name := range good {
		f := url.Values{}
		for k, v := range good {
			f[k] = v
		}
		f[name] = append([]string{"0"}, f[name]...)
		refuse("repeated "+name, http.StatusBadRequest, lin.Post(bankPath+"/correction", f))
	}
	refuse("query", http.StatusBadRequest, lin.Post(bankPath+"/correction?total_amount=1", good))
	refuse("json", http.StatusUnsupportedMediaType, lin.Do(http.MethodPost, bankPath+"/correction", good,
		http.Header{"Sec-Fetch-Site": {"same-origin"}, "Content-Type": {"application/json"}}))
	huge := url.Values{"note": {strings.Repeat("长", 100_000)}}
	refuse("huge", http.StatusRequestEntityTooLarge, lin.Post(bankPath+"/correction", huge))
	many := url.Values{}
	for i := range 700 {
		many.Set(fmt.Sprintf("post_payments.%d.name", i), "x")
	}
	refuse("many fields", http.StatusBadRequest, lin.Post(bankPath+"/correction", many))
	if n := a.Sim.Posts(bankOrder); n != 0 {
		t.Errorf("%d POSTs", n)
	}
	t.Logf("%d tried, 0 accepted", tried)
}

func TestOrders_ScopeAndRoles(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	wang, lin, shen := a.As("wang"), a.As("lin"), a.As("shen")
	const other = "/orders/1900000109/1234323JKHDFE1243252"
	if res := lin.Get(other); res.Status != http.StatusOK {
		t.Fatalf("in scope: %d", res.Status)
	}
	for _, path := range []string{other, other + "/correction", "/orders?sub_mchid=1900000109&out_order_no=1234323JKHDFE1243252", "/orders?out_order_no=1234323JKHDFE1243252"} {
		if res := wang.Get(path); res.Status != http.StatusNotFound {
			t.Errorf("out of scope %s: %d", path, res.Status)
		}
	}
	path := prepare(t, lin, "10")
	if res := wang.Get(path); res.Status != http.StatusNotFound {
		t.Errorf("somebody else's correction: %d", res.Status)
	}
	if res := shen.Get(path); res.Status != http.StatusOK || strings.Contains(res.Body, `name="token"`) {
		t.Errorf("auditor: %d", res.Status)
	}
	if res := shen.Get(bankPath); res.Status != http.StatusOK || strings.Contains(res.Body, bankPath+`/correction"`) {
		t.Errorf("auditor's order: %d", res.Status)
	}
	if res := a.As("wu").Get("/corrections"); strings.Contains(res.Body, `href="`+path+`"`) {
		t.Error("an agent's log shows somebody else's correction")
	}
}
