package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/journal"
	"correction-console/internal/ledger"
	"correction-console/internal/store"
)

// errBehind is told when the journal knows more than the database.
var errBehind = errors.New("the journal knows corrections that the database does not: an older copy was restored. Run console recover before console serve")

// recentLines is how many lines of the journal are compared at a start. Those of
// corrections that run at the same time come in any order.
const recentLines = 32

// behind compares the newest lines of the journal with the record: a restored older
// database must not send again what it does not know.
func behind(ctx context.Context, st *store.Store, folder string) error {
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
			return usageError{fmt.Errorf("CONSOLE_JOURNAL=%q: %w", folder, errBehind)}
		}
	}
	return nil
}

// onRecord reports whether the database knows what a line tells of.
func onRecord(ctx context.Context, st *store.Store, r journal.Record) (bool, error) {
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

type recoverCommand struct {
	dataFolder
	config.Settings
	Offline bool `name:"offline" help:"Only replay the journal; the orders are read when the console runs."`
}

// Run replays the journal into the database and then reads each order that it brought
// back.
func (r *recoverCommand) Run() error {
	cfg, problems := r.Check(r.Data)
	owner := checkOwner(cfg)
	var gw way
	if !r.Offline {
		g, more := gateway(cfg, problems)
		if problems = slices.Concat(problems, more, owner); len(problems) > 0 {
			return settingsError(problems)
		}
		gw = g
	} else if len(owner) > 0 {
		return settingsError(owner)
	}
	ctx, stop := untilStopped()
	defer stop()
	unlock, err := lock(cfg.Data)
	if err != nil {
		return err
	}
	defer unlock()
	st, err := openStore(ctx, cfg.Data)
	if err != nil {
		return err
	}
	defer st.Close()
	second, err := journal.Open(cfg.Journal, time.Now)
	if err != nil {
		return usageError{fmt.Errorf("CONSOLE_JOURNAL=%q: %w", cfg.Journal, err)}
	}
	defer second.Close()
	service := &correction.Service{
		Store: st, Gateway: gw, Journal: second, Policy: policyOf(cfg), Now: time.Now,
		Log: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	signer, err := ledger.LoadOrCreateKey(cfg.CheckpointKeyFile)
	if err != nil {
		return usageError{fmt.Errorf("CONSOLE_CHECKPOINT_KEY_FILE=%q: %w", cfg.CheckpointKeyFile, err)}
	}
	before, err := compareKept(ctx, st, cfg, signer.VerifierKey(), true)
	if err != nil {
		return err
	}
	report, err := replayJournal(ctx, st, cfg.Journal)
	if err == nil && report.held {
		// The copy was made while corrections held their orders that came to nothing later.
		// What was claimed and is not in the journal was never sent.
		if err = service.Recover(ctx); err == nil {
			var again replayReport
			again, err = replayJournal(ctx, st, cfg.Journal)
			again.added += report.added
			again.touched = append(report.touched, again.touched...)
			report = again
		}
	}
	if err != nil {
		return err
	}
	slices.Sort(report.touched)
	report.touched = slices.Compact(report.touched)
	// Both name what could not be brought back; only then may the console start.
	losses, err := before.accept(ctx, st, "recover", int64(report.added))
	if err != nil {
		return err
	}
	if err := mark(ctx, st, second, report); err != nil {
		return err
	}
	fmt.Printf("%d lines read, %d records added to %d corrections\n", report.lines, report.added, len(report.touched))
	for _, l := range losses {
		fmt.Printf("on record: the checkpoint of %d events is superseded, %d of them could not be rebuilt\n", l.Checkpoint.Size, l.Missing)
	}
	if gw != nil {
		ask(ctx, service, report.touched)
	}
	if len(report.faults) > 0 {
		return errors.Join(append(report.faults, fmt.Errorf("%d lines could not be replayed: a person has to look at them", len(report.faults)))...)
	}
	return nil
}

// mark puts on record, and into the journal, that the journal was replayed up to here:
// what could not be is told now, and must not keep the console from starting for ever.
func mark(ctx context.Context, st *store.Store, j *journal.Journal, r replayReport) error {
	var key [32]byte
	rand.Read(key[:])
	if err := st.Mark(ctx, key, r.lines, r.added, len(r.faults)); err != nil {
		return err
	}
	return j.Mark(ctx, key)
}

type replayReport struct {
	held         bool // an order was held by another correction
	lines, added int
	touched      []int64
	faults       []error
}

// replayJournal brings back what the journal knows and the record does not.
func replayJournal(ctx context.Context, st *store.Store, folder string) (replayReport, error) {
	var out replayReport
	seen := map[int64]bool{}
	lost := map[[32]byte]bool{} // corrections that could not be replayed: once is enough
	damaged, err := journal.Read(folder, func(r journal.Record) error {
		if r.Mark != [32]byte{} || lost[r.Correction.ConfirmHash] {
			return nil
		}
		out.lines++
		var did store.Replayed
		var err error
		if r.Intent {
			did, err = st.Replay(ctx, r.Correction, r.Signing)
		} else {
			did, err = st.ReplayEvent(ctx, r.Correction.ConfirmHash, r.Event)
		}
		switch {
		case errors.Is(err, store.ErrDiffers), errors.Is(err, correction.ErrNoRow), errors.Is(err, correction.ErrTaken), errors.Is(err, correction.ErrMoved):
			lost[r.Correction.ConfirmHash] = true
			out.held = out.held || errors.Is(err, correction.ErrTaken)
			out.faults = append(out.faults, fmt.Errorf("correction %d of order %s: %w", r.Correction.ID, r.Correction.Ref.OutOrderNo, err))
			return nil
		case err != nil:
			return err
		}
		if out.added += did.Added; did.Added > 0 && !seen[did.ID] {
			seen[did.ID] = true
			out.touched = append(out.touched, did.ID)
		}
		return nil
	})
	for _, d := range damaged {
		out.faults = append(out.faults, d)
	}
	return out, err
}

// ask reads the orders of the corrections that were brought back, and prints how each
// stands.
func ask(ctx context.Context, service *correction.Service, ids []int64) {
	open := 0
	for _, id := range ids {
		c, err := service.LookAt(ctx, id)
		word := string(c.State)
		if err != nil {
			word += fmt.Sprintf(" (the order could not be read: %s)", correction.CodeOf(err))
		}
		if c.State.Holds() {
			open++
		}
		fmt.Printf("correction %d, order %s of %s: %s\n", id, c.Ref.OutOrderNo, c.Ref.SubMchID, word)
		time.Sleep(time.Second / 4) // politely
	}
	if open > 0 {
		fmt.Printf("%d are not decided yet: console serve goes on checking them\n", open)
	}
}
