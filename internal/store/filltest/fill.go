package filltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	driver "modernc.org/sqlite"

	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// generation is the number of the way in which databases are filled. A change of what
// is written raises it, so that no old file is taken for a new one.
const generation = 1

// Folder is where filled databases are kept: BENCH_DATA, or one in the folder for
// temporary files.
func Folder() string {
	if dir := os.Getenv("BENCH_DATA"); dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), "correction-console-bench")
}

// Records is how many corrections the large database of a benchmark has: BENCH_RECORDS,
// or otherwise.
func Records(otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_RECORDS")); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// File returns the path of a database with n corrections, which is filled when it is not
// there yet. It is shared: who writes to it works on a Copy.
func File(tb testing.TB, n int) string {
	tb.Helper()
	dir := filepath.Join(Folder(), fmt.Sprintf("corrections-%d-%d", generation, n))
	path := filepath.Join(dir, "console.db")
	lock, err := lockFolder(dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer lock.Close()
	done := filepath.Join(dir, "filled")
	if _, err := os.Stat(done); err == nil {
		return path
	}
	for _, old := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			tb.Fatal(err)
		}
	}
	start := time.Now()
	if err := Fill(context.Background(), path, n, 1, tb.Logf); err != nil {
		tb.Fatal(err)
	}
	tb.Logf("filled %s with %d corrections in %s", path, n, time.Since(start).Round(time.Second))
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Copy is a database like File's of the test's own.
func Copy(tb testing.TB, n int) string {
	tb.Helper()
	from, err := os.Open(File(tb, n))
	if err != nil {
		tb.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(tb.TempDir(), "console.db")
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := to.ReadFrom(from); err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(to.Sync(), to.Close()); err != nil { // or its pages would be written while somebody measures
		tb.Fatal(err)
	}
	return path
}

// lockFolder makes the folder and waits until nobody else fills it.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Fill makes a database at path with n corrections, people, merchants and services, and
// tells now and then how far it is.
func Fill(ctx context.Context, path string, n int, seed uint64, tell func(string, ...any)) error {
	if err := people(ctx, path); err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=journal_mode(OFF)&_pragma=synchronous(0)&_pragma=locking_mode(EXCLUSIVE)&_pragma=cache_size(-800000)&_pragma=temp_store(2)"
	c, err := driver.NewConnector(dsn)
	if err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	defer db.Close()
	if err := fill(ctx, db, n, seed, tell); err != nil {
		return fmt.Errorf("fill %s: %w", path, err)
	}
	return db.Close()
}

// people makes the database with those who correct, and what for.
func people(ctx context.Context, path string) error {
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range Agents + Supervisors {
		u := sqlite.UserSpec{Username: AgentLogin(int64(i + 1)), Role: correction.Agent, All: true, PasswordHash: "-"}
		if i >= Agents {
			u.Username, u.Role = SupervisorLogin(i-Agents+1), correction.Supervisor
		}
		u.Name = surnames[i%len(surnames)] + given[i/len(surnames)%len(given)]
		if err := s.AddUser(ctx, u); err != nil {
			return err
		}
	}
	for i := range Merchants {
		m := correction.Merchant{SubMchID: MerchantID(i), Name: merchantNames[i%len(merchantNames)] + cities[i/len(merchantNames)]}
		if err := s.PutMerchant(ctx, m); err != nil {
			return err
		}
	}
	for i := range Services {
		if err := s.PutOffering(ctx, correction.Offering{ServiceID: ServiceID(i), Name: serviceNames[i], AllowZero: true}); err != nil {
			return err
		}
	}
	return s.Close()
}

// lot is how many corrections are made ahead of their writing.
const lot = 2000

func fill(ctx context.Context, db *sql.DB, n int, seed uint64, tell func(string, ...any)) error {
	// What guards the record against everybody would guard every row of it here, too.
	guards, err := dropTriggers(ctx, db)
	if err != nil {
		return err
	}
	lots := make(chan []row, 2)
	go func() {
		defer close(lots)
		s := newSource(n, seed)
		for id := 1; id <= n; {
			list := make([]row, 0, lot)
			for ; id <= n && len(list) < lot; id++ {
				list = append(list, s.next(int64(id)))
			}
			select {
			case lots <- list:
			case <-ctx.Done():
				return
			}
		}
	}()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w := &bulk{tx: tx}
	start, done := time.Now(), 0
	for list := range lots {
		if err := w.write(ctx, list); err != nil {
			return err
		}
		if done += len(list); done%500_000 == 0 {
			tell("%d of %d corrections after %s", done, n, time.Since(start).Round(time.Second))
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, guard := range guards {
		if _, err := tx.ExecContext(ctx, guard); err != nil {
			return err
		}
	}
	if err := sqlite.Reindex(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	tell("indexed after %s", time.Since(start).Round(time.Second))
	return nil
}

func dropTriggers(ctx context.Context, db *sql.DB) (guards []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		names, guards = append(names, name), append(guards, text)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	for _, name := range names {
		if _, err := db.ExecContext(ctx, `DROP TRIGGER "`+name+`"`); err != nil {
			return nil, err
		}
	}
	return guards, nil
}

// bulk writes rows with few statements.
type bulk struct {
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
}

// rowsAStatement is how many rows one statement writes.
const rowsAStatement = 20

// insert writes all rows, each of so many values.
func (w *bulk) insert(ctx context.Context, table, columns string, width int, values []any) error {
	for len(values) > 0 {
		rows := min(rowsAStatement, len(values)/width)
		if rows < rowsAStatement {
			rows = 1
		}
		key := table + strconv.Itoa(rows)
		stmt := w.stmts[key]
		if stmt == nil {
			one := "(?" + strings.Repeat(", ?", width-1) + ")"
			var err error
			if stmt, err = w.tx.PrepareContext(ctx, "INSERT INTO "+table+" ("+columns+") VALUES "+one+strings.Repeat(", "+one, rows-1)); err != nil {
				return err
			}
			if w.stmts == nil {
				w.stmts = map[string]*sql.Stmt{}
			}
			w.stmts[key] = stmt
		}
		if _, err := stmt.ExecContext(ctx, values[:rows*width]...); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
		values = values[rows*width:]
	}
	return nil
}

func (w *bulk) write(ctx context.Context, list []row) error {
	var corrections, events, now, devices, flags, spent, claims []any
	for i := range list {
		c := &list[i]
		corrections = append(corrections, c.id, MerchantID(c.merchant), c.service, c.order, c.base, c.target, c.author, 1, c.prepared, c.prepared+600_000, nil, c.asks,
			c.reason.Code, c.reason.ZH, c.reason.EN, c.reason.NeedsNote, c.outgoing, c.ticket, c.note, c.confirmHash, c.nonce, c.baseHash, c.bodyHash, "[]", c.body, c.json)
		events = append(events, c.id, 1, string(correction.Prepared), c.prepared, c.author, 1, "{}", "", "", "")
		last := c.n
		if c.review != "" {
			last--
		}
		if last > 1 {
			var actor any
			if c.approver != 0 && (c.state == correction.Declined || c.state == correction.Returned) {
				actor = c.approver
			}
			events = append(events, c.id, last, string(c.state), c.at, actor, 1, string(c.detail), c.requestID, c.settled, "")
		}
		if c.review != "" {
			events = append(events, c.id, c.n, string(c.state), c.at+3_600_000, Agents+1, 1, `{"review":"`+c.review+`"}`, "", "", c.review)
		}
		now = append(now, c.id, string(c.state), c.n, c.at, c.requestID, c.settled, 0, c.review, c.approver, len(c.flags) > 0)
		for j, d := range c.devices {
			if j == 0 || d != c.devices[0] {
				devices = append(devices, d, c.id)
			}
		}
		for _, f := range c.flags {
			flags = append(flags, f, c.id)
		}
		if c.spent {
			spent = append(spent, c.id, c.author, c.at, c.base-c.target)
		}
		if c.holds {
			claims = append(claims, MerchantID(c.merchant), c.order, c.id)
		}
	}
	for _, t := range []struct {
		table, columns string
		width          int
		values         []any
	}{
		{"correction", `id, sub_mchid, service_id, out_order_no, base_total, target_total, author, session_row, prepared_ms, confirm_until_ms, retry_of, asks_total,
			reason_code, reason_zh, reason_en, reason_needs_note, outgoing, ticket, note, confirm_hash, confirm_nonce, base_sha256, body_sha256, warnings, body, base_json`, 26, corrections},
		{"event", `correction_id, n, state, at_ms, actor, session_row, detail, request_id, settled, review`, 10, events},
		{"correction_now", `correction_id, state, n, at_ms, request_id, settled, due, review, approver, flagged`, 10, now},
		{"device", `device_id, correction_id`, 2, devices},
		{"flag", `code, correction_id`, 2, flags},
		{"spent", `correction_id, author, at_ms, reduction`, 4, spent},
		{"claim", `sub_mchid, out_order_no, correction_id`, 3, claims},
	} {
		if err := w.insert(ctx, t.table, t.columns, t.width, t.values); err != nil {
			return err
		}
	}
	return nil
}
