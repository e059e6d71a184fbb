package pages

import (
	"net/url"
	"strconv"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
)

// DayURL is the page of a day, named 2026-11-23.
func DayURL(day string) string { return ReviewURL + "/days/" + url.PathEscape(day) }

// DayProps is the page of a day.
type DayProps struct {
	Page       layout.Page
	Day        dayclose.Day
	Days       []dayclose.Day
	Prev, Next string // names of the days beside it; Next is empty for today
	Checkpoint correction.Checkpoint
	CanReview  bool
	Form       DayForm
}

// DayForm is what was typed to close or reopen a day.
type DayForm struct {
	Action  dayclose.DayAction
	Text    string
	Problem DayProblem
	By      *correction.Holder
}

// DayProblem is why a day was not closed or reopened.
type DayProblem string

// Problems of closing a day.
const (
	DayText  DayProblem = "text"  // words are missing, or not taken
	DayOpen  DayProblem = "open"  // something is open
	DayMoved DayProblem = "moved" // somebody was faster
	DayAhead DayProblem = "ahead"
)

func dayLabel(d dayclose.Day) string { return d.Name[len("2026-"):] }

// dayLog is the change log of a day with one more filter.
func dayLog(day, name, value string) string {
	v := url.Values{"from": {day}, "to": {day}}
	if name != "" {
		v.Set(name, value)
	}
	return "/corrections?" + v.Encode()
}

// dayFigure is one line of a day's figures.
type dayFigure struct {
	label string
	n     int
	sum   string
	href  string
}

func (p DayProps) figures() []dayFigure {
	c, day := p.Day.Counts, p.Day.Name
	states := func(s correction.State) dayFigure {
		return dayFigure{i18n.StateWord(s).In(p.Page.Lang), c.States[s], "", dayLog(day, "state", string(s))}
	}
	out := []dayFigure{
		{p.Page.T("提出的改价", "Proposed"), c.All, "", dayLog(day, "", "")},
		{p.Page.T("已生效，少收", "In force, given up"), c.Effective, c.Reduction.String(), dayLog(day, "state", string(changelog.AnyEffective))},
		{p.Page.T("其中改到 0 元", "of these to zero"), c.Zeroed, c.ZeroedSum.String(), dayLog(day, "share_min", "100") + "&state=" + string(changelog.AnyEffective)},
		{p.Page.T("要退差价", "Refunds due"), c.Refunds, c.RefundSum.String(), ""},
	}
	for _, s := range []correction.State{
		correction.Declined, correction.Returned, correction.Rejected, correction.NotSent, correction.NotApplied, correction.Stale, correction.Expiry, correction.Withdrawn, correction.Void, correction.Resolved,
	} {
		if f := states(s); f.n > 0 || s == correction.Declined || s == correction.NotApplied {
			out = append(out, f)
		}
	}
	return out
}

func (p DayProps) reviewFigures() []dayFigure {
	c, day := p.Day.Counts, p.Day.Name
	var out []dayFigure
	for _, m := range correction.ReviewMarks {
		out = append(out, dayFigure{i18n.ReviewWord(string(m)).In(p.Page.Lang), c.Reviews[m], "", dayLog(day, "review", string(m))})
	}
	return append(out, dayFigure{p.Page.T("未复核", "Not reviewed"), c.Unreviewed, "", dayLog(day, "review", correction.ReviewNone)},
		dayFigure{p.Page.T("有标记或抽中", "Flagged or drawn"), c.Flagged, "", ""})
}

// openText says how much of something keeps a day open.
func openText(p layout.Page, o dayclose.DayOpen, n int) string {
	switch o {
	case dayclose.OpenConfirm:
		return p.F("%d 笔待确认", "%d to confirm", n)
	case dayclose.OpenApproval:
		return p.F("%d 笔待审批", "%d waiting for approval", n)
	case dayclose.OpenSending:
		return p.F("%d 笔提交中", "%d being sent", n)
	case dayclose.OpenUnknown:
		return p.F("%d 笔结果确认中", "%d being checked", n)
	case dayclose.OpenConflict:
		return p.F("%d 笔需人工核对", "%d in need of a person", n)
	case dayclose.OpenDue:
		return p.F("%d 笔需处理", "%d to see to", n)
	case dayclose.OpenFlagged:
		return p.F("还有 %d 笔待复核", "%d still to review", n)
	case dayclose.OpenQueried:
		return p.F("还有 %d 笔在问客服", "%d with a question", n)
	}
	return strconv.Itoa(n)
}

