package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
)

const rentMerchant, rentService = "1900022254", "2002100000000580316627419953082"

// rented puts an order with these lines and discounts at the simulator and returns its path.
func rented(a *apptest.App, no string, total correction.Fen, lines, discounts []correction.Line) string {
	a.Order(no, total)
	o, _ := a.Sim.Order(rentMerchant, no)
	o.Lines, o.Discounts = lines, discounts
	o.RiskFund = correction.RiskFund{Name: "ESTIMATE_ORDER_COST", Amount: correction.MaxAmount}
	a.Sim.Put(o)
	return "/orders/" + rentMerchant + "/" + no
}

func priced(name string, amount correction.Fen) correction.Line {
	return correction.Line{Name: name, Description: name, Amount: amount, HasAmount: true, Count: 1}
}

// The largest order goes the whole way; one fen more is told with its amount on every
// page, and nothing of it can be opened or prepared.
func TestBound_TheLargestAmountAndOneFenMore(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	if err := a.Store.PutOffering(t.Context(), correction.Offering{ServiceID: rentService, Name: "免押租车", AllowZero: true}); err != nil {
		t.Fatal(err)
	}
	lin := a.As("lin")
	const most = correction.MaxAmount
	form := func(page apptest.Answer, amounts ...string) url.Values {
		f := url.Values{"reason_code": {"timing"}, "note": {"多填了几位"}, "base": {field(t, page.Body, "base")}}
		for i, amount := range amounts {
			at := []string{"post_payments.0.", "post_payments.1.", "post_payments.2."}[i]
			f.Set(at+"name", []string{"租车相关费用", "加油费用", "车损费用"}[i])
			f.Set(at+"description", "按实际使用")
			f.Set(at+"amount", amount)
		}
		return f
	}
	for no, c := range map[string]struct {
		lines, discounts []correction.Line
		total            correction.Fen
		to               []string
		target           correction.Fen
	}{
		"LARGEST-1": {[]correction.Line{priced("租车相关费用", most)}, nil, most, []string{"99999999.98"}, most - 1},
		"LARGEST-2": {[]correction.Line{priced("租车相关费用", most-1), priced("加油费用", 1)}, nil, most, []string{"99999999.98", "0.00"}, most - 1},
		"LARGEST-3": {[]correction.Line{priced("租车相关费用", most), priced("加油费用", most)}, []correction.Line{priced("券", most)}, most, []string{"99999999.99"}, most - 1},
	} {
		path := rented(a, no, c.total, c.lines, c.discounts)
		if page := lin.Get(path); !strings.Contains(page.Body, "¥99,999,999.99") || !strings.Contains(page.Body, path+"/correction") {
			t.Fatalf("%s: the order page: %d\n%s", no, page.Status, page.Body)
		}
		f := form(lin.Get(path+"/correction"), c.to...)
		if len(c.discounts) > 0 { // the sum of the lines is above the bound, the order's total is not
			f.Set("post_payments.1.name", "加油费用")
			f.Set("post_payments.1.amount", "0.01")
			f.Set("post_discounts.0.name", "券")
			f.Set("post_discounts.0.amount", "0.02")
		}
		res := lin.Post(path+"/correction", f)
		if res.Status != http.StatusSeeOther {
			t.Fatalf("%s: submit %d\n%s", no, res.Status, res.Body)
		}
		confirm(t, lin, res.Location, c.target.Yuan())
		if got := record(t, a, res.Location); got.State != correction.Applied || got.Target != c.target || got.Base.Total != c.total {
			t.Errorf("%s: %s to %s", no, got.State, got.Target)
		}
	}
	for no, c := range map[string]struct {
		lines, discounts []correction.Line
		total            correction.Fen
		names            string
	}{
		"BEYOND-TOTAL":    {[]correction.Line{priced("租车相关费用", most), priced("加油费用", 1)}, nil, most + 1, "¥100,000,000.00"},
		"BEYOND-LINE":     {[]correction.Line{priced("租车相关费用", most+1)}, []correction.Line{priced("券", most)}, 1, "¥100,000,000.00"},
		"BEYOND-DISCOUNT": {[]correction.Line{priced("租车相关费用", most), priced("加油费用", most)}, []correction.Line{priced("券", most+5)}, most - 5, "¥100,000,000.04"},
		"BEYOND-ISSUE":    {[]correction.Line{{Name: "租车相关费用", Description: "3天"}}, nil, 999_999_999_900, "¥9,999,999,999.00"},
	} {
		path := rented(a, no, c.total, c.lines, c.discounts)
		if res := lin.Get("/orders?out_order_no=" + no); res.Status != http.StatusSeeOther || res.Location != path {
			t.Errorf("%s: look-up %d → %s", no, res.Status, res.Location)
		}
		page := lin.Get(path)
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "微信给的金额里有 "+c.names) || !strings.Contains(page.Body, "0 到 ¥99,999,999.99") {
			t.Errorf("%s: the order page does not say so: %d\n%s", no, page.Status, page.Body)
		}
		if strings.Contains(page.Body, path+"/correction") {
			t.Errorf("%s: the form is offered", no)
		}
		if res := lin.Get(path + "/correction"); res.Status != http.StatusSeeOther || res.Location != path {
			t.Errorf("%s: the form: %d → %s", no, res.Status, res.Location)
		}
	}
	// It grows beyond the bound while the form is open.
	path := rented(a, "GROWS", 500, []correction.Line{priced("租车相关费用", 500)}, nil)
	posted := form(lin.Get(path+"/correction"), "4.00")
	rented(a, "GROWS", most+1, []correction.Line{priced("租车相关费用", most+1)}, nil)
	if res := lin.Post(path+"/correction", posted); res.Status != http.StatusConflict || !strings.Contains(res.Body, "¥100,000,000.00") {
		t.Errorf("grown while the form was open: %d\n%s", res.Status, res.Body)
	}
	// What no order can have is named as well, and read as nothing.
	for amount, names := range map[string]string{"-1": "−¥0.01", "1000000000000": "¥10,000,000,000.00", "99999999999999999999": "¥999,999,999,999,999,999.99"} {
		n := json.Number(amount)
		v, err := n.Int64()
		if err != nil { // the simulator's orders hold no more than an int64
			continue
		}
		path := rented(a, "IMPOSSIBLE", correction.Fen(v), []correction.Line{priced("租车相关费用", 1)}, nil)
		for _, address := range []string{path, path + "/correction", "/orders?out_order_no=IMPOSSIBLE&sub_mchid=" + rentMerchant, "/orders?out_order_no=IMPOSSIBLE"} {
			if res := lin.Get(address); res.Status != http.StatusBadGateway || !strings.Contains(res.Body, names) {
				t.Errorf("%s of %s: %d\n%s", address, amount, res.Status, res.Body)
			}
		}
	}
}

