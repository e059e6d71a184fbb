package pages

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
)

// The two lists of a form, as its fields call them.
const (
	listLines     = "post_payments"
	listDiscounts = "post_discounts"
)

func fieldName(list string, index int, part string) string {
	return list + "." + strconv.Itoa(index) + "." + part
}

func rowKey(list string, index int) string { return list + "-" + strconv.Itoa(index) }

// at lists what is wrong at a field; nothing before the form was submitted.
func (p FormProps) at(field string) []string {
	if !p.ShowProblems {
		return nil
	}
	var out []string
	for _, n := range p.Summary.Checked.Problems {
		if p.anchor(n.Field) != field {
			continue
		}
		if field == n.Field && (strings.HasSuffix(field, ".amount") || strings.HasSuffix(field, ".count")) {
			out = append(out, i18n.BriefText(p.Page.Lang, n)) // a narrow column
		} else {
			out = append(out, p.problem(n))
		}
	}
	return out
}

// anchor is the field on the page where a problem is shown: without an amount
// column its problems belong to the description, and a total without a field to
// the lines.
func (p FormProps) anchor(field string) string {
	if field == "total_amount" && !p.asksTotalField() {
		return listLines
	}
	if rest, ok := strings.CutSuffix(field, ".amount"); ok && p.NoAmounts && strings.HasPrefix(field, listLines+".") {
		return rest + ".description"
	}
	return field
}

func (p FormProps) problem(n correction.Notice) string {
	l, c := p.Page.Lang, p.Summary.Checked
	switch {
	case n.Code == correction.BadNotLower && c.TotalKnown:
		return i18n.NotLowerText(l, c.Total, p.Summary.Current)
	case n.Code == correction.BadContent && p.NoAmounts:
		return l.T("写说明，不要这行就点“移除”", "Enter a description. To drop the line, use Remove")
	}
	return i18n.ProblemText(l, n)
}

// summaryItems are all problems for the list on top.
func (p FormProps) summaryItems() []components.SummaryItem {
	if !p.ShowProblems {
		return nil
	}
	var out []components.SummaryItem
	for _, n := range p.Summary.Checked.Problems {
		at := p.anchor(n.Field)
		out = append(out, components.SummaryItem{Href: "#" + at, Text: p.problemAt(at, n)})
	}
	return out
}

// problemAt is a problem with the name of its field, except where the sentence
// speaks of the total as a whole.
func (p FormProps) problemAt(field string, n correction.Notice) string {
	switch n.Code {
	case correction.BadNotLower, correction.BadZero, correction.BadNegative, correction.BadUnchanged, correction.BadOverCap, correction.BadNoLines:
		return p.problem(n)
	}
	return i18n.Labelled(p.Page.Lang, field, p.problem(n))
}

func (p FormProps) summaryTitle() string {
	if n := len(p.Summary.Checked.Problems); n != 1 {
		return p.Page.F("有 %d 处需要改正，还没有发给微信", "%d things to put right; nothing is sent yet", n)
	}
	return p.Page.T("有 1 处需要改正，还没有发给微信", "1 thing to put right; nothing is sent yet")
}

// asksTotalField reports whether the total is entered by itself: no line has an
// amount, and no amount is waiting to be put right.
func (p FormProps) asksTotalField() bool {
	c := p.Summary.Checked
	return p.NoAmounts || !c.Summed && len(c.Lines) > 0 &&
		!slices.ContainsFunc(c.Problems, func(n correction.Notice) bool {
			return n.AmountUnread()
		})
}

// showsCount reports whether the lines have a column for counts: a line without an
// amount says nothing by a count of one.
func (p FormProps) showsCount() bool {
	return !p.NoAmounts || slices.ContainsFunc(p.Lines, func(r Row) bool { return r.Form.Count != "" && r.Form.Count != "1" || r.Was.Count > 1 })
}

// lowers reports whether the amounts make a correction.
func (s SummaryProps) lowers() bool {
	return s.Checked.TotalKnown && s.Checked.Total >= 0 && s.Checked.Total < s.Current
}

