package auth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

// browser keeps cookies, as a browser would.
type browser struct {
	c       *console
	cookies map[string]*http.Cookie
	idle    bool // nobody is there: its page asks by itself
}

func newBrowser(c *console) *browser { return &browser{c: c, cookies: map[string]*http.Cookie{}} }

// visit runs handle behind Identify and keeps the cookies that it sets.
func (b *browser) visit(t testing.TB, handle echo.HandlerFunc) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "192.0.2.9:1234"
	if b.idle {
		r.Header.Set("X-Idle", "1")
	}
	for _, k := range b.cookies {
		r.AddCookie(&http.Cookie{Name: k.Name, Value: k.Value})
	}
	w := httptest.NewRecorder()
	ctx := echo.New().NewContext(r, w)
	if err := b.c.sessions.Identify(handle)(ctx); err != nil {
		t.Fatal(err)
	}
	res := w.Result()
	for _, k := range res.Cookies() {
		if k.MaxAge < 0 {
			delete(b.cookies, k.Name)
		} else {
			b.cookies[k.Name] = k
		}
	}
	return res
}

func (b *browser) signIn(t testing.TB, username, pw string) (pushed int) {
	t.Helper()
	b.visit(t, func(ctx echo.Context) error {
		res, err := b.c.auth.SignIn(t.Context(), username, pw, "192.0.2.9", "Browser/1", b.c.sessions.KnownCookie(ctx.Request()))
		if err != nil {
			return err
		}
		pushed, err = b.c.auth.Begin(ctx, res)
		return err
	})
	return pushed
}

func (b *browser) who(t testing.TB) (user auth.User, session auth.Session, in bool) {
	t.Helper()
	b.visit(t, func(ctx echo.Context) error {
		user, session, in = auth.From(ctx)
		return nil
	})
	return user, session, in
}

func (b *browser) ended(t testing.TB) (ended bool) {
	t.Helper()
	b.visit(t, func(ctx echo.Context) error {
		ended = auth.Ended(ctx)
		return nil
	})
	return ended
}

func (b *browser) cookie() *http.Cookie { return b.cookies[b.c.sessions.CookieName()] }

func TestSession_CookieAttributes(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{true, false} {
		c := newConsole(t, secure)
		b := newBrowser(c)
		b.signIn(t, "li", password)
		prefix := ""
		if secure {
			prefix = "__Host-"
		}
		names := [2]string{prefix + "console-" + c.keys.Installation, prefix + "known-" + c.keys.Installation}
		session, known := b.cookies[names[0]], b.cookies[names[1]]
		if session == nil || known == nil || len(b.cookies) != 2 {
			t.Fatalf("secure %v: cookies %v", secure, b.cookies)
		}
		want := "; Path=/; HttpOnly; Secure; SameSite=Lax"
		if !secure {
			want = "; Path=/; HttpOnly; SameSite=Lax"
		}
		if got := strings.TrimPrefix(session.Raw, names[0]+"="+session.Value); got != want {
			t.Errorf("session cookie%s, want %s", got, want)
		}
		want = strings.Replace(want, "; HttpOnly", "; Max-Age=15552000; HttpOnly", 1)
		if got := strings.TrimPrefix(known.Raw, names[1]+"="+known.Value); got != want {
			t.Errorf("known cookie%s, want %s", got, want)
		}
	}
}

func TestIdentify_KnowsTheUserAndTheSession(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	b := newBrowser(c)
	if _, _, in := b.who(t); in || b.ended(t) {
		t.Error("somebody is there without a cookie")
	}
	b.signIn(t, "li", password)
	user, session, in := b.who(t)
	if !in || user.ID != c.li.ID || user.Name != "李静" || session.UserID != c.li.ID || session.Row == 0 ||
		session.IP != "192.0.2.9" || !session.CreatedAt.Equal(c.now()) || !session.ExpiresAt.Equal(c.now().Add(10*time.Hour)) {
		t.Errorf("%v %+v %+v", in, user, session)
	}
	a := auth.Actor(user, session)
	if a.UserID != user.ID || a.Name != user.Name || a.Role != correction.Agent || !a.Scope.All || a.SessionID != session.Row {
		t.Errorf("actor %+v", a)
	}
}

