package correction

import (
	"slices"
	"strconv"
	"strings"
)

// Codes of problems; each blocks.
const (
	BadRequired     = "required"
	BadTooLong      = "too_long"
	BadCharacter    = "bad_character" // Text: the character by its number, such as U+200B
	BadEmoji        = "emoji"         // above U+FFFF
	BadUTF8         = "bad_utf8"
	BadYuan         = "yuan_syntax"
	BadThousands    = "yuan_thousands"
	BadDecimals     = "yuan_decimals"
	BadSign         = "yuan_sign"
	BadExponent     = "yuan_exponent"
	BadZeros        = "yuan_zeros"
	BadTooLarge     = "yuan_too_large"
	BadCount        = "count_range"
	BadContent      = "needs_content" // neither amount nor description
	BadDuplicate    = "duplicate_name"
	BadNoLines      = "no_lines"
	BadTooMany      = "too_many"
	BadNotLower     = "not_lower" // Amount: current total
	BadNegative     = "negative"
	BadAlone        = "discount_alone" // a discount with an amount while no line has one
	BadZero         = "zero_not_allowed"
	BadOverCap      = "over_cap"
	BadOverflow     = "overflow"
	BadUnchanged    = "unchanged"
	BadReasonCode   = "reason_code"
	BadNoteRequired = "note_required"
	BadDeviceTick   = "device_tick" // an empty device id must be ticked off
)

// Codes of warnings; none blocks.
const (
	WarnName             = "name_not_industry"
	WarnMissingName      = "name_missing"
	WarnOneOf            = "name_one_of"
	WarnNeedsAmount      = "needs_amount"
	WarnNoAmount         = "no_amount"
	WarnNeedsDescription = "needs_description"
	WarnNoDescription    = "no_description"
	WarnNeedsCount       = "needs_count"
	WarnNoCount          = "no_count"
	WarnFixedText        = "fixed_text"
	WarnPersonal         = "personal" // looks like a phone or id number
	WarnNoDevice         = "no_device"
	WarnURL              = "materiel_url"
)

// Checked is a form that was read: what it means, and everything that is wrong
// with it, all at once.
type Checked struct {
	Form      Form // amounts and texts as they were understood
	Lines     []Line
	Discounts []Line
	Device    Device
	Reason    Reason // the chosen code; zero when none
	Outgoing  string
	Ticket    string
	Note      string

	LineSum, DiscountSum Fen
	Summed               bool // some line has an amount: the total follows from the lines
	Total                Fen
	TotalKnown           bool // the amounts could be read, so Total means something

	Problems []Notice
	Warnings []Notice
}

// OK reports whether the form can become a correction.
func (c Checked) OK() bool { return len(c.Problems) == 0 }

// Check reads a form against the order it was opened on and the rules of its
// service (product.md §4). It is pure, reports every problem at once, and never
// reads a total that the lines determine.
func (p Policy) Check(f Form, base Order, svc Offering) Checked {
	c := Checked{Form: f}
	var lineIndex, discountIndex []int
	c.Form.Lines, c.Lines, lineIndex = c.rows("post_payments", f.Lines)
	c.Form.Discounts, c.Discounts, discountIndex = c.rows("post_discounts", f.Discounts)
	if len(c.Lines) == 0 {
		c.bad(Notice{Field: "post_payments", Code: BadNoLines})
	}
	if len(c.Lines) > MaxLines {
		c.bad(Notice{Field: "post_payments", Code: BadTooMany, Limit: MaxLines, Count: len(c.Lines)})
	}
	if len(c.Discounts) > MaxDiscounts {
		c.bad(Notice{Field: "post_discounts", Code: BadTooMany, Limit: MaxDiscounts, Count: len(c.Discounts)})
	}
	c.unique("post_payments", c.Lines, lineIndex)
	c.unique("post_discounts", c.Discounts, discountIndex)

	c.alone(f.Lines, discountIndex)

	amounts := !slices.ContainsFunc(c.Problems, func(n Notice) bool {
		return n.AmountUnread()
	})
	c.total(f, base, svc, amounts)
	c.texts(p)
	c.device(svc)

	if industry, ok := FindIndustry(svc.Industry); ok && (c.TotalKnown || !industry.byTotal()) {
		c.Warnings = append(c.Warnings, industry.warnings(c.Lines, lineIndex, c.Total)...)
	}
	return c
}

func (c *Checked) bad(n Notice) { c.Problems = append(c.Problems, n) }

func (c *Checked) hasProblem(suffix string) bool {
	for _, n := range c.Problems {
		if strings.HasSuffix(n.Field, suffix) {
			return true
		}
	}
	return false
}

