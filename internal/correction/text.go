package correction

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var (
	longDigits = regexp.MustCompile(`[0-9][0-9 \-]{9,}[0-9Xx]`)
	httpURL    = regexp.MustCompile(`^https?://[^\s/?#]+([/?#]\S*)?$`)
)

// CleanText normalises text to NFC, trims it, and finds the first thing wrong with
// it: too long (in code points), not UTF-8, above U+FFFF, or a control,
// bidirectional-control or invisible character (domain.md §1.2, trust.md §3.4).
// The Notice has no Field, and an empty Code when the text is good. What cannot be seen
// is dropped around the text; inside it is told, with the number of characters before it
// as Count.
func CleanText(s string, limit int) (string, Notice) { return cleanText(s, limit, false) }

// CleanNote is CleanText for text that never leaves the house: it may have several lines
// and characters outside the basic plane.
func CleanNote(s string, limit int) (string, Notice) { return cleanText(s, limit, true) }

func cleanText(s string, limit int, note bool) (string, Notice) {
	if !utf8.ValidString(s) {
		return "", Notice{Code: BadUTF8}
	}
	trim := TrimBlank
	if note {
		trim = trimNote
	}
	s = trim(norm.NFC.String(s))
	marks, visible := 0, false
	before := -1
	for _, r := range s {
		before++
		switch {
		case note && (r == '\n' || r == '\t' || r == 0xFE0F || r == 0x200D): // line ends, and what joins emoji
			continue
		case r > 0xFFFF && !note:
			return s, Notice{Code: BadEmoji, Text: string(r)}
		case forbidden(r):
			return s, Notice{Code: BadCharacter, Text: charName(r), Count: before}
		}
		if unicode.In(r, unicode.Mn, unicode.Me) {
			if marks++; marks > 2 {
				return s, Notice{Code: BadCharacter, Text: charName(r), Count: before}
			}
			continue
		}
		marks = 0
		visible = visible || !unicode.IsSpace(r)
	}
	if s != "" && !visible {
		return s, Notice{Code: BadRequired}
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return s, Notice{Code: BadTooLong, Limit: limit, Count: n}
	}
	return s, Notice{}
}

// forbidden reports characters that cannot be seen or that change how others are
// shown.
func forbidden(r rune) bool {
	switch r {
	case 0x2028, 0x2029, 0x3164, 0x115F, 0x1160, 0xFFA0, 0x034F, 0x17B4, 0x17B5, 0x2800, utf8.RuneError:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Variation_Selector) ||
		r&0xFFFE == 0xFFFE || (r >= 0xFDD0 && r <= 0xFDEF) ||
		!unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs)
}

func charName(r rune) string {
	h := strings.ToUpper(strconv.FormatInt(int64(r), 16))
	for len(h) < 4 {
		h = "0" + h
	}
	return "U+" + h
}

// hidden names the first character in a number that cannot be seen and was not dropped.
func hidden(field, typed string) Notice {
	at := strings.IndexFunc(typed, func(r rune) bool { return Hidden(r) && !droppable(r) })
	r, _ := utf8.DecodeRuneInString(typed[max(at, 0):])
	return Notice{Field: field, Code: BadCharacter, Text: charName(r), Count: utf8.RuneCountInString(typed[:max(at, 0)])}
}

// yuanNotice says what is wrong with an amount as it was typed.
func yuanNotice(field, typed string, err error) Notice {
	n := Notice{Field: field, Code: yuanCode(err)}
	if n.Code == BadCharacter {
		return hidden(field, typed)
	}
	n.Text = suggestYuan(typed)
	return n
}

func yuanCode(err error) string {
	for _, m := range []struct {
		err  error
		code string
	}{
		{ErrYuanThousands, BadThousands}, {ErrYuanDecimals, BadDecimals}, {ErrYuanSign, BadSign},
		{ErrYuanExponent, BadExponent}, {ErrYuanZeros, BadZeros}, {ErrYuanTooLarge, BadTooLarge}, {ErrYuanEmpty, BadRequired}, {ErrYuanHidden, BadCharacter},
	} {
		if errors.Is(err, m.err) {
			return m.code
		}
	}
	return BadYuan
}

// groupedYuan is an amount with well-placed thousands separators. Elsewhere a comma may
// as well stand for a point, and a wrong guess is a hundred times too much.
var groupedYuan = regexp.MustCompile(`^[0-9]{1,3}([,'][0-9]{3})+(\.[0-9]+)?$`)

// suggestYuan guesses the text that a person may have meant: without separators,
// with two decimals. Empty when there is no good guess.
func suggestYuan(s string) string {
	t := strings.ReplaceAll(strings.Join(strings.Fields(NormaliseYuan(s)), ""), "元", "")
	if groupedYuan.MatchString(t) {
		t = strings.NewReplacer(",", "", "'", "").Replace(t)
	}
	if whole, frac, ok := strings.Cut(t, "."); ok && len(frac) > 2 && digits(frac) {
		t = whole + "." + frac[:2]
	}
	if len(t) > 1 && digits(t) {
		t = strings.TrimLeft(t[:len(t)-1], "0") + t[len(t)-1:]
	}
	f, err := ParseYuan(t)
	if err != nil {
		return ""
	}
	return f.Yuan()
}
