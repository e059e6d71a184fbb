package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/changelog"
	"correction-console/internal/correction"
	"correction-console/internal/dayclose"
	"correction-console/internal/insights"
	"correction-console/internal/ledger"
)

// reads are all operations that read, each on its own. What writes is in writes.
var reads = map[string]func(context.Context, *Store) error{
	"Merchant":      func(ctx context.Context, s *Store) error { _, err := s.Merchant(ctx, "1"); return err },
	"Merchants":     func(ctx context.Context, s *Store) error { _, err := s.Merchants(ctx); return err },
	"Offering":      func(ctx context.Context, s *Store) error { _, err := s.Offering(ctx, "1"); return err },
	"Offerings":     func(ctx context.Context, s *Store) error { _, err := s.Offerings(ctx); return err },
	"People":        func(ctx context.Context, s *Store) error { _, err := s.People(ctx); return err },
	"Snapshot":      func(ctx context.Context, s *Store) error { _, err := s.Snapshot(ctx, [32]byte{}); return err },
	"Draft":         func(ctx context.Context, s *Store) error { _, err := s.Draft(ctx, 1, ref("A")); return err },
	"LookedAt":      func(ctx context.Context, s *Store) error { _, err := s.LookedAt(ctx, 1, ref("A")); return err },
	"Settings":      func(ctx context.Context, s *Store) error { _, err := s.Settings(ctx); return err },
	"Correction":    func(ctx context.Context, s *Store) error { _, err := s.Correction(ctx, 1); return err },
	"Holder":        func(ctx context.Context, s *Store) error { _, err := s.Holder(ctx, ref("A")); return err },
	"Preparing":     func(ctx context.Context, s *Store) error { _, err := s.Preparing(ctx, ref("A"), t0); return err },
	"OfOrder":       func(ctx context.Context, s *Store) error { _, err := s.OfOrder(ctx, ref("A"), 5); return err },
	"OfAuthor":      func(ctx context.Context, s *Store) error { _, err := s.OfAuthor(ctx, everything, 1, 5); return err },
	"LastDevice":    func(ctx context.Context, s *Store) error { _, err := s.LastDevice(ctx, ref("A")); return err },
	"LastRefusal":   func(ctx context.Context, s *Store) error { _, err := s.LastRefusal(ctx, ref("A")); return err },
	"SavedFilters":  func(ctx context.Context, s *Store) error { _, err := s.SavedFilters(ctx, 1); return err },
	"Unfinished":    func(ctx context.Context, s *Store) error { _, err := s.Unfinished(ctx); return err },
	"Successor":     func(ctx context.Context, s *Store) error { _, err := s.Successor(ctx, 1); return err },
	"RetryTail":     func(ctx context.Context, s *Store) error { _, err := s.RetryTail(ctx, 1); return err },
	"Concerns":      func(ctx context.Context, s *Store) error { _, err := s.Concerns(ctx, t0); return err },
	"Expired":       func(ctx context.Context, s *Store) error { _, err := s.Expired(ctx, t0, 5); return err },
	"FilterOptions": func(ctx context.Context, s *Store) error { _, err := s.FilterOptions(ctx); return err },
	"Origins":       func(ctx context.Context, s *Store) error { _, err := s.Origins(ctx, []int64{1}); return err },
	"Questions":     func(ctx context.Context, s *Store) error { _, err := s.Questions(ctx, 1, 5); return err },
	"DayRecords":    func(ctx context.Context, s *Store) error { _, err := s.DayRecords(ctx, "2026-11-20"); return err },
	"UserByName":    func(ctx context.Context, s *Store) error { _, err := s.UserByName(ctx, "lin"); return err },
	"UserByID":      func(ctx context.Context, s *Store) error { _, err := s.UserByID(ctx, 1); return err },
	"SessionOwner":  func(ctx context.Context, s *Store) error { _, err := s.SessionOwner(ctx, [32]byte{}); return err },
	"Sessions":      func(ctx context.Context, s *Store) error { _, err := s.Sessions(ctx, 1, t0, t0); return err },
	"Users":         func(ctx context.Context, s *Store) error { _, err := s.Users(ctx); return err },
	"Ping":          func(ctx context.Context, s *Store) error { return s.Ping(ctx) },
	"CatalogHistory": func(ctx context.Context, s *Store) error {
		_, err := s.CatalogHistory(ctx, correction.CatalogServices, 5)
		return err
	},
	"Awaiting":      func(ctx context.Context, s *Store) error { _, err := s.Awaiting(ctx, everything, 5); return err },
	"AwaitingCount": func(ctx context.Context, s *Store) error { _, err := s.AwaitingCount(ctx, everything, t0); return err },
	"AuthorRecord":  func(ctx context.Context, s *Store) error { _, _, err := s.AuthorRecord(ctx, 1, t0); return err },
	"Voided":        func(ctx context.Context, s *Store) error { _, err := s.Voided(ctx, everything, t0, 5); return err },
	"Spent":         func(ctx context.Context, s *Store) error { _, err := s.Spent(ctx, 1, t0); return err },
	"FlagFacts": func(ctx context.Context, s *Store) error {
		_, err := s.FlagFacts(ctx, sample(1, ref("A"), t0), correction.FlagQuestion{Again: t0.AddDate(0, 0, -30), Pair: t0.AddDate(0, 0, -30)})
		return err
	},
	"SettingHistory": func(ctx context.Context, s *Store) error {
		_, err := s.SettingHistory(ctx, "limits", 5)
		return err
	},
	"MerchantsOfOrder": func(ctx context.Context, s *Store) error {
		_, err := s.MerchantsOfOrder(ctx, "A", everything)
		return err
	},
	"Log": func(ctx context.Context, s *Store) error {
		for _, f := range manyFilters {
			for _, sort := range []changelog.LogSort{changelog.ByTime, changelog.ByReduction} {
				if _, _, err := s.Log(ctx, f, changelog.Page{Limit: 5, Sort: sort}); err != nil {
					return err
				}
			}
		}
		return nil
	},
	"Count": func(ctx context.Context, s *Store) error {
		for _, f := range manyFilters {
			if _, _, err := s.Count(ctx, f, 10_000); err != nil {
				return err
			}
		}
		return nil
	},
	"Export": func(ctx context.Context, s *Store) error {
		for _, f := range manyFilters {
			for _, sort := range []changelog.LogSort{changelog.ByTime, changelog.ByReduction} {
				// Whoever takes a portion may read: nothing is held meanwhile.
				if err := s.Export(ctx, f, sort, func([]correction.Summary) error { return s.Ping(ctx) }); err != nil {
					return err
				}
			}
		}
		return nil
	},
	"Attention": func(ctx context.Context, s *Store) error {
		_, err := s.Attention(ctx, everything, 0, 1, t0, 5)
		return err
	},
	"InState": func(ctx context.Context, s *Store) error { _, err := s.InState(ctx, correction.Unknown); return err },
	"Due": func(ctx context.Context, s *Store) error {
		_, err := s.Due(ctx, everything, 5)
		return err
	},
	"Authors": func(ctx context.Context, s *Store) error {
		_, err := s.Authors(ctx, everything)
		_, some := s.Authors(ctx, correction.Scope{Merchants: []string{"1900000109"}})
		return errors.Join(err, some)
	},
	"Complete": func(ctx context.Context, s *Store) error { return s.Complete(ctx, []correction.Summary{{ID: 1}}) },
	"ReviewList": func(ctx context.Context, s *Store) error {
		for _, tab := range correction.ReviewTabs {
			if _, _, err := s.ReviewList(ctx, correction.ReviewQuery{Scope: everything, Tab: tab, Limit: 5}); err != nil {
				return err
			}
		}
		return nil
	},
	"ReviewCount": func(ctx context.Context, s *Store) error {
		for _, tab := range correction.ReviewTabs {
			if _, err := s.ReviewCount(ctx, correction.ReviewQuery{Scope: everything, Tab: tab, Limit: 5}); err != nil {
				return err
			}
		}
		return nil
	},
	"DayCounts": func(ctx context.Context, s *Store) error {
		_, err := s.DayCounts(ctx, everything, t0.Add(-time.Hour), t0.AddDate(1, 0, 0), t0)
		return err
	},
	"Facts": func(ctx context.Context, s *Store) error {
		return s.Facts(ctx, t0.AddDate(-1, 0, 0), t0.AddDate(1, 0, 0), true, func(*insights.FactBlock) {})
	},
	"RollUp":     func(ctx context.Context, s *Store) error { _, err := s.RollUp(ctx, 100); return err },
	"Checkpoint": func(ctx context.Context, s *Store) error { _, err := s.Checkpoint(ctx); return err },
	"NewestCheckpoint": func(ctx context.Context, s *Store) error {
		_, err := s.NewestCheckpoint(ctx)
		return err
	},
	"Proof": func(ctx context.Context, s *Store) error { _, err := s.Proof(ctx, 1); return err },
	"SessionUser": func(ctx context.Context, s *Store) error {
		_, _, err := s.SessionUser(ctx, [32]byte{}, t0, t0)
		return err
	},
	"Find":   func(ctx context.Context, s *Store) error { _, err := s.Find(ctx, [32]byte{}); return err },
	"Holds":  func(ctx context.Context, s *Store) error { _, err := s.Holds(ctx, 1, 1); return err },
	"Marked": func(ctx context.Context, s *Store) error { _, err := s.Marked(ctx, [32]byte{}); return err },
	"Firsts": func(ctx context.Context, s *Store) error {
		_, err := s.Firsts(ctx, ref("A"), 1, 1, 1)
		return err
	},
	"Undecided": func(ctx context.Context, s *Store) error { _, err := s.Undecided(ctx, 100); return err },
	"Checked": func(ctx context.Context, s *Store) error {
		_, err := s.Checked(ctx, everything, t0.AddDate(0, 0, -30), 5)
		return err
	},
	"Pending":    func(ctx context.Context, s *Store) error { _, err := s.Pending(ctx, t0); return err },
	"Proposals":  func(ctx context.Context, s *Store) error { _, err := s.Proposals(ctx); return err },
	"Decided":    func(ctx context.Context, s *Store) error { _, err := s.Decided(ctx, "limits", 5); return err },
	"PersonByID": func(ctx context.Context, s *Store) error { _, err := s.PersonByID(ctx, 1); return err },
	"SentAfter":  func(ctx context.Context, s *Store) error { _, err := s.SentAfter(ctx, t0, time.Minute); return err },
	"RecentSignIns": func(ctx context.Context, s *Store) error {
		_, err := s.RecentSignIns(ctx, 5)
		return err
	},
	"RootAt":    func(ctx context.Context, s *Store) error { _, err := s.RootAt(ctx, 3); return err },
	"HighWater": func(ctx context.Context, s *Store) error { _, _, err := s.HighWater(ctx); return err },
	"Size":      func(ctx context.Context, s *Store) error { _, err := s.Size(ctx); return err },
	"Logs":      func(ctx context.Context, s *Store) error { _, err := s.Logs(ctx); return err },
	"Losses":    func(ctx context.Context, s *Store) error { _, err := s.Losses(ctx); return err },
	"Tries":     func(ctx context.Context, s *Store) error { _, err := s.Tries(ctx, 1); return err },
}

