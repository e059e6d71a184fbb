package ledger

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func newSigner(t testing.TB) *Signer {
	t.Helper()
	s, err := LoadOrCreateKey(filepath.Join(t.TempDir(), "ledger.key"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(t testing.TB, s *Signer, c Checkpoint) []byte {
	t.Helper()
	text, err := s.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// signText signs any text with a new key of that name.
func signText(t testing.TB, name, text string) (signed []byte, vkey string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err = note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return signed, vkey
}

const sampleTime = 1795000000123 // 2026-11-18T11:06:40.123Z

func TestCheckpoint_IsSignedAndReadBack(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	for _, c := range []Checkpoint{
		{5, [32]byte{1, 2, 3}, sampleTime},
		{0, emptyRoot, 0},
		{maxSize, [32]byte{255}, -1},
	} {
		text := signed(t, s, c)
		got, err := Open(text, s.VerifierKey())
		if err != nil || got != c {
			t.Errorf("opened %+v, %v; want %+v", got, err, c)
		}
		if got, err := unsigned(text); err != nil || got != c {
			t.Errorf("unsigned: %+v, %v; want %+v", got, err, c)
		}
	}
	text := string(signed(t, s, Checkpoint{5, [32]byte{1, 2, 3}, sampleTime}))
	want := s.Name() + "\n5\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n2026-11-18T11:06:40.123Z\n\n— " + s.Name() + " "
	if !strings.HasPrefix(text, want) {
		t.Errorf("the text is %q, want %q", text, want)
	}
	for _, c := range []Checkpoint{{Size: -1}, {Size: maxSize + 1}, {AtMS: 1 << 62}, {AtMS: -1 << 62}} {
		if _, err := s.Sign(c); err == nil {
			t.Errorf("signed %+v", c)
		}
	}
}

func TestOpen_WantsTheSignatureOfTheLog(t *testing.T) {
	t.Parallel()
	s, other := newSigner(t), newSigner(t)
	c := Checkpoint{5, [32]byte{1}, sampleTime}
	text := signed(t, s, c)
	wrongName, wrongKey := signText(t, "somebody", c.text(s.Name()))
	sigs := func(b []byte) []byte { return b[bytes.LastIndex(b, []byte("\n\n"))+2:] }
	both := append(bytes.Clone(text), sigs(wrongName)...)
	for name, k := range map[string][]string{"its own": {s.VerifierKey()}, "several": {other.VerifierKey(), s.VerifierKey()}, "twice": {s.VerifierKey(), s.VerifierKey()}} {
		if got, err := Open(text, k...); err != nil || got != c {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got, err := Open(both, k...); err != nil || got != c {
			t.Errorf("%s, signed by somebody else too: %+v, %v", name, got, err)
		}
	}
	if got, err := Open(both, s.VerifierKey(), wrongKey); err != nil || got != c {
		t.Errorf("both keys: %+v, %v", got, err)
	}
	forged := bytes.Replace(text, []byte("\n5\n"), []byte("\n6\n"), 1)
	for name, o := range map[string]struct {
		text []byte
		keys []string
	}{
		"no key":               {text, nil},
		"another log's key":    {text, []string{other.VerifierKey()}},
		"altered":              {forged, []string{s.VerifierKey()}},
		"signed by others":     {wrongName, []string{s.VerifierKey(), wrongKey}},
		"only others' key":     {both, []string{wrongKey}},
		"another's signature":  {append(append([]byte(c.text(s.Name())), '\n'), bytes.Replace(sigs(signed(t, other, c)), []byte(other.Name()), []byte(s.Name()), 1)...), []string{s.VerifierKey()}},
		"key of the same name": {text, []string{func() string { _, k := signText(t, s.Name(), "x\n"); return k }()}},
	} {
		if _, err := Open(o.text, o.keys...); !errors.Is(err, ErrUnsigned) || errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrUnsigned", name, err)
		} else if errors.Is(err, ErrOtherKey) != slices.Contains([]string{"no key", "another log's key", "another's signature", "key of the same name"}, name) {
			t.Errorf("%s: is it another key? %v", name, err) // nothing was altered then
		}
	}
	if _, err := Open(text, "nonsense"); err == nil || errors.Is(err, ErrUnsigned) || errors.Is(err, ErrMalformed) {
		t.Errorf("a key that is none: %v", err)
	}
}

func TestOpen_RefusesWhatIsNotWrittenSo(t *testing.T) {
	t.Parallel()
	const name = product + "/00000000"
	good := Checkpoint{5, [32]byte{1}, sampleTime}.text(name)
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for what, text := range map[string]string{
		"no time":           replace("2026-11-18T11:06:40.123Z\n", ""),
		"a line more":       good + "more\n",
		"leading zero":      replace("\n5\n", "\n05\n"),
		"sign":              replace("\n5\n", "\n+5\n"),
		"negative":          replace("\n5\n", "\n-5\n"),
		"hexadecimal":       replace("\n5\n", "\n0x5\n"),
		"too big":           replace("\n5\n", "\n9223372036854775807\n"),
		"far too big":       replace("\n5\n", "\n92233720368547758070\n"),
		"root too short":    replace("AAA=\n", "AA=\n"),
		"root of loose end": replace("AAA=\n", "AAB=\n"),
		"other zone":        replace("40.123Z", "40.123+00:00"),
		"no milliseconds":   replace("40.123Z", "40Z"),
		"microseconds":      replace("40.123Z", "40.123000Z"),
		"no such day":       replace("11-18", "02-30"),
		"space":             replace("\n5\n", "\n5 \n"),
	} {
		signed, vkey := signText(t, name, text)
		if _, err := Open(signed, vkey); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", what, err)
		}
		if _, err := unsigned(signed); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s, unsigned: %v, want ErrMalformed", what, err)
		}
	}
	signed, vkey := signText(t, name, good)
	for what, text := range map[string][]byte{
		"nothing":       nil,
		"no signature":  []byte(good),
		"empty block":   []byte(good + "\n"),
		"carriage":      bytes.ReplaceAll(signed, []byte("\n"), []byte("\r\n")),
		"not text":      append([]byte{0xff}, signed...),
		"cut":           signed[:len(signed)-1],
		"far too large": append(bytes.Clone(signed), "— x "+strings.Repeat("AAAA", maxCheckpoint/4)+"\n"...),
	} {
		if _, err := Open(text, vkey); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", what, err)
		}
	}
}

// Every byte of the text counts: base64 has several spellings of the same signature.
func TestOpen_RefusesAnotherSpellingOfTheSignature(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	text := signed(t, s, Checkpoint{5, [32]byte{1, 2, 3}, sampleTime})
	last := bytes.LastIndexByte(text, '=') - 1
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for bits := 1; bits < 4; bits++ {
		other := bytes.Clone(text)
		other[last] = letters[strings.IndexByte(letters, text[last])|bits]
		if _, err := Open(other, s.VerifierKey()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d: %v", bits, err)
		}
	}
}

func TestConsistent_TellsAGrownLogFromAnotherOne(t *testing.T) {
	t.Parallel()
	const size = 70
	_, r, f := grow(t, size)
	points := make([]Checkpoint, size+1)
	var tree Tree
	for n := range points {
		points[n] = Checkpoint{Size: int64(n), Root: tree.Root()}
		tree.Append(leafOf(int64(n)))
	}
	for _, newer := range points {
		for _, older := range points {
			for _, hr := range []tlog.HashReader{r.reader(), f} {
				err := Consistent(older, newer, hr)
				if want := older.Size <= newer.Size; (err == nil) != want || err != nil && !errors.Is(err, ErrMismatch) {
					t.Fatalf("%d to %d: %v", older.Size, newer.Size, err)
				}
			}
			wrong := older
			wrong.Root[7] ^= 1
			if err := Consistent(wrong, newer, r.reader()); !errors.Is(err, ErrMismatch) {
				t.Fatalf("%d to %d, the older root altered: %v", older.Size, newer.Size, err)
			}
			wrong = newer
			wrong.Root[7] ^= 1
			if err := Consistent(older, wrong, r.reader()); (older.Size > 0 || newer.Size == 0) && !errors.Is(err, ErrMismatch) {
				t.Fatalf("%d to %d, the newer root altered: %v", older.Size, newer.Size, err)
			}
		}
	}
	if err := Consistent(points[10], Checkpoint{Size: 80}, r.reader()); !errors.Is(err, ErrRow) {
		t.Errorf("rows are missing: %v, want ErrRow", err)
	}
	for _, c := range []Checkpoint{{Size: -1}, {Size: 1 << 62}} {
		if err := Consistent(c, points[5], r.reader()); !errors.Is(err, ErrMalformed) {
			t.Errorf("a size of %d: %v", c.Size, err)
		}
		if err := Consistent(points[5], c, r.reader()); !errors.Is(err, ErrMalformed) {
			t.Errorf("a size of %d: %v", c.Size, err)
		}
	}
}

func TestKey_IsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.key")
	keys := make([]string, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			s, err := LoadOrCreateKey(path)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = s.VerifierKey()
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || !strings.HasPrefix(k, product+"/") {
			t.Fatalf("keys %q", keys)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if other := newSigner(t); other.VerifierKey() == keys[0] || other.Name()+"+" == keys[0][:len(other.Name())+1] {
		t.Errorf("two logs have the same key or name: %s", keys[0])
	}
}

func TestKey_RefusesFilesThatAreNotSafe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if _, err := LoadOrCreateKey(good); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, err := note.GenerateKey(rand.Reader, "somebody")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, text []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{
		"pipe":       pipe,
		"group":      put("group", key, 0o640),
		"world":      put("world", key, 0o604),
		"writable":   put("writable", key, 0o620),
		"empty":      put("empty", nil, 0o600),
		"half":       put("half", key[:len(key)/2], 0o600),
		"altered":    put("altered", bytes.Replace(key, []byte("+"+product), []byte("+"+product+"x"), 1), 0o600),
		"two":        put("two", append(bytes.Clone(key), key...), 0o600),
		"of another": put("foreign", []byte(foreign), 0o600),
		"link":       link,
		"folder":     dir,
	} {
		_, err := LoadOrCreateKey(path)
		if !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v, want ErrKeyFile", what, err)
		}
		if err != nil && strings.Contains(err.Error(), strings.Split(strings.TrimSpace(string(key)), "+")[4]) {
			t.Errorf("%s: the error quotes the key", what)
		}
	}
	if _, err := LoadOrCreateKey(filepath.Join(dir, "none", "key")); err == nil || errors.Is(err, ErrKeyFile) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := LoadOrCreateKey(put("bare", bytes.TrimSpace(key), 0o400)); err != nil {
		t.Errorf("read-only, without the newline: %v", err)
	}
}

func BenchmarkSign(b *testing.B) {
	s := newSigner(b)
	for b.Loop() {
		signed(b, s, Checkpoint{5, [32]byte{1}, sampleTime})
	}
}
