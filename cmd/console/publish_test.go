package main

import (
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"correction-console/internal/checkpoint"
	"correction-console/internal/config"
	"correction-console/internal/correction"
	"correction-console/internal/health"
	"correction-console/internal/ledger"
	"correction-console/internal/wechat"
	"correction-console/internal/wechat/simulator"
)

// keeper is who keeps checkpoints elsewhere.
type keeper struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []string
}

func keep(t *testing.T) *keeper {
	k := &keeper{status: http.StatusNoContent}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		k.mu.Lock()
		defer k.mu.Unlock()
		if err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s %s: %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		if r.URL.Path == "/other" {
			t.Error("a redirect was followed")
		}
		if k.status == http.StatusFound {
			http.Redirect(w, r, "/other", http.StatusFound)
			return
		}
		if k.status/100 == 2 {
			k.got = append(k.got, string(text))
		}
		w.WriteHeader(k.status)
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *keeper) answer(status int) {
	k.mu.Lock()
	k.status = status
	k.mu.Unlock()
}

// signedBench is a bench whose record is signed.
func signedBench(t *testing.T) (*bench, *ledger.Signer) {
	b := newBench(t)
	signer, err := ledger.LoadOrCreateKey(filepath.Join(b.data, "checkpoint.key"))
	b.ok(err)
	b.st.SetSigner(signer)
	return b, signer
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func monitor(cfg config.Config, b *bench, gw *wechat.Gateway, p *checkpoint.Publisher) *health.Monitor {
	return health.New(health.Config{
		Data: cfg.Data, Database: config.DatabasePath(cfg.Data), Journal: cfg.Journal, MinFree: cfg.MinFree,
		Gateway: gw, Store: b.st, Published: p.State, Log: quietLog(),
	})
}

// A checkpoint that cannot leave is told of, and tried again until it has.
func TestPublish_WhatCannotLeaveIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	b, _ := signedBench(t)
	defer b.close()
	k := keep(t)
	cfg := config.Config{Data: b.data, Journal: filepath.Join(b.data, "journal"), CheckpointFolder: filepath.Join(t.TempDir(), "kept"), CheckpointURL: k.URL + "/hook?key=s3cret"}
	p := checkpoint.NewPublisher(cfg.CheckpointFolder, cfg.CheckpointURL, b.st, quietLog())
	sim, err := simulator.Start("127.0.0.1:0")
	b.ok(err)
	defer sim.Close()
	gw, err := wechat.New(sim.Config())
	b.ok(err)
	m := monitor(cfg, b, gw, p)
	state := func(fault string, published bool) {
		t.Helper()
		p.Publish(t.Context())
		now := m.Now()
		if (fault == "") != (now.PublishFault == "") || !strings.Contains(now.PublishFault, fault) || now.PublishedAt.IsZero() == published {
			t.Errorf("fault %q at %s, want %q", now.PublishFault, now.PublishedAt, fault)
		}
		if strings.Contains(now.PublishFault+now.CheckpointTo, "s3cret") || !strings.Contains(now.CheckpointTo, cfg.CheckpointFolder) {
			t.Errorf("tells %q, %q", now.CheckpointTo, now.PublishFault)
		}
	}
	state("no such file", false)
	b.ok(os.Mkdir(cfg.CheckpointFolder, 0o700))
	k.answer(http.StatusInternalServerError)
	state("answer 500", false)
	k.answer(http.StatusFound)
	state("answer 302", false)
	k.answer(http.StatusNoContent)
	state("", true)
	k.answer(http.StatusTeapot)
	state("", true) // nothing came to the record: there is nothing to send
	c := b.prepare(1, "lin", "A1")
	b.claim(&c)
	state("answer 418", true)
	k.Close()
	state("no answer", true)
	b.ok(os.RemoveAll(cfg.CheckpointFolder))
	state("no such file", true)
	b.ok(os.Mkdir(cfg.CheckpointFolder, 0o700))
	p.URL = ""
	state("", true)
	names, err := os.ReadDir(cfg.CheckpointFolder)
	b.ok(err)
	if len(names) != 1 || names[0].Name() != "checkpoint-000000000002.txt" {
		t.Errorf("the folder holds %v", names)
	}
	if len(k.got) == 0 {
		t.Error("nothing was posted")
	}
}

