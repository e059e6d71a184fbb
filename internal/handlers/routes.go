package handlers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/web/static"
	"correction-console/web/templates/pages"
)

// access says who may use a route. The zero value lets nobody in.
type access struct {
	public   bool // no session needed
	signedIn bool // whoever has one
	action   correction.Action
}

var (
	everybody = access{public: true}
	signedIn  = access{signedIn: true}
)

// may lets those in whose role permits an action.
func may(a correction.Action) access { return access{action: a} }

// permits reports whether the access is for a person who is signed in.
func (a access) permits(who correction.Actor) bool {
	return a.public || a.signedIn || who.Can(a.action)
}

// route is one row of the route table.
type route struct {
	method string
	path   string
	access access
	handle func(*server, echo.Context) error
}

const (
	insightsCSVPath = "/insights.csv"
	metricsPath     = "/metrics"
)

// exportPaths are answered with a stream: never to HEAD, never compressed on the way.
var exportPaths = []string{"/corrections.csv", "/corrections.xlsx", "/corrections.jsonl"}

func isExport(path string) bool { return slices.Contains(exportPaths, path) }

// table is the one route table. A route that is not here does not exist; a row
// without access lets nobody in, and one whose path is not among the queries takes no
// parameters.
var table = append(settingRoutes(), []route{
	{http.MethodGet, "/healthz", everybody, (*server).healthz},
	{http.MethodGet, "/readyz", everybody, (*server).readyz},
	{http.MethodGet, metricsPath, everybody, (*server).metricsRoute},
	{http.MethodPost, "/csp-report", everybody, (*server).cspReport},

	{http.MethodGet, "/login", everybody, (*server).signInPage},
	{http.MethodPost, "/login", everybody, (*server).signIn},
	{http.MethodPost, "/logout", signedIn, (*server).signOut},

	{http.MethodGet, "/", signedIn, (*server).home},
	{http.MethodGet, "/orders", may(correction.ReadOrders), (*server).findOrder},
	{http.MethodGet, "/orders/:sub_mchid/:out_order_no", may(correction.ReadOrders), (*server).order},
	{http.MethodGet, "/orders/:sub_mchid/:out_order_no/correction", may(correction.Correct), (*server).form},
	{http.MethodPost, "/orders/:sub_mchid/:out_order_no/correction", may(correction.Correct), (*server).submitForm},

	{http.MethodPost, "/corrections/preview", may(correction.Correct), (*server).preview},
	{http.MethodGet, "/corrections", may(correction.ReadCorrections), heavy((*server).log)},
	{http.MethodPost, "/corrections/views", may(correction.ReadCorrections), (*server).saveFilter},
	{http.MethodPost, "/corrections/views/:id/deletion", may(correction.ReadCorrections), (*server).deleteFilter},
	{http.MethodGet, "/corrections.csv", may(correction.Export), (*server).exportCSV},
	{http.MethodGet, "/corrections.xlsx", may(correction.Export), (*server).exportXLSX},
	{http.MethodGet, "/corrections.jsonl", may(correction.Export), (*server).exportJSONL},
	{http.MethodGet, "/corrections/exports/:token", may(correction.Export), (*server).exportStatus},
	{http.MethodGet, "/corrections/:id", may(correction.ReadCorrections), (*server).correction},
	{http.MethodPost, "/corrections/:id/confirmation", may(correction.Correct), (*server).confirm},
	{http.MethodPost, "/corrections/:id/withdrawal", may(correction.Correct), (*server).withdraw},
	{http.MethodPost, "/corrections/:id/check", may(correction.Correct), (*server).checkNow},
	{http.MethodPost, "/corrections/:id/resolution", may(correction.Settle), (*server).resolve},
	{http.MethodPost, "/corrections/:id/approval", may(correction.Approve), (*server).approve},
	{http.MethodPost, "/corrections/:id/return", may(correction.Approve), (*server).returnForEdit},
	{http.MethodPost, "/corrections/:id/decline", may(correction.Approve), (*server).decline},
	{http.MethodPost, "/corrections/:id/review", may(correction.AnswerReviews), (*server).review},
	{http.MethodGet, "/corrections/:id/proof", may(correction.ReadCorrections), (*server).proof},

	{http.MethodGet, "/review", may(correction.ReadReviews), heavy((*server).reviews)},
	{http.MethodPost, "/review/signoff", may(correction.Review), (*server).signOff},
	{http.MethodGet, "/review/days/:day", may(correction.ReadReviews), heavy((*server).day)},
	{http.MethodPost, "/review/days/:day", may(correction.Review), heavy((*server).closeDay)},

	{http.MethodGet, pages.ApprovalsURL, may(correction.ReadReviews), (*server).approvals},
	{http.MethodGet, pages.InsightsURL, may(correction.ReadReviews), heavy((*server).insights)},
	{http.MethodGet, insightsCSVPath, may(correction.ReadReviews), heavy((*server).insightsCSV)},

	{http.MethodGet, "/operations", may(correction.ReadOperations), (*server).operations},

	{http.MethodGet, "/settings", may(correction.ReadSettings), (*server).settings},
	{http.MethodGet, "/settings/merchants", may(correction.ReadSettings), (*server).catalog},
	{http.MethodPost, "/settings/merchants", may(correction.EditCatalog), (*server).editCatalog},
	{http.MethodGet, "/settings/merchants/history", may(correction.ReadSettings), (*server).catalogHistory},
	{http.MethodGet, "/settings/services", may(correction.ReadSettings), (*server).catalog},
	{http.MethodPost, "/settings/services", may(correction.EditCatalog), (*server).editCatalog},
	{http.MethodGet, "/settings/services/history", may(correction.ReadSettings), (*server).catalogHistory},
	{http.MethodPost, "/settings/services/agreement", may(correction.AgreeCatalog), (*server).agree},

	{http.MethodGet, "/account", signedIn, (*server).account},
	{http.MethodPost, "/account/preferences", signedIn, (*server).setPreferences},
	{http.MethodPost, "/account/password", signedIn, (*server).changePassword},
	{http.MethodPost, "/account/sessions/revocation", signedIn, (*server).revokeOthers},
	{http.MethodPost, "/account/sessions/:row/revocation", signedIn, (*server).revokeSession},
}...)

