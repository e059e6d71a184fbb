package wechat

import (
	"cmp"
	"slices"
	"time"
)

// How WeChat's clock is compared with this machine's: by the middle of the newest
// answers. One with an odd time says nothing then, whatever it is signed with, while
// three that agree do.
const (
	clockReadings = 5
	clockSure     = 3
	clockAge      = 30 * time.Minute
)

// clockReading is what one answer says of the clock.
type clockReading struct {
	at     time.Time
	mono   time.Duration // by a clock that nobody sets
	skew   time.Duration // of WeChat's time against ours
	signed bool          // the time was signed, not the header Date alone
}

// clock keeps the newest readings, oldest first. The zero clock has none.
type clock []clockReading

func (c *clock) add(r clockReading) {
	*c = append(*c, r)
	if extra := len(*c) - clockReadings; extra > 0 {
		*c = slices.Delete(*c, 0, extra)
	}
}

// asOf is the reading as it would be now. Where our clock was set since, as the clock that
// nobody sets tells, the difference goes with it, so that a clock which was put right ends
// a pause at once. A machine that was suspended looks the same, though, and nothing is
// wrong with its clock: of the two the smaller difference counts.
func (r clockReading) asOf(now time.Time, mono time.Duration) clockReading {
	wall := now.Round(0).Sub(r.at.Round(0)) // not what the times measured beside
	if set := r.skew - (wall - (mono - r.mono)); set.Abs() < r.skew.Abs() {
		r.skew = set
	}
	return r
}

// middle returns the reading in the middle of those that are not too old, of two the
// smaller one, with the time of the newest, and whether there are enough to rely on. A
// newest one that finds less wrong counts instead: old answers that were played again may
// be in the majority, and are over then.
func (c clock) middle(now time.Time, mono time.Duration) (r clockReading, sure bool) {
	var recent []clockReading
	for _, r := range c {
		if mono-r.mono < clockAge {
			recent = append(recent, r.asOf(now, mono))
		}
	}
	n := len(recent)
	if n == 0 {
		return clockReading{}, false
	}
	newest := recent[n-1]
	slices.SortStableFunc(recent, func(a, b clockReading) int { return cmp.Compare(a.skew, b.skew) })
	r = recent[n/2]
	if lower := recent[(n-1)/2]; lower.skew.Abs() < r.skew.Abs() {
		r = lower
	}
	if newest.skew.Abs() < r.skew.Abs() {
		r = newest
	}
	r.at = newest.at
	return r, n >= clockSure
}
