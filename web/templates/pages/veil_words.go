package pages

import (
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
	"correction-console/web/templates/layout"
)

// money is an amount, or that it is not shown.
func money(p layout.Page, f correction.Fen) string {
	if f.IsHidden() {
		return p.T("金额不显示", "amount hidden")
	}
	return f.String()
}

// loss is an amount as a reduction, or that it is not shown.
func loss(p layout.Page, f correction.Fen) string {
	if f.IsHidden() {
		return p.T("不显示", "hidden")
	}
	return f.Minus()
}

// veilText says why a page shows no amount.
func (p CorrectionProps) veilText() string {
	return p.Page.T("金额大，有人决定以后才显示：能做决定的人事先都看不到，批准时自己核定。", "The amount is large and is shown once somebody has decided. Nobody who may decide sees it before; the approver works it out.")
}

// triesText says who typed other totals than the one asked for.
func triesText(p layout.Page, t correction.Tries) string {
	s := p.F("%s 输入过 %d 次不一致的总额", "%s entered a wrong total %d times", t.Name, t.Wrong)
	if t.Wrong == 1 {
		s = p.F("%s 输入过 1 次不一致的总额", "%s entered a wrong total once", t.Name)
	}
	if t.Wrong >= correction.MaxTries {
		s += p.T("，不能再决定这一笔", " and can no longer decide this one")
	}
	return s
}

// partText says why who approved a correction does not review it, or that they may.
func (p CorrectionProps) partText() string {
	switch {
	case p.Part.Approved:
		return p.Page.T("这笔是你批准的，要别的主管复核；你可以写备注。", "You approved it, so another supervisor reviews it. You may add a note.")
	case p.Part.Alone:
		return p.Page.T("这笔是你批准的。没有别的主管能复核，可以由你复核，记录和日结里会写明。", "You approved it. No other supervisor can review it, so you may; the record and the day close will say so.")
	}
	return ""
}

// sameText names who approved corrections of a day and checked them, too.
func sameText(p layout.Page, s dayclose.SamePerson) string {
	return p.F("%s 批准后又自己核对了 %d 笔，当时没有别的主管能核对：%s", "%s approved and also checked %d, as no other supervisor could: %s", s.Name, s.N, numbersOf(p, s))
}

func numbersOf(p layout.Page, s dayclose.SamePerson) string {
	out := ""
	for i, id := range s.IDs {
		if i > 0 {
			out += i18n.Mark(p.Lang, "、", ", ")
		}
		out += components.Number(id)
	}
	if s.N > len(s.IDs) {
		out += p.T("等", " and others")
	}
	return out
}
