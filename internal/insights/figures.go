package insights

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"correction-console/internal/correction"
)

// Outcome is what became of a correction, as far as figures tell it apart. A
// correction that came to nothing without anybody's doubt, such as one that was
// withdrawn or expired, has none.
type Outcome uint8

// Outcomes.
const (
	Effective Outcome = iota + 1
	WasDeclined
	IsUnknown
	IsConflict
	WasRejected
	WasNotApplied
	WasNotSent
)

// OutcomeOf is the outcome of a state; false when figures do not count it.
func OutcomeOf(s correction.State) (Outcome, bool) {
	switch s {
	case correction.Applied, correction.AppliedLate:
		return Effective, true
	case correction.Declined:
		return WasDeclined, true
	case correction.Unknown:
		return IsUnknown, true
	case correction.NeedsPerson:
		return IsConflict, true
	case correction.Rejected:
		return WasRejected, true
	case correction.NotApplied:
		return WasNotApplied, true
	case correction.NotSent:
		return WasNotSent, true
	}
	return 0, false
}

// Fact is what figures rest on: one correction that has an outcome. Merchant, Service,
// Reason and Agent are places in the lists of its FactBlock.
type Fact struct {
	PreparedMS int64
	Base       correction.Fen
	Reduction  correction.Fen
	// SettledMinutes is how many whole minutes after it was prepared the customer was
	// seen to have paid the new amount; -1 when not.
	SettledMinutes                   int32
	Merchant, Service, Reason, Agent uint16
	Outcome                          Outcome
	Wrong                            bool // a review found it so
	PaidOld                          bool // the customer paid the former amount all the same
}

// FactBlock is the facts of corrections whose ids follow each other.
type FactBlock struct {
	Merchants, Services []string
	Reasons             []correction.Reason // code and texts only
	Agents              []int64
	Facts               []Fact
	Devices             []string
	Uses                []DeviceUse
}

// DeviceUse says that a fact names a device: places in Facts and Devices.
type DeviceUse struct{ Fact, Device uint16 }

// Figures are about the corrections of a period, or of a part of it. All but the last
// six are about those that are in force. Medians are the lower of two middle values.
type Figures struct {
	Count       int
	Sum, Base   correction.Fen // given up, and of the orders before
	Median      correction.Fen // given up
	MedianShare int            // of the order given up, thousandths
	Half        int            // gave up at least half of the order
	Zeroed      int
	Settled     int // the customer paid the new amount
	SettledIn   time.Duration
	PaidOld     int
	PaidOldSum  correction.Fen // to be refunded
	Wrong       int

	Declined, Unknown, Conflicts, Rejected, NotApplied, NotSent int
}

// Share is the part of the orders that was given up, in thousandths.
func (f Figures) Share() int { return correction.Permille(f.Sum, f.Base) }

// NoEffect counts what WeChat refused and what did not take effect.
func (f Figures) NoEffect() int { return f.Rejected + f.NotApplied + f.NotSent }

// Empty reports whether there is nothing to tell.
func (f Figures) Empty() bool {
	return f.Count+f.Declined+f.Unknown+f.Conflicts+f.NoEffect() == 0
}

// Group is the figures of one agent, reason, merchant, service or device.
type Group struct {
	Key    string            // login, code, number; empty for all other devices
	Name   string            // empty when none is known
	Reason correction.Reason // of a reason
	Others int               // how many devices are taken together
	Figures
}

// Stretch is the figures of some days: From until before To.
type Stretch struct {
	From, To time.Time
	Figures
}

// Step is how many days a stretch has.
type Step int

// Steps. Weeks begin on Monday.
const (
	ByDay Step = iota
	ByWeek
	ByMonth
)

// Insights are the figures of a period.
type Insights struct {
	From, To   time.Time // starts of days; From until before To
	PriorFrom  time.Time // the period of equal length that ends where this one begins
	Days       int
	Total      Figures
	Prior      Figures
	Step       Step
	Stretches  []Stretch
	Agents     []Group // these five by what was given up, the most first
	Reasons    []Group
	Merchants  []Group
	Services   []Group
	Devices    []Group // a correction counts for each device that it names; the last may stand for all others
	OutOfScope bool    // not every merchant is counted
}

// Bounds of the page.
const (
	MostInsightDays = 366
	mostDayBars     = 62
	mostWeekBars    = 27 // of them, half a year
	topDevices      = 20
)

// occurrences counts equal values, so that the middle one is exact however many there are.
type occurrences struct {
	n     int
	few   []int64    // while they are few
	pages [][]uint32 // then how often each small value occurs
	rest  map[int64]uint32
}

