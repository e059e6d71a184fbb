package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// undecided are the corrections that somebody may still have to decide about blind: those
// that give up ?1 or more, counted from before anybody's first correction of the order, or
// did so when they were prepared or submitted, and what lapsed before of the same orders.
const undecided = `
	WITH waits AS MATERIALIZED (
		SELECT p.id, p.out_order_no, p.sub_mchid, p.base_total, p.target_total, s.state,
			EXISTS (SELECT 1 FROM event e WHERE e.correction_id = p.id AND e.n <= 2 AND e.detail ->> '$.blind' IS 1) AS blind,
			CASE WHEN ?1 > 0 THEN (
				SELECT COALESCE(max(c.base_total), 0) FROM correction c INDEXED BY correction_order JOIN correction_now w ON w.correction_id = c.id
				WHERE c.out_order_no = p.out_order_no AND c.sub_mchid = p.sub_mchid AND c.id <> p.id AND ` + tookEffect + `)
			ELSE 0 END AS first
		FROM correction_now s INDEXED BY correction_now_state CROSS JOIN correction p ON p.id = s.correction_id
		WHERE s.state IN ('prepared', 'awaiting_approval')),
	open AS MATERIALIZED (
		SELECT id, state, blind, first FROM waits WHERE blind OR ?1 > 0 AND max(first, base_total) - target_total >= ?1)
	SELECT u.id, c.sub_mchid, c.out_order_no, c.author, c.base_total, c.target_total, u.first, u.state, u.blind, c.outgoing, c.ticket, c.note FROM (
		SELECT id, state, blind, first FROM open
		UNION ALL
		SELECT later.correction_id, later.state, 0, 0
		FROM (SELECT DISTINCT k.sub_mchid, k.out_order_no FROM open JOIN correction k ON k.id = open.id) o
		CROSS JOIN correction c INDEXED BY correction_order ON c.out_order_no = o.out_order_no AND c.sub_mchid = o.sub_mchid
		CROSS JOIN correction_now later ON later.correction_id = c.id
		WHERE later.state IN ('expired', 'cancelled', 'stale', 'void') AND later.approver = 0
	) u CROSS JOIN correction c ON c.id = u.id`

func scanUndecided(r scanner) (correction.Undecided, error) {
	var u correction.Undecided
	err := r.Scan(&u.ID, &u.SubMchID, &u.OutOrderNo, &u.AuthorID, &u.Base, &u.Target, &u.First, &u.State, &u.Blind, &u.Outgoing, &u.Ticket, &u.Note)
	return u, err
}

// Undecided lists what a veil may have to keep from people.
func (s *Store) Undecided(ctx context.Context, top correction.Fen) ([]correction.Undecided, error) {
	rows, err := s.reader.query(ctx, undecided, int64(top))
	list, err := collect(rows, err, scanUndecided)
	if err != nil {
		return nil, fmt.Errorf("list what is undecided: %w", err)
	}
	return list, nil
}

// kept is what a veil keeps from the person for whom a filter is answered.
type kept struct {
	ids   []int64 // ascending
	texts string  // by id as JSON: [outgoing, ticket, note] as far as they are searched
	hide  bool    // they are not selected at all
}

func (k kept) has(id int64) bool {
	_, found := slices.BinarySearch(k.ids, id)
	return found
}

// keep reads what the veil of the filter keeps, out of the same state of the database as
// all the rest.
func (n *narrowed) keep(ctx context.Context, r moment) error {
	if n.Veil.Viewer == 0 {
		return nil
	}
	rows, err := r.query(ctx, undecided, int64(n.Veil.From))
	list, err := collect(rows, err, scanUndecided)
	if err != nil {
		return err
	}
	texts := map[int64][3]string{}
	for id, u := range n.Veil.Over(list) {
		n.kept.ids = append(n.kept.ids, id)
		outgoing, ticket, note := u.Masked()
		texts[id] = [3]string{outgoing, ticket, note}
	}
	slices.Sort(n.kept.ids)
	text, err := json.Marshal(texts)
	n.kept.texts = string(text)
	n.kept.hide = n.byAmount()
	return err
}

// byAmount reports whether the filter asks for amounts.
func (n narrowed) byAmount() bool {
	return n.MinReduction != nil || n.MaxReduction != nil || n.MinPermille != nil || n.MaxPermille != nil
}

