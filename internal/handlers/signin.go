package handlers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
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
	if owner := s.Sessions.Owner(c); owner != 0 {
		props.KeptFor = s.sealOwner(owner)
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
	v, err := postForm(c, fields("username", "password", "next", "kept", "kept_path", "kept_for"))
	if err != nil {
		return err
	}
	props := pages.SignInProps{
		Username: v.Get("username"), Next: safeNext(v.Get("next")), Kept: v.Get("kept"), KeptPath: v.Get("kept_path"), KeptFor: v.Get("kept_for"),
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
		return unrecorded(err)
	}
	if _, err := s.SignIn.Begin(c, res); err != nil {
		return unrecorded(err)
	}
	if props.Kept != "" {
		return s.takeUpForm(c, auth.Actor(res.User, auth.Session{}), props)
	}
	return seeOther(c, props.Next)
}

// takeUpForm makes what was typed before the sign-in the person's draft and returns
// to the form. It is theirs if they typed it; if that is not known, it does not
// replace a draft of theirs; somebody else's is not taken up.
func (s *server) takeUpForm(c echo.Context, a correction.Actor, p pages.SignInProps) error {
	ref, ok := refOfForm(p.KeptPath)
	v, err := url.ParseQuery(p.Kept)
	if !ok || err != nil || p.KeptFor != "" && !hmac.Equal([]byte(p.KeptFor), []byte(s.sealOwner(a.UserID))) {
		return seeOther(c, "/")
	}
	ctx := c.Request().Context()
	if p.KeptFor == "" {
		if _, err := s.Corrections.Draft(ctx, a, ref); err == nil {
			return seeOther(c, pages.FormURL(ref))
		}
	}
	form := decodeForm(v)
	if err := s.Corrections.SaveDraft(ctx, a, ref, form.Base, encodeForm(form).Encode()); err != nil {
		s.Log.Warn("kept form not taken up", "id", requestID(c), "err", err)
		return seeOther(c, "/")
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

// sealOwner stands for a user beside a form that is carried through the sign-in.
// Only the console can make it.
func (s *server) sealOwner(userID int64) string {
	mac := hmac.New(sha256.New, s.Corrections.Key)
	fmt.Fprintf(mac, "kept\x00%d", userID)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
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
