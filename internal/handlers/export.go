package handlers

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
)

// exportColumns are the columns of an export, in order.
var exportColumns = []struct {
	title i18n.Text
	value func(*server, i18n.Lang, correction.Summary) string
}{
	{i18n.Text{ZH: "改价号", EN: "Correction"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return strconv.FormatInt(r.ID, 10) }},
	{i18n.Text{ZH: "时间", EN: "Time"}, func(s *server, _ i18n.Lang, r correction.Summary) string { return s.stamp(r.PreparedAt) }},
	{i18n.Text{ZH: "订单号", EN: "Order number"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.Ref.OutOrderNo }},
	{i18n.Text{ZH: "商户号", EN: "Merchant number"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.Ref.SubMchID }},
	{i18n.Text{ZH: "商户", EN: "Merchant"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.MerchantName }},
	{i18n.Text{ZH: "服务", EN: "Service"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.Ref.ServiceID }},
	{i18n.Text{ZH: "客服", EN: "Agent"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.AuthorName }},
	{i18n.Text{ZH: "用户名", EN: "User name"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.AuthorLogin }},
	{i18n.Text{ZH: "原因", EN: "Reason"}, func(_ *server, l i18n.Lang, r correction.Summary) string { return l.T(r.Reason.ZH, r.Reason.EN) }},
	{i18n.Text{ZH: "发给微信的说明", EN: "Text sent to WeChat"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.Outgoing }},
	{i18n.Text{ZH: "工单号", EN: "Ticket"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.Ticket }},
	{i18n.Text{ZH: "内部备注", EN: "Internal note"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.Note }},
	{i18n.Text{ZH: "原金额（元）", EN: "Original (yuan)"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.BaseTotal.Yuan() }},
	{i18n.Text{ZH: "目标金额（元）", EN: "Target (yuan)"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.Target.Yuan() }},
	{i18n.Text{ZH: "少收（元）", EN: "Reduction (yuan)"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.Reduction().Yuan() }},
	{i18n.Text{ZH: "状态", EN: "State"}, func(_ *server, l i18n.Lang, r correction.Summary) string { return i18n.StateWord(r.State).In(l) }},
	{i18n.Text{ZH: "状态代码", EN: "State code"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return string(r.State) }},
	{i18n.Text{ZH: "状态时间", EN: "State since"}, func(s *server, _ i18n.Lang, r correction.Summary) string { return s.stamp(r.ChangedAt) }},
	{i18n.Text{ZH: "微信请求编号", EN: "WeChat Request-ID"}, func(_ *server, _ i18n.Lang, r correction.Summary) string { return r.RequestID }},
}

func (s *server) stamp(t time.Time) string { return t.In(s.Zone).Format("2006-01-02 15:04:05") }

// exportEnd is the first cell of the last record of an export. The record tells how
// many there are before it and holds the checkpoint of the record: a file without it
// was cut off.
var exportEnd = i18n.Text{ZH: "校验点", EN: "Checkpoint"}

// exportCSV streams what the change log shows for the same filter, and a last record
// that makes a cut file show. Should it fail midway the connection is cut too.
func (s *server) exportCSV(c echo.Context) error {
	form, filter := s.logFilter(c.QueryParams())
	if len(form.Problems) > 0 {
		return seeOther(c, logURL(form, "", ""))
	}
	lang := s.lang(c)
	w := bufio.NewWriterSize(patient{c.Response()}, 8<<10)
	row := make([]string, len(exportColumns))
	begun, rows := false, 0
	begin := func() {
		begun = true
		h := c.Response().Header()
		h.Set(echo.HeaderContentType, "text/csv; charset=utf-8")
		h.Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="corrections-%s.csv"`, s.Now().In(s.Zone).Format("20060102-150405")))
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		c.Response().WriteHeader(http.StatusOK)
		w.WriteString("\ufeff")
		for i, col := range exportColumns {
			row[i] = col.title.In(lang)
		}
		writeCSV(w, row)
	}
	err := s.Corrections.ExportLog(c.Request().Context(), actor(c), filter, correction.ByTime, "csv"+query(form, "", ""), c.RealIP(), func(r correction.Summary) error {
		if !begun {
			begin()
		}
		for i, col := range exportColumns {
			row[i] = col.value(s, lang, r)
		}
		rows++
		return writeCSV(w, row)
	})
	var cp correction.Checkpoint
	if err == nil {
		cp, err = s.Checkpoint(c.Request().Context())
	}
	if err == nil && !begun {
		begin()
	}
	if err == nil {
		clear(row)
		row[0], row[1], row[2] = exportEnd.In(lang), lang.F("共 %d 条", "%d corrections", rows), cp.Note
		err = writeCSV(w, row)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil && begun {
		s.Log.Error("export cut off", "id", requestID(c), "err", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// stalledAfter is how long a browser may take no bytes of an export.
const stalledAfter = 30 * time.Second

// patient writes to an answer that may take long as a whole, but not at a stretch.
type patient struct{ *echo.Response }

func (p patient) Write(b []byte) (int, error) {
	_ = http.NewResponseController(p.Response).SetWriteDeadline(time.Now().Add(stalledAfter))
	return p.Response.Write(b)
}

// writeCSV writes one record as RFC 4180 has it. A text that a spreadsheet would
// take for a formula gets a leading apostrophe (trust.md §3.4), and so does a number
// that it would round, such as a service id.
func writeCSV(w *bufio.Writer, row []string) error {
	for i, v := range row {
		if i > 0 {
			w.WriteByte(',')
		}
		if formula(v) || longNumber(v) {
			v = "'" + v
		}
		if strings.ContainsAny(v, "\",\r\n") {
			w.WriteByte('"')
			w.WriteString(strings.ReplaceAll(v, `"`, `""`))
			w.WriteByte('"')
		} else {
			w.WriteString(v)
		}
	}
	_, err := w.WriteString("\r\n")
	return err
}

// longNumber reports numbers of more digits than a spreadsheet keeps.
func longNumber(v string) bool {
	return len(v) > 15 && strings.Trim(v, "0123456789") == ""
}

// formula reports texts that start like a formula, full-width forms included.
func formula(v string) bool {
	for _, r := range v {
		return strings.ContainsRune("=+-@\t\r\n\x00＝＋－＠", r)
	}
	return false
}
