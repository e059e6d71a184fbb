//go:build crashtest

package correction

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// crashAt is CONSOLE_CRASH_AT=NAME[:k], the place to stop at and how often it is passed
// before.
var crashAt, crashAfter = func() (string, int64) {
	name, count, ok := strings.Cut(os.Getenv("CONSOLE_CRASH_AT"), ":")
	if !ok {
		return name, 1
	}
	k, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("CONSOLE_CRASH_AT: %v", err))
	}
	return name, k
}()

var passed atomic.Int64

// step kills this process, as kill -9 does, at the k-th time that it comes to the place
// of CONSOLE_CRASH_AT.
func step(name string) {
	if name != crashAt || passed.Add(1) != crashAfter {
		return
	}
	fmt.Fprintln(os.Stderr, "crash at "+name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // one's own process: cannot fail
	select {}
}
