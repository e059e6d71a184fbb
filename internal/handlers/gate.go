package handlers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/web/static"
)

// What everybody may hold of the process at once, so that memory stays bounded whoever
// asks for how much, and nobody takes what others need. Requests are counted from their
// headers to the end of the answer, bytes of a body beyond the first few KiB from when
// they are read. Those who bring a session have shares of their own, and so have browsers
// in which somebody has signed in before: whoever has neither can only take from each other.
const (
	strangersAtOnce  = 512 // requests without a session, files included
	strangerAtOnce   = 256 // of them, from one address; loopback is not bound to it
	sessionsAtOnce   = 2048
	sessionAtOnce    = 256
	knownAtOnce      = 256 // requests of browsers in which somebody has signed in before
	knownEachAtOnce  = 32
	machinesAtOnce   = 128 // /healthz, /readyz, /metrics
	machineAtOnce    = 16
	freeBody         = 10 << 10 // bytes of each body that are not counted: requests are
	strangersInBody  = 6 << 20
	strangerInBody   = 3 << 19
	knownInBody      = 2 << 20
	knownEachInBody  = 512 << 10
	sessionsInBody   = 12 << 20
	sessionInBody    = 1 << 20
	busyAfterSeconds = 5 // what Retry-After says
)

// How long whoever has no session may take for a body and for taking in an answer, and
// for the body while more than half of what they share is taken.
const (
	strangerBody   = 8 * time.Second
	crowdedBody    = 2 * time.Second
	sessionBody    = 15 * time.Second
	strangerAnswer = 15 * time.Second
)

// Refusals of the gate.
var (
	errCrowded = echo.NewHTTPError(http.StatusServiceUnavailable)
	errSlow    = echo.NewHTTPError(http.StatusRequestTimeout)
)

// share is an amount of something that is handed out at once, in all and for one key.
type share struct {
	most, each int
	mu         sync.Mutex
	used       int
	by         map[string]int
}

func newShare(most, each int) *share { return &share{most: most, each: each, by: map[string]int{}} }

// take hands out n, or nothing. An empty key is not counted by itself.
func (s *share) take(key string, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used+n > s.most || key != "" && s.by[key]+n > s.each {
		return false
	}
	s.used += n
	if key != "" {
		s.by[key] += n
	}
	return true
}

func (s *share) give(key string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if key == "" {
		return
	}
	if s.by[key] -= n; s.by[key] <= 0 {
		delete(s.by, key)
	}
}

func (s *share) crowded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used > s.most/2
}

// group is who shares something.
type group struct{ requests, bytes *share }

// gates are the shares of the process.
type gates struct{ strangers, known, sessions, machines group }

func newGates() gates {
	strangers := group{newShare(strangersAtOnce, strangerAtOnce), newShare(strangersInBody, strangerInBody)}
	return gates{
		strangers: strangers,
		known:     group{newShare(knownAtOnce, knownEachAtOnce), newShare(knownInBody, knownEachInBody)},
		sessions:  group{newShare(sessionsAtOnce, sessionAtOnce), newShare(sessionsInBody, sessionInBody)},
		machines:  group{newShare(machinesAtOnce, machineAtOnce), strangers.bytes},
	}
}

// seat is what one request holds.
type seat struct {
	group group
	key   string
	bytes int  // of its body, beyond the free ones
	known bool // whose it is: of a session that lives
}

const seatKey = "seat"

func (p *seat) leave() {
	p.group.bytes.give(p.key, p.bytes)
	p.group.requests.give(p.key, 1)
}

// gate lets a request in if there is room for it. One with the cookie of a session is
// taken at its word for now: seated looks again.
func (s *server) gate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		p := &seat{}
		p.group, p.key = s.withoutSession(c)
		switch path := r.URL.Path; {
		case path == "/healthz" || path == "/readyz" || path == metricsPath:
			p.group, p.key = s.gates.machines, s.strangerKey(c)
		default:
			if bearer := s.Sessions.Bearer(r); bearer != "" && !isFile(path) {
				p.group, p.key = s.gates.sessions, bearer
			}
		}
		if !p.group.requests.take(p.key, 1) {
			return s.crowded(c)
		}
		defer p.leave()
		c.Set(seatKey, p)
		out := c.Response()
		out.Before(func() {
			if !p.known {
				_ = http.NewResponseController(out.Writer).SetWriteDeadline(time.Now().Add(strangerAnswer)) // not every writer of a test has one
			}
		})
		return next(c)
	}
}

// withoutSession is what a request without a session shares, and for whom it counts.
func (s *server) withoutSession(c echo.Context) (group, string) {
	if browser := s.SignIn.KnownBrowser(s.Sessions.KnownCookie(c.Request())); browser != "" {
		return s.gates.known, browser
	}
	return s.gates.strangers, s.strangerKey(c)
}