const (
	fewValues = 64
	pageBits  = 10
	mostPages = 1024
)

func (s *occurrences) add(v int64) {
	s.n++
	if s.pages == nil {
		s.few = append(s.few, v)
		if len(s.few) < fewValues {
			return
		}
		s.pages = make([][]uint32, 1)
		for _, v := range s.few {
			s.count(v)
		}
		s.few = nil
		return
	}
	s.count(v)
}

func (s *occurrences) count(v int64) {
	page := v >> pageBits
	if v < 0 || page >= mostPages {
		if s.rest == nil {
			s.rest = map[int64]uint32{}
		}
		s.rest[v]++
		return
	}
	for int(page) >= len(s.pages) {
		s.pages = append(s.pages, nil)
	}
	if s.pages[page] == nil {
		s.pages[page] = make([]uint32, 1<<pageBits)
	}
	s.pages[page][v&(1<<pageBits-1)]++
}

// median is the middle value, the lower one of two; 0 when there is none.
func (s *occurrences) median() int64 {
	if s.n == 0 {
		return 0
	}
	left := (s.n - 1) / 2 // how many values stand before it
	if s.pages == nil {
		slices.Sort(s.few)
		return s.few[left]
	}
	for p, counts := range s.pages {
		for i, c := range counts {
			if left -= int(c); left < 0 {
				return int64(p)<<pageBits | int64(i)
			}
		}
	}
	for _, v := range slices.Sorted(maps.Keys(s.rest)) {
		if left -= int(s.rest[v]); left < 0 {
			return v
		}
	}
	return 0
}

// tally makes figures. Sums of a year's corrections are far from overflow: the schema
// bounds an amount to 10^11 fen.
type tally struct {
	Figures
	reductions, shares, minutes occurrences
}

func (t *tally) add(f *Fact) {
	switch f.Outcome {
	case Effective:
	case WasDeclined:
		t.Declined++
		return
	case IsUnknown:
		t.Unknown++
		return
	case IsConflict:
		t.Conflicts++
		return
	case WasRejected:
		t.Rejected++
		return
	case WasNotApplied:
		t.NotApplied++
		return
	case WasNotSent:
		t.NotSent++
		return
	}
	t.Count++
	t.Sum += f.Reduction
	t.Base += f.Base
	t.reductions.add(int64(f.Reduction))
	t.shares.add(int64(correction.Permille(f.Reduction, f.Base))) // rounding keeps the order, so the middle one is right
	if 2*f.Reduction >= f.Base {
		t.Half++
	}
	if f.Reduction == f.Base {
		t.Zeroed++
	}
	if f.SettledMinutes >= 0 {
		t.Settled++
		t.minutes.add(int64(f.SettledMinutes))
	}
	if f.PaidOld {
		t.PaidOld++
		t.PaidOldSum += f.Reduction
	}
	if f.Wrong {
		t.Wrong++
	}
}

func (t *tally) figures() Figures {
	f := t.Figures
	f.Median = correction.Fen(t.reductions.median())
	f.MedianShare = int(t.shares.median())
	f.SettledIn = time.Duration(t.minutes.median()) * time.Minute
	return f
}

// deviceFacts are those of one device. Few devices are told one by one, so only their
// figures are worked out.
type deviceFacts struct {
	sum   correction.Fen
	facts []Fact
}

// tallies are all that the figures of a period are made of.
type tallies struct {
	scope     correction.Scope
	total     tally
	starts    []int64 // of the stretches, in ms, and where the last one ends
	stretches []tally
	at        int // the stretch of the newest fact: most follow each other
	agents    map[int64]*tally
	reasons   map[string]*tally
	reason    map[string]correction.Reason
	merchants map[string]*tally
	services  map[string]*tally
	devices   map[string]*deviceFacts
}

func newTallies(scope correction.Scope, starts []time.Time) *tallies {
	t := &tallies{scope: scope, stretches: make([]tally, len(starts)-1),
		agents: map[int64]*tally{}, reasons: map[string]*tally{}, reason: map[string]correction.Reason{},
		merchants: map[string]*tally{}, services: map[string]*tally{}, devices: map[string]*deviceFacts{}}
	for _, s := range starts {
		t.starts = append(t.starts, s.UnixMilli())
	}
	return t
}

func tallied[K comparable](m map[K]*tally, keys []K) []*tally {
	out := make([]*tally, len(keys))
	for i, k := range keys {
		if m[k] == nil {
			m[k] = &tally{}
		}
		out[i] = m[k]
	}
	return out
}

