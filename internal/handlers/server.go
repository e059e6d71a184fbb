// Package handlers is the console's web side on echo: one route table with roles,
// one place that answers, and a file for each resource. Handlers return errors;
// only render, seeOther and the error handler write.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/insights"
)

// Config is what the web side needs from the rest of the program.
type Config struct {
	Corrections *correction.Service
	Insights    *insights.Service
	DayClose    *dayclose.Service
	ChangeLog   *changelog.Service
	SignIn      *auth.Authenticator
	Sessions    *auth.Sessions
	Preferences func(ctx context.Context, userID int64, lang, theme string) error
	Ready       func(context.Context) error // nil error: the database answers
	Audit       func(context.Context, correction.AuditEntry) error
	Prove       func(ctx context.Context, id int64) ([]byte, error)  // a correction's proof, as a file
	Checkpoint  func(context.Context) (correction.Checkpoint, error) // of the record as it stands
	VerifierKey string                                               // that checkpoints are checked with
	Log         *slog.Logger
	Now         func() time.Time
	Zone        *time.Location
	Version     string
	PublicURL   *url.URL       // nil when not configured
	Proxies     []netip.Prefix // whose X-Forwarded-For is believed
	Secure      bool           // the browser reaches the console over https
	Exposed     bool           // it reaches it over plain http from beyond this machine
	// MetricsToken is what /metrics asks for; empty: it is not there, but on a listener
	// of its own (NewMetrics).
	MetricsToken string
	DemoURL      string       // the demo's page of faults; empty outside the demo
	Exports      ExportLimits // zero: DefaultExportLimits
}

// server carries the configuration through the handlers.
type server struct {
	Config
	exports   exports
	shares    shares
	audits    auditShare
	posts     postShare
	gates     gates
	crowdTold *rate.Limiter
	hosts     strangeHosts
	newest    struct { // checkpoint that a page has printed
		sync.Mutex
		checkpoint correction.Checkpoint
	}
}

// Limits on what is accepted (trust.md §3.3). A correction has at most 100 lines and
// 30 discounts of four fields each, and a dozen others.
const (
	maxBody   = 256 << 10
	maxFields = 600
)

// New returns the console's handler; an error is of the public URL.
func New(c Config) (http.Handler, error) {
	s, e := newServer(c)
	if err := s.routes(e); err != nil {
		return nil, err
	}
	return e, nil
}

func newServer(c Config) (*server, *echo.Echo) {
	s := &server{Config: c, gates: newGates(), crowdTold: rate.NewLimiter(rate.Every(time.Minute), 1)}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(discard{})
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = addressOf(c.Proxies)
	e.Pre(s.frame, s.recover, s.gate)
	e.Use(s.whose, s.host, s.body)
	return s, e
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// AnswerWithin is how long an answer may take, with a limit of one call to WeChat:
// a confirmation makes one modify call and two queries, and waits for the store.
func AnswerWithin(call time.Duration) time.Duration { return call + 60*time.Second }

// NewHTTPServer is the console's server with the limits of trust.md §3.3.
func NewHTTPServer(h http.Handler, log *slog.Logger, answerWithin time.Duration) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      answerWithin,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		// What one connection may hold: few requests, of which little waits unread, and no
		// frame that is larger than that.
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          16,
			MaxReceiveBufferPerConnection: 64 << 10,
			MaxReceiveBufferPerStream:     64 << 10, // less than what a client may send before it knows would end its stream
			MaxReadFrameSize:              16 << 10,
			SendPingTimeout:               30 * time.Second,
			PingTimeout:                   15 * time.Second,
			WriteByteTimeout:              15 * time.Second,
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
