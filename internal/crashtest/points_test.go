package crashtest

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/proctest"
	"correction-console/internal/wechat/simulator"
)

// steps are the places of trust.md §1.4, in their sequence.
var steps = []string{"prepared", "claimed", "reread", "intent", "journal", "post", "answer", "readback", "outcome", "page"}

// behaviour is what WeChat does with the modify call.
type behaviour struct {
	name    string
	kind    simulator.Kind // empty: it answers as it should
	applies bool
	refuses bool // with an error of its own
}

var behaviours = []behaviour{
	{"good", "", true, false},
	{"429", simulator.RateLimited, false, true},
	{"500, not applied", simulator.ErrorBefore, false, false},
	{"500, applied", simulator.ErrorAfter, true, false},
	{"reset before", simulator.ResetBefore, false, false},
	{"reset after", simulator.ResetAfter, true, false},
	{"delayed apply", simulator.DelayedApply, true, false},
	{"hang after applied", simulator.TimeoutAfter, true, false},
	{"garbage 200", simulator.Garbage, false, false},
	{"502 html", simulator.HTML502Before, false, false},
	{"307", simulator.Redirect307, false, false},
	{"busy", simulator.Busy, false, true},
}

// after is what trust.md §1.4 says of a correction whose console crashed at the step, and
// was started again: the state in which it ends, and how often it was posted.
func (b behaviour) after(step string) (end correction.State, posts int) {
	switch step {
	case "prepared":
		return correction.Prepared, 0
	case "claimed", "reread":
		return correction.NotSent, 0
	case "intent", "journal", "post":
		return correction.NotApplied, 0
	}
	switch {
	case b.applies:
		return correction.Applied, 1
	case b.refuses && (step == "outcome" || step == "page"): // before, the answer is lost
		return correction.Rejected, 1
	}
	return correction.NotApplied, 1
}

// cell is one crash.
type cell struct {
	step      string
	does      behaviour
	consoles  int
	resolving bool // it crashes once more, while the correction is resolved
}

func (c cell) String() string {
	text := fmt.Sprintf("crash at %s, %s, %d consoles", c.step, c.does.name, c.consoles)
	if c.resolving {
		text += ", again while resolving"
	}
	return text
}

// errMissed is a crash that did not happen: a query was too slow, or the other console
// was there first.
var errMissed = errors.New("it did not crash there")

// bench is what cells share.
type bench struct {
	w      *proctest.WeChat
	base   *installation // prepared, to be copied
	folder string
	number atomic.Int64
}

// try carries out a cell and returns what is wrong.
func (b *bench) try(c cell) error {
	n := b.number.Add(1)
	order := fmt.Sprintf("C-%d", n)
	if err := b.w.Put(orders(order)...); err != nil {
		return err
	}
	if c.does.kind != "" {
		f := simulator.Fault{Kind: c.does.kind, Call: simulator.CallModify, Order: order, Times: 2, Delay: maxDelay}
		if err := b.w.Fault(f); err != nil {
			return err
		}
	}
	in, err := b.base.copyTo(filepath.Join(b.folder, order))
	if err != nil {
		return err
	}
	if c.consoles == 1 {
		err = b.alone(in, c, order)
	} else {
		err = b.together(in, c, order)
	}
	if err != nil {
		return err
	}
	if c.resolving {
		p, err := in.serve("CONSOLE_CRASH_AT=resolving")
		if err != nil {
			return err
		}
		defer p.kill()
		if err := p.crashed(); err != nil {
			return err
		}
	}
	p, err := in.serve()
	if err != nil {
		return err
	}
	defer p.kill()
	if err := in.settled(30 * time.Second); err != nil {
		return err
	}
	p.kill()
	return b.judge(in, c, order)
}

// crashed waits until a life has ended by itself.
func (p *process) crashed() error {
	select {
	case <-p.Gone:
	case <-time.After(3 * time.Second):
		return errMissed
	}
	if !p.died() {
		return fmt.Errorf("the console ended with %s\n%s", p.Cmd.ProcessState, p.Words())
	}
	return nil
}

// alone prepares and confirms a correction with one console.
func (b *bench) alone(in *installation, c cell, order string) error {
	p, err := in.serve("CONSOLE_CRASH_AT=" + c.step)
	if err != nil {
		return err
	}
	defer p.kill()
	br := in.browser()
	path, err := br.prepare(p.url(), order, opening-1)
	if err == nil {
		var token string
		if token, err = br.token(p.url(), path); err == nil {
			_, err = br.confirm(p.url(), path, token)
		}
	}
	if errors.Is(err, errRefused) {
		return fmt.Errorf("%w: %w", errMissed, err)
	}
	return p.crashed()
}

