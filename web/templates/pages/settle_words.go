package pages

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
	"correction-console/web/templates/layout"
)

// stampMS is a time as scripts read it.
func stampMS(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// liveMode says how the page keeps itself up to date (live.js).
func (p CorrectionProps) liveMode() string {
	switch {
	case p.underWay() || p.C.State == correction.Unknown:
		return "often"
	case p.C.State == correction.NeedsPerson || p.C.State == correction.Awaiting:
		return "seldom"
	case p.waitsToRetry() && p.MayRedo:
		return "at"
	}
	return "done"
}

// undecided reports whether the words for the customer come before everything else.
func (p CorrectionProps) undecided() bool {
	return p.underWay() || p.C.State == correction.Unknown || p.C.State == correction.NeedsPerson || p.C.State == correction.Awaiting
}

func (p CorrectionProps) lives() bool { return p.liveMode() != "done" }

// moments are the times to come at which the page changes by itself.
func (p CorrectionProps) moments() string {
	out := ""
	for _, t := range []time.Time{p.Outlook.Next, p.QuietUntil, p.alarmAt(), p.TryAgainAt} {
		if p.lives() && t.After(p.Page.Now) {
			out += " " + stampMS(t)
		}
	}
	return out
}

// say is how it stands in one line, for a screen reader when it changes.
func (p CorrectionProps) say() string {
	s := p.Page.T("改价", "Correction") + " " + components.Number(p.C.ID) + colon(p.Page) + i18n.StateWord(p.C.State).In(p.Page.Lang) + i18n.Mark(p.Page.Lang, "。", ". ") + p.outcome().Title
	if p.CanRedo && !p.TryAgainAt.IsZero() {
		s += i18n.Mark(p.Page.Lang, "。", ". ") + p.Page.T("现在可以重新改价", "It can be corrected again now")
	}
	if e, ok := p.C.Proposal(); ok {
		s += i18n.Mark(p.Page.Lang, "。", ". ") + i18n.EventTitle(p.Page.Lang, p.C, e)
	}
	return s
}

// waitsToRetry reports whether one may try again later, and not yet.
func (p CorrectionProps) waitsToRetry() bool { return p.Page.Now.Before(p.TryAgainAt) }

// alarmAt is when people are told that there is still no result; zero when there is
// one.
func (p CorrectionProps) alarmAt() time.Time {
	if p.C.State != correction.Unknown {
		return time.Time{}
	}
	return p.C.Entered().At.Add(correction.AlarmAfter)
}

func (p CorrectionProps) alarmed() bool {
	return !p.alarmAt().IsZero() && !p.Page.Now.Before(p.alarmAt())
}

// step is something that the console does, with the time until which to count down
// if it lies ahead.
type step struct {
	text  string
	until time.Time
}

// outlook is what the console does about the correction by itself.
func (p CorrectionProps) outlook() []step {
	switch {
	case p.C.State == correction.Unknown:
		return append(p.looks(), p.verdictAhead())
	case p.C.State.NoEffect():
		out := p.rechecks()
		if at := p.readAt(); !at.IsZero() {
			out = append([]step{{text: p.Page.F("订单读取于 %s。", "The order was read at %s.", p.Page.Stamp(at))}}, out...)
		}
		return out
	}
	return nil
}

// looks is how the newest look went and when the next one is.
func (p CorrectionProps) looks() []step {
	var out []step
	reading, at := p.C.LastReading()
	asked := p.Outlook.Asked
	if asked.IsZero() {
		asked = at
	}
	switch {
	case p.Outlook.Failed != "":
		out = append(out, step{text: p.Page.F("上次自动核对 %s：", "Read by itself at %s: ", p.Page.Clock(asked)) + i18n.CheckFailedText(p.Outlook.Failed).In(p.Page.Lang)})
	case reading != nil && p.C.Last().Detail.Finding != "":
		out = append(out, step{text: p.Page.F("上次核对 %s：", "Read at %s: ", p.Page.Clock(asked)) + i18n.FindingText(p.Page.Lang, p.C.Last().Detail.Finding, *reading)})
	}
	if next := p.Outlook.Next; next.After(p.Page.Now) {
		return append(out, step{p.Page.F("下次自动核对 %s", "Read again by itself at %s", p.Page.Clock(next)), next})
	}
	return append(out, step{text: p.Page.T("系统正在核对，或者马上就核对。", "The console is reading the order, or about to.")})
}

// verdictAhead says from when the correction can be held for not applied.
func (p CorrectionProps) verdictAhead() step {
	gap := p.span(correction.ReadGap(p.Quiet))
	if p.Page.Now.Before(p.QuietUntil) {
		return step{text: p.Page.F("改成了，一读到就能判断。没改成，要到 %s 以后、相隔 %s读两次都没变才能判断。", "If it was applied, one reading tells. If not, it takes two readings %[2]s apart after %[1]s.", p.Page.Clock(p.QuietUntil), gap)}
	}
	return step{text: p.Page.F("要相隔 %s读两次都没变，才能判断“未生效”。", "“Not applied” takes two readings %s apart.", gap)}
}

// rechecks is how a correction that changed nothing is read again.
func (p CorrectionProps) rechecks() []step {
	switch settled := p.C.Settled(); {
	case settled == correction.Superseded:
		return []step{{text: p.Page.T("这笔订单后来又提交过改价，以后来那一笔为准。", "The order was corrected again later; that correction counts.")}}
	case settled == correction.Rechecked && p.settledUnread():
		return []step{{text: p.Page.T("后来复核时订单一直读不到，没能再确认一次。", "It was to be read again later, but the order could not be read.")}}
	case settled == correction.Rechecked:
		return []step{{text: p.Page.T("1 小时后和 24 小时后各复核过一次，确实没有改成。", "Read again after 1 hour and after 24 hours: it changed nothing indeed.")}}
	case p.Outlook.Next.IsZero():
		return nil
	}
	return []step{{text: p.Page.F("为防万一，系统还会自己复核，下次 %s。", "To be safe the console reads the order again, next at %s.", p.Page.Short(p.Outlook.Next))}}
}

// nextSteps is what the history expects.
func (p CorrectionProps) nextSteps() []step {
	next := p.Page.T("下次自动核对", "Read again by itself")
	if p.C.State.Effective() {
		next = p.Page.T("再看客户付款没有", "See whether it is paid")
	}
	steps := []step{{next, p.Outlook.Next}}
	if p.C.State == correction.Unknown {
		steps = append(steps, step{p.Page.T("最早可以判断“未生效”", "“Not applied” can be told from here on"), p.QuietUntil},
			step{p.Page.T("还没有结果，就提醒主管和运维", "Without a result supervisors and operators are told"), p.alarmAt()})
	}
	steps = slices.DeleteFunc(steps, func(s step) bool { return !s.until.After(p.Page.Now) })
	slices.SortFunc(steps, func(a, b step) int { return a.until.Compare(b.until) })
	return steps
}

// follows reports whether the page tells what becomes of the order.
func (p CorrectionProps) follows() bool { return p.C.State.Effective() && !i18n.Lost(p.C) }

// following says how the order of a correction in force is looked after.
func (p CorrectionProps) following() string {
	reading, at := p.C.LastReading()
	days := int(p.FollowFor / (24 * time.Hour))
	watch := p.Page.F("系统会接着自己看，先密后疏，最后每天一次，最多 %d 天。", "The console keeps looking, once a day in the end, for %d days at most.", days)
	switch {
	case reading == nil:
		return watch
	case reading.Paid():
		return p.Page.T("客户已付款，下次核对后记为结清。", "The customer has paid; the next look settles it.")
	case p.target() == 0:
		return p.Page.T("新金额是 0 元，客户不用付款。", "The new amount is 0; the customer owes nothing.")
	}
	return p.Page.F("%s 读到：客户还没有付款。", "Read at %s: not paid yet. ", p.Page.Stamp(at)) + watch
}

// refund is what the customer has paid too much, as far as it is known.
func (p CorrectionProps) refund() correction.Fen {
	reading, _ := p.C.LastReading()
	if reading == nil || !p.C.State.Effective() {
		return 0
	}
	return correction.RefundDue(p.target(), *reading)
}

// rules reports whether supervisors have something to say about the correction.
func (p CorrectionProps) rules() bool { return p.C.State == correction.NeedsPerson || p.C.Due() }

// waitsForRuling says who has to settle a conflict, to somebody who may not.
func (p CorrectionProps) waitsForRuling() string {
	if p.IsAuthor && p.Page.User != nil && p.Page.User.Role == correction.Supervisor {
		return p.Page.T("自己提出的改价不能自己核对，要另外两位主管来。", "Nobody checks their own correction. It takes two other supervisors.")
	}
	return p.Page.T("等主管核对。两位主管意见一致，结论会显示在这里。", "Waiting for supervisors. What two of them agree on shows here.")
}

// rulingNote says what a ruling means.
func (p CorrectionProps) rulingNote(r correction.Ruling) string {
	switch r {
	case correction.RuledApplied:
		return p.Page.F("这次把应收改到了 %s，后来也许又改过。", "It brought the order down to %s; it may have changed since.", p.target())
	case correction.RuledNotApplied:
		return p.Page.T("这次没有改动金额，现在的金额是别处改的。", "It changed nothing; the present amount was set elsewhere.")
	}
	return p.Page.T("两边的记录都对不出来。以订单现在的金额为准。", "Neither record tells. What counts is what the order says now.")
}

func (p CorrectionProps) resolutionProblem() string {
	return wordsProblem(p.Page, p.Resolution.Problem, p.Page.T("写一句话，说明依据", "Write a sentence: what it rests on"))
}

// wordsProblem says why a person's words were not taken; empty is what to write when
// there were none.
func wordsProblem(p layout.Page, problem ResolutionProblem, empty string) string {
	switch problem {
	case ResolutionEmpty:
		return empty
	case ResolutionLong:
		return p.F("最多 %d 个字，请缩短", "At most %d characters; shorten it", correction.MaxText)
	case ResolutionText:
		return p.T("里面有不能用的字符，例如看不见的控制符，请删掉", "It holds characters that cannot be used, such as invisible ones; remove them")
	}
	if at, ok := strings.CutPrefix(string(problem), characterProblem); ok {
		n := correction.Notice{Code: correction.BadCharacter}
		text, count, _ := strings.Cut(at, " ")
		n.Text = text
		n.Count, _ = strconv.Atoi(count)
		return i18n.ProblemText(p.Lang, n)
	}
	return ""
}

const characterProblem = "character "

// ResolutionCharacter is the problem of words with a character that cannot be used: which,
// and where.
func ResolutionCharacter(n correction.Notice) ResolutionProblem {
	return ResolutionProblem(characterProblem + n.Text + " " + strconv.Itoa(n.Count))
}

func (p CorrectionProps) noRuling() string { return p.Page.T("选一个结论", "Choose a finding") }

// resolutionProblems are the items of the summary above the form whose text field has
// this id.
func (p CorrectionProps) resolutionProblems(field string) []components.SummaryItem {
	var out []components.SummaryItem
	if p.Resolution.NoRuling {
		out = append(out, components.SummaryItem{Href: "#ruling-0", Text: p.noRuling()})
	}
	if text := p.resolutionProblem(); text != "" {
		out = append(out, components.SummaryItem{Href: "#" + field, Text: text})
	}
	return out
}

func (p CorrectionProps) typedText(mine bool) string {
	if mine {
		return p.Resolution.Text
	}
	return ""
}

// handling says what a supervisor does on the page.
func (p CorrectionProps) handling() string {
	if p.refund() > 0 {
		return p.Page.T("在商户系统退了款、告诉了客户以后，写一句记下来。", "Once it is refunded in the merchant system and the customer knows, put it on record here.")
	}
	return p.Page.T("核对清楚、告诉了客户以后，写一句记下来。", "Once it is clear and the customer knows, put it on record here.")
}

func (p CorrectionProps) handledHelp() string {
	if refund := p.refund(); refund > 0 {
		return p.Page.F("例如：已在商户系统退 %s，并告诉了客户。", "Such as: refunded %s in the merchant system and told the customer.", refund)
	}
	return p.Page.T("例如：已核对商户系统，并告诉了客户现在的金额。", "Such as: compared with the merchant system, and told the customer the present amount.")
}

// orderAmountText is what an order amounts to, or that it is paid.
func orderAmountText(p layout.Page, o correction.Order) string {
	if o.Paid() {
		return p.F("已付款 %s", "paid %s", o.Collection.Paid)
	}
	if !o.HasTotal {
		return "—"
	}
	return o.Total.String()
}

// proofName is what a proof is called as a file.
func proofName(id int64) string { return "correction-" + strconv.FormatInt(id, 10) + "-proof.json" }

// verifyCommand checks a proof, in two lines that fit the column.
func verifyCommand(id int64) string {
	return "console verify --key KEY \\\n  --proof " + proofName(id)
}

// settledUnread reports whether the looking after ended because the order could not be
// read any more.
func (p CorrectionProps) settledUnread() bool {
	for _, e := range slices.Backward(p.C.Events) {
		if e.Detail.Settled != "" {
			return e.Detail.Cause == correction.CauseUnread
		}
	}
	return false
}
