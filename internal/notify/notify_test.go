package notify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/notify"
)

const secret = "SEC-not-a-real-one"

var moment = time.Date(2026, 11, 23, 6, 31, 5, 0, time.UTC)

// post is one message as the robot got it.
type post struct {
	query map[string][]string
	kind  string
	body  map[string]any
}

// robot is a chat robot on the loopback range.
type robot struct {
	url   string
	posts chan post
}

// newRobot serves with answer, which is told how many posts came before.
func newRobot(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *robot {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rb := &robot{url: "http://" + l.Addr().String() + "/hook?key=k3y", posts: make(chan post, 100)}
	var mu sync.Mutex
	n := 0
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		p := post{query: r.URL.Query(), kind: r.Header.Get("Content-Type")}
		if err != nil || json.Unmarshal(raw, &p.body) != nil {
			t.Errorf("a body that is no JSON: %q %v", raw, err)
		}
		mu.Lock()
		before := n
		n++
		mu.Unlock()
		rb.posts <- p
		answer(before, w, r)
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return rb
}

func says(text string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// log is a log that tests read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
	on chan string
}

func newLog() *log { return &log{on: make(chan string, 100)} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on <- string(p)
	return l.b.Write(p)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, rb *robot, change func(*notify.Config)) (n *notify.Notifier, out *log, stop func()) {
	t.Helper()
	out = newLog()
	c := notify.Config{
		URL: rb.url, Format: notify.WeCom, Link: "https://console.example.com/approvals", Now: func() time.Time { return moment }, Zone: time.FixedZone("", 8*3600),
		Log: slog.New(slog.NewTextHandler(out, nil)), Gather: time.Millisecond, Retry: time.Millisecond, GiveUp: time.Minute,
		Waiting: func(context.Context) (int, time.Time, error) { return 3, moment.Add(-time.Hour), nil },
	}
	if change != nil {
		change(&c)
	}
	n = notify.New(c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	stop = func() {
		t.Helper()
		cancel()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Error("it does not stop")
		}
	}
	t.Cleanup(stop)
	return n, out, stop
}

var submitted = correction.Correction{
	ID: 10489, AuthorName: "林晓雯", Ref: correction.Ref{OutOrderNo: "YS-ZC-1", SubMchID: "1900022254"}, Base: correction.Order{Total: 31800}, Target: 400,
	Note: "客户的电话", Ticket: "GD-1",
}

func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

func hmacOf(key, message string) string {
	mac := hmac.New(sha256.New, []byte(key))
	io.WriteString(mac, message)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestNotifier_FormatsAndSignatures(t *testing.T) {
	t.Parallel()
	millis := strconv.FormatInt(moment.UnixMilli(), 10)
	seconds := strconv.FormatInt(moment.Unix(), 10)
	for name, x := range map[string]struct {
		format, secret, answer string
		text                   func(map[string]any) any
		check                  func(post) bool
	}{
		"wecom": {notify.WeCom, "", `{"errcode":0,"errmsg":"ok"}`, func(b map[string]any) any { return b["text"].(map[string]any)["content"] },
			func(p post) bool { return p.body["msgtype"] == "text" && len(p.query) == 1 }},
		"dingtalk": {notify.DingTalk, secret, `{"errcode":0,"errmsg":"ok"}`, func(b map[string]any) any { return b["text"].(map[string]any)["content"] },
			func(p post) bool {
				return p.body["msgtype"] == "text" && p.query["timestamp"][0] == millis && p.query["sign"][0] == hmacOf(secret, millis+"\n"+secret)
			}},
		"dingtalk unsigned": {notify.DingTalk, "", `{"errcode":0}`, func(b map[string]any) any { return b["text"].(map[string]any)["content"] },
			func(p post) bool { return len(p.query) == 1 }},
		"feishu": {notify.Feishu, secret, `{"code":0,"msg":"success","data":{}}`, func(b map[string]any) any { return b["content"].(map[string]any)["text"] },
			func(p post) bool {
				return p.body["msg_type"] == "text" && p.body["timestamp"] == seconds && p.body["sign"] == hmacOf(seconds+"\n"+secret, "")
			}},
		"feishu unsigned, older": {notify.Feishu, "", `{"StatusCode":0,"StatusMessage":"success"}`, func(b map[string]any) any { return b["content"].(map[string]any)["text"] },
			func(p post) bool { return p.body["sign"] == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rb := newRobot(t, says(x.answer))
			n, out, stop := start(t, rb, func(c *notify.Config) { c.Format, c.Secret = x.format, x.secret })
			n.Submitted(submitted)
			p := next(t, rb.posts)
			text, _ := x.text(p.body).(string)
			for _, want := range []string{"3 笔", "11-23 13:31", "林晓雯", "#10489", "−¥314.00", "https://console.example.com/approvals"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
			for _, never := range []string{"YS-ZC-1", "1900022254", "电话", "GD-1"} {
				if strings.Contains(text, never) {
					t.Errorf("%q is in\n%s", never, text)
				}
			}
			if !x.check(p) || p.query["key"][0] != "k3y" || p.kind != "application/json; charset=utf-8" {
				t.Errorf("%+v", p)
			}
			stop()
			if text := out.text(); text != "" {
				t.Errorf("it complains: %s", text)
			}
		})
	}
}

// What is not a robot's yes is tried again: other statuses, redirects, codes inside a 200.
func TestNotifier_TriesAgain(t *testing.T) {
	t.Parallel()
	elsewhere := newRobot(t, says(`{"errcode":0}`))
	rb := newRobot(t, func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 0:
			w.WriteHeader(http.StatusBadGateway)
		case 1:
			http.Redirect(w, r, elsewhere.url, http.StatusTemporaryRedirect)
		case 2:
			io.WriteString(w, `{"errcode":45009,"errmsg":"freq out of limit"}`)
		case 3:
			io.WriteString(w, `<html>`)
		case 4:
			io.WriteString(w, `{}`)
		case 5:
			io.WriteString(w, `{"code":19021,"msg":"sign match fail"}`)
		default:
			io.WriteString(w, `{"errcode":0}`)
		}
	})
	n, out, stop := start(t, rb, nil)
	n.Submitted(submitted)
	for range 7 {
		next(t, rb.posts)
	}
	n.Submitted(submitted)
	next(t, rb.posts) // the message before was taken
	stop()
	if got := strings.Count(out.text(), "level=WARN"); got != 6 {
		t.Errorf("%d warnings:\n%s", got, out.text())
	}
	if len(elsewhere.posts) != 0 {
		t.Error("a redirect was followed")
	}
	if strings.Contains(out.text(), "k3y") || strings.Contains(out.text(), "/hook") {
		t.Errorf("the address is in the log:\n%s", out.text())
	}
}

func TestNotifier_GivesUpAndGoesOn(t *testing.T) {
	t.Parallel()
	rb := newRobot(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 3 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		io.WriteString(w, `{"errcode":0}`)
	})
	n, out, _ := start(t, rb, func(c *notify.Config) { c.GiveUp, c.Retry = time.Nanosecond, time.Hour })
	for range 3 {
		n.Submitted(submitted)
		next(t, rb.posts)
		if line := next(t, out.on); !strings.Contains(line, "given up") {
			t.Fatal(line)
		}
	}
	n.Submitted(submitted)
	next(t, rb.posts)
}

