//go:build crashtest

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// plant makes the mistake of CONSOLE_PLANT. The tests of internal/crashtest must notice
// each of them; those that did not would prove nothing.
func plant(s *correction.Service, st *sqlite.Store) (err error) {
	switch name := os.Getenv("CONSOLE_PLANT"); name {
	case "":
	case "no_intent":
		s.Store, s.Journal = &afterwards{Store: s.Store}, silent{s.Journal}
	case "no_quiet":
		s.Policy.Quiet = 0
	case "naive_retry":
		s.Gateway = retrying{s.Gateway, s.Now}
	case "no_cas", "no_send_key":
		s.Store, err = st.Unguarded(name)
	default:
		err = fmt.Errorf("CONSOLE_PLANT=%q: there is no such mistake", name)
	}
	return err
}

// testVariables are those of the environment that only tests set.
var testVariables = []string{"CONSOLE_PLANT", "CONSOLE_SHARED", "CONSOLE_CRASH_AT"}

// shared lets two consoles serve one folder.
func shared() bool { return os.Getenv("CONSOLE_SHARED") != "" }

// afterwards records the intent to send when the outcome is known.
type afterwards struct {
	correction.Store
	intents sync.Map // id → intent
}

type intent struct {
	sign  correction.Signing
	event correction.Event
}

func (s *afterwards) MarkSending(_ context.Context, id int64, sign correction.Signing, e correction.Event, _ *correction.Trial) error {
	s.intents.Store(id, intent{sign, e})
	return nil
}

func (s *afterwards) Append(ctx context.Context, id int64, from correction.State, n int, e correction.Event) error {
	if i, ok := s.intents.LoadAndDelete(id); ok {
		if err := s.Store.MarkSending(ctx, id, i.(intent).sign, i.(intent).event, nil); err != nil {
			return err
		}
	}
	return s.Store.Append(ctx, id, from, n, e)
}

// silent writes nothing before a correction is sent.
type silent struct{ correction.Journal }

func (silent) Sending(context.Context, correction.Correction, correction.Signing) error { return nil }

// retrying makes an uncertain call again at once and believes the second answer.
type retrying struct {
	correction.Gateway
	now func() time.Time
}

func (g retrying) Modify(ctx context.Context, ref correction.Ref, body []byte, s correction.Signing) correction.Answer {
	a := g.Gateway.Modify(ctx, ref, body, s)
	if a.Class == correction.Uncertain {
		a = g.Gateway.Modify(ctx, ref, body, correction.NewSigning(g.now()))
	}
	return a
}

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

// trace kills this process, as kill -9 does, at the k-th time that it comes to the place
// of CONSOLE_CRASH_AT.
func trace(name string) {
	if name != crashAt || passed.Add(1) != crashAfter {
		return
	}
	fmt.Fprintln(os.Stderr, "crash at "+name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // one's own process: cannot fail
	select {}
}
