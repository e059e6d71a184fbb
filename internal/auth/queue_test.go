package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func rankOf(r int) func() int { return func() int { return r } }

// taken is a queue whose places are taken, with hashes of a second.
func taken(t *testing.T) *queue {
	t.Helper()
	q := newQueue(2)
	q.took = time.Second
	for range q.places {
		if err := q.enter(t.Context(), ofKnown); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

func TestQueue_LetsTwoInAndTheOthersWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2)
		var running, most atomic.Int32
		in := make(chan error, 40)
		for range 40 {
			go func() {
				err := q.enter(t.Context(), rankOf(0))
				if err == nil {
					most.Store(max(most.Load(), running.Add(1)))
					time.Sleep(usualHash)
					running.Add(-1)
					q.leave()
				}
				in <- err
			}()
		}
		for range 40 {
			if err := <-in; err != nil {
				t.Error(err)
			}
		}
		if int(most.Load()) != q.places || q.running != 0 || len(q.waiting) != 0 {
			t.Errorf("%d at once, %d left running, %d waiting", most.Load(), q.running, len(q.waiting))
		}
	})
}

// Nobody waits for longer than ten seconds, and who would have to is told so at once.
func TestQueue_TellsAtOnceWhoWouldWaitTooLongWhenToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := taken(t)
		done := make(chan error)
		for range 20 { // half a second each
			go func() { done <- q.enter(t.Context(), rankOf(0)) }()
		}
		synctest.Wait()
		start := time.Now()
		var back []time.Duration
		for range 100 {
			err := q.enter(t.Context(), rankOf(0))
			var busy *BusyError
			if !errors.As(err, &busy) || !errors.Is(err, ErrBusy) {
				t.Fatalf("with a line of ten seconds: %v", err)
			}
			back = append(back, busy.After)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("they were told after %s", d)
		}
		if back[0] != time.Second || back[9] != 5*time.Second || back[99] != maxAway || !slices.IsSorted(back) {
			t.Errorf("told to come back in %v", back)
		}
		for range 20 { // the places are never free
			if err := <-done; !errors.Is(err, ErrBusy) {
				t.Errorf("who waits in vain gets %v", err)
			}
		}
		if d := time.Since(start); d != QueueFor {
			t.Errorf("they waited %s", d)
		}
	})
}

// Who is known goes before strangers, those from a network that fails behind all, and
// the rank is that of the moment when a place is free.
func TestQueue_TheBestRankGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := taken(t)
		var fell atomic.Int64
		var order []string
		come := func(name string, rank func() int) {
			go func() {
				if err := q.enter(t.Context(), rank); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				order = append(order, name)
				q.leave()
			}()
			synctest.Wait()
		}
		come("slow", rankOf(rankSlow))
		come("falls", func() int { return int(fell.Load()) })
		come("stranger 1", rankOf(0))
		come("stranger 2", rankOf(0))
		come("company", rankOf(-5))
		come("known", ofKnown)
		fell.Store(rankSlow + 1)
		q.leave()
		synctest.Wait()
		if want := "[known company stranger 1 stranger 2 slow falls]"; fmt.Sprint(order) != want {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

// A full line of strangers is no line for who is known.
func TestQueue_AFullLineMakesRoomForTheBetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := taken(t)
		q.took = time.Millisecond
		gone := make(chan error, maxQueue)
		for range maxQueue {
			go func() { gone <- q.enter(t.Context(), rankOf(rankSlow)) }()
		}
		synctest.Wait()
		if err := q.enter(t.Context(), rankOf(rankSlow)); !errors.Is(err, ErrBusy) {
			t.Errorf("one more of the same: %v", err)
		}
		in := make(chan error)
		go func() { in <- q.enter(t.Context(), ofKnown) }()
		synctest.Wait()
		if err := <-gone; !errors.Is(err, ErrBusy) {
			t.Errorf("who made room gets %v", err)
		}
		q.leave()
		if err := <-in; err != nil {
			t.Errorf("who is known: %v", err)
		}
		for range maxQueue - 1 {
			q.leave()
			if err := <-gone; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Who goes away leaves no place taken, at whatever moment.
func TestQueue_WhoGoesAwayTakesNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := taken(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		for range 5 {
			go func() { done <- q.enter(ctx, rankOf(0)) }()
		}
		synctest.Wait()
		go cancel()
		go q.leave() // at the same moment
		for range 5 {
			if err := <-done; err == nil {
				q.leave()
			} else if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		q.leave()
		synctest.Wait()
		if err := q.enter(ctx, ofKnown); !errors.Is(err, context.Canceled) {
			t.Errorf("who has gone already: %v", err)
		}
		if q.running != 0 || len(q.waiting) != 0 {
			t.Errorf("%d running, %d waiting", q.running, len(q.waiting))
		}
	})
}

// On few cores one hash at a time leaves room for what else is asked; nowhere are there
// more than memory was counted on for.
func TestHashesOn(t *testing.T) {
	t.Parallel()
	for cores, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 8: 2, 64: 2} {
		if n := hashesOn(cores); n != want {
			t.Errorf("%d hashes at once on %d cores, want %d", n, cores, want)
		}
	}
	if most := int64(2 * 64 << 20); HashMemory() <= 0 || HashMemory() > most {
		t.Errorf("hashes take %d bytes at once, want at most %d", HashMemory(), most)
	}
}
