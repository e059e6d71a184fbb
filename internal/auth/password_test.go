package auth

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const (
	salt16 = "c29tZXNhbHRzb21lc2FsdA"
	tag32  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

func TestParsePHC_TakesArgon2idWithinBounds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		phc string
		ok  bool
	}{
		{"$argon2id$v=19$m=65536,t=3,p=4$" + salt16 + "$" + tag32, true},
		{"$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + tag32, true},
		{"$argon2id$v=19$m=1048576,t=32,p=64$" + salt16 + "$" + tag32, true},
		{"$argon2id$v=19$m=8,t=1,p=1$" + salt16 + "$" + tag32, true},
		{dummyPHC, true},
		{"", false},
		{"$argon2i$v=19$m=65536,t=3,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=16$m=65536,t=3,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$m=65536,t=3,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$t=3,m=65536,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=65536,t=3$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=1048577,t=3,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=65536,t=33,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=65536,t=3,p=65$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=31,t=3,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=65536,t=0,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=65536,t=3,p=0$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=065536,t=3,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=+65536,t=3,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=99999999999999999999,t=3,p=4$" + salt16 + "$" + tag32, false},
		{"$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$" + tag32, false},
		{"$argon2id$v=19$m=65536,t=3,p=4$" + salt16 + "$AAAA", false},
		{"$argon2id$v=19$m=65536,t=3,p=4$" + salt16 + "==$" + tag32, false},
		{"$argon2id$v=19$m=65536,t=3,p=4$" + salt16 + "$" + tag32 + "$", false},
		{"$argon2id$v=19$m=65536,t=3,p=4$" + strings.Repeat("A", 600) + "$" + tag32, false},
		{"x$argon2id$v=19$m=65536,t=3,p=4$" + salt16 + "$" + tag32, false},
	} {
		h, err := parsePHC(tc.phc)
		if tc.ok != (err == nil) {
			t.Errorf("parsePHC(%q): %v, want ok %v", tc.phc, err, tc.ok)
		}
		if err != nil && !errors.Is(err, ErrBadHash) {
			t.Errorf("parsePHC(%q): %v is not ErrBadHash", tc.phc, err)
		}
		if err == nil && h.String() != tc.phc {
			t.Errorf("parsePHC(%q) writes %q", tc.phc, h)
		}
	}
}

func TestParameters_AreNotBelowTheFloor(t *testing.T) {
	t.Parallel()
	h, err := parsePHC(dummyPHC)
	if err != nil || h.params != CurrentParams {
		t.Errorf("the dummy costs %+v (%v), a real hash %+v", h.params, err, CurrentParams)
	}
	if p := CurrentParams; p.MemoryKiB < 19456 || p.Passes < 2 || p.Lanes < 1 || p.SaltLen < 16 || p.TagLen < 32 {
		t.Errorf("below the floor: %+v", p)
	}
}

func TestNeedsRehash_WhenAnyParameterIsLower(t *testing.T) {
	t.Parallel()
	for phc, want := range map[string]bool{
		dummyPHC: false,
		"$argon2id$v=19$m=131072,t=4,p=4$" + salt16 + "$" + tag32:                   false,
		"$argon2id$v=19$m=65535,t=3,p=4$" + salt16 + "$" + tag32:                    true,
		"$argon2id$v=19$m=65536,t=2,p=4$" + salt16 + "$" + tag32:                    true,
		"$argon2id$v=19$m=65536,t=3,p=1$" + salt16 + "$" + tag32:                    true,
		"$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$" + tag32:                       true,
		"$argon2id$v=19$m=65536,t=3,p=4$" + salt16 + "$" + "AAAAAAAAAAAAAAAAAAAAAA": true,
		"rubbish": true,
	} {
		if got := NeedsRehash(phc); got != want {
			t.Errorf("NeedsRehash(%s) = %v, want %v", phc, got, want)
		}
	}
}

func TestHasher_VerifiesWhatItHashed(t *testing.T) {
	t.Parallel()
	h, ctx := NewHasher(), t.Context()
	const right = "一个很长的口令，用来测试 é"
	full, err := h.Hash(ctx, right)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parsePHC(full); err != nil || got.params != CurrentParams {
		t.Errorf("Hash wrote %s: %v", full, err)
	}
	if ok, err := h.Verify(ctx, full, right); !ok || err != nil {
		t.Errorf("Verify of a hash at full cost = %v, %v", ok, err)
	}
	phc := CheapHash(t, right)
	for pw, want := range map[string]bool{
		"一个很长的口令，用来测试 é":            true,
		"一个很长的口令，用来测试\u3000e\u0301": true, // typed on another system
		"一个很长的口令，用来测试 e":            false,
		"":                          false,
		"\x00":                      false,
		strings.Repeat("长", 5000):   false,
	} {
		if ok, err := h.Verify(ctx, phc, pw); ok != want || err != nil {
			t.Errorf("Verify(%.20q) = %v, %v; want %v", pw, ok, err, want)
		}
	}
	if _, err := h.Verify(ctx, "rubbish", "x"); !errors.Is(err, ErrBadHash) {
		t.Errorf("a bad hash gives %v", err)
	}
	if _, err := h.Hash(ctx, "bell\a"); !errors.Is(err, ErrPasswordText) {
		t.Errorf("a control character gives %v", err)
	}
	cheap := CheapHasher()
	a, _ := cheap.Hash(ctx, "x")
	b, _ := cheap.Hash(ctx, "x")
	if a == b {
		t.Error("two hashes of one password are equal: no salt")
	}
}