// together has two consoles serve the folder. Both confirm one correction, and one of
// them another correction of the same order, all at the same time. Whoever comes to the
// step crashes there; what is left goes on.
func (b *bench) together(in *installation, c cell, order string) error {
	env := []string{"CONSOLE_SHARED=1", "CONSOLE_CRASH_AT=" + c.step}
	p, err := in.serve(env...)
	if err != nil {
		return err
	}
	defer p.kill()
	if c.step == "prepared" { // the other one lives
		env = env[:1]
	}
	q, err := in.serve(env...)
	if err != nil {
		return err
	}
	defer q.kill()
	br := in.browser()
	second, err := br.prepare(q.url(), order, opening-2)
	if err != nil {
		return fmt.Errorf("%w: %w", errMissed, err)
	}
	first, err := br.prepare(p.url(), order, opening-1)
	if c.step == "prepared" {
		first = "/corrections/2" // no answer told
	} else if err != nil {
		return fmt.Errorf("%w: %w", errMissed, err)
	}
	var tokens [2]string
	for i, path := range []string{first, second} {
		if tokens[i], err = br.token(q.url(), path); err != nil {
			return fmt.Errorf("%w: %w", errMissed, err)
		}
	}
	var all sync.WaitGroup
	for _, f := range []func(){
		func() { _, _ = br.confirm(p.url(), first, tokens[0]) }, // what comes of it is on record
		func() { _, _ = br.confirm(q.url(), first, tokens[0]) },
		func() { _, _ = br.confirm(q.url(), second, tokens[1]) },
	} {
		all.Go(f)
	}
	all.Wait()
	if c.step == "prepared" {
		return p.crashed()
	}
	if p.died() || q.died() {
		return nil
	}
	if p.crashed() == nil || q.crashed() == nil {
		return nil
	}
	return errMissed
}

// judge compares what a cell left behind with the truth and with the table.
func (b *bench) judge(in *installation, c cell, order string) error {
	r, err := in.record()
	if err != nil {
		return err
	}
	all, err := b.w.Posts()
	if err != nil {
		return err
	}
	posts := slices.DeleteFunc(all, func(p simulator.Post) bool { return p.Order != order })
	t := compare(r, posts)
	switch {
	case t.violations() > 0:
		return fmt.Errorf("%v\n%s", &t, t.details())
	case t.beyond > 0:
		return errMissed
	case c.consoles > 1:
		return nil
	case len(r.facts) != 1:
		return fmt.Errorf("%d corrections are on record", len(r.facts))
	case slices.Index(steps, c.step) > slices.Index(steps, "reread") && !slices.Contains(r.facts[0].states, correction.Sending):
		return errMissed // the order could not be read again, so that it never came to the step
	}
	end, times := c.does.after(c.step)
	if got := r.facts[0].state(); got != end || len(posts) != times {
		return fmt.Errorf("it is %s after %d POSTs, the table says %s after %d: %v", got, len(posts), end, times, r.facts[0].states)
	}
	if applied := times > 0 && c.does.applies; (t.applied == 1) != applied {
		return fmt.Errorf("%d POSTs were applied", t.applied)
	}
	return nil
}

// tryAll carries out cells, some at the same time, and returns how many were wrong.
func (b *bench) tryAll(t *testing.T, cells []cell) (wrong, again int64) {
	slots := make(chan struct{}, figure(t, "CRASH_PARALLEL", 8))
	var missed, bad atomic.Int64
	var all sync.WaitGroup
	for _, c := range cells {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			var err error
			for range 4 {
				if err = b.try(c); !errors.Is(err, errMissed) {
					break
				}
				missed.Add(1)
			}
			if err != nil && bad.Add(1) <= 10 {
				t.Errorf("%v: %v", c, err)
			}
		})
	}
	all.Wait()
	return bad.Load(), missed.Load()
}

func TestCrashPoints_LeaveWhatTheTableSays(t *testing.T) {
	full(t)
	var cells, resolving []cell
	for _, consoles := range []int{1, 2} {
		for _, b := range behaviours {
			for _, s := range steps {
				cells = append(cells, cell{step: s, does: b, consoles: consoles})
			}
			resolving = append(resolving, cell{step: "answer", does: b, consoles: consoles, resolving: true})
		}
	}
	program := must(tagged())(t)
	rounds := figure(t, "CRASH_CELLS", 1)
	var wrong, again, wrong2, again2 int64
	start := time.Now()
	for range rounds {
		w := proctest.StartWeChat(t, simulate)
		b := &bench{w: w, base: install(t, w, program, time.Second), folder: t.TempDir()}
		bad, missed := b.tryAll(t, cells)
		wrong, again = wrong+bad, again+missed
		bad, missed = b.tryAll(t, resolving)
		wrong2, again2 = wrong2+bad, again2+missed
		w.Close()
	}
	fmt.Printf("crash points: %d cells tried, %d wrong (%d steps × %d behaviours × 1 or 2 consoles × %d; %d tried again because nothing crashed), %s\n",
		len(cells)*rounds, wrong, len(steps), len(behaviours), rounds, again, time.Since(start).Round(time.Second))
	fmt.Printf("crash while resolving: %d cells tried, %d wrong (%d tried again)\n", len(resolving)*rounds, wrong2, again2)
}
