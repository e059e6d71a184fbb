package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/insights"
)

// The facts of a stretch, which is stretchSpan ids, are kept in one row, a block. The
// number of ids is in the trigger of the schema, too.

// keepAtOnce is how many blocks one transaction keeps: the writer waits for it.
const keepAtOnce = 4

// mostFresh bounds how many blocks that a read worked out wait to be kept.
const mostFresh = 64

// blockVersion tells whether a block is as it was read: events are only ever added.
type blockVersion struct{ corrections, events int64 }

const readBlockVersion = `SELECT count(*), COALESCE(sum(n), 0) FROM correction_now WHERE correction_id BETWEEN ? AND ?`

// worked is a block whose facts were worked out from the record.
type worked struct {
	block   int64
	version blockVersion
	facts   []byte
	devices []byte
}

// Facts calls each for the facts of the corrections that were prepared at or after from
// and before to, as they stood at one moment; a block may hold facts beside those. Blocks
// come without what devices they name unless that is asked for. What is not kept is
// worked out from the record, and kept as far as the writer has little else to do. A
// connection is held while each runs, so it must not read.
func (s *Store) Facts(ctx context.Context, from, to time.Time, devices bool, each func(*insights.FactBlock)) error {
	fresh, err := s.readFacts(ctx, from, to, devices, each)
	// What cannot be kept costs time only. What was worked out in vain, because there was
	// too much of it, is there the next time.
	for _, block := range fresh {
		if s.keepLate(context.WithoutCancel(ctx), block) != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	return nil
}

func (s *Store) readFacts(ctx context.Context, from, to time.Time, devices bool, each func(*insights.FactBlock)) ([]worked, error) {
	m, err := s.heavy.moment(ctx)
	if err != nil {
		return nil, err
	}
	defer m.close()
	r := blockReader{m}
	rows, err := r.query(r.ctx, `
		SELECT s.block, r.facts, CASE WHEN ? THEN r.devices END
		FROM stretch s LEFT JOIN rollup r ON r.block = s.block
		WHERE s.block >= (SELECT block FROM stretch INDEXED BY stretch_reach WHERE reach_ms >= ? ORDER BY reach_ms, block LIMIT 1)
			AND s.block <= (SELECT block FROM stretch INDEXED BY stretch_since WHERE since_ms < ? ORDER BY since_ms DESC, block DESC LIMIT 1)
		ORDER BY s.block`, devices, millis(from), millis(to))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var fresh []worked
	for rows.Next() {
		var block int64
		var facts, uses sql.RawBytes
		if err := rows.Scan(&block, &facts, &uses); err != nil {
			return fresh, err
		}
		b, ok := decodeBlock(facts, uses)
		if !ok { // not kept, or by another version of the program
			w, fb, err := r.work(block)
			if err != nil {
				return fresh, err
			}
			if b = fb; len(fresh) < mostFresh {
				fresh = append(fresh, w)
			}
		}
		each(b)
	}
	return fresh, rows.Err()
}

// RollUp works out up to limit blocks that are not kept, the newest first, and keeps
// them. It leaves alone the block that still grows. done tells how many there were.
func (s *Store) RollUp(ctx context.Context, limit int) (done int, err error) {
	rows, err := s.heavy.query(ctx, `
		SELECT s.block FROM stretch s
		WHERE s.block < (SELECT max(block) FROM stretch) AND NOT EXISTS (SELECT 1 FROM rollup r WHERE r.block = s.block)
		ORDER BY s.block DESC LIMIT ?`, limit)
	blocks, err := collect(rows, err, func(r scanner) (int64, error) {
		var n int64
		return n, r.Scan(&n)
	})
	for part := range slices.Chunk(blocks, keepAtOnce) {
		var ready []worked
		if err == nil {
			ready, err = s.workOut(ctx, part)
		}
		if err == nil {
			err = s.keepBlocks(ctx, ready)
		}
		if err != nil {
			break
		}
		done += len(part)
	}
	if err != nil && !errors.Is(err, correction.ErrCrowded) { // people come first
		return done, fmt.Errorf("roll up: %w", err)
	}
	return done, nil
}

func (s *Store) workOut(ctx context.Context, blocks []int64) ([]worked, error) {
	m, err := s.heavy.moment(ctx)
	if err != nil {
		return nil, err
	}
	defer m.close()
	var out []worked
	for _, b := range blocks {
		w, _, err := blockReader{m}.work(b)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// keepBlocks keeps the blocks that are still as they were read.
func (s *Store) keepBlocks(ctx context.Context, blocks []worked) error {
	return s.write(ctx, func(w *writeTx) error {
		for _, b := range blocks {
			var now blockVersion
			first := b.block * stretchSpan
			if err := w.row(ctx, readBlockVersion, first, first+stretchSpan-1).Scan(&now.corrections, &now.events); err != nil {
				return err
			}
			if now != b.version {
				continue
			}
			_, err := w.exec(ctx, `INSERT INTO rollup (block, facts, devices) VALUES (?, ?, ?)
				ON CONFLICT (block) DO UPDATE SET facts = excluded.facts, devices = excluded.devices`, b.block, b.facts, b.devices)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// keepWithin is how long a page waits for the writer to keep a block.
const keepWithin = 100 * time.Millisecond

// keepLate is keepBlocks for one block that a page worked out: only as long as the writer
// has little else to do.
func (s *Store) keepLate(ctx context.Context, block worked) error {
	ctx, cancel := context.WithTimeout(ctx, keepWithin)
	defer cancel()
	return s.keepBlocks(ctx, []worked{block})
}

// blockReader reads blocks as they stand at one moment.
type blockReader struct{ moment }

// work works out the facts of a block from the record.
func (r blockReader) work(block int64) (worked, *insights.FactBlock, error) {
	first := block * stretchSpan
	last := first + stretchSpan - 1
	w := worked{block: block}
	rows, err := r.query(r.ctx, readBlockVersion, first, last)
	version, err := collect(rows, err, func(r scanner) (v blockVersion, err error) {
		return v, r.Scan(&v.corrections, &v.events)
	})
	if err != nil {
		return w, nil, err
	}
	w.version = version[0]
	m := blockMaker{block: &insights.FactBlock{}, place: map[int64]uint16{}}
	rows, err = r.query(r.ctx, `
		SELECT c.id, c.prepared_ms, c.base_total, c.base_total - c.target_total, c.sub_mchid, c.service_id,
			c.reason_code, c.reason_zh, c.reason_en, c.author, w.state, w.review = 'wrong', w.settled,
			CASE w.settled WHEN 'paid_new' THEN
				COALESCE((SELECT min(e.at_ms) FROM event e WHERE e.correction_id = c.id AND e.settled = 'paid_new'), -1)
			ELSE -1 END
		FROM correction_now w CROSS JOIN correction c ON c.id = w.correction_id
		WHERE w.correction_id BETWEEN ? AND ? ORDER BY w.correction_id`, first, last)
	if _, err = collect(rows, err, m.scanFact); err != nil {
		return w, nil, err
	}
	rows, err = r.query(r.ctx, `
		SELECT correction_id, device_id FROM device INDEXED BY device_correction
		WHERE correction_id BETWEEN ? AND ? ORDER BY correction_id, device_id`, first, last)
	if _, err = collect(rows, err, m.scanUse); err != nil {
		return w, nil, err
	}
	w.facts, w.devices = encodeBlock(m.block)
	return w, m.block, nil
}

// blockMaker makes a block from rows.
type blockMaker struct {
	block                                       *insights.FactBlock
	place                                       map[int64]uint16 // id → its fact
	merchants, services, reasons, agents, named names
}

// names give each value a number, in the order in which they come.
type names map[any]uint16

func (n *names) number(v any) (i uint16, fresh bool) {
	if *n == nil {
		*n = names{}
	}
	i, ok := (*n)[v]
	if !ok {
		i = uint16(len(*n))
		(*n)[v] = i
	}
	return i, !ok
}

func (m *blockMaker) scanFact(r scanner) (struct{}, error) {
	var f insights.Fact
	var id, agent, settledMS int64
	var merchant, service string
	var reason correction.Reason
	var state correction.State
	var settled correction.Settlement
	err := r.Scan(&id, &f.PreparedMS, &f.Base, &f.Reduction, &merchant, &service,
		&reason.Code, &reason.ZH, &reason.EN, &agent, &state, &f.Wrong, &settled, &settledMS)
	if err != nil {
		return struct{}{}, err
	}
	outcome, counts := insights.OutcomeOf(state)
	if !counts {
		return struct{}{}, nil
	}
	f.Outcome, f.PaidOld, f.SettledMinutes = outcome, settled == correction.PaidOld, -1
	if settledMS >= 0 {
		f.SettledMinutes = int32(max(0, settledMS-f.PreparedMS) / time.Minute.Milliseconds())
	}
	b := m.block
	var fresh bool
	if f.Merchant, fresh = m.merchants.number(merchant); fresh {
		b.Merchants = append(b.Merchants, merchant)
	}
	if f.Service, fresh = m.services.number(service); fresh {
		b.Services = append(b.Services, service)
	}
	if f.Reason, fresh = m.reasons.number(reason); fresh {
		b.Reasons = append(b.Reasons, reason)
	}
	if f.Agent, fresh = m.agents.number(agent); fresh {
		b.Agents = append(b.Agents, agent)
	}
	m.place[id] = uint16(len(b.Facts))
	b.Facts = append(b.Facts, f)
	return struct{}{}, nil
}

func (m *blockMaker) scanUse(r scanner) (struct{}, error) {
	var id int64
	var device string
	if err := r.Scan(&id, &device); err != nil {
		return struct{}{}, err
	}
	fact, ok := m.place[id]
	if !ok {
		return struct{}{}, nil
	}
	n, fresh := m.named.number(device)
	if fresh {
		m.block.Devices = append(m.block.Devices, device)
	}
	m.block.Uses = append(m.block.Uses, insights.DeviceUse{Fact: fact, Device: n})
	return struct{}{}, nil
}

// blockFormat is the first number of a kept block.
const blockFormat = 1

// encodeBlock writes a block as numbers of variable length: its lists, then a row for
// each fact. Devices stand by themselves.
func encodeBlock(b *insights.FactBlock) (facts, devices []byte) {
	text := func(to []byte, v string) []byte {
		return append(binary.AppendUvarint(to, uint64(len(v))), v...)
	}
	list := func(to []byte, vs []string) []byte {
		to = binary.AppendUvarint(to, uint64(len(vs)))
		for _, v := range vs {
			to = text(to, v)
		}
		return to
	}
	facts = binary.AppendUvarint(facts, blockFormat)
	facts = list(list(facts, b.Merchants), b.Services)
	facts = binary.AppendUvarint(facts, uint64(len(b.Reasons)))
	for _, r := range b.Reasons {
		facts = text(text(text(facts, r.Code), r.ZH), r.EN)
	}
	facts = binary.AppendUvarint(facts, uint64(len(b.Agents)))
	for _, a := range b.Agents {
		facts = binary.AppendVarint(facts, a)
	}
	facts = binary.AppendUvarint(facts, uint64(len(b.Facts)))
	var before int64
	for _, f := range b.Facts {
		facts = binary.AppendVarint(facts, f.PreparedMS-before)
		before = f.PreparedMS
		for _, n := range [...]uint64{
			uint64(f.Merchant), uint64(f.Service), uint64(f.Reason), uint64(f.Agent), uint64(f.Base), uint64(f.Reduction),
			uint64(f.SettledMinutes + 1), uint64(f.Outcome)<<2 | bit(f.Wrong)<<1 | bit(f.PaidOld),
		} {
			facts = binary.AppendUvarint(facts, n)
		}
	}
	devices = list(devices, b.Devices)
	devices = binary.AppendUvarint(devices, uint64(len(b.Uses)))
	for _, u := range b.Uses {
		devices = binary.AppendUvarint(binary.AppendUvarint(devices, uint64(u.Fact)), uint64(u.Device))
	}
	return facts, devices
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// decodeBlock reads what encodeBlock wrote; false when it is something else. devices may
// be empty: then the block names none.
func decodeBlock(facts, devices []byte) (*insights.FactBlock, bool) {
	d := &decoder{rest: facts}
	if d.number() != blockFormat {
		return nil, false
	}
	b := &insights.FactBlock{Merchants: d.list(), Services: d.list()}
	for range d.length() {
		b.Reasons = append(b.Reasons, correction.Reason{Code: d.text(), ZH: d.text(), EN: d.text()})
	}
	for range d.length() {
		b.Agents = append(b.Agents, d.signed())
	}
	n := d.length()
	b.Facts = make([]insights.Fact, n)
	var at int64
	for i := range b.Facts {
		f := &b.Facts[i]
		at += d.signed()
		f.PreparedMS = at
		f.Merchant, f.Service = d.place(len(b.Merchants)), d.place(len(b.Services))
		f.Reason, f.Agent = d.place(len(b.Reasons)), d.place(len(b.Agents))
		f.Base, f.Reduction = correction.Fen(d.number()), correction.Fen(d.number())
		f.SettledMinutes = int32(d.number()) - 1
		marks := d.number()
		f.Outcome, f.Wrong, f.PaidOld = insights.Outcome(marks>>2), marks&2 != 0, marks&1 != 0
	}
	if d.err != nil || len(d.rest) > 0 {
		return nil, false
	}
	if len(devices) == 0 {
		return b, true
	}
	d = &decoder{rest: devices}
	b.Devices = d.list()
	b.Uses = make([]insights.DeviceUse, d.length())
	for i := range b.Uses {
		b.Uses[i] = insights.DeviceUse{Fact: d.place(len(b.Facts)), Device: d.place(len(b.Devices))}
	}
	return b, d.err == nil && len(d.rest) == 0
}

// decoder reads numbers and texts. After an error everything it reads is zero.
type decoder struct {
	rest []byte
	err  error
}

var errBlock = errors.New("it is not a block of facts")

func (d *decoder) fail() {
	d.rest, d.err = nil, errBlock
}

func (d *decoder) number() uint64 {
	if len(d.rest) > 0 && d.rest[0] < 0x80 { // most are small
		v := d.rest[0]
		d.rest = d.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) signed() int64 {
	v := d.number()
	return int64(v>>1) ^ -int64(v&1)
}

// length is a number of things that each take a byte at least.
func (d *decoder) length() int {
	v := d.number()
	if v > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(v)
}

// place is a number below n.
func (d *decoder) place(n int) uint16 {
	v := d.number()
	if v >= uint64(n) {
		d.fail()
		return 0
	}
	return uint16(v)
}

func (d *decoder) text() string {
	n := d.length()
	v := string(d.rest[:n])
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) list() []string {
	var out []string
	for range d.length() {
		out = append(out, d.text())
	}
	return out
}
