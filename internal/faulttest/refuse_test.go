package faulttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// balky is a store that fails when it is told to.
type balky struct {
	correction.Store
	mu    sync.Mutex
	fails map[string]failure // by operation
}

// failure is how an operation fails: before anything was written, or after.
type failure struct {
	times   int
	written bool
	err     error
}

func (b *balky) set(op string, f failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails[op] = f
}

func (b *balky) do(op string, f func() error) error {
	b.mu.Lock()
	x, ok := b.fails[op]
	if ok {
		if x.times--; x.times == 0 {
			delete(b.fails, op)
		} else {
			b.fails[op] = x
		}
	}
	b.mu.Unlock()
	if !ok {
		return f()
	}
	if x.written {
		return errors.Join(f(), x.err)
	}
	return x.err
}

func (b *balky) Claim(ctx context.Context, id int64, ref correction.Ref, e correction.Event, trial *correction.Trial) error {
	return b.do("claim", func() error { return b.Store.Claim(ctx, id, ref, e, trial) })
}

func (b *balky) MarkSending(ctx context.Context, id int64, s correction.Signing, e correction.Event, trial *correction.Trial) error {
	return b.do("send", func() error { return b.Store.MarkSending(ctx, id, s, e, trial) })
}

func (b *balky) Append(ctx context.Context, id int64, from correction.State, n int, e correction.Event) error {
	return b.do("append", func() error { return b.Store.Append(ctx, id, from, n, e) })
}

var errDisk = errors.New("disk I/O error")

func TestRecord_NothingIsSentWithoutIt(t *testing.T) {
	t.Parallel()
	unknown := fmt.Errorf("%w: %w", correction.ErrCommitUnknown, errDisk)
	for name, fails := range map[string]map[string]failure{
		"claim":                                     {"claim": {1, false, errDisk}},
		"claim, written":                            {"claim": {1, true, unknown}},
		"claim, not known and not written":          {"claim": {1, false, unknown}},
		"claim, written, and nothing after it":      {"claim": {1, true, unknown}, "append": {9, false, errDisk}},
		"intent":                                    {"send": {1, false, errDisk}},
		"intent, written":                           {"send": {1, true, unknown}},
		"intent, not known and not written":         {"send": {1, false, unknown}},
		"intent, written, and nothing after it":     {"send": {1, true, unknown}, "append": {9, false, unknown}},
		"intent, written, and what follows as well": {"send": {1, true, unknown}, "append": {1, true, unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b *balky
			o := options{store: func(s correction.Store) correction.Store {
				b = &balky{Store: s, fails: map[string]failure{}}
				return b
			}}
			inBubble(t, o, func(t *testing.T, w *world) {
				ref := w.put("A", 5000)
				id := w.prepared(ref, 4000)
				for op, f := range fails {
					b.set(op, f)
				}
				if err := w.confirm(actor("lin"), id); correction.CodeOf(err) != correction.CodeNoRecord {
					t.Errorf("confirm: %v", err)
				}
				time.Sleep(30 * time.Minute)
				c := w.correction(id)
				if w.sim.Posts("A") != 0 || c.State != correction.NotSent && c.State != correction.Expiry && c.State != correction.Prepared {
					t.Errorf("%d POSTs, %s", w.sim.Posts("A"), states(c))
				}
				if c, err := w.service.Correction(context.Background(), actor("lin"), id); err != nil || c.State.Holds() {
					t.Errorf("the page: %s, %v", c.State, err)
				}
				second := w.prepared(ref, 4000) // the order is free
				w.must(w.confirm(actor("lin"), second))
				w.holds(second, correction.Applied)
				w.verify()
			})
		})
	}
}

