package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/pages"
)

// warnings are the flashes of what did not come about.
var warnings = map[string]bool{"not_yours": true, "not_kept": true, "other_person": true}

// fail is the one place where errors become pages.
func (s *server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	props := pages.ErrorProps{Status: http.StatusInternalServerError, Problem: pages.ErrorInternal, ID: requestID(c), BackURL: "/"}
	s.classify(&props, err, c)
	if props.Status >= 500 && !errors.Is(err, errCrowded) { // that is logged where it is bounded
		s.Log.Error("request failed", "id", props.ID, "status", props.Status, "err", logText(err))
	}
	if _, _, ok := auth.From(c); !ok && props.Problem == pages.ErrorNotFound {
		props.BackURL = "/login"
	}
	props.Page = s.page(c, errorTitle)
	if strings.HasPrefix(c.Path(), "/orders/") && props.Order == "" {
		_, props.Order, _ = orderParams(c)
	}
	links(&props, c)
	props.DraftKept, _ = c.Get(draftKept).(bool)
	if c.Request().Method == http.MethodHead {
		c.Response().WriteHeader(props.Status)
		return
	}
	if rerr := s.render(c, props.Status, pages.Error(props)); rerr != nil {
		s.Log.Error("error page", "id", props.ID, "err", rerr)
		if !c.Response().Committed {
			_ = c.String(http.StatusInternalServerError, "500 "+props.ID+"\n")
		}
	}
}

// classify says which problem an error is, and its status.
func (s *server) classify(props *pages.ErrorProps, err error, c echo.Context) {
	var he *echo.HTTPError
	var de *correction.Error
	var tooLarge *http.MaxBytesError
	var unread *queryError
	switch {
	case errors.Is(err, auth.ErrCrossSite):
		props.Status, props.Problem, props.NothingSent = http.StatusForbidden, pages.ErrorCrossSite, true
		s.security(c, "cross_site", "")
	case errors.Is(err, errHost):
		props.Status, props.Problem, props.PublicURL = http.StatusMisdirectedRequest, pages.ErrorHost, s.publicURL()
	case errors.Is(err, errCrowded):
		props.Status, props.Problem, props.NothingSent = http.StatusServiceUnavailable, pages.ErrorCrowded, true
	case errors.Is(err, errSlow):
		props.Status, props.Problem, props.NothingSent = http.StatusRequestTimeout, pages.ErrorSlow, true
	case errors.Is(err, errBadForm):
		props.Status, props.Problem, props.NothingSent = http.StatusBadRequest, pages.ErrorBadRequest, true
	case errors.As(err, &unread):
		props.Status, props.Problem, props.Query, props.Parameter = http.StatusBadRequest, pages.ErrorQuery, unread.Problem, unread.Name
	case errors.As(err, &tooLarge):
		props.Status, props.Problem, props.NothingSent = http.StatusRequestEntityTooLarge, pages.ErrorTooLarge, true
	case readingFailed(err):
		// Nothing was changed; what was asked for can be asked again.
		props.Status = http.StatusServiceUnavailable
		props.Problem = pages.ErrorSlowRead
		retry := slowRetry
		if errors.Is(err, correction.ErrCrowded) {
			props.Problem, retry = pages.ErrorReadsCrowded, crowdedRetry
		}
		props.NothingSent = c.Request().Method == http.MethodPost
		c.Response().Header().Set(echo.HeaderRetryAfter, retry)
	case errors.Is(err, errExporting):
		props.Status, props.Problem = http.StatusTooManyRequests, pages.ErrorExporting
		c.Response().Header().Set(echo.HeaderRetryAfter, crowdedRetry)
	case errors.As(err, &de):
		s.describe(props, de, c)
	case errors.As(err, &he):
		props.Status = he.Code
		switch he.Code {
		case http.StatusNotFound:
			props.Problem = pages.ErrorNotFound
		case http.StatusMethodNotAllowed:
			props.Problem = pages.ErrorMethod
		case http.StatusRequestEntityTooLarge:
			props.Problem, props.NothingSent = pages.ErrorTooLarge, true
		case http.StatusBadRequest, http.StatusMisdirectedRequest, http.StatusUnsupportedMediaType:
			props.Problem, props.NothingSent = pages.ErrorBadRequest, true
		}
	}
}

// links says where the page of an error leads: to what was asked for, or as near to it as
// makes sense.
func links(props *pages.ErrorProps, c echo.Context) {
	props.RetryURL = retryURL(c)
	if props.Problem == pages.ErrorQuery { // the page without what cannot be read
		if props.RetryURL = pageWithout(c); props.Page.User == nil {
			props.RetryURL, props.BackURL = "", props.RetryURL
		}
	}
	if props.Wait > 0 && props.RetryURL != "" {
		props.Page.Scripts = []string{"wait.js"}
	}
	if props.Problem == pages.ErrorHost { // never a link to where this came from
		if props.RetryURL = ""; props.PublicURL != "" {
			props.RetryURL = props.PublicURL + "/"
		}
	}
	if props.Problem == pages.ErrorRetried { // the order's page tells
		props.RetryURL = strings.TrimSuffix(props.RetryURL, "/correction")
	}
}

