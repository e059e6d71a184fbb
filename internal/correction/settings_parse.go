package correction

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// edit collects what is wrong with a form.
type settingEdit struct {
	t        Typed
	problems []Notice
}

func (e *settingEdit) bad(n Notice) { e.problems = append(e.problems, n) }

func (e *settingEdit) get(field string) string { return HalfWidth(e.t[field]) }

func (e *settingEdit) text(field string, limit int, required bool) string {
	s, n := CleanText(e.t[field], limit)
	if n.Code == "" && s == "" && required {
		n.Code = BadRequired
	}
	if n.Code != "" {
		n.Field = field
		e.bad(n)
	}
	return s
}

// yuan reads an amount; nil when nothing was typed.
func (e *settingEdit) yuan(field string) *Fen {
	if e.get(field) == "" {
		return nil
	}
	f, err := ParseYuan(e.t[field])
	if err != nil {
		n := yuanNotice(field, e.t[field], err)
		if n.Code != BadCharacter { // the sentences of settings suggest nothing
			n.Text = ""
		}
		e.bad(n)
		return nil
	}
	return &f
}

// whole reads a number; nil when nothing was typed.
func (e *settingEdit) whole(field string, least, most int) *int {
	s := e.get(field)
	if s == "" {
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || !digits(s) || n < least || n > most {
		e.bad(Notice{Field: field, Code: BadWhole, Count: least, Limit: most})
		return nil
	}
	return &n
}

var percentPattern = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]))?%?$`)

// ParsePercent reads a percentage with at most one decimal, as thousandths: more than 0
// and at most 100 %.
func ParsePercent(s string) (permille int, ok bool) {
	m := percentPattern.FindStringSubmatch(HalfWidth(s))
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1] + (m[2] + "0")[:1])
	return n, err == nil && n > 0 && n <= 1000
}

// PercentText is the inverse of ParsePercent.
func PercentText(permille int) string {
	if permille%10 == 0 {
		return strconv.Itoa(permille / 10)
	}
	return fmt.Sprintf("%d.%d", permille/10, permille%10)
}

func (e *settingEdit) percent(field string) *int {
	if e.get(field) == "" {
		return nil
	}
	n, ok := ParsePercent(e.t[field])
	if !ok {
		e.bad(Notice{Field: field, Code: BadPercent})
		return nil
	}
	return &n
}

func (e *settingEdit) on(field string) bool { return e.t[field] != "" }

// ParseSetting reads a form of a setting and judges it as a whole. value has the type
// of the setting; it means nothing when there are problems.
func ParseSetting(name SettingName, t Typed, b Basis) (value any, problems []Notice) {
	e := &settingEdit{t: t}
	switch name {
	case SettingReasons:
		value = e.reasons(b)
	case SettingLimits:
		value = e.limits(b)
	case SettingTiers:
		value = e.tiers(b)
	case SettingFlags:
		value = e.flags()
	case SettingHours:
		value = e.hours()
	}
	return value, e.problems
}

// reasons: rows in which nothing was typed are left out. A code stays for ever, since
// corrections were made with it; its reason can be retired.
func (e *settingEdit) reasons(b Basis) []Reason {
	var out []Reason
	active := false
	seen := map[string]bool{}
	for _, i := range e.t.Rows("reason") {
		at := fmt.Sprintf("reason.%d.", i)
		code := e.get(at + "code")
		if code+TrimBlank(e.t[at+"zh"])+TrimBlank(e.t[at+"en"])+TrimBlank(e.t[at+"outgoing"]) == "" {
			continue
		}
		r := Reason{Code: code, NeedsNote: e.on(at + "needs_note"), Retired: e.on(at + "retired")}
		switch {
		case !reasonCode.MatchString(code):
			e.bad(Notice{Field: at + "code", Code: BadCode, Limit: MaxReasonCode})
		case seen[code]:
			e.bad(Notice{Field: at + "code", Code: BadCodeTwice, Text: code})
		}
		seen[code] = true
		r.ZH, r.EN = e.text(at+"zh", MaxReasonWord, true), e.text(at+"en", MaxReasonWord, true)
		r.Outgoing = e.text(at+"outgoing", MaxReason, false)
		active = active || !r.Retired
		out = append(out, r)
	}
	for _, r := range b.Settings.Reasons {
		if !seen[r.Code] {
			e.bad(Notice{Field: "reason", Code: BadCodeGone, Text: r.Code})
		}
	}
	if len(out) > MaxReasons {
		e.bad(Notice{Field: "reason", Code: BadTooMany, Limit: MaxReasons, Count: len(out)})
	}
	if !active {
		e.bad(Notice{Field: "reason", Code: BadNoneActive})
	}
	return out
}

// limit reads the four bounds below a prefix.
func (e *settingEdit) limit(at string) Limit {
	l := Limit{Per: e.yuan(at + "per"), PerPermille: e.percent(at + "percent"), Day: e.yuan(at + "day"), DayCount: e.whole(at+"count", 0, maxDayCount)}
	if l.Per != nil && l.Day != nil && *l.Day < *l.Per {
		e.bad(Notice{Field: at + "day", Code: BadDayBelow, Amount: *l.Per})
	}
	return l
}

// limits: a person without the tick has the limit of their role.
func (e *settingEdit) limits(b Basis) Limits {
	out := Limits{Roles: map[Role]Limit{}, People: map[string]Limit{}}
	for _, r := range []Role{Agent, Supervisor} {
		if l := e.limit(string(r) + "."); !l.Unlimited() {
			out.Roles[r] = l
		}
	}
	listed := map[string]bool{}
	for _, p := range b.Correctors() {
		id := strconv.FormatInt(p.ID, 10)
		listed[id] = true
		at := "person." + id + "."
		before, had := b.Settings.Limits.People[id]
		l, own := e.limit(at), e.on(at+"own")
		if p.ID == b.Actor.UserID {
			if own != had || !l.same(before) {
				e.bad(Notice{Field: at + "own", Code: BadOwnRow})
			}
		} else if !own && !l.Unlimited() {
			e.bad(Notice{Field: at + "own", Code: BadOwnTick})
		}
		if own {
			out.People[id] = l
		}
	}
	for id, l := range b.Settings.Limits.People { // of people who correct no more: kept, in case they do again
		if !listed[id] {
			out.People[id] = l
		}
	}
	if len(e.problems) == 0 {
		known := b.Gaps(b.Settings.Tiers, b.Settings.Limits)
		fresh := slices.DeleteFunc(b.Gaps(b.Settings.Tiers, out), func(g Gap) bool { return slices.Contains(known, g) })
		if e.gaps(fresh, b, func(Fen) string { return "supervisor.per" }); len(fresh) == 0 {
			e.freshlyStuck(b, b.Settings.Tiers, out, "supervisor.per")
		}
	}
	return out
}

func (l Limit) same(m Limit) bool {
	return same(l.Per, m.Per) && same(l.PerPermille, m.PerPermille) && same(l.Day, m.Day) && same(l.DayCount, m.DayCount)
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// gaps reports what nobody could decide about, one problem a tier.
func (e *settingEdit) gaps(gaps []Gap, b Basis, field func(Fen) string) {
	var froms []Fen
	names := map[Fen][]string{}
	for _, g := range gaps {
		if !slices.Contains(froms, g.From) {
			froms = append(froms, g.From)
		}
		name := g.SubMchID
		if i := slices.IndexFunc(b.Merchants, func(m Merchant) bool { return m.SubMchID == g.SubMchID }); i >= 0 && b.Merchants[i].Name != "" {
			name = b.Merchants[i].Name
		}
		names[g.From] = append(names[g.From], name)
	}
	for _, from := range froms {
		e.bad(Notice{Field: field(from), Code: BadGap, Amount: from, Names: names[from]})
	}
}

// tiers: rows without an amount and without approvers are left out.
func (e *settingEdit) tiers(b Basis) []Tier {
	var out []Tier
	rows := map[Fen]int{}
	for _, i := range e.t.Rows("tier") {
		at := fmt.Sprintf("tier.%d.", i)
		t := Tier{}
		if e.t[at+"who"] == "named" {
			for _, id := range e.t.rowNumbers(at + "person") {
				p := slices.IndexFunc(b.Supervisors(), func(p Person) bool { return p.ID == int64(id) })
				if p < 0 {
					e.bad(Notice{Field: at + "who", Code: BadTierWho, Text: personName(b.People, int64(id))})
					continue
				}
				t.Approvers = append(t.Approvers, int64(id))
			}
			if len(t.Approvers) == 0 {
				e.bad(Notice{Field: at + "who", Code: BadTierNobody})
			}
		}
		from := e.yuan(at + "from")
		if from == nil {
			if e.get(at+"from") == "" {
				e.bad(Notice{Field: at + "from", Code: BadRequired})
			}
			continue
		}
		if _, twice := rows[*from]; twice {
			e.bad(Notice{Field: at + "from", Code: BadTierTwice, Amount: *from})
			continue
		}
		t.From, rows[*from] = *from, i
		out = append(out, t)
	}
	if _, zero := rows[0]; !zero {
		e.bad(Notice{Field: "tier", Code: BadTierZero})
	}
	if len(out) > MaxTiers {
		e.bad(Notice{Field: "tier", Code: BadTooMany, Limit: MaxTiers, Count: len(out)})
	}
	slices.SortFunc(out, func(a, b Tier) int { return int(a.From - b.From) })
	if len(e.problems) == 0 {
		field := func(from Fen) string { return fmt.Sprintf("tier.%d.who", rows[from]) }
		gaps := b.Gaps(out, b.Settings.Limits)
		if e.gaps(gaps, b, field); len(gaps) == 0 {
			e.freshlyStuck(b, out, b.Settings.Limits, field(0))
		}
	}
	return out
}

func personName(people []Person, id int64) string {
	for _, p := range people {
		if p.ID == id {
			return p.Name
		}
	}
	return strconv.FormatInt(id, 10)
}

// flags: an empty or unticked rule is off.
func (e *settingEdit) flags() FlagRules {
	or0 := func(n *int) int {
		if n == nil {
			return 0
		}
		return *n
	}
	r := FlagRules{Zero: e.on("zero"), OutsideHours: e.on("outside_hours")}
	r.SharePermille, r.NearPermille, r.SamplePermille = or0(e.percent("share")), or0(e.percent("near")), or0(e.percent("sample"))
	r.AgainDays, r.FastSeconds = or0(e.whole("again_days", 1, 365)), or0(e.whole("fast_seconds", 1, 600))
	r.OtherRunning = or0(e.whole("other_running", 1, 100))
	r.PairCount, r.PairDays = or0(e.whole("pair_count", 2, 1000)), or0(e.whole("pair_days", 1, 365))
	for _, f := range [][2]string{{"pair_count", "pair_days"}, {"pair_days", "pair_count"}} {
		if e.get(f[0]) == "" && e.get(f[1]) != "" {
			e.bad(Notice{Field: f[0], Code: BadPair})
		}
	}
	return r
}

var timePattern = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})$`)

