package correction

import (
	"slices"
	"strconv"
)

// A form that was filled in on an order that has changed since is carried over to the
// order as it is now: what was not touched follows the order, what was touched stays as
// it was typed. Where both changed the same, both are shown (Clashes). Nothing here
// decides about money: the person looks at the form, and Check judges it anew.

// Merge carries a form that was filled in on then over to now. The rows of the result
// have the numbers of now's lines.
func Merge(then, now Order, f Form) Form {
	out := f
	out.Lines = mergeRows("post_payments", then.Lines, now.Lines, f.Lines)
	out.Discounts = mergeRows("post_discounts", then.Discounts, now.Discounts, f.Discounts)
	return out
}

// rowOf finds the row of a number; nil when it was removed or emptied.
func rowOf(rows []FormLine, index int) *FormLine {
	i := slices.IndexFunc(rows, func(r FormLine) bool { return r.Index == index && !r.Empty() })
	if i < 0 {
		return nil
	}
	return &rows[i]
}

// sameLine pairs the lines of two readings of an order. Lines that may share a name
// (RepeatableName) are products: by their name alone they are not the same.
func sameLine(list string, then, now []Line) []int {
	pair := Pair(then, now)
	for i, j := range pair {
		if j >= 0 && !sameThing(list, then[i], now[j]) {
			pair[i] = -1
		}
	}
	return pair
}

func sameThing(list string, a, b Line) bool {
	return a.Name == b.Name && (a.Description == b.Description || list != "post_payments" || a.Name != RepeatableName)
}

func mergeRows(list string, then, now []Line, rows []FormLine) []FormLine {
	was, is := rowsOf(then), rowsOf(now)
	pair := sameLine(list, then, now)
	var out, added []FormLine
	taken := make([]bool, len(now))
	for i, j := range pair {
		row := rowOf(rows, i)
		if j >= 0 {
			taken[j] = true
		}
		switch {
		case row == nil: // removed, and stays so
		case j >= 0:
			out = append(out, mergeRow(was[i], is[j], *row))
		case touched(was[i], *row): // the order has it no more
			added = append(added, *row)
		}
	}
	// What came new to the order, and what was added here.
	fresh := map[int]FormLine{}
	for j := range now {
		if !taken[j] {
			fresh[j] = is[j]
		}
	}
	for _, row := range rows {
		if row.Index < len(then) {
			continue
		}
		if j := slices.IndexFunc(now, func(l Line) bool { return sameThing(list, lineAsTyped(row), l) }); j >= 0 && !taken[j] {
			taken[j] = true
			row.Index = j
			fresh[j] = row
			continue
		}
		added = append(added, row)
	}
	for _, row := range fresh {
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b FormLine) int { return a.Index - b.Index })
	for k, row := range added {
		row.Index = len(now) + k
		out = append(out, row)
	}
	return out
}

// lineAsTyped is a row as far as it can be read.
func lineAsTyped(row FormLine) Line {
	l := Line{}
	l.Name, _ = CleanText(row.Name, MaxName)
	l.Description, _ = CleanText(row.Description, MaxDescription)
	return l
}

// part is a field of a row.
type part struct {
	name string
	of   func(*FormLine) *string
	same func(a, b string) bool // whether two texts mean the same
}

var parts = []part{
	{"name", func(r *FormLine) *string { return &r.Name }, sameText},
	{"description", func(r *FormLine) *string { return &r.Description }, sameText},
	{"count", func(r *FormLine) *string { return &r.Count }, sameCount},
	{"amount", func(r *FormLine) *string { return &r.Amount }, sameYuan},
}

func sameText(a, b string) bool {
	x, _ := CleanText(a, len(a))
	y, _ := CleanText(b, len(b))
	return x == y
}

func sameCount(a, b string) bool { return countOf(a) == countOf(b) }

// countOf reads a count as WeChat does: an absent one is 1.
func countOf(s string) string {
	s = HalfWidth(s)
	if n, err := strconv.Atoi(s); err == nil {
		return strconv.Itoa(n)
	}
	if s == "" {
		return "1"
	}
	return s
}

