package handlers

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var errForbidden = &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}

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
			Name: u.Name, Role: u.Role, CanLog: a.Can(correction.ReadCorrections), CanFind: a.Can(correction.ReadOrders), CanRun: a.Can(correction.ReadOperations), CanSet: a.Can(correction.ReadSettings),
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
