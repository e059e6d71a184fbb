package correction

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMerge_UntouchedFollowsTheOrderAndTouchedStays(t *testing.T) {
	t.Parallel()
	ln := func(name, description string, amount Fen) Line {
		return Line{Name: name, Description: description, Amount: amount, HasAmount: amount >= 0}
	}
	row := func(i int, name, description, amount string) FormLine {
		return FormLine{Index: i, Name: name, Description: description, Amount: amount}
	}
	then := []Line{ln("租车", "3天", 30000), ln("加油", "20升", 15000), ln("车损", "划痕", 8000)}
	for name, c := range map[string]struct {
		then, now []Line // then: as above when nil
		rows      []FormLine
		want      []FormLine
		clashes   []string
	}{
		"nothing touched, one amount moved": {
			now:  []Line{ln("租车", "3天", 30000), ln("加油", "20升", 12000), ln("车损", "划痕", 8000)},
			rows: rowsOf(then), want: []FormLine{row(0, "租车", "3天", "300.00"), row(1, "加油", "20升", "120.00"), row(2, "车损", "划痕", "80.00")},
		},
		"another line was touched": {
			now:  []Line{ln("租车", "3天", 30000), ln("加油", "20升", 12000), ln("车损", "划痕", 8000)},
			rows: []FormLine{row(0, "租车", "3天", "250"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "８０．００")},
			want: []FormLine{row(0, "租车", "3天", "250"), row(1, "加油", "20升", "120.00"), row(2, "车损", "划痕", "80.00")},
		},
		"both changed one amount": {
			now:  []Line{ln("租车", "3天", 28000), ln("加油", "20升", 15000), ln("车损", "划痕", 8000)},
			rows: []FormLine{row(0, "租车", "3天", "250"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")},
			want: []FormLine{row(0, "租车", "3天", "250"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")}, clashes: []string{"both post_payments.0.amount 300.00→280.00"},
		},
		"both changed it to the same": {
			now:  []Line{ln("租车", "3天", 25000), ln("加油", "20升", 15000), ln("车损", "划痕", 8000)},
			rows: []FormLine{row(0, "租车", "3天", "250"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")},
			want: []FormLine{row(0, "租车", "3天", "250"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")},
		},
		"the order changed the description, the form the amount": {
			now:  []Line{ln("租车", "2天", 30000), ln("加油", "20升", 15000), ln("车损", "划痕", 8000)},
			rows: []FormLine{row(0, "租车", "3天", "250"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")},
			want: []FormLine{row(0, "租车", "2天", "250"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")},
		},
		"removed in the form": {
			now:  []Line{ln("租车", "3天", 28000), ln("加油", "20升", 15000), ln("车损", "划痕", 8000)},
			rows: []FormLine{row(0, "租车", "3天", "300.00"), row(2, "车损", "划痕", "80.00")},
			want: []FormLine{row(0, "租车", "3天", "280.00"), row(2, "车损", "划痕", "80.00")},
		},
		"removed in the form, changed in the order": {
			now:  []Line{ln("租车", "3天", 30000), ln("加油", "20升", 12000), ln("车损", "划痕", 8000)},
			rows: []FormLine{row(0, "租车", "3天", "300.00"), {Index: 1}, row(2, "车损", "划痕", "80.00")},
			want: []FormLine{row(0, "租车", "3天", "300.00"), row(2, "车损", "划痕", "80.00")}, clashes: []string{"removed post_payments.1 150.00→120.00"},
		},
		"gone from the order, untouched": {
			now: []Line{ln("租车", "3天", 30000), ln("车损", "划痕", 8000)}, rows: rowsOf(then),
			want: []FormLine{row(0, "租车", "3天", "300.00"), row(1, "车损", "划痕", "80.00")},
		},
		"gone from the order, touched": {
			now:  []Line{ln("租车", "3天", 30000), ln("车损", "划痕", 8000)},
			rows: []FormLine{row(0, "租车", "3天", "300.00"), row(1, "加油", "20升", "100"), row(2, "车损", "划痕", "80.00")},
			want: []FormLine{row(0, "租车", "3天", "300.00"), row(1, "车损", "划痕", "80.00"), row(2, "加油", "20升", "100")}, clashes: []string{"gone post_payments.2 150.00→"},
		},
		"new in the order, and another line added in the form": {
			now:  append(slices.Clone(then), ln("违章", "闯红灯", 20000)),
			rows: append(rowsOf(then), row(7, "停运", "半天", "50")),
			want: append(rowsOf(then), row(3, "违章", "闯红灯", "200.00"), row(4, "停运", "半天", "50")),
		},
		"both added a line of one name": {
			now:  append(slices.Clone(then), ln("违章", "闯红灯", 20000)),
			rows: append(rowsOf(then), row(3, "违章", "闯红灯", "150")),
			want: append(rowsOf(then), row(3, "违章", "闯红灯", "150")), clashes: []string{"both post_payments.3.amount →200.00"},
		},
		"another order of lines": {
			now:  []Line{then[2], then[0], then[1]},
			rows: []FormLine{row(0, "租车", "3天", "250"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")},
			want: []FormLine{row(0, "车损", "划痕", "80.00"), row(1, "租车", "3天", "250"), row(2, "加油", "20升", "150.00")},
		},
		"products are known by their descriptions": {
			then: []Line{ln(RepeatableName, "可乐", 600), ln(RepeatableName, "雪碧", 300)},
			now:  []Line{ln(RepeatableName, "薯片", 500), ln(RepeatableName, "雪碧", 300)},
			rows: []FormLine{row(0, RepeatableName, "可乐", "3"), row(1, RepeatableName, "雪碧", "3.00")},
			want: []FormLine{row(0, RepeatableName, "薯片", "5.00"), row(1, RepeatableName, "雪碧", "3.00"), row(2, RepeatableName, "可乐", "3")}, clashes: []string{"gone post_payments.2 6.00→"},
		},
		"what cannot be read is touched": {
			now:  []Line{ln("租车", "3天", 28000), ln("加油", "20升", 15000), ln("车损", "划痕", 8000)},
			rows: []FormLine{row(0, "租车", "3天", "3x"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")},
			want: []FormLine{row(0, "租车", "3天", "3x"), row(1, "加油", "20升", "150.00"), row(2, "车损", "划痕", "80.00")}, clashes: []string{"both post_payments.0.amount 300.00→280.00"},
		},
		"a blank row that was added stays": {
			now: then, rows: append(rowsOf(then), FormLine{Index: 9}), want: append(rowsOf(then), FormLine{Index: 3}),
		},
	} {
		if c.then == nil {
			c.then = then
		}
		for _, discounts := range []bool{false, true} {
			if discounts && strings.HasPrefix(name, "products") {
				continue
			}
			a, b, f := Order{Lines: c.then}, Order{Lines: c.now}, Form{Lines: c.rows}
			list := "post_payments"
			if discounts {
				a, b, f, list = Order{Discounts: c.then}, Order{Discounts: c.now}, Form{Discounts: c.rows}, "post_discounts"
			}
			got := Merge(a, b, f)
			rows := got.Lines
			if discounts {
				rows = got.Discounts
			}
			if !slices.Equal(rows, c.want) {
				t.Errorf("%s: %+v, want %+v", name, rows, c.want)
			}
			var clashes []string
			for _, x := range Clashes(a, b, got) {
				clashes = append(clashes, string(x.Kind)+" "+strings.Replace(x.Field, list, "post_payments", 1)+" "+x.Then+"→"+x.Now)
			}
			if !slices.Equal(clashes, c.clashes) {
				t.Errorf("%s: conflicts %q, want %q", name, clashes, c.clashes)
			}
		}
	}
}

func TestClashes_OfATotalThatIsEnteredByItself(t *testing.T) {
	t.Parallel()
	said := []Line{{Name: "收费标准", Description: "2元/小时"}}
	then, now := Order{Lines: said, Total: 9900}, Order{Lines: said, Total: 5000}
	for total, want := range map[string]bool{"10": true, "": false, "50": false, "５０．００": false, "x": true} {
		got := Clashes(then, now, Merge(then, now, Form{Lines: rowsOf(said), Total: total}))
		if (len(got) == 1 && got[0] == Clash{Field: "total_amount", Kind: BothChanged, Then: "99.00", Now: "50.00"}) != want {
			t.Errorf("%q: %+v", total, got)
		}
	}
}

// Whatever the three are: an untouched form follows the order, an order that did not
// change leaves the form as it is, nothing that was typed is lost without being told, and
// what was merged once stays as it is.
func TestMerge_OfAnything(t *testing.T) {
	t.Parallel()
	line := rapid.Custom(func(t *rapid.T) Line {
		return Line{
			Name: rapid.SampledFrom([]string{"甲", "乙", "丙", RepeatableName}).Draw(t, "name"), Description: rapid.SampledFrom([]string{"", "一", "二"}).Draw(t, "description"),
			Amount: Fen(rapid.IntRange(1, 3).Draw(t, "amount")), HasAmount: true,
		}
	})
	key := func(l Line) string {
		if l.Name == RepeatableName {
			return l.Name + l.Description
		}
		return l.Name
	}
	lines := rapid.SliceOfNDistinct(line, 0, 4, key)
	rapid.Check(t, func(t *rapid.T) {
		then, now := Order{Lines: lines.Draw(t, "then")}, Order{Lines: lines.Draw(t, "now")}
		untouched := FormOf(then, Device{})
		if got := Merge(then, now, untouched); !slices.Equal(got.Lines, FormOf(now, Device{}).Lines) || len(Clashes(then, now, got)) != 0 {
			t.Fatalf("untouched: %+v, conflicts %+v", got.Lines, Clashes(then, now, got))
		}
		f := untouched
		f.Lines = slices.Clone(f.Lines)
		const typed = "7.77" // no order has it
		edited := map[string]bool{}
		for i := range f.Lines {
			if rapid.Bool().Draw(t, "edit") {
				f.Lines[i].Amount = typed
				edited[key(then.Lines[i])] = true
			}
		}
		f.Lines = slices.DeleteFunc(f.Lines, func(r FormLine) bool { return r.Amount != typed && rapid.Bool().Draw(t, "remove") })
		if got := Merge(then, then, f); !slices.Equal(got.Lines, f.Lines) || len(Clashes(then, then, got)) != 0 {
			t.Fatalf("the same order: %+v became %+v", f.Lines, got.Lines)
		}
		got := Merge(then, now, f)
		n := 0
		for _, r := range got.Lines {
			if r.Amount == typed {
				n++
			}
		}
		if n != len(edited) {
			t.Fatalf("%d typed amounts became %d: %+v", len(edited), n, got.Lines)
		}
		if again := Merge(now, now, got); !slices.Equal(again.Lines, got.Lines) {
			t.Fatalf("merged again: %+v became %+v", got.Lines, again.Lines)
		}
		for i, r := range got.Lines {
			if slices.ContainsFunc(got.Lines[:i], func(o FormLine) bool { return o.Index == r.Index }) {
				t.Fatalf("number %d twice: %+v", r.Index, got.Lines)
			}
		}
	})
}
