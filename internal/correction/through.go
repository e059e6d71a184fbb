package correction

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Through is what an edit would have let through: corrections of the last days that
// would have needed fewer people, or raised fewer flags.
type Through struct {
	Days  int
	Count int
	Rows  []ThroughRow // the newest of them
	Whole bool         // all that could be among them were looked at
}

// ThroughRow is one of them. It tells no amount: some are hidden from some.
type ThroughRow struct {
	ID         int64
	PreparedAt time.Time
	AuthorName string
	Alone      bool     // its author would not have needed a second person
	Shown      bool     // the new total would not have been hidden from who decides
	Others     bool     // others could have decided as well
	Unflagged  []string // codes of flags that it would not have
	Perhaps    []string // and of those that it might not have: the record does not tell
}

// Bounds of what is looked at and shown.
const (
	throughDays   = 30
	throughLooked = 200
	throughShown  = 10
)

// through looks for what a proposal would have let through among the corrections in the
// reader's scope that needed a second person or had flags. What a cap or a zero refuses
// is never prepared: nothing of it is on record.
func (s *Service) through(ctx context.Context, b Basis, p Proposal) (Through, error) {
	out := Through{Days: throughDays, Whole: true}
	if p.Name == CatalogServices {
		return out, nil
	}
	before, err := b.Settings.With(SettingName(p.Name), p.Before)
	if err != nil {
		return out, err
	}
	after, err := b.Settings.With(SettingName(p.Name), p.After)
	if err != nil {
		return out, err
	}
	ids, err := s.Store.Checked(ctx, b.Actor.Scope, s.Now().AddDate(0, 0, -throughDays), throughLooked+1)
	if err != nil {
		return out, err
	}
	if len(ids) > throughLooked {
		ids, out.Whole = ids[:throughLooked], false
	}
	role := map[int64]Role{}
	for _, x := range b.People {
		role[x.ID] = x.Role
	}
	for _, id := range ids {
		c, err := s.Store.Correction(ctx, id)
		if err != nil {
			return out, err
		}
		firsts, err := s.Store.Firsts(ctx, c.Ref, c.ID, c.AuthorID, 0)
		if err != nil {
			return out, err
		}
		row := s.throughRow(SettingName(p.Name), before, after, c, role[c.AuthorID], firsts)
		if !row.Alone && !row.Shown && !row.Others && len(row.Unflagged)+len(row.Perhaps) == 0 {
			continue
		}
		out.Count++
		if len(out.Rows) < throughShown {
			row.ID, row.PreparedAt, row.AuthorName = c.ID, c.PreparedAt, c.AuthorName
			out.Rows = append(out.Rows, row)
		}
	}
	return out, nil
}

// throughRow compares what a correction met with what it would have met.
func (s *Service) throughRow(name SettingName, before, after Settings, c Correction, role Role, firsts Firsts) ThroughRow {
	var row ThroughRow
	if e, waited := c.Find(Awaiting); waited && e.Detail.Before != nil {
		was, is := before.Limits.Of(c.AuthorID, role), after.Limits.Of(c.AuthorID, role)
		above := func(l Limit) bool { return len(l.CheckOf(firsts.Author, c.Base.Total, c.Target, *e.Detail.Before)) > 0 }
		row.Alone = name == SettingLimits && above(was) && !above(is)
		if name == SettingTiers {
			given := GivenUp(firsts.Anyone, c.Base.Total, c.Target)
			tier, blind := TierOf(before.Tiers, given)
			then, hidden := TierOf(after.Tiers, given)
			row.Shown, row.Others = blind && !hidden, then.admitsMore(tier)
		}
	}
	if name != SettingFlags && name != SettingHours {
		return row
	}
	confirmed := c.PreparedAt
	for _, st := range []State{Awaiting, Claimed} {
		if e, ok := c.Find(st); ok {
			confirmed = e.At
			break
		}
	}
	for _, f := range c.Flags() {
		gone, sure := f.gone(after.Flags, after.Hours, s.DayTime(confirmed))
		if f.Code == FlagSampled {
			gone = !Drawn(DayKey(s.Key, s.DayTime(c.PreparedAt).Format(time.DateOnly)), c.ID, after.Flags.SamplePermille)
		}
		switch {
		case gone && sure:
			row.Unflagged = append(row.Unflagged, f.Code)
		case gone:
			row.Perhaps = append(row.Perhaps, f.Code)
		}
	}
	return row
}

// gone reports whether a flag would not be there with other rules, and whether the
// record tells for certain: it keeps what a rule found, not what a narrower one would
// have found.
func (f Flag) gone(r FlagRules, h Hours, at time.Time) (gone, sure bool) {
	switch f.Code {
	case FlagZero:
		return !r.Zero, true
	case FlagShare:
		return r.SharePermille == 0 || f.Found <= int64(r.SharePermille), f.Found != int64(r.SharePermille) // found is rounded
	case FlagNear:
		return r.NearPermille == 0 || f.Found*1000 > f.Limit*int64(r.NearPermille), true
	case FlagDevice, FlagOrder:
		return int64(r.AgainDays) < f.Limit, r.AgainDays == 0
	case FlagHours:
		return !r.OutsideHours || h.Within(at), true
	case FlagFast:
		return f.Found >= int64(r.FastSeconds), true
	case FlagOther:
		return r.OtherRunning == 0 || f.Found < int64(r.OtherRunning), r.OtherRunning == 0 // found is counted up to the rule
	case FlagPair:
		if r.PairCount == 0 || f.Found < int64(r.PairCount) {
			return true, r.PairCount == 0 || int64(r.PairDays) <= f.Limit
		}
		return int64(r.PairDays) < f.Limit, false
	}
	return false, true
}

// Preview is a setting with the value of a proposal, for words. ok is false when it
// cannot be read.
func (s Settings) Preview(name string, value json.RawMessage) (out Settings, ok bool) {
	if !slices.Contains(SettingNames, SettingName(name)) {
		return s, false
	}
	out, err := s.With(SettingName(name), value)
	return out, err == nil
}
