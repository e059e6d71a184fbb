package simulator_test

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

const mealQuery = "/v3/payscore/partner/serviceorder?out_order_no=" + mealNo + "&sub_mchid=" + mealMch

// reached is an answer as it came over the wire, and why reading it ended.
type reached struct {
	*http.Response
	body []byte
	err  error
	took time.Duration
}

// send makes the request on a connection of its own and reads up to limit bytes.
func (r raw) send(t *testing.T, s *simulator.Server, limit int64) reached {
	t.Helper()
	tr := &http.Transport{DialContext: s.Config().Dial, DisableCompression: true, DisableKeepAlives: true}
	start := time.Now()
	res, err := tr.RoundTrip(r.request(t, s))
	if err != nil {
		return reached{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, limit))
	return reached{res, body, err, time.Since(start)}
}

// signed tells how far the signature time is from now, if the signature holds.
func (r reached) signed(t *testing.T, s *simulator.Server) time.Duration {
	t.Helper()
	stamp := r.Header.Get("Wechatpay-Timestamp")
	sum := sha256.Sum256([]byte(stamp + "\n" + r.Header.Get("Wechatpay-Nonce") + "\n" + string(r.body) + "\n"))
	signature, err := base64.StdEncoding.DecodeString(r.Header.Get("Wechatpay-Signature"))
	if err != nil || rsa.VerifyPKCS1v15(&s.Keys().Public.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		t.Errorf("the signature does not hold: %v", r.Header)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		t.Error(err)
	}
	return time.Until(time.Unix(seconds, 0))
}

// Every case is tried with a query, which shows the wire best, in virtual time.
func TestFaults_OnTheWire(t *testing.T) {
	t.Parallel()
	if _, err := simulator.SharedKeys(); err != nil {
		t.Fatal(err)
	}
	whole := func(t *testing.T, s *simulator.Server) int { // length of the good answer
		return len(raw{method: "GET", path: mealQuery}.send(t, s, 1<<20).body)
	}
	for kind, check := range map[simulator.Kind]func(t *testing.T, s *simulator.Server, r reached, length int){
		simulator.SlowBody: func(t *testing.T, s *simulator.Server, r reached, length int) {
			if len(r.body) != length || r.took != time.Duration(length)*time.Second || r.signed(t, s) != -r.took {
				t.Errorf("%d bytes in %s, %v", len(r.body), r.took, r.err)
			}
		},
		simulator.LengthLong: func(t *testing.T, s *simulator.Server, r reached, length int) {
			if len(r.body) != length || int(r.ContentLength) != length+100 || !errors.Is(r.err, io.ErrUnexpectedEOF) || r.signed(t, s) != 0 {
				t.Errorf("%d of %d bytes, %v", len(r.body), r.ContentLength, r.err)
			}
		},
		simulator.LengthShort: func(t *testing.T, _ *simulator.Server, r reached, length int) {
			if len(r.body) != length/2 || int(r.ContentLength) != length/2 || r.err != nil {
				t.Errorf("%d of %d bytes, %v", len(r.body), r.ContentLength, r.err)
			}
		},
		simulator.Endless: func(t *testing.T, _ *simulator.Server, r reached, _ int) {
			if len(r.body) != 8<<20 || r.ContentLength != -1 || r.err != nil {
				t.Errorf("%d of %d bytes, %v", len(r.body), r.ContentLength, r.err)
			}
		},
		simulator.GzipBomb: func(t *testing.T, s *simulator.Server, r reached, _ int) {
			z, err := gzip.NewReader(bytes.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, z)
			if err != nil || n != 256<<20 || len(r.body) > 1<<20 || r.Header.Get("Content-Encoding") != "gzip" || r.signed(t, s) != 0 {
				t.Errorf("%d bytes unpack to %d, %v", len(r.body), n, err)
			}
		},
		simulator.ClockBehind: func(t *testing.T, s *simulator.Server, r reached, _ int) {
			if d := r.signed(t, s); d != -6*time.Minute {
				t.Errorf("signed %s from now", d)
			}
		},
		simulator.ClockAhead: func(t *testing.T, s *simulator.Server, r reached, _ int) {
			if d := r.signed(t, s); d != 6*time.Minute {
				t.Errorf("signed %s from now", d)
			}
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, _ := inMemory(t, nil)
				length := whole(t, s)
				arm(t, s, simulator.Fault{Kind: kind, Call: simulator.CallQuery})
				r := raw{method: "GET", path: mealQuery}.send(t, s, 8<<20)
				if r.Response == nil {
					t.Fatal(r.err)
				}
				check(t, s, r, length)
			})
		})
	}
}

func TestFaults_RedirectsGoSomewhere(t *testing.T) {
	t.Parallel()
	s := start(t)
	for kind, foreign := range map[simulator.Kind]bool{
		simulator.Redirect301: false, simulator.Redirect302: false, simulator.Redirect307: false, simulator.Redirect308: false,
		simulator.Redirect301Foreign: true, simulator.Redirect302Foreign: true, simulator.Redirect307Foreign: true, simulator.Redirect308Foreign: true,
	} {
		arm(t, s, simulator.Fault{Kind: kind, Call: simulator.CallQuery})
		r := raw{method: "GET", path: mealQuery}.send(t, s, 1<<20)
		to, err := r.Location()
		if err != nil || !strings.HasPrefix(string(kind), strconv.Itoa(r.StatusCode)) || (to.Host == r.Request.URL.Host) == foreign {
			t.Errorf("%s: %d to %v, %v", kind, r.StatusCode, to, err)
		}
	}
}

