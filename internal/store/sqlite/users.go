package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/secure/precis"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

// ErrExists is returned by AddUser when the user name is taken.
var ErrExists = errors.New("there is such a user already")

// Sub-merchant numbers are digits, so that a comma separates them.
const userColumns = `u.id, u.username, u.name, u.role, u.all_merchants, u.password, u.disabled, u.lang, u.theme,
	CASE WHEN NOT u.all_merchants THEN (SELECT group_concat(sub_mchid) FROM user_merchant WHERE user_id = u.id) END`

// userFields are where the user columns are scanned to; done completes the user.
func userFields(u *auth.User) (fields []any, done func()) {
	var merchants sql.NullString
	return []any{&u.ID, &u.Username, &u.Name, &u.Role, &u.Scope.All, &u.PasswordHash, &u.Disabled, &u.Lang, &u.Theme, &merchants}, func() {
		if merchants.String != "" {
			u.Scope.Merchants = strings.Split(merchants.String, ",")
		}
	}
}

func scanUser(r scanner) (auth.User, error) {
	var u auth.User
	fields, done := userFields(&u)
	if err := r.Scan(fields...); err != nil {
		return auth.User{}, err
	}
	done()
	return u, nil
}

func noUser(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return auth.ErrNoUser
	}
	return err
}

// UserByName returns the user whom a typed name means, disabled or not: the one with the
// name's normal form. A name from before that form, which would be somebody else's in it,
// means its user as it is.
func (s *Store) UserByName(ctx context.Context, typed string) (auth.User, error) {
	typed = strings.TrimSpace(typed)
	login, err := auth.NormalUsername(typed)
	if err != nil {
		login = typed // nobody's: a login is in its normal form
	}
	before, err := precis.UsernameCaseMapped.String(typed)
	if err != nil {
		before = typed
	}
	u, err := scanUser(s.reader.row(ctx, `
		SELECT `+userColumns+` FROM user u WHERE u.login = ?1 OR u.login IS NULL AND u.username IN (?2, ?3)
		ORDER BY u.login IS NOT NULL, u.username <> ?2 LIMIT 1`, login, typed, before))
	if err = noUser(err); err != nil {
		return u, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

// UserByID returns the user of the id, disabled or not.
func (s *Store) UserByID(ctx context.Context, id int64) (auth.User, error) {
	u, err := scanUser(s.reader.row(ctx, `SELECT `+userColumns+` FROM user u WHERE u.id = ?`, id))
	if err = noUser(err); err != nil {
		return u, fmt.Errorf("read user %d: %w", id, err)
	}
	return u, nil
}

// Users lists all users by user name.
func (s *Store) Users(ctx context.Context) ([]auth.User, error) {
	rows, err := s.reader.query(ctx, `SELECT `+userColumns+` FROM user u ORDER BY u.username`)
	list, err := collect(rows, err, scanUser)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return list, nil
}

// SetPassword replaces the user's password, revokes all their sessions but the one
// with the hash keep, at the time of the entry, and records it. ErrNoUser.
func (s *Store) SetPassword(ctx context.Context, userID int64, phc string, keep [32]byte, e correction.AuditEntry) error {
	err := s.write(ctx, func(w *writeTx) error {
		switch n, err := w.changed(ctx, `UPDATE user SET password = ? WHERE id = ?`, phc, userID); {
		case err != nil:
			return err
		case n == 0:
			return auth.ErrNoUser
		}
		_, err := w.exec(ctx, `UPDATE session SET revoked_ms = ? WHERE user_id = ? AND revoked_ms IS NULL AND id_hash <> ?`, millis(e.At), userID, keep[:])
		if err != nil {
			return err
		}
		return w.audit(ctx, e)
	})
	if err != nil {
		return fmt.Errorf("set password of user %d: %w", userID, err)
	}
	return nil
}

// Rehash replaces the hash old of the user's password by a better one of the same
// password. Sessions stay. It does nothing when the password was changed meanwhile.
func (s *Store) Rehash(ctx context.Context, userID int64, old, phc string) error {
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `UPDATE user SET password = ? WHERE id = ? AND password = ?`, phc, userID, old)
		return err
	})
	if err != nil {
		return fmt.Errorf("rehash password of user %d: %w", userID, err)
	}
	return nil
}

