package handlers

import (
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/components"
)

// exports are those that run, and those that ended a while ago, by the session and the
// token that its page made up. The zero value has none.
type exports struct {
	mu   sync.Mutex
	list map[exportKey]*exportProgress
}

type exportKey struct {
	session int64
	token   string
}

// exportProgress is how far an export is.
type exportProgress struct {
	rows    atomic.Int64
	state   atomic.Value // exportRunning, exportDone or exportCut
	total   atomic.Int64 // 0 = not known
	started time.Time
}

const (
	exportRunning = "running"
	exportDone    = "done"
	exportCut     = "cut"
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
	go func() {
		if n, more, err := count(); err == nil && !more {
			p.total.Store(int64(n))
		}
	}()
	return p
}

func (p *exportProgress) end(whole bool) {
	p.state.CompareAndSwap(exportRunning, map[bool]string{true: exportDone, false: exportCut}[whole])
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
	return c.JSON(http.StatusOK, map[string]any{"state": state, "rows": rows, "total": total, "text": exportText(l, state, rows, total)})
}

// exportText says how far an export is.
func exportText(l i18n.Lang, state string, rows, total int) string {
	n := components.Grouped(rows)
	switch {
	case state == exportDone:
		return l.F("导出完成，共 %s 条", "Exported, %s corrections", n)
	case state == exportCut:
		return l.T("导出中断，文件不完整，请重新导出", "The export was cut off and the file is not complete. Export it again")
	case total > 0:
		return l.F("正在导出，%s / %s 条", "Exporting, %s of %s", n, components.Grouped(total))
	}
	return l.F("正在导出，已有 %s 条", "Exporting, %s so far", n)
}
