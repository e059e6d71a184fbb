package correction

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func yuanOf(n Fen) *Fen { return &n }

// basis is what edits of the tests are judged by: zhou (1) edits; qian (2) is another
// supervisor, sun (3) one of a single merchant, mo (4) one who is disabled, lin (5) an
// agent.
func basis() Basis {
	s := DefaultSettings()
	s.Reasons = slices.Clone(s.Reasons)
	return Basis{
		Actor: Actor{UserID: 1, Name: "周启明", Role: Supervisor, Scope: Scope{All: true}}, Settings: s,
		People: []Person{
			{ID: 1, Login: "zhou", Name: "周启明", Role: Supervisor, Scope: Scope{All: true}},
			{ID: 2, Login: "qian", Name: "钱敏", Role: Supervisor, Scope: Scope{All: true}},
			{ID: 3, Login: "sun", Name: "孙立", Role: Supervisor, Scope: Scope{Merchants: []string{"1900000001"}}},
			{ID: 4, Login: "mo", Name: "莫言", Role: Supervisor, Scope: Scope{All: true}, Disabled: true},
			{ID: 5, Login: "lin", Name: "林晓雯", Role: Agent, Scope: Scope{All: true}},
			{ID: 6, Login: "shen", Name: "沈静", Role: Auditor, Scope: Scope{All: true}},
		},
		Merchants: []Merchant{{SubMchID: "1900000001", Name: "甲"}, {SubMchID: "1900000002", Name: "乙"}},
	}
}