var everything = correction.Scope{All: true}

// manyFilters need each way to an answer.
var manyFilters = func() []changelog.LogFilter {
	low, high, permille := correction.Fen(100), correction.Fen(5000), 300
	list := []changelog.LogFilter{
		{}, {Text: "已核实"}, {Text: "no such word"}, {Text: "1"}, {State: correction.Unknown}, {State: changelog.AnyEffective}, {State: correction.Applied},
		{MinReduction: &low, MaxReduction: &high}, {MinPermille: &permille}, {From: t0.Add(-time.Hour), To: t0.Add(time.Hour)}, {OutOrderNo: "A1"},
		{Device: "D-1"}, {Agent: "lin"}, {Review: correction.ReviewNone}, {Text: "note", State: correction.Applied, MinReduction: &low, From: t0.Add(-time.Hour)},
	}
	for i := range list {
		list[i].Scope = everything
	}
	for _, f := range list {
		f.Veil = correction.Veil{Viewer: 1, From: 100} // what is kept from whoever may decide
		list = append(list, f)
	}
	return append(list, changelog.LogFilter{Scope: correction.Scope{Merchants: []string{"1900000109"}}})
}()

// writes change something, or open and close.
var writes = strings.Fields(`EditMerchant EditOffering PutMerchant PutOffering SaveSnapshot SaveDraft DeleteDraft Prepare Claim Submit Approve NoteLook PutSetting MarkSending Append
	SaveFilter DeleteFilter PutDay AppendAudit SetPassword Rehash SetPreferences CreateSession TouchSession RevokeSession CountAttempt Lock ClearAttempts AddUser EditUser
	SetDisabled ResetPassword PruneDrafts PruneLooks PruneAttempts Replay ReplayEvent Mark SetSigner Close Broken
	AcceptLosses AddOffering Decide EditSetting Propose TotalRight TryTotal Void`)

