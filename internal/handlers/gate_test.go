package handlers_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/handlers"
)

// A sign-in that carries no kept form needs a few KiB; one that does may have as much as
// a form.
func TestSignIn_BodyIsSmallWithoutAKeptForm(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	long := strings.Repeat("x", 64<<10)
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"password":             {"username=lin&password=" + long, 413},
		"name":                 {"username=" + long + "&password=x", 413},
		"an empty form":        {"kept=&username=lin&password=" + long, 413},
		"a field like it":      {"notkept=1&username=lin&password=" + long, 413},
		"the form at the end":  {"username=lin&password=" + long + "&kept=x", 413},
		"the longest ordinary": {"next=" + strings.Repeat("%2F", 2048) + "&username=" + strings.Repeat("%F0%90%80%80", 64) + "&password=" + strings.Repeat("%F0%90%80%80", 128), 422},
		"a kept form":          {"kept=" + strings.Repeat("note%3Dx", 8<<10) + "&username=lin&password=wrong", 422},
		"too much of a form":   {"kept=" + strings.Repeat("x", 257<<10), 413},
	} {
		req, err := http.NewRequest(http.MethodPost, a.URL+"/login", io.MultiReader(strings.NewReader(c.body))) // of a length that is not told
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.want)
		}
	}
}

// secure serves the console over TLS, with HTTP/1.1 or HTTP/2.
func secure(t *testing.T, a *apptest.App, h http.Handler, two bool) (string, *http.Client) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = handlers.NewHTTPServer(h, a.Web.Log, time.Minute)
	srv.EnableHTTP2 = two
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.Timeout = time.Minute
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if !two {
		client.Transport.(*http.Transport).TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return srv.URL, client
}

// silent is a body that ends in silence.
type silent struct {
	io.Reader
	until context.Context
}

func (s silent) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		<-s.until.Done()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func post(t *testing.T, client *http.Client, address, cookie string, body io.Reader) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// cookieOf is the session of somebody who has signed in.
func cookieOf(t *testing.T, a *apptest.App, c *apptest.Client) string {
	t.Helper()
	at, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, ck := range c.HTTP.Jar.Cookies(at) {
		if strings.HasPrefix(ck.Name, "console-") {
			return ck.String()
		}
	}
	t.Fatal("no session")
	return ""
}

// A body that does not arrive is cut off in time, over HTTP/1.1 and HTTP/2, with and
// without a session; what it was for is told, and nothing is kept waiting.
func TestBody_ThatDoesNotArriveIsCutOff(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := cookieOf(t, a, a.As("lin"))
	for name, c := range map[string]struct {
		path, cookie string
		within       time.Duration
	}{
		"stranger": {"/login", "", 12 * time.Second},
		"session":  {"/corrections/preview", lin, 25 * time.Second},
	} {
		for _, two := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " over HTTP/2", false: " over HTTP/1.1"}[two], func(t *testing.T) {
				t.Parallel()
				address, client := secure(t, a, a.Handler, two)
				began := time.Now()
				res := post(t, client, address+c.path, c.cookie, silent{strings.NewReader("username=lin"), t.Context()})
				if took := time.Since(began); res.StatusCode != http.StatusRequestTimeout || took > c.within || (res.ProtoMajor == 2) != two {
					t.Errorf("%d over %s after %s", res.StatusCode, res.Proto, took)
				}
			})
		}
	}
}

