package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

// catalog lists merchants or services, with the form of one when edit names it.
func (s *server) catalog(c echo.Context) error {
	return s.catalogPage(c, http.StatusOK, func(p *pages.CatalogProps) error {
		s.takeFlash(c, &p.Page)
		edit := c.QueryParam("edit")
		switch {
		case p.MayAdd && c.QueryParam("add") != "":
			p.Typed = correction.Typed{}
			return nil
		case edit == "" || !p.MayEdit(edit):
			return nil
		}
		value, typed, _ := catalogNow(p, edit)
		if value == nil {
			return echo.ErrNotFound
		}
		raw, err := json.Marshal(value)
		p.Typed, p.Was = typed, string(raw)
		return err
	})
}

// catalogNow is a merchant or service as it stands on the page: its value, its form and
// its words; nil when there is none.
func catalogNow(p *pages.CatalogProps, key string) (value any, t correction.Typed, words []i18n.SettingLine) {
	for _, m := range p.Merchants {
		if m.SubMchID == key {
			return m, merchantForm(m), pages.MerchantLines(p.Page, m)
		}
	}
	for _, o := range p.Offerings {
		if o.ServiceID != key {
			continue
		}
		return o, offeringForm(o), pages.OfferingLines(p.Page, o)
	}
	return nil, nil, nil
}

func (s *server) catalogPage(c echo.Context, status int, change func(*pages.CatalogProps) error) error {
	name, a := settingOf(c), actor(c)
	d, err := s.Corrections.SettingsDesk(c.Request().Context(), a)
	if err != nil {
		return err
	}
	p := pages.CatalogProps{Page: s.settingsPage(c, name), Name: name, Actor: a}
	if name == correction.CatalogMerchants {
		p.Merchants, p.MayAdd = d.Merchants, a.MayEditMerchant(correction.Merchant{}, true)
	} else {
		p.Offerings, p.MayAdd, p.Open, p.People = d.Offerings, a.MayEditServices(), d.Services, d.People
	}
	if err := change(&p); err != nil {
		return err
	}
	p.Page.Problems = len(p.Problems)
	return s.render(c, status, pages.Catalog(p))
}

// editCatalog stores a merchant or a service, if it is still what was shown.
func (s *server) editCatalog(c echo.Context) error {
	name := settingOf(c)
	t, _, do, err := settingForm(c, name)
	if err != nil {
		return err
	}
	was := t["was"]
	delete(t, "was")
	var problems []correction.Notice
	var put func() (correction.Saved, error)
	var words func(layout.Page) []i18n.SettingLine
	key := ""
	ctx, a, ip := c.Request().Context(), actor(c), c.RealIP()
	if name == correction.CatalogMerchants {
		before, err := shown[correction.Merchant](was)
		if err != nil {
			return err
		}
		m, bad := correction.ParseMerchant(t)
		if before != nil && before.SubMchID != m.SubMchID {
			return errBadForm
		}
		key, problems = m.SubMchID, bad
		put = func() (correction.Saved, error) {
			return correction.SavedNow, s.Corrections.PutMerchant(ctx, a, before, m, ip)
		}
		words = func(p layout.Page) []i18n.SettingLine { return pages.MerchantLines(p, m) }
	} else {
		before, err := shown[correction.Offering](was)
		if err != nil {
			return err
		}
		o, bad := correction.ParseOffering(t)
		if before != nil && before.ServiceID != o.ServiceID {
			return errBadForm
		}
		key, problems = o.ServiceID, bad
		put = func() (correction.Saved, error) { return s.Corrections.PutOffering(ctx, a, before, o, ip) }
		words = func(p layout.Page) []i18n.SettingLine { return pages.OfferingLines(p, o) }
	}
	if len(problems) > 0 || do != "save" {
		status := http.StatusOK
		if do == "save" {
			status = http.StatusUnprocessableEntity
		}
		return s.catalogPage(c, status, func(p *pages.CatalogProps) error {
			p.Typed, p.Was, p.Problems = t, was, problems
			return nil
		})
	}
	done, err := put()
	switch correction.CodeOf(err) {
	case correction.CodeEdited:
	case correction.CodeWaiting:
		return s.catalogPage(c, http.StatusConflict, func(p *pages.CatalogProps) error {
			p.Typed, p.Was, p.Refused = t, was, correction.CodeWaiting
			return nil
		})
	default:
		if err != nil {
			return err
		}
		return s.flashTo(c, savedFlash[done], pages.SettingURL(name))
	}
	return s.catalogPage(c, http.StatusConflict, func(p *pages.CatalogProps) error {
		p.Typed, p.Conflicts = t, true
		value, _, now := catalogNow(p, key)
		if value == nil { // only merchants and services that are new are not there
			return nil
		}
		p.Conflict = i18n.SettingChanges(now, words(p.Page))
		raw, err := json.Marshal(value)
		p.Was = string(raw)
		return err
	})
}

