package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"correction-console/internal/correction"
	"correction-console/internal/journal"
	"correction-console/internal/store/sqlite"
)

// bench is a record and a journal that a test writes itself, without a console.
type bench struct {
	t    *testing.T
	env  []string
	data string
	st   *sqlite.Store
	j    *journal.Journal
	now  time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, data: filepath.Join(dir, "data"), now: time.Now().Add(-time.Hour).Truncate(time.Second).UTC()}
	b.env, _ = simulated(t, dir)
	b.open()
	b.add("lin", correction.Agent)
	b.ok(b.st.PutMerchant(t.Context(), correction.Merchant{SubMchID: bankMerchant, Name: "溪桥充电宝"}))
	return b
}

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	b.st, err = sqlite.Open(b.t.Context(), filepath.Join(b.data, "console.db"))
	b.ok(err)
	b.j, err = journal.Open(filepath.Join(b.data, "journal"), time.Now)
	b.ok(err)
}

func (b *bench) close() {
	b.t.Helper()
	b.ok(b.st.Close())
	b.ok(b.j.Close())
}

func (b *bench) add(name string, role correction.Role) int64 {
	b.t.Helper()
	b.ok(b.st.AddUser(b.t.Context(), sqlite.UserSpec{Username: name, Name: name, Role: role, All: true, PasswordHash: "-"}))
	u, err := b.st.UserByName(b.t.Context(), name)
	b.ok(err)
	return u.ID
}

func (b *bench) tick() time.Time {
	b.now = b.now.Add(time.Second)
	return b.now
}

// prepare puts a correction on record.
func (b *bench) prepare(author int64, name, order string) correction.Correction {
	b.t.Helper()
	ref := correction.Ref{SubMchID: bankMerchant, ServiceID: bankService, OutOrderNo: order}
	base := correction.Order{
		SubMchID: ref.SubMchID, ServiceID: ref.ServiceID, OutOrderNo: order, State: correction.OrderDoing, StateDescription: correction.MchComplete,
		Lines: []correction.Line{{Name: "使用时长", Description: "27 小时"}}, Total: 9900, HasTotal: true,
		Collection: correction.Collection{State: correction.UserPaying, Total: 9900, Paying: 9900},
	}
	req := correction.Request{ServiceID: ref.ServiceID, SubMchID: ref.SubMchID, Lines: base.Lines, Total: 1000, Reason: "已核实"}
	at := b.tick()
	c := correction.Correction{
		Ref: ref, Base: base, Target: 1000, Body: req.Body(), Reason: correction.Reason{Code: "other", ZH: "其他", EN: "Other", Outgoing: "已核实"},
		AuthorID: author, AuthorName: name, PreparedAt: at, ConfirmUntil: at.Add(10 * time.Minute), ConfirmNonce: make([]byte, 16),
		Events: []correction.Event{{N: 1, State: correction.Prepared, At: at, ActorID: author, ActorName: name}},
	}
	rand.Read(c.ConfirmNonce)
	_, c.BaseSHA256 = base.Snapshot()
	c.BodySHA256, c.ConfirmHash = sha256.Sum256(c.Body), sha256.Sum256(c.ConfirmNonce)
	var err error
	c.ID, err = b.st.Prepare(b.t.Context(), c)
	b.ok(err)
	return c
}

func (b *bench) claim(c *correction.Correction) {
	b.t.Helper()
	e := correction.Event{N: 2, State: correction.Claimed, At: b.tick(), ActorID: c.AuthorID, ActorName: c.AuthorName}
	b.ok(b.st.Claim(b.t.Context(), c.ID, c.Ref, e, nil))
	c.Events = append(c.Events, e)
}

// send records the intent in both, as before the POST.
func (b *bench) send(c *correction.Correction) {
	b.t.Helper()
	b.claim(c)
	sign := correction.NewSigning(b.tick())
	e := correction.Event{N: 3, State: correction.Sending, At: b.tick(), Detail: correction.Detail{SignMS: sign.At.UnixMilli()}}
	b.ok(b.st.MarkSending(b.t.Context(), c.ID, sign, e, nil))
	c.Events = append(c.Events, e)
	b.ok(b.j.Sending(b.t.Context(), *c, sign))
}

// follow records what became of it in both.
func (b *bench) follow(c *correction.Correction, e correction.Event) {
	b.t.Helper()
	last := c.Last()
	e.N, e.At = last.N+1, b.tick()
	b.ok(b.st.Append(b.t.Context(), c.ID, last.State, last.N, e))
	c.Events = append(c.Events, e)
	b.ok(b.j.Event(b.t.Context(), *c, e))
}

// copied is the database as it is now.
func (b *bench) copied() []byte {
	b.t.Helper()
	l := lane{t: b.t, data: b.data}
	path := filepath.Join(b.t.TempDir(), "copy.db")
	b.ok(l.copyNow(path))
	data, err := os.ReadFile(path)
	b.ok(err)
	return data
}

