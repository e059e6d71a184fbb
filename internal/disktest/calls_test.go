package disktest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// call is a system call that fails on some files.
type call struct {
	name, err string
	files     string // a key of filesOf
}

// calls are those that the program needs for its record. Locks and the mapped index of
// the log are not among them: what they keep is not on the disk.
var calls = []call{
	{"fdatasync", "EIO", "log"}, {"fdatasync", "ENOSPC", "log"}, {"fdatasync", "EIO", "database"},
	{"pwrite64", "EIO", "log"}, {"pwrite64", "ENOSPC", "log"}, {"pwrite64", "EIO", "database"}, {"pwrite64", "ENOSPC", "database"},
	{"pread64", "EIO", "log"}, {"pread64", "EIO", "database"},
	{"ftruncate", "EIO", "log"}, {"ftruncate", "ENOSPC", "log"},
	{"openat", "EIO", "log"}, {"openat", "ENOSPC", "log"}, {"openat", "EMFILE", "log"}, {"openat", "EIO", "database"},
	{"ftruncate", "ENOSPC", "index"}, {"pwrite64", "ENOSPC", "index"}, {"pwrite64", "EIO", "index"}, {"openat", "EIO", "index"},
	{"write", "EIO", "journal"}, {"write", "ENOSPC", "journal"}, {"fsync", "EIO", "journal"}, {"fsync", "ENOSPC", "journal"},
	{"openat", "EIO", "journal"}, {"openat", "ENOSPC", "journal"}, {"pread64", "EIO", "journal"},
	{"fdatasync", "EIO", "all"}, {"fsync", "EIO", "all"}, {"pwrite64", "EIO", "all"}, {"pwrite64", "ENOSPC", "all"},
	{"write", "ENOSPC", "all"}, {"ftruncate", "EIO", "all"}, {"openat", "ENOSPC", "all"},
}

func (in *installation) filesOf(key string) []string {
	folder := filepath.Join(in.data, "journal")
	journal := []string{folder}
	for _, days := range []int{0, 1} { // it may be the last of the month
		journal = append(journal, filepath.Join(folder, "corrections-"+time.Now().UTC().AddDate(0, 0, days).Format("2006-01")+".jsonl"))
	}
	db := in.database()
	return map[string][]string{
		"database": {db}, "log": {db + "-wal"}, "index": {db + "-shm"}, "journal": journal,
		"all": append(journal, db, db+"-wal", db+"-shm", in.data),
	}[key]
}

// tracing is strace that makes calls fail: the n-th in each thread, and with on all after
// it. trace is the file that tells which did.
func (in *installation) tracing(c call, n int, on bool, trace string, more ...string) []string {
	when := strconv.Itoa(n)
	if on {
		when += "+"
	}
	line := append([]string{"strace", "-f", "-o", trace, "-e", "trace=" + c.name, "-e", "inject=" + c.name + ":error=" + c.err + ":when=" + when}, more...)
	for _, path := range in.filesOf(c.files) {
		line = append(line, "-P", path)
	}
	return line
}

