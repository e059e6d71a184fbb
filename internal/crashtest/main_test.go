// Package crashtest kills the real program, kill -9, at random moments and at each step
// of trust.md §1.4, and compares what it has on record afterwards with what a simulated
// WeChat, in a process of its own, knows to have happened. That the comparison would
// notice is shown by mistakes that are planted in a build of their own (tag crashtest).
//
// CRASH_KILLS, CRASH_CELLS and CRASH_PARALLEL set how much is tried, CRASH_SEED tries a
// seed again. What a kill cannot show is the loss of what the disk had not written yet.
package crashtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/wechat/simulator"
)

// simulate tells this test binary to be WeChat: the folder that its keys go to.
const simulate = "CRASHTEST_SIMULATE"

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) {
	if keys := os.Getenv(simulate); keys != "" {
		if err := beWeChat(keys); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := 1
	var err error
	if bin, err = os.MkdirTemp("", "crashtest-"); err == nil {
		code = m.Run()
		os.RemoveAll(bin)
	}
	os.Exit(code)
}

// figure is a number of the environment: how much is tried.
func figure(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return n
}

func full(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes minutes")
	}
}

// shipped is the program as it is shipped, tagged the one with places to crash at.
var (
	shipped = sync.OnceValues(func() (string, error) { return build("shipped") })
	tagged  = sync.OnceValues(func() (string, error) { return build("tagged", "-tags", "crashtest") })
)

func build(name string, flags ...string) (string, error) {
	if err := noteSources(); err != nil {
		return "", err
	}
	path := filepath.Join(bin, name)
	args := append([]string{"build", "-buildvcs=false", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "../../cmd/console")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

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

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

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
	at    address
	keys  string
	close func()
}

func startWeChat(t *testing.T) *wechat {
	t.Helper()
	w := &wechat{keys: t.TempDir()}
	cmd := exec.Command(must(os.Executable())(t))
	cmd.Env = append(os.Environ(), simulate+"="+w.keys)
	cmd.Stderr = os.Stderr
	in := must(cmd.StdinPipe())(t)
	out := must(cmd.StdoutPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.close = sync.OnceFunc(func() {
		in.Close()
		cmd.Wait()
	})
	t.Cleanup(w.close)
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&w.at); err != nil {
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

func (w *wechat) fault(faults ...simulator.Fault) error {
	for _, f := range faults {
		if err := w.admin(http.MethodPost, "/fault", f, nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *wechat) disarm() error { return w.admin(http.MethodPost, "/disarm", nil, nil) }

func (w *wechat) posts() (all []simulator.Post, err error) {
	return all, w.admin(http.MethodGet, "/posts", nil, &all)
}

func (w *wechat) orders() (all []simulator.Order, err error) {
	return all, w.admin(http.MethodGet, "/orders", nil, &all)
}

const (
	merchant = "1900021408"
	service  = "2002100000000498310275514862033" // not described to the console: it has no cap
	opening  = correction.Fen(1_000_000_000)     // total of a new order
)

// put adds orders that are to be paid. No line carries an amount, so that the total alone
// names a correction.
func (w *wechat) put(numbers ...string) error {
	var all []simulator.Order
	for _, no := range numbers {
		o := simulator.Order{}
		o.SubMchID, o.ServiceID, o.OutOrderNo, o.Introduction = merchant, service, no, "充电宝租借"
		o.State, o.StateDescription = correction.OrderDoing, correction.MchComplete
		o.Lines = []correction.Line{{Name: "收费标准", Description: "2元/小时"}, {Name: "使用时长", Description: "很久"}}
		o.Total, o.HasTotal = opening, true
		o.Collection = correction.Collection{State: correction.UserPaying, Total: opening, Paying: opening}
		all = append(all, o)
	}
	return w.admin(http.MethodPut, "/orders", all, nil)
}

// eventually asks again until ok, or gives up after the limit.
func eventually(limit time.Duration, ok func() (bool, error)) error {
	tick := time.NewTicker(10 * time.Millisecond)
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
