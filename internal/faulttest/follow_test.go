package faulttest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// undone brings a correction to a state in which it changed nothing.
func (w *world) undone(no string, state correction.State) (correction.Ref, int64) {
	w.t.Helper()
	var id int64
	ref := correction.Ref{SubMchID: mch, ServiceID: serviceID, OutOrderNo: no}
	switch state {
	case correction.Rejected:
		ref, id = w.sent(no, simulator.Fault{Kind: simulator.StatusBefore, Status: 400, Code: "INVALID_REQUEST"})
	case correction.NotApplied:
		ref, id = w.sent(no, simulator.Fault{Kind: simulator.ResetBefore})
		time.Sleep(9 * time.Minute)
	case correction.NotSent:
		w.net.cut(cut{call: simulator.CallModify, order: no, times: 1, how: refuse})
		ref, id = w.sent(no, simulator.Fault{})
	}
	w.holds(id, state)
	return ref, id
}

// change changes an order as no rule of WeChat's provides for.
func (w *world) change(ref correction.Ref, f func(*simulator.Order)) {
	w.t.Helper()
	o, ok := w.sim.Order(ref.SubMchID, ref.OutOrderNo)
	if !ok {
		w.t.Fatalf("there is no order %s", ref.OutOrderNo)
	}
	f(&o)
	w.sim.Put(o)
}

// takesEffect makes the order what the correction asked for.
func (w *world) takesEffect(ref correction.Ref, id int64) {
	w.t.Helper()
	req, err := correction.ParseBody(w.correction(id).Body)
	w.must(err)
	w.change(ref, func(o *simulator.Order) {
		o.Lines, o.Discounts, o.Total = req.Lines, req.Discounts, req.Total
		o.Collection.Total, o.Collection.Paying = req.Total, req.Total
	})
}

var undoneStates = []correction.State{correction.Rejected, correction.NotApplied, correction.NotSent}

func TestRecheck_ReadsAgainAfterAnHourAndADay(t *testing.T) {
	t.Parallel()
	for _, state := range undoneStates {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(t *testing.T, w *world) {
				_, id := w.undone("A", state)
				from := w.correction(id).Entered().At
				time.Sleep(100 * time.Hour)
				c := w.holds(id, state)
				asked := since(w.net.asked("A"), from.Add(time.Second))
				if len(asked) != 2 {
					t.Fatalf("asked %v", gaps(asked, from))
				}
				first, second := asked[0].Sub(from), asked[1].Sub(from)
				if first < time.Hour || first > 66*time.Minute || second < 24*time.Hour || second > 27*time.Hour || c.Settled() != correction.Rechecked || c.Due() {
					t.Errorf("after %s and %s, settled %q, due %t", first, second, c.Settled(), c.Due())
				}
			})
		})
	}
}

func TestRecheck_FindsWhatTookEffectLate(t *testing.T) {
	t.Parallel()
	for _, state := range undoneStates {
		for _, after := range []time.Duration{10 * time.Minute, 5 * time.Hour} {
			for _, paid := range []bool{false, true} {
				t.Run(fmt.Sprint(state, " after ", after, " ", paid), func(t *testing.T) {
					t.Parallel()
					inBubble(t, options{}, func(t *testing.T, w *world) {
						ref, id := w.undone("A", state)
						time.Sleep(after)
						w.takesEffect(ref, id)
						if paid {
							w.must(w.sim.Pay(mch, "A"))
						}
						time.Sleep(27 * time.Hour)
						c := w.holds(id, correction.AppliedLate)
						if !c.Due() || len(w.alarms.of(id, correction.AlarmLate)) != 1 {
							t.Errorf("due %t, alarms %v", c.Due(), w.alarms.of(id, correction.AlarmLate))
						}
						if told := w.concerns(); len(told) != 1 || told[0] != correction.AppliedAfter {
							t.Errorf("told %v", told)
						}
						w.must(w.service.Resolve(context.Background(), actor("zhou"), id, correction.Resolution{Text: "电话告知客户"}))
						if told := w.concerns(); len(told) != 0 || w.correction(id).Due() {
							t.Errorf("seen to, and told %v", told)
						}
						if !paid {
							w.must(w.sim.Pay(mch, "A"))
						}
						time.Sleep(30 * time.Hour)
						if c := w.holds(id, correction.AppliedLate); c.Settled() != correction.PaidNew || c.Due() {
							t.Errorf("settled %q, due %t: %s", c.Settled(), c.Due(), states(c))
						}
					})
				})
			}
		}
	}
}

