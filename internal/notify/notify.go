// Package notify tells a robot of a work chat (WeCom, DingTalk or Feishu) that
// corrections wait for approval. It never holds up the work: what cannot be told is
// tried again for a while and then given up, with a line in the log.
package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"correction-console/internal/correction"
)

// Formats of robots.
const (
	WeCom    = "wecom"
	DingTalk = "dingtalk"
	Feishu   = "feishu"
)

// Formats lists all formats.
var Formats = []string{WeCom, DingTalk, Feishu}

// Config says whom to tell and how.
type Config struct {
	URL    string // holds a key: never logged
	Format string
	Secret string // signs messages of DingTalk and Feishu; empty: they are not signed
	Link   string // address of the queue of approvals; empty: none
	// Waiting counts what waits for approval now, and tells since when the oldest does.
	Waiting func(context.Context) (count int, oldest time.Time, err error)
	Now     func() time.Time
	Zone    *time.Location
	Log     *slog.Logger

	Timeout time.Duration // of one post; 0 = 10 s
	Gather  time.Duration // between two messages: robots take 20 a minute; 0 = 5 s
	Retry   time.Duration // first wait after a failure, doubled each time up to a minute; 0 = 1 s
	GiveUp  time.Duration // after so long a message is given up; 0 = 15 minutes
}

// Notifier tells a robot. Submitted never blocks; Run does the work.
type Notifier struct {
	c      Config
	client *http.Client
	queue  chan correction.Correction
}

// maxQueue bounds what waits to be told; more than that is only counted by Waiting.
const maxQueue = 64

// maxNamed is how many corrections a message names.
const maxNamed = 5

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// longestWait is between two tries.
const longestWait = time.Minute

// New returns a notifier. Its client follows no redirect and asks no proxy, since both
// would see the key in the address.
func New(c Config) *Notifier {
	or := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	or(&c.Timeout, 10*time.Second)
	or(&c.Gather, 5*time.Second)
	or(&c.Retry, time.Second)
	or(&c.GiveUp, 15*time.Minute)
	return &Notifier{
		c: c, queue: make(chan correction.Correction, maxQueue),
		client: &http.Client{
			Timeout:       c.Timeout,
			Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, TLSHandshakeTimeout: c.Timeout, MaxResponseHeaderBytes: maxAnswer},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Submitted notes a correction that came to wait for approval.
func (n *Notifier) Submitted(c correction.Correction) {
	select {
	case n.queue <- c:
	default: // the next message counts it all the same
	}
}

// Run tells the robot until ctx ends. What is submitted while a message cannot be
// delivered is told with it.
func (n *Notifier) Run(ctx context.Context) {
	for {
		select {
		case c := <-n.queue:
			n.tell(ctx, []correction.Correction{c})
			n.pause(ctx, n.c.Gather)
		case <-ctx.Done():
			return
		}
	}
}

// pause waits; false when ctx ended.
func (n *Notifier) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tell delivers one message about these corrections and all that came meanwhile, or
// gives up.
func (n *Notifier) tell(ctx context.Context, fresh []correction.Correction) {
	began, wait := time.Now(), n.c.Retry
	for ctx.Err() == nil {
		fresh = n.drain(fresh)
		count, oldest, err := n.c.Waiting(ctx)
		if err == nil && count == 0 {
			return // decided in the meantime
		}
		if err == nil {
			err = n.post(ctx, n.text(count, oldest, fresh))
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if time.Since(began)+wait > n.c.GiveUp {
			n.c.Log.Error("webhook given up", "format", n.c.Format, "corrections", len(fresh), "err", err)
			return
		}
		n.c.Log.Warn("webhook", "format", n.c.Format, "again_in", wait.String(), "err", err)
		if !n.pause(ctx, wait) {
			return
		}
		wait = min(2*wait, longestWait)
	}
}

// drain adds what came meanwhile, newest last, and keeps a bounded number.
func (n *Notifier) drain(fresh []correction.Correction) []correction.Correction {
	for {
		select {
		case c := <-n.queue:
			if fresh = append(fresh, c); len(fresh) > maxQueue {
				fresh = fresh[1:]
			}
		default:
			return fresh
		}
	}
}

// text is the message: how many wait, the oldest, who asks for how much, and the link.
// It says nothing about the customer or the order.
func (n *Notifier) text(count int, oldest time.Time, fresh []correction.Correction) string {
	var b strings.Builder
	since := oldest.In(n.c.Zone).Format("01-02 15:04")
	fmt.Fprintf(&b, "改价台：%d 笔改价等待审批，最早 %s 提交。\n%d waiting for approval, the oldest since %s.", count, since, count, since)
	for i := len(fresh) - 1; i >= 0 && i >= len(fresh)-maxNamed; i-- {
		c := fresh[i]
		amount := c.Reduction().Minus()
		if c.Blind() { // those who read this may be the ones to decide
			amount = "金额不显示 / amount hidden"
		}
		fmt.Fprintf(&b, "\n#%d %s %s", c.ID, c.AuthorName, amount)
	}
	if n.c.Link != "" {
		b.WriteString("\n" + n.c.Link)
	}
	return b.String()
}

// body is the message as the robot expects it, and the address to post it to.
func (n *Notifier) body(text string) (address string, body []byte, err error) {
	address = n.c.URL
	now := n.c.Now()
	var v any
	switch n.c.Format {
	case Feishu:
		m := map[string]any{"msg_type": "text", "content": map[string]string{"text": text}}
		if n.c.Secret != "" {
			at := strconv.FormatInt(now.Unix(), 10)
			m["timestamp"], m["sign"] = at, sign(at+"\n"+n.c.Secret, "") // the key is what is signed; the message is empty
		}
		v = m
	case DingTalk, WeCom:
		v = map[string]any{"msgtype": "text", "text": map[string]string{"content": text}}
	default:
		return "", nil, fmt.Errorf("there is no format %q", n.c.Format)
	}
	if n.c.Format == DingTalk && n.c.Secret != "" {
		u, err := url.Parse(address)
		if err != nil {
			return "", nil, errors.New("the address cannot be used")
		}
		at := strconv.FormatInt(now.UnixMilli(), 10)
		q := u.Query()
		q.Set("timestamp", at)
		q.Set("sign", sign(n.c.Secret, at+"\n"+n.c.Secret))
		u.RawQuery = q.Encode()
		address = u.String()
	}
	body, err = json.Marshal(v)
	return address, body, err
}

func sign(key, message string) string {
	mac := hmac.New(sha256.New, []byte(key))
	io.WriteString(mac, message)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// post makes one try. Errors do not name the address.
func (n *Notifier) post(ctx context.Context, text string) error {
	address, body, err := n.body(text)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address cannot be used")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, err := n.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("no answer: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("answer %d", res.StatusCode)
	}
	return accepted(io.LimitReader(res.Body, maxAnswer))
}

// accepted reads the robot's own code, which is inside an answer 200.
func accepted(r io.Reader) error {
	var a struct {
		ErrCode    *int `json:"errcode"` // WeCom, DingTalk
		Code       *int `json:"code"`    // Feishu
		StatusCode *int // Feishu, older
	}
	if err := json.NewDecoder(r).Decode(&a); err != nil {
		return errors.New("an answer that is not a robot's")
	}
	for _, code := range []*int{a.ErrCode, a.Code, a.StatusCode} {
		if code == nil {
			continue
		}
		if *code != 0 {
			return fmt.Errorf("refused with code %d", *code)
		}
		return nil
	}
	return errors.New("an answer without a code")
}
