package sqlite

import (
	"context"
	"fmt"
	"time"

	"correction-console/internal/auth"
)

// CountAttempt counts an attempt of the key and returns the state with it counted.
// Failures further apart than window are not consecutive.
func (s *Store) CountAttempt(ctx context.Context, key string, now time.Time, window time.Duration) (auth.Attempts, error) {
	var a auth.Attempts
	var prev, until int64
	err := s.write(ctx, func(w *writeTx) error {
		err := w.row(ctx, `
			INSERT INTO attempt (key, failures, prev_ms, last_ms, locked_until_ms) VALUES (?1, 1, 0, ?2, 0)
			ON CONFLICT (key) DO UPDATE SET
				failures = CASE WHEN ?2 - last_ms > ?3 THEN 1 ELSE failures + 1 END, prev_ms = last_ms, last_ms = ?2
			RETURNING failures, prev_ms, locked_until_ms`,
			key, millis(now), window.Milliseconds()).Scan(&a.Failures, &prev, &until)
		if err != nil {
			return err
		}
		// A few that no longer matter go with each count: whoever guesses at names does
		// not fill the disk with them.
		_, err = w.exec(ctx, `DELETE FROM attempt WHERE key IN (SELECT key FROM attempt WHERE last_ms < ?1 AND locked_until_ms < ?2 LIMIT 4)`,
			millis(now.Add(-window)), millis(now))
		return err
	})
	if err != nil {
		return auth.Attempts{}, fmt.Errorf("count attempt: %w", err)
	}
	a.LastAt, a.LockedUntil = at(prev), at(until)
	return a, nil
}

// PruneAttempts forgets the keys whose last attempt and whose lock, if they had one,
// were over before the time, and returns how many those were. No judgement changes
// when the time is at least the window of CountAttempt ago. It costs no write when
// there is none.
func (s *Store) PruneAttempts(ctx context.Context, before time.Time) (int64, error) {
	var pruned int64
	err := s.write(ctx, func(w *writeTx) (err error) {
		pruned, err = w.changed(ctx, `DELETE FROM attempt WHERE last_ms < ?1 AND locked_until_ms < ?1`, millis(before))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("prune attempts: %w", err)
	}
	return pruned, nil
}

// Lock refuses the key until the time is over.
func (s *Store) Lock(ctx context.Context, key string, until time.Time) error {
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `
			INSERT INTO attempt (key, failures, prev_ms, last_ms, locked_until_ms) VALUES (?1, 0, 0, 0, ?2)
			ON CONFLICT (key) DO UPDATE SET locked_until_ms = ?2`, key, millis(until))
		return err
	})
	if err != nil {
		return fmt.Errorf("lock after attempts: %w", err)
	}
	return nil
}

// ClearAttempts forgets the key.
func (s *Store) ClearAttempts(ctx context.Context, key string) error {
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `DELETE FROM attempt WHERE key = ?`, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("clear attempts: %w", err)
	}
	return nil
}
