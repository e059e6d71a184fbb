package ledger

import "time"

// Loss says that part of the record was lost, and that this is known: an older copy took
// the database's place. Up to Checkpoint the record is another one from then on.
type Loss struct {
	Checkpoint Checkpoint // the newest that the record no longer agrees with
	Log        string     // name of the log that signed it
	Missing    int64      // events that could not be rebuilt, at most
	By         string     // the command that accepted it
	At         time.Time
}

// Covers reports whether a checkpoint is of what is known to be lost.
func (l Loss) Covers(c Checkpoint) bool {
	return c.Size <= l.Checkpoint.Size && c.AtMS <= l.Checkpoint.AtMS
}
