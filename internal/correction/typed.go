package correction

import (
	"strings"
	"unicode"
)

// What people type and paste is read by the functions of this file, everywhere in the
// same way: in the look-up, the form, the filters, the settings and on the command line.
//
// Characters that cannot be seen come along with what is pasted: a zero-width space out
// of a web page, direction marks out of a calculator, a byte order mark out of a file.
// Around anything, and within numbers, identifiers and the words of a search, they are
// dropped. Within text that is kept they are named, with their place. Control characters,
// and those that show others in another order, are named in numbers as well: 21 behind
// one of them is seen as 12. Only what is looked for is read without any of them.

// Hidden reports a character that cannot be seen and takes no room. Blanks and the
// controls that part lines are none.
func Hidden(r rune) bool {
	switch {
	case r < 0x20 || r == 0x7f:
		return !unicode.IsSpace(r)
	case r < 0xa0:
		return r > 0x7f && !unicode.IsSpace(r)
	case r == 0x2800: // a braille pattern without dots
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// turns reports a hidden character that may show those behind it in another order.
func turns(r rune) bool { return r == 0x202b || r == 0x202e || r == 0x2067 }

func droppable(r rune) bool { return Hidden(r) && !turns(r) && !unicode.IsControl(r) }

// WithoutHidden drops what cannot be seen from an identifier, and blanks around it.
func WithoutHidden(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if droppable(r) {
			return -1
		}
		return r
	}, s))
}

// SearchText is WithoutHidden for what is looked for: nothing in it is kept.
func SearchText(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if Hidden(r) {
			return -1
		}
		return r
	}, s))
}

// CleanNumber reads an order number, or the number of a merchant or service, as people
// paste it to look for it: full-width, with blanks and what cannot be seen around and
// inside.
func CleanNumber(s string) string { return strings.Join(strings.Fields(HalfWidth(SearchText(s))), "") }

// TrimBlank removes what cannot be seen from both ends: Unicode blanks, the ideographic
// space included, and hidden characters.
func TrimBlank(s string) string {
	return strings.TrimFunc(s, edge)
}

func edge(r rune) bool { return unicode.IsSpace(r) || droppable(r) && r <= 0xffff }

// trimNote is TrimBlank for text that may end with an emoji, which hidden characters are
// part of.
func trimNote(s string) string {
	s = strings.TrimLeftFunc(s, edge)
	return strings.TrimRightFunc(s, func(r rune) bool { return edge(r) && !joinsEmoji(r) })
}

// joinsEmoji reports what emoji are put together with.
func joinsEmoji(r rune) bool { return r == 0xfe0f || r == 0x200d }
