package auth

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Lengths of a password in code points.
const (
	MinPasswordWeb = 15 // chosen in the browser: the only factor
	MinPasswordCLI = 8  // set by the operator on the machine itself
	MaxPassword    = 128
)

// Why a password is refused.
var (
	ErrPasswordShort    = errors.New("the password is too short")
	ErrPasswordLong     = errors.New("the password is too long")
	ErrPasswordText     = errors.New("the password holds characters that no password may hold")
	ErrPasswordUsername = errors.New("the password holds the user name")
	ErrPasswordCommon   = errors.New("the password is made of common words")
	ErrPasswordPattern  = errors.New("the password is made of repetitions or sequences")
	ErrPasswordSame     = errors.New("the new password is the old one")
)

// minSurprise is how many code points must remain once everything that a guesser
// tries first is taken out.
const minSurprise = 8

// CheckPassword judges a new password: min to 128 code points after RFC 8265
// normalisation, no user name in it, and at least eight code points that are
// neither common words nor years, repetitions, sequences or runs on the keyboard.
// No rule on kinds of characters. It returns one of the ErrPassword… errors.
func CheckPassword(password, username string, min int) error {
	text, err := prepare(password)
	if err != nil {
		if password == "" {
			return ErrPasswordShort
		}
		return err
	}
	switch n := utf8.RuneCountInString(text); {
	case n < min:
		return ErrPasswordShort
	case n > MaxPassword:
		return ErrPasswordLong
	}
	folded := fold(text)
	if name := fold(username); utf8.RuneCountInString(name) >= 3 && strings.Contains(folded, name) {
		return ErrPasswordUsername
	}
	// Patterns first: eight times "mima" is a repetition, whatever the word.
	if r := []rune(folded); len(unit(r)) < minSurprise || len(collapseRuns(r)) < minSurprise {
		return ErrPasswordPattern
	}
	rest := dropYears(dropWords(folded))
	if utf8.RuneCountInString(rest) < minSurprise {
		return ErrPasswordCommon
	}
	if left := collapseRuns([]rune(rest)); len(left) < minSurprise || distinct(left) < minSurprise/2 {
		return ErrPasswordPattern
	}
	return nil
}

// fold makes letters that look alike to a guesser equal: case and width.
func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

func dropWords(s string) string {
	for _, w := range predictable {
		s = strings.ReplaceAll(s, w, "")
	}
	return s
}

// dropYears takes out 1900 to 2099.
func dropYears(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if i+4 <= len(s) && (s[i:i+2] == "19" || s[i:i+2] == "20") && isDigit(s[i+2]) && isDigit(s[i+3]) {
			i += 3
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// unit is the shortest text whose repetition makes up r; the last one may be cut
// short.
func unit(r []rune) []rune {
	for n := 1; n < len(r); n++ {
		same := true
		for i := n; i < len(r) && same; i++ {
			same = r[i] == r[i-n]
		}
		if same {
			return r[:n]
		}
	}
	return r
}

// minRun is the shortest sequence that counts as one: 123 is in many words, 1234
// is not.
const minRun = 4

// collapseRuns keeps one code point of each run: repeated, counted up or down, or
// beside each other on a keyboard.
func collapseRuns(r []rune) []rune {
	var out []rune
	for i := 0; i < len(r); {
		n := max(runLength(r[i:], same), runLength(r[i:], up), runLength(r[i:], down), rowLength(r[i:]))
		if n < minRun {
			n = 1
		}
		out = append(out, r[i])
		i += n
	}
	return out
}

func same(a, b rune) bool { return a == b }
func up(a, b rune) bool   { return b == a+1 && alnum(a) && alnum(b) }
func down(a, b rune) bool { return b == a-1 && alnum(a) && alnum(b) }
func alnum(r rune) bool   { return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' }

func runLength(r []rune, follows func(a, b rune) bool) int {
	n := 1
	for n < len(r) && follows(r[n-1], r[n]) {
		n++
	}
	return n
}

// rowLength is the length of the longest start of r that stands in a row, read
// either way.
func rowLength(r []rune) int {
	longest := 0
	for _, row := range rows {
		for n := max(longest+1, minRun); n <= len(r) && strings.Contains(row, string(r[:n])); n++ {
			longest = n
		}
	}
	return longest
}

func distinct(r []rune) int {
	seen := make(map[rune]struct{}, len(r))
	for _, c := range r {
		seen[c] = struct{}{}
	}
	return len(seen)
}

// rows are what fingers do without thinking, both ways.
var rows = func() []string {
	oneWay := []string{
		"1234567890", "01234567890", "`1234567890-=", "!@#$%^&*()_+",
		"qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop", "azertyuiop",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "qazwsxedcrfvtgbyhnujmikolp",
		"1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "!qaz@wsx#edc$rfv%tgb",
		"qweasdzxc", "qweasd123", "741852963", "147258369", "159357", "zaqxswcdevfr",
		"一二三四五六七八九十", "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥",
	}
	out := make([]string, 0, 2*len(oneWay))
	for _, row := range oneWay {
		r := []rune(row)
		for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
			r[i], r[j] = r[j], r[i]
		}
		out = append(out, row, string(r))
	}
	return out
}()

// predictable is what a guesser who knows this product puts together first, longest
// words first because they are taken out one after the other.
var predictable = slices.SortedFunc(strings.FieldsSeq(`
correction-console correctionconsole correction console
wechatpay wechat-pay wechat weixinpay weixinzhifu weixin payscore pay-score tencent tenpay tengxun alipay zhifubao
zhifufen zhifu gaijiatai gaijia dingdan shanghu kefu
改价台 改价 微信支付分 微信支付 微信 支付分 支付宝 支付 腾讯 客服 订单 商户 管理员 密码 口令 公司
administrator administrateur admin superuser supervisor operator auditor agent root system server
passw0rd password passwort passwd p@ssw0rd p@ssword pa55word pass1234 pass@123 passphrase pass123
changeme change-me letmein welcome default secret login logon signin user guest test demo temp
iloveyou woaini woaiwojia wodemima mima123 mima mimamima nihao zhongguo china beijing shanghai guangzhou shenzhen hangzhou
sunshine princess football baseball superman batman master shadow monkey dragon michael jordan charlie freedom
whatever trustno1 starwars pokemon computer internet samsung google facebook microsoft windows company business
5201314 1314520 147258 112233 123123 123321 123456 654321 111222 520520 888888 666666 999999 000000 111111 a123456 abc123 abcd1234 aa123456 qwe123 asd123
qwerty asdfgh zxcvbn qazwsx 1q2w3e 1qaz2wsx
monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october november december
spring summer autumn winter
`), func(a, b string) int { return len(b) - len(a) })
