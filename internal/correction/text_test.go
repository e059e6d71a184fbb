package correction

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestCleanText_CountsCodePointsAfterNormalising(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, want string
		limit          int
		code           string
		count          int
	}{
		{name: "Chinese at the limit", in: strings.Repeat("费", 20), want: strings.Repeat("费", 20), limit: 20},
		{name: "Chinese above the limit", in: strings.Repeat("费", 21), want: strings.Repeat("费", 21), limit: 20, code: BadTooLong, count: 21},
		{name: "longest official description", in: "还车后30天内按费用标准核查车损、违章等费用，按实际费用扣费",
			want: "还车后30天内按费用标准核查车损、违章等费用，按实际费用扣费", limit: 30},
		{name: "blanks around do not count", in: "\u3000 " + strings.Repeat("费", 20) + "\t\r\n", want: strings.Repeat("费", 20), limit: 20},
		{name: "blanks inside do", in: "费 " + strings.Repeat("费", 19), want: "费 " + strings.Repeat("费", 19), limit: 20, code: BadTooLong, count: 21},
		{name: "letter and accent compose to one", in: strings.Repeat("e\u0301", 20), want: strings.Repeat("é", 20), limit: 20},
		{name: "and one more is too many", in: strings.Repeat("e\u0301", 21), want: strings.Repeat("é", 21), limit: 20, code: BadTooLong, count: 21},
		{name: "Hangul composes", in: "\u1112\u1161\u11ab", want: "한", limit: 1},
		{name: "compatibility ideograph becomes the ordinary one", in: "\uf900", want: "豈", limit: 1},
		{name: "a mark that does not compose counts", in: "费\u0301", want: "费\u0301", limit: 1, code: BadTooLong, count: 2},
		{name: "empty", in: "", want: "", limit: 5},
		{name: "blank", in: " \u3000\n", want: "", limit: 5},
		{name: "last character of the basic plane in use", in: "\uffee", want: "\uffee", limit: 5},
	} {
		got, n := CleanText(c.in, c.limit)
		if got != c.want || n.Code != c.code || n.Count != c.count {
			t.Errorf("%s: CleanText(%q) = %q, %+v", c.name, c.in, got, n)
		}
		if c.code == BadTooLong && n.Limit != c.limit {
			t.Errorf("%s: limit %d, want %d", c.name, n.Limit, c.limit)
		}
	}
}

func TestCleanText_AllowsTwoCombiningMarksInARow(t *testing.T) {
	t.Parallel()
	if _, n := CleanText("x\u0323\u0304y\u0323\u0304", 20); n.Code != "" {
		t.Errorf("two marks: %+v", n)
	}
	if _, n := CleanText("x\u0323\u0304\u0308", 20); n.Code != BadCharacter || n.Text != "U+0308" {
		t.Errorf("three marks: %+v", n)
	}
	if _, n := CleanText("\u0301\u0302", 20); n.Code != BadRequired {
		t.Errorf("marks alone: %+v", n)
	}
}

func TestCleanText_RefusesWhatCannotBeSeen(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{
		0x00, 0x01, 0x09, 0x0a, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x9f, // controls
		0xad,                                                                                           // soft hyphen
		0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, // bidirectional
		0x200b, 0x200c, 0x200d, 0x2060, 0x2061, 0x2064, 0x206a, 0x206f, 0xfeff, // zero width
		0x2028, 0x2029, 0x0600, 0x06dd, 0x070f, 0xfff9, 0xfffb,
		0x034f, 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800, 0x17b4, 0x17b5, // fillers
		0x180b, 0x180d, 0x180e, 0xfe00, 0xfe0e, 0xfe0f, // variation selectors
		0xe000, 0xf8ff, // private use
		0xfdd0, 0xfdef, 0xfffe, 0xffff, // no characters
		0xfffd,                 // what bad bytes turn into
		0x0378, 0x2065, 0xfff0, // not assigned
	} {
		_, n := CleanText("费"+string(r)+"用", 20)
		if n.Code != BadCharacter || n.Text != charName(r) {
			t.Errorf("U+%04X: %+v", r, n)
		}
	}
}

func TestCleanText_RefusesWhatWeChatCannotCarry(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"😀", "费用👍", "\U00020000", "𝟏𝟐", "\U000e0001", "\U000f0000", "\U0010ffff"} {
		if _, n := CleanText(s, 20); n.Code != BadEmoji {
			t.Errorf("CleanText(%q): %+v", s, n)
		}
	}
	for _, s := range []string{"\xff", "费\xe8\xb4", "\xed\xa0\xbd\xed\xb8\x80", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"} {
		if got, n := CleanText(s, 20); n.Code != BadUTF8 || got != "" {
			t.Errorf("CleanText(%q) = %q, %+v", s, got, n)
		}
	}
}

func TestCleanText_AcceptsOrdinaryText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"1小时38分20秒", "1元/1小时", "电费0.2元，服务费0.2元", "ETC高速费用", "“引号”、《书名》——……", "①②㎡℃", "Ｑ＆Ａ", "a b\u3000c", "<b>&\"'", "=1+1",
		"ไม่มี", "नमस्ते", "עברית", "☎✓★", "㐀",
	} {
		if got, n := CleanText(s, 50); got != s || n.Code != "" {
			t.Errorf("CleanText(%q) = %q, %+v", s, got, n)
		}
	}
}

// unseen is the oracle for characters that an accepted text never holds: general
// categories and ranges, written down apart from the code under test.
func unseen(r rune) bool {
	return r > 0xFFFF || r < 0x20 || (r >= 0x7f && r <= 0x9f) || (r >= 0xd800 && r <= 0xf8ff) || (r >= 0xfdd0 && r <= 0xfdef) || r >= 0xfffd ||
		unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Join_Control, r) ||
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r) ||
		r == 0x2028 || r == 0x2029 || r == 0x2800
}

func FuzzCleanText(f *testing.F) {
	for _, s := range []string{
		"经核实设备计费异常，已按实际使用情况调整金额。", " 使用时长 ", "e\u0301", "\u1112\u1161\u11ab", "a\u202eb", "费\u200b用", "😀", "\xff", "\ufeff", "\u3164",
		"x\u0323\u0304\u0308", " \u0301a", "\u2000a\u2001", "\u0344", "\u0958", "a\u034fb", "\u17b4", "\ufb1d", "\u2028a\u2029",
	} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got, n := CleanText(s, limit)
		if n.Code != "" {
			if n.Code == BadTooLong && (n.Count <= n.Limit || n.Count != utf8.RuneCountInString(got)) {
				t.Fatalf("CleanText(%q, %d): %+v", s, limit, n)
			}
			return
		}
		if !utf8.ValidString(got) || !norm.NFC.IsNormalString(got) || strings.TrimSpace(got) != got {
			t.Fatalf("CleanText(%q) accepted %q: not clean", s, got)
		}
		if utf8.RuneCountInString(got) > max(limit, 0) {
			t.Fatalf("CleanText(%q, %d) accepted %q", s, limit, got)
		}
		for _, r := range got {
			if unseen(r) {
				t.Fatalf("CleanText(%q) accepted U+%04X", s, r)
			}
		}
		if again, n := CleanText(got, limit); again != got || n.Code != "" {
			t.Fatalf("CleanText is not idempotent: %q, then %q (%+v)", got, again, n)
		}
	})
}
