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
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"correction-console/internal/correction"
	"correction-console/internal/proctest"
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
		err = proctest.BeWeChat(os.Getenv(simulate))
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
	path := filepath.Join(bin, "console")
	return path, proctest.Build(path)
})

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

// orders are the orders of tasks as WeChat has them.
func orders(tasks []task) (all []simulator.Order) {
	for _, k := range tasks {
		o := proctest.Unpaid(merchant, service, k.order, k.total)
		for i, a := range k.amounts {
			o.Lines[i].Amount, o.Lines[i].HasAmount = a, true
		}
		all = append(all, o)
	}
	return all
}
