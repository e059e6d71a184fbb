package i18n

import (
	"fmt"
	"slices"
	"strings"
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
	if !c.State.InForce() || c.Settled() != "" {
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

var causeWords = map[string]Text{
	correction.CauseQueryFailed: {"提交前要重新读取订单，没有读到，所以没有发送。", "The order could not be read again before sending, so nothing was sent."},
	correction.CauseNoRecord:    {"记录没有写进去，所以没有发送。", "The record could not be written, so nothing was sent."},
	correction.CauseCrash:       {"系统中途停过。", "The console stopped in between."},
	correction.CauseUnreachable: {"连不上微信支付，请求没有发出去。", "WeChat Pay could not be reached, and the request did not leave."},
	correction.CauseTimeout:     {"微信支付没有及时应答。", "WeChat Pay did not answer in time."},
	correction.CauseReset:       {"等应答的时候连接断了。", "The connection broke before the answer came."},
	correction.CauseServer:      {"微信支付应答说它那边出错。", "WeChat Pay answered with an error on its side."},
	correction.CauseRate:        {"微信支付说请求太频繁。", "WeChat Pay answered that there were too many requests."},
	correction.CauseSignature:   {"收到应答，但签名核验不过，不能当作微信的应答。", "An answer came, but its signature does not hold; it cannot be taken as WeChat's."},
	correction.CauseGarbage:     {"收到应答，但不是微信支付接口的格式。", "An answer came, but not one of WeChat Pay's API."},
	correction.CauseRedirect:    {"应答要求转到别的地址，没有照做。", "The answer pointed to another address, which was not followed."},
	correction.CauseAccepted:    {"微信支付说已收下、还在处理。", "WeChat Pay answered that it took the request and is working on it."},
	correction.CauseNotVisible:  {"微信支付已应答，但重新读取订单还看不出变化。", "WeChat Pay answered, but the order does not show it yet."},
	correction.CauseClock:       {"本机时钟和微信差得太多，所以没有发送。请运维校准时钟。", "This machine's clock is too far off WeChat's, so nothing was sent. Ask the operator to set it."},
	correction.CauseUnconfirmed: {"微信支付应答已接受，但没能重新读取订单来确认。", "WeChat Pay answered that it accepted the change, but the order could not be read to be sure."},
	correction.CauseUnread:      {"微信支付应答说不接受，但没能重新读取订单来确认。", "WeChat Pay answered with a refusal, but the order could not be read to be sure."},
}

// CauseText says why nothing was sent, or why an answer says nothing certain. It
// is the code itself when there are no words.
func CauseText(cause string) Text { return word(causeWords, cause) }

var alarmWords = map[string]Text{
	correction.AlarmSignature: {"应答签名核验不过，请运维检查微信支付公钥或证书，并查网络。", "An answer's signature does not hold. The operator should check WeChat Pay's key or certificates, and the network."},
	correction.AlarmRedirect:  {"应答要求转到别的地址，请运维检查接口地址和代理。", "An answer pointed elsewhere. The operator should check the API host and proxies."},
	correction.AlarmLate:      {"原来判断没有生效的改价，后来生效了。请主管处理。", "A correction that was held for not applied took effect. A supervisor has to see to it."},
	correction.AlarmLost:      {"已生效的改价，订单上又看不到了。请主管核对。", "An applied correction is no longer what the order says. A supervisor has to check."},
	correction.AlarmAuth:      {"微信不认我们的签名或商户号，请运维检查密钥、证书和时钟。", "WeChat does not accept our signature or number. The operator should check key, certificate and clock."},
}

// AlarmText says what an operator must look at.
func AlarmText(alarm string) Text { return word(alarmWords, alarm) }

var classWords = map[correction.Class]Text{
	correction.Accepted:    {"微信支付已接受，签名已核验", "WeChat Pay accepted it, signature verified"},
	correction.Refused:     {"微信支付没有接受", "WeChat Pay did not accept it"},
	correction.NothingSent: {"没有发出去", "Nothing was sent"},
	correction.Uncertain:   {"不能判断是否生效", "It cannot be told whether it took effect"},
}

// ClassText says what kind of answer WeChat gave.
func ClassText(class correction.Class) Text { return word(classWords, class) }

var findingWords = map[correction.Finding]func(l Lang, o correction.Order) string{
	correction.FoundTarget: func(l Lang, o correction.Order) string {
		return l.F("订单总额 %s，总额和明细与提交的一致。", "The order amounts to %s; total and lines are as submitted.", o.Total)
	},
	correction.FoundTargetLines: func(l Lang, o correction.Order) string {
		return l.F("订单总额 %s 和提交的一样，明细却不一样，可能是别处改的。", "The order amounts to %s as submitted, but its lines differ. It may have been changed elsewhere.", o.Total)
	},
	correction.FoundBase: func(l Lang, o correction.Order) string {
		return l.F("订单总额仍是 %s，没有变化，待客户支付。", "The order still amounts to %s, unpaid.", o.Total)
	},
	correction.FoundBetween: func(l Lang, o correction.Order) string {
		return l.F("订单总额是 %s，比原来低，但不是这次要改的金额，是别处改的。", "The order amounts to %s: lower than before, but not the amount asked for. It was changed elsewhere.", o.Total)
	},
	correction.FoundBelow: func(l Lang, o correction.Order) string {
		return l.F("订单总额是 %s，比这次要改的还低。可能这次生效后又被改低，也可能是别处改的。",
			"The order amounts to %s, below the amount asked for. This correction may have been applied and lowered again, or it was changed elsewhere.", o.Total)
	},
	correction.FoundAbove: func(l Lang, o correction.Order) string {
		return l.F("订单总额是 %s，比原来还高，按微信的规则不会出现。", "The order amounts to %s, above the former amount. By WeChat's rules that cannot happen.", o.Total)
	},
	correction.FoundPaidTarget: func(l Lang, o correction.Order) string {
		return l.F("客户已付款 %s，是新金额。", "The customer has paid %s, the new amount.", o.Collection.Paid)
	},
	correction.FoundPaidBase: func(l Lang, o correction.Order) string {
		return l.F("客户已付款 %s，是原金额。", "The customer has paid %s, the former amount.", o.Collection.Paid)
	},
	correction.FoundPaidOther: func(l Lang, o correction.Order) string {
		return l.F("客户已付款 %s，订单总额 %s，和原金额、新金额都对不上。", "The customer has paid %s and the order amounts to %s: that fits neither the former nor the new amount.", o.Collection.Paid, o.Total)
	},
	correction.FoundCancelled: func(l Lang, o correction.Order) string {
		if o.State == correction.OrderExpired {
			return l.T("订单已失效，客户不用付款。", "The order has expired. The customer owes nothing.")
		}
		return l.T("订单已取消，客户不用付款。", "The order is cancelled. The customer owes nothing.")
	},
	correction.FoundOtherState: func(l Lang, o correction.Order) string {
		return l.F("订单的状态认不出：%s。", "The order is in a state that is not known here: %s.", StateCodes(o))
	},
}

// FindingText says what a reading of the order showed.
func FindingText(l Lang, f correction.Finding, o correction.Order) string {
	if words, ok := findingWords[f]; ok {
		return words(l, o)
	}
	return string(f)
}

// StateCodes is an order's state in WeChat's own words: DOING · MCH_COMPLETE ·
// USER_PAYING.
func StateCodes(o correction.Order) string {
	var codes []string
	for _, c := range []string{o.State, o.StateDescription, o.Collection.State} {
		if c != "" {
			codes = append(codes, c)
		}
	}
	return strings.Join(codes, " · ")
}

var eventTitles = map[correction.State]Text{
	correction.Prepared:    {"提出改价", "Proposed"},
	correction.Awaiting:    {"超出额度，提交审批", "Above the allowance: submitted for approval"},
	correction.Approved:    {"批准", "Approved"},
	correction.Returned:    {"退回修改", "Returned for editing"},
	correction.Declined:    {"没有批准", "Declined"},
	correction.Claimed:     {"核对并提交", "Reviewed and submitted"},
	correction.Sending:     {"写入记录，发给微信支付", "Put on record, sent to WeChat Pay"},
	correction.Unknown:     {"结果确认中", "Result not known yet"},
	correction.NeedsPerson: {"需人工核对", "Needs a person"},
	correction.Applied:     {"已生效", "Applied"},
	correction.Rejected:    {"微信拒绝", "Refused by WeChat"},
	correction.NotSent:     {"未发出", "Not sent"},
	correction.NotApplied:  {"核对：未生效", "Checked: not applied"},
	correction.Stale:       {"订单已变化，没有发出", "The order changed; not sent"},
	correction.Expiry:      {"没有按时确认，已过期", "Not confirmed in time"},
	correction.Withdrawn:   {"撤回", "Withdrawn"},
	correction.Void:        {"已作废", "Void"},
	correction.Resolved:    {"两人核对，已处理", "Settled by two people"},
	correction.AppliedLate: {"发现已经生效", "Found to be in force"},
}

// IsCheck reports whether an event is a reading of an uncertain correction that
// did not decide.
func IsCheck(e correction.Event) bool {
	return e.State == correction.Unknown && e.Detail.Class == "" && e.Detail.Reading != nil
}

// IsSaid reports whether an event is a review or a note of a person.
func IsSaid(c correction.Correction, e correction.Event) bool {
	return slices.ContainsFunc(c.Words(), func(o correction.Event) bool { return o.N == e.N })
}

// IsLater reports whether an event came after the one with which the correction came
// to that state: one more reading, or what a person said.
func IsLater(c correction.Correction, e correction.Event) bool {
	at := slices.IndexFunc(c.Events, func(o correction.Event) bool { return o.N == e.N })
	return at > 0 && c.Events[at-1].State == e.State
}

var settledTitles = map[correction.Settlement]Text{
	correction.PaidNew:    {"已结清：客户付的是新金额", "Settled: paid at the new amount"},
	correction.PaidOld:    {"客户付的是原金额", "Paid at the former amount"},
	correction.PaidOther:  {"客户付的是另一个金额", "Paid at another amount"},
	correction.NothingDue: {"客户不用付款，跟进结束", "Nothing to pay; followed to its end"},
	correction.StillOpen:  {"一直没有付款，不再自动核对", "Still unpaid; no longer read"},
	correction.Superseded: {"后来又改过价，不再跟进这一笔", "Corrected again later; no longer followed"},
	correction.Rechecked:  {"复核完毕：确实没有改成", "Read again: it changed nothing indeed"},
}

// SettlementText says how the looking after a correction ended.
func SettlementText(s correction.Settlement) Text { return word(settledTitles, s) }

var rulingWords = map[correction.Ruling]Text{
	correction.RuledApplied:    {"已经生效", "It took effect"},
	correction.RuledNotApplied: {"没有生效", "It did not take effect"},
	correction.RuledUnclear:    {"查不清楚", "It cannot be told"},
}

// RulingText is what a person found about a correction.
func RulingText(r correction.Ruling) Text { return word(rulingWords, r) }

// EventTitle names an entry of the history of c.
func EventTitle(l Lang, c correction.Correction, e correction.Event) string {
	d := e.Detail
	switch {
	case IsCheck(e):
		return l.T("核对了一次，还不能判断", "Checked; no decision yet")
	case IsSaid(c, e):
		name := e.ActorName
		if name == "" && e.ActorID == c.AuthorID {
			name = c.AuthorName
		}
		if d.Review == "" {
			return l.F("%s 的备注", "%s: note", name)
		}
		return l.F("%s：%s", "%s: %s", name, ReviewWord(string(d.Review)).In(l))
	case d.Handled:
		return l.T("主管已处理", "Seen to by a supervisor")
	case e.State == correction.NeedsPerson && d.Ruling != "":
		return l.F("主管的结论：%s", "A supervisor's finding: %s", RulingText(d.Ruling).In(l))
	case e.State == correction.Resolved && d.Ruling != "":
		return l.F("第二位主管同意：%s", "A second supervisor agrees: %s", RulingText(d.Ruling).In(l))
	case d.Settled == correction.Rechecked && d.Cause == correction.CauseUnread:
		return l.T("订单读不到，不再复核", "The order cannot be read; no longer tried")
	case d.Settled != "":
		return SettlementText(d.Settled).In(l)
	case e.State == correction.Expiry && c.State == correction.Expiry && c.Over() != nil:
		return l.T("没有按时审批，已失效", "Not approved in time")
	case IsLater(c, e) && e.State.Undone():
		return l.T("复核了一次", "Read again")
	case IsLater(c, e) && d.Alarm == correction.AlarmLost:
		return l.T("再读取时订单对不上", "Read again: the order says otherwise")
	case IsLater(c, e) && e.State.InForce():
		return l.T("再读取时订单有变化", "Read again: the order has changed")
	}
	return word(eventTitles, e.State).In(l)
}

// EventNotes says what an entry of the history knows, a sentence each. c is the
// correction that the entry belongs to.
func EventNotes(l Lang, c correction.Correction, e correction.Event) []string {
	d := e.Detail
	var out []string
	add := func(s string) {
		if s != "" {
			out = append(out, s)
		}
	}
	switch e.State {
	case correction.Prepared:
		if c.Veiled() {
			add(l.F("当时应收 %s，要改为多少不显示。", "It amounted to %s; the new total is hidden.", c.Base.Total))
		} else {
			add(l.F("当时应收 %s，要改为 %s。", "It amounted to %s; to become %s.", c.Base.Total, c.Target))
		}
	case correction.Awaiting:
		if len(d.Over) > 0 {
			add(OverTexts(l, d.Over) + Mark(l, "。", "."))
		}
		if d.Typed != "" {
			add(l.F("输入新总额 %s，与要改的一致。", "Typed the new total %s, as it should be.", typed(d.Typed)))
		}
	case correction.Approved:
		if d.Typed != "" {
			// All that is certain: whether they knew the amount from elsewhere, nobody can say.
			add(l.F("批准时自己输入总额 %s，与申请的一致；审批页没有显示这个金额。", "Typed the total %s to approve it, the same as asked for; the page for approving did not show it.", typed(d.Typed)))
		}
		if len(d.BodySHA256) > 12 {
			add(l.F("批准的是这份原文：%s…", "Approved these bytes: %s…", d.BodySHA256[:12]))
		}
	case correction.Claimed:
		if d.Typed != "" {
			add(l.F("输入新总额 %s，与要改的一致。", "Typed the new total %s, as it should be.", typed(d.Typed)))
		}
	case correction.Sending:
		add(l.T("先记录，后发送；只发送一次。", "First the record, then the request; it is sent once only."))
	case correction.Stale:
		if d.Reading != nil {
			add(l.F("重新读取订单：总额 %s，状态 %s。", "Read again: %s, %s.", d.Reading.Total, StateCodes(*d.Reading)))
		}
	}
	if d.Settled == "" {
		add(causeOf(l, d))
	}
	add(answer(l, d))
	if d.Finding != "" && d.Reading != nil {
		if e.State.InForce() && d.Finding == correction.FoundBase { // it did change in between
			add(l.F("订单总额又成了 %s，待客户支付。", "The order amounts to %s again, unpaid.", d.Reading.Total))
		} else {
			add(FindingText(l, d.Finding, *d.Reading))
		}
		if refund := correction.RefundDue(c.Target, *d.Reading); refund > 0 && e.State.InForce() {
			add(l.F("多付的 %s 要退。", "%s is to be refunded.", refund))
		}
	}
	if d.Text != "" {
		add(l.F("“%s”", "“%s”", d.Text))
	}
	if d.Alone {
		add(AloneText(l))
	}
	if d.Alarm != "" {
		add(AlarmText(d.Alarm).In(l))
	}
	return out
}

// answer says what WeChat answered and how long it took.
func answer(l Lang, d correction.Detail) string {
	if d.Status == 0 && d.Class == "" {
		return ""
	}
	var parts []string
	if d.Status != 0 {
		s := l.F("应答 %d", "Answer %d", d.Status)
		if d.Code != "" {
			s += " " + d.Code
		}
		if d.Message != "" {
			s += Mark(l, "", " ") + "“" + d.Message + "”"
		}
		parts = append(parts, s)
	}
	if d.Class != "" {
		parts = append(parts, ClassText(d.Class).In(l))
	}
	out := strings.Join(parts, Mark(l, "，", ". "))
	if d.TookMS > 0 {
		out += l.F("，%s", " (%s)", Took(l, d.TookMS))
	}
	return out + Mark(l, "。", ".")
}

// typed is a typed total as money; a text that is no amount is quoted as it is.
func typed(s string) string {
	f, err := correction.ParseYuan(s)
	if err != nil {
		return "“" + s + "”"
	}
	return f.String()
}

// Took prints a duration in milliseconds: 用时 0.4 秒.
func Took(l Lang, ms int64) string {
	tenths := (ms + 50) / 100
	if tenths == 0 {
		return l.F("用时 %d 毫秒", "took %d ms", ms)
	}
	return l.T("用时 ", "took ") + fmt.Sprintf("%d.%d", tenths/10, tenths%10) + l.T(" 秒", " s")
}

var checkFailures = map[string]Text{
	correction.CodeUnreachable:    {"没有连上微信支付，没有读到订单。", "WeChat Pay could not be reached, so the order was not read."},
	correction.CodeRefused:        {"微信支付没有给出订单。", "WeChat Pay did not return the order."},
	correction.CodeUnverified:     {"收到的应答签名核验不过，没有采用。", "The answer's signature did not hold, so it was not used."},
	correction.CodeUnreadable:     {"收到的应答不像微信支付给的，没有采用。", "The answer does not look like WeChat Pay's, so it was not used."},
	correction.CodeBeyondBound:    {"微信给的金额超出了范围，没有采用。请商户核对这笔订单。", "An amount that WeChat reported is out of bounds, so nothing was used. Have the merchant check the order."},
	correction.CodeNoRecord:       {"记录暂时写不进去，这次核对没有改变什么。请运维检查磁盘。", "The record cannot be written at the moment, so this check changed nothing. Ask the operator to look at the disk."},
	correction.CodeOutcomePending: {"结果已经收到，但记录暂时写不进去。请运维检查磁盘。", "The result is known, but the record cannot be written at the moment. Ask the operator to look at the disk."},
	correction.CodeBadSettings:    {"微信不认我们的签名或商户号，请运维检查设置。", "WeChat does not accept our signature or number. Ask the operator."},
}

// CheckFailedText says why a "check now" came to nothing, by the code of its
// error. The state of the correction is as it was.
func CheckFailedText(code string) Text {
	if t, ok := checkFailures[code]; ok {
		return t
	}
	return Text{"没有读到订单。", "The order could not be read."}
}
