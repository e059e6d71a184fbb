package correction

import "testing"

// What tightens holds at once, except where nobody could approve any more.
func TestParseSetting_NobodyCouldApprove(t *testing.T) {
	t.Parallel()
	all, some := Scope{All: true}, Scope{Merchants: []string{"1"}}
	agent := Person{ID: 1, Name: "agent", Role: Agent, Scope: all}
	narrow := Person{ID: 2, Name: "narrow", Role: Supervisor, Scope: some}
	whole := Person{ID: 3, Name: "whole", Role: Supervisor, Scope: all}
	second := Person{ID: 4, Name: "second", Role: Supervisor, Scope: all}
	gone := Person{ID: 5, Name: "gone", Role: Supervisor, Scope: all, Disabled: true}
	merchants := []Merchant{{SubMchID: "1", Name: "one"}, {SubMchID: "2", Name: "two"}}
	for _, c := range []struct {
		name   string
		people []Person
		set    SettingName
		typed  Typed
		code   string
	}{
		{"agents, with somebody for every merchant", []Person{agent, whole}, SettingLimits, Typed{"agent.per": "50"}, ""},
		{"a merchant that nobody was for before", []Person{agent, narrow}, SettingLimits, Typed{"agent.per": "50"}, ""},
		{"the one that could is limited", []Person{agent, whole, narrow}, SettingLimits, Typed{"person.3.own": "1", "person.3.per": "50"}, BadGap},
		{"the other one is disabled", []Person{agent, whole, gone}, SettingLimits, Typed{"supervisor.day": "50"}, BadGapOwn},
		{"an agent for the other merchant only", []Person{{ID: 1, Role: Agent, Scope: some}, narrow}, SettingLimits, Typed{"agent.per": "50"}, ""},
		{"the one supervisor", []Person{agent, whole}, SettingLimits, Typed{"supervisor.day": "50"}, BadGapOwn},
		{"two of them", []Person{agent, whole, second}, SettingLimits, Typed{"supervisor.day": "50"}, ""},
		{"one for all merchants and one for some", []Person{agent, whole, narrow}, SettingLimits, Typed{"supervisor.count": "5"}, BadGapOwn},
		{"nobody is limited", []Person{agent, whole}, SettingTiers, Typed{"tier.0.from": "0", "tier.0.who": "named", "tier.0.person.3": "1"}, ""},
		{"named for a merchant that they are not for", []Person{agent, whole, narrow}, SettingTiers, Typed{"tier.0.from": "0", "tier.0.who": "named", "tier.0.person.2": "1"}, BadGap},
	} {
		_, problems := ParseSetting(c.set, c.typed, Basis{Actor: Actor{UserID: 9}, Settings: DefaultSettings(), People: c.people, Merchants: merchants})
		code := ""
		if len(problems) > 0 {
			code = problems[0].Code
		}
		if code != c.code || len(problems) > 1 {
			t.Errorf("%s: %+v, want %q", c.name, problems, c.code)
		}
	}
	// With limited supervisors nobody is named alone: their own would wait for nobody.
	day := Fen(5000)
	set := DefaultSettings()
	set.Limits.Roles = map[Role]Limit{Supervisor: {Day: &day}}
	b := Basis{Actor: Actor{UserID: 9}, Settings: set, People: []Person{agent, whole, second}, Merchants: merchants}
	if _, problems := ParseSetting(SettingTiers, Typed{"tier.0.from": "0", "tier.0.who": "named", "tier.0.person.3": "1"}, b); len(problems) != 1 || problems[0].Code != BadGapOwn || problems[0].Names[0] != "whole" {
		t.Errorf("%+v", problems)
	}
	if _, problems := ParseSetting(SettingTiers, Typed{"tier.0.from": "0", "tier.0.who": "named", "tier.0.person.3": "1", "tier.0.person.4": "1"}, b); len(problems) > 0 {
		t.Errorf("%+v", problems)
	}
}
