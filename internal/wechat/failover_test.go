package wechat_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

const (
	mainHost   = "http://sim"
	backupHost = "http://backup"
)

var bank = correction.Ref{SubMchID: mch, OutOrderNo: orderNo}

// world is a simulator in memory under two names, a gateway that knows both, and
// what came of dialling.
type world struct {
	*simulator.Server
	*wechat.Gateway

	mu       sync.Mutex
	down     map[string]func(context.Context) error // by address: what dialling it comes to
	dialled  []string
	switches []string
}

// refuse, hang and unknown are ways of not being connected.
func refuse(context.Context) error { return syscall.ECONNREFUSED }

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func unknown(context.Context) error { return &net.DNSError{Err: "no such host", IsNotFound: true} }

// inBubble runs f in virtual time. The keys are made outside: they are shared.
func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	if _, err := simulator.SharedKeys(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := simulator.Pipe()
		s, err := simulator.Serve(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		for _, o := range simulator.Samples(time.Now()) {
			s.Put(o)
		}
		w := &world{Server: s, down: map[string]func(context.Context) error{}}
		c := s.Config()
		c.BackupHost = backupHost
		c.Switched = func(host string, onBackup bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.switches = append(w.switches, fmt.Sprint(host, " ", onBackup))
		}
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			w.mu.Lock()
			w.dialled = append(w.dialled, address)
			fail := w.down[address]
			w.mu.Unlock()
			if fail != nil {
				if err := fail(ctx); err != nil {
					return nil, err
				}
			}
			return p.Dial(ctx, network, address)
		}
		w.Gateway = open(t, c)
		f(t, w)
	})
}

func (w *world) breakHost(address string, how func(context.Context) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[address] = how
}

func (w *world) arm(t *testing.T, f simulator.Fault) {
	t.Helper()
	if err := w.Script(f); err != nil {
		t.Fatal(err)
	}
}

// ask queries with the deadline that callers have, and tells how long it took.
func (w *world) ask() (correction.Reading, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	start := time.Now()
	r, err := w.Query(ctx, bank)
	return r, time.Since(start), err
}

func TestQuery_FailsOverWhenTheHostIsNotReached(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how   func(context.Context) error
		takes time.Duration
	}{
		"refused": {refuse, 0}, "no such host": {unknown, 0}, "connecting never ends": {hang, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.breakHost("sim:80", c.how)
				began := time.Now()
				r, took, err := w.ask()
				if err != nil || r.Host != backupHost || r.Order.Total != 9900 || took != c.takes {
					t.Fatalf("%+v after %s, %v", r, took, err)
				}
				h := w.Health()
				if h.Host != backupHost || !h.OnBackup || !h.Since.Equal(began.Add(c.takes)) || !h.LastAnswer.Equal(h.Since) {
					t.Errorf("%+v", h)
				}
				if !h.LastFailure.Equal(h.Since) || h.LastFailureCode != correction.CodeUnreachable {
					t.Errorf("%+v", h)
				}
				if r, took, err = w.ask(); err != nil || took != 0 || r.Host != backupHost {
					t.Errorf("again: %+v after %s, %v", r, took, err)
				}
				if want := []string{"sim:80", "backup:80"}; !slices.Equal(w.dialled, want) || w.Requests() != 2 {
					t.Errorf("dialled %v, %d requests", w.dialled, w.Requests())
				}
				if want := []string{backupHost + " true"}; !slices.Equal(w.switches, want) {
					t.Errorf("switches %v", w.switches)
				}
				// And back, by the same rule.
				w.breakHost("sim:80", nil)
				w.breakHost("backup:80", refuse)
				w.arm(t, simulator.Fault{Kind: simulator.ResetBefore, Call: simulator.CallQuery, Host: "backup"}) // ends the kept connection
				if r, _, err = w.ask(); err != nil || r.Host != "" || w.Health().OnBackup {
					t.Errorf("the other way: %+v, %v", r, err)
				}
			})
		})
	}
}