// within reports whether the fact is of the period and of the scope.
func (t *tallies) within(b *FactBlock, allowed []bool, f *Fact) bool {
	return allowed[f.Merchant] && f.PreparedMS >= t.starts[0] && f.PreparedMS < t.starts[len(t.starts)-1]
}

func (t *tallies) allowed(b *FactBlock) []bool {
	out := make([]bool, len(b.Merchants))
	for i, m := range b.Merchants {
		out[i] = t.scope.Allows(m)
	}
	return out
}

// sum counts a block in the total alone.
func (t *tallies) sum(b *FactBlock) {
	allowed := t.allowed(b)
	for i := range b.Facts {
		if f := &b.Facts[i]; t.within(b, allowed, f) {
			t.total.add(f)
		}
	}
}

// add counts a block everywhere.
func (t *tallies) add(b *FactBlock) {
	allowed := t.allowed(b)
	codes := make([]string, len(b.Reasons))
	for i, r := range b.Reasons {
		codes[i] = r.Code
		t.reason[r.Code] = r
	}
	agents, reasons := tallied(t.agents, b.Agents), tallied(t.reasons, codes)
	merchants, services := tallied(t.merchants, b.Merchants), tallied(t.services, b.Services)
	for i := range b.Facts {
		f := &b.Facts[i]
		if !t.within(b, allowed, f) {
			continue
		}
		if f.PreparedMS < t.starts[t.at] || f.PreparedMS >= t.starts[t.at+1] {
			n, found := slices.BinarySearch(t.starts, f.PreparedMS)
			if !found {
				n--
			}
			t.at = n
		}
		t.total.add(f)
		t.stretches[t.at].add(f)
		agents[f.Agent].add(f)
		reasons[f.Reason].add(f)
		merchants[f.Merchant].add(f)
		services[f.Service].add(f)
	}
	devices := make([]*deviceFacts, len(b.Devices))
	for _, u := range b.Uses {
		f := &b.Facts[u.Fact]
		if !t.within(b, allowed, f) {
			continue
		}
		if devices[u.Device] == nil {
			d := t.devices[b.Devices[u.Device]]
			if d == nil {
				d = &deviceFacts{}
				t.devices[b.Devices[u.Device]] = d
			}
			devices[u.Device] = d
		}
		d := devices[u.Device]
		if f.Outcome == Effective {
			d.sum += f.Reduction
		}
		d.facts = append(d.facts, *f)
	}
}

// groups are those tallies that counted something, the largest sum first.
func groups[K cmp.Ordered](m map[K]*tally, group func(K) Group) []Group {
	var out []Group
	for _, k := range slices.Sorted(maps.Keys(m)) {
		f := m[k].figures()
		if f.Empty() {
			continue
		}
		g := group(k)
		g.Figures = f
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b Group) int { return cmp.Or(cmp.Compare(b.Sum, a.Sum), cmp.Compare(b.Count, a.Count)) })
	return out
}

func (t *tallies) topDevices() []Group {
	names := slices.SortedFunc(maps.Keys(t.devices), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.devices[b].sum, t.devices[a].sum), cmp.Compare(a, b))
	})
	var out []Group
	var others tally
	for i, name := range names {
		t1 := &tally{}
		if i >= topDevices {
			t1 = &others
		}
		facts := t.devices[name].facts
		for j := range facts {
			t1.add(&facts[j])
		}
		if i < topDevices {
			out = append(out, Group{Key: name, Figures: t1.figures()})
		}
	}
	if n := len(names) - topDevices; n > 0 {
		out = append(out, Group{Others: n, Figures: others.figures()})
	}
	return out
}

// StretchesOf are the starts of the days, weeks or months that a plot of the period shows,
// and where the last one ends. The first and the last may be cut by the period.
func StretchesOf(from, to time.Time) (starts []time.Time, step Step) {
	days := correction.DaysBetween(from, to)
	next := func(t time.Time) time.Time { return correction.AddDays(t, 1) }
	switch {
	case days > mostWeekBars*7:
		step = ByMonth
		next = func(t time.Time) time.Time { return correction.StartOfDay(t.Year(), t.Month()+1, 1, t.Location()) }
	case days > mostDayBars:
		step = ByWeek
		next = func(t time.Time) time.Time { return correction.AddDays(t, 7-(int(t.Weekday())+6)%7) }
	}
	for t := from; t.Before(to); t = next(t) {
		starts = append(starts, t)
	}
	return append(starts, to), step
}
