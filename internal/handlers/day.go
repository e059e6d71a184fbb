package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var dayTitle = i18n.Text{ZH: "日结", EN: "Day close"}

func (s *server) day(c echo.Context) error {
	return s.dayPage(c, http.StatusOK, pages.DayForm{})
}

// dayPage is a day as it stands, with what the last request came to.
func (s *server) dayPage(c echo.Context, status int, form pages.DayForm) error {
	ctx, a := c.Request().Context(), actor(c)
	d, err := s.DayClose.Day(ctx, a, c.Param("day"))
	if err != nil {
		return err
	}
	p := pages.DayProps{Page: s.page(c, dayTitle), Day: d, CanReview: a.Can(correction.Review), Form: form}
	p.Page.Title += " " + d.Name
	p.Page.Nav = layout.NavReview
	p.Page.Scripts = []string{"once.js", "print.js"}
	if c.Request().Method != http.MethodGet {
		p.Page.Path = pages.DayURL(d.Name)
	}
	if form.Problem == pages.DayText || form.Problem == pages.DayOpen {
		p.Page.Problems = 1
	}
	s.takeFlash(c, &p.Page)
	p.Prev = s.Corrections.DayName(correction.AddDays(d.From, -1))
	if s.Now().After(d.To) {
		p.Next = s.Corrections.DayName(d.To)
	}
	p.Checkpoint = d.Last().Checkpoint
	if !d.Closed() {
		if p.Checkpoint, err = s.Checkpoint(ctx); err != nil {
			s.Log.Error("read checkpoint", "err", err) // the page shows none
		}
	}
	if p.Days, err = s.DayClose.Days(ctx, a, correction.AddDays(s.Corrections.DayTime(s.Now()), 1), daysBefore); err != nil {
		return err
	}
	return s.render(c, status, pages.Day(p))
}

// closeDay closes or reopens a day.
func (s *server) closeDay(c echo.Context) error {
	v, err := postForm(c, fields("n", "action", "text", "do"))
	if err != nil {
		return err
	}
	name := c.Param("day")
	form := pages.DayForm{Action: dayclose.DayAction(v.Get("action")), Text: strings.ReplaceAll(v.Get("text"), "\r\n", "\n")}
	if v.Get("do") != "" { // Enter: nothing is signed yet
		return s.dayPage(c, http.StatusOK, form)
	}
	n, err := strconv.Atoi(v.Get("n"))
	if err != nil && v.Get("n") != "" || n < 0 {
		return errBadForm
	}
	if form.Action == "" {
		form.Action = dayclose.DayClosed
	}
	err = s.DayClose.CloseDay(c.Request().Context(), actor(c), name, n, form.Action, form.Text)
	status := http.StatusConflict
	switch correction.CodeOf(err) {
	case correction.CodeNeedsText:
		status, form.Problem = http.StatusUnprocessableEntity, pages.DayText
	case correction.CodeDayOpen:
		form.Problem = pages.DayOpen
	case correction.CodeDayAhead:
		form.Problem = pages.DayAhead
	case correction.CodeDayClosed:
		form.Problem, form.By = pages.DayMoved, holderOf(err)
	case correction.CodeNoMark:
		return errBadForm
	default:
		if err != nil {
			return err
		}
		return s.flashTo(c, "day_"+string(form.Action), pages.DayURL(name))
	}
	return s.dayPage(c, status, form)
}
