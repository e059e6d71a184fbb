package auth_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to read the record beside the store

	"correction-console/internal/auth"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// database is the console's database. The record of what happened has no reader in
// the console, so the tests read it from the file.
type database struct {
	*sqlite.Store
	file *sql.DB
}

func openStore(t testing.TB) *database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "console.db")
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		file.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &database{Store: s, file: file}
}

func (d *database) add(t testing.TB, u sqlite.UserSpec) auth.User {
	t.Helper()
	if err := d.AddUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	added, err := d.UserByName(t.Context(), u.Username)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

func (d *database) disable(t testing.TB, username string) {
	t.Helper()
	if err := d.SetDisabled(t.Context(), username, true); err != nil {
		t.Fatal(err)
	}
}

// audit is the record without what the command line did.
func (d *database) audit(t testing.TB) []correction.AuditEntry {
	t.Helper()
	rows, err := d.file.QueryContext(t.Context(), `
		SELECT at_ms, COALESCE(user_id, 0), action, detail, ip FROM audit WHERE action NOT LIKE 'user.%' ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var entries []correction.AuditEntry
	for rows.Next() {
		var e correction.AuditEntry
		var ms int64
		if err := rows.Scan(&ms, &e.UserID, &e.Action, &e.Detail, &e.IP); err != nil {
			t.Fatal(err)
		}
		e.At = time.UnixMilli(ms).UTC()
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return entries
}

// last is the newest entry of the record.
func (d *database) last(t testing.TB) correction.AuditEntry {
	t.Helper()
	entries := d.audit(t)
	if len(entries) == 0 {
		t.Fatal("nothing is on record")
	}
	return entries[len(entries)-1]
}