// No read asks for a second connection while it holds one: not even where every pool has
// but one, and nothing was ever prepared. Which operations there are the types tell, so
// that a new one needs a case.
func TestReads_HoldOneConnection(t *testing.T) {
	t.Parallel()
	path := func() string {
		s := openTest(t)
		history(t, s, 60, rand.New(rand.NewPCG(1, 2)))
		must(t, s.Close())
		return s.path
	}()
	names := map[string]bool{}
	for _, of := range []reflect.Type{reflect.TypeFor[correction.Store](), reflect.TypeFor[changelog.Store](), reflect.TypeFor[insights.Store](), reflect.TypeFor[dayclose.Store](), reflect.TypeFor[auth.Store](), reflect.TypeFor[*Store]()} {
		for i := range of.NumMethod() {
			names[of.Method(i).Name] = true
		}
	}
	for name := range names {
		if _, ok := reads[name]; !ok && !slices.Contains(writes, name) {
			t.Errorf("%s is new: give it a case in reads, or a place in writes", name)
		}
	}
	signer, err := ledger.LoadOrCreateKey(t.TempDir() + "/key")
	must(t, err)
	for name, read := range reads {
		if !names[name] {
			t.Errorf("there is no %s", name)
			continue
		}
		s := openAt(t, path)
		s.SetSigner(signer)
		for _, p := range []*readPool{&s.reader, &s.heavy, &s.search, &s.export} {
			<-p.free
			for p.links = 1; len(p.free) > 0; { // the others are never given back
				<-p.free
				p.pop()
			}
			p.free <- struct{}{}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		for range 2 {
			if err := read(ctx, s); err != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, correction.ErrCrowded) || errors.Is(err, correction.ErrSlow)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		cancel()
		for _, p := range []*readPool{&s.reader, &s.heavy, &s.search, &s.export} {
			if len(p.free) != 1 {
				t.Errorf("%s keeps its connection", name)
			}
		}
		must(t, s.Close())
	}
}

// The guard finds what it is for.
func TestRefuseNested_FindsNestedReads(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	finds := func(what string, nest func()) {
		t.Helper()
		defer func() {
			if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "a second connection") {
				t.Errorf("%s: %v", what, r)
			}
		}()
		nest()
	}
	for name, p := range map[string]*readPool{"the same pool": &s.reader, "another pool": &s.heavy} {
		rows, err := p.query(t.Context(), `SELECT 1`)
		must(t, err)
		finds(name, func() { s.Ping(t.Context()) })
		rows.Close()
	}
	rows, err := s.reader.query(t.Context(), `SELECT 1`)
	must(t, err)
	finds("the writer", func() { s.AppendAudit(t.Context(), correction.AuditEntry{At: t0, Action: "x"}) })
	rows.Close()
	err = s.write(t.Context(), func(w *writeTx) error { return s.Ping(t.Context()) })
	if err == nil || !strings.Contains(err.Error(), "a second connection") {
		t.Errorf("within the writer: %v", err)
	}
	must(t, s.Ping(t.Context()))
}