// A robot that does not answer holds up nobody: submitting returns at once however many
// wait, what came meanwhile is told in one message, and a stop ends the call.
func TestNotifier_AHangingRobotHoldsUpNobody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	rb := newRobot(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		io.WriteString(w, `{"errcode":0}`)
	})
	n, _, stop := start(t, rb, nil)
	n.Submitted(submitted)
	next(t, rb.posts)
	n.Submitted(submitted)
	next(t, rb.posts) // hangs
	began := time.Now()
	for range 10_000 {
		n.Submitted(submitted)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("10,000 took %s", took)
	}
	stop()
	if len(rb.posts) != 0 {
		t.Error("it went on after the stop")
	}
}

func TestNotifier_OneMessageForSeveral(t *testing.T) {
	t.Parallel()
	rb := newRobot(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		io.WriteString(w, `{"errcode":0}`)
	})
	asked, gate := make(chan struct{}, 10), make(chan struct{}, 10)
	n, _, _ := start(t, rb, func(c *notify.Config) {
		c.Waiting = func(ctx context.Context) (int, time.Time, error) {
			asked <- struct{}{}
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return 2, moment, ctx.Err()
		}
	})
	n.Submitted(submitted)
	next(t, asked)
	second := submitted
	second.ID, second.AuthorName = 10490, "吴思源"
	n.Submitted(second)
	gate <- struct{}{}
	next(t, rb.posts) // fails, without the second
	gate <- struct{}{}
	text := next(t, rb.posts).body["text"].(map[string]any)["content"].(string)
	if !strings.Contains(text, "#10490 吴思源 −¥314.00\n#10489 林晓雯") {
		t.Errorf("not both, the newest first:\n%s", text)
	}
}

func TestNotifier_SaysNothingWhenAllIsDecided(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	rb := newRobot(t, says(`{"errcode":0}`))
	n, _, stop := start(t, rb, func(c *notify.Config) {
		c.Waiting = func(context.Context) (int, time.Time, error) {
			asked <- struct{}{}
			return 0, time.Time{}, nil
		}
	})
	n.Submitted(submitted)
	next(t, asked)
	n.Submitted(submitted)
	next(t, asked)
	stop()
	if len(rb.posts) != 0 {
		t.Error("a message without a reason")
	}
}
