package pages

import (
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
	"correction-console/web/templates/layout"
)

// ApprovalsProps is the queue of what waits for a second person, with one case open.
type ApprovalsProps struct {
	Page  layout.Page
	Queue correction.Approvals
	Tiers []correction.Tier
	Case  *correction.Case // nil: nothing waits

	Request                correction.Request // read from the stored bytes
	Hash                   string             // of these bytes, in hex
	LineDiff, DiscountDiff []correction.Change
	NoAmounts              bool
	Lowered                int // reduction in thousandths of the base
	Form                   DecisionForm
	CanCheck               bool   // the order may be read now
	CheckFailed            string // code of the error of the last "check now", empty if none
}

// DecisionForm is a decision as typed.
type DecisionForm struct {
	Text, TypedTotal string
	Problem          ResolutionProblem // with Text
	BadTotal         bool              // the typed total is not the one that was asked for
	Moved            bool              // it was not taken: somebody was faster
	Decided          *correction.Holder
	Refused          string // code of the error: the person may not, as it turned out
}

// asRecord is the case as the correction's page knows it, for the parts that both have.
func (p ApprovalsProps) asRecord() CorrectionProps {
	return CorrectionProps{Page: p.Page, CorrectionView: correction.CorrectionView{
		C: p.Case.Correction, Request: p.Request, LineDiff: p.LineDiff, DiscountDiff: p.DiscountDiff,
		NoAmounts: p.NoAmounts, Lowered: p.Lowered, CanReadOrder: true, SeesInternals: true,
	}}
}

// decides reports whether the person may decide about the open case.
func (p ApprovalsProps) decides() bool { return p.Case.Judgement.May && p.waits() }

func (p ApprovalsProps) waits() bool { return p.Case.Correction.State == correction.Awaiting }

// blind reports whether the new total is kept from who looks.
func (p ApprovalsProps) blind() bool { return p.Case.Correction.Veiled() }

// types reports whether the person types the new total to approve it.
func (p ApprovalsProps) types() bool { return p.Case.Judgement.Blind && p.Case.Judgement.Approve }

func (p ApprovalsProps) head() string {
	n := len(p.Queue.Waiting)
	if n == 0 {
		return p.Page.T("没有待审批的改价", "Nothing waits for approval")
	}
	oldest := p.Queue.Waiting[0].ChangedAt
	if p.fresh(oldest) {
		return p.Page.F("%d 笔待审批，刚提交", "%d waiting, just submitted", n)
	}
	return p.Page.F("%d 笔待审批，最早的等了 %s", "%d waiting, the oldest for %s", n, p.waited(oldest))
}

// fresh reports whether something was submitted less than a minute ago.
func (p ApprovalsProps) fresh(since time.Time) bool { return p.Page.Now.Sub(since) < time.Minute }

// since says when something was submitted, and how long it has waited.
func (p ApprovalsProps) since(at time.Time) string {
	clock := p.Page.Clock(at)[:5]
	if p.fresh(at) {
		return p.Page.F("%s 刚提交", "submitted %s, just now", clock)
	}
	return p.Page.F("%s 提交，已等 %s", "submitted %s, %s ago", clock, p.waited(at))
}

