package pages

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
	"correction-console/web/templates/layout"
)

// SettingsURL is the list of the settings.
const SettingsURL = "/settings"

// SettingURL is the page of a setting, or of merchants and services.
func SettingURL(name string) string { return SettingsURL + "/" + name }

// SettingHistoryURL is its history.
func SettingHistoryURL(name string) string { return SettingURL(name) + "/history" }

// SettingsProps is the list of all settings.
type SettingsProps struct {
	Page layout.Page
	Desk correction.Desk
}

// SettingProps is the page of one setting.
type SettingProps struct {
	Page     layout.Page
	View     correction.SettingView
	N        int // version that the form started from
	Typed    correction.Typed
	Problems []correction.Notice
	Conflict bool                            // somebody edited it since; Changes tells what differs
	Theirs   correction.Settings             // with what was typed, as far as it can be read
	Read     bool                            // Theirs holds what was typed
	Focus    string                          // field to put the focus in
	Refused  string                          // a Code of errors: why an edit that loosens was not kept, or does not come into force
	Blocked  []correction.Notice             // why it cannot
	Through  map[int64]correction.Correction // what View.Open would have let through, as far as the reader may read it
}

// SettingHistoryProps is the history of one setting, newest first.
type SettingHistoryProps struct {
	Page     layout.Page
	View     correction.SettingView
	Versions []correction.SettingVersion
	Problems []correction.Notice // of the version Tried, which was not restored
	Tried    int
	Conflict bool
	Decided  []correction.Proposal // that waited, and do not any more
}

func (p SettingHistoryProps) decidedTitle(x correction.Proposal) string {
	return p.Page.F("第 %d 版", "Version %d", x.N)
}

// CatalogProps is the page of merchants or services.
type CatalogProps struct {
	Page      layout.Page
	Name      string // correction.CatalogMerchants or CatalogServices
	Actor     correction.Actor
	MayAdd    bool
	Merchants []correction.Merchant
	Offerings []correction.Offering
	Open      []correction.Open // services that are to be loosened
	Refused   string            // a Code of errors, as in SettingProps
	People    []correction.Person
	Typed     correction.Typed // of the form; nil when none is open
	Was       string           // what was shown before, as JSON; empty when it is new
	Problems  []correction.Notice
	Conflict  []i18n.SettingChange // now → typed; somebody edited it since
	Conflicts bool
}

// CatalogHistoryProps is the history of merchants or services.
type CatalogHistoryProps struct {
	Page  layout.Page
	Name  string
	Edits []CatalogChange
}

// CatalogChange is one edit of a merchant or a service in words.
type CatalogChange struct {
	Edit    correction.CatalogEdit
	Subject string
	Key     string
	Changes []i18n.SettingChange
	Back    correction.Typed // form that takes it back; nil when there is none
}

// MayEdit reports whether the reader may edit a merchant or service.
func (p CatalogProps) MayEdit(key string) bool {
	if p.Name == correction.CatalogServices {
		return p.MayAdd
	}
	return p.Actor.MayEditMerchant(correction.Merchant{SubMchID: key}, false)
}

func (p CatalogProps) mayEditSome() bool {
	return p.MayAdd || slices.ContainsFunc(p.Merchants, func(m correction.Merchant) bool { return p.MayEdit(m.SubMchID) })
}

// intro says what the page is for, and who may change it.
func (p CatalogProps) intro() string {
	text := settingIntro(p.Page, p.Name)
	if !p.MayAdd {
		text += i18n.Mark(p.Page.Lang, "", " ") + p.whyNotAdd()
	}
	return text
}

// whyNotAdd says why the reader may not add one, or edit it.
func (p CatalogProps) whyNotAdd() string {
	switch {
	case p.Actor.Role != correction.Operator:
		return p.Page.T("由运维修改。", "Operators edit this.")
	case p.Name == correction.CatalogServices:
		return p.Page.T("服务是全部商户共用的，只有能管全部商户的运维才能修改；你只管其中一部分。", "All merchants share the services, so only operators who cover all merchants can edit them. You cover some.")
	}
	return p.Page.T("你只能修改自己管的商户；添加商户要能管全部商户的运维。", "You can edit the merchants you cover. Adding one takes an operator who covers all merchants.")
}

