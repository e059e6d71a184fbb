package correction

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// Flag says why a correction is to be looked at: a rule, what it found and its
// threshold then. It is kept by value with the event claimed.
type Flag struct {
	Code  string `json:"code"`
	Found int64  `json:"found,omitempty"` // fen, thousandths, seconds or corrections, as the rule says
	Limit int64  `json:"limit,omitempty"`
}

// Codes of flags.
const (
	FlagZero    = "zero"        // lowered to nothing
	FlagShare   = "share"       // thousandths of the order given up, more than
	FlagNear    = "near_limit"  // fen below the author's limit of one correction, within
	FlagDevice  = "same_device" // corrections of the same device within the days, this one included
	FlagOrder   = "same_order"  // corrections of the same order within the days, this one included
	FlagHours   = "hours"       // outside working hours
	FlagFast    = "fast"        // seconds from look-up to confirmation, less than
	FlagOther   = "other"       // times running with "other" as the reason, at least
	FlagPair    = "pair"        // corrections of one agent on one device, at least
	FlagSampled = "sampled"     // drawn at random
)

// FlagCodes lists all flags.
var FlagCodes = []string{FlagZero, FlagShare, FlagNear, FlagDevice, FlagOrder, FlagHours, FlagFast, FlagOther, FlagPair, FlagSampled}

// FlagRules are the thresholds of the flags; a rule at 0 or false is off.
type FlagRules struct {
	Zero           bool `json:"zero"`
	SharePermille  int  `json:"share_permille"`  // more than so many thousandths
	NearPermille   int  `json:"near_permille"`   // within so many thousandths under the limit
	AgainDays      int  `json:"again_days"`      // the same device or order again within so many days
	OutsideHours   bool `json:"outside_hours"`   // see Hours
	FastSeconds    int  `json:"fast_seconds"`    // under so many seconds from look-up to confirmation
	OtherRunning   int  `json:"other_running"`   // so many times "other" running
	PairCount      int  `json:"pair_count"`      // so many corrections of one agent on one device
	PairDays       int  `json:"pair_days"`       // within so many days
	SamplePermille int  `json:"sample_permille"` // so many in a thousand of the rest, at random
}

// DefaultFlagRules are the rules of a new installation.
var DefaultFlagRules = FlagRules{
	Zero: true, SharePermille: 500, NearPermille: 50, AgainDays: 7, OutsideHours: true, FastSeconds: 10, OtherRunning: 3, PairCount: 3, PairDays: 30, SamplePermille: 100,
}

// ReviewMark is what a review says of a correction; empty = not reviewed.
type ReviewMark string

// Marks.
const (
	ReviewFine     ReviewMark = "fine"
	ReviewQueried  ReviewMark = "queried"  // a question waits for the author
	ReviewAnswered ReviewMark = "answered" // the author answered; waits for a supervisor
	ReviewWrong    ReviewMark = "wrong"
)

// ReviewMarks lists all marks.
var ReviewMarks = []ReviewMark{ReviewFine, ReviewQueried, ReviewAnswered, ReviewWrong}

// ReviewNone stands, where a mark is asked for or shown, for what came to its end and was
// not reviewed.
const ReviewNone string = "none"

// FlagQuestion asks a Store for what flags rest on.
type FlagQuestion struct {
	Again time.Time // corrections of the same device or order since then
	Pair  time.Time // corrections of the same author on the same device since then
	Other int       // how many of the author's newest corrections to look at
}

// FlagFacts is the answer. Counts are of other corrections that were confirmed and are
// not known to have changed nothing.
type FlagFacts struct {
	SameDevice, SameOrder, Pair int
	Others                      int // newest corrections of the author in a row with the reason "other"
}

// otherReason is the code of the reason that says nothing.
const otherReason = "other"

