package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
)

const (
	proposalColumns = `p.name, p.n, p.key, p.base, p.at_ms, COALESCE(p.actor, 0), COALESCE(u.name, ''), p.before, p.after, p.alone, ` + endColumns
	proposalJoins   = ` FROM proposal p LEFT JOIN user u ON u.id = p.actor LEFT JOIN proposal_end e ON e.name = p.name AND e.n = p.n LEFT JOIN user d ON d.id = e.actor `
	endColumns      = `COALESCE(e.how, ''), COALESCE(e.at_ms, 0), COALESCE(e.actor, 0), COALESCE(d.name, '')`
)

// endFields are where the columns of an end are scanned to; done returns it, nil when
// there is none.
func endFields() (fields []any, done func() *correction.ProposalEnd) {
	var end correction.ProposalEnd
	var ms int64
	return []any{&end.How, &ms, &end.ActorID, &end.ActorName}, func() *correction.ProposalEnd {
		if end.How == "" {
			return nil
		}
		end.At = at(ms)
		return &end
	}
}

func scanProposal(r scanner) (correction.Proposal, error) {
	var p correction.Proposal
	var ms int64
	var before, after string
	end, done := endFields()
	err := r.Scan(append([]any{&p.Name, &p.N, &p.Key, &p.Base, &ms, &p.ActorID, &p.ActorName, &before, &after, &p.Alone}, end...)...)
	p.At, p.Before, p.After, p.End = at(ms), json.RawMessage(before), json.RawMessage(after), done()
	return p, err
}

// Proposals lists the edits that wait for a second supervisor, oldest first.
func (s *Store) Proposals(ctx context.Context) ([]correction.Proposal, error) {
	rows, err := s.reader.query(ctx, `SELECT `+proposalColumns+proposalJoins+`WHERE e.how IS NULL ORDER BY p.at_ms, p.name, p.n`)
	list, err := collect(rows, err, scanProposal)
	if err != nil {
		return nil, fmt.Errorf("list edits that wait: %w", err)
	}
	return list, nil
}

// Decided lists the edits of a name that waited and do not any more, newest first.
func (s *Store) Decided(ctx context.Context, name string, limit int) ([]correction.Proposal, error) {
	rows, err := s.reader.query(ctx, `SELECT `+proposalColumns+proposalJoins+`WHERE p.name = ? AND e.how IS NOT NULL ORDER BY p.n DESC LIMIT ?`, name, limit)
	list, err := collect(rows, err, scanProposal)
	if err != nil {
		return nil, fmt.Errorf("list edits that waited: %w", err)
	}
	return list, nil
}

// Rights over settings, of people who are in use. Settings and services are of all
// merchants.
const (
	wholeSupervisor = `role = 'supervisor' AND all_merchants AND NOT disabled`
	wholeOperator   = `role = 'operator' AND all_merchants AND NOT disabled`
)

// mayEdit tells whether a person may edit a setting, or services, as they are now.
// ErrNoRight.
func (w *writeTx) mayEdit(ctx context.Context, actor int64, name string) error {
	query := `SELECT EXISTS (SELECT 1 FROM user WHERE id = ? AND ` + wholeSupervisor + `)`
	if name == correction.CatalogServices {
		query = `SELECT EXISTS (SELECT 1 FROM user WHERE id = ? AND ` + wholeOperator + `)`
	}
	return w.right(ctx, query, actor)
}

// mayEditMerchant is mayEdit for one merchant; the command line may.
func (w *writeTx) mayEditMerchant(ctx context.Context, actor int64, subMchID string, fresh bool) error {
	if actor == 0 {
		return nil
	}
	return w.right(ctx, `SELECT EXISTS (SELECT 1 FROM user u WHERE u.id = ?1 AND u.role = 'operator' AND NOT u.disabled AND (u.all_merchants
		OR NOT ?3 AND EXISTS (SELECT 1 FROM user_merchant m WHERE m.user_id = u.id AND m.sub_mchid = ?2)))`, actor, subMchID, fresh)
}

func (w *writeTx) right(ctx context.Context, query string, args ...any) error {
	var may bool
	if err := w.row(ctx, query, args...).Scan(&may); err != nil {
		return err
	}
	if !may {
		return correction.ErrNoRight
	}
	return nil
}

