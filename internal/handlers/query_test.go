package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"correction-console/internal/apptest"
	"correction-console/internal/handlers"
)

// No page and no export takes a query that it cannot read for "everything".
func TestQueries_WhatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 6)
	clients := map[string]*apptest.Client{}
	for _, login := range []string{"lin", "zhou", "he"} {
		clients[login] = a.As(login)
	}
	who := func(r handlers.Row) *apptest.Client {
		for _, p := range apptest.People {
			if c := clients[p.Login]; c != nil && slices.Contains(r.Roles, p.Role) {
				return c
			}
		}
		return a.Client()
	}
	known := map[string][]string{}
	for path, takes := range handlers.Queries() {
		if !slices.ContainsFunc(handlers.Rows(), func(r handlers.Row) bool { return r.Method == http.MethodGet && r.Path == path }) {
			t.Errorf("%s takes parameters and is no route", path)
		}
		known[path] = takes
	}
	tried := 0
	for _, r := range handlers.Rows() {
		if r.Method != http.MethodGet || slices.Contains(handlers.MachinePaths, r.Path) {
			continue
		}
		c := who(r)
		bad := []string{"a;b", "%zz", "x=%", "x=1;y=2", ";", "%zz=1", "strange=1", "=1", "%E4%BD%A0=1", "strange", "lang=en&lang=zh", "%ff=1"}
		for _, name := range known[r.Path] {
			if name != "columns" {
				bad = append(bad, name+"=1&"+name+"=1", name+"=1&"+name+"=2")
			}
			bad = append(bad, name+"=1;"+name+"=2", name+"=%zz", name+"=1&strange=1")
		}
		for _, query := range bad {
			res := c.Get(concrete(r.Path) + "?" + query)
			tried++
			want := []int{http.StatusBadRequest}
			if r.Path == "/corrections" { // its page shows what is wrong among the conditions
				want = append(want, http.StatusUnprocessableEntity)
			}
			if !slices.Contains(want, res.Status) {
				t.Errorf("%s?%s: %d %s", r.Path, query, res.Status, res.Location)
			}
			if rowLink.MatchString(res.Body) || strings.Contains(res.Header.Get("Content-Disposition"), "attachment") {
				t.Errorf("%s?%s: shows corrections", r.Path, query)
			}
			if h := c.Do(http.MethodHead, concrete(r.Path)+"?"+query, nil, nil); !strings.HasPrefix(r.Path, "/corrections.") && h.Status != res.Status {
				t.Errorf("HEAD %s?%s: %d, GET %d", r.Path, query, h.Status, res.Status)
			}
		}
	}
	t.Logf("%d tried", tried)
	zhou := clients["zhou"]
	for query, says := range map[string]string{
		"strange=1": "没有“strange”这个条件", "from=1&from=2": "“from”给了不止一次", "a;b": "问号后面的部分读不出来",
	} {
		if body := zhou.Get("/insights?" + query).Body; !strings.Contains(body, says) {
			t.Errorf("%s: the page does not say %q", query, says)
		}
	}
	for path, page := range map[string]string{"/insights?strange=1": "/insights", "/review?a;b": "/review", "/corrections.csv?a;b": "/corrections", "/approvals?id=1&id=2": "/approvals"} {
		if body := zhou.Get(path).Body; !strings.Contains(body, `<a class="button button--primary" href="`+page+`">`) {
			t.Errorf("%s: no button to %s", path, page)
		}
	}
	for _, number := range []string{"/approvals?id=x", "/review?before=x", "/corrections?before=-1", "/corrections.csv?after=1e3", "/review?signed=1&skipped=a", bankPath + "/correction?from=x"} {
		if res := zhou.Get(number); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", number, res.Status)
		}
	}
}

var ourLink = regexp.MustCompile(`(?:href|action)="(/[^"#]*)`)

// Every link of the console's own pages is one that its routes take.
func TestQueries_OurOwnLinksAreTaken(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 120)
	var ids []string
	tried := map[string]bool{}
	for _, login := range []string{"zhou", "he"} {
		c := a.As(login)
		todo := []string{"/", "/corrections", "/corrections?rows=20&sort=reduction&columns=id&columns=time&state=applied", "/approvals", "/review", "/review?tab=plain&day=2026-11-21",
			"/insights", "/settings", "/settings/merchants", "/settings/services", "/operations", "/account", "/login", "/login?next=%2Fcorrections%3Fstate%3Dapplied&lang=en"}
		for depth := 0; depth < 2; depth++ {
			var next []string
			for _, path := range todo {
				if tried[login+path] || strings.HasPrefix(path, "/static/") || strings.HasPrefix(path, "/logout") {
					continue
				}
				if id, ok := strings.CutPrefix(path, "/corrections/"); ok { // one of a kind
					if ids = append(ids, id); len(ids) > 20 {
						continue
					}
				}
				tried[login+path] = true
				res := c.Get(path)
				if res.Status == http.StatusBadRequest {
					t.Errorf("%s: %s is a link of ours and is refused", login, path)
				}
				for _, m := range ourLink.FindAllStringSubmatch(res.Body, -1) {
					next = append(next, strings.ReplaceAll(m[1], "&amp;", "&"))
				}
			}
			todo = next
		}
	}
	t.Logf("%d links", len(tried))
	if len(tried) < 60 {
		t.Errorf("only %d links", len(tried))
	}
	zhou := a.As("zhou") // as the filter form and the export script ask
	for _, path := range []string{
		"/corrections?" + url.Values{"from": {""}, "to": {""}, "sub_mchid": {""}, "agent": {""}, "state": {""}, "reduction_min": {""}, "reduction_max": {""}, "q": {""}, "more": {"1"}}.Encode(),
		"/corrections?columns=id&columns=time&columns=order", "/corrections.csv?bom=1&state=applied&token=00112233445566778899aabbccddeeff",
	} {
		if res := zhou.Get(path); res.Status != http.StatusOK && res.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", path, res.Status)
		}
	}
}
