package sqlite

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

// session signs the user in; live are the limits with which it is read.
func session(t testing.TB, s *Store, userID int64, name string, at time.Time) auth.Session {
	t.Helper()
	n := auth.Session{
		IDHash: sha256.Sum256([]byte(name)), UserID: userID, CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(12 * time.Hour),
		IP: "10.0.0.1", UserAgent: "Browser " + name,
	}
	row, _, err := s.CreateSession(t.Context(), n, 10, started)
	must(t, err)
	n.Row = row
	return n
}

// entryOf is an audit entry of an action.
func entryOf(action string) correction.AuditEntry {
	return correction.AuditEntry{At: t0, Action: action, IP: "10.0.0.1"}
}

// started is the entry of a session that starts.
func started(row int64, revoked int) (correction.AuditEntry, error) {
	e := entryOf("started")
	e.Detail = fmt.Sprint(row, " ", revoked)
	return e, nil
}

// recorded lists action, detail and time since t0 of the entries that are not of the
// command line.
func recorded(t testing.TB, s *Store) []string {
	t.Helper()
	rows, err := s.reader.query(t.Context(), `SELECT action, detail, at_ms FROM audit WHERE action NOT LIKE 'user.%' ORDER BY id`)
	list, err := collect(rows, err, func(r scanner) (string, error) {
		var action, detail string
		var ms int64
		err := r.Scan(&action, &detail, &ms)
		return strings.TrimSpace(fmt.Sprint(action, " ", detail)) + " " + at(ms).Sub(t0).String(), err
	})
	must(t, err)
	return list
}

// signedIn reports whether the session is live at the time, for an idle limit of
// 30 minutes.
func signedIn(t testing.TB, s *Store, n auth.Session, at time.Time) bool {
	t.Helper()
	got, u, err := s.SessionUser(t.Context(), n.IDHash, at, at.Add(-30*time.Minute))
	if err == nil {
		equal(t, "user of the session", u.ID, n.UserID)
		equal(t, "row", got.Row, n.Row)
		return true
	}
	if !errors.Is(err, auth.ErrNoSession) || u.ID != 0 || got.Row != 0 {
		t.Errorf("%+v %+v %v", got, u, err)
	}
	return false
}

func TestSession_ReadsBackEveryField(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	must(t, s.AddUser(t.Context(), UserSpec{
		Username: "wang", Name: "王小北", Role: correction.Supervisor, Merchants: []string{"2", "1", "2"}, PasswordHash: "phc", Lang: "en",
	}))
	want := auth.User{
		ID: 1, Username: "wang", Name: "王小北", Role: correction.Supervisor, Scope: correction.Scope{Merchants: []string{"1", "2"}},
		PasswordHash: "phc", Lang: "en", Theme: "dark",
	}
	must(t, s.SetPreferences(t.Context(), 1, "en", "dark"))
	n := session(t, s, 1, "a", t0)
	gotSession, got, err := s.SessionUser(t.Context(), n.IDHash, t0, t0)
	must(t, err)
	equal(t, "session", gotSession, n)
	byName, err := s.UserByName(t.Context(), "wang")
	must(t, err)
	byID, err := s.UserByID(t.Context(), 1)
	must(t, err)
	list, err := s.Users(t.Context())
	must(t, err)
	for _, u := range []auth.User{got, byName, byID, list[0]} {
		if !reflect.DeepEqual(u, want) {
			t.Errorf("got  %+v\nwant %+v", u, want)
		}
	}
	zhou := person(t, s, "zhou", correction.Auditor)
	if !zhou.Scope.All || zhou.Scope.Merchants != nil {
		t.Errorf("every merchant: %+v", zhou.Scope)
	}
	if _, err := s.UserByName(t.Context(), "nobody"); !errors.Is(err, auth.ErrNoUser) {
		t.Error(err)
	}
	if _, err := s.UserByID(t.Context(), 99); !errors.Is(err, auth.ErrNoUser) {
		t.Error(err)
	}
	if err := s.SetPreferences(t.Context(), 99, "", ""); !errors.Is(err, auth.ErrNoUser) {
		t.Error(err)
	}
}

