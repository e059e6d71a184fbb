package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"correction-console/internal/correction"
)

var t0 = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, folder string, now func() time.Time) *Journal {
	t.Helper()
	j, err := Open(folder, now)
	must(t, err)
	t.Cleanup(func() { j.Close() })
	return j
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

// filled sets every field of a value to something of its own, down to the last one.
func filled(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(t0.Add(time.Duration(*n) * time.Second)))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				filled(v.Field(i), n)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0), n)
		filled(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			filled(v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("文 %d\n\"", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 251))
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	default:
		panic(v.Type())
	}
}

// whole is a correction with every field set, as it is just before it is sent.
func whole() (correction.Correction, correction.Signing) {
	var c correction.Correction
	var n int64
	filled(reflect.ValueOf(&c).Elem(), &n)
	_, c.BaseSHA256 = c.Base.Snapshot()
	c.Events[1].State, c.State = correction.Sending, correction.Sending
	c.MerchantName, c.ServiceName = "", "" // of the directory, not of the correction
	return c, correction.Signing{At: t0, Nonce: "nonce"}
}

// A field that the journal does not carry is lost with the database.
func TestSending_EveryFieldComesBack(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := open(t, folder, at(t0))
	c, sign := whole()
	must(t, j.Sending(t.Context(), c, sign))
	var e correction.Event
	n := int64(1000)
	filled(reflect.ValueOf(&e).Elem(), &n)
	must(t, j.Event(t.Context(), c, e))
	key := sha256.Sum256([]byte("x"))
	must(t, j.Mark(t.Context(), key))
	list := read(t, folder, 0)
	if len(list) != 3 {
		t.Fatalf("%d records", len(list))
	}
	if got := list[0]; !reflect.DeepEqual(got, Record{Correction: c, Signing: sign, Intent: true}) {
		t.Errorf("came back as\n%+v\nnot as\n%+v", got.Correction, c)
	}
	if got, want := list[1], (Record{Correction: correction.Correction{ID: c.ID, ConfirmHash: c.ConfirmHash}, Event: e}); !reflect.DeepEqual(got, want) {
		t.Errorf("came back as\n%+v\nnot as\n%+v", got, want)
	}
	if got := list[2]; !reflect.DeepEqual(got, Record{Mark: key}) {
		t.Errorf("came back as %+v", got)
	}
}

// read returns what can be read, with so many lines that cannot.
func read(t testing.TB, folder string, damaged int) (list []Record) {
	t.Helper()
	bad, err := Read(folder, func(r Record) error {
		list = append(list, r)
		return nil
	})
	must(t, err)
	if len(bad) != damaged {
		t.Errorf("%d damaged lines, want %d: %v", len(bad), damaged, bad)
	}
	return list
}

// note writes an event line with a number to know it by.
func note(j *Journal, n int) error {
	return j.Event(context.Background(), correction.Correction{ID: 1}, correction.Event{N: n, State: correction.Applied, At: t0})
}

