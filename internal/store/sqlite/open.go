package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"modernc.org/sqlite"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/insights"
)

var (
	_ correction.Store = (*Store)(nil)
	_ changelog.Store  = (*Store)(nil)
	_ insights.Store   = (*Store)(nil)
	_ dayclose.Store   = (*Store)(nil)
	_ auth.Store       = (*Store)(nil)
)

// Why a database cannot be opened. The errors of Open that wrap them name the path
// and fit on one line.
var (
	ErrNotDatabase   = errors.New("not a database of the console")
	ErrNewer         = errors.New("made by a newer version of the console")
	ErrNetworkFolder = errors.New("on a network file system, where a database is not safe")
)

// applicationID marks a database file as one of the console ("CORR").
const applicationID = 0x434F5252

// readers is how many connections read for the pages beside the one that writes.
const readers = 4

// Store is an open database. Safe for concurrent use.
type Store struct {
	path   string
	writer pool
	reader readPool
	heavy  readPool // what goes through much of the record
	search readPool // filters and totals of the change log
	export readPool

	units   chan *unit
	closing chan struct{}
	closed  chan struct{} // the writer's goroutine has ended
	close   sync.Once
	broken  atomic.Bool
	tree    tree // of the writer's goroutine

	log      logBounds
	tending  atomic.Bool
	tended   sync.WaitGroup
	logEmpty chan chan struct{}
	logRests atomic.Int64 // the log is left alone until then
	logSpare atomic.Int64 // no read is ended for its sake until then

	effort  effort
	numbers map[facet]int64 // of the writer's goroutine: facets on record
	pieces  pieces          // of the writer's goroutine

	checkpoints checkpoints
	directories directories
	facts       facts
	totals      totals

	boot    string // of this process, in the record of each intent
	started time.Time
	now     func() time.Time // for what the command line does
}

// Open opens the database at path, which it creates, folder and all, or brings up
// to date. Close it after use. The errors name what is wrong in one line.
func Open(ctx context.Context, path string) (*Store, error) {
	processSettings()
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the database: %w", err)
	}
	fresh, err := prepareFile(path)
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := migrate(ctx, path); err != nil {
			return nil, err
		}
	}
	s, err := open(ctx, path)
	if err != nil {
		return nil, err
	}
	have, err := s.version(ctx)
	if err == nil && have > newestVersion() {
		err = fmt.Errorf("%s was %w: its schema is %d, this program knows %d", path, ErrNewer, have, newestVersion())
	}
	if err != nil {
		s.discard()
		return nil, err
	}
	if have == newestVersion() {
		return s, nil
	}
	s.discard()
	if err := migrate(ctx, path); err != nil {
		return nil, err
	}
	return open(ctx, path)
}

func open(ctx context.Context, path string) (*Store, error) {
	s := &Store{
		path: path, started: time.Now(), now: time.Now, effort: usualEffort, log: usualLog,
		units: make(chan *unit), closing: make(chan struct{}), closed: make(chan struct{}), logEmpty: make(chan chan struct{}),
	}
	boot := make([]byte, 16)
	rand.Read(boot)
	s.boot = hex.EncodeToString(boot)
	s.writer.note = s.note
	s.writer.db = sql.OpenDB(connector{writing, writerDSN(path)})
	s.writer.db.SetMaxOpenConns(1)
	s.writer.db.SetMaxIdleConns(1)
	s.reader.open(path, lightReads, s.note)
	s.heavy.open(path, heavyReads, s.note)
	s.search.open(path, searchReads, s.note)
	s.export.open(path, exportReads, s.note)
	if err := s.writer.db.PingContext(ctx); err != nil {
		close(s.closed)
		s.discard()
		return nil, openError(path, err)
	}
	go s.commitUntilClosed()
	return s, nil
}

