package sqlite

import (
	"encoding/json"
	"iter"
	"slices"

	"correction-console/internal/changelog"
)

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
