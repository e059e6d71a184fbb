package pages

import (
	"encoding/json"
	"slices"
	"strings"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
)

// openChanges are the lines that an edit of a setting that waits changes.
func (p SettingProps) openChanges() []i18n.SettingChange {
	return proposalChanges(p.Page, p.View.Settings, p.View.Open.Proposal, p.View.People)
}

func proposalChanges(p layout.Page, s correction.Settings, x correction.Proposal, people []correction.Person) []i18n.SettingChange {
	before, ok1 := s.Preview(x.Name, x.Before)
	after, ok2 := s.Preview(x.Name, x.After)
	if !ok1 || !ok2 {
		return nil
	}
	name := correction.SettingName(x.Name)
	return i18n.SettingChanges(i18n.SettingLines(p.Lang, name, before, people), i18n.SettingLines(p.Lang, name, after, people))
}

// offeringOf reads a service of a proposal; zero when there is none.
func offeringOf(raw json.RawMessage) correction.Offering {
	var o correction.Offering
	if json.Unmarshal(raw, &o) != nil {
		return correction.Offering{}
	}
	return o
}

func (p CatalogProps) openTitle(x correction.Proposal) string { return serviceVersion(p.Page, x) }

func serviceVersion(p layout.Page, x correction.Proposal) string {
	return p.F("%s：第 %d 版等同意", "%s: version %d is waiting", offeringOf(x.After).Name, x.N)
}

func (p CatalogProps) openChanges(x correction.Proposal) []i18n.SettingChange {
	var before []i18n.SettingLine
	if string(x.Before) != "null" {
		before = OfferingLines(p.Page, offeringOf(x.Before))
	}
	return i18n.SettingChanges(before, OfferingLines(p.Page, offeringOf(x.After)))
}

// throughNone and throughTitle say of which corrections they speak: who does not cover all
// merchants learns of theirs only.
func throughNone(p layout.Page, t correction.Through, all bool) string {
	switch {
	case !all && t.Whole:
		return p.F("你负责的商户里，最近 %d 天没有一笔会少一道批准或少一个标记。", "Of the corrections of your merchants in the last %d days, none would have needed fewer approvals or raised fewer flags.", t.Days)
	case !all:
		return p.F("你负责的商户里，最近 %d 天只逐笔看了较新的改价，没有一笔会少一道批准或少一个标记；更早的没有看。", "Of the corrections of your merchants in the last %d days, only the newer ones were looked at: none of them would have needed fewer approvals or raised fewer flags.", t.Days)
	}
	if t.Whole {
		return p.F("最近 %d 天的改价换成新规则，没有一笔会少一道批准或少一个标记。", "None of the corrections of the last %d days would have needed fewer approvals or raised fewer flags.", t.Days)
	}
	return p.F("最近 %d 天里只逐笔看了较新的改价，换成新规则没有一笔会少一道批准或少一个标记；更早的没有看。", "Only the newer corrections of the last %d days were looked at: none of them would have needed fewer approvals or raised fewer flags.", t.Days)
}

func throughTitle(p layout.Page, t correction.Through, all bool) string {
	switch {
	case !all && t.Whole:
		return p.F("你负责的商户里，最近 %d 天会因此放过的改价：%d 笔", "Corrections of your merchants in the last %d days it would have let through: %d", t.Days, t.Count)
	case !all:
		return p.F("你负责的商户里，最近 %d 天会因此放过的改价：至少 %d 笔", "Corrections of your merchants in the last %d days it would have let through: at least %d", t.Days, t.Count)
	}
	if t.Whole {
		return p.F("最近 %d 天会因此放过的改价：%d 笔", "Corrections of the last %d days it would have let through: %d", t.Days, t.Count)
	}
	return p.F("最近 %d 天会因此放过的改价：至少 %d 笔", "Corrections of the last %d days it would have let through: at least %d", t.Days, t.Count)
}

// throughAmount is by how much one of them lowered, or was to lower, its order; empty for
// those who may not read it.
func throughAmount(p layout.Page, c correction.Correction) string {
	switch {
	case c.ID == 0:
		return ""
	case c.Veiled():
		return money(p, correction.HiddenAmount)
	case c.State.Effective():
		return p.F("少收 %s", "reduced by %s", c.Reduction())
	}
	return p.F("想少收 %s", "asked for a reduction of %s", c.Reduction())
}

func throughWhat(p layout.Page, r correction.ThroughRow) string {
	var out []string
	add := func(on bool, text string) {
		if on {
			out = append(out, text)
		}
	}
	names := func(codes []string) string {
		var list []string
		for _, c := range codes {
			list = append(list, i18n.FlagName(c).In(p.Lang))
		}
		return strings.Join(list, i18n.Mark(p.Lang, "、", ", "))
	}
	add(r.Alone, p.T("不用别人批准", "no second person"))
	add(r.Shown, p.T("批准时看得到总额", "the total would have been shown"))
	add(r.Others, p.T("更多人可以批准", "others could have decided"))
	add(len(r.Unflagged) > 0, p.F("不会标记：%s", "not marked: %s", names(r.Unflagged)))
	add(len(r.Perhaps) > 0, p.F("可能不会标记：%s", "perhaps not marked: %s", names(r.Perhaps)))
	return strings.Join(out, i18n.Mark(p.Lang, "；", "; "))
}

// notInForce are the proposals that ended without coming into force.
func notInForce(all []correction.Proposal) []correction.Proposal {
	return slices.DeleteFunc(slices.Clone(all), func(x correction.Proposal) bool {
		return x.End == nil || x.End.How == correction.ProposalAgreed || x.End.How == correction.ProposalWaited
	})
}

// whyNotEdit says to those whose role edits settings why they may not.
func whyNotEdit(p layout.Page, role correction.Role, may bool) string {
	if may || role != correction.Supervisor {
		return p.T("由主管修改。", "Supervisors edit this.")
	}
	return p.T("这项设置对全部商户生效，只有能管全部商户的主管才能修改和同意；你只管其中一部分。",
		"This setting applies to all merchants, so only supervisors who cover all merchants can edit it or agree to an edit. You cover some.")
}
