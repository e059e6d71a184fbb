package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
	"correction-console/internal/store/sqlite"
	"correction-console/internal/wechat/simulator"
)

const (
	bankMerchant = "1900021408"
	bankService  = "2002100000000498310275514862033" // not described to the console: it has no cap
	passphrase   = "a quiet green bicycle"
)

// installed is a data folder in which lin, zhou and he are signed in.
type installed struct {
	folder string
	jars   map[string]http.CookieJar
}

// base is an installation that tests copy: to hash passwords takes its time.
var base = sync.OnceValues(func() (*installed, error) {
	folder, err := os.MkdirTemp("", "console-base-")
	if err != nil {
		return nil, err
	}
	atEnd = append(atEnd, func() { os.RemoveAll(folder) })
	return &installed{folder: folder, jars: map[string]http.CookieJar{}}, nil
})

var (
	baseOnce sync.Once
	atEnd    []func()
)

// console that a test of the record uses.
type lane struct {
	t    *testing.T
	env  []string
	dir  string
	data string
	sim  *simulator.Server
	jars map[string]http.CookieJar
	url  string
	end  func(syscall.Signal) int // of the console that runs
}

func (l *lane) stop() int { return l.end(syscall.SIGTERM) }

func newLane(t *testing.T) *lane {
	t.Helper()
	in, err := base()
	if err != nil {
		t.Fatal(err)
	}
	baseOnce.Do(func() { in.fill(t) })
	l := &lane{t: t, dir: t.TempDir(), jars: in.jars}
	l.data = filepath.Join(l.dir, "data")
	if err := copyFiles(l.data, in.folder); err != nil {
		t.Fatal(err)
	}
	l.env, l.sim = simulated(t, l.dir)
	return l
}

// simulated starts a WeChat and returns the settings for it.
func simulated(t *testing.T, dir string) ([]string, *simulator.Server) {
	t.Helper()
	sim, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	if err := sim.WriteKeys(dir); err != nil {
		t.Fatal(err)
	}
	cfg := sim.Config()
	return []string{
		"CONSOLE_DATA=" + filepath.Join(dir, "data"), "CONSOLE_LISTEN=127.0.0.1:0", "CONSOLE_WECHAT_API_HOST=" + cfg.Host,
		"CONSOLE_WECHAT_MCHID=" + cfg.MchID, "CONSOLE_WECHAT_CERT_SERIAL=" + cfg.CertSerial,
		"CONSOLE_WECHAT_PRIVATE_KEY_FILE=" + filepath.Join(dir, simulator.PrivateKeyFile),
		"CONSOLE_WECHAT_PUBLIC_KEY_ID=" + cfg.PublicKeyID, "CONSOLE_WECHAT_PUBLIC_KEY_FILE=" + filepath.Join(dir, simulator.PublicKeyFile),
		"CONSOLE_QUIET_TIME=1600ms", "CONSOLE_RECHECK_INTERVAL=20ms", "CONSOLE_MIN_FREE=0", "CONSOLE_LOOKUPS_PER_MINUTE=0",
	}, sim
}

// fill sets the installation up with the program's own commands and signs people in.
func (in *installed) fill(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	env, _ := simulated(t, dir)
	env = append(env, "CONSOLE_DATA="+in.folder)
	for _, args := range [][]string{
		{"merchant", "add", bankMerchant, "溪桥充电宝"},
		{"user", "add", "lin", "--role", "agent", "--password-stdin"},
		{"user", "add", "zhou", "--role", "supervisor", "--password-stdin"},
		{"user", "add", "he", "--role", "supervisor", "--password-stdin"},
	} {
		if code, _, msg := execute(t, env, passphrase+"\n", args...); code != 0 {
			t.Fatalf("%v: %d %s", args, code, msg)
		}
	}
	at, stop := serve(t, env)
	for _, name := range []string{"lin", "zhou", "he"} {
		in.jars[name] = jar(t)
		person{t, at, in.jars[name]}.post("/login", 303, url.Values{"username": {name}, "password": {passphrase}})
	}
	if code := stop(); code != 0 {
		t.Fatalf("stopped with %d", code)
	}
}

