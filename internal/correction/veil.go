package correction

import (
	"context"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A correction in the top tier is decided blind: whoever may decide types the new total
// themselves, so they see it nowhere until somebody has decided (product.md §4.16). This
// file says from whom what is kept; every read for a person passes through it.

// HiddenAmount stands in place of an amount that is kept from who reads. It is no amount: it
// must not be reckoned with, and prints as three stars.
const HiddenAmount Fen = math.MinInt64 / 2

// IsHidden reports whether the amount is kept from who reads.
func (f Fen) IsHidden() bool { return f == HiddenAmount }

// hiddenText is how HiddenAmount prints, and what stands in texts in place of a number.
const hiddenText = "***"

// Undecided is a correction that nobody has decided about, as far as a veil depends on it.
type Undecided struct {
	ID                     int64
	SubMchID, OutOrderNo   string
	AuthorID               int64
	Base, Target           Fen
	First                  Fen // what the order amounted to before anybody's first correction of it; 0: this is the first
	State                  State
	Blind                  bool // it was in the top tier when it was prepared or submitted
	Outgoing, Ticket, Note string
}

// Veil says what is kept from one person. The zero value keeps nothing.
type Veil struct {
	Viewer int64 // who may decide; 0: nobody, so nothing is kept
	From   Fen   // reductions of the top tier, as it is now; 0: there is none
}

// Over returns those of the undecided corrections that the veil keeps: in the top tier
// now or when they were prepared or submitted, and of somebody else. What lapsed before
// anybody decided is kept as long as another one of its order is: it asked for much the
// same.
func (v Veil) Over(list []Undecided) map[int64]Undecided {
	if v.Viewer == 0 {
		return nil
	}
	type order struct{ subMchID, outOrderNo string }
	out, orders := map[int64]Undecided{}, map[order]bool{}
	for _, u := range list {
		if u.State.undecided() && u.AuthorID != v.Viewer && (u.Blind || v.From > 0 && GivenUp(u.First, u.Base, u.Target) >= v.From) {
			out[u.ID], orders[order{u.SubMchID, u.OutOrderNo}] = u, true
		}
	}
	for _, u := range list {
		if u.AuthorID != v.Viewer && orders[order{u.SubMchID, u.OutOrderNo}] {
			out[u.ID] = u
		}
	}
	return out
}

// undecided reports whether a second person may still decide about a correction.
func (s State) undecided() bool { return s == Prepared || s == Awaiting }

// Masked returns the texts that are searched, without the amounts that tell.
func (u Undecided) Masked() (outgoing, ticket, note string) {
	m := newMask(u.Base, u.Target)
	return m.text(u.Outgoing), m.equals(u.Ticket), m.text(u.Note)
}

// topFrom is from where the top tier counts; 0 when there is none.
func topFrom(tiers []Tier) Fen {
	if len(tiers) == 0 {
		return 0
	}
	return tiers[len(tiers)-1].From
}

// Blind reports whether the correction was in the top tier when it was prepared or
// submitted. Tiers that are edited later do not lift the veil.
func (c Correction) Blind() bool {
	return slices.ContainsFunc(c.Events, func(e Event) bool { return e.Detail.Blind })
}

// VeilFor is the veil of the actor. It falls on everybody who could come to decide, not
// only on those whom the tier names now: tiers and limits can be edited.
func (s *Service) VeilFor(ctx context.Context, a Actor) (Veil, error) {
	if !a.Can(Approve) {
		return Veil{}, nil
	}
	set, err := s.Settings(ctx)
	return Veil{Viewer: a.UserID, From: topFrom(set.Tiers)}, err
}

// veiled reads what is kept from the actor. It is read after what it is to hide: a
// correction that was decided in between may be shown.
func (s *Service) veiled(ctx context.Context, a Actor) (map[int64]Undecided, error) {
	v, err := s.VeilFor(ctx, a)
	if err != nil || v.Viewer == 0 {
		return nil, err
	}
	list, err := s.Store.Undecided(ctx, v.From)
	return v.Over(list), err
}

// mayBeVeiled reports whether a correction that stands so can be kept from anybody.
func mayBeVeiled(state State, approver int64) bool {
	switch state {
	case Prepared, Awaiting:
		return true
	}
	return approver == 0 && !state.Effective() && state.Final()
}

// VeilRows keeps from the actor what they may not see of rows, in place.
func (s *Service) VeilRows(ctx context.Context, a Actor, rows []Summary) error {
	if !slices.ContainsFunc(rows, func(r Summary) bool { return mayBeVeiled(r.State, r.ApproverID) }) {
		return nil
	}
	kept, err := s.veiled(ctx, a)
	if err != nil {
		return err
	}
	for i := range rows {
		if _, ok := kept[rows[i].ID]; ok {
			rows[i] = rows[i].veiled()
		}
	}
	return nil
}

// VeilOf keeps from the actor what they may not see of a correction.
func (s *Service) VeilOf(ctx context.Context, a Actor, c Correction) (Correction, error) {
	if d, _ := c.Decision(); !mayBeVeiled(c.State, d.ActorID) {
		return c, nil
	}
	kept, err := s.veiled(ctx, a)
	if err != nil {
		return Correction{}, err
	}
	if _, ok := kept[c.ID]; !ok {
		return c, nil
	}
	return c.veiled()
}

// veiled is the row without what tells the new total.
func (s Summary) veiled() Summary {
	m := newMask(s.BaseTotal, s.Target)
	s.Target = HiddenAmount
	s.Outgoing, s.Ticket, s.Note, s.Reason.Outgoing = m.text(s.Outgoing), m.equals(s.Ticket), m.text(s.Note), m.text(s.Reason.Outgoing)
	s.Devices = m.equals(s.Devices)
	return s
}

// Veiled reports whether the new total is kept from who reads.
func (s Summary) Veiled() bool { return s.Target.IsHidden() }

// Veiled reports whether the new total is kept from who reads.
func (c Correction) Veiled() bool { return c.Target.IsHidden() }

// Request is what is sent, read from the stored bytes; of a veiled correction, what is
// left of it.
func (c Correction) Request() (Request, error) {
	if c.left != nil {
		return *c.left, nil
	}
	return ParseBody(c.Body)
}

// veiled is the correction without what tells the new total: target, bytes and their
// hash, out of which a total can be guessed, typed totals, the amounts of whatever
// changes, and numbers in texts. Of the lines one sees which are touched and how their
// texts change. A line that is taken away looks like one that is lowered: that nothing
// else changes would give the total away.
func (c Correction) veiled() (Correction, error) {
	r, err := ParseBody(c.Body)
	if err != nil {
		return Correction{}, err
	}
	changes := [2][]Change{Diff(c.Base.Lines, r.Lines), Diff(c.Base.Discounts, r.Discounts)}
	secret := []Fen{}
	for _, list := range changes {
		for _, x := range list {
			if x.Kind != Unchanged {
				secret = append(secret, x.After.Amount, max(x.Delta(), -x.Delta()))
			}
		}
	}
	m := newMask(c.Base.Total, c.Target, secret...)
	shown := func(list []Change) []Line {
		var out []Line
		for _, x := range list {
			l := x.After
			switch {
			case x.Kind == Unchanged:
				out = append(out, l)
				continue
			case x.Kind == Removed:
				l = x.Before
			}
			if l.Name != x.Before.Name { // what the order says already is no secret
				l.Name = m.text(l.Name)
			}
			if l.Description != x.Before.Description {
				l.Description = m.text(l.Description)
			}
			if l.HasAmount || x.Before.HasAmount {
				l.Amount, l.HasAmount = HiddenAmount, true
			}
			out = append(out, l)
		}
		return out
	}
	r.Lines, r.Discounts, r.Total = shown(changes[0]), shown(changes[1]), HiddenAmount
	r.Reason = m.text(r.Reason)
	r.Device = Device{Start: m.equals(r.Device.Start), End: m.equals(r.Device.End), Materiel: m.equals(r.Device.Materiel)}
	c.left = &r
	c.Target, c.Body, c.BodySHA256, c.ConfirmHash, c.ConfirmNonce = HiddenAmount, nil, [32]byte{}, [32]byte{}, nil
	c.Ticket, c.Note, c.Reason.Outgoing = m.equals(c.Ticket), m.text(c.Note), m.text(c.Reason.Outgoing)
	c.Warnings = nil // they may quote amounts
	c.Events = slices.Clone(c.Events)
	for i := range c.Events {
		d := &c.Events[i].Detail
		d.Typed, d.BodySHA256, d.Text = "", "", m.text(d.Text)
	}
	return c, nil
}

// mask takes numbers out of texts.
type mask struct{ secret map[string]bool }

// newMask takes out the new total, what is given up, the total as it is, which may be the
// same, and the other amounts, however they are written.
func newMask(base, target Fen, others ...Fen) mask {
	m := mask{secret: map[string]bool{}}
	for _, f := range append(others, target, base-target, base) {
		if f <= 0 {
			continue
		}
		m.secret[plainNumber(f.Yuan())] = true
		m.secret[strconv.FormatInt(int64(f), 10)] = true
	}
	return m
}

// plainNumber is a number without thousands separators and without zeros that say nothing.
func plainNumber(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == ',' || r == '\'' {
			return -1
		}
		return r
	}, s)
	whole, frac, _ := strings.Cut(s, ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if frac = strings.TrimRight(frac, "0"); frac != "" {
		whole += "." + frac
	}
	return whole
}

