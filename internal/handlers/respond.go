package handlers

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var errForbidden = &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}

// contentPolicy is the CSP of every page (trust.md §3.1): no script and no style
// but our own files, nothing in a frame, nothing from elsewhere.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'; report-uri /csp-report"

const requestIDKey = "request-id"

// frame gives each request its number and each answer the headers of
// trust.md §3.2, and logs it.
func (s *server) frame(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.Now()
		id := newRequestID()
		c.Set(requestIDKey, id)
		h := c.Response().Header()
		h.Set("X-Request-Id", id)
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", s.referrerPolicy())
		h.Set("X-Frame-Options", "DENY")
		if !s.Exposed { // browsers refuse it there, and say so
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
		}
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		if s.Log.Enabled(c.Request().Context(), slog.LevelInfo) {
			var user int64
			if u, _, ok := auth.From(c); ok {
				user = u.ID
			}
			s.Log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request",
				slog.String("id", id), slog.String("method", clipped(c.Request().Method, maxLogged)), slog.String("path", clipped(c.Request().URL.Path, maxLogged)),
				slog.Int("status", c.Response().Status), slog.Int64("user", user), slog.String("ip", c.RealIP()),
				slog.Duration("took", s.Now().Sub(start)))
		}
		return nil
	}
}

// referrerPolicy keeps addresses of the console to itself. Over plain http beyond this
// machine browsers send no Sec-Fetch-Site, and under no-referrer they post "Origin: null":
// nothing would tell the console's own pages from others. Under same-origin they name
// the origin to the console itself, and to nobody else.
func (s *server) referrerPolicy() string {
	if s.Exposed {
		return "same-origin"
	}
	return "no-referrer"
}

// newRequestID is a number that can be read aloud: E-7K2Q-0319.
func newRequestID() string {
	const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford: no I, L, O, U
	b := make([]byte, 8)
	rand.Read(b)
	for i := range b {
		b[i] = letters[b[i]&31]
	}
	return "E-" + string(b[:4]) + "-" + string(b[4:])
}

func requestID(c echo.Context) string {
	id, _ := c.Get(requestIDKey).(string)
	return id
}

// recover turns a panic into an error page; the process goes on.
func (s *server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch r := recover(); r {
			case nil:
			case http.ErrAbortHandler:
				panic(r)
			default:
				s.Log.Error("panic", "id", requestID(c), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
				err = errors.New("panic")
			}
		}()
		return next(c)
	}
}

var errHost = echo.NewHTTPError(http.StatusMisdirectedRequest)

// host refuses names that are not ours (DNS rebinding, host-header tricks). An
// address cannot be rebound; localhost and the public URL's name are ours.
func (s *server) host(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if p := c.Request().URL.Path; p == "/healthz" || p == "/readyz" || p == metricsPath || isFile(p) {
			return next(c) // asked by machines, or by the page that says so, under whatever name
		}
		host := c.Request().Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
		if _, err := netip.ParseAddr(host); err == nil || strings.EqualFold(host, "localhost") ||
			(s.PublicURL != nil && strings.EqualFold(host, s.PublicURL.Hostname())) {
			return next(c)
		}
		s.hosts.tell(c, s.Log, s.publicURL())
		return errHost
	}
}

// strangeHosts bounds how often names that are not ours are logged: anybody can ask
// under any.
type strangeHosts struct {
	mu    sync.Mutex
	limit *rate.Limiter
	left  int
}

// maxHost is how much of such a name is logged.
const maxHost = 255

func (h *strangeHosts) tell(c echo.Context, log *slog.Logger, right string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.limit == nil {
		h.limit = rate.NewLimiter(rate.Every(time.Minute), 5)
	}
	if !h.limit.Allow() {
		h.left++
		return
	}
	log.Warn("asked under a name that is not ours", "host", clipped(c.Request().Host, maxHost), "CONSOLE_PUBLIC_URL", right, "ip", c.RealIP(), "id", requestID(c), "not_logged_before", h.left)
	h.left = 0
}

