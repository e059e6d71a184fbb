package handlers_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/correction"
)

// audited counts the rows of the audit record by their action.
func audited(t *testing.T, a *apptest.App) map[string]int {
	t.Helper()
	var text string
	oneRow(t, a, `SELECT json_group_object(action, n) FROM (SELECT action, count(*) AS n FROM audit GROUP BY action)`, &text)
	var n map[string]int
	must(t, json.Unmarshal([]byte(text), &n))
	return n
}

// oneRow reads past the store.
func oneRow(t *testing.T, a *apptest.App, query string, into ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(a.Data, "console.db")+"?mode=ro&_busy_timeout=5000")
	must(t, err)
	defer db.Close()
	must(t, db.QueryRow(query).Scan(into...))
}

// A person looks up so many orders a minute, in however many windows; the others are told
// how long to wait. The page and the form that a look-up leads to come with it.
func TestLookups_HaveALimitAPerson(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Lookups: 60})
	gateway := &counting{Gateway: a.Service.Gateway}
	a.Service.Gateway = gateway
	windows := []*apptest.Client{a.As("lin"), a.As("lin")}
	var through, refused atomic.Int64
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			res := windows[i%2].Get(fmt.Sprintf("/orders?sub_mchid=%s&out_order_no=NONE-%d", bankMerchant, i))
			switch res.Status {
			case http.StatusNotFound:
				through.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
				if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || n < 1 || n > 60 {
					t.Errorf("Retry-After %q", res.Header.Get("Retry-After"))
				}
				if !strings.Contains(res.Body, "秒后可以再查") || !strings.Contains(res.Body, fmt.Sprintf(`value="NONE-%d"`, i)) {
					t.Error("the page does not tell the time to wait, or loses the number")
				}
			default:
				t.Errorf("%d", res.Status)
			}
		})
	}
	all.Wait()
	if through.Load() != 60 || refused.Load() != 140 || gateway.calls.Load() != 60 {
		t.Errorf("%d let through, %d refused, %d calls", through.Load(), refused.Load(), gateway.calls.Load())
	}
	for _, path := range []string{bankPath, bankPath + "/correction"} {
		res := windows[0].Get(path)
		if res.Status != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(res.Body, "秒后可以再查") {
			t.Errorf("%s: %d %q", path, res.Status, res.Header.Get("Retry-After"))
		}
	}
	if n := audited(t, a); n["lookup.not_found"] != 60 || n["lookup.too_fast"] != 1 {
		t.Errorf("on record: %v", n)
	}
	if res := a.As("wu").Get(bankPath); res.Status != http.StatusOK {
		t.Errorf("somebody else: %d", res.Status)
	}
	a.Clock.Advance(time.Minute)
	if res := windows[1].Get("/orders?out_order_no=" + bankOrder); res.Status != http.StatusSeeOther {
		t.Errorf("a minute later: %d", res.Status)
	}
}

// One look-up is one order: what it leads to is free for a minute, and no longer.
func TestLookups_TheRedirectAndTheFormAreFree(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Lookups: 3})
	lin := a.As("lin")
	ok := func(path string, want int) {
		t.Helper()
		if res := lin.Get(path); res.Status != want {
			t.Errorf("%s: %d, want %d", path, res.Status, want)
		}
	}
	ok("/orders?out_order_no="+bankOrder, http.StatusSeeOther)
	ok(bankPath, http.StatusOK)
	ok(bankPath+"/correction", http.StatusOK)
	ok(bankPath, http.StatusOK)
	ok("/orders?out_order_no="+bankOrder, http.StatusSeeOther) // the second
	a.Clock.Advance(59 * time.Second)
	ok(bankPath, http.StatusOK) // still of the second
	a.Clock.Advance(2 * time.Second)
	for range 3 { // each a look-up of its own would be too many; one is enough for its form
		ok(bankPath+"/correction", http.StatusOK)
	}
	ok("/orders?out_order_no=NONE-1", http.StatusNotFound)
	ok("/orders?out_order_no=NONE-2", http.StatusNotFound)
	ok("/orders?out_order_no=NONE-3", http.StatusTooManyRequests)
	ok("/orders?out_order_no=%3C", http.StatusUnprocessableEntity) // nothing is read
	ok(bankPath, http.StatusOK)                                    // open already
	for range 12 {
		lin.Get(bankPath)
	}
	ok(bankPath, http.StatusTooManyRequests) // not for ever: each reading asks WeChat
}

