package correction

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	billed = Fen(9900)
	asked  = Fen(1000)
)

var (
	billedLines = []Line{{Name: "收费标准", Description: "2元/小时"}, {Name: "使用时长", Description: "50小时"}}
	askedLines  = []Line{{Name: "收费标准", Description: "2元/小时"}, {Name: "使用时长", Description: "5小时"}}
)

// reading is a correctable order as a query shows it.
func reading(total Fen, lines []Line) Order { return payable(total, lines, nil) }

func paid(total, amount Fen) Order {
	o := reading(total, askedLines)
	o.State = OrderDone
	o.Collection = Collection{State: UserPaid, Total: total, Paid: amount}
	return o
}

func with(o Order, edit func(*Order)) Order { edit(&o); return o }

// findings has at least one reading for every finding.
var findings = []struct {
	name string
	now  Order
	want Finding
}{
	{"as sent", reading(asked, askedLines), FoundTarget},
	{"as sent, in another order, counts said", reading(asked, []Line{{Name: "使用时长", Description: "5小时", Count: 1}, askedLines[0]}), FoundTarget},
	{"total as sent, lines of before", reading(asked, billedLines), FoundTargetLines},
	{"total as sent, a discount that was not", with(reading(asked, askedLines), func(o *Order) { o.Discounts = []Line{amountLine("券", 1)} }), FoundTargetLines},
	{"as before", reading(billed, billedLines), FoundBase},
	{"total of before, lines as sent", reading(billed, askedLines), FoundBase},
	{"one fen below the base", reading(billed-1, billedLines), FoundBetween},
	{"one fen above the target", reading(asked+1, askedLines), FoundBetween},
	{"one fen below the target", reading(asked-1, askedLines), FoundBelow},
	{"zero", reading(0, askedLines), FoundBelow},
	{"one fen above the base", reading(billed+1, billedLines), FoundAbove},
	{"paid as sent", paid(asked, asked), FoundPaidTarget},
	{"paid as before", paid(billed, billed), FoundPaidBase},
	{"paid something else", paid(5000, 5000), FoundPaidOther},
	{"paid as sent, no total said", with(paid(0, asked), func(o *Order) { o.HasTotal = false }), FoundPaidTarget},
	{"paid as before, no total said", with(paid(0, billed), func(o *Order) { o.HasTotal = false }), FoundPaidBase},
	{"paid something else, no total said", with(paid(0, 5000), func(o *Order) { o.HasTotal = false }), FoundPaidOther},
	{"paid nothing", paid(billed, 0), FoundPaidOther},
	{"paid the old total, said to be the new one", paid(asked, billed), FoundPaidOther},
	{"paid the new total, said to be the old one", paid(billed, asked), FoundPaidOther},
	{"cancelled", with(reading(billed, billedLines), func(o *Order) { o.State, o.Collection = OrderRevoked, Collection{} }), FoundCancelled},
	{"expired", with(reading(billed, billedLines), func(o *Order) { o.State, o.Collection = OrderExpired, Collection{} }), FoundCancelled},
	{"created", with(reading(billed, billedLines), func(o *Order) { o.State = OrderCreated }), FoundOtherState},
	{"in use", with(reading(billed, billedLines), func(o *Order) { o.StateDescription, o.Collection = UserConfirm, Collection{} }), FoundOtherState},
	{"done, nothing collected", with(reading(billed, billedLines), func(o *Order) { o.State, o.Collection = OrderDone, Collection{} }), FoundOtherState},
	{"a state that is not documented", with(reading(billed, billedLines), func(o *Order) { o.State = "CLOSED" }), FoundOtherState},
	{"a collection that is not documented", with(reading(billed, billedLines), func(o *Order) { o.Collection.State = "WAIT_PAY" }), FoundOtherState},
	{"totals that disagree", with(reading(billed, billedLines), func(o *Order) { o.Collection.Total = 5000 }), FoundOtherState},
}

// contradictory readings show the target in one place and not in another: they
// neither prove that the correction was applied nor confirm a refusal.
var contradictory = []struct {
	name string
	now  Order
	want Finding
}{
	{"no total", with(reading(0, billedLines), func(o *Order) { o.HasTotal = false }), FoundOtherState},
	{"total as sent, old one being collected", with(reading(asked, askedLines), func(o *Order) { o.Collection.Total = billed }), FoundOtherState},
	{"old total, new one being collected", with(reading(billed, askedLines), func(o *Order) { o.Collection.Total = asked }), FoundOtherState},
	{"total as sent, nothing being collected", with(reading(asked, askedLines), func(o *Order) { o.Collection = Collection{} }), FoundOtherState},
	{"total as sent, in use", with(reading(asked, askedLines), func(o *Order) { o.StateDescription = UserConfirm }), FoundOtherState},
}

func evidence(now Order) Evidence {
	return Evidence{Base: reading(billed, billedLines), Lines: askedLines, Target: asked, Now: now}
}

// Answers of WeChat to the one POST.
const (
	uncertain = iota
	accepted
	refused
)

