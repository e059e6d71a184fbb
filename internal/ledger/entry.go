package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// SaltSize is the size of a correction's salt in bytes.
const SaltSize = 32

// Entry is one event of a correction with all that was put on record with it.
// Nothing and empty are the same.
type Entry struct {
	CorrectionID int64  `json:"correction_id"`
	N            int    `json:"n"` // counts from 1
	State        string `json:"state"`
	AtMS         int64  `json:"at_ms"`
	Actor        int64  `json:"actor"` // 0 = the console itself
	Session      int64  `json:"session"`
	RequestID    string `json:"request_id"`
	Settled      string `json:"settled"`
	Due          int64  `json:"due"` // 1: to be seen to, -1: seen to
	Review       string `json:"review,omitempty"`
	Detail       []byte `json:"detail"` // JSON, as stored

	Origin *Origin `json:"origin,omitempty"` // with N = 1, and only then
	Intent *Intent `json:"intent,omitempty"` // with the state sending, and only then

	// Salt is random, one for a correction, and never shown without its texts: who
	// knows it can test guesses of an erased one.
	Salt []byte `json:"salt,omitempty"`
	// Sealed stands in for Salt and for all that may hold free text once these were
	// erased: their salted hashes, in the order of the leaf. See Erase.
	Sealed []byte `json:"sealed,omitempty"`
}

// Origin is the correction itself, as it was prepared.
type Origin struct {
	SubMchID        string `json:"sub_mchid"`
	ServiceID       string `json:"service_id"`
	OutOrderNo      string `json:"out_order_no"`
	BaseTotal       int64  `json:"base_total"`
	TargetTotal     int64  `json:"target_total"`
	Author          int64  `json:"author"`
	SessionRow      int64  `json:"session_row"`
	PreparedMS      int64  `json:"prepared_ms"`
	ConfirmUntilMS  int64  `json:"confirm_until_ms"`
	RetryOf         int64  `json:"retry_of"` // 0 = none
	AsksTotal       bool   `json:"asks_total"`
	ReasonCode      string `json:"reason_code"`
	ReasonZH        string `json:"reason_zh"`
	ReasonEN        string `json:"reason_en"`
	ReasonNeedsNote bool   `json:"reason_needs_note"`
	Outgoing        string `json:"outgoing"`
	Ticket          string `json:"ticket"`
	Note            string `json:"note"`
	ConfirmHash     []byte `json:"confirm_hash"`
	ConfirmNonce    []byte `json:"confirm_nonce"`
	BaseSHA256      []byte `json:"base_sha256"`
	BodySHA256      []byte `json:"body_sha256"`
	Warnings        string `json:"warnings"` // JSON, as stored
	Body            []byte `json:"body"`     // the exact bytes to send
	BaseJSON        []byte `json:"base"`
}

// Intent is the one intent to send a correction.
type Intent struct {
	SignMS int64  `json:"sign_ms"`
	Nonce  string `json:"nonce"`
	BootID string `json:"boot_id"`
	MonoMS int64  `json:"mono_ms"`
}

// How many hashes Sealed holds, without an origin and more with one.
const (
	sealedEvent  = 1
	sealedOrigin = 8
)

// ErrForm is what Check wraps.
var ErrForm = errors.New("not an entry of the ledger")

// Check says whether the entry may enter the ledger: the right parts for its number
// and state, and either a salt or what Erase leaves. ErrForm when it may not.
func (e Entry) Check() error {
	fault := ""
	switch o := e.Origin; {
	case e.CorrectionID < 1 || e.N < 1:
		fault = "ids and numbers count from 1"
	case (o != nil) != (e.N == 1):
		fault = "the first event comes with the correction, and no other"
	case (e.Intent != nil) != (e.State == "sending"):
		fault = "the event sending comes with the intent, and no other"
	case len(e.Sealed) == 0 && len(e.Salt) != SaltSize:
		fault = fmt.Sprintf("a salt of %d bytes", len(e.Salt))
	case len(e.Sealed) == 0:
	case len(e.Sealed) != e.sealedSize():
		fault = fmt.Sprintf("%d bytes of salted hashes", len(e.Sealed))
	case len(e.Salt)+len(e.Detail) > 0,
		o != nil && len(o.Outgoing)+len(o.Ticket)+len(o.Note)+len(o.Warnings)+len(o.BaseSHA256)+len(o.BodySHA256)+len(o.Body)+len(o.BaseJSON) > 0:
		fault = "texts beside the hashes of erased ones"
	}
	if fault == "" {
		return nil
	}
	return fmt.Errorf("event %d of correction %d: %s: %w", e.N, e.CorrectionID, fault, ErrForm)
}

func (e Entry) sealedSize() int {
	if e.Origin == nil {
		return sealedEvent * sha256.Size
	}
	return (sealedEvent + sealedOrigin) * sha256.Size
}

