package pages

import (
	"net/url"
	"strconv"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
	"correction-console/web/templates/layout"
)

// ReviewURL is the page of what waits for a review.
const ReviewURL = "/review"

const signOffURL = ReviewURL + "/signoff"

// ReviewTabURL is a part of the review page, of one day if that is not empty, from a
// key on if that is not 0.
func ReviewTabURL(tab correction.ReviewTab, day string, before int64) string {
	v := url.Values{}
	if tab != correction.TabOpen {
		v.Set("tab", string(tab))
	}
	if day != "" {
		v.Set("day", day)
	}
	if before > 0 {
		v.Set("before", strconv.FormatInt(before, 10))
	}
	if len(v) == 0 {
		return ReviewURL
	}
	return ReviewURL + "?" + v.Encode()
}

// DayURL is the page of a day, named 2026-11-23.
func DayURL(day string) string { return ReviewURL + "/days/" + url.PathEscape(day) }

func reviewURL(id int64) string { return CorrectionURL(id) + "/review" }

// ReviewForm is what a person says of a correction, as it was typed.
type ReviewForm struct {
	Mark    string
	Text    string
	NoMark  bool              // none was chosen
	Problem ResolutionProblem // of the text, or ResolutionMoved
	By      *correction.Holder
	Said    correction.Event // what was said meanwhile, with ResolutionMoved
}

// ReviewProps is the review page: one part of it, with today's closing beside it.
type ReviewProps struct {
	Page    layout.Page
	Tab     correction.ReviewTab
	Counts  map[correction.ReviewTab]int // each up to 100
	Rows    []correction.ReviewRow
	Rest    int  // how many more there are, when it is known; 0 when not
	More    bool // there are more
	Before  int64
	DayName string // only of this day; empty: of all
	Mine    int64  // user id of who looks: their own cannot be marked
	CanSign bool
	Form    SignOffForm
	Done    *SignOffDone
	Today   dayclose.Day
	Days    []dayclose.Day
}

// SignOffForm is what was chosen and typed.
type SignOffForm struct {
	Picked  map[int64]bool
	Mark    string
	Text    string
	Problem SignOffProblem
}

// SignOffProblem is why nothing was signed.
type SignOffProblem string

// Problems of signing off.
const (
	SignOffNone   SignOffProblem = "none"   // nothing was chosen
	SignOffText   SignOffProblem = "text"   // words are missing
	SignOffLong   SignOffProblem = "long"   // too many words, or signs that are not taken
	SignOffRemark SignOffProblem = "remark" // many at once take a remark
)

// SignOffDone is what the last signing came to.
type SignOffDone struct {
	Signed  int
	Skipped []SkippedRow
}

// SkippedRow is a correction that was not signed, and who was faster; Said is zero when
// nobody was.
type SkippedRow struct {
	ID   int64
	Own  bool
	Mine bool // they approved it
	Said correction.Event
}

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

var tabWords = map[correction.ReviewTab]i18n.Text{
	correction.TabOpen:    {ZH: "待复核", EN: "To review"},
	correction.TabQueried: {ZH: "问客服", EN: "Queried"},
	correction.TabWrong:   {ZH: "有误", EN: "Wrong"},
	correction.TabFine:    {ZH: "没问题", EN: "Fine"},
	correction.TabPlain:   {ZH: "没有标记", EN: "No flag"},
}

func (p ReviewProps) tabWord(t correction.ReviewTab) string { return tabWords[t].In(p.Page.Lang) }

func (p ReviewProps) tabCount(t correction.ReviewTab) string {
	if n := p.Counts[t]; n < 100 {
		return strconv.Itoa(n)
	}
	return "99+"
}

// head says what was corrected today, or which day is shown.
func (p ReviewProps) head() string {
	if p.DayName != "" {
		return p.Page.F("只看 %s", "%s only", p.DayName)
	}
	c := p.Today.Counts
	return p.Page.F("%s · 今天改价 %d 笔，少收 %s", "%s · %d corrections today, %s given up", p.Today.Name, c.InForce, c.Reduction)
}