func TestRecord_NothingIsSentWithoutTheJournal(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		ref := w.put("A", 5000)
		id := w.prepared(ref, 4000)
		w.must(w.journal.Close())
		if err := w.confirm(actor("lin"), id); correction.CodeOf(err) != correction.CodeNoRecord {
			t.Errorf("confirm: %v", err)
		}
		if c := w.holds(id, correction.NotSent); c.Last().Detail.Cause != correction.CauseNoRecord || w.sim.Posts("A") != 0 {
			t.Errorf("%+v, %d POSTs", c.Last().Detail, w.sim.Posts("A"))
		}
		if told := w.concerns(); !slices.Contains(told, correction.JournalFailed) || len(w.alarms.of(id, string(correction.JournalFailed))) == 0 {
			t.Errorf("told %v", told)
		}
		w.restart()
		second := w.prepared(ref, 4000)
		w.must(w.confirm(actor("lin"), second))
		w.holds(second, correction.Applied)
		if told := w.concerns(); len(told) != 0 {
			t.Errorf("told %v", told)
		}
	})
}

func TestRecord_NothingIsSentAfterTheStoreClosed(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		ref := w.put("A", 5000)
		id := w.prepared(ref, 4000)
		old, token := w.service, w.service.Token(w.correction(id))
		w.stop()
		if err := old.Confirm(context.Background(), actor("lin"), id, token, "40.00"); err == nil {
			t.Error("confirmed without a record")
		}
		w.start()
		if n := w.sim.Posts("A"); n != 0 {
			t.Errorf("%d POSTs", n)
		}
		w.holds(id, correction.Prepared)
	})
}

func TestConfirm_SendsNothingForAnOrderThatMoved(t *testing.T) {
	t.Parallel()
	for name, moves := range map[string]func(*world, correction.Ref){
		"lowered above ours": func(w *world, _ correction.Ref) { w.must(w.sim.LowerElsewhere(mch, "A", 4500)) },
		"lowered below ours": func(w *world, _ correction.Ref) { w.must(w.sim.LowerElsewhere(mch, "A", 3000)) },
		"paid":               func(w *world, _ correction.Ref) { w.must(w.sim.Pay(mch, "A")) },
		"cancelled": func(w *world, ref correction.Ref) {
			w.change(ref, func(o *simulator.Order) { o.State, o.StateDescription = correction.OrderRevoked, "" })
		},
		"other items": func(w *world, ref correction.Ref) {
			w.change(ref, func(o *simulator.Order) {
				o.Lines[0].Amount, o.Lines[1].Amount = o.Lines[0].Amount-1, o.Lines[1].Amount+1
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, options{}, func(t *testing.T, w *world) {
				ref := w.put("A", 5000)
				id := w.prepared(ref, 4000)
				moves(w, ref)
				w.must(w.confirm(actor("lin"), id))
				w.holds(id, correction.Stale)
				if n := w.sim.Posts("A"); n != 0 {
					t.Errorf("%d POSTs", n)
				}
			})
		})
	}
}

// What became of a POST is offered to the record until it is there.
func TestRecord_TakesTheOutcomeLater(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		fault simulator.Fault
		want  correction.State
	}{
		{simulator.Fault{}, correction.Applied},
		{simulator.Fault{Kind: simulator.StatusBefore, Status: 400, Code: "INVALID_REQUEST"}, correction.Rejected},
		{simulator.Fault{Kind: simulator.TimeoutAfter}, correction.Applied},
		{simulator.Fault{Kind: simulator.TimeoutBefore}, correction.NotApplied},
	} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprint(f.fault.Kind, f.want, crash), func(t *testing.T) {
				t.Parallel()
				var b *balky
				o := options{store: func(s correction.Store) correction.Store {
					b = &balky{Store: s, fails: map[string]failure{}}
					return b
				}}
				inBubble(t, o, func(t *testing.T, w *world) {
					ref := w.put("A", 5000)
					id := w.prepared(ref, 4000)
					if f.fault.Kind != "" {
						x := f.fault
						x.Call = simulator.CallModify
						w.arm(x)
					}
					b.set("append", failure{times: 1 << 20, err: errDisk})
					if err := w.confirm(actor("lin"), id); correction.CodeOf(err) != correction.CodeOutcomePending {
						t.Errorf("confirm: %v", err)
					}
					w.holds(id, correction.Sending)
					time.Sleep(11 * time.Minute)
					if told := w.concerns(); !slices.Contains(told, correction.Unresolved) {
						t.Errorf("told %v", told)
					}
					if crash { // what only this process knew is lost, and asked for anew
						w.restart()
					} else {
						b.set("append", failure{times: 1, err: errDisk})
					}
					time.Sleep(15 * time.Minute)
					want := f.want
					if crash && want == correction.Rejected {
						want = correction.NotApplied // nobody knows any more that WeChat refused
					}
					w.holds(id, want)
					if w.sim.Posts("A") != 1 {
						t.Errorf("%d POSTs", w.sim.Posts("A"))
					}
				})
			})
		}
	}
}

