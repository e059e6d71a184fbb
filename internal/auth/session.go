package auth

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"correction-console/internal/correction"
)

// Life of a session.
const (
	IdleTimeout     = 15 * time.Minute
	AbsoluteTimeout = 10 * time.Hour
	MaxSessions     = 3 // a user; beyond, the oldest is revoked
	// idleHeader marks a request that a page makes by itself: it does not keep the
	// session alive.
	idleHeader = "X-Idle"
	// seenEvery is how often a session in use is written: sessions may end up to
	// this much before IdleTimeout, never after it.
	seenEvery = time.Minute
)

const maxUserAgent = 256 // bytes kept of a User-Agent

// Sessions is a gorilla sessions.Store over the table of sessions. The browser
// holds an opaque random id under a MAC and nothing else; the MAC only keeps junk
// away from the database. Safe for concurrent use; make it with NewSessions.
type Sessions struct {
	store   Store
	secure  bool
	now     func() time.Time
	log     *slog.Logger
	name    string
	id      string // of the installation, in the names of cookies
	codec   *securecookie.SecureCookie
	kept    cipher.AEAD
	strange atomic.Uint64
}

var _ sessions.Store = (*Sessions)(nil)

// NewSessions returns the session store. secure says that browsers reach the
// console over https: the cookie is then __Host-console-ID with Secure, else
// console-ID without (plain http), where ID is that of the installation.
func NewSessions(store Store, keys Keys, secure bool, now func() time.Time, log *slog.Logger) *Sessions {
	s := &Sessions{store: store, secure: secure, now: now, log: log, id: keys.Installation, kept: newSealer(keys.Kept)}
	s.name = cookieName(s.Cookie("console"), secure)
	// Without an age: the table has both ends of a session, by one clock. An old
	// cookie is one look-up, and the page can say that the session has ended.
	s.codec = securecookie.New(keys.Cookie, nil).SetSerializer(idSerializer{}).MaxAge(0).MaxLength(256)
	return s
}

// Bearer names the session whose cookie a request brings, living or ended, without
// asking the store; empty when it brings none of ours. Who counts by it must look again
// once the session is known.
func (s *Sessions) Bearer(r *http.Request) string {
	for _, cookie := range r.CookiesNamed(s.name) {
		if id, ok := s.decode(s.name, cookie.Value); ok {
			sum := id.hash()
			return string(sum[:16])
		}
	}
	return ""
}

// CookieName is the name of the session cookie.
func (s *Sessions) CookieName() string { return s.name }

// Cookie is the name of a cookie of this installation: consoles on other ports of the
// host see it, and must not take it for theirs.
func (s *Sessions) Cookie(name string) string { return name + "-" + s.id }

// Strange counts the session cookies that were not made by this console since it
// started.
func (s *Sessions) Strange() uint64 { return s.strange.Load() }

func cookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// sessionID is what the browser holds.
type sessionID [32]byte

func (id sessionID) hash() [32]byte { return sha256.Sum256(id[:]) }

// idSerializer is a securecookie.Serializer of a *sessionID.
type idSerializer struct{}

var errNotAnID = errors.New("not a session id")

func (idSerializer) Serialize(src any) ([]byte, error) {
	id, ok := src.(*sessionID)
	if !ok {
		return nil, errNotAnID
	}
	return id[:], nil
}

func (idSerializer) Deserialize(src []byte, dst any) error {
	id, ok := dst.(*sessionID)
	if !ok || len(src) != len(id) {
		return errNotAnID
	}
	copy(id[:], src)
	return nil
}

// valuesKey is the only key in the Values of a session of this store.
type valuesKey struct{}

// identity is who a request comes from.
type identity struct {
	user    User
	session Session
	ip      string // who signs out comes from there
	in      bool   // signed in
	ended   bool   // a cookie of ours was there, but its session has ended
	begin   bool   // Save makes a new session of user and session
	pushed  int    // sessions that Save revoked because there were too many
}