var (
	numbers = regexp.MustCompile(`[0-9]+(?:[,'][0-9]{3})*(?:\.[0-9]+)?`)
	// In words a number is an amount before a unit only.
	spelled = regexp.MustCompile(`[〇零一二两三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟萬億半点點]+(?:块|元|圆|塊|圓|角|毛|分钱|折|成)(?:[〇零一二两三四五六七八九壹贰叁肆伍陆柒捌玖](?:角|毛|分)?)*`)
	signed  = regexp.MustCompile(`(?i)(?:¥|￥|rmb|cny|\$|百分之)\s*$`)
	unit    = regexp.MustCompile(`(?i)^\s*(?:元|圆|圓|块|塊|角|毛|分钱|钱|折|成|万|千|百|yuan|rmb|cny|fen|kuai|%|％|percent)`)
	other   = regexp.MustCompile(`(?i)^\s*(?:个?小时|时|分钟|分(?:[^钱]|$)|秒|天|日|公里|千米|米|度|kwh|km|hours?\b|hrs?\b|h\b|min|days?\b|次|个|件|台|人)`)
)

// text replaces every number that is an amount by its looks, or equal to a secret one.
func (m mask) text(s string) string {
	wide := narrow(s)
	out := m.replace(s, wide, func(before, number, after string) bool {
		switch {
		case signed.MatchString(before), unit.MatchString(after):
			return true
		case other.MatchString(after) && len(number) < tellingDigits:
			return false
		}
		return m.secret[plainNumber(number)] || strings.ContainsAny(number, ".,'")
	})
	return spelled.ReplaceAllString(out, hiddenText)
}

