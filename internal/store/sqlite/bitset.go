package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"modernc.org/sqlite"
)

// bitset has a bit for each id of a block.
type bitset [spanWords]uint64

func (b *bitset) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b *bitset) clear(i int) { b[i/64] &^= 1 << (i % 64) }

func (b *bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b *bitset) count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

func (b *bitset) empty() bool { return *b == bitset{} }

// or adds what is stored of a block.
func (b *bitset) or(stored []byte) {
	if len(stored) == spanWords*8 {
		for i := range b {
			b[i] |= binary.LittleEndian.Uint64(stored[i*8:])
		}
		return
	}
	for ; len(stored) >= 2; stored = stored[2:] {
		b.set(int(binary.LittleEndian.Uint16(stored)))
	}
}

// pack is the stored form: what is shorter.
func (b *bitset) pack() []byte {
	n := b.count()
	if n >= span/16 {
		out := make([]byte, 0, spanWords*8)
		for _, w := range b {
			out = binary.LittleEndian.AppendUint64(out, w)
		}
		return out
	}
	out := make([]byte, 0, n*2)
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			out = binary.LittleEndian.AppendUint16(out, uint16(i*64+bits.TrailingZeros64(w)))
		}
	}
	return out
}

// withBits is the function with_bits(bits, changes) of the writer: the stored block after
// the changes, three bytes each: which bit, and on or off.
func withBits(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	stored, _ := args[0].([]byte)
	changes, ok := args[1].([]byte)
	if !ok || len(changes)%changeSize != 0 {
		return nil, errors.New("with_bits: no such changes")
	}
	if out, ok := appended(stored, changes); ok { // the newest ids, as a rule
		return out, nil
	}
	var b bitset
	b.or(stored)
	for c := changes; len(c) > 0; c = c[changeSize:] {
		i := int(binary.LittleEndian.Uint16(c))
		if i >= span {
			return nil, errors.New("with_bits: no such bit")
		}
		if c[2] == 1 {
			b.set(i)
		} else {
			b.clear(i)
		}
	}
	return b.pack(), nil
}

// appended is the stored block with the bits of changes behind it, if they all belong
// there.
func appended(stored, changes []byte) ([]byte, bool) {
	if len(stored)+2*len(changes)/changeSize >= span/8 {
		return nil, false
	}
	last := -1
	if n := len(stored); n > 0 {
		last = int(binary.LittleEndian.Uint16(stored[n-2:]))
	}
	out := slices.Clone(stored)
	for c := changes; len(c) > 0; c = c[changeSize:] {
		i := int(binary.LittleEndian.Uint16(c))
		if c[2] != 1 || i <= last || i >= span {
			return nil, false
		}
		out, last = binary.LittleEndian.AppendUint16(out, uint16(i)), i
	}
	return out, true
}

// withBytes is the function with_bytes(bytes, changes) of the writer, three bytes each:
// which byte, and its value.
func withBytes(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	stored, _ := args[0].([]byte)
	changes, ok := args[1].([]byte)
	if !ok || len(changes)%changeSize != 0 {
		return nil, errors.New("with_bytes: no such changes")
	}
	out := make([]byte, stretchSpan)
	copy(out, stored)
	for c := changes; len(c) > 0; c = c[changeSize:] {
		i := binary.LittleEndian.Uint16(c)
		if i >= stretchSpan {
			return nil, errors.New("with_bytes: no such byte")
		}
		out[i] = c[2]
	}
	return out, nil
}
