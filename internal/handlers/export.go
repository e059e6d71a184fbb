package handlers

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/pages"
)

// cell is one value of an exported row: a text, or a number as it is written.
type cell struct {
	text   string
	number []byte // when not nil, and in place of the text
}

// exportRow makes the cells of one row after the other in the same memory.
type exportRow struct {
	zone  *time.Location
	lang  i18n.Lang
	cells []cell
	bytes []byte // of the numbers and times of this row
	words struct {
		states map[correction.State]string
		flags  map[string]string
	}
}

// exportColumns are the columns of a table, in order.
var exportColumns = []struct {
	title i18n.Text
	width int // in characters, for a spreadsheet
	value func(*exportRow, *correction.Summary) cell
}{
	{i18n.Text{ZH: "改价号", EN: "Correction"}, 10, func(e *exportRow, r *correction.Summary) cell { return e.integer(r.ID) }},
	{i18n.Text{ZH: "时间", EN: "Time"}, 26, func(e *exportRow, r *correction.Summary) cell { return e.time(r.PreparedAt) }},
	{i18n.Text{ZH: "订单号", EN: "Order number"}, 28, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.Ref.OutOrderNo} }},
	{i18n.Text{ZH: "商户号", EN: "Merchant number"}, 14, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.Ref.SubMchID} }},
	{i18n.Text{ZH: "商户", EN: "Merchant"}, 16, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.MerchantName} }},
	{i18n.Text{ZH: "服务", EN: "Service"}, 34, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.Ref.ServiceID} }},
	{i18n.Text{ZH: "服务名称", EN: "Service name"}, 16, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.ServiceName} }},
	{i18n.Text{ZH: "客服", EN: "Agent"}, 12, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.AuthorName} }},
	{i18n.Text{ZH: "用户名", EN: "User name"}, 12, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.AuthorLogin} }},
	{i18n.Text{ZH: "原因", EN: "Reason"}, 16, func(e *exportRow, r *correction.Summary) cell { return cell{text: e.lang.T(r.Reason.ZH, r.Reason.EN)} }},
	{i18n.Text{ZH: "原因代码", EN: "Reason code"}, 14, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.Reason.Code} }},
	{i18n.Text{ZH: "发给微信的说明", EN: "Text sent to WeChat"}, 40, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.Outgoing} }},
	{i18n.Text{ZH: "工单号", EN: "Ticket"}, 18, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.Ticket} }},
	{i18n.Text{ZH: "内部备注", EN: "Internal note"}, 40, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.Note} }},
	{i18n.Text{ZH: "原金额（元）", EN: "Original (yuan)"}, 12, func(e *exportRow, r *correction.Summary) cell { return e.yuan(r.BaseTotal) }},
	{i18n.Text{ZH: "目标金额（元）", EN: "Target (yuan)"}, 12, func(e *exportRow, r *correction.Summary) cell { return e.yuan(r.Target) }},
	{i18n.Text{ZH: "少收（元）", EN: "Reduction (yuan)"}, 12, func(e *exportRow, r *correction.Summary) cell { return e.yuan(r.Reduction()) }},
	{i18n.Text{ZH: "降幅（%）", EN: "Share (%)"}, 10, func(e *exportRow, r *correction.Summary) cell {
		if r.Veiled() {
			return e.hidden()
		}
		return e.tenths(correction.Permille(r.Reduction(), r.BaseTotal))
	}},
	{i18n.Text{ZH: "状态", EN: "State"}, 14, func(e *exportRow, r *correction.Summary) cell { return cell{text: e.state(r.State)} }},
	{i18n.Text{ZH: "状态代码", EN: "State code"}, 14, func(_ *exportRow, r *correction.Summary) cell { return cell{text: string(r.State)} }},
	{i18n.Text{ZH: "状态时间", EN: "State since"}, 26, func(e *exportRow, r *correction.Summary) cell { return e.time(r.ChangedAt) }},
	{i18n.Text{ZH: "审批人", EN: "Decided by"}, 12, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.ApproverName} }},
	{i18n.Text{ZH: "复核", EN: "Review"}, 10, func(e *exportRow, r *correction.Summary) cell { return cell{text: e.review(r)} }},
	{i18n.Text{ZH: "标记", EN: "Flags"}, 20, func(e *exportRow, r *correction.Summary) cell { return cell{text: e.flags(r.Flags)} }},
	{i18n.Text{ZH: "设备", EN: "Device"}, 20, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.Devices} }},
	{i18n.Text{ZH: "微信请求编号", EN: "WeChat Request-ID"}, 40, func(_ *exportRow, r *correction.Summary) cell { return cell{text: r.RequestID} }},
}

