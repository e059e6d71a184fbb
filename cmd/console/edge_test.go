package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/wechat/simulator"
)

// running is a console that serves, whose log is kept.
type running struct {
	t   *testing.T
	cmd *exec.Cmd
	url string

	mu    sync.Mutex
	lines []string
	more  chan struct{}
}

// launch starts a command that runs until it is stopped, and keeps what it logs. ready
// tells from a line of the log, or of the output, where it listens.
func launch(t *testing.T, env []string) *running {
	t.Helper()
	r := &running{t: t, cmd: command(t, env, "serve"), more: make(chan struct{}, 1)}
	pipe, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.cmd.Process.Kill() })
	go func() {
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			r.mu.Lock()
			r.lines = append(r.lines, lines.Text())
			r.mu.Unlock()
			select {
			case r.more <- struct{}{}:
			default:
			}
		}
	}()
	var line struct{ Address string }
	if err := json.Unmarshal([]byte(r.wait(`"msg":"listening"`, 1)), &line); err != nil {
		t.Fatal(err)
	}
	scheme := "http://"
	if strings.Contains(strings.Join(env, "\n"), "CONSOLE_TLS_CERT_FILE=") {
		scheme = "https://"
	}
	r.url = scheme + line.Address
	return r
}

// log is all that was logged, in lines that hold what.
func (r *running) log(what string) (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if strings.Contains(l, what) {
			out = append(out, l)
		}
	}
	return out
}

// wait returns the n-th line that holds what.
func (r *running) wait(what string, n int) string {
	r.t.Helper()
	late := time.After(time.Minute)
	for {
		if found := r.log(what); len(found) >= n {
			return found[n-1]
		}
		select {
		case <-r.more:
		case <-late:
			r.t.Fatalf("never said: %s\n%s", what, strings.Join(r.log(""), "\n"))
		}
	}
}

