package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"correction-console/internal/ledger"
)

// Reindex makes the search index of all corrections anew, within a transaction.
func Reindex(ctx context.Context, tx *sql.Tx) error {
	for _, statement := range []string{
		`INSERT INTO search (search) VALUES ('delete-all')`, `DELETE FROM facet_block`, `DELETE FROM measure`, `DELETE FROM stretch`, `DELETE FROM facet`,
		`INSERT INTO search (search, rank) VALUES ('hashsize', 67108864)`,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("empty the search index: %w", err)
		}
	}
	x, err := newReindexer(ctx, tx)
	if err == nil {
		err = x.run(ctx)
	}
	for _, statement := range []string{`INSERT INTO search (search) VALUES ('optimize')`, `INSERT INTO search (search, rank) VALUES ('hashsize', 1048576)`} {
		if err == nil {
			_, err = tx.ExecContext(ctx, statement)
		}
	}
	if err != nil {
		return fmt.Errorf("make the search index: %w", err)
	}
	return nil
}

// reindexer goes through the corrections in the order of their ids.
type reindexer struct {
	tx                                     *sql.Tx
	facet, block, measure, stretch, search *sql.Stmt
	numbers                                map[facet]int64
	spanBlock, stretchBlock                int64
	bits                                   map[int64]*bitset
	money, share                           [stretchSpan]byte
	stretches                              []stretchRow
	pieces                                 pieces
}

type stretchRow struct{ block, n, min, max int64 }

func newReindexer(ctx context.Context, tx *sql.Tx) (*reindexer, error) {
	x := &reindexer{tx: tx, numbers: map[facet]int64{}, spanBlock: -1, stretchBlock: -1, bits: map[int64]*bitset{}}
	for _, s := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&x.facet, `INSERT INTO facet (kind, value) VALUES (?, ?)`},
		{&x.block, `INSERT INTO facet_block (key, bits) VALUES (?, ?)`},
		{&x.measure, `INSERT INTO measure (key, bytes) VALUES (?, ?)`},
		{&x.stretch, `INSERT INTO stretch (block, n, since_ms, reach_ms) VALUES (?, ?, ?, ?)`},
		{&x.search, `INSERT INTO search (rowid, pieces) VALUES (?, ?)`},
	} {
		var err error
		if *s.stmt, err = tx.PrepareContext(ctx, s.text); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (x *reindexer) run(ctx context.Context) error {
	rows, err := x.tx.QueryContext(ctx, `
		SELECT c.id, c.sub_mchid, c.service_id, c.out_order_no, c.base_total, c.target_total, c.author, c.prepared_ms,
			c.reason_code, c.reason_zh, c.reason_en, c.outgoing, c.ticket, c.note, c.body,
			COALESCE(w.state, ''), COALESCE(w.review, ''), COALESCE(w.approver, 0), COALESCE(w.flagged, 0)
		FROM correction c LEFT JOIN correction_now w ON w.correction_id = c.id ORDER BY c.id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var o ledger.Origin
		var s standing
		var body sql.RawBytes
		err := rows.Scan(&id, &o.SubMchID, &o.ServiceID, &o.OutOrderNo, &o.BaseTotal, &o.TargetTotal, &o.Author, &o.PreparedMS,
			&o.ReasonCode, &o.ReasonZH, &o.ReasonEN, &o.Outgoing, &o.Ticket, &o.Note, &body, &s.state, &s.review, &s.approver, &s.flagged)
		if err != nil {
			return err
		}
		o.Body = body
		if err := x.add(ctx, id, &o, s); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := x.flushSpan(ctx); err != nil {
		return err
	}
	if err := x.flushStretch(ctx); err != nil {
		return err
	}
	since := int64(1<<63 - 1)
	for i, s := range slices.Backward(x.stretches) {
		since = min(since, s.min)
		x.stretches[i].min = since
	}
	reach := int64(-1 << 63)
	for _, s := range x.stretches {
		reach = max(reach, s.max)
		if _, err := x.stretch.ExecContext(ctx, s.block, s.n, s.min, reach); err != nil {
			return err
		}
	}
	return nil
}

func (x *reindexer) add(ctx context.Context, id int64, o *ledger.Origin, s standing) error {
	if id/span != x.spanBlock {
		if err := x.flushSpan(ctx); err != nil {
			return err
		}
		x.spanBlock = id / span
	}
	if id/stretchSpan != x.stretchBlock {
		if err := x.flushStretch(ctx); err != nil {
			return err
		}
		x.stretchBlock = id / stretchSpan
		x.stretches = append(x.stretches, stretchRow{x.stretchBlock, 0, o.PreparedMS, o.PreparedMS})
	}
	t := &x.stretches[len(x.stretches)-1]
	t.n, t.min, t.max = t.n+1, min(t.min, o.PreparedMS), max(t.max, o.PreparedMS)
	var numbers []int64
	for _, f := range lasting(o) {
		n, err := x.mark(ctx, id, f)
		if err != nil {
			return err
		}
		numbers = append(numbers, n)
	}
	stands := s.facets()
	if s.flagged {
		rows, err := x.tx.QueryContext(ctx, `SELECT code FROM flag INDEXED BY flag_correction WHERE correction_id = ?`, id)
		flags, err := collect(rows, err, func(r scanner) (facet, error) {
			f := facet{kind: facetFlag}
			err := r.Scan(&f.value)
			return f, err
		})
		if err != nil {
			return err
		}
		stands = append(stands, flags...)
	}
	for _, f := range stands {
		if _, err := x.mark(ctx, id, f); err != nil {
			return err
		}
	}
	reduction := o.BaseTotal - o.TargetTotal
	x.money[id%stretchSpan], x.share[id%stretchSpan] = byte(amountCode(reduction)), byte(shareCode(reduction, o.BaseTotal))
	_, err := x.search.ExecContext(ctx, id, x.pieces.of(o, devicesOf(bytes.Clone(o.Body)), numbers))
	return err
}

func (x *reindexer) mark(ctx context.Context, id int64, f facet) (int64, error) {
	n, ok := x.numbers[f]
	if !ok {
		r, err := x.facet.ExecContext(ctx, f.kind, f.value)
		if err != nil {
			return 0, err
		}
		if n, err = r.LastInsertId(); err != nil {
			return 0, err
		}
		x.numbers[f] = n
	}
	b := x.bits[n]
	if b == nil {
		b = new(bitset)
		x.bits[n] = b
	}
	b.set(int(id % span))
	return n, nil
}

func (x *reindexer) flushSpan(ctx context.Context) error {
	for n, b := range x.bits {
		if b.empty() {
			continue
		}
		if _, err := x.block.ExecContext(ctx, n<<blockBits|x.spanBlock, b.pack()); err != nil {
			return err
		}
		*b = bitset{}
	}
	return nil
}

func (x *reindexer) flushStretch(ctx context.Context) error {
	if x.stretchBlock < 0 {
		return nil
	}
	for measure, of := range map[int64]*[stretchSpan]byte{measureMoney: &x.money, measureShare: &x.share} {
		if _, err := x.measure.ExecContext(ctx, measure<<blockBits|x.stretchBlock, of[:]); err != nil {
			return err
		}
		clear(of[:])
	}
	return nil
}
