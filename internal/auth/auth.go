// Package auth knows who is there: passwords, sessions behind a gorilla
// sessions.Store over the database, the sign-in throttle and the middleware.
package auth

import (
	"context"
	"errors"
	"time"

	"correction-console/internal/correction"
)

// User is a person who may sign in.
type User struct {
	ID           int64
	Username     string // unique; in its normal form, but for some that are older than it
	Name         string // shown to others
	Role         correction.Role
	Scope        correction.Scope
	PasswordHash string // PHC string
	Disabled     bool
	Lang         string // "zh-CN", "en" or empty
	Theme        string // "light", "dark" or empty
}

// Session is one signed-in browser. The store holds the SHA-256 of its id, never
// the id.
type Session struct {
	Row       int64
	IDHash    [32]byte
	UserID    int64
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time // absolute end
	IP        string
	UserAgent string
}

// SignInPlace is an address that somebody signed in from.
type SignInPlace struct {
	UserID int64
	IP     string
	At     time.Time
}

// Attempts is what the throttle knows about one key.
type Attempts struct {
	Failures    int       // consecutive, this one included
	LastAt      time.Time // of the one before
	LockedUntil time.Time
}

// Errors of a Store.
var (
	ErrNoUser    = errors.New("no such user")
	ErrNoSession = errors.New("no such session")
)

// Store keeps users and sessions. Every operation is one transaction, which holds
// the audit entry of the operations that take one: both are written, or neither.
// What such an operation ends, it ends at the time of its entry.
type Store interface {
	Users
	SessionStore
	AttemptStore
	AppendAudit(ctx context.Context, a correction.AuditEntry) error
}

// Users are the people with their passwords and preferences.
type Users interface {
	// UserByName returns the user whom a typed name means; ErrNoUser.
	UserByName(ctx context.Context, typed string) (User, error)
	UserByID(ctx context.Context, id int64) (User, error) // ErrNoUser
	// SetPassword revokes all sessions but the one with the hash keep; ErrNoUser.
	SetPassword(ctx context.Context, userID int64, phc string, keep [32]byte, e correction.AuditEntry) error
	Rehash(ctx context.Context, userID int64, old, phc string) error // same password, better parameters
	SetPreferences(ctx context.Context, userID int64, lang, theme string) error
}

// SessionStore keeps sessions.
type SessionStore interface {
	// CreateSession stores a session of a user who is not disabled (else ErrNoUser),
	// revokes the oldest ones beyond keep, and records what entry makes of the row and
	// of the number of those revoked. entry runs inside the transaction.
	CreateSession(ctx context.Context, s Session, keep int, entry func(row int64, revoked int) (correction.AuditEntry, error)) (row int64, revoked int, err error)
	// SessionUser returns a live session (neither revoked nor past its absolute end nor
	// idle since before idleSince) and its user, who is not disabled; ErrNoSession.
	SessionUser(ctx context.Context, idHash [32]byte, now, idleSince time.Time) (Session, User, error)
	// SessionOwner returns whose session it is or was, ended or not; ErrNoSession.
	SessionOwner(ctx context.Context, idHash [32]byte) (int64, error)
	TouchSession(ctx context.Context, row int64, seen time.Time) error
	// RevokeSession ends a session; ErrNoSession when it is not this user's or has been
	// revoked.
	RevokeSession(ctx context.Context, userID, row int64, e correction.AuditEntry) error
	Sessions(ctx context.Context, userID int64, now, idleSince time.Time) ([]Session, error)
	// RecentSignIns returns from where the people of the newest sessions signed in, each
	// person and address once, with the newest time.
	RecentSignIns(ctx context.Context, newest int) ([]SignInPlace, error)
}

// AttemptStore counts attempts to sign in.
type AttemptStore interface {
	// CountAttempt counts an attempt before it is judged, in one statement, and
	// returns the state with it counted. Keys are "user:NAME", "known:HASH", "ip:ADDR",
	// "all".
	CountAttempt(ctx context.Context, key string, now time.Time, window time.Duration) (Attempts, error)
	Lock(ctx context.Context, key string, until time.Time) error
	ClearAttempts(ctx context.Context, key string) error
}