func TestSession_EndsToTheMillisecond(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	n := session(t, s, u.ID, "a", t0)
	equal(t, "another id", signedIn(t, s, auth.Session{IDHash: [32]byte{1}}, t0), false)
	equal(t, "idle for 30 minutes", signedIn(t, s, n, t0.Add(30*time.Minute)), true)
	equal(t, "idle for longer", signedIn(t, s, n, t0.Add(30*time.Minute+time.Millisecond)), false)
	late := t0.Add(12*time.Hour - time.Millisecond)
	must(t, s.TouchSession(t.Context(), n.Row, late))
	must(t, s.TouchSession(t.Context(), n.Row, t0)) // does not run backwards
	equal(t, "before its end", signedIn(t, s, n, late), true)
	equal(t, "at its end", signedIn(t, s, n, t0.Add(12*time.Hour)), false)
	list, err := s.Sessions(t.Context(), u.ID, late, late)
	must(t, err)
	n.SeenAt = late
	if len(list) != 1 || list[0] != n {
		t.Errorf("got %+v, want %+v", list, n)
	}
}

func TestSession_OldestBeyondTheLimitEnds(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u, other := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
	kept := session(t, s, other.ID, "other", t0)
	var all []auth.Session
	for i := range 5 {
		n := auth.Session{IDHash: [32]byte{byte(i)}, UserID: u.ID, CreatedAt: t0, SeenAt: t0, ExpiresAt: t0.Add(time.Hour)}
		row, revoked, err := s.CreateSession(t.Context(), n, 3, started)
		must(t, err)
		equal(t, "revoked", revoked, map[bool]int{true: 1}[i >= 3])
		n.Row = row
		all = append(all, n)
	}
	for i, n := range all {
		equal(t, fmt.Sprint("session ", i), signedIn(t, s, n, t0), i >= 2)
	}
	equal(t, "somebody else's", signedIn(t, s, kept, t0), true)
}

func TestSession_EndsWithWhateverShutsOut(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		act            func(s *Store, u auth.User, mine auth.Session) error
		mine, sideways bool // whether the session in use, and another, live on
	}{
		"sign out": {func(s *Store, u auth.User, n auth.Session) error {
			return s.RevokeSession(t.Context(), u.ID, n.Row, entryOf("out"))
		}, false, true},
		"new password": {func(s *Store, u auth.User, n auth.Session) error {
			return s.SetPassword(t.Context(), u.ID, "new", n.IDHash, entryOf("password"))
		}, true, false},
		"rehash": {func(s *Store, u auth.User, _ auth.Session) error { return s.Rehash(t.Context(), u.ID, "phc", "better") }, true, true},
		"reset": {func(s *Store, u auth.User, _ auth.Session) error {
			return s.ResetPassword(t.Context(), u.Username, "new")
		}, false, false},
		"disabled": {func(s *Store, u auth.User, _ auth.Session) error { return s.SetDisabled(t.Context(), u.Username, true) }, false, false},
		"disabled and enabled": {func(s *Store, u auth.User, _ auth.Session) error {
			return errors.Join(s.SetDisabled(t.Context(), u.Username, true), s.SetDisabled(t.Context(), u.Username, false))
		}, false, false},
	} {
		s := openTest(t)
		u, other := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
		mine, sideways := session(t, s, u.ID, "mine", t0), session(t, s, u.ID, "sideways", t0)
		theirs := session(t, s, other.ID, "theirs", t0)
		must(t, tc.act(s, u, mine))
		equal(t, name+": this session", signedIn(t, s, mine, t0), tc.mine)
		equal(t, name+": another session", signedIn(t, s, sideways, t0), tc.sideways)
		equal(t, name+": somebody else's", signedIn(t, s, theirs, t0), true)
	}
}

// SetDisabled also revokes the sessions; this is the look-up by itself.
func TestSessionUser_LetsNoDisabledUserIn(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	n := session(t, s, u.ID, "a", t0)
	for disabled, want := range map[int]bool{1: false, 0: true} {
		must(t, s.write(t.Context(), func(w *writeTx) error {
			_, err := w.exec(t.Context(), `UPDATE user SET disabled = ?`, disabled)
			return err
		}))
		equal(t, fmt.Sprint("disabled ", disabled), signedIn(t, s, n, t0), want)
	}
}