// Get returns the session of the request, once per request.
func (s *Sessions) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New reads the session of the request. A missing, undecodable or ended cookie is
// a new session and no error; an error means that the store could not be asked.
func (s *Sessions) New(r *http.Request, name string) (*sessions.Session, error) {
	sess := sessions.NewSession(s, name)
	sess.Options = &sessions.Options{Path: "/", Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	who, err := s.identify(r, name)
	sess.Values[valuesKey{}] = who
	sess.IsNew = !who.in
	return sess, err
}

func (s *Sessions) identify(r *http.Request, name string) (*identity, error) {
	who := new(identity)
	for _, cookie := range r.CookiesNamed(name) {
		id, ok := s.decode(name, cookie.Value)
		if !ok {
			s.strange.Add(1)
			continue
		}
		now := s.now()
		session, user, err := s.store.SessionUser(r.Context(), id.hash(), now, now.Add(-IdleTimeout))
		if errors.Is(err, ErrNoSession) {
			who.ended = true
			continue
		}
		if err != nil {
			return who, fmt.Errorf("load session: %w", err)
		}
		*who = identity{user: user, session: session, in: true}
		if now.Sub(session.SeenAt) >= seenEvery && r.Header.Get(idleHeader) == "" {
			s.touch(r.Context(), session.Row, now)
		}
		return who, nil
	}
	return who, nil
}

// Owner returns whose the session of the request is or was, ended or not; 0 when
// that is not known.
func (s *Sessions) Owner(c echo.Context) int64 {
	r := c.Request()
	for _, name := range []string{s.name, cookieName("console", s.secure)} { // that of older versions
		for _, cookie := range r.CookiesNamed(name) {
			if id, ok := s.decode(name, cookie.Value); ok {
				if owner, err := s.store.SessionOwner(r.Context(), id.hash()); err == nil {
					return owner
				}
			}
		}
	}
	return 0
}

// touch only logs a failure: the worst is that the session ends early.
func (s *Sessions) touch(ctx context.Context, row int64, now time.Time) {
	if err := s.store.TouchSession(ctx, row, now); err != nil {
		s.log.WarnContext(ctx, "session not marked as used", "session", row, "err", err)
	}
}

func (s *Sessions) encode(name string, id *sessionID) (string, error) {
	value, err := s.codec.Encode(name, id)
	if err != nil {
		return "", fmt.Errorf("encode session cookie: %w", err)
	}
	return value, nil
}

func (s *Sessions) decode(name, value string) (id sessionID, ok bool) {
	// securecookie decodes base64 loosely: several texts would be one cookie.
	if len(value) > 256 || strings.ContainsAny(value, "\r\n") {
		return id, false
	}
	if _, err := base64.URLEncoding.Strict().DecodeString(value); err != nil {
		return id, false
	}
	return id, s.codec.Decode(name, value, &id) == nil
}

// Save writes what changed, on the record: a sign-in makes a new session with a new
// id, MaxAge < 0 signs out. Nothing else is kept in a session; other values are
// refused, because they would be lost.
func (s *Sessions) Save(r *http.Request, w http.ResponseWriter, sess *sessions.Session) error {
	who, _ := sess.Values[valuesKey{}].(*identity)
	if who == nil || len(sess.Values) != 1 {
		return errors.New("save session: it keeps no values")
	}
	if sess.Options.MaxAge < 0 {
		at := attempt{user: who.user, ip: who.ip, session: who.session.Row, in: true}
		if err := s.revoke(r.Context(), who, ActionSignOut, at); err != nil {
			return err
		}
		http.SetCookie(w, s.cookie(sess.Name(), "", -1))
		return nil
	}
	if !who.begin {
		return nil
	}
	id := new(sessionID)
	rand.Read(id[:])
	value, err := s.encode(sess.Name(), id)
	if err != nil {
		return err
	}
	who.session.IDHash = id.hash()
	record := func(row int64, revoked int) (correction.AuditEntry, error) {
		at := attempt{user: who.user, ip: who.session.IP, session: row, pushed: revoked, in: true}
		return at.entry(ActionSessionStarted, who.session.CreatedAt)
	}
	who.session.Row, who.pushed, err = s.store.CreateSession(r.Context(), who.session, MaxSessions, record)
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	who.begin, who.in, sess.IsNew = false, true, false
	http.SetCookie(w, s.cookie(sess.Name(), value, 0))
	return nil
}

// revoke ends the session of who, if there is one, and records the action. One that
// has ended meanwhile is on record already.
func (s *Sessions) revoke(ctx context.Context, who *identity, action string, at attempt) error {
	if !who.in {
		return nil
	}
	e, err := at.entry(action, s.now())
	if err != nil {
		return err
	}
	err = s.store.RevokeSession(ctx, who.user.ID, who.session.Row, e)
	if err != nil && !errors.Is(err, ErrNoSession) {
		return fmt.Errorf("revoke session: %w", err)
	}
	who.in = false
	return nil
}

// cookie has no Domain and, unless maxAge is set, no end: it goes with the browser.
func (s *Sessions) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// Start begins a session of a user who has just signed in, with a new id, and sets
// the cookie. The session that the browser had before ends first, so that it does
// not count against MaxSessions. pushed is how many older sessions were revoked
// because there were too many.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, user User, ip, userAgent string) (session Session, pushed int, err error) {
	sess, err := s.Get(r, s.name)
	if err != nil {
		return Session{}, 0, err
	}
	before, _ := sess.Values[valuesKey{}].(*identity)
	if before != nil {
		at := attempt{user: before.user, ip: ip, session: before.session.Row, ended: before.session.Row, reason: "signed_in_again", in: true}
		if err := s.revoke(r.Context(), before, ActionSessionRevoked, at); err != nil {
			return Session{}, 0, err
		}
	}
	now := s.now()
	who := &identity{user: user, begin: true, session: Session{
		UserID: user.ID, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(AbsoluteTimeout),
		IP: ip, UserAgent: clip(userAgent, maxUserAgent),
	}}
	sess.Values[valuesKey{}] = who
	if err := sess.Save(r, w); err != nil {
		return Session{}, 0, err
	}
	return who.session, who.pushed, nil
}

// clip shortens text to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
