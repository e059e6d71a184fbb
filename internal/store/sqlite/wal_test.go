package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"correction-console/internal/correction"
)

// longRead reads one state of the database until it is released, or ended. In a goroutine
// of its own, as pages are.
type longRead struct {
	ended   chan struct{}
	release context.CancelFunc
	err     error // after ended: why, if it was not released
}

func readLong(t *testing.T, p *readPool) *longRead {
	t.Helper()
	released, release := context.WithCancel(context.Background())
	r := &longRead{ended: make(chan struct{}), release: release}
	begun := make(chan error)
	go func() {
		defer close(r.ended)
		m, err := p.moment(context.Background())
		begun <- err
		if err != nil {
			return
		}
		defer m.close()
		select {
		case <-released.Done():
		case <-m.ctx.Done():
			r.err = context.Cause(m.ctx)
		}
	}()
	must(t, <-begun)
	return r
}

func (r *longRead) end(t *testing.T) {
	t.Helper()
	r.release()
	<-r.ended
	must(t, r.err)
}

// writeSome makes the log grow by 64 KB, and waits until nothing more comes of it by
// itself.
func writeSome(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.AppendAudit(t.Context(), correction.AuditEntry{At: t0, Action: "x", Detail: strings.Repeat("x", 64<<10)}))
	synctest.Wait()
}

// While another process reads in the log, ending our reads does not empty it: then they
// are left alone, or nearly so, and ended again once that process is done.
func TestLog_NoReadIsEndedForAnotherProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t)
		s.log = logBounds{64 << 10, 128 << 10}
		s.heavy.within = 24 * time.Hour
		other, err := openCopy(s.path)
		must(t, err)
		defer other.Close()
		tx, err := other.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		must(t, err)
		var n int
		must(t, tx.QueryRow(`SELECT count(*) FROM audit`).Scan(&n))
		for s.logSize() <= s.log.tooLong {
			writeSome(t, s)
		}
		r := readLong(t, &s.heavy)
		for range 60 {
			time.Sleep(time.Second)
			writeSome(t, s)
		}
		if stopped(r.ended) {
			t.Errorf("ended for nothing: %v", r.err)
		}
		// Whether it is still so nobody could tell meanwhile: now it has to be tried.
		begun := time.Now()
		for !stopped(r.ended) && time.Since(begun) < time.Hour {
			time.Sleep(time.Second)
			writeSome(t, s)
		}
		if !errors.Is(r.err, correction.ErrCrowded) {
			t.Errorf("the log is never emptied again while heavy reads follow each other: %v", r.err)
		}

		must(t, tx.Rollback())
		time.Sleep(2 * logRest)
		writeSome(t, s) // all of it is moved
		r = readLong(t, &s.heavy)
		time.Sleep(2 * logRest)
		writeSome(t, s)
		time.Sleep(time.Second)
		if !stopped(r.ended) || !errors.Is(r.err, correction.ErrCrowded) {
			t.Errorf("nothing is ended for a log that could be emptied: %v", r.err)
		}
		r.release()
	})
}

// While the log has only grown, a read that takes long does not make others be refused,
// of whatever pools the two are.
func TestLog_WaitsForLongReadsOnlySoLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t)
		s.log = logBounds{0, 1 << 40}
		pools := map[string]*readPool{"light": &s.reader, "heavy": &s.heavy, "search": &s.search, "export": &s.export}
		for _, p := range pools {
			p.within = time.Hour
		}
		for long, p := range pools {
			for name, q := range pools {
				r := readLong(t, p)
				writeSome(t, s)
				begun := time.Now()
				m, err := q.moment(t.Context())
				if err != nil {
					t.Errorf("%s while a %s one takes long: %v", name, long, err)
				} else {
					m.close()
				}
				if d := time.Since(begun); d > q.wait/2 {
					t.Errorf("%s while a %s one takes long: waited %s", name, long, d)
				}
				r.end(t)
				time.Sleep(2 * logRest)
			}
		}
	})
}