func numbers(list []Record) (out []int) {
	for _, r := range list {
		out = append(out, r.Event.N)
	}
	return out
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func file(folder string) string { return filepath.Join(folder, "corrections-2026-11.jsonl") }

// A stop can cut the last line anywhere. The next one stands by itself.
func TestOpen_ALineThatWasCutEndsWhereTheNextBegins(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := open(t, folder, at(t0))
	must(t, note(j, 1))
	must(t, note(j, 2))
	must(t, j.Close())
	text, err := os.ReadFile(file(folder))
	must(t, err)
	first := strings.IndexByte(string(text), '\n') + 1
	for cut := first; cut <= len(text); cut++ {
		must(t, os.WriteFile(file(folder), text[:cut], 0o600))
		j := open(t, folder, at(t0))
		must(t, note(j, 3))
		must(t, j.Close())
		want, bad := []int{1, 2, 3}, 0
		switch {
		case cut == first:
			want = []int{1, 3}
		case cut < len(text)-1:
			want, bad = []int{1, 3}, 1
		}
		equal(t, fmt.Sprintf("cut at %d", cut), numbers(read(t, folder, bad)), want)
		newest, err := Newest(folder, 1)
		must(t, err)
		equal(t, "the newest", numbers(newest), []int{3})
	}
}

func TestRead_NamesALineThatIsDamagedAndReadsTheOthers(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := open(t, folder, at(t0))
	for n := range 3 {
		must(t, note(j, n+1))
	}
	text, err := os.ReadFile(file(folder))
	must(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	for damage, line := range map[string]string{
		"zeros":           strings.Repeat("\x00", len(lines[1])-1) + "\n",
		"a byte":          strings.Replace(lines[1], `"kind"`, `"kinp"`, 1),
		"half of it":      lines[1][:len(lines[1])/2] + "\n",
		"another version": strings.Replace(lines[1], `"v":1`, `"v":2`, 1),
		"no key":          strings.Replace(lines[1], `"key":"`, `"key":"AAAA`, 1),
	} {
		must(t, os.WriteFile(file(folder), []byte(lines[0]+line+lines[2]), 0o600))
		var got []int
		bad, err := Read(folder, func(r Record) error {
			got = append(got, r.Event.N)
			return nil
		})
		must(t, err)
		equal(t, damage, got, []int{1, 3})
		if len(bad) != 1 || bad[0].Line != 2 || bad[0].File != file(folder) {
			t.Errorf("%s: damaged %v", damage, bad)
		}
	}
	stop := errors.New("stop")
	if _, err := Read(folder, func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of each: %v", err)
	}
}

func TestAppend_AFileAMonth(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	now := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	var mu sync.Mutex
	j := open(t, folder, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	must(t, note(j, 1))
	mu.Lock()
	now = now.Add(time.Second)
	mu.Unlock()
	must(t, note(j, 2))
	mu.Lock()
	now = now.Add(-time.Second) // a clock that is set back
	mu.Unlock()
	must(t, note(j, 3))
	names, err := files(folder)
	must(t, err)
	equal(t, "files", names, []string{filepath.Join(folder, "corrections-2026-12.jsonl"), filepath.Join(folder, "corrections-2027-01.jsonl")})
	equal(t, "records", numbers(read(t, folder, 0)), []int{1, 3, 2})
	newest, err := Newest(folder, 2)
	must(t, err)
	equal(t, "the newest", numbers(newest), []int{2, 3})
}

// counting counts the syncs of a file, and fails them when told to.
type counting struct {
	syncer
	syncs int
	fail  error
}

func (c *counting) Sync() error {
	c.syncs++
	if c.fail != nil {
		return c.fail
	}
	return c.syncer.Sync()
}

// A sync that failed says nothing about the next one: the file is opened anew, and the
// line counts as not written.
func TestAppend_AFailedSyncIsNoRecord(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), at(t0))
	bad := &counting{syncer: j.file, fail: syscall.EIO}
	j.file = bad
	if err := note(j, 1); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	must(t, note(j, 2))
	if bad.syncs != 1 || j.file == syncer(bad) {
		t.Errorf("the file is still in use after %d syncs", bad.syncs)
	}
	newest, err := Newest(j.Folder(), 1)
	must(t, err)
	equal(t, "the newest", numbers(newest), []int{2})
}

// Lines that wait share a sync, and each is there when its writer is told so.
func TestAppend_ManyAtOnceShareSyncs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := open(t, folder, at(t0))
	count := &counting{syncer: j.file}
	j.file = count
	const writers, each = 64, 20
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				n := w*each + i + 1
				if err := note(j, n); err != nil {
					t.Error(err)
				}
				if i == each/2 {
					text, err := os.ReadFile(file(folder))
					if err != nil || !strings.Contains(string(text), fmt.Sprintf(`"n":%d,`, n)) {
						t.Errorf("line %d is not there: %v", n, err)
					}
				}
			}
		})
	}
	all.Wait()
	seen := map[int]bool{}
	for _, n := range numbers(read(t, folder, 0)) {
		seen[n] = true
	}
	equal(t, "lines", len(seen), writers*each)
	must(t, j.Close())
	if count.syncs >= writers*each/2 {
		t.Errorf("%d syncs for %d lines", count.syncs, writers*each)
	}
	if err := note(j, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.append(ctx, nil); err == nil {
		t.Error("an ended context and a closed journal took a line")
	}
}

