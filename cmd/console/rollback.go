package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/journal"
	"correction-console/internal/ledger"
	"correction-console/internal/store"
)

// An older copy of the whole data folder looks right by itself. What tells are checkpoints
// that were kept elsewhere, and the high-water mark beside the journal: one that the
// database does not lead to says that part of the record is gone. The console does not
// start then, until the record itself says that this is known.

// highWaterFile lies in the journal's folder and holds the newest signed state of the
// record, so that a journal on another disk tells of more than of what was sent.
const highWaterFile = "highwater.txt"

// stands is a checkpoint that was kept outside the database.
type stands struct {
	ledger.Checkpoint
	file string
	log  string // name of the log that signed it
	ours bool   // by our own key
}

// kept is what the checkpoints from elsewhere say of the database.
type kept struct {
	size   int64    // events on record
	common int64    // of the largest checkpoint that the record leads to
	lost   []stands // that the record does not lead to, and that no loss on record covers
	odd    []string // files that say nothing, in words
}

// comparison compares the record with what was kept elsewhere.
type comparison struct {
	store  *store.Store
	vkey   string
	losses []store.Loss
	logs   []string // under which this record was signed
	out    kept
}

// compareKept compares the record with the high-water mark and with the checkpoints in
// the folder of the settings, the newest first, down to one that the record leads to;
// with all, with every one.
func compareKept(ctx context.Context, st *store.Store, cfg config.Config, vkey string, all bool) (kept, error) {
	c := comparison{store: st, vkey: vkey}
	var err error
	if c.out.size, err = st.Size(ctx); err != nil {
		return kept{}, err
	}
	if c.losses, err = st.Losses(ctx); err != nil {
		return kept{}, err
	}
	if c.logs, err = st.Logs(ctx); err != nil {
		return kept{}, err
	}
	if _, err := c.file(ctx, filepath.Join(cfg.Journal, highWaterFile), true); err != nil {
		return kept{}, err
	}
	names, err := checkpointFiles(cfg.CheckpointFolder)
	if err != nil {
		return kept{}, fmt.Errorf("CONSOLE_CHECKPOINT_FOLDER=%q: %w", cfg.CheckpointFolder, err)
	}
	agreed := int64(-1)
	for _, n := range names {
		if agreed > n.size && !all { // the record leads to a larger one, and so to this
			break
		}
		agrees, err := c.file(ctx, n.path, false)
		if err != nil {
			return kept{}, err
		}
		if agrees && agreed < 0 {
			agreed = n.size
		}
	}
	return c.out, nil
}