func TestQuery_FailsOverOnBadTLS(t *testing.T) {
	t.Parallel()
	s := start(t)
	foreign := httptest.NewTLSServer(s)
	defer foreign.Close()
	c := s.Config()
	c.Host, c.BackupHost = foreign.URL, s.URL
	g := open(t, c)
	if r, err := g.Query(context.Background(), bank); err != nil || r.Host != s.URL || !g.Health().OnBackup || s.Requests() != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// The simulator takes no nonce twice, so that it answers shows a new signature.
func TestQuery_FailsOverOnceOnReadTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.arm(t, simulator.Fault{Kind: simulator.TimeoutBefore, Call: simulator.CallQuery, Host: "sim"})
		r, took, err := w.ask()
		if err != nil || r.Host != backupHost || took != 6*time.Second || w.Requests() != 2 {
			t.Fatalf("%+v after %s, %d requests, %v", r, took, w.Requests(), err)
		}
		if _, took, err = w.ask(); err != nil || took != 0 {
			t.Errorf("the backup is the current host: %s, %v", took, err)
		}
		w.arm(t, simulator.Fault{Kind: simulator.TimeoutBefore, Call: simulator.CallQuery, Host: "backup"})
		start := time.Now() // no deadline: each has the whole time of a call
		if r, err = w.Query(context.Background(), bank); err != nil || r.Host != "" || time.Since(start) != wechat.DefaultTimeout {
			t.Errorf("%+v after %s, %v", r, time.Since(start), err)
		}
		w.arm(t, simulator.Fault{Kind: simulator.TimeoutBefore, Call: simulator.CallQuery, Times: 2})
		requests := w.Requests()
		if _, took, err = w.ask(); correction.CodeOf(err) != correction.CodeUnreachable || took != 12*time.Second || w.Requests() != requests+2 {
			t.Errorf("neither answers: %s, %d requests, %v", took, w.Requests()-requests, err)
		}
		if h := w.Health(); h.OnBackup || len(w.switches) != 2 {
			t.Errorf("switched to a host that did not answer: %+v, %v", h, w.switches)
		}
	})
}

func TestQuery_StaysWhereItIsAnswered(t *testing.T) {
	t.Parallel()
	for _, kind := range []simulator.Kind{
		simulator.ErrorBefore, simulator.HTML502Before, simulator.Down503Before, simulator.RateLimited, simulator.SignError, simulator.NoAuth,
		simulator.Garbage, simulator.BadSignature, simulator.HTML403, simulator.Redirect307, simulator.Huge, simulator.Truncated, simulator.ResetBefore,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.arm(t, simulator.Fault{Kind: kind, Call: simulator.CallQuery})
				if _, _, err := w.ask(); err == nil {
					t.Error("no error")
				}
				if w.Health().OnBackup || w.Requests() != 1 || len(w.switches) > 0 {
					t.Errorf("%+v, %d requests", w.Health(), w.Requests())
				}
			})
		})
	}
	inBubble(t, func(t *testing.T, w *world) {
		_, err := w.Query(context.Background(), correction.Ref{SubMchID: mch, OutOrderNo: "none"})
		if h := w.Health(); correction.KindOf(err) != correction.NotFound || h.OnBackup || !h.LastFailure.IsZero() || h.LastAnswer.IsZero() || w.Requests() != 1 {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

func TestQuery_SwitchesOnlyToAnAnswerOfWeChats(t *testing.T) {
	t.Parallel()
	for kind, switches := range map[simulator.Kind]bool{
		simulator.ErrorBefore: true, simulator.RateLimited: true, simulator.SignError: true, simulator.SignedGarbage: true,
		simulator.HTML502Before: false, simulator.HTML403: false, simulator.Garbage: false, simulator.Unsigned: false, simulator.Redirect307: false,
		simulator.ResetBefore: false, simulator.Truncated: false,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.breakHost("sim:80", refuse)
				w.arm(t, simulator.Fault{Kind: kind, Call: simulator.CallQuery, Host: "backup"})
				if _, _, err := w.ask(); err == nil {
					t.Error("no error")
				}
				if w.Health().OnBackup != switches || w.Requests() != 1 {
					t.Errorf("%+v, %d requests", w.Health(), w.Requests())
				}
			})
		})
	}
}

