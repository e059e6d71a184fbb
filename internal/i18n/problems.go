package i18n

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"correction-console/internal/correction"
)

// words is one code's sentence. It may quote the notice.
type words func(l Lang, n correction.Notice) string

// says is a sentence that quotes nothing.
func says(zh, en string) words {
	return func(l Lang, _ correction.Notice) string { return l.T(zh, en) }
}

// both is a table of two.
func both(a, b map[string]words) map[string]words {
	maps.Copy(b, a)
	return b
}

var problemWords = both(settingProblems, map[string]words{
	correction.BadRequired: func(l Lang, n correction.Notice) string { return required(l, n.Field) },
	correction.BadTooLong: func(l Lang, n correction.Notice) string {
		over := n.Count - n.Limit
		return l.F("最多 %d 字，现在 %d 字，要删去 %d 个字", "At most %d characters; there are %d. Shorten it by %d", n.Limit, n.Count, over)
	},
	correction.BadCharacter: func(l Lang, n correction.Notice) string {
		if n.Count == 0 {
			return l.F("开头有看不见的字符（%s），请删掉重新输入", "It begins with a character that cannot be seen (%s). Delete it and type the text again", CharacterName(l, n.Text))
		}
		return l.F("第 %d 个字后面有看不见的字符（%s），请删掉重新输入", "There is a character that cannot be seen (%[2]s) after character %[1]d. Delete it and type the text again", n.Count, CharacterName(l, n.Text))
	},
	correction.BadEmoji: func(l Lang, n correction.Notice) string {
		if r := []rune(n.Text); len(r) == 1 && correction.Hidden(r[0]) {
			n.Text = CharacterName(l, fmt.Sprintf("U+%04X", r[0]))
		}
		return l.F("微信不支持“%s”这样的表情或生僻字，请删掉或换个写法", "WeChat does not take “%s” (emoji or rare characters). Delete it or write it differently", n.Text)
	},
	correction.BadUTF8: says("文字没有正确传过来，请重新输入", "The text did not arrive intact. Type it again"),
	correction.BadYuan: func(l Lang, n correction.Notice) string {
		return suggest(l, n, "只填数字，比如 12.50", "Enter an amount in digits, such as 12.50", "只填数字，写成 %s", "Enter digits only: %s")
	},
	correction.BadThousands: func(l Lang, n correction.Notice) string {
		return suggest(l, n, "去掉千分位逗号，比如写成 1234.50", "Leave out the thousands separators, as in 1234.50",
			"去掉千分位逗号，写成 %s", "Leave out the thousands separators: %s")
	},
	correction.BadDecimals: func(l Lang, n correction.Notice) string {
		return suggest(l, n, "最多两位小数，比如 12.50", "At most two decimals, such as 12.50",
			"最多两位小数，比如 %s", "At most two decimals, such as %s")
	},
	correction.BadSign:     says("只填数字，不带正负号，比如 12.50", "Enter digits without a sign, such as 12.50"),
	correction.BadExponent: says("不要用 1e3 这样的写法，写成 1000.00", "Write the amount out: 1000.00, not 1e3"),
	correction.BadZeros: func(l Lang, n correction.Notice) string {
		return suggest(l, n, "去掉前面多余的 0，比如写成 7.00", "Leave out the leading zeros, as in 7.00",
			"去掉前面多余的 0，写成 %s", "Leave out the leading zeros: %s")
	},
	correction.BadTooLarge: func(l Lang, _ correction.Notice) string {
		return l.F("金额太大了，一行最多 %s", "Too large. A line can be %s at most", correction.MaxAmount)
	},
	correction.BadCount: func(l Lang, n correction.Notice) string {
		return l.F("填 1 到 %d 之间的整数，不要这行就点“移除”", "Enter a whole number from 1 to %d. To drop the line, use Remove", n.Limit)
	},
	correction.BadContent: says("金额和说明至少填一样", "Enter an amount, a description or both"),
	correction.BadDuplicate: func(l Lang, n correction.Notice) string {
		return l.F("“%s”已经用过了，换一个名称，或者合成一行", "“%s” is already used. Choose another name, or make it one line", n.Text)
	},
	correction.BadNoLines: says("至少要有一行明细", "Keep at least one line"),
	correction.BadTooMany: func(l Lang, n correction.Notice) string {
		return l.F("最多 %d 行，现在 %d 行，要移除 %d 行", "At most %d rows; there are %d. Remove %d", n.Limit, n.Count, n.Count-n.Limit)
	},
	correction.BadNotLower: func(l Lang, n correction.Notice) string {
		return l.F("改后要低于当前 %s，金额只能调低", "It must be below the current %s. The amount can only be lowered", n.Amount)
	},
	correction.BadNegative: func(l Lang, n correction.Notice) string {
		return l.F("优惠比明细还多，总额成了 %s。减少优惠，或者移除一项", "The discounts exceed the lines: the total would be %s. Lower or remove a discount", n.Amount)
	},
	correction.BadAlone: func(l Lang, n correction.Notice) string {
		return l.F("明细都没有金额，再减 %s 优惠，微信核对的总额就成了负数。移除这项优惠，直接填改后总额", "No line has an amount, so taking %s off would leave WeChat with a negative sum. Remove the discount and enter the new total by itself", n.Amount)
	},
	correction.BadZero: says("全额减免请在商户系统取消订单，不要改到 0 元。", "To waive the whole charge, cancel the order in the merchant system; do not correct it to 0."),
	correction.BadOverCap: func(l Lang, n correction.Notice) string {
		return l.F("改后不能超过这项服务的上限 %s", "The total may not exceed the service's cap of %s", n.Amount)
	},
	correction.BadOverflow:     says("金额加起来太大了，请检查每一行", "The amounts add up to too much. Check each line"),
	correction.BadUnchanged:    says("金额和明细都还没有改，改低以后再继续", "Nothing is changed yet. Lower an amount to go on"),
	correction.BadReasonCode:   says("这个原因不能用了，请重新选一个", "This reason is no longer in use. Choose another one"),
	correction.BadNoteRequired: says("选了这个原因，要在备注里写清楚情况", "This reason needs a note. Say what happened"),
	correction.BadDeviceTick:   says("补上设备编号；确实没有，就勾选“确认留空”", "Enter the device ids, or tick that they stay empty"),
})

