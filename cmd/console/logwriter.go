package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"correction-console/internal/auth"
)

// Bounds of the lines that wait for whoever reads the log, in lines and bytes.
const (
	waitingLines = 4096
	waitingBytes = 1 << 20
	flushWithin  = time.Second
)

// logWriter writes lines without ever holding up who logs: a reader who stops reading,
// or goes away, must not stop a correction. What cannot wait any longer is left out, and
// counted.
type logWriter struct {
	to   io.Writer
	mu   sync.Mutex
	wake *sync.Cond
	// waiting is what is not written yet, size its bytes, lost the lines left out since,
	// busy that one is being written.
	waiting [][]byte
	size    int
	lost    int
	busy    bool
}

func newLogWriter(to io.Writer) *logWriter {
	w := &logWriter{to: to}
	w.wake = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// Write takes one line. It never fails and never waits.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) >= waitingLines || w.size+len(p) > waitingBytes {
		w.lost++
		return len(p), nil
	}
	w.waiting = append(w.waiting, append([]byte(nil), p...))
	w.size += len(p)
	w.wake.Broadcast()
	return len(p), nil
}

func (w *logWriter) run() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.waiting) == 0 {
			w.wake.Wait()
		}
		line, lost := w.waiting[0], w.lost
		w.waiting, w.size, w.lost, w.busy = w.waiting[1:], w.size-len(line), 0, true
		w.mu.Unlock()
		if lost > 0 {
			fmt.Fprintf(w.to, `{"time":%q,"level":"WARN","msg":"lines of the log were left out: nobody took them","lines":%d}`+"\n", time.Now().Format(time.RFC3339Nano), lost)
		}
		_, _ = w.to.Write(line) // the reader is gone: the next line may find another
		w.mu.Lock()
		w.busy = false
		w.wake.Broadcast()
	}
}

// flush waits a moment until all lines are written.
func (w *logWriter) flush() {
	giveUp := time.AfterFunc(flushWithin, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting, w.busy = nil, false
		w.wake.Broadcast()
	})
	defer giveUp.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > 0 || w.busy {
		w.wake.Wait()
	}
}

// memoryGoal is what the program's own memory is kept below as long as what is in use
// allows it, besides the passwords that are checked (64 MiB each): the collector works
// harder near it, where they would leave twice as much behind. The database's memory and
// the program itself come on top of that, some 80 MB.
const memoryGoal = 80 << 20

// limitMemory sets the goal, unless GOMEMLIMIT names another.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal + auth.HashMemory())
	}
}