// clipped is at most n bytes of a text that somebody else chose.
func clipped(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

func (s *server) publicURL() string {
	if s.PublicURL == nil {
		return ""
	}
	return s.PublicURL.Scheme + "://" + s.PublicURL.Host
}

// body bounds what is read and refuses encodings that browsers' forms do not use.
func (s *server) body(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return next(c)
		}
		if r.ContentLength > maxBody {
			return echo.ErrStatusRequestEntityTooLarge
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, maxBody)
		if r.URL.Path == "/login" {
			r.Body = &signInBody{ReadCloser: r.Body}
		}
		r.Body = &metered{ReadCloser: r.Body, c: c, s: s}
		return next(c)
	}
}

// page is the frame of a page for the person who asks.
func (s *server) page(c echo.Context, title i18n.Text) layout.Page {
	p := layout.Page{
		Lang: s.lang(c), Path: c.Request().URL.RequestURI(), Now: s.Now(), Zone: s.Zone, Version: s.Version, DemoURL: s.DemoURL,
	}
	p.Title = title.In(p.Lang)
	if u, _, ok := auth.From(c); ok {
		a := auth.Actor(u, auth.Session{})
		p.Theme = u.Theme
		p.User = &layout.User{
			Name: u.Name, Role: u.Role, CanLog: a.Can(correction.ReadCorrections), CanFind: a.Can(correction.ReadOrders), CanRun: a.Can(correction.ReadOperations), CanSet: a.MayReadSettings(),
		}
		s.queues(c, a, &p)
		s.alarm(c, a, &p)
	}
	if ck, err := c.Cookie(s.Sessions.Cookie(keysCookie)); err == nil {
		p.KeysOff = ck.Value == "off"
	}
	if c.Request().Method != http.MethodGet {
		p.Path = "/"
	}
	return p
}

// queues counts on every page what waits for a supervisor.
func (s *server) queues(c echo.Context, a correction.Actor, p *layout.Page) {
	if !a.Can(correction.ReadReviews) {
		return
	}
	p.User.Queues = true
	var err error
	ctx := context.WithoutCancel(c.Request().Context())
	if p.User.Waiting, err = s.Corrections.ApprovalCount(ctx, a); err != nil {
		s.Log.Error("count what waits for approval", "id", requestID(c), "err", err)
	}
	if p.User.Reviews, err = s.Corrections.ReviewCount(ctx, a); err != nil {
		s.Log.Error("count what waits for a review", "id", requestID(c), "err", err)
	}
}

// alarmsShown is how many alarms a page lists before it only counts them.
const alarmsShown = 3

// alarm tells on every page that corrections are refused, and those who look after the
// installation what alarms: corrections first, then the machine.
func (s *server) alarm(c echo.Context, a correction.Actor, p *layout.Page) {
	refuses := s.Corrections.Refuses()
	if refuses != "" {
		p.ReadOnly = i18n.ReadOnlyText(refuses).In(p.Lang)
	}
	s.waitingEdits(c, a, p)
	if !a.Can(correction.ReadOperations) {
		return
	}
	ctx := context.WithoutCancel(c.Request().Context())
	alarms := slices.DeleteFunc(s.Corrections.Alarms(ctx), func(alarm correction.Alarm) bool { return alarm.Concern == refuses }) // told already
	slices.SortStableFunc(alarms, func(x, y correction.Alarm) int { return int(min(y.ID, 1) - min(x.ID, 1)) })
	for i, alarm := range alarms {
		out := layout.Alarm{Text: i18n.AlarmWords(p.Lang, alarm), Href: pages.OperationsURL, Link: p.T("看运维页", "See operations")}
		if rest := len(alarms) - i; i == alarmsShown-1 && rest > 1 {
			out.Text = p.F("另外还有 %d 项提醒。", "There are %d more alarms.", rest)
			p.Alarms = append(p.Alarms, out)
			return
		}
		if alarm.ID != 0 {
			// That of a merchant out of scope is counted, not shown.
			if _, err := s.Corrections.Correction(ctx, a, alarm.ID); err == nil {
				out.Href, out.Link = pages.CorrectionURL(alarm.ID), p.F("看 #%d", "See #%d", alarm.ID)
			}
		}
		p.Alarms = append(p.Alarms, out)
	}
}

// Cookies besides those of the sign-in; in a browser they carry the installation's name
// (auth.Sessions.Cookie). The first two hold preferences.
const (
	langCookie  = "lang"
	keysCookie  = "keys" // "off" turns single-key shortcuts off
	flashCookie = "flash"
)