var warningWords = map[string]words{
	correction.WarnName: func(l Lang, n correction.Notice) string {
		return l.F("“%s”不是这个行业常用的名称，常用的是：%s", "“%s” is not a usual name in this industry. Usual: %s", n.Text, join(l, n.Names))
	},
	correction.WarnMissingName: func(l Lang, n correction.Notice) string {
		return l.F("这个行业的订单一般要有“%s”这一行", "Orders of this industry usually have a line “%s”", n.Text)
	},
	correction.WarnOneOf: func(l Lang, n correction.Notice) string {
		return l.F("一般至少要有其中一行：%s", "Usually at least one of these lines is there: %s", join(l, n.Names))
	},
	correction.WarnNeedsAmount: func(l Lang, n correction.Notice) string {
		return l.F("“%s”一般要填金额", "“%s” usually has an amount", n.Text)
	},
	correction.WarnNoAmount: func(l Lang, n correction.Notice) string {
		return l.F("“%s”一般不填金额", "“%s” usually has no amount", n.Text)
	},
	correction.WarnNeedsDescription: func(l Lang, n correction.Notice) string {
		return l.F("“%s”一般要写说明", "“%s” usually has a description", n.Text)
	},
	correction.WarnNoDescription: func(l Lang, n correction.Notice) string {
		return l.F("“%s”一般不写说明", "“%s” usually has no description", n.Text)
	},
	correction.WarnNeedsCount: func(l Lang, n correction.Notice) string {
		return l.F("“%s”一般要填数量", "“%s” usually has a count", n.Text)
	},
	correction.WarnNoCount: func(l Lang, n correction.Notice) string {
		return l.F("“%s”一般不填数量", "“%s” usually has no count", n.Text)
	},
	correction.WarnFixedText: func(l Lang, n correction.Notice) string {
		return l.F("总额是 0 元时，说明一般写“%s”", "With a total of 0 the description is usually “%s”", n.Text)
	},
	correction.WarnPersonal: func(l Lang, n correction.Notice) string {
		return l.F("像有电话或证件号（%s 开头），客户可能看到，请删去", "It looks like a phone or ID number (starting with %s). The customer may see it: delete it", first(n.Text, 3))
	},
	correction.WarnNoDevice: says("没有填。无人值守设备的订单一般要填", "Empty. Orders of unattended devices usually have it"),
	correction.WarnURL:      says("微信要求填完整的网址，比如 https://example.com/a", "WeChat expects a full address, such as https://example.com/a"),
}

