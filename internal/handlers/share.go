package handlers

import (
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

// auditsPerMinute is how many rows a person adds to the audit record in a minute by what
// is refused or not found; more when they may look up more orders than that.
const auditsPerMinute = 120

// auditShare counts them. The zero value is ready; people are as many as the console has.
type auditShare struct {
	mu     sync.Mutex
	people map[int64]*auditMinute
}

type auditMinute struct {
	begun  time.Time
	rows   int
	missed int
	fast   bool // it is on record that the person looks too much up
}

// take reports whether a row may be written. missed is how many before it were not, and
// -1 for the last row of a minute, which says that more follow.
func (a *auditShare) take(person int64, most int, now time.Time) (missed int, write bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, missed := a.minute(person, now)
	switch m.rows++; {
	case m.rows < most:
		m.missed = 0
		return missed, true
	case m.rows == most:
		m.missed++
		return -1, true
	}
	m.missed++
	return 0, false
}

// first reports whether the person looks too much up for the first time in this minute.
func (a *auditShare) first(person int64, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, _ := a.minute(person, now)
	if m.fast {
		return false
	}
	m.fast = true
	return true
}

// minute is the one that runs for the person, and how many rows were missed before now.
func (a *auditShare) minute(person int64, now time.Time) (*auditMinute, int) {
	if a.people == nil {
		a.people = map[int64]*auditMinute{}
	}
	m := a.people[person]
	if m == nil {
		m = &auditMinute{begun: now}
		a.people[person] = m
	}
	if now.Sub(m.begun).Abs() >= time.Minute {
		*m = auditMinute{begun: now, missed: m.missed}
	}
	return m, m.missed
}

// A person's posts: so many at once, then so many a second. Each may leave something on
// record for ever.
const (
	postsAtOnce = 600
	postsEvery  = time.Second / 5
)

// uncounted are the posts that leave nothing, or have a bound of their own; a
// confirmation never waits.
var uncounted = map[string]bool{
	"/login": true, "/logout": true, "/csp-report": true, "/corrections/preview": true, "/account/preferences": true,
	"/orders/:sub_mchid/:out_order_no/correction": true, "/corrections/:id/confirmation": true, "/corrections/:id/withdrawal": true, "/corrections/:id/check": true,
}

// postShare counts them. The zero value is ready.
type postShare struct {
	mu     sync.Mutex
	people map[int64]*rate.Limiter
}

// take returns how long the person has to wait, 0 when the post is let through.
func (p *postShare) take(person int64, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.people == nil {
		p.people = map[int64]*rate.Limiter{}
	}
	l := p.people[person]
	if l == nil {
		l = rate.NewLimiter(rate.Every(postsEvery), postsAtOnce)
		p.people[person] = l
	}
	if l.AllowN(now, 1) {
		return 0
	}
	return postsEvery
}

// paced refuses the posts of a person that come too fast.
func (s *server) paced(path string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if u, _, ok := auth.From(c); ok && c.Request().Method == "POST" && !uncounted[path] {
				if wait := s.posts.take(u.ID, s.Now()); wait > 0 {
					return &correction.Error{Kind: correction.TooFast, Code: correction.CodeTooMany, Wait: wait}
				}
			}
			return next(c)
		}
	}
}
