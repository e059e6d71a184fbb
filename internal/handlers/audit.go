package handlers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

func (s *server) denied(c echo.Context, u auth.User) {
	s.security(c, "denied", string(u.Role))
}

// security puts what was refused for security's sake on record.
func (s *server) security(c echo.Context, action, detail string) {
	var id int64
	if u, _, ok := auth.From(c); ok {
		id = u.ID
	}
	path := clipped(c.Request().URL.Path, maxLogged)
	s.Log.Warn("refused", "action", action, "id", requestID(c), "method", clipped(c.Request().Method, maxLogged), "path", path, "user", id, "ip", c.RealIP())
	s.record(c, action, strings.TrimSpace(c.Request().Method+" "+path+" "+detail))
}

// record puts on the audit record what a signed-in person can repeat as often as they
// like: so many rows a minute, and then that there were more.
func (s *server) record(c echo.Context, action, detail string) {
	u, _, ok := auth.From(c)
	if !ok {
		return // anybody could fill the table
	}
	now := s.Now()
	missed, write := s.audits.take(u.ID, max(auditsPerMinute, 2*s.Corrections.Lookups.PerMinute), now)
	switch {
	case !write:
		return
	case missed < 0:
		action, detail = "more", "more of this minute is not listed one by one"
	case missed > 0:
		detail += fmt.Sprintf(" (%d before it are not listed)", missed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), 5*time.Second)
	defer cancel()
	if err := s.Audit(ctx, correction.AuditEntry{At: now, UserID: u.ID, Action: action, Detail: detail, IP: c.RealIP()}); err != nil {
		s.Log.Error("audit", "err", err)
	}
}

// maxLogged bounds what of an address or a method comes into the log and the record, in
// bytes: whoever asks chooses it.
const maxLogged = 256
