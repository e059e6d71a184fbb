package sqlite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// benchRecords is how many events the large record of the benchmarks has.
func benchRecords() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_RECORDS")); err == nil && n > 0 {
		return n
	}
	return 1_000_000
}

// fill puts corrections of four events each on record, most of them settled and the
// last few of them uncertain. They are as the service writes them, but committed in
// large lots.
func fill(b testing.TB, s *Store, corrections, uncertain int) {
	ctx := context.Background()
	u := person(b, s, "lin", correction.Agent)
	for done := 0; done < corrections; {
		from, to := done, min(done+2000, corrections)
		must(b, s.write(ctx, func(w *writeTx) error {
			for i := from; i < to; i++ {
				if err := w.fillOne(ctx, u.ID, i, i >= corrections-uncertain); err != nil {
					return err
				}
			}
			return nil
		}))
		done = to
	}
}

func (w *writeTx) fillOne(ctx context.Context, author int64, i int, uncertain bool) error {
	at := t0.Add(time.Duration(i) * time.Second)
	c := sample(author, ref(fmt.Sprintf("F%d", i)), at)
	first, err := ledgerEntry(0, 1, c.Events[0])
	if err != nil {
		return err
	}
	base, _ := c.Base.Snapshot()
	first.Origin = originFrom(c, base, []byte("[]"))
	id, err := w.insert(ctx, 0, first)
	if err != nil {
		return err
	}
	if err := w.claim(ctx, id, c.Ref, correction.Event{State: correction.Claimed, At: at, ActorID: author, SessionID: 7}); err != nil {
		return err
	}
	sign := correction.Signing{At: at, Nonce: fmt.Sprintf("%032d", i)}
	if err := w.markSending(ctx, id, sign, correction.Event{State: correction.Sending, At: at, Detail: correction.Detail{SignMS: at.UnixMilli()}}); err != nil {
		return err
	}
	e := correction.Event{State: correction.Applied, At: at, Detail: correction.Detail{
		Class: correction.Accepted, Status: 204, RequestID: "08F78BB5CA0610A30118B7E0C56020B8CA0128B4DC02-0", Finding: correction.FoundPaidTarget,
		Reading: &c.Base, ReadMS: at.UnixMilli(), SignMS: at.UnixMilli(), Settled: correction.PaidNew,
	}}
	if uncertain {
		e.State, e.Detail.Class, e.Detail.Settled = correction.Unknown, correction.Uncertain, ""
	}
	return w.follow(ctx, id, correction.Sending, 3, e, nil)
}

// BenchmarkVerify lets the real program compute the proof of a large record again on
// one core, and one of a tenth of its size. Target: a million records in under 10 s, in
// memory that does not depend on their number.
func BenchmarkVerify(b *testing.B) {
	exe := filepath.Join(b.TempDir(), "console")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", exe, "correction-console/cmd/console")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	n := benchRecords()
	large, small := recordOf(b, n), recordOf(b, n/10)
	for b.Loop() {
		took, peak := verifyOnOneCore(b, exe, large, n)
		_, peakSmall := verifyOnOneCore(b, exe, small, n/10)
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(float64(n)/took.Seconds(), "records/s")
		b.ReportMetric(peak, "peak-MB")
		b.ReportMetric(peakSmall, "peak-MB-of-a-tenth")
	}
	b.ReportMetric(0, "ns/op")
}

// recordOf is the data folder of a record of so many events.
func recordOf(b *testing.B, events int) string {
	s := openTest(b)
	fill(b, s, events/4, 0)
	data := filepath.Dir(s.path)
	signer, err := ledger.LoadOrCreateKey(filepath.Join(data, "checkpoint.key"))
	must(b, err)
	s.SetSigner(signer)
	_, err = s.Checkpoint(context.Background())
	must(b, err)
	must(b, s.Close())
	return data
}

func verifyOnOneCore(b *testing.B, exe, data string, events int) (took time.Duration, peakMB float64) {
	cmd := exec.Command(exe, "verify", "--data", data)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took = time.Since(start)
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d events", events/4*4)) {
		b.Fatalf("%v\n%s", err, out)
	}
	return took, float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
}

// BenchmarkWatched reads what a start of the console needs of a large record with a
// thousand uncertain corrections.
func BenchmarkWatched(b *testing.B) {
	n := benchRecords()
	path := filepath.Join(b.TempDir(), "data", "console.db")
	s := openAt(b, path)
	fill(b, s, n/4, 1000)
	must(b, s.Close())
	for b.Loop() {
		start := time.Now()
		s := openAt(b, path)
		list, err := s.Unfinished(context.Background())
		must(b, err)
		took := time.Since(start)
		if len(list) != 1000 {
			b.Fatalf("%d", len(list))
		}
		must(b, s.Close())
		b.ReportMetric(took.Seconds()*1000, "ms")
	}
	b.ReportMetric(0, "ns/op")
}