// What is in the folder is a whole checkpoint at any time, and each of them is of the
// same record.
func TestPublish_EachCheckpointAgreesWithTheLaterOnes(t *testing.T) {
	t.Parallel()
	b, signer := signedBench(t)
	folder := t.TempDir()
	p := checkpoint.NewPublisher(folder, "", b.st, quietLog())
	p.Publish(t.Context())
	for i := range 6 {
		c := b.prepare(1, "lin", fmt.Sprintf("A%d", i))
		if i%2 == 0 {
			b.claim(&c)
		}
		p.Publish(t.Context())
		p.Publish(t.Context())
	}
	b.close()
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	b.ok(err)
	var all []ledger.Checkpoint
	args := []string{"verify"}
	for _, name := range names {
		text, err := os.ReadFile(name)
		b.ok(err)
		c, err := ledger.Open(text, signer.VerifierKey())
		b.ok(err)
		all = append(all, c)
		args = append(args, "--checkpoint", name)
	}
	if len(all) != 7 || all[6].Size != 9 {
		t.Fatalf("%d checkpoints: %v", len(all), names)
	}
	db, err := sql.Open("sqlite", filepath.Join(b.data, "console.db"))
	b.ok(err)
	defer db.Close()
	hashes := ledger.RowReader(func(is []int64) (map[int64][]byte, error) {
		rows := map[int64][]byte{}
		for _, i := range is {
			var h []byte
			if err := db.QueryRow(`SELECT hashes FROM leaf WHERE i = ?`, i).Scan(&h); err != nil {
				return nil, err
			}
			rows[i] = h
		}
		return rows, nil
	})
	for i, older := range all {
		for _, newer := range all[i:] {
			if err := ledger.Consistent(older, newer, hashes); err != nil {
				t.Errorf("%d and %d: %v", older.Size, newer.Size, err)
			}
		}
	}
	if code, out, msg := execute(t, b.env, "", args...); code != 0 {
		t.Errorf("verify: %d\n%s%s", code, out, msg)
	}
}

// After an older copy took the record's place there may be a checkpoint of the same size
// that is another. It stays, and the new one leaves, too.
func TestPublish_ACheckpointOfAnotherHistoryDoesNotStandInForIt(t *testing.T) {
	t.Parallel()
	b, _ := signedBench(t)
	defer b.close()
	folder := t.TempDir()
	former := filepath.Join(folder, "checkpoint-000000000001.txt")
	b.ok(os.WriteFile(former, []byte("of another history"), 0o644))
	b.prepare(1, "lin", "A1")
	p := checkpoint.NewPublisher(folder, "", b.st, quietLog())
	p.Publish(t.Context())
	checkpoint.NewPublisher(folder, "", b.st, quietLog()).Publish(t.Context()) // of the next start
	c, err := b.st.Checkpoint(t.Context())
	b.ok(err)
	names, err := filepath.Glob(filepath.Join(folder, "checkpoint-*.txt"))
	b.ok(err)
	texts := map[string]int{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		b.ok(err)
		texts[string(text)]++
	}
	if len(names) != 2 || texts[c.Note] != 1 || texts["of another history"] != 1 {
		t.Errorf("the folder holds %v", texts)
	}
}

// On the real program: checkpoints leave at the start and while corrections are made.
func TestServe_CheckpointsLeaveTheMachine(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	k, folder := keep(t), t.TempDir()
	l.env = append(l.env, "CONSOLE_CHECKPOINT_FOLDER="+folder, "CONSOLE_CHECKPOINT_URL="+k.URL+"/hook", "CONSOLE_CHECKPOINT_INTERVAL=50ms")
	l.start()
	l.put("A1", "A2", "A3")
	files := func() []string {
		names, err := filepath.Glob(filepath.Join(folder, "checkpoint-*.txt"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	for _, no := range []string{"A1", "A2", "A3"} {
		n := len(files())
		l.correct("lin", no, 1000, nothing)
		within(t, "a checkpoint leaves", func() bool { return len(files()) > n })
	}
	within(t, "the newest one leaves", func() bool {
		_, err := os.Stat(filepath.Join(folder, "checkpoint-000000000012.txt"))
		return err == nil
	})
	if code := l.stop(); code != 0 {
		t.Errorf("stopped with %d", code)
	}
	args := []string{"verify"}
	for _, name := range files() {
		args = append(args, "--checkpoint", name)
	}
	if code, out, msg := execute(t, l.env, "", args...); code != 0 || strings.Count(out, "agrees:") != len(files()) {
		t.Errorf("verify: %d\n%s%s", code, out, msg)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.got) < len(files())-1 {
		t.Errorf("%d were posted, %d are in the folder", len(k.got), len(files()))
	}
}

// The machine tells what people must know of its disks.
func TestMachine_TellsOfItsDisks(t *testing.T) {
	t.Parallel()
	b, _ := signedBench(t)
	defer b.close()
	sim, err := simulator.Start("127.0.0.1:0")
	b.ok(err)
	defer sim.Close()
	gw, err := wechat.New(sim.Config())
	b.ok(err)
	cfg := config.Config{Data: b.data, Journal: filepath.Join(b.data, "journal")}
	p := checkpoint.NewPublisher(cfg.CheckpointFolder, cfg.CheckpointURL, b.st, quietLog())
	before := time.Now()
	now := monitor(cfg, b, gw, p).Now()
	if now.Free <= 0 || now.Database <= 0 || !now.JournalSame || now.JournalFolder != cfg.Journal || now.StoreBroken || now.Started.Before(before) || now.CheckpointTo != "" {
		t.Errorf("%+v", now)
	}
	if why := now.Refuses(); why != "" {
		t.Errorf("refuses: %s", why)
	}
	cfg.MinFree, cfg.Journal = 1<<60, "/proc"
	if now = monitor(cfg, b, gw, p).Now(); now.Refuses() != correction.LowDisk || now.JournalSame {
		t.Errorf("%+v", now)
	}
	cfg.Data = filepath.Join(b.data, "none")
	if now = monitor(cfg, b, gw, p).Now(); now.Free != -1 || now.Refuses() != "" {
		t.Errorf("free space that is not known: %+v", now)
	}
}
