package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

const proofFormat = "correction-console proof 1"

// Limits of a proof that is read. The longest real one is far below.
const (
	maxProof   = 16 << 20 // bytes
	maxEntries = 10_000
)

// proof is the file: all that is needed to check that the events of one correction
// are in the log of a checkpoint, except the key to trust.
type proof struct {
	Format       string            `json:"format"`
	Product      string            `json:"product"`
	CorrectionID int64             `json:"correction_id"`
	OutOrderNo   string            `json:"out_order_no"`
	Entries      []json.RawMessage `json:"entries"` // proofEntry
	Checkpoint   string            `json:"checkpoint"`
}

// proofEntry is an entry with its place in the log. What is JSON in the record
// is text here, so that people can read it.
type proofEntry struct {
	Index int64            `json:"index"`
	Path  tlog.RecordProof `json:"path"`
	Entry
	Detail string       `json:"detail"`
	Origin *proofOrigin `json:"origin,omitempty"`
}

type proofOrigin struct {
	Origin
	Body     string `json:"body"`
	BaseJSON string `json:"base"`
}

func newProofEntry(e Entry, index int64, path tlog.RecordProof) proofEntry {
	p := proofEntry{Index: index, Path: path, Entry: e, Detail: string(e.Detail)}
	if e.Origin != nil {
		p.Origin = &proofOrigin{*e.Origin, string(e.Origin.Body), string(e.Origin.BaseJSON)}
	}
	return p
}

// entry is what newProofEntry was made of.
func (p proofEntry) entry() Entry {
	e := p.Entry
	e.Detail = []byte(p.Detail)
	if p.Origin != nil {
		o := p.Origin.Origin
		o.Body, o.BaseJSON = []byte(p.Origin.Body), []byte(p.Origin.BaseJSON)
		e.Origin = &o
	}
	return e
}

// ProofReport is what a proof proves: that these events were on record, in this
// order, when the checkpoint was signed. It does not say that there was no later one.
type ProofReport struct {
	Key          string // name of the log whose key signed
	Checkpoint   Checkpoint
	CorrectionID int64
	SubMchID     string
	ServiceID    string
	OutOrderNo   string
	BaseTotal    int64 // fen
	TargetTotal  int64 // fen
	Events       []ProofEvent
	Erased       bool // texts of it were erased; the rest is proven
}

// ProofEvent is one event of a ProofReport.
type ProofEvent struct {
	N     int
	State string
	AtMS  int64
	Index int64 // in the log
}

// BuildProof writes the proof of one correction: all its entries, with n from 1, their
// indexes in the log, and a signed checkpoint of at least that size, of which hr reads
// the hashes. It hands out only what CheckProof accepts with the checkpoint's key:
// ErrMismatch when the log is not that of the checkpoint, ErrMalformed when the entries
// do not make a proof.
func BuildProof(entries []Entry, indexes []int64, checkpoint []byte, hr tlog.HashReader) ([]byte, error) {
	data, err := buildProof(entries, indexes, checkpoint, hr)
	if err != nil {
		return nil, fmt.Errorf("build proof: %w", err)
	}
	return data, nil
}

