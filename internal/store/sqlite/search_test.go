package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// A word of any kind, cut out of the texts of a correction, finds that correction.
func TestSearch_FindsWhateverOccurs(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	all, _, _ := variety(t, s, 400, rand.New(rand.NewPCG(logSeed, 6)))
	rapid.Check(t, func(t *rapid.T) {
		x := all[rapid.IntRange(0, len(all)-1).Draw(t, "correction")]
		texts := append([]string{x.Outgoing, x.Note, x.Ticket, x.Ref.OutOrderNo, x.Reason.ZH, x.Reason.EN, x.MerchantName, x.Ref.SubMchID, x.ServiceName, x.Ref.ServiceID, x.AuthorLogin, x.AuthorName, fmt.Sprint(x.ID)}, x.devices...)
		var asked []string
		for range rapid.IntRange(1, 3).Draw(t, "words") {
			text := []rune(texts[rapid.IntRange(0, len(texts)-1).Draw(t, "text")])
			if len(text) == 0 {
				continue
			}
			from := rapid.IntRange(0, len(text)-1).Draw(t, "from")
			word := string(text[from:min(len(text), from+rapid.IntRange(1, 9).Draw(t, "length"))])
			if strings.Contains(string(text), fmt.Sprint(x.ID)) {
				word = string(text)
			}
			switch rapid.IntRange(0, 3).Draw(t, "form") {
			case 0:
				word = strings.ToUpper(word)
			case 1:
				word = strings.Map(func(r rune) rune {
					if r > ' ' && r <= '~' {
						return r + 0xfee0
					}
					return r
				}, word)
			}
			asked = append(asked, word)
		}
		q := strings.Join(asked, " ")
		f := changelog.LogFilter{Scope: correction.Scope{All: true}, Text: q}
		if !x.hasWords(q) { // upper case of other alphabets is not folded
			t.Skip()
		}
		rows, _, err := s.Log(context.Background(), f, changelog.Page{Limit: 400})
		if err != nil {
			t.Fatal(err)
		}
		var want, got []int64
		for _, y := range all {
			if y.hasWords(q) {
				want = append(want, y.ID)
			}
		}
		for _, r := range rows {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q finds %v, should %v", q, got, want)
		}
	})
}

// A name is searched as it is now, not as it was.
func TestSearch_FindsByTheNamesOfNow(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin := person(t, s, "lin", correction.Agent)
	id := prepare(t, s, sample(lin.ID, ref("A"), t0))
	other := sample(lin.ID, correction.Ref{SubMchID: "77", ServiceID: "9", OutOrderNo: "B"}, t0)
	prepare(t, s, other)
	finds := func(text string, want ...int64) {
		t.Helper()
		rows, _, err := s.Log(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}, Text: text}, changelog.Page{Limit: 9})
		must(t, err)
		var got []int64
		for _, r := range rows {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
	finds("云海")
	must(t, s.PutMerchant(t.Context(), correction.Merchant{SubMchID: "1900000109", Name: "云海共享"}))
	finds("云海", id)
	finds("海共 lin", id)
	must(t, s.PutMerchant(t.Context(), correction.Merchant{SubMchID: "1900000109", Name: "星河租赁"}))
	finds("云海")
	finds("星", id)
}

// What is on record before the index is, is found as well as what comes later, and
// nothing of the index changes when it is made anew.
func TestReindex_IsWhatWasKeptUp(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	variety(t, s, 700, rand.New(rand.NewPCG(logSeed, 7)))
	contents := func() (out []string) {
		rows, err := s.reader.db.QueryContext(t.Context(), `
			SELECT 'bits ' || f.kind || ' ' || f.value || ' ' || (b.key & 4294967295) || ' ' || hex(b.bits) FROM facet_block b JOIN facet f ON f.n = b.key >> 32 WHERE b.bits <> x''
			UNION ALL SELECT 'measure ' || key || ' ' || hex(bytes) FROM measure
			UNION ALL SELECT 'stretch ' || block || ' ' || n || ' ' || since_ms || ' ' || reach_ms FROM stretch ORDER BY 1`)
		out, err = collect(rows, err, func(r scanner) (line string, err error) { return line, r.Scan(&line) })
		must(t, err)
		return out
	}
	kept := contents()
	db, err := sql.Open("sqlite", migrationDSN(s.path)) // without guards on the connection
	must(t, err)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	must(t, Reindex(t.Context(), tx))
	must(t, tx.Commit())
	s.directories.forget()
	made := contents()
	for i := range max(len(kept), len(made)) {
		if i >= len(kept) || i >= len(made) || kept[i] != made[i] {
			t.Fatalf("line %d of %d and %d:\n%.300s\n%.300s", i, len(kept), len(made), kept[min(i, len(kept)-1)], made[min(i, len(made)-1)])
		}
	}
	rows, _, err := s.Log(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}, Text: "雨伞"}, changelog.Page{Limit: 900})
	must(t, err)
	if len(rows) == 0 {
		t.Error("nothing is found after the index was made anew")
	}
}