// SetPreferences stores the language and the theme of the user.
func (s *Store) SetPreferences(ctx context.Context, userID int64, lang, theme string) error {
	err := s.write(ctx, func(w *writeTx) error {
		n, err := w.changed(ctx, `UPDATE user SET lang = ?, theme = ? WHERE id = ?`, lang, theme, userID)
		if err == nil && n == 0 {
			err = auth.ErrNoUser
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("set preferences of user %d: %w", userID, err)
	}
	return nil
}

// UserSpec describes a new user.
type UserSpec struct {
	Username     string // unique in its normal form
	Name         string
	Role         correction.Role
	All          bool     // may touch every merchant
	Merchants    []string // otherwise these
	PasswordHash string   // PHC string
	Lang         string   // "zh-CN", "en" or empty
}

// AddUser adds a user, on the record. ErrExists when somebody has the name, in whatever
// writing; auth.ErrUsername when it is none.
func (s *Store) AddUser(ctx context.Context, u UserSpec) error {
	login, err := auth.NormalUsername(u.Username)
	if err != nil {
		return fmt.Errorf("add user: %w", err)
	}
	err = s.write(ctx, func(w *writeTx) error {
		now := s.now()
		r, err := w.exec(ctx, `INSERT INTO user (username, login, name, role, all_merchants, password, lang, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			u.Username, login, u.Name, u.Role, u.All, u.PasswordHash, u.Lang, millis(now))
		if hasCode(err, codeConstraintUnique) {
			return ErrExists
		}
		if err != nil {
			return err
		}
		id, err := r.LastInsertId()
		if err != nil {
			return err
		}
		for _, m := range u.Merchants {
			if _, err := w.exec(ctx, `INSERT INTO user_merchant (user_id, sub_mchid) VALUES (?, ?) ON CONFLICT DO NOTHING`, id, m); err != nil {
				return err
			}
		}
		return w.auditAdmin(ctx, now, "user.add", struct {
			ID        int64           `json:"id"`
			Username  string          `json:"username"`
			Name      string          `json:"name"`
			Role      correction.Role `json:"role"`
			All       bool            `json:"all_merchants"`
			Merchants []string        `json:"merchants,omitempty"`
		}{id, u.Username, u.Name, u.Role, u.All, u.Merchants})
	})
	if err != nil {
		return fmt.Errorf("add user: %w", err)
	}
	s.directories.forget()
	return nil
}

// ResetPassword replaces the user's password and revokes all their sessions, on
// the record. ErrNoUser.
func (s *Store) ResetPassword(ctx context.Context, username, phc string) error {
	return s.administer(ctx, "user.reset", username, true, `UPDATE user SET password = ? WHERE username = ? RETURNING id`, phc, username)
}

// SetDisabled shuts the user out, sessions and all, or lets them in again, on the
// record. What they have prepared or submitted for approval is void. ErrNoUser.
func (s *Store) SetDisabled(ctx context.Context, username string, disabled bool) error {
	action := "user.enable"
	if disabled {
		action = "user.disable"
	}
	return s.administer(ctx, action, username, disabled, `UPDATE user SET disabled = ? WHERE username = ? RETURNING id`, disabled, username)
}

// administer changes a user by an UPDATE that returns the id, and revokes the
// user's sessions when asked to, in one transaction with its record and with what
// becomes of the corrections that the user may not make any more.
func (s *Store) administer(ctx context.Context, action, username string, revoke bool, update string, args ...any) error {
	err := s.write(ctx, func(w *writeTx) error {
		now := s.now()
		var id int64
		if err := w.row(ctx, update, args...).Scan(&id); err != nil {
			return noUser(err)
		}
		void, err := w.voidPending(ctx, id, "", now)
		if err != nil {
			return err
		}
		var revoked int64
		if revoke {
			var err error
			if revoked, err = w.changed(ctx, `UPDATE session SET revoked_ms = ? WHERE user_id = ? AND revoked_ms IS NULL`, millis(now), id); err != nil {
				return err
			}
		}
		return w.auditAdmin(ctx, now, action, struct {
			Username string `json:"username"`
			Revoked  int64  `json:"revoked_sessions"`
			Void     int    `json:"void,omitempty"` // corrections that they may not make any more
		}{username, revoked, void})
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", action, username, err)
	}
	return nil
}
