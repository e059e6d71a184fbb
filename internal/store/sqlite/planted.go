//go:build crashtest

package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"modernc.org/sqlite"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// Unguarded is the store with a mistake in it, which the tests of internal/crashtest
// must notice, and the database without the guards of the schema that would stop it:
//
//	no_cas       an outcome is recorded whatever the correction has come to
//	no_send_key  a correction is claimed and sent as often as it is confirmed
func (s *Store) Unguarded(mistake string) (correction.Store, error) {
	c, err := sqlite.NewConnector(migrationDSN(s.path))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	defer db.Close()
	for _, name := range []string{"event_follows", "event_sending", "event_claimed", "claim_insert", "send_insert"} {
		if _, err := db.Exec(`DROP TRIGGER IF EXISTS ` + name); err != nil {
			return nil, err
		}
	}
	switch mistake {
	case "no_cas":
		return noCAS{s}, nil
	case "no_send_key":
		return noSendKey{s}, nil
	}
	return nil, fmt.Errorf("there is no mistake %q", mistake)
}

// blind appends an event to a correction in whatever state it is.
func (w *writeTx) blind(ctx context.Context, id int64, e correction.Event, i *ledger.Intent) error {
	var now int
	if err := w.row(ctx, `SELECT n FROM correction_now WHERE correction_id = ?`, id).Scan(&now); err != nil {
		return err
	}
	entry, err := ledgerEntry(id, now+1, e)
	if err != nil {
		return err
	}
	entry.Intent = i
	return w.record(ctx, entry)
}

type noCAS struct{ *Store }

func (s noCAS) Append(ctx context.Context, id int64, _ correction.State, _ int, e correction.Event) error {
	return s.write(ctx, func(w *writeTx) error { return w.blind(ctx, id, e, nil) })
}

type noSendKey struct{ *Store }

func (s noSendKey) Claim(ctx context.Context, id int64, ref correction.Ref, e correction.Event, _ *correction.Trial) error {
	return s.write(ctx, func(w *writeTx) error {
		if err := w.blind(ctx, id, e, nil); err != nil {
			return err
		}
		var mine bool
		err := w.row(ctx, `SELECT EXISTS (SELECT 1 FROM claim WHERE correction_id = ?)`, id).Scan(&mine)
		if err != nil || mine {
			return err
		}
		return w.hold(ctx, id, ref)
	})
}

func (s noSendKey) MarkSending(ctx context.Context, id int64, sign correction.Signing, e correction.Event, _ *correction.Trial) error {
	return s.write(ctx, func(w *writeTx) error {
		i := ledger.Intent{SignMS: millis(sign.At), Nonce: sign.Nonce, BootID: s.boot}
		_, err := w.exec(ctx, `INSERT OR REPLACE INTO send (correction_id, sign_ms, nonce, boot_id, mono_ms) VALUES (?, ?, ?, ?, ?)`,
			id, i.SignMS, i.Nonce, i.BootID, i.MonoMS)
		if err != nil {
			return err
		}
		return w.blind(ctx, id, e, &i)
	})
}