func TestCodes_KeepTheOrder(t *testing.T) {
	t.Parallel()
	last := 0
	for v := int64(1); v < 3_000_000; v = v + 1 + v/500 {
		if code := amountCode(v); code < last || code > 255 {
			t.Fatalf("%d has code %d after %d", v, code, last)
		} else {
			last = code
		}
	}
	if code := amountCode(mostFen); code > 255 {
		t.Errorf("the largest amount has code %d", code)
	}
	for base := int64(1); base < 400; base++ {
		last := 0
		for r := int64(1); r <= base; r++ {
			code := shareCode(r, base)
			if code < last || code > 255 || (code%2 == 1) != (r*100%base == 0) {
				t.Fatalf("%d of %d has code %d after %d", r, base, code, last)
			}
			last = code
		}
	}
}

func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestViews_AreNamedOnceBoundedAndShared(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	lin, zhou := person(t, s, "lin", correction.Agent), person(t, s, "zhou", correction.Supervisor)
	save := func(owner int64, name string, shared bool) (int64, error) {
		return s.SaveFilter(t.Context(), changelog.SavedFilter{OwnerID: owner, Name: name, Query: "state=applied", Shared: shared, CreatedAt: t0}, "10.0.0.1")
	}
	mine, err := save(lin.ID, "b 我的", false)
	must(t, err)
	_, err = save(lin.ID, "b 我的", true)
	is(t, err, correction.ErrTaken)
	shared, err := save(zhou.ID, "a 大额", true)
	must(t, err)
	_, err = save(zhou.ID, "c", false)
	must(t, err)
	list, err := s.SavedFilters(t.Context(), lin.ID)
	must(t, err)
	want := []changelog.SavedFilter{
		{ID: shared, OwnerID: zhou.ID, OwnerName: "Name of zhou", Name: "a 大额", Query: "state=applied", Shared: true, CreatedAt: t0},
		{ID: mine, OwnerID: lin.ID, OwnerName: "Name of lin", Name: "b 我的", Query: "state=applied", CreatedAt: t0},
	}
	if !slices.Equal(list, want) {
		t.Errorf("got %+v\nwant %+v", list, want)
	}
	is(t, s.DeleteFilter(t.Context(), lin.ID, shared, "", t0), correction.ErrNoRow)
	must(t, s.DeleteFilter(t.Context(), lin.ID, mine, "10.0.0.1", t0.Add(time.Second)))
	is(t, s.DeleteFilter(t.Context(), lin.ID, mine, "", t0), correction.ErrNoRow)
	for i := range changelog.MaxSavedFilters {
		_, err := save(lin.ID, fmt.Sprint(i), false)
		must(t, err)
	}
	_, err = save(lin.ID, "one more", false)
	is(t, err, correction.ErrFull)
	rows, err := s.reader.query(t.Context(), `SELECT action || ' ' || user_id || ' ' || ip || ' ' || at_ms || ' ' || detail FROM audit WHERE action LIKE 'view.%' ORDER BY id LIMIT 4`)
	entries, err := collect(rows, err, func(r scanner) (line string, err error) { return line, r.Scan(&line) })
	must(t, err)
	const detail = `{"name":"b 我的","query":"state=applied","shared":false}`
	equal(t, "first entry", entries[0], fmt.Sprintf("view.save %d 10.0.0.1 %d %s", lin.ID, t0.UnixMilli(), detail))
	equal(t, "entry of the deletion", entries[3], fmt.Sprintf("view.delete %d 10.0.0.1 %d %s", lin.ID, t0.UnixMilli()+1000, detail))
}
