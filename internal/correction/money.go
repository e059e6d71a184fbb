package correction

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Fen is an amount of money in fen, a hundredth of a yuan. There is no other
// representation of money in the program.
type Fen int64

// MaxAmount is the largest amount that is read for a correction, typed and stored, of a
// line and of an order (product.md §4.17): ¥99,999,999.99.
const MaxAmount Fen = 9_999_999_999

// Refusals of ParseYuan. Each names what a person has to change.
var (
	ErrYuanEmpty     = errors.New("empty")
	ErrYuanThousands = errors.New("thousands separator")
	ErrYuanDecimals  = errors.New("more than two decimals")
	ErrYuanSign      = errors.New("sign")
	ErrYuanExponent  = errors.New("exponent")
	ErrYuanZeros     = errors.New("leading zero")
	ErrYuanTooLarge  = errors.New("too large")
	ErrYuanSyntax    = errors.New("not an amount")
	ErrYuanHidden    = errors.New("a character that cannot be seen")
)

// ParseYuan reads yuan text as typed by a person: 12, 12.5, 12.50 or ¥12.50.
// Full-width digits, a full-width point, surrounding blanks and characters that cannot
// be seen are understood (product.md §4.6). Everything else is refused with one of the ErrYuan errors.
func ParseYuan(s string) (Fen, error) {
	t := NormaliseYuan(s)
	if t == "" {
		return 0, ErrYuanEmpty
	}
	whole, frac, point := strings.Cut(t, ".")
	if !digits(whole) || (point && !digits(frac)) {
		return 0, yuanFault(t)
	}
	switch {
	case len(whole) > 1 && whole[0] == '0':
		return 0, ErrYuanZeros
	case len(frac) > 2:
		return 0, ErrYuanDecimals
	case len(whole) > 9:
		return 0, ErrYuanTooLarge
	}
	n, err := strconv.ParseInt(whole+(frac + "00")[:2], 10, 64)
	if err != nil {
		return 0, ErrYuanSyntax
	}
	if Fen(n) > MaxAmount {
		return 0, ErrYuanTooLarge
	}
	return Fen(n), nil
}

// NormaliseYuan trims blanks, drops what cannot be seen, drops one leading yuan sign and turns full-width
// digits and the full-width point into ASCII. It does not judge the result.
func NormaliseYuan(s string) string {
	s = WithoutHidden(s)
	for _, sign := range []string{"¥", "￥"} {
		if rest, ok := strings.CutPrefix(s, sign); ok {
			s = TrimBlank(rest)
			break
		}
	}
	return strings.Map(halfWidth, s)
}

// halfWidth maps the full-width forms of ASCII (U+FF01–U+FF5E) to ASCII.
func halfWidth(r rune) rune {
	if r >= '！' && r <= '～' {
		return r - 0xFEE0
	}
	if r == '。' || r == '｡' {
		return '.'
	}
	return r
}

// HalfWidth returns s with the full-width forms of ASCII turned into ASCII, and
// surrounding blanks and what cannot be seen removed: order numbers are often pasted
// that way.
func HalfWidth(s string) string {
	return strings.Map(halfWidth, WithoutHidden(s))
}

func yuanFault(t string) error {
	switch {
	case strings.ContainsFunc(t, Hidden):
		return ErrYuanHidden
	case strings.ContainsAny(t, "eE"):
		return ErrYuanExponent
	case strings.ContainsAny(t, ",'_、，"):
		return ErrYuanThousands
	case strings.ContainsAny(t, "+-−－"):
		return ErrYuanSign
	}
	return ErrYuanSyntax
}

func digits(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Yuan prints the amount as a plain decimal with two places, as an input field
// takes it: 12.50. Negative amounts carry an ASCII minus sign.
func (f Fen) Yuan() string {
	if f.IsHidden() {
		return hiddenText
	}
	sign := ""
	u := uint64(f)
	if f < 0 {
		sign, u = "-", -u
	}
	c := strconv.FormatUint(u%100, 10)
	if len(c) == 1 {
		c = "0" + c
	}
	return sign + strconv.FormatUint(u/100, 10) + "." + c
}

// String prints the amount for people: ¥1,234.56, with U+2212 when negative.
func (f Fen) String() string {
	if f.IsHidden() {
		return hiddenText
	}
	y, negative := strings.CutPrefix(f.Yuan(), "-")
	whole, frac, _ := strings.Cut(y, ".")
	return grouped(negative, whole, frac)
}

// grouped is an amount with thousands separators.
func grouped(negative bool, whole, frac string) string {
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if negative {
		return "−¥" + whole + "." + frac
	}
	return "¥" + whole + "." + frac
}

// WholeFen prints a whole number of fen of any size for people, as String does: amounts
// that no Fen can hold are named, too. s is the number as digits, with a minus sign or
// without; ok is false for anything else.
func WholeFen(s string) (text string, ok bool) {
	digs, negative := strings.CutPrefix(s, "-")
	if !digits(digs) || len(digs) > 40 {
		return "", false
	}
	digs = strings.TrimLeft(digs, "0")
	digs = strings.Repeat("0", max(0, 3-len(digs))) + digs
	return grouped(negative, digs[:len(digs)-2], digs[len(digs)-2:]), true
}

// Minus prints the amount as a reduction: −¥12.50.
func (f Fen) Minus() string {
	if f.IsHidden() {
		return hiddenText
	}
	return "−" + f.String()
}

// ErrOverflow is returned by Sum when a sum does not fit.
var ErrOverflow = errors.New("sum of amounts overflows")

// Sum adds amounts, refusing overflow in either direction.
func Sum(amounts ...Fen) (Fen, error) {
	var s Fen
	for _, a := range amounts {
		if (a > 0 && s > math.MaxInt64-a) || (a < 0 && s < math.MinInt64-a) {
			return 0, ErrOverflow
		}
		s += a
	}
	return s, nil
}

// Permille returns part as thousandths of whole, rounded half up; 0 when whole
// is not positive. Both are at most a few times 10^11 fen, far from overflow.
func Permille(part, whole Fen) int {
	if whole <= 0 || part < 0 {
		return 0
	}
	return int((int64(part)*2000 + int64(whole)) / (2 * int64(whole)))
}
