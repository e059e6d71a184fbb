package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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

func (s *Store) readMerchants(ctx context.Context) ([]correction.Merchant, error) {
	rows, err := s.reader.query(ctx, `SELECT sub_mchid, name FROM merchant ORDER BY sub_mchid`)
	list, err := collect(rows, err, func(r scanner) (correction.Merchant, error) {
		var m correction.Merchant
		err := r.Scan(&m.SubMchID, &m.Name)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("list merchants: %w", err)
	}
	return list, nil
}

const offeringColumns = `service_id, name, industry, cap, allow_zero`

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
	rows, err := s.reader.query(ctx, `SELECT `+offeringColumns+` FROM offering ORDER BY service_id`)
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

// PutMerchant adds the merchant or gives it another name, with a record of what it
// was before.
func (s *Store) PutMerchant(ctx context.Context, m correction.Merchant) error {
	err := s.write(ctx, func(w *writeTx) error {
		var e edit
		before := correction.Merchant{SubMchID: m.SubMchID}
		switch err := w.row(ctx, `SELECT name FROM merchant WHERE sub_mchid = ?`, m.SubMchID).Scan(&before.Name); {
		case err == nil:
			e.Before = before
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		e.After = m
		if _, err := w.exec(ctx, `INSERT INTO merchant (sub_mchid, name) VALUES (?, ?) ON CONFLICT (sub_mchid) DO UPDATE SET name = excluded.name`,
			m.SubMchID, m.Name); err != nil {
			return err
		}
		return w.auditAdmin(ctx, s.now(), "merchant.put", e)
	})
	if err != nil {
		return fmt.Errorf("store merchant %s: %w", m.SubMchID, err)
	}
	s.directories.forget()
	return nil
}

// PutOffering adds the service or replaces what is known of it, with a record of
// what it was before.
func (s *Store) PutOffering(ctx context.Context, o correction.Offering) error {
	err := s.write(ctx, func(w *writeTx) error {
		var e edit
		switch before, err := scanOffering(w.row(ctx, `SELECT `+offeringColumns+` FROM offering WHERE service_id = ?`, o.ServiceID)); {
		case err == nil:
			e.Before = before
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		e.After = o
		if _, err := w.exec(ctx, `
			INSERT INTO offering (service_id, name, industry, cap, allow_zero) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (service_id) DO UPDATE SET name = excluded.name, industry = excluded.industry, cap = excluded.cap, allow_zero = excluded.allow_zero`,
			o.ServiceID, o.Name, o.Industry, o.Cap, o.AllowZero); err != nil {
			return err
		}
		return w.auditAdmin(ctx, s.now(), "service.put", e)
	})
	if err != nil {
		return fmt.Errorf("store service %s: %w", o.ServiceID, err)
	}
	s.directories.forget()
	return nil
}

// compactJSON is v as JSON on one line.
func compactJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
