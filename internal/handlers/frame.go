package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"correction-console/internal/auth"
)

// contentPolicy is the CSP of every page (trust.md §3.1): no script and no style
// but our own files, nothing in a frame, nothing from elsewhere.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'; report-uri /csp-report"

const requestIDKey = "request-id"

// frame gives each request its number and each answer the headers of
// trust.md §3.2, and logs it.
func (s *server) frame(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.Now()
		id := newRequestID()
		c.Set(requestIDKey, id)
		h := c.Response().Header()
		h.Set("X-Request-Id", id)
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", s.referrerPolicy())
		h.Set("X-Frame-Options", "DENY")
		if !s.Exposed { // browsers refuse it there, and say so
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
		}
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		if s.Log.Enabled(c.Request().Context(), slog.LevelInfo) {
			var user int64
			if u, _, ok := auth.From(c); ok {
				user = u.ID
			}
			s.Log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request",
				slog.String("id", id), slog.String("method", clipped(c.Request().Method, maxLogged)), slog.String("path", clipped(c.Request().URL.Path, maxLogged)),
				slog.Int("status", c.Response().Status), slog.Int64("user", user), slog.String("ip", c.RealIP()),
				slog.Duration("took", s.Now().Sub(start)))
		}
		return nil
	}
}

// referrerPolicy keeps addresses of the console to itself. Over plain http beyond this
// machine browsers send no Sec-Fetch-Site, and under no-referrer they post "Origin: null":
// nothing would tell the console's own pages from others. Under same-origin they name
// the origin to the console itself, and to nobody else.
func (s *server) referrerPolicy() string {
	if s.Exposed {
		return "same-origin"
	}
	return "no-referrer"
}

// newRequestID is a number that can be read aloud: E-7K2Q-0319.
func newRequestID() string {
	const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford: no I, L, O, U
	b := make([]byte, 8)
	rand.Read(b)
	for i := range b {
		b[i] = letters[b[i]&31]
	}
	return "E-" + string(b[:4]) + "-" + string(b[4:])
}

func requestID(c echo.Context) string {
	id, _ := c.Get(requestIDKey).(string)
	return id
}

// recover turns a panic into an error page; the process goes on.
func (s *server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch r := recover(); r {
			case nil:
			case http.ErrAbortHandler:
				panic(r)
			default:
				s.Log.Error("panic", "id", requestID(c), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
				err = errors.New("panic")
			}
		}()
		return next(c)
	}
}

var errHost = echo.NewHTTPError(http.StatusMisdirectedRequest)

// host refuses names that are not ours (DNS rebinding, host-header tricks). An
// address cannot be rebound; localhost and the public URL's name are ours.
func (s *server) host(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if p := c.Request().URL.Path; p == "/healthz" || p == "/readyz" || p == metricsPath || isFile(p) {
			return next(c) // asked by machines, or by the page that says so, under whatever name
		}
		host := c.Request().Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
		if _, err := netip.ParseAddr(host); err == nil || strings.EqualFold(host, "localhost") ||
			(s.PublicURL != nil && strings.EqualFold(host, s.PublicURL.Hostname())) {
			return next(c)
		}
		s.hosts.tell(c, s.Log, s.publicURL())
		return errHost
	}
}

// strangeHosts bounds how often names that are not ours are logged: anybody can ask
// under any.
type strangeHosts struct {
	mu    sync.Mutex
	limit *rate.Limiter
	left  int
}

// maxHost is how much of such a name is logged.
const maxHost = 255

func (h *strangeHosts) tell(c echo.Context, log *slog.Logger, right string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.limit == nil {
		h.limit = rate.NewLimiter(rate.Every(time.Minute), 5)
	}
	if !h.limit.Allow() {
		h.left++
		return
	}
	log.Warn("asked under a name that is not ours", "host", clipped(c.Request().Host, maxHost), "CONSOLE_PUBLIC_URL", right, "ip", c.RealIP(), "id", requestID(c), "not_logged_before", h.left)
	h.left = 0
}

// clipped is at most n bytes of a text that somebody else chose.
func clipped(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

func (s *server) publicURL() string {
	if s.PublicURL == nil {
		return ""
	}
	return s.PublicURL.Scheme + "://" + s.PublicURL.Host
}

// body bounds what is read and refuses encodings that browsers' forms do not use.
func (s *server) body(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return next(c)
		}
		if r.ContentLength > maxBody {
			return echo.ErrStatusRequestEntityTooLarge
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, maxBody)
		if r.URL.Path == "/login" {
			r.Body = &signInBody{ReadCloser: r.Body}
		}
		r.Body = &metered{ReadCloser: r.Body, c: c, s: s}
		return next(c)
	}
}
