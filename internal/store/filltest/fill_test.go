package filltest

import (
	"path/filepath"
	"reflect"
	"testing"

	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// The same seed makes the same corrections, and what is made can be read, searched and
// added to.
func TestFill_IsWhole(t *testing.T) {
	t.Parallel()
	const n = 3000
	var lists [2][]correction.Summary
	var s *sqlite.Store
	for i := range lists {
		path := filepath.Join(t.TempDir(), "console.db")
		if err := Fill(t.Context(), path, n, 7, t.Logf); err != nil {
			t.Fatal(err)
		}
		var err error
		if s, err = sqlite.Open(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		all := changelog.LogFilter{Scope: correction.Scope{All: true}}
		if err := s.Export(t.Context(), all, changelog.ByTime, func(rows []correction.Summary) error {
			lists[i] = append(lists[i], rows...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(lists[0]) != n || !reflect.DeepEqual(lists[0], lists[1]) {
		t.Errorf("%d and %d corrections, or others", len(lists[0]), len(lists[1]))
	}
	states := map[correction.State]int{}
	for _, r := range lists[0] {
		states[r.State]++
		if r.ID%500 == 0 {
			if c, err := s.Correction(t.Context(), r.ID); err != nil || c.State != r.State || c.Base.Total != r.BaseTotal {
				t.Errorf("correction %d: %+v, %v", r.ID, c, err)
			}
		}
	}
	if len(states) < 12 {
		t.Errorf("states: %v", states)
	}
	for _, text := range []string{CommonWord, SomeWord, "餮", "云海"} {
		total, _, err := s.Count(t.Context(), changelog.LogFilter{Scope: correction.Scope{All: true}, Text: text}, n)
		if err != nil || total == 0 {
			t.Errorf("%s is found %d times, %v", text, total, err)
		}
	}
}