// ProblemText says what to do about a problem of a form. It has no full stop and
// does not name the field; FieldLabel does.
func ProblemText(l Lang, n correction.Notice) string {
	return text(l, n, problemWords, "请检查这一项", "Check this field")
}

// WarningText says what is unusual. Nothing has to be done about it.
func WarningText(l Lang, n correction.Notice) string {
	return text(l, n, warningWords, "请留意这一项", "Have a look at this field")
}

// text falls back to a general sentence: a stored warning of a version that had
// more codes must not break the page.
func text(l Lang, n correction.Notice, table map[string]words, zh, en string) string {
	w, ok := table[n.Code]
	if !ok {
		return l.T(zh, en)
	}
	return w(l, n)
}

// BriefText is ProblemText for a narrow field of a table: the fix in a few words.
// The whole sentence stands in the summary.
func BriefText(l Lang, n correction.Notice) string {
	_, _, part, _ := splitField(n.Field)
	switch {
	case part == "count" && n.Code == correction.BadCount:
		return l.F("1 到 %d", "1 to %d", n.Limit)
	case part != "amount":
		return ProblemText(l, n)
	case n.Code == correction.BadRequired:
		return l.T("填金额", "Enter an amount")
	case n.Code == correction.BadAlone:
		return l.T("明细没有金额，请移除", "No line amount: remove it")
	case n.Code == correction.BadContent:
		return l.T("填金额或说明", "Amount or description")
	case n.Code == correction.BadDecimals:
		return l.T("最多两位小数", "Two decimals at most")
	case n.Text != "":
		return l.F("写成 %s", "Write %s", n.Text)
	case n.Code == correction.BadYuan || n.Code == correction.BadSign || n.Code == correction.BadExponent || n.Code == correction.BadThousands || n.Code == correction.BadZeros:
		return l.T("只填数字，如 12.50", "Digits, as in 12.50")
	case n.Code == correction.BadTooLarge:
		return l.T("金额太大了", "Too large")
	}
	return ProblemText(l, n)
}

// NotLowerText is the problem not_lower with the total that was worked out.
func NotLowerText(l Lang, total, current correction.Fen) string {
	if total == current {
		return l.F("改后和当前一样，都是 %s：金额只能调低", "The total is still %s. The amount can only be lowered", current)
	}
	return l.F("改后 %s 高于当前 %s：金额只能调低", "%s is above the current %s. The amount can only be lowered", total, current)
}

func suggest(l Lang, n correction.Notice, zh, en, zhWith, enWith string) string {
	if n.Text == "" {
		return l.T(zh, en)
	}
	return l.F(zhWith, enWith, n.Text)
}

func join(l Lang, names []string) string { return strings.Join(names, Mark(l, "、", ", ")) }

func first(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}

// required says what to put into an empty field.
func required(l Lang, field string) string {
	list, _, part, row := splitField(field)
	switch {
	case row && part == "name":
		return l.T("填名称，不要这行就点“移除”", "Enter a name. To drop the line, use Remove")
	case row && part == "amount":
		return l.T("填金额，比如 5.00", "Enter an amount, such as 5.00")
	case list == "post_discounts" && row && part == "description":
		return l.T("写说明，不要这项就点“移除”", "Enter a description. To drop the discount, use Remove")
	case list == "total_amount":
		return l.T("填改后总额，比如 10.00", "Enter the new total, such as 10.00")
	case list == "reason_code":
		return l.T("请选一个原因，统计和复核都按它归类", "Choose one. Reports and reviews go by it")
	case list == "reason":
		return l.T("写一句改价的说明，客户可能看到", "Write a sentence. The customer may read it")
	}
	return l.T("这一项要填", "Fill this in")
}

