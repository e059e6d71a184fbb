package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var settingsTitle = i18n.Text{ZH: "设置", EN: "Settings"}

// maxSettingFields bounds the form of the limits: five fields a person.
const maxSettingFields = 4000

// settingFields are the fields of each form of settings.
var settingFields = map[string]*regexp.Regexp{
	string(correction.SettingReasons): regexp.MustCompile(`^reason\.[0-9]{1,4}\.(code|zh|en|outgoing|needs_note|retired)$`),
	string(correction.SettingLimits):  regexp.MustCompile(`^(agent|supervisor)\.(per|percent|day|count)$|^person\.[0-9]{1,18}\.(own|per|percent|day|count)$`),
	string(correction.SettingTiers):   regexp.MustCompile(`^tier\.[0-9]{1,4}\.(from|who|person\.[0-9]{1,18})$`),
	string(correction.SettingFlags):   regexp.MustCompile(`^(zero|share|near|again_days|outside_hours|fast_seconds|other_running|pair_count|pair_days|sample)$`),
	string(correction.SettingHours):   regexp.MustCompile(`^day\.[0-6]\.(open|from|until)$`),
	correction.CatalogMerchants:       regexp.MustCompile(`^(was|sub_mchid|name)$`),
	correction.CatalogServices:        regexp.MustCompile(`^(was|service_id|name|industry|cap|allow_zero)$`),
}

// settingOf is the setting that a route is of.
func settingOf(c echo.Context) string { return strings.Split(c.Path(), "/")[2] }

func (s *server) settingsPage(c echo.Context, name string) layout.Page {
	title := settingsTitle
	if name != "" {
		title = i18n.SettingName(name)
	}
	p := s.page(c, title)
	p.Nav = layout.NavSettings
	if c.Request().Method != http.MethodGet {
		p.Path = pages.SettingURL(name)
	}
	return p
}

func (s *server) settings(c echo.Context) error {
	d, err := s.Corrections.SettingsDesk(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, pages.Settings(pages.SettingsProps{Page: s.settingsPage(c, ""), Desk: d}))
}

func (s *server) setting(c echo.Context) error {
	return s.settingPage(c, http.StatusOK, func(p *pages.SettingProps) error {
		s.takeFlash(c, &p.Page)
		return nil
	})
}

// settingPage answers the page of a setting; change puts what was typed on it.
func (s *server) settingPage(c echo.Context, status int, change func(*pages.SettingProps) error) error {
	name := correction.SettingName(settingOf(c))
	v, err := s.Corrections.SettingView(c.Request().Context(), actor(c), name)
	if err != nil {
		return err
	}
	p := pages.SettingProps{Page: s.settingsPage(c, string(name)), View: v, N: v.N, Typed: v.Settings.Typed(name)}
	if p.Through, err = s.letThrough(c.Request().Context(), actor(c), v.Open); err != nil {
		return err
	}
	if err := change(&p); err != nil {
		return err
	}
	p.Page.Problems = len(p.Problems)
	return s.render(c, status, pages.Setting(p))
}

// letThrough reads the corrections that a page about an edit names, as the person may
// read them: what is kept from them is left out, and so is what is not theirs.
func (s *server) letThrough(ctx context.Context, a correction.Actor, o *correction.Open) (map[int64]correction.Correction, error) {
	out := map[int64]correction.Correction{}
	if o == nil {
		return out, nil
	}
	for _, r := range o.Through.Rows {
		c, err := s.Corrections.Correction(ctx, a, r.ID)
		switch kind := correction.KindOf(err); {
		case err == nil:
			out[r.ID] = c
		case kind != correction.Forbidden && kind != correction.NotFound:
			return nil, err
		}
	}
	return out, nil
}

// settingForm reads a form of settings: what was typed, the version it started from and
// the button.
func settingForm(c echo.Context, name string) (t correction.Typed, n int, do string, err error) {
	v, err := postFields(c, func(f string) bool {
		return f == "n" || f == "do" || f == "version" || settingFields[name].MatchString(f)
	}, maxSettingFields)
	if err != nil {
		return nil, 0, "", err
	}
	do = v.Get("do")
	if v.Has("n") {
		if n, err = strconv.Atoi(v.Get("n")); err != nil || n < 0 {
			return nil, 0, "", fmt.Errorf("%w: n=%q", errBadForm, v.Get("n"))
		}
	}
	v.Del("n")
	v.Del("do")
	v.Del("version") // of an edit that waits, whose form is on the same page
	return typedOf(v), n, do, nil
}

func typedOf(v url.Values) correction.Typed {
	t := correction.Typed{}
	for f := range v {
		t[f] = v.Get(f)
	}
	return t
}

// editSetting carries out a button of a form of settings. Only save stores anything.
func (s *server) editSetting(c echo.Context) error {
	name := correction.SettingName(settingOf(c))
	t, n, do, err := settingForm(c, string(name))
	if err != nil {
		return err
	}
	if do == "look" || do != "save" {
		return s.settingPage(c, http.StatusOK, func(p *pages.SettingProps) error {
			p.N, p.Typed = n, t
			if do == "look" { // Enter: nothing is stored yet
				_, p.Problems = correction.ParseSetting(name, t, p.View.Basis)
				return nil
			}
			p.Focus, err = arrange(name, t, do)
			return err
		})
	}
	problems, done, err := s.Corrections.EditSetting(c.Request().Context(), actor(c), name, n, t, c.RealIP())
	switch {
	case correction.CodeOf(err) == correction.CodeWaiting:
		return s.settingPage(c, http.StatusConflict, func(p *pages.SettingProps) error {
			p.N, p.Typed, p.Refused = n, t, correction.CodeWaiting
			return nil
		})
	case correction.CodeOf(err) == correction.CodeEdited:
		return s.settingPage(c, http.StatusConflict, func(p *pages.SettingProps) error {
			p.Typed, p.Conflict = t, true
			value, problems := correction.ParseSetting(name, t, p.View.Basis)
			if p.Problems = problems; len(problems) > 0 {
				return nil
			}
			raw, err := json.Marshal(value)
			if err == nil {
				p.Theirs, err = p.View.Settings.With(name, raw)
				p.Read = err == nil
			}
			return err
		})
	case err != nil:
		return err
	case len(problems) > 0:
		return s.settingPage(c, http.StatusUnprocessableEntity, func(p *pages.SettingProps) error {
			p.N, p.Typed, p.Problems = n, t, problems
			return nil
		})
	}
	return s.flashTo(c, savedFlash[done], pages.SettingURL(string(name)))
}

