package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"correction-console/internal/correction"
)

// Actions of audit entries that this package writes. Their Detail is a JSON object
// of strings and numbers.
const (
	ActionSignIn          = "sign_in"
	ActionSignInFailed    = "sign_in_failed"
	ActionSignInLocked    = "sign_in_locked"
	ActionSignOut         = "sign_out"
	ActionSessionStarted  = "session_started"
	ActionPasswordChanged = "password_changed"
	ActionSessionRevoked  = "session_revoked"
)

// Errors of signing in.
var (
	// ErrCredentials is the one answer for an unknown user, a disabled user and a
	// wrong password.
	ErrCredentials = errors.New("the user name or the password is wrong")
	ErrUsername    = errors.New("not a user name")
)

// maxUsername is the length of a user name in code points.
const maxUsername = 64

// NormalUsername brings a typed user name into its one form, in which names are kept,
// looked up, counted and compared: without blanks and invisible characters around it,
// width, case and compatibility characters folded (NFKC, full case folding), and then
// as RFC 8265 UsernameCaseMapped has it. ErrUsername for text that no user name may be:
// empty, with spaces or control characters inside, over 64 code points.
func NormalUsername(typed string) (string, error) {
	if len(typed) > maxPasswordBytes {
		return "", ErrUsername
	}
	name, err := precis.UsernameCaseMapped.String(foldUsername(typed))
	if err != nil || name == "" || utf8.RuneCountInString(name) > maxUsername {
		return "", ErrUsername
	}
	return name, nil
}

// foldUsername makes what is typed for one name one text, also when it is no name.
func foldUsername(typed string) string {
	text := strings.TrimFunc(typed, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Z)
	})
	// Folding may undo the normal form, and the form may bring what is to be folded.
	for range 2 {
		text = cases.Fold().String(norm.NFKC.String(text))
	}
	return norm.NFKC.String(text)
}

// AccountKey is the key of a user's failure counter in the Store; clearing it ends
// a lock. The name is in its normal form.
func AccountKey(username string) string { return "user:" + username }

// Authenticator checks passwords. Safe for concurrent use; make it with
// NewAuthenticator.
type Authenticator struct {
	store    Store
	hasher   *Hasher
	sessions *Sessions
	knownKey []byte
	now      func() time.Time
	log      *slog.Logger
	throttle *throttle
	dummy    string // PHC string that is verified for who does not exist

	strangers *strangers
	familiar  sync.Once // the networks of earlier sessions are known
}

// NewAuthenticator returns an Authenticator. There must be one in a process: it
// holds what is known of networks.
func NewAuthenticator(store Store, hasher *Hasher, sessions *Sessions, keys Keys, now func() time.Time, log *slog.Logger) *Authenticator {
	return &Authenticator{
		store: store, hasher: hasher, sessions: sessions, knownKey: keys.Known,
		now: now, log: log, throttle: newThrottle(store), dummy: dummyPHC, strangers: newStrangers(),
	}
}

// Result is a successful sign-in.
type Result struct {
	User  User
	Known string // for Sessions.SetKnown
}

// SignIn checks a user name and a password and records the outcome. knownCookie is
// what Sessions.KnownCookie returned: a person in a browser in which they signed in
// before has a failure counter of their own and goes first, so that a stranger's failures
// do not keep them out.
//
// The errors to expect are ErrCredentials, *WaitError (the password was not checked, or
// was wrong) and ErrBusy, which is a *BusyError. Any other error is of the store or of
// ctx, and nobody is signed in.
func (a *Authenticator) SignIn(ctx context.Context, username, password, ip, userAgent, knownCookie string) (Result, error) {
	user, exists, err := a.find(ctx, username)
	if err != nil {
		return Result{}, err
	}
	name := foldUsername(username)
	if exists {
		if name, err = NormalUsername(username); err != nil {
			return Result{}, err
		}
	}
	attempt := attempt{user: user, ip: ip, userAgent: clip(userAgent, maxUserAgent)}
	from, key := Network(ip), AccountKey(name)
	browser := parseKnown(a.knownKey, knownCookie, a.now())
	counter, known := browser.counter(a.knownKey, name)
	rank := func() int { return a.strangers.rank(from, a.now()) }
	switch {
	case !exists:
		// A password typed into the wrong field must not be kept; its digest still
		// tells equal tries apart.
		attempt.digest = a.digest(name)
		key, known = "unknown:"+attempt.digest, false
	case known:
		key, attempt.known, rank = counter, true, ofKnown
	}
	a.familiar.Do(func() { a.learnNetworks(ctx) })
	if err := a.throttle.shutFor(key, a.now()); err != nil {
		return Result{}, err
	}
	if err := a.hasher.queue.enter(ctx, rank); err != nil {
		return Result{}, err
	}
	placed := true
	leave := func() {
		if placed {
			a.hasher.queue.leave()
		}
		placed = false
	}
	defer leave()
	tr, err := a.throttle.admit(ctx, key, a.now())
	if err != nil {
		if w, ok := isWait(err); ok && w.Locked {
			attempt.reason = "locked"
			if !known {
				a.strangers.failed(from, a.now())
			}
			leave()
			if err := a.auditFailure(ctx, attempt); err != nil {
				return Result{}, err
			}
		}
		return Result{}, err
	}
	// From here on the outcome is recorded even when the browser has gone.
	right, err := a.check(ctx, user, password)
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		return Result{}, err
	}
	if !right || !exists || user.Disabled {
		var wait time.Duration
		if !known {
			wait = a.strangers.failed(from, a.now())
		}
		leave()
		attempt.reason = reasonFor(exists, user.Disabled)
		if err = a.fail(ctx, tr, attempt); err == ErrCredentials && wait > 0 {
			err = &WaitError{After: wait}
		}
		return Result{}, err
	}
	a.strangers.signedIn(from, user.ID, a.now(), a.now())
	if NeedsRehash(user.PasswordHash) {
		a.rehash(ctx, user, password)
	}
	leave()
	return a.signedIn(ctx, tr, attempt, browser.with(a.knownKey, name, a.now()))
}

