package handlers_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// desk is a browser at an address of the loopback range.
func desk(t *testing.T, address string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: from.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// login posts the sign-in form.
func login(ctx context.Context, b *http.Client, a *apptest.App, name, password string) (status int, retry time.Duration, body string, err error) {
	form := url.Values{"username": {name}, "password": {password}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := b.Do(r)
	if err != nil {
		return 0, 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if after := res.Header.Get("Retry-After"); after != "" {
		seconds, bad := strconv.Atoi(after)
		if bad != nil || seconds < 1 {
			return 0, 0, "", fmt.Errorf("Retry-After: %q", after)
		}
		retry = time.Duration(seconds) * time.Second
	}
	return res.StatusCode, retry, string(text), err
}

// slowness is how much longer than on two idle cores passwords take to check here and now,
// at least 1.
func slowness(t *testing.T) float64 {
	t.Helper()
	const idle = 157 * time.Millisecond // of one hash, two at a time
	h := auth.NewHasher()
	phc, err := h.Hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := h.Verify(t.Context(), phc, "x"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return max(1, (time.Since(start)/4).Seconds()/idle.Seconds())
}

func addPeople(t *testing.T, a *apptest.App, n int) []string {
	t.Helper()
	phc, err := auth.NewHasher().Hash(t.Context(), apptest.Password)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint("shift", i))
		if err := a.Store.AddUser(t.Context(), sqlite.UserSpec{Username: names[i], Name: names[i], Role: correction.Agent, All: true, PasswordHash: phc}); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// The start of a shift: everybody signs in at once, from one address, in browsers that
// are not known, with passwords that cost what they cost. Who is refused comes back when
// told to. The times are those of two idle cores.
func TestSignIn_AShiftStarts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	for _, tc := range []struct {
		browsers int
		within   time.Duration
	}{{100, 20 * time.Second}, {200, 45 * time.Second}} {
		t.Run(strconv.Itoa(tc.browsers), func(t *testing.T) {
			a := apptest.Start(t, apptest.Options{})
			people := addPeople(t, a, 50)
			slow := slowness(t)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			var refused atomic.Int32
			var longest atomic.Int64
			var all sync.WaitGroup
			start := time.Now()
			for i := range tc.browsers {
				b := desk(t, "127.0.0.1")
				all.Go(func() {
					for {
						asked := time.Now()
						status, retry, body, err := login(ctx, b, a, people[i%len(people)], apptest.Password)
						if took := int64(time.Since(asked)); took > longest.Load() {
							longest.Store(took)
						}
						switch {
						case err != nil:
							t.Errorf("browser %d: %v", i, err)
							return
						case status == http.StatusSeeOther:
							return
						case status != http.StatusServiceUnavailable || retry == 0 || !strings.Contains(body, `value="`+people[i%len(people)]+`"`):
							t.Errorf("browser %d: %d, come back in %s\n%s", i, status, retry, body)
							return
						}
						refused.Add(1)
						select {
						case <-time.After(retry): // as the browser was told
						case <-ctx.Done():
							t.Errorf("browser %d is not in", i)
							return
						}
					}
				})
			}
			all.Wait()
			took := time.Since(start)
			slow = max(slow, slowness(t))
			bound := time.Duration(float64(tc.within) * slow)
			t.Logf("%d browsers in after %s (bound %s, slowness %.1f), %d told to come back, the longest answer %s", tc.browsers, took, bound, slow, refused.Load(), time.Duration(longest.Load()))
			if took > bound {
				t.Errorf("they were in after %s, want %s", took, bound)
			}
		})
	}
}

// While strangers guess without end, from several addresses and from this one, whoever
// has the right password is let in, in a new browser and in one that is known, and with
// one answer.
func TestSignIn_StrangersWhoGuessStopNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	a := apptest.Start(t, apptest.Options{})
	people := addPeople(t, a, 6)
	known := desk(t, "127.0.0.9")
	if status, _, _, err := login(t.Context(), known, a, people[0], apptest.Password); status != http.StatusSeeOther {
		t.Fatal(status, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var failures atomic.Int32
	plenty := make(chan struct{})
	for i := range 24 {
		b := desk(t, fmt.Sprintf("127.0.0.%d", 2+i%3))
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				status, _, _, err := login(ctx, b, a, fmt.Sprintf("nobody%d-%d", i, n), "wrong password")
				if err == nil && (status == http.StatusUnprocessableEntity || status == http.StatusTooManyRequests) && failures.Add(1) == 70 {
					close(plenty)
				}
			}
		})
	}
	<-plenty // past the limit of each address and the one in all
	for _, tc := range []struct {
		b    *http.Client
		name string
	}{{desk(t, "127.0.0.1"), people[1]}, {known, people[0]}, {known, people[2]}, {desk(t, "127.0.0.1"), people[3]}, {desk(t, "127.0.0.77"), people[4]}} {
		status, retry, _, err := login(t.Context(), tc.b, a, tc.name, apptest.Password)
		if err != nil || status != http.StatusSeeOther {
			t.Errorf("%s: %d, come back in %s, %v", tc.name, status, retry, err)
		}
	}
	// Beside the strangers, too, once they come one after the other.
	cancel()
	all.Wait()
	if status, _, _, err := login(t.Context(), desk(t, "127.0.0.2"), a, people[5], apptest.Password); status != http.StatusSeeOther {
		t.Errorf("from the strangers' address: %d, %v", status, err)
	}
	if status, retry, _, err := login(t.Context(), desk(t, "127.0.0.2"), a, "nobody", "wrong"); status != http.StatusTooManyRequests || retry == 0 {
		t.Errorf("a failure from there: %d, come back in %s, %v", status, retry, err)
	}
}

// Who is asked for patience is told for how long, in the header and on the page, in both
// languages, and keeps the name that was typed.
func TestSignIn_SaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	b := desk(t, "127.0.0.1")
	for range 4 {
		if status, retry, _, err := login(t.Context(), b, a, "lin", "wrong"); status != http.StatusUnprocessableEntity || retry != 0 {
			t.Fatal(status, retry, err)
		}
	}
	c := a.Client()
	for lang, want := range map[string]string{"zh": "请 1 秒后再试", "en": "Try again in 1 second."} {
		res := c.Do(http.MethodPost, "/login", url.Values{"username": {" LIN "}, "password": {apptest.Password}},
			http.Header{"Sec-Fetch-Site": {"same-origin"}, "Accept-Language": {lang}})
		if res.Status == http.StatusSeeOther { // a second has passed
			continue
		}
		if res.Status != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "1" || !strings.Contains(res.Body, want) || !strings.Contains(res.Body, `value=" LIN "`) {
			t.Errorf("%s: %d %v\n%s", lang, res.Status, res.Header, res.Body)
		}
	}
}

