package i18n

import (
	"strconv"
	"strings"

	"correction-console/internal/correction"
)

var settingNames = map[string]Text{
	string(correction.SettingReasons): {"改价原因", "Reasons"},
	string(correction.SettingLimits):  {"改价上限", "Limits"},
	string(correction.SettingTiers):   {"审批级别", "Approval tiers"},
	string(correction.SettingFlags):   {"复核标记", "Flags"},
	string(correction.SettingHours):   {"工作时间", "Working hours"},
	correction.CatalogMerchants:       {"商户", "Merchants"},
	correction.CatalogServices:        {"服务", "Services"},
}

// SettingName is the name of a setting, or of merchants and services.
func SettingName(name string) Text { return settingNames[name] }

// weekdays begin with Sunday.
var weekdays = [7]Text{{"星期日", "Sunday"}, {"星期一", "Monday"}, {"星期二", "Tuesday"}, {"星期三", "Wednesday"}, {"星期四", "Thursday"}, {"星期五", "Friday"}, {"星期六", "Saturday"}}

// Weekday is the name of a day of the week; 0 is Sunday.
func Weekday(day int) Text { return weekdays[day] }

var settingProblems = map[string]words{
	correction.BadCode: func(l Lang, n correction.Notice) string {
		return l.F("代码只用小写字母、数字和下划线，1 到 %d 个", "Lower-case letters, digits and _ only, 1 to %d of them", n.Limit)
	},
	correction.BadCodeTwice: func(l Lang, n correction.Notice) string {
		return l.F("代码“%s”用了两次", "The code “%s” is used twice", n.Text)
	},
	correction.BadCodeGone: func(l Lang, n correction.Notice) string {
		return l.F("“%s”不能去掉，也不能改代码：以前的改价在用。不再用就勾“停用”", "“%s” must stay as it is: earlier corrections name it. Retire it instead", n.Text)
	},
	correction.BadNoneActive: says("至少留一个没有停用的原因", "Keep at least one reason that is not retired"),
	correction.BadPercent:    says("填大于 0、不超过 100 的百分数，最多一位小数，比如 12.5", "Enter a percentage above 0 and up to 100 with at most one decimal, such as 12.5"),
	correction.BadWhole: func(l Lang, n correction.Notice) string {
		return l.F("填 %d 到 %d 之间的整数", "Enter a whole number from %d to %d", n.Count, n.Limit)
	},
	correction.BadOwnTick: says("填了上限却没有勾“单独设置”：请勾上，或者清空", "There are limits here, but “own limits” is not ticked: tick it, or clear them"),
	correction.BadOwnRow:  says("不能改自己的上限，请别的主管来改", "Nobody changes their own limits; ask another supervisor"),
	correction.BadDayBelow: func(l Lang, n correction.Notice) string {
		return l.F("每天的上限不能低于每单的上限 %s", "The limit of a day cannot be below the %s per order", n.Amount)
	},
	correction.BadTierTwice: func(l Lang, n correction.Notice) string {
		return l.F("%s 已经有一级了，每级的起点要不同", "There is a tier at %s already; each must begin elsewhere", n.Amount)
	},
	correction.BadTierZero:   says("要有一级从 0 开始", "One tier has to begin at 0"),
	correction.BadTierNobody: says("选至少一位主管，或者改成“每位主管”", "Choose at least one supervisor, or “every supervisor”"),
	correction.BadTierWho: func(l Lang, n correction.Notice) string {
		return l.F("%s 不是在用的主管，不能审批", "%s is no active supervisor and cannot approve", n.Text)
	},
	correction.BadGap: func(l Lang, n correction.Notice) string {
		return l.F("少收 %s 起的改价，这些商户没有人能批准：%s", "From %s on, nobody could approve corrections of: %s", n.Amount, strings.Join(n.Names, Mark(l, "、", ", ")))
	},
	correction.BadGapOwn: func(l Lang, n correction.Notice) string {
		names := strings.Join(n.Names, Mark(l, "、", ", "))
		return l.F("%s 超出上限的改价，没有别人能批准", "Nobody else could approve what is above the limit of %s", names)
	},
	correction.BadPair:      says("次数和天数要一起填，或者都留空", "Enter both the number and the days, or neither"),
	correction.BadTime:      says("写成 时:分，比如 08:30，最晚 24:00", "Write hours:minutes, such as 08:30; 24:00 is the latest"),
	correction.BadSpan:      says("下班要晚于上班", "It has to end after it begins"),
	correction.BadMchID:     says("商户号只有数字", "A merchant number has digits only"),
	correction.BadServiceID: says("服务 ID 是 1 到 32 个字母或数字", "A service id has 1 to 32 letters or digits"),
	correction.BadIndustry:  says("请从列表里选行业", "Choose an industry from the list"),
	correction.BadCap:       says("填大于 0 的金额；不知道就留空", "Enter an amount above 0, or leave it empty when it is not known"),
}

// Percent is thousandths as a percentage in text: 125 is "12.5%".
func Percent(permille int) string { return correction.PercentText(permille) + "%" }

// reasonName is a reason in both languages.
func reasonName(r correction.Reason) string { return r.ZH + " / " + r.EN }

// SettingLine is one thing that a setting says, in words. Key is the same in every
// version, so that versions can be compared.
type SettingLine struct{ Key, Label, Value string }