// same reports whether the amounts come to what they were.
func (s SummaryProps) same() bool { return s.Checked.TotalKnown && s.Checked.Total == s.Current }

func (s SummaryProps) reduction() correction.Fen { return s.Current - s.Checked.Total }

// moneyProblems are those that keep the total from being known or right.
func (s SummaryProps) moneyProblems() []correction.Notice {
	var out []correction.Notice
	for _, n := range s.Checked.Problems {
		if n.Field == listLines || n.Field == listDiscounts || n.Field == "total_amount" || strings.HasSuffix(n.Field, ".amount") {
			out = append(out, n)
		}
	}
	return out
}

// warnings leaves out those about a field that has to be put right anyway.
func (p FormProps) warnings() []correction.Notice {
	var out []correction.Notice
	for _, w := range p.Summary.Checked.Warnings {
		if w.Code == correction.WarnNoCount && !p.showsCount() {
			continue // WeChat reports an absent count as 1, and there is no field to empty
		}
		if w.Code == correction.WarnNoDevice && slices.ContainsFunc(out, func(o correction.Notice) bool { return o.Code == w.Code }) {
			continue // both ids are missing: one sentence says it
		}
		if !slices.ContainsFunc(p.Summary.Checked.Problems, func(n correction.Notice) bool {
			return p.anchor(n.Field) == w.Field && w.Field != listLines && w.Code != correction.WarnPersonal
		}) {
			out = append(out, w)
		}
	}
	return out
}

// warningText names the field of a warning when it has one.
func (p FormProps) warningText(n correction.Notice) string {
	text := i18n.WarningText(p.Page.Lang, n)
	switch n.Code {
	case correction.WarnMissingName, correction.WarnOneOf:
		return text
	case correction.WarnNoDevice:
		if d := p.Summary.Checked.Device; d.Start == "" && d.End == "" {
			return i18n.Labelled(p.Page.Lang, "no_device", text)
		}
	}
	return i18n.Labelled(p.Page.Lang, n.Field, text)
}

// was says what a field held in the order, when it holds something else now.
func (p FormProps) was(list string, r Row, part string) string {
	if r.Kind == correction.Added || r.Kind == correction.Removed {
		return ""
	}
	if text := p.clashAt(fieldName(list, r.Form.Index, part)); text != "" {
		return text
	}
	was, now := "", ""
	switch part {
	case "name":
		was, now = r.Was.Name, correction.TrimBlank(r.Form.Name)
	case "description":
		was, now = r.Was.Description, correction.TrimBlank(r.Form.Description)
	case "count":
		was, now = lineCount(r.Was), correction.HalfWidth(r.Form.Count)
		if r.Was.Count <= 1 && (now == "" || now == "1") {
			return ""
		}
	case "amount":
		f, err := correction.ParseYuan(r.Form.Amount)
		if err == nil && r.Was.HasAmount && f == r.Was.Amount || !r.Was.HasAmount && correction.TrimBlank(r.Form.Amount) == "" {
			return ""
		}
		now = "?"
		if r.Was.HasAmount {
			was = r.Was.Amount.String()
		}
	}
	if was == now {
		return ""
	}
	if was == "" {
		return p.Page.T("原来没有", "was empty")
	}
	return p.Page.F("原 %s", "was %s", was)
}

// describedBy names what belongs to a field: its error first.
func (p FormProps) describedBy(field string, more ...string) string {
	var ids []string
	if len(p.at(field)) > 0 {
		ids = append(ids, field+"-e")
	}
	return strings.Join(append(ids, more...), " ")
}

// rowDelta is what a row does to the total: a discount works the other way round.
func rowDelta(list string, r Row) correction.Fen {
	if list == listDiscounts {
		return -r.Delta
	}
	return r.Delta
}

func (p FormProps) rowClass(list string, r Row) string {
	for _, part := range []string{"name", "amount", "count", "description"} {
		if len(p.at(fieldName(list, r.Form.Index, part))) > 0 {
			return "lines__row--error"
		}
	}
	switch r.Kind {
	case correction.Changed:
		return "lines__row--changed"
	case correction.Added:
		return "lines__row--added"
	case correction.Removed:
		return "lines__row--removed"
	}
	return "lines__row--same"
}

