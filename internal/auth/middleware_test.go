package auth_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"correction-console/internal/auth"
)

// The whole matrix: a request is let in when its method is safe; or when
// Sec-Fetch-Site says same-origin or none, whatever Origin is; or when there is no
// Sec-Fetch-Site and Origin is the console's own.
func TestCrossOrigin_Matrix(t *testing.T) {
	t.Parallel()
	mw, err := auth.CrossOrigin("https://console.example")
	if err != nil {
		t.Fatal(err)
	}
	sites := map[string]bool{ // alone enough to be let in
		"": false, "none": true, "same-origin": true, "same-site": false, "cross-site": false, "garbage": false, "Same-Origin": false,
	}
	origins := map[string]bool{ // without Sec-Fetch-Site enough to be let in
		"": false, "https://console.example": true, "https://evil.example": false, "null": false,
		"http://console.example": false, "https://console.example.evil.example": false, "https://console.example:8443": false, "garbage": false,
	}
	methods := map[string]bool{
		"GET": true, "HEAD": true, "OPTIONS": true,
		"POST": false, "PUT": false, "PATCH": false, "DELETE": false, "TRACE": false, "CONNECT": false, "post": false, "WHATEVER": false,
	}
	n := 0
	for site, ownSite := range sites {
		for origin, ownOrigin := range origins {
			for method, safe := range methods {
				r := httptest.NewRequest(method, "https://console.example/", nil)
				if site != "" {
					r.Header.Set("Sec-Fetch-Site", site)
				}
				if origin != "" {
					r.Header.Set("Origin", origin)
				}
				n++
				if want, got := safe || ownSite || site == "" && ownOrigin, passes(t, mw, r); got != want {
					t.Errorf("%s, Sec-Fetch-Site %q, Origin %q: let in %v, want %v", method, site, origin, got, want)
				}
			}
		}
	}
	if n != 7*8*11 {
		t.Errorf("%d cases", n)
	}
}

// passes runs a request through the middleware and checks that a refusal is
// ErrCrossSite and writes nothing.
func passes(t *testing.T, mw echo.MiddlewareFunc, r *http.Request) bool {
	t.Helper()
	w := httptest.NewRecorder()
	in := false
	ctx := echo.New().NewContext(r, w)
	err := mw(func(echo.Context) error { in = true; return nil })(ctx)
	if in == (err != nil) || err != nil && !errors.Is(err, auth.ErrCrossSite) || ctx.Response().Committed {
		t.Errorf("%s: let in %v, error %v, written %v", r.Method, in, err, ctx.Response().Committed)
	}
	return in
}

func TestCrossOrigin_RefusesRepeatedHeadersAndNoHost(t *testing.T) {
	t.Parallel()
	mw, err := auth.CrossOrigin()
	if err != nil {
		t.Fatal(err)
	}
	post := func(change func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/", nil)
		change(r)
		return r
	}
	for name, tc := range map[string]struct {
		r    *http.Request
		want bool
	}{
		"two Sec-Fetch-Site": {post(func(r *http.Request) { r.Header["Sec-Fetch-Site"] = []string{"same-origin", "cross-site"} }), false},
		"two Origin":         {post(func(r *http.Request) { r.Header["Origin"] = []string{"http://127.0.0.1:8080", "null"} }), false},
		"null and no Host":   {post(func(r *http.Request) { r.Header.Set("Origin", "null"); r.Host = "" }), false},
		"loopback":           {post(func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:8080") }), true},
		"another port":       {post(func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:8081") }), false},
		"plain to TLS": {post(func(r *http.Request) {
			r.Header.Set("Origin", "http://127.0.0.1:8080")
			r.TLS = &tls.ConnectionState{}
		}), false},
	} {
		if got := passes(t, mw, tc.r); got != tc.want {
			t.Errorf("%s: let in %v, want %v", name, got, tc.want)
		}
	}
	behind, err := auth.CrossOrigin("https://console.example")
	if err != nil {
		t.Fatal(err)
	}
	if !passes(t, behind, post(func(r *http.Request) { r.Header.Set("Origin", "https://console.example") })) {
		t.Error("a proxy that rewrites Host makes the console foreign to itself")
	}
	downgraded := post(func(r *http.Request) { // behind a proxy that ends TLS
		r.Host = "console.example"
		r.Header.Set("Origin", "http://console.example")
	})
	if passes(t, behind, downgraded) {
		t.Error("a page over plain http passes for the console over https")
	}
	if _, err := auth.CrossOrigin("console.example/path"); err == nil {
		t.Error("something that is no origin was trusted")
	}
}

// Over a real TLS connection, where the server sets what the rule looks at.
func TestCrossOrigin_PageOverPlainHTTPIsNotTheConsoleOverTLS(t *testing.T) {
	t.Parallel()
	mw, err := auth.CrossOrigin()
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if !errors.Is(err, auth.ErrCrossSite) {
			t.Error(err)
		}
		c.Response().WriteHeader(http.StatusForbidden)
	}
	e.POST("/", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }, mw)
	plain, secure := httptest.NewServer(e), httptest.NewTLSServer(e)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	for _, tc := range []struct {
		to     *httptest.Server
		origin string
		want   int
	}{
		{secure, secure.URL, http.StatusNoContent},
		{secure, strings.Replace(secure.URL, "https:", "http:", 1), http.StatusForbidden},
		{plain, plain.URL, http.StatusNoContent},
		{plain, secure.URL, http.StatusForbidden},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tc.to.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", tc.origin)
		res, err := tc.to.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tc.want {
			t.Errorf("from %s to %s: %d, want %d", tc.origin, tc.to.URL, res.StatusCode, tc.want)
		}
	}
}

func BenchmarkIdentify(b *testing.B) {
	c := newConsole(b, true)
	br := newBrowser(c)
	br.signIn(b, "li", password)
	handle := c.sessions.Identify(func(echo.Context) error { return nil })
	e := echo.New()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(br.cookie())
	b.ReportAllocs()
	for b.Loop() {
		if err := handle(e.NewContext(r.WithContext(b.Context()), nil)); err != nil {
			b.Fatal(err)
		}
	}
}
