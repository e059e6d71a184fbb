package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"
	"math/bits"
	"slices"

	"correction-console/internal/changelog"
)

// walker goes through the corrections of a plan in an order.
type walker struct {
	moment
	*plan
	ctx    context.Context
	window window
	err    error // why a sequence ended early
	effort
}

// effort bounds how long one way to an answer is followed before another one is taken.
type effort struct {
	// patience is how many corrections with the words of a search are gone through before
	// it is looked how few there are with everything else.
	patience int
	// few is up to how many corrections it is cheaper to look at each.
	few int
	// walk is how many steps are made through the order of reductions before what is found
	// is sorted instead.
	walk int
}

var usualEffort = effort{patience: 4000, few: 4000, walk: 12_000}

// found is a correction that the index found; unsure: its row must tell.
type found = iter.Seq2[int64, bool]

// mostBlocks bounds how many blocks are read at once.
const mostBlocks = 64

// last is the end of all ids, exclusive.
func (w *walker) last() (int64, error) {
	n, err := w.number(w.ctx, `SELECT max(id) FROM correction`)
	return n.Int64 + 1, err
}

// between are the found corrections with ids from from until to, newest first or oldest
// first. Blocks are read a few at a time, more and more of them.
func (w *walker) between(from, to int64, ascending bool) found {
	return func(yield func(int64, bool) bool) {
		from, to := max(from, w.from), min(to, w.to)
		if w.listed && len(w.list) > 0 {
			from, to = max(from, w.list[0]), min(to, w.list[len(w.list)-1]+1)
		}
		if from >= to {
			return
		}
		lo, hi := from/span, (to-1)/span+1
		for n := int64(1); lo < hi; n = min(n*2, mostBlocks) {
			a, b := max(lo, hi-n), hi
			if ascending {
				a, b = lo, min(hi, lo+n)
			}
			if w.err = w.window.load(w.ctx, w.moment, w.plan, a, b); w.err != nil {
				return
			}
			if ascending {
				lo = b
			} else {
				hi = a
			}
			if !w.window.each(from, to, ascending, yield) {
				return
			}
		}
	}
}

// each goes through the window; false when yield ended it.
func (w *window) each(from, to int64, ascending bool, yield func(int64, bool) bool) bool {
	blocks := len(w.ids)
	for k := range blocks {
		b := k
		if !ascending {
			b = blocks - 1 - k
		}
		start := (w.lo + int64(b)) * span
		for k := range spanWords {
			word := k
			if !ascending {
				word = spanWords - 1 - k
			}
			for set := w.ids[b][word]; set != 0; {
				i := bits.TrailingZeros64(set)
				if !ascending {
					i = 63 - bits.LeadingZeros64(set)
				}
				set &^= 1 << i
				id := start + int64(word*64+i)
				if id >= from && id < to && !yield(id, w.unsure[b][word]&(1<<i) != 0) {
					return false
				}
			}
		}
	}
	return true
}

// matching are the corrections from from until to that have the words.
func (w *walker) matching(from, to int64, ascending bool) found {
	return func(yield func(int64, bool) bool) {
		from, to := max(from, w.from), min(to, w.to)
		w.window = window{facetsOnly: true}
		at, done := w.stream(from, to, ascending, len(w.facets)+len(w.measures) > 0 || w.listed, yield)
		if done || w.err != nil {
			return
		}
		// Many have the words. How many have all the rest?
		if ascending {
			from = at
		} else {
			to = at
		}
		to = min(to, w.ceiling())
		if w.err != nil || from >= to {
			return
		}
		w.window = window{}
		if w.err = w.window.load(w.ctx, w.moment, w.plan, from/span, (to-1)/span+1); w.err != nil {
			return
		}
		if w.window.count() <= w.few {
			w.window.each(from, to, ascending, func(id int64, _ bool) bool { return yield(id, true) })
			return
		}
		w.stream(from, to, ascending, false, yield)
	}
}