// minute reads a time of day; 24:00 is the end of the day.
func (e *settingEdit) minute(field string) (int, bool) {
	s := strings.ReplaceAll(e.get(field), "：", ":")
	if s == "" {
		e.bad(Notice{Field: field, Code: BadRequired})
		return 0, false
	}
	m := timePattern.FindStringSubmatch(s)
	if m == nil {
		e.bad(Notice{Field: field, Code: BadTime})
		return 0, false
	}
	hour, err1 := strconv.Atoi(m[1])
	minute, err2 := strconv.Atoi(m[2])
	if err1 != nil || err2 != nil || minute > 59 || hour*60+minute > 24*60 {
		e.bad(Notice{Field: field, Code: BadTime})
		return 0, false
	}
	return hour*60 + minute, true
}

func (e *settingEdit) hours() Hours {
	var h Hours
	for day := range h {
		at := fmt.Sprintf("day.%d.", day)
		if !e.on(at + "open") {
			continue
		}
		from, ok1 := e.minute(at + "from")
		until, ok2 := e.minute(at + "until")
		if ok1 && ok2 && until <= from {
			e.bad(Notice{Field: at + "until", Code: BadSpan})
		}
		h[day] = Span{From: from, Until: until}
	}
	return h
}

// ClockText is a minute after midnight as people write it.
func ClockText(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }
