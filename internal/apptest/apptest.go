// Package apptest boots the whole console for tests and benchmarks: a real SQLite
// file, the signed simulator, real HTTP on the loopback range.
package apptest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/handlers"
	"correction-console/internal/insights"
	"correction-console/internal/journal"
	"correction-console/internal/ledger"
	"correction-console/internal/store"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

// Password is the password of every person of the tests.
const Password = "correct horse battery staple"

// Clock is a clock that tests set forward.
type Clock struct {
	mu  sync.Mutex
	off time.Duration
}

// Now is the real time plus what the clock was set forward.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

// Advance sets the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

// App is a running console.
type App struct {
	URL     string
	Clock   *Clock
	Store   *store.Store
	Sim     *simulator.Server
	Service *correction.Service
	Journal *journal.Journal
	Machine correction.Machine // what the service is told; set before it is asked
	Handler http.Handler
	Web     handlers.Config // of Handler
	Data    string
	t       testing.TB
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Options change what Start sets up.
type Options struct {
	Quiet   time.Duration // default: the real 7 minutes
	Timeout time.Duration // of one call; default: the gateway's
	Log     io.Writer     // default: nowhere
	Data    string        // default: a new folder
	Zone    string        // default: Asia/Shanghai
	Lookups int           // a person has in a minute; default: no limit
	// PublicName is a name under which browsers reach the console over plain http from
	// beyond this machine; default: its address on the loopback range.
	PublicName string
	Exports    handlers.ExportLimits
}

// MetricsToken is what /metrics asks for.
const MetricsToken = "a token of the tests"

var hash = sync.OnceValues(func() (string, error) {
	return auth.NewHasher().Hash(context.Background(), Password)
})

// People of the tests: user name and role. wang may touch one merchant only.
var People = []struct {
	Login, Name string
	Role        correction.Role
	Merchants   []string
}{
	{"lin", "林晓雯", correction.Agent, nil},
	{"wu", "吴思源", correction.Agent, nil},
	{"wang", "王小北", correction.Agent, []string{"1900021408"}},
	{"zhou", "周启明", correction.Supervisor, nil},
	{"qian", "钱敏", correction.Supervisor, nil},
	{"he", "何川", correction.Operator, nil},
	{"shen", "沈静", correction.Auditor, nil},
}

// refuseNested makes a test fail in which somebody asks the store for a second connection
// while holding one.
var refuseNested = sync.OnceFunc(func() { store.RefuseNested(func(what string) { panic(what) }) })

// Start boots a console with the simulator's sample orders and the people above.
func Start(t testing.TB, o Options) *App {
	t.Helper()
	if _, ok := t.(*testing.T); ok { // benchmarks measure
		refuseNested()
	}
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a := &App{t: t, Clock: &Clock{}, Data: o.Data}
	if a.Data == "" {
		a.Data = t.TempDir()
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	log := slog.New(slog.NewJSONHandler(o.Log, nil))
	var err error
	a.Store, err = store.Open(ctx, filepath.Join(a.Data, "console.db"))
	must(err)
	t.Cleanup(func() { a.Store.Close() })
	a.Sim, err = simulator.Start("127.0.0.1:0")
	must(err)
	t.Cleanup(func() { a.Sim.Close() })
	a.Sim.SetNow(a.Clock.Now)
	for _, order := range simulator.Samples(time.Now()) {
		a.Sim.Put(order)
	}
	phc, err := hash()
	must(err)
	if users, err := a.Store.Users(ctx); err == nil && len(users) == 0 {
		for _, m := range simulator.DemoMerchants() {
			must(a.Store.PutMerchant(ctx, m))
		}
		for _, s := range simulator.DemoOfferings() {
			must(a.Store.PutOffering(ctx, s))
		}
		for _, p := range People {
			must(a.Store.AddUser(ctx, store.UserSpec{
				Username: p.Login, Name: p.Name, Role: p.Role, All: p.Merchants == nil, Merchants: p.Merchants, PasswordHash: phc,
			}))
		}
	}
	cfg := a.Sim.Config()
	cfg.Now = a.Clock.Now
	if o.Timeout > 0 {
		cfg.Timeout = o.Timeout
	}
	gateway, err := wechat.New(cfg)
	must(err)
	secret, err := auth.LoadOrCreateKey(filepath.Join(a.Data, "session.key"))
	must(err)
	keys, err := auth.DeriveKeys(secret)
	must(err)
	policy := correction.DefaultPolicy()
	if o.Quiet > 0 {
		policy.Quiet = o.Quiet
	}
	a.Journal, err = journal.Open(filepath.Join(a.Data, "journal"), a.Clock.Now)
	must(err)
	t.Cleanup(func() { a.Journal.Close() })
	signer, err := ledger.LoadOrCreateKey(filepath.Join(a.Data, "checkpoint.key"))
	must(err)
	a.Store.SetSigner(signer)
	a.Service = &correction.Service{
		Store: a.Store, Gateway: gateway, Journal: a.Journal, Policy: policy, Key: keys.Confirm, Now: a.Clock.Now, Log: log,
		Machine: func() correction.Machine { return a.Machine },
	}
	if o.Zone == "" {
		o.Zone = "Asia/Shanghai"
	}
	a.Service.Lookups.PerMinute = o.Lookups
	zone, err := time.LoadLocation(o.Zone)
	must(err)
	a.Service.Zone = zone
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	a.URL = "http://" + l.Addr().String()
	var public *url.URL
	if o.PublicName != "" {
		_, port, err := net.SplitHostPort(l.Addr().String())
		must(err)
		a.URL = "http://" + net.JoinHostPort(o.PublicName, port)
		public, err = url.Parse(a.URL)
		must(err)
		a.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
		}
	}
	sessions := auth.NewSessions(a.Store, keys, false, a.Clock.Now, log)
	a.Web = handlers.Config{
		Corrections: a.Service, Sessions: sessions, SignIn: auth.NewAuthenticator(a.Store, auth.NewHasher(), sessions, keys, a.Clock.Now, log),
		Preferences: a.Store.SetPreferences, Ready: a.Store.Ping, Audit: a.Store.AppendAudit,
		Prove: a.Store.Proof, Checkpoint: a.Store.Checkpoint, VerifierKey: signer.VerifierKey(), Log: log, Now: a.Clock.Now, Zone: zone, Version: "test",
		ChangeLog: changelog.New(a.Store, a.Service, a.Clock.Now), Insights: insights.New(a.Store), DayClose: dayclose.New(a.Store, a.Service, a.Clock.Now, log),
		PublicURL: public, Exposed: public != nil, MetricsToken: MetricsToken, Exports: o.Exports,
	}
	a.Handler, err = handlers.New(a.Web)
	must(err)
	srv := handlers.NewHTTPServer(a.Handler, log, time.Minute)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return a
}

// Client is a browser of one person, as far as HTTP goes.
type Client struct {
	HTTP *http.Client
	app  *App
}

// Client returns a browser that is not signed in. It does not follow redirects.
func (a *App) Client() *Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &Client{app: a, HTTP: &http.Client{
		Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if a.dial != nil {
		c.HTTP.Transport = &http.Transport{DialContext: a.dial}
	}
	return c
}

// As returns a browser in which the person is signed in.
func (a *App) As(login string) *Client {
	a.t.Helper()
	c := a.Client()
	res := c.Post("/login", url.Values{"username": {login}, "password": {Password}})
	if res.Status != http.StatusSeeOther {
		a.t.Fatalf("sign in %s: %d\n%s", login, res.Status, res.Body)
	}
	return c
}

// Answer is an answer, read to its end.
type Answer struct {
	Status   int
	Header   http.Header
	Location string
	Body     string
}

// Get fetches a path.
func (c *Client) Get(path string) Answer { return c.Do(http.MethodGet, path, nil, nil) }

// Post posts a form as a page of the console does.
func (c *Client) Post(path string, form url.Values) Answer {
	return c.Do(http.MethodPost, path, form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
}

// Do makes a request with a form (or none) and more headers.
func (c *Client) Do(method, path string, form url.Values, header http.Header) Answer {
	c.app.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, c.app.URL+path, body)
	if err != nil {
		c.app.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		c.app.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.app.t.Fatal(err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Location: res.Header.Get("Location"), Body: string(b)}
}
