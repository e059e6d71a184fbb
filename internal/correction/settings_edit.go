package correction

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Typed is a form of settings as a browser posts it: field → what was typed. Rows have
// numbers: "reason.3.zh", "tier.0.from", "person.12.per".
type Typed map[string]string

// Person is somebody who can be named in settings.
type Person struct {
	ID       int64
	Login    string
	Name     string
	Role     Role
	Scope    Scope
	Disabled bool
}

// Basis is what an edit of a setting is judged by: who edits, and all that there is now.
type Basis struct {
	Actor     Actor
	Settings  Settings
	People    []Person
	Merchants []Merchant
}

// Correctors are the people whose corrections can be limited.
func (b Basis) Correctors() []Person {
	return slices.DeleteFunc(slices.Clone(b.People), func(p Person) bool { return !(Actor{Role: p.Role}).Can(Correct) })
}

// Supervisors are those who may be named as approvers.
func (b Basis) Supervisors() []Person {
	return slices.DeleteFunc(slices.Clone(b.People), func(p Person) bool { return p.Disabled || !(Actor{Role: p.Role}).Can(Approve) })
}

// Gaps are the amounts and merchants that nobody could decide about with these tiers
// and limits.
func (b Basis) Gaps(tiers []Tier, limits Limits) []Gap {
	var approvers []Approver
	for _, p := range b.Supervisors() {
		approvers = append(approvers, Approver{UserID: p.ID, Scope: p.Scope})
	}
	return Gaps(tiers, limits, approvers, b.Merchants)
}

// Codes of problems with a setting; each blocks.
const (
	BadCode       = "setting_code"     // of a reason: lower-case letters, digits, _
	BadCodeTwice  = "setting_twice"    // Text: the code
	BadCodeGone   = "setting_gone"     // Text: a code that there was and is to stay
	BadNoneActive = "setting_none"     // every reason is retired
	BadPercent    = "setting_percent"  // more than 0 up to 100, one decimal
	BadWhole      = "setting_whole"    // a whole number from Count to Limit
	BadOwnTick    = "setting_own_tick" // bounds of a person who is not ticked
	BadOwnRow     = "setting_own_row"  // the editor's own limits
	BadDayBelow   = "setting_day"      // the bound of the day is below that of one correction
	BadTierTwice  = "setting_tier_twice"
	BadTierZero   = "setting_tier_zero" // no tier at 0
	BadTierNobody = "setting_tier_nobody"
	BadTierWho    = "setting_tier_who" // Text: a person who may not approve
	BadGap        = "setting_gap"      // Amount: of the tier; Names: merchants
	BadGapOwn     = "setting_gap_own"  // Names: people whose corrections nobody else could decide about
	BadPair       = "setting_pair"     // one of two that go together is empty
	BadTime       = "setting_time"     // no HH:MM
	BadSpan       = "setting_span"     // ends before it begins
)

// Bounds of settings.
const (
	MaxReasons    = 40
	MaxReasonCode = 32
	MaxReasonWord = 20
	MaxTiers      = 10
	maxDayCount   = 10_000
)