func (s *server) lang(c echo.Context) i18n.Lang {
	if u, _, ok := auth.From(c); ok && u.Lang != "" {
		l, _ := i18n.Parse(u.Lang)
		return l
	}
	if l, ok := i18n.Parse(c.QueryParam("lang")); ok && c.Path() == "/login" {
		return l
	}
	if ck, err := c.Cookie(s.Sessions.Cookie(langCookie)); err == nil {
		if l, ok := i18n.Parse(ck.Value); ok {
			return l
		}
	}
	return i18n.Accepted(c.Request().Header.Values("Accept-Language"))
}

// render writes a page: to a buffer first, so that a fault in a template leaves no
// half page behind.
func (s *server) render(c echo.Context, status int, t templ.Component) error {
	buf := templ.GetBuffer()
	defer templ.ReleaseBuffer(buf)
	if err := t.Render(context.WithoutCancel(c.Request().Context()), buf); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	return writeHTML(c, status, buf)
}

// minZipped is the length from which a page is compressed, in bytes.
const minZipped = 1024

// zippers are shared: one holds most of a megabyte, so none is held while an answer waits
// for whoever takes it in.
var zippers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, 6) // the level is one
	return w
}}

func writeHTML(c echo.Context, status int, buf *bytes.Buffer) error {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	h.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if buf.Len() >= minZipped && strings.Contains(c.Request().Header.Get(echo.HeaderAcceptEncoding), "gzip") {
		var small bytes.Buffer
		z := zippers.Get().(*gzip.Writer)
		z.Reset(&small)
		_, err := buf.WriteTo(z)
		if err = errors.Join(err, z.Close()); err != nil {
			return fmt.Errorf("compress page: %w", err)
		}
		z.Reset(io.Discard)
		zippers.Put(z)
		h.Set(echo.HeaderContentEncoding, "gzip")
		buf = &small
	}
	h.Set(echo.HeaderContentLength, strconv.Itoa(buf.Len()))
	c.Response().WriteHeader(status)
	_, err := buf.WriteTo(c.Response())
	return err
}

// seeOther answers a POST: 303 to a path of ours.
func seeOther(c echo.Context, path string) error { return c.Redirect(http.StatusSeeOther, path) }

// flashTo answers a POST with a message for the page that it leads to, and for no
// other.
func (s *server) flashTo(c echo.Context, code, path string) error {
	at, _, _ := strings.Cut(path, "?")
	s.setFlash(c, code+":"+at, at, 60)
	return seeOther(c, path)
}

func (s *server) setFlash(c echo.Context, code, path string, age int) {
	c.SetCookie(&http.Cookie{Name: s.Sessions.Cookie(flashCookie), Value: code, Path: path, HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode, MaxAge: age})
}

var flashes = map[string]i18n.Text{
	"saved":        {ZH: "已保存。", EN: "Saved."},
	"password":     {ZH: "密码已修改，其他会话已退出。", EN: "Password changed. Your other sessions are signed out."},
	"revoked":      {ZH: "会话已退出。", EN: "Session signed out."},
	"withdrawn":    {ZH: "改价已撤回，没有发给微信。", EN: "The correction is withdrawn. Nothing was sent to WeChat."},
	"discarded":    {ZH: "草稿已删除，订单没有变化。", EN: "The draft is deleted. The order is unchanged."},
	"returned":     {ZH: "已退回，申请人马上会看到你的意见。", EN: "Returned. The agent sees your words at once."},
	"declined":     {ZH: "已决定不批准，理由写入了记录。", EN: "Declined. The reason is on record."},
	"reviewed":     {ZH: "已记录。", EN: "Recorded."},
	"resolved":     {ZH: "已记录。", EN: "Recorded."},
	"day_closed":   {ZH: "日结已签署。", EN: "The day is closed."},
	"day_reopened": {ZH: "这一天已重开。", EN: "The day is reopened."},
	"view":         {ZH: "筛选已保存，在“常用筛选”里。", EN: "The filter is kept under “Views”."},
	"view-gone":    {ZH: "筛选已删除。", EN: "The view is deleted."},
	"kept":         {ZH: "你填写的内容已恢复，请核对后继续。", EN: "What you typed is back. Review it and go on."},
	"not_yours":    {ZH: "登录页上留着的内容是另一个人填的，没有带过来。请重新填写。", EN: "What the sign-in page had kept was typed by somebody else, so it was dropped. Please start again."},
	"other_person": {ZH: "刚才的表单是另一个人登录时打开的，没有提交。", EN: "That form was opened while somebody else was signed in here. It was not submitted."},
	"not_kept":     {ZH: "登录前填的内容没能恢复，请重新填写。", EN: "What you typed before signing in could not be restored. Please type it again."},
	"waiting":      {ZH: "已提交，等一位能管全部商户的主管同意后生效，现在还按原来的执行。", EN: "Submitted and waiting for a supervisor who covers all merchants. Nothing has changed yet."},
	"agreed":       {ZH: "已同意，现在生效。", EN: "Agreed. It is in force now."},
	"not_agreed":   {ZH: "没有生效，设置不变。", EN: "It did not come into force. The setting stays as it is."},
	"unchanged":    {ZH: "没有改动，没有保存新版本。", EN: "Nothing was changed; no new version."},
}

