package wechat_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

const (
	mch     = "1900021408"
	orderNo = "PB_20261123_0099"
)

func start(t *testing.T) *simulator.Server {
	t.Helper()
	s, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, o := range simulator.Samples(time.Now()) {
		s.Put(o)
	}
	return s
}

func open(t *testing.T, c wechat.Config) *wechat.Gateway {
	t.Helper()
	g, err := wechat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// lowered is a ref and a body that lower the power-bank order to ¥10.00.
func lowered(s *simulator.Server) (correction.Ref, []byte) {
	o, _ := s.Order(mch, orderNo)
	r := correction.Request{
		ServiceID: o.ServiceID, SubMchID: mch, Lines: []correction.Line{o.Lines[0], {Name: "使用时长", Description: "5小时"}},
		Total: 1000, Reason: "经核实设备计费异常，已按实际使用情况调整金额。",
	}
	return correction.Ref{SubMchID: mch, ServiceID: o.ServiceID, OutOrderNo: orderNo}, r.Body()
}

func modify(g *wechat.Gateway, s *simulator.Server) correction.Answer {
	ref, body := lowered(s)
	return g.Modify(context.Background(), ref, body, correction.NewSigning(time.Now()))
}

func modes(s *simulator.Server) map[string]wechat.Config {
	both := s.Config()
	both.PlatformCerts = s.CertConfig().PlatformCerts
	return map[string]wechat.Config{"public key": s.Config(), "certificates": s.CertConfig(), "both": both}
}

func TestGateway_ReadsAndLowersInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"public key", "certificates", "both"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			g := open(t, modes(s)[mode])
			ref, body := lowered(s)
			before, err := g.Query(context.Background(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if o := before.Order; o.Total != 9900 || !o.Completed() || !o.HasTotal || o.Lines[0].HasAmount || before.RequestID == "" || o.SubMchID != mch {
				t.Fatalf("reading %+v", before)
			}
			a := g.Modify(context.Background(), ref, body, correction.NewSigning(time.Now()))
			if a.Class != correction.Accepted || a.Cause != "" || a.Alarm != "" || a.Remote.Status != http.StatusNoContent || a.Remote.RequestID == "" || a.Took <= 0 {
				t.Fatalf("answer %+v", a)
			}
			after, err := g.Query(context.Background(), ref)
			if err != nil || after.Order.Total != 1000 || after.Order.Lines[1].Description != "5小时" || after.Order.Collection.Paying != 1000 {
				t.Fatalf("reading %+v, %v", after, err)
			}
			if got := s.LastBody(orderNo); sha256.Sum256(got) != sha256.Sum256(body) {
				t.Fatalf("sent %s, want %s", got, body)
			}
			if n := s.Posts(orderNo); n != 1 {
				t.Fatalf("%d POSTs", n)
			}
		})
	}
}

// While switching, WeChat may still sign with a certificate.
func TestGateway_BothModesTakeEitherSignature(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := open(t, modes(s)["both"])
	signed := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed = r.Header.Get("Wechatpay-Serial")
		r.Header.Set("Wechatpay-Serial", s.Keys().PlatformSerial())
		s.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	c := modes(s)["both"]
	c.Host = proxy.URL
	ref, _ := lowered(s)
	if _, err := open(t, c).Query(context.Background(), ref); err != nil {
		t.Errorf("signed with the certificate: %v", err)
	}
	if signed != s.Keys().PublicKeyID {
		t.Errorf("asked WeChat to sign with %q", signed)
	}
	if _, err := g.Query(context.Background(), ref); err != nil {
		t.Errorf("signed with the public key: %v", err)
	}
	c = s.Config()
	c.Host = proxy.URL
	if _, err := open(t, c).Query(context.Background(), ref); correction.CodeOf(err) != correction.CodeUnverified {
		t.Errorf("a certificate that is not known: %v", err)
	}
}

