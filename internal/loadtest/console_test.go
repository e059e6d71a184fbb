package loadtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/proctest"
)

const (
	merchant = "1900021408"
	service  = "2002100000000600731946205518837"
	password = apptest.Password
)

// proxy is the address from which a forwarded one is believed: people come from their
// own addresses, as in reality.
const proxy = "127.0.0.1/32"

// crew is everybody, by what they do.
type crew struct {
	Agents  []string // who correct orders
	Late    []string // who sign in now and then, in browsers that are known
	Closing string   // who reads the record in the end

	Figures, Exports, Hasty, Scribblers, Shift []string // who attack
}

func newCrew() crew {
	some := func(name string, n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("%s%02d", name, i+1))
		}
		return all
	}
	return crew{
		Agents: some("agent", 20), Late: some("late", 2), Closing: "closing",
		Figures: some("figures", 2), Exports: some("export", 4), Hasty: some("hasty", 3), Scribblers: some("scribbler", 2), Shift: some("shift", 50),
	}
}

// found makes the data folder of a console with its people, and nothing on record.
func found(t *testing.T, folder string, c crew) {
	t.Helper()
	a := apptest.Start(t, apptest.Options{Data: folder})
	for role, names := range map[correction.Role][][]string{
		correction.Agent:      {c.Agents, c.Late, c.Hasty, c.Scribblers, c.Shift},
		correction.Supervisor: {c.Figures, {c.Closing}},
		correction.Auditor:    {c.Exports},
	} {
		for _, some := range names {
			for _, name := range some {
				a.AddPerson(name, name, role)
			}
		}
	}
	err := a.Store.PutOffering(t.Context(), correction.Offering{ServiceID: service, Name: "充电宝"})
	if err = errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
}