func (r *running) signal(s os.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) stop() int {
	r.signal(syscall.SIGTERM)
	r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// pair writes a new self-signed certificate with its key, and returns its number.
func pair(t *testing.T, dir string, until time.Time) (number string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "console"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "tls.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
	put(t, filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
	return serial.String()
}

func put(t *testing.T, path string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func secured(env []string, dir string) []string {
	return with(env, "CONSOLE_TLS_CERT_FILE="+filepath.Join(dir, "tls.pem"), "CONSOLE_TLS_KEY_FILE="+filepath.Join(dir, "tls.key"))
}

// served is the number of the certificate that a new connection is shown.
func served(t *testing.T, address string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// Plain http beyond this machine is refused with every other problem, unless it is asked
// for; behind a TLS proxy, on loopback and with TLS it is not plain.
func TestServe_PlainHTTPBeyondThisMachine(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	pair(t, dir, time.Now().Add(time.Hour))
	for _, c := range []struct {
		env   []string
		names string // the setting that is refused; empty: none
	}{
		{[]string{"CONSOLE_PUBLIC_URL=http://kf.lan"}, `CONSOLE_PUBLIC_URL="http://kf.lan"`},
		{[]string{"CONSOLE_PUBLIC_URL=http://10.0.0.5:8080"}, "CONSOLE_PUBLIC_URL"},
		{[]string{"CONSOLE_PUBLIC_URL=http://localhost.example.com"}, "CONSOLE_PUBLIC_URL"},
		{[]string{"CONSOLE_PUBLIC_URL=http://kf.lan", "CONSOLE_LISTEN=0.0.0.0:0"}, "CONSOLE_PUBLIC_URL"},
		{[]string{"CONSOLE_LISTEN=0.0.0.0:0"}, `CONSOLE_LISTEN="0.0.0.0:0"`},
		{[]string{"CONSOLE_LISTEN=:0"}, "CONSOLE_LISTEN"},
		{[]string{"CONSOLE_LISTEN=[::]:0"}, "CONSOLE_LISTEN"},
		{[]string{"CONSOLE_LISTEN=192.0.2.1:80"}, "CONSOLE_LISTEN"},
		{secured([]string{"CONSOLE_PUBLIC_URL=http://kf.lan", "CONSOLE_INSECURE_HTTP=true"}, dir), "CONSOLE_PUBLIC_URL"}, // the two contradict each other
		{[]string{"CONSOLE_PUBLIC_URL=https://kf.example.com"}, ""},
		{[]string{"CONSOLE_PUBLIC_URL=http://127.0.0.1:8080"}, ""},
		{[]string{"CONSOLE_PUBLIC_URL=http://localhost:8080"}, ""},
		{[]string{"CONSOLE_LISTEN=localhost:0"}, ""},
		{[]string{"CONSOLE_PUBLIC_URL=http://kf.lan", "CONSOLE_INSECURE_HTTP=true"}, ""},
		{secured([]string{"CONSOLE_PUBLIC_URL=https://kf.lan"}, dir), ""},
	} {
		// With a zone that does not exist nothing is ever served, and all is told at once.
		code, _, msg := execute(t, with(with(env, c.env...), "CONSOLE_TIME_ZONE=Mars/Base"), "", "serve")
		if code != 2 || !strings.Contains(msg, "Mars/Base") {
			t.Errorf("%v: %d %s", c.env, code, msg)
		}
		if refused := strings.Contains(msg, "CONSOLE_PUBLIC_URL=") || strings.Contains(msg, "CONSOLE_LISTEN="); refused != (c.names != "") || !strings.Contains(msg, c.names) {
			t.Errorf("%v: %s", c.env, msg)
		}
	}
	code, _, msg := execute(t, with(env, "CONSOLE_PUBLIC_URL=http://kf.lan"), "", "serve")
	if code != 2 || !strings.Contains(msg, "--insecure-http") || !strings.Contains(msg, "CONSOLE_TLS_CERT_FILE") {
		t.Errorf("%d %s", code, msg)
	}
}

// Names in the environment that mean nothing are told, with the nearest that does, and
// never with what they hold.
func TestEnvironment_UnknownVariablesAreTold(t *testing.T) {
	t.Parallel()
	env, _ := settings(t)
	r := launch(t, with(env, "CONSOLE_WECHAT_MCH_ID=s3cret-a", "CONSOLE_LSITEN=s3cret-b", "CONSOLE_HORSES_AND_CARTS=s3cret-c", "console_data=s3cret-d", "CONSOLER=s3cret-e"))
	said := strings.Join(r.log(""), "\n")
	for _, want := range []string{
		`\"CONSOLE_WECHAT_MCH_ID\" is no setting and is left out; did you mean CONSOLE_WECHAT_MCHID?`, `\"CONSOLE_LSITEN\" is no setting and is left out; did you mean CONSOLE_LISTEN?`,
		`\"CONSOLE_HORSES_AND_CARTS\" is no setting and is left out"`, `\"console_data\" is no setting and is left out; did you mean CONSOLE_DATA?`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s\n%s", want, said)
		}
	}
	if strings.Contains(said, "s3cret") || strings.Contains(said, "CONSOLER") || strings.Contains(said, "CONSOLE_TEST_RUN") {
		t.Errorf("too much said:\n%s", said)
	}
	if r.stop() != 0 {
		t.Error("it did not stop")
	}
	_, out, msg := execute(t, []string{"CONSOLE_DATE=x", "CONSOLE_DATA=" + filepath.Join(t.TempDir(), "data"), "CONSOLE_WEBHOOK_FORMAT=feishu"}, "", "user", "list")
	if !strings.Contains(msg, "CONSOLE_DATE") || !strings.Contains(msg, "CONSOLE_DATA?") || strings.Contains(msg, "FORMAT") || strings.Contains(out, "CONSOLE") {
		t.Errorf("%q %q", out, msg)
	}
}

func TestServe_WarnsOfWhatOthersCanRead(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	r := launch(t, env)
	if w := r.log("others than its owner"); len(w) > 0 || r.stop() != 0 {
		t.Errorf("a new folder is warned of: %v", w)
	}
	data := filepath.Join(dir, "data")
	for path, mode := range map[string]os.FileMode{data: 0o750, filepath.Join(data, "console.db"): 0o644, filepath.Join(data, "journal"): 0o701} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	r = launch(t, env)
	for _, want := range []string{data + `","mode":"0750"`, `console.db","mode":"0644"`, `journal","mode":"0701"`} {
		if len(r.log(want)) != 1 {
			t.Errorf("not warned of: %s\n%s", want, strings.Join(r.log(""), "\n"))
		}
	}
	if r.stop() != 0 {
		t.Error("it did not stop")
	}
}

func TestServe_TLSKeyThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	pair(t, dir, time.Now().Add(time.Hour))
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(filepath.Join(dir, "tls.key"), mode); err != nil {
			t.Fatal(err)
		}
		if code, _, msg := execute(t, secured(env, dir), "", "serve"); code != 2 || !oneLine(msg) || !strings.Contains(msg, "CONSOLE_TLS_KEY_FILE=") || !strings.Contains(msg, "chmod 600") {
			t.Errorf("%o: %d %s", mode, code, msg)
		}
	}
}

// Root leaves no files in another user's data folder: each command refuses, says which
// one to run, and changes nothing.
func TestCommands_RootDoesNotWorkOnAnothersFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be refused")
	}
	env, dir := settings(t)
	data := filepath.Join(dir, "data")
	if code, _, msg := execute(t, env, "", "merchant", "add", "1900021408", "x"); code != 0 {
		t.Fatal(msg)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	const other = 54321
	for _, path := range []string{data, empty} {
		if err := os.Chown(path, other, other); err != nil {
			t.Fatal(err)
		}
	}
	inOwn := filepath.Join(dir, "own") // the folder is root's, the database in it is not
	if err := os.Mkdir(inOwn, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(inOwn, "console.db"), nil, 0o600)
	if err := os.Chown(filepath.Join(inOwn, "console.db"), other, other); err != nil {
		t.Fatal(err)
	}
	listing := func(folder string) string {
		var names []string
		filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
			if err == nil {
				names = append(names, fmt.Sprint(path, info.Size(), info.ModTime()))
			}
			return nil
		})
		return strings.Join(names, "\n")
	}
	const pass = "a-long-enough-passphrase\n"
	for _, folder := range []string{data, empty, inOwn} {
		env := with(env, "CONSOLE_DATA="+folder)
		for _, args := range [][]string{
			{"serve"}, {"recover"}, {"recover", "--offline"}, {"verify"}, {"user", "list"}, {"user", "add", "lin", "--role", "agent", "--password-stdin"},
			{"user", "reset", "lin", "--password-stdin"}, {"user", "disable", "lin"}, {"merchant", "add", "1900021408", "x y"}, {"merchant", "list"},
			{"service", "add", "500001", "x"}, {"service", "list"}, {"demo", "--data", folder, "--listen", "127.0.0.1:0"},
		} {
			before := listing(folder)
			code, _, msg := execute(t, env, pass, args...)
			want := "sudo -u '#54321' "
			if code != 2 || !oneLine(msg) || !strings.Contains(msg, want) || !strings.Contains(msg, strings.Join(args[:1], " ")) || !strings.Contains(msg, "--data "+folder) {
				t.Errorf("%s %v: %d %s", folder, args, code, msg)
			}
			if after := listing(folder); after != before {
				t.Errorf("%s %v changed\n%s\nto\n%s", folder, args, before, after)
			}
		}
	}
	if code, _, msg := execute(t, with(env, "CONSOLE_TIME_ZONE=Mars/Base", "CONSOLE_DATA="+data), "", "serve"); code != 2 || !strings.Contains(msg, "Mars/Base") || !strings.Contains(msg, "sudo") {
		t.Errorf("not with the others: %d %s", code, msg)
	}
	if code, _, msg := execute(t, with(env, "CONSOLE_DATA="+filepath.Join(dir, "new")), "", "user", "list"); code != 0 {
		t.Errorf("a folder of root's own: %d %s", code, msg)
	}
}

