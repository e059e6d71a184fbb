package pages

import (
	"strconv"
	"strings"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
)

// delta prints what a change does to an amount: −¥4.50, +¥4.50, or a dash when
// nothing.
func delta(f correction.Fen) string {
	switch {
	case f.IsHidden():
		return f.String()
	case f < 0:
		return (-f).Minus()
	case f > 0:
		return "+" + f.String()
	}
	return "—"
}

// lineTitle is what people call a line: goods by their description, because all
// of them have the one name, everything else by its name.
func lineTitle(l correction.Line) string {
	if l.Name == correction.RepeatableName && l.Description != "" {
		return l.Description
	}
	return l.Name
}

// lineMore is the rest of what a line says.
func lineMore(l correction.Line) string {
	if l.Name == correction.RepeatableName && l.Description != "" {
		return l.Name
	}
	return l.Description
}

func lineCount(l correction.Line) string {
	if l.Count == 0 {
		return "—"
	}
	return strconv.Itoa(l.Count)
}

// beijing is the zone of WeChat's own time stamps (domain.md §3.1).
var beijing = time.FixedZone("UTC+8", 8*60*60)

// wechatTime prints a time of WeChat's: yyyyMMddHHmmss as a time of the page,
// everything else as it came, because some merchants send free text.
func wechatTime(p layout.Page, s string) string {
	if t, err := time.ParseInLocation("20060102150405", s, beijing); err == nil {
		return p.Stamp(t)
	}
	return s
}

// between prints a span of two texts of which either may be missing.
func between(from, to string) string {
	switch {
	case from == "" || from == to:
		return to
	case to == "":
		return from
	}
	day, _, ok := strings.Cut(from, " ")
	if rest, same := strings.CutPrefix(to, day+" "); ok && same {
		to = rest // the same day
	}
	return from + " – " + to
}

func merchantOf(m correction.Merchant) string { return merchantName(m) }

func offeringName(o correction.Offering) string {
	if o.Name != "" {
		return o.Name
	}
	return o.ServiceID
}

// collectionWord says how far the money of an order is.
func collectionWord(p layout.Page, o correction.Order) string {
	switch {
	case o.Paid():
		return p.T("客户已支付", "Paid")
	case o.State == correction.OrderRevoked:
		return p.T("订单已取消", "Cancelled")
	case o.State == correction.OrderExpired:
		return p.T("订单已失效", "Expired")
	case o.Collection.State == correction.UserPaying:
		return p.T("待客户支付", "Waiting for the customer to pay")
	case o.Collection.State == "" && o.StateDescription != correction.MchComplete && o.State != correction.OrderDone:
		return p.T("服务还没结束", "The service is still running")
	case o.Collection.State == "":
		return p.T("不用付款", "Nothing to pay")
	}
	return o.Collection.State
}

// paidWay says how a payment was made (domain.md §3.1).
func paidWay(p layout.Page, kind string) string {
	switch kind {
	case "NEWTON":
		return p.T("微信支付分扣款", "Charged by WeChat Pay Score")
	case "MCH":
		return p.T("商户自己收的款", "Collected by the merchant")
	}
	return kind
}

// holderState says what the one who holds an order is doing.
func holderState(p layout.Page, h correction.Holder) string {
	if h.State == correction.Unknown {
		return p.T("已经提交，结果还没有确认", "submitted; its result is not known yet")
	}
	return p.T("正在提交", "being sent")
}

func colon(p layout.Page) string { return i18n.Mark(p.Lang, "：", ": ") }