// tellingDigits is from how many digits on a number that equals an amount is hardly equal
// by chance.
const tellingDigits = 5

// equals replaces the numbers that are equal to a secret one, in what names things.
func (m mask) equals(s string) string {
	return m.replace(s, narrow(s), func(_, number, _ string) bool {
		return len(number) >= tellingDigits && m.secret[plainNumber(number)]
	})
}

// replace goes through the numbers of s, found in narrow, which has the same characters.
func (m mask) replace(s, narrow string, hides func(before, number, after string) bool) string {
	at := numbers.FindAllStringIndex(narrow, -1)
	if at == nil {
		return s
	}
	runes, from, done := []rune(s), 0, 0
	var b strings.Builder
	for _, x := range at {
		if !hides(narrow[:x[0]], narrow[x[0]:x[1]], narrow[x[1]:]) {
			continue
		}
		start := from + utf8.RuneCountInString(narrow[done:x[0]])
		end := start + utf8.RuneCountInString(narrow[x[0]:x[1]])
		b.WriteString(string(runes[from:start]))
		b.WriteString(hiddenText)
		from, done = end, x[1]
	}
	b.WriteString(string(runes[from:]))
	return b.String()
}

// narrow is s with full-width digits and signs as ASCII, character by character.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '，' { // a comma of a sentence, unless digits stand around it
			return ','
		}
		if r == utf8.RuneError {
			return '?'
		}
		if r == '。' {
			return r
		}
		return halfWidth(r)
	}, s)
}
