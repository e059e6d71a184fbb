package pages

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
)

// target is the new total: of the stored bytes, like all amounts of this page.
func (p CorrectionProps) target() correction.Fen { return p.Request.Total }

// stored is the correction with the total of the stored bytes, for texts that
// quote it.
func (p CorrectionProps) stored() correction.Correction {
	c := p.C
	c.Target = p.Request.Total
	return c
}

func (p CorrectionProps) reduction() correction.Fen { return p.stored().Reduction() }

func (p CorrectionProps) open() bool { return p.C.State == correction.Prepared }

func (p CorrectionProps) underWay() bool {
	return p.C.State == correction.Approved || p.C.State == correction.Claimed || p.C.State == correction.Sending
}

func (p CorrectionProps) outcome() i18n.OutcomeWords {
	when := ""
	if p.waitsToRetry() {
		when = p.Page.Clock(p.TryAgainAt)
	}
	w := i18n.Outcome(p.Page.Lang, p.stored(), when)
	if p.C.State == correction.Awaiting && !p.IsAuthor {
		w.Next = []string{i18n.AwaitingNext(p.Page.Lang, p.Decides)}
	}
	if r := p.RetriedBy; r != nil {
		w.Next = append([]string{p.Page.F("后来用 %s 重试过，那一笔现在是“%s”。", "It was tried again as %s, which is now “%s”.", components.Number(r.ID), i18n.StateWord(r.State).In(p.Page.Lang))}, w.Next...)
		if !p.CanRedo { // what counts is the other one
			w.Next, w.Money, w.Say = w.Next[:1], "", ""
		}
	}
	return w
}

// readAt is when the order was read that the words about a correction which changed
// nothing rest on; zero when they rest on none.
func (p CorrectionProps) readAt() time.Time {
	reading, at := p.C.LastReading()
	if reading == nil || !p.C.State.NoEffect() && p.C.State != correction.NeedsPerson || p.outcome().Money == "" {
		return time.Time{}
	}
	return at
}

// orderNext reports whether the next step is on the order's page: it is paid and
// the page has the number for the refund, or a person has to look at it.
func (p CorrectionProps) orderNext() bool {
	r, _ := p.C.LastReading()
	switch {
	case p.MayRule || p.MayHandle: // the next step is on this page
		return false
	case p.C.State == correction.NeedsPerson:
		return true
	case p.C.State == correction.Resolved || i18n.Lost(p.C):
		return true
	case p.C.State.Effective():
		return p.C.Due() && p.refund() > 0
	}
	return r != nil && r.Paid()
}

// look is the kind and the icon of the notice that says how it stands.
func (p CorrectionProps) look() (kind, icon string) {
	switch p.C.State {
	case correction.Applied, correction.AppliedLate:
		if p.C.Due() || i18n.Lost(p.C) {
			return "warn", "warn"
		}
		return "good", "applied"
	case correction.Resolved:
		return "", "check"
	case correction.Unknown:
		return "warn", "question"
	case correction.NeedsPerson:
		return "warn", "warn"
	case correction.Rejected, correction.NotApplied:
		return "bad", "cross"
	case correction.NotSent:
		return "", "cross"
	case correction.Claimed, correction.Sending, correction.Approved:
		return "", "plane"
	case correction.Awaiting:
		return "", "hourglass"
	case correction.Returned:
		return "warn", "back"
	case correction.Declined:
		return "bad", "cross"
	case correction.Stale:
		return "warn", "warn"
	case correction.Void:
		return "warn", "lock"
	}
	return "", "bar"
}

// fromLabel and toLabel name the two amounts as the state allows: only an applied
// correction has a new amount.
func (p CorrectionProps) fromLabel() string {
	switch p.C.State {
	case correction.Prepared, correction.Awaiting:
		return p.Page.T("当前应收", "Current total")
	case correction.Applied, correction.AppliedLate:
		return p.Page.T("改前应收", "Former total")
	}
	return p.Page.T("当时应收", "Total at the time")
}

func (p CorrectionProps) toLabel() string {
	switch p.C.State {
	case correction.Prepared, correction.Applied, correction.AppliedLate:
		return p.Page.T("改后应收", "New total")
	}
	return p.Page.T("想改成", "Asked for")
}

