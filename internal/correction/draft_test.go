package correction

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// payable is an order that can be corrected, with the given money.
func payable(total Fen, lines, discounts []Line) Order {
	return Order{
		SubMchID: "1900000109", ServiceID: "2002000000000558128851361561536", OutOrderNo: "1234323JKHDFE1243252",
		State: OrderDoing, StateDescription: MchComplete, Lines: lines, Discounts: discounts, Total: total, HasTotal: true,
		Collection: Collection{State: UserPaying, Total: total, Paying: total},
	}
}

func powerBank() (Order, Offering) {
	return payable(9900, []Line{
		{Name: "收费标准", Description: "2元/小时，99元封顶"},
		{Name: "使用时长", Description: "50小时3分"},
	}, nil), Offering{ServiceID: "2002000000000558128851361561536", Industry: "power_bank"}
}

// form is a form that Check accepts against a payable order of ¥500.00.
func form() Form {
	return Form{
		Lines:      []FormLine{{Index: 0, Name: "就餐费用", Amount: "400.00", Count: "4", Description: "就餐人均100元"}},
		ReasonCode: "complaint",
	}
}

func problems(c Checked) []string { return at(c.Problems) }

// at lists notices as "code at field", sorted.
func at(notices []Notice) []string {
	var out []string
	for _, n := range notices {
		out = append(out, n.Code+" "+n.Field)
	}
	slices.Sort(out)
	return out
}

func repeat(n int, row func(i int) FormLine) []FormLine {
	out := make([]FormLine, n)
	for i := range out {
		out[i] = row(i)
		out[i].Index = i
	}
	return out
}

func fee(i int) FormLine { return FormLine{Name: fmt.Sprintf("费用%d", i), Amount: "1"} }

