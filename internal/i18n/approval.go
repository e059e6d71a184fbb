package i18n

import (
	"strconv"
	"strings"

	"correction-console/internal/correction"
)

// PercentText prints thousandths as people read them: 500 is 50%, 125 is 12.5%.
func PercentText(permille int64) string {
	s := strconv.FormatInt(permille/10, 10)
	if permille%10 != 0 {
		s += "." + strconv.FormatInt(permille%10, 10)
	}
	return s + "%"
}

// OverText says which bound of an allowance a correction is above.
func OverText(l Lang, o correction.Over) string {
	switch o.Code {
	case correction.OverPer:
		s := l.F("超出每单上限 %s", "above the limit of %s for one order", correction.Fen(o.Limit))
		return s + alreadyText(l, o.Used)
	case correction.OverShare:
		return l.F("超出每单降幅上限 %s", "above the limit of %s of the order", PercentText(o.Limit)) + alreadyText(l, o.Used)
	case correction.OverDay:
		return l.F("超出今日额度 %s，已用 %s", "above the day's allowance of %s, of which %s is used", correction.Fen(o.Limit), correction.Fen(o.Used))
	case correction.OverDayCount:
		return l.F("超出今日 %d 笔，已改 %d 笔", "above the day's %d corrections; %d made", o.Limit, o.Used)
	}
	return o.Code
}

// alreadyText says by how much an order was lowered since the author's first correction
// of it: a limit adds up over an order.
func alreadyText(l Lang, used int64) string {
	if used <= 0 {
		return ""
	}
	return l.F("（自申请人第一次改这笔订单起已少收 %s）", " (the order is down by %s since its author's first correction of it)", correction.Fen(used))
}

// OverTexts lists the bounds in one sentence.
func OverTexts(l Lang, over []correction.Over) string {
	var parts []string
	for _, o := range over {
		parts = append(parts, OverText(l, o))
	}
	return strings.Join(parts, Mark(l, "；", "; "))
}

// LimitTexts say what a person may give up alone, a sentence a bound; none when there is
// no bound.
func LimitTexts(l Lang, s correction.Limit) []string {
	var out []string
	if s.Per != nil {
		out = append(out, l.F("每单少收不超过 %s", "up to %s per order", *s.Per))
	}
	if s.PerPermille != nil {
		out = append(out, l.F("每单降幅不超过 %s", "up to %s of an order", PercentText(int64(*s.PerPermille))))
	}
	if s.Day != nil {
		out = append(out, l.F("每天少收不超过 %s", "up to %s a day", *s.Day))
	}
	if s.DayCount != nil {
		out = append(out, l.F("每天不超过 %d 笔", "up to %d corrections a day", *s.DayCount))
	}
	return out
}

// LoweredText says by how much an order that amounts to now was lowered since the
// person's first correction of it, and what that leaves of their limit of a correction;
// empty when it was not, or when they have no such limit.
func LoweredText(l Lang, s correction.Headroom, now correction.Fen) string {
	lowered := s.Lowered(now)
	switch {
	case lowered > 0 && s.Limit.Per != nil:
		return l.F("自你第一次改这笔订单起已少收 %s，每单上限 %s 还剩 %s", "This order is down by %s since your first correction of it; %[3]s of your limit of %[2]s per order is left",
			lowered, *s.Limit.Per, max(0, *s.Limit.Per-lowered))
	case lowered > 0 && s.Limit.PerPermille != nil:
		return l.F("自你第一次改这笔订单起已少收 %s，也算进你这一单的降幅", "This order is down by %s since your first correction of it, which counts towards your limit", lowered)
	}
	return ""
}

// LeftTexts say what is left of an allowance, for the form of an order that amounts to
// now.
func LeftTexts(l Lang, s correction.Headroom, now correction.Fen) []string {
	var out []string
	lowered := LoweredText(l, s, now)
	if lowered != "" {
		out = append(out, lowered)
	}
	if s.Limit.Per != nil && lowered == "" {
		out = append(out, l.F("每单最多少收 %s", "At most %s per order", *s.Limit.Per))
	}
	if s.Limit.PerPermille != nil {
		out = append(out, l.F("每单最多降 %s", "At most %s of the order", PercentText(int64(*s.Limit.PerPermille))))
	}
	if left := s.Left(); left != nil {
		out = append(out, l.F("今天还剩 %s，共 %s", "%s left today, of %s", *left, *s.Limit.Day))
	}
	if left := s.LeftCount(); left != nil {
		out = append(out, l.F("今天还能改 %d 笔，共 %d 笔", "%d left today, of %d", *left, *s.Limit.DayCount))
	}
	return out
}

// JudgeText says why a person may not approve a correction; empty when they may.
func JudgeText(l Lang, j correction.Judgement) string {
	switch j.Why {
	case correction.CodeSecondPerson:
		return l.T("这是你自己提交的，要由另一位主管决定。", "You submitted this yourself; another supervisor has to decide.")
	case correction.CodeOtherTier:
		return l.F("少收 %s 起的改价由指定的主管决定，不包括你。", "Reductions from %s are decided by named supervisors, and you are not one of them.", j.Tier.From)
	case correction.CodeOverOwnLimit:
		return l.F("超出你自己的上限（%s），你可以退回或不批准，批准要由别的主管来做。", "Above your own limit (%s). You may return or decline it; another supervisor has to approve it.", strings.Join(LimitTexts(l, correction.Limit{Per: j.Limit.Per, PerPermille: j.Limit.PerPermille}), Mark(l, "，", ", ")))
	case correction.CodeTriesUsed:
		return l.F("你输入过 %d 次不一致的总额，这一笔要由别的主管决定。", "You entered a different total %d times, so another supervisor has to decide this one.", correction.MaxTries)
	case correction.CodeForbidden:
		return l.T("你可以看，但不能决定。", "You may look, but not decide.")
	}
	return ""
}

// DecidedText says who decided about an approval.
func DecidedText(l Lang, h correction.Holder, when string) string {
	switch h.State {
	case correction.Declined:
		return l.F("%s 已在 %s 决定：不批准", "%s declined it at %s", h.Name, when)
	case correction.Returned:
		return l.F("%s 已在 %s 退回修改", "%s returned it at %s", h.Name, when)
	}
	return l.F("%s 已在 %s 批准", "%s approved it at %s", h.Name, when)
}

// AloneText says that who approved a correction also checked it, and why that was so.
func AloneText(l Lang) string {
	return l.T("批准的也是这个人：当时没有别的主管能来核对。", "The same person approved it: no second person was available.")
}
