package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"correction-console/internal/config"
	"correction-console/internal/console"
	"correction-console/internal/correction"
)

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
	var gw console.Gateway
	if !r.Offline {
		g, more := console.NewGateway(cfg, problems)
		if problems = slices.Concat(problems, more, owner); len(problems) > 0 {
			return config.Problems(problems)
		}
		gw = g
	} else if len(owner) > 0 {
		return config.Problems(owner)
	}
	ctx, stop := untilStopped()
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	report, err := console.Recover(ctx, cfg, gw, log)
	if err != nil {
		return err
	}
	defer report.Close()
	fmt.Printf("%d lines read, %d records added to %d corrections\n", report.Lines, report.Added, len(report.Touched))
	for _, l := range report.Losses {
		fmt.Printf("on record: the checkpoint of %d events is superseded, %d of them could not be rebuilt\n", l.Checkpoint.Size, l.Missing)
	}
	if gw != nil {
		ask(ctx, report)
	}
	if len(report.Faults) > 0 {
		return errors.Join(append(report.Faults, fmt.Errorf("%d lines could not be replayed: a person has to look at them", len(report.Faults)))...)
	}
	return nil
}

// ask prints how the corrections stand that were brought back.
func ask(ctx context.Context, r *console.Recovery) {
	open := 0
	r.Ask(ctx, func(id int64, c correction.Correction, err error) {
		word := string(c.State)
		if err != nil {
			word += fmt.Sprintf(" (the order could not be read: %s)", correction.CodeOf(err))
		}
		if c.State.Holds() {
			open++
		}
		fmt.Printf("correction %d, order %s of %s: %s\n", id, c.Ref.OutOrderNo, c.Ref.SubMchID, word)
	})
	if open > 0 {
		fmt.Printf("%d are not decided yet: console serve goes on checking them\n", open)
	}
}
