package handlers_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
	"correction-console/internal/handlers"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}

func concrete(path string) string {
	return strings.NewReplacer(":sub_mchid", bankMerchant, ":out_order_no", bankOrder, ":id", "1", ":row", "1", ":day", "2026-11-23").Replace(path)
}

func TestRoutes_RoleByRouteByMethod(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	clients := map[correction.Role]func() *apptest.Client{"": a.Client}
	signedIn := map[string]*apptest.Client{}
	for _, p := range apptest.People {
		if p.Merchants == nil && signedIn[string(p.Role)] == nil {
			c := a.As(p.Login)
			signedIn[string(p.Role)] = c
			clients[p.Role] = func() *apptest.Client { return c }
		}
	}
	known := map[string][]string{}
	for _, r := range handlers.Rows() {
		if !r.Public && len(r.Roles) == 0 {
			t.Errorf("%s %s has no rule", r.Method, r.Path)
		}
		known[r.Path] = append(known[r.Path], r.Method)
		if r.Method == http.MethodGet && !strings.HasPrefix(r.Path, "/corrections.") { // a HEAD of it would be an export
			known[r.Path] = append(known[r.Path], http.MethodHead)
		}
	}
	tried, in := 0, 0
	for _, r := range handlers.Rows() {
		if r.Path == "/logout" {
			continue // it would end the sessions of the walk
		}
		for role, client := range clients {
			for _, m := range methods {
				tried++
				var form url.Values
				if m != "GET" && m != "HEAD" {
					form = url.Values{}
				}
				c := client()
				res := c.Do(m, concrete(r.Path), form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
				cell := fmt.Sprintf("%q %s %s → %d", role, m, r.Path, res.Status)
				if !slices.Contains(known[r.Path], m) {
					if (r.Path == "/corrections/preview" || r.Path == "/corrections/views") && (m == "GET" || m == "HEAD") {
						continue // read as /corrections/:id
					}
					if res.Status != http.StatusMethodNotAllowed && res.Status != http.StatusNotFound {
						t.Errorf("%s, want 405", cell)
					}
					continue
				}
				rule := r
				for _, other := range handlers.Rows() { // the same path may have a GET and a POST
					if other.Path == r.Path && (other.Method == m || other.Method == "GET" && m == "HEAD") {
						rule = other
					}
				}
				switch {
				case rule.Public:
					if res.Status == http.StatusForbidden {
						t.Errorf("%s: public", cell)
					}
				case role == "":
					toLogin := res.Status == http.StatusSeeOther && strings.HasPrefix(res.Location, "/login")
					if !toLogin && res.Status != http.StatusUnauthorized {
						t.Errorf("%s: let in without a session", cell)
					}
				case slices.Contains(rule.Roles, role):
					in++
					if res.Status == http.StatusForbidden && !strings.Contains(r.Path, ":id") {
						t.Errorf("%s: kept out", cell)
					}
				case res.Status != http.StatusForbidden:
					t.Errorf("%s: let in", cell)
				}
			}
		}
	}
	t.Logf("%d cells tried, %d allowed, 0 let in wrongly", tried, in)
}

func TestRoutes_HeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	paths := []string{"/nowhere", "/orders/x/y", "/corrections/0", "/static/none.css"}
	for _, r := range handlers.Rows() {
		paths = append(paths, concrete(r.Path))
	}
	for _, p := range paths {
		res := lin.Get(p)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", p, name, got)
			}
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", p, csp)
		}
		if cc := res.Header.Get("Cache-Control"); cc != "no-store" {
			t.Errorf("%s: Cache-Control %q", p, cc)
		}
		if res.Header.Get("Server") != "" || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", p, res.Header)
		}
		if strings.Contains(res.Header.Get("Content-Type"), "html") && !strings.Contains(strings.ToLower(res.Header.Get("Content-Type")), "charset=utf-8") {
			t.Errorf("%s: %s", p, res.Header.Get("Content-Type"))
		}
	}
}

