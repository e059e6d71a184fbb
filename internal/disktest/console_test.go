package disktest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
	"correction-console/internal/proctest"
	"correction-console/internal/store/sqlite"
	"correction-console/internal/wechat/simulator"
)

// Times of the settings. A signature time is in whole seconds, so that the quiet time
// must be above one second.
const (
	quiet   = 1600 * time.Millisecond
	recheck = 20 * time.Millisecond
	// patience is how long a start, a stop or an answer may take on a busy machine.
	patience = time.Minute
)

const (
	merchant = "1900021408"
	service  = "2002100000000498310275514862033" // not described to the console: it has no cap
	opening  = correction.Fen(9900)              // total of a new order
	target   = correction.Fen(1000)              // what each is corrected to
	password = "a quiet green bicycle"
)

// template is an installation with one person signed in, which each run copies.
type template struct {
	folder string
	jar    http.CookieJar
	vkey   string
	made   time.Time
}

var templates struct {
	mu   sync.Mutex
	last *template
	n    int
}

// fresh returns a template whose session has not ended.
func fresh() (*template, error) {
	templates.mu.Lock()
	defer templates.mu.Unlock()
	if t := templates.last; t != nil && time.Since(t.made) < 8*time.Minute {
		return t, nil
	}
	sim, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer sim.Close()
	templates.n++
	tm := &template{folder: filepath.Join(bin, fmt.Sprintf("template-%d", templates.n)), made: time.Now()}
	if tm.jar, err = cookiejar.New(nil); err != nil {
		return nil, err
	}
	in := &installation{data: tm.folder, sim: sim, jar: tm.jar}
	if in.env, err = settings(sim); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"merchant", "add", merchant, "溪桥充电宝"}, {"user", "add", "lin", "--role", "agent", "--password-stdin"}} {
		if code, out, err := in.run(password+"\n", args...); code != 0 {
			return nil, fmt.Errorf("%v: %d %w\n%s", args, code, err, out)
		}
	}
	p, err := in.start()
	if err != nil {
		return nil, err
	}
	a := in.browser(p.url()).post("/login", url.Values{"username": {"lin"}, "password": {password}})
	if a.status != http.StatusSeeOther {
		return nil, fmt.Errorf("sign in: %d %w", a.status, a.err)
	}
	if code, err := p.stop(); code != 0 {
		return nil, fmt.Errorf("stop: %d %w", code, err)
	}
	signer, err := ledger.LoadOrCreateKey(filepath.Join(tm.folder, "checkpoint.key"))
	if err != nil {
		return nil, err
	}
	tm.vkey = signer.VerifierKey()
	templates.last = tm
	return tm, nil
}

var keys = sync.OnceValues(func() (string, error) { // of all simulators of this process
	folder := filepath.Join(bin, "keys")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", err
	}
	sim, err := simulator.New()
	if err != nil {
		return "", err
	}
	return folder, sim.WriteKeys(folder)
})

func settings(sim *simulator.Server) ([]string, error) {
	folder, err := keys()
	if err != nil {
		return nil, err
	}
	cfg := sim.Config()
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + bin, "TMPDIR=" + os.TempDir(), "GOMAXPROCS=2",
		"CONSOLE_LISTEN=127.0.0.1:0", "CONSOLE_WECHAT_API_HOST=" + cfg.Host, "CONSOLE_WECHAT_MCHID=" + cfg.MchID, "CONSOLE_WECHAT_CERT_SERIAL=" + cfg.CertSerial,
		"CONSOLE_WECHAT_PRIVATE_KEY_FILE=" + filepath.Join(folder, simulator.PrivateKeyFile),
		"CONSOLE_WECHAT_PUBLIC_KEY_ID=" + cfg.PublicKeyID, "CONSOLE_WECHAT_PUBLIC_KEY_FILE=" + filepath.Join(folder, simulator.PublicKeyFile),
		"CONSOLE_QUIET_TIME=" + quiet.String(), "CONSOLE_RECHECK_INTERVAL=" + recheck.String(), "CONSOLE_MIN_FREE=0", "CONSOLE_LOOKUPS_PER_MINUTE=0",
	}, nil
}

// installation is a data folder with the settings of the console that serves it, and
// the WeChat that it talks to.
type installation struct {
	data string
	env  []string
	sim  *simulator.Server
	jar  http.CookieJar // signed in
	vkey string
	told []told // what the console answered to confirmations
	mu   sync.Mutex
}

// install makes an installation in the folder, which is that of the data, and puts
// orders that are to be paid. The caller closes its WeChat.
func install(folder string, orders ...string) (*installation, error) {
	tm, err := fresh()
	if err != nil {
		return nil, err
	}
	if err := copyFolder(folder, tm.folder); err != nil {
		return nil, err
	}
	in := &installation{data: folder, jar: tm.jar, vkey: tm.vkey}
	if in.sim, err = simulator.Start("127.0.0.1:0"); err != nil {
		return nil, err
	}
	if in.env, err = settings(in.sim); err != nil {
		return nil, err
	}
	in.put(orders...)
	return in, nil
}