func TestCheck_RulesAtTheirLimits(t *testing.T) {
	t.Parallel()
	han := func(n int) string { return strings.Repeat("费", n) }
	line := func(set func(*FormLine)) func(*Form) { return func(f *Form) { set(&f.Lines[0]) } }
	discount := func(l FormLine) func(*Form) { return func(f *Form) { f.Discounts = []FormLine{l} } }
	for _, c := range []struct {
		name  string
		edit  func(*Form)
		svc   Offering
		base  Fen // 50000 when zero
		want  []string
		warns bool // of an address that is none
	}{
		{name: "as it is", edit: func(*Form) {}},

		// lines and discounts: how many
		{name: "no line", edit: func(f *Form) { f.Lines = nil }, want: []string{"no_lines post_payments"}},
		{name: "only empty rows", edit: func(f *Form) { f.Lines = []FormLine{{Index: 0, Name: " "}, {Index: 7}} }, want: []string{"no_lines post_payments"}},
		{name: "100 lines", edit: func(f *Form) { f.Lines = repeat(100, fee) }},
		{name: "100 lines and empty rows", edit: func(f *Form) {
			f.Lines = append(repeat(100, fee), FormLine{Index: 100}, FormLine{Index: 101, Amount: "\u3000"})
		}},
		{name: "101 lines", edit: func(f *Form) { f.Lines = repeat(101, fee) }, want: []string{"too_many post_payments"}},
		{name: "30 discounts", edit: func(f *Form) { f.Discounts = repeat(30, fee) }},
		{name: "31 discounts", edit: func(f *Form) { f.Discounts = repeat(31, fee) }, want: []string{"too_many post_discounts"}},

		// name
		{name: "name of 20", edit: line(func(l *FormLine) { l.Name = han(20) })},
		{name: "name of 21", edit: line(func(l *FormLine) { l.Name = han(21) }), want: []string{"too_long post_payments.0.name"}},
		{name: "no name", edit: line(func(l *FormLine) { l.Name = " " }), want: []string{"required post_payments.0.name"}},
		{name: "emoji in a name", edit: line(func(l *FormLine) { l.Name = "费😀" }), want: []string{"emoji post_payments.0.name"}},
		{name: "control character in a name", edit: line(func(l *FormLine) { l.Name = "费\x07用" }), want: []string{"bad_character post_payments.0.name"}},
		{name: "bad bytes in a name", edit: line(func(l *FormLine) { l.Name = "费\xff" }), want: []string{"bad_utf8 post_payments.0.name"}},
		{name: "name of a discount of 20", edit: discount(FormLine{Name: han(20), Amount: "1"})},
		{name: "name of a discount of 21", edit: discount(FormLine{Name: han(21), Amount: "1"}), want: []string{"too_long post_discounts.0.name"}},
		{name: "discount without name", edit: discount(FormLine{Amount: "1"}), want: []string{"required post_discounts.0.name"}},

		// description
		{name: "description of 30", edit: line(func(l *FormLine) { l.Description = han(30) })},
		{name: "description of 31", edit: line(func(l *FormLine) { l.Description = han(31) }), want: []string{"too_long post_payments.0.description"}},
		{name: "bidi control in a description", edit: line(func(l *FormLine) { l.Description = "a\u202eb" }), want: []string{"bad_character post_payments.0.description"}},
		{name: "description of a discount of 31", edit: discount(FormLine{Name: "券", Amount: "1", Description: han(31)}), want: []string{"too_long post_discounts.0.description"}},

		// a line has an amount or a description or both
		{name: "amount alone", edit: line(func(l *FormLine) { l.Description = "" })},
		{name: "neither amount nor description", edit: func(f *Form) { f.Lines = append(f.Lines, FormLine{Index: 1, Name: "加油费用"}) },
			want: []string{"needs_content post_payments.1.amount"}},
		{name: "a description beside lines with amounts", edit: func(f *Form) {
			f.Lines = append(f.Lines, FormLine{Index: 1, Name: "骑行时长", Description: "5分"})
		}},
		{name: "count alone", edit: func(f *Form) { f.Lines = append(f.Lines, FormLine{Index: 1, Count: "2"}) },
			want: []string{"needs_content post_payments.1.amount", "required post_payments.1.name"}},
		{name: "bad name and neither amount nor description", edit: func(f *Form) { f.Lines = append(f.Lines, FormLine{Index: 1, Name: han(21)}) },
			want: []string{"needs_content post_payments.1.amount", "too_long post_payments.1.name"}},
		{name: "bad count and neither amount nor description", edit: func(f *Form) { f.Lines = append(f.Lines, FormLine{Index: 1, Name: "费", Count: "0"}) },
			want: []string{"count_range post_payments.1.count", "needs_content post_payments.1.amount"}},
		{name: "a bad amount is not a missing one", edit: func(f *Form) { f.Lines = append(f.Lines, FormLine{Index: 1, Name: "费", Amount: "x"}) },
			want: []string{"yuan_syntax post_payments.1.amount"}},
		{name: "a bad description is not a missing one", edit: func(f *Form) {
			f.Lines = append(f.Lines, FormLine{Index: 1, Name: "费", Description: "\xff"})
		}, want: []string{"bad_utf8 post_payments.1.description"}},

		// discounts need an amount
		{name: "discount with an amount", edit: discount(FormLine{Name: "券", Amount: "0.01"})},
		{name: "discount without amount", edit: discount(FormLine{Name: "券", Description: "满减"}), want: []string{"required post_discounts.0.amount"}},
		{name: "discount of a bad amount", edit: discount(FormLine{Name: "券", Amount: "-1"}), want: []string{"yuan_sign post_discounts.0.amount"}},

		// count
		{name: "no count", edit: line(func(l *FormLine) { l.Count = "" })},
		{name: "count 0", edit: line(func(l *FormLine) { l.Count = "0" }), want: []string{"count_range post_payments.0.count"}},
		{name: "count 1", edit: line(func(l *FormLine) { l.Count = "1" })},
		{name: "count 100", edit: line(func(l *FormLine) { l.Count = "100" })},
		{name: "count 101", edit: line(func(l *FormLine) { l.Count = "101" }), want: []string{"count_range post_payments.0.count"}},
		{name: "count -1", edit: line(func(l *FormLine) { l.Count = "-1" }), want: []string{"count_range post_payments.0.count"}},
		{name: "count +1", edit: line(func(l *FormLine) { l.Count = "+1" }), want: []string{"count_range post_payments.0.count"}},
		{name: "count 1.5", edit: line(func(l *FormLine) { l.Count = "1.5" }), want: []string{"count_range post_payments.0.count"}},
		{name: "count in words", edit: line(func(l *FormLine) { l.Count = "四" }), want: []string{"count_range post_payments.0.count"}},
		{name: "count beyond int64", edit: line(func(l *FormLine) { l.Count = strings.Repeat("9", 40) }), want: []string{"count_range post_payments.0.count"}},
		{name: "full-width count", edit: line(func(l *FormLine) { l.Count = "１００" })},
		{name: "count of a discount 100", edit: discount(FormLine{Name: "券", Amount: "1", Count: "100"})},
		{name: "count of a discount 101", edit: discount(FormLine{Name: "券", Amount: "1", Count: "101"}), want: []string{"count_range post_discounts.0.count"}},

		// names are unique
		{name: "two names", edit: func(f *Form) { f.Lines = repeat(2, fee) }},
		{name: "one name twice", edit: func(f *Form) { f.Lines = repeat(2, func(int) FormLine { return fee(1) }) }, want: []string{"duplicate_name post_payments.1.name"}},
		{name: "one name three times", edit: func(f *Form) { f.Lines = repeat(3, func(int) FormLine { return fee(1) }) },
			want: []string{"duplicate_name post_payments.1.name", "duplicate_name post_payments.2.name"}},
		{name: "one name in two spellings", edit: func(f *Form) {
			f.Lines = []FormLine{{Index: 0, Name: "Café", Amount: "1"}, {Index: 1, Name: " Cafe\u0301 ", Amount: "1"}}
		}, want: []string{"duplicate_name post_payments.1.name"}},
		{name: "商品信息 three times", edit: func(f *Form) {
			f.Lines = repeat(3, func(int) FormLine {
				return FormLine{Name: "商品信息", Amount: "1", Description: "可乐", Count: "1"}
			})
		}},
		{name: "商品信息 twice among the discounts", edit: func(f *Form) {
			f.Discounts = repeat(2, func(int) FormLine { return FormLine{Name: "商品信息", Amount: "1"} })
		}, want: []string{"duplicate_name post_discounts.1.name"}},
		{name: "two discounts of one name", edit: func(f *Form) { f.Discounts = repeat(2, func(int) FormLine { return fee(1) }) },
			want: []string{"duplicate_name post_discounts.1.name"}},
		{name: "a line and a discount of one name", edit: discount(FormLine{Name: "就餐费用", Amount: "1"})},

		// amounts
		{name: "no such amount", edit: line(func(l *FormLine) { l.Amount = "abc" }), want: []string{"yuan_syntax post_payments.0.amount"}},
		{name: "thousands", edit: line(func(l *FormLine) { l.Amount = "1,000" }), want: []string{"yuan_thousands post_payments.0.amount"}},
		{name: "third decimal", edit: line(func(l *FormLine) { l.Amount = "1.001" }), want: []string{"yuan_decimals post_payments.0.amount"}},
		{name: "sign", edit: line(func(l *FormLine) { l.Amount = "-1" }), want: []string{"yuan_sign post_payments.0.amount"}},
		{name: "exponent", edit: line(func(l *FormLine) { l.Amount = "1e2" }), want: []string{"yuan_exponent post_payments.0.amount"}},
		{name: "leading zero", edit: line(func(l *FormLine) { l.Amount = "01" }), want: []string{"yuan_zeros post_payments.0.amount"}},
		{name: "largest amount", edit: line(func(l *FormLine) { l.Amount = "99999999.99" }), base: MaxAmount + 1},
		{name: "above the largest amount", edit: line(func(l *FormLine) { l.Amount = "100000000" }), base: MaxAmount * 2, want: []string{"yuan_too_large post_payments.0.amount"}},
		{name: "a yuan sign alone", edit: line(func(l *FormLine) { l.Amount = "¥" }), want: []string{"required post_payments.0.amount"}},

		// the total only goes down
		{name: "one fen lower", edit: line(func(l *FormLine) { l.Amount = "499.99" })},
		{name: "equal", edit: line(func(l *FormLine) { l.Amount = "500.00" }), want: []string{"not_lower post_payments"}},
		{name: "one fen higher", edit: line(func(l *FormLine) { l.Amount = "500.01" }), want: []string{"not_lower post_payments"}},
		{name: "one fen", edit: line(func(l *FormLine) { l.Amount = "0.01" })},
		{name: "zero", edit: line(func(l *FormLine) { l.Amount = "0" }), want: []string{"zero_not_allowed post_payments"}},
		{name: "zero where it is allowed", edit: line(func(l *FormLine) { l.Amount = "0" }), svc: Offering{AllowZero: true}},
		{name: "discounts as high as the lines", edit: discount(FormLine{Name: "券", Amount: "400"}), want: []string{"zero_not_allowed post_payments"}},
		{name: "discounts as high as the lines, allowed", edit: discount(FormLine{Name: "券", Amount: "400"}), svc: Offering{AllowZero: true}},
		{name: "discounts one fen above the lines", edit: discount(FormLine{Name: "券", Amount: "400.01"}), svc: Offering{AllowZero: true},
			want: []string{"negative post_payments"}},
		{name: "equal by a discount", edit: func(f *Form) {
			f.Lines[0].Amount, f.Discounts = "500.01", []FormLine{{Name: "券", Amount: "0.01"}}
		}, want: []string{"not_lower post_payments"}},
		{name: "at the cap", edit: func(*Form) {}, svc: Offering{Cap: 40000}},
		{name: "one fen above the cap", edit: func(*Form) {}, svc: Offering{Cap: 39999}, want: []string{"over_cap post_payments"}},

		// rule 3: a total without amounts
		{name: "no amounts, a total", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "", "10" }},
		{name: "no amounts, no total", edit: line(func(l *FormLine) { l.Amount = "" }), want: []string{"required total_amount"}},
		{name: "no amounts, a bad total", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "", "1,0" }, want: []string{"yuan_thousands total_amount"}},
		{name: "no amounts, one fen lower", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "", "499.99" }},
		{name: "no amounts, equal", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "", "500" }, want: []string{"not_lower total_amount"}},
		{name: "no amounts, higher", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "", "500.01" }, want: []string{"not_lower total_amount"}},
		{name: "no amounts, zero", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "", "0" }, want: []string{"zero_not_allowed total_amount"}},
		{name: "no amounts, zero where it is allowed", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "", "0" }, svc: Offering{AllowZero: true}},
		{name: "no amounts, above the cap", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "", "400" }, svc: Offering{Cap: 39999}, want: []string{"over_cap total_amount"}},
		{name: "an amount of zero is an amount", edit: func(f *Form) { f.Lines[0].Amount, f.Total = "0", "10" }, want: []string{"zero_not_allowed post_payments"}},
		{name: "with amounts a total is not even read", edit: func(f *Form) { f.Total = "garbage" }},
		{name: "with amounts a higher total is ignored", edit: func(f *Form) { f.Total = "99999" }},

		// reason, ticket, note
		{name: "no reason code", edit: func(f *Form) { f.ReasonCode, f.Reason = " ", "已核实" }, want: []string{"required reason_code"}},
		{name: "no reason code, no reason", edit: func(f *Form) { f.ReasonCode = "" }, want: []string{"required reason_code"}},
		{name: "unknown reason code", edit: func(f *Form) { f.ReasonCode, f.Reason = "because", "已核实" }, want: []string{"reason_code reason_code"}},
		{name: "reason of 1", edit: func(f *Form) { f.Reason = "误" }},
		{name: "reason of 50", edit: func(f *Form) { f.Reason = han(50) }},
		{name: "reason of 51", edit: func(f *Form) { f.Reason = han(51) }, want: []string{"too_long reason"}},
		{name: "emoji in the reason", edit: func(f *Form) { f.Reason = "抱歉🙏" }, want: []string{"emoji reason"}},
		{name: "lines in the reason", edit: func(f *Form) { f.Reason = "a\nb" }, want: []string{"bad_character reason"}},
		{name: "other needs a reason and a note", edit: func(f *Form) { f.ReasonCode = "other" }, want: []string{"note_required note", "required reason"}},
		{name: "other with both", edit: func(f *Form) { f.ReasonCode, f.Reason, f.Note = "other", "已核实", "店长同意" }},
		{name: "other with a blank note", edit: func(f *Form) { f.ReasonCode, f.Reason, f.Note = "other", "已核实", " \n" }, want: []string{"note_required note"}},
		{name: "ticket of 64", edit: func(f *Form) { f.Ticket = strings.Repeat("T", 64) }},
		{name: "ticket of 65", edit: func(f *Form) { f.Ticket = strings.Repeat("T", 65) }, want: []string{"too_long ticket"}},
		{name: "note of 1000", edit: func(f *Form) { f.Note = han(1000) }},
		{name: "note of 1001", edit: func(f *Form) { f.Note = han(1001) }, want: []string{"too_long note"}},
		{name: "a bad note is not a missing one", edit: func(f *Form) { f.ReasonCode, f.Reason, f.Note = "other", "已核实", "\xff" }, want: []string{"bad_utf8 note"}},
		{name: "note of several lines with an emoji", edit: func(f *Form) { f.Note = "客户来电\r\n\t语气不好😀" }},
		{name: "bidi control in the note", edit: func(f *Form) { f.Note = "a\u202eb" }, want: []string{"bad_character note"}},

		// device
		{name: "device ids of 50", edit: func(f *Form) { f.Device = Device{Start: strings.Repeat("D", 50), End: strings.Repeat("E", 50)} }},
		{name: "device ids of 51", edit: func(f *Form) { f.Device = Device{Start: strings.Repeat("D", 51), End: strings.Repeat("E", 51)} },
			want: []string{"too_long device.end_device_id", "too_long device.start_device_id"}},
		{name: "address of 100", edit: func(f *Form) { f.Device.Materiel = "https://example.com/" + strings.Repeat("a", 80) }},
		{name: "address of 101", edit: func(f *Form) { f.Device.Materiel = "https://example.com/" + strings.Repeat("a", 81) }, want: []string{"too_long device.materiel_no"}},
		{name: "http", edit: func(f *Form) { f.Device.Materiel = "http://example.com?a=b#c" }},
		{name: "no address", edit: func(f *Form) { f.Device.Materiel = "HG123456" }, warns: true},
		{name: "a script", edit: func(f *Form) { f.Device.Materiel = "javascript:alert(1)" }, warns: true},
		{name: "an address without host", edit: func(f *Form) { f.Device.Materiel = "https:///a" }, warns: true},
		{name: "an address with a blank", edit: func(f *Form) { f.Device.Materiel = "https://example.com/a b" }, warns: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := form()
			c.edit(&f)
			base := payable(cmp.Or(c.base, 50000), []Line{{Name: "就餐费用", Amount: cmp.Or(c.base, 50000), HasAmount: true}}, nil)
			got := DefaultPolicy().Check(f, base, c.svc)
			if p := problems(got); !slices.Equal(p, c.want) {
				t.Errorf("problems %q, want %q", p, c.want)
			}
			if warned := slices.ContainsFunc(got.Warnings, func(n Notice) bool { return n.Code == WarnURL }); warned != c.warns {
				t.Errorf("warned of the address: %v", warned)
			}
			if got.OK() != (len(c.want) == 0) {
				t.Errorf("OK() = %v", got.OK())
			}
		})
	}
}

