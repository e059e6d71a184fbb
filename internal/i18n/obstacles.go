package i18n

import "correction-console/internal/correction"

// ObstacleFacts is what is known about an order that cannot be corrected. Zero
// fields are not known, and nothing is said about them.
type ObstacleFacts struct {
	Paid  correction.Fen // what the customer paid
	When  string         // with Paid: when; with Charging: from when one may try again
	Total correction.Fen // what the order amounts to now, with AlreadyLower
	State string         // WeChat's words for the state, with Unrecognised

	Beyond correction.Fen // with BeyondBound: the amount that is out of bounds
}

// ObstacleWords says why an order cannot be corrected, what to do instead, and
// what to say to the customer.
type ObstacleWords struct {
	Title    string
	Sentence string
	NextHead string // heading of the steps
	Next     []string
	Say      string
}

var obstacleWords = map[correction.Obstacle]func(Lang, ObstacleFacts) ObstacleWords{
	correction.Paid:         paidWords,
	correction.Charging:     chargingWords,
	correction.AlreadyLower: lowerWords,
	correction.Unrecognised: unrecognisedWords,
	correction.NotStarted: func(l Lang, _ ObstacleFacts) ObstacleWords {
		return ObstacleWords{
			Title: l.T("客户还没有确认这笔订单，服务没有开始", "The customer has not confirmed this order: the service has not begun"),
			Sentence: l.T("订单只是创建了，没有产生费用，所以没有可改的金额。30 天内没有确认的订单，微信会自己关掉。",
				"The order was only created. Nothing has been charged, so there is no amount to correct. WeChat closes an order that is not confirmed within 30 days."),
			NextHead: l.T("下一步：核对是不是这一笔", "Next: check whether this is the order"),
			Next: []string{
				l.T("不用改价。", "There is nothing to correct."),
				l.T("客户说已经用过或者已经扣款，多半是另一笔订单，请他核对订单号。", "If the customer used the service or was charged, it is most likely another order: ask for its number."),
			},
			Say: l.T("您这笔订单还没有确认，没有产生费用。您说的可能是另一笔，麻烦再核对一下订单号。",
				"This order has not been confirmed, and nothing was charged. You may mean another one: could you check the order number?"),
		}
	},
	correction.BeyondBound: beyondWords,
	correction.NotCompleted: func(l Lang, _ ObstacleFacts) ObstacleWords {
		return ObstacleWords{
			Title: l.T("服务还没结束，没有可改的金额", "The service is still running: there is no amount to correct"),
			Sentence: l.T("商户还没有完结这笔订单，金额没有定下来。请等商户完结订单。",
				"The merchant has not completed this order, so its amount is not set. Wait until it is completed."),
			NextHead: l.T("下一步：等完结", "Next: wait for completion"),
			Next: []string{
				l.T("请商户完结订单。完结时填对金额，就不用再改价。", "Ask the merchant to complete the order. With the right amount from the start, no correction is needed."),
				l.T("完结以后回到这里，点“重新读取”。", "Come back afterwards and choose “Read again”."),
			},
			Say: l.T("您这笔订单还没有结束，金额还没算出来。结束以后金额有问题，我再帮您改。",
				"Your order has not ended yet, so there is no final amount. If it turns out wrong, I will correct it for you."),
		}
	},
	correction.Cancelled: func(l Lang, _ ObstacleFacts) ObstacleWords {
		return ObstacleWords{
			Title:    l.T("订单已取消，客户不用付款", "The order is cancelled. The customer owes nothing"),
			Sentence: l.T("取消的订单没有应收金额，也不能恢复。", "A cancelled order has no amount to pay and cannot be restored."),
			NextHead: l.T("下一步", "Next"),
			Next: []string{
				l.T("不用改价。", "There is nothing to correct."),
				l.T("客户说仍被扣了款：请他提供微信账单里的支付单号，按那一笔查。", "If the customer was charged all the same, ask for the transaction number in the WeChat bill and look into that payment."),
			},
			Say: l.T("您这笔订单已经取消，不用付款。", "Your order is cancelled. You do not have to pay."),
		}
	},
	correction.Expired: func(l Lang, _ ObstacleFacts) ObstacleWords {
		return ObstacleWords{
			Title:    l.T("订单已失效，没有可改的金额", "The order has expired: there is no amount to correct"),
			Sentence: l.T("订单创建后一直没有开始服务，微信已经把它关掉。", "The service never began, and WeChat has closed the order."),
			NextHead: l.T("下一步", "Next"),
			Next: []string{
				l.T("不用改价。", "There is nothing to correct."),
				l.T("确实提供过服务的，请商户核对是不是另有一笔订单。", "If there was a service, ask the merchant whether it belongs to another order."),
			},
			Say: l.T("您这笔订单已经失效，没有产生费用。", "Your order has expired without any charge."),
		}
	},
	correction.Deposit: func(l Lang, _ ObstacleFacts) ObstacleWords {
		return ObstacleWords{
			Title: l.T("押金订单，微信不允许改金额", "A deposit order: WeChat does not allow its amount to be changed"),
			Sentence: l.T("客户交了押金，微信不允许改这类订单的金额。请在商户系统处理。",
				"This order has a deposit. WeChat does not allow its amount to be changed; use the merchant system."),
			NextHead: l.T("下一步：到商户系统处理", "Next: use the merchant system"),
			Next: []string{
				l.T("把订单号和应付金额交给商户系统的同事处理。", "Give the order number and the right amount to whoever works in the merchant system."),
				l.T("客户付款以后多收的部分，按微信支付单号退差价。", "Once the customer has paid, refund the difference by the WeChat transaction number."),
			},
			Say: l.T("您这笔订单交过押金，金额要在商户系统里处理。我现在为您登记，处理好给您回电。",
				"Your order has a deposit, so the amount is settled in the merchant's system. I am registering it and will call you back."),
		}
	},
	correction.ZeroOrder: func(l Lang, _ ObstacleFacts) ObstacleWords {
		return ObstacleWords{
			Title:    l.T("订单金额是 0 元，不用改价", "The order amounts to 0: there is nothing to lower"),
			Sentence: l.T("金额只能调低，0 元已经是最低。客户不用付款。", "The amount can only be lowered, and it is 0 already. The customer owes nothing."),
			NextHead: l.T("下一步", "Next"),
			Next: []string{
				l.T("核对订单号。客户说的可能是另一笔订单。", "Check the order number. The customer may mean another order."),
			},
			Say: l.T("您这笔订单是 0 元，不用付款。", "Your order amounts to 0. You do not have to pay."),
		}
	},
}

