package correction

import (
	"context"
	"fmt"
	"time"
)

// Sink is where an export goes. Its functions run in the order in which they stand.
type Sink struct {
	What  string // format and filter, for the record
	IP    string
	Begin func() error              // once the export is on record
	Row   func(Summary) error       // for each row
	End   func(rows int) error      // after the last row
	Close func(rows int, err error) // always, after Begin
}

// ExportLog gives a sink every correction that List would show, in the same order. That
// it began is on record before anything leaves, and at the end how many rows did.
func (s *Service) ExportLog(ctx context.Context, a Actor, f LogFilter, sort LogSort, to Sink) error {
	if !a.Can(Export) {
		return fail(Forbidden, CodeForbidden, nil)
	}
	f, err := s.narrow(a, f)
	if err == nil {
		f.Veil, err = s.veilFor(ctx, a)
	}
	if err != nil {
		return err
	}
	entry := AuditEntry{At: s.Now(), UserID: a.UserID, Action: "export", Detail: to.What, IP: to.IP}
	if err := s.Store.AppendAudit(ctx, entry); err != nil {
		return fail(Unavailable, CodeNoRecord, err)
	}
	rows := 0
	err = to.Begin()
	if err == nil {
		err = s.lots(ctx, f, sort, func(lot []Summary) error {
			if err := s.VeilRows(ctx, a, lot); err != nil {
				return err
			}
			for _, r := range s.asOfNow(lot) {
				if err := to.Row(r); err != nil {
					return err
				}
				rows++
			}
			return nil
		})
	}
	if err == nil {
		err = to.End(rows)
	}
	entry.At, entry.Action = s.Now(), "export.end"
	entry.Detail = fmt.Sprintf("%d rows: %s", rows, to.What)
	if err != nil {
		entry.Action = "export.cut"
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if aerr := s.Store.AppendAudit(after, entry); aerr != nil && err == nil {
		err = fail(Unavailable, CodeNoRecord, aerr)
	}
	to.Close(rows, err)
	return err
}

// exportLot is how many rows are read at a time, while those before are written.
const exportLot = 256

// lots reads what an export holds, lot by lot, in a goroutine of its own. It returns
// when both sides are done.
func (s *Service) lots(ctx context.Context, f LogFilter, sort LogSort, each func([]Summary) error) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	full, empty := make(chan []Summary, 1), make(chan []Summary, 3)
	for range cap(empty) {
		empty <- make([]Summary, 0, exportLot)
	}
	read := make(chan error, 1)
	go func() {
		defer close(full)
		lot := <-empty
		hand := func() error {
			select {
			case full <- lot:
			case <-reading.Done():
				return reading.Err()
			}
			select {
			case lot = <-empty:
				lot = lot[:0]
				return nil
			case <-reading.Done():
				return reading.Err()
			}
		}
		err := s.Store.Export(reading, f, sort, func(r Summary) error {
			if lot = append(lot, r); len(lot) < exportLot {
				return nil
			}
			return hand()
		})
		if err == nil && len(lot) > 0 {
			err = hand()
		}
		read <- err
	}()
	var err error
	for lot := range full {
		if err == nil {
			if err = each(lot); err != nil {
				stop()
			}
		}
		empty <- lot
	}
	if rerr := <-read; err == nil {
		err = rerr
	}
	return err
}

// recordWithin is how long the end of an export may wait to be put on record.
const recordWithin = 5 * time.Second
