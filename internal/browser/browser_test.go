package browser_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"correction-console/internal/browser"
)

func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }

// policy is the console's content security policy.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// document is a page without faults around a body.
func document(body string) string {
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sample</title>` +
		`<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>Sample</h1>` + body + `</main></body></html>`
}

// site serves fixed pages under the console's policy.
func site(t *testing.T, pages map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Cache-Control", "no-store")
		body, ok := pages[r.URL.Path]
		switch {
		case r.URL.Path == "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
			return
		case !ok:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusNotFound)
			body = document("<p>no such page</p>")
		case strings.HasSuffix(r.URL.Path, ".js"):
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		}
		body = strings.ReplaceAll(body, "{language}", r.Header.Get("Accept-Language"))
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAxe_FindsWhatBreaksARule(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	url := site(t, map[string]string{
		"/bad":  document(`<input name="a"><img src="data:,">`),
		"/good": document(`<label for="a">A</label><input id="a" name="a">`),
	})
	tab := b.Open(browser.Desktop)
	tab.Goto(url + "/bad")
	var ids []string
	for _, v := range tab.Axe() {
		ids = append(ids, v.ID)
		if len(v.Nodes) == 0 || v.Nodes[0].HTML == "" || !strings.Contains(v.String(), v.Help) {
			t.Errorf("violation without a place: %+v", v)
		}
	}
	slices.Sort(ids)
	if want := []string{"image-alt", "label"}; !slices.Equal(ids, want) {
		t.Errorf("violations %v, want %v", ids, want)
	}
	tab.Problems() // the policy refuses the data: image
	tab.Goto(url + "/good")
	if v := tab.Axe(); len(v) != 0 {
		t.Errorf("violations on a clean page: %v", v)
	}
	tab.NoViolations()
}

func TestTab_CollectsWhatAPageMustNotHave(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	url := site(t, map[string]string{
		"/style":     document(`<p style="color:red">inline</p>`),
		"/handler":   document(`<p onclick="0">inline</p>`),
		"/sink":      document(`<p id="x"></p><script type="module" src="/sink.js"></script>`),
		"/sink.js":   `document.getElementById("x").innerHTML = "<b>x</b>";`,
		"/throw":     document(`<script type="module" src="/throw.js"></script>`),
		"/throw.js":  `throw new Error("broken");`,
		"/error":     document(`<script type="module" src="/error.js"></script>`),
		"/error.js":  `console.error("said");`,
		"/missing":   document(`<script type="module" src="/nowhere.js"></script>`),
		"/clean":     document(`<script type="module" src="/clean.js"></script>`),
		"/clean.js":  `console.log("fine");`,
		"/asks":      document(`<script type="module" src="/asks.js"></script>`),
		"/asks.js":   `fetch("/not-found").then(() => document.body.setAttribute("data-asked", ""));`,
		"/elsewhere": document(`<script src="https://example.org/x.js"></script>`),
	})
	for path, want := range map[string]string{
		"/style": "style", "/handler": "script", "/sink": "TrustedHTML", "/throw": "broken", "/error": "said",
		"/missing": "nowhere.js", "/elsewhere": "example.org", "/clean": "", "/asks": "", "/absent": "",
	} {
		tab := b.Open(browser.Desktop)
		status := tab.Goto(url + path)
		if (status == 404) != (path == "/absent") {
			t.Errorf("%s: status %d", path, status)
		}
		if path == "/asks" {
			tab.Wait("document.body.hasAttribute('data-asked')")
		}
		got := strings.Join(tab.Problems(), "\n")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: problems %q, want %q in them", path, got, want)
		}
		if again := tab.Problems(); len(again) != 0 {
			t.Errorf("%s: reported twice: %v", path, again)
		}
	}
}

func TestOpen_ShowsPagesAsTheViewSays(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	url := site(t, map[string]string{
		"/": document(`<p id="lang">{language}</p><p id="js">off</p><noscript><p id="no">no script</p></noscript><script type="module" src="/js.js"></script>`),
		"/js.js": `document.getElementById("js").textContent = ["on", innerWidth, innerHeight, navigator.maxTouchPoints > 0,
			matchMedia("(prefers-color-scheme: dark)").matches, matchMedia("(pointer: coarse)").matches].join(" ");`,
	})
	dark := browser.Phone
	dark.Dark, dark.Language = true, "zh-CN"
	off := browser.Desktop
	off.NoScript, off.Language = true, "en"
	for _, c := range []struct {
		view     browser.View
		js, lang string
	}{
		{browser.Desktop, "on 1366 768 false false false", ""},
		{dark, "on 390 844 true true true", "zh-CN"},
		{off, "off", "en"},
	} {
		tab := b.Open(c.view)
		if status := tab.Goto(url + "/"); status != 200 {
			t.Errorf("%+v: status %d", c.view, status)
		}
		if got := tab.Text("#js"); got != c.js {
			t.Errorf("%+v: page says %q, want %q", c.view, got, c.js)
		}
		if got := tab.Text("#lang"); !strings.HasPrefix(got, c.lang) {
			t.Errorf("%+v: Accept-Language %q, want %q", c.view, got, c.lang)
		}
		if got := tab.Has("#no"); got != c.view.NoScript {
			t.Errorf("%+v: noscript content: %v", c.view, got)
		}
		tab.NoViolations()
		if tab.ScrollsSideways() {
			t.Errorf("%+v: scrolls sideways", c.view)
		}
	}
}

func TestOpen_GivesEachTestItsOwnCookies(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("seen")
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, document(fmt.Sprintf(`<p id="seen">%v</p>`, err == nil)))
	}))
	t.Cleanup(s.Close)
	one, other := browser.Start(t), browser.Start(t)
	for i, c := range []struct {
		b    *browser.Browser
		want string
	}{{one, "false"}, {one, "true"}, {other, "false"}} {
		tab := c.b.Open(browser.Desktop)
		tab.Goto(s.URL)
		tab.Problems()
		if got := tab.Text("#seen"); got != c.want {
			t.Errorf("%d: cookie seen %s, want %s", i, got, c.want)
		}
	}
}

func TestTab_WorksAFormWithoutScript(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
		fmt.Fprint(w, document(fmt.Sprintf(`<p id="got">%s</p><form method="post" action="/"><label for="a">A</label><input id="a" name="a" value="old"><button>Go</button></form>`, r.PostFormValue("a"))))
	}))
	t.Cleanup(s.Close)
	view := browser.Desktop
	view.NoScript = true
	tab := browser.Start(t).Open(view)
	tab.Goto(s.URL)
	tab.Fill("#a", "新的 one")
	if got := tab.Field("#a"); got != "新的 one" {
		t.Errorf("field %q", got)
	}
	if status := tab.Follow("button"); status != 422 {
		t.Errorf("status %d", status)
	}
	if got := tab.Text("#got"); got != "新的 one" {
		t.Errorf("server got %q", got)
	}
	tab.Focus("#a")
	if status := tab.PressAndFollow("Enter"); status != 422 {
		t.Errorf("status %d", status)
	}
	if got := tab.Text("#got"); got != "old" {
		t.Errorf("server got %q", got)
	}
	if got := tab.Title(); got != "Sample" {
		t.Errorf("title %q", got)
	}
	tab.Problems() // the small server has no icon
}
