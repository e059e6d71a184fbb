package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
)

// contextKey is where Identify leaves what it found in the echo context.
const contextKey = "auth.identity"

// Identify finds out who a request comes from, for From and Ended. It refuses
// nobody; an error means that the store could not be asked. A request without a
// cookie costs no query, one with a cookie costs one.
func (s *Sessions) Identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		sess, err := s.Get(c.Request(), s.name)
		if err != nil {
			return err
		}
		c.Set(contextKey, sess.Values[valuesKey{}])
		return next(c)
	}
}

func identityOf(c echo.Context) *identity {
	who, _ := c.Get(contextKey).(*identity)
	if who == nil {
		return &identity{}
	}
	return who
}

// From returns who is signed in.
func From(c echo.Context) (User, Session, bool) {
	who := identityOf(c)
	return who.user, who.session, who.in
}

// Ended reports that the browser brought a session cookie of this console whose
// session has ended.
func Ended(c echo.Context) bool { return identityOf(c).ended }

// Still reads again who the request comes from, for an answer that takes long: their role
// and scope as they are now. ErrNoSession when the session has ended or they may not sign
// in any more; that nobody used it meanwhile does not end it.
func (s *Sessions) Still(c echo.Context) (User, error) {
	who := identityOf(c)
	if !who.in {
		return User{}, ErrNoSession
	}
	_, user, err := s.store.SessionUser(c.Request().Context(), who.session.IDHash, s.now(), time.Time{})
	if err != nil {
		return User{}, fmt.Errorf("read session again: %w", err)
	}
	return user, nil
}

// Actor is the user in the session, for the use cases.
func Actor(user User, session Session) correction.Actor {
	return correction.Actor{UserID: user.ID, Name: user.Name, Role: user.Role, Scope: user.Scope, SessionID: session.Row}
}

// Begin starts a session for a successful SignIn and sets both cookies. pushed is
// how many older sessions of the user ended because there were too many.
func (a *Authenticator) Begin(c echo.Context, res Result) (pushed int, err error) {
	r := c.Request()
	_, pushed, err = a.sessions.Start(c.Response(), r, res.User, c.RealIP(), r.UserAgent())
	if err != nil {
		return 0, err
	}
	a.sessions.SetKnown(c.Response(), res.Known)
	return pushed, nil
}

// SignOut ends the session of the request, if there is one, and makes the browser
// forget its cookie and what it kept of the pages.
func (a *Authenticator) SignOut(c echo.Context) error {
	r := c.Request()
	sess, err := a.sessions.Get(r, a.sessions.name)
	if err != nil {
		return err
	}
	who, _ := sess.Values[valuesKey{}].(*identity)
	who.ip = c.RealIP()
	sess.Options.MaxAge = -1
	if err := sess.Save(r, c.Response()); err != nil {
		return err
	}
	c.Response().Header().Set("Clear-Site-Data", `"cache", "storage"`)
	return nil
}

// ErrCrossSite refuses a request that another site may have caused.
var ErrCrossSite = errors.New("the request does not come from a page of this console")

// CrossOrigin refuses unsafe requests that do not come from the console's own
// pages, with ErrCrossSite. It wraps http.CrossOriginProtection and is stricter in
// that a request must carry Sec-Fetch-Site or Origin, once; that a trusted origin
// does not outweigh a Sec-Fetch-Site that says otherwise; and that a page over
// plain http is not the console that is reached over https. trusted are origins
// ("https://console.example"), for a proxy that rewrites Host. Every method but
// GET, HEAD and OPTIONS is unsafe, TRACE too.
func CrossOrigin(trusted ...string) (echo.MiddlewareFunc, error) {
	protection := http.NewCrossOriginProtection()
	https := make(map[string]bool)
	for _, origin := range trusted {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trust origin: %w", err)
		}
		if host, ok := strings.CutPrefix(origin, "https://"); ok {
			https[host] = true
		}
	}
	check := func(r *http.Request) error {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
			return nil
		}
		site, origin := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
		if len(site) > 1 || len(origin) > 1 {
			return fmt.Errorf("repeated header: %w", ErrCrossSite)
		}
		// "Origin: null" has an empty host, and would equal it.
		if r.Host == "" {
			return fmt.Errorf("no Host: %w", ErrCrossSite)
		}
		switch r.Header.Get("Sec-Fetch-Site") {
		case "same-origin", "none":
		case "":
			from := r.Header.Get("Origin")
			if from == "" {
				return fmt.Errorf("neither Sec-Fetch-Site nor Origin: %w", ErrCrossSite)
			}
			if host, plain := strings.CutPrefix(from, "http://"); plain && (r.TLS != nil || https[host]) {
				return fmt.Errorf("origin over plain http: %w", ErrCrossSite)
			}
		default:
			return fmt.Errorf("Sec-Fetch-Site: %w", ErrCrossSite)
		}
		if err := protection.Check(r); err != nil {
			return fmt.Errorf("%w: %w", ErrCrossSite, err)
		}
		return nil
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := check(c.Request()); err != nil {
				return err
			}
			return next(c)
		}
	}, nil
}