// mounted is a file system of a few pages; the test is skipped where none can be had.
func mounted(t *testing.T, options string) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "journal", folder).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount: %s", out)
		}
		t.Skipf("mount: %s", out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", folder).Run() })
	return folder
}

// On a full disk a line is refused. With space again the next one is written, by itself,
// and what was written in part is no record.
func TestAppend_GoesOnAfterAFullDisk(t *testing.T) {
	t.Parallel()
	folder := mounted(t, "size=16k")
	j := open(t, folder, at(t0))
	must(t, note(j, 1))
	var refused error
	n := 1
	for refused == nil && n < 1000 {
		n++
		refused = note(j, n)
	}
	if !errors.Is(refused, syscall.ENOSPC) {
		t.Fatalf("a full disk: %v after %d lines", refused, n)
	}
	if err := note(j, 5000); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("still full: %v", err)
	}
	must(t, exec.Command("mount", "-o", "remount,size=64k", folder).Run())
	must(t, note(j, 6000))
	must(t, note(j, 6001))
	got := map[int]bool{}
	bad, err := Read(folder, func(r Record) error {
		got[r.Event.N] = true
		return nil
	})
	must(t, err)
	for i := 1; i < n; i++ {
		if !got[i] {
			t.Errorf("line %d is lost", i)
		}
	}
	if !got[6000] || !got[6001] || len(bad) > 2 {
		t.Errorf("after it: %t %t, %d damaged", got[6000], got[6001], len(bad))
	}
}

func TestOpen_AFolderThatCannotBeWrittenIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "a", "b")
	must(t, open(t, missing, at(t0)).Close())
	if info, err := os.Stat(file(missing)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v %v", info, err)
	}
	if list := read(t, filepath.Join(t.TempDir(), "none"), 0); len(list) > 0 {
		t.Errorf("a folder that is not there holds %v", list)
	}
	if list, err := Newest(filepath.Join(t.TempDir(), "none"), 1); err != nil || len(list) > 0 {
		t.Errorf("the newest of a folder that is not there: %v %v", list, err)
	}
	taken := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(taken, nil, 0o600))
	if j, err := Open(taken, at(t0)); err == nil {
		j.Close()
		t.Error("a file is taken for a folder")
	}
	folder := mounted(t, "size=64k,ro")
	if j, err := Open(folder, at(t0)); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a read-only folder: %v %v", j, err)
	}
}

// Newest reads the end of a file only, and Read all of it, however long its lines are.
func TestRead_LargeFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := open(t, folder, at(t0))
	long := correction.Event{State: correction.Applied, At: t0, Detail: correction.Detail{Message: strings.Repeat("长", 60<<10)}}
	const lines = 40
	for n := range lines {
		long.N = n + 1
		must(t, j.Event(t.Context(), correction.Correction{ID: 1}, long))
	}
	info, err := os.Stat(file(folder))
	must(t, err)
	if info.Size() < 4*lastWindow {
		t.Fatalf("only %d bytes", info.Size())
	}
	list := read(t, folder, 0)
	equal(t, "lines", len(list), lines)
	equal(t, "the last", list[lines-1].Event, long)
	newest, err := Newest(folder, 3)
	must(t, err)
	equal(t, "the newest", numbers(newest), []int{lines, lines - 1, lines - 2})
	all, err := Newest(folder, 1000)
	must(t, err)
	if len(all) < 3 || len(all) >= lines {
		t.Errorf("%d records in the window", len(all))
	}
}
