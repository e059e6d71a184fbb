package i18n

import (
	"fmt"
	"slices"
	"strings"

	"correction-console/internal/correction"
)

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
	case IsLater(c, e) && e.State.NoEffect():
		return l.T("复核了一次", "Read again")
	case IsLater(c, e) && d.Alarm == correction.AlarmLost:
		return l.T("再读取时订单对不上", "Read again: the order says otherwise")
	case IsLater(c, e) && e.State.Effective():
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
		if e.State.Effective() && d.Finding == correction.FoundBase { // it did change in between
			add(l.F("订单总额又成了 %s，待客户支付。", "The order amounts to %s again, unpaid.", d.Reading.Total))
		} else {
			add(FindingText(l, d.Finding, *d.Reading))
		}
		if refund := correction.RefundDue(c.Target, *d.Reading); refund > 0 && e.State.Effective() {
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
