package sqlite

import (
	"context"
	"fmt"
	"time"

	"correction-console/internal/correction"
)

// AppendAudit records an act that is no correction.
func (s *Store) AppendAudit(ctx context.Context, a correction.AuditEntry) error {
	err := s.write(ctx, func(w *writeTx) error { return w.audit(ctx, a) })
	if err != nil {
		return fmt.Errorf("record %s: %w", a.Action, err)
	}
	return nil
}

func (w *writeTx) audit(ctx context.Context, a correction.AuditEntry) error {
	_, err := w.exec(ctx, `INSERT INTO audit (at_ms, user_id, action, detail, ip) VALUES (?, ?, ?, ?, ?)`,
		millis(a.At), orNull(a.UserID), a.Action, a.Detail, a.IP)
	return err
}

// auditAdmin records what the command line did, in the transaction that did it.
func (w *writeTx) auditAdmin(ctx context.Context, at time.Time, action string, detail any) error {
	return w.auditEdit(ctx, correction.AuditEntry{At: at}, action, detail)
}

// auditEdit records what somebody did, in the transaction that did it.
func (w *writeTx) auditEdit(ctx context.Context, by correction.AuditEntry, action string, detail any) error {
	text, err := compactJSON(detail)
	if err != nil {
		return err
	}
	by.Action, by.Detail = action, text
	return w.audit(ctx, by)
}
