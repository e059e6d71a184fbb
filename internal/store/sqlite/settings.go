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
	settingColumns = `s.name, s.n, s.at_ms, COALESCE(s.actor, 0), COALESCE(u.name, ''), s.value, ` + endColumns
	settingJoins   = ` LEFT JOIN user u ON u.id = s.actor LEFT JOIN proposal_end e ON e.name = s.name AND e.n = s.n LEFT JOIN user d ON d.id = e.actor `
)

func scanSetting(r scanner) (correction.SettingVersion, error) {
	var v correction.SettingVersion
	var ms int64
	var value string
	end, done := endFields()
	err := r.Scan(append([]any{&v.Name, &v.N, &ms, &v.ActorID, &v.ActorName, &value}, end...)...)
	v.At, v.Value, v.End = at(ms), json.RawMessage(value), done()
	return v, err
}

// currentSettings are the newest versions of the settings that were ever edited.
const currentSettings = `
	SELECT ` + settingColumns + ` FROM setting s` + settingJoins + `
	WHERE s.n = (SELECT max(n) FROM setting WHERE name = s.name) ORDER BY s.name`

// Settings lists the newest version of each setting that was ever edited.
func (s *Store) Settings(ctx context.Context) ([]correction.SettingVersion, error) {
	rows, err := s.reader.query(ctx, currentSettings)
	list, err := collect(rows, err, scanSetting)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return list, nil
}

// SettingHistory lists the versions of a setting, newest first.
func (s *Store) SettingHistory(ctx context.Context, name correction.SettingName, limit int) ([]correction.SettingVersion, error) {
	rows, err := s.reader.query(ctx, `
		SELECT `+settingColumns+` FROM setting s`+settingJoins+`WHERE s.name = ? ORDER BY s.n DESC LIMIT ?`, name, limit)
	list, err := collect(rows, err, scanSetting)
	if err != nil {
		return nil, fmt.Errorf("read history of setting %s: %w", name, err)
	}
	return list, nil
}

// PutSetting makes value the version n of a setting, with a record of what it was
// before, whoever may and whether it loosens or not: what a new installation starts
// with. ErrMoved when n is not the next version.
func (s *Store) PutSetting(ctx context.Context, name correction.SettingName, n int, value json.RawMessage, actor int64, ip string, at time.Time) error {
	err := s.write(ctx, func(w *writeTx) error {
		return w.putSetting(ctx, n, correction.SettingEdit{Name: name, Value: value, ActorID: actor, IP: ip, At: at}, 0)
	})
	if err != nil {
		return fmt.Errorf("store setting %s: %w", name, err)
	}
	return nil
}

// EditSetting makes a value the next version of a setting, for an active supervisor for
// all merchants, if e.Base is in force.
func (s *Store) EditSetting(ctx context.Context, e correction.SettingEdit) (int, error) {
	var n int
	err := s.write(ctx, func(w *writeTx) error {
		if err := w.mayEdit(ctx, e.ActorID, string(e.Name)); err != nil {
			return err
		}
		var err error
		if n, err = w.nextVersion(ctx, string(e.Name), e.Base); err != nil {
			return err
		}
		return w.putSetting(ctx, n, e, 0)
	})
	if err != nil {
		return 0, fmt.Errorf("store setting %s: %w", e.Name, err)
	}
	return n, nil
}

// putSetting stores a version and the record of what it changed; agreed is who agreed to
// it, 0 = nobody had to.
func (w *writeTx) putSetting(ctx context.Context, n int, e correction.SettingEdit, agreed int64) error {
	before, err := json.Marshal(correction.DefaultSettings().Value(e.Name))
	if err != nil {
		return err
	}
	var was string
	switch err := w.row(ctx, `SELECT value FROM setting WHERE name = ? ORDER BY n DESC LIMIT 1`, e.Name).Scan(&was); {
	case err == nil:
		before = []byte(was)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	_, err = w.exec(ctx, `INSERT INTO setting (name, n, at_ms, actor, value) VALUES (?, ?, ?, ?, ?)`, e.Name, n, millis(e.At), orNull(e.ActorID), string(e.Value))
	if refused(err) {
		return correction.ErrMoved
	}
	if err != nil {
		return err
	}
	return w.auditEdit(ctx, correction.AuditEntry{At: e.At, UserID: e.ActorID, IP: e.IP}, "setting."+string(e.Name),
		edit{Before: json.RawMessage(before), After: e.Value, Agreed: agreed})
}
