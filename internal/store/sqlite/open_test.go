package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"modernc.org/sqlite"

	"correction-console/internal/correction"
)

const (
	codeReadOnly = 8
	codeAuth     = 23
)

// withMigrationConn executes statements on a connection that nothing guards.
func withMigrationConn(t testing.TB, s *Store, statements ...string) {
	t.Helper()
	c, err := sqlite.NewConnector(migrationDSN(s.path))
	must(t, err)
	db := sql.OpenDB(c)
	defer db.Close()
	for _, q := range statements {
		_, err := db.ExecContext(t.Context(), q)
		must(t, err)
	}
}

// connections takes every connection of a pool at once.
func connections(t testing.TB, db *sql.DB, n int) []*sql.Conn {
	t.Helper()
	var all []*sql.Conn
	for range n {
		c, err := db.Conn(t.Context())
		must(t, err)
		t.Cleanup(func() { c.Close() })
		all = append(all, c)
	}
	return all
}

func TestOpen_SettingsHoldOnEveryConnection(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	common := map[string]string{
		"busy_timeout": "5000", "foreign_keys": "1", "trusted_schema": "0", "cell_size_check": "1", "journal_mode": "wal",
	}
	check := func(who string, c *sql.Conn, want map[string]string) {
		t.Helper()
		for pragma, value := range want {
			var got string
			must(t, c.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
			equal(t, who+" "+pragma, got, value)
		}
		if _, err := c.ExecContext(t.Context(), `SELECT "no such column"`); err == nil {
			t.Errorf("%s: a double-quoted string is taken for a literal", who)
		}
	}
	w := connections(t, s.writer.db, 1)[0]
	check("writer", w, common)
	check("writer", w, map[string]string{"synchronous": "2", "journal_size_limit": "8388608", "query_only": "0", "application_id": "1129271890"})
	for i, c := range connections(t, s.reader.db, readers) {
		who := fmt.Sprintf("reader %d", i)
		check(who, c, common)
		check(who, c, map[string]string{"query_only": "1"})
		if _, err := c.ExecContext(t.Context(), `DELETE FROM draft`); err == nil {
			t.Errorf("%s writes", who)
		}
	}
	if !sqlite.OFDLockingEnabled() || !sqlite.StrictPragmasEnabled() || !sqlite.FdatasyncEnabled() {
		t.Error("a setting of the process is not in effect")
	}
	equal(t, "application_id", applicationID, 1129271890)
}

// _txlock=immediate: a transaction has the write lock from its start.
func TestOpen_WriterLocksAtTheStartOfATransaction(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	tx, err := s.writer.db.BeginTx(t.Context(), nil)
	must(t, err)
	defer tx.Rollback()
	other, err := sqlite.NewConnector(strings.Replace(writerDSN(s.path), "_busy_timeout=5000", "_busy_timeout=0", 1))
	must(t, err)
	db := sql.OpenDB(other)
	defer db.Close()
	if _, err := db.BeginTx(t.Context(), nil); !hasCode(err, 5) {
		t.Errorf("a second writer at the same time: %v", err)
	}
}

// Each statement × each table of the record, on the connection that the console
// writes with.
func TestRecord_CannotBeRewritten(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx := t.Context()
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	walk(t, s, id, ref("A1"), t0, correction.Claimed, correction.Sending)
	must(t, s.SaveSnapshot(ctx, [32]byte{1}, []byte("blob"), t0))
	tables := map[string]struct{ column, key string }{
		"correction": {"note", "id"}, "send": {"nonce", "correction_id"}, "event": {"detail", "correction_id, n"},
		"snapshot": {"blob", "hash"}, "audit": {"detail", "id"}, "claim": {"out_order_no", "sub_mchid, out_order_no"},
		"correction_now": {"request_id", "correction_id"}, "transition": {"to_state", "from_state, to_state"},
	}
	dump := func() string {
		var all strings.Builder
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			rows, err := s.reader.db.QueryContext(ctx, `SELECT * FROM `+table)
			must(t, err)
			columns, err := rows.Columns()
			must(t, err)
			list, err := collect(rows, nil, func(r scanner) (string, error) {
				values := make([]any, len(columns))
				fields := make([]any, len(columns))
				for i := range values {
					fields[i] = &values[i]
				}
				err := r.Scan(fields...)
				return fmt.Sprint(values), err
			})
			must(t, err)
			if len(list) == 0 {
				t.Errorf("%s is empty: the test proves nothing", table)
			}
			fmt.Fprintln(&all, table, list)
		}
		return all.String()
	}
	before := dump()
	var statements []string
	for table, c := range tables {
		statements = append(statements,
			fmt.Sprintf(`UPDATE %s SET %s = %s`, table, c.column, c.column),
			fmt.Sprintf(`DELETE FROM %s`, table),
			fmt.Sprintf(`DELETE FROM %s WHERE 0`, table),
			fmt.Sprintf(`INSERT OR REPLACE INTO %s SELECT * FROM %s`, table, table),
			fmt.Sprintf(`REPLACE INTO %s SELECT * FROM %s`, table, table),
			fmt.Sprintf(`INSERT INTO %s SELECT * FROM %s WHERE true ON CONFLICT (%s) DO UPDATE SET %s = excluded.%s`, table, table, c.key, c.column, c.column),
			fmt.Sprintf(`DROP TABLE %s`, table),
			fmt.Sprintf(`ALTER TABLE %s RENAME TO gone`, table),
			fmt.Sprintf(`ALTER TABLE %s ADD COLUMN more TEXT`, table),
			fmt.Sprintf(`CREATE TEMP TRIGGER bad AFTER INSERT ON main.%s BEGIN DELETE FROM claim; END`, table),
			fmt.Sprintf(`CREATE INDEX bad ON %s (%s)`, table, c.column),
		)
	}
	rows, err := s.reader.query(ctx, `SELECT 'DROP TRIGGER ' || name FROM sqlite_schema WHERE type = 'trigger'
		UNION ALL SELECT 'DROP INDEX ' || name FROM sqlite_schema WHERE type = 'index' AND name NOT LIKE 'sqlite_%'`)
	drops, err := collect(rows, err, func(r scanner) (string, error) {
		var q string
		err := r.Scan(&q)
		return q, err
	})
	must(t, err)
	if len(drops) < 25 {
		t.Fatalf("only %d triggers and indexes", len(drops))
	}
	statements = append(statements, drops...)
	statements = append(statements,
		`ATTACH 'x.db' AS x`, `DETACH main`, `VACUUM`, `VACUUM INTO 'x.db'`, `REINDEX`, `ANALYZE`, `CREATE TABLE bad (x)`,
		`CREATE TEMP TABLE bad (x)`, `CREATE VIEW bad AS SELECT 1`, `CREATE TRIGGER bad AFTER INSERT ON audit BEGIN SELECT 1; END`,
		`PRAGMA writable_schema = 1`, `PRAGMA foreign_keys = 0`, `PRAGMA synchronous = 0`, `PRAGMA journal_mode = DELETE`,
		`PRAGMA recursive_triggers = 0`, `PRAGMA trusted_schema = 1`, `PRAGMA user_version = 9`, `PRAGMA application_id = 9`,
		`PRAGMA ignore_check_constraints = 1`, `PRAGMA query_only = 0`, `DELETE FROM sqlite_schema`, `UPDATE sqlite_schema SET sql = ''`,
		`DELETE FROM user`, `DELETE FROM session`, `DELETE FROM merchant`, `DELETE FROM offering`, `DELETE FROM goose_db_version`,
		`INSERT INTO transition VALUES ('applied', 'prepared')`, `INSERT INTO correction_now VALUES (9, 'applied', 1, 0, '')`,
		`INSERT INTO send SELECT 9, 0, 'n', 'b', 0`,
	)
	for _, q := range statements {
		for who, db := range map[string]*sql.DB{"writer": s.writer.db, "reader": s.reader.db} {
			// By the authorizer, a trigger or a read-only connection, not by a slip in the
			// statement.
			if _, err := db.ExecContext(ctx, q); err != nil && strings.Contains(q, "sqlite_schema") {
				continue // SQLite never lets it be written
			} else if !hasCode(err, codeAuth, codeReadOnly, codeConstraintByRule) {
				t.Errorf("%s: %s: %v", who, q, err)
			}
		}
	}
	equal(t, "the record", dump(), before)
	must(t, s.Append(ctx, id, correction.Sending, 3, correction.Event{State: correction.Applied, At: t0}))
	t.Logf("%d statements on two kinds of connections: all refused", len(statements))
}