// warnings are the flashes of what did not come about.
var warnings = map[string]bool{"not_yours": true, "not_kept": true, "other_person": true}

// takeFlash reads the message of the last request, once.
func (s *server) takeFlash(c echo.Context, p *layout.Page) {
	ck, err := c.Cookie(s.Sessions.Cookie(flashCookie))
	if err != nil {
		return
	}
	code, at, _ := strings.Cut(ck.Value, ":")
	if at != c.Request().URL.EscapedPath() { // of a page above this one
		return
	}
	s.setFlash(c, "", c.Request().URL.EscapedPath(), -1)
	p.Flash, p.Warned = flashes[code].In(p.Lang), warnings[code]
}

// fail is the one place where errors become pages.
func (s *server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	props := pages.ErrorProps{Status: http.StatusInternalServerError, Problem: pages.ErrorInternal, ID: requestID(c), BackURL: "/"}
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
		s.describe(&props, de, c)
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

func (s *server) denied(c echo.Context, u auth.User) {
	s.security(c, "denied", string(u.Role))
}

// security puts what was refused for security's sake on record.
func (s *server) security(c echo.Context, action, detail string) {
	var id int64
	if u, _, ok := auth.From(c); ok {
		id = u.ID
	}
	path := clipped(c.Request().URL.Path, maxLogged)
	s.Log.Warn("refused", "action", action, "id", requestID(c), "method", clipped(c.Request().Method, maxLogged), "path", path, "user", id, "ip", c.RealIP())
	s.record(c, action, strings.TrimSpace(c.Request().Method+" "+path+" "+detail))
}

// record puts on the audit record what a signed-in person can repeat as often as they
// like: so many rows a minute, and then that there were more.
func (s *server) record(c echo.Context, action, detail string) {
	u, _, ok := auth.From(c)
	if !ok {
		return // anybody could fill the table
	}
	now := s.Now()
	missed, write := s.audits.take(u.ID, max(auditsPerMinute, 2*s.Corrections.Lookups.PerMinute), now)
	switch {
	case !write:
		return
	case missed < 0:
		action, detail = "more", "more of this minute is not listed one by one"
	case missed > 0:
		detail += fmt.Sprintf(" (%d before it are not listed)", missed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), 5*time.Second)
	defer cancel()
	if err := s.Audit(ctx, correction.AuditEntry{At: now, UserID: u.ID, Action: action, Detail: detail, IP: c.RealIP()}); err != nil {
		s.Log.Error("audit", "err", err)
	}
}

// maxLogged bounds what of an address or a method comes into the log and the record, in
// bytes: whoever asks chooses it.
const maxLogged = 256

// actor is the person who asks, for the use cases.
func actor(c echo.Context) correction.Actor {
	u, ss, _ := auth.From(c)
	return auth.Actor(u, ss)
}

// orderParams reads the order from the path. Each segment is decoded exactly once.
func orderParams(c echo.Context) (subMchID, outOrderNo string, err error) {
	segments := strings.Split(strings.TrimPrefix(c.Request().URL.EscapedPath(), "/"), "/")
	if len(segments) < 3 {
		return "", "", echo.ErrNotFound
	}
	subMchID, err = url.PathUnescape(segments[1])
	if err == nil {
		outOrderNo, err = url.PathUnescape(segments[2])
	}
	if err != nil || !correction.ValidMchID(subMchID) || !correction.ValidOrderNo(outOrderNo) {
		return "", "", echo.ErrNotFound
	}
	return subMchID, outOrderNo, nil
}