// file compares one file. mine: nobody else writes there.
func (c *comparison) file(ctx context.Context, path string, mine bool) (agrees bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read checkpoint: %w", err)
	}
	s := stands{file: path, ours: true}
	s.Checkpoint, err = ledger.Open(text, c.vkey)
	if err == nil || errors.Is(err, ledger.ErrOtherKey) {
		s.ours = err == nil
		s.Checkpoint, s.log, err = ledger.Claimed(text)
	}
	if err != nil {
		c.out.odd = append(c.out.odd, fmt.Sprintf("%s is left out: %v", path, err))
		return false, nil
	}
	root, err := c.store.RootAt(ctx, s.Size)
	switch {
	case err == nil && root == s.Root:
		c.out.common = max(c.out.common, s.Size)
		return true, nil
	case err != nil && !errors.Is(err, correction.ErrNoRow):
		return false, err
	case slices.ContainsFunc(c.losses, func(l store.Loss) bool { return l.Covers(s.Checkpoint) }):
	case !s.ours && !mine && len(c.logs) > 0 && !slices.Contains(c.logs, s.log):
		// Another console's, or anybody's: who can write there must not stop the console.
		c.out.odd = append(c.out.odd, fmt.Sprintf("%s is left out: the key is another one, of %s, which never signed this record", path, s.log))
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
func (k kept) newest() []stands {
	var out []stands
	for _, s := range k.lost {
		covered := func(o stands) bool {
			return o.Size >= s.Size && o.AtMS >= s.AtMS && (o.Size > s.Size || o.AtMS > s.AtMS)
		}
		same := func(o stands) bool { return o.Size == s.Size && o.AtMS == s.AtMS }
		if !slices.ContainsFunc(k.lost, covered) && !slices.ContainsFunc(out, same) {
			out = append(out, s)
		}
	}
	return out
}

// missing is how many events of a lost checkpoint could not be rebuilt, at most, when
// added came back.
func (k kept) missing(s stands, added int64) int64 {
	from := k.size
	for _, o := range k.lost {
		if o.Size <= k.size { // the record went another way before its end
			from = k.common
		}
	}
	return max(0, s.Size-from-added)
}

// says tells in one line what was found, and what to do.
func (k kept) says(whatNext string) error {
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

// accept puts on record that what was lost is known.
func (k kept) accept(ctx context.Context, st *store.Store, by string, added int64) ([]store.Loss, error) {
	var losses []store.Loss
	for _, s := range k.newest() {
		losses = append(losses, store.Loss{Checkpoint: s.Checkpoint, Log: s.log, Missing: k.missing(s, added), By: by})
	}
	if len(losses) == 0 {
		return nil, nil
	}
	return losses, st.AcceptLosses(ctx, losses...)
}

// rolledBack refuses to start on a record that is older than what was kept elsewhere, or
// another one. With accept, which needs an empty journal, the loss goes on record instead;
// accepting when there is nothing to accept is refused, so that the flag is not left in
// place for the next time.
func rolledBack(ctx context.Context, st *store.Store, cfg config.Config, vkey string, accept bool, log *slog.Logger) error {
	k, err := compareKept(ctx, st, cfg, vkey, accept)
	if err != nil {
		return err
	}
	for _, what := range k.odd {
		log.Warn("checkpoint not compared", "why", what)
	}
	if len(k.lost) == 0 {
		if accept {
			return usageError{errors.New("--accept-rollback: nothing is missing. Start without it")}
		}
		return nil
	}
	lines, err := journal.Newest(cfg.Journal, 1)
	if err != nil {
		return err
	}
	switch {
	case len(lines) > 0:
		return usageError{k.says("; or run console recover before console serve: it replays the journal and puts on record what could not be rebuilt")}
	case !accept:
		return usageError{k.says("; or, if there is none, start once with console serve --accept-rollback: it puts on record what is lost")}
	}
	losses, err := k.accept(ctx, st, "serve --accept-rollback", 0)
	for _, l := range losses {
		log.Error("a loss is accepted and on record", "checkpoint_events", l.Checkpoint.Size, "missing", l.Missing)
	}
	return err
}

// journalMargin is how long before the newest intent one must have its line: what a stop
// leaves without is younger.
const journalMargin = 5 * time.Minute

// journalLacks reports whether corrections were sent that the journal does not know: it
// is missing, or an older copy of it took its place.
func journalLacks(ctx context.Context, st *store.Store, folder string) (bool, error) {
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

// rollbackBlind reports whether everything that could tell of an older copy would be
// copied with it.
func rollbackBlind(cfg config.Config) bool {
	return inside(cfg.Journal, cfg.Data) && (cfg.CheckpointFolder == "" || inside(cfg.CheckpointFolder, cfg.Data))
}

// inside reports whether a path is in a folder, links followed.
func inside(path, folder string) bool {
	real := func(p string) string {
		if p, err := filepath.EvalSymlinks(p); err == nil {
			return p
		}
		return filepath.Clean(p)
	}
	rel, err := filepath.Rel(real(folder), real(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// highWater keeps the newest signed state of the record beside the journal.
type highWater struct {
	store *store.Store
	path  string
	log   *slog.Logger
	size  int64 // that was written last; -1 before the first
	fault bool
}

func newHighWater(st *store.Store, folder string, log *slog.Logger) *highWater {
	return &highWater{store: st, path: filepath.Join(folder, highWaterFile), log: log, size: -1}
}

// write writes the mark when the record has grown. A mark that is behind misses a loss, so
// a fault is told, once until it works again; the journal's own faults stop corrections.
func (h *highWater) write(ctx context.Context) {
	size, err := h.store.Size(ctx)
	if err == nil && size == h.size {
		return
	}
	var text []byte
	if err == nil {
		size, text, err = h.store.HighWater(ctx)
	}
	if err == nil {
		err = replaceFile(h.path, text, 0o600)
	}
	if err != nil {
		if !h.fault && ctx.Err() == nil {
			h.log.Error("write the high-water mark", "err", err)
		}
		h.fault = true
		return
	}
	h.size, h.fault = size, false
}

// replaceFile writes a file whole or not at all.
func replaceFile(name string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
