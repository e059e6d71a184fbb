package correction

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func amountLine(name string, amount Fen) Line {
	return Line{Name: name, Amount: amount, HasAmount: true}
}

func TestDiff_PairsByIdentityNotByPosition(t *testing.T) {
	t.Parallel()
	a, b, c := amountLine("甲", 100), amountLine("乙", 200), amountLine("丙", 300)
	cola2 := Line{Name: RepeatableName, Description: "可乐", Amount: 600, HasAmount: true, Count: 2}
	cola1 := Line{Name: RepeatableName, Description: "可乐", Amount: 300, HasAmount: true, Count: 1}
	sprite := Line{Name: RepeatableName, Description: "雪碧", Amount: 300, HasAmount: true, Count: 1}
	lower := amountLine("乙", 150)
	one := b
	one.Count = 1
	for name, x := range map[string]struct {
		before, after []Line
		want          []Change
	}{
		"nothing":                           {nil, nil, nil},
		"same":                              {[]Line{a, b}, []Line{a, b}, []Change{{Unchanged, a, a}, {Unchanged, b, b}}},
		"swapped":                           {[]Line{a, b}, []Line{b, a}, []Change{{Unchanged, a, a}, {Unchanged, b, b}}},
		"one changed":                       {[]Line{a, b, c}, []Line{c, lower, a}, []Change{{Unchanged, a, a}, {Changed, b, lower}, {Unchanged, c, c}}},
		"count 1 is no count":               {[]Line{b}, []Line{one}, []Change{{Unchanged, b, one}}},
		"removed":                           {[]Line{a, b, c}, []Line{a, c}, []Change{{Unchanged, a, a}, {Removed, b, Line{}}, {Unchanged, c, c}}},
		"added":                             {[]Line{a}, []Line{c, a}, []Change{{Unchanged, a, a}, {Added, Line{}, c}}},
		"all new":                           {[]Line{a}, []Line{b}, []Change{{Removed, a, Line{}}, {Added, Line{}, b}}},
		"from nothing":                      {nil, []Line{a}, []Change{{Added, Line{}, a}}},
		"one of two products":               {[]Line{cola2, sprite}, []Line{sprite, cola1}, []Change{{Changed, cola2, cola1}, {Unchanged, sprite, sprite}}},
		"one product removed":               {[]Line{cola2, sprite}, []Line{sprite}, []Change{{Removed, cola2, Line{}}, {Unchanged, sprite, sprite}}},
		"one of two equal products removed": {[]Line{cola1, cola1}, []Line{cola1}, []Change{{Unchanged, cola1, cola1}, {Removed, cola1, Line{}}}},
		"an equal line is not taken by a similar one": {[]Line{cola2, cola1}, []Line{cola1}, []Change{{Removed, cola2, Line{}}, {Unchanged, cola1, cola1}}},
		"renamed product": {[]Line{cola1}, []Line{sprite}, []Change{{Changed, cola1, sprite}}},
	} {
		if got := Diff(x.before, x.after); !slices.Equal(got, x.want) {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
}

func TestDiff_DeltaOfALine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change Change
		want   Fen
	}{
		{Change{Changed, amountLine("a", 300), amountLine("a", 100)}, -200},
		{Change{Removed, amountLine("a", 300), Line{}}, -300},
		{Change{Added, Line{}, amountLine("a", 300)}, 300},
		{Change{Changed, Line{Name: "a", Amount: 7}, amountLine("a", 5)}, 5}, // 7 is not an amount
	} {
		if got := c.change.Delta(); got != c.want {
			t.Errorf("%+v: %d, want %d", c.change, got, c.want)
		}
	}
}

func genLines() *rapid.Generator[[]Line] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Line {
		return Line{
			Name:        rapid.SampledFrom([]string{"甲", "乙", RepeatableName}).Draw(t, "name"),
			Description: rapid.SampledFrom([]string{"", "可乐", "雪碧"}).Draw(t, "description"),
			Amount:      Fen(rapid.Int64Range(0, 3).Draw(t, "amount")),
			HasAmount:   rapid.Bool().Draw(t, "has amount"),
			Count:       rapid.IntRange(0, 2).Draw(t, "count"),
		}
	}), 0, 7)
}

func TestDiff_AppliedToBeforeGivesAfter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, after := genLines().Draw(t, "before"), genLines().Draw(t, "after")
		var was, is []Line
		var delta Fen
		for _, c := range Diff(before, after) {
			delta += c.Delta()
			if c.Kind != Added {
				was = append(was, c.Before)
			}
			if c.Kind != Removed {
				is = append(is, c.After)
			}
			same := c.Before.Same(c.After)
			if (c.Kind == Unchanged) != same && c.Kind != Added && c.Kind != Removed {
				t.Fatalf("%+v", c)
			}
		}
		if !slices.Equal(was, before) || !SameLines(is, after) {
			t.Fatalf("before %+v, after %+v", was, is)
		}
		sumBefore, _ := sumLines(before)
		sumAfter, _ := sumLines(after)
		if delta != sumAfter-sumBefore {
			t.Fatalf("the deltas make %d, the sums differ by %d", delta, sumAfter-sumBefore)
		}
	})
}

func TestDiff_ReorderingIsNoChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before := genLines().Draw(t, "before")
		after := rapid.Permutation(before).Draw(t, "after")
		for _, c := range Diff(before, after) {
			if c.Kind != Unchanged {
				t.Fatalf("%+v", c)
			}
		}
		if !SameLines(before, after) {
			t.Fatal("SameLines minds the order")
		}
	})
}

func TestSameLines_CountsEachLineOnce(t *testing.T) {
	t.Parallel()
	a, b := amountLine("甲", 1), amountLine("乙", 2)
	none := Line{Name: "甲"}
	zero := Line{Name: "甲", HasAmount: true}
	for _, c := range []struct {
		x, y []Line
		want bool
	}{
		{nil, nil, true}, {nil, []Line{}, true}, {[]Line{a, b}, []Line{b, a}, true}, {[]Line{a, a, b}, []Line{a, b, b}, false},
		{[]Line{a}, []Line{a, a}, false}, {[]Line{a}, nil, false}, {[]Line{none}, []Line{zero}, false}, {[]Line{a}, []Line{amountLine("甲", 2)}, false},
		{[]Line{{Name: "甲", Count: 1}}, []Line{none}, true}, {[]Line{{Name: "甲", Count: 2}}, []Line{none}, false},
		{[]Line{{Name: "甲", Description: "x"}}, []Line{none}, false},
	} {
		if SameLines(c.x, c.y) != c.want || SameLines(c.y, c.x) != c.want {
			t.Errorf("SameLines(%+v, %+v) is not %v both ways", c.x, c.y, c.want)
		}
	}
}