// SettingLines says in words what a setting is. Names come from people.
func SettingLines(l Lang, name correction.SettingName, s correction.Settings, people []correction.Person) []SettingLine {
	person := func(id string) string {
		for _, p := range people {
			if strconv.FormatInt(p.ID, 10) == id {
				return p.Name
			}
		}
		return "#" + id
	}
	var out []SettingLine
	add := func(key, label, value string) { out = append(out, SettingLine{key, label, value}) }
	sep := Mark(l, "、", ", ")
	switch name {
	case correction.SettingReasons:
		var order []string
		for _, r := range s.Reasons {
			order = append(order, l.T(r.ZH, r.EN))
			parts := []string{reasonName(r)}
			if r.Outgoing == "" {
				parts = append(parts, l.T("说明由客服填写", "the agent writes the text"))
			} else {
				parts = append(parts, l.F("说明：%s", "text: %s", r.Outgoing))
			}
			if r.NeedsNote {
				parts = append(parts, l.T("要写备注", "needs a note"))
			}
			if r.Retired {
				parts = append(parts, l.T("已停用", "retired"))
			}
			add(r.Code, r.Code, strings.Join(parts, Mark(l, "；", "; ")))
		}
		add(" order", l.T("顺序", "Order"), strings.Join(order, sep))
	case correction.SettingLimits:
		bounds := func(x correction.Limit) string {
			if x.Unlimited() {
				return l.T("没有上限", "no limit")
			}
			return strings.Join(LimitTexts(l, x), Mark(l, "；", "; "))
		}
		for _, r := range []correction.Role{correction.Agent, correction.Supervisor} {
			add(string(r), l.F("%s（角色）", "%s (role)", RoleWord(r).In(l)), bounds(s.Limits.Roles[r]))
		}
		for _, p := range people { // in their order
			id := strconv.FormatInt(p.ID, 10)
			if x, ok := s.Limits.People[id]; ok {
				add("person "+id, person(id), bounds(x))
			}
		}
	case correction.SettingTiers:
		for i, t := range s.Tiers {
			var names []string
			for _, id := range t.Approvers {
				names = append(names, person(strconv.FormatInt(id, 10)))
			}
			who := strings.Join(names, sep)
			if len(names) == 0 {
				who = l.T("每位主管", "every supervisor")
			}
			if i > 0 && i == len(s.Tiers)-1 {
				who += l.T("；决定前不显示金额，自己核定总额", "; types the total, which is hidden before")
			}
			add(t.From.Yuan(), l.F("少收 %s 起", "From %s", t.From), who)
		}
	case correction.SettingFlags:
		for _, r := range flagRuleLines(l, s.Flags) {
			if r.Value == "" {
				r.Value = l.T("关", "off")
			}
			out = append(out, r)
		}
	case correction.SettingHours:
		for i := range s.Hours {
			day := (i + 1) % 7 // Monday first
			x := s.Hours[day]
			value := l.T("休息", "closed")
			if x.Until > x.From {
				value = correction.ClockText(x.From) + "–" + correction.ClockText(x.Until)
			}
			add(strconv.Itoa(day), Weekday(day).In(l), value)
		}
	}
	return out
}

// flagRuleLines says what each rule finds; a rule that is off has no value.
func flagRuleLines(l Lang, r correction.FlagRules) []SettingLine {
	on := func(yes bool, text string) string {
		if yes {
			return text
		}
		return ""
	}
	return []SettingLine{
		{"zero", l.T("改到 0 元", "Lowered to zero"), on(r.Zero, l.T("开", "on"))},
		{"share", l.T("降幅大", "Large share"), on(r.SharePermille > 0, l.F("超过订单的 %s", "more than %s of the order", Percent(r.SharePermille)))},
		{"near", l.T("贴着上限", "Just under the limit"), on(r.NearPermille > 0, l.F("低于上限不到 %s", "within %s under it", Percent(r.NearPermille)))},
		{"again", l.T("同一设备或订单再次改价", "Same device or order again"), on(r.AgainDays > 0, l.F("%d 天内", "within %d days", r.AgainDays))},
		{"hours", l.T("工作时间以外", "Outside working hours"), on(r.OutsideHours, l.T("开", "on"))},
		{"fast", l.T("改得太快", "Very fast"), on(r.FastSeconds > 0, l.F("查单到确认不到 %d 秒", "under %d seconds from look-up to confirmation", r.FastSeconds))},
		{"other", l.T("连续选“其他”", "“Other” again and again"), on(r.OtherRunning > 0, l.F("连续 %d 次", "%d times running", r.OtherRunning))},
		{"pair", l.T("同一客服总改同一设备", "Same agent, same device"), on(r.PairCount > 0, l.F("%[2]d 天内 %[1]d 次", "%d times in %d days", r.PairCount, r.PairDays))},
		{"sample", l.T("随机抽查", "Random sample"), on(r.SamplePermille > 0, l.F("其余的 %s", "%s of the rest", Percent(r.SamplePermille)))},
	}
}

// SettingChange is one line that differs between two versions; empty where it is not.
type SettingChange struct{ Label, Before, After string }

// SettingChanges compares two versions in words.
func SettingChanges(before, after []SettingLine) []SettingChange {
	was := map[string]SettingLine{}
	for _, x := range before {
		was[x.Key] = x
	}
	var out []SettingChange
	for _, x := range after {
		old := was[x.Key]
		if old.Value != x.Value {
			out = append(out, SettingChange{x.Label, old.Value, x.Value})
		}
		delete(was, x.Key)
	}
	for _, x := range before {
		if _, gone := was[x.Key]; gone {
			out = append(out, SettingChange{x.Label, x.Value, ""})
		}
	}
	return out
}
