// Package layout is the frame of every page: head, top bar, messages, footer.
package layout

import (
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
)

// Page is what the frame of a page needs, the same for every page.
type Page struct {
	Lang  i18n.Lang
	Theme string // "", "light" or "dark"
	Title string // without the product's name
	// Problems is the number of errors on the page; the title starts with it.
	Problems int
	Nav      string // the current entry of the main navigation: NavMine, NavLog, ...
	User     *User  // nil when nobody is signed in
	// KeysOff turns the single-key shortcuts off (WCAG 2.1.4).
	KeysOff bool
	Path    string // path and query of this page, for switches that return to it
	Flash   string // result of the last request, already in the page's language
	Warned  bool   // it is not what the person wanted
	Now     time.Time
	Zone    *time.Location
	Version string
	DemoURL string   // the demo's page of faults; empty outside the demo
	Scripts []string // names of modules below web/static/js, such as "form.js"
	OwnFind bool     // the page has a find box itself, so the top bar has none
	// ReadOnly says that corrections are refused at present, and why; empty when not.
	ReadOnly string
	Alarms   []Alarm // what the person must know who did not ask
	Narrow   bool    // a page of text: one narrow column
}

// User is the person who is signed in.
type User struct {
	Name    string
	Role    correction.Role
	CanLog  bool // may read the change log
	CanFind bool // may look for orders
	CanRun  bool // may see how the installation is doing
	CanSet  bool // may see the settings
	Queues  bool // sees the queues of supervisors: approvals and reviews
	Waiting int  // corrections that wait for approval
	Reviews int  // corrections that wait for a review
}

// Alarm is one thing that people must know, with where to see more. Text and Link are
// in the page's language.
type Alarm struct{ Text, Link, Href string }

// Entries of the main navigation.
const (
	NavMine       = "mine"
	NavApprovals  = "approvals"
	NavLog        = "log"
	NavReview     = "review"
	NavInsights   = "insights"
	NavOperations = "operations"
	NavSettings   = "settings"
	NavAccount    = "account"
)

// T and F choose a text in the page's language.
func (p Page) T(zh, en string) string              { return p.Lang.T(zh, en) }
func (p Page) F(zh, en string, args ...any) string { return p.Lang.F(zh, en, args...) }

// Clock prints a time of day, Stamp day and time, Day the day, in the configured
// zone; Full is the machine-readable form for <time datetime>.
func (p Page) Clock(t time.Time) string { return t.In(p.Zone).Format("15:04:05") }
func (p Page) Day(t time.Time) string   { return t.In(p.Zone).Format("01-02") }
func (p Page) Full(t time.Time) string  { return t.In(p.Zone).Format(time.RFC3339) }

// Stamp leaves out the year when it is the current one.
func (p Page) Stamp(t time.Time) string {
	t = t.In(p.Zone)
	if t.Year() != p.Now.In(p.Zone).Year() {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("01-02 15:04:05")
}

// Short is Stamp without the seconds.
func (p Page) Short(t time.Time) string {
	s := p.Stamp(t)
	return s[:len(s)-len(":05")]
}
