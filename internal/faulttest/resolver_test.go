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

// since drops the times before one.
func since(all []time.Time, from time.Time) []time.Time {
	return slices.DeleteFunc(all, func(t time.Time) bool { return t.Before(from) })
}

// becameUnknown is when a correction became uncertain.
func (w *world) becameUnknown(id int64) time.Time {
	w.t.Helper()
	e, ok := firstUnknown(w.correction(id))
	if !ok {
		w.t.Fatalf("correction %d was never uncertain: %s", id, states(w.correction(id)))
	}
	return e.At
}

// gaps are the pauses between queries, the first one after from.
func gaps(all []time.Time, from time.Time) []time.Duration {
	var out []time.Duration
	for _, t := range all {
		out = append(out, t.Sub(from))
		from = t
	}
	return out
}

// TestResolver_AsksWithGrowingPausesAndDecidesInTime is the whole of what an uncertain
// correction that did not take effect goes through.
func TestResolver_AsksWithGrowingPausesAndDecidesInTime(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		time.Sleep(300 * time.Millisecond) // virtual: signature times are in whole seconds
		_, id := w.sent("A", simulator.Fault{Kind: simulator.TimeoutBefore})
		from := w.becameUnknown(id)
		time.Sleep(20 * time.Minute)
		c := w.holds(id, correction.NotApplied)
		got := gaps(since(w.net.asked("A"), from), from)
		for i, g := range got {
			want := min(time.Minute, time.Second<<i)
			if g < time.Second || g > want+time.Millisecond {
				t.Errorf("pause %d: %s, want at most %s", i, g, want)
			}
		}
		if got[0] != time.Second || len(got) < 12 || len(got) > 15 {
			t.Errorf("pauses %v", got)
		}

		var readings []correction.Event
		for _, e := range c.Events {
			if e.Detail.Reading != nil && e.N > 4 {
				readings = append(readings, e)
			}
		}
		signed := time.UnixMilli(c.Events[2].Detail.SignMS)
		if len(readings) != 3 { // the first one of all, and the two that decide
			t.Fatalf("%d readings are on record: %s", len(readings), states(c))
		}
		quiet, decided := time.UnixMilli(readings[1].Detail.ReadMS).Sub(signed), time.UnixMilli(readings[2].Detail.ReadMS).Sub(signed)
		const a = 10 * time.Millisecond
		if quiet < correction.QuietTime || quiet > correction.QuietTime+a || decided-quiet < time.Minute || decided-quiet > time.Minute+a {
			t.Errorf("read %s and %s after the signature", quiet, decided)
		}
		if w.sim.Posts("A") != 1 {
			t.Errorf("%d POSTs", w.sim.Posts("A"))
		}
	})
}

func TestResolver_NeverAsksForAnOrderTwiceASecond(t *testing.T) {
	t.Parallel()
	for i, f := range []simulator.Fault{
		{Kind: simulator.ResetBefore}, {Kind: simulator.TimeoutAfter}, {Kind: simulator.ErrorBefore}, {Kind: simulator.DelayedApply, Delay: 90 * time.Second}, {Kind: simulator.Replayed},
	} {
		t.Run(string(f.Kind), func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(t *testing.T, w *world) {
				_, id := w.sent("A", f)
				from := w.becameUnknown(id)
				if i%2 == 0 { // what fails is asked for no more often
					w.arm(simulator.Fault{Kind: simulator.ErrorBefore, Call: simulator.CallQuery, Order: "A", Times: 4})
				}
				time.Sleep(26 * time.Hour)
				for _, g := range gaps(since(w.net.asked("A"), from.Add(1)), from) {
					if g < time.Second {
						t.Errorf("asked again after %s", g)
					}
				}
				if n := w.sim.Posts("A"); n != 1 {
					t.Errorf("%d POSTs", n)
				}
			})
		})
	}
}

func TestResolver_FindsWhatTakesEffectUpToTheLastMoment(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Second, 10 * time.Second, 100 * time.Second, accepted - time.Second} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(t *testing.T, w *world) {
				_, id := w.sent("A", simulator.Fault{Kind: simulator.DelayedApply, Delay: d})
				time.Sleep(d + time.Minute + time.Second)
				w.holds(id, correction.Applied)
			})
		})
	}
}

func TestResolver_NeverGivesUpOnAnUnreachableWeChat(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]way{"refused": refuse, "hanging": hang, "no such host": noSuchHost} {
		for kind, want := range map[simulator.Kind]correction.State{simulator.TimeoutAfter: correction.Applied, simulator.TimeoutBefore: correction.NotApplied} {
			t.Run(fmt.Sprint(name, " ", want), func(t *testing.T) {
				t.Parallel()
				inBubble(t, options{}, func(t *testing.T, w *world) {
					_, id := w.sent("A", simulator.Fault{Kind: kind})
					w.net.cut(cut{how: how})
					from := w.becameUnknown(id)
					time.Sleep(correction.AlarmAfter + lookLasts)
					if told := w.concerns(); !slices.Contains(told, correction.Unresolved) {
						t.Errorf("told %v", told)
					}
					time.Sleep(9 * time.Hour)
					w.holds(id, correction.Unknown)
					asked := since(w.net.asked("A"), from)
					for _, g := range gaps(asked, from) {
						if g > 5*time.Minute+readWithin {
							t.Errorf("a pause of %s", g)
						}
					}
					if len(asked) < 9*12 {
						t.Errorf("asked %d times", len(asked))
					}
					logged := w.alarms.of(id, string(correction.Unresolved))
					if len(logged) < 9 || len(logged) > 10 || logged[0].Sub(from) < correction.AlarmAfter || logged[0].Sub(from) > correction.AlarmAfter+lookLasts {
						t.Errorf("logged %v", logged)
					}
					if o := w.service.Outlook(id); o.Failed != correction.CodeUnreachable || o.Next.IsZero() && name != "hanging" {
						t.Errorf("%+v", o)
					}
					w.net.heal()
					time.Sleep(8 * time.Minute)
					w.holds(id, want)
					if told := w.concerns(); len(told) > 0 {
						t.Errorf("decided, and told %v", told)
					}
				})
			})
		}
	}
}