// Flags works out the flags of a correction that is confirmed now. It is pure: looked is
// when the author opened the form (zero: not known), own the author's allowance.
func (r FlagRules) Flags(c Correction, f FlagFacts, h Hours, own Headroom, looked, now time.Time, sampled bool) []Flag {
	var out []Flag
	add := func(on bool, code string, found, limit int64) {
		if on {
			out = append(out, Flag{Code: code, Found: found, Limit: limit})
		}
	}
	given := int64(c.Reduction())
	add(r.Zero && c.Target == 0, FlagZero, 0, 0)
	add(r.SharePermille > 0 && given*1000 > int64(r.SharePermille)*int64(c.Base.Total), FlagShare, int64(Permille(c.Reduction(), c.Base.Total)), int64(r.SharePermille))
	if per := own.Limit.Per; r.NearPermille > 0 && per != nil {
		below := int64(*per - GivenUp(own.First, c.Base.Total, c.Target))
		add(below >= 0 && below*1000 <= int64(*per)*int64(r.NearPermille), FlagNear, below, int64(*per))
	}
	add(r.AgainDays > 0 && f.SameDevice > 0, FlagDevice, int64(f.SameDevice)+1, int64(r.AgainDays))
	add(r.AgainDays > 0 && f.SameOrder > 0, FlagOrder, int64(f.SameOrder)+1, int64(r.AgainDays))
	add(r.OutsideHours && !h.Within(now), FlagHours, int64(now.Hour()*60+now.Minute()), 0)
	if took := now.Sub(looked); r.FastSeconds > 0 && !looked.IsZero() && took >= 0 {
		add(took < time.Duration(r.FastSeconds)*time.Second, FlagFast, int64(took/time.Second), int64(r.FastSeconds))
	}
	add(r.OtherRunning > 0 && c.Reason.Code == otherReason && f.Others+1 >= r.OtherRunning, FlagOther, int64(f.Others)+1, int64(r.OtherRunning))
	add(r.PairCount > 0 && f.Pair+1 >= r.PairCount, FlagPair, int64(f.Pair)+1, int64(r.PairDays))
	add(sampled && len(out) == 0, FlagSampled, 0, int64(r.SamplePermille))
	return out
}

// DayKey is the key from which the sample of a day is drawn, named 2026-11-23: an HMAC
// of the console's own key, so that nobody can tell beforehand what will be drawn, and
// who holds the key can draw it again.
func DayKey(key []byte, day string) []byte {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, "sample\x00"+day)
	return mac.Sum(nil)
}

// Drawn reports whether a correction is in the sample of a day: so many in a thousand.
func Drawn(dayKey []byte, id int64, permille int) bool {
	mac := hmac.New(sha256.New, dayKey)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(id)))
	return binary.BigEndian.Uint64(mac.Sum(nil))%1000 < uint64(max(0, permille))
}

// flagsOf works out the flags of a correction that is about to be carried out; own is
// the allowance that its author stayed within, zero when a second person approved it.
func (s *Service) flagsOf(ctx context.Context, c Correction, own Headroom) ([]Flag, error) {
	set, err := s.Settings(ctx)
	if err != nil {
		return nil, err
	}
	now := s.DayTime(s.Now())
	r := set.Flags
	facts, err := s.Store.FlagFacts(ctx, c, FlagQuestion{
		Again: now.AddDate(0, 0, -r.AgainDays), Pair: now.AddDate(0, 0, -r.PairDays), Other: r.OtherRunning - 1,
	})
	if err != nil {
		return nil, err
	}
	looked, err := s.Store.LookedAt(ctx, c.AuthorID, c.Ref)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return nil, err
	}
	confirmed := now // by its author: an approval comes later
	if e, ok := c.Find(Awaiting); ok {
		confirmed = s.DayTime(e.At)
	}
	sampled := Drawn(DayKey(s.Key, s.DayName(c.PreparedAt)), c.ID, r.SamplePermille)
	return r.Flags(c, facts, set.Hours, own, looked, confirmed, sampled), nil
}

// DayTime is t in the zone in which times are shown.
func (s *Service) DayTime(t time.Time) time.Time {
	if s.Zone == nil {
		return t.UTC()
	}
	return t.In(s.Zone)
}

// DayOf is when a day begins and ends; ok is false for what is no day.
func (s *Service) DayOf(name string) (from, to time.Time, ok bool) {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	if from, ok = ParseDay(name, zone); !ok {
		return time.Time{}, time.Time{}, false
	}
	return from, AddDays(from, 1), true
}

// DayName names the day of t: 2026-11-23.
func (s *Service) DayName(t time.Time) string { return NameOfDay(s.DayTime(t)) }
