package sqlite

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever page begins a table or an index is damaged: SQLite's own checks come first, and
// name the table.
func TestVerify_NamesTheTableThatIsDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "console.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	lives(t, s, rand.New(rand.NewPCG(1, 2)), 20)
	type root struct {
		name, table string
		page        int64
	}
	rows, err := s.reader.query(t.Context(), `SELECT name, tbl_name, rootpage FROM sqlite_schema WHERE rootpage > 1`)
	roots, err := collect(rows, err, func(r scanner) (x root, err error) { return x, r.Scan(&x.name, &x.table, &x.page) })
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	if err := s.reader.row(t.Context(), `PRAGMA page_size`).Scan(&size); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tried, named := 0, 0
	for _, r := range roots {
		broken := append([]byte{}, whole...)
		for i := range int64(8) { // the header of the page
			broken[(r.page-1)*size+i] = 0xff
		}
		copied := filepath.Join(t.TempDir(), "copy.db")
		if err := os.WriteFile(copied, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Verify(t.Context(), copied, nil)
		tried++
		var fault *Fault
		if !errors.As(err, &fault) {
			t.Errorf("%s: %v", r.name, err)
		} else if strings.Contains(fault.What, r.table) {
			named++
		} else {
			t.Errorf("%s of %s is not named: %v", r.name, r.table, err)
		}
	}
	t.Logf("%d pages damaged, %d tables named", tried, named)
	if tried < 30 {
		t.Errorf("only %d tables and indexes", tried)
	}
}