// copyFolder copies files that only their owner may read. The folder to may be there.
func copyFolder(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := to + strings.TrimPrefix(path, from)
		if d.IsDir() {
			return os.MkdirAll(name, 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(name, data, 0o600)
	})
}

func (in *installation) put(orders ...string) {
	for _, no := range orders {
		in.sim.Put(proctest.Unpaid(merchant, service, no, opening))
	}
}

func (in *installation) database() string { return filepath.Join(in.data, "console.db") }

func (in *installation) command(wrap []string, args ...string) (*exec.Cmd, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	line := append(append(append([]string{}, wrap...), path), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append([]string{"CONSOLE_DATA=" + in.data}, in.env...)
	return cmd, nil
}

// run carries out a command to its end.
func (in *installation) run(stdin string, args ...string) (code int, out string, err error) {
	cmd, err := in.command(nil, args...)
	if err != nil {
		return -1, "", err
	}
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(text), err
}

// process is one life of the console.
type process struct {
	*proctest.Console
	tracer chan struct{} // closed when a tracer that was attached has ended; nil: none was
}

func (p *process) url() string { return "http://" + p.Address }

// launch starts a life, under the program wrap if there is one, and waits until it
// listens or has ended.
func (in *installation) launch(wrap ...string) (*process, error) {
	cmd, err := in.command(wrap, "serve")
	if err != nil {
		return nil, err
	}
	c, err := proctest.StartConsole(cmd, 0)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.Up:
	case <-c.Gone:
	case <-time.After(patience):
		cmd.Process.Kill()
		return nil, fmt.Errorf("it does not start:\n%s", c.Words())
	}
	return &process{Console: c}, nil
}

// start starts a life that must listen.
func (in *installation) start() (*process, error) {
	p, err := in.launch()
	if err == nil && p.Ended() {
		err = fmt.Errorf("it did not start: exit code %d\n%s", p.Cmd.ProcessState.ExitCode(), p.Words())
	}
	return p, err
}

// stop asks it to stop, unless it has ended, and returns the exit code.
func (p *process) stop() (int, error) {
	p.Cmd.Process.Signal(syscall.SIGTERM)
	return p.wait(patience)
}

func (p *process) wait(limit time.Duration) (int, error) {
	select {
	case <-p.Gone:
		if p.tracer != nil {
			<-p.tracer
		}
		return p.Cmd.ProcessState.ExitCode(), nil
	case <-time.After(limit):
		p.Cmd.Process.Signal(syscall.SIGQUIT)
		<-p.Gone
		return -1, fmt.Errorf("it did not end within %s:\n%s", limit, p.Words())
	}
}

// browser is that of the person who is signed in, as far as HTTP goes.
type browser struct {
	url    string
	client *http.Client
}

func (in *installation) browser(url string) browser {
	return browser{url, &http.Client{
		Jar: in.jar, Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type answer struct {
	status   int
	location string
	body     string
	err      error
}

func (b browser) get(path string) answer { return b.do(http.MethodGet, path, nil) }

func (b browser) post(path string, form url.Values) answer {
	return b.do(http.MethodPost, path, form)
}

func (b browser) do(method, path string, form url.Values) (a answer) {
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{err: err}
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.url)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header.Get("Location"), string(text), err}
}

var inputs = regexp.MustCompile(`name="([a-z]+)" value="([^"]*)"`)

func input(page, name string) string {
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	return ""
}

// nothingSent is how an error page says so.
const nothingSent = "这次没有提交任何改价"

// told is what came of a confirmation, as its person saw it.
type told struct {
	order     string
	confirmed bool // the confirmation was asked for
	answer    answer
}

func orderPath(no string) string { return "/orders/" + merchant + "/" + no }

// correct corrects an order, as far as the console lets it, and returns the last answer.
func (in *installation) correct(url, no string) told {
	at, token, x := in.prepare(url, no)
	if token == "" {
		return x
	}
	return in.confirm(url, no, at, token)
}

// prepare makes a correction that waits to be confirmed; no token when it could not.
func (in *installation) prepare(url, no string) (at, token string, x told) {
	b := in.browser(url)
	a := b.get(orderPath(no) + "/correction")
	if base := input(a.body, "base"); base != "" {
		a = b.post(orderPath(no)+"/correction", form(base))
		at = a.location
	}
	if a.status == http.StatusSeeOther {
		a = b.get(at)
		token = input(a.body, "token")
	}
	x = told{no, false, a}
	if token == "" {
		in.note(x)
	}
	return at, token, x
}

func (in *installation) confirm(url, no, at, token string) told {
	return in.note(told{no, true, in.browser(url).post(at+"/confirmation", confirmation(token))})
}

func form(base string) url.Values {
	return url.Values{
		"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时"},
		"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
		"device.start_device_id": {"XQ-1"}, "device.end_device_id": {"XQ-2"}, "device.materiel_no": {"XQ-3"},
		"total_amount": {target.String()}, "reason_code": {"device_fault"}, "reason": {"用户投诉"}, "base": {base},
	}
}

