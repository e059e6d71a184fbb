package handlers

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

// healthz says that the process answers.
func (s *server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz says that the database answers too.
func (s *server) readyz(c echo.Context) error {
	if err := s.Ready(c.Request().Context()); err != nil {
		s.Log.Error("not ready", "err", err)
		return c.String(http.StatusServiceUnavailable, "not ready\n")
	}
	return c.String(http.StatusOK, "ready\n")
}

// maxReport bounds a browser's report of a policy violation. Anybody can post one, and
// each comes into the log.
const maxReport = 2 << 10

var reports = rate.NewLimiter(rate.Every(10*time.Second), 10)

// cspReport logs what a browser refused to load; more than a few a minute are
// dropped.
func (s *server) cspReport(c echo.Context) error {
	b, err := io.ReadAll(io.LimitReader(c.Request().Body, maxReport))
	if err == nil && reports.Allow() {
		s.Log.Warn("content security policy report", "id", requestID(c), "report", string(b), "ip", c.RealIP())
	}
	return c.NoContent(http.StatusNoContent)
}