// nameOptions are the industry's names, with the row's own when it is another one.
func (p FormProps) nameOptions(name string) []string {
	if name == "" || slices.Contains(p.NameChoices, name) {
		return p.NameChoices
	}
	return append([]string{name}, p.NameChoices...)
}

func (p FormProps) reasonLength() int {
	return utf8.RuneCountInString(correction.TrimBlank(p.Form.Reason))
}

func (p FormProps) noteNeeded() bool { return p.Summary.Checked.Reason.NeedsNote }

func (p FormProps) ref() correction.Ref { return refOf(p.Base) }

func (p FormProps) listTitle(list string) string { return i18n.FieldLabel(p.Page.Lang, list) }

func (p FormProps) listNote(list string) string {
	switch {
	case list == listDiscounts && p.NoAmounts:
		return p.Page.T("明细没有金额，优惠也不能带金额；总额直接填写。移除的优惠不会再发给微信。", "No line has an amount, so no discount may have one; the total is entered by itself. A removed discount is no longer sent to WeChat.")
	case list == listDiscounts:
		return p.Page.T("从明细合计中减去。移除的优惠不会再发给微信。", "Taken off the lines total. A removed discount is no longer sent to WeChat.")
	case p.NoAmounts:
		return p.Page.T("不单列每行金额，总额直接填写。说明要和新总额对得上。", "No amount for each line: enter the total by itself, and make the descriptions fit it.")
	}
	return p.Page.T("填每行的合计金额。数量只用于展示，不参与计算。", "Enter the total of each line. Count is shown to the customer and multiplies nothing.")
}

// clashAt says what is in conflict at a field, or at a row as a whole; empty when nothing is.
func (p FormProps) clashAt(field string) string {
	for _, c := range p.Clashes {
		if c.Field == field {
			return p.clashText(c)
		}
	}
	return ""
}

func (p FormProps) clashText(c correction.Clash) string {
	amount := c.Field == "total_amount" || strings.HasSuffix(c.Field, ".amount") || c.Kind != correction.BothChanged
	show := func(s string) string {
		switch {
		case s == "":
			return p.Page.T("（空）", "(empty)")
		case amount:
			return "¥" + s
		}
		return s
	}
	switch c.Kind {
	case correction.YoursRemoved:
		if c.Then == c.Now {
			return p.Page.T("你移除了，订单后来改过这一行", "you removed it; the order changed this line since")
		}
		return p.Page.F("你移除了，订单后来从 %s 改成 %s", "you removed it; the order changed it from %s to %s", show(c.Then), show(c.Now))
	case correction.TheirsGone:
		return p.Page.T("订单里已经没有这一行，你改过，所以留着", "the order no longer has this line; you had changed it, so it is kept")
	}
	if c.Then == "" {
		return p.Page.F("订单现在是 %s", "the order has %s now", show(c.Now))
	}
	return p.Page.F("订单从 %s 改成了 %s", "the order went from %s to %s", show(c.Then), show(c.Now))
}

func (p FormProps) clashLabel(c correction.Clash) string {
	label := i18n.FieldLabel(p.Page.Lang, c.Field)
	list, rest, row := strings.Cut(c.Field, ".")
	if number, _, part := strings.Cut(rest, "."); row && !part {
		n, _ := strconv.Atoi(number)
		label = i18n.RowLabel(p.Page.Lang, list, n)
	}
	if c.Name != "" {
		label += " · " + c.Name
	}
	return label
}

// clashAnchor is where on the page a conflict is put right.
func (p FormProps) clashAnchor(c correction.Clash) string {
	list, rest, row := strings.Cut(c.Field, ".")
	if !row {
		return c.Field
	}
	number, part, ok := strings.Cut(rest, ".")
	switch {
	case ok && (part != "count" || list == listDiscounts || p.showsCount()):
		return c.Field
	case ok || c.Kind == correction.TheirsGone:
		return list + "." + number + ".description"
	}
	return list
}