func TestSession_EndsToTheMillisecond(t *testing.T) {
	t.Parallel()
	idle := newConsole(t, true)
	b := newBrowser(idle)
	b.signIn(t, "li", password)
	idle.forward(15 * time.Minute)
	if _, _, in := b.who(t); !in {
		t.Error("ended after exactly 15 minutes")
	}
	idle.forward(15*time.Minute + time.Millisecond)
	if _, _, in := b.who(t); in || !b.ended(t) {
		t.Error("lives after 15 minutes and a millisecond without use")
	}

	absolute := newConsole(t, true)
	b = newBrowser(absolute)
	b.signIn(t, "li", password)
	for range 10*60 - 1 {
		absolute.forward(time.Minute)
		if _, _, in := b.who(t); !in {
			t.Fatalf("ended at %s though in use", absolute.now())
		}
	}
	absolute.forward(time.Minute - time.Millisecond)
	if _, _, in := b.who(t); !in {
		t.Error("ended a millisecond before 10 hours")
	}
	absolute.forward(time.Millisecond)
	if _, _, in := b.who(t); in || !b.ended(t) {
		t.Error("lives after 10 hours")
	}
}

func TestSession_IsMarkedAsUsedOnceAMinute(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	b := newBrowser(c)
	b.signIn(t, "li", password)
	start := c.now()
	for _, tc := range []struct {
		after time.Duration
		seen  time.Duration
	}{{0, 0}, {59_999 * time.Millisecond, 0}, {60 * time.Second, time.Minute}, {61 * time.Second, time.Minute}} {
		c.forward(start.Add(tc.after).Sub(c.now()))
		b.who(t)
		_, session, _ := b.who(t)
		if got := session.SeenAt.Sub(start); got != tc.seen {
			t.Errorf("after %s seen at %s, want %s", tc.after, got, tc.seen)
		}
	}
}

// A page that asks by itself does not keep somebody signed in who has left.
func TestSession_IsNotKeptAliveByAPageAlone(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	b := newBrowser(c)
	b.signIn(t, "li", password)
	b.idle = true
	for range 15 {
		c.forward(time.Minute)
		if _, _, in := b.who(t); !in {
			t.Fatal("ended early")
		}
	}
	c.forward(time.Millisecond)
	if _, _, in := b.who(t); in {
		t.Error("lives after 15 minutes in which only the page asked")
	}
}

func TestSession_NewIDAtSignIn(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	attacker, victim := newBrowser(c), newBrowser(c)
	attacker.signIn(t, "wang", password)
	planted := *attacker.cookie()
	victim.cookies[planted.Name] = &planted
	victim.signIn(t, "li", password)
	if victim.cookie().Value == planted.Value {
		t.Fatal("the planted id was kept")
	}
	if _, _, in := attacker.who(t); in {
		t.Error("the planted session lives on")
	}
	if u, _, in := victim.who(t); !in || u.ID != c.li.ID {
		t.Error("the victim is not signed in")
	}
	var ended correction.AuditEntry
	for _, e := range c.store.audit(t) {
		if e.Action == auth.ActionSessionRevoked {
			ended = e
		}
	}
	if ended.UserID != c.wang.ID || ended.IP != "192.0.2.9" || detailOf(t, ended)["reason"] != "signed_in_again" {
		t.Errorf("audit of the planted session %+v", ended)
	}
	// An id that nobody issued is not adopted.
	stranger := newBrowser(c)
	stranger.cookies[planted.Name] = &http.Cookie{Name: planted.Name, Value: strings.Repeat("A", 43)}
	stranger.signIn(t, "li", password)
	if stranger.cookie().Value == strings.Repeat("A", 43) {
		t.Error("an invented id was adopted")
	}
}