// conflict brings a correction by this person to a conflict: WeChat's signed word
// stands against WeChat's order.
func (w *world) conflict(author, no string) int64 {
	w.t.Helper()
	ref := w.put(no, 5000)
	id, err := w.prepare(actor(author), ref, 4000, 0)
	w.must(err)
	w.arm(simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallModify, Order: no})
	w.must(w.confirm(actor(author), id))
	time.Sleep(9 * time.Minute)
	w.holds(id, correction.NeedsPerson)
	return id
}

// TestResolve_TakesTwoSupervisorsNeitherOfThemTheAuthor tries everybody at both steps.
func TestResolve_TakesTwoSupervisorsNeitherOfThemTheAuthor(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		ctx := context.Background()
		tried, let := 0, 0
		for i, author := range []string{"lin", "zhou"} {
			for j, proposer := range people {
				id := w.conflict(author, fmt.Sprintf("A%d-%d", i, j))
				p := proposer.login
				may := proposer.role == correction.Supervisor && proposer.scope == "" && p != author
				err := w.service.Resolve(ctx, actor(p), id, correction.Resolution{Text: "查过账单", Ruling: correction.RuledNotApplied})
				if tried++; (err == nil) != may {
					t.Errorf("%s rules on a correction of %s: %v", p, author, err)
				}
				if !may {
					w.holds(id, correction.NeedsPerson)
					continue
				}
				let++
				n := w.correction(id).Last().N
				for _, second := range slices.Backward(people) { // the first who may settles it
					s := second.login
					may := second.role == correction.Supervisor && second.scope == "" && s != author && s != p
					if w.correction(id).State == correction.Resolved {
						break
					}
					err := w.service.Resolve(ctx, actor(s), id, correction.Resolution{Text: "同意", Agrees: n})
					if tried++; (err == nil) != may {
						t.Errorf("%s agrees with %s on a correction of %s: %v", s, p, author, err)
					}
				}
				c := w.holds(id, correction.Resolved)
				if e := c.Last(); e.Detail.Ruling != correction.RuledNotApplied || e.ActorID == actor(p).UserID || e.ActorID == actor(author).UserID {
					t.Errorf("%+v", e)
				}
			}
		}
		if tried < 40 || let != 5 {
			t.Errorf("%d tried, %d let", tried, let)
		}
	})
}

// The database refuses by itself what the domain refuses.
func TestResolve_TheSchemaRefusesOnePerson(t *testing.T) {
	t.Parallel()
	inBubble(t, options{}, func(t *testing.T, w *world) {
		ctx := context.Background()
		id := w.conflict("lin", "A")
		settle := func(who int64) error {
			e := correction.Event{State: correction.Resolved, At: w.clock.Now(), ActorID: who, Detail: correction.Detail{Text: "同意", Ruling: correction.RuledApplied}}
			return w.store.Append(ctx, id, correction.NeedsPerson, w.correction(id).Last().N, e)
		}
		for _, who := range []string{"lin", "zhou", "qian"} { // nobody has proposed anything
			if settle(actor(who).UserID) == nil {
				t.Fatalf("%s settles a conflict alone", who)
			}
		}
		w.must(w.service.Resolve(ctx, actor("zhou"), id, correction.Resolution{Text: "查过账单", Ruling: correction.RuledApplied}))
		for name, who := range map[string]int64{"the author": actor("lin").UserID, "who proposed it": actor("zhou").UserID, "nobody": 0} {
			if settle(who) == nil {
				t.Fatalf("%s settles a conflict", name)
			}
		}
		w.holds(id, correction.NeedsPerson)
		w.must(settle(actor("qian").UserID))
		w.holds(id, correction.Resolved)
		w.verify()
	})
}
