package auth_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

type row struct {
	auth.Session
	revoked bool
}

// database is a store in memory.
type database struct {
	mu       sync.Mutex
	users    []auth.User
	sessions []*row
	tries    map[string]auth.Attempts
	entries  []correction.AuditEntry
	queries  int
}

func openStore(testing.TB) *database { return &database{tries: map[string]auth.Attempts{}} }

func (d *database) add(_ testing.TB, u auth.User) auth.User {
	d.mu.Lock()
	defer d.mu.Unlock()
	u.ID = int64(len(d.users) + 1)
	d.users = append(d.users, u)
	return u
}

func (d *database) disable(_ testing.TB, id int64) { d.users[id-1].Disabled = true }

func (d *database) audit(testing.TB) []correction.AuditEntry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]correction.AuditEntry(nil), d.entries...)
}

func (d *database) UserByName(_ context.Context, name string) (auth.User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, u := range d.users {
		if u.Username == name {
			return u, nil
		}
	}
	return auth.User{}, auth.ErrNoUser
}

func (d *database) UserByID(_ context.Context, id int64) (auth.User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id < 1 || int(id) > len(d.users) {
		return auth.User{}, auth.ErrNoUser
	}
	return d.users[id-1], nil
}

func (d *database) SetPassword(_ context.Context, id int64, phc string, keep [32]byte, _ time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users[id-1].PasswordHash = phc
	for _, s := range d.sessions {
		if s.UserID == id && s.IDHash != keep {
			s.revoked = true
		}
	}
	return nil
}

func (d *database) Rehash(_ context.Context, id int64, old, phc string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users[id-1].PasswordHash == old {
		d.users[id-1].PasswordHash = phc
	}
	return nil
}

func (d *database) SetPreferences(context.Context, int64, string, string) error { return nil }

func (d *database) CreateSession(_ context.Context, s auth.Session, keep int) (int64, int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Row = int64(len(d.sessions) + 1)
	d.sessions = append(d.sessions, &row{Session: s})
	revoked := 0
	for i := len(d.sessions) - 1; i >= 0; i-- {
		r := d.sessions[i]
		if r.UserID != s.UserID || r.revoked {
			continue
		}
		if keep--; keep < 0 {
			r.revoked = true
			revoked++
		}
	}
	return s.Row, revoked, nil
}

func (d *database) SessionUser(_ context.Context, hash [32]byte, now, idle time.Time) (auth.Session, auth.User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queries++
	for _, s := range d.sessions {
		if s.IDHash == hash && !s.revoked && now.Before(s.ExpiresAt) && !s.SeenAt.Before(idle) && !d.users[s.UserID-1].Disabled {
			return s.Session, d.users[s.UserID-1], nil
		}
	}
	return auth.Session{}, auth.User{}, auth.ErrNoSession
}

func (d *database) TouchSession(_ context.Context, id int64, seen time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions[id-1].SeenAt = seen
	return nil
}

func (d *database) RevokeSession(_ context.Context, user, id int64, _ time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id < 1 || int(id) > len(d.sessions) || d.sessions[id-1].UserID != user || d.sessions[id-1].revoked {
		return auth.ErrNoSession
	}
	d.sessions[id-1].revoked = true
	return nil
}

func (d *database) Sessions(_ context.Context, user int64, now, idle time.Time) ([]auth.Session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []auth.Session
	for _, s := range d.sessions {
		if s.UserID == user && !s.revoked && now.Before(s.ExpiresAt) && !s.SeenAt.Before(idle) {
			out = append(out, s.Session)
		}
	}
	return out, nil
}

func (d *database) CountAttempt(_ context.Context, key string, now time.Time, window time.Duration) (auth.Attempts, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.tries[key]
	out := a
	if now.Sub(a.LastAt) > window {
		out.Failures = 0
	}
	out.Failures++
	d.tries[key] = auth.Attempts{Failures: out.Failures, LastAt: now, LockedUntil: a.LockedUntil}
	return out, nil
}

func (d *database) Lock(_ context.Context, key string, until time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.tries[key]
	a.LockedUntil = until
	d.tries[key] = a
	return nil
}

func (d *database) ClearAttempts(_ context.Context, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.tries, key)
	return nil
}

func (d *database) AppendAudit(_ context.Context, e correction.AuditEntry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, e)
	return nil
}