// rows reads the rows of one list; empty rows are dropped. It returns the rows as
// understood, the lines, and the field index of each line.
func (c *Checked) rows(list string, rows []FormLine) ([]FormLine, []Line, []int) {
	var shown []FormLine
	var lines []Line
	var index []int
	for _, row := range rows {
		if row.Empty() {
			continue
		}
		field := func(name string) string { return lineField(list, row.Index, name) }
		l := Line{}
		l.Name, row.Name = c.text(field("name"), row.Name, MaxName, true)
		l.Description, row.Description = c.text(field("description"), row.Description, MaxDescription, false)
		amountBad := false
		if TrimBlank(row.Amount) != "" {
			if a, err := ParseYuan(row.Amount); err != nil {
				c.bad(yuanNotice(field("amount"), row.Amount, err))
				amountBad = true
			} else {
				l.Amount, l.HasAmount, row.Amount = a, true, a.Yuan()
			}
		} else {
			row.Amount = ""
		}
		if n := HalfWidth(row.Count); n != "" {
			v, err := strconv.Atoi(n)
			if strings.ContainsFunc(n, Hidden) {
				c.bad(hidden(field("count"), row.Count))
			} else if err != nil || !digits(n) || v < 1 || v > MaxCount {
				c.bad(Notice{Field: field("count"), Code: BadCount, Limit: MaxCount})
			} else {
				l.Count, row.Count = v, strconv.Itoa(v)
			}
		} else {
			row.Count = ""
		}
		switch {
		case list == "post_discounts" && !l.HasAmount && !amountBad: // judged by alone, which knows the lines
		case TrimBlank(row.Description) == "" && !l.HasAmount && !amountBad:
			c.bad(Notice{Field: field("amount"), Code: BadContent})
		}
		shown, lines, index = append(shown, row), append(lines, l), append(index, row.Index)
	}
	return shown, lines, index
}

// alone judges the amounts of the discounts by the lines. Where a line has an amount,
// each discount needs one. Where none has, no discount may have one: what WeChat adds
// up would be negative (product.md §4.18); a discount that the order has without an
// amount is sent again as it is.
func (c *Checked) alone(typed []FormLine, index []int) {
	unread := slices.ContainsFunc(typed, func(l FormLine) bool { return TrimBlank(l.Amount) != "" })
	for i, d := range c.Discounts {
		at := lineField("post_discounts", index[i], "amount")
		bad := slices.ContainsFunc(c.Problems, func(n Notice) bool { return n.Field == at })
		switch {
		case bad:
		case unread && !d.HasAmount:
			c.bad(Notice{Field: at, Code: BadRequired})
		case !unread && d.HasAmount:
			c.bad(Notice{Field: at, Code: BadAlone, Amount: d.Amount})
		case !unread && d.Description == "" && !d.HasAmount:
			c.bad(Notice{Field: lineField("post_discounts", index[i], "description"), Code: BadRequired})
		}
	}
}

func lineField(list string, index int, name string) string {
	return list + "." + strconv.Itoa(index) + "." + name
}

func (c *Checked) unique(list string, lines []Line, index []int) {
	seen := map[string]bool{}
	for i, l := range lines {
		if l.Name == "" || (list == "post_payments" && l.Name == RepeatableName) {
			continue
		}
		if seen[l.Name] {
			c.bad(Notice{Field: lineField(list, index[i], "name"), Code: BadDuplicate, Text: l.Name})
		}
		seen[l.Name] = true
	}
}

// total works out the new total (product.md §4.2–4.4).
func (c *Checked) total(f Form, base Order, svc Offering, amountsRead bool) {
	c.Summed = AnyAmount(c.Lines)
	c.Form.Total = WithoutHidden(f.Total)
	at := "total_amount"
	var err, err2 error
	c.LineSum, err = sumLines(c.Lines)
	c.DiscountSum, err2 = sumLines(c.Discounts)
	switch {
	case err != nil || err2 != nil:
		c.bad(Notice{Field: "post_payments", Code: BadOverflow})
		return
	case !amountsRead:
		return
	case c.Summed:
		c.Form.Total = ""
		c.Total = c.LineSum - c.DiscountSum // both within ±10^12
		at = "post_payments"
	case len(c.Lines) == 0:
		return
	case c.Form.Total == "":
		c.bad(Notice{Field: at, Code: BadRequired})
		return
	default:
		t, err := ParseYuan(f.Total)
		if err != nil {
			c.bad(yuanNotice(at, f.Total, err))
			return
		}
		c.Total, c.Form.Total = t, t.Yuan()
	}
	c.TotalKnown = true
	switch {
	case c.Total < 0:
		c.bad(Notice{Field: at, Code: BadNegative, Amount: c.Total})
	case c.Total >= base.Total:
		code := BadNotLower
		if c.Total == base.Total && SameLines(c.Lines, base.Lines) && SameLines(c.Discounts, base.Discounts) {
			code = BadUnchanged
		}
		c.bad(Notice{Field: at, Code: code, Amount: base.Total})
	default:
		if b, ok := svc.Judge(c.Total); !ok {
			c.bad(b.Notice(at))
		}
	}
}