func (p ReviewProps) empty() (title, text string) {
	switch p.Tab {
	case correction.TabOpen:
		return p.Page.T("都复核完了", "All reviewed"), p.Page.T("有标记的、抽中的和客服回答过的改价会列在这里。", "Corrections that are flagged, drawn or answered are listed here.")
	case correction.TabQueried:
		return p.Page.T("没有在等客服回答的", "No question is open"), p.Page.T("问客服的改价，客服回答以后回到“待复核”。", "Once the agent answers, a correction goes back to “To review”.")
	case correction.TabPlain:
		return p.Page.T("没有要签的", "Nothing to sign"), p.Page.T("没有标记、也没有复核过的改价会列在这里，可以一起签。", "Corrections without a flag that nobody reviewed are listed here, to be signed together.")
	}
	return p.Page.T("近 31 天没有", "None in the last 31 days"), p.Page.T("更早的在改价记录里查。", "Look for older ones in the change log.")
}

// signable reports whether the person may mark the row.
func (p ReviewProps) signable(r correction.ReviewRow) bool {
	return p.CanSign && r.AuthorID != p.Mine && !r.Part.Approved
}

// anySignable reports whether there is something to choose.
func (p ReviewProps) anySignable() bool {
	for _, r := range p.Rows {
		if p.signable(r) {
			return true
		}
	}
	return false
}

func (p ReviewProps) picked() int {
	n := 0
	for _, r := range p.Rows {
		if p.Form.Picked[r.ID] && p.signable(r) {
			n++
		}
	}
	return n
}

func pickValue(r correction.ReviewRow) string {
	return strconv.FormatInt(r.ID, 10) + ":" + strconv.Itoa(r.N)
}

func (p ReviewProps) signLabel() string {
	if n := p.picked(); n > 0 {
		return p.Page.F("签署选中的 %d 笔", "Sign the %d chosen", n)
	}
	return p.Page.T("签署选中的", "Sign the chosen")
}

func (p ReviewProps) marks() []correction.ReviewMark {
	return []correction.ReviewMark{correction.ReviewFine, correction.ReviewQueried, correction.ReviewWrong}
}

func (p ReviewProps) mark() string {
	if p.Form.Mark == "" {
		return string(correction.ReviewFine)
	}
	return p.Form.Mark
}

func (p ReviewProps) problem() string {
	switch p.Form.Problem {
	case SignOffNone:
		return p.Page.T("先选中要签署的改价", "Choose what to sign first")
	case SignOffText:
		return p.Page.T("写上要问什么、或者哪里有误", "Say what you ask, or what is wrong")
	case SignOffRemark:
		return p.Page.T("没有标记的一起签，要写一句说明", "Signing many at once takes a remark")
	case SignOffLong:
		return p.Page.F("说明最多 %d 字，不能有控制字符", "At most %d characters, and no control characters", correction.MaxText)
	}
	return ""
}

func (p ReviewProps) problemItems() []components.SummaryItem {
	text := p.problem()
	switch p.Form.Problem {
	case "":
		return nil
	case SignOffNone:
		return []components.SummaryItem{{Href: "#rows", Text: text}}
	}
	return []components.SummaryItem{{Href: "#sign-text", Text: text}}
}

func (p ReviewProps) where() string {
	if p.Rest > 0 {
		return p.Page.F("显示 %d 笔，还有 %d 笔", "%d shown, %d more", len(p.Rows), p.Rest)
	}
	return p.Page.F("显示 %d 笔", "%d shown", len(p.Rows))
}

func (p ReviewProps) moreLabel() string {
	if n := p.Rest; n > 0 {
		return p.Page.F("再看 %d 笔", "Show %d more", min(n, len(p.Rows)))
	}
	return p.Page.T("再看更早的", "Show older ones")
}

func (p ReviewProps) doneTitle() string {
	d := p.Done
	if len(d.Skipped) == 0 {
		return p.Page.F("已签署 %d 笔。", "%d signed.", d.Signed)
	}
	return p.Page.F("已签署 %d 笔，%d 笔没有签", "%d signed, %d not", d.Signed, len(d.Skipped))
}

func (p ReviewProps) skippedText(r SkippedRow) string {
	switch {
	case r.Own:
		return p.Page.T("是你自己改的，要别人复核", "your own: somebody else reviews it")
	case r.Mine:
		return p.Page.T("是你批准的，要别的主管复核", "you approved it: another supervisor reviews it")
	case r.Said.N != 0:
		return saidText(p.Page, r.Said)
	}
	return p.Page.T("刚刚有变化，再看一眼", "it has just changed: look again")
}