// What strangers hold is theirs alone: with all of it taken, who is signed in works on,
// machines are answered, small sign-ins go through while there are places, and who is
// refused is told when to come again.
func TestGate_StrangersTakeFromEachOtherOnly(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	client := a.As("lin")
	lin := cookieOf(t, a, client)
	wu := a.As("wu")
	old := cookieOf(t, a, wu)
	wu.Post("/logout", url.Values{})
	big := "kept=" + strings.Repeat("note%3Dx", 8<<10) + "&kept_path=%2Forders&username=lin&password=wrong"

	full, err := handlers.NewFull(a.Web, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	noBytes, err := handlers.NewFull(a.Web, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, two := range []bool{false, true} {
		at, c := secure(t, a, full, two)
		get := func(path, cookie string) *http.Response {
			t.Helper()
			req, err := http.NewRequest(http.MethodGet, at+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if cookie != "" {
				req.Header.Set("Cookie", cookie)
			}
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { res.Body.Close() })
			return res
		}
		for _, x := range []struct {
			path, cookie string
			want         int
		}{
			{"/login", "", 503}, {"/static/x", "", 503}, {"/nothing", "", 503}, {"/", "console=forged", 503},
			{"/", old, 503}, {"/nothing", old, 503}, // a cookie of a session that has ended opens no place
			{"/", lin, 200}, {"/corrections", lin, 200}, {"/nothing", lin, 404}, {"/healthz", "", 200}, {"/readyz", "", 200},
		} {
			res := get(x.path, x.cookie)
			if res.StatusCode != x.want || (x.want == 503) != (res.Header.Get("Retry-After") == "5") {
				t.Errorf("all places taken, HTTP/2 %v: %s with %q: %d", two, x.path, x.cookie, res.StatusCode)
			}
		}
		at, c = secure(t, a, noBytes, two)
		if res := post(t, c, at+"/login", "", strings.NewReader(big)); res.StatusCode != 503 || res.Header.Get("Retry-After") != "5" {
			t.Errorf("no bytes left: %d", res.StatusCode)
		}
		if res := post(t, c, at+"/login", "", strings.NewReader("username=lin&password=wrong")); res.StatusCode != 422 {
			t.Errorf("a small sign-in: %d", res.StatusCode)
		}
		if res := post(t, c, at+"/corrections/preview", lin, strings.NewReader("note="+strings.Repeat("x", 100<<10))); res.StatusCode == 503 || res.StatusCode == 413 {
			t.Errorf("a large form of who is signed in: %d", res.StatusCode)
		}
	}
}

// Strangers hold every place that they have. A browser in which somebody has signed in
// before signs in all the same; a cookie that is not ours opens nothing.
func TestGate_KnownBrowsersHaveAShareOfTheirOwn(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	wu := a.SignIn("wu")
	known := ""
	at, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, ck := range wu.HTTP.Jar.Cookies(at) {
		if strings.HasPrefix(ck.Name, "known-") {
			known = ck.String()
		}
	}
	if known == "" {
		t.Fatal("the browser is not known")
	}
	wu.Post("/logout", url.Values{})
	full, err := handlers.NewFull(a.Web, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, two := range []bool{false, true} {
		address, c := secure(t, a, full, two)
		for cookie, want := range map[string]int{"": 503, known: 303, strings.Replace(known, "=", "=A", 1): 503, known[:len(known)-4] + "AAAA": 503} {
			res := post(t, c, address+"/login", cookie, strings.NewReader("username=wu&password="+strings.ReplaceAll(apptest.Password, " ", "+")))
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("HTTP/2 %t, cookie %.12q: %d, want %d", two, cookie, res.StatusCode, want)
			}
		}
	}
}

// What was taken is given back, whatever becomes of the request.
func TestGate_PlacesAreGivenBack(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	h, err := handlers.NewFull(a.Web, 1, 300<<10)
	if err != nil {
		t.Fatal(err)
	}
	at, c := secure(t, a, h, true)
	for range 20 {
		res := post(t, c, at+"/login", "", strings.NewReader("kept="+strings.Repeat("x", 200<<10)+"&username=lin"))
		res.Body.Close()
		if res.StatusCode != 422 {
			t.Fatalf("%d", res.StatusCode)
		}
		ctx, stop := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/login", io.MultiReader(strings.NewReader("kept=x"), stopping{stop}))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		if res, err := c.Do(req); err == nil {
			res.Body.Close()
		}
		// The place of who went away is free soon, not at once.
		late := time.Now().Add(20 * time.Second)
		for {
			res, err := c.Get(at + "/login")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode == 200 {
				break
			}
			if time.Now().After(late) {
				t.Fatal("the place is never given back")
			}
		}
	}
}

// stopping goes away in the middle of a body.
type stopping struct{ stop func() }

func (s stopping) Read([]byte) (int, error) {
	s.stop()
	return 0, io.ErrUnexpectedEOF
}

// A page is compressed before anything of it is written, and reads the same.
func TestPages_AreCompressedWhole(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	plain := a.Client().Do(http.MethodGet, "/login", nil, http.Header{"Accept-Encoding": {"identity"}})
	small := a.Client().Do(http.MethodGet, "/login", nil, http.Header{"Accept-Encoding": {"gzip"}})
	if small.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" || len(small.Body) >= len(plain.Body) ||
		!strings.Contains(small.Header.Get("Vary"), "Accept-Encoding") || !strings.Contains(plain.Header.Get("Vary"), "Accept-Encoding") {
		t.Errorf("%v %v", small.Header, plain.Header)
	}
	back := a.Client().Get("/login") // the client unpacks it
	if strip(back.Body) != strip(plain.Body) {
		t.Error("what is compressed reads otherwise")
	}
	if head := a.Client().Do(http.MethodHead, "/login", nil, nil); head.Status != 200 || head.Body != "" {
		t.Errorf("HEAD: %d %q", head.Status, head.Body)
	}
}

// strip takes out what differs from page to page.
func strip(page string) string {
	out, _, _ := strings.Cut(page, "<footer")
	return out
}

// A name that is not ours gets a page of its own: it says which is right, in both
// languages, links nowhere else, and repeats nothing of what was asked. The log has both,
// and cannot be filled.
func TestHost_ThatIsNotOursIsToldWhichIsRight(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := apptest.Start(t, apptest.Options{PublicName: "kf.lan", Log: &log})
	const strange = `kf-old.example.com`
	ask := func(host, lang, method string) apptest.Answer {
		t.Helper()
		req, err := http.NewRequest(method, a.URL+"/corrections?x=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("Accept-Language", lang)
		res, err := a.Client().HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return apptest.Answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}
	}
	for lang, want := range map[string]string{"zh-CN": "改价台不在这个地址", "en": "The console is not at this address"} {
		page := ask(strange, lang, http.MethodGet)
		for _, text := range []string{want, a.URL, `href="` + a.URL + `/"`} {
			if !strings.Contains(page.Body, text) {
				t.Errorf("%s: not said: %s\n%s", lang, text, page.Body)
			}
		}
		for _, text := range []string{strange, `href="/login"`, "corrections?x=1"} {
			if strings.Contains(page.Body, text) {
				t.Errorf("%s: said: %s", lang, text)
			}
		}
		if page.Status != http.StatusMisdirectedRequest {
			t.Errorf("%s: %d", lang, page.Status)
		}
	}
	if line := log.String(); !strings.Contains(line, `"host":"`+strange+`"`) || !strings.Contains(line, `"CONSOLE_PUBLIC_URL":"`+a.URL+`"`) {
		t.Errorf("the log has not both:\n%s", line)
	}
	if page := ask(strange, "en", http.MethodPost); page.Status != http.StatusMisdirectedRequest {
		t.Errorf("a post: %d", page.Status)
	}
	for range 300 {
		ask(strings.Repeat("x", 4000)+".example.com", "en", http.MethodGet)
	}
	if n := strings.Count(log.String(), `"CONSOLE_PUBLIC_URL"`); n < 2 || n > 20 {
		t.Errorf("%d lines for 303 requests", n)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE_PUBLIC_URL") && len(line) > 1000 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	// Without a public address nobody knows which is right.
	b := apptest.Start(t, apptest.Options{})
	req, err := http.NewRequest(http.MethodGet, b.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = strange
	res, err := b.Client().HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(string(body), "CONSOLE_PUBLIC_URL") || strings.Contains(string(body), strange) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}