func TestSession_OfADisabledUserIsNotMade(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	must(t, s.SetDisabled(t.Context(), "lin", true))
	if _, _, err := s.CreateSession(t.Context(), auth.Session{UserID: u.ID, CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}, 3, started); !errors.Is(err, auth.ErrNoUser) {
		t.Error(err)
	}
	equal(t, "entries", len(recorded(t, s)), 0)
}

func TestRevokeSession_OnlyOnesOwn(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, wu := person(t, s, "lin", correction.Agent), person(t, s, "wu", correction.Agent)
	n := session(t, s, lin.ID, "a", t0)
	if err := s.RevokeSession(t.Context(), wu.ID, n.Row, entryOf("foreign")); !errors.Is(err, auth.ErrNoSession) {
		t.Error(err)
	}
	equal(t, "still there", signedIn(t, s, n, t0), true)
	must(t, s.RevokeSession(t.Context(), lin.ID, n.Row, entryOf("own")))
	if err := s.RevokeSession(t.Context(), lin.ID, n.Row, entryOf("twice")); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("twice: %v", err)
	}
	equal(t, "on record", strings.Join(recorded(t, s), ", "), "started 1 0 0s, own 0s")
}

func TestSession_EntryAndChangeAreOne(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	mine, other := session(t, s, u.ID, "mine", t0), session(t, s, u.ID, "other", t0)
	third := auth.Session{IDHash: [32]byte{3}, UserID: u.ID, CreatedAt: t0, SeenAt: t0, ExpiresAt: t0.Add(time.Hour)}
	create := func(entry func(int64, int) (correction.AuditEntry, error)) error {
		_, _, err := s.CreateSession(t.Context(), third, 1, entry)
		return err
	}
	unreadable := errors.New("no entry")
	for what, err := range map[string]error{ // the table takes no entry without an action
		"password": s.SetPassword(t.Context(), u.ID, "new", mine.IDHash, entryOf("")),
		"revoke":   s.RevokeSession(t.Context(), u.ID, mine.Row, entryOf("")),
		"create":   create(func(int64, int) (correction.AuditEntry, error) { return entryOf(""), nil }),
		"no entry": create(func(int64, int) (correction.AuditEntry, error) { return entryOf("x"), unreadable }),
	} {
		if err == nil || errors.Is(err, unreadable) != (what == "no entry") {
			t.Errorf("%s without its entry: %v", what, err)
		}
	}
	equal(t, "this session", signedIn(t, s, mine, t0), true)
	equal(t, "the other session", signedIn(t, s, other, t0), true)
	equal(t, "a session that was not recorded", signedIn(t, s, third, t0), false)
	now, err := s.UserByID(t.Context(), u.ID)
	must(t, err)
	equal(t, "password", now.PasswordHash, "phc")
	if err := s.SetPassword(t.Context(), 99, "x", [32]byte{}, entryOf("nobody's")); !errors.Is(err, auth.ErrNoUser) {
		t.Error(err)
	}

	late := entryOf("password")
	late.At = t0.Add(time.Minute)
	must(t, s.SetPassword(t.Context(), u.ID, "new", mine.IDHash, late))
	must(t, create(started))
	equal(t, "on record", strings.Join(recorded(t, s), ", "), "started 1 0 0s, started 2 0 0s, password 1m0s, started 3 1 0s")
	var ms int64
	must(t, s.reader.row(t.Context(), `SELECT revoked_ms FROM session WHERE row = ?`, other.Row).Scan(&ms))
	equal(t, "the other session ended", at(ms), late.At)
}

func TestRehash_DoesNotUndoANewPassword(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	must(t, s.SetPassword(t.Context(), u.ID, "new", [32]byte{}, entryOf("password")))
	must(t, s.Rehash(t.Context(), u.ID, "phc", "old, better"))
	u, err := s.UserByID(t.Context(), u.ID)
	must(t, err)
	equal(t, "password", u.PasswordHash, "new")
}

