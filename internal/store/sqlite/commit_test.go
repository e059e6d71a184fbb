package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

const fullDiskEnv = "CONSOLE_TEST_FULL_DISK"

// claimOnFullDisk runs in a process of its own whose files cannot grow: the write
// to the log is the commit's.
func claimOnFullDisk(path string) int {
	ctx := context.Background()
	s, err := Open(ctx, path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if err := s.Ping(ctx); err != nil {
		fmt.Println(err)
		return 1
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1, Max: 1}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println(err)
		return 1
	}
	err = s.Claim(ctx, 1, ref("A1"), correction.Event{State: correction.Claimed, At: t0}, nil)
	fmt.Println(errors.Is(err, correction.ErrCommitUnknown), err)
	return 0
}

func TestClaim_FailedCommitIsUnknown(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	equal(t, "id", id, 1)
	must(t, s.Close())
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), fullDiskEnv+"="+s.path)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Run())
	if !strings.HasPrefix(out.String(), "true ") {
		t.Errorf("the claim on a full disk returned: %s", out.String())
	}
	s = openAt(t, s.path)
	c, err := s.Correction(t.Context(), id)
	must(t, err)
	equal(t, "state after the failed commit", c.State, correction.Prepared)
}

// A context that ends while the work is under way does not interrupt it, which would
// undo the work of others; what became of it is not known to this caller.
func TestWrite_ContextThatEndsDuringTheWorkIsUnknown(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan struct{})
	err := s.write(ctx, func(w *writeTx) error {
		err := w.audit(context.Background(), correction.AuditEntry{At: t0, Action: "x"})
		cancel()
		<-answered
		return err
	})
	close(answered)
	if !errors.Is(err, correction.ErrCommitUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, s.AppendAudit(t.Context(), correction.AuditEntry{At: t0, Action: "y"}))
	var n int
	must(t, s.reader.row(t.Context(), `SELECT count(*) FROM audit`).Scan(&n))
	equal(t, "entries", n, 2)
}

// group runs works in one transaction and returns their errors.
func group(t *testing.T, s *Store, works ...func(*writeTx) error) []error {
	t.Helper()
	release := make(chan struct{})
	started := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { // holds the writer until all others wait
		_ = s.write(context.Background(), func(*writeTx) error {
			close(started)
			<-release
			return errors.New("nothing")
		})
	})
	<-started
	errs := make([]error, len(works))
	waiting := make([]chan struct{}, len(works))
	for i, f := range works {
		waiting[i] = make(chan struct{})
		u := &unit{ctx: context.Background(), work: f, done: make(chan struct{})}
		all.Go(func() {
			close(waiting[i])
			s.units <- u
			<-u.done
			errs[i] = u.err
		})
		<-waiting[i]
	}
	close(release)
	all.Wait()
	return errs
}

// One bad unit of a group is undone alone, with its leaves in the proof; the others
// are on record.
func TestCommit_AFailedUnitIsUndoneAlone(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	var ids []int64
	for i := range 40 {
		ids = append(ids, prepare(t, s, sample(u.ID, ref(fmt.Sprintf("G%d", i)), t0)))
	}
	bad := errors.New("no")
	var works []func(*writeTx) error
	for i, id := range ids {
		works = append(works, func(w *writeTx) error {
			if err := w.follow(context.Background(), id, correction.Prepared, 1, correction.Event{State: correction.Withdrawn, At: t0}, nil); err != nil {
				return err
			}
			switch i % 4 {
			case 1:
				return bad
			case 2:
				panic("no")
			}
			return nil
		})
	}
	errs := group(t, s, works...)
	for i, id := range ids {
		c, err := s.Correction(t.Context(), id)
		must(t, err)
		good := i%4 != 1 && i%4 != 2
		if good != (errs[i] == nil) || good != (c.State == correction.Withdrawn) {
			t.Errorf("unit %d: %v, state %s", i, errs[i], c.State)
		}
	}
	must(t, s.Close())
	v, err := Verify(t.Context(), s.path, nil)
	must(t, err)
	equal(t, "events", v.Events, 40+20)
}

func TestWrite_ErrorBeforeTheCommitIsCertain(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // where both may happen, chance decides
		if err := s.AppendAudit(ctx, correction.AuditEntry{At: t0, Action: "x"}); err == nil || errors.Is(err, correction.ErrCommitUnknown) {
			t.Fatalf("cancelled: got %v", err)
		}
	}
	for what, err := range map[string]error{
		"refused": s.AppendAudit(t.Context(), correction.AuditEntry{At: t0}),
	} {
		if err == nil || errors.Is(err, correction.ErrCommitUnknown) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	var n int
	must(t, s.reader.row(t.Context(), `SELECT count(*) FROM audit`).Scan(&n))
	equal(t, "entries", n, 0)
}

// endsWithin ends the moment the writer takes up the work, which then goes on.
type endsWithin struct {
	context.Context
	asked atomic.Int32
	done  chan struct{}
}

func (c *endsWithin) Done() <-chan struct{} { return c.done }

func (c *endsWithin) Err() error {
	switch c.asked.Add(1) {
	case 1: // before it waits for the writer
		return nil
	case 2: // the writer
		close(c.done)
		return nil
	}
	return context.Canceled
}

// Work that outlasts its caller sets nothing that the caller touches by then. It is the
// race detector that tells.
func TestWrite_WorkThatOutlastsItsCallerSetsNothingOfIt(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A"), t0))
	for name, work := range map[string]func(context.Context) error{
		"TryTotal":      func(ctx context.Context) error { _, err := s.TryTotal(ctx, id, u.ID, t0); return err },
		"PruneDrafts":   func(ctx context.Context) error { _, err := s.PruneDrafts(ctx, t0); return err },
		"PruneAttempts": func(ctx context.Context) error { _, err := s.PruneAttempts(ctx, t0); return err },
		"CreateSession": func(ctx context.Context) error {
			session := auth.Session{UserID: u.ID, CreatedAt: t0, SeenAt: t0, ExpiresAt: t0.Add(time.Hour)}
			_, _, err := s.CreateSession(ctx, session, 1, func(int64, int) (correction.AuditEntry, error) {
				return correction.AuditEntry{At: t0, Action: "x"}, nil
			})
			return err
		},
	} {
		// A caller that is late hears of the commit after all.
		if err := work(&endsWithin{Context: t.Context(), done: make(chan struct{})}); err != nil && !errors.Is(err, correction.ErrCommitUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
