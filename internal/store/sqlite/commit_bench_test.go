package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/correction"
)

// benchRounds is how often the two sides of a comparison take turns.
const benchRounds = 9

func medianOf(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// prepared puts n corrections of orders of their own on record.
func preparedMany(b *testing.B, s *Store, n int) []correction.Correction {
	b.Helper()
	u, err := s.UserByName(context.Background(), "lin")
	if err != nil {
		u = person(b, s, "lin", correction.Agent)
	}
	list := make([]correction.Correction, n)
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() {
			c := sample(u.ID, ref(fmt.Sprintf("B%d", benchSerial.Add(1))), t0)
			id, err := s.Prepare(context.Background(), c)
			if err != nil {
				panic(err)
			}
			c.ID = id
			list[i] = c
		})
	}
	all.Wait()
	return list
}

var benchSerial atomic.Int64

// commitAlone is write without group commit: each unit in a transaction of its own.
func (s *Store) commitAlone(mu *sync.Mutex) func(context.Context, func(*writeTx) error) error {
	return func(ctx context.Context, f func(*writeTx) error) error {
		mu.Lock()
		defer mu.Unlock()
		u := &unit{ctx: ctx, work: f, done: make(chan struct{})}
		s.commit([]*unit{u})
		return u.err
	}
}

// walkTo records claim, intent and outcome of a correction and tells how long each
// took.
func walkThrough(write func(context.Context, func(*writeTx) error) error, s *Store, c correction.Correction, took func(time.Duration)) error {
	ctx := context.Background()
	for _, step := range []func(w *writeTx) error{
		func(w *writeTx) error {
			return w.claim(ctx, c.ID, c.Ref, correction.Event{State: correction.Claimed, At: t0, ActorID: c.AuthorID})
		},
		func(w *writeTx) error {
			return w.markSending(ctx, c.ID, correction.Signing{At: t0, Nonce: "n"}, correction.Event{State: correction.Sending, At: t0})
		},
		func(w *writeTx) error {
			return w.follow(ctx, c.ID, correction.Sending, 3, correction.Event{State: correction.Applied, At: t0, Detail: correction.Detail{
				Class: correction.Accepted, Status: 204, RequestID: "R", Reading: &c.Base, Finding: correction.FoundTarget,
			}}, nil)
		},
	} {
		start := time.Now()
		if err := write(ctx, step); err != nil {
			return err
		}
		took(time.Since(start))
	}
	return nil
}

// pressCommits runs corrections through their records on some writers at once and
// returns records a second and the 99th percentile of one record's time in ms.
func pressCommits(b *testing.B, s *Store, write func(context.Context, func(*writeTx) error) error, writers, each int) (perSecond, p99 float64) {
	list := preparedMany(b, s, writers*each)
	times := make([][]time.Duration, writers)
	start := time.Now()
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for _, c := range list[i*each : (i+1)*each] {
				if err := walkThrough(write, s, c, func(d time.Duration) { times[i] = append(times[i], d) }); err != nil {
					panic(err)
				}
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	flat := slices.Sorted(slices.Values(slices.Concat(times...)))
	return float64(len(flat)) / took.Seconds(), flat[len(flat)*99/100].Seconds() * 1000
}

// BenchmarkGroupCommit compares durable records a second with those of a writer that
// commits each by itself, alternated. Targets: at 64 writers at least 5, with a p99 of
// at most 15 ms; at one writer at least 0.9.
func BenchmarkGroupCommit(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers-%d", writers), func(b *testing.B) {
			s := openTest(b)
			var mu sync.Mutex
			alone := openTest(b)
			each := 600 / writers
			pressCommits(b, s, s.write, writers, 4)
			pressCommits(b, alone, alone.commitAlone(&mu), writers, 4)
			var ours, theirs, ratios, p99s []float64
			for b.Loop() {
				for range benchRounds {
					y, _ := pressCommits(b, alone, alone.commitAlone(&mu), writers, each)
					x, p99 := pressCommits(b, s, s.write, writers, each)
					ours, theirs, ratios, p99s = append(ours, x), append(theirs, y), append(ratios, x/y), append(p99s, p99)
				}
			}
			b.ReportMetric(medianOf(ours), "records/s")
			b.ReportMetric(medianOf(theirs), "alone/s")
			b.ReportMetric(medianOf(p99s), "p99-ms")
			b.ReportMetric(medianOf(ratios), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// plain appends an event as follow does, but without the proof.
func (w *writeTx) plain(ctx context.Context, id int64, from correction.State, n int, e correction.Event) error {
	var now int
	err := w.row(ctx, `SELECT n FROM correction_now WHERE correction_id = ?1 AND state = ?2 AND (n = ?3 OR ?3 = 0)
		AND (NOT ?4 OR EXISTS (SELECT 1 FROM claim WHERE claim.correction_id = ?1))`, id, from, n, from.Holds()).Scan(&now)
	if err != nil {
		return err
	}
	entry, err := ledgerEntry(id, now+1, e)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, `
		INSERT INTO event (correction_id, n, state, at_ms, actor, session_row, detail, request_id, settled, due, leaf)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		entry.CorrectionID, entry.N, entry.State, entry.AtMS, orNull(entry.Actor), entry.Session, string(entry.Detail), entry.RequestID, entry.Settled, entry.Due, -1)
	return err
}

// BenchmarkLeaf compares a commit of one event with its leaf in the proof with the
// same commit without it, alternated. Target: at most 1.15.
func BenchmarkLeaf(b *testing.B) {
	ctx := context.Background()
	with, without := openTest(b), openTest(b)
	const lot = 100
	e := correction.Event{State: correction.NotSent, At: t0, Detail: correction.Detail{Class: correction.NothingSent, Cause: correction.CauseUnreachable}}
	run := func(s *Store, step func(w *writeTx, c correction.Correction) error) float64 {
		list := preparedMany(b, s, lot)
		for _, c := range list {
			must(b, s.write(ctx, func(w *writeTx) error {
				return w.claim(ctx, c.ID, c.Ref, correction.Event{State: correction.Claimed, At: t0})
			}))
		}
		start := time.Now()
		for _, c := range list {
			must(b, s.write(ctx, func(w *writeTx) error { return step(w, c) }))
		}
		return time.Since(start).Seconds() / lot
	}
	ours := func() float64 {
		return run(with, func(w *writeTx, c correction.Correction) error {
			return w.follow(ctx, c.ID, correction.Claimed, 2, e, nil)
		})
	}
	theirs := func() float64 {
		return run(without, func(w *writeTx, c correction.Correction) error { return w.plain(ctx, c.ID, correction.Claimed, 2, e) })
	}
	ours()
	theirs()
	var as, bs, ratios []float64
	for b.Loop() {
		for i := range 3 * benchRounds {
			var x, y float64
			if i%2 == 0 { // neither side always comes first
				x, y = ours(), theirs()
			} else {
				y, x = theirs(), ours()
			}
			as, bs, ratios = append(as, x), append(bs, y), append(ratios, x/y)
		}
	}
	b.ReportMetric(medianOf(as)*1000, "ms")
	b.ReportMetric(medianOf(bs)*1000, "without-ms")
	b.ReportMetric(medianOf(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}
