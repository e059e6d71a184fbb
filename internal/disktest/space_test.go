package disktest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/journal"
)

// mount mounts a file system on a new folder.
func mount(folder string, args ...string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if out, err := exec.Command("mount", append(args, folder)...).CombinedOutput(); err != nil {
		return fmt.Errorf("mount %s: %w\n%s", folder, err, out)
	}
	return nil
}

func unmount(folder string) error {
	return eventually(patience, func() (bool, error) { // the files of a process that has just ended
		return !errors.Is(syscall.Unmount(folder, 0), syscall.EBUSY), nil
	})
}

// fill takes all the space of the folder's file system; empty gives it back.
func fill(folder string) error {
	f, err := os.Create(filepath.Join(folder, "ballast"))
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("fill the disk: %w", err)
	}
	return nil
}

func empty(folder string) error { return os.Remove(filepath.Join(folder, "ballast")) }

// many makes runs, some at the same time, each in a folder of its own.
func many(t *testing.T, few, most int, run func(random *rand.Rand, folder string) error) {
	n := few
	if full() {
		n = most
	}
	seed := chance()
	root := t.TempDir()
	slots := make(chan struct{}, 3)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			folder := filepath.Join(root, fmt.Sprintf("%d", i))
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Error(err)
				return
			}
			if err := run(rand.New(rand.NewPCG(seed, uint64(i))), folder); err != nil {
				t.Errorf("run %d, seed %d: %v", i, seed, err)
			}
		})
	}
	all.Wait()
}

// meanwhile corrects orders and does something at a random moment after all of them wait
// to be confirmed.
func (in *installation) meanwhile(random *rand.Rand, url string, do func() error, orders ...string) (err error) {
	var all sync.WaitGroup
	var did error
	err = in.correctAll(url, func() error {
		all.Go(func() {
			<-time.After(time.Duration(random.IntN(60)) * time.Millisecond)
			did = do()
		})
		return nil
	}, orders...)
	all.Wait()
	return errors.Join(err, did)
}

// mustCorrect corrects an order, which has to work. A console that has asked to be
// started again is.
func (in *installation) mustCorrect(p *process, no string) (*process, error) {
	x := in.correct(p.url(), no)
	if in.sim.Applied(no) == 1 {
		return p, nil
	}
	if x.answer.err == nil && !strings.Contains(x.answer.body, paused) {
		return p, fmt.Errorf("%s is not corrected: %d\n%s\n%s", no, x.answer.status, x.answer.body, p.Words())
	}
	if code, err := p.wait(patience); code != 75 {
		return p, fmt.Errorf("corrections are refused and it ended with %d: %w\n%s", code, err, p.Words())
	}
	p, err := in.start()
	if err != nil {
		return nil, err
	}
	if x = in.correct(p.url(), no); in.sim.Applied(no) != 1 {
		err = fmt.Errorf("%s is not corrected after a new start: %d\n%s", no, x.answer.status, x.answer.body)
	}
	return p, err
}

// The disk of the database fills up while corrections are made, and is freed: the
// console goes on by itself.
func TestFullDisk_GoesOnByItself(t *testing.T) {
	t.Parallel()
	needs(t)
	var refused atomic.Int64
	many(t, 15, 250, func(random *rand.Rand, folder string) error {
		disk := filepath.Join(folder, "disk")
		if err := mount(disk, "-t", "tmpfs", "-o", fmt.Sprintf("size=%dk", 2400+4*random.IntN(300)), "disktest"); err != nil {
			return err
		}
		defer unmount(disk)
		during, after := []string{"B1", "B2", "B3", "B4"}, []string{"C1", "C2", "C3", "C4", "C5", "C6"}
		in, err := install(filepath.Join(disk, "data"), slices.Concat([]string{"A1", "D1"}, during, after)...)
		if err != nil {
			return err
		}
		defer in.sim.Close()
		p, err := in.start()
		if err != nil {
			return err
		}
		if p, err = in.mustCorrect(p, "A1"); err != nil {
			return err
		}
		if err := in.meanwhile(random, p.url(), func() error { return fill(disk) }, during...); err != nil {
			return err
		}
		in.correctAll(p.url(), nothing, after...)
		if page := in.browser(p.url()).get("/healthz"); page.status != http.StatusOK && !p.Ended() {
			return fmt.Errorf("on a full disk it does not answer: %d %w", page.status, page.err)
		}
		for _, no := range after {
			if in.sim.Applied(no) == 0 {
				refused.Add(1)
			}
		}
		if err := empty(disk); err != nil {
			return err
		}
		if p, err = in.mustCorrect(p, "D1"); err != nil {
			return err
		}
		if code, err := p.stop(); code != 0 {
			return fmt.Errorf("stop: %d %w", code, err)
		}
		return in.settle()
	})
	if refused.Load() == 0 {
		t.Error("the full disk stopped no correction: it proves nothing")
	}
	t.Logf("%d corrections were refused on a full disk", refused.Load())
}

