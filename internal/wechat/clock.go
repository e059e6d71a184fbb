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

// middle returns the reading in the middle of those that are not too old, of two the
// smaller one, with the time of the newest, and whether there are enough to rely on.
func (c clock) middle(now time.Time) (r clockReading, sure bool) {
	var recent []clockReading
	for _, r := range c {
		if now.Sub(r.at).Abs() < clockAge {
			recent = append(recent, r)
		}
	}
	n := len(recent)
	if n == 0 {
		return clockReading{}, false
	}
	newest := recent[n-1].at
	slices.SortStableFunc(recent, func(a, b clockReading) int { return cmp.Compare(a.skew, b.skew) })
	r = recent[n/2]
	if lower := recent[(n-1)/2]; lower.skew.Abs() < r.skew.Abs() {
		r = lower
	}
	r.at = newest
	return r, n >= clockSure
}
