package correction

import (
	"context"
	"sync"
	"time"
)

// aged keeps what was read as long as it may be old. Whoever asks while it is read waits
// for that reading, as long as their context lets them; nothing is held meanwhile, so that
// a slow database keeps nobody from giving up, and one failure is one for all who wait.
// The zero value is empty.
type aged[T any] struct {
	mu     sync.Mutex
	newest *agedReading[T]
}

type agedReading[T any] struct {
	begun time.Time
	done  chan struct{} // closed when the rest is there
	value T
	err   error
}

// old reports whether the reading is over and of no more use. A clock that was set back
// makes it so, too.
func (r *agedReading[T]) old(now time.Time, limit time.Duration) bool {
	select {
	case <-r.done:
		return r.err != nil || now.Sub(r.begun).Abs() >= limit
	default:
		return false
	}
}

// get is what was read at most limit before now, or is read then. read gets no context that ends:
// it is for all who wait.
func (a *aged[T]) get(ctx context.Context, now time.Time, limit time.Duration, read func(context.Context) (T, error)) (T, error) {
	a.mu.Lock()
	r := a.newest
	if r == nil || r.old(now, limit) {
		r = &agedReading[T]{begun: now, done: make(chan struct{})}
		a.newest = r
		go func() {
			defer close(r.done)
			r.value, r.err = read(context.WithoutCancel(ctx))
		}()
	}
	a.mu.Unlock()
	select {
	case <-r.done:
		return r.value, r.err
	default:
	}
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// forget makes the next get read anew, whatever is being read. It follows every edit.
func (a *aged[T]) forget() {
	a.mu.Lock()
	a.newest = nil
	a.mu.Unlock()
}