// A discount with an amount beside lines without one is refused at its field, also when
// it is the order's own and nobody touched it; one without an amount is sent again.
func TestDiscount_WithAnAmountNeedsALineWithOne(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	o, _ := a.Sim.Order(bankMerchant, bankOrder)
	o.Discounts = []correction.Line{priced("新客立减", 500)}
	a.Sim.Put(o)
	form := bankForm(field(t, lin.Get(bankPath+"/correction").Body, "base"), "10")
	form.Set("post_discounts.0.name", "新客立减")
	form.Set("post_discounts.0.description", "新客立减")
	form.Set("post_discounts.0.amount", "5.00")
	for lang, want := range map[string]string{"zh-CN": "微信核对的总额就成了负数", "en": "would leave WeChat with a negative sum"} {
		lin.Post("/account/preferences", url.Values{"lang": {lang}})
		res := lin.Post(bankPath+"/correction", form)
		if res.Status != http.StatusUnprocessableEntity || !strings.Contains(res.Body, `href="#post_discounts.0.amount"`) || !strings.Contains(res.Body, want) ||
			!strings.Contains(res.Body, `aria-invalid="true"`) {
			t.Errorf("%s: %d\n%s", lang, res.Status, res.Body)
		}
	}
	for _, part := range []string{"name", "description", "amount"} {
		form.Del("post_discounts.0." + part)
	}
	if res := lin.Post(bankPath+"/correction", form); res.Status != http.StatusSeeOther {
		t.Errorf("without it: %d\n%s", res.Status, res.Body)
	}
}
