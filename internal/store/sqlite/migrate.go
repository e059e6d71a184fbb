package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// searchSchema is the schema of migration 5, which fills it as well.
//
//go:embed migrations/go/00005_search.sql
var searchSchema string

// newestVersion is the version of the schema that this program needs.
var newestVersion = sync.OnceValue(func() int64 {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil { // a constant pattern: cannot fail
		panic(err)
	}
	var newest int64
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil { // our own names
			panic(err)
		}
		newest = max(newest, v)
	}
	for _, m := range inGo {
		newest = max(newest, m.Version)
	}
	return newest
})

// inGo are the migrations that SQL alone cannot do.
var inGo = []*goose.Migration{
	goose.NewGoMigration(3, &goose.GoFunc{RunTx: proveOldEvents}, nil),
	goose.NewGoMigration(5, &goose.GoFunc{RunTx: indexOldCorrections}, nil),
	goose.NewGoMigration(12, &goose.GoFunc{RunTx: foldOldNames}, nil),
	goose.NewGoMigration(14, &goose.GoFunc{RunTx: Reindex}, nil), // texts are folded in another way than before
}

// indexOldCorrections makes the search index with what it holds of corrections that are
// on record already.
func indexOldCorrections(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, searchSchema); err != nil {
		return fmt.Errorf("make the tables of the search index: %w", err)
	}
	return Reindex(ctx, tx)
}

// migrate brings the schema up to date, on a connection of its own that no
// authorizer guards. Processes that come at the same time wait for each other.
func migrate(ctx context.Context, path string) (err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("lock the database's folder: %w", err)
	}
	defer folder.Close()
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the database's folder: %w", err)
	}
	c, err := sqlite.NewConnector(migrationDSN(path))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(inGo...))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring %s up to date: %w", path, err)
	}
	return nil
}