func TestFaults_ReplayedIsWordForWordAndWithoutEffect(t *testing.T) {
	t.Parallel()
	if _, err := simulator.SharedKeys(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, g := inMemory(t, nil)
		query := raw{method: "GET", path: mealQuery}
		modify := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, document())}
		for _, call := range []string{simulator.CallQuery, simulator.CallModify} {
			arm(t, s, simulator.Fault{Kind: simulator.Replayed, Call: call})
		}
		if r := query.send(t, s, 1<<20); r.err == nil {
			t.Errorf("nothing to replay: %d", r.StatusCode)
		}
		if r := modify.send(t, s, 1<<20); r.err == nil {
			t.Errorf("nothing to replay: %d", r.StatusCode)
		}
		first := query.send(t, s, 1<<20)
		time.Sleep(time.Minute) // virtual
		arm(t, s, simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallModify})
		again := modify.send(t, s, 1<<20)
		if again.StatusCode != 200 || !bytes.Equal(again.body, first.body) || again.signed(t, s) != -time.Minute || s.Applied(mealNo) != 0 {
			t.Errorf("%d %s", again.StatusCode, again.body)
		}
		modify.send(t, s, 1<<20)
		arm(t, s, simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallQuery, Times: 2})
		for range 2 {
			time.Sleep(time.Minute)
			again = query.send(t, s, 1<<20)
			if !bytes.Equal(again.body, first.body) || again.Header.Get("Wechatpay-Nonce") != first.Header.Get("Wechatpay-Nonce") || s.Applied(mealNo) != 1 {
				t.Errorf("%s, want %s", again.body, first.body)
			}
		}
		arm(t, s, simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallModify})
		if r := modify.send(t, s, 1<<20); r.StatusCode != 204 || r.signed(t, s) != -2*time.Minute || s.Applied(mealNo) != 1 {
			t.Errorf("an earlier modify call: %d", r.StatusCode)
		}
		// What the gateway makes of it: a verified answer, and a clock that is behind.
		arm(t, s, simulator.Fault{Kind: simulator.Replayed, Call: simulator.CallQuery})
		if r, err := g.Query(t.Context(), meal); err != nil || r.Order.Total != 50000 || r.Skew != -3*time.Minute+time.Second {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestFaults_GenericSaysWhatItIsTold(t *testing.T) {
	t.Parallel()
	s := start(t)
	modify := raw{method: "POST", path: modifyPath(mealNo), body: encode(t, document())}
	arm(t, s, simulator.Fault{Kind: simulator.StatusBefore, Call: simulator.CallModify, Status: 429, Code: "RATELIMIT_EXCEEDED", RetryAfter: "120"})
	r := modify.send(t, s, 1<<20)
	if r.StatusCode != 429 || !strings.Contains(string(r.body), `"RATELIMIT_EXCEEDED"`) || r.Header.Get("Retry-After") != "120" || s.Applied(mealNo) != 0 {
		t.Errorf("%d %s %v", r.StatusCode, r.body, r.Header)
	}
	arm(t, s, simulator.Fault{Kind: simulator.StatusAfter, Call: simulator.CallModify, Status: 504, Body: "<html>"})
	r = modify.send(t, s, 1<<20)
	if r.StatusCode != 504 || string(r.body) != "<html>" || r.Header.Get("Retry-After") != "" || r.Header.Get("Wechatpay-Signature") != "" || s.Applied(mealNo) != 1 {
		t.Errorf("%d %s %v", r.StatusCode, r.body, r.Header)
	}
	if p := s.PostLog(); p[0].Fault != simulator.StatusBefore || p[0].Applied || !p[1].Applied {
		t.Errorf("%+v", p)
	}
	arm(t, s, simulator.Fault{Kind: simulator.StatusBefore, Call: simulator.CallModify, Status: 200, Body: "<html>"})
	if r = modify.send(t, s, 1<<20); r.signed(t, s) < -time.Minute || string(r.body) != "<html>" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// Close and callers who leave end the faults that take time of their own.
func TestFaults_LongOnesEnd(t *testing.T) {
	t.Parallel()
	if _, err := simulator.SharedKeys(); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []simulator.Kind{simulator.SlowBody, simulator.Endless, simulator.Slow} {
		synctest.Test(t, func(t *testing.T) { // fails when a goroutine is left
			s, g := inMemory(t, nil)
			arm(t, s, simulator.Fault{Kind: kind, Call: simulator.CallQuery, Delay: time.Hour, Times: 2})
			if _, err := g.Query(t.Context(), meal); correction.KindOf(err) != correction.Unavailable {
				t.Errorf("%s: %v", kind, err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := g.Query(t.Context(), meal)
				done <- err
			}()
			if kind != simulator.Endless {
				synctest.Wait()
			}
			start := time.Now()
			s.Close()
			if err := <-done; correction.KindOf(err) != correction.Unavailable || !time.Now().Equal(start) {
				t.Errorf("%s, closed: %v", kind, err)
			}
		})
	}
}
