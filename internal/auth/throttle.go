package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Limits of the throttle.
const (
	freeFailures = 3  // consecutive, without any wait
	maxFailures  = 10 // consecutive, then the key is locked
	maxDelay     = 30 * time.Second
	LockFor      = 30 * time.Minute
	// forgetAfter is the window of the counters: failures further apart than this
	// are not consecutive.
	forgetAfter = 24 * time.Hour

	failuresEach = 20 // of a network within limitWindow
	failuresAll  = 60 // of all strangers within limitWindow
	failuresFew  = 3  // of a network, that matter once there are failuresAll
	limitWindow  = time.Minute
)

// WaitError refuses a try that came too early. It is the same for users who exist
// and those who do not.
type WaitError struct {
	After  time.Duration // until the next try is judged, more than 0
	Locked bool          // after ten failures
}

func (e *WaitError) Error() string {
	if e.Locked {
		return fmt.Sprintf("locked for another %s", e.After)
	}
	return fmt.Sprintf("too many failures, try again in %s", e.After)
}

// delayAfter is the wait that n consecutive failures demand.
func delayAfter(n int) time.Duration {
	if n <= freeFailures {
		return 0
	}
	if n > freeFailures+5 {
		return maxDelay
	}
	return time.Second << (n - freeFailures - 1)
}

// throttle decides whether a try is judged at all. Consecutive failures of an
// account, or of a person in a known browser, are counted in the store and survive a
// restart.
type throttle struct {
	store Store

	mu   sync.Mutex // also orders the counting: parallel tries see each other
	gate map[string]time.Time
}

func newThrottle(store Store) *throttle {
	return &throttle{store: store, gate: make(map[string]time.Time)}
}

// try is one admitted try. It counts as a failure until it is known to be none.
type try struct {
	key      string
	at       time.Time
	failures int // consecutive, with this one
}

// shutFor is how long the key is not judged; nothing is counted, because an impatient
// double click is not a guess.
func (t *throttle) shutFor(key string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shutNow(key, now)
}

func (t *throttle) shutNow(key string, now time.Time) error {
	if until, ok := t.gate[key]; ok {
		if wait := until.Sub(now); wait > 0 && wait <= maxDelay {
			return &WaitError{After: wait}
		}
		delete(t.gate, key)
	}
	return nil
}

// admit counts a try of the key by the holder of a place of the hashes, and returns it.
// The refusals are *WaitError.
func (t *throttle) admit(ctx context.Context, key string, now time.Time) (try, error) {
	tr := try{key: key, at: now}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.shutNow(key, now); err != nil {
		return try{}, err
	}
	if err := t.count(ctx, &tr); err != nil {
		return try{}, err
	}
	return tr, nil
}

// count counts the try in the store and judges what comes back.
func (t *throttle) count(ctx context.Context, tr *try) error {
	now := tr.at
	a, err := t.store.CountAttempt(ctx, tr.key, now, forgetAfter)
	if err != nil {
		return fmt.Errorf("count sign-in: %w", err)
	}
	if !a.LockedUntil.IsZero() {
		if wait := a.LockedUntil.Sub(now); wait > 0 {
			return &WaitError{After: wait, Locked: true}
		}
		// The lock is served: ten new tries.
		if err := t.store.ClearAttempts(ctx, tr.key); err != nil {
			return fmt.Errorf("end lock: %w", err)
		}
		if a, err = t.store.CountAttempt(ctx, tr.key, now, forgetAfter); err != nil {
			return fmt.Errorf("count sign-in: %w", err)
		}
	}
	if a.Failures > maxFailures {
		// The tenth was counted, but the console stopped before it could lock.
		if err := t.store.Lock(ctx, tr.key, now.Add(LockFor)); err != nil {
			return fmt.Errorf("lock after failures: %w", err)
		}
		return &WaitError{After: LockFor, Locked: true}
	}
	if before := delayAfter(a.Failures - 1); before > 0 && !a.LastAt.IsZero() {
		// Capped, in case the clock was set back.
		if wait := min(a.LastAt.Add(before).Sub(now), before); wait > 0 {
			t.shut(tr.key, now, wait)
			return &WaitError{After: wait}
		}
	}
	tr.failures = a.Failures
	if d := delayAfter(a.Failures); d > 0 {
		t.shut(tr.key, now, d)
	}
	return nil
}

// shut refuses key until d is over. The caller holds mu.
func (t *throttle) shut(key string, now time.Time, d time.Duration) {
	if len(t.gate) >= 1024 {
		for k, until := range t.gate {
			if !now.Before(until) {
				delete(t.gate, k)
			}
		}
	}
	t.gate[key] = now.Add(d)
}

// failed locks the key after the tenth failure, and says whether it did.
func (t *throttle) failed(ctx context.Context, tr try, now time.Time) (locked bool, err error) {
	if tr.failures < maxFailures {
		return false, nil
	}
	if err := t.store.Lock(ctx, tr.key, now.Add(LockFor)); err != nil {
		return false, fmt.Errorf("lock after failures: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.gate, tr.key)
	return true, nil
}

// succeeded clears the key's counter.
func (t *throttle) succeeded(ctx context.Context, tr try) error {
	t.mu.Lock()
	delete(t.gate, tr.key)
	t.mu.Unlock()
	if err := t.store.ClearAttempts(ctx, tr.key); err != nil {
		return fmt.Errorf("clear failures: %w", err)
	}
	return nil
}

// Network is what one address may be taken for: a subscriber has a whole /64 of
// IPv6. "?" for what is no address.
func Network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return "?"
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return "?"
	}
	return p.String()
}

// isWait reports whether err refuses a try for its time.
func isWait(err error) (*WaitError, bool) {
	var w *WaitError
	ok := errors.As(err, &w)
	return w, ok
}