// settingRoutes are the routes of the settings, the same for each.
func settingRoutes() (all []route) {
	read, edit := may(correction.ReadSettings), may(correction.EditSettings)
	for _, name := range correction.SettingNames {
		path := "/settings/" + string(name)
		all = append(all, []route{
			{http.MethodGet, path, read, (*server).setting},
			{http.MethodPost, path, edit, (*server).editSetting},
			{http.MethodGet, path + "/history", read, (*server).settingHistory},
			{http.MethodPost, path + "/restore", edit, (*server).restoreSetting},
			{http.MethodPost, path + "/agreement", edit, (*server).agree},
		}...)
	}
	return all
}

func (s *server) routes(e *echo.Echo) error {
	origins := []string{}
	if s.PublicURL != nil {
		origins = append(origins, s.PublicURL.Scheme+"://"+s.PublicURL.Host)
	}
	cross, err := auth.CrossOrigin(origins...)
	if err != nil {
		return err
	}
	for _, r := range table {
		h := func(c echo.Context) error { return r.handle(s, c) }
		chain := []echo.MiddlewareFunc{cross, s.allow(r.access), asks(r.path), s.paced(r.path)}
		e.Add(r.method, r.path, h, chain...)
		if r.method == http.MethodGet && !isExport(r.path) {
			e.Add(http.MethodHead, r.path, h, chain...)
		}
	}
	files := echo.WrapHandler(static.Handler)
	e.GET(static.Prefix+"*", files)
	e.HEAD(static.Prefix+"*", files)
	e.RouteNotFound("/*", func(c echo.Context) error {
		if methods := methodsOf(c.Request().URL.EscapedPath()); len(methods) > 0 {
			c.Response().Header().Set(echo.HeaderAllow, strings.Join(methods, ", "))
			return echo.ErrMethodNotAllowed
		}
		return echo.ErrNotFound
	})
	return nil
}

// methodsOf lists the methods of the routes that a path belongs to.
func methodsOf(path string) []string {
	var out []string
	for _, r := range table {
		if matches(r.path, path) {
			out = append(out, r.method)
			if r.method == http.MethodGet && !isExport(r.path) {
				out = append(out, http.MethodHead)
			}
		}
	}
	return out
}

func matches(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i, w := range want {
		if w != have[i] && (!strings.HasPrefix(w, ":") || have[i] == "") {
			return false
		}
	}
	return true
}

// allow is the gate of a route: without a session to the sign-in page, with the
// wrong role to a page that says so.
func (s *server) allow(a access) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if a.public {
				return next(c)
			}
			u, _, ok := auth.From(c)
			if !ok {
				return s.askToSignIn(c)
			}
			if !a.permits(correction.Actor{Role: u.Role}) {
				return errForbidden // recorded where it becomes a page
			}
			return next(c)
		}
	}
}