// drop takes away what is not to be selected.
func (k kept) drop(w *window) {
	if !k.hide {
		return
	}
	for _, id := range k.ids {
		if b := id/span - w.lo; b >= 0 && b < int64(len(w.ids)) {
			w.ids[b][id%span/64] &^= 1 << (id % span % 64)
		}
	}
}

// any finds every correction that may be selected at all.
func (k kept) any(id int64) (found, unsure bool) { return !k.hide || !k.has(id), false }

// shown is a walker for the same plan without what is kept.
func (w *walker) shown() *walker {
	p, other := *w.plan, *w
	p.kept.hide = true
	other.plan, other.window = &p, window{}
	return &other
}

// veiledLast reads a page in the order of amounts in which what is kept comes last, the
// newest first: as if it gave up nothing.
func (w *walker) veiledLast(p changelog.Page, limit int) ([]int64, error) {
	selected, err := w.check(w.kept.ids)
	if err != nil {
		return nil, err
	}
	tail := slices.DeleteFunc(slices.Clone(w.kept.ids), func(id int64) bool { return !selected[id] })
	if p.After > 0 { // towards the largest
		out := slices.DeleteFunc(tail, func(id int64) bool { return p.Edge > 0 || id <= p.After })
		if len(out) >= limit {
			return out[:limit], nil
		}
		rest, err := w.shown().pick(p, limit-len(out))
		return append(out, rest...), err
	}
	slices.Reverse(tail)
	if p.Before > 0 && p.Edge <= 0 {
		tail = slices.DeleteFunc(tail, func(id int64) bool { return id >= p.Before })
		return tail[:min(len(tail), limit)], nil
	}
	out, err := w.shown().pick(p, limit)
	if err != nil || len(out) >= limit {
		return out, err
	}
	return append(out, tail[:min(len(tail), limit-len(out))]...), nil
}

// veiledAtEnd is everything in the order of amounts, what is kept last.
func (w *walker) veiledAtEnd() (found, error) {
	main := w.shown()
	seq, err := main.everything(changelog.ByReduction)
	if err != nil {
		return nil, err
	}
	return func(yield func(int64, bool) bool) {
		for id, unsure := range seq {
			if !w.kept.has(id) && !yield(id, unsure) { // a search finds them all the same
				return
			}
		}
		if w.err = main.err; w.err != nil {
			return
		}
		for _, id := range slices.Backward(w.kept.ids) {
			if !yield(id, true) {
				return
			}
		}
	}, nil
}

// TryTotal counts a total that a person types to approve a correction.
func (s *Store) TryTotal(ctx context.Context, id, userID int64, at time.Time) (int, error) {
	var n int
	err := s.write(ctx, func(w *writeTx) error {
		err := w.row(ctx, `SELECT 1 + COALESCE(max(n), 0) FROM typed_total WHERE correction_id = ? AND user_id = ?`, id, userID).Scan(&n)
		if err != nil {
			return err
		}
		_, err = w.exec(ctx, `INSERT INTO typed_total (correction_id, user_id, n, at_ms) VALUES (?, ?, ?, ?)`, id, userID, n, millis(at))
		if refused(err) {
			return correction.ErrFull
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count a total typed for correction %d: %w", id, err)
	}
	return n, nil
}

// TotalRight notes that a total was the right one.
func (s *Store) TotalRight(ctx context.Context, id, userID int64, n int) error {
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `UPDATE typed_total SET is_right = 1 WHERE correction_id = ? AND user_id = ? AND n = ?`, id, userID, n)
		return err
	})
	if err != nil {
		return fmt.Errorf("note a right total for correction %d: %w", id, err)
	}
	return nil
}

// Tries are the totals typed to approve a correction that were not right, by person.
func (s *Store) Tries(ctx context.Context, id int64) ([]correction.Tries, error) {
	rows, err := s.reader.query(ctx, `
		SELECT t.user_id, COALESCE(u.name, ''), count(*), max(t.at_ms) FROM typed_total t LEFT JOIN user u ON u.id = t.user_id
		WHERE t.correction_id = ? AND t.is_right = 0 GROUP BY t.user_id ORDER BY t.user_id`, id)
	list, err := collect(rows, err, func(r scanner) (correction.Tries, error) {
		var t correction.Tries
		var ms int64
		err := r.Scan(&t.UserID, &t.Name, &t.Wrong, &ms)
		t.Last = at(ms)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("read totals typed for correction %d: %w", id, err)
	}
	return list, nil
}
