package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
)

// rentForm is a form of an order with the lines 租车相关费用, 加油费用 and 车损费用; an empty
// amount leaves the line out.
func rentForm(base string, amounts ...string) url.Values {
	f := url.Values{"reason_code": {"timing"}, "note": {"客户提前还车"}, "base": {base}}
	for i, name := range []string{"租车相关费用", "加油费用", "车损费用"} {
		if amounts[i] == "" {
			continue
		}
		at := []string{"post_payments.0.", "post_payments.1.", "post_payments.2."}[i]
		f.Set(at+"name", name)
		f.Set(at+"description", name)
		f.Set(at+"count", "1")
		f.Set(at+"amount", amounts[i])
	}
	return f
}

// The order changes between typing and submitting, or between confirming and sending:
// redoing it takes the order's values where nothing was touched, keeps what was typed, and
// shows both where both changed, until the form is sent again.
func TestRedo_MergesThreeWays(t *testing.T) {
	t.Parallel()
	lines := func(a, b, c correction.Fen) []correction.Line {
		return []correction.Line{priced("租车相关费用", a), priced("加油费用", b), priced("车损费用", c)}
	}
	for name, redo := range map[string]func(a *apptest.App, lin *apptest.Client, path string, change func()) string{
		"while typing": func(a *apptest.App, lin *apptest.Client, path string, change func()) string {
			f := rentForm(field(t, lin.Get(path+"/correction").Body, "base"), "250", "150.00", "60")
			change()
			res := lin.Post(path+"/correction", f)
			if res.Status != http.StatusConflict || !strings.Contains(res.Body, `href="`+path+`/correction"`) {
				t.Fatalf("%d\n%s", res.Status, res.Body)
			}
			return path + "/correction"
		},
		"after the confirmation": func(a *apptest.App, lin *apptest.Client, path string, change func()) string {
			f := rentForm(field(t, lin.Get(path+"/correction").Body, "base"), "250", "150.00", "60")
			res := lin.Post(path+"/correction", f)
			change()
			confirm(t, lin, res.Location, "460.00")
			if s := state(t, a, res.Location); s != correction.Stale {
				t.Fatalf("state %s", s)
			}
			return path + "/correction?from=" + strings.TrimPrefix(res.Location, "/corrections/")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apptest.Start(t, apptest.Options{})
			lin := a.As("lin")
			path := rented(a, "MERGE", 53000, lines(30000, 15000, 8000), nil)
			again := redo(a, lin, path, func() { rented(a, "MERGE", 48000, lines(28000, 12000, 8000), nil) })
			page := lin.Get(again)
			check := func(when, body string) {
				t.Helper()
				for part, want := range map[string]string{"0.amount": "250", "1.amount": "120.00", "2.amount": "60"} {
					if got := strings.TrimSuffix(field(t, body, "post_payments."+part), ".00"); got != strings.TrimSuffix(want, ".00") {
						t.Errorf("%s: %s is %q, want %q", when, part, got, want)
					}
				}
				if !strings.Contains(body, "订单从 ¥300.00 改成了 ¥280.00") || !strings.Contains(body, `href="#post_payments.0.amount"`) {
					t.Errorf("%s: what both changed is not shown with both values", when)
				}
				if strings.Contains(body, "¥150.00 改成了") || strings.Contains(body, "¥80.00 改成了") {
					t.Errorf("%s: shown as a conflict though only one side changed it", when)
				}
			}
			check("redone", page.Body)
			f := rentForm(field(t, page.Body, "base"), "250", "120.00", "60")
			f.Set("first", field(t, page.Body, "first"))
			f.Set("do", "recompute")
			res := lin.Post(path+"/correction", f)
			if res.Status != http.StatusOK {
				t.Fatalf("recompute: %d\n%s", res.Status, res.Body)
			}
			check("recomputed", res.Body)
			check("opened again", lin.Get(path+"/correction").Body) // the draft knows it, too
			f.Del("do")
			f.Set("post_payments.0.amount", "240")
			res = lin.Post(path+"/correction", f)
			if res.Status != http.StatusSeeOther {
				t.Fatalf("submit: %d\n%s", res.Status, res.Body)
			}
			if c := record(t, a, res.Location); c.Target != 42000 || c.Base.Total != 48000 {
				t.Errorf("prepared %s of %s", c.Target, c.Base.Total)
			}
		})
	}
}

