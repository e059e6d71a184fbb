package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"correction-console/internal/correction"
)

// What a correction is judged by is read in the transaction that carries it on. There is
// one writer at a time, whichever the process: an edit comes before it or after it.

// judgedColumns and judgedJoins are the facts of a correction c that stands as w tells.
const (
	judgedColumns = `c.id, w.n, w.state, w.at_ms, c.confirm_until_ms, c.sub_mchid, c.service_id, c.out_order_no, c.base_total, c.target_total,
		COALESCE((SELECT detail ->> '$.listed' FROM event WHERE correction_id = c.id AND n = 1), 0), m.sub_mchid IS NOT NULL,
		o.service_id, o.name, o.industry, o.cap, o.allow_zero,
		u.id, u.username, u.name, u.role, u.disabled, u.all_merchants, ` + scopeColumn

	// Sub-merchant numbers are digits, so that a comma separates them.
	scopeColumn = `CASE WHEN NOT u.all_merchants THEN (SELECT group_concat(sub_mchid) FROM user_merchant WHERE user_id = u.id) END`

	judgedJoins = `
		JOIN user u ON u.id = c.author
		LEFT JOIN merchant m ON m.sub_mchid = c.sub_mchid
		LEFT JOIN offering o ON o.service_id = c.service_id`
)

// judged are facts with what tells whether the correction is over time.
type judged struct {
	correction.Facts
	confirmUntil, entered time.Time
}

func (f judged) overdue(now time.Time) bool {
	return correction.Overdue(f.State, f.confirmUntil, f.entered, now)
}

func personFields(p *correction.Person) (fields []any, done func()) {
	var merchants sql.NullString
	return []any{&p.ID, &p.Login, &p.Name, &p.Role, &p.Disabled, &p.Scope.All, &merchants}, func() {
		if merchants.String != "" {
			p.Scope.Merchants = strings.Split(merchants.String, ",")
		}
	}
}

func scanJudged(r scanner) (judged, error) {
	var f judged
	var entered, until int64
	var service, name, industry sql.NullString
	var limit sql.NullInt64
	var zero sql.NullBool
	person, done := personFields(&f.Author)
	err := r.Scan(append([]any{&f.ID, &f.N, &f.State, &entered, &until, &f.Ref.SubMchID, &f.Ref.ServiceID, &f.Ref.OutOrderNo, &f.Base, &f.Target,
		&f.Listed, &f.Merchant, &service, &name, &industry, &limit, &zero}, person...)...)
	if err != nil {
		return f, err
	}
	done()
	f.entered, f.confirmUntil = at(entered), at(until)
	if service.Valid {
		f.Offering = &correction.Offering{ServiceID: service.String, Name: name.String, Industry: industry.String, Cap: correction.Fen(limit.Int64), AllowZero: zero.Bool}
	}
	return f, nil
}

// tookEffect holds of a correction c, standing as w tells, that changed its order or may
// have: what two people found to have changed nothing has not.
const tookEffect = `(w.state IN ('sending', 'unknown', 'applied', 'applied_late', 'conflict') OR w.state = 'resolved' AND NOT EXISTS (
		SELECT 1 FROM event e WHERE e.correction_id = c.id AND e.state = 'resolved' AND e.detail ->> '$.ruling' = 'not_applied'))`

// firsts reads what an order amounted to before the first correction of it that took
// effect or may have, one apart: an amount only goes down, so that is the largest.
const firsts = `
	SELECT COALESCE(max(c.base_total) FILTER (WHERE c.author = ?4), 0),
		COALESCE(max(c.base_total) FILTER (WHERE ?5 <> 0 AND (c.author = ?5 OR w.approver = ?5)), 0), COALESCE(max(c.base_total), 0)
	FROM correction c INDEXED BY correction_order JOIN correction_now w ON w.correction_id = c.id
	WHERE c.out_order_no = ?1 AND c.sub_mchid = ?2 AND c.id <> ?3 AND ` + tookEffect

func readFirsts(ctx context.Context, row func(context.Context, string, ...any) scanner, ref correction.Ref, id, author, approver int64) (f correction.Firsts, err error) {
	err = row(ctx, firsts, ref.OutOrderNo, ref.SubMchID, id, author, approver).Scan(&f.Author, &f.Approver, &f.Anyone)
	if err != nil {
		err = fmt.Errorf("read what the order amounted to: %w", err)
	}
	return f, err
}

// Firsts are what an order amounted to before the first corrections of it, the one with
// the id apart.
func (s *Store) Firsts(ctx context.Context, ref correction.Ref, id, author, approver int64) (correction.Firsts, error) {
	return readFirsts(ctx, s.reader.row, ref, id, author, approver)
}

// PersonByID is somebody as they are on record now; ErrNoRow when there is none.
func (s *Store) PersonByID(ctx context.Context, id int64) (correction.Person, error) {
	return readPerson(ctx, s.reader.row, id)
}

func readPerson(ctx context.Context, row func(context.Context, string, ...any) scanner, id int64) (correction.Person, error) {
	var p correction.Person
	fields, done := personFields(&p)
	err := noRow(row(ctx, `SELECT u.id, u.username, u.name, u.role, u.disabled, u.all_merchants, `+scopeColumn+` FROM user u WHERE u.id = ?`, id).Scan(fields...))
	if err != nil {
		return p, fmt.Errorf("read person %d: %w", id, err)
	}
	done()
	return p, nil
}

// query is row for many rows.
func (w *writeTx) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	ctx = context.WithoutCancel(ctx)
	if s := w.stmt(ctx, text); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return w.tx.QueryContext(ctx, text, args...)
}

