package sqlite

import (
	"testing"

	"correction-console/internal/correction"
)

// named are rows with the names of those who decided.
func named(t *testing.T, s *Store, rows []correction.Summary) []correction.Summary {
	t.Helper()
	d, err := s.directory(t.Context())
	must(t, err)
	for i := range rows {
		rows[i].ApproverName = d.people[rows[i].ApproverID].Name
	}
	return rows
}

// asListed is a row of an export as lists show it; what it has besides is what Complete
// fills in.
func asListed(t *testing.T, s *Store, r correction.Summary) correction.Summary {
	t.Helper()
	whole := []correction.Summary{r}
	whole[0].Flags, whole[0].Devices = "", ""
	must(t, s.Complete(t.Context(), whole))
	if whole[0].Flags != r.Flags || whole[0].Devices != r.Devices {
		t.Fatalf("correction %d is exported with %q and %q, has %q and %q", r.ID, r.Flags, r.Devices, whole[0].Flags, whole[0].Devices)
	}
	r.Flags, r.Devices = "", ""
	return r
}
