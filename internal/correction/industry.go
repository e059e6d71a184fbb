package correction

import "slices"

// Need says whether a field of a line is wanted in an industry.
type Need int

// Needs. The zero value leaves the field free.
const (
	May Need = iota
	Must
	MustNot
)

// NameRule is what an industry says about lines of one name (domain.md §10).
type NameRule struct {
	Name                       string
	Required                   bool
	Amount, Description, Count Need
	OnlyWhenZero               bool // the rule is for a total of 0 alone
	OnlyAboveZero              bool // the rule is for a total above 0 alone
}

// Industry is the rule page of one industry, as data. Breaking it warns and never
// blocks: whether the API enforces it is not documented.
type Industry struct {
	Code       string
	ZH, EN     string
	Unattended bool   // device ids are expected (domain.md §1.1)
	FixedText  string // the only description allowed when the total is 0
	OneOf      bool   // at least one of the names must be there
	Names      []NameRule
}

// byTotal reports whether some rule depends on the total.
func (i Industry) byTotal() bool {
	return slices.ContainsFunc(i.Names, func(n NameRule) bool { return n.OnlyWhenZero || n.OnlyAboveZero })
}

// Industries is the table of domain.md §10.
var Industries = []Industry{
	{Code: "ebike_charging", ZH: "二轮电动车充电桩", EN: "E-bike charging", Unattended: true, Names: []NameRule{
		{Name: "收费标准", Required: true, Amount: MustNot, Description: Must, Count: MustNot},
		{Name: "使用时长", Required: true, Amount: MustNot, Description: Must, Count: MustNot},
	}},
	{Code: "power_bank", ZH: "充电宝", EN: "Power bank", Unattended: true, Names: []NameRule{
		{Name: "收费标准", Required: true, Amount: MustNot, Description: Must, Count: MustNot},
		{Name: "使用时长", Required: true, Amount: MustNot, Description: Must, Count: MustNot},
	}},
	{Code: "car_charging", ZH: "汽车充电桩", EN: "Car charging", Unattended: true, Names: []NameRule{
		{Name: "计费规则", Required: true, Amount: MustNot, Description: Must, Count: MustNot},
		{Name: "费用明细", Required: true, Amount: MustNot, Description: Must, Count: MustNot},
	}},
	{Code: "bike", ZH: "共享单车", EN: "Shared bikes", Names: []NameRule{
		{Name: "计费规则", Required: true, Amount: MustNot, Description: Must, Count: MustNot},
		{Name: "骑行时长", Required: true, Amount: MustNot, Description: Must, Count: MustNot},
		{Name: "骑行费用", Amount: Must, Description: MustNot, Count: MustNot},
		{Name: "调度费用", Amount: Must, Description: MustNot, Count: MustNot},
		{Name: "头盔费用", Amount: Must, Description: MustNot, Count: MustNot},
		{Name: "罚款", Amount: Must, Description: MustNot, Count: MustNot},
	}},
	{Code: "express", ZH: "快递", EN: "Express", Names: []NameRule{
		{Name: "首重费", Required: true, Amount: Must, Description: MustNot, Count: MustNot},
		{Name: "续重费", Amount: Must, Description: MustNot, Count: MustNot},
		{Name: "包装费", Amount: Must, Description: MustNot, Count: MustNot},
		{Name: "保价费", Amount: Must, Description: MustNot, Count: MustNot},
	}},
	{Code: "retail", ZH: "智慧零售", EN: "Unattended retail", Unattended: true, Names: []NameRule{
		{Name: RepeatableName, Required: true, Amount: Must, Description: Must, Count: Must},
	}},
	{Code: "car_rental", ZH: "汽车租赁", EN: "Car rental", FixedText: "本次无扣款", OneOf: true, Names: []NameRule{
		{Name: "租车相关费用", Required: true, Amount: MustNot, Description: Must, Count: MustNot, OnlyWhenZero: true},
		{Name: "租车相关费用", Amount: Must, Description: Must, Count: Must, OnlyAboveZero: true},
		{Name: "延迟还车费用", Amount: Must, Description: Must, Count: Must, OnlyAboveZero: true},
		{Name: "加油费用", Amount: Must, Description: Must, Count: Must, OnlyAboveZero: true},
		{Name: "ETC高速费用", Amount: Must, Description: Must, Count: Must, OnlyAboveZero: true},
		{Name: "车损费用", Amount: Must, Description: Must, Count: Must, OnlyAboveZero: true},
		{Name: "折旧费用", Amount: Must, Description: Must, Count: Must, OnlyAboveZero: true},
		{Name: "停运费用", Amount: Must, Description: Must, Count: Must, OnlyAboveZero: true},
		{Name: "闯红灯违章", Amount: Must, Description: Must, Count: Must, OnlyAboveZero: true},
	}},
	{Code: "hotel", ZH: "酒店", EN: "Hotel", Names: []NameRule{
		{Name: "酒店房费", Required: true, Amount: Must, Description: Must, Count: MustNot},
		{Name: "其他杂费", Amount: Must, Description: Must, Count: MustNot},
	}},
}

// FindIndustry returns the industry with the code.
func FindIndustry(code string) (Industry, bool) {
	for _, i := range Industries {
		if i.Code == code {
			return i, true
		}
	}
	return Industry{}, false
}

// warnings lists how the lines break the industry's rules.
func (i Industry) warnings(lines []Line, index []int, total Fen) []Notice {
	if len(i.Names) == 0 {
		return nil
	}
	var out []Notice
	rules := map[string]NameRule{}
	var known []string
	for _, n := range i.Names {
		if (n.OnlyWhenZero && total != 0) || (n.OnlyAboveZero && total == 0) {
			continue
		}
		rules[n.Name] = n
		known = append(known, n.Name)
	}
	seen := map[string]bool{}
	for at, l := range lines {
		field := lineField("post_payments", index[at], "")
		seen[l.Name] = true
		n, ok := rules[l.Name]
		if !ok {
			out = append(out, Notice{Field: field + "name", Code: WarnName, Text: l.Name, Names: known})
			continue
		}
		check := func(need Need, has bool, name string, must, mustNot string) {
			switch {
			case need == Must && !has:
				out = append(out, Notice{Field: field + name, Code: must, Text: l.Name})
			case need == MustNot && has:
				out = append(out, Notice{Field: field + name, Code: mustNot, Text: l.Name})
			}
		}
		check(n.Amount, l.HasAmount, "amount", WarnNeedsAmount, WarnNoAmount)
		check(n.Description, l.Description != "", "description", WarnNeedsDescription, WarnNoDescription)
		if l.Count == 0 {
			check(n.Count, false, "count", WarnNeedsCount, WarnNoCount)
		} else if l.Count > 1 { // WeChat reports an absent count as 1
			check(n.Count, true, "count", WarnNeedsCount, WarnNoCount)
		}
		if n.OnlyWhenZero && i.FixedText != "" && l.Description != "" && l.Description != i.FixedText {
			out = append(out, Notice{Field: field + "description", Code: WarnFixedText, Text: i.FixedText})
		}
	}
	any := false
	for _, name := range known {
		any = any || seen[name]
		if rules[name].Required && !seen[name] {
			out = append(out, Notice{Field: "post_payments", Code: WarnMissingName, Text: name})
		}
	}
	if i.OneOf && total > 0 && !any {
		out = append(out, Notice{Field: "post_payments", Code: WarnOneOf, Names: known})
	}
	return out
}