func TestQuery_CallerWhoLeftIsNoFailure(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.arm(t, simulator.Fault{Kind: simulator.TimeoutBefore, Call: simulator.CallQuery})
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		if _, err := w.Query(ctx, bank); correction.CodeOf(err) != correction.CodeUnreachable {
			t.Error(err)
		}
		if h := w.Health(); h.OnBackup || !h.LastFailure.IsZero() || w.Requests() != 1 {
			t.Errorf("%+v, %d requests", h, w.Requests())
		}
	})
}

func TestModify_OnceOnTheHostOfTheLastQuery(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.breakHost("sim:80", refuse)
		if _, _, err := w.ask(); err != nil {
			t.Fatal(err)
		}
		w.breakHost("sim:80", nil) // it could be reached, yet the query was answered by the backup
		w.arm(t, simulator.Fault{Kind: simulator.TimeoutAfter, Call: simulator.CallModify})
		a := modify(w.Gateway, w.Server)
		if a.Class != correction.Uncertain || a.Cause != correction.CauseTimeout || a.Host != backupHost || a.Took != wechat.DefaultTimeout {
			t.Errorf("%+v", a)
		}
		if p := w.PostLog(); len(p) != 1 || p[0].Host != "backup" || !p[0].Applied {
			t.Errorf("%+v", p)
		}
		if h := w.Health(); !h.OnBackup || len(w.switches) != 1 || h.LastFailureCode != correction.CauseTimeout || !h.LastFailure.Equal(time.Now()) {
			t.Errorf("%+v", h)
		}
		w.dialled = nil
		w.breakHost("backup:80", refuse)
		if a = modify(w.Gateway, w.Server); a.Class != correction.NothingSent || a.Host != backupHost || !w.Health().OnBackup {
			t.Errorf("%+v", a)
		}
		if want := []string{"backup:80"}; !slices.Equal(w.dialled, want) || w.Posts(orderNo) != 1 {
			t.Errorf("dialled %v, %d POSTs", w.dialled, w.Posts(orderNo))
		}
		w.breakHost("backup:80", hang) // dialling ends with the call: the bubble waits for it
		if a = modify(w.Gateway, w.Server); a.Class != correction.NothingSent || a.Took != wechat.DefaultTimeout {
			t.Errorf("connecting never ends: %+v", a)
		}
		w.Probe(context.Background())
		w.dialled = nil
		if a = modify(w.Gateway, w.Server); a.Class != correction.Refused || a.Host != "" || !slices.Equal(w.dialled, []string{"sim:80"}) {
			t.Errorf("back on the main host: %+v, dialled %v", a, w.dialled)
		}
		w.arm(t, simulator.Fault{Kind: simulator.SignError, Call: simulator.CallModify})
		modify(w.Gateway, w.Server)
		if h := w.Health(); h.LastFailureCode != correction.CodeBadSettings {
			t.Errorf("%+v", h)
		}
	})
}

func TestProbe_SwitchesAndSwitchesBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		// fails makes the first n of the next connections fail.
		fails := func(n int, how func(context.Context) error) {
			w.breakHost("sim:80", func(ctx context.Context) error {
				w.mu.Lock()
				n--
				failing := n >= 0
				w.mu.Unlock()
				if failing {
					return how(ctx)
				}
				return nil
			})
		}
		for i, c := range []struct {
			failing int
			how     func(context.Context) error
			backup  bool
			takes   time.Duration
		}{
			{2, refuse, false, 0}, {3, refuse, true, 0}, {5, unknown, true, 0}, {2, hang, false, 6 * time.Second}, {0, nil, false, 0},
			{5, hang, true, 15 * time.Second}, {3, hang, true, 9 * time.Second}, {0, nil, false, 0},
		} {
			fails(c.failing, c.how)
			w.dialled = nil
			start := time.Now()
			w.Probe(context.Background())
			h := w.Health()
			if h.OnBackup != c.backup || time.Since(start) != c.takes || (h.Host == backupHost) != c.backup {
				t.Errorf("%d: %+v after %s", i, h, time.Since(start))
			}
			if want := slices.Repeat([]string{"sim:80"}, 5); !slices.Equal(w.dialled, want) {
				t.Errorf("%d: dialled %v", i, w.dialled)
			}
		}
		on, off := backupHost+" true", mainHost+" false"
		if want := []string{on, off, on, off}; !slices.Equal(w.switches, want) {
			t.Errorf("switches %v", w.switches)
		}
		if w.Requests() != 0 || !w.Health().LastAnswer.IsZero() || w.Health().Since.IsZero() {
			t.Errorf("%d requests, %+v", w.Requests(), w.Health())
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		fails(5, hang)
		if w.Probe(ctx); w.Health().OnBackup {
			t.Error("a probe that was broken off switched")
		}
	})
}

func TestProbe_SpeaksTLSAndNeedsABackup(t *testing.T) {
	t.Parallel()
	s := start(t)
	secure := httptest.NewTLSServer(s)
	defer secure.Close()
	c := s.Config()
	c.Host, c.BackupHost = secure.URL, s.URL
	g := open(t, c)
	if g.Probe(context.Background()); !g.Health().OnBackup {
		t.Error("a foreign certificate passes")
	}
	c.CA = x509.NewCertPool()
	c.CA.AddCert(secure.Certificate())
	g = open(t, c)
	if g.Probe(context.Background()); g.Health().OnBackup {
		t.Error("the right certificate does not pass")
	}
	c.BackupHost, c.Dial = "", func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialled without a backup")
		return nil, errors.New("no")
	}
	g = open(t, c)
	g.Probe(context.Background())
	if h := g.Health(); h != (wechat.Health{Host: secure.URL}) {
		t.Errorf("%+v", h)
	}
}

func TestSkew_IsWhatCallAndWholeSecondsDoNotExplain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		for _, c := range []struct{ ahead, slow, want time.Duration }{
			{0, 0, 0}, {time.Second, 0, 0}, {2 * time.Second, 0, time.Second}, {-time.Second, 0, 0}, {-1100 * time.Millisecond, 0, -time.Second},
			{90 * time.Second, 0, 89 * time.Second}, {-90 * time.Second, 0, -89 * time.Second}, {-10 * time.Second, 10 * time.Second, 0},
			{-13 * time.Second, 10 * time.Second, -2 * time.Second}, {4 * time.Second, 10 * time.Second, 3 * time.Second}, {299 * time.Second, 0, 298 * time.Second},
		} {
			w.SetNow(func() time.Time { return time.Now().Add(c.ahead) })
			if c.slow > 0 {
				w.arm(t, simulator.Fault{Kind: simulator.Slow, Call: simulator.CallQuery, Delay: c.slow})
			}
			r, err := w.Query(context.Background(), bank)
			h := w.Health()
			if err != nil || r.Skew != c.want || !h.SkewAt.Equal(time.Now()) {
				t.Errorf("%+v: skew %s, health %+v, %v", c, r.Skew, h, err)
			}
			time.Sleep(time.Hour) // virtual; whole seconds again, and no reading is recent
		}
		time.Sleep(500 * time.Millisecond) // virtual; 0.5 + 0.6 is the next second
		w.SetNow(func() time.Time { return time.Now().Add(600 * time.Millisecond) })
		if r, err := w.Query(context.Background(), bank); err != nil || r.Skew != 0 {
			t.Errorf("within the second: skew %s, %v", r.Skew, err)
		}
		time.Sleep(time.Hour) // virtual
		w.SetNow(func() time.Time { return time.Now().Add(30 * time.Second) })
		if a := modify(w.Gateway, w.Server); a.Class != correction.Accepted || w.Health().Skew != 28500*time.Millisecond {
			t.Errorf("%+v, %+v", a, w.Health())
		}
	})
}

