package sqlite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/correction"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(fullDiskEnv); path != "" {
		os.Exit(claimOnFullDisk(path))
	}
	// Every test of the package refuses nested connections.
	RefuseNested(func(what string) { panic(what) })
	os.Exit(m.Run())
}

// eachRow is each of Export for one row after the other.
func eachRow(each func(correction.Summary) error) func([]correction.Summary) error {
	return func(rows []correction.Summary) error {
		for _, r := range rows {
			if err := each(r); err != nil {
				return err
			}
		}
		return nil
	}
}

// t0 is when the tests take place.
var t0 = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

func openTest(t testing.TB) *Store {
	t.Helper()
	s := openAt(t, filepath.Join(t.TempDir(), "data", "console.db"))
	s.now = func() time.Time { return t0 }
	return s
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// person adds a user who may touch every merchant, or those named.
func person(t testing.TB, s *Store, login string, role correction.Role, merchants ...string) auth.User {
	t.Helper()
	must(t, s.AddUser(t.Context(), UserSpec{
		Username: login, Name: "Name of " + login, Role: role, All: len(merchants) == 0, Merchants: merchants, PasswordHash: "phc",
	}))
	u, err := s.UserByName(t.Context(), login)
	must(t, err)
	return u
}

const serviceID = "500001"

var serial atomic.Int64

func ref(order string) correction.Ref {
	return correction.Ref{SubMchID: "1900000109", ServiceID: serviceID, OutOrderNo: order}
}

// sample is a correction as the service prepares it.
func sample(author int64, r correction.Ref, prepared time.Time) correction.Correction {
	base := correction.Order{
		SubMchID: r.SubMchID, ServiceID: r.ServiceID, OutOrderNo: r.OutOrderNo,
		State: correction.OrderDoing, StateDescription: correction.MchComplete,
		Lines: []correction.Line{{Name: "使用时长", Description: "27 小时"}}, Total: 9900, HasTotal: true,
		Collection: correction.Collection{State: correction.UserPaying, Total: 9900, Paying: 9900},
	}
	device := correction.Device{Start: "D-1", End: fmt.Sprintf("D-%d", serial.Add(1))}
	req := correction.Request{ServiceID: r.ServiceID, SubMchID: r.SubMchID, Lines: base.Lines, Total: 1000, Reason: "已核实", Device: device}
	c := correction.Correction{
		Ref: r, Base: base, Target: 1000, Body: req.Body(),
		Reason:   correction.Reason{Code: "other", ZH: "其他", EN: "Other", Outgoing: "已核实", NeedsNote: true},
		Ticket:   "T-1",
		Note:     "note",
		Warnings: []correction.Notice{{Field: "post_payments", Code: correction.WarnMissingName, Text: "收费标准", Amount: 5}},
		AuthorID: author, SessionID: 7, AsksTotal: true,
		PreparedAt: prepared, ConfirmUntil: prepared.Add(10 * time.Minute), ConfirmNonce: make([]byte, 16),
		Events: []correction.Event{{N: 1, State: correction.Prepared, At: prepared, ActorID: author, SessionID: 7}},
	}
	rand.Read(c.ConfirmNonce)
	_, c.BaseSHA256 = base.Snapshot()
	c.BodySHA256 = sha256.Sum256(c.Body)
	c.ConfirmHash = sha256.Sum256(c.ConfirmNonce)
	return c
}

func prepare(t testing.TB, s *Store, c correction.Correction) int64 {
	t.Helper()
	id, err := s.Prepare(t.Context(), c)
	must(t, err)
	return id
}

// walk takes a prepared correction through the states.
func walk(t testing.TB, s *Store, id int64, r correction.Ref, at time.Time, states ...correction.State) {
	t.Helper()
	from, n := correction.Prepared, 1
	for _, to := range states {
		at = at.Add(time.Second)
		must(t, step(t.Context(), s, id, r, from, n, correction.Event{State: to, At: at}))
		from, n = to, n+1
	}
}

// step takes one step by the operation that it belongs to.
func step(ctx context.Context, s *Store, id int64, r correction.Ref, from correction.State, n int, e correction.Event) error {
	switch e.State {
	case correction.Claimed:
		if from == correction.Approved {
			return s.write(ctx, func(w *writeTx) error { return w.follow(ctx, id, from, n, e, nil) })
		}
		return s.Claim(ctx, id, r, e, nil)
	case correction.Awaiting:
		return s.Submit(ctx, id, r, e, nil)
	case correction.Approved:
		if err := decider(ctx, s, &e); err != nil {
			return err
		}
		c, err := s.Correction(ctx, id)
		if err != nil {
			return err
		}
		e.Detail.BodySHA256 = hex.EncodeToString(c.BodySHA256[:])
		return s.write(ctx, func(w *writeTx) error { return w.follow(ctx, id, from, n, e, nil) })
	case correction.Declined, correction.Returned:
		if err := decider(ctx, s, &e); err != nil {
			return err
		}
	case correction.NeedsPerson, correction.Resolved: // by two people, neither of them the author
		if err := decider(ctx, s, &e); err != nil {
			return err
		}
	case correction.Sending:
		return s.MarkSending(ctx, id, correction.Signing{At: e.At.Truncate(time.Second), Nonce: "nonce"}, e, nil)
	}
	return s.Append(ctx, id, from, n, e)
}

// decider makes an event that needs a second person one of a supervisor, if it is
// nobody's.
func decider(ctx context.Context, s *Store, e *correction.Event) error {
	if e.ActorID != 0 {
		return nil
	}
	e.ActorID = 9998
	if e.State == correction.Resolved {
		e.ActorID = 9999
	}
	_, err := s.writer.db.ExecContext(ctx, `INSERT INTO user (id, username, name, role, all_merchants, password, created_ms)
		VALUES (?1, 'supervisor-' || ?1, 'Supervisor', 'supervisor', 1, 'phc', 0) ON CONFLICT DO NOTHING`, e.ActorID)
	return err
}

// pathTo are the states after prepared through which a correction gets to a state.
var pathTo = map[correction.State][]correction.State{
	correction.Prepared:    {},
	correction.Withdrawn:   {correction.Withdrawn},
	correction.Expiry:      {correction.Expiry},
	correction.Awaiting:    {correction.Awaiting},
	correction.Approved:    {correction.Awaiting, correction.Approved},
	correction.Returned:    {correction.Awaiting, correction.Returned},
	correction.Declined:    {correction.Awaiting, correction.Declined},
	correction.Claimed:     {correction.Claimed},
	correction.Void:        {correction.Void},
	correction.Stale:       {correction.Claimed, correction.Stale},
	correction.Sending:     {correction.Claimed, correction.Sending},
	correction.Applied:     {correction.Claimed, correction.Sending, correction.Applied},
	correction.Rejected:    {correction.Claimed, correction.Sending, correction.Rejected},
	correction.NotSent:     {correction.Claimed, correction.Sending, correction.NotSent},
	correction.Unknown:     {correction.Claimed, correction.Sending, correction.Unknown},
	correction.NotApplied:  {correction.Claimed, correction.Sending, correction.Unknown, correction.NotApplied},
	correction.NeedsPerson: {correction.Claimed, correction.Sending, correction.Unknown, correction.NeedsPerson},
	correction.Resolved:    {correction.Claimed, correction.Sending, correction.NeedsPerson, correction.Resolved},
	correction.AppliedLate: {correction.Claimed, correction.NotSent, correction.AppliedLate},
}
