package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// seed is what chance depends on: FAULTS_SEED, or a new one for each run.
func seed(t *testing.T) uint64 {
	t.Helper()
	if text := os.Getenv("FAULTS_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("FAULTS_SEED: %v", err)
		}
		return n
	}
	return rand.Uint64()
}

// tally is what a matrix comes to.
type tally struct {
	tried, doubled, wrong, uncertain, alarmed, silent, conflicts atomic.Int64
}

// perCell is how often each row is tried for each call: FAULTS_PER_CELL, or 10.
func perCell(t *testing.T) int {
	t.Helper()
	n := 10
	if testing.Short() {
		n = len(places)
	}
	if text := os.Getenv("FAULTS_PER_CELL"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("FAULTS_PER_CELL: %v", err)
		}
	}
	return n
}

// batch is how many calls share a bubble.
const batch = 10

// TestFaults_NeverSendTwiceNorSayWhatIsNot is the matrix of trust.md §6.4: every row
// for both calls, with the record against the simulator's truth.
func TestFaults_NeverSendTwiceNorSayWhatIsNot(t *testing.T) {
	t.Parallel()
	shared(t)
	seed, n := seed(t), perCell(t)
	var sum tally
	all := rows()
	if len(all) != 30 {
		t.Fatalf("%d rows", len(all))
	}
	t.Run("rows", func(t *testing.T) {
		for i, r := range all {
			for _, call := range []string{simulator.CallModify, simulator.CallQuery} {
				t.Run(r.number()+" "+call, func(t *testing.T) {
					t.Parallel()
					chance := rand.New(rand.NewPCG(seed, uint64(2*i+len(call))))
					faults := r.modify
					if call == simulator.CallQuery {
						faults = r.query
					}
					order := chance.Perm(len(faults))
					for first := 0; first < n; first += batch {
						inBubble(t, options{secure: r.secure}, func(_ *testing.T, w *world) {
							var ids []int64
							for k := first; k < min(first+batch, n); k++ {
								f := faults[order[k%len(order)]]
								ids = append(ids, w.try(r, call, f, k/len(order)+k, chance, &sum))
							}
							w.wrapUp(ids)
						})
					}
				})
			}
		}
	})
	t.Logf("fault matrix: %d calls tried, %d double-sent, %d wrong final states, %d uncertain: %s, %d conflicts, seed %d",
		sum.tried.Load(), sum.doubled.Load(), sum.wrong.Load(), sum.uncertain.Load(), sum.fate(), sum.conflicts.Load(), seed)
}

// fate tells what became of the uncertain ones.
func (s *tally) fate() string {
	if n := s.silent.Load(); n > 0 {
		return fmt.Sprintf("%d neither decided nor alarmed within 10 min", n)
	}
	return fmt.Sprintf("all decided or alarmed within 10 min (%d alarmed)", s.alarmed.Load())
}

// places are the queries that a fault can meet.
var places = []string{"before sending", "read-back", "resolver"}

