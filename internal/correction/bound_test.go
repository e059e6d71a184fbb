package correction

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestWhyNot_AmountsBeyondTheBound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(*Order)
		amount Fen
		beyond bool
	}{
		"the largest total":      {set: func(o *Order) { o.Total, o.Collection.Total = MaxAmount, MaxAmount }},
		"one fen more":           {set: func(o *Order) { o.Total = MaxAmount + 1 }, amount: MaxAmount + 1, beyond: true},
		"the largest line":       {set: func(o *Order) { o.Lines[0].Amount = MaxAmount }},
		"a line of one fen more": {set: func(o *Order) { o.Lines[0].Amount = MaxAmount + 1 }, amount: MaxAmount + 1, beyond: true},
		"the largest discount":   {set: func(o *Order) { o.Discounts[0].Amount = MaxAmount }},
		"a discount of one more": {set: func(o *Order) { o.Discounts[0].Amount = MaxAmount + 1 }, amount: MaxAmount + 1, beyond: true},
		"a negative total":       {set: func(o *Order) { o.Total = -1 }, amount: -1, beyond: true},
		"a negative line":        {set: func(o *Order) { o.Lines[0].Amount = -1 }, amount: -1, beyond: true},
		"to be collected":        {set: func(o *Order) { o.Collection.Total = MaxAmount + 2 }, amount: MaxAmount + 2, beyond: true},
		"the lines' sum is above": {set: func(o *Order) {
			o.Lines = []Line{{Name: "a", Amount: MaxAmount, HasAmount: true}, {Name: "b", Amount: MaxAmount, HasAmount: true}}
		}},
	} {
		o := payable(50000, []Line{{Name: "餐费", Amount: 50100, HasAmount: true}}, []Line{{Name: "券", Amount: 100, HasAmount: true}})
		c.set(&o)
		amount, beyond := o.Beyond()
		if amount != c.amount || beyond != c.beyond || (o.WhyNot(nil, time.Now()) == BeyondBound) != c.beyond {
			t.Errorf("%s: %s %v, %s", name, amount, beyond, o.WhyNot(nil, time.Now()))
		}
		o.State = OrderRevoked
		if got := o.WhyNot(nil, time.Now()); got != Cancelled {
			t.Errorf("%s, cancelled: %s", name, got)
		}
	}
}

func TestWholeFen(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "¥0.00", "7": "¥0.07", "-7": "−¥0.07", "123": "¥1.23", "999999999900": "¥9,999,999,999.00", "-123456": "−¥1,234.56", "0012": "¥0.12",
		"99999999999999999999": "¥999,999,999,999,999,999.99",
	} {
		if got, ok := WholeFen(in); got != want || !ok {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "-", "+1", "1.0", "1e3", " 1", "１", "--1", "1-"} {
		if got, ok := WholeFen(in); ok {
			t.Errorf("%q: %q", in, got)
		}
	}
	for _, f := range []Fen{0, 1, -1, 99, 100, -12345678, math.MaxInt64, math.MinInt64 + 1} {
		if got := f.String(); got == "" || got[0] == '.' {
			t.Errorf("%d: %q", f, got)
		}
	}
}

func TestCheck_DiscountsBesideLinesWithoutAmounts(t *testing.T) {
	t.Parallel()
	said := []FormLine{{Index: 0, Name: "收费标准", Description: "2元/小时"}, {Index: 1, Name: "使用时长", Description: "5小时"}}
	priced := []FormLine{{Index: 0, Name: "餐费", Amount: "400"}}
	for name, c := range map[string]struct {
		lines    []FormLine
		discount FormLine
		want     []string
	}{
		"amount":                           {said, FormLine{Name: "券", Amount: "1"}, []string{"discount_alone post_discounts.4.amount"}},
		"amount and description":           {said, FormLine{Name: "券", Amount: "1", Description: "满减"}, []string{"discount_alone post_discounts.4.amount"}},
		"zero is an amount":                {said, FormLine{Name: "券", Amount: "0", Description: "满减"}, []string{"discount_alone post_discounts.4.amount"}},
		"largest amount":                   {said, FormLine{Name: "券", Amount: "99999999.99"}, []string{"discount_alone post_discounts.4.amount"}},
		"unreadable amount":                {said, FormLine{Name: "券", Amount: "1,0"}, []string{"yuan_thousands post_discounts.4.amount"}},
		"described":                        {said, FormLine{Name: "券", Description: "满减"}, nil},
		"neither":                          {said, FormLine{Name: "券"}, []string{"required post_discounts.4.description"}},
		"a line has an amount":             {priced, FormLine{Name: "券", Amount: "1"}, nil},
		"a line has one, the discount not": {priced, FormLine{Name: "券", Description: "满减"}, []string{"required post_discounts.4.amount"}},
		"the line's cannot be read":        {[]FormLine{{Name: "餐费", Amount: "x"}}, FormLine{Name: "券", Amount: "1"}, []string{"yuan_syntax post_payments.0.amount"}},
		"the only line's amount is 0":      {[]FormLine{{Name: "餐费", Amount: "0"}}, FormLine{Name: "券", Amount: "1"}, []string{"negative post_payments"}},
	} {
		c.discount.Index = 4
		f := Form{Lines: c.lines, Discounts: []FormLine{c.discount}, Total: "10", ReasonCode: "complaint"}
		got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{})
		if p := problems(got); !slices.Equal(p, c.want) {
			t.Errorf("%s: %q, want %q", name, p, c.want)
		}
		if name == "amount" && (!got.TotalKnown || got.Total != 1000) {
			t.Errorf("%s: the total that was entered is not read: %s", name, got.Total)
		}
	}
}