// The triggers alone, on a connection without authorizer.
func TestRecord_TriggersHoldWithoutTheAuthorizer(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(u.ID, ref("A1"), t0))
	walk(t, s, id, ref("A1"), t0, correction.Claimed, correction.Sending)
	must(t, s.SaveSnapshot(t.Context(), [32]byte{1}, []byte("blob"), t0))
	c, err := sqlite.NewConnector(migrationDSN(s.path))
	must(t, err)
	db := sql.OpenDB(c)
	defer db.Close()
	for _, table := range []string{"correction", "send", "event", "snapshot", "audit", "claim"} {
		var column string
		must(t, db.QueryRowContext(t.Context(), `SELECT name FROM pragma_table_info(?) LIMIT 1`, table).Scan(&column))
		for _, q := range []string{
			`UPDATE ` + table + ` SET ` + column + ` = ` + column,
			`DELETE FROM ` + table,
			`INSERT OR REPLACE INTO ` + table + ` SELECT * FROM ` + table,
			`INSERT OR IGNORE INTO ` + table + ` SELECT * FROM ` + table,
			`INSERT INTO ` + table + ` SELECT * FROM ` + table + ` WHERE true ON CONFLICT DO UPDATE SET ` + column + ` = excluded.` + column,
		} {
			if _, err := db.ExecContext(t.Context(), q); err == nil || !hasCode(err, codeConstraintByRule) {
				t.Errorf("%s: %v", q, err)
			}
		}
	}
	// A new row that would push out another by any of its unique keys.
	for _, q := range []string{
		`INSERT OR REPLACE INTO correction SELECT 9, sub_mchid, service_id, out_order_no, base_total, target_total, author, session_row, prepared_ms,
			confirm_until_ms, retry_of, asks_total, reason_code, reason_zh, reason_en, reason_needs_note, outgoing, ticket, note, confirm_hash,
			confirm_nonce, base_sha256, body_sha256, warnings, body, base_json FROM correction`,
		`INSERT OR REPLACE INTO claim SELECT sub_mchid, 'another', correction_id FROM claim`,
	} {
		if _, err := db.ExecContext(t.Context(), q); !hasCode(err, codeConstraintByRule) {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func TestOpen_MakesFolderAndFileForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	old := filepath.Join(t.TempDir(), "a b?c#d%e")
	s := openAt(t, filepath.Join(old, "console.db"))
	must(t, s.Ping(t.Context()))
	for path, want := range map[string]os.FileMode{old: os.ModeDir | 0o700, s.path: 0o600, s.path + "-wal": 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		equal(t, path, info.Mode(), want)
	}
	must(t, s.Close())
	if entries, err := os.ReadDir(old); err != nil || len(entries) != 1 {
		t.Errorf("after Close: %v, %v", entries, err)
	}
}

func TestOpen_SaysInOneLineWhatIsWrong(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	foreign := filepath.Join(folder, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	must(t, err)
	_, err = db.Exec(`CREATE TABLE theirs (x)`)
	must(t, err)
	must(t, db.Close())
	ours := openAt(t, filepath.Join(folder, "newer.db"))
	withMigrationConn(t, ours, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	must(t, ours.Close())
	broken := openAt(t, filepath.Join(folder, "broken.db"))
	must(t, broken.Close())
	bytes, err := os.ReadFile(broken.path)
	must(t, err)
	for i := 100; i < 4096; i++ {
		bytes[i] = 0xA5
	}
	must(t, os.WriteFile(broken.path, bytes, 0o600))
	must(t, os.Mkdir(filepath.Join(folder, "sub.db"), 0o700))
	theirs, err := os.ReadFile(foreign)
	must(t, err)
	for name, tc := range map[string]struct {
		path string
		want error
	}{
		"text":              {write("text.db", strings.Repeat("not a database\n", 500)), ErrNotDatabase},
		"short":             {write("short.db", "x"), ErrNotDatabase},
		"broken":            {broken.path, ErrNotDatabase},
		"foreign":           {foreign, ErrNotDatabase},
		"folder":            {filepath.Join(folder, "sub.db"), ErrNotDatabase},
		"device":            {"/dev/null", ErrNotDatabase},
		"newer":             {ours.path, ErrNewer},
		"file as folder":    {filepath.Join(foreign, "console.db"), syscall.ENOTDIR},
		"unwritable folder": {"/proc/1/console.db", nil},
		"no such place":     {"/proc/no-such-folder/console.db", nil},
	} {
		s, err := Open(t.Context(), tc.path)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(err.Error(), "\n") || name != "no such place" && !strings.Contains(err.Error(), tc.path) && !strings.Contains(err.Error(), filepath.Dir(tc.path)) {
			t.Errorf("%s: %q", name, err)
		}
		t.Logf("%s: %v", name, err)
	}
	if after, err := os.ReadFile(foreign); err != nil || string(after) != string(theirs) {
		t.Error("a file of another program was changed")
	}
}

func TestOpen_KnowsNetworkFileSystems(t *testing.T) {
	t.Parallel()
	for magic, name := range map[uint32]string{0x6969: "NFS", 0xFF534D42: "CIFS", 0x65735546: "FUSE"} {
		equal(t, name, networkMagic[magic], name)
	}
	for _, local := range []uint32{0xEF53, 0x58465342, 0x794c7630, 0x01021994} { // ext4, xfs, overlay, tmpfs
		equal(t, "local", networkMagic[local], "")
	}
	_, err := networkFileSystem(filepath.Join(t.TempDir(), "missing"))
	if !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a missing folder: %v", err)
	}
}

func TestOpen_ManyAtOnceOnAFreshFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "console.db")
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			var s *Store
			if s, errs[i] = Open(context.Background(), path); errs[i] == nil {
				errs[i] = errors.Join(s.Ping(context.Background()), s.Close())
			}
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
}