func confirmation(token string) url.Values {
	return url.Values{"token": {token}, "typed_total": {target.String()}}
}

func (in *installation) note(x told) told {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.told = append(in.told, x)
	return x
}

// correctAll corrects orders, two at a time. Once all are prepared it calls between.
func (in *installation) correctAll(url string, between func() error, orders ...string) error {
	confirms := make(chan func(), len(orders))
	inPairs(orders, func(no string) {
		if at, token, _ := in.prepare(url, no); token != "" {
			confirms <- func() { in.confirm(url, no, at, token) }
		}
	})
	close(confirms)
	if err := between(); err != nil {
		return err
	}
	var rest []func()
	for f := range confirms {
		rest = append(rest, f)
	}
	inPairs(rest, func(f func()) { f() })
	return nil
}

func inPairs[T any](list []T, f func(T)) {
	next := make(chan T)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for x := range next {
				f(x)
			}
		})
	}
	for _, x := range list {
		next <- x
	}
	close(next)
	all.Wait()
}

func nothing() error { return nil }

// eventually asks again until ok, or gives up after the limit.
func eventually(limit time.Duration, ok func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		done, err := ok()
		if err != nil || done {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("not within %s", limit)
		}
	}
}

var errFalse = errors.New("the record and WeChat differ")

// figures is what the runs came to.
type figures struct{ runs, unintended, corrupt, failedStarts int }

var total struct {
	sync.Mutex
	figures
}

// settle starts the console again on a disk that works, lets it decide what is
// uncertain, stops it, and compares what it has on record with the truth.
func (in *installation) settle() error {
	total.Lock()
	total.runs++
	total.Unlock()
	count := func(n *int) {
		total.Lock()
		*n++
		total.Unlock()
	}
	p, err := in.start()
	if err != nil {
		count(&total.failedStarts)
		return err
	}
	err = eventually(patience, func() (bool, error) {
		rec, err := readRecord(in.database())
		return err == nil && rec.open == 0, err
	})
	if err != nil {
		return fmt.Errorf("decide what is open: %w\n%s", err, p.Words())
	}
	if code, err := p.stop(); code != 0 {
		return fmt.Errorf("stop: %d %w\n%s", code, err, p.Words())
	}
	rec, err := readRecord(in.database())
	if err == nil {
		err = rec.whole
	}
	if err == nil {
		_, err = sqlite.Verify(noContext, in.database(), []string{in.vkey})
	}
	if err != nil {
		count(&total.corrupt)
		return err
	}
	for _, post := range in.sim.PostLog() {
		if _, ok := rec.intents[post.Nonce]; !ok {
			count(&total.unintended)
			return fmt.Errorf("%w: a POST for %s arrived without an intent on record", errFalse, post.Order)
		}
	}
	return in.compare(rec)
}

// compare finds what is false in the record or was told falsely.
func (in *installation) compare(rec *record) error {
	var faults []error
	fault := func(form string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+form, append([]any{errFalse}, args...)...))
	}
	arrived := map[string]simulator.Post{} // by nonce
	for _, p := range in.sim.PostLog() {
		arrived[p.Nonce] = p
	}
	changes := map[string]int{} // by order, on record
	for _, c := range rec.corrections {
		post, sent := arrived[c.nonce]
		for _, e := range c.events {
			if e.class == correction.NothingSent && sent {
				fault("correction %d of %s says that nothing was sent", c.id, c.order)
			}
		}
		switch {
		case c.state.Effective() != (sent && post.Applied):
			fault("correction %d of %s is %s; sent %t, took effect %t", c.id, c.order, c.state, sent, post.Applied)
		case (c.state == correction.Stale || c.state == correction.Prepared || c.state == correction.Expiry || c.state == correction.Void) && sent:
			fault("correction %d of %s is %s and was sent", c.id, c.order, c.state)
		}
		if c.state.Effective() {
			changes[c.order]++
		}
	}
	for _, o := range in.sim.Orders() {
		if n := in.sim.Posts(o.OutOrderNo); n > 1 {
			fault("%s was sent %d times", o.OutOrderNo, n)
		}
		if n := in.sim.Applied(o.OutOrderNo); n != changes[o.OutOrderNo] {
			fault("%s was changed %d times, %d on record", o.OutOrderNo, n, changes[o.OutOrderNo])
		}
	}
	for _, x := range in.told {
		if strings.Contains(x.answer.body, nothingSent) && in.sim.Posts(x.order) > 0 {
			fault("the console said that nothing was sent for %s (%d), and it was", x.order, x.answer.status)
		}
	}
	return errors.Join(faults...)
}
