package correction

import (
	"slices"
	"testing"
)

func TestIndustries_WarnExactlyOfWhatIsBroken(t *testing.T) {
	t.Parallel()
	say := func(name, description string) FormLine { return FormLine{Name: name, Description: description} }
	cost := func(name, amount string) FormLine { return FormLine{Name: name, Amount: amount} }
	full := func(name, amount, count, description string) FormLine {
		return FormLine{Name: name, Amount: amount, Count: count, Description: description}
	}
	rows := func(l ...FormLine) []FormLine {
		for i := range l {
			l[i].Index = i
		}
		return l
	}
	type variant struct {
		name  string
		lines []FormLine
		total string
		want  []string
	}
	timed := func(rule, use string) []variant {
		return []variant{
			{"as demanded", rows(say(rule, "1元/1小时"), say(use, "1小时38分20秒")), "1", nil},
			{"order does not matter", rows(say(use, "1小时38分20秒"), say(rule, "1元/1小时")), "1", nil},
			{"rule missing", rows(say(use, "5分")), "1", []string{"name_missing post_payments"}},
			{"use missing", rows(say(rule, "1元/1小时")), "1", []string{"name_missing post_payments"}},
			{"foreign name", rows(say(rule, "1元"), say(use, "5分"), say("其他", "x")), "1", []string{"name_not_industry post_payments.2.name"}},
			{"amount", rows(full(rule, "1", "", "1元"), say(use, "5分")), "", []string{"no_amount post_payments.0.amount"}},
			{"amount of zero", rows(say(rule, "1元"), full(use, "0", "", "5分"), cost("其他", "1")), "",
				[]string{"name_not_industry post_payments.2.name", "no_amount post_payments.1.amount"}},
			{"count", rows(say(rule, "1元"), full(use, "", "2", "5分")), "1", []string{"no_count post_payments.1.count"}},
			{"no description", rows(say(rule, "1元"), cost(use, "1")), "",
				[]string{"needs_description post_payments.1.description", "no_amount post_payments.1.amount"}},
		}
	}
	for code, variants := range map[string][]variant{
		"ebike_charging": timed("收费标准", "使用时长"),
		"power_bank":     timed("收费标准", "使用时长"),
		"car_charging":   timed("计费规则", "费用明细"),
		"bike": {
			{"no fees", rows(say("计费规则", "1元/半小时"), say("骑行时长", "5分")), "1", nil},
			{"all fees", rows(say("计费规则", "x"), say("骑行时长", "5分"), cost("骑行费用", "1"), cost("调度费用", "1"), cost("头盔费用", "1"), cost("罚款", "1")), "", nil},
			{"rule missing", rows(say("骑行时长", "5分"), cost("骑行费用", "1")), "", []string{"name_missing post_payments"}},
			{"ride missing", rows(say("计费规则", "x"), cost("骑行费用", "1")), "", []string{"name_missing post_payments"}},
			{"amount on a rule", rows(full("计费规则", "1", "", "x"), say("骑行时长", "5分")), "", []string{"no_amount post_payments.0.amount"}},
			{"fee without amount", rows(say("计费规则", "x"), say("骑行时长", "5分"), say("罚款", "y")), "1",
				[]string{"needs_amount post_payments.2.amount", "no_description post_payments.2.description"}},
			{"fee with description", rows(say("计费规则", "x"), say("骑行时长", "5分"), full("罚款", "1", "", "y")), "", []string{"no_description post_payments.2.description"}},
			{"count on a fee", rows(say("计费规则", "x"), say("骑行时长", "5分"), full("罚款", "1", "2", "")), "", []string{"no_count post_payments.2.count"}},
			{"count on a rule", rows(full("计费规则", "", "2", "x"), say("骑行时长", "5分")), "1", []string{"no_count post_payments.0.count"}},
			{"foreign name", rows(say("计费规则", "x"), say("骑行时长", "5分"), cost("其他", "1")), "", []string{"name_not_industry post_payments.2.name"}},
		},
		"express": {
			{"first weight", rows(cost("首重费", "1")), "", nil},
			{"all", rows(cost("首重费", "1"), cost("续重费", "1"), cost("包装费", "1"), cost("保价费", "1")), "", nil},
			{"first weight missing", rows(cost("续重费", "1")), "", []string{"name_missing post_payments"}},
			{"description", rows(full("首重费", "1", "", "x")), "", []string{"no_description post_payments.0.description"}},
			{"count of one, which is none", rows(full("首重费", "1", "1", "")), "", nil},
			{"count", rows(full("首重费", "1", "2", "")), "", []string{"no_count post_payments.0.count"}},
			{"no amount", rows(cost("首重费", "1"), say("包装费", "x")), "", []string{"needs_amount post_payments.1.amount", "no_description post_payments.1.description"}},
			{"foreign name", rows(cost("首重费", "1"), cost("其他", "1")), "", []string{"name_not_industry post_payments.1.name"}},
		},
		"retail": {
			{"one product", rows(full("商品信息", "1", "1", "可乐")), "", nil},
			{"two products", rows(full("商品信息", "1", "1", "可乐"), full("商品信息", "1", "2", "雪碧")), "", nil},
			{"no description", rows(full("商品信息", "1", "1", "")), "", []string{"needs_description post_payments.0.description"}},
			{"no count", rows(full("商品信息", "1", "", "可乐")), "", []string{"needs_count post_payments.0.count"}},
			{"no amount", rows(full("商品信息", "", "1", "可乐")), "1", []string{"needs_amount post_payments.0.amount"}},
			{"foreign name", rows(full("商品信息", "1", "1", "可乐"), cost("其他", "1")), "", []string{"name_not_industry post_payments.1.name"}},
			{"missing", rows(cost("其他", "1")), "", []string{"name_missing post_payments", "name_not_industry post_payments.0.name"}},
		},
		"car_rental": {
			{"zero", rows(say("租车相关费用", "本次无扣款")), "0", nil},
			{"zero with another text", rows(say("租车相关费用", "免单")), "0", []string{"fixed_text post_payments.0.description"}},
			{"zero with an amount", rows(full("租车相关费用", "0", "", "本次无扣款")), "", []string{"no_amount post_payments.0.amount"}},
			{"zero with a count", rows(full("租车相关费用", "", "2", "本次无扣款")), "0", []string{"no_count post_payments.0.count"}},
			{"zero with another name", rows(say("租车相关费用", "本次无扣款"), say("车损费用", "x")), "0", []string{"name_not_industry post_payments.1.name"}},
			{"zero without the name", rows(say("车损费用", "x")), "0", []string{"name_missing post_payments", "name_not_industry post_payments.0.name"}},
			{"one cost", rows(full("租车相关费用", "1", "1", "x")), "", nil},
			{"all costs", rows(full("租车相关费用", "1", "1", "x"), full("延迟还车费用", "1", "1", "x"), full("加油费用", "1", "1", "x"), full("ETC高速费用", "1", "1", "x"),
				full("车损费用", "1", "1", "x"), full("折旧费用", "1", "1", "x"), full("停运费用", "1", "1", "x"), full("闯红灯违章", "1", "1", "x")), "", nil},
			{"any one will do", rows(full("加油费用", "1", "1", "x")), "", nil},
			{"none of them", rows(full("其他", "1", "1", "x")), "", []string{"name_not_industry post_payments.0.name", "name_one_of post_payments"}},
			{"foreign name", rows(full("加油费用", "1", "1", "x"), full("其他", "1", "1", "x")), "", []string{"name_not_industry post_payments.1.name"}},
			{"no count", rows(full("加油费用", "1", "", "x")), "", []string{"needs_count post_payments.0.count"}},
			{"no description", rows(full("加油费用", "1", "1", "")), "", []string{"needs_description post_payments.0.description"}},
			{"no amount", rows(full("加油费用", "", "1", "x")), "1", []string{"needs_amount post_payments.0.amount"}},
		},
		"hotel": {
			{"room", rows(full("酒店房费", "1", "", "x")), "", nil},
			{"room and more", rows(full("酒店房费", "1", "", "x"), full("其他杂费", "1", "", "x")), "", nil},
			{"room missing", rows(full("其他杂费", "1", "", "x")), "", []string{"name_missing post_payments"}},
			{"count", rows(full("酒店房费", "1", "2", "x")), "", []string{"no_count post_payments.0.count"}},
			{"no description", rows(cost("酒店房费", "1")), "", []string{"needs_description post_payments.0.description"}},
			{"no amount", rows(say("酒店房费", "x")), "1", []string{"needs_amount post_payments.0.amount"}},
			{"foreign name", rows(full("酒店房费", "1", "", "x"), cost("其他", "1")), "", []string{"name_not_industry post_payments.1.name"}},
		},
	} {
		for _, v := range variants {
			f := Form{Lines: v.lines, Total: v.total, ReasonCode: "complaint", Device: Device{Start: "A", End: "B"}}
			got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{Industry: code, AllowZero: true})
			if !got.OK() {
				t.Errorf("%s, %s: problems %q: an industry's rule must not block", code, v.name, problems(got))
			}
			if w := at(got.Warnings); !slices.Equal(w, v.want) {
				t.Errorf("%s, %s: warnings %q, want %q", code, v.name, w, v.want)
			}
		}
	}
}

