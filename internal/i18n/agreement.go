package i18n

import "correction-console/internal/correction"

// WaitingText is the banner about an edit that loosens. at is when the time is over.
func WaitingText(l Lang, o correction.Open, at string) string {
	name := SettingName(o.Name).In(l)
	switch o.Way {
	case correction.WayTime:
		return l.F("“%[1]s”要放宽，%[2]s 自动生效：现在只有一位主管能管全部商户。", "“%[1]s” will be loosened at %[2]s without anybody's agreement: only one supervisor covers all merchants.", name, at)
	case correction.WayAgain:
		return l.F("“%s”要放宽，还没生效：现在没有别的主管能同意，要本人再保存一次。", "“%s” is to be loosened. Nothing has changed yet: no other supervisor can agree now, so its author has to save it again.", name)
	case correction.WayNobody:
		return l.F("“%s”要放宽，但没有一位主管能管全部商户，没人能同意。", "“%s” is to be loosened, but nobody can agree: no supervisor covers all merchants.", name)
	}
	if o.MayAgree {
		return l.F("“%s”要放宽，等你或别的主管同意，现在还没生效。", "“%s” is to be loosened and is waiting for you or another supervisor. Nothing has changed yet.", name)
	}
	return l.F("“%s”要放宽，等一位能管全部商户的主管同意，现在还没生效。", "“%s” is to be loosened and is waiting for a supervisor who covers all merchants. Nothing has changed yet.", name)
}

// WayText says what an edit that loosens waits for.
func WayText(l Lang, o correction.Open, at string) string {
	switch o.Way {
	case correction.WayTime:
		return l.F("现在只有一位主管能管全部商户，没有别人能同意，所以到 %s 自动生效。在那之前如果有了第二位，就要他同意。",
			"Only one supervisor covers all merchants and nobody else can agree, so it comes into force at %s. If there is a second one by then, they have to agree.", at)
	case correction.WayAgain:
		return l.T("保存的时候还有别的主管可以同意，现在没有了。本人再保存一次，24 小时后生效。",
			"Another supervisor could have agreed when this was saved, but there is none now. If its author saves it again, it comes into force after 24 hours.")
	case correction.WayNobody:
		return l.T("没有一位在用的主管能管全部商户，没有人能同意。请运维给一位主管开通全部商户。",
			"No active supervisor covers all merchants, so nobody can agree. Ask an operator to give a supervisor all merchants.")
	}
	if o.MayAgree {
		return l.T("这样改价更容易通过，或者更少被标记，所以要你或别的能管全部商户的主管同意才生效。在那之前按原来的执行。",
			"It lets more through or flags less, so you or another supervisor who covers all merchants has to agree. Until then the present rules apply.")
	}
	return l.T("这样改价更容易通过，或者更少被标记，所以要一位能管全部商户的主管同意才生效。在那之前按原来的执行。",
		"It lets more through or flags less, so a supervisor who covers all merchants has to agree. Until then the present rules apply.")
}

// RefusedText says why an edit that waits did not come into force, or another one could
// not be kept.
func RefusedText(l Lang, code string) string {
	switch code {
	case correction.CodeWaiting:
		return l.T("没有保存：别人提的放宽还在等同意，一次只能等一个。请先同意或不同意它。",
			"Not saved: somebody else's edit is already waiting, and only one can wait at a time. Agree to it or decline it first.")
	case correction.CodeSecondPerson:
		return l.T("没有生效：这是你自己提的，要另一位能管全部商户的主管来同意。",
			"Not in force: this is your own edit. Another supervisor who covers all merchants has to agree.")
	case correction.CodeAuthorGone:
		return l.T("没有生效：提出的人已经停用，或者不再能管全部商户。可以不同意它，自己重新提一次。",
			"Not in force: its author is disabled or no longer covers all merchants. Decline it and make the edit yourself.")
	case correction.CodeEdited:
		return l.T("没有生效：这次修改已经不在等了，或者设置后来又变过。下面是现在的样子。",
			"Not in force: this edit is no longer waiting, or the setting has changed since. Below is how it stands now.")
	}
	return l.T("按现在的情况不能生效：", "It cannot come into force as things are:")
}

// ProposalEndText says how an edit that waited ended.
func ProposalEndText(l Lang, e correction.ProposalEnd) string {
	switch e.How {
	case correction.ProposalAgreed:
		return l.F("%s 同意后生效", "agreed by %s, in force", e.ActorName)
	case correction.ProposalWaited:
		return l.T("只有一位主管，满 24 小时生效", "in force after 24 hours, with one supervisor only")
	case correction.ProposalDeclined:
		return l.F("%s 不同意", "declined by %s", e.ActorName)
	case correction.ProposalWithdrawn:
		return l.T("本人收回", "withdrawn by its author")
	}
	return l.T("后来设置或人员有变动，不再有效", "overtaken by a later change of the setting or of people")
}
