package loadtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// pace is how long an agent is at one order, on average: far fewer look-ups than a
// person may make.
const pace = 4 * time.Second

// done is a correction as its agent saw it come to pass.
type done struct {
	task
	path string
}

// desk is an agent at work.
type desk struct {
	name string
	b    *browser
	rng  *rand.Rand
	todo []task
}

// work is what all agents came to.
type work struct {
	mu    sync.Mutex
	done  []done
	took  []time.Duration // of each confirmation
	slow  []time.Duration // the slowest other answer of each correction
	wrong []error         // answers that were not as they should be
}

func (w *work) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, err)
}

// times returns what was measured since the last call.
func (w *work) times() (confirmations, others []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	confirmations, others = w.took, w.slow
	w.took, w.slow = nil, nil
	return confirmations, others
}

// run corrects one order after the other until the time is over. What was begun is
// finished.
func (d *desk) run(ctx context.Context, until time.Time, w *work) {
	begin := time.Duration(d.rng.Int64N(int64(pace)))
	for failures := 0; len(d.todo) > 0 && failures < 5; {
		if time.Now().Add(begin).After(until) || pause(ctx, begin) != nil {
			return
		}
		start, k := time.Now(), d.todo[0]
		d.todo = d.todo[1:]
		path, confirming, other, err := d.correct(ctx, k)
		w.mu.Lock()
		if confirming > 0 {
			w.took = append(w.took, confirming)
		}
		w.slow = append(w.slow, other)
		if err == nil {
			w.done = append(w.done, done{k, path})
		}
		w.mu.Unlock()
		if err != nil {
			failures++
			w.fail(fmt.Errorf("%s, order %s: %w", d.name, k.order, err))
		}
		begin = max(0, pace/2+time.Duration(d.rng.Int64N(int64(pace)))-time.Since(start))
	}
}

// correct corrects an order as people do: find it, read it, fill the form in, look at the
// sum, submit, confirm and look at what became of it. It returns how long the
// confirmation took, and the slowest of the other answers.
func (d *desk) correct(ctx context.Context, k task) (path string, confirming, other time.Duration, err error) {
	order := "/orders/" + merchant + "/" + k.order
	step := func(what string, a answer, err error, want int) (answer, error) {
		other = max(other, a.took)
		switch {
		case err != nil:
			return a, fmt.Errorf("%s after %s: %w", what, a.took.Round(time.Millisecond), err)
		case a.status != want:
			return a, fmt.Errorf("%s: %d, want %d\n%s", what, a.status, want, words(a.body))
		}
		return a, nil
	}
	get := func(what, path string, want int) (answer, error) {
		a, err := d.b.get(ctx, path)
		return step(what, a, err, want)
	}
	a, err := get("look-up", "/orders?"+url.Values{"sub_mchid": {merchant}, "service_id": {service}, "out_order_no": {k.order}}.Encode(), http.StatusSeeOther)
	if err != nil {
		return "", 0, other, err
	}
	if !strings.HasPrefix(a.location, order) {
		return "", 0, other, fmt.Errorf("look-up leads to %s", a.location)
	}
	if a, err = get("order", order, http.StatusOK); err != nil {
		return "", 0, other, err
	}
	if !strings.Contains(a.body, k.total.Yuan()) {
		return "", 0, other, fmt.Errorf("order: no %s on its page\n%s", k.total.Yuan(), words(a.body))
	}
	if a, err = get("form", order+"/correction", http.StatusOK); err != nil {
		return "", 0, other, err
	}
	form := k.form(a.hidden("base"))
	a, err = d.b.post(ctx, "/corrections/preview", form)
	if a, err = step("preview", a, err, http.StatusOK); err != nil {
		return "", 0, other, err
	}
	a, err = d.b.post(ctx, order+"/correction", form)
	if a, err = step("submit", a, err, http.StatusSeeOther); err != nil {
		return "", 0, other, err
	}
	path = a.location
	if a, err = get("page to confirm", path, http.StatusOK); err != nil {
		return "", 0, other, err
	}
	a, err = d.b.post(ctx, path+"/confirmation", url.Values{"token": {a.hidden("token")}})
	confirming = a.took
	switch {
	case err != nil:
		return path, confirming, other, fmt.Errorf("confirmation after %s: %w", a.took.Round(time.Millisecond), err)
	case a.status != http.StatusSeeOther || a.location != path:
		return path, confirming, other, fmt.Errorf("confirmation: %d to %q\n%s", a.status, a.location, words(a.body))
	}
	if a, err = get("page", path, http.StatusOK); err != nil {
		return path, confirming, other, err
	}
	if a.state() != "Applied" {
		return path, confirming, other, fmt.Errorf("page: %q, want Applied\n%s", a.state(), words(a.body))
	}
	return path, confirming, other, nil
}

// form is what the agent types.
func (k task) form(base string) url.Values {
	v := url.Values{
		"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时"},
		"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"很久"},
		"reason_code": {"complaint"}, "base": {base},
	}
	if len(k.amounts) == 0 {
		v.Set("total_amount", k.first.Yuan())
		return v
	}
	v.Set("post_payments.0.amount", k.first.Yuan())
	v.Set("post_payments.1.amount", k.amounts[1].Yuan())
	return v
}

// comings is how those fared who sign in while others attack, in browsers that are known.
type comings struct {
	mu       sync.Mutex
	took     []time.Duration
	sentAway int
	wrong    []error
}

// comeAndGo signs out and in again.
func (c *comings) comeAndGo(ctx context.Context, b *browser, name string) {
	for pause(ctx, 5*time.Second) == nil {
		start := time.Now()
		n, err := c.once(context.WithoutCancel(ctx), b, name)
		c.mu.Lock()
		c.sentAway += n
		if err != nil {
			c.wrong = append(c.wrong, err)
		} else {
			c.took = append(c.took, time.Since(start))
		}
		c.mu.Unlock()
	}
}

func (c *comings) once(ctx context.Context, b *browser, name string) (sentAway int, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if a, err := b.post(ctx, "/logout", nil); err != nil || a.status != http.StatusSeeOther {
		return 0, fmt.Errorf("sign out %s: %d %w", name, a.status, err)
	}
	return b.signIn(ctx, name, password)
}

// span tells of times: how many, and the middle, nearly the longest and the longest.
type span struct {
	n             int
	p50, p99, max time.Duration
}

func spanOf(times []time.Duration) span {
	if len(times) == 0 {
		return span{}
	}
	all := slices.Sorted(slices.Values(times))
	at := func(percent int) time.Duration { return all[(len(all)*percent+99)/100-1] }
	return span{len(all), at(50), at(99), all[len(all)-1]}
}

func (s span) String() string {
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("%d, p50 %s, p99 %s, at most %s", s.n, ms(s.p50), ms(s.p99), ms(s.max))
}