// signedIn puts a success on record and clears the failures before it.
func (a *Authenticator) signedIn(ctx context.Context, tr try, at attempt, known knownBrowser) (Result, error) {
	at.in = true
	if err := a.audit(ctx, ActionSignIn, at); err != nil {
		return Result{}, err
	}
	if err := a.throttle.succeeded(ctx, tr); err != nil {
		// The next failure counts on; no reason to keep the right person out.
		a.log.ErrorContext(ctx, "failures not cleared", "err", err)
	}
	return Result{User: at.user, Known: known.encode(a.knownKey)}, nil
}

// learnNetworks reads from where people signed in before this process; without it their
// networks are as strange as any.
func (a *Authenticator) learnNetworks(ctx context.Context) {
	places, err := a.store.RecentSignIns(context.WithoutCancel(ctx), recentSessions)
	if err != nil {
		a.log.ErrorContext(ctx, "networks of earlier sessions not known", "err", err)
	}
	for _, p := range places {
		a.strangers.signedIn(Network(p.IP), p.UserID, p.At, a.now())
	}
}

func reasonFor(exists, disabled bool) string {
	switch {
	case !exists:
		return "unknown_user"
	case disabled:
		return "disabled"
	}
	return "wrong_password"
}

// find looks a typed user name up. What cannot be a user name is looked up all the
// same, so that it takes as long.
func (a *Authenticator) find(ctx context.Context, typed string) (User, bool, error) {
	_, bad := NormalUsername(typed)
	user, err := a.store.UserByName(ctx, typed)
	if errors.Is(err, ErrNoUser) || err == nil && bad != nil {
		return User{}, false, nil
	}
	if err != nil {
		return User{}, false, fmt.Errorf("look up user: %w", err)
	}
	return user, true, nil
}

// check verifies the password for the holder of a place, at equal cost for users
// without one.
func (a *Authenticator) check(ctx context.Context, user User, password string) (bool, error) {
	phc := user.PasswordHash
	if _, err := parsePHC(phc); err != nil {
		if phc != "" {
			a.log.ErrorContext(ctx, "stored password hash cannot be read", "user", user.ID)
		}
		phc = a.dummy
	}
	return a.hasher.verify(phc, password)
}

// rehash only logs a failure: the old hash still serves.
func (a *Authenticator) rehash(ctx context.Context, user User, password string) {
	phc, err := a.hasher.hash(password)
	if err == nil {
		err = a.store.Rehash(ctx, user.ID, user.PasswordHash, phc)
	}
	if err != nil {
		a.log.WarnContext(ctx, "password not rehashed", "user", user.ID, "err", err)
	}
}

// fail records a failed try and returns what the caller answers.
func (a *Authenticator) fail(ctx context.Context, tr try, at attempt) error {
	at.failures = tr.failures
	locked, err := a.throttle.failed(ctx, tr, a.now())
	if err != nil {
		return err
	}
	if err := a.auditFailure(ctx, at); err != nil {
		return err
	}
	if locked {
		if err := a.audit(ctx, ActionSignInLocked, at); err != nil {
			return err
		}
	}
	return ErrCredentials
}

