package auth_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/store"
)

func wantWait(t *testing.T, err error, after time.Duration, locked bool) {
	t.Helper()
	var w *auth.WaitError
	if !errors.As(err, &w) {
		t.Fatalf("got %v, want a wait of %s", err, after)
	}
	if w.After != after || w.Locked != locked {
		t.Errorf("got wait %s, locked %v; want %s, %v", w.After, w.Locked, after, locked)
	}
}

func TestSignIn_TakesTheRightPasswordInAnyWriting(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	for _, name := range []string{"li", "LI", "ｌｉ"} {
		res, err := c.signIn(t, name, "violett Kro\u0308te\u300037", "192.0.2.1", "")
		if err != nil || res.User.ID != c.li.ID || res.User.Role != c.li.Role {
			t.Errorf("signing in as %q: %+v, %v", name, res.User, err)
		}
	}
	entries := c.store.audit(t)
	if len(entries) != 3 {
		t.Fatalf("%d audit entries, want 3", len(entries))
	}
	e := entries[0]
	if e.Action != auth.ActionSignIn || e.UserID != c.li.ID || e.IP != "192.0.2.1" || !e.At.Equal(c.now()) {
		t.Errorf("audit entry %+v", e)
	}
	if d := detailOf(t, e); d["username"] != "li" || d["user_agent"] != "Browser/1" {
		t.Errorf("audit detail %v", d)
	}
}

func TestSignIn_AnswersAlikeForUnknownDisabledAndWrong(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	c.store.disable(t, "wang")
	c.store.add(t, store.UserSpec{Username: "empty", Name: "无密码", Role: correction.Agent})
	for i, tc := range []struct{ name, pw, reason string }{
		{"li", "wrong", "wrong_password"},
		{"wang", password, "disabled"},
		{"nobody", password, "unknown_user"},
		{"no body\x00", password, "unknown_user"},
		{"", password, "unknown_user"},
		{"empty", "", "wrong_password"},
		{"li", "\x00", "wrong_password"},
		{"li", strings.Repeat("x", 10_000), "wrong_password"},
	} {
		res, err := c.signIn(t, tc.name, tc.pw, fmt.Sprintf("192.0.2.%d", i), "")
		if err != auth.ErrCredentials || res.User.ID != 0 || res.Known != "" {
			t.Errorf("%q: %+v, %v", tc.name, res, err)
		}
		entries := c.store.audit(t)
		if len(entries) != i+1 {
			t.Fatalf("%d entries after %d tries", len(entries), i+1)
		}
		e := entries[i]
		if e.Action != auth.ActionSignInFailed || e.UserID != 0 || detailOf(t, e)["reason"] != tc.reason {
			t.Errorf("%q: entry %+v", tc.name, e)
		}
		if strings.Contains(e.Detail, password) || strings.Contains(e.Detail, "nobody") {
			t.Errorf("the entry holds what may be a password: %s", e.Detail)
		}
	}
}

// A dummy that cannot be verified shows who is measured against it. The real one
// costs what a real hash does (TestParameters_AreNotBelowTheFloor); times say little
// on a busy machine.
func TestSignIn_NamesWithoutAPasswordCostAHash(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	c.store.add(t, store.UserSpec{Username: "empty", Name: "无密码", Role: correction.Agent})
	c.auth.SetDummy("rubbish")
	for _, name := range []string{"nobody", "no body\x00", "", "empty"} {
		if _, err := c.signIn(t, name, password, "192.0.2.1", ""); !errors.Is(err, auth.ErrBadHash) {
			t.Errorf("%q: %v, want the error of the dummy: no hash was verified", name, err)
		}
	}
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err != nil {
		t.Errorf("who has a password is measured against the dummy: %v", err)
	}
}

func TestSignIn_RehashesWhenParametersRise(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err != nil {
		t.Fatal(err)
	}
	after, err := c.store.UserByID(t.Context(), c.li.ID)
	if err != nil || after.PasswordHash == c.li.PasswordHash {
		t.Errorf("not rehashed: %v", err)
	}
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err != nil {
		t.Errorf("after the rehash: %v", err)
	}
}

