package faulttest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"correction-console/internal/auth"
	"correction-console/internal/config"
	"correction-console/internal/console"
	"correction-console/internal/correction"
	"correction-console/internal/health"
	"correction-console/internal/journal"
	"correction-console/internal/ledger"
	"correction-console/internal/store/sqlite"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

// t0 is when the tests take place.
var t0 = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

const (
	mch       = "1900000109"
	otherMch  = "1900021408"
	serviceID = "2002000000000558128851361561536"
)

const (
	mainHost   = "http://sim"
	backupHost = "http://backup"
)

// tb is what is common to tests and to sequences of rapid.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// people of the tests, by login name. wang and tang may touch another merchant only.
var people = []struct {
	login string
	role  correction.Role
	scope string // empty: every merchant
}{
	{"lin", correction.Agent, ""},
	{"wu", correction.Agent, ""},
	{"wang", correction.Agent, otherMch},
	{"zhou", correction.Supervisor, ""},
	{"qian", correction.Supervisor, ""},
	{"sun", correction.Supervisor, ""},
	{"tang", correction.Supervisor, otherMch},
	{"he", correction.Operator, ""},
	{"shen", correction.Auditor, ""},
}

// actor is one of the people, in a session of theirs.
func actor(login string) correction.Actor {
	for i, p := range people {
		if p.login == login {
			a := correction.Actor{UserID: int64(i + 1), Name: p.login, Role: p.role, Scope: correction.Scope{All: p.scope == ""}, SessionID: int64(i + 1)}
			if p.scope != "" {
				a.Scope.Merchants = []string{p.scope}
			}
			return a
		}
	}
	panic("faulttest: nobody is called " + login)
}

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // net/http tells of answers that are longer than they say
	var err error
	if keyFolder, err = os.MkdirTemp("", "faulttest-"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	os.RemoveAll(keyFolder)
	os.Exit(code)
}

// blank is a new database with the people in it, made once: worlds begin with a copy.
var blank = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "faulttest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	ctx, path := context.Background(), filepath.Join(folder, "console.db")
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	for _, m := range []string{mch, otherMch} {
		err = errors.Join(err, s.PutMerchant(ctx, correction.Merchant{SubMchID: m, Name: "Merchant " + m}))
	}
	for _, p := range people {
		spec := sqlite.UserSpec{Username: p.login, Name: p.login, Role: p.role, All: p.scope == "", PasswordHash: "phc"}
		if p.scope != "" {
			spec.Merchants = []string{p.scope}
		}
		err = errors.Join(err, s.AddUser(ctx, spec))
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// keyFolder holds the console's own keys, the same in all worlds.
var keyFolder string

// signer signs the checkpoints of all worlds.
var signer = sync.OnceValues(func() (*ledger.Signer, error) {
	if _, err := auth.LoadOrCreateKey(filepath.Join(keyFolder, "session.key")); err != nil {
		return nil, err
	}
	return ledger.LoadOrCreateKey(filepath.Join(keyFolder, "checkpoint.key"))
})

// keys are shorter than WeChat's: signing is most of what a run takes.
var keys = sync.OnceValues(func() (*simulator.Keys, error) {
	long, err := simulator.SharedKeys()
	if err != nil {
		return nil, err
	}
	k := *long
	k.Merchant, err = rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		k.Public, err = rsa.GenerateKey(rand.Reader, 1024)
	}
	return &k, err
})

// shared makes what worlds share, outside of every bubble.
func shared(t tb) {
	t.Helper()
	_, err := keys()
	_, berr := blank()
	_, serr := signer()
	_, cerr := certificates()
	if err := errors.Join(err, berr, serr, cerr); err != nil {
		t.Fatalf("%v", err)
	}
}

// inBubble runs f in virtual time with a world that is open.
func inBubble(t *testing.T, o options, f func(t *testing.T, w *world)) {
	t.Helper()
	shared(t)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(t0)) // virtual
		w := newWorld(t, folder(t), o)
		defer w.end()
		f(t, w)
	})
}

// folder is a new one, in memory where that can be: how fast the disk is does not
// matter here.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "faulttest-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// options change a world.
type options struct {
	secure bool // WeChat is spoken to by TLS
	backup bool // there is a backup host
	still  bool // nobody looks after corrections by itself: RunDue does
	policy func(*correction.Policy)
	store  func(correction.Store) correction.Store
}

// world is one console, opened as often as it is started, and the WeChat that it
// talks to.
type world struct {
	t      tb
	o      options
	folder string
	clock  clock
	sim    *simulator.Server
	net    *network
	alarms *alarmLog
	loose  sync.WaitGroup // what goes on after a crash

	crashed bool // it was stopped while something may have been under way

	console *console.Console
	store   *sqlite.Store
	journal *journal.Journal
	gateway *wechat.Gateway
	service *correction.Service
	halt    func() // ends the looking after
}