// ChangePassword sets a new password for a signed-in user who knows the current
// one, and ends all other sessions. min is MinPasswordWeb. The errors to expect are
// those of CheckPassword, ErrPasswordSame, ErrCredentials for a wrong current
// password, *WaitError and ErrBusy; failures have a counter of their own, so that
// they and those of strangers do not mix.
func (a *Authenticator) ChangePassword(ctx context.Context, user User, current, next string, keep Session, ip string) error {
	if err := CheckPassword(next, user.Username, MinPasswordWeb); err != nil {
		return err
	}
	user, err := a.store.UserByID(ctx, user.ID)
	if err != nil {
		return fmt.Errorf("load user: %w", err)
	}
	at := attempt{user: user, ip: ip, session: keep.Row, change: true, in: true}
	key := fmt.Sprintf("change:%d", user.ID)
	if err := a.throttle.shutFor(key, a.now()); err != nil {
		return err
	}
	if err := a.hasher.queue.enter(ctx, ofKnown); err != nil {
		return err
	}
	defer a.hasher.queue.leave()
	tr, err := a.throttle.admit(ctx, key, a.now())
	if err != nil {
		return err
	}
	right, err := a.check(ctx, user, current)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if !right || user.Disabled {
		at.reason = reasonFor(true, user.Disabled)
		return a.fail(ctx, tr, at)
	}
	if err := a.throttle.succeeded(ctx, tr); err != nil {
		a.log.ErrorContext(ctx, "failures not cleared", "err", err)
	}
	if sameText(current, next) {
		return ErrPasswordSame
	}
	phc, err := a.hasher.hash(next)
	if err != nil {
		return fmt.Errorf("hash new password: %w", err)
	}
	e, err := at.entry(ActionPasswordChanged, a.now())
	if err != nil {
		return err
	}
	if err := a.store.SetPassword(ctx, user.ID, phc, keep.IDHash, e); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

// Revoke ends one of the user's own sessions, asked for in the session by.
// ErrNoSession when it is not this user's.
func (a *Authenticator) Revoke(ctx context.Context, user User, by Session, row int64, ip string) error {
	at := attempt{user: user, ip: ip, session: by.Row, ended: row, in: true}
	e, err := at.entry(ActionSessionRevoked, a.now())
	if err != nil {
		return err
	}
	if err := a.store.RevokeSession(ctx, user.ID, row, e); err != nil {
		return fmt.Errorf("revoke session: %w", err)
	}
	return nil
}

// Sessions lists the live sessions of a user, for the account page.
func (a *Authenticator) Sessions(ctx context.Context, userID int64) ([]Session, error) {
	now := a.now()
	list, err := a.store.Sessions(ctx, userID, now, now.Add(-IdleTimeout))
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// attempt is what an audit entry of this package says.
type attempt struct {
	user      User
	ip        string
	userAgent string
	digest    string // of a name that is no user's
	reason    string
	failures  int
	known     bool
	change    bool // of the password, not a sign-in
	in        bool // somebody is signed in
	session   int64
	ended     int64
	pushed    int
	omitted   int // failures before it that are not on record
}

// entry is the audit entry of an action at the time now.
func (at attempt) entry(action string, now time.Time) (correction.AuditEntry, error) {
	detail, err := json.Marshal(struct {
		Username  string `json:"username,omitempty"`
		Digest    string `json:"unknown_name_digest,omitempty"`
		Reason    string `json:"reason,omitempty"`
		Failures  int    `json:"failures,omitempty"`
		Known     bool   `json:"known_browser,omitempty"`
		Change    bool   `json:"password_change,omitempty"`
		Session   int64  `json:"session,omitempty"`
		Ended     int64  `json:"ended_session,omitempty"`
		Pushed    int    `json:"ended_oldest,omitempty"`
		Omitted   int    `json:"omitted_failures,omitempty"`
		UserAgent string `json:"user_agent,omitempty"`
	}{at.user.Username, at.digest, at.reason, at.failures, at.known, at.change, at.session, at.ended, at.pushed, at.omitted, at.userAgent})
	if err != nil {
		return correction.AuditEntry{}, fmt.Errorf("encode audit entry: %w", err)
	}
	e := correction.AuditEntry{At: now, Action: action, Detail: string(detail), IP: at.ip}
	if at.in {
		e.UserID = at.user.ID
	}
	return e, nil
}

// audit records what changes neither a user nor a session.
func (a *Authenticator) audit(ctx context.Context, action string, at attempt) error {
	e, err := at.entry(action, a.now())
	if err != nil {
		return err
	}
	if err := a.store.AppendAudit(ctx, e); err != nil {
		return fmt.Errorf("record %s: %w", action, err)
	}
	return nil
}

// auditFailure records a failure: not more than failuresAll a minute, so that a flood does
// not fill the disk; the next one on record tells how many are not.
func (a *Authenticator) auditFailure(ctx context.Context, at attempt) error {
	record, omitted := a.strangers.onRecord(a.now())
	if !record {
		return nil
	}
	at.omitted = omitted
	return a.audit(ctx, ActionSignInFailed, at)
}

// digest is a keyed digest of text that may be a secret.
func (a *Authenticator) digest(text string) string {
	m := hmac.New(sha256.New, a.knownKey)
	m.Write([]byte("name\x00"))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil)[:8])
}