// version is the version of the schema, 0 when there is none.
func (s *Store) version(ctx context.Context) (int64, error) {
	var v int64
	err := s.writer.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`).Scan(&v)
	if err == nil && v > 0 {
		err = s.writer.db.QueryRowContext(ctx, `SELECT COALESCE(max(version_id), 0) FROM goose_db_version`).Scan(&v)
	}
	if err != nil {
		return 0, openError(s.path, err)
	}
	return v, nil
}

// openError names the path; what SQLite says of a file that it cannot read as a
// database is ErrNotDatabase.
func openError(path string, err error) error {
	if hasCode(err, codeNotADB, codeCorrupt) {
		return fmt.Errorf("%s is %w: %w", path, ErrNotDatabase, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	if err := s.reader.row(ctx, `SELECT 1 FROM transition LIMIT 1`).Scan(&n); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}

// Close moves everything from the write-ahead log into the database file and
// closes it.
func (s *Store) Close() error {
	s.stopWriter()
	err := errors.Join(s.reader.close(), s.heavy.close(), s.search.close(), s.export.close())
	// Busy while another process has the database open; that one does it then.
	_, checkpoint := s.writer.db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	if err = errors.Join(err, checkpoint, s.writer.close()); err != nil {
		return fmt.Errorf("close %s: %w", s.path, err)
	}
	return nil
}

// stopWriter waits until the work that was begun is committed.
func (s *Store) stopWriter() {
	s.close.Do(func() { close(s.closing) })
	<-s.closed
	s.tended.Wait()
}

// discard closes what was not opened successfully.
func (s *Store) discard() {
	s.stopWriter()
	s.reader.close()
	s.heavy.close()
	s.search.close()
	s.export.close()
	s.writer.close()
}

// processSettings sets what the driver keeps for the whole process. Locks by open
// file description survive it when something else in the process opens and closes
// the file; where the system has none, or the mode is fixed already, SQLite's usual
// locks do. fdatasync is as durable as fsync and waits less.
var processSettings = sync.OnceFunc(func() {
	sqlite.OFDLocking(true)
	sqlite.Fdatasync(true)
	sqlite.StrictPragmas(true)
})

// connector opens connections through one of our drivers.
type connector struct {
	driver *sqlite.Driver
	dsn    string
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.driver.Open(c.dsn)
}

func (c connector) Driver() driver.Driver { return c.driver }

// fileURI is the path as SQLite's URI; settings of a DSN follow it.
func fileURI(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

const hardening = "&_defensive=1&_dqs=0&_error_rc=1&_busy_timeout=5000&_foreign_keys=1" +
	"&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)"

// The savepoints of a group keep what they need to undo in memory, not in a file.
const durable = "&_journal_mode=WAL&_synchronous=FULL&_pragma=journal_size_limit(8388608)&_pragma=temp_store(2)"

func writerDSN(path string) string {
	return fileURI(path) + "?_txlock=immediate" + hardening + durable
}

func readerDSN(path string) string {
	return fileURI(path) + "?mode=ro&_query_only=1" + hardening
}

// migrationDSN is for the connection that changes the schema.
func migrationDSN(path string) string {
	return writerDSN(path) + fmt.Sprintf("&_pragma=application_id(%d)", applicationID)
}

// prepareFile checks the folder and the file and creates them when they are
// missing; fresh tells that the file is empty.
func prepareFile(path string) (fresh bool, err error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return false, fmt.Errorf("make the database's folder: %w", err)
	}
	if name, err := networkFileSystem(folder); err != nil {
		return false, fmt.Errorf("look at the file system of %s: %w", folder, err)
	} else if name != "" {
		return false, fmt.Errorf("%s is %w (%s)", folder, ErrNetworkFolder, name)
	}
	const write, search = 2, 1
	if err := syscall.Access(folder, write|search); err != nil {
		return false, fmt.Errorf("the database's folder is not writable: %w", &fs.PathError{Op: "access", Path: folder, Err: err})
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, syscall.EISDIR) {
		return false, fmt.Errorf("%s is %w: it is a folder", path, ErrNotDatabase)
	}
	if err != nil {
		return false, fmt.Errorf("open the database: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("open the database: %w", err)
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is %w: it is not a regular file", path, ErrNotDatabase)
	}
	if info.Size() == 0 {
		return true, nil
	}
	// The header says whose file it is, before SQLite changes anything in it.
	var header [100]byte
	if _, err := io.ReadFull(f, header[:]); err != nil || string(header[:16]) != "SQLite format 3\x00" {
		return false, fmt.Errorf("%s is %w", path, ErrNotDatabase)
	}
	if binary.BigEndian.Uint32(header[68:]) != applicationID {
		return false, fmt.Errorf("%s is %w: it belongs to another program", path, ErrNotDatabase)
	}
	return false, nil
}
