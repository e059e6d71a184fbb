package ledger

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// record is a log as the store keeps it: the entries, and the hashes of each row.
type record struct {
	entries []Entry
	rows    rows
	points  []Checkpoint // of each size
}

// newRecord makes a log of some corrections whose events interleave.
func newRecord(t testing.TB, corrections int) record {
	t.Helper()
	var r record
	var tree Tree
	r.points = append(r.points, Checkpoint{Root: tree.Root(), AtMS: sampleTime})
	for n := range 4 {
		for id := range corrections {
			e := entries()[n]
			e.CorrectionID, e.Salt = int64(id+1), sum([]byte{byte(id)})
			if err := e.Check(); err != nil {
				t.Fatal(err)
			}
			_, row := tree.Append(e.Leaf(nil))
			r.entries, r.rows = append(r.entries, e), append(r.rows, row)
			r.points = append(r.points, Checkpoint{tree.Size(), tree.Root(), sampleTime + tree.Size()})
		}
	}
	return r
}

func (r record) clone() record {
	c := record{slices.Clone(r.entries), slices.Clone(r.rows), r.points}
	for i := range c.rows {
		c.rows[i] = bytes.Clone(c.rows[i])
	}
	return c
}

// audit returns what an audit of the log finds.
func (r record) audit(points ...Checkpoint) error {
	a := NewAudit()
	a.ExpectAt(points...)
	for i, e := range r.entries {
		if err := a.Add(e, r.rows[i]); err != nil {
			return err
		}
	}
	return a.Finish()
}

// rewrite computes all hashes again, as somebody would who can write the database.
func (r *record) rewrite() {
	var tree Tree
	r.rows = nil
	for _, e := range r.entries {
		_, row := tree.Append(e.Leaf(nil))
		r.rows = append(r.rows, row)
	}
}

func TestAudit_FindsNothingInAnHonestLog(t *testing.T) {
	t.Parallel()
	r := newRecord(t, 40)
	if err := r.audit(); err != nil {
		t.Error(err)
	}
	points := slices.Clone(r.points)
	rand.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	if err := r.audit(points...); err != nil {
		t.Error(err)
	}
	a := NewAudit()
	for i := range r.entries {
		a.ExpectAt(r.points[i], r.points[i+1])
		if err := a.Add(r.entries[i], r.rows[i]); err != nil {
			t.Fatal(err)
		}
		if a.Size() != int64(i+1) || a.Root() != r.points[i+1].Root {
			t.Fatalf("at %d: size %d, root %v", i+1, a.Size(), a.Root())
		}
	}
	for i := range r.entries {
		r.entries[i] = r.entries[i].Erase()
	}
	if err := r.audit(r.points...); err != nil {
		t.Errorf("all texts erased: %v", err)
	}
}