func copyFiles(to, from string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
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

func (l *lane) database() string { return filepath.Join(l.data, "console.db") }

func (l *lane) start() { l.url, l.end = serveUntil(l.t, l.env) }

// as is a browser of a person. Whatever it is answered, it goes on.
func (l *lane) as(name string) *clicker { return &clicker{l.url, l.jars[name]} }

type clicker struct {
	url string
	jar http.CookieJar
}

func (c *clicker) do(method, path string, form url.Values) (status int, location, body string) {
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err.Error()
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", c.url)
	}
	client := http.Client{Jar: c.jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", err.Error()
	}
	return res.StatusCode, res.Header.Get("Location"), string(text)
}

func find(page, name string) string {
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	return ""
}

// put adds orders that are to be paid.
func (l *lane) put(orders ...string) {
	for _, no := range orders {
		o := simulator.Order{}
		o.SubMchID, o.ServiceID, o.OutOrderNo, o.Introduction = bankMerchant, bankService, no, "充电宝租借"
		o.State, o.StateDescription = correction.OrderDoing, correction.MchComplete
		o.Lines = []correction.Line{{Name: "收费标准", Description: "2元/小时"}, {Name: "使用时长", Description: "很久"}}
		o.Total, o.HasTotal = 9900, true
		o.Collection = correction.Collection{State: correction.UserPaying, Total: 9900, Paying: 9900}
		l.sim.Put(o)
	}
}

// correct corrects an order; between happens after it was prepared.
func (l *lane) correct(by, no string, total correction.Fen, between func()) (page string) {
	c := l.as(by)
	at := "/orders/" + bankMerchant + "/" + no + "/correction"
	_, _, form := c.do(http.MethodGet, at, nil)
	_, page, _ = c.do(http.MethodPost, at, url.Values{
		"post_payments.0.name": {"收费标准"}, "post_payments.0.description": {"2元/小时"},
		"post_payments.1.name": {"使用时长"}, "post_payments.1.description": {"5小时"},
		"device.start_device_id": {"XQ-1"}, "device.end_device_id": {"XQ-2"}, "device.materiel_no": {"XQ-3"},
		"total_amount": {total.String()}, "reason_code": {"device_fault"}, "reason": {"用户投诉"}, "ticket": {"GD-" + no}, "base": {find(form, "base")},
	})
	if page == "" {
		return ""
	}
	between()
	_, _, text := c.do(http.MethodGet, page, nil)
	c.do(http.MethodPost, page+"/confirmation", url.Values{"token": {find(text, "token")}, "typed_total": {total.String()}})
	return page
}

func nothing() {}

// work corrects orders in all ways that there are, in a random sequence, two at a time.
func (l *lane) work(random *rand.Rand, prefix string, by string) {
	fault := func(kind simulator.Kind, no string) {
		if err := l.sim.Script(simulator.Fault{Kind: kind, Call: simulator.CallModify, Order: no}); err != nil {
			l.t.Error(err)
		}
	}
	name := func(s string) string { return prefix + s }
	jobs := []func(){
		func() { l.correct(by, name("N1"), 1000, nothing) },
		func() { l.correct(by, name("N2"), 1000, nothing) },
		func() { // twice, one after the other
			l.correct(by, name("T1"), 1000, nothing)
			l.correct(by, name("T1"), 500, nothing)
		},
		func() {
			fault(simulator.ResetAfter, name("U1"))
			l.correct(by, name("U1"), 1000, nothing)
		},
		func() {
			fault(simulator.ErrorBefore, name("U2"))
			l.correct(by, name("U2"), 1000, nothing)
		},
		func() {
			fault(simulator.Busy, name("R1"))
			l.correct(by, name("R1"), 1000, nothing)
		},
		func() { // the order moves before it is sent, and is corrected again
			l.correct(by, name("S1"), 1000, func() { _ = l.sim.LowerElsewhere(bankMerchant, name("S1"), 5000) })
			l.correct(by, name("S1"), 1000, nothing)
		},
		func() { // the order cannot be read before it is sent, and is corrected again
			l.correct(by, name("Q1"), 1000, func() {
				_ = l.sim.Script(simulator.Fault{Kind: simulator.ErrorBefore, Call: simulator.CallQuery, Order: name("Q1")})
			})
			l.correct(by, name("Q1"), 1000, nothing)
		},
		func() { // a conflict that two people settle
			fault(simulator.ResetBefore, name("C1"))
			page := l.correct(by, name("C1"), 1000, nothing)
			_ = l.sim.LowerElsewhere(bankMerchant, name("C1"), 700)
			l.as("lin").do(http.MethodPost, page+"/check", nil)
			say := url.Values{"text": {"在商户平台核对过"}, "ruling": {"not_applied"}}
			l.as("zhou").do(http.MethodPost, page+"/resolution", say)
			_, _, text := l.as("he").do(http.MethodGet, page, nil)
			say.Set("agrees", find(text, "agrees"))
			l.as("he").do(http.MethodPost, page+"/resolution", say)
		},
	}
	random.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	for _, s := range []string{"N1", "N2", "T1", "U1", "U2", "R1", "S1", "Q1", "C1"} {
		l.put(name(s))
	}
	next := make(chan func())
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for f := range next {
				f()
			}
		})
	}
	for _, f := range jobs {
		next <- f
	}
	close(next)
	all.Wait()
}

