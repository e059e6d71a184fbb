package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"correction-console/internal/checkpoint"
	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/journal"
	"correction-console/internal/ledger"
	"correction-console/internal/store/sqlite"
)

// Recovery is what a replay of the journal brought back.
type Recovery struct {
	Lines, Added int
	Touched      []int64 // corrections that something was added to
	Losses       []ledger.Loss
	Faults       []error // lines that could not be replayed, each named

	held    bool // an order was held by another correction
	service *correction.Service
	close   []func() error
}

// Recover replays the journal into the database, and puts on record what could not be
// brought back. Without a gateway the orders cannot be read afterwards. Close ends what it
// returns.
func Recover(ctx context.Context, cfg config.Config, gw Gateway, log *slog.Logger) (_ *Recovery, err error) {
	r := &Recovery{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	unlock, err := Lock(cfg.Data)
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, unlock)
	st, err := OpenStore(ctx, cfg.Data)
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, st.Close)
	second, err := openJournal(cfg, time.Now)
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, second.Close)
	r.service = &correction.Service{Store: st, Gateway: gw, Journal: second, Policy: policyOf(cfg), Now: time.Now, Log: log}
	signer, err := loadSigner(cfg)
	if err != nil {
		return nil, err
	}
	before, err := checkpoint.Compare(ctx, st, cfg.Journal, cfg.CheckpointFolder, signer.VerifierKey(), true)
	if err != nil {
		return nil, err
	}
	if err := r.replay(ctx, st, cfg.Journal); err != nil {
		return nil, err
	}
	// Both name what could not be brought back; only then may the console start.
	if r.Losses, err = before.Accept(ctx, st, "recover", int64(r.Added)); err != nil {
		return nil, err
	}
	if err := r.mark(ctx, st, second); err != nil {
		return nil, err
	}
	return r, nil
}

// Close closes the files.
func (r *Recovery) Close() error {
	var err error
	for _, f := range slices.Backward(r.close) {
		err = errors.Join(err, f())
	}
	r.close = nil
	return err
}

// Ask reads the orders of the corrections that were brought back, politely, and calls each
// with how it stands then and why its order could not be read.
func (r *Recovery) Ask(ctx context.Context, each func(id int64, c correction.Correction, err error)) {
	for _, id := range r.Touched {
		c, err := r.service.Requery(ctx, id)
		each(id, c, err)
		time.Sleep(time.Second / 4)
	}
}

// replay brings back what the journal knows and the record does not.
func (r *Recovery) replay(ctx context.Context, st *sqlite.Store, folder string) error {
	if err := r.replayOnce(ctx, st, folder); err != nil {
		return err
	}
	if r.held {
		// The copy was made while corrections held their orders that came to nothing later.
		// What was claimed and is not in the journal was never sent.
		if err := r.service.Recover(ctx); err != nil {
			return err
		}
		r.Lines, r.Faults = 0, nil
		if err := r.replayOnce(ctx, st, folder); err != nil {
			return err
		}
	}
	slices.Sort(r.Touched)
	r.Touched = slices.Compact(r.Touched)
	return nil
}

func (r *Recovery) replayOnce(ctx context.Context, st *sqlite.Store, folder string) error {
	lost := map[[32]byte]bool{} // corrections that could not be replayed: once is enough
	damaged, err := journal.Read(folder, func(line journal.Record) error {
		if line.Mark != [32]byte{} || lost[line.Correction.ConfirmHash] {
			return nil
		}
		r.Lines++
		var did sqlite.Replayed
		var err error
		if line.Intent {
			did, err = st.Replay(ctx, line.Correction, line.Signing)
		} else {
			did, err = st.ReplayEvent(ctx, line.Correction.ConfirmHash, line.Event)
		}
		switch {
		case errors.Is(err, sqlite.ErrDiffers), errors.Is(err, correction.ErrNoRow), errors.Is(err, correction.ErrTaken), errors.Is(err, correction.ErrMoved):
			lost[line.Correction.ConfirmHash] = true
			r.held = r.held || errors.Is(err, correction.ErrTaken)
			r.Faults = append(r.Faults, fmt.Errorf("correction %d of order %s: %w", line.Correction.ID, line.Correction.Ref.OutOrderNo, err))
			return nil
		case err != nil:
			return err
		}
		if r.Added += did.Added; did.Added > 0 {
			r.Touched = append(r.Touched, did.ID)
		}
		return nil
	})
	for _, d := range damaged {
		r.Faults = append(r.Faults, d)
	}
	return err
}

// mark puts on record, and into the journal, that the journal was replayed up to here:
// what could not be is told now, and must not keep the console from starting for ever.
func (r *Recovery) mark(ctx context.Context, st *sqlite.Store, j *journal.Journal) error {
	var key [32]byte
	rand.Read(key[:])
	if err := st.Mark(ctx, key, r.Lines, r.Added, len(r.Faults)); err != nil {
		return err
	}
	return j.Mark(ctx, key)
}