// Erase returns the entry without its salt and without all that may hold free text,
// with the same leaf. The salt is common to the entries of a correction, so all of
// them are erased together; a text that is kept elsewhere is no longer proven.
func (e Entry) Erase() Entry {
	if len(e.Sealed) > 0 {
		return e
	}
	var w encoder
	w.keep = true
	w.entry(&e)
	e.Salt, e.Detail, e.Sealed = nil, nil, w.kept
	if e.Origin != nil {
		o := *e.Origin
		o.Outgoing, o.Ticket, o.Note, o.Warnings = "", "", "", ""
		o.BaseSHA256, o.BodySHA256, o.Body, o.BaseJSON = nil, nil, nil, nil
		e.Origin = &o
	}
	return e
}

// leafTag starts every leaf. It changes with the encoding: that of a review has one
// field more, after Due.
const (
	leafTag       = "correction-console leaf 1\n"
	leafTagReview = "correction-console leaf 2\n"
)

// Leaf appends the entry's canonical bytes: leafTag, then the fields in a fixed
// order, integers as 8 bytes big-endian, booleans and presence as one byte 0 or 1,
// texts after their length as uvarint. What may hold free text, and hashes of it,
// enter as HMAC-SHA256(salt, label ‖ 0 ‖ n ‖ text), so that they can be erased and
// not be guessed. Two entries that differ never have the same leaf. It panics without
// either a salt or what Erase leaves; Check refuses such an entry.
func (e Entry) Leaf(dst []byte) []byte {
	w := encoder{b: dst}
	w.entry(&e)
	return w.b
}

// encoder appends to b. With keep it gathers the salted hashes in kept, too.
type encoder struct {
	b      []byte
	mac    hash.Hash // nil: take the salted hashes from sealed
	fresh  bool      // nothing was written to mac yet
	sealed []byte
	n      int64
	head   []byte // label ‖ 0 ‖ n
	keep   bool
	kept   []byte
}

func (w *encoder) entry(e *Entry) {
	switch {
	case len(e.Sealed) == e.sealedSize() && len(e.Salt) == 0:
		w.sealed = e.Sealed
	case len(e.Salt) == SaltSize && len(e.Sealed) == 0:
		w.mac, w.fresh = hmac.New(sha256.New, e.Salt), true
	default:
		panic(e.Check())
	}
	w.n = int64(e.N)
	if e.Review == "" {
		w.b = append(w.b, leafTag...)
	} else {
		w.b = append(w.b, leafTagReview...)
	}
	w.int(e.CorrectionID)
	w.int(w.n)
	w.str(e.State)
	w.int(e.AtMS)
	w.int(e.Actor)
	w.int(e.Session)
	w.str(e.RequestID)
	w.str(e.Settled)
	w.int(e.Due)
	if e.Review != "" {
		w.str(e.Review)
	}
	w.salted("detail", e.Detail)
	w.bool(e.Origin != nil)
	if o := e.Origin; o != nil {
		w.str(o.SubMchID)
		w.str(o.ServiceID)
		w.str(o.OutOrderNo)
		w.int(o.BaseTotal)
		w.int(o.TargetTotal)
		w.int(o.Author)
		w.int(o.SessionRow)
		w.int(o.PreparedMS)
		w.int(o.ConfirmUntilMS)
		w.int(o.RetryOf)
		w.bool(o.AsksTotal)
		w.str(o.ReasonCode)
		w.str(o.ReasonZH)
		w.str(o.ReasonEN)
		w.bool(o.ReasonNeedsNote)
		w.salted("outgoing", []byte(o.Outgoing))
		w.salted("ticket", []byte(o.Ticket))
		w.salted("note", []byte(o.Note))
		w.bytes(o.ConfirmHash)
		w.bytes(o.ConfirmNonce)
		w.salted("base_sha256", o.BaseSHA256)
		w.salted("body_sha256", o.BodySHA256)
		w.salted("warnings", []byte(o.Warnings))
		w.salted("body", o.Body)
		w.salted("base", o.BaseJSON)
	}
	w.bool(e.Intent != nil)
	if i := e.Intent; i != nil {
		w.int(i.SignMS)
		w.str(i.Nonce)
		w.str(i.BootID)
		w.int(i.MonoMS)
	}
}

func (w *encoder) int(v int64) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }

func (w *encoder) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *encoder) str(s string) { w.b = append(binary.AppendUvarint(w.b, uint64(len(s))), s...) }

func (w *encoder) bytes(p []byte) { w.b = append(binary.AppendUvarint(w.b, uint64(len(p))), p...) }

func (w *encoder) salted(label string, text []byte) {
	if w.mac == nil {
		w.b = append(w.b, w.sealed[:sha256.Size]...)
		w.sealed = w.sealed[sha256.Size:]
		return
	}
	if !w.fresh {
		w.mac.Reset()
	}
	w.fresh = false
	w.head = append(append(w.head[:0], label...), 0)
	w.head = binary.BigEndian.AppendUint64(w.head, uint64(w.n))
	w.mac.Write(w.head)
	w.mac.Write(text)
	w.b = w.mac.Sum(w.b)
	if w.keep {
		w.kept = append(w.kept, w.b[len(w.b)-sha256.Size:]...)
	}
}
