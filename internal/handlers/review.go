package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var reviewTitle = i18n.Text{ZH: "复核", EN: "Review"}

// Lengths of a page of the review, and of the part that is signed many at once.
const (
	reviewRows = 20
	plainRows  = 50
	daysBefore = 7
)

// review takes what somebody says of a correction that came to its end. What was typed
// is never lost: the page shows it again with what is missing, or who was faster.
func (s *server) review(c echo.Context) error {
	id, err := correctionID(c)
	if err != nil {
		return err
	}
	v, err := postForm(c, fields("n", "mark", "text", "do"))
	if err != nil {
		return err
	}
	said := correction.ReviewSaid{Mark: v.Get("mark"), Text: strings.ReplaceAll(v.Get("text"), "\r\n", "\n")}
	if said.N, err = strconv.Atoi(v.Get("n")); v.Get("n") != "" && (err != nil || said.N < 0) {
		return errBadForm
	}
	form := pages.ReviewForm{Mark: said.Mark, Text: said.Text}
	if v.Get("do") != "" { // Enter: nothing is said yet
		return s.correctionPage(c, http.StatusOK, id, func(p *pages.CorrectionProps) { p.Review = form })
	}
	err = s.Corrections.Review(c.Request().Context(), actor(c), id, said)
	status := http.StatusUnprocessableEntity
	switch correction.CodeOf(err) {
	case correction.CodeNoMark:
		if said.Mark != "" {
			return fmt.Errorf("%w: mark %q", errBadForm, said.Mark)
		}
		form.NoMark = true
	case correction.CodeNeedsText:
		form.Problem = textProblem(said.Text, false)
	case correction.CodeReviewed, correction.CodeNotFinal:
		form.Problem, form.By, status = pages.ResolutionMoved, holderOf(err), http.StatusConflict
	default:
		if err != nil {
			return err
		}
		return s.flashTo(c, "reviewed", pages.CorrectionURL(id))
	}
	return s.correctionPage(c, status, id, func(p *pages.CorrectionProps) {
		if form.NoMark || form.Problem != pages.ResolutionMoved {
			p.Page.Problems = 1
		} else if e, ok := p.C.Review(); ok {
			form.Said = e
		}
		p.Review = form
	})
}

func (s *server) reviews(c echo.Context) error {
	return s.reviewPage(c, http.StatusOK, c.QueryParams(), func(p *pages.ReviewProps) {
		p.Done = s.signedBefore(c, p.Mine)
	})
}

// reviewPage is a part of the review page; where tells which, and change adds what the
// last request came to.
func (s *server) reviewPage(c echo.Context, status int, where url.Values, change func(*pages.ReviewProps)) error {
	ctx, a := c.Request().Context(), actor(c)
	p := pages.ReviewProps{Page: s.page(c, reviewTitle), Tab: correction.ReviewTab(where.Get("tab")), DayName: where.Get("day"), Mine: a.UserID, CanSign: a.Can(correction.Review)}
	p.Page.Nav = layout.NavReview
	p.Page.Scripts = []string{"once.js", "review.js"}
	if p.Tab == "" {
		p.Tab = correction.TabOpen
	}
	q := correction.ReviewQuery{Tab: p.Tab, Limit: reviewRows}
	if p.Tab == correction.TabPlain {
		q.Limit = plainRows
	}
	if before, err := strconv.ParseInt(where.Get("before"), 10, 64); err == nil && before > 0 {
		q.Before, p.Before = before, before
	}
	if p.DayName != "" {
		var ok bool
		if q.From, q.To, ok = s.Corrections.DayOf(p.DayName); !ok {
			return echo.ErrNotFound
		}
	}
	if !validTab(p.Tab) {
		return echo.ErrNotFound
	}
	if c.Request().Method != http.MethodGet {
		p.Page.Path = pages.ReviewTabURL(p.Tab, p.DayName, p.Before)
	}
	var err error
	if p.Counts, err = s.Corrections.ReviewCounts(ctx, a, q.From, q.To); err != nil {
		return err
	}
	if p.Rows, p.More, err = s.Corrections.ReviewList(ctx, a, q); err != nil {
		return err
	}
	if n := p.Counts[p.Tab]; p.More && p.Before == 0 && n < 100 {
		p.Rest = n - len(p.Rows)
	}
	now := s.Now()
	if p.Today, err = s.DayClose.Day(ctx, a, s.Corrections.DayName(now)); err != nil {
		return err
	}
	if p.Days, err = s.DayClose.Days(ctx, a, now, daysBefore); err != nil {
		return err
	}
	change(&p)
	if p.Form.Problem != "" {
		p.Page.Problems = 1
	}
	return s.render(c, status, pages.Review(p))
}

