package i18n

import "testing"

func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		header []string
		want   Lang
	}{
		{nil, ZH},
		{[]string{""}, ZH},
		{[]string{"en"}, EN},
		{[]string{"zh"}, ZH},
		{[]string{"EN-us"}, EN},
		{[]string{"fr, de;q=0.9"}, ZH},
		{[]string{"fr, en;q=0.1"}, EN},
		// Weights, in whatever order.
		{[]string{"zh;q=0.5,en;q=0.8"}, EN},
		{[]string{"en;q=0.5,zh;q=0.8"}, ZH},
		{[]string{"en;q=0.1, zh-TW"}, ZH},
		{[]string{"zh;q=0.001, en;q=0.002"}, EN},
		{[]string{"zh;q=0.9", "en"}, EN},
		{[]string{"en, zh"}, EN}, // of two with the same weight the first
		{[]string{"zh, en"}, ZH},
		{[]string{"en;q=1.000, zh;q=1"}, EN},
		{[]string{"zh-CN,zh;q=0.9,en;q=0.8"}, ZH},
		{[]string{"en-US,en;q=0.9,zh-CN;q=0.8"}, EN},
		{[]string{"en-GB;q=0.9,en;q=0.1,zh;q=0.5"}, EN},
		{[]string{"zh_CN;q=0.3,en_US;q=0.4"}, EN},
		{[]string{"cmn-Hans, en;q=0.9"}, ZH},
		{[]string{" en ; q = 0.2 ,\tzh ; Q=0.1"}, EN},
		{[]string{"en;level=1;q=0.2, zh;q=0.3"}, ZH},
		// 0 excludes.
		{[]string{"en;q=0"}, ZH},
		{[]string{"zh;q=0"}, EN},
		{[]string{"zh;q=0, fr"}, EN},
		{[]string{"zh;q=0.000, en;q=0.001"}, EN},
		{[]string{"en;q=0, zh;q=0.1"}, ZH},
		{[]string{"zh;q=0, en;q=0"}, ZH},
		{[]string{"zh, zh-CN;q=0, en;q=0.5"}, EN},
		{[]string{"zh-CN, zh;q=0, en;q=0.5"}, ZH},
		{[]string{"zh-TW, zh-CN;q=0, en;q=0.5"}, EN},
		{[]string{"zh-TW;q=0, en;q=0.5"}, EN},
		{[]string{"zh-TW;q=0"}, ZH},
		{[]string{"zh-TW;q=0, zh;q=0.8, en;q=0.5"}, ZH},
		{[]string{"en-GB;q=0, en, zh;q=0.5"}, EN},
		{[]string{"en-US, en;q=0, zh;q=0.1"}, ZH},
		// Anything.
		{[]string{"*"}, ZH},
		{[]string{"*;q=0.5, en"}, EN},
		{[]string{"en;q=0.5, *"}, ZH},
		{[]string{"*, zh;q=0.5"}, EN},
		{[]string{"zh;q=0, *"}, EN},
		{[]string{"en;q=0, *"}, ZH},
		{[]string{"*;q=0"}, ZH},
		{[]string{"*;q=0, en"}, EN},
		{[]string{"*;q=0, en;q=0.1"}, EN},
		{[]string{"fr, *;q=0.5"}, ZH},
		// What cannot be read is as if it were not there.
		{[]string{"en;q=x, zh;q=0.1"}, ZH},
		{[]string{"en;q=, zh;q=0.1"}, ZH},
		{[]string{"en;q=2, zh;q=0.1"}, ZH},
		{[]string{"en;q=1.001, zh;q=0.1"}, ZH},
		{[]string{"en;q=-1, zh;q=0.1"}, ZH},
		{[]string{"en;q=.5, zh;q=0.1"}, ZH},
		{[]string{"en;q=0.5;q=0.6, zh;q=0.1"}, ZH},
		{[]string{"en;q=1e0, zh;q=0.1"}, ZH},
		{[]string{"zh;q=0;q=0, en;q=0.1"}, EN},
		{[]string{",;,;;q=0,;q=1, en"}, EN},
		{[]string{"eng, enm-x, zha"}, ZH},
		{[]string{"zha, en;q=0.1"}, EN},
		{[]string{"en;q=0.5000001, zh;q=0.5"}, EN},
		{[]string{"zh;q=0, en;q=0.0001"}, EN},
	} {
		if got := Accepted(tc.header); got != tc.want {
			t.Errorf("%q: %s, want %s", tc.header, got, tc.want)
		}
	}
}