func TestAuditFrom_TakesTheRestOfTheLog(t *testing.T) {
	t.Parallel()
	r := newRecord(t, 10)
	for from := range len(r.entries) + 1 {
		tree, err := LoadTree(int64(from), r.rows.row)
		if err != nil {
			t.Fatal(err)
		}
		a := AuditFrom(tree)
		a.ExpectAt(r.points[from:]...)
		for i := from; i < len(r.entries); i++ {
			if err := a.Add(r.entries[i], r.rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Finish(); err != nil {
			t.Fatalf("from %d: %v", from, err)
		}
	}
}

func TestAudit_NamesTheFirstWrongRow(t *testing.T) {
	t.Parallel()
	whole := newRecord(t, 10)
	last := len(whole.entries) - 1
	for i := range whole.entries {
		id, n := whole.entries[i].CorrectionID, whole.entries[i].N
		for name, o := range map[string]struct {
			change func(r *record)
			want   Fault
		}{
			"altered":       {func(r *record) { r.entries[i].AtMS++ }, Fault{int64(i), id, n, FaultEntry, Checkpoint{}, nil}},
			"text altered":  {func(r *record) { r.entries[i].Detail = []byte(`{ }`) }, Fault{int64(i), id, n, FaultEntry, Checkpoint{}, nil}},
			"leaf altered":  {func(r *record) { r.rows[i][0] ^= 1 }, Fault{int64(i), id, n, FaultEntry, Checkpoint{}, nil}},
			"no hashes":     {func(r *record) { r.rows[i] = nil }, Fault{int64(i), id, n, FaultEntry, Checkpoint{}, nil}},
			"hash altered":  {func(r *record) { r.rows[i][len(r.rows[i])-1] ^= 1 }, Fault{int64(i), id, n, whatIf(len(r32(whole.rows[i])) > 1, FaultHashes, FaultEntry), Checkpoint{}, nil}},
			"hash too many": {func(r *record) { r.rows[i] = append(r.rows[i], make([]byte, 32)...) }, Fault{int64(i), id, n, FaultHashes, Checkpoint{}, nil}},
			"salt gone":     {func(r *record) { r.entries[i].Salt = nil }, Fault{int64(i), id, n, FaultForm, Checkpoint{}, ErrForm}},
			"rewritten":     {func(r *record) { r.entries[i].AtMS++; r.rewrite() }, Fault{int64(i), 0, 0, FaultRoot, whole.points[i+1], nil}},
			"cut": {func(r *record) { r.entries = r.entries[:i] },
				Fault{int64(i), 0, 0, FaultCut, whole.points[i+1], nil}},
			"taken out": {func(r *record) {
				r.entries = slices.Delete(r.entries, i, i+1)
				r.rewrite()
			}, Fault{int64(i), 0, 0, whatIf(i == last, FaultCut, FaultRoot), whole.points[i+1], nil}},
			"put in": {func(r *record) {
				r.entries = slices.Insert(r.entries, i, with(applied(), func(e *Entry) { e.CorrectionID = 99 }))
				r.rewrite()
			}, Fault{int64(i), 0, 0, FaultRoot, whole.points[i+1], nil}},
			"moved": {func(r *record) {
				j := (i + 1) % len(r.entries)
				r.entries[i], r.entries[j] = r.entries[j], r.entries[i]
				r.rewrite()
			}, Fault{int64(i) % int64(last), 0, 0, FaultRoot, whole.points[i%last+1], nil}},
		} {
			r := whole.clone()
			o.change(&r)
			err := r.audit(whole.points...)
			var got *Fault
			if !errors.As(err, &got) || !errors.Is(err, o.want.Err) && o.want.Err != nil {
				t.Fatalf("%s at %d: %v", name, i, err)
			}
			if o.want.Err == nil && *got != o.want || got.Index != o.want.Index || got.What != o.want.What {
				t.Errorf("%s at %d: found %+v, want %+v", name, i, *got, o.want)
			}
		}
	}
}

func whatIf(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// r32 cuts a row into its hashes.
func r32(row []byte) [][]byte { return slices.Collect(slices.Chunk(row, 32)) }

func TestAudit_GoesNoFurtherThanTheFirstFault(t *testing.T) {
	t.Parallel()
	r := newRecord(t, 3)
	a := NewAudit()
	first := a.Add(r.entries[1], r.rows[0])
	if first == nil {
		t.Fatal("a wrong entry is not found")
	}
	if err := a.Add(r.entries[1], r.rows[1]); err != first {
		t.Errorf("the next row: %v, want %v", err, first)
	}
	if a.Size() != 1 {
		t.Errorf("it went on to %d", a.Size())
	}
	a.ExpectAt(r.points[9])
	if err := a.Finish(); err != first {
		t.Errorf("the end: %v, want %v", err, first)
	}
}

func TestAudit_TakesNoCheckpointThatItIsPast(t *testing.T) {
	t.Parallel()
	r := newRecord(t, 3)
	a := NewAudit()
	for i := range 4 {
		if err := a.Add(r.entries[i], r.rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	a.ExpectAt(r.points[3])
	var f *Fault
	if err := a.Finish(); err == nil || errors.As(err, &f) {
		t.Errorf("a checkpoint that was not compared: %v", err)
	}
	a = NewAudit()
	a.ExpectAt(Checkpoint{Size: 0, Root: r.points[1].Root})
	if err := a.Finish(); !errors.As(err, &f) || f.What != FaultRoot || f.Index != 0 {
		t.Errorf("another empty log: %v", err)
	}
	a = NewAudit()
	wrong := r.points[2]
	wrong.Root[0] ^= 1
	a.ExpectAt(r.points[2], wrong)
	a.Add(r.entries[0], r.rows[0])
	if err := a.Add(r.entries[1], r.rows[1]); !errors.As(err, &f) || f.What != FaultRoot || f.Checkpoint != wrong {
		t.Errorf("two checkpoints of one size: %v", err)
	}
}

func TestFault_SaysWhereAndWhat(t *testing.T) {
	t.Parallel()
	c := Checkpoint{12, [32]byte{}, sampleTime}
	for want, f := range map[string]Fault{
		"row 7 of the ledger (event 2 of correction 3): the entry is not what was recorded":                       {7, 3, 2, FaultEntry, Checkpoint{}, nil},
		"row 7 of the ledger (event 2 of correction 3): the hashes are not those of the tree":                     {7, 3, 2, FaultHashes, Checkpoint{}, nil},
		"row 7 of the ledger (event 2 of correction 3): not an entry of the ledger":                               {7, 3, 2, FaultForm, Checkpoint{}, ErrForm},
		"row 7 of the ledger: up to here the ledger is not the one of the checkpoint of 2026-11-18T11:06:40.123Z": {7, 0, 0, FaultRoot, c, nil},
		"the ledger ends after 7 of the 12 records of the checkpoint of 2026-11-18T11:06:40.123Z":                 {7, 0, 0, FaultCut, c, nil},
		"row 7 of the ledger: something else":                                                                     {7, 0, 0, "something else", c, nil},
	} {
		if got := f.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestAudit_FindsAnyByteThatIsAltered alters the log at random, as trust.md §6.10 asks.
func TestAudit_FindsAnyByteThatIsAltered(t *testing.T) {
	t.Parallel()
	whole := newRecord(t, 25)
	end := whole.points[len(whole.points)-1]
	for range 1000 {
		r := whole.clone()
		i := rand.IntN(len(r.entries))
		e := &r.entries[i]
		if o := e.Origin; o != nil {
			c := *o
			e.Origin = &c
		}
		switch rand.IntN(6) {
		case 0:
			r.rows[i][rand.IntN(len(r.rows[i]))] ^= 1 << rand.IntN(8)
		case 1:
			e.Detail = flip(e.Detail)
			r.rewrite()
		case 2:
			e.Salt = flip(e.Salt)
			r.rewrite()
		case 3:
			r.entries = r.entries[:i]
		case 4:
			if e.Origin == nil {
				e.Actor += 1 + rand.Int64N(9)
			} else {
				e.Origin.Body = flip(e.Origin.Body)
			}
			r.rewrite()
		case 5:
			r.entries = slices.Delete(r.entries, i, i+1)
			r.rewrite()
		}
		var f *Fault
		if err := r.audit(end); !errors.As(err, &f) {
			t.Fatalf("row %d: %v", i, err)
		}
	}
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[rand.IntN(len(b))] ^= 1 << rand.IntN(8)
	return b
}

func BenchmarkAudit(b *testing.B) {
	e := applied()
	e.Detail = []byte(strings.Repeat("x", 1<<10))
	a := NewAudit()
	var tree Tree
	leaf := e.Leaf(nil)
	b.ReportAllocs()
	for b.Loop() {
		_, row := tree.Append(leaf)
		if err := a.Add(e, row); err != nil {
			b.Fatal(err)
		}
	}
}