var reasonCode = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// rowNumbers lists the numbers of the rows named prefix.N.…, ascending.
func (t Typed) rowNumbers(prefix string) []int {
	var out []int
	for field := range t {
		rest, ok := strings.CutPrefix(field, prefix+".")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); err == nil && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// Rows lists the numbers of the rows of a list, ascending.
func (t Typed) Rows(list string) []int { return t.rowNumbers(list) }

// Typed is the form of a setting as it is now.
func (s Settings) Typed(name SettingName) Typed {
	t := Typed{}
	tick := func(field string, on bool) {
		if on {
			t[field] = "1"
		}
	}
	number := func(field string, n int) {
		if n > 0 {
			t[field] = strconv.Itoa(n)
		}
	}
	percent := func(field string, n int) {
		if n > 0 {
			t[field] = PercentText(n)
		}
	}
	limit := func(at string, l Limit) {
		if l.Per != nil {
			t[at+"per"] = l.Per.Yuan()
		}
		if l.PerPermille != nil {
			t[at+"percent"] = PercentText(*l.PerPermille)
		}
		if l.Day != nil {
			t[at+"day"] = l.Day.Yuan()
		}
		if l.DayCount != nil {
			t[at+"count"] = strconv.Itoa(*l.DayCount)
		}
	}
	switch name {
	case SettingReasons:
		for i, r := range s.Reasons {
			at := fmt.Sprintf("reason.%d.", i)
			t[at+"code"], t[at+"zh"], t[at+"en"], t[at+"outgoing"] = r.Code, r.ZH, r.EN, r.Outgoing
			tick(at+"needs_note", r.NeedsNote)
			tick(at+"retired", r.Retired)
		}
	case SettingLimits:
		for role, l := range s.Limits.Roles {
			limit(string(role)+".", l)
		}
		for id, l := range s.Limits.People {
			t["person."+id+".own"] = "1"
			limit("person."+id+".", l)
		}
	case SettingTiers:
		for i, x := range s.Tiers {
			at := fmt.Sprintf("tier.%d.", i)
			t[at+"from"], t[at+"who"] = x.From.Yuan(), "all"
			for _, id := range x.Approvers {
				t[at+"who"] = "named"
				t[at+"person."+strconv.FormatInt(id, 10)] = "1"
			}
		}
	case SettingFlags:
		r := s.Flags
		tick("zero", r.Zero)
		tick("outside_hours", r.OutsideHours)
		percent("share", r.SharePermille)
		percent("near", r.NearPermille)
		percent("sample", r.SamplePermille)
		number("again_days", r.AgainDays)
		number("fast_seconds", r.FastSeconds)
		number("other_running", r.OtherRunning)
		number("pair_count", r.PairCount)
		number("pair_days", r.PairDays)
	case SettingHours:
		for day, x := range s.Hours {
			at := fmt.Sprintf("day.%d.", day)
			if x.Until > x.From {
				t[at+"open"], t[at+"from"], t[at+"until"] = "1", ClockText(x.From), ClockText(x.Until)
			}
		}
	}
	return t
}

// Value is a setting as it is now, with the type that ParseSetting returns.
func (s Settings) Value(name SettingName) any {
	switch name {
	case SettingReasons:
		return s.Reasons
	case SettingLimits:
		return s.Limits
	case SettingTiers:
		return s.Tiers
	case SettingFlags:
		return s.Flags
	}
	return s.Hours
}

// With is the settings with another value of one of them.
func (s Settings) With(name SettingName, value json.RawMessage) (Settings, error) {
	err := s.set(name, value)
	return s, err
}

// ParseMerchant reads the form of a merchant: sub_mchid and name.
func ParseMerchant(t Typed) (Merchant, []Notice) {
	e := &settingEdit{t: t}
	m := Merchant{SubMchID: e.get("sub_mchid")}
	if !ValidMchID(m.SubMchID) {
		e.bad(Notice{Field: "sub_mchid", Code: BadMchID})
	}
	m.Name = e.text("name", maxCatalogName, true)
	return m, e.problems
}

// Codes of problems with merchants and services.
const (
	BadMchID     = "setting_mchid"
	BadServiceID = "setting_service"
	BadIndustry  = "setting_industry"
	BadCap       = "setting_cap" // a cap of 0
)

// maxCatalogName is the length of the names of merchants and services, in characters.
const maxCatalogName = 40

// ParseOffering reads the form of a service: service_id, name, industry, cap and
// allow_zero.
func ParseOffering(t Typed) (Offering, []Notice) {
	e := &settingEdit{t: t}
	o := Offering{ServiceID: e.get("service_id"), Industry: e.get("industry"), AllowZero: e.on("allow_zero")}
	if !ValidServiceID(o.ServiceID) {
		e.bad(Notice{Field: "service_id", Code: BadServiceID})
	}
	o.Name = e.text("name", maxCatalogName, true)
	if _, ok := FindIndustry(o.Industry); o.Industry != "" && !ok {
		e.bad(Notice{Field: "industry", Code: BadIndustry})
	}
	if c := e.yuan("cap"); c != nil {
		if o.Cap = *c; o.Cap == 0 {
			e.bad(Notice{Field: "cap", Code: BadCap})
		}
	}
	return o, e.problems
}

// errSetting is a name that is no setting's.
var errSetting = errors.New("there is no such setting")
