package sqlite

import (
	"database/sql"
	"math/bits"
	"slices"

	"correction-console/internal/changelog"
)

// largest reads a page in the order of reductions.
func (w *walker) largest(p changelog.Page, limit int) ([]int64, error) {
	if w.plain() && w.From.IsZero() && w.To.IsZero() {
		seq, _ := w.inOrder(p, w.kept.any, 1<<62)
		return w.take(seq, limit)
	}
	end, err := w.last()
	if err != nil {
		return nil, err
	}
	lo, hi := w.from/span, (min(w.to, end)-1)/span+1
	if lo >= hi {
		return nil, nil
	}
	if err := w.window.load(w.ctx, w.moment, w.plan, lo, hi); err != nil {
		return nil, err
	}
	n := w.window.count()
	if n == 0 {
		return nil, nil
	}
	if end/int64(n)*int64(limit) < int64(w.walk) {
		seq, gaveUp := w.inOrder(p, w.window.has, w.walk)
		out, err := w.take(seq, limit)
		if err != nil || !*gaveUp {
			return out, err
		}
	}
	return w.sorted(p, limit)
}

// sorted reads a page in the order of reductions of what the window holds: by the bytes
// of the measure first, then by the rows of as few as can be.
func (w *walker) sorted(p changelog.Page, limit int) ([]int64, error) {
	edge, least, most := 0, 1, 255
	switch {
	case p.After > 0:
		edge = amountCode(int64(p.Edge))
		least = edge
	case p.Before > 0:
		edge = amountCode(int64(p.Edge))
		most = edge
	}
	type kept struct {
		block int64
		bytes []byte
	}
	var blocks []kept
	var has codeCounts
	visit := func(k kept, each func(id int64, code byte)) {
		b, at := k.block/perSpan-w.window.lo, int(k.block%perSpan*stretchSpan)
		for word := at / 64; word*64 < at+stretchSpan; word++ {
			for set := w.window.ids[b][word]; set != 0; set &= set - 1 {
				if i := word*64 + bits.TrailingZeros64(set) - at; i >= 0 && i < stretchSpan {
					each(k.block*stretchSpan+int64(i), k.bytes[i])
				}
			}
		}
	}
	rows, err := w.query(w.ctx, `SELECT key, bytes FROM measure WHERE key >= ? AND key < ?`,
		int64(measureMoney)<<blockBits|w.window.lo*perSpan, int64(measureMoney)<<blockBits|w.window.hi*perSpan)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key int64
		var stored sql.RawBytes
		if err := rows.Scan(&key, &stored); err != nil {
			return nil, err
		}
		if w.window.ids[(key&blockMask)/perSpan-w.window.lo].empty() {
			continue
		}
		k := kept{key & blockMask, stored}
		any := false
		visit(k, func(_ int64, code byte) {
			has[code]++
			any = true
		})
		if any {
			k.bytes = slices.Clone(stored)
			blocks = append(blocks, k)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	var out []int64
	for least <= most && len(out) < limit {
		wanted := has.next(&least, &most, 2*(limit-len(out)), p.After > 0)
		var ids []int64
		for _, k := range blocks {
			visit(k, func(id int64, code byte) {
				if wanted[code] {
					ids = append(ids, id)
				}
			})
		}
		if len(ids) == 0 {
			continue
		}
		page, err := w.ordered(ids, p, limit-len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
	}
	return out, nil
}

// codeCounts are how many corrections have each code of an amount.
type codeCounts [256]int

// next picks the next codes, as many as make up for what is missing, and narrows the
// range of those that are left: from its end, or with upwards from its start.
func (has *codeCounts) next(least, most *int, missing int, upwards bool) (wanted [256]bool) {
	for n := 0; *least <= *most && n < missing; {
		code := *most
		if upwards {
			code = *least
			*least++
		} else {
			*most--
		}
		wanted[code] = has[code] > 0
		n += has[code]
	}
	return wanted
}

// largestMatching reads a page of a search in the order of reductions: range of amounts
// by range of amounts, which the search index knows, too.
func (w *walker) largestMatching(p changelog.Page, limit int) ([]int64, error) {
	end, err := w.last()
	if err != nil {
		return nil, err
	}
	all, complete, err := w.atMost(w.match, end, w.few/2)
	if err != nil {
		return nil, err
	}
	if complete {
		all = append(all, w.numbers...)
		slices.Sort(all)
		return w.ordered(slices.Compact(all), p, limit)
	}
	least, most := amountCode(1), amountCode(mostFen)
	if w.MinReduction != nil {
		least = amountCode(max(1, int64(*w.MinReduction)))
	}
	if w.MaxReduction != nil {
		most = amountCode(min(mostFen, int64(*w.MaxReduction)))
	}
	switch {
	case p.After > 0:
		least = max(least, amountCode(int64(p.Edge)))
	case p.Before > 0:
		most = min(most, amountCode(int64(p.Edge)))
	}
	numbers, err := w.numbersByAmount()
	if err != nil {
		return nil, err
	}
	var out []int64
	for least <= most && len(out) < limit {
		code := most
		if p.After > 0 {
			code = least
			least++
		} else {
			most--
		}
		ids, complete, err := w.atMost("("+w.match+") AND "+quoted(amountPiece(code)), end, w.few)
		if err != nil {
			return nil, err
		}
		var page []int64
		if ids = append(ids, numbers[code]...); complete && len(ids) > 0 {
			slices.Sort(ids)
			page, err = w.ordered(slices.Compact(ids), p, limit-len(out))
		} else if !complete {
			page, err = w.dense(p, code, limit-len(out))
		}
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
	}
	return out, nil
}

// numbersByAmount are the corrections whose numbers are words of the search, by the code
// of what they give up.
func (w *walker) numbersByAmount() (map[int][]int64, error) {
	by := map[int][]int64{}
	if len(w.numbers) == 0 {
		return by, nil
	}
	rows, err := w.query(w.ctx, `SELECT c.id, c.base_total - c.target_total FROM json_each(?) found CROSS JOIN correction c ON c.id = found.value`, jsonIDs(w.numbers))
	_, err = collect(rows, err, func(r scanner) (struct{}, error) {
		var id, reduction int64
		err := r.Scan(&id, &reduction)
		by[amountCode(reduction)] = append(by[amountCode(reduction)], id)
		return struct{}{}, err
	})
	return by, err
}

// atMost are the newest ids that the search index finds; complete: there are no more.
func (w *walker) atMost(match string, end int64, limit int) (ids []int64, complete bool, err error) {
	ids, err = w.ids(w.ctx, `SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?`, match, w.from, min(w.to, end), limit+1)
	return ids[:min(len(ids), limit)], len(ids) <= limit, err
}

// dense reads a page out of a range of amounts in which many are found.
func (w *walker) dense(p changelog.Page, code, limit int) ([]int64, error) {
	low, high := int64(1), int64(mostFen)
	if i := code / 2; code%2 == 0 {
		low, high = amountEdges[i-1], amountEdges[i-1]
	} else {
		if i > 0 {
			low = amountEdges[i-1] + 1
		}
		if i < len(amountEdges) {
			high = amountEdges[i] - 1
		}
	}
	q := &query{}
	q.add(`SELECT c.id FROM correction c INDEXED BY correction_reduction`+filterJoins+` WHERE c.base_total - c.target_total BETWEEN ? AND ?`, low, high)
	w.conditions(q)
	beyond(q, p)
	q.add(` ORDER BY `+order(p)+` LIMIT ?`, limit)
	rows, err := w.shaped(w.ctx, q)
	return collect(rows, err, scanID)
}