func TestCheck_NoticesSayWhatTheLimitIs(t *testing.T) {
	t.Parallel()
	f := form()
	f.Lines = repeat(101, fee)
	f.Lines[0].Name = strings.Repeat("费", 21)
	f.Lines[1].Count = "101"
	f.Lines[2].Amount = "1,234.567"
	f.Lines[3].Name = "费\u200b用"
	f.Lines[5].Name = f.Lines[4].Name
	want := map[string]Notice{
		"post_payments":          {Field: "post_payments", Code: BadTooMany, Limit: 100, Count: 101},
		"post_payments.0.name":   {Field: "post_payments.0.name", Code: BadTooLong, Limit: 20, Count: 21},
		"post_payments.1.count":  {Field: "post_payments.1.count", Code: BadCount, Limit: 100},
		"post_payments.2.amount": {Field: "post_payments.2.amount", Code: BadThousands, Text: "1234.56"},
		"post_payments.3.name":   {Field: "post_payments.3.name", Code: BadCharacter, Text: "U+200B", Count: 1},
		"post_payments.5.name":   {Field: "post_payments.5.name", Code: BadDuplicate, Text: "费用4"},
	}
	got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{})
	if len(got.Problems) != len(want) {
		t.Errorf("problems %q", problems(got))
	}
	for _, n := range got.Problems {
		if !reflect.DeepEqual(n, want[n.Field]) {
			t.Errorf("%+v, want %+v", n, want[n.Field])
		}
	}
	for _, c := range []struct {
		amount string
		svc    Offering
		want   Notice
	}{
		{"500", Offering{}, Notice{Field: "post_payments", Code: BadNotLower, Amount: 50000}},
		{"400", Offering{Cap: 39999}, Notice{Field: "post_payments", Code: BadOverCap, Amount: 39999}},
	} {
		f := form()
		f.Lines[0].Amount = c.amount
		if got := DefaultPolicy().Check(f, payable(50000, nil, nil), c.svc).Problems; len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

func TestCheck_SaysThatNothingChanged(t *testing.T) {
	t.Parallel()
	base := payable(39900, []Line{{Name: "就餐费用", Amount: 40000, HasAmount: true, Count: 1}}, []Line{{Name: "券", Amount: 100, HasAmount: true}})
	f := FormOf(base, Device{})
	f.ReasonCode = "complaint"
	if got := problems(DefaultPolicy().Check(f, base, Offering{})); !slices.Equal(got, []string{"unchanged post_payments"}) {
		t.Errorf("the live form: %q", got)
	}
	f.Lines[0].Description = "少收"
	if got := problems(DefaultPolicy().Check(f, base, Offering{})); !slices.Equal(got, []string{"not_lower post_payments"}) {
		t.Errorf("only a description changed: %q", got)
	}
}

func TestCheck_ReportsEverythingAtOnceAndKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	f := Form{
		Lines: []FormLine{
			{Index: 2, Name: "", Amount: " 1,000 ", Count: " x ", Description: strings.Repeat("长", 31) + " "},
			{Index: 5}, // dropped
			{Index: 9, Name: " 餐费 ", Amount: "１２．５", Count: "０４", Description: " cafe\u0301 "},
			{Index: 10, Name: "餐费", Description: "重复"},
		},
		Discounts:  []FormLine{{Index: 3, Name: "券😀", Amount: "", Count: "0", Description: "a\u202eb"}},
		Device:     Device{Start: " " + strings.Repeat("D", 51), End: "", Materiel: "example"},
		Total:      "12",
		ReasonCode: " nope ",
		Reason:     strings.Repeat("由", 51) + " ",
		Ticket:     strings.Repeat("T", 65),
		Note:       "a\u200bb",
		Base:       "base",
	}
	got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{Industry: "retail"})
	want := []string{
		"required post_payments.2.name", "yuan_thousands post_payments.2.amount", "count_range post_payments.2.count", "too_long post_payments.2.description",
		"duplicate_name post_payments.10.name",
		"emoji post_discounts.3.name", "required post_discounts.3.amount", "count_range post_discounts.3.count", "bad_character post_discounts.3.description",
		"too_long device.start_device_id", "device_tick no_device",
		"reason_code reason_code", "too_long reason", "too_long ticket", "bad_character note",
	}
	slices.Sort(want)
	if p := problems(got); !slices.Equal(p, want) {
		t.Errorf("problems:\n%q\nwant:\n%q", p, want)
	}
	if got.TotalKnown {
		t.Error("a total is said although an amount could not be read")
	}
	shown := got.Form
	if len(shown.Lines) != 3 || len(shown.Discounts) != 1 {
		t.Fatalf("rows shown: %+v", shown)
	}
	for _, c := range []struct{ name, got, want string }{
		{"bad amount", shown.Lines[0].Amount, " 1,000 "},
		{"bad count", shown.Lines[0].Count, " x "},
		{"bad description", shown.Lines[0].Description, strings.Repeat("长", 31) + " "},
		{"good name", shown.Lines[1].Name, "餐费"},
		{"good amount", shown.Lines[1].Amount, "12.50"},
		{"good count", shown.Lines[1].Count, "4"},
		{"good description", shown.Lines[1].Description, "café"},
		{"bad discount name", shown.Discounts[0].Name, "券😀"},
		{"bad discount count", shown.Discounts[0].Count, "0"},
		{"bad discount description", shown.Discounts[0].Description, "a\u202eb"},
		{"bad device", shown.Device.Start, " " + strings.Repeat("D", 51)},
		{"bad address", shown.Device.Materiel, "example"},
		{"reason code", shown.ReasonCode, "nope"},
		{"bad reason", shown.Reason, strings.Repeat("由", 51) + " "},
		{"bad ticket", shown.Ticket, strings.Repeat("T", 65)},
		{"bad note", shown.Note, "a\u200bb"},
		{"base", shown.Base, "base"},
	} {
		if c.got != c.want {
			t.Errorf("%s is shown as %q, want %q", c.name, c.got, c.want)
		}
	}
	if f.Lines[2].Amount != "１２．５" {
		t.Error("Check changed its argument")
	}
}

