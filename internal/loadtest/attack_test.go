package loadtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"correction-console/internal/proctest"
)

// How much the attack is, each bounded in number and in pace.
const (
	figuresAtOnce  = 8
	silentConns    = 32        // from one address: as many as it may have
	directConns    = 4         // and from this machine, where no address is counted
	silentStreams  = 120       // that each tries to have
	silentPerS     = 60        // posts a second, once each stream has had its first
	silentBody     = 255 << 10 // of 256 KiB
	slowRate       = 1 << 10   // bytes a second that an export is read at
	lookupsAtOnce  = 4
	burst          = 120              // look-ups one after the other
	betweenBursts  = 20 * time.Second // and then a while nothing
	draftsPerS     = 12               // posts of drafts
	mostDrafts     = 864              // a minute
	draftNote      = 60_000           // characters of three bytes, less than a body may have
	shiftBrowsers  = 200              // that sign in at once
	shiftEvery     = 2 * time.Minute  // again
	guessesPerS    = 2                // failed sign-ins
	shiftGrace     = 90 * time.Second // after the attack, for those who are not in yet
	betweenFigures = 500 * time.Millisecond
)

// Addresses of the attack, as the proxy reports them. Some agents share the first with it.
const (
	hostileAddress  = "203.0.113.7"
	figuresAddress  = "203.0.113.20"
	shiftAddresses  = "198.51.100.%d" // from 200 on
	strangerAddress = "203.0.113.%d"  // from 100 on
	directAddress   = "127.0.0.66"    // of connections that come through no proxy
)

// plan is what those who attack are told.
type plan struct {
	URL     string
	CA      []byte
	Seed    uint64
	Seconds int
	Crew    crew
}

// report is what they tell: how many answers of each kind there were, and what was not
// as it should have been.
type report struct {
	Answers  map[string]map[string]int // of what, which
	Lookups  map[string]int            // that were carried out, of each person
	In       int                       // browsers of the shift that came in
	Shifts   int                       // how often it began
	Took     time.Duration             // until the last of a shift was in, the longest
	Whole    int                       // exports that came to their end
	Cut      int                       // those that did not, while they were read
	SlowRead int64                     // bytes
	Wrong    []string
}

// hostile is everybody who attacks.
type hostile struct {
	plan
	mu  sync.Mutex
	got report
}

// start is where the console is when the attack begins.
type start struct{ URL string }

// beHostile signs in those who need it, says so, waits until it is told to begin, attacks
// for a while, and tells how that went.
func beHostile(in io.Reader, out io.Writer) error {
	orders, say := bufio.NewReader(in), json.NewEncoder(out)
	h := &hostile{got: report{Answers: map[string]map[string]int{}, Lookups: map[string]int{}}}
	line, err := orders.ReadBytes('\n')
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, &h.plan); err != nil {
		return err
	}
	inside, err := h.enter()
	if err != nil {
		return err
	}
	if err := say.Encode("ready"); err != nil {
		return err
	}
	if line, err = orders.ReadBytes('\n'); err != nil {
		return err
	}
	var begin start
	if err := json.Unmarshal(line, &begin); err != nil {
		return err
	}
	h.URL = begin.URL
	for _, b := range inside {
		b.moved(h.URL)
	}
	alive, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // who started us is gone
		_, _ = io.Copy(io.Discard, orders)
		cancel()
	}()
	ctx, stop := context.WithTimeout(alive, time.Duration(h.Seconds)*time.Second)
	defer stop()
	var all sync.WaitGroup
	all.Go(func() { h.figures(ctx, inside) })
	for i, name := range h.Crew.Exports {
		all.Go(func() { h.export(ctx, inside[name], i) })
	}
	for i, name := range h.Crew.Hasty {
		all.Go(func() { h.lookUp(ctx, inside[name], name, i == 0) })
	}
	drafts := rate.NewLimiter(draftsPerS, 1)
	for _, name := range h.Crew.Scribblers {
		all.Go(func() { h.scribble(ctx, inside[name], name, drafts) })
	}
	silent := rate.NewLimiter(silentPerS, (silentConns+directConns)*silentStreams)
	for i := range silentConns + directConns {
		all.Go(func() { h.fallSilent(ctx, i >= silentConns, silent) })
	}
	all.Go(func() { h.guess(ctx) })
	all.Go(func() { h.shift(ctx, alive) })
	all.Wait()
	return say.Encode(h.got)
}

// enter signs in everybody who attacks from inside.
func (h *hostile) enter() (map[string]*browser, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	inside := map[string]*browser{}
	for _, some := range [][]string{h.Crew.Figures, h.Crew.Exports, h.Crew.Hasty, h.Crew.Scribblers} {
		for _, name := range some {
			b, err := newBrowser(h.URL, figuresAddress, h.CA)
			if err != nil {
				return nil, err
			}
			b.http.Timeout = time.Minute
			if _, err := b.signIn(ctx, name, password); err != nil {
				return nil, err
			}
			inside[name] = b
		}
	}
	return inside, nil
}