func sumLines(lines []Line) (Fen, error) {
	amounts := make([]Fen, 0, len(lines))
	for _, l := range lines {
		if l.HasAmount {
			amounts = append(amounts, l.Amount)
		}
	}
	return Sum(amounts...)
}

func (c *Checked) texts(p Policy) {
	f := &c.Form
	f.ReasonCode = HalfWidth(f.ReasonCode)
	reason, known := FindReason(p.Reasons, f.ReasonCode)
	switch {
	case f.ReasonCode == "":
		c.bad(Notice{Field: "reason_code", Code: BadRequired})
	case !known:
		c.bad(Notice{Field: "reason_code", Code: BadReasonCode})
	default:
		c.Reason = reason
	}
	if TrimBlank(f.Reason) == "" {
		f.Reason = reason.Outgoing
	}
	// Without a code there is no text to compose: choosing one mends both.
	c.Outgoing, f.Reason = c.text("reason", f.Reason, MaxReason, known)
	if m := longDigits.FindString(HalfWidth(c.Outgoing)); m != "" {
		c.Warnings = append(c.Warnings, Notice{Field: "reason", Code: WarnPersonal, Text: m})
	}
	c.Ticket, f.Ticket = c.identifier("ticket", f.Ticket, MaxTicket)
	c.Note, f.Note = c.noteText("note", f.Note)
	if reason.NeedsNote && c.Note == "" && !c.hasProblem("note") {
		c.bad(Notice{Field: "note", Code: BadNoteRequired})
	}
}

func (c *Checked) device(svc Offering) {
	d, f := &c.Device, &c.Form.Device
	d.Start, f.Start = c.identifier("device.start_device_id", f.Start, MaxDeviceID)
	d.End, f.End = c.identifier("device.end_device_id", f.End, MaxDeviceID)
	d.Materiel, f.Materiel = c.identifier("device.materiel_no", f.Materiel, MaxMateriel)
	if d.Materiel != "" && !httpURL.MatchString(d.Materiel) {
		// A URL by the documents, yet their own sample is none (domain.md §9).
		c.Warnings = append(c.Warnings, Notice{Field: "device.materiel_no", Code: WarnURL})
	}
	industry, _ := FindIndustry(svc.Industry)
	if !industry.Unattended {
		return
	}
	for _, id := range []struct{ field, value string }{{"device.start_device_id", d.Start}, {"device.end_device_id", d.End}} {
		if id.value != "" || c.hasProblem(id.field) {
			continue
		}
		c.Warnings = append(c.Warnings, Notice{Field: id.field, Code: WarnNoDevice})
		if !c.Form.NoDevice && !c.hasProblem("no_device") {
			c.bad(Notice{Field: "no_device", Code: BadDeviceTick})
		}
	}
}

// text cleans one single-line text and reports what is wrong with it. It returns
// the value and what the field shows: the cleaned text when it is good, the typed
// one otherwise.
func (c *Checked) text(field, typed string, limit int, required bool) (value, shown string) {
	clean, n := CleanText(typed, limit)
	if n.Code == "" && clean == "" && required {
		n.Code = BadRequired
	}
	if n.Code != "" {
		n.Field = field
		c.bad(n)
		return clean, typed
	}
	return clean, clean
}

// identifier is text for a number of any kind: what cannot be seen is no part of it.
func (c *Checked) identifier(field, typed string, limit int) (value, shown string) {
	value, shown = c.text(field, WithoutHidden(typed), limit, false)
	if c.hasProblem(field) {
		shown = typed
	}
	return value, shown
}

// noteText is text that never leaves the house: it may have several lines and
// characters outside the basic plane.
func (c *Checked) noteText(field, typed string) (value, shown string) {
	clean, n := CleanNote(strings.ReplaceAll(typed, "\r\n", "\n"), MaxNote)
	if n.Code != "" {
		n.Field = field
		c.bad(n)
		return clean, typed
	}
	return clean, clean
}