// fill puts n corrections on record, as the program writes them, of whose figures nothing
// is kept yet. Nobody must serve the folder.
func fill(t *testing.T, folder string, c crew, n int) {
	t.Helper()
	a := apptest.Start(t, apptest.Options{Data: folder})
	start := time.Now()
	turns := make(chan int)
	var all sync.WaitGroup
	for range 256 { // they share commits
		all.Go(func() {
			for i := range turns {
				p := apptest.Past{
					Login: c.Agents[i%len(c.Agents)], Merchant: merchant, Service: service, Order: fmt.Sprintf("PAST-%06d", i), Base: correction.Fen(3000 + i%7000),
					Target: correction.Fen(1000 + i%2000), Reason: "complaint", At: start.Add(-time.Duration(n-i) * (90 * 24 * time.Hour) / time.Duration(n)),
				}
				if i%4 != 0 {
					p.States = []correction.State{correction.Withdrawn}
				} else { // nobody looks after it any more
					p.States, p.Settled, p.SettledAfter = apptest.WayApplied, correction.PaidNew, 10*time.Minute
				}
				a.Put(p)
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	all.Wait()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d corrections on record after %s", n, time.Since(start).Round(100*time.Millisecond))
}

// installation is a data folder with the settings of the console that serves it.
type installation struct {
	program string
	folder  string
	env     []string
	ca      []byte
}

// install makes a key pair for the console's own TLS and the settings.
func install(t *testing.T, w *proctest.WeChat, program, folder string) *installation {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "console"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key))(t)
	secret := must(x509.MarshalPKCS8PrivateKey(key))(t)
	dir := t.TempDir()
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &installation{program: program, folder: folder, ca: cert, env: append(w.Settings(),
		"PATH="+os.Getenv("PATH"), "HOME="+dir, "TMPDIR="+os.TempDir(), "CONSOLE_DATA="+folder,
		"CONSOLE_LISTEN=127.0.0.1:0", "CONSOLE_MIN_FREE=0",
		"CONSOLE_TLS_CERT_FILE="+filepath.Join(dir, "cert.pem"), "CONSOLE_TLS_KEY_FILE="+filepath.Join(dir, "key.pem"), "CONSOLE_TRUSTED_PROXIES="+proxy,
	)}
}

// run carries out a command to its end.
func (in *installation) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, in.program, args...)
	cmd.Env = in.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// size is how many bytes the data folder holds.
func (in *installation) size() (n int64, err error) {
	err = filepath.WalkDir(in.folder, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// process is a running console.
type process struct{ *proctest.Console }

func (p *process) url() string { return "https://" + p.Address }

// serve starts the console and waits until it listens.
func (in *installation) serve(t *testing.T) *process {
	t.Helper()
	cmd := exec.Command(in.program, "serve")
	cmd.Env = in.env
	p := &process{must(proctest.StartConsole(cmd, 1<<14))(t)}
	t.Cleanup(func() {
		p.Cmd.Process.Kill() // it is gone already, if all went well
		<-p.Gone
	})
	select {
	case <-p.Up:
	case <-p.Gone:
		t.Fatalf("the console did not start: %s\n%s", p.Cmd.ProcessState, p.Words())
	}
	return p
}

// stop asks the console to end, and waits until it has.
func (p *process) stop(within time.Duration) error {
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Gone:
	case <-time.After(within):
		return fmt.Errorf("the console did not end within %s after SIGTERM", within)
	}
	if !p.Cmd.ProcessState.Success() {
		return fmt.Errorf("the console ended with %s\n%s", p.Cmd.ProcessState, p.Words())
	}
	return nil
}

// watch looks at the memory and the write-ahead log until ctx ends.
type watch struct {
	resident, peak int   // KiB, the most that was seen; peak is what the system keeps
	wal            int64 // bytes, the most that was seen
	looks          int
}

func (w *watch) run(ctx context.Context, pid int, folder string) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			w.resident, w.peak = max(w.resident, memory(text, "VmRSS")), max(w.peak, memory(text, "VmHWM"))
			w.looks++
		}
		if info, err := os.Stat(filepath.Join(folder, "console.db-wal")); err == nil {
			w.wal = max(w.wal, info.Size())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// memory is a figure of /proc/PID/status, in KiB.
func memory(status []byte, name string) int {
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// cpu is how many seconds of the processors were used: by the whole machine, since it was
// started. What else runs on it makes times longer than they are.
func cpu() (seconds float64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 { // its name, idle, waiting for a disk, and what is counted already
			continue
		}
		n, _ := strconv.ParseFloat(field, 64)
		seconds += n / 100
	}
	return seconds
}

// cpuOf is that of a process that still runs.
func cpuOf(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// browser is one as far as HTTP goes: it speaks HTTP/2 over TLS and comes from an
// address.
type browser struct {
	at   string // of the console
	from string // what the proxy reports
	http http.Client
}

// newBrowser returns one that comes through the proxy.
func newBrowser(at, from string, ca []byte) (*browser, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate")
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &browser{at: at, from: from, http: http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// moved is the browser when the console was started again and has another port: cookies
// do not know ports.
func (b *browser) moved(at string) {
	b.http.CloseIdleConnections()
	b.at = at
}

type answer struct {
	status   int
	location string
	retry    time.Duration
	body     string
	took     time.Duration
}

func (b *browser) get(ctx context.Context, path string) (answer, error) {
	return b.do(ctx, http.MethodGet, path, nil)
}

func (b *browser) post(ctx context.Context, path string, form url.Values) (answer, error) {
	return b.do(ctx, http.MethodPost, path, form)
}

func (b *browser) request(ctx context.Context, method, path string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.at+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("X-Forwarded-For", b.from)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return req, nil
}

func (b *browser) do(ctx context.Context, method, path string, form url.Values) (answer, error) {
	req, err := b.request(ctx, method, path, form)
	if err != nil {
		return answer{}, err
	}
	start := time.Now()
	res, err := b.http.Do(req)
	if err != nil {
		return answer{took: time.Since(start)}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	return answer{res.StatusCode, res.Header.Get("Location"), time.Duration(seconds) * time.Second, string(body), time.Since(start)}, err
}

// signIn signs in, coming back whenever it is told to, and reports how often it was.
func (b *browser) signIn(ctx context.Context, name, secret string) (sentAway int, err error) {
	for {
		a, err := b.post(ctx, "/login", url.Values{"username": {name}, "password": {secret}})
		switch {
		case err != nil && ctx.Err() == nil && sentAway < 1000: // a connection that broke: people press the button again
		case err != nil:
			return sentAway, fmt.Errorf("sign in %s: %w", name, err)
		case a.status == http.StatusSeeOther:
			return sentAway, nil
		case a.status != http.StatusServiceUnavailable && a.status != http.StatusTooManyRequests:
			return sentAway, fmt.Errorf("sign in %s: %d\n%s", name, a.status, words(a.body))
		}
		sentAway++
		if err := pause(ctx, max(a.retry, time.Second)); err != nil {
			return sentAway, fmt.Errorf("sign in %s: sent away %d times: %w", name, sentAway, err)
		}
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var (
	tags   = regexp.MustCompile(`(?s)<(script|style|svg).*?</(script|style|svg)>|<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
	input  = regexp.MustCompile(`name="(base|token)" value="([^"]*)"`)
	badge  = regexp.MustCompile(`(?s)<span class="state [^"]*state--large[^"]*">(.*?)</span>`)
)

// words are those of a page, for a message.
func words(page string) string {
	text := strings.TrimSpace(blanks.ReplaceAllString(tags.ReplaceAllString(page, " "), " "))
	if len(text) > 600 {
		text = text[:600]
	}
	return text
}

// hidden is the value of a hidden field.
func (a answer) hidden(name string) string {
	for _, m := range input.FindAllStringSubmatch(a.body, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	return ""
}

// state is the word of the state that a correction's page shows first.
func (a answer) state() string {
	m := badge.FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return words(m[1])
}