// A confirmation never waits for those who search, and is not refused to who searched too
// much.
func TestLookups_DoNotDelayAConfirmation(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Lookups: 60})
	lin := a.As("lin")
	path := prepare(t, lin, "90")
	var all sync.WaitGroup
	stop := make(chan struct{})
	for _, login := range []string{"wu", "zhou", "qian", "shen", "lin"} {
		c := a.As(login)
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					c.Get(fmt.Sprintf("/orders?out_order_no=%s-%d", strings.ToUpper(login), i))
				}
			}
		})
	}
	for i := range 61 {
		lin.Get(fmt.Sprintf("/orders?sub_mchid=%s&out_order_no=MINE-%d", bankMerchant, i))
	}
	res := confirm(t, lin, path, "90")
	close(stop)
	all.Wait()
	if res.Status != http.StatusSeeOther || state(t, a, path) != correction.Applied {
		t.Errorf("%d, %s", res.Status, state(t, a, path))
	}
}

// Look-ups of merchants out of scope are on record as denied.
func TestLookups_DeniedAreOnRecord(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{Lookups: 60})
	wang := a.As("wang") // one merchant only
	for _, path := range []string{"/orders?sub_mchid=1900022254&out_order_no=YS-1", "/orders/1900022254/YS-2", "/orders/1900022254/YS-3/correction"} {
		if res := wang.Get(path); res.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.Status)
		}
	}
	wang.Get("/orders/" + bankMerchant + "/NONE")
	if n := audited(t, a); n["lookup.denied"] != 3 || n["lookup.not_found"] != 1 {
		t.Errorf("on record: %v", n)
	}
}

// What a person can repeat as often as they like does not fill the audit record.
func TestAudit_OnePersonDoesNotFillIt(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin := a.As("lin")
	long := "/orders/1/" + strings.Repeat("x", 30)
	before := audited(t, a)
	for range 150 {
		lin.Get("/corrections.csv") // not an agent's
		lin.Get(long)
	}
	after := audited(t, a)
	rows := 0
	for action, n := range after {
		rows += n - before[action]
	}
	if rows > 121 || after["denied"] == 0 || after["more"] != 1 {
		t.Errorf("%d rows: %v", rows, after)
	}
	a.Clock.Advance(time.Minute)
	lin.Get("/corrections.csv")
	if n := audited(t, a); n["denied"] != after["denied"]+1 {
		t.Errorf("a minute later: %v", n)
	}
}

// Drafts are kept of forms that this person opened, and of nothing else.
func TestDrafts_AreOfOrdersThatWereRead(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	lin, wu := a.As("lin"), a.As("wu")
	base := field(t, lin.Get(bankPath+"/correction").Body, "base")
	junk := strings.Repeat("长", 20000)
	for i := range 8 {
		form := bankForm(base, "10")
		form.Set("note", junk)
		for _, b := range []string{base, strings.Repeat("0", 64), "", "zz"} {
			form.Set("base", b)
			path := fmt.Sprintf("/orders/%s/NONE-%d/correction", bankMerchant, i)
			if res := lin.Post(path, form); res.Status == http.StatusSeeOther || strings.Contains(res.Body, "已存成草稿") {
				t.Errorf("%s with base %q: %d", path, b, res.Status)
			}
			form.Set("do", "recompute")
			lin.Post(path, form)
			form.Del("do")
		}
	}
	wu.Post("/corrections/preview", bankForm(base, "10")) // lin opened it, wu did not
	var n, bytes int
	size := func() {
		oneRow(t, a, `SELECT count(*), COALESCE(sum(octet_length(form)), 0) FROM draft`, &n, &bytes)
	}
	if size(); n > 1 || bytes > correction.MaxDraft {
		t.Errorf("%d drafts, %d bytes", n, bytes)
	}
	lin.Post("/corrections/preview", bankForm(base, "10"))
	if size(); n != 1 {
		t.Errorf("the form in hand: %d drafts", n)
	}
	// It outlives the note that the form was opened.
	must(t, a.Store.PruneLooks(t.Context(), a.Clock.Now().Add(time.Hour)))
	later := bankForm(base, "12")
	lin.Post("/corrections/preview", later)
	if page := lin.Get(bankPath + "/correction"); field(t, page.Body, "total_amount") != "12" {
		t.Error("what was typed last is lost")
	}
}

// Whoever posts without end is slowed down; a person at work is not.
func TestPosts_HaveAPace(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	zhou := a.As("zhou")
	refused := 0
	for range 700 {
		if res := zhou.Post("/corrections/views", url.Values{"name": {""}, "query": {""}}); res.Status == http.StatusTooManyRequests {
			if refused++; res.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	if res := zhou.Post("/logout", url.Values{}); res.Status != http.StatusSeeOther {
		t.Errorf("sign out: %d", res.Status)
	}
}
