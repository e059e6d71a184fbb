// Package crashtest kills the real program, kill -9, at random moments and at each step
// of trust.md §1.4, and compares what it has on record afterwards with what a simulated
// WeChat, in a process of its own, knows to have happened. That the comparison would
// notice is shown by mistakes that are planted in a build of their own (tag crashtest).
//
// CRASH_KILLS, CRASH_CELLS and CRASH_PARALLEL set how much is tried, CRASH_SEED tries a
// seed again. What a kill cannot show is the loss of what the disk had not written yet.
package crashtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/proctest"
	"correction-console/internal/wechat/simulator"
)

// simulate tells this test binary to be WeChat: the folder that its keys go to.
const simulate = "CRASHTEST_SIMULATE"

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) {
	if keys := os.Getenv(simulate); keys != "" {
		if err := proctest.BeWeChat(keys); err != nil {
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
	path := filepath.Join(bin, name)
	return path, proctest.Build(path, flags...)
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

const (
	merchant = "1900021408"
	service  = "2002100000000498310275514862033" // not described to the console: it has no cap
	opening  = correction.Fen(1_000_000_000)     // total of a new order
)

// orders are orders that are to be paid. No line carries an amount, so that the total
// alone names a correction.
func orders(numbers ...string) (all []simulator.Order) {
	for _, no := range numbers {
		all = append(all, proctest.Unpaid(merchant, service, no, opening))
	}
	return all
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
