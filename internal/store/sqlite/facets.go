package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// Facets are the values that corrections are filtered by. For each it is kept which
// corrections have it, so that any number of filters are answered by laying their bits
// over each other, however rare what they have in common is.

// Kinds of facets. What comes before facetState never changes of a correction.
const (
	facetAuthor   = "author" // id
	facetMerchant = "merchant"
	facetService  = "service"
	facetReason   = "reason" // code and both texts, see reasonFacet
	facetState    = "state"  // of corrections that came to their end; of the others there are few
	facetReview   = "review" // a mark, or ReviewNone
	facetApprover = "approver"
	facetFlag     = "flag"
)

// Sizes of blocks.
const (
	span         = 16_000 // ids of a block of facets
	spanWords    = span / 64
	stretchSpan  = 2_000 // ids of a block of measures and of a stretch
	blockBits    = 32    // of a key
	blockMask    = 1<<blockBits - 1
	perSpan      = span / stretchSpan
	measureMoney = 1
	measureShare = 2
)

// changeSize is the size of a change in a block.
const changeSize = 3

// blockChange is one bit or byte of a block that becomes another.
type blockChange struct {
	key   int64
	i     int64
	value byte
}

// regrouping gathers what a transaction changes in the blocks of facets, measures and
// stretches: the corrections of a group share their blocks, and each is written once.
type regrouping struct {
	bits, bytes []blockChange
	arrived     []arrival
}

// arrival is a new correction in a stretch.
type arrival struct{ block, ms int64 }

// size tells how much there is, for back.
func (r *regrouping) size() [3]int { return [3]int{len(r.bits), len(r.bytes), len(r.arrived)} }

// back takes back what came after size.
func (r *regrouping) back(size [3]int) {
	r.bits, r.bytes, r.arrived = r.bits[:size[0]], r.bytes[:size[1]], r.arrived[:size[2]]
}

// regroup writes what was gathered.
func (w *writeTx) regroup(ctx context.Context) error {
	for _, x := range []struct {
		changes []blockChange
		text    string
	}{
		{w.regrouping.bits, `INSERT INTO facet_block (key, bits) VALUES (?1, with_bits(x'', ?2)) ON CONFLICT (key) DO UPDATE SET bits = with_bits(bits, ?2)`},
		{w.regrouping.bytes, `INSERT INTO measure (key, bytes) VALUES (?1, with_bytes(x'', ?2)) ON CONFLICT (key) DO UPDATE SET bytes = with_bytes(bytes, ?2)`},
	} {
		slices.SortStableFunc(x.changes, func(a, b blockChange) int { return cmp.Compare(a.key, b.key) }) // of one bit, the newest counts
		for len(x.changes) > 0 {
			key, n := x.changes[0].key, 0
			var changes []byte
			for ; n < len(x.changes) && x.changes[n].key == key; n++ {
				changes = append(binary.LittleEndian.AppendUint16(changes, uint16(x.changes[n].i)), x.changes[n].value)
			}
			x.changes = x.changes[n:]
			if _, err := w.exec(ctx, x.text, key, changes); err != nil {
				return fmt.Errorf("regroup: %w", err)
			}
		}
	}
	slices.SortStableFunc(w.regrouping.arrived, func(a, b arrival) int { return cmp.Compare(a.block, b.block) })
	for rest := w.regrouping.arrived; len(rest) > 0; {
		block, since, reach, n := rest[0].block, rest[0].ms, rest[0].ms, 0
		for ; n < len(rest) && rest[n].block == block; n++ {
			since, reach = min(since, rest[n].ms), max(reach, rest[n].ms)
		}
		rest = rest[n:]
		for _, x := range []struct {
			when, text string // text changes something only if when finds a row
			args       []any
		}{
			{``, `INSERT INTO stretch (block, n, since_ms, reach_ms) VALUES (?1, ?4,
				min(?2, COALESCE((SELECT since_ms FROM stretch WHERE block > ?1 ORDER BY block LIMIT 1), ?2)),
				max(?3, COALESCE((SELECT reach_ms FROM stretch WHERE block < ?1 ORDER BY block DESC LIMIT 1), ?3)))
			ON CONFLICT (block) DO UPDATE SET n = n + ?4, since_ms = min(since_ms, ?2), reach_ms = max(reach_ms, ?3)`, []any{block, since, reach, n}},
			// A clock was set back, or an old correction came from the journal. Both times grow
			// from block to block: the neighbour tells whether there is anything to do.
			{`SELECT 1 FROM (SELECT since_ms FROM stretch WHERE block < ?1 ORDER BY block DESC LIMIT 1) WHERE since_ms > ?2`,
				`UPDATE stretch SET since_ms = ?2 WHERE since_ms > ?2 AND block < ?1`, []any{block, since}},
			{`SELECT 1 FROM (SELECT reach_ms FROM stretch WHERE block > ?1 ORDER BY block LIMIT 1) WHERE reach_ms < ?2`,
				`UPDATE stretch SET reach_ms = ?2 WHERE reach_ms < ?2 AND block > ?1`, []any{block, reach}},
		} {
			if x.when != "" {
				var n int
				if err := w.row(ctx, x.when, x.args...).Scan(&n); errors.Is(err, sql.ErrNoRows) {
					continue
				} else if err != nil {
					return fmt.Errorf("regroup: %w", err)
				}
			}
			if _, err := w.exec(ctx, x.text, x.args...); err != nil {
				return fmt.Errorf("regroup: %w", err)
			}
		}
	}
	w.regrouping = regrouping{}
	return nil
}