func TestAttempts_200AtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	seen := make([]int, 201)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			a, err := s.CountAttempt(t.Context(), "user:lin", t0, time.Hour)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			seen[a.Failures]++
			mu.Unlock()
		})
	}
	wg.Wait()
	for n, times := range seen[1:] {
		equal(t, fmt.Sprintf("number %d", n+1), times, 1)
	}
}

func TestAttempts_WindowLockAndClear(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	count := func(key string, at time.Time, want auth.Attempts) {
		t.Helper()
		got, err := s.CountAttempt(t.Context(), key, at, time.Hour)
		must(t, err)
		equal(t, key, got, want)
	}
	count("user:lin", t0, auth.Attempts{Failures: 1})
	count("user:lin", t0.Add(time.Hour), auth.Attempts{Failures: 2, LastAt: t0})
	count("user:wu", t0, auth.Attempts{Failures: 1})
	count("user:lin", t0.Add(2*time.Hour+time.Millisecond), auth.Attempts{Failures: 1, LastAt: t0.Add(time.Hour)})
	until := t0.Add(3 * time.Hour)
	must(t, s.Lock(t.Context(), "user:lin", until))
	must(t, s.Lock(t.Context(), "user:zhou", until))
	count("user:lin", t0.Add(2*time.Hour+time.Minute), auth.Attempts{Failures: 2, LastAt: t0.Add(2*time.Hour + time.Millisecond), LockedUntil: until})
	count("user:zhou", t0.Add(2*time.Hour), auth.Attempts{Failures: 1, LockedUntil: until})
	must(t, s.ClearAttempts(t.Context(), "user:lin"))
	count("user:lin", t0.Add(2*time.Hour), auth.Attempts{Failures: 1})
	count("user:he", t0.Add(9*time.Hour), auth.Attempts{Failures: 1})
	var left int
	must(t, s.reader.row(t.Context(), `SELECT count(*) FROM attempt`).Scan(&left))
	equal(t, "keys kept once all others are over", left, 1)
}

func TestPruneAttempts_ForgetsWhatJudgesNoMore(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	const window = 24 * time.Hour
	now := t0.Add(window)
	// The newest first: counting takes some of the oldest with it, too.
	for _, n := range []struct {
		key  string
		last time.Time
	}{
		{"user:new", now}, {"user:edge", t0}, {"unknown:old", t0.Add(-time.Millisecond)}, {"known:older", t0.Add(-time.Second)}, {"user:locked", t0.Add(-time.Hour)},
	} {
		_, err := s.CountAttempt(t.Context(), n.key, n.last, window)
		must(t, err)
	}
	must(t, s.Lock(t.Context(), "user:locked", t0))                        // over only at the limit
	must(t, s.Lock(t.Context(), "user:served", t0.Add(-time.Millisecond))) // over before it
	pruned, err := s.PruneAttempts(t.Context(), now.Add(-window))
	must(t, err)
	equal(t, "pruned", pruned, 3)
	rows, err := s.reader.query(t.Context(), `SELECT key FROM attempt ORDER BY key`)
	left, err := collect(rows, err, func(r scanner) (key string, err error) { return key, r.Scan(&key) })
	must(t, err)
	equal(t, "left", strings.Join(left, " "), "user:edge user:locked user:new")
	again, err := s.PruneAttempts(t.Context(), now.Add(-window))
	must(t, err)
	equal(t, "pruned again", again, 0)
	a, err := s.CountAttempt(t.Context(), "user:edge", now, window)
	must(t, err)
	equal(t, "what is just within the window", a, auth.Attempts{Failures: 2, LastAt: t0})
}