// saidText is who marked a correction how and when.
func saidText(p layout.Page, e correction.Event) string {
	return p.F("%[1]s 在 %[2]s：%[3]s", "%[1]s at %[2]s: %[3]s", e.ActorName, p.Short(e.At), i18n.ReviewWord(string(e.Detail.Review)).In(p.Lang))
}

// flagLook is the class and the icon of a flag in a list.
func flagLook(f correction.Flag) (class, icon string) {
	if f.Code == correction.FlagSampled {
		return "checks__item checks__item--plain", "info"
	}
	return "checks__item checks__item--warn", "warn"
}

// flagLine is a flag in words, with the devices that it is about.
func flagLine(p layout.Page, f correction.Flag, devices []string) string {
	s := i18n.FlagText(p.Lang, f)
	if (f.Code == correction.FlagDevice || f.Code == correction.FlagPair) && len(devices) > 0 {
		s += p.T("：", ": ") + devices[0]
		for _, d := range devices[1:] {
			s += p.T("、", ", ") + d
		}
	}
	return s
}

// Words of the thread on a correction's page.

func (p CorrectionProps) talks() bool {
	return len(p.Flags) > 0 || p.Part.Approved || p.MayReview || p.MayAnswer || p.MayNote || len(p.C.Words()) > 0 || p.Review.Problem == ResolutionMoved
}

func (p CorrectionProps) wordTitle(e correction.Event) string {
	return i18n.EventTitle(p.Page.Lang, p.stored(), e)
}

// reviewMarks are the choices of a form; a note comes last.
func (p CorrectionProps) reviewMarks() []string {
	return []string{string(correction.ReviewFine), string(correction.ReviewQueried), string(correction.ReviewWrong), correction.ReviewNote}
}

func (p CorrectionProps) markLabel(mark string) string {
	if mark == correction.ReviewNote {
		return p.Page.T("只写备注", "A note only")
	}
	return i18n.ReviewWord(mark).In(p.Page.Lang)
}

func (p CorrectionProps) markNote(mark string) string {
	switch mark {
	case string(correction.ReviewFine):
		return p.Page.T("说明选填", "words are optional")
	case string(correction.ReviewQueried):
		return p.Page.F("问题会出现在 %s 的首页上", "the question appears on the first page of %s", p.C.AuthorName)
	case string(correction.ReviewWrong):
		return p.Page.T("写清楚哪里不对", "say what is wrong")
	}
	return p.Page.T("不算复核", "no review")
}

func (p CorrectionProps) reviewProblem() string {
	empty := p.Page.T("写几句：问什么、哪里有误，或者备注的内容", "Write what you ask, what is wrong, or the note")
	if p.MayAnswer {
		empty = p.Page.T("写上你的回答", "Write your answer")
	}
	return wordsProblem(p.Page, p.Review.Problem, empty)
}

func (p CorrectionProps) noMark() string { return p.Page.T("选一个结论", "Choose one") }

func (p CorrectionProps) reviewProblems() []components.SummaryItem {
	var out []components.SummaryItem
	if p.Review.NoMark {
		out = append(out, components.SummaryItem{Href: "#mark-0", Text: p.noMark()})
	}
	if text := p.reviewProblem(); text != "" {
		out = append(out, components.SummaryItem{Href: "#review-text", Text: text})
	}
	return out
}

// lastN is the number of the newest event that the page shows.
func (p CorrectionProps) lastN() string { return strconv.Itoa(p.C.Last().N) }

// Words of a day.

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
		{p.Page.T("已生效，少收", "In force, given up"), c.InForce, c.Reduction.String(), dayLog(day, "state", string(changelog.AnyInForce))},
		{p.Page.T("其中改到 0 元", "of these to zero"), c.Zeroed, c.ZeroedSum.String(), dayLog(day, "share_min", "100") + "&state=" + string(changelog.AnyInForce)},
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
	return then.InForce != now.InForce || then.Reduction != now.Reduction || now.IsOpen()
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
	if d.Counts.InForce > 0 {
		s = p.F("%d 笔 · %s", "%d · %s", d.Counts.InForce, d.Counts.Reduction.Minus())
	}
	switch {
	case d.Closed():
		s += " · " + d.Last().ActorName
	case d.Counts.All > 0:
		s += " · " + p.T("未日结", "not closed")
	}
	return s
}