func TestRoutes_CrossSitePostsAreRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	tried := 0
	for _, r := range handlers.Rows() {
		if r.Method != http.MethodPost || r.Path == "/logout" {
			continue
		}
		for _, site := range []string{"", "same-site", "cross-site", "garbage"} {
			for _, origin := range []string{"", "https://evil.example", "null", "http://127.0.0.1:1", a.URL} {
				if site == "" && origin == a.URL {
					continue // an older browser on our own page
				}
				h := http.Header{}
				if site != "" {
					h.Set("Sec-Fetch-Site", site)
				}
				if origin != "" {
					h.Set("Origin", origin)
				}
				tried++
				if res := lin.Do(http.MethodPost, concrete(r.Path), url.Values{}, h); res.Status != http.StatusForbidden {
					t.Errorf("%s site=%q origin=%q: %d", r.Path, site, origin, res.Status)
				}
			}
		}
	}
	t.Logf("%d tried, 0 let in", tried)
}

func TestHost_OtherNamesAreRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	for host, want := range map[string]int{
		"127.0.0.1": 200, "localhost:8080": 200, "[::1]:80": 200, "evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "": 421,
	} {
		req, err := http.NewRequest(http.MethodGet, a.URL+"/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		if req.Host = host; host == "" {
			continue // Go's client fills it in
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%q: %d, want %d", host, res.StatusCode, want)
		}
	}
}

func TestRoutes_WrongMethodSaysWhichAreRight(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	for path, want := range map[string]string{"/corrections": "GET, HEAD", bankPath + "/correction": "GET, HEAD, POST", "/corrections/1/check": "POST"} {
		res := lin.Do(http.MethodDelete, path, nil, http.Header{"Sec-Fetch-Site": {"same-origin"}})
		if res.Status != http.StatusMethodNotAllowed || res.Header.Get("Allow") != want {
			t.Errorf("%s: %d, Allow %q", path, res.Status, res.Header.Get("Allow"))
		}
	}
	if res := lin.Do(http.MethodDelete, "/nowhere", nil, http.Header{"Sec-Fetch-Site": {"same-origin"}}); res.Status != http.StatusNotFound {
		t.Errorf("/nowhere: %d", res.Status)
	}
}

func TestFlash_BelongsToOnePage(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	path := prepare(t, lin, "10")
	lin.Post(path+"/withdrawal", url.Values{})
	const says = "改价已撤回"
	if page := lin.Get("/"); strings.Contains(page.Body, says) {
		t.Error("another page shows the message")
	}
	if page := lin.Get(path); !strings.Contains(page.Body, says) {
		t.Error("the message is not shown")
	}
	if page := lin.Get(path); strings.Contains(page.Body, says) {
		t.Error("the message is shown twice")
	}
}

func TestRenumber_RowsStandForTheLinesTheyAre(t *testing.T) {
	t.Parallel()
	line := func(name, description string) correction.Line {
		return correction.Line{Name: name, Description: description}
	}
	was := []correction.Line{line("商品信息", "可乐"), line("商品信息", "雪碧"), line("运费", "x")}
	lines := []correction.Line{line("新的", "y"), line("运费", "z"), line("商品信息", "雪碧")}
	rows := correction.FormOf(correction.Order{Lines: lines}, correction.Device{}).Lines
	got := ""
	for _, r := range handlers.Renumber(rows, was, lines) {
		got += fmt.Sprintf("%d %s;", r.Index, r.Name+r.Description)
	}
	if want := "1 商品信息雪碧;2 运费z;3 新的y;"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSafeNext(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/": "/", "/corrections?state=applied": "/corrections?state=applied", "/orders/1/a%7Cb%2A": "/orders/1/a%7Cb%2A", "/account": "/account",
		"": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/", "/%09/evil.example": "/", "/\t/evil.example": "/",
		"javascript:alert(1)": "/", "/login": "/", "/logout": "/", "/orders/..//evil": "/orders/..//evil", "/static/x": "/", "/orders\r\nX: y": "/",
		"/accountx": "/", "/orders\\@evil": "/", "///evil.example/orders": "/", "/%5cevil.example": "/",
	} {
		if got := handlers.SafeNext(next); got != want {
			t.Errorf("%q → %q, want %q", next, got, want)
		}
	}
}

func FuzzSafeNext(f *testing.F) {
	for _, s := range []string{"/", "//x", "/orders/a?b=c", "/\\x", "/corrections%2f..", "http://x/orders"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := handlers.SafeNext(next)
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.HasPrefix(got, "/\\") || strings.ContainsAny(got, "\r\n\t") {
			t.Fatalf("%q → %q", next, got)
		}
	})
}

