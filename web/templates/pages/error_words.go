package pages

import (
	"strings"
	"time"
	"unicode"

	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
)

// errorWords is what an error page says: what happened, what that means, what to
// do, and what to tell the customer where that helps. It never says more than
// the problem proves; that nothing was sent is said only by ErrorProps.NothingSent.
type errorWords struct {
	Kind, Icon string
	Title      string
	What       string
	Do         []string
	Say        string
	Retry      string // words of the button to RetryURL
}

func (p ErrorProps) words() errorWords {
	w := p.cause()
	if w.Kind == "" {
		w.Kind = components.NoticeBad
	}
	if w.Icon == "" {
		w.Icon = "cross"
	}
	if w.Retry == "" {
		w.Retry = p.Page.T("再试一次", "Try again")
	}
	return w
}

func (p ErrorProps) cause() errorWords {
	switch p.Problem {
	case ErrorUnreachable, ErrorRefused, ErrorUnverified, ErrorUnreadable, ErrorSettings, ErrorBeyondBound:
		return p.upstream()
	case ErrorPending, ErrorBusy, ErrorTokenWrong, ErrorBaseUnknown, ErrorNotCorrectable, ErrorNoRecord, ErrorReadOnly, ErrorRetried, ErrorSecondPerson, ErrorOwnApproval, ErrorVeiled, ErrorMoved:
		return p.midway()
	}
	return p.request()
}

