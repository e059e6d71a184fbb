// Package i18n holds the two languages of the interface: how a text is chosen,
// and the words for every code of the domain.
//
// A text stands in both languages where it is used: l.T("改价", "Correct").
// The compiler then proves that no text is missing, and whoever changes one
// language sees the other. Words for domain codes (states, obstacles, problems)
// are tables in this package, complete by test.
package i18n

import (
	"fmt"
	"strconv"
	"strings"
)

// Lang is a language of the interface.
type Lang string

// The languages.
const (
	ZH Lang = "zh-CN"
	EN Lang = "en"
)

// Parse returns the language of a stored or requested tag, and whether it is one.
func Parse(tag string) (Lang, bool) {
	switch t := strings.ToLower(tag); {
	case strings.HasPrefix(t, "zh"):
		return ZH, true
	case strings.HasPrefix(t, "en"):
		return EN, true
	}
	return ZH, false
}

// T returns the text in the language.
func (l Lang) T(zh, en string) string {
	if l == EN {
		return en
	}
	return zh
}

// F is T with fmt.Sprintf.
func (l Lang) F(zh, en string, args ...any) string { return fmt.Sprintf(l.T(zh, en), args...) }

// Text is a text in both languages.
type Text struct{ ZH, EN string }

// In returns the text in the language.
func (t Text) In(l Lang) string { return l.T(t.ZH, t.EN) }

// Accepted chooses the language from the lines of an Accept-Language header (RFC 9110
// §12.5.4): the one with the greater weight, and of two with the same the first named.
// A weight of 0 excludes; "*" stands for what is not named; what cannot be read is as if
// it were not there. Without a choice it is Chinese.
func Accepted(lines []string) Lang {
	zh, en := newPreference(), newPreference()
	for i, entry := range strings.Split(strings.Join(lines, ","), ",") {
		tag, weight, ok := weighed(entry)
		if !ok {
			continue
		}
		switch base, _, regional := strings.Cut(tag, "-"); {
		case tag == "*":
			zh.note(anyLanguage, weight, i)
			en.note(anyLanguage, weight, i)
		case tag == "zh-cn" || tag == "zh-hans" || tag == "zh-hans-cn":
			zh.note(exactly, weight, i)
		case base == "zh" || base == "cmn":
			zh.note(levelOf(regional), weight, i)
		case base == "en":
			en.note(levelOf(regional), weight, i)
		}
	}
	z, zPlace := zh.weight()
	e, ePlace := en.weight()
	switch {
	case e > z && e > 0, e == z && e > 0 && ePlace < zPlace, z == 0 && e < 0: // excluded, and the other not
		return EN
	}
	return ZH
}

// How exactly an entry means a language.
const (
	exactly     = iota // ours
	language           // the language, whatever region and script
	another            // another region or script of it: speaks for the language, never against it
	anyLanguage        // "*"
	levels
)

func levelOf(regional bool) int {
	if regional {
		return another
	}
	return language
}

// preference is what a header says of one language: the weight of each level, in
// thousandths, and where it was named; -1 when it was not.
type preference [levels]struct{ weight, place int }

func newPreference() (p preference) {
	for i := range p {
		p[i].weight = -1
	}
	return p
}

func (p *preference) note(level, weight, place int) {
	if weight > p[level].weight {
		p[level].weight, p[level].place = weight, place
	}
}

// weight is what the levels come to, and where it was named: 0 when the language is
// excluded, -1 when nothing is said of it.
func (p preference) weight() (weight, place int) {
	if p[exactly].weight == 0 || p[exactly].weight < 0 && p[language].weight == 0 {
		return 0, 0
	}
	weight = -1
	for _, l := range p[:anyLanguage] {
		if l.weight > max(weight, 0) {
			weight, place = l.weight, l.place
		}
	}
	if weight < 0 {
		return p[anyLanguage].weight, p[anyLanguage].place
	}
	return weight, place
}

// weighed reads an entry of Accept-Language: the tag in lower case and its weight in
// thousandths.
func weighed(entry string) (tag string, weight int, ok bool) {
	parts := strings.Split(strings.ToLower(entry), ";")
	tag = strings.ReplaceAll(strings.TrimSpace(parts[0]), "_", "-")
	weight, seen := 1000, false
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		if strings.TrimSpace(name) != "q" {
			continue
		}
		if seen {
			return "", 0, false
		}
		seen = true
		if weight, ok = thousandths(strings.TrimSpace(value)); !ok {
			return "", 0, false
		}
	}
	return tag, weight, tag != ""
}

// thousandths reads a weight, 0 to 1.
func thousandths(text string) (int, bool) {
	whole, digits, _ := strings.Cut(text, ".")
	if whole != "0" && whole != "1" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(whole + (digits + "000")[:3])
	if err != nil || n > 1000 {
		return 0, false
	}
	if n == 0 && strings.Trim(digits, "0") != "" { // less than a thousandth, but not nothing
		n = 1
	}
	return n, true
}