// nextVersion is the number of the next version of a setting, of those in force and
// those that wait or waited. ErrMoved when the one in force is not base.
func (w *writeTx) nextVersion(ctx context.Context, name string, base int) (int, error) {
	var now, next int
	err := w.row(ctx, `
		SELECT now, 1 + max(now, proposed) FROM (
			SELECT COALESCE((SELECT max(n) FROM setting WHERE name = ?1), 0) AS now, COALESCE((SELECT max(n) FROM proposal WHERE name = ?1), 0) AS proposed)`,
		name).Scan(&now, &next)
	if err == nil && now != base {
		err = correction.ErrMoved
	}
	return next, err
}

// Propose keeps an edit that loosens until somebody decides. One of the same author that
// waits is withdrawn by it.
func (s *Store) Propose(ctx context.Context, p correction.Proposal, ip string) (int, error) {
	var n int
	err := s.write(ctx, func(w *writeTx) error {
		if p.Name != correction.CatalogServices || p.ActorID != 0 { // the command line may
			if err := w.mayEdit(ctx, p.ActorID, p.Name); err != nil {
				return err
			}
		}
		if err := w.startsFrom(ctx, p); err != nil {
			return err
		}
		if err := w.withdrawOwn(ctx, p, ip); err != nil {
			return err
		}
		var err error
		if n, err = w.nextVersion(ctx, p.Name, p.Base); err != nil {
			return err
		}
		_, err = w.exec(ctx, `
			INSERT INTO proposal (name, n, key, base, at_ms, actor, before, after, alone)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
				EXISTS (SELECT 1 FROM user WHERE id = ?6 AND `+wholeSupervisor+`) AND NOT EXISTS (SELECT 1 FROM user WHERE id <> ?6 AND `+wholeSupervisor+`))`,
			p.Name, n, p.Key, p.Base, millis(p.At), orNull(p.ActorID), string(p.Before), string(p.After))
		if refused(err) {
			return correction.ErrTaken
		}
		if err != nil {
			return err
		}
		return w.auditProposal(ctx, correction.AuditEntry{At: p.At, UserID: p.ActorID, IP: ip}, "waits", p, n)
	})
	if err != nil {
		return 0, fmt.Errorf("keep an edit of %s: %w", p.Name, err)
	}
	return n, nil
}

// proposalNote is what the audit record says of a proposal.
type proposalNote struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Key     string `json:"key,omitempty"`
	Before  any    `json:"before,omitempty"`
	After   any    `json:"after,omitempty"`
}

// auditProposal records what somebody did about a proposal: "waits" with both values.
func (w *writeTx) auditProposal(ctx context.Context, by correction.AuditEntry, what string, p correction.Proposal, n int) error {
	note := proposalNote{Name: p.Name, Version: n, Key: p.Key}
	if what == "waits" {
		note.Before, note.After = p.Before, p.After
	}
	return w.auditEdit(ctx, by, "agreement."+what, note)
}

// startsFrom tells whether a proposal starts from what is in force. ErrMoved.
func (w *writeTx) startsFrom(ctx context.Context, p correction.Proposal) error {
	if p.Name != correction.CatalogServices {
		_, err := w.nextVersion(ctx, p.Name, p.Base)
		return err
	}
	now, err := w.offering(ctx, p.Key)
	if err != nil {
		return err
	}
	var before *correction.Offering
	if err := json.Unmarshal(p.Before, &before); err != nil {
		return err
	}
	if !sameRow(now, before) {
		return correction.ErrMoved
	}
	return nil
}

func (w *writeTx) withdrawOwn(ctx context.Context, p correction.Proposal, ip string) error {
	old, err := scanProposal(w.row(ctx, `SELECT `+proposalColumns+proposalJoins+`WHERE p.name = ? AND p.key = ? AND e.how IS NULL`, p.Name, p.Key))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case old.ActorID != p.ActorID:
		return correction.ErrTaken
	}
	return w.end(ctx, old, correction.Agreement{How: correction.ProposalWithdrawn, ActorID: p.ActorID, IP: ip, At: p.At})
}

