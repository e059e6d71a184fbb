package sqlite

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

func TestFold_IsStableAndTheShortWayIsTheLongOne(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		once := fold(string(r))
		if twice := fold(once); twice != once {
			t.Errorf("U+%04X: %q folds to %q", r, once, twice)
		}
		if long := foldAny(string(r)); long != once {
			t.Errorf("U+%04X: the short way makes %q, the long one %q", r, once, long)
		}
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	alphabet := []rune("aZ09 ．，。、（）《》“’ＡｚＺ～！中文字費\u3000\n\t~\u0301éǅßΣςﬁ①㎏ｶﾞ\u200b\u00ad\ufeff한\u1112\u1161\u11ab")
	for range 20_000 {
		var b strings.Builder
		for range random.IntN(8) {
			b.WriteRune(alphabet[random.IntN(len(alphabet))])
		}
		s := b.String()
		if once := fold(s); fold(once) != once || foldAny(s) != once {
			t.Fatalf("seed %d: %q: %q, then %q; the long way %q", seed, s, once, fold(once), foldAny(s))
		}
	}
}

// Each pair is the same to a search, whichever of the two is on record and which is asked
// for: on the page, in the count and in an export.
func TestSearch_FoldsWidthAndCaseOnBothSides(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin := person(t, s, "lin", correction.Agent)
	pairs := [][2]string{
		{"XQ-0718", "ｘｑ－０７１８"}, {"ΣΊΣΥΦΟΣ", "σίσυφος"}, {"STRASSE", "straße"}, {"ЁЛКА", "ёлка"}, {"fine", "ﬁne"}, {"第3柜", "第③柜"}, {"10kg", "10㎏"},
		{"ガス", "ｶﾞｽ"}, {"café", "CAFE\u0301"}, {"Ǆ", "ǆ"}, {"电话机", "电\u200b话\ufeff机"}, {"softhyphen", "soft\u00adhyphen"}, {"½杯", "1⁄2杯"}, {"ＡＢＣ１２", "abc12"},
		{"№7", "no7"}, {"豈料", "\uf900料"}, {"half width", "half\u00a0width"}, {"ideo graph", "ideo\u3000graph"}, {"variant\ufe0f", "variant"}, {"Ⅻ号", "xii号"},
	}
	all := correction.Scope{All: true}
	for i, p := range pairs {
		for side := range 2 {
			c := sample(lin.ID, ref("A"+strings.Repeat("x", i)+[]string{"l", "r"}[side]), t0)
			c.Note, c.Ticket = "说明："+p[side]+"。", ""
			id := prepare(t, s, c)
			for _, asked := range []string{p[0], p[1], " " + p[1-side] + "\u200b", "\ufeff" + p[side]} {
				f := changelog.LogFilter{Scope: all, Text: asked, OutOrderNo: c.Ref.OutOrderNo}
				rows, _, err := s.Log(t.Context(), f, changelog.Page{Limit: 9})
				must(t, err)
				n, _, err := s.Count(t.Context(), f, 9)
				must(t, err)
				exported := 0
				must(t, s.Export(t.Context(), f, changelog.ByTime, func(rows []correction.Summary) error { exported += len(rows); return nil }))
				if len(rows) != 1 || rows[0].ID != id || n != 1 || exported != 1 {
					t.Errorf("%q on record, %q asked for: %d on the page, count %d, %d exported", p[side], asked, len(rows), n, exported)
				}
			}
		}
	}
	// Without another condition the index alone decides.
	for _, p := range pairs {
		f := [2]changelog.LogFilter{{Scope: all, Text: p[0]}, {Scope: all, Text: p[1]}}
		var found [2]int
		for i := range f {
			rows, _, err := s.Log(t.Context(), f[i], changelog.Page{Limit: 100})
			must(t, err)
			n, _, err := s.Count(t.Context(), f[i], 100)
			must(t, err)
			if found[i] = len(rows); n != len(rows) {
				t.Errorf("%q: %d on the page, count %d", f[i].Text, len(rows), n)
			}
		}
		if found[0] != found[1] || found[0] < 2 {
			t.Errorf("%q finds %d, %q %d", p[0], found[0], p[1], found[1])
		}
	}
}

// The index of a database that an older version of the program filled is made anew.
func TestMigrate_FoldsTheSearchIndexAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "console.db")
	s := openAt(t, path)
	c := sample(person(t, s, "lin", correction.Agent).ID, ref("A"), t0)
	c.Note = "ΣΊΣΥΦΟΣ ﬁne"
	id := prepare(t, s, c)
	must(t, s.Close())
	db, err := sql.Open("sqlite", migrationDSN(path))
	must(t, err)
	for _, text := range []string{`INSERT INTO search (search) VALUES ('delete-all')`, `INSERT INTO search (rowid, pieces) VALUES (1, 'Σ ΣΊ ﬁ ﬁn n ne e')`, `DELETE FROM goose_db_version WHERE version_id >= 14`} {
		_, err := db.Exec(text)
		must(t, err)
	}
	must(t, db.Close())
	s = openAt(t, path)
	for _, asked := range []string{"σίσυφος", "FINE", "ΣΊΣΥΦΟΣ"} {
		rows, _, err := s.Log(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}, Text: asked}, changelog.Page{Limit: 9})
		must(t, err)
		if len(rows) != 1 || rows[0].ID != id {
			t.Errorf("%q finds %d", asked, len(rows))
		}
	}
}