func newWorld(t tb, folder string, o options) *world {
	t.Helper()
	w := &world{t: t, o: o, folder: folder, alarms: &alarmLog{}, net: newNetwork()}
	image, err := blank()
	w.must(err)
	w.must(os.WriteFile(w.database(), image, 0o600))
	l := net.Listener(w.net.pipe)
	if o.secure {
		l = tls.NewListener(l, good())
	}
	k, err := keys()
	w.must(err)
	w.sim, err = simulator.Serve(l, simulator.WithKeys(k))
	w.must(err)
	w.start()
	return w
}

func (w *world) database() string { return filepath.Join(w.folder, "console.db") }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

// start opens the files and takes up what is there, as the program does.
func (w *world) start() {
	w.t.Helper()
	ctx := context.Background()
	var err error
	c := w.sim.Config()
	c.Host, c.Dial, c.Now = mainHost, w.net.dial, w.clock.Now
	if w.o.secure {
		c.Host, c.CA = "https://sim", authority()
	}
	if w.o.backup {
		c.BackupHost = backupHost
	}
	w.gateway, err = wechat.New(c)
	w.must(err)
	policy := correction.DefaultPolicy()
	gateway := w.gateway
	w.console, err = console.New(ctx, console.Config{
		Config: config.Config{
			Data: w.folder, Journal: filepath.Join(w.folder, "journal"), CheckpointKeyFile: filepath.Join(keyFolder, "checkpoint.key"), SessionKeyFile: filepath.Join(keyFolder, "session.key"),
			Zone: time.UTC, Quiet: policy.Quiet, Recheck: policy.Recheck, FollowFor: policy.FollowFor,
		},
		Shared:  true, // a former process may live on
		Gateway: &gate{gateway, w.net}, Log: slog.New(w.alarms), Now: w.clock.Now, Health: func() correction.Health { return health.Of(gateway.Health()) },
		Alter: func(s *correction.Service, st *sqlite.Store) error {
			if w.o.policy != nil {
				w.o.policy(&s.Policy)
			}
			if w.o.store != nil {
				s.Store = w.o.store(st)
			}
			return nil
		},
	})
	w.must(err)
	w.store, w.journal, w.service = w.console.Store, w.console.Journal, w.console.Service
	w.must(w.service.Recover(ctx))
	w.must(w.service.StartReconciling(ctx))
	w.halt = func() {}
	if w.o.still {
		return
	}
	watching, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	service := w.service
	go func() {
		defer close(done)
		service.Reconcile(watching)
	}()
	w.halt = func() {
		cancel()
		<-done
	}
}

// stop closes the files. What is under way loses them, as in a crash: nothing more
// comes to the record.
func (w *world) stop() {
	w.t.Helper()
	w.crashed = true
	halt := w.halt
	w.loose.Go(halt)
	if err := w.console.Close(); err != nil && !errors.Is(err, os.ErrClosed) { // the journal, by the test
		w.t.Errorf("stop: %v", err)
	}
}

// restart is a crash and a new start over the same files.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// end closes everything, so that the bubble can end.
func (w *world) end() {
	w.sim.Disarm()
	w.net.heal()
	w.stop()
	w.sim.Close()
	w.net.close()
	w.loose.Wait()
}

// verify checks the whole record against its newest checkpoint.
func (w *world) verify() sqlite.Verification {
	w.t.Helper()
	ctx := context.Background()
	cp, err := w.store.Checkpoint(ctx)
	w.must(err)
	key, err := signer()
	w.must(err)
	known, err := ledger.Open([]byte(cp.Note), key.VerifierKey())
	w.must(err)
	v, err := sqlite.Verify(ctx, w.database(), []string{key.VerifierKey()}, known)
	if err != nil {
		w.t.Errorf("the record does not verify: %v", err)
	}
	return v
}

// put adds an order of two items that is to be paid, and returns its name.
func (w *world) put(no string, total correction.Fen) correction.Ref {
	small := total / 4
	w.sim.Put(simulator.Order{Order: correction.Order{
		SubMchID: mch, ServiceID: serviceID, OutOrderNo: no, Introduction: "就餐", OrderID: "1000000000" + no,
		State: correction.OrderDoing, StateDescription: correction.MchComplete, HasTotal: true, Total: total,
		Lines: []correction.Line{
			{Name: "就餐费用", Description: "就餐人均100元", Amount: total - small, HasAmount: true, Count: 4},
			{Name: "其他费用", Amount: small, HasAmount: true, Count: 1},
		},
		RiskFund:   correction.RiskFund{Name: "ESTIMATE_ORDER_COST", Amount: 100000},
		Collection: correction.Collection{State: correction.UserPaying, Total: total, Paying: total},
	}})
	return correction.Ref{SubMchID: mch, ServiceID: serviceID, OutOrderNo: no}
}

