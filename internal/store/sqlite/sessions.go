package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

// CreateSession stores a session of a user who is not disabled (else ErrNoUser),
// revokes the user's oldest live ones beyond keep, and records what entry makes of
// the row and of the number of those revoked. It returns these two.
func (s *Store) CreateSession(ctx context.Context, n auth.Session, keep int, entry func(row int64, revoked int) (correction.AuditEntry, error)) (int64, int, error) {
	var row int64
	var revoked int
	err := s.write(ctx, func(w *writeTx) error {
		err := w.row(ctx, `
			INSERT INTO session (id_hash, user_id, created_ms, seen_ms, expires_ms, ip, user_agent)
			SELECT ?, id, ?, ?, ?, ?, ? FROM user WHERE id = ? AND disabled = 0 RETURNING row`,
			n.IDHash[:], millis(n.CreatedAt), millis(n.SeenAt), millis(n.ExpiresAt), n.IP, n.UserAgent, n.UserID).Scan(&row)
		if err != nil {
			return noUser(err)
		}
		gone, err := w.changed(ctx, `
			UPDATE session SET revoked_ms = ?1
			WHERE user_id = ?2 AND revoked_ms IS NULL AND expires_ms > ?1 AND row NOT IN (
				SELECT row FROM session WHERE user_id = ?2 AND revoked_ms IS NULL AND expires_ms > ?1 ORDER BY row DESC LIMIT ?3)`,
			millis(n.CreatedAt), n.UserID, keep)
		if err != nil {
			return err
		}
		revoked = int(gone)
		e, err := entry(row, revoked)
		if err != nil {
			return err
		}
		return w.audit(ctx, e)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("create session: %w", err)
	}
	return row, revoked, nil
}

// SessionUser returns a live session and its user. It runs on every request: one
// prepared look-up of some microseconds, which is not worth being interrupted.
func (s *Store) SessionUser(ctx context.Context, idHash [32]byte, now, idleSince time.Time) (auth.Session, auth.User, error) {
	var session auth.Session
	var user auth.User
	var created, seen, expires int64
	fields, done := userFields(&user)
	err := s.reader.look(ctx, `
		SELECT s.row, s.created_ms, s.seen_ms, s.expires_ms, s.ip, s.user_agent, `+userColumns+`
		FROM session s CROSS JOIN user u ON u.id = s.user_id
		WHERE s.id_hash = ? AND s.revoked_ms IS NULL AND s.expires_ms > ? AND s.seen_ms >= ? AND u.disabled = 0`,
		idHash[:], millis(now), millis(idleSince)).
		Scan(append([]any{&session.Row, &created, &seen, &expires, &session.IP, &session.UserAgent}, fields...)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = auth.ErrNoSession
	}
	if err != nil {
		return auth.Session{}, auth.User{}, fmt.Errorf("read session: %w", err)
	}
	done()
	session.IDHash, session.UserID = idHash, user.ID
	session.CreatedAt, session.SeenAt, session.ExpiresAt = at(created), at(seen), at(expires)
	return session, user, nil
}

// SessionOwner returns whose session it is or was, ended or not.
func (s *Store) SessionOwner(ctx context.Context, idHash [32]byte) (int64, error) {
	var id int64
	err := s.reader.row(ctx, `SELECT user_id FROM session WHERE id_hash = ?`, idHash[:]).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = auth.ErrNoSession
	}
	if err != nil {
		return 0, fmt.Errorf("read owner of session: %w", err)
	}
	return id, nil
}

// TouchSession records that the session was seen. Its time does not run backwards.
func (s *Store) TouchSession(ctx context.Context, row int64, seen time.Time) error {
	err := s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `UPDATE session SET seen_ms = ?1 WHERE row = ?2 AND seen_ms < ?1`, millis(seen), row)
		return err
	})
	if err != nil {
		return fmt.Errorf("touch session: %w", err)
	}
	return nil
}

// RevokeSession ends a session of the user at the time of the entry, which it
// records. ErrNoSession when it is not the user's or has been revoked.
func (s *Store) RevokeSession(ctx context.Context, userID, row int64, e correction.AuditEntry) error {
	err := s.write(ctx, func(w *writeTx) error {
		switch n, err := w.changed(ctx, `UPDATE session SET revoked_ms = ? WHERE row = ? AND user_id = ? AND revoked_ms IS NULL`, millis(e.At), row, userID); {
		case err != nil:
			return err
		case n == 0:
			return auth.ErrNoSession
		}
		return w.audit(ctx, e)
	})
	if err != nil {
		return fmt.Errorf("revoke session: %w", err)
	}
	return nil
}

// Sessions lists the user's live sessions, newest first.
func (s *Store) Sessions(ctx context.Context, userID int64, now, idleSince time.Time) ([]auth.Session, error) {
	rows, err := s.reader.query(ctx, `
		SELECT s.row, s.id_hash, s.user_id, s.created_ms, s.seen_ms, s.expires_ms, s.ip, s.user_agent FROM session s
		WHERE s.user_id = ? AND s.revoked_ms IS NULL AND s.expires_ms > ? AND s.seen_ms >= ? ORDER BY s.row DESC`,
		userID, millis(now), millis(idleSince))
	list, err := collect(rows, err, func(r scanner) (auth.Session, error) {
		var n auth.Session
		var hash sql.RawBytes
		var created, seen, expires int64
		err := r.Scan(&n.Row, &hash, &n.UserID, &created, &seen, &expires, &n.IP, &n.UserAgent)
		copy(n.IDHash[:], hash)
		n.CreatedAt, n.SeenAt, n.ExpiresAt = at(created), at(seen), at(expires)
		return n, err
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// RecentSignIns returns from where the people of the newest sessions signed in, each
// person and address once, with the newest time.
func (s *Store) RecentSignIns(ctx context.Context, newest int) ([]auth.SignInPlace, error) {
	rows, err := s.reader.query(ctx, `
		SELECT user_id, ip, max(created_ms) FROM (SELECT user_id, ip, created_ms FROM session ORDER BY row DESC LIMIT ?) GROUP BY user_id, ip`, newest)
	list, err := collect(rows, err, func(r scanner) (auth.SignInPlace, error) {
		var p auth.SignInPlace
		var ms int64
		err := r.Scan(&p.UserID, &p.IP, &ms)
		p.At = at(ms)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list recent sign-ins: %w", err)
	}
	return list, nil
}
