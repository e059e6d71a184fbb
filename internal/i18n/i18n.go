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