func validTab(t correction.ReviewTab) bool {
	for _, known := range correction.ReviewTabs {
		if t == known {
			return true
		}
	}
	return false
}

// signOff signs the chosen corrections, each by an event of its own.
func (s *server) signOff(c echo.Context) error {
	v, ids, err := postList(c, "id", fields("mark", "text", "tab", "day", "before", "do"))
	if err != nil {
		return err
	}
	picked, err := pickedOf(ids)
	if err != nil {
		return err
	}
	form := pages.SignOffForm{Picked: map[int64]bool{}, Mark: v.Get("mark"), Text: v.Get("text")}
	for _, p := range picked {
		form.Picked[p.ID] = true
	}
	again := func(status int) error {
		return s.reviewPage(c, status, v, func(p *pages.ReviewProps) {
			if v.Get("do") == "all" {
				for _, r := range p.Rows {
					form.Picked[r.ID] = true
				}
			}
			p.Form = form
		})
	}
	if v.Get("do") != "" { // Enter, or a change of what is chosen: nothing is signed yet
		return again(http.StatusOK)
	}
	mark := correction.ReviewMark(form.Mark)
	tab := correction.ReviewTab(v.Get("tab"))
	if tab == correction.TabPlain && strings.TrimSpace(form.Text) == "" && len(picked) > 0 {
		form.Problem = pages.SignOffRemark
		return again(http.StatusUnprocessableEntity)
	}
	done, err := s.Corrections.SignOff(c.Request().Context(), actor(c), picked, mark, form.Text)
	switch correction.CodeOf(err) {
	case correction.CodeNonePicked:
		form.Problem = pages.SignOffNone
	case correction.CodeNeedsText:
		form.Problem = pages.SignOffText
		if textProblem(form.Text, false) != pages.ResolutionEmpty {
			form.Problem = pages.SignOffLong
		}
	case correction.CodeNoMark:
		return fmt.Errorf("%w: mark %q", errBadForm, form.Mark)
	default:
		if err != nil {
			return err
		}
		return seeOther(c, signedURL(tab, v.Get("day"), done))
	}
	return again(http.StatusUnprocessableEntity)
}

// pickedOf reads what was chosen: the number of a correction, and behind a colon that of
// the newest event that was shown.
func pickedOf(ids []string) ([]correction.Picked, error) {
	var out []correction.Picked
	for _, text := range ids {
		number, seen, shown := strings.Cut(text, ":")
		id, err := strconv.ParseInt(number, 10, 64)
		n := 0
		if err == nil && shown {
			n, err = strconv.Atoi(seen)
		}
		if err != nil || id < 1 || n < 0 {
			return nil, errBadForm
		}
		out = append(out, correction.Picked{ID: id, N: n})
	}
	return out, nil
}

// signedURL is the part of the review page with what a signing came to.
func signedURL(tab correction.ReviewTab, day string, done correction.SignOff) string {
	if !validTab(tab) {
		tab = correction.TabOpen
	}
	path := pages.ReviewTabURL(tab, day, 0)
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	path += mark + "signed=" + strconv.Itoa(done.Signed)
	for i, id := range done.Skipped {
		if i == 0 {
			path += "&skipped="
		} else {
			path += "."
		}
		path += strconv.FormatInt(id, 10)
	}
	return path
}

// signedBefore reads what the last signing came to; nil when the page was opened in
// another way. Who was faster is read anew.
func (s *server) signedBefore(c echo.Context, mine int64) *pages.SignOffDone {
	n, err := strconv.Atoi(c.QueryParam("signed"))
	if err != nil || n < 0 || n > correction.MaxSignOff {
		return nil
	}
	done := &pages.SignOffDone{Signed: n}
	for _, text := range strings.Split(c.QueryParam("skipped"), ".") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || len(done.Skipped) == correction.MaxSignOff {
			continue
		}
		row := pages.SkippedRow{ID: id}
		cor, err := s.Corrections.Correction(context.WithoutCancel(c.Request().Context()), actor(c), id)
		if err != nil { // out of scope: nothing is told of it
			continue
		}
		row.Own = cor.AuthorID == mine
		if part, err := s.Corrections.ReviewPart(context.WithoutCancel(c.Request().Context()), actor(c), cor); err == nil {
			row.Mine = part.Approved
		}
		row.Said, _ = cor.Review()
		done.Skipped = append(done.Skipped, row)
	}
	return done
}