// entryOf is a correction on record.
type entryOf struct {
	id            int64
	order, author string
	state         correction.State
	nonce         string // of its intent, empty without one
	events        string // numbers, states and actors
}

func (l *lane) record() (list []entryOf) {
	l.t.Helper()
	db, err := sql.Open("sqlite", "file:"+l.database()+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`
		SELECT c.id, c.out_order_no, u.username, w.state, COALESCE(s.nonce, ''),
			(SELECT group_concat(e.n || ' ' || e.state || ' ' || COALESCE(e.actor, ''), ', ' ORDER BY e.n) FROM event e WHERE e.correction_id = c.id)
		FROM correction c JOIN user u ON u.id = c.author JOIN correction_now w ON w.correction_id = c.id LEFT JOIN send s ON s.correction_id = c.id ORDER BY c.id`)
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e entryOf
		if err := rows.Scan(&e.id, &e.order, &e.author, &e.state, &e.nonce, &e.events); err != nil {
			l.t.Fatal(err)
		}
		list = append(list, e)
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	return list
}

func (l *lane) open() (n int) {
	for _, e := range l.record() {
		if e.state.Holds() {
			n++
		}
	}
	return n
}

// copyNow makes a copy of the database while it is in use.
func (l *lane) copyNow(to string) error {
	db, err := sql.Open("sqlite", "file:"+l.database()+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`VACUUM INTO ?`, to)
	return err
}

// lose puts a copy in the place of the database.
func (l *lane) lose(copied string) {
	l.t.Helper()
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(l.database() + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			l.t.Fatal(err)
		}
	}
	data, err := os.ReadFile(copied)
	if err == nil {
		err = os.WriteFile(l.database(), data, 0o600)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lane) verify(kept ...ledger.Checkpoint) {
	l.t.Helper()
	signer, err := ledger.LoadOrCreateKey(filepath.Join(l.data, "checkpoint.key"))
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := sqlite.Verify(context.Background(), l.database(), []string{signer.VerifierKey()}, kept...); err != nil {
		l.t.Errorf("verify: %v", err)
	}
}

