package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"correction-console/internal/auth"
)

// foldOldNames gives each user the normal form of the user name, by which people are
// found and which is unique. Of several whose names are one in that form, who is let in
// and was added first has it. The others keep none: they are found by their name as it
// is, and nobody can be added with it. A name that has no normal form stays as it is, too.
func foldOldNames(ctx context.Context, tx *sql.Tx) error {
	for _, change := range []string{
		`ALTER TABLE user ADD COLUMN login TEXT CHECK (login <> '')`,
		`CREATE UNIQUE INDEX user_login ON user (login)`,
	} {
		if _, err := tx.ExecContext(ctx, change); err != nil {
			return fmt.Errorf("make room for normal forms of user names: %w", err)
		}
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, username FROM user ORDER BY disabled, id`)
	if err != nil {
		return fmt.Errorf("read user names: %w", err)
	}
	defer rows.Close()
	type user struct {
		id    int64
		login string
	}
	var users []user
	taken := make(map[string]bool)
	for rows.Next() {
		var u user
		var name string
		if err := rows.Scan(&u.id, &name); err != nil {
			return fmt.Errorf("read user names: %w", err)
		}
		if u.login, err = auth.NormalUsername(name); err == nil && !taken[u.login] {
			taken[u.login] = true
			users = append(users, u)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("read user names: %w", err)
	}
	for _, u := range users {
		if _, err := tx.ExecContext(ctx, `UPDATE user SET login = ? WHERE id = ?`, u.login, u.id); err != nil {
			return fmt.Errorf("write the normal form of a user name: %w", err)
		}
	}
	return nil
}
