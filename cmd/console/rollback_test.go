package main

import (
	"database/sql"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/checkpoint"
	"correction-console/internal/console"
	"correction-console/internal/correction"
	"correction-console/internal/ledger"
)

// kept is a lane whose checkpoints are kept in a folder outside the data folder.
func newKept(t *testing.T) (l *lane, folder string) {
	t.Helper()
	l, folder = newLane(t), t.TempDir()
	l.env = with(l.env, "CONSOLE_CHECKPOINT_FOLDER="+folder)
	return l, folder
}

// session starts, lets lin correct orders, and stops.
func (l *lane) session(orders ...string) {
	l.t.Helper()
	l.put(orders...)
	l.start()
	for _, no := range orders {
		l.correct("lin", no, 1000, nothing)
	}
	if code := l.stop(); code != 0 {
		l.t.Fatalf("stopped with %d", code)
	}
}

// folderCopy is the whole data folder as it is now.
func (l *lane) folderCopy() string {
	l.t.Helper()
	to := filepath.Join(l.t.TempDir(), "copy")
	if err := copyFiles(to, l.data); err != nil {
		l.t.Fatal(err)
	}
	return to
}

// back puts a copy of the data folder in its place.
func (l *lane) back(from string) {
	l.t.Helper()
	if err := os.RemoveAll(l.data); err != nil {
		l.t.Fatal(err)
	}
	if err := copyFiles(l.data, from); err != nil {
		l.t.Fatal(err)
	}
}

// refused expects that serve does not start, and says so.
func (l *lane) refused(says string, args ...string) {
	l.t.Helper()
	code, out, msg := execute(l.t, with(l.env, "CONSOLE_LISTEN=192.0.2.1:1", "CONSOLE_INSECURE_HTTP=true"), "", append([]string{"serve"}, args...)...)
	if code != 2 || !strings.Contains(msg, says) || strings.Contains(msg, "goroutine ") {
		l.t.Errorf("serve %v: exit code %d, want 2 with %q\n%s%s", args, code, says, out, msg)
	}
}

// starts expects that serve starts: it gets as far as an address that is not here.
func (l *lane) starts(args ...string) (log string) {
	l.t.Helper()
	code, _, msg := execute(l.t, with(l.env, "CONSOLE_LISTEN=192.0.2.1:1", "CONSOLE_INSECURE_HTTP=true"), "", append([]string{"serve"}, args...)...)
	if code != 1 || !strings.Contains(msg, "CONSOLE_LISTEN") {
		l.t.Errorf("serve %v: exit code %d\n%s", args, code, msg)
	}
	return msg
}

func (l *lane) recovers(says ...string) {
	l.t.Helper()
	code, out, msg := execute(l.t, l.env, "", "recover", "--offline")
	if code != 0 {
		l.t.Fatalf("recover: %d\n%s%s", code, out, msg)
	}
	for _, want := range says {
		if !strings.Contains(out, want) {
			l.t.Errorf("recover does not say %q:\n%s", want, out)
		}
	}
}

