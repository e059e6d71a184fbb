package sqlite

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// lossAction is the action of an audit row that says a loss is known.
const lossAction = "record.loss"

type lossDetail struct {
	Size    int64  `json:"size"`
	Root    string `json:"root"`
	AtMS    int64  `json:"at_ms"`
	Log     string `json:"log"`
	Missing int64  `json:"missing"`
	By      string `json:"by"`
}

// AcceptLosses puts on record that what these checkpoints stand for was lost.
func (s *Store) AcceptLosses(ctx context.Context, losses ...ledger.Loss) error {
	err := s.write(ctx, func(w *writeTx) error {
		for _, l := range losses {
			d := lossDetail{l.Checkpoint.Size, base64.StdEncoding.EncodeToString(l.Checkpoint.Root[:]), l.Checkpoint.AtMS, l.Log, l.Missing, l.By}
			if err := w.auditAdmin(ctx, s.now(), lossAction, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record a loss: %w", err)
	}
	return nil
}

// Losses lists what is known to be lost, oldest first.
func (s *Store) Losses(ctx context.Context) ([]ledger.Loss, error) {
	rows, err := s.reader.query(ctx, `SELECT at_ms, detail FROM audit WHERE action = ? ORDER BY id`, lossAction)
	list, err := collect(rows, err, func(r scanner) (ledger.Loss, error) {
		var ms int64
		var text []byte
		if err := r.Scan(&ms, &text); err != nil {
			return ledger.Loss{}, err
		}
		var d lossDetail
		if err := json.Unmarshal(text, &d); err != nil {
			return ledger.Loss{}, err
		}
		root, err := base64.StdEncoding.DecodeString(d.Root)
		if err != nil || len(root) != 32 {
			return ledger.Loss{}, errors.New("a root of another length")
		}
		return ledger.Loss{Checkpoint: ledger.Checkpoint{Size: d.Size, Root: [32]byte(root), AtMS: d.AtMS}, Log: d.Log, Missing: d.Missing, By: d.By, At: at(ms)}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what is known to be lost: %w", err)
	}
	return list, nil
}

// RootAt returns the root of the first size events of the record; ErrNoRow when it has
// fewer.
func (s *Store) RootAt(ctx context.Context, size int64) ([32]byte, error) {
	have, err := s.Size(ctx)
	if err != nil {
		return [32]byte{}, err
	}
	if size > have {
		return [32]byte{}, correction.ErrNoRow
	}
	t, err := ledger.LoadTree(size, func(i int64) (h []byte, err error) {
		err = s.reader.row(ctx, `SELECT hashes FROM leaf WHERE i = ?`, i).Scan(&h)
		return h, err
	})
	if err != nil {
		return [32]byte{}, fmt.Errorf("compute the root of %d events: %w", size, err)
	}
	return t.Root(), nil
}

// HighWater signs the record as it stands without keeping the text, which is for a file
// beside the journal.
func (s *Store) HighWater(ctx context.Context) (size int64, text []byte, err error) {
	s.checkpoints.mu.Lock()
	signer := s.checkpoints.signer
	s.checkpoints.mu.Unlock()
	if signer == nil {
		return 0, nil, errors.New("sign the high-water mark: there is no key")
	}
	t, err := loadTree(ctx, s.reader.row)
	if err != nil {
		return 0, nil, fmt.Errorf("sign the high-water mark: %w", err)
	}
	text, err = signer.Sign(ledger.Checkpoint{Size: t.Size(), Root: t.Root(), AtMS: millis(s.now())})
	return t.Size(), text, err
}

// Size is how many events are on record.
func (s *Store) Size(ctx context.Context) (int64, error) {
	var size int64
	if err := s.reader.row(ctx, `SELECT COALESCE(max(i) + 1, 0) FROM leaf`).Scan(&size); err != nil {
		return 0, fmt.Errorf("read the size of the proof: %w", err)
	}
	return size, nil
}

// Logs lists the names under which this record's own checkpoints were signed.
func (s *Store) Logs(ctx context.Context) ([]string, error) {
	rows, err := s.reader.query(ctx, `SELECT DISTINCT substr(note, 1, instr(note, char(10)) - 1) FROM checkpoint`)
	names, err := collect(rows, err, func(r scanner) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		return nil, fmt.Errorf("read who signed the checkpoints: %w", err)
	}
	return names, nil
}

// SentAfter reports whether corrections were signed after a time that were not among the
// last, which a stop may have left without a line in the journal: those of the final
// margin do not count.
func (s *Store) SentAfter(ctx context.Context, t time.Time, margin time.Duration) (bool, error) {
	var there bool
	err := s.reader.row(ctx, `
		WITH newest AS (SELECT sign_ms FROM send ORDER BY correction_id DESC LIMIT 200)
		SELECT EXISTS (SELECT 1 FROM newest WHERE sign_ms > ? AND sign_ms <= (SELECT max(sign_ms) FROM newest) - ?)`,
		millis(t), margin.Milliseconds()).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("look for what was sent: %w", err)
	}
	return there, nil
}