// count notes an answer. What ended because the attack did is none.
func (h *hostile) count(ctx context.Context, what string, status int, err error) {
	kind := fmt.Sprint(status)
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		kind = "no answer"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.got.Answers[what] == nil {
		h.got.Answers[what] = map[string]int{}
	}
	h.got.Answers[what][kind]++
}

func (h *hostile) wrong(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.got.Wrong) < 20 {
		h.got.Wrong = append(h.got.Wrong, fmt.Sprintf(format, args...))
	}
}

func (h *hostile) random(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(h.Seed, stream)) }

// figures asks for those of eight periods at once, again and again.
func (h *hostile) figures(ctx context.Context, inside map[string]*browser) {
	rng := h.random(1)
	for ctx.Err() == nil {
		var all sync.WaitGroup
		for i := range figuresAtOnce {
			b := inside[h.Crew.Figures[i%len(h.Crew.Figures)]]
			to := time.Now().AddDate(0, 0, -1-rng.IntN(30))
			from := to.AddDate(0, 0, -30-rng.IntN(30))
			all.Go(func() {
				a, err := b.get(ctx, "/insights?"+url.Values{"from": {from.Format(time.DateOnly)}, "to": {to.Format(time.DateOnly)}}.Encode())
				h.count(ctx, "figures", a.status, err)
			})
		}
		all.Wait()
		_ = pause(ctx, betweenFigures)
	}
}

// trickle is a connection that is read slowly.
type trickle struct {
	net.Conn
	read *atomic.Int64
	slow *atomic.Bool
}

func (c trickle) Read(p []byte) (int, error) {
	if c.slow.Load() {
		const part = slowRate / 4
		time.Sleep(time.Second / 4)
		if len(p) > part {
			p = p[:part]
		}
	}
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// export reads an export slowly, and asks for a second one beside it.
func (h *hostile) export(ctx context.Context, b *browser, i int) {
	path := []string{"/corrections.csv", "/corrections.xlsx", "/corrections.jsonl", "/corrections.csv?bom=1"}[i%4]
	for ctx.Err() == nil {
		once, cancel := context.WithCancel(ctx)
		go func() { // somebody who only waits for a file is signed out after a while
			for pause(once, time.Minute) == nil {
				_, _ = b.get(once, "/account")
			}
		}()
		h.exportOnce(ctx, b, path)
		cancel()
		_ = pause(ctx, time.Second)
	}
}

func (h *hostile) exportOnce(ctx context.Context, b *browser, path string) {
	var read atomic.Int64
	var slow atomic.Bool
	shared := b.http.Transport.(*http.Transport)
	transport := &http.Transport{
		TLSClientConfig: shared.TLSClientConfig.Clone(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1: all of the connection is this export's
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			return trickle{conn, &read, &slow}, nil
		},
	}
	transport.TLSClientConfig.NextProtos = nil
	defer transport.CloseIdleConnections()
	client := http.Client{Jar: b.http.Jar, Transport: transport, CheckRedirect: b.http.CheckRedirect}
	req, err := b.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		h.wrong("export: %v", err)
		return
	}
	res, err := client.Do(req)
	if err != nil {
		h.count(ctx, "export", 0, err)
		return
	}
	defer res.Body.Close()
	h.count(ctx, "export", res.StatusCode, nil)
	if res.StatusCode != http.StatusOK {
		return
	}
	slow.Store(true)
	begun := make(chan struct{})
	go func() { // a second one of the same person, which is not read either
		defer close(begun)
		second, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		req, err := b.request(second, http.MethodGet, path, nil)
		if err != nil {
			return
		}
		res, err := shared.RoundTrip(withCookies(req, b.http.Jar))
		if err != nil {
			h.count(second, "second export", 0, err)
			return
		}
		h.count(ctx, "second export", res.StatusCode, nil)
		res.Body.Close()
	}()
	_, err = io.Copy(io.Discard, res.Body)
	<-begun
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got.SlowRead += read.Load()
	switch {
	case err == nil:
		h.got.Whole++
	case ctx.Err() == nil:
		h.got.Cut++
	}
}

func withCookies(req *http.Request, jar http.CookieJar) *http.Request {
	for _, c := range jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	return req
}

// lookUp looks up as much as it can, now and then, orders that do not exist. Who guesses
// names no merchant, so that each guess is a question to several.
func (h *hostile) lookUp(ctx context.Context, b *browser, name string, guess bool) {
	var n atomic.Int64
	once := func() {
		v := url.Values{"out_order_no": {fmt.Sprintf("NONE-%s-%d", name, n.Add(1))}}
		what := "guess"
		if !guess {
			what = "look-up"
			v.Set("sub_mchid", merchant)
		}
		a, err := b.get(ctx, "/orders?"+v.Encode())
		h.count(ctx, what, a.status, err)
		switch {
		case err != nil:
		case a.status != http.StatusTooManyRequests:
			h.mu.Lock()
			h.got.Lookups[name]++
			h.mu.Unlock()
		case a.retry <= 0:
			h.wrong("a look-up is refused without a time to wait")
		}
	}
	for ctx.Err() == nil {
		var all sync.WaitGroup
		for range lookupsAtOnce {
			all.Go(func() {
				for i := 0; i < burst/lookupsAtOnce && ctx.Err() == nil; i++ {
					once()
				}
			})
		}
		all.Wait()
		_ = pause(ctx, betweenBursts)
	}
}