func TestCheck_NormalisesWhatIsRight(t *testing.T) {
	t.Parallel()
	f := Form{
		Lines:      []FormLine{{Index: 4, Name: " 餐费\u3000", Description: "人均100元 "}},
		ReasonCode: " timing ",
		Total:      " ￥１２．５ ",
		Ticket:     " T-1 ",
		Note:       " 第一行\r\n第二行 ",
		Device:     Device{Start: " D1 ", End: "\u3000D2", Materiel: " https://example.com/ "},
	}
	got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{})
	if !got.OK() {
		t.Fatalf("problems %q", problems(got))
	}
	reason, _ := FindReason(DefaultReasons, "timing")
	for _, c := range []struct{ name, got, want string }{
		{"total", got.Form.Total, "12.50"}, {"reason code", got.Form.ReasonCode, "timing"},
		{"reason", got.Form.Reason, reason.Outgoing}, {"outgoing", got.Outgoing, reason.Outgoing},
		{"ticket", got.Ticket, "T-1"}, {"note", got.Note, "第一行\n第二行"},
		{"start", got.Device.Start, "D1"}, {"end", got.Form.Device.End, "D2"}, {"address", got.Device.Materiel, "https://example.com/"},
		{"name", got.Lines[0].Name, "餐费"}, {"description", got.Form.Lines[0].Description, "人均100元"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.name, c.got, c.want)
		}
	}
	if got.Total != 1250 || !got.TotalKnown || got.Summed || got.Reason.Code != "timing" {
		t.Errorf("%+v", got)
	}
	if got.Form.Lines[0].Index != 4 {
		t.Errorf("the row moved to %d", got.Form.Lines[0].Index)
	}
}