// What a later correction of the same order brought about is not its doing, although
// the order looks just as it asked for.
func TestRecheck_LeavesTheWorkOfALaterCorrectionAlone(t *testing.T) {
	t.Parallel()
	for _, state := range undoneStates {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(t *testing.T, w *world) {
				ref, first := w.undone("A", state)
				time.Sleep(time.Minute)
				second, err := w.prepare(actor("wu"), ref, 4000, 0)
				w.must(err)
				w.must(w.confirm(actor("wu"), second))
				time.Sleep(28 * time.Hour)
				w.holds(second, correction.Applied)
				if c := w.holds(first, state); c.Settled() != correction.Superseded {
					t.Errorf("settled %q", c.Settled())
				}
				if told := w.concerns(); len(told) != 0 {
					t.Errorf("told %v", told)
				}
			})
		})
	}
}

func TestFollow_TellsWhatBecameOfTheOrder(t *testing.T) {
	t.Parallel()
	pay := func(amount correction.Fen) func(*testing.T, *world, correction.Ref) {
		return func(t *testing.T, w *world, ref correction.Ref) {
			w.change(ref, func(o *simulator.Order) {
				o.Total, o.Collection.Total, o.Collection.Paying = amount, amount, amount
			})
			w.must(w.sim.Pay(mch, ref.OutOrderNo))
		}
	}
	for _, c := range []struct {
		name    string
		happens func(*testing.T, *world, correction.Ref)
		settled correction.Settlement
		due     bool
		alarm   bool
	}{
		{"paid new", pay(4000), correction.PaidNew, false, false},
		{"paid old", pay(5000), correction.PaidOld, true, false},
		{"paid less", pay(3000), correction.PaidOther, false, false},
		{"paid more", pay(4500), correction.PaidOther, true, false},
		{"cancelled", func(_ *testing.T, w *world, ref correction.Ref) {
			w.change(ref, func(o *simulator.Order) { o.State, o.StateDescription = correction.OrderRevoked, "" })
		}, correction.NothingDue, false, false},
		{"lost", func(_ *testing.T, w *world, ref correction.Ref) { w.must(w.sim.Reset(mch, ref.OutOrderNo)) }, "", true, true},
		{"lowered elsewhere", func(_ *testing.T, w *world, ref correction.Ref) {
			w.must(w.sim.LowerElsewhere(mch, ref.OutOrderNo, 3000))
		}, "", false, false},
		{"nothing", func(*testing.T, *world, correction.Ref) {}, "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(t *testing.T, w *world) {
				ref, id := w.sent("A", simulator.Fault{})
				from := w.holds(id, correction.Applied).Entered().At
				time.Sleep(time.Minute)
				c.happens(t, w, ref)
				time.Sleep(12 * time.Minute)
				got := w.holds(id, correction.Applied)
				if got.Settled() != c.settled || got.Due() != c.due || len(w.alarms.of(id, correction.AlarmLost)) > 0 != c.alarm {
					t.Errorf("settled %q, due %t, alarms %v", got.Settled(), got.Due(), w.alarms.of(id, correction.AlarmLost))
				}
				time.Sleep(40 * 24 * time.Hour)
				got = w.holds(id, correction.Applied)
				n := len(since(w.net.asked("A"), from.Add(time.Second)))
				switch {
				case c.settled != "" && n != 1:
					t.Errorf("settled, and asked %d times", n)
				case c.settled == "" && (got.Settled() != correction.StillOpen || !got.Due() || n < 30 || n > 36):
					t.Errorf("settled %q, due %t, asked %d times", got.Settled(), got.Due(), n)
				}
				if events := len(got.Events); events > 7 {
					t.Errorf("%d events: %s", events, states(got))
				}
				if len(w.alarms.of(id, correction.AlarmLost)) > 1 {
					t.Error("alarmed more than once")
				}
			})
		})
	}
}

func TestFollow_EndsWithALaterCorrection(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		ref, first := w.sent("A", simulator.Fault{})
		time.Sleep(time.Minute)
		second := w.prepared(ref, 3000)
		w.must(w.confirm(actor("lin"), second))
		time.Sleep(time.Minute)
		w.must(w.sim.Pay(mch, "A"))
		time.Sleep(time.Hour)
		if c := w.holds(first, correction.Applied); c.Settled() != correction.Superseded || c.Due() {
			t.Errorf("first: %q", c.Settled())
		}
		if c := w.holds(second, correction.Applied); c.Settled() != correction.PaidNew {
			t.Errorf("second: %q", c.Settled())
		}
	})
}

// After a long stop everything is due at the same time.
func TestWatch_IsPoliteAfterALongStop(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		const many = 40
		var ids []int64
		for i := range many {
			no := fmt.Sprint("A", i)
			if i%2 == 0 {
				w.net.cut(cut{call: simulator.CallModify, order: no, times: 1, how: refuse})
			}
			_, id := w.sent(no, simulator.Fault{})
			ids = append(ids, id)
		}
		w.stop()
		time.Sleep(100 * time.Hour)
		w.start()
		from := time.Now()
		time.Sleep(15 * time.Minute)
		var all []time.Time
		for i := range many {
			all = append(all, since(w.net.asked(fmt.Sprint("A", i)), from)...)
		}
		if len(all) < many {
			t.Errorf("%d queries for %d corrections", len(all), many)
		}
		for _, at := range all {
			n := 0
			for _, other := range all {
				if d := other.Sub(at); d >= 0 && d < time.Second {
					n++
				}
			}
			if n > 2 {
				t.Fatalf("%d queries in one second, %s after the start", n, at.Sub(from))
			}
		}
		time.Sleep(30 * time.Hour)
		for i, id := range ids {
			if c := w.correction(id); i%2 == 0 && c.Settled() != correction.Rechecked || i%2 == 1 && c.State != correction.Applied {
				t.Errorf("correction %d: %s, %q", id, states(c), c.Settled())
			}
		}
	})
}