func newExportRow(zone *time.Location, l i18n.Lang) *exportRow {
	e := &exportRow{zone: zone, lang: l, cells: make([]cell, len(exportColumns))}
	e.words.states, e.words.flags = map[correction.State]string{}, map[string]string{}
	for _, s := range correction.States {
		e.words.states[s] = i18n.StateWord(s).In(l)
	}
	for _, code := range correction.FlagCodes {
		e.words.flags[code] = i18n.FlagName(code).In(l)
	}
	return e
}

// of makes the cells of a row; they are good until the next one.
func (e *exportRow) of(r *correction.Summary) []cell {
	e.bytes = e.bytes[:0]
	for i := range exportColumns {
		e.cells[i] = exportColumns[i].value(e, r)
	}
	return e.cells
}

func (e *exportRow) titles() []cell {
	for i, c := range exportColumns {
		e.cells[i] = cell{text: c.title.In(e.lang)}
	}
	return e.cells
}

// stampLayout is a time of day with its offset: the same text means the same moment
// wherever it is read.
const stampLayout = "2006-01-02 15:04:05-07:00"

// appended is what was appended to the memory of this row since from.
func (e *exportRow) appended(from int) []byte { return e.bytes[from:len(e.bytes):len(e.bytes)] }

// A time starts with a digit and holds nothing to be quoted: it is written like a number
// where a table knows no types, and as a text in a spreadsheet.
func (e *exportRow) time(t time.Time) cell {
	from := len(e.bytes)
	e.bytes = t.In(e.zone).AppendFormat(e.bytes, stampLayout)
	return cell{text: timeCell, number: e.appended(from)}
}

// timeCell marks a number that is a time.
const timeCell = "t"

func (e *exportRow) integer(n int64) cell {
	from := len(e.bytes)
	e.bytes = appendInt(e.bytes, n)
	return cell{number: e.appended(from)}
}

// hidden stands in place of an amount that who exports may not see yet.
func (e *exportRow) hidden() cell { return cell{text: e.lang.T("金额不显示", "amount hidden")} }

func (e *exportRow) yuan(f correction.Fen) cell {
	if f.IsHidden() {
		return e.hidden()
	}
	from := len(e.bytes)
	e.bytes = appendYuan(e.bytes, f)
	return cell{number: e.appended(from)}
}

func (e *exportRow) tenths(n int) cell {
	from := len(e.bytes)
	e.bytes = append(appendInt(e.bytes, int64(n/10)), '.', byte('0'+n%10))
	return cell{number: e.appended(from)}
}

func (e *exportRow) state(s correction.State) string {
	if word, ok := e.words.states[s]; ok {
		return word
	}
	return string(s)
}

func (e *exportRow) review(r *correction.Summary) string {
	switch {
	case r.Review != "":
		return i18n.ReviewWord(string(r.Review)).In(e.lang)
	case r.State.Final():
		return i18n.ReviewWord(correction.ReviewNone).In(e.lang)
	}
	return ""
}

func (e *exportRow) flags(codes string) string {
	if codes == "" {
		return ""
	}
	var names []string
	for code := range strings.FieldsSeq(codes) {
		name, ok := e.words.flags[code]
		if !ok {
			name = code
		}
		names = append(names, name)
	}
	return strings.Join(names, i18n.Mark(e.lang, "、", ", "))
}

// exportHead is what a file says of itself.
type exportHead struct {
	page   string // address of the page it shows
	filter string // in words
	order  string // in words
	zone   string
	by     string
	at     time.Time
}

// fact is a line of the head.
type fact struct{ name, value string }

// exportEnd is the first cell of the last record of a file: the record tells how many
// there are before it and holds the checkpoint of the record. A file without it was cut
// off.
var exportEnd = i18n.Text{ZH: "校验点", EN: "Checkpoint"}