// shown reads what a form says was shown; nil when it was new.
func shown[T any](was string) (*T, error) {
	if was == "" {
		return nil, nil
	}
	var v T
	if err := json.Unmarshal([]byte(was), &v); err != nil {
		return nil, fmt.Errorf("%w: was: %w", errBadForm, err)
	}
	return &v, nil
}

func (s *server) catalogHistory(c echo.Context) error {
	ctx, a, name := c.Request().Context(), actor(c), settingOf(c)
	edits, err := s.Corrections.CatalogHistory(ctx, a, name)
	if err != nil {
		return err
	}
	desk, err := s.Corrections.SettingsDesk(ctx, a)
	if err != nil {
		return err
	}
	p := pages.CatalogHistoryProps{Page: s.settingsPage(c, name), Name: name}
	for _, e := range edits {
		x, err := catalogChange(p.Page, name, e)
		if err != nil {
			return err
		}
		if name == correction.CatalogMerchants && a.MayEditMerchant(correction.Merchant{SubMchID: x.Key}, false) || name == correction.CatalogServices && a.MayEditServices() {
			if x.Back, err = takeBack(desk, name, e); err != nil {
				return err
			}
		}
		p.Edits = append(p.Edits, x)
	}
	return s.render(c, http.StatusOK, pages.CatalogHistory(p))
}

// takeBack is the form that gives a merchant or a service the value again that it had
// before an edit; nil when it was new then, or has that value now.
func takeBack(d correction.Desk, name string, e correction.CatalogEdit) (correction.Typed, error) {
	before, err := shown[correction.Merchant](strings.TrimPrefix(string(e.Before), "null"))
	if name == correction.CatalogServices {
		var o *correction.Offering
		if o, err = shown[correction.Offering](strings.TrimPrefix(string(e.Before), "null")); err == nil && o != nil {
			return again(d.Offerings, *o, func(x correction.Offering) bool { return x.ServiceID == o.ServiceID }, offeringForm(*o))
		}
		return nil, err
	}
	if err != nil || before == nil {
		return nil, err
	}
	return again(d.Merchants, *before, func(x correction.Merchant) bool { return x.SubMchID == before.SubMchID }, merchantForm(*before))
}

// again completes a form with what stands now.
func again[T comparable](all []T, want T, is func(T) bool, t correction.Typed) (correction.Typed, error) {
	i := slices.IndexFunc(all, is)
	if i < 0 || all[i] == want {
		return nil, nil
	}
	raw, err := json.Marshal(all[i])
	t["was"] = string(raw)
	return t, err
}

func merchantForm(m correction.Merchant) correction.Typed {
	return correction.Typed{"sub_mchid": m.SubMchID, "name": m.Name}
}

func offeringForm(o correction.Offering) correction.Typed {
	t := correction.Typed{"service_id": o.ServiceID, "name": o.Name, "industry": o.Industry}
	if o.Cap > 0 {
		t["cap"] = o.Cap.Yuan()
	}
	if o.AllowZero {
		t["allow_zero"] = "1"
	}
	return t
}

// catalogChange puts an edit of a merchant or service into words.
func catalogChange(p layout.Page, name string, e correction.CatalogEdit) (pages.CatalogChange, error) {
	out := pages.CatalogChange{Edit: e}
	read := func(raw json.RawMessage) ([]i18n.SettingLine, error) {
		if len(raw) == 0 || string(raw) == "null" {
			return nil, nil
		}
		if name == correction.CatalogMerchants {
			var m correction.Merchant
			err := json.Unmarshal(raw, &m)
			out.Subject, out.Key = m.Name, m.SubMchID
			return pages.MerchantLines(p, m), err
		}
		var o correction.Offering
		err := json.Unmarshal(raw, &o)
		out.Subject, out.Key = o.Name, o.ServiceID
		return pages.OfferingLines(p, o), err
	}
	before, err := read(e.Before)
	if err != nil {
		return out, err
	}
	after, err := read(e.After)
	out.Changes = i18n.SettingChanges(before, after)
	return out, err
}
