package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// An older copy of the whole data folder looks right by itself. What tells are checkpoints
// that were kept elsewhere, and the high-water mark beside the journal: one that the
// database does not lead to says that part of the record is gone. The console does not
// start then, until the record itself says that this is known.

// Record is the record as a comparison sees it; the store is one.
type Record interface {
	// Size is how many events are on record; RootAt the root of the first of them,
	// correction.ErrNoRow when there are fewer.
	Size(ctx context.Context) (int64, error)
	RootAt(ctx context.Context, size int64) ([32]byte, error)
	// Logs are the names under which the record's own checkpoints were signed.
	Logs(ctx context.Context) ([]string, error)
	// Losses are what is known to be lost; AcceptLosses puts more on record.
	Losses(ctx context.Context) ([]ledger.Loss, error)
	AcceptLosses(ctx context.Context, losses ...ledger.Loss) error
}

// kept is a checkpoint that was kept outside the database.
type kept struct {
	ledger.Checkpoint
	file string
	log  string // name of the log that signed it
	ours bool   // by our own key
}

// Comparison is what the checkpoints from elsewhere say of the record.
type Comparison struct {
	Odd []string // files that say nothing, in words

	size   int64  // events on record
	common int64  // of the largest checkpoint that the record leads to
	lost   []kept // that the record does not lead to, and that no loss on record covers
}

// Lost reports whether part of the record is gone, and no loss on record says so.
func (k Comparison) Lost() bool { return len(k.lost) > 0 }

// comparer compares the record with what was kept elsewhere.
type comparer struct {
	record Record
	vkey   string
	losses []ledger.Loss
	logs   []string // under which this record was signed
	out    Comparison
}

// Compare compares the record with the high-water mark in the journal's folder and with
// the checkpoints in the other folder (empty: there is none), the newest first, down to
// one that the record leads to; with all, with every one. vkey is the verifier key of
// our own checkpoints.
func Compare(ctx context.Context, record Record, journal, folder, vkey string, all bool) (Comparison, error) {
	c := comparer{record: record, vkey: vkey}
	var err error
	if c.out.size, err = record.Size(ctx); err != nil {
		return Comparison{}, err
	}
	if c.losses, err = record.Losses(ctx); err != nil {
		return Comparison{}, err
	}
	if c.logs, err = record.Logs(ctx); err != nil {
		return Comparison{}, err
	}
	if _, err := c.file(ctx, filepath.Join(journal, HighWaterFile), true); err != nil {
		return Comparison{}, err
	}
	names, err := checkpointFiles(folder)
	if err != nil {
		return Comparison{}, fmt.Errorf("CONSOLE_CHECKPOINT_FOLDER=%q: %w", folder, err)
	}
	agreed := int64(-1)
	for _, n := range names {
		if agreed > n.size && !all { // the record leads to a larger one, and so to this
			break
		}
		agrees, err := c.file(ctx, n.path, false)
		if err != nil {
			return Comparison{}, err
		}
		if agrees && agreed < 0 {
			agreed = n.size
		}
	}
	return c.out, nil
}

// file compares one file. mine: nobody else writes there.
func (c *comparer) file(ctx context.Context, path string, mine bool) (agrees bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read checkpoint: %w", err)
	}
	s := kept{file: path, ours: true}
	s.Checkpoint, err = ledger.Open(text, c.vkey)
	if err == nil || errors.Is(err, ledger.ErrOtherKey) {
		s.ours = err == nil
		s.Checkpoint, s.log, err = ledger.Claimed(text)
	}
	if err != nil {
		c.out.Odd = append(c.out.Odd, fmt.Sprintf("%s is left out: %v", path, err))
		return false, nil
	}
	root, err := c.record.RootAt(ctx, s.Size)
	switch {
	case err == nil && root == s.Root:
		c.out.common = max(c.out.common, s.Size)
		return true, nil
	case err != nil && !errors.Is(err, correction.ErrNoRow):
		return false, err
	case slices.ContainsFunc(c.losses, func(l ledger.Loss) bool { return l.Covers(s.Checkpoint) }):
	case !s.ours && !mine && len(c.logs) > 0 && !slices.Contains(c.logs, s.log):
		// Another console's, or anybody's: who can write there must not stop the console.
		c.out.Odd = append(c.out.Odd, fmt.Sprintf("%s is left out: the key is another one, of %s, which never signed this record", path, s.log))
	default:
		c.out.lost = append(c.out.lost, s)
	}
	return false, nil
}

type checkpointFile struct {
	path string
	size int64
}

var checkpointName = regexp.MustCompile(`^checkpoint-(\d{12,18})(-[0-9a-f]{8})?\.txt$`)

// checkpointFiles lists the checkpoints in a folder, the largest record first; none
// without a folder.
func checkpointFiles(folder string) ([]checkpointFile, error) {
	if folder == "" {
		return nil, nil
	}
	all, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) { // the publisher tells of it
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []checkpointFile
	for _, f := range all {
		if m := checkpointName.FindStringSubmatch(f.Name()); m != nil {
			size, _ := strconv.ParseInt(m[1], 10, 64) // 18 digits fit
			out = append(out, checkpointFile{filepath.Join(folder, f.Name()), size})
		}
	}
	slices.SortStableFunc(out, func(a, b checkpointFile) int { return int(max(-1, min(1, b.size-a.size))) })
	return out, nil
}

// newest are the lost ones that no other one is beyond: what they cover covers all.
func (k Comparison) newest() []kept {
	var out []kept
	for _, s := range k.lost {
		covered := func(o kept) bool {
			return o.Size >= s.Size && o.AtMS >= s.AtMS && (o.Size > s.Size || o.AtMS > s.AtMS)
		}
		same := func(o kept) bool { return o.Size == s.Size && o.AtMS == s.AtMS }
		if !slices.ContainsFunc(k.lost, covered) && !slices.ContainsFunc(out, same) {
			out = append(out, s)
		}
	}
	return out
}

// missing is how many events of a lost checkpoint could not be rebuilt, at most, when
// added came back.
func (k Comparison) missing(s kept, added int64) int64 {
	from := k.size
	for _, o := range k.lost {
		if o.Size <= k.size { // the record went another way before its end
			from = k.common
		}
	}
	return max(0, s.Size-from-added)
}

// Explain tells in one line what was found, and what to do; only of one that is Lost.
func (k Comparison) Explain(whatNext string) error {
	s := k.newest()[0]
	what := fmt.Sprintf("stands for %d events, the database holds %d", s.Size, k.size)
	if s.Size <= k.size {
		what = fmt.Sprintf("stands for other %d events than the first of the database", s.Size)
	}
	key := ""
	if !s.ours {
		key = fmt.Sprintf("; it is signed with another key, of %s, so the key file is another one, too", s.log)
	}
	return fmt.Errorf("%s %s: an older copy was restored, or part of the record was lost%s. Put the newest copy back%s", s.file, what, key, whatNext)
}

// Accept puts on record that what was lost is known, and returns it. by is the
// command, added how many events came back from the journal.
func (k Comparison) Accept(ctx context.Context, record Record, by string, added int64) ([]ledger.Loss, error) {
	var losses []ledger.Loss
	for _, s := range k.newest() {
		losses = append(losses, ledger.Loss{Checkpoint: s.Checkpoint, Log: s.log, Missing: k.missing(s, added), By: by})
	}
	if len(losses) == 0 {
		return nil, nil
	}
	return losses, record.AcceptLosses(ctx, losses...)
}