// try makes one correction of a fresh order with a fault on one call, waits until it is
// decided and compares what is said with the truth. It returns the correction's id.
func (w *world) try(r row, call string, f fault, k int, chance *rand.Rand, sum *tally) int64 {
	w.t.Helper()
	no := fmt.Sprintf("N%s%s%04d", r.number(), call, k)
	what := fmt.Sprintf("%s, %s: %s", r.name, call, f.name)
	time.Sleep(time.Duration(chance.Int64N(int64(90 * time.Second)))) // virtual: kept connections end after 45 s
	total := correction.Fen(1000 + chance.Int64N(90000))
	target := 1 + correction.Fen(chance.Int64N(int64(total)-1))
	ref := w.put(no, total)
	id := w.prepared(ref, target)

	denied := f.denied && call == simulator.CallModify
	refused := f.refusal() && call == simulator.CallModify
	lasting := false
	if call == simulator.CallModify {
		w.meet(f, call, no, 0, 1)
	} else {
		place := places[k%len(places)]
		what += " " + place
		times, skip := 1, 0
		switch place {
		case "read-back":
			skip = 1
			if chance.IntN(2) == 0 { // a refusal, which only the order confirms
				refusal := answers(400, "INVALID_REQUEST", "", "")
				if f.sim.Kind == simulator.Replayed {
					refusal = refusal[:1] // both lies at once: TestReplay_AfterAFalseRefusal
				}
				refused = true
				w.meet(refusal[chance.IntN(len(refusal))], simulator.CallModify, no, 0, 1)
			}
		case "resolver":
			skip, times = 1, []int{1, 4, 1 << 20}[chance.IntN(3)]
			lasting = times > 4
			before := kinds(simulator.TimeoutAfter, simulator.TimeoutBefore, simulator.ResetAfter, simulator.ResetBefore, simulator.ErrorAfter, simulator.ErrorBefore)
			before = append(before, kind(simulator.DelayedApply).delayed(time.Minute))
			w.meet(before[chance.IntN(len(before))], simulator.CallModify, no, 0, 1)
		}
		w.meet(f, call, no, skip, times)
	}

	if err := w.confirm(actor("lin"), id); err != nil {
		w.t.Errorf("%s: confirm: %v", what, err)
	}
	w.decided(id, what, lasting, sum)

	c := w.correction(id)
	applied := w.sim.Applied(no) > 0
	sum.tried.Add(1)
	if w.sim.Posts(no) > 1 || w.sim.Applied(no) > 1 {
		sum.doubled.Add(1)
		w.t.Errorf("%s: sent %d times", what, w.sim.Posts(no))
	}
	if o, _ := w.sim.Order(mch, no); wrong(c.State, applied, denied) || applied != (o.Total == target) {
		sum.wrong.Add(1)
		w.t.Errorf("%s: it is said to be %s (%s) and applied is %t: %s", what, c.State, states(c), applied, o.Total)
	}
	if c.State == correction.NeedsPerson {
		sum.conflicts.Add(1)
	}
	if c.State == correction.Rejected && !refused {
		w.t.Errorf("%s: nobody refused it, and it is %s", what, states(c))
	}
	if c.State == correction.NotSent && w.sim.Posts(no) > 0 && call == simulator.CallQuery {
		w.t.Errorf("%s: not sent, yet a POST arrived", what)
	}
	if r.number() <= "5" && len(r.number()) == 1 && call == simulator.CallModify && c.State != correction.NotSent {
		w.t.Errorf("%s: nothing could leave, and it is %s", what, states(c))
	}
	w.sim.Disarm()
	w.net.heal()
	return id
}

// meet lets a call of an order meet a fault.
func (w *world) meet(f fault, call, no string, skip, times int) {
	w.t.Helper()
	if f.how != nil {
		w.net.cut(cut{call: call, order: no, skip: skip, times: times, how: f.how})
	}
	if f.sim.Kind != "" {
		s := f.sim
		s.Call, s.Order, s.Skip, s.Times = call, no, skip, times
		w.arm(s)
	}
}

// wrong reports a state that is not the truth. A conflict says nothing false, but is
// only right where WeChat contradicts itself.
func wrong(s correction.State, applied, denied bool) bool {
	switch s {
	case correction.Applied:
		return !applied
	case correction.Rejected, correction.NotSent, correction.NotApplied, correction.Stale:
		return applied
	case correction.NeedsPerson:
		return applied || !denied
	}
	return true // undecided, or first said to be something else
}

// lookLasts is how long a look that is under way when the alarm is due may last: the
// log has it with the next one.
const lookLasts = 15 * time.Second