func (w *walker) ceiling() int64 {
	end, err := w.last()
	if err != nil {
		w.err = err
	}
	return end
}

// stream goes through what the search index finds. With impatience it gives up and
// returns where it is; done: it has not.
func (w *walker) stream(from, to int64, ascending, impatient bool, yield func(int64, bool) bool) (at int64, done bool) {
	text := `SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC`
	if ascending {
		text = `SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid ASC`
	}
	var rows *answer
	if rows, w.err = w.query(w.ctx, text, w.match, from, to); w.err != nil {
		return 0, true
	}
	defer rows.Close()
	more := len(w.facets) > 0 || len(w.measures) > 0 && !w.window.facetsOnly || w.listed
	blocks := int64(1)
	for n := 0; rows.Next(); n++ {
		var id int64
		if w.err = rows.Scan(&id); w.err != nil {
			return 0, true
		}
		if impatient && n >= w.patience {
			if ascending {
				return id, false
			}
			return id + 1, false
		}
		unsure := w.loose || id < w.sureFrom || id >= w.sureTo || len(w.measures) > 0 && w.window.facetsOnly
		if more {
			if b := id / span; b < w.window.lo || b >= w.window.hi || len(w.window.ids) == 0 {
				lo, hi := max(0, b+1-blocks), b+1
				if ascending {
					lo, hi = b, b+blocks
				}
				if w.err = w.window.load(w.ctx, w.moment, w.plan, lo, hi); w.err != nil {
					return 0, true
				}
				blocks = min(blocks*2, mostBlocks)
			}
			has, doubt := w.window.has(id)
			if !has {
				continue
			}
			unsure = unsure || doubt
		}
		if !yield(id, unsure) {
			return 0, true
		}
	}
	w.err = rows.Err()
	return 0, true
}

// found are the corrections of the plan with ids from from until to.
func (w *walker) found(from, to int64, ascending bool) found {
	switch {
	case w.match == "":
		return w.between(from, to, ascending)
	case len(w.numbers) == 0:
		return w.matching(from, to, ascending)
	}
	// Those whose number is a word of the search are looked at, too.
	extra := slices.Compact(slices.Sorted(slices.Values(w.numbers)))
	if !ascending {
		slices.Reverse(extra)
	}
	return func(yield func(int64, bool) bool) {
		pass := func(until int64, all bool) bool {
			for len(extra) > 0 && (all || (extra[0] < until) == ascending && extra[0] != until) {
				id := extra[0]
				extra = extra[1:]
				if id >= max(from, w.from) && id < min(to, w.to) && !yield(id, true) {
					return false
				}
			}
			return true
		}
		for id, unsure := range w.matching(from, to, ascending) {
			if !pass(id, false) {
				return
			}
			if len(extra) > 0 && extra[0] == id {
				extra = extra[1:]
			}
			if !yield(id, unsure) {
				return
			}
		}
		if w.err == nil {
			pass(0, true)
		}
	}
}

const (
	firstLot = 64
	mostLot  = 2000
)

// lots are the ids of the sequence that the filter really selects, in its order, a lot
// at a time. The lots grow.
func (w *walker) lots(seq found, first int) iter.Seq[[]int64] {
	return func(yield func([]int64) bool) {
		var lot, unsure []int64
		size := first
		flush := func() bool {
			if len(unsure) > 0 {
				var good map[int64]bool
				if good, w.err = w.check(unsure); w.err != nil {
					return false
				}
				doubted := 0
				lot = slices.DeleteFunc(lot, func(id int64) bool {
					if doubted < len(unsure) && unsure[doubted] == id {
						doubted++
						return !good[id]
					}
					return false
				})
			}
			more := len(lot) == 0 || yield(lot)
			lot, unsure = lot[:0], unsure[:0]
			size = min(size*2, mostLot)
			return more
		}
		for id, doubt := range seq {
			lot = append(lot, id)
			if doubt || w.kept.has(id) {
				unsure = append(unsure, id)
			}
			if len(lot) >= size && !flush() {
				return
			}
		}
		if w.err == nil && len(lot) > 0 {
			flush()
		}
	}
}

