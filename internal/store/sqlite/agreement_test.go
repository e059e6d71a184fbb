package sqlite

import (
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"correction-console/internal/correction"
)

// What waits and how it ended is not rewritten, and no value comes into force in the
// place of one that waits without its agreement, whoever writes to the file.
func TestProposal_SchemaHolds(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "console.db")
	s, err := Open(ctx, path)
	must(t, err)
	defer s.Close()
	for _, u := range []UserSpec{
		{Username: "a", Name: "A", Role: correction.Supervisor, All: true, PasswordHash: "x"}, {Username: "b", Name: "B", Role: correction.Supervisor, All: true, PasswordHash: "x"},
		{Username: "c", Name: "C", Role: correction.Supervisor, Merchants: []string{"1"}, PasswordHash: "x"}, {Username: "d", Name: "D", Role: correction.Agent, All: true, PasswordHash: "x"},
	} {
		must(t, s.AddUser(ctx, u))
	}
	now := time.UnixMilli(1_800_000_000_000)
	n, err := s.EditSetting(ctx, correction.SettingEdit{Name: correction.SettingLimits, Value: json.RawMessage(`{"roles":{"agent":{"per":1}}}`), ActorID: 1, At: now})
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	for _, actor := range []int64{0, 3, 4, 99} {
		if _, err := s.EditSetting(ctx, correction.SettingEdit{Name: correction.SettingLimits, Base: 1, Value: json.RawMessage(`{}`), ActorID: actor, At: now}); !errors.Is(err, correction.ErrNoRight) {
			t.Errorf("edited by %d: %v", actor, err)
		}
		if _, err := s.Propose(ctx, correction.Proposal{Name: "limits", Base: 1, Before: json.RawMessage(`{}`), After: json.RawMessage(`{}`), ActorID: actor, At: now}, ""); !errors.Is(err, correction.ErrNoRight) {
			t.Errorf("kept for %d: %v", actor, err)
		}
	}
	if n, err = s.Propose(ctx, correction.Proposal{Name: "limits", Base: 1, Before: json.RawMessage(`{}`), After: json.RawMessage(`{"roles":{}}`), ActorID: 1, At: now}, ""); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if _, err := s.Propose(ctx, correction.Proposal{Name: "limits", Base: 1, Before: json.RawMessage(`{}`), After: json.RawMessage(`{}`), ActorID: 2, At: now}, ""); !errors.Is(err, correction.ErrTaken) {
		t.Errorf("two at a time: %v", err)
	}
	// Not judged by what is in force: a version of another setting came between.
	if err := s.Decide(ctx, correction.Agreement{Name: "limits", N: 2, How: correction.ProposalAgreed, ActorID: 2, At: now, Judged: map[correction.SettingName]int{"limits": 1, "tiers": 1}}); !errors.Is(err, correction.ErrMoved) {
		t.Errorf("judged by other tiers: %v", err)
	}
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	end := `INSERT INTO proposal_end (name, n, at_ms, actor, how) VALUES ('limits', 2, ?, ?, ?)`
	for _, x := range []struct {
		query string
		args  []any
	}{
		{`UPDATE proposal SET actor = 2`, nil},
		{`DELETE FROM proposal`, nil},
		{`INSERT OR REPLACE INTO proposal (name, n, key, base, at_ms, actor, before, after, alone) VALUES ('limits', 2, '', 1, 1, 2, '{}', '{}', 1)`, nil},
		{`INSERT INTO proposal (name, n, key, base, at_ms, actor, before, after, alone) VALUES ('limits', 3, '', 1, 1, 2, '{}', '{}', 1)`, nil},
		{`INSERT INTO setting (name, n, at_ms, actor, value) VALUES ('limits', 2, 1, 1, '{"roles":{}}')`, nil},
		{end, []any{now.UnixMilli(), 1, "agreed"}},
		{end, []any{now.UnixMilli(), 3, "agreed"}},
		{end, []any{now.UnixMilli(), 4, "agreed"}},
		{end, []any{now.UnixMilli(), nil, "agreed"}},
		{end, []any{now.UnixMilli(), nil, "declined"}},
		{end, []any{now.UnixMilli(), 2, "withdrawn"}},
		{end, []any{now.Add(48 * time.Hour).UnixMilli(), nil, "waited"}},
	} {
		if _, err := db.ExecContext(ctx, x.query, x.args...); err == nil {
			t.Errorf("%s %v: let through", x.query, x.args)
		}
	}
	must(t, s.Decide(ctx, correction.Agreement{Name: "limits", N: 2, How: correction.ProposalAgreed, ActorID: 2, At: now, Judged: map[correction.SettingName]int{"limits": 1}}))
	for _, query := range []string{
		`UPDATE proposal_end SET how = 'declined'`, `DELETE FROM proposal_end`,
		`INSERT OR REPLACE INTO proposal_end (name, n, at_ms, actor, how) VALUES ('limits', 2, 1, 2, 'declined')`,
		`INSERT INTO setting (name, n, at_ms, actor, value) VALUES ('limits', 2, 1, 1, '{"roles":{}}')`,
		`INSERT INTO setting (name, n, at_ms, actor, value) VALUES ('limits', 4, 1, 1, '{"roles":{}}')`,
	} {
		if _, err := db.ExecContext(ctx, query); err == nil {
			t.Errorf("%s: let through", query)
		}
	}
	list, err := s.SettingHistory(ctx, correction.SettingLimits, 9)
	if err != nil || len(list) != 2 || list[0].N != 2 || list[0].ActorID != 1 || list[0].End == nil || list[0].End.ActorID != 2 || string(list[0].Value) != `{"roles":{}}` {
		t.Errorf("%+v %v", list, err)
	}
	var audited int
	must(t, s.reader.row(ctx, `SELECT count(*) FROM audit WHERE action IN ('agreement.waits', 'agreement.agreed', 'setting.limits')`).Scan(&audited))
	if audited != 4 {
		t.Errorf("%d entries in the audit record", audited)
	}
}