// restore stops, and puts a copy in the place of the database.
func (b *bench) restore(data []byte) {
	b.t.Helper()
	b.close()
	path := filepath.Join(b.t.TempDir(), "copy.db")
	b.ok(os.WriteFile(path, data, 0o600))
	l := lane{t: b.t, data: b.data}
	l.lose(path)
}

func (b *bench) record() []entryOf {
	b.t.Helper()
	l := lane{t: b.t, data: b.data}
	l.verify()
	return l.record()
}

func (b *bench) recover(code int, says ...string) {
	b.t.Helper()
	got, out, msg := execute(b.t, b.env, "", "recover", "--offline")
	if got != code {
		b.t.Fatalf("recover: %d\n%s%s", got, out, msg)
	}
	for _, want := range says {
		if !strings.Contains(out+msg, want) {
			b.t.Errorf("recover does not say %q:\n%s%s", want, out, msg)
		}
	}
}

// refuses reports whether serve refuses to start for the journal's sake.
func (b *bench) refuses() bool {
	b.t.Helper()
	code, _, msg := execute(b.t, append(b.env, "CONSOLE_LISTEN=192.0.2.1:1", "CONSOLE_INSECURE_HTTP=true"), "", "serve") // an address that is not here: it ends
	if code == 2 && strings.Contains(msg, "console recover") {
		return true
	}
	if code != 1 || !strings.Contains(msg, "CONSOLE_LISTEN") {
		b.t.Fatalf("serve: %d %s", code, msg)
	}
	return false
}

// The copy was made while a correction held its order. That one came to nothing, and
// another one of the order was sent: it is brought back all the same.
func TestRecover_OrderIsHeldInTheCopyOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.prepare(1, "lin", "A1")
	b.claim(&first)
	copied := b.copied()
	b.ok(b.st.Append(t.Context(), first.ID, correction.Claimed, 2, correction.Event{State: correction.Stale, At: b.tick()}))
	second := b.prepare(1, "lin", "A1")
	b.send(&second)
	b.follow(&second, correction.Event{State: correction.Applied})
	b.restore(copied)
	if !b.refuses() {
		t.Error("serve starts on the older copy")
	}
	b.recover(0)
	list := b.record()
	if len(list) != 2 || list[0].state != correction.NotSent || list[1].state != correction.Applied {
		t.Errorf("the record: %+v", list)
	}
	b.recover(0, "0 records added")
	if b.refuses() {
		t.Error("serve refuses to start after recover")
	}
}

// Who was added after the copy was made is kept by name, also when somebody else has got
// the number since, and when only people who are not there any more settled a conflict.
func TestRecover_NobodyGetsTheWorkOfOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	copied := b.copied()
	wang, zhou, he := b.add("wang", correction.Agent), b.add("zhou", correction.Supervisor), b.add("he", correction.Supervisor)
	c := b.prepare(wang, "wang", "A1")
	b.send(&c)
	b.follow(&c, correction.Event{State: correction.Unknown})
	b.follow(&c, correction.Event{State: correction.NeedsPerson})
	b.follow(&c, correction.Event{State: correction.NeedsPerson, ActorID: zhou, ActorName: "zhou", Detail: correction.Detail{Text: "核对过", Ruling: correction.RuledApplied}})
	b.follow(&c, correction.Event{State: correction.Resolved, ActorID: he, ActorName: "he", Detail: correction.Detail{Text: "同意", Ruling: correction.RuledApplied, Agrees: 6}})
	b.restore(copied)
	b.open()
	if id := b.add("stranger", correction.Agent); id != wang {
		t.Fatalf("the stranger is %d, wang was %d", id, wang)
	}
	b.close()
	b.recover(0)
	b.record()
	b.open()
	defer b.close()
	got, err := b.st.Correction(t.Context(), c.ID)
	b.ok(err)
	names := []string{got.AuthorName}
	for _, e := range got.Events {
		if e.ActorID != 0 {
			names = append(names, e.ActorName)
		}
	}
	if want := "wang wang wang zhou he"; strings.Join(names, " ") != want || got.State != correction.Resolved {
		t.Errorf("%s by %v, want %s", got.State, names, want)
	}
}

