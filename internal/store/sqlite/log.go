package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// What a list shows of a correction c. None of it lies behind the large values.
const (
	summaryColumns = `c.id, c.sub_mchid, c.service_id, c.out_order_no, COALESCE(m.name, ''), COALESCE(o.name, ''),
		c.author, COALESCE(u.username, ''), COALESCE(u.name, ''), c.reason_code, c.reason_zh, c.reason_en, c.reason_needs_note,
		c.outgoing, c.ticket, c.note, c.base_total, c.target_total, w.state, c.prepared_ms, w.at_ms, c.confirm_until_ms, w.request_id, w.settled, w.due, w.review, w.approver, w.flagged`
	summaryJoins = `
		JOIN correction_now w ON w.correction_id = c.id
		LEFT JOIN user u ON u.id = c.author
		LEFT JOIN merchant m ON m.sub_mchid = c.sub_mchid
		LEFT JOIN offering o ON o.service_id = c.service_id`
)

// factColumns are those of them that never change.
const factColumns = `c.id, c.sub_mchid, c.service_id, c.out_order_no, c.author, c.reason_code, c.reason_zh, c.reason_en, c.reason_needs_note,
	c.outgoing, c.ticket, c.note, c.base_total, c.target_total, c.prepared_ms, c.confirm_until_ms`

func scanFacts(r scanner) (correction.Summary, error) {
	var s correction.Summary
	var prepared, until int64
	err := r.Scan(&s.ID, &s.Ref.SubMchID, &s.Ref.ServiceID, &s.Ref.OutOrderNo,
		&s.AuthorID, &s.Reason.Code, &s.Reason.ZH, &s.Reason.EN, &s.Reason.NeedsNote,
		&s.Outgoing, &s.Ticket, &s.Note, &s.BaseTotal, &s.Target, &prepared, &until)
	s.Reason.Outgoing = s.Outgoing
	s.PreparedAt, s.ConfirmUntil = at(prepared), at(until)
	return s, err
}

func scanSummary(r scanner) (correction.Summary, error) {
	var s correction.Summary
	var prepared, changed, until int64
	err := r.Scan(&s.ID, &s.Ref.SubMchID, &s.Ref.ServiceID, &s.Ref.OutOrderNo, &s.MerchantName, &s.ServiceName,
		&s.AuthorID, &s.AuthorLogin, &s.AuthorName, &s.Reason.Code, &s.Reason.ZH, &s.Reason.EN, &s.Reason.NeedsNote,
		&s.Outgoing, &s.Ticket, &s.Note, &s.BaseTotal, &s.Target, &s.State, &prepared, &changed, &until, &s.RequestID, &s.Settled, &s.Due, &s.Review, &s.ApproverID, &s.Flagged)
	s.Reason.Outgoing = s.Outgoing
	s.PreparedAt, s.ChangedAt, s.ConfirmUntil = at(prepared), at(changed), at(until)
	return s, err
}

// narrowed is a filter whose merchants are worked out: what the scope and the
// filter both allow. All = every merchant.
type narrowed struct {
	changelog.LogFilter
	all       bool
	merchants []string
	words     []string // of Text, folded
	kept      kept     // from who asks; known within a plan
}

func narrow(f changelog.LogFilter) narrowed {
	n := narrowed{LogFilter: f, words: words(f.Text)}
	switch {
	case f.SubMchID != "" && f.Scope.Allows(f.SubMchID):
		n.merchants = []string{f.SubMchID}
	case f.SubMchID != "":
	case f.Scope.All:
		n.all = true
	default:
		n.merchants = slices.Clone(f.Scope.Merchants)
		slices.Sort(n.merchants)
		n.merchants = slices.Compact(n.merchants)
	}
	return n
}

func (n narrowed) none() bool { return !n.all && len(n.merchants) == 0 }