// Obstacle returns the words for an obstacle; those of Unrecognised for one that
// has none.
func Obstacle(l Lang, o correction.Obstacle, f ObstacleFacts) ObstacleWords {
	words, ok := obstacleWords[o]
	if !ok {
		words = unrecognisedWords
	}
	return words(l, f)
}

// RefundSteps is how the difference of a paid order is given back
// (domain.md §1.4).
func RefundSteps(l Lang, paid correction.Fen) []string {
	difference := l.T("核定客户应付多少，差价 = 已付金额 − 应付金额。", "Work out what the customer owes. Difference = amount paid − amount owed.")
	if paid > 0 {
		difference = l.F("核定客户应付多少，差价 = %s − 应付金额。", "Work out what the customer owes. Difference = %s − amount owed.", paid)
	}
	return append([]string{difference}, refundWay(l)...)
}

// RefundStepsOf is how a certain amount is given back.
func RefundStepsOf(l Lang, refund correction.Fen) []string {
	return append([]string{l.F("要退 %s。退之前先看有没有人退过。", "Refund %s. Before that, see whether somebody has done so already.", refund)}, refundWay(l)...)
}

func refundWay(l Lang) []string {
	return []string{
		l.T("到商户系统按微信支付单号退款。不要用订单号退，会提示订单不存在。", "Refund it in the merchant system by the WeChat transaction number. By the order number it will not be found."),
		l.T("付款后 365 天内可退，原路退回。", "Refunds are possible for 365 days and go back the way the money came."),
	}
}

// RefundSay tells a customer who has paid that the difference is being refunded.
func RefundSay(l Lang) string {
	return l.T("您这笔订单已经付款成功，我现在为您登记退差价。核对后会原路退回您的微信，到账时间以微信通知为准。",
		"Your payment went through. I am registering a refund of the difference; once checked it goes back to your WeChat. WeChat will tell you when it arrives.")
}

func paidWords(l Lang, f ObstacleFacts) ObstacleWords {
	sentence := l.T("改价只用于还没付款的订单，多收的部分要退款。", "Only unpaid orders can be corrected; refund the difference.")
	switch {
	case f.Paid > 0 && f.When != "":
		sentence = l.F("客户于 %s 支付了 %s。", "The customer paid %[2]s on %[1]s. ", f.When, f.Paid) + sentence
	case f.Paid > 0:
		sentence = l.F("客户支付了 %s。", "The customer paid %s. ", f.Paid) + sentence
	}
	return ObstacleWords{
		Title:    l.T("客户已经付款，不能再改价", "The customer has paid. The amount can no longer be corrected"),
		Sentence: sentence,
		NextHead: l.T("下一步：退回差价", "Next: refund the difference"),
		Next:     RefundSteps(l, f.Paid),
		Say:      RefundSay(l),
	}
}

