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
	public bool // no session needed
	roles  []correction.Role
}

var (
	everybody = access{public: true}
	signedIn  = access{roles: correction.Roles}
	readers   = access{roles: []correction.Role{correction.Agent, correction.Supervisor, correction.Auditor}}
	editors   = access{roles: []correction.Role{correction.Agent, correction.Supervisor}}
	exporters = access{roles: []correction.Role{correction.Supervisor, correction.Auditor}}
	settlers  = access{roles: []correction.Role{correction.Supervisor}}
	judges    = access{roles: []correction.Role{correction.Supervisor}}
	reviewers = access{roles: []correction.Role{correction.Supervisor, correction.Auditor}}
	stewards  = access{roles: []correction.Role{correction.Operator}}
	choosers  = access{roles: []correction.Role{correction.Supervisor, correction.Operator}} // an operator only takes back what they edited
	overseers = access{roles: []correction.Role{correction.Supervisor, correction.Operator, correction.Auditor}}
)

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
var table = []route{
	{http.MethodGet, "/healthz", everybody, (*server).healthz},
	{http.MethodGet, "/readyz", everybody, (*server).readyz},
	{http.MethodGet, metricsPath, everybody, (*server).metricsRoute},
	{http.MethodPost, "/csp-report", everybody, (*server).cspReport},

	{http.MethodGet, "/login", everybody, (*server).signInPage},
	{http.MethodPost, "/login", everybody, (*server).signIn},
	{http.MethodPost, "/logout", signedIn, (*server).signOut},

	{http.MethodGet, "/", signedIn, (*server).home},
	{http.MethodGet, "/orders", readers, (*server).findOrder},
	{http.MethodGet, "/orders/:sub_mchid/:out_order_no", readers, (*server).order},
	{http.MethodGet, "/orders/:sub_mchid/:out_order_no/correction", editors, (*server).form},
	{http.MethodPost, "/orders/:sub_mchid/:out_order_no/correction", editors, (*server).submitForm},

	{http.MethodPost, "/corrections/preview", editors, (*server).preview},
	{http.MethodGet, "/corrections", signedIn, heavy((*server).log)},
	{http.MethodPost, "/corrections/views", signedIn, (*server).saveView},
	{http.MethodPost, "/corrections/views/:id/deletion", signedIn, (*server).deleteView},
	{http.MethodGet, "/corrections.csv", exporters, (*server).exportCSV},
	{http.MethodGet, "/corrections.xlsx", exporters, (*server).exportXLSX},
	{http.MethodGet, "/corrections.jsonl", exporters, (*server).exportJSONL},
	{http.MethodGet, "/corrections/exports/:token", exporters, (*server).exportStatus},
	{http.MethodGet, "/corrections/:id", signedIn, (*server).correction},
	{http.MethodPost, "/corrections/:id/confirmation", editors, (*server).confirm},
	{http.MethodPost, "/corrections/:id/withdrawal", editors, (*server).withdraw},
	{http.MethodPost, "/corrections/:id/check", editors, (*server).checkNow},
	{http.MethodPost, "/corrections/:id/resolution", settlers, (*server).resolve},
	{http.MethodPost, "/corrections/:id/approval", judges, (*server).approve},
	{http.MethodPost, "/corrections/:id/return", judges, (*server).giveBack},
	{http.MethodPost, "/corrections/:id/decline", judges, (*server).decline},
	{http.MethodPost, "/corrections/:id/review", editors, (*server).review},
	{http.MethodGet, "/corrections/:id/proof", signedIn, (*server).proof},

	{http.MethodGet, "/review", reviewers, heavy((*server).reviews)},
	{http.MethodPost, "/review/signoff", settlers, (*server).signOff},
	{http.MethodGet, "/review/days/:day", reviewers, heavy((*server).day)},
	{http.MethodPost, "/review/days/:day", settlers, heavy((*server).closeDay)},

	{http.MethodGet, pages.ApprovalsURL, reviewers, (*server).approvals},
	{http.MethodGet, pages.InsightsURL, exporters, heavy((*server).insights)},
	{http.MethodGet, insightsCSVPath, exporters, heavy((*server).insightsCSV)},

	{http.MethodGet, "/operations", overseers, (*server).operations},

	{http.MethodGet, "/settings", overseers, (*server).settings},
	{http.MethodGet, "/settings/reasons", overseers, (*server).setting},
	{http.MethodPost, "/settings/reasons", settlers, (*server).editSetting},
	{http.MethodGet, "/settings/reasons/history", overseers, (*server).settingHistory},
	{http.MethodPost, "/settings/reasons/restore", settlers, (*server).restoreSetting},
	{http.MethodPost, "/settings/reasons/agreement", settlers, (*server).agree},
	{http.MethodGet, "/settings/limits", overseers, (*server).setting},
	{http.MethodPost, "/settings/limits", settlers, (*server).editSetting},
	{http.MethodGet, "/settings/limits/history", overseers, (*server).settingHistory},
	{http.MethodPost, "/settings/limits/restore", settlers, (*server).restoreSetting},
	{http.MethodPost, "/settings/limits/agreement", settlers, (*server).agree},
	{http.MethodGet, "/settings/tiers", overseers, (*server).setting},
	{http.MethodPost, "/settings/tiers", settlers, (*server).editSetting},
	{http.MethodGet, "/settings/tiers/history", overseers, (*server).settingHistory},
	{http.MethodPost, "/settings/tiers/restore", settlers, (*server).restoreSetting},
	{http.MethodPost, "/settings/tiers/agreement", settlers, (*server).agree},
	{http.MethodGet, "/settings/flags", overseers, (*server).setting},
	{http.MethodPost, "/settings/flags", settlers, (*server).editSetting},
	{http.MethodGet, "/settings/flags/history", overseers, (*server).settingHistory},
	{http.MethodPost, "/settings/flags/restore", settlers, (*server).restoreSetting},
	{http.MethodPost, "/settings/flags/agreement", settlers, (*server).agree},
	{http.MethodGet, "/settings/hours", overseers, (*server).setting},
	{http.MethodPost, "/settings/hours", settlers, (*server).editSetting},
	{http.MethodGet, "/settings/hours/history", overseers, (*server).settingHistory},
	{http.MethodPost, "/settings/hours/restore", settlers, (*server).restoreSetting},
	{http.MethodPost, "/settings/hours/agreement", settlers, (*server).agree},
	{http.MethodGet, "/settings/merchants", overseers, (*server).catalog},
	{http.MethodPost, "/settings/merchants", stewards, (*server).editCatalog},
	{http.MethodGet, "/settings/merchants/history", overseers, (*server).catalogHistory},
	{http.MethodGet, "/settings/services", overseers, (*server).catalog},
	{http.MethodPost, "/settings/services", stewards, (*server).editCatalog},
	{http.MethodGet, "/settings/services/history", overseers, (*server).catalogHistory},
	{http.MethodPost, "/settings/services/agreement", choosers, (*server).agree},

	{http.MethodGet, "/account", signedIn, (*server).account},
	{http.MethodPost, "/account/preferences", signedIn, (*server).setPreferences},
	{http.MethodPost, "/account/password", signedIn, (*server).changePassword},
	{http.MethodPost, "/account/sessions/revocation", signedIn, (*server).revokeOthers},
	{http.MethodPost, "/account/sessions/:row/revocation", signedIn, (*server).revokeSession},
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
			if !slices.Contains(a.roles, u.Role) {
				return errForbidden // recorded where it becomes a page
			}
			return next(c)
		}
	}
}