// strangerKey counts requests and bytes by address. Who asks from this machine itself,
// behind no proxy, is not bound by address: those are its own programs.
func (s *server) strangerKey(c echo.Context) string {
	ip := c.RealIP()
	if addr, err := netip.ParseAddr(ip); err == nil && addr.Unmap().IsLoopback() {
		return ""
	}
	return auth.Network(ip)
}

// whose finds out who a request comes from before it can be refused for anything else, so
// that what it holds counts for those whose it is. Files are everybody's.
func (s *server) whose(next echo.HandlerFunc) echo.HandlerFunc {
	identified := s.Sessions.Identify(s.seated(next))
	return func(c echo.Context) error {
		if isFile(c.Request().URL.Path) {
			return next(c)
		}
		return identified(c)
	}
}

// seated moves a request whose cookie is of no session that lives to the strangers: old
// cookies can be collected.
func (s *server) seated(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		p, _ := c.Get(seatKey).(*seat)
		if p == nil || p.group != s.gates.sessions {
			return next(c)
		}
		if _, _, p.known = auth.From(c); p.known {
			return next(c)
		}
		group, key := s.withoutSession(c)
		if !group.requests.take(key, 1) {
			return s.crowded(c)
		}
		p.leave()
		p.group, p.key, p.bytes = group, key, 0
		return next(c)
	}
}

// crowded refuses a request without holding anything for it: over HTTP/2 headers alone,
// since a reader who takes in nothing would hold the rest.
func (s *server) crowded(c echo.Context) error {
	s.tellCrowded(c)
	c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(busyAfterSeconds))
	if c.Request().ProtoMajor > 1 {
		return c.NoContent(http.StatusServiceUnavailable)
	}
	return c.String(http.StatusServiceUnavailable, "现在请求太多，请过几秒再试。\nToo many requests at the moment. Try again in a few seconds.\n")
}

func (s *server) tellCrowded(c echo.Context) {
	if s.crowdTold.Allow() {
		s.Log.Warn("too many requests at once: some are refused", "ip", c.RealIP(), "path", c.Request().URL.Path)
	}
}

// metered is a body that is counted while it is held, and that has to arrive in time.
type metered struct {
	io.ReadCloser
	c       echo.Context
	s       *server
	begun   bool
	read    int64
	counted int
	err     error
}

// Read is io.Reader; its errors are errCrowded, errSlow, and those of the body.
func (m *metered) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	at, _ := m.c.Get(seatKey).(*seat)
	control := http.NewResponseController(m.c.Response().Writer)
	if !m.begun {
		m.begun = true
		limit := sessionBody
		if at == nil || at.group != m.s.gates.sessions {
			limit = strangerBody
			if at == nil || at.group.requests.crowded() || at.group.bytes.crowded() {
				limit = crowdedBody
			}
		}
		_ = control.SetReadDeadline(time.Now().Add(limit)) // not every body of a test has deadlines
	}
	n, err := m.ReadCloser.Read(p)
	m.read += int64(n)
	if more := int(m.read-freeBody) - m.counted; more > 0 && at != nil {
		if !at.group.bytes.take(at.key, more) {
			m.s.tellCrowded(m.c)
			m.c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(busyAfterSeconds))
			m.err = errCrowded
			return 0, m.err
		}
		m.counted += more
		at.bytes += more
	}
	switch {
	case errors.Is(err, io.EOF):
		_ = control.SetReadDeadline(time.Time{}) // nothing more is waited for
	case errors.Is(err, os.ErrDeadlineExceeded):
		m.err = fmt.Errorf("read body: %w", errSlow)
		err = m.err
	}
	return n, err
}

// signInBody bounds the body of a sign-in: one that carries no form that was kept needs
// a few KiB. The page puts that form first.
type signInBody struct {
	io.ReadCloser
	head []byte
	open bool // it carries a form
}

// maxSignIn is what a sign-in without a kept form may have, in bytes: a name, a password
// and a place to go on, in the longest spelling.
const maxSignIn = freeBody

func (b *signInBody) Read(p []byte) (int, error) {
	if b.open {
		return b.ReadCloser.Read(p)
	}
	if room := maxSignIn + 1 - len(b.head); len(p) > room {
		p = p[:room]
	}
	n, err := b.ReadCloser.Read(p)
	b.head = append(b.head, p[:n]...)
	if len(b.head) > maxSignIn {
		text := "&" + string(b.head)
		if !strings.Contains(text, "&kept=") || strings.Contains(text, "&kept=&") {
			return 0, &http.MaxBytesError{Limit: maxSignIn}
		}
		b.open, b.head = true, nil
	}
	return n, err
}

// isFile reports a path of files that pages load.
func isFile(path string) bool { return strings.HasPrefix(path, static.Prefix) }
