package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
)

// FilterOptions lists what the change log can be filtered by.
func (s *Store) FilterOptions(ctx context.Context) (changelog.FilterOptions, error) {
	d, err := s.directory(ctx)
	if err != nil {
		return changelog.FilterOptions{}, fmt.Errorf("list what the log can be filtered by: %w", err)
	}
	return changelog.FilterOptions{Offerings: slices.Clone(d.offerings), People: slices.Clone(d.everybody), Approvers: slices.Clone(d.approvers)}, nil
}

// Complete fills rows of the log with flags, devices, the time of the confirmation and
// who decided.
func (s *Store) Complete(ctx context.Context, rows []correction.Summary) error {
	d, err := s.directory(ctx)
	if err != nil {
		return fmt.Errorf("read more of the log: %w", err)
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
		rows[i].ApproverName = d.people[r.ApproverID].Name
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("read more of the log: %w", err)
	}
	found, err := s.reader.query(ctx, `SELECT wanted.key, `+flagsOfRow+`, `+devicesOfRow+`, COALESCE(
			(SELECT at_ms FROM event WHERE correction_id = c.id AND n = 2 AND state IN ('claimed', 'awaiting_approval')), 0)
		FROM json_each(?) wanted CROSS JOIN correction c ON c.id = wanted.value`, string(list))
	_, err = collect(found, err, func(r scanner) (struct{}, error) {
		var i int
		var flags, devices string
		var confirmed int64
		err := r.Scan(&i, &flags, &devices, &confirmed)
		if err == nil {
			rows[i].Flags, rows[i].Devices = flags, devices
			if confirmed != 0 {
				rows[i].ConfirmedAt = at(confirmed)
			}
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("read more of the log: %w", err)
	}
	return nil
}

// What a row of the log may show besides, in one value each.
const (
	flagsOfRow   = `COALESCE((SELECT group_concat(code, ' ') FROM flag INDEXED BY flag_correction WHERE correction_id = c.id), '')`
	devicesOfRow = `COALESCE((SELECT group_concat(device_id, ' ') FROM device INDEXED BY device_correction WHERE correction_id = c.id), '')`
)

// Origins are where the sessions of these rows came from, ended ones too.
func (s *Store) Origins(ctx context.Context, rows []int64) (map[int64]changelog.Origin, error) {
	list, err := json.Marshal(rows)
	if err != nil {
		return nil, fmt.Errorf("read where sessions came from: %w", err)
	}
	out := map[int64]changelog.Origin{}
	found, err := s.reader.query(ctx, `SELECT row, ip, user_agent FROM session WHERE row IN (SELECT value FROM json_each(?))`, string(list))
	_, err = collect(found, err, func(r scanner) (struct{}, error) {
		var row int64
		var o changelog.Origin
		err := r.Scan(&row, &o.IP, &o.UserAgent)
		out[row] = o
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read where sessions came from: %w", err)
	}
	return out, nil
}