func (p CorrectionProps) lossLabel() string {
	switch p.C.State {
	case correction.Prepared, correction.Applied, correction.AppliedLate:
		return p.Page.T("少收", "Reduction")
	}
	return p.Page.T("想少收", "Reduction asked for")
}

// diffRow is one line of the comparison.
type diffRow struct {
	correction.Change
	discount bool
}

// delta is what the row does to the total.
func (r diffRow) delta() correction.Fen {
	if r.discount && !r.Delta().IsHidden() {
		return -r.Delta()
	}
	return r.Delta()
}

// shown is the line as it is now, or as it was when it is removed.
func (r diffRow) shown() correction.Line {
	if r.Kind == correction.Removed {
		return r.Before
	}
	return r.After
}

func (p CorrectionProps) rows() (changed, same []diffRow) {
	add := func(cs []correction.Change, discount bool) {
		for _, c := range cs {
			r := diffRow{c, discount}
			if c.Kind == correction.Unchanged {
				same = append(same, r)
			} else {
				changed = append(changed, r)
			}
		}
	}
	add(p.LineDiff, false)
	add(p.DiscountDiff, true)
	return changed, same
}

// tally says how many rows changed and how.
func (p CorrectionProps) tally() string {
	changed, same := p.rows()
	n := map[correction.ChangeKind]int{}
	for _, r := range changed {
		n[r.Kind]++
	}
	var parts []string
	for _, k := range []struct {
		n      int
		zh, en string
	}{
		{n[correction.Removed], "%d 行移除", "%d removed"}, {n[correction.Changed], "%d 行已改", "%d changed"},
		{n[correction.Added], "%d 行新增", "%d added"}, {len(same), "%d 行未改", "%d unchanged"},
	} {
		if k.n > 0 {
			parts = append(parts, p.Page.F(k.zh, k.en, k.n))
		}
	}
	return strings.Join(parts, i18n.Mark(p.Page.Lang, "，", ", "))
}

// unchanged lists the rows that stay as they are, in one sentence.
func (p CorrectionProps) unchanged(same []diffRow) string {
	var parts []string
	for _, r := range same {
		s := lineTitle(r.After)
		switch {
		case r.discount:
			s = p.Page.F("优惠“%s” %s", "discount “%s” %s", s, r.After.Amount.Minus())
		case r.After.HasAmount:
			s += " " + r.After.Amount.String()
		case r.After.Description != "" && s != r.After.Description:
			s += " " + r.After.Description
		}
		parts = append(parts, s)
	}
	return p.Page.F("%d 行未改", "%d unchanged", len(same)) + colon(p.Page) + strings.Join(parts, i18n.Mark(p.Page.Lang, "，", ", "))
}

func amountOf(l correction.Line, discount bool) string {
	switch {
	case !l.HasAmount:
		return "—"
	case discount:
		return l.Amount.Minus()
	}
	return l.Amount.String()
}

func (p CorrectionProps) reasonCount() string {
	return p.Page.F("%d / %d 字", "%d / %d characters", utf8.RuneCountInString(p.Request.Reason), correction.MaxReason)
}

// devices lists what is sent about the device, with labels.
func (p CorrectionProps) devices() [][2]string {
	var out [][2]string
	for _, d := range [][2]string{
		{"device.start_device_id", p.Request.Device.Start}, {"device.end_device_id", p.Request.Device.End}, {"device.materiel_no", p.Request.Device.Materiel},
	} {
		if d[1] != "" {
			out = append(out, [2]string{i18n.FieldLabel(p.Page.Lang, d[0]), d[1]})
		}
	}
	return out
}

func (p CorrectionProps) sent() bool {
	_, ok := p.C.Find(correction.Sending)
	return ok
}

// warning is a stored warning in words.
func (p CorrectionProps) warning(n correction.Notice) string {
	text := i18n.WarningText(p.Page.Lang, n)
	if n.Field == "" || n.Field == listLines {
		return text
	}
	return i18n.Labelled(p.Page.Lang, n.Field, text)
}