func buildProof(entries []Entry, indexes []int64, checkpoint []byte, hr tlog.HashReader) ([]byte, error) {
	if len(entries) == 0 || len(entries) != len(indexes) || entries[0].Origin == nil {
		return nil, fmt.Errorf("%d entries at %d indexes: %w", len(entries), len(indexes), ErrMalformed)
	}
	c, err := unsigned(checkpoint)
	if err != nil {
		return nil, err
	}
	p := proof{
		Format: proofFormat, Product: product, Checkpoint: string(checkpoint),
		CorrectionID: entries[0].CorrectionID, OutOrderNo: entries[0].Origin.OutOrderNo,
	}
	for i, e := range entries {
		if indexes[i] < 0 || indexes[i] >= c.Size {
			return nil, fmt.Errorf("entry %d is not among the %d of the checkpoint: %w", indexes[i], c.Size, ErrMismatch)
		}
		path, err := tlog.ProveRecord(c.Size, indexes[i], hr)
		if err != nil {
			return nil, err
		}
		text, err := marshal(newProofEntry(e, indexes[i], path))
		if err != nil {
			return nil, err
		}
		p.Entries = append(p.Entries, text)
	}
	data, err := marshal(p)
	if err != nil {
		return nil, err
	}
	// As it will be read: what JSON cannot carry shows here.
	if p, err = parseProof(data); err != nil {
		return nil, err
	}
	if _, err := p.check(c); err != nil {
		return nil, err
	}
	return data, nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	if err := w.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// CheckProof checks a proof by itself: the signature of its checkpoint with one of the
// verifier keys, the leaf of each entry from the fields that it shows, the place of
// the leaf in the log, and that the entries are the first events of one correction,
// all of them up to the last, with the bytes that their hashes say. ErrUnsigned,
// ErrMalformed, or ErrMismatch.
func CheckProof(data []byte, vkeys ...string) (ProofReport, error) {
	p, err := parseProof(data)
	var c Checkpoint
	var key string
	if err == nil {
		c, key, err = open([]byte(p.Checkpoint), vkeys)
	}
	var r ProofReport
	if err == nil {
		r, err = p.check(c)
	}
	if err != nil {
		return ProofReport{}, fmt.Errorf("check proof: %w", err)
	}
	r.Key = key
	return r, nil
}

func parseProof(data []byte) (p proof, err error) {
	if len(data) > maxProof {
		return p, fmt.Errorf("%d bytes: %w", len(data), ErrMalformed)
	}
	if !utf8.Valid(data) {
		return p, fmt.Errorf("not UTF-8: %w", ErrMalformed)
	}
	if err := unmarshal(data, &p); err != nil {
		return p, err
	}
	if p.Format != proofFormat || p.Product != product {
		return p, fmt.Errorf("format %.40q of %.40q: %w", p.Format, p.Product, ErrMalformed)
	}
	if len(p.Entries) == 0 || len(p.Entries) > maxEntries {
		return p, fmt.Errorf("%d entries: %w", len(p.Entries), ErrMalformed)
	}
	return p, nil
}

// unmarshal reads one value and nothing after it, with each field once, in its place
// and under its very name: what people read in the file is what is checked.
func unmarshal(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	again, err := marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !sameTokens(data, again) {
		return fmt.Errorf("a field is unknown, missing, twice or out of place: %w", ErrMalformed)
	}
	return nil
}

// sameTokens compares two JSON texts but for spaces and escapes.
func sameTokens(a, b []byte) bool {
	x, y := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	x.UseNumber()
	y.UseNumber()
	for {
		t, errT := x.Token()
		u, errU := y.Token()
		switch {
		case errT == io.EOF && errU == io.EOF:
			return true
		case errT != nil || errU != nil || t != u:
			return false
		}
	}
}

// check is CheckProof but for the signature.
func (p proof) check(c Checkpoint) (ProofReport, error) {
	r := ProofReport{Checkpoint: c, CorrectionID: p.CorrectionID, OutOrderNo: p.OutOrderNo}
	var leaf []byte
	last := int64(-1)
	for i, text := range p.Entries {
		var f proofEntry
		if err := unmarshal(text, &f); err != nil {
			return r, fmt.Errorf("entry %d: %w", i+1, err)
		}
		e := f.entry()
		if err := e.Check(); err != nil {
			return r, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if e.CorrectionID != p.CorrectionID || e.N != i+1 || f.Index <= last {
			return r, fmt.Errorf("event %d of correction %d at %d stands where event %d of %d must, after %d: %w",
				e.N, e.CorrectionID, f.Index, i+1, p.CorrectionID, last, ErrMismatch)
		}
		last = f.Index
		leaf = e.Leaf(leaf[:0])
		if err := tlog.CheckRecord(f.Path, c.Size, c.Root, f.Index, tlog.RecordHash(leaf)); err != nil {
			return r, fmt.Errorf("event %d: %w: %w", e.N, ErrMismatch, err)
		}
		if o := e.Origin; o != nil {
			if err := p.checkOrigin(e); err != nil {
				return r, err
			}
			r.SubMchID, r.ServiceID, r.BaseTotal, r.TargetTotal = o.SubMchID, o.ServiceID, o.BaseTotal, o.TargetTotal
		}
		r.Erased = r.Erased || len(e.Sealed) > 0
		r.Events = append(r.Events, ProofEvent{e.N, e.State, e.AtMS, f.Index})
	}
	return r, nil
}

func (p proof) checkOrigin(e Entry) error {
	o := e.Origin
	if o.OutOrderNo != p.OutOrderNo {
		return fmt.Errorf("it is a correction of order %q: %w", o.OutOrderNo, ErrMismatch)
	}
	if len(e.Sealed) > 0 {
		return nil
	}
	body, base := sha256.Sum256(o.Body), sha256.Sum256(o.BaseJSON)
	if !bytes.Equal(body[:], o.BodySHA256) || !bytes.Equal(base[:], o.BaseSHA256) {
		return fmt.Errorf("its bytes have other hashes: %w", ErrMismatch)
	}
	return nil
}