func TestIndustries_OfferOnlyTheNamesThatFitTheTotal(t *testing.T) {
	t.Parallel()
	for total, want := range map[string][]string{
		"0": {"租车相关费用"},
		"1": {"租车相关费用", "延迟还车费用", "加油费用", "ETC高速费用", "车损费用", "折旧费用", "停运费用", "闯红灯违章"},
	} {
		f := Form{Lines: []FormLine{{Name: "其他", Description: "x"}}, Total: total, ReasonCode: "complaint"}
		got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{Industry: "car_rental", AllowZero: true})
		if len(got.Warnings) == 0 || !slices.Equal(got.Warnings[0].Names, want) {
			t.Errorf("total %s: %+v", total, got.Warnings)
		}
	}
}

func TestIndustries_SayNothingThatNeedsATotalWithoutOne(t *testing.T) {
	t.Parallel()
	f := Form{Lines: []FormLine{{Index: 0, Name: "加油费用", Amount: "1,0", Count: "1", Description: "x"}}, ReasonCode: "complaint"}
	got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{Industry: "car_rental"})
	if len(got.Warnings) != 0 {
		t.Errorf("warnings %q", at(got.Warnings))
	}
}

func TestIndustries_AreTheEightAndUnknownOnesHaveNoRules(t *testing.T) {
	t.Parallel()
	if len(Industries) != 8 {
		t.Errorf("%d industries", len(Industries))
	}
	unattended, bare := map[string]bool{}, map[string]bool{}
	for _, i := range Industries {
		unattended[i.Code], bare[i.Code] = i.Unattended, noAmounts(i)
		if got, ok := FindIndustry(i.Code); !ok || got.ZH != i.ZH {
			t.Errorf("FindIndustry(%q) = %+v, %v", i.Code, got, ok)
		}
	}
	for code, want := range map[string][2]bool{ // unattended, no amounts
		"ebike_charging": {true, true}, "power_bank": {true, true}, "car_charging": {true, true}, "retail": {true, false},
		"bike": {false, false}, "express": {false, false}, "car_rental": {false, false}, "hotel": {false, false},
	} {
		if got := [2]bool{unattended[code], bare[code]}; got != want {
			t.Errorf("%s: unattended, no amounts = %v, want %v", code, got, want)
		}
	}
	for _, code := range []string{"", "restaurant"} {
		if got := DefaultPolicy().Check(form(), payable(50000, nil, nil), Offering{Industry: code}); len(got.Warnings) != 0 {
			t.Errorf("industry %q: warnings %q", code, at(got.Warnings))
		}
	}
}

// noAmounts reports whether no line of the industry carries an amount.
func noAmounts(i Industry) bool {
	for _, n := range i.Names {
		if n.Amount != MustNot {
			return false
		}
	}
	return len(i.Names) > 0
}
