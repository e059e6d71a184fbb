package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// tree is the state of the proof that the writer keeps between transactions.
type tree struct {
	last  ledger.Tree
	known bool // last is what is on record, unless another process wrote
	salts map[int64][]byte
}

// growth is the proof within a transaction.
type growth struct {
	ledger.Tree
	leaf  []byte
	salts map[int64][]byte // new ones of this transaction
}

func (g *growth) clone() *growth {
	if g == nil {
		return nil
	}
	c := *g
	c.leaf = nil
	return &c
}

func (t *tree) forget(*writeTx) { t.known = false }

// keptSalts bounds the salts in memory; a correction has all its events within
// minutes, as a rule.
const keptSalts = 4096

func (t *tree) keep(w *writeTx) {
	if w.tree == nil {
		return
	}
	t.last, t.known = w.tree.Tree, true
	if t.salts == nil || len(t.salts) > keptSalts {
		t.salts = map[int64][]byte{}
	}
	for id, salt := range w.tree.salts {
		t.salts[id] = salt
	}
}

// grow returns the proof as it stands in this transaction. Between two transactions
// of ours another process may have written: with fresh it is read again.
func (w *writeTx) grow(ctx context.Context, fresh bool) (*growth, error) {
	if w.tree != nil && !fresh {
		return w.tree, nil
	}
	t := &w.store.tree
	if !t.known || fresh {
		loaded, err := loadTree(ctx, w.row)
		if err != nil {
			return nil, err
		}
		t.last, t.known = loaded, true
	}
	if w.tree == nil {
		w.tree = &growth{salts: map[int64][]byte{}}
	}
	w.tree.Tree = t.last
	return w.tree, nil
}

func loadTree(ctx context.Context, row func(ctx context.Context, query string, args ...any) scanner) (ledger.Tree, error) {
	var size int64
	if err := row(ctx, `SELECT COALESCE(max(i) + 1, 0) FROM leaf`).Scan(&size); err != nil {
		return ledger.Tree{}, fmt.Errorf("read the size of the proof: %w", err)
	}
	return ledger.LoadTree(size, func(i int64) (h []byte, err error) {
		err = row(ctx, `SELECT hashes FROM leaf WHERE i = ?`, i).Scan(&h)
		return h, err
	})
}

// salt returns the salt of a correction, which new ones get.
func (w *writeTx) salt(ctx context.Context, g *growth, id int64, fresh bool) ([]byte, error) {
	if salt, ok := g.salts[id]; ok {
		return salt, nil
	}
	if salt, ok := w.store.tree.salts[id]; ok && !fresh {
		return salt, nil
	}
	var salt []byte
	if fresh {
		salt = make([]byte, ledger.SaltSize)
		rand.Read(salt)
		if _, err := w.exec(ctx, `INSERT INTO salt (correction_id, salt) VALUES (?, ?)`, id, salt); err != nil {
			return nil, fmt.Errorf("keep salt: %w", err)
		}
	} else if err := w.row(ctx, `SELECT salt FROM salt WHERE correction_id = ?`, id).Scan(&salt); err != nil {
		return nil, fmt.Errorf("read salt: %w", err)
	}
	g.salts[id] = salt
	return salt, nil
}