// within asks again until ok, for a minute.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestRecover_BringsBackWhatACopyLacks loses the database at a random moment after a copy
// was made at another one. Afterwards each change that WeChat knows of is on record once,
// and nothing was sent again.
func TestRecover_BringsBackWhatACopyLacks(t *testing.T) {
	t.Parallel()
	moments := 20
	switch {
	case os.Getenv("CONSOLE_DISK_FULL") != "":
		moments = 100
	case testing.Short():
		moments = 3
	}
	seed := chance()
	slots := make(chan struct{}, 5) // much of it is waiting
	for i := range moments {
		t.Run(fmt.Sprintf("%d-%d", seed, i), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			recoverOnce(t, rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
}

var added = regexp.MustCompile(`(\d+) records added`)

func recoverOnce(t *testing.T, random *rand.Rand) {
	l := newLane(t)
	l.start()
	copied := filepath.Join(l.dir, "copy.db")
	moment := random.IntN(70) // requests to WeChat until then
	var copying sync.WaitGroup
	copying.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(30 * time.Second); l.sim.Requests() < moment && time.Now().Before(end); {
			<-tick.C
		}
		if err := l.copyNow(copied); err != nil {
			t.Errorf("copy: %v", err)
		}
	})
	l.work(random, "A", "lin")
	copying.Wait()
	// Somebody who is not in the copy.
	if code, _, msg := execute(t, l.env, passphrase+"\n", "user", "add", "wang", "--role", "agent", "--password-stdin"); code != 0 {
		t.Fatal(msg)
	}
	wang, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.jars = maps.Clone(l.jars)
	l.jars["wang"] = wang
	l.as("wang").do(http.MethodPost, "/login", url.Values{"username": {"wang"}, "password": {passphrase}})
	l.work(random, "B", "wang")
	if random.IntN(2) == 0 {
		within(t, "everything is decided", func() bool { return l.open() == 0 })
	}
	if random.IntN(2) == 0 {
		l.end(syscall.SIGKILL)
	} else if code := l.stop(); code != 0 {
		t.Fatalf("stopped with %d", code)
	}
	before := l.record()
	posts := l.sim.PostLog()
	l.lose(copied)
	if code, _, msg := execute(t, l.env, "", "serve"); code != 2 || !strings.Contains(msg, "console recover") {
		t.Fatalf("serve on an older copy: %d %s", code, msg)
	}
	args := []string{"recover"}
	if random.IntN(3) == 0 {
		args = append(args, "--offline")
	}
	code, out, msg := execute(t, l.env, "", args...)
	if code != 0 {
		t.Fatalf("recover: %d\n%s%s", code, out, msg)
	}
	t.Logf("copy after %d requests: %s", moment, strings.Split(out, "\n")[0])
	if code, out, msg = execute(t, l.env, "", "recover", "--offline"); code != 0 || added.FindStringSubmatch(out)[1] != "0" {
		t.Errorf("recover once more: %d\n%s%s", code, out, msg)
	}
	l.verify()
	l.start()
	within(t, "everything is decided", func() bool { return l.open() == 0 })
	if code := l.stop(); code != 0 {
		t.Errorf("stopped with %d", code)
	}
	l.verify()
	if n := len(l.sim.PostLog()); n != len(posts) {
		t.Errorf("%d POSTs after it, %d before", n, len(posts))
	}
	l.compare(before, posts)
}

// compare says what the record lacks, or says falsely, of what was sent.
func (l *lane) compare(before []entryOf, posts []simulator.Post) {
	l.t.Helper()
	after := map[string]entryOf{}
	for _, e := range l.record() {
		if e.nonce == "" {
			continue
		}
		if _, twice := after[e.nonce]; twice {
			l.t.Errorf("intent %s is on record twice", e.nonce)
		}
		after[e.nonce] = e
	}
	for _, p := range posts {
		e, ok := after[p.Nonce]
		if !ok || e.order != p.Order {
			l.t.Errorf("the POST for %s is not on record", p.Order)
			continue
		}
		if applied := e.state.Effective(); applied != p.Applied && e.state != correction.NeedsPerson && e.state != correction.Resolved {
			l.t.Errorf("correction %d of %s is %s; took effect: %t", e.id, e.order, e.state, p.Applied)
		}
	}
	for _, was := range before {
		is, ok := after[was.nonce]
		switch {
		case was.nonce == "":
			continue
		case !ok:
			l.t.Errorf("correction %d of %s, %s, is not on record", was.id, was.order, was.state)
		case !strings.HasPrefix(stripped(is.events), stripped(was.events)) && !slices.Contains([]correction.State{correction.Unknown, correction.Sending}, was.state):
			l.t.Errorf("correction %d of %s: %s became %s", was.id, was.order, was.events, is.events)
		}
		if author := is.author; ok && author != was.author && !(was.author == "wang" && strings.HasPrefix(author, "recovered-")) {
			l.t.Errorf("correction %d of %s by %s is now by %s", was.id, was.order, was.author, author)
		}
	}
}

// stripped leaves out the actors: who is not in the copy is not known any more.
func stripped(events string) string {
	return regexp.MustCompile(`(\d+ \w+) \d*`).ReplaceAllString(events, "$1")
}

// chance is what random choices depend on: TEST_SEED, or a new one for each run.
func chance() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		return n
	}
	return uint64(time.Now().UnixNano())
}
