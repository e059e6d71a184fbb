package i18n

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"correction-console/internal/correction"
)

// constants reads the string constants of the domain whose names begin with the
// prefix, so that a new code without words fails here.
func constants(t *testing.T, prefix string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../correction/*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Names) != 1 || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, prefix) {
				return true
			}
			if lit, ok := v.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				value, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				out[v.Names[0].Name] = value
			}
			return true
		})
	}
	if len(out) == 0 {
		t.Fatalf("no constants begin with %s", prefix)
	}
	return out
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// bilingual checks a text of both languages: there, Chinese, and English.
func bilingual(t *testing.T, what string, say func(Lang) string) {
	t.Helper()
	zh, en := say(ZH), say(EN)
	if !hasHan(zh) || strings.Contains(zh, "%!") {
		t.Errorf("%s: Chinese text %q", what, zh)
	}
	if en == "" || hasHan(en) || strings.Contains(en, "%!") {
		t.Errorf("%s: English text %q", what, en)
	}
}

var sampleNotice = correction.Notice{Field: "post_payments.1.amount", Limit: 30, Count: 34, Text: "12.34", Names: []string{"a", "b"}, Amount: 17220}

func TestProblemText_CoversEveryCode(t *testing.T) {
	t.Parallel()
	for name, code := range constants(t, "Bad") {
		if _, ok := problemWords[code]; !ok {
			t.Errorf("no words for %s", name)
		}
		n := sampleNotice
		n.Code = code
		bilingual(t, name, func(l Lang) string { return ProblemText(l, n) })
		n.Text = ""
		bilingual(t, name+" without a suggestion", func(l Lang) string { return ProblemText(l, n) })
	}
	for _, field := range []string{"post_payments.0.name", "post_discounts.0.amount", "total_amount", "reason_code", "reason", "note"} {
		bilingual(t, field, func(l Lang) string {
			return ProblemText(l, correction.Notice{Field: field, Code: correction.BadRequired})
		})
	}
	bilingual(t, "unknown code", func(l Lang) string { return ProblemText(l, correction.Notice{Code: "new"}) })
}

func TestProblemText_NamesTheFix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n    correction.Notice
		want string
	}{
		{correction.Notice{Code: correction.BadCount, Limit: 100}, "填 1 到 100 之间的整数"},
		{correction.Notice{Code: correction.BadThousands, Text: "1234.50"}, "去掉千分位逗号，写成 1234.50"},
		{correction.Notice{Code: correction.BadZero}, "全额减免请在商户系统取消订单，不要改到 0 元。"},
		{correction.Notice{Code: correction.BadTooLong, Limit: 50, Count: 58}, "要删去 8 个字"},
		{correction.Notice{Code: correction.BadNotLower, Amount: 17220}, "只能调低"},
	} {
		if got := ProblemText(ZH, c.n); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q does not say %q", c.n.Code, got, c.want)
		}
	}
	if got := NotLowerText(ZH, 18280, 17220); got != "改后 ¥182.80 高于当前 ¥172.20：金额只能调低" {
		t.Errorf("not lower: %q", got)
	}
	bilingual(t, "equal", func(l Lang) string { return NotLowerText(l, 17220, 17220) })
}

func TestWarningText_CoversEveryCode(t *testing.T) {
	t.Parallel()
	for name, code := range constants(t, "Warn") {
		if _, ok := warningWords[code]; !ok {
			t.Errorf("no words for %s", name)
		}
		n := sampleNotice
		n.Code = code
		bilingual(t, name, func(l Lang) string { return WarningText(l, n) })
	}
}

func TestFieldLabel_CallsRowsByTheirNumber(t *testing.T) {
	t.Parallel()
	for field, want := range map[string][2]string{
		"post_payments.1.amount":  {"第 2 行 · 行合计", "Line 2 · Line total"},
		"post_discounts.0.name":   {"优惠 1 · 优惠名称", "Discount 1 · Name"},
		"post_payments":           {"明细", "Lines"},
		"reason":                  {"发给微信的说明", "Text sent to WeChat"},
		"device.start_device_id":  {"开始设备编号", "Start device"},
		"something.else.entirely": {"something.else.entirely", "something.else.entirely"},
	} {
		if zh, en := FieldLabel(ZH, field), FieldLabel(EN, field); zh != want[0] || en != want[1] {
			t.Errorf("%s: %q, %q", field, zh, en)
		}
	}
	for field := range fieldNames {
		bilingual(t, field, func(l Lang) string { return FieldLabel(l, field) })
	}
}

func TestSpoken_IsReadAloud(t *testing.T) {
	t.Parallel()
	for f, want := range map[correction.Fen]string{
		3970: "39 元 7 角", 1000: "10 元", 0: "0 元", 50: "5 角", 5: "5 分", 3905: "39 元 零 5 分", 3975: "39 元 7 角 5 分",
	} {
		if got := Spoken(ZH, f); got != want {
			t.Errorf("%d: %q, want %q", f, got, want)
		}
	}
	if got := Spoken(EN, 3970); got != "39.70 yuan" {
		t.Errorf("English: %q", got)
	}
}

func TestObstacle_CoversEveryObstacle(t *testing.T) {
	t.Parallel()
	for _, facts := range []ObstacleFacts{{}, {Paid: 3000, When: "11-23 13:58:21", Total: 1000, State: "DOING · NEW"}} {
		for _, o := range correction.Obstacles {
			if _, ok := obstacleWords[o]; !ok {
				t.Errorf("no words for %s", o)
			}
			for name, part := range map[string]func(ObstacleWords) string{
				"title":    func(w ObstacleWords) string { return w.Title },
				"sentence": func(w ObstacleWords) string { return w.Sentence },
				"heading":  func(w ObstacleWords) string { return w.NextHead },
				"next":     func(w ObstacleWords) string { return strings.Join(w.Next, "|") },
				"say":      func(w ObstacleWords) string { return w.Say },
			} {
				bilingual(t, string(o)+" "+name, func(l Lang) string { return part(Obstacle(l, o, facts)) })
			}
		}
	}
	if w := Obstacle(ZH, correction.Charging, ObstacleFacts{When: "14:30:31"}); !strings.Contains(w.Sentence, "14:30:31 以后可以再改一次") {
		t.Errorf("charging does not say from when: %q", w.Sentence)
	}
	if w := Obstacle(ZH, correction.Paid, ObstacleFacts{Paid: 3000}); !strings.Contains(strings.Join(w.Next, ""), "微信支付单号") {
		t.Errorf("paid does not lead to a refund: %q", w.Next)
	}
}

func TestOutcome_CoversEveryStateAndClaimsNothingMore(t *testing.T) {
	t.Parallel()
	base := correction.Order{State: "DOING", StateDescription: "MCH_COMPLETE", Total: 9900, HasTotal: true, Collection: correction.Collection{State: "USER_PAYING", Total: 9900}}
	paid := base
	paid.State, paid.Collection = "DONE", correction.Collection{State: "USER_PAID", Total: 9900, Paid: 9900}
	var details []correction.Detail
	for _, cause := range constants(t, "Cause") {
		details = append(details, correction.Detail{Cause: cause, Status: 500})
	}
	for _, f := range constants(t, "Found") {
		details = append(details, correction.Detail{Finding: correction.Finding(f), Reading: &base}, correction.Detail{Finding: correction.Finding(f), Reading: &paid})
	}
	for _, o := range correction.Obstacles {
		details = append(details, correction.Detail{Obstacle: o})
	}
	for _, s := range correction.States {
		if _, ok := outcomeWords[s]; !ok {
			t.Errorf("no words for %s", s)
		}
		for _, d := range details {
			c := correction.Correction{Base: base, Target: 1000, State: s, Events: []correction.Event{{N: 1, State: s, Detail: d}}}
			for _, when := range []string{"", "14:30:31"} {
				bilingual(t, string(s)+" title", func(l Lang) string { return Outcome(l, c, when).Title })
				all := func(l Lang) string {
					w := Outcome(l, c, when)
					return strings.Join(append([]string{w.Title, w.Money, w.Say}, w.Next...), "|")
				}
				bilingual(t, string(s), all)
				if s == correction.Unknown || s == correction.Claimed || s == correction.Sending {
					for _, l := range []Lang{ZH, EN} {
						for _, word := range []string{"失败", "failed", "再试", "重试", "try again", "Try again"} {
							if strings.Contains(all(l), word) {
								t.Errorf("%s says %q: %s", s, word, all(l))
							}
						}
					}
				}
			}
		}
	}
}

func TestTables_CoverEveryCodeOfTheRecord(t *testing.T) {
	t.Parallel()
	order := correction.Order{State: "DOING", Total: 1000, Collection: correction.Collection{Paid: 1000}}
	for name, code := range constants(t, "Cause") {
		if _, ok := causeWords[code]; !ok {
			t.Errorf("no words for %s", name)
		}
		bilingual(t, name, func(l Lang) string { return CauseText(code).In(l) })
	}
	for name, code := range constants(t, "Alarm") {
		bilingual(t, name, func(l Lang) string { return AlarmText(code).In(l) })
	}
	for name, code := range constants(t, "Found") {
		bilingual(t, name, func(l Lang) string { return FindingText(l, correction.Finding(code), order) })
	}
	for _, class := range []correction.Class{correction.Accepted, correction.Refused, correction.NothingSent, correction.Uncertain} {
		bilingual(t, string(class), func(l Lang) string { return ClassText(class).In(l) })
	}
	for name, code := range constants(t, "Code") {
		bilingual(t, name, func(l Lang) string { return CheckFailedText(code).In(l) })
	}
}

func TestEvents_AreNamedAndExplained(t *testing.T) {
	t.Parallel()
	order := correction.Order{State: "DOING", Total: 9900}
	c := correction.Correction{Base: order, Target: 1000}
	for _, s := range correction.States {
		if _, ok := eventTitles[s]; !ok {
			t.Errorf("no title for %s", s)
		}
		e := correction.Event{State: s, Detail: correction.Detail{
			Class: correction.Refused, Finding: correction.FoundBase, Reading: &order, Status: 400, Code: "INVALID_REQUEST", Message: "m",
			TookMS: 412, Cause: correction.CauseUnread, Alarm: correction.AlarmAuth, Typed: "10.00",
		}}
		bilingual(t, string(s), func(l Lang) string { return EventTitle(l, c, e) })
		bilingual(t, string(s), func(l Lang) string { return strings.Join(EventNotes(l, c, e), "|") })
	}
	check := correction.Event{State: correction.Unknown, Detail: correction.Detail{Finding: correction.FoundBase, Reading: &order}}
	if !IsCheck(check) || EventTitle(ZH, c, check) == EventTitle(ZH, c, correction.Event{State: correction.Unknown}) {
		t.Error("a reading that did not decide is not told from the uncertain answer")
	}
	titles := map[string]string{}
	later := func(state correction.State, d correction.Detail) {
		t.Helper()
		d.Text, d.Reading = "核对过", &order
		c := c
		c.State = state
		c.Events = []correction.Event{{N: 1, State: state}, {N: 2, State: state, Detail: d}}
		bilingual(t, string(state), func(l Lang) string { return EventTitle(l, c, c.Events[1]) })
		if title := EventTitle(ZH, c, c.Events[1]); title == EventTitle(ZH, c, c.Events[0]) {
			t.Errorf("%s: a later event %+v is called as the first: %s", state, d, title)
		} else {
			titles[title] = title
		}
		if notes := strings.Join(EventNotes(ZH, c, c.Events[1]), "|"); !strings.Contains(notes, "“核对过”") {
			t.Errorf("%s: the words of a person are missing: %s", state, notes)
		}
	}
	for _, s := range correction.Settlements {
		later(correction.Applied, correction.Detail{Settled: s})
	}
	for _, r := range correction.Rulings {
		later(correction.NeedsPerson, correction.Detail{Ruling: r})
		later(correction.Resolved, correction.Detail{Ruling: r})
	}
	later(correction.Applied, correction.Detail{Handled: true})
	later(correction.Applied, correction.Detail{Alarm: correction.AlarmLost})
	later(correction.Applied, correction.Detail{Finding: correction.FoundBelow})
	later(correction.NotApplied, correction.Detail{Finding: correction.FoundBase})
	later(correction.NotApplied, correction.Detail{Settled: correction.Rechecked, Cause: correction.CauseUnread})
	lost := correction.Event{N: 2, State: correction.Applied, Detail: correction.Detail{Finding: correction.FoundBase, Reading: &order}}
	if notes := strings.Join(EventNotes(ZH, c, lost), "|"); strings.Contains(notes, "没有变化") {
		t.Errorf("an effect that is gone is told as no change: %s", notes)
	}
	if want := len(correction.Settlements) + 2*len(correction.Rulings) + 5; len(titles) != want {
		t.Errorf("%d titles for %d events", len(titles), want)
	}
	if got := Took(ZH, 412); got != "用时 0.4 秒" {
		t.Errorf("took: %q", got)
	}
}

func TestOutcome_SaysWhatBecameOfTheOrder(t *testing.T) {
	t.Parallel()
	order := func(state string, paid correction.Fen) *correction.Order {
		o := correction.Order{State: "DOING", StateDescription: "MCH_COMPLETE", Total: 1000, HasTotal: true, Collection: correction.Collection{State: state, Total: 1000, Paid: paid}}
		return &o
	}
	base := correction.Order{State: "DOING", StateDescription: "MCH_COMPLETE", Total: 9900, HasTotal: true}
	risen := *order("USER_PAYING", 0)
	risen.Total = 9900
	applied := correction.Event{N: 1, State: correction.Applied, Detail: correction.Detail{Finding: correction.FoundTarget, Reading: order("USER_PAYING", 0)}}
	refused := correction.Event{N: 1, State: correction.NotApplied, Detail: correction.Detail{Finding: correction.FoundBase, Reading: &base}}
	old := base
	old.Collection = correction.Collection{State: "USER_PAID", Total: 9900, Paid: 9900}
	for name, c := range map[string]struct {
		events     []correction.Event
		says, not  string
		saysToThem bool
	}{
		"following": {[]correction.Event{applied}, "微信会按新金额扣款", "已经付款", true},
		"paid new": {[]correction.Event{applied, {N: 2, State: correction.Applied, Detail: correction.Detail{Finding: correction.FoundPaidTarget, Settled: correction.PaidNew, Reading: order("USER_PAID", 1000)}}},
			"客户已按新金额付款", "会按新金额扣款", true},
		"paid old": {[]correction.Event{applied, {N: 2, State: correction.Applied, Detail: correction.Detail{Finding: correction.FoundPaidBase, Settled: correction.PaidOld, Due: true, Reading: &old}}},
			"要退 ¥89.00", "会按新金额扣款", true},
		"paid old, handled": {[]correction.Event{applied, {N: 2, State: correction.Applied, Detail: correction.Detail{Finding: correction.FoundPaidBase, Settled: correction.PaidOld, Due: true, Reading: &old}},
			{N: 3, State: correction.Applied, Detail: correction.Detail{Handled: true, Text: "退了"}}}, "主管已处理", "要退 ¥89.00", true},
		"superseded": {[]correction.Event{applied, {N: 2, State: correction.Applied, Detail: correction.Detail{Settled: correction.Superseded}}}, "以后来那一笔为准", "会按新金额扣款", false},
		"lost":       {[]correction.Event{applied, {N: 2, State: correction.Applied, Detail: correction.Detail{Finding: correction.FoundBase, Alarm: correction.AlarmLost, Due: true, Reading: &risen}}}, "对不上", "会按新金额扣款", true},
		"paid after it was not applied": {[]correction.Event{refused, {N: 2, State: correction.NotApplied, Detail: correction.Detail{Finding: correction.FoundPaidBase, Reading: &old}}},
			"多收的 ¥89.00 要退款", "重新改一次", true},
		"still open": {[]correction.Event{applied, {N: 2, State: correction.Applied, Detail: correction.Detail{Settled: correction.StillOpen, Due: true, Finding: correction.FoundTarget, Reading: order("USER_PAYING", 0)}}},
			"还没有付款", "把结果告诉客户", true},
	} {
		cor := correction.Correction{Base: base, Target: 1000, State: c.events[0].State, Events: c.events}
		w := Outcome(ZH, cor, "")
		all := strings.Join(append([]string{w.Title, w.Money}, w.Next...), "|")
		if !strings.Contains(all, c.says) || strings.Contains(all+w.Say, c.not) || (w.Say != "") != c.saysToThem {
			t.Errorf("%s: %s / %s", name, all, w.Say)
		}
		bilingual(t, name, func(l Lang) string {
			w := Outcome(l, cor, "")
			return w.Title + "|" + w.Money + "|" + strings.Join(w.Next, "|")
		})
	}
}

func TestAlarms_CoverEveryConcernOfOneAndOfMany(t *testing.T) {
	t.Parallel()
	for _, c := range []correction.Concern{correction.Unresolved, correction.AppliedAfter, correction.LostEffect, correction.LowDisk, correction.StoreFailed,
		correction.JournalFailed, correction.ClockOff, correction.ClockRefused, correction.OnBackup, correction.Unpublished,
		correction.WeChatSettings, correction.JournalMissing, correction.ReloadFailed} {
		for _, n := range []int{1, 7} {
			bilingual(t, string(c), func(l Lang) string { return AlarmWords(l, correction.Alarm{Concern: c, Count: n, ID: 12}) })
		}
	}
	for _, c := range []correction.Concern{correction.LowDisk, correction.StoreFailed, correction.ClockRefused} {
		for _, words := range []func(correction.Concern) Text{ReadOnlyText, ReadOnlyWhy, ReadOnlyTell} {
			bilingual(t, string(c), func(l Lang) string { return words(c).In(l) })
		}
	}
	for _, s := range correction.Settlements {
		for _, state := range []correction.State{correction.Applied, correction.AppliedLate} {
			bilingual(t, string(s), func(l Lang) string { return DueText(l, correction.Summary{State: state, Settled: s}) })
		}
	}
}

func TestSettingWords_AreComplete(t *testing.T) {
	t.Parallel()
	s := correction.DefaultSettings()
	per := correction.Fen(20000)
	s.Limits = correction.Limits{Roles: map[correction.Role]correction.Limit{correction.Agent: {Per: &per}}}
	s.Tiers = []correction.Tier{{}, {From: 100000}}
	for _, name := range correction.SettingNames {
		bilingual(t, string(name), func(l Lang) string { return SettingName(string(name)).In(l) })
		zh, en := SettingLines(ZH, name, s, nil), SettingLines(EN, name, s, nil)
		if len(zh) == 0 || len(zh) != len(en) {
			t.Errorf("%s: %d and %d lines", name, len(zh), len(en))
		}
		for i, l := range en {
			if l.Label == "" || l.Value == "" || strings.Contains(l.Value, "%!") || l.Key != zh[i].Key || zh[i].Value == "" {
				t.Errorf("%s: %+v", name, l)
			}
			if hasHan(l.Value) && name != correction.SettingReasons { // which quotes both languages
				t.Errorf("%s: Chinese in %q", name, l.Value)
			}
		}
		if changes := SettingChanges(en, en); len(changes) != 0 {
			t.Errorf("%s: %v", name, changes)
		}
	}
	was := []SettingLine{{"a", "A", "1"}, {"b", "B", "2"}}
	now := []SettingLine{{"b", "B", "3"}, {"c", "C", "4"}}
	want := []SettingChange{{"B", "2", "3"}, {"C", "", "4"}, {"A", "1", ""}}
	if got := SettingChanges(was, now); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Each obstacle says something of its own: an order that was only created is not one
// whose service runs.
func TestObstacles_SayDifferentThings(t *testing.T) {
	t.Parallel()
	for _, l := range []Lang{ZH, EN} {
		said := map[string]correction.Obstacle{}
		for _, o := range correction.Obstacles {
			w := Obstacle(l, o, ObstacleFacts{})
			for _, text := range []string{w.Title, w.Sentence, w.Say} {
				if other, ok := said[text]; ok {
					t.Errorf("%s: %s and %s both say %q", l, o, other, text)
				}
				said[text] = o
			}
		}
	}
	created := correction.Order{State: correction.OrderCreated}
	running := correction.Order{State: correction.OrderDoing, StateDescription: correction.UserConfirm}
	if a, b := created.WhyNot(nil, time.Time{}), running.WhyNot(nil, time.Time{}); a == b {
		t.Errorf("both are %q", a)
	}
}