// request is what was wrong with asking, and the console's own faults.
func (p ErrorProps) request() errorWords {
	t := p.Page.T
	home := t("回到“我的”，从那里重新打开。", "Go back to “Mine” and open it from there.")
	switch p.Problem {
	case ErrorNotFound:
		if p.Order != "" {
			return errorWords{
				Kind: components.NoticeWarn, Icon: "search",
				Title: t("没有查到这笔订单", "This order was not found"),
				What:  t("这家商户下面没有这个订单号，或者它不在你的可见范围内。", "The merchant has no order with this number, or it is not in your scope."),
				Do: []string{
					t("最常见的是商户不对。回到“我的”，只填订单号再查一次。", "Most often the merchant is the wrong one. Go back to “Mine” and look for the number alone."),
					t("对一下订单号，有没有漏掉或多出一位。", "Compare the number: is a digit missing or too many?"),
				},
			}
		}
		return errorWords{
			Kind: components.NoticeWarn, Icon: "search",
			Title: t("没有这个页面", "There is no such page"),
			What:  t("地址不对，或者它不在你的可见范围内。", "The address is wrong, or it is not in your scope."),
			Do:    []string{home},
		}
	case ErrorForbidden:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("你的账号不能做这件事", "Your account may not do this"),
			What:  t("它不在你的角色或可见范围里。", "It is not part of your role or your scope."),
			Do:    []string{t("工作上需要的话，请主管代办，或者请运维调整你的角色。", "If your work needs it, ask a supervisor to do it, or the operator to change your role.")},
		}
	case ErrorWholeScope:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("这要能管全部商户的人来做", "Only somebody who covers all merchants can do this"),
			What:  t("它对全部商户都有影响，而你只管其中一部分。什么都没有改。", "It affects all merchants, and you cover some of them. Nothing was changed."),
			Do:    []string{t("请一位能管全部商户的同事来做，或者请运维调整你的商户范围。", "Ask a colleague who covers all merchants, or ask the operator to change your scope.")},
		}
	case ErrorReadsCrowded:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "clock",
			Title: t("现在要读的记录太多，请稍等", "Too much is being read right now"),
			What:  t("统计、复核、日结和导出要翻很多记录，同时只能进行几个。你这一个没有排上，什么都没有改。", "Figures, reviews, day sheets and exports go through much of the record, so only a few run at a time. There was no room for yours. Nothing was changed."),
			Do: []string{
				t("等十秒再打开一次。", "Wait ten seconds and open it again."),
				t("还是不行，就选短一点的时间段。查订单和改价不受影响。", "If that does not help, choose a shorter period. Look-ups and corrections go on as usual."),
			},
		}
	case ErrorSlowRead:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "clock",
			Title: t("读取时间太长，已停止", "Reading took too long and was stopped"),
			What:  t("要读的记录太多，或者磁盘正忙。什么都没有改。", "There was too much to read, or the disk is busy. Nothing was changed."),
			Do: []string{
				t("缩小时间段或加上筛选条件，再试一次。", "Choose a shorter period or add a filter, then try again."),
				t("一分钟后还是这样，请把错误编号告诉运维。", "If it is the same after a minute, tell the operator the error number."),
			},
		}
	case ErrorExporting:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "clock",
			Title: t("你还有一个导出没有结束", "Another export of yours is still running"),
			What:  t("每个人同时只能导出一个文件。", "One person exports one file at a time."),
			Do: []string{
				t("等前一个下载完成，再导出这一个。", "Let the other download finish, then export this one."),
				t("不需要前一个了，就在浏览器的下载列表里取消它，过几秒再导出。", "If you do not need the other one, cancel it in the browser’s list of downloads and export again after a few seconds."),
				t("不是你在导出？到“账号”里退出其他会话。", "Not exporting anything yourself? Sign out your other sessions under “Account”."),
			},
		}
	case ErrorMethod:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "bar",
			Title: t("这个地址不能直接打开", "This address cannot be opened directly"),
			What:  t("它只接收页面上的按钮提交的内容。", "It only takes what a button on a page submits."),
			Do:    []string{home},
		}
	case ErrorBadRequest:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "warn",
			Title: t("没看懂这次提交的内容", "What was submitted could not be understood"),
			What:  t("里面有这里不认识的内容。页面开得太久，或者浏览器插件改动了表单，都可能这样。", "It holds something that is not known here. A page that was open for too long or a browser add-on can cause this."),
			Do: []string{
				t("退回上一页，刷新后再提交。", "Go back one page, reload it and submit again."),
				t("还是这样的话，把下面的编号告诉运维。", "If it happens again, tell the operator the number below."),
			},
		}
	case ErrorQuery:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "warn",
			Title: t("没看懂网址里的条件", "The filters in this address are not understood"),
			What:  p.queryText(),
			Do: []string{
				t("为了不把条件漏掉，这里什么都没有列出。不带条件打开页面，再选一次。", "Nothing is shown, so that no filter is silently left out. Open the page without filters and choose them again."),
				t("网址是别人发来的，请他重新复制一次。", "If somebody sent you the address, ask them to copy it again."),
			},
			Retry: t("不带条件打开页面", "Open the page without filters"),
		}
	case ErrorTooFast:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "hourglass",
			Title: t("查得太快了，歇一下再查", "Too many look-ups: wait a moment"),
			What:  p.Page.F("一分钟里查的订单到了上限，这一笔没有查。%s后可以再查。", "You have reached the limit of orders looked up in a minute, so this one was not read. You can go on in %s.", WaitText(p.Page.Lang, p.Wait)),
			Do:    []string{t("已经打开的订单和填了一半的修改不受影响，可以接着做。", "Orders and forms that are open already are not affected: you can go on with them.")},
		}
	case ErrorTooMany:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "hourglass",
			Title: t("操作太快了，歇一下再来", "Too fast: wait a moment"),
			What:  p.Page.F("一分钟里提交的次数到了上限，这一次没有处理。%s后可以再来。", "You have reached the limit of submissions in a minute, so this one was not carried out. You can go on in %s.", WaitText(p.Page.Lang, p.Wait)),
			Do:    []string{t("退回上一页，等一会儿再提交一次。", "Go back one page, wait, and submit it once more.")},
		}
	case ErrorSearching:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "hourglass",
			Title: t("现在排队查询的太多", "Too many searches at the moment"),
			What:  t("不选商户就要一家一家去问微信，现在正在排队。", "Without a merchant WeChat is asked about one after another, and there is a queue."),
			Do:    []string{t("选好商户再查，就不用排这个队。", "Choose the merchant and look again: that does not queue.")},
		}
	case ErrorTooLarge:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "warn",
			Title: t("提交的内容太多", "Too much was submitted"),
			What:  t("超出了一次能接收的大小。", "It is larger than what can be taken at once."),
			Do:    []string{t("退回上一页，缩短备注或减少行数后再提交。", "Go back one page, shorten the note or remove lines, and submit again.")},
		}
	case ErrorHost:
		w := errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("改价台不在这个地址", "The console is not at this address"),
			What:  t("改价台不认这个地址，为了安全不在这里打开。", "This is not a name of the console, so, to be safe, it does not open here."),
			Retry: t("打开正确的地址", "Open the right address"),
		}
		if p.PublicURL == "" {
			w.Do = []string{t("请运维告诉你正确的地址；或者请运维把浏览器用的地址设到 CONSOLE_PUBLIC_URL。", "Ask the operator for the right address, or to set CONSOLE_PUBLIC_URL to the address that browsers use.")}
			return w
		}
		w.Do = []string{
			p.Page.F("正确的地址是 %s，请用它打开，并更新收藏夹。", "The right address is %s. Use it, and update your bookmark.", p.PublicURL),
			t("如果别人给你的就是现在这个地址，告诉运维。", "If somebody gave you this address, tell the operator."),
		}
		return w
	case ErrorCrowded:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "clock",
			Title: t("现在请求太多", "Too many requests at the moment"),
			What:  t("为了不影响正在处理的改价，这次没有处理。", "It was not carried out, so that corrections under way are not held up."),
			Do:    []string{t("过几秒再试一次。", "Try again in a few seconds.")},
		}
	case ErrorSlow:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "clock",
			Title: t("提交的内容没有及时传完", "What was submitted did not arrive in time"),
			What:  t("网络太慢或者中途断了，所以没有处理。", "The network is too slow or the connection broke, so it was not carried out."),
			Do:    []string{t("退回上一页，检查网络后再提交。", "Go back one page, check the network and submit again.")},
		}
	case ErrorCrossSite:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("这次提交不是从改价台的页面发出的", "This was not submitted from a page of the console"),
			What:  t("为了安全，没有处理。", "To be safe, it was not carried out."),
			Do: []string{
				t("回到“我的”，在改价台自己的页面上重新操作。", "Go back to “Mine” and do it again on the console's own pages."),
				t("如果本来就是在改价台里点的，把下面的编号告诉运维，可能是访问地址的设置不对。", "If you did that already, tell the operator the number below; the console's public address may not be set right."),
			},
		}
	}
	return errorWords{
		Title: t("改价台出了点问题", "Something went wrong in the console"),
		What:  t("这不是你的操作引起的。", "It is not caused by what you did."),
		Do: p.afterDoubt(
			t("过一分钟再试。", "Try again in a minute."),
			t("还是这样的话，把下面的编号告诉运维。", "If it happens again, tell the operator the number below."),
		),
	}
}

