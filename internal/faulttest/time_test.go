package faulttest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// accepted is how long WeChat accepts a signature (domain.md §7).
const accepted = 5 * time.Minute

// sent prepares and confirms a correction of a new order with a fault on the modify
// call.
func (w *world) sent(no string, f simulator.Fault) (correction.Ref, int64) {
	w.t.Helper()
	ref := w.put(no, 5000)
	id := w.prepared(ref, 4000)
	if f.Kind != "" {
		f.Call, f.Order = simulator.CallModify, no
		w.arm(f)
	}
	w.must(w.confirm(actor("lin"), id))
	return ref, id
}

// holds fails the test when the correction is not in that state.
func (w *world) holds(id int64, want correction.State) correction.Correction {
	w.t.Helper()
	c := w.correction(id)
	if c.State != want {
		w.t.Errorf("after %s correction %d is %s (%s), want %s", time.Since(t0), id, c.State, states(c), want)
	}
	return c
}

// A signature that a clock ahead of WeChat's made is accepted for longer: WeChat
// compares what it says with its own clock.
func TestClock_AheadDoesNotShortenTheQuietTime(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-230 * time.Second, -90 * time.Second, 0, 90 * time.Second, 230 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(_ *testing.T, w *world) {
				w.clock.set(ahead)
				last := accepted + ahead - time.Second // a copy that was held up arrives at the last moment
				_, id := w.sent("A", simulator.Fault{Kind: simulator.DelayedApply, Delay: last})
				time.Sleep(30 * time.Minute)
				w.holds(id, correction.Applied)
			})
		})
	}
}

// What the clock says is not what a verdict rests on, nor when the next look is.
func TestClock_SetBetweenSendingAndReading(t *testing.T) {
	t.Parallel()
	for _, set := range []time.Duration{
		-26 * time.Hour, -2 * time.Hour, -20 * time.Minute, -4 * time.Minute, -time.Minute, time.Minute, 4 * time.Minute, 7 * time.Minute, 20 * time.Minute, 2 * time.Hour, 26 * time.Hour,
	} {
		for _, after := range []time.Duration{0, 4 * time.Minute, 8 * time.Minute} {
			for _, applies := range []bool{true, false} {
				t.Run(fmt.Sprint(set, " after ", after, " ", applies), func(t *testing.T) {
					t.Parallel()
					inBubble(t, options{}, func(_ *testing.T, w *world) {
						f := simulator.Fault{Kind: simulator.ResetBefore}
						if applies {
							f = simulator.Fault{Kind: simulator.DelayedApply, Delay: accepted - time.Second}
						}
						_, id := w.sent("A", f)
						time.Sleep(after)
						w.clock.set(set)
						time.Sleep(30*time.Minute - after)
						if c := w.correction(id); c.State.NoEffect() && applies {
							t.Errorf("it took effect, and is %s", states(c))
						}
						if w.correction(id).State == correction.Unknown {
							at, alarms := w.alarms.of(id, string(correction.Unresolved)), w.concerns()
							if !slices.Contains(alarms, correction.Unresolved) || len(at) == 0 || at[0].Sub(t0) > correction.AlarmAfter+time.Minute {
								t.Errorf("uncertain, and logged %v, told %v", at, alarms)
							}
						} else if set.Abs() > accepted+time.Minute && after < 8*time.Minute && !applies {
							t.Errorf("decided with a clock that nobody believes: %s", states(w.correction(id)))
						}
						w.clock.set(0)
						time.Sleep(12 * time.Minute)
						want := correction.NotApplied
						if applies {
							want = correction.Applied
						}
						w.holds(id, want)
						time.Sleep(26 * time.Hour)
						if c := w.holds(id, want); !applies && c.Settled() != correction.Rechecked {
							t.Errorf("not looked at again: %s", states(c))
						}
					})
				})
			}
		}
	}
}

// Where others have lowered an order one reading decides: its age must be WeChat's.
func TestClock_AgeIsThatOfWeChatsClock(t *testing.T) {
	t.Parallel()
	for _, set := range []time.Duration{0, -4 * time.Minute, time.Minute, 4 * time.Minute, 280 * time.Second} {
		for _, replayed := range []bool{false, true} {
			t.Run(fmt.Sprint(set, " ", replayed), func(t *testing.T) {
				t.Parallel()
				inBubble(t, options{}, func(_ *testing.T, w *world) {
					_, id := w.sent("A", simulator.Fault{Kind: simulator.DelayedApply, Delay: accepted - time.Second})
					w.clock.set(set)
					time.Sleep(time.Minute)
					w.must(w.sim.LowerElsewhere(mch, "A", 4500))
					time.Sleep(3*time.Minute + 50*time.Second)
					if replayed { // a reading of just before it took effect
						_, _ = w.service.Requery(context.Background(), id)
						w.arm(simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallQuery, Order: "A", Times: 1 << 20})
						for range 20 {
							time.Sleep(15 * time.Second)
							_, _ = w.service.Requery(context.Background(), id)
						}
						w.sim.Disarm()
					}
					time.Sleep(15 * time.Minute)
					w.holds(id, correction.Applied)
				})
			})
		}
	}
}

