package i18n

import (
	"slices"
	"time"

	"correction-console/internal/correction"
)

// OutcomeWords says how a correction ended, or that nobody knows yet: what
// happened, what it means for the money, what to do, what to say. Empty fields
// have nothing to say.
type OutcomeWords struct {
	Title string
	Money string
	Next  []string
	Say   string
}

// Outcome returns the words for a correction in its state. They claim only what
// the record proves. when is from when one may try again after a refusal because
// WeChat was charging, or empty.
func Outcome(l Lang, c correction.Correction, when string) OutcomeWords {
	if f, ok := outcomeWords[c.State]; ok {
		return f(l, c, when)
	}
	return OutcomeWords{Title: StateWord(c.State).In(l)}
}

var outcomeWords = map[correction.State]func(l Lang, c correction.Correction, when string) OutcomeWords{
	correction.Prepared:    preparedOutcome,
	correction.Awaiting:    awaitingOutcome,
	correction.Approved:    sendingOutcome,
	correction.Returned:    refusedOutcome,
	correction.Declined:    refusedOutcome,
	correction.Claimed:     sendingOutcome,
	correction.Sending:     sendingOutcome,
	correction.Unknown:     unknownOutcome,
	correction.NeedsPerson: conflictOutcome,
	correction.Applied:     appliedOutcome,
	correction.Rejected:    rejectedOutcome,
	correction.NotSent:     notSentOutcome,
	correction.NotApplied:  notAppliedOutcome,
	correction.Stale:       staleOutcome,
	correction.Void:        voidOutcome,
	correction.Resolved:    resolvedOutcome,
	correction.AppliedLate: appliedOutcome,
	correction.Expiry: func(l Lang, c correction.Correction, _ string) OutcomeWords {
		if _, waited := c.Find(correction.Awaiting); waited {
			return OutcomeWords{
				Title: l.T("24 小时没有人审批，已失效", "Not approved within 24 hours"),
				Money: l.T("没有发给微信，这次没有改动金额。", "Nothing was sent to WeChat. This correction changed nothing."),
				Next:  []string{l.T("还要改的话，重新提交一次，并提醒一下主管。之前填的内容会带过去。", "To go on, submit it again and tell a supervisor. What you entered is carried over.")},
			}
		}
		return OutcomeWords{
			Title: l.T("没有按时确认，已过期", "Not confirmed in time"),
			Money: l.T("没有发给微信，这次没有改动金额。", "Nothing was sent to WeChat. This correction changed nothing."),
			Next:  []string{l.T("还要改的话，重新改一次。之前填的内容会带过去。", "To go on, start again. What you entered is carried over.")},
		}
	},
	correction.Withdrawn: func(l Lang, c correction.Correction, _ string) OutcomeWords {
		if _, waited := c.Find(correction.Awaiting); waited {
			return OutcomeWords{
				Title: l.T("审批之前撤回了", "Withdrawn before it was approved"),
				Money: l.T("没有发给微信，这次没有改动金额。", "Nothing was sent to WeChat. This correction changed nothing."),
			}
		}
		return OutcomeWords{
			Title: l.T("确认之前撤回了", "Withdrawn before it was confirmed"),
			Money: l.T("没有发给微信，这次没有改动金额。", "Nothing was sent to WeChat. This correction changed nothing."),
		}
	},
}

func awaitingOutcome(l Lang, _ correction.Correction, _ string) OutcomeWords {
	return OutcomeWords{
		Title: l.T("已交给主管审批", "With a supervisor for approval"),
		Money: l.T("还没有发给微信，金额没有变。批准后马上发出。", "Nothing was sent and the amount is unchanged. It is sent as soon as it is approved."),
		Next:  []string{l.T("客户要等的话，可以催一下主管；不改了就撤回。", "If the customer is waiting, tell a supervisor. Withdraw it if it is no longer needed.")},
		Say:   l.T("这笔金额的调整需要主管确认，请您先不要付款，确认后我马上告诉您。", "A supervisor has to confirm this change. Please do not pay yet; I will tell you as soon as it is confirmed."),
	}
}