// queryText says what in a query is not understood.
func (p ErrorProps) queryText() string {
	name := shortened(visible(p.Parameter))
	switch p.Query {
	case QueryUnknown:
		return p.Page.F("这个页面没有“%s”这个条件。", "This page has no filter “%s”.", name)
	case QueryTwice:
		return p.Page.F("条件“%s”给了不止一次。", "The filter “%s” is given more than once.", name)
	case QueryValue:
		return p.Page.F("条件“%s”的值不对。", "The filter “%s” has a value that is not valid.", name)
	}
	return p.Page.T("问号后面的部分读不出来，可能没有复制完整，或者里面有 ; 和多余的 %。", "The part after the question mark cannot be read. It may not have been copied whole, or holds a “;” or a stray “%”.")
}

// visible leaves what can be seen of a text that somebody made up.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// WaitText is a time to wait, in words, rounded up to seconds.
func WaitText(l i18n.Lang, d time.Duration) string {
	n := max(1, int((d+time.Second-1)/time.Second))
	if n == 1 {
		return l.T("1 秒", "1 second")
	}
	return l.F("%d 秒", "%d seconds", n)
}

// afterDoubt puts a look at the log first where something may have been sent.
func (p ErrorProps) afterDoubt(do ...string) []string {
	if p.NothingSent || p.Page.User == nil {
		return do
	}
	return append([]string{p.Page.T("如果刚才在提交改价，先到改价记录里看结果，不要直接重做。",
		"If you were submitting a correction, look for its result in the change log first. Do not simply do it again.")}, do...)
}