func TestModify_EveryAnswerHasItsClass(t *testing.T) {
	t.Parallel()
	type want struct {
		class    correction.Class
		cause    string
		alarm    string
		obstacle correction.Obstacle
		status   int
		code     string
		applied  int
	}
	redirected := func(status int) want {
		return want{class: correction.Uncertain, cause: correction.CauseRedirect, alarm: correction.AlarmRedirect, status: status}
	}
	table := map[simulator.Kind]want{
		simulator.TimeoutBefore: {class: correction.Uncertain, cause: correction.CauseTimeout},
		simulator.TimeoutAfter:  {class: correction.Uncertain, cause: correction.CauseTimeout, applied: 1},
		simulator.ResetBefore:   {class: correction.Uncertain, cause: correction.CauseReset},
		simulator.ResetAfter:    {class: correction.Uncertain, cause: correction.CauseReset, applied: 1},
		simulator.ErrorBefore:   {class: correction.Uncertain, cause: correction.CauseServer, status: 500, code: "SYSTEM_ERROR"},
		simulator.ErrorAfter:    {class: correction.Uncertain, cause: correction.CauseServer, status: 500, code: "SYSTEM_ERROR", applied: 1},
		simulator.HTML502Before: {class: correction.Uncertain, cause: correction.CauseServer, status: 502},
		simulator.HTML502After:  {class: correction.Uncertain, cause: correction.CauseServer, status: 502, applied: 1},
		simulator.Down503Before: {class: correction.Uncertain, cause: correction.CauseServer, status: 503, code: "SERVICE_UNAVAILABLE"},
		simulator.Down503After:  {class: correction.Uncertain, cause: correction.CauseServer, status: 503, code: "SERVICE_UNAVAILABLE", applied: 1},
		simulator.RateLimited:   {class: correction.Refused, cause: correction.CauseRate, status: 429, code: "FREQUENCY_LIMITED"},
		simulator.Busy:          {class: correction.Refused, obstacle: correction.Charging, status: 400, code: "INVALID_REQUEST"},
		simulator.SignError:     {class: correction.Refused, alarm: correction.AlarmAuth, status: 401, code: "SIGN_ERROR"},
		simulator.NoAuth:        {class: correction.Refused, alarm: correction.AlarmAuth, status: 403, code: "NO_AUTH"},
		simulator.PaidBetween:   {class: correction.Refused, status: 400, code: "ORDER_DONE"},
		simulator.LowerBetween:  {class: correction.Refused, status: 400, code: "INVALID_REQUEST"},
		simulator.Unsigned:      {class: correction.Uncertain, cause: correction.CauseSignature, alarm: correction.AlarmSignature, status: 204, applied: 1},
		simulator.BadSignature:  {class: correction.Uncertain, cause: correction.CauseSignature, alarm: correction.AlarmSignature, status: 204, applied: 1},
		simulator.OldTimestamp:  {class: correction.Uncertain, cause: correction.CauseSignature, alarm: correction.AlarmSignature, status: 204, applied: 1},
		simulator.UnknownSerial: {class: correction.Uncertain, cause: correction.CauseSignature, alarm: correction.AlarmSignature, status: 204, applied: 1},
		simulator.Garbage:       {class: correction.Uncertain, cause: correction.CauseSignature, alarm: correction.AlarmSignature, status: 200},
		simulator.SignedGarbage: {class: correction.Accepted, status: 200, applied: 1},
		simulator.Accepted202:   {class: correction.Uncertain, cause: correction.CauseAccepted, status: 202},
		simulator.HTML403:       {class: correction.Uncertain, cause: correction.CauseGarbage, status: 403},
		simulator.Truncated:     {class: correction.Uncertain, cause: correction.CauseReset, status: 200, applied: 1},
		simulator.Huge:          {class: correction.Uncertain, cause: correction.CauseGarbage, status: 200, applied: 1},
		simulator.Slow:          {class: correction.Accepted, status: 204, applied: 1},
		simulator.DelayedApply:  {class: correction.Uncertain, cause: correction.CauseReset},
		simulator.SlowBody:      {class: correction.Uncertain, cause: correction.CauseTimeout, status: 200, applied: 1},
		simulator.LengthLong:    {class: correction.Uncertain, cause: correction.CauseReset, status: 200, applied: 1},
		simulator.LengthShort:   {class: correction.Uncertain, cause: correction.CauseSignature, alarm: correction.AlarmSignature, status: 200, applied: 1},
		simulator.Endless:       {class: correction.Uncertain, cause: correction.CauseGarbage, status: 200, applied: 1},
		simulator.GzipBomb:      {class: correction.Accepted, status: 200, applied: 1}, // signed, and nobody unpacks it
		simulator.OtherOrder:    {class: correction.Accepted, status: 200, applied: 1}, // only a query tells
		simulator.Replayed:      {class: correction.Accepted, status: 200},             // the answer to the query before: only another one tells
		simulator.ClockBehind:   {class: correction.Uncertain, cause: correction.CauseSignature, alarm: correction.AlarmSignature, status: 204, applied: 1},
		simulator.ClockAhead:    {class: correction.Uncertain, cause: correction.CauseSignature, alarm: correction.AlarmSignature, status: 204, applied: 1},
		simulator.Redirect301:   redirected(301), simulator.Redirect302: redirected(302), simulator.Redirect307: redirected(307), simulator.Redirect308: redirected(308),
		simulator.Redirect301Foreign: redirected(301), simulator.Redirect302Foreign: redirected(302),
		simulator.Redirect307Foreign: redirected(307), simulator.Redirect308Foreign: redirected(308),
	}
	for kind, w := range table {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			c := s.Config()
			if kind == simulator.TimeoutBefore || kind == simulator.TimeoutAfter || kind == simulator.SlowBody {
				c.Timeout = 300 * time.Millisecond
			}
			g := open(t, c)
			if _, err := g.Query(context.Background(), bank); err != nil {
				t.Fatal(err)
			}
			if err := s.Script(simulator.Fault{Kind: kind, Call: simulator.CallModify, Order: orderNo}); err != nil {
				t.Fatal(err)
			}
			a := modify(g, s)
			got := want{a.Class, a.Cause, a.Alarm, a.Obstacle, a.Remote.Status, a.Remote.Code, s.Applied(orderNo)}
			if got != w {
				t.Errorf("%+v, want %+v", got, w)
			}
			if n := s.Posts(orderNo); n != 1 {
				t.Errorf("%d POSTs", n)
			}
			if n := s.Requests(); n != 2 {
				t.Errorf("%d requests", n)
			}
			if a.Remote.Code != "" && (a.Remote.Message == "" || a.Remote.RequestID == "") {
				t.Errorf("remote %+v", a.Remote)
			}
		})
	}
	for _, k := range simulator.Kinds() {
		if len(k.ZH) == 0 || len(k.EN) == 0 {
			t.Errorf("%s has no label", k.Kind)
		}
		if _, known := table[k.Kind]; !known && slices.Contains(k.Calls, simulator.CallModify) && !generic(k.Kind) {
			t.Errorf("%s has no row", k.Kind)
		}
	}
}

