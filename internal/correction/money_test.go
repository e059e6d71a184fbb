package correction

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseYuan_AcceptsWhatPeopleType(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]Fen{
		"12":                1200,
		"12.5":              1250,
		"12.50":             1250,
		"¥12.50":            1250, // U+00A5
		"￥12.50":            1250, // U+FFE5
		"¥ 12.50":           1250,
		"１２．５０":             1250,
		"￥１２．５":             1250,
		"12。5":              1250, // what a Chinese keyboard types for a point
		" 12.50 ":           1250,
		"\u300012.50\u3000": 1250, // ideographic space
		"\u00a012.50\t\n":   1250,
		"0":                 0,
		"0.0":               0,
		"0.00":              0,
		"0.01":              1,
		"0.1":               10,
		"0.99":              99,
		"1":                 100,
		"10":                1000,
		"99":                9900,
		"99999999":          9_999_999_900,
		"99999999.9":        9_999_999_990,
		"99999999.98":       9_999_999_998,
		"99999999.99":       9_999_999_999,
	} {
		if got, err := ParseYuan(typed); err != nil || got != want {
			t.Errorf("ParseYuan(%q) = %d, %v; want %d", typed, got, err, want)
		}
	}
}

func TestParseYuan_RefusesAndNamesTheFault(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]error{
		"":                        ErrYuanEmpty,
		"  \u3000\t":              ErrYuanEmpty,
		"¥":                       ErrYuanEmpty,
		"1,234":                   ErrYuanThousands,
		"1,234.50":                ErrYuanThousands,
		"１，２３４":                   ErrYuanThousands,
		"1、234":                   ErrYuanThousands,
		"1'234":                   ErrYuanThousands,
		"1_234":                   ErrYuanThousands,
		"12,5":                    ErrYuanThousands,
		"12.345":                  ErrYuanDecimals,
		"12.500":                  ErrYuanDecimals,
		"0.001":                   ErrYuanDecimals,
		"１２．３４５":                  ErrYuanDecimals,
		"99999999.999":            ErrYuanDecimals,
		"-1":                      ErrYuanSign,
		"+1":                      ErrYuanSign,
		"－1":                      ErrYuanSign, // full-width
		"−1":                      ErrYuanSign, // U+2212
		"¥-1":                     ErrYuanSign,
		"-0":                      ErrYuanSign,
		"1-":                      ErrYuanSign,
		"1e3":                     ErrYuanExponent,
		"1E3":                     ErrYuanExponent,
		"１ｅ３":                     ErrYuanExponent,
		"1e-3":                    ErrYuanExponent,
		"01":                      ErrYuanZeros,
		"00":                      ErrYuanZeros,
		"00.5":                    ErrYuanZeros,
		"０１２":                     ErrYuanZeros,
		"100000000":               ErrYuanTooLarge,
		"100000000.00":            ErrYuanTooLarge,
		"999999999":               ErrYuanTooLarge,
		"999999999.99":            ErrYuanTooLarge,
		"1000000000":              ErrYuanTooLarge,
		"9223372036854775807":     ErrYuanTooLarge,
		strings.Repeat("9", 5000): ErrYuanTooLarge,
		"0x10":                    ErrYuanSyntax,
		"0X1A":                    ErrYuanSyntax,
		"0b1":                     ErrYuanSyntax,
		"NaN":                     ErrYuanSyntax,
		"Inf":                     ErrYuanSyntax,
		"1/2":                     ErrYuanSyntax,
		".5":                      ErrYuanSyntax,
		"5.":                      ErrYuanSyntax,
		".":                       ErrYuanSyntax,
		"1.2.3":                   ErrYuanSyntax,
		"1 2":                     ErrYuanSyntax,
		"1\u30002":                ErrYuanSyntax,
		"¥¥1":                     ErrYuanSyntax,
		"1¥":                      ErrYuanSyntax,
		"$1":                      ErrYuanSyntax,
		"12元":                     ErrYuanSyntax,
		"十二":                      ErrYuanSyntax,
		"١٢":                      ErrYuanSyntax, // Arabic-Indic digits
		"१२":                      ErrYuanSyntax, // Devanagari digits
		"①":                       ErrYuanSyntax,
		"1\x00":                   ErrYuanHidden,
		"\u202e21":                ErrYuanHidden, // seen as 12
		"2\u20671":                ErrYuanHidden,
		"1\xff":                   ErrYuanSyntax,
		"12·50":                   ErrYuanSyntax,
	} {
		if got, err := ParseYuan(typed); !errors.Is(err, want) || got != 0 {
			t.Errorf("ParseYuan(%q) = %d, %v; want %v", typed, got, err, want)
		}
	}
}

