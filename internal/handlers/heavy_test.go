package handlers_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/handlers"
	"correction-console/internal/insights"
	"correction-console/internal/store/filltest"
	"correction-console/internal/wechat/simulator"
)

const filledRecords = 20_000

// filled is a console on a database of 20,000 corrections, with some of the people of the
// tests and the merchants of the sample orders.
func filled(t *testing.T, o apptest.Options) *apptest.App {
	t.Helper()
	o.Data = filepath.Dir(filltest.Copy(t, filledRecords))
	a := apptest.Start(t, o)
	for _, p := range apptest.People {
		a.AddPerson(p.Login, p.Name, p.Role, p.Merchants...)
	}
	for _, m := range simulator.DemoMerchants() {
		if err := a.Store.PutMerchant(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range simulator.DemoOfferings() {
		if err := a.Store.PutOffering(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// insightsOf asks for all of a year of the filled records.
func insightsOf() string {
	zone := time.FixedZone("", 8*3600)
	last := filltest.End.In(zone)
	return "/insights?from=" + last.AddDate(0, 0, -300).Format(time.DateOnly) + "&to=" + last.Format(time.DateOnly)
}

// Right after a start nothing of the figures is worked out, and no statement prepared:
// eight who ask for them at once hold up neither each other nor anybody else.
func TestReads_ColdFiguresHoldUpNobody(t *testing.T) {
	t.Parallel()
	a := filled(t, apptest.Options{})
	a.Clock.Advance(max(0, time.Until(filltest.End.AddDate(0, 0, 1))))
	zhou, lin := a.As("zhou"), a.As("lin")
	var figures sync.WaitGroup
	begun := make(chan struct{}, 8)
	for i := range 8 {
		figures.Go(func() {
			begun <- struct{}{}
			address := insightsOf()
			if i%2 == 1 {
				address = strings.Replace(address, "/insights", "/insights.csv", 1)
			}
			if res := zhou.Get(address); res.Status != http.StatusOK {
				t.Errorf("%s: %d", address, res.Status)
			}
		})
	}
	for range 8 {
		<-begun
	}
	a.As("wu")
	for _, path := range []string{"/", "/corrections", "/account", "/orders?out_order_no=YS-ZC-20261120-008", "/readyz"} {
		if res := lin.Get(path); res.Status >= http.StatusInternalServerError {
			t.Errorf("%s: %d", path, res.Status)
		}
	}
	ref := a.Order("WHILE-COLD", 20_000)
	by := a.Who("lin")
	c := a.Propose(by, ref, 15_000)
	if err := a.Confirm(by, c); err != nil {
		t.Error(err)
	}
	if got := a.Record(c.ID).State; got != correction.Applied {
		t.Errorf("the confirmation is %s", got)
	}
	figures.Wait()
}

// When no more may wait, the page says so, in both languages, and when to ask again; what
// is not heavy is answered as ever.
func TestReads_WhereThereIsNoRoomThePageSaysSo(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Options{})
	manyCorrections(t, a, 30)
	zhou, qian := a.As("zhou"), a.As("qian")
	release := make(chan struct{})
	var all, held sync.WaitGroup
	for range 2 {
		held.Add(1)
		first := sync.OnceFunc(held.Done)
		all.Go(func() {
			err := a.Store.Facts(context.Background(), time.Time{}, a.Clock.Now().AddDate(1, 0, 0), false, func(*insights.FactBlock) { first(); <-release })
			if err != nil {
				t.Error(err)
			}
		})
	}
	held.Wait()
	refused := make(chan apptest.Answer, 16)
	for _, path := range []string{"/insights", "/insights.csv", "/review/days/2026-11-20"} {
		for range 5 { // more than one person's share
			all.Go(func() {
				if res := zhou.Get(path); res.Status != http.StatusOK {
					refused <- res
				}
			})
		}
	}
	for range 7 {
		res := <-refused
		if res.Status != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(res.Body, "现在要读的记录太多") {
			t.Errorf("%d, Retry-After %q: %.200s", res.Status, res.Header.Get("Retry-After"), res.Body)
		}
	}
	res := zhou.Do(http.MethodPost, "/account/preferences", url.Values{"lang": {"en"}, "theme": {""}}, http.Header{"Sec-Fetch-Site": {"same-origin"}})
	if res.Status != http.StatusSeeOther {
		t.Errorf("a light page: %d", res.Status)
	}
	if res := zhou.Get("/insights"); res.Status != http.StatusServiceUnavailable || !strings.Contains(res.Body, "Too much is being read right now") {
		t.Errorf("in English: %d %.200s", res.Status, res.Body)
	}
	for _, path := range []string{"/", "/corrections?state=applied", "/approvals", "/account"} {
		if res := qian.Get(path); res.Status != http.StatusOK {
			t.Errorf("%s: %d", path, res.Status)
		}
	}
	// Another person has a place of their own.
	other := make(chan int, 1)
	go func() { other <- qian.Get("/insights").Status }()
	close(release)
	if status := <-other; status != http.StatusOK {
		t.Errorf("another person: %d", status)
	}
	all.Wait()
}

// slow is a browser that takes an export in a little at a time.
type slow struct {
	conn net.Conn
	body *bufio.Reader
	res  *http.Response
}

// openSlow asks for a file and reads no more than its first line.
func openSlow(t *testing.T, a *apptest.App, c *apptest.Client, path string) *slow {
	t.Helper()
	u, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	req, err := http.NewRequest(http.MethodGet, a.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range c.HTTP.Jar.Cookies(u) {
		req.AddCookie(cookie)
	}
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	body := bufio.NewReaderSize(conn, 1<<10)
	res, err := http.ReadResponse(body, req)
	if err != nil {
		t.Fatal(err)
	}
	s := &slow{conn, bufio.NewReaderSize(res.Body, 1<<10), res}
	if _, err := s.body.ReadString('\n'); err != nil && res.StatusCode == http.StatusOK {
		t.Fatal(err)
	}
	return s
}

// rest reads what is left of the file.
func (s *slow) rest() (string, error) {
	b, err := io.ReadAll(s.body)
	return string(b), err
}

// onRecord waits for the end of an export on record.
func onRecord(t *testing.T, a *apptest.App) string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(a.Data, "console.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(time.Minute); ; {
		var action, detail string
		err := db.QueryRow(`SELECT action, detail FROM audit WHERE action IN ('export.end', 'export.cut') ORDER BY id DESC LIMIT 1`).Scan(&action, &detail)
		if err == nil {
			return action + " " + detail
		}
		if time.Now().After(deadline) {
			t.Fatal("the end of the export is not on record")
		}
	}
}

// A download ends when its reader may not have it any more, or takes it in too slowly or
// for too long. The file shows it, the record says why, and the person can export again.
func TestExport_EndsWhenItMust(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		limits handlers.ExportLimits
		act    func(*apptest.App, *apptest.Client) error
		reads  bool // the reader goes on reading
		why    changelog.CutShort
	}{
		"signed out": {act: func(_ *apptest.App, c *apptest.Client) error { c.Post("/logout", url.Values{}); return nil }, reads: true, why: changelog.CutSession},
		"disabled": {act: func(a *apptest.App, _ *apptest.Client) error {
			return a.Store.SetDisabled(context.Background(), "zhou", true)
		}, reads: true, why: changelog.CutSession},
		"scope": {act: func(a *apptest.App, _ *apptest.Client) error {
			return execute(a, `UPDATE user SET all_merchants = 0 WHERE username = 'zhou'`)
		}, reads: true, why: changelog.CutRights},
		"role": {act: func(a *apptest.App, _ *apptest.Client) error {
			return execute(a, `UPDATE user SET role = 'agent' WHERE username = 'zhou'`)
		}, reads: true, why: changelog.CutRights},
		"too slow": {limits: handlers.ExportLimits{Window: 200 * time.Millisecond, Least: 10 << 20, Longest: time.Hour}, why: changelog.CutSlow},
		"too long": {limits: handlers.ExportLimits{Window: time.Hour, Least: 1, Longest: 300 * time.Millisecond}, why: changelog.CutLongest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := filled(t, apptest.Options{Exports: x.limits})
			zhou := a.As("zhou")
			file := openSlow(t, a, zhou, "/corrections.csv")
			if x.act != nil {
				if err := x.act(a, zhou); err != nil {
					t.Fatal(err)
				}
			}
			var end string
			if !x.reads {
				end = onRecord(t, a)
			}
			body, err := file.rest()
			if err == nil || strings.Contains(body, "校验点") {
				t.Errorf("the cut file looks whole: %v", err)
			}
			if end == "" {
				end = onRecord(t, a)
			}
			if want := ", " + string(x.why) + ": csv"; !strings.HasPrefix(end, "export.cut ") || !strings.HasSuffix(end, want) {
				t.Errorf("on record: %q, want …%q", end, want)
			}
			if rows, err := strconv.Atoi(strings.Fields(end)[1]); err != nil || rows >= filledRecords {
				t.Errorf("%d rows, %v", rows, err)
			}
		})
	}
}

func execute(a *apptest.App, text string) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(a.Data, "console.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(text)
	return err
}

// One person has one export at a time, however many sessions; others have theirs.
func TestExport_OneAPerson(t *testing.T) {
	t.Parallel()
	a := filled(t, apptest.Options{})
	zhou, qian := a.As("zhou"), a.As("qian")
	file := openSlow(t, a, zhou, "/corrections.csv")
	const token = "0123456789abcdef"
	for i, again := range []*apptest.Client{zhou, a.As("zhou")} {
		for _, path := range []string{"/corrections.csv", "/corrections.xlsx", "/corrections.jsonl?state=applied"} {
			path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "token=" + token
			res := again.Get(path)
			if res.Status != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(res.Body, "你还有一个导出没有结束") {
				t.Errorf("session %d, %s: %d %.200s", i, path, res.Status, res.Body)
			}
			if status := again.Get("/corrections/exports/" + token); !strings.Contains(status.Body, `"state":"refused"`) || !strings.Contains(status.Body, "你还有一个导出") {
				t.Errorf("progress: %d %s", status.Status, status.Body)
			}
		}
	}
	if res := qian.Get("/corrections.csv?state=unknown"); res.Status != http.StatusOK {
		t.Errorf("another person: %d", res.Status)
	}
	body, err := file.rest()
	if err != nil || !strings.Contains(body, fmt.Sprintf("共 %d 条", filledRecords)) {
		t.Errorf("the first one: %v", err)
	}
	if res := zhou.Get("/corrections.csv?state=unknown"); res.Status != http.StatusOK {
		t.Errorf("after the first one: %d", res.Status)
	}
}

// While an export is taken in by and by and 200 corrections are made, the write-ahead log
// stays small, and rows that were not written yet are as they stand by then; what was not
// there at the start is not in the file.
func TestExport_SlowReaderPinsNothing(t *testing.T) {
	t.Parallel()
	a := filled(t, apptest.Options{})
	file := openSlow(t, a, a.As("zhou"), "/corrections.csv?sort=reduction")
	by := a.Who("lin")
	log, read := int64(0), 0
	some := make([]byte, 4<<10)
	for i := range 200 {
		ref := a.Order(fmt.Sprintf("SLOW-%03d", i), 20_000)
		if err := a.Confirm(by, a.Propose(by, ref, 15_000)); err != nil {
			t.Fatal(err)
		}
		n, err := io.ReadFull(file.body, some) // as little as is not cut even where a correction takes seconds
		if err != nil {
			t.Fatal(err)
		}
		read += n
		if info, err := os.Stat(filepath.Join(a.Data, "console.db-wal")); err == nil {
			log = max(log, info.Size())
		}
	}
	t.Logf("%d KB were read; the log had up to %d MB", read>>10, log>>20)
	if log > 32<<20 {
		t.Errorf("the log grew to %d MB", log>>20)
	}
	// The last ones of the file: many are not written yet.
	if err := execute(a, `UPDATE merchant SET name = name || ' (new)'`); err != nil {
		t.Fatal(err)
	}
	body, err := file.rest()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(body, "SLOW-") {
		t.Error("the file has corrections that were not there when it began")
	}
	records, err := csv.NewReader(strings.NewReader(body[strings.IndexByte(body, '\n')+1:])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if last := records[len(records)-1]; last[1] != fmt.Sprintf("共 %d 条", filledRecords) {
		t.Errorf("the end is %q", last[:2])
	}
}