// An answer whose time is too far off is not used, but tells that a clock is wrong.
func TestSkew_HintWithoutUse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		if h := w.Health(); !h.SkewAt.IsZero() {
			t.Errorf("%+v", h)
		}
		w.SetNow(func() time.Time { return time.Now().Add(time.Minute) })
		w.arm(t, simulator.Fault{Kind: simulator.BadSignature, Call: simulator.CallQuery})
		if _, _, err := w.ask(); correction.CodeOf(err) != correction.CodeUnverified {
			t.Error(err)
		}
		if h := w.Health(); !h.SkewAt.IsZero() || h.LastFailureCode != correction.CodeUnverified || !h.LastAnswer.IsZero() {
			t.Errorf("a forged time is believed: %+v", h)
		}
		w.SetNow(time.Now)
		w.arm(t, simulator.Fault{Kind: simulator.OldTimestamp, Call: simulator.CallQuery})
		if _, _, err := w.ask(); correction.CodeOf(err) != correction.CodeUnverified {
			t.Error(err)
		}
		// Its Date says that neither clock is wrong: the answer is an old one.
		if h := w.Health(); h.Skew != 0 || !h.SkewAt.Equal(time.Now()) || !h.SkewUnsigned || h.SkewSure || h.OnBackup {
			t.Errorf("%+v", h)
		}
		w.arm(t, simulator.Fault{Kind: simulator.OldTimestamp, Call: simulator.CallModify})
		if a := modify(w.Gateway, w.Server); a.Class != correction.Uncertain || a.Alarm != correction.AlarmSignature {
			t.Errorf("%+v", a)
		}
	})
}