func TestSignIn_DemandsAWaitFromTheFourthFailureAndLocksAfterTen(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	for n, delay := range []int{0, 0, 0, 1, 2, 4, 8, 16, 30} {
		if _, err := c.signIn(t, "li", "wrong", "192.0.2.1", ""); err != auth.ErrCredentials {
			t.Fatalf("failure %d: %v", n+1, err)
		}
		if delay == 0 {
			continue
		}
		wait := time.Duration(delay) * time.Second
		_, err := c.signIn(t, "li", password, "192.0.2.1", "")
		wantWait(t, err, wait, false)
		c.forward(wait - time.Millisecond)
		_, err = c.signIn(t, "li", password, "192.0.2.1", "")
		wantWait(t, err, time.Millisecond, false)
		c.forward(time.Millisecond)
	}
	if _, err := c.signIn(t, "li", "wrong", "192.0.2.1", ""); err != auth.ErrCredentials {
		t.Fatal(err)
	}
	_, err := c.signIn(t, "li", password, "192.0.2.1", "")
	wantWait(t, err, auth.LockFor, true)
	actions := map[string]int{}
	for _, e := range c.store.audit(t) {
		actions[e.Action]++
	}
	if actions[auth.ActionSignInFailed] != 11 || actions[auth.ActionSignInLocked] != 1 || len(actions) != 2 {
		t.Errorf("audit %v", actions)
	}
	c.restart(true)
	c.forward(auth.LockFor - time.Millisecond)
	_, err = c.signIn(t, "li", password, "192.0.2.1", "")
	wantWait(t, err, time.Millisecond, true)
	c.forward(time.Millisecond)
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestSignIn_WaitSurvivesARestart(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	for range 4 {
		if _, err := c.signIn(t, "li", "wrong", "192.0.2.1", ""); err != auth.ErrCredentials {
			t.Fatal(err)
		}
	}
	c.restart(true)
	_, err := c.signIn(t, "li", password, "192.0.2.1", "")
	wantWait(t, err, time.Second, false)
}

func TestSignIn_LocksAfterTenEvenIfTheConsoleStoppedBeforeItCould(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	for range 10 {
		if _, err := c.store.CountAttempt(t.Context(), auth.AccountKey("li"), c.now(), 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		c.forward(time.Minute)
	}
	for range 2 {
		_, err := c.signIn(t, "li", password, "192.0.2.1", "")
		wantWait(t, err, auth.LockFor, true)
	}
}

func TestSignIn_SuccessClearsTheCounters(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	for round := range 12 {
		for range 3 {
			if _, err := c.signIn(t, "li", "wrong", fmt.Sprintf("192.0.2.%d", round), ""); err != auth.ErrCredentials {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if _, err := c.signIn(t, "li", password, fmt.Sprintf("192.0.2.%d", round), ""); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		c.forward(3 * time.Second)
	}
}

func TestSignIn_AdminEndsALock(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	for range 10 {
		_, _ = c.signIn(t, "li", "wrong", "192.0.2.1", "")
		c.forward(30 * time.Second)
	}
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err == nil {
		t.Fatal("not locked")
	}
	if err := c.store.ClearAttempts(t.Context(), auth.AccountKey("li")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err != nil {
		t.Errorf("after the lock was ended: %v", err)
	}
}

func TestSignIn_ParallelGuessesAreNotJudgedBeyondTen(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	var judged, waits, others atomic.Int32
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			_, err := c.auth.SignIn(t.Context(), "li", fmt.Sprint("guess", i), fmt.Sprintf("192.0.2.%d", i), "", "")
			var w *auth.WaitError
			switch {
			case errors.Is(err, auth.ErrCredentials):
				judged.Add(1)
			case errors.As(err, &w):
				waits.Add(1)
			default:
				others.Add(1)
				t.Errorf("guess %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if judged.Load() != 4 {
		t.Errorf("%d of 200 parallel guesses judged, want 4 (at most 10)", judged.Load())
	}
	// Those that were not judged were not counted: a burst is not a lock.
	c.forward(time.Second)
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err != nil {
		t.Errorf("a second after the burst: %v", err)
	}
}

func TestSignIn_ManyGuessesInAShiftAreHardlyJudged(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	judged := 0
	for i := range 2_000 {
		if _, err := c.signIn(t, "li", "wrong", fmt.Sprintf("10.0.%d.%d", i/250, i%250), ""); err == auth.ErrCredentials {
			judged++
		}
		c.forward(800 * time.Millisecond) // 26 minutes in all
	}
	if judged != 10 {
		t.Errorf("%d guesses judged within one lock, want 10", judged)
	}
}

func TestSignIn_StrangerDoesNotLockAKnownBrowserOut(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	res, err := c.signIn(t, "li", password, "192.0.2.1", "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 70 { // past the lock, the limit of the address and the one in all
		_, _ = c.signIn(t, "li", "wrong", "192.0.2.1", "")
		_, _ = c.signIn(t, fmt.Sprint("nobody", i), "wrong", fmt.Sprintf("192.0.3.%d", i/10), "")
		if i < 12 {
			c.forward(30 * time.Second)
		}
	}
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err == nil {
		t.Fatal("the account is not locked for strangers")
	}
	again, err := c.signIn(t, "li", password, "192.0.2.1", res.Known)
	if err != nil {
		t.Fatalf("the known browser: %v", err)
	}
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err == nil {
		t.Error("the known browser's success unlocked the account for strangers")
	}
	// It has a counter of its own, in spite of a new cookie at each sign-in.
	for range 4 {
		if _, err := c.signIn(t, "li", "wrong", "192.0.2.1", again.Known); err != auth.ErrCredentials {
			t.Fatal(err)
		}
	}
	_, err = c.signIn(t, "li", password, "192.0.2.1", res.Known)
	wantWait(t, err, time.Second, false)
}

func TestSignIn_KnownCookieIsForOneUserOneKeyAndHalfAYear(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	res, err := c.signIn(t, "li", password, "192.0.2.1", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		_, _ = c.signIn(t, "wang", "wrong", "192.0.2.1", "")
	}
	_, err = c.signIn(t, "wang", password, "192.0.2.1", res.Known)
	wantWait(t, err, time.Second, false)
	for range 4 {
		_, _ = c.signIn(t, "li", "wrong", "192.0.2.1", "")
	}
	for i := range len(res.Known) {
		for bit := range 7 {
			b := []byte(res.Known)
			b[i] ^= 1 << bit
			if _, err := c.signIn(t, "li", password, "192.0.2.1", string(b)); err == nil {
				t.Fatalf("bit %d of byte %d flipped: a known browser", bit, i)
			}
		}
	}
	c.forward(auth.KnownFor - time.Millisecond)
	again, err := c.signIn(t, "li", password, "192.0.2.1", res.Known)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		_, _ = c.signIn(t, "li", "wrong", "192.0.2.2", "")
	}
	if _, err := c.signIn(t, "li", password, "192.0.2.1", again.Known); err != nil {
		t.Errorf("a renewed cookie: %v", err)
	}
	c.forward(time.Millisecond)
	_, err = c.signIn(t, "li", password, "192.0.2.1", res.Known)
	wantWait(t, err, 999*time.Millisecond, false)
}

func TestSignIn_LimitsAnAddressAndAllTogether(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	for i := range 60 {
		if _, err := c.signIn(t, fmt.Sprint("nobody", i), "x", fmt.Sprintf("192.0.2.%d", i/20), ""); err != auth.ErrCredentials {
			t.Fatalf("failure %d: %v", i, err)
		}
		if i == 19 {
			_, err := c.signIn(t, "li", password, "192.0.2.0", "")
			wantWait(t, err, time.Minute, false)
			// Successes from another address do not count.
			for range 30 {
				if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	_, err := c.signIn(t, "li", password, "198.51.100.1", "")
	wantWait(t, err, time.Minute, false)
	c.forward(time.Minute)
	if _, err := c.signIn(t, "li", password, "192.0.2.0", ""); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

func TestChangePassword_EndsOtherSessionsAndIsThrottled(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	ctx := t.Context()
	here, other := newBrowser(c), newBrowser(c)
	here.signIn(t, "li", password)
	other.signIn(t, "li", password)
	user, session, _ := here.who(t)
	const next = "neun grüne Gurken 8"
	for _, tc := range []struct {
		current, next string
		want          error
	}{
		{password, "kurz", auth.ErrPasswordShort},
		{"wrong", next, auth.ErrCredentials},
		{password, password, auth.ErrPasswordSame},
	} {
		if err := c.auth.ChangePassword(ctx, user, tc.current, tc.next, session, "192.0.2.1"); !errors.Is(err, tc.want) {
			t.Errorf("%q to %q: %v, want %v", tc.current, tc.next, err, tc.want)
		}
	}
	if _, _, in := other.who(t); !in {
		t.Fatal("a refused change ended a session")
	}
	if err := c.auth.ChangePassword(ctx, user, password, next, session, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, _, in := here.who(t); !in {
		t.Error("the session that changed the password ended")
	}
	if _, _, in := other.who(t); in {
		t.Error("another session survived the change of password")
	}
	if e := c.store.last(t); e.Action != auth.ActionPasswordChanged || e.UserID != c.li.ID || strings.Contains(e.Detail, next) {
		t.Errorf("audit %+v", e)
	}
	if _, err := c.signIn(t, "li", password, "192.0.2.1", ""); err != auth.ErrCredentials {
		t.Errorf("the old password: %v", err)
	}
	if _, err := c.signIn(t, "li", next, "192.0.2.1", ""); err != nil {
		t.Errorf("the new password: %v", err)
	}
	for range 4 {
		if err := c.auth.ChangePassword(ctx, user, "wrong", "zwölf gelbe Birnen 9", session, "192.0.2.1"); err != auth.ErrCredentials {
			t.Fatal(err)
		}
	}
	wantWait(t, c.auth.ChangePassword(ctx, user, next, "zwölf gelbe Birnen 9", session, "192.0.2.1"), time.Second, false)
}
