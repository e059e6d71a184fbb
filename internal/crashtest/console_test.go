package crashtest

import (
	"context"
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
	"syscall"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/proctest"
)

// Times of the settings. A signature time is in whole seconds, so that the quiet time
// must be above one second; what is left of it is longer than the longest delay of a
// fault, as 7 minutes are longer than the 5 for which WeChat accepts a signature.
const (
	quiet    = 1600 * time.Millisecond
	recheck  = 20 * time.Millisecond
	maxDelay = 200 * time.Millisecond
)

const password = "a quiet green bicycle"

// installation is a data folder with the settings of the console that serves it.
type installation struct {
	program string
	folder  string
	env     []string
	jar     http.CookieJar // signed in
}

// install sets up a folder with the program's own commands and signs in.
func install(t *testing.T, w *proctest.WeChat, program string, timeout time.Duration) *installation {
	t.Helper()
	in := &installation{program: program, folder: filepath.Join(t.TempDir(), "data"), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + os.TempDir(),
		"CONSOLE_LISTEN=127.0.0.1:0",
		"CONSOLE_WECHAT_TIMEOUT=" + timeout.String(), "CONSOLE_QUIET_TIME=" + quiet.String(), "CONSOLE_RECHECK_INTERVAL=" + recheck.String(),
		"CONSOLE_MIN_FREE=0", "CONSOLE_LOOKUPS_PER_MINUTE=0",
	}}
	in.env = append(in.env, w.Settings()...)
	in.jar = must(cookiejar.New(nil))(t)
	for _, args := range [][]string{{"merchant", "add", merchant, "溪桥充电宝"}, {"user", "add", "lin", "--role", "agent", "--password-stdin"}} {
		if out, err := in.run(password+"\n", args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	p, err := in.serve()
	if err != nil {
		t.Fatal(err)
	}
	a, err := in.browser().post(p.url()+"/login", url.Values{"username": {"lin"}, "password": {password}})
	if err != nil || a.status != http.StatusSeeOther {
		t.Fatalf("sign in: %d %v", a.status, err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	return in
}

// copyTo makes a copy of the installation's folder. Nobody must serve it.
func (in *installation) copyTo(folder string) (*installation, error) {
	c := *in
	c.folder = folder
	return &c, filepath.WalkDir(in.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(folder, strings.TrimPrefix(path, in.folder))
		if d.IsDir() {
			return os.Mkdir(to, 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o600)
	})
}

func (in *installation) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, in.program, args...)
	cmd.Env = append(append([]string{"CONSOLE_DATA=" + in.folder}, in.env...), env...)
	return cmd
}

// run carries out a command to its end.
func (in *installation) run(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := in.command(ctx, nil, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// process is one life of the console.
type process struct{ *proctest.Console }

func (p *process) url() string { return "http://" + p.Address }

// launch starts a life without waiting for anything.
func (in *installation) launch(env ...string) (*process, error) {
	c, err := proctest.StartConsole(in.command(context.Background(), env, "serve"), 1<<16)
	return &process{c}, err
}

// serve starts a life and waits until it listens.
func (in *installation) serve(env ...string) (*process, error) {
	p, err := in.launch(env...)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.Up:
		return p, nil
	case <-p.Gone:
		return nil, fmt.Errorf("the console did not start: %s\n%s", p.Cmd.ProcessState, p.Words())
	}
}

// kill ends a life at once.
func (p *process) kill() {
	_ = p.Cmd.Process.Kill() // it may be gone already
	<-p.Gone
}

// stop ends a life in order.
func (p *process) stop() error {
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-p.Gone
	if !p.Cmd.ProcessState.Success() {
		return fmt.Errorf("the console ended with %s\n%s", p.Cmd.ProcessState, p.Words())
	}
	return nil
}

// died reports whether a life has ended at the place of CONSOLE_CRASH_AT.
func (p *process) died() bool {
	if !p.Ended() {
		return false
	}
	status, ok := p.Cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL && strings.Contains(p.Words(), "crash at ")
}

// browser is a signed-in browser as far as HTTP goes.
type browser struct{ client http.Client }

func (in *installation) browser() *browser {
	return &browser{http.Client{
		Jar: in.jar, Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type answer struct {
	status   int
	location string
	body     string
}

func (b *browser) get(address string) (answer, error) {
	return b.do(http.MethodGet, address, nil)
}

func (b *browser) post(address string, form url.Values) (answer, error) {
	return b.do(http.MethodPost, address, form)
}

func (b *browser) do(method, address string, form url.Values) (answer, error) {
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := b.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header.Get("Location"), string(body)}, err
}

// errRefused is an answer that does not lead on: the order is held or has moved, or
// WeChat could not be asked.
var errRefused = errors.New("the console did not go on")

var input = regexp.MustCompile(`name="(base|token)" value="([^"]*)"`)

func (a answer) input(name string) (string, error) {
	for _, m := range input.FindAllStringSubmatch(a.body, -1) {
		if m[1] == name {
			return m[2], nil
		}
	}
	return "", fmt.Errorf("%w: %d, without %s", errRefused, a.status, name)
}

// prepare fills in the form of an order and returns the path of the new correction.
func (b *browser) prepare(at, order string, total correction.Fen) (string, error) {
	path := at + "/orders/" + merchant + "/" + order + "/correction"
	form, err := b.get(path)
	if err != nil {
		return "", err
	}
	base, err := form.input("base")
	if err != nil {
		return "", err
	}
	a, err := b.post(path, url.Values{
		"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时"},
		"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"很久"},
		"total_amount": {total.Yuan()}, "reason_code": {"complaint"}, "base": {base},
	})
	if err == nil && a.status != http.StatusSeeOther {
		err = fmt.Errorf("%w: %d", errRefused, a.status)
	}
	return a.location, err
}

// token reads the page of a prepared correction.
func (b *browser) token(at, path string) (string, error) {
	page, err := b.get(at + path)
	if err != nil {
		return "", err
	}
	return page.input("token")
}

func (b *browser) confirm(at, path, token string) (answer, error) {
	return b.post(at+path+"/confirmation", url.Values{"token": {token}})
}