// upstream is what went wrong between the console and WeChat.
func (p ErrorProps) upstream() errorWords {
	t := p.Page.T
	tell := t("把下面的编号告诉运维，这要运维来处理。", "Tell the operator the number below; only the operator can settle this.")
	callBack := t("客户在线等的话，记下电话，查到后回电。", "If the customer is waiting, note the phone number and call back.")
	say := t("系统暂时查不到您的订单，我这边查到后第一时间给您回电。", "Our system cannot look up your order at the moment. I will call you back as soon as it can.")
	switch p.Problem {
	case ErrorUnreachable:
		title := t("连不上微信支付", "WeChat Pay cannot be reached")
		if p.Order != "" {
			title = t("连不上微信支付，读不到这笔订单", "WeChat Pay cannot be reached, so the order cannot be read")
		}
		what := t("微信支付没有应答。", "WeChat Pay did not answer.")
		if p.Remote != nil && p.Remote.Status > 0 {
			title = t("微信支付暂时出错", "WeChat Pay has a fault at the moment")
			if p.Order != "" {
				title = t("微信支付暂时出错，读不到这笔订单", "WeChat Pay has a fault, so the order cannot be read")
			}
			what = p.Page.F("微信支付应答了，但报错 %d。", "WeChat Pay answered with error %d.", p.Remote.Status)
		}
		return errorWords{
			Title: title,
			What:  what,
			Do: []string{
				t("一分钟后再试。", "Try again in a minute."),
				callBack,
				t("超过 10 分钟还不行，把下面的编号告诉运维。", "If it lasts longer than 10 minutes, tell the operator the number below."),
			},
			Say: say,
		}
	case ErrorUnverified:
		return errorWords{
			Icon:  "lock",
			Title: t("收到的应答没法确认来自微信支付", "An answer could not be proved to come from WeChat Pay"),
			What:  t("签名核对不上，所以没有采用它的内容。", "Its signature does not hold, so nothing in it was used."),
			Do:    []string{t("先不要反复试。", "Do not keep trying."), tell, callBack},
			Say:   say,
		}
	case ErrorUnreadable:
		return errorWords{
			Title: t("收到的应答看不懂", "The answer makes no sense"),
			What:  t("它不是微信支付接口该有的样子，可能是中间的网络设备给的，没有采用。", "It is not what WeChat Pay's interface answers, perhaps it came from a network device in between. It was not used."),
			Do:    []string{t("一分钟后再试。", "Try again in a minute."), tell, callBack},
			Say:   say,
		}
	case ErrorBeyondBound:
		return errorWords{
			Title: t("这笔订单的金额超出了范围", "An amount of this order is out of bounds"),
			What:  i18n.BeyondText(p.Page.Lang, p.Amount),
			Do:    []string{t("核对订单号，请商户在商户系统里查这笔订单。", "Check the number, and have the merchant look the order up in the merchant system."), tell, callBack},
			Say:   say,
		}
	case ErrorSettings:
		return errorWords{
			Icon:  "lock",
			Title: t("微信支付没有认可改价台的商户设置", "WeChat Pay does not accept the console's merchant settings"),
			What:  t("商户号、密钥、签名或权限里有一项不对，跟这笔订单无关。", "The merchant number, a key, the signature or a permission is not right. It has nothing to do with this order."),
			Do:    []string{tell, callBack},
			Say:   say,
		}
	}
	w := errorWords{
		Title: t("微信支付没有接受这次请求", "WeChat Pay did not accept the request"),
		What:  t("应答里没有写明原因。", "Its answer gives no reason."),
		Do:    []string{tell, callBack},
	}
	if p.Remote != nil && p.Remote.Message != "" {
		w.What = ""
		w.Do[0] = t("按微信给的原因处理；看不明白，就把下面的编号告诉运维。", "Act on WeChat's reason. If it is not clear, tell the operator the number below.")
	}
	return w
}