// The journal is on a disk of its own, which fills up: nothing is sent without a line,
// and the console goes on by itself when there is space again.
func TestFullJournal_NothingIsSentWithoutALine(t *testing.T) {
	t.Parallel()
	needs(t)
	var refused atomic.Int64
	many(t, 12, 150, func(random *rand.Rand, folder string) error {
		disk := filepath.Join(folder, "journal")
		if err := mount(disk, "-t", "tmpfs", "-o", fmt.Sprintf("size=%dk", 16+4*random.IntN(8)), "disktest"); err != nil {
			return err
		}
		defer unmount(disk)
		during, after := []string{"B1", "B2", "B3", "B4"}, []string{"C1", "C2", "C3"}
		in, err := install(filepath.Join(folder, "data"), slices.Concat([]string{"A1", "D1"}, during, after)...)
		if err != nil {
			return err
		}
		defer in.sim.Close()
		in.env = append(in.env, "CONSOLE_JOURNAL="+disk)
		p, err := in.start()
		if err != nil {
			return err
		}
		if p, err = in.mustCorrect(p, "A1"); err != nil {
			return err
		}
		if err := in.meanwhile(random, p.url(), func() error { return fill(disk) }, during...); err != nil {
			return err
		}
		in.correctAll(p.url(), nothing, after...)
		for _, no := range after {
			if in.sim.Posts(no) == 0 {
				refused.Add(1)
			}
		}
		if err := empty(disk); err != nil {
			return err
		}
		if in.correct(p.url(), "D1"); in.sim.Applied("D1") != 1 || p.Ended() {
			return fmt.Errorf("with space again it does not go on:\n%s", p.Words())
		}
		if code, err := p.stop(); code != 0 {
			return fmt.Errorf("stop: %d %w", code, err)
		}
		if err := in.settle(); err != nil {
			return err
		}
		return in.lines(disk)
	})
	if refused.Load() == 0 {
		t.Error("the full journal stopped no correction: it proves nothing")
	}
	t.Logf("%d corrections were refused with a full journal", refused.Load())
}

// lines checks that what was sent is in the journal.
func (in *installation) lines(folder string) error {
	sent := map[string]bool{}
	_, err := journal.Read(folder, func(r journal.Record) error {
		sent[r.Signing.Nonce] = true
		return nil
	})
	for _, p := range in.sim.PostLog() {
		if !sent[p.Nonce] {
			err = errors.Join(err, fmt.Errorf("%w: %s was sent without a line in the journal", errFalse, p.Order))
		}
	}
	return err
}

