package sqlite

import (
	"context"
	"fmt"
	"time"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// SaveFilter stores a new filter of the change log, with a record of it. ErrTaken when its
// owner has one of that name, ErrFull when they have as many as they may.
func (s *Store) SaveFilter(ctx context.Context, v changelog.SavedFilter, ip string) (int64, error) {
	made := make(chan int64, 1)
	err := s.write(ctx, func(w *writeTx) error {
		r, err := w.exec(ctx, `
			INSERT INTO saved_view (owner, name, query, shared, created_ms)
			SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM saved_view WHERE owner = ?1) < ?6`,
			v.OwnerID, v.Name, v.Query, v.Shared, millis(v.CreatedAt), changelog.MaxSavedFilters)
		if refused(err) {
			return correction.ErrTaken
		}
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return correction.ErrFull
		}
		id, err := r.LastInsertId()
		if err != nil {
			return err
		}
		made <- id
		return w.auditFilter(ctx, "view.save", v, ip, v.CreatedAt)
	})
	if err != nil {
		return 0, fmt.Errorf("store filter: %w", err)
	}
	return <-made, nil
}

func (w *writeTx) auditFilter(ctx context.Context, action string, v changelog.SavedFilter, ip string, at time.Time) error {
	detail, err := compactJSON(map[string]any{"name": v.Name, "query": v.Query, "shared": v.Shared})
	if err != nil {
		return err
	}
	return w.audit(ctx, correction.AuditEntry{At: at, UserID: v.OwnerID, Action: action, Detail: detail, IP: ip})
}

// SavedFilters lists a person's own filters and those that others share, by name.
func (s *Store) SavedFilters(ctx context.Context, userID int64) ([]changelog.SavedFilter, error) {
	rows, err := s.reader.query(ctx, `
		SELECT v.id, v.owner, COALESCE(u.name, ''), v.name, v.query, v.shared, v.created_ms
		FROM saved_view v LEFT JOIN user u ON u.id = v.owner
		WHERE v.owner = ? OR v.shared ORDER BY v.name, v.id`, userID)
	list, err := collect(rows, err, func(r scanner) (changelog.SavedFilter, error) {
		var v changelog.SavedFilter
		var ms int64
		err := r.Scan(&v.ID, &v.OwnerID, &v.OwnerName, &v.Name, &v.Query, &v.Shared, &ms)
		v.CreatedAt = at(ms)
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("list saved filters: %w", err)
	}
	return list, nil
}

// DeleteFilter removes a filter of the owner, with a record of it; ErrNoRow when there is
// none.
func (s *Store) DeleteFilter(ctx context.Context, ownerID, id int64, ip string, at time.Time) error {
	err := s.write(ctx, func(w *writeTx) error {
		v := changelog.SavedFilter{OwnerID: ownerID}
		err := noRow(w.row(ctx, `SELECT name, query, shared FROM saved_view WHERE id = ? AND owner = ?`, id, ownerID).Scan(&v.Name, &v.Query, &v.Shared))
		if err != nil {
			return err
		}
		if _, err := w.exec(ctx, `DELETE FROM saved_view WHERE id = ?`, id); err != nil {
			return err
		}
		return w.auditFilter(ctx, "view.delete", v, ip, at)
	})
	if err != nil {
		return fmt.Errorf("delete saved filter %d: %w", id, err)
	}
	return nil
}
