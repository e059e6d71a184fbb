package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

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
	props.Recent, _, err = s.Corrections.List(ctx, a, correction.LogFilter{AuthorID: a.UserID}, correction.Page{Limit: recentRows})
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
	if find.SubMchID != "" {
		if !correction.ValidMchID(find.SubMchID) {
			return problem(http.StatusUnprocessableEntity, pages.FindBadMerchant)
		}
		ref := correction.Ref{SubMchID: find.SubMchID, ServiceID: find.ServiceID, OutOrderNo: find.OutOrderNo}
		known, err := s.inScope(ctx, a, find.SubMchID)
		if err != nil {
			return err
		}
		if !known {
			return problem(http.StatusNotFound, pages.FindNoMerchant)
		}
		_, err = s.Corrections.ReadOrder(ctx, a, ref)
		if correction.KindOf(err) == correction.NotFound {
			find.Asked = 1
			return problem(http.StatusNotFound, pages.FindNowhere)
		}
		if err != nil {
			return err
		}
		return seeOther(c, pages.OrderURL(ref))
	}
	found, err := s.Corrections.FindOrder(ctx, a, find.ServiceID, find.OutOrderNo)
	if err != nil {
		return err
	}
	find.Asked = found.Asked
	switch {
	case len(found.Refs) == 1:
		return seeOther(c, pages.OrderURL(found.Refs[0]))
	case len(found.Refs) > 1:
		merchants, err := s.Corrections.MerchantsFor(ctx, a)
		if err != nil {
			return err
		}
		for _, r := range found.Refs {
			choice := pages.FindChoice{Ref: r, MerchantName: r.SubMchID}
			for _, m := range merchants {
				if m.SubMchID == r.SubMchID {
					choice.MerchantName = m.Name
				}
			}
			find.Choices = append(find.Choices, choice)
		}
		return problem(http.StatusOK, pages.FindSeveral)
	case found.Asked == 0:
		return problem(http.StatusOK, pages.FindTooMany)
	}
	return problem(http.StatusNotFound, pages.FindNowhere)
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