func TestSession_NoOtherCookieIsLetIn(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	b := newBrowser(c)
	b.signIn(t, "li", password)
	good := b.cookie().Value
	tries := []string{"", "x", good + "=", good + "A", good[1:], strings.TrimRight(good, "="), " " + good, strings.Repeat("A", 5000)}
	for i := range len(good) {
		for bit := range 8 {
			flipped := []byte(good)
			flipped[i] ^= 1 << bit
			tries = append(tries, string(flipped))
		}
	}
	let := 0
	for _, value := range tries {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		// Not AddCookie: it would drop what a browser does not send.
		r.Header.Set("Cookie", c.sessions.CookieName()+"="+value)
		ctx := echo.New().NewContext(r, httptest.NewRecorder())
		err := c.sessions.Identify(func(ctx echo.Context) error {
			if _, _, in := auth.From(ctx); in {
				// The header's own syntax takes spaces and quotes off a value.
				if got := r.CookiesNamed(c.sessions.CookieName()); len(got) != 1 || got[0].Value != good {
					let++
				}
			}
			if auth.Ended(ctx) {
				t.Errorf("%q counts as one of ours", value)
			}
			return nil
		})(ctx)
		if err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
	if let != 0 {
		t.Errorf("%d of %d changed cookies let in", let, len(tries))
	}
	if c.sessions.Strange() < uint64(len(good)) {
		t.Errorf("only %d strange cookies counted", c.sessions.Strange())
	}
	other := *c
	other.keys, _ = auth.DeriveKeys([]byte(strings.Repeat("k", 32)))
	other.restart(true)
	if _, _, in := (&browser{c: &other, cookies: b.cookies}).who(t); in {
		t.Error("a cookie under another key is let in")
	}
	if _, _, in := b.who(t); !in {
		t.Error("the right cookie is not let in")
	}
}

func TestSession_StartIsOnRecord(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	b := newBrowser(c)
	b.signIn(t, "li", password)
	_, session, _ := b.who(t)
	e := c.store.last(t)
	d := detailOf(t, e)
	if e.Action != auth.ActionSessionStarted || e.UserID != c.li.ID || e.IP != "192.0.2.9" || !e.At.Equal(c.now()) ||
		d["username"] != "li" || fmt.Sprint(d["session"]) != fmt.Sprint(session.Row) || d["ended_oldest"] != nil {
		t.Errorf("audit %+v", e)
	}
}

func TestSession_FourthRevokesTheOldest(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	var browsers []*browser
	for i := range 4 {
		b := newBrowser(c)
		if pushed := b.signIn(t, "li", password); pushed != i/3 {
			t.Errorf("sign-in %d revoked %d", i+1, pushed)
		}
		browsers = append(browsers, b)
		c.forward(time.Second)
	}
	for i, b := range browsers {
		if _, _, in := b.who(t); in != (i > 0) {
			t.Errorf("browser %d signed in: %v", i+1, in)
		}
	}
	e := c.store.last(t)
	if d := detailOf(t, e); e.Action != auth.ActionSessionStarted || e.UserID != c.li.ID || fmt.Sprint(d["ended_oldest"]) != "1" {
		t.Errorf("audit %+v", e)
	}
	// Signing in again in the same browser pushes nobody out.
	if pushed := browsers[3].signIn(t, "li", password); pushed != 0 {
		t.Errorf("a second sign-in in one browser revoked %d", pushed)
	}
	if _, _, in := browsers[1].who(t); !in {
		t.Error("a second sign-in in one browser ended another's session")
	}
}

func TestSignOut_EndsTheSessionAndForgetsTheCookie(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	b := newBrowser(c)
	b.signIn(t, "li", password)
	stolen := *b.cookie()
	_, session, _ := b.who(t)
	res := b.visit(t, c.auth.SignOut)
	if got := res.Header.Get("Clear-Site-Data"); got != `"cache", "storage"` {
		t.Errorf("Clear-Site-Data: %s", got)
	}
	if b.cookie() != nil {
		t.Error("the cookie was not taken back")
	}
	b.cookies[stolen.Name] = &stolen
	if _, _, in := b.who(t); in || !b.ended(t) {
		t.Error("the session lives after sign-out")
	}
	n := len(c.store.audit(t))
	e := c.store.last(t)
	if d := detailOf(t, e); e.Action != auth.ActionSignOut || e.UserID != c.li.ID || e.IP != "192.0.2.9" || !e.At.Equal(c.now()) ||
		d["username"] != "li" || fmt.Sprint(d["session"]) != fmt.Sprint(session.Row) {
		t.Errorf("audit %+v", e)
	}
	b.visit(t, c.auth.SignOut)
	newBrowser(c).visit(t, c.auth.SignOut)
	if len(c.store.audit(t)) != n {
		t.Error("signing out twice is recorded twice")
	}
}

func TestRevoke_OnlyOnesOwn(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	li, wang := newBrowser(c), newBrowser(c)
	li.signIn(t, "li", password)
	wang.signIn(t, "wang", password)
	liUser, liSession, _ := li.who(t)
	_, wangSession, _ := wang.who(t)
	if err := c.auth.Revoke(t.Context(), liUser, liSession, wangSession.Row, "192.0.2.1"); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("somebody else's session: %v", err)
	}
	second := newBrowser(c)
	second.signIn(t, "li", password)
	n := len(c.store.audit(t))
	list, err := c.auth.Sessions(t.Context(), c.li.ID)
	if err != nil || len(list) != 2 {
		t.Fatalf("sessions %v, %v", list, err)
	}
	_, s, _ := second.who(t)
	if err := c.auth.Revoke(t.Context(), liUser, liSession, s.Row, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, _, in := second.who(t); in {
		t.Error("a revoked session lives")
	}
	e := c.store.last(t)
	if d := detailOf(t, e); e.Action != auth.ActionSessionRevoked || e.UserID != c.li.ID || e.IP != "192.0.2.1" ||
		fmt.Sprint(d["session"]) != fmt.Sprint(liSession.Row) || fmt.Sprint(d["ended_session"]) != fmt.Sprint(s.Row) {
		t.Errorf("audit %+v", e)
	}
	if err := c.auth.Revoke(t.Context(), liUser, liSession, s.Row, "192.0.2.1"); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("twice: %v", err)
	}
	if got := len(c.store.audit(t)); got != n+1 {
		t.Errorf("%d more entries for one session that was ended and one refusal", got-n)
	}
	if _, _, in := wang.who(t); !in {
		t.Error("somebody else's session ended")
	}
}

