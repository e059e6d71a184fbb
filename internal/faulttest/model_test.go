package faulttest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// lanes are sequences that run beside each other.
const lanes = 2

// TestModel_RandomSequencesKeepTheRecordTrue does at random what people, WeChat,
// customers, other systems, clocks and stops do, and compares the console's record with
// a model and the simulator's truth after each step (trust.md §6.6). RAPID_CHECKS is the
// number of sequences of each lane.
func TestModel_RandomSequencesKeepTheRecordTrue(t *testing.T) {
	t.Parallel()
	shared(t)
	if os.Getenv("RAPID_SEED") == "" && flag.Lookup("rapid.seed").Value.String() == "0" {
		var b [8]byte
		rand.Read(b[:])
		set(t, "rapid.seed", strconv.FormatUint(binary.LittleEndian.Uint64(b[:])>>1|1, 10))
	}
	if os.Getenv("RAPID_CHECKS") == "" && flag.Lookup("rapid.checks").Value.String() == flag.Lookup("rapid.checks").DefValue {
		set(t, "rapid.checks", "1000")
	}
	var total sums
	began := time.Now()
	t.Run("lanes", func(t *testing.T) {
		for lane := range lanes {
			t.Run(strconv.Itoa(lane), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(rt *rapid.T) {
					for range lane { // other sequences from the same seed
						rapid.Uint64().Draw(rt, "lane")
					}
					dir := folder(t)
					defer os.RemoveAll(dir)
					rapid.SyncTest(rt, func(rt *rapid.T) { sequence(rt, dir, &total) })
				})
			})
		}
	})
	want, err := strconv.ParseInt(flag.Lookup("rapid.checks").Value.String(), 10, 64)
	if testing.Short() {
		want /= 5
	}
	if err != nil || total.sequences.Load() < lanes*want && !t.Failed() {
		t.Errorf("%d sequences, want %d", total.sequences.Load(), lanes*want)
	}
	t.Logf("model: %d sequences tried, %d steps, %d corrections, %d POSTs, %d applied, %d uncertain, %d restarts, 0 invariants broken, in %s, seed %s",
		total.sequences.Load(), total.steps.Load(), total.corrections.Load(), total.posts.Load(), total.applied.Load(), total.uncertain.Load(), total.restarts.Load(),
		time.Since(began).Truncate(time.Second), flag.Lookup("rapid.seed").Value)
}

