package bench

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"correction-console/internal/apptest"
	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/store/filltest"
	"correction-console/internal/store/sqlite"
)

// exportRecords is how many corrections an export is measured with; BENCH_RECORDS
// changes it.
const exportRecords = 200_000

// exportSQL gives sqlite3 what a CSV export holds.
const exportSQL = `SELECT c.id, c.prepared_ms, c.out_order_no, c.sub_mchid, m.name, c.service_id, o.name, u.name, u.username, c.reason_zh, c.reason_code,
	c.outgoing, c.ticket, c.note, c.base_total, c.target_total, c.base_total - c.target_total, (c.base_total - c.target_total) * 1000 / c.base_total,
	w.state, w.state, w.at_ms, p.name, w.review,
	(SELECT group_concat(code, ' ') FROM flag WHERE correction_id = c.id), (SELECT group_concat(device_id, ' ') FROM device WHERE correction_id = c.id), w.request_id
	FROM correction c CROSS JOIN correction_now w ON w.correction_id = c.id LEFT JOIN user u ON u.id = c.author LEFT JOIN user p ON p.id = w.approver
	LEFT JOIN merchant m ON m.sub_mchid = c.sub_mchid LEFT JOIN offering o ON o.service_id = c.service_id ORDER BY c.id DESC`

// filled starts a console on a large database and signs a supervisor in.
func filled(b *testing.B, n int) (*apptest.App, *apptest.Client) {
	data := filepath.Dir(filltest.Copy(b, n))
	s, err := sqlite.Open(context.Background(), filepath.Join(data, "console.db"))
	must(b, err)
	phc, err := auth.NewHasher().Hash(context.Background(), apptest.Password)
	must(b, err)
	must(b, s.AddUser(context.Background(), sqlite.UserSpec{Username: "zhou", Name: "周启明", Role: correction.Supervisor, All: true, PasswordHash: phc}))
	must(b, s.Close())
	a := apptest.Start(b, apptest.Options{Data: data})
	return a, a.As("zhou")
}

// BenchmarkExport measures a CSV export over HTTP against sqlite3 -csv on a copy of the
// same file. Targets: at least 0.75 of its rows a second, first byte within 10 ms, at
// most 40 MB above idle; .xlsx and .jsonl in the same memory.
func BenchmarkExport(b *testing.B) {
	if _, err := exec.LookPath("sqlite3"); err != nil {
		b.Skip("there is no sqlite3")
	}
	n := filltest.Records(exportRecords)
	a, zhou := filled(b, n)
	other := filltest.File(b, n)
	for b.Loop() {
		var first []float64
		ours, theirs, ratio := alternate(b, 5, func() (float64, float64) {
			took, byte1 := download(b, zhou, a.URL+"/corrections.csv")
			first = append(first, byte1.Seconds()*1000)
			start := time.Now()
			cmd := exec.Command("sqlite3", "-csv", other, exportSQL)
			cmd.Stdout = io.Discard
			must(b, cmd.Run())
			return float64(n) / took.Seconds(), float64(n) / time.Since(start).Seconds()
		})
		b.ReportMetric(ours, "rows/s")
		b.ReportMetric(theirs, "sqlite3-rows/s")
		b.ReportMetric(ratio, "ratio")
		b.ReportMetric(median(first), "first-byte-ms")
		for _, format := range []string{"csv", "xlsx", "jsonl"} {
			b.ReportMetric(grown(b, func() { download(b, zhou, a.URL+"/corrections."+format) }), format+"-MB")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// download fetches a file and returns how long all of it and its first byte took.
func download(b *testing.B, c *apptest.Client, address string) (all, first time.Duration) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	must(b, err)
	start := time.Now()
	res, err := c.HTTP.Do(req)
	must(b, err)
	defer res.Body.Close()
	one := make([]byte, 1)
	_, err = io.ReadFull(res.Body, one)
	must(b, err)
	first = time.Since(start)
	_, err = io.Copy(io.Discard, res.Body)
	must(b, err)
	if res.StatusCode != http.StatusOK {
		b.Fatal(res.StatusCode)
	}
	return time.Since(start), first
}

// grown is by how many MB the resident size grows while f runs.
func grown(b *testing.B, f func()) float64 {
	runtime.GC()
	idle, most := resident(b, os.Getpid()), 0.0
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		select {
		case <-done:
			return max(0, most-idle)
		case <-time.After(20 * time.Millisecond):
			most = max(most, resident(b, os.Getpid()))
		}
	}
}
