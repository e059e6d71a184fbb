package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"correction-console/internal/proctest"
)

// How much whoever has no session may make the console hold, in KiB of resident memory
// at its peak, while others work.
const mostResident = 300 << 10

// Connections of the attack: as many as one address may have.
const attackers = 32

// Before anybody has signed in, over the console's own TLS and real HTTP/2: streams that
// post nearly all of a body and fall silent, to each address that is open to strangers,
// and streams that ask for pages and take nothing in. Meanwhile somebody signs in, finds
// an order and looks around.
func TestServe_MemoryBeforeSignIn(t *testing.T) {
	env, dir := settings(t)
	pair(t, dir, time.Now().Add(time.Hour))
	r := launch(t, secured(env, dir))
	const password = "a quiet green bicycle"
	for _, args := range [][]string{{"merchant", "add", "1900021408", "溪桥充电宝"}, {"user", "add", "lin", "--role", "agent", "--password-stdin"}} {
		if code, _, msg := execute(t, env, password+"\n", args...); code != 0 {
			t.Fatalf("%v: %s", args, msg)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var attack sync.WaitGroup
	defer attack.Wait()
	defer stop()
	var asked, refused atomic.Int64
	posts := [][2]string{
		{"/login", "username=lin&password=" + strings.Repeat("x", 255<<10)},
		{"/login", "kept=" + strings.Repeat("%E6", 85<<10) + "&username=lin"},
		{"/orders/1900021408/PB_20261123_0099/correction", "note=" + strings.Repeat("x", 255<<10)},
		{"/csp-report", strings.Repeat("x", 255<<10)},
		{"/corrections/preview", strings.Repeat("a=b&", 64<<10)},
		{"/nothing", strings.Repeat("x", 255<<10)},
	}
	for i := range attackers {
		if i%4 == 3 {
			attack.Go(func() { deaf(ctx, r.url, &asked) })
			continue
		}
		var two http.Protocols
		two.SetHTTP2(true)
		client := &http.Client{Transport: &http.Transport{
			Protocols: &two, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, HTTP2: &http.HTTP2Config{StrictMaxConcurrentRequests: true},
		}}
		for j := range 250 {
			post := posts[0]
			if j%2 == 1 {
				post = posts[(j/2)%len(posts)]
			}
			attack.Go(func() {
				for ctx.Err() == nil {
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+post[0], proctest.Silent{Reader: strings.NewReader(post[1]), Context: ctx})
					if err != nil {
						t.Error(err)
						return
					}
					req.ContentLength = 256 << 10
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					req.Header.Set("Sec-Fetch-Site", "same-origin")
					asked.Add(1)
					res, err := client.Do(req)
					if err == nil {
						refused.Add(1)
						res.Body.Close()
					}
				}
			})
		}
	}
	for asked.Load() < attackers*20 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	began := time.Now()
	rounds := 0
	for rounds < 3 || time.Since(began) < 12*time.Second {
		jar := jar(t)
		c := http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		signed := false
		for try := 0; !signed && try < 20; try++ { // strangers among each other may have to wait, as they are told
			req, err := http.NewRequest(http.MethodPost, r.url+"/login", strings.NewReader(url.Values{"username": {"lin"}, "password": {password}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			res, err := c.Do(req)
			if err != nil {
				t.Fatalf("sign in: %v", err)
			}
			res.Body.Close()
			switch {
			case res.StatusCode == http.StatusSeeOther:
				signed = true
			case res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "":
				t.Fatalf("sign in: %d", res.StatusCode)
			default:
				after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
				<-time.After(time.Duration(after) * time.Second)
			}
		}
		if !signed {
			t.Fatal("nobody can sign in")
		}
		for path, want := range map[string]int{"/": 200, "/corrections": 200, "/orders/1900021408/PB_20261123_0099": 404, "/account": 200} {
			res, err := c.Get(r.url + path)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Fatalf("%s: %d while others attack", path, res.StatusCode)
			}
		}
		c.CloseIdleConnections()
		rounds++
	}
	peak := resident(t, r.cmd.Process.Pid, "VmHWM")
	t.Logf("%d rounds; %d requests of the attack, %d answered; resident %d KiB, at the peak %d KiB", rounds, asked.Load(), refused.Load(), resident(t, r.cmd.Process.Pid, "VmRSS"), peak)
	if peak > mostResident {
		t.Errorf("resident memory reached %d KiB, more than %d", peak, mostResident)
	}
	if asked.Load() < attackers*20 {
		t.Error("there was no attack")
	}
}

// resident is a figure of the process, in KiB.
func resident(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("the system does not tell")
	}
	m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in %s", name, text)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// deaf asks for pages on as many streams as it may and lets no byte of an answer in.
func deaf(ctx context.Context, address string, asked *atomic.Int64) {
	for ctx.Err() == nil {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
		conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(address, "https://"))
		if err != nil {
			return
		}
		done := context.AfterFunc(ctx, func() { conn.Close() })
		listenDeaf(conn, asked)
		done()
		conn.Close()
	}
}

// listenDeaf speaks HTTP/2 with a window of nothing until the connection ends.
func listenDeaf(conn net.Conn, asked *atomic.Int64) {
	fmt.Fprint(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, conn)
	if f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) != nil {
		return
	}
	var block bytes.Buffer
	head := hpack.NewEncoder(&block)
	next, open := uint32(1), 0
	ask := func() bool {
		for ; open < 16; open++ {
			block.Reset()
			for _, h := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "127.0.0.1"}, {":path", "/login"}, {"accept-encoding", "gzip"}} {
				head.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
			}
			if f.WriteHeaders(http2.HeadersFrameParam{StreamID: next, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}) != nil {
				return false
			}
			next += 2
			asked.Add(1)
		}
		return true
	}
	for ask() {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() && f.WriteSettingsAck() != nil {
				return
			}
		case *http2.PingFrame:
			if !frame.IsAck() && f.WritePing(true, frame.Data) != nil {
				return
			}
		case *http2.RSTStreamFrame:
			open--
		case *http2.HeadersFrame:
			if frame.StreamEnded() {
				open--
			}
		}
	}
}