// facts reads what a correction is judged by, as it stands in this transaction.
func (w *writeTx) facts(ctx context.Context, id int64, t correction.Trial) (judged, error) {
	f, err := scanJudged(w.row(ctx, `SELECT `+judgedColumns+` FROM correction c JOIN correction_now w ON w.correction_id = c.id`+judgedJoins+` WHERE c.id = ?`, id))
	if err != nil {
		return f, fmt.Errorf("read what the correction is judged by: %w", noRow(err))
	}
	if !t.Alone && t.Approver == 0 {
		return f, nil
	}
	rows, err := w.query(ctx, currentSettings)
	versions, err := collect(rows, err, scanSetting)
	if err == nil {
		f.Settings, err = correction.ParseSettings(versions)
	}
	if err != nil {
		return f, fmt.Errorf("read settings: %w", err)
	}
	if t.Approver != 0 {
		p, err := readPerson(ctx, w.row, t.Approver)
		switch {
		case err == nil:
			f.Approver = &p
		case !errors.Is(err, correction.ErrNoRow):
			return f, err
		}
	} else if f.Settings.Limits.Of(f.Author.ID, f.Author.Role).Unlimited() {
		return f, nil
	}
	if f.Firsts, err = readFirsts(ctx, w.row, f.Ref, id, f.Author.ID, t.Approver); err != nil || !t.Alone {
		return f, err
	}
	if err := w.row(ctx, spentSince+` AND p.correction_id <> ?`, f.Author.ID, millis(t.Since), id).Scan(&f.Today.Sum, &f.Today.Count); err != nil {
		return f, fmt.Errorf("read what was given up: %w", err)
	}
	return f, nil
}

// endUnpermitted ends a correction that is in state from with what its breaches make of
// it, and returns that event.
func (w *writeTx) endUnpermitted(ctx context.Context, f judged, from, to correction.State, breaches []correction.Breach, at time.Time) (correction.Event, error) {
	e := correction.EndedBy(to, breaches, at)
	e.N = f.N + 1
	return e, w.follow(ctx, f.ID, from, f.N, e, nil)
}

// judging runs work that may end a correction instead of carrying it on, and returns
// that end as *correction.Unpermitted when it is on record.
func (s *Store) judging(ctx context.Context, work func(*writeTx) (*correction.Event, error)) error {
	done := make(chan *correction.Event, 1) // the work may outlast an answer that is not known
	err := s.write(ctx, func(w *writeTx) error {
		e, err := work(w)
		if err == nil {
			done <- e
		}
		return err
	})
	if err != nil {
		return err
	}
	if e := <-done; e != nil {
		return &correction.Unpermitted{Event: *e}
	}
	return nil
}

// pending lists what waits to be confirmed or approved and is not over time: of an
// author or of a service, or all of it.
const pending = `
	SELECT ` + judgedColumns + ` FROM correction_now w INDEXED BY correction_now_state CROSS JOIN correction c ON c.id = w.correction_id` + judgedJoins + `
	WHERE w.state IN ('prepared', 'awaiting_approval') AND (?1 = 0 OR c.author = ?1) AND (?2 = '' OR c.service_id = ?2)
	ORDER BY c.id`

func inTime(list []judged, now time.Time) []judged {
	var out []judged
	for _, f := range list {
		if !f.overdue(now) {
			out = append(out, f)
		}
	}
	return out
}

// Pending lists what waits to be confirmed or approved and is not over time, with what
// it is judged by.
func (s *Store) Pending(ctx context.Context, now time.Time) ([]correction.Facts, error) {
	rows, err := s.reader.query(ctx, pending, 0, "")
	list, err := collect(rows, err, scanJudged)
	if err != nil {
		return nil, fmt.Errorf("list what waits: %w", err)
	}
	var out []correction.Facts
	for _, f := range inTime(list, now) {
		out = append(out, f.Facts)
	}
	return out, nil
}

// voidPending voids what waits of an author (0: of all) or of a service ("": of all) and
// is no longer permitted as things are in this transaction. It follows every edit of a
// person and of a rule, and returns how many it were.
func (w *writeTx) voidPending(ctx context.Context, author int64, serviceID string, now time.Time) (n int, err error) {
	rows, err := w.query(ctx, pending, author, serviceID)
	list, err := collect(rows, err, scanJudged)
	if err != nil {
		return 0, fmt.Errorf("list what waits: %w", err)
	}
	for _, f := range inTime(list, now) {
		if breaches := f.Breaches(); len(breaches) > 0 {
			if _, err := w.endUnpermitted(ctx, f, f.State, correction.Void, breaches, now); err != nil {
				return n, fmt.Errorf("void correction %d: %w", f.ID, err)
			}
			n++
		}
	}
	return n, nil
}

// Void voids a correction that waits and is no longer permitted: the error is
// *correction.Unpermitted then. It is nil when the correction is permitted, and ErrMoved
// when it does not wait any more.
func (s *Store) Void(ctx context.Context, id int64, now time.Time) error {
	err := s.judging(ctx, func(w *writeTx) (*correction.Event, error) {
		f, err := w.facts(ctx, id, correction.Trial{})
		if err != nil {
			return nil, err
		}
		if f.State != correction.Prepared && f.State != correction.Awaiting || f.overdue(now) {
			return nil, correction.ErrMoved
		}
		breaches := f.Breaches()
		if len(breaches) == 0 {
			return nil, nil
		}
		e, err := w.endUnpermitted(ctx, f, f.State, correction.Void, breaches, now)
		return &e, err
	})
	if err != nil {
		return fmt.Errorf("void correction %d: %w", id, err)
	}
	return nil
}