// AwaitingNext says who decides to those who did not submit the correction; decides: the
// reader may.
func AwaitingNext(l Lang, decides bool) string {
	if decides {
		return l.T("等你或别的主管决定；客户可能在等。", "It waits for you or another supervisor; the customer may be waiting.")
	}
	return l.T("等主管决定；客户可能在等。", "It waits for a supervisor; the customer may be waiting.")
}

func refusedOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	d, _ := c.Decision()
	w := OutcomeWords{
		Title: l.F("%s没有批准", "Declined by %s", d.ActorName),
		Money: l.T("没有发给微信，这次没有改动金额。", "Nothing was sent to WeChat. This correction changed nothing."),
		Next:  []string{d.Detail.Text},
		Say:   l.T("您的情况我们核对过了，这笔金额目前不能按这个数调整。我再帮您核实一下，稍后回复您。", "We have looked into it; the amount cannot be changed to that figure. Let me check again and get back to you."),
	}
	if c.State == correction.Returned {
		w.Title = l.F("%s退回修改", "Returned by %s", d.ActorName)
		w.Next = append(w.Next, l.T("按上面的意见改好，再提交一次。之前填的内容会带过去。", "Change it accordingly and submit it again. What you entered is carried over."))
		w.Say = l.T("这笔金额的调整还要再核对一下，请您先不要付款，我尽快给您答复。", "This change needs another check. Please do not pay yet; I will get back to you soon.")
	}
	return w
}

func preparedOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	return OutcomeWords{
		Title: l.T("待确认，还没有发给微信", "To be confirmed; nothing is sent yet"),
		Money: l.F("提交后不能再调高，也不能撤销。少收的 %s 收不回来。", "After this the amount cannot be raised again or undone. %s cannot be collected later.", c.Reduction()),
	}
}

func sendingOutcome(l Lang, _ correction.Correction, _ string) OutcomeWords {
	return OutcomeWords{
		Title: l.T("正在提交，请稍等", "It is being sent; please wait"),
		Money: l.T("结果还没有出来。请不要重新提交，也不要让同事再改。", "There is no result yet. Do not submit it again, and let nobody else correct the order."),
		Next:  []string{l.T("一般几秒就有结果，会显示在这一页。", "The result takes seconds as a rule and shows on this page.")},
		Say:   l.T("修改正在提交，请您稍等。", "Your change is being submitted. One moment, please."),
	}
}

func unknownOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	return OutcomeWords{
		Title: l.T("还不知道有没有改成，系统正在核对", "We do not know yet whether it was applied; the console is checking"),
		Money: l.F("可能已经改成 %s，也可能没有。请不要重新提交，也不要让同事再改。",
			"It may be %s already, or it may not. Do not submit it again, and let nobody else correct the order.", c.Target),
		Next: []string{l.T("系统会一直自己读取订单，直到能判断为止，不用守着。结果显示在这一页。", "The console keeps reading the order by itself until it can tell; nobody has to stand by. The result shows on this page.")},
		Say: l.T("修改已经提交，正在等微信确认。这几分钟请您先不要付款，有结果我马上给您回电。",
			"Your change is submitted and we are waiting for WeChat. Please do not pay for a few minutes; I will call you back."),
	}
}

// newest is what the newest reading of the order on record showed, or the event with
// which the correction came to its state when there is none.
func newest(c correction.Correction) correction.Detail {
	for _, e := range slices.Backward(c.Events) {
		if e.Detail.Reading != nil {
			return e.Detail
		}
	}
	return c.Entered().Detail
}

// Lost reports whether a correction in force is no longer what the order says.
func Lost(c correction.Correction) bool {
	if !c.State.Effective() || c.Settled() != "" {
		return false
	}
	switch newest(c).Finding {
	case correction.FoundBase, correction.FoundBetween, correction.FoundAbove:
		return true
	}
	return false
}

func appliedOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	w := OutcomeWords{
		Title: l.T("改价已生效", "The new amount is in force"),
		Money: l.F("应收改为 %s，少收 %s。不能再调高，也不能撤销。", "The order is down to %s, reduced by %s. It cannot be raised again or undone.", c.Target, c.Reduction()),
		Next:  []string{l.T("把结果告诉客户。微信会按新金额扣款。", "Tell the customer. WeChat will charge the new amount.")},
		Say: l.F("您的订单金额已经改为 %s，微信会按这个金额扣款。", "Your order has been corrected to %s, and that is what WeChat will charge.",
			Spoken(l, c.Target)),
	}
	if c.State == correction.AppliedLate {
		w.Title = l.T("原来判断没有改成，后来发现已经生效", "It was held for not applied, but it did take effect")
		w.Next = []string{l.T("之前告诉过客户没有改成的话，请再联系客户，说明现在的金额。", "If the customer was told that nothing changed, call again and tell them the present amount.")}
		if c.Due() {
			w.Next = append(w.Next, l.T("主管要看一下：这段时间有没有为这笔订单另外退过款。", "A supervisor has to look: was anything refunded for this order in the meantime?"))
		}
	}
	if c.Target == 0 {
		w.Next[0] = l.T("把结果告诉客户。", "Tell the customer.")
		w.Say = l.T("您的订单金额已经改为 0 元，不用付款。", "Your order has been corrected to 0 yuan. There is nothing to pay.")
	}
	d := newest(c)
	switch settled := c.Settled(); {
	case Lost(c):
		return lostOutcome(l, c, d)
	case settled == correction.Superseded:
		w.Next = []string{l.T("这笔订单后来又改低过，现在的金额以后来那一笔为准。", "The order was lowered again later; that correction tells what it amounts to now.")}
		w.Say = ""
	case d.Reading != nil && d.Reading.Paid():
		w = paidOutcome(l, c, *d.Reading, w)
	case settled == correction.NothingDue && d.Finding == correction.FoundCancelled:
		w.Next = []string{FindingText(l, d.Finding, *d.Reading)}
		w.Say = l.T("您这笔订单不用付款了。", "There is nothing left to pay for your order.")
	case settled == correction.StillOpen:
		w.Next = []string{l.F("过了 %d 天客户还没有付款，系统不再自动核对这笔订单。", "After %d days the customer has not paid, and the console no longer reads this order.", followed(c))}
		if d := settlement(c); d.Cause == correction.CauseUnread {
			w.Next = []string{l.F("过了 %d 天，订单一直读不到，系统不再自动核对。请主管到商户系统看客户付了没有。", "For %d days the order could not be read, and the console no longer tries. A supervisor looks in the merchant system whether it is paid.", followed(c))}
			w.Say = ""
		}
	}
	return w
}

// settlement is the event that ended the looking after a correction.
func settlement(c correction.Correction) correction.Detail {
	for _, e := range slices.Backward(c.Events) {
		if e.Detail.Settled != "" {
			return e.Detail
		}
	}
	return correction.Detail{}
}

// followed is for how many whole days a correction was looked after.
func followed(c correction.Correction) int {
	for _, e := range slices.Backward(c.Events) {
		if e.Detail.Settled != "" {
			return int(e.At.Sub(c.Entered().At) / (24 * time.Hour))
		}
	}
	return 0
}