func TestCheck_SumsTheLinesThatHaveAnAmount(t *testing.T) {
	t.Parallel()
	f := form()
	f.Total = "1.00" // a browser's claim
	f.Lines = []FormLine{
		{Index: 0, Name: "计费规则", Description: "1元/半小时"},
		{Index: 3, Name: "骑行费用", Amount: "3.50", Count: "7"},
		{Index: 8, Name: "调度费用", Amount: "20"},
	}
	f.Discounts = []FormLine{{Index: 1, Name: "月卡", Amount: "1.25", Count: "2"}}
	got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{})
	if !got.OK() || got.LineSum != 2350 || got.DiscountSum != 125 || got.Total != 2225 || !got.Summed || !got.TotalKnown {
		t.Errorf("%+v", got)
	}
	if got.Form.Total != "" {
		t.Errorf("the claimed total is kept as %q", got.Form.Total)
	}
}

// TestCheck_TheDocumentsSample is the sample of the source document: 40000 − 100,
// with a total_amount of 50000 that does not add up.
func TestCheck_TheDocumentsSample(t *testing.T) {
	t.Parallel()
	f := Form{
		Lines:      []FormLine{{Index: 0, Name: "就餐费用", Description: "就餐人均100元", Amount: "400.00", Count: "4"}},
		Discounts:  []FormLine{{Index: 0, Name: "满20减1元", Description: "不与其他优惠叠加", Amount: "1.00", Count: "2"}},
		Total:      "500.00",
		ReasonCode: "complaint",
		Reason:     "用户投诉",
		Device:     Device{Start: "HG123456", End: "HG123456", Materiel: "https://example.com/m"},
	}
	got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{})
	if !got.OK() || got.Total != 39900 || got.Form.Total != "" {
		t.Fatalf("total %d, problems %q", got.Total, problems(got))
	}
	body := string(Request{ServiceID: "2002000000000558128851361561536", SubMchID: "1900000109",
		Lines: got.Lines, Discounts: got.Discounts, Total: got.Total, Reason: got.Outgoing, Device: got.Device}.Body())
	if !strings.Contains(body, `"total_amount":39900,`) || strings.Contains(body, "50000") {
		t.Errorf("body %s", body)
	}
	for base, want := range map[Fen][]string{39901: nil, 39900: {"not_lower post_payments"}, 39899: {"not_lower post_payments"}} {
		if p := problems(DefaultPolicy().Check(f, payable(base, nil, nil), Offering{})); !slices.Equal(p, want) {
			t.Errorf("against %d: %q, want %q", base, p, want)
		}
	}
}

