package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"
)

var operationsTitle = i18n.Text{ZH: "运维", EN: "Operations"}

// operations tells how the installation is doing.
func (s *server) operations(c echo.Context) error {
	ctx := c.Request().Context()
	p := pages.OperationsProps{Page: s.page(c, operationsTitle), Counts: s.Corrections.Counts(), VerifierKey: s.VerifierKey}
	p.Page.Nav = layout.NavOperations
	if s.Corrections.Health != nil {
		p.Health, p.KnowsHealth = s.Corrections.Health(), true
	}
	p.JournalFailed = slices.ContainsFunc(s.Corrections.Alarms(ctx), func(a correction.Alarm) bool { return a.Concern == correction.JournalFailed })
	var err error
	if p.Concerns, err = s.Corrections.Concerns(ctx); err != nil {
		return err
	}
	if p.Checkpoint, err = s.Checkpoint(ctx); err != nil { // the page says so
		s.Log.Error("read checkpoint", "id", requestID(c), "err", err)
	}
	return s.render(c, http.StatusOK, pages.Operations(p))
}

// metricsRoute answers who brings the token. To everybody else, and where there is none,
// the page does not exist.
func (s *server) metricsRoute(c echo.Context) error {
	kind, token, _ := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " ")
	given, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(s.MetricsToken))
	if s.MetricsToken == "" || !strings.EqualFold(kind, "Bearer") || subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return echo.ErrNotFound
	}
	return s.metrics(c)
}

// NewMetrics returns the handler of a listener that has nothing but /metrics.
func NewMetrics(c Config) http.Handler {
	s := &server{Config: c}
	e := echo.New()
	e.Logger.SetOutput(discard{})
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		code := http.StatusInternalServerError
		if he := (*echo.HTTPError)(nil); errors.As(err, &he) {
			code = he.Code
		} else {
			s.Log.Error("metrics", "err", logText(err))
		}
		if !c.Response().Committed {
			_ = c.NoContent(code)
		}
	}
	e.GET(metricsPath, s.metrics)
	e.HEAD(metricsPath, s.metrics)
	return e
}

// metrics tells a monitoring system how it is going, in the text format of Prometheus
// (version 0.0.4). Nothing in it belongs to one order.
func (s *server) metrics(c echo.Context) error {
	ctx := c.Request().Context()
	concerns, err := s.Corrections.Concerns(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	head := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP %[1]s %[3]s\n# TYPE %[1]s %[2]s\n", name, kind, help)
	}
	value := func(name, kind, help string, v int64) {
		head(name, kind, help)
		fmt.Fprintf(&b, "%s %d\n", name, v)
	}
	counts := s.Corrections.Counts()
	value("console_corrections_uncertain", "gauge", "Corrections without a result.", int64(concerns.Open))
	value("console_corrections_alarmed", "gauge", "Corrections without a result for more than ten minutes.", int64(concerns.Uncertain.Count))
	value("console_corrections_conflict", "gauge", "Corrections that two people have to settle.", int64(concerns.Conflicts))
	value("console_corrections_late", "gauge", "Corrections that took effect late and were not seen to.", int64(concerns.Late.Count))
	value("console_corrections_lost", "gauge", "Corrections in force that their order shows no more.", int64(concerns.Lost.Count))
	value("console_corrections_due", "gauge", "Corrections that a supervisor has to see to.", int64(concerns.Due))
	value("console_corrections_watched", "gauge", "Corrections that are looked after.", int64(counts.Unfinished))
	value("console_sent_total", "counter", "Corrections sent since the start.", counts.Sent)
	value("console_looks_total", "counter", "Looks at corrections since the start.", counts.Looks)
	value("console_look_failures_total", "counter", "Looks that did not work since the start.", counts.LookFailures)
	head("console_outcomes_total", "counter", "How often each state was come to since the start.")
	for _, state := range correction.States {
		fmt.Fprintf(&b, "console_outcomes_total{state=%q} %d\n", string(state), counts.Outcomes[state])
	}
	value("console_read_only", "gauge", "1 while corrections are refused.", one(s.Corrections.Refuses() != ""))
	if s.Corrections.Health != nil {
		m := s.Corrections.Health()
		if m.Free >= 0 {
			value("console_disk_free_bytes", "gauge", "Free bytes on the disk of the database.", m.Free)
		}
		value("console_database_bytes", "gauge", "Bytes of the database and its log.", m.Database)
		value("console_wechat_settings_wrong", "gauge", "1 while WeChat's answers show that the settings for it are wrong.", one(m.Settings.Kind != ""))
		value("console_on_backup_host", "gauge", "1 while WeChat's backup host is used.", one(m.OnBackup))
		if !m.SkewAt.IsZero() {
			value("console_clock_skew_milliseconds", "gauge", "WeChat's signed time less this machine's.", m.Skew.Milliseconds())
		}
		value("console_reload_failed", "gauge", "1 while keys that were to be read again are wrong and the former ones are used.", one(m.ReloadFault != ""))
		value("console_checkpoint_unpublished", "gauge", "1 while the newest checkpoint could not leave the machine.", one(m.PublishFault != ""))
		if !m.PublishedAt.IsZero() {
			value("console_checkpoint_age_seconds", "gauge", "Since a checkpoint left the machine.", int64(s.Now().Sub(m.PublishedAt).Seconds()))
		}
	}
	return c.Blob(http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", []byte(b.String()))
}

func one(on bool) int64 {
	if on {
		return 1
	}
	return 0
}