// The two readings that together say "not applied" lie a minute apart by WeChat's clock.
func TestClock_SettingItBringsTheTwoReadingsNoCloser(t *testing.T) {
	t.Parallel()
	for _, set := range []time.Duration{2 * time.Minute, 4 * time.Minute, -30 * time.Second} {
		t.Run(set.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(_ *testing.T, w *world) {
				_, id := w.sent("A", simulator.Fault{Kind: simulator.ResetBefore})
				time.Sleep(correction.QuietTime + time.Second)
				w.clock.set(set)
				for range 5 {
					time.Sleep(11 * time.Second)
					if _, err := w.service.Requery(context.Background(), id); err != nil {
						t.Error(err)
					}
				}
				w.holds(id, correction.Unknown)
				time.Sleep(time.Minute)
				w.holds(id, correction.NotApplied)
			})
		})
	}
}

func TestClock_WarnsAndThenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ahead time.Duration
		want  correction.State
		cause string
		told  []correction.Concern
	}{
		{50 * time.Second, correction.Applied, "", nil},
		{-50 * time.Second, correction.Applied, "", nil},
		{70 * time.Second, correction.Applied, "", []correction.Concern{correction.ClockOff}},
		{-70 * time.Second, correction.Applied, "", []correction.Concern{correction.ClockOff}},
		{238 * time.Second, correction.Applied, "", []correction.Concern{correction.ClockOff}},
		{245 * time.Second, correction.NotSent, correction.CauseClock, []correction.Concern{correction.ClockRefused}},
		{-245 * time.Second, correction.NotSent, correction.CauseClock, []correction.Concern{correction.ClockRefused}},
		{310 * time.Second, correction.NotSent, correction.CauseQueryFailed, []correction.Concern{correction.ClockRefused}},
		{-310 * time.Second, correction.NotSent, correction.CauseQueryFailed, []correction.Concern{correction.ClockRefused}},
	} {
		t.Run(c.ahead.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(_ *testing.T, w *world) {
				ref := w.put("A", 5000)
				id := w.prepared(ref, 4000)
				w.clock.set(c.ahead)
				w.must(w.confirm(actor("lin"), id))
				got := w.holds(id, c.want)
				e := got.Last()
				if e.Detail.Cause != c.cause || c.cause == correction.CauseClock && time.Duration(e.Detail.SkewMS)*time.Millisecond > -correction.RefuseSkew && c.ahead > 0 {
					t.Errorf("%+v", e.Detail)
				}
				if posts := w.sim.Posts("A"); (posts > 0) != (c.want == correction.Applied) {
					t.Errorf("%d POSTs", posts)
				}
				for range 2 { // one answer is not enough to alarm everybody
					if c.cause == correction.CauseClock && len(w.concerns()) > 0 {
						t.Errorf("told %v too early", w.concerns())
					}
					_, _ = w.service.Gateway.Query(context.Background(), ref)
				}
				if told := w.concerns(); !slices.Equal(told, c.told) {
					t.Errorf("told %v, want %v", told, c.told)
				}
			})
		})
	}
}

// An answer that was true once is signed for ever. What it says must count as of then.
func TestReplay_OfAnOldReadingSaysNothingOfNow(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]simulator.Fault{
		"applied":          {Kind: simulator.TimeoutAfter},
		"applied late":     {Kind: simulator.DelayedApply, Delay: accepted - time.Second},
		"applied by error": {Kind: simulator.ErrorAfter},
	} {
		for _, from := range []time.Duration{0, 4 * time.Minute, 290 * time.Second, 6 * time.Minute} {
			t.Run(fmt.Sprint(name, " from ", from), func(t *testing.T) {
				t.Parallel()
				inBubble(t, options{}, func(_ *testing.T, w *world) {
					_, id := w.sent("A", f)
					time.Sleep(from)
					w.arm(simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallQuery, Order: "A", Times: 1 << 20})
					for range 60 {
						time.Sleep(30 * time.Second)
						if c := w.correction(id); c.State.NoEffect() || c.State == correction.NeedsPerson {
							t.Fatalf("after %s: %s", time.Since(t0), states(c))
						}
					}
					w.sim.Disarm()
					time.Sleep(12 * time.Minute)
					w.holds(id, correction.Applied)
				})
			})
		}
	}
}

// Nor can what is in force be taken for lost or settled by an answer from before.
func TestReplay_DoesNotSettleWhatIsInForce(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(_ *testing.T, w *world) {
		_, id := w.sent("A", simulator.Fault{})
		w.arm(simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallQuery, Order: "A", Times: 1 << 20})
		for range 8 {
			time.Sleep(30 * time.Second)
			if _, err := w.service.Requery(context.Background(), id); err != nil && correction.CodeOf(err) != correction.CodeUnverified {
				t.Error(err)
			}
		}
		if c := w.holds(id, correction.Applied); c.Settled() != "" || c.Due() {
			t.Errorf("settled %q, due %t", c.Settled(), c.Due())
		}
	})
}

// WeChat's errors are not signed, and times are whole seconds: where both an error and
// an old reading of the same second lie, that cannot be seen at once. The later readings
// find it.
func TestReplay_AfterAFalseRefusalIsFoundLater(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(_ *testing.T, w *world) {
		ref := w.put("A", 5000)
		id := w.prepared(ref, 4000)
		w.arm(simulator.Fault{Kind: simulator.StatusAfter, Call: simulator.CallModify, Order: "A", Status: 400, Code: "INVALID_REQUEST"})
		w.arm(simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallQuery, Order: "A", Skip: 1})
		w.must(w.confirm(actor("lin"), id))
		time.Sleep(80 * time.Minute)
		if c := w.holds(id, correction.AppliedLate); !c.Due() || len(w.alarms.of(id, correction.AlarmLate)) != 1 {
			t.Errorf("%+v", c.Last())
		}
	})
}