// amountEdges are amounts in fen that people filter by: ranges that begin and end at
// them need no second look.
var amountEdges = func() []int64 {
	var list []int64
	for unit := int64(1); unit <= 10_000_000_000; unit *= 10 {
		for _, tenths := range []int64{10, 15, 20, 30, 40, 50, 60, 80} {
			if v := unit * tenths; v%10 == 0 {
				list = append(list, v/10)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}()

// amountCode is the byte of an amount: even for an edge itself, odd for what lies between
// two. 0 stands for no correction.
func amountCode(fen int64) int {
	i := sort.Search(len(amountEdges), func(i int) bool { return amountEdges[i] > fen })
	if i > 0 && amountEdges[i-1] == fen {
		return 2 * i
	}
	return 2*i + 1
}

// shareCode is the byte of a reduction as a share of the order: odd for a whole percent,
// even for what lies between two.
func shareCode(reduction, base int64) int {
	code := 1 + 2*int(reduction*100/base)
	if reduction*100%base != 0 {
		code++
	}
	return code
}

// reasonFacet is the value of a facet for a reason as it was frozen.
func reasonFacet(code, zh, en string) string { return code + "\x00" + zh + "\x00" + en }

// facet is a value that a correction has.
type facet struct{ kind, value string }

// lasting are the facets that a correction keeps.
func lasting(o *ledger.Origin) []facet {
	return []facet{
		{facetAuthor, strconv.FormatInt(o.Author, 10)}, {facetMerchant, o.SubMchID}, {facetService, o.ServiceID},
		{facetReason, reasonFacet(o.ReasonCode, o.ReasonZH, o.ReasonEN)},
	}
}

// facets are those that a correction has as it stands.
func (s standing) facets() []facet {
	var list []facet
	final := correction.State(s.state).Final()
	if final {
		list = append(list, facet{facetState, s.state})
	}
	if s.review != "" {
		list = append(list, facet{facetReview, s.review})
	} else if final {
		list = append(list, facet{facetReview, correction.ReviewNone})
	}
	if s.approver != 0 {
		list = append(list, facet{facetApprover, strconv.FormatInt(s.approver, 10)})
	}
	return list
}

// facetPiece is the piece by which the search index knows a facet.
func facetPiece(n int64) string { return "\ue100" + strconv.FormatInt(n, 10) }

// amountPiece is the piece for a range of reductions.
func amountPiece(code int) string { return "\ue101" + strconv.Itoa(code) }

// piecesOf are the pieces of a correction: of its texts, its lasting facets and its
// reduction.
func (p *pieces) of(o *ledger.Origin, devices []string, lasting []int64) string {
	p.reset()
	for _, text := range []string{o.OutOrderNo, o.Outgoing, o.Note, o.Ticket} {
		p.cut(text)
	}
	for _, d := range devices {
		p.cut(d)
	}
	for _, n := range lasting {
		p.add([]byte(facetPiece(n)))
	}
	p.add([]byte(amountPiece(amountCode(o.BaseTotal - o.TargetTotal))))
	return p.text.String()
}

func devicesOf(body []byte) []string {
	r, err := correction.ParseBody(body)
	if err != nil { // older than the program, or not ours: the table of devices takes it the same way
		var d struct {
			Device struct {
				Start string `json:"start_device_id"`
				End   string `json:"end_device_id"`
			} `json:"device"`
		}
		if json.Unmarshal(body, &d) != nil {
			return nil
		}
		return []string{d.Device.Start, d.Device.End}
	}
	return []string{r.Device.Start, r.Device.End}
}

// facetNumber returns the number of a facet, which new ones get. Numbers are kept as long
// as nothing is rolled back.
func (w *writeTx) facetNumber(ctx context.Context, f facet) (int64, error) {
	if n, ok := w.store.numbers[f]; ok {
		return n, nil
	}
	var n int64
	err := w.row(ctx, `SELECT n FROM facet WHERE kind = ? AND value = ?`, f.kind, f.value).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		var r sql.Result
		if r, err = w.exec(ctx, `INSERT INTO facet (kind, value) VALUES (?, ?)`, f.kind, f.value); err == nil {
			n, err = r.LastInsertId()
		}
		w.newFacets = true
	}
	if err != nil {
		return 0, fmt.Errorf("number the value %s: %w", f.kind, err)
	}
	if w.store.numbers == nil {
		w.store.numbers = map[facet]int64{}
	}
	w.store.numbers[f] = n
	return n, nil
}

// mark sets or clears the bit of a correction.
func (w *writeTx) mark(id, facetNumber int64, on bool) {
	c := blockChange{key: facetNumber<<blockBits | id/span, i: id % span}
	if on {
		c.value = 1
	}
	w.regrouping.bits = append(w.regrouping.bits, c)
}

// index makes a new correction findable.
func (w *writeTx) index(ctx context.Context, id int64, o *ledger.Origin) error {
	var numbers []int64
	for _, f := range lasting(o) {
		n, err := w.facetNumber(ctx, f)
		if err != nil {
			return err
		}
		w.mark(id, n, true)
		numbers = append(numbers, n)
	}
	block, reduction := id/stretchSpan, o.BaseTotal-o.TargetTotal
	for measure, code := range map[int64]int{measureMoney: amountCode(reduction), measureShare: shareCode(reduction, o.BaseTotal)} {
		w.regrouping.bytes = append(w.regrouping.bytes, blockChange{measure<<blockBits | block, id % stretchSpan, byte(code)})
	}
	w.regrouping.arrived = append(w.regrouping.arrived, arrival{block, o.PreparedMS})
	_, err := w.exec(ctx, `INSERT INTO search (rowid, pieces) VALUES (?, ?)`, id, w.store.pieces.of(o, devicesOf(o.Body), numbers))
	return err
}

// restand moves a correction to the facets that it has after an event. before is how it
// stood.
func (w *writeTx) restand(ctx context.Context, id int64, before standing, e ledger.Entry) error {
	after := before
	after.follow(e)
	was, is := before.facets(), after.facets()
	if after.flagged && !before.flagged {
		var d correction.Detail
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			return fmt.Errorf("read flags: %w", err)
		}
		for _, f := range d.Flags {
			is = append(is, facet{facetFlag, f.Code})
		}
	}
	for _, f := range was {
		if !slices.Contains(is, f) {
			if err := w.remark(ctx, id, f, false); err != nil {
				return err
			}
		}
	}
	for _, f := range is {
		if !slices.Contains(was, f) {
			if err := w.remark(ctx, id, f, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writeTx) remark(ctx context.Context, id int64, f facet, on bool) error {
	n, err := w.facetNumber(ctx, f)
	if err != nil {
		return err
	}
	w.mark(id, n, on)
	return nil
}

// standsAs is how a correction stands, as far as facets depend on it.
func (w *writeTx) standsAs(ctx context.Context, id int64) (s standing, err error) {
	err = w.row(ctx, `SELECT n, state, review, approver, flagged FROM correction_now WHERE correction_id = ?`, id).
		Scan(&s.n, &s.state, &s.review, &s.approver, &s.flagged)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return s, err
}