func TestCheck_OneColaWasNotTaken(t *testing.T) {
	t.Parallel()
	base := payable(900, []Line{
		{Name: "商品信息", Description: "可乐", Amount: 600, HasAmount: true, Count: 2},
		{Name: "商品信息", Description: "雪碧", Amount: 300, HasAmount: true, Count: 1},
	}, nil)
	f := FormOf(base, Device{Start: "V1", End: "V1"})
	f.Lines[0].Amount, f.Lines[0].Count, f.ReasonCode = "3.00", "1", "not_taken"
	got := DefaultPolicy().Check(f, base, Offering{Industry: "retail"})
	if !got.OK() || len(got.Warnings) != 0 || got.Total != 600 {
		t.Fatalf("total %d, problems %q, warnings %q", got.Total, problems(got), at(got.Warnings))
	}
	want := []Line{
		{Name: "商品信息", Description: "可乐", Amount: 300, HasAmount: true, Count: 1},
		{Name: "商品信息", Description: "雪碧", Amount: 300, HasAmount: true, Count: 1},
	}
	if !reflect.DeepEqual(got.Lines, want) {
		t.Errorf("lines %+v", got.Lines)
	}
}

func TestCheck_PowerBankFromNinetyNineToTen(t *testing.T) {
	t.Parallel()
	base, svc := powerBank()
	f := FormOf(base, Device{Start: "HG1", End: "HG2"})
	f.Lines[1].Description, f.Total, f.ReasonCode = "5小时", "10", "device_fault"
	got := DefaultPolicy().Check(f, base, svc)
	if !got.OK() || len(got.Warnings) != 0 || got.Total != 1000 || got.Summed || AnyAmount(got.Lines) {
		t.Errorf("total %d, problems %q, warnings %q", got.Total, problems(got), at(got.Warnings))
	}
}