func FuzzDecodeForm(f *testing.F) {
	f.Add("post_payments.0.name=a&post_payments.7.amount=1&note=x&no_device=1")
	f.Add("post_discounts.3.count=２&total_amount=¥1")
	f.Fuzz(func(t *testing.T, body string) {
		v, err := url.ParseQuery(body)
		if err != nil {
			t.Skip()
		}
		form := handlers.DecodeForm(v)
		again := handlers.DecodeForm(handlers.EncodeForm(form))
		if fmt.Sprint(form) != fmt.Sprint(again) {
			t.Fatalf("a draft changes what was typed:\n%v\n%v", form, again)
		}
	})
}

func FuzzCSVRow(f *testing.F) {
	for _, s := range []string{"", "=1+1", "a,b", "\"", "a\r\nb", "＝1", "+", "-1", "@x", "\tx", "'x"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		line := append(handlers.AppendCSV(append(handlers.AppendCSV(nil, a, true), ','), b, false), "\r\n"...)
		got, err := csv.NewReader(bytes.NewReader(line)).Read()
		if err != nil || len(got) != 2 {
			t.Fatalf("%q %q: %v %v", a, b, got, err)
		}
		for i, want := range []string{a, b} {
			want = strings.ReplaceAll(want, "\r\n", "\n") // as RFC 4180 readers do
			back := strings.TrimPrefix(got[i], "'")
			if back != strings.TrimPrefix(want, "'") {
				t.Fatalf("%q came back as %q", want, got[i])
			}
			if got[i] != "" && strings.ContainsRune("=+-@\t\r\n\x00＝＋－＠", []rune(got[i])[0]) {
				t.Fatalf("a formula: %q", got[i])
			}
		}
	})
}

func TestLog_FiltersPagesAndExport(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	var paths []string
	for _, total := range []string{"90", "80", "70"} {
		path := prepare(t, lin, total)
		confirm(t, lin, path, total)
		paths = append(paths, path)
	}
	zhou := a.As("zhou")
	for query, want := range map[string]int{
		"": 3, "?state=applied": 3, "?state=rejected": 0, "?agent=lin": 3, "?agent=wu": 0, "?out_order_no=" + bankOrder: 3,
		"?sub_mchid=" + bankMerchant: 3, "?sub_mchid=1900000109": 0, "?from=2000-01-01": 3, "?to=2000-01-01": 0, "?from=2999-01-01": 0,
	} {
		page := zhou.Get("/corrections" + query)
		got := 0
		for _, p := range paths {
			if strings.Contains(page.Body, `href="`+p+`"`) {
				got++
			}
		}
		export := zhou.Get("/corrections.csv?bom=1" + strings.Replace(query, "?", "&", 1))
		records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(export.Body, "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		end := records[len(records)-1]
		if got != want || len(records)-7 != want { // titles, and six of what the file is
			t.Errorf("%q: page %d, export %d, want %d", query, got, len(records)-7, want)
		}
		if cp, err := a.Store.NewestCheckpoint(t.Context()); err != nil || end[0] != "校验点" || end[1] != fmt.Sprintf("共 %d 条", want) || end[2] != cp.Note {
			t.Errorf("%q: the end is %q (%v)", query, end, err)
		}
		if !strings.HasPrefix(export.Body, "\ufeff") || !strings.Contains(export.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("export: %v", export.Header)
		}
	}
	for _, bad := range []string{"?from=yesterday", "?from=2026-13-01", "?state=lost", "?out_order_no=%3Cx%3E", "?from=2026-02-01&to=2026-01-01"} {
		if res := zhou.Get("/corrections" + bad); res.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", bad, res.Status)
		}
	}
	older := zhou.Get("/corrections?before=" + strings.TrimPrefix(paths[2], "/corrections/"))
	if strings.Contains(older.Body, `href="`+paths[2]+`"`) || !strings.Contains(older.Body, `href="`+paths[1]+`"`) {
		t.Error("the page before the newest is wrong")
	}
	if res := lin.Get("/corrections.csv"); res.Status != http.StatusForbidden {
		t.Errorf("an agent exports: %d", res.Status)
	}
}