// Times of a reading: before the quiet time is over, and after it with no earlier
// quiet reading, one that is too fresh, and one that is old enough.
const (
	early = iota
	first
	tooSoon
	second
)

const wait State = "wait"

// decided is the table of trust.md §1.6 (and §1.5 for refusals): per finding and
// answer, the verdict early, at the first quiet reading, at one too soon after it
// and at the second.
var decided = map[Finding][3][4]State{
	FoundTarget: {
		uncertain: {Applied, Applied, Applied, Applied},
		accepted:  {Applied, Applied, Applied, Applied},
		refused:   {Applied, Applied, Applied, Applied},
	},
	FoundTargetLines: {
		uncertain: {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		accepted:  {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		refused:   {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
	},
	FoundBase: {
		uncertain: {wait, wait, wait, NotApplied},
		accepted:  {wait, wait, wait, NeedsPerson},
		refused:   {Rejected, Rejected, Rejected, Rejected},
	},
	FoundBetween: {
		uncertain: {wait, NotApplied, NotApplied, NotApplied},
		accepted:  {wait, NeedsPerson, NeedsPerson, NeedsPerson},
		refused:   {Rejected, Rejected, Rejected, Rejected},
	},
	FoundBelow: {
		uncertain: {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		accepted:  {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		refused:   {Rejected, Rejected, Rejected, Rejected},
	},
	FoundAbove: {
		uncertain: {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		accepted:  {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		refused:   {Rejected, Rejected, Rejected, Rejected},
	},
	FoundPaidTarget: {
		uncertain: {Applied, Applied, Applied, Applied},
		accepted:  {Applied, Applied, Applied, Applied},
		refused:   {Applied, Applied, Applied, Applied},
	},
	FoundPaidBase: {
		uncertain: {NotApplied, NotApplied, NotApplied, NotApplied},
		accepted:  {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		refused:   {Rejected, Rejected, Rejected, Rejected},
	},
	FoundPaidOther: {
		uncertain: {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		accepted:  {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
		refused:   {Rejected, Rejected, Rejected, Rejected},
	},
	FoundCancelled: {
		uncertain: {wait, NotApplied, NotApplied, NotApplied},
		accepted:  {wait, NeedsPerson, NeedsPerson, NeedsPerson},
		refused:   {Rejected, Rejected, Rejected, Rejected},
	},
	FoundOtherState: {
		uncertain: {wait, NeedsPerson, NeedsPerson, NeedsPerson},
		accepted:  {wait, NeedsPerson, NeedsPerson, NeedsPerson},
		refused:   {Rejected, Rejected, Rejected, Rejected},
	},
}

// unconfirmed replaces the row of a refusal when the reading contradicts it.
var unconfirmed = map[Finding][4]State{
	FoundOtherState: {wait, NeedsPerson, NeedsPerson, NeedsPerson},
	FoundPaidOther:  {NeedsPerson, NeedsPerson, NeedsPerson, NeedsPerson},
}

func (e Evidence) after(answer, when int) Evidence {
	e.Accepted, e.Rejected = answer == accepted, answer == refused
	e.Age = [...]time.Duration{QuietTime - 1, QuietTime, QuietTime + time.Minute - 1, QuietTime + time.Minute}[when]
	e.QuietRead = [...]time.Duration{0, 0, time.Minute - 1, time.Minute}[when]
	return e
}

func said(v Verdict) State {
	if v.Wait {
		return wait
	}
	return v.State
}

func TestDecide_TheWholeTable(t *testing.T) {
	t.Parallel()
	covered := map[Finding]bool{}
	for _, r := range findings {
		covered[r.want] = true
		want, ok := decided[r.want]
		if !ok {
			t.Fatalf("no row for %s", r.want)
		}
		contradicts := r.want == FoundPaidOther && (r.now.Total == asked || r.now.Collection.Paid == asked)
		for answer := uncertain; answer <= refused; answer++ {
			for when := early; when <= second; when++ {
				w := want[answer][when]
				if answer == refused && contradicts {
					w = unconfirmed[r.want][when]
				}
				v := evidence(r.now).after(answer, when).Decide(QuietTime)
				if v.Finding != r.want || said(v) != w {
					t.Errorf("%s, answer %d, time %d: %s, %s; want %s, %s", r.name, answer, when, v.Finding, said(v), r.want, w)
				}
			}
		}
	}
	if len(covered) != len(decided) {
		t.Errorf("%d findings have a reading, %d a row", len(covered), len(decided))
	}
}

func TestDecide_AContradictoryReadingProvesNothing(t *testing.T) {
	t.Parallel()
	for _, r := range contradictory {
		for answer := uncertain; answer <= refused; answer++ {
			for when := early; when <= second; when++ {
				want := decided[r.want][uncertain][when]
				v := evidence(r.now).after(answer, when).Decide(QuietTime)
				if v.Finding != r.want || said(v) != want {
					t.Errorf("%s, answer %d, time %d: %s, %s; want %s, %s", r.name, answer, when, v.Finding, said(v), r.want, want)
				}
			}
		}
	}
}

func TestDecide_AZeroTargetNeedsNoCollection(t *testing.T) {
	t.Parallel()
	for name, now := range map[string]Order{
		"collection gone":    with(reading(0, askedLines), func(o *Order) { o.Collection = Collection{} }),
		"collection of zero": reading(0, askedLines),
	} {
		e := evidence(now)
		e.Target = 0
		if v := e.Decide(QuietTime); v.Finding != FoundTarget || v.State != Applied {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// WeChat may leave out any amount: one that is not there is not a paid ¥0.00.
func TestDecide_AnAmountThatIsNotThereIsNotZero(t *testing.T) {
	t.Parallel()
	e := evidence(with(paid(0, 0), func(o *Order) { o.HasTotal = false }))
	e.Target = 0
	if v := e.Decide(QuietTime); v.Finding != FoundPaidOther || v.State != NeedsPerson {
		t.Errorf("%+v", v)
	}
}

func TestDecide_OneReadingIsNeverEnoughForTheBase(t *testing.T) {
	t.Parallel()
	for _, quiet := range []time.Duration{0, 1, time.Millisecond, time.Second, QuietTime} {
		e := evidence(reading(billed, billedLines))
		e.Age = time.Hour
		if v := e.Decide(quiet); !v.Wait {
			t.Errorf("quiet time %v: %+v on the first reading", quiet, v)
		}
	}
	if ReadGap(QuietTime) != time.Minute {
		t.Errorf("the readings lie %v apart", ReadGap(QuietTime))
	}
}

func TestDecide_Properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base := payable(Fen(rapid.Int64Range(1, 5).Draw(t, "base")), genLines().Draw(t, "base lines"), nil)
		e := Evidence{
			Base: base, Target: Fen(rapid.Int64Range(0, int64(base.Total)-1).Draw(t, "target")),
			Lines: genLines().Draw(t, "lines"), Discounts: genLines().Draw(t, "discounts"),
			Now:       genOrder().Draw(t, "now"),
			Age:       time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "age")),
			QuietRead: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "quiet read")),
		}
		switch rapid.IntRange(0, 2).Draw(t, "answer") {
		case accepted:
			e.Accepted = true
		case refused:
			e.Rejected = true
		}
		if rapid.Bool().Draw(t, "lines as sent") {
			e.Now.Lines, e.Now.Discounts = e.Lines, e.Discounts
		}
		v := e.Decide(QuietTime)
		now := e.Now
		atBase := now.Paid() && now.Collection.Paid == base.Total && (!now.HasTotal || now.Total == base.Total)
		atTarget := now.HasTotal && now.Total == e.Target && now.Collection.Total == e.Target &&
			SameLines(now.Lines, e.Lines) && SameLines(now.Discounts, e.Discounts)
		paidTarget := now.Paid() && now.Collection.Paid == e.Target
		switch {
		case v.Finding == "":
			t.Fatal("no finding")
		case v.Wait && e.Age >= QuietTime && v.Finding != FoundBase:
			t.Fatalf("waits after the quiet time: %+v", v)
		case v.Wait:
			return
		case !slices.Contains([]State{Applied, NotApplied, Rejected, NeedsPerson}, v.State):
			t.Fatalf("%+v", v)
		case v.State == NotApplied && e.Accepted:
			t.Fatal("not applied, against a verified acceptance")
		case v.State == NotApplied && e.Age < QuietTime && !atBase:
			t.Fatal("not applied, before the quiet time")
		case v.State == NotApplied && v.Finding == FoundBase && e.QuietRead < time.Minute:
			t.Fatal("not applied, on one reading")
		case v.State == NotApplied && v.Finding != FoundCancelled && (atTarget || paidTarget):
			t.Fatal("not applied, although the order shows it")
		case v.State == Applied && !atTarget && !paidTarget:
			t.Fatal("applied, although the order does not show it")
		case v.State == Rejected && !e.Rejected:
			t.Fatal("rejected, without a refusal")
		case v.State == Rejected && (now.HasTotal && now.Total == e.Target || paidTarget) && v.Finding != FoundCancelled:
			t.Fatal("rejected, although the order shows the target")
		}
	})
}

// A verdict is recorded as the next state: one that the table of transitions does
// not allow could never be recorded, and the order would be held for ever.
func TestDecide_SaysOnlyWhatCanBeRecorded(t *testing.T) {
	t.Parallel()
	rows := append(slices.Clone(findings), contradictory...)
	for _, r := range rows {
		for answer := uncertain; answer <= refused; answer++ {
			for when := early; when <= second; when++ {
				v := evidence(r.now).after(answer, when).Decide(QuietTime)
				to := v.State
				if v.Wait {
					to = Unknown
				}
				from := []State{Unknown}
				if answer != uncertain {
					from = append(from, Sending) // read back at once
				}
				for _, from := range from {
					if !to.Follows(from) {
						t.Errorf("%s, answer %d, time %d: %s cannot follow %s", r.name, answer, when, to, from)
					}
				}
			}
		}
	}
}