// paidOutcome is for a correction in force whose order the customer has paid.
func paidOutcome(l Lang, c correction.Correction, o correction.Order, w OutcomeWords) OutcomeWords {
	paid := o.Collection.Paid
	switch refund := correction.RefundDue(c.Target, o); {
	case refund > 0 && handled(c):
		w.Title = l.T("改价已生效，客户多付的部分主管已处理", "The new amount is in force; a supervisor has seen to what was paid too much")
		w.Money = l.F("客户付了 %s，比新金额 %s 多 %s。怎么处理的，见“经过”。", "The customer paid %s, which is more than the new amount of %s by %s. The history tells what was done.", paid, c.Target, refund)
		w.Next = nil
		w.Say = l.T("您多付的部分同事已经处理过，我帮您看一下处理情况。", "A colleague has seen to what you paid too much. Let me look at what was done.")
	case refund > 0:
		w.Title = l.T("改价已生效，但客户多付了，要退款", "The new amount is in force, but the customer paid more: a refund is due")
		w.Money = l.F("客户付了 %s，比新金额 %s 多 %s。改价台不退款，要到商户系统退。", "The customer paid %s, which is more than the new amount of %s by %s. The console makes no refunds; the merchant system does.", paid, c.Target, refund)
		w.Next = RefundStepsOf(l, refund)
		w.Say = RefundSay(l)
	case paid == c.Target:
		if c.State == correction.Applied {
			w.Title = l.T("改价已生效，客户已按新金额付款", "In force, and the customer has paid the new amount")
			w.Next = nil
		}
		w.Next = append(w.Next, l.T("已经结清，这笔订单没有要做的了。", "It is settled; there is nothing left to do about this order."))
		w.Say = l.F("您的订单金额已经改为 %s，并且已经付款成功，不会再扣其他费用。", "Your order has been corrected to %s, and your payment went through. Nothing else will be charged.", Spoken(l, c.Target))
	default:
		w.Next = []string{l.F("客户付了 %s，比新金额 %s 少。可能别处又改低过。", "The customer paid %s, which is less than the new amount of %s. It may have been lowered again elsewhere.", paid, c.Target)}
		w.Say = l.F("您这笔订单已经付款成功，付了 %s。", "Your payment of %s went through.", Spoken(l, paid))
	}
	return w
}

// lostOutcome is for a correction in force that the order shows no more, which
// WeChat's rules exclude.
func lostOutcome(l Lang, c correction.Correction, d correction.Detail) OutcomeWords {
	w := OutcomeWords{
		Title: l.T("改价生效过，但订单现在对不上", "It was in force, but the order says otherwise now"),
		Money: l.F("微信确认过这次改价，现在读到的总额却是 %s。按微信的规则，金额不会再变高。", "WeChat had confirmed it, yet the order now amounts to %s. By WeChat's rules an amount never rises.", d.Reading.Total),
		Next: []string{
			l.T("请主管对照商户系统里的订单，弄清楚客户现在应付多少。", "A supervisor compares it with the order in the merchant system: what does the customer owe now?"),
			l.T("弄清楚之前，不要再改这笔订单。", "Do not correct this order before that."),
		},
		Say: l.T("您的订单正在人工核对，核对好我马上给您回电。", "A colleague is checking your order. I will call you back as soon as that is done."),
	}
	if handled(c) {
		w.Next = []string{l.T("主管已处理，怎么处理的见“经过”。", "A supervisor has seen to it; the history tells what was done.")}
		w.Say = l.T("您的订单核对好了，我看一下现在的金额，马上告诉您。", "Your order has been checked. Let me look at the present amount; I will tell you in a moment.")
	}
	return w
}

// handled reports whether a supervisor has seen to what a correction left to do.
func handled(c correction.Correction) bool {
	return !c.Due() && slices.ContainsFunc(c.Events, func(e correction.Event) bool { return e.Detail.Handled })
}