// BenchmarkOpen opens a database that is up to date, as every start does.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "console.db")
	must(b, openAt(b, path).Close())
	for b.Loop() {
		must(b, openAt(b, path).Close())
	}
}

func TestLock_IsExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "console.lock")
	unlock, err := Lock(path)
	must(t, err)
	if _, err := Lock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	must(t, unlock())
	unlock, err = Lock(path)
	must(t, err)
	must(t, unlock())
	if _, err := Lock(filepath.Join(path, "x")); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("a lock that cannot be: %v", err)
	}
}

func TestPing_FailsOnceClosed(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	must(t, s.Ping(t.Context()))
	must(t, s.Close())
	if s.Ping(t.Context()) == nil {
		t.Error("a closed database answers")
	}
}

// The driver is generated for exactly one version of its C library.
func TestModules_LibcIsTheOneThatSQLitePins(t *testing.T) {
	t.Parallel()
	list := func(format, module string) string {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-mod=readonly", "-m", "-f", format, module).CombinedOutput()
		if err != nil {
			t.Fatalf("go list -m %s: %v\n%s", module, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	gomod, err := os.ReadFile(list("{{.GoMod}}", "modernc.org/sqlite"))
	must(t, err)
	want := "modernc.org/libc " + list("{{.Version}}", "modernc.org/libc")
	if !strings.Contains(string(gomod), "\t"+want+"\n") {
		t.Errorf("modernc.org/sqlite does not pin %s", want)
	}
}
