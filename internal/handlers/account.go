package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var accountTitle = i18n.Text{ZH: "我的账号", EN: "My account"}

func (s *server) account(c echo.Context) error { return s.accountPage(c, http.StatusOK, "") }

func (s *server) accountPage(c echo.Context, status int, problem pages.PasswordProblem) error {
	u, current, _ := auth.From(c)
	sessions, err := s.SignIn.Sessions(c.Request().Context(), u.ID)
	if err != nil {
		return err
	}
	p := pages.AccountProps{Page: s.page(c, accountTitle), Username: u.Username, PasswordProblem: problem, MinPassword: auth.MinPasswordWeb}
	p.Page.Nav = layout.NavAccount
	p.Page.Path = "/account"
	if problem != "" {
		p.Page.Problems = 1
	}
	s.takeFlash(c, &p.Page)
	for _, x := range sessions {
		p.Sessions = append(p.Sessions, pages.SessionRow{
			Row: x.Row, Current: x.Row == current.Row, Created: x.CreatedAt, Seen: x.SeenAt, IP: x.IP, Agent: browserName(x.UserAgent),
		})
	}
	return s.render(c, status, pages.Account(p))
}

func (s *server) setPreferences(c echo.Context) error {
	v, err := postForm(c, fields("lang", "theme", "keys", "next"))
	if err != nil {
		return err
	}
	u, _, _ := auth.From(c)
	lang, theme := u.Lang, u.Theme
	if v.Has("lang") {
		l, ok := i18n.Parse(v.Get("lang"))
		if !ok {
			return errBadForm
		}
		lang = string(l)
		s.remember(c, langCookie, lang)
	}
	if v.Has("theme") {
		theme = v.Get("theme")
		if theme != "" && theme != "light" && theme != "dark" {
			return errBadForm
		}
	}
	switch v.Get("keys") {
	case "on":
		s.remember(c, keysCookie, "")
	case "off":
		s.remember(c, keysCookie, "off")
	case "":
	default:
		return errBadForm
	}
	if err := s.Preferences(context.WithoutCancel(c.Request().Context()), u.ID, lang, theme); err != nil {
		return unrecorded(err)
	}
	next := safeNext(v.Get("next"))
	if next == "/account" {
		return s.flashTo(c, "saved", next)
	}
	return seeOther(c, next)
}

func (s *server) changePassword(c echo.Context) error {
	v, err := postForm(c, fields("current", "new", "again"))
	if err != nil {
		return err
	}
	u, session, _ := auth.From(c)
	if v.Get("new") != v.Get("again") {
		return s.accountPage(c, http.StatusUnprocessableEntity, pages.PasswordRepeat)
	}
	err = s.SignIn.ChangePassword(context.WithoutCancel(c.Request().Context()), u, v.Get("current"), v.Get("new"), session, c.RealIP())
	if problem := passwordProblem(err); problem != "" {
		return s.accountPage(c, http.StatusUnprocessableEntity, problem)
	}
	if err != nil {
		return unrecorded(err)
	}
	return s.flashTo(c, "password", "/account")
}

func (s *server) revokeSession(c echo.Context) error {
	row, err := strconv.ParseInt(c.Param("row"), 10, 64)
	if err != nil {
		return echo.ErrNotFound
	}
	return s.revoke(c, func(x auth.Session, _ auth.Session) bool { return x.Row == row })
}

func (s *server) revokeOthers(c echo.Context) error {
	return s.revoke(c, func(x, current auth.Session) bool { return x.Row != current.Row })
}

// revoke ends those of the person's sessions that are chosen.
func (s *server) revoke(c echo.Context, chosen func(x, current auth.Session) bool) error {
	if _, err := postForm(c, fields()); err != nil {
		return err
	}
	u, current, _ := auth.From(c)
	ctx := context.WithoutCancel(c.Request().Context())
	sessions, err := s.SignIn.Sessions(ctx, u.ID)
	if err != nil {
		return err
	}
	found := false
	for _, x := range sessions {
		if !chosen(x, current) {
			continue
		}
		found = true
		if err := s.SignIn.Revoke(ctx, u, current, x.Row, c.RealIP()); err != nil && !errors.Is(err, auth.ErrNoSession) {
			return unrecorded(err)
		}
	}
	if !found && c.Param("row") != "" {
		return echo.ErrNotFound
	}
	return s.flashTo(c, "revoked", "/account")
}

// passwordProblem is what a person is told about an error of ChangePassword; empty
// for others.
func passwordProblem(err error) pages.PasswordProblem {
	var wait *auth.WaitError
	switch {
	case errors.Is(err, auth.ErrCredentials):
		return pages.PasswordWrong
	case errors.Is(err, auth.ErrPasswordShort):
		return pages.PasswordShort
	case errors.Is(err, auth.ErrPasswordLong):
		return pages.PasswordLong
	case errors.Is(err, auth.ErrPasswordText):
		return pages.PasswordText
	case errors.Is(err, auth.ErrPasswordCommon), errors.Is(err, auth.ErrPasswordPattern), errors.Is(err, auth.ErrPasswordUsername):
		return pages.PasswordCommon
	case errors.Is(err, auth.ErrPasswordSame):
		return pages.PasswordSame
	case errors.As(err, &wait), errors.Is(err, auth.ErrBusy):
		return pages.PasswordSlow
	}
	return ""
}

// browserName tells a browser and its system from a user agent, as far as a person
// needs to know their own again.
func browserName(agent string) string {
	find := func(marks ...[2]string) string {
		for _, m := range marks {
			if strings.Contains(agent, m[0]) {
				return m[1]
			}
		}
		return ""
	}
	browser := find([2]string{"wxwork/", "WeCom"}, [2]string{"MicroMessenger/", "WeChat"}, [2]string{"Edg", "Edge"}, [2]string{"Firefox/", "Firefox"},
		[2]string{"Chrome/", "Chrome"}, [2]string{"Safari/", "Safari"})
	system := find([2]string{"Windows", "Windows"}, [2]string{"Android", "Android"}, [2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"},
		[2]string{"Mac OS", "macOS"}, [2]string{"Linux", "Linux"})
	switch {
	case browser != "" && system != "":
		return browser + " · " + system
	case browser == "" && len(agent) > 60:
		return strings.ToValidUTF8(agent[:60], "") + "…"
	case browser == "":
		return agent
	}
	return browser
}