func TestCheck_UnattendedDeviceIDsMustBeTickedOff(t *testing.T) {
	t.Parallel()
	for _, industry := range Industries {
		for _, c := range []struct {
			device   Device
			tick     bool
			problems []string
			warnings []string
		}{
			{Device{Start: "A", End: "B"}, false, nil, nil},
			{Device{Start: "A"}, false, []string{"device_tick no_device"}, []string{"no_device device.end_device_id"}},
			{Device{End: "B"}, false, []string{"device_tick no_device"}, []string{"no_device device.start_device_id"}},
			{Device{}, false, []string{"device_tick no_device"}, []string{"no_device device.end_device_id", "no_device device.start_device_id"}},
			{Device{Start: " ", End: "\u3000"}, false, []string{"device_tick no_device"}, []string{"no_device device.end_device_id", "no_device device.start_device_id"}},
			{Device{}, true, nil, []string{"no_device device.end_device_id", "no_device device.start_device_id"}},
			{Device{Start: "A"}, true, nil, []string{"no_device device.end_device_id"}},
		} {
			f := form()
			f.Device, f.NoDevice = c.device, c.tick
			got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{Industry: industry.Code})
			warned := slices.DeleteFunc(at(got.Warnings), func(s string) bool { return !strings.HasPrefix(s, "no_device") })
			if !industry.Unattended {
				c.problems, c.warnings = nil, nil
			}
			if p := problems(got); !slices.Equal(p, c.problems) || !slices.Equal(warned, c.warnings) {
				t.Errorf("%s %+v tick %v: problems %q, warnings %q", industry.Code, c.device, c.tick, p, warned)
			}
		}
	}
}