// scribble posts large forms of orders that do not exist.
func (h *hostile) scribble(ctx context.Context, b *browser, name string, share *rate.Limiter) {
	note := strings.Repeat("x", 3*draftNote)
	for n := 0; n < mostDrafts*(1+h.Seconds/60) && share.Wait(ctx) == nil; n++ {
		a, err := b.post(ctx, fmt.Sprintf("/orders/%s/NONE-%s-%d/correction", merchant, name, n), url.Values{
			"post_payments.0.name": {"收费标准"}, "total_amount": {"1.00"}, "reason_code": {"complaint"}, "note": {note}, "base": {strings.Repeat("0", 64)},
		})
		h.count(ctx, "draft", a.status, err)
	}
}

// silences are what is sent of a body. A sign-in may carry a form that was kept, and is
// then allowed more.
var silences = []string{
	"username=lin&password=" + strings.Repeat("x", silentBody),
	"kept=" + strings.Repeat("%E6", silentBody/3) + "&username=lin",
}

// fallSilent posts to the sign-in on as many streams of one connection as it may have.
func (h *hostile) fallSilent(ctx context.Context, direct bool, share *rate.Limiter) {
	var dialer net.Dialer
	if direct {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(directAddress)}
	}
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxConnsPerHost: 1, HTTP2: &http.HTTP2Config{StrictMaxConcurrentRequests: true},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it does not care whom it attacks
	}
	defer transport.CloseIdleConnections()
	rng, client := h.random(rand.Uint64()), &http.Client{Transport: transport}
	var all sync.WaitGroup
	for i := range silentStreams {
		wait := time.Second + time.Duration(rng.Int64N(int64(2*time.Second)))
		all.Go(func() {
			for share.Wait(ctx) == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL+"/login", proctest.Silent{Reader: strings.NewReader(silences[i%len(silences)]), Context: ctx})
				if err != nil {
					h.wrong("silence: %v", err)
					return
				}
				req.ContentLength = 256 << 10
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Sec-Fetch-Site", "same-origin")
				if !direct {
					req.Header.Set("X-Forwarded-For", hostileAddress)
				}
				res, err := client.Do(req)
				if err == nil {
					h.count(ctx, "silence", res.StatusCode, nil)
					res.Body.Close()
				} else {
					h.count(ctx, "silence", 0, err)
				}
				_ = pause(ctx, wait)
			}
		})
	}
	all.Wait()
}

// guess signs in with wrong passwords, from three addresses.
func (h *hostile) guess(ctx context.Context) {
	share := rate.NewLimiter(guessesPerS, 1)
	var all sync.WaitGroup
	for i := range 3 {
		b, err := newBrowser(h.URL, fmt.Sprintf(strangerAddress, 100+i), h.CA)
		if err != nil {
			h.wrong("guess: %v", err)
			return
		}
		all.Go(func() {
			for n := 0; share.Wait(ctx) == nil; n++ {
				a, err := b.post(ctx, "/login", url.Values{"username": {fmt.Sprintf("nobody%d-%d", i, n)}, "password": {"a wrong password"}})
				h.count(ctx, "failed sign-in", a.status, err)
				if err == nil && a.status == http.StatusSeeOther {
					h.wrong("a stranger is in")
				}
			}
		})
	}
	all.Wait()
}

// shift signs in 200 browsers of 50 people at once, and again after a while.
func (h *hostile) shift(ctx, alive context.Context) {
	for ctx.Err() == nil {
		start := time.Now()
		grace, cancel := context.WithDeadline(alive, endOf(ctx).Add(shiftGrace))
		var all sync.WaitGroup
		for i := range shiftBrowsers {
			b, err := newBrowser(h.URL, fmt.Sprintf(shiftAddresses, 200+i%4), h.CA)
			if err != nil {
				h.wrong("shift: %v", err)
				break
			}
			all.Go(func() {
				defer b.http.CloseIdleConnections()
				away, err := b.signIn(grace, h.Crew.Shift[i%len(h.Crew.Shift)], password)
				if err != nil {
					h.wrong("shift: %v", err)
				}
				h.mu.Lock()
				defer h.mu.Unlock()
				if h.got.Answers["shift"] == nil {
					h.got.Answers["shift"] = map[string]int{}
				}
				h.got.Answers["shift"]["sent away"] += away
				if err == nil {
					h.got.In++
				}
			})
		}
		all.Wait()
		cancel()
		h.mu.Lock()
		h.got.Shifts++
		h.got.Took = max(h.got.Took, time.Since(start))
		h.mu.Unlock()
		if time.Until(endOf(ctx)) < shiftEvery {
			return
		}
		_ = pause(ctx, shiftEvery-time.Since(start))
	}
}

func endOf(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end
}