func TestDial_OnlyWeChatsHosts(t *testing.T) {
	t.Parallel()
	s := start(t)
	backup, _, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stranger, _, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dial := func(g *wechat.Gateway, host string) error {
		conn, err := g.Dial(context.Background(), strings.TrimPrefix(host, "http://"))
		if err == nil {
			conn.Close()
		}
		return err
	}
	c := s.Config()
	alone := open(t, c)
	c.BackupHost = backup
	both := open(t, c)
	for _, x := range []struct {
		name string
		g    *wechat.Gateway
		host string
		ok   bool
	}{
		{"main", alone, s.URL, true}, {"backup unknown", alone, backup, false}, {"main of two", both, s.URL, true}, {"backup", both, backup, true},
		{"stranger", both, stranger, false}, {"other port", both, "127.0.0.1:1", false},
	} {
		if err := dial(x.g, x.host); (err == nil) != x.ok || (err != nil && !strings.Contains(err.Error(), "not a host of WeChat's")) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	c.Host, c.BackupHost = "https://API.example", "http://backup.example"
	g := open(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for address, ok := range map[string]bool{"api.example:443": true, "backup.example:80": true, "api.example:80": false, "backup.example:443": false} {
		if _, err := g.Dial(ctx, address); strings.Contains(err.Error(), "not a host of WeChat's") == ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// One answer with an odd time, well signed, says nothing; nor do two. Three that agree do,
// and so do answers that fail because a clock is wrong, by their Date.
func TestSkew_TheMiddleOfRecentAnswersCounts(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		ask := func(ahead time.Duration) wechat.Health {
			w.SetNow(func() time.Time { return time.Now().Add(ahead) })
			_, _, _ = w.ask()
			time.Sleep(time.Second) // virtual
			return w.Health()
		}
		const odd = 251 * time.Second
		for i := range 2 {
			if h := ask(odd); h.SkewSure {
				t.Errorf("sure after %d answers: %+v", i+1, h)
			}
		}
		for i, ahead := range []time.Duration{0, 0, 0, -odd, 0, odd, odd, 0, 0, 0, -odd, -odd, 0} {
			if h := ask(ahead); i > 0 && (!h.SkewSure || h.Skew != 0 || h.SkewUnsigned) {
				t.Errorf("answer %d: %+v", i, h)
			}
		}
		for i := range 3 {
			if h := ask(odd); (h.Skew == odd-time.Second) != (i == 2) {
				t.Errorf("answer %d of a clock that is off: %+v", i, h)
			}
		}
		time.Sleep(time.Hour) // virtual
		if h := w.Health(); !h.SkewAt.IsZero() || h.SkewSure || h.Skew != 0 {
			t.Errorf("after an hour: %+v", h)
		}
		for _, far := range []time.Duration{400 * time.Second, -400 * time.Second} {
			var h wechat.Health
			for range 3 { // WeChat refuses the signature, and signs nothing itself
				h = ask(far)
			}
			if !h.SkewSure || !h.SkewUnsigned || h.Skew.Abs() < correction.RefuseSkew || h.Skew > 0 != (far > 0) || h.LastFailureCode != correction.CodeBadSettings {
				t.Errorf("%s off: %+v", far, h)
			}
		}
	})
}

// What WeChat's answers show of the settings stays until an answer shows the contrary.
func TestFault_OfTheSettingsStaysUntilAnAnswerShowsTheContrary(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		kind := func(what string, want correction.SettingsKind, code string) {
			t.Helper()
			f := w.Health().Fault
			if f.Kind != want || f.Code != code || want != "" && (f.RequestID == "" && want != correction.WrongKey || !f.At.Equal(time.Now())) {
				t.Errorf("%s: %+v", what, f)
			}
		}
		ask := func(no string) {
			_, _ = w.Query(context.Background(), correction.Ref{SubMchID: bank.SubMchID, ServiceID: bank.ServiceID, OutOrderNo: no})
		}
		answer := func(f simulator.Fault) {
			f.Call = simulator.CallQuery
			w.arm(t, f)
			ask(bank.OutOrderNo)
		}
		ask(bank.OutOrderNo)
		kind("fine", "", "")
		answer(simulator.Fault{Kind: simulator.BadSignature})
		kind("a signature that does not hold", correction.WrongKey, "")
		ask("NONE") // "no such order" is not signed: it shows nothing of the key
		if f := w.Health().Fault; f.Kind != correction.WrongKey {
			t.Errorf("an unsigned answer ends it: %+v", f)
		}
		ask(bank.OutOrderNo)
		kind("a signature that holds", "", "")
		answer(simulator.Fault{Kind: simulator.SignError})
		kind("refused", correction.WrongCredentials, "SIGN_ERROR")
		ask("NONE")
		kind("our signature was accepted", "", "")
		for f, want := range map[simulator.Kind]correction.SettingsKind{simulator.Unsigned: correction.WrongKey, simulator.UnknownSerial: correction.WrongKey, simulator.NoAuth: correction.NoPermission,
			simulator.HTML403: "", simulator.HTML502Before: "", simulator.RateLimited: "", simulator.Garbage: correction.WrongKey, simulator.ErrorBefore: "", simulator.ResetBefore: ""} {
			answer(simulator.Fault{Kind: f})
			if got := w.Health().Fault; got.Kind != want {
				t.Errorf("%s: %+v, want %q", f, got, want)
			}
			ask(bank.OutOrderNo)
			kind("fine again", "", "")
		}
		answer(simulator.Fault{Kind: simulator.OldTimestamp})
		kind("an old answer", "", "")
		w.SetNow(func() time.Time { return time.Now().Add(time.Hour) })
		ask(bank.OutOrderNo) // 401, for the time
		kind("a clock that is off", "", "")
	})
}
