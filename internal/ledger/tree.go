package ledger

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// hashSize is that of tlog, for short.
const hashSize = tlog.HashSize

// maxSize is far above any real log. The arithmetic of tlog does not end for sizes
// near 1<<62, which a forged text could bring.
const maxSize = 1 << 48

var emptyRoot, _ = tlog.TreeHash(0, nil)

// Tree is what the writer of the log keeps in memory: its size and the hashes of its
// right edge. The zero Tree is the empty log. It is a value: a copy is a clone. Not
// safe for concurrent use.
type Tree struct {
	size  int64
	peaks [63]tlog.Hash // that of level l is set when bit l of size is
}

// Size returns how many records the log holds.
func (t *Tree) Size() int64 { return t.size }

// Clone returns a copy to go back to when the transaction fails.
func (t *Tree) Clone() Tree { return *t }

// Append adds a record and returns its index with the hashes that it completes, as
// tlog.StoredHashes gives them: level 0 first, 32 bytes each, one row of the store.
func (t *Tree) Append(leaf []byte) (i int64, hashes []byte) {
	return t.appendTo(make([]byte, 0, rowSize(t.size)), leaf)
}

func (t *Tree) appendTo(dst, leaf []byte) (i int64, hashes []byte) {
	i = t.size
	h := tlog.RecordHash(leaf)
	dst = append(dst, h[:]...)
	level := 0
	for ; i>>level&1 == 1; level++ {
		h = tlog.NodeHash(t.peaks[level], h)
		dst = append(dst, h[:]...)
		t.peaks[level] = tlog.Hash{} // so that equal logs are equal Trees
	}
	t.peaks[level] = h
	t.size++
	return i, dst
}

// Root returns the hash of the whole log, that of tlog.TreeHash.
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		return emptyRoot
	}
	level := bits.TrailingZeros64(uint64(t.size))
	h := t.peaks[level]
	for level++; t.size>>level > 0; level++ {
		if t.size>>level&1 == 1 {
			h = tlog.NodeHash(t.peaks[level], h)
		}
	}
	return h
}

// rowSize is the size in bytes of the row of record i.
func rowSize(i int64) int { return hashSize * (1 + bits.TrailingZeros64(uint64(i+1))) }

// ErrRow is what readers of rows wrap when a row is missing or not of its size.
var ErrRow = errors.New("the hashes of the ledger are not whole")

// LoadTree reads the state of a log of that size. Read returns the row of record i:
// the hashes that it completed, as Append gave them. It is called at most once for
// each bit of size.
func LoadTree(size int64, read func(i int64) (hashes []byte, err error)) (Tree, error) {
	if size < 0 || size > maxSize {
		return Tree{}, fmt.Errorf("load a tree of %d records: %w", size, ErrRow)
	}
	t := Tree{size: size}
	end := int64(0)
	for level := 62; level >= 0; level-- {
		if size>>level&1 == 0 {
			continue
		}
		end += 1 << level
		row, err := read(end - 1)
		if err != nil {
			return Tree{}, fmt.Errorf("load a tree of %d records: row %d: %w", size, end-1, err)
		}
		if t.peaks[level], err = hashAt(row, end-1, level); err != nil {
			return Tree{}, fmt.Errorf("load a tree of %d records: %w", size, err)
		}
	}
	return t, nil
}

// hashAt takes the hash of the level out of the row of record i.
func hashAt(row []byte, i int64, level int) (h tlog.Hash, err error) {
	if len(row) != rowSize(i) {
		return h, fmt.Errorf("row %d: %d bytes instead of %d: %w", i, len(row), rowSize(i), ErrRow)
	}
	copy(h[:], row[level*hashSize:])
	return h, nil
}

// RowReader reads the hashes of the tree from rows. Read gets the indexes of records,
// each once, and returns their rows by index.
func RowReader(read func(is []int64) (map[int64][]byte, error)) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		rows := make(map[int64][]byte, len(indexes))
		is := make([]int64, 0, len(indexes))
		for _, x := range indexes {
			i, _ := rowOf(x)
			if _, asked := rows[i]; !asked {
				rows[i] = nil
				is = append(is, i)
			}
		}
		rows, err := read(is)
		if err != nil {
			return nil, err
		}
		hashes := make([]tlog.Hash, len(indexes))
		for k, x := range indexes {
			i, level := rowOf(x)
			if hashes[k], err = hashAt(rows[i], i, level); err != nil {
				return nil, err
			}
		}
		return hashes, nil
	})
}

// rowOf says where the hash with tlog's index is: hash n of a level is complete with
// record (n+1)<<level - 1.
func rowOf(index int64) (i int64, level int) {
	level, n := tlog.SplitStoredHashIndex(index)
	return (n+1)<<level - 1, level
}
