package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/wechat/simulator"
)

// The tests run the real program: this test binary, told to be the console.
func TestMain(m *testing.M) {
	testVariables = append(testVariables, "CONSOLE_TEST_RUN", "CONSOLE_TEST_FULL_DISK", "CONSOLE_CRASH_AT")
	if os.Getenv("CONSOLE_TEST_RUN") == "1" {
		os.Exit(run(os.Args[1:]))
	}
	code := m.Run()
	for _, f := range atEnd {
		f()
	}
	os.Exit(code)
}

func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append([]string{"CONSOLE_TEST_RUN=1", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	cmd.Dir = t.TempDir()
	return cmd
}

// execute runs a command to its end.
func execute(t *testing.T, env []string, stdin string, args ...string) (code int, out, errOut string) {
	t.Helper()
	cmd := command(t, env, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// settings are those of a working installation that talks to a simulator.
func settings(t *testing.T) (env []string, dir string) {
	t.Helper()
	sim, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	return settingsOf(t, sim)
}

// settingsOf are those of an installation that talks to this simulator.
func settingsOf(t *testing.T, sim *simulator.Server) (env []string, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := sim.WriteKeys(dir); err != nil {
		t.Fatal(err)
	}
	cfg := sim.Config()
	return []string{
		"CONSOLE_DATA=" + filepath.Join(dir, "data"), "CONSOLE_LISTEN=127.0.0.1:0", "CONSOLE_WECHAT_API_HOST=" + cfg.Host,
		"CONSOLE_WECHAT_MCHID=" + cfg.MchID, "CONSOLE_WECHAT_CERT_SERIAL=" + cfg.CertSerial,
		"CONSOLE_WECHAT_PRIVATE_KEY_FILE=" + filepath.Join(dir, simulator.PrivateKeyFile),
		"CONSOLE_WECHAT_PUBLIC_KEY_ID=" + cfg.PublicKeyID, "CONSOLE_WECHAT_PUBLIC_KEY_FILE=" + filepath.Join(dir, simulator.PublicKeyFile),
	}, dir
}

func with(env []string, more ...string) []string { return append(append([]string{}, env...), more...) }

// serve starts `serve` and returns its address and a function that stops it and
// returns its exit code.
func serve(t *testing.T, env []string) (url string, stop func() int) {
	t.Helper()
	url, end := serveUntil(t, env)
	return url, func() int { return end(syscall.SIGTERM) }
}

// serveUntil is serve with the signal that ends it.
func serveUntil(t *testing.T, env []string) (url string, end func(syscall.Signal) int) {
	t.Helper()
	cmd := command(t, env, "serve")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			go io.Copy(io.Discard, pipe)
			return "http://" + line.Address, func(s syscall.Signal) int {
				cmd.Process.Signal(s)
				cmd.Wait()
				return cmd.ProcessState.ExitCode()
			}
		}
		t.Log(lines.Text())
	}
	t.Fatal("serve did not start")
	return "", nil
}

func TestServe_StartsAnswersAndStops(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	url, stop := serve(t, env)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/login": 200, "/metrics": 404, "/nothing": 404} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	listen := "CONSOLE_LISTEN=" + strings.TrimPrefix(url, "http://")
	if code, out, _ := execute(t, with(env, listen), "", "healthcheck"); code != 0 || out != "ready\n" {
		t.Errorf("healthcheck: %d %q", code, out)
	}
	if code, _, msg := execute(t, with(env, listen), "", "serve"); code != 1 || !oneLine(msg) || !strings.Contains(msg, "CONSOLE_DATA") {
		t.Errorf("a second console on the folder: %d %q", code, msg)
	}
	if code, _, msg := execute(t, with(env, listen, "CONSOLE_DATA="+filepath.Join(dir, "other")), "", "serve"); code != 1 || !oneLine(msg) || !strings.Contains(msg, "CONSOLE_LISTEN") {
		t.Errorf("a taken port: %d %q", code, msg)
	}
	// People are added while it runs.
	if code, _, msg := execute(t, env, "a-long-enough-passphrase\n", "user", "add", "lin", "--role", "agent", "--password-stdin"); code != 0 {
		t.Errorf("user add: %d %s", code, msg)
	}
	if code := stop(); code != 0 {
		t.Errorf("stopped with %d", code)
	}
	if code, _, _ := execute(t, with(env, listen), "", "healthcheck"); code != 1 {
		t.Errorf("healthcheck of nothing: %d", code)
	}
	info, err := os.Stat(filepath.Join(dir, "data", "console.db"))
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("database: %v %v", info, err)
	}
}

func oneLine(s string) bool {
	return strings.Count(strings.TrimSpace(s), "\n") == 0 && s != "" && !strings.Contains(s, "goroutine")
}