func generic(k simulator.Kind) bool { return k == simulator.StatusBefore || k == simulator.StatusAfter }

func TestGeneric_AnyStatusAppliedOrNot(t *testing.T) {
	t.Parallel()
	refused, server, garbage := correction.Refused, correction.CauseServer, correction.CauseGarbage
	for _, c := range []struct {
		f     simulator.Fault
		class correction.Class
		cause string
		query string // code of the error of a query
	}{
		{simulator.Fault{Status: 400, Code: "PARAM_ERROR"}, refused, "", correction.CodeRefused},
		{simulator.Fault{Status: 400, Code: "ORDER_CANCELED"}, refused, "", correction.CodeRefused},
		{simulator.Fault{Status: 400, Code: "NEVER_HEARD_OF"}, refused, "", correction.CodeRefused},
		{simulator.Fault{Status: 400, Body: "no JSON"}, "", garbage, correction.CodeUnreadable},
		{simulator.Fault{Status: 400}, "", garbage, correction.CodeUnreadable},
		{simulator.Fault{Status: 401, Code: "SIGN_ERROR"}, refused, "", correction.CodeBadSettings},
		{simulator.Fault{Status: 404, Code: "ORDER_NOT_EXIST"}, refused, "", correction.CodeNotFound},
		{simulator.Fault{Status: 429, Code: "RATELIMIT_EXCEEDED", RetryAfter: "3600"}, refused, correction.CauseRate, correction.CodeRefused},
		{simulator.Fault{Status: 429, Body: "slow down", RetryAfter: "Fri, 31 Dec 1999 23:59:59 GMT"}, "", correction.CauseRate, correction.CodeUnreadable},
		{simulator.Fault{Status: 500, Code: "SYSTEM_ERROR"}, "", server, correction.CodeUnreachable},
		{simulator.Fault{Status: 504, Body: "<html>", RetryAfter: "1"}, "", server, correction.CodeUnreachable},
		{simulator.Fault{Status: 200, Body: "<html>"}, correction.Accepted, "", correction.CodeUnreadable},
		{simulator.Fault{Status: 204}, correction.Accepted, "", correction.CodeUnreadable},
		{simulator.Fault{Status: 206, Body: "{}"}, "", garbage, correction.CodeUnreadable},
		{simulator.Fault{Status: 304}, "", correction.CauseRedirect, correction.CodeUnreadable},
	} {
		for applied, kind := range []simulator.Kind{simulator.StatusBefore, simulator.StatusAfter} {
			s := start(t)
			g := open(t, s.Config())
			c.f.Kind = kind
			for _, call := range []string{simulator.CallModify, simulator.CallQuery} {
				f := c.f
				f.Call = call
				if err := s.Script(f); err != nil {
					t.Fatal(err)
				}
			}
			want := c.class
			if want == "" {
				want = correction.Uncertain
			}
			if a := modify(g, s); a.Class != want || a.Cause != c.cause || a.Remote.Status != c.f.Status || a.Remote.Code != c.f.Code || s.Applied(orderNo) != applied {
				t.Errorf("%+v: %+v, applied %d", c.f, a, s.Applied(orderNo))
			}
			if _, err := g.Query(context.Background(), bank); correction.CodeOf(err) != c.query {
				t.Errorf("%+v: %v", c.f, err)
			}
			if n := s.Requests(); n != 2 {
				t.Errorf("%+v: %d requests", c.f, n)
			}
		}
	}
}