// Log returns one page of the corrections that the filter selects; more tells whether
// there are more in the direction of the page.
func (s *Store) Log(ctx context.Context, f changelog.LogFilter, p changelog.Page) ([]correction.Summary, bool, error) {
	n := narrow(f)
	if n.none() || p.Limit <= 0 {
		return nil, false, nil
	}
	if p.Sort == changelog.ByTime && n.everything() {
		return s.newest(ctx, p)
	}
	var ids []int64
	err := s.walk(ctx, &s.search, n, func(w *walker) (err error) {
		ids, err = w.pick(p, p.Limit+1) // one more than asked tells whether there is more
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("read change log: %w", err)
	}
	more := len(ids) > p.Limit
	ids = ids[:min(len(ids), p.Limit)]
	if p.After > 0 {
		slices.Reverse(ids)
	}
	rows, err := s.standing(ctx, ids)
	if err != nil {
		return nil, false, fmt.Errorf("read change log: %w", err)
	}
	return rows, more, nil
}

// everything reports whether the filter asks for nothing.
func (n narrowed) everything() bool {
	f := n.LogFilter
	f.Scope, f.Veil = correction.Scope{}, correction.Veil{} // by time alone, nothing is told by the order
	return n.all && reflect.ValueOf(f).IsZero()
}

// standingColumn is one row with all that changes of corrections, which costs a third of
// a row for each.
const standingColumn = `COALESCE(group_concat(w.correction_id || ' ' || w.at_ms || ' ' || w.state || ' ' || w.settled || ' ' || w.due || ' ' || w.review || ' ' || w.approver || ' ' || w.flagged || ' ' || w.request_id, char(10)), '')`

// newest reads a page of all corrections with one query.
func (s *Store) newest(ctx context.Context, p changelog.Page) ([]correction.Summary, bool, error) {
	const from = `SELECT ` + standingColumn + ` FROM (SELECT * FROM correction_now NOT INDEXED WHERE correction_id `
	text, edge := from+`< ? ORDER BY correction_id DESC LIMIT ?) w`, p.Before
	if p.After > 0 {
		text, edge = from+`> ? ORDER BY correction_id ASC LIMIT ?) w`, p.After
	} else if edge <= 0 {
		edge = 1<<63 - 1
	}
	var page string
	err := s.reader.row(ctx, text, edge, p.Limit+1).Scan(&page)
	rows, perr := parsePage(page, p.Limit+1)
	if err = errors.Join(err, perr); err == nil {
		err = s.complete(ctx, rows)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read change log: %w", err)
	}
	more := len(rows) > p.Limit
	rows = rows[:min(len(rows), p.Limit)]
	slices.SortFunc(rows, func(a, b correction.Summary) int { return cmp.Compare(b.ID, a.ID) })
	return rows, more, nil
}

// standing reads what lists show of corrections, in the order of the ids.
func (s *Store) standing(ctx context.Context, ids []int64) ([]correction.Summary, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var page string
	err := s.reader.row(ctx, `SELECT `+standingColumn+` FROM json_each(?) page CROSS JOIN correction_now w ON w.correction_id = page.value`, jsonIDs(ids)).Scan(&page)
	if err != nil {
		return nil, err
	}
	rows, err := parsePage(page, len(ids))
	if err != nil {
		return nil, err
	}
	return rows, s.complete(ctx, rows)
}

// parsePage reads what Log's query puts together: a line for each correction. Only
// the last value, which came in a header, may hold a blank.
func parsePage(page string, most int) ([]correction.Summary, error) {
	list := make([]correction.Summary, 0, most)
	for page != "" {
		var line string
		line, page, _ = strings.Cut(page, "\n")
		number, rest, _ := strings.Cut(line, " ")
		changed, rest, _ := strings.Cut(rest, " ")
		state, rest, _ := strings.Cut(rest, " ")
		settled, rest, _ := strings.Cut(rest, " ")
		due, rest, _ := strings.Cut(rest, " ")
		review, rest, _ := strings.Cut(rest, " ")
		decider, rest, _ := strings.Cut(rest, " ")
		flagged, requestID, _ := strings.Cut(rest, " ")
		id, err := strconv.ParseInt(number, 10, 64)
		ms, merr := strconv.ParseInt(changed, 10, 64)
		approver, aerr := strconv.ParseInt(decider, 10, 64)
		if err = errors.Join(err, merr, aerr); err != nil {
			return nil, err
		}
		list = append(list, correction.Summary{ID: id, ChangedAt: at(ms), State: correction.State(state), RequestID: requestID,
			Settled: correction.Settlement(settled), Due: due == "1", Review: correction.ReviewMark(review), ApproverID: approver, Flagged: flagged == "1"})
	}
	return list, nil
}

// walk plans how the filter is answered, and answers it out of one state of the database.
func (s *Store) walk(ctx context.Context, p *readPool, n narrowed, answer func(*walker) error) error {
	d, err := s.directory(ctx) // before a connection is held: it may take one itself
	if err != nil {
		return err
	}
	m, err := p.moment(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	plan, err := newPlan(m.ctx, m, d, n)
	if err != nil || plan.none {
		return err
	}
	return answer(&walker{moment: m, plan: plan, ctx: m.ctx, effort: s.effort})
}

// OfAuthor lists the newest corrections in scope of an author, the newest first. It is a
// filter of the change log like any other, and waits as they do.
func (s *Store) OfAuthor(ctx context.Context, scope correction.Scope, author int64, limit int) ([]correction.Summary, error) {
	rows, _, err := s.Log(ctx, changelog.LogFilter{Scope: scope, AuthorID: author}, changelog.Page{Limit: limit})
	return rows, err
}

// undoneFor is how long a correction that did not come about asks for attention.
const undoneFor = 24 * time.Hour

// Attention lists the corrections in scope, of one author or (0) of everybody, that need
// somebody: uncertain ones and conflicts first, then the newest.
func (s *Store) Attention(ctx context.Context, scope correction.Scope, author, viewer int64, now time.Time, limit int) ([]correction.Summary, error) {
	n := narrow(changelog.LogFilter{Scope: scope})
	if n.none() {
		return nil, nil
	}
	list, err := json.Marshal(n.merchants)
	if err != nil {
		return nil, fmt.Errorf("read what needs attention: %w", err)
	}
	// A later correction of the same order has taken its place.
	rows, err := s.reader.query(ctx, `
		SELECT `+summaryColumns+` FROM (
			SELECT correction_id AS id FROM correction_now INDEXED BY correction_now_state
			WHERE state IN ('unknown', 'conflict', 'claimed', 'sending')
			UNION ALL
			SELECT w.correction_id FROM correction_now w INDEXED BY correction_now_state
			CROSS JOIN correction c ON c.id = w.correction_id
			WHERE w.state = 'prepared' AND c.confirm_until_ms > ?1
			UNION ALL
			SELECT w.correction_id FROM correction_now w INDEXED BY correction_now_state
			CROSS JOIN correction c ON c.id = w.correction_id
			WHERE w.state = 'awaiting_approval' AND c.author = ?7
			UNION ALL
			SELECT w.correction_id FROM correction_now w INDEXED BY correction_now_undone
			CROSS JOIN correction c ON c.id = w.correction_id
			WHERE w.state IN ('stale', 'not_sent', 'rejected', 'not_applied', 'returned', 'declined', 'void') AND w.at_ms >= ?2
				AND (w.state NOT IN ('returned', 'declined', 'void') OR c.author = ?7)
				AND NOT EXISTS (SELECT 1 FROM correction later INDEXED BY correction_order
					WHERE later.out_order_no = c.out_order_no AND later.sub_mchid = c.sub_mchid AND later.id > c.id)
		) page CROSS JOIN correction c ON c.id = page.id`+summaryJoins+`
		WHERE (?3 OR c.sub_mchid IN (SELECT value FROM json_each(?4))) AND (?5 = 0 OR c.author = ?5)
		ORDER BY w.state IN ('unknown', 'conflict') DESC, w.state = 'returned' DESC, c.id DESC LIMIT ?6`,
		millis(now), millis(now.Add(-undoneFor)), n.all, string(list), author, limit, viewer)
	out, err := collect(rows, err, scanSummary)
	if err != nil {
		return nil, fmt.Errorf("read what needs attention: %w", err)
	}
	return out, nil
}

// Authors lists the people who have corrected orders of the merchants in scope, by
// login name.
func (s *Store) Authors(ctx context.Context, scope correction.Scope) ([]correction.Author, error) {
	if scope.All {
		d, err := s.directory(ctx)
		if err != nil {
			return nil, fmt.Errorf("list authors: %w", err)
		}
		return slices.Clone(d.authors), nil
	}
	list, err := json.Marshal(append([]string{}, scope.Merchants...))
	if err != nil {
		return nil, fmt.Errorf("list authors: %w", err)
	}
	rows, err := s.reader.query(ctx, `
		SELECT u.id, u.username, u.name FROM user u
		WHERE EXISTS (SELECT 1 FROM correction c WHERE c.author = u.id AND c.sub_mchid IN (SELECT value FROM json_each(?)))
		ORDER BY u.username`, string(list))
	out, err := collect(rows, err, func(r scanner) (correction.Author, error) {
		var a correction.Author
		err := r.Scan(&a.ID, &a.Login, &a.Name)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("list authors: %w", err)
	}
	return out, nil
}