func TestServe_TellsEveryProblemOfTheSettingsAtOnce(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	code, _, msg := execute(t, with(env,
		"CONSOLE_LISTEN=nowhere", "CONSOLE_TIME_ZONE=Mars/Base", "CONSOLE_PUBLIC_URL=ftp://x", "CONSOLE_WECHAT_MCHID=abc",
		"CONSOLE_WECHAT_API_HOST=http://api.mch.weixin.qq.com", "CONSOLE_WECHAT_TIMEOUT=soon", "CONSOLE_QUIET_TIME=1s",
		"CONSOLE_WECHAT_PRIVATE_KEY_FILE="+filepath.Join(dir, "missing.pem"), "CONSOLE_TRUSTED_PROXIES=everybody", "CONSOLE_TLS_CERT_FILE="+dir,
	), "", "serve")
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		`CONSOLE_LISTEN="nowhere"`, `CONSOLE_TIME_ZONE="Mars/Base"`, `CONSOLE_PUBLIC_URL="ftp://x"`, `CONSOLE_WECHAT_MCHID="abc"`,
		`CONSOLE_WECHAT_API_HOST="http://api.mch.weixin.qq.com"`, `CONSOLE_WECHAT_TIMEOUT="soon"`, `CONSOLE_QUIET_TIME="1s"`,
		"missing.pem", `CONSOLE_TRUSTED_PROXIES="everybody"`, "CONSOLE_TLS_CERT_FILE=",
	} {
		if !strings.Contains(msg, want) {
			t.Errorf("not told: %s\n%s", want, msg)
		}
	}
}

func TestServe_SafeFloorsHoldForRealHosts(t *testing.T) {
	t.Parallel()
	env, _ := settings(t)
	if code, _, msg := execute(t, with(env, "CONSOLE_WECHAT_API_HOST=https://api.mch.weixin.qq.com", "CONSOLE_QUIET_TIME=6m59s"), "", "serve"); code != 2 || !strings.Contains(msg, "at least 7m") {
		t.Errorf("%d %s", code, msg)
	}
	url, stop := serve(t, with(env, "CONSOLE_QUIET_TIME=1s"))
	if url == "" || stop() != 0 {
		t.Error("a short quiet time on the loopback range was refused")
	}
}

