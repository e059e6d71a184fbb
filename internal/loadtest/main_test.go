// Package loadtest lets one part of the people do their work in the real program while
// others attack it: figures that nobody asked for yet, exports that are hardly read,
// HTTP/2 streams that fall silent, bursts of look-ups, a shift that signs in at once,
// drafts of orders that do not exist, strangers who guess. It is about those who work:
// all of their answers are as they should be and soon there, memory and the write-ahead
// log stay bounded, and in the end each correction was sent once and is on a record that
// verifies.
//
// The console, the simulated WeChat and those who attack are processes of their own, so
// that no runtime of Go has to share itself between the two sides of what is measured.
// LOAD_SECONDS is for how long they attack, LOAD_SEED tries a seed again, LOAD_RECORDS
// is how many corrections there are before.
package loadtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// What this test binary is told to be instead: WeChat, with the folder that its keys go
// to, and those who attack.
const (
	simulate = "LOADTEST_SIMULATE"
	attacks  = "LOADTEST_ATTACK"
)

// bin is the folder of the program under test.
var bin string

func TestMain(m *testing.M) {
	var err error
	switch {
	case os.Getenv(simulate) != "":
		err = beWeChat(os.Getenv(simulate))
	case os.Getenv(attacks) != "":
		err = beHostile(os.Stdin, os.Stdout)
	default:
		code := 1
		if bin, err = os.MkdirTemp("", "loadtest-"); err == nil {
			code = m.Run()
			os.RemoveAll(bin)
		}
		os.Exit(code)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// figure is a number of the environment.
func figure(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return n
}

// inCI says whether the bounds of time are those of the issue, whatever the machine does
// besides.
func inCI() bool { return os.Getenv("CI") == "true" }

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// build makes the program as it is shipped.
var build = sync.OnceValues(func() (string, error) {
	if err := noteSources(); err != nil {
		return "", err
	}
	path := filepath.Join(bin, "console")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../../cmd/console")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// noteSources looks at each file that the program is made of, so that the cache of test
// results notices a change.
func noteSources() error {
	for _, top := range []string{"cmd", "internal", "web"} {
		err := filepath.WalkDir(filepath.Join("..", "..", top), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasSuffix(path, "_test.go") {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("look at the sources: %w", err)
		}
	}
	return nil
}

// child is another life of this test binary.
type child struct {
	pid   int
	in    io.WriteCloser
	out   *bufio.Reader
	close func() // ends its standard input and waits for it
}

// startChild starts one through the command given, if any.
func startChild(t *testing.T, role, value string, through ...string) *child {
	t.Helper()
	args := append(through, must(os.Executable())(t))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), role+"="+value)
	cmd.Stderr = os.Stderr
	c := &child{in: must(cmd.StdinPipe())(t)}
	c.out = bufio.NewReader(must(cmd.StdoutPipe())(t))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.pid = cmd.Process.Pid
	c.close = sync.OnceFunc(func() {
		c.in.Close()
		cmd.Wait()
	})
	t.Cleanup(c.close)
	return c
}

// hear reads what the child says next.
func (c *child) hear(v any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

// tell tells the child something.
func (c *child) tell(v any) error { return json.NewEncoder(c.in).Encode(v) }

// address is what the process that is WeChat tells of itself.
type address struct{ API, Admin, CertSerial, PublicKeyID string }

// beWeChat serves a simulated API until standard input ends.
func beWeChat(keys string) error {
	s, err := simulator.Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.WriteKeys(keys); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(l, simulator.Admin(s)) //nolint:gosec // on the loopback range, for as long as the test runs
	err = json.NewEncoder(os.Stdout).Encode(address{s.URL, "http://" + l.Addr().String(), s.Keys().CertSerial, s.Keys().PublicKeyID})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// wechat is the process that is WeChat. It keeps the truth.
type wechat struct {
	pid  int
	at   address
	keys string
}

func startWeChat(t *testing.T) *wechat {
	t.Helper()
	w := &wechat{keys: t.TempDir()}
	c := startChild(t, simulate, w.keys)
	w.pid = c.pid
	if err := c.hear(&w.at); err != nil {
		t.Fatalf("start the simulator: %v", err)
	}
	return w
}

// admin makes a call of simulator.Admin; answer is nil or what the answer is read into.
func (w *wechat) admin(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, w.at.Admin+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		words, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, words)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

func (w *wechat) posts() (all []simulator.Post, err error) {
	return all, w.admin(http.MethodGet, "/posts", nil, &all)
}

func (w *wechat) orders() (all []simulator.Order, err error) {
	return all, w.admin(http.MethodGet, "/orders", nil, &all)
}

// task is an order that is to be corrected, and how.
type task struct {
	order   string
	amounts []correction.Fen // of its lines; none: only the total is known
	total   correction.Fen
	first   correction.Fen // what the first line, or the total, becomes
	target  correction.Fen
}

func newTask(rng *rand.Rand, order string) task {
	k := task{order: order, total: correction.Fen(2000 + rng.IntN(20_000))}
	off := 1 + correction.Fen(rng.Int64N(int64(k.total)/4)) // never so much that the total has to be typed
	k.target = k.total - off
	k.first = k.target
	if rng.IntN(2) == 0 {
		second := k.total / 3
		k.amounts = []correction.Fen{k.total - second, second}
		k.first = k.amounts[0] - off
	}
	return k
}

// put adds the orders to WeChat.
func (w *wechat) put(tasks []task) error {
	var all []simulator.Order
	for _, k := range tasks {
		o := simulator.Order{}
		o.SubMchID, o.ServiceID, o.OutOrderNo, o.Introduction = merchant, service, k.order, "充电宝租借"
		o.State, o.StateDescription = correction.OrderDoing, correction.MchComplete
		o.Lines = []correction.Line{{Name: "租借费用", Description: "2元/小时"}, {Name: "使用时长", Description: "很久"}}
		for i, a := range k.amounts {
			o.Lines[i].Amount, o.Lines[i].HasAmount = a, true
		}
		o.Total, o.HasTotal = k.total, true
		o.Collection = correction.Collection{State: correction.UserPaying, Total: k.total, Paying: k.total}
		all = append(all, o)
	}
	return w.admin(http.MethodPut, "/orders", all, nil)
}
