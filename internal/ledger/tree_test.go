package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// rows is the store of a log: the hashes that each record completed.
type rows [][]byte

func (r rows) row(i int64) ([]byte, error) {
	if i < 0 || i >= int64(len(r)) {
		return nil, errors.New("no such row")
	}
	return r[i], nil
}

func (r rows) reader() tlog.HashReader {
	return RowReader(func(is []int64) (map[int64][]byte, error) {
		found := map[int64][]byte{}
		for _, i := range is {
			if _, twice := found[i]; twice {
				return nil, fmt.Errorf("row %d is read twice", i)
			}
			if i < int64(len(r)) {
				found[i] = r[i]
			}
		}
		return found, nil
	})
}

// flat is the store that tlog itself describes.
type flat []tlog.Hash

func (f flat) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for k, i := range indexes {
		hashes[k] = f[i]
	}
	return hashes, nil
}

func leafOf(i int64) []byte { return fmt.Appendf(nil, "leaf %d", i) }

// grow makes a log of that size, and checks each step against tlog.
func grow(t *testing.T, size int64) (Tree, rows, flat) {
	t.Helper()
	var tree Tree
	var r rows
	var f flat
	for n := range size {
		want, err := tlog.StoredHashes(n, leafOf(n), f)
		if err != nil {
			t.Fatal(err)
		}
		f = append(f, want...)
		i, got := tree.Append(leafOf(n))
		if i != n || tree.Size() != n+1 || !bytes.Equal(got, joined(want)) {
			t.Fatalf("record %d: index %d, hashes %x, want %x", n, i, got, joined(want))
		}
		r = append(r, got)
	}
	return tree, r, f
}

func joined(hashes []tlog.Hash) (b []byte) {
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

func TestTree_IsThatOfTlog(t *testing.T) {
	t.Parallel()
	const most = 1025
	_, r, f := grow(t, most)
	var tree Tree
	for n := int64(0); ; n++ {
		want, err := tlog.TreeHash(n, f)
		if err != nil {
			t.Fatal(err)
		}
		byRows, err := tlog.TreeHash(n, r.reader())
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := LoadTree(n, r.row)
		if err != nil {
			t.Fatal(err)
		}
		if tree.Root() != want || byRows != want || loaded != tree || loaded.Root() != want {
			t.Fatalf("size %d: root %v, by rows %v, loaded %v, want %v", n, tree.Root(), byRows, loaded.Root(), want)
		}
		if n == most {
			break
		}
		tree.Append(leafOf(n))
	}
}

func TestRowReader_ReadsEachRowOnce(t *testing.T) {
	t.Parallel()
	_, r, f := grow(t, 40)
	indexes := make([]int64, len(f))
	for i := range indexes {
		indexes[i] = int64(i)
	}
	got, err := r.reader().ReadHashes(append(indexes, indexes...))
	if want := append(slices.Clone(f), f...); err != nil || !slices.Equal(got, want) {
		t.Errorf("read %v, %v; want %v", got, err, want)
	}
	broken := errors.New("broken")
	_, err = RowReader(func([]int64) (map[int64][]byte, error) { return nil, broken }).ReadHashes(indexes)
	if !errors.Is(err, broken) {
		t.Errorf("an error of read: %v", err)
	}
}

func TestTree_ProofsFromRowsAreThoseOfTlog(t *testing.T) {
	t.Parallel()
	for range 4 {
		size := 1 + rand.Int64N(20_000)
		tree, r, f := grow(t, size)
		if want, err := tlog.TreeHash(size, f); err != nil || tree.Root() != want {
			t.Fatalf("size %d: root %v, %v, want %v", size, tree.Root(), err, want)
		}
		for range 50 {
			n := rand.Int64N(size)
			proof, err := tlog.ProveRecord(size, n, r.reader())
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(proof, size, tree.Root(), n, tlog.RecordHash(leafOf(n))); err != nil {
				t.Fatalf("record %d of %d: %v", n, size, err)
			}
		}
	}
}

// A log whose leaves are all the same has one hash a level, so that logs of any size
// can be loaded.
func TestTree_GrowsFromAnySize(t *testing.T) {
	t.Parallel()
	leaf := []byte("same")
	level := []tlog.Hash{tlog.RecordHash(leaf)}
	for range 50 {
		level = append(level, tlog.NodeHash(level[len(level)-1], level[len(level)-1]))
	}
	row := func(i int64) ([]byte, error) { return joined(level[:rowSize(i)/hashSize]), nil }
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for k, x := range indexes {
			l, _ := tlog.SplitStoredHashIndex(x)
			hashes[k] = level[l]
		}
		return hashes, nil
	})
	sizes := []int64{1<<40 - 1, 1 << 40, 1<<40 + 1, maxSize - 1}
	for range 200 {
		sizes = append(sizes, rand.Int64N(maxSize))
	}
	for _, size := range sizes {
		tree, err := LoadTree(size, row)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tlog.StoredHashes(size, leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		i, got := tree.Append(leaf)
		root, err := tlog.TreeHash(size+1, reader)
		if err != nil {
			t.Fatal(err)
		}
		if i != size || !bytes.Equal(got, joined(want)) || tree.Root() != root {
			t.Fatalf("size %d: appended %d %x, root %v; want %x, %v", size, i, got, tree.Root(), joined(want), root)
		}
	}
}

func TestTree_CloneIsNotChanged(t *testing.T) {
	t.Parallel()
	for size := range int64(70) {
		tree, _, _ := grow(t, size)
		before := tree.Clone()
		root := tree.Root()
		tree.Append([]byte("never committed"))
		tree.Append([]byte("never committed"))
		if before.Size() != size || before.Root() != root {
			t.Fatalf("size %d: the clone moved", size)
		}
		tree = before
		if want, _, _ := grow(t, size); tree != want {
			t.Fatalf("size %d: going back is not what it was", size)
		}
	}
}

func TestLoadTree_RefusesRowsThatAreNotWhole(t *testing.T) {
	t.Parallel()
	_, r, _ := grow(t, 12)
	load := func(size int64, row func(i int64) ([]byte, error)) error {
		_, err := LoadTree(size, row)
		return err
	}
	for name, err := range map[string]error{
		"short":    load(12, func(i int64) ([]byte, error) { return r[i][:len(r[i])-1], nil }),
		"long":     load(12, func(i int64) ([]byte, error) { return append(bytes.Clone(r[i]), r[i]...), nil }),
		"missing":  load(12, func(int64) ([]byte, error) { return nil, nil }),
		"negative": load(-1, r.row),
		"too big":  load(maxSize+1, r.row),
	} {
		if !errors.Is(err, ErrRow) {
			t.Errorf("%s: %v, want ErrRow", name, err)
		}
	}
	if err := load(13, r.row); err == nil || errors.Is(err, ErrRow) {
		t.Errorf("an error of read: %v", err)
	}
	short := append(rows{}, r...)
	short[7] = short[7][:hashSize]
	if _, err := tlog.TreeHash(12, short.reader()); !errors.Is(err, ErrRow) {
		t.Errorf("reader of a short row: %v, want ErrRow", err)
	}
	if _, err := tlog.TreeHash(13, r.reader()); !errors.Is(err, ErrRow) {
		t.Errorf("reader without the last row: %v, want ErrRow", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	var tree Tree
	leaf := bytes.Repeat([]byte("x"), 250)
	b.ReportAllocs()
	for b.Loop() {
		tree.Append(leaf)
	}
}