// Cookies know no ports: two consoles on one host share the browser's, and must leave
// each other's alone.
func TestCookies_TwoConsolesOnOneHost(t *testing.T) {
	t.Parallel()
	one, two := apptest.Start(t, apptest.Options{}), apptest.Start(t, apptest.Options{})
	first, second := one.Client(), two.Client()
	second.HTTP.Jar = first.HTTP.Jar
	inBoth := func(when string, wantOne, wantTwo bool) {
		t.Helper()
		for _, c := range []struct {
			name   string
			client *apptest.Client
			want   bool
		}{{"the first", first, wantOne}, {"the second", second, wantTwo}} {
			if in := c.client.Get("/").Status == http.StatusOK; in != c.want {
				t.Errorf("%s: signed in to %s: %v", when, c.name, in)
			}
		}
	}
	signIn(t, first, "lin")
	inBoth("after the first sign-in", true, false)
	signIn(t, second, "zhou")
	inBoth("after the second sign-in", true, true)
	// Preferences and messages are of one console, too.
	first.Post("/account/preferences", url.Values{"lang": {"en"}, "next": {"/account"}})
	if page := second.Get("/account"); strings.Contains(page.Body, "Saved.") || strings.Contains(page.Body, "已保存。") {
		t.Error("the second console says that something was saved in it")
	}
	if page := first.Get("/account"); !strings.Contains(page.Body, "Saved.") {
		t.Error("the first console does not say that it was saved")
	}
	second.Post("/logout", url.Values{})
	inBoth("after signing out of the second", true, false)
	if page := second.Get("/login"); !strings.Contains(page.Body, `lang="zh-CN"`) {
		t.Error("the language of the first is that of the second")
	}
	signIn(t, second, "zhou")
	first.Post("/logout", url.Values{})
	inBoth("after signing out of the first", false, true)
	// The known cookie, too: a stranger's failures at either do not shut out either.
	signIn(t, first, "lin")
	for _, a := range []*apptest.App{one, two} {
		for _, name := range []string{"lin", "zhou"} {
			for range 4 {
				a.Client().Post("/login", url.Values{"username": {name}, "password": {"wrong"}})
			}
		}
	}
	signIn(t, first, "lin")
	signIn(t, second, "zhou")
	u, err := url.Parse(one.URL)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, c := range first.HTTP.Jar.Cookies(u) {
		name, _, ok := strings.Cut(c.Name, "-")
		if !ok {
			t.Errorf("the cookie %s is of every console", c.Name)
		}
		names[name]++
	}
	if names["console"] != 2 || names["known"] != 2 {
		t.Errorf("cookies %v", names)
	}
}

// An installation keeps its cookies over a start, and every cookie that any handler sets
// carries its name.
func TestCookies_StayOverAStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	before := apptest.Start(t, apptest.Options{Data: data})
	c := before.SignIn("lin")
	var names []string
	u, _ := url.Parse(before.URL)
	for _, k := range c.HTTP.Jar.Cookies(u) {
		names = append(names, k.Name)
	}
	key, err := os.ReadFile(data + "/session.key")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.DeriveKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if want := []string{"console-" + keys.Installation, "known-" + keys.Installation}; !slices.Equal(names, want) {
		t.Errorf("cookies %v, want %v", names, want)
	}
}