// end ends a proposal. The schema decides who may; ErrNoRight.
func (w *writeTx) end(ctx context.Context, p correction.Proposal, a correction.Agreement) error {
	_, err := w.exec(ctx, `INSERT INTO proposal_end (name, n, at_ms, actor, how) VALUES (?, ?, ?, ?, ?)`, p.Name, p.N, millis(a.At), orNull(a.ActorID), string(a.How))
	if refused(err) {
		return errors.Join(correction.ErrNoRight, err)
	}
	if err != nil {
		return err
	}
	return w.auditProposal(ctx, correction.AuditEntry{At: a.At, UserID: a.ActorID, IP: a.IP}, string(a.How), p, p.N)
}

// Decide ends a proposal and, if that is how, puts it into force: by what is so in the
// transaction that does it.
func (s *Store) Decide(ctx context.Context, a correction.Agreement) error {
	err := s.write(ctx, func(w *writeTx) error {
		p, err := scanProposal(w.row(ctx, `SELECT `+proposalColumns+proposalJoins+`WHERE p.name = ? AND p.n = ?`, a.Name, a.N))
		if err = noRow(err); err != nil {
			return err
		}
		if p.End != nil {
			return correction.ErrMoved
		}
		comes := a.How == correction.ProposalAgreed || a.How == correction.ProposalWaited
		if comes {
			if err := w.stillStands(ctx, p, a); err != nil {
				return err
			}
		}
		if err := w.end(ctx, p, a); err != nil || !comes {
			return err
		}
		if p.Name != correction.CatalogServices {
			return w.putSetting(ctx, p.N, correction.SettingEdit{Name: correction.SettingName(p.Name), Value: p.After, ActorID: p.ActorID, IP: a.IP, At: a.At}, a.ActorID)
		}
		now, err := w.offering(ctx, p.Key)
		if err != nil {
			return err
		}
		var o correction.Offering
		if err := json.Unmarshal(p.After, &o); err != nil {
			return err
		}
		return w.storeOffering(ctx, now, o, correction.AuditEntry{At: a.At, UserID: p.ActorID, IP: a.IP}, a.ActorID)
	})
	if err != nil {
		return fmt.Errorf("decide about version %d of %s: %w", a.N, a.Name, err)
	}
	s.directories.forget()
	return nil
}

// stillStands tells whether a proposal may come into force: its author may still make
// it, and nothing by which it was judged is another now.
func (w *writeTx) stillStands(ctx context.Context, p correction.Proposal, a correction.Agreement) error {
	if p.Name != correction.CatalogServices || p.ActorID != 0 {
		if err := w.mayEdit(ctx, p.ActorID, p.Name); errors.Is(err, correction.ErrNoRight) {
			return correction.ErrAuthorGone
		} else if err != nil {
			return err
		}
	}
	if a.Judged != nil {
		for _, name := range correction.SettingNames {
			if _, err := w.nextVersion(ctx, string(name), a.Judged[name]); err != nil {
				return err
			}
		}
	}
	return w.startsFrom(ctx, p)
}

// checkedLooked bounds how many corrections Checked looks at, from the newest on.
const checkedLooked = 20_000

// Checked lists the corrections in scope that were prepared since a time, are confirmed
// or done with, and needed a second person or have flags: the newest first.
func (s *Store) Checked(ctx context.Context, scope correction.Scope, since time.Time, limit int) ([]int64, error) {
	list, err := json.Marshal(append([]string{}, scope.Merchants...))
	if err != nil {
		return nil, fmt.Errorf("list checked corrections: %w", err)
	}
	rows, err := s.reader.query(ctx, `
		SELECT c.id FROM (SELECT id, sub_mchid FROM correction INDEXED BY correction_prepared WHERE prepared_ms >= ?1 ORDER BY prepared_ms DESC LIMIT ?2) c
		JOIN correction_now w ON w.correction_id = c.id
		WHERE w.state NOT IN ('prepared', 'awaiting_approval') AND (?3 OR c.sub_mchid IN (SELECT value FROM json_each(?4)))
			AND (w.flagged = 1 OR EXISTS (SELECT 1 FROM event e WHERE e.correction_id = c.id AND e.n = 2 AND e.state = 'awaiting_approval'))
		ORDER BY c.id DESC LIMIT ?5`, millis(since), checkedLooked, scope.All, string(list), limit)
	ids, err := collect(rows, err, func(r scanner) (int64, error) {
		var id int64
		err := r.Scan(&id)
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("list checked corrections: %w", err)
	}
	return ids, nil
}