// decided lets time pass until a correction is decided. One that is not within 10
// minutes must alarm, in the log and to supervisors. Faults that last end after half an
// hour.
func (w *world) decided(id int64, what string, lasting bool, sum *tally) {
	w.t.Helper()
	begun := time.Now()
	since, ok := begun, false
	shown, told := false, false
	for open := true; open; {
		c := w.correction(id)
		open = c.State.Holds()
		if e, found := firstUnknown(c); found && !ok {
			since, ok = e.At, true
			sum.uncertain.Add(1)
		}
		age := time.Since(since)
		if open && ok && !shown && age > correction.AlarmAfter {
			shown = true
			if n, err := w.service.Concerns(context.Background()); err != nil || n.Uncertain.Count == 0 {
				sum.silent.Add(1)
				w.t.Errorf("%s: uncertain for %s, and told is %+v, %v", what, age, n, err)
			}
		}
		if open && ok && !told && age > correction.AlarmAfter+lookLasts {
			told = true
			sum.alarmed.Add(1)
			if at := w.alarms.of(id, string(correction.Unresolved)); len(at) == 0 {
				sum.silent.Add(1)
				w.t.Errorf("%s: uncertain for %s, and nothing is in the log", what, age)
			}
		}
		if lasting && age > 30*time.Minute {
			lasting = false
			w.sim.Disarm()
			w.net.heal()
		}
		if open && age > time.Hour {
			w.t.Errorf("%s: not decided after %s: %s", what, age, states(c))
			return
		}
		if open {
			time.Sleep(5 * time.Second) // virtual
		}
	}
}

func firstUnknown(c correction.Correction) (correction.Event, bool) {
	i := slices.IndexFunc(c.Events, func(e correction.Event) bool { return e.State == correction.Unknown })
	if i < 0 {
		return correction.Event{}, false
	}
	return c.Events[i], true
}

// wrapUp lets a day and more pass, in which what was said must stay true, and checks
// the record, the journal and what the simulator got as a whole.
func (w *world) wrapUp(ids []int64) {
	w.t.Helper()
	before := map[int64]correction.State{}
	for _, id := range ids {
		before[id] = w.correction(id).State
	}
	time.Sleep(27 * time.Hour) // virtual
	for _, id := range ids {
		c := w.correction(id)
		if c.State != before[id] {
			w.t.Errorf("correction %d was %s and became %s", id, before[id], states(c))
		}
		if c.State.NoEffect() && c.Settled() != correction.Rechecked {
			w.t.Errorf("correction %d is %s and was not looked at again: %q", id, c.State, c.Settled())
		}
	}
	w.compare(ids)
	w.verify()
}

// compare checks that the store, the journal and the simulator tell of the same sends:
// each POST belongs to one intent, each intent and what became of it is in the journal. A
// crash may have come between the store and the journal: then what became of it is not.
func (w *world) compare(ids []int64) {
	w.t.Helper()
	intents, lines := map[int64]string{}, map[string]bool{}
	for _, l := range w.journalLines() {
		key := fmt.Sprint(l.id, " ", l.n, " ", l.state)
		if l.intent && intents[l.id] != "" {
			w.t.Errorf("the journal tells twice that correction %d is sent", l.id)
		}
		if l.intent {
			intents[l.id] = l.nonce
		}
		lines[key] = true
	}
	byNonce := map[string]int{}
	for _, p := range w.sim.PostLog() {
		if byNonce[p.Nonce]++; byNonce[p.Nonce] > 1 {
			w.t.Errorf("nonce %s was sent %d times", p.Nonce, byNonce[p.Nonce])
		}
	}
	for _, id := range ids {
		c := w.correction(id)
		sent := slices.IndexFunc(c.Events, func(e correction.Event) bool { return e.State == correction.Sending })
		if sent < 0 {
			if intents[id] != "" {
				w.t.Errorf("correction %d: only the journal tells that it was sent", id)
			}
			continue
		}
		if intents[id] == "" {
			w.t.Errorf("correction %d: the journal does not tell that it was sent: %s", id, states(c))
		}
		for _, e := range c.Events[sent:] {
			if !w.crashed && !lines[fmt.Sprint(id, " ", e.N, " ", e.State)] {
				w.t.Errorf("correction %d: event %d, %s, is not in the journal", id, e.N, e.State)
			}
		}
		delete(byNonce, intents[id])
	}
	for nonce := range byNonce {
		w.t.Errorf("a POST with nonce %s belongs to no intent", nonce)
	}
}