func sameYuan(a, b string) bool {
	x, err := ParseYuan(a)
	y, err2 := ParseYuan(b)
	if err != nil || err2 != nil {
		return NormaliseYuan(a) == NormaliseYuan(b)
	}
	return x == y
}

// touched reports whether a row says something else than the line it stands for.
func touched(was, row FormLine) bool {
	return slices.ContainsFunc(parts, func(p part) bool { return !p.same(*p.of(&was), *p.of(&row)) })
}

// mergeRow takes over, part by part, what was not touched from the order as it is.
func mergeRow(was, is, row FormLine) FormLine {
	row.Index = is.Index
	for _, p := range parts {
		if typed := p.of(&row); p.same(*p.of(&was), *typed) {
			*typed = *p.of(&is)
		}
	}
	return row
}

// Clash is something that both the order and the person changed since the form was
// first filled in.
type Clash struct {
	Field string // API name of the form field; of a list's row without a part when it is the whole line
	Kind  ClashKind
	Then  string // what the order had; as yuan text where it is an amount
	Now   string // what the order has
	Name  string // of the line
}

// ClashKind says what is in conflict.
type ClashKind string

// Kinds of conflicts. A whole line is in conflict when one side took it out.
const (
	BothChanged  ClashKind = "both"    // a part of a line, or the total
	YoursRemoved ClashKind = "removed" // the form has no such line, the order changed it
	TheirsGone   ClashKind = "gone"    // the order has the line no more, the form changed it
)

// Clashes lists what is in conflict in a form of now that was first filled in on then,
// in the order of the form. It follows the form as it stands: what was put right is no
// conflict any more.
func Clashes(then, now Order, f Form) []Clash {
	out := rowClashes("post_payments", then.Lines, now.Lines, f.Lines)
	out = append(out, rowClashes("post_discounts", then.Discounts, now.Discounts, f.Discounts)...)
	if !AnyAmount(now.Lines) && TrimBlank(f.Total) != "" && then.Total != now.Total && !sameYuan(f.Total, now.Total.Yuan()) {
		out = append(out, Clash{Field: "total_amount", Kind: BothChanged, Then: then.Total.Yuan(), Now: now.Total.Yuan()})
	}
	return out
}

func rowClashes(list string, then, now []Line, rows []FormLine) []Clash {
	var out []Clash
	was, is := rowsOf(then), rowsOf(now)
	pair := sameLine(list, then, now)
	for i, j := range pair {
		if j < 0 {
			k := slices.IndexFunc(rows, func(r FormLine) bool {
				return r.Index >= len(now) && !r.Empty() && sameThing(list, lineAsTyped(r), then[i])
			})
			if k >= 0 {
				out = append(out, Clash{Field: list + "." + strconv.Itoa(rows[k].Index), Kind: TheirsGone, Then: was[i].Amount, Name: then[i].Name})
			}
			continue
		}
		row := rowOf(rows, j)
		if row == nil {
			if !then[i].Same(now[j]) {
				out = append(out, Clash{Field: list + "." + strconv.Itoa(j), Kind: YoursRemoved, Then: was[i].Amount, Now: is[j].Amount, Name: now[j].Name})
			}
			continue
		}
		for _, p := range parts {
			before, after, typed := *p.of(&was[i]), *p.of(&is[j]), *p.of(row)
			if !p.same(before, after) && !p.same(typed, after) {
				out = append(out, Clash{Field: lineField(list, j, p.name), Kind: BothChanged, Then: before, Now: after, Name: now[j].Name})
			}
		}
	}
	for j, l := range now { // lines that both added
		if row := rowOf(rows, j); row != nil && !slices.Contains(pair, j) {
			for _, p := range parts {
				if typed := *p.of(row); !p.same(typed, *p.of(&is[j])) {
					out = append(out, Clash{Field: lineField(list, j, p.name), Kind: BothChanged, Now: *p.of(&is[j]), Name: l.Name})
				}
			}
		}
	}
	return out
}