func TestSession_EndsWhenTheUserIsDisabled(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	b := newBrowser(c)
	b.signIn(t, "li", password)
	c.store.disable(t, "li")
	if _, _, in := b.who(t); in {
		t.Error("a disabled user is let in")
	}
}

func TestSessions_KeepNoOtherValues(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	b := newBrowser(c)
	b.visit(t, func(ctx echo.Context) error {
		s, err := c.sessions.Get(ctx.Request(), c.sessions.CookieName())
		if err != nil || !s.IsNew {
			t.Errorf("new session: %v, %v", s.IsNew, err)
		}
		if err := s.Save(ctx.Request(), ctx.Response()); err != nil {
			t.Errorf("saving nothing: %v", err)
		}
		s.Values["basket"] = 1
		if s.Save(ctx.Request(), ctx.Response()) == nil {
			t.Error("a value that would be lost was taken")
		}
		return nil
	})
	if len(b.cookies) != 0 {
		t.Errorf("an anonymous visitor got cookies: %v", b.cookies)
	}
}

func TestLoadOrCreateKey_KeepsItsKeyToItself(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "session.key")
	key, err := auth.LoadOrCreateKey(path)
	if err != nil || len(key) != 32 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, err := auth.LoadOrCreateKey(path)
	if err != nil || string(again) != string(key) {
		t.Errorf("another key at the second start: %v", err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o602: false, 0o610: false, 0o777: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := auth.LoadOrCreateKey(path); ok != (err == nil) || !ok && !errors.Is(err, auth.ErrKeyFile) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestLoadOrCreateKey_RefusesWhatIsNoKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for n, ok := range map[int]bool{0: false, 31: false, 32: true, 33: false, 64: false} {
		path := filepath.Join(dir, "key")
		if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := auth.LoadOrCreateKey(path); ok != (err == nil) || !ok && !errors.Is(err, auth.ErrKeyFile) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "key"), link); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link, pipe, os.DevNull} {
		if _, err := auth.LoadOrCreateKey(path); !errors.Is(err, auth.ErrKeyFile) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := auth.LoadOrCreateKey(filepath.Join(dir, "missing", "key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

func TestDeriveKeys_AreApart(t *testing.T) {
	t.Parallel()
	k, err := auth.DeriveKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := string(k.Cookie), string(k.Known), string(k.Confirm)
	if len(a) != 32 || len(b) != 32 || len(c) != 32 || a == b || b == c || a == c {
		t.Errorf("keys %x %x %x", a, b, c)
	}
	if _, err := auth.DeriveKeys(nil); err == nil {
		t.Error("keys derived from nothing")
	}
}