func TestServe_MetricsOnlyOnTheirListenerOrWithTheToken(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	token := filepath.Join(dir, "token")
	put(t, token, []byte("scrape-me-0123456789\n"), 0o600)
	get := func(address, authorization string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	r := launch(t, with(env, "CONSOLE_METRICS_LISTEN=127.0.0.1:0", "CONSOLE_METRICS_TOKEN_FILE="+token))
	var line struct{ Address string }
	if err := json.Unmarshal([]byte(r.wait(`"msg":"metrics"`, 1)), &line); err != nil {
		t.Fatal(err)
	}
	own := "http://" + line.Address
	for _, c := range []struct {
		address, authorization string
		want                   int
	}{
		{r.url + "/metrics", "", 404}, {r.url + "/metrics", "Bearer scrape-me-012345678", 404}, {r.url + "/metrics", "Bearer ", 404}, {r.url + "/metrics", "Basic scrape-me-0123456789", 404},
		{r.url + "/metrics", "scrape-me-0123456789", 404}, {r.url + "/metrics", "Bearer scrape-me-0123456789", 200}, {r.url + "/metrics?x=1", "bearer scrape-me-0123456789", 200},
		{own + "/metrics", "", 200}, {own + "/", "", 404}, {own + "/login", "", 404}, {own + "/healthz", "", 404},
	} {
		if code, body := get(c.address, c.authorization); code != c.want || (code == 200) != strings.Contains(body, "console_sent_total") {
			t.Errorf("%s with %q: %d", c.address, c.authorization, code)
		}
	}
	if r.stop() != 0 {
		t.Error("it did not stop")
	}
	r = launch(t, env)
	for _, authorization := range []string{"", "Bearer ", "Bearer", "Bearer x"} {
		if code, _ := get(r.url+"/metrics", authorization); code != 404 {
			t.Errorf("without a token of its own, %q: %d", authorization, code)
		}
	}
	r.stop()
	put(t, token, []byte("short\n"), 0o600)
	loose := filepath.Join(dir, "loose")
	put(t, loose, []byte("scrape-me-0123456789\n"), 0o644)
	for setting, value := range map[string]string{"CONSOLE_METRICS_TOKEN_FILE": token, "CONSOLE_METRICS_LISTEN": "nowhere", "CONSOLE_CONNECTIONS": "4", "CONSOLE_CONNECTIONS_PER_ADDRESS": "many"} {
		if code, _, msg := execute(t, with(env, setting+"="+value), "", "serve"); code != 2 || !oneLine(msg) || !strings.Contains(msg, setting+"=") || strings.Contains(msg, "short") {
			t.Errorf("%s=%s: %d %s", setting, value, code, msg)
		}
	}
	if code, _, msg := execute(t, with(env, "CONSOLE_METRICS_TOKEN_FILE="+loose, "CONSOLE_CONNECTIONS=10", "CONSOLE_CONNECTIONS_PER_ADDRESS=11"), "", "serve"); code != 2 ||
		!strings.Contains(msg, "chmod 600") || !strings.Contains(msg, "from 1 to 10") || strings.Contains(msg, "scrape-me") {
		t.Errorf("%d %s", code, msg)
	}
}

// The settings bound the connections: the one beyond waits until one is closed.
func TestServe_ConnectionsAreASetting(t *testing.T) {
	t.Parallel()
	env, _ := settings(t)
	r := launch(t, with(env, "CONSOLE_CONNECTIONS=8", "CONSOLE_CONNECTIONS_PER_ADDRESS=8"))
	ask := func() (net.Conn, *bufio.Reader) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		return conn, bufio.NewReader(conn)
	}
	var first net.Conn
	for i := range 8 {
		conn, in := ask()
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("connection %d: %q %v", i, line, err)
		}
		if i == 0 {
			first = conn
		}
	}
	over, in := ask()
	over.SetReadDeadline(time.Now().Add(time.Second))
	if line, err := in.ReadString('\n'); err == nil {
		t.Fatalf("the ninth connection is answered: %q", line)
	}
	first.Close()
	over.SetReadDeadline(time.Now().Add(30 * time.Second))
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("after one was closed: %q %v", line, err)
	}
}

