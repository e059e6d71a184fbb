package changelog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
)

// CutShort is why an export ended before its last row.
type CutShort string

// Why exports end early, as it stands on record.
const (
	CutSlow    CutShort = "reader too slow"
	CutLongest CutShort = "took too long"
	CutSession CutShort = "session ended"
	CutRights  CutShort = "role or scope changed"
	CutGone    CutShort = "reader went away"
	CutFailed  CutShort = "failed"
)

func (c CutShort) Error() string { return "export: " + string(c) }

// WhyCut is why an export ended with err.
func WhyCut(err error) CutShort {
	var why CutShort
	switch {
	case errors.As(err, &why):
		return why
	case errors.Is(err, context.Canceled):
		return CutGone
	}
	return CutFailed
}

// Sink is where an export goes. Its functions run in the order in which they stand.
type Sink struct {
	What  string // format and filter, for the record
	IP    string
	Begin func() error                   // once the export is on record
	Still func() error                   // before each portion: may it go on? nil: it may
	Row   func(correction.Summary) error // for each row
	End   func(rows int) error           // after the last row
	Close func(rows int, err error)      // always, after Begin
}

// ExportLog gives a sink every correction that List would show, in the same order. That
// it began is on record before anything leaves, and at the end how many rows did, and why
// there were no more.
func (s *Service) ExportLog(ctx context.Context, a correction.Actor, f LogFilter, sort LogSort, to Sink) error {
	if !a.Can(correction.Export) {
		return &correction.Error{Kind: correction.Forbidden, Code: correction.CodeForbidden}
	}
	f, err := s.narrow(ctx, a, f)
	if err != nil {
		return err
	}
	entry := correction.AuditEntry{At: s.now(), UserID: a.UserID, Action: "export", Detail: to.What, IP: to.IP}
	if err := s.store.AppendAudit(ctx, entry); err != nil {
		return &correction.Error{Kind: correction.Unavailable, Code: correction.CodeNoRecord, Err: err}
	}
	still := func() error {
		if to.Still == nil {
			return nil
		}
		return to.Still()
	}
	rows := 0
	err = to.Begin()
	if err == nil {
		err = s.portions(ctx, f, sort, func(portion []correction.Summary) error {
			if err := still(); err != nil {
				return err
			}
			if err := s.veils.VeilRows(ctx, a, portion); err != nil {
				return err
			}
			for _, r := range correction.AsOfNow(portion, s.now()) {
				if err := to.Row(r); err != nil {
					return err
				}
				rows++
			}
			return nil
		})
	}
	if err == nil {
		err = still()
	}
	if err == nil {
		err = to.End(rows)
	}
	entry.At, entry.Action = s.now(), "export.end"
	entry.Detail = fmt.Sprintf("%d rows: %s", rows, to.What)
	if err != nil {
		entry.Action = "export.cut"
		entry.Detail = fmt.Sprintf("%d rows, %s: %s", rows, string(WhyCut(err)), to.What)
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if aerr := s.store.AppendAudit(after, entry); aerr != nil && err == nil {
		err = &correction.Error{Kind: correction.Unavailable, Code: correction.CodeNoRecord, Err: aerr}
	}
	to.Close(rows, err)
	return err
}

// quickPortion is up to how long a portion may have taken to be written for the next one
// to be read beside it. Else it is read when its turn comes, and is not old by then.
const quickPortion = 100 * time.Millisecond

// portions reads what an export holds in a goroutine of its own. It returns when both
// sides are done.
func (s *Service) portions(ctx context.Context, f LogFilter, sort LogSort, each func([]correction.Summary) error) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	full, empty, more := make(chan []correction.Summary), make(chan []correction.Summary, 2), make(chan struct{}, 1)
	for range cap(empty) {
		empty <- nil
	}
	read := make(chan error, 1)
	go func() {
		defer close(full)
		read <- s.store.Export(reading, f, sort, func(portion []correction.Summary) error {
			select {
			case full <- append((<-empty)[:0], portion...):
			case <-reading.Done():
				return reading.Err()
			}
			select {
			case <-more:
				return nil
			case <-reading.Done():
				return reading.Err()
			}
		})
	}()
	var err error
	quick := true
	for portion := range full {
		if quick {
			more <- struct{}{}
		}
		start := time.Now()
		if err = each(portion); err != nil {
			break
		}
		empty <- portion
		if !quick {
			more <- struct{}{}
		}
		quick = time.Since(start) < quickPortion
	}
	stop()
	if rerr := <-read; err == nil {
		err = rerr
	}
	return err
}

// recordWithin is how long the end of an export may wait to be put on record.
const recordWithin = 5 * time.Second
