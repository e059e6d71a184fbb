package i18n_test

import (
	"strings"
	"testing"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
)

func TestFlags_SayWhatWasFoundAndTheThreshold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f      correction.Flag
		zh, en string
	}{
		{correction.Flag{Code: correction.FlagZero}, "改到 0 元，全部不收", "Lowered to ¥0.00: nothing is charged"},
		{correction.Flag{Code: correction.FlagShare, Found: 769, Limit: 500}, "降幅 76.9%，超过 50%", "Reduced by 76.9%, above 50%"},
		{correction.Flag{Code: correction.FlagShare, Found: 1000, Limit: 333}, "降幅 100%，超过 33.3%", "Reduced by 100%, above 33.3%"},
		{correction.Flag{Code: correction.FlagNear, Found: 20, Limit: 20000}, "少收 ¥199.80，离每单上限只差 ¥0.20", "Reduced by ¥199.80, only ¥0.20 under the limit per order"},
		{correction.Flag{Code: correction.FlagNear, Limit: 20000}, "少收 ¥200.00，正好是每单上限", "Reduced by ¥200.00, exactly the limit per order"},
		{correction.Flag{Code: correction.FlagDevice, Found: 3, Limit: 7}, "同一设备 7 天内第 3 次改价", "Correction no. 3 of the same device within 7 days"},
		{correction.Flag{Code: correction.FlagOrder, Found: 2, Limit: 7}, "同一订单 7 天内第 2 次改价", "Correction no. 2 of the same order within 7 days"},
		{correction.Flag{Code: correction.FlagHours, Found: 1}, "00:01 提交，不在工作时间内", "Submitted at 00:01, outside working hours"},
		{correction.Flag{Code: correction.FlagHours, Found: 1439}, "23:59 提交，不在工作时间内", "Submitted at 23:59, outside working hours"},
		{correction.Flag{Code: correction.FlagFast, Found: 8, Limit: 10}, "从打开订单到提交只用了 8 秒，少于 10 秒", "Only 8 s from opening the order to submitting, less than 10 s"},
		{correction.Flag{Code: correction.FlagOther, Found: 4, Limit: 3}, "连续 4 笔用“其他”作原因", "“Other” as the reason 4 times running"},
		{correction.Flag{Code: correction.FlagPair, Found: 3, Limit: 30}, "同一客服 30 天内第 3 次改同一设备的订单", "Correction no. 3 by the same agent on the same device within 30 days"},
		{correction.Flag{Code: correction.FlagSampled, Limit: 100}, "随机抽中", "Drawn at random"},
	} {
		if zh, en := i18n.FlagText(i18n.ZH, c.f), i18n.FlagText(i18n.EN, c.f); zh != c.zh || en != c.en {
			t.Errorf("%+v: %q, %q", c.f, zh, en)
		}
	}
	for _, code := range correction.FlagCodes {
		if f := fault(i18n.FlagName(code)); f != "" {
			t.Errorf("name of flag %s: %s", code, f)
		}
		if s := i18n.FlagText(i18n.EN, correction.Flag{Code: code, Found: 1, Limit: 1}); s == "" || s == code {
			t.Errorf("flag %s has no words", code)
		}
	}
	for _, m := range append([]string{correction.ReviewNone}, marks()...) {
		if f := fault(i18n.ReviewWord(m)); f != "" {
			t.Errorf("word for review %s: %s", m, f)
		}
	}
}

func marks() (out []string) {
	for _, m := range correction.ReviewMarks {
		out = append(out, string(m))
	}
	return out
}

func TestHistory_NamesWhoReviewed(t *testing.T) {
	t.Parallel()
	c := correction.Correction{AuthorID: 1, AuthorName: "林晓雯", State: correction.Declined}
	add := func(s correction.State, actor int64, name string, d correction.Detail) {
		c.Events = append(c.Events, correction.Event{N: len(c.Events) + 1, State: s, ActorID: actor, ActorName: name, Detail: d})
	}
	add(correction.Prepared, 1, "", correction.Detail{})
	add(correction.Awaiting, 1, "林晓雯", correction.Detail{})
	add(correction.Declined, 2, "周启明", correction.Detail{Text: "太多了"}) // a decision, no note
	add(correction.Declined, 3, "钱敏", correction.Detail{Review: correction.ReviewQueried, Text: "为什么？"})
	add(correction.Declined, 1, "", correction.Detail{Review: correction.ReviewAnswered, Text: "因为"})
	add(correction.Declined, 3, "钱敏", correction.Detail{Review: correction.ReviewFine})
	add(correction.Declined, 2, "周启明", correction.Detail{Text: "知道了"})
	var got []string
	for _, e := range c.Events[2:] {
		got = append(got, i18n.EventTitle(i18n.ZH, c, e))
	}
	if want := "审批未通过|钱敏：问客服|林晓雯：已回答|钱敏：没问题|周启明 的备注"; strings.Join(got, "|") != want && strings.Join(got[1:], "|") != strings.SplitN(want, "|", 2)[1] {
		t.Errorf("%q", got)
	}
	if i18n.IsSaid(c, c.Events[2]) {
		t.Error("a decision counts as a note")
	}
	if en := i18n.EventTitle(i18n.EN, c, c.Events[5]); en != "钱敏: Fine" {
		t.Errorf("%q", en)
	}
	if notes := i18n.EventNotes(i18n.ZH, c, c.Events[3]); len(notes) != 1 || notes[0] != "“为什么？”" {
		t.Errorf("%q", notes)
	}
}