// savedFlash is the message about an edit.
var savedFlash = map[correction.Saved]string{correction.NotSaved: "unchanged", correction.SavedNow: "saved", correction.SavedWaits: "waiting"}

// arrange adds, moves or removes a row of what was typed, and returns the field to put
// the focus in.
func arrange(name correction.SettingName, t correction.Typed, do string) (focus string, err error) {
	list := map[correction.SettingName]string{correction.SettingReasons: "reason", correction.SettingTiers: "tier"}[name]
	verb, number, _ := strings.Cut(do, "-")
	rows := t.Rows(list)
	first := map[string]string{"reason": "code", "tier": "from"}[list]
	if list != "" && verb == "add" && number == "" {
		next := 0
		if len(rows) > 0 {
			next = rows[len(rows)-1] + 1
		}
		if next > maxIndex || len(rows) >= correction.MaxReasons {
			return "", nil
		}
		focus = fmt.Sprintf("%s.%d.%s", list, next, first)
		t[focus] = ""
		return focus, nil
	}
	i, ok := rowIndex(number)
	at := slices.Index(rows, i)
	if list == "" || !ok || at < 0 {
		return "", fmt.Errorf("%w: do=%q", errBadForm, do)
	}
	switch {
	case verb == "remove":
		for f := range t {
			if strings.HasPrefix(f, fmt.Sprintf("%s.%d.", list, i)) {
				delete(t, f)
			}
		}
		return "", nil
	case verb == "up" && at > 0:
		swap(t, list, i, rows[at-1])
		return fmt.Sprintf("%s.%d.zh", list, rows[at-1]), nil
	case verb == "down" && at+1 < len(rows):
		swap(t, list, i, rows[at+1])
		return fmt.Sprintf("%s.%d.zh", list, rows[at+1]), nil
	case verb == "up" || verb == "down":
		return "", nil
	}
	return "", fmt.Errorf("%w: do=%q", errBadForm, do)
}

// swap exchanges two rows.
func swap(t correction.Typed, list string, i, j int) {
	a, b := fmt.Sprintf("%s.%d.", list, i), fmt.Sprintf("%s.%d.", list, j)
	moved := correction.Typed{}
	for f, v := range t {
		if rest, ok := strings.CutPrefix(f, a); ok {
			moved[b+rest] = v
			delete(t, f)
		} else if rest, ok := strings.CutPrefix(f, b); ok {
			moved[a+rest] = v
			delete(t, f)
		}
	}
	for f, v := range moved {
		t[f] = v
	}
}

func (s *server) settingHistory(c echo.Context) error {
	return s.settingHistoryPage(c, http.StatusOK, func(*pages.SettingHistoryProps) {})
}

func (s *server) settingHistoryPage(c echo.Context, status int, change func(*pages.SettingHistoryProps)) error {
	ctx, a, name := c.Request().Context(), actor(c), correction.SettingName(settingOf(c))
	v, err := s.Corrections.SettingView(ctx, a, name)
	if err != nil {
		return err
	}
	p := pages.SettingHistoryProps{Page: s.settingsPage(c, string(name)), View: v}
	if p.Versions, err = s.Corrections.SettingHistory(ctx, a, name); err != nil {
		return err
	}
	if p.Decided, err = s.Corrections.DecidedSettings(ctx, a, string(name)); err != nil {
		return err
	}
	change(&p)
	p.Page.Problems = len(p.Problems)
	return s.render(c, status, pages.SettingHistory(p))
}

// restoreSetting makes an old value the newest version: n names the old one, now the
// newest that was shown.
func (s *server) restoreSetting(c echo.Context) error {
	name := correction.SettingName(settingOf(c))
	v, err := postForm(c, fields("n", "now"))
	if err != nil {
		return err
	}
	old, err1 := strconv.Atoi(v.Get("n"))
	now, err2 := strconv.Atoi(v.Get("now"))
	if err1 != nil || err2 != nil {
		return errBadForm
	}
	problems, done, err := s.Corrections.RestoreSetting(c.Request().Context(), actor(c), name, now, old, c.RealIP())
	switch {
	case correction.CodeOf(err) == correction.CodeWaiting:
		return s.settingPage(c, http.StatusConflict, func(p *pages.SettingProps) error {
			p.Refused = correction.CodeWaiting
			return nil
		})
	case correction.CodeOf(err) == correction.CodeEdited:
		return s.settingHistoryPage(c, http.StatusConflict, func(p *pages.SettingHistoryProps) { p.Conflict = true })
	case err != nil:
		return err
	case len(problems) > 0:
		return s.settingHistoryPage(c, http.StatusUnprocessableEntity, func(p *pages.SettingHistoryProps) { p.Problems, p.Tried = problems, old })
	}
	return s.flashTo(c, savedFlash[done], pages.SettingURL(string(name)))
}