// SIGHUP ends nothing. It takes up a new certificate; a wrong one is told in the log, on
// the pages and in the metrics, and the old one stays until one is right again.
func TestServe_HangUpReadsTheCertificateAgain(t *testing.T) {
	t.Parallel()
	env, dir := settings(t)
	first := pair(t, dir, time.Now().Add(time.Hour))
	r := launch(t, with(secured(env, dir), "CONSOLE_METRICS_LISTEN=127.0.0.1:0"))
	var line struct{ Address string }
	if err := json.Unmarshal([]byte(r.wait(`"msg":"metrics"`, 1)), &line); err != nil {
		t.Fatal(err)
	}
	gauge := func() string {
		t.Helper()
		res, err := http.Get("http://" + line.Address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(body), "\nconsole_reload_failed ")
		return rest[:1]
	}
	if got := served(t, r.url); got != first {
		t.Fatalf("serves %s, not %s", got, first)
	}
	second := pair(t, dir, time.Now().Add(time.Hour))
	r.signal(syscall.SIGHUP)
	r.wait("keys read again", 1)
	if got := served(t, r.url); got != second || gauge() != "0" {
		t.Fatalf("serves %s, not the new %s", got, second)
	}
	cert, key := filepath.Join(dir, "tls.pem"), filepath.Join(dir, "tls.key")
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	alarms := 0
	for name, spoil := range map[string]func(){
		"expired":         func() { pair(t, dir, time.Now().Add(-time.Hour)) },
		"another's key":   func() { pair(t, dir, time.Now().Add(time.Hour)); put(t, key, good, 0o600) },
		"garbage":         func() { put(t, cert, []byte("nothing"), 0o644) },
		"no file":         func() { os.Remove(cert) },
		"others can read": func() { pair(t, dir, time.Now().Add(time.Hour)); os.Chmod(key, 0o644) },
	} {
		spoil()
		r.signal(syscall.SIGHUP)
		alarms++
		said := r.wait(`"kind":"reload_failed","on":true`, alarms)
		if !strings.Contains(said, "CONSOLE_TLS_") {
			t.Errorf("%s: the setting is not named: %s", name, said)
		}
		if got := served(t, r.url); got != second || gauge() != "1" {
			t.Errorf("%s: serves %s, not the former %s; gauge %s", name, got, second, gauge())
		}
	}
	third := pair(t, dir, time.Now().Add(time.Hour))
	r.signal(syscall.SIGHUP)
	r.wait(`"kind":"reload_failed","on":false`, 1)
	if got := served(t, r.url); got != third || gauge() != "0" {
		t.Errorf("serves %s, not %s", got, third)
	}
	if r.stop() != 0 {
		t.Error("it did not stop")
	}
}

