package apptest

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/store/sqlite"
)

// Past is a correction as it is to be on record, without that anything is sent.
type Past struct {
	Login        string // of the author
	Merchant     string
	Service      string
	Order        string
	Base, Target correction.Fen
	Reason       string // code
	Device       correction.Device
	At           time.Time // when it was prepared
	States       []correction.State
	Settled      correction.Settlement // after them, SettledAfter it was prepared
	SettledAfter time.Duration
	Review       correction.ReviewMark // by qian
}

// Put puts a correction on record, with one event a second, and returns its id.
func (a *App) Put(p Past) int64 {
	a.t.Helper()
	ctx := a.t.Context()
	must := func(err error) {
		a.t.Helper()
		if err != nil {
			a.t.Fatalf("%+v: %v", p, err)
		}
	}
	author, err := a.Store.UserByName(ctx, p.Login)
	must(err)
	reviewer, err := a.Store.UserByName(ctx, "qian")
	must(err)
	base := correction.Order{
		SubMchID: p.Merchant, ServiceID: p.Service, OutOrderNo: p.Order, State: correction.OrderDoing, StateDescription: correction.MchComplete,
		Lines: []correction.Line{{Name: "使用时长", Description: "27 小时"}}, Total: p.Base, HasTotal: true,
		Collection: correction.Collection{State: correction.UserPaying, Total: p.Base, Paying: p.Base},
	}
	ref := correction.Ref{SubMchID: p.Merchant, ServiceID: p.Service, OutOrderNo: p.Order}
	reason := correction.Reason{Code: p.Reason, ZH: p.Reason, EN: p.Reason, Outgoing: "已核实"}
	for _, r := range correction.DefaultReasons {
		if r.Code == p.Reason {
			reason.ZH, reason.EN = r.ZH, r.EN
		}
	}
	request := correction.Request{ServiceID: p.Service, SubMchID: p.Merchant, Lines: base.Lines, Total: p.Target, Reason: reason.Outgoing, Device: p.Device}
	c := correction.Correction{
		Ref: ref, Base: base, Target: p.Target, Body: request.Body(), Reason: reason, AuthorID: author.ID, SessionID: 1,
		PreparedAt: p.At, ConfirmUntil: p.At.Add(10 * time.Minute), ConfirmNonce: make([]byte, 16),
		Events: []correction.Event{{N: 1, State: correction.Prepared, At: p.At, ActorID: author.ID, SessionID: 1}},
	}
	rand.Read(c.ConfirmNonce)
	_, c.BaseSHA256 = base.Snapshot()
	c.BodySHA256, c.ConfirmHash = sha256.Sum256(c.Body), sha256.Sum256(c.ConfirmNonce)
	id, err := a.Store.Prepare(ctx, c)
	must(err)
	from, n, at := correction.Prepared, 1, p.At
	add := func(e correction.Event) {
		a.t.Helper()
		switch e.State {
		case correction.Claimed:
			must(a.Store.Claim(ctx, id, ref, e, nil))
		case correction.Awaiting:
			must(a.Store.Submit(ctx, id, ref, e, nil))
		case correction.Sending:
			must(a.Store.MarkSending(ctx, id, correction.Signing{At: e.At.Truncate(time.Second), Nonce: fmt.Sprint("nonce", id)}, e, nil))
		default:
			must(a.Store.Append(ctx, id, from, n, e))
		}
		from, n = e.State, n+1
	}
	for _, s := range p.States {
		at = at.Add(time.Second)
		e := correction.Event{State: s, At: at, SessionID: 1}
		if s == correction.Declined || s == correction.Returned || s == correction.NeedsPerson {
			e.ActorID = reviewer.ID
		}
		add(e)
	}
	if p.Settled != "" {
		at = p.At.Add(p.SettledAfter)
		add(correction.Event{State: from, At: at, Detail: correction.Detail{Settled: p.Settled}})
	}
	if p.Review != "" {
		add(correction.Event{State: from, At: at.Add(time.Second), ActorID: reviewer.ID, SessionID: 1, Detail: correction.Detail{Review: p.Review, Text: "看过了"}})
	}
	return id
}

// Ways through the states after prepared.
var (
	WayApplied    = []correction.State{correction.Claimed, correction.Sending, correction.Applied}
	WayLate       = []correction.State{correction.Claimed, correction.NotSent, correction.AppliedLate}
	WayDeclined   = []correction.State{correction.Awaiting, correction.Declined}
	WayUnknown    = []correction.State{correction.Claimed, correction.Sending, correction.Unknown}
	WayConflict   = []correction.State{correction.Claimed, correction.Sending, correction.NeedsPerson}
	WayRejected   = []correction.State{correction.Claimed, correction.Sending, correction.Rejected}
	WayNotApplied = []correction.State{correction.Claimed, correction.Sending, correction.Unknown, correction.NotApplied}
	WayNotSent    = []correction.State{correction.Claimed, correction.NotSent}
)

// AddPerson adds somebody with the password of the tests, who may touch every merchant,
// or those named.
func (a *App) AddPerson(login, name string, role correction.Role, merchants ...string) {
	a.t.Helper()
	phc, err := hash()
	if err == nil {
		err = a.Store.AddUser(a.t.Context(), sqlite.UserSpec{Username: login, Name: name, Role: role, All: len(merchants) == 0, Merchants: merchants, PasswordHash: phc})
	}
	if err != nil {
		a.t.Fatal(err)
	}
}
