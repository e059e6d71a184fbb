package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"correction-console/internal/correction"
)

// FlagFacts reads what the flags of a correction rest on.
func (s *Store) FlagFacts(ctx context.Context, c correction.Correction, q correction.FlagQuestion) (correction.FlagFacts, error) {
	var f correction.FlagFacts
	r, err := correction.ParseBody(c.Body)
	if err != nil {
		return f, fmt.Errorf("read what flags of correction %d rest on: %w", c.ID, err)
	}
	devices, err := json.Marshal([]string{r.Device.Start, r.Device.End})
	if err != nil {
		return f, fmt.Errorf("read what flags of correction %d rest on: %w", c.ID, err)
	}
	const counts = `w.state IN ('claimed', 'sending', 'unknown', 'applied', 'applied_late', 'conflict', 'resolved')`
	err = s.reader.row(ctx, `
		SELECT count(DISTINCT c.id) FILTER (WHERE c.prepared_ms >= ?2), count(DISTINCT c.id) FILTER (WHERE c.author = ?3 AND c.prepared_ms >= ?4)
		FROM device d JOIN correction c ON c.id = d.correction_id JOIN correction_now w ON w.correction_id = c.id
		WHERE d.device_id IN (SELECT value FROM json_each(?1) WHERE value <> '') AND c.id <> ?5 AND `+counts,
		string(devices), millis(q.Again), c.AuthorID, millis(q.Pair), c.ID).Scan(&f.SameDevice, &f.Pair)
	if err == nil {
		err = s.reader.row(ctx, `
			SELECT count(*) FROM correction c INDEXED BY correction_order JOIN correction_now w ON w.correction_id = c.id
			WHERE c.out_order_no = ? AND c.sub_mchid = ? AND c.id <> ? AND c.prepared_ms >= ? AND `+counts,
			c.Ref.OutOrderNo, c.Ref.SubMchID, c.ID, millis(q.Again)).Scan(&f.SameOrder)
	}
	if err == nil && q.Other > 0 {
		err = s.reader.row(ctx, `
			SELECT COALESCE(sum(running), 0) FROM (
				SELECT min(other) OVER (ORDER BY id DESC) AS running FROM (
					SELECT c.id, c.reason_code = 'other' AS other FROM correction c INDEXED BY correction_author
					JOIN correction_now w ON w.correction_id = c.id
					WHERE c.author = ? AND c.id <> ? AND `+counts+` ORDER BY c.id DESC LIMIT ?))`, c.AuthorID, c.ID, q.Other).Scan(&f.Others)
	}
	if err != nil {
		return f, fmt.Errorf("read what flags of correction %d rest on: %w", c.ID, err)
	}
	return f, nil
}
