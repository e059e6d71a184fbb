package ledger

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// What a Fault finds.
const (
	FaultForm   = "form"   // the row stands for no entry that the console writes
	FaultEntry  = "entry"  // the entry is not what was recorded
	FaultHashes = "hashes" // the hashes of the row are not those of the tree
	FaultRoot   = "root"   // up to here the log is not the one of the checkpoint
	FaultCut    = "cut"    // the log ends before the checkpoint
)

// Fault is the first thing in a log that is not as it was written.
type Fault struct {
	Index        int64 // of the row; with FaultCut, of the first that is missing
	CorrectionID int64 // 0 = not known
	N            int
	What         string     // a Fault* code
	Checkpoint   Checkpoint // with FaultRoot and FaultCut
	Err          error      // with FaultForm
}

func (f *Fault) Unwrap() error { return f.Err }

func (f *Fault) Error() string {
	where := fmt.Sprintf("row %d of the ledger", f.Index)
	if f.CorrectionID != 0 {
		where += fmt.Sprintf(" (event %d of correction %d)", f.N, f.CorrectionID)
	}
	at := time.UnixMilli(f.Checkpoint.AtMS).UTC().Format(timeForm)
	switch f.What {
	case FaultForm:
		return fmt.Sprintf("%s: %v", where, f.Err)
	case FaultEntry:
		return where + ": the entry is not what was recorded"
	case FaultHashes:
		return where + ": the hashes are not those of the tree"
	case FaultRoot:
		return fmt.Sprintf("%s: up to here the ledger is not the one of the checkpoint of %s", where, at)
	case FaultCut:
		return fmt.Sprintf("the ledger ends after %d of the %d records of the checkpoint of %s", f.Index, f.Checkpoint.Size, at)
	}
	return where + ": " + f.What
}

// Audit computes a log again from its entries, row by row, and compares it with the
// hashes that are stored and with checkpoints from elsewhere. It keeps nothing but
// the right edge and the checkpoints that are ahead. Not safe for concurrent use.
type Audit struct {
	tree   Tree
	ahead  []Checkpoint // by size
	err    error        // the first fault
	leaf   []byte
	hashes []byte
}

// NewAudit starts at the beginning of a log.
func NewAudit() *Audit { return new(Audit) }

// AuditFrom starts where the tree ends. What is before is taken from the stored
// hashes alone, not from the entries.
func AuditFrom(t Tree) *Audit { return &Audit{tree: t} }

// ExpectAt registers checkpoints, in any order: when the audit gets to the size of
// one, the root must be its root. It is an error of the audit when it is past it.
func (a *Audit) ExpectAt(checkpoints ...Checkpoint) {
	for _, c := range checkpoints {
		switch {
		case c.Size < a.tree.size:
			a.fail(fmt.Errorf("audit: the checkpoint of %d records came at %d", c.Size, a.tree.size))
		case c.Size == a.tree.size:
			a.compare(c)
		default:
			a.ahead = append(a.ahead, c)
		}
	}
	slices.SortStableFunc(a.ahead, func(x, y Checkpoint) int { return cmp.Compare(x.Size, y.Size) })
}

// fail keeps the first error.
func (a *Audit) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// Add takes the next entry and the stored hashes of its row. It returns a *Fault when
// they are not as they were written, and from then on always the same.
func (a *Audit) Add(e Entry, stored []byte) error {
	if a.err != nil {
		return a.err
	}
	fault := Fault{Index: a.tree.size, CorrectionID: e.CorrectionID, N: e.N}
	if fault.Err = e.Check(); fault.Err != nil {
		fault.What = FaultForm
		a.fail(&fault)
		return a.err
	}
	a.leaf = e.Leaf(a.leaf[:0])
	_, a.hashes = a.tree.appendTo(a.hashes[:0], a.leaf)
	switch {
	case len(stored) < hashSize || !bytes.Equal(stored[:hashSize], a.hashes[:hashSize]):
		fault.What = FaultEntry
		a.fail(&fault)
	case !bytes.Equal(stored, a.hashes):
		fault.What = FaultHashes
		a.fail(&fault)
	}
	for len(a.ahead) > 0 && a.ahead[0].Size == a.tree.size {
		a.compare(a.ahead[0])
		a.ahead = a.ahead[1:]
	}
	return a.err
}

func (a *Audit) compare(c Checkpoint) {
	if a.tree.Root() != c.Root {
		a.fail(&Fault{Index: max(c.Size-1, 0), What: FaultRoot, Checkpoint: c})
	}
}

// Size returns how many entries were added, those before the start included.
func (a *Audit) Size() int64 { return a.tree.Size() }

// Root returns the root of the log up to here.
func (a *Audit) Root() tlog.Hash { return a.tree.Root() }

// Finish says that the log ends here. It returns the first fault; a checkpoint that
// was not reached is one.
func (a *Audit) Finish() error {
	if len(a.ahead) > 0 {
		a.fail(&Fault{Index: a.tree.size, What: FaultCut, Checkpoint: a.ahead[0]})
	}
	return a.err
}