func (h exportHead) facts(l i18n.Lang) []fact {
	return []fact{
		{l.T("筛选条件", "Filter"), h.filter}, {l.T("排序", "Order"), h.order}, {l.T("时区", "Time zone"), h.zone},
		{l.T("导出人", "Exported by"), h.by}, {l.T("导出时间", "Exported at"), h.at.Format(stampLayout)},
	}
}

func countWords(l i18n.Lang, rows int) string { return l.F("共 %d 条", "%d corrections", rows) }

// zoneName is a zone with its offset at a moment: Asia/Shanghai (+08:00).
func zoneName(t time.Time) string {
	return fmt.Sprintf("%s (%s)", t.Location(), t.Format("-07:00"))
}

// exportFormat writes one kind of file.
type exportFormat interface {
	begin(exportHead) error
	row(*correction.Summary) error
	end(h exportHead, rows int, c correction.Checkpoint) error
}

// kindOfFile is a format with its name and type.
type kindOfFile struct {
	suffix, mediaType string
	make              func(s *server, c echo.Context, w *bufio.Writer) exportFormat
}

func (s *server) exportCSV(c echo.Context) error {
	return s.export(c, kindOfFile{"csv", "text/csv; charset=utf-8", func(s *server, c echo.Context, w *bufio.Writer) exportFormat {
		return &csvFile{w: w, cells: newExportRow(s.Zone, s.lang(c)), excel: c.QueryParam("bom") != ""}
	}})
}

func (s *server) exportXLSX(c echo.Context) error {
	return s.export(c, kindOfFile{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", func(s *server, c echo.Context, w *bufio.Writer) exportFormat {
		return newXLSX(w, newExportRow(s.Zone, s.lang(c)))
	}})
}

func (s *server) exportJSONL(c echo.Context) error {
	ctx := c.Request().Context()
	return s.export(c, kindOfFile{"jsonl", "application/x-ndjson; charset=utf-8", func(s *server, c echo.Context, w *bufio.Writer) exportFormat {
		return newJSONL(w, s.Zone, func() (correction.Checkpoint, error) { return s.Checkpoint(ctx) })
	}})
}

// exportBuffer is how much of a file is sent at a time.
const exportBuffer = 32 << 10