// waited is how long something has waited, in words.
func (p ApprovalsProps) waited(since time.Time) string {
	d := max(0, p.Page.Now.Sub(since))
	switch {
	case d < time.Minute:
		return p.Page.T("不到 1 分钟", "less than a minute")
	case d < time.Hour:
		return p.Page.F("%d 分钟", "%d min", int(d/time.Minute))
	}
	return p.Page.F("%d 小时 %d 分钟", "%d h %d min", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

// tierText names the tier of a reduction by the amount from which it counts.
func (p ApprovalsProps) tierText(r correction.Fen) string {
	if len(p.Tiers) < 2 {
		return ""
	}
	t, _ := correction.TierOf(p.Tiers, r)
	if t.From == 0 {
		return p.Page.F("%s 以下", "below %s", p.Tiers[1].From)
	}
	return p.Page.F("%s 起", "from %s", t.From)
}

func (p ApprovalsProps) applicant() string {
	c := p.Case
	s := p.Page.F("%s，30 天改了 %d 笔", "%s, %d in 30 days", c.Correction.AuthorName, c.Confirmed)
	if c.Wrong > 0 {
		s += p.Page.F("，复核有误 %d 笔", ", %d found wrong", c.Wrong)
	}
	return s
}

// author says how the agent's account stands now, when that is not as it should be.
func (p ApprovalsProps) author() string {
	a := p.Case.Author
	switch {
	case a.Disabled:
		return p.Page.T("账号已停用", "The account is disabled")
	case !(correction.Actor{Role: a.Role}).Can(correction.Correct):
		return p.Page.F("现在的角色是%s，不能改价", "Now %s, without the right to correct", i18n.RoleWord(a.Role).In(p.Page.Lang))
	case !a.Scope.Allows(p.Case.Correction.Ref.SubMchID):
		return p.Page.T("已不再负责这家商户", "No longer responsible for this merchant")
	}
	return ""
}

// gone reports whether the agent may no longer correct the order, so that there is nobody
// to return it to.
func (p ApprovalsProps) gone() bool { return p.author() != "" }

// whyLabel is the label of the field for the reason.
func (p ApprovalsProps) whyLabel() string {
	if p.gone() {
		return p.Page.T("不批准时：理由", "To decline: why")
	}
	return p.Page.T("退回或不批准时：理由", "To return or decline: why")
}

// decisionNote says what comes of a decision.
func (p ApprovalsProps) decisionNote() string {
	text := p.Page.T("决定和理由写入记录，申请人马上看到。", "The decision and its reason go on record; the agent sees them at once.")
	if p.gone() {
		text = p.Page.T("决定和理由写入记录。", "The decision and its reason go on record.")
	}
	if p.mayApprove() {
		text = p.Page.T("批准后立即发给微信，不能再调高，也不能撤销。", "Approved, it is sent to WeChat at once and cannot be raised again or undone.") + i18n.Mark(p.Page.Lang, "", " ") + text
	}
	return text
}

// forbidden says what no longer permits the correction; empty when nothing does.
func (p ApprovalsProps) forbidden() string {
	if !p.waits() {
		return ""
	}
	return i18n.BreachTexts(p.Page.Lang, p.Case.Judgement.Breach)
}

// mayApprove reports whether approving is offered.
func (p ApprovalsProps) mayApprove() bool { return p.Case.Judgement.Approve && p.forbidden() == "" }

// lowered says by how much the order was lowered before, where that decides about limits
// and tiers; empty when it was not.
func (p ApprovalsProps) lowered() string {
	c, f := p.Case.Correction, p.Case.Judgement.Firsts
	before := max(0, f.Anyone-c.Base.Total)
	if before == 0 {
		return ""
	}
	if p.blind() {
		return p.Page.F("这笔订单之前已少收 %s，分档从第一次改价前的 %s 算起", "The order was lowered by %s before; tiers count from %s, before its first correction", before, f.Anyone)
	}
	s := p.Page.F("这笔订单之前已少收 %s，连这次一共 %s，分档按一共的算", "The order was lowered by %s before, %s with this one; tiers go by the sum", before, correction.GivenUp(f.Anyone, c.Base.Total, c.Target))
	if own := max(0, f.Approver-c.Base.Total); own > 0 {
		s += p.Page.F("；从你第一次经手起是 %s，你的上限按这个算", "; %s since the first one that you made or approved, which counts for your limit", correction.GivenUp(f.Approver, c.Base.Total, c.Target))
	}
	return s
}

// why says why the correction waits.
func (p ApprovalsProps) why() string { return i18n.OverTexts(p.Page.Lang, p.Case.Correction.Over()) }

func (p ApprovalsProps) submitted() time.Time {
	e, _ := p.Case.Correction.Find(correction.Awaiting)
	return e.At
}

// sinceRow is one line of what changed since.
type sinceRow struct {
	label, then, now string
	same             bool
	plain            bool // nothing to compare
}

// sinceRows compare the order and its author with how they were when it was submitted.
func (p ApprovalsProps) sinceRows() []sinceRow {
	c, since := p.Case.Correction, p.Case.Since
	reading := since.Now
	if reading == nil {
		reading, _ = c.LastReading()
	}
	count := func(o correction.Order) string {
		lines := p.Page.F("%d 行", "%d lines", len(o.Lines))
		if len(o.Lines) == 1 {
			lines = p.Page.T("1 行", "1 line")
		}
		switch len(o.Discounts) {
		case 0:
			return lines + p.Page.T("，无优惠", ", no discounts")
		case 1:
			return lines + p.Page.T("，1 项优惠", ", 1 discount")
		}
		return lines + p.Page.F("，%d 项优惠", ", %d discounts", len(o.Discounts))
	}
	var rows []sinceRow
	if reading != nil {
		rows = append(rows,
			sinceRow{label: p.Page.T("当前总额", "Total"), then: c.Base.Total.String(), now: orderAmountText(p.Page, *reading), same: reading.HasTotal && reading.Total == c.Base.Total},
			sinceRow{label: p.Page.T("收款状态", "Collection"), then: p.collection(c.Base), now: p.collection(*reading), same: i18n.StateCodes(c.Base) == i18n.StateCodes(*reading)},
			sinceRow{label: p.Page.T("明细和优惠的数目", "Number of lines and discounts"), then: count(c.Base), now: count(*reading),
				same: len(c.Base.Lines) == len(reading.Lines) && len(c.Base.Discounts) == len(reading.Discounts)})
		if !correction.SameLines(c.Base.Lines, reading.Lines) || !correction.SameLines(c.Base.Discounts, reading.Discounts) {
			rows = append(rows, sinceRow{label: p.Page.T("明细和优惠的内容", "Contents of lines and discounts"), then: "—", now: p.Page.T("内容或金额有变", "contents or amounts differ")})
		}
	}
	rows = append(rows, sinceRow{
		label: p.Page.T("申请人今天自己少收的", "Given up by the agent today"),
		then:  p.spent(since.Then), now: p.spent(since.Today), same: since.Then == since.Today,
	})
	if d := p.Case.AgainDays; d > 0 {
		if p.Request.Device.Start != "" || p.Request.Device.End != "" {
			rows = append(rows, sinceRow{label: p.Page.F("同一设备 %d 天内另有改价", "Same device within %d days", d), then: "—", now: p.times(p.Case.Again.SameDevice), plain: true, same: p.Case.Again.SameDevice == 0})
		}
		rows = append(rows, sinceRow{label: p.Page.F("同一订单 %d 天内另有改价", "Same order within %d days", d), then: "—", now: p.times(p.Case.Again.SameOrder), plain: true, same: p.Case.Again.SameOrder == 0})
	}
	return rows
}

// collection says how far the order is with being paid.
func (p ApprovalsProps) collection(o correction.Order) string {
	switch {
	case o.Paid():
		return p.Page.T("客户已付款", "paid")
	case o.Completed():
		return p.Page.T("待客户支付", "unpaid")
	}
	return i18n.StateCodes(o)
}

func (p ApprovalsProps) spent(s correction.Spent) string {
	return p.Page.F("%s（%d 笔）", "%s (%d)", s.Sum, s.Count)
}

func (p ApprovalsProps) times(n int) string { return p.Page.F("%d 笔", "%d", n) }

// unmoved reports whether the order was read since, is as it was, and no later reading
// failed.
func (p ApprovalsProps) unmoved() bool {
	return p.Case.Since.Now != nil && p.Case.Since.Unreadable == ""
}

// readText says how old what is known of the order is. It is read again before anything
// is sent.
func (p ApprovalsProps) readText() string {
	since := p.Case.Since
	switch {
	case since.Unreadable != "":
		return p.Page.F("%s 没有读到订单，看到的是之前的样子。批准时会再读一次，变了就不会发送。", "At %s the order could not be read; this is how it was before. It is read again before anything is sent, and nothing is sent if it changed.", p.Page.Clock(since.AskedAt))
	case since.Now == nil:
		return p.Page.T("提交以后还没有再读过订单，系统每几分钟读一次。批准时会再读，变了就不会发送。", "The order has not been read since it was submitted; that happens every few minutes. It is read again before anything is sent, and nothing is sent if it changed.")
	}
	return p.Page.F("%s 读到的订单没有变化（%s前）。批准时会再读一次。", "Read at %s, %s ago: the order is as it was. It is read again before anything is sent.", p.Page.Clock(since.ReadAt), p.waited(since.ReadAt))
}

// ownLimit is what the person may approve.
func (p ApprovalsProps) ownLimit() string {
	l := p.Case.Judgement.Limit
	texts := i18n.LimitTexts(p.Page.Lang, correction.Limit{Per: l.Per, PerPermille: l.PerPermille})
	if len(texts) == 0 {
		return ""
	}
	out := texts[0]
	for _, t := range texts[1:] {
		out += i18n.Mark(p.Page.Lang, "，", ", ") + t
	}
	return p.Page.T("你的上限：", "Your limit: ") + out
}

// refused says why the person may not decide as they wanted.
func (p ApprovalsProps) refused() string {
	j := p.Case.Judgement
	j.Why = p.Form.Refused
	return i18n.JudgeText(p.Page.Lang, j)
}

func (p ApprovalsProps) textProblem() string {
	if p.gone() {
		return wordsProblem(p.Page, p.Form.Problem, p.Page.T("写一句理由，要留在记录里", "Say why: it stays on record"))
	}
	return wordsProblem(p.Page, p.Form.Problem, p.Page.T("写一句理由，申请人要看到", "Say why: the agent reads it"))
}

func (p ApprovalsProps) totalProblem() string {
	left := correction.MaxTries - p.Case.Judgement.Wrong
	switch {
	case left <= 0:
		return p.Page.T("和申请的金额不一致，没有批准", "That is not the total asked for, so nothing is approved")
	case left == 1:
		return p.Page.T("和申请的金额不一致，没有批准。只剩 1 次：再不一致，这一笔就由别的主管决定", "That is not the total asked for, so nothing is approved. One try is left; after that another supervisor decides")
	}
	return p.Page.F("和申请的金额不一致，没有批准，还能输入 %d 次。核对明细再输入；不同意就退回", "That is not the total asked for, so nothing is approved; %d tries are left. Check the lines and enter it again, or return it if you disagree", left)
}

func (p ApprovalsProps) problems() []components.SummaryItem {
	switch {
	case p.Form.BadTotal && !p.decides():
		return []components.SummaryItem{{Text: p.totalProblem()}}
	case p.Form.BadTotal:
		return []components.SummaryItem{{Href: "#typed_total", Text: p.totalProblem()}}
	case p.Form.Problem != "":
		return []components.SummaryItem{{Href: "#text", Text: p.textProblem()}}
	}
	return nil
}

// lapsedText says why an approval lapsed.
func (p ApprovalsProps) lapsedText(s correction.Summary) string {
	switch s.State {
	case correction.Expiry:
		return p.Page.F("%s 过了 24 小时", "after 24 hours, at %s", p.Page.Clock(s.ChangedAt))
	case correction.Void:
		return p.Page.F("%s 起规则或权限不允许", "no longer permitted, since %s", p.Page.Clock(s.ChangedAt))
	}
	return p.Page.F("%s 发现订单变了", "the order changed, seen at %s", p.Page.Clock(s.ChangedAt))
}
