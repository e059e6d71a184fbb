package loadtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/proctest"
	"correction-console/internal/wechat/simulator"
)

// What must hold for those who work, whatever the others do.
const (
	mostConfirming = time.Second      // for 99 of 100 confirmations
	mostResident   = 300 << 10        // KiB
	mostLog        = 32 << 20         // bytes of the write-ahead log
	mostWaiting    = 30 * time.Second // to sign in, in a browser that is known
	struckWithin   = 15 * time.Second // for figures right after a start
	mostGrown      = 24 << 20         // bytes of the data folder, besides what is on record
	ofEach         = 32 << 10         // bytes, that a correction with all its acts puts there
)

// Under attack. Each bound that is broken is told by itself.
func TestHostileLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	usual := 20
	if inCI() {
		usual = 40
	}
	attack := time.Duration(figure(t, "LOAD_SECONDS", usual)) * time.Second
	calm := min(attack/4, 10*time.Second) // before it, to compare with
	seed := uint64(figure(t, "LOAD_SEED", int(time.Now().UnixNano()&0xffffff)+1))
	records := figure(t, "LOAD_RECORDS", 20_000)
	t.Logf("LOAD_SEED=%d, %s of attack, %d corrections before", seed, attack, records)

	go build() // beside what else is set up
	w, c, folder := proctest.StartWeChat(t, simulate), newCrew(), filepath.Join(t.TempDir(), "data")
	found(t, folder, c)
	fill(t, folder, c, records)
	in := install(t, w, must(build())(t), folder)

	// A first life, in which everybody signs in who has a session when the attack begins,
	// and the agents work undisturbed for a while.
	p := in.serve(t)
	agents := desks(t, p, in, w, c, seed, calm+attack)
	closing := must(newBrowser(p.url(), "198.51.100.99", in.ca))(t)
	late := map[string]*browser{}
	for _, name := range c.Late {
		late[name] = must(newBrowser(p.url(), "198.51.100.98", in.ca))(t)
	}
	hostiles := proctest.StartChild(t, attacks, "1", "nice", "-n", "10") // they would be on machines of their own
	if err := hostiles.Tell(plan{URL: p.url(), CA: in.ca, Seed: seed, Seconds: int(attack / time.Second), Crew: c}); err != nil {
		t.Fatal(err)
	}
	var ready string
	if err := hostiles.Hear(&ready); err != nil {
		t.Fatalf("those who attack do not begin: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute+attack)
	defer cancel()
	var all sync.WaitGroup
	sign := func(b *browser, name string) {
		all.Go(func() {
			if _, err := b.signIn(ctx, name, password); err != nil {
				t.Error(err)
			}
		})
	}
	sign(closing, c.Closing)
	for name, b := range late {
		sign(b, name)
	}
	for _, d := range agents {
		sign(d.b, d.name)
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	at := new(work)
	until := time.Now().Add(calm)
	for _, d := range agents {
		all.Go(func() { d.run(t.Context(), until, at) })
	}
	all.Wait()
	calmTook, calmOthers := at.times()
	calmWrong := len(at.wrong)
	if err := p.stop(90 * time.Second); err != nil {
		t.Fatal(err)
	}

	// Then some in which figures are asked for as soon as it is there, and one under attack.
	before := must(in.size())(t)
	for range 3 {
		p = in.serve(t)
		closing.moved(p.url())
		strike(t, p, in, closing)
		if err := p.stop(90 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	p = in.serve(t)
	closing.moved(p.url())
	for _, b := range late {
		b.moved(p.url())
	}
	for _, d := range agents {
		d.b.moved(p.url())
	}
	seen, watched := new(watch), make(chan struct{})
	watching, unwatch := context.WithCancel(t.Context())
	defer unwatch()
	go func() {
		defer close(watched)
		seen.run(watching, p.Cmd.Process.Pid, folder)
	}()
	others, mine := cpu(), func() float64 {
		return cpuOf(p.Cmd.Process.Pid) + cpuOf(hostiles.PID) + cpuOf(w.PID) + cpuOf(os.Getpid())
	}
	own := mine()
	if err := hostiles.Tell(start{p.url()}); err != nil {
		t.Fatal(err)
	}
	until = time.Now().Add(attack)
	for _, d := range agents {
		all.Go(func() { d.run(t.Context(), until, at) })
	}
	known := new(comings)
	attacked, over := context.WithDeadline(t.Context(), until)
	defer over()
	for name, b := range late {
		all.Go(func() { known.comeAndGo(attacked, b, name) })
	}
	var got report
	if err := hostiles.Hear(&got); err != nil {
		t.Errorf("those who attack did not tell how it went: %v", err)
	}
	consoles, hostile := cpuOf(p.Cmd.Process.Pid), cpuOf(hostiles.PID)
	own = mine() - own
	others = cpu() - others - own
	hostiles.Close()
	all.Wait()
	took, pages := at.times()
	unwatch()
	<-watched

	// What is on record, and what WeChat knows.
	if _, err := closing.signIn(ctx, c.Closing, password); err != nil { // a session ends when nothing is asked for long
		t.Error(err)
	}
	onRecord := readLog(t, closing)
	if err := p.stop(90 * time.Second); err != nil {
		t.Error(err)
	}
	verified, err := in.run("verify")
	if err != nil {
		t.Errorf("verify: %v\n%s", err, verified)
	}
	after := must(in.size())(t)
	compare(t, at.done, must(w.Posts())(t), must(w.Orders())(t), onRecord)

	calmSpan, span := spanOf(calmTook), spanOf(took)
	t.Logf("before the attack: confirmations %s; slowest other answer of a correction %s", calmSpan, spanOf(calmOthers))
	t.Logf("under attack:      confirmations %s; slowest other answer of a correction %s", span, spanOf(pages))
	t.Logf("%d corrections seen to be applied, %d answers that were not as they should be", len(at.done), len(at.wrong))
	t.Logf("sign-ins in known browsers: %s; sent away %d times", spanOf(known.took), known.sentAway)
	t.Logf("memory: resident %d MB under attack, at the peak %d MB (%d looks); write-ahead log at most %.1f MB; the folder grew by %.1f MB",
		seen.resident>>10, seen.peak>>10, seen.looks, float64(seen.wal)/(1<<20), float64(after-before)/(1<<20))
	t.Logf("the attack: %s; %d of %d browsers of a shift in, the last after %s; exports: %d KiB read slowly, %d to their end, %d cut", inWords(got.Answers),
		got.In, shiftBrowsers*got.Shifts, got.Took.Round(time.Second), got.SlowRead>>10, got.Whole, got.Cut)
	t.Logf("seconds of a processor: the console %.0f, those who attack %.0f, all of this test %.0f; everybody else on this machine %.0f", consoles, hostile, own, max(0, others))
	t.Logf("%s", strings.TrimSpace(verified))

	for i, err := range at.wrong {
		if i == 10 {
			t.Errorf("and %d more", len(at.wrong)-i)
			break
		}
		t.Errorf("not as it should be (%d of them before the attack): %v", calmWrong, err)
	}
	bound, why := mostConfirming, ""
	slow := 10 * calmSpan.max
	if inCI() {
		slow = 10 * calmSpan.p99
	}
	if slow > bound { // a slow machine, or something else runs on it
		bound, why = slow, fmt.Sprintf(" (ten times what it took before the attack; %s on a machine that is left alone)", mostConfirming)
	}
	if span.p99 >= bound {
		t.Errorf("99 of 100 confirmations take up to %s under attack, want less than %s%s", span.p99, bound, why)
	}
	if span.n == 0 || inCI() && span.n < int(attack/pace)*len(agents)/2 {
		t.Errorf("only %d confirmations under attack", span.n)
	}
	if seen.peak > mostResident {
		t.Errorf("resident memory reached %d KiB, more than %d", seen.peak, mostResident)
	}
	if seen.looks == 0 {
		t.Error("nobody looked at the memory")
	}
	if seen.wal > mostLog {
		t.Errorf("the write-ahead log reached %d bytes, more than %d", seen.wal, mostLog)
	}
	if room := mostGrown + int64(len(at.done))*ofEach; after-before > room {
		t.Errorf("the data folder grew by %d bytes, more than %d", after-before, room)
	}
	for _, err := range known.wrong {
		t.Errorf("in a browser that is known: %v", err)
	}
	if s := spanOf(known.took); s.n == 0 || s.max > mostWaiting {
		t.Errorf("signing in in browsers that are known: %s, want some within %s", s, mostWaiting)
	}
	for _, text := range got.Wrong {
		if others > own/4 && strings.HasPrefix(text, "shift: ") && strings.Contains(text, "deadline exceeded") {
			continue // there was no time
		}
		t.Errorf("the attack: %s", text)
	}
	minutes := int((attack + time.Minute - 1) / time.Minute)
	for name, n := range got.Lookups {
		if n > 60*minutes {
			t.Errorf("%s looked %d orders up in %s", name, n, attack)
		}
	}
	// An attack that does nothing shows nothing; nor does one that had no time to.
	tooMany, busy := "429", !inCI() && others > own/4
	if busy {
		tooMany = "404"
		t.Logf("this machine does something else: how far the attack came is not judged")
	}
	for what, statuses := range map[string][]string{
		"figures": {"200"}, "export": {"200"}, "silence": nil, "look-up": {"404", tooMany}, "guess": {"404"}, "draft": nil, "failed sign-in": nil, "shift": nil,
	} {
		if got.Answers[what] == nil && what != "silence" { // who is silent may have got no answer at all
			t.Errorf("no answer at all: %s", what)
		}
		for _, s := range statuses {
			if got.Answers[what][s] == 0 {
				t.Errorf("%s was never answered with %s", what, s)
			}
		}
	}
	if got.In == 0 || !busy && got.In != shiftBrowsers*got.Shifts {
		t.Errorf("%d browsers of %d shifts came in, want %d of each", got.In, got.Shifts, shiftBrowsers)
	}
	if got.Cut > 0 {
		t.Errorf("%d exports were cut though they were read", got.Cut)
	}
	if t.Failed() {
		t.Logf("the console said last:\n%s", p.Words())
	}
}

// strike asks for figures of eight periods at once, on eight connections, right after a
// start: nothing of what they need is prepared then. All have to be answered, and so has
// somebody who comes afterwards.
func strike(t *testing.T, p *process, in *installation, who *browser) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), struckWithin)
	defer cancel()
	var warm, all sync.WaitGroup
	begin := make(chan struct{})
	for i := range figuresAtOnce {
		b := must(newBrowser(p.url(), who.from, in.ca))(t)
		b.http.Jar = who.http.Jar
		warm.Add(1)
		all.Go(func() {
			defer b.http.CloseIdleConnections()
			_, err := b.get(ctx, "/healthz")
			warm.Done()
			if err != nil {
				t.Error(err)
				return
			}
			<-begin
			from := time.Now().AddDate(0, 0, -100-i).Format(time.DateOnly)
			if a, err := b.get(ctx, "/insights?from="+from); err != nil || a.status != http.StatusOK {
				t.Errorf("figures right after a start, %d at once: %d %v\n%s", figuresAtOnce, a.status, err, words(a.body))
			}
		})
	}
	warm.Wait()
	close(begin)
	if a, err := who.get(ctx, "/"); err != nil || a.status != http.StatusOK {
		t.Errorf("a page while figures are worked out: %d %v", a.status, err)
	}
	all.Wait()
}

// desks are the agents with their orders, which WeChat knows. Some sit behind the address
// that the attack comes from.
func desks(t *testing.T, p *process, in *installation, w *proctest.WeChat, c crew, seed uint64, d time.Duration) []*desk {
	t.Helper()
	var agents []*desk
	var tasks []task
	each := int(d/pace)*3/2 + 8
	for i, name := range c.Agents {
		from := fmt.Sprintf("198.51.100.%d", 10+i)
		if i >= len(c.Agents)-4 {
			from = hostileAddress
		}
		a := &desk{name: name, b: must(newBrowser(p.url(), from, in.ca))(t), rng: rand.New(rand.NewPCG(seed, uint64(1000+i)))}
		for n := range each {
			a.todo = append(a.todo, newTask(a.rng, fmt.Sprintf("LOAD-%s-%04d", name, n)))
		}
		agents, tasks = append(agents, a), append(tasks, a.todo...)
	}
	for some := range slices.Chunk(tasks, 500) {
		if err := w.Put(orders(some)...); err != nil {
			t.Fatal(err)
		}
	}
	return agents
}

// logged is what an export says of a correction.
type logged struct {
	Kind       string
	OutOrderNo string `json:"out_order_no"`
	State      string
	BaseFen    correction.Fen `json:"base_fen"`
	TargetFen  correction.Fen `json:"target_fen"`
	Rows       int
}

// readLog exports the whole change log and returns what it says of the orders of this
// test.
func readLog(t *testing.T, b *browser) map[string][]logged {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	b.http.Timeout = 0
	a, err := b.get(ctx, "/corrections.jsonl")
	if err != nil || a.status != http.StatusOK {
		t.Errorf("export the record after the attack: %d %v\n%s", a.status, err, words(a.body))
		return nil
	}
	all, n, end := map[string][]logged{}, 0, logged{}
	lines := bufio.NewScanner(strings.NewReader(a.body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l logged
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Errorf("export: %v\n%s", err, lines.Bytes())
			return nil
		}
		switch l.Kind {
		case "end":
			end = l
		case "correction":
			n++
			if strings.HasPrefix(l.OutOrderNo, "LOAD-") {
				all[l.OutOrderNo] = append(all[l.OutOrderNo], l)
			}
		}
	}
	if end.Kind == "" || end.Rows != n {
		t.Errorf("the export has %d rows and says %d", n, end.Rows)
	}
	return all
}

// compare looks whether each correction was sent once, took effect as its agent saw it,
// and is on record so, and whether nothing else was.
func compare(t *testing.T, seen []done, posts []simulator.Post, orders []simulator.Order, onRecord map[string][]logged) {
	t.Helper()
	posted, now := map[string][]simulator.Post{}, map[string]simulator.Order{}
	for _, p := range posts {
		posted[p.Order] = append(posted[p.Order], p)
	}
	for _, o := range orders {
		now[o.OutOrderNo] = o
	}
	wrong := 0
	fault := func(format string, args ...any) {
		if wrong++; wrong <= 10 {
			t.Errorf(format, args...)
		}
	}
	known := map[string]bool{}
	for _, d := range seen {
		known[d.order] = true
		switch p := posted[d.order]; {
		case len(p) != 1:
			fault("order %s was posted %d times", d.order, len(p))
		case !p[0].Applied || p[0].Total != d.target:
			fault("order %s: WeChat was asked for %s and did it: %t; the agent saw %s applied", d.order, p[0].Total, p[0].Applied, d.target)
		case now[d.order].Total != d.target:
			fault("order %s is %s at WeChat, want %s", d.order, now[d.order].Total, d.target)
		}
		if l := onRecord[d.order]; onRecord != nil && (len(l) != 1 || l[0].State != string(correction.Applied) || l[0].BaseFen != d.total || l[0].TargetFen != d.target) {
			fault("order %s, seen to be applied, %s to %s, is on record as %+v", d.order, d.total, d.target, l)
		}
	}
	for order, p := range posted {
		if len(p) > 1 {
			fault("order %s was posted %d times", order, len(p))
		}
		if !known[order] && onRecord != nil && len(onRecord[order]) == 0 {
			fault("order %s was posted and is not on record", order)
		}
	}
	if wrong > 10 {
		t.Errorf("and %d more", wrong-10)
	}
	if len(seen) == 0 {
		t.Error("no correction at all")
	}
}

func inWords(answers map[string]map[string]int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(answers)) {
		var some []string
		for _, kind := range slices.Sorted(maps.Keys(answers[what])) {
			some = append(some, fmt.Sprintf("%s × %d", kind, answers[what][kind]))
		}
		parts = append(parts, what+": "+strings.Join(some, ", "))
	}
	return strings.Join(parts, "; ")
}