// waits reports whether an edit of a setting waits for a second supervisor.
func (p SettingsProps) waits(name string) bool {
	return slices.ContainsFunc(p.Desk.Waiting, func(o correction.Open) bool { return o.Name == name })
}

var settingTabs = []string{string(correction.SettingReasons), string(correction.SettingLimits), string(correction.SettingTiers),
	string(correction.SettingFlags), string(correction.SettingHours), correction.CatalogMerchants, correction.CatalogServices}

func settingName(p layout.Page, name string) string { return i18n.SettingName(name).In(p.Lang) }

// by says who made a version.
func by(p layout.Page, name string) string {
	return cmp.Or(name, p.T("命令行", "the command line"))
}

// problemText is the problem at a field; empty when there is none.
func problemText(p layout.Page, problems []correction.Notice, field string) string {
	for _, n := range problems {
		if n.Field == field {
			return i18n.ProblemText(p.Lang, n)
		}
	}
	return ""
}

// settingItems are all problems for the list on top.
func settingItems(p layout.Page, problems []correction.Notice, label func(field string) string) []components.SummaryItem {
	var out []components.SummaryItem
	for _, n := range problems {
		text := i18n.ProblemText(p.Lang, n)
		if l := label(n.Field); l != "" {
			text = l + i18n.Mark(p.Lang, "：", ": ") + text
		}
		out = append(out, components.SummaryItem{Href: "#" + n.Field, Text: text})
	}
	return out
}

func settingTitle(p layout.Page, n int) string {
	if n == 1 {
		return p.T("有 1 处需要改正，还没有保存", "1 thing to put right; nothing is saved")
	}
	return p.F("有 %d 处需要改正，还没有保存", "%d things to put right; nothing is saved", n)
}

// fieldName is what a field of a setting is called in the list of problems.
func (p SettingProps) fieldName(field string) string {
	t := p.Page.T
	parts := map[string]string{
		"code": t("代码", "code"), "zh": t("中文", "Chinese"), "en": t("英文", "English"), "outgoing": t("发给微信的说明", "outgoing text"),
		"per": t("每单", "per order"), "percent": t("降幅", "share"), "day": t("每天", "per day"), "count": t("每天笔数", "corrections a day"), "own": t("单独设置", "own limits"),
		"from": t("起点", "from"), "until": t("下班", "until"), "who": t("由谁审批", "approvers"),
	}
	list, rest, _ := strings.Cut(field, ".")
	number, part, _ := strings.Cut(rest, ".")
	sep := i18n.Mark(p.Page.Lang, " · ", " · ")
	switch list {
	case "reason":
		if part == "" {
			return ""
		}
		return p.Page.F("第 %d 行", "Row %d", p.rowOf("reason", number)) + sep + parts[part]
	case "tier":
		if part == "" {
			return ""
		}
		return p.Page.F("第 %d 级", "Tier %d", p.rowOf("tier", number)) + sep + parts[part]
	case "person":
		for _, x := range p.View.People {
			if strconv.FormatInt(x.ID, 10) == number {
				return x.Name + sep + parts[part]
			}
		}
	case "day":
		if day, err := strconv.Atoi(number); err == nil && day >= 0 && day < 7 {
			if part == "from" {
				return i18n.Weekday(day).In(p.Page.Lang) + sep + t("上班", "from")
			}
			return i18n.Weekday(day).In(p.Page.Lang) + sep + parts[part]
		}
	case string(correction.Agent), string(correction.Supervisor):
		return i18n.RoleWord(correction.Role(list)).In(p.Page.Lang) + sep + parts[rest]
	}
	for _, r := range p.ruleFields() {
		for _, f := range r.fields {
			if f.name == field {
				return r.label
			}
		}
	}
	return ""
}