func TestCheck_WarnsOfPersonalNumbersInTheReason(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]bool{
		"已与13800138000联系":       true,
		"已与138 0013 8000联系":     true,
		"已与138-0013-8000联系":     true,
		"已与１３８００１３８０００联系":       true,
		"身份证11010519491231002X": true,
		"身份证110105194912310021": true,
		"用户投诉":                  false,
		"多计50小时，应为5小时":          false,
		"订单1234567890":          false, // ten digits
		"2026-11-23 使用时长有误":     false,
	} {
		f := form()
		f.Reason = reason
		got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{})
		warned := slices.Contains(at(got.Warnings), "personal reason")
		if !got.OK() || warned != want {
			t.Errorf("%q: warned %v, want %v; problems %q", reason, warned, want, problems(got))
		}
	}
}

func TestFormOf_SendsAgainWhatIsNotTouched(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfNDistinct(genLine(), 1, 6, func(l Line) string { return l.Name }).Draw(t, "lines")
		discounts := rapid.SliceOfNDistinct(genLine(), 0, 3, func(l Line) string { return l.Name }).Draw(t, "discounts")
		for i := range discounts {
			discounts[i].HasAmount = true
		}
		base := payable(MaxAmount, lines, discounts)
		got := DefaultPolicy().Check(FormOf(base, Device{}), base, Offering{})
		if !SameLines(got.Lines, lines) || !SameLines(got.Discounts, discounts) {
			t.Fatalf("%+v and %+v became %+v and %+v; problems %q", lines, discounts, got.Lines, got.Discounts, problems(got))
		}
	})
}

// TestCheck_NeverLetsARiseThrough looks for any form that is accepted although the
// body it makes would not be lower, not add up, or be something to refuse.
func TestCheck_NeverLetsARiseThrough(t *testing.T) {
	t.Parallel()
	amount := rapid.SampledFrom([]string{"", "0", "0.01", "1", "1.00", "4.99", "5", "5.01", "10", "99999999.99", "x", "1,0"})
	row := rapid.Custom(func(t *rapid.T) FormLine {
		return FormLine{
			Name:        rapid.SampledFrom([]string{"", "甲", "乙", "丙", "商品信息"}).Draw(t, "name"),
			Amount:      amount.Draw(t, "amount"),
			Count:       rapid.SampledFrom([]string{"", "1", "100", "101"}).Draw(t, "count"),
			Description: rapid.SampledFrom([]string{"", "说明"}).Draw(t, "description"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		f := Form{
			Lines: rapid.SliceOfN(row, 0, 4).Draw(t, "lines"), Discounts: rapid.SliceOfN(row, 0, 2).Draw(t, "discounts"),
			Total: amount.Draw(t, "total"), ReasonCode: "complaint",
		}
		base := payable(Fen(rapid.Int64Range(0, 1000).Draw(t, "base")), nil, nil)
		svc := Offering{AllowZero: rapid.Bool().Draw(t, "zero")}
		got := DefaultPolicy().Check(f, base, svc)
		if !got.OK() {
			return
		}
		var sum Fen
		for _, l := range got.Lines {
			sum += l.Amount
		}
		for _, l := range got.Discounts {
			sum -= l.Amount
		}
		switch {
		case got.Total >= base.Total, got.Total < 0, got.Total == 0 && !svc.AllowZero, !got.TotalKnown, len(got.Lines) == 0:
			t.Fatalf("accepted: %+v", got)
		case AnyAmount(got.Lines) && got.Total != sum:
			t.Fatalf("does not add up: %+v", got)
		}
	})
}
