package pages

import (
	"net/url"
	"strconv"

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
	return p.Page.F("%s · 今天改价 %d 笔，少收 %s", "%s · %d corrections today, %s given up", p.Today.Name, c.Effective, c.Reduction)
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
