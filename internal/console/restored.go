package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/checkpoint"
	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/journal"
	"correction-console/internal/store/sqlite"
)

// errBehind is told when the journal knows more than the database.
var errBehind = errors.New("the journal knows corrections that the database does not: an older copy was restored. Run console recover before console serve")

// recentLines is how many lines of the journal are compared at a start. Those of
// corrections that run at the same time come in any order.
const recentLines = 32

// refuseBehind compares the newest lines of the journal with the record: a restored older
// database must not send again what it does not know.
func refuseBehind(ctx context.Context, st *sqlite.Store, folder string) error {
	newest, err := journal.Newest(folder, recentLines)
	if err != nil {
		return err
	}
	for _, r := range newest {
		there := false
		if r.Mark != [32]byte{} { // all before it was replayed, or told
			if there, err = st.Marked(ctx, r.Mark); there && err == nil {
				return nil
			}
		} else {
			there, err = onRecord(ctx, st, r)
		}
		if err != nil {
			return err
		}
		if !there {
			return config.Usage(fmt.Errorf("CONSOLE_JOURNAL=%q: %w", folder, errBehind))
		}
	}
	return nil
}

// onRecord reports whether the database knows what a line tells of.
func onRecord(ctx context.Context, st *sqlite.Store, r journal.Record) (bool, error) {
	n := r.Event.N
	if r.Intent {
		n = r.Correction.Last().N
	}
	id, err := st.Find(ctx, r.Correction.ConfirmHash)
	if errors.Is(err, correction.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return st.Holds(ctx, id, n)
}

// refuseRollback refuses to start on a record that is older than what was kept elsewhere, or
// another one. With AcceptRollback, which needs an empty journal, the loss goes on record instead;
// accepting when there is nothing to accept is refused, so that the flag is not left in
// place for the next time.
func refuseRollback(ctx context.Context, st *sqlite.Store, cfg Config, vkey string) error {
	accept := cfg.AcceptRollback
	k, err := checkpoint.Compare(ctx, st, cfg.Journal, cfg.CheckpointFolder, vkey, accept)
	if err != nil {
		return err
	}
	for _, what := range k.Odd {
		cfg.Log.Warn("checkpoint not compared", "why", what)
	}
	if !k.Lost() {
		if accept {
			return config.Usage(errors.New("--accept-rollback: nothing is missing. Start without it"))
		}
		return nil
	}
	lines, err := journal.Newest(cfg.Journal, 1)
	if err != nil {
		return err
	}
	switch {
	case len(lines) > 0:
		return config.Usage(k.Explain("; or run console recover before console serve: it replays the journal and puts on record what could not be rebuilt"))
	case !accept:
		return config.Usage(k.Explain("; or, if there is none, start once with console serve --accept-rollback: it puts on record what is lost"))
	}
	losses, err := k.Accept(ctx, st, "serve --accept-rollback", 0)
	for _, l := range losses {
		cfg.Log.Error("a loss is accepted and on record", "checkpoint_events", l.Checkpoint.Size, "missing", l.Missing)
	}
	return err
}

// journalMargin is how long before the newest intent one must have its line: what a stop
// leaves without is younger.
const journalMargin = 5 * time.Minute

// JournalLacks reports whether corrections were sent that the journal does not know: it
// is missing, or an older copy of it took its place.
func JournalLacks(ctx context.Context, st *sqlite.Store, folder string) (bool, error) {
	lines, err := journal.Newest(folder, recentLines)
	if err != nil {
		return false, err
	}
	if len(lines) == 0 {
		return st.SentAfter(ctx, time.Time{}, 0)
	}
	var newest time.Time
	for _, r := range lines {
		at := r.Event.At
		if r.Intent {
			at = r.Correction.Last().At
		}
		if r.Mark != [32]byte{} { // without a time of its own; behind has looked at it
			return false, nil
		}
		if at.After(newest) {
			newest = at
		}
	}
	return st.SentAfter(ctx, newest, journalMargin)
}
