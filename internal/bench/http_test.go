package bench

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/argon2"

	"correction-console/internal/apptest"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/i18n"
	"correction-console/internal/wechat/simulator"
	"correction-console/web/templates/layout"
	"correction-console/web/templates/pages"

	"github.com/a-h/templ"
)

// connections is how many clients press on a page at once.
const connections = 16

// rounds is how often the two sides of a comparison take turns.
const rounds = 12

// press sends the request on some connections for a while and returns answers a
// second. It fails on any status but 200.
func press(b *testing.B, address, request string, d time.Duration) float64 {
	var wg sync.WaitGroup
	counts := make([]int, connections)
	faults := make([]error, connections)
	end := time.Now().Add(d)
	start := time.Now()
	for i := range connections {
		wg.Go(func() { counts[i], faults[i] = pressOne(address, request, end) })
	}
	wg.Wait()
	took := time.Since(start)
	n := 0
	for i := range connections {
		if faults[i] != nil {
			b.Fatal(faults[i])
		}
		n += counts[i]
	}
	return float64(n) / took.Seconds()
}

func pressOne(address, request string, end time.Time) (int, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	for n := 0; ; n++ {
		if time.Now().After(end) {
			return n, nil
		}
		if _, err := io.WriteString(conn, request); err != nil {
			return n, err
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return n, err
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			return n, fmt.Errorf("%d %v", res.StatusCode, err)
		}
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// alternate runs the two sides in turn and reports the median of the ratios a/b.
func alternate(b *testing.B, n int, side func() (a, b float64)) (first, second, ratio float64) {
	var as, bs, rs []float64
	for range n {
		x, y := side()
		as, bs, rs = append(as, x), append(bs, y), append(rs, x/y)
	}
	return median(as), median(bs), median(rs)
}

// bare serves one page as a bare echo + templ + gorilla sessions program does.
func bare(b *testing.B, render func() templ.Component) (address, cookie string) {
	store := sessions.NewCookieStore(securecookie.GenerateRandomKey(32), securecookie.GenerateRandomKey(32))
	e := echo.New()
	e.GET("/", func(c echo.Context) error {
		s, err := store.Get(c.Request(), "s")
		if err != nil || s.Values["user"] == nil {
			return echo.ErrUnauthorized
		}
		c.Response().Header().Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
		buf := templ.GetBuffer()
		defer templ.ReleaseBuffer(buf)
		if err := render().Render(c.Request().Context(), buf); err != nil {
			return err
		}
		return c.HTMLBlob(http.StatusOK, buf.Bytes())
	})
	req, _ := http.NewRequest(http.MethodGet, "/", nil)
	s, _ := store.Get(req, "s")
	s.Values["user"], s.Values["name"], s.Values["role"] = int64(1), "林晓雯", "agent"
	w := &recorder{header: http.Header{}}
	if err := s.Save(req, w); err != nil {
		b.Fatal(err)
	}
	cookie, _, _ = strings.Cut(w.header.Get("Set-Cookie"), ";")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: e}
	go srv.Serve(l)
	b.Cleanup(func() { srv.Close() })
	return l.Addr().String(), cookie
}

type recorder struct{ header http.Header }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(int)             {}

func get(path, host, cookie string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\nAccept-Language: zh-CN\r\n\r\n"
}

// frame is the page frame that the bare handlers render, as the console's own.
func frame(title, nav, path string) layout.Page {
	zone, _ := time.LoadLocation("Asia/Shanghai")
	return layout.Page{Lang: i18n.ZH, Title: title, Nav: nav, Path: path, Now: time.Now(), Zone: zone, Version: "test",
		User: &layout.User{Name: "林晓雯", Role: correction.Agent, CanLog: true, CanFind: true}}
}

// cookies returns the Cookie header of a signed-in client.
func cookies(b *testing.B, a *apptest.App, c *apptest.Client) string {
	u, err := url.Parse(a.URL)
	if err != nil {
		b.Fatal(err)
	}
	var parts []string
	for _, k := range c.HTTP.Jar.Cookies(u) {
		parts = append(parts, k.Name+"="+k.Value)
	}
	return strings.Join(parts, "; ")
}

// canned answers queries without a call, so that a page can be measured without
// WeChat.
type canned struct{ order correction.Order }

func (g canned) Query(context.Context, correction.Ref) (correction.Reading, error) {
	return correction.Reading{Order: g.order, At: time.Now(), RequestID: "08F7C2A9D1-268435"}, nil
}

func (g canned) Modify(context.Context, correction.Ref, []byte, correction.Signing) correction.Answer {
	return correction.Answer{Class: correction.NothingSent}
}

const (
	merchant = "1900021408"
	orderNo  = "PB_20261123_0099"
)

// BenchmarkOrderPage compares the order page, without its call to WeChat, with a
// bare handler that renders the same markup. Target: at least 0.7 of its rate.
func BenchmarkOrderPage(b *testing.B) {
	a := apptest.Start(b, apptest.Options{})
	lin := a.As("lin")
	ctx := context.Background()
	ref := correction.Ref{SubMchID: merchant, OutOrderNo: orderNo}
	r, err := a.Service.Gateway.Query(ctx, ref)
	if err != nil {
		b.Fatal(err)
	}
	a.Service.Gateway = canned{r.Order}
	path := pages.OrderURL(ref)
	body := lin.Get(path)
	if body.Status != http.StatusOK {
		b.Fatal(body.Status)
	}
	v, err := a.Service.ReadOrder(ctx, correction.Actor{UserID: 1, Role: correction.Agent, Scope: correction.Scope{All: true}}, ref)
	if err != nil {
		b.Fatal(err)
	}
	props := pages.OrderProps{Page: frame("订单 "+orderNo, layout.NavMine, path), View: v, NoAmounts: true, CanCorrect: true, CanRole: true}
	for _, i := range correction.Industries {
		if i.Code == v.Offering.Industry {
			props.Industry = i18n.Text{ZH: i.ZH, EN: i.EN}
		}
	}
	compare(b, a, cookies(b, a, lin), path, func() templ.Component { return pages.Order(props) })
}

// BenchmarkLogPage compares the change log's page of 50 rows with a bare handler
// that asks the same of the database and renders the same markup. Target: at least 0.8
// of its rate.
func BenchmarkLogPage(b *testing.B) {
	a := apptest.Start(b, apptest.Options{})
	fill(b, a, 400)
	zhou := a.As("zhou")
	ctx := context.Background()
	actor := correction.Actor{UserID: 4, Role: correction.Supervisor, Scope: correction.Scope{All: true}}
	rows, _, err := a.Web.ChangeLog.List(ctx, actor, changelog.LogFilter{}, changelog.Page{Limit: 50})
	if err != nil {
		b.Fatal(err)
	}
	merchants, _ := a.Service.MerchantsFor(ctx, actor)
	authors, _ := a.Web.ChangeLog.AuthorsFor(ctx, actor)
	p := frame("改价记录", layout.NavLog, "/corrections")
	p.User = &layout.User{Name: "周启明", Role: correction.Supervisor, CanLog: true, CanFind: true}
	choices, _ := a.Web.ChangeLog.FilterOptionsFor(ctx, actor)
	props := pages.LogProps{Page: p, Merchants: merchants, Authors: authors, Offerings: choices.Offerings, Approvers: choices.Approvers, Reasons: correction.DefaultReasons,
		Rows: rows, Total: 400, Filter: pages.LogForm{Rows: 50, Columns: pages.LogDefaultColumns}, CanExport: true, CanShare: true,
		ByTimeURL: "/corrections", ByReductionURL: "/corrections?sort=reduction", OlderURL: "/corrections?before=" + strconv.FormatInt(rows[len(rows)-1].ID, 10)}
	for _, r := range rows {
		if r.State == correction.Applied {
			props.AppliedCount++
			props.AppliedSum += r.Reduction()
		}
	}
	cookie := cookies(b, a, zhou)
	page := zhou.Get("/corrections")
	all := changelog.LogFilter{Scope: correction.Scope{All: true}}
	compare(b, a, cookie, "/corrections", func() templ.Component { // the same SQL, nothing else
		props := props
		var err error
		if props.Rows, _, err = a.Store.Log(ctx, all, changelog.Page{Limit: 50}); err != nil {
			panic(err)
		}
		if props.Total, props.MoreThanTotal, err = a.Store.Count(ctx, all, changelog.MaxTotal); err != nil {
			panic(err)
		}
		return pages.Log(props)
	})
	b.ReportMetric(float64(zipped(page.Body)), "gzip-bytes")
}

func compare(b *testing.B, a *apptest.App, cookie, path string, render func() templ.Component) {
	address := strings.TrimPrefix(a.URL, "http://")
	bareAddress, bareCookie := bare(b, render)
	ours, theirs := get(path, address, cookie), get("/", bareAddress, bareCookie)
	oursLen, bareLen := length(b, address, ours), length(b, bareAddress, theirs)
	if diff := oursLen - bareLen; diff > oursLen/50 || -diff > oursLen/50 {
		b.Fatalf("not the same markup: %d and %d bytes", oursLen, bareLen)
	}
	for b.Loop() {
		x, y, ratio := alternate(b, rounds, func() (float64, float64) {
			return press(b, address, ours, 400*time.Millisecond), press(b, bareAddress, theirs, 400*time.Millisecond)
		})
		b.ReportMetric(x, "req/s")
		b.ReportMetric(y, "bare-req/s")
		b.ReportMetric(ratio, "ratio")
	}
	b.ReportMetric(0, "ns/op")
}

func length(b *testing.B, address, request string) int {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, request)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(res.StatusCode, err)
	}
	return int(n)
}