func (l *lane) query(text string, args ...any) (v string) {
	l.t.Helper()
	db, err := sql.Open("sqlite", "file:"+l.database()+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(text, args...).Scan(&v); err != nil {
		l.t.Fatal(err)
	}
	return v
}

// The journal lies in the folder that was put back, and says nothing. The checkpoints do,
// until the record itself says that the loss is known, and again after that.
func TestServe_AnOlderCopyOfTheWholeFolderIsNoticed(t *testing.T) {
	t.Parallel()
	l, _ := newKept(t)
	l.session("A1")
	first := l.folderCopy()
	before := l.query(`SELECT count(*) FROM leaf`)
	l.session("A2", "A3")
	all := l.query(`SELECT count(*) FROM leaf`)
	l.back(first)
	l.refused("console recover")
	l.refused(fmt.Sprintf("stands for %s events, the database holds %s", all, before))
	l.refused("console recover", "--accept-rollback") // there is a journal
	lost := l.query(`SELECT ? - ?`, all, before)
	l.recovers(fmt.Sprintf("the checkpoint of %s events is superseded, %s of them could not be rebuilt", all, lost))
	if got := l.query(`SELECT detail ->> 'size' || ' ' || (detail ->> 'missing') || ' ' || (detail ->> 'by') FROM audit WHERE action = 'record.loss'`); got != all+" "+lost+" recover" {
		t.Errorf("on record: %s", got)
	}
	l.starts()
	l.verify()
	known := l.folderCopy()
	l.back(first)
	l.refused("console recover") // that copy does not know of the loss
	l.back(known)
	l.session("A4", "A5", "A6", "A7")
	grown := l.folderCopy()
	l.starts()
	l.back(known)
	l.refused("console recover") // what came after the loss was known is missing now
	l.back(grown)
	l.starts()
	l.verify()
}

// What was only prepared is not in the journal. The mark beside it tells all the same.
func TestServe_TheHighWaterMarkTellsOfWhatTheJournalDoesNotKnow(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	l.env = with(l.env, "CONSOLE_JOURNAL="+t.TempDir())
	l.session("A1")
	first := l.folderCopy()
	l.put("A2")
	l.start()
	c := l.as("lin")
	_, _, form := c.do(http.MethodGet, "/orders/"+bankMerchant+"/A2/correction", nil)
	if find(form, "base") == "" {
		t.Fatal("no form")
	}
	l.correct("lin", "A2", 1000, func() { l.end(syscall.SIGTERM) }) // prepared, never confirmed
	l.back(first)
	l.refused(checkpoint.HighWaterFile)
	l.recovers("is superseded, 1 of them could not be rebuilt")
	l.starts()
}

// Without a journal a flag puts the loss on record. It works once, and only as a flag.
func TestServe_AcceptRollbackWorksOnceAndByHand(t *testing.T) {
	t.Parallel()
	l, _ := newKept(t)
	l.session("A1")
	first := l.folderCopy()
	l.session("A2")
	l.back(first)
	if err := os.RemoveAll(filepath.Join(l.data, "journal")); err != nil {
		t.Fatal(err)
	}
	l.refused("serve --accept-rollback")
	l.env = with(l.env, "CONSOLE_ACCEPT_ROLLBACK=1")
	l.refused("serve --accept-rollback")
	file := filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(file, []byte(`{"accept_rollback": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, msg := execute(t, with(l.env, "CONSOLE_SETTINGS="+file), "", "serve"); code != 2 || !strings.Contains(msg, "is no setting") {
		t.Errorf("from a file: %d %s", code, msg)
	}
	log := l.starts("--accept-rollback")
	if !strings.Contains(log, "a loss is accepted") {
		t.Errorf("the log: %s", log)
	}
	l.starts()
	if n := l.query(`SELECT count(*) FROM audit WHERE action = 'record.loss' AND detail ->> 'by' = 'serve --accept-rollback'`); n != "1" {
		t.Errorf("%s losses on record", n)
	}
	if err := os.RemoveAll(filepath.Join(l.data, "journal")); err != nil {
		t.Fatal(err)
	}
	l.refused("nothing is missing", "--accept-rollback")
	l.starts()
}

// A record that was written anew is another one even if it is as long.
func TestServe_AnotherRecordOfTheSameLengthIsNoticed(t *testing.T) {
	t.Parallel()
	l, folder := newKept(t)
	l.session("A1")
	signer, err := ledger.LoadOrCreateKey(filepath.Join(l.data, "checkpoint.key"))
	if err != nil {
		t.Fatal(err)
	}
	c := newestKept(t, folder, signer.VerifierKey())
	c.Root[7] ^= 1
	c.AtMS++
	write := func(name string, s *ledger.Signer, c ledger.Checkpoint) string {
		t.Helper()
		text, err := s.Sign(c)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(folder, name)
	}
	path := write(fmt.Sprintf("checkpoint-%012d-0123abcd.txt", c.Size), signer, c)
	l.refused("than the first of the database")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l.starts()

	// What anybody could have put there stops nobody.
	other, err := ledger.LoadOrCreateKey(filepath.Join(t.TempDir(), "other.key"))
	if err != nil {
		t.Fatal(err)
	}
	c.Size += 1000
	write(fmt.Sprintf("checkpoint-%012d.txt", c.Size), other, c)
	for name, text := range map[string]string{
		"checkpoint-000000009999.txt": "nonsense", "checkpoint-000000009998.txt": "", "checkpoint-.txt": "x",
		"checkpoint-000000009997.txt": fmt.Sprintf("correction-console/00000000\n9997\n%s\n2026-11-23T10:00:00.000Z\n\n— x AAAA\n", base64.StdEncoding.EncodeToString(c.Root[:])),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if log := l.starts(); !strings.Contains(log, "the key is another one") || strings.Contains(log, "altered") {
		t.Errorf("the log: %s", log)
	}
}

// Without the key file a new key is made. The record's own checkpoints tell whose the
// folder is all the same.
func TestServe_AnOlderCopyWithoutItsKeyIsNoticed(t *testing.T) {
	t.Parallel()
	l, _ := newKept(t)
	l.session("A1")
	first := l.folderCopy()
	l.session("A2")
	l.back(first)
	if err := os.Remove(filepath.Join(l.data, "checkpoint.key")); err != nil {
		t.Fatal(err)
	}
	l.refused("signed with another key")
	// And so does an empty folder in the place of the lost one.
	if err := os.RemoveAll(l.data); err != nil {
		t.Fatal(err)
	}
	l.refused("the database holds 0")
}

func newestKept(t *testing.T, folder, vkey string) ledger.Checkpoint {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "checkpoint-*.txt")) // by size
	if err != nil || len(files) == 0 {
		t.Fatalf("%d checkpoints, %v", len(files), err)
	}
	text, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	c, err := ledger.Open(text, vkey)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A journal that is gone, or is an older one, is told of; one that only lacks what a stop
// left without a line is not.
func TestServe_AMissingJournalIsAnAlarm(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	l.session("A1")
	if log := l.starts(); strings.Contains(log, string(correction.JournalMissing)) {
		t.Errorf("an alarm without a reason: %s", log)
	}
	if err := os.RemoveAll(filepath.Join(l.data, "journal")); err != nil {
		t.Fatal(err)
	}
	l.start()
	_, _, page := l.as("zhou").do(http.MethodGet, "/operations", nil)
	if !strings.Contains(page, "journal") || !strings.Contains(page, "里没有已经发出的改价") {
		t.Error("the page does not tell")
	}
	if code := l.stop(); code != 0 {
		t.Fatal(code)
	}
	b := newBench(t)
	b.now = b.now.Add(-10 * time.Minute)
	c := b.prepare(1, "lin", "B1")
	b.send(&c)
	lacks := func(want bool) {
		t.Helper()
		got, err := console.JournalLacks(t.Context(), b.st, filepath.Join(b.data, "journal"))
		if err != nil || got != want {
			t.Errorf("lacks %t, %v, want %t", got, err, want)
		}
	}
	lacks(false)
	for _, no := range []string{"B2", "B3"} { // as if another journal had been there then
		c := b.prepare(1, "lin", no)
		b.claim(&c)
		sign := correction.NewSigning(b.tick())
		b.ok(b.st.MarkSending(t.Context(), c.ID, sign, correction.Event{N: 3, State: correction.Sending, At: b.tick()}, nil))
		lacks(no == "B3")
		b.now = b.now.Add(6 * time.Minute)
	}
	b.close()
}

// With everything in one folder nobody could notice, and that is said: at the start and
// on the page of operations.
func TestServe_SaysWhenARollbackCouldNotBeSeen(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	inner := filepath.Join(l.data, "points")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(inner, link); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(l.data, "journal")
	for _, x := range []struct {
		journal, folder string
		blind           bool
	}{
		{journal, "", true}, {journal, inner, true}, {journal, link, true}, {journal, inner + "/../points", true}, {l.data, l.data, true},
		{journal, t.TempDir(), false}, {t.TempDir(), "", false}, {t.TempDir(), inner, false}, {l.data + "-other", "", false},
	} {
		if got := checkpoint.Blind(l.data, x.journal, x.folder); got != x.blind {
			t.Errorf("journal %s, checkpoints %s: %t", x.journal, x.folder, got)
		}
	}
	for _, x := range []struct {
		set   string
		blind bool
	}{{"CONSOLE_CHECKPOINT_FOLDER=" + inner, true}, {"CONSOLE_CHECKPOINT_URL=http://127.0.0.1:1/", true}, {"CONSOLE_JOURNAL=" + t.TempDir(), false}} {
		l.url, l.end = serveUntil(t, with(l.env, x.set))
		_, _, page := l.as("zhou").do(http.MethodGet, "/operations", nil)
		if !strings.Contains(page, "整个数据目录换成旧的，启动时看不出来") == x.blind {
			t.Errorf("%s: what the page says of older copies is wrong", x.set)
		}
		l.stop()
	}
}
