package correction

// ChangeKind is what happened to one line.
type ChangeKind string

// Kinds of changes.
const (
	Unchanged ChangeKind = "same"
	Changed   ChangeKind = "changed"
	Added     ChangeKind = "added"
	Removed   ChangeKind = "removed"
)

// Change is one line before and after. Before is the zero Line when Added, After
// when Removed.
type Change struct {
	Kind          ChangeKind
	Before, After Line
}

// Delta is what the change does to the sum of the list it belongs to; HiddenAmount when it is
// kept from who reads.
func (c Change) Delta() Fen {
	if c.After.Amount.IsHidden() {
		return HiddenAmount
	}
	return c.After.normalised().Amount - c.Before.normalised().Amount
}

// Pair finds for each line of before the line of after that stands for the same, or
// -1: first lines that are the same, then lines of the same name and description,
// then of the same name, each in order. Positions matter only between lines that
// nothing else tells apart.
func Pair(before, after []Line) []int {
	pair := make([]int, len(before))
	for i := range pair {
		pair[i] = -1
	}
	taken := make([]bool, len(after))
	match := func(same func(a, b Line) bool) {
		for i, b := range before {
			if pair[i] >= 0 {
				continue
			}
			for j, a := range after {
				if !taken[j] && same(b, a) {
					pair[i], taken[j] = j, true
					break
				}
			}
		}
	}
	match(Line.Same)
	match(func(a, b Line) bool { return a.Name == b.Name && a.Description == b.Description })
	match(func(a, b Line) bool { return a.Name == b.Name })
	return pair
}

// Diff compares two lists by the identity of Pair. The result follows before; added
// lines come last.
func Diff(before, after []Line) []Change {
	added := make([]bool, len(after))
	for j := range added {
		added[j] = true
	}
	var out []Change
	for i, j := range Pair(before, after) {
		b := before[i]
		if j < 0 {
			out = append(out, Change{Kind: Removed, Before: b})
			continue
		}
		added[j] = false
		kind := Changed
		if b.Same(after[j]) {
			kind = Unchanged
		}
		out = append(out, Change{Kind: kind, Before: b, After: after[j]})
	}
	for j, a := range after {
		if added[j] {
			out = append(out, Change{Kind: Added, After: a})
		}
	}
	return out
}
