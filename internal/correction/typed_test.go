package correction

import (
	"slices"
	"strings"
	"testing"
)

// dropped are characters that come along with what people paste, blanks included.
var dropped = []string{
	"\u00a0", "\u202f", "\u3000", "\u2007", "\u2009", "\u205f", "\t", "\r\n", "\u2028", "\u0085", // blanks
	"\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u200f", "\u061c", "\u202a", "\u202c", "\u202d", "\u2066", "\u2068", "\u2069",
	"\u2061", "\u2064", "\u206a", "\u180e", "\ufe0f", "\ufe00", "\u034f", "\u3164", "\uffa0", "\u115f", "\u1160", "\u2800", "\ufff9",
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

func TestTyped_WhatCannotBeSeenIsNoPartOfANumber(t *testing.T) {
	t.Parallel()
	for _, x := range dropped {
		around := func(s string) []string {
			out := []string{x + s, s + x, x + x + s + x}
			if !isBlank(x) {
				r := []rune(s)
				out = append(out, string(r[:1])+x+string(r[1:]))
			}
			return out
		}
		for _, typed := range around("12.50") {
			if got, err := ParseYuan(typed); got != 1250 || err != nil {
				t.Errorf("amount %q: %s, %v", typed, got, err)
			}
		}
		for _, typed := range around("¥１２．５") {
			if got, err := ParseYuan(typed); got != 1250 || err != nil {
				t.Errorf("amount %q: %s, %v", typed, got, err)
			}
		}
		for _, typed := range around("12.5%") {
			if got, ok := ParsePercent(typed); got != 125 || !ok {
				t.Errorf("share %q: %d", typed, got)
			}
		}
		for _, typed := range around("PB_20261123|0*9-9") {
			if got := CleanNumber(typed); got != "PB_20261123|0*9-9" {
				t.Errorf("order %q: %q", typed, got)
			}
		}
		base := payable(50000, nil, nil)
		for i, count := range around("12") {
			f := Form{
				Lines:      []FormLine{{Name: x + "餐费" + x, Amount: around("400")[i], Count: count, Description: x + "4 人" + x}, {Index: 1, Name: x, Amount: x, Count: x, Description: x}},
				Device:     Device{Start: around("XQ-0718")[i], End: around("XQ-0719")[i], Materiel: around("https://example.com/a")[i]},
				ReasonCode: around("complaint")[i], Reason: x + "已核实" + x, Ticket: around("TS-20261123")[i], Note: x + "店长同意" + strings.Trim(x, "\ufe0f\u200d"),
			}
			c := DefaultPolicy().Check(f, base, Offering{})
			want := []Line{{Name: "餐费", Description: "4 人", Amount: 40000, HasAmount: true, Count: 12}}
			if !c.OK() || !slices.Equal(c.Lines, want) || c.Device != (Device{"XQ-0718", "XQ-0719", "https://example.com/a"}) ||
				c.Outgoing != "已核实" || c.Ticket != "TS-20261123" || c.Note != "店长同意" || c.Reason.Code != "complaint" {
				t.Errorf("%q: %q %+v", x, problems(c), c)
			}
			f = Form{Lines: []FormLine{{Name: "餐费", Description: "一餐"}}, Total: around("400.00")[i], ReasonCode: "complaint"}
			if c := DefaultPolicy().Check(f, base, Offering{}); !c.OK() || c.Total != 40000 {
				t.Errorf("total %q: %q", f.Total, problems(c))
			}
		}
	}
}

func TestTyped_WhatIsNotDroppedIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	text := func(field string, count int, r string) Notice {
		return Notice{Field: field, Code: BadCharacter, Text: r, Count: count}
	}
	for _, x := range []struct {
		r, name string
		text    bool // named in text; numbers drop it
	}{
		{"\u202e", "U+202E", false}, {"\u202b", "U+202B", false}, {"\u2067", "U+2067", false}, {"\x00", "U+0000", false}, {"\x1b", "U+001B", false},
		{"\u200b", "U+200B", true}, {"\ufeff", "U+FEFF", true}, {"\u00ad", "U+00AD", true}, {"\u2060", "U+2060", true}, {"\ufe0f", "U+FE0F", true}, {"\u3164", "U+3164", true},
	} {
		f := Form{
			Lines:      []FormLine{{Name: "餐" + x.r + "费", Amount: "4" + x.r + "00", Count: "1" + x.r, Description: "四人用" + x.r + "餐"}},
			Device:     Device{Start: "XQ" + x.r + "-0718"},
			ReasonCode: "complaint", Reason: "已" + x.r + "核实", Ticket: "T" + x.r + "1", Note: "店" + x.r + "长",
		}
		want := []Notice{
			text("post_payments.0.name", 1, x.name), text("post_payments.0.description", 3, x.name), text("reason", 1, x.name),
		}
		if x.r != "\ufe0f" { // part of emoji, which a note may hold
			want = append(want, text("note", 1, x.name))
		}
		if !x.text {
			want = append(want, text("post_payments.0.amount", 1, x.name), text("post_payments.0.count", 1, x.name),
				text("device.start_device_id", 2, x.name), text("ticket", 1, x.name))
		}
		got := DefaultPolicy().Check(f, payable(50000, nil, nil), Offering{}).Problems
		for _, w := range want {
			if !slices.ContainsFunc(got, func(n Notice) bool {
				return n.Field == w.Field && n.Code == w.Code && n.Text == w.Text && n.Count == w.Count
			}) {
				t.Errorf("%s: no %+v among %+v", x.name, w, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d problems, want %d: %+v", x.name, len(got), len(want), got)
		}
	}
}

func TestCleanNote_KeepsEmojiWhole(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"谢谢❤️", "👨‍👩‍👧 来电", "☎️"} {
		if got, n := CleanNote(s, 20); got != s || n.Code != "" {
			t.Errorf("%q: %q %+v", s, got, n)
		}
	}
}
