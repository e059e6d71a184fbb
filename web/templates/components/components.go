package components

import (
	"fmt"
	"strconv"
	"time"

	"correction-console/internal/correction"
	"correction-console/web/static"
)

// iconsFile holds the icons that lists show again and again, by their names.
var iconsFile = static.Path("img/icons.svg") + "#"

// Page is what components need of the page they stand on; layout.Page is one.
type Page interface {
	T(zh, en string) string
	F(zh, en string, args ...any) string
	Clock(time.Time) string
	Stamp(time.Time) string
	Short(time.Time) string
	Full(time.Time) string
}

// Percent prints thousandths as a share with one decimal: 769 is "76.9%".
func Percent(permille int) string {
	sign := ""
	if permille < 0 {
		sign, permille = "−", -permille
	}
	return fmt.Sprintf("%s%d.%d%%", sign, permille/10, permille%10)
}

// MinusPercent prints thousandths as a reduction: 769 is "−76.9%".
func MinusPercent(permille int) string { return "−" + Percent(permille) }

// Lowered prints by how much of base a reduction is, as a reduction.
func Lowered(reduction, base correction.Fen) string {
	if reduction.IsHidden() {
		return reduction.String()
	}
	return MinusPercent(correction.Permille(reduction, base))
}

// Number prints the number of a correction as people say it: #10489.
func Number(id int64) string { return "#" + strconv.FormatInt(id, 10) }

// SummaryItem is one problem in an error summary. Href points to the field, such
// as "#reason"; without it the item is plain text.
type SummaryItem struct{ Href, Text string }

// Crumb is one step of the way to a page. The last one has no address.
type Crumb struct{ Href, Text string }

// Kinds of notices. The zero value is plain information.
const (
	NoticeInfo = ""
	NoticeGood = "good"
	NoticeWarn = "warn"
	NoticeBad  = "bad"
)

func noticeClass(kind string, large bool) string {
	class := "notice"
	if kind != NoticeInfo {
		class += " notice--" + kind
	}
	if large {
		class += " notice--large"
	}
	return class
}

// stateLook is the class and the icon of a state (design README §6): shapes
// differ, so that states can be told apart without colour.
func stateLook(s correction.State) (class, icon string) {
	switch s {
	case correction.Prepared:
		return "state--draft", "dashed"
	case correction.Awaiting, correction.Approved:
		return "state--pending", "hourglass"
	case correction.Returned:
		return "state--pending", "back"
	case correction.Claimed, correction.Sending:
		return "state--ready", "plane"
	case correction.Applied, correction.AppliedLate:
		return "state--applied", "applied"
	case correction.Rejected, correction.NotApplied, correction.NotSent, correction.Declined:
		return "state--rejected", "cross"
	case correction.Unknown:
		return "state--unknown", "question"
	case correction.NeedsPerson:
		return "state--unknown", "warn"
	case correction.Resolved:
		return "state--settled", "check"
	}
	return "state--mute", "bar"
}

func stateClass(s correction.State, large bool) string {
	class, _ := stateLook(s)
	if large {
		class += " state--large"
	}
	return "state " + class
}

func stateIcon(s correction.State) string {
	_, icon := stateLook(s)
	return icon
}

// Settled reports whether a correction is settled the good way: the customer paid the
// new amount.
func Settled(s correction.State, how correction.Settlement) bool {
	return s.Effective() && how == correction.PaidNew
}

// Grouped prints a count with commas between thousands: 12,345.
func Grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
