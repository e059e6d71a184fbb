package bench

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"correction-console/internal/apptest"
)

// records is how many events the large record has.
func records() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_RECORDS")); err == nil && n > 0 {
		return n
	}
	return 1_000_000
}

// crowd fills a database with events, four a correction, the last corrections
// uncertain and the others settled. Their hashes prove nothing: a start does not read
// them.
func crowd(b *testing.B, path string, events, uncertain int) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=foreign_keys(0)&_pragma=synchronous(OFF)&_pragma=busy_timeout(5000)")
	must(b, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	ctx := context.Background()
	corrections := events / 4
	for _, statement := range []string{
		`INSERT INTO correction (sub_mchid, service_id, out_order_no, base_total, target_total, author, session_row, prepared_ms, confirm_until_ms,
			asks_total, reason_code, reason_zh, reason_en, reason_needs_note, outgoing, ticket, note, confirm_hash, confirm_nonce, base_sha256, body_sha256,
			warnings, body, base_json)
		WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < ?1)
		SELECT '1900021408', '500001', 'CROWD-' || i, 9900, 1000, 1, 1, 1790000000000 + i * 1000, 1790000600000 + i * 1000, 0, 'other', '其他', 'Other', 0,
			'已按实际使用情况调整金额。', '', '', randomblob(32), randomblob(16), randomblob(32), randomblob(32), '[]', zeroblob(600), zeroblob(700) FROM i`,
		`INSERT INTO event (correction_id, n, state, at_ms, actor, session_row, detail, request_id, settled, leaf)
		WITH s (n, state) AS (VALUES (1, 'prepared'))
		SELECT c.id, n, state, c.prepared_ms, 1, 1, '{}', '', '', (c.id - 1) * 4 FROM correction c, s`,
		`INSERT INTO claim SELECT sub_mchid, out_order_no, id FROM correction`,
		`INSERT INTO event (correction_id, n, state, at_ms, session_row, detail, leaf) SELECT id, 2, 'claimed', prepared_ms, 1, '{}', id * 4 - 3 FROM correction`,
		`INSERT INTO send SELECT id, prepared_ms, 'n' || id, 'b', 0 FROM correction`,
		`INSERT INTO event (correction_id, n, state, at_ms, session_row, detail, leaf) SELECT id, 3, 'sending', prepared_ms, 1, '{}', id * 4 - 2 FROM correction`,
		`INSERT INTO event (correction_id, n, state, at_ms, session_row, detail, settled, leaf)
		SELECT id, 4, CASE WHEN id > ?1 - ?2 THEN 'unknown' ELSE 'applied' END, prepared_ms, 1, json_object('pad', hex(zeroblob(350)), 'sign_ms', prepared_ms),
			CASE WHEN id > ?1 - ?2 THEN '' ELSE 'paid_new' END, id * 4 - 1 FROM correction`,
		`DROP TRIGGER leaf_insert`,
		`INSERT INTO leaf WITH RECURSIVE i (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM i WHERE i < ?1 * 4 - 1)
		SELECT i, i / 4 + 1, i % 4 + 1, zeroblob(32 * (1 + (i & 1) + (i & 3 = 3) + (i & 7 = 7) + (i & 15 = 15) + (i & 31 = 31) + (i & 63 = 63) + (i & 127 = 127)
			+ (i & 255 = 255) + (i & 511 = 511) + (i & 1023 = 1023) + (i & 2047 = 2047) + (i & 4095 = 4095) + (i & 8191 = 8191) + (i & 16383 = 16383)
			+ (i & 32767 = 32767) + (i & 65535 = 65535) + (i & 131071 = 131071) + (i & 262143 = 262143) + (i & 524287 = 524287))) FROM i`,
		`PRAGMA wal_checkpoint(TRUNCATE)`,
	} {
		if _, err := db.ExecContext(ctx, statement, corrections, uncertain); err != nil {
			b.Fatalf("%v\n%s", err, statement)
		}
	}
}

// BenchmarkStart measures the real program on a large record with a thousand open
// corrections, to the first page. Target: under 100 ms.
func BenchmarkStart(b *testing.B) {
	a := apptest.Start(b, apptest.Options{})
	p := build(b, a)
	crowd(b, filepath.Join(a.Data, "console.db"), records(), 1000)
	var starts []float64
	for b.Loop() {
		starts = nil
		for range 9 {
			cmd, took := p.start(b)
			starts = append(starts, took)
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	b.ReportMetric(median(starts), "start-ms")
	b.ReportMetric(0, "ns/op")
}
