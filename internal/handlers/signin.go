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

// askToSignIn answers a request without a session. What was typed into a correction
// form is kept for the person of the session that ended: the sign-in page carries it
// along, sealed.
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
	props := pages.SignInProps{Page: s.page(c, signInTitle), Expired: true}
	path := pages.FormURL(correction.Ref{SubMchID: sub, OutOrderNo: no})
	owner := s.Sessions.Owner(c)
	if v.Has(typedBy) { // the last session may have been another person's
		owner = s.Sessions.TypistOf(v.Get(typedBy))
	}
	if owner != 0 {
		if props.Kept, err = s.Sessions.Seal(owner, path+"\n"+encodeForm(decodeForm(v)).Encode()); err != nil {
			return err
		}
	} else { // nobody knows who typed it
		props.Next, props.Dropped = path, true
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
	c.SetCookie(&http.Cookie{Name: s.Sessions.Cookie(name), Value: value, Path: "/", HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode, MaxAge: age})
}

func (s *server) signIn(c echo.Context) error {
	v, err := postForm(c, fields("username", "password", "next", "kept"))
	if err != nil {
		return err
	}
	props := pages.SignInProps{
		Username: v.Get("username"), Next: safeNext(v.Get("next")), Kept: v.Get("kept"),
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
	var busy *auth.BusyError
	switch {
	case errors.Is(err, auth.ErrCredentials):
		return refuse(http.StatusUnprocessableEntity, pages.SignInWrong)
	case errors.As(err, &wait):
		props.Wait = wait.After
		retryAfter(c, wait.After)
		return refuse(http.StatusTooManyRequests, pages.SignInLocked)
	case errors.As(err, &busy):
		props.Wait = busy.After
		retryAfter(c, busy.After)
		return refuse(http.StatusServiceUnavailable, pages.SignInBusy)
	case err != nil:
		return unrecorded(err)
	}
	if _, err := s.SignIn.Begin(c, res); err != nil {
		return unrecorded(err)
	}
	if props.Kept != "" {
		return s.takeUpForm(c, auth.Actor(res.User, auth.Session{}), props.Kept)
	}
	return seeOther(c, props.Next)
}

// takeUpForm makes what was typed before the sign-in the draft of the person who typed
// it, and returns to the form. Somebody else is told that it was dropped, and no more.
func (s *server) takeUpForm(c echo.Context, a correction.Actor, kept string) error {
	text, err := s.Sessions.Open(a.UserID, kept)
	if errors.Is(err, auth.ErrNotTheirs) {
		return s.flashTo(c, "not_yours", "/")
	}
	path, form, _ := strings.Cut(text, "\n")
	ref, ok := refOfForm(path)
	v, bad := url.ParseQuery(form)
	if err != nil || bad != nil || !ok {
		s.Log.Warn("kept form not readable", "id", requestID(c))
		return s.flashTo(c, "not_kept", "/")
	}
	typed := decodeForm(v)
	if err := s.Corrections.SaveDraft(c.Request().Context(), a, ref, typed.Base, encodeForm(typed).Encode()); err != nil {
		s.Log.Warn("kept form not taken up", "id", requestID(c), "err", err)
		return s.flashTo(c, "not_kept", "/")
	}
	return s.flashTo(c, "kept", pages.FormURL(ref))
}

// refOfForm reads the order from the address of its form.
func refOfForm(path string) (correction.Ref, bool) {
	parts := strings.Split(path, "/") // "", orders, sub, no, correction
	if len(parts) != 5 || parts[1] != "orders" || parts[4] != "correction" {
		return correction.Ref{}, false
	}
	sub, err1 := url.PathUnescape(parts[2])
	no, err2 := url.PathUnescape(parts[3])
	ok := err1 == nil && err2 == nil && correction.ValidMchID(sub) && correction.ValidOrderNo(no)
	return correction.Ref{SubMchID: sub, OutOrderNo: no}, ok
}

func (s *server) signOut(c echo.Context) error {
	if _, err := postForm(c, fields()); err != nil {
		return err
	}
	if err := s.SignIn.SignOut(c); err != nil {
		return unrecorded(err)
	}
	return seeOther(c, "/login")
}