// attach lets calls fail from now on. The tracer ends with the process.
func (in *installation) attach(p *process, c call, n int, on bool, trace string) error {
	line := in.tracing(c, n, on, trace, "-p", strconv.Itoa(p.Cmd.Process.Pid))
	cmd := exec.Command(line[0], line[1:]...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	said := bufio.NewReader(pipe)
	first, err := said.ReadString('\n')
	if err != nil || !strings.Contains(first, "attached") {
		return fmt.Errorf("strace: %q %w", first, err)
	}
	p.tracer = make(chan struct{})
	go func() {
		io.Copy(io.Discard, said)
		cmd.Wait()
		close(p.tracer)
	}()
	return nil
}

// steps are the n that are tried for a call, until it no longer fails.
func steps() func(last int) int {
	if full() {
		return func(last int) int { return last + 1 }
	}
	before := 1
	return func(last int) int { // with growing gaps
		next := max(last+1, last+before)
		before = last
		return next
	}
}

// TestSystemCalls_FailAndNothingIsSentWithoutARecord makes the n-th call of each kind
// fail, once and for good, while corrections are made.
func TestSystemCalls_FailAndNothingIsSentWithoutARecord(t *testing.T) {
	t.Parallel()
	needs(t, "strace")
	root := t.TempDir()
	var runs, fired, restarts, intents, outcomes atomic.Int64
	deadline := time.Now().Add(50 * time.Second)
	slots := make(chan struct{}, 6)
	var all sync.WaitGroup
	for _, c := range calls {
		for mode := range 4 {
			all.Go(func() {
				next, quiet := steps(), 0
				for n := 1; quiet < 2 && (full() || time.Now().Before(deadline)); n = next(n) {
					slots <- struct{}{}
					r := callRun{call: c, n: n, on: mode&1 > 0, late: mode&2 > 0, patient: runs.Add(1)%5 == 0}
					did, err := r.run(filepath.Join(root, fmt.Sprintf("%s-%s-%s-%d-%d", c.name, c.err, c.files, n, mode)))
					<-slots
					if err != nil {
						t.Errorf("%s %s of %s, %d, on %t, late %t: %v", c.name, c.err, c.files, n, r.on, r.late, err)
					}
					if quiet++; did {
						quiet = 0
						fired.Add(1)
					}
					if r.restart {
						restarts.Add(1)
					}
					intents.Add(r.intents)
					outcomes.Add(r.outcomes)
				}
			})
		}
	}
	all.Wait()
	t.Logf("%d runs, in %d of them calls failed; %d intents and %d outcomes could not be recorded; %d ended by asking to be started again",
		runs.Load(), fired.Load(), intents.Load(), outcomes.Load(), restarts.Load())
	if intents.Load() == 0 || restarts.Load() == 0 {
		t.Error("that proves nothing")
	}
}

type callRun struct {
	call
	n       int
	on      bool // and all after it
	late    bool // only once the corrections wait to be confirmed
	patient bool // waits for a program that gave up to end by itself

	restart           bool  // it did, with exit code 75
	intents, outcomes int64 // that could not be recorded
}

func (r *callRun) run(folder string) (fired bool, err error) {
	defer os.RemoveAll(folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return false, err
	}
	orders := []string{"A1", "A2", "A3", "A4"}
	in, err := install(filepath.Join(folder, "data"), append(orders, "B1")...)
	if err != nil {
		return false, err
	}
	defer in.sim.Close()
	trace := filepath.Join(folder, "trace")
	var wrap []string
	if !r.late { // the tracer is the child of the program, so that signals reach this one
		wrap = in.tracing(r.call, r.n, r.on, trace, "-D", "-qq", "--seccomp-bpf")
	}
	p, err := in.launch(wrap...)
	if err != nil {
		return false, err
	}
	if p.Ended() {
		if code := p.Cmd.ProcessState.ExitCode(); code == 0 || strings.Contains(p.Words(), "goroutine ") {
			return true, fmt.Errorf("it ended at its start with %d:\n%s", code, p.Words())
		}
	} else {
		err = in.correctAll(p.url(), func() error {
			if !r.late {
				return nil
			}
			return in.attach(p, r.call, r.n, r.on, trace)
		}, orders...)
		if err := errors.Join(err, r.end(in, p)); err != nil {
			return true, err
		}
	}
	r.intents = int64(strings.Count(p.Words(), "the intent is not on record"))
	r.outcomes = int64(strings.Count(p.Words(), "outcome is not on record yet"))
	text, err := os.ReadFile(trace)
	if err != nil {
		return false, err
	}
	return bytes.Contains(text, []byte("(INJECTED)")), in.settle()
}

// paused is how a page says that corrections are refused.
const paused = "改价已暂停"

// end ends a life: by a signal, or by itself if the disk of the database failed.
func (r *callRun) end(in *installation, p *process) error {
	broken := strings.Contains(in.browser(p.url()).get(orderPath("B1")+"/correction").body, paused)
	if !r.breaks() && !(broken && r.patient) {
		code, err := p.stop()
		if err == nil && code != 0 && code != 1 && code != 75 {
			err = fmt.Errorf("it was asked to stop and ended with %d:\n%s", code, p.Words())
		}
		return err
	}
	code, err := p.wait(patience)
	if err == nil && code != 75 {
		err = fmt.Errorf("the disk failed and it ended with %d:\n%s", code, p.Words())
	}
	r.restart = true
	return err
}

// breaks reports whether the disk of the database fails for good, and certainly while
// corrections are confirmed.
func (r *callRun) breaks() bool {
	return r.late && r.on && r.n == 1 && r.err == "EIO" && (r.name == "pread64" || r.name == "pwrite64" || r.name == "fdatasync") &&
		(r.files == "log" || r.files == "database" && r.name == "pread64")
}
