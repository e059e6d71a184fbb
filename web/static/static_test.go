package static_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"correction-console/web/static"
)

func ask(method, path, encoding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	static.Handler.ServeHTTP(w, r)
	return w
}

func TestPath_HoldsAHashOfTheTree(t *testing.T) {
	t.Parallel()
	if got := static.Path("js/keys.js"); !regexp.MustCompile(`^/static/[0-9a-f]{12}/js/keys\.js$`).MatchString(got) {
		t.Errorf("Path = %q", got)
	}
}

func TestHandler_ServesEveryFileForGood(t *testing.T) {
	t.Parallel()
	names := map[string]string{static.Sheet: "text/css; charset=utf-8"}
	for pattern, contentType := range map[string]string{"js/*.js": "text/javascript; charset=utf-8", "img/*.svg": "image/svg+xml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			names[filepath.ToSlash(f)] = contentType
		}
	}
	for name, contentType := range names {
		plain, zipped := ask(http.MethodGet, static.Path(name), ""), ask(http.MethodGet, static.Path(name), "br, gzip;q=0.8")
		for _, w := range []*httptest.ResponseRecorder{plain, zipped} {
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType ||
				w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: %d %v", name, w.Code, w.Header())
			}
		}
		if zipped.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not compressed", name)
			continue
		}
		z, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(content, plain.Body.Bytes()) {
			t.Errorf("%s differs when compressed", name)
		}
	}
}

func TestHandler_SheetIsEveryFileInTheOrderOfTheirNames(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("css/*.css")
	if err != nil || len(names) == 0 {
		t.Fatalf("no style sheets: %v", err)
	}
	rest, ok := strings.CutPrefix(ask(http.MethodGet, static.Path(static.Sheet), "").Body.String(), "@layer reset, tokens, base, layout, components, utilities, print;\n")
	if !ok {
		t.Error("the sheet does not begin with the order of the layers")
	}
	at := map[string]int{}
	sum := 0
	for _, name := range names {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		at[name] = strings.Index(rest, string(part))
		if at[name] < 0 {
			t.Errorf("the sheet lacks %s", name)
		}
		sum += len(part)
		if static.Has(filepath.ToSlash(name)) {
			t.Errorf("%s is served by itself", name)
		}
	}
	if sum != len(rest) {
		t.Errorf("the sheet has %d bytes, its files have %d", len(rest), sum)
	}
	for _, order := range [][2]string{{"base", "topbar"}, {"table", "table-dense"}, {"table-dense", "table-narrow"}, {"table-narrow", "tabs"}} {
		if at[filepath.Join("css", order[0]+".css")] >= at[filepath.Join("css", order[1]+".css")] {
			t.Errorf("%s does not precede %s", order[0], order[1])
		}
	}
}

func TestHandler_KeepsNothingElse(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/static/000000000000/js/keys.js", "/static/", static.Path("static.go"), static.Path("css"), static.Path("../static.go"), static.Path("")} {
		if w := ask(http.MethodGet, path, ""); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, Cache-Control %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	if w := ask(http.MethodPost, static.Path(static.Sheet), ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	if w := ask(http.MethodHead, static.Path(static.Sheet), ""); w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d with %d bytes", w.Code, w.Body.Len())
	}
}

func TestHandler_ObeysARefusalOfGzip(t *testing.T) {
	t.Parallel()
	for encoding, want := range map[string]string{"gzip": "gzip", "deflate, GZIP ; q=1": "gzip", "gzip;q=0": "", "gzip; q=0.000": "", "br": "", "identity": ""} {
		if got := ask(http.MethodGet, static.Path(static.Sheet), encoding).Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: %q, want %q", encoding, got, want)
		}
	}
}

// Everything that a page loads at its first visit.
func TestAssets_StaySmall(t *testing.T) {
	t.Parallel()
	const limit = 30 << 10
	sum := ask(http.MethodGet, static.Path(static.Sheet), "gzip").Body.Len()
	t.Logf("css: %d bytes compressed", sum)
	err := filepath.WalkDir("js", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".js" {
			return err
		}
		n := ask(http.MethodGet, static.Path(filepath.ToSlash(path)), "gzip").Body.Len()
		t.Logf("%s: %d bytes compressed", path, n)
		sum += n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if sum > limit {
		t.Errorf("css and scripts are %d bytes compressed, want at most %d", sum, limit)
	}
}

// The content policy forbids what comes from elsewhere; the layers keep the order.
func TestSheet_LoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	sheet := ask(http.MethodGet, static.Path(static.Sheet), "").Body.String()
	for _, bad := range []string{"url(", "@import", "!important", "http:", "https:"} {
		if strings.Contains(sheet, bad) {
			t.Errorf("the sheet has %s", bad)
		}
	}
	if open, shut := strings.Count(sheet, "{"), strings.Count(sheet, "}"); open != shut {
		t.Errorf("%d { and %d }", open, shut)
	}
}
