package sqlite

import (
	"context"
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
