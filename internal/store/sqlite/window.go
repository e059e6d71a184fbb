package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math/bits"
	"slices"
)

// window is what the index says of some blocks of corrections.
type window struct {
	lo, hi      int64 // blocks, hi exclusive
	ids, unsure []bitset
	layer       []bitset
	facetsOnly  bool // rows tell of the measures
}

func (w *window) has(id int64) (found, unsure bool) {
	b, i := id/span, int(id%span)
	if b < w.lo || b >= w.hi || !w.ids[b-w.lo].has(i) {
		return false, false
	}
	return true, w.unsure[b-w.lo].has(i)
}

func (w *window) count() int {
	n := 0
	for i := range w.ids {
		n += w.ids[i].count()
	}
	return n
}

func zeroed(list []bitset, n int64) []bitset {
	if int64(cap(list)) < n {
		return make([]bitset, n)
	}
	list = list[:n]
	clear(list)
	return list
}

// fewerThan is the part of the rows of a measure that as many rows of corrections cost.
const fewerThan = 4

// load reads the blocks from lo to hi.
func (w *window) load(ctx context.Context, r moment, p *plan, lo, hi int64) error {
	w.lo, w.hi = lo, hi
	w.ids, w.unsure = zeroed(w.ids, hi-lo), zeroed(w.unsure, hi-lo)
	first := true
	if p.listed {
		at, _ := slices.BinarySearch(p.list, lo*span)
		for _, id := range p.list[at:] {
			if id >= hi*span {
				break
			}
			w.ids[id/span-lo].set(int(id % span))
		}
		first = false
	}
	for _, f := range p.facets {
		layer := w.ids
		if !first {
			w.layer = zeroed(w.layer, hi-lo)
			layer = w.layer
		}
		for _, n := range f.any {
			if err := w.facet(ctx, r, layer, n); err != nil {
				return err
			}
		}
		empty := true
		for i := range w.ids {
			if !first {
				for j := range w.ids[i] {
					w.ids[i][j] &= layer[i][j]
				}
			}
			empty = empty && w.ids[i].empty()
		}
		first = false
		if empty {
			return nil
		}
	}
	measures := p.measures
	if w.facetsOnly {
		measures = nil
	}
	if first && len(measures) == 0 { // all that exist
		m := measured{key: measureMoney}
		for code := 1; code < 256; code++ {
			m.of[code] = yes
		}
		measures = []measured{m}
	}
	for i := range measures {
		if !first && w.count() <= int(hi-lo)*perSpan/fewerThan { // cheaper to look at the rows
			copy(w.unsure, w.ids)
			break
		}
		if err := w.measure(ctx, r, &measures[i], first); err != nil {
			return err
		}
		first = false
	}
	w.bound(p)
	p.kept.drop(w)
	return nil
}

func (w *window) facet(ctx context.Context, r moment, layer []bitset, n int64) error {
	rows, err := r.query(ctx, `SELECT key, bits FROM facet_block WHERE key >= ? AND key < ?`, n<<blockBits|w.lo, n<<blockBits|w.hi)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key int64
		var stored sql.RawBytes
		if err := rows.Scan(&key, &stored); err != nil {
			return err
		}
		layer[key&blockMask-w.lo].or(stored)
	}
	return rows.Err()
}

// measure takes away what is out of the range of a measure; first: nothing was said of
// the blocks before.
func (w *window) measure(ctx context.Context, r moment, m *measured, first bool) error {
	rows, err := r.query(ctx, `SELECT key, bytes FROM measure WHERE key >= ? AND key < ?`, m.key<<blockBits|w.lo*perSpan, m.key<<blockBits|w.hi*perSpan)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key int64
		var stored sql.RawBytes
		if err := rows.Scan(&key, &stored); err != nil {
			return err
		}
		block := key & blockMask
		if len(stored) != stretchSpan {
			return fmt.Errorf("measure %d is of %d bytes", key, len(stored))
		}
		ids, unsure := &w.ids[block/perSpan-w.lo], &w.unsure[block/perSpan-w.lo]
		at := int(block % perSpan * stretchSpan)
		for word := at / 64; word*64 < at+stretchSpan; word++ {
			mask := ^uint64(0)
			if word*64 < at {
				mask <<= at % 64
			}
			if over := word*64 + 64 - at - stretchSpan; over > 0 {
				mask &= ^uint64(0) >> over
			}
			if !first {
				mask &= ids[word]
			}
			for ; mask != 0; mask &= mask - 1 {
				i := bits.TrailingZeros64(mask)
				bit := uint64(1) << i
				switch m.of[stored[word*64+i-at]] {
				case no:
					ids[word] &^= bit
					continue
				case perhaps:
					unsure[word] |= bit
				}
				ids[word] |= bit
			}
		}
	}
	return rows.Err()
}

// bound takes away what is out of the dates, and notes where rows must tell.
func (w *window) bound(p *plan) {
	for i := range w.ids {
		start := (w.lo + int64(i)) * span
		cut := func(from, to int64, each func(word int, mask uint64)) { // ids within the block
			from, to = max(from-start, 0), min(to-start, span)
			for at := from; at < to; {
				word, low := at/64, at%64
				n := min(64-low, to-at)
				each(int(word), (^uint64(0)>>(64-n))<<low)
				at += n
			}
		}
		drop := func(word int, mask uint64) { w.ids[i][word] &^= mask }
		doubt := func(word int, mask uint64) { w.unsure[i][word] |= mask }
		cut(start, p.from, drop)
		cut(p.to, start+span, drop)
		cut(start, p.sureFrom, doubt)
		cut(p.sureTo, start+span, doubt)
	}
}
