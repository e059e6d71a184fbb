package handlers

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

// agree carries out the buttons of an edit that waits for a second supervisor: version
// names it, do is agree or decline.
func (s *server) agree(c echo.Context) error {
	name := settingOf(c)
	v, err := postForm(c, fields("version", "do"))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(v.Get("version"))
	do := v.Get("do")
	if err != nil || n < 1 || do != "agree" && do != "decline" {
		return errBadForm
	}
	problems, err := s.Corrections.Agree(c.Request().Context(), actor(c), name, n, do == "agree", c.RealIP())
	code := correction.CodeOf(err)
	switch {
	case code == correction.CodeSecondPerson:
		s.security(c, "denied", "own edit of "+name)
		return s.notAgreed(c, http.StatusForbidden, name, code, nil)
	case code == correction.CodeEdited || code == correction.CodeAuthorGone || len(problems) > 0:
		return s.notAgreed(c, http.StatusConflict, name, code, problems)
	case err != nil:
		return err
	case do == "agree":
		return s.flashTo(c, "agreed", pages.SettingURL(name))
	}
	return s.flashTo(c, "not_agreed", pages.SettingURL(name))
}

// notAgreed shows why what waited did not come into force.
func (s *server) notAgreed(c echo.Context, status int, name, code string, problems []correction.Notice) error {
	if name == correction.CatalogServices {
		return s.catalogPage(c, status, func(p *pages.CatalogProps) error {
			p.Refused = code
			return nil
		})
	}
	return s.settingPage(c, status, func(p *pages.SettingProps) error {
		p.Refused, p.Blocked = code, problems
		return nil
	})
}

// waitingEdits tells on every page of those who see the settings what waits to be
// loosened, and when it comes into force where nobody could agree.
func (s *server) waitingEdits(c echo.Context, a correction.Actor, p *layout.Page) {
	list, err := s.Corrections.Waiting(context.WithoutCancel(c.Request().Context()), a)
	if err != nil {
		s.Log.Error("list edits that wait", "id", requestID(c), "err", err)
		return
	}
	seen := map[string]bool{}
	for _, o := range list {
		alarm := layout.Alarm{Text: i18n.WaitingText(p.Lang, o, p.Short(o.InForceAt())), Href: pages.SettingURL(o.Name), Link: p.T("去看看", "See it")}
		if !seen[o.Name+alarm.Text] {
			seen[o.Name+alarm.Text] = true
			p.Alarms = append(p.Alarms, alarm)
		}
	}
}