// open opens the form of an order and writes a lower total into it.
func (w *world) open(a correction.Actor, ref correction.Ref, target correction.Fen) (correction.Form, error) {
	o, err := w.service.OpenForm(context.Background(), a, ref)
	if err != nil {
		return correction.Form{}, err
	}
	f := correction.FormOf(o.Order, o.Device)
	f.Lines[0].Amount, f.Lines[1].Amount = (target - target/4).Yuan(), (target / 4).Yuan()
	f.ReasonCode, f.Base = "complaint", fmt.Sprintf("%x", o.Base)
	return f, nil
}

// prepare prepares a correction of an order to the target. from is what it tries
// again, 0 for nothing.
func (w *world) prepare(a correction.Actor, ref correction.Ref, target correction.Fen, from int64) (int64, error) {
	f, err := w.open(a, ref, target)
	if err != nil {
		return 0, err
	}
	r, err := w.service.Prepare(context.Background(), a, ref, f, from)
	return r.ID, err
}

// prepared is prepare for what must work.
func (w *world) prepared(ref correction.Ref, target correction.Fen) int64 {
	w.t.Helper()
	id, err := w.prepare(actor("lin"), ref, target, 0)
	w.must(err)
	return id
}

// confirm confirms a correction as its page does.
func (w *world) confirm(a correction.Actor, id int64) error {
	c, err := w.service.Correction(context.Background(), a, id)
	if err != nil {
		return err
	}
	return w.service.Confirm(context.Background(), a, id, w.service.Token(c), c.Target.Yuan())
}

// correction reads a correction from the record.
func (w *world) correction(id int64) correction.Correction {
	w.t.Helper()
	c, err := w.store.Correction(context.Background(), id)
	w.must(err)
	return c
}

// probe looks whether the main host is up, as the program does each minute.
func (w *world) probe() { w.gateway.Probe(context.Background()) }

func (w *world) arm(f simulator.Fault) {
	w.t.Helper()
	w.must(w.sim.Script(f))
}

// lineOf is one line of the journal, in short.
type lineOf struct {
	id     int64
	n      int
	state  correction.State
	intent bool
	nonce  string
}

func (w *world) journalLines() []lineOf {
	w.t.Helper()
	var all []lineOf
	damaged, err := journal.Read(filepath.Join(w.folder, "journal"), func(r journal.Record) error {
		l := lineOf{id: r.Correction.ID, n: r.Event.N, state: r.Event.State, intent: r.Intent, nonce: r.Signing.Nonce}
		if r.Intent {
			l.n, l.state = r.Correction.Last().N, correction.Sending
		}
		all = append(all, l)
		return nil
	})
	w.must(err)
	if len(damaged) > 0 {
		w.t.Errorf("the journal is damaged: %v", damaged)
	}
	return all
}

// states are the states of a correction's record, one after the other.
func states(c correction.Correction) string {
	var all []string
	for _, e := range c.Events {
		all = append(all, string(e.State))
	}
	return strings.Join(all, " ")
}

// alarmLog keeps the alarms of a log.
type alarmLog struct {
	mu  sync.Mutex
	all []alarmLine
}

type alarmLine struct {
	at   time.Time // true
	kind string
	id   int64
}

func (l *alarmLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l *alarmLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *alarmLog) WithGroup(string) slog.Handler                    { return l }

func (l *alarmLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "alarm" {
		return nil
	}
	a := alarmLine{at: time.Now()}
	r.Attrs(func(at slog.Attr) bool {
		switch at.Key {
		case "kind":
			a.kind = fmt.Sprint(at.Value.Any())
		case "correction":
			a.id = at.Value.Int64()
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, a)
	return nil
}

// of lists when the alarm was logged for a correction.
func (l *alarmLog) of(id int64, kind string) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Time
	for _, a := range l.all {
		if a.id == id && a.kind == kind {
			all = append(all, a.at)
		}
	}
	return all
}

// concerns lists what supervisors are told at present.
func (w *world) concerns() []correction.Concern {
	var all []correction.Concern
	for _, a := range w.service.Alarms(context.Background()) {
		all = append(all, a.Concern)
	}
	slices.Sort(all)
	return all
}
