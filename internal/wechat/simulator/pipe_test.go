package simulator_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

// inMemory starts a simulator in memory, with the sample orders, and a gateway to it.
func inMemory(t *testing.T, change func(*wechat.Config)) (*simulator.Server, *wechat.Gateway) {
	t.Helper()
	s, err := simulator.Serve(simulator.Pipe())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, o := range simulator.Samples(time.Now()) {
		s.Put(o)
	}
	c := s.Config()
	if change != nil {
		change(&c)
	}
	g, err := wechat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, g
}

var meal = correction.Ref{SubMchID: mealMch, ServiceID: mealSvc, OutOrderNo: mealNo}

func arm(t *testing.T, s *simulator.Server, f simulator.Fault) {
	t.Helper()
	if err := s.Script(f); err != nil {
		t.Fatal(err)
	}
}

func TestPipe_TwentySecondsTakeNoTime(t *testing.T) {
	t.Parallel()
	if _, err := simulator.SharedKeys(); err != nil { // outside: it is shared with other tests
		t.Fatal(err)
	}
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		s, g := inMemory(t, nil)
		if r, err := g.Query(t.Context(), meal); err != nil || r.Order.Total != 50000 {
			t.Fatalf("%+v, %v", r, err)
		}
		arm(t, s, simulator.Fault{Kind: simulator.TimeoutAfter, Call: simulator.CallModify})
		start := time.Now()
		a := g.Modify(t.Context(), meal, []byte(encode(t, document())), correction.NewSigning(start))
		if a.Class != correction.Uncertain || a.Cause != correction.CauseTimeout || time.Since(start) != wechat.DefaultTimeout {
			t.Errorf("%+v after %s", a, time.Since(start))
		}
		if r, err := g.Query(t.Context(), meal); err != nil || r.Order.Total != 39900 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("took %s of real time", d)
	}
}

func TestPipe_AppliesLaterInVirtualTime(t *testing.T) {
	t.Parallel()
	if _, err := simulator.SharedKeys(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, g := inMemory(t, nil)
		arm(t, s, simulator.Fault{Kind: simulator.DelayedApply, Call: simulator.CallModify})
		start := time.Now()
		a := g.Modify(t.Context(), meal, []byte(encode(t, document())), correction.NewSigning(start))
		if a.Class != correction.Uncertain || a.Cause != correction.CauseReset || !time.Now().Equal(start) {
			t.Errorf("%+v after %s", a, time.Since(start))
		}
		time.Sleep(simulator.DefaultLater - 1) // virtual
		if s.Applied(mealNo) != 0 {
			t.Error("applied too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		p := s.PostLog()
		if len(p) != 1 || !p[0].Applied || p[0].AppliedAt.Sub(p[0].At) != simulator.DefaultLater || p[0].Fault != simulator.DelayedApply {
			t.Errorf("%+v", p)
		}
		if o, _ := s.Order(mealMch, mealNo); o.Total != 39900 {
			t.Errorf("total %s", o.Total)
		}

		arm(t, s, simulator.Fault{Kind: simulator.DelayedApply, Call: simulator.CallModify, Delay: time.Minute})
		body := document()
		body["post_payments"].([]any)[0].(map[string]any)["amount"], body["total_amount"] = 30100, 30000
		g.Modify(t.Context(), meal, []byte(encode(t, body)), correction.NewSigning(time.Now()))
		s.Close()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := s.Applied(mealNo); n != 1 {
			t.Errorf("applied %d times: it took effect after Close", n)
		}
	})
}

func TestPipe_RefusesOnceClosed(t *testing.T) {
	t.Parallel()
	p := simulator.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Dial(ctx, "tcp", "sim:80"); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody accepts: %v", err)
	}
	p.Close()
	if _, err := p.Dial(context.Background(), "tcp", "sim:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed: %v", err)
	}
	if _, err := p.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}

func TestListen_TwoListenersOneTruth(t *testing.T) {
	t.Parallel()
	s := start(t)
	backup, end, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := s.Config()
	c.Host = backup
	g, err := wechat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if a := g.Modify(context.Background(), meal, []byte(encode(t, document())), correction.NewSigning(time.Now())); a.Class != correction.Accepted {
		t.Fatalf("%+v", a)
	}
	if o, _ := s.Order(mealMch, mealNo); o.Total != 39900 || s.PostLog()[0].Host != backup[len("http://"):] {
		t.Errorf("%+v", s.PostLog())
	}
	arm(t, s, simulator.Fault{Kind: simulator.ErrorBefore, Call: simulator.CallQuery, Host: backup[len("http://"):]})
	main, err := wechat.New(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := main.Query(context.Background(), meal); err != nil {
		t.Errorf("a fault of the other host: %v", err)
	}
	if _, err := g.Query(context.Background(), meal); correction.CodeOf(err) != correction.CodeUnreachable {
		t.Errorf("the host with the fault: %v", err)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Query(context.Background(), meal); correction.CodeOf(err) != correction.CodeUnreachable {
		t.Errorf("a closed listener: %v", err)
	}
	if _, err := main.Query(context.Background(), meal); err != nil {
		t.Errorf("the other listener: %v", err)
	}
	if _, _, err := s.Listen("256.0.0.1:0"); err == nil {
		t.Error("listens on no address")
	}
	for range 50 { // closed before it serves, most of the time
		other, _, err := s.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if _, err := net.Dial("tcp", other[len("http://"):]); err == nil {
			t.Fatal("Close leaves a listener open")
		}
	}
}

func TestPostLog_TellsWhatBecameOfEveryPost(t *testing.T) {
	t.Parallel()
	s := start(t)
	now := time.Now().Truncate(time.Second)
	s.SetNow(func() time.Time { return now })
	body := encode(t, document())
	good := raw{method: "POST", path: modifyPath(mealNo), body: body, at: now}
	forged, broken := good, good
	forged.key, forged.nonce = s.Keys().Platform, "forged"
	broken.body = "{"
	for _, r := range []raw{forged, good, broken} {
		r.do(t, s)
	}
	arm(t, s, simulator.Fault{Kind: simulator.Busy, Call: simulator.CallModify})
	if status, _, _, _ := good.do(t, s); status != http.StatusBadRequest {
		t.Error(status)
	}
	log := s.PostLog()
	if len(log) != 4 {
		t.Fatalf("%+v", log)
	}
	for i, want := range []simulator.Post{
		{Total: 39900}, {Total: 39900, Verified: true, Applied: true, AppliedAt: now}, {Verified: true}, {Total: 39900, Verified: true, Fault: simulator.Busy},
	} {
		p := log[i]
		if p.Order != mealNo || !p.At.Equal(now) || p.Nonce == "" || p.Host != s.URL[len("http://"):] {
			t.Errorf("%d: %+v", i, p)
		}
		if p.Total != want.Total || p.Verified != want.Verified || p.Applied != want.Applied || !p.AppliedAt.Equal(want.AppliedAt) || p.Fault != want.Fault {
			t.Errorf("%d: %+v, want %+v", i, p, want)
		}
	}
	if log[0].Nonce != "forged" || log[0].SHA256 != log[1].SHA256 || log[1].SHA256 == log[2].SHA256 {
		t.Errorf("%+v", log)
	}
}
