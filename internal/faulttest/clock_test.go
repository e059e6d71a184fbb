package faulttest

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// clock is the console's clock. Setting it moves what it says and not what it
// measures, as on a real machine: there, times of Go carry a monotonic reading beside
// the wall's. In a bubble they carry none, so that this makes them.
type clock struct{ seconds atomic.Int64 }

// layout is that of time.Time, of which TestClock_SettingMovesTheWallAlone makes sure.
type layout struct {
	wall uint64 // 1 bit: there is a monotonic reading; 33 bits: seconds since 1885; 30 bits: nanoseconds
	ext  int64  // the monotonic reading, nanoseconds
	loc  *time.Location
}

var since1885 = time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// Now is the time by a machine whose clock was set.
func (c *clock) Now() time.Time {
	now := time.Now().Round(0)
	t := now
	*(*layout)(unsafe.Pointer(&t)) = layout{
		wall: 1<<63 | uint64(now.Unix()+c.seconds.Load()-since1885)<<30 | uint64(now.Nanosecond()),
		ext:  int64(now.Sub(t0)) + int64(time.Hour), loc: time.UTC,
	}
	return t
}

// set sets the clock to be so far ahead of the true time, in whole seconds.
func (c *clock) set(ahead time.Duration) { c.seconds.Store(int64(ahead / time.Second)) }

func (c *clock) ahead() time.Duration { return time.Duration(c.seconds.Load()) * time.Second }

func TestClock_SettingMovesTheWallAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(t0)) // virtual
		var c clock
		begin, true0 := c.Now(), time.Now()
		for _, d := range []time.Duration{0, -48 * time.Hour, -time.Second, time.Minute, 1000 * time.Hour} {
			c.set(d)
			now := c.Now()
			if wall := time.Until(now.Round(0)); wall != d || now.Sub(begin) != time.Since(true0) || c.ahead() != d {
				t.Errorf("set by %s: the wall by %s, %s measured", d, wall, now.Sub(begin))
			}
			if now.UnixNano() != time.Now().Add(d).UnixNano() || !now.Add(time.Hour).Round(0).Equal(time.Now().Add(d+time.Hour)) || now.Location() != time.UTC {
				t.Errorf("set by %s: %s", d, now)
			}
			time.Sleep(1500 * time.Millisecond) // virtual
		}
	})
}