// openURL is the list of what keeps a day open; empty when there is none of its own.
func openURL(day string, o dayclose.DayOpen) string {
	switch o {
	case dayclose.OpenConfirm:
		return dayLog(day, "state", string(correction.Prepared))
	case dayclose.OpenApproval:
		return dayLog(day, "state", string(correction.Awaiting))
	case dayclose.OpenSending:
		return dayLog(day, "state", string(correction.Sending))
	case dayclose.OpenUnknown:
		return dayLog(day, "state", string(correction.Unknown))
	case dayclose.OpenConflict:
		return dayLog(day, "state", string(correction.NeedsPerson))
	case dayclose.OpenFlagged:
		return ReviewTabURL(correction.TabOpen, day, 0)
	case dayclose.OpenQueried:
		return ReviewTabURL(correction.TabQueried, day, 0)
	}
	return "/"
}

// shortRoot is how a checkpoint's root is printed, to be compared by eye.
func shortRoot(c correction.Checkpoint) string {
	root := c.Root()
	return root[:min(16, len(root))]
}

func (p DayProps) closedText() string {
	r := p.Day.Last()
	return p.Page.F("%[1]s 在 %[2]s 签署了日结", "Closed by %[1]s at %[2]s", r.ActorName, p.Page.Stamp(r.At))
}

func (p DayProps) sinceText() string {
	n := p.Day.Since()
	if n == 0 {
		return ""
	}
	return p.Page.F("此后又有 %d 笔改价，不在日结里。要补进去，先重开再签。", "%d more since, which the closing does not hold. To take them in, reopen the day and close it again.", n)
}

// changed tells that the figures are no longer those that were signed.
func (p DayProps) changed() bool {
	if !p.Day.Closed() || !p.Day.Whole {
		return false
	}
	then, now := p.Day.Last().Counts, p.Day.Counts
	return then.Effective != now.Effective || then.Reduction != now.Reduction || now.IsOpen()
}

func (p DayProps) problem() string {
	switch p.Form.Problem {
	case DayText:
		if p.Form.Action == dayclose.DayReopened {
			return p.Page.F("写上为什么重开，最多 %d 字", "Say why it is reopened, in at most %d characters", correction.MaxText)
		}
		return p.Page.F("说明最多 %d 字，不能有控制字符", "At most %d characters, and no control characters", correction.MaxText)
	case DayOpen:
		return p.Page.T("还有没处理完的，见下面。清零后才能签署", "Something is open, see below. Close it when nothing is")
	case DayAhead:
		return p.Page.T("这一天还没到", "The day has not come")
	}
	return ""
}

func (p DayProps) movedText() string {
	if h := p.Form.By; h != nil {
		return p.Page.F("%[1]s 在 %[2]s 已经签署或重开过这一天", "%[1]s closed or reopened this day at %[2]s", h.Name, p.Page.Stamp(h.Since))
	}
	return p.Page.T("刚刚有人签署或重开过这一天", "Somebody has just closed or reopened this day")
}

func actionText(p layout.Page, a dayclose.DayAction) string {
	if a == dayclose.DayReopened {
		return p.T("重开", "Reopened")
	}
	return p.T("签署", "Closed")
}

// dayLine is a day in the list of days.
func dayLine(p layout.Page, d dayclose.Day) string {
	s := p.T("没有改价", "none")
	if d.Counts.Effective > 0 {
		s = p.F("%d 笔 · %s", "%d · %s", d.Counts.Effective, d.Counts.Reduction.Minus())
	}
	switch {
	case d.Closed():
		s += " · " + d.Last().ActorName
	case d.Counts.All > 0:
		s += " · " + p.T("未日结", "not closed")
	}
	return s
}