// WeChat's keys are taken up as well, also in the middle of a call, which ends as if
// nothing had been. Wrong ones are not taken.
func TestServe_HangUpReadsWeChatsKeysAgain(t *testing.T) {
	t.Parallel()
	sim, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	for _, o := range simulator.Samples(time.Now()) {
		sim.Put(o)
	}
	env, dir := settingsOf(t, sim)
	r := launch(t, env)
	const password = "a quiet green bicycle"
	for _, args := range [][]string{
		{"merchant", "add", "1900021408", "溪桥充电宝"}, {"user", "add", "lin", "--role", "agent", "--password-stdin"}, {"user", "add", "he", "--role", "operator", "--password-stdin"},
	} {
		if code, _, msg := execute(t, env, password+"\n", args...); code != 0 {
			t.Fatalf("%v: %s", args, msg)
		}
	}
	lin, he := person{t, r.url, jar(t)}, person{t, r.url, jar(t)}
	lin.post("/login", 303, url.Values{"username": {"lin"}, "password": {password}})
	he.post("/login", 303, url.Values{"username": {"he"}, "password": {password}})
	const order = "/orders/1900021408/PB_20261123_0099"
	private, public := filepath.Join(dir, simulator.PrivateKeyFile), filepath.Join(dir, simulator.PublicKeyFile)
	rightPrivate, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	rightPublic, err := os.ReadFile(public)
	if err != nil {
		t.Fatal(err)
	}
	another, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	own, err := x509.MarshalPKIXPublicKey(&sim.Keys().Merchant.PublicKey)
	ownPublic := encode("PUBLIC KEY", own, err)
	strange, err := x509.MarshalPKCS8PrivateKey(another)
	strangePrivate := encode("PRIVATE KEY", strange, err)

	lin.get(order, 200)
	alarms := 0
	for name, spoil := range map[string]func(){
		"the merchant's own public key":      func() { put(t, public, ownPublic, 0o644) },
		"no public key":                      func() { put(t, public, []byte("nothing"), 0o644) },
		"a private key that others can read": func() { put(t, private, rightPrivate, 0o644) },
		"no private key":                     func() { put(t, private, []byte("nothing"), 0o600) },
	} {
		spoil()
		r.signal(syscall.SIGHUP)
		alarms++
		r.wait(`"kind":"reload_failed","on":true`, alarms)
		lin.get(order, 200) // with the former keys
		if _, page := he.get("/operations", 200); !strings.Contains(page, "密钥或证书") {
			t.Errorf("%s: the page says nothing of it", name)
		}
		put(t, public, rightPublic, 0o644)
		put(t, private, rightPrivate, 0o600)
	}
	read := 0
	reload := func() {
		t.Helper()
		r.signal(syscall.SIGHUP)
		read++
		r.wait("keys read again", read)
	}
	reload()
	if _, page := he.get("/operations", 200); strings.Contains(page, "密钥或证书有问题") {
		t.Error("the alarm did not end")
	}
	put(t, private, strangePrivate, 0o600) // well-formed, but nobody knows it: it is really used
	reload()
	lin.get(order, 502)
	put(t, private, rightPrivate, 0o600)
	reload()

	_, form := lin.get(order+"/correction", 200)
	to, _ := lin.post(order+"/correction", 303, url.Values{
		"post_payments.0.name": {"使用时长"}, "post_payments.0.description": {"5小时"}, "total_amount": {"90.00"},
		"reason_code": {"device_fault"}, "note": {"柜机没有识别归还"}, "base": {input(t, form, "base")},
	})
	_, page := lin.get(to, 200)
	token := input(t, page, "token")
	if err := sim.Script(simulator.Fault{Kind: simulator.Slow, Call: simulator.CallModify, Delay: 4 * time.Second}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lin.post(to+"/confirmation", 303, url.Values{"token": {token}})
	}()
	for len(sim.PostLog()) == 0 {
		select {
		case <-done:
			t.Fatal("nothing was sent")
		case <-time.After(time.Millisecond):
		}
	}
	for range 5 {
		reload()
	}
	<-done
	if _, page := lin.get(to, 200); !strings.Contains(page, "已生效") || sim.Applied("PB_20261123_0099") != 1 {
		t.Error("the call in the middle of which the keys were read did not end well")
	}
	if r.stop() != 0 {
		t.Error("it did not stop")
	}
}

