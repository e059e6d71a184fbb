package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"correction-console/internal/correction"
)

// version is that of the lines' form.
const version = 1

// line is one line. Kind send has Correction, Events and Sign, kind event Key and
// Event, kind mark a Key of its own and no ID.
type line struct {
	V    int    `json:"v"`
	Kind string `json:"kind"`
	At   int64  `json:"at_ms"`
	ID   int64  `json:"id"`  // of the correction
	Key  []byte `json:"key"` // its confirm hash, the same in every copy of the database

	Correction *proposal `json:"correction,omitempty"`
	Events     []event   `json:"events,omitempty"`
	Sign       *sign     `json:"sign,omitempty"`
	Event      *event    `json:"event,omitempty"`
}

const (
	kindSend  = "send"
	kindEvent = "event"
	kindMark  = "mark"
)

type proposal struct {
	SubMchID     string              `json:"sub_mchid"`
	ServiceID    string              `json:"service_id"`
	OutOrderNo   string              `json:"out_order_no"`
	Base         json.RawMessage     `json:"base"`
	BaseSHA256   []byte              `json:"base_sha256"`
	Target       correction.Fen      `json:"target"`
	Body         []byte              `json:"body"`
	BodySHA256   []byte              `json:"body_sha256"`
	Reason       correction.Reason   `json:"reason"`
	Ticket       string              `json:"ticket"`
	Note         string              `json:"note"`
	Warnings     []correction.Notice `json:"warnings,omitempty"`
	AsksTotal    bool                `json:"asks_total"`
	AuthorID     int64               `json:"author"`
	AuthorName   string              `json:"author_name"`
	Session      int64               `json:"session"`
	RetryOf      int64               `json:"retry_of,omitempty"`
	PreparedMS   int64               `json:"prepared_ms"`
	ConfirmUntil int64               `json:"confirm_until_ms"`
	ConfirmNonce []byte              `json:"confirm_nonce"`
}

type event struct {
	N       int               `json:"n"`
	State   correction.State  `json:"state"`
	At      int64             `json:"at_ms"`
	Actor   int64             `json:"actor,omitempty"`
	Name    string            `json:"actor_name,omitempty"`
	Session int64             `json:"session,omitempty"`
	Detail  correction.Detail `json:"detail"`
}

type sign struct {
	MS    int64  `json:"ms"`
	Nonce string `json:"nonce"`
}

func eventOf(e correction.Event) event {
	return event{N: e.N, State: e.State, At: e.At.UnixMilli(), Actor: e.ActorID, Name: e.ActorName, Session: e.SessionID, Detail: e.Detail}
}

func (e event) event() correction.Event {
	return correction.Event{N: e.N, State: e.State, At: time.UnixMilli(e.At).UTC(), ActorID: e.Actor, ActorName: e.Name, SessionID: e.Session, Detail: e.Detail}
}

func sendLine(c correction.Correction, s correction.Signing, now time.Time) ([]byte, error) {
	base, hash := c.Base.Snapshot()
	if hash != c.BaseSHA256 {
		return nil, errors.New("the order's hash is not that of its bytes")
	}
	l := line{
		V: version, Kind: kindSend, At: now.UnixMilli(), ID: c.ID, Key: c.ConfirmHash[:],
		Correction: &proposal{
			SubMchID: c.Ref.SubMchID, ServiceID: c.Ref.ServiceID, OutOrderNo: c.Ref.OutOrderNo, Base: base, BaseSHA256: c.BaseSHA256[:],
			Target: c.Target, Body: c.Body, BodySHA256: c.BodySHA256[:], Reason: c.Reason, Ticket: c.Ticket, Note: c.Note, Warnings: c.Warnings,
			AsksTotal: c.AsksTotal, AuthorID: c.AuthorID, AuthorName: c.AuthorName, Session: c.SessionID, RetryOf: c.RetryOf,
			PreparedMS: c.PreparedAt.UnixMilli(), ConfirmUntil: c.ConfirmUntil.UnixMilli(), ConfirmNonce: c.ConfirmNonce,
		},
		Sign: &sign{s.At.UnixMilli(), s.Nonce},
	}
	for _, e := range c.Events {
		l.Events = append(l.Events, eventOf(e))
	}
	return json.Marshal(l)
}

func eventLine(c correction.Correction, e correction.Event, now time.Time) ([]byte, error) {
	x := eventOf(e)
	return json.Marshal(line{V: version, Kind: kindEvent, At: now.UnixMilli(), ID: c.ID, Key: c.ConfirmHash[:], Event: &x})
}

func markLine(key [32]byte, now time.Time) ([]byte, error) {
	return json.Marshal(line{V: version, Kind: kindMark, At: now.UnixMilli(), Key: key[:]})
}

// Record is one line, read back. With an intent, Correction is whole and Signing set;
// else only its id and ConfirmHash are, and Event is what became of it. Of a mark only
// Mark is set.
type Record struct {
	Mark       [32]byte
	Correction correction.Correction
	Signing    correction.Signing
	Intent     bool
	Event      correction.Event
}

func parse(text []byte) (Record, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Record{}, err
	}
	if l.V != version || l.ID < 1 && l.Kind != kindMark || len(l.Key) != 32 {
		return Record{}, fmt.Errorf("not a line of this program: version %d", l.V)
	}
	if l.Kind == kindMark {
		return Record{Mark: [32]byte(l.Key)}, nil
	}
	r := Record{Correction: correction.Correction{ID: l.ID}}
	copy(r.Correction.ConfirmHash[:], l.Key)
	switch {
	case l.Kind == kindEvent && l.Event != nil:
		r.Event = l.Event.event()
		return r, nil
	case l.Kind != kindSend || l.Correction == nil || l.Sign == nil || len(l.Events) == 0:
		return r, fmt.Errorf("a line of kind %q without its parts", l.Kind)
	}
	p, c := l.Correction, &r.Correction
	base, err := correction.ParseSnapshot(p.Base)
	if err != nil {
		return r, err
	}
	c.Ref = correction.Ref{SubMchID: p.SubMchID, ServiceID: p.ServiceID, OutOrderNo: p.OutOrderNo}
	c.Base, c.Target, c.Body, c.Reason, c.Ticket, c.Note, c.Warnings = base, p.Target, p.Body, p.Reason, p.Ticket, p.Note, p.Warnings
	copy(c.BaseSHA256[:], p.BaseSHA256)
	copy(c.BodySHA256[:], p.BodySHA256)
	c.AsksTotal, c.AuthorID, c.AuthorName, c.SessionID, c.RetryOf = p.AsksTotal, p.AuthorID, p.AuthorName, p.Session, p.RetryOf
	c.PreparedAt, c.ConfirmUntil, c.ConfirmNonce = time.UnixMilli(p.PreparedMS).UTC(), time.UnixMilli(p.ConfirmUntil).UTC(), p.ConfirmNonce
	for _, e := range l.Events {
		c.Events = append(c.Events, e.event())
	}
	c.State = c.Last().State
	r.Intent, r.Signing = true, correction.Signing{At: time.UnixMilli(l.Sign.MS).UTC(), Nonce: l.Sign.Nonce}
	return r, nil
}
