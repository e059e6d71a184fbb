package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/pages"
)

var signInTitle = i18n.Text{ZH: "登录", EN: "Sign in"}

// askToSignIn answers a request without a session. What was typed into a
// correction form is kept: the sign-in page carries it along.
func (s *server) askToSignIn(c echo.Context) error {
	r := c.Request()
	next := "/login"
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		if r.URL.Path != "/" {
			next += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
	case strings.HasSuffix(c.Path(), "/:out_order_no/correction"):
		return s.keepForm(c)
	case c.Path() == "/corrections/preview":
		return echo.NewHTTPError(http.StatusUnauthorized) // the script posts the form itself then
	case strings.HasPrefix(c.Path(), "/corrections/:id/"):
		next += "?next=" + url.QueryEscape("/corrections/"+c.Param("id"))
	}
	return seeOther(c, next)
}

func (s *server) keepForm(c echo.Context) error {
	sub, no, err := orderParams(c)
	if err != nil {
		return err
	}
	v, err := postForm(c, correctionField)
	if err != nil {
		return err
	}
	props := pages.SignInProps{
		Page: s.page(c, signInTitle), Expired: true, Kept: encodeForm(decodeForm(v)).Encode(),
		KeptPath: pages.FormURL(correction.Ref{SubMchID: sub, OutOrderNo: no}),
	}
	return s.render(c, http.StatusUnauthorized, pages.SignIn(props))
}

func (s *server) signInPage(c echo.Context) error {
	next := safeNext(c.QueryParam("next"))
	if _, _, ok := auth.From(c); ok {
		return seeOther(c, next)
	}
	if l, ok := i18n.Parse(c.QueryParam("lang")); ok {
		s.remember(c, langCookie, string(l))
	}
	props := pages.SignInProps{Page: s.page(c, signInTitle), Expired: auth.Ended(c), Next: next}
	return s.render(c, http.StatusOK, pages.SignIn(props))
}

// remember keeps a preference of this browser for a year; an empty value forgets it.
func (s *server) remember(c echo.Context, name, value string) {
	age := 365 * 86400
	if value == "" {
		age = -1
	}
	c.SetCookie(&http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode, MaxAge: age})
}

func (s *server) signIn(c echo.Context) error {
	v, err := postForm(c, fields("username", "password", "next", "kept", "kept_path"))
	if err != nil {
		return err
	}
	props := pages.SignInProps{
		Username: v.Get("username"), Next: safeNext(v.Get("next")), Kept: v.Get("kept"), KeptPath: v.Get("kept_path"),
	}
	refuse := func(status int, p pages.SignInProblem) error {
		props.Page, props.Problem = s.page(c, signInTitle), p
		props.Page.Problems = 1
		return s.render(c, status, pages.SignIn(props))
	}
	if v.Get("username") == "" || v.Get("password") == "" {
		return refuse(http.StatusUnprocessableEntity, pages.SignInEmpty)
	}
	r := c.Request()
	res, err := s.SignIn.SignIn(r.Context(), v.Get("username"), v.Get("password"), c.RealIP(), r.UserAgent(), s.Sessions.KnownCookie(r))
	var wait *auth.WaitError
	switch {
	case errors.Is(err, auth.ErrCredentials):
		return refuse(http.StatusUnprocessableEntity, pages.SignInWrong)
	case errors.As(err, &wait):
		props.Wait = wait.After
		return refuse(http.StatusTooManyRequests, pages.SignInLocked)
	case errors.Is(err, auth.ErrBusy):
		return refuse(http.StatusServiceUnavailable, pages.SignInBusy)
	case err != nil:
		return err
	}
	if _, err := s.SignIn.Begin(c, res); err != nil {
		return err
	}
	if props.Kept != "" {
		return s.takeUpForm(c, auth.Actor(res.User, auth.Session{}), props.Kept, props.KeptPath)
	}
	return seeOther(c, props.Next)
}

// takeUpForm makes what was typed before the sign-in the person's draft and
// returns to the form.
func (s *server) takeUpForm(c echo.Context, a correction.Actor, kept, path string) error {
	path = safeNext(path)
	v, err := url.ParseQuery(kept)
	if err != nil {
		return seeOther(c, path)
	}
	u, err := url.Parse(path)
	if err != nil {
		return seeOther(c, "/")
	}
	parts := strings.Split(u.EscapedPath(), "/") // "", orders, sub, no, correction
	if len(parts) != 5 {
		return seeOther(c, path)
	}
	sub, err1 := url.PathUnescape(parts[2])
	no, err2 := url.PathUnescape(parts[3])
	if err1 != nil || err2 != nil || !correction.ValidMchID(sub) || !correction.ValidOrderNo(no) {
		return seeOther(c, "/")
	}
	ref := correction.Ref{SubMchID: sub, OutOrderNo: no}
	if err := s.Corrections.SaveDraft(c.Request().Context(), a, ref, encodeForm(decodeForm(v)).Encode()); err != nil {
		return err
	}
	s.flash(c, "kept")
	return seeOther(c, path)
}

func (s *server) signOut(c echo.Context) error {
	if _, err := postForm(c, fields()); err != nil {
		return err
	}
	if err := s.SignIn.SignOut(c); err != nil {
		return err
	}
	return seeOther(c, "/login")
}