func rejectedOutcome(l Lang, c correction.Correction, when string) OutcomeWords {
	d := c.Entered().Detail
	w := OutcomeWords{
		Title: l.T("微信没有接受，这次没有改动金额", "WeChat did not accept it; this correction changed nothing"),
		Money: readingText(l, d),
		Say: l.T("刚才的修改微信没有接受，我查清原因马上给您回电。",
			"WeChat did not accept the change. I will find out why and call you back."),
	}
	switch now := newest(c); {
	case over(now):
		return overOutcome(l, c, w, now)
	case d.Obstacle == correction.Charging:
		o := Obstacle(l, d.Obstacle, ObstacleFacts{When: when})
		w.Title = l.T("提交时微信正在扣款，这次没有改动金额", "WeChat was charging the customer; this correction changed nothing")
		w.Next = []string{l.T("现在可以再改一次。填过的内容会带过去，不用重填。", "You can try again now. What you entered is carried over.")}
		w.Say = l.T("刚才微信正在扣款，没有改成。我现在重新帮您改，请您稍等。", "WeChat was processing the payment, so it was not changed. I am trying again now; one moment, please.")
		if when != "" {
			w.Title, w.Say = l.T("微信正在扣款，这次没有改动金额", "WeChat is charging the customer; this correction changed nothing"), o.Say
			w.Next[0] = l.F("%s 以后可以再改一次。填过的内容会带过去，不用重填。", "You can try again after %s. What you entered is carried over.", when)
		}
	case d.Obstacle == correction.Deposit:
		o := Obstacle(l, d.Obstacle, ObstacleFacts{})
		w.Title, w.Next, w.Say = o.Title, o.Next, o.Say
	default:
		w.Next = []string{
			l.T("先看“经过”里微信的原话，对照着改明细或说明，再改一次。", "Read WeChat's words in the history, change what they name, and correct the order again."),
			l.T("看不明白，就把请求编号发给运维。", "If they are not clear, send the request id to the operator."),
		}
	}
	return w
}

// over reports whether a reading leaves nothing to correct: the order is paid or was
// cancelled.
func over(d correction.Detail) bool {
	return d.Reading != nil && (d.Reading.Paid() || d.Finding == correction.FoundCancelled)
}

// overOutcome replaces the words of a correction that changed nothing when the order
// turns out to be paid or cancelled.
func overOutcome(l Lang, c correction.Correction, w OutcomeWords, d correction.Detail) OutcomeWords {
	if d.Reading.Paid() {
		w = paidInstead(l, w, d)
		if d.Finding == correction.FoundPaidBase {
			w.Money = l.F("客户已经按原金额 %s 付款，不能再改价。多收的 %s 要退款。", "The customer has paid the former amount of %s. Refund the difference of %s.", d.Reading.Collection.Paid, c.Reduction())
		}
		return w
	}
	w.Money = readingText(l, d)
	w.Next = []string{l.T("不用再改价。", "There is nothing left to correct.")}
	w.Say = l.T("您这笔订单已经取消，不用付款。", "Your order is cancelled. You do not have to pay.")
	if d.Reading.State == correction.OrderExpired {
		w.Say = l.T("您这笔订单已经失效，不用付款。", "Your order has expired. You do not have to pay.")
	}
	return w
}

// paidInstead replaces the words when the order turns out to be paid without this
// correction.
func paidInstead(l Lang, w OutcomeWords, d correction.Detail) OutcomeWords {
	o := Obstacle(l, correction.Paid, ObstacleFacts{Paid: d.Reading.Collection.Paid})
	w.Money = o.Sentence
	w.Next = append(o.Next, l.T("微信支付单号在订单页上，点“看订单”。", "The transaction number is on the order's page."))
	w.Say = o.Say
	return w
}

func notSentOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	d := c.Entered().Detail
	w := OutcomeWords{
		Title: l.T("没有发给微信，这次没有改动金额", "It was not sent to WeChat and changed nothing"),
		Next:  []string{l.T("还要改的话，重新改一次。之前填的内容会带过去。", "To go on, start again. What you entered is carried over.")},
		Say:   l.T("刚才的修改还没有提交上去，我现在重新处理，请您稍等。", "The change has not been submitted yet. I am seeing to it now; one moment, please."),
	}
	if len(d.Breaches) > 0 {
		w.Title = l.T("现在的规则或权限不允许，没有发给微信", "Not sent to WeChat: rules or permissions no longer allow it")
		w.Money, w.Next = causeOf(l, d)+Mark(l, "", " ")+l.T("这次没有改动金额。", "This correction changed nothing."), nextOf(l, d.Breaches)
	} else if cause := d.Cause; cause != "" {
		w.Money = CauseText(cause).In(l)
		if cause == correction.CauseNoRecord || cause == correction.CauseUnreachable || cause == correction.CauseQueryFailed {
			w.Next = append(w.Next, l.T("还是这样，就请运维看一下。", "If it happens again, ask the operator."))
		}
	}
	if now := newest(c); over(now) {
		w = overOutcome(l, c, w, now)
	}
	return w
}

func notAppliedOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	d := c.Entered().Detail
	w := OutcomeWords{
		Title: l.T("核对过了，这次没有生效", "Checked: this correction did not take effect"),
		Money: readingText(l, d),
		Next:  []string{l.T("还要改的话，重新改一次。之前填的内容会带过去。", "To go on, start again. What you entered is carried over.")},
		Say:   l.T("刚才的修改没有生效，我现在重新处理，请您稍等。", "The change did not take effect. I am seeing to it again; one moment, please."),
	}
	switch now := newest(c); {
	case over(now):
		w = overOutcome(l, c, w, now)
	case d.Finding == correction.FoundBetween:
		w.Next = []string{l.T("总额是别处改低的。先问清是谁改的、还要不要再低，再决定。", "The total was lowered elsewhere. Find out by whom, and whether it must be lower still.")}
	}
	return w
}

func conflictOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	return OutcomeWords{
		Title: l.T("系统判断不了结果，要人工核对", "The console cannot tell the result; a person has to check"),
		Money: readingText(l, c.Entered().Detail),
		Next: []string{
			l.T("两位主管对照商户系统里的订单核对：是谁、什么时候改的。意见一致才算处理完。", "Two supervisors compare it with the order in the merchant system: who changed it, and when. It is settled when they agree."),
			l.T("核对清楚之前，不要再改这笔订单。", "Do not correct this order before that."),
		},
		Say: l.T("您的订单正在人工核对，核对好我马上给您回电。", "A colleague is checking your order. I will call you back as soon as that is done."),
	}
}

func resolvedOutcome(l Lang, c correction.Correction, _ string) OutcomeWords {
	w := OutcomeWords{
		Next: []string{l.T("先看订单现在的金额，再答复客户。", "Look at what the order amounts to now, then answer the customer.")},
		Say:  l.T("您的订单核对好了，我看一下现在的金额，马上告诉您。", "Your order has been checked. Let me look at the present amount; I will tell you in a moment."),
	}
	switch c.Entered().Detail.Ruling {
	case correction.RuledApplied:
		w.Title = l.T("两位主管核对过：这次改价生效了", "Two supervisors checked it: the correction took effect")
		w.Money = l.F("按两位主管的核对，这次把应收改到了 %s。", "By what they found, it brought the order down to %s.", c.Target)
	case correction.RuledNotApplied:
		w.Title = l.T("两位主管核对过：这次改价没有生效", "Two supervisors checked it: the correction did not take effect")
		w.Money = l.T("按两位主管的核对，这次没有改动金额。", "By what they found, it changed nothing.")
	default:
		w.Title = l.T("两位主管核对过：查不清有没有生效", "Two supervisors checked it: it cannot be told whether it took effect")
		w.Money = l.T("这次改价有没有改动金额，已经查不清楚。以订单现在的金额为准。", "Whether it changed the amount cannot be told any more. What counts is what the order says now.")
	}
	return w
}

func staleOutcome(l Lang, _ correction.Correction, _ string) OutcomeWords {
	return OutcomeWords{
		Title: l.T("发给微信之前订单变了，这次没有发出", "The order changed before anything was sent"),
		Money: l.T("没有发给微信，这次没有改动金额。请对照当时、现在和你的修改，再决定。", "Nothing was sent to WeChat. Compare then, now and yours, and decide."),
		Say:   l.T("订单刚刚有变化，我重新核对一下金额，请您稍等。", "Your order has just changed. Let me check the amount again; one moment, please."),
	}
}

// readingText says what the reading that decided showed, or nothing.
func readingText(l Lang, d correction.Detail) string {
	if d.Finding == "" || d.Reading == nil {
		return ""
	}
	return FindingText(l, d.Finding, *d.Reading)
}
