package store

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
	Before any `json:"before"`
	After  any `json:"after"`
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

// PutOffering adds the service or replaces what is known of it, for the command line,
// with a record of what it was before.
func (s *Store) PutOffering(ctx context.Context, o correction.Offering) error {
	return s.putOffering(ctx, o, correction.AuditEntry{At: s.now()}, func(*correction.Offering) bool { return true })
}

// EditOffering is EditMerchant for services.
func (s *Store) EditOffering(ctx context.Context, before *correction.Offering, o correction.Offering, actor int64, ip string, at time.Time) error {
	return s.putOffering(ctx, o, correction.AuditEntry{At: at, UserID: actor, IP: ip}, func(now *correction.Offering) bool { return sameRow(now, before) })
}

func (s *Store) putOffering(ctx context.Context, o correction.Offering, by correction.AuditEntry, may func(now *correction.Offering) bool) error {
	err := s.write(ctx, func(w *writeTx) error {
		var now *correction.Offering
		switch before, err := scanOffering(w.row(ctx, `SELECT `+offeringColumns+` FROM offering WHERE service_id = ?`, o.ServiceID)); {
		case err == nil:
			now = &before
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if !may(now) {
			return correction.ErrMoved
		}
		if _, err := w.exec(ctx, `
			INSERT INTO offering (service_id, name, industry, cap, allow_zero) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (service_id) DO UPDATE SET name = excluded.name, industry = excluded.industry, cap = excluded.cap, allow_zero = excluded.allow_zero`,
			o.ServiceID, o.Name, o.Industry, o.Cap, o.AllowZero); err != nil {
			return err
		}
		return w.auditEdit(ctx, by, "service.put", edit{Before: orNil(now), After: o})
	})
	if err != nil {
		return fmt.Errorf("store service %s: %w", o.ServiceID, err)
	}
	s.directories.forget()
	return nil
}

// catalogActions are the audit entries of merchants and services.
var catalogActions = map[string]string{correction.CatalogMerchants: "merchant.put", correction.CatalogServices: "service.put"}

// CatalogHistory lists the changes of merchants or services, newest first.
func (s *Store) CatalogHistory(ctx context.Context, name string, limit int) ([]correction.CatalogEdit, error) {
	rows, err := s.reader.query(ctx, `
		SELECT a.at_ms, COALESCE(a.user_id, 0), COALESCE(u.name, ''), a.action, a.detail, a.ip FROM audit a LEFT JOIN user u ON u.id = a.user_id
		WHERE a.action = ? ORDER BY a.id DESC LIMIT ?`, catalogActions[name], limit)
	list, err := collect(rows, err, func(r scanner) (correction.CatalogEdit, error) {
		var e correction.CatalogEdit
		var ms int64
		if err := r.Scan(&ms, &e.UserID, &e.ActorName, &e.Action, &e.Detail, &e.IP); err != nil {
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