// After how many seconds to ask again for what could not be read.
const (
	crowdedRetry = "10"
	slowRetry    = "60"
)

// readingFailed reports errors that are only of reading: too much is read, or it took too
// long. Where the store was to be written, what that means comes first.
func readingFailed(err error) bool {
	var de *correction.Error
	if errors.As(err, &de) && de.Kind != correction.Internal {
		return false
	}
	return errors.Is(err, correction.ErrCrowded) || errors.Is(err, correction.ErrSlow)
}

// draftKept marks a request whose form was kept as a draft.
const draftKept = "draft-kept"

// retryURL is where a person goes on after an error: the page itself, or the one
// that a POST belongs to.
func retryURL(c echo.Context) string {
	path := c.Request().URL.EscapedPath()
	switch {
	case c.Request().Method == http.MethodGet:
		return c.Request().URL.RequestURI()
	case strings.HasSuffix(c.Path(), "/:out_order_no/correction"):
		return path
	case strings.HasPrefix(c.Path(), "/settings/"):
		return strings.TrimSuffix(path, "/restore")
	case strings.HasPrefix(c.Path(), "/corrections/:id/"):
		return path[:strings.LastIndexByte(path, '/')]
	}
	return ""
}

// pageWithout is the page that a refused query was for, without any.
func pageWithout(c echo.Context) string {
	switch path := c.Request().URL.EscapedPath(); {
	case c.Path() == "/orders":
		return "/"
	case isExport(path):
		return pages.LogURL
	case path == insightsCSVPath:
		return pages.InsightsURL
	default:
		return path
	}
}

// unrecorded makes an error of the store that is no other known error one that says
// so: a full disk is not a fault of the program.
func unrecorded(err error) error {
	if err == nil || correction.KindOf(err) != correction.Internal || errors.Is(err, context.Canceled) {
		return err
	}
	return &correction.Error{Kind: correction.Unavailable, Code: correction.CodeNoRecord, Err: err}
}

var errorTitle = i18n.Text{ZH: "出错了", EN: "Something went wrong"}

// describe fills an error page from an error of the domain.
func (s *server) describe(p *pages.ErrorProps, e *correction.Error, c echo.Context) {
	p.Remote, p.Holder, p.Concern, p.Amount = e.Remote, e.Holder, e.Concern, e.Amount
	p.Status = map[correction.Kind]int{
		correction.Invalid: http.StatusUnprocessableEntity, correction.NotFound: http.StatusNotFound,
		correction.Conflict: http.StatusConflict, correction.Forbidden: http.StatusForbidden,
		correction.Upstream: http.StatusBadGateway, correction.Unavailable: http.StatusServiceUnavailable,
		correction.TooFast: http.StatusTooManyRequests,
	}[e.Kind]
	if e.Kind == correction.TooFast {
		p.Wait = e.Wait
		retryAfter(c, e.Wait)
	}
	if p.Status == 0 {
		p.Status = http.StatusInternalServerError
	}
	known := map[string]pages.ErrorProblem{
		correction.CodeNotFound: pages.ErrorNotFound, correction.CodeForbidden: pages.ErrorForbidden,
		correction.CodeBusy: pages.ErrorBusy, correction.CodeTokenWrong: pages.ErrorTokenWrong,
		correction.CodeBaseUnknown: pages.ErrorBaseUnknown, correction.CodeUnreachable: pages.ErrorUnreachable,
		correction.CodeRefused: pages.ErrorRefused, correction.CodeUnverified: pages.ErrorUnverified, correction.CodeUnreadable: pages.ErrorUnreadable,
		correction.CodeBeyondBound: pages.ErrorBeyondBound,
		correction.CodeNoRecord:    pages.ErrorNoRecord, correction.CodeBadSettings: pages.ErrorSettings,
		correction.CodeNotCorrecting: pages.ErrorNotCorrectable, correction.CodeOutcomePending: pages.ErrorPending,
		correction.CodeReadOnly: pages.ErrorReadOnly, correction.CodeRetried: pages.ErrorRetried, correction.CodeSecondPerson: pages.ErrorSecondPerson,
		correction.CodeTooFast: pages.ErrorTooFast, correction.CodeTooMany: pages.ErrorTooMany, correction.CodeSearching: pages.ErrorSearching,
		correction.CodeOwnApproval: pages.ErrorOwnApproval, correction.CodeVeiled: pages.ErrorVeiled,
		correction.CodeTokenUsed: pages.ErrorMoved, correction.CodeReviewed: pages.ErrorMoved, correction.CodeWholeScope: pages.ErrorWholeScope,
	}
	if problem, ok := known[e.Code]; ok {
		p.Problem = problem
	}
	p.NothingSent = e.Kind != correction.Internal && e.Code != correction.CodeOutcomePending
	if e.Kind == correction.Forbidden && (e.Code == correction.CodeForbidden || e.Code == correction.CodeWholeScope) {
		if u, _, ok := auth.From(c); ok {
			s.denied(c, u)
		}
	}
}

// retryAfter tells a program how long to wait, in whole seconds.
func retryAfter(c echo.Context, wait time.Duration) {
	c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
}

// logText is an error for the log: never the SDK's own text, which prints headers.
func logText(err error) string {
	text := err.Error()
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return text
}