func set(t *testing.T, name, value string) {
	t.Helper()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// sums are what all sequences together did.
type sums struct {
	sequences, steps, corrections, posts, applied, uncertain, restarts atomic.Int64
}

// model is what is known of the world without asking the console.
type model struct {
	*world
	rt     *rapid.T
	sums   *sums
	orders []*anOrder
	made   []*made
	armed  bool // some fault may be to come
	off    bool // the clock is so far off that WeChat and the console refuse each other

	shut map[string]bool // who is disabled
	cap  correction.Fen  // of the service, 0 = none
}

// forbids reports that a rule or a person does not permit a correction now.
func (m *model) forbids(author string, target correction.Fen) bool {
	return m.shut[author] || m.cap > 0 && target > m.cap
}

// barred checks that nothing is left waiting that is not permitted, just after an edit.
// What is over time by the clock of the edit counts as expired.
func (m *model) barred() {
	for _, c := range m.made {
		if r := m.correction(c.id); r.State == correction.Prepared && time.Now().Before(r.ConfirmUntil) && m.forbids(c.author, c.target) {
			m.rt.Fatalf("correction %d of %s to %s waits, but is not permitted", c.id, c.author, c.target)
		}
	}
}

// anOrder is one order as the model knows it.
type anOrder struct {
	ref       correction.Ref
	dead      bool // paid or cancelled
	charging  bool
	disturbed bool // somebody else changed it: what it says may be told by nobody
}

// made is one correction as the model knows it.
type made struct {
	id     int64
	author string
	order  *anOrder
	target correction.Fen
	events int // on record when last seen
}

// sequence is one random history, from an empty record to a settled one.
func sequence(rt *rapid.T, dir string, total *sums) {
	time.Sleep(time.Until(t0)) // virtual
	still := rapid.Bool().Draw(rt, "still")
	w := newWorld(rt, dir, options{still: still})
	defer w.end()
	m := &model{world: w, rt: rt, sums: total, shut: map[string]bool{}}
	m.newOrder()
	m.newOrder()
	for range rapid.IntRange(4, 22).Draw(rt, "steps") {
		m.step()
		m.check()
		total.steps.Add(1)
	}
	m.settle()
	total.sequences.Add(1)
}

// weighted are the steps, those that are wanted more often more than once.
var weighted = func() []string {
	var all []string
	for name, n := range map[string]int{
		"correct": 12, "prepare": 4, "confirm": 4, "twice": 2, "beside": 2, "again": 1, "withdraw": 1, "check": 1, "resolve": 2, "modify fault": 5, "query fault": 4, "network fault": 2,
		"heal": 2, "pay": 1, "lower": 2, "cancel": 1, "charge": 1, "restart": 2, "clock": 2, "pass": 6, "order": 1, "shut": 2, "cap": 2,
	} {
		for range n {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}()

func pick[T any](m *model, what string, from []T) T { return rapid.SampledFrom(from).Draw(m.rt, what) }

func (m *model) step() {
	ctx := context.Background()
	what := pick(m, "step", weighted)
	if len(m.made) == 0 && slices.Contains([]string{"confirm", "twice", "beside", "again", "withdraw", "check", "resolve"}, what) {
		what = "prepare"
	}
	switch what {
	case "correct": // at one go, most often with a fault of its own
		o := pick(m, "order", m.orders)
		if c := m.prepareOne(o); c != nil {
			switch pick(m, "fault", []string{"none", "modify", "modify", "modify", "both"}) {
			case "modify":
				m.modifyFault(o)
			case "both":
				m.modifyFault(o)
				m.queryFault(o)
			}
			m.confirmOne(c)
		}
	case "prepare":
		m.prepareOne(pick(m, "order", m.orders))
	case "confirm":
		m.confirmOne(pick(m, "correction", m.recent()))
	case "twice": // at the same moment, as two clicks do
		c := pick(m, "correction", m.recent())
		before := m.sim.Posts(c.order.ref.OutOrderNo)
		answers := make(chan error, 2)
		for range 2 {
			go func() { answers <- m.confirm(actor(c.author), c.id) }()
		}
		if a, b := <-answers, <-answers; a == nil && b == nil {
			m.rt.Fatalf("correction %d was confirmed twice", c.id)
		}
		if n := m.sim.Posts(c.order.ref.OutOrderNo) - before; n > 1 {
			m.rt.Fatalf("correction %d: two clicks, %d POSTs", c.id, n)
		}
	case "beside": // still under way while the next things happen
		c, service := pick(m, "correction", m.recent()), m.service
		record := m.correction(c.id)
		m.loose.Go(func() {
			_ = service.Confirm(ctx, actor(c.author), c.id, service.Token(record), record.Target.Yuan())
		})
		time.Sleep(pick(m, "meanwhile", []time.Duration{1, time.Second, 15 * time.Second})) // virtual
	case "again": // what is no longer to be confirmed, or somebody else's
		c := pick(m, "correction", m.made)
		other := "wu"
		if c.author == other {
			other = "lin"
		}
		if m.confirm(actor(other), c.id) == nil {
			m.rt.Fatalf("%s confirms a correction of %s", other, c.author)
		}
		if s := m.correction(c.id).State; s != correction.Prepared && m.confirm(actor(c.author), c.id) == nil {
			m.rt.Fatalf("correction %d was %s and is confirmed", c.id, s)
		}
	case "withdraw":
		c := pick(m, "correction", m.recent())
		before := m.correction(c.id).State
		if err := m.service.Withdraw(ctx, actor(c.author), c.id); err == nil && before != correction.Prepared {
			m.rt.Fatalf("correction %d was %s and is withdrawn", c.id, before)
		}
	case "check":
		c := pick(m, "correction", m.made)
		_ = m.service.Check(ctx, actor(c.author), c.id)
	case "resolve":
		m.resolveOne()
	case "modify fault":
		m.modifyFault(pick(m, "order", m.orders))
	case "query fault":
		m.queryFault(pick(m, "order", m.orders))
	case "network fault":
		m.armed = true
		m.net.cut(cut{
			call: pick(m, "call", []string{"", simulator.CallQuery, simulator.CallModify}), skip: rapid.IntRange(0, 4).Draw(m.rt, "skip"),
			times: rapid.IntRange(1, 4).Draw(m.rt, "times"), how: pick(m, "how", []way{refuse, hang, noSuchHost, hangsUpAfter(0), hangsUpAfter(40)}),
		})
	case "heal":
		m.healAll()
	case "pay":
		o := pick(m, "order", m.orders)
		if m.sim.Pay(mch, o.ref.OutOrderNo) == nil {
			o.dead, o.disturbed, o.charging = true, true, false
		}
	case "lower":
		o := pick(m, "order", m.orders)
		if m.sim.LowerElsewhere(mch, o.ref.OutOrderNo, pick(m, "total", totals)) == nil {
			o.disturbed = true
		}
	case "cancel":
		o := pick(m, "order", m.orders)
		if now, _ := m.sim.Order(mch, o.ref.OutOrderNo); now.Completed() {
			m.change(o.ref, func(x *simulator.Order) { x.State, x.StateDescription = correction.OrderRevoked, "" })
			o.dead, o.disturbed = true, true
		}
	case "charge":
		o := pick(m, "order", m.orders)
		o.charging = !o.charging
		m.must(m.sim.SetCharging(mch, o.ref.OutOrderNo, o.charging))
	case "restart":
		m.stop()
		time.Sleep(pick(m, "down", []time.Duration{0, time.Second, 10 * time.Minute})) // virtual
		m.start()
		m.sums.restarts.Add(1)
	case "clock":
		d := pick(m, "ahead", []time.Duration{0, 30 * time.Second, -30 * time.Second, 2 * time.Minute, -2 * time.Minute, 239 * time.Second, -239 * time.Second,
			280 * time.Second, -280 * time.Second, 10 * time.Minute, -10 * time.Minute, 3 * time.Hour, -3 * time.Hour})
		m.off = d.Abs() > 3*time.Minute
		m.clock.set(d)
	case "pass":
		d := pick(m, "time", []time.Duration{time.Second, 20 * time.Second, 3 * time.Minute, 9 * time.Minute, 70 * time.Minute, 26 * time.Hour})
		if m.off { // an uncertain one is asked for every 5 minutes, and not answered
			d = min(d, 70*time.Minute)
		}
		m.pass(d)
	case "shut": // an agent is shut out, or let in again
		who := pick(m, "who", []string{"lin", "wu"})
		m.shut[who] = !m.shut[who]
		m.must(m.store.SetDisabled(ctx, who, m.shut[who]))
		m.barred()
	case "cap": // the service gets a cap, or loses it
		m.cap = pick(m, "cap", []correction.Fen{0, 999, 2500})
		m.must(m.store.PutOffering(ctx, correction.Offering{ServiceID: serviceID, Name: "Service", Cap: m.cap}))
		m.barred()
	case "order":
		if len(m.orders) < 4 {
			m.newOrder()
		}
	}
}

// totals are few, so that different hands come to the same one.
var totals = []correction.Fen{500, 1000, 2000, 3000, 3500, 4000, 4500}

// modifyKinds and queryKinds are all faults that need no parameters; those that leave
// the most to find out come more often. An old reading that
// is replayed just after WeChat refused is TestReplay_AfterAFalseRefusalIsFoundLater;
// here no refusal is false.
var modifyKinds, queryKinds = append(kindsOf(simulator.CallModify), slices.Repeat([]simulator.Kind{
	simulator.DelayedApply, simulator.DelayedApply, simulator.TimeoutAfter, simulator.TimeoutBefore, simulator.ResetBefore, simulator.ErrorAfter,
}, 4)...), kindsOf(simulator.CallQuery)

func kindsOf(call string) []simulator.Kind {
	var all []simulator.Kind
	for _, k := range simulator.Kinds() {
		if slices.Contains(k.Calls, call) && k.Kind != simulator.StatusBefore && k.Kind != simulator.StatusAfter {
			all = append(all, k.Kind)
		}
	}
	return all
}

func (m *model) modifyFault(o *anOrder) {
	f := simulator.Fault{Kind: pick(m, "kind", modifyKinds), Call: simulator.CallModify, Order: o.ref.OutOrderNo}
	if f.Kind == simulator.DelayedApply {
		f.Delay = pick(m, "delay", []time.Duration{time.Second, time.Minute, accepted - time.Second})
	}
	m.meetAt(o, f)
}

func (m *model) queryFault(o *anOrder) {
	m.meetAt(o, simulator.Fault{
		Kind: pick(m, "kind", queryKinds), Call: simulator.CallQuery, Order: o.ref.OutOrderNo,
		Skip: rapid.IntRange(0, 4).Draw(m.rt, "skip"), Times: rapid.IntRange(1, 4).Draw(m.rt, "times"),
	})
}

func (m *model) meetAt(o *anOrder, f simulator.Fault) {
	o.disturbed = o.disturbed || f.Kind == simulator.PaidBetween || f.Kind == simulator.LowerBetween
	m.armed = true
	m.arm(f)
}

func (m *model) newOrder() {
	m.orders = append(m.orders, &anOrder{ref: m.put(fmt.Sprintf("N%d", len(m.orders)), 5000)})
}

// recent are the corrections that something may still happen to, for the most part.
func (m *model) recent() []*made { return m.made[max(0, len(m.made)-3):] }

func (m *model) healAll() {
	m.sim.Disarm()
	m.net.heal()
	m.armed = false
}

// pass lets time pass, in which the program looks after corrections, or RunDue does.
func (m *model) pass(d time.Duration) {
	for left := d; left > 0; {
		tick := left
		if m.o.still {
			tick = min(left, max(20*time.Second, d/50))
		}
		time.Sleep(tick) // virtual
		left -= tick
		if m.o.still {
			m.service.RunDue(context.Background())
		}
	}
	m.must(m.service.ExpireOverdue(context.Background()))
	m.must(m.service.VoidUnpermitted(context.Background()))
	m.must(m.service.RecordPending(context.Background()))
}

// prepareOne prepares a correction of an order; nil when that is refused.
func (m *model) prepareOne(o *anOrder) *made {
	author, target := pick(m, "author", []string{"lin", "wu", "zhou"}), pick(m, "target", totals)
	var from int64
	if len(m.made) > 0 && rapid.Bool().Draw(m.rt, "retry") {
		from = pick(m, "retry of", m.made).id
	}
	held, err := m.store.Holder(context.Background(), o.ref)
	m.must(err)
	now, _ := m.sim.Order(mch, o.ref.OutOrderNo)
	id, err := m.prepare(actor(author), o.ref, target, from)
	switch clear := !m.armed && !m.off && !o.dead && !o.charging && now.Completed(); { // a fault may have paid it
	case err == nil && m.forbids(author, target):
		m.rt.Fatalf("prepared by %s to %s, which is not permitted", author, target)
	case err == nil:
		if held != nil && m.o.still || (o.dead || target >= now.Total) && !m.armed { // an answer of before may be replayed
			m.rt.Fatalf("prepared although it is held by %+v, dead %t, %s to %s", held, o.dead, now.Total, target)
		}
		c := &made{id: id, author: author, order: o, target: target, events: 1}
		m.made = append(m.made, c)
		m.sums.corrections.Add(1)
		return c
	case clear && held == nil && target < now.Total && m.correctable(o) && !m.forbids(author, target):
		m.rt.Fatalf("nothing stands in the way, yet %s is not prepared to %s: %v", now.Total, target, err)
	}
	return nil
}

// correctable reports that no earlier refusal keeps an order from being corrected.
func (m *model) correctable(o *anOrder) bool {
	return !slices.ContainsFunc(m.made, func(c *made) bool {
		return c.order == o && slices.ContainsFunc(m.correction(c.id).Events, func(e correction.Event) bool { return e.Detail.Obstacle != "" })
	})
}

func (m *model) confirmOne(c *made) {
	no := c.order.ref.OutOrderNo
	before, posts := m.correction(c.id), m.sim.Posts(no)
	now, _ := m.sim.Order(mch, no)
	err := m.confirm(actor(c.author), c.id)
	if err == nil && before.State != correction.Prepared {
		m.rt.Fatalf("correction %d was %s and is confirmed", c.id, before.State)
	}
	if n := m.sim.Posts(no) - posts; n > 1 || n > 0 && err != nil && correction.CodeOf(err) != correction.CodeOutcomePending {
		m.rt.Fatalf("correction %d: %d POSTs and %v", c.id, n, err)
	} else if n > 0 && m.forbids(c.author, c.target) {
		m.rt.Fatalf("correction %d of %s to %s is sent and not permitted", c.id, c.author, c.target)
	} else if n > 0 && !m.armed && (now.Total != before.Base.Total || !now.Completed()) {
		m.rt.Fatalf("correction %d of %s is sent for an order of %s, dead %t", c.id, before.Base.Total, now.Total, c.order.dead)
	}
}

// resolveOne lets a supervisor say something of a correction that waits for it.
func (m *model) resolveOne() {
	c := pick(m, "correction", m.made)
	record, who := m.correction(c.id), pick(m, "who", []string{"zhou", "qian", "sun", "lin", "he"})
	r := correction.Resolution{Text: "查过账单", Ruling: pick(m, "ruling", correction.Rulings)}
	proposal, proposed := record.Proposal()
	if proposed && rapid.Bool().Draw(m.rt, "agrees") {
		r.Agrees = proposal.N
	}
	err := m.service.Resolve(context.Background(), actor(who), c.id, r)
	role := actor(who).Role
	may := role == correction.Supervisor && (record.Due() && record.State != correction.NeedsPerson || record.State == correction.NeedsPerson && who != c.author &&
		(r.Agrees == 0 || proposal.ActorID != actor(who).UserID))
	if err == nil && !may {
		m.rt.Fatalf("%s resolves correction %d, %s, of %s: %+v", who, c.id, record.State, c.author, r)
	}
}

// check compares the record with the truth.
func (m *model) check() {
	open := map[*anOrder]int64{}
	intents := map[int64]string{}
	// The record first: what it says now must be true now and later.
	records := make([]correction.Correction, len(m.made))
	for i, c := range m.made {
		records[i] = m.correction(c.id)
	}
	for _, l := range m.journalLines() {
		if l.intent {
			if intents[l.id] != "" {
				m.rt.Fatalf("two intents of correction %d", l.id)
			}
			intents[l.id] = l.nonce
		}
	}
	posts := map[string]simulator.Post{}
	falling := map[string]correction.Fen{}
	for _, p := range m.sim.PostLog() {
		if _, twice := posts[p.Nonce]; twice {
			m.rt.Fatalf("two POSTs with nonce %s", p.Nonce)
		}
		posts[p.Nonce] = p
		if !p.Applied {
			continue
		}
		if last, ok := falling[p.Order]; ok && p.Total >= last && p.Fault != simulator.DelayedApply {
			m.rt.Fatalf("order %s went from %s to %s", p.Order, last, p.Total)
		}
		falling[p.Order] = p.Total
	}
	owner := map[string]int64{}
	for i, c := range m.made {
		r := records[i]
		m.legal(c, r)
		if r.State.Holds() {
			if other, taken := open[c.order]; taken {
				m.rt.Fatalf("corrections %d and %d hold the same order", other, c.id)
			}
			open[c.order] = c.id
		}
		p, sent := posts[intents[c.id]]
		if sent {
			owner[p.Nonce] = c.id
		}
		applied := sent && p.Applied
		if sent && (p.Order != c.order.ref.OutOrderNo || p.Total != c.target || p.SHA256 != r.BodySHA256) {
			m.rt.Fatalf("correction %d: what was sent is not what was confirmed: %+v", c.id, p)
		}
		if _, intent := r.Find(correction.Sending); sent && !intent {
			m.rt.Fatalf("correction %d was sent without an intent: %s", c.id, states(r))
		}
		switch {
		case r.State.Effective() && !applied:
			m.rt.Fatalf("correction %d is said to be %s (%s) and is not: %+v", c.id, r.State, states(r), p)
		case sent && (r.State == correction.Void || len(r.Entered().Detail.Breaches) > 0):
			m.rt.Fatalf("correction %d is %s (%s) and was sent", c.id, r.State, states(r))
		case (r.State.NoEffect() || r.State == correction.Stale) && applied:
			m.rt.Fatalf("correction %d is said to be %s (%s) and was applied: %+v", c.id, r.State, states(r), p)
		case r.State == correction.AppliedLate:
			m.rt.Fatalf("correction %d was said to be undone: %s", c.id, states(r))
		case (r.State == correction.NeedsPerson || r.State == correction.Resolved) && !c.order.disturbed && p.Fault != simulator.Replayed:
			m.rt.Fatalf("correction %d is a conflict without reason: %s, %+v, %+v", c.id, states(r), p, r.Last().Detail)
		case r.State == correction.NotSent && sent && p.Fault == "" && p.Verified:
			m.rt.Fatalf("correction %d was sent and is said not to be: %s", c.id, states(r))
		}
	}
	for nonce, p := range posts {
		if owner[nonce] == 0 {
			m.rt.Fatalf("a POST belongs to no correction: %+v", p)
		}
	}
}

// legal checks that a record only grew, by legal steps.
func (m *model) legal(c *made, r correction.Correction) {
	from := correction.State("")
	for i, e := range r.Events {
		if e.N != i+1 || !e.State.Follows(from) {
			m.rt.Fatalf("correction %d: event %d is %s after %s", c.id, e.N, e.State, from)
		}
		from = e.State
	}
	if len(r.Events) < c.events {
		m.rt.Fatalf("correction %d lost events: %s", c.id, states(r))
	}
	c.events = len(r.Events)
}

// settle ends everything that is wrong, lets days pass, and checks what is left.
func (m *model) settle() {
	m.healAll()
	m.clock.set(0)
	m.off = false
	m.o.still = false
	time.Sleep(30 * time.Second) // virtual: what is under way ends
	m.restart()
	m.pass(15 * time.Minute)
	m.check()
	m.pass(30 * time.Hour)
	m.check()
	for _, c := range m.made {
		r := m.correction(c.id)
		if r.State.Holds() || r.State == correction.Prepared {
			m.rt.Fatalf("correction %d is still %s: %s", c.id, r.State, states(r))
		}
		if _, ok := firstUnknown(r); ok {
			m.sums.uncertain.Add(1)
		}
	}
	var ids []int64
	for _, c := range m.made {
		ids = append(ids, c.id)
	}
	m.compare(ids)
	for _, p := range m.sim.PostLog() {
		m.sums.posts.Add(1)
		if p.Applied {
			m.sums.applied.Add(1)
		}
	}
	for _, kind := range []string{correction.AlarmLate, correction.AlarmLost} {
		for _, id := range ids {
			if len(m.alarms.of(id, kind)) > 0 {
				m.rt.Fatalf("a false alarm of kind %s for correction %d: %s", kind, id, states(m.correction(id)))
			}
		}
	}
	m.verify()
}
