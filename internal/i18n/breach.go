package i18n

import (
	"strings"

	"correction-console/internal/correction"
)

// breachWords say why a correction is no longer permitted, for whom it concerns. Those of
// a service's rules are the words of the form.
var breachWords = map[string]Text{
	correction.ServiceGone:      {"这项服务已经从改价台移除", "The service is no longer registered in the console"},
	correction.MerchantGone:     {"这家商户已经从改价台移除", "The merchant is no longer registered in the console"},
	correction.AuthorDisabled:   {"申请人的账号已停用", "The account of who proposed it is disabled"},
	correction.AuthorRole:       {"申请人现在的角色不能改价", "Who proposed it no longer has a role that may correct"},
	correction.AuthorScope:      {"申请人已不再负责这家商户", "The merchant is no longer in the scope of who proposed it"},
	correction.ApproverDisabled: {"审批人的账号已停用", "The account of who approved it is disabled"},
	correction.ApproverRole:     {"审批人现在的角色不能审批", "Who approved it no longer has a role that may approve"},
	correction.ApproverScope:    {"审批人已不再负责这家商户", "The merchant is no longer in the scope of who approved it"},
	correction.ApproverTier:     {"审批分档刚刚改过，这个金额不再由这位审批人决定", "The tiers were edited, and amounts like this are no longer decided by who approved it"},
	correction.ApproverLimit:    {"额度刚刚改过，这笔超出了审批人自己的上限", "The limits were edited, and it is above that of who approved it"},
	correction.OverLimit:        {"额度刚刚改过，这笔现在要主管审批", "The limits were edited, and it needs an approval by now"},
}

// BreachText says what no longer permits a correction, without a full stop.
func BreachText(l Lang, b correction.Breach) string {
	if t, ok := breachWords[b.Code]; ok {
		return t.In(l)
	}
	return strings.TrimSuffix(ProblemText(l, b.Notice("")), "。")
}

// BreachTexts lists breaches in sentences.
func BreachTexts(l Lang, list []correction.Breach) string {
	var out []string
	for _, b := range list {
		out = append(out, strings.TrimSuffix(BreachText(l, b), ".")+Mark(l, "。", "."))
	}
	return strings.Join(out, Mark(l, "", " "))
}

// causeOf says why nothing was sent, or why an answer says nothing certain; empty when
// there is nothing to say.
func causeOf(l Lang, d correction.Detail) string {
	switch {
	case len(d.Breaches) > 0:
		return BreachTexts(l, d.Breaches)
	case d.Cause != "":
		return CauseText(d.Cause).In(l)
	}
	return ""
}

// voidOutcome is for a correction that a rule or a person no longer permitted before it
// was sent.
func voidOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	d := c.Entered().Detail
	w := OutcomeWords{
		Title: l.T("已作废：现在的规则或权限不允许这次改价", "Void: a rule or a person no longer permits it"),
		Money: l.T("没有发给微信，这次没有改动金额。", "Nothing was sent to WeChat. This correction changed nothing."),
		Next:  nextOf(l, d.Breaches),
		Say:   l.T("您的情况我们核对过了，这笔金额目前不能按这个数调整。我再帮您核实一下，稍后回复您。", "We have looked into it; the amount cannot be changed to that figure. Let me check again and get back to you."),
	}
	if why := causeOf(l, d); why != "" {
		w.Money = why + Mark(l, "", " ") + w.Money
	}
	return w
}

// nextOf says what can be done about breaches.
func nextOf(l Lang, list []correction.Breach) []string {
	var out []string
	for _, b := range list {
		switch b.Code {
		case correction.BadZero, correction.BadOverCap:
			out = append(out, l.T("还要改的话，按现在的规则重新改一次。刚才填的内容会带过去。", "To go on, start again within the rules as they are now. What you entered is carried over."))
		case correction.ServiceGone, correction.MerchantGone:
			out = append(out, l.T("请运维确认这家商户和这项服务是不是还要在改价台处理。", "Ask the operator whether the merchant and the service are still to be dealt with in the console."))
		case correction.AuthorDisabled, correction.AuthorRole, correction.AuthorScope:
			out = append(out, l.T("还要改的话，由有权限的同事重新改一次。", "If it is still needed, a colleague who may correct the order starts again."))
		case correction.OverLimit, correction.ApproverDisabled, correction.ApproverRole, correction.ApproverScope, correction.ApproverTier, correction.ApproverLimit:
			out = append(out, l.T("还要改的话，重新改一次，会按现在的规则交给主管审批。刚才填的内容会带过去。", "To go on, start again; it goes to a supervisor by the rules as they are now. What you entered is carried over."))
		}
	}
	return compact(out)
}

// compact drops sentences that were said already.
func compact(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			out, seen[s] = append(out, s), true
		}
	}
	return out
}
