package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/proctest"
	"correction-console/internal/wechat/simulator"
)

// What goes wrong with WeChat's calls. Busy stands among many: an order that WeChat is
// charging for is left alone by the console for minutes.
var (
	modifyFaults = []simulator.Kind{
		simulator.RateLimited, simulator.ErrorBefore, simulator.ErrorAfter, simulator.ErrorAfter, simulator.ResetBefore, simulator.ResetAfter,
		simulator.ResetAfter, simulator.DelayedApply, simulator.DelayedApply, simulator.DelayedApply, simulator.TimeoutBefore, simulator.TimeoutAfter,
		simulator.Garbage, simulator.SignedGarbage, simulator.HTML502Before, simulator.HTML502After, simulator.Redirect307, simulator.Busy,
		simulator.Slow, simulator.Accepted202, simulator.Truncated, simulator.Unsigned, simulator.BadSignature, simulator.HTML403, simulator.NoAuth,
	}
	queryFaults = []simulator.Kind{
		simulator.RateLimited, simulator.ErrorBefore, simulator.ResetBefore, simulator.TimeoutBefore, simulator.Garbage, simulator.HTML502Before,
		simulator.Slow, simulator.Unsigned, simulator.OtherOrder,
	}
)

const (
	modifyPermille = 700 // of the modify calls get a fault
	queryPermille  = 60
	planned        = 20 // modify calls of an order
)

// loop is a number of kills of one installation.
type loop struct {
	seed      uint64
	kills     int
	processes int // that serve the folder at the same time
	agents    int
	orders    int
	timeout   time.Duration
	faults    []simulator.Kind // of modify calls
	env       []string
}

// lives are the processes that serve at present, one after the other in each place.
type lives struct {
	mu   sync.Mutex
	urls []string      // empty: nobody serves there
	next chan struct{} // closed when that changes
}

func (l *lives) set(i int, url string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.urls[i] = url
	close(l.next)
	l.next = make(chan struct{})
}

// any is a place where somebody serves, or waits for one; all are all of them.
func (l *lives) any(ctx context.Context, r *rand.Rand) (one string, all []string) {
	for ctx.Err() == nil {
		l.mu.Lock()
		next := l.next
		all = nil
		for _, u := range l.urls {
			if u != "" {
				all = append(all, u)
			}
		}
		l.mu.Unlock()
		if len(all) > 0 {
			return all[r.IntN(len(all))], all
		}
		select {
		case <-next:
		case <-ctx.Done():
		}
	}
	return "", nil
}

// order is an order that is corrected again and again.
type order struct {
	no      string
	next    correction.Fen // the last total that was asked for
	asked   int            // how often it was confirmed
	blocked time.Time      // since when nothing can be done with it
}

// book is the orders that the agents choose from.
type book struct {
	w      *proctest.WeChat
	faults []simulator.Kind
	mu     sync.Mutex
	r      *rand.Rand
	opened int
	orders []*order
}

// open puts a new order with the faults of its calls in a place of the book.
func (b *book) open(i int) error {
	b.mu.Lock()
	b.opened++
	o := &order{no: fmt.Sprintf("O-%d", b.opened), next: opening}
	faults := plan(b.r, o.no, b.faults)
	b.mu.Unlock()
	if err := b.w.Put(orders(o.no)...); err != nil {
		return err
	}
	if err := b.w.Fault(faults...); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orders[i] = o
	return nil
}

// plan are the faults of an order's calls, in their sequence.
func plan(r *rand.Rand, no string, kinds []simulator.Kind) []simulator.Fault {
	var all []simulator.Fault
	add := func(call string, calls, permille int, kinds []simulator.Kind) {
		skip := 0
		for range calls {
			if r.IntN(1000) >= permille {
				skip++
				continue
			}
			all = append(all, simulator.Fault{
				Kind: kinds[r.IntN(len(kinds))], Call: call, Order: no, Skip: skip, Delay: maxDelay/2 + time.Duration(r.Int64N(int64(maxDelay/2))),
			})
			skip = 0
		}
	}
	add(simulator.CallModify, planned, modifyPermille, kinds)
	add(simulator.CallQuery, 6*planned, queryPermille, queryFaults)
	return all
}

// ask picks an order and a total that was never asked for.
func (b *book) ask() (i int, o *order, total correction.Fen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i = b.r.IntN(len(b.orders)); b.r.IntN(3) == 0 { // some are wanted by many
		i = b.r.IntN(min(3, len(b.orders)))
	}
	o = b.orders[i]
	o.next -= correction.Fen(1 + b.r.IntN(9))
	return i, o, o.next
}