var fieldNames = map[string]Text{
	"post_payments":          {"明细", "Lines"},
	"post_discounts":         {"优惠", "Discounts"},
	"total_amount":           {"改后总额", "New total"},
	"reason_code":            {"改价原因", "Reason"},
	"reason":                 {"发给微信的说明", "Text sent to WeChat"},
	"ticket":                 {"投诉单号或工单号", "Complaint or ticket no."},
	"note":                   {"内部备注", "Internal note"},
	"device.start_device_id": {"开始设备编号", "Start device"},
	"device.end_device_id":   {"结束设备编号", "End device"},
	"device.materiel_no":     {"物料网址", "Material URL"},
	"no_device":              {"设备编号", "Device ids"},
	"typed_total":            {"改后应收", "New total"},
}

var partNames = map[string]Text{
	"post_payments.name":         {"项目名称", "Name"},
	"post_payments.amount":       {"行合计", "Line total"},
	"post_payments.count":        {"数量", "Count"},
	"post_payments.description":  {"说明", "Description"},
	"post_discounts.name":        {"优惠名称", "Name"},
	"post_discounts.amount":      {"优惠合计", "Discount total"},
	"post_discounts.count":       {"数量", "Count"},
	"post_discounts.description": {"说明", "Description"},
}

// FieldLabel names a form field for people: "第 2 行 · 行合计" for
// post_payments.1.amount. A field without a name is called by its own.
func FieldLabel(l Lang, field string) string {
	list, index, part, ok := splitField(field)
	if !ok {
		return word(fieldNames, field).In(l)
	}
	return RowLabel(l, list, index) + " · " + PartLabel(l, list, part)
}

// RowLabel names a row of the editor by its number in the field names.
func RowLabel(l Lang, list string, index int) string {
	if list == "post_discounts" {
		return l.F("优惠 %d", "Discount %d", index+1)
	}
	return l.F("第 %d 行", "Line %d", index+1)
}

// PartLabel names a column of the editor: name, amount, count or description.
func PartLabel(l Lang, list, part string) string {
	key := list + "." + part
	if t, ok := partNames[key]; ok {
		return t.In(l)
	}
	return part
}

// Mark chooses punctuation by language; texts are chosen by T.
func Mark(l Lang, zh, en string) string {
	if l == EN {
		return en
	}
	return zh
}

// splitField splits post_payments.1.amount. For every other field list is the
// field itself and ok is false.
func splitField(field string) (list string, index int, part string, ok bool) {
	list, rest, _ := strings.Cut(field, ".")
	number, part, _ := strings.Cut(rest, ".")
	index, err := strconv.Atoi(number)
	if err != nil || part == "" {
		return field, 0, "", false
	}
	return list, index, part, true
}

// Labelled puts a field's name in front of a sentence about it.
func Labelled(l Lang, field, text string) string {
	return fmt.Sprintf("%s%s%s", FieldLabel(l, field), Mark(l, "：", ": "), text)
}

// Spoken is an amount as it is said on the phone: 39 元 7 角, 39.70 yuan.
func Spoken(l Lang, f correction.Fen) string {
	if l == EN {
		return f.Yuan() + " yuan"
	}
	yuan, jiao, fen := f/100, f/10%10, f%10
	if f < 0 {
		return f.Yuan() + " 元"
	}
	var parts []string
	if yuan > 0 || f == 0 {
		parts = append(parts, strconv.FormatInt(int64(yuan), 10)+" 元")
	}
	if jiao > 0 {
		parts = append(parts, strconv.FormatInt(int64(jiao), 10)+" 角")
	}
	if fen > 0 {
		zero := ""
		if jiao == 0 && yuan > 0 {
			zero = "零 "
		}
		parts = append(parts, zero+strconv.FormatInt(int64(fen), 10)+" 分")
	}
	return strings.Join(parts, " ")
}
