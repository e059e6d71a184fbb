package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// What is derived from the events, and what the guards rest on, is compared, too; and
// the fault names the correction, or none where there is none.
func TestVerify_NamesWhatWasEdited(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	signer := signed(t, s)
	u := person(t, s, "lin", correction.Agent)
	for i, path := range [][]correction.State{
		pathTo[correction.Applied], pathTo[correction.Unknown], slices.Concat(pathTo[correction.Unknown], []correction.State{correction.Unknown, correction.Applied, correction.Applied}),
	} {
		c := sample(u.ID, ref(fmt.Sprintf("V%d", i)), t0)
		id := prepare(t, s, c)
		from, n := correction.Prepared, 1
		for i, to := range path {
			e := correction.Event{State: to, At: t0.Add(time.Duration(n) * time.Second), Detail: correction.Detail{RequestID: "R", Due: i == 5}}
			if to == from {
				e.Detail.Settled = correction.PaidNew
			}
			must(t, step(t.Context(), s, id, c.Ref, from, n, e))
			from, n = to, n+1
		}
	}
	kept := elsewhere(t, s, signer)
	must(t, s.Close())
	honest, err := os.ReadFile(s.path)
	must(t, err)
	for edit, want := range map[string]int64{
		`UPDATE correction_now SET at_ms = at_ms + 1 WHERE correction_id = 1`:                1,
		`UPDATE correction_now SET request_id = '' WHERE correction_id = 1`:                  1,
		`UPDATE correction_now SET settled = '' WHERE correction_id = 3`:                     3,
		`UPDATE correction_now SET due = 0 WHERE correction_id = 3`:                          3,
		`UPDATE correction_now SET due = 1 WHERE correction_id = 2`:                          2,
		`UPDATE correction_now SET n = n + 1 WHERE correction_id = 2`:                        2,
		`UPDATE correction_now SET state = 'rejected' WHERE correction_id = 1`:               1,
		`DELETE FROM correction_now WHERE correction_id = 2`:                                 2,
		`UPDATE claim SET out_order_no = 'another'`:                                          2,
		`UPDATE claim SET correction_id = 1`:                                                 1,
		`DELETE FROM claim`:                                                                  2,
		`DELETE FROM leaf WHERE i = 3`:                                                       1,
		`DELETE FROM leaf WHERE correction_id = 3 AND n = 7`:                                 3,
		`UPDATE event SET leaf = 1 << 30 WHERE correction_id = 2 AND n = 3`:                  2,
		`UPDATE checkpoint SET at_ms = at_ms + 1`:                                            0,
		`UPDATE checkpoint SET size = size - 1`:                                              0,
		`INSERT INTO transition VALUES ('applied', 'claimed')`:                               0,
		`DELETE FROM transition WHERE from_state = 'unknown' AND to_state = 'conflict'`:      0,
		`DROP INDEX correction_now_due`:                                                      0,
		`CREATE TABLE more (x)`:                                                              0,
		`UPDATE correction_now SET n = n - 1, settled = '', due = 0 WHERE correction_id = 3`: 3, // as it once stood
	} {
		path := filepath.Join(t.TempDir(), "copy.db")
		must(t, os.WriteFile(path, honest, 0o600))
		x := tamper(t, path, rand.New(rand.NewPCG(1, 1)), kept.Size)
		x.must(t, edit)
		x.close(t)
		_, err := Verify(t.Context(), path, []string{signer.VerifierKey()}, kept)
		var mine *Fault
		var theirs *ledger.Fault
		switch {
		case errors.As(err, &mine) && mine.CorrectionID == want:
		case errors.As(err, &theirs) && theirs.CorrectionID == want:
		default:
			t.Errorf("%s: %v, want one of correction %d", edit, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "copy.db") // the guards stay away
	must(t, os.WriteFile(path, honest, 0o600))
	x := tamper(t, path, rand.New(rand.NewPCG(1, 1)), kept.Size)
	must(t, x.db.Close())
	var fault *Fault
	if _, err := Verify(t.Context(), path, []string{signer.VerifierKey()}, kept); !errors.As(err, &fault) {
		t.Errorf("without guards: %v", err)
	}
}