// record inserts an event with its leaf in the proof.
func (w *writeTx) record(ctx context.Context, e ledger.Entry) error {
	var before standing
	if e.N > 1 {
		var err error
		if before, err = w.standsAs(ctx, e.CorrectionID); err != nil {
			return err
		}
	}
	g, err := w.grow(ctx, false)
	if err != nil {
		return err
	}
	if e.Salt, err = w.salt(ctx, g, e.CorrectionID, e.N == 1); err != nil {
		return err
	}
	if err := e.Check(); err != nil {
		return err
	}
	g.leaf = e.Leaf(g.leaf[:0])
	grown := g.Tree
	i, err := w.prove(ctx, g, e)
	if refused(err) && grown == w.store.tree.last { // another process was there: nothing of ours is in the way
		if g, err = w.grow(ctx, true); err == nil {
			i, err = w.prove(ctx, g, e)
		}
	}
	if err != nil {
		return fmt.Errorf("add to the proof: %w", err)
	}
	_, err = w.exec(ctx, `
		INSERT INTO event (correction_id, n, state, at_ms, actor, session_row, detail, request_id, settled, due, review, leaf)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.CorrectionID, e.N, e.State, e.AtMS, orNull(e.Actor), e.Session, string(e.Detail), e.RequestID, e.Settled, e.Due, e.Review, i)
	if err != nil || e.N == 1 {
		return err
	}
	return w.restand(ctx, e.CorrectionID, before, e)
}

// prove appends the leaf of an event.
func (w *writeTx) prove(ctx context.Context, g *growth, e ledger.Entry) (int64, error) {
	i, hashes := g.Append(g.leaf)
	_, err := w.exec(ctx, `INSERT INTO leaf (i, correction_id, n, hashes) VALUES (?, ?, ?, ?)`, i, e.CorrectionID, e.N, hashes)
	return i, err
}

// ledgerEntry is an event as the proof has it, without the salt.
func ledgerEntry(id int64, n int, e correction.Event) (ledger.Entry, error) {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("write detail: %w", err)
	}
	due := int64(0)
	switch {
	case e.Detail.Due:
		due = 1
	case e.Detail.Handled:
		due = -1
	}
	return ledger.Entry{
		CorrectionID: id, N: n, State: string(e.State), AtMS: millis(e.At), Actor: e.ActorID, Session: e.SessionID, Detail: detail,
		RequestID: e.Detail.RequestID, Settled: string(e.Detail.Settled), Due: due, Review: string(e.Detail.Review),
	}, nil
}

const eventColumns = `e.n, e.state, e.at_ms, COALESCE(e.actor, 0), e.session_row, e.detail, e.request_id, e.settled, e.due, e.review`

const originColumns = `c.sub_mchid, c.service_id, c.out_order_no, c.base_total, c.target_total, c.author, c.session_row,
	c.prepared_ms, c.confirm_until_ms, COALESCE(c.retry_of, 0), c.asks_total, c.reason_code, c.reason_zh, c.reason_en, c.reason_needs_note,
	c.outgoing, c.ticket, c.note, c.confirm_hash, c.confirm_nonce, c.base_sha256, c.body_sha256, c.warnings, c.body, c.base_json`

func originOf(o *ledger.Origin) []any {
	return []any{
		&o.SubMchID, &o.ServiceID, &o.OutOrderNo, &o.BaseTotal, &o.TargetTotal, &o.Author, &o.SessionRow,
		&o.PreparedMS, &o.ConfirmUntilMS, &o.RetryOf, &o.AsksTotal, &o.ReasonCode, &o.ReasonZH, &o.ReasonEN, &o.ReasonNeedsNote,
		&o.Outgoing, &o.Ticket, &o.Note, &o.ConfirmHash, &o.ConfirmNonce, &o.BaseSHA256, &o.BodySHA256, &o.Warnings, &o.Body, &o.BaseJSON,
	}
}

// origin reads a correction as the proof has it.
func origin(r scanner) (*ledger.Origin, error) {
	var o ledger.Origin
	return &o, r.Scan(originOf(&o)...)
}

func intent(r scanner) (*ledger.Intent, error) {
	var i ledger.Intent
	return &i, r.Scan(&i.SignMS, &i.Nonce, &i.BootID, &i.MonoMS)
}

const (
	originQuery = `SELECT ` + originColumns + ` FROM correction c WHERE c.id = ?`
	intentQuery = `SELECT sign_ms, nonce, boot_id, mono_ms FROM send WHERE correction_id = ?`
)

// hashes reads the hashes of the proof from the rows of leaf.
func hashes(ctx context.Context, row func(ctx context.Context, query string, args ...any) scanner) func(is []int64) (map[int64][]byte, error) {
	return func(is []int64) (map[int64][]byte, error) {
		rows := make(map[int64][]byte, len(is))
		for _, i := range is {
			var h []byte
			if err := row(ctx, `SELECT hashes FROM leaf WHERE i = ?`, i).Scan(&h); err != nil {
				return nil, fmt.Errorf("read the proof at %d: %w", i, err)
			}
			rows[i] = h
		}
		return rows, nil
	}
}

// checkpoints makes one at a time.
type checkpoints struct {
	mu     sync.Mutex
	signer *ledger.Signer
}

// SetSigner sets what signs checkpoints.
func (s *Store) SetSigner(signer *ledger.Signer) {
	s.checkpoints.mu.Lock()
	s.checkpoints.signer = signer
	s.checkpoints.mu.Unlock()
}

// Checkpoint signs the record as it stands and keeps the signed text. When nothing
// came to the record since the newest checkpoint, it is that one.
func (s *Store) Checkpoint(ctx context.Context) (correction.Checkpoint, error) {
	s.checkpoints.mu.Lock()
	defer s.checkpoints.mu.Unlock()
	if s.checkpoints.signer == nil {
		return correction.Checkpoint{}, errors.New("sign checkpoint: there is no key")
	}
	t, err := loadTree(ctx, s.reader.row)
	if err != nil {
		return correction.Checkpoint{}, fmt.Errorf("sign checkpoint: %w", err)
	}
	newest, err := s.NewestCheckpoint(ctx)
	if err == nil && newest.Size == t.Size() {
		return newest, nil
	}
	if err != nil && !errors.Is(err, correction.ErrNoRow) {
		return correction.Checkpoint{}, err
	}
	c := ledger.Checkpoint{Size: t.Size(), Root: t.Root(), AtMS: millis(s.now())}
	text, err := s.checkpoints.signer.Sign(c)
	if err != nil {
		return correction.Checkpoint{}, err
	}
	err = s.write(ctx, func(w *writeTx) error {
		_, err := w.exec(ctx, `INSERT INTO checkpoint (size, at_ms, note) VALUES (?, ?, ?)`, c.Size, c.AtMS, string(text))
		return err
	})
	if err != nil && !refused(err) { // another process made the same one
		return correction.Checkpoint{}, fmt.Errorf("keep checkpoint: %w", err)
	}
	return s.NewestCheckpoint(ctx)
}

// NewestCheckpoint is the newest signed checkpoint on record; ErrNoRow when there is
// none.
func (s *Store) NewestCheckpoint(ctx context.Context) (correction.Checkpoint, error) {
	var c correction.Checkpoint
	var ms int64
	err := s.reader.row(ctx, `SELECT size, at_ms, note FROM checkpoint ORDER BY size DESC LIMIT 1`).Scan(&c.Size, &ms, &c.Note)
	if errors.Is(err, sql.ErrNoRows) {
		err = correction.ErrNoRow
	}
	if err != nil {
		return c, fmt.Errorf("read checkpoint: %w", err)
	}
	c.At = at(ms)
	return c, nil
}

// Proof is the file that proves a correction's record without the database.
func (s *Store) Proof(ctx context.Context, id int64) ([]byte, error) {
	cp, err := s.Checkpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("prove correction %d: %w", id, err)
	}
	entries, leaves, err := s.entries(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("prove correction %d: %w", id, err)
	}
	for len(leaves) > 0 && leaves[len(leaves)-1] >= cp.Size { // came after the checkpoint
		entries, leaves = entries[:len(entries)-1], leaves[:len(leaves)-1]
	}
	proof, err := ledger.BuildProof(entries, leaves, []byte(cp.Note), ledger.RowReader(hashes(ctx, s.reader.row)))
	if err != nil {
		return nil, fmt.Errorf("prove correction %d: %w", id, err)
	}
	return proof, nil
}

// entries reads the events of a correction as the proof has them, with their places.
func (s *Store) entries(ctx context.Context, id int64) ([]ledger.Entry, []int64, error) {
	var salt []byte
	err := s.reader.row(ctx, `SELECT salt FROM salt WHERE correction_id = ?`, id).Scan(&salt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, correction.ErrNoRow
	}
	if err != nil {
		return nil, nil, err
	}
	var leaves []int64
	rows, err := s.reader.query(ctx, `SELECT `+eventColumns+`, e.leaf FROM event e WHERE e.correction_id = ? ORDER BY e.n`, id)
	entries, err := collect(rows, err, func(r scanner) (ledger.Entry, error) {
		e := ledger.Entry{CorrectionID: id, Salt: salt}
		var leaf int64
		err := r.Scan(&e.N, &e.State, &e.AtMS, &e.Actor, &e.Session, &e.Detail, &e.RequestID, &e.Settled, &e.Due, &e.Review, &leaf)
		leaves = append(leaves, leaf)
		return e, err
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range entries {
		switch e := &entries[i]; {
		case e.N == 1:
			e.Origin, err = origin(s.reader.row(ctx, originQuery, id))
		case e.State == string(correction.Sending):
			e.Intent, err = intent(s.reader.row(ctx, intentQuery, id))
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return entries, leaves, nil
}
