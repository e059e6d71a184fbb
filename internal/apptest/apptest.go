// Package apptest boots the whole console for tests and benchmarks: a real SQLite
// file, the signed simulator, real HTTP on the loopback range.
package apptest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/config"
	"correction-console/internal/console"
	"correction-console/internal/correction"
	"correction-console/internal/handlers"
	"correction-console/internal/journal"
	"correction-console/internal/store/sqlite"
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
	Store   *sqlite.Store
	Sim     *simulator.Server
	Service *correction.Service
	Journal *journal.Journal
	Health  correction.Health // what the service is told; set before it is asked
	Handler http.Handler
	Web     handlers.Config // of Handler
	Data    string
	t       testing.TB
	close   func() error
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
var refuseNested = sync.OnceFunc(func() { sqlite.RefuseNested(func(what string) { panic(what) }) })

// Start boots a console with the simulator's sample orders and the people above.
func Start(t testing.TB, o Options) *App {
	t.Helper()
	if _, ok := t.(*testing.T); ok { // benchmarks measure
		refuseNested()
	}
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
	if o.Zone == "" {
		o.Zone = "Asia/Shanghai"
	}
	log := slog.New(slog.NewJSONHandler(o.Log, nil))
	var err error
	a.Sim, err = simulator.Start("127.0.0.1:0")
	must(err)
	t.Cleanup(func() { a.Sim.Close() })
	a.Sim.SetNow(a.Clock.Now)
	for _, order := range simulator.Samples(time.Now()) {
		a.Sim.Put(order)
	}
	to := a.Sim.Config()
	to.Now = a.Clock.Now
	if o.Timeout > 0 {
		to.Timeout = o.Timeout
	}
	gateway, err := wechat.New(to)
	must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	a.URL = "http://" + l.Addr().String()
	cfg := settings(a.Data, o)
	cfg.Zone, err = time.LoadLocation(o.Zone)
	must(err)
	if o.PublicName != "" {
		_, port, err := net.SplitHostPort(l.Addr().String())
		must(err)
		a.URL = "http://" + net.JoinHostPort(o.PublicName, port)
		cfg.PublicURL, err = url.Parse(a.URL)
		must(err)
		a.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
		}
	}
	must(place(a.Data))
	c, err := console.New(context.Background(), console.Config{
		Config: cfg, Version: "test", Gateway: gateway, Log: log, Now: a.Clock.Now, Exports: o.Exports,
		Health: func() correction.Health { return a.Health },
	})
	must(err)
	a.close = sync.OnceValue(c.Close)
	t.Cleanup(func() { a.close() })
	a.Store, a.Journal, a.Service, a.Web, a.Handler = c.Store, c.Journal, c.Service, c.Web, c.Handler
	srv := handlers.NewHTTPServer(a.Handler, log, time.Minute)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return a
}

// Close closes the files before the end of the test, so that another console can be
// started over them.
func (a *App) Close() error { return a.close() }

// settings are those of a console of the tests.
func settings(data string, o Options) config.Config {
	policy := correction.DefaultPolicy()
	if o.Quiet > 0 {
		policy.Quiet = o.Quiet
	}
	return config.Config{
		Listen: "127.0.0.1:0", Data: data, Timeout: wechat.DefaultTimeout, Quiet: policy.Quiet, Recheck: policy.Recheck, FollowFor: policy.FollowFor,
		LookupsPerMinute: o.Lookups, MetricsToken: MetricsToken, Journal: filepath.Join(data, "journal"), CheckpointKeyFile: filepath.Join(data, "checkpoint.key"),
	}
}

// blank is a database with the tests' merchants, services and people, made once: each
// console begins with a copy.
var blank = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "apptest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := config.DatabasePath(folder)
	st, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(seed(context.Background(), st), st.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// place puts a database into a folder that has none.
func place(data string) error {
	path := config.DatabasePath(data)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	image, err := blank()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, image, 0o600)
}

// seed puts merchants, services and people into a database.
func seed(ctx context.Context, st *sqlite.Store) error {
	phc, err := hash()
	for _, m := range simulator.DemoMerchants() {
		err = errors.Join(err, st.PutMerchant(ctx, m))
	}
	for _, s := range simulator.DemoOfferings() {
		err = errors.Join(err, st.PutOffering(ctx, s))
	}
	for _, p := range People {
		err = errors.Join(err, st.AddUser(ctx, sqlite.UserSpec{
			Username: p.Login, Name: p.Name, Role: p.Role, All: p.Merchants == nil, Merchants: p.Merchants, PasswordHash: phc,
		}))
	}
	return err
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

// As returns a browser in which the person is signed in. The session is made without a
// password, which takes as long as ten pages; SignIn signs in as people do.
func (a *App) As(login string) *Client {
	a.t.Helper()
	c := a.Client()
	user, err := a.Store.UserByName(context.Background(), login)
	a.must(err)
	r := httptest.NewRequest(http.MethodPost, a.URL+"/login", nil)
	w := httptest.NewRecorder()
	_, _, err = a.Web.Sessions.Start(w, r, user, "127.0.0.1", "Go-http-client/1.1")
	a.must(err)
	c.HTTP.Jar.SetCookies(r.URL, w.Result().Cookies())
	return c
}

// SignIn returns a browser in which the person has signed in with the password.
func (a *App) SignIn(login string) *Client {
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
