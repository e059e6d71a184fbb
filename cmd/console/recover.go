package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/journal"
	"correction-console/internal/store"
)

// errBehind is told when the journal knows more than the database.
var errBehind = errors.New("the journal knows corrections that the database does not: an older copy was restored. Run console recover before console serve")

// behind compares the newest line of the journal with the record: a restored older
// database must not send again what it does not know.
func behind(ctx context.Context, st *store.Store, folder string) error {
	last, ok, err := journal.Last(folder)
	if err != nil || !ok {
		return err
	}
	n := last.Event.N
	if last.Intent {
		n = last.Correction.Last().N
	}
	id, err := st.Find(ctx, last.Correction.ConfirmHash)
	if errors.Is(err, correction.ErrNoRow) {
		return usageError{fmt.Errorf("CONSOLE_JOURNAL=%q: %w", folder, errBehind)}
	}
	if err != nil {
		return err
	}
	there, err := st.Holds(ctx, id, n)
	if err == nil && !there {
		err = usageError{fmt.Errorf("CONSOLE_JOURNAL=%q: %w", folder, errBehind)}
	}
	return err
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
	var gw way
	if !r.Offline {
		g, more := gateway(cfg, problems)
		if problems = append(problems, more...); len(problems) > 0 {
			return settingsError(problems)
		}
		gw = g
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
	report, err := replayJournal(ctx, st, cfg.Journal)
	if err != nil {
		return err
	}
	detail := fmt.Sprintf(`{"lines":%d,"added":%d,"faults":%d}`, report.lines, report.added, len(report.faults))
	if err := st.AppendAudit(ctx, correction.AuditEntry{At: time.Now(), Action: "recover", Detail: detail}); err != nil {
		return err
	}
	fmt.Printf("%d lines read, %d records added to %d corrections\n", report.lines, report.added, len(report.touched))
	if gw != nil {
		if err := r.ask(ctx, st, gw, cfg, report.touched); err != nil {
			return err
		}
	}
	if len(report.faults) > 0 {
		return errors.Join(append(report.faults, fmt.Errorf("%d lines could not be replayed: a person has to look at them", len(report.faults)))...)
	}
	return nil
}

type replayReport struct {
	lines, added int
	touched      []int64
	faults       []error
}

// replayJournal brings back what the journal knows and the record does not.
func replayJournal(ctx context.Context, st *store.Store, folder string) (replayReport, error) {
	var out replayReport
	seen := map[int64]bool{}
	damaged, err := journal.Read(folder, func(r journal.Record) error {
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
func (r *recoverCommand) ask(ctx context.Context, st *store.Store, gw way, cfg config.Config, ids []int64) error {
	second, err := journal.Open(cfg.Journal, time.Now)
	if err != nil {
		return err
	}
	defer second.Close()
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	service := &correction.Service{Store: st, Gateway: gw, Journal: second, Policy: policyOf(cfg), Now: time.Now, Log: log}
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
	return nil
}