// eventTime leaves out the day when it is that of the first event.
func (p CorrectionProps) eventTime(t time.Time) string {
	if p.Page.Day(t) == p.Page.Day(p.C.PreparedAt) {
		return p.Page.Clock(t)
	}
	return p.Page.Stamp(t)
}

// eventLook is the class and the icon of an entry of the history.
func eventLook(c correction.Correction, e correction.Event) (class, icon string) {
	switch d := e.Detail; {
	case d.Review == correction.ReviewFine || d.Handled:
		return "timeline__mark", "check"
	case d.Review == correction.ReviewWrong:
		return "timeline__mark timeline__mark--warn", "warn"
	case d.Review == correction.ReviewQueried:
		return "timeline__mark", "question"
	case i18n.IsSaid(c, e):
		return "timeline__mark", "pencil"
	case d.Ruling != "":
		return "timeline__mark", "user"
	case d.Alarm == correction.AlarmLost || d.Due:
		return "timeline__mark timeline__mark--warn", "warn"
	case d.Settled == correction.PaidNew:
		return "timeline__mark timeline__mark--good", "double"
	case d.Settled != "" || i18n.IsCheck(e) || i18n.IsLater(c, e):
		return "timeline__mark", "refresh"
	}
	switch e.State {
	case correction.Prepared:
		return "timeline__mark", "pencil"
	case correction.Awaiting:
		return "timeline__mark", "hourglass"
	case correction.Approved:
		return "timeline__mark timeline__mark--good", "check"
	case correction.Returned:
		return "timeline__mark timeline__mark--warn", "back"
	case correction.Declined:
		return "timeline__mark timeline__mark--warn", "cross"
	case correction.Claimed:
		return "timeline__mark", "check"
	case correction.Sending:
		return "timeline__mark", "plane"
	case correction.Applied, correction.AppliedLate:
		return "timeline__mark timeline__mark--good", "applied"
	case correction.Unknown:
		return "timeline__mark timeline__mark--warn", "question"
	case correction.NeedsPerson, correction.Stale:
		return "timeline__mark timeline__mark--warn", "warn"
	case correction.Rejected, correction.NotApplied, correction.NotSent:
		return "timeline__mark", "cross"
	case correction.Void:
		return "timeline__mark timeline__mark--warn", "lock"
	}
	return "timeline__mark", "bar"
}

// span is a duration as people say it.
func (p CorrectionProps) span(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return p.Page.F("%d 分钟", "%d min", int(d/time.Minute))
	}
	return p.Page.F("%d 秒", "%d s", int(d/time.Second))
}

// internals is the record in the words of the program, for those who may see it.
func (p CorrectionProps) internals() string {
	var b strings.Builder
	if !p.C.Veiled() {
		fmt.Fprintf(&b, "body sha256  %s\n", hex.EncodeToString(p.C.BodySHA256[:]))
	}
	fmt.Fprintf(&b, "base sha256  %s\n", hex.EncodeToString(p.C.BaseSHA256[:]))
	for _, e := range p.C.Events {
		d := e.Detail
		fmt.Fprintf(&b, "%d %s %s", e.N, p.Page.Full(e.At), e.State)
		for _, kv := range [][2]string{
			{"class", string(d.Class)}, {"cause", d.Cause}, {"finding", string(d.Finding)}, {"obstacle", string(d.Obstacle)}, {"alarm", d.Alarm},
			{"code", d.Code}, {"message", d.Message}, {"request_id", d.RequestID}, {"host", d.Host}, {"settled", string(d.Settled)}, {"ruling", string(d.Ruling)}, {"review", string(d.Review)},
		} {
			if kv[1] != "" {
				fmt.Fprintf(&b, " %s=%q", kv[0], kv[1])
			}
		}
		for _, kv := range []struct {
			name string
			n    int64
		}{{"status", int64(d.Status)}, {"took_ms", d.TookMS}, {"sign_ms", d.SignMS}, {"read_ms", d.ReadMS}, {"skew_ms", d.SkewMS}, {"agrees", int64(d.Agrees)}} {
			if kv.n != 0 {
				fmt.Fprintf(&b, " %s=%d", kv.name, kv.n)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
