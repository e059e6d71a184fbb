package correction

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// SettingName names one of the settings that people edit in the console.
type SettingName string

// The settings. Each is kept as JSON, one version for each edit.
const (
	SettingReasons SettingName = "reasons" // []Reason
	SettingLimits  SettingName = "limits"  // Limits
	SettingTiers   SettingName = "tiers"   // []Tier
	SettingFlags   SettingName = "flags"   // FlagRules
	SettingHours   SettingName = "hours"   // Hours
)

// SettingNames lists all settings.
var SettingNames = []SettingName{SettingReasons, SettingLimits, SettingTiers, SettingFlags, SettingHours}

// SettingVersion is one edit of a setting. N counts from 1.
type SettingVersion struct {
	Name      SettingName
	N         int
	At        time.Time
	ActorID   int64 // 0 = the command line
	ActorName string
	Value     json.RawMessage
	End       *ProposalEnd // how it came into force; nil: at once
}

// Settings are all settings as they are now.
type Settings struct {
	Reasons []Reason
	Limits  Limits
	Tiers   []Tier // by amount, the first at 0
	Flags   FlagRules
	Hours   Hours
	N       map[SettingName]int // version of each; 0 = the default
}

// DefaultSettings are the settings of a new installation: no limits, so that nothing
// needs an approval until somebody sets one.
func DefaultSettings() Settings {
	return Settings{Reasons: DefaultReasons, Tiers: []Tier{{}}, Flags: DefaultFlagRules, Hours: DefaultHours, N: map[SettingName]int{}}
}

// Hours are the working hours: on each day of the week, Sunday first, from a minute
// after midnight until another. A day without hours is free.
type Hours [7]Span

// Span is a part of a day in minutes after midnight, until exclusive.
type Span struct {
	From  int `json:"from"`
	Until int `json:"until"`
}

// DefaultHours are 8 to 22 o'clock every day.
var DefaultHours = Hours{{480, 1320}, {480, 1320}, {480, 1320}, {480, 1320}, {480, 1320}, {480, 1320}, {480, 1320}}

// Within reports whether t, in the zone in which it is shown, is within the hours.
func (h Hours) Within(t time.Time) bool {
	s, minute := h[t.Weekday()], t.Hour()*60+t.Minute()
	return minute >= s.From && minute < s.Until
}

// settingsAge is how old the settings in memory may be.
const settingsAge = time.Second

// Settings returns the settings as they are now.
func (s *Service) Settings(ctx context.Context) (Settings, error) {
	s.settings.Lock()
	defer s.settings.Unlock()
	if s.settings.N != nil && time.Since(s.settings.read) < settingsAge {
		return s.settings.Settings, nil
	}
	versions, err := s.Store.Settings(ctx)
	if err != nil {
		return Settings{}, err
	}
	out, err := ParseSettings(versions)
	if err != nil {
		return Settings{}, err
	}
	s.settings.Settings, s.settings.read = out, time.Now()
	return out, nil
}

// ParseSettings reads the settings from the newest version of each that was ever edited.
func ParseSettings(versions []SettingVersion) (Settings, error) {
	out := DefaultSettings()
	for _, v := range versions {
		if err := out.set(v.Name, v.Value); err != nil {
			return Settings{}, fmt.Errorf("setting %s, version %d: %w", v.Name, v.N, err)
		}
		out.N[v.Name] = v.N
	}
	return out, nil
}

func (s *Settings) set(name SettingName, value json.RawMessage) error {
	switch name {
	case SettingReasons:
		s.Reasons = nil
		return json.Unmarshal(value, &s.Reasons)
	case SettingLimits:
		s.Limits = Limits{}
		return json.Unmarshal(value, &s.Limits)
	case SettingTiers:
		s.Tiers = nil
		return json.Unmarshal(value, &s.Tiers)
	case SettingFlags:
		s.Flags = FlagRules{}
		return json.Unmarshal(value, &s.Flags)
	case SettingHours:
		return json.Unmarshal(value, &s.Hours)
	}
	return errSetting
}

// PolicyNow is the policy with the reasons that can be chosen now.
func (s *Service) PolicyNow(ctx context.Context) (Policy, error) {
	p := s.Policy
	set, err := s.Settings(ctx)
	if err != nil {
		return p, err
	}
	p.Reasons = nil
	for _, r := range set.Reasons {
		if !r.Retired {
			p.Reasons = append(p.Reasons, r)
		}
	}
	return p, nil
}

// ForgetSettings makes the next look read the settings again. It follows every edit.
func (s *Service) ForgetSettings() {
	s.settings.Lock()
	s.settings.N, s.settings.waiting.known = nil, false
	s.settings.Unlock()
}