// rowOf is the place of a row on the page, from 1.
func (p SettingProps) rowOf(list, number string) int {
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return slices.Index(p.Typed.Rows(list), n) + 1
}

func (p SettingProps) problem(field string) string { return problemText(p.Page, p.Problems, field) }

// attributes of an input of a setting.
func (p SettingProps) attributes(field string) templ.Attributes {
	a := fieldAttributes(field, p.problem(field))
	if field == p.Focus {
		a["autofocus"] = true
	}
	return a
}

func fieldAttributes(field, problem string) templ.Attributes {
	a := templ.Attributes{"id": field, "name": field, "autocomplete": "off"}
	if problem != "" {
		a["aria-describedby"], a["aria-invalid"] = field+"-problem", "true"
	}
	return a
}

// known reports whether a reason's code is in use already and stays.
func (p SettingProps) known(code string) bool {
	_, ok := correction.FindReason(p.View.Settings.Reasons, code)
	return ok
}

// rule is one row of the rules of flags: words, and the numbers in them.
type rule struct {
	label, help string
	tick        string // field of a rule without a number
	fields      []ruleField
}

type ruleField struct{ name, before, unit, label string }

func (p SettingProps) ruleFields() []rule {
	t := p.Page.T
	return []rule{
		{label: t("改到 0 元", "Lowered to zero"), help: t("全部免掉的改价。", "Corrections that waive everything."), tick: "zero"},
		{label: t("降幅大", "Large share"), help: t("少收的部分占订单的比例超过它。", "More of the order was given up than this."), fields: []ruleField{{"share", t("超过", "more than"), "%", t("降幅超过，百分比", "share above, percent")}}},
		{label: t("贴着上限", "Just under the limit"), help: t("少收的金额离自己每单的上限只差这么多。", "The reduction is this close to the agent's limit per order."), fields: []ruleField{{"near", t("差不到", "within"), "%", t("离上限，百分比", "below the limit, percent")}}},
		{label: t("同一设备或订单再次改价", "Same device or order again"), help: t("这些天里同一设备或同一订单改过价。", "The same device or order was corrected within so many days."), fields: []ruleField{{"again_days", "", t("天内", "days"), t("天数", "days")}}},
		{label: t("工作时间以外", "Outside working hours"), help: t("按“工作时间”那一页算。", "By the page Working hours."), tick: "outside_hours"},
		{label: t("改得太快", "Very fast"), help: t("从打开表单到确认不到这么久。", "Less than this from opening the form to confirming."), fields: []ruleField{{"fast_seconds", t("不到", "under"), t("秒", "seconds"), t("秒数", "seconds")}}},
		{label: t("连续选“其他”", "“Other” again and again"), help: t("原因连着选了这么多次“其他”。", "The reason was “other” so many times running."), fields: []ruleField{{"other_running", "", t("次", "times"), t("次数", "times")}}},
		{label: t("同一客服总改同一设备", "Same agent, same device"), help: t("一位客服在这些天里改同一台设备的次数。", "Corrections of one agent on one device within so many days."), fields: []ruleField{{"pair_count", "", t("次", "times"), t("次数", "times")}, {"pair_days", t("在", "in"), t("天内", "days"), t("天数", "days")}}},
		{label: t("随机抽查", "Random sample"), help: t("没有标记的改价里随机抽这么多来复核，事先猜不到，事后可以重算。", "So many of the corrections without a flag are drawn for review. Nobody can tell beforehand which; afterwards it can be worked out again."), fields: []ruleField{{"sample", t("抽", "draw"), "%", t("抽查比例，百分比", "sample, percent")}}},
	}
}

// lines says what a setting is, for those who only read it.
func (p SettingProps) lines() []i18n.SettingLine {
	return i18n.SettingLines(p.Page.Lang, p.View.Name, p.View.Settings, p.View.People)
}