func TestBusy_WaitsThreeMinutes(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		ref, first := w.sent("A", simulator.Fault{Kind: simulator.Busy})
		if e := w.holds(first, correction.Rejected).Last(); e.Detail.Obstacle != correction.Charging {
			t.Errorf("%+v", e.Detail)
		}
		for _, wait := range []time.Duration{0, 178 * time.Second} {
			time.Sleep(wait)
			v, err := w.service.ReadOrder(context.Background(), actor("lin"), ref)
			if err != nil || v.Obstacle != correction.Charging || v.CanEdit {
				t.Errorf("after %s: %q, %v", wait, v.Obstacle, err)
			}
			if _, err := w.prepare(actor("lin"), ref, 4000, first); correction.CodeOf(err) != correction.CodeNotCorrecting {
				t.Errorf("after %s: %v", wait, err)
			}
		}
		time.Sleep(2 * time.Second)
		second, err := w.prepare(actor("lin"), ref, 4000, first)
		w.must(err)
		w.must(w.confirm(actor("lin"), second))
		if c := w.holds(second, correction.Applied); c.RetryOf != first || w.sim.Posts("A") != 2 || w.sim.Applied("A") != 1 {
			t.Errorf("retry of %d, %d POSTs", c.RetryOf, w.sim.Posts("A"))
		}
	})
}

// Others may come to the same total.
func TestRecheck_TakesTheWorkOfOthersForTheirs(t *testing.T) {
	t.Parallel()
	for _, state := range undoneStates {
		for _, paid := range []bool{false, true} {
			t.Run(fmt.Sprint(state, " ", paid), func(t *testing.T) {
				t.Parallel()
				inBubble(t, options{}, func(t *testing.T, w *world) {
					_, id := w.undone("A", state)
					w.must(w.sim.LowerElsewhere(mch, "A", 4000))
					if paid {
						w.must(w.sim.Pay(mch, "A"))
					}
					time.Sleep(28 * time.Hour)
					if c := w.holds(id, state); c.Settled() != correction.Rechecked || c.Due() {
						t.Errorf("settled %q, due %t", c.Settled(), c.Due())
					}
				})
			})
		}
	}
}

// One that was prepared beside it may have been confirmed first: then what the order says
// is the doing of that one.
func TestRecheck_LeavesTheWorkOfOneConfirmedBeforeAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		ref := w.put("A", 5000)
		first := w.prepared(ref, 4000)
		second, err := w.prepare(actor("wu"), ref, 4000, 0)
		w.must(err)
		w.must(w.confirm(actor("wu"), second))
		w.net.cut(cut{call: simulator.CallQuery, times: 1, how: refuse})
		w.must(w.confirm(actor("lin"), first))
		time.Sleep(28 * time.Hour)
		w.holds(second, correction.Applied)
		if c := w.holds(first, correction.NotSent); c.Settled() != correction.Superseded {
			t.Errorf("settled %q", c.Settled())
		}
		if told := w.concerns(); len(told) != 0 {
			t.Errorf("told %v", told)
		}
	})
}

// A later one that two people settled does not end the following of this one.
func TestFollow_GoesOnAfterALaterConflictIsSettled(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		ctx := context.Background()
		ref, first := w.sent("A", simulator.Fault{})
		second := w.prepared(ref, 3000)
		w.arm(simulator.Fault{Kind: simulator.StatusBefore, Call: simulator.CallModify, Order: "A", Status: 204}) // a signed word that is not true
		w.must(w.confirm(actor("lin"), second))
		time.Sleep(2 * time.Hour)
		n := w.holds(second, correction.NeedsPerson).Last().N
		w.must(w.service.Resolve(ctx, actor("zhou"), second, correction.Resolution{Text: "查过账单", Ruling: correction.RuledNotApplied}))
		w.must(w.service.Resolve(ctx, actor("qian"), second, correction.Resolution{Text: "同意", Agrees: n + 1}))
		w.must(w.sim.Pay(mch, "A"))
		time.Sleep(48 * time.Hour)
		if c := w.holds(first, correction.Applied); c.Settled() != correction.PaidNew {
			t.Errorf("settled %q: %s", c.Settled(), states(c))
		}
	})
}
