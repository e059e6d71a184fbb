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
	correction.AuthorDisabled:   {"申请人的账号已停用", "The author's account is disabled"},
	correction.AuthorRole:       {"申请人现在的角色不能改价", "The author's role no longer allows corrections"},
	correction.AuthorScope:      {"申请人已不再负责这家商户", "The merchant is no longer in the author's scope"},
	correction.ApproverDisabled: {"审批人的账号已停用", "The approver's account is disabled"},
	correction.ApproverRole:     {"审批人现在的角色不能审批", "The approver's role no longer allows approvals"},
	correction.ApproverScope:    {"审批人已不再负责这家商户", "The merchant is no longer in the approver's scope"},
	correction.ApproverTier:     {"按现在的审批级别，这个金额不由这位审批人决定", "By the tiers as they are now, the approver does not decide an amount like this"},
	correction.ApproverLimit:    {"按现在的额度，这笔超出了审批人自己的上限", "By the limits as they are now, it is above the approver's own"},
	correction.OverLimit:        {"按现在的额度，这笔要主管审批", "By the limits as they are now, it needs a supervisor's approval"},
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
		Title: l.T("已作废：现在的规则或权限不允许这次改价", "Void: rules or permissions no longer allow it"),
		Money: l.T("没有发给微信，这次没有改动金额。", "Nothing was sent to WeChat. This correction changed nothing."),
		Next:  nextOf(l, d.Breaches),
		Say:   l.T("这笔金额这次还没有改成。我再帮您核实一下，稍后回复您。", "The amount has not been changed yet. Let me check again and get back to you."),
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
			out = append(out, l.T("还要改的话，按现在的规则重新改一次。之前填的内容会带过去。", "To go on, start again within the rules as they are now. What you entered is carried over."))
		case correction.ServiceGone, correction.MerchantGone:
			out = append(out, l.T("请运维确认这家商户和这项服务是不是还要在改价台处理。", "Ask the operator whether this merchant and service are still handled in the console."))
		case correction.AuthorDisabled, correction.AuthorRole, correction.AuthorScope:
			out = append(out, l.T("还要改的话，由有权限的同事重新改一次。", "If it is still needed, ask a colleague who may correct this order to start again."))
		case correction.OverLimit, correction.ApproverDisabled, correction.ApproverRole, correction.ApproverScope, correction.ApproverTier, correction.ApproverLimit:
			out = append(out, l.T("还要改的话，重新改一次，会按现在的规则交给主管审批。之前填的内容会带过去。", "To go on, start again. By the rules as they are now it goes to a supervisor. What you entered is carried over."))
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
