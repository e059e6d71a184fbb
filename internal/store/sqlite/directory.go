package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"correction-console/internal/correction"
)

// Merchant returns the merchant of the number.
func (s *Store) Merchant(ctx context.Context, subMchID string) (correction.Merchant, error) {
	if d, err := s.directory(ctx); err == nil {
		if m, ok := d.merchant[subMchID]; ok {
			return m, nil
		}
	}
	m := correction.Merchant{SubMchID: subMchID} // perhaps added a moment ago
	err := noRow(s.reader.row(ctx, `SELECT name FROM merchant WHERE sub_mchid = ?`, subMchID).Scan(&m.Name))
	if err != nil {
		return correction.Merchant{}, fmt.Errorf("read merchant %s: %w", subMchID, err)
	}
	return m, nil
}

// noRow turns an empty result into ErrNoRow.
func noRow(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return correction.ErrNoRow
	}
	return err
}

// Merchants lists all merchants by number.
func (s *Store) Merchants(ctx context.Context) ([]correction.Merchant, error) {
	d, err := s.directory(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(d.merchants), nil
}

const (
	offeringColumns = `service_id, name, industry, cap, allow_zero`
	offeringsQuery  = `SELECT ` + offeringColumns + ` FROM offering ORDER BY service_id`
)

func scanOffering(r scanner) (correction.Offering, error) {
	var o correction.Offering
	err := r.Scan(&o.ServiceID, &o.Name, &o.Industry, &o.Cap, &o.AllowZero)
	return o, err
}

// Offering returns the service of the id.
func (s *Store) Offering(ctx context.Context, serviceID string) (correction.Offering, error) {
	if d, err := s.directory(ctx); err == nil {
		if o, ok := d.offering[serviceID]; ok {
			return o, nil
		}
	}
	o, err := scanOffering(s.reader.row(ctx, `SELECT `+offeringColumns+` FROM offering WHERE service_id = ?`, serviceID))
	if err = noRow(err); err != nil {
		return correction.Offering{}, fmt.Errorf("read service %s: %w", serviceID, err)
	}
	return o, nil
}

// Offerings lists all services by id.
func (s *Store) Offerings(ctx context.Context) ([]correction.Offering, error) {
	rows, err := s.reader.query(ctx, offeringsQuery)
	list, err := collect(rows, err, scanOffering)
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	return list, nil
}

// edit is the record of a change of a setting: null before when it is new.
type edit struct {
	Before any   `json:"before"`
	After  any   `json:"after"`
	Agreed int64 `json:"agreed,omitempty"` // the person who agreed, of what loosens
}

// PutMerchant adds the merchant or gives it another name, for the command line, with a
// record of what it was before.
func (s *Store) PutMerchant(ctx context.Context, m correction.Merchant) error {
	return s.putMerchant(ctx, m, correction.AuditEntry{At: s.now()}, func(*correction.Merchant) bool { return true })
}

// EditMerchant is PutMerchant for a person, to whom the merchant was shown as before;
// nil: there was none. ErrMoved when it is not that any more.
func (s *Store) EditMerchant(ctx context.Context, before *correction.Merchant, m correction.Merchant, actor int64, ip string, at time.Time) error {
	return s.putMerchant(ctx, m, correction.AuditEntry{At: at, UserID: actor, IP: ip}, func(now *correction.Merchant) bool { return sameRow(now, before) })
}

func sameRow[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func (s *Store) putMerchant(ctx context.Context, m correction.Merchant, by correction.AuditEntry, may func(now *correction.Merchant) bool) error {
	err := s.write(ctx, func(w *writeTx) error {
		now := &correction.Merchant{SubMchID: m.SubMchID}
		switch err := w.row(ctx, `SELECT name FROM merchant WHERE sub_mchid = ?`, m.SubMchID).Scan(&now.Name); {
		case errors.Is(err, sql.ErrNoRows):
			now = nil
		case err != nil:
			return err
		}
		if err := w.mayEditMerchant(ctx, by.UserID, m.SubMchID, now == nil); err != nil {
			return err
		}
		if !may(now) {
			return correction.ErrMoved
		}
		if _, err := w.exec(ctx, `INSERT INTO merchant (sub_mchid, name) VALUES (?, ?) ON CONFLICT (sub_mchid) DO UPDATE SET name = excluded.name`,
			m.SubMchID, m.Name); err != nil {
			return err
		}
		return w.auditEdit(ctx, by, "merchant.put", edit{Before: orNil(now), After: m})
	})
	if err != nil {
		return fmt.Errorf("store merchant %s: %w", m.SubMchID, err)
	}
	s.directories.forget()
	return nil
}

// orNil is a pointer as JSON null or the value.
func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// PutOffering adds the service or replaces what is known of it, with a record of what it
// was before, whether it loosens or not: what a new installation starts with.
func (s *Store) PutOffering(ctx context.Context, o correction.Offering) error {
	return s.putOffering(ctx, o, correction.AuditEntry{At: s.now()}, func(*correction.Offering) error { return nil })
}

// EditOffering is EditMerchant for services. ErrLoosens, with nothing changed, when the
// service would become looser: that takes a second person.
func (s *Store) EditOffering(ctx context.Context, before *correction.Offering, o correction.Offering, actor int64, ip string, at time.Time) error {
	return s.putOffering(ctx, o, correction.AuditEntry{At: at, UserID: actor, IP: ip}, func(now *correction.Offering) error {
		if !sameRow(now, before) {
			return correction.ErrMoved
		}
		return tightens(now, o)
	})
}

// AddOffering is EditOffering for the command line, which sees no page before. now is
// what the service is; nil when there is none. While an installation is set up, with no
// supervisor and nothing corrected yet, nobody could agree and nothing is loosened.
func (s *Store) AddOffering(ctx context.Context, o correction.Offering) (now *correction.Offering, err error) {
	err = s.putOffering(ctx, o, correction.AuditEntry{At: s.now()}, nil)
	if !errors.Is(err, correction.ErrLoosens) {
		return nil, err
	}
	was, rerr := scanOffering(s.reader.row(ctx, `SELECT `+offeringColumns+` FROM offering WHERE service_id = ?`, o.ServiceID))
	switch {
	case rerr == nil:
		return &was, err
	case errors.Is(rerr, sql.ErrNoRows):
		return nil, err
	}
	return nil, fmt.Errorf("read service %s: %w", o.ServiceID, rerr)
}

func tightens(now *correction.Offering, o correction.Offering) error {
	var was correction.Offering
	if now != nil {
		was = *now
	}
	if o.LooserThan(was) {
		return correction.ErrLoosens
	}
	return nil
}

// putOffering stores a service if may lets it; nil: the command line.
func (s *Store) putOffering(ctx context.Context, o correction.Offering, by correction.AuditEntry, may func(now *correction.Offering) error) error {
	err := s.write(ctx, func(w *writeTx) error {
		now, err := w.offering(ctx, o.ServiceID)
		if err != nil {
			return err
		}
		if by.UserID != 0 {
			if err := w.mayEdit(ctx, by.UserID, correction.CatalogServices); err != nil {
				return err
			}
		}
		if may == nil {
			var begun bool
			if err := w.row(ctx, `SELECT EXISTS (SELECT 1 FROM user WHERE role = 'supervisor') OR EXISTS (SELECT 1 FROM correction)`).Scan(&begun); err != nil {
				return err
			}
			if begun {
				err = tightens(now, o)
			}
		} else {
			err = may(now)
		}
		if err != nil {
			return err
		}
		return w.storeOffering(ctx, now, o, by, 0)
	})
	if err != nil {
		return fmt.Errorf("store service %s: %w", o.ServiceID, err)
	}
	s.directories.forget()
	return nil
}

// offering is a service as it is; nil when there is none.
func (w *writeTx) offering(ctx context.Context, id string) (*correction.Offering, error) {
	switch o, err := scanOffering(w.row(ctx, `SELECT `+offeringColumns+` FROM offering WHERE service_id = ?`, id)); {
	case err == nil:
		return &o, nil
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	default:
		return nil, err
	}
}

// storeOffering makes a service what o says. What waited for it is overtaken.
func (w *writeTx) storeOffering(ctx context.Context, now *correction.Offering, o correction.Offering, by correction.AuditEntry, agreed int64) error {
	if _, err := w.exec(ctx, `
		INSERT INTO offering (service_id, name, industry, cap, allow_zero) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (service_id) DO UPDATE SET name = excluded.name, industry = excluded.industry, cap = excluded.cap, allow_zero = excluded.allow_zero`,
		o.ServiceID, o.Name, o.Industry, o.Cap, o.AllowZero); err != nil {
		return err
	}
	if _, err := w.voidPending(ctx, 0, o.ServiceID, by.At); err != nil {
		return err
	}
	if _, err := w.exec(ctx, `
		INSERT INTO proposal_end (name, n, at_ms, actor, how)
		SELECT p.name, p.n, ?, ?, 'overtaken' FROM proposal p WHERE p.name = ? AND p.key = ?
			AND NOT EXISTS (SELECT 1 FROM proposal_end e WHERE e.name = p.name AND e.n = p.n)`,
		millis(by.At), orNull(by.UserID), correction.CatalogServices, o.ServiceID); err != nil {
		return err
	}
	return w.auditEdit(ctx, by, "service.put", edit{Before: orNil(now), After: o, Agreed: agreed})
}

// catalogActions are the audit entries of merchants and services.
var catalogActions = map[string]string{correction.CatalogMerchants: "merchant.put", correction.CatalogServices: "service.put"}

// CatalogHistory lists the changes of merchants or services, newest first.
func (s *Store) CatalogHistory(ctx context.Context, name string, limit int) ([]correction.CatalogEdit, error) {
	rows, err := s.reader.query(ctx, `
		SELECT a.at_ms, COALESCE(a.user_id, 0), COALESCE(u.name, ''), a.action, a.detail, a.ip, COALESCE(d.name, '')
		FROM audit a LEFT JOIN user u ON u.id = a.user_id LEFT JOIN user d ON d.id = a.detail ->> '$.agreed'
		WHERE a.action = ? ORDER BY a.id DESC LIMIT ?`, catalogActions[name], limit)
	list, err := collect(rows, err, func(r scanner) (correction.CatalogEdit, error) {
		var e correction.CatalogEdit
		var ms int64
		if err := r.Scan(&ms, &e.UserID, &e.ActorName, &e.Action, &e.Detail, &e.IP, &e.AgreedName); err != nil {
			return e, err
		}
		e.At = at(ms)
		var raw struct{ Before, After json.RawMessage }
		if err := json.Unmarshal([]byte(e.Detail), &raw); err != nil {
			return e, err
		}
		e.Before, e.After = raw.Before, raw.After
		return e, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", name, err)
	}
	return list, nil
}

// People lists everybody as settings name them.
func (s *Store) People(ctx context.Context) ([]correction.Person, error) {
	users, err := s.Users(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]correction.Person, len(users))
	for i, u := range users {
		out[i] = correction.Person{ID: u.ID, Login: u.Username, Name: u.Name, Role: u.Role, Scope: u.Scope, Disabled: u.Disabled}
	}
	return out, nil
}

// compactJSON is v as JSON on one line.
func compactJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
