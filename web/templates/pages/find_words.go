package pages

import (
	"strings"
	"unicode"

	"github.com/a-h/templ"

	"correction-console/internal/correction"
)

// findAnswer is what a look-up came to, in words that help to get further.
type findAnswer struct {
	Title    string
	Lines    []string
	Merchant bool // the merchant is what to change, not the number
}

// blames reports whether the number (or the merchant) is what to change.
func (p HomeProps) blames(a findAnswer, merchant bool) bool {
	return a.Title != "" && p.Find.Problem != FindSeveral && a.Merchant == merchant
}

func invalid(on bool) templ.Attributes {
	if on {
		return templ.Attributes{"aria-invalid": "true"}
	}
	return nil
}

// maxOrderNo is the length of the longest order number (domain.md §1.1).
const maxOrderNo = 32

func (p HomeProps) answer() findAnswer {
	t, f := p.Page.T, p.Page.F
	switch p.Find.Problem {
	case FindEmpty:
		return findAnswer{Title: t("请填订单号", "Enter an order number")}
	case FindSyntax:
		return findAnswer{Title: t("这不像订单号", "This does not look like an order number"), Lines: p.syntaxAdvice()}
	case FindNowhere:
		return findAnswer{Title: p.nowhereTitle(), Lines: p.nowhereAdvice(), Merchant: p.Find.SubMchID != "" && !looksLikePayment(p.Find.OutOrderNo)}
	case FindNoMerchant:
		return findAnswer{
			Title:    t("查不了这家商户的订单", "Orders of this merchant cannot be looked up"),
			Lines:    []string{t("它没有登记在这里，或者不在你的可见范围内。需要的话请运维开通。", "It is not registered here, or not in your scope. Ask the operator if you need it.")},
			Merchant: true,
		}
	case FindTooMany:
		return findAnswer{
			Title:    t("请先选商户", "Choose a merchant first"),
			Lines:    []string{t("本地记录里没有这个订单号，商户又多，没法一家一家去问。选好商户再查就行。", "The number is not on our record, and there are too many merchants to ask one by one. Choose one and look again.")},
			Merchant: true,
		}
	case FindSeveral:
		return findAnswer{
			Title: f("有 %d 笔订单用了这个订单号", "%d orders have this number", len(p.Find.Choices)),
			Lines: []string{t("不同商户的订单号可能相同。跟客户核对一下是哪家的，再打开。", "Numbers may repeat between merchants. Ask the customer which one it is, then open it.")},
		}
	case FindTooFast:
		return findAnswer{
			Title: t("查得太快了，歇一下再查", "Too many look-ups: wait a moment"),
			Lines: []string{f("一分钟里查的订单到了上限，这一笔没有查。%s后可以再查。", "You have reached the limit of orders looked up in a minute, so this one was not looked up. You can go on in %s.", WaitText(p.Page.Lang, p.Find.Wait))},
		}
	case FindSearching:
		return findAnswer{
			Title:    t("现在排队查询的太多，请先选商户", "Too many searches at the moment: choose a merchant"),
			Lines:    []string{t("不选商户就要一家一家去问微信，现在正在排队。选好商户再查，就不用排这个队。", "Without a merchant WeChat is asked about one after another, and there is a queue. With one you do not queue.")},
			Merchant: true,
		}
	case FindBadMerchant:
		return findAnswer{
			Title:    t("商户号不对", "The merchant number is not right"),
			Lines:    []string{t("请从列表里选一家商户。", "Choose a merchant from the list.")},
			Merchant: true,
		}
	}
	return findAnswer{}
}

func (p HomeProps) syntaxAdvice() []string {
	t, f := p.Page.T, p.Page.F
	lines := []string{t("商户服务订单号只有字母、数字和 _ - | *，最多 32 位。", "A service order number has letters, digits and _ - | * only, at most 32 of them.")}
	no := p.Find.OutOrderNo
	switch n := len([]rune(no)); {
	case strings.ContainsFunc(no, func(r rune) bool { return unicode.Is(unicode.Han, r) }):
		lines = append(lines, t("里面有汉字，看看是不是连“订单号”几个字一起复制了。", "There are Chinese characters in it. Was a label copied along with the number?"))
	case strings.ContainsFunc(no, unicode.IsSpace):
		lines = append(lines, t("中间有空格，看看是不是一次复制了两个号。", "There is a space in it. Were two numbers copied at once?"))
	case n > maxOrderNo:
		lines = append(lines, f("现在是 %d 位，看看是不是多复制了。", "This one has %d. Was too much copied?", n))
	}
	return lines
}

func (p HomeProps) nowhereTitle() string {
	for _, m := range p.Merchants {
		if m.SubMchID == p.Find.SubMchID && m.Name != "" {
			return p.Page.F("“%s”没有这个订单号", "%s has no order with this number", m.Name)
		}
	}
	if p.Find.Asked > 1 {
		return p.Page.F("问了 %d 家商户，都没有这个订单号", "None of %d merchants has an order with this number", p.Find.Asked)
	}
	return p.Page.T("没有查到这个订单号", "No order with this number was found")
}

func (p HomeProps) nowhereAdvice() []string {
	t := p.Page.T
	if looksLikePayment(p.Find.OutOrderNo) {
		return []string{t("它像是微信支付的交易单号（42 开头，28 位数字）。这里要填商户服务订单号，请在商户系统里用交易单号查出来。",
			"It looks like a WeChat transaction number: 28 digits beginning with 42. What is needed here is the merchant's service order number; the merchant system finds it by the transaction number.")}
	}
	var lines []string
	if p.Find.SubMchID != "" {
		lines = append(lines, t("最常见的是商户选错了，换一家再试，或者选“全部”。", "Most often the merchant is the wrong one. Try another, or all of them."))
	} else {
		lines = append(lines, t("最常见的是这笔订单属于别的商户，不在你的可见范围内。", "Most often the order belongs to another merchant, outside your scope."))
	}
	return append(lines,
		t("对一下订单号，有没有漏掉或多出一位。", "Compare the number: is a digit missing or too many?"),
		t("要填商户服务订单号。微信账单里的交易单号、投诉单号在这里查不到。", "Use the merchant's service order number. Transaction and complaint numbers cannot be found here."))
}

// looksLikePayment tells WeChat's transaction number, which customers read from
// their bill, from an order number.
func looksLikePayment(no string) bool {
	return len(no) == 28 && strings.HasPrefix(no, "42") && strings.Trim(no, "0123456789") == ""
}

// todo is what to do now about a correction that needs somebody.
func (p HomeProps) todo(s correction.Summary) string {
	if s.State == correction.Prepared && !s.ConfirmUntil.IsZero() {
		if p.Page.User != nil && s.AuthorName != p.Page.User.Name {
			return p.Page.F("还没有提交，金额没有变。由%s在 %s 前确认，否则过期。", "Nothing has been sent and the amount is unchanged. %s has to confirm it before %s, or it expires.", s.AuthorName, p.Page.Clock(s.ConfirmUntil))
		}
		return p.Page.F("还没有提交，金额没有变。%s 前核对并确认，否则过期。", "Nothing has been sent and the amount is unchanged. Check and confirm it before %s, or it expires.", p.Page.Clock(s.ConfirmUntil))
	}
	return stateNote(p.Page, s.State)
}

// waits reports whether a correction's result is being checked.
func (p HomeProps) waits() bool {
	for _, s := range p.Attention {
		if s.State == correction.Unknown {
			return true
		}
	}
	return false
}