// A console had run on the copy with another journal: what it has on record stays, the
// difference is told, and the console starts once it was.
func TestRecover_TellsWhatDiffersAndOverwritesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.prepare(1, "lin", "A1")
	b.claim(&c)
	copied := b.copied()
	sign := correction.NewSigning(b.tick())
	sending := correction.Event{N: 3, State: correction.Sending, At: b.tick()}
	b.ok(b.st.MarkSending(t.Context(), c.ID, sign, sending, nil))
	c.Events = append(c.Events, sending)
	b.ok(b.j.Sending(t.Context(), c, sign))
	b.follow(&c, correction.Event{State: correction.Applied})
	b.restore(copied)
	b.open()
	b.ok(b.st.Append(t.Context(), c.ID, correction.Claimed, 2, correction.Event{State: correction.NotSent, At: b.tick()}))
	b.close()
	before := b.record()
	b.recover(1, "order A1", "differ", "could not be replayed")
	if after := b.record(); after[0] != before[0] || len(after) != 1 {
		t.Errorf("the record was %+v and is %+v", before, after)
	}
	if b.refuses() {
		t.Error("serve refuses to start for ever")
	}
	l := lane{t: t, data: b.data}
	path := filepath.Join(t.TempDir(), "copy.db")
	b.ok(os.WriteFile(path, copied, 0o600))
	l.lose(path)
	if !b.refuses() {
		t.Error("serve starts on the older copy, which knows of no recover")
	}
}

// Lines of corrections that run at the same time come in any order: the newest one may be
// on record, and one before it not.
func TestServe_ComparesMoreThanTheNewestLine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second := b.prepare(1, "lin", "A1"), b.prepare(1, "lin", "A2")
	b.send(&first)
	b.send(&second)
	applied := correction.Event{N: 4, State: correction.Applied, At: b.tick()}
	b.ok(b.st.Append(t.Context(), first.ID, correction.Sending, 3, applied))
	copied := b.copied()
	b.follow(&second, correction.Event{State: correction.Applied})
	b.ok(b.j.Event(t.Context(), first, applied))
	b.restore(copied)
	if !b.refuses() {
		t.Error("serve starts on the older copy")
	}
	b.recover(0, "1 records added")
	if b.refuses() {
		t.Error("serve refuses to start after recover")
	}
}

// The copy knows nothing of an approval that was given, and of a lower limit that was set
// afterwards; and it holds the order for another one that waited then.
func TestRecover_WhatWasApproved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	zhou := b.add("zhou", correction.Supervisor)
	he := b.add("he", correction.Supervisor)
	first := b.prepare(1, "lin", "A1")
	waits := correction.Event{N: 2, State: correction.Awaiting, At: b.tick(), ActorID: 1, ActorName: "lin", Detail: correction.Detail{Over: []correction.Over{{Code: correction.OverPer, Limit: 5000}}}}
	b.ok(b.st.Submit(t.Context(), first.ID, first.Ref, waits, nil))
	b.ok(b.st.PutSetting(t.Context(), correction.SettingLimits, 1, []byte(`{"roles":{"supervisor":{"per":100}}}`), 0, "", b.tick()))
	copied := b.copied()
	b.ok(b.st.PutSetting(t.Context(), correction.SettingLimits, 2, []byte(`{}`), 0, "", b.tick()))
	b.ok(b.st.Append(t.Context(), first.ID, correction.Awaiting, 2, correction.Event{State: correction.Declined, At: b.tick(), ActorID: zhou, ActorName: "zhou", Detail: correction.Detail{Text: "不同意"}}))

	c := b.prepare(1, "lin", "A1")
	waits.At = b.tick()
	b.ok(b.st.Submit(t.Context(), c.ID, c.Ref, waits, nil))
	approved := correction.Event{N: 3, State: correction.Approved, At: b.tick(), ActorID: zhou, ActorName: "zhou", Detail: correction.Detail{BodySHA256: hex.EncodeToString(c.BodySHA256[:])}}
	claimed := correction.Event{N: 4, State: correction.Claimed, At: b.tick(), ActorID: zhou, ActorName: "zhou", Detail: correction.Detail{Flags: []correction.Flag{{Code: correction.FlagShare, Found: 899, Limit: 500}}}}
	b.ok(b.st.Approve(t.Context(), c.ID, 2, approved, claimed, nil))
	c.Events = append(c.Events, waits, approved, claimed)
	sign := correction.NewSigning(b.tick())
	sending := correction.Event{N: 5, State: correction.Sending, At: b.tick(), Detail: correction.Detail{SignMS: sign.At.UnixMilli()}}
	b.ok(b.st.MarkSending(t.Context(), c.ID, sign, sending, nil))
	c.Events = append(c.Events, sending)
	b.ok(b.j.Sending(t.Context(), c, sign))
	b.follow(&c, correction.Event{State: correction.Applied})
	b.follow(&c, correction.Event{State: correction.Applied, ActorID: he, ActorName: "he", Detail: correction.Detail{Review: correction.ReviewFine}})
	b.restore(copied)
	if !b.refuses() {
		t.Error("serve starts on the older copy")
	}
	b.recover(0)
	list := b.record()
	if len(list) != 2 || list[0].state != correction.Stale || list[1].state != correction.Applied {
		t.Fatalf("the record: %+v", list)
	}
}