var plainYuan = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// ratYuan is ParseYuan again, by rational arithmetic.
func ratYuan(s string) (fen *big.Int, ok bool) {
	s = strings.TrimSpace(s)
	if t, cut := strings.CutPrefix(s, "¥"); cut {
		s = strings.TrimSpace(t)
	} else if t, cut := strings.CutPrefix(s, "￥"); cut {
		s = strings.TrimSpace(t)
	}
	s = strings.NewReplacer("．", ".", "。", ".", "｡", ".", "０", "0", "１", "1", "２", "2", "３", "3", "４", "4",
		"５", "5", "６", "6", "７", "7", "８", "8", "９", "9").Replace(s)
	if !plainYuan.MatchString(s) {
		return nil, false
	}
	if _, frac, _ := strings.Cut(s, "."); len(frac) > 2 {
		return nil, false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, false
	}
	r.Mul(r, big.NewRat(100, 1))
	if !r.IsInt() || r.Num().Cmp(big.NewInt(int64(MaxAmount))) > 0 {
		return nil, false
	}
	return r.Num(), true
}

func FuzzParseYuan(f *testing.F) {
	for _, s := range []string{
		"12", "12.5", "¥12.50", "￥１２．５０", "12。5", "1,234", "12.345", "-1", "+0.1", "1e3", "0x1p3", "NaN", "007", ".5", "5.",
		"99999999.99", "100000000", "\u3000 12 \u00a0", "1_000", "1/2", "12\xff", "¥ ¥1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseYuan(s)
		want, ok := ratYuan(s)
		switch {
		case ok != (err == nil):
			t.Fatalf("ParseYuan(%q) = %d, %v; the oracle says %v", s, got, err, want)
		case err != nil:
			if got != 0 || yuanCode(err) == "" {
				t.Fatalf("ParseYuan(%q) = %d, %v: a refusal carries an amount or no code", s, got, err)
			}
			if hint := suggestYuan(s); hint != "" {
				if _, err := ParseYuan(hint); err != nil {
					t.Fatalf("the suggestion %q for %q is refused: %v", hint, s, err)
				}
			}
			return
		case want.Cmp(big.NewInt(int64(got))) != 0:
			t.Fatalf("ParseYuan(%q) = %d; the oracle says %v", s, got, want)
		}
		if back, err := ParseYuan(got.Yuan()); err != nil || back != got {
			t.Fatalf("%d prints as %q, which reads as %d, %v", got, got.Yuan(), back, err)
		}
	})
}

func TestYuan_RoundTripsEveryAmount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := Fen(rapid.Int64Range(0, int64(MaxAmount)).Draw(t, "fen"))
		if back, err := ParseYuan(f.Yuan()); err != nil || back != f {
			t.Fatalf("%d prints as %q, which reads as %d, %v", f, f.Yuan(), back, err)
		}
	})
}

func TestYuan_IsExactForEveryInt64(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := Fen(rapid.Int64().Draw(t, "fen"))
		r, ok := new(big.Rat).SetString(f.Yuan())
		if !ok || r.Cmp(big.NewRat(int64(f), 100)) != 0 {
			t.Fatalf("%d prints as %q", f, f.Yuan())
		}
	})
}

func TestFen_Prints(t *testing.T) {
	t.Parallel()
	for f, want := range map[Fen][2]string{
		0:             {"0.00", "¥0.00"},
		1:             {"0.01", "¥0.01"},
		99:            {"0.99", "¥0.99"},
		100:           {"1.00", "¥1.00"},
		1250:          {"12.50", "¥12.50"},
		99_999:        {"999.99", "¥999.99"},
		100_000:       {"1000.00", "¥1,000.00"},
		123_456:       {"1234.56", "¥1,234.56"},
		99_999_999:    {"999999.99", "¥999,999.99"},
		100_000_000:   {"1000000.00", "¥1,000,000.00"},
		MaxAmount:     {"99999999.99", "¥99,999,999.99"},
		-1:            {"-0.01", "−¥0.01"},
		-1250:         {"-12.50", "−¥12.50"},
		-123_456:      {"-1234.56", "−¥1,234.56"},
		math.MaxInt64: {"92233720368547758.07", "¥92,233,720,368,547,758.07"},
		math.MinInt64: {"-92233720368547758.08", "−¥92,233,720,368,547,758.08"},
	} {
		if got := f.Yuan(); got != want[0] {
			t.Errorf("Fen(%d).Yuan() = %q, want %q", int64(f), got, want[0])
		}
		if got := f.String(); got != want[1] {
			t.Errorf("Fen(%d).String() = %q, want %q", int64(f), got, want[1])
		}
	}
	if got := Fen(8900).Minus(); got != "−¥89.00" {
		t.Errorf("Minus() = %q", got)
	}
}