// readWithin is how long a query may take that is never answered.
const readWithin = 12 * time.Second

func TestRestart_InTheMiddle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		call    string
		fault   simulator.Kind
		between time.Duration // the stop
		first   correction.State
		want    correction.State
	}{
		{"claimed", simulator.CallQuery, simulator.TimeoutBefore, 0, correction.NotSent, correction.NotSent},
		{"claimed, an hour down", simulator.CallQuery, simulator.TimeoutBefore, time.Hour, correction.NotSent, correction.NotSent},
		{"sending, applied", simulator.CallModify, simulator.TimeoutAfter, 0, correction.Unknown, correction.Applied},
		{"sending, not applied", simulator.CallModify, simulator.TimeoutBefore, 0, correction.Unknown, correction.NotApplied},
		{"sending, not applied, an hour down", simulator.CallModify, simulator.TimeoutBefore, time.Hour, correction.Unknown, correction.NotApplied},
	} {
		for _, crashed := range []bool{true, false} {
			t.Run(fmt.Sprint(c.name, " ", crashed), func(t *testing.T) {
				t.Parallel()
				inBubble(t, options{}, func(t *testing.T, w *world) {
					ref := w.put("A", 5000)
					id := w.prepared(ref, 4000)
					w.arm(simulator.Fault{Kind: c.fault, Call: c.call, Order: "A"})
					old, oldStore := w.service, w.store
					token := old.Token(w.correction(id))
					w.loose.Go(func() { _ = old.Confirm(context.Background(), actor("lin"), id, token, "40.00") })
					time.Sleep(2 * time.Second)
					if crashed {
						w.stop()
					} else { // the former process lives on and does not know
						halt, j := w.halt, w.journal
						defer func() { halt(); j.Close(); oldStore.Close() }()
					}
					time.Sleep(c.between)
					w.start()
					if c.first == correction.NotSent || c.between == 0 {
						w.holds(id, c.first)
					}
					time.Sleep(15 * time.Minute)
					w.holds(id, c.want)
					if n := w.sim.Posts("A"); n > 1 || n > 0 && c.first == correction.NotSent {
						t.Errorf("%d POSTs", n)
					}
					time.Sleep(26 * time.Hour)
					w.holds(id, c.want)
					w.verify()
				})
			})
		}
	}
}

// A restart while it is uncertain keeps what is known: the quiet time is not begun
// anew, and a reading after it still counts.
func TestRestart_KeepsTheQuietTime(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		_, id := w.sent("A", simulator.Fault{Kind: simulator.ResetBefore})
		for range 7 {
			time.Sleep(time.Minute + time.Second)
			w.restart()
		}
		time.Sleep(time.Minute + time.Second)
		w.holds(id, correction.NotApplied)
	})
}

// While it is uncertain, others may do things that look like it, or that hide it.
func TestResolver_TellsTheWorkOfOthersFromItsOwn(t *testing.T) {
	t.Parallel()
	lower := func(to correction.Fen) func(*world, correction.Ref) {
		return func(w *world, ref correction.Ref) { w.must(w.sim.LowerElsewhere(mch, ref.OutOrderNo, to)) }
	}
	pay := func(w *world, ref correction.Ref) { w.must(w.sim.Pay(mch, ref.OutOrderNo)) }
	cancel := func(w *world, ref correction.Ref) {
		w.change(ref, func(o *simulator.Order) { o.State, o.StateDescription = correction.OrderRevoked, "" })
	}
	type does []func(*world, correction.Ref)
	for _, c := range []struct {
		name    string
		applied bool
		others  does
		want    correction.State
	}{
		{"paid as it was", false, does{pay}, correction.NotApplied},
		{"paid as corrected", true, does{pay}, correction.Applied},
		{"lowered above ours", false, does{lower(4500)}, correction.NotApplied},
		{"lowered to our total", false, does{lower(4000)}, correction.NeedsPerson},
		{"lowered to our total and paid", false, does{lower(4000), pay}, correction.NeedsPerson},
		{"lowered below ours", false, does{lower(3000)}, correction.NeedsPerson},
		{"lowered below ours after it", true, does{lower(3000)}, correction.NeedsPerson},
		{"lowered below ours and paid", false, does{lower(3000), pay}, correction.NeedsPerson},
		{"cancelled", false, does{cancel}, correction.NotApplied},
		{"cancelled after it", true, does{cancel}, correction.NeedsPerson},
		{"lowered above ours and cancelled", false, does{lower(4500), cancel}, correction.NotApplied},
		{"lowered below ours after it and cancelled", true, does{lower(3000), cancel}, correction.NeedsPerson},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(t *testing.T, w *world) {
				kind := simulator.TimeoutBefore
				if c.applied {
					kind = simulator.TimeoutAfter
				}
				w.net.cut(cut{call: simulator.CallQuery, skip: 3, times: 3, how: refuse}) // of the resolver
				ref, id := w.sent("A", simulator.Fault{Kind: kind})
				for _, f := range c.others {
					f(w, ref)
				}
				time.Sleep(12 * time.Minute)
				w.holds(id, c.want)
				time.Sleep(27 * time.Hour)
				w.holds(id, c.want)
			})
		})
	}
}
