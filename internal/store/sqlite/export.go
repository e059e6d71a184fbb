package sqlite

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// An export is read in portions: which corrections it holds, and in which order, is fixed
// at the start; each portion is read as it stands when its turn comes, and no connection
// is held while it is written, however slowly. So no export keeps the write-ahead log
// from being emptied.

// Sizes of portions, and how long one may take to be written: how a correction stands
// should not be old when it is.
const (
	firstPortion = 64
	mostPortion  = 1000
	leastPortion = 8
	shortWrite   = 100 * time.Millisecond
	longWrite    = time.Second
)

// Export calls each for portions of the corrections that the filter selects now, in the
// order. A row is as it stands when its portion is read; what the filter does not select
// any more by then is left out. The rows are good until each returns, and the next portion
// is read after that. The first error of each ends it.
func (s *Store) Export(ctx context.Context, f changelog.LogFilter, sort changelog.LogSort, each func([]correction.Summary) error) error {
	n := narrow(f)
	if n.none() {
		return nil
	}
	var ids idList
	err := s.walk(ctx, &s.heavy, n, func(w *walker) error {
		seq, err := w.everything(sort)
		if err != nil {
			return err
		}
		for id := range seq { // of unsure ones their portion tells
			ids.add(id)
		}
		return w.err
	})
	portion := make([]correction.Summary, 0, firstPortion)
	for size := firstPortion; err == nil && ids.left > 0; {
		if portion, err = s.portion(ctx, n, ids.next(size), portion[:0]); err != nil {
			break
		}
		start := time.Now()
		if len(portion) > 0 {
			err = each(portion)
		}
		switch took := time.Since(start); {
		case took < shortWrite:
			size = min(2*size, mostPortion)
		case took > longWrite:
			size = max(size/4, leastPortion)
		}
	}
	if err != nil {
		return fmt.Errorf("export change log: %w", err)
	}
	return nil
}

// portion adds the rows of ids that the filter selects, in their order.
func (s *Store) portion(ctx context.Context, n narrowed, ids []int64, rows []correction.Summary) ([]correction.Summary, error) {
	d, err := s.directory(ctx)
	if err != nil {
		return rows, err
	}
	m, err := s.export.moment(ctx)
	if err != nil {
		return rows, err
	}
	defer m.close()
	if err := n.keep(m.ctx, m); err != nil { // as of this portion: somebody may have decided
		return rows, err
	}
	q := &query{}
	q.add(`SELECT `+exportColumns+` FROM json_each(?) page CROSS JOIN correction c ON c.id = page.value CROSS`+filterJoins+` WHERE TRUE`, jsonIDs(ids))
	n.conditions(q)
	found, err := m.shaped(m.ctx, q)
	return exported{d, rows}.all(found, err)
}

// exportColumns are what an export reads of a correction c that stands as w says. Names
// come from the directory: a look-up in SQL costs a third of a row each.
const exportColumns = factColumns + `, w.state, w.at_ms, w.request_id, w.settled, w.due, w.review, w.approver, w.flagged,
	CASE w.flagged WHEN 0 THEN '' ELSE ` + flagsOfRow + ` END, ` + devicesOfRow

// exported completes the rows of an export.
type exported struct {
	*directory
	rows []correction.Summary
}

func (e exported) all(rows rowSet, err error) ([]correction.Summary, error) {
	if err != nil {
		return e.rows, err
	}
	defer rows.Close()
	var s correction.Summary
	var prepared, changed, until int64
	into := []any{&s.ID, &s.Ref.SubMchID, &s.Ref.ServiceID, &s.Ref.OutOrderNo,
		&s.AuthorID, &s.Reason.Code, &s.Reason.ZH, &s.Reason.EN, &s.Reason.NeedsNote,
		&s.Outgoing, &s.Ticket, &s.Note, &s.BaseTotal, &s.Target, &prepared, &until,
		&s.State, &changed, &s.RequestID, &s.Settled, &s.Due, &s.Review, &s.ApproverID, &s.Flagged, &s.Flags, &s.Devices}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return e.rows, err
		}
		s.Reason.Outgoing = s.Outgoing
		s.PreparedAt, s.ChangedAt, s.ConfirmUntil = at(prepared), at(changed), at(until)
		author := e.people[s.AuthorID]
		s.AuthorLogin, s.AuthorName, s.ApproverName = author.Login, author.Name, e.people[s.ApproverID].Name
		s.MerchantName, s.ServiceName = e.merchant[s.Ref.SubMchID].Name, e.offering[s.Ref.ServiceID].Name
		e.rows = append(e.rows, s)
	}
	return e.rows, rows.Err()
}

// idList is ids in an order: what each differs from the one before it, in a byte or a few.
// Ten millions of all corrections take 10 MB, in the order of their reductions some 30 MB.
type idList struct {
	chunks    [][]byte
	in, out   int64 // the newest id that was added, and taken out
	left      int
	takenFrom int // the first chunk
}

const idChunk = 64 << 10

func (l *idList) add(id int64) {
	n := len(l.chunks)
	if n == 0 || len(l.chunks[n-1])+binary.MaxVarintLen64 > cap(l.chunks[n-1]) {
		size := idChunk
		if n == 0 {
			size = 1 << 10
		}
		l.chunks = append(l.chunks, make([]byte, 0, size))
		n++
	}
	l.chunks[n-1] = binary.AppendVarint(l.chunks[n-1], id-l.in)
	l.in = id
	l.left++
}

// next takes out up to n ids from the start.
func (l *idList) next(n int) []int64 {
	out := make([]int64, 0, min(n, l.left))
	for len(out) < n && l.left > 0 {
		chunk := l.chunks[0][l.takenFrom:]
		if len(chunk) == 0 {
			l.chunks[0] = nil
			l.chunks, l.takenFrom = l.chunks[1:], 0
			continue
		}
		step, size := binary.Varint(chunk)
		l.takenFrom += size
		l.out += step
		l.left--
		out = append(out, l.out)
	}
	return out
}
