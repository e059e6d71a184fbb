package i18n

import "correction-console/internal/correction"

// WaitingText is the banner about an edit that loosens. at is when the time is over.
func WaitingText(l Lang, o correction.Open, at string) string {
	name := SettingName(o.Name).In(l)
	switch o.Way {
	case correction.WayTime:
		return l.F("“%[1]s”要放宽，%[2]s 自动生效：现在只有一位主管能管全部商户。", "“%[1]s” is to be loosened, by itself at %[2]s: only one supervisor is for all merchants.", name, at)
	case correction.WayNobody:
		return l.F("“%s”要放宽，但没有一位主管能管全部商户，没人能同意。", "“%s” is to be loosened, but no supervisor is for all merchants: nobody can agree.", name)
	}
	return l.F("“%s”要放宽，等另一位主管同意，现在还没生效。", "“%s” is to be loosened and waits for a second supervisor. Nothing has changed yet.", name)
}

// WayText says what an edit that loosens waits for.
func WayText(l Lang, o correction.Open, at string) string {
	switch o.Way {
	case correction.WayTime:
		return l.F("现在只有一位主管能管全部商户，没有别人能同意，所以到 %s 自动生效。在那之前如果有了第二位，就要他同意。",
			"Only one supervisor is for all merchants and nobody else can agree, so it comes into force at %s. Should there be a second one by then, they have to agree.", at)
	case correction.WayAgain:
		return l.T("保存的时候还有别的主管可以同意，现在没有了。本人再保存一次，24 小时后生效。",
			"There was another supervisor to agree when this was saved, and there is none now. If its author saves it again, it comes into force after 24 hours.")
	case correction.WayNobody:
		return l.T("没有一位在用的主管能管全部商户，没有人能同意。请运维给一位主管开通全部商户。",
			"No active supervisor is for all merchants, so nobody can agree. An operator has to give a supervisor all merchants.")
	}
	return l.T("改价会更容易通过或更少被标出来，所以要另一位能管全部商户的主管同意才生效。在那之前按原来的执行。",
		"It lets more through or marks less, so another supervisor for all merchants has to agree. Until then everything stays as it was.")
}

// RefusedText says why an edit that waits did not come into force, or another one could
// not be kept.
func RefusedText(l Lang, code string) string {
	switch code {
	case correction.CodeWaiting:
		return l.T("没有保存：别人的一次放宽还在等同意，一次只能有一个。请先同意或不同意它。",
			"Not saved: an edit by somebody else waits already, and only one can. Agree to it or decline it first.")
	case correction.CodeSecondPerson:
		return l.T("没有生效：这是你自己提的，要另一位能管全部商户的主管来同意。",
			"Not in force: this is your own edit. Another supervisor for all merchants has to agree.")
	case correction.CodeAuthorGone:
		return l.T("没有生效：提出的人已经停用，或者不再能管全部商户。可以不同意它，自己重新提一次。",
			"Not in force: who made the edit is disabled or no longer for all merchants. Decline it and make the edit yourself.")
	case correction.CodeEdited:
		return l.T("没有生效：这次修改已经不在等了，或者设置后来又变过。下面是现在的样子。",
			"Not in force: this edit does not wait any more, or the setting has changed since. Below is how it stands now.")
	}
	return l.T("按现在的情况不能生效：", "It cannot come into force as things are:")
}

// ProposalEndText says how an edit that waited ended.
func ProposalEndText(l Lang, e correction.ProposalEnd) string {
	switch e.How {
	case correction.ProposalAgreed:
		return l.F("%s 同意后生效", "in force with the agreement of %s", e.ActorName)
	case correction.ProposalWaited:
		return l.T("只有一位主管，满 24 小时生效", "in force after 24 hours, with one supervisor only")
	case correction.ProposalDeclined:
		return l.F("%s 不同意", "declined by %s", e.ActorName)
	case correction.ProposalWithdrawn:
		return l.T("本人收回", "withdrawn by its author")
	}
	return l.T("设置后来又改过，不再有效", "overtaken by a later edit")
}
