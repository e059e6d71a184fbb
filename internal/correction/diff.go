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

// Delta is what the change does to the sum of the list it belongs to.
func (c Change) Delta() Fen { return c.After.normalised().Amount - c.Before.normalised().Amount }

// Diff pairs the lines of two lists by identity: first lines that are the same,
// then lines of the same name and description, then of the same name, each in
// order. Positions matter only between lines that nothing else tells apart. The
// result follows before; added lines come last.
func Diff(before, after []Line) []Change {
	pair := make([]int, len(before)) // index in after, or -1
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
	var out []Change
	for i, b := range before {
		switch j := pair[i]; {
		case j < 0:
			out = append(out, Change{Kind: Removed, Before: b})
		case b.Same(after[j]):
			out = append(out, Change{Kind: Unchanged, Before: b, After: after[j]})
		default:
			out = append(out, Change{Kind: Changed, Before: b, After: after[j]})
		}
	}
	for j, a := range after {
		if !taken[j] {
			out = append(out, Change{Kind: Added, After: a})
		}
	}
	return out
}