// check looks at rows: which of them does the filter select?
func (w *walker) check(ids []int64) (map[int64]bool, error) {
	q := &query{}
	q.add(`SELECT c.id FROM json_each(?) found CROSS JOIN correction c ON c.id = found.value`+filterJoins+` WHERE TRUE`, jsonIDs(ids))
	w.conditions(q)
	rows, err := w.shaped(w.ctx, q)
	list, err := collect(rows, err, scanID)
	if err != nil {
		return nil, err
	}
	good := make(map[int64]bool, len(list))
	for _, id := range list {
		good[id] = true
	}
	return good, nil
}

func jsonIDs(ids []int64) string {
	list, err := json.Marshal(ids)
	if err != nil { // numbers only: cannot fail
		panic(err)
	}
	return string(list)
}

// ordered looks at the rows of ids and returns those of a page in its order.
func (w *walker) ordered(ids []int64, p changelog.Page, limit int) ([]int64, error) {
	q := &query{}
	q.add(`SELECT c.id FROM json_each(?) found CROSS JOIN correction c ON c.id = found.value`+filterJoins+` WHERE TRUE`, jsonIDs(ids))
	w.conditions(q)
	beyond(q, p)
	q.add(` ORDER BY `+order(p)+` LIMIT ?`, limit)
	rows, err := w.shaped(w.ctx, q)
	return collect(rows, err, scanID)
}

// pick returns the ids of a page of at most limit rows, from its edge on.
func (w *walker) pick(p changelog.Page, limit int) ([]int64, error) {
	switch {
	case w.none:
		return nil, nil
	case p.Sort == changelog.ByReduction && len(w.kept.ids) > 0 && !w.kept.hide:
		return w.veiledLast(p, limit)
	case w.listed && len(w.list) <= w.few:
		return w.ordered(w.list, p, limit)
	case p.Sort == changelog.ByReduction && w.match != "":
		return w.largestMatching(p, limit)
	case p.Sort == changelog.ByReduction:
		return w.largest(p, limit)
	case w.plain():
		return w.byID(p, limit)
	}
	from, to := int64(0), int64(1)<<62
	if p.After > 0 {
		from = p.After + 1
	} else if p.Before > 0 {
		to = p.Before
	}
	end, err := w.last()
	if err != nil {
		return nil, err
	}
	return w.take(w.found(from, min(to, end), p.After > 0), limit)
}

func (w *walker) take(seq found, limit int) ([]int64, error) {
	var out []int64
	for lot := range w.lots(seq, min(limit, mostLot)) {
		out = append(out, lot...)
		if len(out) >= limit {
			break
		}
	}
	return out[:min(len(out), limit)], w.err
}

// times are the dates of the filter in ms.
func (w *walker) times() (since, until int64) {
	since, until = -1<<63, 1<<63-1
	if !w.From.IsZero() {
		since = millis(w.From)
	}
	if !w.To.IsZero() {
		until = millis(w.To)
	}
	return since, until
}

// byID reads the page of a filter that asks for nothing but dates.
func (w *walker) byID(p changelog.Page, limit int) ([]int64, error) {
	from, to := w.from, w.to
	if p.After > 0 {
		from = max(from, p.After+1)
	} else if p.Before > 0 {
		to = min(to, p.Before)
	}
	direction := ` ORDER BY c.id DESC LIMIT ?`
	if p.After > 0 {
		direction = ` ORDER BY c.id ASC LIMIT ?`
	}
	if w.From.IsZero() && w.To.IsZero() { // narrow rows of the same ids
		return w.ids(w.ctx, `SELECT c.correction_id FROM correction_now c NOT INDEXED WHERE c.correction_id >= ? AND c.correction_id < ?`+
			map[bool]string{false: ` ORDER BY c.correction_id DESC LIMIT ?`, true: ` ORDER BY c.correction_id ASC LIMIT ?`}[p.After > 0], from, to, limit)
	}
	since, until := w.times()
	return w.ids(w.ctx, `SELECT c.id FROM correction c NOT INDEXED WHERE c.id >= ? AND c.id < ? AND c.prepared_ms >= ? AND c.prepared_ms < ?`+direction,
		from, to, since, until, limit)
}