func chargingWords(l Lang, f ObstacleFacts) ObstacleWords {
	sentence := l.T("微信正在扣款，过 3 分钟可以再改一次。", "WeChat is charging the customer. You can try again in 3 minutes.")
	wait := l.T("等 3 分钟，再点“重新读取”。", "Wait 3 minutes, then choose “Read again”.")
	if f.When != "" {
		sentence = l.F("微信正在扣款，%s 以后可以再改一次。", "WeChat is charging the customer. You can try again after %s.", f.When)
		wait = l.F("等到 %s，再点“重新读取”。", "Wait until %s, then choose “Read again”.", f.When)
	}
	return ObstacleWords{
		Title:    l.T("微信正在扣款，稍后可以再改", "WeChat is charging the customer; try later"),
		Sentence: sentence + l.T("上次提交微信没有接受，没有改动金额。", " It did not accept the last correction, which changed nothing."),
		NextHead: l.T("下一步：等 3 分钟", "Next: wait 3 minutes"),
		Next: []string{
			wait,
			l.T("那时还没付款，就可以改价；已经付款，就按退差价处理。", "If it is still unpaid then, correct it. If it is paid, refund the difference."),
		},
		Say: ChargingSay(l),
	}
}

// ChargingSay tells a customer who is being charged to wait for a call.
func ChargingSay(l Lang) string {
	return l.T("微信正在处理您这笔订单的扣款，这几分钟暂时改不了。我过几分钟再处理，有结果马上给您回电。",
		"WeChat is processing the payment of your order, so it cannot be changed for a few minutes. I will see to it then and call you back.")
}

func lowerWords(l Lang, f ObstacleFacts) ObstacleWords {
	w := ObstacleWords{
		Title:    l.T("订单金额已经不高于想改的金额", "The order is already at or below the intended amount"),
		Sentence: l.T("金额只能调低，不用再改。", "The amount can only be lowered; nothing has to be done."),
		NextHead: l.T("下一步", "Next"),
		Next: []string{
			l.T("看下面“这笔订单的改价”，确认是谁改的。", "See below who corrected this order."),
			l.T("还要更低，就重新改一次。", "If it must be lower still, start another correction."),
		},
		Say: l.T("您这笔订单的金额我再核对一下，马上给您答复。", "Let me check the amount of your order once more; I will tell you in a moment."),
	}
	if f.Total > 0 {
		w.Sentence = l.F("现在应收 %s。", "It amounts to %s now. ", f.Total) + w.Sentence
		w.Say = l.F("您这笔订单现在应付 %s。", "Your order now amounts to %s.", Spoken(l, f.Total))
	}
	return w
}

// FactsOf is what an order as it was read says about its obstacle.
func FactsOf(o correction.Order) ObstacleFacts {
	f := ObstacleFacts{Paid: o.Collection.Paid, Total: o.Total, State: StateCodes(o)}
	f.Beyond, _ = o.Beyond()
	return f
}

func beyondWords(l Lang, f ObstacleFacts) ObstacleWords {
	w := ObstacleWords{
		Title:    l.T("金额超出范围，这里不能改", "An amount out of bounds: it cannot be corrected here"),
		Sentence: BeyondText(l, ""),
		NextHead: l.T("下一步：核对这笔订单", "Next: check this order"),
		Next: []string{
			l.T("核对订单号，多半是商户完结订单时多填了几位。", "Check the number. Most likely the merchant completed the order with too many digits."),
			l.T("请商户在商户系统里处理；把订单号和这个金额也告诉运维。", "Have the merchant settle it in the merchant system, and tell the operator the number and the amount."),
		},
		Say: l.T("您这笔订单的金额明显不对，我请商户核对，有结果给您回电。请先不要付款。", "The amount of your order is plainly wrong. I am asking the merchant to check it and will call you back. Please do not pay yet."),
	}
	if f.Beyond != 0 {
		w.Sentence = BeyondText(l, f.Beyond.String())
	}
	return w
}

// BeyondText names an amount that WeChat reported and that is out of bounds; amount is
// empty when it is not known.
func BeyondText(l Lang, amount string) string {
	if amount == "" {
		return l.F("微信给的金额里有一个超出了范围。改价台只处理 0 到 %s 的金额。", "One of the amounts that WeChat reports is out of bounds. The console handles amounts from 0 to %s.", correction.MaxAmount)
	}
	return l.F("微信给的金额里有 %s，超出了范围。改价台只处理 0 到 %s 的金额。", "WeChat reports %s, which is out of bounds. The console handles amounts from 0 to %s.", amount, correction.MaxAmount)
}

func unrecognisedWords(l Lang, f ObstacleFacts) ObstacleWords {
	w := ObstacleWords{
		Title:    l.T("不认识这笔订单的状态，先不要改", "The state of this order is not known here; do not correct it"),
		Sentence: l.T("为了不改错，这里先不开放改价。", "To be safe it cannot be corrected here."),
		NextHead: l.T("下一步：找运维", "Next: ask the operator"),
		Next: []string{
			l.T("把订单号和下面“依据”里的状态发给运维。", "Send the order number and the states under “Evidence” to the operator."),
			l.T("客户着急，就先到商户系统看这笔订单。", "If it is urgent, look the order up in the merchant system."),
		},
		Say: l.T("您这笔订单需要同事再核对一下，有结果我给您回电。", "A colleague has to look at your order. I will call you back."),
	}
	if f.State != "" {
		w.Sentence = l.F("微信给的状态是 %s，文档里没有这一种。", "WeChat reports %s, which its documents do not name. ", f.State) + w.Sentence
	}
	return w
}