func zipped(s string) int {
	var buf bytes.Buffer
	w, _ := gzip.NewWriterLevel(&buf, 6)
	io.WriteString(w, s)
	w.Close()
	return buf.Len()
}

// fill puts n corrections into the log, in several states.
func fill(b *testing.B, a *apptest.App, n int) {
	ctx := context.Background()
	orders := simulator.Samples(time.Now())
	var base correction.Order
	for _, o := range orders {
		if r, err := a.Service.Gateway.Query(ctx, correction.Ref{SubMchID: o.SubMchID, OutOrderNo: o.OutOrderNo}); err == nil && r.Order.Completed() && r.Order.Total > 1000 {
			base = r.Order
			break
		}
	}
	for i := range n {
		o := base
		o.OutOrderNo = fmt.Sprintf("%s-%04d", "BENCH", i)
		req := correction.Request{SubMchID: o.SubMchID, ServiceID: o.ServiceID, Lines: o.Lines, Total: o.Total - correction.Fen(1+i%900), Reason: "经核实设备计费异常，已按实际使用情况调整金额。"}
		c := prepared(a.Service, o, req, int64(1+i%3))
		id, err := a.Store.Prepare(ctx, c)
		if err != nil {
			b.Fatal(err)
		}
		if i%10 == 0 {
			continue
		}
		must(b, a.Store.Claim(ctx, id, c.Ref, correction.Event{State: correction.Claimed, At: time.Now(), ActorID: c.AuthorID}, nil))
		must(b, a.Store.MarkSending(ctx, id, correction.NewSigning(time.Now()), correction.Event{State: correction.Sending, At: time.Now()}, nil))
		final := []correction.State{correction.Applied, correction.Applied, correction.Applied, correction.Rejected}[i%4]
		must(b, a.Store.Append(ctx, id, correction.Sending, 3, correction.Event{State: final, At: time.Now(), Detail: correction.Detail{RequestID: "08F7C2A9D1-" + strconv.Itoa(i)}}))
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSignIn compares a whole sign-in over HTTP with one Argon2id of the same
// parameters. Target: at most 1.3.
func BenchmarkSignIn(b *testing.B) {
	a := apptest.Start(b, apptest.Options{})
	client := a.Client()
	form := url.Values{"username": {"lin"}, "password": {apptest.Password}}
	for b.Loop() {
		_, _, ratio := alternate(b, 15, func() (float64, float64) {
			start := time.Now()
			if res := client.Post("/login", form); res.Status != http.StatusSeeOther {
				b.Fatal(res.Status)
			}
			ours := time.Since(start).Seconds()
			client = a.Client()
			start = time.Now()
			argon2.IDKey([]byte(apptest.Password), []byte("0123456789abcdef"), 3, 64<<10, 4, 32)
			return ours, time.Since(start).Seconds()
		})
		b.ReportMetric(ratio, "ratio")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBinary measures the program itself. Targets: first page within 30 ms of
// the start, at most 20 MB resident before the first sign-in and 64 MB at 64
// connections, at most 20 MB of binary, css and js at most 60 KB gzip.
func BenchmarkBinary(b *testing.B) {
	a := apptest.Start(b, apptest.Options{}) // the database, people and keys
	p := build(b, a)
	info, err := os.Stat(p.exe)
	must(b, err)
	var starts []float64
	var idle, busy float64
	for b.Loop() {
		starts = nil
		for range 11 {
			cmd, took := p.start(b)
			starts = append(starts, took)
			idle = resident(b, cmd.Process.Pid)
			if len(starts) == 11 {
				busy = underLoad(b, a, p.address, cmd.Process.Pid)
			}
			cmd.Process.Signal(os.Interrupt)
			cmd.Wait()
		}
	}
	b.ReportMetric(float64(info.Size())/(1<<20), "binary-MB")
	b.ReportMetric(float64(assets(b)), "css+js-gzip-bytes")
	b.ReportMetric(median(starts), "start-ms")
	b.ReportMetric(idle, "idle-MB")
	b.ReportMetric(busy, "busy-MB")
	b.ReportMetric(0, "ns/op")
}

// program is the real binary with the settings to serve an installation.
type program struct {
	exe, address string
	env          []string
}

// build builds the binary for the installation of a console, whose store it closes.
func build(b *testing.B, a *apptest.App) program {
	dir := b.TempDir()
	p := program{exe: filepath.Join(dir, "console"), address: freeAddress(b)}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", p.exe, "correction-console/cmd/console")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	must(b, a.Sim.WriteKeys(dir))
	a.Store.Close()
	cfg := a.Sim.Config()
	p.env = append(os.Environ(), "CONSOLE_DATA="+a.Data, "CONSOLE_LISTEN="+p.address, "CONSOLE_LOOKUPS_PER_MINUTE=0", "CONSOLE_WECHAT_API_HOST="+cfg.Host,
		"CONSOLE_WECHAT_MCHID="+cfg.MchID, "CONSOLE_WECHAT_CERT_SERIAL="+cfg.CertSerial,
		"CONSOLE_WECHAT_PRIVATE_KEY_FILE="+filepath.Join(dir, simulator.PrivateKeyFile),
		"CONSOLE_WECHAT_PUBLIC_KEY_ID="+cfg.PublicKeyID, "CONSOLE_WECHAT_PUBLIC_KEY_FILE="+filepath.Join(dir, simulator.PublicKeyFile))
	return p
}

// start starts the program and returns how many ms it took to the first page.
func (p program) start(b *testing.B) (*exec.Cmd, float64) {
	cmd := exec.Command(p.exe, "serve")
	cmd.Env = p.env
	start := time.Now()
	must(b, cmd.Start())
	for {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			if time.Since(start) > time.Minute {
				b.Fatal("it does not start")
			}
			time.Sleep(200 * time.Microsecond)
			continue
		}
		io.WriteString(conn, get("/login", p.address, ""))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			io.Copy(io.Discard, res.Body)
		}
		conn.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(err, res)
		}
		return cmd, time.Since(start).Seconds() * 1000
	}
}

func freeAddress(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	defer l.Close()
	return l.Addr().String()
}

// underLoad signs in, presses on the change log from 64 connections and returns the
// largest resident size seen meanwhile, after the memory of the sign-in is back.
func underLoad(b *testing.B, a *apptest.App, address string, pid int) float64 {
	a.URL = "http://" + address
	zhou := a.As("zhou")
	request := get("/corrections", address, cookies(b, a, zhou))
	for range 100 { // the 64 MiB of the sign-in are handed back within a moment
		if resident(b, pid) < 40 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var wg sync.WaitGroup
	end := time.Now().Add(4 * time.Second)
	for range 64 {
		wg.Go(func() {
			if _, err := pressOne(address, request, end); err != nil {
				b.Error(err)
			}
		})
	}
	most := 0.0
	for time.Now().Before(end) {
		most = max(most, resident(b, pid))
		time.Sleep(20 * time.Millisecond)
	}
	wg.Wait()
	return most
}

// resident is the resident size of a process in MB.
func resident(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			must(b, err)
			return kb / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// assets is the size of all css, which is served as one file, and of all js, each
// compressed by itself.
func assets(b *testing.B) int {
	n := 0
	var sheet []byte
	files := os.DirFS("../../web/static")
	must(b, fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || (!strings.HasSuffix(path, ".css") && !strings.HasSuffix(path, ".js")) {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if strings.HasSuffix(path, ".css") {
			sheet = append(sheet, text...)
			return err
		}
		n += zipped(string(text))
		return err
	}))
	return n + zipped(string(sheet))
}
