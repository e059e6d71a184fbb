package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

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
	err = s.Claim(ctx, 1, ref("A1"), correction.Event{State: correction.Claimed, At: t0})
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

func TestWrite_ContextThatEndsAtTheCommitIsUnknown(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.write(ctx, func(w *writeTx) error {
		if err := w.audit(ctx, correction.AuditEntry{At: t0, Action: "x"}); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if !errors.Is(err, correction.ErrCommitUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, s.AppendAudit(t.Context(), correction.AuditEntry{At: t0, Action: "y"}))
}

func TestWrite_ErrorBeforeTheCommitIsCertain(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for what, err := range map[string]error{
		"cancelled": s.AppendAudit(ctx, correction.AuditEntry{At: t0, Action: "x"}),
		"refused":   s.AppendAudit(t.Context(), correction.AuditEntry{At: t0}),
	} {
		if err == nil || errors.Is(err, correction.ErrCommitUnknown) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	var n int
	must(t, s.reader.row(t.Context(), `SELECT count(*) FROM audit`).Scan(&n))
	equal(t, "entries", n, 0)
}