func TestModify_RefusalsOfTheOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := open(t, s.Config())
	for no, w := range map[string]struct {
		obstacle correction.Obstacle
		status   int
		code     string
	}{
		"PB_20261123_0131": {correction.Charging, 400, "INVALID_REQUEST"},
		"PB_20261121_0012": {correction.Deposit, 400, "INVALID_REQUEST"},
		"PB_20261122_0077": {"", 400, "ORDER_DONE"},
		"PB_20261123_0188": {"", 400, "INVALID_ORDER_STATE"},
		"PB_none":          {"", 404, "ORDER_NOT_EXIST"},
	} {
		ref, body := lowered(s)
		ref.OutOrderNo = no
		a := g.Modify(context.Background(), ref, body, correction.NewSigning(time.Now()))
		if a.Class != correction.Refused || a.Obstacle != w.obstacle || a.Remote.Status != w.status || a.Remote.Code != w.code || a.Alarm != "" {
			t.Errorf("%s: %+v, want %+v", no, a, w)
		}
	}
}

func TestModify_SignsWithTheRecordedTimeAndNonce(t *testing.T) {
	t.Parallel()
	s := start(t)
	var header string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Get("Authorization")
		if r.Header.Get("Idempotency-Key") != "" || r.Header.Get("X-Idempotency-Key") != "" {
			t.Error("the request says that it may be repeated")
		}
		s.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	c := s.Config()
	c.Host = proxy.URL
	ref, body := lowered(s)
	sign := correction.Signing{At: time.Now().Add(-2 * time.Minute).Truncate(time.Second), Nonce: strings.Repeat("a1", 16)}
	g := open(t, c)
	if a := g.Modify(context.Background(), ref, body, sign); a.Class != correction.Accepted {
		t.Fatalf("%+v", a)
	}
	for _, want := range []string{`nonce_str="` + sign.Nonce + `"`, `timestamp="` + strconv.FormatInt(sign.At.Unix(), 10) + `"`} {
		if !strings.Contains(header, want) {
			t.Errorf("%s lacks %s", header, want)
		}
	}
	if a := g.Modify(context.Background(), ref, body, sign); a.Class != correction.Refused || a.Alarm != correction.AlarmAuth {
		t.Errorf("the same nonce again: %+v", a)
	}
	sign = correction.Signing{At: time.Now().Add(-6 * time.Minute).Truncate(time.Second), Nonce: strings.Repeat("b2", 16)}
	if a := g.Modify(context.Background(), ref, body, sign); a.Class != correction.Refused || a.Remote.Code != "SIGN_ERROR" {
		t.Errorf("six minutes old: %+v", a)
	}
}