// everything is all that the plan selects, in an order.
func (w *walker) everything(sort changelog.LogSort) (found, error) {
	end, err := w.last()
	if err != nil {
		return nil, err
	}
	if sort == changelog.ByTime {
		return w.found(0, end, false), nil
	}
	if len(w.kept.ids) > 0 && !w.kept.hide {
		return w.veiledAtEnd()
	}
	if w.plain() && w.From.IsZero() && w.To.IsZero() {
		seq, _ := w.inOrder(changelog.Page{}, w.kept.any, 1<<62)
		return seq, nil
	}
	// A bit for each correction says which are found; then they are put in order.
	all := window{lo: 0, hi: (end-1)/span + 1}
	all.ids, all.unsure = make([]bitset, all.hi), make([]bitset, all.hi)
	for id, unsure := range w.found(0, end, false) {
		all.ids[id/span].set(int(id % span))
		if unsure {
			all.unsure[id/span].set(int(id % span))
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	seq, _ := w.inOrder(changelog.Page{}, all.has, 1<<62)
	return seq, nil
}

// inOrder are all corrections in the order of their reductions from the edge of a page
// on, as far as they are found.
func (w *walker) inOrder(p changelog.Page, has func(id int64) (bool, bool), patience int) (seq found, gaveUp *bool) {
	gaveUp = new(bool)
	steps := 0
	return func(yield func(int64, bool) bool) {
		run := func(text string, args ...any) bool {
			rows, err := w.query(w.ctx, text, args...)
			if err != nil {
				w.err = err
				return false
			}
			defer rows.Close()
			for rows.Next() {
				var id int64
				if w.err = rows.Scan(&id); w.err != nil {
					return false
				}
				if steps++; steps > patience {
					*gaveUp = true
					return false
				}
				if ok, unsure := has(id); ok && !yield(id, unsure) {
					return false
				}
			}
			w.err = rows.Err()
			return w.err == nil
		}
		// The walk begins and ends at the bounds of the filter: what lies beyond them may be
		// most of the record.
		least, most := int64(1), int64(1<<62)
		if w.MinReduction != nil {
			least = max(least, int64(*w.MinReduction))
		}
		if w.MaxReduction != nil {
			most = int64(*w.MaxReduction)
		}
		const from = `SELECT id FROM correction INDEXED BY correction_reduction WHERE base_total - target_total `
		edge := int64(p.Edge)
		switch {
		case p.After > 0:
			_ = (edge < least || edge > most || run(from+`= ? AND id > ? ORDER BY id ASC`, edge, p.After)) &&
				run(from+`BETWEEN ? AND ? ORDER BY base_total - target_total ASC, id ASC`, max(edge+1, least), most)
		case p.Before > 0:
			_ = (edge < least || edge > most || run(from+`= ? AND id < ? ORDER BY id DESC`, edge, p.Before)) &&
				run(from+`BETWEEN ? AND ? ORDER BY base_total - target_total DESC, id DESC`, least, min(edge-1, most))
		default:
			run(from+`BETWEEN ? AND ? ORDER BY base_total - target_total DESC, id DESC`, least, most)
		}
	}, gaveUp
}

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
	var has [256]int
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
		// As many codes as make up for what is missing.
		var wanted [256]bool
		for n := 0; least <= most && n < 2*(limit-len(out)); {
			code := most
			if p.After > 0 {
				code = least
				least++
			} else {
				most--
			}
			wanted[code] = has[code] > 0
			n += has[code]
		}
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