func TestServe_FilesThatCannotBeUsedAreNamedInOneLine(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	open := filepath.Join(dir, "open.pem")
	key, err := os.ReadFile(filepath.Join(dir, simulator.PrivateKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(dir, "garbage.pem")
	badDB := filepath.Join(dir, "bad")
	for path, content := range map[string][]byte{open: key, garbage: []byte("nothing"), filepath.Join(badDB, "console.db"): []byte(strings.Repeat("no database ", 1000))} {
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		env, names string
		code       int
	}{
		"key others may read": {"CONSOLE_WECHAT_PRIVATE_KEY_FILE=" + open, "CONSOLE_WECHAT_PRIVATE_KEY_FILE", 2},
		"no key":              {"CONSOLE_WECHAT_PRIVATE_KEY_FILE=" + filepath.Join(dir, "none"), "CONSOLE_WECHAT_PRIVATE_KEY_FILE", 2},
		"no public key":       {"CONSOLE_WECHAT_PUBLIC_KEY_FILE=" + garbage, "CONSOLE_WECHAT_PUBLIC_KEY_FILE", 2},
		"no database":         {"CONSOLE_DATA=" + badDB, "CONSOLE_DATA", 1},
		"no folder":           {"CONSOLE_DATA=" + garbage, "CONSOLE_DATA", 1},
		"session key":         {"CONSOLE_SESSION_KEY_FILE=" + garbage, "CONSOLE_SESSION_KEY_FILE", 2},
	} {
		code, _, msg := execute(t, with(env, c.env), "", "serve")
		if code != c.code || !oneLine(msg) || !strings.Contains(msg, c.names) {
			t.Errorf("%s: exit %d, %q", name, code, msg)
		}
	}
}

func TestSettings_FileNamesTheSameThings(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	file := filepath.Join(dir, "console.json")
	if err := os.WriteFile(file, []byte(`{"time_zone": "Nowhere/At-All", "wechat_timeout": "5s"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, msg := execute(t, with(env, "CONSOLE_SETTINGS="+file), "", "serve"); code != 2 || !strings.Contains(msg, "Nowhere/At-All") {
		t.Errorf("%d %s", code, msg)
	}
	if code, _, msg := execute(t, with(env, "CONSOLE_SETTINGS="+file, "CONSOLE_TIME_ZONE=Moon/Base"), "", "serve"); code != 2 || !strings.Contains(msg, "Moon/Base") {
		t.Errorf("the environment is above the file: %d %s", code, msg)
	}
}

func TestSettings_FileWithAMisspeltNameIsRefused(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	file := filepath.Join(dir, "console.json")
	for content, says := range map[string]string{`{"listne": "127.0.0.1:1"}`: "listne", `{"listen"`: "CONSOLE_SETTINGS"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, msg := execute(t, with(env, "CONSOLE_SETTINGS="+file), "", "serve"); code != 2 || !strings.Contains(msg, says) {
			t.Errorf("%s: %d %s", content, code, msg)
		}
	}
}

func TestDemo_DoesNotTouchARealInstallation(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	if code, _, msg := execute(t, []string{"CONSOLE_DATA=" + data}, "a-long-enough-passphrase\n", "user", "add", "agent", "--role", "agent", "--password-stdin"); code != 0 {
		t.Fatal(msg)
	}
	if code, _, msg := execute(t, nil, "", "demo", "--data", data, "--listen", "127.0.0.1:0"); code != 2 || !strings.Contains(msg, "not a demo") {
		t.Errorf("%d %s", code, msg)
	}
}

func TestUser_AddListResetDisable(t *testing.T) {
	t.Parallel()
	env := []string{"CONSOLE_DATA=" + filepath.Join(t.TempDir(), "data")}
	const pass = "a-long-enough-passphrase\n"
	for _, c := range []struct {
		stdin string
		args  []string
		code  int
		says  string
	}{
		{pass, []string{"user", "add", "Lin", "--role", "agent", "--password-stdin", "--display-name", "林晓雯"}, 0, "added lin"},
		{pass, []string{"user", "add", "lin", "--role", "agent", "--password-stdin"}, 1, "already"},
		{pass, []string{"user", "add", "zhou", "--role", "king", "--password-stdin"}, 2, "agent"},
		{pass, []string{"user", "add", "zhou", "--password-stdin"}, 2, "role"},
		{"short\n", []string{"user", "add", "zhou", "--role", "supervisor", "--password-stdin"}, 2, "at least 8"},
		{pass, []string{"user", "add", "a b", "--role", "agent", "--password-stdin"}, 2, "user name"},
		{pass, []string{"user", "add", "wang", "--role", "agent", "--password-stdin", "--merchant", "x"}, 2, "digits"},
		{"", []string{"merchant", "add", "1900021408", "溪桥充电宝"}, 0, "1900021408"},
		{"", []string{"merchant", "add", "abc", "x"}, 2, "digits"},
		{"", []string{"merchant", "list"}, 0, "溪桥充电宝"},
		{pass, []string{"user", "add", "wang", "--role", "agent", "--password-stdin", "--merchant", "1900021408"}, 0, "added wang"},
		{"", []string{"user", "list"}, 0, "1900021408"},
		{"another-long-passphrase\n", []string{"user", "reset", "lin", "--password-stdin"}, 0, "set"},
		{pass, []string{"user", "reset", "nobody", "--password-stdin"}, 2, "no user"},
		{"", []string{"user", "disable", "wang"}, 0, "disabled"},
		{"", []string{"user", "list"}, 0, "disabled"},
		{"", []string{"user", "disable", "wang", "--enable"}, 0, "enabled"},
		{"", []string{"service", "add", "500001", "充电宝租借", "--industry", "power_bank", "--cap", "99"}, 0, "500001"},
		{"", []string{"service", "add", "500001", "x", "--industry", "submarine"}, 2, "power_bank"},
		{"", []string{"service", "add", "500001", "x", "--cap", "1,000"}, 2, "cap"},
		{"", []string{"service", "list"}, 0, "99.00"},
		{"", []string{"version"}, 0, "console"},
		{"", []string{"dance"}, 2, ""},
	} {
		code, out, msg := execute(t, env, c.stdin, c.args...)
		if code != c.code || !strings.Contains(out+msg, c.says) || strings.Contains(out+msg, "passphrase") {
			t.Errorf("%v: exit %d\n%s%s", c.args, code, out, msg)
		}
	}
}

func TestDemo_RunsTheMainJobsAddress(t *testing.T) {
	t.Parallel()
	cmd := command(t, nil, "demo", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Stop with") {
			break
		}
	}
	urls := regexp.MustCompile(`http://[0-9.:]+/`).FindAllString(said.String(), -1)
	if len(urls) != 2 {
		t.Fatalf("addresses %v in\n%s", urls, said.String())
	}
	for _, u := range urls {
		res, err := http.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", u, res.StatusCode)
		}
		host, _, err := net.SplitHostPort(strings.Trim(strings.TrimPrefix(u, "http:"), "/"))
		if err != nil || host != "127.0.0.1" {
			t.Errorf("%s is not on the loopback range", u)
		}
	}
	for _, want := range []string{"agent", "supervisor", "operator", "auditor", "password", "PB_20261123_0099"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped with %v", err)
	}
}
