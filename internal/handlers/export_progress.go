package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
)

// exports are those that run, and those that ended a while ago, by the session and the
// token that its page made up. The zero value has none.
type exports struct {
	mu      sync.Mutex
	list    map[exportKey]*exportProgress
	running map[int64]bool // people who have one
}

// mostRunning bounds how many exports run at a time, one a person.
const mostRunning = 16

// Why an export does not begin.
var (
	errExporting     = errors.New("this person has an export that runs")
	errManyExporting = fmt.Errorf("as many exports run as may: %w", correction.ErrCrowded)
)

// enter makes a person one of those who have an export, until leave.
func (e *exports) enter(a correction.Actor) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.running[a.UserID]:
		return errExporting
	case len(e.running) >= mostRunning:
		return errManyExporting
	case e.running == nil:
		e.running = map[int64]bool{}
	}
	e.running[a.UserID] = true
	return nil
}

func (e *exports) leave(a correction.Actor) {
	e.mu.Lock()
	delete(e.running, a.UserID)
	e.mu.Unlock()
}

type exportKey struct {
	session int64
	token   string
}

// exportProgress is how far an export is.
type exportProgress struct {
	rows    atomic.Int64
	state   atomic.Value // exportRunning, exportDone, exportCut or exportRefused
	why     atomic.Value // changelog.CutShort
	many    atomic.Bool  // refused because many others run
	total   atomic.Int64 // 0 = not known
	started time.Time
}

const (
	exportRunning = "running"
	exportDone    = "done"
	exportCut     = "cut"
	exportRefused = "refused"
)

// Bounds of what is kept of exports.
const (
	maxExports    = 200
	exportsKeptAs = time.Hour
)

var exportToken = regexp.MustCompile(`^[0-9a-f]{16,64}$`)

// start notes an export. Without a token nobody asks about it, and it is not kept. The
// rows are counted beside it, as far as they are counted at all.
func (e *exports) start(a correction.Actor, token string, count func() (int, bool, error)) *exportProgress {
	p := e.note(a, token)
	if exportToken.MatchString(token) {
		go func() {
			if n, more, err := count(); err == nil && !more {
				p.total.Store(int64(n))
			}
		}()
	}
	return p
}

// refuse notes an export that does not begin: the browser that asked for a file shows no
// page.
func (e *exports) refuse(a correction.Actor, token string, why error) {
	p := e.note(a, token)
	p.many.Store(errors.Is(why, errManyExporting))
	p.state.Store(exportRefused)
}

func (e *exports) note(a correction.Actor, token string) *exportProgress {
	p := &exportProgress{started: time.Now()}
	p.state.Store(exportRunning)
	if !exportToken.MatchString(token) {
		return p
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.list == nil {
		e.list = map[exportKey]*exportProgress{}
	}
	for key, old := range e.list {
		if len(e.list) >= maxExports || time.Since(old.started) > exportsKeptAs {
			delete(e.list, key)
		}
	}
	e.list[exportKey{a.SessionID, token}] = p
	return p
}

// end notes that an export is done, or why it is not whole.
func (p *exportProgress) end(err error) {
	to := exportDone
	if err != nil {
		to = exportCut
		p.why.CompareAndSwap(nil, changelog.WhyCut(err))
	}
	p.state.CompareAndSwap(exportRunning, to)
}

// exportStatus tells a page how far its export is.
func (s *server) exportStatus(c echo.Context) error {
	s.exports.mu.Lock()
	p := s.exports.list[exportKey{actor(c).SessionID, c.Param("token")}]
	s.exports.mu.Unlock()
	if p == nil {
		return echo.ErrNotFound
	}
	l, state, rows, total := s.lang(c), p.state.Load().(string), int(p.rows.Load()), int(p.total.Load())
	return c.JSON(http.StatusOK, map[string]any{"state": state, "rows": rows, "total": total, "text": exportText(l, p, state, rows, total)})
}

// exportText says how far an export is.
func exportText(l i18n.Lang, p *exportProgress, state string, rows, total int) string {
	n := components.Grouped(rows)
	switch {
	case state == exportDone:
		return l.F("导出完成，共 %s 条", "Exported, %s corrections", n)
	case state == exportRefused && p.many.Load():
		return l.T("现在同时导出的人太多，请过一会儿再导出", "Too many people are exporting at present. Export it again in a while")
	case state == exportRefused:
		return l.T("你还有一个导出没有结束。等它下载完或取消它，再导出", "Another export of yours is still running. Let it finish or cancel it, then export again")
	case state == exportCut:
		switch p.why.Load() {
		case changelog.CutSlow:
			return l.T("下载太慢，导出已中断，文件不完整。网络恢复后请重新导出", "The download was too slow and was cut off; the file is not complete. Export it again on a better connection")
		case changelog.CutLongest:
			return l.T("导出超过了最长时间，已中断，文件不完整。请缩小筛选范围，分几次导出", "The export took longer than it may and was cut off; the file is not complete. Narrow the filter and export in parts")
		case changelog.CutRights:
			return l.T("你的角色或可见范围变了，导出已中断，文件不完整。请重新导出", "Your role or scope changed and the export was cut off; the file is not complete. Export it again")
		}
		return l.T("导出中断，文件不完整，请重新导出", "The export was cut off and the file is not complete. Export it again")
	case total > 0:
		return l.F("正在导出，%s / %s 条", "Exporting, %s of %s", n, components.Grouped(total))
	}
	return l.F("正在导出，已有 %s 条", "Exporting, %s so far", n)
}