// A log reader that goes away, or stops reading, stops nothing and nobody.
func TestServe_LogReaderThatGoesAwayOrSleeps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, command string
		goes          bool
	}{{"serve, gone", "serve", true}, {"serve, asleep", "serve", false}, {"demo, gone", "demo", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env, _ := settings(t)
			args := []string{c.command}
			if c.command == "demo" {
				args, env = append(args, "--listen", "127.0.0.1:0"), nil
			}
			cmd := command(t, env, args...)
			errs, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			from := errs
			if c.command == "demo" {
				from = out
			}
			address := ""
			in := bufio.NewReader(from)
			for address == "" {
				text, err := in.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				var line struct{ Msg, Address string }
				if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "listening" {
					address = "http://" + line.Address
				} else if _, u, ok := strings.Cut(text, "open       "); ok {
					address = strings.TrimSuffix(strings.TrimSpace(u), "/")
				}
			}
			if c.goes {
				errs.Close()
				out.Close()
			}
			client := http.Client{Timeout: 30 * time.Second}
			for i := range 600 { // each is a line, and a pipe holds some hundred
				if i%100 == 0 {
					cmd.Process.Signal(syscall.SIGHUP)
				}
				// A post that is refused is a line of the demo's log as well.
				res, err := client.Post(address+"/login?"+strings.Repeat("x", 200), "text/plain", nil)
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				res.Body.Close()
				if res.StatusCode != http.StatusForbidden {
					t.Fatalf("request %d: %d", i, res.StatusCode)
				}
			}
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("it ended with %s", cmd.ProcessState)
			}
		})
	}
}