// The file system of the data becomes read-only while corrections are made, as ext4 does
// after a fault of the disk: what was not written through is lost. Look-ups go on, and
// the console asks to be started again.
func TestReadOnlyDisk_AsksToBeStartedAgain(t *testing.T) {
	t.Parallel()
	needs(t, "mkfs.ext4", "/dev/loop-control")
	var restarts atomic.Int64
	many(t, 8, 100, func(random *rand.Rand, folder string) error {
		disk, image := filepath.Join(folder, "disk"), filepath.Join(folder, "image")
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(image, 16<<20); err != nil {
			return err
		}
		if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if err := mount(disk, "-o", "loop", image); err != nil {
			return err
		}
		defer unmount(disk)
		during, after := []string{"B1", "B2", "B3", "B4"}, []string{"C1", "C2"}
		in, err := install(filepath.Join(disk, "data"), slices.Concat([]string{"A1"}, during, after)...)
		if err != nil {
			return err
		}
		defer in.sim.Close()
		p, err := in.start()
		if err != nil {
			return err
		}
		if p, err = in.mustCorrect(p, "A1"); err != nil {
			return err
		}
		if err := exec.Command("sync", "-f", disk).Run(); err != nil { // what the test put there
			return err
		}
		abort := func() error {
			out, err := exec.Command("mount", "-o", "remount,abort", disk).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			return err
		}
		if err := in.meanwhile(random, p.url(), abort, during...); err != nil {
			return err
		}
		if page := in.browser(p.url()).get(orderPath("A1")); page.status != http.StatusOK && !p.Ended() {
			return fmt.Errorf("on a read-only disk an order cannot be looked up: %d %w", page.status, page.err)
		}
		in.correctAll(p.url(), nothing, after...)
		for _, no := range after {
			if n := in.sim.Posts(no); n > 0 {
				return fmt.Errorf("%w: %s was sent from a read-only disk", errFalse, no)
			}
		}
		if code, err := p.wait(patience); code != 75 {
			return fmt.Errorf("its disk is read-only and it ended with %d: %w\n%s", code, err, p.Words())
		}
		restarts.Add(1)
		if code, out, _ := in.run("", "serve"); code == 0 || strings.Contains(out, "goroutine ") {
			return fmt.Errorf("on a read-only disk it started: %d\n%s", code, out)
		}
		if err := unmount(disk); err != nil {
			return err
		}
		if err := mount(disk, "-o", "loop", image); err != nil {
			return err
		}
		return in.settle()
	})
	t.Logf("%d times the disk became read-only and it asked to be started again", restarts.Load())
}

// With less space than CONSOLE_MIN_FREE asks for corrections are refused, also those that
// wait to be confirmed, and look-ups go on; with space again, corrections do.
func TestLowDisk_RefusesCorrectionsOnly(t *testing.T) {
	t.Parallel()
	needs(t)
	disk := filepath.Join(t.TempDir(), "disk")
	if err := mount(disk, "-t", "tmpfs", "-o", "size=8m", "disktest"); err != nil {
		t.Fatal(err)
	}
	defer unmount(disk)
	in, err := install(filepath.Join(disk, "data"), "A1", "A2")
	if err != nil {
		t.Fatal(err)
	}
	defer in.sim.Close()
	in.env = append(in.env, "CONSOLE_MIN_FREE=2MiB")
	p, err := in.start()
	if err != nil {
		t.Fatal(err)
	}
	b := in.browser(p.url())
	at := b.post(orderPath("A1")+"/correction", form(input(b.get(orderPath("A1")+"/correction").body, "base"))).location
	token := input(b.get(at).body, "token")
	if token == "" {
		t.Fatal("nothing was prepared")
	}
	if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	opens := func() answer { return b.get(orderPath("A2") + "/correction") }
	if err := eventually(patience, func() (bool, error) { return opens().status != http.StatusOK, nil }); err != nil {
		t.Fatalf("corrections go on: %v", err)
	}
	for path, page := range map[string]answer{
		"the form": opens(), "a confirmation": b.post(at+"/confirmation", confirmation(token)),
	} {
		if page.status != http.StatusServiceUnavailable || !strings.Contains(page.body, paused) || !strings.Contains(page.body, nothingSent) {
			t.Errorf("%s: %d, paused %t", path, page.status, strings.Contains(page.body, paused))
		}
	}
	for _, path := range []string{"/", orderPath("A2"), at, "/corrections"} {
		if page := b.get(path); page.status != http.StatusOK {
			t.Errorf("%s: %d", path, page.status)
		}
	}
	if n := len(in.sim.PostLog()); n > 0 {
		t.Errorf("%d POSTs", n)
	}
	if err := empty(disk); err != nil {
		t.Fatal(err)
	}
	if err := eventually(patience, func() (bool, error) { return opens().status == http.StatusOK, nil }); err != nil {
		t.Fatalf("corrections do not go on: %v", err)
	}
	if a := b.post(at+"/confirmation", confirmation(token)); a.status != http.StatusSeeOther {
		t.Errorf("confirmed: %d", a.status)
	}
	if o, _ := in.sim.Order(merchant, "A1"); o.Total != target || in.sim.Posts("A1") != 1 {
		t.Errorf("WeChat has %s after %d POSTs", o.Total, in.sim.Posts("A1"))
	}
	if code, err := p.stop(); code != 0 {
		t.Errorf("stop: %d %v", code, err)
	}
	if err := in.settle(); err != nil {
		t.Error(err)
	}
}

// chance is what random choices depend on: TEST_SEED, or a new one for each run.
func chance() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		return n
	}
	return uint64(time.Now().UnixNano())
}
