package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var homeTitle = i18n.Text{ZH: "我的", EN: "Mine"}

// recentRows is how many of a person's corrections their first page shows.
const recentRows = 20

func (s *server) home(c echo.Context) error { return s.homePage(c, http.StatusOK, pages.FindProps{}) }

func (s *server) homePage(c echo.Context, status int, find pages.FindProps) error {
	ctx, a := c.Request().Context(), actor(c)
	props := pages.HomeProps{Page: s.page(c, homeTitle), Find: find, CanFind: a.Can(correction.ReadOrders), All: a.Can(correction.ReadAllOf)}
	props.Page.Nav = layout.NavMine
	s.takeFlash(c, &props.Page)
	if find.Problem != "" {
		props.Page.Problems = 1
	}
	var err error
	if props.Merchants, err = s.Corrections.MerchantsFor(ctx, a); err != nil {
		return err
	}
	if props.Due, err = s.dueRows(ctx, a); err != nil {
		return err
	}
	if props.Questions, err = s.Corrections.Questions(ctx, a); err != nil {
		return err
	}
	if props.Attention, err = s.Corrections.Attention(ctx, a); err != nil {
		return err
	}
	props.Recent, _, err = s.ChangeLog.List(ctx, a, changelog.LogFilter{AuthorID: a.UserID}, changelog.Page{Limit: recentRows})
	if err != nil {
		return err
	}
	return s.render(c, status, pages.Home(props))
}

// findOrder is the look-up: it redirects to the order, or says on the first page
// what was not found and why that may be.
func (s *server) findOrder(c echo.Context) error {
	ctx, a := c.Request().Context(), actor(c)
	find := pages.FindProps{
		OutOrderNo: correction.CleanNumber(c.QueryParam("out_order_no")),
		SubMchID:   correction.CleanNumber(c.QueryParam("sub_mchid")),
		ServiceID:  correction.CleanNumber(c.QueryParam("service_id")),
	}
	problem := func(status int, p pages.FindProblem) error {
		find.Problem = p
		return s.homePage(c, status, find)
	}
	switch {
	case find.OutOrderNo == "":
		return problem(http.StatusUnprocessableEntity, pages.FindEmpty)
	case !correction.ValidOrderNo(find.OutOrderNo):
		return problem(http.StatusUnprocessableEntity, pages.FindSyntax)
	case find.ServiceID != "" && !correction.ValidServiceID(find.ServiceID):
		find.ServiceID = ""
	}
	if find.SubMchID != "" && !correction.ValidMchID(find.SubMchID) {
		return problem(http.StatusUnprocessableEntity, pages.FindBadMerchant)
	}
	slow := func(err error) error {
		var e *correction.Error
		if !errors.As(err, &e) || e.Kind != correction.TooFast {
			return err
		}
		find.Wait = e.Wait
		retryAfter(c, e.Wait)
		if e.Code == correction.CodeSearching {
			return problem(http.StatusTooManyRequests, pages.FindSearching)
		}
		return problem(http.StatusTooManyRequests, pages.FindTooFast)
	}
	if err := s.Corrections.LookUp(a, find.OutOrderNo); err != nil {
		s.tooFast(c, find.OutOrderNo)
		return slow(err)
	}
	if find.SubMchID != "" {
		ref := correction.Ref{SubMchID: find.SubMchID, ServiceID: find.ServiceID, OutOrderNo: find.OutOrderNo}
		known, err := s.inScope(ctx, a, find.SubMchID)
		if err != nil {
			return err
		}
		if !known {
			s.notFound(c, ref, 0)
			return problem(http.StatusNotFound, pages.FindNoMerchant)
		}
		_, err = s.Corrections.ReadOrder(ctx, a, ref)
		if correction.KindOf(err) == correction.NotFound {
			find.Asked = 1
			s.notFound(c, ref, 1)
			return problem(http.StatusNotFound, pages.FindNowhere)
		}
		if err != nil {
			return err
		}
		return seeOther(c, pages.OrderURL(ref))
	}
	found, err := s.Corrections.FindOrder(ctx, a, find.ServiceID, find.OutOrderNo)
	if err != nil {
		return slow(err)
	}
	find.Asked = found.Asked
	switch {
	case len(found.Refs) == 1:
		return seeOther(c, pages.OrderURL(found.Refs[0]))
	case len(found.Refs) > 1:
		if find.Choices, err = s.findChoices(ctx, a, found.Refs); err != nil {
			return err
		}
		return problem(http.StatusOK, pages.FindSeveral)
	case found.Asked == 0:
		s.notFound(c, correction.Ref{OutOrderNo: find.OutOrderNo}, 0)
		return problem(http.StatusOK, pages.FindTooMany)
	}
	s.notFound(c, correction.Ref{OutOrderNo: find.OutOrderNo}, found.Asked)
	return problem(http.StatusNotFound, pages.FindNowhere)
}

// findChoices names the merchants at which an order was found.
func (s *server) findChoices(ctx context.Context, a correction.Actor, refs []correction.Ref) ([]pages.FindChoice, error) {
	merchants, err := s.Corrections.MerchantsFor(ctx, a)
	if err != nil {
		return nil, err
	}
	var choices []pages.FindChoice
	for _, r := range refs {
		choice := pages.FindChoice{Ref: r, MerchantName: r.SubMchID}
		for _, m := range merchants {
			if m.SubMchID == r.SubMchID {
				choice.MerchantName = m.Name
			}
		}
		choices = append(choices, choice)
	}
	return choices, nil
}

// Actions of audit entries about look-ups.
const (
	actionNotFound = "lookup.not_found"
	actionDenied   = "lookup.denied"
	actionTooFast  = "lookup.too_fast"
)

// notFound puts a look-up on record that led to no order; asked is how many merchants
// were asked. One of a merchant that is not the person's is a denied one.
func (s *server) notFound(c echo.Context, ref correction.Ref, asked int) {
	action, detail := actionNotFound, "order "+ref.OutOrderNo
	if ref.SubMchID != "" {
		detail += " merchant " + ref.SubMchID
		if !actor(c).Scope.Allows(ref.SubMchID) {
			action = actionDenied
		}
	}
	s.record(c, action, detail+" asked "+strconv.Itoa(asked))
}

// tooFast puts on record that somebody looks up more than they may, once a
// minute.
func (s *server) tooFast(c echo.Context, outOrderNo string) {
	if s.audits.first(actor(c).UserID, s.Now()) {
		s.record(c, actionTooFast, "order "+outOrderNo)
	}
}

// opens counts the reading of an order's page or form.
func (s *server) opens(c echo.Context, outOrderNo string) error {
	err := s.Corrections.OpenOrder(actor(c), outOrderNo)
	if err != nil {
		s.tooFast(c, outOrderNo)
	}
	return err
}

// unread puts on record that the page or form of an order led to none.
func (s *server) unread(c echo.Context, ref correction.Ref, err error) error {
	if correction.KindOf(err) == correction.NotFound {
		asked := 1
		if !actor(c).Scope.Allows(ref.SubMchID) {
			asked = 0
		}
		s.notFound(c, ref, asked)
	}
	return err
}

func (s *server) inScope(ctx context.Context, a correction.Actor, subMchID string) (bool, error) {
	merchants, err := s.Corrections.MerchantsFor(ctx, a)
	for _, m := range merchants {
		if m.SubMchID == subMchID {
			return true, err
		}
	}
	return false, err
}