// found lists problems as "field code", sorted.
func found(problems []Notice) string {
	var out []string
	for _, n := range problems {
		out = append(out, n.Field+" "+n.Code)
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// changed is a form with some fields changed; "-" takes one away.
func changed(t Typed, changes ...string) Typed {
	t = maps.Clone(t)
	for i := 0; i < len(changes); i += 2 {
		if t[changes[i]] = changes[i+1]; changes[i+1] == "-" {
			delete(t, changes[i])
		}
	}
	return t
}

func TestParseSetting_Problems(t *testing.T) {
	t.Parallel()
	b := basis()
	reasons, limits, tiers := b.Settings.Typed(SettingReasons), b.Settings.Typed(SettingLimits), b.Settings.Typed(SettingTiers)
	flags, hours := b.Settings.Typed(SettingFlags), b.Settings.Typed(SettingHours)
	long := strings.Repeat("字", 51)
	for _, x := range []struct {
		name SettingName
		t    Typed
		want string
	}{
		{SettingReasons, reasons, ""},
		{SettingReasons, changed(reasons, "reason.6.code", "", "reason.6.zh", " "), ""}, // an empty row
		{SettingReasons, changed(reasons, "reason.6.code", "late_return", "reason.6.zh", "晚还", "reason.6.en", "Late"), ""},
		{SettingReasons, changed(reasons, "reason.6.code", "late_return"), "reason.6.en required; reason.6.zh required"},
		{SettingReasons, changed(reasons, "reason.6.code", "Late", "reason.6.zh", "晚还", "reason.6.en", "Late"), "reason.6.code setting_code"},
		{SettingReasons, changed(reasons, "reason.6.code", "", "reason.6.zh", "晚还", "reason.6.en", "Late"), "reason.6.code setting_code"},
		{SettingReasons, changed(reasons, "reason.6.code", "other", "reason.6.zh", "晚还", "reason.6.en", "Late"), "reason.6.code setting_twice"},
		{SettingReasons, changed(reasons, "reason.0.code", "device_broken"), "reason setting_gone"},
		{SettingReasons, changed(reasons, "reason.5.code", "-", "reason.5.zh", "-", "reason.5.en", "-", "reason.5.outgoing", "-"), "reason setting_gone"},
		{SettingReasons, changed(reasons, "reason.0.outgoing", long, "reason.1.outgoing", "好的😀", "reason.2.zh", "零\u200b宽", "reason.3.en", strings.Repeat("x", 21)),
			"reason.0.outgoing too_long; reason.1.outgoing emoji; reason.2.zh bad_character; reason.3.en too_long"},
		{SettingReasons, changed(reasons, "reason.0.outgoing", ""), ""},
		{SettingReasons, changed(reasons, "reason.0.retired", "1", "reason.1.retired", "1", "reason.2.retired", "1", "reason.3.retired", "1", "reason.4.retired", "1"), ""},
		{SettingReasons, changed(reasons, "reason.0.retired", "1", "reason.1.retired", "1", "reason.2.retired", "1", "reason.3.retired", "1", "reason.4.retired", "1", "reason.5.retired", "1"), "reason setting_none"},

		{SettingLimits, limits, ""},
		{SettingLimits, Typed{"agent.per": "200", "agent.percent": "12.5", "agent.day": "¥5000.00", "agent.count": "２００"}, ""},
		{SettingLimits, Typed{"agent.per": "1,000", "agent.percent": "0", "agent.day": "-1", "agent.count": "1.5"},
			"agent.count setting_whole; agent.day yuan_sign; agent.per yuan_thousands; agent.percent setting_percent"},
		{SettingLimits, Typed{"agent.percent": "100.1", "agent.count": "10001"}, "agent.count setting_whole; agent.percent setting_percent"},
		{SettingLimits, Typed{"agent.per": "200", "agent.day": "199.99"}, "agent.day setting_day"},
		{SettingLimits, Typed{"agent.per": "200", "agent.day": "200"}, ""},
		{SettingLimits, Typed{"person.5.per": "10"}, "person.5.own setting_own_tick"},
		{SettingLimits, Typed{"person.5.own": "1"}, ""},
		{SettingLimits, Typed{"person.1.own": "1"}, "person.1.own setting_own_row"},
		{SettingLimits, Typed{"person.1.own": "1", "person.1.per": "99999"}, "person.1.own setting_own_row"},
		{SettingLimits, Typed{"supervisor.per": "1000"}, "supervisor.per setting_gap"}, // nobody is without an end
		{SettingLimits, Typed{"supervisor.per": "1000", "person.2.own": "1"}, ""},
		{SettingLimits, Typed{"supervisor.percent": "50"}, "supervisor.per setting_gap"},
		{SettingLimits, Typed{"supervisor.per": "1000", "person.3.own": "1"}, "supervisor.per setting_gap"}, // merchant 乙 is out of scope
		{SettingLimits, Typed{"supervisor.per": "1000", "person.4.own": "1"}, "supervisor.per setting_gap"}, // disabled

		{SettingTiers, tiers, ""},
		{SettingTiers, changed(tiers, "tier.1.from", "1000", "tier.1.who", "named", "tier.1.person.2", "1"), ""},
		{SettingTiers, changed(tiers, "tier.1.from", "1000", "tier.1.who", "named"), "tier.1.who setting_tier_nobody"},
		{SettingTiers, changed(tiers, "tier.1.from", "1000", "tier.1.who", "named", "tier.1.person.3", "1"), "tier.1.who setting_gap"},
		{SettingTiers, changed(tiers, "tier.1.from", "1000", "tier.1.who", "named", "tier.1.person.4", "1"), "tier.1.who setting_tier_nobody; tier.1.who setting_tier_who"},
		{SettingTiers, changed(tiers, "tier.1.from", "1000", "tier.1.who", "named", "tier.1.person.5", "1", "tier.1.person.2", "1"), "tier.1.who setting_tier_who"},
		{SettingTiers, changed(tiers, "tier.1.from", "0.00"), "tier.1.from setting_tier_twice"},
		{SettingTiers, changed(tiers, "tier.0.from", "1"), "tier setting_tier_zero"},
		{SettingTiers, Typed{}, "tier setting_tier_zero"},
		{SettingTiers, changed(tiers, "tier.1.from", ""), "tier.1.from required"},
		{SettingTiers, changed(tiers, "tier.1.from", "1e3"), "tier.1.from yuan_exponent"},

		{SettingFlags, flags, ""},
		{SettingFlags, Typed{}, ""},
		{SettingFlags, Typed{"share": "0", "near": "x", "again_days": "366", "fast_seconds": "0", "other_running": "-1", "sample": "100.5"},
			"again_days setting_whole; fast_seconds setting_whole; near setting_percent; other_running setting_whole; sample setting_percent; share setting_percent"},
		{SettingFlags, Typed{"pair_count": "3"}, "pair_days setting_pair"},
		{SettingFlags, Typed{"pair_days": "3"}, "pair_count setting_pair"},
		{SettingFlags, Typed{"pair_count": "1", "pair_days": "30"}, "pair_count setting_whole"},

		{SettingHours, hours, ""},
		{SettingHours, Typed{"day.0.from": "x"}, ""}, // a closed day
		{SettingHours, Typed{"day.1.open": "1", "day.1.from": "0:00", "day.1.until": "24:00"}, ""},
		{SettingHours, Typed{"day.1.open": "1", "day.1.from": "８：３０", "day.1.until": "18:00"}, ""},
		{SettingHours, Typed{"day.1.open": "1"}, "day.1.from required; day.1.until required"},
		{SettingHours, Typed{"day.1.open": "1", "day.1.from": "25:00", "day.1.until": "18:60"}, "day.1.from setting_time; day.1.until setting_time"},
		{SettingHours, Typed{"day.1.open": "1", "day.1.from": "8:30", "day.1.until": "24:01"}, "day.1.until setting_time"},
		{SettingHours, Typed{"day.1.open": "1", "day.1.from": "18:00", "day.1.until": "18:00"}, "day.1.until setting_span"},
	} {
		if _, problems := ParseSetting(x.name, x.t, b); found(problems) != x.want {
			t.Errorf("%s %v:\n got %q\nwant %q", x.name, x.t, found(problems), x.want)
		}
	}
}

// A form of what is stored says what is stored.
func TestParseSetting_ReadsWhatTypedWrites(t *testing.T) {
	t.Parallel()
	b := basis()
	share, count := 125, 0
	b.Settings.Limits = Limits{
		Roles:  map[Role]Limit{Agent: {Per: yuanOf(20000), PerPermille: &share, Day: yuanOf(500000), DayCount: &count}},
		People: map[string]Limit{"1": {Per: yuanOf(500)}, "2": {}, "5": {Day: yuanOf(1)}, "99": {Per: yuanOf(7)}}, // 99 left long ago
	}
	b.Settings.Tiers = []Tier{{}, {From: 100000, Approvers: []int64{2}}}
	b.Settings.Reasons[0].Retired = true
	b.Settings.Flags.SharePermille, b.Settings.Flags.Zero = 333, false
	b.Settings.Hours[0] = Span{}
	b.Settings.Hours[6] = Span{0, 1440}
	for _, name := range SettingNames {
		value, problems := ParseSetting(name, b.Settings.Typed(name), b)
		got, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(b.Settings.Value(name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) || len(problems) > 0 {
			t.Errorf("%s %v:\n got %s\nwant %s", name, problems, got, want)
		}
		again, err := DefaultSettings().With(name, got)
		if err != nil || fmt.Sprint(again.Typed(name)) != fmt.Sprint(b.Settings.Typed(name)) {
			t.Errorf("%s: it comes back as %v (%v)", name, again.Typed(name), err)
		}
	}
}

func TestParseSetting_TiersAreSortedAndGapsNamed(t *testing.T) {
	t.Parallel()
	b := basis()
	value, problems := ParseSetting(SettingTiers, Typed{"tier.0.from": "1000", "tier.3.from": "0", "tier.7.from": "500"}, b)
	if tiers := value.([]Tier); len(problems) > 0 || len(tiers) != 3 || tiers[0].From != 0 || tiers[1].From != 50000 || tiers[2].From != 100000 {
		t.Errorf("%v %v", value, problems)
	}
	_, problems = ParseSetting(SettingTiers, Typed{"tier.0.from": "0", "tier.1.from": "1000", "tier.1.who": "named", "tier.1.person.3": "1"}, b)
	if len(problems) != 1 || problems[0].Amount != 100000 || fmt.Sprint(problems[0].Names) != "[乙]" {
		t.Errorf("%+v", problems)
	}
	// A gap that was there before does not keep the limits from being edited.
	b.Settings.Tiers = []Tier{{}, {From: 100000, Approvers: []int64{3}}}
	if _, problems := ParseSetting(SettingLimits, Typed{"agent.per": "200"}, b); len(problems) > 0 {
		t.Errorf("%+v", problems)
	}
	// The own limit of the editor passes unchanged.
	b.Settings.Limits.People = map[string]Limit{"1": {Per: yuanOf(500)}}
	for form, want := range map[string]int{"5.00": 0, "6.00": 1, "": 1} {
		if _, problems := ParseSetting(SettingLimits, Typed{"person.1.own": "1", "person.1.per": form}, b); len(problems) != want {
			t.Errorf("%q: %+v", form, problems)
		}
	}
	if _, problems := ParseSetting(SettingLimits, Typed{}, b); found(problems) != "person.1.own setting_own_row" {
		t.Errorf("their own row can be taken away: %+v", problems)
	}
}

func TestParseCatalog(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		t    Typed
		want string
	}{
		{Typed{"sub_mchid": " １900021408 ", "name": "溪桥充电宝"}, ""},
		{Typed{"sub_mchid": "19x", "name": ""}, "name required; sub_mchid setting_mchid"},
		{Typed{"sub_mchid": "1900021408", "name": strings.Repeat("长", 41)}, "name too_long"},
	} {
		if m, problems := ParseMerchant(x.t); found(problems) != x.want || x.want == "" && m != (Merchant{SubMchID: "1900021408", Name: "溪桥充电宝"}) {
			t.Errorf("%v: %v %q", x.t, m, found(problems))
		}
	}
	for _, x := range []struct {
		t    Typed
		want string
	}{
		{Typed{"service_id": "2002", "name": "租借", "industry": "power_bank", "cap": "99", "allow_zero": "1"}, ""},
		{Typed{"service_id": "20 02", "name": "\u202e", "industry": "shoes", "cap": "0"}, "cap setting_cap; industry setting_industry; name bad_character; service_id setting_service"},
		{Typed{"service_id": "2002", "name": "租借", "cap": "1.234"}, "cap yuan_decimals"},
	} {
		if o, problems := ParseOffering(x.t); found(problems) != x.want || x.want == "" && o != (Offering{ServiceID: "2002", Name: "租借", Industry: "power_bank", Cap: 9900, AllowZero: true}) {
			t.Errorf("%v: %v %q", x.t, o, found(problems))
		}
	}
}

func FuzzParseSetting(f *testing.F) {
	f.Add(uint8(0), "reason.0.code", "x", "reason.9.zh", "y")
	f.Add(uint8(1), "person.5.own", "1", "person.5.percent", "12.5%")
	f.Add(uint8(4), "day.3.open", "1", "day.3.until", "24:00")
	f.Fuzz(func(t *testing.T, name uint8, f1, v1, f2, v2 string) {
		n := SettingNames[int(name)%len(SettingNames)]
		b := basis()
		value, problems := ParseSetting(n, Typed{f1: v1, f2: v2}, b)
		if len(problems) > 0 {
			return
		}
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		s, err := b.Settings.With(n, raw)
		if err != nil {
			t.Fatal(err)
		}
		if n == SettingLimits { // the rest of the forms is as it was
			return
		}
		if _, problems := ParseSetting(n, s.Typed(n), b); len(problems) > 0 {
			t.Fatalf("what was accepted is refused: %v", problems)
		}
	})
}