// endless never finds a row.
const endless = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0`

// Reading has a deadline, and says that it was that; the connection is good afterwards.
func TestReads_HaveADeadline(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	for name, p := range map[string]*readPool{"reader": &s.reader, "heavy": &s.heavy, "export": &s.export} {
		if p.within <= 0 || p.within > 30*time.Second || p.wait <= 0 {
			t.Errorf("%s: %+v", name, p.readLimits)
		}
		p.within = 30 * time.Millisecond
		var n int
		if err := p.row(t.Context(), endless).Scan(&n); !errors.Is(err, correction.ErrSlow) {
			t.Errorf("%s: one row: %v", name, err)
		}
		_, err := p.query(t.Context(), endless)
		if !errors.Is(err, correction.ErrSlow) {
			t.Errorf("%s: rows: %v", name, err)
		}
		m, err := p.moment(t.Context())
		must(t, err)
		if _, err := m.number(m.ctx, endless); !errors.Is(err, correction.ErrSlow) {
			t.Errorf("%s: a moment: %v", name, err)
		}
		m.close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.row(ctx, endless).Scan(&n); !errors.Is(err, context.Canceled) || errors.Is(err, correction.ErrSlow) {
			t.Errorf("%s: a caller that went away: %v", name, err)
		}
		p.within = time.Minute
		for range p.links + 1 {
			must(t, p.row(t.Context(), `SELECT 1`).Scan(&n))
		}
		equal(t, name+" connections", len(p.free), p.links)
	}
}

// While all heavy connections are held, and as many wait as may, another one is refused
// at once, and light reads know nothing of it.
func TestReads_HeavyOnesQueueUp(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	history(t, s, 20, rand.New(rand.NewPCG(1, 2)))
	s.heavy.queue = 3
	release := make(chan struct{})
	var all, held sync.WaitGroup
	from, to := t0.AddDate(-1, 0, 0), t0.AddDate(1, 0, 0)
	for range s.heavy.links {
		held.Add(1)
		first := sync.OnceFunc(held.Done)
		all.Go(func() {
			if err := s.Facts(context.Background(), from, to, false, func(*insights.FactBlock) { first(); <-release }); err != nil {
				t.Error(err)
			}
		})
	}
	held.Wait()
	for range s.heavy.queue {
		all.Go(func() {
			if _, err := s.DayCounts(context.Background(), everything, from, to, t0); err != nil {
				t.Error(err)
			}
		})
	}
	for s.heavy.waiting.Load() < int64(s.heavy.queue) {
		runtime.Gosched()
	}
	if _, err := s.DayCounts(t.Context(), everything, from, to, t0); !errors.Is(err, correction.ErrCrowded) {
		t.Errorf("one more: %v", err)
	}
	for _, name := range []string{"Log", "Merchants", "Correction", "SessionUser", "Count"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := reads[name](ctx, s); errors.Is(err, correction.ErrCrowded) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s waits for heavy reads: %v", name, err)
		}
		cancel()
	}
	id := prepare(t, s, sample(1, ref("WHILE"), t0))
	must(t, s.Claim(t.Context(), id, ref("WHILE"), correction.Event{State: correction.Claimed, At: t0}, nil))
	close(release)
	all.Wait()
}

// The writer waits for nobody who waits for a connection: a value that was never filtered
// by makes it forget the directory, which somebody is about to read.
func TestWrite_DoesNotWaitForReads(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	u := person(t, s, "lin", correction.Agent)
	var held []*hold
	for range s.reader.links {
		// In a goroutine each, as pages are.
		got := make(chan *hold)
		go func() {
			h, err := s.reader.hold(context.Background())
			if err != nil {
				t.Error(err)
			}
			got <- h
		}()
		held = append(held, <-got)
	}
	waits := make(chan error, 1)
	go func() { _, err := s.Merchants(context.Background()); waits <- err }()
	for s.reader.waiting.Load() == 0 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithTimeout(t.Context(), s.reader.wait/2)
	defer cancel()
	if _, err := s.Prepare(ctx, sample(u.ID, ref("NEW"), t0)); err != nil {
		t.Error(err)
	}
	for _, h := range held {
		h.close()
	}
	must(t, <-waits)
	authors, err := s.Authors(t.Context(), everything)
	must(t, err)
	equal(t, "authors after the edit", len(authors), 1)
}

// A person whose request ends in the middle of its work undoes nobody else's.
func TestWrite_ContextThatEndsUndoesNobodyElse(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	audit := func(ctx context.Context, action string) func(*writeTx) error {
		return func(w *writeTx) error { return w.audit(ctx, correction.AuditEntry{At: t0, Action: action}) }
	}
	errs := group(t, s, audit(t.Context(), "first"), func(w *writeTx) error {
		cancel()
		var n int
		if err := w.row(ctx, `SELECT count(*) FROM audit`).Scan(&n); err != nil {
			return err
		}
		return audit(ctx, "second")(w)
	}, audit(t.Context(), "third"))
	for i, err := range errs {
		if err != nil {
			t.Errorf("unit %d: %v", i, err)
		}
	}
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// Pages that overlap each other without a gap, heavy ones too, do not keep the
// write-ahead log from being emptied; SQLite alone would let it grow.
func TestLog_IsEmptiedUnderReadsWithoutAGap(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	must(t, s.SaveSnapshot(t.Context(), [32]byte{1}, []byte("x"), t0))
	// The bounds and what is written, a twelfth of the real ones.
	s.log = logBounds{1 << 20, usualLog.tooLong / 12}
	var commits atomic.Int64
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for _, p := range []*readPool{&s.reader, &s.heavy} {
		turn := make(chan struct{}, 1)
		turn <- struct{}{}
		for range 2 {
			readers.Go(func() {
				for {
					select {
					case <-turn:
					case <-stop:
						return
					}
					m, err := p.moment(context.Background())
					if err == nil {
						_, err = m.number(m.ctx, `SELECT count(*) FROM snapshot`)
					}
					if err != nil && !errors.Is(err, correction.ErrCrowded) { // it was ended for the log's sake
						t.Error(err)
					}
					turn <- struct{}{} // the next one begins while this one reads what is old by now
					for then := commits.Load(); err == nil && commits.Load() < then+2 && !stopped(stop) && m.ctx.Err() == nil; {
						runtime.Gosched()
					}
					if m.hold != nil {
						m.close()
					}
				}
			})
		}
	}
	const writes = 250
	text := strings.Repeat("x", 64<<10)
	most := int64(0)
	for range writes {
		must(t, s.AppendAudit(t.Context(), correction.AuditEntry{At: t0, Action: "x", Detail: text}))
		commits.Add(1)
		most = max(most, s.logSize())
	}
	close(stop)
	readers.Wait()
	t.Logf("%d MB were written; the log had up to %d MB", writes*len(text)>>20, most>>20)
	// SQLite's own begin is at 4 MB, whatever the bounds.
	if most > 7<<20 {
		t.Errorf("the log grew to %d MB", most>>20)
	}
}

// A filter or a total of the change log that takes long holds up other filters only: who
// signs in, looks up or confirms waits for none of them.
func TestReads_FiltersOfTheLogHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	history(t, s, 20, rand.New(rand.NewPCG(1, 2)))
	var all, taken sync.WaitGroup
	release := make(chan struct{})
	for range searchReads.links { // each by a goroutine of its own, as pages are
		taken.Add(1)
		all.Go(func() {
			h, err := s.search.hold(context.Background())
			taken.Done()
			if err != nil {
				t.Error(err)
				return
			}
			<-release
			h.close()
		})
	}
	taken.Wait()
	for name, read := range reads {
		if name == "Log" || name == "Count" || name == "OfAuthor" { // which is Log with a filter by author
			continue
		}
		if err := read(t.Context(), s); err != nil && !errors.Is(err, correction.ErrNoRow) && !errors.Is(err, auth.ErrNoSession) && name != "Checkpoint" && name != "HighWater" && name != "Proof" {
			t.Errorf("%s: %v", name, err)
		}
	}
	filter := changelog.LogFilter{Scope: everything, State: correction.Applied}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := s.Log(ctx, filter, changelog.Page{Limit: 5}); err == nil {
		t.Error("a filter does not take one of its own connections")
	}
	if _, _, err := s.Count(ctx, filter, 10); err == nil {
		t.Error("a total does not take one of its own connections")
	}
	close(release)
	all.Wait()
	if _, _, err := s.Log(t.Context(), changelog.LogFilter{Scope: everything, State: correction.Applied}, changelog.Page{Limit: 5}); err != nil {
		t.Error(err)
	}
}