func TestHasher_HandsMemoryBackOnceAfterTheLastHash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := CheapHasher()
		var released atomic.Int32
		h.release = func() { released.Add(1) }
		for range 5 {
			if _, err := h.Hash(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(releaseAfter / 2)
		}
		if n := released.Load(); n != 0 {
			t.Errorf("released %d times while hashes kept coming", n)
		}
		time.Sleep(10 * releaseAfter)
		if n := released.Load(); n != 1 {
			t.Errorf("released %d times, want 1", n)
		}
	})
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	const fourteen, fifteen = "violett Kröte3", "violett Kröte37"
	for _, tc := range []struct {
		pw   string
		min  int
		want error
	}{
		{"", 15, ErrPasswordShort},
		{fourteen, 15, ErrPasswordShort},
		{fifteen, 15, nil},
		{"violett Kro\u0308te3", 15, ErrPasswordShort}, // fifteen typed, fourteen after NFC
		{"今天下午三点我们去喝奶茶好吗", 15, ErrPasswordShort},
		{"今天下午三点我们去喝奶茶好吗？", 15, nil},
		{"kq7-Xw2", 8, ErrPasswordShort},
		{"kq7-Xw2z", 8, nil},
		{fifteen + strings.Repeat("长城", 56) + "é", 15, nil},
		{fifteen + strings.Repeat("长城", 56) + "é!", 15, ErrPasswordLong},
		{strings.Repeat("x", 5000), 15, ErrPasswordLong},
		{"violett\x07 Kröte377", 15, ErrPasswordText},
		{"violett\u200b Kröte377", 15, ErrPasswordText},
		{"violett\xff Kröte377", 15, ErrPasswordText},
		{"violett Kröte zhang.wei", 15, ErrPasswordUsername},
		{"violett Kröte ZHANG.WEI", 15, ErrPasswordUsername},
		{"violett Kröte ｚｈａｎｇ．ｗｅｉ", 15, ErrPasswordUsername},
		{"correction-console-2026", 15, ErrPasswordCommon},
		{"WeChatPay2026password", 15, ErrPasswordCommon},
		{"ｗｅｃｈａｔｐａｙ２０２６ｐａｓｓ１２３４", 15, ErrPasswordCommon},
		{"weixinzhifu123456", 15, ErrPasswordCommon},
		{"微信支付改价台管理员密码客服公司", 15, ErrPasswordCommon},
		{"微信支付改价台：一只青蛙爱唱歌", 15, nil},
		{"woaini5201314woaini", 15, ErrPasswordCommon},
		{"Password1!", 8, ErrPasswordCommon},
		{"1984198519711999-2024", 15, ErrPasswordCommon},
		{"aaaaaaaaaaaaaaaaaaaa", 15, ErrPasswordPattern},
		{"密码密码密码密码密码密码密码密码", 15, ErrPasswordPattern},
		{"kq7-Xkq7-Xkq7-Xkq7-X", 15, ErrPasswordPattern},
		{"abcdefghijklmnopqrstuvwxyz", 15, ErrPasswordPattern},
		{"9876543210fedcba98", 15, ErrPasswordPattern},
		{"qwertyuiopasdfghjkl", 15, ErrPasswordPattern},
		{"lkjhgfdsapoiuytrewq", 15, ErrPasswordPattern},
		{"1qaz2wsx3edc4rfv5tgb", 15, ErrPasswordPattern},
		{"一二三四五六七八九十一二三四五", 15, ErrPasswordPattern},
		{"12345678", 8, ErrPasswordPattern},
		{"aaabbbaaabbbabababab", 15, ErrPasswordPattern},
		{"correct horse battery staple", 15, nil},
		{"uT!4eKq9#zLm2&vR", 15, nil},
	} {
		if err := CheckPassword(tc.pw, "zhang.wei", tc.min); !errors.Is(err, tc.want) {
			t.Errorf("CheckPassword(%.40q, %d) = %v, want %v", tc.pw, tc.min, err, tc.want)
		}
	}
	if err := CheckPassword("violett Kröte li 37", "li", 15); err != nil {
		t.Errorf("a user name of two letters is in many words: %v", err)
	}
}

func TestDelayAfter_DoublesFromTheFourthFailure(t *testing.T) {
	t.Parallel()
	var got []int
	for n := range 12 {
		got = append(got, int(delayAfter(n)/time.Second))
	}
	if want := []int{0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30}; !slices.Equal(got, want) {
		t.Errorf("delays %v, want %v", got, want)
	}
}

func TestNetwork_TakesASubscriberForOne(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "?", "rubbish": "?",
	} {
		if got := Network(in); got != want {
			t.Errorf("Network(%q) = %q, want %q", in, got, want)
		}
	}
}