func TestGateway_EveryAllowedCharacterOfAnOrderNumber(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := open(t, s.Config())
	const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-|*"
	base, _ := s.Order(mch, orderNo)
	_, body := lowered(s)
	for i := range all {
		o := base
		o.OutOrderNo = "X" + all[i:i+1] + all[i:i+1] + "9"
		s.Put(o)
		ref := correction.Ref{SubMchID: mch, ServiceID: o.ServiceID, OutOrderNo: o.OutOrderNo}
		if a := g.Modify(context.Background(), ref, body, correction.NewSigning(time.Now())); a.Class != correction.Accepted {
			t.Errorf("%s: %+v", o.OutOrderNo, a)
		}
		if r, err := g.Query(context.Background(), ref); err != nil || r.Order.Total != 1000 || r.Order.OutOrderNo != o.OutOrderNo {
			t.Errorf("%s: %+v, %v", o.OutOrderNo, r, err)
		}
	}
}

func TestQuery_EveryFailureHasItsKind(t *testing.T) {
	t.Parallel()
	type want struct {
		kind   correction.Kind
		code   string
		remote bool
	}
	unreachable, unverified := want{correction.Unavailable, correction.CodeUnreachable, false}, want{correction.Unavailable, correction.CodeUnverified, true}
	unreadable := want{correction.Unavailable, correction.CodeUnreadable, true}
	server := want{correction.Unavailable, correction.CodeUnreachable, true}
	settings := want{correction.Upstream, correction.CodeBadSettings, true}
	table := map[simulator.Kind]want{
		simulator.TimeoutBefore: unreachable, simulator.ResetBefore: unreachable,
		simulator.ErrorBefore: server, simulator.HTML502Before: server, simulator.Down503Before: server, simulator.Truncated: server,
		simulator.RateLimited: {correction.Upstream, correction.CodeRefused, true}, simulator.SignError: settings, simulator.NoAuth: settings,
		simulator.Unsigned: unverified, simulator.BadSignature: unverified, simulator.OldTimestamp: unverified, simulator.UnknownSerial: unverified,
		simulator.Garbage: unverified, simulator.SignedGarbage: unreadable, simulator.OtherOrder: unreadable, simulator.Accepted202: unreadable,
		simulator.HTML403: unreadable, simulator.Huge: unverified, simulator.Endless: unverified, simulator.GzipBomb: unreadable,
		simulator.SlowBody: server, simulator.LengthLong: server, simulator.LengthShort: unverified, simulator.Replayed: {},
		simulator.ClockBehind: unverified, simulator.ClockAhead: unverified,
		simulator.Redirect301: unreadable, simulator.Redirect302: unreadable, simulator.Redirect307: unreadable, simulator.Redirect308: unreadable,
		simulator.Redirect301Foreign: unreadable, simulator.Redirect302Foreign: unreadable, simulator.Redirect307Foreign: unreadable, simulator.Redirect308Foreign: unreadable,
		simulator.PaidBetween: {}, simulator.LowerBetween: {}, simulator.Slow: {},
	}
	for _, k := range simulator.Kinds() {
		w, known := table[k.Kind]
		if !slices.Contains(k.Calls, simulator.CallQuery) || generic(k.Kind) {
			continue
		}
		if !known {
			t.Errorf("%s has no row", k.Kind)
		}
		t.Run(string(k.Kind), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			c := s.Config()
			if k.Kind == simulator.TimeoutBefore || k.Kind == simulator.SlowBody {
				c.Timeout = 300 * time.Millisecond
			}
			ref, _ := lowered(s)
			if _, err := open(t, c).Query(context.Background(), ref); err != nil {
				t.Fatal(err)
			}
			if err := s.Script(simulator.Fault{Kind: k.Kind, Call: simulator.CallQuery}); err != nil {
				t.Fatal(err)
			}
			_, err := open(t, c).Query(context.Background(), ref)
			var e *correction.Error
			if w == (want{}) {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if got := (want{e.Kind, e.Code, e.Remote != nil}); got != w {
				t.Errorf("%+v, want %+v (%v)", got, w, err)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "Wechatpay") {
				t.Errorf("the error repeats headers: %v", err)
			}
			if n := s.Requests(); n != 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
	s := start(t)
	ref, _ := lowered(s)
	ref.SubMchID = "1900021777"
	_, err := open(t, s.Config()).Query(context.Background(), ref)
	var e *correction.Error
	if !errors.As(err, &e) || e.Kind != correction.NotFound || e.Code != correction.CodeNotFound || e.Remote == nil || e.Remote.Code != "ORDER_NOT_EXIST" {
		t.Errorf("another merchant's order: %v", err)
	}
}

// A kept connection that the other side has closed must not make a query fail, and
// the repetition must be signed anew.
func TestQuery_RepeatsOnceOnADeadConnection(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := open(t, s.Config())
	ref, _ := lowered(s)
	if _, err := g.Query(context.Background(), ref); err != nil {
		t.Fatal(err)
	}
	if err := s.Script(simulator.Fault{Kind: simulator.ResetBefore, Call: simulator.CallQuery}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Query(context.Background(), ref); correction.CodeOf(err) != correction.CodeUnreachable {
		t.Fatalf("the reset lasts longer than the repetition: %v", err)
	}
	if n := s.Requests(); n != 3 {
		t.Errorf("%d requests, want 3: one that worked, one on the kept connection, one more", n)
	}
	if _, err := g.Query(context.Background(), ref); err != nil {
		t.Error(err)
	}
}

func TestModify_NothingSentOnlyWhenNoConnectionWasMade(t *testing.T) {
	t.Parallel()
	s := start(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	tls := httptest.NewTLSServer(s)
	defer tls.Close()
	plain := httptest.NewServer(s)
	defer plain.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, never speaks
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, host := range map[string]string{
		"connection refused": "http://" + closed.Addr().String(), "foreign certificate": tls.URL,
		"no TLS": strings.Replace(plain.URL, "http://", "https://", 1), "TLS handshake never ends": "https://" + silent.Addr().String(),
	} {
		c := s.Config()
		c.Host, c.Timeout = host, 500*time.Millisecond
		a := modify(open(t, c), s)
		if a.Class != correction.NothingSent || a.Cause != correction.CauseUnreachable || a.Remote != (correction.Remote{}) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ref, body := lowered(s)
	if a := open(t, s.Config()).Modify(ctx, ref, body, correction.NewSigning(time.Now())); a.Class != correction.NothingSent {
		t.Errorf("cancelled before it began: %+v", a)
	}
	c := s.Config()
	c.Host, c.Timeout = "http://"+silent.Addr().String(), 300*time.Millisecond
	if a := modify(open(t, c), s); a.Class != correction.Uncertain || a.Cause != correction.CauseTimeout {
		t.Errorf("connected, then silence: %+v", a)
	}
	if n := s.Posts(orderNo); n != 0 {
		t.Errorf("%d POSTs", n)
	}

	c = s.Config()
	c.Host, c.CA = tls.URL, x509.NewCertPool()
	c.CA.AddCert(tls.Certificate())
	if a := modify(open(t, c), s); a.Class != correction.Accepted {
		t.Errorf("with the right CA: %+v", a)
	}
}

func TestGateway_FollowsNoRedirectAndNoProxy(t *testing.T) {
	s := start(t)
	var strangers int
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers++ }))
	defer stranger.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, stranger.URL)
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stranger.URL, status)
		}))
		c := s.Config()
		c.Host = redirecting.URL
		g := open(t, c)
		if a := modify(g, s); a.Class != correction.Uncertain || a.Alarm != correction.AlarmRedirect || a.Remote.Status != status {
			t.Errorf("%d: %+v", status, a)
		}
		ref, _ := lowered(s)
		if _, err := g.Query(context.Background(), ref); correction.CodeOf(err) != correction.CodeUnreadable {
			t.Errorf("%d: %v", status, err)
		}
		redirecting.Close()
	}
	// An address that cannot even be read is a redirect all the same.
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://[::1")
		w.WriteHeader(http.StatusFound)
	}))
	defer broken.Close()
	c := s.Config()
	c.Host = broken.URL
	if a := modify(open(t, c), s); a.Alarm != correction.AlarmRedirect || a.Remote.Status != http.StatusFound {
		t.Errorf("an unreadable address: %+v", a)
	}
	// Proxies are never used for loopback hosts: ask for a name that only a proxy knows.
	c.Host, c.Timeout = "http://api.invalid", 2*time.Second
	if a := modify(open(t, c), s); a.Class != correction.NothingSent {
		t.Errorf("%+v", a)
	}
	if strangers != 0 {
		t.Errorf("%d requests went elsewhere", strangers)
	}
}