// A draft stays until the correction that came of it is confirmed or withdrawn; what was
// typed later stays beyond that.
func TestDraft_StaysUntilConfirmedOrWithdrawn(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	typed := func() string { return field(t, lin.Get(bankPath+"/correction").Body, "total_amount") }
	path := prepare(t, lin, "12")
	if got := typed(); got != "12" {
		t.Errorf("after the review: %q", got)
	}
	lin.Post(path+"/withdrawal", url.Values{})
	if got := typed(); got != "" {
		t.Errorf("after the withdrawal: %q", got)
	}
	if got := field(t, lin.Get(bankPath+"/correction?from="+strings.TrimPrefix(path, "/corrections/")).Body, "total_amount"); got != "12.00" {
		t.Errorf("tried again after the withdrawal: %q", got)
	}
	// Ten minutes pass: it lapses, and is neither confirmed nor withdrawn.
	path = prepare(t, lin, "13")
	a.Clock.Advance(11 * time.Minute)
	confirm := lin.Get(path)
	if !strings.Contains(confirm.Body, "已过期") {
		t.Fatalf("%s", confirm.Body)
	}
	if got := typed(); got != "13" {
		t.Errorf("after it lapsed: %q", got)
	}
	// Changed after the review: an edit of it is not lost by loading its page again.
	path = prepare(t, lin, "14")
	edit := bankPath + "/correction?from=" + strings.TrimPrefix(path, "/corrections/")
	a.Clock.Advance(time.Second)
	f := bankForm(field(t, lin.Get(edit).Body, "base"), "15")
	f.Set("do", "recompute")
	lin.Post(bankPath+"/correction", f)
	if got := field(t, lin.Get(edit).Body, "total_amount"); got != "15" {
		t.Errorf("loaded again: %q", got)
	}
	page := lin.Get(path)
	lin.Post(path+"/confirmation", url.Values{"token": {field(t, page.Body, "token")}, "typed_total": {"14"}})
	if s := state(t, a, path); s != correction.Applied {
		t.Fatalf("state %s", s)
	}
	if got := typed(); got != "15" {
		t.Errorf("typed after the review, then the review was confirmed: %q", got)
	}
	path = prepare(t, lin, "11")
	page = lin.Get(path)
	lin.Post(path+"/confirmation", url.Values{"token": {field(t, page.Body, "token")}, "typed_total": {"11"}})
	if s := state(t, a, path); s != correction.Applied {
		t.Fatalf("state %s", s)
	}
	if got := typed(); got != "" {
		t.Errorf("after the confirmation: %q", got)
	}
}

// What cannot be seen is no part of what is looked for, filtered by or set.
func TestHidden_IsDroppedEverywhere(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	confirm(t, lin, path, "\u202d10\u202c")
	if s := state(t, a, path); s != correction.Applied {
		t.Fatalf("the typed total with direction marks: %s", s)
	}
	zhou := a.As("zhou")
	for _, x := range []string{"\u200b", "\ufeff", "\u00a0", "\u202f", "\u3000", "\u00ad", "\u2060", "\u202d", "\u202c", "\u200e", "\ufe0f", "\u202e"} {
		q := func(name, value string) string { return name + "=" + url.QueryEscape(x+value+x) }
		for _, address := range []string{
			"/orders?" + q("out_order_no", bankOrder), "/orders?" + q("out_order_no", bankOrder[:4]+x+bankOrder[4:]) + "&" + q("sub_mchid", bankMerchant),
		} {
			if res := lin.Get(address); res.Status != http.StatusSeeOther || res.Location != bankPath {
				t.Errorf("%s: %d → %s", address, res.Status, res.Location)
			}
		}
		filters := []string{
			q("out_order_no", bankOrder), q("sub_mchid", bankMerchant), q("device", "XQ-0718-02"), q("q", "设备") + "&" + q("agent", "lin"), q("q", "ＰＢ_20261123"),
			q("state", "applied"), q("reason_code", "device_fault"), q("q", "xq-0718"),
		}
		if x != "\u202e" { // seen in another order: refused, not guessed
			filters = append(filters, q("reduction_min", "89"), q("share_min", "50"), q("from", "2026-01-01"))
		}
		for _, filter := range filters {
			if res := zhou.Get("/corrections?" + filter); res.Status != http.StatusOK || !strings.Contains(res.Body, `href="`+path+`"`) || strings.Contains(res.Body, `aria-invalid="true"`) {
				t.Errorf("%q: %d", filter, res.Status)
			}
		}
	}
}