// export streams what the change log shows for the same filter, in the same order, and
// at the end what makes a cut file show. Should it fail midway the connection is cut too.
func (s *server) export(c echo.Context, kind kindOfFile) error {
	ctx, a := c.Request().Context(), actor(c)
	known, err := s.known(ctx, a)
	if err != nil {
		return err
	}
	form, filter := s.logFilter(c.QueryParams(), known)
	if len(form.Problems)+len(form.Strange) > 0 { // the page says which
		return seeOther(c, pages.LogURL+"?"+c.QueryParams().Encode())
	}
	l, now := s.lang(c), s.Now().In(s.Zone)
	head := exportHead{
		page: logURL(form, "", ""), filter: conditionsInWords(l, form, known), zone: zoneName(now), by: a.Name, at: now,
		order: map[changelog.LogSort]string{changelog.ByTime: l.T("新的在前", "newest first"), changelog.ByReduction: l.T("少收多的在前", "largest reduction first")}[form.Sort],
	}
	token := c.QueryParam("token")
	if err := s.exports.enter(a); err != nil {
		s.exports.refuse(a, token, err)
		return err
	}
	defer s.exports.leave(a)
	to := newPaced(c.Response(), s.Exports)
	defer to.last()
	w := bufio.NewWriterSize(to, exportBuffer)
	progress := s.exports.start(a, token, func() (int, bool, error) { return s.ChangeLog.CountLog(ctx, a, filter) })
	var file exportFormat
	begun := false
	err = s.ChangeLog.ExportLog(ctx, a, filter, form.Sort, changelog.Sink{
		What: strings.TrimSuffix(kind.suffix+"?"+strings.TrimPrefix(query(form, "", ""), "?"), "?"), IP: c.RealIP(),
		Begin: func() error {
			begun = true
			h := c.Response().Header()
			h.Set(echo.HeaderContentType, kind.mediaType)
			h.Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="corrections-%s.%s"`, now.Format("20060102-150405"), kind.suffix))
			h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
			c.Response().WriteHeader(http.StatusOK)
			file = kind.make(s, c, w)
			if err := file.begin(head); err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
			c.Response().Flush() // the browser knows at once that there is a file
			return nil
		},
		Still: func() error { return s.mayGoOn(c, a) },
		Row: func(r correction.Summary) error {
			progress.rows.Add(1)
			return file.row(&r)
		},
		End: func(rows int) error {
			cp, err := s.Checkpoint(ctx)
			if err != nil {
				return err
			}
			if err := file.end(head, rows, cp); err != nil {
				return err
			}
			return w.Flush()
		},
		Close: func(_ int, err error) { progress.end(err) },
	})
	if err != nil {
		progress.end(err)
	}
	if err != nil && begun {
		s.Log.Error("export cut off", "id", requestID(c), "why", string(changelog.WhyCut(err)), "err", logText(err))
		panic(http.ErrAbortHandler)
	}
	return err
}

// mayGoOn reports whether somebody may still have what they asked for as a: their session
// stands, and their role and scope are not less than they were.
func (s *server) mayGoOn(c echo.Context, a correction.Actor) error {
	u, err := s.Sessions.Still(c)
	if errors.Is(err, auth.ErrNoSession) {
		return changelog.CutSession
	}
	if err != nil {
		return err
	}
	less := u.Role != a.Role || a.Scope.All && !u.Scope.All ||
		slices.ContainsFunc(a.Scope.Merchants, func(m string) bool { return !u.Scope.Allows(m) })
	if less {
		return changelog.CutRights
	}
	return nil
}

// ExportLimits bound how slowly, and how long, an export is taken in: at least Least bytes
// in each Window, and all of it within Longest.
type ExportLimits struct {
	Window  time.Duration
	Least   int
	Longest time.Duration
}

// DefaultExportLimits are 512 bytes a second over a minute, and an hour.
var DefaultExportLimits = ExportLimits{Window: time.Minute, Least: 60 * 512, Longest: time.Hour}

// paced writes to an answer that its reader has to take in at some pace. What it waits
// for others than the reader does not count.
type paced struct {
	to     http.ResponseWriter
	ctl    *http.ResponseController
	limits ExportLimits
	end    time.Time
	waited time.Duration // for the reader, in this window
	taken  int           // in this window
	quick  bool          // the newest write was
}

func newPaced(to http.ResponseWriter, limits ExportLimits) *paced {
	if limits == (ExportLimits{}) {
		limits = DefaultExportLimits
	}
	p := &paced{to: to, ctl: http.NewResponseController(to), limits: limits, end: time.Now().Add(limits.Longest)}
	p.rest()
	return p
}

// Sizes of writes: what a slow reader took of one cannot be told before it is done.
const (
	quickWrite = exportBuffer
	slowWrite  = 2 << 10
)

// rest takes back the deadline of a write that is done: over HTTP/2 it would end the
// stream while somebody else is waited for.
func (p *paced) rest() { _ = p.ctl.SetWriteDeadline(p.end) }

// last bounds what the server itself still writes, when all rows are.
func (p *paced) last() { _ = p.ctl.SetWriteDeadline(time.Now().Add(p.limits.Window)) }

func (p *paced) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		size := slowWrite
		if p.quick {
			size = quickWrite
		}
		part := b[:min(size, len(b))]
		start := time.Now()
		until := start.Add(p.limits.Window - p.waited)
		why := changelog.CutSlow
		if p.end.Before(until) {
			until, why = p.end, changelog.CutLongest
		}
		if !until.After(start) {
			return written, why
		}
		_ = p.ctl.SetWriteDeadline(until)
		n, err := p.to.Write(part)
		p.rest()
		written += n
		now := time.Now()
		if err != nil {
			if !now.Before(until) {
				err = fmt.Errorf("%w: %w", why, err)
			}
			return written, err
		}
		took := now.Sub(start)
		p.quick = took < 10*time.Millisecond
		if p.waited, p.taken = p.waited+took, p.taken+n; p.taken >= p.limits.Least {
			p.waited, p.taken = 0, 0
		}
		b = b[n:]
	}
	return written, nil
}

// stamp is a moment in the configured zone, with its offset.
func (s *server) stamp(t time.Time) string { return t.In(s.Zone).Format(stampLayout) }
