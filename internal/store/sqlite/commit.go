package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"correction-console/internal/correction"
)

// Group commit: one goroutine owns the writer and puts all work that waits into one
// transaction, a savepoint each, so that one fsync serves all of it. An answer still
// waits for the commit of its own work.

// mostUnits bounds a group, and so how long its first unit waits for the last.
const mostUnits = 128

// ErrClosed is returned for work that came after Close.
var ErrClosed = errors.New("the database is closed")

// unit is work that is done whole or not at all.
type unit struct {
	ctx  context.Context
	work func(*writeTx) error
	err  error
	done chan struct{}
}

// write runs f in a transaction, perhaps together with others. An error of f, or a
// ctx that ends before f runs, rolls back what f did: nothing was written. An error of
// the commit itself, or a ctx that ends before the commit has, is ErrCommitUnknown
// (trust.md §0.4); then f may still be running, and what it sets must not be touched:
// it is no named result.
func (s *Store) write(ctx context.Context, f func(w *writeTx) error) error {
	if err := ctx.Err(); err != nil { // the selects below would choose at random
		return fmt.Errorf("begin: %w", err)
	}
	nowHeld()() // who reads does not wait for the writer
	u := &unit{ctx: ctx, work: f, done: make(chan struct{})}
	select {
	case s.units <- u:
	case <-ctx.Done():
		return fmt.Errorf("begin: %w", ctx.Err())
	case <-s.closing:
		return fmt.Errorf("begin: %w", ErrClosed)
	}
	select {
	case <-u.done:
		return u.err
	case <-ctx.Done():
	}
	select { // both may be true: what is known comes first
	case <-u.done:
		return u.err
	default:
		return fmt.Errorf("%w: %w", correction.ErrCommitUnknown, ctx.Err())
	}
}

// commitUntilClosed is the goroutine of the writer.
func (s *Store) commitUntilClosed() {
	defer close(s.closed)
	for {
		var group []*unit
		select {
		case u := <-s.units:
			group = append(group, u)
		case done := <-s.logEmpty:
			s.moveLog()
			close(done)
			continue
		case <-s.closing:
			return
		}
		for waiting := true; waiting && len(group) < mostUnits; {
			select {
			case u := <-s.units:
				group = append(group, u)
			default:
				waiting = false
			}
		}
		s.commit(group)
		for _, u := range group {
			close(u.done)
		}
		s.tendLog()
	}
}

// commit carries out a group in one transaction. Work is not interrupted: SQLite would
// roll back the whole transaction, and with it the work of others.
func (s *Store) commit(group []*unit) {
	defer nowHeld()()
	failAll := func(err error) {
		for _, u := range group {
			if u.err == nil {
				u.err = err
			}
		}
	}
	ctx := context.Background()
	tx, err := s.writer.db.BeginTx(ctx, nil)
	if err != nil {
		s.note(err)
		failAll(fmt.Errorf("begin: %w", err))
		return
	}
	w := &writeTx{pool: &s.writer, tx: tx, store: s}
	done := 0
	for _, u := range group {
		if err = w.run(u, len(group) > 1); err != nil {
			break
		}
		if u.err == nil {
			done++
		}
	}
	if err == nil && done > 0 {
		err = w.regroup(ctx)
	}
	if err != nil || done == 0 {
		rerr := tx.Rollback()
		s.tree.forget(w)
		s.numbers = nil
		if err != nil { // the database gave up the transaction by itself: nothing was written
			s.note(err)
			failAll(fmt.Errorf("roll back: %w", err))
		} else if rerr != nil {
			s.note(rerr)
		}
		return
	}
	if err := tx.Commit(); err != nil {
		s.tree.forget(w)
		s.numbers = nil
		s.note(err)
		failAll(fmt.Errorf("%w: %w", correction.ErrCommitUnknown, err))
		return
	}
	s.tree.keep(w)
	if w.newFacets {
		s.directories.forget()
	}
	// The one connection was busy until now. A failure only costs time.
	for _, query := range w.fresh {
		s.writer.stmt(ctx, query)
	}
}

// run does the work of one unit. What it returns ends the whole group: the database
// could not undo the unit alone.
func (w *writeTx) run(u *unit, among bool) error {
	if err := u.ctx.Err(); err != nil {
		u.err = fmt.Errorf("begin: %w", err)
		return nil
	}
	ctx := context.Background()
	if among {
		if _, err := w.exec(ctx, `SAVEPOINT unit`); err != nil {
			return err
		}
	}
	before, groups := w.tree.clone(), w.regrouping.size()
	if u.err = w.try(u.work); u.err != nil {
		w.tree = before
		w.regrouping.back(groups)
		w.store.numbers = nil
		w.store.note(u.err)
		if !among {
			return nil // the caller rolls back
		}
		if _, err := w.exec(ctx, `ROLLBACK TO unit`); err != nil {
			return err
		}
	}
	if among {
		if _, err := w.exec(ctx, `RELEASE unit`); err != nil {
			return err
		}
	}
	return nil
}

// try turns a panic of the work into its error: the writer serves others, too.
func (w *writeTx) try(work func(*writeTx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return work(w)
}

// codeIOErr is SQLite's code when reading or writing a file failed. After it, what is
// on the disk is not known any more.
const codeIOErr = 10

// note remembers that the disk failed. What it cannot read SQLite calls a damaged file.
func (s *Store) note(err error) {
	if hasCode(err, codeIOErr, codeCorrupt) {
		s.broken.Store(true)
	}
}

// Broken reports whether a read or write of the disk failed. Nothing more should be
// sent, and the program should end: the next start reads what is really there
// (trust.md §4.2).
func (s *Store) Broken() bool { return s.broken.Load() }