func TestSum_RefusesOverflow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   []Fen
		want Fen
		ok   bool
	}{
		{nil, 0, true},
		{[]Fen{1, 2, 3}, 6, true},
		{[]Fen{5, -7}, -2, true},
		{[]Fen{math.MaxInt64}, math.MaxInt64, true},
		{[]Fen{math.MaxInt64, 0}, math.MaxInt64, true},
		{[]Fen{math.MaxInt64 - 1, 1}, math.MaxInt64, true},
		{[]Fen{math.MaxInt64, 1}, 0, false},
		{[]Fen{1, math.MaxInt64}, 0, false},
		{[]Fen{math.MaxInt64, math.MaxInt64}, 0, false},
		{[]Fen{math.MinInt64}, math.MinInt64, true},
		{[]Fen{math.MinInt64, 0}, math.MinInt64, true},
		{[]Fen{math.MinInt64 + 1, -1}, math.MinInt64, true},
		{[]Fen{math.MinInt64, -1}, 0, false},
		{[]Fen{-1, math.MinInt64}, 0, false},
		{[]Fen{math.MinInt64, math.MaxInt64}, -1, true},
	} {
		got, err := Sum(c.in...)
		if got != c.want || (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrOverflow)) {
			t.Errorf("Sum(%v) = %d, %v; want %d, ok %v", c.in, got, err, c.want, c.ok)
		}
	}
}

func TestSum_AgreesWithBigIntegers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Int64(), 0, 4).Draw(t, "amounts")
		exact, fits := new(big.Int), true
		amounts := make([]Fen, len(in))
		for i, n := range in {
			amounts[i] = Fen(n)
			exact.Add(exact, big.NewInt(n))
			fits = fits && exact.IsInt64() // every step has to fit
		}
		got, err := Sum(amounts...)
		if fits != (err == nil) || (fits && exact.Int64() != int64(got)) {
			t.Fatalf("Sum(%v) = %d, %v; exactly %v", amounts, got, err, exact)
		}
	})
}

func TestPermille_RoundsHalfUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		part, whole Fen
		want        int
	}{
		{0, 100, 0}, {50, 100, 500}, {100, 100, 1000}, {150, 100, 1500}, {8900, 9900, 899}, {1, 3, 333}, {2, 3, 667},
		{1, 2000, 1}, {1, 2001, 0}, {3, 2000, 2}, {1, 0, 0}, {1, -5, 0}, {-1, 5, 0},
		{99_999_999_999, 99_999_999_999, 1000}, {1, 99_999_999_999, 0},
	} {
		if got := Permille(c.part, c.whole); got != c.want {
			t.Errorf("Permille(%d, %d) = %d, want %d", c.part, c.whole, got, c.want)
		}
	}
}

func TestSuggestYuan_NeverGuessesAnotherAmount(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"1,234":      "1234.00",
		"1,234.5":    "1234.50",
		"12，345.67":  "12345.67",
		"1,234,567":  "1234567.00",
		"12,5":       "", // 12.50 or 125?
		"12,50":      "",
		"1,23,456":   "",
		",5":         "",
		"12.345":     "12.34",
		"007":        "7.00",
		"00":         "0.00",
		"12元":        "12.00",
		"-5":         "",
		"1e3":        "",
		"9999999999": "",
	} {
		if got := suggestYuan(typed); got != want {
			t.Errorf("suggestYuan(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestHalfWidth_NormalisesPastedOrderNumbers(t *testing.T) {
	t.Parallel()
	if got := HalfWidth("\u3000ＰＢ２０２６＿０１－｜＊ "); got != "PB2026_01-|*" {
		t.Errorf("HalfWidth = %q", got)
	}
}