// went tells how an order went. One that could not be corrected for long is replaced, and
// one that has no more faults to come.
func (b *book) went(i int, o *order, confirmed, refused bool) error {
	b.mu.Lock()
	now := time.Now()
	switch {
	case confirmed:
		o.asked++
		fallthrough
	case !refused:
		o.blocked = time.Time{}
	case o.blocked.IsZero():
		o.blocked = now
	}
	over := o.asked >= planned || !o.blocked.IsZero() && now.Sub(o.blocked) > 3*quiet
	replace := over && b.orders[i] == o
	b.mu.Unlock()
	if !replace {
		return nil
	}
	return b.open(i)
}

// agent corrects orders as a person does, in a hurry.
func agent(ctx context.Context, in *installation, l *lives, b *book, r *rand.Rand) error {
	br := in.browser()
	for ctx.Err() == nil {
		at, _ := l.any(ctx, r)
		if at == "" {
			break
		}
		i, o, total := b.ask()
		path, err := br.prepare(at, o.no, total)
		var token string
		if err == nil {
			token, err = br.token(at, path)
		}
		if err == nil {
			confirm(ctx, l, br, r, path, token)
		}
		if err := b.went(i, o, err == nil, errors.Is(err, errRefused)); err != nil && ctx.Err() == nil {
			return err
		}
		if err != nil {
			select { // killed, or the order is held
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// confirm confirms a correction: twice at the same time now and then, and again when no
// answer came, perhaps in the console's next life.
func confirm(ctx context.Context, l *lives, br *browser, r *rand.Rand, path, token string) {
	at, all := l.any(ctx, r)
	if at == "" {
		return
	}
	var twice sync.WaitGroup
	if r.IntN(6) == 0 || len(all) > 1 && r.IntN(2) == 0 {
		other := all[len(all)-1]
		if other == at {
			other = all[0]
		}
		twice.Go(func() { _, _ = br.confirm(other, path, token) }) // whatever comes of it
	}
	_, err := br.confirm(at, path, token)
	twice.Wait()
	if err != nil && r.IntN(2) == 0 {
		at, _ = l.any(ctx, r)
		_, err = br.confirm(at, path, token)
	}
	if err == nil && r.IntN(10) == 0 {
		_, _ = br.post(at+path+"/check", url.Values{})
	}
}

// round is one installation under way.
type round struct {
	loop
	in      *installation
	w       *proctest.WeChat
	r       *rand.Rand // of the kills
	lives   *lives
	running []*process // one a place
	killed  int
}

// run kills the installation's processes at random and returns what that came to.
func (k loop) run(t *testing.T, program string) tally {
	t.Helper()
	w := proctest.StartWeChat(t, simulate)
	defer w.Close()
	x := &round{
		loop: k, in: install(t, w, program, k.timeout), w: w, r: rand.New(rand.NewPCG(k.seed, 0)),
		lives: &lives{urls: make([]string, k.processes), next: make(chan struct{})}, running: make([]*process, k.processes),
	}
	b := &book{w: w, faults: k.faults, r: rand.New(rand.NewPCG(k.seed, 1)), orders: make([]*order, k.orders)}
	for i := range b.orders {
		if err := b.open(i); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	var agents sync.WaitGroup
	for i := range k.agents {
		r := rand.New(rand.NewPCG(k.seed, uint64(2+i)))
		agents.Go(func() {
			if err := agent(ctx, x.in, x.lives, b, r); err != nil {
				cancel(err)
			}
		})
	}
	err := x.killAll(ctx)
	cancel(err)
	agents.Wait()
	for _, p := range x.running {
		if p != nil {
			p.kill()
		}
	}
	var c tally
	if err == nil {
		c, err = x.judge()
	}
	if err != nil {
		t.Fatalf("seed %d, after %d kills: %v", k.seed, x.killed, err)
	}
	return c
}

// killAll starts and kills until there were enough.
func (x *round) killAll(ctx context.Context) error {
	for i := range x.running {
		if err := x.start(i); err != nil {
			return err
		}
	}
	for x.killed < x.kills {
		life := 50*time.Millisecond + time.Duration(x.r.Int64N(int64(350*time.Millisecond)))
		i := x.r.IntN(x.processes)
		select {
		case <-time.After(life / time.Duration(x.processes)):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-x.running[i].Gone:
			return fmt.Errorf("the console ended by itself: %s\n%s", x.running[i].Cmd.ProcessState, x.running[i].Words())
		}
		x.running[i].kill()
		x.killed++
		x.lives.set(i, "")
		if err := x.start(i); err != nil {
			return err
		}
	}
	return nil
}

// start starts a life. Some are killed before they listen.
func (x *round) start(i int) error {
	env := x.env
	if x.processes > 1 {
		env = append([]string{"CONSOLE_SHARED=1"}, env...)
	}
	for x.r.IntN(12) == 0 {
		p, err := x.in.launch(env...)
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(x.r.Int64N(int64(60 * time.Millisecond))))
		p.kill()
		x.killed++
	}
	p, err := x.in.serve(env...)
	if err != nil {
		return err
	}
	x.running[i] = p
	x.lives.set(i, p.url())
	return nil
}

// judge lets a last life decide what is open and compares.
func (x *round) judge() (c tally, err error) {
	if err := x.w.Disarm(); err != nil {
		return c, err
	}
	p, err := x.in.serve(x.env...)
	if err != nil {
		return c, err
	}
	late := x.in.settled(30 * time.Second) // what stays open is counted below
	if err := p.stop(); err != nil {
		return c, err
	}
	r, err := x.in.record()
	if err != nil {
		return c, err
	}
	posts, err := x.w.Posts()
	if err != nil {
		return c, err
	}
	orders, err := x.w.Orders()
	if err != nil {
		return c, err
	}
	if c = compare(r, posts); c.violations() == 0 {
		c.live(r, orders)
	}
	if out, err := x.in.run("", "verify"); err != nil {
		c.note(&c.damaged, "console verify: %v: %s", err, out)
	}
	if late != nil && c.undecided == 0 {
		return c, late
	}
	return c, nil
}

// seeds are of the environment, so that a run can be tried again; what happens depends
// on the machine, too.
func seed(t *testing.T) uint64 {
	t.Helper()
	if text := os.Getenv("CRASH_SEED"); text != "" {
		return must(strconv.ParseUint(text, 10, 64))(t)
	}
	return uint64(time.Now().UnixNano()) % 1_000_000_000
}

// killsARound bounds a round, so that the truth stays small and the record is judged
// often.
const killsARound = 200

// rounds runs a loop until there were enough kills.
func (k loop) rounds(t *testing.T, program, name string) {
	t.Helper()
	var c tally
	start, first, all := time.Now(), k.seed, k.kills
	for left := all; left > 0; left -= k.kills {
		k.kills = min(left, killsARound)
		one := k.run(t, program)
		if c.add(one); one.violations() > 0 {
			t.Fatalf("%s: %v, seed %d\n%s", name, &one, k.seed, one.details())
		}
		if all > killsARound {
			t.Logf("%d of %d kills: %v", all-left+k.kills, all, &c)
		}
		k.seed++
	}
	fmt.Printf("%s: %d kills, %v, seed %d, %s\n", name, all, &c, first, time.Since(start).Round(time.Second))
	if c.applied == 0 || c.faults == 0 || c.posts*10 < c.corrections {
		t.Errorf("%s tried nothing: %v", name, &c)
	}
}

func usual(t *testing.T) loop {
	return loop{seed: seed(t), kills: figure(t, "CRASH_KILLS", 200), processes: 1, agents: 4, orders: 60, timeout: 150 * time.Millisecond, faults: modifyFaults}
}

func TestRandomKills_LoseNothingSendNothingTwiceTellNothingFalse(t *testing.T) {
	full(t)
	usual(t).rounds(t, must(shipped())(t), "crash loop")
}

// Two consoles on one folder are kept apart by a lock; should it fail, the record's keys
// still arbitrate.
func TestRandomKills_OfTwoConsolesOnOneFolder(t *testing.T) {
	full(t)
	k := usual(t)
	k.kills, k.processes = k.kills/4, 2
	k.rounds(t, must(tagged())(t), "crash loop, two consoles")
}

// plantedKills is how many kills a planted mistake is given at a time.
const plantedKills = 20

// What the loops and the comparison would notice.
func TestRandomKills_CatchEachPlantedMistake(t *testing.T) {
	full(t)
	for _, m := range []struct {
		name      string
		processes int
		faults    []simulator.Kind
		caught    string
		count     func(tally) int
	}{
		{"no_intent", 1, modifyFaults, "lost", func(c tally) int { return c.lost }},
		{"no_quiet", 1, []simulator.Kind{simulator.DelayedApply, simulator.ResetAfter}, "wrong verdicts", func(c tally) int { return c.wrong }},
		{"naive_retry", 1, modifyFaults, "posted twice", func(c tally) int { return c.twice }},
		{"no_cas", 2, modifyFaults, "illegal histories", func(c tally) int { return c.illegal }},
		{"no_send_key", 2, modifyFaults, "posted twice", func(c tally) int { return c.twice }},
	} {
		k := usual(t)
		k.kills, k.processes, k.faults, k.env = plantedKills, m.processes, m.faults, []string{"CONSOLE_PLANT=" + m.name}
		var c tally
		tries := 0
		for ; tries < 8 && m.count(c) == 0; tries++ {
			c.add(k.run(t, must(tagged())(t)))
			k.seed++
		}
		if m.count(c) == 0 {
			t.Errorf("%s was not caught in %d kills: %v", m.name, tries*plantedKills, &c)
			continue
		}
		fmt.Printf("planted: %s caught: %d %s (%d kills, %v)\n", m.name, m.count(c), m.caught, tries*plantedKills, &c)
	}
}