// conflictChanges are what is stored now and what was typed, where they differ.
func (p SettingProps) conflictChanges() []i18n.SettingChange {
	if !p.Read {
		return nil
	}
	return i18n.SettingChanges(p.lines(), i18n.SettingLines(p.Page.Lang, p.View.Name, p.Theirs, p.View.People))
}

// intro says what a setting is for.
func settingIntro(p layout.Page, name string) string {
	switch name {
	case string(correction.SettingReasons):
		return p.T("客服改价时从这里选原因。停用的不能再选，以前的改价照样显示。", "Agents choose from these. A retired reason can no longer be chosen; earlier corrections still show it.")
	case string(correction.SettingLimits):
		return p.T("一个人不用别人批准、自己能少收多少。超出就要审批。留空表示不限。", "How much somebody may give up without a second person. Anything above needs an approval. Empty means no limit.")
	case string(correction.SettingTiers):
		return p.T("超出上限的改价由谁批准，按少收的金额分级。", "Who approves what is above a limit, by the amount given up.")
	case string(correction.SettingFlags):
		return p.T("满足规则的改价会被标出来，等主管复核。留空或不勾就是关。", "Corrections that meet a rule are marked for review. Empty or unticked is off.")
	case string(correction.SettingHours):
		return p.T("工作时间以外的改价可以标出来复核。", "Corrections outside these hours can be marked for review.")
	case correction.CatalogMerchants:
		return p.T("这里有的商户才能查单和改价。记录里会用到，所以不能删除。", "Only orders of these merchants can be found and corrected. The record refers to them, so none is deleted.")
	}
	return p.T("支付分服务：行业决定明细的规则，风险金额是改价的上限。", "Pay Score services: the industry decides the rules for lines, the cap bounds the total.")
}

// summaryOf says in a few words what a setting is now.
func (p SettingsProps) summaryOf(name string) string {
	s, pg := p.Desk.Settings, p.Page
	switch name {
	case string(correction.SettingReasons):
		active := 0
		for _, r := range s.Reasons {
			if !r.Retired {
				active++
			}
		}
		if retired := len(s.Reasons) - active; retired > 0 {
			return pg.F("%d 个在用，%d 个停用", "%d in use, %d retired", active, retired)
		}
		return pg.F("%d 个在用", "%d in use", active)
	case string(correction.SettingLimits):
		text := pg.T("客服没有上限", "No limit for agents")
		if l := s.Limits.Roles[correction.Agent]; !l.Unlimited() {
			text = pg.T("客服：", "Agents: ") + strings.Join(i18n.LimitTexts(pg.Lang, l), i18n.Mark(pg.Lang, "；", "; "))
		}
		if n := len(s.Limits.People); n > 0 {
			text += pg.F("；另有 %d 人单独设置", "; own limits for %d", n)
		}
		return text
	case string(correction.SettingTiers):
		var from []string
		for _, t := range s.Tiers {
			from = append(from, t.From.String())
		}
		return pg.F("%d 级：%s 起", "%d: from %s", len(from), strings.Join(from, i18n.Mark(pg.Lang, "、", ", ")))
	case string(correction.SettingFlags):
		on := 0
		lines := i18n.SettingLines(pg.Lang, correction.SettingFlags, s, nil)
		for _, l := range lines {
			if l.Value != pg.T("关", "off") {
				on++
			}
		}
		return pg.F("%d 条规则，%d 条开着", "%d rules, %d on", len(lines), on)
	case string(correction.SettingHours):
		open := 0
		for _, x := range s.Hours {
			if x.Until > x.From {
				open++
			}
		}
		return pg.F("每周 %d 天", "%d days a week", open)
	case correction.CatalogMerchants:
		return pg.F("%d 家", "%d", len(p.Desk.Merchants))
	}
	return pg.F("%d 个", "%d", len(p.Desk.Offerings))
}

