package auth_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

const password = "violett Kröte 37"

// clock is a clock that only moves when told.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.UnixMilli(1_800_000_000_000).UTC()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// console is everything that a sign-in needs.
type console struct {
	*clock
	store    *database
	sessions *auth.Sessions
	auth     *auth.Authenticator
	keys     auth.Keys
	li, wang auth.User
	dummy    string
}

func newConsole(t testing.TB, secure bool) *console {
	t.Helper()
	c := &console{clock: newClock(), store: openStore(t)}
	var err error
	if c.keys, err = auth.DeriveKeys(make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	phc := auth.CheapHash(t, password)
	c.li = c.store.add(t, sqlite.UserSpec{Username: "li", Name: "李静", Role: correction.Agent, All: true, PasswordHash: phc})
	c.wang = c.store.add(t, sqlite.UserSpec{Username: "wang", Name: "王强", Role: correction.Supervisor, All: true, PasswordHash: phc})
	c.dummy = auth.CheapHash(t, "nobody's")
	c.restart(secure)
	return c
}

// restart is a new process on the same database.
func (c *console) restart(secure bool) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c.sessions = auth.NewSessions(c.store, c.keys, secure, c.now, log)
	c.auth = auth.NewAuthenticator(c.store, auth.CheapHasher(), c.sessions, c.keys, c.now, log)
	c.auth.SetDummy(c.dummy)
}

func (c *console) signIn(t testing.TB, username, pw, ip, known string) (auth.Result, error) {
	t.Helper()
	return c.auth.SignIn(t.Context(), username, pw, ip, "Browser/1", known)
}

// detailOf is the detail of an audit entry.
func detailOf(t testing.TB, e correction.AuditEntry) map[string]any {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal([]byte(e.Detail), &d); err != nil {
		t.Fatalf("detail %q: %v", e.Detail, err)
	}
	return d
}
