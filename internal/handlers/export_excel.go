package handlers

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// What a spreadsheet makes of a text when it opens a CSV file, in Chinese and English: a
// number, also with blanks, separators, a currency, a percent sign or an exponent; a date
// or a time, also with names of months; a truth value; an error value.
var (
	valueWords = regexp.MustCompile(`(?i)jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?|am|pm|上午|下午|e`)
	truthValue = regexp.MustCompile(`(?i)^(true|false)$`)
)

// valueRunes are what values are made of beside digits, names of months and currencies.
const valueRunes = "+-.,:/%()' \t\r\n年月日号时点分秒⁄−"

// spreadsheetValue reports texts that a spreadsheet would take for something else than a
// text, and show as that: the order number 0012345678 as 12345678.
func spreadsheetValue(v string) bool {
	if v == "" {
		return false
	}
	v = strings.TrimSpace(norm.NFKC.String(v))
	if truthValue.MatchString(v) || strings.HasPrefix(v, "#") {
		return true
	}
	if !strings.ContainsFunc(v, unicode.IsDigit) {
		return false
	}
	rest := valueWords.ReplaceAllString(v, "")
	return !strings.ContainsFunc(rest, func(r rune) bool {
		return !unicode.IsDigit(r) && !unicode.Is(unicode.Sc, r) && !unicode.IsSpace(r) && !strings.ContainsRune(valueRunes, r)
	})
}