// midway is what stopped a correction on its way.
func (p ErrorProps) midway() errorWords {
	t := p.Page.T
	switch p.Problem {
	case ErrorPending:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "question",
			Title: t("已经提交，结果还没有记下来", "It was submitted; the result is not on record yet"),
			What:  t("还不知道有没有改成，系统会自己核对。请不要重新提交。", "We do not know yet whether it was applied. The console checks by itself. Do not submit it again."),
			Do:    []string{t("过一两分钟到改价记录里看结果。", "Look for the result in the change log in a minute or two.")},
			Say:   t("修改已经提交，正在等微信确认。这几分钟请您先不要付款，有结果我马上给您回电。", "Your change is submitted and we are waiting for WeChat. Please do not pay for a few minutes; I will call you back."),
			Retry: t("看结果", "See the result"),
		}
	case ErrorBusy:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "hourglass",
			Title: t("这笔订单正在改价", "This order is being corrected right now"),
			What:  p.holderText(),
			Do:    []string{t("等那一笔有了结果再看。需要再改的话，到时按新的金额改。", "Wait for its result. If more is needed, correct the order again from the new amount.")},
			Say:   t("您的订单正在处理，有结果我马上给您回电。", "Your order is being processed. I will call you back with the result."),
			Retry: t("看这笔订单", "See the order"),
		}
	case ErrorTokenWrong:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("这个确认按钮对不上这笔改价", "The confirmation does not belong to this correction"),
			What:  t("页面可能是旧的。", "The page may be an old one."),
			Do:    []string{t("重新打开这笔改价，核对金额后再确认。", "Open the correction again, check the amounts and confirm it there.")},
			Retry: t("重新打开", "Open it again"),
		}
	case ErrorBaseUnknown:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "warn",
			Title: t("这张表单找不到对应的订单内容", "The order that this form was made from is not known"),
			What:  t("页面可能开得太久，或者不是从改价台打开的。", "The page may have been open for too long, or was not opened from the console."),
			Do:    []string{t("重新打开订单，按现在的内容再填一次。", "Open the order again and fill in the form from what it is now.")},
			Retry: t("重新打开订单", "Open the order again"),
		}
	case ErrorNotCorrectable:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "bar",
			Title: t("这笔订单现在不能改价", "This order cannot be corrected now"),
			What:  t("订单页上写着原因和下一步怎么办。", "The page of the order says why, and what to do next."),
			Do:    []string{t("打开订单，按上面写的办。", "Open the order and do what it says.")},
			Retry: t("打开订单", "Open the order"),
		}
	}
	switch p.Problem {
	case ErrorReadOnly:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("改价已暂停", "Corrections are paused"),
			What:  i18n.ReadOnlyWhy(p.Concern).In(p.Page.Lang),
			Do: []string{
				i18n.ReadOnlyTell(p.Concern).In(p.Page.Lang),
				t("查订单、看记录不受影响。恢复以后再改。", "Orders and the log can be read as usual. Correct the order when corrections are back."),
			},
			Say: t("系统现在还改不了。恢复以后我马上处理，给您回电。", "Our system cannot change it right now. I will see to it as soon as it can and call you."),
		}
	case ErrorRetried:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "pencil",
			Title: t("这笔改价刚刚有人重试过了", "Somebody has just tried this correction again"),
			What:  t("一笔改价只能重试一次，免得重复改。", "A correction is tried again once only, so that it is not done twice."),
			Do:    []string{t("打开订单，看那一笔改价到了哪一步。", "Open the order and see how far that correction is.")},
			Retry: t("打开订单", "Open the order"),
		}
	case ErrorSecondPerson:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("这要另一位主管来做", "This takes another supervisor"),
			What:  t("提出改价的人不能核对自己的改价；提出结论的人也不能自己同意。", "Nobody checks their own correction, and nobody agrees with their own finding."),
			Do:    []string{t("请另一位主管打开这笔改价来核对。", "Ask another supervisor to open the correction and check it.")},
			Retry: t("看这笔改价", "See the correction"),
		}
	case ErrorOwnApproval:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("你批准的改价要别的主管来核对", "You approved it, so another supervisor checks it"),
			What:  t("自己批准的改价，自己不能复核，也不算人工核对的第二个人。", "Whoever approved a correction does not review it, and is not the second person who agrees to its ruling."),
			Do:    []string{t("请别的主管来做。确实没有别的主管能做时你才可以做，记录里会写明。", "Ask another supervisor to open it. Only if there is none can you do it yourself, and the record will say so.")},
			Retry: t("看这笔改价", "See the correction"),
		}
	case ErrorVeiled:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "lock",
			Title: t("金额不显示，要等有人决定", "The amount is hidden until somebody has decided"),
			What:  t("这笔改价金额大，能做决定的人事先看不到金额，而证明和原文里有金额。", "The amount is large, and those who may decide do not see it beforehand. The proof contains it."),
			Do:    []string{t("决定以后再来下载。审计现在就能下载。", "Come back after the decision. The auditor can download it now.")},
			Retry: t("看这笔改价", "See the correction"),
		}
	case ErrorMoved:
		return errorWords{
			Kind: components.NoticeWarn, Icon: "warn",
			Title: t("这笔改价刚刚有变化", "The correction has just changed"),
			What:  t("别人或系统先了一步，你这次没有记录。", "Somebody else or the console was faster; what you did is not on record."),
			Do:    []string{t("重新打开，看现在到了哪一步。", "Open it again and see how it stands.")},
			Retry: t("重新打开", "Open it again"),
		}
	}
	return errorWords{ // ErrorNoRecord
		Title: t("记录写不进去，所以没有往下做", "The record cannot be written, so it went no further"),
		What:  t("改价要先留下记录，才会发给微信。", "A correction is put on record before it is sent to WeChat."),
		Do: p.afterDoubt(
			t("马上把下面的编号告诉运维，多半是磁盘满了或者数据库有问题。", "Tell the operator the number below at once. The disk may be full or the database in trouble."),
			t("运维处理好之前，不要再改价。", "Do not correct orders until it is settled."),
		),
	}
}

func (p ErrorProps) holderText() string {
	h := p.Holder
	if h == nil {
		return p.Page.T("另一笔改价还没有结束，同一笔订单一次只能改一笔。", "Another correction of it is not finished. An order takes one at a time.")
	}
	return p.Page.F("%s 在 %s 提交了改价 %s，现在是“%s”。同一笔订单一次只能改一笔。",
		"%s submitted a correction of it at %s: %s, now “%s”. An order takes one at a time.",
		h.Name, p.Page.Stamp(h.Since), components.Number(h.CorrectionID), i18n.StateWord(h.State).In(p.Page.Lang))
}

// remoteFact is a label and its value.
type remoteFact struct{ label, value string }

// remote is what WeChat answered, in its own words, for whoever looks into it.
func (p ErrorProps) remote() []remoteFact {
	if p.Remote == nil {
		return nil
	}
	var out []remoteFact
	for _, f := range []remoteFact{
		{p.Page.T("微信错误码", "WeChat's code"), p.Remote.Code},
		{"Request-ID", p.Remote.RequestID},
	} {
		if f.value != "" {
			out = append(out, f)
		}
	}
	return out
}
