package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"correction-console/internal/changelog"
)

// totals keeps what was counted as long as it holds. The zero value is empty.
type totals struct {
	mu    sync.Mutex
	known map[string]total
}

// total is what a filter selected when the record had so many events.
type total struct {
	n         int
	events    int64
	directory *directory // whose names were searched, if any
}

// knownTotals bounds how many totals are kept.
const knownTotals = 500

func (t *totals) find(key string) (total, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.known[key]
	return found, ok
}

func (t *totals) keep(key string, counted total) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil || len(t.known) >= knownTotals {
		t.known = map[string]total{}
	}
	t.known[key] = counted
}

// Count is how many corrections the filter selects, up to most; more tells that there
// are more than that. It is counted again after each event.
func (s *Store) Count(ctx context.Context, f changelog.LogFilter, most int) (n int, more bool, err error) {
	narrowed := narrow(f)
	if narrowed.none() {
		return 0, false, nil
	}
	key, err := json.Marshal(struct {
		F    changelog.LogFilter
		Most int
	}{f, most})
	var now total
	if err == nil { // what comes after this event is counted with the next one
		err = s.reader.row(ctx, `SELECT COALESCE(max(i), -1) FROM leaf`).Scan(&now.events)
	}
	if err == nil && len(narrowed.words) > 0 {
		now.directory, err = s.directory(ctx)
	}
	if err != nil {
		return 0, false, fmt.Errorf("count change log: %w", err)
	}
	if then, ok := s.totals.find(string(key)); ok && then.events == now.events && then.directory == now.directory {
		return min(then.n, most), then.n > most, nil
	}
	err = s.walk(ctx, &s.search, narrowed, func(w *walker) (err error) {
		now.n, err = w.count(most)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("count change log: %w", err)
	}
	s.totals.keep(string(key), now)
	return min(now.n, most), now.n > most, nil
}

// count is how many corrections the plan selects, if they are not more than most.
func (w *walker) count(most int) (int, error) {
	switch {
	case w.listed && len(w.list) <= w.few:
		q := &query{}
		q.add(`SELECT count(*) FROM json_each(?) found CROSS JOIN correction c ON c.id = found.value`+filterJoins+` WHERE TRUE`, jsonIDs(w.list))
		w.conditions(q)
		rows, err := w.shaped(w.ctx, q)
		n, err := collect(rows, err, scanID)
		if err != nil {
			return 0, err
		}
		return int(n[0]), nil
	case w.plain():
		return w.countPlain(most)
	case w.match != "" && len(w.facets)+len(w.measures)+len(w.numbers) == 0 && !w.listed && !w.loose && len(w.kept.ids) == 0 && w.From.IsZero() && w.To.IsZero():
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
