package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"correction-console/internal/correction"
)

const settingColumns = `s.name, s.n, s.at_ms, COALESCE(s.actor, 0), COALESCE(u.name, ''), s.value`

func scanSetting(r scanner) (correction.SettingVersion, error) {
	var v correction.SettingVersion
	var ms int64
	var value string
	err := r.Scan(&v.Name, &v.N, &ms, &v.ActorID, &v.ActorName, &value)
	v.At, v.Value = at(ms), json.RawMessage(value)
	return v, err
}

// currentSettings are the newest versions of the settings that were ever edited.
const currentSettings = `
	SELECT ` + settingColumns + ` FROM setting s LEFT JOIN user u ON u.id = s.actor
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
		SELECT `+settingColumns+` FROM setting s LEFT JOIN user u ON u.id = s.actor WHERE s.name = ? ORDER BY s.n DESC LIMIT ?`, name, limit)
	list, err := collect(rows, err, scanSetting)
	if err != nil {
		return nil, fmt.Errorf("read history of setting %s: %w", name, err)
	}
	return list, nil
}

// PutSetting makes value the version n of a setting, with a record of what it was
// before. ErrMoved when somebody made that version already.
func (s *Store) PutSetting(ctx context.Context, name correction.SettingName, n int, value json.RawMessage, actor int64, ip string, at time.Time) error {
	err := s.write(ctx, func(w *writeTx) error {
		before, err := json.Marshal(correction.DefaultSettings().Value(name))
		if err != nil {
			return err
		}
		if n > 1 {
			var was string
			if err := noRow(w.row(ctx, `SELECT value FROM setting WHERE name = ? AND n = ?`, name, n-1).Scan(&was)); err != nil {
				return err
			}
			before = []byte(was)
		}
		_, err = w.exec(ctx, `INSERT INTO setting (name, n, at_ms, actor, value) VALUES (?, ?, ?, ?, ?)`, name, n, millis(at), orNull(actor), string(value))
		if refused(err) {
			return correction.ErrMoved
		}
		if err != nil {
			return err
		}
		detail, err := compactJSON(edit{Before: json.RawMessage(before), After: value})
		if err != nil {
			return err
		}
		return w.audit(ctx, correction.AuditEntry{At: at, UserID: actor, Action: "setting." + string(name), Detail: detail, IP: ip})
	})
	if err != nil {
		return fmt.Errorf("store setting %s: %w", name, err)
	}
	return nil
}
