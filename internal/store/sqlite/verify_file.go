package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"modernc.org/sqlite"

	"correction-console/internal/correction"
)

// openCopy opens a file for reading only. One without a write-ahead log may lie in a
// folder that cannot be written.
func openCopy(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the database: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("find the database: %w", err)
	}
	dsn := fileURI(path) + "?mode=ro&_query_only=1&_dqs=0&_error_rc=1&_busy_timeout=5000&_pragma=trusted_schema(0)&_pragma=cache_size(-8192)"
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		dsn += "&immutable=1"
	}
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return sql.OpenDB(c), nil
}

// maxDamage bounds how many findings of SQLite's own checks are told.
const maxDamage = 20

// checkFile lets SQLite check the file itself: pages, indexes, constraints, and which row
// refers to which. Tables that are damaged are named.
func checkFile(ctx context.Context, tx *sql.Tx) error {
	found, err := integrity(ctx, tx, strconv.Itoa(maxDamage))
	if err == nil && len(found) == 0 {
		return checkReferences(ctx, tx)
	}
	// A page that cannot be read ends the check of the whole file. Table by table it tells.
	if err != nil && !hasCode(err, codeCorrupt) {
		return fmt.Errorf("check the file: %w", err)
	}
	if err != nil {
		found = append(found, err.Error())
	}
	rows, err := tx.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name`)
	tables, err := collect(rows, err, func(r scanner) (s string, err error) { return s, r.Scan(&s) })
	if err != nil {
		return fmt.Errorf("check the file: read the schema: %w", err)
	}
	damaged := slices.DeleteFunc(tables, func(name string) bool {
		found, err := integrity(ctx, tx, sqlText(name))
		return err == nil && len(found) == 0
	})
	where := "the file, in none of its tables"
	if len(damaged) > 0 {
		where = strings.Join(damaged, ", ")
	}
	return &Fault{What: "SQLite's own check finds damage in " + where + ": " + strings.Join(found, "; ")}
}

// integrity is what SQLite finds wrong, up to a number, or in one table.
func integrity(ctx context.Context, tx *sql.Tx, what string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `PRAGMA integrity_check(`+what+`)`)
	found, err := collect(rows, err, func(r scanner) (s string, err error) { return s, r.Scan(&s) })
	if len(found) == 1 && found[0] == "ok" {
		found = nil
	}
	return found, err
}

// sqlText is a name as SQL's text. Pragmas take no parameters.
func sqlText(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }

func checkReferences(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT "table", parent FROM pragma_foreign_key_check LIMIT ?`, maxDamage)
	found, err := collect(rows, err, func(r scanner) (string, error) {
		var child, parent string
		err := r.Scan(&child, &parent)
		return fmt.Sprintf("%s names rows of %s that are not there", child, parent), err
	})
	if err != nil {
		return fmt.Errorf("check which row refers to which: %w", err)
	}
	if len(found) > 0 {
		return &Fault{What: "rows are missing: " + strings.Join(found, "; ")}
	}
	return nil
}

// newSchema is the schema of a new database.
var newSchema = sync.OnceValues(func() (map[string]string, error) {
	folder, err := os.MkdirTemp("", "console-verify-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "console.db")
	if err := migrate(context.Background(), path); err != nil {
		return nil, err
	}
	db, err := openCopy(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return schemaOf(context.Background(), db)
})

// verifySchema compares the tables and the guards with those of a new database.
func verifySchema(ctx context.Context, tx *sql.Tx) error {
	want, err := newSchema()
	if err != nil {
		return fmt.Errorf("make a database to compare with: %w", err)
	}
	have, err := schemaOf(ctx, tx)
	if err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	for name, text := range want {
		if have[name] != text {
			return &Fault{What: fmt.Sprintf("the schema was altered: %s is missing or another", name)}
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			return &Fault{What: fmt.Sprintf("the schema was altered: %s does not belong there", name)}
		}
	}
	return nil
}

// verifyTransitions compares the table of legal steps, which guards look into, with
// the program's own.
func verifyTransitions(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT from_state, to_state FROM transition`)
	have, err := collect(rows, err, func(r scanner) (pair [2]correction.State, err error) {
		return pair, r.Scan(&pair[0], &pair[1])
	})
	if err != nil {
		return fmt.Errorf("read the legal steps: %w", err)
	}
	for _, pair := range have {
		if !pair[1].Follows(pair[0]) {
			return &Fault{What: fmt.Sprintf("the schema was altered: %s after %s is no legal step", pair[1], pair[0])}
		}
	}
	if len(have) != len(correction.Transitions()) {
		return &Fault{What: "the schema was altered: a legal step is missing"}
	}
	return nil
}

func schemaOf(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) (map[string]string, error) {
	all := map[string]string{}
	rows, err := db.QueryContext(ctx, `SELECT type || ' ' || name, COALESCE(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	_, err = collect(rows, err, func(r scanner) (struct{}, error) {
		var name, text string
		err := r.Scan(&name, &text)
		all[name] = text
		return struct{}{}, err
	})
	return all, err
}