func TestNew_RefusesIncompleteSettings(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, spoil := range map[string]func(*wechat.Config){
		"host":         func(c *wechat.Config) { c.Host = "api.example.com" },
		"host path":    func(c *wechat.Config) { c.Host = "https://example.com/v3" },
		"host letters": func(c *wechat.Config) { c.Host = "https://微信.example" },
		"no host name": func(c *wechat.Config) { c.Host = "https://:443" },
		"backup":       func(c *wechat.Config) { c.BackupHost = "api2.example.com" },
		"backup path":  func(c *wechat.Config) { c.BackupHost = "https://api2.example.com/v3" },
		"same backup":  func(c *wechat.Config) { c.BackupHost = c.Host },
		"number":       func(c *wechat.Config) { c.MchID = "" },
		"serial":       func(c *wechat.Config) { c.CertSerial = " " },
		"private key":  func(c *wechat.Config) { c.PrivateKey = nil },
		"public key":   func(c *wechat.Config) { c.PublicKey = nil },
		"id":           func(c *wechat.Config) { c.PublicKeyID = "" },
		"no mode":      func(c *wechat.Config) { c.PublicKeyID, c.PublicKey = "", nil },
		"certificates": func(c *wechat.Config) { c.PlatformCerts = []*x509.Certificate{nil} },
		"no RSA key":   func(c *wechat.Config) { c.PlatformCerts = []*x509.Certificate{{}} },
	} {
		c := s.Config()
		spoil(&c)
		if _, err := wechat.New(c); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoad_NamesTheFileInOneLine(t *testing.T) {
	t.Parallel()
	s := start(t)
	dir := t.TempDir()
	if err := s.WriteKeys(dir); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	private, public, cert := at(simulator.PrivateKeyFile), at(simulator.PublicKeyFile), at(simulator.PlatformCertFile)
	key, err := wechat.LoadPrivateKey(private)
	if err != nil || !key.Equal(s.Keys().Merchant) {
		t.Fatalf("private key: %v", err)
	}
	if k, err := wechat.LoadPublicKey(public); err != nil || !k.Equal(&s.Keys().Public.PublicKey) {
		t.Fatalf("public key: %v", err)
	}
	if c, err := wechat.LoadCertificates([]string{cert, cert}); err != nil || len(c) != 2 || !c[0].Equal(s.Keys().PlatformCert) {
		t.Fatalf("certificates: %v", err)
	}
	if _, err := wechat.LoadCA(cert); err != nil {
		t.Fatalf("CA: %v", err)
	}
	write := func(name string, mode os.FileMode, content []byte) string {
		if err := os.WriteFile(at(name), content, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	pemOf, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := write("pkcs1.pem", 0o400, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	if _, err := wechat.LoadPrivateKey(pkcs1); err != nil {
		t.Errorf("PKCS #1: %v", err)
	}
	pipe := at("pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	loaders := map[string]func(string) error{
		"private": func(p string) error { _, err := wechat.LoadPrivateKey(p); return err },
		"public":  func(p string) error { _, err := wechat.LoadPublicKey(p); return err },
		"certs":   func(p string) error { _, err := wechat.LoadCertificates([]string{p}); return err },
		"ca":      func(p string) error { _, err := wechat.LoadCA(p); return err },
	}
	garbage := write("garbage", 0o600, []byte("nothing"))
	broken := write("broken", 0o600, bytes.Replace(pemOf, []byte("MII"), []byte("AAA"), 1))
	for name, load := range loaders {
		for _, path := range []string{at("none"), dir, pipe, garbage, broken} {
			err := load(path)
			if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), path) != 1 {
				t.Errorf("%s %s: %v", name, path, err)
			}
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o620, 0o601} {
		if err := loaders["private"](write("open.pem", mode, pemOf)); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for name, path := range map[string]string{"private": public, "public": private, "certs": public, "ca": private} {
		if loaders[name](path) == nil {
			t.Errorf("%s took %s", name, path)
		}
	}
}