func TestAdministration_IsOnRecord(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	must(t, s.PutMerchant(ctx, correction.Merchant{SubMchID: "1", Name: "old"}))
	must(t, s.PutMerchant(ctx, correction.Merchant{SubMchID: "1", Name: "new"}))
	must(t, s.PutOffering(ctx, correction.Offering{ServiceID: "S", Name: "a", Industry: "hotel", Cap: 100}))
	want := correction.Offering{ServiceID: "S", Name: "b", Industry: "bike", Cap: 200, AllowZero: true}
	must(t, s.PutOffering(ctx, want))
	u := person(t, s, "lin", correction.Agent)
	session(t, s, u.ID, "a", t0)
	must(t, s.ResetPassword(ctx, "lin", "secret phc"))
	must(t, s.SetDisabled(ctx, "lin", true))
	must(t, s.SetDisabled(ctx, "lin", false))
	if err := s.AddUser(ctx, UserSpec{Username: "lin", Name: "x", Role: correction.Agent}); !errors.Is(err, ErrExists) {
		t.Errorf("a name twice: %v", err)
	}
	if err := s.AddUser(ctx, UserSpec{Username: "x", Name: "x", Role: "king"}); err == nil || errors.Is(err, ErrExists) {
		t.Errorf("a role that does not exist: %v", err)
	}
	for _, err := range []error{s.ResetPassword(ctx, "nobody", "x"), s.SetDisabled(ctx, "nobody", true)} {
		if !errors.Is(err, auth.ErrNoUser) {
			t.Error(err)
		}
	}
	must(t, s.AppendAudit(ctx, correction.AuditEntry{At: t0, UserID: u.ID, Action: "export", Detail: "d", IP: "10.0.0.1"}))
	rows, err := s.reader.query(ctx, `SELECT at_ms, COALESCE(user_id, 0), action, detail, ip FROM audit ORDER BY id`)
	log, err := collect(rows, err, func(r scanner) (string, error) {
		var ms, user int64
		var action, detail, ip string
		err := r.Scan(&ms, &user, &action, &detail, &ip)
		equal(t, "time", ms, t0.UnixMilli())
		return fmt.Sprint(user, " ", action, " ", detail, " ", ip), err
	})
	must(t, err)
	wantLog := []string{
		`0 merchant.put {"before":null,"after":{"SubMchID":"1","Name":"old"}} `,
		`0 merchant.put {"before":{"SubMchID":"1","Name":"old"},"after":{"SubMchID":"1","Name":"new"}} `,
		`0 service.put {"before":null,"after":{"ServiceID":"S","Name":"a","Industry":"hotel","Cap":100,"AllowZero":false}} `,
		`0 service.put {"before":{"ServiceID":"S","Name":"a","Industry":"hotel","Cap":100,"AllowZero":false},"after":{"ServiceID":"S","Name":"b","Industry":"bike","Cap":200,"AllowZero":true}} `,
		`0 user.add {"id":1,"username":"lin","name":"Name of lin","role":"agent","all_merchants":true} `,
		`0 started 1 0 10.0.0.1`,
		`0 user.reset {"username":"lin","revoked_sessions":1} `,
		`0 user.disable {"username":"lin","revoked_sessions":0} `,
		`0 user.enable {"username":"lin","revoked_sessions":0} `,
		`1 export d 10.0.0.1`,
	}
	if got, want := strings.Join(log, "\n"), strings.Join(wantLog, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	m, err := s.Merchant(ctx, "1")
	must(t, err)
	equal(t, "merchant", m, correction.Merchant{SubMchID: "1", Name: "new"})
	o, err := s.Offering(ctx, "S")
	must(t, err)
	equal(t, "service", o, want)
	all, err := s.Offerings(ctx)
	must(t, err)
	merchants, err := s.Merchants(ctx)
	must(t, err)
	if len(all) != 1 || all[0] != want || len(merchants) != 1 || merchants[0] != m {
		t.Errorf("%+v %+v", all, merchants)
	}
	if _, err := s.Merchant(ctx, "2"); !errors.Is(err, correction.ErrNoRow) {
		t.Error(err)
	}
	if _, err := s.Offering(ctx, "T"); !errors.Is(err, correction.ErrNoRow) {
		t.Error(err)
	}
}

func BenchmarkSessionUser(b *testing.B) {
	s := openTest(b)
	u := person(b, s, "lin", correction.Agent, "1", "2", "3")
	for i := range 200 {
		session(b, s, u.ID, fmt.Sprint(i), t0)
	}
	n := session(b, s, u.ID, "mine", t0)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.SessionUser(b.Context(), n.IDHash, t0, t0); err != nil {
			b.Fatal(err)
		}
	}
}
