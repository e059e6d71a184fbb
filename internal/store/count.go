package store

import (
	"context"
	"fmt"

	"correction-console/internal/correction"
)

// Count is how many corrections the filter selects, up to most; more tells that there
// are more than that.
func (s *Store) Count(ctx context.Context, f correction.LogFilter, most int) (n int, more bool, err error) {
	narrowed := narrow(f)
	if narrowed.none() {
		return 0, false, nil
	}
	err = s.walk(ctx, &s.reader, narrowed, func(w *walker) (err error) {
		n, err = w.count(most)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("count change log: %w", err)
	}
	return min(n, most), n > most, nil
}

// count is how many corrections the plan selects, if they are not more than most.
func (w *walker) count(most int) (int, error) {
	switch {
	case w.listed && len(w.list) <= w.few:
		q := &query{}
		q.add(`SELECT count(*) FROM json_each(?) found CROSS JOIN correction c ON c.id = found.value`+filterJoins+` WHERE TRUE`, jsonIDs(w.list))
		w.conditions(q)
		var n int
		err := w.tx.QueryRowContext(w.ctx, q.text.String(), q.args...).Scan(&n)
		return n, err
	case w.plain():
		return w.countPlain(most)
	case w.match != "" && len(w.facets)+len(w.measures)+len(w.numbers) == 0 && !w.listed && !w.loose && w.From.IsZero() && w.To.IsZero():
		n, err := w.number(w.ctx, `SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ? LIMIT ?)`, w.match, most+1)
		return int(n.Int64), err
	case w.match != "":
		n := 0
		for lot := range w.lots(w.found(0, 1<<62, false), firstLot) {
			if n += len(lot); n > most {
				break
			}
		}
		return n, w.err
	}
	return w.countBits(most)
}

// countPlain counts by stretches, and by times at their ends.
func (w *walker) countPlain(most int) (int, error) {
	rows, err := w.query(w.ctx, `SELECT n FROM stretch WHERE block >= ? AND block < ? ORDER BY block DESC`, w.sureFrom/stretchSpan, w.sureTo/stretchSpan)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for n <= most && rows.Next() {
		var here int
		if err := rows.Scan(&here); err != nil {
			return 0, err
		}
		n += here
	}
	if err := rows.Err(); err != nil || n > most || w.From.IsZero() && w.To.IsZero() {
		return n, err
	}
	rows.Close()
	since, until := w.times()
	all, err := w.number(w.ctx, `SELECT count(*) FROM (SELECT 1 FROM correction INDEXED BY correction_prepared WHERE prepared_ms >= ? AND prepared_ms < ? LIMIT ?)`, since, until, most+1)
	return int(all.Int64), err
}

// countBits counts what is sure first, and looks at rows only when that is not enough.
func (w *walker) countBits(most int) (int, error) {
	end, err := w.last()
	if err != nil {
		return 0, err
	}
	n := 0
	var unsure []int64
	from, to := w.from, min(w.to, end)
	if from >= to {
		return 0, nil
	}
	lo, hi := from/span, (to-1)/span+1
	for step := int64(1); lo < hi; step = min(step*2, mostBlocks) {
		a := max(lo, hi-step)
		if err := w.window.load(w.ctx, w.moment, w.plan, a, hi); err != nil {
			return 0, err
		}
		hi = a
		for i := range w.window.ids {
			for j := range w.window.ids[i] {
				w.window.unsure[i][j] &= w.window.ids[i][j]
				w.window.ids[i][j] &^= w.window.unsure[i][j]
			}
			n += w.window.ids[i].count()
		}
		if n > most {
			return n, nil
		}
		doubtful := window{lo: w.window.lo, hi: w.window.hi, ids: w.window.unsure, unsure: w.window.unsure}
		doubtful.each(0, 1<<62, false, func(id int64, _ bool) bool {
			unsure = append(unsure, id)
			return true
		})
	}
	for len(unsure) > 0 && n <= most {
		lot := unsure[:min(len(unsure), mostLot)]
		unsure = unsure[len(lot):]
		good, err := w.check(lot)
		if err != nil {
			return 0, err
		}
		n += len(good)
	}
	return n, nil
}
