package auth_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
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
	c.store.add(t, sqlite.UserSpec{Username: "empty", Name: "无密码", Role: correction.Agent})
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
	c.store.add(t, sqlite.UserSpec{Username: "empty", Name: "无密码", Role: correction.Agent})
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
	var judged, waits atomic.Int32
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			_, err := c.auth.SignIn(t.Context(), "li", fmt.Sprint("guess", i), fmt.Sprintf("192.0.2.%d", i), "", "")
			var w *auth.WaitError
			switch {
			case errors.Is(err, auth.ErrCredentials):
				judged.Add(1)
			case errors.As(err, &w), errors.Is(err, auth.ErrBusy): // sent away by counter or by queue
				waits.Add(1)
			default:
				t.Errorf("guess %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if judged.Load() != 4 {
		t.Errorf("%d of 200 parallel guesses judged, want 4 (at most 10)", judged.Load())
	}
	if judged.Load()+waits.Load() != 200 {
		t.Errorf("%d of 200 parallel guesses told to wait", waits.Load())
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

func TestSignIn_KnownCookieIsForItsPeopleOneKeyAndHalfAYear(t *testing.T) {
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

// A desk that a shift shares: whoever signed in there is known, whatever the others and
// strangers do, and each has a counter of their own.
func TestSignIn_ABrowserIsKnownForSeveralPeople(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	phc := auth.CheapHash(t, password)
	people := []string{"li", "wang"}
	for i := range 9 {
		name := fmt.Sprint("desk", i)
		c.store.add(t, sqlite.UserSpec{Username: name, Name: name, Role: correction.Agent, PasswordHash: phc})
		people = append(people, name)
	}
	known := ""
	for _, name := range people {
		res, err := c.signIn(t, name, password, "192.0.2.1", known)
		if err != nil {
			t.Fatal(err)
		}
		known = res.Known
		c.forward(time.Minute)
	}
	for _, name := range people {
		if strings.Contains(known, name) {
			t.Errorf("the cookie tells of %s", name)
		}
		for range 4 { // strangers
			_, _ = c.signIn(t, name, "wrong", "198.51.100.1", "")
		}
	}
	for range 4 { // somebody at the desk, at another's name
		_, _ = c.signIn(t, people[4], "wrong", "192.0.2.1", known)
	}
	for i, name := range people {
		_, err := c.signIn(t, name, password, "192.0.2.1", known)
		switch {
		case i < 3: // the cookie is bounded: who was there first has made room
			wantWait(t, err, time.Second, false)
		case i == 4:
			wantWait(t, err, time.Second, false)
		case err != nil:
			t.Errorf("%s in a browser that is known for them: %v", name, err)
		}
	}
}

func TestSignIn_KnownCookieOfAnotherConsoleIsNone(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	other := newConsole(t, true)
	keys, err := auth.DeriveKeys(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	other.keys = keys
	other.restart(true)
	res, err := other.signIn(t, "li", password, "192.0.2.1", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		_, _ = c.signIn(t, "li", "wrong", "198.51.100.1", "")
	}
	_, err = c.signIn(t, "li", password, "192.0.2.1", res.Known)
	wantWait(t, err, time.Second, false)
}

// Failures, from however many addresses, do not stop anybody else: not from another
// address, not from the same one.
func TestSignIn_FailuresOfStrangersStopNoOtherAccount(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]func(i int) string{
		"one address":     func(int) string { return "192.0.2.1" },
		"three addresses": func(i int) string { return fmt.Sprintf("192.0.2.%d", i%3+1) },
		"an address each": func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250) },
		"IPv6":            func(i int) string { return fmt.Sprintf("2001:db8::%x", i) },
	} {
		c := newConsole(t, true)
		for i := range 150 {
			_, err := c.signIn(t, fmt.Sprint("nobody", i), "x", from(i), "")
			var w *auth.WaitError
			if err == nil || !errors.Is(err, auth.ErrCredentials) && !errors.As(err, &w) {
				t.Fatalf("%s: failure %d: %v", name, i, err)
			}
			_, _ = c.signIn(t, "wang", "x", from(i), "")
		}
		for _, ip := range []string{"198.51.100.1", from(0), from(149)} {
			if _, err := c.signIn(t, "li", password, ip, ""); err != nil {
				t.Errorf("%s: li from %s: %v", name, ip, err)
			}
		}
		if _, err := c.signIn(t, "wang", password, "198.51.100.1", ""); err == nil {
			t.Errorf("%s: the account that was guessed at is open", name)
		}
		// A flood does not fill the record, and the record says so.
		failures := 0
		for _, e := range c.store.audit(t) {
			if e.Action == auth.ActionSignInFailed {
				failures++
			}
		}
		if failures != 60 {
			t.Errorf("%s: %d failures on record within a minute, want 60", name, failures)
		}
		c.forward(time.Minute)
		_, _ = c.signIn(t, "nobody", "x", "198.51.100.2", "")
		if d := detailOf(t, c.store.last(t)); d["omitted_failures"] == nil {
			t.Errorf("%s: the next failure does not say how many are not on record: %v", name, d)
		}
	}
}

// Beyond its failures an address is answered with a wait; that of a company, from where
// many sign in, may have some more.
func TestSignIn_AsksAnAddressThatFailsForPatience(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	for i := range 20 {
		if _, err := c.signIn(t, fmt.Sprint("nobody", i), "x", "192.0.2.1", ""); err != auth.ErrCredentials {
			t.Fatalf("failure %d: %v", i, err)
		}
	}
	_, err := c.signIn(t, "somebody", "x", "192.0.2.1", "")
	wantWait(t, err, time.Minute, false)
	newBrowser(c).signIn(t, "li", password) // from 192.0.2.9
	c.restart(true)                         // who signed in from where is read again
	for i := range 21 {
		if _, err := c.signIn(t, fmt.Sprint("anybody", i), "x", "192.0.2.9", ""); err != auth.ErrCredentials {
			t.Fatalf("failure %d at the company: %v", i, err)
		}
	}
	_, err = c.signIn(t, "everybody", "x", "192.0.2.9", "")
	wantWait(t, err, time.Minute, false)
	c.forward(time.Minute)
	if _, err := c.signIn(t, "somebody", "x", "192.0.2.1", ""); err != auth.ErrCredentials {
		t.Errorf("after a minute: %v", err)
	}
}

// Names are one in whatever writing, whether somebody has them or not: the same number of
// tries is judged, and nothing else tells them apart.
func TestSignIn_CountsANameInAnyWritingWhetherItExistsOrNot(t *testing.T) {
	t.Parallel()
	c := newConsole(t, true)
	phc := auth.CheapHash(t, password)
	for _, name := range []string{"zhang.wei", "strasse", "张伟"} {
		c.store.add(t, sqlite.UserSpec{Username: name, Name: name, Role: correction.Agent, PasswordHash: phc})
	}
	writings := func(name, upper string) []string {
		wide := strings.Map(func(r rune) rune {
			if r > ' ' && r < 0x7f {
				return r + 0xfee0
			}
			return r
		}, name)
		return []string{name, upper, wide, " " + name, name + "\u3000\t", "\u200b" + upper + "\ufeff", "\u202a" + wide}
	}
	for _, pair := range [][2][]string{
		{writings("zhang.wei", "ZHANG.Wei"), writings("nobody.is", "NOBODY.Is")},
		{writings("strasse", "STRAßE"), writings("gasse", "GAßE")},
		{writings("张伟", "张伟"), writings("赵六", "赵六")},
	} {
		var got [2][]string
		for i, names := range pair {
			for n, name := range append(names, names...) {
				_, err := c.signIn(t, name, "wrong", fmt.Sprintf("10.%d.0.%d", i, n), "")
				got[i] = append(got[i], fmt.Sprint(err))
			}
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%q\n%s\n%q\n%s", pair[0], got[0], pair[1], got[1])
		}
		if got[0][4] == auth.ErrCredentials.Error() {
			t.Errorf("%q: the fifth failure in another writing is judged", pair[0])
		}
		c.forward(time.Hour)
		for _, name := range pair[0] {
			if _, err := c.signIn(t, name, password, "192.0.2.9", ""); err != nil {
				t.Errorf("%q with the right password: %v", name, err)
			}
		}
	}
}

func TestNormalUsername_IsOneForm(t *testing.T) {
	t.Parallel()
	for r := rune(1); r <= 0x1ffff; r++ {
		if r == 0x3400 { // ideographs and syllables, which have neither case nor width
			r = 0xd800
		}
		for _, typed := range []string{string(r), "a" + string(r)} {
			name, err := auth.NormalUsername(typed)
			if err != nil {
				continue
			}
			if again, err := auth.NormalUsername(name); again != name || err != nil {
				t.Fatalf("%U: %q becomes %q, and that %q, %v", r, typed, name, again, err)
			}
			for _, other := range []string{strings.ToUpper(typed), strings.ToLower(typed), strings.ToTitle(typed), " " + typed + " "} {
				if same, err := auth.NormalUsername(other); err == nil && same != name && folds(typed, other) {
					t.Errorf("%q is %q, but %q is %q", typed, name, other, same)
				}
			}
		}
	}
	for typed, want := range map[string]string{
		" Lin\n": "lin", "ＬＩＮ": "lin", "STRAẞE": "strasse", "ΣΟΦΟΣ": "σοφοσ", "σοφος": "σοφοσ", "\ufeff李静": "李静", "l\u200bin": "", "a b": "", "": "", "\u3000": "", "a\x00": "",
		strings.Repeat("长", 64): strings.Repeat("长", 64), strings.Repeat("长", 65): "",
	} {
		if got, err := auth.NormalUsername(typed); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", typed, got, err, want)
		}
	}
}

// folds reports whether two texts differ in case alone. Some letters have an upper case
// that is another letter's.
func folds(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

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