// gapLines say what nobody can decide about, a sentence a tier.
func gapLines(p layout.Page, gaps []correction.Gap, merchants []correction.Merchant) []string {
	names := map[correction.Fen][]string{}
	var froms []correction.Fen
	for _, g := range gaps {
		name := g.SubMchID
		for _, m := range merchants {
			if m.SubMchID == g.SubMchID && m.Name != "" {
				name = m.Name
			}
		}
		if _, ok := names[g.From]; !ok {
			froms = append(froms, g.From)
		}
		names[g.From] = append(names[g.From], name)
	}
	var out []string
	for _, f := range froms {
		out = append(out, p.F("少收 %s 起：%s", "From %s: %s", f, strings.Join(names[f], i18n.Mark(p.Lang, "、", ", "))))
	}
	return out
}

// versionChanges are what a version changed, against the one before it.
func (p SettingHistoryProps) versionChanges(i int) []i18n.SettingChange {
	after, err := p.View.Settings.With(p.View.Name, p.Versions[i].Value)
	if err != nil || i+1 >= len(p.Versions) {
		return nil
	}
	before, err := p.View.Settings.With(p.View.Name, p.Versions[i+1].Value)
	if err != nil {
		return nil
	}
	lines := func(s correction.Settings) []i18n.SettingLine {
		return i18n.SettingLines(p.Page.Lang, p.View.Name, s, p.View.People)
	}
	return i18n.SettingChanges(lines(before), lines(after))
}

// MerchantLines and OfferingLines say in words what is known of a merchant or service.
func MerchantLines(p layout.Page, m correction.Merchant) []i18n.SettingLine {
	return []i18n.SettingLine{{Key: "name", Label: p.T("名称", "Name"), Value: m.Name}}
}

// OfferingLines is MerchantLines for services.
func OfferingLines(p layout.Page, o correction.Offering) []i18n.SettingLine {
	limit, zero := p.T("不知道", "not known"), p.T("不允许", "no")
	if o.Cap > 0 {
		limit = o.Cap.String()
	}
	if o.AllowZero {
		zero = p.T("允许", "yes")
	}
	return []i18n.SettingLine{{Key: "name", Label: p.T("名称", "Name"), Value: o.Name}, {Key: "industry", Label: p.T("行业", "Industry"), Value: industryName(p, o.Industry)},
		{Key: "cap", Label: p.T("风险金额", "Risk cap"), Value: limit}, {Key: "zero", Label: p.T("允许改到 0", "Zero allowed"), Value: zero}}
}

func industryName(p layout.Page, code string) string {
	if i, ok := correction.FindIndustry(code); ok {
		return p.T(i.ZH, i.EN)
	}
	return p.T("不适用", "none")
}

// catalogField is what a field of a merchant or service is called.
func (p CatalogProps) catalogField(field string) string {
	t := p.Page.T
	return map[string]string{"sub_mchid": t("商户号", "Merchant number"), "service_id": t("服务 ID", "Service id"), "name": t("名称", "Name"),
		"industry": t("行业", "Industry"), "cap": t("风险金额，元", "Risk cap, yuan")}[field]
}

func (p CatalogProps) problem(field string) string { return problemText(p.Page, p.Problems, field) }

// keyField is the field that names the merchant or service.
func (p CatalogProps) keyField() string {
	if p.Name == correction.CatalogMerchants {
		return "sub_mchid"
	}
	return "service_id"
}

func (p CatalogProps) title() string {
	t := p.Page.T
	switch {
	case p.Name == correction.CatalogMerchants && p.Was == "":
		return t("添加商户", "Add a merchant")
	case p.Name == correction.CatalogMerchants:
		return t("修改商户", "Edit the merchant")
	case p.Was == "":
		return t("添加服务", "Add a service")
	}
	return t("修改服务", "Edit the service")
}

func editURL(name, key string) string { return SettingURL(name) + "?edit=" + key + "#edit" }

func sortedFields(t correction.Typed) []string { return slices.Sorted(maps.Keys(t)) }

func fieldAt(format string, args ...any) string { return fmt.Sprintf(format, args...) }
