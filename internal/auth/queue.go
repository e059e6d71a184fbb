package auth

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Bounds of the queue in front of the hashes.
const (
	// maxQueue bounds who waits, whatever the wait would be.
	maxQueue = 256
	// QueueFor is how long a sign-in waits for its turn.
	QueueFor = 10 * time.Second
	// maxAway bounds for how long somebody is sent away.
	maxAway = 30 * time.Second
	// usualHash is what a hash is thought to take before one was measured.
	usualHash = 150 * time.Millisecond
)

// hashesAtOnce is how many hashes are computed at the same time. Each takes 64 MiB and
// keeps up to four threads busy: on two cores one does as many a second as two would, and
// everybody else's requests stand behind four of them at most, not eight.
var hashesAtOnce = hashesOn(runtime.GOMAXPROCS(0))

func hashesOn(cores int) int { return min(2, max(1, cores/2)) }

// HashMemory is what the hashes that are computed at the same time take, in bytes.
func HashMemory() int64 { return int64(hashesAtOnce) * int64(CurrentParams.MemoryKiB) << 10 }

// Ranks of who waits: the lower goes first. Strangers whose network failed too often
// stand behind everybody else.
const (
	rankKnown = -1000 // a browser that signed in as this person before, or is signed in
	rankSlow  = 1000
)

// BusyError refuses what would wait for longer than QueueFor. Nothing was checked and
// nothing was counted. It is an ErrBusy.
type BusyError struct {
	After time.Duration // until there is room, as far as one can tell; at least a second
}

func (e *BusyError) Error() string { return fmt.Sprintf("%v, try again in %s", ErrBusy, e.After) }

// Is makes a BusyError an ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// queue gives out the places of the hashes: the best rank first, and within a rank who
// came first. Ranks are asked for again whenever a place is free, so that those behind
// whom failures pile up while they wait fall back. Who cannot have a turn within the
// patience is told so at once and when to come back; those times are spread at the rate
// at which places become free, so that the hashes never stand idle while people wait.
type queue struct {
	patience time.Duration
	places   int // hashes at the same time

	mu      sync.Mutex
	running int
	waiting []*waiter
	took    time.Duration // of one hash, smoothed
	back    [2]time.Time  // when the last of those sent away comes back: ordinary, slow
}

// waiter is one who waits. turn is closed when there is a place, or err.
type waiter struct {
	rank func() int
	turn chan struct{}
	err  error
}

func newQueue(places int) *queue { return &queue{patience: QueueFor, places: places, took: usualHash} }

// enter waits for a place; who has it must call leave. The errors are a *BusyError and
// that of ctx.
func (q *queue) enter(ctx context.Context, rank func() int) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait to check a password: %w", err)
	}
	w, err := q.join(rank)
	if w == nil {
		return err
	}
	timer := time.NewTimer(q.patience)
	defer timer.Stop()
	select {
	case <-w.turn:
		return w.err
	case <-ctx.Done():
		if q.quit(w) {
			q.leave() // a place that came too late is the next one's
		}
		return fmt.Errorf("wait to check a password: %w", ctx.Err())
	case <-timer.C:
		if q.quit(w) {
			return nil
		}
		if w.err != nil {
			return w.err
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.sendAway(w.rank())
	}
}

// join takes a free place, or stands in line: then there is a waiter.
func (q *queue) join(rank func() int) (*waiter, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running < q.places { // nobody waits
		q.running++
		return nil, nil
	}
	mine, ahead := rank(), 0
	last, lastRank := -1, 0
	for i, w := range q.waiting {
		r := w.rank()
		if r <= mine {
			ahead++
		}
		if last < 0 || r >= lastRank {
			last, lastRank = i, r
		}
	}
	full := len(q.waiting) >= maxQueue
	if q.until(ahead) > q.patience || full && lastRank <= mine {
		return nil, q.sendAway(mine)
	}
	if full { // who is last makes room for who is better
		out := q.waiting[last]
		q.waiting = slices.Delete(q.waiting, last, last+1)
		out.err = q.sendAway(lastRank)
		close(out.turn)
	}
	w := &waiter{rank: rank, turn: make(chan struct{})}
	q.waiting = append(q.waiting, w)
	return w, nil
}

// quit takes a waiter out of the line, and reports whether it has a place already.
func (q *queue) quit(w *waiter) (placed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return false
	}
	return w.err == nil
}

// leave gives the place to the best of those who wait.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	best, bestRank := -1, 0
	for i, w := range q.waiting {
		if r := w.rank(); best < 0 || r < bestRank {
			best, bestRank = i, r
		}
	}
	if best < 0 {
		q.running--
		return
	}
	w := q.waiting[best]
	q.waiting = slices.Delete(q.waiting, best, best+1)
	close(w.turn)
}

// hashed learns what a hash took.
func (q *queue) hashed(d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.took += (d - q.took) / 8
}

// until is how long it takes until somebody behind so many others has a place. The
// caller holds mu.
func (q *queue) until(ahead int) time.Duration {
	return q.took * time.Duration(ahead+1) / time.Duration(q.places)
}

// sendAway says when to come back. The caller holds mu.
func (q *queue) sendAway(rank int) error {
	back := &q.back[0]
	if rank >= rankSlow {
		back = &q.back[1]
	}
	now := time.Now()
	if back.Before(now) {
		*back = now
	}
	*back = back.Add(q.until(0))
	if latest := now.Add(maxAway); back.After(latest) {
		*back = latest
	}
	return &BusyError{After: max(back.Sub(now), time.Second)}
}
